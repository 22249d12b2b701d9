//! Tables, columns, constraints and indexes, by the catalogue views (`sys.*`).

use std::borrow::Cow;

use tiberius::{ColumnData, Row};

use super::DIALECT;
use super::connect::{Session, ask};
use super::fault::error_of;
use super::types::MsType;
use crate::endpoint::{
    Collation, ColumnShape, ConstraintShape, IndexShape, TableEntry, TableName, TableShape, TableTraits,
};
use crate::error::{Code, Error, Result};
use crate::model::{ConstraintType, DatumKind, TableType};

/// What is known of a table beyond its shape.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) shape: TableShape,
    pub(super) columns: Vec<MsColumn>,
}

/// A column with its type.
#[derive(Clone, Debug)]
pub(super) struct MsColumn {
    pub(super) shape: ColumnShape,
    pub(super) ms_type: MsType,
}

impl Described {
    /// The column of that name, if its values are carried.
    pub(super) fn carried(&self, name: &str) -> Result<&MsColumn> {
        crate::endpoint::sql::carried(&self.shape, name)?;
        let lost = || Error::new(Code::Internal, "use the table", &self.shape.name);
        self.columns.iter().find(|column| column.shape.name == name).ok_or_else(lost)
    }

    /// Several of them, in this order.
    pub(super) fn all(&self, names: &[String]) -> Result<Vec<MsColumn>> {
        names.iter().map(|name| self.carried(name).cloned()).collect()
    }
}

/// Rows of a table are counted by its heap or its clustered index.
const ROWS: &str =
    "(SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1))";

pub(super) fn tables_sql() -> String {
    format!(
        "SELECT SCHEMA_NAME(o.schema_id), o.name, CASE o.type WHEN 'V' THEN 1 ELSE 0 END, {ROWS} FROM sys.objects AS o \
         WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY SCHEMA_NAME(o.schema_id), o.name"
    )
}

/// Five results: the table, its columns, its keys and indexes, its references, its checks. `@P1` is its name in brackets.
pub(super) fn describe_sql() -> String {
    format!(
        "DECLARE @id int = OBJECT_ID(@P1); \
         SELECT CASE o.type WHEN 'V' THEN 1 ELSE 0 END, {ROWS} FROM sys.objects AS o \
         WHERE o.object_id = @id AND o.type IN ('U', 'V'); \
         SELECT c.name, COALESCE(TYPE_NAME(c.system_type_id), TYPE_NAME(c.user_type_id)), CAST(c.max_length AS int), \
         CAST(c.precision AS int), CAST(c.scale AS int), c.is_nullable, c.collation_name, \
         CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int), d.definition, c.is_identity, \
         CASE WHEN c.is_computed = 1 OR c.generated_always_type <> 0 THEN 1 ELSE 0 END FROM sys.columns AS c \
         LEFT JOIN sys.default_constraints AS d ON d.object_id = c.default_object_id \
         WHERE c.object_id = @id ORDER BY c.column_id; \
         SELECT i.name, i.is_unique, i.is_primary_key, i.is_unique_constraint, i.filter_definition, \
         CAST(i.type_desc AS nvarchar(60)), c.name FROM sys.indexes AS i \
         INNER JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id \
         INNER JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
         WHERE i.object_id = @id AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND ic.key_ordinal > 0 \
         ORDER BY i.index_id, ic.key_ordinal; \
         SELECT f.name, SCHEMA_NAME(r.schema_id), r.name, c.name FROM sys.foreign_keys AS f \
         INNER JOIN sys.objects AS r ON r.object_id = f.referenced_object_id \
         INNER JOIN sys.foreign_key_columns AS fc ON fc.constraint_object_id = f.object_id \
         INNER JOIN sys.columns AS c ON c.object_id = fc.parent_object_id AND c.column_id = fc.parent_column_id \
         WHERE f.parent_object_id = @id ORDER BY f.name, fc.constraint_column_id; \
         SELECT k.name, k.definition FROM sys.check_constraints AS k \
         WHERE k.parent_object_id = @id AND k.is_disabled = 0 ORDER BY k.name"
    )
}

pub(super) async fn tables(session: &mut Session) -> Result<Vec<TableEntry>> {
    let fail = |e| error_of("list the tables of", "the database", e);
    let rows = ask(session, &tables_sql(), &[]).await.map_err(fail)?.into_iter().next().unwrap_or_default();
    let entry = |row: &Row| TableEntry {
        name: TableName::new(text(row, 0).unwrap_or_default(), text(row, 1).unwrap_or_default()),
        table_type: table_type(row, 2),
        row_estimate: big(row, 3),
    };
    Ok(rows.iter().map(entry).collect())
}

pub(super) async fn describe(session: &mut Session, table: &TableName) -> Result<Described> {
    let name = ColumnData::String(Some(Cow::Owned(DIALECT.table(table))));
    let results = ask(session, &describe_sql(), &[name]).await.map_err(|e| error_of("describe the table", table, e))?;
    let Ok([found, columns, indexes, references, checks]) = <[Vec<Row>; 5]>::try_from(results) else {
        return Err(Error::new(Code::Storage, "describe the table", table).because("not all of it was answered"));
    };
    let found = found.first().ok_or_else(|| Error::new(Code::NotFound, "find the table", table))?;
    let checks: Vec<_> = checks.iter().map(check).collect();
    let columns: Vec<_> = columns.iter().map(|row| column(row, &checks)).collect();
    let mut constraints = keys(&indexes);
    constraints.extend(foreign_keys(&references));
    constraints.extend(checks);
    let shape = TableShape {
        name: table.clone(),
        table_type: table_type(found, 0),
        row_estimate: big(found, 1),
        columns: columns.iter().map(|column| column.shape.clone()).collect(),
        constraints,
        indexes: plain_indexes(&indexes),
        traits: TableTraits::default(),
    };
    Ok(Described { shape, columns })
}

fn column(row: &Row, checks: &[ConstraintShape]) -> MsColumn {
    let small = |at| number(row, at).and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
    let name = text(row, 0).unwrap_or_default();
    let ms_type = MsType {
        name: text(row, 1).unwrap_or_default(),
        length: number(row, 2).unwrap_or(-1),
        precision: small(3),
        scale: small(4),
        collation: text(row, 6),
        code_page: number(row, 7).unwrap_or(0),
    };
    let is_text = ms_type.kind() == Some(DatumKind::Text);
    let kind = if is_text && wants_json(&name, checks) { Some(DatumKind::Json) } else { ms_type.kind() };
    let is_counted = matches!(ms_type.name.as_str(), "timestamp" | "rowversion");
    let shape = ColumnShape {
        name,
        data_type: ms_type.declared(),
        kind,
        member: None,
        is_nullable: flag(row, 5),
        default_value: text(row, 8),
        is_identity: flag(row, 9),
        is_computed: is_counted || number(row, 10) == Some(1),
        max_length: ms_type.max_length().filter(|_| kind != Some(DatumKind::Json)),
        digits: ms_type.digits(),
        second_places: ms_type.second_places(),
        collation: ms_type.collation.as_deref().map(collation).unwrap_or_default(),
        traits: ms_type.traits(),
    };
    MsColumn { shape, ms_type }
}

/// Whether a check lets only JSON into the column: `(isjson([name])=(1))`, as the server writes it.
fn wants_json(name: &str, checks: &[ConstraintShape]) -> bool {
    let call = format!("(isjson({})", DIALECT.quoted(name));
    let is_that = |check: &ConstraintShape| {
        let rest = check.definition.as_deref().and_then(|said| said.strip_prefix(call.as_str()));
        rest.is_some_and(|rest| matches!(rest, "=(1))" | ">(0))"))
    };
    checks.iter().any(is_that)
}

/// What the name of a collation says: `_CI` and `_AI` ignore case and accents, `_BIN` and `_BIN2` compare codes. All pad:
/// spaces at the end are no matter. Width and kana, which most collations ignore as well, are not told of here.
fn collation(name: &str) -> Collation {
    Collation {
        name: name.to_owned(),
        ignores_case: name.contains("_CI_") || name.ends_with("_CI"),
        ignores_accents: name.contains("_AI_") || name.ends_with("_AI"),
        ignores_trailing_spaces: true,
    }
}

fn check(row: &Row) -> ConstraintShape {
    ConstraintShape {
        name: text(row, 0).unwrap_or_default(),
        constraint_type: ConstraintType::Check,
        columns: Vec::new(),
        referenced_table: None,
        definition: text(row, 1),
    }
}

/// The primary key and the unique constraints, which are indexes here.
fn keys(rows: &[Row]) -> Vec<ConstraintShape> {
    let mut keys: Vec<ConstraintShape> = Vec::new();
    for row in rows {
        let constraint_type = match (flag(row, 2), flag(row, 3)) {
            (true, _) => ConstraintType::PrimaryKey,
            (false, true) => ConstraintType::Unique,
            (false, false) => continue,
        };
        let (name, column) = (text(row, 0).unwrap_or_default(), text(row, 6).unwrap_or_default());
        match keys.iter_mut().find(|key| key.name == name) {
            Some(key) => key.columns.push(column),
            None => {
                let columns = vec![column];
                keys.push(ConstraintShape { name, constraint_type, columns, referenced_table: None, definition: None });
            }
        }
    }
    keys
}

fn foreign_keys(rows: &[Row]) -> Vec<ConstraintShape> {
    let mut keys: Vec<ConstraintShape> = Vec::new();
    for row in rows {
        let word = |at| text(row, at).unwrap_or_default();
        match keys.iter_mut().find(|key| key.name == word(0)) {
            Some(key) => key.columns.push(word(3)),
            None => keys.push(ConstraintShape {
                name: word(0),
                constraint_type: ConstraintType::ForeignKey,
                columns: vec![word(3)],
                referenced_table: Some(TableName::new(word(1), word(2))),
                definition: None,
            }),
        }
    }
    keys
}

fn plain_indexes(rows: &[Row]) -> Vec<IndexShape> {
    let mut indexes: Vec<IndexShape> = Vec::new();
    for row in rows {
        let (name, column) = (text(row, 0).unwrap_or_default(), text(row, 6).unwrap_or_default());
        let filter = text(row, 4);
        // A unique index takes one null only; what leaves nulls out is what other products have.
        let is_plain =
            filter.as_ref().is_none_or(|filter| *filter == format!("({} IS NOT NULL)", DIALECT.quoted(&column)));
        match indexes.iter_mut().find(|index| index.name == name) {
            Some(index) => {
                index.columns.push(column);
                index.is_plain &= filter.is_none();
            }
            None => indexes.push(IndexShape {
                name,
                is_unique: flag(row, 1),
                is_plain,
                method: text(row, 5),
                columns: vec![column],
                definition: filter,
            }),
        }
    }
    indexes
}

fn table_type(row: &Row, at: usize) -> TableType {
    if number(row, at) == Some(1) { TableType::View } else { TableType::Base }
}

/// Cells of the catalogue; nothing for null and for what is of another type.
pub(super) fn text(row: &Row, at: usize) -> Option<String> {
    row.try_get::<&str, _>(at).ok().flatten().map(str::to_owned)
}

pub(super) fn number(row: &Row, at: usize) -> Option<i32> {
    row.try_get::<i32, _>(at).ok().flatten()
}

pub(super) fn big(row: &Row, at: usize) -> Option<u64> {
    row.try_get::<i64, _>(at).ok().flatten().and_then(|number| u64::try_from(number).ok())
}

fn flag(row: &Row, at: usize) -> bool {
    row.try_get::<bool, _>(at).ok().flatten().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_say_what_they_ignore() {
        for (name, case, accents) in [
            ("SQL_Latin1_General_CP1_CI_AS", true, false),
            ("Latin1_General_100_CI_AI_SC_UTF8", true, true),
            ("Latin1_General_CS_AS", false, false),
            ("Latin1_General_100_BIN2", false, false),
        ] {
            let said = collation(name);
            assert_eq!((said.ignores_case, said.ignores_accents), (case, accents), "{name}");
            assert!(said.ignores_trailing_spaces);
        }
    }

    #[test]
    fn a_check_makes_a_text_json() {
        let check = |definition: &str| {
            let (name, columns) = (String::new(), Vec::new());
            let (constraint_type, definition) = (ConstraintType::Check, Some(definition.to_owned()));
            vec![ConstraintShape { name, constraint_type, columns, referenced_table: None, definition }]
        };
        assert!(wants_json("a]b", &check("(isjson([a]]b])=(1))")));
        assert!(!wants_json("a", &check("(isjson([b])=(1))")));
        assert!(!wants_json("a", &check("(isjson([a])=(1) OR [a]='x')")));
    }
}
