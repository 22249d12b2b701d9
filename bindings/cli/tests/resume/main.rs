//! The program is killed in the middle of a large file on its way to a server or from it. What the next one carries again
//! is counted on the line: 8 MiB at most, and what the protocol says beside the content.
//!
//! Each way and server has one place at which it is killed. `PORTBOOK_RESUME_SEED` has it killed at five: early, in the middle,
//! right before the end, and at two more that the seed decides; `PORTBOOK_RESUME_MINUTES` for how long each goes on with
//! further seeds.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../../../tests/lib/nextcloud.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod nextcloud;
#[path = "../../../../tests/lib/proxy/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod proxy;
mod remote;
#[path = "../../../../tests/servers/service.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod service;
#[allow(dead_code, reason = "shared with the tests of local folders")]
#[path = "../sync/world.rs"]
mod world;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proxy::{Proxy, Way};
use remote::Remote;
use world::World;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 256 * MIB;
/// What is carried again at most.
const AGAIN: u64 = 8 * MIB;
/// Parts of an upload to S3 that are under way beside each other.
const BESIDE: u64 = 6;
/// Slow enough that nothing waits between the line and the program.
const BANDWIDTH: u64 = 48 * MIB;
/// Where transfers are killed, in hundredths.
const KILLS: [u64; 3] = [10, 60, 95];

/// The next one of a row of numbers (xorshift).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Bytes that do not repeat.
fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let (mut state, mut content) = (0x9e37_79b9_7f4a_7c15_u64, vec![0; SIZE as usize]);
        for piece in content.chunks_exact_mut(8) {
            piece.copy_from_slice(&random(&mut state).to_le_bytes());
        }
        content
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Killed here, or wherever the campaign says.
fn goes_on(start: fn() -> Option<Remote>, way: Way, percent: u64) {
    let Some(mut seed) = number("PORTBOOK_RESUME_SEED") else {
        let _ = goes_on_after(start, way, percent);
        return;
    };
    let time = Duration::from_secs(60 * number("PORTBOOK_RESUME_MINUTES").unwrap_or(0));
    let begun = Instant::now();
    loop {
        println!("{way:?}: seed {seed}");
        // A state of 0 would stay one.
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let drawn = [random(&mut state), random(&mut state)].map(|number| 3 + number % 95);
        for percent in KILLS.into_iter().chain(drawn) {
            if goes_on_after(start, way, percent).is_none() {
                return;
            }
        }
        seed += 1;
        if begun.elapsed() >= time {
            return;
        }
    }
}

/// None where there is no such server here.
fn goes_on_after(start: fn() -> Option<Remote>, way: Way, percent: u64) -> Option<()> {
    let remote = start()?;
    let (name, begun) = (remote.name, Instant::now());
    let world = World::new();
    world.write("a/large", content());
    world.make_dir("b");
    let folder = if way == Way::Up { "a" } else { "b" };
    if way == Way::Down {
        remote.sync(&world, Way::Up, "a", remote.port);
    }
    let proxy = Proxy::start(remote.protocol, remote.port, 1);
    proxy.set_bandwidth(BANDWIDTH);
    killed_at(&mut remote.command(&world, way, folder, proxy.port), || proxy.passed(way) >= SIZE * percent / 100);
    let before = (proxy.passed(way), proxy.acknowledged());
    proxy.set_bandwidth(0);
    remote.sync(&world, way, folder, proxy.port);
    let after = (proxy.passed(way), proxy.acknowledged());
    // What the protocols say beside the content is less than one in a hundred.
    let most = SIZE + SIZE / 100;
    if name == "S3" && way == Way::Up {
        assert!(after.1 <= most, "{percent} %: {} bytes were acknowledged for {SIZE}", after.1);
        assert!(after.0 <= most + BESIDE * AGAIN, "{percent} %: {} bytes passed for {SIZE}", after.0);
    } else {
        assert!(after.0 <= most + AGAIN, "{name} {way:?}, {percent} %: {} bytes passed for {SIZE}", after.0);
    }
    let again = remote.sync(&world, way, folder, proxy.port);
    let report: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(report["bytes"], 0, "{name} {way:?}, {percent} %: {again:?}");
    if way == Way::Up {
        remote.sync(&world, Way::Down, "b", remote.port);
    }
    assert!(std::fs::read(world.path("b/large")).unwrap() == content(), "{name} {way:?}, {percent} %");
    assert_eq!(world.tree("b"), ["large"], "{name} {way:?}, {percent} %");
    println!(
        "RESUME: {name} {way:?}, {} MiB, killed at {percent} %: {} passed before and {} after, {} more than the file; {} and \
         {} acknowledged; {:?}",
        SIZE / MIB,
        before.0,
        after.0 - before.0,
        after.0.saturating_sub(SIZE),
        before.1,
        after.1 - before.1,
        begun.elapsed()
    );
    Some(())
}

/// Starts it, and kills it when it is time.
fn killed_at(command: &mut std::process::Command, is_time: impl Fn() -> bool) {
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !is_time() {
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not come so far");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_upload_to_s3() {
    goes_on(Remote::s3, Way::Up, 60);
}

#[test]
fn a_download_from_s3() {
    goes_on(Remote::s3, Way::Down, 95);
}

#[test]
fn an_upload_by_sftp() {
    goes_on(Remote::sftp, Way::Up, 95);
}

#[test]
fn a_download_by_sftp() {
    goes_on(Remote::sftp, Way::Down, 60);
}

#[test]
fn an_upload_by_ftp() {
    goes_on(Remote::ftp, Way::Up, 60);
}

#[test]
fn a_download_by_ftp() {
    goes_on(Remote::ftp, Way::Down, 10);
}

#[test]
fn an_upload_in_chunks_by_webdav() {
    goes_on(Remote::nextcloud, Way::Up, 60);
}

#[test]
fn a_download_by_webdav() {
    goes_on(Remote::webdav, Way::Down, 60);
}
