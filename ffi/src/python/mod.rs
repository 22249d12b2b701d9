//! What Python has beside the records: arguments that say what is wrong with them, and errors as Python raises them.

mod records;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::PortbookError;
use crate::json;

/// An argument. One that cannot be read is an error of this library, with the code `invalid`.
pub struct Arg<T>(pub T);

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Arg<T> {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = T::INPUT_TYPE;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        T::extract(object).map(Self).map_err(|error| unreadable(py, error.into()))
    }
}

/// What is raised where an argument cannot be read; what the host's own code raised meanwhile stays what it is.
pub fn unreadable(py: Python<'_>, error: PyErr) -> PyErr {
    let is_type = error.is_instance_of::<PyTypeError>(py);
    if !is_type && !error.is_instance_of::<PyValueError>(py) && !error.is_instance_of::<PyOverflowError>(py) {
        return error;
    }
    static MADE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(py, &MADE, "unreadable", (is_type, error.value(py).to_string()))
}

/// An error as Python raises it.
pub fn raised(py: Python<'_>, error: &PortbookError) -> PyErr {
    static MADE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(py, &MADE, "error_of", (json::word(&error.code()), error.text(), error.advice()))
}

fn made<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyErr {
    let made = cell.import(py, "portbook.errors", name).and_then(|make| make.call1(arguments));
    made.map_or_else(|error| error, PyErr::from_value)
}
