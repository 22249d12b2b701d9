//! The walk over both trees and the ledger.

use std::collections::HashMap;
use std::sync::Arc;

use super::change::Change;
use crate::identity::ContentHash;
use crate::model::{ConflictPolicy, Entry, Name, Pair, PairId, RelPath, Sides, SyncMode};

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
}

/// Everything a reconciliation depends on beside the three trees.
#[derive(Clone)]
pub struct Settings {
    /// What the conduit does.
    pub mode: SyncMode,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
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
}

/// What a side shows of a directory. The text of a reason is the other side's own words.
#[derive(Clone, Debug)]
pub enum DirSeen {
    /// All of it.
    Complete(Vec<Entry>),
    /// Some of it; what is not listed is unknown.
    Partial(Vec<Entry>, String),
    /// It is not there, definitely.
    Absent,
    /// Nothing is known of it.
    Unknown(String),
}

/// A directory the reconciler wants to see.
#[derive(Clone, Debug)]
pub struct Task {
    /// The ledger's pair whose children are the base; `None` when the ledger does not know the directory.
    pub pair: Option<PairId>,
    /// Where each side has it now; `None`: there is no directory to list on that side (feed [`DirSeen::Absent`]).
    pub at: Sides<Option<RelPath>>,
    // the implementer adds private fields: agreed path, overlay, what was decided for the directory …
}

/// A directory as it was seen, not yet reconciled.
pub struct Observed {
    /// What was asked.
    pub task: Task,
    /// The ledger's rows whose parent is the pair, ordered by name.
    pub base: Vec<Pair>,
    /// What each side shows.
    pub seen: Sides<DirSeen>,
    /// Hashes that [`Observed::wanted`] asked for, by the item's name on that side. `Err` holds the other side's words.
    pub hashes: Sides<HashMap<Name, Result<ContentHash, String>>>,
}

/// Counts of a finished walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pairs that are equal and need nothing.
    pub unchanged: u64,
    // the implementer adds what the guards need: base rows, deletions per side, overwrites, shrinks, root children …
}

/// What the end of a walk brings.
#[derive(Debug)]
pub enum Finish {
    /// The changes given since the last `Again` are the plan.
    Plan(Tally),
    /// Hash these files on these sides and call [`Reconciler::pair_by_content`].
    Hash(Sides<Vec<RelPath>>),
    /// Moves were found: forget every change given so far and feed the directories again from the root.
    Again,
}

/// The state machine.
pub struct Reconciler {
    _settings: Settings,
}

impl Reconciler {
    /// A walk that begins at the two roots.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { _settings: settings }
    }

    /// The next directory to see, depth first; `None` when none is known until more is observed.
    pub fn next_task(&mut self) -> Option<Task> {
        None
    }

    /// Takes in a directory and appends what is decided. Directories are observed in the order of `next_task`.
    pub fn observe(&mut self, _observed: Observed, _out: &mut Vec<Change>) {}

    /// Ends a walk once every task was observed; may append changes.
    pub fn finish(&mut self, _out: &mut Vec<Change>) -> Finish {
        Finish::Again
    }

    /// The hashes that [`Finish::Hash`] asked for. Call [`finish`](Self::finish) again.
    pub fn pair_by_content(&mut self, _hashes: Sides<HashMap<RelPath, Result<ContentHash, String>>>) {}
}

impl Observed {
    /// The files whose content must be known before [`Reconciler::observe`], by their path on each side. Pure, so that
    /// many directories can be prepared in parallel.
    #[must_use]
    pub fn wanted(&self, _settings: &Settings) -> Sides<Vec<RelPath>> {
        Sides::default()
    }
}
