//! Scan: both trees and the ledger, directory by directory, into the reconciler and from there into the plan.
//!
//! Several batches of directories are under way at once, yet they are taken in strictly in the order in which the
//! reconciler asked for them, so that the same trees give the same plan. How many directories a batch has follows
//! from how large directories have been so far: memory stays bounded by the largest directory, not by the tree.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::join;
use tokio::task::JoinHandle;

use crate::delta::{Change, DirSeen, DroppedDecision, Finish, Observed, Reconciler, Settings, Tally, Task, Unreadable};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Entry, Name, Pair, PairId, RelPath, Side, Sides};
use crate::operation::plan::PlanWriter;
use crate::operation::run::Reporter;
use crate::provider::Listing;
use crate::provider::hosted::cancel;

use super::native;
use super::scene::Scene;

/// Batches under way at once: one being listed by each thread of a side, one waiting.
const BATCHES: usize = 4;

/// Entries that the batches under way may hold together, as far as can be foretold.
const ENTRIES_UNDER_WAY: usize = 2048;

/// Eight pebibytes: a size that no file has, and the first that hosts' numbers cannot say exactly (RFC 8259, section 6).
const NO_SIZE: u64 = 1 << 53;

/// The most directories in one batch; more brings nothing.
const MAX_DIRS: usize = 64;

/// A finished scan.
pub(crate) struct Scanned {
    pub(crate) tally: Tally,
    /// The first number that no pair of the plan has.
    pub(crate) next_pair: PairId,
    /// Decisions of a person that the plan met and that nothing follows from.
    pub(crate) dropped: Vec<DroppedDecision>,
}

/// Walks both trees and writes the plan. `seen` is told how many entries have been looked at. Of a run, `reporter` says
/// when to wait and when to stop.
pub(crate) async fn scan(
    scene: &Scene,
    settings: Settings,
    plan: &mut PlanWriter,
    reporter: Option<&Reporter>,
    mut seen: impl FnMut(u64),
) -> Result<Scanned> {
    let settings = Arc::new(settings);
    let mut reconciler = Reconciler::new((*settings).clone());
    loop {
        walk(scene, &settings, &mut reconciler, plan, reporter, &mut seen).await?;
        let mut out = Vec::new();
        match reconciler.finish(&mut out) {
            Finish::Plan(tally) => {
                plan.push(&mut out).await?;
                return Ok(scanned(&reconciler, tally));
            }
            Finish::Hash(wanted) => {
                plan.push(&mut out).await?;
                let hashes = hash_both(scene, wanted).await;
                reconciler.pair_by_content(hashes);
                // What `finish` decides next is either the plan or a new walk.
                let mut out = Vec::new();
                match reconciler.finish(&mut out) {
                    Finish::Plan(tally) => {
                        plan.push(&mut out).await?;
                        return Ok(scanned(&reconciler, tally));
                    }
                    Finish::Again => plan.restart().await?,
                    Finish::Hash(_) => {
                        return Err(
                            Error::new(Code::Internal, "pair moved files", "").because("hashes were asked for twice")
                        );
                    }
                }
            }
            Finish::Again => plan.restart().await?,
        }
    }
}

fn scanned(reconciler: &Reconciler, tally: Tally) -> Scanned {
    Scanned { tally, next_pair: reconciler.next_new_pair(), dropped: reconciler.dropped_decisions().to_vec() }
}

async fn walk(
    scene: &Scene,
    settings: &Arc<Settings>,
    reconciler: &mut Reconciler,
    plan: &mut PlanWriter,
    reporter: Option<&Reporter>,
    seen: &mut impl FnMut(u64),
) -> Result<()> {
    let mut under_way: VecDeque<JoinHandle<Result<Vec<Observed>>>> = VecDeque::new();
    let mut pace = Pace::default();
    let mut out: Vec<Change> = Vec::new();
    loop {
        while under_way.len() < BATCHES {
            let batch: Vec<Task> = std::iter::from_fn(|| reconciler.next_task()).take(pace.dirs()).collect();
            if batch.is_empty() {
                break;
            }
            under_way.push_back(cancel::spawn(look(scene.clone(), settings.clone(), batch)));
        }
        let Some(next) = under_way.pop_front() else { return Ok(()) };
        let batch = next.await.map_err(|e| Error::new(Code::Internal, "scan", "").because(e))??;
        // After the look, so that what was asked for during the last one holds before anything is begun.
        if let Some(reporter) = reporter {
            reporter.gate().await?;
        }
        for observed in batch {
            let entries = entries_in(&observed);
            pace.saw(entries);
            seen(entries as u64);
            reconciler.observe(observed, &mut out);
        }
        plan.push(&mut out).await?;
    }
}

/// A hash, or why there is none.
type Looked = std::result::Result<ContentHash, Unreadable>;

fn entries_in(observed: &Observed) -> usize {
    let count = |seen: &DirSeen| match seen {
        DirSeen::Complete(entries) | DirSeen::Partial(entries, _) => entries.len(),
        DirSeen::Absent | DirSeen::Unknown(_) => 0,
    };
    count(&observed.seen.left).max(count(&observed.seen.right)).max(observed.base.len())
}

/// How many directories the next batch may have.
struct Pace {
    /// A running mean of the entries of a directory that follows growth at once and shrinks slowly.
    entries: usize,
    limit: usize,
}

impl Default for Pace {
    /// Begins with few directories: the first ones may be the largest.
    fn default() -> Self {
        Self { entries: 64, limit: 4 }
    }
}

impl Pace {
    fn saw(&mut self, entries: usize) {
        self.entries = entries.max((self.entries * 7 + entries) / 8);
        self.limit = (self.limit + 1).min(MAX_DIRS);
    }

    fn dirs(&self) -> usize {
        (ENTRIES_UNDER_WAY / BATCHES / self.entries.max(1)).clamp(1, self.limit)
    }
}

/// Lists a batch of directories on both sides, reads the ledger's rows, and hashes what must be known.
async fn look(scene: Scene, settings: Arc<Settings>, tasks: Vec<Task>) -> Result<Vec<Observed>> {
    let pairs: Vec<PairId> = tasks.iter().filter_map(|task| task.pair).collect();
    let (left, right, rows) =
        join!(list(&scene, &tasks, Side::Left), list(&scene, &tasks, Side::Right), scene.ledger.children(&pairs));
    let mut rows: VecDeque<Vec<Pair>> = rows?.into();
    let mut observed: Vec<Observed> = Vec::with_capacity(tasks.len());
    for ((task, left), right) in tasks.into_iter().zip(left).zip(right) {
        let base = if task.pair.is_some() { rows.pop_front().unwrap_or_default() } else { Vec::new() };
        observed.push(Observed { task, base, seen: Sides::new(left, right), hashes: Sides::default() });
    }
    hash_wanted(&scene, &settings, &mut observed).await;
    Ok(observed)
}

async fn list(scene: &Scene, tasks: &[Task], side: Side) -> Vec<DirSeen> {
    let dirs: Vec<RelPath> = tasks.iter().filter_map(|task| task.at[side].clone()).collect();
    let mut listings = if dirs.is_empty() { Vec::new() } else { scene.sides[side].list(dirs).await }.into_iter();
    let lost =
        || Listing::Unknown(Error::new(Code::Internal, "list a directory", "").because("the provider gave no answer"));
    let seen = |listing| match listing {
        Listing::Complete(entries) => match believable(entries) {
            (entries, None) => DirSeen::Complete(entries),
            (entries, Some(error)) => DirSeen::Partial(entries, (&error).into()),
        },
        Listing::Partial(entries, error) => DirSeen::Partial(believable(entries).0, (&error).into()),
        Listing::Absent => DirSeen::Absent,
        Listing::Unknown(error) => DirSeen::Unknown((&error).into()),
    };
    tasks
        .iter()
        .map(|task| match &task.at[side] {
            Some(_) => seen(listings.next().unwrap_or_else(lost)),
            None => DirSeen::Absent,
        })
        .collect()
}

/// The entries without those that claim to be larger than anything can be, which would be counted, planned and summed up.
fn believable(mut entries: Vec<Entry>) -> (Vec<Entry>, Option<Error>) {
    let liar = entries.iter().find(|entry| entry.node.token.size >= NO_SIZE).map(|liar| {
        let why = format!("it is said to have {} bytes, which nothing can have", liar.node.token.size);
        Error::new(Code::Storage, "look at", &liar.name).because(why)
    });
    if liar.is_some() {
        entries.retain(|entry| entry.node.token.size < NO_SIZE);
    }
    (entries, liar)
}

/// Hashes what the directories of a batch want, in one call per side.
async fn hash_wanted(scene: &Scene, settings: &Settings, observed: &mut [Observed]) {
    let wanted: Vec<Sides<Vec<RelPath>>> = observed.iter().map(|o| o.wanted(settings)).collect();
    let equal = native::equal(scene, observed, &wanted).await;
    let all = |side: Side| {
        let unknown = wanted.iter().flat_map(|w| w[side].iter()).filter(|path| !equal.contains_key(*path));
        unknown.cloned().collect::<Vec<_>>()
    };
    let mut hashes = hash_both(scene, Sides::new(all(Side::Left), all(Side::Right))).await;
    for side in Side::BOTH {
        hashes[side].extend(equal.iter().map(|(path, content)| (path.clone(), Ok(*content))));
    }
    for (observed, wanted) in observed.iter_mut().zip(wanted) {
        for side in Side::BOTH {
            let known: HashMap<Name, Looked> =
                wanted[side].iter().filter_map(|path| Some((path.name()?, hashes[side].remove(path)?))).collect();
            observed.hashes[side] = known;
        }
    }
}

async fn hash_both(scene: &Scene, wanted: Sides<Vec<RelPath>>) -> Sides<HashMap<RelPath, Looked>> {
    let one = async |side: Side, paths: Vec<RelPath>| {
        if paths.is_empty() {
            return HashMap::new();
        }
        let hashed = scene.sides[side].hash(paths.clone()).await;
        let known = |r: Result<crate::provider::Hashed>| r.map(|h| h.content).map_err(|e| (&e).into());
        paths.into_iter().zip(hashed.into_iter().map(known)).collect()
    };
    let (left, right) = join!(one(Side::Left, wanted.left), one(Side::Right, wanted.right));
    Sides::new(left, right)
}
