//! What a host brings itself: files, tables, and the key of a book's secrets. It takes requests and answers them.

use portbook_ffi::python::{Arg, raised};
use portbook_ffi::records::{ErrorCode, HostAnswer, HostRequest, KeyRequest, RecordAnswer, RecordRequest};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Blob, Nothing};
use crate::calls::{calls, handle};

handle! {
    /// Files that the host holds: a place that conduits and volumes can have. Requests are read with `for` or `async for`
    /// and answered from any thread and in any order; `portbook.serve` does that for an object that has the files. One that
    /// is not answered in time fails with `timeout`. A `with` block ends it.
    HostStore keeps HostRequest
}

calls! { HostStore {} now {
    /// The bytes of a `WriteAt`.
    ///
    /// Errors: `not_found` when nobody waits for its answer.
    bytes(id: i64;) -> Vec<u8> = |store| store.bytes(id);

    /// Answers a request.
    ///
    /// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
    reply(id: i64, answer: HostAnswer;) -> Nothing = |store| store.reply(id, answer);

    /// Answers a `ReadAt`.
    ///
    /// Errors: As `reply`.
    reply_bytes(id: i64, bytes: Blob;) -> Nothing = |store| store.reply_bytes(id, bytes.0);

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// Errors: As `reply`.
    fail(id: i64, reason: String; code: ErrorCode) -> Nothing = |store| store.fail(id, reason, code);
} next {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// Errors: `invalid` after a fork.
    next_request / next_request_async -> HostRequest = |store| store.next_request().await;
} also {
    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// The handle itself.
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Ends it.
    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        self.shutdown();
    }
} }

handle! {
    /// Tables that the host holds: a source or a target of definitions. Requests are read with `for` or `async for` and
    /// answered from any thread and in any order; `portbook.serve_records` does that for an object that has the rows. One
    /// that is not answered in time fails with `timeout`. A `with` block ends it.
    HostRecords keeps RecordRequest
}

calls! { HostRecords {} now {
    /// Answers a request.
    ///
    /// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
    reply(id: i64, answer: RecordAnswer;) -> Nothing = |store| store.reply(id, answer);

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// Errors: As `reply`.
    fail(id: i64, reason: String; code: ErrorCode) -> Nothing = |store| store.fail(id, reason, code);
} next {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// Errors: `invalid` after a fork.
    next_request / next_request_async -> RecordRequest = |store| store.next_request().await;
} also {
    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// The handle itself.
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Ends it.
    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        self.shutdown();
    }
} }

handle! {
    /// The key of a book's secrets in the host's keeping: in a key management service, a hardware module, the system's
    /// keychain. Requests are read with `for` or `async for` and answered; they are rare, one for each tenant and process.
    /// `portbook.serve_keys` does that for an object that has the key. A `with` block ends it.
    HostKeys keeps KeyRequest
}

calls! { HostKeys {} now {
    /// The bytes that a request is about.
    ///
    /// Errors: `not_found` when nobody waits for its answer.
    bytes(id: i64;) -> Vec<u8> = |keys| keys.bytes(id);

    /// Answers with the bytes wrapped or unwrapped. `key_id` names the key that wrapped them; empty for
    /// `unwrap`.
    ///
    /// Errors: `not_found` when nobody waits for it.
    reply(id: i64, key_id: String, bytes: Blob;) -> Nothing = |keys| keys.reply(id, key_id, bytes.0);

    /// Answers that it failed, in the host's words: `host` unless a code is given, `offline` and `timeout` when
    /// a later call may succeed, `wrong_key` when the host's key is known to be another one.
    ///
    /// Errors: `not_found` when nobody waits for it.
    fail(id: i64, reason: String; code: ErrorCode) -> Nothing = |keys| keys.fail(id, reason, code);
} next {
    /// The next request; none after `shutdown`. A wait that is given up loses none.
    ///
    /// Errors: `invalid` after a fork.
    next_request / next_request_async -> KeyRequest = |keys| keys.next_request().await;
} also {
    /// To be given to a book that is opened. A request waits so long for its answer; a minute unless told otherwise.
    ///
    /// Errors: `invalid` when the time is negative.
    #[new]
    #[pyo3(signature = (timeout_ms = None))]
    fn new(py: Python<'_>, timeout_ms: Option<Arg<i64>>) -> PyResult<Self> {
        let made = portbook_ffi::HostKeys::new(timeout_ms.map(|timeout| timeout.0));
        made.map(Into::into).map_err(|error| raised(py, &error))
    }

    /// Ends it: nobody is asked any more.
    fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// The handle itself.
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Ends it.
    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        self.shutdown();
    }
} }
