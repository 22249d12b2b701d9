//! Accepted moves, replayed: a walk sees the ledger and the other side as if they were done already, so that beneath a
//! moved directory everything is aligned by name again and the ordinary table applies.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::align::{Slot, align};
use super::change::Unreadable;
use super::names::Folding;
use super::settings::SideRules;
use crate::identity::ContentHash;
use crate::model::{Entry, Name, Node, Pair, PairId, RelPath, Side, Sides};

/// A move that both sides will have.
#[derive(Clone, Debug)]
pub(super) struct Relocation {
    pub(super) row: Pair,
    /// The side whose place the item takes.
    pub(super) side: Side,
    /// Its place there, as it is now.
    pub(super) place: RelPath,
    /// Where the other side has it now, when that is not the same place.
    pub(super) counterpart: Option<Counterpart>,
    /// Both sides moved it, or one move had to be undone.
    pub(super) is_conflict: bool,
}

/// The item on the side where it is to be moved.
#[derive(Clone, Debug)]
pub(super) struct Counterpart {
    pub(super) real: RelPath,
    pub(super) node: Node,
    pub(super) hash: Option<Result<ContentHash, Unreadable>>,
}

/// All accepted moves, by what a directory has to know of them.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) relocations: Vec<Relocation>,
    away: Arc<HashSet<PairId>>,
    arriving: HashMap<(Side, RelPath), Vec<usize>>,
    hidden: Sides<HashMap<RelPath, Vec<Name>>>,
}

impl Replay {
    pub(super) fn of(relocations: Vec<Relocation>) -> Self {
        let away = Arc::new(relocations.iter().map(|r| r.row.id).collect());
        let mut replay = Self { away, ..Self::default() };
        for (i, relocation) in relocations.iter().enumerate() {
            if let Some(parent) = relocation.place.parent() {
                replay.arriving.entry((relocation.side, parent)).or_default().push(i);
            }
            if let Some(counterpart) = &relocation.counterpart
                && let (Some(parent), Some(name)) = (counterpart.real.parent(), counterpart.real.name())
            {
                replay.hidden[relocation.side.other()].entry(parent).or_default().push(name);
            }
        }
        replay.relocations = relocations;
        replay
    }

    /// Whether the row's move is replayed.
    pub(super) fn moves(&self, pair: PairId) -> bool {
        self.away.contains(&pair)
    }

    /// Whether an item that will be moved stands at this place of that side now.
    pub(super) fn vacates(&self, folding: Folding, side: Side, at: &RelPath) -> Option<RelPath> {
        if self.relocations.is_empty() {
            return None;
        }
        let (parent, name) = (at.parent()?, at.name()?);
        let key = folding.key(&name);
        let found = self.hidden[side].get(&parent)?.iter().find(|n| folding.key(n) == key)?;
        Some(parent.join(found))
    }

    /// What a directory at these places has to know; `None` when no move concerns it.
    pub(super) fn of_dir(&self, at: &Sides<Option<RelPath>>) -> Option<Arc<Overlay>> {
        if self.relocations.is_empty() {
            return None;
        }
        let mut overlay = Overlay { away: Arc::clone(&self.away), ..Overlay::default() };
        for side in Side::BOTH {
            let Some(at) = &at[side] else { continue };
            overlay.hidden[side] = self.hidden[side].get(at).cloned().unwrap_or_default();
            for i in self.arriving.get(&(side, at.clone())).into_iter().flatten() {
                let relocation = &self.relocations[*i];
                let Some(name) = relocation.place.name() else { continue };
                overlay.arrivals.push(Arrival::new(relocation, name));
            }
        }
        Some(Arc::new(overlay))
    }
}

/// The moves that concern one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlay {
    away: Arc<HashSet<PairId>>,
    pub(super) hidden: Sides<Vec<Name>>,
    pub(super) arrivals: Vec<Arrival>,
}

/// An item that moves into the directory.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// The ledger row under its new name.
    row: Pair,
    pub(super) was: Name,
    pub(super) side: Side,
    /// As the other side will show it once it is moved there.
    pub(super) counterpart: Option<Counterpart>,
    pub(super) is_conflict: bool,
}

impl Arrival {
    fn new(relocation: &Relocation, name: Name) -> Self {
        let mut row = relocation.row.clone();
        let was = std::mem::replace(&mut row.name, name);
        row.held.left.alias = None;
        row.held.right.alias = None;
        let Relocation { side, counterpart, is_conflict, .. } = relocation.clone();
        Self { row, was, side, counterpart, is_conflict }
    }

    pub(super) fn pair(&self) -> PairId {
        self.row.id
    }

    pub(super) fn name(&self) -> &Name {
        &self.row.name
    }

    /// The side that only shows it here and has it elsewhere.
    pub(super) fn shown_on(&self) -> Option<Side> {
        self.counterpart.as_ref().map(|_| self.side.other())
    }
}

impl Overlay {
    /// The directory as it will be, aligned. An arriving item is bound to its entries by the move, not by name.
    pub(super) fn apply(
        &self,
        rules: &Sides<SideRules>,
        base: &mut Vec<Pair>,
        entries: &mut Sides<Vec<Entry>>,
    ) -> Vec<Slot> {
        base.retain(|p| !self.away.contains(&p.id));
        for side in Side::BOTH {
            if !self.hidden[side].is_empty() {
                entries[side].retain(|e| !self.hidden[side].contains(&e.name));
            }
        }
        let mut arrived = Vec::new();
        for (i, arrival) in self.arrivals.iter().enumerate() {
            let mut take = |side: Side| {
                let found = entries[side].iter().position(|e| e.name == arrival.row.name)?;
                Some(entries[side].swap_remove(found))
            };
            let mut bound = Sides::default();
            bound[arrival.side] = take(arrival.side);
            let other = arrival.side.other();
            bound[other] = match &arrival.counterpart {
                Some(there) => Some(Entry { name: arrival.row.name.clone(), node: there.node.clone() }),
                // Without a counterpart the other side has it at the same place, or lost it.
                None => take(other),
            };
            arrived.push((i, bound));
        }
        let mut slots = align(rules, base, &entries.left, &entries.right);
        for (i, bound) in arrived {
            let mut slot = Slot { row: Some(base.len()), arrival: Some(i), ..Slot::default() };
            base.push(self.arrivals[i].row.clone());
            for (side, entry) in [(Side::Left, bound.left), (Side::Right, bound.right)] {
                if let Some(entry) = entry {
                    slot.at[side] = Some(entries[side].len());
                    entries[side].push(entry);
                }
            }
            slots.push(slot);
        }
        slots
    }
}
