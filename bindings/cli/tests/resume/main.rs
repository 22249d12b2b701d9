//! The program is killed in the middle of a large file on its way to a server or from it. What the next one carries again
//! is counted on the line: 8 MiB at most, and what the protocol says beside the content.
//!
//! `PORTBOOK_RESUME=full` carries 256 MiB and kills at five places.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../../../tests/lib/proxy/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod proxy;
#[path = "../../../../tests/servers/service.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod service;
#[allow(dead_code, reason = "shared with the tests of local folders")]
#[path = "../sync/world.rs"]
mod world;

use std::time::{Duration, Instant};

use proxy::{Protocol, Proxy, Way};
use service::Service;
use world::{Ran, World};

const MIB: u64 = 1 << 20;
/// What is carried again at most.
const AGAIN: u64 = 8 * MIB;
/// Parts of an upload to S3 that are under way beside each other.
const BESIDE: u64 = 6;

/// A server behind a line, and what lets one in.
struct Remote {
    server: Service,
    protocol: Protocol,
    /// With `PORT` in the place of the port.
    url: String,
    variables: Vec<(&'static str, String)>,
}

impl Remote {
    fn s3() -> Option<Self> {
        let server = Service::start("rclone", &["s3"])?;
        std::fs::create_dir(server.directory().join("data/bucket")).unwrap();
        let variables = vec![
            ("PORTBOOK_S3_ACCESS_KEY", "key".to_owned()),
            ("PORTBOOK_S3_SECRET_KEY", "secret-key".to_owned()),
            ("PORTBOOK_S3_ENDPOINT", "http://127.0.0.1:PORT".to_owned()),
        ];
        Some(Self { server, protocol: Protocol::Http, url: "s3://bucket/root".into(), variables })
    }

    fn sftp() -> Option<Self> {
        let server = Service::start("openssh", &[])?;
        let user = server.address.split(' ').nth(1).unwrap();
        let at = |name: &str| server.directory().join(name);
        let url = format!("sftp://{user}@127.0.0.1:PORT{}/root", at("data").display());
        let variables = vec![
            ("PORTBOOK_SFTP_KEY_FILE", at("user_ed25519").display().to_string()),
            ("PORTBOOK_SFTP_HOST_KEY", std::fs::read_to_string(at("host_ed25519.pub")).unwrap()),
        ];
        Some(Self { protocol: Protocol::Tcp, url, variables, server })
    }

    fn ftp() -> Option<Self> {
        let server = Service::start("proftpd", &["plain"])?;
        let variables = vec![("PORTBOOK_FTP_PASSWORD", "password".into()), ("PORTBOOK_FTP_PLAIN", "1".into())];
        Some(Self { server, protocol: Protocol::Ftp, url: "ftp://user@127.0.0.1:PORT/root".into(), variables })
    }

    fn webdav() -> Option<Self> {
        let server = Service::start("apache", &["none"])?;
        let url = "dav://127.0.0.1:PORT/dav/root".into();
        Some(Self { server, protocol: Protocol::Http, url, variables: Vec::new() })
    }

    fn port(&self) -> u16 {
        self.server.address.split(' ').next().unwrap().parse().unwrap()
    }

    /// A sync between a folder and the server, over this port.
    fn command(&self, world: &World, way: Way, folder: &str, port: u16) -> std::process::Command {
        let with_port = |text: &str| text.replace("PORT", &port.to_string());
        let url = with_port(&self.url);
        let words = match way {
            Way::Up => ["--json", "sync", folder, &url],
            Way::Down => ["--json", "sync", &url, folder],
        };
        let mut command = world.command(&words);
        command.envs(self.variables.iter().map(|(name, value)| (name, with_port(value))));
        command
    }

    fn sync(&self, world: &World, way: Way, folder: &str, port: u16) -> Ran {
        let ran: Ran = self.command(world, way, folder, port).output().unwrap().into();
        assert_eq!(ran.status, 0, "{ran:?}");
        ran
    }
}

/// Bytes that do not repeat.
fn content(length: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut content = Vec::new();
    while (content.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content
}

fn is_full() -> bool {
    std::env::var("PORTBOOK_RESUME").is_ok_and(|value| value == "full")
}

fn goes_on(start: fn() -> Option<Remote>, name: &str, way: Way) {
    let (size, kills): (u64, &[u64]) = if is_full() { (256 * MIB, &[6, 31, 50, 77, 95]) } else { (32 * MIB, &[60]) };
    let content = content(size);
    for percent in kills {
        let Some(remote) = start() else { return };
        let world = World::new();
        world.write("a/large", &content);
        world.make_dir("b");
        let (folder, arrived) = if way == Way::Up { ("a", "b/large") } else { ("b", "b/large") };
        if way == Way::Down {
            remote.sync(&world, Way::Up, "a", remote.port());
        }
        let proxy = Proxy::start(remote.protocol, remote.port(), 1);
        // Slow enough that nothing waits between the line and the program.
        proxy.set_bandwidth(if is_full() { 64 } else { 24 } * MIB);
        killed_at(&mut remote.command(&world, way, folder, proxy.port), || proxy.passed(way) >= size * percent / 100);
        let before = (proxy.passed(way), proxy.acknowledged());
        proxy.set_bandwidth(0);
        remote.sync(&world, way, folder, proxy.port);
        let after = (proxy.passed(way), proxy.acknowledged());
        println!(
            "RESUME: {name} {way:?}, {} MiB, killed at {percent} %: {} passed before and {} after; {} and {} acknowledged",
            size / MIB,
            before.0,
            after.0 - before.0,
            before.1,
            after.1 - before.1
        );
        // What the protocols say beside the content: some in a hundred.
        let most = size + size / 50 + MIB / 4;
        if name == "S3" && way == Way::Up {
            assert!(after.1 <= most, "{} bytes were acknowledged for {size}", after.1);
            assert!(after.0 <= most + BESIDE * AGAIN, "{} bytes passed for {size}", after.0);
        } else {
            assert!(after.0 <= most + AGAIN, "{} bytes passed for {size}", after.0);
        }
        let again = remote.sync(&world, way, folder, remote.port());
        if way == Way::Up {
            remote.sync(&world, Way::Down, "b", remote.port());
        }
        assert!(std::fs::read(world.path(arrived)).unwrap() == content, "{name} {way:?}: {again:?}");
        assert_eq!(world.tree("b"), ["large"], "{name} {way:?}");
    }
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
    goes_on(Remote::s3, "S3", Way::Up);
}

#[test]
fn a_download_from_s3() {
    goes_on(Remote::s3, "S3", Way::Down);
}

#[test]
fn an_upload_by_sftp() {
    goes_on(Remote::sftp, "SFTP", Way::Up);
}

#[test]
fn a_download_by_sftp() {
    goes_on(Remote::sftp, "SFTP", Way::Down);
}

#[test]
fn an_upload_by_ftp() {
    goes_on(Remote::ftp, "FTP", Way::Up);
}

#[test]
fn a_download_by_ftp() {
    goes_on(Remote::ftp, "FTP", Way::Down);
}

#[test]
fn a_download_by_webdav() {
    goes_on(Remote::webdav, "WebDAV", Way::Down);
}
