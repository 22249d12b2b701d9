//! Record sync: rows of tables and items of lists, kept in step.
//!
//! A definition is a standing relation between two tables, or a table and a SharePoint list. What a run of it does is always a preview first: both sides are
//! read beside the ledger into the book, and apply reads it back. So what is applied is what could be shown.
//!
//! ```
//! use portbook::bridge::{RecordOptions, RowApplyOptions, RowPreviewOptions};
//! use portbook::{Book, BookOptions};
//!
//! # fn main() -> portbook::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let shop = dir.path().join("shop.db");
//! # let copy = dir.path().join("copy.db");
//! # for (file, rows) in [(&shop, "INSERT INTO orders VALUES (1, 'new'), (2, 'paid')"), (&copy, "")] {
//! #     let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT NOT NULL)";
//! #     rusqlite::Connection::open(file).unwrap().execute_batch(&format!("{table}; {rows}")).unwrap();
//! # }
//! let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
//! let session = portbook::wait(book.default_session())?;
//! let source = format!("sqlite://{}/orders", shop.display()).parse()?;
//! let target = format!("sqlite://{}/orders", copy.display()).parse()?;
//! let definition = portbook::wait(session.connect_records(source, target, RecordOptions::default()))?;
//!
//! let preview = portbook::wait(definition.preview(RowPreviewOptions::default()))?;
//! assert_eq!(preview.summary.counts.new, 2);
//!
//! let report = portbook::wait(definition.apply(preview.summary.id, RowApplyOptions::default()).finish())?;
//! assert!(report.is_in_step());
//! # Ok(())
//! # }
//! ```
//!
//! Which row a row is says [`RowKey`], how a value crosses [`Projection`], what is made of it on the way [`Expression`],
//! to which target a row goes [`Routing`].

mod apply;
mod change;
mod clock;
mod conflict;
mod connect;
mod cursor;
mod delta;
mod drift;
mod expression;
mod fields;
mod instance;
mod introspect;
mod inventoried;
mod inventory;
mod journal;
mod json;
mod key;
mod list;
mod mapping;
mod metrics;
mod open;
mod options;
mod pace;
mod place;
mod planned;
mod preview;
mod projection;
mod provision;
mod routes;
mod routing;
mod run;
mod served;
mod snapshot;
mod survey;
mod units;
mod verify;
mod written;

use std::sync::Arc;

pub use clock::RecordClock;
pub use conflict::{FieldValues, RowChoice, RowConflict, RowInspection};
pub use drift::{Drift, DriftEffect, SchemaChange, SchemaChangeKind};
pub use expression::Expression;
pub use fields::{RecordField, parse_fields};
pub use json::{read_value, show_value};
pub use key::{KeyColumn, KeyPart, RowKey, read_key, show_key};
pub use list::RecordTarget;
pub use options::{RecordCursor, RecordOptions, RecordRoute};
pub use place::{DatabaseAt, RecordPlace};
pub use preview::{PreviewedRow, RowPreview, RowPreviewOptions};
pub use projection::{Ends, Projection};
pub use routing::{Route, Routing};
pub use snapshot::{DefinitionDrift, TableDrift};
pub use verify::{RowDifference, RowDifferenceKind, RowVerifyReport};

use crate::book::BookInner;
use crate::delta::ChangeKind;
use crate::error::Result;
use crate::model::{Id, PreviewId, SyncDefinition, TenantId, UserId, Value};
use crate::operation::lease::Leased;
use crate::operation::preview::ChangeId;
use crate::operation::run::Run;
use crate::provider::hosted::cancel;

pub(crate) use connect::{connect, existing, inspect};
pub(crate) use introspect::introspect;
pub(crate) use snapshot::{accept, of_table};
pub(crate) use units::{book_backed_share, budget, set_budget};

pub(crate) use open::Brought;
use open::Opened;
use planned::StoredRows;
use run::Task;

/// A standing relation between two tables, as one user of one tenant.
#[derive(Clone)]
pub struct Definition {
    pub(crate) inner: Arc<DefinitionInner>,
}

pub(crate) struct DefinitionInner {
    pub(crate) book: Arc<BookInner>,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) id: Id<SyncDefinition>,
    /// The endpoints that the host has brought.
    pub(crate) brought: Brought,
}

impl DefinitionInner {
    async fn ready(&self) -> Result<Opened> {
        open::ready(&self.book, self.tenant, self.user, self.id, &self.brought).await
    }

    async fn drift(&self) -> Result<Vec<Drift>> {
        open::drift(&self.book, self.tenant, self.id, &self.brought).await
    }

    async fn ensure_state(&self) -> Result<()> {
        open::state(&self.book, self.tenant, self.id).await.map(|_| ())
    }

    /// A preview, if it is of this definition.
    async fn own(&self, id: PreviewId) -> Result<StoredRows> {
        let stored = planned::stored(&self.book, self.tenant, id).await?;
        if stored.definition == self.id.0.to_string() { Ok(stored) } else { Err(planned::missing(id)) }
    }

    fn leased(&self) -> Leased {
        Leased {
            book: self.book.clone(),
            tenant: self.tenant,
            table: "sync_definition_state",
            column: "sync_def_id",
            key: Value::Uuid(self.id.0),
            kind: "definition",
            name: self.id.0.to_string(),
        }
    }
}

/// How a preview of rows is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowApplyOptions {
    /// Guards that a person has seen and confirmed for this plan, by their names.
    pub confirm: Vec<String>,
}

impl Definition {
    /// Its id in the book.
    #[must_use]
    pub fn id(&self) -> Id<SyncDefinition> {
        self.inner.id
    }

    /// Compares both tables with the ledger and stores what would change. Writes nothing to either.
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does not fit the tables as
    /// they are now.
    pub async fn preview(&self, options: RowPreviewOptions) -> Result<RowPreview> {
        let inner = self.inner.clone();
        let make = async move {
            {
                let mut opened = inner.ready().await?;
                opened.send_all_to(options.route_to.map(|list| list.0))?;
                preview::preview(&opened, &options).await
            }
        };
        self.inner.book.run(make).await
    }

    /// The lists that its rows may go to; none where the target is a table.
    ///
    /// # Errors
    /// `not_found` when the definition is gone.
    pub async fn targets(&self) -> Result<Vec<RecordTarget>> {
        let inner = self.inner.clone();
        let find = async move { list::targets_of(&inner.book.tables(inner.tenant), inner.id).await };
        self.inner.book.run(find).await
    }

    /// What has changed about both tables since the last run, or since they were accepted as they are, and what that is to this
    /// definition; also what keeps it from running.
    ///
    /// # Errors
    /// `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
    pub async fn drift(&self) -> Result<Vec<Drift>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { inner.drift().await }).await
    }

    /// What a preview holds in sum.
    ///
    /// # Errors
    /// `not_found` when there is none of this definition, or it has expired.
    pub async fn stored_preview(&self, id: PreviewId) -> Result<RowPreview> {
        let inner = self.inner.clone();
        let find = async move { inner.own(id).await.map(|stored| stored.preview) };
        self.inner.book.run(find).await
    }

    /// A page of the rows of a preview in the order of application, after `after`. Those that are only recorded in the ledger
    /// are left out unless the kind `unchanged` is asked for.
    ///
    /// # Errors
    /// `not_found` when there is none of this definition, or it has expired.
    pub async fn changes(
        &self,
        preview: PreviewId,
        kind: Option<ChangeKind>,
        after: Option<ChangeId>,
        limit: usize,
    ) -> Result<Vec<PreviewedRow>> {
        let inner = self.inner.clone();
        let list = async move {
            inner.own(preview).await?;
            planned::list(&*inner.book.store, inner.tenant, preview, kind, after, limit).await
        };
        self.inner.book.run(list).await
    }

    /// Ticks changes of a preview in or out.
    ///
    /// # Errors
    /// `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
    pub async fn tick(&self, preview: PreviewId, changes: Vec<ChangeId>, ticked: bool) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { planned::tick(&inner, preview, &changes, ticked).await }).await
    }

    /// Applies a preview as it stands, or goes on with one that was interrupted.
    #[must_use]
    pub fn apply(&self, preview: PreviewId, options: RowApplyOptions) -> Run {
        self.start(Task::Apply(preview), options)
    }

    /// Previews and applies.
    #[must_use]
    pub fn sync(&self, preview: RowPreviewOptions, options: RowApplyOptions) -> Run {
        self.start(Task::Sync(preview), options)
    }

    /// Compares both tables row by row, whatever the ledger says, and writes down what came of it (`sync_metrics`).
    ///
    /// # Errors
    /// As [`preview`](Self::preview).
    pub async fn verify(&self) -> Result<RowVerifyReport> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { verify::verify(&inner.ready().await?).await }).await
    }

    fn start(&self, task: Task, options: RowApplyOptions) -> Run {
        let (run, reporter, outcome) = Run::new();
        let inner = self.inner.clone();
        let begun = self.inner.book.under_way.begin(run.control());
        let is_cancelled = run.control().watch();
        self.inner.book.spawn(async move {
            let _begun = begun;
            let result = cancel::of_run(is_cancelled, run::run(inner, task, options.confirm, reporter)).await;
            // Nobody may be waiting for the outcome any more; the book has it.
            let _ = outcome.send(result);
        });
        run
    }
}
