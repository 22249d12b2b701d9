//! What the checks are made of: sources that lie and others, and the calls in the shape that most checks want.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Entry, Kind, Node, RelPath};
use portbook::provider::{Feed, Listing, Opened, Provider, Publish, Source, Stage, Staged};
use portbook::{Code, Result};

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// A source that gives its content in pieces of a size, whatever size it declares.
pub(super) struct Pieces {
    content: Vec<u8>,
    piece: usize,
    declared: u64,
}

#[async_trait]
impl Feed for Pieces {
    fn size(&self) -> u64 {
        self.declared
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.content.len(), |length| self.content.len().min((offset + length) as usize));
        let part = self.content.get(offset as usize..end).unwrap_or_default();
        let pieces: Vec<_> = part.chunks(self.piece.max(1)).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        Ok(Opened { bytes: stream::iter(pieces).boxed(), mtime: None })
    }
}

/// A source of so many bytes that cannot be read to its end.
pub(super) struct Broken(pub(super) u64);

#[async_trait]
impl Feed for Broken {
    fn size(&self) -> u64 {
        self.0
    }

    async fn open(&self, offset: u64, _: Option<u64>) -> Result<Opened> {
        let half = usize::try_from((self.0 / 2).saturating_sub(offset)).unwrap();
        let broken = portbook::Error::new(Code::Permission, "read", "the source");
        Ok(Opened { bytes: stream::iter(vec![Ok(Bytes::from(vec![1; half])), Err(broken)]).boxed(), mtime: None })
    }
}

/// A source that has other bytes each time that it is opened.
pub(super) struct Changing(pub(super) u64, pub(super) AtomicU8);

#[async_trait]
impl Feed for Changing {
    fn size(&self) -> u64 {
        self.0
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.0, |length| self.0.min(offset + length));
        let bytes = vec![self.1.fetch_add(1, Ordering::Relaxed); usize::try_from(end - offset).unwrap()];
        Ok(Opened { bytes: stream::iter(vec![Ok(Bytes::from(bytes))]).boxed(), mtime: None })
    }
}

pub(super) fn pieces(content: &[u8], size: usize) -> Source {
    declared(content, size, content.len())
}

pub(super) fn declared(content: &[u8], piece: usize, declared: usize) -> Source {
    Source::Feed(Arc::new(Pieces { content: content.to_vec(), piece, declared: declared as u64 }))
}

pub(super) fn stage(target: &RelPath, source: Source, kind: Kind) -> Stage {
    let tag = ContentHash::of(target.as_bytes()).to_string();
    Stage { target: target.clone(), tag, source, kind, metadata: Metadata::default(), replaces: false, resume: None }
}

/// A new file from a stream.
pub(crate) fn new_file(target: &RelPath, content: &[u8]) -> Stage {
    stage(target, pieces(content, 4_000), Kind::File)
}

pub(crate) async fn put_staged(p: &impl Provider, item: Stage) -> Result<Staged> {
    p.stage(vec![item]).await.remove(0)
}

pub(crate) async fn publish(p: &impl Provider, staged: Staged, expect: Expect, archive: Option<&str>) -> Result<Node> {
    p.publish(vec![Publish { staged, expect, archive: archive.map(Into::into) }]).await.remove(0)
}

/// Brings a file into place as the engine does.
pub(crate) async fn put(p: &impl Provider, target: &str, content: &[u8], expect: Expect) -> Result<Node> {
    let target = path(target);
    let staged = put_staged(p, stage(&target, pieces(content, 100_000), Kind::File)).await?;
    assert_eq!(staged.content, ContentHash::of(content));
    p.flush(vec![target.clone()]).await?;
    let node = publish(p, staged, expect, None).await?;
    p.flush(vec![target]).await?;
    Ok(node)
}

pub(crate) async fn stat(p: &impl Provider, at: &str) -> Option<Node> {
    p.stat(vec![path(at)]).await.remove(0).unwrap()
}

pub(crate) async fn content(p: &impl Provider, at: &str) -> Vec<u8> {
    p.read(&path(at), None, 0, None).await.unwrap().bytes.try_collect::<Vec<_>>().await.unwrap().concat()
}

pub(crate) async fn listed(p: &impl Provider, at: &str) -> Vec<Entry> {
    match p.list(vec![path(at)]).await.remove(0) {
        Listing::Complete(mut entries) => {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries
        }
        other => panic!("{other:?}"),
    }
}

pub(super) async fn names(p: &impl Provider, at: &str) -> Vec<String> {
    listed(p, at).await.iter().map(|e| e.name.to_string()).collect()
}

pub(super) fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}
