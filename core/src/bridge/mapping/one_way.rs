//! Fields that go one way only, where a definition goes both ways.
//!
//! Two people who change fields of different directions do not meet in a conflict: each field crosses its own way, and only
//! those that go both ways have a winner. A new row is made with all that the other side has of it, so that nothing of either
//! is overwritten by the nothing of the other; from then on each field goes its own way. What is made of a row at the source (a
//! field with a transform, a column that the database computes) is owed to the target again after the source got something
//! from there.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::super::change::Act;
use super::super::delta::Alike;
use super::{Field, Half, Mapping};
use crate::endpoint::TableShape;
use crate::error::Result;
use crate::identity::{RowHash, RowRef, encode};
use crate::model::{Datum, RecordMode, Side, Tick};

/// What a row says as the target has it, by the direction of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sayings {
    both_ways: RowHash,
    one_way: RowHash,
}

impl Sayings {
    /// How two rows compare.
    pub(crate) fn beside(&self, other: &Self) -> Alike {
        match (self.both_ways == other.both_ways, self.one_way == other.one_way) {
            (true, true) => Alike::Wholly,
            (true, false) => Alike::WhereBothWrite,
            (false, _) => Alike::No,
        }
    }
}

impl Mapping {
    /// Whether rows go both ways and some of their fields only one.
    pub(crate) fn has_one_way_fields(&self) -> bool {
        self.has_one_way_fields
    }

    /// How both sides get a row in which the fields of `winner` count where both write.
    pub(crate) fn joined_by(&self, winner: Side) -> Act {
        let has_own = self.fields.iter().any(|field| field.goes_to(winner) && !goes_both_ways(field));
        match winner {
            _ if !has_own => Act::Update(winner.other()),
            Side::Left => Act::Merge([].into()),
            Side::Right => Act::Merge(self.chosen_fields()),
        }
    }

    /// What a scanned row says; nothing where no field goes one way only, or a value cannot cross.
    pub(crate) fn sayings(&self, side: Side, row: RowRef<'_>, now: Tick) -> Option<Sayings> {
        if !self.has_one_way_fields() {
            return None;
        }
        let value = |column: &str| self.halves[side].place(column).and_then(|at| row.datum(at).ok());
        let (mut both_ways, mut one_way) = (Sha256::new(), Sha256::new());
        for (at, field) in self.fields.iter().enumerate().filter(|(at, _)| !self.key_fields.contains(at)) {
            let value = match side {
                Side::Left => given(field, &value, now).ok()?,
                Side::Right => field.projection.seen(&value(&field.target)?).ok()?,
            };
            let digest = if goes_both_ways(field) { &mut both_ways } else { &mut one_way };
            digest.update((at as u64).to_be_bytes());
            digest.update(encode(&value));
        }
        Some(Sayings { both_ways: both_ways.finalize().into(), one_way: one_way.finalize().into() })
    }

    /// What a new row of `to` begins with in its seeded columns; nothing where the other side has nothing, or what the column
    /// cannot hold.
    pub(crate) fn seeds(&self, to: Side, row: RowRef<'_>) -> Vec<Option<Datum>> {
        let from = to.other();
        let one = |column: &String| {
            let field = self.fields.iter().find(|field| field.column(to) == column && !field.goes_to(to))?;
            let value = row.datum(self.halves[from].place(field.column(from))?).ok()?;
            let crossed = match to {
                Side::Right => field.projection.push(&value),
                Side::Left => field.projection.pull(&value),
            };
            crossed.ok().filter(|value| *value != Datum::Null)
        };
        self.halves[to].seeded.iter().map(one).collect()
    }

    /// Whether the source's row, once `written` has come to it, has something for the target's that only goes there and that is
    /// not there yet.
    pub(crate) fn owes(&self, written: &[Datum], before: Before<'_>, target: RowRef<'_>, now: Tick) -> bool {
        let right = &self.halves.right;
        let becomes = |column: &str| before.with(&self.halves.left, written, column);
        let only_there = |field: &&Field| field.goes_to(Side::Right) && !goes_both_ways(field);
        self.mode == RecordMode::TwoWay
            && self.fields.iter().filter(only_there).any(|field| {
                let there = right.place(&field.target).and_then(|at| target.datum(at).ok());
                let there = there.and_then(|value| field.projection.seen(&value).ok());
                given(field, &becomes, now).ok() != there
            })
    }
}

/// What a row is before something is written to it.
#[derive(Clone, Copy)]
pub(crate) enum Before<'a> {
    /// This row.
    Row(RowRef<'a>),
    /// None: it is made, with these in its seeded columns.
    New(&'a [Option<Datum>]),
    /// It is not asked.
    Unread,
}

impl Before<'_> {
    /// What the row has in a column afterwards, where that is known.
    pub(super) fn with(self, half: &Half, written: &[Datum], column: &str) -> Option<Datum> {
        let place = |columns: &[String]| columns.iter().position(|name| name == column);
        if let Some(at) = place(&half.written) {
            return Some(written[at].clone());
        }
        match self {
            Self::Row(row) => row.datum(half.place(column)?).ok(),
            Self::New(seeds) => Some(place(&half.seeded).and_then(|at| seeds[at].clone()).unwrap_or(Datum::Null)),
            Self::Unread => None,
        }
    }
}

/// The columns of a side that its new rows begin with though their fields go the other way only.
pub(super) fn seeded(side: Side, shape: &TableShape, fields: &[Field], written: &[String]) -> Vec<String> {
    let is_seeded = |field: &&Field| {
        let column = shape.column(field.column(side));
        !field.goes_to(side) && field.transform.is_none() && column.is_some_and(|column| !column.is_computed)
    };
    let columns: BTreeSet<&str> = fields.iter().filter(is_seeded).map(|field| field.column(side)).collect();
    columns.into_iter().filter(|column| !written.iter().any(|name| name == column)).map(str::to_owned).collect()
}

pub(super) fn goes_both_ways(field: &Field) -> bool {
    field.goes_to(Side::Left) && field.goes_to(Side::Right)
}

/// What the source's row is for a field, as the target has it.
fn given(field: &Field, value: &impl Fn(&str) -> Option<Datum>, now: Tick) -> Result<Datum> {
    let value = match &field.transform {
        Some(transform) => transform.evaluate(&|name| value(name), now)?,
        None => value(&field.source).unwrap_or(Datum::Null),
    };
    field.projection.push(&value)
}
