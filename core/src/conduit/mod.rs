//! File sync: scan -> delta -> transfer -> ledger -> verification.
//!
//! A conduit is a standing relation between two directories. What a run of it does is always a preview first: the
//! scan writes the plan into the book, apply reads it back. So what is applied is what could be shown.

mod apply;
mod attributes;
mod baseline;
mod conflict;
mod connect;
mod ends;
mod filter;
mod guard;
mod journal;
mod native;
mod outcome;
mod pipeline;
mod place;
mod plan;
mod record;
mod recover;
mod rules;
mod run;
mod scan;
mod scene;
mod selection;
mod structure;
mod transfer;
mod upkeep;
mod vain;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use crate::delta::MaxDelete;
pub use conflict::{Choice, Conflict, Inspection};
pub use connect::ConduitOptions;
pub use filter::Filters;
pub use place::{Place, VolumeAt};
pub use selection::{Pin, SelectionRule};
pub use upkeep::Upkeep;
pub use verify::{Difference, VerifyOptions, VerifyReport};

use crate::book::BookInner;
use crate::error::Result;
use crate::model::{ConduitId, PreviewId, RelPath, TenantId, UserId, Verify};
use crate::operation::preview::{PREVIEW_LIFETIME, PreviewSummary};
use crate::operation::run::Run;
use crate::provider::Bandwidth;
use crate::provider::hosted::cancel;

pub(crate) use connect::{connect, existing};
pub(crate) use run::of_other_places;
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
    /// How many bytes may pass in a second, instead of the conduit's limit.
    pub bandwidth: Option<Bandwidth>,
    /// Transfers at once, instead of the conduit's number.
    pub transfers: Option<u32>,
    /// What is looked at after the run, instead of the conduit's setting.
    pub verify: Option<Verify>,
}

impl Conduit {
    /// Its id in the book.
    #[must_use]
    pub fn id(&self) -> ConduitId {
        self.inner.uuid
    }

    /// What it does, as it was given with this handle or, for [`Session::conduit`](crate::Session::conduit), as the
    /// book remembers it.
    #[must_use]
    pub fn options(&self) -> &ConduitOptions {
        &self.inner.options
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

    /// The conflicts that wait for a person, the latest first, after (that is, older than) the one of that number; 1,000
    /// at most. What policies decide never waits; these are names that one side cannot hold or tell apart, where
    /// [`ConduitOptions::name_clash`] gives no aliases, a file against a directory that may not go, and files that an
    /// unclean stop may have damaged.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn conflicts(&self, after: Option<i64>, limit: usize) -> Result<Vec<Conflict>> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { conflict::waiting(&inner, after, limit).await }).await
    }

    /// One conflict, open or closed: what each side showed, what both last agreed on, why it waits and what can be
    /// decided.
    ///
    /// # Errors
    /// `not_found` when this conduit has none of this number.
    pub async fn inspect_conflict(&self, id: i64) -> Result<Inspection> {
        let inner = self.inner.clone();
        self.inner.book.run(async move { conflict::inspect(&inner, id).await }).await
    }

    /// Decides about a conflict, or decides otherwise while it has not been carried out. `mark` is that of the conflict
    /// as it was looked at.
    ///
    /// The next preview shows what follows, and applying it (or the next sync) carries it out, in every mode and on either
    /// side; the loser goes to the trash. Where a side is no longer what was looked at, nothing follows: the decision is
    /// taken back with a [`note`](Conflict::note) and the conflict waits on. So it does while a change that carries out
    /// the decision is not ticked or fails. Of a directory only that it is the same one is looked at, not what is in it.
    ///
    /// # Errors
    /// `not_found` when no conflict of this number waits here; `stale` when it is not what was looked at any more;
    /// `invalid` when that cannot be decided here.
    pub async fn resolve_conflict(&self, id: i64, mark: &str, choice: Choice) -> Result<()> {
        let (inner, mark) = (self.inner.clone(), mark.to_owned());
        self.inner.book.run(async move { conflict::resolve(&inner, id, &mark, &choice).await }).await
    }

    fn start(&self, task: run::Task, options: ApplyOptions) -> Run {
        let (run, reporter, outcome) = Run::new();
        let inner = self.inner.clone();
        let begun = self.inner.book.under_way.begin(run.control());
        let is_cancelled = run.control().watch();
        self.inner.book.spawn(async move {
            let _begun = begun;
            let result = cancel::of_run(is_cancelled, run::run(inner, task, options, reporter)).await;
            // Nobody may be waiting for the outcome any more; the book has it.
            let _ = outcome.send(result);
        });
        run
    }
}
