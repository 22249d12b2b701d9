//! Rows as JSON, for hosts that name tables and columns at run time, and for the borders: ids and times are text (ISO
//! 8601, UTC), bytes are hexadecimal, JSON columns are JSON.

use chrono::SecondsFormat;
use serde_json::{Map, Number, Value as Json};
use uuid::Uuid;

use super::sql::BASE;
use super::{Columns, is_deleted, no_column};
use crate::error::{Code, Error, Result};
use crate::model::{ColumnInfo, Row, TableInfo, Value, ValueKind};
use crate::operation::clock::from_micros;

/// A row as JSON.
pub(crate) type JsonRow = Map<String, Json>;

/// The columns that a host gives. What it does not name keeps its value, or gets its default.
///
/// # Errors
/// `invalid` when a field is no column, or its value not of the column's kind.
pub(crate) fn columns_of(table: &'static TableInfo, row: &JsonRow) -> Result<Columns> {
    let mut columns = Vec::with_capacity(row.len());
    for (name, value) in row {
        let column = table.column(name).ok_or_else(|| no_column("read a row for", table, name))?;
        columns.push((column.name, value_of(table, column, value)?));
    }
    Ok(columns)
}

/// A value for a column.
pub(crate) fn value_of(table: &TableInfo, column: &ColumnInfo, value: &Json) -> Result<Value> {
    let wrong = || {
        Error::new(Code::Invalid, "read a value for", format!("{}.{}", table.name, column.name))
            .because(format!("{:?} is wanted", column.kind))
    };
    if value.is_null() {
        return Ok(Value::Null);
    }
    Ok(match (column.kind, value) {
        (ValueKind::Flag, Json::Bool(flag)) => Value::Bool(*flag),
        (ValueKind::Integer, Json::Number(number)) => Value::Int(number.as_i64().ok_or_else(wrong)?),
        (ValueKind::Number, Json::Number(number)) => Value::Real(number.as_f64().ok_or_else(wrong)?),
        (ValueKind::Text, Json::String(text)) => Value::Text(text.clone()),
        (ValueKind::Json, document) => Value::Text(document.to_string()),
        (ValueKind::Bytes, Json::String(text)) => Value::Blob(bytes_of(text).ok_or_else(wrong)?),
        (ValueKind::Id, Json::String(text)) => Value::Uuid(Uuid::parse_str(text).map_err(|_| wrong())?),
        (ValueKind::Time, Json::String(text)) => {
            Value::Time(chrono::DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.timestamp_micros())
        }
        // Not to be bound before it is sealed.
        (ValueKind::Secret, Json::String(text)) => Value::Secret(text.as_str().into()),
        (
            ValueKind::Flag
            | ValueKind::Integer
            | ValueKind::Number
            | ValueKind::Text
            | ValueKind::Bytes
            | ValueKind::Id
            | ValueKind::Time
            | ValueKind::Secret,
            _,
        ) => return Err(wrong()),
    })
}

/// A row of a page: `id`, `index_id` where there is one, `created_at`, `updated_at`, `is_deleted`, and its own columns.
pub(crate) fn row_of(table: &TableInfo, row: Row<'_>) -> Result<JsonRow> {
    let mut out = Map::new();
    out.insert("id".into(), row.uuid(0)?.to_string().into());
    if !row.is_null(1) {
        out.insert("index_id".into(), row.int(1)?.into());
    }
    out.insert("created_at".into(), time(row.int(2)?));
    out.insert("updated_at".into(), time(row.int(3)?));
    out.insert("is_deleted".into(), is_deleted(row)?.into());
    for (at, column) in table.columns.iter().enumerate() {
        let at = BASE + at;
        let value = match column.kind {
            _ if row.is_null(at) => Json::Null,
            ValueKind::Flag => Json::Bool(row.int(at)? != 0),
            ValueKind::Integer => row.int(at)?.into(),
            ValueKind::Number => Number::from_f64(row.real(at)?).map_or(Json::Null, Json::Number),
            ValueKind::Text => row.text(at)?.into(),
            ValueKind::Json => serde_json::from_str(row.text(at)?)
                .map_err(|e| Error::new(Code::Corrupt, "read a row of", table.name).caused_by(e))?,
            ValueKind::Bytes => row.blob(at)?.iter().map(|b| format!("{b:02x}")).collect::<String>().into(),
            ValueKind::Id => row.uuid(at)?.to_string().into(),
            ValueKind::Time => time(row.int(at)?),
            // That there is one, and no more.
            ValueKind::Secret => Json::Bool(true),
        };
        out.insert(column.name.into(), value);
    }
    Ok(out)
}

/// A time that a host gives for a field, to the microsecond.
pub(crate) fn micros_of(field: &'static str, text: &str) -> Result<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.map(|t| t.timestamp_micros()).map_err(|e| Error::new(Code::Invalid, "read the time", field).caused_by(e))
}

fn time(micros: i64) -> Json {
    from_micros(micros).to_rfc3339_opts(SecondsFormat::Micros, true).into()
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}
