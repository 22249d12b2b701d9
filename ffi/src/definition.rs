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
    Access, ChangeKind, HostRecordOptions, PreviewedRowPage, RecordOptions, RecordPlace, RowApplyOptions, RowPreview,
    RowPreviewOptions, RowVerifyReport, TableEntry, TableShape, id_of, let_in, read, rows,
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
        let (source, target, options) = (self.record_place(source)?, self.record_place(target)?, options.read()?);
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
        let (mut database, table) = DatabaseAt::parse(&url)?;
        if table.is_some() {
            return Err(crate::records::invalid("read the URL of a database", "", "it names a table").into());
        }
        let_in(&mut database, access);
        Ok(self.core()?.inspect_database(database).await?.into_iter().map(Into::into).collect())
    }

    /// What a table looks like now; the inventory of the book learns it.
    ///
    /// # Errors
    /// As [`inspect_database`](Self::inspect_database).
    pub async fn inspect_table(&self, place: RecordPlace) -> Result<TableShape> {
        let place = self.record_place(place)?;
        Ok(self.core()?.inspect_table(place).await?.into())
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
            RecordPlace::Table { url, access } => {
                let mut place = url.parse()?;
                if let bridge::RecordPlace::Table { database, .. } = &mut place {
                    let_in(database, access.unwrap_or_default());
                }
                Ok(place)
            }
            RecordPlace::Host { key, table } => HostRecords::place(self.life(), key, table),
        }
    }
}
