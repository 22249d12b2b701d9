//! The ledger of rows: for each row that both sides of a definition agreed on, its identity and what it held on each side.
//!
//! As with files, a row never claims more than what was written: it is committed after the write it vouches for, or says
//! `PENDING` before one that could otherwise be made twice. Writes are returned as parts of a batch, so that the engine commits
//! them together with how far its run has come.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::identity::{RowHash, decode};
use crate::model::{Datum, Id, LedgerRow, LedgerState, Moment, Record, SyncDefinition, TenantId};
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
    pub(crate) async fn table(&self, due: &Due) -> Result<RowTable> {
        let (mut fronts, mut entries) = (Vec::new(), Vec::new());
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
                let (front, mut entry) = entry(row.blob(0)?, optional(&row, 1)?, optional(&row, 2)?, row.text(3)?)?;
                entry.flags |= if row.int(4)? == 1 { DUE } else { 0 };
                fronts.push(front);
                entries.push(entry);
            }
            let Some(last) = rows.iter().last().filter(|_| rows.len() == PAGE) else {
                return Ok(RowTable::of(fronts, entries));
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

/// What the ledger holds of one row, as far as deciding needs it, without what [`RowTable::fronts`] has.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The identity after its front.
    rest: [u8; 24],
    /// The fronts of both hashes. 128 bits are enough to tell that a row is another one than it was; that two rows are the same
    /// one is decided by all of the identity.
    source: Front,
    target: Front,
    flags: u8,
}

type Front = [u8; 16];

const SEEN_SOURCE: u8 = 1;
const SEEN_TARGET: u8 = 2;
const HAS_SOURCE: u8 = 4;
const HAS_TARGET: u8 = 8;
const PENDING: u8 = 16;
const CONFLICT: u8 = 32;
const DUE: u8 = 64;

/// Rows that share a bucket, more or less: their fronts are two lines of the processor's cache.
const BUCKET: usize = 16;

/// The ledger of a definition in memory, sorted by identity: 66 bytes a row.
///
/// What one begins with lies by itself, eight to a cache line, and where to look is said by a table that stays in the cache:
/// finding a row is two waits for memory, not one for every step of a search; and many are looked for at once.
#[derive(Debug)]
pub(crate) struct RowTable {
    /// The first eight bytes of the identities.
    fronts: Vec<u64>,
    entries: Vec<Entry>,
    /// Where the rows of each bucket begin, and the last one ends: buckets are equal shares of all fronts, which are hashes
    /// and so are spread evenly.
    buckets: Vec<usize>,
    /// How many of its bits a front loses to be the number of its bucket.
    shift: u32,
}

/// A row of a [`RowTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(usize);

impl Default for RowTable {
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl RowTable {
    /// The table of these rows, which come in the order of their identities.
    fn of(fronts: Vec<u64>, entries: Vec<Entry>) -> Self {
        let bits = (fronts.len() / BUCKET).max(2).next_power_of_two().trailing_zeros();
        let shift = u64::BITS - bits;
        let mut buckets = Vec::with_capacity((1 << bits) + 1);
        for (at, front) in fronts.iter().enumerate() {
            while buckets.len() as u64 <= front >> shift {
                buckets.push(at);
            }
        }
        buckets.resize((1 << bits) + 1, fronts.len());
        Self { fronts, entries, buckets, shift }
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where that row is.
    pub(crate) fn find(&self, identity: &RowHash) -> Option<At> {
        let (front, rest) = split(identity);
        self.at(self.first_at_least(front, self.bucket(front)), front, &rest)
    }

    /// Where those rows are. Each step is taken for all of them before the next one is: so the waits for memory of many rows
    /// overlap, which is most of what finding takes.
    pub(crate) fn find_all<'i>(&self, identities: impl Iterator<Item = Option<&'i RowHash>>) -> Vec<Option<At>> {
        let wanted: Vec<Option<(u64, [u8; 24])>> = identities.map(|identity| identity.map(split)).collect();
        let buckets: Vec<Range<usize>> =
            wanted.iter().map(|wanted| wanted.map_or(0..0, |(front, _)| self.bucket(front))).collect();
        let places: Vec<usize> = wanted
            .iter()
            .zip(buckets)
            .map(|(wanted, bucket)| wanted.map_or(0, |(front, _)| self.first_at_least(front, bucket)))
            .collect();
        places
            .into_iter()
            .zip(wanted)
            .map(|(first, wanted)| wanted.and_then(|(front, rest)| self.at(first, front, &rest)))
            .collect()
    }

    /// The rows whose fronts are in the bucket of this one.
    fn bucket(&self, front: u64) -> Range<usize> {
        // What is left of a front is below the number of buckets, which have one end more than there are of them.
        let number = (front >> self.shift) as usize;
        self.buckets[number]..self.buckets[number + 1]
    }

    /// Where the fronts begin that are not below this one, in its bucket.
    fn first_at_least(&self, front: u64, bucket: Range<usize>) -> usize {
        bucket.start + self.fronts[bucket].partition_point(|other| *other < front)
    }

    /// The row of that identity, among those from `first` on that have its front.
    fn at(&self, first: usize, front: u64, rest: &[u8; 24]) -> Option<At> {
        let alike = self.fronts[first..].iter().take_while(|other| **other == front).count();
        // Fronts of hashes are hardly ever the same; in a book made by hand they may all be.
        let found = self.entries[first..first + alike].binary_search_by(|entry| entry.rest.cmp(rest));
        found.ok().map(|at| At(first + at))
    }

    /// Notes that the source has the row; whether it was noted before.
    pub(crate) fn see_source(&mut self, at: At) -> bool {
        let was = self.entries[at.0].flags & SEEN_SOURCE != 0;
        self.entries[at.0].flags |= SEEN_SOURCE;
        was
    }

    /// Notes that the target has the row; whether it was noted before.
    pub(crate) fn see_target(&mut self, at: At) -> bool {
        let was = self.entries[at.0].flags & SEEN_TARGET != 0;
        self.entries[at.0].flags |= SEEN_TARGET;
        was
    }

    pub(crate) fn is_seen_at_source(&self, at: At) -> bool {
        self.entries[at.0].flags & SEEN_SOURCE != 0
    }

    pub(crate) fn is_seen_at_target(&self, at: At) -> bool {
        self.entries[at.0].flags & SEEN_TARGET != 0
    }

    /// Whether the source held this when both agreed.
    pub(crate) fn is_source(&self, at: At, hash: &RowHash) -> bool {
        self.entries[at.0].flags & HAS_SOURCE != 0 && hash[..16] == self.entries[at.0].source
    }

    /// Whether the target held this when both agreed.
    pub(crate) fn is_target(&self, at: At, hash: &RowHash) -> bool {
        self.entries[at.0].flags & HAS_TARGET != 0 && hash[..16] == self.entries[at.0].target
    }

    /// Whether a write was begun of which nobody knows whether it arrived.
    pub(crate) fn is_pending(&self, at: At) -> bool {
        self.entries[at.0].flags & PENDING != 0
    }

    /// Whether the row waits for a person.
    pub(crate) fn waits(&self, at: At) -> bool {
        self.entries[at.0].flags & CONFLICT != 0
    }

    /// Whether the row may go to another list though it stays as it is.
    pub(crate) fn is_due(&self, at: At) -> bool {
        self.entries[at.0].flags & DUE != 0
    }

    pub(crate) fn identity(&self, at: At) -> RowHash {
        let mut identity = [0; 32];
        identity[..8].copy_from_slice(&self.fronts[at.0].to_be_bytes());
        identity[8..].copy_from_slice(&self.entries[at.0].rest);
        identity
    }

    /// Every row, in the order of identities.
    pub(crate) fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.entries.len()).map(At)
    }
}

/// What a row of the ledger is in a [`RowTable`].
fn entry(identity: &[u8], source: Option<&[u8]>, target: Option<&[u8]>, state: &str) -> Result<(u64, Entry)> {
    let front = |hash: Option<&[u8]>| hash.and_then(|hash| hash.first_chunk::<16>().copied());
    let (source, target) = (front(source), front(target));
    let mut flags = match LedgerState::parse(state)? {
        LedgerState::Pending => PENDING,
        LedgerState::Confirmed => 0,
        LedgerState::Conflict => CONFLICT,
    };
    flags |= if source.is_some() { HAS_SOURCE } else { 0 } | if target.is_some() { HAS_TARGET } else { 0 };
    let identity: &RowHash = identity.try_into().map_err(|_| corrupt())?;
    let (front, rest) = split(identity);
    Ok((front, Entry { rest, source: source.unwrap_or_default(), target: target.unwrap_or_default(), flags }))
}

/// The front of an identity, in its order, and what follows.
fn split(identity: &RowHash) -> (u64, [u8; 24]) {
    let (mut front, mut rest) = ([0; 8], [0; 24]);
    front.copy_from_slice(&identity[..8]);
    rest.copy_from_slice(&identity[8..]);
    (u64::from_be_bytes(front), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(mut identities: Vec<RowHash>) -> RowTable {
        identities.sort_unstable();
        identities.dedup();
        let rows = identities.iter().map(|identity| entry(identity, Some(identity), None, "CONFIRMED").unwrap());
        let (fronts, entries) = rows.unzip();
        RowTable::of(fronts, entries)
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
            let asked: Vec<Option<&RowHash>> = known.iter().map(Some).chain([None, Some(&other)]).collect();
            let one_by_one: Vec<Option<At>> = asked.iter().map(|identity| table.find((*identity)?)).collect();
            prop_assert_eq!(table.find_all(asked.into_iter()), one_by_one);
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
