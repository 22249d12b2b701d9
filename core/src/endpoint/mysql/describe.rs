//! Tables, columns, constraints and indexes, by `information_schema`.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row};

use super::fault::error_of;
use super::value::{kind_of, traits};
use crate::endpoint::{
    Collation, ColumnShape, ConstraintShape, IndexShape, TableEntry, TableName, TableShape, TableTraits,
};
use crate::error::{Code, Error, Result};
use crate::model::{ConstraintType, DatumKind, TableType};

/// The schema that is named, else the one that is connected to.
const SCHEMA: &str = "IF(? = '', DATABASE(), ?)";

fn type_of(word: &str) -> TableType {
    if word.contains("VIEW") { TableType::View } else { TableType::Base }
}

pub(super) async fn tables(conn: &mut Conn) -> Result<Vec<TableEntry>> {
    let sql = "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'VIEW') ORDER BY TABLE_NAME";
    let rows: Vec<(String, String, Option<u64>)> =
        conn.query(sql).await.map_err(|e| error_of("list the tables of", "the database", e))?;
    let entry = |(name, word, row_estimate): (String, String, _)| TableEntry {
        name: TableName::new("", name),
        table_type: type_of(&word),
        row_estimate,
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn rows(conn: &mut Conn, table: &TableName, sql: String) -> Result<Vec<Row>> {
    let (schema, name) = (table.schema.as_str(), table.name.as_str());
    let params = Params::from((schema, schema, name));
    conn.exec(sql, params).await.map_err(|e| error_of("describe the table", table, e))
}

/// A cell as text; nothing for null.
fn text(row: &Row, at: usize) -> Option<String> {
    row.get_opt::<Option<String>, _>(at).and_then(std::result::Result::ok).flatten()
}

fn number(row: &Row, at: usize) -> Option<u64> {
    row.get_opt::<Option<u64>, _>(at).and_then(std::result::Result::ok).flatten()
}

pub(super) async fn describe(conn: &mut Conn, table: &TableName, tinyint_is_boolean: bool) -> Result<TableShape> {
    let found = format!(
        "SELECT TABLE_TYPE, TABLE_ROWS, VERSION() FROM information_schema.TABLES WHERE TABLE_SCHEMA = {SCHEMA} AND TABLE_NAME = ?"
    );
    let found = rows(conn, table, found).await?;
    let found = found.first().ok_or_else(|| Error::new(Code::NotFound, "find the table", table))?;
    let is_mariadb = text(found, 2).is_some_and(|version| version.contains("MariaDB"));
    let checks = checks(conn, table, is_mariadb).await?;
    let columns = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_MAXIMUM_LENGTH, \
         NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, COLLATION_NAME FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {SCHEMA} AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
    );
    let columns = rows(conn, table, columns).await?;
    let mut constraints = constraints(conn, table).await?;
    constraints.extend(checks.iter().cloned());
    Ok(TableShape {
        name: table.clone(),
        table_type: type_of(&text(found, 0).unwrap_or_default()),
        row_estimate: number(found, 1),
        columns: columns.iter().map(|row| column(row, is_mariadb, tinyint_is_boolean, &checks)).collect(),
        constraints,
        indexes: indexes(conn, table).await?,
        traits: TableTraits::default(),
    })
}

fn column(row: &Row, is_mariadb: bool, tinyint_is_boolean: bool, checks: &[ConstraintShape]) -> ColumnShape {
    let word = |at| text(row, at).unwrap_or_default();
    let (name, full, data_type) = (word(0), word(1).to_ascii_lowercase(), word(2).to_ascii_lowercase());
    // MariaDB's JSON is a text that has to be valid.
    let valid = format!("json_valid(`{name}`)");
    let is_json = data_type == "longtext" && checks.iter().any(|check| check.definition.as_deref() == Some(&valid));
    let kind = if is_json { Some(DatumKind::Json) } else { kind_of(&data_type, &full, tinyint_is_boolean) };
    let small = |at| number(row, at).and_then(|number| u16::try_from(number).ok());
    let extra = word(5).to_ascii_lowercase();
    let is_time = matches!(kind, Some(DatumKind::Time | DatumKind::Timestamp | DatumKind::Instant));
    let has_length = matches!(kind, Some(DatumKind::Text | DatumKind::Bytes)) && data_type != "enum";
    ColumnShape {
        traits: traits(&data_type, &word(1)),
        name,
        data_type: word(1),
        kind,
        member: (kind == Some(DatumKind::Set)).then_some(DatumKind::Text),
        is_nullable: word(3) == "YES",
        // MariaDB writes what stands in the statement, so that no default is the word NULL.
        default_value: text(row, 4).filter(|default| !is_mariadb || default != "NULL"),
        is_identity: extra.contains("auto_increment"),
        is_computed: extra.contains("generated") && !extra.contains("default_generated"),
        max_length: number(row, 6).filter(|_| has_length).map(|length| u32::try_from(length).unwrap_or(u32::MAX)),
        digits: (kind == Some(DatumKind::Decimal)).then(|| small(7).zip(small(8))).flatten(),
        second_places: is_time.then(|| u8::try_from(number(row, 9).unwrap_or(0)).unwrap_or(6)),
        collation: collation(&word(10)),
    }
}

/// What the name of a collation says: `_ci` ignores case, and accents too unless it says `_as`; all pad but those of
/// MySQL 8 (`_0900_`), those of MariaDB that say so, and `binary`. Some say less than they do.
fn collation(name: &str) -> Collation {
    let ignores_case = name.ends_with("_ci") || name.ends_with("_thai_520_w2");
    let is_one_of = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    // These compare letter by letter, or are of a language in which á is a letter of its own.
    let tells_accents = is_one_of(&["latin1_general_", "latin2_general_", "ascii_general_", "_tolower_ci"])
        || name.ends_with("_thai_520_w2")
        || is_one_of(&["_icelandic_", "_is_0900_"])
        || name.contains("_vietnamese_") && name.ends_with("_cs");
    Collation {
        ignores_case,
        ignores_accents: !tells_accents && (ignores_case && !name.contains("_as_") || name.contains("_ai_")),
        ignores_trailing_spaces: !(name.is_empty()
            || name == "binary"
            || name.contains("_0900_")
            || name.contains("_nopad_")),
        name: name.to_owned(),
    }
}

async fn checks(conn: &mut Conn, table: &TableName, is_mariadb: bool) -> Result<Vec<ConstraintShape>> {
    let sql = if is_mariadb {
        format!(
            "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = {SCHEMA} AND TABLE_NAME = ?"
        )
    } else {
        // MySQL has them since 8.0.16, and which table they are of in another view.
        format!(
            "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS JOIN \
             information_schema.TABLE_CONSTRAINTS USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) \
             WHERE CONSTRAINT_SCHEMA = {SCHEMA} AND TABLE_NAME = ?"
        )
    };
    let found = match rows(conn, table, sql).await {
        // A version without the view has no checks.
        Err(error) if error.to_string().contains("(1109,") => Vec::new(),
        found => found?,
    };
    let check = |row: &Row| ConstraintShape {
        name: text(row, 0).unwrap_or_default(),
        constraint_type: ConstraintType::Check,
        columns: Vec::new(),
        referenced_table: None,
        definition: text(row, 1),
    };
    Ok(found.iter().map(check).collect())
}

async fn constraints(conn: &mut Conn, table: &TableName) -> Result<Vec<ConstraintShape>> {
    let sql = format!(
        "SELECT t.CONSTRAINT_NAME, t.CONSTRAINT_TYPE, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME \
         FROM information_schema.TABLE_CONSTRAINTS t JOIN information_schema.KEY_COLUMN_USAGE k \
         ON k.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = t.CONSTRAINT_NAME \
         AND k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = t.TABLE_NAME \
         WHERE t.TABLE_SCHEMA = {SCHEMA} AND t.TABLE_NAME = ? ORDER BY t.CONSTRAINT_NAME, k.ORDINAL_POSITION"
    );
    let mut constraints: Vec<ConstraintShape> = Vec::new();
    for row in rows(conn, table, sql).await? {
        let word = |at| text(&row, at).unwrap_or_default();
        let constraint_type = match word(1).as_str() {
            "PRIMARY KEY" => ConstraintType::PrimaryKey,
            "UNIQUE" => ConstraintType::Unique,
            _ => ConstraintType::ForeignKey,
        };
        match constraints.iter_mut().find(|c| c.name == word(0) && c.constraint_type == constraint_type) {
            Some(constraint) => constraint.columns.push(word(2)),
            None => constraints.push(ConstraintShape {
                name: word(0),
                constraint_type,
                columns: vec![word(2)],
                referenced_table: text(&row, 4).map(|name| TableName::new(word(3), name)),
                definition: None,
            }),
        }
    }
    Ok(constraints)
}

async fn indexes(conn: &mut Conn, table: &TableName) -> Result<Vec<IndexShape>> {
    let sql = format!(
        "SELECT INDEX_NAME, NON_UNIQUE, INDEX_TYPE, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = {SCHEMA} AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX"
    );
    let mut indexes: Vec<IndexShape> = Vec::new();
    for row in rows(conn, table, sql).await? {
        let name = text(&row, 0).unwrap_or_default();
        let place = indexes.iter().position(|index| index.name == name).unwrap_or_else(|| {
            let is_unique = number(&row, 1) == Some(0);
            let method = text(&row, 2);
            indexes.push(IndexShape { name, is_unique, is_plain: true, method, columns: Vec::new(), definition: None });
            indexes.len() - 1
        });
        // An expression has no column; the beginning of a text says nothing of the whole.
        indexes[place].is_plain &= text(&row, 3).is_some() && number(&row, 4).is_none();
        indexes[place].columns.extend(text(&row, 3));
    }
    Ok(indexes)
}
