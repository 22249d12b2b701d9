//! One execution of a conduit, from the lock to the last line of its history.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, Side, Sides, SyncEntityType, SyncMode, Verify};
use crate::operation::clock::{micros, timestamp};
use crate::operation::journal::{Ending, Log};
use crate::operation::lease::{Held, Lease, Leased};
use crate::operation::plan::{Extent, PlanReader, Position};
use crate::operation::preview::{Delta, PreviewSummary, Previews, Stored, stop};
use crate::operation::progress::{Meter, RunPhase};
use crate::operation::run::{Counts, Reporter, RunEvent, RunReport};
use crate::provider::{Limit, Pace, RootIdentity, Writable};
use crate::store::{Statement, Value, Write};

use super::apply::{Applied, Apply, seen_at};
use super::conflict;
use super::ends::Ends;
use super::guard;
use super::journal::Journal;
use super::plan::{Begin, plan};
use super::recover::recover;
use super::scene::{Row, Scene, lock};
use super::{ApplyOptions, ConduitInner, PreviewOptions, transfer, verify};
use crate::volume;

/// How long the trash of a root keeps what was removed.
pub(super) const TRASH_DAYS: i64 = 30;

/// What a run is asked to do.
pub(crate) enum Task {
    Sync(PreviewOptions),
    Apply(PreviewId),
}

impl ConduitInner {
    fn leased(&self) -> Leased {
        Leased {
            book: self.book.clone(),
            tenant: self.tenant,
            table: "sync_conduit",
            column: "id",
            key: Value::Int(self.id),
            kind: "conduit",
            name: self.uuid.to_string(),
        }
    }

    pub(super) fn previews(&self) -> Previews {
        Previews { store: self.book.store.clone(), tenant: self.tenant }
    }

    /// The preview, if this conduit made it in this direction.
    pub(crate) async fn made(&self, id: PreviewId) -> Result<Stored> {
        let stored = self.previews().get(id, self.book.clock.now()).await?;
        if stored.conduit != self.id {
            return Err(of_other_places(id));
        }
        if stored.delta.swapped != self.swapped {
            return Err(refused(id, "it goes the other way", "name source and target as when it was made"));
        }
        Ok(stored)
    }

    /// The preview, if this conduit can apply it in this direction.
    async fn applicable(&self, id: PreviewId) -> Result<Stored> {
        let stored = self.made(id).await?;
        let refuse = |reason: &str, advice: &'static str| Err(refused(id, reason, advice));
        match stored.state.as_str() {
            "ready" | "applying" => Ok(stored),
            "applied" => refuse("it was applied already", "preview again"),
            _ => refuse("it was not completed", "preview again"),
        }
    }
}

/// The plan stays incomplete and goes with the others.
fn cancelled_before_it_began(preview: PreviewId, elapsed: Duration) -> RunReport {
    RunReport {
        generation: 0,
        preview,
        counts: Counts::default(),
        stale: 0,
        waiting: 0,
        bytes: 0,
        elapsed,
        failures: Vec::new(),
        verification: "unverified".to_owned(),
        cancelled: true,
    }
}

fn refused(id: PreviewId, reason: &str, advice: &'static str) -> Error {
    Error::new(Code::Invalid, "apply the preview", id).because(reason).advise(advice)
}

/// The error of naming places that a preview was not made of.
pub(crate) fn of_other_places(id: PreviewId) -> Error {
    refused(id, "it is of another pair of places", "name the places that it was made of")
}

/// Runs a task and writes its end into the book, whatever the end is. A run that is cancelled ends with a report, wherever it was.
pub(crate) async fn run(
    conduit: Arc<ConduitInner>,
    task: Task,
    options: ApplyOptions,
    reporter: Reporter,
) -> Result<RunReport> {
    let clock = conduit.book.clock.clone();
    let begun = clock.elapsed();
    let preview = match &task {
        Task::Sync(_) => PreviewId(Uuid::now_v7()),
        Task::Apply(id) => *id,
    };
    match carry_out(conduit, task, preview, options, reporter, begun).await {
        Err(e) if e.code() == Code::Cancelled => {
            Ok(cancelled_before_it_began(preview, clock.elapsed().saturating_sub(begun)))
        }
        ended => ended,
    }
}

async fn carry_out(
    conduit: Arc<ConduitInner>,
    task: Task,
    preview: PreviewId,
    options: ApplyOptions,
    reporter: Reporter,
    begun: Duration,
) -> Result<RunReport> {
    conduit.previews().clean(conduit.book.clock.now()).await?;
    let row = conduit.row().await?;
    // What cannot be applied is refused before a target is made for it.
    let writes_source = match &task {
        // After an unclean stop a damaged file of the source is fetched back, in every mode; and so may a person decide.
        Task::Sync(_) => conduit.options.mode == SyncMode::Bidirectional || row.unclean || row.has_conflicts,
        Task::Apply(id) => conduit.applicable(*id).await?.delta.writes_source,
    };
    let is_renewed = guard::vacancy(&row.identities, &conduit.places.right, &options)?;
    let threads = options.transfers.unwrap_or(conduit.options.transfers).max(1);
    let (scene, roots) = conduit.scene(row.generation + 1, true, threads).await?;
    let locks = lock(&scene, writes_source).await?;
    // The target is never locked by two, whichever way a run goes.
    let is_locked = locks.iter().all(Option::is_some);
    let held = Held::take(&conduit.leased(), is_locked, reporter.control.stop.clone()).await?;
    // Whoever held the lease before may have moved on what was read before the lock.
    let mut row = match conduit.row().await {
        Ok(row) => row,
        Err(error) => {
            held.end().await;
            return Err(error);
        }
    };
    if is_renewed {
        row.identities.right = None;
    }
    let scene = Scene { ledger: conduit.ledger(row.generation + 1), ..scene };
    let ends = match Ends::open(&conduit, &scene).await {
        Ok(ends) => ends,
        Err(error) => {
            held.end().await;
            return Err(error);
        }
    };
    let mut voyage = Voyage {
        conduit,
        row,
        scene,
        ends,
        roots,
        options,
        reporter: Arc::new(reporter),
        lease: held.lease.clone(),
        begun,
    };
    // A defect of ours must not keep the conduit: what it left behind is found by the next run, as after a kill.
    let result = AssertUnwindSafe(voyage.sail(task, preview)).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::new(Code::Internal, "run the conduit", "")
            .because("it panicked")
            .advise("report it: this is a defect"))
    });
    held.end().await;
    result
}

/// A run under way.
struct Voyage {
    conduit: Arc<ConduitInner>,
    row: Row,
    scene: Scene,
    ends: Ends,
    roots: Sides<Option<RootIdentity>>,
    options: ApplyOptions,
    reporter: Arc<Reporter>,
    lease: Arc<Lease>,
    begun: Duration,
}

impl Voyage {
    async fn sail(&mut self, task: Task, id: PreviewId) -> Result<RunReport> {
        if recover(&self.scene, &self.ends, &*self.conduit.book.store, self.conduit.tenant).await? > 0 {
            self.row.unclean = true;
        }
        if self.row.unclean || self.row.was_cancelled {
            self.scene.ledger.remove_orphans().await?;
        }
        let Taken { preview, delta, summary, from, extent, seen, begin } = match task {
            Task::Sync(options) => self.make_plan(id, &options).await?,
            Task::Apply(id) => self.take_plan(id).await?,
        };
        if let Some(guard) = delta.guards.iter().find(|guard| !self.options.confirm.contains(&guard.name)) {
            begin.abandon().await?;
            return Err(stop(guard, preview));
        }
        if let Err(refused) = self.check_writable(&delta) {
            begin.abandon().await?;
            return Err(refused);
        }
        self.reporter.fact(RunEvent::Planned(summary)).await;
        let journal = Journal {
            tenant: self.conduit.tenant,
            log: Log {
                tenant: self.conduit.tenant,
                user: self.conduit.user,
                sync_id: format!("{}:{}", self.conduit.uuid, self.row.generation + 1),
                entity: SyncEntityType::File,
                source_system: "files",
            },
            conduit: self.conduit.id,
            generation: self.row.generation + 1,
            after_unclean: self.row.unclean,
            swapped: self.conduit.swapped,
        };
        let now = self.conduit.book.clock.now();
        let mut first = vec![self.lease.fence()];
        first.extend(self.take_over(&journal, preview, &delta, now));
        first.extend(journal.begin(preview, &extent, now));
        first.extend(conflict::begin(&self.conduit, journal.generation, &delta.decided));
        if delta.items == 0 && delta.waiting == 0 && delta.counts.is_quiet() {
            return self.end_quietly(begin, first, &journal, preview, &delta).await;
        }
        if let Err(refused) = begin.finish(first).await {
            return Err(self.lease.why(refused).await);
        }
        self.apply(journal, preview, &delta, from, &extent, seen).await
    }

    async fn apply(
        &mut self,
        journal: Journal,
        preview: PreviewId,
        delta: &Delta,
        from: Position,
        extent: &Extent,
        seen: super::outcome::Seen,
    ) -> Result<RunReport> {
        let book = self.conduit.book.clone();
        let started = book.clock.now();
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, extent.items, extent.bytes, book.clock.elapsed());
        meter.go_on(extent.items_done, extent.bytes_done);
        let own = self.options.bandwidth.as_ref().or(self.conduit.options.bandwidth.as_ref());
        let volumes = volume::limits_of_conduit(&book, self.conduit.tenant, self.conduit.id).await?;
        let limits = book.limit.iter().cloned().chain(volumes).chain(own.cloned().map(Limit::new));
        let mut apply = Apply {
            store: book.store.clone(),
            tenant: self.conduit.tenant,
            preview,
            scene: self.scene.clone(),
            ends: self.ends.clone(),
            clock: book.clock.clone(),
            reporter: self.reporter.clone(),
            lease: self.lease.clone(),
            journal: journal.clone(),
            meter,
            label: format!("{}-{}", started.format("%Y%m%dT%H%M%SZ"), journal.generation),
            pace: Pace::new(limits, self.reporter.control.stop.clone()),
            share: book.scheduler.enter(),
            seen,
            tally: Applied::default(),
            undone: Default::default(),
            missing_dirs: Default::default(),
            vain: Default::default(),
            kept_dirs: Default::default(),
            attributes: Default::default(),
            narrow: Vec::new(),
            moved: Default::default(),
            kept_intents: Vec::new(),
            aside_intents: Vec::new(),
            progress_written: Duration::ZERO,
            watched: book.progress_written.clone(),
            reached: from,
            failed_before: extent.failed,
        };
        let outcome = match apply.run(from).await {
            Ok(()) => self.lease.hold().await,
            stopped => stopped,
        };
        if self.lease.is_lost() {
            // The run that has taken over writes the history from here on, and gives the lease back.
            return Err(self.lease.taken_over());
        }
        let applied = std::mem::take(&mut apply.tally);
        let (ending, error) = Ending::of(outcome, applied.counts.failed + applied.waiting > 0);
        let verification = if ending.is_complete() {
            let mode = self.options.verify.unwrap_or(self.conduit.options.verify);
            let looked = self.look_again(preview, mode, &apply).await;
            looked.unwrap_or_else(|error| format!("failed:{error}"))
        } else {
            "unverified".to_owned()
        };
        // The row may be a second behind, and what completes it is logged with its counts.
        let reached = apply.meter.read(book.clock.elapsed());
        let mut last = vec![self.lease.fence(), journal.log.progress(&reached, applied.counts.failed + extent.failed)];
        last.extend(journal.end(
            ending,
            &applied,
            delta.counts.unchanged,
            error.as_ref(),
            &verification,
            book.clock.now(),
        ));
        if ending.is_complete() {
            last.push(journal.log.preview_state(preview, "applied", false, self.conduit.book.clock.now()));
            last.extend(self.close_conflicts(&journal, preview, delta));
            self.tend_trash().await;
            self.tend_transfers(journal.generation).await;
        }
        if let Err(refused) = book.store.write(self.conduit.tenant, last).await {
            return Err(self.lease.why(refused).await);
        }
        book.progress_written.notify_waiters();
        match error {
            Some(error) => Err(error),
            None => Ok(self.report(&journal, preview, delta, applied, verification, ending == Ending::Cancelled)),
        }
    }

    fn report(
        &self,
        journal: &Journal,
        preview: PreviewId,
        delta: &Delta,
        applied: Applied,
        verification: String,
        cancelled: bool,
    ) -> RunReport {
        let mut counts = applied.counts;
        // What was equal before the run and what the plan had no row for is known from the scan.
        counts.unchanged = delta.counts.unchanged;
        counts.skipped = delta.counts.skipped;
        RunReport {
            generation: journal.generation,
            preview,
            counts,
            stale: applied.stale,
            waiting: applied.waiting,
            bytes: applied.bytes,
            elapsed: self.conduit.book.clock.elapsed().saturating_sub(self.begun),
            failures: applied.failures,
            verification,
            cancelled,
        }
    }

    /// Nothing to do: the generation begins and ends in one transaction.
    async fn end_quietly(
        &mut self,
        begin: Begin,
        mut batch: Vec<Write>,
        journal: &Journal,
        preview: PreviewId,
        delta: &Delta,
    ) -> Result<RunReport> {
        let applied = Applied::default();
        let now = self.conduit.book.clock.now();
        let verification = "verified".to_owned();
        batch.extend(journal.end(Ending::Completed, &applied, delta.counts.unchanged, None, &verification, now));
        batch.push(journal.log.preview_state(preview, "applied", false, self.conduit.book.clock.now()));
        batch.extend(self.close_conflicts(journal, preview, delta));
        if let Err(refused) = begin.finish(batch).await {
            return Err(self.lease.why(refused).await);
        }
        self.tend_transfers(journal.generation).await;
        Ok(self.report(journal, preview, delta, applied, verification, false))
    }

    /// What could not be looked at tells nothing of the conflicts in it.
    fn close_conflicts(&self, journal: &Journal, preview: PreviewId, delta: &Delta) -> Vec<Write> {
        if delta.counts.failed > 0 && delta.decided.is_empty() {
            return Vec::new();
        }
        conflict::close(&self.conduit, journal.generation, preview, &delta.decided, delta.counts.failed == 0)
    }

    /// The independent look at both sides after the run.
    async fn look_again(&self, preview: PreviewId, mode: Verify, apply: &Apply) -> Result<String> {
        match mode {
            Verify::None => Ok("unverified".to_owned()),
            Verify::Size | Verify::Checksum => {
                let differences =
                    verify::applied(&self.conduit, &apply.scene, preview, mode == Verify::Checksum).await?;
                Ok(match differences {
                    0 => "verified".to_owned(),
                    n => format!("failed:{n} items differ"),
                })
            }
        }
    }

    /// A side that is to be written and cannot be is one clear error before anything is done.
    fn check_writable(&self, delta: &Delta) -> Result<()> {
        for side in Side::BOTH {
            let is_written = match side {
                Side::Left => delta.writes_source,
                Side::Right => delta.writes_target,
            };
            let is_refused = match self.roots[side].as_ref().map(|root| root.writable) {
                None | Some(Writable::Everywhere) => false,
                // Directories in it have permissions of their own.
                Some(Writable::Beneath) => delta.writes_root[side],
                Some(Writable::Nowhere) => is_written,
            };
            if is_refused {
                return Err(Error::new(Code::Permission, "write to", self.scene.sides[side].display())
                    .because("it is read-only, or its permissions do not allow it")
                    .advise("mount it for writing, or let this user write to it"));
            }
        }
        Ok(())
    }

    async fn make_plan(&mut self, id: PreviewId, options: &PreviewOptions) -> Result<Taken> {
        let clock = self.conduit.book.clock.clone();
        let mut meter = Meter::new();
        meter.begin(RunPhase::Scanning, 0, 0, clock.elapsed());
        let seen = seen_at(&*clock, &self.scene);
        let reporter = self.reporter.clone();
        let mut shown = Duration::ZERO;
        let watch = |entries: u64| {
            meter.add(entries, 0);
            let now = clock.elapsed();
            if now.saturating_sub(shown) > Duration::from_millis(100) {
                shown = now;
                reporter.progress(meter.read(now));
            }
        };
        let plan =
            plan(&self.conduit, id, &self.row, &self.scene, &self.roots, options, Some(&self.reporter), watch).await?;
        let from = Position { ord: -1, seq: -1 };
        let begin = Begin { plan: Some((plan.writer, plan.last)), conduit: self.conduit.clone() };
        let extent = Extent { items: plan.delta.items, bytes: plan.delta.bytes, ..Extent::default() };
        Ok(Taken { preview: id, delta: plan.delta, summary: plan.summary, from, extent, seen, begin })
    }

    async fn take_plan(&mut self, id: PreviewId) -> Result<Taken> {
        let mut stored = self.conduit.applicable(id).await?;
        // The preview saw the roots as they were then, and a guard that was confirmed for it speaks of those.
        for side in Side::BOTH {
            let (saw, now) = (&stored.delta.roots[side], &self.roots[side]);
            if saw.is_some() && now.as_ref().map(|root| &root.ident) != saw.as_ref() {
                let reason = format!("root_changed: {} is not what it saw", self.scene.sides[side].display());
                return Err(Error::new(Code::Guard, "apply the preview", id).because(reason).advise("preview again"));
            }
        }
        let changed = guard::changed_root(&self.row.identities, &self.roots);
        stored.delta.guards.extend(changed.filter(|guard| stored.delta.guards.iter().all(|g| g.name != guard.name)));
        let mut seen = seen_at(&*self.conduit.book.clock, &self.scene);
        seen.at = timestamp(stored.computed_at);
        let begin = Begin { plan: None, conduit: self.conduit.clone() };
        // Some of it may be ticked out, some may be done already.
        let (store, tenant) = (self.conduit.book.store.clone(), self.conduit.tenant);
        let extent = PlanReader { store, tenant, preview: id }.extent(stored.applied).await?;
        let Stored { delta, summary, applied: from, .. } = stored;
        Ok(Taken { preview: id, delta, summary, from, extent, seen, begin })
    }

    /// What the first batch of a run says beside its generation: the plan is being applied, whatever was under way
    /// before is over, the roots are these.
    fn take_over(&self, journal: &Journal, preview: PreviewId, delta: &Delta, now: DateTime<Utc>) -> Vec<Write> {
        let (tenant, conduit) = (Value::Uuid(self.conduit.tenant.0), Value::Int(self.conduit.id));
        let ident = |side: Side| {
            let side = if self.conduit.swapped { side.other() } else { side };
            self.roots[side].as_ref().map_or(Value::Null, |root| Value::Text(root.ident.clone()))
        };
        let mut batch = Vec::new();
        if self.row.unclean {
            batch.push(Write::Execute(Statement::new(
                "UPDATE sync_generation SET status = 'failed', completed_at = ?3, error_message = 'interrupted' \
                 WHERE tenant_id = ?1 AND conduit_id = ?2 AND status IN ('running', 'paused')",
                vec![tenant.clone(), conduit.clone(), Value::Time(micros(now))],
            )));
            batch.push(journal.log.close_others(now));
            batch.push(Write::Execute(Statement::new(
                "UPDATE sync_preview_cache SET is_pinned = ?4 WHERE org_id = ?1 AND conduit_id = ?2 AND id <> ?3",
                vec![tenant.clone(), conduit.clone(), Value::Uuid(preview.0), Value::Bool(false)],
            )));
            batch.push(journal.log.activity("error_recovery", "in_progress", 0, None, None, Value::Time(micros(now))));
        }
        batch.push(journal.log.preview_state(preview, "applying", true, now));
        batch.push(Write::Execute(Statement::new(
            "UPDATE sync_conduit SET sync_generation = ?3, unclean = ?4, filter_fingerprint = ?5, \
             source_root_identity = coalesce(?6, source_root_identity), \
             target_root_identity = coalesce(?7, target_root_identity) WHERE tenant_id = ?1 AND id = ?2",
            vec![
                tenant,
                conduit,
                Value::Int(journal.generation),
                Value::Bool(true),
                Value::Blob(delta.filter_fingerprint.clone().into_bytes()),
                ident(Side::Left),
                ident(Side::Right),
            ],
        )));
        batch
    }

    /// A run that completed has carried what is to be carried: sessions of runs before it are continued by nobody.
    async fn tend_transfers(&self, generation: i64) {
        let (store, tenant) = (&*self.conduit.book.store, self.conduit.tenant);
        let Ok(mut sessions) = self.scene.ledger.rows().transfers().await else { return };
        sessions.retain(|session| session.generation < generation);
        // What could not be removed now is tried again at the end of the next run.
        let _ = transfer::end(&self.scene, store, tenant, sessions).await;
    }

    /// By the earlier of the times of this run and the last: a clock that is a year ahead for one run would empty all.
    async fn tend_trash(&self) {
        let Some(last) = self.row.ended_at else { return };
        let before = timestamp(self.conduit.book.clock.now().min(last) - chrono::Duration::days(TRASH_DAYS));
        for side in Side::BOTH {
            // What could not be removed now is tried again at the end of the next run.
            let _ = self.scene.sides[side].empty_trash(before).await;
        }
    }
}

/// A plan that a run has before it.
struct Taken {
    preview: PreviewId,
    delta: Delta,
    summary: PreviewSummary,
    /// Where the run goes on with it.
    from: Position,
    extent: Extent,
    seen: super::outcome::Seen,
    begin: Begin,
}
