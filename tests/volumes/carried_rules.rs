//! Quotas and versions hold for what runs carry, whoever dies meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portbook::conduit::Place;
use portbook::model::{StorageVolume, SyncMode, UserQuota, VersioningMode};
use portbook::operation::RunReport;
use portbook::provider::simulation::Switch;
use portbook::store::PostgresOptions;
use portbook::volume::Volume;
use portbook::{Book, BookOptions, Code, Error, wait};
use serde::{Deserialize, Serialize};

use crate::carried::{Ground, all_rows, counted, me, run, tree, try_run, write};
use crate::crash::store;
use crate::frozen::Frozen;
use crate::world::{World, claims, code, put, read, trash};

claims! {
    what_does_not_fit_is_refused_and_the_others_go_on
    each_limit_is_named
    what_is_overwritten_gives_its_room_back
    room_that_is_promised_to_others_is_not_taken
    what_a_run_overwrites_becomes_a_version
    in_source_every_state_is_kept
    what_has_versions_can_be_restored_after_a_run_deletes_it
    versions_of_what_no_row_knew
    eight_runs_never_take_more_than_there_is
    a_run_that_dies_in_the_book_is_made_good_by_the_next
    killed_runs_leak_nothing
    upkeep_empties_the_trash_of_a_place
}

fn limit(volume: &Volume, world: &World, quota_limit: Option<i64>) {
    let rows = world.session.rows::<StorageVolume>();
    let mut row = wait(rows.get(volume.row().id)).unwrap();
    row.row.quota_limit = quota_limit;
    wait(rows.update(row)).unwrap();
}

/// A run from here to the volume in which something is refused.
fn refused(ground: &Ground<'_>) -> (RunReport, Vec<(String, Error)>) {
    let here = Place::Local(ground.here.clone());
    let report = run(&ground.world.session, here, ground.place(), SyncMode::Mirror);
    let mut failures: Vec<_> = report.failures.iter().map(|f| (f.path.clone(), f.error.clone())).collect();
    failures.sort_by(|a, b| a.0.cmp(&b.0));
    (report, failures)
}

fn what_does_not_fit_is_refused_and_the_others_go_on(world: &World) {
    let ground = Ground::new(world, StorageVolume { quota_limit: Some(100), ..world.row() }, "p");
    write(&ground.here, &[("a", &"a".repeat(60)), ("gone", "gone"), ("d/empty", "")]);
    ground.mirror();
    write(&ground.here, &[("a", &"b".repeat(200)), ("b", &"b".repeat(30)), ("c", &"c".repeat(30)), ("d/e/f", "fits!")]);
    write(&ground.here, &[("d/empty2", ""), ("z", "z")]);
    std::fs::remove_file(ground.here.join("gone")).unwrap();
    let (report, failures) = refused(&ground);
    let paths: Vec<_> = failures.iter().map(|(path, error)| (path.as_str(), error.code())).collect();
    assert_eq!(paths, [("a", Code::Quota), ("c", Code::Quota)]);
    let words = failures[0].1.to_string();
    assert!(words.contains("it has 140 bytes, and the volume may hold 100, holds 64"), "{words}");
    assert_eq!((report.counts.failed, report.counts.deleted, report.counts.new), (2, 1, 5), "{report:?}");
    let now: Vec<_> = tree(&ground.there).into_iter().map(|(path, content)| (path, content.len())).collect();
    let expected = [("a", 60), ("b", 30), ("d/e/f", 5), ("d/empty", 0), ("d/empty2", 0), ("z", 1)];
    assert_eq!(now, expected.map(|(path, size)| (path.to_owned(), size)));
    ground.agrees();
    assert!(trash(world).is_empty(), "what is refused moves nothing");
    // With more room the next run carries the rest.
    limit(&ground.volume, world, Some(266));
    assert_eq!(ground.mirror().counts.failed, 0);
    ground.agrees();
    assert_eq!(world.used(&ground.volume), 266);
    // A volume that holds more than it may takes what needs no room, and gives room back.
    limit(&ground.volume, world, Some(10));
    write(&ground.here, &[("a", "smaller"), ("more", "no")]);
    let (_, failures) = refused(&ground);
    assert_eq!(failures.len(), 1);
    assert_eq!(world.used(&ground.volume), 66 + 7);
    ground.agrees();
}

fn each_limit_is_named(world: &World) {
    let ground = Ground::plain(world);
    let quota =
        UserQuota { user_id: me(world), volume_id: ground.volume.row().id, quota_limit: Some(5), quota_used: 0 };
    wait(world.session.rows().create(quota)).unwrap();
    write(&ground.here, &[("a", "123"), ("b", "123456"), ("c", "12")]);
    let (_, failures) = refused(&ground);
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].1.to_string().contains("the user may hold 5, holds 0 and is to get 3 more"),
        "{}",
        failures[0].1
    );
    ground.agrees();
    // A file counts against the user whose it is, whoever writes it.
    let (other, user) = world.another("other");
    write(&ground.here, &[("a", "1234567"), ("b", "new")]);
    let report = run(&other, Place::Local(ground.here.clone()), ground.place(), SyncMode::Mirror);
    assert_eq!(report.failures.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(ground.rows()["b"].row.user_id, Some(user));
    ground.agrees();
    // What is closed is not used.
    let place = ground.place();
    let rows = world.session.rows::<StorageVolume>();
    let mut row = wait(rows.get(ground.volume.row().id)).unwrap();
    row.row.is_active = false;
    wait(rows.update(row)).unwrap();
    let here = Place::Local(ground.here.clone());
    assert_eq!(code(try_run(&world.session, here, place, SyncMode::Mirror)), Code::Invalid);
}

fn what_is_overwritten_gives_its_room_back(world: &World) {
    let ground = Ground::new(world, StorageVolume { quota_limit: Some(100), ..world.row() }, "p");
    write(&ground.here, &[("a", &"a".repeat(100))]);
    ground.mirror();
    write(&ground.here, &[("a", &"b".repeat(100))]);
    ground.mirror();
    ground.agrees();
    // A version takes room beside what comes.
    let versioned = StorageVolume { name: "w".into(), versioning_mode: VersioningMode::Target, ..world.row() };
    let versioned = Ground::new(world, StorageVolume { quota_limit: Some(150), ..versioned }, "q");
    std::fs::write(versioned.here.join("a"), "a".repeat(100)).unwrap();
    versioned.mirror();
    std::fs::write(versioned.here.join("a"), "c".repeat(51)).unwrap();
    let (_, failures) = refused(&versioned);
    assert_eq!(failures.len(), 1);
    std::fs::write(versioned.here.join("a"), "c".repeat(50)).unwrap();
    versioned.mirror();
    assert_eq!(world.used(&versioned.volume), 150);
    versioned.agrees();
}

fn room_that_is_promised_to_others_is_not_taken(world: &World) {
    let ground = Ground::new(world, StorageVolume { quota_limit: Some(100), ..world.row() }, "p");
    let promise = portbook::model::QuotaReservation {
        volume_id: ground.volume.row().id,
        user_id: None,
        app_id: None,
        bytes: 60,
        owner: "the host's own".into(),
        expires_at: portbook::model::Moment(
            (portbook::operation::Clock::now(&*world.clock).timestamp() + 60) * 1_000_000,
        ),
    };
    wait(world.session.rows().create(promise)).unwrap();
    write(&ground.here, &[("a", &"a".repeat(50))]);
    let (_, failures) = refused(&ground);
    assert!(failures[0].1.to_string().contains("holds 0 and is to get 60 more"), "{}", failures[0].1);
    world.clock.advance(61);
    ground.mirror();
    wait(world.book.maintain()).unwrap();
    ground.agrees();
}

fn versioned<'a>(world: &'a World, mode: VersioningMode) -> Ground<'a> {
    let prefix = Some("data".into());
    Ground::new(world, StorageVolume { versioning_mode: mode, default_prefix: prefix, ..world.row() }, "p")
}

/// The versions of a file: number and content, the latest first.
fn versions(ground: &Ground<'_>, path: &str) -> Vec<(i64, String)> {
    let versions = wait(ground.volume.versions(ground.rows()[path].id)).unwrap();
    versions.iter().map(|v| (v.row.version_no, read(&ground.volume, v.id).unwrap())).collect()
}

fn words(versions: &[(i64, &str)]) -> Vec<(i64, String)> {
    versions.iter().map(|(number, content)| (*number, (*content).to_owned())).collect()
}

fn what_a_run_overwrites_becomes_a_version(world: &World) {
    let ground = versioned(world, VersioningMode::Target);
    write(&ground.here, &[("d/a", "one"), ("b", "never changed"), ("e", "")]);
    ground.both();
    write(&ground.here, &[("d/a", "two"), ("e", "not empty")]);
    ground.both();
    ground.agrees();
    assert_eq!(versions(&ground, "d/a"), words(&[(1, "one")]));
    assert_eq!(versions(&ground, "e"), words(&[(1, "")]));
    assert_eq!(ground.rows()["d/a"].row.version_no, 2);
    assert_eq!(world.used(&ground.volume), 3 + 3 + 13 + 9);
    // What is edited on the volume was never overwritten by a run.
    write(&ground.there, &[("d/a", "edited on the volume")]);
    ground.both();
    assert_eq!(versions(&ground, "d/a"), words(&[(1, "one")]));
    write(&ground.here, &[("d/a", "four")]);
    std::fs::rename(ground.here.join("d"), ground.here.join("moved")).unwrap();
    ground.both();
    ground.agrees();
    assert_eq!(versions(&ground, "moved/a"), words(&[(2, "edited on the volume"), (1, "one")]));
    // Metadata alone makes none.
    let file = std::fs::File::options().write(true).open(ground.here.join("b")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(1000)).unwrap();
    ground.both();
    assert_eq!(versions(&ground, "b"), []);
    assert_eq!(trash(world), [], "what is kept is not in a trash");
    wait(ground.volume.tidy()).unwrap();
    assert_eq!(versions(&ground, "moved/a").len(), 2);
}

fn in_source_every_state_is_kept(world: &World) {
    let ground = versioned(world, VersioningMode::Source);
    let sync = || run(&world.session, Place::Local(ground.here.clone()), ground.place(), SyncMode::Mirror);
    write(&ground.here, &[("a", "one")]);
    sync();
    write(&ground.here, &[("a", "two")]);
    sync();
    write(&ground.here, &[("a", "one")]);
    sync();
    assert_eq!(versions(&ground, "a"), words(&[(2, "two"), (1, "one")]));
    ground.agrees();
}

fn what_has_versions_can_be_restored_after_a_run_deletes_it(world: &World) {
    let ground = versioned(world, VersioningMode::Target);
    write(&ground.here, &[("a", "one"), ("b", "b")]);
    ground.both();
    write(&ground.here, &[("a", "two")]);
    ground.both();
    let id = ground.rows()["a"].id;
    std::fs::remove_file(ground.here.join("a")).unwrap();
    std::fs::remove_file(ground.here.join("b")).unwrap();
    ground.both();
    ground.agrees();
    let rows = all_rows(world, &ground.volume);
    assert_eq!((rows.len(), world.used(&ground.volume)), (2, 6), "the file, deleted, and its version; b is gone");
    assert_eq!(trash(world), [], "the volume's root has no trash");
    wait(ground.volume.restore(id)).unwrap();
    ground.both();
    ground.agrees();
    assert_eq!(std::fs::read_to_string(ground.here.join("a")).unwrap(), "two");
    assert_eq!(versions(&ground, "a"), words(&[(1, "one")]));
    // Deleted on the volume itself: its content is gone, its versions stay.
    std::fs::remove_file(ground.there.join("a")).unwrap();
    ground.both();
    ground.agrees();
    assert_eq!(code(wait(ground.volume.restore(id))), Code::Stale);
    let version = wait(ground.volume.versions(id)).unwrap().remove(0);
    assert_eq!(read(&ground.volume, version.id).unwrap(), "one");
    wait(ground.volume.purge(id)).unwrap();
    assert_eq!((all_rows(world, &ground.volume).len(), world.kept()), (0, vec![]));
}

/// An edit of the volume that lost a conflict, and a file that nobody knew, are kept as well.
fn versions_of_what_no_row_knew(world: &World) {
    let ground = versioned(world, VersioningMode::Target);
    write(&ground.here, &[("a", "one")]);
    ground.mirror();
    write(&ground.here, &[("a", "mine"), ("new", "mine, too")]);
    write(&ground.there, &[("a", "edited there"), ("new", "made there")]);
    ground.mirror();
    ground.agrees();
    assert_eq!(versions(&ground, "a"), words(&[(1, "edited there")]));
    assert_eq!(versions(&ground, "new"), words(&[(1, "made there")]));
    let version = wait(ground.volume.versions(ground.rows()["a"].id)).unwrap().remove(0);
    assert_eq!((version.row.size, version.row.digest), (12, None));
}

fn eight_runs_never_take_more_than_there_is(world: &World) {
    const LIMIT: i64 = 4000;
    let volume = world.make(StorageVolume { quota_limit: Some(LIMIT), ..world.row() });
    let most = std::sync::atomic::AtomicI64::new(0);
    let done = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for seat in 0..8 {
            let here = world.dir.path().join(format!("seat-{seat}"));
            let files: Vec<(String, String)> = (0..40).map(|n| (format!("{n}"), "x".repeat(20 + n % 7))).collect();
            write(&here, &files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect::<Vec<_>>());
            let (session, done) = (world.session.clone(), &done);
            scope.spawn(move || {
                let place = wait(session.place("v", format!("seat-{seat}"))).unwrap();
                let report = run(&session, Place::Local(here), place, SyncMode::Mirror);
                assert!(report.failures.iter().all(|f| f.error.code() == Code::Quota), "{:?}", report.failures);
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        while done.load(std::sync::atomic::Ordering::SeqCst) < 8 {
            most.fetch_max(world.used(&volume), std::sync::atomic::Ordering::SeqCst);
            std::thread::yield_now();
        }
    });
    counted(world, &volume);
    let used = world.used(&volume);
    assert!(used <= LIMIT && most.into_inner() <= LIMIT, "{used}");
    assert!(used > LIMIT - 20, "{used}: what fits is carried");
    let sizes: i64 = tree(&world.root()).iter().map(|(_, content)| content.len() as i64).sum();
    assert_eq!(sizes, used);
}

/// The run stops at each of its writes to the book: the next one makes rows and tree equal, and every version is there.
fn a_run_that_dies_in_the_book_is_made_good_by_the_next(world: &World) {
    let mut points = 0;
    for point in 1.. {
        let name = format!("v{point}");
        let row = StorageVolume { name: name.clone(), versioning_mode: VersioningMode::Target, ..world.row() };
        let ground = Ground::new(world, StorageVolume { default_prefix: Some(name.clone()), ..row }, "p");
        let here = world.dir.path().join(&name);
        let ground = Ground { here: here.clone(), ..ground };
        write(&here, &[("a", "one"), ("b", "b"), ("d/c", "c"), ("d/e", "e"), ("f", "f")]);
        ground.both();
        write(&here, &[("a", "two"), ("d/new", "new")]);
        std::fs::rename(here.join("d"), here.join("moved")).unwrap();
        std::fs::remove_file(here.join("b")).unwrap();
        write(&ground.there, &[("f", "edited there")]);
        let switch = Arc::new(Switch::default());
        let frozen = Arc::new(Frozen::new(store(world), switch.clone()));
        let book = wait(Book::open(BookOptions::store(frozen).clock(world.clock.clone()))).unwrap();
        let session = wait(book.default_session()).unwrap();
        let place = wait(session.place(&*name, "p")).unwrap();
        let last = switch.effects() + point;
        switch.crash_at(last);
        let died = try_run(&session, Place::Local(here.clone()), place, SyncMode::Bidirectional).is_err();
        drop((session, book));
        if !died && switch.effects() < last {
            break;
        }
        points += 1;
        // The lease and the promises run out.
        world.clock.advance(3600);
        ground.both();
        wait(world.book.maintain()).unwrap();
        ground.agrees();
        assert_eq!(tree(&here), tree(&ground.there), "point {point}");
        assert_eq!(versions(&ground, "a"), words(&[(1, "one")]), "point {point}");
        assert!(ground.both().counts.is_quiet());
    }
    assert!(points > 8, "{points}");
    println!("CARRIED: {points} points");
}

/// Holds the [`Orders`] of a process.
const ORDERS: &str = "PORTBOOK_CARRIED_ORDERS";

#[derive(Serialize, Deserialize)]
struct Orders {
    at: String,
    here: String,
    life: u64,
}

/// What a process does that was started to be killed.
#[test]
fn one_that_is_killed() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let options = match orders.at.starts_with("postgres") {
        true => BookOptions::postgres_with(&orders.at, PostgresOptions { connections: 2, ..Default::default() }),
        false => BookOptions::sqlite(&orders.at),
    };
    let book = wait(Book::open(options)).unwrap();
    let session = wait(book.default_session()).unwrap();
    for round in 0.. {
        let files: Vec<(String, String)> =
            (0..60).map(|n| (format!("{}/{n}", n % 5), format!("{} {round} {n}", orders.life))).collect();
        write(Path::new(&orders.here), &files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect::<Vec<_>>());
        let place = wait(session.place("v", "p")).unwrap();
        if let Err(error) = try_run(&session, Place::Local(orders.here.clone().into()), place, SyncMode::Mirror) {
            assert!(error.is_retryable(), "{error}");
        }
    }
}

fn killed_runs_leak_nothing(world: &World) {
    let row = StorageVolume { versioning_mode: VersioningMode::Target, quota_limit: Some(1 << 30), ..world.row() };
    let ground = Ground::new(world, row, "p");
    let begin = Instant::now();
    let (mut kills, mut left) = (0_u64, 0);
    while begin.elapsed() < Duration::from_secs(8) {
        let mut child = start(world, &ground.here, kills);
        // The time between two kills is the test's matter, nothing is waited for.
        std::thread::sleep(Duration::from_millis(400 + kills * 37 % 300));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        left += world.reservations().len();
    }
    world.clock.advance(3600);
    ground.mirror();
    wait(world.book.maintain()).unwrap();
    ground.agrees();
    assert_eq!(tree(&ground.here), tree(&ground.there));
    let rows = all_rows(world, &ground.volume);
    let ids: BTreeSet<_> = rows.iter().filter(|row| row.row.version_of.is_some()).map(|row| row.id).collect();
    for id in &ids {
        read(&ground.volume, *id).unwrap();
    }
    assert!(!ids.is_empty());
    // What nobody knows is swept, and nothing else: each content that is kept has its row.
    wait(ground.volume.tidy()).unwrap();
    assert_eq!(world.kept().len(), ids.len());
    println!("CARRIED: {kills} kills, {left} promises left behind, {} versions", ids.len());
    // Room for exactly what is missing is there again.
    let used = world.used(&ground.volume);
    limit(&ground.volume, world, Some(used + 3));
    put(&ground.volume, "room", "123").unwrap();
}

fn start(world: &World, here: &Path, life: u64) -> Child {
    let orders = Orders { at: world.at.clone(), here: here.to_str().unwrap().into(), life };
    Command::new(std::env::current_exe().unwrap())
        .args(["carried_rules::one_that_is_killed", "--exact", "--nocapture"])
        .env(ORDERS, serde_json::to_string(&orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The trash of a place on a volume of this machine is emptied like that of a bare directory.
fn upkeep_empties_the_trash_of_a_place(world: &World) {
    let ground = Ground::plain(world);
    write(&ground.here, &[("a", "one"), ("b", "two")]);
    ground.both();
    std::fs::remove_file(ground.here.join("a")).unwrap();
    ground.both();
    let bin = ground.there.join(".portbook/trash");
    assert_eq!(std::fs::read_dir(&bin).unwrap().count(), 1);
    assert_eq!(wait(world.book.maintain()).unwrap().trashed, 0);
    world.clock.advance(31 * 86_400);
    assert_eq!(wait(world.book.maintain()).unwrap().trashed, 1);
    assert_eq!(std::fs::read_dir(&bin).map_or(0, Iterator::count), 0);
    ground.agrees();
}
