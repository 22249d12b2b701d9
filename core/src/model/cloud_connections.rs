//! Rows and enumerations of accounts at clouds: connections, folders, jobs, files and shared links. The failures of items
//! (`cloud_sync_errors`) are the engine's to write, see [`SyncError`](super::SyncError).

use uuid::Uuid;

use super::table::table;
use super::text_enum::text_enum;
use super::{Deletion, Id, Json, Moment, Rule, Secret, StoredFile, User};

text_enum! {
    /// Which cloud a connection is to (`cloud_connections.provider_type`).
    CloudProviderType {
        /// OneDrive.
        Onedrive = "onedrive",
        /// Google Drive.
        Gdrive = "gdrive",
        /// Dropbox.
        Dropbox = "dropbox",
        /// Box.
        Box = "box",
        /// SharePoint.
        Sharepoint = "sharepoint",
    }
}

text_enum! {
    /// Where a connection stands (`cloud_connections.status`).
    ConnectionStatus {
        /// It can be used.
        Active = "active",
        /// The user took the grant back.
        Revoked = "revoked",
        /// Its tokens ended and could not be renewed.
        Expired = "expired",
        /// The cloud refuses it for another reason.
        Error = "error",
    }
}

text_enum! {
    /// What a folder is for (`cloud_folders.folder_type`).
    FolderType {
        /// What leaves.
        Export = "export",
        /// What comes in.
        Import = "import",
        /// What is kept.
        Archive = "archive",
        /// Models.
        Models = "models",
        /// Results.
        Results = "results",
        /// Anything.
        General = "general",
    }
}

text_enum! {
    /// What may be done in a folder (`cloud_folders.folder_permissions`).
    FolderPermissions {
        /// Reading.
        ReadOnly = "read_only",
        /// Both.
        ReadWrite = "read_write",
        /// Writing.
        WriteOnly = "write_only",
    }
}

text_enum! {
    /// Which way a job goes (`cloud_sync_jobs.job_type`).
    JobType {
        /// To the cloud.
        Upload = "upload",
        /// From the cloud.
        Download = "download",
        /// Both ways.
        Bidirectional = "bidirectional",
        /// To the cloud, once.
        Export = "export",
        /// From the cloud, once.
        Import = "import",
    }
}

text_enum! {
    /// Where a job stands (`cloud_sync_jobs.status`).
    JobStatus {
        /// Not begun.
        Pending = "pending",
        /// Under way.
        Running = "running",
        /// Done.
        Completed = "completed",
        /// Stopped by an error.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What a file of a cloud is to its host (`cloud_files.quodsi_file_type`).
    CloudFileType {
        /// A model.
        Model = "model",
        /// A result.
        Result = "result",
        /// An animation.
        Animation = "animation",
        /// An export.
        Export = "export",
        /// An import.
        Import = "import",
        /// A document.
        Document = "document",
        /// An image.
        Image = "image",
    }
}

text_enum! {
    /// How a file of a cloud stands to its other side (`cloud_files.sync_status`).
    FileSyncStatus {
        /// In step.
        Synced = "synced",
        /// The other side is newer.
        NeedsUpload = "needs_upload",
        /// The cloud is newer.
        NeedsDownload = "needs_download",
        /// Both have changed.
        Conflict = "conflict",
        /// It could not be carried.
        Error = "error",
    }
}

text_enum! {
    /// What a link opens (`cloud_shared_links.resource_type`).
    SharedResource {
        /// A file.
        File = "file",
        /// A folder.
        Folder = "folder",
    }
}

text_enum! {
    /// What a link lets its holder do (`cloud_shared_links.share_type`).
    ShareType {
        /// See.
        View = "view",
        /// Change.
        Edit = "edit",
        /// Fetch.
        Download = "download",
        /// Comment.
        Comment = "comment",
    }
}

table! {
    /// A row of `cloud_connections`: a user's grant of access to a cloud.
    CloudConnection = "cloud_connections", tenant: "tenant_id", order: "index_id", deletion: Deletion::Flag("is_deleted"),
    lists: {
        "ix_cloud_connections_tenant_user_provider": ["user_id", "provider_type", "provider_user_id"];
        "ix_cloud_connections_status": ["status"];
    },
    {
        /// Who granted it. Live connections keep their user from being deleted; deleted ones go along.
        user_id: Id<User>,
        /// The cloud.
        provider_type: CloudProviderType,
        /// The account there; one live connection per user, cloud and account.
        provider_user_id: String [Rule::MaxChars(255)],
        /// The account's address.
        provider_user_email: Option<String> [Rule::MaxChars(255)],
        /// Sealed.
        encrypted_access_token: Secret,
        /// Sealed.
        encrypted_refresh_token: Option<Secret>,
        /// When the access token ends.
        token_expiry: Moment,
        /// What was granted.
        scope: String,
        /// When it was last used.
        last_used_at: Option<Moment>,
        /// When a sync over it last succeeded.
        last_sync_at: Option<Moment>,
        /// Where it stands.
        status: ConnectionStatus,
        /// How it is shown.
        display_name: Option<String> [Rule::MaxChars(255)],
        /// What only this cloud has.
        connection_metadata: Option<Json>,
    }
}

table! {
    /// A row of `cloud_folders`: a folder of a cloud that is put to use.
    CloudFolder = "cloud_folders", tenant: "tenant_id", order: "index_id", deletion: Deletion::Flag("is_deleted"),
    lists: {
        "ix_cloud_folders_tenant_connection": ["connection_id"];
        "ix_cloud_folders_provider_folder": ["connection_id", "provider_folder_id"];
    },
    {
        /// The connection it is reached by.
        connection_id: Id<CloudConnection>,
        /// How it is shown.
        folder_name: String [Rule::MaxChars(255)],
        /// The cloud's id of it; one live row per connection and folder.
        provider_folder_id: String [Rule::MaxChars(255)],
        /// Where it is there.
        folder_path: Option<String>,
        /// What it is for.
        folder_type: FolderType,
        /// Exports go here unless told otherwise.
        is_default_export_folder: bool,
        /// Imports come from here unless told otherwise.
        is_default_import_folder: bool,
        /// It is synced by itself.
        auto_sync_enabled: bool,
        /// When a sync of it last succeeded.
        last_sync_at: Option<Moment>,
        /// Minutes between syncs.
        sync_frequency_minutes: Option<i64> [Rule::Between(1, i32::MAX as i64)],
        /// What may be done in it.
        folder_permissions: FolderPermissions,
    }
}

table! {
    /// A row of `cloud_sync_jobs`: a run between a cloud folder and its other side.
    CloudSyncJob = "cloud_sync_jobs", tenant: "tenant_id", order: "index_id", deletion: Deletion::Flag("is_deleted"),
    lists: {
        "ix_cloud_sync_jobs_folder_status": ["folder_id", "status"] latest "created_at";
        "ix_cloud_sync_jobs_status_created": ["status"] latest "created_at";
    },
    {
        /// The folder.
        folder_id: Id<CloudFolder>,
        /// Who asked; none when it began by itself, or the user is gone.
        initiated_by_user_id: Option<Id<User>>,
        /// Which way it goes.
        job_type: JobType,
        /// Where it stands.
        status: JobStatus,
        /// When it began.
        started_at: Option<Moment>,
        /// When it ended.
        completed_at: Option<Moment>,
        /// 0 to 100, 2 digits after the point.
        progress_percentage: f64 [Rule::Decimals(2), Rule::Between(0, 100)],
        /// Files done.
        files_processed: i64 [Rule::NotNegative],
        /// Files in all; none while it is not known.
        files_total: Option<i64> [Rule::NotNegative],
        /// Bytes carried.
        bytes_transferred: i64 [Rule::NotNegative],
        /// What ended it, if it failed.
        error_message: Option<String>,
        /// More.
        job_metadata: Option<Json>,
    }
}

table! {
    /// A row of `cloud_files`: a file of a cloud folder as it was last seen.
    CloudFile = "cloud_files", tenant: "tenant_id", order: "index_id", deletion: Deletion::Flag("is_deleted"),
    lists: {
        "ix_cloud_files_folder_type": ["folder_id", "quodsi_file_type"];
        "ix_cloud_files_provider_file": ["folder_id", "provider_file_id"];
        "ix_cloud_files_entity": ["quodsi_entity_id", "quodsi_file_type"];
        "ix_cloud_files_content_hash": ["content_hash"];
    },
    {
        /// The folder.
        folder_id: Id<CloudFolder>,
        /// What it is to its host.
        quodsi_file_type: CloudFileType,
        /// The host's own thing that it belongs to.
        quodsi_entity_id: Option<Uuid>,
        /// The cloud's id of it; one live row per folder and file.
        provider_file_id: String [Rule::MaxChars(255)],
        /// Its name.
        file_name: String [Rule::MaxChars(255)],
        /// Where it is there.
        file_path: Option<String>,
        /// Bytes.
        file_size_bytes: i64 [Rule::NotNegative],
        /// The cloud's hash of its content.
        content_hash: Option<String> [Rule::MaxChars(64)],
        /// Such as `image/png`.
        mime_type: Option<String> [Rule::MaxChars(255)],
        /// When the cloud says it was made.
        cloud_created_at: Option<Moment>,
        /// When the cloud says it was last changed.
        cloud_modified_at: Option<Moment>,
        /// When it was last brought into step.
        last_synced_at: Option<Moment>,
        /// How it stands to its other side.
        sync_status: FileSyncStatus,
        /// Where it may be put for a while, sealed.
        upload_url: Option<Secret>,
        /// Where it may be fetched for a while, sealed.
        download_url: Option<Secret>,
        /// More.
        file_metadata: Option<Json>,
    }
}

table! {
    /// A row of `cloud_shared_links`: a link that opens a file or a folder.
    CloudSharedLink = "cloud_shared_links", tenant: "tenant_id", order: "index_id", deletion: Deletion::Flag("is_deleted"),
    lists: {
        "ix_cloud_shared_links_file": ["file_id"];
        "ix_cloud_shared_links_folder": ["folder_id"];
        "ix_cloud_shared_links_volume_file": ["volume_file_id"];
    },
    {
        /// Who made it. Live links keep their user from being deleted; deleted ones go along.
        created_by_user_id: Id<User>,
        /// What it opens: one of the two next, or a file of a volume.
        resource_type: SharedResource,
        /// The file.
        file_id: Option<Id<CloudFile>>,
        /// The folder.
        folder_id: Option<Id<CloudFolder>>,
        /// The cloud's id of it.
        provider_share_id: Option<String> [Rule::MaxChars(255)],
        /// The link itself, sealed: whoever has it has what it opens.
        share_url: Secret,
        /// What it lets its holder do.
        share_type: ShareType,
        /// It asks for a password.
        password_protected: bool,
        /// When it ends.
        expires_at: Option<Moment>,
        /// How often it was used.
        access_count: i64 [Rule::NotNegative],
        /// When it was last used.
        last_accessed_at: Option<Moment>,
        /// It opens something now.
        is_active: bool,
        /// The file of a volume, instead of one of a cloud.
        volume_file_id: Option<Id<StoredFile>>,
    }
}
