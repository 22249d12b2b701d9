//! The files of a volume.

use portbook_ffi::python::raised;
use portbook_ffi::records::{
    FileAt, FileFilter, FileLink, FilePage, NewFile, SharedLink, StorageVolume, StoredFile, Usage,
};
use pyo3::prelude::*;

use crate::arguments::{Blob, Nothing, Path};
use crate::calls::{PAGE, calls, handle};

handle! {
    /// A volume, opened. Its rules are those that its row had then.
    Volume
}

calls! { Volume {
    /// Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its
    /// id.
    ///
    /// Errors: `quota` when the volume, the user or the app may not hold it; `invalid`; `busy` while another
    /// puts a file there; `conflict` when something is there that is no file of the volume, or that changed
    /// meanwhile; as the place.
    put / put_async(file: NewFile, bytes: Blob;) -> StoredFile
        = |volume| volume.put(file, bytes.0).await;

    /// As `put`, with the content of a file of this machine. Its size is looked at first.
    ///
    /// Errors: As there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot
    /// be read.
    put_from / put_from_async(file: NewFile, path: Path;) -> StoredFile
        = |volume| volume.put_from(file, path.0).await;

    /// Opens a file at `offset`, to its end or for `length` bytes.
    ///
    /// Errors: `not_found` when there is none, or it is another user's and not public; `invalid` when it ends
    /// before `offset`; `stale` when what is there is not what was put; as the place.
    open_file / open_file_async(file: FileAt; offset: i64, length: i64) -> FileReader
        = |volume| volume.open_file(file, offset.unwrap_or(0), length).await;

    /// What the book knows of a file.
    ///
    /// Errors: `not_found`.
    stat / stat_async(file: FileAt;) -> StoredFile = |volume| volume.stat(file).await;

    /// A page of the files that are not deleted, versions left out, in the order of their paths; 1,000 at most.
    ///
    /// Errors: `invalid` when no path can begin like that.
    list / list_async(; filter: FileFilter, after: String, limit: u32) -> FilePage
        = |volume| volume.list(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// A page of the deleted files, which can be restored or purged; 1,000 at most.
    ///
    /// Errors: `invalid` when `after` is of another list.
    list_deleted / list_deleted_async(; after: String, limit: u32) -> FilePage
        = |volume| volume.list_deleted(after, limit.unwrap_or(PAGE)).await;

    /// Deletes a file: it is out of sight, and can be restored. Its versions stay.
    ///
    /// Errors: `not_found`; `busy` while another works on it; `invalid` for a version, which can only be
    /// purged.
    delete / delete_async(file: FileAt;) -> StoredFile = |volume| volume.delete(file).await;

    /// Brings a deleted file back to its path.
    ///
    /// Errors: `not_found` when there is no deleted file of that id; `conflict` when another file is at its
    /// path by now; `busy`.
    restore / restore_async(id: String;) -> StoredFile = |volume| volume.restore(id).await;

    /// The versions of a file that are kept, the latest first; 1,000 at most.
    ///
    /// Errors: `not_found`.
    versions / versions_async(id: String;) -> Vec<StoredFile> = |volume| volume.versions(id).await;

    /// Puts the content of a version in the place of the file it was of. The version stays.
    ///
    /// Errors: `not_found` when there is no version of that id, or its file is deleted; as `put`.
    restore_version / restore_version_async(version: String;) -> StoredFile
        = |volume| volume.restore_version(version).await;

    /// Removes a version, or a deleted file with its versions, for good, and gives the room back.
    ///
    /// Errors: `not_found`; `conflict` for a file that is not deleted; `busy`.
    purge / purge_async(id: String;) -> Nothing = |volume| volume.purge(id).await;

    /// Makes a link by which anybody can read the file for so long: one second to seven days.
    ///
    /// Errors: `not_found`; `unsupported` when the place makes no links: only those on S3 do; `invalid` for
    /// another time.
    share / share_async(file: FileAt, valid_ms: i64;) -> FileLink = |volume| volume.share(file, valid_ms).await;

    /// The links to a file, in the order in which they were made; 1,000 at most.
    ///
    /// Errors: `not_found`.
    shared_links / shared_links_async(file: FileAt;) -> Vec<SharedLink> = |volume| volume.shared_links(file).await;

    /// Marks a link as one that shall not be used any more. The link itself opens the file until it expires.
    ///
    /// Errors: `not_found`; `stale` when the row was changed at this moment.
    revoke_link / revoke_link_async(link: String;) -> SharedLink = |volume| volume.revoke_link(link).await;

    /// Removes at the place what no row knows any more.
    ///
    /// Errors: As the place.
    tidy / tidy_async(;) -> Nothing = |volume| volume.tidy().await;

    /// Counts anew what the volume, its users and its apps hold, from the files.
    ///
    /// Errors: `not_found` when the volume is gone; `storage`, `busy`.
    recompute_quotas / recompute_quotas_async(;) -> Usage = |volume| volume.recompute_quotas().await;
} also {
    /// Its rules, as they were when it was opened.
    ///
    /// Errors: `invalid` after a fork or after the book was shut down.
    #[getter]
    fn row(&self, py: Python<'_>) -> PyResult<StorageVolume> {
        self.handle.row().map_err(|error| raised(py, &error))
    }
} }

handle! {
    /// An open file, read with `for` or `async for`. Letting go of it ends the read.
    FileReader keeps Vec<u8>
}

calls! { FileReader {} next {
    /// The next piece; none after the last, and after an error.
    ///
    /// Errors: `stale` when the file is not what was put any more; as the place.
    next_piece / next_piece_async -> Vec<u8> = |reader| reader.next_piece().await;
} also {} }
