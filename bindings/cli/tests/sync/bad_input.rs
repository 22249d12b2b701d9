//! What bad input gets: one clear error with a stable code, nothing half-written, nothing lost, the right exit status.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use portbook::store::{SqliteOptions, SqliteStore, Statement, Store as _, Value, Write};

use crate::world::{World, done, is_root, skip, text};

#[test]
fn a_missing_source_is_an_error_and_no_target_is_made() {
    let world = World::new();
    for command in ["preview", "sync", "verify"] {
        let ran = world.ends(1, &[command, "a", "b"]);
        ran.is_one_error("not_found");
        ran.says("/a: it does not exist");
        assert!(!world.path("b").exists());
    }
    world.make_dir("b");
    world.ends(1, &["sync", "no/such/parent", "b"]).is_one_error("not_found");
    world.ends(1, &["sync", "b", "no/such/parent"]).is_one_error("not_found");
}

#[test]
fn a_source_that_vanished_deletes_nothing() {
    let world = World::with(&["x", "y"]);
    for mode in ["mirror", "bidirectional"] {
        world.ends(0, &["sync", "a", "b", "--mode", mode]);
        std::fs::rename(world.path("a"), world.path("away")).expect("moved away");
        world.ends(1, &["sync", "a", "b", "--mode", mode]).is_one_error("not_found");
        assert_eq!(world.tree("b"), ["x", "y"]);
        assert!(!world.path("a").exists());
        std::fs::rename(world.path("away"), world.path("a")).expect("moved back");
    }
    assert_eq!(done(&world.json(0, &["sync", "a", "b"])), [0; 7]);
}

#[test]
fn a_target_that_vanished_is_not_made_anew_without_a_word() {
    for mode in ["mirror", "bidirectional"] {
        let world = World::with(&["x"]);
        world.ends(0, &["sync", "a", "b", "--mode", mode]);
        world.remove("b");
        let ran = world.ends(3, &["sync", "a", "b", "--mode", mode]);
        ran.is_one_error("guard");
        ran.says("root_missing");
        assert!(!world.path("b").exists());
        // What a preview showed of the missing root does not count for a new one.
        let shown = world.ends(0, &["preview", "a", "b", "--mode", mode]);
        assert!(shown.out.contains("guard root_missing"), "{shown:?}");
        let id = text(&world.json(0, &["preview", "a", "b", "--mode", mode]), "id");
        world.make_dir("b");
        world.ends(3, &["sync", "a", "b", "--mode", mode, "--preview", &id]).is_one_error("guard");
        assert_eq!(world.read("a/x").as_deref(), Some("x"));
    }
}

#[test]
fn an_emptied_root_deletes_nothing() {
    let world = World::with(&["x", "y", "z"]);
    for mode in ["mirror", "bidirectional"] {
        world.ends(0, &["sync", "a", "b", "--mode", mode]);
        for name in ["x", "y", "z"] {
            world.remove(&format!("a/{name}"));
        }
        let ran = world.ends(3, &["sync", "a", "b", "--mode", mode, "--yes"]);
        ran.is_one_error("guard");
        ran.says("root_emptied");
        assert_eq!(world.tree("b"), ["x", "y", "z"]);
        for name in ["x", "y", "z"] {
            world.write(&format!("a/{name}"), name);
        }
    }
}

#[test]
fn a_root_that_was_replaced_stops_the_run() {
    for replaced in ["a", "b"] {
        let world = World::with(&["x", "y"]);
        world.ends(0, &["sync", "a", "b"]);
        std::fs::rename(world.path(replaced), world.path("away")).expect("moved away");
        world.write(&format!("{replaced}/other"), "other");
        let before = (world.stats("a"), world.stats("b"));
        let ran = world.ends(3, &["sync", "a", "b"]);
        ran.is_one_error("guard");
        ran.says("root_changed");
        assert_eq!((world.stats("a"), world.stats("b")), before, "{replaced}");
    }
}

#[test]
fn a_root_that_was_replaced_after_the_preview_stops_the_run() {
    let world = World::with(&["x", "y"]);
    world.ends(0, &["sync", "a", "b"]);
    world.write("a/z", "z");
    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    std::fs::rename(world.path("b"), world.path("away")).expect("moved away");
    world.make_dir("b");
    let ran = world.ends(3, &["sync", "a", "b", "--preview", &id]);
    ran.is_one_error("guard");
    ran.says("root_changed");
    assert!(world.tree("b").is_empty());
}

#[test]
fn a_place_within_the_other_is_refused_also_through_links() {
    let world = World::with(&["sub/x"]);
    symlink(world.path("a"), world.path("link")).expect("a link");
    symlink(world.path("a/sub"), world.path("deep")).expect("a link");
    let before = world.stats("a");
    for (src, dst, why) in [
        ("a", "a", "the same directory"),
        ("a", "./a/", "the same directory"),
        ("a", "a/sub/..", "the same directory"),
        ("a", "link", "the same directory"),
        ("a", "a/sub", "the target lies inside the source"),
        ("a", "a/new", "the target lies inside the source"),
        ("a", "link/new", "the target lies inside the source"),
        ("a", "deep", "the target lies inside the source"),
        ("a/sub", "a", "the source lies inside the target"),
        ("deep", "link", "the source lies inside the target"),
    ] {
        for command in ["preview", "sync"] {
            let ran = world.ends(2, &[command, src, dst]);
            ran.is_one_error("invalid");
            ran.says(why);
        }
    }
    assert_eq!(world.stats("a"), before);
}

#[test]
fn a_directory_beside_one_of_a_longer_name_is_not_within_it() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "ab"]);
    assert_eq!(world.tree("ab"), ["x"]);
}

#[test]
fn a_file_where_a_directory_should_be_is_refused() {
    let world = World::with(&["x"]);
    world.write("file", "kept");
    for (src, dst) in [("a", "file"), ("file", "b"), ("a", "file/below"), ("file/below", "b")] {
        let ran = world.run(&["sync", src, dst]);
        assert_eq!(ran.status, 2, "{ran:?}");
        ran.is_one_error("invalid");
        ran.says("not a directory");
    }
    assert_eq!(world.read("file").as_deref(), Some("kept"));
    assert!(!world.path("b").exists());
}

#[test]
fn a_link_that_leads_nowhere_is_no_target() {
    let world = World::with(&["x"]);
    symlink("nowhere", world.path("dangling")).expect("a link");
    let ran = world.ends(1, &["sync", "a", "dangling"]);
    ran.is_one_error("not_found");
    ran.says("link");
    assert!(!world.path("nowhere").exists());
}

#[test]
fn what_cannot_be_read_is_never_taken_for_absent() {
    const CLAIM: &str = "what_cannot_be_read_is_never_taken_for_absent";
    let Some(()) = unprivileged(CLAIM) else { return };
    let world = World::with(&["x", "closed/y", "unreadable"]);
    own(&world, ".");
    let run = |words: &[&str]| as_nobody(&world, words);
    assert_eq!(run(&["sync", "a", "b"]).0, 0);
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).expect("a mode can be set");
    };
    mode("a/closed", 0o000);
    world.write("a/unreadable", "edited, and closed");
    mode("a/unreadable", 0o000);
    let (status, out, err) = run(&["sync", "a", "b", "--json"]);
    assert_eq!(status, 1, "{out}{err}");
    assert!(err.lines().all(|line| line.starts_with("portbook: could not ") && line.ends_with(']')), "{err}");
    assert!(err.contains("closed") && err.contains("unreadable"), "{err}");
    assert_eq!(world.read("b/closed/y").as_deref(), Some("closed/y"));
    assert_eq!(world.read("b/unreadable").as_deref(), Some("unreadable"));
    mode("a", 0o000);
    let (status, out, err) = run(&["sync", "a", "b"]);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    assert!(err.ends_with("[permission]\n") && err.lines().count() == 1, "{err}");
    mode("a", 0o755);
    mode("a/closed", 0o755);
    mode("a/unreadable", 0o644);
    // The first run opens the directory at the target again, the second one sees what is in it.
    run(&["sync", "a", "b"]);
    let (status, out, err) = run(&["sync", "a", "b"]);
    assert_eq!(status, 0, "{out}{err}");
    assert_eq!(world.read("b/unreadable").as_deref(), Some("edited, and closed"));
}

#[test]
fn a_target_that_may_not_be_written_is_said_and_left_as_it_is() {
    const CLAIM: &str = "a_target_that_may_not_be_written_is_said_and_left_as_it_is";
    let Some(()) = unprivileged(CLAIM) else { return };
    let world = World::with(&["x", "y"]);
    world.make_dir("b");
    own(&world, ".");
    std::fs::set_permissions(world.path("b"), std::fs::Permissions::from_mode(0o555)).expect("a mode can be set");
    let (status, out, err) = as_nobody(&world, &["sync", "a", "b"]);
    assert_eq!(status, 1, "{out}{err}");
    assert!(out.is_empty() && err.lines().count() == 1 && err.ends_with("[permission]\n"), "{out}{err}");
    assert!(world.tree("b").is_empty());
    std::fs::set_permissions(world.path("b"), std::fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    assert_eq!(as_nobody(&world, &["sync", "a", "b"]).0, 0);
}

#[test]
fn a_target_that_may_not_be_written_itself_takes_what_goes_into_its_directories() {
    const CLAIM: &str = "a_target_that_may_not_be_written_itself_takes_what_goes_into_its_directories";
    let Some(()) = unprivileged(CLAIM) else { return };
    let world = World::with(&["open/x", "open/y"]);
    own(&world, ".");
    let run = |words: &[&str]| as_nobody(&world, words);
    assert_eq!(run(&["sync", "a", "b"]).0, 0);
    let mode = |mode| std::fs::set_permissions(world.path("b"), std::fs::Permissions::from_mode(mode)).expect("a mode");
    mode(0o555);
    world.write("a/open/x", "edited");
    world.write("a/open/new", "new");
    own(&world, "a");
    let (status, out, err) = run(&["sync", "a", "b", "--json"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert_eq!(world.read("b/open/new").as_deref(), Some("new"));
    assert_eq!(world.read("b/open/x").as_deref(), Some("edited"));
    // What goes to the trash of the root, and what stands in it, is one error for all of them.
    for name in ["open/x", "open/y"] {
        world.remove(&format!("a/{name}"));
        let (status, out, err) = run(&["sync", "a", "b"]);
        assert_eq!((status, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
        assert!(err.ends_with("[permission]\n"), "{err}");
    }
    assert_eq!(world.tree("b"), ["open", "open/new", "open/x", "open/y"]);
    mode(0o755);
    assert_eq!(run(&["sync", "a", "b", "--max-delete", "9"]).0, 0);
    assert_eq!(world.tree("b"), ["open", "open/new"]);
}

#[test]
fn a_file_system_that_is_read_only_is_one_error_before_anything_is_done() {
    const CLAIM: &str = "a_file_system_that_is_read_only_is_one_error_before_anything_is_done";
    let world = World::with(&["x", "y"]);
    world.make_dir("b");
    let b = world.path("b");
    let mount = |words: &[&str]| Command::new("mount").args(words).output().is_ok_and(|output| output.status.success());
    let at = b.to_str().expect("a temporary directory is Unicode");
    if !is_root() || !mount(&["--bind", at, at]) || !mount(&["-o", "remount,bind,ro", at]) {
        let _ = Command::new("umount").arg(at).output();
        return skip(CLAIM, "no right to mount");
    }
    let ran = world.run(&["sync", "a", "b"]);
    let unmounted = Command::new("umount").arg(at).output().is_ok_and(|output| output.status.success());
    assert!(unmounted, "the mount can be taken away again");
    assert_eq!(ran.status, 1, "{ran:?}");
    ran.is_one_error("permission");
    ran.says("read-only");
    assert!(world.tree("b").is_empty());
}

#[test]
fn a_book_that_is_damaged_or_no_book_is_refused_and_untouched() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    let good = std::fs::read(world.path("book.db")).expect("the book");
    let mut noise = vec![0_u8; 20_000];
    noise.iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 7919 % 251) as u8);
    for (name, bytes) in
        [("text", b"a shopping list\n".to_vec()), ("noise", noise), ("truncated", good[..good.len() / 2].to_vec())]
    {
        world.write(name, &bytes);
        let ran = world.ends(1, &["--book", name, "sync", "a", "b"]);
        ran.is_one_error("corrupt");
        assert_eq!(std::fs::read(world.path(name)).ok(), Some(bytes), "{name}");
    }
}

#[test]
fn a_book_of_a_newer_version_is_refused_and_unchanged_byte_for_byte() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    let mut newer = std::fs::read(world.path("book.db")).expect("the book");
    newer[60..64].copy_from_slice(&9999_i32.to_be_bytes());
    std::fs::create_dir(world.path("shelf")).expect("a directory");
    world.write("shelf/newer", &newer);
    let before = world.stats("shelf");
    for words in [["sync", "a", "b"], ["preview", "a", "b"]] {
        world.ends(1, &[&["--book", "shelf/newer"][..], &words].concat()).is_one_error("newer");
        assert_eq!(world.stats("shelf"), before);
    }
    assert_eq!(std::fs::read(world.path("shelf/newer")).ok(), Some(newer));
}

#[test]
fn a_book_that_cannot_be_opened_is_said() {
    let world = World::with(&["x"]);
    world.make_dir("folder");
    let ran = world.run(&["--book", "folder", "sync", "a", "b"]);
    assert_ne!(ran.status, 0);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    ran.says("folder");
    ran.says("directory");
    world.write("file", "");
    let ran = world.run(&["--book", "file/below/book.db", "sync", "a", "b"]);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    ran.says("could not make the directory of the book");
    assert!(!world.path("b").exists());
    world.ends(0, &["--book", "new/folder/book.db", "sync", "a", "b"]);
    assert!(world.path("new/folder/book.db").is_file());
}

#[test]
fn a_server_that_cannot_be_reached_is_said_without_its_password() {
    let world = World::with(&["x"]);
    let ran = world.ends(1, &["--book", "postgres://me:hunter2@127.0.0.1:1/db", "sync", "a", "b"]);
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
    ran.is_one_error("offline");
}

#[test]
fn a_second_run_of_a_pair_is_busy() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    world.write("a/y", "y");
    let held = File::open(world.path("b")).expect("the root opens");
    held.lock().expect("the root can be locked");
    for words in [&["sync", "a", "b"][..], &["sync", "b", "a"]] {
        let ran = world.ends(1, words);
        ran.is_one_error("busy");
    }
    assert_eq!(world.tree("b"), ["x"]);
    world.ends(0, &["preview", "a", "b"]);
    drop(held);
    world.ends(0, &["sync", "a", "b"]);
}

#[test]
fn an_invalid_pattern_is_a_usage_error() {
    let world = World::with(&["x"]);
    for option in ["--include", "--exclude"] {
        for command in ["preview", "sync"] {
            let ran = world.ends(2, &[command, "a", "b", option, "a[b"]);
            ran.is_one_error("invalid");
            ran.says("a[b");
        }
    }
    assert!(!world.path("b").exists());
}

/// Permission bits do not bind root: these claims run the program as nobody.
fn unprivileged(claim: &str) -> Option<()> {
    let can =
        !is_root() || Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success());
    if !can {
        skip(claim, "root, and no setpriv to become somebody else");
    }
    can.then_some(())
}

fn own(world: &World, name: &str) {
    if is_root() {
        for path in world.stats(name).into_keys() {
            std::os::unix::fs::lchown(path, Some(65_534), Some(65_534)).expect("root can give away");
        }
    }
}

fn as_nobody(world: &World, words: &[&str]) -> (i32, String, String) {
    if !is_root() {
        let ran = world.run(words);
        return (ran.status, ran.out, ran.err);
    }
    // The build directory may be closed to others: nobody gets a copy of the program.
    let program = world.path("portbook");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_portbook"), &program).expect("the program can be copied");
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(words)
        .current_dir(world.path("."))
        .env("HOME", world.path("."))
        .env("PORTBOOK_BOOK", world.path("book.db"))
        .output()
        .expect("setpriv starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Writes into the book as another machine would that shares it.
fn as_another_machine(world: &World, sql: &'static str, until: SystemTime) {
    let store = SqliteStore::open(world.path("book.db"), SqliteOptions::default()).expect("the book opens");
    let tenant = portbook::model::TenantId(uuid::Uuid::nil());
    let until = until.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let until = Value::Time(i64::try_from(until.as_micros()).expect("a date"));
    portbook::wait(store.write(tenant, vec![Write::Execute(Statement::new(sql, vec![until]))])).expect("written");
    portbook::wait(store.shutdown());
}

#[test]
fn a_run_of_another_machine_is_named_and_waited_for_until_its_lease_ends() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    world.write("a/y", "y");
    let lease = "UPDATE sync_conduit SET lease_owner = 'harbour/77/0a', lease_expires_at = ?1";
    let now = SystemTime::now();
    as_another_machine(&world, lease, now + Duration::from_secs(50));
    let ran = world.ends(1, &["sync", "a", "b"]);
    ran.is_one_error("busy");
    ran.says("another run of it is under way on harbour");
    assert_eq!(world.tree("b"), ["x"]);
    // Looking takes no lease.
    world.ends(0, &["preview", "a", "b"]);
    as_another_machine(&world, lease, now - Duration::from_secs(1));
    world.ends(0, &["sync", "a", "b"]);
    assert_eq!(world.tree("b"), ["x", "y"]);
}
