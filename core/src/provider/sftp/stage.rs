//! Putting items under their temporary names: files (see `writing.rs`) and links.

use std::sync::Arc;

use futures_util::StreamExt as _;

use super::fault::{Fault, status};
use super::packet::{Attributes, Request, kind};
use super::read::read_link;
use super::root::{Batch, Root, not_reserved, stale};
use super::writing::Writing;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Timestamp};
use crate::provider::{Feed, Opened, Source, Stage, Staged};

pub(super) const STAGE: &str = "write";
/// The longest target of a link.
const LONGEST_LINK: usize = 64 << 10;

/// Stages one item.
pub(super) async fn stage(root: &Arc<Root>, batch: &Batch, item: Stage) -> Result<Staged> {
    not_reserved(STAGE, &item.target)?;
    let feed = match &item.source {
        Source::Feed(feed) => Arc::clone(feed),
        Source::Native { .. } => {
            return Err(Error::new(Code::Unsupported, STAGE, &item.target).because("the source is of another kind"));
        }
    };
    let temp = root.temp(STAGE, &item.target, &item.tag)?;
    match item.kind {
        Kind::Symlink => stage_link(root, batch, &item, &temp, &*feed).await,
        Kind::File => {
            let _turn = root.turn(feed.size()).await;
            Writing::new(root, batch, &item, temp, &*feed).run().await
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, STAGE, &item.target).because("it is neither a file nor a link"))
        }
    }
}

/// Stages a link. Its content is its target.
async fn stage_link(root: &Root, batch: &Batch, item: &Stage, temp: &[u8], feed: &dyn Feed) -> Result<Staged> {
    let path = &item.target;
    let Opened { mut bytes, .. } = feed.open(0, None).await?;
    let mut points_to = Vec::new();
    while let Some(piece) = bytes.next().await {
        points_to.extend_from_slice(&piece?);
        if points_to.len() as u64 > feed.size() || points_to.len() > LONGEST_LINK {
            return Err(wrong_size(item));
        }
    }
    if points_to.len() as u64 != feed.size() {
        return Err(wrong_size(item));
    }
    let points_to = &points_to;
    root.ask(|lease| async move {
        let at = |fault: Fault| fault.at(STAGE, path);
        batch.enter(root, &lease, STAGE, path).await?;
        // OpenSSH, and all that follow it, take the target first, against the draft (OpenSSH PROTOCOL section 4.1).
        let make = || lease.send(Request::new(kind::SYMLINK).string(points_to).string(temp));
        match make().done().await {
            Err(fault) if fault.is_status(status::FAILURE) => {
                let left = lease.remove(temp);
                let made = make();
                // There may be nothing to remove.
                let _ = left.done().await;
                made.done().await.map_err(at)?;
            }
            other => other.map_err(at)?,
        }
        if let Some(mtime) = item.metadata.mtime.filter(|_| root.features.lsetstat && root.capabilities.set_mtime) {
            let times = Attributes { mtime: Some(seconds(mtime)), ..Attributes::default() };
            let set = Request::extended("lsetstat@openssh.com").string(temp).attributes(&times);
            lease.send(set).done().await.map_err(at)?;
        }
        if read_link(&lease, temp).await.map_err(at)?.as_ref() != points_to.as_slice() {
            // It was made the other way round, or is somebody else's.
            drop(lease.remove(temp));
            return Err(Error::new(Code::Unsupported, STAGE, path).because("the server makes no such links"));
        }
        Ok(())
    })
    .await?;
    Ok(Staged {
        target: path.clone(),
        tag: item.tag.clone(),
        content: ContentHash::of(points_to),
        size: points_to.len() as u64,
        resumed: 0,
        source: None,
    })
}

pub(super) fn wrong_size(item: &Stage) -> Error {
    stale(STAGE, &item.target, "its source gave fewer or more bytes than it declared")
}

/// The protocol's times end in 2106 and begin in 1970.
pub(super) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.secs.max(0)).unwrap_or(u32::MAX)
}

/// Removes the temporary file of a tag, if there is one.
pub(super) async fn discard(root: &Root, batch: &Batch, target: &crate::model::RelPath, tag: &str) -> Result<()> {
    let action = "clean up beside";
    let temp = &root.temp(action, target, tag)?;
    root.ask(|lease| async move {
        match batch.enter(root, &lease, action, target).await {
            Err(e) if e.code() == Code::NotFound => return Ok(()),
            other => other?,
        }
        match lease.remove(temp).done().await {
            Err(fault) if !fault.is_absence() => return Err(fault.at(action, target)),
            Ok(()) | Err(_) => {}
        }
        super::publish::restore(root, &lease, temp, &root.full(target)).await.map_err(|f| f.at(action, target))
    })
    .await
}
