//! Large files: in parts, continued by a later attempt, and completed once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Kind, Timestamp};
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Checkpoint, Feed, Keeper, Opened, Provider as _, Resumable, Source, Stage, Staged};
use portbook::{Code, Error, Result};

use crate::contract::{content, listed, path, publish, put_staged, stat};
use crate::places::{Server, said};
use crate::proxy::{Act, Proxy, failure};

pub const SIZE: u64 = (21 << 20) + 17;
pub const PART: u64 = 5 << 20;

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

pub fn whole() -> Vec<u8> {
    (0..SIZE).map(byte).collect()
}

/// A large file that can be read up to a point only.
pub struct Large {
    until: AtomicU64,
    fails: Code,
}

impl Large {
    pub fn whole() -> Arc<Self> {
        Self::until(u64::MAX, Code::Internal)
    }

    pub fn until(until: u64, fails: Code) -> Arc<Self> {
        Arc::new(Self { until: AtomicU64::new(until), fails })
    }
}

#[async_trait]
impl Feed for Large {
    fn size(&self) -> u64 {
        SIZE
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(SIZE, |length| SIZE.min(offset + length));
        if end > self.until.load(Ordering::Relaxed) {
            return Err(Error::new(self.fails, "read", "the source"));
        }
        let content: Vec<u8> = (offset..end).map(byte).collect();
        let pieces: Vec<_> = content.chunks(1 << 20).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok(Opened { bytes: stream::iter(pieces).boxed(), mtime: Some(Timestamp { secs: 1_500_000_000, nanos: 5 }) })
    }
}

/// Stages the file; answers what came of it and the last checkpoint.
pub async fn attempt(place: &S3, feed: Arc<Large>, from: Option<Checkpoint>) -> (Result<Staged>, Option<Checkpoint>) {
    let (keeper, mut reports) = Keeper::new();
    let item = Stage {
        target: path("large"),
        tag: "tag".into(),
        source: Source::Feed(feed),
        kind: Kind::File,
        metadata: Metadata::default(),
        replaces: false,
        resume: Some(Resumable { from, keeper }),
    };
    let keeping = async {
        let mut last = None;
        while let Some(report) = reports.recv().await {
            last = Some(report.checkpoint);
            report.kept.send(Ok(())).unwrap();
        }
        last
    };
    futures_util::join!(put_staged(place, item), keeping)
}

pub fn open(proxy: &Proxy) -> S3 {
    S3::open(S3Options { part_bytes: PART, ..proxy.options() }).unwrap()
}

fn sent(proxy: &Proxy) -> u64 {
    proxy.seen().iter().filter(|asked| asked.is("PUT", "partNumber")).map(|asked| asked.body.len() as u64).sum()
}

pub fn uploads(server: &Server) -> usize {
    said(&server.address(), "GET", "/bucket?uploads", b"").matches("<Upload>").count()
}

pub fn straight(server: &Server) -> Proxy {
    Proxy::start(Some(server.address()), |_| Act::Forward)
}

#[tokio::test]
async fn a_large_file_arrives_in_parts_with_its_time() {
    for server in [Server::moto(), Server::rclone()].into_iter().flatten() {
        server.bucket("bucket");
        let proxy = straight(&server);
        let place = open(&proxy);
        let (staged, last) = attempt(&place, Large::whole(), None).await;
        let staged = staged.unwrap();
        assert_eq!((staged.size, staged.resumed, staged.content), (SIZE, 0, ContentHash::of(&whole())));
        assert_eq!((last.unwrap().offset, sent(&proxy)), (SIZE, SIZE));
        assert_eq!(stat(&place, "large").await, None, "it is not there before it is published");
        let node = publish(&place, staged, Expect::Absent, None).await.unwrap();
        assert_eq!(listed(&place, "").await[0].node, node, "a listing shows what publish answered");
        assert!(content(&place, "large").await == whole());
        let opened = place.read(&path("large"), Some(&node), 0, Some(1)).await.unwrap();
        assert_eq!(opened.mtime, Some(Timestamp { secs: 1_500_000_000, nanos: 5 }));
    }
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_and_sends_at_most_one_part_again() {
    for server in [Server::moto(), Server::rclone()].into_iter().flatten() {
        server.bucket("bucket");
        let proxy = straight(&server);
        let (stopped, last) = attempt(&open(&proxy), Large::until(13 << 20, Code::Cancelled), None).await;
        assert_eq!(stopped.unwrap_err().code(), Code::Cancelled);
        let last = last.unwrap();
        assert!(last.offset >= 2 * PART, "{last:?}");
        let before = sent(&proxy);
        // A new process: nothing is remembered but the checkpoint.
        let place = open(&proxy);
        let (staged, _) = attempt(&place, Large::whole(), Some(last)).await;
        let staged = staged.unwrap();
        assert_eq!(staged.resumed, before);
        assert!(sent(&proxy) <= SIZE + PART, "{} of {SIZE}", sent(&proxy));
        assert_eq!(staged.content, ContentHash::of(&whole()));
        publish(&place, staged, Expect::Absent, None).await.unwrap();
        assert!(content(&place, "large").await == whole());
    }
}

#[tokio::test]
async fn an_upload_that_was_cleaned_up_begins_anew() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = straight(&server);
    let place = open(&proxy);
    let (_, last) = attempt(&place, Large::until(13 << 20, Code::Offline), None).await;
    assert_eq!(uploads(&server), 1);
    let state = last.as_ref().unwrap().state.clone();
    place.discard_session(path("large"), "tag".into(), &state).await.unwrap();
    assert_eq!(uploads(&server), 0);
    let (staged, _) = attempt(&place, Large::whole(), last).await;
    let staged = staged.unwrap();
    assert_eq!(staged.resumed, 0);
    publish(&place, staged, Expect::Absent, None).await.unwrap();
    assert!(content(&place, "large").await == whole());
}

/// The server begins an upload each time, and the first so many answers are lost.
#[tokio::test]
async fn an_upload_whose_beginning_nobody_heard_of_goes_with_the_abandoned_ones() {
    for lost in [1, usize::MAX] {
        let Some(server) = Server::moto() else { return };
        server.bucket("bucket");
        let mut times = 0;
        let proxy = Proxy::start(Some(server.address()), move |asked| {
            times += usize::from(asked.is("POST", "uploads"));
            if asked.is("POST", "uploads") && times <= lost { Act::Lose } else { Act::Forward }
        });
        let (mut staged, last) = attempt(&open(&proxy), Large::whole(), None).await;
        let straight = straight(&server);
        let place = open(&straight);
        if lost > 1 {
            assert_eq!((staged.unwrap_err().code(), last), (Code::Offline, None));
            staged = attempt(&place, Large::whole(), None).await.0;
        }
        assert!(uploads(&server) > 1, "{lost} answers lost");
        // To moto every upload is of the year 2010, and its parts are of now.
        place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
        assert_eq!(uploads(&server), 1, "{lost} answers lost: the one with parts stays");
        drop(staged.unwrap());
    }
}

#[tokio::test]
async fn the_upload_of_another_program_to_the_same_key_stays() {
    for server in [Server::moto(), Server::rclone()].into_iter().flatten() {
        let options = S3Options { part_bytes: PART, ..server.bucket("bucket") };
        let other = S3::open(options.clone()).unwrap();
        let (_, of_other) = attempt(&other, Large::until(13 << 20, Code::Cancelled), None).await;
        let of_other = of_other.unwrap();
        let place = S3::open(options).unwrap();
        // One that is given up at once, one that a later process gives up, and one that becomes the object.
        let (failed, _) = attempt(&place, Large::until(13 << 20, Code::Stale), None).await;
        assert_eq!(failed.unwrap_err().code(), Code::Stale);
        let (_, last) = attempt(&place, Large::until(13 << 20, Code::Offline), None).await;
        place.discard_staged(vec![(path("large"), "tag".into())]).await.unwrap();
        place.discard_session(path("large"), "tag".into(), &last.unwrap().state).await.unwrap();
        let (staged, _) = attempt(&place, Large::whole(), None).await;
        publish(&place, staged.unwrap(), Expect::Absent, None).await.unwrap();
        place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
        let there = stat(&place, "large").await.unwrap();
        let (staged, _) = attempt(&other, Large::whole(), Some(of_other.clone())).await;
        let staged = staged.unwrap();
        assert!(staged.resumed >= of_other.offset && of_other.offset >= 2 * PART, "{staged:?}");
        publish(&other, staged, Expect::Node(there), None).await.unwrap();
        assert!(content(&place, "large").await == whole());
    }
}

#[tokio::test]
async fn what_is_no_interruption_leaves_no_upload() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = straight(&server);
    let place = open(&proxy);
    let (failed, _) = attempt(&place, Large::until(13 << 20, Code::Stale), None).await;
    assert_eq!((failed.unwrap_err().code(), uploads(&server)), (Code::Stale, 0));
    let (staged, _) = attempt(&place, Large::whole(), None).await;
    let staged = staged.unwrap();
    assert_eq!(uploads(&server), 1);
    place.discard_staged(vec![(path("large"), "tag".into())]).await.unwrap();
    assert_eq!(uploads(&server), 0);
    assert!(publish(&place, staged, Expect::Absent, None).await.is_err());
    assert_eq!(stat(&place, "large").await, None);
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_or_false_is_looked_into() {
    for is_lost in [true, false] {
        let Some(server) = Server::moto() else { return };
        server.bucket("bucket");
        let mut times = 0;
        let proxy = Proxy::start(Some(server.address()), move |asked| {
            if !asked.is("POST", "uploadId") || times > 0 {
                return match asked.is("POST", "uploadId") && is_lost {
                    // moto answers 500 to what it does not know any more.
                    true => Act::Answer(failure("404 Not Found", "NoSuchUpload", &[])),
                    false => Act::Forward,
                };
            }
            times += 1;
            if is_lost { Act::Lose } else { Act::Answer(failure("200 OK", "InternalError", &[])) }
        });
        let place = open(&proxy);
        let (staged, _) = attempt(&place, Large::whole(), None).await;
        let node = publish(&place, staged.unwrap(), Expect::Absent, None).await.unwrap();
        assert_eq!((stat(&place, "large").await, proxy.count("POST", "uploadId")), (Some(node), 2));
    }
}

#[tokio::test]
async fn a_large_file_comes_only_over_what_was_expected() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = straight(&server);
    let place = open(&proxy);
    let (staged, _) = attempt(&place, Large::whole(), None).await;
    let staged = staged.unwrap();
    said(&server.address(), "PUT", "/bucket/large", b"a stranger's");
    let late = publish(&place, staged.clone(), Expect::Absent, None).await;
    assert_eq!(late.unwrap_err().code(), Code::Stale);
    assert_eq!(content(&place, "large").await, b"a stranger's");
    let there = stat(&place, "large").await.unwrap();
    publish(&place, staged, Expect::Node(there), Some("run")).await.unwrap();
    assert!(content(&place, "large").await == whole());
    assert_eq!(
        place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap(),
        1,
        "the version before is kept"
    );
}
