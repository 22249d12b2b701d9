//! A book: opened, shut down, kept in order.

use std::sync::Arc;

use portbook_ffi::Result;
use portbook_ffi::python::Arg;
use portbook_ffi::records::{CopyProgress, CopyReport, Finding, KeyOptions, NewUser, Tenant, Upkeep, User};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Nothing, Opening, Path};
use crate::calls::{PAGE, calls, handle};
use crate::host::HostKeys;
use crate::later::{Later, at_once, later};
use crate::session::Session;
use crate::waiting::wait;

handle! {
    /// An opened book. It has its own threads; a handle may be shared between threads and tasks. A `with` block, or an
    /// `async with` block, shuts it down.
    Book
}

async fn opened(options: Arg<Opening>, keys: Option<Arg<Py<HostKeys>>>) -> Result<Arc<portbook_ffi::Book>> {
    match keys {
        None => portbook_ffi::Book::open(options.0.0).await,
        Some(keys) => portbook_ffi::Book::open_with_keys(options.0.0, keys.0.get().handle.clone()).await,
    }
}

calls! { Book {
    /// Acts as the only user of the only tenant, both made when they are absent: for programs with one user.
    ///
    /// Errors: `storage`, `busy`.
    default_session / default_session_async(;) -> Session = |book| book.default_session().await;

    /// Acts as a user of a tenant.
    ///
    /// Errors: `not_found` when there is no such user of that tenant.
    session / session_async(tenant: String, user: String;) -> Session = |book| book.session(tenant, user).await;

    /// Makes a tenant, without users.
    ///
    /// Errors: `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.
    create_tenant / create_tenant_async(name: String;) -> Tenant = |book| book.create_tenant(name).await;

    /// The tenants in the order in which they were made, after the one of that id; 1,000 at most.
    ///
    /// Errors: `storage`, `busy`.
    tenants / tenants_async(; after: String, limit: u32) -> Vec<Tenant>
        = |book| book.tenants(after, limit.unwrap_or(PAGE)).await;

    /// Gives a tenant another name.
    ///
    /// Errors: `not_found`; `invalid` as for `create_tenant`.
    rename_tenant / rename_tenant_async(id: String, name: String;) -> Tenant
        = |book| book.rename_tenant(id, name).await;

    /// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where
    /// it is.
    ///
    /// Errors: `not_found`; `busy` while one of its conduits runs.
    delete_tenant / delete_tenant_async(id: String;) -> Nothing = |book| book.delete_tenant(id).await;

    /// Makes a user of a tenant.
    ///
    /// Errors: `not_found` when there is no such tenant; `conflict` when it has a user of this address;
    /// `invalid`.
    create_user / create_user_async(tenant: String, user: NewUser;) -> User
        = |book| book.create_user(tenant, user).await;

    /// Removes what has outlived its time, for every tenant.
    ///
    /// Errors: `storage`, `busy`.
    maintain / maintain_async(;) -> Upkeep = |book| book.maintain().await;

    /// Makes this the key of the book's secrets. Other processes have to be given it, too.
    ///
    /// Errors: `wrong_key` when the book was opened with another key than its secrets are kept by, or with
    /// none; `storage`, `busy`.
    rotate_key / rotate_key_async(key: KeyOptions;) -> Nothing = |book| book.rotate_key(key).await;

    /// As `rotate_key`, to a key in the host's keeping.
    ///
    /// Errors: As there; `host`, `timeout`.
    rotate_to_host_keys / rotate_to_host_keys_async(keys: Py<HostKeys>;) -> Nothing
        = |book| book.rotate_to_host_keys(keys.get().handle.clone()).await;

    /// Looks whether the book holds together. Reads the whole book. An empty answer is a sound book.
    ///
    /// Errors: `storage`, `busy`.
    check / check_async(;) -> Vec<Finding> = |book| book.check().await;

    /// Gives the space of deleted rows back.
    ///
    /// Errors: `busy` when another process keeps the book; `quota`, `storage`.
    vacuum / vacuum_async(;) -> Nothing = |book| book.vacuum().await;

    /// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
    ///
    /// Errors: `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`,
    /// `storage`.
    backup / backup_async(to: Path;) -> Nothing = |book| book.backup(to.0).await;

    /// Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls
    /// that begin later are `invalid`. Idempotent.
    ///
    /// Errors: `invalid` after a fork: the book is left alone.
    shutdown / shutdown_async(;) -> Nothing = |book| book.shutdown().await;
} now {
    /// A copy of every row into another book, new and empty and on the other engine. It begins when it is
    /// finished.
    ///
    /// Errors: `invalid` when one of them was shut down.
    copy_into(other: Py<Book>;) -> BookCopy = |book| book.copy_into(other.get().handle.clone());
} also {
    /// Opens a book and brings its schema up to date: a path is a file, made when it is absent. With `keys` the key of its
    /// secrets is in the host's keeping; they are asked when a secret is first sealed or opened.
    ///
    /// Errors: `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged;
    /// `permission`, `quota`, `busy`, `storage`; `offline`, `auth` for a server.
    #[staticmethod]
    #[pyo3(signature = (options, keys = None))]
    fn open(py: Python<'_>, options: Arg<Opening>, keys: Option<Arg<Py<HostKeys>>>) -> PyResult<Self> {
        wait(py, opened(options, keys)).map(Into::into)
    }

    /// Opens a book and brings its schema up to date: a path is a file, made when it is absent. With `keys` the key of its
    /// secrets is in the host's keeping; they are asked when a secret is first sealed or opened.
    ///
    /// Errors: `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged;
    /// `permission`, `quota`, `busy`, `storage`; `offline`, `auth` for a server.
    ///
    /// To be awaited.
    #[staticmethod]
    #[pyo3(signature = (options, keys = None))]
    fn open_async<'py>(
        py: Python<'py>,
        options: Arg<Opening>,
        keys: Option<Arg<Py<HostKeys>>>,
    ) -> PyResult<Later<'py, Self>> {
        later(py, opened(options, keys))
    }

    /// The book itself.
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Shuts it down.
    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.shutdown(py)?;
        Ok(())
    }

    /// The book itself, to be awaited.
    fn __aenter__<'py>(slf: Bound<'py, Self>) -> PyResult<Later<'py, Self>> {
        at_once(slf)
    }

    /// Shuts it down, to be awaited.
    #[pyo3(signature = (*_exception: "object"))]
    fn __aexit__<'py>(&self, py: Python<'py>, _exception: &Bound<'_, PyTuple>) -> PyResult<Later<'py, Nothing>> {
        self.shutdown_async(py)
    }
} }

handle! {
    /// A copy of a book under way.
    BookCopy
}

calls! { BookCopy {
    /// Copies, and compares both books row by row. To be called once.
    ///
    /// Errors: `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a
    /// run is under way; `unsupported` when both are on the same engine; `permission`; `cancelled`.
    finish / finish_async(;) -> CopyReport = |copy| copy.finish().await;
} also {
    /// How far it is.
    fn progress(&self) -> CopyProgress {
        self.handle.progress()
    }

    /// Ends it with `cancelled` soon. Returns at once; may be called from any thread.
    fn cancel(&self) {
        self.handle.cancel();
    }
} }
