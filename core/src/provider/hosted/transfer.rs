//! Bytes to and from a host's files, a piece at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::change::{not_reserved, temp_path};
use super::{HostFiles, Hosted, same, stale};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
use crate::provider::{Feed, Hashed, Opened, Source, Stage, Staged};

/// The most that is asked for or given at once.
const PIECE: usize = 1 << 20;
const READ: &str = "read";
const STAGE: &str = "write";

/// A file that is being read.
struct Reading {
    files: Arc<dyn HostFiles>,
    path: RelPath,
    /// The version that is read.
    node: Node,
    offset: u64,
    end: u64,
}

async fn current(files: &Arc<dyn HostFiles>, path: &RelPath, expect: Option<&Node>) -> Result<Node> {
    match (expect, files.look(path).await?) {
        (Some(_), None) => Err(stale(READ, path, "it is gone")),
        (None, None) => Err(Error::new(Code::NotFound, READ, path).because("there is no such file")),
        (Some(expect), Some(seen)) if !same(expect, &seen) => Err(stale(READ, path, "it has changed")),
        (_, Some(seen)) if seen.kind != Kind::File => {
            Err(Error::new(Code::Unsupported, READ, path).because("it is no file"))
        }
        (_, Some(seen)) => Ok(seen),
    }
}

pub(super) async fn open(
    files: &Arc<dyn HostFiles>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    let node = current(files, path, expect).await?;
    let size = node.token.size;
    let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
    let reading = Reading { files: files.clone(), path: path.clone(), node, offset, end };
    Ok(Opened { bytes: stream::try_unfold(reading, next).boxed(), mtime: None })
}

/// The next piece. The last one is given only when the file is still the one that was opened.
async fn next(mut reading: Reading) -> Result<Option<(Bytes, Reading)>> {
    if reading.offset >= reading.end {
        return Ok(None);
    }
    let wanted = (reading.end - reading.offset).min(PIECE as u64);
    let piece = reading.files.read(&reading.path, reading.offset, wanted).await?;
    if piece.len() as u64 != wanted {
        return Err(stale(READ, &reading.path, "it ends elsewhere than it showed"));
    }
    reading.offset += wanted;
    if reading.offset == reading.end {
        current(&reading.files, &reading.path, Some(&reading.node)).await?;
    }
    Ok(Some((piece, reading)))
}

pub(super) async fn hash(files: &Arc<dyn HostFiles>, path: &RelPath) -> Result<Hashed> {
    let node = current(files, path, None).await?;
    let mut opened = open(files, path, Some(&node), 0, None).await?;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = opened.bytes.next().await {
        hasher.update(&piece?);
    }
    Ok(Hashed { node, content: ContentHash(*hasher.finalize().as_bytes()) })
}

pub(super) async fn stage(place: &Hosted, item: Stage) -> Result<Staged> {
    let target = &item.target;
    not_reserved(STAGE, target)?;
    let temp = temp_path(STAGE, target, &item.tag)?;
    let Source::Feed(feed) = &item.source else {
        return Err(Error::new(Code::Unsupported, STAGE, target).because("it cannot be copied by the host"));
    };
    if item.kind != Kind::File {
        return Err(Error::new(Code::Unsupported, STAGE, target).because("a host makes files and directories only"));
    }
    match write(place, &item, feed, &temp).await {
        Ok(content) => {
            let (target, tag, size) = (item.target, item.tag, feed.size());
            Ok(Staged { target, tag, content, size, resumed: 0, source: None })
        }
        Err(error) => {
            // What cannot be removed now is found by its name and removed by the next run.
            let _ = place.files.remove(&temp).await;
            Err(error)
        }
    }
}

async fn write(place: &Hosted, item: &Stage, feed: &Arc<dyn Feed>, temp: &RelPath) -> Result<ContentHash> {
    let wrong_size = || stale(STAGE, &item.target, "its source gave fewer or more bytes than it declared");
    let (files, size) = (&place.files, feed.size());
    let mut bytes = feed.open(0, None).await?.bytes;
    let mut hasher = blake3::Hasher::new();
    let (mut written, mut waiting) = (0, BytesMut::new());
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        hasher.update(&piece);
        waiting.extend_from_slice(&piece);
        if written + waiting.len() as u64 > size {
            return Err(wrong_size());
        }
        while waiting.len() >= PIECE {
            files.write(temp, written, waiting.split_to(PIECE).freeze()).await?;
            written += PIECE as u64;
        }
    }
    if written + waiting.len() as u64 != size {
        return Err(wrong_size());
    }
    if written == 0 || !waiting.is_empty() {
        files.write(temp, written, waiting.freeze()).await?;
    }
    if let Some(time) = item.metadata.mtime.filter(|_| place.capabilities.write_mtime) {
        files.set_modified(temp, time).await?;
    }
    match files.look(temp).await? {
        Some(node) if node.kind == Kind::File && node.token.size == size => {
            Ok(ContentHash(*hasher.finalize().as_bytes()))
        }
        Some(_) | None => Err(Error::new(Code::Storage, STAGE, &item.target)
            .because("the host does not show as many bytes as it was given")),
    }
}
