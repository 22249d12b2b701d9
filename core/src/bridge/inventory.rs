//! What the book knows of tables: columns, constraints and indexes as they were when they were last looked at.

use std::collections::HashMap;

use serde_json::json;

use crate::endpoint::{ColumnShape, TableShape};
use crate::error::Result;
use crate::model::{
    ConstraintType, Database, DatabaseTable, Id, Json, Moment, Stored, TableColumn, TableConstraint, TableIndex,
};
use crate::table::{Filter, Tables};

/// A table of the inventory with its columns by name.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) table: Id<DatabaseTable>,
    pub(crate) columns: HashMap<String, Id<TableColumn>>,
}

/// Writes down what a table looks like now. Columns that are no longer there stay while a definition refers to them: a mapping
/// over one is found out when it is used.
pub(crate) async fn record(
    tables: &Tables,
    database: Id<Database>,
    shape: &TableShape,
    now: Moment,
) -> Result<Recorded> {
    let of_name = Filter::all()
        .equal("database_id", &database)
        .equal("schema_name", &shape.name.schema)
        .equal("table_name", &shape.name.name);
    let row = DatabaseTable {
        database_id: database,
        schema_name: shape.name.schema.clone(),
        table_name: shape.name.name.clone(),
        table_type: shape.table_type,
        primary_key: Some(shape.primary_key().join(",")).filter(|key| !key.is_empty()),
        row_estimate: shape.row_estimate.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX)),
        last_introspected_at: Some(now),
    };
    let found = tables.every::<DatabaseTable>(of_name).await?.into_iter().next();
    let table = match found {
        Some(found) => tables.write_back(&Stored { row, ..found }).await?.id,
        None => tables.make(row).await?.id,
    };
    let columns = columns(tables, table, shape).await?;
    constraints(tables, table, shape).await?;
    indexes(tables, table, shape).await?;
    Ok(Recorded { table, columns })
}

async fn columns(
    tables: &Tables,
    table: Id<DatabaseTable>,
    shape: &TableShape,
) -> Result<HashMap<String, Id<TableColumn>>> {
    let known = tables.every::<TableColumn>(Filter::all().equal("table_id", &table)).await?;
    let mut ids: HashMap<String, Id<TableColumn>> =
        known.iter().map(|column| (column.row.column_name.clone(), column.id)).collect();
    let mut fresh = Vec::new();
    for (at, column) in shape.columns.iter().enumerate() {
        let row = column_row(table, at, column, shape);
        match known.iter().find(|known| known.row.column_name == column.name) {
            Some(known) if known.row == row => {}
            Some(known) => drop(tables.write_back(&Stored { row, ..known.clone() }).await?),
            None => fresh.push(row),
        }
    }
    for made in tables.make_all(&fresh).await? {
        ids.insert(made.row.column_name, made.id);
    }
    Ok(ids)
}

fn column_row(table: Id<DatabaseTable>, at: usize, column: &ColumnShape, shape: &TableShape) -> TableColumn {
    let alone = |columns: &[String]| columns.len() == 1 && columns[0] == column.name;
    TableColumn {
        table_id: table,
        ordinal_position: i64::try_from(at).unwrap_or(i64::MAX),
        column_name: column.name.clone(),
        data_type: column.data_type.clone(),
        is_nullable: column.is_nullable,
        default_value: column.default_value.clone(),
        is_identity: column.is_identity,
        is_primary_key: shape.primary_key().contains(&column.name),
        is_unique: shape.constraints.iter().any(|constraint| {
            matches!(constraint.constraint_type, ConstraintType::Unique | ConstraintType::PrimaryKey)
                && alone(&constraint.columns)
        }) || shape.indexes.iter().any(|index| index.is_unique && index.is_plain && alone(&index.columns)),
    }
}

async fn constraints(tables: &Tables, table: Id<DatabaseTable>, shape: &TableShape) -> Result<()> {
    let known = tables.every::<TableConstraint>(Filter::all().equal("table_id", &table)).await?;
    let rows: Vec<TableConstraint> = shape
        .constraints
        .iter()
        .map(|constraint| TableConstraint {
            table_id: table,
            constraint_name: constraint.name.clone(),
            constraint_type: constraint.constraint_type,
            columns: Json(json!(constraint.columns)),
            referenced_table: constraint.referenced_table.as_ref().map(ToString::to_string),
            definition: constraint.definition.clone(),
        })
        .collect();
    replace(tables, known, rows).await
}

async fn indexes(tables: &Tables, table: Id<DatabaseTable>, shape: &TableShape) -> Result<()> {
    let known = tables.every::<TableIndex>(Filter::all().equal("table_id", &table)).await?;
    let rows: Vec<TableIndex> = shape
        .indexes
        .iter()
        .map(|index| TableIndex {
            table_id: table,
            index_name: index.name.clone(),
            is_unique: index.is_unique,
            index_method: index.method.clone(),
            columns: Json(json!(index.columns)),
            definition: index.definition.clone(),
        })
        .collect();
    replace(tables, known, rows).await
}

/// Makes the rows that are known those that are there; what is the same stays.
pub(crate) async fn replace<T: crate::model::Table>(
    tables: &Tables,
    known: Vec<Stored<T>>,
    mut rows: Vec<T>,
) -> Result<()> {
    for old in known {
        match rows.iter().position(|row| *row == old.row) {
            Some(same) => drop(rows.swap_remove(same)),
            None => tables.remove(const { &T::INFO }, old.id.0).await?,
        }
    }
    tables.make_all(&rows).await.map(|_| ())
}
