//! What only a real file system can show.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::model::{Kind, Node, RelPath};
use portbook::provider::local::{Disk, Local, OsDisk};
use portbook::provider::simulation::{FaultDisk, Op};
use portbook::provider::{Listing, Move, Pace, Provider, Source, Stage, Staged, Trash};

use crate::contract::{self, content, path, put, stat};

async fn copied<D: Disk>(from: &Local<D>, to: &Local<D>, name: &str, metadata: Metadata) -> portbook::Result<Staged> {
    copied_at(from, to, name, metadata, Pace::default()).await
}

async fn copied_at<D: Disk>(
    from: &Local<D>,
    to: &Local<D>,
    name: &str,
    metadata: Metadata,
    pace: Pace,
) -> portbook::Result<Staged> {
    let expect = stat(from, name).await.unwrap();
    let source = Source::Native { source: from.native_source().unwrap(), path: path(name), expect, pace };
    let item = Stage {
        target: path(name),
        tag: "copy".into(),
        source,
        kind: Kind::File,
        metadata,
        replaces: false,
        resume: None,
    };
    contract::put_staged(to, item).await
}

fn roots() -> (tempfile::TempDir, tempfile::TempDir, Local, Local) {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (left, right) = (Local::open(a.path()).unwrap(), Local::open(b.path()).unwrap());
    (a, b, left, right)
}

/// Every call, on a path whose directory has become a link to a place outside.
#[tokio::test]
async fn no_link_leads_out_of_the_root() {
    let (dir, outside, place, _) = roots();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    place.make_dirs(vec![(path("d"), Metadata::default())]).await.remove(0).unwrap();
    let mine = put(&place, "mine", b"mine", Expect::Absent).await.unwrap();
    let staged = contract::put_staged(&place, contract::new_file(&path("d/x"), b"x")).await.unwrap();
    fs::remove_dir_all(dir.path().join("d")).unwrap();
    symlink(outside.path(), dir.path().join("d")).unwrap();

    assert!(matches!(place.list(vec![path("d")]).await.remove(0), Listing::Absent));
    assert!(matches!(place.list(vec![path("d/deeper")]).await.remove(0), Listing::Unknown(_)));
    assert!(place.stat(vec![path("d/secret")]).await.remove(0).unwrap().is_none());
    assert!(place.hash(vec![path("d/secret")]).await.remove(0).is_err());
    assert!(place.read(&path("d/secret"), None, 0, None).await.is_err());
    assert!(contract::put_staged(&place, contract::new_file(&path("d/new"), b"new")).await.is_err());
    assert!(contract::publish(&place, staged, Expect::Any, None).await.is_err());
    assert!(place.make_dirs(vec![(path("d/sub"), Metadata::default())]).await.remove(0).is_err());
    let into = Move { from: path("mine"), to: path("d/mine"), expect: Expect::Node(mine), through: None };
    assert!(place.move_items(vec![into]).await.remove(0).is_err());
    let out = Move { from: path("d/secret"), to: path("stolen"), expect: Expect::Any, through: None };
    assert!(place.move_items(vec![out]).await.remove(0).is_err());
    let gone = Trash { path: path("d/secret"), expect: Expect::Any, label: "run".into() };
    assert!(place.trash(vec![gone]).await.remove(0).is_err());
    let mode = Metadata { mode: Some(0o777), mtime: None };
    assert!(place.set_metadata(vec![(path("d/secret"), Expect::Any, mode)]).await.remove(0).is_err());
    assert!(place.discard_staged(vec![(path("d/x"), "secret".into())]).await.is_err());

    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing came to the other side");
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(content(&place, "mine").await, b"mine");
}

#[tokio::test]
async fn the_mode_of_a_link_is_never_set_through_it() {
    let (dir, outside, place, _) = roots();
    let file = outside.path().join("file");
    fs::write(&file, b"x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&file, dir.path().join("link")).unwrap();
    let all = Metadata { mode: Some(0o777), mtime: Some(portbook::model::Timestamp { secs: 5, nanos: 0 }) };
    place.set_metadata(vec![(path("link"), Expect::Any, all)]).await.remove(0).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_ne!(fs::metadata(&file).unwrap().mtime(), 5);
}

#[tokio::test]
async fn an_unreadable_file_can_get_a_mode() {
    let (dir, _keep, place, _) = roots();
    fs::write(dir.path().join("f"), b"x").unwrap();
    fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o000)).unwrap();
    let mode = Metadata { mode: Some(0o640), mtime: None };
    let node = place.set_metadata(vec![(path("f"), Expect::Any, mode)]).await.remove(0).unwrap();
    assert_eq!(node.token.mode, Some(0o640));
}

/// They are written past the page cache where the file system can, in pieces that it takes; ends and holes are none.
#[tokio::test]
async fn large_files_arrive_whole_wherever_they_end() {
    use std::os::unix::fs::FileExt as _;
    let (a, b, left, right) = roots();
    let block: Vec<u8> = (0..1_000_003_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, size) in
        [("even", 64 << 20), ("one", (64 << 20) + 1), ("odd", (70 << 20) - 4097), ("holes", (80 << 20) + 5)]
    {
        let file = fs::File::create(a.path().join(name)).unwrap();
        let mut at = 0_u64;
        while at < size {
            let piece = &block[..block.len().min((size - at) as usize)];
            // Every third block of the last is a hole, and none of its borders is one of the disk.
            if name != "holes" || (at / block.len() as u64) % 3 != 1 {
                file.write_all_at(piece, at).unwrap();
            }
            at += piece.len() as u64;
        }
        file.set_len(size).unwrap();
        let staged = copied(&left, &right, name, Metadata::default()).await.unwrap();
        assert_eq!(staged.size, size, "{name}");
        contract::publish(&right, staged.clone(), Expect::Absent, None).await.unwrap();
        let same = Command::new("cmp").arg(a.path().join(name)).arg(b.path().join(name)).output().unwrap();
        assert!(same.status.success(), "{name}: {same:?}");
        assert_eq!(right.hash(vec![path(name)]).await.remove(0).unwrap().content, staged.content, "{name}");
        for root in [a.path(), b.path()] {
            fs::remove_file(root.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_lies_beneath_a_file_or_beyond_a_link() {
    let (dir, outside, place, _) = roots();
    fs::write(dir.path().join("f"), b"x").unwrap();
    fs::create_dir(outside.path().join("d")).unwrap();
    fs::write(outside.path().join("d/x"), b"x").unwrap();
    symlink(outside.path(), dir.path().join("l")).unwrap();
    for at in ["f/x", "f/d/x", "l/d", "l/d/x", "no/d/x"] {
        assert!(place.stat(vec![path(at)]).await.remove(0).unwrap().is_none(), "{at}");
    }
}

#[tokio::test]
async fn sparse_files_stay_sparse() {
    let (dir, other, left, right) = roots();
    let file = fs::File::create(dir.path().join("s")).unwrap();
    for (at, size) in [(1 << 20, 100), (9 << 20, 70_000), ((20 << 20) - 7, 7)] {
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![7_u8; size], at).unwrap();
    }
    file.set_len(40 << 20).unwrap();
    file.sync_all().unwrap();
    let staged = copied(&left, &right, "s", Metadata::default()).await.unwrap();
    contract::publish(&right, staged.clone(), Expect::Absent, None).await.unwrap();
    right.flush(vec![path("s")]).await.unwrap();
    let (old, new) = (fs::metadata(dir.path().join("s")).unwrap(), fs::metadata(other.path().join("s")).unwrap());
    let bytes = fs::read(other.path().join("s")).unwrap();
    assert!(bytes == fs::read(dir.path().join("s")).unwrap(), "the content is the same");
    assert_eq!(staged.content, portbook::identity::ContentHash::of(&bytes));
    if old.blocks() * 512 >= old.len() {
        println!("skipped: the file system makes no holes");
    } else {
        assert!(new.blocks() <= old.blocks() + 64, "{} blocks became {}", old.blocks(), new.blocks());
    }
    assert_eq!(left.hash(vec![path("s")]).await.remove(0).unwrap().content, staged.content);
}

/// With no content, that is. A file system that can share blocks hashes what it shared, and stops there.
#[tokio::test]
async fn a_cancelled_run_copies_no_holes() {
    let (dir, other, left, right) = roots();
    for mib in [1, 8, 300] {
        fs::File::create(dir.path().join("s")).unwrap().set_len(mib << 20).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for to in [&right, &left] {
            let pace = Pace::new([], Arc::clone(&stop));
            stop.store(true, Ordering::Relaxed);
            let staged = copied_at(&left, to, "s", Metadata::default(), pace).await;
            assert_eq!(staged.unwrap_err().code(), Code::Cancelled, "{mib} MiB");
        }
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0, "nothing is left of it");
    }
}

#[tokio::test]
async fn user_attributes_are_carried() {
    let (dir, other, left, right) = roots();
    let file = dir.path().join("f");
    fs::write(&file, b"content").unwrap();
    let set = rustix::fs::setxattr(&file, "user.colour", b"red", rustix::fs::XattrFlags::empty());
    if let Err(e) = set {
        println!("skipped: no attributes here: {e}");
        return;
    }
    rustix::fs::setxattr(&file, "user.empty", b"", rustix::fs::XattrFlags::empty()).unwrap();
    let staged = copied(&left, &right, "f", Metadata::default()).await.unwrap();
    contract::publish(&right, staged, Expect::Absent, None).await.unwrap();
    let mut value = Vec::with_capacity(16);
    let spare = rustix::buffer::spare_capacity(&mut value);
    rustix::fs::getxattr(other.path().join("f"), "user.colour", spare).unwrap();
    assert_eq!(value, b"red");
    let empty = rustix::fs::getxattr(other.path().join("f"), "user.empty", &mut [0_u8; 4][..]).unwrap();
    assert_eq!(empty, 0);
}

#[tokio::test]
async fn reflinks_are_hashed_like_copies() {
    let (dir, _other, left, _right) = roots();
    let bytes: Vec<u8> = (0..(6_u32 << 20)).map(|i| (i * 17 % 251) as u8).collect();
    fs::write(dir.path().join("f"), &bytes).unwrap();
    let probe = Command::new("cp").args(["--reflink=always", "f", "g"]).current_dir(dir.path()).output().unwrap();
    if !probe.status.success() {
        println!("skipped sharing: {}", String::from_utf8_lossy(&probe.stderr).trim());
    }
    let expect = stat(&left, "f").await.unwrap();
    let source =
        Source::Native { source: left.native_source().unwrap(), path: path("f"), expect, pace: Default::default() };
    let (kind, metadata) = (Kind::File, Metadata::default());
    let item = Stage { target: path("h"), tag: "h".into(), source, kind, metadata, replaces: false, resume: None };
    let staged = contract::put_staged(&left, item).await.unwrap();
    assert_eq!(staged.content, portbook::identity::ContentHash::of(&bytes));
}

/// A reader that never stops looking sees the old file or the new one, and always one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_the_old_file_or_the_new_one() {
    let (dir, _keep, place, _) = roots();
    let versions: Vec<Vec<u8>> = (0..2_u8).map(|v| vec![v + 1; 300_000]).collect();
    let mut node = put(&place, "f", &versions[0], Expect::Absent).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (stop, file, versions) = (Arc::clone(&stop), dir.path().join("f"), versions.clone());
        move || {
            let mut reads = 0;
            while !stop.load(Ordering::Relaxed) {
                let seen = fs::read(&file).expect("the name is never missing");
                assert!(versions.contains(&seen), "{} bytes, a part", seen.len());
                reads += 1;
            }
            reads
        }
    });
    for turn in 1..60 {
        let staged = contract::put_staged(&place, contract::new_file(&path("f"), &versions[turn % 2])).await.unwrap();
        let archive = (turn % 3 == 0).then_some("run");
        node = contract::publish(&place, staged, Expect::Node(node), archive).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 10);
}

/// An edit that comes after the check, right before the rename, is kept.
#[tokio::test]
async fn an_edit_at_the_last_moment_is_not_lost() {
    for archive in [None, Some("run")] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultDisk::new(OsDisk::default());
        let place = Local::open_on(Arc::new(disk.clone()), dir.path()).unwrap();
        let node: Node = put(&place, "f", b"old", Expect::Absent).await.unwrap();
        let staged = contract::put_staged(&place, contract::new_file(&path("f"), b"new")).await.unwrap();
        let file = dir.path().join("f");
        let mut edited = false;
        disk.rule(move |call| {
            if call.op == Op::Rename && !edited {
                edited = true;
                fs::write(&file, b"an edit by someone else").unwrap();
            }
            None
        });
        let told = contract::publish(&place, staged, Expect::Node(node.clone()), archive).await;
        assert_eq!(told.unwrap_err().code(), Code::Stale);
        assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"an edit by someone else");
        let gone = Trash { path: path("f"), expect: Expect::Node(node), label: "run".into() };
        assert_eq!(place.trash(vec![gone]).await.remove(0).unwrap_err().code(), Code::Stale);
    }
}

/// The source changes while it is read.
#[tokio::test]
async fn a_source_that_changes_while_it_is_read_is_stale() {
    for size in [100_000, 6 << 20] {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = FaultDisk::new(OsDisk::default());
        let left = Local::open_on(Arc::new(disk.clone()), a.path()).unwrap();
        let right = Local::open_on(Arc::new(disk.clone()), b.path()).unwrap();
        let file = a.path().join("f");
        fs::write(&file, vec![1; size]).unwrap();
        disk.rule(move |call| {
            if matches!(call.op, Op::Write | Op::Reflink) {
                std::os::unix::fs::FileExt::write_all_at(
                    &fs::File::options().write(true).open(&file).unwrap(),
                    b"2",
                    9,
                )
                .unwrap();
            }
            None
        });
        let told = copied(&left, &right, "f", Metadata::default()).await;
        assert_eq!(told.unwrap_err().code(), Code::Stale);
        assert_eq!(fs::read_dir(b.path()).unwrap().count(), 0, "no temporary file is left");
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| Command::new("mount").args(args).arg(dir.path()).output();
    match mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        Ok(out) if out.status.success() => {}
        Ok(out) => return println!("skipped: {}", String::from_utf8_lossy(&out.stderr).trim()),
        Err(e) => return println!("skipped: {e}"),
    }
    let outcome = full(dir.path()).await;
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());
    outcome.unwrap();
}

async fn full(dir: &Path) -> std::result::Result<(), String> {
    let place = Local::open(dir).map_err(|e| e.to_string())?;
    let old = put(&place, "f", &[1; 400_000], Expect::Absent).await.map_err(|e| e.to_string())?;
    for size in [900_000, 3 << 20] {
        let told = contract::put_staged(&place, contract::new_file(&path("f"), &vec![2; size])).await;
        match told {
            Err(e) if e.code() == Code::Quota => {}
            other => return Err(format!("{other:?}")),
        }
    }
    let names: Vec<_> = fs::read_dir(dir).map_err(|e| e.to_string())?.flatten().map(|e| e.file_name()).collect();
    let now = stat(&place, "f").await;
    if names != ["f"] || now != Some(old) { Err(format!("{names:?}, {now:?}")) } else { Ok(()) }
}

#[tokio::test]
async fn a_directory_without_the_right_to_read_it_is_unknown() {
    let (dir, _keep, place, _) = roots();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::set_permissions(dir.path().join("d"), fs::Permissions::from_mode(0o000)).unwrap();
    let seen = place.list(vec![path("d")]).await.remove(0);
    if rustix::process::geteuid().is_root() {
        println!("skipped: root may read everything");
        return;
    }
    assert!(matches!(&seen, Listing::Unknown(e) if e.code() == Code::Permission), "{seen:?}");
}

#[tokio::test]
async fn a_path_longer_than_the_kernel_takes_at_once_is_resolved() {
    let (_dir, _keep, place, _) = roots();
    let part = "a-directory-with-a-rather-long-name-of-sixty-characters-or-so";
    let mut here = RelPath::root();
    for _ in 0..80 {
        here = here.join(&portbook::model::Name::new(part.as_bytes()).unwrap());
        place.make_dirs(vec![(here.clone(), Metadata::default())]).await.remove(0).unwrap();
    }
    let file = here.join(&portbook::model::Name::new(b"file").unwrap());
    assert!(file.as_bytes().len() > 4096);
    put(&place, &file.to_string(), b"deep", Expect::Absent).await.unwrap();
    assert!(matches!(place.list(vec![here]).await.remove(0), Listing::Complete(e) if e.len() == 1));
}
