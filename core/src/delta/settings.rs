//! Everything a reconciliation depends on beside the three trees.

use std::sync::Arc;

use super::decision::Decisions;
use crate::model::{ConflictPolicy, NameClash, PairId, RelPath, Sides, SyncMode};

/// What a side can hold; see the provider's capabilities of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideRules {
    /// Names that differ only in case are the same name.
    pub case_insensitive: bool,
    /// Names that differ only in normalisation are the same name.
    pub unicode_insensitive: bool,
    /// Names follow the rules of Windows.
    pub windows_names: bool,
    /// Names must be valid UTF-8.
    pub unicode_names: bool,
    /// The longest name in bytes.
    pub max_name_bytes: usize,
    /// Permission bits are carried to this side.
    pub mode: bool,
    /// Modified times are carried to this side.
    pub set_mtime: bool,
    /// Symbolic links can be held.
    pub symlinks: bool,
    /// The granularity of its modified times in nanoseconds.
    pub time_precision_ns: u64,
}

/// Which items take part.
pub trait Scope: Send + Sync {
    /// Whether the filter lets the item take part. Asked of directories before what they hold.
    fn includes(&self, path: &RelPath, is_dir: bool) -> bool;

    /// Selective mode: whether the target should hold the file.
    fn selects(&self, path: &RelPath) -> bool;

    /// Whether [`includes`](Self::includes) can say no, so that a walk without a filter builds no paths.
    fn has_filter(&self) -> bool {
        true
    }
}

/// Everything a reconciliation depends on beside the three trees.
#[derive(Clone)]
pub struct Settings {
    /// What the conduit does.
    pub mode: SyncMode,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
    /// What becomes of names that one side cannot hold or cannot tell apart.
    pub name_clash: NameClash,
    /// Mirror mode: what the ledger never knew at the target is removed there.
    pub exact: bool,
    /// Hash every file on both sides, whatever the tokens say.
    pub checksum: bool,
    /// What each side can hold.
    pub rules: Sides<SideRules>,
    /// Which items take part.
    pub scope: Arc<dyn Scope>,
    /// Stands in the names of conflict copies: UTC time such as `2026-11-21 064500`.
    pub stamp: String,
    /// Known skew of the two clocks plus tolerance for *latest wins*, in nanoseconds; at least 2 s is used.
    pub tolerance_ns: u64,
    /// The last run of this conduit did not end cleanly: empty or shorter files with an old time are suspect.
    pub unclean_stop: bool,
    /// The first number for pairs that are new.
    pub first_new_pair: PairId,
    /// How many vanished or appeared items a side may keep in memory for pairing moves.
    pub move_limit: usize,
    /// What waits for a person, and what was decided of it.
    pub decisions: Arc<Decisions>,
}
