//! A crash at every side effect of a run, with whatever a power loss may leave of what was not durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portbook::operation::RunReport;
use portbook::provider::simulation::Switch;

use crate::engine::tree::{Items, contents, visible};
use crate::engine::{World, at_rest, differences, lost, without_stamps};
use crate::scenarios::{self, Scenario};

/// How many points of each scenario, and how many losses at each.
fn extent() -> (usize, u64) {
    match std::env::var("PORTBOOK_CRASH_POINTS").as_deref() {
        Ok("full") => (usize::MAX, 4),
        Ok(n) => (n.parse().expect("PORTBOOK_CRASH_POINTS is `full` or a number"), 2),
        Err(_) => (16, 1),
    }
}

/// When a test is to end, where somebody said so.
#[derive(Clone, Copy)]
pub struct Budget(Option<Instant>);

impl Budget {
    pub fn begin() -> Self {
        let minutes = std::env::var("PORTBOOK_CRASH_MINUTES").ok();
        let minutes = minutes.map(|n| n.parse().expect("PORTBOOK_CRASH_MINUTES is a number"));
        Self(minutes.map(|n: u64| Instant::now() + Duration::from_secs(n * 60)))
    }

    /// The part of what is left for the first of so many.
    pub fn share(self, among: usize) -> Self {
        let now = Instant::now();
        Self(self.0.map(|end| now + end.saturating_duration_since(now) / among.max(1) as u32))
    }

    pub fn is_spent(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// All of them in an order that jumps about, so that a beginning of it is spread over the whole.
pub fn scattered(points: Vec<u64>) -> Vec<u64> {
    let all = points.len();
    let step =
        (all * 5 / 8..).find(|step| (2..=all).all(|n| !all.is_multiple_of(n) || !step.is_multiple_of(n))).unwrap_or(1);
    (0..all).map(|n| points[n * step % all]).collect()
}

/// A scenario up to the run that is to crash, and how it ends when it does not.
pub struct Told {
    pub scenario: Scenario,
    pub world: World,
    pub agreed: [Items; 2],
    pub before: [Items; 2],
    pub effects: u64,
    pub end: [Items; 2],
}

pub fn tell(scenario: Scenario) -> Result<Told, Vec<String>> {
    let ended = |what: &str, report: portbook::Result<RunReport>| match report {
        Ok(report) if report.is_in_step() => Ok(()),
        other => Err(vec![format!("{what}: {other:?}")]),
    };
    let mut world = World::new(scenario.disk);
    world.parts = scenario.parts;
    let mut agreed = [Items::new(), Items::new()];
    if let Some(base) = scenario.base {
        base(&world);
        world.settle();
        ended("the first run", world.sync(&scenario.options[0]))?;
        agreed = world.trees();
    }
    (scenario.edit)(&world);
    world.settle();
    let before = world.trees();
    let twin = world.twin();
    let switch = Arc::new(Switch::default());
    let engine = twin.engine_with(switch.clone());
    let report = engine.sync(&scenario.options[1]);
    engine.end();
    ended("without a crash", report)?;
    let end = twin.trees();
    let mut wrong = [lost(&agreed, &before, &end), at_rest(&twin)].concat();
    twin.disk.advance(10_000_000_000);
    wrong.extend(twin.converge(&scenario.options[1]).err());
    let moved_on = twin.trees();
    for side in 0..2 {
        wrong.extend(differences("the second run changed", &visible(&end[side]), &visible(&moved_on[side])));
    }
    wrong.iter_mut().for_each(|w| w.insert_str(0, "without a crash: "));
    let told = Told { scenario, world, agreed, before, effects: switch.effects(), end };
    if wrong.is_empty() { Ok(told) } else { Err(wrong) }
}

/// What is wrong in a world that was interrupted, now and after the runs that follow.
pub fn finish(told: &Told, after: &World) -> Vec<String> {
    let mut wrong: Vec<String> = lost(&told.agreed, &told.before, &after.trees());
    wrong.iter_mut().for_each(|w| w.insert_str(0, "right after the crash: "));
    after.disk.advance(10_000_000_000);
    if let Err(e) = after.converge(&told.scenario.options[1]) {
        wrong.push(e);
    }
    let trees = after.trees();
    wrong.extend(lost(&told.agreed, &told.before, &trees));
    for (side, what) in ["left", "right"].into_iter().enumerate() {
        let (end, now) = (without_stamps(&visible(&told.end[side])), without_stamps(&visible(&trees[side])));
        wrong.extend(differences(&format!("{what} without the crash and with it"), &end, &now));
    }
    let kept = contents(&trees);
    let heads = contents(&told.before);
    let gone = contents(&told.end).into_iter().filter(|c| heads.contains(c) && !kept.contains(c));
    wrong.extend(gone.map(|c| format!("kept without the crash: `{}`", c[..c.len().min(40)].escape_ascii())));
    wrong.extend(at_rest(after));
    wrong
}

/// What is wrong after a crash at this effect, this loss, and the runs that follow.
fn crash(told: &Told, at: u64, seed: u64) -> Vec<String> {
    let options = &told.scenario.options[1];
    let twin = told.world.twin();
    let switch = Arc::new(Switch::default());
    switch.crash_at(at);
    let engine = twin.engine_with(switch);
    let told_end = engine.sync(options);
    engine.end();
    let after = twin.after_crash(seed);
    let mut wrong = finish(told, &after);
    if !wrong.is_empty() {
        let end = told_end.map(|r| format!("{:?}", r.counts)).unwrap_or_else(|e| e.to_string());
        wrong.insert(
            0,
            format!("{}: crash at {at} of {}, seed {seed}, which ended: {end}", told.scenario.name, told.effects),
        );
    }
    wrong
}

fn campaign(pick: impl Fn(usize) -> bool) {
    let (most, losses) = extent();
    let only = std::env::var("PORTBOOK_CRASH_ONLY").unwrap_or_default();
    let budget = Budget::begin();
    let mut failures: BTreeMap<&'static str, Vec<Vec<String>>> = BTreeMap::new();
    let mut picked: Vec<(usize, Scenario)> = scenarios::all().into_iter().enumerate().collect();
    picked.retain(|(number, scenario)| pick(*number) && scenario.name.contains(&only));
    let mut left = picked.len();
    for (number, scenario) in picked {
        let (begun, budget) = (Instant::now(), budget.share(left));
        left -= 1;
        let name = scenario.name;
        let told = match tell(scenario) {
            Ok(told) => told,
            Err(wrong) => {
                println!("{name}: {wrong:#?}");
                failures.entry(name).or_default().push(wrong);
                continue;
            }
        };
        // One past the last: everything happened and nobody was told.
        let all = told.effects as usize + 1;
        let step = (all / most.min(all)).max(1);
        let mut tried = 0;
        let points: Vec<u64> = (1..=all as u64).skip(number % step).step_by(step).collect();
        for (done, at) in scattered(points.clone()).into_iter().enumerate() {
            if budget.is_spent() {
                println!("NOT TRIED: {name}: {} of {} effects: the time was over", points.len() - done, points.len());
                break;
            }
            for loss in 0..losses {
                tried += 1;
                let wrong = crash(&told, at, loss * 1_000 + at + number as u64);
                if !wrong.is_empty() {
                    failures.entry(name).or_default().push(wrong);
                }
            }
        }
        let failed = failures.get(name).map_or(0, Vec::len);
        println!("{}: {} effects, {tried} crashes, {failed} failed, {:?}", name, told.effects, begun.elapsed());
    }
    let shown: Vec<_> = failures.iter().map(|(name, all)| (name, all.len(), all.first())).collect();
    assert!(failures.is_empty(), "{shown:#?}");
}

#[test]
fn a_crash_at_any_effect_loses_nothing_and_the_next_runs_finish_the_work() {
    campaign(|number| number % 2 == 0);
}

#[test]
fn a_crash_at_any_effect_loses_nothing_and_the_next_runs_finish_the_work_too() {
    campaign(|number| number % 2 == 1);
}
