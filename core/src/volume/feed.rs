//! The bytes of a new file on their way: counted, and their beginning looked at.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::mime::HEAD_BYTES;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::provider::{Feed, Opened, Pace};

/// Pieces that are read ahead of whoever takes them.
const PIECES: usize = 2;

/// A feed that is held to the size it declared, at the byte that exceeds it.
pub(super) struct Watched {
    feed: Arc<dyn Feed>,
    size: u64,
    filename: String,
    pace: Pace,
    head: Mutex<Vec<u8>>,
}

impl Watched {
    pub(super) fn new(feed: Arc<dyn Feed>, size: u64, filename: &str, pace: Pace) -> Self {
        Self { feed, size, filename: filename.to_owned(), pace, head: Mutex::default() }
    }

    /// How many bytes it declared.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes, once they have passed.
    pub(super) fn head(&self) -> Vec<u8> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The hash of all bytes, in one pass of its own.
    pub(super) async fn content(self: &Arc<Self>) -> Result<ContentHash> {
        let mut hasher = blake3::Hasher::new();
        let (mut bytes, mut count) = (Arc::clone(self).pass(0, None).await?.bytes, 0);
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            count += piece.len() as u64;
            hasher.update(&piece);
        }
        match count == self.size {
            true => Ok(ContentHash(*hasher.finalize().as_bytes())),
            false => Err(wrong_size(&self.filename)),
        }
    }

    async fn pass(self: Arc<Self>, offset: u64, length: Option<u64>) -> Result<Opened> {
        let opened = self.feed.open(offset, length).await?;
        let mtime = opened.mtime;
        let most = self.size.saturating_sub(offset).min(length.unwrap_or(u64::MAX));
        let bytes = opened.bytes.scan((offset, most, false), move |(at, left, ended), piece| {
            let next = match piece {
                _ if *ended => None,
                Ok(piece) if piece.len() as u64 > *left => Some(Err(wrong_size(&self.filename))),
                Ok(piece) => {
                    self.keep_head(*at, &piece);
                    *at += piece.len() as u64;
                    *left -= piece.len() as u64;
                    Some(Ok(piece))
                }
                Err(e) => Some(Err(e)),
            };
            *ended |= matches!(next, Some(Err(_)));
            std::future::ready(next)
        });
        Ok(Opened { bytes: bytes.boxed(), mtime })
    }

    fn keep_head(&self, at: u64, piece: &[u8]) {
        if at < HEAD_BYTES as u64 {
            let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
            // A second pass brings the same bytes.
            if head.len() as u64 == at {
                let most = piece.len().min(HEAD_BYTES - head.len());
                head.extend_from_slice(&piece[..most]);
            }
        }
    }
}

/// A [`Watched`] feed as the place takes it.
pub(super) struct Watching(pub(super) Arc<Watched>);

#[async_trait]
impl Feed for Watching {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        Ok(Arc::clone(&self.0).pass(offset, length).await?.paced(&self.0.pace))
    }
}

/// The same bytes, read by a task of the book's: a host may take them on any executor.
pub(super) fn driven(opened: Opened) -> Opened {
    let Opened { mut bytes, mtime } = opened;
    let (send, receive) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        while let Some(piece) = bytes.next().await {
            let is_last = piece.is_err();
            if send.send(Some(piece)).await.is_err() || is_last {
                return;
            }
        }
        // Whoever does not listen any more needs no end.
        let _ = send.send(None).await;
    });
    let bytes = stream::unfold(Some(receive), |receive| async move {
        let mut receive = receive?;
        match receive.recv().await {
            Some(Some(piece)) => {
                let goes_on = piece.is_ok();
                Some((piece, goes_on.then_some(receive)))
            }
            Some(None) => None,
            None => {
                let error = Error::new(Code::Cancelled, "read", "the file").because("the book has ended");
                Some((Err(error), None))
            }
        }
    });
    Opened { bytes: bytes.boxed(), mtime }
}

fn wrong_size(filename: &str) -> Error {
    Error::new(Code::Stale, "store", filename.escape_debug())
        .because("its source gave fewer or more bytes than it declared")
}
