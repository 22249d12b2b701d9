//! What every command promises: the object of `--json`, the exit statuses, and quiet when equal.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Ran, World, done, text};

const COUNTS: [&str; 11] = [
    "new",
    "updated",
    "deleted",
    "moved",
    "conflicts",
    "unchanged",
    "skipped",
    "failed",
    "bytes",
    "generation",
    "elapsed_ms",
];

/// The keys of an object in the order in which they were printed.
fn keys(line: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let (mut depth, mut chars) = (0, line.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut end = at + 1;
                while let Some((i, c)) = chars.next() {
                    end = i;
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                if depth == 1 && line[end + 1..].starts_with(':') {
                    keys.push(line[at + 1..end].to_owned());
                }
            }
            _ => {}
        }
    }
    keys
}

#[test]
fn the_object_of_json_has_exactly_the_keys_of_the_contract_in_its_order() {
    let world = World::with(&["x", "d/y"]);
    let preview = world.ends(0, &["preview", "a", "b", "--json"]);
    assert_eq!(keys(&preview.out), [&COUNTS[..], &["id", "changes"]].concat());
    assert!(!world.path("b").exists(), "a preview makes nothing");
    let object: Value = serde_json::from_str(&preview.out).expect("one object");
    for change in object["changes"].as_array().expect("a list") {
        let mut keys: Vec<&String> = change.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["action", "bytes", "kind", "path"]);
    }
    let sync = world.ends(0, &["sync", "a", "b", "--json"]);
    assert_eq!(keys(&sync.out), COUNTS);
    assert_eq!(sync.err, "");
}

#[test]
fn a_second_sync_does_nothing_says_so_and_writes_nothing() {
    let world = World::with(&["x", "d/y", "d/e/z"]);
    std::os::unix::fs::symlink("x", world.path("a/link")).expect("a link");
    let first = world.json(0, &["sync", "a", "b"]);
    assert_eq!(done(&first), [6, 0, 0, 0, 0, 0, 10]);
    let before = (world.stats("a"), world.stats("b"));
    let second = world.json(0, &["sync", "a", "b"]);
    assert_eq!(done(&second), [0; 7]);
    assert_eq!((&second["unchanged"], &second["generation"]), (&6.into(), &2.into()));
    assert_eq!((world.stats("a"), world.stats("b")), before);
    let shown = world.ends(0, &["sync", "a", "b"]);
    assert!(shown.out.starts_with("in step: 0 changes, 0 bytes; 6 unchanged\n"), "{shown:?}");
    assert_eq!(shown.err, "");
    assert_eq!((world.stats("a"), world.stats("b")), before);
}

#[test]
fn a_sync_never_writes_to_the_source_of_a_mirror() {
    let world = World::with(&["x", "d/y"]);
    let before = world.stats("a");
    world.ends(0, &["sync", "a", "b"]);
    world.remove("a/x");
    let before_second = world.stats("a");
    assert!(before.len() > before_second.len());
    world.ends(0, &["sync", "a", "b"]);
    assert_eq!(world.stats("a"), before_second);
    assert_eq!(world.tree("b"), ["d", "d/y"]);
}

#[test]
fn the_exit_status_of_verify_tells_equal_from_different() {
    let world = World::with(&["x", "d/y"]);
    let different = world.json(1, &["verify", "a", "a2"].map(|w| if w == "a2" { "." } else { w }));
    assert!(different["differing"].as_u64() > Some(0));
    world.ends(0, &["sync", "a", "b"]);
    let same = world.json(0, &["verify", "a", "b"]);
    assert_eq!((&same["compared"], &same["differing"], &same["bytes"]), (&3.into(), &0.into(), &0.into()));
    let checked = world.json(0, &["verify", "a", "b", "--checksum"]);
    assert_eq!((&checked["differing"], &checked["bytes"]), (&0.into(), &4.into()));

    world.write("b/x", "X");
    world.write("b/only-there", "");
    world.remove("b/d/y");
    let sizes = world.json(1, &["verify", "a", "b"]);
    assert_eq!(sizes["differing"], 2, "{sizes}");
    let contents = world.json(1, &["verify", "a", "b", "--checksum"]);
    let mut listed: Vec<(String, String)> = contents["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| (text(d, "path"), text(d, "difference")))
        .collect();
    listed.sort();
    let expected = [("d/y", "only at the source"), ("only-there", "only at the target"), ("x", "another content")];
    assert_eq!(listed, expected.map(|(p, d)| (p.to_owned(), d.to_owned())));
    let shown = world.ends(1, &["verify", "a", "b", "--checksum"]);
    assert!(
        shown.out.contains("x  (another content)\n") && shown.out.contains("4 items compared, 3 differ\n"),
        "{shown:?}"
    );
}

#[test]
fn history_lists_the_runs_of_a_pair_or_of_all_pairs_the_latest_first() {
    let world = World::with(&["x"]);
    assert_eq!(world.json(0, &["history"])["runs"], Value::Array(Vec::new()));
    world.ends(1, &["history", "a", "b"]).is_one_error("not_found");
    world.ends(0, &["sync", "a", "b"]);
    world.write("a/y", "yy");
    world.ends(0, &["sync", "a", "b"]);
    world.ends(0, &["sync", "a", "c"]);
    assert_eq!(world.json(0, &["history"])["runs"].as_array().map(Vec::len), Some(3));
    for words in [["history", "a", "b"], ["history", "b", "a"]] {
        let runs = world.json(0, &words)["runs"].clone();
        let numbers: Vec<_> = runs.as_array().expect("a list").iter().map(|run| run["generation"].clone()).collect();
        assert_eq!(numbers, [2, 1], "{words:?}");
        assert_eq!((&runs[0]["status"], &runs[0]["verification"]), (&"completed".into(), &"verified".into()));
        assert_eq!((&runs[0]["counts"]["new"], &runs[0]["bytes"]), (&1.into(), &2.into()));
        assert!(text(&runs[0], "started_at") <= text(&runs[0], "completed_at"));
    }
    let shown = world.ends(0, &["history", "a", "b"]);
    assert_eq!(shown.out.lines().count(), 2, "{shown:?}");
    assert!(shown.out.contains("#2 completed"), "{shown:?}");
}

#[test]
fn a_failed_item_is_said_once_and_ends_with_1() {
    let world = World::with(&["x", "dir/y"]);
    world.ends(0, &["sync", "a", "b"]);
    // A directory stands where the file is to go: the run carries the rest.
    world.write("a/x", "newer");
    world.write("a/z", "z");
    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    world.remove("b/x");
    world.make_dir("b/x");
    let ran = world.ends(1, &["sync", "a", "b", "--preview", &id, "--json"]);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(ran.err.starts_with("portbook: could not ") && ran.err.ends_with(" [stale]\n"), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!(done(&report), [1, 0, 0, 0, 0, 1, 1]);
}

#[test]
fn a_run_that_is_interrupted_ends_with_130_and_the_next_one_goes_on() {
    // More files than one batch: the limit makes the run wait before the second one.
    let names: Vec<String> = (0..2200).map(|i| format!("f{i:04}")).collect();
    let world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut command = world.command(&["sync", "a", "b", "--json", "--bwlimit", "100"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let end = Instant::now() + Duration::from_secs(60);
    // The first batch is written under temporary names.
    while std::fs::read_dir(world.path("b")).map_or(0, Iterator::count) < 100 {
        assert!(Instant::now() < end, "nothing arrives");
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("a shell has kill");
    assert!(killed.success());
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.status, 130, "{ran:?}");
    assert_eq!(ran.err, "portbook: stopping; press Ctrl-C again to stop at once\n");
    let first: Value = serde_json::from_str(&ran.out).expect("one object");
    let second = world.json(0, &["sync", "a", "b"]);
    assert_eq!(done(&first)[0] + done(&second)[0], 2200, "{first} {second}");
    assert_eq!(world.tree("b"), names);
    assert_eq!(world.json(0, &["history", "a", "b"])["runs"][1]["status"], "cancelled");
}

#[test]
fn verify_is_in_step_after_a_sync_that_left_things_out() {
    let world = World::with(&["keep/x", "cache/y", "z.tmp"]);
    let filters = ["--exclude", "cache", "--exclude", "*.tmp"];
    world.ends(0, &[&["sync", "a", "b"][..], &filters].concat());
    world.write("b/own.tmp", "the target's own");
    let verified = world.json(0, &["verify", "a", "b", "--checksum"]);
    assert_eq!((&verified["differing"], &verified["left_out"]), (&0.into(), &3.into()));
    let shown = world.ends(0, &["verify", "a", "b"]);
    assert!(shown.out.contains("exclude cache, *.tmp; 3 left out"), "{shown:?}");
    // What takes part and is gone is a difference as ever.
    world.remove("b/keep/x");
    world.ends(1, &["verify", "a", "b"]);
    // The next sync without filters says what takes part from then on.
    world.ends(0, &["sync", "a", "b"]);
    let verified = world.json(1, &["verify", "a", "b"]);
    assert_eq!((&verified["left_out"], &verified["differing"]), (&0.into(), &1.into()));
}

#[test]
fn what_a_selective_target_is_not_to_hold_is_no_difference() {
    let world = World::with(&["photos/x.jpg", "photos/deep/y.raw", "docs/z.txt"]);
    world.ends(0, &["sync", "a", "b", "--mode", "selective", "--include", "*.jpg"]);
    assert_eq!(world.tree("b"), ["photos", "photos/x.jpg"]);
    let verified = world.json(0, &["verify", "a", "b"]);
    assert_eq!((&verified["mode"], &verified["left_out"]), (&"selective".into(), &2.into()));
    world.remove("b/photos/x.jpg");
    world.ends(1, &["verify", "a", "b"]);
}

#[test]
fn places_that_were_never_synced_are_compared_whole() {
    let world = World::with(&["x"]);
    world.write("c/x", "x");
    let verified = world.json(0, &["verify", "a", "c"]);
    assert_eq!((&verified["mode"], &verified["compared"]), (&serde_json::Value::Null, &1.into()));
}
