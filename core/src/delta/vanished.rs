//! What a directory shows to have vanished or appeared, and which names are taken by moves.

use super::align::Slot;
use super::classify::token_equal;
use super::dirs::{Dir, Fate};
use super::items::{Now, now};
use super::moves::{Appeared, Lost};
use super::names::Folding;
use super::overlay::Arrival;
use super::reconciler::{Reconciler, View};
use crate::model::{Entry, Ident, Kind, Name, Pair, PairId, Side, Sides};

impl Reconciler {
    /// The item that moves to the name of this one.
    pub(super) fn taker(&self, row: Option<&Pair>, here: Sides<Option<&Entry>>, view: &View) -> Option<PairId> {
        let arrivals = &view.overlay.as_ref()?.arrivals;
        let name = row.map(|r| &r.name).or(here.left.map(|e| &e.name)).or(here.right.map(|e| &e.name))?;
        let folding = Folding::of(&self.settings.rules);
        arrivals.iter().find(|a| folding.key(a.name()) == folding.key(name)).map(Arrival::pair)
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
        let is_gone = here.left.is_none() || here.right.is_none();
        is_gone && row.is_some_and(|row| is_settled(Side::Left, row) && is_settled(Side::Right, row))
    }

    /// Notes what vanished and what appeared, for pairing moves at the end of the walk.
    pub(super) fn collect(
        &mut self,
        dir: &Dir,
        slot: Slot,
        row: Option<&Pair>,
        here: Sides<Option<&Entry>>,
        view: &View,
    ) {
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
            let occupied = |side: Side| displaced[side].then(|| real(side, &row.name)).flatten();
            let occupied = Sides::new(occupied(Side::Left), occupied(Side::Right));
            self.records.lose(limit, Lost { row: row.clone(), path, lost, here, occupied });
        }
        if slot.collides {
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
                path: dir.path.join(row.map_or(&entry.name, |r| &r.name)),
                name: entry.name.clone(),
                lineage: dir.lineage.clone(),
                displaces: displaced[side],
                opposite: match here[other] {
                    Some(e) => real(other, &e.name),
                    None => self.taker(row, here, view).map(|_| dir.path.join(&entry.name)),
                },
                replaces: replaces.map(|row| row.id),
            };
            self.records.appear(limit, side, appeared);
        }
    }
}
