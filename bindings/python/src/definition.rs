//! Definitions: two tables, and what is to hold between their rows.

use portbook_ffi::python::raised;
use portbook_ffi::records::{
    ChangeKind, Drift, PreviewedRowPage, RecordTarget, RowApplyOptions, RowChoice, RowConflict, RowInspection,
    RowPreview, RowPreviewOptions, RowVerifyReport,
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
    /// The lists that its rows may go to; none where the target is a table.
    ///
    /// Errors: `not_found` when the definition is gone.
    targets / targets_async(;) -> Vec<RecordTarget> = |definition| definition.targets().await;

    /// What has changed about both tables since the last run, or since they were accepted as they are, and what
    /// that is to this definition; also what keeps it from running.
    ///
    /// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
    drift / drift_async(;) -> Vec<Drift> = |definition| definition.drift().await;

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

    /// The rows that wait for a person, after the one of that id; 1,000 at most.
    ///
    /// Errors: `invalid` when `after` is no id; `storage`, `busy`.
    conflicts / conflicts_async(; after: String, limit: u32) -> Vec<RowConflict>
        = |definition| definition.conflicts(after, limit.unwrap_or(PAGE)).await;

    /// A row that waits, with what both sides hold in its fields now.
    ///
    /// Errors: `not_found` when no row waits by this id; as `preview`.
    inspect_conflict / inspect_conflict_async(id: String;) -> RowInspection
        = |definition| definition.inspect_conflict(id).await;

    /// Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of
    /// the conflict as it was looked at. The next preview shows what was decided, and applying it carries it out;
    /// if a side has changed its row by then, the decision comes to nothing, with a note, and the row waits on.
    ///
    /// Errors: `not_found` when no row waits by this id; `stale` when it is not what was looked at any more;
    /// `invalid` for columns of a row that one side has deleted, or for one that does not go both ways.
    resolve_conflict / resolve_conflict_async(id: String, mark: String, choice: RowChoice;) -> Nothing
        = |definition| definition.resolve_conflict(id, mark, choice).await;
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
