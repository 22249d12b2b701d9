//! File sync: scan -> delta -> transfer -> ledger -> verification.
//!
//! A conduit is a standing relation between two directories. What a run of it does is always a preview first: the
//! scan writes the plan into the book, apply reads it back. So what is applied is what could be shown.

mod apply;
mod baseline;
mod connect;
mod filter;
mod guard;
mod journal;
mod outcome;
mod pipeline;
mod recover;
mod run;
mod scan;
mod throttle;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use crate::delta::MaxDelete;
pub use connect::{ConduitOptions, Place};
pub use filter::Filters;
pub use verify::{Difference, VerifyReport};

use crate::book::BookInner;
use crate::error::Result;
use crate::model::{ConduitId, PreviewId, TenantId, UserId, Verify};
use crate::operation::preview::{PREVIEW_LIFETIME, PreviewSummary};
use crate::operation::run::Run;

pub(crate) use connect::{connect, existing};
pub(crate) use verify::verify;

/// A standing relation between two directories, as one user of one tenant.
#[derive(Clone)]
pub struct Conduit {
    pub(crate) inner: Arc<ConduitInner>,
}

pub(crate) struct ConduitInner {
    pub(crate) book: Arc<BookInner>,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) id: i64,
    pub(crate) uuid: ConduitId,
    /// Source and target as this run names them.
    pub(crate) places: crate::model::Sides<Place>,
    /// The run goes from the conduit's target to its source.
    pub(crate) swapped: bool,
    pub(crate) options: ConduitOptions,
}

/// How a preview is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewOptions {
    /// Read and hash every file on both sides, whatever sizes and times say.
    pub checksum: bool,
    /// How long the preview can be applied.
    pub lifetime: Duration,
}

impl Default for PreviewOptions {
    fn default() -> Self {
        Self { checksum: false, lifetime: PREVIEW_LIFETIME }
    }
}

/// How a preview is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Guards that a person has seen and confirmed for this plan, by their names.
    pub confirm: Vec<String>,
    /// Bytes per second at most, instead of the conduit's limit.
    pub bandwidth: Option<u64>,
    /// What is looked at after the run, instead of the conduit's setting.
    pub verify: Option<Verify>,
}

impl Conduit {
    /// Its id in the book.
    #[must_use]
    pub fn id(&self) -> ConduitId {
        self.inner.uuid
    }

    /// Compares both places with the ledger and stores what would change. Writes nothing to either place.
    ///
    /// # Errors
    /// `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    pub async fn preview(&self, options: PreviewOptions) -> Result<PreviewSummary> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { run::preview(&inner, &options).await }).await
    }

    /// Applies a preview as it stands, or goes on with one that was interrupted.
    #[must_use]
    pub fn apply(&self, preview: PreviewId, options: ApplyOptions) -> Run {
        self.start(run::Task::Apply(preview), options)
    }

    /// Previews and applies.
    #[must_use]
    pub fn sync(&self, preview: PreviewOptions, options: ApplyOptions) -> Run {
        self.start(run::Task::Sync(preview), options)
    }

    fn start(&self, task: run::Task, options: ApplyOptions) -> Run {
        let (run, reporter, outcome) = Run::new();
        let inner = self.inner.clone();
        self.inner.book.spawn(async move {
            let result = run::run(inner, task, options, reporter).await;
            // Nobody may be waiting for the outcome any more; the book has it.
            let _ = outcome.send(result);
        });
        run
    }
}
