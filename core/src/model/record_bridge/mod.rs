//! Rows and enumerations of record sync: databases, SharePoint, definitions, and what their runs leave behind.

mod definition;
mod inventory;
mod ledger;
mod runs;
mod sharepoint;

pub use definition::{
    CursorStrategy, FieldDirection, FieldMapping, KeyStrategy, RecordMode, RecordPolicy, SyncDefinition, SyncKeyColumn,
    SyncSource, SyncTarget, TargetStrategy,
};
pub use inventory::{
    Application, ApplicationStatus, ConstraintType, Database, DatabaseInstance, DatabaseTable, DbType, Environment,
    InstanceRole, IntrospectionRun, IntrospectionStatus, SchemaSnapshot, SourceTableMetric, TableColumn,
    TableConstraint, TableIndex, TableType, UseStatus,
};
pub use ledger::{LedgerRow, LedgerState, Provenance};
pub use runs::{
    CursorScope, CursorType, EventSeverity, ReconcileStatus, RunStatus, RunType, SyncCursor, SyncEvent, SyncMetric,
    SyncRun,
};
pub use sharepoint::{SharepointColumn, SharepointConnection, SharepointList, SharepointSite, TargetListMetric};
