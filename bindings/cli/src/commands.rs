//! What each command does: opens the book, asks the engine, shows the answer.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portbook::conduit::{
    self, ApplyOptions, Conduit, ConduitOptions, Filters, PreviewOptions, VerifyOptions, VerifyReport,
};
use portbook::model::{PreviewId, Side, SyncMode};
use portbook::operation::{ChangeFilter, ChangeId, PreviewChange, PreviewSummary, Run, RunEvent, RunPhase, RunReport};
use portbook::{Book, BookOptions, Code, Error, Result, Session};

use crate::args::{self, Args, Command};
use crate::book_path::{self, BookAt};
use crate::cancel::{self, Cancel};
use crate::key;
use crate::place::Place;
use crate::render::{self, ChangeLine, Counts, Progress, Style};
use crate::volumes;

/// Changes that a person is shown before the table says how many more there are.
const SHOWN: usize = 200;

/// Changes fetched from the book at once.
const PAGE: usize = 1000;

/// Runs that `history` lists.
const HISTORY: usize = 100;

/// Runs the command; the exit status when no error stopped it.
///
/// # Errors
/// Whatever stopped the command. Its code says the exit status.
pub(crate) fn run(args: &Args, cancel: &Cancel) -> Result<u8> {
    match &args.command {
        Command::Preview(plan) => preview(args, plan),
        Command::Sync(sync) => self::sync(args, sync, cancel),
        Command::Verify(command) => verify(args, command),
        Command::History(command) => history(args, command),
        Command::Volume(command) => with_book(args, |session| volumes::run(args, session, command)),
    }
}

/// Does the work with the book open, and closes it.
fn with_book<T>(args: &Args, work: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
    let book = open(args)?;
    let session = portbook::wait(book.default_session());
    let done = session.and_then(|session| work(&session));
    portbook::wait(book.shutdown());
    done
}

fn open(args: &Args) -> Result<Book> {
    let key = key::find(args.key_file.as_deref(), std::env::var_os(key::PASSPHRASE), io::stdin().is_terminal())?;
    let options = match book_path::locate(args.book.as_deref())? {
        BookAt::File(path) => BookOptions::sqlite(path),
        BookAt::Postgres(url) => BookOptions::postgres(url),
    };
    portbook::wait(Book::open(match key {
        Some(key) => options.key(key),
        None => options,
    }))
}

/// What SRC and DST name. Words that name nothing are refused before the book is opened.
fn words(src: &std::ffi::OsStr, dst: &std::ffi::OsStr) -> Result<(Place, Place)> {
    Ok((Place::parse(src)?, Place::parse(dst)?))
}

type Places = (conduit::Place, conduit::Place);

fn open_places(session: &Session, words: (Place, Place)) -> Result<Places> {
    Ok((words.0.open(session)?, words.1.open(session)?))
}

/// What the line asks for. What a line has no word for stays as the book remembers it, from a host that has one.
fn options(session: &Session, places: &Places, plan: &args::Preview) -> Result<ConduitOptions> {
    let before = match portbook::wait(session.conduit(places.0.clone(), places.1.clone())) {
        Ok(conduit) => conduit.options().clone(),
        Err(e) if e.code() == Code::NotFound => ConduitOptions::default(),
        Err(e) => return Err(e),
    };
    let filters = Filters { include: plan.include.clone(), exclude: plan.exclude.clone(), ..before.filters };
    // The usual limit of deletions: one that was named stands for a confirmation, of the run that it was named for.
    let max_delete = None;
    Ok(ConduitOptions { mode: plan.mode, conflict: plan.conflict, filters, exact: plan.exact, max_delete, ..before })
}

/// As [`options`], and what the line can say of a run.
fn run_options(session: &Session, places: &Places, command: &args::Sync) -> Result<ConduitOptions> {
    let usual = ConduitOptions::default();
    Ok(ConduitOptions {
        max_delete: command.max_delete,
        bandwidth: command.bwlimit.clone(),
        verify: command.verify.unwrap_or(usual.verify),
        transfers: command.transfers.map_or(usual.transfers, |n| u32::from(n.get())),
        ..options(session, places, &command.plan)?
    })
}

fn preview(args: &Args, plan: &args::Preview) -> Result<u8> {
    let begun = Instant::now();
    let words = words(&plan.src, &plan.dst)?;
    with_book(args, |session| {
        let places = open_places(session, words)?;
        let options = options(session, &places, plan)?;
        let conduit = portbook::wait(session.connect(places.0, places.1, options))?;
        let summary = look(args, &conduit, asked(plan))?;
        show_preview(args, session, &summary, begun.elapsed())?;
        Ok(0)
    })
}

/// Previews, with a sign of life for a person.
fn look(args: &Args, conduit: &Conduit, options: PreviewOptions) -> Result<PreviewSummary> {
    let _scanning = Progress::begin(!args.json);
    portbook::wait(conduit.preview(options))
}

fn show_preview(args: &Args, session: &Session, summary: &PreviewSummary, elapsed: Duration) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let counts = counts(&summary.counts, summary.bytes, 0, elapsed);
    if args.json {
        let lines = changes(session, summary.id).map(|line| line.map_err(io::Error::other));
        let guards: Vec<_> = summary.guards.iter().map(|guard| (guard.name.as_str(), guard.reason.as_str())).collect();
        return render::write_preview(&mut out, &counts, &summary.id.to_string(), &guards, lines)
            .and_then(|()| out.flush())
            .map_err(print_failed);
    }
    let style = Style::of_stdout();
    for change in changes(session, summary.id).take(SHOWN) {
        render::write_change(&mut out, style, &change?).map_err(print_failed)?;
    }
    let all = listed(summary);
    if all > SHOWN as u64 {
        writeln!(out, "… and {} more (`--json` lists them all)", all - SHOWN as u64).map_err(print_failed)?;
    }
    render::write_summary(&mut out, style, &counts, false).map_err(print_failed)?;
    for guard in &summary.guards {
        writeln!(out, "guard {}: {}", guard.name, guard.reason).map_err(print_failed)?;
    }
    if summary.items > 0 || !summary.guards.is_empty() {
        let yes = if summary.guards.is_empty() { "" } else { " --yes, which confirms these guards for it" };
        writeln!(out, "apply exactly this with --preview {}{yes}", summary.id).map_err(print_failed)?;
    }
    out.flush().map_err(print_failed)
}

fn listed(summary: &PreviewSummary) -> u64 {
    let c = &summary.counts;
    c.new + c.updated + c.deleted + c.moved + c.conflicts + c.failed
}

/// Every change that a preview lists, fetched a page at a time.
fn changes(session: &Session, id: PreviewId) -> impl Iterator<Item = Result<ChangeLine>> + '_ {
    let mut after: Option<ChangeId> = None;
    let mut page = Vec::new().into_iter();
    let mut ended = false;
    std::iter::from_fn(move || {
        loop {
            if let Some(change) = page.next() {
                return Some(Ok(line(change)));
            }
            if ended {
                return None;
            }
            match portbook::wait(session.preview_changes(id, ChangeFilter::default(), after, PAGE)) {
                Ok(next) => {
                    ended = next.len() < PAGE;
                    after = next.last().map(|change| change.id).or(after);
                    page = next.into_iter();
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
    })
}

fn line(change: PreviewChange) -> ChangeLine {
    let side = match change.changes {
        Some(Side::Left) => " at the source",
        Some(Side::Right) | None => "",
    };
    let action = match (&change.from, &change.reason) {
        (Some(from), _) => format!("move from {from}{side}"),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => format!("{}{side}", change.action),
    };
    let action = Side::BOTH.into_iter().filter_map(|side| alias(&change, side)).fold(action, |all, one| all + &one);
    let action = if change.decides.is_some() { format!("{action}, as decided") } else { action };
    ChangeLine { path: change.path.to_string(), kind: change.kind, action, bytes: change.bytes }
}

/// The name that the item has on one side only.
fn alias(change: &PreviewChange, side: Side) -> Option<String> {
    let name = change.path_on[side].as_ref()?.name()?;
    let is_alias = change.path.name().as_ref() != Some(&name) && !portbook::provider::is_reserved(name.as_bytes());
    let place = match side {
        Side::Left => "source",
        Side::Right => "target",
    };
    is_alias.then(|| format!(", as {name} at the {place}"))
}

fn counts(counts: &portbook::operation::Counts, bytes: u64, generation: i64, elapsed: Duration) -> Counts {
    Counts {
        new: counts.new,
        updated: counts.updated,
        deleted: counts.deleted,
        moved: counts.moved,
        conflicts: counts.conflicts,
        unchanged: counts.unchanged,
        skipped: counts.skipped,
        failed: counts.failed,
        bytes,
        generation,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

fn sync(args: &Args, command: &args::Sync, cancel: &Cancel) -> Result<u8> {
    let plan = &command.plan;
    let words = words(&plan.src, &plan.dst)?;
    with_book(args, |session| {
        let places = open_places(session, words)?;
        let conduit = match command.preview {
            Some(id) => portbook::wait(session.conduit_of(id, places.0, places.1))?,
            None => {
                let options = run_options(session, &places, command)?;
                portbook::wait(session.connect(places.0, places.1, options))?
            }
        };
        let can_ask = !args.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        let mut apply = for_this_run(command);
        let outcome = match command.preview {
            Some(id) => {
                if command.yes {
                    apply.confirm = agreed_with(&portbook::wait(session.preview(id))?, command);
                }
                watch(args, &conduit.apply(id, apply), cancel)
            }
            None if can_ask && !command.yes => return ask(args, session, &conduit, command, cancel),
            None => watch(args, &conduit.sync(asked(plan), apply), cancel),
        };
        match outcome {
            // `--yes` without a preview answers the question, and no guard: nobody has seen it.
            Err(e) if e.code() == Code::Guard && can_ask => {
                render::complain_of(&e);
                ask(args, session, &conduit, command, cancel)
            }
            outcome => show_report(args, &outcome?),
        }
    })
}

/// The guards that `--yes` confirms: those of the preview that it names, since a person could read them there, for that plan
/// and nothing else. *Exact* without a ledger asks for a limit of deletions as well.
fn agreed_with(summary: &PreviewSummary, command: &args::Sync) -> Vec<String> {
    let names = summary.guards.iter().map(|guard| guard.name.clone());
    names.filter(|name| command.max_delete.is_some() || !name.starts_with("exact_")).collect()
}

/// What the line says of this run alone, whatever its plan is.
fn for_this_run(command: &args::Sync) -> ApplyOptions {
    ApplyOptions {
        bandwidth: command.bwlimit.clone(),
        transfers: command.transfers.map(|n| u32::from(n.get())),
        verify: command.verify,
        ..ApplyOptions::default()
    }
}

fn asked(plan: &args::Preview) -> PreviewOptions {
    PreviewOptions { checksum: plan.checksum, ..PreviewOptions::default() }
}

/// Shows a person what would be done, asks, and does it.
fn ask(args: &Args, session: &Session, conduit: &Conduit, command: &args::Sync, cancel: &Cancel) -> Result<u8> {
    let begun = Instant::now();
    let summary = match command.preview {
        Some(id) => portbook::wait(session.preview(id))?,
        None => look(args, conduit, asked(&command.plan))?,
    };
    if summary.items > 0 || !summary.guards.is_empty() {
        show_preview(args, session, &summary, begun.elapsed())?;
        if !is_agreed(&summary)? {
            return Ok(cancel::CANCELLED);
        }
    }
    let confirm = summary.guards.iter().map(|guard| guard.name.clone()).collect();
    let run = conduit.apply(summary.id, ApplyOptions { confirm, ..for_this_run(command) });
    show_report(args, &watch(args, &run, cancel)?)
}

/// Asks a person; a guard that tripped wants more than a letter.
fn is_agreed(summary: &PreviewSummary) -> Result<bool> {
    let names: Vec<&str> = summary.guards.iter().map(|guard| guard.name.as_str()).collect();
    let (question, wanted) = if names.is_empty() {
        ("apply this? [y/N] ".to_owned(), &["y", "yes"][..])
    } else {
        (format!("stopped by {}; type 'confirm' to apply all the same: ", names.join(", ")), &["confirm"][..])
    };
    let failed = |e| Error::io("ask", "", e);
    let mut err = io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(wanted.contains(&answer.trim()))
}

/// Shows the run while it works, and passes Ctrl-C on.
fn watch(args: &Args, run: &Run, cancel: &Cancel) -> Result<RunReport> {
    cancel.is_awaited_from_here();
    let mut progress = Progress::begin(!args.json);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if cancel.is_requested() {
                    run.cancel();
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(50));
            }
        });
        while let Some(event) = portbook::wait(run.next_event()) {
            match event {
                RunEvent::Planned(summary) => progress.carry(summary.items, summary.bytes),
                RunEvent::Progress(now) if now.phase == RunPhase::Scanning => progress.scanned(now.items_done),
                RunEvent::Progress(now) => progress.carried(now.items_done, now.bytes_done),
                RunEvent::Failed(failure) => progress.pause(|| render::complain_of(&failure.error)),
                _ => {}
            }
        }
        let report = portbook::wait(run.finish());
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        report
    })
}

fn show_report(args: &Args, report: &RunReport) -> Result<u8> {
    let counts = counts(&report.counts, report.bytes, report.generation, report.elapsed);
    let mut out = io::stdout().lock();
    if args.json {
        render::write_counts(&mut out, &counts).map_err(print_failed)?;
    } else {
        render::write_summary(&mut out, Style::of_stdout(), &counts, true).map_err(print_failed)?;
    }
    Ok(if report.cancelled {
        cancel::CANCELLED
    } else if report.is_in_step() && !report.verification.starts_with("failed") {
        0
    } else {
        1
    })
}

fn verify(args: &Args, command: &args::Verify) -> Result<u8> {
    let begun = Instant::now();
    let words = words(&command.src, &command.dst)?;
    let options = VerifyOptions { filters: None, checksum: command.checksum };
    let report = with_book(args, |session| {
        let places = open_places(session, words)?;
        portbook::wait(session.verify(places.0, places.1, options))
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let differences: Vec<_> = report
            .differences
            .iter()
            .map(|(path, how)| serde_json::json!({ "path": path.to_string(), "difference": how.to_string() }))
            .collect();
        let object = serde_json::json!({
            "compared": report.compared,
            "left_out": report.left_out,
            "mode": report.mode.map(|mode| mode.as_str()),
            "include": report.filters.include,
            "exclude": report.filters.exclude,
            "differing": report.differing,
            "bytes": report.bytes,
            "differences": differences,
            "elapsed_ms": u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        writeln!(out, "{object}").map_err(print_failed)?;
    } else {
        for (path, how) in &report.differences {
            writeln!(out, "{path}  ({how})").map_err(print_failed)?;
        }
        if let Some(part) = part(&report) {
            writeln!(out, "compared what takes part in the sync of these two: {part}; {} left out", report.left_out)
                .map_err(print_failed)?;
        }
        writeln!(out, "{} items compared, {} differ", report.compared, report.differing).map_err(print_failed)?;
    }
    out.flush().map_err(print_failed)?;
    Ok(u8::from(!report.is_in_step()))
}

/// What took part in words; none when everything did.
fn part(report: &VerifyReport) -> Option<String> {
    let mode = report.mode.filter(|mode| *mode == SyncMode::Selective).map(|mode| mode.as_str().to_owned());
    let list = |word: &str, globs: &[String]| (!globs.is_empty()).then(|| format!("{word} {}", globs.join(", ")));
    let (include, exclude) = (list("include", &report.filters.include), list("exclude", &report.filters.exclude));
    let said: Vec<String> = [mode, include, exclude].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn history(args: &Args, command: &args::History) -> Result<u8> {
    let words = match (&command.src, &command.dst) {
        (Some(src), Some(dst)) => Some(words(src, dst)?),
        _ => None,
    };
    let runs = with_book(args, |session| {
        let places = words.map(|words| open_places(session, words)).transpose()?;
        portbook::wait(session.history(places, HISTORY))
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let runs: Vec<_> = runs
            .iter()
            .map(|run| {
                serde_json::json!({
                    "source": run.source,
                    "target": run.target,
                    "generation": run.generation,
                    "status": run.status,
                    "started_at": run.started_at.to_rfc3339(),
                    "completed_at": run.completed_at.map(|t| t.to_rfc3339()),
                    "counts": run.counts,
                    "bytes": run.bytes,
                    "error": run.error,
                    "verification": run.verification,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::json!({ "runs": runs })).map_err(print_failed)?;
        return out.flush().map_err(print_failed).map(|()| 0);
    }
    for run in runs {
        let counts = &run.counts;
        writeln!(
            out,
            "{}  #{} {}  {} -> {}  {} new, {} updated, {} moved, {} deleted, {} failed, {} bytes, {}",
            run.started_at.format("%Y-%m-%d %H:%M:%S"),
            run.generation,
            run.status,
            run.source,
            run.target,
            counts.new,
            counts.updated,
            counts.moved,
            counts.deleted,
            counts.failed,
            run.bytes,
            run.verification
        )
        .map_err(print_failed)?;
    }
    out.flush().map_err(print_failed).map(|()| 0)
}

pub(crate) fn print_failed(error: io::Error) -> Error {
    Error::io("print the answer", "", error)
}
