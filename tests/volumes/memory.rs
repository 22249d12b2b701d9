//! Puts share the memory that a book gives to what it carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use portbook::provider::{Feed, Opened};
use portbook::volume::{Content, NewFile};
use portbook::{Result, wait};

use crate::world::{World, claims};

claims! {
    puts_wait_for_room_and_all_arrive
}

/// Small files have 32 MiB of the 128 MiB that a book has unless it is told otherwise, and each that passes is taken for 8.
const AT_ONCE: usize = 4;
const PUTS: usize = 12;
const PIECE: usize = 1 << 20;
const PIECES: usize = 8;

/// How many files are being read, and were at most.
#[derive(Default)]
struct Seen {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One that is being read.
struct Reading(Arc<Seen>);

impl Reading {
    fn new(seen: &Arc<Seen>) -> Self {
        let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(now, Ordering::SeqCst);
        Self(seen.clone())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A source that goes on when as many as may are being read, so that others had the time to come too.
struct Patient(Arc<Seen>);

#[async_trait]
impl Feed for Patient {
    fn size(&self) -> u64 {
        (PIECE * PIECES) as u64
    }

    async fn open(&self, _: u64, _: Option<u64>) -> Result<Opened> {
        let reading = Reading::new(&self.0);
        let pieces = stream::iter(0..PIECES).then(move |number| {
            let seen = reading.0.clone();
            async move {
                while number == 0 && seen.most.load(Ordering::SeqCst) < AT_ONCE {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok(Bytes::from(vec![b'x'; PIECE]))
            }
        });
        Ok(Opened { bytes: pieces.boxed(), mtime: None })
    }
}

fn puts_wait_for_room_and_all_arrive(world: &World) {
    let (volume, seen) = (world.make(world.row()), Arc::new(Seen::default()));
    let puts = (0..PUTS).map(|number| {
        let feed = Content::Feed(Arc::new(Patient(seen.clone())));
        volume.put(NewFile::at(format!("file{number}"), feed))
    });
    for put in wait(join_all(puts)) {
        assert_eq!(put.unwrap().row.size, (PIECE * PIECES) as i64);
    }
    assert_eq!(seen.most.load(Ordering::SeqCst), AT_ONCE);
    assert_eq!(world.used(&volume), (PUTS * PIECE * PIECES) as i64);
    world.settled(&volume);
}
