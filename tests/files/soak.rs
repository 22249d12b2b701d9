//! Long lives: one pair of trees and one book through many rounds of edits, in each of which the run may crash, meet calls
//! that fail or have its clock set. After each round nothing is lost and both sides come into step.
//!
//! `PORTBOOK_SOAK_MINUTES` is how long; without it, one short life that is the same every time. `PORTBOOK_SOAK_LIFE` is the
//! number of the first life, to live one again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use portbook::conduit::ConduitOptions;
use portbook::model::SyncMode;
use portbook::provider::simulation::{ModelOptions, Op, Switch};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::engine::World;
use crate::engine::tree::{Items, visible};
use crate::engine::{at_rest, lost};
use crate::histories::{Round, apart, apply, how, round, settle_down};

const ROUNDS: usize = 30;
const HOUR_NS: i64 = 3_600_000_000_000;

/// What befalls the first run of a round.
#[derive(Clone, Debug)]
enum Trouble {
    None,
    /// The process dies at this effect, and the disk loses what the seed says.
    Crash(u64, u64),
    /// One call in so many fails with this error.
    Faults(u64, i32, u64),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let errno = prop_oneof![Just(5), Just(13), Just(24), Just(28), Just(30)];
    prop_oneof![
        2 => Just(Trouble::None),
        3 => (1..120_u64, any::<u64>()).prop_map(|(at, seed)| Trouble::Crash(at, seed)),
        3 => (5..80_u64, errno, any::<u64>()).prop_map(|(one_in, errno, seed)| Trouble::Faults(one_in, errno, seed)),
    ]
}

#[derive(Default, Debug)]
struct Lived {
    lives: u64,
    rounds: u64,
    crashes: u64,
    faulty: u64,
    most_items: usize,
}

/// The first run of a round, and what it leaves of the world.
fn suffer(world: World, how: &ConduitOptions, trouble: &Trouble, lived: &mut Lived) -> World {
    match *trouble {
        Trouble::None => world,
        Trouble::Crash(at, seed) => {
            lived.crashes += 1;
            let switch = Arc::new(Switch::default());
            switch.crash_at(at);
            let engine = world.engine_with(switch);
            let _ = engine.sync(how);
            engine.end();
            let after = world.after_crash(seed);
            after.disk.advance(10_000_000_000);
            after
        }
        Trouble::Faults(one_in, errno, seed) => {
            lived.faulty += 1;
            let engine = world.engine();
            if let Ok(conduit) = engine.connect(how) {
                let mut state = seed;
                engine.disk.fail_when(
                    move |call| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        call.op != Op::Lock && (state >> 33) % one_in == 0
                    },
                    errno,
                );
                let _ = portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish());
            }
            engine.end();
            world.settle();
            world
        }
    }
}

fn live_one_round(
    mut world: World,
    how: &ConduitOptions,
    (round, trouble, ahead): &(Round, Trouble, i64),
    unique: &AtomicU64,
    agreed: &mut [Items; 2],
    lived: &mut Lived,
) -> Result<World, String> {
    world.ahead_ns.store(*ahead, SeqCst);
    round.left.iter().for_each(|edit| apply(&world.left(), edit, unique));
    world.disk.advance(5_000_000_000);
    round.right.iter().for_each(|edit| apply(&world.right(), edit, unique));
    world.settle();
    let before = world.trees();
    world = suffer(world, how, trouble, lived);
    let mut wrong = lost(agreed, &before, &world.trees());
    wrong.iter_mut().for_each(|w| w.insert_str(0, "right after the trouble: "));
    let runs = settle_down(&world, how)?;
    wrong.extend((runs > 3).then(|| format!("{runs} runs had something to do")));
    let after = world.trees();
    wrong.extend(lost(agreed, &before, &after));
    wrong.extend(at_rest(&world));
    let [left, right] = after.each_ref().map(visible);
    if how.mode == SyncMode::Mirror {
        wrong.extend((left != visible(&before[0])).then(|| "a mirror changed its source".to_owned()));
    } else {
        wrong.extend(apart(&left, &right));
    }
    lived.rounds += 1;
    lived.most_items = lived.most_items.max(left.len());
    *agreed = after;
    if wrong.is_empty() { Ok(world) } else { Err(format!("{wrong:#?}\nbefore: {before:#?}")) }
}

/// One life. Its number is its seed.
fn live(number: u64, until: Option<Instant>, lived: &mut Lived) {
    let config = Config { rng_seed: RngSeed::Fixed(number), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let how = how().new_tree(&mut runner).unwrap().current();
    let step = (round(false), trouble(), prop_oneof![4 => Just(0), 1 => -12 * HOUR_NS..12 * HOUR_NS]);
    let mut world = World::new(ModelOptions { recycle_inodes: number % 3 == 1, ..ModelOptions::default() });
    let unique = AtomicU64::new(0);
    let mut agreed = [Items::new(), Items::new()];
    for round in 0..ROUNDS {
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let step = step.new_tree(&mut runner).unwrap().current();
        world = live_one_round(world, &how, &step, &unique, &mut agreed, lived)
            .unwrap_or_else(|wrong| panic!("life {number}, round {round}, {how:?}, {step:#?}:\n{wrong}"));
    }
    lived.lives += 1;
}

#[test]
fn a_long_life_of_edits_crashes_and_faults_loses_nothing() {
    let minutes = std::env::var("PORTBOOK_SOAK_MINUTES").ok();
    let minutes = minutes.map(|n| n.parse::<u64>().expect("PORTBOOK_SOAK_MINUTES is a number"));
    let until = minutes.map(|n| Instant::now() + Duration::from_secs(n * 60));
    // Others each time when there is time; the first is printed with what it failed with.
    let named = std::env::var("PORTBOOK_SOAK_LIFE").ok();
    let named = named.map(|n| n.parse().expect("PORTBOOK_SOAK_LIFE is a number"));
    let first = named.unwrap_or_else(|| until.map_or(0, |_| u64::from(std::process::id()) * 1_000_000));
    let mut lived = Lived::default();
    let begun = Instant::now();
    for number in first.. {
        live(number, until, &mut lived);
        if until.is_none_or(|until| Instant::now() >= until) {
            break;
        }
    }
    println!(
        "SOAK: {} lives, {} rounds, {} crashes, {} runs with failing calls, at most {} items, {:.0?}",
        lived.lives,
        lived.rounds,
        lived.crashes,
        lived.faulty,
        lived.most_items,
        begun.elapsed()
    );
}
