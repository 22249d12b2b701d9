//! The items of one directory, each decided by what it is on either side.

use std::collections::{HashMap, HashSet};

use super::align::Slot;
use super::change::{Action, Change, ChangeKind, Expect, SkipReason, Step, Unreadable};
use super::classify::is_same_version;
use super::dirs::{Dir, DirId, Fate, dir_differs};
use super::reconciler::{DirSeen, Reconciler, View};
use super::spot::Spot;
use super::table::Rule;
use crate::identity::ContentHash;
use crate::model::{Entry, Kind, Name, Pair, Side, Sides, SyncMode};

/// Answers to the wanted hashes of a directory.
pub(super) type Hashes = Sides<HashMap<Name, Result<ContentHash, Unreadable>>>;

/// What is at a name on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Absent,
    Leaf,
    Dir,
    Unsupported,
}

pub(super) fn now(entry: Option<&Entry>) -> Now {
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
        let mut view = View::default();
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
                DirSeen::Absent => unknown = unknown.or(Some((side, "it vanished while it was looked at".into()))),
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
    pub(super) fn report_unknown(&mut self, dir: &mut Dir, side: Side, reason: Unreadable, out: &mut Vec<Change>) {
        dir.survives = Sides::new(true, true);
        if matches!(dir.fate, Fate::Probe { .. }) {
            dir.found.unknown = dir.found.unknown.take().or(Some((side, reason)));
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
            decides: None,
        };
        self.give_in(dir, change, out);
    }

    pub(super) fn decide_all(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        view: &View,
        slots: &[Slot],
        hashes: &Hashes,
        out: &mut Vec<Change>,
    ) {
        let is_probe = matches!(dir.fate, Fate::Probe { .. });
        if !is_probe {
            if dir.has_row {
                self.tally.base += view.base.len() as u64;
            }
            for side in Side::BOTH {
                self.tally.entries[side] += view.entries[side].len() as u64;
            }
        }
        for slot in slots {
            let entry = |side: Side| slot.at[side].map(|i| &view.entries[side][i]);
            let spot = Spot {
                row: slot.row.map(|i| &view.base[i]),
                here: Sides::new(entry(Side::Left), entry(Side::Right)),
                called_on: slot.called_on,
                names: slot.names.as_deref(),
                ..Spot::default()
            };
            self.decide(dir, id, slot, spot, view, hashes, out);
        }
    }

    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn decide<'a>(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        slot: &Slot,
        mut spot: Spot<'a>,
        view: &'a View,
        hashes: &'a Hashes,
        out: &mut Vec<Change>,
    ) {
        if self.is_quiet(dir, &spot, view) {
            self.tally.unchanged += 1;
            dir.survives = Sides::new(true, true);
            return;
        }
        let (row, here) = (spot.row, spot.here);
        let is_excluded = self.is_excluded(dir, row, here);
        let arrival = slot.arrival.and_then(|i| view.overlay.as_ref()?.arrivals.get(i));
        spot.arrival = arrival;
        if !is_excluded && self.collects && arrival.is_none() {
            self.collect(dir, &spot, view);
        }
        if arrival.is_none()
            && let Some(taker) = self.taker(&spot, view)
            && !self.makes_room(row, here)
        {
            self.impossible.insert(taker);
        }
        match &dir.fate {
            Fate::Forget { excluded } => return self.forget(dir, id, &spot, *excluded, out),
            Fate::Probe { .. } => return self.probe(dir, id, &spot, is_excluded),
            Fate::Both | Fate::Restore { .. } | Fate::WhenNeeded | Fate::Vanished { .. } | Fate::Remove { .. } => {}
        }
        if is_excluded {
            for side in Side::BOTH {
                dir.survives[side] |= here[side].is_some();
            }
            return self.forget(dir, id, &spot, true, out);
        }
        if Side::BOTH.iter().any(|s| here[*s].is_none() && view.unlisted[*s].is_some() && dir.at[*s].is_some()) {
            // Reported once for the whole directory.
            dir.survives = Sides::new(true, true);
            self.take_back(row);
            self.tally.skipped += 1;
            return;
        }
        if let Fate::Remove { on, step, .. } = dir.fate {
            return self.remove(dir, id, &spot, on, step, out);
        }
        if slot.is_shadowed && Side::BOTH.iter().all(|s| view.unlisted[*s].is_none()) {
            self.forget(dir, id, &spot, false, out);
            if let Some(change) = self.last_in(dir, out) {
                change.expect = Sides::new(Expect::Any, Expect::Any);
            }
            return;
        }
        let hash = |side: Side| match arrival.filter(|a| a.shown_on() == Some(side)) {
            Some(arrival) => arrival.counterpart.as_ref().and_then(|c| c.hash.as_ref()),
            None => here[side].and_then(|e| hashes[side].get(&e.name)),
        };
        spot.hashed = Sides::new(hash(Side::Left), hash(Side::Right));
        let refused = spot.refused();
        if let Some(side) = Side::BOTH.into_iter().find(|side| row.is_none() && refused[*side]) {
            return self.skip(dir, &spot, SkipReason::NameCollision(side), out);
        }
        let is = here.map(now);
        if is.left == Now::Unsupported || is.right == Now::Unsupported || self.is_link_nowhere_to_go(here) {
            return self.skip(dir, &spot, SkipReason::UnsupportedKind, out);
        }
        let row_is_dir = row.is_some_and(|r| r.kind == Kind::Dir);
        match (is.left, is.right) {
            (Now::Dir, Now::Dir) => self.both_dirs(dir, id, &spot, out),
            (Now::Dir, Now::Absent) | (Now::Absent, Now::Dir) => self.one_dir(dir, id, &spot, out),
            (Now::Dir, Now::Leaf) | (Now::Leaf, Now::Dir) => self.clash(dir, id, &spot, view, out),
            (Now::Absent | Now::Leaf, Now::Absent | Now::Leaf) => {
                if row_is_dir && let Some(item) = spot.item(dir) {
                    let pair = self.pair_of(&item);
                    self.push(dir.child(id, item, pair, Fate::Forget { excluded: false }));
                }
                self.leaf(dir, &spot, view, out);
            }
            (Now::Unsupported, _) | (_, Now::Unsupported) => {}
        }
    }

    /// A file that both sides show as the ledger knows it, in a directory that nothing is special about: nearly every
    /// item of nearly every run.
    fn is_quiet(&self, dir: &Dir, spot: &Spot<'_>, view: &View) -> bool {
        let (Some(row), Some(left), Some(right)) = (spot.row, spot.here.left, spot.here.right) else { return false };
        let is_as_held = |side: Side, entry: &Entry| {
            let held = &row.held[side];
            entry.node.kind == Kind::File
                && !held.racy
                && entry.name == *row.name_on(side)
                && is_same_version(held, &entry.node)
        };
        row.kind == Kind::File
            && matches!(dir.fate, Fate::Both)
            && view.overlay.is_none()
            && !self.settings.checksum
            && self.settings.mode != SyncMode::Selective
            && !self.settings.scope.has_filter()
            && is_as_held(Side::Left, left)
            && is_as_held(Side::Right, right)
    }

    pub(super) fn is_excluded(&self, dir: &Dir, row: Option<&Pair>, here: Sides<Option<&Entry>>) -> bool {
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

    pub(super) fn is_link_nowhere_to_go(&self, here: Sides<Option<&Entry>>) -> bool {
        Side::BOTH
            .iter()
            .any(|s| here[*s].is_some_and(|e| e.node.kind == Kind::Symlink) && !self.settings.rules[s.other()].symlinks)
    }

    fn skip(&mut self, dir: &mut Dir, spot: &Spot<'_>, reason: SkipReason, out: &mut Vec<Change>) {
        if let Some(item) = spot.item(dir) {
            self.emit_skip(dir, &item, reason, out);
        }
    }

    /// Drops the row and those beneath it; touches nothing.
    pub(super) fn forget(&mut self, dir: &mut Dir, id: DirId, spot: &Spot<'_>, excluded: bool, out: &mut Vec<Change>) {
        let Some(row) = spot.row else { return };
        let Some(item) = spot.bare().item(dir) else { return };
        let kind = if excluded { ChangeKind::Skipped } else { ChangeKind::Unchanged };
        let mut detached = item.clone();
        if excluded {
            detached.nodes = Sides::default();
        }
        self.emit_ledger(dir, &item, row.id, kind, Action::Forget, out);
        // Beneath a directory that is let go nothing was looked at, and another may have come to its place.
        let is_blind = excluded || matches!(dir.fate, Fate::Forget { .. });
        if is_blind && let Some(change) = self.last_in(dir, out) {
            change.expect = Sides::new(Expect::Any, Expect::Any);
        }
        if row.kind == Kind::Dir {
            self.push(dir.child(id, detached, row.id, Fate::Forget { excluded }));
        }
    }

    fn both_dirs(&mut self, dir: &mut Dir, id: DirId, spot: &Spot<'_>, out: &mut Vec<Change>) {
        let Some(mut item) = spot.item(dir) else { return };
        let (row, here) = (spot.row, spot.here);
        let pair = self.pair_of(&item);
        let row = row.filter(|r| r.kind == Kind::Dir);
        if row.is_none() {
            // Two new directories, whatever was called so before: each keeps the name it was made under.
            item.stay(dir);
        }
        match row {
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
        let fate = self.fate_of_both(dir, &item);
        self.push(dir.child(id, item, pair, fate));
    }

    fn one_dir(&mut self, dir: &mut Dir, id: DirId, spot: &Spot<'_>, out: &mut Vec<Change>) {
        let Some(item) = spot.item(dir) else { return };
        let (row, here) = (spot.row, spot.here);
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
                return self.push(dir.child(
                    id,
                    item,
                    pair,
                    Fate::Remove { on: Side::Right, step: Step::Delete, replaced: None },
                ));
            }
            // The file of this name is gone from both sides; the directory is another item, which the ledger never knew.
            let stranger = Spot { row: None, ..spot.clone() };
            let stranger = stranger.item(dir).filter(|_| row.is_some() && spot.arrival.is_none());
            if stranger.is_some() {
                self.forget(dir, id, spot, false, out);
            }
            return self.emit_skip(dir, &stranger.unwrap_or(item), SkipReason::Untracked, out);
        }
        if was_dir && !restores && !(mirrors && missing == Side::Right) {
            let pair = self.pair_of(&item);
            return self.push(dir.child(id, item, pair, Fate::Vanished { side: missing }));
        }
        if let Some(reason) = item.refusal(&self.settings, missing) {
            return self.emit_skip(dir, &item, reason, out);
        }
        let pair = self.pair_of(&item);
        let fate = if was_dir || restores { Fate::Restore { side: missing } } else { Fate::Both };
        if self.settings.mode == SyncMode::Selective {
            return self.push(dir.child(id, item, pair, Fate::WhenNeeded));
        }
        self.emit_make_dir(dir, &item, pair, missing, ChangeKind::New, out);
        self.push(dir.child(id, item, pair, fate));
    }

    /// A directory that is made again on one side may be filled only in part: the run is interrupted, or something in it
    /// cannot be read. What is missing then must not look deleted to the next run, so the ledger lets go of everything in
    /// it before the directory is made.
    pub(super) fn let_go_first(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        base: &[Pair],
        view: Option<&View>,
        out: &mut Vec<Change>,
    ) {
        let Fate::Restore { side } = dir.fate else { return };
        // One that is there already was let go of when it was made.
        let is_there = dir.at[side].is_some();
        if is_there || (self.settings.mode != SyncMode::Bidirectional && side == Side::Right) {
            return;
        }
        let there = side.other();
        let listed: HashSet<&Name> =
            view.map(|v| v.entries[there].iter().map(|e| &e.name).collect()).unwrap_or_default();
        let is_unknown = view.is_none_or(|v| v.unlisted[there].is_some());
        for row in base.iter().filter(|row| row.parent == dir.pair) {
            let is_listed = listed.contains(row.name_on(there));
            if !is_listed && !is_unknown {
                continue;
            }
            let Some(item) = Spot::of_row(row).item(dir) else { continue };
            self.emit_ledger(dir, &item, row.id, ChangeKind::Unchanged, Action::Forget, out);
            if let Some(change) = self.last_in(dir, out) {
                change.expect = Sides::new(Expect::Any, Expect::Any);
                change.step = Step::Clear;
            }
            if row.kind == Kind::Dir && !is_listed {
                self.push(dir.child(id, item, row.id, Fate::Forget { excluded: false }));
            }
        }
    }
}
