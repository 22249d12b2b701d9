//! Who is let in, and by whom: keys of hosts, passwords, keys of users, agents.

use std::process::Command;

use portbook::Code;
use portbook::provider::Provider as _;
use portbook::provider::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};

use crate::contract::listed;
use crate::server::{OpenSsh, Rclone, fingerprint, open};

fn known(server: &OpenSsh, name: &str, lines: &str) -> HostKey {
    let file = server.file(name);
    std::fs::write(&file, lines).unwrap();
    HostKey::KnownHosts(Some(file))
}

fn host_key(server: &OpenSsh, kind: &str) -> String {
    let line = std::fs::read_to_string(server.file(&format!("host_{kind}.pub"))).unwrap();
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

async fn refused(options: SftpOptions) -> portbook::Error {
    Sftp::connect(options).await.err().expect("it is refused")
}

#[tokio::test]
async fn only_a_key_that_is_known_for_this_host_and_port_is_accepted() {
    let Some(server) = OpenSsh::start() else { return };
    let options = server.options(&server.make_root("known"));
    let (port, key, other) = (server.port, host_key(&server, "ed25519"), host_key(&server, "rsa"));
    let user = std::fs::read_to_string(server.file("user_ed25519.pub")).unwrap();
    let at = format!("[127.0.0.1]:{port}");
    for (name, lines) in [
        ("plain", format!("{at} {key}\n")),
        ("among others", format!("example.com {user}\n# {at}\n\nx,{at} {key} comment\n")),
        ("wildcard", format!("[127.0.0.*]:* {key}\n")),
        // The server has an ed25519 key too, which it would rather show.
        ("another type", format!("{at} {other}\n")),
    ] {
        let place = open(options.clone().host_key(known(&server, name, &lines))).await;
        assert!(listed(&place, "").await.is_empty(), "{name}");
    }
    let pinned = HostKey::Fingerprint(fingerprint(&options).await);
    open(options.clone().host_key(pinned)).await;
    let ed25519 = key.clone();
    for (name, lines, why) in [
        ("empty", String::new(), "not known"),
        ("other port", format!("127.0.0.1 {key}\n"), "not known"),
        ("changed", format!("{at} {}", user), "has changed"),
        ("revoked", format!("{at} {ed25519}\n@revoked * {ed25519}\n"), "revoked"),
        ("authority", format!("@cert-authority * {ed25519}\n"), "authority"),
    ] {
        let error = refused(options.clone().host_key(known(&server, name, &lines))).await;
        let text = error.to_string();
        assert_eq!(error.code(), Code::Auth, "{name}: {text}");
        assert!(text.contains(why) && text.contains("SHA256:") && !error.advice().is_empty(), "{name}: {text}");
    }
}

#[tokio::test]
async fn names_that_ssh_keygen_hashed_are_found() {
    let Some(server) = OpenSsh::start() else { return };
    let lines = format!("[127.0.0.1]:{} {}\n", server.port, host_key(&server, "ed25519"));
    let hosts = known(&server, "hashed", &lines);
    match Command::new("ssh-keygen").arg("-H").arg("-f").arg(server.file("hashed")).output() {
        Ok(ran) if ran.status.success() => {}
        other => return println!("SKIPPED hashed hosts: there is no ssh-keygen: {other:?}"),
    }
    assert!(std::fs::read_to_string(server.file("hashed")).unwrap().starts_with("|1|"));
    open(server.options(&server.make_root("hashed-root")).host_key(hosts)).await;
}

#[tokio::test]
async fn keys_of_every_kind_log_in_and_wrong_ones_do_not() {
    let Some(server) = OpenSsh::start() else { return };
    let key = |name: &str, passphrase: Option<&str>| {
        let path = server.file(name);
        server.by(SftpAuth::KeyFile { path, passphrase: passphrase.map(Into::into) }).root("/")
    };
    for name in ["user_ed25519", "user_ecdsa", "user_rsa"] {
        open(key(name, None)).await;
    }
    open(key("locked", Some("passphrase"))).await;
    for (what, options, code) in [
        ("locked", key("locked", None), Code::Auth),
        ("wrong passphrase", key("locked", Some("wrong")), Code::Auth),
        ("another key", key("host_ecdsa", None), Code::Auth),
        ("no such file", key("none", None), Code::NotFound),
        ("no key", key("sshd_config", None), Code::Auth),
    ] {
        let error = refused(options).await;
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(!error.to_string().contains("wrong") || what == "wrong passphrase", "{error}");
    }
    let error = refused(key("user_ed25519", None).root("/no/such/directory")).await;
    assert_eq!(error.code(), Code::NotFound, "{error}");
    let error = refused(key("user_ed25519", None).root("/etc/hostname")).await;
    assert_eq!(error.code(), Code::Invalid, "{error}");
}

#[tokio::test]
async fn passwords_are_asked_for() {
    let Some(server) = OpenSsh::start() else { return };
    if !server.has_password {
        return println!("SKIPPED passwords of OpenSSH: only root can start a server that knows some");
    }
    let place = open(server.by(SftpAuth::Password("password".into())).root("/")).await;
    assert!(place.root().await.unwrap().free_bytes.is_some());
    let error = refused(server.by(SftpAuth::Password("hunter2".into()))).await;
    assert_eq!(error.code(), Code::Auth, "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn rclone_refuses_a_wrong_password() {
    let Some(server) = Rclone::start() else { return };
    let mut options = server.options("left");
    options.host_key = HostKey::Fingerprint(fingerprint(&options).await);
    options.auth = SftpAuth::Password("hunter2".into());
    let error = refused(options).await;
    assert_eq!(error.code(), Code::Auth, "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// The environment of a process cannot be changed safely while it runs: the test runs itself once more.
#[tokio::test]
async fn an_agent_logs_in() {
    if let Ok(told) = std::env::var("PORTBOOK_TEST_AGENT") {
        let mut words = told.split('\n');
        let (port, user, key) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let options = SftpOptions::new("127.0.0.1", user, SftpAuth::Agent).port(port.parse().unwrap());
        open(options.host_key(HostKey::Key(key.into())).root("/")).await;
        return;
    }
    let Some(server) = OpenSsh::start() else { return };
    let socket = server.file("agent");
    let agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(std::process::Stdio::null()).spawn();
    let Ok(mut agent) = agent else { return println!("SKIPPED agents: there is no ssh-agent") };
    while !socket.exists() {
        tokio::task::yield_now().await;
    }
    let run = |command: &mut Command| command.env("SSH_AUTH_SOCK", &socket).output().unwrap();
    let own = || {
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args(["--exact", "trust::an_agent_logs_in", "--nocapture"]);
        own.env("PORTBOOK_TEST_AGENT", format!("{}\n{}\n{}", server.port, server.user, host_key(&server, "ed25519")));
        own
    };
    let empty = run(&mut own());
    let private = server.file("agent-key");
    std::fs::copy(server.file("user_rsa"), &private).unwrap();
    let added = run(Command::new("ssh-add").arg(&private));
    let ran = run(&mut own());
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(!empty.status.success(), "an agent without keys logs nobody in");
    assert!(added.status.success(), "{added:?}");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}

/// Beside the contract, which knows only links within: nothing is reached through a link that leads out of the root.
#[tokio::test]
async fn a_link_out_of_the_root_is_never_followed() {
    use portbook::delta::{Expect, Metadata};
    use portbook::provider::{Listing, Trash};
    let Some(server) = OpenSsh::start() else { return };
    let (root, outside) = (server.make_root("inside"), server.make_root("outside"));
    std::fs::write(outside.join("file"), b"not ours").unwrap();
    std::fs::write(outside.join(".portbook-tmp-tag"), b"not ours either").unwrap();
    std::os::unix::fs::symlink(&outside, root.join("out")).unwrap();
    let place = open(server.options(&root)).await;
    let at = crate::contract::path;
    assert!(matches!(place.list(vec![at("out")]).await.remove(0), Listing::Absent));
    assert!(place.stat(vec![at("out/file")]).await.remove(0).unwrap().is_none());
    assert!(place.hash(vec![at("out/file")]).await.remove(0).is_err());
    assert!(place.read(&at("out/file"), None, 0, None).await.is_err());
    let staged = crate::contract::put_staged(&place, crate::contract::new_file(&at("out/new"), b"x")).await;
    assert!(staged.is_err(), "{staged:?}");
    let trash = Trash { path: at("out/file"), expect: Expect::Any, label: "run".into() };
    assert!(place.trash(vec![trash]).await.remove(0).is_err());
    let metadata = Metadata { mode: Some(0o777), mtime: None };
    assert!(place.set_metadata(vec![(at("out/file"), Expect::Any, metadata)]).await.remove(0).is_err());
    assert!(place.discard_staged(vec![(at("out/file"), "tag".into())]).await.is_err());
    let mut left: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".portbook-tmp-tag", "file"]);
}
