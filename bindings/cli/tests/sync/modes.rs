//! Every mode, policy and option once, end to end.

use portbook::conduit::{ConduitOptions, Filters, Place};
use portbook::model::{ConflictPolicy, NameClash, SyncMode, Verify};
use portbook::provider::Bandwidth;
use portbook::{Book, BookOptions, wait};

use crate::world::{World, done};

const TWO_WAY: [&str; 5] = ["sync", "a", "b", "--mode", "bidirectional"];

fn two_way(more: &[&'static str]) -> Vec<&'static str> {
    [&TWO_WAY[..], more].concat()
}

/// Both sides have edited `x` since they agreed; the edit at `b` came later.
fn disputed() -> World {
    let world = World::with(&["x"]);
    world.ends(0, &TWO_WAY);
    world.write("a/x", "edit at a");
    world.write("b/x", "edit at b!");
    let hour = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let later = std::fs::File::options().write(true).open(world.path("b/x")).expect("it opens");
    later.set_modified(hour).expect("its time can be set");
    world
}

#[test]
fn a_mirror_overwrites_edits_at_the_target_and_leaves_strangers_alone() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    world.write("b/x", "edited at the target");
    world.write("b/stranger", "never synced");
    let report = world.json(0, &["sync", "a", "b"]);
    assert_eq!((done(&report), &report["skipped"]), ([0, 1, 0, 0, 0, 0, 1], &1.into()));
    assert_eq!(world.read("b/x").as_deref(), Some("x"));
    assert_eq!(world.read("b/stranger").as_deref(), Some("never synced"));
    assert!(holds(&world, "b/.portbook", "edited at the target"), "what nobody knew is in the trash");
}

/// Whether a file with that content lies somewhere beneath.
fn holds(world: &World, root: &str, content: &str) -> bool {
    world.stats(root).into_keys().any(|path| std::fs::read(path).is_ok_and(|bytes| bytes == content.as_bytes()))
}

#[test]
fn both_directions_carry_both_ways() {
    let world = World::with(&["from-a", "gone-at-b"]);
    world.write("b/from-b", "from-b");
    assert_eq!(done(&world.json(0, &TWO_WAY))[0], 3);
    world.remove("b/gone-at-b");
    world.write("b/from-b", "edited at b");
    assert_eq!(done(&world.json(0, &TWO_WAY)), [0, 1, 1, 0, 0, 0, 11]);
    assert_eq!((world.tree("a"), world.read("a/from-b")), (world.tree("b"), Some("edited at b".into())));
    assert_eq!(done(&world.json(0, &TWO_WAY)), [0; 7]);
}

#[test]
fn each_policy_decides_a_conflict_its_way_and_loses_nothing() {
    for (policy, kept) in
        [("source-wins", "edit at a"), ("destination-wins", "edit at b!"), ("latest-wins", "edit at b!")]
    {
        let world = disputed();
        let report = world.json(0, &two_way(&["--conflict", policy]));
        assert_eq!(report["conflicts"], 1, "{policy}: {report}");
        for side in ["a", "b"] {
            assert_eq!(world.read(&format!("{side}/x")).as_deref(), Some(kept), "{policy} at {side}");
        }
        for content in ["edit at a", "edit at b!"] {
            assert!(holds(&world, "a", content) || holds(&world, "b", content), "{policy} lost {content}");
        }
        assert_eq!(done(&world.json(0, &two_way(&["--conflict", policy]))), [0; 7], "{policy}");
    }
}

#[test]
fn keep_both_keeps_both_on_both_sides() {
    let world = disputed();
    let report = world.json(0, &TWO_WAY);
    assert_eq!(report["conflicts"], 1, "{report}");
    assert_eq!(world.tree("a"), world.tree("b"));
    assert_eq!(world.tree("a").len(), 2);
    for side in ["a", "b"] {
        assert!(holds(&world, side, "edit at a") && holds(&world, side, "edit at b!"), "{side}");
    }
    assert_eq!(done(&world.json(0, &TWO_WAY)), [0; 7]);
}

#[test]
fn selective_holds_what_is_included_and_lets_go_of_the_rest() {
    let selective = |include: &'static str| ["sync", "a", "b", "--mode", "selective", "--include", include];
    let world = World::with(&["x.jpg", "y.png", "d/z.jpg"]);
    assert_eq!(done(&world.json(0, &selective("*.jpg")))[0], 3, "two files and a directory");
    assert_eq!(world.tree("b"), ["d", "d/z.jpg", "x.jpg"]);
    let report = world.json(0, &selective("*.png"));
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(world.tree("b").into_iter().filter(|p| p.contains('.')).collect::<Vec<_>>(), ["y.png"]);
    assert_eq!(world.tree("a"), ["d", "d/z.jpg", "x.jpg", "y.png"]);
    assert_eq!(done(&world.json(0, &selective("*.png"))), [0; 7]);
}

#[test]
fn filters_choose_what_takes_part_and_a_changed_filter_deletes_nothing() {
    let world = World::with(&["x.rs", "y.txt", "target/z.rs", "d/w.rs"]);
    world.ends(0, &["sync", "a", "b", "--include", "*.rs", "--exclude", "target"]);
    assert_eq!(world.tree("b"), ["d", "d/w.rs", "x.rs"]);
    let narrowed = world.json(0, &["sync", "a", "b", "--include", "*.txt"]);
    assert_eq!(narrowed["deleted"], 0, "{narrowed}");
    assert!(world.path("b/x.rs").exists() && world.path("b/y.txt").exists());
    world.remove("a/x.rs");
    let excluded = world.json(0, &["sync", "a", "b", "--exclude", "x.rs"]);
    assert_eq!(excluded["deleted"], 0, "{excluded}");
    assert!(world.path("b/x.rs").exists(), "what is left out is not looked at");
}

#[test]
fn exact_without_a_ledger_asks_also_under_yes_unless_a_limit_allows_it() {
    let world = World::with(&["x"]);
    world.write("b/stranger", "never synced");
    for words in [&["sync", "a", "b", "--exact"][..], &["sync", "a", "b", "--exact", "--yes"]] {
        let ran = world.ends(3, words);
        ran.is_one_error("guard");
        ran.says("exact_without_ledger");
    }
    assert_eq!(world.tree("b"), ["stranger"]);
    let report = world.json(0, &["sync", "a", "b", "--exact", "--max-delete", "5"]);
    assert_eq!(done(&report), [1, 0, 1, 0, 0, 0, 1]);
    assert_eq!(world.tree("b"), ["x"]);
    assert!(holds(&world, "b/.portbook", "never synced"));
    world.write("b/another", "");
    assert_eq!(
        done(&world.json(0, &["sync", "a", "b", "--exact"])),
        [0, 0, 1, 0, 0, 0, 0],
        "with a ledger it need not ask"
    );
}

#[test]
fn the_limit_of_deletions_stops_a_run_before_it_does_anything() {
    let names: Vec<String> = (0..10).map(|i| format!("f{i}")).collect();
    let world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.ends(0, &["sync", "a", "b"]);
    for name in &names[..3] {
        world.remove(&format!("a/{name}"));
    }
    world.write("a/fresh", "fresh");
    let before = world.stats("b");
    for limit in ["2", "0", "20%"] {
        let ran = world.ends(3, &["sync", "a", "b", "--max-delete", limit]);
        ran.is_one_error("guard");
        ran.says("max_delete");
        assert_eq!(world.stats("b"), before, "{limit}");
    }
    assert_eq!(done(&world.json(0, &["sync", "a", "b", "--max-delete", "30%"])), [1, 0, 3, 0, 0, 0, 5]);
}

#[test]
fn the_default_limit_is_half_of_ten_items() {
    let names: Vec<String> = (0..10).map(|i| format!("f{i}")).collect();
    let world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.ends(0, &["sync", "a", "b"]);
    for name in &names[..6] {
        world.remove(&format!("a/{name}"));
    }
    world.ends(3, &["sync", "a", "b", "--yes"]).is_one_error("guard");
    assert_eq!(done(&world.json(0, &["sync", "a", "b", "--max-delete", "100%"]))[2], 6);
}

#[test]
fn checksum_finds_an_edit_that_size_and_time_hide() {
    let world = World::with(&["x"]);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    let set = |name: &str| {
        let file = std::fs::File::options().write(true).open(world.path(name)).expect("it opens");
        file.set_modified(old).expect("its time can be set");
    };
    set("a/x");
    world.ends(0, &["sync", "a", "b"]);
    // At the target a tool that restores times edits in place; ctime would show it, a copy of the ledger's would not.
    world.write("b/x", "y");
    set("b/x");
    let report = world.json(0, &["sync", "a", "b", "--checksum"]);
    assert_eq!(done(&report), [0, 1, 0, 0, 0, 0, 1]);
    assert_eq!(world.read("b/x").as_deref(), Some("x"));
}

#[test]
fn each_way_to_verify_is_said_in_the_history() {
    for (how, said) in [("none", "unverified"), ("size", "verified"), ("checksum", "verified")] {
        let world = World::with(&["x", "d/y"]);
        std::os::unix::fs::symlink("x", world.path("a/link")).expect("a link");
        world.ends(0, &["sync", "a", "b", "--verify", how]);
        assert_eq!(world.json(0, &["history", "a", "b"])["runs"][0]["verification"], said, "{how}");
    }
}

#[test]
fn limits_of_speed_and_of_transfers_change_nothing_but_the_pace() {
    let world = World::with(&["x", "d/y", "d/e/z"]);
    world.ends(0, &["sync", "a", "b", "--bwlimit", "1M", "--transfers", "1"]);
    world.ends(0, &["sync", "a", "c", "--transfers", "16"]);
    assert_eq!(world.tree("b"), world.tree("a"));
    assert_eq!(world.tree("c"), world.tree("a"));
}

#[test]
fn what_the_line_has_no_word_for_stays_as_a_host_has_set_it() {
    let world = World::with(&["x"]);
    let conduit = |connect: Option<ConduitOptions>| {
        let book = wait(Book::open(BookOptions::sqlite(world.path("book.db")))).expect("the book opens");
        let session = wait(book.default_session()).expect("a session");
        let [a, b] = ["a", "b"].map(|name| Place::Local(world.path(name)));
        let conduit = match connect {
            Some(options) => wait(session.connect(a, b, options)),
            None => wait(session.conduit(a, b)),
        };
        let options = conduit.expect("the conduit").options().clone();
        wait(book.shutdown());
        options
    };
    let host = ConduitOptions {
        mode: SyncMode::Bidirectional,
        name_clash: NameClash::Alias,
        filters: Filters { index_rules: true, ..Filters::default() },
        verify: Verify::Checksum,
        transfers: 7,
        bandwidth: Some(Bandwidth::constant(1_000_000)),
        ..ConduitOptions::default()
    };
    conduit(Some(host.clone()));
    // A preview has words for what is planned, a sync for how it is carried as well.
    world.ends(0, &["preview", "a", "b", "--exclude", "y"]);
    let exclude = vec!["y".to_owned()];
    let filters = Filters { exclude, ..host.filters };
    let before = ConduitOptions { mode: SyncMode::Mirror, conflict: Some(ConflictPolicy::SourceWins), filters, ..host };
    assert_eq!(conduit(None), before);
    world.ends(0, &["sync", "a", "b", "--transfers", "2"]);
    let filters = Filters { exclude: Vec::new(), ..before.filters };
    let after = ConduitOptions { filters, transfers: 2, verify: Verify::Size, bandwidth: None, ..before };
    assert_eq!(conduit(None), after);
}
