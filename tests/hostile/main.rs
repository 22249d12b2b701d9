//! Servers that lie, refuse and break off, in a two-way sync with a ledger (of a place that can only be read: a mirror), for
//! every kind of place. What must hold is in [`story`].
//!
//! Where each hostility is tried: `h` here through whole runs, `p` on the provider alone, in the test of that provider
//! (`tests/s3/hostile.rs`, `lost.rs`, `parts.rs`; `tests/sftp/odd.rs`, `interrupted.rs`; `tests/ftp/lies.rs`;
//! `tests/webdav/hostile.rs`, which has HTTP as well; of local disks `tests/provider/faults.rs`, `tests/crash/faults.rs`),
//! `c` in the contract that every place passes (`tests/provider/contract`), `u` beside the code; `-` cannot be there.
//!
//! | hostility | S3 | SFTP | FTP | WebDAV | HTTP | local |
//! |---|---|---|---|---|---|---|
//! | a listing that ends half-way | hp | hp | hp | hp | hu | hp |
//! | pages or names without an end | h | h | - | - | - | - |
//! | a name twice | h | h | h | h | h | - |
//! | names with `..`, `/`, NUL, CR, LF | hu | hp | hp | hp | hu | - |
//! | sizes that are negative, none, or beyond all | h | h | h | h | h | - |
//! | success with a failure in it | hp | - | - | hp | hp | - |
//! | one directory that is forbidden or unreadable | h | hp | hp | hp | h | hp |
//! | a body that is shorter or longer | hp | hp | hp | hp | h | p |
//! | a connection that ends within a file | hp | p | hp | h | h | - |
//! | something else is stored than was sent | hp | h | hp | hp | - | - |
//! | other checksums or tags | hp | - | p | hp | h | - |
//! | no room, for one item or for many (`room.rs`) | hu | hp | hp | hp | - | p |
//! | a name that is refused | h | h | h | h | - | u |
//! | an emptied root | h | h | h | h | h | h |
//! | another region, redirects in a circle | hp | - | - | h | h | - |
//! | waits beyond all (`Retry-After`) | h | - | - | h | h | - |
//! | a line that fails anywhere, at random | `tests/places/faults.rs` | | | | | `tests/crash/faults.rs` |
//! | sources that give fewer, more or other bytes | c | c | c | c | - | c |
//! | a source that changes while it is read | cp | cp | cp | cp | hp | `tests/crash/changing.rs` |

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../provider/contract/mod.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod contract;
#[path = "../lib/files.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod files;
mod ftp;
mod http;
#[path = "../lib/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod in_process;
#[path = "../ftp/liar.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod liar;
mod local;
#[path = "../s3/proxy.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod proxy;
mod room;
mod s3;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod service;
mod sftp;
#[path = "../sftp/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod sftp_server;
mod story;
mod webdav;

use std::io::{Read as _, Write as _};

/// All of them, beside each other.
async fn all<F: Future<Output = ()> + Send + 'static>(stories: impl Iterator<Item = F>) {
    let told: Vec<_> = stories.map(tokio::spawn).collect();
    assert!(!told.is_empty());
    let mut failed = Vec::new();
    for story in told {
        failed.extend(story.await.err());
    }
    assert!(failed.is_empty(), "{} stories ended otherwise", failed.len());
}

/// An answer to a request whose signature is none, which moto does not mind.
fn said(address: &str, method: &str, target: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let who = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0";
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {who}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// An answer whose connection ends some bytes before its body does.
fn cut(mut answer: Vec<u8>) -> Vec<u8> {
    answer.truncate(answer.len() - 5);
    answer
}

/// An answer with half of its body, as if that were all.
fn halved(answer: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("text/xml");
    proxy::answer(status, &[("Content-Type", kind)], &body.as_bytes()[..body.len() / 2])
}
