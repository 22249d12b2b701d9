//! What became of a planned change, and what the ledger is to say of it.

use std::time::Duration;

use crate::delta::{Action, Change, Expect};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Held, Kind, Name, Node, Pair, PairId, RelPath, Side, Sides, Timestamp};
use crate::operation::plan::Planned;
use crate::volume::Kept;

/// A planned change after its effect.
pub(crate) struct Outcome {
    pub(crate) planned: Planned,
    pub(crate) result: Result<Done>,
}

/// What is there after an effect, as far as the effect showed it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// What a side shows now; `None`: what the plan expected there still stands.
    pub(crate) now: Sides<Option<Node>>,
    /// The content that was carried.
    pub(crate) content: Option<ContentHash>,
    /// Bytes that were carried.
    pub(crate) bytes: u64,
    /// What was overwritten, where the volume keeps that.
    pub(crate) kept: Option<Kept>,
}

/// What the ledger is to do for a change that was done.
pub(crate) enum Entry {
    /// Write the row, after removing the row of the old key.
    Put(Pair, Option<(PairId, Name)>),
    /// Give the row of the old key a new place with these aliases there, and the sides that are `Some` a fresh look.
    Replace {
        old: (PairId, Name),
        id: PairId,
        parent: PairId,
        name: Name,
        alias: Sides<Option<Name>>,
        fresh: Sides<Option<Held>>,
    },
    /// Remove the row.
    Remove { parent: PairId, name: Name, id: PairId },
    /// Nothing: a step of a swap, or a report.
    Nothing,
}

/// The time of an observation and how finely a side's times tell changes apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    /// What the clock that never goes back showed when the time was taken.
    pub(crate) taken: Duration,
    pub(crate) precision_ns: Sides<u64>,
}

/// No clock that stamps files ticks more slowly than this, whatever precision it writes (Linux: one jiffy, 10 ms at
/// most). Doubled for the time between reading the clock and looking at the file.
const TICK_NS: i128 = 20_000_000;

impl Seen {
    /// Notices that the time of day was set back since it was taken: what was written and observed after that bears
    /// times of before.
    pub(crate) fn look_at_clock(&mut self, now: Timestamp, elapsed: Duration) {
        let as_if_taken = now.as_nanos() - elapsed.saturating_sub(self.taken).as_nanos() as i128;
        if as_if_taken < self.at.as_nanos() {
            self.at = Timestamp::from_nanos(as_if_taken);
        }
    }

    /// A file modified within the clock's granularity of the observation could be modified again without its times
    /// showing it: it is hashed next time.
    fn is_racy(&self, side: Side, node: &Node) -> bool {
        let tick = i128::from(self.precision_ns[side]).max(TICK_NS);
        match node.kind {
            Kind::File => node.token.mtime.is_some_and(|m| (self.at.as_nanos() - m.as_nanos()) <= tick),
            Kind::Dir | Kind::Symlink | Kind::NativeDoc | Kind::Other => false,
        }
    }

    fn held(&self, side: Side, node: &Node, alias: Option<Name>) -> Held {
        let racy = self.is_racy(side, node);
        Held { ident: node.ident.clone(), token: node.token.clone(), alias, racy, verified: false }
    }
}

/// What the ledger is to say after `change` was done.
pub(crate) fn entry(change: &Change, done: &Done, seen: Seen) -> Result<Entry> {
    let Some(name) = change.path.name() else {
        return Err(defect(change, "the root is no change"));
    };
    let key = || change.was.clone().unwrap_or((change.parent, name.clone()));
    match &change.action {
        Action::Skip(_) => Ok(Entry::Nothing),
        Action::Delete { .. } | Action::Forget => {
            let (parent, name) = key();
            Ok(Entry::Remove { parent, name, id: change.pair })
        }
        Action::Move { settled, .. } => {
            if is_swap_step(change) {
                return Ok(Entry::Nothing);
            }
            let fresh = |side: Side| {
                settled[side]
                    .then(|| node_on(change, done, side).map(|n| seen.held(side, n, alias(change, side, &name))))
                    .flatten()
            };
            let fresh = Sides::new(fresh(Side::Left), fresh(Side::Right));
            let alias = Sides::new(alias(change, Side::Left, &name), alias(change, Side::Right, &name));
            Ok(Entry::Replace { old: key(), id: change.pair, parent: change.parent, name, alias, fresh })
        }
        Action::MakeDir { .. } | Action::Transfer { .. } | Action::SetMetadata { .. } | Action::Record => {
            let node = |side| node_on(change, done, side).ok_or_else(|| defect(change, "a side was not looked at"));
            let (left, right) = (node(Side::Left)?, node(Side::Right)?);
            let held = Sides::new(
                seen.held(Side::Left, left, alias(change, Side::Left, &name)),
                seen.held(Side::Right, right, alias(change, Side::Right, &name)),
            );
            let pair = Pair {
                id: change.pair,
                parent: change.parent,
                name: name.clone(),
                kind: left.kind,
                content: done.content.or(change.content),
                held,
            };
            Ok(Entry::Put(pair, change.was.clone()))
        }
    }
}

/// Whether the change moves an item to a temporary name, to make room for another: the ledger learns of it when the
/// second half of the move is done.
pub(crate) fn is_swap_step(change: &Change) -> bool {
    match &change.action {
        Action::Move { on, .. } => {
            change.path_on(*on).name().is_some_and(|name| crate::provider::is_reserved(name.as_bytes()))
        }
        Action::MakeDir { .. }
        | Action::Transfer { .. }
        | Action::SetMetadata { .. }
        | Action::Delete { .. }
        | Action::Record
        | Action::Forget
        | Action::Skip(_) => false,
    }
}

fn node_on<'a>(change: &'a Change, done: &'a Done, side: Side) -> Option<&'a Node> {
    done.now[side].as_ref().or(match &change.expect[side] {
        Expect::Node(node) => Some(node),
        Expect::Absent | Expect::Any => None,
    })
}

fn alias(change: &Change, side: Side, name: &Name) -> Option<Name> {
    change.path_on[side].as_ref().and_then(RelPath::name).filter(|other| other != name)
}

fn defect(change: &Change, reason: &'static str) -> Error {
    Error::new(Code::Internal, "record", &change.path).because(reason)
}
