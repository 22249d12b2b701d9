//! The contract on servers of every kind.

use std::path::Path;
use std::sync::Arc;

use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::provider::ftp::{Ftp, FtpOptions, FtpSecurity};
use portbook::provider::{NativeHash, Provider as _, Publish};
use portbook::{Code, Trust};
use sha2::Digest as _;

use crate::contract;
pub(crate) use crate::in_process::ftp as in_process;
use crate::service::Service;

/// The account of all servers.
pub(crate) fn options(port: u16, root: &str) -> FtpOptions {
    FtpOptions {
        port: Some(port),
        security: FtpSecurity::None,
        root: root.into(),
        ..FtpOptions::new("127.0.0.1", "user", "password")
    }
}

/// Two directories of a server, made before.
async fn keeps_the_contract(data: &Path, options: impl Fn(&str) -> FtpOptions) {
    // What folds is found out by these names, as nothing is written to find out.
    let [left, right] = ["left-\u{e9}", "right-\u{e9}"];
    for root in [left, right] {
        std::fs::create_dir(data.join(root)).unwrap();
        open_to_all(&data.join(root));
    }
    let (left, right) = (Ftp::open(options(left)).await.unwrap(), Ftp::open(options(right)).await.unwrap());
    contract::run(|| left.clone(), || right.clone()).await;
}

/// The server may run as another user.
pub(crate) fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_this_process_keeps_the_contract() {
    let data = tempfile::tempdir().unwrap();
    let port = in_process(data.path()).await;
    keeps_the_contract(data.path(), |root| options(port, root)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_keeps_the_contract() {
    let Some(server) = Service::start("proftpd", &["plain"]) else { return };
    let port = server.port();
    keeps_the_contract(&server.directory().join("data"), |root| options(port, root)).await;
}

/// A server with TLS, and the options that believe its certificate.
pub(crate) fn secured(words: &str, security: FtpSecurity) -> Option<(Arc<Service>, impl Fn(&str) -> FtpOptions)> {
    let server = Arc::new(Service::start("proftpd", &[words])?);
    let (port, authority) = (server.port(), server.directory().join("certificate.pem"));
    let options = move |root: &str| FtpOptions {
        security,
        trust: Trust::Authorities(authority.clone()),
        host: "localhost".into(),
        ..options(port, root)
    };
    Some((server, options))
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_by_explicit_tls_keeps_the_contract() {
    let Some((server, options)) = secured("explicit", FtpSecurity::Explicit) else { return };
    keeps_the_contract(&server.directory().join("data"), options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_by_implicit_tls_keeps_the_contract() {
    let Some((server, options)) = secured("implicit", FtpSecurity::Implicit) else { return };
    let tls12 = |root: &str| FtpOptions { tls12_only: true, ..options(root) };
    keeps_the_contract(&server.directory().join("data"), tls12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_the_contract() {
    let Some(server) = Service::start("rclone", &["ftp", "--vfs-cache-mode", "writes"]) else { return };
    let port = server.port();
    keeps_the_contract(&server.directory().join("data"), |root| options(port, root)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyftpdlib_keeps_the_contract() {
    let Some(server) = Service::start("pyftpdlib", &[]) else { return };
    let port = server.port();
    keeps_the_contract(&server.directory().join("data"), |root| options(port, root)).await;
}

/// What ProFTPD says of files is what the bytes add up to, for each of its algorithms and also for names of several words.
#[tokio::test(flavor = "multi_thread")]
async fn proftpd_is_asked_what_it_holds() {
    let log = tempfile::tempdir().unwrap();
    for (algorithm, asked, hash) in [
        ("sha512", "HASH ", NativeHash::Sha512(sha2::Sha512::digest(b"content").into())),
        ("sha256", "HASH ", NativeHash::Sha256(sha2::Sha256::digest(b"content").into())),
        ("sha1", "HASH ", NativeHash::Sha1(sha1::Sha1::digest(b"content").into())),
        ("md5", "HASH ", NativeHash::Md5(md5::Md5::digest(b"content").into())),
        ("crc32", "HASH ", NativeHash::Md5([0; 16])),
    ] {
        let commands = log.path().join(algorithm);
        let lines = [
            "LoadModule mod_digest.c".to_owned(),
            "DigestEngine on".to_owned(),
            format!("DigestAlgorithms {algorithm}"),
            "LogFormat commands %r".to_owned(),
            format!("ExtendedLog {} ALL commands", commands.display()),
        ];
        let words: Vec<&str> = ["plain"].into_iter().chain(lines.iter().map(String::as_str)).collect();
        let Some(server) = Service::start("proftpd", &words) else { return };
        let ftp = Ftp::open(options(server.port(), "/")).await.unwrap();
        for name in ["plain", "of 0 5"] {
            let node = contract::put(&ftp, name, b"content", Expect::Absent).await.unwrap();
            let said = ftp.native_hashes(vec![(contract::path(name), node)]).await.remove(0);
            assert_eq!(said, Some(hash.clone()).filter(|_| algorithm != "crc32"), "{algorithm}, {name}");
        }
        let asks = std::fs::read_to_string(&commands).unwrap();
        assert!(asks.lines().filter(|line| line.starts_with(asked)).count() >= 2, "{algorithm}: {asks}");
    }
}

/// It has neither MLSD nor MFMT.
#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_keeps_the_contract() {
    let Some(server) = Service::start("vsftpd", &[]) else { return };
    let port = server.port();
    let anonymous = |root: &str| FtpOptions { user: "anonymous".into(), ..options(port, root) };
    keeps_the_contract(&server.directory().join("data"), anonymous).await;
}

/// ProFTPD refuses a third connection as it refuses a wrong password.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_two_connections_in_is_spoken_with_by_two() {
    let Some(server) = Service::start("proftpd", &["plain", "MaxClientsPerUser 2"]) else { return };
    open_to_all(&server.directory().join("data"));
    let ftp = Ftp::open(options(server.port(), "")).await.unwrap();
    let names: Vec<_> = (0..20).map(|i| contract::path(&format!("f{i}"))).collect();
    let items = names.iter().map(|name| contract::new_file(name, name.as_bytes())).collect();
    let staged = ftp.stage(items).await.into_iter().map(Result::unwrap);
    let publish = |staged| Publish { staged, expect: Expect::Absent, archive: None };
    for node in ftp.publish(staged.map(publish).collect()).await {
        node.unwrap();
    }
    for (name, hashed) in names.iter().zip(ftp.hash(names.clone()).await) {
        assert_eq!(hashed.unwrap().content, ContentHash::of(name.as_bytes()));
    }
    let wrong = FtpOptions { password: "hunter2".into(), ..options(server.port(), "") };
    drop(ftp);
    assert_eq!(Ftp::open(wrong).await.unwrap_err().code(), Code::Auth);
}
