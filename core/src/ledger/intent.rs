//! Intents: what is about to be done, on disk before the first effect, removed in the transaction that records the
//! result. What is open when a run starts is what the last one did not finish.

use crate::error::{Code, Error, Result};
use crate::model::PreviewId;
use crate::store::{Row, Statement, Value, Write};

use super::Ledger;

const PUT: &str = "INSERT INTO file_intent \
     (tenant_id, conduit_id, generation, preview_id, kind, first_seq, last_seq, detail, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id";
const REMOVE: &str = "DELETE FROM file_intent WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3";
const OPEN: &str = "SELECT id, generation, preview_id, kind, first_seq, last_seq, detail, created_at FROM file_intent \
     WHERE tenant_id = ?1 AND conduit_id = ?2 ORDER BY id";

/// What an intent stands for. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IntentKind {
    /// A batch of small items.
    Batch = 1,
    /// One large transfer.
    Transfer = 2,
    /// A create on a service that would make a second item if it were repeated.
    Create = 3,
}

impl IntentKind {
    fn from_number(number: i64) -> Option<Self> {
        [Self::Batch, Self::Transfer, Self::Create].into_iter().find(|k| *k as i64 == number)
    }
}

/// An intent to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// The run's generation.
    pub generation: i64,
    /// The preview whose changes are meant; none when `detail` alone says what is done.
    pub preview_id: Option<PreviewId>,
    /// What it stands for.
    pub kind: IntentKind,
    /// The first and the last `seq` of the preview that it covers, both inclusive.
    pub range: Option<(i64, i64)>,
    /// What the engine needs to finish it (the list of items where it is no range, a temporary name, …).
    pub detail: Vec<u8>,
    /// Now, in microseconds since 1970.
    pub created_at: i64,
}

/// An intent of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its number, in the order of writing.
    pub id: i64,
    /// What it says.
    pub what: NewIntent,
}

impl Ledger {
    /// Writes an intent; the part's answer ([`Written::Rows`](crate::store::Written)) is its number, see
    /// [`intent_id`](Self::intent_id).
    #[must_use]
    pub fn put_intent(&self, intent: &NewIntent) -> Write {
        let (first, last) = intent.range.map_or((Value::Null, Value::Null), |(a, b)| (Value::Int(a), Value::Int(b)));
        Write::Returning(Statement::new(
            PUT,
            vec![
                Value::Uuid(self.tenant.0),
                Value::Int(self.conduit),
                Value::Int(intent.generation),
                intent.preview_id.map_or(Value::Null, |id| Value::Uuid(id.0)),
                Value::Int(intent.kind as i64),
                first,
                last,
                Value::Blob(intent.detail.clone()),
                Value::Time(intent.created_at),
            ],
        ))
    }

    /// The number in the answer to [`put_intent`](Self::put_intent).
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn intent_id(written: &crate::store::Written) -> Result<i64> {
        let none = || Error::new(Code::Corrupt, "write an intent", "").because("the book gave no number");
        match written {
            crate::store::Written::Rows(rows) => rows.first().ok_or_else(none)?.int(0),
            crate::store::Written::Changed(_) => Err(none()),
        }
    }

    /// Removes an intent: everything it stood for is recorded, in the same batch.
    #[must_use]
    pub fn remove_intent(&self, id: i64) -> Write {
        let params = vec![Value::Uuid(self.tenant.0), Value::Int(self.conduit), Value::Int(id)];
        Write::Execute(Statement::new(REMOVE, params))
    }

    /// The intents that no run has finished, oldest first.
    ///
    /// # Errors
    /// As [`Store::query`](crate::store::Store::query).
    pub async fn open_intents(&self) -> Result<Vec<Intent>> {
        let ask = Statement::new(OPEN, vec![Value::Uuid(self.tenant.0), Value::Int(self.conduit)]);
        self.store.query(self.tenant, ask).await?.iter().map(intent_of).collect()
    }
}

fn intent_of(row: Row<'_>) -> Result<Intent> {
    let kind = IntentKind::from_number(row.int(3)?)
        .ok_or_else(|| Error::new(Code::Corrupt, "read an intent", row.int(0).unwrap_or(0)))?;
    let what = NewIntent {
        generation: row.int(1)?,
        preview_id: if row.is_null(2) { None } else { Some(PreviewId(row.uuid(2)?)) },
        kind,
        range: if row.is_null(4) { None } else { Some((row.int(4)?, row.int(5)?)) },
        detail: if row.is_null(6) { Vec::new() } else { row.blob(6)?.to_vec() },
        created_at: row.int(7)?,
    };
    Ok(Intent { id: row.int(0)?, what })
}
