//! Rows that both sides changed and that wait for a person (`sync_row_conflict`).
//!
//! The book keeps which row it is and hashes of what each side showed, never what the rows hold: whoever looks at a conflict sees the
//! rows as they are now. A decision is about what was looked at (its mark). The next preview carries it out like any other
//! change, provided that both sides still are what they were; if one moved on, the decision comes to nothing and the row waits.
//! A conflict is forgotten when the row was carried, or when a run no longer meets it.

mod decision;
mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

pub(crate) use self::decision::{Decisions, decisions};
use self::decision::{choice, hash, written};
pub(crate) use self::kept::{carried, failed, forget_unmet, merges, waiting, waits};
use super::mapping::hex;
use super::open::Opened;
use super::{Definition, DefinitionInner};
use crate::endpoint::Endpoint;
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowHash};
use crate::model::{Datum, Side, Sides, UserId};
use crate::operation::clock::{from_micros, micros};
use crate::store::{Row, Statement, Value, Write};

/// What is to become of a row that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChoice {
    /// The source's row counts; where the source has none any more, the target's goes.
    Source,
    /// The target's row counts; where the target has none any more, the source's goes.
    Target,
    /// Both sides get a row of both: these columns, by their names at the target, as that side has them; all others as the source has
    /// them.
    Fields(BTreeMap<String, Side>),
}

/// A row that both sides changed and that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowConflict {
    /// Names it, in this definition.
    pub id: String,
    /// The row, by its key.
    pub row: String,
    /// Which sides have the row; one that does not has deleted it.
    pub is_there: Sides<bool>,
    /// Names what both sides showed: give it back with the decision.
    pub mark: String,
    /// When a run met it first.
    pub created_at: DateTime<Utc>,
    /// When a run met it last.
    pub met_at: DateTime<Utc>,
    /// What was decided, and is not carried out yet.
    pub choice: Option<RowChoice>,
    /// When that was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided it; nothing once that user is gone.
    pub decided_by: Option<UserId>,
    /// Why the last decision came to nothing.
    pub note: Option<String>,
}

/// A conflict with what both sides hold now.
#[derive(Clone, Debug, PartialEq)]
pub struct RowInspection {
    /// The conflict.
    pub conflict: RowConflict,
    /// The fields, in the order of their names at the target.
    pub fields: Vec<FieldValues>,
}

/// What both sides have in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldValues {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Their values; nothing where the side has no such row.
    pub values: Sides<Option<Datum>>,
    /// Whether the target holds what it would be given.
    pub is_same: bool,
}

/// Names what both sides showed.
fn mark(source: Option<RowHash>, target: Option<RowHash>) -> String {
    let mut digest = Sha256::new();
    for side in [source, target] {
        digest.update([u8::from(side.is_some())]);
        digest.update(side.unwrap_or_default());
    }
    digest.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const COLUMNS: &str = "SELECT source_identity_hash, source_identity, source_hash, target_hash, created_at, met_at, choice, \
                       decided_at, decided_by, note, source_key, target_key FROM sync_row_conflict WHERE sync_def_id = ?1";

fn read(row: &Row<'_>) -> Result<RowConflict> {
    let (source, target) = (hash(row, 2)?, hash(row, 3)?);
    let optional =
        |column| if row.is_null(column) { Ok(None) } else { row.int(column).map(|at| Some(from_micros(at))) };
    Ok(RowConflict {
        id: hex(row.blob(0)?),
        row: row.text(1)?.to_owned(),
        is_there: Sides::new(source.is_some(), target.is_some()),
        mark: mark(source, target),
        created_at: from_micros(row.int(4)?),
        met_at: from_micros(row.int(5)?),
        choice: if row.is_null(6) { None } else { choice(row.text(6)?) },
        decided_at: optional(7)?,
        decided_by: if row.is_null(8) { None } else { Some(UserId::new(row.uuid(8)?)) },
        note: if row.is_null(9) { None } else { Some(row.text(9)?.to_owned()) },
    })
}

fn missing(id: &str) -> Error {
    Error::new(Code::NotFound, "find the conflict", id.escape_debug())
        .because("no row of this definition waits by this id")
}

/// A conflict, with the keys of its row.
struct Found {
    conflict: RowConflict,
    keys: Sides<Option<Vec<u8>>>,
}

impl DefinitionInner {
    async fn conflict(&self, id: &str) -> Result<Found> {
        let identity = super::mapping::from_hex(id).filter(|hash| hash.len() == 32).ok_or_else(|| missing(id))?;
        let ask = Statement::new(
            format!("{COLUMNS} AND source_identity_hash = ?2"),
            vec![Value::Uuid(self.id.0), Value::Blob(identity)],
        );
        let rows = self.book.store.query(self.tenant, ask).await?;
        let row = rows.first().ok_or_else(|| missing(id))?;
        let key = |column| if row.is_null(column) { Ok(None) } else { row.blob(column).map(|key| Some(key.to_vec())) };
        Ok(Found { conflict: read(&row)?, keys: Sides::new(key(10)?, key(11)?) })
    }

    async fn conflicts(&self, after: Option<String>, limit: usize) -> Result<Vec<RowConflict>> {
        let none = || Error::new(Code::Invalid, "list conflicts", "").because("those after what is no id");
        let after = after.map_or(Ok(Vec::new()), |id| super::mapping::from_hex(&id).ok_or_else(none))?;
        let ask = Statement::new(
            format!("{COLUMNS} AND source_identity_hash > ?2 ORDER BY source_identity_hash LIMIT ?3"),
            vec![
                Value::Uuid(self.id.0),
                Value::Blob(after),
                Value::Int(i64::try_from(limit.min(1000)).unwrap_or(1000)),
            ],
        );
        let rows = self.book.store.query(self.tenant, ask).await?;
        rows.iter().map(|row| read(&row)).collect()
    }

    async fn inspect(&self, id: &str) -> Result<RowInspection> {
        let Found { conflict, keys } = self.conflict(id).await?;
        let opened = self.ready().await?;
        let mut rows = Sides::new(None, None);
        for side in [Side::Left, Side::Right] {
            if let Some(key) = &keys[side] {
                rows[side] = one_row(&opened, &*opened.endpoints[side], side, key).await?;
            }
        }
        let fields = opened.mapping.beside(rows.as_ref().map(Option::as_ref), opened.now())?;
        Ok(RowInspection { conflict, fields })
    }

    async fn resolve(&self, id: &str, mark: &str, choice: RowChoice) -> Result<()> {
        let Found { conflict, .. } = self.conflict(id).await?;
        let action = "decide about the row";
        if conflict.mark != mark {
            return Err(Error::new(Code::Stale, action, &conflict.row)
                .because("it is not what was looked at any more")
                .advise("look at it again"));
        }
        if let RowChoice::Fields(fields) = &choice {
            let refuse = |why: String| Err(Error::new(Code::Invalid, action, &conflict.row).because(why));
            if conflict.is_there != Sides::new(true, true) {
                return refuse("one side has deleted it: there are no fields to choose from".into());
            }
            let known: BTreeSet<String> = self.ready().await?.mapping.chosen_fields();
            if let Some(unknown) = fields.keys().find(|name| !known.contains(*name)) {
                return refuse(format!("no field that goes both ways ends in the column {}", unknown.escape_debug()));
            }
        }
        let decide = Statement::new(
            "UPDATE sync_row_conflict SET choice = ?3, decided_at = ?4, decided_by = ?5, note = NULL, merged_hash = NULL \
             WHERE sync_def_id = ?1 AND source_identity_hash = ?2 AND met_at = ?6",
            vec![
                Value::Uuid(self.id.0),
                Value::Blob(super::mapping::from_hex(id).unwrap_or_default()),
                Value::Text(written(&choice)),
                Value::Time(micros(self.book.clock.now())),
                Value::Uuid(self.user.0),
                Value::Time(micros(conflict.met_at)),
            ],
        );
        match self.book.store.write(self.tenant, vec![Write::Expect(decide, 1)]).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Code::Conflict => Err(Error::new(Code::Stale, action, &conflict.row)
                .because("a run has met it meanwhile")
                .advise("look at it again")),
            Err(error) => Err(error),
        }
    }
}

/// A row of a side, as a scan gives it.
async fn one_row(opened: &Opened, endpoint: &dyn Endpoint, side: Side, key: &[u8]) -> Result<Option<RowBatch>> {
    let half = &opened.mapping.halves[side];
    let keys = opened.mapping.addresses(side, [key])?;
    let page = endpoint.fetch(&half.table, &half.scanned, &half.address, &keys).await?;
    match page.refused.into_iter().next() {
        Some(refused) => Err(refused.error),
        None => Ok((!page.rows.is_empty()).then_some(page.rows)),
    }
}

impl Definition {
    /// The rows that wait for a person, after the one of that id; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is no id; `storage`, `busy`.
    pub async fn conflicts(&self, after: Option<String>, limit: usize) -> Result<Vec<RowConflict>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.conflicts(after, limit).await }).await
    }

    /// A row that waits, with what both sides hold in its fields now.
    ///
    /// # Errors
    /// `not_found` when no row waits by this id; as [`preview`](Self::preview).
    pub async fn inspect_conflict(&self, id: impl Into<String>) -> Result<RowInspection> {
        let (inner, id) = (self.inner.clone(), id.into());
        self.inner.book.run(async move { inner.inspect(&id).await }).await
    }

    /// Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of the conflict that was
    /// looked at. The next preview shows what was decided, and applying it carries it out; if a side has changed its row by then, the
    /// decision comes to nothing, with a [`note`](RowConflict::note), and the row waits on.
    ///
    /// # Errors
    /// `not_found` when no row waits by this id; `stale` when it is not what was looked at any more; `invalid` for fields of a row that
    /// one side has deleted, or for one that does not go both ways.
    pub async fn resolve_conflict(
        &self,
        id: impl Into<String>,
        mark: impl Into<String>,
        choice: RowChoice,
    ) -> Result<()> {
        let (inner, id, mark) = (self.inner.clone(), id.into(), mark.into());
        self.inner.book.run(async move { inner.resolve(&id, &mark, choice).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_nothing_from_something() {
        let hash = Some([1; 32]);
        assert_ne!(mark(None, hash), mark(hash, None));
        assert_ne!(mark(None, hash), mark(Some([0; 32]), hash));
    }
}
