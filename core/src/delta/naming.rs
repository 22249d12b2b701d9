//! What the items of a directory are called: the one rule for agreed names, for names on a side, and for aliases.
//!
//! An item has an *agreed* name, which the ledger and every report use, and a name on each side. An *alias* is a name on
//! a side that is not the agreed one; only the ledger leads back from it. Of what will be in a directory no two items
//! have one agreed name, and no two have one name on a side, as far as that side tells names apart. Names are given in
//! turn: first to what the ledger knows here, then to what moves here, then to what is new.
//!
//! 1. *Kept.* What stands on a side is called there as it stands. Where only the case or the normal form changed, the
//!    other side follows; if it cannot, because the name is in use or cannot be held, each side keeps its own.
//! 2. *Agreed* is the ledger's name, that of the place it moves to, or the one that a new item has. Where another item
//!    has that one, it is what a side calls the item, or its alias.
//! 3. *Given.* A side that lacks the item gets it under the name that it had there, or else the agreed one. Where the
//!    side cannot hold that name, or another item has it, the item gets an alias if the conduit wants that, and is
//!    refused if not.
//! 4. *Taken back.* An alias stays until the item is renamed or moved: then the side that has to follow is given a name
//!    anew, which is the agreed one whenever it can be.

use std::collections::{HashMap, HashSet};

use super::align::Slot;
use super::names::{Folding, alias_of, can_hold};
use super::overlay::Overlay;
use super::settings::Settings;
use crate::model::{ConflictPolicy, Entry, Name, NameClash, Pair, Side, Sides, SyncMode};

/// What an item is called once the plan is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) agreed: Name,
    pub(super) on: Sides<Name>,
    /// The side on which it stands under another name and is renamed.
    pub(super) moves: Option<Side>,
    /// Both sides renamed it, each in its way.
    pub(super) is_conflict: bool,
    /// On that side, where it is not, another item has the name that it would get.
    pub(super) taken: Sides<bool>,
    /// … and it is given no other.
    pub(super) refused: Sides<bool>,
}

/// A directory: the ledger's rows and the two listings.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) base: &'a [Pair],
    pub(super) entries: Sides<&'a [Entry]>,
    /// What is not listed is unknown.
    pub(super) partial: Sides<bool>,
    /// The moves that concern it; what they show of a side stands elsewhere there.
    pub(super) overlay: Option<&'a Overlay>,
}

/// Gives the items their names. What has one name everywhere is left without. Returns the names that are in use, where a
/// new one had to be found.
pub(super) fn name_items(settings: &Settings, listed: Listed<'_>, slots: &mut Vec<Slot>) -> Option<HashSet<Vec<u8>>> {
    if are_plain(settings, listed, slots) {
        return None;
    }
    let folds = settings.rules.as_ref().map(Folding::of_side);
    let naming = Naming { settings, listed, folds, agreed: HashMap::new(), used: Sides::default(), in_use: None };
    naming.run(slots)
}

/// Names that nothing else in the directory may get: whatever is there, is known or leaves.
pub(super) fn names_in_use(settings: &Settings, listed: Listed<'_>) -> HashSet<Vec<u8>> {
    let folding = Folding::of(&settings.rules);
    let there = listed.entries.left.iter().chain(listed.entries.right).map(|e| &e.name);
    let known = listed.base.iter().flat_map(|row| [&row.name, row.name_on(Side::Left), row.name_on(Side::Right)]);
    let leaving = listed.overlay.iter().flat_map(|o| o.hidden.left.iter().chain(&o.hidden.right));
    there.chain(known).chain(leaving).map(|name| folding.key(name).into_owned()).collect()
}

/// Every item has one name everywhere, and every name is another, on both sides.
fn are_plain(settings: &Settings, listed: Listed<'_>, slots: &[Slot]) -> bool {
    let tells_apart = Folding::of(&settings.rules).is_plain();
    slots.iter().all(|slot| {
        let row = slot.row.map(|i| &listed.base[i]);
        let there = |side: Side| slot.at[side].map(|i| &listed.entries[side][i].name);
        let known = row.map(|row| [Some(&row.name), Some(row.name_on(Side::Left)), Some(row.name_on(Side::Right))]);
        let mut names = known.into_iter().flatten().chain([there(Side::Left), there(Side::Right)]).flatten();
        let Some(name) = names.next() else { return true };
        let lacks = |side: Side| there(side).is_none();
        slot.arrival.is_none()
            && names.all(|other| other == name)
            && (tells_apart || !(lacks(Side::Left) || lacks(Side::Right)))
            && Side::BOTH.into_iter().all(|side| !lacks(side) || can_hold(&settings.rules[side], name))
    })
}

struct Naming<'a> {
    settings: &'a Settings,
    listed: Listed<'a>,
    /// What each side tells apart.
    folds: Sides<Folding>,
    /// Who has an agreed name.
    agreed: HashMap<Name, usize>,
    /// Who has a name on a side.
    used: Sides<HashMap<Vec<u8>, Vec<usize>>>,
    in_use: Option<HashSet<Vec<u8>>>,
}

/// An entry that belongs to no item, as nothing certain can be said of it.
const NOBODY: usize = usize::MAX;

/// A name that changed in place.
struct Renamed<'a> {
    name: &'a Name,
    moves: Option<Side>,
    is_conflict: bool,
}

impl<'a> Naming<'a> {
    fn run(mut self, slots: &mut Vec<Slot>) -> Option<HashSet<Vec<u8>>> {
        let is_here = |slot: &Slot| slot.at.left.is_some() || slot.at.right.is_some();
        let (mut known, mut new) = (Vec::new(), Vec::new());
        let mut owners = self.listed.entries.map(|entries| vec![NOBODY; entries.len()]);
        for (n, slot) in slots.iter().enumerate() {
            for side in Side::BOTH {
                if let Some(i) = slot.at[side] {
                    owners[side][i] = n;
                }
                if self.stands(slot, side).is_none()
                    && let Some(row) = self.row(slot).filter(|_| slot.arrival.is_none() && self.listed.partial[side])
                {
                    self.take(n, side, row.name_on(side));
                }
            }
            match slot.row {
                Some(_) if is_here(slot) || self.listed.partial.left || self.listed.partial.right => known.push(n),
                Some(_) => {}
                None => new.push(n),
            }
        }
        for side in Side::BOTH {
            for (i, owner) in owners[side].iter().enumerate() {
                let is_shown = slots.get(*owner).is_some_and(|slot| self.stands(slot, side).is_none());
                if !is_shown {
                    self.take(*owner, side, &self.listed.entries[side][i].name);
                }
            }
        }
        // Those that move here come last among the known: in the order of their numbers, as they were put there.
        for n in known.iter().filter(|n| slots[**n].arrival.is_none()) {
            if let Some(row) = self.row(&slots[*n]) {
                self.agreed.entry(row.name.clone()).or_insert(*n);
            }
        }
        for n in known {
            slots[n].names = self.name(n, slots);
        }
        self.adopt(&new, slots);
        for n in new {
            slots[n].names = self.name(n, slots);
        }
        slots.retain(|slot| slot.row.is_some() || is_here(slot));
        self.in_use
    }

    fn row(&self, slot: &Slot) -> Option<&'a Pair> {
        slot.row.map(|i| &self.listed.base[i])
    }

    /// What the side calls it now, in this directory.
    fn stands(&self, slot: &Slot, side: Side) -> Option<&'a Name> {
        let arrival = slot.arrival.and_then(|i| self.listed.overlay?.arrivals.get(i));
        let is_shown = arrival.is_some_and(|arrival| arrival.shown_on() == Some(side));
        slot.at[side].filter(|_| !is_shown).map(|i| &self.listed.entries[side][i].name)
    }

    fn take(&mut self, n: usize, side: Side, name: &Name) {
        let key = self.folds[side].key(name).into_owned();
        self.used[side].entry(key).or_default().push(n);
    }

    /// Whether another item is in the way of this one. What moves here is moved over what only the side has to which it
    /// moves: that one makes room, or the move is taken back. Without aliases the same goes for all that does not move.
    fn is_in_the_way(&self, other: usize, n: usize, slots: &[Slot]) -> bool {
        let arrival = slots[n].arrival.and_then(|i| self.listed.overlay?.arrivals.get(i));
        other != n
            && match (arrival, slots.get(other)) {
                (Some(arrival), Some(other)) => {
                    let gives_way = self.settings.name_clash == NameClash::Skip;
                    other.arrival.is_some() || (!gives_way && self.stands(other, arrival.side).is_some())
                }
                (None, _) | (_, None) => true,
            }
    }

    /// Whether another item has the name there.
    fn is_used(&self, n: usize, side: Side, name: &Name, slots: &[Slot]) -> bool {
        let users = self.used[side].get(&*self.folds[side].key(name));
        users.is_some_and(|users| users.iter().any(|user| self.is_in_the_way(*user, n, slots)))
    }

    /// Whether it has the agreed name now.
    fn agree(&mut self, n: usize, name: &Name, slots: &[Slot]) -> bool {
        let is_free = self.agreed.get(name).is_none_or(|user| !self.is_in_the_way(*user, n, slots));
        if is_free {
            self.agreed.insert(name.clone(), n);
        }
        is_free
    }

    fn alias(&mut self, own: &Name) -> Name {
        let in_use = self.in_use.get_or_insert_with(|| names_in_use(self.settings, self.listed));
        alias_of(own, &self.settings.rules, in_use)
    }

    /// An alias for that side, if the conduit wants one and the side can hold it.
    fn alias_on(&mut self, side: Side, own: &Name) -> Option<Name> {
        match self.settings.name_clash {
            NameClash::Alias => Some(self.alias(own)).filter(|alias| can_hold(&self.settings.rules[side], alias)),
            NameClash::Skip => None,
        }
    }

    /// The rule, for one item.
    fn name(&mut self, n: usize, slots: &[Slot]) -> Option<Box<Names>> {
        let slot = &slots[n];
        let row = self.row(slot);
        let stands = Sides::new(self.stands(slot, Side::Left), self.stands(slot, Side::Right));
        let renamed = row.and_then(|row| self.renamed(n, row, stands, slots));
        let first = slot.called_on.unwrap_or(Side::Left);
        let new = stands[first].or(stands[first.other()]);
        let own = renamed.as_ref().map(|r| r.name).or(row.map(|row| &row.name)).or(new)?;
        let calls = [Some(own), stands[first], stands[first.other()]];
        let agreed = calls.into_iter().flatten().find(|name| self.agree(n, name, slots));
        let had = |side: Side| row.filter(|row| agreed == Some(own) && row.name == *own).map(|row| row.name_on(side));
        let mut names = Names {
            agreed: own.clone(),
            on: Sides::new(own.clone(), own.clone()),
            moves: renamed.as_ref().and_then(|r| r.moves),
            is_conflict: renamed.as_ref().is_some_and(|r| r.is_conflict),
            taken: Sides::new(false, false),
            refused: Sides::new(false, false),
        };
        let mut alias = None;
        for side in Side::BOTH {
            let wanted = had(side).or(agreed).unwrap_or(own);
            names.on[side] = match stands[side] {
                Some(_) if names.moves == Some(side) => {
                    self.take(n, side, own);
                    own.clone()
                }
                Some(name) => name.clone(),
                None if self.listed.partial[side] && slot.arrival.is_none() => wanted.clone(),
                None => {
                    names.taken[side] = self.is_used(n, side, wanted, slots);
                    let needs_alias = names.taken[side] || !can_hold(&self.settings.rules[side], wanted);
                    let given = if needs_alias { self.alias_on(side, own) } else { None };
                    names.refused[side] = names.taken[side] && given.is_none();
                    alias = given.clone().or(alias);
                    let given = given.unwrap_or_else(|| wanted.clone());
                    if !names.refused[side] {
                        self.take(n, side, &given);
                    }
                    given
                }
            };
        }
        names.agreed = match agreed {
            Some(agreed) => agreed.clone(),
            None => {
                let other = alias.unwrap_or_else(|| self.alias(own));
                self.agree(n, &other, slots);
                other
            }
        };
        (!names.are_one(row)).then(|| Box::new(names))
    }

    /// The new name of what was renamed in place, if both sides can have it.
    fn renamed(&self, n: usize, row: &Pair, stands: Sides<Option<&'a Name>>, slots: &[Slot]) -> Option<Renamed<'a>> {
        let new = |side: Side| stands[side].filter(|name| *name != row.name_on(side));
        let mirrors = self.settings.mode != SyncMode::Bidirectional;
        let from = match (new(Side::Left), new(Side::Right)) {
            (None, None) => return None,
            (Some(_), None) => Side::Left,
            (None, Some(_)) if mirrors => Side::Left,
            (None, Some(_)) => Side::Right,
            (Some(_), Some(_)) if mirrors => Side::Left,
            (Some(_), Some(_)) => match self.settings.policy {
                ConflictPolicy::DestinationWins => Side::Right,
                ConflictPolicy::SourceWins | ConflictPolicy::LatestWins | ConflictPolicy::KeepBoth => Side::Left,
            },
        };
        let (name, other) = (stands[from]?, from.other());
        let moves = stands[other].is_some_and(|there| there != name).then_some(other);
        let is_free = self.agreed.get(name).is_none_or(|user| *user == n)
            && moves.is_none_or(|on| can_hold(&self.settings.rules[on], name) && !self.is_used(n, on, name, slots));
        let is_conflict = !mirrors && new(Side::Left).is_some() && new(Side::Right).is_some() && moves.is_some();
        is_free.then_some(Renamed { name, moves, is_conflict })
    }

    /// Items that were given an alias which the ledger does not know: a run ended between the two, or the ledger was lost.
    ///
    /// What one side cannot have under its own name, and what stands there under the alias that it would get, are one
    /// item, if the ledger knows neither. An alias is not read: it is made again and looked up. Were it another file, the
    /// two would be a conflict like any other.
    fn adopt(&self, new: &[usize], slots: &mut [Slot]) {
        if self.settings.name_clash == NameClash::Skip {
            return;
        }
        for on in Side::BOTH {
            let only = |slots: &[Slot], n: usize, side: Side| {
                let other = slots[n].at[side.other()];
                self.stands(&slots[n], side).filter(|_| other.is_none())
            };
            let mut strays: HashMap<&Name, usize> =
                new.iter().filter_map(|n| only(slots, *n, on).map(|name| (name, *n))).collect();
            let mut wanted = HashSet::new();
            for n in new {
                if strays.is_empty() {
                    break;
                }
                let Some(own) = only(slots, *n, on.other()) else { continue };
                let has_own = can_hold(&self.settings.rules[on], own)
                    && !self.is_used(*n, on, own, slots)
                    && wanted.insert(self.folds[on].key(own).into_owned());
                let mut tried = HashSet::new();
                let mut aliases = (0..MOST_TRIED).map(|_| alias_of(own, &self.settings.rules, &mut tried));
                if !has_own && let Some(stray) = aliases.find_map(|alias| strays.remove(&alias)) {
                    slots[*n].at[on] = slots[stray].at[on].take();
                    slots[*n].called_on = Some(on.other());
                }
            }
        }
    }
}

/// So many aliases of a name are looked for; the first is in use by something else only by accident.
const MOST_TRIED: usize = 4;

impl Names {
    /// There is nothing to say: it is called as it was, and so everywhere.
    fn are_one(&self, row: Option<&Pair>) -> bool {
        let is_one = |name: &Name| *name == self.agreed;
        is_one(&self.on.left)
            && is_one(&self.on.right)
            && row.is_none_or(|row| {
                is_one(&row.name) && is_one(row.name_on(Side::Left)) && is_one(row.name_on(Side::Right))
            })
            && self.moves.is_none()
            && self.taken == Sides::new(false, false)
    }
}
