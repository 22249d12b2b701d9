//! Rows that both sides changed and that wait for a person, on the command line.

use std::io::{self, Write};

use portbook::bridge::{Definition, RowChoice, RowConflict, RowInspection};
use portbook::model::{Datum, Side};
use portbook::{Code, Error, Result, Session};

use crate::args::{self, Args};
use crate::commands::print_failed;
use crate::rows::place;

/// Conflicts fetched from the book at once.
const PAGE: usize = 1000;

/// Lists the rows that wait, shows one, or decides about one.
pub(crate) fn run(args: &Args, session: &Session, command: &args::Conflicts) -> Result<u8> {
    let definition = portbook::wait(session.records(place(&command.src)?, place(&command.dst)?))?;
    let mut out = io::stdout().lock();
    if let Some(id) = &command.show {
        let seen = portbook::wait(definition.inspect_conflict(named(id).0))?;
        return show_one(args, &seen, &mut out).map(|()| 0).map_err(print_failed);
    }
    if let Some(id) = &command.resolve {
        let (id, mark) = named(id);
        let mark = mark.ok_or_else(|| usage("--resolve takes the id of a conflict as it is listed, ID:MARK"))?;
        portbook::wait(definition.resolve_conflict(id, mark, choice(command)?))?;
    }
    let waiting = every(&definition)?;
    show_all(args, &waiting, &mut out).map_err(print_failed)?;
    Ok(u8::from(waiting.iter().any(|one| one.choice.is_none())))
}

/// The id of a conflict, and the mark behind it.
fn named(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(id, mark)| (id, Some(mark)))
}

fn usage(reason: &'static str) -> Error {
    Error::new(Code::Invalid, "decide about a row", "as the line says").because(reason)
}

fn choice(command: &args::Conflicts) -> Result<RowChoice> {
    match (command.take, command.field.is_empty()) {
        (Some(Side::Left), true) => Ok(RowChoice::Source),
        (Some(Side::Right), true) => Ok(RowChoice::Target),
        (None, false) => Ok(RowChoice::Fields(command.field.iter().cloned().collect())),
        (None, true) | (Some(_), false) => {
            Err(usage("say either --take source|target or --field COLUMN=source|target"))
        }
    }
}

fn every(definition: &Definition) -> Result<Vec<RowConflict>> {
    let mut all: Vec<RowConflict> = Vec::new();
    loop {
        let page = portbook::wait(definition.conflicts(all.last().map(|last| last.id.clone()), PAGE))?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

fn chosen(choice: &RowChoice) -> serde_json::Value {
    match choice {
        RowChoice::Source => "source".into(),
        RowChoice::Target => "target".into(),
        RowChoice::Fields(fields) => fields
            .iter()
            .map(|(name, side)| (name.clone(), side_name(*side).into()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "source",
        Side::Right => "target",
    }
}

fn json(one: &RowConflict) -> serde_json::Value {
    serde_json::json!({
        "id": format!("{}:{}", one.id, one.mark),
        "row": one.row,
        "at_source": one.is_there.left,
        "at_target": one.is_there.right,
        "since": one.created_at.to_rfc3339(),
        "decided": one.choice.as_ref().map(chosen),
        "note": one.note,
    })
}

fn what(one: &RowConflict) -> &'static str {
    match (one.is_there.left, one.is_there.right) {
        (true, true) => "both sides changed it",
        (true, false) => "changed at the source, deleted at the target",
        (false, true | false) => "deleted at the source, changed at the target",
    }
}

fn show_all(args: &Args, waiting: &[RowConflict], out: &mut impl Write) -> io::Result<()> {
    if args.json {
        let all: Vec<_> = waiting.iter().map(json).collect();
        return writeln!(out, "{}", serde_json::json!({ "conflicts": all }));
    }
    for one in waiting {
        writeln!(out, "{}  ({})", one.row, what(one))?;
        if let Some(choice) = &one.choice {
            writeln!(out, "  decided: {}; the next sync carries it out", chosen(choice))?;
        }
        if let Some(note) = &one.note {
            writeln!(out, "  {note}")?;
        }
        writeln!(out, "  --resolve {}:{}", one.id, one.mark)?;
    }
    let open = waiting.iter().filter(|one| one.choice.is_none()).count();
    writeln!(out, "{} rows wait, {} of them decided", waiting.len(), waiting.len() - open)
}

fn value(value: Option<&Datum>) -> String {
    value.map_or_else(|| "(no row)".to_owned(), |value| portbook::bridge::show_key(std::slice::from_ref(value)))
}

fn show_one(args: &Args, seen: &RowInspection, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        let fields: Vec<_> = seen
            .fields
            .iter()
            .map(|field| {
                serde_json::json!({
                    "source_column": field.source,
                    "target_column": field.target,
                    "source": field.values.left.as_ref().map(|of| value(Some(of))),
                    "target": field.values.right.as_ref().map(|of| value(Some(of))),
                    "is_same": field.is_same,
                })
            })
            .collect();
        let mut object = json(&seen.conflict);
        object["fields"] = fields.into();
        return writeln!(out, "{object}");
    }
    writeln!(out, "{}  ({})", seen.conflict.row, what(&seen.conflict))?;
    for field in seen.fields.iter().filter(|field| !field.is_same) {
        let (source, target) = (value(field.values.left.as_ref()), value(field.values.right.as_ref()));
        writeln!(out, "  {}: {source} at the source, {target} at the target", field.target)?;
    }
    Ok(())
}
