//! The files of a volume.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use portbook::model::Id;
use portbook::provider::{Feed, Opened};
use portbook::volume::Content;
use portbook::{Code, Error};
use tokio::sync::{Mutex, mpsc};

use crate::error::Result;
use crate::life::{Life, Own};
use crate::ready::Ready;
use crate::records::{
    FileAt, FileFilter, FileLink, FilePage, NewFile, SharedLink, StorageVolume, StoredFile, Usage, id_of, milliseconds,
    rows, size,
};

/// How much of a file on disk is read at once.
const PIECE: u64 = 1 << 20;

/// A volume, opened. Its rules are those that its row had then.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Volume {
    life: Arc<Life>,
    core: Own<portbook::volume::Volume>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Volume {
    /// Its rules, as they were when it was opened.
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down.
    pub fn row(&self) -> Result<StorageVolume> {
        Ok(self.core()?.row().clone().into())
    }

    /// Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its id.
    ///
    /// # Errors
    /// `quota` when the volume, the user or the app may not hold it; `invalid`; `busy` while another puts a file there; `conflict`
    /// when something is there that is no file of the volume, or that changed meanwhile; as the place.
    pub async fn put(&self, file: NewFile, bytes: Vec<u8>) -> Result<StoredFile> {
        let file = file.read(Content::Bytes(bytes.into()))?;
        self.file(self.core()?.put(file).await)
    }

    /// As [`put`](Self::put), with the content of a file of this machine. Its size is looked at first.
    ///
    /// # Errors
    /// As there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot be read.
    pub async fn put_from(&self, file: NewFile, path: String) -> Result<StoredFile> {
        let feed = OnDisk::look(path.into())?;
        let file = file.read(Content::Feed(Arc::new(feed)))?;
        self.file(self.core()?.put(file).await)
    }

    /// Opens a file at `offset`, to its end or for `length` bytes.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is another user's and not public; `invalid` when it ends before `offset`; `stale`
    /// when what is there is not what was put; as the place.
    pub async fn open_file(&self, file: FileAt, offset: i64, length: Option<i64>) -> Result<Arc<FileReader>> {
        let (offset, length) = (size("offset", offset)?, length.map(|length| size("length", length)).transpose()?);
        let opened = self.core()?.get(file.read()?, offset, length).await?;
        let bytes = Own::new(Mutex::new(Some(opened.bytes)));
        Ok(Arc::new(FileReader { life: self.life.clone(), bytes, ready: Ready::new() }))
    }

    /// What the book knows of a file.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn stat(&self, file: FileAt) -> Result<StoredFile> {
        self.file(self.core()?.stat(file.read()?).await)
    }

    /// A page of the files that are not deleted, versions left out, in the order of their paths; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when no path can begin like that.
    pub async fn list(&self, filter: FileFilter, after: Option<String>, limit: u32) -> Result<FilePage> {
        let volume = self.core()?;
        Ok(FilePage::of(volume, volume.list(filter.into(), after, rows(limit)).await?))
    }

    /// A page of the deleted files, which can be restored or purged; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list.
    pub async fn list_deleted(&self, after: Option<String>, limit: u32) -> Result<FilePage> {
        let volume = self.core()?;
        Ok(FilePage::of(volume, volume.list_deleted(after, rows(limit)).await?))
    }

    /// Deletes a file: it is out of sight, and can be restored. Its versions stay.
    ///
    /// # Errors
    /// `not_found`; `busy` while another works on it; `invalid` for a version, which can only be purged.
    pub async fn delete(&self, file: FileAt) -> Result<StoredFile> {
        self.file(self.core()?.delete(file.read()?).await)
    }

    /// Brings a deleted file back to its path.
    ///
    /// # Errors
    /// `not_found` when there is no deleted file of that id; `conflict` when another file is at its path by now; `busy`.
    pub async fn restore(&self, id: String) -> Result<StoredFile> {
        self.file(self.core()?.restore(Id::new(id_of("file", &id)?)).await)
    }

    /// The versions of a file that are kept, the latest first; 1,000 at most.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn versions(&self, id: String) -> Result<Vec<StoredFile>> {
        let volume = self.core()?;
        let versions = volume.versions(Id::new(id_of("file", &id)?)).await?;
        Ok(versions.into_iter().map(|file| StoredFile::of(volume, file)).collect())
    }

    /// Puts the content of a version in the place of the file it was of. The version stays.
    ///
    /// # Errors
    /// `not_found` when there is no version of that id, or its file is deleted; as [`put`](Self::put).
    pub async fn restore_version(&self, version: String) -> Result<StoredFile> {
        self.file(self.core()?.restore_version(Id::new(id_of("version", &version)?)).await)
    }

    /// Removes a version, or a deleted file with its versions, for good, and gives the room back.
    ///
    /// # Errors
    /// `not_found`; `conflict` for a file that is not deleted; `busy`.
    pub async fn purge(&self, id: String) -> Result<()> {
        Ok(self.core()?.purge(Id::new(id_of("file", &id)?)).await?)
    }

    /// Makes a link by which anybody can read the file for so long: one second to seven days.
    ///
    /// # Errors
    /// `not_found`; `unsupported` when the place makes no links: only those on S3 do; `invalid` for another time.
    pub async fn share(&self, file: FileAt, valid_ms: i64) -> Result<FileLink> {
        let valid: Duration = milliseconds("valid_ms", valid_ms)?;
        FileLink::of(self.core()?.share(file.read()?, valid).await?)
    }

    /// The links to a file, in the order in which they were made; 1,000 at most.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn shared_links(&self, file: FileAt) -> Result<Vec<SharedLink>> {
        Ok(self.core()?.shared_links(file.read()?).await?.into_iter().map(Into::into).collect())
    }

    /// Marks a link as one that shall not be used any more. The link itself opens the file until it expires.
    ///
    /// # Errors
    /// `not_found`; `stale` when the row was changed at this moment.
    pub async fn revoke_link(&self, link: String) -> Result<SharedLink> {
        Ok(self.core()?.revoke_link(Id::new(id_of("link", &link)?)).await?.into())
    }

    /// Removes at the place what no row knows any more.
    ///
    /// # Errors
    /// As the place.
    pub async fn tidy(&self) -> Result<()> {
        Ok(self.core()?.tidy().await?)
    }

    /// Counts anew what the volume, its users and its apps hold, from the files.
    ///
    /// # Errors
    /// `not_found` when the volume is gone; `storage`, `busy`.
    pub async fn recompute_quotas(&self) -> Result<Usage> {
        Ok(self.core()?.recompute_quotas().await?.into())
    }
}

impl Volume {
    pub(crate) fn new(life: &Arc<Life>, core: portbook::volume::Volume) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core) })
    }

    fn core(&self) -> Result<&portbook::volume::Volume> {
        self.life.check()?;
        self.core.get()
    }

    fn file(&self, file: portbook::Result<portbook::model::Stored<portbook::model::StoredFile>>) -> Result<StoredFile> {
        Ok(StoredFile::of(self.core.get()?, file?))
    }
}

/// An open file. Dropping it ends the read.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct FileReader {
    life: Arc<Life>,
    bytes: Own<Mutex<Option<Pieces>>>,
    ready: Ready<Vec<u8>>,
}

type Pieces = BoxStream<'static, portbook::Result<Bytes>>;

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl FileReader {
    /// The next piece; none after the last, and after an error.
    ///
    /// # Errors
    /// `stale` when the file is not what was put any more; as the place.
    pub async fn next_piece(&self) -> Result<Option<Vec<u8>>> {
        while self.is_ready().await? {
            if let Some(piece) = self.take() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

impl FileReader {
    /// Waits until a piece can be taken; false after the last.
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        self.life.check()?;
        let mut bytes = self.bytes.get()?.lock().await;
        if !self.ready.is_empty() {
            return Ok(true);
        }
        let Some(pieces) = bytes.as_mut() else { return Ok(false) };
        match pieces.next().await {
            Some(Ok(piece)) => {
                self.ready.put([piece.into()]);
                Ok(true)
            }
            Some(Err(error)) => {
                *bytes = None;
                Err(error.into())
            }
            None => {
                *bytes = None;
                Ok(false)
            }
        }
    }

    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.ready.take()
    }
}

/// A file of this machine whose content is put.
struct OnDisk {
    path: PathBuf,
    size: u64,
}

impl OnDisk {
    fn look(path: PathBuf) -> Result<Self> {
        let shown = path.display().to_string();
        let found = path.metadata().map_err(|e| Error::io("read the file", &shown, e))?;
        if !found.is_file() {
            return Err(Error::new(Code::Invalid, "read the file", shown).because("it is not a file").into());
        }
        Ok(Self { path, size: found.len() })
    }
}

#[async_trait]
impl Feed for OnDisk {
    fn size(&self) -> u64 {
        self.size
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> portbook::Result<Opened> {
        let shown = self.path.display().to_string();
        let failed = move |e| Error::io("read the file", &shown, e);
        let mut file = File::open(&self.path).map_err(&failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(&failed)?;
        let (send, receive) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            let mut left = length.unwrap_or(u64::MAX);
            while left > 0 {
                let mut piece = Vec::new();
                let read = (&mut file).take(left.min(PIECE)).read_to_end(&mut piece).map_err(&failed);
                let (is_last, answer) = match read {
                    Ok(0) => return,
                    Ok(bytes) => {
                        left -= bytes as u64;
                        (false, Ok(Bytes::from(piece)))
                    }
                    Err(error) => (true, Err(error)),
                };
                // Whoever reads has enough.
                if send.blocking_send(answer).is_err() || is_last {
                    return;
                }
            }
        });
        let bytes = stream::unfold(receive, |mut receive| async { receive.recv().await.map(|piece| (piece, receive)) });
        Ok(Opened { bytes: bytes.boxed(), mtime: None })
    }
}
