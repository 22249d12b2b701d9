//! File sync: scan -> delta -> transfer -> ledger -> verification.
//!
//! A conduit is a standing relation between two directories. What a run of it does is always a preview first: the
//! scan writes the plan into the book, apply reads it back. So what is applied is what could be shown.

mod apply;
mod baseline;
mod conflict;
mod connect;
mod filter;
mod guard;
mod journal;
mod lease;
mod outcome;
mod pipeline;
mod plan;
mod recover;
mod run;
mod scan;
mod selection;
mod structure;
mod transfer;
mod upkeep;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use crate::delta::MaxDelete;
pub use connect::{ConduitOptions, Place};
pub use filter::Filters;
pub use selection::{Pin, SelectionRule};
pub use upkeep::Upkeep;
pub use verify::{Difference, VerifyReport};

use crate::book::BookInner;
use crate::error::Result;
use crate::model::{ConduitId, Conflict, PreviewId, RelPath, Resolution, TenantId, UserId, Verify};
use crate::operation::preview::{PREVIEW_LIFETIME, PreviewSummary};
use crate::operation::run::Run;

pub(crate) use connect::{connect, existing};
pub(crate) use upkeep::maintain;
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
        self.inner.book.run(async move { plan::preview(&inner, &options).await }).await
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

    /// The rules of selective mode in their order.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn selection_rules(&self) -> Result<Vec<SelectionRule>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { Ok(selection::load(&inner).await?.rules) }).await
    }

    /// Puts these rules in the place of the ones before. They count from the next preview on, and only in selective
    /// mode.
    ///
    /// ```
    /// use portbook::conduit::{ConduitOptions, Place, SelectionRule};
    /// use portbook::model::SyncMode;
    /// # use portbook::{Book, BookOptions};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (cloud, laptop) = (dir.path().join("cloud"), dir.path().join("laptop"));
    /// # std::fs::create_dir(&cloud).unwrap();
    /// # let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
    /// # let session = portbook::wait(book.default_session())?;
    /// let options = ConduitOptions { mode: SyncMode::Selective, ..ConduitOptions::default() };
    /// let conduit = portbook::wait(session.connect(Place::Local(cloud), Place::Local(laptop), options))?;
    /// let rule = |pattern: &str, is_included| SelectionRule { pattern: pattern.to_owned(), is_included };
    /// portbook::wait(conduit.set_selection_rules(vec![rule("photos/2024", true), rule("photos", false)]))?;
    /// # portbook::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// `invalid` when a pattern cannot be used; nothing has changed then.
    pub async fn set_selection_rules(&self, rules: Vec<SelectionRule>) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { selection::set_rules(&inner, &rules).await }).await
    }

    /// The pins of selective mode, ordered by path.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn pins(&self) -> Result<Vec<Pin>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { Ok(selection::load(&inner).await?.pins) }).await
    }

    /// Pins a path, whatever the rules say of it: `is_held` has the target hold it, otherwise let go of it. A pin that
    /// the path has already is turned round.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn pin(&self, path: RelPath, is_held: bool) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { selection::pin(&inner, &Pin { path, is_held }).await }).await
    }

    /// Leaves a path to the rules again.
    ///
    /// # Errors
    /// `not_found` when it has no pin.
    pub async fn unpin(&self, path: RelPath) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { selection::unpin(&inner, &path).await }).await
    }

    /// The conflicts that wait for a person, the latest first; 1,000 at most. What policies decide never waits; these
    /// are names that one side cannot hold or tell apart, moves that contradict each other, and files that an unclean
    /// stop may have damaged.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn conflicts(&self, limit: usize) -> Result<Vec<Conflict>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { conflict::waiting(&inner, limit).await }).await
    }

    /// Notes what a person has decided about a conflict, and takes it off the list. It is a note: nothing is carried
    /// because of it. A person renames, repairs or removes what is in the way; a conflict that the next run meets again
    /// waits again, and one that it no longer meets is closed by itself as [`Resolution::Dropped`].
    ///
    /// # Errors
    /// `not_found` when no conflict of this number waits.
    pub async fn resolve_conflict(&self, id: i64, resolution: Resolution) -> Result<()> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { conflict::resolve(&inner, id, resolution).await }).await
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
