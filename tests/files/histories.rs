//! Random histories: edits on both sides, runs, crashes. After each round nothing is lost, both sides are in step
//! within two runs, and a third has nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portbook::conduit::{ConduitOptions, Place};
use portbook::model::{ConflictPolicy, Kind, SyncMode, Timestamp};
use portbook::operation::RunReport;
use portbook::provider::local::{Disk, OsDisk};
use portbook::provider::simulation::{ModelOptions, Switch};
use portbook::{Book, BookOptions};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::engine::tree::{Item, Items, Tree, leftovers, visible};
use crate::engine::{World, at_rest, confirmed, differences, lost, options};

#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Write { dir: usize, name: usize, content: u8 },
    Overwrite { at: usize, content: u8 },
    Save { at: usize, content: u8 },
    MakeDir { dir: usize, name: usize },
    Link { dir: usize, name: usize, content: u8 },
    Delete { at: usize },
    Rename { at: usize, dir: usize, name: usize },
    Swap { a: usize, b: usize },
    Chmod { at: usize, mode: u8 },
    Touch { at: usize, secs: i64 },
}

const NAMES: [&str; 5] = ["a", "b", "c", "d.txt", "e"];

fn edit() -> impl Strategy<Value = Edit> {
    let n = || 0..64usize;
    let name = || 0..NAMES.len();
    prop_oneof![
        5 => (n(), name(), any::<u8>()).prop_map(|(dir, name, content)| Edit::Write { dir, name, content }),
        3 => (n(), any::<u8>()).prop_map(|(at, content)| Edit::Overwrite { at, content }),
        2 => (n(), any::<u8>()).prop_map(|(at, content)| Edit::Save { at, content }),
        3 => (n(), name()).prop_map(|(dir, name)| Edit::MakeDir { dir, name }),
        1 => (n(), name(), any::<u8>()).prop_map(|(dir, name, content)| Edit::Link { dir, name, content }),
        3 => n().prop_map(|at| Edit::Delete { at }),
        6 => (n(), n(), name()).prop_map(|(at, dir, name)| Edit::Rename { at, dir, name }),
        2 => (n(), n()).prop_map(|(a, b)| Edit::Swap { a, b }),
        1 => (n(), any::<u8>()).prop_map(|(at, mode)| Edit::Chmod { at, mode }),
        1 => (n(), 0..2_000_000_000i64).prop_map(|(at, secs)| Edit::Touch { at, secs }),
    ]
}

/// A few contents that come again, and many that do not.
fn content(number: u8, unique: &AtomicU64) -> Vec<u8> {
    match number % 16 {
        0 => Vec::new(),
        n @ 1..=4 => format!("common {n}").into_bytes(),
        n => format!("{} {}", unique.fetch_add(1, Ordering::SeqCst), "+".repeat(usize::from(n) * 40)).into_bytes(),
    }
}

pub(crate) fn apply<D: Disk>(tree: &Tree<'_, D>, edit: &Edit, unique: &AtomicU64) {
    let items = visible(&tree.all());
    let of = |kind: Option<Kind>| -> Vec<&String> {
        items.iter().filter(|(_, i)| kind.is_none_or(|k| i.kind == k)).map(|(p, _)| p).collect()
    };
    let (all, files, dirs) = (of(None), of(Some(Kind::File)), of(Some(Kind::Dir)));
    let pick = |from: &[&String], at: usize| (!from.is_empty()).then(|| from[at % from.len()].clone());
    let place = |dir: usize, name: usize| match dir % (dirs.len() + 1) {
        0 => NAMES[name].to_owned(),
        n => format!("{}/{}", dirs[n - 1], NAMES[name]),
    };
    let within = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
    match *edit {
        Edit::Write { dir, name, content: number } => {
            let at = place(dir, name);
            if !items.contains_key(&at) {
                tree.put(&at, &content(number, unique));
            }
        }
        Edit::Overwrite { at, content: number } => {
            if let Some(at) = pick(&files, at) {
                tree.put(&at, &content(number, unique));
            }
        }
        Edit::Save { at, content: number } => {
            if let Some(at) = pick(&files, at) {
                tree.replace(&at, &content(number, unique));
            }
        }
        Edit::MakeDir { dir, name } => {
            let at = place(dir, name);
            if !items.contains_key(&at) && at.split('/').count() < 5 {
                tree.dir(&at);
            }
        }
        Edit::Link { dir, name, content: number } => {
            let at = place(dir, name);
            if !items.contains_key(&at) {
                tree.link(&at, &format!("to {}", number % 4));
            }
        }
        Edit::Delete { at } => {
            if let Some(at) = pick(&all, at) {
                tree.remove(&at);
            }
        }
        Edit::Rename { at, dir, name } => {
            if let Some(from) = pick(&all, at) {
                let to = place(dir, name);
                if !items.contains_key(&to) && !within(&to, &from) {
                    tree.rename(&from, &to);
                }
            }
        }
        Edit::Swap { a, b } => {
            if let (Some(a), Some(b)) = (pick(&all, a), pick(&all, b))
                && !within(&a, &b)
                && !within(&b, &a)
            {
                tree.swap(&a, &b);
            }
        }
        Edit::Chmod { at, mode } => {
            if let Some(at) = pick(&files, at) {
                tree.chmod(&at, 0o600 | u32::from(mode) & 0o177);
            }
        }
        Edit::Touch { at, secs } => {
            if let Some(at) = pick(&files, at) {
                tree.touch(&at, Timestamp { secs, nanos: 0 });
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) left: Vec<Edit>,
    pub(crate) right: Vec<Edit>,
    /// The run dies at an effect, and this is what the disk makes of it.
    crash: Option<(u64, u64)>,
}

pub(crate) fn round(crashes: bool) -> impl Strategy<Value = Round> {
    let edits = || prop::collection::vec(edit(), 0..7);
    let crash = if crashes { prop::option::of((1..60u64, any::<u64>())).boxed() } else { Just(None).boxed() };
    (edits(), edits(), crash).prop_map(|(left, right, crash)| Round { left, right, crash })
}

pub(crate) fn how() -> impl Strategy<Value = ConduitOptions> {
    use ConflictPolicy::{DestinationWins, KeepBoth, LatestWins, SourceWins};
    prop_oneof![
        2 => Just(options(SyncMode::Mirror, None)),
        1 => Just(ConduitOptions { exact: true, ..options(SyncMode::Mirror, None) }),
        4 => Just(options(SyncMode::Bidirectional, Some(KeepBoth))),
        1 => Just(options(SyncMode::Bidirectional, Some(SourceWins))),
        1 => Just(options(SyncMode::Bidirectional, Some(DestinationWins))),
        2 => Just(options(SyncMode::Bidirectional, Some(LatestWins))),
    ]
}

/// Syncs until a run has nothing to do; returns how many had. What waits for a person may wait.
pub(crate) fn settle_down(world: &World, how: &ConduitOptions) -> Result<usize, String> {
    for run in 0..4 {
        let report = world.sync(how).map_err(|e| format!("run {run}: {e}"))?;
        world.disk.advance(10_000_000_000);
        if report.counts.failed > 0 {
            return Err(format!("run {run}: {report:?}"));
        }
        if report.counts.is_quiet() && report.bytes == 0 {
            return Ok(run);
        }
    }
    Err("the fourth run still has something to do".into())
}

/// Where both sides differ. Files that met with equal content keep their own times and permissions.
pub(crate) fn apart(left: &Items, right: &Items) -> Vec<String> {
    let bare = |items: &Items| -> Items {
        items.iter().map(|(p, i)| (p.clone(), Item { mode: None, mtime: None, ..i.clone() })).collect()
    };
    differences("left and right", &bare(left), &bare(right))
}

fn tell(how: &ConduitOptions, rounds: &[Round]) -> Result<(), TestCaseError> {
    let mut world = World::new(ModelOptions::default());
    let unique = AtomicU64::new(0);
    let mut agreed = [Items::new(), Items::new()];
    for (number, round) in rounds.iter().enumerate() {
        round.left.iter().for_each(|edit| apply(&world.left(), edit, &unique));
        world.disk.advance(5_000_000_000);
        round.right.iter().for_each(|edit| apply(&world.right(), edit, &unique));
        world.settle();
        let before = world.trees();
        let mut most = 2;
        if let Some((at, seed)) = round.crash {
            let switch = Arc::new(Switch::default());
            switch.crash_at(at);
            let engine = world.engine_with(switch);
            let _ = engine.sync(how);
            engine.end();
            world = world.after_crash(seed);
            world.disk.advance(10_000_000_000);
            most = 3;
            let gone = lost(&agreed, &before, &world.trees());
            prop_assert!(gone.is_empty(), "round {number}, right after the crash: {gone:#?}");
        }
        let runs = settle_down(&world, how).map_err(|e| TestCaseError::fail(format!("round {number}: {e}")))?;
        prop_assert!(runs <= most, "round {number}: {runs} runs had something to do");
        let after = world.trees();
        let mut wrong = lost(&agreed, &before, &after);
        wrong.extend(at_rest(&world));
        let [left, right] = after.each_ref().map(visible);
        if how.mode == SyncMode::Mirror {
            let changed = left != visible(&before[0]);
            wrong.extend(changed.then(|| "a mirror changed its source".to_owned()));
        } else {
            wrong.extend(apart(&left, &right));
        }
        prop_assert!(wrong.is_empty(), "round {number}: {wrong:#?}\nbefore: {before:#?}\nafter: {after:#?}");
        agreed = after;
    }
    Ok(())
}

/// The same histories every time, and others when more of them are asked for.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        rng_seed: asked.map_or(RngSeed::Fixed(20), |_: u32| RngSeed::Random),
        failure_persistence: None,
        max_shrink_iters: 600,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn whatever_is_edited_nothing_is_lost_and_both_sides_come_into_step(
        how in how(),
        rounds in prop::collection::vec(round(false), 1..4),
    ) {
        tell(&how, &rounds)?;
    }

    #[test]
    fn and_whenever_it_crashes(how in how(), rounds in prop::collection::vec(round(true), 1..4)) {
        tell(&how, &rounds)?;
    }
}

/// Two directories of this machine and a book, with the machine's clock: edits and runs follow each other closely.
struct Machine {
    dir: tempfile::TempDir,
    disk: OsDisk,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["left", "right"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, disk: OsDisk::default() }
    }

    fn tree(&self, name: &str) -> Tree<'_, OsDisk> {
        Tree::at(&self.disk, self.dir.path().join(name).to_str().unwrap())
    }

    fn trees(&self) -> [Items; 2] {
        ["left", "right"].map(|name| self.tree(name).all())
    }

    fn sync(&self, book: &Book, how: &ConduitOptions) -> portbook::Result<RunReport> {
        let session = portbook::wait(book.default_session())?;
        let place = |name| Place::Local(self.dir.path().join(name));
        let conduit = portbook::wait(session.connect(place("left"), place("right"), how.clone()))?;
        portbook::wait(conduit.sync(Default::default(), confirmed()).finish())
    }
}

fn tell_on_this_machine(how: &ConduitOptions, rounds: &[Round]) -> Result<(), TestCaseError> {
    let machine = Machine::new();
    let book = portbook::wait(Book::open(BookOptions::sqlite(machine.dir.path().join("book")))).unwrap();
    let unique = AtomicU64::new(0);
    let mut agreed = [Items::new(), Items::new()];
    for (number, round) in rounds.iter().enumerate() {
        round.left.iter().for_each(|edit| apply(&machine.tree("left"), edit, &unique));
        round.right.iter().for_each(|edit| apply(&machine.tree("right"), edit, &unique));
        let before = machine.trees();
        let mut quiet = None;
        for run in 0..4 {
            let report = machine.sync(&book, how);
            let report = report.map_err(|e| TestCaseError::fail(format!("round {number}, run {run}: {e}")))?;
            prop_assert_eq!(report.counts.failed, 0, "round {}, run {}: {:?}", number, run, report);
            if report.counts.is_quiet() && report.bytes == 0 {
                quiet = Some(run);
                break;
            }
        }
        prop_assert!(quiet.is_some_and(|run| run <= 2), "round {number}: quiet after {quiet:?} runs");
        let after = machine.trees();
        let mut wrong = lost(&agreed, &before, &after);
        wrong.extend(after.iter().flat_map(leftovers));
        let [left, right] = after.each_ref().map(visible);
        if how.mode == SyncMode::Mirror {
            let changed = left != visible(&before[0]);
            wrong.extend(changed.then(|| "a mirror changed its source".to_owned()));
        } else {
            wrong.extend(apart(&left, &right));
        }
        prop_assert!(wrong.is_empty(), "round {number}: {wrong:#?}\nbefore: {before:#?}\nafter: {after:#?}");
        agreed = after;
    }
    portbook::wait(book.shutdown());
    Ok(())
}

proptest! {
    #![proptest_config(config(25))]

    #[test]
    fn and_on_the_disk_of_this_machine(how in how(), rounds in prop::collection::vec(round(false), 1..4)) {
        tell_on_this_machine(&how, &rounds)?;
    }
}

/// A file and what lies in a directory that took its name go to the trash in one run.
#[test]
fn a_file_in_the_trash_does_not_stand_in_the_way_of_a_directory() {
    use Edit::{Delete, MakeDir, Rename, Swap, Write};
    let write = |dir, name| Write { dir, name, content: 0 };
    let rounds = [
        Round {
            left: vec![write(0, 4), MakeDir { dir: 0, name: 3 }, write(5, 3)],
            right: vec![write(0, 3), write(0, 2)],
            crash: None,
        },
        Round {
            left: vec![MakeDir { dir: 5, name: 0 }, Delete { at: 17 }, Rename { at: 20, dir: 11, name: 1 }],
            right: vec![write(0, 0), write(1, 0)],
            crash: None,
        },
        Round {
            left: vec![
                Delete { at: 21 },
                Delete { at: 2 },
                MakeDir { dir: 7, name: 0 },
                Swap { a: 35, b: 46 },
                write(5, 0),
                Rename { at: 47, dir: 3, name: 1 },
            ],
            right: vec![MakeDir { dir: 45, name: 1 }, write(0, 0)],
            crash: None,
        },
    ];
    tell(&options(SyncMode::Bidirectional, Some(ConflictPolicy::LatestWins)), &rounds).unwrap();
}
