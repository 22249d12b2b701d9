//! One execution of a conduit, from the lock to the last line of its history.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::delta::{Settings, SideRules};
use crate::error::{Code, Error, Result};
use crate::model::{PairId, PreviewId, Side, Sides, SyncMode, Verify};
use crate::operation::clock::{from_micros, micros, timestamp};
use crate::operation::plan::{Extent, PlanReader, Position};
use crate::operation::preview::{Delta, PreviewSummary, Previews, Stored};
use crate::operation::progress::{Meter, RunPhase};
use crate::operation::run::{Reporter, RunEvent, RunReport};
use crate::provider::vacant::Vacant;
use crate::provider::{Capabilities, Pace, Provider, RootIdentity, RootLock};
use crate::store::{Statement, Value, Write};

use super::apply::{Applied, Apply, seen_at};
use super::baseline::Baseline;
use super::conflict::{self, Pending};
use super::guard;
use super::journal::{Ending, Journal};
use super::lease::{Held, Lease};
use super::plan::{Begin, plan};
use super::recover::recover;
use super::scan::Scene;
use super::{ApplyOptions, ConduitInner, PreviewOptions, connect, selection, transfer, verify};

/// How long the trash of a root keeps what was removed.
pub(super) const TRASH_DAYS: i64 = 30;

/// What a run is asked to do.
pub(crate) enum Task {
    Sync(PreviewOptions),
    Apply(PreviewId),
}

/// The conduit's row as a run finds it.
pub(super) struct Row {
    pub(super) generation: i64,
    pub(super) next_pair: PairId,
    pub(super) unclean: bool,
    /// When the last run ended, by the clock of then.
    ended_at: Option<DateTime<Utc>>,
    pub(super) identities: Sides<Option<String>>,
    /// Something waits for a person, or for its decision to be carried out.
    pub(super) has_conflicts: bool,
}

impl ConduitInner {
    pub(super) async fn row(&self) -> Result<Row> {
        let statement = Statement::new(
            "SELECT sync_generation, next_pair_id, unclean, source_root_identity, \
             target_root_identity, (SELECT count(*) FROM sync_conflict WHERE conduit_id = ?2 AND resolved_at IS NULL), \
             last_sync_completed_at FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Int(self.id)],
        );
        let rows = self.book.store.query(self.tenant, statement).await?;
        let row = rows.first().ok_or_else(|| Error::new(Code::NotFound, "find the conduit", self.uuid))?;
        let text = |column| if row.is_null(column) { Ok(None) } else { row.text(column).map(|t| Some(t.to_owned())) };
        let (source, target) = (text(3)?, text(4)?);
        let identities = if self.swapped { Sides::new(target, source) } else { Sides::new(source, target) };
        let ended_at = if row.is_null(6) { None } else { Some(from_micros(row.int(6)?)) };
        Ok(Row {
            generation: row.int(0)?,
            next_pair: PairId(row.int(1)?),
            unclean: row.int(2)? != 0,
            ended_at,
            identities,
            has_conflicts: row.int(5)? != 0,
        })
    }

    pub(super) fn previews(&self) -> Previews {
        Previews { store: self.book.store.clone(), tenant: self.tenant }
    }

    /// The ledger as the run of that generation sees it.
    pub(super) fn ledger(&self, generation: i64) -> Arc<Baseline> {
        let store = self.book.store.clone();
        Arc::new(Baseline::new(store, self.tenant, self.id, generation, self.swapped))
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

    /// Opens both ends. `create` makes a target that does not exist.
    pub(super) async fn scene(
        &self,
        generation: i64,
        create: bool,
        threads: u32,
    ) -> Result<(Scene, Sides<Option<RootIdentity>>)> {
        let places = &self.places;
        let missing = |side: Side| {
            Error::new(Code::NotFound, "open the directory", places[side].display()).because("it does not exist")
        };
        let source = connect::open(&places.left, false, threads)?.ok_or_else(|| missing(Side::Left))?;
        let source_root = source.root().await?;
        let (target, target_root): (Arc<dyn Provider>, _) = match connect::open(&places.right, create, threads)? {
            Some(target) => {
                let root = target.root().await?;
                (target, Some(root))
            }
            None => {
                let capabilities: Capabilities = source.capabilities().clone();
                (Arc::new(Vacant { display: places.right.display(), capabilities }), None)
            }
        };
        let ledger = self.ledger(generation);
        Ok((Scene { sides: Sides::new(source, target), ledger }, Sides::new(Some(source_root), target_root)))
    }

    pub(super) async fn settings(
        &self,
        scene: &Scene,
        row: &Row,
        checksum: bool,
        pending: &Pending,
    ) -> Result<Settings> {
        let rules = |side: Side| rules(scene.sides[side].capabilities());
        let selection = match self.options.mode {
            SyncMode::Selective => Some(selection::load(self).await?),
            SyncMode::Mirror | SyncMode::Bidirectional => None,
        };
        Ok(Settings {
            mode: self.options.mode,
            policy: self.options.policy(),
            name_clash: self.options.name_clash,
            exact: self.options.exact,
            checksum,
            rules: Sides::new(rules(Side::Left), rules(Side::Right)),
            scope: Arc::new(self.options.filters.compile(selection.as_ref())?),
            stamp: self.book.clock.now().format("%Y-%m-%d %H%M%S").to_string(),
            tolerance_ns: 2_000_000_000,
            unclean_stop: row.unclean,
            first_new_pair: row.next_pair,
            move_limit: MOVE_LIMIT,
            decisions: pending.decisions.clone(),
        })
    }
}

fn refused(id: PreviewId, reason: &str, advice: &'static str) -> Error {
    Error::new(Code::Invalid, "apply the preview", id).because(reason).advise(advice)
}

/// The error of naming places that a preview was not made of.
pub(crate) fn of_other_places(id: PreviewId) -> Error {
    refused(id, "it is of another pair of places", "name the places that it was made of")
}

/// Vanished or appeared items a side keeps in memory for pairing moves: about 10 MB.
const MOVE_LIMIT: usize = 50_000;

fn rules(c: &Capabilities) -> SideRules {
    SideRules {
        case_insensitive: c.case_insensitive,
        unicode_insensitive: c.unicode_insensitive,
        windows_names: c.windows_names,
        unicode_names: c.unicode_names,
        max_name_bytes: c.max_name_bytes,
        mode: c.mode,
        set_mtime: c.set_mtime,
        symlinks: c.symlinks,
        time_precision_ns: c.time_precision_ns,
    }
}

/// Runs a task and writes its end into the book, whatever the end is.
pub(crate) async fn run(
    conduit: Arc<ConduitInner>,
    task: Task,
    options: ApplyOptions,
    reporter: Reporter,
) -> Result<RunReport> {
    let begun = conduit.book.clock.elapsed();
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
    let held = Held::take(&conduit, is_locked, reporter.control.stop.clone()).await?;
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
    let mut voyage =
        Voyage { conduit, row, scene, roots, options, reporter: Arc::new(reporter), lease: held.lease.clone(), begun };
    let result = voyage.sail(task).await;
    held.end().await;
    result
}

/// The locks on both roots: what is only read is shared, what is written is held alone.
async fn lock(scene: &Scene, writes_source: bool) -> Result<[Option<RootLock>; 2]> {
    Ok([scene.sides.left.lock(writes_source).await?, scene.sides.right.lock(true).await?])
}

/// A run under way.
struct Voyage {
    conduit: Arc<ConduitInner>,
    row: Row,
    scene: Scene,
    roots: Sides<Option<RootIdentity>>,
    options: ApplyOptions,
    reporter: Arc<Reporter>,
    lease: Arc<Lease>,
    begun: Duration,
}

impl Voyage {
    async fn sail(&mut self, task: Task) -> Result<RunReport> {
        if recover(&self.scene, &*self.conduit.book.store, self.conduit.tenant).await? > 0 {
            self.row.unclean = true;
        }
        if self.row.unclean {
            self.scene.ledger.remove_orphans().await?;
        }
        let Taken { preview, delta, summary, from, extent, seen, begin } = match task {
            Task::Sync(options) => self.make_plan(&options).await?,
            Task::Apply(id) => self.take_plan(id).await?,
        };
        if let Some(guard) = delta.guards.iter().find(|guard| !self.options.confirm.contains(&guard.name)) {
            begin.abandon().await?;
            return Err(guard::stop(guard, preview));
        }
        if let Err(refused) = self.check_writable(&delta) {
            begin.abandon().await?;
            return Err(refused);
        }
        self.reporter.fact(RunEvent::Planned(summary)).await;
        let journal = Journal {
            tenant: self.conduit.tenant,
            user: self.conduit.user,
            conduit: self.conduit.id,
            generation: self.row.generation + 1,
            sync_id: format!("{}:{}", self.conduit.uuid, self.row.generation + 1),
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
        let bandwidth = self.options.bandwidth.or(self.conduit.options.bandwidth);
        let mut apply = Apply {
            store: book.store.clone(),
            tenant: self.conduit.tenant,
            preview,
            scene: self.scene.clone(),
            clock: book.clock.clone(),
            reporter: self.reporter.clone(),
            lease: self.lease.clone(),
            journal: journal.clone(),
            meter,
            label: format!("{}-{}", started.format("%Y%m%dT%H%M%SZ"), journal.generation),
            pace: Pace::new(bandwidth, self.reporter.control.stop.clone()),
            seen,
            tally: Applied::default(),
            undone: Default::default(),
            missing_dirs: Default::default(),
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
        let (ending, error) = match outcome {
            Ok(()) if applied.counts.failed + applied.waiting > 0 => (Ending::CompletedWithErrors, None),
            Ok(()) => (Ending::Completed, None),
            Err(e) if e.code() == Code::Cancelled => (Ending::Cancelled, None),
            Err(e) => (Ending::Failed, Some(e)),
        };
        let verification = match (&error, ending) {
            (None, Ending::Completed | Ending::CompletedWithErrors) => {
                let mode = self.options.verify.unwrap_or(self.conduit.options.verify);
                let looked = self.look_again(preview, mode, &apply).await;
                looked.unwrap_or_else(|error| format!("failed:{error}"))
            }
            _ => "unverified".to_owned(),
        };
        // The row may be a second behind, and what completes it is logged with its counts.
        let reached = apply.meter.read(book.clock.elapsed());
        let mut last = vec![self.lease.fence(), journal.progress(&reached, applied.counts.failed + extent.failed)];
        last.extend(journal.end(
            ending,
            &applied,
            delta.counts.unchanged,
            error.as_ref(),
            &verification,
            book.clock.now(),
        ));
        if matches!(ending, Ending::Completed | Ending::CompletedWithErrors) {
            last.push(set_state(&self.conduit, preview, "applied", false));
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
        batch.push(set_state(&self.conduit, preview, "applied", false));
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
            if is_written && self.roots[side].as_ref().is_some_and(|root| !root.writable) {
                return Err(Error::new(Code::Permission, "write to", self.scene.sides[side].display())
                    .because("it is read-only, or its permissions do not allow it")
                    .advise("mount it for writing, or let this user write to it"));
            }
        }
        Ok(())
    }

    async fn make_plan(&mut self, options: &PreviewOptions) -> Result<Taken> {
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
            plan(&self.conduit, &self.row, &self.scene, &self.roots, options, Some(&self.reporter), watch).await?;
        let from = Position { ord: -1, seq: -1 };
        let begin = Begin { plan: Some((plan.writer, plan.last)), conduit: self.conduit.clone() };
        let extent = Extent { items: plan.delta.items, bytes: plan.delta.bytes, ..Extent::default() };
        Ok(Taken { preview: plan.summary.id, delta: plan.delta, summary: plan.summary, from, extent, seen, begin })
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
            batch.push(Write::Execute(Statement::new(
                "UPDATE sync_progress SET status = 'failed', completed_at = ?3, updated_at = ?3 \
                 WHERE org_id = ?1 AND completed_at IS NULL AND sync_id LIKE ?2",
                vec![tenant.clone(), Value::Text(format!("{}:%", self.conduit.uuid)), Value::Time(micros(now))],
            )));
            batch.push(Write::Execute(Statement::new(
                "UPDATE sync_preview_cache SET is_pinned = ?4 WHERE org_id = ?1 AND conduit_id = ?2 AND id <> ?3",
                vec![tenant.clone(), conduit.clone(), Value::Uuid(preview.0), Value::Bool(false)],
            )));
            batch.push(journal.activity("error_recovery", "in_progress", 0, None, None, Value::Time(micros(now))));
        }
        batch.push(set_state(&self.conduit, preview, "applying", true));
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

fn set_state(conduit: &ConduitInner, preview: PreviewId, state: &'static str, pinned: bool) -> Write {
    Write::Execute(Statement::new(
        "UPDATE sync_preview_cache SET state = ?3, is_pinned = ?4, updated_at = ?5 WHERE org_id = ?1 AND id = ?2",
        vec![
            Value::Uuid(conduit.tenant.0),
            Value::Uuid(preview.0),
            Value::Text(state.to_owned()),
            Value::Bool(pinned),
            Value::Time(micros(conduit.book.clock.now())),
        ],
    ))
}
