//! Which row a row is: the columns of its key, and the bytes that its identity hash is made of.

mod fold;
mod shown;

use crate::endpoint::{Collation, ColumnShape, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowRef};
use crate::model::{ConstraintType, Datum, KeyStrategy};

pub use shown::{read_key, show_key};

/// A column that was chosen to be part of a key (`sync_key_columns`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// Its name.
    pub name: String,
    /// Whether a row without a value in it has no key.
    pub is_required: bool,
}

/// A column of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// What its texts are equal by.
    pub collation: Collation,
    /// Whether a row without a value in it has no key.
    pub is_required: bool,
}

/// The key of the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey {
    table: String,
    columns: Vec<KeyColumn>,
}

impl RowKey {
    /// The key of a table by a strategy. The constraint is named for [`KeyStrategy::UniqueConstraint`] (a unique index will
    /// do), the parts for [`KeyStrategy::CompositeColumns`]. By [`KeyStrategy::Hashed`] a row is everything it holds, in
    /// columns that it holds itself: a change makes another row of it.
    ///
    /// # Errors
    /// `invalid`, with the reason: no primary key, no such constraint, one that allows nothing in a column, an unknown
    /// column, one of a type that is not carried.
    pub fn resolve(
        table: &TableShape,
        strategy: KeyStrategy,
        constraint: Option<&str>,
        parts: &[KeyPart],
    ) -> Result<Self> {
        let unfit = |reason: String| Error::new(Code::Invalid, "find the key of", &table.name).because(reason);
        let chosen = match strategy {
            KeyStrategy::PrimaryKey => required(table.primary_key()),
            KeyStrategy::UniqueConstraint => {
                let name = constraint.ok_or_else(|| unfit("no unique constraint is named".into()))?;
                required(&unique_columns(table, name).map_err(unfit)?)
            }
            KeyStrategy::CompositeColumns => parts.to_vec(),
            KeyStrategy::Hashed => everything(table),
        };
        if chosen.is_empty() {
            return Err(unfit(
                match strategy {
                    KeyStrategy::PrimaryKey => "it has no primary key",
                    KeyStrategy::UniqueConstraint => "the constraint has no columns",
                    KeyStrategy::CompositeColumns => "no columns are chosen",
                    KeyStrategy::Hashed => "it has no columns that it holds itself",
                }
                .into(),
            )
            .advise("choose another key strategy"));
        }
        let mut columns: Vec<KeyColumn> = Vec::with_capacity(chosen.len());
        for part in chosen {
            let shape = table.column(&part.name).ok_or_else(|| unfit(format!("it has no column {}", part.name)))?;
            if columns.iter().any(|column| column.name == part.name) {
                return Err(unfit(format!("column {} is named twice", part.name)));
            }
            columns.push(key_column(shape, part.is_required, strategy).map_err(unfit)?);
        }
        Ok(Self { table: table.name.to_string(), columns })
    }

    /// Its columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[KeyColumn] {
        &self.columns
    }

    /// Where its columns stand among those of a scan.
    ///
    /// # Errors
    /// `invalid` when one is not among them.
    pub fn places(&self, scanned: &[String]) -> Result<Vec<usize>> {
        let place = |column: &KeyColumn| {
            scanned.iter().position(|name| *name == column.name).ok_or_else(|| {
                Error::new(Code::Invalid, "find the key of", &self.table)
                    .because(format!("column {} is not read", column.name))
            })
        };
        self.columns.iter().map(place).collect()
    }

    /// The values of a row's key as they are, to be shown and to find the row by.
    ///
    /// # Errors
    /// `corrupt` when the row holds no values.
    pub fn values(&self, row: RowRef<'_>, places: &[usize]) -> Result<Vec<Datum>> {
        places.iter().map(|&place| row.datum(place)).collect()
    }

    /// Writes the key of a row for [`IdentityHasher::hash`](crate::identity::IdentityHasher::hash): texts as their collation
    /// compares them.
    ///
    /// # Errors
    /// `invalid` when a column that is required holds nothing, `corrupt` when the row holds no values.
    pub fn encode(&self, row: RowRef<'_>, places: &[usize], into: &mut Encoder) -> Result<()> {
        into.clear();
        for (column, &place) in self.columns.iter().zip(places) {
            if row.is_null(place) && column.is_required {
                return Err(self.missing(column));
            }
            if column.collation.folds() {
                self.folded(column, &row.datum(place)?, into);
            } else {
                into.raw(row.value(place));
            }
        }
        Ok(())
    }

    /// The same of values.
    ///
    /// # Errors
    /// `invalid` when a column that is required holds nothing, or their number is another.
    pub fn encode_values(&self, values: &[Datum], into: &mut Encoder) -> Result<()> {
        into.clear();
        if values.len() != self.columns.len() {
            return Err(self.unidentified().because("its key has another number of columns"));
        }
        for (column, value) in self.columns.iter().zip(values) {
            if *value == Datum::Null && column.is_required {
                return Err(self.missing(column));
            }
            self.folded(column, value, into);
        }
        Ok(())
    }

    fn folded(&self, column: &KeyColumn, value: &Datum, into: &mut Encoder) {
        match value {
            Datum::Text(text) => into.text(&fold::folded(text, &column.collation)),
            other => into.datum(other),
        }
    }

    fn missing(&self, column: &KeyColumn) -> Error {
        self.unidentified().because(format!("there is nothing in column {} of its key", column.name))
    }

    fn unidentified(&self) -> Error {
        Error::new(Code::Invalid, "identify a row of", &self.table)
    }
}

fn required(names: &[String]) -> Vec<KeyPart> {
    names.iter().map(|name| KeyPart { name: name.clone(), is_required: true }).collect()
}

/// The columns of a unique constraint or index.
fn unique_columns(table: &TableShape, name: &str) -> std::result::Result<Vec<String>, String> {
    let is_key = |kind| matches!(kind, ConstraintType::Unique | ConstraintType::PrimaryKey);
    let constraint = table.constraints.iter().find(|constraint| constraint.name == name);
    let index = table.indexes.iter().find(|index| index.name == name);
    match (constraint, index) {
        (Some(constraint), _) if is_key(constraint.constraint_type) => Ok(constraint.columns.clone()),
        (_, Some(index)) if index.is_unique && index.is_plain => Ok(index.columns.clone()),
        (_, Some(index)) if index.is_unique => {
            Err(format!("the index {name} covers some rows only, or more than columns"))
        }
        (None, None) => Err(format!("it has no constraint {name}")),
        _ => Err(format!("the constraint {name} is not a unique one")),
    }
}

/// The columns that rows hold themselves, by name: their order in the table may change without a row changing.
fn everything(table: &TableShape) -> Vec<KeyPart> {
    let held = table.columns.iter().filter(|column| !column.is_computed);
    let mut parts: Vec<_> = held.map(|column| KeyPart { name: column.name.clone(), is_required: false }).collect();
    parts.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
    parts
}

fn key_column(shape: &ColumnShape, is_required: bool, strategy: KeyStrategy) -> std::result::Result<KeyColumn, String> {
    if shape.kind.is_none() {
        return Err(format!("column {} has type {}, which is not carried", shape.name, shape.data_type));
    }
    // Unique constraints let several rows through that have nothing in a column. SQLite does so even in primary keys, and
    // rows there are refused one by one.
    if strategy == KeyStrategy::UniqueConstraint && shape.is_nullable {
        return Err(format!("column {} of the constraint may hold nothing, which is not unique", shape.name));
    }
    // What a row is as a whole is told apart to the letter.
    let collation = if strategy == KeyStrategy::Hashed { Collation::default() } else { shape.collation.clone() };
    Ok(KeyColumn { name: shape.name.clone(), collation, is_required })
}

#[cfg(test)]
mod tests;
