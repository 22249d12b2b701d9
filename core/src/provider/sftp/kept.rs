//! What a volume has taken out of sight.

use std::sync::Mutex;

use super::publish::move_by;
use super::root::{Batch, Root};
use super::trash::make_private;
use crate::error::{Code, Result};
use crate::model::{Node, RelPath};
use crate::provider::Move;
use crate::provider::kept::{KEEP, REMOVE, check, check_removed, is_kept, way};

/// Moves a file there or back. Never overwrites.
pub(super) async fn move_item(root: &Root, batch: &Batch, item: &Move) -> Result<Node> {
    check(item)?;
    let tried = &Mutex::default();
    let node = root
        .ask(|lease| async move {
            if is_kept(&item.to) {
                make_private(root, batch, &lease, KEEP, &way(&item.to)).await?;
            }
            move_by(root, item, tried, lease).await
        })
        .await?;
    root.touch(&item.from);
    root.touch(&item.to);
    Ok(node)
}

/// Removes a file that is kept.
pub(super) async fn remove(root: &Root, path: &RelPath) -> Result<()> {
    check_removed(path)?;
    root.ask(|lease| async move {
        match Batch::default().enter(root, &lease, REMOVE, path).await {
            Err(e) if e.code() == Code::NotFound => return Ok(()),
            other => other?,
        }
        match lease.remove(&root.full(path)).done().await {
            Err(fault) if fault.is_absence() => Ok(()),
            other => other.map_err(|fault| fault.at(REMOVE, path)),
        }
    })
    .await?;
    root.touch(path);
    Ok(())
}
