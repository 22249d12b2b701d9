//! What the endpoints of SQL databases share: names and statements by dialect, the order of a write, streams of pages,
//! cursors by a time.

pub(super) mod civil;
pub(super) mod cursor;
pub(super) mod feed;
pub(super) mod pool;
pub(super) mod write;

use std::cmp::Ordering;

use super::{ColumnShape, NewTable, TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, canonical_json};
use crate::model::{Datum, DatumKind, Decimal};

/// How a product writes what all of them can say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// What stands before a name, and behind it. The one behind is doubled inside of it.
    pub(super) quotes: (char, char),
    /// What stands before the number of a parameter; nothing: parameters are `?`.
    pub(super) numbered: Option<&'static str>,
    /// What stands behind a table of which rows are read to be changed.
    pub(super) lock_hint: &'static str,
    /// What stands behind such a statement.
    pub(super) lock_clause: &'static str,
}

impl Dialect {
    /// A name that stands for itself whatever is in it.
    pub(super) fn quoted(&self, name: &str) -> String {
        let (before, behind) = self.quotes;
        let doubled: String = [behind, behind].iter().collect();
        format!("{before}{}{behind}", name.replace(behind, &doubled))
    }

    /// The name of a table with its schema, where there is one.
    pub(super) fn table(&self, table: &TableName) -> String {
        if table.schema.is_empty() {
            self.quoted(&table.name)
        } else {
            format!("{}.{}", self.quoted(&table.schema), self.quoted(&table.name))
        }
    }

    /// Names side by side.
    pub(super) fn list(&self, names: &[String]) -> String {
        names.iter().map(|name| self.quoted(name)).collect::<Vec<_>>().join(", ")
    }

    /// The parameter of that number, from 1.
    pub(super) fn parameter(&self, number: usize) -> String {
        self.numbered.map_or_else(|| "?".to_owned(), |before| format!("{before}{number}"))
    }

    /// `(?, ?), (?, ?)`: rows of parameters, the first of that number.
    pub(super) fn rows(&self, count: usize, width: usize, first: usize) -> String {
        let row = |at: usize| {
            let cells: Vec<_> = (0..width).map(|cell| self.parameter(first + at * width + cell)).collect();
            format!("({})", cells.join(", "))
        };
        (0..count).map(row).collect::<Vec<_>>().join(", ")
    }

    /// `a = ? AND b = ?`. No row has a key with a null in it: that compares as unknown.
    pub(super) fn is_key(&self, key: &[String], first: usize) -> String {
        let equal = |(at, name): (usize, &String)| format!("{} = {}", self.quoted(name), self.parameter(first + at));
        key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// Reads these columns of a whole table.
    pub(super) fn select(&self, table: &TableName, columns: &[String]) -> String {
        format!("SELECT {} FROM {}", self.list(columns), self.table(table))
    }

    /// Reads the row of a key, and keeps others from changing it.
    pub(super) fn select_to_change(&self, table: &TableName, columns: &[String], key: &[String]) -> String {
        let (columns, table, is_key) = (self.list(columns), self.table(table), self.is_key(key, 1));
        format!("SELECT {columns} FROM {table}{} WHERE {is_key}{}", self.lock_hint, self.lock_clause)
    }

    /// Makes that many rows.
    pub(super) fn insert(&self, table: &TableName, columns: &[String], rows: usize) -> String {
        let (table, names) = (self.table(table), self.list(columns));
        format!("INSERT INTO {table} ({names}) VALUES {}", self.rows(rows, columns.len(), 1))
    }

    /// Changes the row of a key; the parameters are the values, then the key.
    pub(super) fn update(&self, table: &TableName, columns: &[String], key: &[String]) -> String {
        let set = |(at, name): (usize, &String)| format!("{} = {}", self.quoted(name), self.parameter(at + 1));
        let set: Vec<_> = columns.iter().enumerate().map(set).collect();
        let (table, is_key) = (self.table(table), self.is_key(key, columns.len() + 1));
        format!("UPDATE {table} SET {} WHERE {is_key}", set.join(", "))
    }

    /// Takes out the row of a key.
    pub(super) fn delete(&self, table: &TableName, key: &[String]) -> String {
        format!("DELETE FROM {} WHERE {}", self.table(table), self.is_key(key, 1))
    }

    /// Whether there is a row of a key.
    pub(super) fn exists(&self, table: &TableName, key: &[String]) -> String {
        format!("SELECT 1 FROM {} WHERE {}", self.table(table), self.is_key(key, 1))
    }
}

/// The column of that name.
///
/// # Errors
/// `invalid` when there is none.
pub(super) fn column<'s>(shape: &'s TableShape, name: &str) -> Result<&'s ColumnShape> {
    shape.column(name).ok_or_else(|| {
        Error::new(Code::Invalid, "use the table", &shape.name)
            .because(format!("it has no column {}", name.escape_debug()))
    })
}

/// What kind of values a column has.
///
/// # Errors
/// `invalid` when there is none of that name, `unsupported` when its values are not carried.
pub(super) fn carried(shape: &TableShape, name: &str) -> Result<DatumKind> {
    let column = column(shape, name)?;
    let is_whole = !matches!(column.kind, Some(DatumKind::List | DatumKind::Set)) || column.member.is_some();
    column.kind.filter(|_| is_whole).ok_or_else(|| {
        let (name, of) = (name.escape_debug(), column.data_type.escape_debug());
        Error::new(Code::Unsupported, "read the table", &shape.name)
            .because(format!("its column {name} has the type {of}, which is not carried"))
            .advise("leave the column out, or read a view that converts it")
    })
}

/// Writes a JSON document in its canonical form.
///
/// # Errors
/// Why it is none.
pub(super) fn put_json(encoder: &mut Encoder, text: &str) -> std::result::Result<(), String> {
    encoder.json(&canonical_json(text).map_err(|e| e.to_string())?);
    Ok(())
}

/// Which of two values of a column comes first; nothing where they have no order.
pub(super) fn order(left: &Datum, right: &Datum) -> Option<Ordering> {
    Some(match (left, right) {
        (Datum::Boolean(left), Datum::Boolean(right)) => left.cmp(right),
        (Datum::Integer(left), Datum::Integer(right)) => left.cmp(right),
        (Datum::Decimal(left), Datum::Decimal(right)) => order_of_decimals(left, right),
        (Datum::Date(left), Datum::Date(right)) => left.cmp(right),
        (Datum::Time(left), Datum::Time(right)) => left.cmp(right),
        (Datum::Timestamp(left), Datum::Timestamp(right)) | (Datum::Instant(left), Datum::Instant(right)) => {
            left.cmp(right)
        }
        (Datum::Text(left), Datum::Text(right)) => left.cmp(right),
        (Datum::Bytes(left), Datum::Bytes(right)) => left.cmp(right),
        (Datum::Uuid(left), Datum::Uuid(right)) => left.cmp(right),
        _ => return None,
    })
}

fn order_of_decimals(left: &Decimal, right: &Decimal) -> Ordering {
    // Where the first digit stands, then the digits; a zero has none that counts.
    let size = |number: &Decimal| {
        let is_zero = number.digits() == "0";
        (!is_zero).then(|| number.digits().len() as i64 + i64::from(number.exponent()))
    };
    let sizes = (size(left), left.digits()).cmp(&(size(right), right.digits()));
    match (left.is_negative(), right.is_negative()) {
        (false, false) => sizes,
        (true, true) => sizes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// The statements that make a table: its columns as `declaration` and `collate` say, its key, and its indexes.
///
/// # Errors
/// `unsupported` for a column whose values no type holds, `invalid` for a table without columns or with a strange key.
pub(super) fn create(
    dialect: &Dialect,
    table: &NewTable,
    declaration: impl Fn(&ColumnShape) -> Option<String>,
    collate: impl Fn(&ColumnShape) -> &'static str,
) -> Result<Vec<String>> {
    let fault = |code, why: String| Error::new(code, "make the table", &table.name).because(why);
    let mut lines = Vec::new();
    for column in &table.columns {
        let none = || fault(Code::Unsupported, format!("no type here holds its column {}", column.name.escape_debug()));
        let is_key = table.key.contains(&column.name);
        let is_text = column.like.kind == Some(DatumKind::Text);
        let declared = declaration(&column.like).ok_or_else(none)?;
        let collation = if is_text { collate(&column.like) } else { "" };
        let null = if is_key || !column.like.is_nullable { " NOT NULL" } else { " NULL" };
        let unique = if column.is_unique { " UNIQUE" } else { "" };
        lines.push(format!("{} {declared}{collation}{null}{unique}", dialect.quoted(&column.name)));
    }
    if let Some(absent) = table.key.iter().find(|name| !table.columns.iter().any(|column| column.name == **name)) {
        return Err(fault(Code::Invalid, format!("its key {} is none of its columns", absent.escape_debug())));
    }
    if lines.is_empty() {
        return Err(fault(Code::Invalid, "it has no columns".into()));
    }
    if !table.key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", dialect.list(&table.key)));
    }
    let name = dialect.table(&table.name);
    let mut statements = vec![format!("CREATE TABLE {name} ({})", lines.join(", "))];
    for column in table.columns.iter().filter(|column| column.is_indexed && !column.is_unique) {
        let index = dialect.quoted(&format!("{}_{}_index", table.name.name, column.name));
        statements.push(format!("CREATE INDEX {index} ON {name} ({})", dialect.quoted(&column.name)));
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRACKETS: Dialect =
        Dialect { quotes: ('[', ']'), numbered: Some("@P"), lock_hint: " WITH (UPDLOCK)", lock_clause: "" };
    const TICKS: Dialect = Dialect { quotes: ('`', '`'), numbered: None, lock_hint: "", lock_clause: " FOR UPDATE" };

    #[test]
    fn names_cannot_end_early() {
        assert_eq!(BRACKETS.quoted("a]; DROP TABLE b; --"), "[a]]; DROP TABLE b; --]");
        assert_eq!(TICKS.quoted("a`b"), "`a``b`");
        assert_eq!(TICKS.table(&TableName::new("s", "t")), "`s`.`t`");
    }

    #[test]
    fn decimals_have_an_order() {
        let sorted = ["-12", "-1.5", "-1.05", "-0.001", "0", "0.001", "0.01", "1", "1.05", "1.5", "9", "10", "12"];
        for (at, left) in sorted.iter().enumerate() {
            for (beside, right) in sorted.iter().enumerate() {
                let of = |text: &str| Datum::Decimal(text.parse().unwrap());
                assert_eq!(order(&of(left), &of(right)), Some(at.cmp(&beside)), "{left} {right}");
            }
        }
    }

    #[test]
    fn statements_number_their_parameters() {
        let (table, columns, key) = (TableName::new("", "t"), ["v".into(), "w".into()], ["k".into()]);
        assert_eq!(BRACKETS.update(&table, &columns, &key), "UPDATE [t] SET [v] = @P1, [w] = @P2 WHERE [k] = @P3");
        assert_eq!(TICKS.insert(&table, &columns, 2), "INSERT INTO `t` (`v`, `w`) VALUES (?, ?), (?, ?)");
        let locked = BRACKETS.select_to_change(&table, &columns, &key);
        assert_eq!(locked, "SELECT [v], [w] FROM [t] WITH (UPDLOCK) WHERE [k] = @P1");
    }
}
