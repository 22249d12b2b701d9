//! One call of the disk fails, or all calls of a kind: the run says so, nothing is lost, nothing is half there, and a
//! run without faults brings both sides into step.
//!
//! `PORTBOOK_FAULT_POINTS` is `full`, or how many calls of each story are tried with each error.

use std::collections::BTreeSet;

use portbook::Code;
use portbook::provider::simulation::{Call, Fault, FaultDisk, ModelDisk, Op};

use crate::engine::tree::{contents, leftovers, visible};
use crate::engine::{World, at_rest, differences, lost, without_stamps};
use crate::points::{Budget, Told, scattered, tell};
use crate::scenarios;

const EIO: i32 = 5;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

fn story(name: &str) -> Told {
    let found = scenarios::all().into_iter().find(|s| s.name == name).expect("a scenario of this name");
    tell(found).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"))
}

/// Runs the story once with these faults, looks, and then without.
fn with_faults(
    told: &Told,
    what: &str,
    arm: impl FnOnce(&FaultDisk<ModelDisk>),
) -> (portbook::Result<()>, Vec<String>) {
    let options = &told.scenario.options[1];
    let world = told.world.twin();
    let engine = world.engine();
    let outcome = engine.connect(options).and_then(|conduit| {
        arm(&engine.disk);
        portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish())
    });
    let tidy = engine.open_intents() == 0;
    engine.end();
    let after = world.trees();
    let mut wrong = lost(&told.agreed, &told.before, &after);
    let known: BTreeSet<Vec<u8>> = contents(told.before.iter().chain(&told.agreed));
    for tree in &after {
        let half = visible(tree).into_iter().filter(|(_, i)| !i.content.is_empty() && !known.contains(&i.content));
        wrong.extend(half.map(|(path, item)| format!("half there: {path}: {item:?}")));
        if tidy {
            wrong.extend(leftovers(tree).into_iter().map(|path| format!("left over and no intent: {path}")));
        }
    }
    world.disk.advance(10_000_000_000);
    wrong.extend(world.converge(options).err());
    let trees = world.trees();
    wrong.extend(lost(&told.agreed, &told.before, &trees));
    wrong.extend(at_rest(&world));
    // An unseen half of a move makes it a deletion and a new item: both places may have it in the end.
    let sides = if told.scenario.name.contains("moved apart") { 0..0 } else { 0..2 };
    for side in sides {
        let (end, now) = (without_stamps(&visible(&told.end[side])), without_stamps(&visible(&trees[side])));
        wrong.extend(differences("without the fault and with it", &end, &now));
    }
    if !wrong.is_empty() {
        wrong.insert(0, format!("{}: {what}: {outcome:?}", told.scenario.name));
    }
    (outcome.map(|_| ()), wrong)
}

/// How many calls the story makes.
fn calls(told: &Told) -> u64 {
    let world = told.world.twin();
    let engine = world.engine();
    let conduit = engine.connect(&told.scenario.options[1]).unwrap();
    let before = engine.disk.calls();
    portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish()).unwrap();
    let calls = engine.disk.calls() - before;
    engine.end();
    calls
}

fn every_call(names: &[&str], errors: &[i32]) {
    let most = match std::env::var("PORTBOOK_FAULT_POINTS").as_deref() {
        Ok("full") => u64::MAX,
        Ok(n) => n.parse().expect("PORTBOOK_FAULT_POINTS is `full` or a number"),
        Err(_) => 8,
    };
    let only = std::env::var("PORTBOOK_CRASH_ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    let (budget, mut left) = (Budget::begin(), names.len());
    for name in names.iter().filter(|name| name.contains(&only)) {
        let budget = budget.share(left);
        left -= 1;
        let told = story(name);
        let all = calls(&told);
        let step = (all / most).max(1);
        let (mut tried, mut failed) = (0, 0);
        for (turn, errno) in errors.iter().enumerate() {
            let budget = budget.share(errors.len() - turn);
            let points: Vec<u64> = (1..=all).skip(turn * step as usize / errors.len()).step_by(step as usize).collect();
            for (done, at) in scattered(points.clone()).into_iter().enumerate() {
                if budget.is_spent() {
                    let left = points.len() - done;
                    println!("NOT TRIED: {name}: {left} of {} calls with {errno}: the time was over", points.len());
                    break;
                }
                let (_, wrong) = with_faults(&told, &format!("call {at} of {all} fails with {errno}"), |disk| {
                    disk.fail_at(disk.calls() + at, *errno);
                });
                tried += 1;
                if !wrong.is_empty() {
                    failed += 1;
                    failures.push(wrong);
                }
            }
        }
        println!("{name}: {all} calls, {tried} faults, {failed} failed");
    }
    assert!(failures.is_empty(), "{} failures, the first: {:#?}", failures.len(), &failures[..failures.len().min(6)]);
}

#[test]
fn no_call_that_fails_once_loses_anything_in_a_mirror() {
    let names =
        ["mirror: first run", "mirror: updates", "mirror: moves", "mirror: kinds", "exact: the target was edited"];
    every_call(&names, &[EIO, ENOSPC, EACCES, EMFILE, EROFS]);
}

#[test]
fn no_call_that_fails_once_loses_anything_in_both_directions() {
    let names = [
        "both: swaps",
        "both: quarrel, keep both",
        "both: moved apart",
        "both: kinds apart, keep both",
        "both: deletes",
    ];
    every_call(&names, &[EIO, ENOSPC, EACCES, EMFILE, EROFS]);
}

fn every_story(what: &str, arm: impl Fn(&FaultDisk<ModelDisk>) + Copy, said: impl Fn(&portbook::Result<()>) -> bool) {
    let mut failures = Vec::new();
    for scenario in scenarios::all() {
        let name = scenario.name;
        let told = tell(scenario).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
        let (outcome, mut wrong) = with_faults(&told, what, arm);
        if !said(&outcome) {
            wrong.push(format!("{name}: {what}: it said {outcome:?}"));
        }
        if !wrong.is_empty() {
            failures.push(wrong);
        }
    }
    assert!(failures.is_empty(), "{} failures, the first: {:#?}", failures.len(), &failures[..failures.len().min(6)]);
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let arm = |disk: &FaultDisk<ModelDisk>| {
        disk.fail_when(|c| matches!(c.op, Op::Write | Op::Create | Op::MakeDir | Op::Link | Op::Symlink), ENOSPC);
    };
    every_story("the disk is full", arm, |o| o.as_ref().err().is_none_or(|e| e.code() == Code::Quota));
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_write_publishes_no_half_file() {
    let arm = |disk: &FaultDisk<ModelDisk>| {
        let mut writes = 0;
        disk.rule(move |c| {
            writes += u32::from(c.op == Op::Write);
            (c.op == Op::Write && writes > 2).then_some(Fault::HalfThen(ENOSPC))
        });
    };
    every_story("the disk fills up", arm, |o| o.as_ref().err().is_none_or(|e| e.code() == Code::Quota));
}

#[test]
fn a_disk_that_turns_read_only_is_said_and_changes_nothing() {
    let arm = |disk: &FaultDisk<ModelDisk>| disk.fail_when(|c| c.op.is_effect(), EROFS);
    every_story("the disk is read-only", arm, |_| true);
}

#[test]
fn a_failed_sync_is_never_repeated_and_what_it_was_for_is_written_again() {
    for op in [Op::SyncFile, Op::SyncDir, Op::SyncAll] {
        let arm = move |disk: &FaultDisk<ModelDisk>| {
            let mut failed = false;
            disk.fail_when(move |c| c.op == op && !std::mem::replace(&mut failed, c.op == op), EIO);
        };
        every_story(&format!("the first {op:?} fails"), arm, |_| true);
    }
}

/// The look at what was just moved fails: it is said to have failed, and is done.
#[test]
fn what_was_done_although_its_call_failed_leaves_no_row_that_hangs_nowhere() {
    let arm = |disk: &FaultDisk<ModelDisk>| {
        let mut renamed = false;
        disk.fail_when(move |c| std::mem::replace(&mut renamed, c.op == Op::Rename) && c.op == Op::StatAt, EACCES);
    };
    every_story("the look after every rename fails", arm, |_| true);
}

#[test]
fn what_a_failed_transfer_could_not_clean_up_is_cleaned_up_by_the_next_run() {
    for name in ["mirror: first run", "mirror: updates", "both: updates"] {
        let told = story(name);
        for errno in [EIO, EACCES] {
            let (_, wrong) = with_faults(&told, &format!("writes fail, and unlinking with {errno}"), |disk| {
                let mut writes = 0;
                disk.fail_when(
                    move |call| {
                        writes += u32::from(call.op == Op::Write);
                        (call.op == Op::Write && writes == 2) || call.op == Op::Unlink
                    },
                    errno,
                );
            });
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

#[test]
fn short_writes_and_interruptions_are_not_seen() {
    let arm = |disk: &FaultDisk<ModelDisk>| {
        disk.rule(|c| (c.op == Op::Write).then_some(Fault::Short(4_097)));
        let mut turn = 0;
        let interrupted = move |_: &Call<'_>| {
            turn += 1;
            turn % 3 == 0
        };
        disk.fail_when(interrupted, 4);
    };
    every_story("short writes", arm, Result::is_ok);
}

/// Errors of reads and listings at random: what could not be seen is not deleted.
#[test]
fn what_cannot_be_read_is_never_deleted() {
    let mut failures = Vec::new();
    for name in [
        "mirror: deletes",
        "both: deletes",
        "mirror: quarrel",
        "both: moved apart",
        "exact: the target was edited",
        "aliases, mirror: moves",
        "aliases, both: moves",
    ] {
        let told = story(name);
        for seed in 0..12_u64 {
            let (_, wrong) = with_faults(&told, &format!("reads fail, seed {seed}"), |disk| {
                let mut state = seed * 7919 + 1;
                disk.fail_when(
                    move |c| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        !c.op.is_effect() && c.op != Op::Lock && (state >> 33) % 8 == 0
                    },
                    if seed % 2 == 0 { EIO } else { EACCES },
                );
            });
            if !wrong.is_empty() {
                failures.push(wrong);
            }
        }
    }
    assert!(failures.is_empty(), "{} failures, the first: {:#?}", failures.len(), &failures[..failures.len().min(6)]);
}

/// As above, and everything beneath the one unreadable directory is still there.
#[test]
fn an_unreadable_directory_keeps_everything_beneath_it() {
    let told = story("mirror: deletes");
    for op in [Op::OpenDir, Op::ReadDir, Op::ReadEntry, Op::StatAt] {
        let world: World = told.world.twin();
        let engine = world.engine();
        let conduit = engine.connect(&told.scenario.options[1]).unwrap();
        engine.disk.fail_when(move |c| c.op == op && (op != Op::OpenDir || c.name == b"docs"), EACCES);
        let _ = portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish());
        engine.end();
        let [_, right] = world.trees();
        let gone: Vec<_> =
            told.before[1].keys().filter(|p| p.starts_with("docs/") && !right.contains_key(*p)).collect();
        assert!(gone.is_empty(), "{op:?}: deleted beneath what could not be read: {gone:?}");
    }
}

/// Where a file took the place of a directory, what the directory holds decides: one look at it that fails does not.
#[test]
fn a_directory_that_a_file_replaced_does_not_come_back_for_a_listing_that_failed_once() {
    let told = story("both: kinds apart, keep both");
    let mut failures = Vec::new();
    for op in [Op::OpenDir, Op::ReadDir, Op::ReadEntry] {
        for nth in 1..=16 {
            let (_, wrong) = with_faults(&told, &format!("{op:?} number {nth} fails"), |disk| {
                let mut seen = 0;
                let is_nth = move |call: &Call<'_>| {
                    seen += u32::from(call.op == op);
                    call.op == op && seen == nth
                };
                disk.fail_when(is_nth, EIO);
            });
            failures.extend((!wrong.is_empty()).then_some(wrong));
        }
    }
    assert!(failures.is_empty(), "{} failures, the first: {:#?}", failures.len(), &failures[..failures.len().min(3)]);
}
