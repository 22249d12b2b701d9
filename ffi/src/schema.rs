//! The JSON schema of every record: what the JSON of the C ABI is, for other generators.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::records::*;
use crate::{CodeInfo, ErrorClass};

macro_rules! all {
    ($generator:ident: $($name:ident)*) => { $($generator.subschema_for::<$name>();)* };
}

/// A document whose `$defs` are the records by their names.
#[must_use]
pub fn schema() -> Value {
    let mut generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    all! { generator:
        Access Activity ActivityFilter ActivityPage AgreedItem AppliedItem ApplyOptions Argon2Cost AutoPathStrategy
        BookOptions Change ChangeAction ChangeFilter ChangeKind ChangePage Choice CodeInfo ColumnInfo ColumnShape
        ConduitOptions Conflict ConflictPolicy ConstraintShape ConstraintType CopyProgress CopyReport Counts DatumKind
        DefinitionDrift Deletion Difference DifferenceKind Drift DriftEffect Driver ErrorClass ErrorCode ErrorFilter
        ErrorPage ExpiredActivity FieldDirection FieldValues FileAt FileFilter FileLink FilePage Filters Finding
        GenerationSummary Guard Holding HostAnswer HostColumn HostEntry HostKind HostOptions HostRecordOptions HostRequest
        HostTable IndexShape Inspection Introspection ItemFailure ItemKind KeyAction KeyOptions KeyRequest ListAccess
        ListInfo NameClash Namespace NewFile NewUser Pin Place PostgresOptions PreviewFilter PreviewOptions PreviewPage
        PreviewState PreviewSummary PreviewedRow PreviewedRowPage ProgressFilter ProgressPage ReconcileStatus RecordAnswer
        RecordClock RecordCursor RecordField RecordMode RecordOptions RecordPlace RecordPolicy RecordRequest RecordRoute
        RecordTarget Resolution RowAction RowApplyOptions RowChoice RowConflict RowDifference RowDifferenceKind RowFilter
        RowInspection RowPage RowPreview RowPreviewOptions RowVerifyReport RunEvent RunPhase RunProgress RunReport
        SavedVolume SchemaChange SchemaChangeKind SeenItem SelectionRule SharedLink Side SkipCause StorageVolume StoredFile
        StoredPreview StoredProgress SyncAction SyncEntityType SyncError SyncErrorType SyncMode SyncStatus SyncType
        TableDrift TableEntry TableInfo TableShape TableType Tenant TlsMode Trouble UnitAccount UnitBudget Upkeep Usage User
        ValueKind Verify VerifyOptions VerifyReport VersioningMode WaitReason WriteOutcome WrittenRow
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Records of Portbook",
        "$defs": generator.take_definitions(true),
    })
}
