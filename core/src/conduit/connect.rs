//! Finding or making the conduit of two places.

use std::sync::Arc;

use uuid::Uuid;

use crate::book::BookInner;
use crate::delta::{Limits, MaxDelete};
use crate::error::{Code, Error, Result};
use crate::model::{self, ConduitId, ConflictPolicy, NameClash, Side, Sides, SyncMode, TenantId, UserId, Verify};
use crate::operation::clock::micros;
use crate::provider::Bandwidth;
use crate::store::{Record, Statement, Value, Write, select};

use super::filter::Filters;
use super::place::{Place, apart};
use super::{Conduit, ConduitInner};

/// Bytes in a megabit, the unit of `sync_conduit.bandwidth_limit_mbps`.
const MEGABIT: u64 = 125_000;

/// What a conduit does. Asked for anew each time; the conduit remembers what was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConduitOptions {
    /// Mirror, bidirectional or selective.
    pub mode: SyncMode,
    /// Who wins a conflict; `None`: source-wins for mirror and selective, keep-both for bidirectional.
    pub conflict: Option<ConflictPolicy>,
    /// What becomes of names that one side cannot hold or cannot tell apart.
    pub name_clash: NameClash,
    /// Which items take part.
    pub filters: Filters,
    /// Mirror mode: what the ledger never knew at the target is removed there.
    pub exact: bool,
    /// Deletions before a guard stops the run; `None`: half of at least ten items. Given explicitly, it also stands for
    /// the confirmation that *exact* without a ledger asks for.
    pub max_delete: Option<MaxDelete>,
    /// What is looked at after a run.
    pub verify: Verify,
    /// Transfers at once.
    pub transfers: u32,
    /// How many bytes may pass in a second; a rate is remembered in whole megabits, rounded up.
    pub bandwidth: Option<Bandwidth>,
}

impl Default for ConduitOptions {
    fn default() -> Self {
        Self {
            mode: SyncMode::Mirror,
            conflict: None,
            name_clash: NameClash::Skip,
            filters: Filters::default(),
            exact: false,
            max_delete: None,
            verify: Verify::Size,
            transfers: 3,
            bandwidth: None,
        }
    }
}

impl ConduitOptions {
    /// The policy in force.
    pub(crate) fn policy(&self) -> ConflictPolicy {
        self.conflict.unwrap_or(match self.mode {
            SyncMode::Mirror | SyncMode::Selective => ConflictPolicy::SourceWins,
            SyncMode::Bidirectional => ConflictPolicy::KeepBoth,
        })
    }
}

/// Finds the conduit of these two places, in either direction, or makes it; its attributes become what is asked.
pub(crate) async fn connect(
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    places: Sides<Place>,
    options: ConduitOptions,
) -> Result<Conduit> {
    options.filters.compile(None)?;
    let places = Sides::new(places.left.canonical()?, places.right.canonical()?);
    apart(&places)?;
    let volume = local_volume(&book, tenant).await?;
    let left = entry(&book, tenant, volume, &places.left).await?;
    let right = entry(&book, tenant, volume, &places.right).await?;
    let (id, uuid, swapped) = match find(&book, tenant, left, right).await? {
        Some(found) => found,
        None => {
            create(&book, tenant, left, right, &options).await?;
            find(&book, tenant, left, right).await?.ok_or_else(|| {
                Error::new(Code::Internal, "make the conduit", "").because("the book does not show it")
            })?
        }
    };
    remember(&book, tenant, id, &options).await?;
    Ok(Conduit { inner: Arc::new(ConduitInner { book, tenant, user, id, uuid, places, swapped, options }) })
}

/// The conduit of these two places as the book remembers it, if there is one in either direction.
pub(crate) async fn existing(
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    places: Sides<Place>,
) -> Result<Option<Conduit>> {
    let places = Sides::new(places.left.canonical()?, places.right.canonical()?);
    let mut ends = Sides::default();
    for side in Side::BOTH {
        ends[side] = known_entry(&book, tenant, &places[side]).await?;
    }
    let (Some(left), Some(right)) = (ends.left, ends.right) else { return Ok(None) };
    let Some((id, uuid, swapped)) = find(&book, tenant, left, right).await? else { return Ok(None) };
    let options = remembered(&book, tenant, id).await?;
    Ok(Some(Conduit { inner: Arc::new(ConduitInner { book, tenant, user, id, uuid, places, swapped, options }) }))
}

/// The attributes that the conduit was given last.
async fn remembered(book: &BookInner, tenant: TenantId, id: i64) -> Result<ConduitOptions> {
    let ask = select!(model::Conduit, "WHERE tenant_id = ?1 AND id = ?2");
    let ask = Statement::new(ask, vec![Value::Uuid(tenant.0), Value::Int(id)]);
    let rows = book.store.query(tenant, ask).await?;
    let row = rows.first().ok_or_else(|| Error::new(Code::NotFound, "find the conduit", id))?;
    let row = model::Conduit::read(row)?;
    let damaged = |what: &str| Error::new(Code::Corrupt, "read the conduit", row.uuid).because(what);
    let filters = serde_json::from_str(&row.filters).map_err(|e| damaged("its filters").caused_by(e))?;
    let limit = parse_max_delete(&row.max_delete).ok_or_else(|| damaged("its limit of deletions"))?;
    Ok(ConduitOptions {
        mode: row.sync_mode,
        conflict: Some(row.conflict_policy),
        filters,
        exact: row.exact,
        // The usual limit is nobody's word.
        max_delete: Some(limit).filter(|limit| *limit != Limits::default().max_delete),
        verify: row.verify,
        name_clash: row.name_clash,
        transfers: u32::try_from(row.parallel_transfers).unwrap_or(1).max(1),
        bandwidth: bandwidth(&row)?,
    })
}

/// The volume of this machine's directories: driver `local`, rooted at `/`.
async fn local_volume(book: &BookInner, tenant: TenantId) -> Result<Uuid> {
    let find = || {
        Statement::new(
            "SELECT id FROM storage_volumes WHERE tenant_id = ?1 AND name = 'local'",
            vec![Value::Uuid(tenant.0)],
        )
    };
    if let Some(row) = book.store.query(tenant, find()).await?.first() {
        return row.uuid(0);
    }
    let path = Uuid::now_v7();
    let batch = vec![
        Write::Execute(Statement::new(
            "INSERT INTO local_paths (id, tenant_id, path, description) VALUES (?1, ?2, '/', 'this machine') \
             ON CONFLICT (tenant_id, path) DO NOTHING",
            vec![Value::Uuid(path), Value::Uuid(tenant.0)],
        )),
        Write::Execute(Statement::new(
            "INSERT INTO storage_volumes (id, tenant_id, name, driver, config) VALUES (?1, ?2, 'local', 'local', ?3) \
             ON CONFLICT (tenant_id, name) DO NOTHING",
            vec![
                Value::Uuid(Uuid::now_v7()),
                Value::Uuid(tenant.0),
                Value::Text(serde_json::json!({ "local_path_id": path }).to_string()),
            ],
        )),
    ];
    book.store.write(tenant, batch).await?;
    let rows = book.store.query(tenant, find()).await?;
    rows.first().map_or_else(|| Err(Error::new(Code::Internal, "make the volume", "local")), |row| row.uuid(0))
}

async fn entry(book: &BookInner, tenant: TenantId, volume: Uuid, place: &Place) -> Result<i64> {
    let key = place.key();
    let volume = place.volume(volume).map_or(Value::Null, Value::Uuid);
    if let Some(id) = known_entry(book, tenant, place).await? {
        return Ok(id);
    }
    let name = key.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
    let insert = Statement::new(
        "INSERT INTO entry (uuid, tenant_id, volume_id, path, name, kind) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
        vec![Value::Uuid(Uuid::now_v7()), Value::Uuid(tenant.0), volume, Value::Blob(key.clone()), Value::Blob(name)],
    );
    match book.store.write(tenant, vec![Write::Execute(insert)]).await {
        Ok(_) => {}
        // Another process was first: its row is as good.
        Err(e) if e.code() == Code::Conflict => {}
        Err(e) => return Err(e),
    }
    known_entry(book, tenant, place)
        .await?
        .ok_or_else(|| Error::new(Code::Internal, "enter the place", place.display()))
}

/// The place's row, if the book has one. A directory of this machine and a host's own root may have the same key.
async fn known_entry(book: &BookInner, tenant: TenantId, place: &Place) -> Result<Option<i64>> {
    let find = Statement::new(
        "SELECT id, volume_id FROM entry WHERE tenant_id = ?1 AND path = ?2 ORDER BY id",
        vec![Value::Uuid(tenant.0), Value::Blob(place.key())],
    );
    let rows = book.store.query(tenant, find).await?;
    for row in rows.iter() {
        let on = if row.is_null(1) { None } else { Some(row.uuid(1)?) };
        let is_it = match place {
            // A path of this machine is on the volume that is rooted at `/`; no other has an absolute path.
            Place::Local(_) => on.is_some(),
            Place::Provider { .. } | Place::Remote(_) => on.is_none(),
            Place::Volume { volume, .. } => on == Some(volume.0),
        };
        if is_it {
            return row.int(0).map(Some);
        }
    }
    Ok(None)
}

async fn find(book: &BookInner, tenant: TenantId, left: i64, right: i64) -> Result<Option<(i64, ConduitId, bool)>> {
    let statement = Statement::new(
        "SELECT id, uuid, source_entry_id FROM sync_conduit WHERE tenant_id = ?1 AND \
         ((source_entry_id = ?2 AND target_entry_id = ?3) OR (source_entry_id = ?3 AND target_entry_id = ?2)) \
         ORDER BY id LIMIT 1",
        vec![Value::Uuid(tenant.0), Value::Int(left), Value::Int(right)],
    );
    let rows = book.store.query(tenant, statement).await?;
    rows.first().map(|row| Ok((row.int(0)?, ConduitId(row.uuid(1)?), row.int(2)? != left))).transpose()
}

async fn create(book: &BookInner, tenant: TenantId, left: i64, right: i64, options: &ConduitOptions) -> Result<()> {
    let insert = Statement::new(
        "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        vec![
            Value::Uuid(Uuid::now_v7()),
            Value::Uuid(tenant.0),
            Value::Int(left),
            Value::Int(right),
            Value::Text(options.mode.as_str().to_owned()),
        ],
    );
    match book.store.write(tenant, vec![Write::Execute(insert)]).await {
        Ok(_) => Ok(()),
        // Another process was first: its conduit is this one.
        Err(e) if e.code() == Code::Conflict => Ok(()),
        Err(e) => Err(e),
    }
}

/// Writes the attributes that differ from what the conduit remembers; a quiet run writes nothing here.
async fn remember(book: &BookInner, tenant: TenantId, id: i64, options: &ConduitOptions) -> Result<()> {
    let failed = |e| Error::new(Code::Internal, "encode the filters", "").caused_by(e);
    let megabits = options.bandwidth.as_ref().and_then(Bandwidth::as_constant);
    let timetable = options.bandwidth.as_ref().filter(|_| megabits.is_none());
    let attributes = vec![
        Value::Text(options.mode.as_str().to_owned()),
        Value::Text(options.policy().as_str().to_owned()),
        Value::Text(serde_json::to_string(&options.filters).map_err(failed)?),
        Value::Bool(options.exact),
        Value::Text(options.verify.as_str().to_owned()),
        Value::Text(max_delete(options)),
        Value::Bool(options.filters.index_rules),
        Value::Int(i64::from(options.transfers.max(1))),
        megabits.map_or(Value::Null, |b| Value::Int(i64::try_from(b.div_ceil(MEGABIT)).unwrap_or(i64::MAX))),
        Value::Text(options.name_clash.as_str().to_owned()),
        timetable.map_or(Value::Null, |t| Value::Text(t.to_string())),
    ];
    let mut params = vec![Value::Uuid(tenant.0), Value::Int(id)];
    params.extend(attributes);
    let same = Statement::new(
        "SELECT 1 FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2 AND sync_mode = ?3 AND conflict_policy = ?4 \
         AND exact = ?6 AND verify = ?7 AND max_delete = ?8 AND use_index_rules = ?9 AND parallel_transfers = ?10 \
         AND coalesce(bandwidth_limit_mbps, 0) = coalesce(?11, 0) AND name_clash = ?12 AND filters = ?5 \
         AND coalesce(bandwidth_timetable, '') = coalesce(?13, '')",
        params.clone(),
    );
    if !book.store.query(tenant, same).await?.is_empty() {
        return Ok(());
    }
    params.push(Value::Time(micros(book.clock.now())));
    let update = Statement::new(
        "UPDATE sync_conduit SET sync_mode = ?3, conflict_policy = ?4, filters = ?5, exact = ?6, verify = ?7, \
         max_delete = ?8, use_index_rules = ?9, parallel_transfers = ?10, bandwidth_limit_mbps = ?11, name_clash = ?12, \
         bandwidth_timetable = ?13, updated_at = ?14 WHERE tenant_id = ?1 AND id = ?2",
        params,
    );
    book.store.write(tenant, vec![Write::Expect(update, 1)]).await.map(|_| ())
}

fn bandwidth(row: &model::Conduit) -> Result<Option<Bandwidth>> {
    if let Some(timetable) = &row.bandwidth_timetable {
        return timetable.parse().map(Some);
    }
    let megabits = row.bandwidth_limit_mbps.and_then(|m| u64::try_from(m).ok());
    Ok(megabits.map(|m| Bandwidth::constant(m.saturating_mul(MEGABIT))))
}

/// `sync_conduit.max_delete`: a number or a share.
fn max_delete(options: &ConduitOptions) -> String {
    match options.max_delete.unwrap_or(Limits::default().max_delete) {
        MaxDelete::Count(n) => n.to_string(),
        MaxDelete::Percent(p) => format!("{p}%"),
    }
}

fn parse_max_delete(text: &str) -> Option<MaxDelete> {
    match text.strip_suffix('%') {
        Some(share) => share.parse().ok().filter(|share| *share <= 100).map(MaxDelete::Percent),
        None => text.parse().ok().map(MaxDelete::Count),
    }
}
