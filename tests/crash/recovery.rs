//! The run after a crash crashes too, or meets a disk that fails: the end is that of a run that nothing happened to.
//!
//! `PORTBOOK_RECOVERY_POINTS` is `full`, or how many first crashes of each scenario are tried and how many second ones
//! (or failing calls) after each.

use std::sync::Arc;
use std::time::Instant;

use portbook::provider::simulation::Switch;

use crate::engine::World;
use crate::points::{Budget, Told, finish, scattered, tell};
use crate::scenarios::{self, Scenario};

const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;

/// How many first crashes, and how many things that go wrong after each.
fn extent() -> (usize, usize) {
    match std::env::var("PORTBOOK_RECOVERY_POINTS").as_deref() {
        Ok("full") => (usize::MAX, usize::MAX),
        Ok(n) => {
            let n = n.parse().expect("PORTBOOK_RECOVERY_POINTS is `full` or a number");
            (n, n)
        }
        Err(_) => (2, 3),
    }
}

/// Evenly spread numbers from one to `all`, no more than `most`, beginning somewhere else each time.
fn spread(all: usize, most: usize, turn: usize) -> impl Iterator<Item = u64> {
    let step = (all / most.min(all.max(1)).max(1)).max(1);
    (1..=all as u64).skip(turn % step).step_by(step).take(most)
}

/// A run that dies at this effect, and what the loss leaves.
fn crashed(world: &World, told: &Told, at: u64, seed: u64) -> World {
    let switch = Arc::new(Switch::default());
    switch.crash_at(at);
    let engine = world.engine_with(switch);
    let _ = engine.sync(&told.scenario.options[1]);
    engine.end();
    let after = world.after_crash(seed);
    after.disk.advance(10_000_000_000);
    after
}

/// How many effects the run after the crash has, and how many calls it makes.
fn measure(world: &World, told: &Told) -> (usize, usize) {
    let switch = Arc::new(Switch::default());
    let twin = world.twin();
    let engine = twin.engine_with(switch.clone());
    let conduit = engine.connect(&told.scenario.options[1]).unwrap();
    let before = engine.disk.calls();
    let _ = portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish());
    let calls = engine.disk.calls() - before;
    engine.end();
    (switch.effects() as usize, calls as usize)
}

/// The run after the crash dies as well.
fn second_crash(world: &World, told: &Told, at: u64, seed: u64) -> Vec<String> {
    finish(told, &crashed(&world.twin(), told, at, seed))
}

/// One call of the run after the crash fails.
fn fault(world: &World, told: &Told, at: u64, errno: i32) -> Vec<String> {
    let twin = world.twin();
    let engine = twin.engine();
    if let Ok(conduit) = engine.connect(&told.scenario.options[1]) {
        engine.disk.fail_at(engine.disk.calls() + at, errno);
        let _ = portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish());
    }
    engine.end();
    twin.disk.settle();
    let mut wrong = finish(told, &twin);
    // In the middle of a ring of moves the old name and the new one of an item can both be taken: then it is brought to the
    // nearest free one, and stays there.
    wrong.retain(|w| !(w.contains("without the crash and with it") && w.contains(" (1): nothing and ")));
    if told.scenario.name.contains("moved apart") {
        // An unseen half of a move makes it a deletion and a new item: both places may have it in the end.
        wrong.retain(|w| !w.contains("without the crash and with it"));
    }
    wrong
}

fn campaign(
    pick: impl Fn(usize) -> bool,
    what: &str,
    go_wrong: impl Fn(&World, &Told, usize, Budget) -> Vec<Vec<String>>,
) {
    let (most, _) = extent();
    let only = std::env::var("PORTBOOK_CRASH_ONLY").unwrap_or_default();
    let budget = Budget::begin();
    let mut failures = Vec::new();
    let mut picked: Vec<(usize, Scenario)> = scenarios::all().into_iter().enumerate().collect();
    picked.retain(|(number, scenario)| pick(*number) && scenario.name.contains(&only));
    let mut left = picked.len();
    for (number, scenario) in picked {
        let (name, begun, budget) = (scenario.name, Instant::now(), budget.share(left));
        left -= 1;
        let told = tell(scenario).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
        let (mut first, mut tried, before) = (0, 0, failures.len());
        let all = told.effects as usize;
        let points: Vec<u64> = spread(all, most, number * 7).collect();
        for at in scattered(points.clone()) {
            if budget.is_spent() {
                println!(
                    "NOT TRIED: {name}: {} of {} first crashes: the time was over",
                    points.len() - first,
                    points.len()
                );
                break;
            }
            // Half of the worlds lose what was not durable, half only their process.
            let seed = if at % 2 == 0 { 3 } else { at * 4 + number as u64 * 4 };
            let world = crashed(&told.world.twin(), &told, at, seed);
            if !world.disk.is_clean() {
                world.disk.settle();
            }
            let wrong = go_wrong(&world, &told, first, budget);
            first += 1;
            for (turn, mut wrong) in wrong.into_iter().enumerate() {
                tried += 1;
                if !wrong.is_empty() {
                    wrong.insert(0, format!("{name}: crash at {at} of {all} (seed {seed}), then {what} {turn}"));
                    failures.push(wrong);
                }
            }
        }
        let failed = failures.len() - before;
        println!("{name}: {first} crashes, {tried} times {what}, {failed} failed, {:?}", begun.elapsed());
    }
    assert!(failures.is_empty(), "{} failures, the first: {:#?}", failures.len(), &failures[..failures.len().min(4)]);
}

fn crash_twice(pick: impl Fn(usize) -> bool) {
    campaign(pick, "a second crash", |world, told, turn, budget| {
        let (effects, _) = measure(world, told);
        let points = scattered(spread(effects, extent().1, turn).collect()).into_iter();
        let crash = |at| labelled(&format!("at effect {at}"), second_crash(world, told, at, at * 4 + turn as u64));
        points.take_while(|_| !budget.is_spent()).map(crash).collect()
    });
}

fn fail_after_crash(pick: impl Fn(usize) -> bool) {
    campaign(pick, "a failing call", |world, told, turn, budget| {
        let (_, calls) = measure(world, told);
        let most = extent().1;
        let errors = [EIO, EACCES, ENOSPC];
        // Every call with every error, or each of the few calls with one of them.
        let each = |at: u64| {
            let first = (at as usize + turn) % errors.len();
            let some = if most == usize::MAX { 0..errors.len() } else { first..first + 1 };
            errors[some].iter().map(move |errno| (at, *errno))
        };
        let points = scattered(spread(calls, most, turn * 5 + 1).collect()).into_iter().flat_map(each);
        let fail = |(at, errno)| labelled(&format!("call {at} fails with {errno}"), fault(world, told, at, errno));
        points.take_while(|_| !budget.is_spent()).map(fail).collect()
    });
}

fn labelled(what: &str, mut wrong: Vec<String>) -> Vec<String> {
    if !wrong.is_empty() {
        wrong.insert(0, what.to_owned());
    }
    wrong
}

#[test]
fn a_crash_of_the_run_after_a_crash_changes_nothing_about_the_end() {
    crash_twice(|number| number % 2 == 0);
}

#[test]
fn a_crash_of_the_run_after_a_crash_changes_nothing_about_the_end_either() {
    crash_twice(|number| number % 2 == 1);
}

#[test]
fn a_call_that_fails_in_the_run_after_a_crash_changes_nothing_about_the_end() {
    fail_after_crash(|number| number % 2 == 0);
}

#[test]
fn a_call_that_fails_in_the_run_after_a_crash_changes_nothing_about_the_end_either() {
    fail_after_crash(|number| number % 2 == 1);
}
