//! Tables, columns, constraints and indexes, by the catalogues.

use tokio_postgres::{GenericClient, Row};

use super::fault::error_of;
use super::types::{PgType, Wire};
use crate::endpoint::{
    Collation, ColumnShape, ColumnTraits, ConstraintShape, IndexShape, TableEntry, TableName, TableShape, TableTraits,
};
use crate::error::{Code, Error, Result};
use crate::model::{ConstraintType, TableType};

/// A table, and what its columns are on the wire.
pub(super) struct Described {
    pub(super) shape: TableShape,
    pub(super) columns: Vec<PgColumn>,
    pub(super) oid: u32,
    /// Whether it has blocks of its own, so that ranges of them are parts of it.
    pub(super) has_blocks: bool,
}

/// What PostgreSQL alone knows of a column.
pub(super) struct PgColumn {
    pub(super) wire: Option<Wire>,
    /// The type to cast a text to, without its length: a cast to `varchar(3)` would cut, where an assignment refuses.
    pub(super) cast: String,
    /// The server numbers it and takes no other number unless told.
    pub(super) is_always_identity: bool,
}

const KINDS: &str = "c.relkind IN ('r', 'p', 'v', 'm', 'f')";

pub(super) async fn tables(client: &impl GenericClient) -> Result<Vec<TableEntry>> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.reltuples::float8 FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {KINDS} AND NOT c.relispartition \
         AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2"
    );
    let rows = client.query(&sql, &[]).await.map_err(|e| error_of("list the tables of", "the database", e))?;
    let entry = |row: &Row| TableEntry {
        name: TableName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        table_type: type_of(row.get(2)),
        row_estimate: estimate(row.get(3)),
    };
    Ok(rows.iter().map(entry).collect())
}

fn type_of(kind: &str) -> TableType {
    if matches!(kind, "v" | "m") { TableType::View } else { TableType::Base }
}

/// -1 where nothing was counted yet.
fn estimate(rows: f64) -> Option<u64> {
    // Truncation is what is wanted of an estimate.
    (rows >= 0.0).then_some(rows as u64)
}

pub(super) async fn describe(client: &impl GenericClient, table: &TableName) -> Result<Described> {
    let fail = |e| error_of("describe the table", table, e);
    let sql = format!(
        "SELECT c.oid, c.relkind::text, c.reltuples::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = $1 AND {KINDS} AND CASE WHEN $2 = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = $2 END"
    );
    let found = client.query_opt(&sql, &[&table.name, &table.schema]).await.map_err(fail)?;
    let found = found.ok_or_else(|| Error::new(Code::NotFound, "find the table", table))?;
    let (oid, kind): (u32, String) = (found.get(0), found.get(1));
    let columns = client.query(COLUMNS, &[&oid]).await.map_err(fail)?;
    let constraints = client.query(CONSTRAINTS, &[&oid]).await.map_err(fail)?;
    let indexes = client.query(INDEXES, &[&oid]).await.map_err(fail)?;
    let (shapes, columns) = columns.iter().map(column).unzip();
    let shape = TableShape {
        name: table.clone(),
        table_type: type_of(&kind),
        row_estimate: estimate(found.get(2)),
        columns: shapes,
        constraints: constraints.iter().map(constraint).collect(),
        indexes: indexes.iter().map(index).collect(),
        traits: TableTraits::default(),
    };
    Ok(Described { shape, columns, oid, has_blocks: matches!(kind.as_str(), "r" | "m") })
}

/// Columns with what their types are made of, domains looked through. `format_type` with -1 names a type without its
/// length; with null it would name `character`, which is `char(1)`.
const COLUMNS: &str = "WITH RECURSIVE base AS ( \
       SELECT attnum, atttypid AS type, atttypmod AS modifier, attnotnull AS filled FROM pg_attribute \
       WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
     UNION ALL \
       SELECT b.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.modifier END, \
         b.filled OR t.typnotnull FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd') \
     SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), b.filled, pg_get_expr(d.adbin, d.adrelid), \
       a.attidentity::text, a.attgenerated::text, b.modifier, format_type(t.oid, -1), t.oid, t.typname::text, \
       t.typtype::text, e.oid, e.typname::text, e.typtype::text, l.collname::text, l.collisdeterministic, \
       to_jsonb(l)::text, \
       (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) \
     FROM pg_attribute a JOIN base b USING (attnum) JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd' \
     LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     LEFT JOIN pg_collation l ON l.oid = a.attcollation \
     WHERE a.attrelid = $1 ORDER BY a.attnum";

fn column(row: &Row) -> (ColumnShape, PgColumn) {
    let member = row
        .get::<_, Option<u32>>(11)
        .map(|oid| Box::new(PgType { oid, name: row.get(12), kind: row.get(13), member: None }));
    let pg_type = PgType { oid: row.get(8), name: row.get(9), kind: row.get(10), member };
    let (wire, modifier): (_, i32) = (pg_type.wire(), row.get(6));
    let (identity, generated): (String, String) = (row.get(4), row.get(5));
    let default_value: Option<String> = row.get(3);
    let counts = default_value.as_deref().is_some_and(|default| default.starts_with("nextval("));
    let traits = wire.as_ref().map(Wire::traits).unwrap_or_default();
    let choices = row.get::<_, Option<Vec<String>>>(17).unwrap_or_default();
    let shape = ColumnShape {
        name: row.get(0),
        data_type: row.get(1),
        kind: wire.as_ref().map(Wire::kind),
        member: wire.as_ref().and_then(Wire::member),
        is_nullable: !row.get::<_, bool>(2),
        default_value,
        is_identity: !identity.is_empty() || counts,
        is_computed: !generated.is_empty(),
        max_length: wire.as_ref().and_then(|wire| wire.max_length(modifier)),
        digits: wire.as_ref().and_then(|wire| wire.digits(modifier)),
        second_places: wire.as_ref().and_then(|wire| wire.second_places(modifier)),
        collation: collation(row, &pg_type),
        traits: ColumnTraits { choices, ..traits },
    };
    (shape, PgColumn { wire, cast: row.get(7), is_always_identity: identity == "a" })
}

/// Only a collation that is not deterministic makes texts of different bytes equal
/// (<https://www.postgresql.org/docs/current/collation.html>), and the type `citext`.
fn collation(row: &Row, pg_type: &PgType) -> Collation {
    let name: String = row.get::<_, Option<String>>(14).filter(|name| name != "default").unwrap_or_default();
    if pg_type.name == "citext" {
        return Collation { name: "citext".into(), ignores_case: true, ..Collation::default() };
    }
    if row.get::<_, Option<bool>>(15) != Some(false) {
        return Collation { name, ..Collation::default() };
    }
    // The strength of the comparison is part of the locale, in whichever column this version keeps it.
    let locale = row.get::<_, Option<String>>(16).unwrap_or_default();
    let is_level = |level: &str| locale.contains(&format!("ks-level{level}"));
    let (ignores_case, ignores_accents) = (is_level("1") || is_level("2"), is_level("1"));
    Collation { name, ignores_case, ignores_accents, ignores_trailing_spaces: false }
}

const CONSTRAINTS: &str = "SELECT c.conname::text, c.contype::text, \
     (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k (number, place) \
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number), \
     n.nspname::text, r.relname::text, pg_get_constraintdef(c.oid) FROM pg_constraint c \
     LEFT JOIN pg_class r ON r.oid = c.confrelid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace \
     WHERE c.conrelid = $1 AND c.contype IN ('p', 'u', 'f', 'c') ORDER BY c.conname";

fn constraint(row: &Row) -> ConstraintShape {
    let constraint_type = match row.get(1) {
        "p" => ConstraintType::PrimaryKey,
        "u" => ConstraintType::Unique,
        "f" => ConstraintType::ForeignKey,
        _ => ConstraintType::Check,
    };
    let referenced = row.get::<_, Option<String>>(3).zip(row.get::<_, Option<String>>(4));
    ConstraintShape {
        name: row.get(0),
        constraint_type,
        columns: row.get::<_, Option<Vec<String>>>(2).unwrap_or_default(),
        referenced_table: referenced.map(|(schema, name)| TableName::new(schema, name)),
        definition: row.get(5),
    }
}

const INDEXES: &str = "SELECT c.relname::text, i.indisunique, i.indpred IS NULL AND i.indexprs IS NULL, m.amname::text, \
     (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k (number, place) \
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts), \
     pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
     JOIN pg_am m ON m.oid = c.relam WHERE i.indrelid = $1 AND i.indisvalid ORDER BY c.relname";

fn index(row: &Row) -> IndexShape {
    IndexShape {
        name: row.get(0),
        is_unique: row.get(1),
        is_plain: row.get(2),
        method: row.get(3),
        columns: row.get::<_, Option<Vec<String>>>(4).unwrap_or_default(),
        definition: row.get(5),
    }
}
