//! One call fails, or all from one on: nothing is torn, nothing is lost, nothing is left behind, nothing is claimed.

use std::path::Path;
use std::sync::Arc;

use portbook::delta::Expect;
use portbook::model::{Kind, Node};
use portbook::provider::local::{Disk as _, Local};
use portbook::provider::simulation::{Fault, FaultDisk, ModelDisk, Op};
use portbook::provider::{Listing, Provider, Trash};
use portbook::{Code, Result};

use crate::contract::{self, content, path, put, stat};

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

type Disk = FaultDisk<ModelDisk>;

fn on(disk: &Disk) -> Local<Disk> {
    Local::open_on(Arc::new(disk.clone()), Path::new("/")).unwrap()
}

/// Replaces a file, keeping the old version, and trashes another.
async fn story(place: &Local<Disk>, old: &Node, other: &Node) -> Result<()> {
    let target = path("f");
    let staged = contract::put_staged(place, contract::new_file(&target, &[b'n'; 9_000])).await?;
    place.flush(vec![target.clone()]).await?;
    contract::publish(place, staged, Expect::Node(old.clone()), Some("run")).await?;
    let gone = Trash { path: path("g"), expect: Expect::Node(other.clone()), label: "run".into() };
    place.trash(vec![gone]).await.remove(0)?;
    place.flush(vec![target, path("g")]).await
}

async fn prepared() -> (Disk, Local<Disk>, Node, Node) {
    let disk = FaultDisk::new(ModelDisk::default());
    let place = on(&disk);
    let old = put(&place, "f", b"old", Expect::Absent).await.unwrap();
    let other = put(&place, "g", b"other", Expect::Absent).await.unwrap();
    (disk, place, old, other)
}

/// Every content that was there is there, and `f` is whole.
async fn nothing_is_lost(place: &Local<Disk>, what: &str) {
    let now = content(place, "f").await;
    let new = now == [b'n'; 9_000];
    assert!(new || now == b"old", "{what}: f holds {} bytes", now.len());
    if new {
        assert_eq!(content(place, ".portbook/trash/run/f").await, b"old", "{what}: the replaced version is lost");
    }
    let kept = if stat(place, "g").await.is_some() { "g" } else { ".portbook/trash/run/g" };
    assert_eq!(content(place, kept).await, b"other", "{what}: the trashed item is lost");
}

#[tokio::test]
async fn no_call_that_fails_loses_anything() {
    for errno in [EIO, ENOSPC, EMFILE, EACCES, EROFS] {
        for n in 1.. {
            let (disk, place, old, other) = prepared().await;
            let before = disk.calls();
            disk.fail_at(before + n, errno);
            let told = story(&place, &old, &other).await;
            let reached = disk.calls() >= before + n;
            disk.heal();
            nothing_is_lost(&on(&disk), &format!("call {n} fails with {errno}: {told:?}")).await;
            if told.is_ok() {
                assert_eq!(content(&place, "f").await, [b'n'; 9_000], "call {n}: it said that it was done");
                assert_eq!(stat(&place, "g").await, None);
            }
            if !reached {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_effect_and_any_loss_after_it_loses_nothing() {
    for n in 1.. {
        let (disk, place, old, other) = prepared().await;
        disk.crash_at(disk.switch().effects() + n);
        let told = story(&place, &old, &other).await;
        for seed in 0..20 {
            let after = FaultDisk::new(disk.inner().crash(seed));
            nothing_is_lost(&on(&after), &format!("crash at effect {n}, seed {seed}")).await;
        }
        if told.is_ok() {
            assert!(n > 10, "the story has effects");
            return;
        }
    }
}

#[tokio::test]
async fn a_failed_stage_leaves_no_temporary_file() {
    for op in [Op::Write, Op::SetMode, Op::SetMtime] {
        let disk = FaultDisk::new(ModelDisk::default());
        let place = on(&disk);
        disk.rule(move |c| (c.op == op).then_some(Fault::HalfThen(ENOSPC)));
        let mut item = contract::new_file(&path("f"), &[1; 50_000]);
        item.metadata.mode = Some(0o600);
        item.metadata.mtime = Some(portbook::model::Timestamp { secs: 1, nanos: 0 });
        assert_eq!(contract::put_staged(&place, item).await.unwrap_err().code(), Code::Quota, "{op:?}");
        let root = disk.inner().open_root(Path::new("/")).unwrap();
        disk.inner().read_dir(&root, |_| false, |name, _| panic!("left behind: {}", name.escape_ascii())).unwrap();
    }
}

#[tokio::test]
async fn short_writes_and_interruptions_change_nothing() {
    let disk = FaultDisk::new(ModelDisk::default());
    let place = on(&disk);
    disk.rule(|c| (c.op == Op::Write).then_some(Fault::Short(333)));
    let mut turn = 0;
    disk.fail_when(
        move |_| {
            turn += 1;
            turn % 2 == 0
        },
        EINTR,
    );
    let bytes: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
    put(&place, "f", &bytes, Expect::Absent).await.unwrap();
    assert_eq!(content(&place, "f").await, bytes);
}

#[tokio::test]
async fn a_failed_flush_is_not_forgotten_until_the_file_is_written_again() {
    for many in [1, 40] {
        let disk = FaultDisk::new(ModelDisk::default());
        let place = on(&disk);
        let names: Vec<_> = (0..many).map(|i| path(&format!("f{i}"))).collect();
        let items = || names.iter().map(|n| contract::new_file(n, b"content")).collect();
        assert!(place.stage(items()).await.iter().all(Result::is_ok));
        disk.fail_when(|c| matches!(c.op, Op::SyncFile | Op::SyncAll), EIO);
        assert!(place.flush(names.clone()).await.is_err());
        disk.heal();
        assert!(place.flush(names.clone()).await.is_err(), "the kernel reports a lost write once");
        assert!(place.stage(items()).await.iter().all(Result::is_ok));
        place.flush(names).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_unknown_and_never_absent() {
    let disk = FaultDisk::new(ModelDisk::default());
    let place = on(&disk);
    place.make_dirs(vec![(path("d"), Default::default())]).await.remove(0).unwrap();
    put(&place, "d/a", b"a", Expect::Absent).await.unwrap();
    put(&place, "d/b", b"b", Expect::Absent).await.unwrap();
    for op in [Op::OpenDir, Op::ReadDir] {
        disk.fail_when(move |c| c.op == op, EACCES);
        let seen = place.list(vec![path("d")]).await.remove(0);
        assert!(matches!(&seen, Listing::Unknown(_) | Listing::Partial(..)), "{op:?}: {seen:?}");
        disk.heal();
    }
    disk.fail_when(|c| c.op == Op::ReadEntry && c.name == b"a", EIO);
    let Listing::Partial(entries, _) = place.list(vec![path("d")]).await.remove(0) else { panic!("not partial") };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].node.kind, Kind::File);
    disk.heal();
    disk.fail_when(|c| c.op == Op::StatAt, EIO);
    assert!(place.stat(vec![path("d/a")]).await.remove(0).is_err());
    disk.heal();
    disk.fail_when(|c| c.op == Op::ReadEntry && c.name == b"a", 2);
    let seen = place.list(vec![path("d")]).await.remove(0);
    assert!(matches!(&seen, Listing::Complete(e) if e.len() == 1), "one that vanished is left out: {seen:?}");
}
