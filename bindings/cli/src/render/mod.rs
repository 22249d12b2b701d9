//! What a person or a program gets to see.
//!
//! A program gets one JSON object on standard output. A person gets a table and a summary there, and progress, questions
//! and complaints on standard error. Nothing here knows the engine: the values are plain and filled by `commands`.

mod json;
mod progress;
mod quantity;
mod style;
mod table;

use std::io::Write;

use portbook::delta::ChangeKind;
use serde::Serialize;

pub(crate) use json::{write_counts, write_preview};
pub(crate) use progress::Progress;
pub(crate) use style::Style;
pub(crate) use table::{write_change, write_summary};

/// The counts of a run or of a preview. The names and their order are the contract of `--json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Items that one side did not have.
    pub(crate) new: u64,
    /// Items whose content or metadata was carried over an older state.
    pub(crate) updated: u64,
    /// Items that were removed from a side.
    pub(crate) deleted: u64,
    /// Items that were renamed or moved on a side.
    pub(crate) moved: u64,
    /// Conflicts, resolved or waiting.
    pub(crate) conflicts: u64,
    /// Items that are equal on both sides.
    pub(crate) unchanged: u64,
    /// Items that were seen and left alone.
    pub(crate) skipped: u64,
    /// Items that could not be carried.
    pub(crate) failed: u64,
    /// Bytes carried, or to be carried.
    pub(crate) bytes: u64,
    /// The number of the run; 0 for a preview.
    pub(crate) generation: i64,
    /// How long it took, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

impl Counts {
    /// Whether there was nothing to do: `unchanged` and `skipped` only say what was seen.
    pub(crate) fn is_quiet(&self) -> bool {
        let Self {
            new,
            updated,
            deleted,
            moved,
            conflicts,
            unchanged: _,
            skipped: _,
            failed,
            bytes,
            generation: _,
            elapsed_ms: _,
        } = self;
        [new, updated, deleted, moved, conflicts, failed, bytes].iter().all(|n| **n == 0)
    }
}

/// One line of a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeLine {
    /// The path, already escaped for display.
    pub(crate) path: String,
    /// How it is counted.
    pub(crate) kind: ChangeKind,
    /// What is done, or why nothing is.
    pub(crate) action: String,
    /// Bytes to be carried.
    pub(crate) bytes: u64,
}

/// Says on standard error what went wrong, with the stable code.
pub(crate) fn complain_of(error: &portbook::Error) {
    complain(format_args!("{error} [{}]", error.code().as_str()));
}

/// Says something on standard error.
pub(crate) fn complain(words: impl std::fmt::Display) {
    // When standard error is gone, nobody is left to tell.
    let _ = writeln!(std::io::stderr(), "portbook: {words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_quiet_when_only_seen_items_are_counted() {
        let seen = Counts { unchanged: 9, skipped: 2, generation: 3, elapsed_ms: 40, ..Counts::default() };
        assert!(seen.is_quiet());
        assert!(!Counts { failed: 1, ..seen.clone() }.is_quiet());
        assert!(!Counts { bytes: 1, ..seen }.is_quiet());
    }
}
