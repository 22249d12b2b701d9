//! Large transfers that a later run continues: one row each, from before the first byte until the ledger has the item.

use crate::error::{Code, Error, Result};
use crate::model::{Moment, RelPath, TransferSession};
use crate::store::{Record as _, Statement, Value, Write, Written, select};

use super::Ledger;

const ALL: &str = select!(TransferSession, "WHERE tenant_id = ?1 AND conduit_id = ?2 ORDER BY id");
const OF: &str = select!(TransferSession, "WHERE tenant_id = ?1 AND conduit_id = ?2 AND side = ?3 AND path = ?4");
const BEGIN: &str = "INSERT INTO transfer_session (tenant_id, conduit_id, path, side, generation, tag, source, \
     expires_at, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) RETURNING id";
const TAKE_UP: &str = "UPDATE transfer_session SET attempt = attempt + 1, generation = ?5, expires_at = ?6, updated_at = ?7 \
     WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3 AND attempt = ?4";
const CHECKPOINT: &str = "UPDATE transfer_session SET session = ?5, offset_bytes = ?6, updated_at = ?7 \
     WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3 AND attempt = ?4";
const END: &str = "DELETE FROM transfer_session WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3";

/// A session to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// The agreed path.
    pub path: RelPath,
    /// The side that is written: 1 left, 2 right.
    pub side: i64,
    /// The run's generation.
    pub generation: i64,
    /// Tells its temporary name.
    pub tag: String,
    /// The version that is carried.
    pub source: Vec<u8>,
    /// Until when it is kept.
    pub expires_at: Moment,
    /// Now.
    pub now: Moment,
}

impl Ledger {
    fn of_transfer(&self, more: Vec<Value>) -> Vec<Value> {
        [Value::Uuid(self.tenant.0), Value::Int(self.conduit)].into_iter().chain(more).collect()
    }

    /// Every session of the conduit, oldest first.
    ///
    /// # Errors
    /// As [`Store::query`](crate::store::Store::query).
    pub async fn transfers(&self) -> Result<Vec<TransferSession>> {
        let rows = self.store.query(self.tenant, Statement::new(ALL, self.of_transfer(Vec::new()))).await?;
        rows.iter().map(TransferSession::read).collect()
    }

    /// The session of the item at this path, written on this side.
    ///
    /// # Errors
    /// As [`Store::query`](crate::store::Store::query).
    pub async fn transfer(&self, side: i64, path: &RelPath) -> Result<Option<TransferSession>> {
        let of = self.of_transfer(vec![Value::Int(side), Value::Blob(path.as_bytes().to_vec())]);
        let rows = self.store.query(self.tenant, Statement::new(OF, of)).await?;
        rows.first().map(TransferSession::read).transpose()
    }

    /// Begins a session; the part's answer is its number, see [`transfer_id`](Self::transfer_id).
    #[must_use]
    pub fn begin_transfer(&self, new: &NewTransfer) -> Write {
        Write::Returning(Statement::new(
            BEGIN,
            self.of_transfer(vec![
                Value::Blob(new.path.as_bytes().to_vec()),
                Value::Int(new.side),
                Value::Int(new.generation),
                Value::Text(new.tag.clone()),
                Value::Blob(new.source.clone()),
                Value::Time(new.expires_at.0),
                Value::Time(new.now.0),
            ]),
        ))
    }

    /// The number in the answer to [`begin_transfer`](Self::begin_transfer).
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn transfer_id(written: &Written) -> Result<i64> {
        let none = || Error::new(Code::Corrupt, "begin a transfer", "").because("the book gave no number");
        match written {
            Written::Rows(rows) => rows.first().ok_or_else(none)?.int(0),
            Written::Changed(_) => Err(none()),
        }
    }

    /// Takes a session up as its next attempt; the batch fails (`conflict`) when another run was first.
    #[must_use]
    pub fn take_up_transfer(&self, row: &TransferSession, generation: i64, expires_at: Moment, now: Moment) -> Write {
        let values = vec![
            Value::Int(row.id),
            Value::Int(row.attempt),
            Value::Int(generation),
            Value::Time(expires_at.0),
            Value::Time(now.0),
        ];
        Write::Expect(Statement::new(TAKE_UP, self.of_transfer(values)), 1)
    }

    /// Notes how far a session is; the batch fails (`conflict`) when a later attempt has taken it over.
    #[must_use]
    pub fn checkpoint_transfer(&self, id: i64, attempt: i64, state: Vec<u8>, offset: u64, now: Moment) -> Write {
        let values = vec![
            Value::Int(id),
            Value::Int(attempt),
            Value::Blob(state),
            Value::Int(i64::try_from(offset).unwrap_or(i64::MAX)),
            Value::Time(now.0),
        ];
        Write::Expect(Statement::new(CHECKPOINT, self.of_transfer(values)), 1)
    }

    /// Removes a session: its item is recorded in the same batch, or nothing of it is left.
    #[must_use]
    pub fn end_transfer(&self, id: i64) -> Write {
        Write::Execute(Statement::new(END, self.of_transfer(vec![Value::Int(id)])))
    }
}
