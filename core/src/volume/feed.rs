//! The bytes of a new file on their way: counted, and their beginning looked at.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt as _;

use super::mime::HEAD_BYTES;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::provider::{Feed, Opened};

/// A feed that is held to the size it declared, at the byte that exceeds it.
pub(super) struct Watched {
    feed: Arc<dyn Feed>,
    size: u64,
    filename: String,
    head: Mutex<Vec<u8>>,
}

impl Watched {
    pub(super) fn new(feed: Arc<dyn Feed>, size: u64, filename: &str) -> Self {
        Self { feed, size, filename: filename.to_owned(), head: Mutex::default() }
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
        Arc::clone(&self.0).pass(offset, length).await
    }
}

fn wrong_size(filename: &str) -> Error {
    Error::new(Code::Stale, "store", filename.escape_debug())
        .because("its source gave fewer or more bytes than it declared")
}
