//! The order and the paths of moves.
//!
//! Structure is built top-down in the final tree: when an item is moved, the directory that receives it is in place.
//! Where the name is still held by an item that is moved itself (swaps, chains), that one is lifted first to a
//! temporary name beside it; the lift is the head of its decision and the move to the final place follows it.
//!
//! A temporary name is hidden from every listing. The engine keeps an intent for a lift until its follower is done and
//! leaves the ledger row alone meanwhile, so that a restart finds the item by its intent and finishes the move or takes
//! it back.

use std::collections::{HashMap, HashSet};

use super::change::{Action, Change, ChangeKind, Expect, Step};
use super::dirs::{Dir, structure_rank};
use super::emit::{Item, Order, build};
use super::names::Folding;
use super::reconciler::Reconciler;
use crate::model::{Kind, Name, PairId, RelPath, Side, Sides};
use crate::provider::TEMP_PREFIX;

/// A move that waits for the end of the walk, when every other one is known.
#[derive(Debug)]
pub(super) struct Pending {
    change: Change,
    on: Side,
    real: RelPath,
}

/// Moves of one depth come behind each other.
const FIRST_MOVE: u32 = 1;

impl Reconciler {
    /// The item is moved on `item.moves` to its path.
    pub(super) fn emit_move(&mut self, dir: &mut Dir, item: &Item, settled: Sides<bool>) {
        let (Some(on), Some(row)) = (item.moves, &item.row) else { return };
        let Some(real) = item.real[on].clone() else { return };
        dir.needed[on] = true;
        dir.survives = Sides::new(true, true);
        self.claim(dir, item, on);
        let kind = if item.is_move_conflict { ChangeKind::Conflict } else { ChangeKind::Moved };
        let what = item.kind_on(on.other());
        let action = Action::Move { on, from: RelPath::root(), settled };
        let order = Order { step: Step::Structure, rank: 0 };
        let change = build(dir, item, row.id, kind, what, action, order, 0);
        self.moves.push(Pending { change, on, real });
    }

    /// The item will be made or moved on that side: what stands at its name now and is moved itself has to make room.
    pub(super) fn claim(&mut self, dir: &Dir, item: &Item, on: Side) {
        let Some(at) = &dir.at[on] else { return };
        let name = item.path_on[on].as_ref().and_then(RelPath::name);
        let place = at.join(name.as_ref().unwrap_or(&item.name));
        let folding = Folding::of(&self.settings.rules);
        if let Some(occupant) = self.replay.vacates(folding, on, &place)
            && item.real[on].as_ref().filter(|_| item.moves == Some(on)) != Some(&occupant)
        {
            self.claimed.insert((on, occupant));
        }
    }

    /// Gives out the moves, in an order in which each is possible.
    pub(super) fn emit_moves(&mut self, out: &mut Vec<Change>) {
        let mut moves = std::mem::take(&mut self.moves);
        let claimed: HashSet<(Side, RelPath)> = std::mem::take(&mut self.claimed);
        moves.sort_by(|a, b| {
            (a.on, a.change.path.depth(), &a.change.path).cmp(&(b.on, b.change.path.depth(), &b.change.path))
        });
        for on in Side::BOTH {
            let mut places = Places::default();
            let mut lifts: Vec<_> = moves
                .iter()
                .filter(|m| m.on == on && claimed.contains(&(on, m.real.clone())))
                .map(|m| (m.change.pair, m.real.clone()))
                .collect();
            // The deepest first, so that each is still where it was seen.
            lifts.sort_by(|a, b| (b.1.depth(), &b.1).cmp(&(a.1.depth(), &a.1)));
            let mut lifted: HashMap<PairId, (RelPath, u32)> = HashMap::new();
            for (rank, (pair, real)) in lifts.into_iter().enumerate() {
                let temp = temporary(&real, pair);
                if let Some(name) = temp.name() {
                    places.lifted.insert(real, name);
                }
                lifted.insert(pair, (temp, u32::try_from(rank).unwrap_or(u32::MAX)));
            }
            for (place, pending) in (FIRST_MOVE..).zip(moves.iter().filter(|m| m.on == on)) {
                let mut change = pending.change.clone();
                let lift = lifted.get(&change.pair);
                let now = places.now(&pending.real);
                let final_path = change.path_on(on).clone();
                if change.item == Kind::Dir {
                    places.moved.insert(pending.real.clone(), final_path);
                }
                change.rank = structure_rank(u32::try_from(change.path.depth()).unwrap_or(u32::MAX), place);
                if now == *change.path_on(on) {
                    // The directory that held it brought it here: the ledger alone has to learn its new parent.
                    change.kind = ChangeKind::Unchanged;
                    if let Action::Move { settled: Sides { left: true, right: true }, .. } = change.action {
                        change.action = Action::Record;
                        self.give(change, out);
                    }
                    continue;
                }
                if let Some((temp, rank)) = lift {
                    self.give(lift_of(&change, on, &pending.real, temp, *rank), out);
                    self.follow_next();
                }
                if let Action::Move { from, .. } = &mut change.action {
                    *from = now;
                }
                self.give(change, out);
            }
        }
    }
}

/// The first half of a move through a temporary name.
fn lift_of(change: &Change, on: Side, real: &RelPath, temp: &RelPath, rank: u32) -> Change {
    let mut lift = change.clone();
    lift.parent = change.was.as_ref().map_or(change.parent, |(parent, _)| *parent);
    lift.path_on = Sides::default();
    lift.path_on[on] = Some(temp.clone());
    lift.action = Action::Move { on, from: real.clone(), settled: Sides::new(false, false) };
    lift.expect[on.other()] = Expect::Any;
    lift.rank = structure_rank(0, rank);
    lift
}

fn temporary(real: &RelPath, pair: PairId) -> RelPath {
    let name = [TEMP_PREFIX, format!("move-{}", pair.0).as_bytes()].concat();
    let parent = real.parent().unwrap_or_default();
    Name::new(&name).map_or_else(|| real.clone(), |name| parent.join(&name))
}

/// Where things are on one side, while its moves are done one after the other.
///
/// A moved directory is put into one that is in place already and stays there; a lifted item stands beside its old name
/// and goes with the directory that held it. So the place of anything follows from its nearest moved ancestor.
#[derive(Default)]
struct Places {
    /// Moved directories, by where they were at first.
    moved: HashMap<RelPath, RelPath>,
    /// Lifted items, by where they were at first.
    lifted: HashMap<RelPath, Name>,
}

impl Places {
    /// Where something is now that was there at first.
    fn now(&self, start: &RelPath) -> RelPath {
        let mut beneath: Vec<Name> = Vec::new();
        let mut at = start.clone();
        let mut here = loop {
            if let Some(place) = self.moved.get(&at) {
                break place.clone();
            }
            let (Some(parent), Some(name)) = (at.parent(), at.name()) else { break at };
            beneath.push(self.lifted.get(&at).cloned().unwrap_or(name));
            at = parent;
        };
        while let Some(name) = beneath.pop() {
            here = here.join(&name);
        }
        here
    }
}
