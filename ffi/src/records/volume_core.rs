//! Files of volumes, as the core has them.

use std::fmt;

use portbook::model::{self, AppQuota, CloudSharedLink, Id, Json, Namespace as CoreNamespace, Stored, UserQuota};
use portbook::volume::{self, Content, FileRef, Volume};

use super::volume::{
    AutoPathStrategy, Driver, FileAt, FileFilter, FileLink, FilePage, Holding, Namespace, NewFile, SharedLink,
    StorageVolume, StoredFile, Usage, VersioningMode,
};
use super::{count, hex, id_of, invalid, is, same_words, time};
use crate::error::Result;

same_words!(Namespace = model::Namespace { Users, Apps });
same_words!(Driver = model::Driver { Local, S3, Ftp, Http });
same_words!(AutoPathStrategy = model::AutoPathStrategy { None, Uuid, Hash });
same_words!(VersioningMode = model::VersioningMode { None, Source, Target });

impl Driver {
    /// The driver of that stored name.
    pub(crate) fn named(driver: &str) -> Self {
        model::Driver::parse(driver).map_or(Self::Local, Into::into)
    }
}

impl NewFile {
    /// What the core is given.
    pub(crate) fn read(self, content: Content) -> Result<volume::NewFile> {
        let named = self.filename.or_else(|| self.path.as_deref()?.rsplit('/').next().map(ToOwned::to_owned));
        let filename = named.ok_or_else(|| invalid("put a file", "", "either path or filename is needed"))?;
        let metadata = match self.metadata {
            None => serde_json::Value::Null,
            Some(text) => {
                serde_json::from_str(&text).map_err(|e| invalid("read", "metadata", "it is no JSON").caused_by(e))?
            }
        };
        Ok(volume::NewFile {
            path: self.path,
            filename,
            namespace: if self.app_id.is_some() { CoreNamespace::Apps } else { CoreNamespace::Users },
            app_id: self.app_id,
            metadata: Json(metadata),
            is_public: is(self.is_public),
            content,
        })
    }
}

impl FileAt {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<FileRef> {
        match self {
            Self { id: Some(id), path: None, app_id: None } => Ok(FileRef::Id(Id::new(id_of("id", &id)?))),
            Self { id: None, path: Some(path), app_id: None } => Ok(FileRef::Path(path)),
            Self { id: None, path: Some(path), app_id: Some(app_id) } => Ok(FileRef::AppPath { app_id, path }),
            _ => Err(invalid("find the file", "", "either its id or its path is needed").into()),
        }
    }
}

impl From<FileFilter> for volume::FileFilter {
    fn from(filter: FileFilter) -> Self {
        Self { app_id: filter.app_id, prefix: filter.prefix.unwrap_or_default() }
    }
}

impl StoredFile {
    /// A file of this volume.
    pub(crate) fn of(volume: &Volume, file: Stored<model::StoredFile>) -> Self {
        let path = if file.row.version_of.is_some() { None } else { volume.path_of(&file.row) };
        let row = file.row;
        Self {
            id: file.id.to_string(),
            created_at: time(file.created_at),
            updated_at: time(file.updated_at),
            is_deleted: file.is_deleted,
            volume_id: row.volume_id.to_string(),
            user_id: row.user_id.map(|id| id.to_string()),
            app_id: row.app_id,
            namespace: row.namespace.into(),
            filename: row.filename,
            storage_path: row.storage_path,
            path,
            mime_type: row.mime_type,
            size: count(row.size),
            digest: row.digest.as_deref().map(hex),
            version_of: row.version_of.map(|id| id.to_string()),
            version_no: row.version_no,
            metadata: Some(row.metadata.0.to_string()),
            is_public: row.is_public,
        }
    }
}

impl FilePage {
    /// A page of this volume.
    pub(crate) fn of(volume: &Volume, page: volume::FilePage) -> Self {
        let files = page.files.into_iter().map(|file| StoredFile::of(volume, file));
        Self { files: files.collect(), next: page.next }
    }
}

impl From<Stored<CloudSharedLink>> for SharedLink {
    fn from(link: Stored<CloudSharedLink>) -> Self {
        Self {
            id: link.id.to_string(),
            created_at: time(link.created_at),
            expires_at: link.row.expires_at.map(time),
            is_active: link.row.is_active,
            created_by_user_id: link.row.created_by_user_id.to_string(),
            volume_file_id: link.row.volume_file_id.map(|id| id.to_string()),
        }
    }
}

impl FileLink {
    /// A link that was made.
    pub(crate) fn of(made: volume::FileLink) -> Result<Self> {
        Ok(Self { url: made.url.expose_text()?.to_owned(), link: made.link.into() })
    }
}

/// Without the URL, which is a secret.
impl fmt::Debug for FileLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLink").field("link", &self.link).finish_non_exhaustive()
    }
}

impl From<Stored<UserQuota>> for Holding {
    fn from(quota: Stored<UserQuota>) -> Self {
        let UserQuota { user_id, volume_id: _, quota_limit, quota_used } = quota.row;
        Self { owner: user_id.to_string(), quota_limit: quota_limit.map(count), quota_used: count(quota_used) }
    }
}

impl From<Stored<AppQuota>> for Holding {
    fn from(quota: Stored<AppQuota>) -> Self {
        let AppQuota { app_id, volume_id: _, quota_limit, quota_used } = quota.row;
        Self { owner: app_id, quota_limit: quota_limit.map(count), quota_used: count(quota_used) }
    }
}

impl From<volume::Usage> for Usage {
    fn from(usage: volume::Usage) -> Self {
        Self {
            volume_bytes: count(usage.volume),
            users: usage.users.into_iter().map(Into::into).collect(),
            apps: usage.apps.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Stored<model::StorageVolume>> for StorageVolume {
    fn from(volume: Stored<model::StorageVolume>) -> Self {
        let row = volume.row;
        Self {
            id: volume.id.to_string(),
            name: row.name,
            driver: row.driver.into(),
            default_prefix: row.default_prefix,
            enforce_hierarchy: row.enforce_hierarchy,
            path_delimiter: row.path_delimiter,
            auto_path_strategy: row.auto_path_strategy.into(),
            versioning_mode: row.versioning_mode.into(),
            quota_limit: row.quota_limit.map(count),
            quota_used: count(row.quota_used),
            is_active: row.is_active,
        }
    }
}
