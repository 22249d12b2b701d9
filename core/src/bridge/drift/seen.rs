//! A table as a snapshot keeps it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::endpoint::{ColumnShape, TableShape};
use crate::model::ConstraintType;

/// A table as a snapshot keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) columns: Vec<SeenColumn>,
    pub(crate) constraints: Vec<SeenKey>,
    pub(crate) indexes: Vec<SeenKey>,
}

/// A column, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenColumn {
    pub(super) name: String,
    pub(super) data_type: String,
    /// The kind of its values; nothing where they are not carried.
    pub(super) kind: Option<String>,
    pub(super) is_nullable: bool,
    pub(super) default_value: Option<String>,
    pub(super) is_identity: bool,
    pub(super) is_computed: bool,
    pub(super) max_length: Option<u32>,
    pub(super) digits: Option<(u16, u16)>,
    pub(super) second_places: Option<u8>,
    /// The smallest and the largest whole number, in digits: JSON has no numbers of that size.
    pub(super) range: Option<[String; 2]>,
}

/// A key, or an index that keeps rows apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenKey {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) columns: Vec<String>,
}

impl Seen {
    /// A table as it looks now.
    pub(crate) fn of(shape: &TableShape) -> Self {
        let constraint = |of: &crate::endpoint::ConstraintShape| SeenKey {
            name: of.name.clone(),
            kind: of.constraint_type.as_str().to_owned(),
            columns: of.columns.clone(),
        };
        let index = |of: &crate::endpoint::IndexShape| SeenKey {
            name: of.name.clone(),
            kind: if of.is_unique && of.is_plain { "UNIQUE" } else { "INDEX" }.to_owned(),
            columns: of.columns.clone(),
        };
        Self {
            columns: shape.columns.iter().map(SeenColumn::of).collect(),
            constraints: shape.constraints.iter().map(constraint).collect(),
            indexes: shape.indexes.iter().map(index).collect(),
        }
    }

    pub(super) fn column(&self, name: &str) -> Option<&SeenColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn primary_key(&self) -> Option<&SeenKey> {
        self.constraints.iter().find(|key| key.kind == ConstraintType::PrimaryKey.as_str())
    }

    /// What keeps rows apart: the primary key, and every set of columns that is unique, by its name.
    pub(super) fn unique(&self) -> Vec<&SeenKey> {
        let mut unique: Vec<&SeenKey> =
            self.constraints.iter().filter(|key| key.kind == ConstraintType::Unique.as_str()).collect();
        // Most stores have an index for the constraint, by the same name or another.
        for index in self.indexes.iter().filter(|index| index.kind == "UNIQUE") {
            let is_known = |key: &&SeenKey| key.columns == index.columns;
            if !unique.iter().any(is_known) && self.primary_key().is_none_or(|key| key.columns != index.columns) {
                unique.push(index);
            }
        }
        unique
    }

    pub(super) fn is_unique(&self, columns: &BTreeSet<&str>) -> bool {
        let same = |key: &SeenKey| key.columns.iter().map(String::as_str).collect::<BTreeSet<_>>() == *columns;
        self.primary_key().is_some_and(same) || self.unique().into_iter().any(same)
    }
}

impl SeenColumn {
    fn of(shape: &ColumnShape) -> Self {
        Self {
            name: shape.name.clone(),
            data_type: shape.data_type.clone(),
            kind: shape.kind.map(|kind| kind.as_str().to_owned()),
            is_nullable: shape.is_nullable,
            default_value: shape.default_value.clone(),
            is_identity: shape.is_identity,
            is_computed: shape.is_computed,
            max_length: shape.max_length,
            digits: shape.digits,
            second_places: shape.second_places,
            range: shape.traits.range.map(|(low, high)| [low.to_string(), high.to_string()]),
        }
    }

    fn range(&self) -> Option<(i128, i128)> {
        let [low, high] = self.range.as_ref()?;
        Some((low.parse().ok()?, high.parse().ok()?))
    }

    pub(super) fn has_type_of(&self, other: &Self) -> bool {
        let apart = |of: &Self| (of.kind.clone(), of.is_computed, of.max_length, of.digits, of.second_places);
        self.data_type == other.data_type && apart(self) == apart(other)
    }

    /// Its type for people, told from another one.
    pub(super) fn shown(&self, beside: &Self) -> String {
        let mut text = self.data_type.clone();
        if self.data_type == beside.data_type {
            let kind = self.kind.as_deref().unwrap_or("not carried");
            text = format!("{text}, {}{kind}", if self.is_computed { "computed " } else { "" });
            if let (true, Some(length)) = (self.max_length != beside.max_length, self.max_length) {
                text = format!("{text} of at most {length}");
            }
        }
        text
    }

    pub(super) fn nullability(&self) -> &'static str {
        if self.is_nullable { "null" } else { "not null" }
    }

    /// A new row has to be given a value for it.
    pub(super) fn must_be_given(&self) -> bool {
        !self.is_nullable && self.default_value.is_none() && !self.is_identity && !self.is_computed
    }

    /// It holds less than another one of the same kind did.
    pub(super) fn is_narrower(&self, before: &Self) -> bool {
        let less = |now: Option<u32>, was: Option<u32>| now.is_some_and(|now| was.is_none_or(|was| now < was));
        let places = |(all, after): (u16, u16)| (u32::from(all.saturating_sub(after)), u32::from(after));
        let (now, was) = (self.digits.map(places), before.digits.map(places));
        less(self.max_length, before.max_length)
            || less(now.map(|now| now.0), was.map(|was| was.0))
            || less(now.map(|now| now.1), was.map(|was| was.1))
            || less(self.second_places.map(u32::from), before.second_places.map(u32::from))
            || self.range().is_some_and(|now| before.range().is_none_or(|was| now.0 > was.0 || now.1 < was.1))
    }
}
