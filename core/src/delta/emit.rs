//! From a decision to changes: paths, preconditions, order, counts.

use super::change::{Action, Change, ChangeKind, Expect, SkipReason, Step};
use super::dirs::{Dir, LAST, structure_rank};
use super::reconciler::Reconciler;
use crate::identity::ContentHash;
use crate::model::{Kind, Name, Node, Pair, PairId, RelPath, Side, Sides};

/// An item that is not simply unchanged, with everything that a change says of it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) row: Option<Pair>,
    pub(super) nodes: Sides<Option<Node>>,
    /// Its agreed name once the plan is done.
    pub(super) name: Name,
    pub(super) path: RelPath,
    pub(super) path_on: Sides<Option<RelPath>>,
    /// Where each side has it now, or would have it now.
    pub(super) real: Sides<Option<RelPath>>,
    pub(super) content: Sides<Option<ContentHash>>,
    /// On that side, where it is not, another item has its name.
    pub(super) taken: Sides<bool>,
    /// The ledger's name until now, when that is another.
    pub(super) was: Option<Name>,
    /// The side on which it has to be moved to its path.
    pub(super) moves: Option<Side>,
    /// Both sides moved it.
    pub(super) is_move_conflict: bool,
}

/// When a change is applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) step: Step,
    pub(super) rank: u32,
}

impl Item {
    /// The item where it is, without the move or rename that is due.
    pub(super) fn stay(&mut self, dir: &Dir) {
        let Some(side) = self.moves.take() else { return };
        let Some(real) = self.real[side].clone() else { return };
        let there = match real.name() {
            // The directory that holds it may be moved itself.
            Some(name) if real.parent() == dir.at[side] => dir.on(side).join(&name),
            Some(_) | None => real,
        };
        self.path_on[side] = Some(there).filter(|there| *there != self.path);
    }

    pub(super) fn depth(&self) -> u32 {
        u32::try_from(self.path.depth()).unwrap_or(u32::MAX)
    }

    /// The kind on the side the change comes from.
    pub(super) fn kind_on(&self, side: Side) -> Kind {
        let node = self.nodes[side].as_ref().or(self.nodes[side.other()].as_ref());
        node.map(|n| n.kind).or_else(|| self.row.as_ref().map(|r| r.kind)).unwrap_or(Kind::Other)
    }
}

impl Reconciler {
    #[allow(clippy::too_many_arguments)] // one change with what tells it from others
    pub(super) fn emit(
        &mut self,
        dir: &Dir,
        item: &Item,
        pair: PairId,
        kind: ChangeKind,
        what: Kind,
        action: Action,
        order: Order,
        bytes: u64,
        out: &mut Vec<Change>,
    ) {
        let change = build(dir, item, pair, kind, what, action, order, bytes);
        self.give_in(dir, change, out);
    }

    /// The next change belongs to the decision of the one before it.
    pub(super) fn follow_next(&mut self) {
        self.following = true;
    }

    pub(super) fn give(&mut self, mut change: Change, out: &mut Vec<Change>) {
        change.follows |= std::mem::take(&mut self.following);
        self.tally.add(&change);
        out.push(change);
    }

    #[allow(clippy::too_many_arguments)] // one change with what tells it from others
    pub(super) fn emit_transfer(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        pair: PairId,
        kind: ChangeKind,
        to: Side,
        archive: bool,
        out: &mut Vec<Change>,
    ) {
        let Some(source) = &item.nodes[to.other()] else { return };
        let (what, bytes) = (source.kind, source.token.size);
        dir.needed[to] = true;
        dir.survives = Sides::new(true, true);
        let mut item = item.clone();
        item.content[to] = None;
        let order = Order { step: Step::Transfer, rank: item.depth() };
        self.emit(dir, &item, pair, kind, what, Action::Transfer { to, archive }, order, bytes, out);
    }

    /// Leaves the item alone, unless a person has decided about it: it stays wherever it is, and so do the directories
    /// that hold it.
    pub(super) fn emit_skip(&mut self, dir: &mut Dir, item: &Item, reason: SkipReason, out: &mut Vec<Change>) {
        if self.carry_decision(dir, item, &reason, out) {
            return;
        }
        for side in Side::BOTH {
            dir.survives[side] |= item.nodes[side].is_some() || matches!(reason, SkipReason::Unknown(..));
        }
        self.take_back(item.row.as_ref());
        let pair = self.pair_of(item);
        let what = item.kind_on(Side::Left);
        let order = Order { step: Step::Report, rank: 0 };
        self.emit(dir, item, pair, ChangeKind::Skipped, what, Action::Skip(reason), order, 0, out);
    }

    pub(super) fn emit_ledger(
        &mut self,
        dir: &Dir,
        item: &Item,
        pair: PairId,
        kind: ChangeKind,
        action: Action,
        out: &mut Vec<Change>,
    ) {
        let what = item.kind_on(Side::Left);
        // The row of a directory comes before the rows of what is carried into it.
        let order = if what == Kind::Dir && action == Action::Record {
            Order { step: Step::Structure, rank: structure_rank(item.depth(), LAST) }
        } else {
            Order { step: Step::Ledger, rank: 0 }
        };
        self.emit(dir, item, pair, kind, what, action, order, 0, out);
    }

    /// An item that is left alone keeps its row, and that one keeps its place: the item cannot have been moved.
    pub(super) fn take_back(&mut self, row: Option<&Pair>) {
        if let Some(row) = row.filter(|row| self.replay.moves(row.id)) {
            self.impossible.insert(row.id);
        }
    }

    /// The ledger's number, or a new one.
    pub(super) fn pair_of(&mut self, item: &Item) -> PairId {
        match &item.row {
            Some(row) => row.id,
            None => self.new_pair(),
        }
    }
}

/// The change that says this of the item.
#[allow(clippy::too_many_arguments)] // one change with what tells it from others
pub(super) fn build(
    dir: &Dir,
    item: &Item,
    pair: PairId,
    kind: ChangeKind,
    what: Kind,
    action: Action,
    order: Order,
    bytes: u64,
) -> Change {
    let mut change = Change {
        pair,
        parent: dir.pair,
        was: None,
        path: item.path.clone(),
        path_on: item.path_on.clone(),
        kind,
        item: what,
        action,
        step: order.step,
        rank: order.rank,
        bytes,
        expect: item.nodes.as_ref().map(|n| n.clone().map_or(Expect::Absent, Expect::Node)),
        content: item.content.left.or(item.content.right).filter(|_| what != Kind::Dir),
        follows: false,
        decides: None,
    };
    if let Some(row) = &item.row
        && (row.parent != dir.pair || item.was.is_some())
    {
        change.was = Some((row.parent, item.was.clone().unwrap_or_else(|| row.name.clone())));
    }
    if order.step == Step::Clear {
        // Before anything is moved, and therefore where everything is now.
        for side in Side::BOTH {
            match &item.real[side] {
                Some(real) => change.path_on[side] = Some(real.clone()).filter(|real| *real != change.path),
                None => change.expect[side] = Expect::Any,
            }
        }
    }
    change
}
