//! The small world, enumerated completely (test 2.7): every agreed state and every state of both sides of one name,
//! under every mode and policy, and all pairs of names. What must be there afterwards is said by `oracle`.
//!
//! By default the pairs are sampled; `PORTBOOK_EXHAUSTIVE=1` runs them all, a larger number every so manieth.

use std::collections::{BTreeMap, BTreeSet};

use portbook::delta::{Change, ChangeKind};
use portbook::identity::ContentHash;
use portbook::model::{Kind, Side, Sides, SyncMode};

use crate::case::{BASES, Case, FEWER, SIDES, Triple, What, every_rule};
use crate::expected::{Filtered, Rules, STAMP, Shape};
use crate::world::{World, describe, effects, path};

/// What a check found, for a message that shows the case.
type Checked = Result<(), String>;

fn ensure(holds: bool, words: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(words()) }
}

/// What the worlds of a case went through.
struct Applied {
    before: World,
    after: World,
    changes: Vec<Change>,
    moved: bool,
    skipped: bool,
    kinds: [u64; 4],
}

/// What holds whatever the table says: no change is stale without a cause, what is unknown or left out is not touched,
/// nothing that the ledger did not know is lost, applying again does nothing, and the next run finds nothing to do.
fn lawful(case: &Case) -> Result<Applied, String> {
    let s = case.settings();
    let before = case.world();
    let plan = before.plan(&s);
    let mut after = before.clone();
    let outcome = after.apply(&plan.changes);
    ensure(outcome.stale.is_empty(), || format!("stale:\n{}", describe(&plan, &outcome)))?;
    ensure(!after.has_twins(), || "two rows for one place".into())?;
    let known: BTreeSet<_> = before.ledger.values().filter_map(|p| p.content).collect();
    let everything: BTreeSet<&[u8]> = Side::BOTH
        .iter()
        .flat_map(|s| after.trees[*s].items.values().map(|i| &i.content[..]))
        .chain(after.trash.iter().map(|c| &c[..]))
        .collect();
    for side in Side::BOTH {
        for (at, item) in &before.trees[side].items {
            ensure(
                item.kind == Kind::Dir
                    || known.contains(&ContentHash::of(&item.content))
                    || everything.contains(&item.content[..]),
                || format!("lost {at} of {side:?}"),
            )?;
            let name = at.name().expect("not the root").to_string();
            let tree = &before.trees[side];
            let unseen = tree.unlisted.contains(at) || tree.unreadable.iter().any(|u| at.is_within(u) && at != u);
            if unseen || case.rules.excludes(&name, item.kind == Kind::Dir) {
                // A directory that holds it may be moved with it.
                let is_there = after.trees[side].items.values().any(|i| i == item);
                ensure(is_there, || format!("touched {at} of {side:?}"))?;
            }
        }
    }
    for row in after.ledger.values() {
        let at = after.row_path(row).ok_or_else(|| format!("a row without its parent's: {}", row.name))?;
        let content =
            |side: Side| after.trees[side].items.get(&path(&at)).map(|i| (i.kind, ContentHash::of(&i.content)));
        let is_old = before.ledger.get(&row.id).is_some_and(|old| old.content == row.content && old.kind == row.kind);
        let agreed = content(Side::Left) == content(Side::Right) && content(Side::Left).is_some();
        ensure(is_old || agreed, || format!("the row of {at} is not what both sides have"))?;
    }
    let mut twice = after.clone();
    twice.apply(&plan.changes);
    // The ledger may let go of a row again (what is restored is forgotten first); it claims nothing anew.
    let claims_nothing = twice.ledger.iter().all(|(id, row)| after.ledger.get(id) == Some(row));
    let same = twice.trees == after.trees && twice.trash == after.trash && claims_nothing;
    ensure(same, || format!("applied twice: {:#?}\nonce: {:#?}", twice.trees, after.trees))?;
    let again = after.plan(&s);
    ensure(effects(&again).is_empty(), || format!("not quiet: {:#?}", effects(&again)))?;
    let skipped = plan.tally.skipped > 0 || plan.tally.count(ChangeKind::Skipped) > 0;
    ensure(skipped || again.changes.is_empty(), || format!("not quiet: {:#?}", again.changes))?;
    let count = |kind| plan.tally.count(kind);
    Ok(Applied {
        moved: count(ChangeKind::Moved) > 0 || plan.rounds > 1,
        skipped,
        kinds: [ChangeKind::New, ChangeKind::Updated, ChangeKind::Deleted, ChangeKind::Conflict].map(count),
        changes: plan.changes,
        before,
        after,
    })
}

/// What the table says is what is there.
fn as_the_table_says(case: &Case, applied: &Applied) -> Checked {
    let expected = case.expected();
    let after = &applied.after;
    let rows: BTreeSet<String> = after.ledger.values().filter_map(|r| after.row_path(r)).collect();
    let mut trash: Vec<String> = after.trash.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    trash.sort();
    for side in Side::BOTH {
        let shape = after.shape_text(side);
        ensure(shape == expected.trees[side], || format!("{side:?}: {shape:#?}\nnot {:#?}", expected.trees[side]))?;
    }
    ensure(rows == expected.rows, || format!("rows {rows:?}\nnot {:?}", expected.rows))?;
    ensure(trash == expected.trash, || format!("trash {trash:?}\nnot {:?}", expected.trash))?;
    let kinds = [expected.new, expected.updated, expected.deleted, expected.conflicts];
    ensure(applied.kinds == kinds, || {
        format!("counted {:?}\nnot {kinds:?} (new, updated, deleted, conflicts)", applied.kinds)
    })?;
    ensure(applied.skipped == expected.left_alone, || format!("skipped {}", applied.skipped))
}

/// Invariant I8. Which of two versions keeps the plain name is the source's privilege (it stands for the tie that
/// neither policy nor time decides), so the copies of one name are compared as a set.
fn symmetric(case: &Case, applied: &Applied) -> Checked {
    if case.rules.mode != SyncMode::Bidirectional {
        return Ok(());
    }
    let mut before = applied.before.clone();
    let flip = |w: &mut World| {
        std::mem::swap(&mut w.trees.left, &mut w.trees.right);
        for row in w.ledger.values_mut() {
            std::mem::swap(&mut row.held.left, &mut row.held.right);
        }
    };
    flip(&mut before);
    let plan = before.plan(&case.flipped().settings());
    let moved = applied.moved || plan.rounds > 1;
    // Where neither policy nor time names a side, the source's move is kept (the contract's "Moves and names").
    if moved && case.rules.winner().is_none() {
        return Ok(());
    }
    let outcome = before.apply(&plan.changes);
    let show = |words: String| format!("{words}\nmirrored plan:\n{}", describe(&plan, &outcome));
    flip(&mut before);
    let canonical = |shape: Shape| {
        let mut sets: BTreeMap<String, BTreeSet<(Kind, String)>> = BTreeMap::new();
        for (at, item) in shape {
            let plain =
                ["left", "right"].iter().fold(at, |at, side| at.replace(&format!(" (conflict {side} {STAMP})"), ""));
            sets.entry(plain).or_default().insert(item);
        }
        sets
    };
    for side in Side::BOTH {
        let (one, other) = (canonical(applied.after.shape_text(side)), canonical(before.shape_text(side)));
        ensure(one == other, || show(format!("mirrored {side:?}: {other:#?}\nnot {one:#?}")))?;
    }
    let counts = ChangeKind::ALL.map(|k| plan.tally.count(k));
    ensure(
        counts[..5]
            == ChangeKind::ALL.map(|k| applied.changes.iter().filter(|c| c.kind == k && !c.follows).count() as u64)
                [..5],
        || format!("mirrored counts {counts:?}"),
    )
}

/// Runs the checks over all cases and shows examples of each way in which they fail.
fn all(cases: impl Iterator<Item = Case>, check: impl Fn(&Case) -> Checked) {
    let mut failures: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    let (mut count, mut failed) = (0u64, 0u64);
    for case in cases {
        count += 1;
        if let Err(words) = check(&case) {
            failed += 1;
            let way = format!("{:?} {}", case.rules.mode, words.lines().next().unwrap_or_default());
            let (times, examples) = failures.entry(way).or_default();
            *times += 1;
            if examples.len() < 3 {
                let plan = case.world().plan(&case.settings());
                examples.push(format!("{case:?}\n{words}\nplan: {:#?}\n{:?}", effects(&plan), plan.tally));
            }
        }
    }
    println!("{count} worlds");
    for (way, (times, examples)) in &failures {
        println!("== {times} times: {way}\n{}\n", examples.join("\n"));
    }
    assert!(failed == 0, "{failed} of {count} worlds");
}

fn triples(sides: &'static [What]) -> impl Iterator<Item = Triple> + Clone {
    BASES.into_iter().flat_map(move |b| sides.iter().flat_map(move |l| sides.iter().map(move |r| (b, *l, *r))))
}

fn single(triple: Triple, rules: Rules, deep: bool) -> Case {
    Case { names: vec![("n", triple)], rules, deep, swapped: Sides::default(), shared: false }
}

/// Every so manieth pair of names is tried.
fn stride() -> usize {
    let asked = std::env::var("PORTBOOK_EXHAUSTIVE").ok();
    asked.map_or(199, |n| n.parse().unwrap_or(1).max(1))
}

#[test]
fn one_name_is_as_the_table_says_under_every_policy_and_mode() {
    let cases = [Filtered::No, Filtered::Yes, Filtered::Dirs].into_iter().flat_map(|filtered| {
        every_rule().into_iter().flat_map(move |rules| {
            let rules = Rules { excluded: [filtered, Filtered::No], ..rules };
            triples(&SIDES).flat_map(move |t| [false, true].map(|deep| single(t, rules, deep)))
        })
    });
    all(cases, |case| {
        let applied = lawful(case)?;
        as_the_table_says(case, &applied)?;
        symmetric(case, &applied)
    });
}

/// Two names: where nothing can have moved each is as if it were alone; where it can, the laws hold.
#[test]
fn pairs_of_names_are_lawful_and_independent_unless_moved() {
    let stride = stride();
    let rules = every_rule();
    let swaps = [(false, false), (true, false), (false, true), (true, true)];
    let pairs = triples(&FEWER).flat_map(|n| triples(&FEWER).map(move |m| (n, m)));
    let cases = pairs.enumerate().flat_map(|(i, (n, m))| {
        // Every rule meets every pair of a complete run; swaps and shared contents take turns.
        rules.iter().enumerate().filter_map(move |(j, rules)| {
            let number = i * 9 + j;
            if number % stride != 0 {
                return None;
            }
            let turn = (i + j) % 8;
            let (left, right) = swaps[turn % 4];
            Some(Case {
                names: vec![("m", m), ("n", n)],
                rules: *rules,
                deep: false,
                swapped: Sides::new(left, right),
                shared: turn >= 4,
            })
        })
    });
    let cases: Box<dyn Iterator<Item = Case>> = Box::new(cases.collect::<Vec<_>>().into_iter());
    all(cases, |case| {
        let applied = lawful(case)?;
        let cannot_move = !case.shared && case.swapped == Sides::default();
        if cannot_move {
            ensure(!applied.moved, || "a move out of nothing".into())?;
            as_the_table_says(case, &applied)?;
        }
        symmetric(case, &applied)
    });
}
