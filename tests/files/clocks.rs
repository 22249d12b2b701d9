//! Clocks that are wrong, jump, tick slowly or are read in another zone. What is carried where never depends on them;
//! only *latest wins* asks them anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use portbook::conduit::ConduitOptions;
use portbook::model::{ConflictPolicy, Kind, SyncMode};
use portbook::operation::RunReport;
use portbook::provider::simulation::{ModelOptions, Op};
use proptest::prelude::*;

use crate::engine::lens::View;
use crate::engine::tree::{Items, visible};
use crate::engine::{World, at_rest, confirmed, differences, lost, options, without_stamps};
use crate::histories::{Round, apart, apply, config, how, round};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// What happens to the clocks in a round.
#[derive(Clone, Debug)]
struct Chaos {
    /// Where the engine's clock stands against the disk's when a run begins.
    ahead_ns: i64,
    /// After this many calls of the disk, again and again, the engine's clock jumps by so much, there and back.
    jumps: Option<(u64, i64)>,
    /// Local times: all times of a side have moved by an hour.
    shift_ns: [i64; 2],
}

/// The clocks of both sides.
#[derive(Clone, Debug)]
struct Sides {
    skew_ns: [i64; 2],
    precision_ns: [u64; 2],
}

fn far() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -5 * SECOND..5 * SECOND, -12 * HOUR..12 * HOUR, -14 * DAY..14 * DAY]
}

fn chaos() -> impl Strategy<Value = Chaos> {
    let hour = || prop_oneof![2 => Just(0), 1 => Just(HOUR), 1 => Just(-HOUR)];
    (far(), prop::option::of((1..40_u64, far())), [hour(), hour()]).prop_map(|(ahead_ns, jumps, shift_ns)| Chaos {
        ahead_ns,
        jumps,
        shift_ns,
    })
}

fn sides() -> impl Strategy<Value = Sides> {
    let skew = || prop_oneof![Just(0), -12 * HOUR..12 * HOUR];
    let precision = || prop_oneof![Just(1), Just(100), Just(SECOND as u64), Just(2 * SECOND as u64)];
    ([skew(), skew()], [precision(), precision()]).prop_map(|(skew_ns, precision_ns)| Sides { skew_ns, precision_ns })
}

impl Sides {
    fn give(&self, world: &World) {
        for (side, view) in world.views.iter().enumerate() {
            view.skew_ns.store(self.skew_ns[side], SeqCst);
            view.precision_ns.store(self.precision_ns[side], SeqCst);
        }
    }
}

/// One run, in which the engine's clock may jump.
fn sync(world: &World, how: &ConduitOptions, chaos: Option<&Chaos>) -> portbook::Result<RunReport> {
    let engine = world.engine();
    if let Some((every, by_ns)) = chaos.and_then(|chaos| chaos.jumps) {
        let (ahead, there) = (Arc::clone(&world.ahead_ns), AtomicI64::new(1));
        engine.disk.rule(move |call| {
            if call.number % every == 0 {
                ahead.fetch_add(by_ns * there.load(SeqCst), SeqCst);
                there.store(-there.load(SeqCst), SeqCst);
            }
            None
        });
    }
    let report = engine.sync(how);
    engine.end();
    report
}

/// Runs until one has nothing to do.
fn settle_down(world: &World, how: &ConduitOptions, chaos: Option<&Chaos>) -> Result<usize, String> {
    for run in 0..4 {
        let report = sync(world, how, chaos).map_err(|e| format!("run {run}: {e}"))?;
        world.disk.advance(10 * SECOND as u64);
        if report.counts.failed > 0 {
            return Err(format!("run {run}: {report:?}"));
        }
        if report.counts.is_quiet() && report.bytes == 0 {
            return Ok(run);
        }
    }
    Err("the fourth run still has something to do".into())
}

/// What a tree holds and where, whatever times it shows.
fn timeless(items: &Items) -> Items {
    let mut bare = without_stamps(&visible(items));
    bare.values_mut().for_each(|item| item.mtime = None);
    bare
}

/// Two worlds in which the same happens: one with right clocks, one without.
struct Twins {
    right: World,
    wrong: World,
}

impl Twins {
    fn edit(&self, round: &Round, unique: &[AtomicU64; 2]) {
        for (world, unique) in [&self.right, &self.wrong].into_iter().zip(unique) {
            round.left.iter().for_each(|edit| apply(&world.left(), edit, unique));
            world.disk.advance(5 * SECOND as u64);
            round.right.iter().for_each(|edit| apply(&world.right(), edit, unique));
            world.settle();
        }
    }
}

fn tell(how: &ConduitOptions, sides: &Sides, rounds: &[(Round, Chaos)]) -> Result<(), TestCaseError> {
    let twins = Twins { right: World::new(ModelOptions::default()), wrong: World::new(ModelOptions::default()) };
    let behind = twins.wrong.disk.now_ns().abs_diff(twins.right.disk.now_ns());
    twins.right.disk.advance(behind);
    sides.give(&twins.wrong);
    let latest_wins = how.conflict == Some(ConflictPolicy::LatestWins);
    let unique = [AtomicU64::new(0), AtomicU64::new(0)];
    let mut agreed = [Items::new(), Items::new()];
    for (number, (round, chaos)) in rounds.iter().enumerate() {
        twins.edit(round, &unique);
        let before = twins.wrong.trees();
        twins.wrong.ahead_ns.store(chaos.ahead_ns, SeqCst);
        for (view, shift) in twins.wrong.views.iter().zip(chaos.shift_ns) {
            view.shift_ns.store(shift, SeqCst);
        }
        let at = |e| TestCaseError::fail(format!("round {number}: {e}"));
        settle_down(&twins.right, how, None).map_err(at)?;
        let runs = settle_down(&twins.wrong, how, Some(chaos)).map_err(at)?;
        prop_assert!(runs <= 2, "round {number}: {runs} runs had something to do");
        let (expected, after) = (twins.right.trees(), twins.wrong.trees());
        let mut wrong = lost(&agreed, &before, &after);
        wrong.extend(at_rest(&twins.wrong));
        if how.mode == SyncMode::Bidirectional {
            wrong.extend(apart(&visible(&after[0]), &visible(&after[1])));
        }
        for side in (0..2).filter(|_| !latest_wins) {
            wrong.extend(differences(
                "right clocks and wrong ones",
                &timeless(&expected[side]),
                &timeless(&after[side]),
            ));
        }
        prop_assert!(wrong.is_empty(), "round {number}: {wrong:#?}\nbefore: {before:#?}\nafter: {after:#?}");
        agreed = after;
        if latest_wins && timeless(&expected[0]) != timeless(&agreed[0]) {
            // The loser is another one: from here on the two worlds have different histories.
            return Ok(());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn clocks_never_decide_what_is_carried_where(
        how in how(),
        sides in sides(),
        rounds in prop::collection::vec((round(false), chaos()), 1..4),
    ) {
        tell(&how, &sides, &rounds)?;
    }
}

/// A world in which both sides agree on one file and one directory.
fn agreed(how: &ConduitOptions, views: impl FnOnce(&[Arc<View>; 2])) -> World {
    let world = World::new(ModelOptions::default());
    views(&world.views);
    let left = world.left();
    left.dir("dir");
    left.put("a", b"first.");
    left.put("dir/b", b"b");
    world.settle();
    assert!(world.sync(how).unwrap().is_in_step());
    world.disk.advance(10 * SECOND as u64);
    world
}

/// In autumn all times of a FAT disk are an hour off: nothing was edited, and nothing is carried.
#[test]
fn times_that_all_moved_by_an_hour_carry_nothing() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for precision in [1, SECOND as u64, 2 * SECOND as u64] {
            for side in 0..2 {
                let how = options(mode, None);
                let world = agreed(&how, |views| views[side].precision_ns.store(precision, SeqCst));
                let before = world.trees();
                world.views[side].shift_ns.store(-HOUR, SeqCst);
                let report = world.sync(&how).unwrap();
                world.disk.advance(10 * SECOND as u64);
                let what = format!("{mode:?}, {precision} ns, side {side}: {report:?}");
                assert!(report.is_in_step() && report.bytes == 0, "{what}");
                let counts = (report.counts.new, report.counts.deleted, report.counts.conflicts);
                assert_eq!(counts, (0, 0, 0), "{what}");
                world.converge(&how).unwrap_or_else(|e| panic!("{what}: {e}"));
                for (before, after) in before.iter().zip(&world.trees()) {
                    assert_eq!(timeless(before), timeless(after), "{what}");
                }
            }
        }
    }
}

/// Coarse times do not make one side look newer than the other after a run.
#[test]
fn coarse_times_are_carried_once() {
    for (left, right) in [(1, 2), (2, 1), (2, 2), (1, 1)] {
        let seconds = |n: u64| n * SECOND as u64;
        for how in [options(SyncMode::Mirror, None), options(SyncMode::Bidirectional, Some(ConflictPolicy::LatestWins))]
        {
            let world = World::new(ModelOptions::default());
            world.views[0].precision_ns.store(seconds(left), SeqCst);
            world.views[1].precision_ns.store(seconds(right), SeqCst);
            for n in 0..5 {
                world.left().put(&format!("left {n}"), b"left");
                world.disk.advance(700_000_000);
                world.right().put(&format!("right {n}"), b"right");
            }
            world.settle();
            world.sync(&how).unwrap();
            world.disk.advance(10 * SECOND as u64);
            let second = world.sync(&how).unwrap();
            assert!(second.counts.is_quiet() && second.bytes == 0, "{left} and {right} s, {how:?}: {second:?}");
        }
    }
}

/// A file is edited, looked at, edited again to the same size within one tick of the disk's clock, and meanwhile the
/// machine's clock is set back by an hour.
#[test]
fn a_same_size_edit_is_found_though_the_clock_was_set_back_during_the_run() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for by in [-HOUR, -30 * SECOND, HOUR] {
            let how = options(mode, None);
            let world = agreed(&how, |_| {});
            let coarse = 10_000_000;
            world.views[0].precision_ns.store(coarse, SeqCst);
            world.left().put("dir/b", b"new");
            world.settle();
            let engine = world.engine();
            let (disk, views, ahead) = (world.disk.clone(), world.views.clone(), Arc::clone(&world.ahead_ns));
            let mut seen = 0;
            // When the first directory is listed the clock is set, for the engine as for the disks, and the file written.
            engine.disk.rule(move |call| {
                seen += u32::from(call.op == Op::ReadDir);
                if call.op == Op::ReadDir && seen == 1 {
                    ahead.fetch_add(by, SeqCst);
                    for view in &views {
                        view.shift_ns.fetch_add(by, SeqCst);
                    }
                    disk.advance(coarse - disk.now_ns() % coarse);
                    crate::engine::tree::Tree::at(&disk, crate::engine::LEFT).put("a", b"second");
                }
                None
            });
            engine.sync(&how).unwrap();
            engine.end();
            let tick = world.left().all()["a"].mtime.unwrap().nanos / coarse as u32;
            world.left().put("a", b"third.");
            let after = world.left().all()["a"].mtime.unwrap();
            if after.nanos / coarse as u32 != tick {
                let within = portbook::model::Timestamp { nanos: tick * coarse as u32, ..after };
                world.left().touch("a", within);
            }
            world.settle();
            world.sync(&how).unwrap();
            assert_eq!(world.right().all()["a"].content, b"third.", "{mode:?}, set by {by} ns");
        }
    }
}

/// What lies in the trash for 30 days is not thrown away because one run took place at a wrong time.
#[test]
fn one_run_at_a_wrong_time_empties_no_trash() {
    let how = options(SyncMode::Bidirectional, None);
    let world = agreed(&how, |_| {});
    world.left().remove("a");
    world.settle();
    assert_eq!(world.sync(&how).unwrap().counts.deleted, 1);
    world.disk.advance(10 * SECOND as u64);
    let in_trash = |world: &World| {
        world.right().all().iter().filter(|(p, i)| p.starts_with(".portbook/trash/") && i.kind == Kind::File).count()
    };
    assert_eq!(in_trash(&world), 1);
    world.ahead_ns.store(365 * DAY, SeqCst);
    world.left().put("new", b"new");
    world.settle();
    assert!(world.sync(&how).unwrap().is_in_step());
    assert_eq!(in_trash(&world), 1, "a year ahead for one run");
    world.ahead_ns.store(0, SeqCst);
    world.left().put("newer", b"newer");
    world.settle();
    assert!(world.sync(&how).unwrap().is_in_step());
    assert_eq!(in_trash(&world), 1, "and right again");
    // 31 days that did pass.
    for n in 0..2 {
        world.disk.advance((31 * DAY) as u64);
        world.left().put(&format!("later {n}"), b"later");
        world.settle();
        assert!(world.sync(&how).unwrap().is_in_step());
    }
    assert_eq!(in_trash(&world), 0, "after 31 days and another run");
}

/// A preview is of one clock: what the machine that holds the book thinks of the time is nobody's concern.
#[test]
fn an_engine_whose_clock_is_hours_behind_its_book_can_sync() {
    for ahead in [-40 * 365 * DAY, -DAY, DAY, 40 * 365 * DAY] {
        let how = options(SyncMode::Mirror, None);
        let world = agreed(&how, |_| {});
        world.ahead_ns.store(ahead, SeqCst);
        world.left().put("a", b"edited");
        world.settle();
        let engine = world.engine();
        let conduit = engine.connect(&how).unwrap();
        let preview = portbook::wait(conduit.preview(Default::default())).unwrap();
        let report = portbook::wait(conduit.apply(preview.id, confirmed()).finish()).unwrap();
        engine.end();
        assert!(report.is_in_step(), "{ahead}: {report:?}");
        assert_eq!(world.right().all()["a"].content, b"edited", "{ahead}");
    }
}
