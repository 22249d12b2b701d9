//! A definition as the engine works with it: which columns are read on each side, how they are hashed, how a row of one side
//! becomes a row of the other.
//!
//! Of each side the columns whose changes travel are hashed: of the source those that go to the target; of the target, two
//! ways, those that go to the source, else those that came from it. Changes of other columns are nobody's business, and so two
//! people who change fields of different directions never meet in a conflict.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::conflict::FieldValues;
use super::expression::Expression;
use super::key::{RowKey, show_key};
use super::projection::Projection;
use crate::endpoint::{TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::{ContentHasher, Encoder, IdentityHasher, RowBatch, RowHash, RowRef, encode};
use crate::model::{Datum, FieldDirection, KeyStrategy, LedgerRow, RecordMode, Side, Sides, TenantId, Tick};

/// A field that is kept in step.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The column of the source.
    pub(crate) source: String,
    /// The column of the target.
    pub(crate) target: String,
    /// Which way it goes.
    pub(crate) direction: FieldDirection,
    /// What is made of the source's row for it, instead of its column.
    pub(crate) transform: Option<Expression>,
    /// How a value crosses.
    pub(crate) projection: Projection,
}

impl Field {
    fn goes_to(&self, side: Side) -> bool {
        match (self.direction, side) {
            (FieldDirection::Bidirectional, _) => true,
            (FieldDirection::PushOnly, side) => side == Side::Right,
            (FieldDirection::PullOnly, side) => side == Side::Left,
        }
    }

    fn column(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.source,
            Side::Right => &self.target,
        }
    }
}

/// One side of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Half {
    /// The table.
    pub(crate) table: TableName,
    /// The columns of the key there.
    pub(crate) key: Vec<String>,
    /// The columns that are hashed, sorted.
    pub(crate) hashed: Vec<String>,
    /// What is read of a row: its key, what is hashed, what only comes from the other side, its version.
    pub(crate) scanned: Vec<String>,
    /// The columns that a row of this side gets from one of the other, sorted.
    pub(crate) written: Vec<String>,
    hasher: ContentHasher,
    /// What is read hashes as it stands.
    is_plain: bool,
    has_version: bool,
}

impl Half {
    /// The key of a scanned row, encoded.
    pub(crate) fn key_of<'a>(&self, row: RowRef<'a>) -> &'a [u8] {
        row.values(0..self.key.len())
    }

    fn hashed_of<'a>(&self, row: RowRef<'a>) -> &'a [u8] {
        row.values(self.key.len()..self.key.len() + self.hashed.len())
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

    /// Where a column stands in a scanned row.
    /// Where a column stands in a scanned row.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.scanned.iter().position(|name| name == column)
    }
}

/// A definition, ready to be worked with.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) halves: Sides<Half>,
    pub(crate) mode: RecordMode,
    pub(crate) strategy: KeyStrategy,
    /// The version that hashes made with it are marked with.
    pub(crate) version: i64,
    /// Tells it from other mappings.
    pub(crate) fingerprint: [u8; 32],
    fields: Vec<Field>,
    key: RowKey,
    /// The fields that the columns of the key are, in its order.
    key_fields: Vec<usize>,
    identity: IdentityHasher,
    /// Keys hash as they are read, on either side.
    has_plain_key: Sides<bool>,
}

/// What a mapping is made of.
pub(crate) struct Parts<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) definition: Uuid,
    pub(crate) mode: RecordMode,
    pub(crate) strategy: KeyStrategy,
    pub(crate) key: RowKey,
    pub(crate) fields: Vec<Field>,
    pub(crate) shapes: Sides<&'a TableShape>,
    /// The column of the target that holds the version of a row.
    pub(crate) version_column: Option<&'static str>,
}

impl Mapping {
    /// Checks the parts against each other.
    ///
    /// # Errors
    /// `invalid` when a column of the key is not mapped, a field that is made by a transform should be pulled, or two fields
    /// write one column.
    pub(crate) fn new(parts: Parts<'_>) -> Result<Self> {
        let Parts { tenant, definition, mode, strategy, key, fields, shapes, version_column } = parts;
        let refuse = |what: String, advice: &'static str| {
            Err(Error::new(Code::Invalid, "map", &shapes.left.name).because(what).advise(advice))
        };
        for field in &fields {
            if field.transform.is_some() && field.goes_to(Side::Left) && mode == RecordMode::TwoWay {
                let what = format!("{} is made by a transform, which cannot be turned round", field.target);
                return refuse(what, "let it go to the target only");
            }
        }
        for side in [Side::Left, Side::Right] {
            let mut written = BTreeSet::new();
            for field in fields.iter().filter(|field| field.goes_to(side)) {
                if !written.insert(field.column(side)) {
                    return refuse(format!("two fields go to {}", field.column(side)), "leave one of them out");
                }
            }
        }
        let mut key_fields = Vec::with_capacity(key.columns().len());
        for column in key.columns() {
            let is_it = |field: &Field| field.source == column.name && field.transform.is_none();
            let Some(field) = fields.iter().position(is_it) else {
                return refuse(
                    format!("{} is of the key and is not mapped", column.name),
                    "map every column of the key",
                );
            };
            key_fields.push(field);
        }
        let left_key = key.columns().iter().map(|column| column.name.clone()).collect();
        let right_key = key_fields.iter().map(|field| fields[*field].target.clone()).collect();
        let left = half(Side::Left, &shapes.left.name, left_key, &fields, mode, None)?;
        let right = half(Side::Right, &shapes.right.name, right_key, &fields, mode, version_column)?;
        let identity = IdentityHasher::new(tenant, definition, u32::try_from(key_fields.len()).unwrap_or(u32::MAX));
        let fingerprint = fingerprint(mode, strategy, &fields, &key);
        let is_plain = key.columns().iter().all(|column| !column.collation.folds() && column.is_required);
        let crosses_plainly = key_fields.iter().all(|field| fields[*field].projection.is_identity());
        Ok(Self {
            halves: Sides::new(left, right),
            mode,
            strategy,
            version: 0,
            fingerprint,
            fields,
            key,
            key_fields,
            identity,
            has_plain_key: Sides::new(is_plain, is_plain && crosses_plainly),
        })
    }

    /// Which row it is.
    ///
    /// # Errors
    /// `invalid` when its key is none, or the source could not hold it.
    pub(crate) fn identify(&self, side: Side, row: RowRef<'_>) -> Result<RowHash> {
        let columns = self.key_fields.len();
        if self.has_plain_key[side] && !(0..columns).any(|column| row.is_null(column)) {
            return Ok(self.identity.hash(row.values(0..columns)));
        }
        self.identify_values(&self.source_key(side, row)?)
    }

    fn identify_values(&self, key: &[Datum]) -> Result<RowHash> {
        let mut encoder = Encoder::default();
        self.key.encode_values(key, &mut encoder)?;
        Ok(self.identity.hash(encoder.as_bytes()))
    }

    /// The values of a scanned row's key as the source has them.
    fn source_key(&self, side: Side, row: RowRef<'_>) -> Result<Vec<Datum>> {
        let values = (0..self.key_fields.len()).map(|column| row.datum(column));
        values.zip(&self.key_fields).map(|(value, field)| self.as_source(side, *field, value?)).collect()
    }

    fn as_source(&self, side: Side, field: usize, value: Datum) -> Result<Datum> {
        match side {
            Side::Left => Ok(value),
            Side::Right => self.fields[field].projection.pull(&value),
        }
    }

    /// Which row it is of which only some values are known, and its name.
    pub(crate) fn identify_known(&self, side: Side, known: &[(String, Datum)]) -> Option<(RowHash, String)> {
        let value = |(column, field): (&String, &usize)| {
            let value = known.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone())?;
            self.as_source(side, *field, value).ok()
        };
        let key: Vec<Datum> = self.halves[side].key.iter().zip(&self.key_fields).map(value).collect::<Option<_>>()?;
        Some((self.identify_values(&key).ok()?, show_key(&key)))
    }

    /// A row for people.
    pub(crate) fn name(&self, side: Side, row: RowRef<'_>) -> Result<String> {
        Ok(show_key(&self.source_key(side, row)?))
    }

    /// A row for people, even where its key is none.
    pub(crate) fn label(&self, side: Side, row: RowRef<'_>) -> String {
        self.name(side, row).unwrap_or_else(|_| "a row without a key".to_owned())
    }

    /// What a row holds, as its side has it.
    pub(crate) fn hash(&self, side: Side, row: RowRef<'_>) -> Result<RowHash> {
        let half = &self.halves[side];
        if half.is_plain {
            return Ok(half.hasher.hash(half.hashed_of(row)));
        }
        // A value that the target writes in more ways than one (line ends, places after the point) is taken in the one way in
        // which we write it.
        let mut encoder = Encoder::default();
        for (at, column) in half.hashed.iter().enumerate() {
            let encoded = row.value(half.key.len() + at);
            match self.fields.iter().find(|field| field.column(side) == column && !field.projection.is_identity()) {
                Some(field) if side == Side::Right => {
                    match field.projection.seen(&row.datum(half.key.len() + at)?) {
                        Ok(seen) => encoder.datum(&seen),
                        // What never came from here is another value than any that did.
                        Err(_) => encoder.raw(encoded),
                    }
                }
                Some(_) | None => encoder.raw(encoded),
            }
        }
        Ok(half.hasher.hash(encoder.as_bytes()))
    }

    /// What the target would hold of a row of the source; nothing where that cannot be told without looking.
    ///
    /// # Errors
    /// When a value cannot cross.
    pub(crate) fn pushed_hash(&self, row: RowRef<'_>, now: Tick) -> Result<Option<RowHash>> {
        let values = self.carried(Side::Right, row, None, now)?;
        Ok(self.hash_of(Side::Right, &values))
    }

    /// The hash of what was written to a side, where that is all that is hashed there.
    pub(crate) fn hash_of(&self, side: Side, written: &[Datum]) -> Option<RowHash> {
        let half = &self.halves[side];
        let mut encoder = Encoder::default();
        for column in &half.hashed {
            let at = half.written.binary_search(column).ok()?;
            encoder.datum(&written[at]);
        }
        Some(half.hasher.hash(encoder.as_bytes()))
    }

    /// The values that a scanned row of the other side gives to `to`, in the order of the columns that are written there.
    /// `current` is the scanned row that `to` has: where a value says the same as its own, it keeps what the target cannot
    /// hold of it.
    ///
    /// # Errors
    /// `invalid` with the column when a value cannot cross.
    pub(crate) fn carried(
        &self,
        to: Side,
        row: RowRef<'_>,
        current: Option<RowRef<'_>>,
        now: Tick,
    ) -> Result<Vec<Datum>> {
        let from = to.other();
        let value_of = |column: &str| {
            let at = self.halves[from].place(column);
            at.map_or(Ok(Datum::Null), |at| row.datum(at))
        };
        let one = |column: &String| {
            let field = self.fields.iter().find(|field| field.goes_to(to) && field.column(to) == column);
            let Some(field) = field else {
                return Err(Error::new(Code::Internal, "carry a row to", &self.halves[to].table).because(column));
            };
            match to {
                Side::Right => {
                    let value = match &field.transform {
                        Some(transform) => transform.evaluate(&|name| value_of(name).ok(), now)?,
                        None => value_of(&field.source)?,
                    };
                    field.projection.push(&value)
                }
                Side::Left => {
                    let value = value_of(&field.target)?;
                    let place = self.halves.left.place(&field.source);
                    match current.zip(place) {
                        Some((current, at)) => field.projection.pull_onto(&value, &current.datum(at)?),
                        None => field.projection.pull(&value),
                    }
                }
            }
        };
        self.halves[to].written.iter().map(one).collect()
    }

    /// The key at `to` of a row of the other side, encoded.
    ///
    /// # Errors
    /// When a value cannot cross.
    pub(crate) fn carried_key(&self, to: Side, row: RowRef<'_>) -> Result<Vec<u8>> {
        let mut encoder = Encoder::default();
        for (at, field) in self.key_fields.iter().enumerate() {
            let projection = &self.fields[*field].projection;
            let value = row.datum(at)?;
            encoder.datum(&match to {
                Side::Right => projection.push(&value)?,
                Side::Left => projection.pull(&value)?,
            });
        }
        Ok(encoder.into_bytes())
    }

    /// What both sides have in each field: `rows` are scanned rows, one of each side that has it.
    ///
    /// # Errors
    /// `corrupt` when a row holds no values.
    pub(crate) fn beside(&self, rows: Sides<Option<&RowBatch>>, now: Tick) -> Result<Vec<FieldValues>> {
        let value = |side: Side, column: &str| {
            let place = rows[side].and_then(|row| self.halves[side].place(column).map(|at| row.row(0).datum(at)));
            place.transpose()
        };
        // What cannot cross is not the same as anything.
        let given = rows.left.and_then(|row| self.carried(Side::Right, row.row(0), None, now).ok());
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (left, right) = (value(Side::Left, &field.source)?, value(Side::Right, &field.target)?);
            let pushed = || {
                let at = self.halves.right.written.binary_search(&field.target).ok()?;
                given.as_ref().map(|given| given[at].clone())
            };
            let is_same = if field.goes_to(Side::Right) {
                let seen = right.as_ref().and_then(|value| field.projection.seen(value).ok());
                seen.is_some() && pushed() == seen
            } else {
                right.as_ref().and_then(|value| field.projection.pull(value).ok()) == left
            };
            let (source, target) = (field.source.clone(), field.target.clone());
            fields.push(FieldValues { source, target, values: Sides::new(left, right), is_same });
        }
        fields.sort_by(|one, other| one.target.cmp(&other.target));
        Ok(fields)
    }

    /// Columns of the target whose side a person may choose: those of fields that go both ways, without the key.
    pub(crate) fn chosen_fields(&self) -> BTreeSet<String> {
        let both = |field: &&Field| field.goes_to(Side::Left) && field.goes_to(Side::Right);
        let names = self.fields.iter().filter(both).map(|field| field.target.clone());
        names.filter(|name| !self.halves.right.key.contains(name)).collect()
    }

    /// Keys that are encoded, as rows.
    pub(crate) fn keys<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> Result<RowBatch> {
        let mut batch = RowBatch::new(self.key_fields.len());
        for encoded in keys {
            batch.push_encoded(encoded)?;
        }
        Ok(batch)
    }
}

/// The key of a row at the target, as the ledger keeps it: its encoding in hexadecimal digits.
pub(crate) fn target_key(row: &LedgerRow) -> Option<Vec<u8>> {
    match (&row.target_key, row.sp_item_id) {
        (Some(text), _) => from_hex(text),
        (None, Some(item)) => Some(encode(&Datum::Integer(i128::from(item)))),
        (None, None) => None,
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what [`hex`] writes.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn half(
    side: Side,
    table: &TableName,
    key: Vec<String>,
    fields: &[Field],
    mode: RecordMode,
    version_column: Option<&'static str>,
) -> Result<Half> {
    let written: BTreeSet<&str> =
        fields.iter().filter(|field| field.goes_to(side)).map(|field| field.column(side)).collect();
    let read: BTreeSet<&str> = match (side, mode) {
        (Side::Left, _) | (Side::Right, RecordMode::TwoWay) => {
            fields.iter().filter(|field| field.goes_to(side.other())).flat_map(|field| inputs(field, side)).collect()
        }
        // Where nothing comes back, what came from the source is what may be wrong.
        (Side::Right, RecordMode::OneWayPush | RecordMode::ArchiveOnly) => written.clone(),
    };
    let hashed: Vec<String> = read.iter().map(|&column| column.to_owned()).collect();
    let names: Vec<&str> = hashed.iter().map(String::as_str).collect();
    let hasher = ContentHasher::new(&names)
        .ok_or_else(|| Error::new(Code::Internal, "map", table).because("its columns are out of order"))?;
    let is_plain = side == Side::Left
        || fields.iter().filter(|field| read.contains(field.column(side))).all(|field| field.projection.is_identity());
    let rest = written.iter().filter(|column| !read.contains(*column)).map(|&column| column.to_owned());
    let scanned = key.iter().chain(&hashed).cloned().chain(rest).chain(version_column.map(str::to_owned)).collect();
    let written = written.into_iter().map(str::to_owned).collect();
    let has_version = version_column.is_some();
    Ok(Half { table: table.clone(), key, hashed, scanned, written, hasher, is_plain, has_version })
}

/// The columns of a side that a field is made of.
fn inputs(field: &Field, side: Side) -> Vec<&str> {
    match (&field.transform, side) {
        (Some(transform), Side::Left) => transform.columns().into_iter().collect(),
        (Some(_) | None, _) => vec![field.column(side)],
    }
}

/// Tells a mapping from others: hashes that were made with another one say nothing.
fn fingerprint(mode: RecordMode, strategy: KeyStrategy, fields: &[Field], key: &RowKey) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut text = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    text(mode.as_str());
    text(strategy.as_str());
    for column in key.columns() {
        text(&format!("{column:?}"));
    }
    let mut lines: Vec<String> = fields.iter().map(|field| format!("{field:?}")).collect();
    lines.sort_unstable();
    lines.iter().for_each(|line| text(line));
    digest.finalize().into()
}
