//! Running statements on one connection: values in, rows out, SQLite's codes into ours.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use crate::error::{Code, Error, Result};
use crate::model::Unsealed;
use crate::store::{Insert, OnConflict, Rows, Statement, Value, Write, Written};

/// The rows of a query.
pub(super) fn query(connection: &Connection, statement: &Statement) -> Result<Rows> {
    let run = || {
        let mut prepared = connection.prepare_cached(&statement.sql)?;
        rows_of(&mut prepared, &statement.params)
    };
    run().map_err(|e| error_of("read", "the book", e))
}

/// One part of a batch, inside the caller's transaction or savepoint.
pub(super) fn write(connection: &Connection, part: &Write) -> Result<Written> {
    let fail = |e| error_of("write to", "the book", e);
    match part {
        Write::Execute(statement) => execute(connection, statement).map(Written::Changed).map_err(fail),
        Write::Expect(statement, expected) => {
            let changed = execute(connection, statement).map_err(fail)?;
            if changed != *expected {
                return Err(unexpected(changed, *expected));
            }
            Ok(Written::Changed(changed))
        }
        Write::Returning(statement) => {
            let mut prepared = connection.prepare_cached(&statement.sql).map_err(fail)?;
            rows_of(&mut prepared, &statement.params).map(Written::Rows).map_err(fail)
        }
        Write::Insert(insert) => insert_rows(connection, insert).map(Written::Changed),
        Write::As(_) => Ok(Written::Changed(0)),
    }
}

/// The refusal when a write met other rows than it relied on.
pub(in crate::store) fn unexpected(changed: u64, expected: u64) -> Error {
    Error::new(Code::Conflict, "write to", "the book")
        .because(format!("{changed} rows changed where {expected} were expected"))
        .advise("someone else changed them meanwhile; read again")
}

fn execute(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    bind(&mut prepared, &statement.params)?;
    prepared.raw_execute().map(|n| n as u64)
}

/// One prepared statement for every row: measured as fast as rows of many values, with one cached text per table.
fn insert_rows(connection: &Connection, insert: &Insert) -> Result<u64> {
    let fail = |e| error_of("write to", &insert.table, e);
    let width = insert.columns.len();
    if width == 0 || !insert.values.len().is_multiple_of(width) {
        return Err(Error::new(Code::Internal, "write to", &insert.table).because("the values do not fill the columns"));
    }
    let mut prepared = connection.prepare_cached(&insert_sql(insert)).map_err(fail)?;
    let mut changed = 0;
    for row in insert.values.chunks_exact(width) {
        bind(&mut prepared, row).map_err(fail)?;
        changed += prepared.raw_execute().map_err(fail)? as u64;
    }
    Ok(changed)
}

fn insert_sql(insert: &Insert) -> String {
    let places: Vec<_> = (1..=insert.columns.len()).map(|i| format!("?{i}")).collect();
    let columns = insert.columns.join(", ");
    let conflict = on_conflict(insert);
    format!("INSERT INTO {} ({columns}) VALUES ({}){conflict}", insert.table, places.join(", "))
}

/// The upsert clause, the same text in both engines.
pub(in crate::store) fn on_conflict(insert: &Insert) -> String {
    match insert.on_conflict {
        OnConflict::Fail => String::new(),
        OnConflict::Replace { key } => {
            let (keys, rest) = insert.columns.split_at(key.min(insert.columns.len()));
            let set: Vec<_> = rest.iter().map(|c| format!("{c} = excluded.{c}")).collect();
            match set.is_empty() {
                true => format!(" ON CONFLICT ({}) DO NOTHING", keys.join(", ")),
                false => format!(" ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), set.join(", ")),
            }
        }
    }
}

fn rows_of(prepared: &mut CachedStatement<'_>, params: &[Value]) -> rusqlite::Result<Rows> {
    bind(prepared, params)?;
    let width = prepared.column_count();
    let mut rows = Rows::new(width);
    let mut found = prepared.raw_query();
    while let Some(row) = found.next()? {
        for column in 0..width {
            match row.get_ref(column)? {
                ValueRef::Null => rows.push_null(),
                ValueRef::Integer(value) => rows.push_int(value),
                ValueRef::Real(value) => rows.push_real(value),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => rows.push_bytes(bytes),
            }
        }
    }
    Ok(rows)
}

fn bind(prepared: &mut CachedStatement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    if params.len() != prepared.parameter_count() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), prepared.parameter_count()));
    }
    params.iter().enumerate().try_for_each(|(i, value)| prepared.raw_bind_parameter(i + 1, value))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Bool(flag) => ValueRef::Integer(i64::from(*flag)),
            Value::Int(number) | Value::Time(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            Value::Secret(_) => return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(Unsealed))),
        }))
    }
}

/// Our code for what SQLite says.
pub(super) fn error_of(action: &'static str, subject: impl std::fmt::Display, source: rusqlite::Error) -> Error {
    use rusqlite::ffi;
    if matches!(&source, rusqlite::Error::ToSqlConversionFailure(why) if why.is::<Unsealed>()) {
        return Error::new(Code::Internal, action, subject).because(Unsealed);
    }
    let extended = source.sqlite_error().map_or(0, |e| e.extended_code);
    let code = match (extended & 0xff, extended) {
        (ffi::SQLITE_CONSTRAINT, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
        | (ffi::SQLITE_CONSTRAINT, ffi::SQLITE_CONSTRAINT_ROWID) => Code::Conflict,
        (ffi::SQLITE_CONSTRAINT, _) => Code::Invalid,
        (ffi::SQLITE_FULL, _) => Code::Quota,
        (ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED, _) => Code::Busy,
        (ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, _) => Code::Corrupt,
        (ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH, _) => Code::Permission,
        _ => Code::Storage,
    };
    Error::new(code, action, subject).caused_by(source)
}
