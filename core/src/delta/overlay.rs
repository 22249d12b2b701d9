//! Accepted moves, replayed: a walk sees the ledger and the other side as if they were done already, so that beneath a
//! moved directory everything is aligned by name again and the ordinary table applies.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::align::{Aligned, Slot, align};
use super::change::Unreadable;
use super::names::Folding;
use super::naming::{Listed, name_items};
use super::settings::Settings;
use crate::identity::ContentHash;
use crate::model::{Entry, Name, Node, Pair, PairId, RelPath, Side, Sides};

/// A move that both sides will have.
#[derive(Clone, Debug)]
pub(super) struct Relocation {
    /// The ledger row under its new name, and with the other name that a side has it under at the new place.
    pub(super) row: Pair,
    /// The ledger's name until now.
    pub(super) was: Name,
    /// The side whose place the item takes.
    pub(super) side: Side,
    /// Its place there, as it is now.
    pub(super) place: RelPath,
    /// What each side calls it there now.
    pub(super) stands: Sides<Option<Name>>,
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

    /// The item that will be moved and stands at this place of that side now.
    pub(super) fn vacates(&self, folding: Folding, side: Side, at: &RelPath) -> Option<RelPath> {
        if self.relocations.is_empty() {
            return None;
        }
        let (parent, name) = (at.parent()?, at.name()?);
        let key = folding.key(&name);
        let hidden = self.hidden[side].get(&parent)?;
        // A side that tells cases apart may have several of one key.
        let found = hidden.iter().find(|n| **n == name).or_else(|| hidden.iter().find(|n| folding.key(n) == key))?;
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
                overlay.arrivals.push(Arrival::of(&self.relocations[*i]));
            }
        }
        // Whichever side they come from: names are given in this order.
        overlay.arrivals.sort_by_key(Arrival::pair);
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
    stands: Sides<Option<Name>>,
    /// As the other side will show it once it is moved there.
    pub(super) counterpart: Option<Counterpart>,
    pub(super) is_conflict: bool,
}

impl Arrival {
    fn of(relocation: &Relocation) -> Self {
        let Relocation { row, was, side, stands, counterpart, is_conflict, .. } = relocation.clone();
        Self { row, was, side, stands, counterpart, is_conflict }
    }

    pub(super) fn pair(&self) -> PairId {
        self.row.id
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
        settings: &Settings,
        base: &mut Vec<Pair>,
        entries: &mut Sides<Vec<Entry>>,
        partial: Sides<bool>,
    ) -> Aligned {
        base.retain(|p| !self.away.contains(&p.id));
        for side in Side::BOTH {
            if !self.hidden[side].is_empty() {
                entries[side].retain(|e| !self.hidden[side].contains(&e.name));
            }
        }
        let mut arrived = Vec::new();
        for arrival in &self.arrivals {
            let mut take = |side: Side| {
                let found = entries[side].iter().position(|e| Some(&e.name) == arrival.stands[side].as_ref())?;
                Some(entries[side].swap_remove(found))
            };
            arrived.push(Sides::new(Side::Left, Side::Right).map(&mut take));
        }
        let mut slots = align(settings, base, entries.as_ref().map(|entries| &entries[..]), partial);
        for (i, (arrival, mut bound)) in self.arrivals.iter().zip(arrived).enumerate() {
            if let Some(there) = &arrival.counterpart {
                let other = arrival.side.other();
                bound[other] = Some(Entry { name: arrival.row.name_on(other).clone(), node: there.node.clone() });
            }
            let mut slot = Slot { row: Some(base.len()), arrival: Some(i), ..Slot::default() };
            base.push(arrival.row.clone());
            for (side, entry) in [(Side::Left, bound.left), (Side::Right, bound.right)] {
                if let Some(entry) = entry {
                    slot.at[side] = Some(entries[side].len());
                    entries[side].push(entry);
                }
            }
            slots.push(slot);
        }
        let entries_now = entries.as_ref().map(|entries| &entries[..]);
        let listed = Listed { base, entries: entries_now, partial, overlay: Some(self) };
        let in_use = name_items(settings, listed, &mut slots);
        // From here on an arriving item has the names that it was given.
        for slot in slots.iter().filter(|slot| slot.arrival.is_some()) {
            let (Some(row), Some(names)) = (slot.row.map(|i| &mut base[i]), &slot.names) else { continue };
            row.name = names.agreed.clone();
            for side in Side::BOTH {
                row.held[side].alias = Some(names.on[side].clone()).filter(|name| *name != row.name);
                if let Some(i) = slot.at[side] {
                    entries[side][i].name = names.on[side].clone();
                }
            }
        }
        Aligned { slots, in_use }
    }
}
