//! Which side changed a row last, by a column of each that says when.

use std::time::Duration;

use super::delta::Later;
use super::mapping::Mapping;
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::identity::RowRef;
use crate::model::{Datum, Id, Side, Sides, SyncDefinition, TenantId, Tick};
use crate::store::{Row, Statement, Value, Write};

/// The columns that say when a row was last changed: by them *the last change wins*. Both have to be mapped, and hold points in time
/// or dates with times, which are then taken to be of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordClock {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Changes that are no further apart may have been made in either order: how far the clocks of both sides may be off.
    pub skew: Duration,
    /// Whose change counts then, and where a side does not say when.
    pub tie: Side,
}

impl RecordClock {
    /// By these columns; changes within a second are told apart by nothing, and the source's counts.
    pub fn new(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self { source: source.into(), target: target.into(), skew: Duration::from_secs(1), tie: Side::Left }
    }

    fn column(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.source,
            Side::Right => &self.target,
        }
    }

    /// When a scanned row of a side was changed.
    pub(crate) fn read(&self, mapping: &Mapping, side: Side, row: RowRef<'_>) -> Option<Tick> {
        let at = mapping.halves[side].place(self.column(side))?;
        match row.datum(at).ok()? {
            Datum::Instant(at) | Datum::Timestamp(at) => Some(at),
            _ => None,
        }
    }

    /// Which of both was changed last; nothing where that cannot be told.
    pub(crate) fn later(&self, at: Sides<Option<Tick>>) -> Later {
        let nanos = |at: Tick| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
        let (left, right) = (nanos(at.left?), nanos(at.right?));
        let skew = i128::try_from(self.skew.as_nanos()).unwrap_or(i128::MAX);
        match left - right {
            apart if apart > skew => Some(Side::Left),
            apart if apart < -skew => Some(Side::Right),
            _ => None,
        }
    }

    /// That both columns are read.
    ///
    /// # Errors
    /// `invalid` when one is not mapped.
    pub(crate) fn check(&self, mapping: &Mapping) -> Result<()> {
        for side in [Side::Left, Side::Right] {
            let half = &mapping.halves[side];
            if half.place(self.column(side)).is_none() {
                return Err(Error::new(Code::Invalid, "tell the last change of", &half.table)
                    .because(format!("its column {} is not mapped", self.column(side).escape_debug()))
                    .advise("map the column that says when a row was changed, or name another one"));
            }
        }
        Ok(())
    }

    /// Of four columns of `sync_definition_state`, from that one on.
    pub(crate) fn of_row(row: &Row<'_>, from: usize) -> Result<Option<Self>> {
        if row.is_null(from) || row.is_null(from + 1) {
            return Ok(None);
        }
        let skew = Duration::from_millis(u64::try_from(row.int(from + 2)?).unwrap_or_default());
        let tie = if row.text(from + 3)? == "TARGET" { Side::Right } else { Side::Left };
        Ok(Some(Self { source: row.text(from)?.to_owned(), target: row.text(from + 1)?.to_owned(), skew, tie }))
    }
}

/// Sets the clock of a definition.
pub(crate) async fn set(
    book: &BookInner,
    tenant: TenantId,
    id: Id<SyncDefinition>,
    clock: Option<&RecordClock>,
) -> Result<()> {
    let text = |of: Option<&str>| of.map_or(Value::Null, |text| Value::Text(text.to_owned()));
    let millis = clock.map_or(0, |clock| i64::try_from(clock.skew.as_millis()).unwrap_or(i64::MAX));
    let tie = if clock.is_some_and(|clock| clock.tie == Side::Right) { "TARGET" } else { "SOURCE" };
    let set = Statement::new(
        "UPDATE sync_definition_state SET source_clock = ?3, target_clock = ?4, clock_skew_ms = ?5, clock_tie = ?6 \
         WHERE tenant_id = ?1 AND sync_def_id = ?2",
        vec![
            Value::Uuid(tenant.0),
            Value::Uuid(id.0),
            text(clock.map(|clock| clock.source.as_str())),
            text(clock.map(|clock| clock.target.as_str())),
            Value::Int(millis),
            text(Some(tie)),
        ],
    );
    book.store.write(tenant, vec![Write::Execute(set)]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_within_the_skew_are_a_tie() {
        let clock = RecordClock::new("a", "b");
        let at = |seconds, nanos| Some(Tick { seconds, nanos });
        for (left, right, later) in [
            (at(10, 0), at(8, 999_999_999), Some(Side::Left)),
            (at(10, 0), at(9, 0), None),
            (at(9, 0), at(10, 0), None),
            (at(-5, 0), at(-3, 999_999_999), Some(Side::Right)),
            (None, at(1, 0), None),
            (at(1, 0), None, None),
        ] {
            assert_eq!(clock.later(Sides::new(left, right)), later, "{left:?} {right:?}");
        }
    }
}
