//! Rows that are written to a host's own table.
//!
//! Where rows have versions, the host itself writes one only when it is still what was compared. Where they have none, it is looked at
//! right before it is written: between the look and the write a change by somebody else can be lost.

use portbook::endpoint::{ContentGuard, Endpoint as _, Expect, RowAction, RowOutcome, TableName, WriteBatch};
use portbook::identity::RowBatch;
use portbook::{Code, Error, Result};
use serde_json::{Map, Value};

use crate::host_endpoint::{ByKey, HostEndpoint};
use crate::host_rows::{Columns, VERSION};
use crate::records::{RecordAnswer, RecordRequest, WriteOutcome, WrittenRow};

/// A row on its way, or what became of it without the host being asked.
type Prepared = std::result::Result<Map<String, Value>, RowOutcome>;

/// What is asked about the rows that are left.
enum Action {
    Insert,
    Update,
    Delete,
}

pub(crate) async fn write(host: &HostEndpoint, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
    let WriteBatch { table, key, action } = batch;
    let described = host.table(&table).await?;
    let keyed = described.columns(&key)?;
    let (action, prepared) = match action {
        RowAction::Insert { columns, rows } => (Action::Insert, objects(&[(&described.columns(&columns)?, &rows)])),
        RowAction::Update { keys, columns, rows, expect } => {
            let values = described.columns(&columns)?;
            let prepared = objects(&[(&keyed, &keys), (&values, &rows)]);
            (Action::Update, expected(host, &table, &key, &keys, prepared, expect).await?)
        }
        RowAction::Delete { keys, expect } => {
            let prepared = objects(&[(&keyed, &keys)]);
            (Action::Delete, expected(host, &table, &key, &keys, prepared, expect).await?)
        }
    };
    let texts: Vec<String> =
        prepared.iter().filter_map(|row| row.as_ref().ok()).map(|row| Value::Object(row.clone()).to_string()).collect();
    let mut answers = Vec::with_capacity(texts.len());
    for rows in texts.chunks(crate::host_records::PAGE) {
        answers.extend(ask(host, &action, table.name.clone(), key.clone(), rows.to_vec()).await?);
    }
    let mut answers = answers.into_iter();
    let unanswered = || RowOutcome::Unknown(host.nonsense("fewer rows than were given"));
    Ok(prepared
        .into_iter()
        .map(|row| match row {
            Ok(_) => answers.next().unwrap_or_else(unanswered),
            Err(outcome) => outcome,
        })
        .collect())
}

/// The rows whose columns these are, side by side.
fn objects(parts: &[(&Columns, &RowBatch)]) -> Vec<Prepared> {
    let length = parts.first().map_or(0, |(_, rows)| rows.len());
    let one = |at: usize| {
        let mut object = Map::new();
        for (columns, rows) in parts {
            columns.write(rows.row(at), 0, &mut object).map_err(RowOutcome::Refused)?;
        }
        Ok(object)
    };
    (0..length).map(one).collect()
}

/// Leaves out the rows that are no longer what was compared, as far as that can be seen from here.
async fn expected(
    host: &HostEndpoint,
    table: &TableName,
    key: &[String],
    keys: &RowBatch,
    mut prepared: Vec<Prepared>,
    expect: Expect,
) -> Result<Vec<Prepared>> {
    match expect {
        Expect::Any => {}
        Expect::Versions(versions) => {
            for (row, version) in prepared.iter_mut().zip(versions) {
                if let (Ok(row), Some(version)) = (row, version) {
                    row.insert(VERSION.to_owned(), version.into());
                }
            }
        }
        Expect::Content(guard) => {
            let shown = shown(host, table, key, keys, &guard).await?;
            for (at, row) in prepared.iter_mut().enumerate() {
                let found = shown.get(keys.row(at).values(0..key.len()));
                match (found, guard.expected.get(at).copied().flatten()) {
                    (None, _) => *row = Err(RowOutcome::Gone),
                    (Some(hash), Some(expected)) if *hash != expected => *row = Err(RowOutcome::Changed),
                    (Some(_), _) => {}
                }
            }
        }
    }
    Ok(prepared)
}

/// What rows hold now, as a hash.
async fn shown(
    host: &HostEndpoint,
    table: &TableName,
    key: &[String],
    keys: &RowBatch,
    guard: &ContentGuard,
) -> Result<ByKey<portbook::identity::RowHash>> {
    let columns: Vec<String> = key.iter().chain(&guard.columns).cloned().collect();
    let page = host.fetch(table, &columns, key, keys).await?;
    let mut shown = ByKey::with_capacity(page.rows.len());
    for row in page.rows.iter() {
        let mut guarded = RowBatch::new(guard.columns.len());
        guarded.push_encoded(row.values(key.len()..columns.len()))?;
        shown.insert(row.values(0..key.len()).to_vec(), (guard.hash)(guarded.row(0))?);
    }
    Ok(shown)
}

async fn ask(
    host: &HostEndpoint,
    action: &Action,
    table: String,
    key: Vec<String>,
    rows: Vec<String>,
) -> Result<Vec<RowOutcome>> {
    let length = rows.len();
    let question = |id| match action {
        Action::Insert => RecordRequest::Insert { id, table, key, rows },
        Action::Update => RecordRequest::Update { id, table, key, rows },
        Action::Delete => RecordRequest::Delete { id, table, keys: rows },
    };
    match host.ask(question).await {
        Ok(RecordAnswer::Done {}) => {
            Ok((0..length).map(|_| RowOutcome::Written { key: None, version: None }).collect())
        }
        Ok(RecordAnswer::Written { outcomes }) if outcomes.len() == length => {
            Ok(outcomes.into_iter().map(|written| outcome(host, written)).collect())
        }
        // What it did nobody knows: each row is looked for before it is written again.
        Ok(RecordAnswer::Written { .. }) => {
            Ok(unknown(length, &host.nonsense("another number of rows than was given")))
        }
        Ok(_) => Ok(unknown(length, &host.nonsense("something else than what became of the rows"))),
        Err(error) if error.code() == Code::Host => Ok(unknown(length, &error)),
        Err(error) => Err(error),
    }
}

fn unknown(rows: usize, error: &Error) -> Vec<RowOutcome> {
    (0..rows).map(|_| RowOutcome::Unknown(error.clone())).collect()
}

fn outcome(host: &HostEndpoint, written: WrittenRow) -> RowOutcome {
    let WrittenRow { outcome, version, reason, code } = written;
    let error = || {
        let code = crate::question::code_of_host(code);
        host.0.failed(code).because(reason.as_deref().unwrap_or("it does not say why"))
    };
    match outcome {
        WriteOutcome::Written => RowOutcome::Written { key: None, version },
        WriteOutcome::Exists => RowOutcome::Exists,
        WriteOutcome::Gone => RowOutcome::Gone,
        WriteOutcome::Changed => RowOutcome::Changed,
        WriteOutcome::Refused => RowOutcome::Refused(error()),
        WriteOutcome::Unknown => RowOutcome::Unknown(error()),
    }
}
