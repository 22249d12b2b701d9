//! A page of rows in one buffer: reading a million rows allocates per page, not per value.

use uuid::Uuid;

use crate::error::{Code, Error, Result};

/// The rows of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    width: usize,
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Bytes { start: usize, length: usize },
}

/// One row of a page; columns are read by their position in the query.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    index: usize,
}

impl Rows {
    /// An empty page for rows of that many columns.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { rows: self, index })
    }

    /// The only row expected, or none.
    #[must_use]
    pub fn first(&self) -> Option<Row<'_>> {
        (!self.is_empty()).then_some(Row { rows: self, index: 0 })
    }

    pub(crate) fn push_null(&mut self) {
        self.cells.push(Cell::Null);
    }

    pub(crate) fn push_int(&mut self, value: i64) {
        self.cells.push(Cell::Int(value));
    }

    pub(crate) fn push_real(&mut self, value: f64) {
        self.cells.push(Cell::Real(value));
    }

    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        self.cells.push(Cell::Bytes { start: self.bytes.len(), length: value.len() });
        self.bytes.extend_from_slice(value);
    }
}

impl<'a> Row<'a> {
    fn cell(&self, column: usize) -> Cell {
        self.rows.cells.get(self.index * self.rows.width + column).copied().unwrap_or(Cell::Null)
    }

    pub(crate) fn wrong(&self, column: usize, wanted: &'static str) -> Error {
        Error::new(Code::Corrupt, "read a row of the book", format!("column {column}"))
            .because(format!("{:?} is not {wanted}", self.cell(column)))
    }

    /// Whether the column has no value.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        self.cell(column) == Cell::Null
    }

    /// An integer, a flag (0 or 1) or a time in microseconds.
    ///
    /// # Errors
    /// `corrupt` when it is something else.
    pub fn int(&self, column: usize) -> Result<i64> {
        match self.cell(column) {
            Cell::Int(value) => Ok(value),
            _ => Err(self.wrong(column, "an integer")),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// `corrupt` when it is something else.
    pub fn real(&self, column: usize) -> Result<f64> {
        match self.cell(column) {
            Cell::Real(value) => Ok(value),
            Cell::Int(value) => Ok(value as f64),
            _ => Err(self.wrong(column, "a number")),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// `corrupt` when it is something else.
    pub fn blob(&self, column: usize) -> Result<&'a [u8]> {
        match self.cell(column) {
            Cell::Bytes { start, length } => Ok(&self.rows.bytes[start..start + length]),
            _ => Err(self.wrong(column, "bytes")),
        }
    }

    /// Text.
    ///
    /// # Errors
    /// `corrupt` when it is something else or not UTF-8.
    pub fn text(&self, column: usize) -> Result<&'a str> {
        std::str::from_utf8(self.blob(column)?).map_err(|_| self.wrong(column, "text"))
    }

    /// An id.
    ///
    /// # Errors
    /// `corrupt` when it is something else.
    pub fn uuid(&self, column: usize) -> Result<Uuid> {
        Uuid::from_slice(self.blob(column)?).map_err(|_| self.wrong(column, "an id"))
    }
}
