//! Room: refused before a byte moves, promised, renewed, counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portbook::model::{
    AppQuota, AutoPathStrategy, Id, Moment, QuotaReservation, StorageVolume, StoredFile, UserQuota, VersioningMode,
};
use portbook::provider::{Feed, Opened};
use portbook::table::Filter;
use portbook::volume::{Content, NewFile, Volume};
use portbook::{Code, Result, wait};
use tokio::sync::Notify;

use crate::world::{World, bytes, claims, code, put, read};

claims! {
    over_quota_nothing_moves
    each_limit_is_kept
    a_source_that_lies_is_refused_as_it_exceeds
    a_promise_is_renewed_while_bytes_move
    what_others_were_promised_is_not_given_away
    a_put_whose_promise_ran_out_leaves_nothing
    quotas_are_counted_anew
    a_host_does_not_write_an_old_count_back
    threads_never_get_the_same_room
}

fn limited(world: &World, limit: i64) -> Volume {
    world.make(StorageVolume { quota_limit: Some(limit), ..world.row() })
}

/// A source that declares a size, counts how often it is opened, and may wait in the middle.
#[derive(Default)]
struct Told {
    declared: u64,
    pieces: Vec<&'static str>,
    opened: AtomicUsize,
    /// Before the last piece.
    gate: Option<Arc<Notify>>,
}

#[async_trait]
impl Feed for Told {
    fn size(&self) -> u64 {
        self.declared
    }

    async fn open(&self, _: u64, _: Option<u64>) -> Result<Opened> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (last, gate) = (self.pieces.len().saturating_sub(1), self.gate.clone());
        let pieces = stream::iter(self.pieces.clone()).enumerate().then(move |(i, piece)| {
            let gate = gate.clone().filter(|_| i == last);
            async move {
                if let Some(gate) = gate {
                    gate.notified().await;
                }
                Ok(Bytes::from_static(piece.as_bytes()))
            }
        });
        Ok(Opened { bytes: pieces.boxed(), mtime: None })
    }
}

fn fed(path: &str, feed: &Arc<Told>) -> NewFile {
    NewFile::at(path, Content::Feed(feed.clone()))
}

fn over_quota_nothing_moves(world: &World) {
    let volume = limited(world, 10);
    put(&volume, "a", "12345678").unwrap();
    let feed = Arc::new(Told { declared: 3, pieces: vec!["123"], ..Told::default() });
    let refused = wait(volume.put(fed("b", &feed))).unwrap_err();
    assert_eq!(refused.code(), Code::Quota);
    assert_eq!(feed.opened.load(Ordering::SeqCst), 0);
    assert!(refused.to_string().contains("the volume may hold 10, holds 8"), "{refused}");
    put(&volume, "b", "12").unwrap();
    put(&volume, "nothing", "").unwrap();
    assert_eq!(world.used(&volume), 10);
    world.settled(&volume);
    // Where the path is made of the content, that is not read for nothing.
    let auto_path_strategy = AutoPathStrategy::Hash;
    let hashed = StorageVolume { name: "hashed".into(), auto_path_strategy, quota_limit: Some(2), ..world.row() };
    let hashed = world.make(hashed);
    assert_eq!(code(wait(hashed.put(NewFile { path: None, ..fed("b", &feed) }))), Code::Quota);
    assert_eq!(feed.opened.load(Ordering::SeqCst), 0);
}

fn each_limit_is_kept(world: &World) {
    let volume = limited(world, 100);
    let user = put(&volume, "a", "12345").unwrap().row.user_id.unwrap();
    let (other, other_user) = world.another("other");
    let other = wait(other.volume("v")).unwrap();
    let quota = |user_id, quota_limit| UserQuota { user_id, volume_id: volume.row().id, quota_limit, quota_used: 0 };
    let users = world.session.rows::<UserQuota>();
    wait(users.create_all(vec![quota(user, Some(8)), quota(other_user, None)])).unwrap();
    let app = AppQuota { app_id: "chat".into(), volume_id: volume.row().id, quota_limit: Some(6), quota_used: 0 };
    let app = wait(world.session.rows::<AppQuota>().create(app)).unwrap();
    wait(volume.recompute_quotas()).unwrap();
    assert_eq!(code(put(&volume, "b", "1234")), Code::Quota);
    put(&volume, "b", "123").unwrap();
    put(&other, "b", "1234567890").unwrap();
    let of_app =
        |path: &str, content: &str| wait(volume.put(NewFile::at(path, bytes(content)).of_app("chat"))).map(drop);
    of_app("c", "12345").unwrap();
    let refused = of_app("d", "12").unwrap_err();
    assert_eq!(refused.code(), Code::Quota);
    assert!(refused.to_string().contains("the app may hold 6, holds 5"), "{refused}");
    // A file of a user that an app owns counts for both.
    let file = NewFile { app_id: Some("chat".into()), ..NewFile::at("e", bytes("1")) };
    assert_eq!(code(wait(volume.put(file.clone()))), Code::Quota, "the user has no room");
    wait(other.put(file)).unwrap();
    let used = |user| {
        let page = wait(users.list(Filter::all().equal("user_id", &user), None, 10)).unwrap();
        page.rows[0].row.quota_used
    };
    assert_eq!((used(user), used(other_user)), (8, 11));
    assert_eq!(wait(world.session.rows::<AppQuota>().get(app.id)).unwrap().row.quota_used, 6);
    wait(volume.delete("a")).unwrap();
    assert_eq!(used(user), 8);
    let deleted = wait(volume.list_deleted(None, 1)).unwrap().files[0].id;
    wait(volume.purge(deleted)).unwrap();
    assert_eq!((used(user), world.used(&volume)), (3, 19));
}

fn a_source_that_lies_is_refused_as_it_exceeds(world: &World) {
    let volume = limited(world, 10);
    for (declared, pieces) in [(3, vec!["12", "34", "never"]), (5, vec!["12"]), (0, vec!["1"]), (2_000_000, vec!["1"])]
    {
        let feed = Arc::new(Told { declared: declared.min(9), pieces, ..Told::default() });
        assert_eq!(code(wait(volume.put(fed("a", &feed)))), Code::Stale);
        assert_eq!(world.tree(), []);
        world.settled(&volume);
    }
    for declared in [u64::MAX, 1 << 53] {
        let feed = Arc::new(Told { declared, ..Told::default() });
        assert_eq!(code(wait(volume.put(fed("a", &feed)))), Code::Invalid, "a size that is not known");
    }
    world.settled(&volume);
}

fn a_promise_is_renewed_while_bytes_move(world: &World) {
    let volume = limited(world, 10).promising(Duration::from_millis(300));
    let gate = Arc::new(Notify::new());
    let feed = Arc::new(Told { declared: 6, pieces: vec!["abc", "def"], gate: Some(gate.clone()), ..Told::default() });
    let putting = std::thread::spawn({
        let (volume, feed) = (volume.clone(), feed.clone());
        move || wait(volume.put(fed("a", &feed)))
    });
    let expiry = || world.reservations().first().map(|r| r.row.expires_at);
    let mut seen: Vec<Moment> = Vec::new();
    while seen.len() < 4 {
        if let Some(moment) = expiry().filter(|moment| seen.last() != Some(moment)) {
            seen.push(moment);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(seen.is_sorted());
    let listed = wait(volume.list_deleted(None, 10)).unwrap();
    assert_eq!(listed.files, [], "what is only meant is not there");
    gate.notify_one();
    putting.join().unwrap().unwrap();
    world.settled(&volume);
}

fn what_others_were_promised_is_not_given_away(world: &World) {
    let volume = limited(world, 10);
    let gate = Arc::new(Notify::new());
    let feed = Arc::new(Told { declared: 6, pieces: vec!["abc", "def"], gate: Some(gate.clone()), ..Told::default() });
    let putting = std::thread::spawn({
        let (volume, feed) = (volume.clone(), feed.clone());
        move || wait(volume.put(fed("a", &feed)))
    });
    while feed.opened.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(code(put(&volume, "b", "12345")), Code::Quota);
    assert_eq!(code(put(&volume, "a", "1")), Code::Busy, "another has that path");
    put(&volume, "b", "1234").unwrap();
    let meant = world.reservations()[0].id;
    for refused in [wait(volume.stat(Id::<StoredFile>::new(meant.0))), wait(volume.restore(Id::new(meant.0)))] {
        assert_eq!(code(refused), Code::NotFound);
    }
    assert_eq!(wait(volume.recompute_quotas()).unwrap().volume, 4, "what is only meant does not count");
    gate.notify_one();
    putting.join().unwrap().unwrap();
    assert_eq!(world.used(&volume), 10);
    world.settled(&volume);
    // A host's own promise counts as well, until it expires.
    let host = QuotaReservation {
        volume_id: volume.row().id,
        user_id: None,
        app_id: None,
        bytes: 5,
        owner: "host".into(),
        expires_at: Moment(chrono::Utc::now().timestamp_micros() + 60_000_000),
    };
    wait(volume.delete("a")).unwrap();
    let a = wait(volume.list_deleted(None, 1)).unwrap().files[0].id;
    wait(volume.purge(a)).unwrap();
    wait(world.session.rows().create(host)).unwrap();
    assert_eq!(code(put(&volume, "c", "12")), Code::Quota);
    world.clock.advance(61);
    put(&volume, "c", "12").unwrap();
    assert_eq!(wait(world.book.maintain()).unwrap().reservations, 1);
    world.settled(&volume);
}

fn a_put_whose_promise_ran_out_leaves_nothing(world: &World) {
    let volume = limited(world, 10);
    put(&volume, "a", "before").unwrap();
    let gate = Arc::new(Notify::new());
    let feed = Arc::new(Told { declared: 4, pieces: vec!["ab", "cd"], gate: Some(gate.clone()), ..Told::default() });
    let putting = std::thread::spawn({
        let (volume, feed) = (volume.clone(), feed.clone());
        move || wait(volume.put(fed("a", &feed)))
    });
    while feed.opened.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The machine slept for longer than room stays promised, and another took the path over.
    world.clock.advance(601);
    put(&volume, "a", "between").unwrap();
    gate.notify_one();
    assert_eq!(code(putting.join().unwrap()), Code::Conflict);
    assert_eq!(read(&volume, "a").unwrap(), "between");
    world.settled(&volume);
}

fn quotas_are_counted_anew(world: &World) {
    let volume = world.versioned(VersioningMode::Target);
    let user = put(&volume, "a", "1").unwrap().row.user_id.unwrap();
    put(&volume, "a", "22").unwrap();
    put(&volume, "b", "333").unwrap();
    wait(volume.delete("b")).unwrap();
    let quota = UserQuota { user_id: user, volume_id: volume.row().id, quota_limit: None, quota_used: 77 };
    wait(world.session.rows::<UserQuota>().create(quota)).unwrap();
    let mut row = wait(world.session.rows::<StorageVolume>().get(volume.row().id)).unwrap();
    row.row.quota_used = 99;
    wait(world.session.rows().update(row)).unwrap();
    let usage = wait(volume.recompute_quotas()).unwrap();
    assert_eq!((usage.volume, usage.users[0].row.quota_used, usage.apps.len()), (6, 6, 0));
    world.settled(&volume);
}

fn a_host_does_not_write_an_old_count_back(world: &World) {
    let volume = limited(world, 10);
    let mut row = wait(world.session.rows::<StorageVolume>().get(volume.row().id)).unwrap();
    put(&volume, "a", "12345").unwrap();
    row.row.quota_limit = Some(20);
    assert_eq!(code(wait(world.session.rows().update(row))), Code::Stale);
    assert_eq!(world.used(&volume), 5);
}

fn threads_never_get_the_same_room(world: &World) {
    let volume = limited(world, 100);
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(Mutex::new(0));
    let putting: Vec<_> = (0..8)
        .map(|i| {
            let (volume, over, done) = (volume.clone(), over.clone(), done.clone());
            std::thread::spawn(move || {
                for n in 0..5 {
                    match put(&volume, &format!("{i}-{n}"), "1234567") {
                        Ok(_) => *done.lock().unwrap() += 1,
                        Err(e) if e.code() == Code::Quota => over.store(true, Ordering::SeqCst),
                        Err(e) => panic!("{e}"),
                    }
                }
            })
        })
        .collect();
    putting.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(over.load(Ordering::SeqCst));
    assert_eq!((*done.lock().unwrap(), world.used(&volume)), (14, 98), "as many as there is room for");
    world.settled(&volume);
}
