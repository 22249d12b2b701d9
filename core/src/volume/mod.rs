//! The files of a volume: put, looked at, read, deleted and brought back under the rules of its row.
//!
//! A volume is a row of `storage_volumes` and the provider behind it. Its rules say where a file lies
//! (`default_prefix`, `enforce_hierarchy`, `path_delimiter`, `auto_path_strategy`), what is kept of a file that is
//! overwritten (`versioning_mode`), and how much it may hold (`quota_limit`, `user_quotas`, `app_quotas`). Every file is
//! in an area of its own: `PREFIX/users/USER/…` or `PREFIX/apps/APP/…`.
//!
//! What always holds:
//!
//! - a row of `files` that is not deleted has its content, whole and durable, before anybody can see it;
//! - nothing moves before its room is promised: a row of `quota_reservation`, made in one transaction together with a
//!   row of `files` that is marked as deleted. These two are the intent: they say where a content may lie that nobody
//!   confirmed. They go in the transaction that counts the file;
//! - one task at a time has a path. Its reservation is the lock, by the digest of the path in front of `owner`;
//! - a task whose process died expires. Whoever comes next (opening the volume, the next task at that path, upkeep)
//!   takes it over and brings back what was before: see `recover`;
//! - what is deleted or kept as a version waits in `.portbook/kept/` until it is restored or purged, and counts until
//!   then: `quota_used` is the sum of the sizes of all rows.
//!
//! Conduits that end on a volume keep the same rules for what they carry: see `carried`.
//!
//! `bandwidth` in a volume's `config` limits how fast bytes pass to and from it (see [`Bandwidth`](crate::provider::Bandwidth)).

mod carried;
mod feed;
mod folders;
mod limit;
mod look;
mod mime;
mod open;
mod path;
mod plan;
mod put;
mod quota;
mod recover;
mod rows;
mod saved;
mod share;
mod shelf;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use self::path::{Area, Layout};
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{
    AppQuota, CloudSharedLink, Id, Json, Namespace, SecretBytes, StorageVolume, Stored, StoredFile, TenantId, UserId,
    UserQuota,
};
use crate::provider::{Feed, Opened, Pace, Provider};

pub(crate) use self::carried::{
    Coming, DirMove, End, FileMove, Gone, Happened, Kept, Overwritten, Room, There, Version,
};
pub(crate) use self::limit::{Limits, of_conduit as limits_of_conduit, set as set_bandwidth};
pub(crate) use self::open::{Naming, open};
pub(crate) use self::recover::maintain;
pub use self::saved::SavedVolume;
pub(crate) use self::saved::{directory, place, remove, save, save_directory, saved};

/// How long room stays promised when nobody renews it. A transfer that lives renews it three times as often.
const PROMISE: Duration = Duration::from_secs(600);

/// A file's id.
pub type FileId = Id<StoredFile>;

/// The id of a link to a file.
pub type LinkId = Id<CloudSharedLink>;

/// A link that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct FileLink {
    /// Its row; the URL in it is sealed.
    pub link: Stored<CloudSharedLink>,
    /// The URL: whoever has it can read the file until the link expires.
    pub url: SecretBytes,
}

/// The bytes of a new file.
#[derive(Clone)]
pub enum Content {
    /// They are all there.
    Bytes(Bytes),
    /// They are read when the place is ready for them. A feed that gives more than it declared is refused at the byte
    /// that exceeds it. It is opened twice where the volume's paths are content addresses.
    Feed(Arc<dyn Feed>),
}

/// A file to be put on a volume.
#[derive(Clone)]
pub struct NewFile {
    /// Where it goes within its area, its segments separated by the volume's delimiter; none: the volume finds a path
    /// (`auto_path_strategy`).
    pub path: Option<String>,
    /// The name it was given; never empty.
    pub filename: String,
    /// Whose part of the volume it goes to: that of the session's user, or that of the app.
    pub namespace: Namespace,
    /// The app that owns it; required for the part of an app.
    pub app_id: Option<String>,
    /// The host's own: a JSON object, or null for an empty one.
    pub metadata: Json,
    /// Whether anyone may read it.
    pub is_public: bool,
    /// Its bytes.
    pub content: Content,
}

impl NewFile {
    /// A file of the session's user, at a path.
    pub fn at(path: impl Into<String>, content: Content) -> Self {
        let path = path.into();
        let filename = path.rsplit('/').next().unwrap_or_default().to_owned();
        Self { path: Some(path), ..Self::named(filename, content) }
    }

    /// A file of the session's user, for which the volume finds a path.
    pub fn named(filename: impl Into<String>, content: Content) -> Self {
        Self {
            path: None,
            filename: filename.into(),
            namespace: Namespace::Users,
            app_id: None,
            metadata: Json(serde_json::Value::Null),
            is_public: false,
            content,
        }
    }

    /// The same, in the part of an app.
    #[must_use]
    pub fn of_app(mut self, app: impl Into<String>) -> Self {
        (self.namespace, self.app_id) = (Namespace::Apps, Some(app.into()));
        self
    }
}

/// A file of a volume, by what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRef {
    /// By its id: a file of the session's user, of an app, a version of one, or a public one of another user.
    Id(FileId),
    /// By its path in the part of the session's user.
    Path(String),
    /// By its path in the part of an app.
    AppPath {
        /// The app.
        app_id: String,
        /// The path in its part.
        path: String,
    },
}

impl From<FileId> for FileRef {
    fn from(id: FileId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for FileRef {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

/// Which files a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFilter {
    /// Those of this app; none: those of the session's user.
    pub app_id: Option<String>,
    /// Only those whose path begins like this.
    pub prefix: String,
}

/// A page of files.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePage {
    /// The files, in the order of their storage paths; deleted ones in the order in which they were made.
    pub files: Vec<Stored<StoredFile>>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// What a volume, its users and its apps hold, counted anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Bytes on the volume.
    pub volume: i64,
    /// Of each user that has a quota on it.
    pub users: Vec<Stored<UserQuota>>,
    /// Of each app that has one.
    pub apps: Vec<Stored<AppQuota>>,
}

/// A volume, opened. Cheap to clone. Its rules are those that its row had then; whether it is active and how much it may
/// hold is asked each time.
///
/// ```
/// use futures_util::TryStreamExt as _;
/// use portbook::model::{AutoPathStrategy, Driver, Json, LocalPath, StorageVolume, VersioningMode};
/// use portbook::volume::{Content, NewFile};
/// use portbook::{Book, BookOptions, Code};
///
/// # fn main() -> portbook::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let shared = dir.path().join("shared");
/// # std::fs::create_dir(&shared).unwrap();
/// let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
/// let session = portbook::wait(book.default_session())?;
/// // A directory that volumes may be in, and a volume of at most ten bytes that keeps what is overwritten.
/// let path = LocalPath { path: shared.to_string_lossy().into_owned(), description: None };
/// let path = portbook::wait(session.rows::<LocalPath>().create(path))?;
/// portbook::wait(session.rows::<StorageVolume>().create(StorageVolume {
///     name: "shared".into(),
///     driver: Driver::Local,
///     config: Json(serde_json::json!({ "local_path_id": path.id })),
///     default_prefix: None,
///     enforce_hierarchy: true,
///     path_delimiter: "/".into(),
///     use_query_params: false,
///     auto_path_strategy: AutoPathStrategy::None,
///     versioning_mode: VersioningMode::Target,
///     quota_limit: Some(10),
///     quota_used: 0,
///     is_active: true,
/// }))?;
///
/// let volume = portbook::wait(session.volume("shared"))?;
/// let content = |text: &'static str| Content::Bytes(text.into());
/// let made = portbook::wait(volume.put(NewFile::at("notes/today.txt", content("one"))))?;
/// assert_eq!((made.row.size, made.row.mime_type.as_deref()), (3, Some("text/plain")));
///
/// // What is overwritten becomes a version, and both count.
/// portbook::wait(volume.put(NewFile::at("notes/today.txt", content("two"))))?;
/// let versions = portbook::wait(volume.versions(made.id))?;
/// let old = portbook::wait(volume.get(versions[0].id, 0, None))?;
/// let old: Vec<_> = portbook::wait(old.bytes.try_collect())?;
/// assert_eq!(old.concat(), b"one");
/// let refused = portbook::wait(volume.put(NewFile::at("more.txt", content("12345")))).unwrap_err();
/// assert_eq!(refused.code(), Code::Quota);
///
/// // What is deleted can be brought back until it is purged.
/// portbook::wait(volume.delete("notes/today.txt"))?;
/// assert!(portbook::wait(volume.stat("notes/today.txt")).is_err());
/// portbook::wait(volume.restore(made.id))?;
/// assert_eq!(portbook::wait(volume.stat("notes/today.txt"))?.row.version_no, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Volume {
    inner: Arc<Inner>,
}

struct Inner {
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    row: Stored<StorageVolume>,
    layout: Layout,
    place: Arc<dyn Provider>,
    /// Asked as bytes pass to and from it.
    pace: Pace,
    /// Names this opening in reservations.
    process: String,
    promise: Duration,
}

impl Volume {
    /// The row of the volume, as it was when it was opened.
    #[must_use]
    pub fn row(&self) -> &Stored<StorageVolume> {
        &self.inner.row
    }

    /// The same volume, on which room stays promised for so long when nobody renews it; ten minutes unless told otherwise.
    /// That is how long a process that dies keeps room and a path from others.
    #[must_use]
    pub fn promising(&self, promise: Duration) -> Self {
        let Inner { book, tenant, user, row, layout, place, pace, .. } = &*self.inner;
        let inner = Inner {
            book: book.clone(),
            tenant: *tenant,
            user: *user,
            row: row.clone(),
            layout: layout.clone(),
            place: place.clone(),
            pace: pace.clone(),
            process: open::process(book),
            promise,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Puts a file on the volume, where there is one in the place of that. Room for it is promised before a byte moves.
    ///
    /// A file that is overwritten keeps its id. In the versioning mode `none` its former content goes to the trash of the
    /// place; in `target` it becomes a version, unless the new one is the same; in `source` it always does.
    ///
    /// # Errors
    /// `quota` when the volume, the user or the app may not hold it; `invalid` when path, name or metadata cannot be held or
    /// the volume is not active; `busy` while another puts a file there; `conflict` when something is there that is no file of
    /// the volume, or that changed meanwhile; `stale` when the source gave fewer or more bytes than it declared; as the place.
    pub async fn put(&self, file: NewFile) -> Result<Stored<StoredFile>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.put(file).await }).await
    }

    /// Opens a file at `offset`, to its end or for `length` bytes.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is another user's and not public; `invalid` when it ends before `offset`; `stale`
    /// when what is there is not what was put, then or while it is read; as the place.
    pub async fn get(&self, file: impl Into<FileRef>, offset: u64, length: Option<u64>) -> Result<Opened> {
        let (inner, file) = (self.inner.clone(), file.into());
        self.inner.book.run(async move { inner.get(&file, offset, length).await.map(feed::driven) }).await
    }

    /// What the book knows of a file.
    ///
    /// # Errors
    /// `not_found` as for [`get`](Self::get).
    pub async fn stat(&self, file: impl Into<FileRef>) -> Result<Stored<StoredFile>> {
        let (inner, file) = (self.inner.clone(), file.into());
        self.inner.book.run(async move { inner.find(&file).await }).await
    }

    /// A page of the files that are not deleted, versions left out, after the page that ended there; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when no path can begin like that.
    pub async fn list(&self, filter: FileFilter, after: Option<String>, limit: usize) -> Result<FilePage> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.list(&filter, after, limit).await }).await
    }

    /// A page of the deleted files of the session's user and of apps, which can be restored or purged; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list.
    pub async fn list_deleted(&self, after: Option<String>, limit: usize) -> Result<FilePage> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.list_deleted(after, limit).await }).await
    }

    /// The path that a host gives for a file, from its storage path; none for a version, and for a file of another user.
    #[must_use]
    pub fn path_of(&self, file: &StoredFile) -> Option<String> {
        self.inner.layout.given(&self.inner.area_of(file)?, &file.storage_path)
    }

    /// Deletes a file: it is out of sight, and can be restored. Its versions stay.
    ///
    /// # Errors
    /// `not_found`; `busy` while another works on it; `invalid` for a version, which can only be purged.
    pub async fn delete(&self, file: impl Into<FileRef>) -> Result<Stored<StoredFile>> {
        let (inner, file) = (self.inner.clone(), file.into());
        self.inner.book.run(async move { inner.delete(&file).await }).await
    }

    /// Brings a deleted file back to its path.
    ///
    /// # Errors
    /// `not_found` when there is no deleted file of that id; `conflict` when another file is at its path by now; `busy`.
    pub async fn restore(&self, id: FileId) -> Result<Stored<StoredFile>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.restore(id).await }).await
    }

    /// The versions of a file that are kept, the latest first; 1,000 at most.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn versions(&self, id: FileId) -> Result<Vec<Stored<StoredFile>>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.versions(id).await }).await
    }

    /// Puts the content and the name of a version in the place of the file it was of, as [`put`](Self::put) does: what the file
    /// is now becomes a version, unless the volume keeps none. The version stays.
    ///
    /// # Errors
    /// `not_found` when there is no version of that id, or its file is deleted; as [`put`](Self::put).
    pub async fn restore_version(&self, version: FileId) -> Result<Stored<StoredFile>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.restore_version(version).await }).await
    }

    /// Removes a version, or a deleted file with its versions, for good, and gives the room back. A bucket that keeps versions
    /// of its own keeps those until a rule of it removes them: see [`provider::s3`](crate::provider::s3).
    ///
    /// # Errors
    /// `not_found`; `conflict` for a file that is not deleted; `busy`.
    pub async fn purge(&self, id: FileId) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.purge(id).await }).await
    }

    /// Makes a link by which anybody can read the file for so long: one second to seven days, which is the most that S3 allows.
    /// It opens what is at the file's path when it is used: the new content of a file that was put again, nothing of one
    /// that was deleted. Its row is in `cloud_shared_links`, and the URL can be revealed from there
    /// (`Session::rows::<CloudSharedLink>()`).
    ///
    /// # Errors
    /// `not_found`, also for a file that the session's user may read and not change; `unsupported` when the place makes no
    /// links: only those on S3 do; `invalid` for another time; `stale` when the content is gone; as the place.
    pub async fn share(&self, file: impl Into<FileRef>, valid: Duration) -> Result<FileLink> {
        let (inner, file) = (self.inner.clone(), file.into());
        self.inner.book.run(async move { inner.share(&file, valid).await }).await
    }

    /// The links to a file, deleted or not, in the order in which they were made; 1,000 at most. One that has expired is not
    /// active any more.
    ///
    /// # Errors
    /// `not_found` as for [`share`](Self::share).
    pub async fn shared_links(&self, file: impl Into<FileRef>) -> Result<Vec<Stored<CloudSharedLink>>> {
        let (inner, file) = (self.inner.clone(), file.into());
        self.inner.book.run(async move { inner.shared_links(&file).await }).await
    }

    /// Marks a link as one that shall not be used any more. **The link itself opens the file until it expires**: a service
    /// cannot take a signed URL back. To end it at once, delete or move the file, or change the keys of the bucket.
    ///
    /// # Errors
    /// `not_found`; `stale` when the row was changed at this moment.
    pub async fn revoke_link(&self, link: LinkId) -> Result<Stored<CloudSharedLink>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.revoke_link(link).await }).await
    }

    /// Removes at the place what no row knows any more: the trash of more than 30 days, and what is kept without a row. For a
    /// volume of this machine the book's own upkeep does it; a place across the network is not asked for it unbidden.
    ///
    /// # Errors
    /// As the place.
    pub async fn tidy(&self) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.tidy().await.map(drop) }).await
    }

    /// Counts anew what the volume, its users and its apps hold, from the files: for when a quota is given to somebody who has
    /// files already, or rows were changed by hand.
    ///
    /// # Errors
    /// `not_found` when the volume is gone; `storage`, `busy`.
    pub async fn recompute_quotas(&self) -> Result<Usage> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.recompute_quotas().await }).await
    }
}

impl Inner {
    fn area(&self, namespace: Namespace, app: Option<&String>) -> Result<Area> {
        match (namespace, app) {
            (Namespace::Users, _) => Ok(Area::User(self.user)),
            (Namespace::Apps, Some(app)) => Ok(Area::App(app.clone())),
            (Namespace::Apps, None) => {
                Err(Error::new(Code::Invalid, "use the part of an app of", &self.row.row.name)
                    .because("no app is named"))
            }
        }
    }

    /// The area of a file that this user may change; none of another user's.
    fn area_of(&self, file: &StoredFile) -> Option<Area> {
        match (file.namespace, file.user_id, &file.app_id) {
            (Namespace::Users, Some(user), _) if user == self.user => Some(Area::User(user)),
            (Namespace::Apps, _, Some(app)) => Some(Area::App(app.clone())),
            (Namespace::Users | Namespace::Apps, _, _) => None,
        }
    }

    fn now(&self) -> i64 {
        crate::operation::clock::micros(self.book.clock.now())
    }

    /// Words for a file that is not there, or not for this user.
    fn missing(&self, id: impl std::fmt::Display) -> Error {
        Error::new(Code::NotFound, "find the file", id).because("the volume has none of this name")
    }
}

/// A new id, in the order of creation.
fn new_id() -> FileId {
    Id::new(Uuid::now_v7())
}
