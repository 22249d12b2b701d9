//! How two tables are kept in step, as whoever connects them says.

use std::time::Duration;

use super::fields::RecordField;
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
    /// A target that is not there is made, like the source: a list with all its columns at once.
    pub create: bool,
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
            create: false,
        }
    }
}

/// How changed rows of the source are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCursor {
    /// By reading them all.
    FullScan,
    /// By a column that every change moves on: only rows after the last one seen are read. Rows that are deleted do not show
    /// in it; a preview with `full_scan` finds them.
    Column {
        /// The column.
        column: String,
        /// How far back is read again: at least as long as a transaction takes to commit, where the database cannot tell which ones are
        /// under way (all but PostgreSQL).
        overlap: Duration,
    },
    /// By the log of the database, which tells of deletions, too. PostgreSQL alone: it keeps a replication slot for the definition,
    /// and `wal_level` has to be `logical`.
    Log,
}

impl RecordCursor {
    /// By a column, with the usual overlap of two minutes.
    pub fn column(name: impl Into<String>) -> Self {
        Self::Column { column: name.into(), overlap: Duration::from_secs(120) }
    }
}
