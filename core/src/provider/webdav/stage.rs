//! Uploads under temporary names.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Body, Method};
use tokio::sync::mpsc;

use super::change::parted;
use super::chunks;
use super::condition::not_reserved;
use super::lock::{Locks, Refused, Wanted};
use super::server::Server;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Name, RelPath, Timestamp};
use crate::provider::native_hash::Sums;
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_site::{Ask, MadeBody};
use crate::provider::{Feed, Opened, Source, Stage, Staged, TEMP_PREFIX};

pub(super) const STAGE: &str = "write";
/// Files of at most this size are held in memory: their checksum goes ahead of them.
const SMALL: u64 = 256 << 10;
/// So many pieces of a source (a megabyte each, most often) are read before they can be sent.
const PIECES_AHEAD: usize = 4;

/// The path of the temporary name of a tag beside a target.
pub(super) fn temp_path(action: &'static str, target: &RelPath, tag: &str) -> Result<RelPath> {
    let name = [TEMP_PREFIX, tag.as_bytes()].concat();
    let name = Name::new(&name).filter(|_| name.len() <= 255 && tag.is_ascii());
    let name = name.ok_or_else(|| Error::new(Code::Invalid, action, tag.escape_debug()).because("no usable tag"))?;
    Ok(target.parent().unwrap_or_default().join(&name))
}

/// Stages one file.
pub(super) async fn stage(server: &Server, item: Stage) -> Result<Staged> {
    not_reserved(STAGE, &item.target)?;
    let unsupported = |why: &str| Error::new(Code::Unsupported, STAGE, &item.target).because(why);
    let feed = match (&item.source, item.kind) {
        (Source::Feed(feed), Kind::File) => Arc::clone(feed),
        (Source::Native { .. }, _) => return Err(unsupported("files cannot be taken straight from another place")),
        (_, Kind::Symlink) => return Err(unsupported("WebDAV holds no links")),
        (_, _) => return Err(unsupported("it is no file")),
    };
    let temp = temp_path(STAGE, &item.target, &item.tag)?;
    if server.site.needs_challenge() {
        // So that no large body is sent in vain.
        server.features().await?;
    }
    if feed.size() >= chunks::IN_CHUNKS && server.features().await?.is_owncloud && server.takes_chunks() {
        match chunks::stage(server, &item, &temp, Arc::clone(&feed)).await? {
            Some(staged) => return Ok(staged),
            None => server.has_no_chunks.store(true, Ordering::Relaxed),
        }
    }
    let put = Put { server, item: &item, temp: &temp, feed };
    match put.run().await {
        Ok((content, size)) => {
            Ok(Staged { target: item.target, tag: item.tag, content, size, resumed: 0, source: None })
        }
        Err(e) => {
            // What cannot be removed now is found by its name and removed by the next run.
            let _ = server.delete("clean up beside", &temp, false).await;
            Err(e)
        }
    }
}

struct Put<'a> {
    server: &'a Server,
    item: &'a Stage,
    temp: &'a RelPath,
    feed: Arc<dyn Feed>,
}

/// What was sent; none where it is locked.
type Sent = std::result::Result<Option<(ContentHash, u64)>, Refusal>;

impl Put<'_> {
    /// Sends it; under a lock where the server does not take it without.
    async fn run(&self) -> Result<(ContentHash, u64)> {
        let server = self.server;
        let send = async |locks: Option<&Locks>| server.site.traffic.send_fed(Repeat::Safe, || self.once(locks)).await;
        let wanted = [Wanted::new_file(self.temp)];
        let mut refused = Refused::new(STAGE, &wanted);
        let locked = || Error::new(Code::Busy, STAGE, &self.item.target).because("423 Locked");
        loop {
            if let Some(sent) = send(None).await? {
                return Ok(sent);
            }
            let Some(locks) = refused.next(server, locked()).await? else { continue };
            let sent = server.keeping(&locks, send(Some(&locks))).await;
            server.release(&locks).await;
            return sent?.ok_or_else(locked);
        }
    }

    async fn once(&self, locks: Option<&Locks>) -> Sent {
        let size = self.feed.size();
        let opened = self.feed.open(0, None).await?;
        let mtime = self.item.metadata.mtime.or(opened.mtime);
        let ask = self.ask(mtime, locks);
        if size <= SMALL { self.small(ask, opened, size).await } else { self.large(ask, opened, size).await }
    }

    fn ask(&self, mtime: Option<Timestamp>, locks: Option<&Locks>) -> Ask {
        let mut ask = Ask::new(Method::PUT, self.server.address.url(self.temp, false), STAGE, &self.item.target)
            .with("content-type", HeaderValue::from_static("application/octet-stream"));
        mtime_header(&mut ask.headers, mtime);
        match locks {
            Some(locks) => ask.with("if", locks.header(None)),
            None => ask,
        }
    }

    /// Remembers what was sent, where the server may say what it has.
    async fn remember(&self, sums: Sums) {
        if self.server.keeps_sums() {
            self.server.sums.lock().await.insert(self.temp.clone(), sums.finish());
        }
    }

    async fn small(&self, mut ask: Ask, mut opened: Opened, size: u64) -> Sent {
        let mut content = Vec::new();
        while let Some(piece) = opened.bytes.next().await {
            content.extend_from_slice(&piece?);
            if content.len() as u64 > size {
                return Err(self.wrong_size().into());
            }
        }
        if content.len() as u64 != size {
            return Err(self.wrong_size().into());
        }
        let content = Bytes::from(content);
        let mut sums = Sums::default();
        if self.server.keeps_sums() {
            sums.update(&content);
        }
        if self.server.known_features().is_some_and(|features| features.is_owncloud) {
            chunks::checksum_header(&mut ask.headers, &sums.clone().finish()[0]);
        }
        if !self.put(&ask, || Ok(Some((size, Body::from(content.clone()))))).await? {
            return Ok(None);
        }
        self.remember(sums).await;
        Ok(Some((ContentHash::of(&content), size)))
    }

    async fn large(&self, ask: Ask, opened: Opened, size: u64) -> Sent {
        let sums = self.server.keeps_sums().then(Sums::default);
        let hasher = blake3::Hasher::new();
        let passed = Arc::new(Mutex::new(Passed { hasher, sums, size: 0, held: None, failed: None }));
        let mut first = Some(opened);
        // For a nonce that grew old on the way the source is opened anew: another attempt.
        let again = || Refusal::from(ask.error(Code::Offline).because("the server wants another proof of who asks"));
        let body = || match first.take() {
            Some(opened) => Ok(Some((size, passing(opened, size, &passed)))),
            None => Err(again()),
        };
        let sent = self.put(&ask, body).await;
        let sums = passed.lock().unwrap_or_else(PoisonError::into_inner).sums.take();
        if let (Some(sums), Ok(true)) = (sums, &sent) {
            self.remember(sums).await;
        }
        let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
        match (passed.failed.take(), sent) {
            (_, Ok(false)) => Ok(None),
            (Some(Failed::Source(e)), _) => Err(e.into()),
            (Some(Failed::Size), _) => Err(self.wrong_size().into()),
            (None, Err(e)) => Err(e),
            (None, Ok(true)) if passed.size != size => Err(self.wrong_size().into()),
            (None, Ok(true)) => Ok(Some((ContentHash(*passed.hasher.finalize().as_bytes()), size))),
        }
    }

    /// Whether it was taken, and not locked.
    async fn put(&self, ask: &Ask, body: impl FnMut() -> MadeBody + Send) -> std::result::Result<bool, Refusal> {
        let response = self.server.site.send(ask, body).await?;
        match response.status().as_u16() {
            200 | 201 | 204 => Ok(true),
            423 => Ok(false),
            // So Apache says of a directory that is locked.
            207 => {
                let refusal = parted(ask, response).await;
                if refusal.error.code() == Code::Busy { Ok(false) } else { Err(refusal) }
            }
            404 | 409 => Err(ask.error(Code::NotFound).because("its directory is missing").into()),
            _ => Err(ask.refused(response).await),
        }
    }

    fn wrong_size(&self) -> Error {
        wrong_size(&self.item.target)
    }
}

pub(super) fn wrong_size(target: &RelPath) -> Error {
    Error::new(Code::Stale, STAGE, target).because("its source gave fewer or more bytes than it declared")
}

/// The modified time; a server that does not know this header passes over it.
pub(super) fn mtime_header(headers: &mut HeaderMap, mtime: Option<Timestamp>) {
    if let Some(mtime) = mtime.filter(|mtime| mtime.secs > 0) {
        headers.insert("x-oc-mtime", HeaderValue::from(mtime.secs));
    }
}

/// What of a body has passed.
struct Passed {
    hasher: blake3::Hasher,
    sums: Option<Sums>,
    size: u64,
    /// The last piece, which goes out when it is known whether another follows: nobody asks for what comes after the
    /// declared length.
    held: Option<Bytes>,
    failed: Option<Failed>,
}

enum Failed {
    Source(Error),
    Size,
}

impl Passed {
    /// Takes a piece of the source, or its end: what may go out, and nothing behind a failure.
    fn take(&mut self, piece: Option<Result<Bytes>>, size: u64) -> std::io::Result<Bytes> {
        let mut fails = |failed| {
            self.failed = Some(failed);
            Err(std::io::Error::from(std::io::ErrorKind::InvalidData))
        };
        match piece {
            Some(Err(e)) => fails(Failed::Source(e)),
            None if self.size < size => fails(Failed::Size),
            None => Ok(self.held.take().unwrap_or_default()),
            Some(Ok(piece)) if self.size + piece.len() as u64 > size => fails(Failed::Size),
            Some(Ok(piece)) => {
                self.size += piece.len() as u64;
                self.hasher.update(&piece);
                if let Some(sums) = &mut self.sums {
                    sums.update(&piece);
                }
                Ok(self.held.replace(piece).unwrap_or_default())
            }
        }
    }
}

/// The bytes of a source as a body; it breaks off when they are not as many as declared, or cannot be read. They are read
/// and hashed by a task of their own, ahead of what is sent: the line does not wait for the disk.
fn passing(mut opened: Opened, size: u64, passed: &Arc<Mutex<Passed>>) -> Body {
    let (to, from) = mpsc::channel(PIECES_AHEAD);
    let passed = Arc::clone(passed);
    tokio::spawn(async move {
        loop {
            let piece = tokio::select! {
                piece = opened.bytes.next() => piece,
                () = to.closed() => return,
            };
            let is_end = piece.is_none();
            let taken = passed.lock().unwrap_or_else(PoisonError::into_inner).take(piece, size);
            let is_last = is_end || taken.is_err();
            if (!matches!(&taken, Ok(bytes) if bytes.is_empty()) && to.send(taken).await.is_err()) || is_last {
                return;
            }
        }
    });
    Body::wrap_stream(stream::unfold(from, |mut from| async move { from.recv().await.map(|piece| (piece, from)) }))
}
