//! The tables of a book as PostgreSQL describes them: columns with their kinds, keys, references. Both engines have the
//! same tables, so that its description serves a copy in either direction, and a new table is copied by being there.

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::model::{TenantId, ValueKind};
use crate::store::{Row, Statement, Store, Value};

/// How the rows of a tenant are told from those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The table is the whole book's.
    Book,
    /// A column holds the tenant's id.
    Tenant(String),
    /// A column refers to a row of another table, in which a column holds the tenant's id.
    Parent { column: String, parent: String, key: String, tenant: String },
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) name: String,
    /// The columns that are written, without those that the engine computes.
    pub(super) columns: Vec<(String, ValueKind)>,
    /// The columns of the primary key, in its order.
    pub(super) key: Vec<String>,
    /// A column that the engine numbers.
    pub(super) numbered: Option<String>,
    /// Columns that refer to the table itself: they are filled in when all its rows are there.
    pub(super) own: Vec<String>,
    pub(super) scope: Scope,
}

// Left out: what an engine keeps for itself, and what it computes.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attidentity <> '' \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
     AND a.attgenerated = '' \
     AND c.relname NOT IN ('schema_migration', 'book_copy', 'write_mark') ORDER BY c.relname, a.attnum";
const KEYS: &str = "SELECT c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, position) \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
     WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname, k.position";
const REFERENCES: &str = "SELECT c.relname::text, a.attname::text, p.relname::text, pa.attname::text \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid \
     CROSS JOIN LATERAL unnest(f.conkey, f.confkey) AS k(number, parent_number) \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
     JOIN pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = k.parent_number \
     WHERE f.contype = 'f' AND f.connamespace = current_schema()::regnamespace AND NOT c.relispartition \
     ORDER BY c.relname, f.conname, a.attnum";

/// References that triggers keep, not foreign keys: table, column, parent, its key. `file_pair` is written by the hundred
/// thousand rows, and a foreign key asks and locks for each.
const KEPT_BY_TRIGGERS: &[[&str; 4]] = &[["file_pair", "conduit_id", "sync_conduit", "id"]];

struct Reference {
    column: String,
    parent: String,
    key: String,
}

/// The tables, each after those it refers to. Activity comes last: finished progress writes lines of its own there.
///
/// # Errors
/// `internal` when a table is of a shape that a copy does not know.
pub(super) async fn read(postgres: &dyn Store) -> Result<Vec<Shape>> {
    let ask = |sql: &'static str| Statement::new(sql, Vec::new());
    let asked = vec![ask(COLUMNS), ask(KEYS), ask(REFERENCES)];
    let answers = postgres.query_many(TenantId(uuid::Uuid::nil()), asked).await?;
    let [columns, keys, references] = answers.as_slice() else { return Err(strange("the catalog", "no answer")) };

    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    for row in columns.iter() {
        let (table, column) = (text(row, 0)?, text(row, 1)?);
        let kind = kind_of(row.text(2)?).ok_or_else(|| strange(&table, row.text(2).unwrap_or_default()))?;
        let shape = shapes.entry(table.clone()).or_insert_with(|| Shape {
            name: table,
            columns: Vec::new(),
            key: Vec::new(),
            numbered: None,
            own: Vec::new(),
            scope: Scope::Book,
        });
        if row.int(3)? != 0 {
            shape.numbered = Some(column.clone());
        }
        shape.columns.push((column, kind));
    }
    for row in keys.iter() {
        if let Some(shape) = shapes.get_mut(row.text(0)?) {
            shape.key.push(text(row, 1)?);
        }
    }
    let mut refers: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for row in references.iter() {
        let reference = Reference { column: text(row, 1)?, parent: text(row, 2)?, key: text(row, 3)? };
        refers.entry(text(row, 0)?).or_default().push(reference);
    }
    for [table, column, parent, key] in KEPT_BY_TRIGGERS.iter().map(|r| r.map(str::to_owned)) {
        refers.entry(table).or_default().push(Reference { column, parent, key });
    }
    let tenants: BTreeMap<String, String> =
        shapes.values().filter_map(|s| Some((s.name.clone(), tenant_column(s)?))).collect();
    for shape in shapes.values_mut() {
        let references = refers.get(&shape.name).map(Vec::as_slice).unwrap_or_default();
        shape.scope = match tenants.get(&shape.name) {
            Some(column) => Scope::Tenant(column.clone()),
            None => references.iter().find_map(|r| parent_scope(r, &tenants)).unwrap_or(Scope::Book),
        };
        let is_tenant = |column: &String| matches!(&shape.scope, Scope::Tenant(tenant) if tenant == column);
        let own = references.iter().filter(|r| r.parent == shape.name).map(|r| r.column.clone());
        shape.own = own.filter(|c| !is_tenant(c)).collect();
        if shape.key.is_empty() {
            return Err(strange(&shape.name, "it has no primary key"));
        }
    }
    in_order(shapes, &refers)
}

fn tenant_column(shape: &Shape) -> Option<String> {
    if shape.name == "tenants" {
        return Some("id".into());
    }
    // `tenant_id` is somebody else's tenant, as text, where there is an `org_id`.
    let has = |name: &str| shape.columns.iter().any(|(c, kind)| c == name && *kind == ValueKind::Id);
    ["org_id", "tenant_id"].into_iter().find(|name| has(name)).map(str::to_owned)
}

fn parent_scope(reference: &Reference, tenants: &BTreeMap<String, String>) -> Option<Scope> {
    let Reference { column, parent, key } = reference;
    let tenant = tenants.get(parent)?.clone();
    Some(Scope::Parent { column: column.clone(), parent: parent.clone(), key: key.clone(), tenant })
}

/// Parents first.
fn in_order(mut shapes: BTreeMap<String, Shape>, refers: &BTreeMap<String, Vec<Reference>>) -> Result<Vec<Shape>> {
    const LAST: &str = "sync_activity_log";
    let last = shapes.remove(LAST);
    let mut ordered: Vec<Shape> = Vec::with_capacity(shapes.len() + 1);
    while !shapes.is_empty() {
        let waits = |name: &str| {
            let parents = refers.get(name).map(Vec::as_slice).unwrap_or_default();
            parents.iter().any(|r| r.parent != name && shapes.contains_key(&r.parent))
        };
        let Some(next) = shapes.keys().find(|name| !waits(name)).cloned() else {
            return Err(strange(&shapes.into_keys().collect::<Vec<_>>().join(", "), "they refer to each other"));
        };
        ordered.extend(shapes.remove(&next));
    }
    ordered.extend(last);
    Ok(ordered)
}

fn kind_of(postgres_type: &str) -> Option<ValueKind> {
    Some(match postgres_type {
        "uuid" => ValueKind::Id,
        "bigint" | "integer" | "smallint" => ValueKind::Integer,
        "double precision" | "real" => ValueKind::Number,
        "text" | "character varying" => ValueKind::Text,
        "jsonb" | "json" => ValueKind::Json,
        "bytea" => ValueKind::Bytes,
        "boolean" => ValueKind::Flag,
        "timestamp with time zone" => ValueKind::Time,
        _ => return None,
    })
}

/// The value of a column, to be written by either engine.
pub(super) fn value(row: Row<'_>, at: usize, kind: ValueKind) -> Result<Value> {
    if row.is_null(at) {
        return Ok(Value::Null);
    }
    Ok(match kind {
        ValueKind::Flag => Value::Bool(row.int(at)? != 0),
        ValueKind::Integer => Value::Int(row.int(at)?),
        ValueKind::Number => Value::Real(row.real(at)?),
        ValueKind::Text | ValueKind::Json => Value::Text(row.text(at)?.to_owned()),
        ValueKind::Bytes | ValueKind::Secret => Value::Blob(row.blob(at)?.to_vec()),
        ValueKind::Id => Value::Uuid(row.uuid(at)?),
        ValueKind::Time => Value::Time(row.int(at)?),
    })
}

fn text(row: Row<'_>, at: usize) -> Result<String> {
    row.text(at).map(str::to_owned)
}

fn strange(table: &str, why: &str) -> Error {
    Error::new(Code::Internal, "describe the tables of the book", table).because(why)
}
