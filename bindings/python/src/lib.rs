//! Portbook for Python: the handles of the border, each call in a blocking form and in one for asyncio. There is no rule of
//! its own here; the records, their constructors and the errors come from the border.

mod arguments;
mod book;
mod calls;
mod conduit;
mod definition;
mod host;
mod later;
mod preview;
mod run;
mod session;
mod volume;
mod waiting;

use pyo3::prelude::*;

/// The native part of `portbook`, which re-exports it.
#[pymodule]
mod _portbook {
    use portbook_ffi::caught;
    use portbook_ffi::python::{Arg, raised};
    use pyo3::prelude::*;

    use crate::arguments::Blob;

    #[pymodule_export]
    use crate::book::{Book, BookCopy};
    #[pymodule_export]
    use crate::conduit::Conduit;
    #[pymodule_export]
    use crate::definition::Definition;
    #[pymodule_export]
    use crate::host::{HostKeys, HostRecords, HostStore};
    #[pymodule_export]
    use crate::preview::Preview;
    #[pymodule_export]
    use crate::run::{ProgressWatch, Run};
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::volume::{FileReader, Volume};
    #[pymodule_export]
    use portbook_ffi::records::{
        Access, Activity, ActivityFilter, ActivityPage, AgreedItem, AppliedItem, ApplyOptions, Argon2Cost,
        AutoPathStrategy, BookOptions, Change, ChangeAction, ChangeFilter, ChangeKind, ChangePage, Choice, ColumnInfo,
        ColumnShape, ConduitOptions, Conflict, ConflictPolicy, ConstraintShape, ConstraintType, CopyProgress,
        CopyReport, Counts, DatumKind, DefinitionDrift, Deletion, Difference, DifferenceKind, Drift, DriftEffect,
        Driver, ErrorCode, ErrorFilter, ErrorPage, ExpiredActivity, FieldDirection, FieldValues, FileAt, FileFilter,
        FileLink, FilePage, Filters, Finding, GenerationSummary, Guard, Holding, HostAnswer, HostColumn, HostEntry,
        HostKind, HostOptions, HostRecordOptions, HostRequest, HostTable, IndexShape, Inspection, Introspection,
        ItemFailure, ItemKind, KeyAction, KeyOptions, KeyRequest, ListAccess, ListInfo, NameClash, Namespace, NewFile,
        NewUser, Pin, Place, PostgresOptions, PreviewFilter, PreviewOptions, PreviewPage, PreviewState, PreviewSummary,
        PreviewedRow, PreviewedRowPage, ProgressFilter, ProgressPage, ReconcileStatus, RecordAnswer, RecordClock,
        RecordCursor, RecordField, RecordMode, RecordOptions, RecordPlace, RecordPolicy, RecordRequest, RecordRoute,
        RecordTarget, Resolution, RowAction, RowApplyOptions, RowChoice, RowConflict, RowDifference, RowDifferenceKind,
        RowFilter, RowInspection, RowPage, RowPreview, RowPreviewOptions, RowVerifyReport, RunEvent, RunPhase,
        RunProgress, RunReport, SavedVolume, SchemaChange, SchemaChangeKind, SeenItem, SelectionRule, SharedLink, Side,
        SkipCause, StorageVolume, StoredFile, StoredPreview, StoredProgress, SyncAction, SyncEntityType, SyncError,
        SyncErrorType, SyncMode, SyncStatus, SyncType, TableDrift, TableEntry, TableInfo, TableShape, TableType,
        Tenant, TlsMode, Trouble, UnitAccount, UnitBudget, Upkeep, Usage, User, ValueKind, Verify, VerifyOptions,
        VerifyReport, VersioningMode, WaitReason, WriteOutcome, WrittenRow,
    };
    #[pymodule_export]
    use portbook_ffi::{CodeInfo, ErrorClass};

    /// The version of the library.
    #[pyfunction]
    fn version() -> String {
        portbook_ffi::version()
    }

    /// Every code, in the order of its number.
    #[pyfunction]
    fn codes() -> Vec<CodeInfo> {
        portbook_ffi::codes()
    }

    /// Every table whose rows hosts read and write.
    #[pyfunction]
    fn tables() -> Vec<portbook_ffi::records::TableInfo> {
        portbook_ffi::tables()
    }

    /// The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem.content`.
    #[pyfunction]
    fn content_hash(py: Python<'_>, bytes: Arg<Blob>) -> PyResult<String> {
        let hashed = py.detach(|| caught(|| Ok(portbook_ffi::content_hash(bytes.0.0))));
        hashed.map_err(|error| raised(py, &error))
    }

    /// How a path beneath a root is shown, and named in calls: a byte that is no UTF-8 is `\\xNN`, the backslash
    /// doubled, a control character escaped; the root is `.`. Of a `str`, give `os.fsencode` of it.
    ///
    /// Errors: `invalid` when no path beneath a root has such bytes.
    #[pyfunction]
    fn show_path(py: Python<'_>, bytes: Arg<Blob>) -> PyResult<String> {
        caught(|| portbook_ffi::show_path(bytes.0.0)).map_err(|error| raised(py, &error))
    }

    /// The bytes of a path that is shown so, separated by `/`; none for the root.
    ///
    /// Errors: `invalid` when no path is shown so.
    #[pyfunction]
    fn path_bytes(py: Python<'_>, shown: Arg<String>) -> PyResult<Vec<u8>> {
        caught(|| portbook_ffi::path_bytes(shown.0)).map_err(|error| raised(py, &error))
    }

    /// A URL as the engine writes it: the same for all ways to write the same place.
    ///
    /// Errors: `invalid` when it is no place, or holds a secret.
    #[pyfunction]
    fn show_address(py: Python<'_>, url: Arg<String>) -> PyResult<String> {
        caught(|| portbook_ffi::show_address(url.0)).map_err(|error| raised(py, &error))
    }

    #[pymodule_init]
    fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::later::end_with_the_interpreter(module.py())
    }
}
