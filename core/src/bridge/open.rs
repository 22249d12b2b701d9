//! A definition made ready for a run: its rows are read, its endpoints opened, its mapping checked against what both tables
//! look like now.

use std::sync::Arc;

use uuid::Uuid;

use super::connect::RecordField;
use super::expression::Expression;
use super::key::{KeyPart, RowKey, read_key};
use super::mapping::{Field, Mapping, Parts};
use super::projection::{Ends, Projection};
use super::survey::{PAGE_ROWS, Reading};
use crate::book::BookInner;
use crate::endpoint::{ChangeScan, ChangeSource, Cursor, DatabaseOptions, Endpoint, TableName, TableShape, open};
use crate::error::{Code, Error, Result};
use crate::identity::encode;
use crate::ledger::RowLedger;
use crate::model::{
    CursorScope, CursorStrategy, Database, DatabaseInstance, DatabaseTable, DbType, FieldDirection, FieldMapping, Id,
    InstanceRole, Moment, RecordPolicy, Sides, Stored, SyncCursor, SyncDefinition, SyncKeyColumn, Table as _,
    TableColumn, TenantId, UseStatus, UserId,
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
    pub(crate) reading: Reading,
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
        if self.mapping.mode == crate::model::RecordMode::TwoWay || !self.has_hashes_of_this_mapping() {
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

    /// That the next run may read the source from here on.
    pub(crate) fn moves_cursor(&self, cursor: &Cursor, run: Uuid, now: Moment) -> Vec<Write> {
        let instance = self.instance.map_or(Value::Null, |instance| Value::Uuid(instance.0));
        let (tenant, definition) = (Value::Uuid(self.tenant.0), Value::Uuid(self.definition));
        vec![
            Write::Execute(Statement::new(
                "DELETE FROM sync_cursors WHERE tenant_id = ?1 AND sync_def_id = ?2 AND cursor_scope = 'SOURCE' \
                 AND (source_instance_id = ?3 OR (source_instance_id IS NULL AND ?4 = 1))",
                vec![
                    tenant.clone(),
                    definition.clone(),
                    self.instance.map_or(Value::Uuid(Uuid::nil()), |instance| Value::Uuid(instance.0)),
                    Value::Int(i64::from(self.instance.is_none())),
                ],
            )),
            Write::Execute(Statement::new(
                "INSERT INTO sync_cursors (id, tenant_id, sync_def_id, cursor_scope, cursor_type, cursor_value, \
                 source_instance_id, last_run_id, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, 'SOURCE', ?4, ?5, ?6, ?7, ?8, ?8)",
                vec![
                    Value::Uuid(Uuid::now_v7()),
                    tenant,
                    definition,
                    Value::Text(cursor.cursor_type.as_str().to_owned()),
                    Value::Text(cursor.value.clone()),
                    instance,
                    Value::Uuid(run),
                    Value::Time(now.0),
                ],
            )),
        ]
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
    let target = definition.target_table_id.ok_or_else(|| {
        Error::new(Code::Unsupported, "run the definition", &definition.name).because("its target is a list")
    })?;
    let source = tables.read(definition.source_table_id).await?;
    let target = tables.read(target).await?;
    let (left, instance) = endpoint(book, &tables, &source, brought.left.as_ref()).await?;
    let (right, _) = endpoint(book, &tables, &target, brought.right.as_ref()).await?;
    let shapes = Sides::new(left.describe(&name_of(&source.row)).await?, right.describe(&name_of(&target.row)).await?);
    let state = state(book, tenant, id).await?;
    let mut mapping = mapping(&tables, tenant, id, &definition, &shapes, right.capabilities().version_column).await?;
    let is_same = state.fingerprint.as_deref() == Some(&mapping.fingerprint);
    mapping.version = state.mapping_version + i64::from(!is_same);
    let reading = reading(&tables, id, &definition, &mapping, instance, state.overlap_ms).await?;
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
    })
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
    if database.db_type == DbType::Host {
        return Err(Error::new(Code::Unsupported, "open the store", &database.name)
            .because("only the host can bring it")
            .advise("find the definition by its places"));
    }
    let mut failure = None;
    for instance in &instances {
        let endpoint = open(database.db_type, options(tables, &database, instance).await?)?;
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
    debug_assert!(database.db_type != DbType::Host);
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
    version_column: Option<&'static str>,
) -> Result<Mapping> {
    let of = || Filter::all().equal("sync_def_id", &id);
    let mut fields = Vec::new();
    for stored in tables.every::<FieldMapping>(of()).await? {
        fields.push(field(&stored.row, shapes)?);
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
        version_column,
    })
}

fn field(row: &FieldMapping, shapes: &Sides<TableShape>) -> Result<Field> {
    let column = |shape: &TableShape, name: &str| {
        shape.column(name).cloned().ok_or_else(|| {
            Error::new(Code::Invalid, "map", &shape.name)
                .because(format!("it has no column {name} any more"))
                .advise("change the field mapping, or bring the column back")
        })
    };
    let source = column(&shapes.left, &row.source_column_name)?;
    let target = column(&shapes.right, &row.target_column_name)?;
    let transform = row.transform_rule.as_deref().map(Expression::parse).transpose()?;
    // What a transform makes is not bound by what the column can hold: it is taken as if a column of the target's own had it.
    let from = if transform.is_some() { &target } else { &source };
    let projection = Projection::between(from, &target, Ends::default())?;
    Ok(Field {
        source: row.source_column_name.clone(),
        target: row.target_column_name.clone(),
        direction: row.sync_direction,
        transform,
        projection,
    })
}

/// The usual `cursor_overlap_ms`.
const OVERLAP_MS: u64 = 120_000;

/// How the source is read: what has changed since the cursor, or everything.
async fn reading(
    tables: &Tables,
    id: Id<SyncDefinition>,
    definition: &SyncDefinition,
    mapping: &Mapping,
    instance: Option<Id<DatabaseInstance>>,
    overlap_ms: u64,
) -> Result<Reading> {
    let by = match (definition.cursor_strategy, definition.cursor_column_id) {
        (CursorStrategy::FullScan, _) => return Ok(Reading::Everything),
        (CursorStrategy::UpdatedAt, Some(column)) => {
            let column = tables.read::<TableColumn>(column).await?.row.column_name;
            ChangeSource::UpdatedAt { column, overlap_ms }
        }
        (CursorStrategy::UpdatedAt, None) => {
            return Err(Error::new(Code::Invalid, "run the definition", &definition.name)
                .because("it goes by a column that every change moves on, and names none")
                .advise("set cursor_column_id"));
        }
        (CursorStrategy::Lsn, _) => ChangeSource::Log { name: format!("portbook_{}", id.0.simple()) },
    };
    let of_source = |cursor: &Stored<SyncCursor>| {
        cursor.row.cursor_scope == CursorScope::Source && cursor.row.source_instance_id == instance
    };
    let cursors = tables.every::<SyncCursor>(Filter::all().equal("sync_def_id", &id)).await?;
    let since = cursors
        .into_iter()
        .find(of_source)
        .map(|cursor| Cursor { cursor_type: cursor.row.cursor_type, value: cursor.row.cursor_value });
    let half = &mapping.halves.left;
    Ok(Reading::Changes(ChangeScan {
        table: half.table.clone(),
        columns: half.scanned.clone(),
        key: half.key.clone(),
        by,
        since,
        page_rows: PAGE_ROWS,
    }))
}

/// Every column that both tables have by one name and that the target can be given, and the columns of the key whatever
/// they are called in upper or lower case.
pub(crate) fn field_mapping_defaults(left: &TableShape, right: &TableShape, key: &[String]) -> Vec<RecordField> {
    let is_key = |name: &String| if key.is_empty() { left.primary_key().contains(name) } else { key.contains(name) };
    let mut fields = Vec::new();
    for source in left.columns.iter().filter(|column| column.kind.is_some()) {
        let same = right.columns.iter().find(|column| column.name == source.name);
        let target =
            same.or_else(|| right.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&source.name)));
        let Some(target) = target.filter(|column| column.kind.is_some()) else { continue };
        // What the store computes cannot be given to it, and what the source computes cannot be given back.
        if target.is_computed {
            continue;
        }
        let direction = match source.is_computed && !is_key(&source.name) {
            true => FieldDirection::PushOnly,
            false => FieldDirection::Bidirectional,
        };
        fields.push(RecordField {
            source: source.name.clone(),
            target: target.name.clone(),
            direction,
            transform: None,
        });
    }
    fields
}
