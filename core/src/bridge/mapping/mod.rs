//! A definition as the engine works with it: which columns are read on each side, how they are hashed, how a row of one side
//! becomes a row of the other.
//!
//! Of each side the columns whose changes travel are hashed: of the source those that go to the target; of the target, two
//! ways, those that go to the source, else those that came from it. Changes of other columns are nobody's business.

mod beside;
mod crossing;
mod half;
mod one_way;
mod routes;

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::expression::Expression;
use super::key::{RowKey, show_key};
use super::projection::Projection;
use crate::endpoint::TableShape;
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, IdentityHasher, RowBatch, RowHash, RowRef, encode};
use crate::model::{Datum, FieldDirection, KeyStrategy, LedgerRow, RecordMode, Side, Sides, TenantId};

pub(crate) use half::{Half, Own};
pub(crate) use one_way::{Before, Sayings};
pub(crate) use routes::{Routes, listed_item};

pub(crate) use crate::ledger::hex;

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
    /// The fields that the columns of the key are, in its order; none where the target has no key but the markers of its rows.
    key_fields: Vec<usize>,
    identity: IdentityHasher,
    /// Which of several lists a row goes to; nothing where there is one target.
    routes: Option<Routes>,
    has_one_way_fields: bool,
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
    /// What both stores have of their own in rows.
    pub(crate) own: Sides<Own>,
    /// Which of several lists a row goes to; nothing where there is one target.
    pub(crate) routes: Option<Routes>,
    /// The column of the source that says when a row was last changed.
    pub(crate) dated: Option<&'a str>,
}

impl Mapping {
    /// Checks the parts against each other.
    ///
    /// # Errors
    /// `invalid` when a column of the key is not mapped and rows of the target have no markers, a field that is made by a
    /// transform should be pulled, one should be written that its store fills itself, or two fields write one column.
    pub(crate) fn new(parts: Parts<'_>) -> Result<Self> {
        let Parts { tenant, definition, mode, strategy, key, fields, shapes, own, routes, dated } = parts;
        let refuse = |what: String, advice: &'static str| {
            Err(Error::new(Code::Invalid, "map", &shapes.left.name).because(what).advise(advice))
        };
        for field in &fields {
            if field.transform.is_some() && field.goes_to(Side::Left) && mode == RecordMode::TwoWay {
                let what = format!("{} is made by a transform, which cannot be turned round", field.target);
                return refuse(what, "let it go to the target only");
            }
        }
        let is_written = |field: &&Field| {
            let right = shapes.right.column(&field.target).filter(|_| field.goes_to(Side::Right));
            let is_key = key.columns().iter().any(|column| column.name == field.source);
            let goes_back = field.goes_to(Side::Left) && mode == RecordMode::TwoWay && !is_key;
            let left = shapes.left.column(&field.source).filter(|_| goes_back);
            [left, right].into_iter().flatten().any(|column| column.is_computed)
        };
        if let Some(field) = fields.iter().find(is_written) {
            let what = format!("{} to {} would write a column that the store fills itself", field.source, field.target);
            return refuse(what.escape_debug().to_string(), "let it go the other way only (PUSH_ONLY, PULL_ONLY)");
        }
        let unknown = routes.iter().flat_map(Routes::columns).find(|column| shapes.left.column(column).is_none());
        if let Some(unknown) = unknown {
            let what = format!("a rule looks at its column {}, which is not there", unknown.escape_debug());
            return refuse(what, "correct the rule (routes, `sharding_policy`)");
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
            match fields.iter().position(is_it) {
                Some(field) => key_fields.push(field),
                None if own.right.is_marked() => {
                    key_fields.clear();
                    break;
                }
                None => {
                    let what = format!("{} is of the key and is not mapped", column.name);
                    return refuse(what, "map every column of the key");
                }
            }
        }
        let left_key: Vec<String> = key.columns().iter().map(|column| column.name.clone()).collect();
        let right_key = key_fields.iter().map(|field| fields[*field].target.clone()).collect();
        let identity = IdentityHasher::new(tenant, definition, u32::try_from(left_key.len()).unwrap_or(u32::MAX));
        let mut left = Half::new(Side::Left, &shapes.left.name, left_key, &fields, mode, (own.left, routes.as_ref()))?;
        let mut right =
            Half::new(Side::Right, &shapes.right.name, right_key, &fields, mode, (own.right, routes.as_ref()))?;
        if mode == RecordMode::TwoWay {
            left.seeded = one_way::seeded(Side::Left, shapes.left, &fields, &left.written);
            right.seeded = one_way::seeded(Side::Right, shapes.right, &fields, &right.written);
        }
        // One that was dropped is missed by whoever reads by it.
        if let Some(dated) = dated.filter(|dated| shapes.left.column(dated).is_some_and(|column| column.kind.is_some()))
        {
            left.read_date(dated);
        }
        let fingerprint = fingerprint(mode, strategy, &fields, &key, routes.as_ref());
        let is_plain = key.columns().iter().all(|column| !column.collation.folds() && column.is_required);
        let crosses_plainly = key_fields.iter().all(|field| fields[*field].projection.is_identity());
        Ok(Self {
            halves: Sides::new(left, right),
            mode,
            strategy,
            version: 0,
            fingerprint,
            has_one_way_fields: mode == RecordMode::TwoWay && !fields.iter().all(one_way::goes_both_ways),
            fields,
            key,
            key_fields,
            identity,
            routes,
            has_plain_key: Sides::new(is_plain, is_plain && crosses_plainly),
        })
    }

    /// Which row it is: as its marker says, else by its key.
    ///
    /// # Errors
    /// `invalid` when its key is none, or the source could not hold it.
    pub(crate) fn identify(&self, side: Side, row: RowRef<'_>) -> Result<RowHash> {
        match self.halves[side].marked(row)? {
            Some(identity) => Ok(identity),
            None => self.identify_by_key(side, row),
        }
    }

    /// Which row it is by its key, whatever its marker says.
    ///
    /// # Errors
    /// `invalid` when its key is none, or the source could not hold it.
    pub(crate) fn identify_by_key(&self, side: Side, row: RowRef<'_>) -> Result<RowHash> {
        let half = &self.halves[side];
        if !half.has_key() {
            return Err(Error::new(Code::Invalid, "identify a row of", &half.table).because("its key is not mapped"));
        }
        let columns = half.key_at..half.key_at + half.key.len();
        if self.has_plain_key[side] && !columns.clone().any(|column| row.is_null(column)) {
            return Ok(self.identity.hash(row.values(columns)));
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
        let half = &self.halves[side];
        (0..half.key.len()).map(|at| self.as_source(side, at, row.datum(half.key_at + at)?)).collect()
    }

    /// A value of the column of the key at that place.
    fn as_source(&self, side: Side, at: usize, value: Datum) -> Result<Datum> {
        match side {
            Side::Left => Ok(value),
            Side::Right => self.fields[self.key_fields[at]].projection.pull(&value),
        }
    }

    /// Which row it is of which only some values are known, and its name.
    pub(crate) fn identify_known(&self, side: Side, known: &[(String, Datum)]) -> Option<(RowHash, String)> {
        let half = &self.halves[side];
        let of = |column: &str| known.iter().find(|(name, _)| name == column).map(|(_, value)| value);
        let value = |(at, column): (usize, &String)| self.as_source(side, at, of(column)?.clone()).ok();
        let key: Option<Vec<Datum>> = half.key.iter().enumerate().map(value).collect();
        let key = key.filter(|key| !key.is_empty());
        if let Some(marked) = half.marker.and_then(of).and_then(half::read_marker) {
            let address = || half.address.iter().map(|column| of(column).cloned()).collect::<Option<Vec<_>>>();
            return Some((marked, show_key(&key.or_else(address)?)));
        }
        let key = key?;
        Some((self.identify_values(&key).ok()?, show_key(&key)))
    }

    /// Whether a row of the target of which only some values are known is none of ours: rows have markers there, and it has
    /// none.
    pub(crate) fn is_others(&self, known: &[(String, Datum)]) -> bool {
        let is_blank = |marker| known.iter().any(|(name, value)| name == marker && *value == Datum::Null);
        self.halves.right.marker.is_some_and(is_blank)
    }

    /// A row for people: by its key, or by what the store calls it.
    pub(crate) fn name(&self, side: Side, row: RowRef<'_>) -> Result<String> {
        let half = &self.halves[side];
        if half.has_key() {
            return Ok(show_key(&self.source_key(side, row)?));
        }
        let address: Vec<Datum> = (0..half.address.len()).map(|at| row.datum(at)).collect::<Result<_>>()?;
        Ok(show_key(&address))
    }

    /// A row for people, even where its key is none.
    pub(crate) fn label(&self, side: Side, row: RowRef<'_>) -> String {
        self.name(side, row).unwrap_or_else(|_| "a row without a key".to_owned())
    }

    /// What rows of a side are asked for by, encoded, as rows.
    pub(crate) fn addresses<'k>(&self, side: Side, addresses: impl IntoIterator<Item = &'k [u8]>) -> Result<RowBatch> {
        let mut batch = RowBatch::new(self.halves[side].address.len());
        for encoded in addresses {
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

/// Reads what [`hex`] writes.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Tells a mapping from others: hashes that were made with another one say nothing.
fn fingerprint(
    mode: RecordMode,
    strategy: KeyStrategy,
    fields: &[Field],
    key: &RowKey,
    routes: Option<&Routes>,
) -> [u8; 32] {
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
    if let Some(routes) = routes {
        text(&format!("{routes:?}"));
    }
    digest.finalize().into()
}
