//! A crash at every side effect of a run, with whatever a power loss may leave of what was not durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

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

/// A scenario up to the run that is to crash, and how it ends when it does not.
pub struct Told {
    pub scenario: Scenario,
    pub world: World,
    pub agreed: [Items; 2],
    pub before: [Items; 2],
    effects: u64,
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
    let mut wrong: Vec<String> = lost(&told.agreed, &told.before, &after.trees());
    wrong.iter_mut().for_each(|w| w.insert_str(0, "right after the crash: "));
    after.disk.advance(10_000_000_000);
    if let Err(e) = after.converge(options) {
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
    wrong.extend(at_rest(&after));
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
    let mut failures: BTreeMap<&'static str, Vec<Vec<String>>> = BTreeMap::new();
    for (number, scenario) in scenarios::all().into_iter().enumerate() {
        if !pick(number) || !scenario.name.contains(&only) {
            continue;
        }
        let begun = Instant::now();
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
        for at in (1..=all).skip(number % step).step_by(step) {
            for loss in 0..losses {
                tried += 1;
                let wrong = crash(&told, at as u64, loss * 1_000 + at as u64 + number as u64);
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
