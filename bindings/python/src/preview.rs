//! Previews: what would change, and which of it is wanted.

use portbook_ffi::records::{ChangeFilter, ChangePage, PreviewSummary};
use pyo3::prelude::*;

use crate::arguments::Nothing;
use crate::calls::{PAGE, calls, handle, iterator};

handle! {
    /// A preview that is stored in the book. Iterating over it, with `for` or `async for`, reads its changes.
    Preview
}

/// A preview, or the id of one.
pub(crate) struct Which(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Which {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = {
        use pyo3::{type_hint_identifier, type_hint_union};
        type_hint_union!(<Preview as pyo3::PyTypeInfo>::TYPE_HINT, type_hint_identifier!("builtins", "str"))
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<Preview>() {
            Ok(preview) => Ok(Self(preview.get().handle.id())),
            Err(_) => object.extract::<String>().map(Self),
        }
    }
}

iterator!(Changes is "Iterator" of portbook_ffi::records::Change);
iterator!(LaterChanges is "AsyncIterator" of portbook_ffi::records::Change);

calls! { Preview {
    /// What it holds in sum.
    ///
    /// Errors: `not_found` when it has expired or was deleted.
    summary / summary_async(;) -> PreviewSummary = |preview| preview.summary().await;

    /// A page of its changes in the order in which they are applied, after the page that ended there; 1,000 at
    /// most.
    ///
    /// Errors: `not_found` as for `summary`; `invalid` when `after` is none of its changes' ids.
    changes / changes_async(; filter: ChangeFilter, after: String, limit: u32) -> ChangePage
        = |preview| preview.changes(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// Ticks changes in or out, by their ids. The second halves of a decision go with the first.
    ///
    /// Errors: `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this
    /// preview or names a second half.
    tick / tick_async(changes: Vec<String>, ticked: bool;) -> Nothing = |preview| preview.tick(changes, ticked).await;

    /// Ticks in or out every change that the filter names.
    ///
    /// Errors: As `tick`.
    tick_all / tick_all_async(ticked: bool; filter: ChangeFilter) -> Nothing
        = |preview| preview.tick_all(filter.unwrap_or_default(), ticked).await;

    /// Deletes it.
    ///
    /// Errors: `not_found`; `busy` when a run is applying it or is to be resumed from it.
    discard / discard_async(;) -> Nothing = |preview| preview.discard().await;
} also {
    /// Names it: give it to `Conduit.apply`.
    #[getter]
    fn id(&self) -> String {
        self.handle.id()
    }

    /// All its changes in the order in which they are applied.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Changes<'py>> {
        slf.py().import("portbook.listing")?.call_method1("changes", (slf,)).map(Changes)
    }

    /// All its changes in the order in which they are applied.
    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<LaterChanges<'py>> {
        slf.py().import("portbook.listing")?.call_method1("changes_async", (slf,)).map(LaterChanges)
    }

    /// Its changes as a data frame of pandas, which has to be installed: a column a field, words as text.
    #[pyo3(signature = (filter: "ChangeFilter | None" = None) -> "pandas.DataFrame")]
    fn to_pandas<'py>(slf: &Bound<'py, Self>, filter: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("portbook.listing")?.call_method1("to_pandas", (slf, filter))
    }

    /// Its changes as a table of Apache Arrow, for which pyarrow has to be installed: a column a field, words as text.
    #[pyo3(signature = (filter: "ChangeFilter | None" = None) -> "pyarrow.Table")]
    fn to_arrow<'py>(slf: &Bound<'py, Self>, filter: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("portbook.listing")?.call_method1("to_arrow", (slf, filter))
    }
} }
