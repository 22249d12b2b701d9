//! Files and links: from the table's verdict to changes; attributes, conflict copies, releases.

use std::cell::RefMut;
use std::collections::HashSet;

use super::change::{Action, Change, ChangeKind, Expect, Metadata, SkipReason, Step};
use super::classify::{State, classify, content_equal};
use super::dirs::{ASIDE, Dir, Fate, structure_rank};
use super::emit::{Item, Order};
use super::names::{Folding, conflict_name};
use super::naming::{Listed, names_in_use};
use super::reconciler::{Reconciler, View};
use super::spot::Spot;
use super::table::Verdict;
use super::vanished::Arriving;
use crate::model::{Kind, Node, RelPath, Side, Sides, SyncMode, Timestamp};

impl Reconciler {
    pub(super) fn leaf(&mut self, dir: &mut Dir, spot: &Spot<'_>, view: &View, out: &mut Vec<Change>) {
        let (row, here, hashed) = (spot.row, spot.here, spot.hashed);
        let nodes = here.map(|e| e.map(|e| &e.node));
        let state = |side: Side| classify(&self.settings, row, nodes[side], side, hashed[side]);
        let mut states = Sides::new(state(Side::Left), state(Side::Right));
        for side in Side::BOTH {
            if row.is_some_and(|row| self.is_still_suspect(dir, &row.name, side, nodes[side])) {
                states[side] = State::Suspect;
            }
        }
        let is_quiet = states.left == State::Same && states.right == State::Same && !spot.is_renamed();
        if is_quiet && spot.arrival.is_none() && self.settings.mode != SyncMode::Selective {
            self.tally.unchanged += 1;
            dir.survives = Sides::new(true, true);
            return;
        }
        let mut restored = None;
        if let Fate::Restore { side } = dir.fate
            && here[side].is_none()
            && here[side.other()].is_some()
        {
            states[side.other()] = State::Added;
            restored = Some(Verdict::Carry { to: side, archive: false, kind: ChangeKind::New });
        }
        let Some(item) = spot.item(dir) else { return };
        if self.settings.mode == SyncMode::Selective && !self.settings.scope.selects(&item.path) {
            return self.not_selected(dir, &item, &states, out);
        }
        let equal = content_equal(nodes, hashed);
        let verdict = restored.unwrap_or_else(|| self.rule().decide(&states, equal, || self.later(nodes)));
        if !matches!(verdict, Verdict::Skip(_)) {
            let settled = Sides::new(states.left.is_settled(), states.right.is_settled());
            self.emit_move(dir, &item, settled);
        }
        self.carry_out(dir, &item, verdict, view, out);
    }

    /// An item that moves to this name on that side needs the place before it is moved.
    pub(super) fn removal_step(&self, item: &Item, view: &View) -> Step {
        let folding = Folding::of(&self.settings.rules);
        let takes = |a: &Arriving| {
            let name = item.path_on[a.on].as_ref().and_then(RelPath::name);
            let key = folding.key(name.as_ref().unwrap_or(&item.name)).into_owned();
            item.row.as_ref().is_none_or(|r| r.id != a.pair) && a.key == key
        };
        let is_taken = view.arriving.iter().any(takes);
        if is_taken { Step::Clear } else { Step::Delete }
    }

    pub(super) fn carry_out(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        verdict: Verdict,
        view: &View,
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
                    let step = self.removal_step(item, view);
                    if let Some(change) = self.last_in(dir, out) {
                        // What has its name now, or gets it meanwhile, is another item.
                        change.expect = Sides::new(Expect::Any, Expect::Any);
                        if step == Step::Clear {
                            change.step = step;
                        }
                    }
                }
            }
            Verdict::Carry { to, archive, kind } => {
                if let Some(reason) = item.refusal(&self.settings, to) {
                    return self.emit_skip(dir, item, reason, out);
                }
                let pair = self.pair_of(item);
                self.emit_transfer(dir, item, pair, kind, to, archive, out);
            }
            Verdict::Remove { on, kind } => {
                let pair = self.pair_of(item);
                let step = self.removal_step(item, view);
                self.emit_delete(dir, item, pair, on, kind, step, out);
                if step == Step::Clear
                    && let Some(change) = self.last_in(dir, out)
                {
                    // The item that replaces it there stands at its name already.
                    change.expect[on.other()] = Expect::Any;
                }
            }
            Verdict::KeepBoth => self.keep_both(dir, item, view, out),
            Verdict::Skip(reason) => self.emit_skip(dir, item, reason, out),
        }
    }

    /// Nothing changed but, perhaps, the place, which both sides agree on already or after the move.
    pub(super) fn unchanged(&mut self, dir: &Dir, item: &Item, out: &mut Vec<Change>) {
        let Some(row) = item.row.as_ref().filter(|_| item.moves.is_none()) else { return };
        let name =
            |side: Side| item.path_on[side].as_ref().and_then(RelPath::name).unwrap_or_else(|| item.name.clone());
        let is_called = |side: Side| item.nodes[side].is_none() || name(side) == *row.name_on(side);
        if item.was.is_some() || row.parent != dir.pair || !Side::BOTH.into_iter().all(is_called) {
            self.emit_ledger(dir, item, row.id, ChangeKind::Unchanged, Action::Record, out);
        } else {
            self.tally.unchanged += 1;
        }
    }

    /// The side with the later change, each in its own clock; none inside the tolerance or where a time is missing.
    pub(super) fn later(&self, nodes: Sides<Option<&Node>>) -> Option<Side> {
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
    pub(super) fn keep_both(&mut self, dir: &mut Dir, item: &Item, view: &View, out: &mut Vec<Change>) {
        self.set_aside(dir, item, Side::Right, view, out);
        let mut arriving = item.clone();
        arriving.nodes.right = None;
        let pair = self.pair_of(item);
        self.follow_next();
        self.emit_transfer(dir, &arriving, pair, ChangeKind::Conflict, Side::Right, false, out);
    }

    /// Renames that side's file to a conflict name and carries it over under that name.
    pub(super) fn set_aside(&mut self, dir: &mut Dir, item: &Item, side: Side, view: &View, out: &mut Vec<Change>) {
        let name = {
            let mut taken = self.names_taken(view);
            conflict_name(&item.name, side, &self.settings.stamp, &self.settings.rules, &mut taken)
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
            taken: Sides::default(),
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

    /// Names that nothing new in the directory may get: whatever is there, is known or is planned.
    pub(super) fn names_taken<'v>(&self, view: &'v View) -> RefMut<'v, HashSet<Vec<u8>>> {
        let in_use = || {
            let entries = view.entries.as_ref().map(|entries| &entries[..]);
            let partial = view.unlisted.as_ref().map(Option::is_some);
            names_in_use(
                &self.settings,
                Listed { base: &view.base, entries, partial, overlay: view.overlay.as_deref() },
            )
        };
        RefMut::map(view.taken.borrow_mut(), |taken| taken.get_or_insert_with(in_use))
    }

    /// Selective mode: what is not chosen is let go at the target, provided that the source has it.
    pub(super) fn not_selected(&mut self, dir: &mut Dir, item: &Item, states: &Sides<State>, out: &mut Vec<Change>) {
        dir.released |= item.nodes.left.is_some() && item.nodes.right.is_none();
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
            dir.released = true;
            self.emit_delete(dir, item, pair, Side::Right, ChangeKind::Deleted, Step::Delete, out);
        } else {
            self.emit_skip(dir, item, SkipReason::NotReleasable, out);
        }
    }

    /// Permissions and times, each merged three-way on its own; never a conflict of content.
    pub(super) fn attributes(&mut self, dir: &mut Dir, item: &Item, out: &mut Vec<Change>) {
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
            if !first && let Some(second) = self.last_in(dir, out) {
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
    pub(super) fn merge<T: PartialEq + Copy>(
        &self,
        now: Sides<Option<T>>,
        held: Sides<Option<T>>,
    ) -> Option<(Side, Option<T>)> {
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
}
