//! Directories: what is decided when they are met, and what only when everything beneath them is.

use std::collections::HashSet;

use super::change::{Action, Change, ChangeKind, SkipReason, Step, Unreadable};
use super::decision::Deciding;
use super::emit::{Item, Order, build};
use super::moves::Lineage;
use super::reconciler::Reconciler;
use crate::model::{Kind, Name, Node, PairId, RelPath, Side, Sides, SyncMode};

/// The number of an open directory within one walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DirId(pub(super) u64);

/// What becomes of a directory.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It is or will be on both sides; what it holds is decided by the table.
    Both,
    /// It is on the other side only and will be made on `side` with everything it holds, whatever the ledger says of
    /// the children's absence there.
    Restore { side: Side },
    /// Selective mode: made at the target when something in it is written there.
    WhenNeeded,
    /// Rows 23 and 24: it vanished on `side`. It is made there again when something in it is written there, goes from
    /// the other side when nothing in it stays, and is left alone otherwise.
    Vanished { side: Side },
    /// Everything that it holds goes from that side, and then it does, unless something blocks that.
    /// A file then takes its name, when that is what it goes for.
    Remove { on: Side, step: Step, replaced: Option<ChangeKind> },
    /// The ledger lets go of everything beneath it; no side is looked at.
    Forget { excluded: bool },
    /// Rows 20 to 22: a file stands against it and the decision needs to know what it holds.
    Probe { on: Side, clash: Box<Clash> },
}

/// A directory on one side against a file or link on the other.
#[derive(Clone, Debug)]
pub(super) struct Clash {
    /// The parent's number and the item, to be decided again once the probe is done.
    pub(super) item: Item,
    /// Only ever unchanged items may go with it (row 21); else anything that can be archived may.
    pub(super) policy_decides: bool,
    /// The file is as the ledger knows it; only the directory is new.
    pub(super) file_is_settled: bool,
    /// Names in the parent that a conflict copy must not take.
    pub(super) taken: HashSet<Vec<u8>>,
}

/// What a probe found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Something that the ledger does not know, or knows otherwise.
    pub(super) changed: bool,
    /// Something the ledger never knew.
    pub(super) untracked: bool,
    /// Something excluded, or of a kind that is left alone.
    pub(super) blocked: bool,
    /// Something could not be looked at, for this reason.
    pub(super) unknown: Option<(Side, Unreadable)>,
}

/// A directory whose descendants are not all decided.
#[derive(Clone, Debug)]
pub(super) struct Dir {
    /// Its own number; set when it is opened.
    pub(super) id: DirId,
    pub(super) parent: Option<DirId>,
    /// How many directories directly in it are not decided yet.
    pub(super) pending: u64,
    pub(super) pair: PairId,
    /// The ledger has children under `pair`.
    pub(super) has_row: bool,
    /// The agreed path once the plan is done.
    pub(super) path: RelPath,
    /// The path on each side once the plan is done, where it is not `path`.
    pub(super) path_on: Sides<Option<RelPath>>,
    /// Where each side has it now.
    pub(super) at: Sides<Option<RelPath>>,
    pub(super) fate: Fate,
    /// Something in it stays on that side.
    pub(super) survives: Sides<bool>,
    /// Something in it is written to that side.
    pub(super) needed: Sides<bool>,
    pub(super) found: Found,
    pub(super) lineage: Lineage,
    /// The folder whose event its items belong to.
    pub(super) event: Option<DirId>,
    /// Selective mode: the source has something in it that is not chosen and that the target does not hold, or not any
    /// longer. Asked of what is there, so that a release that was interrupted is completed.
    pub(super) released: bool,
    /// The directory as an item of its parent; none for the root.
    pub(super) item: Option<Item>,
    /// Names in it that nothing else may take; known where a decision may give a new one.
    pub(super) names: Option<HashSet<Vec<u8>>>,
    /// A person has decided that it goes.
    pub(super) deciding: Option<Deciding>,
}

impl Dir {
    pub(super) fn root() -> Self {
        Self {
            id: DirId(0),
            parent: None,
            pending: 0,
            pair: PairId::ROOT,
            has_row: true,
            path: RelPath::root(),
            path_on: Sides::default(),
            at: Sides::new(Some(RelPath::root()), Some(RelPath::root())),
            fate: Fate::Both,
            survives: Sides::default(),
            needed: Sides::default(),
            found: Found::default(),
            lineage: Lineage::default(),
            event: None,
            released: false,
            item: None,
            names: None,
            deciding: None,
        }
    }

    /// A directory in `self`, whose number is `id`.
    pub(super) fn child(&self, id: DirId, item: Item, pair: PairId, fate: Fate) -> Self {
        let at = |side: Side| {
            let is_dir = item.nodes[side].as_ref().is_some_and(|n| n.kind == Kind::Dir);
            if is_dir { item.real[side].clone() } else { None }
        };
        let at = match &fate {
            Fate::Forget { .. } => Sides::default(),
            Fate::Remove { on, .. } | Fate::Probe { on, .. } => {
                let mut only = Sides::default();
                only[*on] = at(*on);
                only
            }
            Fate::Both | Fate::Restore { .. } | Fate::WhenNeeded | Fate::Vanished { .. } => {
                Sides::new(at(Side::Left), at(Side::Right))
            }
        };
        Self {
            id: DirId(0),
            parent: Some(id),
            pending: 0,
            pair,
            has_row: item.row.as_ref().is_some_and(|row| row.kind == Kind::Dir),
            path: item.path.clone(),
            path_on: item.path_on.clone(),
            at,
            fate,
            survives: Sides::default(),
            needed: Sides::default(),
            found: Found::default(),
            lineage: self.lineage.child(pair),
            event: self.event,
            released: false,
            item: Some(item),
            names: None,
            deciding: None,
        }
    }

    pub(super) fn on(&self, side: Side) -> &RelPath {
        self.path_on[side].as_ref().unwrap_or(&self.path)
    }
}

impl Reconciler {
    /// Decides a directory whose descendants are all decided, and its ancestors as far as that completes them.
    pub(super) fn close(&mut self, id: DirId, out: &mut Vec<Change>) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let Some(dir) = self.open.remove(&id) else { return };
            let Some(parent_id) = dir.parent else { return };
            let Some(mut parent) = self.open.remove(&parent_id) else { return };
            let opened = self.settle(id, dir, &mut parent, parent_id, out);
            parent.pending = parent.pending + opened - 1;
            if parent.pending == 0 {
                next = Some(parent_id);
            }
            self.open.insert(parent_id, parent);
        }
    }

    /// Returns how many directories were opened in the parent meanwhile.
    fn settle(&mut self, id: DirId, dir: Dir, parent: &mut Dir, parent_id: DirId, out: &mut Vec<Change>) -> u64 {
        let Some(item) = dir.item else { return 0 };
        let pair = dir.pair;
        let present = |side: Side| item.nodes[side].is_some();
        match dir.fate {
            Fate::Forget { .. } => {}
            Fate::Both => {
                let releases = self.settings.mode == SyncMode::Selective
                    && present(Side::Left)
                    && present(Side::Right)
                    && item.row.is_some()
                    && dir.released
                    && !dir.survives.right
                    && !dir.needed.right;
                if releases {
                    self.emit_delete(parent, &item, pair, Side::Right, ChangeKind::Deleted, Step::Delete, out);
                    parent.survives.left = true;
                    parent.released = true;
                } else {
                    parent.survives = Sides::new(true, true);
                }
            }
            Fate::Restore { .. } => parent.survives = Sides::new(true, true),
            Fate::WhenNeeded => {
                parent.survives.left = true;
                parent.released |= dir.released;
                if dir.needed.right {
                    self.emit_make_dir(parent, &item, pair, Side::Right, ChangeKind::New, out);
                } else if let Some(row) = item.row.as_ref().filter(|_| !dir.survives.right) {
                    // It went from the target, and nothing in it is wanted there.
                    self.emit_ledger(parent, &item, row.id, ChangeKind::Unchanged, Action::Forget, out);
                }
            }
            Fate::Vanished { side } => {
                let other = side.other();
                let owns_event = dir.event == Some(id);
                let held = if owns_event { self.events.end(id) } else { Vec::new() };
                let is_conflict = dir.needed[side] || held.iter().any(|c| c.kind == ChangeKind::Conflict);
                let kind = if is_conflict { ChangeKind::Conflict } else { ChangeKind::Deleted };
                let own = if dir.needed[side] {
                    Some(self.dir_made(parent, &item, pair, side, ChangeKind::Conflict))
                } else if dir.survives[other] {
                    parent.survives[other] = true;
                    self.take_back(item.row.as_ref());
                    None
                } else {
                    deleted(parent, &item, pair, other, kind, Step::Delete)
                };
                self.give_event(parent, own, held, is_conflict && owns_event, out);
            }
            Fate::Remove { on, step, replaced } => {
                let survives = dir.survives[on];
                self.deciding = dir.deciding.as_ref().filter(|_| !survives).map(|deciding| deciding.conflict);
                match (survives, replaced, dir.deciding) {
                    (true, _, Some(deciding)) => self.emit_skip(parent, &item, deciding.reason, out),
                    (true, None, None) => {
                        parent.survives[on] = true;
                        self.take_back(item.row.as_ref());
                        // A file of this name, which is gone from both sides.
                        if let Some(row) = item.row.as_ref().filter(|row| row.kind != Kind::Dir && !present(on.other()))
                        {
                            self.emit_ledger(parent, &item, row.id, ChangeKind::Unchanged, Action::Forget, out);
                        }
                    }
                    // Something in it could not go after all, and two items cannot have one name.
                    (true, Some(_), None) => self.emit_skip(parent, &item, SkipReason::NameCollision(on), out),
                    (false, None, deciding) => {
                        let kind = if deciding.is_some() { ChangeKind::Conflict } else { ChangeKind::Deleted };
                        self.emit_delete(parent, &item, pair, on, kind, step, out);
                    }
                    (false, Some(kind), _) => {
                        self.emit_delete(parent, &item, pair, on, kind, step, out);
                        let mut gone = item;
                        gone.nodes[on] = None;
                        self.follow_next();
                        self.emit_transfer(parent, &gone, pair, kind, on, false, out);
                    }
                }
                self.deciding = None;
            }
            Fate::Probe { on, clash } => {
                parent.found.changed |= dir.found.changed;
                parent.found.untracked |= dir.found.untracked;
                parent.found.blocked |= dir.found.blocked;
                parent.found.unknown = parent.found.unknown.take().or_else(|| dir.found.unknown.clone());
                if !matches!(parent.fate, Fate::Probe { .. }) {
                    let before = self.next_dir_number();
                    self.resolve_clash(parent, parent_id, on, *clash, dir.found, out);
                    return self.next_dir_number() - before;
                }
            }
        }
        0
    }

    pub(super) fn emit_make_dir(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        pair: PairId,
        on: Side,
        kind: ChangeKind,
        out: &mut Vec<Change>,
    ) {
        let change = self.dir_made(dir, item, pair, on, kind);
        self.give_in(dir, change, out);
    }

    fn dir_made(&mut self, dir: &mut Dir, item: &Item, pair: PairId, on: Side, kind: ChangeKind) -> Change {
        dir.needed[on] = true;
        dir.survives = Sides::new(true, true);
        self.claim(dir, item, on);
        let order = Order { step: Step::Structure, rank: structure_rank(item.depth(), LAST) };
        build(dir, item, pair, kind, Kind::Dir, Action::MakeDir { on }, order, 0)
    }

    #[allow(clippy::too_many_arguments)] // one change with what tells it from others
    pub(super) fn emit_delete(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        pair: PairId,
        on: Side,
        kind: ChangeKind,
        step: Step,
        out: &mut Vec<Change>,
    ) {
        if let Some(change) = deleted(dir, item, pair, on, kind, step) {
            self.give_in(dir, change, out);
        }
    }
}

fn deleted(dir: &Dir, item: &Item, pair: PairId, on: Side, kind: ChangeKind, step: Step) -> Option<Change> {
    let what = item.nodes[on].as_ref()?.kind;
    let order = Order { step, rank: u32::MAX - item.depth() };
    Some(build(dir, item, pair, kind, what, Action::Delete { on }, order, 0))
}

/// The place of conflict renames among the structure changes of one depth: what goes aside may have been moved first.
pub(super) const ASIDE: u32 = LAST - 1;
/// The place of new directories: behind the moves of their depth, which may vacate their names.
pub(super) const LAST: u32 = (1 << DEPTH_SHIFT) - 1;
const DEPTH_SHIFT: u32 = 18;

/// Structure is built top-down in the final tree; `place` orders what happens at one depth.
pub(super) fn structure_rank(depth: u32, place: u32) -> u32 {
    (depth.min((1 << (32 - DEPTH_SHIFT)) - 1) << DEPTH_SHIFT) | place.min(LAST)
}

/// Directories differ from what the ledger holds of them only in kind, identity and permissions.
pub(super) fn dir_differs(held: &crate::model::Held, node: &Node) -> bool {
    held.ident != node.ident || held.token.mode != node.token.mode
}

/// The last component where the side has another name.
pub(super) fn joined(dir: &Dir, name: &Name, name_on: &Sides<Option<Name>>, path: &RelPath) -> Sides<Option<RelPath>> {
    let on = |side: Side| {
        if dir.path_on[side].is_none() && name_on[side].is_none() {
            return None;
        }
        let there = dir.on(side).join(name_on[side].as_ref().unwrap_or(name));
        (there != *path).then_some(there)
    };
    Sides::new(on(Side::Left), on(Side::Right))
}
