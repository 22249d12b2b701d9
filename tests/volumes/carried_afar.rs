//! Conduits that end on a volume across a network: the same rows, rooms and versions.

use std::path::Path;
use std::sync::Arc;

use portbook::conduit::Place;
use portbook::model::{StorageVolume, SyncMode, VersioningMode};
use portbook::provider::{Access, Address};
use portbook::{Book, BookOptions, Code, wait};

use crate::carried::{Ground, all_rows, run, tree, write};
use crate::counting::Counting;
use crate::crash::store;
use crate::drivers::{keep_versions, make_bucket};
use crate::in_process;
use crate::service::Service;
use crate::world::{World, claims, read};

claims! {
    on_a_webdav_server
    on_an_ftp_server
    on_an_sftp_server
    on_a_bucket
    on_a_bucket_with_versions
    statements_are_by_the_batch
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn on_a_webdav_server(world: &World) {
    let (runtime, data) = (runtime(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(in_process::webdav(data.path()));
    story(world, data.path(), &url.replace("http://", "dav://"), Access::default());
}

fn on_an_ftp_server(world: &World) {
    let (runtime, data) = (runtime(), tempfile::tempdir().unwrap());
    let port = runtime.block_on(in_process::ftp(data.path()));
    let access =
        Access { user: Some("user".into()), password: Some("password".into()), plain: true, ..Access::default() };
    story(world, data.path(), &format!("ftp://127.0.0.1:{port}/"), access);
}

fn on_an_sftp_server(world: &World) {
    let Some(server) = Service::start("openssh", &[]) else { return };
    let words: Vec<&str> = server.address.split(' ').collect();
    let key = std::fs::read_to_string(server.directory().join("host_ed25519.pub")).unwrap();
    let key_file = Some(server.directory().join("user_ed25519"));
    let access = Access { host_key: Some(key), key_file, ..Access::default() };
    let data = server.directory().join("data");
    story(world, &data, &format!("sftp://{}@127.0.0.1:{}{}", words[1], words[0], data.display()), access);
}

fn on_a_bucket(world: &World) {
    bucket(world, DIRECTORY, false);
}

/// In a bucket with versions moto goes on to list directories in which all was deleted.
fn on_a_bucket_with_versions(world: &World) {
    bucket(world, FILE, true);
}

/// What is renamed, from where and to where, and where it brings `d/b`.
type Renamed = [&'static str; 3];
const DIRECTORY: Renamed = ["d", "moved", "moved/b \u{fc}%.txt"];
const FILE: Renamed = ["d/b \u{fc}%.txt", "d/moved", "d/moved"];

fn bucket(world: &World, renamed: Renamed, keeps_versions: bool) {
    let Some(server) = Service::start("moto", &[]) else { return };
    let address = format!("127.0.0.1:{}", server.port());
    make_bucket(&address);
    if keeps_versions {
        keep_versions(&address);
    }
    let access = Access {
        endpoint: Some(format!("http://{address}")),
        user: Some("key".into()),
        password: Some("secret-key".into()),
        path_style: Some(true),
        ..Access::default()
    };
    story_of(world, None, "s3://bucket", access, renamed);
}

/// `data` is the directory behind the volume.
fn story(world: &World, data: &Path, address: &str, access: Access) {
    story_of(world, Some(data), address, access, DIRECTORY);
}

/// As [`story`]; where no directory is behind the volume, what is edited there is edited here, and looked at here.
fn story_of(world: &World, data: Option<&Path>, address: &str, access: Access, [from, to, b_after]: Renamed) {
    let address: Address = address.parse().unwrap();
    let id = wait(world.session.save_volume("afar", address, access)).unwrap();
    let rows = world.session.rows::<StorageVolume>();
    let change = |change: fn(&mut StorageVolume)| {
        let mut row = wait(rows.get(id)).unwrap();
        change(&mut row.row);
        wait(rows.update(row)).unwrap();
    };
    change(|row| {
        row.default_prefix = Some("data".into());
        row.versioning_mode = VersioningMode::Target;
    });
    let volume = wait(world.session.volume("afar")).unwrap();
    let here = world.dir.path().join("here");
    let there = data.map_or(here.clone(), |data| data.join("data/p"));
    std::fs::create_dir_all(&here).unwrap();
    let ground = Ground { world, volume, here, there, prefix: "data/p".into() };
    write(&ground.here, &[("a", "one"), ("d/b \u{fc}%.txt", "two"), ("d/e/c", "three"), ("gone", "gone")]);
    ground.both();
    ground.agrees();
    let (a, b) = (ground.rows()["a"].id, ground.rows()["d/b \u{fc}%.txt"].id);
    assert_eq!(read(&ground.volume, b).unwrap(), "two");
    // Edits on both sides, something that moves, a file that goes.
    write(&ground.here, &[("a", "one, edited")]);
    write(&ground.there, &[("d/e/c", "three, edited there"), ("new there", "four")]);
    std::fs::rename(ground.here.join(from), ground.here.join(to)).unwrap();
    std::fs::remove_file(ground.there.join("gone")).unwrap();
    ground.both();
    ground.agrees();
    assert_eq!(tree(&ground.here), tree(&ground.there));
    assert_eq!((ground.rows()["a"].id, ground.rows()[b_after].id), (a, b));
    let versions = wait(ground.volume.versions(a)).unwrap();
    assert_eq!((versions.len(), read(&ground.volume, versions[0].id).unwrap()), (1, "one".to_owned()));
    // What a run deletes comes back as long as it has versions.
    std::fs::remove_file(ground.here.join("a")).unwrap();
    ground.both();
    ground.agrees();
    wait(ground.volume.restore(a)).unwrap();
    ground.both();
    assert_eq!(std::fs::read_to_string(ground.here.join("a")).unwrap(), "one, edited");
    ground.agrees();
    // What is edited there has no version of before; a bucket is edited from here, by a run that makes one.
    let versions = if data.is_some() { 1 } else { 2 };
    assert_eq!(all_rows(world, &ground.volume).len(), 4 + versions, "four files and their versions");
    // No more room than this.
    change(|row| row.quota_limit = Some(row.quota_used + 10));
    write(&ground.here, &[("more", "0123456789a"), ("fits", "0123456789")]);
    let report = run(&world.session, Place::Local(ground.here.clone()), ground.place(), SyncMode::Mirror);
    assert_eq!(
        report.failures.iter().map(|f| (f.path.as_str(), f.error.code())).collect::<Vec<_>>(),
        [("more", Code::Quota)]
    );
    assert!(data.is_none() || !ground.there.join("more").exists());
    std::fs::remove_file(ground.here.join("more")).unwrap();
    ground.agrees();
}

/// Three times as many files in one batch are three times as many pieces of 256, not files.
fn statements_are_by_the_batch(world: &World) {
    let counting = Arc::new(Counting::new(store(world)));
    let book = wait(Book::open(BookOptions::store(counting.clone()).clock(world.clock.clone()))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let ground = Ground::plain(world);
    // How many more than between two bare directories.
    let more = |files: usize| {
        let here = world.dir.path().join(format!("from-{files}"));
        let names: Vec<(String, String)> = (0..files).map(|n| (format!("{n}"), format!("{n}"))).collect();
        write(&here, &names.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect::<Vec<_>>());
        let statements = |target: Place| {
            let before = counting.statements();
            run(&session, Place::Local(here.clone()), target, SyncMode::Mirror);
            counting.statements() - before
        };
        let bare = statements(Place::Local(world.dir.path().join(format!("bare-{files}"))));
        statements(wait(session.place("v", format!("to-{files}"))).unwrap()).saturating_sub(bare)
    };
    std::fs::create_dir_all(world.root().join("data")).unwrap();
    let (few, many) = (more(200), more(600));
    assert!((1..=16).contains(&few), "{few}");
    assert!(many <= few + 12, "{few} and {many}");
    assert_eq!(all_rows(world, &ground.volume).len(), 800);
    drop((session, book));
}
