//! The front door: a book is the metastore plus the engine opened on it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::conduit::{self, Upkeep};
use crate::error::{Code, Error, Result};
use crate::model::{TenantId, UserId};
use crate::operation::{Clock, SystemClock};
use crate::session::Session;
use crate::store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write};

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
}

#[derive(Clone)]
enum Location {
    Sqlite(PathBuf),
    Postgres(String),
    Store(Arc<dyn Store>),
}

impl BookOptions {
    /// A book in a SQLite file, made when it is absent.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { location: Location::Sqlite(path.into()), clock: None }
    }

    /// A book in a PostgreSQL database, by its URL.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self { location: Location::Postgres(url.into()), clock: None }
    }

    /// A book in a store that is open already.
    #[must_use]
    pub fn store(store: Arc<dyn Store>) -> Self {
        Self { location: Location::Store(store), clock: None }
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
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
    runtime: Option<Runtime>,
}

impl Book {
    /// Opens a book and brings its schema up to date.
    ///
    /// # Errors
    /// `newer` when a newer version wrote it (it is left untouched), `corrupt` when it is not a book or damaged,
    /// `permission`, `quota`, `busy`, `storage`.
    pub async fn open(options: BookOptions) -> Result<Self> {
        let BookOptions { location, clock } = options;
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("portbook")
            .enable_all()
            .build()
            .map_err(|e| Error::io("start the threads of the book", "", e))?;
        let store: Arc<dyn Store> = match location {
            Location::Store(store) => store,
            Location::Postgres(url) => {
                let open = runtime.spawn(async move { PostgresStore::open(&url, PostgresOptions::default()).await });
                Arc::new(open.await.map_err(|e| Error::new(Code::Internal, "open the book", "").because(e))??)
            }
            Location::Sqlite(path) => {
                let open = runtime.spawn_blocking(move || SqliteStore::open(path, SqliteOptions::default()));
                Arc::new(open.await.map_err(|e| Error::new(Code::Internal, "open the book", "").because(e))??)
            }
        };
        let clock = clock.unwrap_or_else(SystemClock::shared);
        Ok(Self { inner: Arc::new(BookInner { store, clock, runtime: Some(runtime) }) })
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

    /// Upkeep for every tenant of the book; see [`Session::maintain`].
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn maintain(&self) -> Result<Upkeep> {
        let book = self.inner.clone();
        self.inner
            .run(async move {
                let ask = Statement::new("SELECT id FROM tenants ORDER BY id", Vec::new());
                let tenants = book.store.query(ONLY_TENANT, ask).await?;
                let mut sum = Upkeep::default();
                for row in tenants.iter() {
                    let Upkeep { previews, trashed, activity } =
                        conduit::maintain(&book, TenantId(row.uuid(0)?)).await?;
                    sum.previews += previews;
                    sum.trashed += trashed;
                    sum.activity += activity;
                }
                Ok(sum)
            })
            .await
    }

    /// Ends the book: what is under way in it is waited for, later calls fail. A SQLite book is one file afterwards; one
    /// that is dropped without this loses nothing, and keeps a log beside it until it is opened again.
    pub async fn shutdown(&self) {
        self.inner.store.shutdown().await;
    }
}

impl BookInner {
    /// Runs an operation on the book's own threads, so that it may be awaited on any executor.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.runtime.as_ref().ok_or_else(ended)?;
        runtime.spawn(operation).await.map_err(|e| Error::new(Code::Internal, "run the operation", "").because(e))?
    }

    /// Starts an operation that reports for itself.
    pub(crate) fn spawn(&self, operation: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
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

impl Drop for BookInner {
    /// A runtime may not be dropped where blocking is forbidden, and a book may be dropped anywhere.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn ended() -> Error {
    Error::new(Code::Internal, "run the operation", "").because("the book has ended")
}
