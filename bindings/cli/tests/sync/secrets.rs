//! The program beside a book with secrets: neither they nor the passphrase are shown, kept or handed on.

use portbook::model::{FtpEndpoint, FtpProtocol, FtpsMode, Secret, SecretBytes};
use portbook::vault::{Argon2Cost, KeySource};
use portbook::{Book, BookOptions, wait};

use crate::search::{Search, files};
use crate::world::{Ran, World};

const PASSPHRASE: &str = "correct horse battery staple 4711";
const PASSWORD: &str = "wJalrXUtnFEMI-password-of-a-server";
const WRONG: &str = "another horse, another battery";

/// A book with a secret, kept by the passphrase.
fn keep_a_secret(world: &World) {
    let key = KeySource::costly_passphrase(SecretBytes::from(PASSPHRASE), Argon2Cost::LEAST).expect("a key");
    let book = wait(Book::open(BookOptions::sqlite(world.path("book.db")).key(key))).expect("the book opens");
    let row = FtpEndpoint {
        host: "files.example".into(),
        port: None,
        protocol: FtpProtocol::Sftp,
        ftps_mode: FtpsMode::None,
        username: None,
        password: Some(Secret::Plain(PASSWORD.into())),
        key_path: None,
        passphrase: None,
        host_key: None,
    };
    let session = wait(book.default_session()).expect("a session");
    wait(session.rows().create(row)).expect("the row is kept");
    wait(book.shutdown());
}

#[test]
fn no_secret_and_no_passphrase_is_shown_or_left_anywhere() {
    let world = World::with(&["x", "d/y"]);
    keep_a_secret(&world);
    let secrets: Vec<Vec<u8>> = [PASSPHRASE, PASSWORD, WRONG].iter().map(|secret| secret.as_bytes().to_vec()).collect();
    let search = Search::spelled(&secrets);
    let mut shown = String::new();
    for passphrase in [PASSPHRASE, WRONG] {
        for words in [
            &["preview", "a", "b"][..],
            &["sync", "a", "b"],
            &["sync", "a", "b", "--json"],
            &["verify", "a", "b", "--json"],
            &["history", "--json"],
            &["history", "a", "b"],
            &["sync", "a", "no/such/place"],
            &["sync", "a", "b", "--preview", "x"],
            &["--help"],
        ] {
            let output = world.command(words).env("PORTBOOK_PASSPHRASE", passphrase).output();
            let ran = Ran::from(output.expect("the program starts"));
            shown += &format!("{}{}", ran.out, ran.err);
        }
        world.write("a/later", passphrase.len().to_string());
    }
    assert!(shown.contains("no/such/place") && shown.len() > 2000, "{shown}");
    assert!(!search.finds_any(shown.as_bytes()), "{shown}");
    let left = files(&world.path(""));
    assert!(left.iter().any(|file| file.ends_with("book.db")), "{left:?}");
    for file in left {
        let bytes = std::fs::read(&file).expect("a file can be read");
        assert!(!search.finds_any(&bytes), "{}", file.display());
    }
    let book = std::fs::read(world.path("book.db")).expect("the book can be read");
    assert!(Search::plain(b"files.example").finds_any(&book), "what is no secret is found");
}
