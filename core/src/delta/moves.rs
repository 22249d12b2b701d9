//! Moves: which vanished item is which appeared one, and which moves are accepted.
//!
//! A walk that aligns by name sees a move as an item that vanished at one place and one that appeared at another. What
//! vanished and appeared is kept, up to a limit for each side; the pairs that are found become the replay of the next
//! walk. A move that cannot be accepted (its place is taken, a directory would come to lie in itself) stays what it
//! looked like, a deletion and a creation, which is correct and merely carries the bytes again. That is decided only when
//! no further move comes to light: beneath a directory that is found to have moved may be what frees its place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::change::Unreadable;
use super::classify::token_equal;
use super::names::can_hold;
use super::overlay::{Counterpart, Relocation};
use super::settings::Settings;
use super::table::Rule;
use crate::identity::ContentHash;
use crate::model::{Ident, Kind, Name, NameClash, Node, Pair, PairId, RelPath, Side, Sides, SyncMode, Timestamp};

/// A ledger row that at least one side does not show at its place.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) row: Pair,
    /// Its agreed path until now.
    pub(super) path: RelPath,
    pub(super) lost: Sides<bool>,
    /// Where a side still has it.
    pub(super) here: Sides<Option<(RelPath, Node)>>,
    /// Its place there, when another item has taken it.
    pub(super) occupied: Sides<Option<RelPath>>,
}

/// An entry that its side's ledger row does not explain.
#[derive(Clone, Debug)]
pub(super) struct Appeared {
    pub(super) node: Node,
    /// Where its side has it.
    pub(super) real: RelPath,
    /// Its agreed path.
    pub(super) path: RelPath,
    pub(super) name: Name,
    /// The directory it was seen in.
    pub(super) lineage: Lineage,
    /// What the other side has at the same place.
    pub(super) opposite: Option<RelPath>,
    /// It stands where the ledger knows another item: only its identity can tell that it was moved there.
    pub(super) displaces: bool,
    /// The row whose place it took, when the other side's item there is a file or link that is as it was.
    pub(super) replaces: Option<PairId>,
}

/// A directory and those that hold it, by their pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage(Option<Arc<(PairId, Lineage)>>);

impl Lineage {
    pub(super) fn child(&self, pair: PairId) -> Self {
        Self(Some(Arc::new((pair, self.clone()))))
    }

    fn holds(&self, pair: PairId) -> bool {
        let mut at = self;
        while let Some(here) = &at.0 {
            if here.0 == pair {
                return true;
            }
            at = &here.1;
        }
        false
    }
}

/// What one walk found.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) lost: HashMap<PairId, Lost>,
    lost_count: Sides<usize>,
    pub(super) appeared: Sides<Vec<Appeared>>,
    /// More appeared on a side than may be kept.
    overflow: bool,
    /// Keeps only what may belong to something lost.
    pub(super) filter: Option<Filter>,
}

/// What something lost may look like now.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    idents: HashSet<Ident>,
    sizes: HashSet<u64>,
}

impl Records {
    pub(super) fn with(filter: Option<Filter>) -> Self {
        Self { filter, ..Self::default() }
    }

    pub(super) fn lose(&mut self, limit: usize, lost: Lost) {
        for side in Side::BOTH {
            if lost.lost[side] {
                if self.lost_count[side] >= limit {
                    return;
                }
                self.lost_count[side] += 1;
            }
        }
        self.lost.insert(lost.row.id, lost);
    }

    pub(super) fn appear(&mut self, limit: usize, side: Side, appeared: Appeared) {
        let fits = |f: &Filter| {
            f.idents.contains(&appeared.node.ident)
                || (appeared.node.kind == Kind::File && f.sizes.contains(&appeared.node.token.size))
        };
        if self.filter.as_ref().is_some_and(|f| !fits(f)) {
            return;
        }
        if self.appeared[side].len() >= limit {
            self.overflow = true;
            return;
        }
        self.appeared[side].push(appeared);
    }

    /// A filter for another walk, when something appeared that could not be kept and may be what is lost.
    pub(super) fn wants_filter(&self) -> Option<Filter> {
        if self.lost.is_empty() || !self.overflow || self.filter.is_some() {
            return None;
        }
        let mut filter = Filter::default();
        for lost in self.lost.values() {
            for side in Side::BOTH.into_iter().filter(|s| lost.lost[*s]) {
                let held = &lost.row.held[side];
                if held.ident != Ident::None {
                    filter.idents.insert(held.ident.clone());
                }
                if lost.row.kind == Kind::File {
                    filter.sizes.insert(held.token.size);
                }
            }
        }
        Some(filter)
    }

    /// Files of one side that only their content can tell.
    pub(super) fn to_hash(&self, side: Side) -> Vec<RelPath> {
        let by_ident = self.by_ident(side);
        let unpaired =
            self.lost.values().filter(|l| is_content_candidate(l, side) && !by_ident.contains_key(&l.row.id));
        let sizes: HashSet<u64> = unpaired.map(|l| l.row.held[side].token.size).collect();
        let taken: HashSet<usize> = by_ident.values().copied().collect();
        let mut wanted = Vec::new();
        for (i, appeared) in self.appeared[side].iter().enumerate() {
            let fits =
                appeared.node.kind == Kind::File && !appeared.displaces && sizes.contains(&appeared.node.token.size);
            if fits && !taken.contains(&i) {
                wanted.push(appeared.real.clone());
            }
        }
        // An item that is to be moved on this side must be known as well as one that was looked at in its place.
        for lost in self.lost.values().filter(|l| l.row.kind != Kind::Dir) {
            let held = &lost.row.held[side];
            if let Some((real, node)) = &lost.here[side]
                && node.kind == lost.row.kind
                && (!token_equal(&held.token, &node.token) || held.racy)
            {
                wanted.push(real.clone());
            }
            if let Some(i) = by_ident.get(&lost.row.id) {
                wanted.push(self.appeared[side][*i].real.clone());
            }
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }

    /// Which appeared entry has the identity of which lost row.
    fn by_ident(&self, side: Side) -> HashMap<PairId, usize> {
        let mut entries: HashMap<(&Ident, Kind), Option<usize>> = HashMap::new();
        for (i, a) in self.appeared[side].iter().enumerate() {
            if a.node.ident != Ident::None {
                // Two names of one file (hard links) tell nothing.
                entries.entry((&a.node.ident, a.node.kind)).and_modify(|e| *e = None).or_insert(Some(i));
            }
        }
        let mut rows: HashMap<usize, Option<PairId>> = HashMap::new();
        for lost in self.lost.values().filter(|l| l.lost[side]) {
            let found = entries.get(&(&lost.row.held[side].ident, lost.row.kind)).copied().flatten();
            if let Some(i) = found {
                rows.entry(i).and_modify(|r| *r = None).or_insert(Some(lost.row.id));
            }
        }
        rows.into_iter().filter_map(|(i, row)| row.map(|row| (row, i))).collect()
    }

    /// By identity, then by unique content.
    fn pair(&self, side: Side, hashes: &HashMap<RelPath, Result<ContentHash, Unreadable>>) -> HashMap<PairId, usize> {
        let mut pairs = self.by_ident(side);
        let taken: HashSet<usize> = pairs.values().copied().collect();
        let mut entries: HashMap<(u64, ContentHash), Option<usize>> = HashMap::new();
        for (i, a) in self.appeared[side].iter().enumerate() {
            if let Some(Ok(hash)) = hashes.get(&a.real)
                && a.node.kind == Kind::File
                && !a.displaces
                && !taken.contains(&i)
            {
                entries.entry((a.node.token.size, *hash)).and_modify(|e| *e = None).or_insert(Some(i));
            }
        }
        let mut rows: HashMap<usize, Option<PairId>> = HashMap::new();
        for lost in self.lost.values() {
            if is_content_candidate(lost, side)
                && !pairs.contains_key(&lost.row.id)
                && let Some(content) = lost.row.content
                && let Some(i) = entries.get(&(lost.row.held[side].token.size, content)).copied().flatten()
            {
                rows.entry(i).and_modify(|r| *r = None).or_insert(Some(lost.row.id));
            }
        }
        pairs.extend(rows.into_iter().filter_map(|(i, row)| row.map(|row| (row, i))));
        pairs
    }

    /// The moves to replay from now on: those that depend on no other move.
    pub(super) fn accept(
        &self,
        settings: &Settings,
        hashes: &Sides<HashMap<RelPath, Result<ContentHash, Unreadable>>>,
        vetoed: &HashSet<PairId>,
    ) -> Vec<Relocation> {
        let found = Sides::new(self.pair(Side::Left, &hashes.left), self.pair(Side::Right, &hashes.right));
        let mut candidates: Vec<Candidate<'_>> = self
            .lost
            .values()
            .filter(|l| !vetoed.contains(&l.row.id))
            .filter_map(|lost| {
                let at = |side: Side| found[side].get(&lost.row.id).map(|i| &self.appeared[side][*i]);
                let appeared = Sides::new(at(Side::Left), at(Side::Right));
                let candidate = Candidate::of(settings, lost, appeared)?;
                Some(Candidate { appeared: [appeared.left, appeared.right], ..candidate })
            })
            .collect();
        let preferred =
            Rule { mode: settings.mode, exact: false, policy: settings.policy }.winner().unwrap_or(Side::Left);
        candidates.sort_by(|a, b| {
            (a.side != preferred, a.target.depth(), &a.target, a.lost.row.id).cmp(&(
                b.side != preferred,
                b.target.depth(),
                &b.target,
                b.lost.row.id,
            ))
        });
        drop_blocked(&mut candidates);
        let mut dirs: HashMap<&RelPath, Vec<PairId>> = HashMap::new();
        for candidate in candidates.iter().filter(|c| c.lost.row.kind == Kind::Dir) {
            let places = candidate.appeared.into_iter().flatten().map(|a| &a.path);
            for path in places.chain([&candidate.lost.path, &candidate.target]) {
                dirs.entry(path).or_default().push(candidate.lost.row.id);
            }
        }
        let depends = |c: &Candidate<'_>| {
            [&c.lost.path, &c.target].into_iter().any(|path| {
                std::iter::successors(path.parent(), RelPath::parent)
                    .any(|up| dirs.get(&up).is_some_and(|ids| ids.iter().any(|id| *id != c.lost.row.id)))
            })
        };
        let mut independent: Vec<_> =
            candidates.iter().filter(|c| !depends(c)).cloned().filter_map(Candidate::untangled).collect();
        drop_blocked(&mut independent);
        if independent.is_empty() {
            // They wait for each other: the policy side's first one goes ahead.
            for first in candidates.iter().filter_map(|c| c.clone().untangled()) {
                let mut alone = vec![first];
                drop_blocked(&mut alone);
                if !alone.is_empty() {
                    independent = alone;
                    break;
                }
            }
        }
        independent.iter().map(|c| c.relocation(hashes)).collect()
    }
}

fn is_content_candidate(lost: &Lost, side: Side) -> bool {
    lost.lost[side]
        && lost.row.kind == Kind::File
        && lost.row.content.is_some()
        && lost.row.held[side].token.size > 0
        && lost.here[side].is_none()
        && lost.occupied[side].is_none()
}

/// A move that could be accepted.
#[derive(Clone)]
struct Candidate<'a> {
    lost: &'a Lost,
    /// Where the sides have it now.
    appeared: [Option<&'a Appeared>; 2],
    /// The side whose place is taken.
    side: Side,
    place: &'a RelPath,
    /// The agreed path it gets.
    target: RelPath,
    counterpart: Option<(&'a RelPath, &'a Node)>,
    /// The place on the other side, when something is there now.
    opposite: Option<&'a RelPath>,
    /// What is there may go to the trash.
    clears: bool,
    is_conflict: bool,
    /// The directory that receives it lies beneath it.
    lies_in_itself: bool,
    /// The move taken back.
    instead: Option<Box<Candidate<'a>>>,
    /// It is a move taken back: the item has the names it had.
    returns: bool,
}

impl<'a> Candidate<'a> {
    /// A directory cannot come to lie in itself: when the other side's moves would bring that about, this one is taken
    /// back.
    fn untangled(self) -> Option<Self> {
        if self.lies_in_itself { self.instead.map(|instead| *instead) } else { Some(self) }
    }

    fn of(settings: &Settings, lost: &'a Lost, found: Sides<Option<&'a Appeared>>) -> Option<Self> {
        let rule = Rule { mode: settings.mode, exact: false, policy: settings.policy };
        let is_mirror = settings.mode != SyncMode::Bidirectional;
        let here = |side: Side| lost.here[side].as_ref().map(|(real, node)| (real, node));
        match (found.left, found.right) {
            (None, None) => None,
            (Some(l), Some(r)) if agreed(lost, Side::Left, l) == agreed(lost, Side::Right, r) => Some(Self {
                lost,
                appeared: [None, None],
                side: Side::Left,
                place: &l.real,
                target: agreed(lost, Side::Left, l),
                counterpart: None,
                opposite: None,
                clears: false,
                is_conflict: false,
                lies_in_itself: false,
                instead: None,
                returns: false,
            }),
            (Some(l), Some(r)) => {
                let winner = if is_mirror { Side::Left } else { move_winner(settings, &rule, l, r) };
                let (win, lose) = if winner == Side::Left { (l, r) } else { (r, l) };
                Self::to(settings, lost, winner, win, Some((&lose.real, &lose.node)), !is_mirror)
            }
            (Some(a), None) | (None, Some(a)) => {
                let side = if found.left.is_some() { Side::Left } else { Side::Right };
                let other = side.other();
                match here(other) {
                    // A mirror takes the target's own moves back.
                    Some(stays) if is_mirror && side == Side::Right => Self::back(lost, other, stays, a, false),
                    Some(there) => Self::to(settings, lost, side, a, Some(there), false)
                        .map(|to| Self { instead: Self::back(lost, other, there, a, true).map(Box::new), ..to }),
                    // Moved here, deleted there. Where the deletion wins the move is followed, to delete it at its new
                    // place; else it is a new item.
                    None if lost.here[other].is_none() && lost.lost[other] => {
                        let deletion_wins = if is_mirror { side == Side::Right } else { rule.winner() == Some(other) };
                        if deletion_wins { Self::to(settings, lost, side, a, None, false) } else { None }
                    }
                    None => None,
                }
            }
        }
    }

    fn to(
        settings: &Settings,
        lost: &'a Lost,
        side: Side,
        to: &'a Appeared,
        counterpart: Option<(&'a RelPath, &'a Node)>,
        is_conflict: bool,
    ) -> Option<Self> {
        let fits = counterpart.is_none_or(|(_, node)| node.kind == lost.row.kind) && to.node.kind == lost.row.kind;
        let holds = settings.name_clash == NameClash::Alias || can_hold(&settings.rules[side.other()], &to.name);
        (fits && holds).then_some(Self {
            lost,
            appeared: [None, None],
            side,
            place: &to.real,
            target: agreed(lost, side, to),
            counterpart,
            opposite: to.opposite.as_ref(),
            clears: to.replaces.is_some_and(|row| row != lost.row.id),
            is_conflict,
            lies_in_itself: to.lineage.holds(lost.row.id),
            instead: None,
            returns: false,
        })
    }

    fn back(
        lost: &'a Lost,
        side: Side,
        stays: (&'a RelPath, &'a Node),
        from: &'a Appeared,
        is_conflict: bool,
    ) -> Option<Self> {
        (stays.1.kind == lost.row.kind && from.node.kind == lost.row.kind).then_some(Self {
            lost,
            appeared: [None, None],
            side,
            place: stays.0,
            target: lost.path.clone(),
            counterpart: Some((&from.real, &from.node)),
            opposite: lost.occupied[side.other()].as_ref(),
            clears: false,
            is_conflict,
            lies_in_itself: false,
            instead: None,
            returns: true,
        })
    }

    fn relocation(&self, hashes: &Sides<HashMap<RelPath, Result<ContentHash, Unreadable>>>) -> Relocation {
        let counterpart = self.counterpart.map(|(real, node)| Counterpart {
            real: real.clone(),
            node: node.clone(),
            hash: hashes[self.side.other()].get(real).cloned(),
        });
        let mut row = self.lost.row.clone();
        let was = row.name.clone();
        // Where it stands it has that name; where it is moved it gets one when the place is looked at.
        let mut stands = Sides::new(Side::Left, Side::Right).map(|side| {
            let there = self.appeared[side as usize].filter(|_| !self.returns && self.counterpart.is_none());
            there.map(|a| a.name.clone())
        });
        stands[self.side] = self.place.name();
        if !self.returns {
            row.name = self.target.name().unwrap_or_else(|| was.clone());
            for side in Side::BOTH {
                row.held[side].alias = stands[side].clone().filter(|name| *name != row.name);
            }
        }
        let (side, place, is_conflict) = (self.side, self.place.clone(), self.is_conflict);
        Relocation { row, was, side, place, stands, counterpart, is_conflict }
    }
}

/// The agreed path of what appeared on that side, if it is what was lost: an item that kept its alias kept its name.
fn agreed(lost: &Lost, side: Side, appeared: &Appeared) -> RelPath {
    let keeps_alias = lost.row.held[side].alias.as_ref() == Some(&appeared.name) && !appeared.displaces;
    match appeared.path.parent() {
        Some(parent) if keeps_alias => parent.join(&lost.row.name),
        Some(_) | None => appeared.path.clone(),
    }
}

/// Drops the moves whose place on the other side is not free, until every one that is left is possible with the rest.
fn drop_blocked(candidates: &mut Vec<Candidate<'_>>) {
    loop {
        let vacated: HashSet<(Side, &RelPath)> =
            candidates.iter().filter_map(|c| c.counterpart.map(|(real, _)| (c.side.other(), real))).collect();
        let free = |c: &Candidate<'_>| c.opposite.is_none_or(|at| c.clears || vacated.contains(&(c.side.other(), at)));
        let before = candidates.len();
        let keep: Vec<bool> = candidates.iter().map(free).collect();
        let mut keep = keep.into_iter();
        candidates.retain(|_| keep.next().unwrap_or(true));
        if candidates.len() == before {
            return;
        }
    }
}

/// Both sides moved the item to different places.
fn move_winner(settings: &Settings, rule: &Rule, left: &Appeared, right: &Appeared) -> Side {
    use crate::model::ConflictPolicy as P;
    match settings.policy {
        P::SourceWins | P::DestinationWins => rule.winner().unwrap_or(Side::Left),
        P::KeepBoth => Side::Left,
        P::LatestWins => {
            let time = |a: &Appeared| a.node.token.ctime.map(Timestamp::as_nanos);
            let tolerance = i128::from(settings.tolerance_ns.max(2_000_000_000));
            match (time(left), time(right)) {
                (Some(l), Some(r)) if r - l > tolerance => Side::Right,
                _ => Side::Left,
            }
        }
    }
}
