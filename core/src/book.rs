//! The front door: a book is the metastore plus the engine opened on it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::conduit::Upkeep;
use crate::error::{Code, Error, Result};
use crate::model::{Stored, Tenant, TenantId, User, UserId};
use crate::operation::clock::micros;
use crate::operation::lease;
use crate::operation::scheduler::{self, Scheduler};
use crate::operation::under_way::UnderWay;
use crate::operation::{Clock, SystemClock};
use crate::provider::{Bandwidth, Limit};
use crate::rows::Rows;
use crate::session::{self, Session};
use crate::store::{
    ActivityRetention, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write,
};
use crate::table::Tables;
use crate::tenants;
use crate::upkeep::{self, CopyReport, Copying, Finding};
use crate::vault::{KeySource, Vault};

/// The tenant of books that only one person uses.
const ONLY_TENANT: TenantId = TenantId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));

/// Its user.
const ONLY_USER: UserId = UserId::new(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));

/// Threads of the engine. The work is in the providers' and the book's own threads; these only lead.
const WORKERS: usize = 2;

/// How a book is opened.
#[derive(Clone)]
pub struct BookOptions {
    location: Location,
    clock: Option<Arc<dyn Clock>>,
    activity: ActivityRetention,
    key: Option<KeySource>,
    machine: Option<String>,
    bandwidth: Option<Bandwidth>,
    memory_bytes: u64,
}

#[derive(Clone)]
enum Location {
    Sqlite(PathBuf),
    Postgres(String, Box<PostgresOptions>),
    Store(Arc<dyn Store>),
}

impl BookOptions {
    /// A book in a SQLite file, made when it is absent.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::at(Location::Sqlite(path.into()))
    }

    /// A book in a PostgreSQL database, by its URL, in the schema `portbook`.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::postgres_with(url, PostgresOptions::default())
    }

    /// A book in a PostgreSQL database, by its URL, opened as the options say.
    pub fn postgres_with(url: impl Into<String>, options: PostgresOptions) -> Self {
        Self::at(Location::Postgres(url.into(), Box::new(options)))
    }

    /// A book in a store that is open already.
    #[must_use]
    pub fn store(store: Arc<dyn Store>) -> Self {
        Self::at(Location::Store(store))
    }

    fn at(location: Location) -> Self {
        Self {
            location,
            clock: None,
            activity: ActivityRetention::default(),
            key: None,
            machine: None,
            bandwidth: None,
            memory_bytes: scheduler::BUDGET,
        }
    }

    /// How long lines of activity are kept; a year unless told otherwise.
    #[must_use]
    pub fn activity(mut self, retention: ActivityRetention) -> Self {
        self.activity = retention;
        self
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Names the machine among those that share the book, instead of what it says of itself. Two that may use the book at
    /// the same time must not have one name: a machine takes over what a killed process of its own left behind.
    #[must_use]
    pub fn machine(mut self, name: impl Into<String>) -> Self {
        self.machine = Some(name.into());
        self
    }

    /// Limits what all runs and volumes of this process may carry together, beside the limits of each.
    #[must_use]
    pub fn bandwidth(mut self, bandwidth: Bandwidth) -> Self {
        self.bandwidth = Some(bandwidth);
        self
    }

    /// How many bytes of files all runs of this process may hold at once; 128 MiB unless told otherwise, and never less than
    /// 64 MiB. Small files have a quarter of it, large ones the rest; a run that finds no room waits for its turn. A file so
    /// large that a service takes it only in parts of more than 8 MiB has room for two of them in any case.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Seals and opens the secrets of the book with this key. A book without secrets takes any, and keeps its first
    /// secret by it. The key is derived and checked when a secret is first sealed or opened, not when the book is
    /// opened; without one everything works that needs no secret.
    #[must_use]
    pub fn key(mut self, key: KeySource) -> Self {
        self.key = Some(key);
        self
    }
}

/// A book: cheap to clone, safe to share between threads.
///
/// Its operations may be awaited on any executor; the work is done on the book's own threads.
#[derive(Clone)]
pub struct Book {
    inner: Arc<BookInner>,
}

pub(crate) struct BookInner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) activity: ActivityRetention,
    pub(crate) vault: Arc<Vault>,
    /// How this machine is named in leases.
    pub(crate) machine: String,
    /// What this process may carry in all.
    pub(crate) limit: Option<Arc<Limit>>,
    /// The same to and from each volume that has a limit.
    pub(crate) volume_limits: crate::volume::Limits,
    /// What all runs of this process may hold in memory together.
    pub(crate) scheduler: Arc<Scheduler>,
    /// Told when a run of this process has written its progress.
    pub(crate) progress_written: Arc<Notify>,
    /// The runs of this process.
    pub(crate) under_way: Arc<UnderWay>,
    threads: Threads,
}

impl Book {
    /// Opens a book and brings its schema up to date.
    ///
    /// # Errors
    /// `newer` when a newer version wrote it (it is left untouched), `corrupt` when it is not a book or damaged,
    /// `permission`, `quota`, `busy`, `storage`.
    pub async fn open(options: BookOptions) -> Result<Self> {
        let BookOptions { location, clock, activity, key, machine, bandwidth, memory_bytes } = options;
        let threads = Threads::start()?;
        let runtime = threads.get()?;
        let store: Arc<dyn Store> = match location {
            Location::Store(store) => store,
            Location::Postgres(url, options) => {
                let open = runtime.spawn(async move { PostgresStore::open(&url, *options).await });
                Arc::new(open.await.map_err(|e| Error::new(Code::Internal, "open the book", "").because(e))??)
            }
            Location::Sqlite(path) => {
                let open = runtime.spawn_blocking(move || SqliteStore::open(path, SqliteOptions::default()));
                Arc::new(open.await.map_err(|e| Error::new(Code::Internal, "open the book", "").because(e))??)
            }
        };
        let looked = store.clone();
        let unfinished = runtime.spawn(async move {
            looked.query(ONLY_TENANT, Statement::new("SELECT number FROM book_copy", Vec::new())).await
        });
        if !unfinished.await.map_err(|e| Error::new(Code::Internal, "open the book", "").because(e))??.is_empty() {
            return Err(Error::new(Code::Corrupt, "open the book", "")
                .because("it is a copy that was not finished")
                .advise("remove it, and copy again"));
        }
        let clock = clock.unwrap_or_else(SystemClock::shared);
        let vault = Arc::new(Vault::new(store.clone(), key));
        let progress_written = Arc::new(Notify::new());
        let machine = machine.map_or_else(lease::machine, |name| lease::machine_named(&name));
        let limit = bandwidth.map(Limit::new);
        let scheduler = Scheduler::new(memory_bytes);
        let inner = BookInner {
            store,
            clock,
            activity,
            vault,
            machine,
            limit,
            volume_limits: crate::volume::Limits::default(),
            scheduler,
            progress_written,
            under_way: Arc::default(),
            threads,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Waits for an operation of this book, on a thread that may block.
    ///
    /// ```
    /// use portbook::{Book, BookOptions};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
    /// let session = book.wait(book.default_session()).unwrap();
    /// ```
    pub fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        crate::wait(operation)
    }

    /// Acts as the only user of the only tenant, both made when they are absent: for programs with one user.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn default_session(&self) -> Result<Session> {
        let inner = self.inner.clone();
        self.inner.run(async move { inner.ensure_only_user().await }).await?;
        Ok(Session::new(self.inner.clone(), ONLY_TENANT, ONLY_USER))
    }

    /// Acts as a user of a tenant.
    ///
    /// # Errors
    /// `not_found` when there is no such user of that tenant.
    pub async fn session(&self, tenant: TenantId, user: UserId) -> Result<Session> {
        let store = self.inner.store.clone();
        let known = self.inner.run(async move {
            let find = Statement::new(
                "SELECT 1 FROM users WHERE tenant_id = ?1 AND id = ?2",
                vec![Value::Uuid(tenant.0), Value::Uuid(user.0)],
            );
            Ok(!store.query(tenant, find).await?.is_empty())
        });
        if !known.await? {
            return Err(Error::new(Code::NotFound, "find the user", user).because("this tenant has none of this id"));
        }
        Ok(Session::new(self.inner.clone(), tenant, user))
    }

    /// Makes a tenant, without users.
    ///
    /// # Errors
    /// `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.
    pub async fn create_tenant(&self, name: impl Into<String>) -> Result<Tenant> {
        let (book, name) = (self.inner.clone(), name.into());
        self.inner.run(async move { tenants::create(&*book.store, name, book.clock.now()).await }).await
    }

    /// The tenants in the order in which they were made, after `after`; 1,000 at most.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn tenants(&self, after: Option<TenantId>, limit: usize) -> Result<Vec<Tenant>> {
        let book = self.inner.clone();
        self.inner.run(async move { tenants::list(&*book.store, after, limit.clamp(1, 1000)).await }).await
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    /// `not_found`; `invalid` as for [`create_tenant`](Self::create_tenant); `storage`, `busy`.
    pub async fn rename_tenant(&self, id: TenantId, name: impl Into<String>) -> Result<Tenant> {
        let (book, name) = (self.inner.clone(), name.into());
        self.inner.run(async move { tenants::rename(&*book.store, id, name, book.clock.now()).await }).await
    }

    /// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where it is.
    ///
    /// # Errors
    /// `not_found`; `busy` while one of its conduits runs; `storage`.
    pub async fn delete_tenant(&self, id: TenantId) -> Result<()> {
        let book = self.inner.clone();
        self.inner.run(async move { tenants::delete(&*book.store, id, book.clock.now()).await }).await
    }

    /// Makes a user of a tenant, the first one among them; more than that through [`Session::rows`].
    ///
    /// ```
    /// use portbook::model::User;
    /// use portbook::{Book, BookOptions, wait};
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// let tenant = wait(book.create_tenant("Harbour Ltd"))?;
    /// let ada = User { email: Some("ada@example.com".into()), display_name: "Ada".into() };
    /// let user = wait(book.create_user(tenant.id, ada))?;
    /// let session = wait(book.session(tenant.id, user.id))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `not_found` when there is no such tenant; `conflict` when it has a user of this address; `invalid`.
    pub async fn create_user(&self, tenant: TenantId, user: User) -> Result<Stored<User>> {
        let book = self.inner.clone();
        self.inner.run(async move { tenants::get(&*book.store, tenant).await }).await?;
        Rows::new(self.inner.clone(), self.inner.tables(tenant)).create(user).await
    }

    /// Upkeep for every tenant of the book; see [`Session::maintain`].
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn maintain(&self) -> Result<Upkeep> {
        let book = self.inner.clone();
        self.inner
            .run(async move {
                let mut sum = Upkeep::default();
                for tenant in book.store.tenants().await? {
                    let Upkeep { previews, trashed, activity, transfers, reservations } =
                        session::upkeep(&book, tenant).await?;
                    sum.previews += previews;
                    sum.trashed += trashed;
                    sum.activity += activity;
                    sum.transfers += transfers;
                    sum.reservations += reservations;
                }
                book.store.tend_activity(micros(book.clock.now()), book.activity).await?;
                Ok(sum)
            })
            .await
    }

    /// Makes `new` the key of the book's secrets, for every tenant and every process. Nothing is encrypted anew: the
    /// tenants' data keys are wrapped by the new key, in one transaction. Other processes have to be given the new key.
    ///
    /// ```
    /// use portbook::vault::KeySource;
    /// use portbook::{Book, BookOptions};
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (old_key, new_key) = (vec![1; 32], vec![2; 32]);
    /// let options = BookOptions::sqlite(dir.path().join("book.db")).key(KeySource::raw(old_key.into())?);
    /// let book = portbook::wait(Book::open(options))?;
    /// book.wait(book.rotate_key(KeySource::raw(new_key.into())?))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `wrong_key` when the book was opened with another key than its secrets are kept by, or with none; `host`,
    /// `storage`, `busy`. The key is then the one it was.
    pub async fn rotate_key(&self, new: KeySource) -> Result<()> {
        let vault = self.inner.vault.clone();
        self.inner.run(async move { vault.rotate_key(new).await }).await
    }

    /// Looks whether the book holds together: the engine's own check, references that lead nowhere, and what the
    /// ledger's rules say. Reads the whole book. An empty answer is a sound book.
    ///
    /// # Errors
    /// `storage`, `busy`. What is wrong with the book is the answer, not an error.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        let (store, now) = (self.inner.store.clone(), micros(self.inner.clock.now()));
        let check = async move {
            let tenants = store.tenants().await?;
            upkeep::check::check(&*store, &tenants, now).await
        };
        self.inner.run(check).await
    }

    /// Gives the space of deleted rows back. Others who write to the book wait meanwhile.
    ///
    /// # Errors
    /// `busy` when another process keeps the book; `quota`: a file needs its own size once more; `storage`.
    pub async fn vacuum(&self) -> Result<()> {
        let store = self.inner.store.clone();
        self.inner.run(async move { store.vacuum().await }).await
    }

    /// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
    ///
    /// ```
    /// # use portbook::{Book, BookOptions};
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let copy = dir.path().join("copy.db");
    /// let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// portbook::wait(book.backup(&copy))?;
    /// assert!(portbook::wait(portbook::wait(Book::open(BookOptions::sqlite(copy)))?.check())?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`, `storage`.
    pub async fn backup(&self, to: impl Into<PathBuf>) -> Result<()> {
        let (store, to) = (self.inner.store.clone(), to.into());
        self.inner.run(async move { store.backup(&to).await }).await
    }

    /// Copies every row into another book, new and empty and on the other engine: from SQLite to PostgreSQL or back.
    /// Both are compared at the end, row by row. Until then the other book counts as unfinished and cannot be opened.
    ///
    /// # Errors
    /// `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a run is under way;
    /// `unsupported` when both are on the same engine; `permission` when the role that opened a book on PostgreSQL to copy
    /// into does not own its tables; `cancelled`; as for opening, of either.
    pub async fn copy_into(&self, other: &Book, copying: &Copying) -> Result<CopyReport> {
        let (from, to, copying) = (self.inner.store.clone(), other.inner.store.clone(), copying.clone());
        self.inner.run(async move { upkeep::copy::copy(&*from, &*to, &copying).await }).await
    }

    /// Cancels every run of this process that is under way in the book, and waits until each has written its end. For a host
    /// that ends: the next runs go on from there. A paused run ends, too.
    ///
    /// ```
    /// # use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
    /// # use portbook::{Book, BookOptions};
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # std::fs::create_dir(dir.path().join("a")).unwrap();
    /// # let (source, target) = (Place::Local(dir.path().join("a")), Place::Local(dir.path().join("b")));
    /// let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// # let session = portbook::wait(book.default_session())?;
    /// # let conduit = portbook::wait(session.connect(source, target, ConduitOptions::default()))?;
    /// let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default());
    /// portbook::wait(book.end_runs());
    /// let report = portbook::wait(run.finish())?;
    /// # drop(report);
    /// portbook::wait(book.shutdown());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end_runs(&self) {
        let under_way = self.inner.under_way.clone();
        under_way.end().await;
    }

    /// Ends the book: what is under way in it is waited for, later calls fail. A SQLite book is one file afterwards; one
    /// that is dropped without this loses nothing, and keeps a log beside it until it is opened again.
    pub async fn shutdown(&self) {
        self.inner.store.shutdown().await;
    }
}

impl BookInner {
    /// The tables of one tenant.
    pub(crate) fn tables(&self, tenant: TenantId) -> Tables {
        let (store, clock, vault) = (self.store.clone(), self.clock.clone(), self.vault.clone());
        Tables { store, clock, vault, tenant }
    }

    /// Runs an operation on the book's own threads, so that it may be awaited on any executor.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.threads
            .get()?
            .spawn(operation)
            .await
            .map_err(|e| Error::new(Code::Internal, "run the operation", "").because(e))?
    }

    /// Starts an operation that reports for itself.
    pub(crate) fn spawn(&self, operation: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = self.threads.get() {
            runtime.spawn(operation);
        }
    }

    async fn ensure_only_user(&self) -> Result<()> {
        let find = Statement::new(
            "SELECT 1 FROM users WHERE tenant_id = ?1 AND id = ?2",
            vec![Value::Uuid(ONLY_TENANT.0), Value::Uuid(ONLY_USER.0)],
        );
        if !self.store.query(ONLY_TENANT, find).await?.is_empty() {
            return Ok(());
        }
        let tenant = Statement::new(
            "INSERT INTO tenants (id, name) VALUES (?1, 'default') ON CONFLICT (id) DO NOTHING",
            vec![Value::Uuid(ONLY_TENANT.0)],
        );
        let user = Statement::new(
            "INSERT INTO users (id, tenant_id, display_name) VALUES (?1, ?2, 'default') ON CONFLICT (id) DO NOTHING",
            vec![Value::Uuid(ONLY_USER.0), Value::Uuid(ONLY_TENANT.0)],
        );
        self.store.write(ONLY_TENANT, vec![Write::Execute(tenant), Write::Execute(user)]).await.map(|_| ())
    }
}

/// The book's own threads.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(WORKERS).thread_name("portbook").enable_all().build();
        runtime.map(|r| Self(Some(r))).map_err(|e| Error::io("start the threads of the book", "", e))
    }

    fn get(&self) -> Result<&Runtime> {
        self.0.as_ref().ok_or_else(ended)
    }
}

impl Drop for Threads {
    /// A runtime may not be dropped where blocking is forbidden, and a book may be dropped, or fail to open, anywhere.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn ended() -> Error {
    Error::new(Code::Internal, "run the operation", "").because("the book has ended")
}
