//! The folders that lead to a file.

use super::Inner;
use super::put::taken;
use crate::delta::Metadata;
use crate::error::{Code, Result};
use crate::model::{Kind, RelPath};

impl Inner {
    /// The folders that lead there, from the top, as far as they are there. One that is no folder ends them all.
    async fn way(&self, target: &RelPath) -> Result<(Vec<RelPath>, usize)> {
        let above = std::iter::successors(target.parent(), RelPath::parent).filter(|dir| !dir.is_root());
        let mut dirs: Vec<RelPath> = above.collect();
        dirs.reverse();
        let mut there = 0;
        for (seen, dir) in self.place.stat(dirs.clone()).await.into_iter().zip(&dirs) {
            match seen? {
                Some(node) if node.kind == Kind::Dir => there += 1,
                Some(_) => return Err(taken(dir)),
                None => break,
            }
        }
        Ok((dirs, there))
    }

    /// Whether all folders that lead there are there.
    pub(super) async fn is_reachable(&self, target: &RelPath) -> Result<bool> {
        match self.way(target).await {
            Ok((dirs, there)) => Ok(there == dirs.len()),
            Err(e) if e.code() == Code::Conflict => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Makes what leads there.
    pub(super) async fn make_folders(&self, target: &RelPath) -> Result<()> {
        let (mut dirs, there) = self.way(target).await?;
        let missing = dirs.split_off(there);
        if missing.is_empty() {
            return Ok(());
        }
        let made = missing.iter().map(|dir| (dir.clone(), Metadata::default())).collect();
        for (made, dir) in self.place.make_dirs(made).await.into_iter().zip(&missing) {
            // Another task may have made it meanwhile.
            if let Err(e) = made
                && self.look(dir).await?.is_none_or(|node| node.kind != Kind::Dir)
            {
                return Err(e);
            }
        }
        self.place.flush(missing).await
    }
}
