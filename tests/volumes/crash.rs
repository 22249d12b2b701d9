//! A crash at every side effect of every task, on the disk and in the book, with what a power loss may leave of what was
//! not durable. Whoever comes after finds the state before the task or after it, and nothing else.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use portbook::model::{AutoPathStrategy, Json, Kind, RelPath, StorageVolume, Stored, StoredFile, VersioningMode};
use portbook::provider::local::{Disk as _, Local};
use portbook::provider::simulation::{FaultDisk, ModelDisk, ModelOptions, Op, Switch};
use portbook::provider::{Provider, TEMP_PREFIX};
use portbook::store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store};
use portbook::table::Filter;
use portbook::volume::{FileId, NewFile, Volume};
use portbook::{Book, BookOptions, Code, Result, wait};
use serde_json::json;

use crate::frozen::Frozen;
use crate::world::{World, bytes, claims, put};

claims! {
    a_new_file_is_there_or_not
    a_file_is_replaced_or_not
    a_file_becomes_a_version_or_not
    a_file_becomes_a_version_or_not_without_second_names
    a_file_is_replaced_or_not_without_exchanges
    every_state_of_the_source_is_kept_or_not
    a_version_comes_back_or_not
    a_shared_content_is_there_or_not
    a_further_file_of_a_content_is_there_or_not
    a_file_is_deleted_or_not
    a_file_is_restored_or_not
    a_file_is_purged_or_not
    a_shared_content_is_purged_or_not
    a_full_disk_leaves_nothing
}

type Before = fn(&Volume) -> Option<FileId>;
type Task = fn(&Volume, Option<FileId>) -> Result<()>;

fn a_new_file_is_there_or_not(world: &World) {
    crashes(world, "none", |_| None, |volume, _| put(volume, "deep/down/new", "content").map(drop));
}

fn old(volume: &Volume) -> Option<FileId> {
    Some(put(volume, "d/a", "old").unwrap().id)
}

fn replace(volume: &Volume, _: Option<FileId>) -> Result<()> {
    put(volume, "d/a", "the new one").map(drop)
}

fn a_file_is_replaced_or_not(world: &World) {
    crashes(world, "none", old, replace);
}

fn a_file_becomes_a_version_or_not(world: &World) {
    crashes(world, "target", old, replace);
}

fn a_file_becomes_a_version_or_not_without_second_names(world: &World) {
    let options = ModelOptions { links: false, rename_flags: false, ..ModelOptions::default() };
    crashes_on(world, options, "target", old, replace);
}

fn a_file_is_replaced_or_not_without_exchanges(world: &World) {
    let options = ModelOptions { rename_flags: false, recycle_inodes: true, ..ModelOptions::default() };
    crashes_on(world, options, "none", old, replace);
}

fn every_state_of_the_source_is_kept_or_not(world: &World) {
    crashes(world, "source", old, |volume, _| put(volume, "d/a", "old").map(drop));
}

fn a_version_comes_back_or_not(world: &World) {
    let before: Before = |volume| {
        let id = put(volume, "a", "one").unwrap().id;
        put(volume, "a", "two").unwrap();
        Some(wait(volume.versions(id)).unwrap()[0].id)
    };
    crashes(world, "target", before, |volume, id| wait(volume.restore_version(id.unwrap())).map(drop));
}

fn add(volume: &Volume, _: Option<FileId>) -> Result<()> {
    wait(volume.put(NewFile::named("further", bytes("same")))).map(drop)
}

fn a_shared_content_is_there_or_not(world: &World) {
    crashes(world, "hash", |_| None, add);
}

fn a_further_file_of_a_content_is_there_or_not(world: &World) {
    crashes(world, "hash", |volume| Some(wait(volume.put(NewFile::named("first", bytes("same")))).unwrap().id), add);
}

fn a_file_is_deleted_or_not(world: &World) {
    crashes(world, "none", old, |volume, id| wait(volume.delete(id.unwrap())).map(drop));
}

fn deleted(volume: &Volume) -> Option<FileId> {
    let id = old(volume).unwrap();
    replace(volume, None).unwrap();
    wait(volume.delete(id)).unwrap();
    Some(id)
}

fn a_file_is_restored_or_not(world: &World) {
    crashes(world, "none", deleted, |volume, id| wait(volume.restore(id.unwrap())).map(drop));
}

fn purge(volume: &Volume, id: Option<FileId>) -> Result<()> {
    wait(volume.purge(id.unwrap()))
}

fn a_file_is_purged_or_not(world: &World) {
    crashes(world, "target", deleted, purge);
}

fn a_shared_content_is_purged_or_not(world: &World) {
    let before: Before = |volume| {
        let id = wait(volume.put(NewFile::named("first", bytes("same")))).unwrap().id;
        wait(volume.delete(id)).unwrap();
        Some(id)
    };
    crashes(world, "hash", before, purge);
}

/// The book's store once more. Its connections die with the book that is opened on it.
pub fn store(world: &World) -> Arc<dyn Store> {
    if !world.at.starts_with("postgres") {
        return Arc::new(SqliteStore::open(&world.at, SqliteOptions::default()).unwrap());
    }
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let options = PostgresOptions { connections: 2, ..Default::default() };
    Arc::new(RUNTIME.block_on(PostgresStore::open(&world.at, options)).unwrap())
}

/// A volume on a disk of its own.
fn row(world: &World, name: String, kind: &str) -> StorageVolume {
    let (strategy, mode) = match kind {
        "hash" => (AutoPathStrategy::Hash, VersioningMode::None),
        mode => (AutoPathStrategy::None, VersioningMode::parse(mode).unwrap()),
    };
    StorageVolume { name, config: Json(json!({})), auto_path_strategy: strategy, versioning_mode: mode, ..world.row() }
}

fn on(disk: &ModelDisk) -> Arc<dyn Provider> {
    Arc::new(Local::open_on(Arc::new(disk.clone()), Path::new("/")).unwrap())
}

fn crashes(world: &World, kind: &str, before: Before, task: Task) {
    crashes_on(world, ModelOptions::default(), kind, before, task);
}

fn crashes_on(world: &World, options: ModelOptions, kind: &str, before: Before, task: Task) {
    let prepared = |name: String| prepared(world, options, name, kind, before);
    // How it ends when nothing happens.
    let (disk, volume, id) = prepared("calm".into());
    let start = state(world, &volume);
    task(&volume, id).unwrap();
    let end = state(world, &volume);
    assert_ne!(start, end);
    holds(world, &volume, &disk, "calm");
    let mut points = 0;
    for point in 1.. {
        let (disk, volume, id) = prepared(format!("p{point}"));
        let name = volume.row().row.name.clone();
        let switch = Arc::new(Switch::default());
        let frozen = Arc::new(Frozen::new(store(world), switch.clone()));
        let book = wait(Book::open(BookOptions::store(frozen).clock(world.clock.clone()))).unwrap();
        let session = wait(book.default_session()).unwrap();
        let faulty = FaultDisk::with_switch(disk.clone(), switch.clone());
        let place = Arc::new(Local::open_on(Arc::new(faulty), Path::new("/")).unwrap());
        let doomed = wait(session.volume_on(&name, place)).unwrap();
        let last = switch.effects() + point;
        switch.crash_at(last);
        let answer = task(&doomed, id);
        if switch.effects() < last {
            answer.unwrap();
            break;
        }
        drop((doomed, session, book));
        points += 1;
        // Every fourth time the process alone dies.
        if point % 4 == 3 {
            disk.settle();
        }
        let disk = disk.crash(point);
        world.clock.advance(601);
        let volume = wait(world.session.volume_on(&name, on(&disk))).unwrap();
        let what = format!("{kind}, point {point}, {:?}", answer.as_ref().err().map(ToString::to_string));
        holds(world, &volume, &disk, &what);
        let now = state(world, &volume);
        if answer.is_ok() {
            assert_eq!(now, end, "{what}");
        } else if now != end {
            assert_eq!(now, start, "{what}");
            task(&volume, id).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(state(world, &volume), end, "{what}: again");
            holds(world, &volume, &disk, &what);
        }
    }
    assert!(points > 1, "{points}");
    println!("CRASHES: {kind}: {points} points");
}

fn prepared(
    world: &World,
    options: ModelOptions,
    name: String,
    kind: &str,
    before: Before,
) -> (ModelDisk, Volume, Option<FileId>) {
    let disk = ModelDisk::new(options);
    wait(world.session.rows().create(row(world, name.clone(), kind))).unwrap();
    let volume = wait(world.session.volume_on(name, on(&disk))).unwrap();
    let id = before(&volume);
    disk.settle();
    (disk, volume, id)
}

fn rows(world: &World, volume: &Volume) -> Vec<Stored<StoredFile>> {
    let filter = Filter::all().equal("volume_id", &volume.row().id).with_deleted();
    wait(world.session.rows().list(filter, None, 1000)).unwrap().rows
}

/// Filename, whether it is deleted, whether it is a version, which, and its digest.
type Described = (String, bool, bool, i64, Option<Vec<u8>>);

/// What the book says of a volume, in words that are the same each time.
fn state(world: &World, volume: &Volume) -> Vec<Described> {
    let describe = |file: Stored<StoredFile>| {
        let row = file.row;
        (row.filename, file.is_deleted, row.version_of.is_some(), row.version_no, row.digest)
    };
    let mut all: Vec<_> = rows(world, volume).into_iter().map(describe).collect();
    all.sort();
    all
}

/// Rows and contents agree, nothing else is there but the trash, and all of it is counted.
fn holds(world: &World, volume: &Volume, disk: &ModelDisk, what: &str) {
    let promised: Vec<_> = world.reservations().into_iter().filter(|r| r.row.volume_id == volume.row().id).collect();
    assert_eq!(promised, [], "{what}");
    let (mut expected, mut used) = (Vec::new(), 0);
    for file in rows(world, volume) {
        used += file.row.size;
        expected.push(file.row.digest.expect("what is there is known"));
    }
    let place = on(disk);
    let mut found = Vec::new();
    for path in files(disk) {
        let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
        assert!(!name.contains(std::str::from_utf8(TEMP_PREFIX).unwrap()), "{what}: {name}");
        if !name.starts_with(".portbook/trash/") {
            found.push(wait(place.hash(vec![path])).remove(0).unwrap().content.0.to_vec());
        }
    }
    expected.sort();
    found.sort();
    if volume.row().row.auto_path_strategy == AutoPathStrategy::Hash {
        expected.dedup();
    }
    assert_eq!(found, expected, "{what}: {:?} {:?}", files(disk), rows(world, volume));
    assert_eq!(world.used(volume), used, "{what}");
    assert_eq!(wait(volume.recompute_quotas()).unwrap().volume, used, "{what}");
    for file in rows(world, volume).iter().filter(|f| !f.is_deleted) {
        assert_eq!(crate::world::read(volume, file.id).map(|c| c.len() as i64).ok(), Some(file.row.size), "{what}");
    }
}

/// Every file of the disk, whatever its name.
fn files(disk: &ModelDisk) -> Vec<RelPath> {
    let root = disk.open_root(Path::new("/")).unwrap();
    let (mut found, mut stack) = (Vec::new(), vec![RelPath::root()]);
    while let Some(at) = stack.pop() {
        let name = if at.is_root() { b".".to_vec() } else { at.as_bytes().to_vec() };
        let dir = disk.open_dir(&root, &name).unwrap();
        let each = |name: &[u8], stat: std::io::Result<portbook::provider::local::Stat>| {
            let path = at.join(&portbook::model::Name::new(name).unwrap());
            if stat.unwrap().kind == Kind::Dir { stack.push(path) } else { found.push(path) }
        };
        disk.read_dir(&dir, |_| false, each).unwrap();
    }
    found
}

/// A disk that takes no more at any of its calls: the code says so, and nothing is left.
fn a_full_disk_leaves_nothing(world: &World) {
    let ops = [Op::Create, Op::Write, Op::SyncFile, Op::SyncDir, Op::MakeDir, Op::Rename];
    for (i, op) in ops.into_iter().enumerate() {
        let (disk, volume, _) = prepared(world, ModelOptions::default(), format!("f{i}"), "target", old);
        let start = state(world, &volume);
        let faulty = FaultDisk::new(disk.clone());
        faulty.fail_when(move |call| call.op == op, 28);
        let place = Arc::new(Local::open_on(Arc::new(faulty.clone()), Path::new("/")).unwrap());
        let full = wait(world.session.volume_on(&volume.row().row.name, place)).unwrap();
        for path in ["d/a", "d/new", "deep/down/new"] {
            if op == Op::MakeDir && path == "d/new" {
                continue;
            }
            match put(&full, path, "no room for this") {
                Err(e) => assert!(matches!(e.code(), Code::Quota | Code::Storage), "{op:?} {path}: {e}"),
                Ok(_) => panic!("{op:?} {path}"),
            }
        }
        faulty.heal();
        // What could not be undone on a full disk is, once there is room.
        world.clock.advance(601);
        let volume = wait(world.session.volume_on(&volume.row().row.name, on(&disk))).unwrap();
        holds(world, &volume, &disk, &format!("{op:?}"));
        assert_eq!(state(world, &volume), start, "{op:?}");
    }
}
