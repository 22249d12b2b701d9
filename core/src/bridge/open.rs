//! A definition made ready for a run: its rows are read, its endpoints opened, its mapping checked against what both tables
//! look like now.

use std::sync::Arc;

use uuid::Uuid;

use super::cursor::{source_reading, target_reading};
use super::expression::Expression;
use super::key::{KeyPart, RowKey, read_key};
use super::list;
use super::mapping::{Field, Mapping, Own, Parts};
use super::projection::{Ends, Projection};
use super::survey::Reading;
use crate::book::BookInner;
use crate::endpoint::{DatabaseOptions, Endpoint, TableName, TableShape, open};
use crate::error::{Code, Error, Result};
use crate::identity::encode;
use crate::ledger::RowLedger;
use crate::model::{
    Database, DatabaseInstance, DatabaseTable, FieldMapping, Id, InstanceRole, Moment, RecordMode, RecordPolicy,
    SharepointList, Side, Sides, Stored, SyncDefinition, SyncKeyColumn, Table as _, TableColumn, TenantId, UseStatus,
    UserId,
};
use crate::operation::clock::micros;
use crate::store::{Statement, Value, Write};
use crate::table::{Filter, Tables};

/// The endpoints that a host has brought for a definition, instead of those that its rows name.
pub(crate) type Brought = Sides<Option<Arc<dyn Endpoint>>>;

/// A definition made ready.
pub(crate) struct Opened {
    pub(crate) book: Arc<BookInner>,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) definition: Uuid,
    pub(crate) mapping: Mapping,
    pub(crate) ledger: RowLedger,
    pub(crate) endpoints: Sides<Arc<dyn Endpoint>>,
    pub(crate) policy: RecordPolicy,
    /// The instance that serves the source.
    pub(crate) instance: Option<Id<DatabaseInstance>>,
    pub(crate) state: State,
    /// How the source is read.
    pub(crate) reading: Reading,
    /// How the target is read, where it is.
    pub(crate) target_reading: Reading,
    /// The list, where the target is one.
    pub(crate) list: Option<TargetList>,
}

/// A list that is the target of a definition.
#[derive(Clone, Debug)]
pub(crate) struct TargetList {
    pub(crate) id: Id<SharepointList>,
    /// Its id at SharePoint.
    pub(crate) at_sharepoint: Option<String>,
}

/// A row of `sync_definition_state`.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) mapping_version: i64,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) generation: i64,
    overlap_ms: u64,
}

impl Opened {
    /// Whether the ledger alone does not tell what the target has.
    pub(crate) async fn must_look_at_target(&self) -> Result<bool> {
        if self.mapping.mode == RecordMode::TwoWay || !self.has_hashes_of_this_mapping() {
            return Ok(true);
        }
        self.has_no_ledger().await
    }

    /// Whether nothing was ever agreed on.
    pub(crate) async fn has_no_ledger(&self) -> Result<bool> {
        let any = Statement::new(
            "SELECT 1 FROM sync_ledger WHERE sync_def_id = ?1 LIMIT 1",
            vec![Value::Uuid(self.definition)],
        );
        Ok(self.book.store.query(self.tenant, any).await?.is_empty())
    }

    /// Whether the hashes in the ledger were made with the mapping as it is.
    pub(crate) fn has_hashes_of_this_mapping(&self) -> bool {
        self.state.fingerprint.as_deref() == Some(&self.mapping.fingerprint)
    }

    /// The keys at the source of rows that failed in runs before.
    pub(crate) async fn failed_keys(&self) -> Result<Vec<Vec<u8>>> {
        let failed = Statement::new(
            "SELECT source_identity FROM sync_row_failure WHERE sync_def_id = ?1 ORDER BY source_identity_hash",
            vec![Value::Uuid(self.definition)],
        );
        let rows = self.book.store.query(self.tenant, failed).await?;
        // What is no key (a row that has none) cannot be asked for; it comes again when it is changed.
        let keys = rows.iter().map(|row| row.text(0).map(|name| read_key(name).ok()));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        Ok(keys.into_iter().flatten().map(|key| key.iter().flat_map(encode).collect()).collect())
    }

    /// That the ledger's hashes are from now on those of this mapping.
    pub(crate) fn takes_mapping(&self) -> Write {
        Write::Execute(Statement::new(
            "UPDATE sync_definition_state SET mapping_fingerprint = ?3, mapping_version = ?4 \
             WHERE tenant_id = ?1 AND sync_def_id = ?2",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Uuid(self.definition),
                Value::Blob(self.mapping.fingerprint.to_vec()),
                Value::Int(self.mapping.version),
            ],
        ))
    }
}

/// Makes a definition ready.
///
/// # Errors
/// `not_found` when there is none; `invalid` when it cannot be carried out as it stands (a mapped column was dropped, a type
/// is not carried, the key is none); what an endpoint answers.
pub(crate) async fn ready(
    book: &Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    id: Id<SyncDefinition>,
    brought: &Brought,
) -> Result<Opened> {
    let tables = book.tables(tenant);
    let definition = tables.read::<SyncDefinition>(id).await?.row;
    if !definition.is_enabled {
        let off = Error::new(Code::Invalid, "run the definition", &definition.name).because("it is not enabled");
        return Err(off.advise("set is_enabled"));
    }
    let source = tables.read(definition.source_table_id).await?;
    let (left, instance) = endpoint(book, &tables, &source, brought.left.as_ref()).await?;
    let left_shape = left.describe(&name_of(&source.row)).await?;
    let Target { endpoint: right, shape: right_shape, zone, list } =
        target(book, &tables, &definition, brought.right.as_ref()).await?;
    if definition.sync_mode == RecordMode::TwoWay && left.capabilities().assigns_keys {
        return Err(Error::new(Code::Unsupported, "run the definition", &definition.name)
            .because("its source gives rows their keys itself, so that one could be made twice")
            .advise("let it be the target; two ways is the same from either side"));
    }
    let shapes = Sides::new(left_shape, right_shape);
    let own = Sides::new(
        Own::of(Side::Left, &left.capabilities(), &shapes.left),
        Own::of(Side::Right, &right.capabilities(), &shapes.right),
    );
    let state = state(book, tenant, id).await?;
    let mut mapping = mapping(&tables, tenant, id, &definition, &shapes, own, Ends { zone }).await?;
    let is_same = state.fingerprint.as_deref() == Some(&mapping.fingerprint);
    mapping.version = state.mapping_version + i64::from(!is_same);
    let reading = source_reading(&tables, id, &definition, &mapping, instance, state.overlap_ms).await?;
    let target_reading = target_reading(&tables, id, &*right, &mapping, list.as_ref()).await?;
    let ledger = RowLedger { store: book.store.clone(), tenant, definition: id };
    Ok(Opened {
        book: book.clone(),
        tenant,
        user,
        definition: id.0,
        mapping,
        ledger,
        endpoints: Sides::new(left, right),
        policy: definition.conflict_policy,
        instance,
        state,
        reading,
        target_reading,
        list,
    })
}

/// The target of a definition, opened.
struct Target {
    endpoint: Arc<dyn Endpoint>,
    shape: TableShape,
    /// The zone that times without one are meant in.
    zone: Option<chrono_tz::Tz>,
    list: Option<TargetList>,
}

async fn target(
    book: &Arc<BookInner>,
    tables: &Tables,
    definition: &SyncDefinition,
    brought: Option<&Arc<dyn Endpoint>>,
) -> Result<Target> {
    match (definition.target_table_id, definition.target_list_id) {
        (Some(table), _) => {
            let target = tables.read(table).await?;
            let (endpoint, _) = endpoint(book, tables, &target, brought).await?;
            let shape = endpoint.describe(&name_of(&target.row)).await?;
            Ok(Target { endpoint, shape, zone: None, list: None })
        }
        (None, Some(id)) => {
            let list::Opened { endpoint, shape, zone, at_sharepoint } = list::open(book, tables, id, brought).await?;
            Ok(Target { endpoint, shape, zone, list: Some(TargetList { id, at_sharepoint }) })
        }
        (None, None) => {
            Err(Error::new(Code::Invalid, "run the definition", &definition.name).because("it has no target"))
        }
    }
}

fn name_of(table: &DatabaseTable) -> TableName {
    TableName::new(table.schema_name.clone(), table.table_name.clone())
}

/// The endpoint of a table: what the host brought, else the first instance that answers, by role and priority.
async fn endpoint(
    book: &Arc<BookInner>,
    tables: &Tables,
    table: &Stored<DatabaseTable>,
    brought: Option<&Arc<dyn Endpoint>>,
) -> Result<(Arc<dyn Endpoint>, Option<Id<DatabaseInstance>>)> {
    let instances = instances(tables, table.row.database_id, Moment(micros(book.clock.now()))).await?;
    if let Some(endpoint) = brought {
        return Ok((endpoint.clone(), instances.first().map(|instance| instance.id)));
    }
    let database = tables.read(table.row.database_id).await?.row;
    if database.status == UseStatus::Disabled {
        return Err(Error::new(Code::Invalid, "open the database", &database.name).because("it is disabled"));
    }
    let mut failure = None;
    for instance in &instances {
        let endpoint = match list::site_of(&instance.row) {
            // A site of SharePoint among the databases: its lists are read.
            Some(site) => list::endpoint(book, tables, site).await?,
            None => open(database.db_type, options(tables, &database, instance).await?)?,
        };
        match endpoint.probe().await {
            Ok(_) => return Ok((endpoint, Some(instance.id))),
            // Another instance may answer; a password that is wrong here is told, not tried elsewhere.
            Err(error) if error.is_retryable() => failure = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        Error::new(Code::NotFound, "open the database", &database.name)
            .because("no instance of it may be used now")
            .advise("add a row to database_instances, or bring an endpoint")
    }))
}

/// The instances of a database that may be used now, the first to be asked first.
async fn instances(tables: &Tables, database: Id<Database>, now: Moment) -> Result<Vec<Stored<DatabaseInstance>>> {
    let mut instances = tables.every::<DatabaseInstance>(Filter::all().equal("database_id", &database)).await?;
    instances.retain(|instance| {
        let DatabaseInstance { status, valid_from, valid_to, .. } = &instance.row;
        *status == UseStatus::Active && valid_from.is_none_or(|from| from <= now) && valid_to.is_none_or(|to| now < to)
    });
    let is_secondary = |instance: &DatabaseInstance| instance.role == InstanceRole::Secondary;
    instances.sort_by_key(|instance| (is_secondary(&instance.row), instance.row.priority, instance.id));
    Ok(instances)
}

async fn options(tables: &Tables, database: &Database, instance: &Stored<DatabaseInstance>) -> Result<DatabaseOptions> {
    let row = &instance.row;
    let name = row.db_name.as_deref().unwrap_or(&database.database_name);
    let mut options = DatabaseOptions::at(row.host.as_deref().unwrap_or_default(), name);
    options.port = row.port.map(u16::try_from).transpose().map_err(|e| {
        Error::new(Code::Invalid, "open the database", &database.name)
            .because(e)
            .advise("correct the port of its instance")
    })?;
    options.user = row.db_user.clone().unwrap_or_default();
    if row.db_password.is_some() {
        options.password = tables.reveal(const { &DatabaseInstance::INFO }, instance.id.0, "db_password").await?;
    }
    if row.config.0.as_object().is_some_and(|config| !config.is_empty()) {
        options.configure(&row.config.0.to_string())?;
    }
    Ok(options)
}

/// Sets how long a transaction of the source may take to commit.
pub(crate) async fn set_overlap(
    book: &BookInner,
    tenant: TenantId,
    id: Id<SyncDefinition>,
    overlap_ms: u64,
) -> Result<()> {
    let set = Statement::new(
        "UPDATE sync_definition_state SET cursor_overlap_ms = ?3 WHERE tenant_id = ?1 AND sync_def_id = ?2",
        vec![Value::Uuid(tenant.0), Value::Uuid(id.0), Value::Int(i64::try_from(overlap_ms).unwrap_or(i64::MAX))],
    );
    book.store.write(tenant, vec![Write::Execute(set)]).await.map(|_| ())
}

/// The usual `cursor_overlap_ms`.
const OVERLAP_MS: u64 = 120_000;

/// The state of a definition; its row is made when it is absent.
pub(crate) async fn state(book: &Arc<BookInner>, tenant: TenantId, id: Id<SyncDefinition>) -> Result<State> {
    let ask = || {
        Statement::new(
            "SELECT mapping_version, mapping_fingerprint, generation, cursor_overlap_ms FROM sync_definition_state \
             WHERE tenant_id = ?1 AND sync_def_id = ?2",
            vec![Value::Uuid(tenant.0), Value::Uuid(id.0)],
        )
    };
    let rows = book.store.query(tenant, ask()).await?;
    if let Some(row) = rows.first() {
        let fingerprint = if row.is_null(1) { None } else { Some(row.blob(1)?.to_vec()) };
        let overlap_ms = u64::try_from(row.int(3)?).unwrap_or_default();
        return Ok(State { mapping_version: row.int(0)?, fingerprint, generation: row.int(2)?, overlap_ms });
    }
    let make = Statement::new(
        "INSERT INTO sync_definition_state (tenant_id, sync_def_id) VALUES (?1, ?2) ON CONFLICT (sync_def_id) DO NOTHING",
        vec![Value::Uuid(tenant.0), Value::Uuid(id.0)],
    );
    book.store.write(tenant, vec![Write::Execute(make)]).await?;
    Ok(State { overlap_ms: OVERLAP_MS, ..State::default() })
}

async fn mapping(
    tables: &Tables,
    tenant: TenantId,
    id: Id<SyncDefinition>,
    definition: &SyncDefinition,
    shapes: &Sides<TableShape>,
    own: Sides<Own>,
    ends: Ends,
) -> Result<Mapping> {
    let of = || Filter::all().equal("sync_def_id", &id);
    let mut fields = Vec::new();
    for stored in tables.every::<FieldMapping>(of()).await? {
        fields.push(field(&stored.row, shapes, ends)?);
    }
    let mut chosen = tables.every::<SyncKeyColumn>(of()).await?;
    chosen.sort_by_key(|column| column.row.ordinal_position);
    let mut parts = Vec::with_capacity(chosen.len());
    for column in &chosen {
        let name = tables.read::<TableColumn>(column.row.column_id).await?.row.column_name;
        parts.push(KeyPart { name, is_required: column.row.is_required });
    }
    let constraint = definition.key_constraint_name.as_deref();
    let key = RowKey::resolve(&shapes.left, definition.key_strategy, constraint, &parts)?;
    Mapping::new(Parts {
        tenant,
        definition: id.0,
        mode: definition.sync_mode,
        strategy: definition.key_strategy,
        key,
        fields,
        shapes: shapes.as_ref(),
        own,
    })
}

fn field(row: &FieldMapping, shapes: &Sides<TableShape>, ends: Ends) -> Result<Field> {
    let column = |shape: &TableShape, name: &str| {
        let mut column = shape.column(name).cloned().ok_or_else(|| {
            Error::new(Code::Invalid, "map", &shape.name)
                .because(format!("it has no column {name} any more"))
                .advise("change the field mapping, or bring the column back")
        })?;
        // How a value crosses has nothing to do with what people call its column.
        column.traits.shown_as = None;
        Ok::<_, Error>(column)
    };
    let source = column(&shapes.left, &row.source_column_name)?;
    let target = column(&shapes.right, &row.target_column_name)?;
    let transform = row.transform_rule.as_deref().map(Expression::parse).transpose()?;
    // What a transform makes is not bound by what the column can hold: it is taken as if a column of the target's own had it.
    let from = if transform.is_some() { &target } else { &source };
    let projection = Projection::between(from, &target, ends)?;
    Ok(Field {
        source: row.source_column_name.clone(),
        target: row.target_column_name.clone(),
        direction: row.sync_direction,
        transform,
        projection,
    })
}
