//! Portbook for Python: the handles of the border, each call in a blocking form and in one for asyncio. There is no rule of
//! its own here; the records, their constructors and the errors come from the border.

mod arguments;
mod book;
mod calls;
mod conduit;
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
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::book::{Book, BookCopy};
    #[pymodule_export]
    use crate::conduit::Conduit;
    #[pymodule_export]
    use crate::host::{HostKeys, HostStore};
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
        ConduitOptions, Conflict, ConflictPolicy, CopyProgress, CopyReport, Counts, Deletion, Difference,
        DifferenceKind, Driver, ErrorCode, ErrorFilter, ErrorPage, ExpiredActivity, FileAt, FileFilter, FileLink,
        FilePage, Filters, Finding, GenerationSummary, Guard, Holding, HostAnswer, HostEntry, HostKind, HostOptions,
        HostRequest, Inspection, ItemFailure, ItemKind, KeyAction, KeyOptions, KeyRequest, ListInfo, NameClash,
        Namespace, NewFile, NewUser, Pin, Place, PostgresOptions, PreviewFilter, PreviewOptions, PreviewPage,
        PreviewState, PreviewSummary, ProgressFilter, ProgressPage, Resolution, RowPage, RunEvent, RunPhase,
        RunProgress, RunReport, SavedVolume, SeenItem, SelectionRule, SharedLink, Side, SkipCause, StorageVolume,
        StoredFile, StoredPreview, StoredProgress, SyncAction, SyncEntityType, SyncError, SyncErrorType, SyncMode,
        SyncStatus, SyncType, TableInfo, Tenant, TlsMode, Trouble, Upkeep, Usage, User, ValueKind, Verify,
        VerifyOptions, VerifyReport, VersioningMode, WaitReason,
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

    #[pymodule_init]
    fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::later::end_with_the_interpreter(module.py())
    }
}
