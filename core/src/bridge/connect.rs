//! Two tables become a definition: both are looked at, the inventory learns of them, fields of the same name are mapped unless
//! told otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::clock;
use super::fields::{RecordField, same_names};
use super::inventoried::{self, Known, column, known};
use super::list::{self, KnownList};
use super::open::{Brought, set_overlap};
use super::options::{RecordCursor, RecordOptions};
use super::place::RecordPlace;
use super::provision;
use super::routes;
use super::snapshot::{self, Sight};
use super::{Definition, DefinitionInner};
use crate::book::BookInner;
use crate::endpoint::{TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{
    CursorStrategy, DatabaseInstance, DatabaseTable, FieldMapping, Id, InstanceRole, KeyStrategy, Moment,
    SharepointList, Sides, Stored, SyncDefinition, SyncKeyColumn, SyncSource, TenantId, UserId,
};
use crate::operation::clock::micros;
use crate::store::{Statement, Value};
use crate::table::{Filter, Tables};

/// The target of a definition, as the book knows it.
enum Target {
    Table(Known),
    List(KnownList),
}

impl Target {
    fn shape(&self) -> &TableShape {
        match self {
            Self::Table(known) => &known.shape,
            Self::List(known) => &known.shape,
        }
    }

    fn sight(&self) -> Option<Sight> {
        match self {
            Self::Table(known) => known.sight(),
            Self::List(_) => None,
        }
    }

    fn list(&self) -> Option<&KnownList> {
        match self {
            Self::Table(_) => None,
            Self::List(known) => Some(known),
        }
    }

    fn ids(&self) -> (Option<Id<SharepointList>>, Option<Id<DatabaseTable>>) {
        match self {
            Self::Table(known) => (None, Some(known.recorded.table)),
            Self::List(known) => (Some(known.id), None),
        }
    }
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
    let places =
        Sides::new(list::completed(&tables, places.left).await?, list::completed(&tables, places.right).await?);
    let endpoints =
        Sides::new(list::opened(&book, tenant, &places.left).await?, list::opened(&book, tenant, &places.right).await?);
    let shape = endpoints.left.describe(places.left.table()).await?;
    let left = known(&tables, &places.left, shape, now).await?;
    let (shape, made) = match endpoints.right.describe(places.right.table()).await {
        Err(error) if error.code() == Code::NotFound && options.create => {
            let (shape, fields) = provision::like(&places.right, &endpoints, &left.shape, &options).await?;
            (shape, Some(fields))
        }
        Err(error) if error.code() == Code::NotFound && endpoints.right.capabilities().creates_tables => {
            return Err(error.advise("look how it is called; it can be made if that is asked for"));
        }
        described => (described?, None),
    };
    let right = match &places.right {
        RecordPlace::List { site, .. } => {
            let at_sharepoint = endpoints.right.identity(&shape.name).await?;
            Target::List(list::known(&tables, site, shape, at_sharepoint, made.is_some(), now).await?)
        }
        RecordPlace::Table { .. } | RecordPlace::Host { .. } => {
            Target::Table(known(&tables, &places.right, shape, now).await?)
        }
    };
    let found = definition_of(&tables, left.recorded.table, right.ids()).await?;
    let fields = match made {
        Some(fields) => fields,
        None => fields_of(&tables, found.as_ref(), &left, &right, &options).await?,
    };
    ensure_named_once(&fields, &left.shape.name)?;
    let (cursor_strategy, cursor_column_id) = match &options.cursor {
        RecordCursor::FullScan => (CursorStrategy::FullScan, None),
        RecordCursor::Column { column: name, .. } => (CursorStrategy::UpdatedAt, Some(column(&left, name)?)),
        RecordCursor::Log => (CursorStrategy::Lsn, None),
    };
    let strategy = if options.key.is_empty() { KeyStrategy::PrimaryKey } else { KeyStrategy::CompositeColumns };
    let (target_list_id, target_table_id) = right.ids();
    let (lists, others) =
        routes::lists((&book, tenant), &tables, (&endpoints.left, &left.shape), &options, &fields, now).await?;
    let (target_strategy, sharding_policy) = routes::strategy(&options, right.list(), &lists, found.as_ref())?;
    let row = SyncDefinition {
        name: options.name.clone().unwrap_or_else(|| format!("{} to {}", places.left, places.right)),
        source_table_id: left.recorded.table,
        target_list_id,
        target_table_id,
        sync_mode: options.mode,
        conflict_policy: options.policy,
        key_strategy: strategy,
        key_constraint_name: None,
        target_strategy,
        cursor_strategy,
        cursor_column_id,
        sharding_policy,
        schedule_cron: None,
        is_enabled: true,
    };
    let sights = Sides::new(left.sight(), right.sight());
    // Whoever names other fields or another key than before knows the tables as they are, and where nothing was carried yet
    // nothing is at stake: the tables may have been put right since they were refused. What is said again says nothing of them,
    // and fields that are found by their names would be lost unseen.
    let mut accepts = true;
    if let Some(found) = &found {
        let uses = snapshot::uses(&tables, found.id, &found.row).await?;
        let has_new_fields =
            !options.fields.is_empty() && snapshot::declared(&tables, found.id).await? != said(&options.fields);
        let has_new_key = !options.key.is_empty() && uses.left.key != options.key.iter().cloned().collect();
        accepts = has_new_fields || has_new_key || !has_ledger(&book, tenant, found.id).await?;
        if !accepts {
            snapshot::ensure_open(&found.row.name, &snapshot::drift(&tables, &uses, &sights).await?)?;
        }
    }
    let id = match found {
        Some(found) if found.row == row => found.id,
        Some(found) => tables.write_back(&Stored { row, ..found }).await?.id,
        None => {
            let id = tables.make(row).await?.id;
            tables.make(source_of(id, left.instance)).await?;
            id
        }
    };
    if let Target::List(known) = &right {
        let all: Vec<&KnownList> = std::iter::once(known).chain(&lists).collect();
        list::targets(&tables, id, &all).await?;
    }
    map(&tables, id, &fields, &left, &right).await?;
    key(&tables, id, &options.key, &left).await?;
    if accepts {
        for sight in [&sights.left, &sights.right].into_iter().flatten() {
            sight.take(&tables, now).await?;
        }
    }
    let mut sites: Vec<_> = right.list().map(|list| (list.site, endpoints.right.clone())).into_iter().collect();
    sites.extend(others);
    let brought = Brought { sides: endpoints.map(Some), sites };
    // What cannot be carried out is told now, not at the first run.
    let inner = DefinitionInner { book, tenant, user, id, brought };
    inner.ensure_state().await?;
    clock::set(&inner.book, tenant, id, options.clock.as_ref()).await?;
    if let RecordCursor::Column { overlap, .. } = &options.cursor {
        let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        set_overlap(&inner.book, tenant, id, overlap_ms).await?;
    }
    inner.ready().await?;
    Ok(Definition { inner: Arc::new(inner) })
}

/// The book has one field for a column of the source (`field_mappings` is unique by it).
fn ensure_named_once(fields: &[RecordField], table: &TableName) -> Result<()> {
    let mut named = BTreeSet::new();
    match fields.iter().find(|field| !named.insert(&field.source)) {
        None => Ok(()),
        Some(twice) => Err(Error::new(Code::Invalid, "map", table)
            .because(format!("two fields have its column {}", twice.source.escape_debug()))
            .advise("name another column for one of them: a transform may read any")),
    }
}

/// Whether both sides of a definition have agreed on any row.
async fn has_ledger(book: &BookInner, tenant: TenantId, id: Id<SyncDefinition>) -> Result<bool> {
    let sql = "SELECT 1 FROM sync_ledger WHERE sync_def_id = ?1 LIMIT 1";
    let rows = book.store.query(tenant, Statement::new(sql, vec![Value::Uuid(id.0)])).await?;
    Ok(rows.first().is_some())
}

async fn definition_of(
    tables: &Tables,
    source: Id<DatabaseTable>,
    (list, table): (Option<Id<SharepointList>>, Option<Id<DatabaseTable>>),
) -> Result<Option<Stored<SyncDefinition>>> {
    let of_source = tables.every::<SyncDefinition>(Filter::all().equal("source_table_id", &source)).await?;
    let is_it = |found: &Stored<SyncDefinition>| (found.row.target_list_id, found.row.target_table_id) == (list, table);
    Ok(of_source.into_iter().find(is_it))
}

/// The fields that are kept in step. The columns of a list that was made from here may have other names than those they were
/// made for: then those that were mapped stay so.
async fn fields_of(
    tables: &Tables,
    definition: Option<&Stored<SyncDefinition>>,
    left: &Known,
    right: &Target,
    options: &RecordOptions,
) -> Result<Vec<RecordField>> {
    let shape = right.shape();
    let mut fields = match options.fields.is_empty() {
        true => same_names(&left.shape, shape, &options.key),
        false => options.fields.clone(),
    };
    let (Some(definition), Target::List(_)) = (definition, right) else { return Ok(fields) };
    for known in tables.every::<FieldMapping>(Filter::all().equal("sync_def_id", &definition.id)).await? {
        let FieldMapping { source_column_name: source, target_column_name: target, .. } = known.row;
        if left.shape.column(&source).is_none() || shape.column(&target).is_none() {
            continue;
        }
        match fields.iter_mut().find(|field| field.source == source) {
            Some(field) if shape.column(&field.target).is_none() => field.target = target,
            Some(_) => {}
            None if options.fields.is_empty() => fields.push(RecordField {
                source,
                target,
                direction: known.row.sync_direction,
                transform: known.row.transform_rule,
            }),
            None => {}
        }
    }
    Ok(fields)
}

/// Fields as they compare with those of the book.
fn said(fields: &[RecordField]) -> BTreeSet<snapshot::Declared> {
    let said = |field: &RecordField| {
        let RecordField { source, target, direction, transform } = field.clone();
        (source, target, direction.as_str(), transform)
    };
    fields.iter().map(said).collect()
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
    let left = inventoried::table(&tables, &places.left).await?.ok_or_else(missing)?;
    let (list, table) = match &places.right {
        RecordPlace::List { site, list } => {
            (Some(list::listed(&tables, site, &list.name).await?.ok_or_else(missing)?), None)
        }
        place => (None, Some(inventoried::table(&tables, place).await?.ok_or_else(missing)?)),
    };
    let id = definition_of(&tables, left, (list, table)).await?.ok_or_else(missing)?.id;
    let left = list::completed(&tables, places.left.clone()).await?;
    let right = list::completed(&tables, places.right.clone()).await?;
    let endpoints = Sides::new(list::opened(&book, tenant, &left).await?, list::opened(&book, tenant, &right).await?);
    let sites = match list {
        Some(list) => vec![(tables.read(list).await?.row.site_id, endpoints.right.clone())],
        None => Vec::new(),
    };
    let brought = Brought { sides: endpoints.map(Some), sites };
    Ok(Definition { inner: Arc::new(DefinitionInner { book, tenant, user, id, brought }) })
}

/// Looks at a table, and writes down what it looks like.
pub(crate) async fn inspect(book: &Arc<BookInner>, tenant: TenantId, place: &RecordPlace) -> Result<TableShape> {
    let tables = book.tables(tenant);
    let now = Moment(micros(book.clock.now()));
    let place = list::completed(&tables, place.clone()).await?;
    let shape = list::opened(book, tenant, &place).await?.describe(place.table()).await?;
    Ok(known(&tables, &place, shape, now).await?.shape)
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
    right: &Target,
) -> Result<()> {
    let mut rows = Vec::with_capacity(fields.len());
    let shape = right.shape();
    for field in fields {
        let (of_list, of_table) = match right {
            Target::List(known) => (Some(list::column(known, &field.target)?), None),
            Target::Table(known) => (None, Some(column(known, &field.target)?)),
        };
        rows.push(FieldMapping {
            sync_def_id: definition,
            source_column_id: column(left, &field.source)?,
            source_column_name: field.source.clone(),
            target_column_id: of_list,
            target_table_column_id: of_table,
            target_column_name: field.target.clone(),
            target_type: shape.column(&field.target).map(|column| column.data_type.clone()),
            sync_direction: field.direction,
            // Who made an item and when, its number: nobody writes those.
            is_system_field: right.list().is_some()
                && shape.column(&field.target).is_some_and(|column| column.is_computed),
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
