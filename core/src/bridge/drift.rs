//! What has changed about a table since it was last looked at, and what that is to those who use it. Pure.
//!
//! A snapshot (`schema_snapshots`) is what the comparison needs of a table. It is taken when a definition is made or accepts what
//! there is, and by every run that went through; previews and inspections only compare, so that a change is told until a run
//! has gone over it.

mod seen;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::seen::Seen;
use self::seen::SeenKey;
use crate::model::{KeyStrategy, RecordMode, Side};

/// What has changed about a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// How it has changed.
    pub kind: SchemaChangeKind,
    /// The column; of [`SchemaChangeKind::Keys`] the constraint.
    pub name: String,
    /// What it was: a type, `null` or `not null`, the columns of a key; nothing for what is new.
    pub was: Option<String>,
    /// What it is; nothing for what is gone.
    pub is: Option<String>,
}

/// How a table has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SchemaChangeKind {
    /// It has a column more.
    Added,
    /// A column is gone.
    Removed,
    /// A column has another type.
    Retyped,
    /// A column may hold nothing, or may no longer.
    Nullability,
    /// What no two rows may have in common is something else.
    Keys,
}

/// What a change is to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DriftEffect {
    /// Nothing.
    Harmless,
    /// It goes on, and somebody should look at its fields.
    NeedsMapping,
    /// It does not run until its fields or the table are changed, or the table is accepted as it is.
    Blocks,
}

/// A change of one of its tables, and what that is to a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Which of its tables.
    pub side: Side,
    /// What has changed.
    pub change: SchemaChange,
    /// What that is to it.
    pub effect: DriftEffect,
    /// Why.
    pub reason: String,
}

impl SchemaChangeKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Retyped => "retyped",
            Self::Nullability => "nullability",
            Self::Keys => "keys",
        }
    }
}

impl DriftEffect {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::NeedsMapping => "needs_mapping",
            Self::Blocks => "blocks",
        }
    }
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.kind == SchemaChangeKind::Keys { "key" } else { "column" };
        let nothing = || "nothing".to_owned();
        let (was, is) = (self.was.clone().unwrap_or_else(nothing), self.is.clone().unwrap_or_else(nothing));
        let name = self.name.escape_debug();
        match self.kind {
            SchemaChangeKind::Added => write!(f, "{what} {name} ({is}) is new"),
            SchemaChangeKind::Removed => write!(f, "{what} {name} ({was}) is gone"),
            SchemaChangeKind::Retyped | SchemaChangeKind::Nullability | SchemaChangeKind::Keys => {
                write!(f, "{what} {name} was {was} and is {is}")
            }
        }
    }
}

/// What has changed between two looks at a table: columns first, in the order that they have now, then keys.
pub(crate) fn changes(before: &Seen, now: &Seen) -> Vec<SchemaChange> {
    let mut changes = Vec::new();
    let mut add = |kind, name: &str, was, is| changes.push(SchemaChange { kind, name: name.to_owned(), was, is });
    for column in &now.columns {
        let Some(was) = before.column(&column.name) else {
            add(SchemaChangeKind::Added, &column.name, None, Some(column.data_type.clone()));
            continue;
        };
        if !was.has_type_of(column) {
            let types = (was.shown(column), column.shown(was));
            add(SchemaChangeKind::Retyped, &column.name, Some(types.0), Some(types.1));
        }
        if was.is_nullable != column.is_nullable {
            let nulls = (was.nullability().to_owned(), column.nullability().to_owned());
            add(SchemaChangeKind::Nullability, &column.name, Some(nulls.0), Some(nulls.1));
        }
    }
    for column in before.columns.iter().filter(|column| now.column(&column.name).is_none()) {
        add(SchemaChangeKind::Removed, &column.name, Some(column.data_type.clone()), None);
    }
    let columns = |key: Option<&SeenKey>| key.map(|key| format!("({})", key.columns.join(", ")));
    let primary = (columns(before.primary_key()), columns(now.primary_key()));
    if primary.0 != primary.1 {
        add(SchemaChangeKind::Keys, PRIMARY, primary.0, primary.1);
    }
    let (was, is) = (before.unique(), now.unique());
    let of = |keys: &[&SeenKey], name: &str| columns(keys.iter().find(|key| key.name == name).copied());
    let names: BTreeSet<&str> = was.iter().chain(&is).map(|key| key.name.as_str()).collect();
    for name in names {
        let pair = (of(&was, name), of(&is, name));
        if pair.0 != pair.1 {
            add(SchemaChangeKind::Keys, name, pair.0, pair.1);
        }
    }
    changes
}

/// What the primary key is called, whatever its constraint is.
const PRIMARY: &str = "PRIMARY KEY";

/// What a definition makes of one of its tables.
#[derive(Clone, Debug)]
pub(crate) struct Uses {
    pub(crate) side: Side,
    pub(crate) mode: RecordMode,
    pub(crate) strategy: KeyStrategy,
    /// The unique constraint, when that is the key.
    pub(crate) constraint: Option<String>,
    /// Columns of the key that were chosen, or are mapped from those.
    pub(crate) key: BTreeSet<String>,
    /// The column that every change moves on.
    pub(crate) cursor: Option<String>,
    /// Columns that fields are made of, and columns that are given values.
    pub(crate) read: BTreeSet<String>,
    pub(crate) written: BTreeSet<String>,
}

impl Uses {
    fn is_written(&self) -> bool {
        self.side == Side::Right || self.mode == RecordMode::TwoWay
    }

    fn names(&self, column: &str) -> bool {
        self.read.contains(column) || self.written.contains(column)
    }

    /// Columns of the key of the table as it was.
    fn key_of<'s>(&'s self, before: &'s Seen) -> BTreeSet<&'s str> {
        let of = |key: Option<&'s SeenKey>| key.map_or_else(BTreeSet::new, |key| names(&key.columns));
        match (self.side, self.strategy) {
            (Side::Left, KeyStrategy::PrimaryKey) => of(before.primary_key()),
            (Side::Left, KeyStrategy::UniqueConstraint) => of(before
                .constraints
                .iter()
                .chain(&before.indexes)
                .find(|key| Some(&key.name) == self.constraint.as_ref())),
            (Side::Left, KeyStrategy::Hashed) => before.columns.iter().map(|column| column.name.as_str()).collect(),
            (Side::Left, KeyStrategy::CompositeColumns) | (Side::Right, _) => {
                self.key.iter().map(String::as_str).collect()
            }
        }
    }
}

fn names(columns: &[String]) -> BTreeSet<&str> {
    columns.iter().map(String::as_str).collect()
}

/// What each change between two looks at its table is to a definition.
pub(crate) fn effects(before: &Seen, now: &Seen, uses: &Uses) -> Vec<Drift> {
    let effect = |change: SchemaChange| {
        let (effect, reason) = effect(&change, before, now, uses);
        Drift { side: uses.side, change, effect, reason: reason.to_owned() }
    };
    changes(before, now).into_iter().map(effect).collect()
}

fn effect(change: &SchemaChange, before: &Seen, now: &Seen, uses: &Uses) -> (DriftEffect, &'static str) {
    use DriftEffect::{Blocks, Harmless, NeedsMapping};
    let name = change.name.as_str();
    let is_of_key = uses.key_of(before).contains(name);
    let is_cursor = uses.cursor.as_deref() == Some(name);
    let unused = (Harmless, "no field uses it");
    match (change.kind, before.column(name), now.column(name)) {
        (SchemaChangeKind::Added, _, Some(column)) => match () {
            () if uses.strategy == KeyStrategy::Hashed && uses.side == Side::Left => {
                (Blocks, "a row is everything it holds: every row would be another one")
            }
            () if uses.names(name) => (Harmless, "a field uses it already"),
            () if column.must_be_given() && uses.is_written() => {
                (Blocks, "every new row needs a value for it, and no field gives one")
            }
            () if column.kind.is_none() || column.is_computed || uses.side == Side::Right => unused,
            () => (NeedsMapping, "it is not carried until a field uses it"),
        },
        (SchemaChangeKind::Removed, ..) => match () {
            () if is_of_key => (Blocks, "it is of the key"),
            () if is_cursor => (Blocks, "it tells which rows have changed"),
            () if uses.names(name) => (Blocks, "a field uses it"),
            () => unused,
        },
        (SchemaChangeKind::Retyped, Some(was), Some(column)) => match () {
            () if was.kind != column.kind && is_of_key => (Blocks, "it is of the key: every row would be another one"),
            () if was.kind != column.kind && is_cursor => (Blocks, "it tells which rows have changed"),
            () if !uses.names(name) => unused,
            () if column.kind.is_none() => (Blocks, "a field uses it, and its type is not carried"),
            () if column.is_computed && uses.written.contains(name) => {
                (Blocks, "a field goes to it, and it is computed")
            }
            () if was.kind != column.kind => (NeedsMapping, "its values cross in another way: each is looked at anew"),
            () if uses.written.contains(name) && column.is_narrower(was) => {
                (NeedsMapping, "rows whose values do not fit any more are refused")
            }
            () => (Harmless, "its values are the same"),
        },
        (SchemaChangeKind::Nullability, _, Some(column)) => match () {
            () if column.must_be_given() && uses.is_written() && !uses.written.contains(name) => {
                (Blocks, "every new row needs a value for it, and no field gives one")
            }
            () if !uses.names(name) => unused,
            () if !column.is_nullable && uses.written.contains(name) => {
                (NeedsMapping, "rows that have nothing for it are refused")
            }
            () if column.is_nullable && is_of_key => (NeedsMapping, "rows that have nothing in it have no key"),
            () => (Harmless, "values are carried as before"),
        },
        (SchemaChangeKind::Keys, ..) => keys(change, before, now, uses),
        // A change of a column is of one that was or is there.
        (SchemaChangeKind::Added | SchemaChangeKind::Retyped | SchemaChangeKind::Nullability, ..) => unused,
    }
}

fn keys(change: &SchemaChange, before: &Seen, now: &Seen, uses: &Uses) -> (DriftEffect, &'static str) {
    let is_identity = uses.side == Side::Left
        && match uses.strategy {
            KeyStrategy::PrimaryKey => change.name == PRIMARY,
            KeyStrategy::UniqueConstraint => Some(&change.name) == uses.constraint.as_ref(),
            KeyStrategy::CompositeColumns | KeyStrategy::Hashed => false,
        };
    let key = uses.key_of(before);
    if is_identity {
        (DriftEffect::Blocks, "it is the key of the definition: every row would be another one")
    } else if before.is_unique(&key) && !now.is_unique(&key) {
        (DriftEffect::NeedsMapping, "nothing keeps two rows from having the same key any more")
    } else if change.is.is_some() && uses.is_written() {
        (DriftEffect::Harmless, "rows that break it are refused")
    } else {
        (DriftEffect::Harmless, "the definition does not go by it")
    }
}

#[cfg(test)]
mod tests;
