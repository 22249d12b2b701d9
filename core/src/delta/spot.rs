//! One place of a directory: what the ledger and both sides have there, and what the item there is called on each side.

use super::change::SkipReason;
use super::classify::Hashed;
use super::dirs::{Dir, joined};
use super::emit::Item;
use super::names::can_hold;
use super::naming::Names;
use super::overlay::Arrival;
use super::settings::Settings;
use crate::model::{Entry, Name, Pair, Side, Sides};

/// One place of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot<'a> {
    pub(super) row: Option<&'a Pair>,
    /// The move that brings the item here.
    pub(super) arrival: Option<&'a Arrival>,
    pub(super) here: Sides<Option<&'a Entry>>,
    /// The answers to the wanted hashes.
    pub(super) hashed: Sides<Hashed<'a>>,
    /// New to the ledger, under another name on each side: that side's name is the agreed one.
    pub(super) called_on: Option<Side>,
    /// What it is called, where that is not the same everywhere.
    pub(super) names: Option<&'a Names>,
}

impl<'a> Spot<'a> {
    /// The row alone.
    pub(super) fn of_row(row: &'a Pair) -> Self {
        Self { row: Some(row), ..Self::default() }
    }

    /// Without its contents and the move that brings it.
    pub(super) fn bare(&self) -> Self {
        Self { row: self.row, here: self.here, names: self.names, ..Self::default() }
    }

    /// Its agreed name once the plan is done.
    pub(super) fn name(&self) -> Option<&'a Name> {
        let there = |side: Side| self.here[side].map(|e| &e.name);
        let given = self.names.map(|names| &names.agreed);
        given.or(self.row.map(|r| &r.name)).or(there(Side::Left)).or(there(Side::Right))
    }

    /// What the side calls it once the plan is done, or would call it.
    pub(super) fn name_on(&self, side: Side) -> Option<&'a Name> {
        let given = self.names.map(|names| &names.on[side]);
        given.or(self.here[side].map(|e| &e.name)).or(self.row.map(|r| r.name_on(side))).or(self.name())
    }

    /// On that side, where it is not, another item has the name that it would get.
    pub(super) fn taken(&self) -> Sides<bool> {
        self.names.map_or(Sides::new(false, false), |names| names.taken)
    }

    /// … and it is given no other.
    pub(super) fn refused(&self) -> Sides<bool> {
        self.names.map_or(Sides::new(false, false), |names| names.refused)
    }

    /// The ledger knows it under another name.
    pub(super) fn is_renamed(&self) -> bool {
        self.row.is_some_and(|row| {
            let is_new = |side: &Side| self.here[*side].is_some_and(|e| e.name != *row.name_on(*side));
            self.name() != Some(&row.name) || Side::BOTH.iter().any(is_new)
        })
    }

    /// The item, unless nothing is there.
    pub(super) fn item(&self, dir: &Dir) -> Option<Item> {
        let (row, name) = (self.row, self.name()?.clone());
        let path = dir.path.join(&name);
        let name_on = |side: Side| self.name_on(side).filter(|there| **there != name).cloned();
        let real = |side: Side| {
            let now = self.here[side].map(|e| &e.name).or(self.name_on(side))?;
            dir.at[side].as_ref().map(|at| at.join(now))
        };
        let mut item = Item {
            row: row.cloned(),
            nodes: self.here.map(|e| e.map(|e| e.node.clone())),
            path_on: joined(dir, &name, &Sides::new(name_on(Side::Left), name_on(Side::Right)), &path),
            real: Sides::new(real(Side::Left), real(Side::Right)),
            path,
            was: row.map(|r| r.name.clone()).filter(|was| *was != name),
            name,
            content: self.hashed.map(|h| h.and_then(|h| h.as_ref().ok()).copied()),
            taken: self.refused(),
            moves: self.names.and_then(|names| names.moves),
            is_move_conflict: self.names.is_some_and(|names| names.is_conflict),
        };
        if let Some(arrival) = self.arrival {
            item.was = Some(arrival.was.clone()).filter(|was| *was != item.name);
            item.is_move_conflict = arrival.is_conflict;
            if let Some(counterpart) = &arrival.counterpart {
                let other = arrival.side.other();
                item.real[other] = Some(counterpart.real.clone());
                item.moves = Some(other);
            }
        }
        Some(item)
    }
}

impl Item {
    /// Why that side, which does not have the item yet, cannot have it under the name it is to get there.
    pub(super) fn refusal(&self, settings: &Settings, side: Side) -> Option<SkipReason> {
        if self.nodes[side].is_some() {
            return None;
        }
        if self.taken[side] {
            return Some(SkipReason::NameCollision(side));
        }
        let there = self.path_on[side].as_ref().and_then(crate::model::RelPath::name);
        let holds = can_hold(&settings.rules[side], there.as_ref().unwrap_or(&self.name));
        (!holds).then_some(SkipReason::NameNotAllowed(side))
    }
}
