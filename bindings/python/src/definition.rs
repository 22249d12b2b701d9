//! Definitions: two tables, and what is to hold between their rows.

use portbook_ffi::python::raised;
use portbook_ffi::records::{
    ChangeKind, PreviewedRowPage, RowApplyOptions, RowPreview, RowPreviewOptions, RowVerifyReport,
};
use pyo3::prelude::*;

use crate::arguments::Nothing;
use crate::calls::{PAGE, calls, handle, iterator};
use crate::run::Run;

handle! {
    /// A standing relation between two tables, as one user of one tenant.
    Definition
}

/// A preview of rows, or the id of one.
pub(crate) struct WhichRows(String);

impl<'py> FromPyObject<'_, 'py> for WhichRows {
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const INPUT_TYPE: pyo3::inspect::PyStaticExpr = {
        use pyo3::{type_hint_identifier, type_hint_union};
        type_hint_union!(<RowPreview as pyo3::PyTypeInfo>::TYPE_HINT, type_hint_identifier!("builtins", "str"))
    };

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<RowPreview>() {
            Ok(preview) => Ok(Self(preview.get().summary.id.clone())),
            Err(_) => object.extract::<String>().map(Self),
        }
    }
}

iterator!(Rows is "Iterator" of portbook_ffi::records::PreviewedRow);
iterator!(LaterRows is "AsyncIterator" of portbook_ffi::records::PreviewedRow);

calls! { Definition {
    /// Compares both tables with the ledger and stores what would change. Writes nothing to either.
    ///
    /// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does
    /// not fit the tables as they are now.
    preview / preview_async(; options: RowPreviewOptions) -> RowPreview
        = |definition| definition.preview(options.unwrap_or_default()).await;

    /// What a preview holds in sum, by its id.
    ///
    /// Errors: `not_found` when there is none of this definition, or it has expired.
    stored_preview / stored_preview_async(preview: String;) -> RowPreview
        = |definition| definition.stored_preview(preview).await;

    /// A page of the rows of a preview in the order in which they are applied, after the page that ended there;
    /// 1,000 at most. Rows that are equal and only recorded are listed when the kind `unchanged` is asked for.
    ///
    /// Errors: `not_found` as for `stored_preview`; `invalid` when `after` is none of its changes' ids.
    changes / changes_async(preview: WhichRows; kind: ChangeKind, after: String, limit: u32) -> PreviewedRowPage
        = |definition| definition.changes(preview.0, kind, after, limit.unwrap_or(PAGE)).await;

    /// Ticks changes of a preview in or out, by their ids.
    ///
    /// Errors: `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
    tick / tick_async(preview: WhichRows, changes: Vec<String>, ticked: bool;) -> Nothing
        = |definition| definition.tick(preview.0, changes, ticked).await;

    /// Compares both tables row by row, whatever the ledger says, and writes down what came of it
    /// (`sync_metrics`).
    ///
    /// Errors: As `preview`.
    verify / verify_async(;) -> RowVerifyReport = |definition| definition.verify().await;
} now {
    /// Applies a preview as it stands, by itself or its id, or goes on with one that was interrupted. What is
    /// wrong with it is the outcome of the run.
    ///
    /// Errors: `invalid` for what is no id.
    apply(preview: WhichRows; options: RowApplyOptions) -> Run
        = |definition| definition.apply(preview.0, options.unwrap_or_default());

    /// Previews and applies.
    ///
    /// Errors: `invalid` when an option cannot be used.
    sync(; preview: RowPreviewOptions, options: RowApplyOptions) -> Run
        = |definition| definition.sync(preview.unwrap_or_default(), options.unwrap_or_default());
} also {
    /// Its id in the book (`sync_definitions`).
    ///
    /// Errors: `invalid` after a fork or after the book was shut down.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.id().map_err(|error| raised(py, &error))
    }

    /// All rows of a preview in the order in which they are applied.
    #[pyo3(signature = (preview: "RowPreview | str", kind: "ChangeKind | None" = None))]
    fn each_change<'py>(
        slf: &Bound<'py, Self>,
        preview: Bound<'py, PyAny>,
        kind: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Rows<'py>> {
        slf.py().import("portbook.listing")?.call_method1("rows", (slf, preview, kind)).map(Rows)
    }

    /// All rows of a preview in the order in which they are applied, for `async for`.
    #[pyo3(signature = (preview: "RowPreview | str", kind: "ChangeKind | None" = None))]
    fn each_change_async<'py>(
        slf: &Bound<'py, Self>,
        preview: Bound<'py, PyAny>,
        kind: Option<Bound<'py, PyAny>>,
    ) -> PyResult<LaterRows<'py>> {
        slf.py().import("portbook.listing")?.call_method1("rows_async", (slf, preview, kind)).map(LaterRows)
    }
} }
