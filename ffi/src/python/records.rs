//! How Python makes the records that it gives, by keyword, with what may be left out; and how it shows records to people.

use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{PyClass, PyTypeInfo};
use serde::Serialize;

use super::{Arg, raised};
use crate::json;
use crate::records::*;
use crate::{CodeInfo, ErrorClass};

macro_rules! by_keyword {
    ($name:ident $(hides [$($hidden:literal),*])?: $($needed:ident: $kind:ty),* ; $($field:ident: $type:ty),* $(,)?) => {
        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($needed,)* *, $($field = None),*))]
            #[allow(clippy::too_many_arguments, reason = "a record has as many fields as it has")]
            fn new($($needed: Arg<$kind>,)* $($field: Option<Arg<$type>>),*) -> Self {
                Self { $($needed: $needed.0,)* $($field: $field.map(|field| field.0)),* }
            }

            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                shown(slf, &[$($($hidden),*)?])
            }
        }
    };
}

by_keyword!(BookOptions hides ["url"]: ; path: String, url: String, postgres: PostgresOptions, key: KeyOptions, machine: String,
    bandwidth: String, memory_bytes: i64, activity_days: i64, activity_expired: ExpiredActivity);
by_keyword!(PostgresOptions: ; schema: String, connections: i64, tls: TlsMode, ca_file: String, application_role: String,
    allow_bypass: bool, acquire_timeout_ms: i64, connect_timeout_ms: i64, statement_timeout_ms: i64, retry_for_ms: i64);
by_keyword!(KeyOptions hides ["raw_hex", "passphrase"]: ; raw_hex: String, passphrase: String, cost: Argon2Cost);
by_keyword!(Argon2Cost: ; memory_kib: i64, passes: i64, lanes: i64);
by_keyword!(NewUser: ; email: String, display_name: String);
by_keyword!(Access hides ["password", "token", "header_value", "passphrase"]: ; user: String, password: String, token: String, header_name: String, header_value: String,
    digest: bool, lock: bool, key_file: String, passphrase: String, host_key: String, known_hosts: String,
    ca_file: String, certificate_sha256: String, endpoint: String, region: String, path_style: bool, tls12_only: bool,
    plain: bool, implicit: bool, query_param: String, index: String);
by_keyword!(ConduitOptions: ; mode: SyncMode, conflict: ConflictPolicy, name_clash: NameClash, filters: Filters,
    exact: bool, max_delete: String, verify: Verify, transfers: i64, bandwidth: String);
by_keyword!(Filters: ; include: Vec<String>, exclude: Vec<String>, index_rules: bool);
by_keyword!(PreviewOptions: ; checksum: bool, lifetime_ms: i64);
by_keyword!(ApplyOptions: ; confirm: Vec<String>, bandwidth: String, transfers: i64, verify: Verify);
by_keyword!(ChangeFilter: ; kind: ChangeKind, under: String);
by_keyword!(VerifyOptions: ; filters: Filters, checksum: bool);
by_keyword!(PreviewFilter: ; conduit: String, sync_type: SyncType);
by_keyword!(ActivityFilter: ; conduit: String, sync_id: String, user: String, entity_type: SyncEntityType,
    action: SyncAction, status: SyncStatus, since: String, until: String);
by_keyword!(ProgressFilter: ; conduit: String, sync_id: String, job_id: String, entity_type: SyncEntityType,
    active: bool);
by_keyword!(ErrorFilter: ; connection: String, volume: String, conduit: String, job: String, error_type: SyncErrorType,
    unresolved: bool);
by_keyword!(NewFile: ; path: String, filename: String, app_id: String, metadata: String, is_public: bool);
by_keyword!(FileAt: ; id: String, path: String, app_id: String);
by_keyword!(FileFilter: ; app_id: String, prefix: String);
by_keyword!(RowFilter: ; equal: String, with_deleted: bool, latest_first: bool);
by_keyword!(HostOptions: ; display: String, case_insensitive: bool, unicode_insensitive: bool, windows_names: bool,
    max_name_bytes: i64, time_precision_ns: i64, sets_modified: bool, read_only: bool, timeout_ms: i64);
by_keyword!(HostEntry: name: String, kind: HostKind; bytes: i64, modified_at: String, version: String, ident: String);

by_keyword!(RecordOptions: ; name: String, mode: RecordMode, policy: RecordPolicy, key: Vec<String>, cursor: RecordCursor,
    fields: Vec<RecordField>, clock: RecordClock, create: bool, routes: Vec<RecordRoute>);
by_keyword!(RecordClock: source: String, target: String; skew_ms: i64, tie: Side);
by_keyword!(RecordRoute: condition: String, target: RecordPlace;);
by_keyword!(ListAccess hides ["client_secret"]: ; tenant: String, client_id: String, client_secret: String, ca_file: String);
by_keyword!(UnitAccount: tenant: String, client_id: String; authority: String);
by_keyword!(UnitBudget: per_minute: i64, per_day: i64;);
by_keyword!(RecordField: source: String, target: String; direction: FieldDirection, transform: String);
by_keyword!(RowPreviewOptions: ; look_at_target: bool, full_scan: bool, exact: bool, max_delete: String,
    route_to: String, lifetime_ms: i64);
by_keyword!(RowApplyOptions: ; confirm: Vec<String>);
by_keyword!(HostRecordOptions: ; display: String, has_versions: bool, has_changes: bool, write_rows: i64, timeout_ms: i64);
by_keyword!(HostTable: columns: Vec<HostColumn>; key: Vec<String>, row_estimate: i64);
by_keyword!(HostColumn: name: String, kind: DatumKind; member: DatumKind, is_nullable: bool, is_computed: bool,
    max_length: i64, digits: i64, decimal_places: i64);
by_keyword!(WrittenRow: outcome: WriteOutcome; version: String, reason: String, code: ErrorCode);

by_keyword!(SelectionRule: pattern: String, is_included: bool;);
by_keyword!(Pin: path: String, is_held: bool;);

/// `Change(id='1', path='a', kind=ChangeKind.NEW, ...)`; what is secret is not shown.
fn shown<T: PyTypeInfo + PyClass<Frozen = True> + Serialize + Sync>(
    record: &Bound<'_, T>,
    hidden: &[&str],
) -> PyResult<String> {
    // The cases of an enumeration with data are classes of their own: `Applied` is `RunEvent.Applied`.
    let (kind, own) = (T::type_object(record.py()), record.as_any().get_type());
    let is_case = !own.is(&kind);
    let name = if is_case { format!("{}.{}", kind.name()?, own.name()?) } else { kind.name()?.to_string() };
    let mut fields = Vec::new();
    for name in json::fields(record.get()) {
        // That is what tells the cases apart in JSON.
        if is_case && name == "type" {
            continue;
        }
        let field = record.as_any().getattr(name.as_str())?;
        let is_hidden = hidden.contains(&name.as_str()) && !field.is_none();
        let text = if is_hidden { "...".to_owned() } else { field.repr()?.to_string() };
        fields.push(format!("{name}={text}"));
    }
    Ok(format!("{name}({})", fields.join(", ")))
}

macro_rules! shown {
    ($($name:ident)*) => { $(
        #[pymethods]
        impl $name {
            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                shown(slf, &[])
            }
        }
    )* };
}

shown! {
    Activity ActivityPage AgreedItem AppliedItem Change ChangePage ColumnInfo ColumnShape Conflict ConstraintShape
    CopyProgress CopyReport Counts DefinitionDrift Difference Drift ErrorPage FieldValues FileLink FilePage Finding
    GenerationSummary Guard Holding HostAnswer IndexShape Inspection Introspection ItemFailure KeyRequest ListInfo
    PreviewPage PreviewSummary PreviewedRow PreviewedRowPage ProgressPage RecordAnswer RecordTarget RowConflict
    RowDifference RowInspection RowPage RowPreview RowVerifyReport RunEvent RunProgress RunReport SavedVolume
    SchemaChange SeenItem SharedLink StorageVolume StoredFile StoredPreview StoredProgress SyncError TableDrift
    TableEntry TableInfo TableShape Tenant Upkeep Usage User VerifyReport
}

#[pymethods]
impl CodeInfo {
    /// What it asks of whoever sees it. (`class` is a word of Python's own.)
    #[getter]
    fn class_(&self) -> ErrorClass {
        self.class
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

/// The cases are classes to be matched; these make them, with what may be left out.
#[pymethods]
impl Place {
    /// A directory of this machine.
    #[staticmethod]
    fn directory(path: Arg<String>) -> Self {
        Self::Directory { path: path.0 }
    }

    /// A directory behind a URL: `s3://`, `sftp://`, `ftp://`, `ftps://`, `dav://`, `davs://`, `http://`, `https://`, without
    /// a secret.
    #[staticmethod]
    #[pyo3(signature = (url, access = None))]
    fn remote(url: Arg<String>, access: Option<Arg<Access>>) -> Self {
        Self::Remote { url: url.0, access: access.map(|access| access.0) }
    }

    /// A directory of a saved volume, by the volume's name or id; its root without a path.
    #[staticmethod]
    #[pyo3(signature = (volume, path = None))]
    fn saved(volume: Arg<String>, path: Option<Arg<String>>) -> Self {
        Self::Saved { volume: volume.0, path: path.map(|path| path.0) }
    }

    /// Files that the host itself holds, by the key that the host store was made with.
    #[staticmethod]
    fn host(key: Arg<String>) -> Self {
        Self::Host { key: key.0 }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl RecordPlace {
    /// A table behind a URL: `postgres://user@host/database/schema.table`, `mysql://user@host/database/table`,
    /// `sqlserver://user@host/database/schema.table`, `sqlite:///path/to/file.db/table`, without a secret.
    #[staticmethod]
    #[pyo3(signature = (url, access = None))]
    fn at(url: Arg<String>, access: Option<Arg<Access>>) -> Self {
        Self::Table { url: url.0, access: access.map(|access| access.0) }
    }

    /// A list of a SharePoint site behind a URL: `sharepoint://host/sites/name/Title`, without a secret.
    #[staticmethod]
    #[pyo3(signature = (url, access = None))]
    fn list_at(url: Arg<String>, access: Option<Arg<ListAccess>>) -> Self {
        Self::List { url: url.0, access: access.map(|access| access.0) }
    }

    /// A table of a store that the host itself holds, by the key that the store was made with.
    #[staticmethod]
    fn host(key: Arg<String>, table: Arg<String>) -> Self {
        Self::Host { key: key.0, table: table.0 }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl RecordCursor {
    /// By reading all rows.
    #[staticmethod]
    fn full_scan() -> Self {
        Self::FullScan {}
    }

    /// By a column that every change moves on.
    #[staticmethod]
    #[pyo3(signature = (column, overlap_ms = None))]
    fn by_column(column: Arg<String>, overlap_ms: Option<Arg<i64>>) -> Self {
        Self::Column { column: column.0, overlap_ms: overlap_ms.map(|overlap| overlap.0) }
    }

    /// By the log of the database, or the `changes` of a host's own store.
    #[staticmethod]
    fn log() -> Self {
        Self::Log {}
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl RecordRequest {
    /// Names the request: give it to the answer.
    #[getter(id)]
    fn number(&self) -> i64 {
        self.id()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl Choice {
    /// The item of that side gets another name, in the same directory, and both sides have it under that name.
    #[staticmethod]
    fn rename(side: Arg<Side>, name: Arg<String>) -> Self {
        Self::Rename { side: side.0, name: name.0 }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl RowChoice {
    /// Both sides get the source's row with these columns, by their names at the target, as the target has them.
    #[staticmethod]
    fn merge(target_columns: Arg<Vec<String>>) -> Self {
        Self::Merge { target_columns: target_columns.0 }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

#[pymethods]
impl HostRequest {
    /// Names the request: give it to the answer.
    #[getter]
    fn id(&self) -> i64 {
        match self {
            Self::ListDir { id, .. }
            | Self::Look { id, .. }
            | Self::ReadAt { id, .. }
            | Self::WriteAt { id, .. }
            | Self::SetModified { id, .. }
            | Self::MakeDir { id, .. }
            | Self::Rename { id, .. }
            | Self::RemoveItem { id, .. }
            | Self::Flush { id } => *id,
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        shown(slf, &[])
    }
}

/// The text of a word is the one that it has in every language, and makes it.
macro_rules! words {
    ($($name:ident)*) => { $(
        #[pymethods]
        impl $name {
            #[new]
            fn new(py: Python<'_>, text: Arg<String>) -> PyResult<Self> {
                json::read_word(stringify!($name), text.0).map_err(|error| raised(py, &error))
            }

            fn __str__(&self) -> String {
                json::word(self)
            }
        }
    )* };
}

words! {
    AutoPathStrategy ChangeAction ChangeKind ConflictPolicy ConstraintType DatumKind Deletion DifferenceKind
    DriftEffect Driver ErrorClass ErrorCode ExpiredActivity FieldDirection HostKind ItemKind KeyAction NameClash
    Namespace PreviewState ReconcileStatus RecordMode RecordPolicy Resolution RowAction RowDifferenceKind RunPhase
    SchemaChangeKind Side SkipCause SyncAction SyncEntityType SyncErrorType SyncMode SyncStatus SyncType TableType
    TlsMode Trouble ValueKind Verify VersioningMode WaitReason WriteOutcome
}
