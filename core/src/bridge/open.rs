//! A definition made ready for a run: its rows are read, its endpoints opened, its mapping checked against what both tables
//! look like now.

use std::sync::Arc;

use uuid::Uuid;

use super::clock::RecordClock;
use super::cursor::{source_reading, target_reading};
use super::drift::Drift;
use super::expression::Expression;
use super::instance::{Asked, PassedOver};
use super::key::{KeyPart, RowKey, read_key};
use super::list::{self, OpenedLists};
use super::mapping::{Field, Mapping, Own, Parts, Routes};
use super::projection::{Ends, Projection};
use super::served::{endpoint, name_of};
use super::snapshot::{self, Sight};
use super::survey::Reading;
use crate::book::BookInner;
use crate::endpoint::{Endpoint, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::encode;
use crate::ledger::{Due, RowLedger};
use crate::model::{
    DatabaseInstance, FieldMapping, Id, Moment, RecordMode, RecordPolicy, SharepointList, SharepointSite, Side, Sides,
    SyncDefinition, SyncKeyColumn, TableColumn, TargetStrategy, TenantId, Tick, UserId,
};
use crate::operation::clock::micros;
use crate::store::{Statement, Value, Write};
use crate::table::{Filter, Tables};

/// The endpoints that a host has brought for a definition, instead of those that its rows name.
#[derive(Clone, Default)]
pub(crate) struct Brought {
    pub(crate) sides: Sides<Option<Arc<dyn Endpoint>>>,
    /// Sites of SharePoint, by their rows.
    pub(crate) sites: Vec<(Id<SharepointSite>, Arc<dyn Endpoint>)>,
}

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
    /// All lists that the target is made of.
    pub(crate) lists: Vec<TargetList>,
    /// What both tables look like, as far as the book keeps that.
    pub(crate) sights: Sides<Option<Sight>>,
    /// What has changed about them.
    pub(crate) drift: Vec<Drift>,
    /// What tells which side changed a row last.
    pub(crate) clock: Option<RecordClock>,
    /// Instances that did not answer, so that another one serves.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// A list that is the target of a definition.
#[derive(Clone, Debug)]
pub(crate) struct TargetList {
    pub(crate) id: Id<SharepointList>,
    /// Its id at SharePoint.
    pub(crate) at_sharepoint: Option<String>,
    /// When anything in it was last changed.
    pub(crate) modified_at: Option<Moment>,
}

/// A row of `sync_definition_state`.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) mapping_version: i64,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) generation: i64,
    overlap_ms: u64,
    clock: Option<RecordClock>,
}

impl Opened {
    /// Who wins where the last change does and nobody can tell which one that was.
    pub(crate) fn tie(&self) -> Side {
        self.clock.as_ref().map_or(Side::Left, |clock| clock.tie)
    }

    /// The time that transforms go by.
    pub(crate) fn now(&self) -> Tick {
        Tick::from_micros(micros(self.book.clock.now()))
    }

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

    /// The list that all rows go to; nothing where they go to a table, or to several lists.
    pub(crate) fn whole_list(&self) -> Option<Id<SharepointList>> {
        self.list.as_ref().filter(|_| !self.mapping.is_routed()).map(|list| list.id)
    }

    /// Whether the hashes in the ledger were made with the mapping as it is.
    pub(crate) fn has_hashes_of_this_mapping(&self) -> bool {
        self.state.fingerprint.as_deref() == Some(&self.mapping.fingerprint)
    }

    /// Sends every row to one of the lists of the definition.
    ///
    /// # Errors
    /// `invalid` when it is none of them, or the target is no choice of lists.
    pub(crate) fn send_all_to(&mut self, list: Option<Uuid>) -> Result<()> {
        let Some(list) = list else { return Ok(()) };
        let routes = self.mapping.routes_mut().ok_or_else(|| {
            Error::new(Code::Invalid, "send all rows to the list", list)
                .because("the definition has no rules: all rows go to its only target")
        })?;
        routes.only_to(list)
    }

    /// The keys at the source of rows that are read whatever the cursor says: those that failed in runs before, those that wait, and
    /// those that may go to another list though they stay as they are.
    pub(crate) async fn keys_to_read_again(&self, due: &Due) -> Result<Vec<Vec<u8>>> {
        let failed = Statement::new(
            "SELECT source_identity FROM sync_row_failure WHERE sync_def_id = ?1 \
             UNION SELECT source_identity FROM sync_row_conflict WHERE sync_def_id = ?1 ORDER BY 1",
            vec![Value::Uuid(self.definition)],
        );
        let rows = self.book.store.query(self.tenant, failed).await?;
        // What is no key (a row that has none) cannot be asked for; it comes again when it is changed.
        let mut names = rows.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<Vec<_>>>()?;
        names.extend(self.ledger.due(due).await?);
        let keys = names.iter().filter_map(|name| read_key(name).ok());
        Ok(keys.map(|key| key.iter().flat_map(encode).collect()).collect())
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
    let mut passed_over = Vec::new();
    let asked = Asked::of(&tables, id, &definition, Side::Left).await?;
    let (left, instance) =
        endpoint(book, &tables, &source, brought.sides.left.as_ref(), &asked, &mut passed_over).await?;
    let left_shape = left.describe(&name_of(&source.row)).await?;
    let asked = Asked::of(&tables, id, &definition, Side::Right).await?;
    let Target { endpoint: right, shape: right_shape, zone, list, lists, routes, seen } =
        target(book, &tables, (id, &definition), brought, &asked, &mut passed_over).await?;
    if definition.sync_mode == RecordMode::TwoWay && left.capabilities().assigns_keys {
        return Err(Error::new(Code::Unsupported, "run the definition", &definition.name)
            .because("its source gives rows their keys itself, so that one could be made twice")
            .advise("let it be the target; two ways is the same from either side"));
    }
    let shapes = Sides::new(left_shape, right_shape);
    let sights = Sides::new(Sight::of(source.id, instance, &shapes.left), seen);
    let uses = snapshot::uses(&tables, id, &definition).await?;
    let drift = snapshot::drift(&tables, &uses, &sights).await?;
    snapshot::ensure_open(&definition.name, &drift)?;
    let own = Sides::new(
        Own::of(Side::Left, &left.capabilities(), &shapes.left),
        Own::of(Side::Right, &right.capabilities(), &shapes.right),
    );
    let state = state(book, tenant, id).await?;
    let dated = match definition.cursor_column_id {
        Some(column) => Some(tables.read(column).await?.row.column_name),
        None => state.clock.as_ref().map(|clock| clock.source.clone()),
    };
    let ends = (&shapes, own, routes, dated.as_deref());
    let mut mapping = mapping(&tables, tenant, id, &definition, ends, Ends { zone }).await?;
    let is_same = state.fingerprint.as_deref() == Some(&mapping.fingerprint);
    let clock = state.clock.clone();
    if let Some(clock) = &clock {
        clock.check(&mapping)?;
    }
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
        lists,
        sights,
        drift,
        clock,
        passed_over,
    })
}

/// The target of a definition, opened.
struct Target {
    endpoint: Arc<dyn Endpoint>,
    shape: TableShape,
    /// The zone that times without one are meant in.
    zone: Option<chrono_tz::Tz>,
    list: Option<TargetList>,
    /// All that it is made of.
    lists: Vec<TargetList>,
    /// The rules, where rows go to several lists.
    routes: Option<Routes>,
    /// What a table looks like; of a list no snapshots are kept.
    seen: Option<Sight>,
}

/// When anything in a list was last changed.
pub(crate) fn modified_at(shape: &TableShape) -> Option<Moment> {
    shape.traits.modified_at.and_then(Tick::micros).map(Moment)
}

async fn target(
    book: &Arc<BookInner>,
    tables: &Tables,
    (id, definition): (Id<SyncDefinition>, &SyncDefinition),
    brought: &Brought,
    asked: &Asked,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Target> {
    match (definition.target_table_id, definition.target_list_id) {
        (Some(table), _) => {
            let target = tables.read(table).await?;
            let (endpoint, instance) =
                endpoint(book, tables, &target, brought.sides.right.as_ref(), asked, passed_over).await?;
            let shape = endpoint.describe(&name_of(&target.row)).await?;
            let seen = Sight::of(target.id, instance, &shape);
            Ok(Target { endpoint, shape, zone: None, list: None, lists: Vec::new(), routes: None, seen })
        }
        (None, Some(list)) if definition.target_strategy == TargetStrategy::Conditional => {
            let OpenedLists { endpoint, shape, zone, lists, routes } =
                list::open_all(book, tables, id, definition, brought).await?;
            let list = Some(TargetList { id: list, at_sharepoint: None, modified_at: None });
            Ok(Target { endpoint, shape, zone, list, lists, routes: Some(routes), seen: None })
        }
        (None, Some(id)) => {
            let list::Opened { endpoint, shape, zone, at_sharepoint } =
                list::open(book, tables, id, brought.sides.right.as_ref()).await?;
            let list = TargetList { id, at_sharepoint, modified_at: modified_at(&shape) };
            let lists = vec![list.clone()];
            Ok(Target { endpoint, shape, zone, list: Some(list), lists, routes: None, seen: None })
        }
        (None, None) => {
            Err(Error::new(Code::Invalid, "run the definition", &definition.name).because("it has no target"))
        }
    }
}

/// What has changed about the tables of a definition since their last snapshots, whether it could run or not.
pub(crate) async fn drift(
    book: &Arc<BookInner>,
    tenant: TenantId,
    id: Id<SyncDefinition>,
    brought: &Brought,
) -> Result<Vec<Drift>> {
    let tables = book.tables(tenant);
    let definition = tables.read::<SyncDefinition>(id).await?.row;
    let mut sights = Sides::new(None, None);
    for (side, table) in [(Side::Left, Some(definition.source_table_id)), (Side::Right, definition.target_table_id)] {
        let Some(table) = table else { continue };
        let table = tables.read(table).await?;
        let asked = Asked::of(&tables, id, &definition, side).await?;
        let (endpoint, instance) =
            endpoint(book, &tables, &table, brought.sides[side].as_ref(), &asked, &mut Vec::new()).await?;
        sights[side] = Sight::of(table.id, instance, &endpoint.describe(&name_of(&table.row)).await?);
    }
    let uses = snapshot::uses(&tables, id, &definition).await?;
    snapshot::drift(&tables, &uses, &sights).await
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
            "SELECT mapping_version, mapping_fingerprint, generation, cursor_overlap_ms, source_clock, target_clock, \
             clock_skew_ms, clock_tie FROM sync_definition_state WHERE tenant_id = ?1 AND sync_def_id = ?2",
            vec![Value::Uuid(tenant.0), Value::Uuid(id.0)],
        )
    };
    let rows = book.store.query(tenant, ask()).await?;
    if let Some(row) = rows.first() {
        let fingerprint = if row.is_null(1) { None } else { Some(row.blob(1)?.to_vec()) };
        let overlap_ms = u64::try_from(row.int(3)?).unwrap_or_default();
        let (generation, clock) = (row.int(2)?, RecordClock::of_row(&row, 4)?);
        return Ok(State { mapping_version: row.int(0)?, fingerprint, generation, overlap_ms, clock });
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
    (shapes, own, routes, dated): (&Sides<TableShape>, Sides<Own>, Option<Routes>, Option<&str>),
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
        routes,
        dated,
    })
}

fn field(row: &FieldMapping, shapes: &Sides<TableShape>, ends: Ends) -> Result<Field> {
    let column = |shape: &TableShape, name: &str| {
        let mut column = shape.column(name).cloned().ok_or_else(|| {
            Error::new(Code::Invalid, "map", &shape.name)
                .because(format!("it has no column {name} any more"))
                .advise("change the field mapping, or bring the column back")
        })?;
        // How a value crosses has nothing to do with what people call its column, nor with their having to fill it in.
        column.traits.shown_as = None;
        column.traits.is_required = false;
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
