//! A panic is a defect of ours, and never the end of a host: here it becomes the code `internal`. What runs on the book's own
//! threads is caught there.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use portbook::{Code, Error};

use crate::error::{PortbookError, Result};

/// What a call that returns at once comes to.
///
/// # Errors
/// `internal` when it panics; else as the call.
pub fn caught<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(panicked()))
}

/// What a call that is awaited comes to.
///
/// # Errors
/// As [`caught`].
pub async fn caught_later<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> PortbookError {
    Error::new(Code::Internal, "run the call", "").because("it panicked").advise("report it: this is a defect").into()
}

/// Panics where a host names something `panic!`, so that every language can be shown to survive it: at once, while a call is
/// awaited, and on the book's own threads. Only with the feature `fault`, which no package has.
pub(crate) fn fault(name: &str) {
    assert!(!cfg!(feature = "fault") || name != "panic!", "as was asked for");
}
