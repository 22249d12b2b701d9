//! What is written, and what became of it.

use std::sync::Arc;

use super::TableName;
use crate::error::{Error, Result};
use crate::identity::{RowBatch, RowHash, RowRef};

/// Rows to write. All of one batch name the same columns.
#[derive(Clone, Debug)]
pub struct WriteBatch {
    /// The table.
    pub table: TableName,
    /// The columns of the key, in its order.
    pub key: Vec<String>,
    /// What is done.
    pub action: RowAction,
}

/// What is done to the rows of a batch.
#[derive(Clone, Debug)]
pub enum RowAction {
    /// They are made. One whose key (or marker) is there already is [`RowOutcome::Exists`].
    Insert {
        /// The columns that are given.
        columns: Vec<String>,
        /// Their values.
        rows: RowBatch,
    },
    /// They are changed in the columns that are named.
    Update {
        /// Their keys.
        keys: RowBatch,
        /// The columns that are given.
        columns: Vec<String>,
        /// Their values, row by row beside the keys.
        rows: RowBatch,
        /// What has to hold for it.
        expect: Expect,
    },
    /// They are taken out. One that is not there is [`RowOutcome::Gone`].
    Delete {
        /// Their keys.
        keys: RowBatch,
        /// What has to hold for it.
        expect: Expect,
    },
}

/// What has to hold for a row to be written.
#[derive(Clone)]
pub enum Expect {
    /// Nothing.
    Any,
    /// It has this version, row by row; nothing: any.
    Versions(Vec<Option<String>>),
    /// What it holds hashes to this.
    Content(ContentGuard),
}

impl std::fmt::Debug for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Versions(versions) => f.debug_tuple("Versions").field(versions).finish(),
            Self::Content(guard) => f.debug_tuple("Content").field(&guard.columns).finish(),
        }
    }
}

/// Rows are written only if what they hold, read and written in one transaction, still hashes to what was compared.
#[derive(Clone)]
pub struct ContentGuard {
    /// The columns that are read.
    pub columns: Vec<String>,
    /// The hash of a row with these values.
    pub hash: Arc<dyn Fn(RowRef<'_>) -> Result<RowHash> + Send + Sync>,
    /// What it has to be, row by row; nothing: anything.
    pub expected: Vec<Option<RowHash>>,
}

/// What became of one row of a batch.
#[derive(Clone, Debug)]
pub enum RowOutcome {
    /// It is written.
    Written {
        /// Its key, encoded, where the store gave it.
        key: Option<Vec<u8>>,
        /// Its version, where rows have one.
        version: Option<String>,
    },
    /// One with that key or marker is there already; nothing was written.
    Exists,
    /// There is none with that key; nothing was written.
    Gone,
    /// It is no longer the row that was compared; nothing was written.
    Changed,
    /// The store refuses this row; nothing was written. `conflict`: another row has what no two rows may have, and the place
    /// may become free.
    Refused(Error),
    /// No answer came, or one that does not say: it may be written or not.
    Unknown(Error),
}

impl RowAction {
    /// How many rows it is about.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Insert { rows, .. } => rows.len(),
            Self::Update { keys, .. } | Self::Delete { keys, .. } => keys.len(),
        }
    }

    /// Whether it is about none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
