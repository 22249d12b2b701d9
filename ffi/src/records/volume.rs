//! Files of volumes.

use serde::{Deserialize, Serialize};

/// A file to be put on a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct NewFile {
    /// Where it goes within its area; none: the volume finds a path.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub path: Option<String>,
    /// The name it was given; that of the path unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub filename: Option<String>,
    /// The app whose part of the volume it goes to; none: that of the session's user.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub app_id: Option<String>,
    /// The host's own: a JSON object.
    #[serde(default, with = "crate::json::document")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub metadata: Option<String>,
    /// Whether anyone may read it.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub is_public: Option<bool>,
}

/// A file of a volume, by what is known of it: its id, or its path in the part of the session's user or of an app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct FileAt {
    /// Its id.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub id: Option<String>,
    /// Its path.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub path: Option<String>,
    /// The app in whose part the path is.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub app_id: Option<String>,
}

/// Which files a list holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct FileFilter {
    /// Those of this app; none: those of the session's user.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub app_id: Option<String>,
    /// Only those whose path begins like this.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub prefix: Option<String>,
}

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct StoredFile {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Whether it is deleted, and can be restored.
    pub is_deleted: bool,
    /// The volume.
    pub volume_id: String,
    /// Whose it is; none for files of an app, and when the user is gone.
    pub user_id: Option<String>,
    /// The app that owns it.
    pub app_id: Option<String>,
    /// Whose part of the volume it is in.
    pub namespace: Namespace,
    /// The name it was given.
    pub filename: String,
    /// Where it is, from the volume's root.
    pub storage_path: String,
    /// The path that names it in calls; none for a version, and for a file of another user.
    pub path: Option<String>,
    /// Such as `image/png`.
    pub mime_type: Option<String>,
    /// Bytes.
    pub size: i64,
    /// BLAKE3 of the content, as hexadecimal text; none where it is not known.
    pub digest: Option<String>,
    /// The file this was a version of; none for a file as it is.
    pub version_of: Option<String>,
    /// Which version of the file it is, from 1.
    pub version_no: i64,
    /// The host's own: a JSON object.
    #[serde(with = "crate::json::document")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub metadata: Option<String>,
    /// Whether it may be read by anyone.
    pub is_public: bool,
}

/// A page of files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct FilePage {
    /// 1,000 at most.
    pub files: Vec<StoredFile>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// A link that opens a file, without its URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SharedLink {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// Nobody has revoked it, and it has not ended.
    pub is_active: bool,
    /// Who made it.
    pub created_by_user_id: String,
    /// The file.
    pub volume_file_id: Option<String>,
}

/// A link that was made.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi::export(Debug))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct FileLink {
    /// What the book knows of it.
    pub link: SharedLink,
    /// The URL: a secret. Whoever has it can read the file until the link expires.
    pub url: String,
}

/// What a volume, its users and its apps hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Usage {
    /// Bytes on the volume.
    pub volume_bytes: i64,
    /// Of each user that has a quota on it.
    pub users: Vec<Holding>,
    /// Of each app that has one.
    pub apps: Vec<Holding>,
}

/// What one user or app holds on a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Holding {
    /// The user's id, or the app.
    pub owner: String,
    /// Bytes it may hold; none: only counted.
    pub quota_limit: Option<i64>,
    /// Bytes it holds.
    pub quota_used: i64,
}

/// The rules of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct StorageVolume {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub driver: Driver,
    /// Put before every path.
    pub default_prefix: Option<String>,
    /// Paths are folders.
    pub enforce_hierarchy: bool,
    /// 1 to 5 characters between path segments.
    pub path_delimiter: String,
    /// How a file without a path gets one.
    pub auto_path_strategy: AutoPathStrategy,
    /// What is kept when a file is overwritten.
    pub versioning_mode: VersioningMode,
    /// Bytes it may hold; none for no limit.
    pub quota_limit: Option<i64>,
    /// Bytes it held when it was opened.
    pub quota_used: i64,
    /// Whether it may be used.
    pub is_active: bool,
}

/// Whose part of a volume a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Namespace {
    /// That of users.
    Users,
    /// That of apps.
    Apps,
}

/// How a volume is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Driver {
    /// A directory of this machine.
    Local,
    /// An S3 bucket.
    S3,
    /// FTP, FTPS or SFTP.
    Ftp,
    /// HTTP or WebDAV.
    Http,
}

/// How a file without a given path gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum AutoPathStrategy {
    /// It must have one.
    None,
    /// A new id.
    Uuid,
    /// Its content's address.
    Hash,
}

/// What is kept when a file is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum VersioningMode {
    /// Nothing.
    None,
    /// Every state the source had.
    Source,
    /// The version that would be overwritten.
    Target,
}
