//! What both sides of a conduit last agreed on: one row per pair of items, clustered by directory.
//!
//! What always holds: a row never claims more than what is durable on both sides (the engine commits rows only after
//! the data they vouch for); a row is addressed by (parent, name, id), so that a late removal cannot hit a row that took
//! its place, and two rows may have one name for a while in the middle of a swap. Writes are returned as parts of a batch, never run here: the engine commits rows and
//! the removal of their intent together.
//!
//! A name that one side cannot hold lies in that side's state ([`Held::alias`](crate::model::Held)); a table of
//! aliases would say the same a second time.

pub mod codec;
mod intent;
mod rows;
mod table;
mod transfer;

use std::sync::Arc;

pub use intent::{Intent, IntentKind, NewIntent};
pub(crate) use rows::{Due, RowLedger, hex, item_at};
pub(crate) use table::{At, RowTable};
pub use transfer::NewTransfer;

use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Name, Pair, PairId, RelPath, Side, Sides, TenantId};
use crate::store::{Insert, OnConflict, Row, Rows, Statement, Store, Value, Write, Written};

const CHILDREN: &str = "SELECT id, name, kind, content, left_state, right_state FROM file_pair \
     WHERE conduit_id = ?1 AND parent_id = ?2 ORDER BY name";
const BY_KEY: &str = "SELECT id, name, kind, content, left_state, right_state FROM file_pair \
     WHERE conduit_id = ?1 AND parent_id = ?2 AND name = ?3 AND id = ?4";
const COUNT: &str = "SELECT count(*) FROM file_pair WHERE conduit_id = ?1";
const ANY: &str = "SELECT 1 FROM file_pair WHERE conduit_id = ?1 LIMIT 1";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM file_pair WHERE conduit_id = ?1";
// The depth is bounded so that a damaged ledger with a cycle ends.
const ANCESTORS: &str = "WITH RECURSIVE up (parent_id, name, left_state, right_state, depth) AS (\
     SELECT parent_id, name, left_state, right_state, 1 FROM file_pair WHERE conduit_id = ?1 AND kind = 2 AND id = ?2 \
     UNION ALL \
     SELECT p.parent_id, p.name, p.left_state, p.right_state, up.depth + 1 FROM up JOIN file_pair p ON p.id = up.parent_id \
     WHERE p.conduit_id = ?1 AND p.kind = 2 AND up.depth < 4096) \
     SELECT parent_id, name, left_state, right_state FROM up ORDER BY depth";
const REMOVE: &str = "DELETE FROM file_pair WHERE conduit_id = ?1 AND parent_id = ?2 AND name = ?3 AND id = ?4";
const ORPHANS: &str = "DELETE FROM file_pair WHERE conduit_id = ?1 AND parent_id <> 0 AND NOT EXISTS \
     (SELECT 1 FROM file_pair d WHERE d.conduit_id = ?1 AND d.kind = 2 AND d.id = file_pair.parent_id)";
const COLUMNS: &[&str] = &["conduit_id", "parent_id", "name", "id", "kind", "content", "left_state", "right_state"];

/// Names from the root to a directory, each with the other name that a side has for it.
type Way = Vec<(Name, Sides<Option<Name>>)>;

/// The key of a row: its directory, its name there, its number.
pub type PairKey = (PairId, Name, PairId);

/// The file ledger of one conduit.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    tenant: TenantId,
    conduit: i64,
}

impl Ledger {
    /// The ledger of the conduit with that `id`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, tenant: TenantId, conduit: i64) -> Self {
        Self { store, tenant, conduit }
    }

    /// The conduit's `id`.
    #[must_use]
    pub fn conduit(&self) -> i64 {
        self.conduit
    }

    /// What each of these directories holds, in the order asked, each ordered by the bytes of the name. All at one
    /// snapshot, in one hand-over to the store.
    ///
    /// # Errors
    /// `corrupt` when a row does not decode, else as [`Store::query`].
    pub async fn children(&self, parents: &[PairId]) -> Result<Vec<Vec<Pair>>> {
        let ask = |p: &PairId| Statement::new(CHILDREN, vec![Value::Int(self.conduit), Value::Int(p.0)]);
        let pages = self.store.query_many(self.tenant, parents.iter().map(ask).collect()).await?;
        parents.iter().zip(&pages).map(|(parent, rows)| rows.iter().map(|r| pair_of(*parent, r)).collect()).collect()
    }

    /// The rows with these keys, in the order asked; none where there is none.
    ///
    /// # Errors
    /// As [`children`](Self::children).
    pub async fn pair_by_key(&self, keys: &[PairKey]) -> Result<Vec<Option<Pair>>> {
        let ask = |key: &PairKey| Statement::new(BY_KEY, self.key(key));
        let pages = self.store.query_many(self.tenant, keys.iter().map(ask).collect()).await?;
        keys.iter().zip(&pages).map(|(key, rows)| rows.first().map(|r| pair_of(key.0, r)).transpose()).collect()
    }

    /// The agreed path of a directory; none when the ledger has no such directory or it hangs nowhere.
    ///
    /// # Errors
    /// As [`children`](Self::children).
    pub async fn path_of(&self, directory: PairId) -> Result<Option<RelPath>> {
        let ways = self.ways(&[directory]).await?.pop().flatten();
        Ok(ways.map(|way| way.iter().fold(RelPath::root(), |path, (name, _)| path.join(name))))
    }

    /// Where each side has these directories, under the names that it has for them; none where the ledger has no such
    /// directory or it hangs nowhere.
    ///
    /// # Errors
    /// As [`children`](Self::children).
    pub async fn paths_of(&self, directories: &[PairId]) -> Result<Vec<Option<Sides<RelPath>>>> {
        let path = |way: &Way, side: Side| {
            way.iter().fold(RelPath::root(), |path, (name, alias)| path.join(alias[side].as_ref().unwrap_or(name)))
        };
        let ways = self.ways(directories).await?.into_iter();
        Ok(ways.map(|way| way.map(|way| Sides::new(path(&way, Side::Left), path(&way, Side::Right)))).collect())
    }

    /// The names that lead to directories, from the top.
    async fn ways(&self, directories: &[PairId]) -> Result<Vec<Option<Way>>> {
        let ask = |d: &PairId| Statement::new(ANCESTORS, vec![Value::Int(self.conduit), Value::Int(d.0)]);
        let pages = self.store.query_many(self.tenant, directories.iter().map(ask).collect()).await?;
        let mut ways = Vec::with_capacity(directories.len());
        for (directory, rows) in directories.iter().zip(&pages) {
            let mut way: Way = Vec::with_capacity(rows.len());
            for row in rows.iter() {
                let alias = |column| codec::decode(row.blob(column)?).map(|held| held.alias);
                way.push((name_of(row, 1)?, Sides::new(alias(2)?, alias(3)?)));
            }
            way.reverse();
            let top = rows.iter().last().map(|row| row.int(0)).transpose()?;
            let hangs = *directory == PairId::ROOT || top == Some(PairId::ROOT.0);
            ways.push(hangs.then_some(way));
        }
        Ok(ways)
    }

    /// How many rows there are. Reads them all.
    ///
    /// # Errors
    /// As [`Store::query`].
    pub async fn count(&self) -> Result<u64> {
        let count = self.number(COUNT).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Whether there is no row: the first run, or a lost ledger.
    ///
    /// # Errors
    /// As [`Store::query`].
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.one(ANY).await?.is_empty())
    }

    /// The highest pair number in use; 0 when there is none. Reads every row; `sync_conduit.next_pair_id` is the
    /// cheap answer, and this is its check after damage.
    ///
    /// # Errors
    /// As [`Store::query`].
    pub async fn newest_pair(&self) -> Result<PairId> {
        self.number(NEWEST).await.map(PairId)
    }

    /// Writes these rows, each over the row of the same key.
    #[must_use]
    pub fn put(&self, pairs: &[Pair]) -> Write {
        let mut values = Vec::with_capacity(pairs.len() * COLUMNS.len());
        for pair in pairs {
            values.extend([
                Value::Int(self.conduit),
                Value::Int(pair.parent.0),
                Value::Blob(pair.name.as_bytes().to_vec()),
                Value::Int(pair.id.0),
                Value::Int(pair.kind as i64),
                pair.content.map_or(Value::Null, |hash| Value::Blob(hash.0.to_vec())),
                Value::Blob(codec::encode(&pair.held.left)),
                Value::Blob(codec::encode(&pair.held.right)),
            ]);
        }
        Write::Insert(Insert::new("file_pair", COLUMNS.iter().copied(), values, OnConflict::Replace { key: 4 }))
    }

    /// Removes these rows. What lies below a directory is removed by rows of its own.
    #[must_use]
    pub fn remove(&self, rows: &[PairKey]) -> Vec<Write> {
        rows.iter().map(|key| Write::Execute(Statement::new(REMOVE, self.key(key)))).collect()
    }

    /// Removes the rows whose directory has no row, and those beneath them: no scan comes to them any more. A run that
    /// stopped between the removal of a directory and of what had vanished in it leaves such rows.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn remove_orphans(&self) -> Result<()> {
        loop {
            let orphans = Statement::new(ORPHANS, vec![Value::Int(self.conduit)]);
            let written = self.store.write(self.tenant, vec![Write::Execute(orphans)]).await?;
            if !matches!(written.first(), Some(Written::Changed(n)) if *n > 0) {
                return Ok(());
            }
        }
    }

    fn key(&self, (parent, name, id): &PairKey) -> Vec<Value> {
        let name = Value::Blob(name.as_bytes().to_vec());
        vec![Value::Int(self.conduit), Value::Int(parent.0), name, Value::Int(id.0)]
    }

    async fn one(&self, sql: &'static str) -> Result<Rows> {
        self.store.query(self.tenant, Statement::new(sql, vec![Value::Int(self.conduit)])).await
    }

    async fn number(&self, sql: &'static str) -> Result<i64> {
        self.one(sql).await?.first().map_or(Ok(0), |row| row.int(0))
    }
}

/// A row of [`CHILDREN`] or [`BY_KEY`].
fn pair_of(parent: PairId, row: Row<'_>) -> Result<Pair> {
    let content = if row.is_null(3) { None } else { Some(ContentHash(hash_of(row, 3)?)) };
    Ok(Pair {
        id: PairId(row.int(0)?),
        parent,
        name: name_of(row, 1)?,
        kind: Kind::from_number(row.int(2)?).ok_or_else(|| corrupt("a kind is none"))?,
        content,
        held: Sides::new(codec::decode(row.blob(4)?)?, codec::decode(row.blob(5)?)?),
    })
}

fn hash_of(row: Row<'_>, column: usize) -> Result<[u8; 32]> {
    row.blob(column)?.try_into().map_err(|_| corrupt("a hash has another length"))
}

fn name_of(row: Row<'_>, column: usize) -> Result<Name> {
    Name::new(row.blob(column)?).ok_or_else(|| corrupt("a name is none"))
}

fn corrupt(why: &'static str) -> Error {
    Error::new(Code::Corrupt, "read the ledger", "").because(why)
}
