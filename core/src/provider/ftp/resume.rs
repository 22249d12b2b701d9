//! Uploads that go on where they broke off.
//!
//! How much of a file is there is what the server shows (`SIZE`), and it goes on exactly there: some servers refuse
//! anything else, others leave what follows. What is there is trusted when the source still begins with what the
//! checkpoint says, and when its last part is read back and equal; afterwards the seam is read once more, since a server
//! that cuts the file or fills it with zeros arrives at the same size.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::Place;
use super::look::Look;
use super::read;
use super::stage::{Broke, Staging};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::Kind;
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::{Checkpoint, is_interruption};

/// Bytes between two checkpoints.
pub(super) const PART: u64 = 8 << 20;
/// What is looked at on each side of a seam.
const SEAM: u64 = 64 << 10;
const GO_ON: &str = "go on with";

/// What a checkpoint says.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// The hash of everything before the offset.
    content: [u8; 32],
}

/// Where to begin, and the hash over what comes before.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) offset: u64,
    pub(super) hasher: blake3::Hasher,
}

/// Reports a checkpoint.
pub(super) async fn keep(staging: &Staging, offset: u64, content: ContentHash) -> Result<()> {
    let Some(resume) = &staging.item.resume else { return Ok(()) };
    let state = postcard::to_stdvec(&Progress { content: content.0 })
        .map_err(|e| Error::new(Code::Internal, "keep how far the upload is of", &staging.item.target).caused_by(e))?;
    let checkpoint = Checkpoint { offset, state };
    resume.keeper.keep_async(checkpoint.clone()).await?;
    *staging.kept.lock().await = Some(checkpoint);
    Ok(())
}

/// Where an upload goes on; from the beginning, where it is not certain that what is there is its own.
pub(super) async fn take_up(place: &Arc<Place>, staging: &Staging) -> std::result::Result<Begun, Broke> {
    let checkpoint = staging.kept.lock().await.clone();
    let Some(checkpoint) = checkpoint.filter(|_| place.capabilities.resumable_bytes.is_some()) else {
        return Ok(Begun::default());
    };
    let Ok(progress) = postcard::from_bytes::<Progress>(&checkpoint.state) else { return Ok(Begun::default()) };
    let there = place.server.traffic.send(Repeat::Safe, || async {
        let mut lease = place.server.take().await?;
        match lease.look(GO_ON, &place.base, &staging.temp).await? {
            Look::There(node) if node.kind == Kind::File => Ok::<_, Refusal>(node.token.size),
            Look::There(_) | Look::Refused(_) => Ok(0),
        }
    });
    let there = there.await?;
    if there == 0 || there > staging.feed.size() {
        return Ok(Begun::default());
    }
    match is_own(place, staging, there, checkpoint.offset, progress.content).await {
        Ok(Some(begun)) => Ok(begun),
        Ok(None) => Ok(Begun::default()),
        Err(e) if is_interruption(&e) => Err(Broke::from(e)),
        Err(e) => Err(Broke::Ended(e)),
    }
}

/// Reads what is there of the source, and of the server the last part.
async fn is_own(
    place: &Arc<Place>,
    staging: &Staging,
    there: u64,
    offset: u64,
    content: [u8; 32],
) -> Result<Option<Begun>> {
    let from = there.saturating_sub(PART);
    let tail = read::bytes(place, &staging.temp, from, there - from).await?;
    let mut source = staging.feed.open(0, Some(there)).await?.bytes;
    let mut begun = Begun::default();
    while let Some(piece) = source.try_next().await? {
        let end = begun.offset + piece.len() as u64;
        if (begun.offset..end).contains(&offset) && offset > 0 {
            let cut = (offset - begun.offset) as usize;
            let hash = begun.hasher.clone().update(&piece[..cut]).finalize();
            if *hash.as_bytes() != content {
                return Ok(None);
            }
        }
        if end > from {
            let skip = from.saturating_sub(begun.offset) as usize;
            let at = (begun.offset + skip as u64 - from) as usize;
            if tail.get(at..at + piece.len() - skip) != Some(&piece[skip..]) {
                return Ok(None);
            }
        }
        begun.hasher.update(&piece);
        begun.offset = end;
    }
    let is_checked = offset != there || *begun.hasher.finalize().as_bytes() == content;
    Ok((begun.offset == there && is_checked).then_some(begun))
}

/// Whether the file holds at its beginning and around the seam what its source does.
pub(super) async fn is_seamless(place: &Arc<Place>, staging: &Staging, seam: u64) -> Result<bool> {
    let size = staging.feed.size();
    let around = seam.saturating_sub(SEAM);
    for (from, to) in [(0, SEAM.min(size)), (around, seam.saturating_add(SEAM).min(size))] {
        let stored = read::bytes(place, &staging.temp, from, to - from).await?;
        let pieces: Vec<_> = staging.feed.open(from, Some(to - from)).await?.bytes.try_collect().await?;
        if pieces.concat() != stored {
            return Ok(false);
        }
    }
    Ok(true)
}
