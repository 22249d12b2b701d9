//! One execution of a definition, from the lease to the last line of its history.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::DefinitionInner;
use super::apply::{Applied, Apply, resolve};
use super::conflict;
use super::instance;
use super::journal::{self, RowJournal};
use super::metrics;
use super::open::Opened;
use super::pace::Pace;
use super::planned::{StoredRows, missing, stored};
use super::preview::{Plan, RowDelta, RowPreviewOptions, plan};
use super::survey::Reading;
use crate::endpoint::{ChangeScan, ChangeSource};
use crate::error::{Code, Error, Result};
use crate::model::{Id, Moment, PreviewId, RunType, Sides, SyncEntityType, SyncRun};
use crate::operation::clock::micros;
use crate::operation::journal::{Ending, Log};
use crate::operation::lease::{Held, Lease};
use crate::operation::plan::{Extent, PlanReader, PlanRows, Position};
use crate::operation::preview::stop;
use crate::operation::progress::{Meter, RunPhase};
use crate::operation::run::{Reporter, RunEvent, RunReport};
use crate::store::{Statement, Value, Write};

/// What a run is asked to do.
pub(crate) enum Task {
    Sync(RowPreviewOptions),
    Apply(PreviewId),
}

/// Runs a task and writes its end into the book, whatever the end is.
pub(crate) async fn run(
    definition: Arc<DefinitionInner>,
    task: Task,
    confirm: Vec<String>,
    reporter: Reporter,
) -> Result<RunReport> {
    let clock = definition.book.clock.clone();
    let (begun, start) = (clock.elapsed(), clock.now());
    let run = Id::new(Uuid::now_v7());
    let preview = match &task {
        Task::Sync(_) => PreviewId(Uuid::now_v7()),
        Task::Apply(id) => *id,
    };
    definition.ensure_state().await?;
    let held = Held::take(&definition.leased(), false, reporter.control.stop.clone()).await?;
    let lease = held.lease.clone();
    let carried_out = async {
        let opened = Arc::new(prepared(&definition, &lease, &task).await?);
        let reporter = Arc::new(reporter);
        RowRun { opened, lease, reporter, confirm, begun, run }.carry_out(task, preview).await
    };
    // A defect of ours must not keep the definition.
    let outcome = AssertUnwindSafe(carried_out).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::new(Code::Internal, "run the definition", definition.id.0)
            .because("it panicked")
            .advise("report it: this is a defect"))
    });
    let ended = match outcome {
        // The plan stays incomplete and goes with the others.
        Err(error) if error.code() == Code::Cancelled => {
            let elapsed = clock.elapsed().saturating_sub(begun);
            Ok(report(preview, 0, &RowDelta::default(), Applied::default(), elapsed, true))
        }
        Err(error) => {
            let told = journal::never_began(&definition, run, (start, clock.now()), &error);
            // Whoever asked for the run is told why it failed, not that this could not be written down.
            let _ = definition.book.store.write(definition.tenant, vec![told]).await;
            Err(error)
        }
        ended => ended,
    };
    held.end().await;
    ended
}

/// The definition, ready to be carried out: the target has what is needed to be written, and of what an interrupted run has begun
/// it is known what became.
async fn prepared(definition: &DefinitionInner, lease: &Lease, task: &Task) -> Result<Opened> {
    let mut opened = definition.ready().await?;
    if opened.mapping.halves.right.lacks_marker() {
        opened.endpoints.right.prepare(&opened.mapping.halves.right.table).await?;
        opened = definition.ready().await?;
    }
    opened.send_all_to(match task {
        Task::Sync(options) => options.route_to.map(|list| list.0),
        Task::Apply(preview) => definition.own(*preview).await?.delta.route_to,
    })?;
    resolve(&opened, lease).await?;
    Ok(opened)
}

struct RowRun {
    opened: Arc<Opened>,
    lease: Arc<Lease>,
    reporter: Arc<Reporter>,
    confirm: Vec<String>,
    begun: Duration,
    run: Id<SyncRun>,
}

/// A plan that a run has before it.
struct Taken {
    delta: RowDelta,
    from: Position,
    extent: Extent,
    /// The rest of a plan that was made just now.
    rest: Option<(PlanRows, Vec<Write>)>,
}

impl RowRun {
    async fn carry_out(&mut self, task: Task, preview: PreviewId) -> Result<RunReport> {
        let Taken { delta, from, extent, rest } = match task {
            Task::Sync(options) => {
                let Plan { rows, last, delta, preview } =
                    plan(&self.opened, preview, &options, Some(&self.reporter)).await?;
                let extent = Extent { items: delta.items, ..Extent::default() };
                self.reporter.fact(RunEvent::Planned(preview.summary)).await;
                Taken { delta, from: Position { ord: -1, seq: -1 }, extent, rest: Some((rows, last)) }
            }
            Task::Apply(id) => self.take(id).await?,
        };
        if let Some(guard) = delta.guards.iter().find(|guard| !self.confirm.contains(&guard.name)) {
            if let Some((rows, last)) = rest {
                rows.finish(last).await?;
            }
            return Err(stop(guard, preview));
        }
        let journal = self.journal().await?;
        let now = self.opened.book.clock.now();
        let mut first = vec![self.lease.fence()];
        first.extend(journal.begin(run_type(&self.opened, &delta), now));
        let served = instance::served(&self.opened).await?;
        first.extend(journal.served(served.as_deref(), &self.opened, now));
        first.extend(delta.drift.iter().map(|drift| journal.drifted(drift, now)));
        first.extend(journal.log.begin(&extent, now));
        first.push(journal.log.preview_state(preview, "applying", true, now));
        let begun = match rest {
            Some((rows, mut last)) => {
                last.extend(first);
                rows.finish(last).await
            }
            None => self.opened.book.store.write(self.opened.tenant, first).await.map(|_| ()),
        };
        if let Err(refused) = begun {
            return Err(self.lease.why(refused).await);
        }
        self.apply(journal, preview, &delta, from, &extent).await
    }

    async fn journal(&self) -> Result<RowJournal> {
        let Opened { tenant, user, definition, state, book, .. } = &*self.opened;
        let generation = state.generation + 1;
        let failures = Statement::new(
            "SELECT 1 FROM sync_row_failure WHERE sync_def_id = ?1 LIMIT 1",
            vec![Value::Uuid(*definition)],
        );
        let had_failures = !book.store.query(*tenant, failures).await?.is_empty();
        let log = Log {
            tenant: *tenant,
            user: *user,
            sync_id: format!("{definition}:{generation}"),
            entity: SyncEntityType::Row,
            source_system: "records",
        };
        let waiting = Arc::new(conflict::waiting(&*book.store, *tenant, *definition).await?);
        Ok(RowJournal { log, definition: Id::new(*definition), run: self.run, generation, had_failures, waiting })
    }

    async fn take(&self, id: PreviewId) -> Result<Taken> {
        let opened = &self.opened;
        let StoredRows { definition, state, delta, preview, applied } = stored(&opened.book, opened.tenant, id).await?;
        let refuse = |reason: &str| {
            Err(Error::new(Code::Invalid, "apply the preview", id).because(reason).advise("preview again"))
        };
        if definition != opened.definition.to_string() {
            return Err(missing(id));
        }
        match state.as_str() {
            "ready" | "applying" => {}
            "applied" => return refuse("it was applied already"),
            _ => return refuse("it was not completed"),
        }
        if delta.fingerprint != opened.mapping.fingerprint {
            return refuse("the mapping is another one than it was made with");
        }
        self.reporter.fact(RunEvent::Planned(preview.summary)).await;
        let (store, tenant) = (opened.book.store.clone(), opened.tenant);
        let extent = PlanReader { store, tenant, preview: id }.extent(applied).await?;
        Ok(Taken { delta, from: applied, extent, rest: None })
    }

    async fn has_exceptions(&self, preview: PreviewId) -> Result<bool> {
        let any = Statement::new(
            "SELECT 1 FROM sync_preview_change WHERE preview_id = ?1 AND is_exception = ?2 LIMIT 1",
            vec![Value::Uuid(preview.0), Value::Bool(true)],
        );
        Ok(!self.opened.book.store.query(self.opened.tenant, any).await?.is_empty())
    }

    async fn apply(
        &mut self,
        journal: RowJournal,
        preview: PreviewId,
        delta: &RowDelta,
        from: Position,
        extent: &Extent,
    ) -> Result<RunReport> {
        let book = self.opened.book.clone();
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, extent.items, 0, book.clock.elapsed());
        meter.go_on(extent.items_done, 0);
        let mut apply = Apply {
            opened: self.opened.clone(),
            preview,
            reporter: self.reporter.clone(),
            lease: self.lease.clone(),
            journal: journal.clone(),
            meter,
            pace: Pace::begin(&self.opened.endpoints, book.clock.clone(), extent.items_done).await,
            progress_written: Duration::ZERO,
            failed_before: extent.failed,
            tally: Applied::default(),
            again: Vec::new(),
        };
        let outcome = match apply.run(from).await {
            Ok(()) => self.lease.hold().await,
            stopped => stopped,
        };
        if self.lease.is_lost() {
            return Err(self.lease.taken_over());
        }
        let applied = std::mem::take(&mut apply.tally);
        let (ending, error) = Ending::of(outcome, applied.counts.failed + applied.waiting > 0);
        let now = book.clock.now();
        let reached = apply.meter.read(book.clock.elapsed());
        let mut last = vec![self.lease.fence(), journal.log.progress(&reached, applied.counts.failed + extent.failed)];
        last.extend(journal.end(ending, &applied, error.as_ref(), now));
        if ending.is_complete() {
            last.push(journal.log.preview_state(preview, "applied", false, now));
            // Rows that failed keep hashes of before: they are found changed, whichever mapping made them.
            last.push(self.opened.takes_mapping());
            // Also when there was nothing to carry: both sides are in step as of now.
            last.extend(metrics::carried(&self.opened, &BTreeMap::new(), journal.run, Moment(micros(now))));
            // A row that was ticked out was read and not carried: it is to be read again.
            let has_exceptions = self.has_exceptions(preview).await?;
            if !has_exceptions && delta.blind.is_none() {
                last.push(conflict::forget_unmet(self.opened.definition, journal.generation));
            }
            if !has_exceptions {
                let (run, now) = (journal.run.0, Moment(micros(now)));
                last.extend(delta.cursor.iter().flat_map(|cursor| self.opened.moves_cursor(cursor, run, now)));
                // So is one of the target that was not carried: nothing else remembers it.
                let moves = delta.target_cursor.as_ref().filter(|_| ending == Ending::Completed);
                last.extend(moves.iter().flat_map(|cursor| self.opened.moves_target_cursor(cursor, run, now)));
            }
        }
        if let Err(refused) = book.store.write(self.opened.tenant, last).await {
            return Err(self.lease.why(refused).await);
        }
        book.progress_written.notify_waiters();
        if ending.is_complete() {
            // The run is done; what is not written down now is by the next one.
            let _ = metrics::leave(&self.opened, delta, Moment(micros(now))).await;
        }
        match error {
            Some(error) => Err(error),
            None => {
                let elapsed = book.clock.elapsed().saturating_sub(self.begun);
                Ok(report(preview, journal.generation, delta, applied, elapsed, ending == Ending::Cancelled))
            }
        }
    }
}

/// What a run carries, in the words of `sync_runs`.
fn run_type(opened: &Opened, delta: &RowDelta) -> RunType {
    match &opened.reading {
        Reading::Changes(ChangeScan { by: ChangeSource::Log { .. }, .. }) => RunType::Cdc,
        Reading::Changes(_) | Reading::Everything => match delta.changing {
            Sides { left: 1.., right: 0 } => RunType::Ingress,
            Sides { .. } => RunType::Push,
        },
    }
}

fn report(
    preview: PreviewId,
    generation: i64,
    delta: &RowDelta,
    applied: Applied,
    elapsed: Duration,
    cancelled: bool,
) -> RunReport {
    let mut counts = applied.counts;
    counts.unchanged = delta.counts.unchanged;
    counts.skipped = delta.counts.skipped;
    RunReport {
        generation,
        preview,
        counts,
        stale: applied.stale,
        waiting: applied.waiting,
        bytes: 0,
        elapsed,
        failures: applied.failures,
        verification: "unverified".to_owned(),
        cancelled,
    }
}
