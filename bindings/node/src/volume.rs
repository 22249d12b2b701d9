//! The files of a volume.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{FileLink, FilePage, SharedLink, StorageVolume, StoredFile, Usage};

use crate::bridge::{Given, at_once, record, record_or_default, rows};

/// A volume, opened. Its rules are those that its row had then.
#[napi]
pub struct Volume {
    pub(crate) core: Arc<portbook_ffi::Volume>,
}

#[napi]
impl Volume {
    /// Its rules, as they were when it was opened.
    ///
    /// @throws `invalid` after a fork or after the book was shut down.
    #[napi]
    pub fn row(&self) -> Result<StorageVolume> {
        at_once(|| Ok(self.core.row()?))
    }

    /// Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its id.
    ///
    /// @throws `quota` when the volume, the user or the app may not hold it; `invalid`; `busy` while another puts a file there; `conflict`
    /// when something is there that is no file of the volume, or that changed meanwhile; as the place.
    #[napi(ts_args_type = "file: NewFile, bytes: Uint8Array, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn put<'env>(&self, env: &'env Env, file: Given, bytes: &[u8]) -> Result<PromiseRaw<'env, StoredFile>> {
        let bytes = bytes.to_vec();
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.put(record("file", file)?, bytes).await?) })
    }

    /// As `put`, with the content of a file of this machine. Its size is looked at first.
    ///
    /// @throws As there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot be read.
    #[napi(ts_args_type = "file: NewFile, path: string, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn put_from<'env>(&self, env: &'env Env, file: Given, path: String) -> Result<PromiseRaw<'env, StoredFile>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.put_from(record("file", file)?, path).await?) })
    }

    /// Opens a file at `offset`, to its end or for `length` bytes.
    ///
    /// @throws `not_found` when there is none, or it is another user's and not public; `invalid` when it ends before `offset`; `stale`
    /// when what is there is not what was put; as the place.
    #[napi(
        ts_args_type = "file: FileAt, offset: number, length?: number | null, call?: Abortable",
        ts_return_type = "Promise<FileReader>"
    )]
    pub fn open_file<'env>(
        &self,
        env: &'env Env,
        file: Given,
        offset: i64,
        length: Option<i64>,
    ) -> Result<PromiseRaw<'env, FileReader>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(FileReader { core: core.open_file(record("file", file)?, offset, length).await? })
        })
    }

    /// What the book knows of a file.
    ///
    /// @throws `not_found`.
    #[napi(ts_args_type = "file: FileAt, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn stat<'env>(&self, env: &'env Env, file: Given) -> Result<PromiseRaw<'env, StoredFile>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.stat(record("file", file)?).await?) })
    }

    /// A page of the files that are not deleted, versions left out, in the order of their paths; 1,000 at most.
    ///
    /// @throws `invalid` when no path can begin like that.
    #[napi(
        ts_args_type = "filter?: FileFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<FilePage>"
    )]
    pub fn list<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, FilePage>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.list(record_or_default("filter", filter)?, after, rows(limit)?).await?) })
    }

    /// A page of the deleted files, which can be restored or purged; 1,000 at most.
    ///
    /// @throws `invalid` when `after` is of another list.
    #[napi(
        ts_args_type = "after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<FilePage>"
    )]
    pub fn list_deleted<'env>(
        &self,
        env: &'env Env,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, FilePage>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.list_deleted(after, rows(limit)?).await?) })
    }

    /// Deletes a file: it is out of sight, and can be restored. Its versions stay.
    ///
    /// @throws `not_found`; `busy` while another works on it; `invalid` for a version, which can only be purged.
    #[napi(ts_args_type = "file: FileAt, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn delete<'env>(&self, env: &'env Env, file: Given) -> Result<PromiseRaw<'env, StoredFile>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.delete(record("file", file)?).await?) })
    }

    /// Brings a deleted file back to its path.
    ///
    /// @throws `not_found` when there is no deleted file of that id; `conflict` when another file is at its path by now; `busy`.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn restore<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, StoredFile>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.restore(id).await?) })
    }

    /// The versions of a file that are kept, the latest first; 1,000 at most.
    ///
    /// @throws `not_found`.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<Array<StoredFile>>")]
    pub fn versions<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, Vec<StoredFile>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.versions(id).await?) })
    }

    /// Puts the content of a version in the place of the file it was of. The version stays.
    ///
    /// @throws `not_found` when there is no version of that id, or its file is deleted; as `put`.
    #[napi(ts_args_type = "version: string, call?: Abortable", ts_return_type = "Promise<StoredFile>")]
    pub fn restore_version<'env>(&self, env: &'env Env, version: String) -> Result<PromiseRaw<'env, StoredFile>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.restore_version(version).await?) })
    }

    /// Removes a version, or a deleted file with its versions, for good, and gives the room back.
    ///
    /// @throws `not_found`; `conflict` for a file that is not deleted; `busy`.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn purge<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.purge(id).await?) })
    }

    /// Makes a link by which anybody can read the file for so long: one second to seven days.
    ///
    /// @throws `not_found`; `unsupported` when the place makes no links: only those on S3 do; `invalid` for another time.
    #[napi(ts_args_type = "file: FileAt, validMs: number, call?: Abortable", ts_return_type = "Promise<FileLink>")]
    pub fn share<'env>(&self, env: &'env Env, file: Given, valid_ms: i64) -> Result<PromiseRaw<'env, FileLink>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.share(record("file", file)?, valid_ms).await?) })
    }

    /// The links to a file, in the order in which they were made; 1,000 at most.
    ///
    /// @throws `not_found`.
    #[napi(ts_args_type = "file: FileAt, call?: Abortable", ts_return_type = "Promise<Array<SharedLink>>")]
    pub fn shared_links<'env>(&self, env: &'env Env, file: Given) -> Result<PromiseRaw<'env, Vec<SharedLink>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.shared_links(record("file", file)?).await?) })
    }

    /// Marks a link as one that shall not be used any more. The link itself opens the file until it expires.
    ///
    /// @throws `not_found`; `stale` when the row was changed at this moment.
    #[napi(ts_args_type = "link: string, call?: Abortable", ts_return_type = "Promise<SharedLink>")]
    pub fn revoke_link<'env>(&self, env: &'env Env, link: String) -> Result<PromiseRaw<'env, SharedLink>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.revoke_link(link).await?) })
    }

    /// Removes at the place what no row knows any more.
    ///
    /// @throws As the place.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn tidy<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.tidy().await?) })
    }

    /// Counts anew what the volume, its users and its apps hold, from the files.
    ///
    /// @throws `not_found` when the volume is gone; `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Usage>")]
    pub fn recompute_quotas<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Usage>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.recompute_quotas().await?) })
    }
}

/// An open file. Dropping it ends the read.
#[napi]
pub struct FileReader {
    pub(crate) core: Arc<portbook_ffi::FileReader>,
}

#[napi]
impl FileReader {
    /// The next piece; none after the last, and after an error.
    ///
    /// @throws `stale` when the file is not what was put any more; as the place.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Buffer | null>")]
    pub fn next_piece<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<Buffer>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_piece().await?.map(Into::into)) })
    }
}
