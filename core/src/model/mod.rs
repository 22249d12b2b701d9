//! Typed rows and enumerations of every table, one file per spec, and the plain values the engine speaks of.
//! Pure: nothing here does I/O, reads a clock or draws a random number.

mod cloud_connections;
mod datum;
mod decimal;
mod ids;
mod ledger;
mod node;
mod path;
mod record;
mod record_bridge;
mod rows;
mod secret;
mod storage_volumes;
mod sync_conduits;
mod sync_operations;
mod table;
mod tenancy;
mod text_enum;
mod value;
mod vault;

pub use cloud_connections::{
    CloudConnection, CloudFile, CloudFileType, CloudFolder, CloudProviderType, CloudSharedLink, CloudSyncJob,
    ConnectionStatus, FileSyncStatus, FolderPermissions, FolderType, JobStatus, JobType, ShareType, SharedResource,
};
pub(crate) use datum::widened;
pub use datum::{Binary64, Datum, DatumKind, Interval, Tick, Unreal};
pub(crate) use decimal::stripped as stripped_digits;
pub use decimal::{Decimal, NotDecimal};
pub use ids::{ConduitId, Moment, PreviewId, TenantId};
pub use ledger::{TransferSession, TransferState};
pub use node::{Entry, Held, Ident, Kind, Node, Pair, PairId, Side, Sides, Timestamp, Token};
pub use path::{Name, RelPath};
pub(crate) use path::{escaped, shown};
#[doc(hidden)]
pub use record::join_texts;
pub(crate) use record::record;
pub use record::{Column, Record};
pub use record_bridge::{
    Application, ApplicationStatus, ConstraintType, CursorScope, CursorStrategy, CursorType, Database,
    DatabaseInstance, DatabaseTable, DbType, Environment, EventSeverity, FieldDirection, FieldMapping, InstanceRole,
    IntrospectionRun, IntrospectionStatus, KeyStrategy, LedgerRow, LedgerState, Provenance, ReconcileStatus,
    RecordMode, RecordPolicy, RunStatus, RunType, SchemaSnapshot, SharepointColumn, SharepointConnection,
    SharepointList, SharepointSite, SourceTableMetric, SyncCursor, SyncDefinition, SyncEvent, SyncKeyColumn,
    SyncMetric, SyncRun, SyncSource, SyncTarget, TableColumn, TableConstraint, TableIndex, TableType, TargetListMetric,
    TargetStrategy, UseStatus,
};
pub use rows::{Row, Rows};
pub use secret::{Secret, SecretBytes};
pub use storage_volumes::{
    AppQuota, AutoPathStrategy, Driver, EntryKind, EntryRow, FtpEndpoint, FtpProtocol, FtpsMode, HttpAuthType,
    HttpCredential, HttpEndpoint, LocalPath, Namespace, ObservedState, QuotaReservation, S3Bucket, S3Credential,
    StorageVolume, StoredFile, UserQuota, VersioningMode, VolumeId,
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
pub use tenancy::{Tenant, User, UserId};
pub(crate) use value::Unsealed;
pub use value::Value;
pub use vault::{DataKey, KeyKind, VaultKey};

/// Every table that hosts read and write through [`Session::rows`](crate::Session::rows).
pub const TABLES: &[&TableInfo] = &[
    &User::INFO,
    &StorageVolume::INFO,
    &LocalPath::INFO,
    &UserQuota::INFO,
    &AppQuota::INFO,
    &QuotaReservation::INFO,
    &S3Bucket::INFO,
    &S3Credential::INFO,
    &HttpEndpoint::INFO,
    &HttpCredential::INFO,
    &FtpEndpoint::INFO,
    &StoredFile::INFO,
    &CloudConnection::INFO,
    &CloudFolder::INFO,
    &CloudSyncJob::INFO,
    &CloudFile::INFO,
    &CloudSharedLink::INFO,
    &Application::INFO,
    &Database::INFO,
    &DatabaseInstance::INFO,
    &DatabaseTable::INFO,
    &TableColumn::INFO,
    &TableConstraint::INFO,
    &TableIndex::INFO,
    &SourceTableMetric::INFO,
    &IntrospectionRun::INFO,
    &SchemaSnapshot::INFO,
    &SharepointConnection::INFO,
    &SharepointSite::INFO,
    &SharepointList::INFO,
    &TargetListMetric::INFO,
    &SharepointColumn::INFO,
    &SyncDefinition::INFO,
    &SyncTarget::INFO,
    &SyncSource::INFO,
    &SyncKeyColumn::INFO,
    &FieldMapping::INFO,
    &SyncRun::INFO,
    &SyncEvent::INFO,
    &SyncCursor::INFO,
    &SyncMetric::INFO,
];
