//! What Python gives and takes that the border has another form for.

use portbook_ffi::records::{BookOptions, Place, RecordPlace};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyNone};

/// `None`: what comes of a call that only does something.
pub(crate) struct Nothing;

impl From<()> for Nothing {
    fn from((): ()) -> Self {
        Self
    }
}

impl<'py> IntoPyObject<'py> for Nothing {
    type Target = PyNone;
    type Output = Borrowed<'py, 'py, PyNone>;
    type Error = std::convert::Infallible;

    #[cfg(feature = "inspect")]
    const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr = <PyNone as pyo3::PyTypeInfo>::TYPE_HINT;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyNone::get(py))
    }
}

/// The text of a path of this machine. The border takes text: what is not UTF-8 is refused, like everywhere.
fn path(object: Borrowed<'_, '_, PyAny>, wanted: &str) -> PyResult<String> {
    let text = object.py().import("os")?.call_method1("fspath", (object,));
    let wrong = || PyTypeError::new_err(format!("{wanted} is wanted"));
    text.map_err(|_| wrong())?.extract::<String>()
}

/// A text or an object that stands for a path.
#[cfg(feature = "inspect")]
const PATH: pyo3::inspect::PyStaticExpr = {
    use pyo3::{type_hint_identifier, type_hint_subscript, type_hint_union};
    type_hint_union!(
        type_hint_identifier!("builtins", "str"),
        type_hint_subscript!(type_hint_identifier!("os", "PathLike"), type_hint_identifier!("builtins", "str"))
    )
};

/// A path.
pub(crate) struct Path(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Path {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = PATH;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        path(object, "a path").map(Self)
    }
}

/// A place; a path is a directory of this machine.
pub(crate) struct Where(pub(crate) Place);

impl<'py> FromPyObject<'_, 'py> for Where {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = pyo3::inspect::PyStaticExpr::BinOp {
        left: &<Place as pyo3::PyTypeInfo>::TYPE_HINT,
        op: pyo3::inspect::PyStaticOperator::BitOr,
        right: &PATH,
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(place) = object.extract::<Place>() {
            return Ok(Self(place));
        }
        Ok(Self(Place::Directory { path: path(object, "a place or a path")? }))
    }
}

/// A table or a list; a text is a URL.
pub(crate) struct TableAt(pub(crate) RecordPlace);

impl<'py> FromPyObject<'_, 'py> for TableAt {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = {
        use pyo3::{type_hint_identifier, type_hint_union};
        type_hint_union!(<RecordPlace as pyo3::PyTypeInfo>::TYPE_HINT, type_hint_identifier!("builtins", "str"))
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(place) = object.extract::<RecordPlace>() {
            return Ok(Self(place));
        }
        let url = object.extract::<String>();
        let wrong = |_| PyTypeError::new_err("a table or the URL of one is wanted");
        Ok(Self(RecordPlace::of_url(url.map_err(wrong)?)))
    }
}

/// How a book is opened; a path is a file.
pub(crate) struct Opening(pub(crate) BookOptions);

impl<'py> FromPyObject<'_, 'py> for Opening {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = pyo3::inspect::PyStaticExpr::BinOp {
        left: &<BookOptions as pyo3::PyTypeInfo>::TYPE_HINT,
        op: pyo3::inspect::PyStaticOperator::BitOr,
        right: &PATH,
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(options) = object.extract::<BookOptions>() {
            return Ok(Self(options));
        }
        let path = path(object, "how the book is opened, or a path,")?;
        Ok(Self(BookOptions { path: Some(path), ..BookOptions::default() }))
    }
}

/// Bytes of whatever has them.
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl<'py> FromPyObject<'_, 'py> for Blob {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = {
        use pyo3::{type_hint_identifier, type_hint_union};
        type_hint_union!(
            type_hint_identifier!("builtins", "bytes"),
            type_hint_identifier!("builtins", "bytearray"),
            type_hint_identifier!("builtins", "memoryview")
        )
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self(bytes.as_bytes().to_vec()));
        }
        // A number or a list of them would become bytes, too.
        let view = object.py().import("builtins")?.call_method1("memoryview", (object,))?;
        Ok(Self(view.call_method0("tobytes")?.cast::<PyBytes>()?.as_bytes().to_vec()))
    }
}
