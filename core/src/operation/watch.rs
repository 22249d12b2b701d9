//! Progress rows: polled as pages, or watched one at a time until they complete.
//!
//! A run writes its row about once a second, whichever process it is in. A watch of this process is woken when a run of
//! this process has written; what others write it finds by looking again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::listing::{self, Listing, Order, Query};
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{ConduitId, Moment, Progress, Record, SyncEntityType, TenantId, Value};
use crate::store::{Statement, Store, select};
use crate::table::PageKey;

/// How long what another process wrote may stay unseen.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which progress is wanted; every one that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgressFilter {
    /// Of runs of this conduit.
    pub conduit: Option<ConduitId>,
    /// Of this run (`sync_id`).
    pub sync_id: Option<String>,
    /// Of this job (`job_id`): for files, the conduit's id.
    pub job_id: Option<String>,
    /// What is counted.
    pub entity_type: Option<SyncEntityType>,
    /// Only what is under way.
    pub active: bool,
}

impl ProgressFilter {
    /// Of runs of this conduit.
    #[must_use]
    pub fn of(conduit: ConduitId) -> Self {
        Self { conduit: Some(conduit), ..Self::default() }
    }
}

/// A page of progress, the last begun first.
pub(crate) async fn list(
    store: &dyn Store,
    tenant: TenantId,
    filter: &ProgressFilter,
    page: (Option<PageKey>, usize),
) -> Result<Listing<Progress>> {
    listing::page(store, tenant, query(tenant, filter), &order(), page, Progress::read).await
}

pub(super) fn order() -> Order {
    Order::of::<Progress>("started_at", "id", true)
}

pub(super) fn query(tenant: TenantId, filter: &ProgressFilter) -> Query {
    let ProgressFilter { conduit, sync_id, job_id, entity_type, active } = filter;
    let mut query = Query::of::<Progress>("org_id", tenant);
    query.equal("job_id", conduit.map(|id| id.to_string()).as_ref()).equal("job_id", job_id.as_ref());
    query.equal("sync_id", sync_id.as_ref()).equal("entity_type", entity_type.as_ref());
    if *active {
        query.and_also("completed_at IS NULL");
    }
    query
}

/// The progress of one run, as it changes; see [`Session::watch_progress`](crate::Session::watch_progress). Dropping it
/// ends the watch and nothing else.
pub struct ProgressWatch {
    book: Arc<BookInner>,
    tenant: TenantId,
    sync_id: String,
    given: Mutex<Given>,
}

/// What of a row was given last.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    Nothing,
    Until(Moment),
    All,
}

impl ProgressWatch {
    pub(crate) fn new(book: Arc<BookInner>, tenant: TenantId, sync_id: String) -> Self {
        Self { book, tenant, sync_id, given: Mutex::new(Given::Nothing) }
    }

    /// The run's progress: at once the first time, then whenever it has changed; none after the row that completes it.
    /// Changes in between may be skipped; the last never is.
    ///
    /// # Errors
    /// `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.
    pub async fn next(&self) -> Result<Option<Progress>> {
        let mut given = self.given.lock().await;
        if *given == Given::All {
            return Ok(None);
        }
        let (book, tenant, sync_id, seen) = (self.book.clone(), self.tenant, self.sync_id.clone(), *given);
        let row = self.book.run(async move { changed(&book, tenant, &sync_id, seen).await }).await?;
        *given = if row.completed_at.is_some() { Given::All } else { Given::Until(row.updated_at) };
        Ok(Some(row))
    }
}

/// Waits until the row is another than the one that was given.
async fn changed(book: &BookInner, tenant: TenantId, sync_id: &str, given: Given) -> Result<Progress> {
    loop {
        // Told from here on: what is written after the look below is not missed.
        let mut news = std::pin::pin!(book.progress_written.notified());
        news.as_mut().enable();
        let ask = Statement::new(
            select!(Progress, "WHERE org_id = ?1 AND sync_id = ?2"),
            vec![Value::Uuid(tenant.0), Value::Text(sync_id.to_owned())],
        );
        let found = book.store.query(tenant, ask).await?;
        let missing = || {
            Error::new(Code::NotFound, "watch the progress of", sync_id.escape_default())
                .because("there is no such run")
        };
        let row = Progress::read(found.first().ok_or_else(missing)?)?;
        if given != Given::Until(row.updated_at) || row.completed_at.is_some() {
            return Ok(row);
        }
        // A time that runs out is a reason to look, too.
        let _ = tokio::time::timeout(LOOK_EVERY, news).await;
    }
}
