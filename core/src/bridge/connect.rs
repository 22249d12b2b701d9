//! Two tables become a definition: both are looked at, the inventory learns of them, fields of the same name are mapped unless
//! told otherwise.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::inventory::{Recorded, record};
use super::open::{Brought, field_mapping_defaults, set_overlap};
use super::place::RecordPlace;
use super::{Definition, DefinitionInner};
use crate::book::BookInner;
use crate::endpoint::{Endpoint, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{
    Application, ApplicationStatus, CursorStrategy, Database, DatabaseInstance, DatabaseTable, Environment,
    FieldDirection, FieldMapping, Id, InstanceRole, Json, KeyStrategy, Moment, RecordMode, RecordPolicy, Secret, Sides,
    Stored, SyncDefinition, SyncKeyColumn, SyncSource, TableColumn, TargetStrategy, TenantId, UseStatus, UserId,
};
use crate::operation::clock::micros;
use crate::table::{Filter, Tables};

/// How two tables are kept in step.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// What the definition is called; nothing: by both places.
    pub name: Option<String>,
    /// Which way rows go.
    pub mode: RecordMode,
    /// Who wins when a row changed on both sides.
    pub policy: RecordPolicy,
    /// The columns of the source that make a row's key; empty: its primary key.
    pub key: Vec<String>,
    /// How changed rows of the source are found.
    pub cursor: RecordCursor,
    /// The fields that are kept in step; empty: every column that both have by the same name and that the target can be
    /// given.
    pub fields: Vec<RecordField>,
}

impl Default for RecordOptions {
    /// A mirror by the primary key of all columns that both have; the source wins.
    fn default() -> Self {
        let (mode, policy) = (RecordMode::OneWayPush, RecordPolicy::SourceWins);
        Self { name: None, mode, policy, key: Vec::new(), cursor: RecordCursor::FullScan, fields: Vec::new() }
    }
}

/// How changed rows of the source are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCursor {
    /// By reading them all.
    FullScan,
    /// By a column that every change moves on: only rows after the last one seen are read. Rows that are deleted do not show
    /// in it; a preview with `full_scan` finds them.
    Column {
        /// The column.
        column: String,
        /// How far back is read again: at least as long as a transaction takes to commit, where the database cannot tell which ones are
        /// under way (all but PostgreSQL).
        overlap: Duration,
    },
    /// By what the database itself tells, deletions included: the log of PostgreSQL (which keeps a replication slot for the
    /// definition; `wal_level = logical`), that of MySQL and MariaDB (`binlog_format = ROW`, `binlog_row_image = FULL`), the
    /// Change Tracking of SQL Server. What is too old to be told is read as a whole.
    Log,
}

impl RecordCursor {
    /// By a column, with the usual overlap of two minutes.
    pub fn column(name: impl Into<String>) -> Self {
        Self::Column { column: name.into(), overlap: Duration::from_secs(120) }
    }
}

/// A field that is kept in step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordField {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Which way it goes; both ways unless told otherwise.
    #[serde(default = "both_ways")]
    pub direction: FieldDirection,
    /// What is made of the source's row for it, instead of its column: an [`Expression`](super::Expression).
    #[serde(default)]
    pub transform: Option<String>,
}

fn both_ways() -> FieldDirection {
    FieldDirection::Bidirectional
}

/// Reads fields from JSON: `[{"source": "name", "target": "Title", "direction": "PUSH_ONLY", "transform": "upper(name)"}]`.
///
/// # Errors
/// `invalid`.
pub fn parse_fields(json: &str) -> Result<Vec<RecordField>> {
    serde_json::from_str(json).map_err(|e| Error::new(Code::Invalid, "read the fields", "").caused_by(e))
}

/// Finds the definition of two tables, or makes it; its attributes become `options`.
pub(crate) async fn connect(
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    places: Sides<RecordPlace>,
    options: RecordOptions,
) -> Result<Definition> {
    if places.left.to_string() == places.right.to_string() {
        return Err(Error::new(Code::Invalid, "connect", &places.left).because("source and target are the same table"));
    }
    let tables = book.tables(tenant);
    let now = Moment(micros(book.clock.now()));
    let endpoints = Sides::new(places.left.endpoint()?, places.right.endpoint()?);
    let left = known(&tables, &places.left, &*endpoints.left, now).await?;
    let right = known(&tables, &places.right, &*endpoints.right, now).await?;
    let fields = match options.fields.is_empty() {
        true => field_mapping_defaults(&left.shape, &right.shape, &options.key),
        false => options.fields.clone(),
    };
    let (cursor_strategy, cursor_column_id) = match &options.cursor {
        RecordCursor::FullScan => (CursorStrategy::FullScan, None),
        RecordCursor::Column { column: name, .. } => (CursorStrategy::UpdatedAt, Some(column(&left, name)?)),
        RecordCursor::Log => (CursorStrategy::Lsn, None),
    };
    let strategy = if options.key.is_empty() { KeyStrategy::PrimaryKey } else { KeyStrategy::CompositeColumns };
    let row = SyncDefinition {
        name: options.name.clone().unwrap_or_else(|| format!("{} to {}", places.left, places.right)),
        source_table_id: left.recorded.table,
        target_list_id: None,
        target_table_id: Some(right.recorded.table),
        sync_mode: options.mode,
        conflict_policy: options.policy,
        key_strategy: strategy,
        key_constraint_name: None,
        target_strategy: TargetStrategy::Single,
        cursor_strategy,
        cursor_column_id,
        sharding_policy: Json(json!({})),
        schedule_cron: None,
        is_enabled: true,
    };
    let of_source = Filter::all().equal("source_table_id", &left.recorded.table);
    let found = tables.every::<SyncDefinition>(of_source).await?;
    let found = found.into_iter().find(|found| found.row.target_table_id == row.target_table_id);
    let id = match found {
        Some(found) if found.row == row => found.id,
        Some(found) => tables.write_back(&Stored { row, ..found }).await?.id,
        None => {
            let id = tables.make(row).await?.id;
            tables.make(source_of(id, left.instance)).await?;
            id
        }
    };
    map(&tables, id, &fields, &left, &right).await?;
    key(&tables, id, &options.key, &left).await?;
    let brought: Brought = endpoints.map(Some);
    // What cannot be carried out is told now, not at the first run.
    let inner = DefinitionInner { book, tenant, user, id, brought };
    inner.ensure_state().await?;
    if let RecordCursor::Column { overlap, .. } = &options.cursor {
        let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        set_overlap(&inner.book, tenant, id, overlap_ms).await?;
    }
    inner.ready().await?;
    Ok(Definition { inner: Arc::new(inner) })
}

/// The definition of two tables, where there is one.
///
/// # Errors
/// `not_found` when they were never connected.
pub(crate) async fn existing(
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    places: Sides<RecordPlace>,
) -> Result<Definition> {
    let tables = book.tables(tenant);
    let missing = || {
        Error::new(Code::NotFound, "find the definition of", format!("{} and {}", places.left, places.right))
            .because("there is none")
    };
    let left = table(&tables, &places.left).await?.ok_or_else(missing)?;
    let right = table(&tables, &places.right).await?.ok_or_else(missing)?;
    let of_source = tables.every::<SyncDefinition>(Filter::all().equal("source_table_id", &left)).await?;
    let found = of_source.into_iter().find(|found| found.row.target_table_id == Some(right));
    let id = found.ok_or_else(missing)?.id;
    let brought = Sides::new(Some(places.left.endpoint()?), Some(places.right.endpoint()?));
    Ok(Definition { inner: Arc::new(DefinitionInner { book, tenant, user, id, brought }) })
}

/// What the inventory calls a place.
async fn table(tables: &Tables, place: &RecordPlace) -> Result<Option<Id<DatabaseTable>>> {
    let Some(database) = known_database(tables, &place.database()).await? else { return Ok(None) };
    let of_name = Filter::all()
        .equal("database_id", &database)
        .equal("schema_name", &place.table().schema)
        .equal("table_name", &place.table().name);
    Ok(tables.every::<DatabaseTable>(of_name).await?.into_iter().next().map(|found| found.id))
}

/// Looks at a table, and writes down what it looks like.
pub(crate) async fn inspect(book: &Arc<BookInner>, tenant: TenantId, place: &RecordPlace) -> Result<TableShape> {
    let tables = book.tables(tenant);
    let now = Moment(micros(book.clock.now()));
    Ok(known(&tables, place, &*place.endpoint()?, now).await?.shape)
}

/// A table with what the book knows of it.
struct Known {
    shape: TableShape,
    recorded: Recorded,
    instance: Id<DatabaseInstance>,
}

fn column(known: &Known, name: &str) -> Result<Id<TableColumn>> {
    known.recorded.columns.get(name).copied().ok_or_else(|| {
        Error::new(Code::Invalid, "use a column of", &known.shape.name)
            .because(format!("it has no column {}", name.escape_debug()))
    })
}

async fn known(tables: &Tables, place: &RecordPlace, endpoint: &dyn Endpoint, now: Moment) -> Result<Known> {
    let shape = endpoint.describe(place.table()).await?;
    let database = database(tables, place).await?;
    let instance = instance(tables, database, place, now).await?;
    let recorded = record(tables, database, &shape, now).await?;
    Ok(Known { shape, recorded, instance })
}

/// The application that databases belong to which were only named by a URL.
const BY_URL: &str = "by URL";

async fn known_database(tables: &Tables, name: &String) -> Result<Option<Id<Database>>> {
    let applications = tables.every::<Application>(Filter::all()).await?;
    let Some(application) = applications.into_iter().find(|application| application.row.name == BY_URL) else {
        return Ok(None);
    };
    let filter = Filter::all()
        .equal("application_id", &application.id)
        .equal("database_name", name)
        .equal("environment", &Environment::Prod);
    Ok(tables.every::<Database>(filter).await?.into_iter().next().map(|found| found.id))
}

async fn database(tables: &Tables, place: &RecordPlace) -> Result<Id<Database>> {
    let name = place.database();
    if let Some(known) = known_database(tables, &name).await? {
        return Ok(known);
    }
    let applications = tables.every::<Application>(Filter::all()).await?;
    let application = match applications.into_iter().find(|application| application.row.name == BY_URL) {
        Some(application) => application.id,
        None => {
            let row = Application {
                name: BY_URL.to_owned(),
                owner_team: None,
                description: None,
                status: ApplicationStatus::Active,
            };
            tables.make(row).await?.id
        }
    };
    let row = Database {
        application_id: application,
        name: name.clone(),
        db_type: place.db_type(),
        environment: Environment::Prod,
        database_name: name,
        status: UseStatus::Active,
    };
    Ok(tables.make(row).await?.id)
}

/// The instance at which a place is reached. Its password is not kept: whoever names a place by a URL brings it along; one that
/// is to be kept is written into `database_instances.db_password`.
async fn instance(
    tables: &Tables,
    database: Id<Database>,
    place: &RecordPlace,
    now: Moment,
) -> Result<Id<DatabaseInstance>> {
    let known = tables.every::<DatabaseInstance>(Filter::all().equal("database_id", &database)).await?;
    let row = match place {
        RecordPlace::Table { database: at, .. } => DatabaseInstance {
            database_id: database,
            instance_label: place.database(),
            host: Some(at.options.host.clone()).filter(|host| !host.is_empty()),
            port: at.options.port.map(i64::from),
            db_name: Some(at.options.database.clone()),
            db_user: Some(at.options.user.clone()).filter(|user| !user.is_empty()),
            db_password: None::<Secret>,
            config: Json(json!({})),
            role: InstanceRole::Primary,
            priority: 0,
            status: UseStatus::Active,
            valid_from: None,
            valid_to: None,
            last_verified_at: Some(now),
        },
        RecordPlace::Host { name, .. } => DatabaseInstance {
            database_id: database,
            instance_label: name.clone(),
            host: None,
            port: None,
            db_name: None,
            db_user: None,
            db_password: None,
            config: Json(json!({})),
            role: InstanceRole::Primary,
            priority: 0,
            status: UseStatus::Active,
            valid_from: None,
            valid_to: None,
            last_verified_at: Some(now),
        },
    };
    let is_it = |known: &&Stored<DatabaseInstance>| {
        (&known.row.host, known.row.port, &known.row.db_name) == (&row.host, row.port, &row.db_name)
    };
    match known.iter().find(is_it) {
        Some(found) => Ok(found.id),
        None => Ok(tables.make(row).await?.id),
    }
}

fn source_of(definition: Id<SyncDefinition>, instance: Id<DatabaseInstance>) -> SyncSource {
    SyncSource {
        sync_def_id: definition,
        database_instance_id: instance,
        role: InstanceRole::Primary,
        priority: 0,
        is_enabled: true,
    }
}

async fn map(
    tables: &Tables,
    definition: Id<SyncDefinition>,
    fields: &[RecordField],
    left: &Known,
    right: &Known,
) -> Result<()> {
    let mut rows = Vec::with_capacity(fields.len());
    for field in fields {
        rows.push(FieldMapping {
            sync_def_id: definition,
            source_column_id: column(left, &field.source)?,
            source_column_name: field.source.clone(),
            target_column_id: None,
            target_table_column_id: Some(column(right, &field.target)?),
            target_column_name: field.target.clone(),
            target_type: right.shape.column(&field.target).map(|column| column.data_type.clone()),
            sync_direction: field.direction,
            is_system_field: false,
            transform_rule: field.transform.clone(),
            is_key: left.shape.primary_key().contains(&field.source),
        });
    }
    let known = tables.every::<FieldMapping>(Filter::all().equal("sync_def_id", &definition)).await?;
    super::inventory::replace(tables, known, rows).await
}

async fn key(tables: &Tables, definition: Id<SyncDefinition>, columns: &[String], left: &Known) -> Result<()> {
    let mut rows = Vec::with_capacity(columns.len());
    for (at, name) in columns.iter().enumerate() {
        rows.push(SyncKeyColumn {
            sync_def_id: definition,
            column_id: column(left, name)?,
            ordinal_position: i64::try_from(at).unwrap_or(i64::MAX),
            is_required: true,
        });
    }
    let known = tables.every::<SyncKeyColumn>(Filter::all().equal("sync_def_id", &definition)).await?;
    super::inventory::replace(tables, known, rows).await
}
