//! Books kept in order, and copied.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_record, read_text};
use super::{portbook_book, portbook_book_copy, portbook_code, portbook_host_keys};
use crate::{Book, BookCopy, wait};

/// Removes what has outlived its time, for every tenant.
///
/// `json` is an `Upkeep`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_maintain(
    book: *const portbook_book,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            out.json(&wait(this.maintain())?)
        })
    }
}

/// Makes this the key of the book's secrets. Other processes have to be given it, too.
///
/// Records: `key` is a `KeyOptions`.
///
/// Errors: `wrong_key`, `invalid`, `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_rotate_key(
    book: *const portbook_book,
    key: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.rotate_key(read_record("key", key)?))
        })
    }
}

/// As `portbook_book_rotate_key`, to a key in the host's keeping.
///
/// Errors: as there; `host`, `timeout`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_rotate_to_host_keys(
    book: *const portbook_book,
    keys: *const portbook_host_keys,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.rotate_to_host_keys(find(keys)?))
        })
    }
}

/// Looks whether the book holds together. Reads the whole book.
///
/// `json` is a list of `Finding`; empty for a sound book, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_check(
    book: *const portbook_book,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Book> = find(book)?;
            out.json(&wait(this.check())?)
        })
    }
}

/// Gives the space of deleted rows back.
///
/// Errors: `busy` when another process keeps the book; `quota`, `storage`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_vacuum(book: *const portbook_book, error: *mut *mut c_char) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.vacuum())
        })
    }
}

/// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
///
/// Errors: `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`, `storage`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_backup(
    book: *const portbook_book,
    to: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Book> = find(book)?;
            wait(this.backup(read_text("to", to)?))
        })
    }
}

/// A copy of every row into another book, new and empty and on the other engine. It begins with
/// `portbook_book_copy_finish`.
///
/// `copy` is freed with `portbook_book_copy_free`.
///
/// Errors: `invalid` when one of them was shut down.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_copy_into(
    book: *const portbook_book,
    other: *const portbook_book,
    copy: *mut *mut portbook_book_copy,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("copy", copy)?;
            let this: Arc<Book> = find(book)?;
            out.open(this.copy_into(find(other)?)?);
            Ok(())
        })
    }
}

/// How far a copy is.
///
/// `json` is a `CopyProgress`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_copy_progress(
    book_copy: *const portbook_book_copy,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<BookCopy> = find(book_copy)?;
            out.json(&Ok::<_, crate::PortbookError>(this.progress())?)
        })
    }
}

/// Ends a copy with `cancelled` soon. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_book_copy_cancel(book_copy: *const portbook_book_copy) {
    if let Ok(this) = find::<_, BookCopy>(book_copy) {
        this.cancel();
    }
}

/// Copies, and compares both books row by row. To be called once.
///
/// `json` is a `CopyReport`, freed with `portbook_text_free`.
///
/// Errors: `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a run is
/// under way; `unsupported` when both are on the same engine; `permission`, `cancelled`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_book_copy_finish(
    book_copy: *const portbook_book_copy,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<BookCopy> = find(book_copy)?;
            out.json(&wait(this.finish())?)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_book_copy_free(book_copy: *mut portbook_book_copy) {
    free::<_, BookCopy>(book_copy);
}
