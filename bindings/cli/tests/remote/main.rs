//! The command line on places behind URLs and on saved volumes, with rclone as the server.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../../../tests/servers/service.rs"]
mod service;
#[allow(dead_code, reason = "shared with the tests of local folders")]
#[path = "../sync/world.rs"]
mod world;

use std::path::Path;

use serde_json::Value;

use service::Service;
use world::{Ran, World};

type Variables = Vec<(&'static str, String)>;

/// A server, the URL of an empty directory on it, and what lets one in.
struct Remote {
    _server: Service,
    url: String,
    variables: Variables,
}

fn variables<const N: usize>(pairs: [(&'static str, &str); N]) -> Variables {
    pairs.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn s3() -> Option<Remote> {
    let server = Service::start("rclone", &["s3"])?;
    std::fs::create_dir(server.directory().join("data/bucket")).unwrap();
    let mut variables = variables([("PORTBOOK_S3_ACCESS_KEY", "key"), ("PORTBOOK_S3_SECRET_KEY", "secret-key")]);
    variables.push(("PORTBOOK_S3_ENDPOINT", format!("http://127.0.0.1:{}", server.port())));
    Some(Remote { _server: server, url: "s3://bucket/some/where".into(), variables })
}

fn webdav() -> Option<Remote> {
    let server = Service::start("rclone", &["webdav"])?;
    let url = format!("dav://user@127.0.0.1:{}/some/where", server.port());
    Some(Remote { _server: server, url, variables: variables([("PORTBOOK_DAV_PASSWORD", "password")]) })
}

fn ftp() -> Option<Remote> {
    let server = Service::start("rclone", &["ftp"])?;
    let url = format!("ftp://user@127.0.0.1:{}/some/where", server.port());
    let variables = variables([("PORTBOOK_FTP_PASSWORD", "password"), ("PORTBOOK_FTP_PLAIN", "1")]);
    Some(Remote { _server: server, url, variables })
}

/// What a server shows of a directory to anyone.
fn http() -> Option<(Service, String)> {
    let server = Service::start("rclone", &["http"])?;
    let url = format!("http://user@127.0.0.1:{}/", server.port());
    Some((server, url))
}

/// The key that the server shows has to be named: the first attempt says which it is.
fn sftp() -> Option<Remote> {
    let server = Service::start("rclone", &["sftp"])?;
    let url = format!("sftp://user@127.0.0.1:{}/some/where", server.port());
    let mut remote = Remote { _server: server, url, variables: variables([("PORTBOOK_SFTP_PASSWORD", "password")]) };
    let world = World::with(&["x"]);
    let refused = remote.run(&world, &["sync", "a", &remote.url]);
    assert_eq!(refused.status, 1, "an unknown server is not trusted: {refused:?}");
    let said = format!("{}{}", refused.out, refused.err);
    let begin = said.find("SHA256:").unwrap_or_else(|| panic!("{said}"));
    let key: String = said[begin..].chars().take_while(|c| c.is_ascii_alphanumeric() || ":+/".contains(*c)).collect();
    remote.variables.push(("PORTBOOK_SFTP_HOST_KEY", key));
    Some(remote)
}

impl Remote {
    fn run(&self, world: &World, words: &[&str]) -> Ran {
        world.command(words).envs(self.variables.iter().cloned()).output().unwrap().into()
    }

    fn ends(&self, world: &World, status: i32, words: &[&str]) -> Ran {
        let ran = self.run(world, words);
        assert_eq!(ran.status, status, "{words:?}: {ran:?}");
        ran
    }

    fn json(&self, world: &World, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ends(world, 0, &words).out).unwrap()
    }
}

fn count(report: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| report[*name].as_u64().unwrap()).collect()
}

const ALL: [&str; 7] = ["new", "updated", "deleted", "moved", "conflicts", "failed", "bytes"];

/// There and back: what arrives is what was sent, and where nothing has changed nothing is done.
fn goes_there_and_back(remote: &Remote) {
    let world = World::with(&["x", "deep/er/y", "odd name/ü & #%+.txt", "empty"]);
    world.write("a/empty", "");
    world.write("a/large", vec![7_u8; (9 << 20) + 5]);
    world.make_dir("a/nothing in it");
    let preview = remote.json(&world, &["preview", "a", &remote.url]);
    assert_eq!(preview["new"], 9, "{preview}");
    let sync = |world: &World| remote.json(world, &["sync", "a", &remote.url]);
    assert_eq!(sync(&world)["new"], 9);
    assert_eq!(count(&sync(&world), &ALL), [0; 7], "nothing has changed");
    remote.ends(&world, 0, &["verify", "a", &remote.url, "--checksum"]);

    world.write("a/x", "another and longer");
    world.remove("a/deep/er/y");
    let report = sync(&world);
    assert_eq!((&report["updated"], &report["deleted"]), (&Value::from(1), &Value::from(1)), "{report}");

    let back = remote.json(&world, &["sync", &remote.url, "b"]);
    assert_eq!((&back["failed"], &back["conflicts"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(world.tree("b"), world.tree("a"));
    for file in ["x", "odd name/ü & #%+.txt", "empty", "large"] {
        assert!(world.read(&format!("a/{file}")) == world.read(&format!("b/{file}")), "{file}");
    }
    assert_eq!(count(&remote.json(&world, &["sync", &remote.url, "b"]), &ALL), [0; 7]);
}

/// With a wrong password nothing is done, and the error says what is wrong without saying the password.
fn does_not_let_anyone_in(remote: &Remote, secret: &str) {
    let world = World::with(&["x"]);
    let mut command = world.command(&["sync", "a", &remote.url]);
    command.envs(remote.variables.iter().cloned()).env(secret, "hunter2");
    let ran: Ran = command.output().unwrap().into();
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
}

#[test]
fn a_bucket() {
    let Some(remote) = s3() else { return };
    goes_there_and_back(&remote);
    does_not_let_anyone_in(&remote, "PORTBOOK_S3_SECRET_KEY");
}

#[test]
fn a_webdav_server() {
    let Some(remote) = webdav() else { return };
    goes_there_and_back(&remote);
    does_not_let_anyone_in(&remote, "PORTBOOK_DAV_PASSWORD");
}

#[test]
fn an_ftp_server() {
    let Some(remote) = ftp() else { return };
    goes_there_and_back(&remote);
    does_not_let_anyone_in(&remote, "PORTBOOK_FTP_PASSWORD");
}

#[test]
fn an_sftp_server() {
    let Some(remote) = sftp() else { return };
    goes_there_and_back(&remote);
    does_not_let_anyone_in(&remote, "PORTBOOK_SFTP_PASSWORD");
}

#[test]
fn a_web_server_is_a_source() {
    let Some((server, url)) = http() else { return };
    let data = server.directory().join("data");
    std::fs::create_dir_all(data.join("deep/er")).unwrap();
    for file in ["x", "deep/er/y", "a b & ü#%.txt"] {
        std::fs::write(data.join(file), file).unwrap();
    }
    let world = World::new();
    let remote = Remote { url, variables: variables([("PORTBOOK_HTTP_PASSWORD", "password")]), _server: server };
    assert_eq!(remote.json(&world, &["sync", &remote.url, "b"])["new"], 5);
    assert_eq!(world.read("b/a b & ü#%.txt").as_deref(), Some("a b & ü#%.txt"));
    assert_eq!(count(&remote.json(&world, &["sync", &remote.url, "b"]), &ALL), [0; 7]);
    remote.ends(&world, 0, &["verify", &remote.url, "b", "--checksum"]);
    world.write("c/z", "z");
    remote.ends(&world, 1, &["sync", "c", &remote.url]);
}

/// From one service to another, the bytes passing through.
#[test]
fn a_bucket_and_a_webdav_server() {
    let (Some(s3), Some(webdav)) = (s3(), webdav()) else { return };
    let world = World::with(&["x", "deep/er/y"]);
    s3.ends(&world, 0, &["sync", "a", &s3.url]);
    let both = Remote { variables: [s3.variables.clone(), webdav.variables.clone()].concat(), ..webdav };
    assert_eq!(both.json(&world, &["sync", &s3.url, &both.url])["new"], 4);
    assert_eq!(count(&both.json(&world, &["sync", &s3.url, &both.url]), &ALL), [0; 7]);
    both.ends(&world, 0, &["verify", &s3.url, &both.url, "--checksum"]);
    both.ends(&world, 0, &["sync", &both.url, "b"]);
    assert_eq!(world.tree("b"), world.tree("a"));
}

/// What lets one in is sealed in the book, and needs no variable any more.
#[test]
fn a_saved_volume() {
    let Some(remote) = webdav() else { return };
    let world = World::with(&["x"]);
    let with_key = |words: &[&str]| -> Ran {
        world.command(words).env("PORTBOOK_PASSPHRASE", "correct horse battery staple").output().unwrap().into()
    };
    let mut add = world.command(&["volume", "add", "cloud", &remote.url]);
    add.envs(remote.variables.iter().cloned()).env("PORTBOOK_PASSPHRASE", "correct horse battery staple");
    assert!(add.output().unwrap().status.success());
    let listed = world.ends(0, &["volume", "list"]);
    assert!(listed.out.contains("cloud:") && !listed.out.contains("password"), "{listed:?}");

    let synced = with_key(&["sync", "a", "cloud:photos"]);
    assert_eq!(synced.status, 0, "{synced:?}");
    let back = with_key(&["sync", "cloud:photos", "b"]);
    assert_eq!((back.status, world.read("b/x").as_deref()), (0, Some("x")), "{back:?}");
    assert_eq!(world.ends(1, &["sync", "a", "cloud:photos"]).out, "", "without the key there is no way in");
    for file in ["book.db", "book.db-wal"].map(|name| world.path(name)).iter().filter(|file| file.exists()) {
        assert!(!holds(file, b"password\""), "{} holds the password", file.display());
    }

    world.ends(1, &["sync", "a", "nowhere:photos"]);
    world.ends(2, &["volume", "add", "a:b", "a"]);
    world.ends(0, &["volume", "add", "here", "a"]);
    assert_eq!(world.ends(0, &["sync", "here:", "c"]).status, 0);
    assert_eq!(world.read("c/x").as_deref(), Some("x"));
    world.ends(0, &["volume", "remove", "here"]);
    assert!(!world.ends(0, &["volume", "list"]).out.contains("here:"));
}

fn holds(file: &Path, wanted: &[u8]) -> bool {
    std::fs::read(file).unwrap().windows(wanted.len()).any(|window| window == wanted)
}
