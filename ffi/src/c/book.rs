//! Books.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_record, read_text, read_text_or_none};
use super::{portbook_book, portbook_code, portbook_host_keys, portbook_session};
use crate::{Book, wait};

/// Opens a book and brings its schema up to date.
///
/// Records: `options` is a `BookOptions`.
///
/// `book` is freed with `portbook_book_free`.
///
/// Errors: `newer` when a newer version wrote it, `corrupt`, `invalid`, `permission`, `quota`, `busy`, `storage`;
/// `offline`, `auth` for a server.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_open(
    options: *const c_char,
    book: *mut *mut portbook_book,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("book", book)?;
            out.open(wait(Book::open(read_record("options", options)?))?);
            Ok(())
        })
    }
}

/// As `portbook_book_open`, with the key of its secrets in the host's keeping.
///
/// Records: `options` is a `BookOptions`.
///
/// `book` is freed with `portbook_book_free`.
///
/// Errors: as there.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_open_with_keys(
    options: *const c_char,
    keys: *const portbook_host_keys,
    book: *mut *mut portbook_book,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("book", book)?;
            let options = read_record("options", options)?;
            let keys = find(keys)?;
            out.open(wait(Book::open_with_keys(options, keys))?);
            Ok(())
        })
    }
}

/// Acts as the only user of the only tenant, both made when they are absent.
///
/// `session` is freed with `portbook_session_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_default_session(
    book: *const portbook_book,
    session: *mut *mut portbook_session,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("session", session)?;
            let this: Arc<Book> = find(book)?;
            out.open(wait(this.default_session())?);
            Ok(())
        })
    }
}

/// Acts as a user of a tenant, by their ids.
///
/// `session` is freed with `portbook_session_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_session(
    book: *const portbook_book,
    tenant: *const c_char,
    user: *const c_char,
    session: *mut *mut portbook_session,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("session", session)?;
            let this: Arc<Book> = find(book)?;
            let tenant = read_text("tenant", tenant)?;
            let user = read_text("user", user)?;
            out.open(wait(this.session(tenant, user))?);
            Ok(())
        })
    }
}

/// Makes a tenant, without users.
///
/// `json` is a `Tenant`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when the name is empty or longer than 255 characters.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_create_tenant(
    book: *const portbook_book,
    name: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            out.json(&wait(this.create_tenant(read_text("name", name)?))?)
        })
    }
}

/// The tenants in the order in which they were made, after the one of that id; null for the first page. 1,000 at
/// most.
///
/// `json` is a list of `Tenant`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_tenants(
    book: *const portbook_book,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            out.json(&wait(this.tenants(read_text_or_none("after", after)?, limit))?)
        })
    }
}

/// Gives a tenant another name.
///
/// `json` is the `Tenant`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_rename_tenant(
    book: *const portbook_book,
    id: *const c_char,
    name: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            let id = read_text("id", id)?;
            let name = read_text("name", name)?;
            out.json(&wait(this.rename_tenant(id, name))?)
        })
    }
}

/// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where it is.
///
/// Errors: `not_found`; `busy` while one of its conduits runs.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_delete_tenant(
    book: *const portbook_book,
    id: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.delete_tenant(read_text("id", id)?))
        })
    }
}

/// Makes a user of a tenant.
///
/// Records: `user` is a `NewUser`.
///
/// `json` is the `User`, freed with `portbook_text_free`.
///
/// Errors: `not_found`; `conflict` when it has a user of this address; `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_create_user(
    book: *const portbook_book,
    tenant: *const c_char,
    user: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            let tenant = read_text("tenant", tenant)?;
            let user = read_record("user", user)?;
            out.json(&wait(this.create_user(tenant, user))?)
        })
    }
}

/// Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls that begin
/// later are `invalid`. Its handles still have to be freed. Idempotent.
///
/// Errors: `invalid` for a handle that is none.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_shutdown(book: *const portbook_book, error: *mut *mut c_char) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.shutdown())
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_book_free(book: *mut portbook_book) {
    free::<_, Book>(book);
}
