//! Tables, columns, constraints and indexes, by the pragmas of the schema.
//!
//! Checks are not listed: no pragma tells of them.

use rusqlite::{Connection, Row};

use super::value::{declared, traits};
use super::{DIALECT, error_of};
use crate::endpoint::{
    Collation, ColumnShape, ConstraintShape, IndexShape, TableEntry, TableName, TableShape, TableTraits,
};
use crate::error::{Code, Error, Result};
use crate::model::{ConstraintType, DatumKind, TableType};

/// Decimal places of a second that a text has room for.
const SECOND_PLACES: u8 = 9;

fn rows<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    of: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let run = || connection.prepare(sql)?.query_map(params, of)?.collect::<rusqlite::Result<Vec<T>>>();
    run().map_err(|e| error_of("read the schema of", "the database", e))
}

fn type_of(kind: &str) -> TableType {
    if kind == "view" { TableType::View } else { TableType::Base }
}

pub(super) fn tables(connection: &Connection) -> Result<Vec<TableEntry>> {
    // Shadow tables belong to virtual ones.
    let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    rows(connection, sql, [], |row| {
        let table_type = type_of(&row.get::<_, String>(1)?);
        Ok(TableEntry { name: TableName::new("", row.get::<_, String>(0)?), table_type, row_estimate: None })
    })
}

pub(super) fn describe(connection: &Connection, table: &TableName) -> Result<TableShape> {
    let absent = || Error::new(Code::NotFound, "find the table", table);
    if !["", "main"].contains(&table.schema.as_str()) {
        return Err(absent().because("a file has one schema, main"));
    }
    let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
    let found = rows(connection, sql, [&table.name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let (name, kind) = found.into_iter().next().ok_or_else(absent)?;
    let indexes = indexes(connection, &name)?;
    let mut columns = columns(connection, &name)?;
    for column in &mut columns {
        column.shape.collation = collation(connection, &name, &column.shape.name, &indexes);
    }
    let mut constraints = keys(&columns, &indexes);
    constraints.extend(references(connection, &name)?);
    Ok(TableShape {
        name: TableName::new(table.schema.clone(), name),
        table_type: type_of(&kind),
        row_estimate: None,
        columns: columns.into_iter().map(|column| column.shape).collect(),
        constraints,
        indexes: indexes.into_iter().map(|index| index.shape).collect(),
        traits: TableTraits::default(),
    })
}

struct Column {
    shape: ColumnShape,
    /// Its place in the key, from 1; 0 outside of it.
    key: i64,
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut columns = rows(connection, sql, [table], |row| {
        let data_type: String = row.get(1)?;
        let declared = declared(&data_type);
        let is_time = matches!(declared.kind, Some(DatumKind::Time | DatumKind::Timestamp | DatumKind::Instant));
        let shape = ColumnShape {
            name: row.get(0)?,
            data_type,
            kind: declared.kind,
            member: None,
            is_nullable: !row.get::<_, bool>(2)?,
            default_value: row.get(3)?,
            is_identity: false,
            is_computed: row.get::<_, i64>(5)? > 1,
            max_length: declared.max_length,
            digits: declared.digits,
            second_places: is_time.then_some(SECOND_PLACES),
            collation: Collation::default(),
            traits: traits(declared.kind),
        };
        Ok(Column { shape, key: row.get(4)? })
    })?;
    let in_key = columns.iter().filter(|column| column.key > 0).count();
    for column in columns.iter_mut().filter(|column| column.key > 0) {
        // The only such column that SQLite numbers is another name of the row's own number, and that is never null.
        if in_key == 1 && column.shape.data_type.eq_ignore_ascii_case("INTEGER") {
            column.shape.is_identity = true;
            column.shape.is_nullable = false;
        }
    }
    Ok(columns)
}

struct Index {
    shape: IndexShape,
    /// Why it is there: `c` made by itself, `u` by a constraint, `pk` by the key.
    origin: String,
    collations: Vec<String>,
}

fn indexes(connection: &Connection, table: &str) -> Result<Vec<Index>> {
    let sql = "SELECT name, \"unique\", origin, partial, (SELECT sql FROM sqlite_schema s WHERE s.name = l.name \
               AND s.type = 'index') FROM pragma_index_list(?1) l ORDER BY name";
    let listed = rows(connection, sql, [table], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get(2)?, row.get::<_, bool>(3)?, row.get(4)?))
    })?;
    let with_columns =
        |(name, is_unique, origin, is_partial, definition): (String, bool, String, bool, Option<String>)| {
            let sql = "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno";
            let parts = rows(connection, sql, [&name], |row| {
                Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()))
            })?;
            let is_plain = !is_partial && parts.iter().all(|(column, _)| column.is_some());
            let (columns, collations): (Vec<_>, Vec<_>) =
                parts.into_iter().filter_map(|(name, by)| Some((name?, by))).unzip();
            let shape = IndexShape { name, is_unique, is_plain, method: Some("btree".into()), columns, definition };
            Ok(Index { shape, origin, collations })
        };
    listed.into_iter().map(with_columns).collect()
}

/// What a column's texts are equal by: as its unique index has it, else as the column has it.
fn collation(connection: &Connection, table: &str, column: &str, indexes: &[Index]) -> Collation {
    let by_index = indexes.iter().filter(|index| index.shape.is_unique).find_map(|index| {
        let place = index.shape.columns.iter().position(|name| name == column)?;
        index.collations.get(place).cloned()
    });
    let by_column = || {
        // A view has none.
        let (_, name, ..) = connection.column_metadata(Some("main"), table, column).ok()?;
        Some(name?.to_string_lossy().into_owned())
    };
    let name = by_index.or_else(by_column).unwrap_or_default();
    Collation {
        ignores_case: name.eq_ignore_ascii_case("NOCASE"),
        ignores_accents: false,
        ignores_trailing_spaces: name.eq_ignore_ascii_case("RTRIM"),
        name: if name.eq_ignore_ascii_case("BINARY") { String::new() } else { name },
    }
}

fn keys(columns: &[Column], indexes: &[Index]) -> Vec<ConstraintShape> {
    let constraint = |name: &str, constraint_type, columns| ConstraintShape {
        name: name.into(),
        constraint_type,
        columns,
        referenced_table: None,
        definition: None,
    };
    let mut key: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    let key: Vec<_> = key.into_iter().map(|column| column.shape.name.clone()).collect();
    let primary = (!key.is_empty()).then(|| constraint("primary", ConstraintType::PrimaryKey, key));
    let unique = indexes.iter().filter(|index| index.origin == "u");
    let unique = unique.map(|index| constraint(&index.shape.name, ConstraintType::Unique, index.shape.columns.clone()));
    primary.into_iter().chain(unique).collect()
}

fn references(connection: &Connection, table: &str) -> Result<Vec<ConstraintShape>> {
    let sql = "SELECT id, \"table\", \"from\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let parts = rows(connection, sql, [table], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut constraints: Vec<ConstraintShape> = Vec::new();
    for (id, referenced, column) in parts {
        let name = format!("foreign_{id}");
        match constraints.iter_mut().find(|constraint| constraint.name == name) {
            Some(constraint) => constraint.columns.push(column),
            None => constraints.push(ConstraintShape {
                name,
                constraint_type: ConstraintType::ForeignKey,
                columns: vec![column],
                referenced_table: Some(TableName::new("", &referenced)),
                definition: Some(format!("REFERENCES {}", DIALECT.quoted(&referenced))),
            }),
        }
    }
    Ok(constraints)
}
