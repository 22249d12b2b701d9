//! Opening a book, who uses it, and what keeps it in order.

use serde::{Deserialize, Serialize};

/// How a book is opened.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi::export(Debug))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct BookOptions {
    /// A SQLite file, made when it is absent. Either this or `url`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub path: Option<String>,
    /// A PostgreSQL database. May hold a password.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub url: Option<String>,
    /// How the server is used.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub postgres: Option<PostgresOptions>,
    /// The key of the book's secrets. Without one everything works that needs no secret.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub key: Option<KeyOptions>,
    /// Names the machine among those that share the book, instead of what it says of itself.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub machine: Option<String>,
    /// What all runs and volumes of this process may carry in a second together: `512k`, `1.5M`, or a timetable such as
    /// `08:00,512k 19:00,off`. None: as fast as they can.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub bandwidth: Option<String>,
    /// Bytes of files that all runs of this process may hold at once, at least 64 MiB; 128 MiB unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub memory_bytes: Option<i64>,
    /// Days that lines of activity are kept; 365 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub activity_days: Option<i64>,
    /// What becomes of older ones; `deleted` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub activity_expired: Option<ExpiredActivity>,
}

/// How a book on a server is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PostgresOptions {
    /// The PostgreSQL schema that holds the book's tables; `portbook` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub schema: Option<String>,
    /// Connections at most, at least 1; 4 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub connections: Option<i64>,
    /// Overrides the URL's `sslmode`. Where neither says anything: `prefer` to this machine, `verify_full` to any other.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub tls: Option<TlsMode>,
    /// Trusts these certificates (PEM) instead of the system's.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub ca_file: Option<String>,
    /// A role that gets what it needs to use the book, and nothing else; given by the owner of the tables on opening.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub application_role: Option<String>,
    /// Opens also as a superuser or a role with `BYPASSRLS`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub allow_bypass: Option<bool>,
    /// How long a call waits for a connection before it is `busy`; 30,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub acquire_timeout_ms: Option<i64>,
    /// How long connecting may take; 10,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub connect_timeout_ms: Option<i64>,
    /// How long one statement may take; 300,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub statement_timeout_ms: Option<i64>,
    /// How long a transaction that was lost is tried again; 10,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub retry_for_ms: Option<i64>,
}

/// How a connection is encrypted and whom it trusts: libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum TlsMode {
    /// Plain text.
    Disable,
    /// TLS where the server has it. The server is not verified.
    Prefer,
    /// TLS. The server is not verified, unless a CA file is named.
    Require,
    /// TLS with a certificate that a trusted authority issued, for whatever name.
    VerifyCa,
    /// TLS with a trusted certificate for the host's name.
    VerifyFull,
}

/// What becomes of lines of activity that have outlived their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ExpiredActivity {
    /// They are deleted.
    Deleted,
    /// On PostgreSQL, a month that is over is detached and stays as a table of its own.
    Detached,
}

/// The key of a book's secrets: one of the two. One that the host keeps elsewhere is given as `HostKeys`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi::export(Debug))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct KeyOptions {
    /// 32 random bytes, as 64 hexadecimal digits.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub raw_hex: Option<String>,
    /// A passphrase.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub passphrase: Option<String>,
    /// What the passphrase costs to try, where the key is new.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub cost: Option<Argon2Cost>,
}

/// The parameters of Argon2id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Argon2Cost {
    /// KiB of memory, 19,456 to 1,048,576; 65,536 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub memory_kib: Option<i64>,
    /// Passes over the memory, 2 to 64; 3 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub passes: Option<i64>,
    /// Lanes, 1 to 16; 4 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub lanes: Option<i64>,
}

/// Whose everything else is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// A user to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct NewUser {
    /// Unique per tenant.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub email: Option<String>,
    /// How the user is shown.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub display_name: Option<String>,
}

/// Somebody who acts for a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct User {
    /// The user's id.
    pub id: String,
    /// Unique per tenant.
    pub email: Option<String>,
    /// How the user is shown; may be empty.
    pub display_name: String,
    /// When the user was made.
    pub created_at: String,
    /// When the user was last changed.
    pub updated_at: String,
}

/// What upkeep removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Upkeep {
    /// Previews that had expired.
    pub previews: i64,
    /// Items that had been in the trash of a directory of this machine for 30 days.
    pub trashed: i64,
    /// Lines of activity that were deleted for their age.
    pub activity: i64,
    /// Large files whose transfer nobody has continued for 30 days.
    pub transfers: i64,
    /// Promises of room on volumes that had expired.
    pub reservations: i64,
}

/// Something that a check of a book found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Finding {
    /// Its kind.
    pub trouble: Trouble,
    /// Whose rows; none where the engine speaks of the whole book.
    pub tenant: Option<String>,
    /// What was found.
    pub words: String,
}

/// What kind of trouble a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Trouble {
    /// Damage, or a rule that rows break. Restore a backup.
    Damage,
    /// A ledger row whose directory has no row.
    LostDirectory,
    /// An intent that no run has finished and no run is working on: the next run of the conduit finishes it.
    OpenIntent,
    /// A run that is recorded as under way and that nobody is working on: the next run of the conduit closes it.
    OpenRun,
}

/// How far a copy of a book is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct CopyProgress {
    /// Rows to write and to compare; 0 until they are counted.
    pub total: i64,
    /// Rows written or compared.
    pub done: i64,
}

/// What a copy of a book holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct CopyReport {
    /// Tenants.
    pub tenants: i64,
    /// Tables.
    pub tables: i64,
    /// Rows, all compared with those they were copied from.
    pub rows: i64,
}
