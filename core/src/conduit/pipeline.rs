//! Carrying files: stage, flush, publish, flush, record, with as few flushes as the crash protocol allows.
//!
//! One flush serves two batches: it makes the data of the batch that was just staged durable together with the
//! renames of the batch before it. So the order of every batch holds (reconciliation contract, section 6):
//! intent on disk, data on disk, rename, rename on disk, ledger. While the disk flushes, the next batch is being
//! staged.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::join;
use tokio::time::timeout;

use crate::delta::{Action, Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath, Side};
use crate::operation::plan::Planned;
use crate::operation::scheduler::{Demand, Held};
use crate::provider::{Capabilities, Keeper, OfPlace, Publish, Resumable, Source, Stage, Staged, is_interruption};
use crate::store::Write;

use super::apply::Apply;
use super::outcome::{Done, Outcome};
use super::record::Closing;
use super::rules::Promise;
use super::transfer::Session;

/// Items in one batch: enough that a flush is shared by many, few enough that little is done again after a crash.
const BATCH_ITEMS: usize = 2_048;

/// Bytes in one batch; a larger file is a batch of its own.
const BATCH_BYTES: u64 = 64 << 20;

/// Large files that are copied beside each other between two places of this machine: one alone leaves a processor idle,
/// more than two take the disk from each other.
pub(super) const LARGE_AT_ONCE: usize = 2;

/// How often a run that waits for room looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(100);

/// A batch whose files wait under their temporary names.
struct StagedBatch {
    side: Side,
    /// Where the place holds what is staged.
    _room: Option<Held>,
    intents: Vec<i64>,
    items: Vec<StagedItem>,
    promise: Promise,
}

pub(super) struct StagedItem {
    pub(super) planned: Planned,
    pub(super) result: Result<Staged>,
    /// Of a large file.
    pub(super) session: Option<i64>,
}

/// A batch that was renamed into place.
struct PublishedBatch {
    closing: Closing,
    side: Side,
    outcomes: Vec<Outcome>,
}

/// The most bytes in one batch for a place. Under a bandwidth limit a batch is what passes in about a second, so that
/// items go on arriving. Where the place holds what is staged, a batch has no more than `room`.
pub(super) fn batch_bytes(place: &Capabilities, bytes_per_second: Option<u64>, room: u64) -> u64 {
    let held = place.staged_bytes.map_or(u64::MAX, |most| most.min(room));
    BATCH_BYTES.min(bytes_per_second.unwrap_or(u64::MAX)).min(held)
}

/// How a page of transfers is cut into batches.
pub(super) struct Cut<Bytes, Large, Together> {
    /// The most bytes of small files in one batch to that side, where that is more than one file.
    pub(super) most: Bytes,
    /// Whether a file is a large one.
    pub(super) is_large: Large,
    /// How many large files may be one batch to that side.
    pub(super) together: Together,
}

/// Cuts a page of transfers into batches of one target side, of small files or of large ones.
pub(super) fn batches(
    page: Vec<Planned>,
    cut: &Cut<impl Fn(Side) -> u64, impl Fn(Side, &Planned) -> bool, impl Fn(Side) -> usize>,
) -> Vec<(Side, Vec<Planned>)> {
    let mut out: Vec<(Side, Vec<Planned>)> = Vec::new();
    let mut bytes = 0;
    let mut after_large = false;
    for planned in page {
        let Action::Transfer { to, .. } = planned.change.action else { continue };
        let is_large = (cut.is_large)(to, &planned);
        let was_large = std::mem::replace(&mut after_large, is_large);
        let fits = |(side, batch): &(Side, Vec<Planned>)| {
            let has_room = match is_large {
                true => batch.len() < (cut.together)(to),
                false => batch.len() < BATCH_ITEMS && bytes + planned.change.bytes <= (cut.most)(to),
            };
            *side == to && is_large == was_large && has_room
        };
        match out.last_mut() {
            Some(batch) if fits(batch) => {
                bytes += planned.change.bytes;
                batch.1.push(planned);
            }
            Some(_) | None => {
                bytes = planned.change.bytes;
                out.push((to, vec![planned]));
            }
        }
    }
    out
}

/// The transfers under way.
#[derive(Default)]
pub(super) struct Pipeline {
    staged: Option<StagedBatch>,
    published: Option<PublishedBatch>,
}

impl Pipeline {
    /// Takes in one more batch: stages it while the batches before it move one stage on.
    pub(super) async fn push(&mut self, apply: &mut Apply, side: Side, batch: Vec<Planned>) -> Result<()> {
        let (promise, batch) = apply.promise(side, batch).await?;
        if batch.is_empty() {
            self.drain(apply).await?;
            return apply.commit(promise.into_closing(Vec::new()), Vec::new()).await;
        }
        let room = self.room(apply, side, &batch).await?;
        let begun = if are_large(apply, side, &batch) {
            let mut sessions = Vec::with_capacity(batch.len());
            for planned in &batch {
                sessions.push(apply.take_up(side, planned).await?);
            }
            Begun::Large(sessions)
        } else {
            Begun::Small(apply.intend_staging(side, &batch).await?)
        };
        let (staged, flushed) = join!(stage(apply, side, begun, room, promise, batch), self.flush(apply));
        if apply.reporter.control.is_cancelled() {
            // What was staged before is brought home; this batch is left for the next run.
            let forget = staged.intents.iter().map(|intent| apply.scene.ledger.remove_intent(*intent)).collect();
            discard(apply, staged).await;
            apply.store.write(apply.tenant, forget).await?;
            flushed?;
            self.advance(apply).await?;
            self.drain(apply).await?;
            return apply.reporter.control.check();
        }
        let advanced = match flushed {
            Ok(()) => self.advance(apply).await,
            Err(error) => Err(error),
        };
        if advanced.is_err() {
            discard(apply, staged).await;
            return advanced;
        }
        self.staged = Some(staged);
        Ok(())
    }

    /// Room for a batch. Who waits for it holds none: what is under way is brought to its end first.
    async fn room(&mut self, apply: &mut Apply, side: Side, batch: &[Planned]) -> Result<Held> {
        let place = apply.scene.sides[side].capabilities();
        let demand = if are_large(apply, side, batch) {
            Demand::large(batch.len() as u64, place)
        } else {
            Demand::small(batch.iter().map(|planned| planned.change.bytes).sum(), place)
        };
        if let Some(room) = apply.share.try_take(demand) {
            return Ok(room);
        }
        self.drain(apply).await?;
        let share = apply.share.clone();
        let mut waiting = pin!(share.take(demand));
        loop {
            match timeout(LOOK, &mut waiting).await {
                Ok(room) => return Ok(room),
                Err(_) => apply.gate().await?,
            }
        }
    }

    /// Brings everything that is under way to its end.
    pub(super) async fn drain(&mut self, apply: &mut Apply) -> Result<()> {
        while self.staged.is_some() || self.published.is_some() {
            self.flush(apply).await?;
            self.advance(apply).await?;
        }
        Ok(())
    }

    /// Gives up what is staged and not published, after an error that ends the run.
    pub(super) async fn abandon(&mut self, apply: &Apply) {
        if let Some(batch) = self.staged.take() {
            discard(apply, batch).await;
        }
    }

    /// Makes durable what was staged and what was published.
    async fn flush(&self, apply: &Apply) -> Result<()> {
        let mut paths: [Vec<RelPath>; 2] = [Vec::new(), Vec::new()];
        if let Some(batch) = &self.staged {
            let staged = batch.items.iter().filter_map(|item| item.result.as_ref().ok());
            paths[batch.side as usize].extend(staged.map(|s| s.target.clone()));
        }
        if let Some(batch) = &self.published {
            let done = batch.outcomes.iter().filter(|o| o.result.is_ok());
            paths[batch.side as usize].extend(done.map(|o| o.planned.change.path_on(batch.side).clone()));
        }
        for side in Side::BOTH {
            let paths = std::mem::take(&mut paths[side as usize]);
            if !paths.is_empty() {
                apply.scene.sides[side].flush(paths).await?;
            }
        }
        Ok(())
    }

    /// After a flush: records what was published, publishes what was staged.
    async fn advance(&mut self, apply: &mut Apply) -> Result<()> {
        apply.lease.hold().await?;
        if let Some(batch) = self.published.take() {
            apply.commit(batch.closing, batch.outcomes).await?;
        }
        if let Some(batch) = self.staged.take() {
            self.published = Some(publish(apply, batch).await);
        }
        Ok(())
    }
}

/// What is in the book of a batch that is about to be staged.
enum Begun {
    /// The intent of them all.
    Small(i64),
    /// A session of each.
    Large(Vec<Session>),
}

fn are_large(apply: &Apply, side: Side, batch: &[Planned]) -> bool {
    batch.iter().all(|planned| apply.is_resumable(side, planned))
}

async fn stage(
    apply: &Apply,
    side: Side,
    begun: Begun,
    room: Held,
    promise: Promise,
    batch: Vec<Planned>,
) -> StagedBatch {
    match begun {
        Begun::Small(intent) => {
            let items = stage_small(apply, side, room.bytes(), batch).await;
            let holds = apply.scene.sides[side].capabilities().staged_bytes.is_some();
            StagedBatch { side, _room: holds.then_some(room), intents: vec![intent], items, promise }
        }
        Begun::Large(sessions) => {
            let intents = sessions.iter().map(|session| session.intent).collect();
            let each = room.bytes() / batch.len().max(1) as u64;
            let staging =
                batch.into_iter().zip(sessions).map(|(planned, s)| stage_large(apply, side, each, planned, s));
            StagedBatch { side, _room: None, intents, items: join_all(staging).await, promise }
        }
    }
}

async fn stage_small(apply: &Apply, side: Side, room: u64, batch: Vec<Planned>) -> Vec<StagedItem> {
    let mut planned = Vec::with_capacity(batch.len());
    let mut ready = Vec::with_capacity(batch.len());
    for item in batch {
        let request = request(apply, side, &item, room);
        planned.push((item, request.as_ref().err().cloned()));
        ready.extend(request);
    }
    let mut results = apply.scene.sides[side].stage(ready).await.into_iter();
    let item = |(planned, refused): (Planned, Option<Error>)| {
        let result = match refused {
            Some(error) => Err(error),
            None => results.next().unwrap_or_else(|| Err(no_answer("stage"))),
        };
        StagedItem { planned, result, session: None }
    };
    planned.into_iter().map(item).collect()
}

async fn stage_large(apply: &Apply, side: Side, room: u64, planned: Planned, mut session: Session) -> StagedItem {
    let (keeper, reports) = Keeper::new();
    let result = match request(apply, side, &planned, room) {
        Err(refused) => Err(refused),
        Ok(mut stage) => {
            stage.tag.clone_from(&session.tag);
            stage.resume = Some(Resumable { from: session.from.take(), keeper });
            let staging = apply.scene.sides[side].stage(vec![stage]);
            apply.keeping(&session, reports, staging).await.pop().unwrap_or_else(|| Err(no_answer("stage")))
        }
    };
    StagedItem { planned, result, session: Some(session.id) }
}

/// Removes what a batch has staged. What cannot be removed now is removed by the next run, by the batch's intent; what a
/// session owns is left to the run that continues it.
async fn discard(apply: &Apply, batch: StagedBatch) {
    // When another run has taken over, what stands under these names is its own.
    if apply.lease.is_lost() {
        return;
    }
    let own = batch.items.into_iter().filter(|item| item.session.is_none());
    let staged: Vec<_> = own.filter_map(|item| item.result.ok()).map(|s| (s.target, s.tag)).collect();
    if !staged.is_empty() {
        let _ = apply.scene.sides[batch.side].discard_staged(staged).await;
    }
    batch.promise.give_back().await;
}

async fn publish(apply: &Apply, mut batch: StagedBatch) -> PublishedBatch {
    let side = batch.side;
    let mut versions = apply.begin_versions(side, &batch.promise, &mut batch.items).await;
    batch.intents.extend(versions.intent);
    let requests: Vec<Publish> = batch
        .items
        .iter()
        .filter_map(|StagedItem { planned, result, .. }| {
            let staged = result.as_ref().ok()?.clone();
            let archive = matches!(planned.change.action, Action::Transfer { archive: true, .. });
            let expect = planned.change.expect[side].clone();
            let label = versions.label_of(&staged.target).or(archive.then_some(&apply.label));
            Some(Publish { archive: label.cloned(), staged, expect })
        })
        .collect();
    let published = apply.scene.sides[side].publish(requests).await;
    let mut kept = apply.keep_versions(side, &versions, &batch.items, &published).await;
    let mut results = published.into_iter();
    let mut refused = std::mem::take(&mut versions.unwanted);
    let mut ended = Vec::new();
    let mut outcomes = Vec::with_capacity(batch.items.len());
    for StagedItem { planned, result, session } in batch.items {
        let result = match result {
            Ok(staged) => {
                let node = results.next().unwrap_or_else(|| Err(no_answer("publish")));
                // What was interrupted is left to the run that continues its session.
                let is_kept = |e: &Error| session.is_some() && is_interruption(e);
                if node.as_ref().is_err_and(|e| !is_kept(e)) {
                    refused.push((staged.target.clone(), staged.tag.clone()));
                }
                let kept = kept.remove(&staged.target).transpose();
                node.and_then(|node| Ok(Done { kept: kept?, ..done(side, staged, node) }))
            }
            Err(error) => {
                // What a session owns is left to the run that continues it.
                if session.is_none() {
                    refused.push((planned.change.path_on(side).clone(), apply.tag(&planned)));
                }
                Err(error)
            }
        };
        // What was interrupted keeps its session; whatever else became of the file, nothing of it waits any more.
        ended.extend(session.filter(|_| !result.as_ref().is_err_and(is_interruption)));
        outcomes.push(Outcome { planned, result });
    }
    let is_tidy = refused.is_empty() || sweep(apply, side, refused).await.is_ok();
    // What may still stand under a temporary name is left to the next run.
    let mut closing: Vec<Write> = Vec::new();
    if is_tidy {
        let ledger = &apply.scene.ledger;
        closing.extend(batch.intents.into_iter().map(|intent| ledger.remove_intent(intent)));
        closing.extend(ended.into_iter().map(|id| ledger.rows().end_transfer(id)));
    }
    PublishedBatch { closing: batch.promise.into_closing(closing), side, outcomes }
}

/// Removes what was not published, for good: its intent goes next. (Staging that failed cleans up as far as it can.)
async fn sweep(apply: &Apply, side: Side, refused: Vec<(RelPath, String)>) -> Result<()> {
    let targets = refused.iter().map(|(target, _)| target.clone()).collect();
    apply.scene.sides[side].discard_staged(refused).await?;
    apply.scene.sides[side].flush(targets).await
}

fn done(side: Side, staged: Staged, node: Node) -> Done {
    let mut done = Done { content: Some(staged.content), bytes: staged.size - staged.resumed, ..Done::default() };
    done.now[side] = Some(node);
    done.now[side.other()] = staged.source;
    done
}

fn no_answer(action: &'static str) -> Error {
    Error::new(Code::Internal, action, "a file").because("the provider gave no answer")
}

/// The request to stage one planned transfer.
pub(super) fn request(apply: &Apply, side: Side, planned: &Planned, room: u64) -> Result<Stage> {
    let change = &planned.change;
    let from = side.other();
    let path = change.path_on(from).clone();
    let Expect::Node(expect) = &change.expect[from] else {
        return Err(Error::new(Code::Internal, "carry", &change.path).because("the plan does not say what is carried"));
    };
    let source = match apply.native_source(side) {
        Some(source) => Source::Native { source, path, expect: expect.clone(), pace: apply.pace.clone() },
        None => Source::Feed(Arc::new(OfPlace {
            place: Arc::clone(&apply.scene.sides[from]),
            path,
            expect: expect.clone(),
            pace: apply.pace.clone(),
            room: Some(room),
        })),
    };
    let capabilities = apply.scene.sides[side].capabilities();
    let metadata = match expect.kind {
        Kind::File => Metadata {
            mode: expect.token.mode.filter(|_| capabilities.mode),
            mtime: expect.token.mtime.filter(|_| capabilities.write_mtime),
        },
        Kind::Symlink | Kind::Dir | Kind::NativeDoc | Kind::Other => Metadata::default(),
    };
    Ok(Stage {
        target: change.path_on(side).clone(),
        tag: apply.tag(planned),
        source,
        kind: expect.kind,
        metadata,
        replaces: matches!(change.expect[side], Expect::Node(_)),
        resume: None,
    })
}
