//! What one user of one tenant does with a book.

use portbook_ffi::python::raised;
use portbook_ffi::records::{
    Access, ActivityFilter, ActivityPage, ConduitOptions, ErrorFilter, ErrorPage, GenerationSummary, HostOptions,
    HostRecordOptions, Introspection, PreviewFilter, PreviewPage, ProgressFilter, ProgressPage, RecordOptions,
    RowFilter, RowPage, SavedVolume, SyncError, TableDrift, TableEntry, TableShape, UnitAccount, UnitBudget, Upkeep,
    VerifyOptions, VerifyReport,
};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Nothing, Path, TableAt, Where};
use crate::calls::{PAGE, calls, handle};
use crate::conduit::Conduit;
use crate::definition::Definition;
use crate::host::{HostRecords, HostStore};
use crate::later::{Later, at_once, later};
use crate::preview::{Preview, Which};
use crate::run::ProgressWatch;
use crate::volume::Volume;

handle! {
    /// A book used by one user of one tenant. Every call goes through one. A `with` block closes nothing: the book is
    /// what is shut down.
    Session
}

calls! { Session {
    /// The conduit of these two places, found in either direction or made; its attributes become `options`.
    ///
    /// Errors: `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used;
    /// `not_found` when neither the place nor its parent exists, and for a host store that is not there.
    connect / connect_async(source: Where, target: Where; options: ConduitOptions) -> Conduit
        = |session| session.connect(source.0, target.0, options.unwrap_or_default()).await;

    /// The conduit of these two places as it is: it keeps the attributes that it was given last.
    ///
    /// Errors: `not_found` when the places were never connected with each other.
    conduit / conduit_async(source: Where, target: Where;) -> Conduit
        = |session| session.conduit(source.0, target.0).await;

    /// The conduit that made a preview, by the places that the preview was made of.
    ///
    /// Errors: `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other
    /// places, or goes the other way.
    conduit_of / conduit_of_async(preview: Which, source: Where, target: Where;) -> Conduit
        = |session| session.conduit_of(preview.0, source.0, target.0).await;

    /// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both
    /// are looked at, and the inventory of the book learns of them.
    ///
    /// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at, or there is no such
    /// host store. `invalid`: there is no key, a column is not there, a field cannot cross.
    connect_records / connect_records_async(source: TableAt, target: TableAt; options: RecordOptions) -> Definition
        = |session| session.connect_records(source.0, target.0, options.unwrap_or_default()).await;

    /// The definition of these two tables as it is: it keeps the attributes that it was given last.
    ///
    /// Errors: `not_found` when they were never connected with each other.
    records / records_async(source: TableAt, target: TableAt;) -> Definition
        = |session| session.records(source.0, target.0).await;

    /// The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are
    /// reached. One with a table of the host's own is found by its places: `records`.
    ///
    /// Errors: `not_found`.
    definition / definition_async(id: String;) -> Definition = |session| session.definition(id).await;

    /// The tables of a database, without those of its system. The URL is that of a table without the table:
    /// `postgres://user@host/database`, `sqlite:///path/to/file.db/`.
    ///
    /// Errors: `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
    inspect_database / inspect_database_async(url: String; access: Access) -> Vec<TableEntry>
        = |session| session.inspect_database(url, access.unwrap_or_default()).await;

    /// What a table looks like now; the inventory of the book learns it.
    ///
    /// Errors: As `inspect_database`.
    inspect_table / inspect_table_async(place: TableAt;) -> TableShape
        = |session| session.inspect_table(place.0).await;

    /// Reads the metadata of every table of a database into the inventory of the book, and says what was read
    /// (`introspection_runs`). A table that cannot be described fails alone. The URL is as for `inspect_database`.
    ///
    /// Errors: As there.
    introspect_database / introspect_database_async(url: String; access: Access) -> Introspection
        = |session| session.introspect_database(url, access.unwrap_or_default()).await;

    /// What has changed about a table since its last snapshot, and what that is to each definition that goes by
    /// it. Nothing is written: it is told until a run has gone over it, or the table is accepted.
    ///
    /// Errors: As `inspect_database`.
    table_drift / table_drift_async(place: TableAt;) -> Vec<TableDrift>
        = |session| session.table_drift(place.0).await;

    /// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become
    /// another one makes every row another one; a mapping over a column that is gone is refused in any case.
    ///
    /// Errors: `not_found` when the book does not know the table; as `inspect_database`.
    accept_table / accept_table_async(place: TableAt;) -> Nothing
        = |session| session.accept_table(place.0).await;

    /// How many resource units an application of SharePoint may spend; unless told otherwise, those of the
    /// smallest tenants.
    ///
    /// Errors: `storage`, `busy`.
    sharepoint_budget / sharepoint_budget_async(account: UnitAccount;) -> UnitBudget
        = |session| session.sharepoint_budget(account).await;

    /// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
    ///
    /// Errors: `invalid` for a budget of nothing; `storage`, `busy`.
    set_sharepoint_budget / set_sharepoint_budget_async(account: UnitAccount, budget: UnitBudget;) -> Nothing
        = |session| session.set_sharepoint_budget(account, budget).await;

    /// A preview that is stored, by its id.
    ///
    /// Errors: `not_found` when there is none of this id or it has expired.
    preview / preview_async(id: String;) -> Preview = |session| session.preview(id).await;

    /// The previews that are stored, the last computed first; pages of 1,000 at most.
    ///
    /// Errors: `invalid` when `after` is of another list; `storage`, `busy`.
    previews / previews_async(; filter: PreviewFilter, after: String, limit: u32) -> PreviewPage
        = |session| session.previews(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// Looks at two places and says where they differ, whatever any ledger says of their contents.
    ///
    /// Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
    /// used.
    verify / verify_async(source: Where, target: Where; options: VerifyOptions) -> VerifyReport
        = |session| session.verify(source.0, target.0, options.unwrap_or_default()).await;

    /// All runs, the latest first; 1,000 at most.
    ///
    /// Errors: `storage`, `busy`.
    history / history_async(; limit: u32) -> Vec<GenerationSummary>
        = |session| session.history(limit.unwrap_or(PAGE)).await;

    /// The runs between two places in either direction, the latest first; 1,000 at most.
    ///
    /// Errors: `not_found` when the places were never synced with each other; `storage`, `busy`.
    history_between / history_between_async(source: Where, target: Where; limit: u32) -> Vec<GenerationSummary>
        = |session| session.history_between(source.0, target.0, limit.unwrap_or(PAGE)).await;

    /// What was done for the tenant, the latest first; pages of 1,000 lines at most.
    ///
    /// Errors: `invalid` when `after` is of another list; `storage`, `busy`.
    activity / activity_async(; filter: ActivityFilter, after: String, limit: u32) -> ActivityPage
        = |session| session.activity(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most.
    ///
    /// Errors: `invalid` when `after` is of another list; `storage`, `busy`.
    progress / progress_async(; filter: ProgressFilter, after: String, limit: u32) -> ProgressPage
        = |session| session.progress(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// Failures of items, the latest first; pages of 1,000 at most.
    ///
    /// Errors: `invalid` when `after` is of another list; `storage`, `busy`.
    errors / errors_async(; filter: ErrorFilter, after: String, limit: u32) -> ErrorPage
        = |session| session.errors(filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// Marks a failure as made good, and says how.
    ///
    /// Errors: `not_found`; `conflict` when it is marked already; `storage`, `busy`.
    resolve_error / resolve_error_async(id: String, notes: String;) -> SyncError
        = |session| session.resolve_error(id, notes).await;

    /// Opens a saved volume by its name, or by its id.
    ///
    /// Errors: `not_found`; `invalid` when it is not active or its row cannot be used as it stands;
    /// `permission` when its directory was never approved; `unsupported`; as the place.
    volume / volume_async(name_or_id: String;) -> Volume = |session| session.volume(name_or_id).await;

    /// As `volume`, on files that the host brings in the place of those that its row names.
    ///
    /// Errors: As there.
    volume_on / volume_on_async(name_or_id: String, store: Py<HostStore>;) -> Volume
        = |session| session.volume_on(name_or_id, store.get().handle.clone()).await;

    /// Saves a place behind a URL as a volume, with what lets one in there, sealed; returns the volume's id.
    ///
    /// Errors: `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its
    /// key and there is something to seal.
    save_volume / save_volume_async(name: String, url: String; access: Access) -> String
        = |session| session.save_volume(name, url, access.unwrap_or_default()).await;

    /// Saves a directory of this machine as a volume, and approves it; returns the volume's id.
    ///
    /// Errors: `not_found` when there is no such directory; `conflict` when the name is taken.
    save_directory / save_directory_async(name: String, path: Path;) -> String
        = |session| session.save_directory(name, path.0).await;

    /// The saved volumes by their names, without what lets one in. Needs no key of the book.
    ///
    /// Errors: `storage`, `busy`.
    volumes / volumes_async(;) -> Vec<SavedVolume> = |session| session.volumes().await;

    /// Sets how fast bytes may pass to and from a saved volume. None: as fast as they can.
    ///
    /// Errors: `not_found`; `stale` when its row was changed meanwhile; `invalid`.
    limit_volume / limit_volume_async(name: String; bandwidth: String) -> Nothing
        = |session| session.limit_volume(name, bandwidth).await;

    /// Forgets a saved volume, with what lets one in. What is stored there stays.
    ///
    /// Errors: `not_found`; `conflict` while files or conduits of it are in the book.
    remove_volume / remove_volume_async(name: String;) -> Nothing = |session| session.remove_volume(name).await;

    /// Gives the tenant a new data key and seals all its secrets anew with it; returns how many.
    ///
    /// Errors: `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that
    /// does not open.
    renew_data_key / renew_data_key_async(;) -> i64 = |session| session.renew_data_key().await;

    /// Removes what has outlived its time: previews, trash, lines of activity, promises of room.
    ///
    /// Errors: `storage`, `busy`.
    maintain / maintain_async(;) -> Upkeep = |session| session.maintain().await;

    /// Makes a row of the fields given; the others get their defaults.
    ///
    /// Errors: `not_found` when there is no such table, or the row names a row that is not there; `invalid`
    /// when a value breaks a rule of its column; `conflict` when it repeats what has to be unique.
    create_row / create_row_async(table: String, row: String;) -> String
        = |session| session.create_row(table, row).await;

    /// The row of that id.
    ///
    /// Errors: `not_found` when there is none, or it is deleted.
    get_row / get_row_async(table: String, id: String;) -> String = |session| session.get_row(table, id).await;

    /// A page of the rows that the filter names, after the page that ended there; 1,000 at most.
    ///
    /// Errors: `invalid` when no index serves the list, or `after` is of another list.
    list_rows / list_rows_async(table: String; filter: RowFilter, after: String, limit: u32) -> RowPage
        = |session| session.list_rows(table, filter.unwrap_or_default(), after, limit.unwrap_or(PAGE)).await;

    /// Changes the fields given of the row that was read with this `updated_at`.
    ///
    /// Errors: `stale` when it was changed since; `not_found`; else as `create_row`.
    update_row / update_row_async(table: String, id: String, updated_at: String, fields: String;) -> String
        = |session| session.update_row(table, id, updated_at, fields).await;

    /// Deletes a row, or marks it where the table keeps deleted rows.
    ///
    /// Errors: `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to
    /// it.
    delete_row / delete_row_async(table: String, id: String;) -> Nothing
        = |session| session.delete_row(table, id).await;

    /// Takes a deletion back.
    ///
    /// Errors: `unsupported` where deleted rows are gone; `not_found`; `conflict` when another row has taken
    /// its place.
    restore_row / restore_row_async(table: String, id: String;) -> String
        = |session| session.restore_row(table, id).await;

    /// The secret in a column of a row, in the open; none where the column is empty.
    ///
    /// Errors: `wrong_key` when the book was opened without its key; `invalid` when the column holds no
    /// secrets, or one that is not text; `not_found`.
    reveal / reveal_async(table: String, id: String, column: String;) -> Option<String>
        = |session| session.reveal(table, id, column).await;
} now {
    /// Watches the progress of a run by its `sync_id`, in this process or another, until it completes.
    ///
    /// Errors: `invalid` after a fork or after the book was shut down.
    watch_progress(sync_id: String;) -> ProgressWatch = |session| session.watch_progress(sync_id);

    /// Brings files that the host itself holds, under a key that is the same every time; `Place.Host` names
    /// them by it. It answers until it is shut down.
    ///
    /// Errors: `conflict` while there is a host store of this key; `invalid` when an option cannot be used.
    host_store(key: String; options: HostOptions) -> HostStore
        = |session| session.host_store(key, options.unwrap_or_default());

    /// Brings tables that only the host knows, under a key that is the same every time; `RecordPlace.Host`
    /// names them by it. It answers until it is shut down.
    ///
    /// Errors: `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
    host_records(key: String; options: HostRecordOptions) -> HostRecords
        = |session| session.host_records(key, options.unwrap_or_default());
} also {
    /// The id of the tenant this session acts for.
    ///
    /// Errors: `invalid` after a fork or after the book was shut down.
    #[getter]
    fn tenant(&self, py: Python<'_>) -> PyResult<String> {
        self.handle.tenant().map_err(|error| raised(py, &error))
    }

    /// The session itself.
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// The book goes on.
    #[pyo3(signature = (*_exception: "object"))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {}

    /// The session itself, to be awaited.
    fn __aenter__<'py>(slf: Bound<'py, Self>) -> PyResult<Later<'py, Self>> {
        at_once(slf)
    }

    /// The book goes on.
    #[pyo3(signature = (*_exception: "object"))]
    fn __aexit__<'py>(&self, py: Python<'py>, _exception: &Bound<'_, PyTuple>) -> PyResult<Later<'py, Nothing>> {
        later(py, async { Ok(()) })
    }
} }
