//! The items of one directory, each decided by what it is on either side.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::align::Slot;
use super::change::{Action, Change, ChangeKind, Expect, Metadata, SkipReason, Step};
use super::classify::{Hashed, State, classify, content_equal, token_equal};
use super::dirs::{ASIDE, Clash, Dir, DirId, Fate, Found, dir_differs, structure_rank};
use super::emit::{Item, Order};
use super::moves::{Appeared, Lost};
use super::names::{Folding, can_hold, conflict_name};
use super::overlay::Arrival;
use super::reconciler::{DirSeen, Reconciler, View};
use super::table::{Rule, Verdict};
use crate::identity::ContentHash;
use crate::model::{Entry, Ident, Kind, Name, Node, Pair, PairId, Side, Sides, SyncMode, Timestamp};

/// Answers to the wanted hashes of a directory.
pub(super) type Hashes = Sides<HashMap<Name, Result<ContentHash, String>>>;

/// What is at a name on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Absent,
    Leaf,
    Dir,
    Unsupported,
}

fn now(entry: Option<&Entry>) -> Now {
    match entry.map(|e| e.node.kind) {
        None => Now::Absent,
        Some(Kind::File | Kind::Symlink) => Now::Leaf,
        Some(Kind::Dir) => Now::Dir,
        Some(Kind::NativeDoc | Kind::Other) => Now::Unsupported,
    }
}

impl Reconciler {
    pub(super) fn rule(&self) -> Rule {
        Rule { mode: self.settings.mode, exact: self.settings.exact, policy: self.settings.policy }
    }

    /// Separates what is certain from what is not. `None`: nothing can be said of the directory; that is reported, and
    /// neither it nor anything in it is touched.
    pub(super) fn view(
        &mut self,
        dir: &mut Dir,
        base: &[Pair],
        seen: Sides<DirSeen>,
        out: &mut Vec<Change>,
    ) -> Option<View> {
        let mut view =
            View { entries: Sides::default(), unlisted: Sides::default(), taken: RefCell::new(None), overlay: None };
        let mut unknown = None;
        for (side, seen) in [(Side::Left, seen.left), (Side::Right, seen.right)] {
            match seen {
                DirSeen::Complete(entries) => view.entries[side] = entries,
                DirSeen::Partial(entries, reason) => {
                    view.entries[side] = entries;
                    view.unlisted[side] = Some(reason);
                }
                DirSeen::Unknown(reason) => {
                    unknown = unknown.or(Some((side, reason)));
                }
                // A root that is not there yet is empty; any other directory was listed in its parent a moment ago.
                DirSeen::Absent if dir.at[side].is_none() || (dir.item.is_none() && base.is_empty()) => {}
                DirSeen::Absent => unknown = unknown.or(Some((side, "it vanished while it was looked at".to_owned()))),
            }
        }
        if dir.item.is_none() {
            self.tally.root_base = base.len() as u64;
            let count = |side: Side| view.unlisted[side].is_none().then_some(view.entries[side].len() as u64);
            self.tally.root_entries = Sides::new(count(Side::Left), count(Side::Right));
        }
        let Some((side, reason)) = unknown else {
            for side in Side::BOTH {
                if let Some(reason) = view.unlisted[side].clone() {
                    self.report_unknown(dir, side, reason, out);
                }
            }
            return Some(view);
        };
        self.tally.root_entries[side] = self.tally.root_entries[side].filter(|_| dir.item.is_some());
        self.tally.skipped += base.len() as u64;
        self.report_unknown(dir, side, reason, out);
        None
    }

    /// `?` blocks the removal of everything above it.
    fn report_unknown(&mut self, dir: &mut Dir, side: Side, reason: String, out: &mut Vec<Change>) {
        dir.survives = Sides::new(true, true);
        dir.found.blocked = true;
        if matches!(dir.fate, Fate::Probe { .. }) {
            return;
        }
        let change = Change {
            pair: dir.pair,
            parent: dir.pair,
            was: None,
            path: dir.path.clone(),
            path_on: dir.path_on.clone(),
            kind: ChangeKind::Skipped,
            item: Kind::Dir,
            action: Action::Skip(SkipReason::Unknown(side, reason)),
            step: Step::Report,
            rank: 0,
            bytes: 0,
            expect: Sides::new(Expect::Any, Expect::Any),
            content: None,
            follows: false,
        };
        self.give(change, out);
    }

    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    pub(super) fn decide_all(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        base: &[Pair],
        view: &View,
        slots: Vec<Slot>,
        hashes: &Hashes,
        out: &mut Vec<Change>,
    ) {
        let is_probe = matches!(dir.fate, Fate::Probe { .. });
        if !is_probe {
            if dir.has_row {
                self.tally.base += base.len() as u64;
            }
            for side in Side::BOTH {
                self.tally.entries[side] += view.entries[side].len() as u64;
            }
        }
        for slot in slots {
            let row = slot.row.map(|i| &base[i]);
            let entry = |side: Side| slot.at[side].map(|i| &view.entries[side][i]);
            let here = Sides::new(entry(Side::Left), entry(Side::Right));
            self.decide(dir, id, slot, row, here, base, view, hashes, out);
        }
    }

    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn decide(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        slot: Slot,
        row: Option<&Pair>,
        here: Sides<Option<&Entry>>,
        base: &[Pair],
        view: &View,
        hashes: &Hashes,
        out: &mut Vec<Change>,
    ) {
        let is_excluded = self.is_excluded(dir, row, here);
        let arrival = slot.arrival.and_then(|i| view.overlay.as_ref()?.arrivals.get(i));
        if !is_excluded && self.collects && arrival.is_none() {
            self.collect(dir, slot, row, here, view);
        }
        if arrival.is_none()
            && let Some(taker) = self.taker(row, here, view)
            && !self.makes_room(row, here)
        {
            self.vetoed.insert(taker);
        }
        match &dir.fate {
            Fate::Forget { excluded } => return self.forget(dir, id, row, here, *excluded, out),
            Fate::Probe { .. } => return self.probe(dir, id, row, here, is_excluded, arrival),
            Fate::Both | Fate::Restore { .. } | Fate::WhenNeeded | Fate::Vanished { .. } | Fate::Remove { .. } => {}
        }
        if is_excluded {
            for side in Side::BOTH {
                dir.survives[side] |= here[side].is_some();
            }
            return self.forget(dir, id, row, here, true, out);
        }
        if let Fate::Remove { on, step } = dir.fate {
            return self.remove(dir, id, row, arrival, here, on, step, out);
        }
        let hash = |side: Side| match arrival.filter(|a| a.shown_on() == Some(side)) {
            Some(arrival) => arrival.counterpart.as_ref().and_then(|c| c.hash.as_ref()),
            None => here[side].and_then(|e| hashes[side].get(&e.name)),
        };
        let hashed = Sides::new(hash(Side::Left), hash(Side::Right));
        let content = hashed.map(|h| h.and_then(|h| h.as_ref().ok()).copied());
        if slot.collides {
            let side = self.folding_side();
            return self.skip(dir, row, arrival, here, content, SkipReason::NameCollision(side), out);
        }
        if Side::BOTH.iter().any(|s| here[*s].is_none() && view.unlisted[*s].is_some() && dir.at[*s].is_some()) {
            // Reported once for the whole directory.
            dir.survives = Sides::new(true, true);
            self.tally.skipped += 1;
            return;
        }
        let is = here.map(now);
        if is.left == Now::Unsupported || is.right == Now::Unsupported || self.is_link_nowhere_to_go(here) {
            return self.skip(dir, row, arrival, here, content, SkipReason::UnsupportedKind, out);
        }
        let row_is_dir = row.is_some_and(|r| r.kind == Kind::Dir);
        match (is.left, is.right) {
            (Now::Dir, Now::Dir) => self.both_dirs(dir, id, row, arrival, here, out),
            (Now::Dir, Now::Absent) | (Now::Absent, Now::Dir) => self.one_dir(dir, id, row, arrival, here, out),
            (Now::Dir, Now::Leaf) | (Now::Leaf, Now::Dir) => {
                self.clash(dir, id, row, arrival, here, content, hashed, view, base, out)
            }
            (Now::Absent | Now::Leaf, Now::Absent | Now::Leaf) => {
                if row_is_dir && let Some(item) = Item::new(dir, row, here, content, arrival, &self.settings) {
                    let pair = self.pair_of(&item);
                    self.push(dir.child(id, item, pair, Fate::Forget { excluded: false }));
                }
                self.leaf(dir, row, arrival, here, content, hashed, view, base, out);
            }
            (Now::Unsupported, _) | (_, Now::Unsupported) => {}
        }
    }

    /// The item that moves to the name of this one.
    fn taker(&self, row: Option<&Pair>, here: Sides<Option<&Entry>>, view: &View) -> Option<PairId> {
        let arrivals = &view.overlay.as_ref()?.arrivals;
        let name = row.map(|r| &r.name).or(here.left.map(|e| &e.name)).or(here.right.map(|e| &e.name))?;
        let folding = Folding::of(&self.settings.rules);
        arrivals.iter().find(|a| folding.key(a.name()) == folding.key(name)).map(Arrival::pair)
    }

    /// Whether the item is gone or certain to be deleted, before anything is moved.
    fn makes_room(&self, row: Option<&Pair>, here: Sides<Option<&Entry>>) -> bool {
        let is_settled = |side: Side, row: &Pair| {
            here[side].is_none_or(|e| {
                now(here[side]) == Now::Leaf
                    && e.node.kind == row.kind
                    && token_equal(&row.held[side].token, &e.node.token)
            })
        };
        let is_gone = here.left.is_none() || here.right.is_none();
        is_gone && row.is_some_and(|row| is_settled(Side::Left, row) && is_settled(Side::Right, row))
    }

    /// Notes what vanished and what appeared, for pairing moves at the end of the walk.
    fn collect(&mut self, dir: &Dir, slot: Slot, row: Option<&Pair>, here: Sides<Option<&Entry>>, view: &View) {
        if matches!(dir.fate, Fate::Probe { .. } | Fate::Remove { .. } | Fate::Forget { excluded: true }) {
            return;
        }
        let is_displaced = |side: Side| match (row, here[side]) {
            (Some(row), Some(entry)) => {
                let (held, now) = (&row.held[side], &entry.node);
                held.ident != Ident::None
                    && now.ident != Ident::None
                    && held.ident != now.ident
                    && (now.kind == Kind::Dir || row.kind != now.kind || !token_equal(&held.token, &now.token))
            }
            _ => false,
        };
        let displaced = Sides::new(is_displaced(Side::Left), is_displaced(Side::Right));
        let is_lost = |side: Side| {
            let certain = view.unlisted[side].is_none() || dir.at[side].is_none();
            displaced[side] || (row.is_some() && here[side].is_none() && certain)
        };
        let lost = Sides::new(is_lost(Side::Left), is_lost(Side::Right));
        let limit = self.settings.move_limit.saturating_sub(self.replay.relocations.len());
        let real = |side: Side, name: &Name| dir.at[side].as_ref().map(|at| at.join(name));
        if let Some(row) = row.filter(|_| lost.left || lost.right) {
            let still = |side: Side| {
                let entry = here[side].filter(|_| !displaced[side])?;
                Some((real(side, &entry.name)?, entry.node.clone()))
            };
            let here = Sides::new(still(Side::Left), still(Side::Right));
            let path = dir.path.join(&row.name);
            let occupied = |side: Side| displaced[side].then(|| real(side, &row.name)).flatten();
            let occupied = Sides::new(occupied(Side::Left), occupied(Side::Right));
            self.records.lose(limit, Lost { row: row.clone(), path, lost, here, occupied });
        }
        if slot.collides {
            return;
        }
        for side in Side::BOTH {
            let Some(entry) = here[side].filter(|_| row.is_none() || displaced[side]) else { continue };
            let Some(at) = real(side, &entry.name) else { continue };
            let other = side.other();
            let replaces = row.filter(|row| {
                let settled = here[other].is_some_and(|e| {
                    e.node.kind == row.kind
                        && e.node.kind != Kind::Dir
                        && !displaced[other]
                        && token_equal(&row.held[other].token, &e.node.token)
                });
                settled && !self.settings.checksum
            });
            let appeared = Appeared {
                node: entry.node.clone(),
                real: at,
                path: dir.path.join(row.map_or(&entry.name, |r| &r.name)),
                name: entry.name.clone(),
                lineage: dir.lineage.clone(),
                displaces: displaced[side],
                opposite: match here[other] {
                    Some(e) => real(other, &e.name),
                    None => self.taker(row, here, view).map(|_| dir.path.join(&entry.name)),
                },
                replaces: replaces.map(|row| row.id),
            };
            self.records.appear(limit, side, appeared);
        }
    }

    fn folding_side(&self) -> Side {
        let folds = self.settings.rules.as_ref().map(|r| r.case_insensitive || r.unicode_insensitive);
        if folds.right { Side::Right } else { Side::Left }
    }

    fn is_excluded(&self, dir: &Dir, row: Option<&Pair>, here: Sides<Option<&Entry>>) -> bool {
        if !self.settings.scope.has_filter() {
            return false;
        }
        let name = row.map(|r| &r.name).or(here.left.map(|e| &e.name)).or(here.right.map(|e| &e.name));
        let Some(path) = name.map(|n| dir.path.join(n)) else { return false };
        let leaves_out = |is_dir: bool| !self.settings.scope.includes(&path, is_dir);
        if here.left.is_none() && here.right.is_none() {
            return row.is_some_and(|r| leaves_out(r.kind == Kind::Dir));
        }
        Side::BOTH.iter().filter_map(|s| here[*s]).any(|e| leaves_out(e.node.kind == Kind::Dir))
    }

    fn is_link_nowhere_to_go(&self, here: Sides<Option<&Entry>>) -> bool {
        Side::BOTH
            .iter()
            .any(|s| here[*s].is_some_and(|e| e.node.kind == Kind::Symlink) && !self.settings.rules[s.other()].symlinks)
    }

    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn skip(
        &mut self,
        dir: &mut Dir,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        content: Sides<Option<ContentHash>>,
        reason: SkipReason,
        out: &mut Vec<Change>,
    ) {
        if let Some(item) = Item::new(dir, row, here, content, arrival, &self.settings) {
            self.emit_skip(dir, &item, reason, out);
        }
    }

    /// Drops the row and those beneath it; touches nothing.
    fn forget(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        here: Sides<Option<&Entry>>,
        excluded: bool,
        out: &mut Vec<Change>,
    ) {
        let Some(row) = row else { return };
        let Some(item) = Item::new(dir, Some(row), here, Sides::default(), None, &self.settings) else { return };
        let kind = if excluded { ChangeKind::Skipped } else { ChangeKind::Unchanged };
        let mut detached = item.clone();
        if excluded {
            detached.nodes = Sides::default();
        }
        self.emit_ledger(dir, &item, row.id, kind, Action::Forget, out);
        if let Some(change) = out.last_mut().filter(|_| excluded) {
            change.expect = Sides::new(Expect::Any, Expect::Any);
        }
        if row.kind == Kind::Dir {
            self.push(dir.child(id, detached, row.id, Fate::Forget { excluded }));
        }
    }

    /// Looks at an item of a directory that a file stands against; decides nothing.
    fn probe(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        here: Sides<Option<&Entry>>,
        is_excluded: bool,
        arrival: Option<&Arrival>,
    ) {
        let Fate::Probe { on, .. } = dir.fate else { return };
        let Some(entry) = here[on] else { return };
        let is = now(Some(entry));
        if is_excluded || is == Now::Unsupported {
            dir.found.blocked = true;
            return;
        }
        dir.found.untracked |= row.is_none();
        // What only a hash could tell apart counts as changed, which is the careful answer.
        let state = classify(&self.settings, row, Some(&entry.node), on, None);
        dir.found.changed |= match is {
            Now::Dir => row.is_none_or(|r| r.kind != Kind::Dir),
            Now::Leaf => state != State::Same,
            Now::Absent | Now::Unsupported => false,
        };
        if is == Now::Dir
            && let Some(item) = Item::new(dir, row, here, Sides::default(), arrival, &self.settings)
        {
            let pair = row.map_or(PairId(-1), |r| r.id);
            let clash = Box::new(Clash { item: item.clone(), policy_decides: false, taken: HashSet::new() });
            self.push(dir.child(id, item, pair, Fate::Probe { on, clash }));
        }
    }

    /// Everything in the directory goes from that side.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn remove(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        on: Side,
        step: Step,
        out: &mut Vec<Change>,
    ) {
        let Some(item) = Item::new(dir, row, here, Sides::default(), arrival, &self.settings) else { return };
        match now(here[on]) {
            Now::Absent => self.forget(dir, id, row, here, false, out),
            Now::Unsupported => self.emit_skip(dir, &item, SkipReason::UnsupportedKind, out),
            Now::Leaf => {
                let pair = self.pair_of(&item);
                self.emit_delete(dir, &item, pair, on, ChangeKind::Deleted, step, out);
            }
            Now::Dir => {
                let pair = self.pair_of(&item);
                self.push(dir.child(id, item, pair, Fate::Remove { on, step }));
            }
        }
    }

    fn both_dirs(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        out: &mut Vec<Change>,
    ) {
        let Some(item) = Item::new(dir, row, here, Sides::default(), arrival, &self.settings) else { return };
        let pair = self.pair_of(&item);
        match row.filter(|r| r.kind == Kind::Dir) {
            None => self.emit_ledger(dir, &item, pair, ChangeKind::Unchanged, Action::Record, out),
            Some(row) => {
                self.emit_move(dir, &item, Sides::new(true, true));
                let differs = |side: Side| here[side].is_some_and(|e| dir_differs(&row.held[side], &e.node));
                if differs(Side::Left) || differs(Side::Right) {
                    self.attributes(dir, &item, out);
                } else {
                    self.unchanged(dir, &item, out);
                }
            }
        }
        self.push(dir.child(id, item, pair, Fate::Both));
    }

    fn one_dir(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        out: &mut Vec<Change>,
    ) {
        let Some(item) = Item::new(dir, row, here, Sides::default(), arrival, &self.settings) else { return };
        let missing = if here.left.is_none() { Side::Left } else { Side::Right };
        let was_dir = row.is_some_and(|r| r.kind == Kind::Dir);
        let restores = match &dir.fate {
            Fate::Restore { side } => *side == missing,
            _ => false,
        };
        let mirrors = self.settings.mode != SyncMode::Bidirectional && !restores;
        if mirrors && missing == Side::Left && !was_dir {
            if self.settings.exact && self.settings.mode == SyncMode::Mirror {
                let pair = self.pair_of(&item);
                return self.push(dir.child(id, item, pair, Fate::Remove { on: Side::Right, step: Step::Delete }));
            }
            return self.emit_skip(dir, &item, SkipReason::Untracked, out);
        }
        if was_dir && !restores && !(mirrors && missing == Side::Right) {
            let pair = self.pair_of(&item);
            return self.push(dir.child(id, item, pair, Fate::Vanished { side: missing }));
        }
        if !can_hold(&self.settings.rules[missing], &item.name) {
            return self.emit_skip(dir, &item, SkipReason::NameNotAllowed(missing), out);
        }
        let pair = self.pair_of(&item);
        let fate = if was_dir || restores { Fate::Restore { side: missing } } else { Fate::Both };
        if self.settings.mode == SyncMode::Selective {
            return self.push(dir.child(id, item, pair, Fate::WhenNeeded));
        }
        self.let_go_first(dir, &item, out);
        self.emit_make_dir(dir, &item, pair, missing, ChangeKind::New, out);
        self.push(dir.child(id, item, pair, fate));
    }

    /// Restoring a directory may be interrupted half-way; what is not there yet must not look like a deletion then. So
    /// the ledger lets go of everything in it before the directory is made.
    fn let_go_first(&mut self, dir: &Dir, item: &Item, out: &mut Vec<Change>) {
        let (Fate::Restore { side }, Some(row)) = (&dir.fate, &item.row) else { return };
        if self.settings.mode != SyncMode::Bidirectional
            || item.nodes[*side].is_some()
            || item.nodes[side.other()].is_none()
            || row.parent != dir.pair
        {
            return;
        }
        self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Forget, out);
        if let Some(change) = out.last_mut() {
            change.expect = Sides::new(Expect::Any, Expect::Any);
            change.step = Step::Clear;
        }
    }

    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn leaf(
        &mut self,
        dir: &mut Dir,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        content: Sides<Option<ContentHash>>,
        hashed: Sides<Hashed<'_>>,
        view: &View,
        base: &[Pair],
        out: &mut Vec<Change>,
    ) {
        let nodes = here.map(|e| e.map(|e| &e.node));
        let state = |side: Side| classify(&self.settings, row, nodes[side], side, hashed[side]);
        let mut states = Sides::new(state(Side::Left), state(Side::Right));
        let is_quiet = states.left == State::Same && states.right == State::Same && !self.is_renamed(row, here);
        if is_quiet && arrival.is_none() && self.settings.mode != SyncMode::Selective {
            self.tally.unchanged += 1;
            dir.survives = Sides::new(true, true);
            return;
        }
        if let Fate::Restore { side } = dir.fate
            && here[side].is_none()
            && here[side.other()].is_some()
        {
            states[side.other()] = State::Added;
        }
        let Some(item) = Item::new(dir, row, here, content, arrival, &self.settings) else { return };
        self.let_go_first(dir, &item, out);
        if self.settings.mode == SyncMode::Selective && !self.settings.scope.selects(&item.path) {
            return self.not_selected(dir, &item, &states, out);
        }
        let equal = content_equal(nodes, hashed);
        let verdict = self.rule().decide(&states, equal, || self.later(nodes));
        if !matches!(verdict, Verdict::Skip(_)) {
            let settled = Sides::new(states.left.is_settled(), states.right.is_settled());
            self.emit_move(dir, &item, settled);
        }
        self.carry_out(dir, &item, verdict, view, base, out);
    }

    /// A name changed in place; only on a side that folds names can that be the same item.
    fn is_renamed(&self, row: Option<&Pair>, here: Sides<Option<&Entry>>) -> bool {
        let rules = &self.settings.rules;
        let folds = |r: &super::settings::SideRules| r.case_insensitive || r.unicode_insensitive;
        (folds(&rules.left) || folds(&rules.right))
            && row.is_some_and(|row| Side::BOTH.iter().any(|s| here[*s].is_some_and(|e| e.name != *row.name_on(*s))))
    }

    /// An item that moves to this name on that side needs the place before it is moved.
    fn removal_step(&self, item: &Item, view: &View) -> Step {
        let folding = Folding::of(&self.settings.rules);
        let takes = |a: &Arrival| {
            item.row.as_ref().is_none_or(|r| r.id != a.pair()) && folding.key(a.name()) == folding.key(&item.name)
        };
        let is_taken = view.overlay.as_ref().is_some_and(|o| o.arrivals.iter().any(takes));
        if is_taken { Step::Clear } else { Step::Delete }
    }

    fn carry_out(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        verdict: Verdict,
        view: &View,
        base: &[Pair],
        out: &mut Vec<Change>,
    ) {
        let stay = |dir: &mut Dir| dir.survives = Sides::new(true, true);
        match verdict {
            Verdict::Nothing => {
                self.unchanged(dir, item, out);
                stay(dir);
            }
            Verdict::Record => {
                let pair = self.pair_of(item);
                self.emit_ledger(dir, item, pair, ChangeKind::Unchanged, Action::Record, out);
                stay(dir);
            }
            Verdict::Attributes => {
                self.attributes(dir, item, out);
                stay(dir);
            }
            Verdict::Forget => {
                if let Some(row) = &item.row {
                    self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Forget, out);
                    if self.removal_step(item, view) == Step::Clear
                        && let Some(change) = out.last_mut()
                    {
                        change.expect = Sides::new(Expect::Any, Expect::Any);
                        change.step = Step::Clear;
                    }
                }
            }
            Verdict::Carry { to, archive, kind } => {
                if item.nodes[to].is_none() && !can_hold(&self.settings.rules[to], &item.name) {
                    return self.emit_skip(dir, item, SkipReason::NameNotAllowed(to), out);
                }
                let pair = self.pair_of(item);
                self.emit_transfer(dir, item, pair, kind, to, archive, out);
            }
            Verdict::Remove { on, kind } => {
                let pair = self.pair_of(item);
                let step = self.removal_step(item, view);
                self.emit_delete(dir, item, pair, on, kind, step, out);
                if let Some(change) = out.last_mut().filter(|_| step == Step::Clear) {
                    // The item that replaces it there stands at its name already.
                    change.expect[on.other()] = Expect::Any;
                }
            }
            Verdict::KeepBoth => self.keep_both(dir, item, view, base, out),
            Verdict::Skip(reason) => self.emit_skip(dir, item, reason, out),
        }
    }

    /// Nothing changed but, perhaps, the place, which both sides agree on already or after the move.
    fn unchanged(&mut self, dir: &Dir, item: &Item, out: &mut Vec<Change>) {
        let Some(row) = item.row.as_ref().filter(|_| item.moves.is_none()) else { return };
        if item.was.is_some() || row.parent != dir.pair {
            self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Record, out);
        } else {
            self.tally.unchanged += 1;
        }
    }

    /// The side with the later change, each in its own clock; none inside the tolerance or where a time is missing.
    fn later(&self, nodes: Sides<Option<&Node>>) -> Option<Side> {
        let time = |side: Side| nodes[side].and_then(|n| n.token.mtime).map(Timestamp::as_nanos);
        let (left, right) = (time(Side::Left)?, time(Side::Right)?);
        let rules = &self.settings.rules;
        let precision = rules.left.time_precision_ns.max(rules.right.time_precision_ns);
        let tolerance = i128::from(precision.max(2_000_000_000).max(self.settings.tolerance_ns));
        if (left - right).abs() <= tolerance {
            return None;
        }
        Some(if left > right { Side::Left } else { Side::Right })
    }

    /// The target's version goes aside under a conflict name and comes to the source; the source's takes the name.
    fn keep_both(&mut self, dir: &mut Dir, item: &Item, view: &View, base: &[Pair], out: &mut Vec<Change>) {
        self.set_aside(dir, item, Side::Right, view, base, out);
        let mut arriving = item.clone();
        arriving.nodes.right = None;
        let pair = self.pair_of(item);
        self.follow_next();
        self.emit_transfer(dir, &arriving, pair, ChangeKind::Conflict, Side::Right, false, out);
    }

    /// Renames that side's file to a conflict name and carries it over under that name.
    fn set_aside(&mut self, dir: &mut Dir, item: &Item, side: Side, view: &View, base: &[Pair], out: &mut Vec<Change>) {
        let name = {
            let mut taken = view.taken.borrow_mut();
            let taken = taken.get_or_insert_with(|| self.names_in_use(view, base));
            conflict_name(&item.name, side, &self.settings.stamp, &self.settings.rules, taken)
        };
        let from = item.path_on[side].as_ref().unwrap_or(&item.path).clone();
        let mut nodes = Sides::default();
        nodes[side] = item.nodes[side].clone();
        let mut content = Sides::default();
        content[side] = item.content[side];
        let path = dir.path.join(&name);
        let aside = Item {
            row: None,
            nodes,
            path_on: super::dirs::joined(dir, &name, &Sides::default(), &path),
            real: Sides::default(),
            path,
            name,
            content,
            was: None,
            moves: None,
            is_move_conflict: false,
        };
        let pair = self.new_pair();
        let what = aside.kind_on(side);
        let order = Order { step: Step::Structure, rank: structure_rank(aside.depth(), ASIDE) };
        let action = Action::Move { on: side, from, settled: Sides::new(false, false) };
        self.emit(dir, &aside, pair, ChangeKind::Conflict, what, action, order, 0, out);
        self.follow_next();
        self.emit_transfer(dir, &aside, pair, ChangeKind::Conflict, side.other(), false, out);
    }

    fn names_in_use(&self, view: &View, base: &[Pair]) -> HashSet<Vec<u8>> {
        let folding = Folding::of(&self.settings.rules);
        let listed = view.entries.left.iter().chain(&view.entries.right).map(|e| &e.name);
        let known = base.iter().flat_map(|p| [&p.name, p.name_on(Side::Left), p.name_on(Side::Right)]);
        listed.chain(known).map(|n| folding.key(n).into_owned()).collect()
    }

    /// Selective mode: what is not chosen is let go at the target, provided that the source has it.
    fn not_selected(&mut self, dir: &mut Dir, item: &Item, states: &Sides<State>, out: &mut Vec<Change>) {
        let Some(row) = &item.row else {
            if item.nodes.right.is_some() {
                let source_has_it = item.nodes.left.is_some();
                let reason = if source_has_it { SkipReason::NotSelected } else { SkipReason::Untracked };
                return self.emit_skip(dir, item, reason, out);
            }
            dir.survives.left = true;
            self.tally.skipped += 1;
            return;
        };
        if item.nodes.right.is_none() {
            dir.survives.left |= item.nodes.left.is_some();
            self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Forget, out);
        } else if states.left.is_settled() && states.right.is_settled() {
            self.emit_move(dir, item, Sides::new(true, true));
            dir.survives.left = true;
            let pair = row.id;
            self.emit_delete(dir, item, pair, Side::Right, ChangeKind::Deleted, Step::Delete, out);
        } else {
            self.emit_skip(dir, item, SkipReason::NotReleasable, out);
        }
    }

    /// Permissions and times, each merged three-way on its own; never a conflict of content.
    fn attributes(&mut self, dir: &mut Dir, item: &Item, out: &mut Vec<Change>) {
        let (Some(row), Some(left), Some(right)) = (&item.row, &item.nodes.left, &item.nodes.right) else { return };
        let nodes = Sides::new(left, right);
        let what = left.kind;
        let mut set = Sides::<Metadata>::default();
        if what != Kind::Symlink {
            let mode = nodes.map(|n| n.token.mode);
            let held = row.held.as_ref().map(|h| h.token.mode);
            if let Some((to, value)) = self.merge(mode, held)
                && self.settings.rules[to].mode
            {
                set[to].mode = value;
            }
            if what == Kind::File {
                let mtime = nodes.map(|n| n.token.mtime);
                let held = row.held.as_ref().map(|h| h.token.mtime);
                if let Some((to, value)) = self.merge(mtime, held)
                    && self.settings.rules[to].set_mtime
                {
                    set[to].mtime = value;
                }
            }
        }
        let mut first = true;
        for side in Side::BOTH {
            if set[side] == Metadata::default() {
                continue;
            }
            let order = Order { step: Step::Metadata, rank: u32::MAX - item.depth() };
            let action = Action::SetMetadata { on: side, metadata: set[side] };
            if !first {
                self.follow_next();
            }
            self.emit(dir, item, row.id, ChangeKind::Updated, what, action, order, 0, out);
            if let Some(second) = out.last_mut().filter(|_| !first) {
                // The first half has just changed that side.
                second.expect[side.other()] = Expect::Any;
            }
            first = false;
        }
        if first && item.moves.is_none() {
            self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Record, out);
        }
    }

    /// Which side gets which value of an attribute that changed on either.
    fn merge<T: PartialEq + Copy>(&self, now: Sides<Option<T>>, held: Sides<Option<T>>) -> Option<(Side, Option<T>)> {
        let changed = Sides::new(now.left != held.left, now.right != held.right);
        if !(changed.left || changed.right) || now.left == now.right {
            return None;
        }
        let from = match self.settings.mode {
            SyncMode::Mirror | SyncMode::Selective => Side::Left,
            SyncMode::Bidirectional if changed.left && changed.right => self.rule().winner().unwrap_or(Side::Left),
            SyncMode::Bidirectional if changed.left => Side::Left,
            SyncMode::Bidirectional => Side::Right,
        };
        now[from].map(|value| (from.other(), Some(value)))
    }

    /// A directory against a file or link (rows 19 to 22).
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn clash(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        row: Option<&Pair>,
        arrival: Option<&Arrival>,
        here: Sides<Option<&Entry>>,
        content: Sides<Option<ContentHash>>,
        hashed: Sides<Hashed<'_>>,
        view: &View,
        base: &[Pair],
        out: &mut Vec<Change>,
    ) {
        let Some(item) = Item::new(dir, row, here, content, arrival, &self.settings) else { return };
        let mut item = item;
        item.stay();
        let folder = if now(here.left) == Now::Dir { Side::Left } else { Side::Right };
        let file = folder.other();
        let state = classify(&self.settings, row, item.nodes[file].as_ref(), file, hashed[file]);
        if let State::Unknown(reason) = state {
            return self.emit_skip(dir, &item, SkipReason::Unknown(file, reason), out);
        }
        let was_dir = row.is_some_and(|r| r.kind == Kind::Dir);
        let winner = match self.settings.mode {
            SyncMode::Mirror | SyncMode::Selective => Some(Side::Left),
            // Row 19: the file is as it was, the other side made a directory of it.
            SyncMode::Bidirectional if !was_dir && state.is_settled() => Some(folder),
            SyncMode::Bidirectional => self.rule().winner(),
        };
        let opposed = self.settings.mode == SyncMode::Bidirectional && (was_dir || !state.is_settled());
        if winner == Some(folder) {
            return self.folder_wins(dir, id, item, folder, was_dir, opposed, out);
        }
        if winner == Some(file) || was_dir {
            let pair = row.map_or(PairId(-1), |r| r.id);
            let taken = if self.rule().winner().is_none() { self.names_in_use(view, base) } else { HashSet::new() };
            let clash = Box::new(Clash { item: item.clone(), policy_decides: winner.is_none() || was_dir, taken });
            return self.push(dir.child(id, item, pair, Fate::Probe { on: folder, clash }));
        }
        self.folder_keeps_the_name(dir, id, item, folder, was_dir, view, base, out);
    }

    /// The file goes to the trash of its side and the directory is made there.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn folder_wins(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        item: Item,
        folder: Side,
        was_dir: bool,
        opposed: bool,
        out: &mut Vec<Change>,
    ) {
        let file = folder.other();
        if self.settings.mode == SyncMode::Selective {
            return self.emit_skip(dir, &item, SkipReason::NotReleasable, out);
        }
        let pair = self.pair_of(&item);
        let kind = if opposed { ChangeKind::Conflict } else { ChangeKind::Updated };
        self.emit_delete(dir, &item, pair, file, kind, Step::Clear, out);
        let mut item = item;
        item.nodes[file] = None;
        self.follow_next();
        self.emit_make_dir(dir, &item, pair, file, kind, out);
        let fate = if was_dir { Fate::Restore { side: file } } else { Fate::Both };
        self.push(dir.child(id, item, pair, fate));
    }

    /// Both are kept: the file goes aside.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn folder_keeps_the_name(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        item: Item,
        folder: Side,
        was_dir: bool,
        view: &View,
        base: &[Pair],
        out: &mut Vec<Change>,
    ) {
        let file = folder.other();
        self.set_aside(dir, &item, file, view, base, out);
        let pair = self.pair_of(&item);
        let mut item = item;
        item.nodes[file] = None;
        self.follow_next();
        self.emit_make_dir(dir, &item, pair, file, ChangeKind::Conflict, out);
        let fate = if was_dir { Fate::Restore { side: file } } else { Fate::Both };
        self.push(dir.child(id, item, pair, fate));
    }

    /// Decides a directory against a file once it is known what the directory holds.
    pub(super) fn resolve_clash(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        folder: Side,
        clash: Clash,
        found: Found,
        out: &mut Vec<Change>,
    ) {
        let Clash { item, policy_decides, taken } = clash;
        let was_dir = item.row.as_ref().is_some_and(|r| r.kind == Kind::Dir);
        let mirrors = self.settings.mode != SyncMode::Bidirectional;
        let is_untracked = found.untracked || item.row.is_none();
        let stays = found.blocked || (mirrors && is_untracked && !self.settings.exact);
        if stays {
            // What is unknown, excluded or not ours keeps its directory, and two items cannot have one name.
            return self.emit_skip(dir, &item, SkipReason::NameCollision(folder), out);
        }
        let unopposed = mirrors || (was_dir && !found.changed);
        if !unopposed && policy_decides {
            match self.rule().winner() {
                Some(side) if side == folder => return self.folder_wins(dir, id, item, folder, was_dir, true, out),
                Some(_) => {}
                None => {
                    let view = View {
                        entries: Sides::default(),
                        unlisted: Sides::default(),
                        taken: RefCell::new(Some(taken)),
                        overlay: None,
                    };
                    return self.folder_keeps_the_name(dir, id, item, folder, was_dir, &view, &[], out);
                }
            }
        }
        let pair = self.pair_of(&item);
        let mut gone = item.clone();
        gone.nodes[folder] = None;
        let kind = if unopposed { ChangeKind::Updated } else { ChangeKind::Conflict };
        self.emit_transfer(dir, &gone, pair, kind, folder, false, out);
        self.push(dir.child(id, item, pair, Fate::Remove { on: folder, step: Step::Clear }));
    }
}
