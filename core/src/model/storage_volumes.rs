//! Rows and enumerations of `storage_volumes`, `local_paths` and `entry`.

use uuid::Uuid;

use super::table::table;
use super::text_enum::text_enum;
use super::{Column, Deletion, Id, Json, Moment, Row, Rule, TenantId, Value, ValueKind, record};
use crate::error::{Code, Error, Result};

text_enum! {
    /// How a volume is reached (`storage_volumes.driver`).
    Driver {
        /// A directory of this machine.
        Local = "local",
        /// An S3 bucket.
        S3 = "s3",
        /// FTP, FTPS or SFTP.
        Ftp = "ftp",
        /// HTTP or WebDAV.
        Http = "http",
    }
}

text_enum! {
    /// How a file without a given path gets one (`storage_volumes.auto_path_strategy`).
    AutoPathStrategy {
        /// It must have one.
        None = "none",
        /// A new id.
        Uuid = "uuid",
        /// Its content's address.
        Hash = "hash",
    }
}

text_enum! {
    /// What is kept when a file is overwritten (`storage_volumes.versioning_mode`).
    VersioningMode {
        /// Nothing.
        None = "none",
        /// Every state the source had.
        Source = "source",
        /// The version that would be overwritten.
        Target = "target",
    }
}

text_enum! {
    /// What the last look at an entry found (`entry.observed_state`).
    ObservedState {
        /// It is there.
        Present = "present",
        /// It is not there; a complete look says so.
        Absent = "absent",
        /// No look yet, or one that failed.
        Unknown = "unknown",
    }
}

/// What an entry is. The numbers are stored (`entry.kind`) and are the specification's, not those of
/// [`Kind`](super::Kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// A file.
    File = 0,
    /// A directory.
    Directory = 1,
    /// A symbolic link.
    Symlink = 2,
}

impl Column for EntryKind {
    const KIND: ValueKind = ValueKind::Integer;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        let number = row.int(column)?;
        [Self::File, Self::Directory, Self::Symlink]
            .into_iter()
            .find(|k| *k as i64 == number)
            .ok_or_else(|| Error::new(Code::Corrupt, "read an entry", "").because(format!("kind {number}")))
    }

    fn value(&self) -> Value {
        Value::Int(*self as i64)
    }
}

table! {
    /// A row of `storage_volumes`: a configured storage backend.
    StorageVolume = "storage_volumes", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_storage_volumes_name": ["name"];
    },
    {
        /// 1 to 100 characters, unique per tenant.
        name: String [Rule::NotEmpty, Rule::MaxChars(100)],
        /// How it is reached.
        driver: Driver,
        /// What the driver needs; names the row that holds the rest.
        config: Json,
        /// Put before every path.
        default_prefix: Option<String>,
        /// Paths are folders.
        enforce_hierarchy: bool,
        /// 1 to 5 characters between path segments.
        path_delimiter: String [Rule::NotEmpty, Rule::MaxChars(5)],
        /// Files are named by query parameters.
        use_query_params: bool,
        /// How a file without a path gets one.
        auto_path_strategy: AutoPathStrategy,
        /// What is kept when a file is overwritten.
        versioning_mode: VersioningMode,
        /// Bytes it may hold; none for no limit.
        quota_limit: Option<i64> [Rule::NotNegative],
        /// Bytes it holds.
        quota_used: i64 [Rule::NotNegative],
        /// Whether it may be used.
        is_active: bool,
    }
}

/// The id of a volume.
pub type VolumeId = Id<StorageVolume>;

table! {
    /// A row of `local_paths`: an approved directory of this machine.
    LocalPath = "local_paths", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_local_paths_path": ["path"];
    },
    {
        /// An absolute path, unique per tenant.
        path: String [Rule::NotEmpty],
        /// What it is for.
        description: Option<String>,
    }
}

record! {
    /// A row of `entry`: a directory that a conduit starts from or a host names.
    EntryRow = "entry", numbered: true,
    {
        /// Its number; 0 until it is inserted.
        id: i64,
        /// Its id at every border.
        uuid: Uuid,
        /// Whose it is.
        tenant_id: TenantId,
        /// The volume that holds it; none for a bare path or URL.
        volume_id: Option<VolumeId>,
        /// The cloud folder that holds it; never set together with a volume.
        cloud_folder_id: Option<Uuid>,
        /// The place's own id of it.
        provider_id: Option<Vec<u8>>,
        /// Relative to the volume or folder; canonical and absolute where there is none. Unique in its place.
        path: Vec<u8>,
        /// The last component.
        name: Vec<u8>,
        /// What it is.
        kind: EntryKind,
        /// What the last look found.
        observed_state: ObservedState,
        /// When that was.
        observed_at: Option<Moment>,
        /// When it was made.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
    }
}
