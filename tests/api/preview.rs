//! Previews: paged, filtered, ticked, applied as they stand, gone when their time is over.

use std::collections::BTreeSet;
use std::time::Duration;

use portbook::conduit::{ConduitOptions, Filters, PreviewOptions};
use portbook::delta::ChangeKind;
use portbook::model::{PreviewId, RelPath, SyncMode, Verify};
use portbook::operation::{ChangeFilter, ChangeId};
use portbook::{Code, wait};

use crate::world::{World, apply, claims, preview, sync};

claims! {
    pages_of_a_thousand_give_every_change_once_and_in_order
    a_filter_of_a_path_knows_siblings_that_only_begin_like_it
    a_filter_of_a_kind_lists_that_kind
    what_is_ticked_out_is_not_applied
    ticking_by_filter_and_back_again
    the_second_halves_of_a_decision_go_with_the_first
    a_preview_that_was_applied_cannot_be_ticked
    a_preview_ends_with_its_time_and_is_cleaned_up
    a_preview_lives_by_the_engines_clock_however_far_the_books_is
    a_preview_is_applied_and_the_conduit_remembers_what_it_did
    of_two_previews_made_at_once_each_is_whole_or_refused_as_a_conflict
    the_preview_of_another_session_is_unknown
}

fn under(path: &str) -> ChangeFilter {
    ChangeFilter { under: RelPath::parse(path.as_bytes()), ..ChangeFilter::default() }
}

fn of_kind(kind: ChangeKind) -> ChangeFilter {
    ChangeFilter { kind: Some(kind), ..ChangeFilter::default() }
}

fn paths(world: &World, id: PreviewId, filter: ChangeFilter) -> Vec<String> {
    let mut paths: Vec<String> = world.changes(id, filter).iter().map(|change| change.path.to_string()).collect();
    paths.sort();
    paths
}

fn pages_of_a_thousand_give_every_change_once_and_in_order(world: &World) {
    world.write_many(3_456);
    let id = preview(&world.mirror());
    let (mut sizes, mut seen, mut after): (Vec<usize>, Vec<ChangeId>, _) = (Vec::new(), Vec::new(), None);
    loop {
        // A page has a thousand at most, whatever is asked for.
        let page = wait(world.session.preview_changes(id, ChangeFilter::default(), after, 5_000)).unwrap();
        if page.is_empty() {
            break;
        }
        sizes.push(page.len());
        after = page.last().map(|change| change.id);
        seen.extend(page.iter().map(|change| change.id));
    }
    assert_eq!(sizes, [1000, 1000, 1000, 456]);
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 3_456);
    let summary = wait(world.session.preview(id)).unwrap();
    assert_eq!((summary.counts.new, summary.items, summary.bytes), (3_456, 3_456, 34_560));
}

fn a_filter_of_a_path_knows_siblings_that_only_begin_like_it(world: &World) {
    for name in ["a/b/x", "a/b/y/z", "a/b-c", "a/b.txt", "a/bc", "a/b!", "a/B/x"] {
        world.write(&format!("a/{name}"), 1);
    }
    let id = preview(&world.mirror());
    assert_eq!(paths(world, id, under("a/b")), ["a/b", "a/b/x", "a/b/y", "a/b/y/z"]);
    assert_eq!(paths(world, id, under("a/b/x")), ["a/b/x"]);
    assert_eq!(paths(world, id, under("a/b.txt")), ["a/b.txt"]);
    assert_eq!(paths(world, id, under("nothing")), Vec::<String>::new());
    assert_eq!(paths(world, id, under("")).len(), 11);
    // The pages of a filter are as full as those without.
    let page = wait(world.session.preview_changes(id, under("a/b"), None, 2)).unwrap();
    let rest = wait(world.session.preview_changes(id, under("a/b"), Some(page[1].id), 10)).unwrap();
    assert_eq!((page.len(), rest.len()), (2, 2));
}

fn a_filter_of_a_kind_lists_that_kind(world: &World) {
    for name in ["kept", "edited", "gone"] {
        world.write(&format!("a/{name}"), 1);
    }
    let conduit = world.mirror();
    sync(&conduit);
    std::fs::write(world.path("a/edited"), b"edited").unwrap();
    world.remove("a/gone");
    world.write("a/d/fresh", 2);
    let id = preview(&conduit);
    assert_eq!(paths(world, id, of_kind(ChangeKind::New)), ["d", "d/fresh"]);
    assert_eq!(paths(world, id, of_kind(ChangeKind::Updated)), ["edited"]);
    assert_eq!(paths(world, id, of_kind(ChangeKind::Deleted)), ["gone"]);
    assert_eq!(paths(world, id, ChangeFilter::default()), ["d", "d/fresh", "edited", "gone"]);
    let both = ChangeFilter { kind: Some(ChangeKind::New), under: RelPath::parse(b"d/fresh") };
    assert_eq!(paths(world, id, both), ["d/fresh"]);
}

fn what_is_ticked_out_is_not_applied(world: &World) {
    world.write_many(4);
    let conduit = world.mirror();
    let id = preview(&conduit);
    let changes = world.changes(id, ChangeFilter::default());
    assert!(changes.iter().all(|change| change.ticked));
    wait(world.session.tick(id, vec![changes[1].id, changes[2].id], false)).unwrap();
    wait(world.session.tick(id, vec![changes[2].id], true)).unwrap();
    let ticked: Vec<bool> = world.changes(id, ChangeFilter::default()).iter().map(|change| change.ticked).collect();
    assert_eq!(ticked, [true, false, true, true]);
    let report = apply(&conduit, id);
    assert_eq!((report.counts.new, report.counts.failed, report.bytes), (3, 0, 30));
    assert_eq!(world.tree("b"), ["f00000", "f00002", "f00003"]);
    assert_eq!(sync(&conduit).counts.new, 1, "what was left out is new to the next run");
}

fn ticking_by_filter_and_back_again(world: &World) {
    for name in ["d/x", "d/y", "d-e", "z"] {
        world.write(&format!("a/{name}"), 1);
    }
    let conduit = world.mirror();
    let id = preview(&conduit);
    let ticked = || -> Vec<String> {
        let all = world.changes(id, ChangeFilter::default());
        all.iter().filter(|change| change.ticked).map(|change| change.path.to_string()).collect()
    };
    wait(world.session.tick_all(id, ChangeFilter::default(), false)).unwrap();
    assert_eq!(ticked(), Vec::<String>::new());
    wait(world.session.tick_all(id, under("d"), true)).unwrap();
    assert_eq!(ticked().into_iter().collect::<BTreeSet<_>>(), ["d", "d/x", "d/y"].map(String::from).into());
    wait(world.session.tick_all(id, of_kind(ChangeKind::New), true)).unwrap();
    assert_eq!(ticked().len(), 5);
    wait(world.session.tick_all(id, under("d"), false)).unwrap();
    apply(&conduit, id);
    assert_eq!(world.tree("b"), ["d-e", "z"]);
}

fn the_second_halves_of_a_decision_go_with_the_first(world: &World) {
    world.write("a/x", 1);
    let conduit = world.in_mode(SyncMode::Bidirectional);
    sync(&conduit);
    std::fs::write(world.path("a/x"), b"edit at a").unwrap();
    std::fs::write(world.path("b/x"), b"edit at b, longer").unwrap();
    world.write("a/other", 1);
    let id = preview(&conduit);
    let conflict = world.changes(id, of_kind(ChangeKind::Conflict));
    let (leads, follows): (Vec<_>, Vec<_>) = conflict.iter().partition(|change| !change.follows);
    assert_eq!((leads.len(), follows.len()), (1, 2), "{conflict:?}");
    let refused = wait(world.session.tick(id, vec![follows[0].id], false)).unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    wait(world.session.tick(id, vec![leads[0].id], false)).unwrap();
    assert!(world.changes(id, of_kind(ChangeKind::Conflict)).iter().all(|change| !change.ticked));
    let report = apply(&conduit, id);
    assert_eq!((report.counts.new, report.counts.conflicts, report.counts.failed), (1, 0, 0));
    assert_eq!(std::fs::read(world.path("a/x")).unwrap(), b"edit at a");
    assert_eq!(std::fs::read(world.path("b/x")).unwrap(), b"edit at b, longer");
}

fn a_preview_that_was_applied_cannot_be_ticked(world: &World) {
    world.write_many(2);
    let conduit = world.mirror();
    let id = preview(&conduit);
    let change = world.changes(id, ChangeFilter::default())[0].id;
    apply(&conduit, id);
    assert_eq!(wait(world.session.tick(id, vec![change], false)).unwrap_err().code(), Code::Busy);
    assert_eq!(wait(world.session.tick_all(id, ChangeFilter::default(), false)).unwrap_err().code(), Code::Busy);
}

fn a_preview_ends_with_its_time_and_is_cleaned_up(world: &World) {
    world.write_many(5);
    let conduit = world.mirror();
    let short = PreviewOptions { lifetime: Duration::from_secs(60), ..PreviewOptions::default() };
    let id = wait(conduit.preview(short.clone())).unwrap().id;
    let usual = preview(&conduit);
    world.clock.advance(59);
    assert!(wait(world.session.preview(id)).is_ok());
    assert_eq!(wait(world.session.maintain()).unwrap().previews, 0);
    world.clock.advance(2);
    assert_eq!(wait(world.session.preview(id)).unwrap_err().code(), Code::NotFound);
    let page = world.session.preview_changes(id, ChangeFilter::default(), None, 10);
    assert_eq!(wait(page).unwrap_err().code(), Code::NotFound);
    let run = conduit.apply(id, Default::default());
    assert_eq!(wait(run.finish()).unwrap_err().code(), Code::NotFound);
    assert!(!world.path("b").exists());
    // The refused run has cleaned up already.
    assert_eq!(wait(world.session.maintain()).unwrap().previews, 0);
    world.clock.advance(3600);
    assert_eq!(wait(world.book.maintain()).unwrap().previews, 1);
    assert_eq!(wait(world.session.preview(usual)).unwrap_err().code(), Code::NotFound);
}

fn the_preview_of_another_session_is_unknown(world: &World) {
    let unknown = PreviewId(uuid::Uuid::now_v7());
    assert_eq!(wait(world.session.preview(unknown)).unwrap_err().code(), Code::NotFound);
    assert_eq!(
        wait(world.session.tick_all(unknown, ChangeFilter::default(), true)).unwrap_err().code(),
        Code::NotFound
    );
}

fn a_preview_lives_by_the_engines_clock_however_far_the_books_is(world: &World) {
    for (round, hours) in [-2, 5].into_iter().enumerate() {
        world.clock.advance(hours * 3600);
        world.write(&format!("a/{round}"), 1);
        let id = preview(&world.mirror());
        world.clock.advance(3599);
        assert_eq!(apply(&world.mirror(), id).counts.new, 1);
        world.write(&format!("a/{round}-later"), 1);
        let id = preview(&world.mirror());
        world.clock.advance(3601);
        assert_eq!(wait(world.session.preview(id)).unwrap_err().code(), Code::NotFound);
        assert_eq!(sync(&world.mirror()).counts.new, 1);
    }
}

/// Mode, policy and filters are the plan's own; applying it is no word about the next one.
fn a_preview_is_applied_and_the_conduit_remembers_what_it_did(world: &World) {
    world.write("a/x", 1);
    world.write("a/x.tmp", 1);
    let filters = Filters { exclude: vec!["*.tmp".into()], ..Filters::default() };
    let options = ConduitOptions { mode: SyncMode::Bidirectional, filters, verify: Verify::None, ..Default::default() };
    let id = preview(&world.conduit(options.clone()));
    let places = || (world.place("a"), world.place("b"));
    let conduit = wait(world.session.conduit_of(id, places().0, places().1)).unwrap();
    assert_eq!(apply(&conduit, id).counts.new, 1);
    assert_eq!(conduit.options().filters, options.filters);
    // Whoever asks for the conduit as it is gets it as it was.
    let conduit = wait(world.session.conduit(places().0, places().1)).unwrap();
    assert_eq!((conduit.options().mode, conduit.options().verify), (options.mode, options.verify));
    assert!(sync(&conduit).counts.is_quiet());
    assert_eq!(world.tree("b"), ["x"]);

    let unknown = wait(world.session.conduit(world.place("a"), world.place("c"))).err().unwrap();
    assert_eq!(unknown.code(), Code::NotFound);
    for (source, target) in [("a", "c"), ("b", "a")] {
        let other = wait(world.session.conduit_of(id, world.place(source), world.place(target))).err().unwrap();
        assert_eq!(other.code(), Code::Invalid, "{source} {target}");
    }
}

fn of_two_previews_made_at_once_each_is_whole_or_refused_as_a_conflict(world: &World) {
    world.write_many(500);
    let results: Vec<_> = std::thread::scope(|scope| {
        let looks = || scope.spawn(|| wait(world.mirror().preview(PreviewOptions::default())));
        let both = [looks(), looks()];
        both.map(|look| look.join().unwrap()).into_iter().collect()
    });
    let made: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert!(!made.is_empty(), "{results:?}");
    assert!(made.iter().all(|summary| summary.counts.new == 500), "{made:?}");
    let refused = results.iter().filter_map(|r| r.as_ref().err());
    refused.for_each(|error| assert_eq!(error.code(), Code::Conflict, "{error}"));
    assert_eq!(apply(&world.mirror(), made[0].id).counts.new, 500);
    assert!(sync(&world.mirror()).counts.is_quiet());
}
