//! Typed rows and enumerations of every table, one file per spec, and the plain values the engine speaks of.
//! Pure: nothing here does I/O, reads a clock or draws a random number.

mod ids;
mod ledger;
mod node;
mod path;
mod record;
mod rows;
mod storage_volumes;
mod sync_conduits;
mod sync_operations;
mod table;
mod tenancy;
mod text_enum;
mod value;

pub use ids::{ConduitId, Moment, PreviewId, TenantId};
pub use ledger::{TransferSession, TransferState};
pub use node::{Entry, Held, Ident, Kind, Node, Pair, PairId, Side, Sides, Timestamp, Token};
pub use path::{Name, RelPath};
pub(crate) use path::{escaped, shown};
#[doc(hidden)]
pub use record::join_texts;
pub(crate) use record::record;
pub use record::{Column, Record};
pub use rows::{Row, Rows};
pub use storage_volumes::{
    AutoPathStrategy, Driver, EntryKind, EntryRow, LocalPath, ObservedState, StorageVolume, VersioningMode, VolumeId,
};
pub use sync_conduits::{
    Conduit, Conflict, ConflictPolicy, Generation, GenerationStatus, IndexMode, NameClash, Pin, Resolution, Schedule,
    SelectionRule, SyncMode, VerificationStatus, Verify, WaitReason,
};
pub use sync_operations::{
    Activity, Outcome, PreviewChange, PreviewRow, PreviewState, Progress, SyncAction, SyncEntityType, SyncError,
    SyncErrorType, SyncStatus, SyncType,
};
pub use table::{ColumnInfo, Deletion, Id, Json, ListInfo, Rule, Stored, Table, TableInfo, ValueKind};
pub use tenancy::{User, UserId};
pub use value::Value;

/// Every table that hosts read and write through [`Session::rows`](crate::Session::rows).
pub const TABLES: &[&TableInfo] = &[&User::INFO, &StorageVolume::INFO, &LocalPath::INFO];
