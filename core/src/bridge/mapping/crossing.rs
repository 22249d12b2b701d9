//! Rows on their way from one side to the other, and their hashes.

use super::super::projection::Projection;
use super::{Before, Field, Mapping};
use crate::endpoint::LIST;
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowHash, RowRef};
use crate::model::{Datum, Side, Tick};

impl Mapping {
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
            let at = half.hashed_at + at;
            match self.rewritten(side, column) {
                // What never came from here is another value than any that did.
                Some(projection) => match projection.seen(&row.datum(at)?) {
                    Ok(seen) => encoder.datum(&seen),
                    Err(_) => encoder.raw(row.value(at)),
                },
                None => encoder.raw(row.value(at)),
            }
        }
        Ok(half.hasher.hash(encoder.as_bytes()))
    }

    /// What the target would hold of a row of the source.
    ///
    /// # Errors
    /// When a value cannot cross.
    pub(crate) fn pushed_hash(&self, row: RowRef<'_>, now: Tick) -> Result<RowHash> {
        let values = self.carried(Side::Right, row, None, now)?;
        Ok(self.hash_with(Side::Right, &values, Before::Unread))
    }

    /// What a row of `to` hashes to once `written` has come to it. Nothing else is taken for agreed: whoever changes another field
    /// of the row meanwhile has changed it.
    pub(crate) fn hash_with(&self, to: Side, written: &[Datum], before: Before<'_>) -> RowHash {
        let half = &self.halves[to];
        let mut encoder = Encoder::default();
        for column in &half.hashed {
            let value = before.with(half, written, column).unwrap_or(Datum::Null);
            let seen = self.rewritten(to, column).and_then(|projection| projection.seen(&value).ok());
            encoder.datum(&seen.unwrap_or(value));
        }
        half.hasher.hash(encoder.as_bytes())
    }

    /// How the values of a column cross, where they are not hashed as they stand.
    fn rewritten(&self, side: Side, column: &str) -> Option<&Projection> {
        let of_column = |field: &&Field| side == Side::Right && field.target == column;
        self.fields.iter().filter(of_column).map(|field| &field.projection).find(|projection| !projection.is_identity())
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
            if to == Side::Right && column == LIST {
                return self.list_of(&|name| value_of(name).ok(), now);
            }
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

    /// By what a row of the other side is found at `to`, encoded; empty where `to` assigns that itself.
    ///
    /// # Errors
    /// When a value cannot cross.
    pub(crate) fn carried_address(&self, to: Side, row: RowRef<'_>) -> Result<Vec<u8>> {
        let (mut encoder, from) = (Encoder::default(), to.other());
        if self.halves[to].address != self.halves[to].key {
            return Ok(Vec::new());
        }
        for (at, field) in self.key_fields.iter().enumerate() {
            let projection = &self.fields[*field].projection;
            let value = row.datum(self.halves[from].key_at + at)?;
            encoder.datum(&match to {
                Side::Right => projection.push(&value)?,
                Side::Left => projection.pull(&value)?,
            });
        }
        Ok(encoder.into_bytes())
    }
}
