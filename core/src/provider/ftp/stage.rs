//! Writing files under temporary names.
//!
//! What was sent is there when the server confirmed it (226) and shows as many bytes as were sent; where it says hashes, also
//! the hash of what was sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::Place;
use super::facts;
use super::look::{Look, Truth};
use super::native::{Hashing, Sum, Summing};
use super::reply::Reply;
use super::resume::{self, Begun as Start, PART};
use super::root::{not_reserved, split, stale, temp_path};
use super::server::Lease;
use super::session::Begun;
use super::wire::{SILENCE, Wire};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, RelPath};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::{Checkpoint, Feed, Opened, Source, Stage, Staged, is_interruption};

const STAGE: &str = "write";
/// How often a file is sent whose connection broke.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);
/// How often a server is asked for a size that lags behind.
const LOOKS: u32 = 4;
/// The largest file whose hash a server is asked for: it reads all of it before it answers, in a time that has an end.
const HASHED: u64 = 1 << 30;

/// An item that is being staged.
pub(super) struct Staging {
    pub(super) item: Stage,
    pub(super) temp: RelPath,
    pub(super) feed: Arc<dyn Feed>,
    /// The last checkpoint that was kept.
    pub(super) kept: Mutex<Option<Checkpoint>>,
}

/// Why an attempt ended.
pub(super) enum Broke {
    /// For good.
    Ended(Error),
    /// On the way to the server.
    OnTheWay(Error),
    /// The server does not go on where it was, though it said that it could.
    NotFrom,
}

impl From<Error> for Broke {
    fn from(error: Error) -> Self {
        if error.is_retryable() { Self::OnTheWay(error) } else { Self::Ended(error) }
    }
}

pub(super) async fn stage(place: &Arc<Place>, item: Stage) -> Result<Staged> {
    not_reserved(STAGE, &item.target)?;
    let temp = temp_path(STAGE, &item.target, &item.tag)?;
    let Source::Feed(feed) = &item.source else {
        return Err(Error::new(Code::Unsupported, STAGE, &item.target).because("it cannot be copied by the server"));
    };
    if item.kind != Kind::File {
        return Err(Error::new(Code::Unsupported, STAGE, &item.target).because("FTP makes files and directories only"));
    }
    let feed = Arc::clone(feed);
    let kept = Mutex::new(item.resume.as_ref().and_then(|resume| resume.from.clone()));
    let staging = Staging { item, temp, feed, kept };
    let mut attempt = 1;
    loop {
        let error = match try_once(place, &staging).await {
            Ok(staged) => return Ok(staged),
            Err(Broke::OnTheWay(_)) if attempt < ATTEMPTS => {
                sleep(PAUSE * attempt).await;
                attempt += 1;
                continue;
            }
            Err(Broke::NotFrom) if attempt < ATTEMPTS => {
                *staging.kept.lock().await = None;
                attempt += 1;
                continue;
            }
            Err(Broke::NotFrom) => Error::new(Code::Storage, STAGE, &staging.item.target)
                .because("the server does not store what it is sent"),
            Err(Broke::Ended(error) | Broke::OnTheWay(error)) => error,
        };
        if staging.item.resume.is_none() || !is_interruption(&error) {
            // What cannot be removed now is found by its name and removed by the next run.
            let _ = discard(place, &staging.temp).await;
        }
        return Err(error);
    }
}

async fn try_once(place: &Arc<Place>, staging: &Staging) -> std::result::Result<Staged, Broke> {
    let target = &staging.item.target;
    let start = resume::take_up(place, staging).await?;
    let (resumed, size) = (start.offset, staging.feed.size());
    // The source is opened first: what it needs must not wait for what this transfer holds.
    let opened = match resumed < size || size == 0 {
        true => Some(staging.feed.open(resumed, None).await.map_err(Broke::Ended)?),
        false => None,
    };
    let slot = Mutex::new(Some((opened, start)));
    let sent = place.server.traffic.send_fed(Repeat::Refused, || async {
        let mut lease = place.server.take().await?;
        let Some((opened, start)) = slot.lock().await.take() else {
            return Err(Refusal::from(Error::new(Code::Offline, STAGE, target).because("the connection broke")));
        };
        let sent = match opened {
            Some(opened) => send(place, &mut lease, staging, opened, start).await,
            None => Ok((hash_of(&start.hasher), None)),
        };
        let (content, own) = match sent {
            Ok(sent) => sent,
            Err(broke) => return Ok(Err(broke)),
        };
        Ok(settle(place, &mut lease, staging, own).await.map(|()| content).map_err(Broke::from))
    });
    let content = sent.await??;
    if resumed > 0 && !resume::is_seamless(place, staging, resumed).await? {
        return Err(Broke::NotFrom);
    }
    Ok(Staged { target: target.clone(), tag: staging.item.tag.clone(), content, size, resumed, source: None })
}

fn hash_of(hasher: &blake3::Hasher) -> ContentHash {
    ContentHash(*hasher.finalize().as_bytes())
}

/// The hash of what was sent, and the same by the algorithm of the server, where it says hashes.
type Sent = (ContentHash, Option<Sum>);

/// Sends the bytes and waits until the server confirms them.
async fn send(
    place: &Place,
    lease: &mut Lease,
    staging: &Staging,
    opened: Opened,
    start: Start,
) -> std::result::Result<Sent, Broke> {
    let target = &staging.item.target;
    // Of what an earlier attempt has sent the bytes do not pass any more.
    let is_whole = start.offset == 0 && staging.feed.size() <= HASHED;
    let mut own = place.server.features().hashing.filter(|_| is_whole).and_then(Hashing::summing);
    let mut wire = match lease.begin(STAGE, "STOR", Some(&place.base.of(&staging.temp)), start.offset).await? {
        Begun::Open(wire) => wire,
        Begun::Refused(reply) if start.offset > 0 && !reply.is_done() && reply.code / 100 != 4 => {
            return Err(Broke::NotFrom);
        }
        Begun::Refused(reply) => return Err(refusal(place, lease, target, &reply).await.into()),
    };
    let content = match pump(lease, &mut wire, staging, opened, start, own.as_mut()).await {
        Ok(content) => content,
        Err(broke) => {
            let kept = matches!(&broke, Broke::Ended(e) if staging.item.resume.is_some() && is_interruption(e));
            if kept && wire.shutdown().await.is_ok() {
                // What was sent is kept, whatever the server says of it.
                let _ = lease.words(STAGE).await;
            }
            return Err(broke);
        }
    };
    let closed = timeout(SILENCE, wire.shutdown()).await;
    let reply = match closed {
        // The connection stays open until the server has confirmed: unread bytes in it would reset it.
        Ok(Ok(())) => lease.finish(STAGE).await?,
        Ok(Err(_)) | Err(_) => broken(lease, target, "the connection broke").await?,
    };
    if reply.is_done() { Ok((content, own.map(Summing::finish))) } else { Err(reply.error(STAGE, target).into()) }
}

/// Why the server broke a transfer off.
async fn broken(lease: &mut Lease, target: &RelPath, why: &str) -> Result<Reply> {
    match lease.words(STAGE).await {
        Some(reply) if !reply.is_done() => Ok(reply),
        Some(_) | None => Err(Error::new(Code::Offline, STAGE, target).because(why)),
    }
}

async fn pump(
    lease: &mut Lease,
    wire: &mut Wire,
    staging: &Staging,
    mut opened: Opened,
    start: Start,
    mut own: Option<&mut Summing>,
) -> std::result::Result<ContentHash, Broke> {
    let target = &staging.item.target;
    let wrong_size = || Broke::Ended(stale(STAGE, target, "its source gave fewer or more bytes than it declared"));
    let size = staging.feed.size();
    let Start { mut offset, mut hasher } = start;
    let mut mark = offset.saturating_add(PART);
    while let Some(piece) = opened.bytes.next().await {
        let piece = piece.map_err(Broke::Ended)?;
        if offset + piece.len() as u64 > size {
            return Err(wrong_size());
        }
        match timeout(SILENCE, wire.write_all(&piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(broken(lease, target, &e.to_string()).await?.error(STAGE, target).into()),
            Err(_) => {
                let error = Error::new(Code::Timeout, STAGE, target).because("the server takes no more bytes");
                return Err(error.into());
            }
        }
        hasher.update(&piece);
        if let Some(own) = &mut own {
            own.update(&piece);
        }
        offset += piece.len() as u64;
        if offset >= mark && offset < size {
            wire.flush().await.map_err(|e| Error::new(Code::Offline, STAGE, target).because(e))?;
            resume::keep(staging, offset, hash_of(&hasher)).await.map_err(Broke::Ended)?;
            mark = offset.saturating_add(PART);
        }
    }
    if offset != size {
        return Err(wrong_size());
    }
    Ok(hash_of(&hasher))
}

/// What a refusal to store means: 550 stands for a missing directory and for a denied one alike.
async fn refusal(place: &Place, lease: &mut Lease, target: &RelPath, reply: &Reply) -> Error {
    let error = reply.error(STAGE, target);
    let Ok((parent, _)) = split(STAGE, target) else { return error };
    if error.code() != Code::Permission || parent.is_root() {
        return error;
    }
    match lease.look(STAGE, &place.base, &parent).await {
        Ok(Look::Refused(why)) => match lease.truth(STAGE, &place.base, &parent, &why).await {
            Ok(Truth::Absent) => Error::new(Code::NotFound, STAGE, target).because("its directory is gone"),
            Ok(Truth::There(_)) | Err(_) => error,
        },
        Ok(Look::There(_)) | Err(_) => error,
    }
}

/// Looks whether all bytes are there, and sets the modified time.
async fn settle(place: &Place, lease: &mut Lease, staging: &Staging, own: Option<Sum>) -> Result<()> {
    let (target, size) = (&staging.item.target, staging.feed.size());
    let mut look = 1;
    loop {
        let seen = match lease.look(STAGE, &place.base, &staging.temp).await? {
            Look::There(node) => node.token.size,
            Look::Refused(reply) => return Err(reply.error(STAGE, target).advise("the server hides temporary names")),
        };
        if seen == size {
            break;
        }
        if look == LOOKS {
            let why = format!("the server confirmed {size} bytes and shows {seen}");
            return Err(Error::new(Code::Storage, STAGE, target).because(why));
        }
        // Some servers show the size of a moment ago.
        sleep(PAUSE * look).await;
        look += 1;
    }
    if let (Some(own), Some(hashing)) = (own, place.server.features().hashing) {
        let said = hashing.ask(place, lease, &staging.temp).await;
        if said.is_some_and(|said| said != own) {
            let error = Error::new(Code::Storage, STAGE, target);
            return Err(error.because("the server holds something else than was sent"));
        }
        // A server that answers nothing in time has lost its place in the conversation.
        lease.reconnect().await?;
    }
    if let Some(text) = staging.item.metadata.mtime.and_then(facts::written)
        && place.capabilities.write_mtime
    {
        // A file is not worth less for its time; what it has is what is answered when it is published.
        set_time(place, lease, &staging.temp, &text).await?;
    }
    Ok(())
}

/// `MFMT`; without it `MDTM` with two arguments, which vsftpd takes. Others look for a file of that name and refuse: they are
/// not asked again.
async fn set_time(place: &Place, lease: &mut Lease, temp: &RelPath, time: &str) -> Result<()> {
    let at = [time.as_bytes(), b" ", &place.base.of(temp)].concat();
    if place.server.features().mfmt {
        lease.ask(STAGE, "MFMT", Some(&at)).await?;
    } else if !place.server.mdtm_only_tells.load(Ordering::Relaxed) {
        let reply = lease.ask(STAGE, "MDTM", Some(&at)).await?;
        if !reply.is_done() {
            place.server.mdtm_only_tells.store(true, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Removes a temporary file, if it is there.
pub(super) async fn discard(place: &Arc<Place>, temp: &RelPath) -> Result<()> {
    let action = "clean up beside";
    place
        .server
        .traffic
        .send(Repeat::Safe, || async {
            let mut lease = place.server.take().await?;
            let reply = lease.ask(action, "DELE", Some(&place.base.of(temp))).await?;
            if reply.is_done() {
                return Ok(());
            }
            match lease.stat(action, &place.base, temp).await? {
                None => Ok(()),
                Some(_) => Err(Refusal::from(reply.error(action, temp))),
            }
        })
        .await
}
