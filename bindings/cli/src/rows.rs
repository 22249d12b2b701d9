//! Tables on the command line.

use std::io::{self, Write};
use std::time::Duration;

use portbook::bridge::{
    DatabaseAt, RecordClock, RecordCursor, RecordOptions, RecordPlace, RowPreviewOptions, RowVerifyReport, TableDrift,
    parse_fields,
};
use portbook::conduit::MaxDelete;
use portbook::endpoint::{TableEntry, TableShape};
use portbook::model::SecretBytes;
use portbook::{Code, Error, Result, Session};

use crate::args::{self, Args, Conflict};
use crate::commands::print_failed;
use crate::subject::Subject;

/// The URLs of source and target.
pub(crate) type Pair = (String, String);

/// The definition of two tables, as the line says.
pub(crate) fn connect(
    session: &Session,
    tables: Pair,
    plan: &args::Preview,
    max_delete: Option<MaxDelete>,
) -> Result<Subject> {
    if !plan.include.is_empty() || !plan.exclude.is_empty() {
        return Err(Error::new(Code::Invalid, "sync tables", "as the line says")
            .because("--include and --exclude are for folders"));
    }
    let fields = match &plan.map {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|e| Error::io("read", file.display(), e))?;
            parse_fields(&text)?
        }
        None => Vec::new(),
    };
    let usual = RecordOptions::default();
    let options = RecordOptions {
        mode: plan.mode.of_rows()?,
        policy: plan.conflict.map(Conflict::of_rows).transpose()?.unwrap_or(usual.policy),
        key: plan.key.clone(),
        cursor: match &plan.cursor {
            Some(column) => RecordCursor::column(column),
            None if plan.log => RecordCursor::Log,
            None => RecordCursor::FullScan,
        },
        fields,
        clock: plan.clock.as_ref().map(|(source, target)| RecordClock {
            skew: Duration::from_secs(plan.clock_skew.into()),
            ..RecordClock::new(source, target)
        }),
        ..usual
    };
    let definition = portbook::wait(session.connect_records(place(&tables.0)?, place(&tables.1)?, options))?;
    let preview = RowPreviewOptions {
        look_at_target: plan.checksum,
        full_scan: plan.checksum,
        exact: plan.exact,
        max_delete: max_delete.unwrap_or_default(),
        ..RowPreviewOptions::default()
    };
    Ok(Subject::Rows { definition, preview })
}

/// The table of a URL, with the password of its product's variable.
pub(crate) fn place(url: &str) -> Result<RecordPlace> {
    let place: RecordPlace = url.parse()?;
    Ok(match password(place.scheme()) {
        Some(password) => place.with_password(password),
        None => place,
    })
}

/// `PORTBOOK_POSTGRES_PASSWORD` and the like.
fn password(scheme: &str) -> Option<SecretBytes> {
    let held = std::env::var_os(format!("PORTBOOK_{}_PASSWORD", scheme.to_ascii_uppercase()))?;
    Some(SecretBytes::from(held.into_encoded_bytes()))
}

/// Compares both tables.
pub(crate) fn verify(args: &Args, session: &Session, tables: Pair, command: &args::Verify) -> Result<u8> {
    if command.checksum {
        return Err(Error::new(Code::Invalid, "verify tables", "as the line says")
            .because("their contents are compared in any case; --checksum is for folders"));
    }
    let (source, target) = (place(&tables.0)?, place(&tables.1)?);
    let definition = match portbook::wait(session.records(source.clone(), target.clone())) {
        Err(e) if e.code() == Code::NotFound => {
            portbook::wait(session.connect_records(source, target, RecordOptions::default()))?
        }
        found => found?,
    };
    let report = portbook::wait(definition.verify())?;
    let mut out = io::stdout().lock();
    show_verified(args, &report, &mut out).map_err(print_failed)?;
    Ok(u8::from(report.missing + report.extra + report.different + report.unreadable > 0))
}

fn show_verified(args: &Args, report: &RowVerifyReport, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        let differences: Vec<_> = report
            .differences
            .iter()
            .map(|one| serde_json::json!({"row": one.row, "difference": one.kind.as_str(), "reason": one.reason}))
            .collect();
        let object = serde_json::json!({
            "status": report.status.as_str(),
            "source_rows": report.source_rows,
            "target_rows": report.target_rows,
            "missing": report.missing,
            "extra": report.extra,
            "different": report.different,
            "unreadable": report.unreadable,
            "differences": differences,
        });
        return writeln!(out, "{object}");
    }
    for one in &report.differences {
        match &one.reason {
            Some(reason) => writeln!(out, "{}  ({}: {reason})", one.row, one.kind.as_str())?,
            None => writeln!(out, "{}  ({})", one.row, one.kind.as_str())?,
        }
    }
    let RowVerifyReport { source_rows, target_rows, missing, extra, different, unreadable, .. } = report;
    writeln!(
        out,
        "{source_rows} rows at the source, {target_rows} at the target: {missing} missing, {extra} extra, {different} different, \
         {unreadable} unreadable"
    )
}

/// Shows the tables of a database, or the columns of a table.
pub(crate) fn inspect(args: &Args, session: &Session, command: &args::Inspect) -> Result<u8> {
    let (mut database, table) = DatabaseAt::parse(&command.url)?;
    database.options.password = password(database.scheme());
    let mut out = io::stdout().lock();
    match table {
        None if command.accept => {
            return Err(Error::new(Code::Invalid, "accept a table", "as the line says").because("it names none"));
        }
        None => show_tables(args, &portbook::wait(session.inspect_database(database))?, &mut out),
        Some(table) => {
            let place = RecordPlace::Table { database, table };
            let drift = portbook::wait(session.table_drift(place.clone()))?;
            if command.accept {
                portbook::wait(session.accept_table(place.clone()))?;
            }
            show_shape(args, &portbook::wait(session.inspect_table(place))?, &drift, &mut out)
        }
    }
    .map_err(print_failed)?;
    Ok(0)
}

fn show_tables(args: &Args, tables: &[TableEntry], out: &mut impl Write) -> io::Result<()> {
    if args.json {
        let tables: Vec<_> = tables
            .iter()
            .map(|table| {
                serde_json::json!({
                    "schema": table.name.schema,
                    "name": table.name.name,
                    "type": table.table_type.as_str(),
                    "row_estimate": table.row_estimate,
                })
            })
            .collect();
        return writeln!(out, "{}", serde_json::json!({ "tables": tables }));
    }
    for table in tables {
        let rows = table.row_estimate.map_or_else(String::new, |rows| format!("  about {rows} rows"));
        writeln!(out, "{:<5} {}{rows}", table.table_type.as_str().to_ascii_lowercase(), table.name)?;
    }
    Ok(())
}

fn drift_json(drift: &TableDrift) -> serde_json::Value {
    let definitions: Vec<_> = drift
        .definitions
        .iter()
        .map(|one| {
            serde_json::json!({
                "definition": one.definition.0.to_string(),
                "name": one.name,
                "effect": one.effect.as_str(),
                "reason": one.reason,
            })
        })
        .collect();
    serde_json::json!({
        "kind": drift.change.kind.as_str(),
        "name": drift.change.name,
        "was": drift.change.was,
        "is": drift.change.is,
        "definitions": definitions,
    })
}

fn show_shape(args: &Args, shape: &TableShape, drift: &[TableDrift], out: &mut impl Write) -> io::Result<()> {
    let carried = |kind: Option<portbook::model::DatumKind>| kind.map_or("not carried", |kind| kind.as_str());
    if args.json {
        let columns: Vec<_> = shape
            .columns
            .iter()
            .map(|column| {
                serde_json::json!({
                    "name": column.name,
                    "data_type": column.data_type,
                    "kind": column.kind.map(portbook::model::DatumKind::as_str),
                    "is_nullable": column.is_nullable,
                    "is_computed": column.is_computed,
                    "is_primary_key": shape.primary_key().contains(&column.name),
                })
            })
            .collect();
        let drift: Vec<_> = drift.iter().map(drift_json).collect();
        let object = serde_json::json!({
            "table": shape.name.to_string(),
            "row_estimate": shape.row_estimate,
            "columns": columns,
            "drift": drift,
        });
        return writeln!(out, "{object}");
    }
    writeln!(out, "{}", shape.name)?;
    for column in &shape.columns {
        let mut notes = vec![carried(column.kind)];
        notes.extend(shape.primary_key().contains(&column.name).then_some("primary key"));
        notes.extend((!column.is_nullable).then_some("not null"));
        notes.extend(column.is_computed.then_some("computed"));
        writeln!(out, "  {}  {}  ({})", column.name, column.data_type, notes.join(", "))?;
    }
    for one in drift {
        writeln!(out, "since the last run: {}", one.change)?;
        for of in &one.definitions {
            writeln!(out, "  {}: {} ({})", of.effect.as_str(), of.name, of.reason)?;
        }
    }
    Ok(())
}
