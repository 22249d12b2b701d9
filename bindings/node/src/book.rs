//! A book: opened, shut down, kept in order.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{CopyProgress, CopyReport, Finding, Tenant, Upkeep, User};

use crate::bridge::{Given, at_once, record, rows};
use crate::keys::HostKeys;
use crate::session::Session;

/// An opened book. It has its own threads: its operations may be awaited on any executor, and a handle may be shared between
/// threads and dropped on any of them.
#[napi]
pub struct Book {
    pub(crate) core: Arc<portbook_ffi::Book>,
}

#[napi]
impl Book {
    /// Opens a book and brings its schema up to date.
    ///
    /// @throws `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged; `permission`, `quota`,
    /// `busy`, `storage`; `offline`, `auth` for a server.
    #[napi(configurable = true, ts_args_type = "options: BookOptions & Abortable")]
    pub async fn open(options: Given) -> Result<Self> {
        Ok(Self { core: portbook_ffi::Book::open(record("options", options)?).await? })
    }

    /// As `open`, with the key of its secrets in the host's keeping. It is asked for when a secret is first sealed
    /// or opened.
    ///
    /// @throws As there.
    #[napi(
        configurable = true,
        ts_args_type = "options: BookOptions, keys: HostKeys, call?: Abortable",
        ts_return_type = "Promise<Book>"
    )]
    pub fn open_with_keys<'env>(env: &'env Env, options: Given, keys: &HostKeys) -> Result<PromiseRaw<'env, Self>> {
        let keys = keys.core.clone();
        env.spawn_future(async move {
            Ok(Self { core: portbook_ffi::Book::open_with_keys(record("options", options)?, keys).await? })
        })
    }

    /// Acts as the only user of the only tenant, both made when they are absent: for programs with one user.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Session>")]
    pub fn default_session<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Session>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Session { core: core.default_session().await? }) })
    }

    /// Acts as a user of a tenant.
    ///
    /// @throws `not_found` when there is no such user of that tenant.
    #[napi(ts_args_type = "tenant: string, user: string, call?: Abortable", ts_return_type = "Promise<Session>")]
    pub fn session<'env>(&self, env: &'env Env, tenant: String, user: String) -> Result<PromiseRaw<'env, Session>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Session { core: core.session(tenant, user).await? }) })
    }

    /// Makes a tenant, without users.
    ///
    /// @throws `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.
    #[napi(ts_args_type = "name: string, call?: Abortable", ts_return_type = "Promise<Tenant>")]
    pub fn create_tenant<'env>(&self, env: &'env Env, name: String) -> Result<PromiseRaw<'env, Tenant>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.create_tenant(name).await?) })
    }

    /// The tenants in the order in which they were made, after the one of that id; 1,000 at most.
    ///
    /// @throws `storage`, `busy`.
    #[napi(
        ts_args_type = "after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<Array<Tenant>>"
    )]
    pub fn tenants<'env>(
        &self,
        env: &'env Env,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, Vec<Tenant>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.tenants(after, rows(limit)?).await?) })
    }

    /// Gives a tenant another name.
    ///
    /// @throws `not_found`; `invalid` as for `createTenant`.
    #[napi(ts_args_type = "id: string, name: string, call?: Abortable", ts_return_type = "Promise<Tenant>")]
    pub fn rename_tenant<'env>(&self, env: &'env Env, id: String, name: String) -> Result<PromiseRaw<'env, Tenant>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.rename_tenant(id, name).await?) })
    }

    /// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where it is.
    ///
    /// @throws `not_found`; `busy` while one of its conduits runs.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn delete_tenant<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.delete_tenant(id).await?) })
    }

    /// Makes a user of a tenant.
    ///
    /// @throws `not_found` when there is no such tenant; `conflict` when it has a user of this address; `invalid`.
    #[napi(ts_args_type = "tenant: string, user: NewUser, call?: Abortable", ts_return_type = "Promise<User>")]
    pub fn create_user<'env>(&self, env: &'env Env, tenant: String, user: Given) -> Result<PromiseRaw<'env, User>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.create_user(tenant, record("user", user)?).await?) })
    }

    /// Removes what has outlived its time, for every tenant.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Upkeep>")]
    pub fn maintain<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Upkeep>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.maintain().await?) })
    }

    /// Makes this the key of the book's secrets. Other processes have to be given it, too.
    ///
    /// @throws `wrong_key` when the book was opened with another key than its secrets are kept by, or with none; `storage`, `busy`.
    #[napi(ts_args_type = "key: KeyOptions & Abortable", ts_return_type = "Promise<void>")]
    pub fn rotate_key<'env>(&self, env: &'env Env, key: Given) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.rotate_key(record("key", key)?).await?) })
    }

    /// As `rotateKey`, to a key in the host's keeping.
    ///
    /// @throws As there; `host`, `timeout`.
    #[napi(ts_args_type = "keys: HostKeys, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn rotate_to_host_keys<'env>(&self, env: &'env Env, keys: &HostKeys) -> Result<PromiseRaw<'env, ()>> {
        let keys = keys.core.clone();
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.rotate_to_host_keys(keys).await?) })
    }

    /// Looks whether the book holds together. Reads the whole book. An empty answer is a sound book.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<Finding>>")]
    pub fn check<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Finding>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.check().await?) })
    }

    /// Gives the space of deleted rows back.
    ///
    /// @throws `busy` when another process keeps the book; `quota`, `storage`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn vacuum<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.vacuum().await?) })
    }

    /// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
    ///
    /// @throws `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`, `storage`.
    #[napi(ts_args_type = "to: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn backup<'env>(&self, env: &'env Env, to: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.backup(to).await?) })
    }

    /// A copy of every row into another book, new and empty and on the other engine. It begins when it is finished.
    ///
    /// @throws `invalid` when one of them was shut down.
    #[napi(ts_args_type = "other: Book, call?: Abortable")]
    pub fn copy_into(&self, other: &Book) -> Result<BookCopy> {
        at_once(|| Ok(BookCopy { core: self.core.copy_into(other.core.clone())? }))
    }

    /// Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls that begin later are
    /// `invalid`. Idempotent.
    ///
    /// @throws `invalid` after a fork: the book is left alone.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn shutdown<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.shutdown().await?) })
    }
}

/// A copy of a book under way.
#[napi]
pub struct BookCopy {
    pub(crate) core: Arc<portbook_ffi::BookCopy>,
}

#[napi]
impl BookCopy {
    /// How far it is.
    #[napi]
    pub fn progress(&self) -> Result<CopyProgress> {
        at_once(|| Ok(self.core.progress()))
    }

    /// Ends it with `cancelled` soon. Returns at once; may be called from any thread.
    #[napi]
    pub fn cancel(&self) -> Result<()> {
        at_once(|| {
            self.core.cancel();
            Ok(())
        })
    }

    /// Copies, and compares both books row by row. To be called once.
    ///
    /// @throws `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a run is under way;
    /// `unsupported` when both are on the same engine; `permission`; `cancelled`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<CopyReport>")]
    pub fn finish<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, CopyReport>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.finish().await?) })
    }
}
