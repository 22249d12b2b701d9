//! The files of volumes behind every driver that can be written.

use std::io::Write as _;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use portbook::model::{AutoPathStrategy, StorageVolume, VersioningMode};
use portbook::provider::ftp::{Ftp, FtpOptions, FtpSecurity};
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};
use portbook::provider::webdav::{WebDav, WebDavOptions};
use portbook::provider::{Provider, WebAuth};
use portbook::volume::{NewFile, Volume};
use portbook::{Code, wait};

use crate::in_process;
use crate::service::Service;
use crate::world::{self, World, bytes, code, listed, put, read};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn story(name: &str, place: Arc<dyn Provider>) {
    println!("{name}");
    let dir = tempfile::tempdir().unwrap();
    world::with_book(dir, |world| {
        deleted_and_restored(world, &place);
        versions(world, &place);
        states(world, &place);
        shared(world, &place);
    });
}

fn make(world: &World, place: &Arc<dyn Provider>, row: StorageVolume) -> Volume {
    let made = wait(world.session.rows().create(row)).unwrap();
    wait(world.session.volume_on(made.row.name, place.clone())).unwrap()
}

fn deleted_and_restored(world: &World, place: &Arc<dyn Provider>) {
    let volume = make(world, place, StorageVolume { quota_limit: Some(1000), ..world.row() });
    let made = put(&volume, "d/odd # % \u{fc}.txt", "content").unwrap();
    assert_eq!(read(&volume, made.id).unwrap(), "content");
    assert_eq!(read_part(&volume, "d/odd # % \u{fc}.txt"), "ten");
    wait(volume.delete(made.id)).unwrap();
    assert_eq!((listed(&volume), world.used(&volume)), (vec![], 7));
    assert_eq!(code(wait(volume.stat(made.id))), Code::NotFound);
    let other = put(&volume, "d/odd # % \u{fc}.txt", "other").unwrap();
    assert_eq!(code(wait(volume.restore(made.id))), Code::Conflict);
    wait(volume.delete(other.id)).unwrap();
    wait(volume.restore(made.id)).unwrap();
    assert_eq!(read(&volume, made.id).unwrap(), "content");
    wait(volume.purge(other.id)).unwrap();
    assert_eq!(code(put(&volume, "too much", &"x".repeat(994))), Code::Quota);
    wait(volume.delete(made.id)).unwrap();
    wait(volume.purge(made.id)).unwrap();
    wait(volume.tidy()).unwrap();
    assert_eq!((world.used(&volume), world.reservations()), (0, vec![]));
}

fn read_part(volume: &Volume, path: &str) -> String {
    let opened = wait(volume.get(path, 3, Some(3))).unwrap();
    let pieces: Vec<_> = wait(opened.bytes.try_collect()).unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn versions(world: &World, place: &Arc<dyn Provider>) {
    let row = world.row();
    let row = StorageVolume { name: "versions".into(), versioning_mode: VersioningMode::Target, ..row };
    let volume = make(world, place, StorageVolume { default_prefix: Some("versions".into()), ..row });
    let made = put(&volume, "a", "one").unwrap();
    put(&volume, "a", "two").unwrap();
    put(&volume, "a", "two").unwrap();
    put(&volume, "a", "three").unwrap();
    let seen = || -> Vec<_> {
        let versions = wait(volume.versions(made.id)).unwrap();
        versions.iter().map(|v| (v.row.version_no, read(&volume, v.id).unwrap())).collect()
    };
    assert_eq!(seen(), [(2, "two".to_owned()), (1, "one".to_owned())]);
    let first = wait(volume.versions(made.id)).unwrap().remove(1);
    wait(volume.restore_version(first.id)).unwrap();
    assert_eq!((read(&volume, "a").unwrap(), seen().len()), ("one".to_owned(), 3));
    wait(volume.purge(first.id)).unwrap();
    assert_eq!(world.used(&volume), 3 + 3 + 5);
    wait(volume.delete("a")).unwrap();
    wait(volume.purge(made.id)).unwrap();
    assert_eq!((world.used(&volume), world.reservations()), (0, vec![]));
}

/// Each state of the source is a version, also one that is equal to the one before.
fn states(world: &World, place: &Arc<dyn Provider>) {
    let row = StorageVolume { name: "states".into(), versioning_mode: VersioningMode::Source, ..world.row() };
    let volume = make(world, place, StorageVolume { default_prefix: Some("states".into()), ..row });
    let made = put(&volume, "a", "one").unwrap();
    for content in ["two", "two"] {
        put(&volume, "a", content).unwrap();
    }
    let versions = wait(volume.versions(made.id)).unwrap();
    let seen: Vec<_> = versions.iter().map(|v| (v.row.version_no, read(&volume, v.id).unwrap())).collect();
    assert_eq!(seen, [(2, "two".to_owned()), (1, "one".to_owned())]);
    assert_eq!((listed(&volume), read(&volume, "a").unwrap()), (vec!["a".to_owned()], "two".to_owned()));
    wait(volume.delete("a")).unwrap();
    assert_eq!(listed(&volume), [""; 0]);
    wait(volume.restore(made.id)).unwrap();
    assert_eq!((read(&volume, "a").unwrap(), wait(volume.versions(made.id)).unwrap().len()), ("two".to_owned(), 2));
    wait(volume.delete("a")).unwrap();
    wait(volume.purge(made.id)).unwrap();
    assert_eq!((world.used(&volume), world.reservations()), (0, vec![]));
}

fn shared(world: &World, place: &Arc<dyn Provider>) {
    let row = StorageVolume { name: "shared".into(), auto_path_strategy: AutoPathStrategy::Hash, ..world.row() };
    let volume = make(world, place, StorageVolume { default_prefix: Some("shared".into()), ..row });
    let new = |name: &str| wait(volume.put(NewFile::named(name, bytes("same")))).unwrap();
    let (one, two) = (new("1"), new("2"));
    wait(volume.delete(one.id)).unwrap();
    wait(volume.purge(one.id)).unwrap();
    assert_eq!(read(&volume, two.id).unwrap(), "same", "the content goes with the last file that has it");
    wait(volume.delete(two.id)).unwrap();
    wait(volume.purge(two.id)).unwrap();
    assert_eq!((world.used(&volume), world.reservations()), (0, vec![]));
}

#[test]
fn files_of_a_webdav_server() {
    let (runtime, data) = (runtime(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(in_process::webdav(data.path()));
    story("dav-server", Arc::new(WebDav::open(WebDavOptions { url, ..WebDavOptions::default() }).unwrap()));
    for (name, words, path) in [("rclone", &["webdav"][..], ""), ("apache", &["basic"], "dav/")] {
        let Some(server) = Service::start(name, words) else { continue };
        let auth = WebAuth::Basic { user: "user".into(), password: "password".into() };
        let url = format!("http://127.0.0.1:{}/{path}", server.port());
        story(name, Arc::new(WebDav::open(WebDavOptions { url, auth, ..WebDavOptions::default() }).unwrap()));
    }
}

#[test]
fn files_of_an_ftp_server() {
    let (runtime, data) = (runtime(), tempfile::tempdir().unwrap());
    let options = |port| FtpOptions {
        port: Some(port),
        security: FtpSecurity::None,
        ..FtpOptions::new("127.0.0.1", "user", "password")
    };
    let port = runtime.block_on(in_process::ftp(data.path()));
    story("libunftp", Arc::new(runtime.block_on(Ftp::open(options(port))).unwrap()));
    for (name, words) in [("proftpd", &["plain"][..]), ("pyftpdlib", &[])] {
        let Some(server) = Service::start(name, words) else { continue };
        open_to_all(&server.directory().join("data"));
        story(name, Arc::new(runtime.block_on(Ftp::open(options(server.port()))).unwrap()));
    }
}

/// The server may run as another user.
fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn files_of_an_sftp_server() {
    let runtime = runtime();
    for lines in [&[][..], &["Subsystem sftp internal-sftp -P posix-rename,hardlink,fsync,limits,statvfs"]] {
        let Some(server) = Service::start("openssh", lines) else { continue };
        let words: Vec<&str> = server.address.split(' ').collect();
        let key = HostKey::Key(std::fs::read_to_string(server.directory().join("host_ed25519.pub")).unwrap());
        let auth = SftpAuth::KeyFile { path: server.directory().join("user_ed25519"), passphrase: None };
        let root = server.directory().join("data");
        let options = SftpOptions::new("127.0.0.1", words[1], auth).port(words[0].parse().unwrap()).host_key(key);
        let options = options.root(root.as_os_str().as_encoded_bytes());
        story("openssh", Arc::new(runtime.block_on(Sftp::connect(options)).unwrap()));
    }
}

#[test]
fn files_of_a_bucket() {
    for (name, words, keeps) in [("moto", &[][..], false), ("moto", &[], true), ("rclone", &["s3"], false)] {
        let Some(server) = Service::start(name, words) else { continue };
        let address = format!("127.0.0.1:{}", server.port());
        if name == "moto" {
            make_bucket(&address);
            if keeps {
                keep_versions(&address);
            }
        } else {
            std::fs::create_dir_all(server.directory().join("data/bucket")).unwrap();
        }
        let options = S3Options::new(format!("http://{address}"), "bucket", "key", "secret-key");
        story(name, Arc::new(S3::open(options).unwrap()));
    }
}

pub(crate) fn make_bucket(address: &str) {
    tell(address, "PUT /bucket", "");
}

/// Has the bucket keep versions from now on.
pub(crate) fn keep_versions(address: &str) {
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    tell(address, "PUT /bucket?versioning", enabled);
}

fn tell(address: &str, what: &str, body: &str) {
    use std::io::Read as _;
    let who = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0";
    let ask = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {who}\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
