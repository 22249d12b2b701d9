//! The walk over both trees and the ledger.
//!
//! What is kept between two directories is the stack of directories still to be seen and, for each directory whose
//! descendants are not all decided, a few values ([`Dir`]); never the entries of a tree.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::align::{Aligned, Slot};
use super::change::{Change, Step, Unreadable};
use super::classify::hashes_wanted;
use super::decision::DroppedDecision;
use super::dirs::{Dir, DirId, Fate};
use super::event::Events;
use super::moves::Records;
use super::overlay::{Arrival, Overlay, Replay};
use super::settings::Settings;
use super::structure::Pending;
use super::tally::Tally;
use super::vanished::Arriving;
use crate::identity::ContentHash;
use crate::model::{Entry, Kind, Name, Pair, PairId, RelPath, Side, Sides};

/// What a side shows of a directory.
#[derive(Clone, Debug)]
pub enum DirSeen {
    /// All of it.
    Complete(Vec<Entry>),
    /// Some of it; what is not listed is unknown.
    Partial(Vec<Entry>, Unreadable),
    /// It is not there, definitely.
    Absent,
    /// Nothing is known of it.
    Unknown(Unreadable),
}

/// A directory the reconciler wants to see.
#[derive(Clone, Debug)]
pub struct Task {
    /// The ledger's pair whose children are the base; `None` when the ledger does not know the directory.
    pub pair: Option<PairId>,
    /// Where each side has it now; `None`: there is no directory to list on that side (feed [`DirSeen::Absent`]).
    pub at: Sides<Option<RelPath>>,
    pub(super) dir: DirId,
    /// The content of what it holds decides nothing.
    pub(super) without_content: bool,
    pub(super) overlay: Option<Arc<Overlay>>,
    /// What [`Observed::wanted`] aligned already.
    aligned: OnceLock<Aligned>,
}

/// A directory as it was seen, not yet reconciled.
pub struct Observed {
    /// What was asked.
    pub task: Task,
    /// The ledger's rows whose parent is the pair, ordered by name.
    pub base: Vec<Pair>,
    /// What each side shows.
    pub seen: Sides<DirSeen>,
    /// Hashes that [`Observed::wanted`] asked for, by the item's name on that side. `Err` holds the other side's words.
    pub hashes: Sides<HashMap<Name, Result<ContentHash, Unreadable>>>,
}

/// What the end of a walk brings.
#[derive(Debug)]
pub enum Finish {
    /// The changes given since the last `Again` are the plan.
    Plan(Tally),
    /// Hash these files on these sides and call [`Reconciler::pair_by_content`].
    Hash(Sides<Vec<RelPath>>),
    /// Moves were found: forget every change given so far and feed the directories again from the root.
    Again,
}

/// The state machine.
pub struct Reconciler {
    pub(super) settings: Settings,
    /// Directories still to be seen, the next one last.
    stack: Vec<DirId>,
    /// Directories that are not decided yet.
    pub(super) open: HashMap<DirId, Dir>,
    next_dir: u64,
    pub(super) next_pair: i64,
    pub(super) tally: Tally,
    /// The next change belongs to the decision of the one before it.
    pub(super) following: bool,
    /// What is held back until the folder that holds it is decided.
    pub(super) events: Events,
    /// What this walk saw vanish and appear.
    pub(super) records: Records,
    /// The ledger has rows, so that something can have vanished.
    pub(super) collects: bool,
    /// The moves that are accepted so far.
    pub(super) replay: Replay,
    /// The accepted moves whose place this walk came to.
    arrived: HashSet<PairId>,
    /// Moves that turned out to be impossible.
    vetoed: HashSet<PairId>,
    /// Moves that are not possible as this walk sees it. One that is still to be found may free their place.
    pub(super) impossible: HashSet<PairId>,
    pub(super) moves: Vec<Pending>,
    /// Places of moved items that something else will take.
    pub(super) claimed: HashSet<(Side, RelPath)>,
    /// Conflicts whose decision this walk met, and those it dropped.
    pub(super) decided: HashSet<i64>,
    pub(super) dropped: Vec<DroppedDecision>,
    /// What is given out now carries out the decision about this conflict.
    pub(super) deciding: Option<i64>,
    /// What [`Finish::Hash`] brought, for all walks.
    hashes: Sides<HashMap<RelPath, Result<ContentHash, Unreadable>>>,
    walks: u32,
}

/// Beneath a moved directory further moves come to light in the next walk. After so many walks the rest is deleted and
/// created.
const MOST_WALKS: u32 = 16;

impl Reconciler {
    /// A walk that begins at the two roots.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut reconciler = Self {
            next_pair: settings.first_new_pair.0,
            settings,
            stack: Vec::new(),
            open: HashMap::new(),
            next_dir: 0,
            tally: Tally::default(),
            following: false,
            events: Events::default(),
            records: Records::default(),
            collects: false,
            replay: Replay::default(),
            arrived: HashSet::new(),
            vetoed: HashSet::new(),
            impossible: HashSet::new(),
            moves: Vec::new(),
            claimed: HashSet::new(),
            decided: HashSet::new(),
            dropped: Vec::new(),
            deciding: None,
            hashes: Sides::default(),
            walks: 0,
        };
        reconciler.begin();
        reconciler
    }

    fn begin(&mut self) {
        self.stack.clear();
        self.open.clear();
        self.next_pair = self.settings.first_new_pair.0;
        self.tally = Tally::default();
        self.following = false;
        self.events.clear();
        self.records = Records::with(self.records.filter.take());
        self.collects = false;
        self.moves.clear();
        self.arrived.clear();
        self.impossible.clear();
        self.claimed.clear();
        self.decided.clear();
        self.dropped.clear();
        self.deciding = None;
        self.walks += 1;
        self.push(Dir::root());
    }

    /// The first number that no pair has yet.
    #[must_use]
    pub fn next_new_pair(&self) -> PairId {
        PairId(self.next_pair)
    }

    pub(super) fn new_pair(&mut self) -> PairId {
        let pair = PairId(self.next_pair);
        self.next_pair += 1;
        pair
    }

    /// How many directories were opened so far.
    pub(super) fn next_dir_number(&self) -> u64 {
        self.next_dir
    }

    pub(super) fn push(&mut self, mut dir: Dir) {
        let id = DirId(self.next_dir);
        dir.id = id;
        self.next_dir += 1;
        if matches!(dir.fate, Fate::Vanished { .. }) && dir.event.is_none() {
            dir.event = Some(id);
            self.events.begin(id);
        }
        self.open.insert(id, dir);
        self.stack.push(id);
    }

    /// The next directory to see, depth first; `None` when none is known until more is observed.
    pub fn next_task(&mut self) -> Option<Task> {
        let id = self.stack.pop()?;
        let dir = self.open.get(&id)?;
        Some(Task {
            pair: dir.has_row.then_some(dir.pair),
            at: dir.at.clone(),
            dir: id,
            without_content: matches!(dir.fate, Fate::Forget { .. } | Fate::Remove { .. } | Fate::Probe { .. }),
            overlay: self.replay.of_dir(&dir.at),
            aligned: OnceLock::new(),
        })
    }

    /// Takes in a directory and appends what is decided. Directories are observed in the order of `next_task`.
    pub fn observe(&mut self, observed: Observed, out: &mut Vec<Change>) {
        let Observed { mut task, mut base, seen, hashes } = observed;
        let Some(mut dir) = self.open.remove(&task.dir) else { return };
        let before = self.next_dir;
        let stacked = self.stack.len();
        if let Some(overlay) = &task.overlay {
            self.arrived.extend(overlay.arrivals.iter().map(Arrival::pair));
        }
        if let Some(mut view) = self.view(&mut dir, &base, seen, out) {
            if dir.item.is_none() {
                self.collects = !base.is_empty();
            }
            let partial = view.unlisted.as_ref().map(Option::is_some);
            let Aligned { slots, in_use } = match &task.overlay {
                Some(overlay) => overlay.apply(&self.settings, &mut base, &mut view.entries, partial),
                None => {
                    let known = task.aligned.take();
                    let listing = view.entries.as_ref().map(|entries| &entries[..]);
                    known.unwrap_or_else(|| Aligned::of(&self.settings, &base, listing, partial))
                }
            };
            if let Some(overlay) = &task.overlay {
                self.veto(&dir, overlay);
            }
            // Of two that move to one name the later one does not.
            let is_refused = |slot: &&Slot| {
                let names = slot.names.as_ref().filter(|_| slot.arrival.is_some());
                names.is_some_and(|names| names.refused.left || names.refused.right)
            };
            let refused = slots.iter().rev().find(is_refused).and_then(|slot| base.get(slot.row?));
            self.impossible.extend(refused.map(|row| row.id));
            (view.base, view.overlay, view.taken) = (base, task.overlay, in_use.into());
            view.arriving = self.arriving(&view, &slots);
            if self.settings.decisions.concern(&dir.path) {
                dir.names = Some(self.names_taken(&view).clone());
            }
            self.let_go_first(&mut dir, task.dir, &view.base, Some(&view), out);
            self.decide_all(&mut dir, task.dir, &view, &slots, &hashes, out);
        } else {
            self.let_go_first(&mut dir, task.dir, &base, None, out);
        }
        // The first child is to be seen first.
        self.stack[stacked..].reverse();
        dir.pending = self.next_dir - before;
        let done = dir.pending == 0;
        self.open.insert(task.dir, dir);
        if done {
            self.close(task.dir, out);
        }
    }

    /// A directory that must be out of the way before anything is moved can neither give nor take a moved item.
    fn veto(&mut self, dir: &Dir, overlay: &Overlay) {
        if !matches!(dir.fate, Fate::Probe { .. } | Fate::Remove { step: Step::Clear, .. }) {
            return;
        }
        self.impossible.extend(overlay.arrivals.iter().map(|a| a.pair()));
        for relocation in &self.replay.relocations {
            let side = relocation.side.other();
            let leaves = relocation.counterpart.as_ref().and_then(|c| c.real.parent());
            if leaves.is_some() && leaves == dir.at[side] {
                self.impossible.insert(relocation.row.id);
            }
        }
    }

    /// Ends a walk once every task was observed; may append changes.
    pub fn finish(&mut self, out: &mut Vec<Change>) -> Finish {
        if self.walks < MOST_WALKS && !self.records.lost.is_empty() {
            if let Some(filter) = self.records.wants_filter() {
                self.records.filter = Some(filter);
                return self.again();
            }
            let mut wanted = Sides::<Vec<RelPath>>::default();
            for side in Side::BOTH {
                wanted[side] = self.records.to_hash(side);
                wanted[side].retain(|at| !self.hashes[side].contains_key(at));
            }
            if !(wanted.left.is_empty() && wanted.right.is_empty()) {
                return Finish::Hash(wanted);
            }
            let moves = self.records.accept(&self.settings, &self.hashes, &self.vetoed);
            if !moves.is_empty() {
                self.replay.relocations.extend(moves);
                return self.again();
            }
        }
        // A place that is not part of the tree any more cannot receive anything.
        let unreachable = self.replay.relocations.iter().map(|r| r.row.id).filter(|id| !self.arrived.contains(id));
        self.impossible.extend(unreachable);
        if !self.impossible.is_empty() {
            self.vetoed.extend(self.impossible.drain());
            self.replay.relocations.retain(|r| !self.vetoed.contains(&r.row.id));
            return self.again();
        }
        self.emit_moves(out);
        Finish::Plan(std::mem::take(&mut self.tally))
    }

    fn again(&mut self) -> Finish {
        let relocations = std::mem::take(&mut self.replay.relocations);
        self.replay = Replay::of(relocations);
        self.begin();
        Finish::Again
    }

    /// The hashes that [`Finish::Hash`] asked for. Call [`finish`](Self::finish) again.
    pub fn pair_by_content(&mut self, hashes: Sides<HashMap<RelPath, Result<ContentHash, Unreadable>>>) {
        self.hashes.left.extend(hashes.left);
        self.hashes.right.extend(hashes.right);
    }
}

/// The listings of a directory after what is certain about them was separated from what is not.
#[derive(Default)]
pub(super) struct View {
    /// The ledger's rows, as if the moves were done.
    pub(super) base: Vec<Pair>,
    pub(super) entries: Sides<Vec<Entry>>,
    /// What is not listed is unknown, for this reason.
    pub(super) unlisted: Sides<Option<Unreadable>>,
    /// Names that a conflict copy or an alias must not take; made when the first one is.
    pub(super) taken: std::cell::RefCell<Option<HashSet<Vec<u8>>>>,
    /// The moves that concern the directory.
    pub(super) overlay: Option<Arc<Overlay>>,
    /// The names that moved items get in it.
    pub(super) arriving: Vec<Arriving>,
}

impl Observed {
    /// The files whose content must be known before [`Reconciler::observe`], by their path on each side. Pure, so that
    /// many directories can be prepared in parallel. Rows and listings stay as they are from here on.
    #[must_use]
    pub fn wanted(&self, settings: &Settings) -> Sides<Vec<RelPath>> {
        let mut wanted = Sides::<Vec<RelPath>>::default();
        let entries = self.seen.as_ref().map(|seen| match seen {
            DirSeen::Complete(entries) | DirSeen::Partial(entries, _) => &entries[..],
            DirSeen::Absent | DirSeen::Unknown(_) => &[],
        });
        let is_unknown =
            matches!(self.seen.left, DirSeen::Unknown(_)) || matches!(self.seen.right, DirSeen::Unknown(_));
        if self.task.without_content || is_unknown {
            return wanted;
        }
        let partial = self.seen.as_ref().map(|seen| matches!(seen, DirSeen::Partial(..)));
        let Some(overlay) = &self.task.overlay else {
            let nothing_to_compare = self.base.is_empty() && Side::BOTH.iter().any(|s| entries[*s].is_empty());
            if !nothing_to_compare {
                let aligned = self.task.aligned.get_or_init(|| Aligned::of(settings, &self.base, entries, partial));
                self.want(settings, &self.base, entries, &aligned.slots, &mut wanted);
            }
            return wanted;
        };
        let mut base = self.base.clone();
        let mut seen = entries.map(<[Entry]>::to_vec);
        let aligned = overlay.apply(settings, &mut base, &mut seen, partial);
        self.want(settings, &base, Sides::new(&seen.left, &seen.right), &aligned.slots, &mut wanted);
        wanted
    }

    fn want(
        &self,
        settings: &Settings,
        base: &[Pair],
        entries: Sides<&[Entry]>,
        slots: &[Slot],
        wanted: &mut Sides<Vec<RelPath>>,
    ) {
        for slot in slots {
            let row = slot.row.map(|i| &base[i]);
            let here = Sides::new(slot.at.left.map(|i| &entries.left[i]), slot.at.right.map(|i| &entries.right[i]));
            let is_leaf = |e: &&Entry| matches!(e.node.kind, Kind::File | Kind::Symlink);
            let hash = hashes_wanted(settings, row, here.map(|e| e.filter(is_leaf).map(|e| &e.node)));
            let shown = slot.arrival.and_then(|i| self.task.overlay.as_ref()?.arrivals.get(i)?.shown_on());
            for side in Side::BOTH {
                if let (true, Some(entry), Some(at)) = (hash[side], here[side], &self.task.at[side])
                    && shown != Some(side)
                {
                    wanted[side].push(at.join(&entry.name));
                }
            }
        }
    }
}
