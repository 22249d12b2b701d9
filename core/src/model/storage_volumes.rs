//! Rows and enumerations of volumes: what they are reached by, who may hold how much on them, their files, and `entry`.

use uuid::Uuid;

use super::cloud_connections::CloudFolder;
use super::table::table;
use super::text_enum::text_enum;
use super::{Column, Deletion, Id, Json, Moment, Row, Rule, Secret, TenantId, User, Value, ValueKind, record};
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
    /// Whose part of a volume a file is in (`files.namespace`).
    Namespace {
        /// That of users.
        Users = "users",
        /// That of apps.
        Apps = "apps",
    }
}

text_enum! {
    /// How an HTTP endpoint is told who asks (`http_credentials.auth_type`).
    HttpAuthType {
        /// A user name and a password.
        Basic = "basic",
        /// A token.
        Bearer = "bearer",
        /// Any header.
        CustomHeader = "custom_header",
        /// A user name and a password that is not sent (RFC 7616).
        Digest = "digest",
    }
}

text_enum! {
    /// What an FTP endpoint speaks (`ftp_endpoints.protocol`).
    FtpProtocol {
        /// FTP, with or without TLS.
        Ftp = "ftp",
        /// Files over SSH.
        Sftp = "sftp",
    }
}

text_enum! {
    /// How FTP is secured (`ftp_endpoints.ftps_mode`).
    FtpsMode {
        /// Not at all; also for SFTP, which needs none.
        None = "none",
        /// TLS begins by `AUTH TLS` (RFC 4217).
        Explicit = "explicit",
        /// TLS from the first byte, on a port of its own.
        Implicit = "implicit",
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

table! {
    /// A row of `user_quotas`: what a user may hold on a volume, and holds.
    UserQuota = "user_quotas", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_user_quotas_user_volume": ["user_id", "volume_id"];
        "idx_user_quotas_volume": ["volume_id"];
    },
    {
        /// The user; one row per user and volume.
        user_id: Id<User>,
        /// The volume.
        volume_id: VolumeId,
        /// Bytes the user may hold; none: only counted.
        quota_limit: Option<i64> [Rule::NotNegative],
        /// Bytes the user holds.
        quota_used: i64 [Rule::NotNegative],
    }
}

table! {
    /// A row of `app_quotas`: what an app may hold on a volume, and holds.
    AppQuota = "app_quotas", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_app_quotas_app_volume": ["app_id", "volume_id"];
        "idx_app_quotas_volume": ["volume_id"];
    },
    {
        /// The app, such as `chat`; one row per app and volume.
        app_id: String [Rule::NotEmpty, Rule::MaxChars(100)],
        /// The volume.
        volume_id: VolumeId,
        /// Bytes the app may hold; none: only counted.
        quota_limit: Option<i64> [Rule::NotNegative],
        /// Bytes the app holds.
        quota_used: i64 [Rule::NotNegative],
    }
}

table! {
    /// A row of `quota_reservation`: room that a transfer under way has been promised.
    QuotaReservation = "quota_reservation", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_quota_reservation_volume": ["volume_id"];
        "idx_quota_reservation_user": ["user_id"];
    },
    {
        /// The volume.
        volume_id: VolumeId,
        /// The user whose quota it counts against, if one does.
        user_id: Option<Id<User>>,
        /// The app whose quota it counts against, if one does.
        app_id: Option<String> [Rule::NotEmpty, Rule::MaxChars(100)],
        /// Bytes promised.
        bytes: i64 [Rule::NotNegative],
        /// The process or run that holds it.
        owner: String [Rule::NotEmpty, Rule::MaxChars(255)],
        /// When it counts no longer, whatever its owner does.
        expires_at: Moment,
    }
}

table! {
    /// A row of `s3_buckets`: a bucket and where it is.
    S3Bucket = "s3_buckets", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_s3_buckets_name": ["bucket_name"];
    },
    {
        /// The service, such as `s3.amazonaws.com`.
        endpoint_url: String [Rule::NotEmpty],
        /// Its name there.
        bucket_name: String [Rule::NotEmpty, Rule::MaxChars(255)],
        /// Such as `us-east-1`.
        region: Option<String> [Rule::MaxChars(50)],
        /// HTTPS rather than HTTP.
        use_ssl: bool,
    }
}

table! {
    /// A row of `s3_credentials`: keys for a bucket.
    S3Credential = "s3_credentials", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_s3_credentials_bucket": ["bucket_id"];
    },
    {
        /// The bucket.
        bucket_id: Id<S3Bucket>,
        /// The access key id.
        access_key: String [Rule::NotEmpty],
        /// The secret access key, sealed.
        secret_key: Secret,
        /// The token that goes with temporary keys, sealed.
        session_token: Option<Secret>,
        /// What they are for.
        description: Option<String>,
    }
}

table! {
    /// A row of `http_endpoints`: an HTTP or WebDAV server.
    HttpEndpoint = "http_endpoints", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_http_endpoints_url": ["url"];
    },
    {
        /// What every path is put behind.
        url: String [Rule::NotEmpty],
        /// What it is.
        description: Option<String>,
    }
}

table! {
    /// A row of `http_credentials`: how to be let in.
    HttpCredential = "http_credentials", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_http_credentials_endpoint": ["endpoint_id"];
    },
    {
        /// The server.
        endpoint_id: Id<HttpEndpoint>,
        /// What they are.
        auth_type: HttpAuthType,
        /// A JSON document, sealed.
        credentials: Secret,
    }
}

table! {
    /// A row of `ftp_endpoints`: an FTP or SFTP server and how to be let in.
    FtpEndpoint = "ftp_endpoints", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_ftp_endpoints_host": ["host"];
    },
    {
        /// Its name or address.
        host: String [Rule::NotEmpty, Rule::MaxChars(255)],
        /// None: the protocol's own, 21, 22, or 990 for TLS from the first byte.
        port: Option<i64> [Rule::Between(1, 65535)],
        /// What it speaks.
        protocol: FtpProtocol,
        /// How FTP is secured; `none` for SFTP.
        ftps_mode: FtpsMode,
        /// Who logs in; none: anonymous.
        username: Option<String> [Rule::MaxChars(100)],
        /// Sealed.
        password: Option<Secret>,
        /// A file of this machine with the private key, for SFTP.
        key_path: Option<String>,
        /// What opens that file, sealed.
        passphrase: Option<Secret>,
        /// The key the server has to show, for SFTP, as in `known_hosts`.
        host_key: Option<String>,
    }
}

table! {
    /// A row of `files`: a file of a volume, or a version of one that was kept.
    StoredFile = "files", tenant: "tenant_id", order: "id", deletion: Deletion::Time("deleted_at"),
    lists: {
        "idx_files_storage_path": ["volume_id", "storage_path"];
        "idx_files_volume": ["volume_id"];
        "idx_files_user": ["user_id"];
        "idx_files_app": ["app_id"];
        "idx_files_version": ["version_of", "version_no"];
    },
    {
        /// The volume.
        volume_id: VolumeId,
        /// Whose it is; none for files of the system or an app, and when the user is gone.
        user_id: Option<Id<User>>,
        /// The app that owns it.
        app_id: Option<String> [Rule::NotEmpty, Rule::MaxChars(100)],
        /// Whose part of the volume it is in.
        namespace: Namespace,
        /// The name it was given.
        filename: String [Rule::NotEmpty],
        /// Where it is, from the volume's root; no two files of a volume that are not deleted have the same.
        storage_path: String [Rule::NotEmpty],
        /// Such as `image/png`.
        mime_type: Option<String> [Rule::MaxChars(100)],
        /// Bytes.
        size: i64 [Rule::NotNegative],
        /// BLAKE3 of the content, 32 bytes; none where it is not known.
        digest: Option<Vec<u8>>,
        /// The file this was a version of; none for a file as it is.
        version_of: Option<Id<StoredFile>>,
        /// Which version of the file it is, from 1; unique among the versions of a file.
        version_no: i64 [Rule::Between(1, i32::MAX as i64)],
        /// The host's own.
        metadata: Json,
        /// Whether it may be read by anyone.
        is_public: bool,
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
        cloud_folder_id: Option<Id<CloudFolder>>,
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
