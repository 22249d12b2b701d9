//! Eight processes put files on one volume, and any may be killed. The test starts itself again for each.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portbook::model::StorageVolume;
use portbook::store::PostgresOptions;
use portbook::volume::Volume;
use portbook::{Book, BookOptions, Code, Result, wait};
use serde::{Deserialize, Serialize};

use crate::world::{World, claims, put, read};

claims! {
    eight_processes_fill_a_volume_to_the_last_file
    killed_processes_leak_nothing_and_lose_nothing
}

const SEATS: u32 = 8;

/// Holds the [`Orders`] of a process.
const ORDERS: &str = "PORTBOOK_VOLUMES_ORDERS";

#[derive(Serialize, Deserialize)]
struct Orders {
    at: String,
    seat: u32,
    life: u32,
    /// A line for each file that the book has confirmed.
    journal: PathBuf,
    /// Puts files of one size until there is no more room; else until it is killed.
    fills: bool,
}

/// The content of a file says which it is.
fn content(name: &str) -> String {
    format!("{name} {}", ".".repeat(name.len() * 7 % 60))
}

/// What a process does that was started as one of the eight.
#[test]
fn one_of_the_eight() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let options = match orders.at.starts_with("postgres") {
        true => BookOptions::postgres_with(&orders.at, PostgresOptions { connections: 2, ..Default::default() }),
        false => BookOptions::sqlite(&orders.at),
    };
    let patient = |error: &portbook::Error| {
        assert!(error.is_retryable(), "{error}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let volume = loop {
        let opened = wait(Book::open(options.clone()))
            .and_then(|book| wait(book.default_session()))
            .and_then(|session| wait(session.volume("v")));
        match opened {
            Ok(volume) => break volume,
            Err(e) => patient(&e),
        }
    };
    let mut journal = std::fs::OpenOptions::new().create(true).append(true).open(&orders.journal).unwrap();
    for number in 0.. {
        let name = format!("{}/{}-{number}", orders.seat, orders.life);
        let done = match orders.fills {
            true => put(&volume, &name, "1234567").map(|_| Some(name)),
            false => something(&volume, &orders, number),
        };
        match done {
            Ok(Some(name)) => writeln!(journal, "{name}").unwrap(),
            Ok(None) => {}
            Err(e) if e.code() == Code::Quota && orders.fills => return,
            Err(e) if e.code() == Code::Quota => make_room(&volume, &orders).unwrap_or_else(|e| tolerate(&e)),
            Err(e) => patient(&e),
        }
    }
}

/// A new file, or one that all processes write over.
fn something(volume: &Volume, orders: &Orders, number: u32) -> Result<Option<String>> {
    if number.is_multiple_of(3) {
        put(volume, "shared", &content(&format!("{}-{number}", orders.seat)))?;
        return Ok(None);
    }
    let name = format!("{}/{}-{number}", orders.seat, orders.life);
    put(volume, &name, &content(&name)).map(|_| Some(name))
}

/// Deletes and purges what this seat has marked as passing; here: versions of the shared file.
fn make_room(volume: &Volume, orders: &Orders) -> Result<()> {
    let shared = wait(volume.stat("shared"))?;
    for version in wait(volume.versions(shared.id))?.iter().skip(orders.seat as usize).step_by(SEATS as usize) {
        wait(volume.purge(version.id))?;
    }
    Ok(())
}

/// Another may have been faster.
fn tolerate(error: &portbook::Error) {
    assert!(error.is_retryable() || matches!(error.code(), Code::NotFound | Code::Conflict), "{error}");
}

fn start(world: &World, seat: u32, life: u32, fills: bool) -> Child {
    let journal = world.dir.path().join(format!("journal-{seat}"));
    let orders = Orders { at: world.at.clone(), seat, life, journal, fills };
    Command::new(std::env::current_exe().unwrap())
        .args(["processes::one_of_the_eight", "--exact", "--nocapture"])
        .env(ORDERS, serde_json::to_string(&orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn confirmed(directory: &Path) -> Vec<String> {
    let journals = (0..SEATS).map(|seat| std::fs::read_to_string(directory.join(format!("journal-{seat}"))));
    journals.flat_map(|text| text.unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn eight_processes_fill_a_volume_to_the_last_file(world: &World) {
    let volume = world.make(StorageVolume { quota_limit: Some(500), ..world.row() });
    let seats: Vec<Child> = (0..SEATS).map(|seat| start(world, seat, 0, true)).collect();
    for mut child in seats {
        assert!(child.wait().unwrap().success());
    }
    let names = confirmed(world.dir.path());
    assert_eq!((names.len(), world.used(&volume)), (71, 497), "as many as there is room for, and not one more");
    assert!(names.iter().all(|name| read(&volume, &name[..]).unwrap() == "1234567"));
    world.settled(&volume);
}

fn killed_processes_leak_nothing_and_lose_nothing(world: &World) {
    const LIMIT: i64 = 20_000;
    let versioning_mode = portbook::model::VersioningMode::Target;
    let volume = world.make(StorageVolume { quota_limit: Some(LIMIT), versioning_mode, ..world.row() });
    let seconds = std::env::var("PORTBOOK_HAMMER_SECONDS").map_or(8, |s| s.parse().expect("a number of seconds"));
    let begin = Instant::now();
    let mut seats: Vec<Child> = (0..SEATS).map(|seat| start(world, seat, 0, false)).collect();
    let mut kills = 0_u32;
    while begin.elapsed() < Duration::from_secs(seconds) {
        // The time between two kills is the test's matter, nothing is waited for.
        std::thread::sleep(Duration::from_millis(150 + u64::from(kills * 37 % 100)));
        assert!(world.used(&volume) <= LIMIT);
        for (seat, child) in seats.iter_mut().enumerate() {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the process on seat {seat} ended by itself: {status}");
            }
        }
        let seat = (kills * 5 % SEATS) as usize;
        end(&mut seats[seat]);
        kills += 1;
        seats[seat] = start(world, seat as u32, kills, false);
    }
    seats.iter_mut().for_each(end);
    let left = world.reservations().len();
    assert!(world.used(&volume) <= LIMIT);
    world.clock.advance(601);
    let removed = wait(world.book.maintain()).unwrap().reservations;
    let names = confirmed(world.dir.path());
    println!("VOLUMES: {kills} kills, {} files confirmed, {left} promises left behind, {removed} removed", names.len());
    for name in &names {
        assert_eq!(read(&volume, &name[..]).unwrap(), content(name));
    }
    world.settled(&volume);
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
