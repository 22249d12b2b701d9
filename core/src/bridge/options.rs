//! How two tables are kept in step, as whoever connects them says.

use std::time::Duration;

use super::clock::RecordClock;
use super::fields::RecordField;
use super::place::RecordPlace;
use crate::model::{RecordMode, RecordPolicy};

/// How two tables are kept in step.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// What the definition is called; nothing: by both places.
    pub name: Option<String>,
    /// Which way rows go.
    pub mode: RecordMode,
    /// Who wins when a row changed on both sides.
    pub policy: RecordPolicy,
    /// The columns of the source that make a row's key; empty: its primary key.
    pub key: Vec<String>,
    /// How changed rows of the source are found.
    pub cursor: RecordCursor,
    /// The fields that are kept in step; empty: every column that both have by the same name and that the target can be
    /// given.
    pub fields: Vec<RecordField>,
    /// What tells which side changed a row last, where the last change wins; nothing: it cannot be told, and the source's counts.
    pub clock: Option<RecordClock>,
    /// A target that is not there is made, like the source: a list with all its columns at once.
    pub create: bool,
    /// The lists that rows go to instead of the target, by the first of these rules that takes them; empty: all go to the
    /// target.
    pub routes: Vec<RecordRoute>,
}

impl Default for RecordOptions {
    /// A mirror by the primary key of all columns that both have; the source wins.
    fn default() -> Self {
        Self {
            name: None,
            mode: RecordMode::OneWayPush,
            policy: RecordPolicy::SourceWins,
            key: Vec::new(),
            cursor: RecordCursor::FullScan,
            fields: Vec::new(),
            clock: None,
            create: false,
            routes: Vec::new(),
        }
    }
}

/// A rule that sends rows to a list of their own.
#[derive(Clone, Debug)]
pub struct RecordRoute {
    /// Which rows it takes: a condition over the columns of the source (`docs/expressions.md`).
    pub condition: String,
    /// The list.
    pub target: RecordPlace,
}

/// How changed rows of the source are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCursor {
    /// By reading them all.
    FullScan,
    /// By a column that every change moves on: only rows after the last one seen are read. Rows that are deleted do not show
    /// in it; a preview with `full_scan` finds them. Where the clock of the source has not come to the cursor yet, since it was
    /// set back or a row is from the future, everything is read; of times without a zone nobody can tell.
    Column {
        /// The column.
        column: String,
        /// How far back is read again: at least as long as a transaction takes to commit, where the database cannot tell which ones are
        /// under way (all but PostgreSQL).
        overlap: Duration,
    },
    /// By what the database itself tells, deletions included: the log of PostgreSQL (which keeps a replication slot for the
    /// definition; `wal_level = logical`), that of MySQL and MariaDB (`binlog_format = ROW`, `binlog_row_image = FULL`), the
    /// Change Tracking of SQL Server. What is too old to be told is read as a whole.
    Log,
}

impl RecordCursor {
    /// By a column, with the usual overlap of two minutes.
    pub fn column(name: impl Into<String>) -> Self {
        Self::Column { column: name.into(), overlap: Duration::from_secs(120) }
    }
}
