//! Reading files.
//!
//! A download is whole when as many bytes came as the file has, and the server confirmed it (226). The end of a data
//! connection alone proves nothing.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::Place;
use super::look::Look;
use super::root::{same, stale};
use super::server::Lease;
use super::session::Begun;
use super::wire::{SILENCE, Wire};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::{Hashed, Opened};

const READ: &str = "read";
const PIECE: usize = 128 << 10;

/// A file that is being read.
struct Reading {
    place: Arc<Place>,
    lease: Lease,
    /// None once it was closed.
    wire: Option<Wire>,
    path: RelPath,
    expect: Option<Node>,
    /// Bytes before the beginning, from a server that cannot begin there.
    skip: u64,
    left: u64,
    /// The last byte that is read is the file's last.
    to_end: bool,
}

/// Opens a file as [`Provider::read`](crate::provider::Provider::read) says.
pub(super) async fn open(
    place: &Arc<Place>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    let first = place.server.traffic.send(Repeat::Safe, || async {
        let mut lease = place.server.take().await?;
        let node = current(place, &mut lease, path, expect).await?;
        let size = node.token.size;
        let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
        if offset >= end {
            return Ok(None);
        }
        let at = place.base.of(path);
        let (wire, skip) = match lease.begin(READ, "RETR", Some(&at), offset).await? {
            Begun::Open(wire) => (wire, 0),
            Begun::Refused(reply) if offset > 0 && reply.is_unsupported() => {
                match lease.begin(READ, "RETR", Some(&at), 0).await? {
                    Begun::Open(wire) => (wire, offset),
                    Begun::Refused(reply) => return Err(reply.error(READ, path).into()),
                }
            }
            Begun::Refused(reply) => return Err(reply.error(READ, path).into()),
        };
        let (path, expect) = (path.clone(), expect.cloned());
        let left = end - offset;
        let (place, wire) = (Arc::clone(place), Some(wire));
        let reading = Reading { place, lease, wire, path, expect, skip, left, to_end: end == size };
        // A small file is read within its turn, and again where the connection broke.
        Ok::<_, Refusal>(next(Some(reading)).await?)
    });
    let bytes = match first.await? {
        None => stream::empty().boxed(),
        Some((piece, rest)) => stream::once(async { Ok(piece) }).chain(stream::try_unfold(rest, next)).boxed(),
    };
    Ok(Opened { bytes, mtime: None })
}

/// The file as it is, if it is the one that is expected.
async fn current(place: &Place, lease: &mut Lease, path: &RelPath, expect: Option<&Node>) -> Result<Node> {
    let seen = match lease.look(READ, &place.base, path).await? {
        Look::There(node) => Some(node),
        Look::Refused(_) => lease.stat(READ, &place.base, path).await?,
    };
    match (expect, seen) {
        (Some(_), None) => Err(stale(READ, path, "it is gone")),
        (None, None) => Err(Error::new(Code::NotFound, READ, path).because("there is no such file")),
        (Some(expect), Some(seen)) if !same(expect, &seen) => Err(stale(READ, path, "it has changed")),
        (_, Some(seen)) if seen.kind != Kind::File => {
            Err(Error::new(Code::Unsupported, READ, path).because("it is no file"))
        }
        (_, Some(seen)) => Ok(seen),
    }
}

type Step = Result<Option<(Bytes, Option<Reading>)>>;

/// The next piece. The last one is given only when everything was found to be as it should.
async fn next(reading: Option<Reading>) -> Step {
    let Some(mut reading) = reading else { return Ok(None) };
    while reading.skip > 0 {
        reading.skip -= reading.piece(reading.skip).await?.len() as u64;
    }
    let piece = reading.piece(reading.left).await?;
    reading.left -= piece.len() as u64;
    if reading.left > 0 {
        return Ok(Some((piece, Some(reading))));
    }
    reading.end().await?;
    Ok(Some((piece, None)))
}

impl Reading {
    /// Up to so many bytes, at least one.
    async fn piece(&mut self, most: u64) -> Result<Bytes> {
        let most = usize::try_from(most).unwrap_or(PIECE).min(PIECE);
        let mut piece = BytesMut::with_capacity(most);
        let Some(wire) = &mut self.wire else { return Err(Error::new(Code::Internal, READ, &self.path)) };
        let read = timeout(SILENCE, wire.take(most as u64).read_buf(&mut piece)).await;
        match read {
            Err(_) => Err(Error::new(Code::Timeout, READ, &self.path).because("its bytes do not go on")),
            Ok(Ok(0)) => Err(self.short("its bytes end early").await),
            Ok(Err(e)) => Err(self.short(&e.to_string()).await),
            Ok(Ok(_)) => Ok(piece.freeze()),
        }
    }

    /// Why fewer bytes came than the file has.
    async fn short(&mut self, why: &str) -> Error {
        if let Some(reply) = self.lease.words(READ).await {
            if !reply.is_done() {
                return reply.error(READ, &self.path);
            }
            if let Some(expect) = &self.expect
                && let Ok(Look::There(node)) = self.lease.look(READ, &self.place.base, &self.path).await
                && !same(expect, &node)
            {
                return stale(READ, &self.path, "it changed while it was read");
            }
        }
        Error::new(Code::Offline, READ, &self.path).because(why)
    }

    async fn end(&mut self) -> Result<()> {
        let wire = self.wire.take();
        match wire.filter(|_| self.to_end) {
            // Dropping it has ended a transfer of which no more is wanted.
            None => self.lease.resynchronise().await,
            Some(mut wire) => {
                // The size proves that nothing is missing, so that TLS need not have said goodbye.
                if let Ok(Ok(1..)) = timeout(SILENCE, wire.read(&mut [0])).await {
                    self.lease.give_up();
                    return Err(stale(READ, &self.path, "it has more bytes than it had"));
                }
                drop(wire);
                let reply = self.lease.finish(READ).await?;
                if !reply.is_done() {
                    return Err(reply.error(READ, &self.path));
                }
            }
        }
        let Some(expect) = &self.expect else { return Ok(()) };
        // The bytes that came are the version's only if it still is what it was.
        self.lease.reconnect().await?;
        match self.lease.look(READ, &self.place.base, &self.path).await? {
            Look::There(node) if same(expect, &node) => Ok(()),
            Look::There(_) | Look::Refused(_) => Err(stale(READ, &self.path, "it changed while it was read")),
        }
    }
}

/// Hashes a file; one that changes meanwhile is `stale`.
pub(super) async fn hash(place: &Arc<Place>, path: &RelPath) -> Result<Hashed> {
    let looked = place.server.traffic.send(Repeat::Safe, || async {
        let mut lease = place.server.take().await?;
        Ok::<_, Refusal>(current(place, &mut lease, path, None).await?)
    });
    let node = looked.await?;
    let mut opened = open(place, path, Some(&node), 0, None).await?;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = opened.bytes.try_next().await? {
        hasher.update(&piece);
    }
    Ok(Hashed { node, content: ContentHash(*hasher.finalize().as_bytes()) })
}

/// Bytes of a file that nobody else uses.
pub(super) async fn bytes(place: &Arc<Place>, path: &RelPath, offset: u64, length: u64) -> Result<Vec<u8>> {
    let opened = open(place, path, None, offset, Some(length)).await?;
    Ok(opened.bytes.try_collect::<Vec<_>>().await?.concat())
}
