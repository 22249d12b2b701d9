//! Transfers of 64 MiB that break off.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::provider::ftp::Ftp;
use portbook::provider::{Checkpoint, Feed, Keeper, Opened, Provider as _, Resumable, Source, Stage, Staged};
use portbook::{Code, Error, Result};

use crate::contract::{self, path};
use crate::liar::{Liar, Lie};
use crate::places::{open_to_all, options};
use crate::service::Service;

const SIZE: u64 = 64 << 20;
const PART: u64 = 8 << 20;
/// Somewhere within a part.
const BREAK: u64 = 37 * 1_000_003;

fn content(size: u64) -> Bytes {
    (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect()
}

/// A source that breaks at an offset, as a place does that goes offline.
struct Breaking {
    content: Bytes,
    at: Option<u64>,
}

#[async_trait]
impl Feed for Breaking {
    fn size(&self) -> u64 {
        self.content.len() as u64
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.size(), |length| self.size().min(offset + length));
        let until = self.at.unwrap_or(end).min(end) as usize;
        let mut pieces = Vec::new();
        let mut from = offset as usize;
        while from < until {
            let to = until.min(from + 100_000);
            pieces.push(Ok(self.content.slice(from..to)));
            from = to;
        }
        if self.at.is_some_and(|at| at < end) {
            pieces.push(Err(Error::new(Code::Offline, "read", "the source")));
        }
        Ok(Opened { bytes: stream::iter(pieces).boxed(), mtime: None })
    }
}

/// Stages with a session; the last checkpoint.
async fn carry(
    ftp: &Ftp,
    content: &Bytes,
    at: Option<u64>,
    from: Option<Checkpoint>,
) -> (Result<Staged>, Option<Checkpoint>) {
    let (keeper, mut reports) = Keeper::new();
    let last = Arc::new(Mutex::new(from.clone()));
    let kept = last.clone();
    let book = tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            *kept.lock().unwrap() = Some(report.checkpoint);
            report.kept.send(Ok(())).unwrap();
        }
    });
    let item = Stage {
        source: Source::Feed(Arc::new(Breaking { content: content.clone(), at })),
        resume: Some(Resumable { from, keeper }),
        ..contract::new_file(&path("large"), b"")
    };
    let staged = contract::put_staged(ftp, item).await;
    book.await.unwrap();
    let last = last.lock().unwrap().take();
    (staged, last)
}

/// A server, a place on it, and what was sent to it or by it (`i` or `o`) by its own account.
struct Counted {
    server: Service,
    ftp: Ftp,
}

impl Counted {
    async fn start() -> Option<Self> {
        let server = Service::start("proftpd", &["plain"])?;
        open_to_all(&server.directory().join("data"));
        let ftp = Ftp::open(options(server.port(), "")).await.unwrap();
        assert!(ftp.capabilities().resumable_bytes.is_some_and(|least| (PART..=SIZE).contains(&least)));
        Some(Self { server, ftp })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.server.directory().join("data").join(name)
    }

    fn temporary(&self) -> Option<PathBuf> {
        let mut names = std::fs::read_dir(self.file("")).unwrap().map(|entry| entry.unwrap().path());
        names.find(|path| path.to_string_lossy().contains(".portbook-tmp-"))
    }

    /// The log of transfers has the bytes in its eighth column and the direction in its twelfth.
    fn passed(&self, direction: &str) -> u64 {
        let log = std::fs::read_to_string(self.server.directory().join("transfers")).unwrap();
        let lines = log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_it = lines.filter(|words| words[words.len() - 7] == direction);
        of_it.map(|words| words[7].parse::<u64>().unwrap()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_sends_at_most_a_part_again() {
    let Some(counted) = Counted::start().await else { return };
    let content = content(SIZE);
    let (broken, checkpoint) = carry(&counted.ftp, &content, Some(BREAK), None).await;
    assert_eq!(broken.unwrap_err().code(), Code::Offline);
    let checkpoint = checkpoint.unwrap();
    assert!(checkpoint.offset <= BREAK && BREAK - checkpoint.offset < PART);
    assert!(counted.temporary().is_some(), "what arrived stays");
    assert_eq!(contract::stat(&counted.ftp, "large").await, None);
    // A new process.
    let again = Ftp::open(options(counted.server.port(), "")).await.unwrap();
    let (staged, _) = carry(&again, &content, None, Some(checkpoint)).await;
    let staged = staged.unwrap();
    assert_eq!(staged.content, ContentHash::of(&content));
    assert!(staged.resumed + PART > BREAK, "{}", staged.resumed);
    contract::publish(&again, staged, Expect::Absent, None).await.unwrap();
    assert!(std::fs::read(counted.file("large")).unwrap() == content);
    let sent = counted.passed("i");
    assert!((SIZE..=SIZE + PART).contains(&sent), "{sent} bytes were sent for {SIZE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_only_where_everything_is_as_it_was_left() {
    let Some(counted) = Counted::start().await else { return };
    let content = content(3 * PART + 100);
    let at = Some(2 * PART + 5_000_000);
    for spoil in ["nothing", "the last part", "the source", "the file is gone", "the checkpoint"] {
        let (broken, checkpoint) = carry(&counted.ftp, &content, at, None).await;
        assert!(broken.is_err());
        let mut checkpoint = checkpoint.unwrap();
        let temporary = counted.temporary().unwrap();
        let mut source = content.clone();
        match spoil {
            "the last part" => {
                let mut bytes = std::fs::read(&temporary).unwrap();
                let last = bytes.len() - 1_000_000;
                bytes[last] = 0;
                std::fs::write(&temporary, bytes).unwrap();
            }
            "the source" => {
                let mut bytes = content.to_vec();
                bytes[10] = 0;
                source = bytes.into();
            }
            "the file is gone" => std::fs::remove_file(&temporary).unwrap(),
            "the checkpoint" => checkpoint.state = b"?".to_vec(),
            _ => {}
        }
        let (staged, _) = carry(&counted.ftp, &source, None, Some(checkpoint)).await;
        let staged = staged.unwrap();
        assert_eq!(staged.resumed > 0, spoil == "nothing", "{spoil}");
        assert_eq!(staged.content, ContentHash::of(&source), "{spoil}");
        assert!(std::fs::read(counted.temporary().unwrap()).unwrap() == source, "{spoil}");
        counted.ftp.discard_staged(vec![(staged.target, staged.tag)]).await.unwrap();
        assert_eq!(counted.temporary(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_with_zeros_is_found_out() {
    let server = Liar::start(Lie::RestartsWithZeros).await;
    let ftp = Ftp::open(options(server.port, "")).await.unwrap();
    let content = content(3 * PART);
    let (broken, checkpoint) = carry(&ftp, &content, Some(2 * PART + 5), None).await;
    assert!(broken.is_err() && checkpoint.is_some());
    let (staged, _) = carry(&ftp, &content, None, checkpoint).await;
    let staged = staged.unwrap();
    assert_eq!((staged.resumed, staged.content), (0, ContentHash::of(&content)));
    contract::publish(&ftp, staged, Expect::Absent, None).await.unwrap();
    assert!(server.content("/large").unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_at_its_offset() {
    let Some(counted) = Counted::start().await else { return };
    let content = content(SIZE);
    std::fs::write(counted.file("large"), &content).unwrap();
    let node = contract::stat(&counted.ftp, "large").await.unwrap();
    let mut got = Vec::new();
    let mut opened = counted.ftp.read(&path("large"), Some(&node), 0, None).await.unwrap();
    while (got.len() as u64) < BREAK {
        got.extend_from_slice(&opened.bytes.try_next().await.unwrap().unwrap());
    }
    drop(opened);
    let rest = counted.ftp.read(&path("large"), Some(&node), got.len() as u64, None).await.unwrap();
    got.extend_from_slice(&rest.bytes.try_collect::<Vec<_>>().await.unwrap().concat());
    assert!(got == content);
    // The log is written when the server notices that the first connection is gone.
    let wait = async {
        while counted.passed("o") < SIZE {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.unwrap();
    let sent = counted.passed("o");
    assert!(sent <= SIZE + PART, "{sent} bytes were sent for {SIZE}");
}
