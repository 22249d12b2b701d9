//! A large file that a directory receives in several streams at once.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::provider::local::{Local, Parts};
use portbook::provider::simulation::{FaultDisk, ModelDisk};
use portbook::provider::{Checkpoint, Feed, Keeper, Opened, Provider, Publish, Resumable, Source, Stage, Staged};
use portbook::{Code, Error, Result};
use tokio::sync::Barrier;

use crate::contract::{self, path, publish};

const MIB: u64 = 1 << 20;
/// Two segments, and a part of a third.
const SIZE: u64 = 37 * MIB + 5;
/// What is carried again at most: two steps of what is flushed at once, and what is under way.
const AGAIN: u64 = 8 * MIB;
const STREAMS: usize = 3;

fn content() -> Bytes {
    (0..SIZE).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect()
}

/// A source whose streams begin together, each giving a piece in its turn.
struct Beside {
    content: Bytes,
    /// None begins to send before so many are open.
    together: Barrier,
    /// After so many bytes of all streams the place is offline.
    left: AtomicU64,
    opened: Mutex<Vec<Range<u64>>>,
    sent: AtomicU64,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Beside {
    fn new(content: &Bytes, together: usize, left: u64) -> Arc<Self> {
        Arc::new(Self {
            content: content.clone(),
            together: Barrier::new(together),
            left: AtomicU64::new(left),
            opened: Mutex::default(),
            sent: AtomicU64::new(0),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn opened(&self) -> Vec<Range<u64>> {
        let mut opened = self.opened.lock().unwrap().clone();
        opened.sort_by_key(|range| range.start);
        opened
    }

    fn take(&self, range: Range<u64>) -> Result<Bytes> {
        let length = range.end - range.start;
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(length)).is_err() {
            return Err(Error::new(Code::Offline, "read", "the source"));
        }
        self.sent.fetch_add(length, Ordering::SeqCst);
        Ok(self.content.slice(range.start as usize..range.end as usize))
    }
}

#[derive(Clone)]
struct Shared(Arc<Beside>);

#[async_trait]
impl Feed for Shared {
    fn size(&self) -> u64 {
        self.0.content.len() as u64
    }

    fn streams(&self) -> usize {
        STREAMS
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.size(), |length| offset + length);
        self.0.opened.lock().unwrap().push(offset..end);
        let now = self.0.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        self.0.together.wait().await;
        let source = Arc::clone(&self.0);
        let bytes = stream::unfold(offset, move |offset| {
            let source = Arc::clone(&source);
            async move {
                if offset == end {
                    source.now.fetch_sub(1, Ordering::SeqCst);
                    return None;
                }
                // The others are to come in between.
                tokio::task::yield_now().await;
                let next = end.min(offset + 100_003);
                Some((source.take(offset..next), next))
            }
        });
        Ok(Opened { bytes: bytes.boxed(), mtime: None })
    }
}

/// Stages with a session; the last checkpoint.
async fn carry<P: Provider>(
    place: &P,
    source: Source,
    from: Option<Checkpoint>,
) -> (Result<Staged>, Option<Checkpoint>) {
    let (keeper, mut reports) = Keeper::new();
    let item = Stage { source, resume: Some(Resumable { from, keeper }), ..contract::new_file(&path("large"), b"") };
    let keeping = async {
        let mut last = None;
        while let Some(report) = reports.recv().await {
            last = Some(report.checkpoint);
            report.kept.send(Ok(())).unwrap();
        }
        last
    };
    futures_util::join!(contract::put_staged(place, item), keeping)
}

fn of(source: &Arc<Beside>) -> Source {
    Source::Feed(Arc::new(Shared(Arc::clone(source))))
}

#[tokio::test]
async fn segments_arrive_beside_each_other() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let place = Local::open(dir.path()).unwrap();
    let source = Beside::new(&content, STREAMS, u64::MAX);
    let (staged, _) = carry(&place, of(&source), None).await;
    let staged = staged.unwrap();
    assert_eq!((staged.size, staged.resumed, staged.content), (SIZE, 0, ContentHash::of(&content)));
    assert_eq!(source.opened(), [0..16 * MIB, 16 * MIB..32 * MIB, 32 * MIB..SIZE]);
    assert_eq!(source.most.load(Ordering::SeqCst), STREAMS);
    publish(&place, staged, Expect::Absent, None).await.unwrap();
    assert!(std::fs::read(dir.path().join("large")).unwrap() == content);
}

#[tokio::test]
async fn what_arrived_behind_a_gap_is_not_carried_again() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let place = Local::open(dir.path()).unwrap();
    // All three have begun, and the last has ended.
    let source = Beside::new(&content, STREAMS, 24 * MIB);
    let (broken, last) = carry(&place, of(&source), None).await;
    assert_eq!(broken.unwrap_err().code(), Code::Offline);
    let last = last.unwrap();
    assert!(last.offset > 12 * MIB, "{} bytes are safe", last.offset);
    // A new process: nothing is remembered but the checkpoint.
    let place = Local::open(dir.path()).unwrap();
    let again = Beside::new(&content, 1, u64::MAX);
    let (staged, _) = carry(&place, of(&again), Some(last.clone())).await;
    let staged = staged.unwrap();
    assert_eq!((staged.resumed, staged.content), (last.offset, ContentHash::of(&content)));
    let sent = [&source, &again].map(|source| source.sent.load(Ordering::SeqCst));
    assert_eq!(sent[1], SIZE - last.offset);
    assert!(sent[0] + sent[1] <= SIZE + AGAIN, "{sent:?}");
    assert!(again.opened().iter().all(|range| range.start % (16 * MIB) != 0), "{:?}", again.opened());
    publish(&place, staged, Expect::Absent, None).await.unwrap();
    assert!(std::fs::read(dir.path().join("large")).unwrap() == content);
}

#[tokio::test]
async fn another_byte_behind_a_gap_begins_it_anew() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let place = Local::open(dir.path()).unwrap();
    let (_, last) = carry(&place, of(&Beside::new(&content, STREAMS, 24 * MIB)), None).await;
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let temporary = names.into_iter().find(|path| path.is_file()).unwrap();
    let mut bytes = std::fs::read(&temporary).unwrap();
    bytes[17 * MIB as usize] ^= 1;
    std::fs::write(&temporary, bytes).unwrap();
    let (staged, _) = carry(&place, of(&Beside::new(&content, 1, u64::MAX)), last).await;
    let staged = staged.unwrap();
    assert_eq!((staged.resumed, staged.content), (0, ContentHash::of(&content)));
    publish(&place, staged, Expect::Absent, None).await.unwrap();
    assert!(std::fs::read(dir.path().join("large")).unwrap() == content);
}

/// A later run may take the file straight from another directory.
#[tokio::test]
async fn a_copy_goes_on_before_the_first_gap() {
    let (dir, from, content) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), content());
    std::fs::write(from.path().join("large"), &content).unwrap();
    let (place, other) = (Local::open(dir.path()).unwrap(), Local::open(from.path()).unwrap());
    let (_, last) = carry(&place, of(&Beside::new(&content, STREAMS, 24 * MIB)), None).await;
    let last = last.unwrap();
    let native = Source::Native {
        source: other.native_source().unwrap(),
        path: path("large"),
        expect: contract::stat(&other, "large").await.unwrap(),
        pace: portbook::provider::Pace::default(),
    };
    let (staged, _) = carry(&place, native, Some(last.clone())).await;
    let staged = staged.unwrap();
    assert!(staged.resumed > 0 && staged.resumed < last.offset, "{} of {}", staged.resumed, last.offset);
    assert_eq!(staged.content, ContentHash::of(&content));
    publish(&place, staged, Expect::Absent, None).await.unwrap();
    assert!(std::fs::read(dir.path().join("large")).unwrap() == content);
}

#[tokio::test]
async fn what_a_checkpoint_says_survives_every_power_loss() {
    let content = content();
    let disk = FaultDisk::new(ModelDisk::default());
    let on = |disk: FaultDisk<ModelDisk>| {
        let parts = Parts { resumable_bytes: 16 * MIB, part_bytes: 5 * MIB };
        Local::open_parts(Arc::new(disk), Path::new("/"), parts).unwrap()
    };
    let place = on(disk.clone());
    let (broken, last) = carry(&place, of(&Beside::new(&content, STREAMS, 24 * MIB)), None).await;
    broken.unwrap_err();
    let last = last.unwrap();
    for seed in 0..4 {
        let place = on(FaultDisk::new(disk.inner().crash(seed)));
        let (staged, _) = carry(&place, of(&Beside::new(&content, 1, u64::MAX)), Some(last.clone())).await;
        let staged = staged.unwrap();
        assert_eq!((staged.resumed, staged.content), (last.offset, ContentHash::of(&content)), "seed {seed}");
        place.flush(vec![path("large")]).await.unwrap();
        let item = Publish { staged, expect: Expect::Absent, archive: None };
        place.publish(vec![item]).await.remove(0).unwrap();
        assert!(contract::content(&place, "large").await == content, "seed {seed}");
    }
}
