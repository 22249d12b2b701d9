//! Snapshots of tables (`schema_snapshots`), and what has drifted since they were taken.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::drift::{Drift, DriftEffect, SchemaChange, Seen, Uses, changes, effects};
use super::expression::Expression;
use super::inventoried::known_table;
use super::place::RecordPlace;
use crate::book::BookInner;
use crate::endpoint::TableShape;
use crate::error::{Code, Error, Result};
use crate::model::{
    DatabaseInstance, DatabaseTable, FieldDirection, FieldMapping, Id, Json, KeyStrategy, Moment, RecordMode,
    SchemaSnapshot, Side, Sides, SyncDefinition, SyncKeyColumn, TableColumn, TenantId,
};
use crate::operation::clock::micros;
use crate::table::{Filter, Tables};

/// A change of a table, and what it is to each definition that goes by the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDrift {
    /// What has changed.
    pub change: SchemaChange,
    /// The definitions.
    pub definitions: Vec<DefinitionDrift>,
}

/// What a change of a table is to a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionDrift {
    /// The definition.
    pub definition: Id<SyncDefinition>,
    /// What it is called.
    pub name: String,
    /// What the change is to it.
    pub effect: DriftEffect,
    /// Why.
    pub reason: String,
}

/// A table as it looks now, at an instance.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) table: Id<DatabaseTable>,
    pub(crate) instance: Id<DatabaseInstance>,
    seen: Seen,
}

impl Sight {
    /// What is seen of a table; nothing where the book knows of no instance.
    pub(crate) fn of(
        table: Id<DatabaseTable>,
        instance: Option<Id<DatabaseInstance>>,
        shape: &TableShape,
    ) -> Option<Self> {
        instance.map(|instance| Self { table, instance, seen: Seen::of(shape) })
    }

    /// The last snapshot: of this instance, else of another one that holds the same.
    async fn last(&self, tables: &Tables) -> Result<Option<Seen>> {
        let all = tables.every::<SchemaSnapshot>(Filter::all().equal("table_id", &self.table)).await?;
        let is_here = |snapshot: &SchemaSnapshot| snapshot.database_instance_id == self.instance;
        let latest = all.into_iter().map(|found| found.row).max_by_key(|found| (is_here(found), found.captured_at));
        // One that another version took in another form is none.
        Ok(latest.and_then(|snapshot| {
            let SchemaSnapshot { columns, constraints, indexes, .. } = snapshot;
            Some(Seen { columns: read(columns)?, constraints: read(constraints)?, indexes: read(indexes)? })
        }))
    }

    /// Takes a snapshot, where the last one is another.
    pub(crate) async fn take(&self, tables: &Tables, now: Moment) -> Result<()> {
        if self.last(tables).await?.as_ref() == Some(&self.seen) {
            return Ok(());
        }
        let Seen { columns, constraints, indexes } = &self.seen;
        let row = SchemaSnapshot {
            table_id: self.table,
            database_instance_id: self.instance,
            captured_at: now,
            columns: Json(json!(columns)),
            constraints: Json(json!(constraints)),
            indexes: Json(json!(indexes)),
        };
        tables.make(row).await.map(|_| ())
    }
}

fn read<T: DeserializeOwned>(column: Json) -> Option<T> {
    serde_json::from_value(column.0).ok()
}

/// What a definition makes of its tables.
pub(crate) async fn uses(tables: &Tables, id: Id<SyncDefinition>, definition: &SyncDefinition) -> Result<Sides<Uses>> {
    let of = || Filter::all().equal("sync_def_id", &id);
    let fields: Vec<FieldMapping> =
        tables.every::<FieldMapping>(of()).await?.into_iter().map(|stored| stored.row).collect();
    let mut chosen = BTreeSet::new();
    for part in tables.every::<SyncKeyColumn>(of()).await? {
        chosen.insert(tables.read::<TableColumn>(part.row.column_id).await?.row.column_name);
    }
    let is_key = |field: &FieldMapping| match definition.key_strategy {
        KeyStrategy::CompositeColumns => chosen.contains(&field.source_column_name),
        KeyStrategy::PrimaryKey | KeyStrategy::UniqueConstraint | KeyStrategy::Hashed => field.is_key,
    };
    let cursor = match definition.cursor_column_id {
        Some(column) => Some(tables.read::<TableColumn>(column).await?.row.column_name),
        None => None,
    };
    let half = |side, key, cursor| Uses {
        side,
        mode: definition.sync_mode,
        strategy: definition.key_strategy,
        constraint: definition.key_constraint_name.clone(),
        key,
        cursor,
        read: BTreeSet::new(),
        written: BTreeSet::new(),
    };
    let key = fields.iter().filter(|field| is_key(field)).map(|field| field.target_column_name.clone()).collect();
    let mut uses = Sides::new(half(Side::Left, chosen.clone(), cursor), half(Side::Right, key, None));
    for field in &fields {
        if field.sync_direction != FieldDirection::PullOnly {
            uses.left.read.extend(inputs(field));
            uses.right.written.insert(field.target_column_name.clone());
        }
        if field.sync_direction != FieldDirection::PushOnly && definition.sync_mode == RecordMode::TwoWay {
            uses.right.read.insert(field.target_column_name.clone());
            uses.left.written.insert(field.source_column_name.clone());
        }
    }
    Ok(uses)
}

/// A field as it was said: source, target, direction, transform.
pub(crate) type Declared = (String, String, &'static str, Option<String>);

/// The fields of a definition as they were said.
pub(crate) async fn declared(tables: &Tables, id: Id<SyncDefinition>) -> Result<BTreeSet<Declared>> {
    let said = |field: FieldMapping| {
        let FieldMapping { source_column_name, target_column_name, sync_direction, transform_rule, .. } = field;
        (source_column_name, target_column_name, sync_direction.as_str(), transform_rule)
    };
    let fields = tables.every::<FieldMapping>(Filter::all().equal("sync_def_id", &id)).await?;
    Ok(fields.into_iter().map(|stored| said(stored.row)).collect())
}

/// The columns of the source that a field is made of.
fn inputs(field: &FieldMapping) -> Vec<String> {
    let own = || vec![field.source_column_name.clone()];
    match field.transform_rule.as_deref().map(Expression::parse) {
        // One that cannot be read is refused where it is used.
        None | Some(Err(_)) => own(),
        Some(Ok(transform)) => transform.columns().into_iter().map(str::to_owned).collect(),
    }
}

/// What has changed about the tables of a definition since their last snapshots.
pub(crate) async fn drift(tables: &Tables, uses: &Sides<Uses>, sights: &Sides<Option<Sight>>) -> Result<Vec<Drift>> {
    let mut all = Vec::new();
    for side in [Side::Left, Side::Right] {
        if let Some(sight) = &sights[side]
            && let Some(before) = sight.last(tables).await?
        {
            all.extend(effects(&before, &sight.seen, &uses[side]));
        }
    }
    Ok(all)
}

/// That none of these stands in the way.
///
/// # Errors
/// `invalid`, with the first that does.
pub(crate) fn ensure_open(definition: &str, drift: &[Drift]) -> Result<()> {
    let blocking: Vec<&Drift> = drift.iter().filter(|drift| drift.effect == DriftEffect::Blocks).collect();
    let Some(first) = blocking.first() else { return Ok(()) };
    let side = if first.side == Side::Left { "source" } else { "target" };
    let more = if blocking.len() > 1 { format!(", and {} more", blocking.len() - 1) } else { String::new() };
    Err(Error::new(Code::Invalid, "run the definition", definition)
        .because(format!("its {side} has changed: {}; {}{more}", first.change, first.reason))
        .advise("change its fields or the table, or accept the table as it is"))
}

/// What has changed about a table since its last snapshot, and what that is to each definition that goes by it.
pub(crate) async fn of_table(book: &Arc<BookInner>, tenant: TenantId, place: &RecordPlace) -> Result<Vec<TableDrift>> {
    let tables = book.tables(tenant);
    let Some((sight, before)) = seen_before(&tables, place).await? else { return Ok(Vec::new()) };
    let Some(before) = before else { return Ok(Vec::new()) };
    let mut drift: Vec<TableDrift> = changes(&before, &sight.seen)
        .into_iter()
        .map(|change| TableDrift { change, definitions: Vec::new() })
        .collect();
    for (side, column) in [(Side::Left, "source_table_id"), (Side::Right, "target_table_id")] {
        for definition in tables.every::<SyncDefinition>(Filter::all().equal(column, &sight.table)).await? {
            let uses = uses(&tables, definition.id, &definition.row).await?;
            let told = effects(&before, &sight.seen, &uses[side]);
            for (change, Drift { effect, reason, .. }) in drift.iter_mut().zip(told) {
                let name = definition.row.name.clone();
                change.definitions.push(DefinitionDrift { definition: definition.id, name, effect, reason });
            }
        }
    }
    Ok(drift)
}

/// Accepts a table as it is: what it was before is told no more.
pub(crate) async fn accept(book: &Arc<BookInner>, tenant: TenantId, place: &RecordPlace) -> Result<()> {
    let tables = book.tables(tenant);
    let missing = || Error::new(Code::NotFound, "accept the table", place).because("the book does not know it");
    let (sight, _) = seen_before(&tables, place).await?.ok_or_else(missing)?;
    sight.take(&tables, Moment(micros(book.clock.now()))).await
}

/// A table that the book knows, as it is and as it was.
async fn seen_before(tables: &Tables, place: &RecordPlace) -> Result<Option<(Sight, Option<Seen>)>> {
    let shape = place.endpoint()?.describe(place.table()).await?;
    let Some((table, instance)) = known_table(tables, place).await? else { return Ok(None) };
    let Some(sight) = Sight::of(table, instance, &shape) else { return Ok(None) };
    let before = sight.last(tables).await?;
    Ok(Some((sight, before)))
}
