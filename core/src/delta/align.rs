//! Which ledger row, left entry and right entry of one directory are the same item, by name.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::names::Folding;
use super::naming::{Listed, Names, name_items};
use super::settings::Settings;
use crate::model::{Entry, Ident, Name, Pair, Side, Sides};

/// One item of a directory: positions in the ledger's rows and in the two listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) row: Option<usize>,
    pub(super) at: Sides<Option<usize>>,
    /// New to the ledger, under another name on each side: that side's name is the agreed one.
    pub(super) called_on: Option<Side>,
    /// A row that nothing stands for, while another item has its name: half of a swap that was not carried out leaves two
    /// rows of one name.
    pub(super) is_shadowed: bool,
    /// The position of the move that brings the item here.
    pub(super) arrival: Option<usize>,
    /// What it is called, where that is not the same everywhere.
    pub(super) names: Option<Box<Names>>,
}

/// The items of one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Aligned {
    pub(super) slots: Vec<Slot>,
    /// Names that are in use, if one had to be found that is not.
    pub(super) in_use: Option<HashSet<Vec<u8>>>,
}

impl Aligned {
    /// The items of a directory that no move concerns.
    pub(super) fn of(settings: &Settings, base: &[Pair], entries: Sides<&[Entry]>, partial: Sides<bool>) -> Self {
        let mut slots = align(settings, base, entries, partial);
        let in_use = name_items(settings, Listed { base, entries, partial, overlay: None }, &mut slots);
        Self { slots, in_use }
    }
}

/// A sorted list of one directory: key and position.
type Keys<'a> = Vec<(Cow<'a, [u8]>, usize)>;

/// Aligns the three lists. The result does not depend on the order of the listings: items come in the order of their
/// keys, those with an alias first. `partial` are the sides where what is not listed is unknown.
pub(super) fn align(settings: &Settings, base: &[Pair], listing: Sides<&[Entry]>, partial: Sides<bool>) -> Vec<Slot> {
    let folding = Folding::of(&settings.rules);
    let Sides { left, right } = listing;
    let mut slots = Vec::with_capacity(base.len().max(left.len()).max(right.len()));
    if folding.is_plain() && are_alike(base, left, right) {
        slots.extend((0..base.len()).map(|i| Slot {
            row: Some(i),
            at: Sides::new(Some(i), Some(i)),
            ..Slot::default()
        }));
        return slots;
    }
    let mut taken: Sides<Vec<bool>> = Sides::default();
    let aliased = base.iter().any(has_alias);
    let doubtful = !folding.is_plain() && (partial.left || partial.right);
    if aliased || doubtful {
        taken = listing.map(|entries| vec![false; entries.len()]);
    }
    if aliased {
        align_aliases(base, listing, &mut taken, &mut slots);
    }
    if doubtful {
        leave_out_doubtful(settings, base, listing, partial, &mut taken);
    }
    let unaliased = base.iter().enumerate().filter(|(_, p)| !has_alias(p));
    let rows: Keys<'_> = sorted(unaliased.map(|(i, p)| (folding.key(&p.name), i)));
    let keys = |side: Side| -> Keys<'_> {
        sorted(
            listing[side]
                .iter()
                .enumerate()
                .filter(|(i, _)| !taken[side].get(*i).is_some_and(|is_taken| *is_taken))
                .map(|(i, e)| (folding.key(&e.name), i)),
        )
    };
    let (left_keys, right_keys) = (keys(Side::Left), keys(Side::Right));
    let (mut b, mut l, mut r) = (&rows[..], &left_keys[..], &right_keys[..]);
    while let Some(key) = [b.first(), l.first(), r.first()].into_iter().flatten().map(|(k, _)| k).min() {
        let (bs, ls, rs) = (run(&mut b, key), run(&mut l, key), run(&mut r, key));
        if bs.len() <= 1 && ls.len() <= 1 && rs.len() <= 1 {
            let first = |keys: &[(Cow<'_, [u8]>, usize)]| keys.first().map(|(_, i)| *i);
            slots.push(Slot { row: first(bs), at: Sides::new(first(ls), first(rs)), ..Slot::default() });
        } else {
            let positions = |keys: &[(Cow<'_, [u8]>, usize)]| keys.iter().map(|(_, i)| *i).collect();
            align_colliding(base, listing, positions(bs), Sides::new(positions(ls), positions(rs)), &mut slots);
        }
    }
    slots
}

/// Whether the row has another name on a side.
pub(super) fn has_alias(row: &Pair) -> bool {
    row.held.left.alias.is_some() || row.held.right.alias.is_some()
}

/// The three lists show the same names in their order, none under an alias: what nearly every directory of a quiet tree
/// looks like.
fn are_alike(base: &[Pair], left: &[Entry], right: &[Entry]) -> bool {
    let mut last: Option<&Name> = None;
    base.len() == left.len()
        && base.len() == right.len()
        && base.iter().zip(left).zip(right).all(|((row, l), r)| {
            let ascends = last.replace(&row.name).is_none_or(|last| *last < row.name);
            ascends && !has_alias(row) && row.name == l.name && row.name == r.name
        })
}

/// Where a side tells names apart that the other does not, and does not show all it has, an entry that has a known
/// item's name but for its case or normal form may be another item, while the known one is what is not shown: it is as
/// unknown as that. Its identity alone can say that it is the known one.
fn leave_out_doubtful(
    settings: &Settings,
    base: &[Pair],
    listing: Sides<&[Entry]>,
    partial: Sides<bool>,
    taken: &mut Sides<Vec<bool>>,
) {
    let folding = Folding::of(&settings.rules);
    for side in Side::BOTH.into_iter().filter(|side| partial[*side]) {
        if Folding::of_side(&settings.rules[side]) == folding {
            continue;
        }
        let mut known: HashMap<Cow<'_, [u8]>, Vec<(&Name, &Ident)>> = HashMap::new();
        let rows = base.iter().filter(|row| !has_alias(row)).map(|row| (&row.name, &row.held[side].ident));
        let others = listing[side.other()].iter().zip(&taken[side.other()]).filter(|(_, is_taken)| !**is_taken);
        for (name, ident) in rows.chain(others.map(|(entry, _)| (&entry.name, &Ident::None))) {
            known.entry(folding.key(name)).or_default().push((name, ident));
        }
        for (entry, is_taken) in listing[side].iter().zip(&mut taken[side]) {
            let known = known.get(&folding.key(&entry.name)).map_or(&[][..], |known| &known[..]);
            let is_it =
                |(name, ident): &(&Name, &Ident)| **name == entry.name || is_same_ident(ident, &entry.node.ident);
            *is_taken |= !known.is_empty() && !known.iter().any(is_it);
        }
    }
}

fn sorted<'a>(keys: impl Iterator<Item = (Cow<'a, [u8]>, usize)>) -> Keys<'a> {
    let mut keys: Keys<'a> = keys.collect();
    if !keys.is_sorted() {
        keys.sort_unstable();
    }
    keys
}

/// Cuts off the leading elements that have this key.
fn run<'s, 'a>(keys: &mut &'s [(Cow<'a, [u8]>, usize)], key: &[u8]) -> &'s [(Cow<'a, [u8]>, usize)] {
    let length = keys.iter().take_while(|(k, _)| k[..] == *key).count();
    let (head, tail) = keys.split_at(length);
    *keys = tail;
    head
}

/// Rows that have another name on one side are found there by exactly that name.
fn align_aliases(base: &[Pair], listing: Sides<&[Entry]>, taken: &mut Sides<Vec<bool>>, slots: &mut Vec<Slot>) {
    let by_name = listing.map(|entries| entries.iter().enumerate().map(|(i, e)| (&e.name, i)).collect());
    let by_name: &Sides<HashMap<&Name, usize>> = &by_name;
    let mut rows: Vec<_> = base.iter().enumerate().filter(|(_, p)| has_alias(p)).collect();
    // Of several rows of one name the one whose very items are there has it.
    let likeness = |pair: &Pair| {
        let is_there = |side: &Side| {
            let at = by_name[*side].get(pair.name_on(*side));
            at.is_some_and(|at| is_same_ident(&pair.held[*side].ident, &listing[*side][*at].node.ident))
        };
        Side::BOTH.iter().filter(|side| is_there(side)).count()
    };
    rows.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name).then_with(|| likeness(b).cmp(&likeness(a))));
    for (i, pair) in rows {
        let mut slot = Slot { row: Some(i), ..Slot::default() };
        for side in Side::BOTH {
            if let Some(at) = by_name[side].get(pair.name_on(side)).filter(|at| !taken[side][**at]) {
                taken[side][*at] = true;
                slot.at[side] = Some(*at);
            }
        }
        slots.push(slot);
    }
}

/// Several items share a key: exact names belong together, then ledger rows take what is left, and one item keeps the
/// name.
fn align_colliding(
    base: &[Pair],
    listing: Sides<&[Entry]>,
    mut rows: Vec<usize>,
    mut at: Sides<Vec<usize>>,
    slots: &mut Vec<Slot>,
) {
    rows.sort_by_key(|i| &base[*i].name);
    for side in Side::BOTH {
        at[side].sort_by_key(|i| &listing[side][*i].name);
    }
    let start = slots.len();
    let is_it = |row: usize, side: Side, e: &Entry| {
        e.node.kind == base[row].kind && is_same_ident(&base[row].held[side].ident, &e.node.ident)
    };
    slots.extend(rows.iter().map(|row| Slot { row: Some(*row), ..Slot::default() }));
    // Of several rows of one name the one whose very items are there has it, on both sides.
    let mut twins = vec![false; rows.len()];
    for (i, row) in rows.iter().enumerate() {
        let name = &base[*row].name;
        let likeness = |j: &usize| {
            let named = |side: Side| at[side].iter().map(|e| &listing[side][*e]).find(|e| e.name == *name);
            let score = |side: Side| {
                named(side).map_or(0, |e| {
                    if is_it(rows[*j], side, e) { 3 } else { u8::from(e.node.kind == base[rows[*j]].kind) }
                })
            };
            score(Side::Left) + score(Side::Right)
        };
        let same: Vec<usize> = (0..rows.len()).filter(|j| base[rows[*j]].name == *name).collect();
        let best = same.iter().copied().rev().max_by_key(likeness).unwrap_or(i);
        twins[i] = best != i;
    }
    for i in (0..rows.len()).filter(|i| !twins[*i]) {
        for side in Side::BOTH {
            slots[start + i].at[side] = take(&mut at[side], |e| listing[side][e].name == base[rows[i]].name);
        }
    }
    for (i, row) in rows.iter().enumerate() {
        for side in Side::BOTH.into_iter().filter(|_| !twins[i]) {
            let slot = &mut slots[start + i].at[side];
            if slot.is_none() {
                *slot = take(&mut at[side], |e| is_it(*row, side, &listing[side][e]))
                    .or_else(|| take(&mut at[side], |_| true));
            }
        }
    }
    let is_live = |slot: &Slot| slot.at.left.is_some() || slot.at.right.is_some();
    let mut kept = slots[start..].iter().any(is_live);
    for slot in &mut slots[start..] {
        slot.is_shadowed = kept && !is_live(slot);
    }
    while let Some(first) = Side::BOTH.iter().filter_map(|s| at[*s].first().map(|i| &listing[*s][*i].name)).min() {
        // An item that both sides have under the very same name comes before one that only one side has.
        let both = at.left.iter().map(|i| &listing.left[*i].name);
        let name =
            both.filter(|n| at.right.iter().any(|i| listing.right[*i].name == **n)).min().unwrap_or(first).clone();
        let mut slot = Slot::default();
        for side in Side::BOTH {
            slot.at[side] = take(&mut at[side], |i| listing[side][i].name == name);
        }
        for side in Side::BOTH.into_iter().filter(|_| !kept) {
            if slot.at[side].is_none() {
                slot.at[side] = take(&mut at[side], |_| true);
            }
        }
        kept = true;
        slots.push(slot);
    }
}

fn is_same_ident(held: &Ident, now: &Ident) -> bool {
    *held != Ident::None && held == now
}

fn take(positions: &mut Vec<usize>, wanted: impl Fn(usize) -> bool) -> Option<usize> {
    let found = positions.iter().position(|i| wanted(*i))?;
    Some(positions.remove(found))
}
