//! What each command does: opens the book, asks the engine, shows the answer.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portbook::conduit::{self, ApplyOptions, ConduitOptions, Filters, PreviewOptions, VerifyOptions, VerifyReport};
use portbook::model::SyncMode;
use portbook::operation::{PreviewSummary, Run, RunEvent, RunPhase, RunReport};
use portbook::{Book, BookOptions, Code, Error, Result, Session};

use crate::args::{self, Args, Command, Conflict};
use crate::book_path::{self, BookAt};
use crate::cancel::{self, Cancel};
use crate::conflicts;
use crate::key;
use crate::place::Place;
use crate::render::{self, Counts, Progress, Style};
use crate::rows;
use crate::subject::Subject;
use crate::volumes;

/// Changes that a person is shown before the table says how many more there are.
const SHOWN: usize = 200;

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
        Command::Conflicts(command) => with_book(args, |session| conflicts::run(args, session, command)),
        Command::Inspect(command) => with_book(args, |session| rows::inspect(args, session, command)),
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

/// What SRC and DST name.
enum Words {
    Folders(Place, Place),
    Tables(rows::Pair),
}

impl Words {
    /// What these do not know of the line is refused before anything is opened.
    fn check(&self, plan: &args::Preview) -> Result<()> {
        match self {
            Self::Folders(..) => {
                plan.conflict.map(Conflict::of_files).transpose()?;
                plan.mode.of_files().map(|_| ())
            }
            Self::Tables(_) => {
                plan.conflict.map(Conflict::of_rows).transpose()?;
                plan.mode.of_rows().map(|_| ())
            }
        }
    }
}

/// What SRC and DST name. Words that name nothing are refused before the book is opened.
fn words(src: &std::ffi::OsStr, dst: &std::ffi::OsStr) -> Result<Words> {
    match (Place::parse(src)?, Place::parse(dst)?) {
        (Place::Table(source), Place::Table(target)) => Ok(Words::Tables((source, target))),
        (Place::Table(table), _) | (_, Place::Table(table)) => {
            Err(Error::new(Code::Invalid, "sync", table)
                .because("a table is kept in step with a table, not with a folder"))
        }
        (src, dst) => Ok(Words::Folders(src, dst)),
    }
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
    let (mode, conflict) = (plan.mode.of_files()?, plan.conflict.map(Conflict::of_files).transpose()?);
    Ok(ConduitOptions { mode, conflict, filters, exact: plan.exact, max_delete, ..before })
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
    words.check(plan)?;
    with_book(args, |session| {
        let subject = match words {
            Words::Folders(src, dst) => {
                let places = open_places(session, (src, dst))?;
                let options = options(session, &places, plan)?;
                let conduit = portbook::wait(session.connect(places.0, places.1, options))?;
                Subject::Files { conduit, preview: asked(plan), apply: ApplyOptions::default() }
            }
            Words::Tables(tables) => rows::connect(session, tables, plan, None, false)?,
        };
        let summary = look(args, &subject)?;
        show_preview(args, session, &subject, &summary, begun.elapsed())?;
        Ok(0)
    })
}

/// Previews, with a sign of life for a person.
fn look(args: &Args, subject: &Subject) -> Result<PreviewSummary> {
    let _scanning = Progress::begin(!args.json);
    subject.look()
}

fn show_preview(
    args: &Args,
    session: &Session,
    subject: &Subject,
    summary: &PreviewSummary,
    elapsed: Duration,
) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let counts = counts(&summary.counts, summary.bytes, 0, elapsed);
    let changes = subject.changes(session, summary.id);
    if args.json {
        let lines = changes.map(|line| line.map_err(io::Error::other));
        let guards: Vec<_> = summary.guards.iter().map(|guard| (guard.name.as_str(), guard.reason.as_str())).collect();
        return render::write_preview(&mut out, &counts, &summary.id.to_string(), &guards, lines)
            .and_then(|()| out.flush())
            .map_err(print_failed);
    }
    let style = Style::of_stdout();
    for change in changes.take(SHOWN) {
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
    for line in subject.drift(summary.id)? {
        writeln!(out, "{line}").map_err(print_failed)?;
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
    words.check(plan)?;
    with_book(args, |session| {
        let subject = match words {
            Words::Folders(src, dst) => {
                let places = open_places(session, (src, dst))?;
                let conduit = match command.preview {
                    Some(id) => portbook::wait(session.conduit_of(id, places.0, places.1))?,
                    None => {
                        let options = run_options(session, &places, command)?;
                        portbook::wait(session.connect(places.0, places.1, options))?
                    }
                };
                Subject::Files { conduit, preview: asked(plan), apply: for_this_run(command) }
            }
            Words::Tables(tables) => rows::connect(session, tables, plan, command.max_delete, command.create)?,
        };
        let can_ask = !args.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        let outcome = match command.preview {
            Some(id) => {
                let confirm = match command.yes {
                    true => agreed_with(&subject.summary(session, id)?, command),
                    false => Vec::new(),
                };
                watch(args, &subject.apply(id, confirm), cancel)
            }
            None if can_ask && !command.yes => return ask(args, session, &subject, command, cancel),
            None => watch(args, &subject.sync(), cancel),
        };
        match outcome {
            // `--yes` without a preview answers the question, and no guard: nobody has seen it.
            Err(e) if e.code() == Code::Guard && can_ask => {
                render::complain_of(&e);
                ask(args, session, &subject, command, cancel)
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
fn ask(args: &Args, session: &Session, subject: &Subject, command: &args::Sync, cancel: &Cancel) -> Result<u8> {
    let begun = Instant::now();
    let summary = match command.preview {
        Some(id) => subject.summary(session, id)?,
        None => look(args, subject)?,
    };
    if summary.items > 0 || !summary.guards.is_empty() {
        show_preview(args, session, subject, &summary, begun.elapsed())?;
        if !is_agreed(&summary)? {
            return Ok(cancel::CANCELLED);
        }
    }
    let confirm = summary.guards.iter().map(|guard| guard.name.clone()).collect();
    show_report(args, &watch(args, &subject.apply(summary.id, confirm), cancel)?)
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
    let options = VerifyOptions { filters: None, checksum: command.checksum };
    let report = match words(&command.src, &command.dst)? {
        Words::Tables(tables) => return with_book(args, |session| rows::verify(args, session, tables, command)),
        Words::Folders(src, dst) => with_book(args, |session| {
            let places = open_places(session, (src, dst))?;
            portbook::wait(session.verify(places.0, places.1, options))
        })?,
    };
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
        (Some(src), Some(dst)) => match words(src, dst)? {
            Words::Folders(src, dst) => Some((src, dst)),
            Words::Tables(_) => {
                return Err(Error::new(Code::Unsupported, "list the runs of", "a definition")
                    .because("`history` lists those of folders; those of tables are in sync_runs"));
            }
        },
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
