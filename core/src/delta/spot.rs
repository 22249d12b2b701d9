//! One place of a directory: what the ledger and both sides have there, and what the item there is called on each side.

use super::change::SkipReason;
use super::classify::Hashed;
use super::dirs::{Dir, joined};
use super::emit::Item;
use super::names::{alias_of, can_hold};
use super::overlay::Arrival;
use super::reconciler::{Reconciler, View};
use super::settings::Settings;
use crate::model::{ConflictPolicy, Entry, Name, NameClash, Pair, Side, Sides, SyncMode};

/// One place of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot<'a> {
    pub(super) row: Option<&'a Pair>,
    /// The move that brings the item here.
    pub(super) arrival: Option<&'a Arrival>,
    pub(super) here: Sides<Option<&'a Entry>>,
    /// The answers to the wanted hashes.
    pub(super) hashed: Sides<Hashed<'a>>,
    /// On that side, where it is not, another item has its name.
    pub(super) taken: Sides<bool>,
    /// It has another name than it had, and no side may take it over.
    pub(super) keeps_names: bool,
    /// New to the ledger, under another name on each side: that side's name is the agreed one.
    pub(super) called_on: Option<Side>,
    /// The name it is given on a side that cannot have its own.
    pub(super) alias: Option<Alias>,
}

/// A name for one side.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) on: Side,
    pub(super) name: Name,
    /// Another item of the directory has the agreed name: this one becomes it, and the item's own name is what the other
    /// side calls it.
    pub(super) is_agreed: bool,
}

impl<'a> Spot<'a> {
    /// The row alone.
    pub(super) fn of_row(row: &'a Pair) -> Self {
        Self { row: Some(row), ..Self::default() }
    }

    /// Without its contents and the move that brings it.
    pub(super) fn bare(&self) -> Self {
        Self {
            row: self.row,
            here: self.here,
            keeps_names: self.keeps_names,
            called_on: self.called_on,
            alias: self.alias.clone(),
            ..Self::default()
        }
    }

    /// Its agreed name until now, or the one that a new item has.
    pub(super) fn name(&self) -> Option<&'a Name> {
        let first = self.called_on.unwrap_or(Side::Left);
        let there = |side: Side| self.here[side].map(|e| &e.name);
        self.row.map(|r| &r.name).or(there(first)).or(there(first.other()))
    }

    /// The item, unless nothing is there.
    pub(super) fn item(&self, dir: &Dir, settings: &Settings) -> Option<Item> {
        let (row, here) = (self.row, self.here);
        let mut renamed = if self.keeps_names { Renamed::default() } else { renamed(row, here, settings) };
        if self.arrival.is_some() {
            renamed.moves = None;
        }
        let mut name = match &renamed.name {
            Some(name) => (*name).clone(),
            None => self.name()?.clone(),
        };
        if let Some(alias) = self.alias.as_ref().filter(|alias| alias.is_agreed) {
            name = alias.name.clone();
        }
        let there = |side: Side| {
            let there = here[side].map(|e| &e.name).or_else(|| match &self.alias {
                Some(alias) if alias.on == side => Some(&alias.name),
                Some(_) | None => row.map(|r| r.name_on(side)),
            });
            there.filter(|there| **there != name).cloned()
        };
        let now_on = Sides::new(there(Side::Left), there(Side::Right));
        let mut name_on = now_on.clone();
        if let Some(side) = renamed.moves {
            name_on[side] = None;
        }
        for side in Side::BOTH {
            // A name that nothing has any more is no alias.
            let is_given = self.alias.as_ref().is_some_and(|alias| alias.on == side);
            if here[side].is_none() && renamed.name.is_some() && !is_given {
                name_on[side] = None;
            }
        }
        let path = dir.path.join(&name);
        let real = |side: Side| dir.at[side].as_ref().map(|at| at.join(now_on[side].as_ref().unwrap_or(&name)));
        let is_given = |side: Side| self.alias.as_ref().is_some_and(|alias| alias.on == side);
        let mut item = Item {
            row: row.cloned(),
            nodes: here.map(|e| e.map(|e| e.node.clone())),
            path_on: joined(dir, &name, &name_on, &path),
            real: Sides::new(real(Side::Left), real(Side::Right)),
            path,
            was: row.map(|r| r.name.clone()).filter(|was| *was != name),
            name,
            content: self.hashed.map(|h| h.and_then(|h| h.as_ref().ok()).copied()),
            taken: Sides::new(self.taken.left && !is_given(Side::Left), self.taken.right && !is_given(Side::Right)),
            moves: renamed.moves,
            is_move_conflict: renamed.is_conflict,
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

impl Reconciler {
    /// The name the item gets on the side that lacks it and cannot have its own, where the conduit wants that.
    pub(super) fn alias(&self, spot: &Spot<'_>, view: &View) -> Option<Alias> {
        if self.settings.name_clash != NameClash::Alias || spot.arrival.is_some() {
            return None;
        }
        let on = Side::BOTH.into_iter().find(|side| spot.here[*side].is_none())?;
        let there = &spot.here[on.other()]?.name;
        let wanted = spot.row.map_or(there, |row| row.name_on(on));
        if !spot.taken[on] && can_hold(&self.settings.rules[on], wanted) {
            return None;
        }
        let own = spot.row.map_or(there, |row| &row.name);
        let mut taken = self.names_taken(view);
        let name = alias_of(own, &self.settings.rules, &mut taken);
        // Two rows never have one name, whichever side uses it.
        let pair = spot.row.map(|row| row.id);
        let is_agreed = view.base.iter().any(|row| row.name == *own && Some(row.id) != pair);
        can_hold(&self.settings.rules[on], &name).then_some(Alias { on, name, is_agreed })
    }
}

/// A name that changed in place: only its case or its normalisation did.
#[derive(Default)]
struct Renamed<'a> {
    name: Option<&'a Name>,
    moves: Option<Side>,
    is_conflict: bool,
}

fn renamed<'a>(row: Option<&Pair>, here: Sides<Option<&'a Entry>>, settings: &Settings) -> Renamed<'a> {
    let Some(row) = row else { return Renamed::default() };
    let new = |side: Side| here[side].map(|e| &e.name).filter(|n| *n != row.name_on(side));
    let mirrors = settings.mode != SyncMode::Bidirectional;
    let from = match (new(Side::Left), new(Side::Right)) {
        (None, None) => return Renamed::default(),
        (Some(_), None) => Side::Left,
        (None, Some(_)) if mirrors => Side::Left,
        (None, Some(_)) => Side::Right,
        (Some(_), Some(_)) if mirrors => Side::Left,
        (Some(_), Some(_)) => match settings.policy {
            ConflictPolicy::DestinationWins => Side::Right,
            ConflictPolicy::SourceWins | ConflictPolicy::LatestWins | ConflictPolicy::KeepBoth => Side::Left,
        },
    };
    let other = from.other();
    let is_conflict = !mirrors && new(from).is_some() && new(other).is_some() && new(from) != new(other);
    let name = here[from].map(|e| &e.name);
    let differs = name.is_some_and(|name| here[other].is_some_and(|e| e.name != *name));
    let holds = name.is_some_and(|name| can_hold(&settings.rules[other], name));
    Renamed { name, moves: (differs && holds).then_some(other), is_conflict }
}
