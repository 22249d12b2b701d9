//! Conduits: two places, and what is to hold between them.

use portbook_ffi::python::raised;
use portbook_ffi::records::{
    ApplyOptions, Choice, ConduitOptions, Conflict, Inspection, Pin, PreviewOptions, SelectionRule,
};
use pyo3::prelude::*;

use crate::arguments::Nothing;
use crate::calls::{PAGE, calls, handle};
use crate::preview::{Preview, Which};
use crate::run::Run;

handle! {
    /// A standing relation between two directories, as one user of one tenant.
    Conduit
}

calls! { Conduit {
    /// Compares both places with the ledger and stores what would change. Writes nothing to either place.
    ///
    /// Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
    /// used.
    preview / preview_async(; options: PreviewOptions) -> Preview
        = |conduit| conduit.preview(options.unwrap_or_default()).await;

    /// The rules of selective mode in their order.
    ///
    /// Errors: `storage`, `busy`.
    selection_rules / selection_rules_async(;) -> Vec<SelectionRule> = |conduit| conduit.selection_rules().await;

    /// Puts these rules in the place of the ones before.
    ///
    /// Errors: `invalid` when a pattern cannot be used; nothing has changed then.
    set_selection_rules / set_selection_rules_async(rules: Vec<SelectionRule>;) -> Nothing
        = |conduit| conduit.set_selection_rules(rules).await;

    /// The pins of selective mode, ordered by path.
    ///
    /// Errors: `storage`, `busy`.
    pins / pins_async(;) -> Vec<Pin> = |conduit| conduit.pins().await;

    /// Pins a path, whatever the rules say of it. A pin that the path has already is turned round.
    ///
    /// Errors: `invalid` when it names nothing beneath the root; `storage`, `busy`.
    pin / pin_async(pin: Pin;) -> Nothing = |conduit| conduit.pin(pin).await;

    /// Leaves a path to the rules again.
    ///
    /// Errors: `not_found` when it has no pin.
    unpin / unpin_async(path: String;) -> Nothing = |conduit| conduit.unpin(path).await;

    /// The conflicts that wait for a person, the latest first, after (that is, older than) the one of that
    /// number; 1,000 at most.
    ///
    /// Errors: `storage`, `busy`.
    conflicts / conflicts_async(; after: i64, limit: u32) -> Vec<Conflict>
        = |conduit| conduit.conflicts(after, limit.unwrap_or(PAGE)).await;

    /// One conflict, open or closed, with what is needed to decide about it.
    ///
    /// Errors: `not_found` when this conduit has none of this number.
    inspect_conflict / inspect_conflict_async(id: i64;) -> Inspection = |conduit| conduit.inspect_conflict(id).await;

    /// Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked
    /// at.
    ///
    /// Errors: `not_found` when no conflict of this number waits here; `stale` when it is not what was looked
    /// at any more; `invalid` when that cannot be decided here.
    resolve_conflict / resolve_conflict_async(id: i64, mark: String, choice: Choice;) -> Nothing
        = |conduit| conduit.resolve_conflict(id, mark, choice).await;
} now {
    /// Applies a preview as it stands, by itself or its id, or goes on with one that was interrupted. What is wrong with
    /// it is the outcome of the run.
    ///
    /// Errors: `invalid` when an option cannot be used.
    apply(preview: Which; options: ApplyOptions) -> Run
        = |conduit| conduit.apply(preview.0, options.unwrap_or_default());

    /// Previews and applies.
    ///
    /// Errors: `invalid` when an option cannot be used.
    sync(; preview: PreviewOptions, options: ApplyOptions) -> Run
        = |conduit| conduit.sync(preview.unwrap_or_default(), options.unwrap_or_default());
} also {
    /// Its id in the book.
    ///
    /// Errors: `invalid` after a fork or after the book was shut down.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.id().map_err(|error| raised(py, &error))
    }

    /// What it does.
    ///
    /// Errors: As `id`.
    #[getter]
    fn options(&self, py: Python<'_>) -> PyResult<ConduitOptions> {
        self.handle.options().map_err(|error| raised(py, &error))
    }
} }
