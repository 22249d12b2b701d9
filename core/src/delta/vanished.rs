//! What a directory shows to have vanished or appeared, and which names are taken by moves.

use super::align::Slot;
use super::classify::token_equal;
use super::dirs::{Dir, Fate};
use super::items::{Now, now};
use super::moves::{Appeared, Lost};
use super::names::Folding;
use super::reconciler::{Reconciler, View};
use super::spot::Spot;
use crate::model::{Entry, Ident, Kind, Name, NameClash, Pair, PairId, Side, Sides, SyncMode};

/// A name that a moved item gets or has in a directory.
#[derive(Clone, Debug)]
pub(super) struct Arriving {
    pub(super) pair: PairId,
    pub(super) on: Side,
    pub(super) key: Vec<u8>,
    /// It stands there already.
    is_there: bool,
}

impl Reconciler {
    /// The names that moved items get in a directory that is seen as if they were there.
    pub(super) fn arriving(&self, view: &View, slots: &[Slot]) -> Vec<Arriving> {
        let Some(overlay) = &view.overlay else { return Vec::new() };
        let folding = Folding::of(&self.settings.rules);
        let of = |slot: &Slot| {
            let (row, arrival) = (&view.base[slot.row?], overlay.arrivals.get(slot.arrival?)?);
            let names = Side::BOTH.map(|on| Arriving {
                pair: row.id,
                on,
                key: folding.key(row.name_on(on)).into_owned(),
                is_there: slot.at[on].is_some() && arrival.shown_on() != Some(on),
            });
            Some(names)
        };
        slots.iter().filter_map(of).flatten().collect()
    }

    /// The item that moves to the name of this one. Where both stand already, the side tells them apart.
    pub(super) fn taker(&self, spot: &Spot<'_>, view: &View) -> Option<PairId> {
        let folding = Folding::of(&self.settings.rules);
        let takes = |a: &&Arriving| {
            let stand_both = a.is_there && spot.here[a.on].is_some();
            !stand_both && spot.name_on(a.on).is_some_and(|name| *folding.key(name) == *a.key)
        };
        view.arriving.iter().find(takes).map(|a| a.pair)
    }

    /// Whether the item is gone or certain to be deleted, before anything is moved.
    pub(super) fn makes_room(&self, row: Option<&Pair>, here: Sides<Option<&Entry>>) -> bool {
        let is_settled = |side: Side, row: &Pair| {
            here[side].is_none_or(|e| {
                now(here[side]) == Now::Leaf
                    && e.node.kind == row.kind
                    && token_equal(&row.held[side].token, &e.node.token)
            })
        };
        // A mirror makes again what only the target lost.
        let is_gone = here.left.is_none() || (here.right.is_none() && self.settings.mode == SyncMode::Bidirectional);
        is_gone && row.is_some_and(|row| is_settled(Side::Left, row) && is_settled(Side::Right, row))
    }

    /// Notes what vanished and what appeared, for pairing moves at the end of the walk.
    pub(super) fn collect(&mut self, dir: &Dir, spot: &Spot<'_>, view: &View) {
        let (row, here) = (spot.row, spot.here);
        if matches!(dir.fate, Fate::Probe { .. } | Fate::Remove { .. } | Fate::Forget { excluded: true }) {
            return;
        }
        let is_displaced = |side: Side| match (row, here[side]) {
            (Some(row), Some(entry)) => {
                let (held, now) = (&row.held[side], &entry.node);
                held.ident != Ident::None
                    && now.ident != Ident::None
                    && held.ident != now.ident
                    && (now.kind == Kind::Dir || row.kind != now.kind || !token_equal(&held.token, &now.token))
            }
            _ => false,
        };
        let displaced = Sides::new(is_displaced(Side::Left), is_displaced(Side::Right));
        let is_lost = |side: Side| {
            let certain = view.unlisted[side].is_none() || dir.at[side].is_none();
            displaced[side] || (row.is_some() && here[side].is_none() && certain)
        };
        let lost = Sides::new(is_lost(Side::Left), is_lost(Side::Right));
        let limit = self.settings.move_limit.saturating_sub(self.replay.relocations.len());
        let real = |side: Side, name: &Name| dir.at[side].as_ref().map(|at| at.join(name));
        if let Some(row) = row.filter(|_| lost.left || lost.right) {
            let still = |side: Side| {
                let entry = here[side].filter(|_| !displaced[side])?;
                Some((real(side, &entry.name)?, entry.node.clone()))
            };
            let here = Sides::new(still(Side::Left), still(Side::Right));
            let path = dir.path.join(&row.name);
            let occupied = |side: Side| displaced[side].then(|| real(side, row.name_on(side))).flatten();
            let occupied = Sides::new(occupied(Side::Left), occupied(Side::Right));
            self.records.lose(limit, Lost { row: row.clone(), path, lost, here, occupied });
        }
        let taken = spot.taken();
        let collides = taken.left || taken.right;
        // What cannot have its name on both sides moves nowhere; a mirror takes it back from there.
        let is_taken_back = self.settings.mode != SyncMode::Bidirectional && here.left.is_none();
        if collides && row.is_none() && self.settings.name_clash == NameClash::Skip && !is_taken_back {
            return;
        }
        for side in Side::BOTH {
            let Some(entry) = here[side].filter(|_| row.is_none() || displaced[side]) else { continue };
            let Some(at) = real(side, &entry.name) else { continue };
            let other = side.other();
            if here[other].is_none() && view.unlisted[other].is_some() && dir.at[other].is_some() {
                // Whether the place is free on the other side is not known.
                continue;
            }
            let replaces = row.filter(|row| {
                let settled = here[other].is_some_and(|e| {
                    e.node.kind == row.kind
                        && e.node.kind != Kind::Dir
                        && !displaced[other]
                        && token_equal(&row.held[other].token, &e.node.token)
                });
                settled && !self.settings.checksum
            });
            let appeared = Appeared {
                node: entry.node.clone(),
                real: at,
                path: dir.path.join(match row {
                    Some(row) => &row.name,
                    None if spot.called_on.is_some() => spot.name().unwrap_or(&entry.name),
                    None => &entry.name,
                }),
                name: entry.name.clone(),
                lineage: dir.lineage.clone(),
                displaces: displaced[side],
                opposite: match here[other] {
                    Some(e) => real(other, &e.name),
                    None if collides => None,
                    None => self.taker(spot, view).map(|_| dir.path.join(&entry.name)),
                },
                replaces: replaces.map(|row| row.id),
            };
            self.records.appear(limit, side, appeared);
        }
    }
}
