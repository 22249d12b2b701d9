//! How Python makes the records that it gives: by keyword, with what may be left out.

use pyo3::prelude::*;

use crate::records::{
    Access, ActivityFilter, ApplyOptions, Argon2Cost, BookOptions, ChangeFilter, ChangeKind, ConduitOptions,
    ConflictPolicy, ErrorFilter, ExpiredActivity, FileAt, FileFilter, Filters, HostEntry, HostKind, HostOptions,
    KeyOptions, NameClash, NewFile, NewUser, Pin, PostgresOptions, PreviewFilter, PreviewOptions, ProgressFilter,
    SelectionRule, SyncAction, SyncEntityType, SyncErrorType, SyncMode, SyncStatus, SyncType, TlsMode, Verify,
    VerifyOptions,
};

macro_rules! by_keyword {
    ($name:ident: $($needed:ident: $kind:ty),* ; $($field:ident: $type:ty),* $(,)?) => {
        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($needed,)* *, $($field = None),*))]
            #[allow(clippy::too_many_arguments, reason = "a record has as many fields as it has")]
            fn new($($needed: $kind,)* $($field: Option<$type>),*) -> Self {
                Self { $($needed,)* $($field),* }
            }
        }
    };
}

by_keyword!(BookOptions: ; path: String, url: String, postgres: PostgresOptions, key: KeyOptions, machine: String,
    bandwidth: String, memory_bytes: i64, activity_days: i64, activity_expired: ExpiredActivity);
by_keyword!(PostgresOptions: ; schema: String, connections: i64, tls: TlsMode, ca_file: String, application_role: String,
    allow_bypass: bool, acquire_timeout_ms: i64, connect_timeout_ms: i64, statement_timeout_ms: i64, retry_for_ms: i64);
by_keyword!(KeyOptions: ; raw_hex: String, passphrase: String, cost: Argon2Cost);
by_keyword!(Argon2Cost: ; memory_kib: i64, passes: i64, lanes: i64);
by_keyword!(NewUser: ; email: String, display_name: String);
by_keyword!(Access: ; user: String, password: String, token: String, header_name: String, header_value: String,
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
by_keyword!(HostOptions: ; display: String, case_insensitive: bool, unicode_insensitive: bool, windows_names: bool,
    max_name_bytes: i64, time_precision_ns: i64, sets_modified: bool, read_only: bool, timeout_ms: i64);
by_keyword!(HostEntry: name: String, kind: HostKind; bytes: i64, modified_at: String, version: String, ident: String);

#[pymethods]
impl SelectionRule {
    #[new]
    fn new(pattern: String, is_included: bool) -> Self {
        Self { pattern, is_included }
    }
}

#[pymethods]
impl Pin {
    #[new]
    fn new(path: String, is_held: bool) -> Self {
        Self { path, is_held }
    }
}
