//! What the engine asks of a host that brings files or keeps keys, and what the host answers.

use serde::{Deserialize, Serialize};

/// What the host's files are like. Nothing calls into the host: it takes requests and answers them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct HostOptions {
    /// How the place is shown to people; the key unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub display: Option<String>,
    /// Names that differ only in case are the same name.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub case_insensitive: Option<bool>,
    /// Names that differ only in Unicode normalisation are the same name.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub unicode_insensitive: Option<bool>,
    /// Names that Windows cannot hold cannot be held.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub windows_names: Option<bool>,
    /// The longest name in bytes; 255 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub max_name_bytes: Option<i64>,
    /// The granularity of modified times; a microsecond unless told otherwise, a whole second at most.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub time_precision_ns: Option<i64>,
    /// The host sets modified times when it is asked to.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub sets_modified: Option<bool>,
    /// Nothing can be written.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub read_only: Option<bool>,
    /// How long a request waits for its answer before it fails with `timeout`; 60,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub timeout_ms: Option<i64>,
}

/// What the engine asks of the host's files. Paths are relative to the root, components separated by `/`, and empty for the
/// root itself. Each is answered by `reply`, `reply_bytes` or `fail` with its id, in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum HostRequest {
    /// The items of a directory: `HostAnswer::Listing`, or `Absent` when there is no such directory.
    ListDir {
        /// Names the request.
        id: i64,
        /// The directory.
        path: String,
        /// Where the page before ended; none for the first page.
        after: Option<String>,
    },
    /// One item: `HostAnswer::Found`, or `Absent`.
    Look {
        /// Names the request.
        id: i64,
        /// The item.
        path: String,
    },
    /// A piece of a file: `reply_bytes`; fewer bytes only where the file ends.
    ReadAt {
        /// Names the request.
        id: i64,
        /// The file.
        path: String,
        /// Where the piece begins.
        offset: i64,
        /// How many bytes, 1 MiB at most.
        length: i64,
    },
    /// A piece of a file is written, the pieces of a file in order and one at a time: `HostAnswer::Done`. The bytes are got
    /// by `bytes`. At offset 0 the file is made, or emptied.
    WriteAt {
        /// Names the request.
        id: i64,
        /// The file.
        path: String,
        /// Where the piece begins: the number of bytes the file has by then.
        offset: i64,
        /// How many bytes, 1 MiB at most; 0 for a file without content.
        length: i64,
    },
    /// A file's modified time is set: `HostAnswer::Done`. Only asked when the host says that it does.
    SetModified {
        /// Names the request.
        id: i64,
        /// The file.
        path: String,
        /// The time, to the nanosecond.
        modified_at: String,
    },
    /// A directory is made, in one that is there: `HostAnswer::Done`.
    MakeDir {
        /// Names the request.
        id: i64,
        /// The directory.
        path: String,
    },
    /// An item is renamed, a directory with all that is in it: `HostAnswer::Done`. It happens at once or not at all. Where
    /// it may not replace and something is there: `fail` with the code `conflict`.
    Rename {
        /// Names the request.
        id: i64,
        /// Where it is.
        path: String,
        /// Where it goes.
        to: String,
        /// A file may be there, and is replaced.
        replace: bool,
    },
    /// A file or an empty directory is removed: `HostAnswer::Done`, also when it is gone already.
    RemoveItem {
        /// Names the request.
        id: i64,
        /// The item.
        path: String,
    },
    /// Everything that was answered is made durable: `HostAnswer::Done`.
    Flush {
        /// Names the request.
        id: i64,
    },
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum HostAnswer {
    /// It was done.
    Done {},
    /// There is no such item.
    Absent {},
    /// The item.
    Found {
        /// What it is.
        entry: HostEntry,
    },
    /// Items of a directory.
    Listing {
        /// All of them, or a page of 1,000 at most.
        entries: Vec<HostEntry>,
        /// What is asked for the next page; none when this was the last.
        next: Option<String>,
    },
}

/// An item of the host's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct HostEntry {
    /// Its name in its directory.
    pub name: String,
    /// What it is.
    pub kind: HostKind,
    /// How many bytes a file has.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub bytes: Option<i64>,
    /// When a file was last modified, with the precision the host said.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub modified_at: Option<String>,
    /// Changes whenever the content of a file does. Needed where there is no modified time.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub version: Option<String>,
    /// Stays the same when the item is renamed; none where the host has no such thing.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub ident: Option<String>,
}

/// What an item of the host's files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum HostKind {
    /// A file.
    File,
    /// A directory.
    Dir,
}

/// What the engine asks of a host that keeps the key of the book's secrets: answered by `reply` or `fail`. The bytes are
/// got by `bytes`, and are a secret where the action is `wrap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct KeyRequest {
    /// Names the request.
    pub id: i64,
    /// What is to be done.
    pub action: KeyAction,
    /// The name of the host's key, as `wrap` was answered; none for `wrap`.
    pub key_id: Option<String>,
    /// What the key is for, as hexadecimal text: associated data, for a service that takes it.
    pub context: String,
}

/// What is asked of a host that keeps a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum KeyAction {
    /// The bytes, a key of 32 bytes, are to be encrypted.
    Wrap,
    /// The bytes are to be decrypted.
    Unwrap,
}
