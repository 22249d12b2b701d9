//! What a person at a terminal is asked, with a real pseudo-terminal.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::world::{World, skip, text};

/// Runs the program on a terminal of its own and types `answer` when it asks what to do.
fn at_terminal(claim: &str, world: &World, words: &[&str], answer: &str) -> Option<(i32, String)> {
    talk(claim, world, words, &[(&["[y/N] ", "all the same: "], answer)])
}

/// Runs the program on a terminal of its own and answers its questions, each known by its ending; the exit status and
/// everything that was shown.
fn talk(claim: &str, world: &World, words: &[&str], answers: &[(&[&str], &str)]) -> Option<(i32, String)> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_portbook"), quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).current_dir(world.path("."));
    command.env("HOME", world.path(".")).env("PORTBOOK_BOOK", world.path("book.db")).env("TERM", "xterm");
    for variable in ["PORTBOOK_PASSPHRASE", "PORTBOOK_KEY_FILE", "SSH_AUTH_SOCK"] {
        command.env_remove(variable);
    }
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = started else {
        skip(claim, "no `script` to make a terminal");
        return None;
    };
    let mut typed = child.stdin.take().expect("it is piped");
    let mut shown = Vec::new();
    let mut screen = child.stdout.take().expect("it is piped");
    let (mut answers, mut answered) = (answers.iter().peekable(), 0);
    // What is typed before the question would be lost on a terminal that is just being made. The keyboard stays open
    // until the program has ended: its end would be an answer too.
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = screen.read(&mut piece) {
        shown.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&shown[answered..]);
        if let Some((_, answer)) = answers.next_if(|(questions, _)| questions.iter().any(|asked| text.contains(asked)))
        {
            // The question is there a moment before the terminal stops showing what is typed.
            std::thread::sleep(Duration::from_millis(200));
            typed.write_all(answer.as_bytes()).expect("the terminal takes it");
            answered = shown.len();
        }
    }
    let status = child.wait().expect("it ends");
    drop(typed);
    Some((status.code().unwrap_or(-1), String::from_utf8_lossy(&shown).into_owned()))
}

#[test]
fn secrets_are_asked_for_and_not_shown() {
    const CLAIM: &str = "secrets_are_asked_for_and_not_shown";
    const PASSWORD: (&[&str], &str) = (&["Password for "], "a password\n");
    const NEW: (&[&str], &str) = (&["New passphrase, which"], "correct horse\n");
    let world = World::with(&["x"]);
    let add = ["volume", "add", "afar", "sftp://alice@127.0.0.1:1/photos"];
    let asked = [PASSWORD, NEW, (&["The same again: "], "another horse\n")];
    let Some((status, shown)) = talk(CLAIM, &world, &add, &asked) else { return };
    assert!(status != 0 && shown.contains("typed in two ways") && !shown.contains("horse"), "{shown}");
    let asked = [PASSWORD, NEW, (&["The same again: "], "correct horse\n")];
    let Some((status, shown)) = talk(CLAIM, &world, &add, &asked) else { return };
    assert!(status == 0 && !shown.contains("horse") && !shown.contains("a password"), "{shown}");
    let look = ["preview", "a", "afar:"];
    for (passphrase, said) in [("a third horse\n", "is not the one"), ("correct horse\n", "127.0.0.1:1")] {
        let asked: [(&[&str], &str); 1] = [(&["Passphrase of the book: "], passphrase)];
        let Some((status, shown)) = talk(CLAIM, &world, &look, &asked) else { return };
        assert!(status == 1 && shown.contains(said), "{shown}");
    }
}

#[test]
fn sync_shows_and_asks_and_no_changes_nothing() {
    const CLAIM: &str = "sync_shows_and_asks_and_no_changes_nothing";
    for answer in ["n\n", "\n", "maybe\n"] {
        let world = World::with(&["x"]);
        let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "b"], answer) else { return };
        assert_eq!(status, 130, "{shown}");
        assert!(shown.contains("apply this? [y/N]") && shown.contains("1 new"), "{shown}");
        assert!(!world.path("b").exists(), "{shown}");
    }
}

#[test]
fn yes_carries_it_and_nothing_to_do_is_not_asked_about() {
    const CLAIM: &str = "yes_carries_it_and_nothing_to_do_is_not_asked_about";
    let world = World::with(&["x"]);
    let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "b"], "y\n") else { return };
    assert_eq!((status, world.read("b/x").as_deref()), (0, Some("x")), "{shown}");
    let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "b"], "") else { return };
    assert!(status == 0 && !shown.contains("[y/N]") && shown.contains("in step"), "{shown}");
}

#[test]
fn the_option_yes_asks_only_where_a_guard_stands() {
    const CLAIM: &str = "the_option_yes_asks_only_where_a_guard_stands";
    let world = World::with(&["x"]);
    world.write("b/stranger", "never synced");
    let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "c", "--yes"], "") else { return };
    assert!(status == 0 && !shown.contains("[y/N]"), "{shown}");
    let exact = ["sync", "a", "b", "--exact", "--yes"];
    for (answer, status, left) in [("y\n", 130, &["stranger"][..]), ("confirm\n", 0, &["x"])] {
        let Some((ended, shown)) = at_terminal(CLAIM, &world, &exact, answer) else { return };
        assert!(shown.contains("exact_without_ledger") && shown.contains("type 'confirm'"), "{shown}");
        assert_eq!((ended, world.tree("b")), (status, left.iter().map(|s| (*s).to_owned()).collect()), "{shown}");
    }
}

#[test]
fn a_guard_is_asked_about_even_when_nothing_else_is_to_do() {
    const CLAIM: &str = "a_guard_is_asked_about_even_when_nothing_else_is_to_do";
    let world = World::with(&[]);
    world.ends(0, &["sync", "a", "b"]);
    std::fs::rename(world.path("b"), world.path("away")).expect("moved away");
    world.make_dir("b");
    let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "b"], "confirm\n") else { return };
    assert!(status == 0 && shown.contains("root_changed"), "{shown}");
    world.ends(0, &["sync", "a", "b"]);
}

#[test]
fn ctrl_c_at_the_question_ends_it() {
    const CLAIM: &str = "ctrl_c_at_the_question_ends_it";
    let world = World::with(&["x"]);
    let Some((status, shown)) = at_terminal(CLAIM, &world, &["sync", "a", "b"], "\x03") else { return };
    assert_eq!(status, 130, "{shown}");
    assert!(!world.path("b").exists());
}

#[test]
fn a_guard_of_a_preview_is_asked_about_when_it_is_applied() {
    const CLAIM: &str = "a_guard_of_a_preview_is_asked_about_when_it_is_applied";
    let world = World::with(&["x"]);
    world.write("b/stranger", "never synced");
    let id = text(&world.json(0, &["preview", "a", "b", "--exact"]), "id");
    let words = ["sync", "a", "b", "--exact", "--preview", &id];
    let Some((status, shown)) = at_terminal(CLAIM, &world, &words, "no\n") else { return };
    assert_eq!((status, world.tree("b")), (130, vec!["stranger".to_owned()]), "{shown}");
    let Some((status, shown)) = at_terminal(CLAIM, &world, &words, "confirm\n") else { return };
    assert_eq!((status, world.tree("b")), (0, vec!["x".to_owned()]), "{shown}");
}
