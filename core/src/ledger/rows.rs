//! The ledger of rows: for each row that both sides of a definition agreed on, its identity and what it held on each side.
//!
//! As with files, a row never claims more than what was written: it is committed after the write it vouches for, or says
//! `PENDING` before one that could otherwise be made twice. Writes are returned as parts of a batch, so that the engine commits
//! them together with how far its run has come.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::identity::{RowHash, decode};
use crate::model::{Datum, Id, LedgerRow, LedgerState, Moment, Record, SyncDefinition, TenantId};
use crate::store::{Insert, Statement, Store, Value, Write};

use super::table::{Entry, RowTable};

/// Rows that are read at once.
const PAGE: usize = 20_000;

/// Rows that are asked for by their identity at once.
const ASKED: usize = 250;

/// The ledger of one definition.
#[derive(Clone)]
pub(crate) struct RowLedger {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) definition: Id<SyncDefinition>,
}

impl RowLedger {
    /// All of it, in memory.
    pub(crate) async fn table(&self, due: &Due) -> Result<RowTable> {
        let mut entries = Vec::new();
        let mut after = Value::Blob(Vec::new());
        loop {
            let statement = Statement::new(
                "SELECT source_identity_hash, content_hash, remote_content_hash, state, \
                 CASE WHEN next_route_at <= ?4 OR (?5 <> '' AND (sp_list_id IS NULL OR sp_list_id <> ?5)) THEN 1 ELSE 0 END \
                 FROM sync_ledger WHERE sync_def_id = ?1 AND source_identity_hash > ?2 \
                 ORDER BY source_identity_hash LIMIT ?3",
                vec![Value::Uuid(self.definition.0), after, Value::Int(PAGE as i64), due.now(), due.list()],
            );
            let rows = self.store.query(self.tenant, statement).await?;
            for row in rows.iter() {
                let identity = row.blob(0)?.try_into().map_err(|_| corrupt())?;
                let (source, target) = (optional(&row, 1)?, optional(&row, 2)?);
                let state = LedgerState::parse(row.text(3)?)?;
                entries.push(Entry::new(identity, source, target, state, row.int(4)? == 1));
            }
            let Some(last) = rows.iter().last().filter(|_| rows.len() == PAGE) else {
                return RowTable::of(entries);
            };
            after = Value::Blob(last.blob(0)?.to_vec());
        }
    }

    /// The names of rows that may go to another list though they stay as they are.
    pub(crate) async fn due(&self, due: &Due) -> Result<Vec<String>> {
        let statement = Statement::new(
            "SELECT source_identity FROM sync_ledger WHERE sync_def_id = ?1 \
             AND (next_route_at <= ?2 OR (?3 <> '' AND (sp_list_id IS NULL OR sp_list_id <> ?3))) \
             ORDER BY source_identity_hash",
            vec![Value::Uuid(self.definition.0), due.now(), due.list()],
        );
        let rows = self.store.query(self.tenant, statement).await?;
        rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }

    /// The rows of these identities, in any order; those that the ledger does not have are left out.
    pub(crate) async fn rows(&self, identities: &[RowHash]) -> Result<Vec<LedgerRow>> {
        let mut found = Vec::with_capacity(identities.len());
        for asked in identities.chunks(ASKED) {
            let places: Vec<String> = (0..asked.len()).map(|at| format!("?{}", at + 2)).collect();
            let sql = format!(
                "{} WHERE sync_def_id = ?1 AND source_identity_hash IN ({})",
                LedgerRow::SELECT,
                places.join(", ")
            );
            let mut params = vec![Value::Uuid(self.definition.0)];
            params.extend(asked.iter().map(|identity| Value::Blob(identity.to_vec())));
            let rows = self.store.query(self.tenant, Statement::new(sql, params)).await?;
            for row in rows.iter() {
                found.push(LedgerRow::read(row)?);
            }
        }
        Ok(found)
    }

    /// Whose rows the target has at these addresses, which are encoded.
    pub(crate) async fn at_target<'a>(&self, addresses: impl Iterator<Item = &'a [u8]>) -> Result<Vec<RowHash>> {
        // Items have their numbers as numbers, other rows their addresses as digits.
        let (mut items, mut others) = (Vec::new(), Vec::new());
        for address in addresses {
            match item_at(address) {
                Some(item) => items.push(Value::Int(item)),
                None => others.push(Value::Text(hex(address))),
            }
        }
        let mut found = Vec::new();
        for (column, values) in [("sp_item_id", items), ("target_key", others)] {
            for asked in values.chunks(ASKED) {
                let places: Vec<String> = (0..asked.len()).map(|at| format!("?{}", at + 2)).collect();
                let sql = format!(
                    "SELECT source_identity_hash FROM sync_ledger WHERE sync_def_id = ?1 AND {column} IN ({})",
                    places.join(", ")
                );
                let mut params = vec![Value::Uuid(self.definition.0)];
                params.extend_from_slice(asked);
                for row in self.store.query(self.tenant, Statement::new(sql, params)).await?.iter() {
                    found.push(row.blob(0)?.try_into().map_err(|_| corrupt())?);
                }
            }
        }
        Ok(found)
    }

    /// The rows whose write was begun and of which nobody knows whether it arrived.
    pub(crate) async fn pending(&self) -> Result<Vec<LedgerRow>> {
        let sql =
            format!("{} WHERE sync_def_id = ?1 AND state = 'PENDING' ORDER BY source_identity_hash", LedgerRow::SELECT);
        let rows = self.store.query(self.tenant, Statement::new(sql, vec![Value::Uuid(self.definition.0)])).await?;
        rows.iter().map(LedgerRow::read).collect()
    }

    /// Writes these rows, in the order in which the table keeps them.
    pub(crate) fn put(&self, mut rows: Vec<LedgerRow>) -> Option<Write> {
        rows.sort_unstable_by_key(|row| row.source_identity_hash);
        (!rows.is_empty()).then(|| Write::Insert(Insert::upsert(&rows, 2)))
    }

    /// Forgets these rows.
    pub(crate) fn forget(&self, identities: &[RowHash]) -> Vec<Write> {
        let forget = |identity: &RowHash| {
            Write::Execute(Statement::new(
                "DELETE FROM sync_ledger WHERE sync_def_id = ?1 AND source_identity_hash = ?2",
                vec![Value::Uuid(self.definition.0), Value::Blob(identity.to_vec())],
            ))
        };
        identities.iter().map(forget).collect()
    }
}

/// The item that a target which numbers its rows has at an address.
pub(crate) fn item_at(address: &[u8]) -> Option<i64> {
    match decode(address).ok()? {
        Datum::Integer(item) => i64::try_from(item).ok(),
        _ => None,
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

fn corrupt() -> Error {
    Error::new(Code::Corrupt, "read the ledger of rows", "").because("an identity has another length")
}

fn optional<'a>(row: &crate::store::Row<'a>, column: usize) -> Result<Option<&'a [u8]>> {
    if row.is_null(column) { Ok(None) } else { row.blob(column).map(Some) }
}

/// Which rows are asked for though they stay as they are: those of several lists whose time has come, and in a run that sends
/// all to one list those that lie elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) now: Moment,
    pub(crate) list: Option<String>,
}

impl Due {
    fn now(&self) -> Value {
        Value::Time(self.now.0)
    }

    fn list(&self) -> Value {
        Value::Text(self.list.clone().unwrap_or_default())
    }
}
