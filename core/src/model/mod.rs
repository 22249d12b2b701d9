//! Typed rows and enumerations of every table, one file per spec, and the plain values the engine speaks of.
//! Pure: nothing here does I/O, reads a clock or draws a random number.

mod ids;
mod ledger;
mod node;
mod path;
mod storage_volumes;
mod sync_conduits;
mod sync_operations;
mod text_enum;

pub use ids::{ConduitId, Moment, PreviewId, TenantId, UserId, VolumeId};
pub use ledger::{TransferSession, TransferState};
pub use node::{Entry, Held, Ident, Kind, Node, Pair, PairId, Side, Sides, Timestamp, Token};
pub use path::{Name, RelPath};
pub(crate) use path::{escaped, shown};
pub use storage_volumes::{
    AutoPathStrategy, Driver, EntryKind, EntryRow, LocalPath, ObservedState, StorageVolume, VersioningMode,
};
pub use sync_conduits::{
    Conduit, Conflict, ConflictPolicy, Generation, GenerationStatus, IndexMode, NameClash, Pin, Resolution, Schedule,
    SelectionRule, SyncMode, VerificationStatus, Verify,
};
pub use sync_operations::{
    Activity, Outcome, PreviewChange, PreviewRow, PreviewState, Progress, SyncAction, SyncEntityType, SyncError,
    SyncErrorType, SyncStatus, SyncType,
};
