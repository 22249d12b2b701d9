//! A book: opened, shut down, kept in order.

use std::sync::Arc;

use portbook::model::{Id, TenantId};
use portbook::upkeep::Copying;
use portbook::vault::KeySource;
use tokio::sync::OnceCell;

use crate::error::Result;
use crate::keys::HostKeys;
use crate::life::{Life, Own};
use crate::records::{
    BookOptions, CopyProgress, CopyReport, Finding, KeyOptions, NewUser, Tenant, Upkeep, User, id_of, rows,
};
use crate::session::Session;

/// An opened book. It has its own threads: its operations may be awaited on any executor, and a handle may be shared between
/// threads and dropped on any of them.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Book {
    life: Arc<Life>,
    core: Own<portbook::Book>,
    /// Whoever calls while another ends the book waits for the same end.
    end: OnceCell<()>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Book {
    /// Opens a book and brings its schema up to date.
    ///
    /// # Errors
    /// `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged; `permission`, `quota`,
    /// `busy`, `storage`; `offline`, `auth` for a server.
    #[cfg_attr(feature = "uniffi", uniffi::constructor)]
    pub async fn open(options: BookOptions) -> Result<Arc<Self>> {
        Self::opened(options.read(None)?).await
    }

    /// As [`open`](Self::open), with the key of its secrets in the host's keeping. It is asked for when a secret is first sealed
    /// or opened.
    ///
    /// # Errors
    /// As there.
    #[cfg_attr(feature = "uniffi", uniffi::constructor)]
    pub async fn open_with_keys(options: BookOptions, keys: Arc<HostKeys>) -> Result<Arc<Self>> {
        Self::opened(options.read(Some(keys.source()))?).await
    }

    /// Acts as the only user of the only tenant, both made when they are absent: for programs with one user.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn default_session(&self) -> Result<Arc<Session>> {
        let session = self.core()?.default_session().await?;
        Ok(Session::new(&self.life, session))
    }

    /// Acts as a user of a tenant.
    ///
    /// # Errors
    /// `not_found` when there is no such user of that tenant.
    pub async fn session(&self, tenant: String, user: String) -> Result<Arc<Session>> {
        let (tenant, user) = (TenantId(id_of("tenant", &tenant)?), Id::new(id_of("user", &user)?));
        let session = self.core()?.session(tenant, user).await?;
        Ok(Session::new(&self.life, session))
    }

    /// Makes a tenant, without users.
    ///
    /// # Errors
    /// `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.
    pub async fn create_tenant(&self, name: String) -> Result<Tenant> {
        Ok(self.core()?.create_tenant(name).await?.into())
    }

    /// The tenants in the order in which they were made, after the one of that id; 1,000 at most.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn tenants(&self, after: Option<String>, limit: u32) -> Result<Vec<Tenant>> {
        let after = after.map(|id| id_of("after", &id).map(TenantId)).transpose()?;
        Ok(self.core()?.tenants(after, rows(limit)).await?.into_iter().map(Into::into).collect())
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    /// `not_found`; `invalid` as for [`create_tenant`](Self::create_tenant).
    pub async fn rename_tenant(&self, id: String, name: String) -> Result<Tenant> {
        let id = TenantId(id_of("tenant", &id)?);
        Ok(self.core()?.rename_tenant(id, name).await?.into())
    }

    /// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where it is.
    ///
    /// # Errors
    /// `not_found`; `busy` while one of its conduits runs.
    pub async fn delete_tenant(&self, id: String) -> Result<()> {
        let id = TenantId(id_of("tenant", &id)?);
        Ok(self.core()?.delete_tenant(id).await?)
    }

    /// Makes a user of a tenant.
    ///
    /// # Errors
    /// `not_found` when there is no such tenant; `conflict` when it has a user of this address; `invalid`.
    pub async fn create_user(&self, tenant: String, user: NewUser) -> Result<User> {
        let tenant = TenantId(id_of("tenant", &tenant)?);
        Ok(self.core()?.create_user(tenant, user.into()).await?.into())
    }

    /// Removes what has outlived its time, for every tenant.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn maintain(&self) -> Result<Upkeep> {
        Ok(self.core()?.maintain().await?.into())
    }

    /// Makes this the key of the book's secrets. Other processes have to be given it, too.
    ///
    /// # Errors
    /// `wrong_key` when the book was opened with another key than its secrets are kept by, or with none; `storage`, `busy`.
    pub async fn rotate_key(&self, key: KeyOptions) -> Result<()> {
        self.rotate(key.read()?).await
    }

    /// As [`rotate_key`](Self::rotate_key), to a key in the host's keeping.
    ///
    /// # Errors
    /// As there; `host`, `timeout`.
    pub async fn rotate_to_host_keys(&self, keys: Arc<HostKeys>) -> Result<()> {
        self.rotate(keys.source()).await
    }

    /// Looks whether the book holds together. Reads the whole book. An empty answer is a sound book.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        Ok(self.core()?.check().await?.into_iter().map(Into::into).collect())
    }

    /// Gives the space of deleted rows back.
    ///
    /// # Errors
    /// `busy` when another process keeps the book; `quota`, `storage`.
    pub async fn vacuum(&self) -> Result<()> {
        Ok(self.core()?.vacuum().await?)
    }

    /// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
    ///
    /// # Errors
    /// `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`, `storage`.
    pub async fn backup(&self, to: String) -> Result<()> {
        Ok(self.core()?.backup(to).await?)
    }

    /// A copy of every row into another book, new and empty and on the other engine. It begins when it is finished.
    ///
    /// # Errors
    /// `invalid` when one of them was shut down.
    pub fn copy_into(&self, other: Arc<Book>) -> Result<Arc<BookCopy>> {
        let both = (self.core()?.clone(), other.core()?.clone());
        Ok(Arc::new(BookCopy { life: self.life.clone(), both: Own::new(both), copying: Copying::new() }))
    }

    /// Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls that begin later are
    /// `invalid`. Idempotent.
    ///
    /// # Errors
    /// `invalid` after a fork: the book is left alone.
    pub async fn shutdown(&self) -> Result<()> {
        let core = self.core.get()?;
        let end = async || {
            self.life.end();
            core.end_runs().await;
            core.shutdown().await;
        };
        self.end.get_or_init(end).await;
        Ok(())
    }
}

impl Book {
    async fn opened(options: portbook::BookOptions) -> Result<Arc<Self>> {
        let core = Own::new(portbook::Book::open(options).await?);
        Ok(Arc::new(Self { life: Life::begin(), core, end: OnceCell::new() }))
    }

    fn core(&self) -> Result<&portbook::Book> {
        self.life.check()?;
        self.core.get()
    }

    async fn rotate(&self, key: KeySource) -> Result<()> {
        Ok(self.core()?.rotate_key(key).await?)
    }
}

/// A copy of a book under way.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct BookCopy {
    life: Arc<Life>,
    both: Own<(portbook::Book, portbook::Book)>,
    copying: Copying,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl BookCopy {
    /// How far it is.
    pub fn progress(&self) -> CopyProgress {
        self.copying.progress().into()
    }

    /// Ends it with `cancelled` soon. Returns at once; may be called from any thread.
    pub fn cancel(&self) {
        self.copying.cancel();
    }

    /// Copies, and compares both books row by row. To be called once.
    ///
    /// # Errors
    /// `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a run is under way;
    /// `unsupported` when both are on the same engine; `permission`; `cancelled`.
    pub async fn finish(&self) -> Result<CopyReport> {
        self.life.check()?;
        let (from, to) = self.both.get()?;
        Ok(from.copy_into(to, &self.copying).await?.into())
    }
}
