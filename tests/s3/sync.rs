//! Whole syncs from a directory to a bucket and from there to another directory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portbook::conduit::{Conduit, ConduitOptions, Place, VerifyOptions};
use portbook::operation::RunReport;
use portbook::provider::s3::{S3, S3Options};
use portbook::{Book, BookOptions, Session, wait};

use crate::places::{Server, said};
use crate::proxy::{Act, Proxy};

struct World {
    dir: tempfile::TempDir,
    session: Session,
    _book: Book,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
        let session = wait(book.default_session()).unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, session, _book: book }
    }

    fn write(&self, name: &str, content: &[u8], secs: u64) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(secs, 123_456_789)).unwrap();
    }

    fn place(&self, name: &str) -> Place {
        Place::Local(self.dir.path().join(name))
    }

    /// What came back is what was there.
    fn assert_same(&self) {
        let (a, b) = (tree(&self.dir.path().join("a")), tree(&self.dir.path().join("b")));
        let shown = |(name, content, time): &Item| (name.clone(), content.len(), *time);
        assert_eq!(a.iter().map(shown).collect::<Vec<_>>(), b.iter().map(shown).collect::<Vec<_>>());
        assert!(a == b, "the contents differ");
    }

    /// Both sides are read and compared.
    fn verify(&self, target: Place) {
        let options = VerifyOptions { checksum: true, ..VerifyOptions::default() };
        let report = wait(self.session.verify(self.place("a"), target, options)).unwrap();
        assert!(report.is_in_step() && report.compared == 9, "{report:?}");
    }

    fn conduit(&self, source: Place, target: Place) -> Conduit {
        wait(self.session.connect(source, target, ConduitOptions::default())).unwrap()
    }
}

fn bucket(options: S3Options) -> Place {
    Place::Provider { key: "s3".into(), provider: Arc::new(S3::open(options).unwrap()) }
}

fn sync(conduit: &Conduit) -> RunReport {
    let report = wait(conduit.sync(Default::default(), Default::default()).finish()).unwrap();
    assert!(report.is_in_step(), "{report:?}");
    report
}

type Item = (String, Vec<u8>, Option<SystemTime>);

/// Paths, contents and times beneath a directory; directories have neither of the last two.
fn tree(root: &Path) -> Vec<Item> {
    let mut found = Vec::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if name == ".portbook" {
                continue;
            }
            if path.is_dir() {
                found.push((name, Vec::new(), None));
                stack.push(path);
            } else {
                let time = path.metadata().unwrap().modified().unwrap();
                found.push((name, std::fs::read(&path).unwrap(), Some(time)));
            }
        }
    }
    found.sort();
    found
}

fn there_and_back(server: &Server, prefix: &str) {
    there_and_back_in(server, server.bucket("bucket"), prefix);
}

fn there_and_back_in(server: &Server, options: S3Options, prefix: &str) {
    let world = World::new();
    let large: Vec<u8> = (0..20 << 20).map(|i: u32| (i % 249) as u8).collect();
    for (name, content) in [
        ("plain", &b"plain"[..]),
        ("empty", b""),
        ("d/e/deep", b"deep"),
        ("d/odd + name%20 \u{fc}&<>'", b"odd"),
        ("large", &large),
    ] {
        world.write(&format!("a/{name}"), content, 1_500_000_000);
    }
    std::fs::create_dir_all(world.dir.path().join("a/hollow/inner")).unwrap();
    let proxy = Proxy::start(Some(server.address()), |_| Act::Forward);
    let is_plain = options.endpoint.starts_with("http:") && options.path_style;
    let watched = if is_plain { proxy.options() } else { options };
    let watched = S3Options { prefix: prefix.into(), ..watched };
    let place = || bucket(watched.clone());
    let up = world.conduit(world.place("a"), place());
    assert_eq!(sync(&up).counts.new, 9);
    let before = proxy.seen().len();
    let quiet = sync(&up);
    assert!(quiet.counts.is_quiet() && quiet.bytes == 0, "{quiet:?}");
    let asked = &proxy.seen()[before..];
    assert!(asked.iter().all(|asked| asked.method == "GET"), "{asked:?}");
    world.verify(place());
    let down = world.conduit(place(), world.place("b"));
    assert_eq!(sync(&down).counts.new, 9);
    world.assert_same();
    world.write("a/plain", b"edited", 1_600_000_000);
    std::fs::remove_file(world.dir.path().join("a/d/e/deep")).unwrap();
    std::fs::rename(world.dir.path().join("a/empty"), world.dir.path().join("a/renamed")).unwrap();
    let changed = sync(&up);
    assert_eq!((changed.counts.updated, changed.counts.deleted), (1, 1), "{changed:?}");
    assert!(sync(&up).counts.is_quiet());
    sync(&down);
    world.assert_same();
    assert!(sync(&down).counts.is_quiet());
}

#[test]
fn moto_holds_what_a_directory_held() {
    let Some(server) = Server::moto() else { return };
    there_and_back(&server, "");
}

#[test]
fn a_directory_of_a_bucket_holds_what_a_directory_held() {
    let Some(server) = Server::moto() else { return };
    there_and_back(&server, "some/where");
}

#[test]
fn rclone_holds_what_a_directory_held() {
    let Some(server) = Server::rclone() else { return };
    there_and_back(&server, "");
}

#[test]
fn a_bucket_that_is_a_host_holds_what_a_directory_held() {
    let Some(server) = Server::moto() else { return };
    there_and_back(&server.secured().hosted(), "some/where");
}

#[test]
fn a_bucket_that_is_a_host_of_rclone_holds_what_a_directory_held() {
    let Some(server) = Server::rclone_of_hosts() else { return };
    there_and_back(&server.secured(), "");
}

#[test]
fn a_bucket_with_versions_holds_what_a_directory_held() {
    let Some(server) = Server::moto() else { return };
    there_and_back_in(&server, server.versioned("bucket"), "");
}

#[test]
fn the_upload_of_another_program_to_a_key_stays_whatever_is_synced_there() {
    let Some(server) = Server::moto() else { return };
    let options = server.bucket("bucket");
    let begun = said(&server.address(), "POST", "/bucket/large?uploads", b"");
    let (_, id) = begun.split_once("<UploadId>").unwrap();
    let (id, _) = id.split_once("</UploadId>").unwrap();
    // To moto every upload is of the year 2010; its part is of now.
    let part = said(&server.address(), "PUT", &format!("/bucket/large?partNumber=1&uploadId={id}"), &[7; 5 << 20]);
    assert!(part.starts_with("HTTP/1.1 200"), "{part}");
    let world = World::new();
    let up = world.conduit(world.place("a"), bucket(options));
    for (round, size) in [17 << 20, 18 << 20].into_iter().enumerate() {
        world.write("a/large", &vec![round as u8; size], 1_500_000_000 + round as u64);
        sync(&up);
    }
    let left = said(&server.address(), "GET", "/bucket?uploads", b"");
    assert_eq!((left.matches("<Upload>").count(), left.matches(id).count()), (1, 1), "{left}");
}
