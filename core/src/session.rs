//! A book used by one user of one tenant. Every call goes through one.

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::book::BookInner;
use crate::bridge::{self, Brought, DatabaseAt, Definition, DefinitionInner, RecordOptions, RecordPlace, TableDrift};
use crate::conduit::{self, Conduit, ConduitOptions, Place, Upkeep, VerifyOptions, VerifyReport};
use crate::endpoint::sharepoint::{UnitAccount, UnitBudget, UnitShare};
use crate::endpoint::{self, TableEntry, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{
    Activity, Id, IntrospectionRun, PreviewId, Progress, Sides, SyncDefinition, SyncError, TABLES, Table, TenantId,
    UserId, ValueKind, VolumeId,
};
use crate::operation::preview::Previews;
use crate::operation::{
    ActivityFilter, ChangeFilter, ChangeId, ErrorFilter, GenerationSummary, Listing, PreviewChange, PreviewFilter,
    PreviewSummary, ProgressFilter, ProgressWatch, StoredPreview, failures, history, watch,
};
use crate::provider::{Access, Address, Bandwidth, Provider};
use crate::rows::{JsonRows, Rows};
use crate::table::{PageKey, Tables};
use crate::vault::SealedColumn;
use crate::volume::{self, Naming, SavedVolume, Volume};

/// A book used by one user of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
}

/// Every column of secrets that a tenant has.
fn sealed_columns() -> Vec<SealedColumn> {
    let columns = TABLES.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let secrets = columns.filter(|(_, column)| column.kind == ValueKind::Secret);
    secrets
        .map(|(table, column)| SealedColumn { table: table.name, tenant: table.tenant, key: "id", column: column.name })
        .collect()
}

/// Upkeep of what a tenant has.
pub(crate) async fn upkeep(book: &Arc<BookInner>, tenant: TenantId) -> Result<Upkeep> {
    let tended = volume::maintain(book, tenant).await?;
    let upkeep = conduit::maintain(book, tenant).await?;
    Ok(Upkeep { reservations: tended.reservations, trashed: upkeep.trashed + tended.trashed, ..upkeep })
}

impl Session {
    pub(crate) fn new(book: Arc<BookInner>, tenant: TenantId, user: UserId) -> Self {
        Self { book, tenant, user }
    }

    /// The tenant this session acts for.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The conduit of these two places, found in either direction or made; its attributes become `options`.
    ///
    /// # Errors
    /// `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used; `not_found` when
    /// neither the place nor its parent exists.
    pub async fn connect(&self, source: Place, target: Place, options: ConduitOptions) -> Result<Conduit> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let places = Sides::new(source, target);
        self.book.run(async move { conduit::connect(book, tenant, user, places, options).await }).await
    }

    /// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both are looked at,
    /// and the inventory of the book learns of them. See [`crate::bridge`].
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at. `invalid`: there is no key, a column is not
    /// there, a field cannot cross.
    pub async fn connect_records(
        &self,
        source: RecordPlace,
        target: RecordPlace,
        options: RecordOptions,
    ) -> Result<Definition> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let places = Sides::new(source, target);
        self.book.run(async move { bridge::connect(book, tenant, user, places, options).await }).await
    }

    /// The definition of these two tables as it is: it keeps the attributes that it was given last.
    ///
    /// # Errors
    /// `not_found` when they were never connected with each other.
    pub async fn records(&self, source: RecordPlace, target: RecordPlace) -> Result<Definition> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let places = Sides::new(source, target);
        self.book.run(async move { bridge::existing(book, tenant, user, places).await }).await
    }

    /// The tables of a database, without those of its system.
    ///
    /// # Errors
    /// `offline`, `auth`, `permission`, `not_found`.
    pub async fn inspect_database(&self, database: DatabaseAt) -> Result<Vec<TableEntry>> {
        let look = async move { endpoint::open(database.db_type, database.options)?.tables().await };
        self.book.run(look).await
    }

    /// What a table looks like now; the inventory of the book learns it.
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn inspect_table(&self, place: RecordPlace) -> Result<TableShape> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::inspect(&book, tenant, &place).await }).await
    }

    /// The resource units of an application of SharePoint, shared by all processes that use this book: the share of an endpoint
    /// ([`SharepointOptions::share`](endpoint::sharepoint::SharepointOptions::share)) that the host opens itself. Another tenant
    /// of the book that works as the same application has a budget of its own, and is to be given a part of it.
    #[must_use]
    pub fn sharepoint_units(&self, account: UnitAccount) -> Arc<dyn UnitShare> {
        bridge::book_backed_share(&self.book, self.tenant, account)
    }

    /// How many resource units an application of SharePoint may spend; unless told otherwise, those of the smallest tenants.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn sharepoint_budget(&self, account: UnitAccount) -> Result<UnitBudget> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::budget(&book, tenant, &account).await }).await
    }

    /// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
    ///
    /// ```
    /// # fn main() -> portbook::Result<()> {
    /// use portbook::endpoint::sharepoint::{UnitAccount, UnitBudget};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let book = portbook::wait(portbook::Book::open(portbook::BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// let session = portbook::wait(book.default_session())?;
    /// let account = UnitAccount::new("https://login.microsoftonline.com", "contoso.onmicrosoft.com", "the-app's-id");
    /// portbook::wait(session.set_sharepoint_budget(account, UnitBudget::for_licences(20_000)))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `invalid` for a budget of nothing; `storage`, `busy`.
    pub async fn set_sharepoint_budget(&self, account: UnitAccount, budget: UnitBudget) -> Result<()> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::set_budget(&book, tenant, &account, budget).await }).await
    }

    /// Reads the metadata of every table of a database into the inventory of the book; what was read is a row of
    /// `introspection_runs`, and is returned. A table that cannot be described fails alone.
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn introspect_database(&self, database: DatabaseAt) -> Result<IntrospectionRun> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::introspect(&book, tenant, database).await }).await
    }

    /// What has changed about a table since its last snapshot, and what that is to each definition that goes by it. Nothing is
    /// written: it is told until a run has gone over it, or the table is [accepted](Self::accept_table).
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn table_drift(&self, place: RecordPlace) -> Result<Vec<TableDrift>> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::of_table(&book, tenant, &place).await }).await
    }

    /// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become another one makes
    /// every row another one; a mapping over a column that is gone is refused in any case.
    ///
    /// # Errors
    /// `not_found` when the book does not know the table; as [`inspect_database`](Self::inspect_database).
    pub async fn accept_table(&self, place: RecordPlace) -> Result<()> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { bridge::accept(&book, tenant, &place).await }).await
    }

    /// The definition of that id (`sync_definitions`), with the endpoints that its rows name.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn definition(&self, id: Id<SyncDefinition>) -> Result<Definition> {
        let (book, tenant, user, tables) = (self.book.clone(), self.tenant, self.user, self.tables());
        let find = async move {
            tables.read(id).await?;
            let inner = DefinitionInner { book, tenant, user, id, brought: Brought::default() };
            Ok(Definition { inner: Arc::new(inner) })
        };
        self.book.run(find).await
    }

    /// The conduit of these two places as it is: it keeps the attributes that it was given last.
    ///
    /// # Errors
    /// `not_found` when the places were never connected with each other.
    pub async fn conduit(&self, source: Place, target: Place) -> Result<Conduit> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let find = async move {
            let names = format!("{} and {}", source.display(), target.display());
            let found = conduit::existing(book, tenant, user, Sides::new(source, target)).await?;
            found.ok_or_else(|| Error::new(Code::NotFound, "find the conduit of", names).because("there is none"))
        };
        self.book.run(find).await
    }

    /// The conduit that made a preview, by the places that the preview was made of. As for
    /// [`conduit`](Self::conduit), it keeps its attributes: a preview carries its own.
    ///
    /// # Errors
    /// `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other places, or goes
    /// the other way.
    pub async fn conduit_of(&self, preview: PreviewId, source: Place, target: Place) -> Result<Conduit> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let (previews, now) = (self.shelf(), self.book.clock.now());
        let find = async move {
            previews.get(preview, now).await?;
            let found = conduit::existing(book, tenant, user, Sides::new(source, target)).await?;
            let found = found.ok_or_else(|| conduit::of_other_places(preview))?;
            found.inner.made(preview).await.map(|_| found)
        };
        self.book.run(find).await
    }

    /// Opens a saved volume by its name, or by its id. See [`Volume`] for what can be done with it.
    ///
    /// # Errors
    /// `not_found`; `invalid` when it is not active or its row cannot be used as it stands; `permission` when its directory is in
    /// none of the tenant's `local_paths`; `unsupported` for a driver that is not there; as the place.
    pub async fn volume(&self, name_or_id: impl Into<String>) -> Result<Volume> {
        let (book, tenant, user, name) = (self.book.clone(), self.tenant, self.user, Naming(name_or_id.into()));
        self.book.run(async move { volume::open(book, tenant, user, &name, None).await }).await
    }

    /// As [`volume`](Self::volume), on a provider that the host brings in the place of the one its row names.
    ///
    /// # Errors
    /// As there.
    pub async fn volume_on(&self, name_or_id: impl Into<String>, place: Arc<dyn Provider>) -> Result<Volume> {
        let (book, tenant, user, name) = (self.book.clone(), self.tenant, self.user, Naming(name_or_id.into()));
        self.book.run(async move { volume::open(book, tenant, user, &name, Some(place)).await }).await
    }

    /// A directory of a saved volume, by the volume's name or id, with what is sealed in the book to let one in.
    ///
    /// ```no_run
    /// # async fn example(session: portbook::Session) -> portbook::Result<()> {
    /// use portbook::conduit::{ConduitOptions, Place};
    /// use portbook::provider::Access;
    ///
    /// let access = Access { user: Some("id".into()), password: Some("secret".into()), ..Access::default() };
    /// session.save_volume("photos", "s3://bucket/photos".parse()?, access).await?;
    /// let photos = session.place("photos", "2026").await?;
    /// session.connect(photos, Place::Local("/srv/photos/2026".into()), ConduitOptions::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `not_found` when there is no such volume; `invalid` when it is not active, or the path leads out of it; `wrong_key`
    /// when the book was opened without its key.
    pub async fn place(&self, volume: impl Into<String>, path: impl Into<String>) -> Result<Place> {
        let (book, tenant, volume, path) = (self.book.clone(), self.tenant, volume.into(), path.into());
        self.book.run(async move { volume::place(&book, tenant, &volume, &path).await }).await
    }

    /// Saves a place behind a URL as a volume, with what lets one in there, sealed.
    ///
    /// # Errors
    /// `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its key and there is
    /// something to seal.
    pub async fn save_volume(&self, name: impl Into<String>, address: Address, access: Access) -> Result<VolumeId> {
        let (book, tenant, name) = (self.book.clone(), self.tenant, name.into());
        let save = async move { volume::save(&book, tenant, &name, &address, &access).await.map(|saved| saved.id) };
        self.book.run(save).await
    }

    /// Saves a directory of this machine as a volume, and approves it.
    ///
    /// # Errors
    /// `not_found` when there is no such directory; `conflict` when the name is taken.
    pub async fn save_directory(&self, name: impl Into<String>, path: impl Into<PathBuf>) -> Result<VolumeId> {
        let (book, tenant, name, path) = (self.book.clone(), self.tenant, name.into(), path.into());
        let save = async move { volume::save_directory(&book, tenant, &name, &path).await.map(|saved| saved.id) };
        self.book.run(save).await
    }

    /// The saved volumes by their names, without what lets one in. Needs no key of the book.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn volumes(&self) -> Result<Vec<SavedVolume>> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { volume::saved(&book, tenant).await }).await
    }

    /// Sets how fast bytes may pass to and from a saved volume, whoever of this process carries them: runs of conduits that end
    /// on it, and [`Volume`]s opened from now on. None: as fast as they can.
    ///
    /// # Errors
    /// `not_found`; `stale` when its row was changed meanwhile.
    pub async fn limit_volume(&self, name: impl Into<String>, bandwidth: Option<Bandwidth>) -> Result<()> {
        let (book, tenant, name) = (self.book.clone(), self.tenant, name.into());
        let set = async move { volume::set_bandwidth(&book, tenant, &name, bandwidth.as_ref()).await };
        self.book.run(set).await
    }

    /// Forgets a saved volume, with what lets one in. What is stored there stays.
    ///
    /// # Errors
    /// `not_found`; `conflict` while files or conduits of it are in the book.
    pub async fn remove_volume(&self, name: impl Into<String>) -> Result<()> {
        let (book, tenant, name) = (self.book.clone(), self.tenant, name.into());
        self.book.run(async move { volume::remove(&book, tenant, &name).await }).await
    }

    /// The rows of a table, of this session's tenant.
    ///
    /// ```
    /// use portbook::model::LocalPath;
    /// use portbook::table::Filter;
    /// use portbook::{Book, BookOptions};
    ///
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// let session = portbook::wait(book.default_session())?;
    /// let paths = session.rows::<LocalPath>();
    /// let made = portbook::wait(paths.create(LocalPath { path: "/srv/photos".into(), description: None }))?;
    /// let page = portbook::wait(paths.list(Filter::all(), None, 100))?;
    /// assert_eq!((page.rows, page.next), (vec![made], None));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rows<T: Table>(&self) -> Rows<T> {
        Rows::new(self.book.clone(), self.tables())
    }

    /// The rows of the table of that name, as JSON.
    ///
    /// # Errors
    /// `not_found` when hosts do not write a table of that name.
    pub fn table(&self, name: &str) -> Result<JsonRows> {
        let info = TABLES.iter().copied().find(|t| t.name == name);
        let info = info.ok_or_else(|| Error::new(Code::NotFound, "find the table", name.escape_default()))?;
        Ok(JsonRows::new(self.book.clone(), self.tables(), info))
    }

    /// Gives the tenant a new data key and seals all its secrets anew with it; returns how many. What older data keys
    /// sealed in copies of the book still opens with the key of the book. To change the key of the book itself, which is
    /// faster and concerns every tenant, see [`Book::rotate_key`](crate::Book::rotate_key).
    ///
    /// # Errors
    /// `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that does not open:
    /// those before it are sealed anew, and it may be called again.
    pub async fn renew_data_key(&self) -> Result<u64> {
        let (vault, tenant) = (self.book.vault.clone(), self.tenant);
        let renew = async move {
            vault.renew_data_key(tenant).await?;
            vault.reseal(tenant, &sealed_columns()).await
        };
        self.book.run(renew).await
    }

    fn tables(&self) -> Tables {
        self.book.tables(self.tenant)
    }

    fn shelf(&self) -> Previews {
        Previews { store: self.book.store.clone(), tenant: self.tenant }
    }

    /// What a preview holds in sum.
    ///
    /// # Errors
    /// `not_found` when there is none of this id or it has expired.
    pub async fn preview(&self, id: PreviewId) -> Result<PreviewSummary> {
        let (previews, now) = (self.shelf(), self.book.clock.now());
        self.book.run(async move { Ok(previews.get(id, now).await?.summary) }).await
    }

    /// A page of a preview's changes, in the order in which they are applied, after `after`; 1,000 at most. Items that
    /// are equal and only recorded are listed when the filter asks for the kind `unchanged`.
    ///
    /// # Errors
    /// `not_found` as for [`preview`](Self::preview).
    pub async fn preview_changes(
        &self,
        id: PreviewId,
        filter: ChangeFilter,
        after: Option<ChangeId>,
        limit: usize,
    ) -> Result<Vec<PreviewChange>> {
        let (previews, now) = (self.shelf(), self.book.clock.now());
        let list = async move {
            previews.get(id, now).await?;
            previews.list(id, &filter, after, limit.clamp(1, 1000)).await
        };
        self.book.run(list).await
    }

    /// Ticks changes in or out. The second halves of a decision go with the first.
    ///
    /// # Errors
    /// `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this preview or names a
    /// second half.
    pub async fn tick(&self, id: PreviewId, changes: Vec<ChangeId>, ticked: bool) -> Result<()> {
        let (previews, now) = (self.shelf(), self.book.clock.now());
        self.book.run(async move { previews.tick(id, &changes, ticked, now).await }).await
    }

    /// Ticks in or out every change that the filter names.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub async fn tick_all(&self, id: PreviewId, filter: ChangeFilter, ticked: bool) -> Result<()> {
        let (previews, now) = (self.shelf(), self.book.clock.now());
        self.book.run(async move { previews.tick_all(id, &filter, ticked, now).await }).await
    }

    /// Looks at two places and says where they differ, whatever any ledger says of their contents. What takes part is
    /// what took part in the last sync of the two, unless the options say: what a filter left out is no difference, nor is
    /// what the target of a selective conduit is not to hold. Name source and target as for the sync.
    ///
    /// # Errors
    /// `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    pub async fn verify(&self, source: Place, target: Place, options: VerifyOptions) -> Result<VerifyReport> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let places = Sides::new(source, target);
        let look = async move {
            let conduit = conduit::existing(book, tenant, user, places.clone()).await?;
            conduit::verify(places, conduit.as_ref(), options).await
        };
        self.book.run(look).await
    }

    /// The runs between two places in either direction, or all runs, the latest first; 1,000 at most.
    ///
    /// # Errors
    /// `not_found` when the places were never synced with each other; `storage`.
    pub async fn history(&self, places: Option<(Place, Place)>, limit: usize) -> Result<Vec<GenerationSummary>> {
        let (book, tenant, user) = (self.book.clone(), self.tenant, self.user);
        let list = async move {
            let mut conduit = None;
            if let Some((source, target)) = places {
                let names = format!("{} and {}", source.display(), target.display());
                let found = conduit::existing(book.clone(), tenant, user, Sides::new(source, target)).await?;
                let found = found.ok_or_else(|| {
                    Error::new(Code::NotFound, "find runs between", names).because("they were never synced")
                })?;
                conduit = Some(found.inner.id);
            }
            history::list(&*book.store, tenant, conduit, limit.clamp(1, 1000)).await
        };
        self.book.run(list).await
    }

    /// What was done for the tenant, the latest first; pages of 1,000 lines at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn activity(
        &self,
        filter: ActivityFilter,
        after: Option<PageKey>,
        limit: usize,
    ) -> Result<Listing<Activity>> {
        let (store, tenant) = (self.book.store.clone(), self.tenant);
        self.book.run(async move { history::activity(&*store, tenant, &filter, (after, limit)).await }).await
    }

    /// How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most. A run is under way
    /// while `completed_at` is none, whichever process it is in.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn progress(
        &self,
        filter: ProgressFilter,
        after: Option<PageKey>,
        limit: usize,
    ) -> Result<Listing<Progress>> {
        let (store, tenant) = (self.book.store.clone(), self.tenant);
        self.book.run(async move { watch::list(&*store, tenant, &filter, (after, limit)).await }).await
    }

    /// Watches the progress of a run by its `sync_id`, in this process or another, until it completes. For a run of this
    /// process, [`Run::next_event`](crate::operation::Run::next_event) tells more.
    #[must_use]
    pub fn watch_progress(&self, sync_id: impl Into<String>) -> ProgressWatch {
        ProgressWatch::new(self.book.clone(), self.tenant, sync_id.into())
    }

    /// Failures of items, the latest first; pages of 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn errors(
        &self,
        filter: ErrorFilter,
        after: Option<PageKey>,
        limit: usize,
    ) -> Result<Listing<SyncError>> {
        let (store, tenant) = (self.book.store.clone(), self.tenant);
        self.book.run(async move { failures::list(&*store, tenant, &filter, (after, limit)).await }).await
    }

    /// Marks a failure as made good, and says how.
    ///
    /// # Errors
    /// `not_found`; `conflict` when it is marked already; `storage`, `busy`.
    pub async fn resolve_error(&self, id: Uuid, notes: impl Into<String>) -> Result<SyncError> {
        let (store, tenant, now, notes) = (self.book.store.clone(), self.tenant, self.book.clock.now(), notes.into());
        self.book.run(async move { failures::resolve(&*store, tenant, id, notes, now).await }).await
    }

    /// The previews that are stored, the last computed first; pages of 1,000 at most. Expired ones are listed until
    /// upkeep removes them.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn previews(
        &self,
        filter: PreviewFilter,
        after: Option<PageKey>,
        limit: usize,
    ) -> Result<Listing<StoredPreview>> {
        let (previews, now) = (self.shelf(), self.book.clock.now());
        self.book.run(async move { previews.shelf(&filter, (after, limit), now).await }).await
    }

    /// Deletes a stored preview.
    ///
    /// # Errors
    /// `not_found`; `busy` when a run is applying it or is to be resumed from it.
    pub async fn delete_preview(&self, id: PreviewId) -> Result<()> {
        let previews = self.shelf();
        self.book.run(async move { previews.discard(id).await }).await
    }

    /// Removes what has outlived its time: previews that have expired, what has been in the trash of a directory of
    /// this machine for 30 days, lines of activity older than the book keeps them (a year unless told otherwise), and
    /// promises of room on volumes whose process died, with what they left there. Runs tend most of this by themselves;
    /// this is for conduits and volumes that rest.
    ///
    /// # Errors
    /// `storage`, `busy`. A trash that cannot be tended now is no error.
    pub async fn maintain(&self) -> Result<Upkeep> {
        let (book, tenant) = (self.book.clone(), self.tenant);
        self.book.run(async move { upkeep(&book, tenant).await }).await
    }
}
