//! The command line as a process: what it says, where it says it, and how it ends.

use std::process::{Command, Output};

fn portbook(words: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    Command::new(env!("CARGO_BIN_EXE_portbook"))
        .args(words)
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .env_remove("XDG_DATA_HOME")
        .env_remove("PORTBOOK_BOOK")
        .env_remove("PORTBOOK_KEY_FILE")
        .env_remove("PORTBOOK_PASSPHRASE")
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_line_ends_with_2_and_speaks_on_stderr_only() {
    for (words, named) in [
        (&["sync", "a"][..], "<DST>"),
        (&["sync", "a", "b", "c"], "'c'"),
        (&["sync", "a", "b", "--mode", "push"], "bidirectional"),
        (&["sync", "a", "b", "--conflict", "coin"], "keep-both"),
        (&["sync", "a", "b", "--bwlimit", "fast"], "500k"),
        (&["sync", "a", "b", "--max-delete", "120%"], "100%"),
        (&["sync", "a", "b", "--verify", "maybe"], "checksum"),
        (&["--json", "preview", "a", "b", "--yes"], "--yes"),
        (&["history", "a"], "<DST>"),
        (&["carry"], "'carry'"),
        (&["sync", "gopher://host/a", "b"], "gopher"),
        (&["sync", "a", "sftp://me:secret@host/b"], "password"),
        (&["sync", "", "b"], "empty"),
    ] {
        let output = portbook(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{words:?}");
        assert!(stderr(&output).contains(named), "{words:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("secret"), "{words:?}");
    }
}

#[test]
fn without_a_command_the_help_is_shown_as_a_usage_error() {
    let output = portbook(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("Usage: portbook"), "{}", stderr(&output));
}

#[test]
fn help_and_version_go_to_stdout_and_end_with_0() {
    let help = portbook(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["preview", "sync", "verify", "history", "--book", "--key-file", "--json", "Exit status"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
    let sync = portbook(&["sync", "--help"]);
    for word in ["--mode", "--conflict", "--exact", "--bwlimit", "--max-delete", "--yes", "mirror", "keep-both"] {
        assert!(stdout(&sync).contains(word), "{word}");
    }
    let version = portbook(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("portbook {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn places_that_cannot_be_reached_yet_are_named_with_the_stable_code() {
    for (words, named) in [
        (["sync", "sharepoint://host/sites/x/Library:/a", "b"], "sharepoint"),
        (["preview", "a", "onedrive:x"], "onedrive"),
    ] {
        let output = portbook(&words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert_eq!(stdout(&output), "");
        let said = stderr(&output);
        assert!(said.contains(named) && said.contains("[unsupported]"), "{words:?}: {said}");
    }
}

#[test]
fn a_table_is_no_partner_of_a_folder_and_its_url_holds_no_password() {
    for words in [["verify", "postgres://host/db/table", "b"], ["sync", "a", "mysql://host/db/table"]] {
        let output = portbook(&words);
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{words:?}: {said}");
        assert!(said.contains("a table is kept in step with a table"), "{said}");
    }
    let output = portbook(&["sync", "postgres://me:hunter2@host/db/t", "sqlite:///a/b.db/t"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

#[test]
fn a_volume_that_was_never_saved_is_not_found() {
    let output = portbook(&["verify", "nas:x", "b"]);
    let said = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(said.contains("nas") && said.contains("[not_found]") && said.contains("volume add"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_key_file_is_private_and_holds_a_key() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("key");
    let named = file.to_str().expect("the path is text");
    let run = |text: &str, mode: u32| {
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("its mode is set");
        portbook(&["--key-file", named, "history"])
    };
    let key = "0123456789abcdef".repeat(4);
    let good = run(&(key.clone() + "\n"), 0o600);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    for mode in [0o640, 0o604, 0o660, 0o601] {
        let output = run(&key, mode);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{mode:o}: {said}");
        assert!(said.contains("[permission]") && said.contains("chmod 600") && !said.contains(&key), "{said}");
    }
    for text in ["correct horse battery staple", "", &key[..32], &key[1..]] {
        let output = run(text, 0o400);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains("64 hexadecimal digits"), "{said}");
        assert!(text.is_empty() || !said.contains(text), "{said}");
    }
    let absent = portbook(&["--key-file", "absent", "history"]);
    assert!(stderr(&absent).contains("[not_found]"), "{}", stderr(&absent));
}
