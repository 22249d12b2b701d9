//! The records that cross the border: flat, owned, without generics. What of the public API each stands for is said where it
//! is converted.
//!
//! - Whole numbers are `i64` below 2^53, as not every host has larger ones; what is larger is refused, or shown as 2^53 - 1.
//! - Ids, hashes and cursors are text, times ISO 8601 in UTC, paths as they are displayed: `\xNN` for what is not UTF-8, the
//!   backslash doubled, control characters escaped. The same text names the item in a call.
//! - Inputs refuse fields that they do not know, and every field that may be left out has a default. Outputs may gain fields.
//! - No output holds a secret, but where that is what was asked for ([`FileLink`]).

mod book;
mod book_core;
mod conduit;
mod conflict;
mod definition;
mod definition_core;
mod drift;
mod history;
mod host;
mod host_records;
mod operation;
mod operation_core;
mod place;
mod preview;
mod record_place;
mod row_conflict;
mod run;
mod shape;
mod table;
mod verify;
mod volume;
mod volume_core;

pub use book::{
    Argon2Cost, BookOptions, CopyProgress, CopyReport, ExpiredActivity, Finding, KeyOptions, NewUser, PostgresOptions,
    Tenant, TlsMode, Trouble, Upkeep, User,
};
pub use conduit::{
    ApplyOptions, ConduitOptions, ConflictPolicy, Filters, NameClash, Pin, PreviewOptions, SelectionRule, SyncMode,
    Verify,
};
pub use conflict::{AgreedItem, Choice, Conflict, Inspection, Resolution, SeenItem, WaitReason};
pub use definition::{
    FieldDirection, PreviewedRow, PreviewedRowPage, ReconcileStatus, RecordClock, RecordCursor, RecordField,
    RecordMode, RecordOptions, RecordPolicy, RecordRoute, RowAction, RowApplyOptions, RowDifference, RowDifferenceKind,
    RowPreview, RowPreviewOptions, RowVerifyReport,
};
pub use drift::{DefinitionDrift, Drift, DriftEffect, Introspection, SchemaChange, SchemaChangeKind, TableDrift};
pub use history::{GenerationSummary, PreviewFilter, PreviewPage, PreviewState, StoredPreview, SyncType};
pub use host::{HostAnswer, HostEntry, HostKind, HostOptions, HostRequest, KeyAction, KeyRequest};
pub use host_records::{
    HostColumn, HostRecordOptions, HostTable, RecordAnswer, RecordRequest, WriteOutcome, WrittenRow,
};
pub use operation::{
    Activity, ActivityFilter, ActivityPage, ErrorFilter, ErrorPage, ProgressFilter, ProgressPage, StoredProgress,
    SyncAction, SyncEntityType, SyncError, SyncErrorType, SyncStatus,
};
pub(crate) use place::address;
pub use place::{Access, Place, SavedVolume};
pub use preview::{
    Change, ChangeAction, ChangeFilter, ChangeKind, ChangePage, Counts, Guard, ItemKind, PreviewSummary, Side,
    SkipCause,
};
pub use record_place::{ListAccess, RecordPlace, RecordTarget, UnitAccount, UnitBudget};
pub(crate) use record_place::{let_in, let_in_at_list};
pub use row_conflict::{FieldValues, RowChoice, RowConflict, RowInspection};
pub(crate) use run::events_of;
pub use run::{AppliedItem, ErrorCode, ItemFailure, RunEvent, RunPhase, RunProgress, RunReport};
pub use shape::{
    ColumnShape, ConstraintShape, ConstraintType, DatumKind, IndexShape, TableEntry, TableShape, TableType,
};
pub use table::{ColumnInfo, Deletion, ListInfo, RowFilter, RowPage, TableInfo, ValueKind};
pub use verify::{Difference, DifferenceKind, VerifyOptions, VerifyReport};
pub use volume::{
    AutoPathStrategy, Driver, FileAt, FileFilter, FileLink, FilePage, Holding, Namespace, NewFile, SharedLink,
    StorageVolume, StoredFile, Usage, VersioningMode,
};

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use portbook::model::{Moment, Name, RelPath};
use portbook::{Code, Error};
use uuid::Uuid;

use crate::error::Result;

/// The largest whole number that every host has.
pub const MOST: i64 = (1 << 53) - 1;

/// Words that the border and the core both have.
macro_rules! same_words {
    ($name:ident = $core:ty { $($word:ident),* $(,)? }) => {
        impl From<$core> for $name {
            fn from(word: $core) -> Self {
                match word { $(<$core>::$word => Self::$word,)* }
            }
        }

        impl From<$name> for $core {
            fn from(word: $name) -> Self {
                match word { $($name::$word => Self::$word,)* }
            }
        }
    };
}
pub(crate) use same_words;

/// A count as it is shown.
pub(crate) fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(MOST).clamp(-MOST, MOST)
}

pub(crate) fn invalid(action: &'static str, subject: impl Display, reason: impl Display) -> Error {
    Error::new(Code::Invalid, action, subject).because(reason)
}

/// A count that a host gives.
pub(crate) fn size(field: &'static str, number: i64) -> Result<u64> {
    match u64::try_from(number) {
        Ok(size) if number <= MOST => Ok(size),
        _ => Err(invalid("read", field, format_args!("{number} is not between 0 and {MOST}")).into()),
    }
}

/// A smaller one.
pub(crate) fn small(field: &'static str, number: i64) -> Result<u32> {
    let wrong = |_| invalid("read", field, format_args!("{number} is not between 0 and {}", u32::MAX));
    Ok(u32::try_from(number).map_err(wrong)?)
}

pub(crate) fn milliseconds(field: &'static str, number: i64) -> Result<Duration> {
    size(field, number).map(Duration::from_millis)
}

/// How many rows a page is to have. The core holds it to 1,000.
pub(crate) fn rows(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

pub(crate) fn time(moment: Moment) -> String {
    date(DateTime::from_timestamp_micros(moment.0).unwrap_or_default())
}

pub(crate) fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(crate) fn date_of(field: &'static str, text: &str) -> Result<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text);
    Ok(read.map(|time| time.to_utc()).map_err(|e| invalid("read the time", field, e))?)
}

pub(crate) fn id_of(field: &'static str, text: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(text).map_err(|_| invalid("read the id", field, "it is none"))?)
}

pub(crate) fn path_of(text: &str) -> Result<RelPath> {
    let none = || invalid("use the path", text.escape_debug(), "it names nothing beneath the root");
    Ok(RelPath::parse_shown(text).ok_or_else(none)?)
}

pub(crate) fn name_of(text: &str) -> Result<Name> {
    let none = || invalid("use the name", text.escape_debug(), "no item can have such a name");
    Ok(Name::parse_shown(text).ok_or_else(none)?)
}

/// Reads an optional text by its type.
pub(crate) fn read<T: FromStr<Err = Error>>(text: Option<String>) -> Result<Option<T>> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

/// What is `None` where the record leaves it out.
pub(crate) fn is(flag: Option<bool>) -> bool {
    flag.unwrap_or(false)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bytes_of(field: &'static str, text: &str) -> Result<Vec<u8>> {
    let wrong = || invalid("read", field, "it is not an even number of hexadecimal digits");
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong().into());
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong().into());
    (0..digits.len()).step_by(2).map(byte).collect()
}
