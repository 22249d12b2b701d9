//! One side of a mapping: which columns are read of its rows, and where each stands.

use std::collections::BTreeSet;

use super::{Field, Mapping, Routes};
use crate::endpoint::{Capabilities, LIST, TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::{ContentHasher, RowHash, RowRef};
use crate::model::{Datum, Moment, RecordMode, Side};

/// From 1970 to times that nothing was ever changed at, in seconds: a thousand years.
const CENTURIES: i64 = 1_000 * 366 * 86_400;

/// One side of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Half {
    /// The table.
    pub(crate) table: TableName,
    /// The columns by which rows are asked for and written there: the key, or the one that the store assigns.
    pub(crate) address: Vec<String>,
    /// The columns of the key there; none where rows are told by their marker alone.
    pub(super) key: Vec<String>,
    /// The columns that are hashed, sorted.
    pub(crate) hashed: Vec<String>,
    /// What is read of a row: its address, its marker, its key, what is hashed, what only comes from the other side, its
    /// version.
    pub(crate) scanned: Vec<String>,
    /// The columns that a row of this side gets from one of the other, sorted.
    pub(crate) written: Vec<String>,
    /// The columns that it gets besides when it is made, and never again: their fields go the other way from then on.
    pub(crate) seeded: Vec<String>,
    /// The column of the marker, where rows have one.
    pub(crate) marker: Option<&'static str>,
    /// Where it stands; the table may not have it yet.
    marker_at: Option<usize>,
    pub(super) key_at: usize,
    pub(super) hashed_at: usize,
    pub(super) hasher: ContentHasher,
    /// What is read hashes as it stands.
    pub(super) is_plain: bool,
    has_version: bool,
    /// The column that says when a row was last changed, by where it stands.
    dated_at: Option<usize>,
}

/// What a store has of its own in the rows of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// The columns of the key that it assigns.
    address: Option<Vec<String>>,
    marker: Option<&'static str>,
    has_marker: bool,
    version: Option<&'static str>,
}

impl Own {
    /// Of the table at a side: markers and versions count at the target alone.
    pub(crate) fn of(side: Side, capabilities: &Capabilities, shape: &TableShape) -> Self {
        let marker = capabilities.marker_column().filter(|_| side == Side::Right);
        Self {
            address: capabilities.assigns_keys.then(|| shape.primary_key().to_vec()),
            marker,
            has_marker: marker.is_some_and(|marker| shape.column(marker).is_some()),
            version: capabilities.version_column.filter(|_| side == Side::Right),
        }
    }
}

impl Own {
    /// Whether rows are told by markers.
    pub(super) fn is_marked(&self) -> bool {
        self.marker.is_some()
    }
}

impl Half {
    pub(super) fn new(
        side: Side,
        table: &TableName,
        key: Vec<String>,
        fields: &[Field],
        mode: RecordMode,
        (own, routes): (Own, Option<&Routes>),
    ) -> Result<Self> {
        let mut written: BTreeSet<&str> =
            fields.iter().filter(|field| field.goes_to(side)).map(|field| field.column(side)).collect();
        if side == Side::Right && routes.is_some() {
            written.insert(LIST);
        }
        let mut read: BTreeSet<&str> = match (side, mode) {
            (Side::Left, _) | (Side::Right, RecordMode::TwoWay) => fields
                .iter()
                .filter(|field| field.goes_to(side.other()))
                .flat_map(|field| inputs(field, side))
                .collect(),
            // Where nothing comes back, what came from the source is what may be wrong.
            (Side::Right, RecordMode::OneWayPush | RecordMode::ArchiveOnly) => written.clone(),
        };
        // A row whose list changes is carried though no field of it does.
        if let (Side::Left, Some(routes)) = (side, routes) {
            read.extend(routes.columns());
        }
        let hashed: Vec<String> = read.iter().map(|&column| column.to_owned()).collect();
        let names: Vec<&str> = hashed.iter().map(String::as_str).collect();
        let hasher = ContentHasher::new(&names)
            .ok_or_else(|| Error::new(Code::Internal, "map", table).because("its columns are out of order"))?;
        let of_read = fields.iter().filter(|field| read.contains(field.column(side)));
        let is_plain = side == Side::Left || of_read.clone().all(|field| field.projection.is_identity());
        let Own { address, marker, has_marker, version } = own;
        let is_own_address = address.is_some();
        let address = address.unwrap_or_else(|| key.clone());
        let mut scanned = address.clone();
        let marker_at = has_marker.then_some(scanned.len());
        scanned.extend(marker.filter(|_| has_marker).map(str::to_owned));
        let key_at = if is_own_address { scanned.len() } else { 0 };
        if is_own_address {
            scanned.extend(key.iter().cloned());
        }
        let hashed_at = scanned.len();
        scanned.extend(hashed.iter().cloned());
        scanned.extend(written.iter().filter(|column| !read.contains(*column)).map(|&column| column.to_owned()));
        scanned.extend(version.map(str::to_owned));
        let written = written.into_iter().map(str::to_owned).collect();
        let has_version = version.is_some();
        let table = table.clone();
        Ok(Self {
            table,
            address,
            key,
            hashed,
            scanned,
            written,
            seeded: Vec::new(),
            marker,
            marker_at,
            key_at,
            hashed_at,
            hasher,
            is_plain,
            has_version,
            dated_at: None,
        })
    }

    /// Reads of each row, too, when it was last changed: what that column says is not hashed for it.
    pub(super) fn read_date(&mut self, column: &str) {
        self.dated_at = Some(self.place(column).unwrap_or_else(|| {
            self.scanned.push(column.to_owned());
            self.scanned.len() - 1
        }));
    }

    /// When a scanned row was last changed, where a column says so. A time without a zone counts as one of UTC.
    pub(crate) fn changed_at(&self, row: RowRef<'_>) -> Option<Moment> {
        match row.datum(self.dated_at?).ok()? {
            // What lies further off is no time of a change, and not every book could hold it.
            Datum::Instant(at) | Datum::Timestamp(at) if at.seconds.abs() < CENTURIES => at.micros().map(Moment),
            _ => None,
        }
    }

    /// By what a scanned row is asked for and written, encoded.
    pub(crate) fn address_of<'a>(&self, row: RowRef<'a>) -> &'a [u8] {
        row.values(0..self.address.len())
    }

    pub(super) fn hashed_of<'a>(&self, row: RowRef<'a>) -> &'a [u8] {
        row.values(self.hashed_at..self.hashed_at + self.hashed.len())
    }

    /// The version of a scanned row, where rows have one.
    pub(crate) fn version_of(&self, row: RowRef<'_>) -> Result<Option<String>> {
        if !self.has_version {
            return Ok(None);
        }
        match row.datum(row.columns() - 1)? {
            Datum::Text(version) => Ok(Some(version)),
            _ => Ok(None),
        }
    }

    /// Whether the table has no column yet for the markers of its rows.
    pub(crate) fn lacks_marker(&self) -> bool {
        self.marker.is_some() && self.marker_at.is_none()
    }

    /// Whether it is settled which row of ours a scanned row is: by its marker, where rows have one.
    pub(crate) fn is_marked(&self, row: RowRef<'_>) -> bool {
        self.marker.is_none() || self.marker_at.is_some_and(|at| !row.is_null(at))
    }

    /// Which row its marker says that a scanned row is.
    ///
    /// # Errors
    /// `invalid` when the marker is none that the engine writes.
    pub(super) fn marked(&self, row: RowRef<'_>) -> Result<Option<RowHash>> {
        let Some(at) = self.marker_at.filter(|at| !row.is_null(*at)) else { return Ok(None) };
        read_marker(&row.datum(at)?).map(Some).ok_or_else(|| {
            Error::new(Code::Invalid, "identify a row of", &self.table)
                .because("its marker is none that was written here")
        })
    }

    /// Whether a column is of the key.
    pub(crate) fn is_key(&self, column: &String) -> bool {
        self.key.contains(column) || self.is_fixed(column)
    }

    /// Whether its key says which row a row is.
    pub(crate) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// Where a column stands in a scanned row.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.scanned.iter().position(|name| name == column)
    }
}

impl Mapping {
    /// The marker of a row.
    pub(crate) fn marker(identity: &RowHash) -> Datum {
        Datum::Text(super::hex(identity))
    }
}

pub(super) fn read_marker(marker: &Datum) -> Option<RowHash> {
    let Datum::Text(text) = marker else { return None };
    super::from_hex(text)?.try_into().ok()
}

/// The columns of a side that a field is made of.
fn inputs(field: &Field, side: Side) -> Vec<&str> {
    match (&field.transform, side) {
        (Some(transform), Side::Left) => transform.columns().into_iter().collect(),
        (Some(_) | None, _) => vec![field.column(side)],
    }
}
