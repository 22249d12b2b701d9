//! The words of the command line: what can be typed, and the plain values it turns into.
//!
//! Nothing here touches a disk. Whatever cannot be understood ends with exit status 2 before anything is opened.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use portbook::conduit::MaxDelete;
use portbook::model::{ConflictPolicy, PreviewId, RecordMode, RecordPolicy, Side, SyncMode, Verify as VerifyMode};
use portbook::provider::Bandwidth;

use crate::place::volume_name;

/// Preview what would change between two places, apply exactly that, prove what was carried.
#[derive(Debug, Parser)]
#[command(name = "portbook", version, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// The book: a SQLite file, created when absent, or a PostgreSQL URL [default: a file in the user's data directory]
    #[arg(long, global = true, value_name = "PATH|URL", env = "PORTBOOK_BOOK", hide_env_values = true)]
    pub(crate) book: Option<OsString>,

    /// A file with the key of the book's secrets: 64 hexadecimal digits or 32 bytes, readable by its owner only
    #[arg(long, global = true, value_name = "FILE", env = "PORTBOOK_KEY_FILE", hide_env_values = true)]
    pub(crate) key_file: Option<PathBuf>,

    /// Print one JSON object on standard output and nothing else
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_STATUS: &str = "\
Exit status: 0 in step, or a preview was made; 1 items failed, conflicts wait, differences were found or another error;
2 usage; 3 a guard stopped the run; 130 cancelled.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what `sync` would do, and change nothing
    Preview(Preview),
    /// Bring two places into step
    Sync(Sync),
    /// Compare both sides, independently of the ledger; what their last sync left out is no difference
    Verify(Verify),
    /// List past runs
    History(History),
    /// List the rows of two tables that both sides changed and that wait for a person; show one, or decide about one
    Conflicts(Conflicts),
    /// Show the tables of a database, or the columns of a table
    Inspect(Inspect),
    /// Save places and what lets one in there under a name: `NAME:path` is then a place
    #[command(subcommand)]
    Volume(Volume),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Volume {
    /// Save a place; what lets one in is taken from PORTBOOK_* variables or asked for, and sealed with the book's key
    Add {
        /// The name, without a colon or a slash
        #[arg(value_parser = volume_name)]
        name: String,

        /// A URL, or the path of a directory of this machine
        place: OsString,
    },
    /// List saved volumes
    List,
    /// Forget a volume; what is stored there stays
    Remove {
        /// Its name
        name: String,
    },
}

/// What decides about the plan, for `preview` and `sync` alike.
#[derive(Debug, clap::Args)]
pub(crate) struct Preview {
    /// The source: a path or a URL
    pub(crate) src: OsString,

    /// The destination: a path or a URL
    pub(crate) dst: OsString,

    /// Which way changes flow; folders know mirror, bidirectional and selective, tables mirror (push), two-way and archive
    #[arg(long, value_name = "MODE", default_value = "mirror", value_parser = mode())]
    pub(crate) mode: Mode,

    /// Who wins when both sides changed [default: source-wins for mirror and tables, keep-both otherwise]
    #[arg(long, value_name = "POLICY", value_parser = conflict())]
    pub(crate) conflict: Option<Conflict>,

    /// Tables: the columns of the source that make a row's key [default: its primary key]
    #[arg(long, value_name = "COLUMN[,COLUMN]", value_delimiter = ',')]
    pub(crate) key: Vec<String>,

    /// Tables: a column of the source that every change moves on; only what changed is read then, and rows that were deleted
    /// show with --checksum
    #[arg(long, value_name = "COLUMN")]
    pub(crate) cursor: Option<String>,

    /// Tables: what changed is read from the log of the source, deletions included (PostgreSQL, MySQL, MariaDB; SQL Server with
    /// Change Tracking)
    #[arg(long, conflicts_with = "cursor")]
    pub(crate) log: bool,

    /// Tables: a JSON file with the fields that are kept in step [default: every column that both have by one name]
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,

    /// Lists: a JSON file with rules that send rows to lists of their own, [{"if": CONDITION, "target": URL}]; the first that holds
    /// decides, and what none takes goes to the destination [default: the rules of the last time]
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Option<PathBuf>,

    /// Lists: send all rows to this one in this run, whatever the rules say
    #[arg(long, value_name = "LIST")]
    pub(crate) route_to: Option<String>,
    /// Tables: the columns that say when a row was changed, by which `--conflict latest-wins` goes
    #[arg(long, value_name = "COLUMN[=TARGET]", value_parser = pair)]
    pub(crate) clock: Option<(String, String)>,

    /// Tables: changes that are no further apart count as made at once, and the source's counts
    #[arg(long, value_name = "SECONDS", requires = "clock", default_value_t = 1)]
    pub(crate) clock_skew: u32,

    /// Carry only what matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Leave out what matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Mirror mode: also remove what the destination has beside what was synced
    #[arg(long)]
    pub(crate) exact: bool,

    /// Folders: compare contents, not sizes and times. Tables: read the target, too, instead of believing the ledger
    #[arg(long)]
    pub(crate) checksum: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) plan: Preview,

    /// Tables: make the target like the source where it is not there; a list gets its columns and their indexes at once
    #[arg(long)]
    pub(crate) create: bool,

    /// Apply exactly this preview; its mode, filters and limits are those it was made with
    #[arg(long, value_name = "ID", value_parser = preview_id)]
    pub(crate) preview: Option<PreviewId>,

    /// How many transfers run at once
    #[arg(long, value_name = "N")]
    pub(crate) transfers: Option<NonZeroU16>,

    /// Bytes per second, with k, M or G for powers of 1024, or a timetable such as "08:00,512k 19:00,off"
    #[arg(long, value_name = "RATE", value_parser = bandwidth)]
    pub(crate) bwlimit: Option<Bandwidth>,

    /// What is compared after the run [default: size; local copies are hashed while they move]
    #[arg(long, value_name = "HOW", value_parser = verify_mode())]
    pub(crate) verify: Option<VerifyMode>,

    /// Stop when more than this would be deleted: a number of items, or a share of all [default: 50%]
    #[arg(long, value_name = "N|P%", value_parser = max_delete)]
    pub(crate) max_delete: Option<MaxDelete>,

    /// Do not ask. With --preview, also confirm the guards that this preview listed, for it alone (of --exact without an
    /// earlier sync only together with --max-delete); without --preview no guard is confirmed
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The source: a path or a URL
    pub(crate) src: OsString,

    /// The destination: a path or a URL
    pub(crate) dst: OsString,

    /// Compare contents, not sizes and times
    #[arg(long)]
    pub(crate) checksum: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Conflicts {
    /// The URL of the source's table
    pub(crate) src: String,

    /// The URL of the target's table
    pub(crate) dst: String,

    /// Show what both sides hold of this row now
    #[arg(long, value_name = "ID", conflicts_with = "resolve")]
    pub(crate) show: Option<String>,

    /// Decide about this row, by its id as it is listed; the next sync carries it out
    #[arg(long, value_name = "ID")]
    pub(crate) resolve: Option<String>,

    /// Whose row counts
    #[arg(long, value_name = "SIDE", requires = "resolve", value_parser = side)]
    pub(crate) take: Option<Side>,

    /// Whose value counts in a column of the target; may be repeated, and the source's count in all others
    #[arg(long, value_name = "COLUMN=SIDE", requires = "resolve", conflicts_with = "take", value_parser = field_side)]
    pub(crate) field: Vec<(String, Side)>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The URL of a database (with a slash at its end) or of a table
    pub(crate) url: String,

    /// Accept a table that has changed as it is now, so that definitions that it stopped run again
    #[arg(long)]
    pub(crate) accept: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// Only runs from this source …
    #[arg(requires = "dst")]
    pub(crate) src: Option<OsString>,

    /// … to this destination
    pub(crate) dst: Option<OsString>,
}

/// Which way changes flow. Which of them a pair of places knows shows when they are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As folders have it; `mirror` is the same for tables.
    Files(SyncMode),
    /// The word of tables for `mirror`.
    Push,
    /// Both ways, as tables have it.
    TwoWay,
    /// To a table in which nothing is deleted.
    Archive,
}

impl Mode {
    pub(crate) fn of_files(self) -> portbook::Result<SyncMode> {
        match self {
            Self::Files(mode) => Ok(mode),
            Self::Push | Self::TwoWay | Self::Archive => {
                Err(usage("sync folders", "they know mirror, bidirectional and selective"))
            }
        }
    }

    pub(crate) fn of_rows(self) -> portbook::Result<RecordMode> {
        match self {
            Self::Push | Self::Files(SyncMode::Mirror) => Ok(RecordMode::OneWayPush),
            Self::TwoWay | Self::Files(SyncMode::Bidirectional) => Ok(RecordMode::TwoWay),
            Self::Archive => Ok(RecordMode::ArchiveOnly),
            Self::Files(SyncMode::Selective) => Err(usage("sync tables", "they know mirror, two-way and archive")),
        }
    }
}

/// Who wins when both sides changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// As folders have it.
    Files(ConflictPolicy),
    /// Nobody: rows wait for a person.
    Manual,
}

impl Conflict {
    pub(crate) fn of_files(self) -> portbook::Result<ConflictPolicy> {
        match self {
            Self::Files(policy) => Ok(policy),
            Self::Manual => Err(usage("sync folders", "`--conflict manual` is for tables")),
        }
    }

    pub(crate) fn of_rows(self) -> portbook::Result<RecordPolicy> {
        match self {
            Self::Files(ConflictPolicy::SourceWins) => Ok(RecordPolicy::SourceWins),
            Self::Files(ConflictPolicy::DestinationWins) => Ok(RecordPolicy::DestinationWins),
            Self::Files(ConflictPolicy::LatestWins) => Ok(RecordPolicy::LatestWins),
            Self::Manual => Ok(RecordPolicy::Manual),
            Self::Files(ConflictPolicy::KeepBoth) => {
                Err(usage("sync tables", "a table cannot keep two rows of one key"))
            }
        }
    }
}

fn usage(action: &'static str, reason: &str) -> portbook::Error {
    portbook::Error::new(portbook::Code::Invalid, action, "as the line says").because(reason)
}

/// A side by its name.
fn side(text: &str) -> Result<Side, String> {
    match text {
        "source" => Ok(Side::Left),
        "target" => Ok(Side::Right),
        _ => Err(format!("expected source or target, not '{text}'")),
    }
}

fn field_side(text: &str) -> Result<(String, Side), String> {
    let (column, name) = text.rsplit_once('=').ok_or("expected COLUMN=source or COLUMN=target")?;
    Ok((column.to_owned(), side(name)?))
}

/// A column of the source and one of the target, which has the same name where none is named.
#[allow(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn pair(text: &str) -> Result<(String, String), String> {
    let (source, target) = text.split_once('=').unwrap_or((text, text));
    Ok((source.to_owned(), target.to_owned()))
}

/// The limit of the deletion guard: a number of items or a share of them.
fn max_delete(text: &str) -> Result<MaxDelete, String> {
    let wrong = || format!("expected a number of items or a share such as 10%, not '{text}'");
    match text.strip_suffix('%') {
        Some(share) => match digits(share).ok_or_else(wrong)? {
            share @ 0..=100 => Ok(MaxDelete::Percent(share as u8)),
            _ => Err("a share is at most 100%".into()),
        },
        None => digits(text).map(MaxDelete::Count).ok_or_else(wrong),
    }
}

fn bandwidth(text: &str) -> Result<Bandwidth, String> {
    text.parse().map_err(|e: portbook::Error| e.to_string())
}

/// A number written in digits only: no sign, no space.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn preview_id(text: &str) -> Result<PreviewId, String> {
    text.parse().map(PreviewId).map_err(|_| "expected the id that `portbook preview` printed".into())
}

fn mode() -> impl TypedValueParser<Value = Mode> {
    let words = SyncMode::ALL.iter().map(|mode| mode.as_str()).chain(["push", "two-way", "archive"]);
    PossibleValuesParser::new(words).try_map(|text| match text.as_str() {
        "push" => Ok(Mode::Push),
        "two-way" => Ok(Mode::TwoWay),
        "archive" => Ok(Mode::Archive),
        other => SyncMode::parse(other).map(Mode::Files),
    })
}

fn verify_mode() -> impl TypedValueParser<Value = VerifyMode> {
    PossibleValuesParser::new(VerifyMode::ALL.iter().map(|v| v.as_str())).try_map(|text| VerifyMode::parse(&text))
}

fn conflict() -> impl TypedValueParser<Value = Conflict> {
    let words = ConflictPolicy::ALL.iter().map(|policy| policy.as_str()).chain(["manual"]);
    PossibleValuesParser::new(words).try_map(|text| match text.as_str() {
        "manual" => Ok(Conflict::Manual),
        other => ConflictPolicy::parse(other).map(Conflict::Files),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(words: &[&str]) -> Sync {
        let line = ["portbook", "sync", "a", "b"].iter().chain(words);
        match Args::try_parse_from(line).expect("the line is valid").command {
            Command::Sync(sync) => sync,
            other => panic!("parsed as {other:?}"),
        }
    }

    fn is_refused(words: &[&str]) -> bool {
        let line = std::iter::once(&"portbook").chain(words);
        Args::try_parse_from(line).is_err_and(|e| e.exit_code() == 2)
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn deletion_limits_are_items_or_a_share() {
        assert_eq!(max_delete("0"), Ok(MaxDelete::Count(0)));
        assert_eq!(max_delete("250"), Ok(MaxDelete::Count(250)));
        assert_eq!(max_delete("10%"), Ok(MaxDelete::Percent(10)));
        assert_eq!(max_delete("100%"), Ok(MaxDelete::Percent(100)));
        for text in ["", "%", "101%", "-1", "1.5%", "ten"] {
            assert!(max_delete(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_option_of_sync_is_understood() {
        let id = "01234567-89ab-7def-8123-456789abcdef";
        let all = sync(&[
            "--mode",
            "bidirectional",
            "--conflict",
            "latest-wins",
            "--include",
            "*.jpg",
            "--include",
            "*.png",
            "--exclude",
            "tmp/**",
            "--exact",
            "--checksum",
            "--preview",
            id,
            "--transfers",
            "8",
            "--bwlimit",
            "10M",
            "--verify",
            "checksum",
            "--max-delete",
            "5%",
            "--yes",
        ]);
        assert_eq!(all.plan.mode, Mode::Files(SyncMode::Bidirectional));
        assert_eq!(all.plan.conflict, Some(Conflict::Files(ConflictPolicy::LatestWins)));
        assert_eq!(all.plan.include, ["*.jpg", "*.png"]);
        assert_eq!(all.plan.exclude, ["tmp/**"]);
        assert!(all.plan.exact && all.plan.checksum && all.yes);
        assert_eq!(all.preview.map(|p| p.to_string()).as_deref(), Some(id));
        assert_eq!(all.transfers.map(NonZeroU16::get), Some(8));
        assert_eq!(all.bwlimit, "10M".parse().ok());
        assert_eq!(all.verify, Some(VerifyMode::Checksum));
        assert_eq!(all.max_delete, Some(MaxDelete::Percent(5)));
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [["--json", "history"], ["history", "--json"]] {
            let args = Args::try_parse_from(["portbook"].iter().chain(&line)).expect("the line is valid");
            assert!(args.json, "{line:?}");
        }
    }

    #[test]
    fn wrong_lines_are_usage_errors() {
        for line in [
            &["sync", "a"][..],
            &["sync", "a", "b", "c"],
            &["sync", "a", "b", "--mode", "pull"],
            &["sync", "a", "b", "--conflict", "coin"],
            &["sync", "a", "b", "--transfers", "0"],
            &["sync", "a", "b", "--preview", "7"],
            &["preview", "a", "b", "--yes"],
            &["verify", "a", "b", "--exact"],
            &["history", "a"],
            &["carry", "a", "b"],
        ] {
            assert!(is_refused(line), "{line:?}");
        }
    }
}
