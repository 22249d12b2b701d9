//! From a decision to changes: paths, preconditions, order, counts.

use super::change::{Action, Change, ChangeKind, Expect, SkipReason, Step};
use super::dirs::{Dir, LAST, joined, structure_rank};
use super::reconciler::Reconciler;
use crate::identity::ContentHash;
use crate::model::{Entry, Kind, Name, Node, Pair, PairId, RelPath, Side, Sides};

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
}

/// When a change is applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) step: Step,
    pub(super) rank: u32,
}

impl Item {
    pub(super) fn new(
        dir: &Dir,
        row: Option<&Pair>,
        here: Sides<Option<&Entry>>,
        content: Sides<Option<ContentHash>>,
    ) -> Option<Self> {
        let name = agreed_name(row, here)?;
        let name_on = Side::BOTH.map(|side| {
            let there = here[side].map(|e| &e.name).or_else(|| row.map(|r| r.name_on(side)));
            there.filter(|there| **there != name).cloned()
        });
        let [left, right] = name_on;
        let name_on = Sides::new(left, right);
        let path = dir.path.join(&name);
        let real = |side: Side| dir.at[side].as_ref().map(|at| at.join(name_on[side].as_ref().unwrap_or(&name)));
        Some(Self {
            row: row.cloned(),
            nodes: here.map(|e| e.map(|e| e.node.clone())),
            path_on: joined(dir, &name, &name_on, &path),
            real: Sides::new(real(Side::Left), real(Side::Right)),
            path,
            name,
            content,
        })
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

/// The ledger's name; for a new item the source's.
fn agreed_name(row: Option<&Pair>, here: Sides<Option<&Entry>>) -> Option<Name> {
    row.map(|r| &r.name).or(here.left.map(|e| &e.name)).or(here.right.map(|e| &e.name)).cloned()
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
        };
        if let Some(row) = &item.row
            && (row.parent != dir.pair || row.name != item.name)
        {
            change.was = Some((row.parent, row.name.clone()));
        }
        self.give(change, out);
    }

    /// The next change belongs to the decision of the one before it.
    pub(super) fn follow_next(&mut self) {
        self.following = true;
    }

    pub(super) fn give(&mut self, mut change: Change, out: &mut Vec<Change>) {
        change.follows = std::mem::take(&mut self.following);
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

    /// Leaves the item alone: it stays wherever it is, and so do the directories that hold it.
    pub(super) fn emit_skip(&mut self, dir: &mut Dir, item: &Item, reason: SkipReason, out: &mut Vec<Change>) {
        for side in Side::BOTH {
            dir.survives[side] |= item.nodes[side].is_some() || matches!(reason, SkipReason::Unknown(..));
        }
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

    /// The ledger's number, or a new one.
    pub(super) fn pair_of(&mut self, item: &Item) -> PairId {
        match &item.row {
            Some(row) => row.id,
            None => self.new_pair(),
        }
    }
}
