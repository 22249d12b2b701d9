//! The text of statements. Values are always parameters; of them a statement has 2,100 at most, two of which are its own
//! text and their types.
//!
//! Rows that are given to a statement stand in a table of their own, `u`, with columns `c0` … for values, `k0` … for keys,
//! and `place`, their number. What a statement has done is kept in a table variable before it is told: a table with triggers
//! lets nothing out directly.

use super::DIALECT;
use super::describe::MsColumn;
use crate::endpoint::TableName;

/// Parameters of one statement.
pub(super) const PARAMETERS: usize = 2_000;
/// Rows that can stand in one `VALUES`.
pub(super) const ROWS: usize = 1_000;

/// Which column of `u` a value is in.
const VALUE: char = 'c';
const KEY: char = 'k';

fn alias(table: &str, name: &str) -> String {
    format!("{table}.{}", DIALECT.quoted(name))
}

/// What is selected for these columns of the table that is called `of`.
fn read(of: &str, columns: &[MsColumn]) -> String {
    let read = |column: &MsColumn| column.ms_type.read(&alias(of, &column.shape.name));
    columns.iter().map(read).collect::<Vec<_>>().join(", ")
}

fn members(letter: char, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{letter}{at}")).collect()
}

/// Rows of parameters, the first of that number, each with its place behind it if so wanted.
fn rows(columns: &[&MsColumn], count: usize, with_place: bool) -> String {
    let row = |at: usize| {
        let cell = |(cell, column): (usize, &&MsColumn)| {
            column.ms_type.given(&DIALECT.parameter(at * columns.len() + cell + 1))
        };
        let mut cells: Vec<_> = columns.iter().enumerate().map(cell).collect();
        if with_place {
            cells.push(at.to_string());
        }
        format!("({})", cells.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

/// `t.[k] = u.k0 AND …`. No row has a key with a null in it: that compares as unknown.
fn same_key(key: &[MsColumn]) -> String {
    let same = |(at, column): (usize, &MsColumn)| {
        format!("{} = u.{KEY}{at}{}", alias("t", &column.shape.name), column.ms_type.comparing())
    };
    key.iter().enumerate().map(same).collect::<Vec<_>>().join(" AND ")
}

/// The table `u` of keys alone.
fn keys(key: &[MsColumn], count: usize, with_place: bool) -> String {
    let mut names = members(KEY, key.len());
    names.extend(with_place.then(|| "place".to_owned()));
    let columns: Vec<_> = key.iter().collect();
    format!("(VALUES {}) AS u ({})", rows(&columns, count, with_place), names.join(", "))
}

/// Reads a whole table.
pub(super) fn scan(table: &TableName, columns: &[MsColumn]) -> String {
    format!("SELECT {} FROM {} AS t", read("t", columns), DIALECT.table(table))
}

/// Reads the rows with these keys.
pub(super) fn fetch(table: &TableName, columns: &[MsColumn], key: &[MsColumn], count: usize) -> String {
    format!("{} WHERE EXISTS (SELECT 1 FROM {} WHERE {})", scan(table, columns), keys(key, count, false), same_key(key))
}

/// Counts the rows of a table.
pub(super) fn count(table: &TableName) -> String {
    format!("SELECT COUNT_BIG(*) FROM {}", DIALECT.table(table))
}

/// Reads the rows with these keys, each behind its place, and keeps others from changing them.
pub(super) fn lock(table: &TableName, columns: &[MsColumn], key: &[MsColumn], count: usize) -> String {
    format!(
        "SELECT u.place, {} FROM {} INNER JOIN {} AS t{} ON {}",
        read("t", columns),
        keys(key, count, true),
        DIALECT.table(table),
        DIALECT.lock_hint,
        same_key(key)
    )
}

/// Whether there are rows with these keys: their places.
pub(super) fn exists(table: &TableName, key: &[MsColumn]) -> String {
    format!("SELECT u.place FROM {} INNER JOIN {} AS t ON {}", keys(key, 1, true), DIALECT.table(table), same_key(key))
}

/// Makes rows, and says how many.
pub(super) fn insert(table: &TableName, columns: &[MsColumn], count: usize) -> String {
    let names: Vec<_> = columns.iter().map(|column| DIALECT.quoted(&column.shape.name)).collect();
    let columns: Vec<_> = columns.iter().collect();
    format!(
        "INSERT INTO {} ({}) VALUES {}; SELECT @@ROWCOUNT",
        DIALECT.table(table),
        names.join(", "),
        rows(&columns, count, false)
    )
}

const DONE: &str = "DECLARE @done TABLE (place int NOT NULL)";

/// Changes rows, and says the places of those that were there. The parameters of a row are its values, then its key.
pub(super) fn update(table: &TableName, columns: &[MsColumn], key: &[MsColumn], count: usize) -> String {
    let set = |(at, column): (usize, &MsColumn)| format!("{} = u.{VALUE}{at}", DIALECT.quoted(&column.shape.name));
    let set: Vec<_> = columns.iter().enumerate().map(set).collect();
    let names = [members(VALUE, columns.len()), members(KEY, key.len()), vec!["place".to_owned()]].concat();
    let all: Vec<_> = columns.iter().chain(key).collect();
    format!(
        "{DONE}; UPDATE t SET {} OUTPUT u.place INTO @done FROM {} AS t INNER JOIN (VALUES {}) AS u ({}) ON {}; \
         SELECT place FROM @done",
        set.join(", "),
        DIALECT.table(table),
        rows(&all, count, true),
        names.join(", "),
        same_key(key)
    )
}

/// Takes rows out, and says the places of those that were there.
pub(super) fn delete(table: &TableName, key: &[MsColumn], count: usize) -> String {
    format!(
        "{DONE}; DELETE t OUTPUT u.place INTO @done FROM {} AS t INNER JOIN {} ON {}; SELECT place FROM @done",
        DIALECT.table(table),
        keys(key, count, true),
        same_key(key)
    )
}

/// Whether numbers may be given to a column that the server numbers.
pub(super) fn identity_insert(table: &TableName, is_allowed: bool) -> String {
    format!("SET IDENTITY_INSERT {} {}", DIALECT.table(table), if is_allowed { "ON" } else { "OFF" })
}

/// The last row by a column that changes move on, and by the key.
pub(super) fn last(table: &TableName, by: &MsColumn, key: &[MsColumn]) -> String {
    let names: Vec<_> = std::iter::once(by).chain(key).cloned().collect();
    let order: Vec<_> = names.iter().map(|column| format!("{} DESC", alias("t", &column.shape.name))).collect();
    format!(
        "SELECT TOP (1) {} FROM {} AS t WHERE {} IS NOT NULL ORDER BY {}",
        read("t", &names),
        DIALECT.table(table),
        alias("t", &by.shape.name),
        order.join(", ")
    )
}

/// Reads the rows whose column has this value or a later one, or none. `@P1` is the value.
pub(super) fn since(table: &TableName, columns: &[MsColumn], by: &MsColumn) -> String {
    let name = alias("t", &by.shape.name);
    format!("{} WHERE {name} >= {} OR {name} IS NULL", scan(table, columns), by.ms_type.given("@P1"))
}

/// Reads the rows behind this value and key, and those without a value. `@P1` is the value, then comes the key.
pub(super) fn behind(table: &TableName, columns: &[MsColumn], by: &MsColumn, key: &[MsColumn]) -> String {
    let places: Vec<_> = std::iter::once(by).chain(key).enumerate().collect();
    // The last part decides only where all before it are the same.
    let mut condition = String::new();
    for (at, column) in places.into_iter().rev() {
        let (name, of) = (alias("t", &column.shape.name), &column.ms_type);
        let value = format!("{}{}", of.given(&DIALECT.parameter(at + 1)), of.comparing());
        condition = match condition.is_empty() {
            true => format!("{name} > {value}"),
            false => format!("({name} > {value} OR ({name} = {value} AND {condition}))"),
        };
    }
    format!("{} WHERE {condition} OR {} IS NULL", scan(table, columns), alias("t", &by.shape.name))
}

/// Reads what changed after a version (`@P1`): whether there is such a row, its key, and the row.
pub(super) fn tracked(table: &TableName, columns: &[MsColumn], key: &[MsColumn]) -> String {
    let name = DIALECT.table(table);
    let same = |column: &MsColumn| {
        let name = &column.shape.name;
        format!("{} = {}", alias("t", name), alias("ct", name))
    };
    let same: Vec<_> = key.iter().map(same).collect();
    let first = key.first().map_or_else(String::new, |column| alias("t", &column.shape.name));
    format!(
        "SELECT CASE WHEN {first} IS NULL THEN 0 ELSE 1 END, {}, {} FROM CHANGETABLE(CHANGES {name}, @P1) AS ct \
         LEFT OUTER JOIN {name} AS t ON {}",
        read("ct", key),
        read("t", columns),
        same.join(" AND ")
    )
}

/// The newest version of the database, and the oldest that the changes of this table (`@P1`) can be read after.
pub(super) const VERSIONS: &str =
    "SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(@P1))";

/// From which `rowversion` on there may be changes that are not committed.
pub(super) const ACTIVE: &str = "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint)";

/// Whether transactions may read snapshots, and whether single statements do.
pub(super) const SNAPSHOTS: &str = "SELECT CAST(d.snapshot_isolation_state AS int), \
     CAST(d.is_read_committed_snapshot_on AS int) FROM sys.databases AS d WHERE d.name = DB_NAME()";

/// The product, its version, and its clock: seconds since 1970 and nanoseconds.
pub(super) const PROBE: &str = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), \
     CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), DATEDIFF_BIG(second, '19700101', x.now), \
     DATEPART(nanosecond, x.now) FROM (SELECT SYSUTCDATETIME() AS now) AS x";

/// Whether the transaction can go on: 1; it cannot any more: -1; there is none any more: 0.
pub(super) const STATE: &str = "SELECT CAST(XACT_STATE() AS int)";
