//! The blocking form of a call.

use std::future::Future;
use std::time::Duration;

use portbook_ffi::python::raised;
use portbook_ffi::{Result, Waiting, caught_later};
use pyo3::prelude::*;

/// Signals are looked after so often while a call blocks.
const SLICE: Duration = Duration::from_millis(100);

/// Waits without Python's lock. Ctrl-C gives the wait up, as every signal whose handler raises does.
pub(crate) fn wait<T: Send>(py: Python<'_>, operation: impl Future<Output = Result<T>> + Send) -> PyResult<T> {
    let mut waiting = Waiting::new(caught_later(operation));
    loop {
        if let Some(answer) = py.detach(|| waiting.wait_for(SLICE)) {
            return answer.map_err(|error| raised(py, &error));
        }
        py.check_signals()?;
    }
}
