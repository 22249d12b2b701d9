//! Conflicts that wait for a person: listed, noted, met again, and closed once they are gone.

use std::path::Path;
use std::sync::Arc;

use portbook::conduit::{Choice, Conduit, ConduitOptions, Inspection, Place};
use portbook::model::{Name, Resolution, Side, SyncMode, WaitReason};
use portbook::operation::ChangeFilter;
use portbook::provider::local::Local;
use portbook::provider::simulation::{ModelDisk, ModelOptions};
use portbook::{Code, wait};

use crate::world::{World, apply, claims, preview, sync};

claims! {
    names_that_the_target_cannot_tell_apart_wait_until_one_is_renamed
    a_renamed_item_comes_to_both_sides_and_the_conflict_is_closed_with_who_when_and_how
    what_the_other_side_lacks_goes_when_its_state_counts
    both_are_kept_under_a_conflict_name
    a_decision_about_what_has_changed_since_is_taken_back_and_the_conflict_waits
    a_decision_is_about_what_was_looked_at
    a_second_decision_takes_the_place_of_the_first_until_it_is_carried_out
    what_cannot_be_decided_here_is_refused
    a_conflict_of_another_conduit_is_unknown
    what_is_not_ticked_is_not_carried_out_and_stays_decided
    a_name_that_is_taken_by_then_is_not_given
    a_directory_is_renamed_with_everything_in_it
    open_conflicts_come_in_pages_the_latest_first
    the_reversed_handle_shows_and_decides_the_same_conflict_from_its_side
    a_file_against_a_directory_that_may_not_go_is_decided_each_way
}

/// A conduit to a disk that folds case, on which `Name` and `name` are one.
fn folding(world: &World) -> Conduit {
    world.write("a/Name", 1);
    world.write("a/name", 2);
    world.write("a/other", 3);
    let [source, target] = ends(world);
    wait(world.session.connect(source, target, two_way())).unwrap()
}

fn two_way() -> ConduitOptions {
    ConduitOptions { mode: SyncMode::Bidirectional, ..ConduitOptions::default() }
}

/// A folder, and a new disk that folds case.
fn ends(world: &World) -> [Place; 2] {
    let disk = ModelDisk::new(ModelOptions { case_insensitive: true, ..ModelOptions::default() });
    let target = Local::open_on(Arc::new(disk), Path::new("/")).unwrap();
    [world.place("a"), Place::Provider { key: "disk".into(), provider: Arc::new(target) }]
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn rename(side: Side, to: &str) -> Choice {
    Choice::Rename { side, name: name(to) }
}

/// The only conflict that waits.
fn only(conduit: &Conduit) -> Inspection {
    let waiting = wait(conduit.conflicts(None, 10)).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    wait(conduit.inspect_conflict(waiting[0].id)).unwrap()
}

fn decide(conduit: &Conduit, choice: Choice) -> i64 {
    let conflict = only(conduit).conflict;
    wait(conduit.resolve_conflict(conflict.id, &conflict.mark, choice)).unwrap();
    conflict.id
}

fn how(conduit: &Conduit, id: i64) -> Option<Resolution> {
    wait(conduit.inspect_conflict(id)).unwrap().conflict.resolution
}

fn names_that_the_target_cannot_tell_apart_wait_until_one_is_renamed(world: &World) {
    let conduit = folding(world);
    let report = sync(&conduit);
    assert!(report.waiting > 0 && !report.is_in_step(), "{report:?}");
    let waiting = wait(conduit.conflicts(None, 10)).unwrap();
    assert_eq!(waiting.len() as u64, report.waiting);
    assert!(waiting.iter().all(|c| c.path.to_string().eq_ignore_ascii_case("name")), "{waiting:?}");
    // A second run meets the same ones and lists each once.
    let again = sync(&conduit);
    assert_eq!((again.waiting, again.is_in_step()), (report.waiting, false));
    let told = wait(conduit.conflicts(None, 10)).unwrap();
    assert_eq!(told.iter().map(|c| c.id).collect::<Vec<_>>(), waiting.iter().map(|c| c.id).collect::<Vec<_>>());
    assert!(told.iter().all(|c| c.generation == 2));
    std::fs::rename(world.path("a/name"), world.path("a/renamed")).unwrap();
    let renamed = sync(&conduit);
    assert!(renamed.is_in_step(), "{renamed:?}");
    assert!(wait(conduit.conflicts(None, 10)).unwrap().is_empty());
    assert!(sync(&conduit).counts.is_quiet());
}

fn a_renamed_item_comes_to_both_sides_and_the_conflict_is_closed_with_who_when_and_how(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let Inspection { conflict, base, choices } = only(&conduit);
    assert_eq!((conflict.reason, conflict.side), (WaitReason::NameCollision, Some(Side::Right)));
    assert!(conflict.seen.left.is_some() && conflict.seen.right.is_none() && base.is_none(), "{conflict:?}");
    assert_eq!(choices, [Resolution::Destination, Resolution::Both, Resolution::RenameSource]);
    let id = decide(&conduit, rename(Side::Left, "second"));
    let decided = only(&conduit).conflict;
    assert_eq!(decided.choice, Some(rename(Side::Left, "second")));

    let plan = preview(&conduit);
    let changes = world.changes(plan, ChangeFilter::default());
    let shown: Vec<_> = changes.iter().map(|c| (c.path.to_string(), c.action, c.decides, c.follows)).collect();
    let expected = [("move", false), ("transfer", true)];
    assert_eq!(shown, expected.map(|(action, follows)| ("second".to_owned(), action, Some(id), follows)));
    let report = apply(&conduit, plan);
    assert!(report.is_in_step() && report.counts.conflicts == 1, "{report:?}");
    assert_eq!(world.tree("a"), ["Name", "other", "second"]);
    assert!(wait(conduit.conflicts(None, 10)).unwrap().is_empty());
    let closed = wait(conduit.inspect_conflict(id)).unwrap();
    assert!(closed.choices.is_empty());
    let closed = closed.conflict;
    assert_eq!(closed.resolution, Some(Resolution::RenameSource));
    assert_eq!((closed.choice, closed.decided_at), (decided.choice, decided.decided_at));
    assert!(closed.decided_by.is_some() && closed.resolved_at >= closed.decided_at, "{:?}", closed.resolved_at);
    assert!(sync(&conduit).counts.is_quiet());
}

fn what_the_other_side_lacks_goes_when_its_state_counts(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let id = decide(&conduit, Choice::KeepDestination);
    assert!(sync(&conduit).is_in_step());
    assert_eq!(world.tree("a"), ["Name", "other"]);
    assert_eq!(how(&conduit, id), Some(Resolution::Destination));
    // The loser is in the trash.
    let mut trash = vec![world.path("a/.portbook/trash")];
    let mut found = Vec::new();
    while let Some(dir) = trash.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { trash.push(path) } else { found.push(std::fs::read(path).unwrap()) }
        }
    }
    assert!(found.contains(&vec![2; 10]), "{found:?}");
}

fn both_are_kept_under_a_conflict_name(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let id = decide(&conduit, Choice::KeepBoth);
    assert!(sync(&conduit).is_in_step());
    let tree = world.tree("a");
    assert!(tree.len() == 3 && tree[1].starts_with("name (conflict left"), "{tree:?}");
    assert_eq!(how(&conduit, id), Some(Resolution::Both));
    assert!(sync(&conduit).counts.is_quiet());
}

fn a_decision_about_what_has_changed_since_is_taken_back_and_the_conflict_waits(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let id = decide(&conduit, Choice::KeepDestination);
    world.write("a/name", 7);
    std::fs::write(world.path("a/name"), b"the work of an hour").unwrap();
    let report = sync(&conduit);
    assert_eq!((report.waiting, report.counts.conflicts), (1, 0));
    assert_eq!(world.tree("a"), ["Name", "name", "other"]);
    let waits = only(&conduit).conflict;
    assert_eq!((waits.id, &waits.choice, waits.decided_at, waits.resolution), (id, &None, None, None));
    assert!(waits.note.as_ref().is_some_and(|note| note.contains("not as it was")), "{:?}", waits.note);
    // What it is now can be decided about.
    decide(&conduit, rename(Side::Left, "second"));
    assert!(sync(&conduit).is_in_step());
    assert_eq!(how(&conduit, id), Some(Resolution::RenameSource));
}

fn a_decision_is_about_what_was_looked_at(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let looked = only(&conduit).conflict;
    std::fs::write(world.path("a/name"), b"the work of an hour").unwrap();
    sync(&conduit);
    let late = wait(conduit.resolve_conflict(looked.id, &looked.mark, Choice::KeepDestination)).unwrap_err();
    assert_eq!(late.code(), Code::Stale);
    sync(&conduit);
    assert_eq!(world.tree("a"), ["Name", "name", "other"]);
}

fn a_second_decision_takes_the_place_of_the_first_until_it_is_carried_out(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let id = decide(&conduit, Choice::KeepDestination);
    assert_eq!(decide(&conduit, rename(Side::Left, "second")), id);
    let mark = only(&conduit).conflict.mark;
    sync(&conduit);
    assert_eq!(world.tree("a"), ["Name", "other", "second"]);
    let again = wait(conduit.resolve_conflict(id, &mark, Choice::KeepBoth)).unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
}

fn what_cannot_be_decided_here_is_refused(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let conflict = only(&conduit).conflict;
    let same = rename(Side::Left, "name");
    for choice in [Choice::KeepSource, rename(Side::Right, "x"), same, rename(Side::Left, ".portbook")] {
        let refused = wait(conduit.resolve_conflict(conflict.id, &conflict.mark, choice.clone())).unwrap_err();
        assert_eq!(refused.code(), Code::Invalid, "{choice:?}");
    }
    assert_eq!(only(&conduit).conflict.choice, None);
}

fn a_conflict_of_another_conduit_is_unknown(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let conflict = only(&conduit).conflict;
    let other = world.mirror();
    for (conduit, id) in [(&other, conflict.id), (&conduit, conflict.id + 7)] {
        let foreign = wait(conduit.resolve_conflict(id, &conflict.mark, Choice::KeepDestination)).unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        assert_eq!(wait(conduit.inspect_conflict(id)).unwrap_err().code(), Code::NotFound);
    }
    assert!(wait(other.conflicts(None, 10)).unwrap().is_empty());
    assert_eq!(only(&conduit).conflict.choice, None);
}

fn what_is_not_ticked_is_not_carried_out_and_stays_decided(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    let id = decide(&conduit, Choice::KeepDestination);
    let plan = preview(&conduit);
    wait(world.session.tick_all(plan, ChangeFilter::default(), false)).unwrap();
    apply(&conduit, plan);
    assert_eq!(world.tree("a"), ["Name", "name", "other"]);
    assert_eq!(only(&conduit).conflict.choice, Some(Choice::KeepDestination));
    assert!(sync(&conduit).is_in_step());
    assert_eq!(how(&conduit, id), Some(Resolution::Destination));
}

fn a_name_that_is_taken_by_then_is_not_given(world: &World) {
    let conduit = folding(world);
    sync(&conduit);
    decide(&conduit, rename(Side::Left, "OTHER"));
    assert_eq!(sync(&conduit).waiting, 1);
    assert_eq!(world.tree("a"), ["Name", "name", "other"]);
    let waits = only(&conduit).conflict;
    assert!(waits.choice.is_none() && waits.note.is_some_and(|note| note.contains("taken")));
}

fn a_directory_is_renamed_with_everything_in_it(world: &World) {
    for (path, state) in [("a/Dir/x", 1), ("a/dir/x", 2), ("a/dir/deep/y", 3)] {
        world.write(path, state);
    }
    let [source, target] = ends(world);
    let conduit = wait(world.session.connect(source, target, two_way())).unwrap();
    sync(&conduit);
    decide(&conduit, rename(Side::Left, "second"));
    let report = sync(&conduit);
    assert!(report.is_in_step(), "{report:?}");
    assert_eq!(world.tree("a"), ["Dir", "Dir/x", "second", "second/deep", "second/deep/y", "second/x"]);
    // Both sides have all of it: nothing is left to be carried.
    assert!(sync(&conduit).counts.is_quiet());
    assert_eq!(report.bytes, 20);
}

fn open_conflicts_come_in_pages_the_latest_first(world: &World) {
    for n in 0..5 {
        world.write(&format!("a/F{n}"), 1);
        world.write(&format!("a/f{n}"), 2);
    }
    let [source, target] = ends(world);
    let conduit = wait(world.session.connect(source, target, two_way())).unwrap();
    sync(&conduit);
    let all = wait(conduit.conflicts(None, 100)).unwrap();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|a, b| a.id > b.id));
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = wait(conduit.conflicts(after, 2)).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        assert!(page.len() <= 2);
        pages.extend(page);
    }
    assert_eq!(pages, all);
}

fn the_reversed_handle_shows_and_decides_the_same_conflict_from_its_side(world: &World) {
    world.write("a/Name", 1);
    world.write("a/name", 2);
    let [source, target] = ends(world);
    let conduit = wait(world.session.connect(source.clone(), target.clone(), two_way())).unwrap();
    sync(&conduit);
    let reversed = wait(world.session.conduit(target, source)).unwrap();
    let there = only(&reversed);
    assert_eq!(there.conflict.side, Some(Side::Left));
    assert!(there.conflict.seen.right.is_some() && there.conflict.seen.left.is_none());
    assert_eq!(there.choices, [Resolution::Source, Resolution::Both, Resolution::RenameDestination]);
    let id = decide(&reversed, rename(Side::Right, "second"));
    assert_eq!(only(&conduit).conflict.choice, Some(rename(Side::Left, "second")));
    assert!(sync(&reversed).is_in_step());
    assert_eq!(world.tree("a"), ["Name", "second"]);
    assert_eq!(how(&conduit, id), Some(Resolution::RenameSource));
    assert_eq!(how(&reversed, id), Some(Resolution::RenameDestination));
}

/// A mirror's target has a stranger in a directory that became a file at the source.
fn a_file_against_a_directory_that_may_not_go_is_decided_each_way(world: &World) {
    let cases = [
        (Choice::KeepSource, &["x"][..], &["x"][..]),
        (Choice::KeepDestination, &["x", "x/known", "x/stranger"], &["x", "x/known", "x/stranger"]),
        (rename(Side::Left, "y"), &["x", "x/known", "x/stranger", "y"], &["x", "x/known", "x/stranger", "y"]),
    ];
    for (case, (choice, left, right)) in cases.into_iter().enumerate() {
        let (a, b) = (format!("a{case}"), format!("b{case}"));
        world.write(&format!("{a}/x/known"), 1);
        world.write(&format!("{b}/x/stranger"), 2);
        let options = ConduitOptions::default();
        let conduit = wait(world.session.connect(world.place(&a), world.place(&b), options)).unwrap();
        sync(&conduit);
        std::fs::remove_dir_all(world.path(&format!("{a}/x"))).unwrap();
        world.write(&format!("{a}/x"), 3);
        assert_eq!(sync(&conduit).waiting, 1, "{choice:?}");
        let looked = only(&conduit);
        assert!(looked.base.is_some() && looked.choices.contains(&Resolution::Both), "{looked:?}");
        let id = decide(&conduit, choice.clone());
        let report = sync(&conduit);
        assert_eq!((report.waiting, report.counts.failed), (0, 0), "{choice:?}: {report:?}");
        assert_eq!((world.tree(&a), world.tree(&b)), (strings(left), strings(right)), "{choice:?}");
        assert!(how(&conduit, id).is_some_and(|how| how != Resolution::Dropped), "{choice:?}");
        assert!(sync(&conduit).counts.is_quiet(), "{choice:?}");
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}
