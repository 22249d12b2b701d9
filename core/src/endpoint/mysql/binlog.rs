//! What the binary log says of rows, as far as their keys need it.
//!
//! The log has values as the storage engine has them: numbers without their sign's meaning, texts in the column's own
//! character set, bytes without the zeros at their end. What the columns look like now says the rest; a log of columns that
//! look otherwise is not read by it.

use mysql_async::Value;
use mysql_async::binlog::events::RowsEventData;
use mysql_async::binlog::row::BinlogRow;
use mysql_async::binlog::value::BinlogValue;

use super::value::put;
use crate::endpoint::sql::civil;
use crate::endpoint::{ColumnShape, TableName};
use crate::error::{Code, Error, Result};
use crate::identity::Encoder;
use crate::model::{DatumKind, Tick};

/// The key of a row, encoded, column by column.
pub(super) type Key = Vec<Vec<u8>>;

/// How the key of a row is found in the log.
pub(super) struct Keys {
    table: TableName,
    /// How many columns the table has.
    width: u64,
    /// The columns of the key, and which ones they are.
    columns: Vec<(usize, ColumnShape)>,
}

impl Keys {
    /// For a table with these columns.
    ///
    /// # Errors
    /// `unsupported` where a column of the key is of a type that the log has in another form.
    pub(super) fn of(table: &TableName, all: &[ColumnShape], key: &[String]) -> Result<Self> {
        let find = |name: &String| {
            let place = all.iter().position(|column| column.name == *name);
            let place = place.ok_or_else(|| {
                Error::new(Code::Invalid, "use the table", table)
                    .because(format!("it has no column {}", name.escape_debug()))
            })?;
            is_legible(&all[place]).map(|()| (place, all[place].clone())).map_err(|why| {
                Error::new(Code::Unsupported, "read the log of", table)
                    .because(format!("the key {} {why}", name.escape_debug()))
                    .advise("read it by a column that every change moves on, or as a whole")
            })
        };
        let columns = key.iter().map(find).collect::<Result<_>>()?;
        Ok(Self { table: table.clone(), width: all.len() as u64, columns })
    }

    /// The keys that the rows of an event had and have; or why the event does not say.
    ///
    /// A session may leave columns out (`binlog_row_image`): then a row has the values of those that are there, without
    /// gaps, and a key that did not change is in the row as it was alone.
    ///
    /// # Errors
    /// `storage` when the event cannot be read.
    pub(super) fn named(
        &self,
        event: &RowsEventData<'_>,
        map: &mysql_async::binlog::events::TableMapEvent<'_>,
    ) -> Result<std::result::Result<Vec<Key>, &'static str>> {
        if event.num_columns() != self.width || map.columns_count() != self.width {
            return Ok(Err("the table looked otherwise"));
        }
        let broken = |why: String| Error::new(Code::Storage, "read the log of", &self.table).because(why);
        let before = event.columns_before_image().map(|there| self.places(there.iter().by_vals()));
        let after = event.columns_after_image().map(|there| self.places(there.iter().by_vals()));
        let mut keys = Vec::new();
        for images in event.rows(map) {
            let (was, is) = images.map_err(|e| broken(e.to_string()))?;
            let was = was.zip(before.as_ref()).map(|(row, places)| self.parts(&row, places)).transpose();
            let is = is.zip(after.as_ref()).map(|(row, places)| self.parts(&row, places)).transpose();
            let (was, mut is) = (was.map_err(broken)?, is.map_err(broken)?);
            if let (Some(was), Some(is)) = (&was, &mut is) {
                is.iter_mut().zip(was).for_each(|(is, was)| *is = is.take().or_else(|| was.clone()));
            }
            for parts in [was, is].into_iter().flatten() {
                match parts.into_iter().collect::<Option<Key>>() {
                    Some(key) => keys.push(key),
                    None => return Ok(Err("a row was written without its key (binlog_row_image)")),
                }
            }
        }
        Ok(Ok(keys))
    }

    /// Where in a row the columns of the key stand, when it has these columns.
    fn places(&self, there: impl Iterator<Item = bool>) -> Vec<Option<usize>> {
        let mut count = 0..;
        let places: Vec<_> = there.map(|is_there| if is_there { count.next() } else { None }).collect();
        self.columns.iter().map(|(column, _)| places.get(*column).copied().flatten()).collect()
    }

    /// The parts of the key of a row; nothing for one that the row leaves out.
    fn parts(&self, row: &BinlogRow, places: &[Option<usize>]) -> std::result::Result<Vec<Option<Vec<u8>>>, String> {
        let part = |((_, column), place): (&(usize, ColumnShape), &Option<usize>)| {
            let Some(BinlogValue::Value(value)) = place.and_then(|place| row.as_ref(place)) else { return Ok(None) };
            let mut encoder = Encoder::default();
            put(&mut encoder, column, &as_selected(column, value)?)?;
            Ok(Some(encoder.into_bytes()))
        };
        self.columns.iter().zip(places).map(part).collect()
    }
}

/// Whether values of a column are the same in the log and in a table, but for what [`as_selected`] does.
fn is_legible(column: &ColumnShape) -> std::result::Result<(), &'static str> {
    let of = column.data_type.to_ascii_lowercase();
    let is_unicode = ["utf8", "ascii"].iter().any(|set| column.collation.name.starts_with(set));
    match column.kind {
        Some(DatumKind::Text) if of.starts_with("enum") => Err("is an enumeration, of which the log has the number"),
        Some(DatumKind::Text) if !is_unicode => Err("is a text that the log has in another character set"),
        Some(
            DatumKind::Integer
            | DatumKind::Boolean
            | DatumKind::Decimal
            | DatumKind::Text
            | DatumKind::Bytes
            | DatumKind::Date
            | DatumKind::Timestamp
            | DatumKind::Instant
            | DatumKind::Time,
        ) => Ok(()),
        Some(_) | None => Err("is of a type that the log has in another form"),
    }
}

/// A value of the log as a statement would have read it.
fn as_selected(column: &ColumnShape, value: &Value) -> std::result::Result<Value, String> {
    let strange = || "it is in a form that is not known".to_owned();
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| strange());
    Ok(match (column.kind, value) {
        // Without a sign the upper half of the numbers is not below zero.
        (Some(DatumKind::Integer), Value::Int(number)) if *number < 0 => match column.traits.range {
            Some((0, most)) => Value::UInt(u64::try_from(i128::from(*number) + most + 1).map_err(|_| strange())?),
            Some(_) | None => Value::Int(*number),
        },
        (Some(DatumKind::Integer), Value::Bytes(bytes))
            if column.data_type.to_ascii_lowercase().starts_with("year") =>
        {
            Value::Int(text(bytes)?.parse().map_err(|_| strange())?)
        }
        (Some(DatumKind::Bytes), Value::Bytes(bytes))
            if column.data_type.to_ascii_lowercase().starts_with("binary") =>
        {
            let mut whole = bytes.clone();
            whole.resize(column.max_length.map_or(bytes.len(), |length| length as usize), 0);
            Value::Bytes(whole)
        }
        // Seconds since 1970, as a number or as text with a fraction.
        (Some(DatumKind::Instant), Value::Int(seconds)) => moment(*seconds, 0).ok_or_else(strange)?,
        (Some(DatumKind::Instant), Value::Bytes(bytes)) => {
            let said = text(bytes)?;
            let (seconds, fraction) = said.split_once('.').unwrap_or((&said, "0"));
            let micros = format!("{fraction:0<6}").parse().map_err(|_| strange())?;
            moment(seconds.parse().map_err(|_| strange())?, micros).ok_or_else(strange)?
        }
        (_, other) => other.clone(),
    })
}

/// A point in time as a session in UTC reads it. None is 0, which stands for zeros.
fn moment(seconds: i64, micros: u32) -> Option<Value> {
    if seconds == 0 && micros == 0 {
        return Some(Value::Date(0, 0, 0, 0, 0, 0, 0));
    }
    let (days, nanos) = civil::day_and_clock(Tick { seconds, nanos: micros * 1000 })?;
    let ((year, month, day), seconds) = (civil::civil_of(days), nanos / 1_000_000_000);
    let small = |number: u64| u8::try_from(number).ok();
    Some(Value::Date(
        u16::try_from(year).ok()?,
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
        small(seconds / 3600)?,
        small(seconds / 60 % 60)?,
        small(seconds % 60)?,
        micros,
    ))
}

/// Whether a statement in the log may have done something to a table that the log does not say row by row: another look, or
/// rows that went or came all at once.
pub(super) fn concerns(sql: &str, schema: &str, table: &TableName) -> bool {
    let sql = without_comments(sql).to_lowercase();
    let mut words =
        sql.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (first, second) {
        // What surrounds rows, and what changes none.
        ("begin" | "commit" | "rollback" | "savepoint" | "release" | "xa" | "flush" | "grant" | "revoke", _)
        | ("analyze" | "optimize" | "repair" | "start", _)
        | (_, "temporary" | "user" | "role") => false,
        ("drop" | "alter", "database" | "schema") => names(&sql, &table.schema),
        _ => names(&sql, &table.name) && (schema.eq_ignore_ascii_case(&table.schema) || names(&sql, &table.schema)),
    }
}

fn names(sql: &str, name: &str) -> bool {
    sql.contains(&name.to_lowercase()) || sql.contains(&name.to_lowercase().replace('`', "``"))
}

/// A statement from its first word on.
fn without_comments(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start();
        let end = match sql {
            _ if sql.starts_with("/*") && !sql.starts_with("/*!") => sql.find("*/").map(|end| end + 2),
            _ if sql.starts_with("-- ") || sql.starts_with('#') => sql.find('\n').map(|end| end + 1),
            _ => None,
        };
        match end.and_then(|end| sql.get(end..)) {
            Some(rest) => sql = rest,
            None => return sql,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_concern_a_table_are_known() {
        let t = TableName::new("shop", "order`s");
        for (sql, schema, expected) in [
            ("BEGIN", "shop", false),
            ("ALTER TABLE `order``s` ADD x INT", "shop", true),
            ("  /* a */ # b\n truncate table shop.`order``s`", "", true),
            ("TRUNCATE other", "shop", false),
            ("ALTER TABLE `order``s` ADD x INT", "elsewhere", false),
            ("RENAME TABLE shop.`order``s` TO x.y", "elsewhere", true),
            ("DROP DATABASE shop", "", true),
            ("DROP DATABASE other", "", false),
            ("CREATE TEMPORARY TABLE `order``s` (a INT)", "shop", false),
            ("UPDATE `order``s` SET a = 1", "shop", true),
            ("/*!40000 ALTER TABLE `order``s` DISABLE KEYS */", "shop", true),
            ("FLUSH TABLES", "shop", false),
            ("SET STATEMENT binlog_format = 'STATEMENT' FOR DELETE FROM `order``s`", "shop", true),
            ("SET PASSWORD FOR x = 'y'", "shop", false),
        ] {
            assert_eq!(concerns(sql, schema, &t), expected, "{sql}");
        }
    }

    #[test]
    fn moments_are_those_of_a_session_in_utc() {
        assert_eq!(moment(1_709_251_199, 250_000), Some(Value::Date(2024, 2, 29, 23, 59, 59, 250_000)));
        assert_eq!(moment(0, 0), Some(Value::Date(0, 0, 0, 0, 0, 0, 0)));
    }
}
