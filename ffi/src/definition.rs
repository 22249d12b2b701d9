//! Definitions: two tables, and what is to hold between their rows.

use std::sync::Arc;

use portbook::bridge::{self, DatabaseAt};
use portbook::model::{Id, PreviewId};
use portbook::operation::ChangeId;

use crate::caught::fault;
use crate::error::Result;
use crate::host_records::HostRecords;
use crate::life::{Life, Own};
use crate::records::{
    Access, ChangeKind, Drift, HostRecordOptions, Introspection, PreviewedRowPage, RecordOptions, RecordPlace,
    RecordTarget, RowApplyOptions, RowChoice, RowConflict, RowInspection, RowPreview, RowPreviewOptions,
    RowVerifyReport, TableDrift, TableEntry, TableShape, UnitAccount, UnitBudget, id_of, invalid, let_in,
    let_in_at_list, read, rows,
};
use crate::run::Run;
use crate::session::Session;

/// A standing relation between two tables, as one user of one tenant.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Definition {
    life: Arc<Life>,
    core: Own<bridge::Definition>,
}

impl Definition {
    fn new(life: &Arc<Life>, core: bridge::Definition) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core) })
    }

    fn core(&self) -> Result<&bridge::Definition> {
        self.life.check()?;
        self.core.get()
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Definition {
    /// Its id in the book (`sync_definitions`).
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down.
    pub fn id(&self) -> Result<String> {
        Ok(self.core()?.id().0.to_string())
    }

    /// The lists that its rows may go to; none where the target is a table.
    ///
    /// # Errors
    /// `not_found` when the definition is gone.
    pub async fn targets(&self) -> Result<Vec<RecordTarget>> {
        Ok(self.core()?.targets().await?.into_iter().map(Into::into).collect())
    }

    /// What has changed about both tables since the last run, or since they were accepted as they are, and what that is to this
    /// definition; also what keeps it from running.
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
    pub async fn drift(&self) -> Result<Vec<Drift>> {
        Ok(self.core()?.drift().await?.into_iter().map(Into::into).collect())
    }

    /// Compares both tables with the ledger and stores what would change. Writes nothing to either.
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does not fit the tables as they
    /// are now.
    pub async fn preview(&self, options: RowPreviewOptions) -> Result<RowPreview> {
        let options = options.read()?;
        Ok(self.core()?.preview(options).await?.into())
    }

    /// What a preview holds in sum, by its id.
    ///
    /// # Errors
    /// `not_found` when there is none of this definition, or it has expired.
    pub async fn stored_preview(&self, preview: String) -> Result<RowPreview> {
        let preview = PreviewId(id_of("preview", &preview)?);
        Ok(self.core()?.stored_preview(preview).await?.into())
    }

    /// A page of the rows of a preview in the order in which they are applied, after the page that ended there; 1,000 at most. Rows
    /// that are equal and only recorded are listed when the kind `unchanged` is asked for.
    ///
    /// # Errors
    /// `not_found` as for [`stored_preview`](Self::stored_preview); `invalid` when `after` is none of its changes' ids.
    pub async fn changes(
        &self,
        preview: String,
        kind: Option<ChangeKind>,
        after: Option<String>,
        limit: u32,
    ) -> Result<PreviewedRowPage> {
        let (preview, after) = (PreviewId(id_of("preview", &preview)?), read::<ChangeId>(after)?);
        let limit = rows(limit).clamp(1, 1000);
        let found = self.core()?.changes(preview, kind.map(Into::into), after, limit).await?;
        let next = found.last().filter(|_| found.len() == limit).map(|row| row.id.to_string());
        Ok(PreviewedRowPage { rows: found.into_iter().map(Into::into).collect(), next })
    }

    /// Ticks changes of a preview in or out, by their ids.
    ///
    /// # Errors
    /// `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
    pub async fn tick(&self, preview: String, changes: Vec<String>, ticked: bool) -> Result<()> {
        let preview = PreviewId(id_of("preview", &preview)?);
        let changes = changes.iter().map(|id| id.parse()).collect::<portbook::Result<Vec<ChangeId>>>()?;
        Ok(self.core()?.tick(preview, changes, ticked).await?)
    }

    /// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the outcome of
    /// the run.
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down, and for what is no id.
    pub fn apply(&self, preview: String, options: RowApplyOptions) -> Result<Arc<Run>> {
        let preview = PreviewId(id_of("preview", &preview)?);
        Ok(Run::new(&self.life, self.core()?.apply(preview, options.into())))
    }

    /// Previews and applies.
    ///
    /// # Errors
    /// `invalid` when an option cannot be used.
    pub fn sync(&self, preview: RowPreviewOptions, options: RowApplyOptions) -> Result<Arc<Run>> {
        let preview = preview.read()?;
        Ok(Run::new(&self.life, self.core()?.sync(preview, options.into())))
    }

    /// Compares both tables row by row, whatever the ledger says, and writes down what came of it (`sync_metrics`).
    ///
    /// # Errors
    /// As [`preview`](Self::preview).
    pub async fn verify(&self) -> Result<RowVerifyReport> {
        Ok(self.core()?.verify().await?.into())
    }

    /// The rows that wait for a person, after the one of that id; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is no id; `storage`, `busy`.
    pub async fn conflicts(&self, after: Option<String>, limit: u32) -> Result<Vec<RowConflict>> {
        Ok(self.core()?.conflicts(after, rows(limit)).await?.into_iter().map(Into::into).collect())
    }

    /// A row that waits, with what both sides hold in its fields now.
    ///
    /// # Errors
    /// `not_found` when no row waits by this id; as [`preview`](Self::preview).
    pub async fn inspect_conflict(&self, id: String) -> Result<RowInspection> {
        Ok(self.core()?.inspect_conflict(id).await?.into())
    }

    /// Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of the conflict as it was
    /// looked at. The next preview shows what was decided, and applying it carries it out; if a side has changed its row by then, the
    /// decision comes to nothing, with a note, and the row waits on.
    ///
    /// # Errors
    /// `not_found` when no row waits by this id; `stale` when it is not what was looked at any more; `invalid` for columns of a row that
    /// one side has deleted, or for one that does not go both ways.
    pub async fn resolve_conflict(&self, id: String, mark: String, choice: RowChoice) -> Result<()> {
        Ok(self.core()?.resolve_conflict(id, mark, choice.into()).await?)
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Session {
    /// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both are looked at, and the
    /// inventory of the book learns of them.
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at, or there is no such host store. `invalid`: there is
    /// no key, a column is not there, a field cannot cross.
    pub async fn connect_records(
        &self,
        source: RecordPlace,
        target: RecordPlace,
        options: RecordOptions,
    ) -> Result<Arc<Definition>> {
        let (source, target) = (self.record_place(source)?, self.record_place(target)?);
        let options = options.read(|place| self.record_place(place))?;
        Ok(Definition::new(self.life(), self.core()?.connect_records(source, target, options).await?))
    }

    /// The definition of these two tables as it is: it keeps the attributes that it was given last.
    ///
    /// # Errors
    /// `not_found` when they were never connected with each other.
    pub async fn records(&self, source: RecordPlace, target: RecordPlace) -> Result<Arc<Definition>> {
        let (source, target) = (self.record_place(source)?, self.record_place(target)?);
        Ok(Definition::new(self.life(), self.core()?.records(source, target).await?))
    }

    /// The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are reached. One with a
    /// table of the host's own is found by its places: [`records`](Self::records).
    ///
    /// # Errors
    /// `not_found`.
    pub async fn definition(&self, id: String) -> Result<Arc<Definition>> {
        let id = Id::new(id_of("definition", &id)?);
        Ok(Definition::new(self.life(), self.core()?.definition(id).await?))
    }

    /// The tables of a database, without those of its system. The URL is that of a table without the table:
    /// `postgres://user@host/database`, `sqlite:///path/to/file.db/`.
    ///
    /// # Errors
    /// `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
    pub async fn inspect_database(&self, url: String, access: Access) -> Result<Vec<TableEntry>> {
        let database = database_at(&url, access)?;
        Ok(self.core()?.inspect_database(database).await?.into_iter().map(Into::into).collect())
    }

    /// Reads the metadata of every table of a database into the inventory of the book, and says what was read
    /// (`introspection_runs`). A table that cannot be described fails alone. The URL is as for
    /// [`inspect_database`](Self::inspect_database).
    ///
    /// # Errors
    /// As there.
    pub async fn introspect_database(&self, url: String, access: Access) -> Result<Introspection> {
        let database = database_at(&url, access)?;
        Ok(self.core()?.introspect_database(database).await?.into())
    }

    /// What a table looks like now; the inventory of the book learns it.
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn inspect_table(&self, place: RecordPlace) -> Result<TableShape> {
        let place = self.record_place(place)?;
        Ok(self.core()?.inspect_table(place).await?.into())
    }

    /// What has changed about a table since its last snapshot, and what that is to each definition that goes by it. Nothing is
    /// written: it is told until a run has gone over it, or the table is accepted.
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn table_drift(&self, place: RecordPlace) -> Result<Vec<TableDrift>> {
        let place = self.record_place(place)?;
        Ok(self.core()?.table_drift(place).await?.into_iter().map(Into::into).collect())
    }

    /// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become another one makes every
    /// row another one; a mapping over a column that is gone is refused in any case.
    ///
    /// # Errors
    /// `not_found` when the book does not know the table; as [`inspect_database`](Self::inspect_database).
    pub async fn accept_table(&self, place: RecordPlace) -> Result<()> {
        let place = self.record_place(place)?;
        Ok(self.core()?.accept_table(place).await?)
    }

    /// How many resource units an application of SharePoint may spend; unless told otherwise, those of the smallest tenants.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn sharepoint_budget(&self, account: UnitAccount) -> Result<UnitBudget> {
        Ok(self.core()?.sharepoint_budget(account.into()).await?.into())
    }

    /// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
    ///
    /// # Errors
    /// `invalid` for a budget of nothing; `storage`, `busy`.
    pub async fn set_sharepoint_budget(&self, account: UnitAccount, budget: UnitBudget) -> Result<()> {
        let budget = budget.read()?;
        Ok(self.core()?.set_sharepoint_budget(account.into(), budget).await?)
    }

    /// Brings tables that only the host knows, under a key that is the same every time; `RecordPlace::Host` names them by it. It
    /// answers until it is shut down.
    ///
    /// # Errors
    /// `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
    pub fn host_records(&self, key: String, options: HostRecordOptions) -> Result<Arc<HostRecords>> {
        self.life().check()?;
        fault(&key);
        HostRecords::begin(self.life(), key, options)
    }
}

impl Session {
    fn record_place(&self, place: RecordPlace) -> Result<bridge::RecordPlace> {
        self.life().check()?;
        match place {
            RecordPlace::Table { url, access } => match url.parse()? {
                bridge::RecordPlace::Table { mut database, table } => {
                    let_in(&mut database, access.unwrap_or_default());
                    Ok(bridge::RecordPlace::Table { database, table })
                }
                list => Err(invalid("use as a table", list, "it is a list, which is a place of another type").into()),
            },
            RecordPlace::List { url, access } => let_in_at_list(url.parse()?, access.unwrap_or_default()),
            RecordPlace::Host { key, table } => HostRecords::place(self.life(), key, table),
        }
    }
}

/// The database of a URL that names no table.
fn database_at(url: &str, access: Access) -> Result<DatabaseAt> {
    let (mut database, table) = DatabaseAt::parse(url)?;
    if table.is_some() {
        return Err(invalid("read the URL of a database", "", "it names a table").into());
    }
    let_in(&mut database, access);
    Ok(database)
}
