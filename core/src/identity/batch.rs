//! Rows in canonical encoding, as they come out of a source: one buffer for all of them.
//!
//! A row is hashed as it stands, so the many rows of a scan that did not change never become values of their own.

use std::ops::Range;

use super::canon::{Encoder, decode, first_length};
use crate::error::{Code, Error, Result};
use crate::model::Datum;

/// Rows of one width, each value in canonical encoding.
///
/// ```
/// use portbook::identity::RowBatch;
/// use portbook::model::Datum;
/// let mut rows = RowBatch::new(2);
/// rows.value(|encoder| encoder.integer(1));
/// rows.value(|encoder| encoder.text("one"));
/// assert_eq!(rows.len(), 1);
/// assert_eq!(rows.row(0).datum(1).unwrap(), Datum::Text("one".into()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RowBatch {
    columns: usize,
    encoder: Encoder,
    /// Where each value ends.
    ends: Vec<usize>,
}

impl RowBatch {
    /// No rows, of that many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, encoder: Encoder::default(), ends: Vec::new() }
    }

    /// Rows of these values.
    ///
    /// # Errors
    /// `internal` when a row has another width.
    pub fn of(columns: usize, rows: &[Vec<Datum>]) -> Result<Self> {
        let mut batch = Self::new(columns);
        rows.iter().try_for_each(|row| batch.push(row))?;
        Ok(batch)
    }

    /// How many columns a row has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many whole rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Whether there is no whole row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the encoded values take.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.encoder.len()
    }

    /// Writes the next value; `write` encodes exactly one.
    #[inline]
    pub fn value(&mut self, write: impl FnOnce(&mut Encoder)) {
        write(&mut self.encoder);
        self.ends.push(self.encoder.len());
    }

    /// Writes the next value, which may turn out to be none; the row it belongs to is then taken back.
    ///
    /// # Errors
    /// What `write` says.
    #[inline]
    pub fn try_value(&mut self, write: impl FnOnce(&mut Encoder) -> Result<()>) -> Result<()> {
        if let Err(error) = write(&mut self.encoder) {
            self.take_back();
            return Err(error);
        }
        self.ends.push(self.encoder.len());
        Ok(())
    }

    /// Adds a row of these values.
    ///
    /// # Errors
    /// `internal` when it has another width.
    pub fn push(&mut self, row: &[Datum]) -> Result<()> {
        if row.len() != self.columns {
            return Err(Error::new(Code::Internal, "keep a row", "").because("it has another number of columns"));
        }
        row.iter().for_each(|value| self.value(|encoder| encoder.datum(value)));
        Ok(())
    }

    /// Adds a row that another batch holds.
    ///
    /// # Errors
    /// `internal` when it has another width.
    pub fn push_row(&mut self, row: RowRef<'_>) -> Result<()> {
        if row.columns() != self.columns {
            return Err(Error::new(Code::Internal, "keep a row", "").because("it has another number of columns"));
        }
        (0..row.columns()).for_each(|column| self.value(|encoder| encoder.raw(row.value(column))));
        Ok(())
    }

    /// Adds a row whose values are encoded one after the other.
    ///
    /// # Errors
    /// `corrupt` when these are not as many values as a row has.
    pub fn push_encoded(&mut self, row: &[u8]) -> Result<()> {
        let mut rest = row;
        for _ in 0..self.columns {
            let length = first_length(rest).inspect_err(|_| self.take_back())?;
            let (value, tail) = rest.split_at(length);
            self.value(|encoder| encoder.raw(value));
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.ends.truncate(self.ends.len() - self.columns);
        self.take_back();
        Err(Error::new(Code::Corrupt, "read a row", "").because("it has more values than columns"))
    }

    /// Takes back what was written of a row that is not whole.
    pub fn take_back(&mut self) {
        let whole = self.len() * self.columns;
        self.ends.truncate(whole);
        self.encoder.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Takes all rows out and keeps their room.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.encoder.clear();
    }

    /// One row.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn row(&self, at: usize) -> RowRef<'_> {
        assert!(at < self.len(), "row {at} of {}", self.len());
        RowRef { batch: self, first: at * self.columns }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = RowRef<'_>> {
        (0..self.len()).map(|at| self.row(at))
    }

    fn start(&self, value: usize) -> usize {
        value.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A row of a [`RowBatch`].
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    batch: &'a RowBatch,
    first: usize,
}

impl<'a> RowRef<'a> {
    /// How many columns it has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.batch.columns
    }

    /// The encoding of one value.
    ///
    /// # Panics
    /// When there are fewer columns.
    #[must_use]
    #[inline]
    pub fn value(&self, column: usize) -> &'a [u8] {
        self.values(column..column + 1)
    }

    /// The encodings of several values that lie side by side.
    ///
    /// # Panics
    /// When there are fewer columns.
    #[must_use]
    #[inline]
    pub fn values(&self, columns: Range<usize>) -> &'a [u8] {
        assert!(columns.end <= self.batch.columns, "column {} of {}", columns.end, self.batch.columns);
        let (from, to) = (self.batch.start(self.first + columns.start), self.batch.start(self.first + columns.end));
        &self.batch.encoder.as_bytes()[from..to]
    }

    /// Whether a value is null.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        self.value(column) == [0]
    }

    /// One value.
    ///
    /// # Errors
    /// `corrupt` when whoever filled the batch wrote no value.
    pub fn datum(&self, column: usize) -> Result<Datum> {
        decode(self.value(column))
    }

    /// All values.
    ///
    /// # Errors
    /// As [`datum`](Self::datum).
    pub fn data(&self) -> Result<Vec<Datum>> {
        (0..self.columns()).map(|column| self.datum(column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::encode;

    #[test]
    fn values_lie_side_by_side() {
        let row = [Datum::Integer(1), Datum::Null, Datum::Text("x".into())];
        let batch = RowBatch::of(3, &[row.to_vec(), row.to_vec()]).unwrap();
        assert_eq!(batch.row(1).values(0..3), row.iter().flat_map(encode).collect::<Vec<u8>>());
        assert_eq!(batch.row(1).data().unwrap(), row);
        assert!(batch.row(0).is_null(1));
    }

    #[test]
    fn a_row_that_fails_leaves_nothing() {
        let mut batch = RowBatch::of(2, &[vec![Datum::Integer(1), Datum::Integer(2)]]).unwrap();
        batch.value(|encoder| encoder.integer(3));
        let refused = batch.try_value(|encoder| {
            encoder.text("half");
            Err(Error::new(Code::Invalid, "read a value", ""))
        });
        assert!(refused.is_err());
        assert_eq!((batch.len(), batch.row(0).data().unwrap().len()), (1, 2));
        batch.push(&[Datum::Integer(5), Datum::Integer(6)]).unwrap();
        assert_eq!(batch.row(1).datum(0).unwrap(), Datum::Integer(5));
    }
}
