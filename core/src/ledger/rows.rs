//! The ledger of rows: for each row that both sides of a definition agreed on, its identity and what it held on each side.
//!
//! As with files, a row never claims more than what was written: it is committed after the write it vouches for, or says
//! `PENDING` before one that could otherwise be made twice. Writes are returned as parts of a batch, so that the engine commits
//! them together with how far its run has come.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::identity::{RowHash, decode};
use crate::model::{Datum, Id, LedgerRow, LedgerState, Record, SyncDefinition, TenantId};
use crate::store::{Insert, Statement, Store, Value, Write};

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
    pub(crate) async fn table(&self) -> Result<RowTable> {
        let mut table = RowTable::default();
        let mut after = Value::Blob(Vec::new());
        loop {
            let statement = Statement::new(
                "SELECT source_identity_hash, content_hash, remote_content_hash, state FROM sync_ledger \
                 WHERE sync_def_id = ?1 AND source_identity_hash > ?2 ORDER BY source_identity_hash LIMIT ?3",
                vec![Value::Uuid(self.definition.0), after, Value::Int(PAGE as i64)],
            );
            let rows = self.store.query(self.tenant, statement).await?;
            for row in rows.iter() {
                table.push(row.blob(0)?, optional(&row, 1)?, optional(&row, 2)?, row.text(3)?)?;
            }
            let Some(last) = rows.iter().last().filter(|_| rows.len() == PAGE) else { return Ok(table) };
            after = Value::Blob(last.blob(0)?.to_vec());
        }
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

/// What the ledger holds of one row, as far as deciding needs it: 64 bytes a row.
#[derive(Clone, Copy, Debug)]
struct Entry {
    identity: RowHash,
    /// The fronts of both hashes. 128 bits are enough to tell that a row is another one than it was; that two rows are the same
    /// one is decided by all of the identity.
    source: Front,
    target: Front,
}

type Front = [u8; 16];

const SEEN_SOURCE: u8 = 1;
const SEEN_TARGET: u8 = 2;
const HAS_SOURCE: u8 = 4;
const HAS_TARGET: u8 = 8;
const PENDING: u8 = 16;
const CONFLICT: u8 = 32;

/// The ledger of a definition in memory, sorted by identity. Identities are hashes: where one stands is guessed well.
#[derive(Debug, Default)]
pub(crate) struct RowTable {
    entries: Vec<Entry>,
    flags: Vec<u8>,
}

/// A row of a [`RowTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(usize);

impl RowTable {
    fn push(&mut self, identity: &[u8], source: Option<&[u8]>, target: Option<&[u8]>, state: &str) -> Result<()> {
        let front = |hash: Option<&[u8]>| hash.and_then(|hash| hash.first_chunk::<16>().copied());
        let (source, target) = (front(source), front(target));
        let mut flags = match LedgerState::parse(state)? {
            LedgerState::Pending => PENDING,
            LedgerState::Confirmed => 0,
            LedgerState::Conflict => CONFLICT,
        };
        flags |= if source.is_some() { HAS_SOURCE } else { 0 } | if target.is_some() { HAS_TARGET } else { 0 };
        let identity = identity.try_into().map_err(|_| corrupt())?;
        self.entries.push(Entry { identity, source: source.unwrap_or_default(), target: target.unwrap_or_default() });
        self.flags.push(flags);
        Ok(())
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where that row is.
    pub(crate) fn find(&self, identity: &RowHash) -> Option<At> {
        let (mut low, mut high) = (0, self.entries.len());
        // Identities are spread evenly, so that the place is proportional to the number that one begins with. A few steps of
        // this shrink the range to a handful whatever its size; where they do not (a book made by hand), halving ends it.
        let mut guesses = 0;
        while low < high {
            let at =
                if guesses < 4 && high - low > 16 { self.guess(identity, low, high) } else { low + (high - low) / 2 };
            guesses += 1;
            match self.entries[at].identity.cmp(identity) {
                std::cmp::Ordering::Equal => return Some(At(at)),
                std::cmp::Ordering::Less => low = at + 1,
                std::cmp::Ordering::Greater => high = at,
            }
        }
        None
    }

    fn guess(&self, identity: &RowHash, low: usize, high: usize) -> usize {
        let (first, last) = (front(&self.entries[low].identity), front(&self.entries[high - 1].identity));
        let wanted = front(identity).clamp(first, last);
        let share = u128::from(wanted - first) * (high - 1 - low) as u128 / u128::from((last - first).max(1));
        low + usize::try_from(share).unwrap_or(0).min(high - 1 - low)
    }

    /// Notes that the source has the row; whether it was noted before.
    pub(crate) fn see_source(&mut self, at: At) -> bool {
        let was = self.flags[at.0] & SEEN_SOURCE != 0;
        self.flags[at.0] |= SEEN_SOURCE;
        was
    }

    /// Notes that the target has the row; whether it was noted before.
    pub(crate) fn see_target(&mut self, at: At) -> bool {
        let was = self.flags[at.0] & SEEN_TARGET != 0;
        self.flags[at.0] |= SEEN_TARGET;
        was
    }

    pub(crate) fn is_seen_at_source(&self, at: At) -> bool {
        self.flags[at.0] & SEEN_SOURCE != 0
    }

    pub(crate) fn is_seen_at_target(&self, at: At) -> bool {
        self.flags[at.0] & SEEN_TARGET != 0
    }

    /// Whether the source held this when both agreed.
    pub(crate) fn is_source(&self, at: At, hash: &RowHash) -> bool {
        self.flags[at.0] & HAS_SOURCE != 0 && hash[..16] == self.entries[at.0].source
    }

    /// Whether the target held this when both agreed.
    pub(crate) fn is_target(&self, at: At, hash: &RowHash) -> bool {
        self.flags[at.0] & HAS_TARGET != 0 && hash[..16] == self.entries[at.0].target
    }

    /// Whether a write was begun of which nobody knows whether it arrived.
    pub(crate) fn is_pending(&self, at: At) -> bool {
        self.flags[at.0] & PENDING != 0
    }

    /// Whether the row waits for a person.
    pub(crate) fn waits(&self, at: At) -> bool {
        self.flags[at.0] & CONFLICT != 0
    }

    pub(crate) fn identity(&self, at: At) -> RowHash {
        self.entries[at.0].identity
    }

    /// Every row, in the order of identities.
    pub(crate) fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.entries.len()).map(At)
    }
}

fn front(identity: &RowHash) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&identity[..8]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(mut identities: Vec<RowHash>) -> RowTable {
        identities.sort_unstable();
        identities.dedup();
        let mut table = RowTable::default();
        for identity in identities {
            table.push(&identity, Some(&identity), None, "CONFIRMED").unwrap();
        }
        table
    }

    /// Hashes, and identities that look like none: all close together, or the same up to the last byte.
    fn identities() -> impl Strategy<Value = Vec<RowHash>> {
        let crowded = any::<u8>().prop_map(|last| {
            let mut identity = [7; 32];
            identity[31] = last;
            identity
        });
        proptest::collection::vec(prop_oneof![any::<RowHash>(), crowded], 0..200)
    }

    proptest! {
        #[test]
        fn what_is_in_it_is_found_and_nothing_else(known in identities(), other in any::<RowHash>()) {
            let table = table(known.clone());
            for identity in &known {
                let at = table.find(identity).unwrap();
                prop_assert_eq!(&table.identity(at), identity);
                prop_assert!(table.is_source(at, identity));
                prop_assert!(!table.is_target(at, identity));
            }
            prop_assert_eq!(table.find(&other).is_some(), known.contains(&other));
        }
    }

    #[test]
    fn a_row_seen_twice_says_so() {
        let mut table = table(vec![[1; 32]]);
        let at = table.find(&[1; 32]).unwrap();
        assert!(!table.see_source(at));
        assert!(table.see_source(at));
        assert!(!table.is_seen_at_target(at));
    }
}
