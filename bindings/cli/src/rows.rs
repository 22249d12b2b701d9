//! Tables on the command line.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use portbook::bridge::{
    DatabaseAt, Definition, RecordClock, RecordCursor, RecordOptions, RecordPlace, RecordRoute, RowPreviewOptions,
    RowVerifyReport, TableDrift, parse_fields,
};
use portbook::conduit::MaxDelete;
use portbook::endpoint::{TableEntry, TableShape};
use portbook::model::{Id, SecretBytes, SharepointList};
use portbook::{Code, Error, Result, Session};
use serde::Deserialize;

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
    create: bool,
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
        create,
        routes: plan.routes.as_deref().map(routes).transpose()?.unwrap_or_default(),
        clock: plan.clock.as_ref().map(|(source, target)| RecordClock {
            skew: Duration::from_secs(plan.clock_skew.into()),
            ..RecordClock::new(source, target)
        }),
        ..usual
    };
    let connect = session.connect_records(place(&tables.0)?, place(&tables.1)?, options);
    let definition = portbook::wait(connect).map_err(|e| match e.code() {
        Code::NotFound if !create => e.advise("`portbook sync --create` makes a target that is not there"),
        _ => e,
    })?;
    let route_to = plan.route_to.as_deref().map(|title| list(&definition, title)).transpose()?;
    let preview = RowPreviewOptions {
        route_to,
        look_at_target: plan.checksum,
        full_scan: plan.checksum,
        exact: plan.exact,
        max_delete: max_delete.unwrap_or_default(),
        ..RowPreviewOptions::default()
    };
    Ok(Subject::Rows { definition, preview })
}

/// A rule as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(rename = "if")]
    condition: String,
    target: String,
}

fn routes(file: &Path) -> Result<Vec<RecordRoute>> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::io("read", file.display(), e))?;
    let rules: Vec<Rule> = serde_json::from_str(&text)
        .map_err(|e| Error::new(Code::Invalid, "read the rules", file.display()).because(e))?;
    let route = |rule: Rule| Ok(RecordRoute { condition: rule.condition, target: place(&rule.target)? });
    rules.into_iter().map(route).collect()
}

/// The list of that title among those that rows may go to.
fn list(definition: &Definition, title: &str) -> Result<Id<SharepointList>> {
    let targets = portbook::wait(definition.targets())?;
    targets.iter().find(|target| target.title == title).map(|target| target.id).ok_or_else(|| {
        let titles: Vec<&str> = targets.iter().map(|target| target.title.as_str()).collect();
        Error::new(Code::NotFound, "send all rows to the list", title)
            .because(format!("rows may go to these: {}", titles.join(", ")))
            .advise("name one of them by its title")
    })
}

/// The table or list of a URL, with what lets one in by the variables of its product.
pub(crate) fn place(url: &str) -> Result<RecordPlace> {
    let mut place: RecordPlace = url.parse()?;
    let secret = match place {
        RecordPlace::List { .. } => {
            let named = |what: &str| {
                let name = format!("PORTBOOK_SHAREPOINT_{what}");
                std::env::var_os(&name)
                    .unwrap_or_default()
                    .into_string()
                    .map_err(|_| Error::new(Code::Invalid, "use the variable", name).because("it is not UTF-8"))
            };
            place = place.with_application(&named("TENANT")?, &named("CLIENT_ID")?);
            match (named("CLIENT_SECRET")?, named("CERTIFICATE")?) {
                (secret, _) if !secret.is_empty() => Some(SecretBytes::from(secret.into_bytes())),
                (_, file) if !file.is_empty() => {
                    let unread = |e| Error::new(Code::Invalid, "read the certificate", &file).caused_by(e);
                    Some(SecretBytes::from(std::fs::read(&file).map_err(unread)?))
                }
                (_, _) => None,
            }
        }
        RecordPlace::Table { .. } | RecordPlace::Host { .. } => password(place.scheme()),
    };
    Ok(match secret {
        Some(secret) => place.with_password(secret),
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
    let mut out = io::stdout().lock();
    if command.url.to_ascii_lowercase().starts_with("sharepoint:") {
        let list = place(&command.url)?;
        show_shape(args, &portbook::wait(session.inspect_table(list))?, &[], &mut out).map_err(print_failed)?;
        return Ok(0);
    }
    let (mut database, table) = DatabaseAt::parse(&command.url)?;
    database.options.password = password(database.scheme());
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
