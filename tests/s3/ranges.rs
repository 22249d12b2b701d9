//! Large objects that are read in ranges at once.

use std::sync::Arc;

use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::model::{Kind, Node};
use portbook::provider::local::Local;
use portbook::provider::s3::S3;
use portbook::provider::{OfPlace, Pace, Source, Stage, Staged};
use portbook::{Code, Result};

use crate::contract::{new_file, path, publish, put, put_staged, stat};
use crate::places::Server;
use crate::proxy::{Act, Asked, Proxy};

const MIB: u64 = 1 << 20;
/// A segment, and a part of another.
const SIZE: u64 = 17 * MIB + 5;

fn content(seed: u64) -> Vec<u8> {
    (0..SIZE).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

async fn download(to: &Local, place: Arc<S3>, expect: Node) -> Result<Staged> {
    let feed = OfPlace { place, path: path("large"), expect, pace: Pace::default(), room: None };
    let item = Stage { source: Source::Feed(Arc::new(feed)), kind: Kind::File, ..new_file(&path("large"), b"") };
    put_staged(to, item).await
}

/// The ranges that were asked for, in order.
fn ranges(asked: &[Asked]) -> Vec<(u64, u64)> {
    let range = |asked: &Asked| {
        let (first, last) = asked.header("range").strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    let mut ranges: Vec<_> = asked.iter().filter(|asked| asked.is("GET", "/large")).map(range).collect();
    ranges.sort_unstable();
    ranges
}

#[tokio::test]
async fn a_large_object_is_read_in_ranges_of_one_version() {
    for server in [Server::moto(), Server::rclone()].into_iter().flatten() {
        let bucket = server.bucket("bucket");
        let content = content(1);
        let node = put(&S3::open(bucket).unwrap(), "large", &content, Expect::Absent).await.unwrap();
        let proxy = Proxy::start(Some(server.address()), |_| Act::Forward);
        let dir = tempfile::tempdir().unwrap();
        let to = Local::open(dir.path()).unwrap();
        let staged = download(&to, Arc::new(S3::open(proxy.options()).unwrap()), node).await.unwrap();
        assert_eq!((staged.size, staged.content), (SIZE, ContentHash::of(&content)));
        assert_eq!(ranges(&proxy.seen()), [(0, 16 * MIB - 1), (16 * MIB, SIZE - 1)], "each is asked for once");
        assert_eq!(proxy.count("HEAD", ""), 0);
        publish(&to, staged, Expect::Absent, None).await.unwrap();
        assert!(std::fs::read(dir.path().join("large")).unwrap() == content);
    }
}

/// The object is replaced when the first range has been read.
#[tokio::test]
async fn ranges_of_two_versions_are_never_put_together() {
    for server in [Server::moto(), Server::rclone()].into_iter().flatten() {
        let bucket = server.bucket("bucket");
        let direct = S3::open(bucket).unwrap();
        let node = put(&direct, "large", &content(1), Expect::Absent).await.unwrap();
        let replaces = node.clone();
        let runtime = tokio::runtime::Handle::current();
        let mut is_first = true;
        let proxy = Proxy::start(Some(server.address()), move |asked| {
            if asked.is("GET", "/large") && !std::mem::take(&mut is_first) {
                let now = runtime.block_on(stat(&direct, "large")).unwrap();
                if now == replaces {
                    runtime.block_on(put(&direct, "large", &content(2), Expect::Node(now))).unwrap();
                }
            }
            Act::Forward
        });
        let dir = tempfile::tempdir().unwrap();
        let to = Local::open(dir.path()).unwrap();
        let refused = download(&to, Arc::new(S3::open(proxy.options()).unwrap()), node).await.unwrap_err();
        assert_eq!(refused.code(), Code::Stale, "{refused}");
        assert_eq!(stat(&to, "large").await, None);
    }
}
