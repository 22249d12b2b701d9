//! A root that does not exist yet: empty to look at, and nothing can be done to it. A preview against a target that a
//! run would make shows what would be carried without making it.

use async_trait::async_trait;

use super::{Capabilities, Hashed, Listing, Move, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Name, Node, RelPath, Timestamp};

/// An empty root with the capabilities of the place it would be made in.
#[derive(Debug)]
pub(crate) struct Vacant {
    pub(crate) display: String,
    pub(crate) capabilities: Capabilities,
}

impl Vacant {
    fn missing(&self) -> Error {
        Error::new(Code::NotFound, "use the directory", &self.display).because("it does not exist yet")
    }

    fn each<T, R>(&self, items: &[T]) -> Vec<Result<R>> {
        items.iter().map(|_| Err(self.missing())).collect()
    }
}

#[async_trait]
impl Provider for Vacant {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn display(&self) -> String {
        self.display.clone()
    }

    async fn root(&self) -> Result<RootIdentity> {
        Err(self.missing())
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        let seen = |dir: &RelPath| if dir.is_root() { Listing::Complete(Vec::new()) } else { Listing::Absent };
        dirs.iter().map(seen).collect()
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        paths.iter().map(|_| Ok(None)).collect()
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.each(&paths)
    }

    async fn read(&self, _: &RelPath, _: Option<&Node>, _: u64, _: Option<u64>) -> Result<Opened> {
        Err(self.missing())
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        self.each(&dirs)
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        self.each(&items)
    }

    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        Err(self.missing())
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        self.each(&items)
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.each(&items)
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        self.each(&items)
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        self.each(&items)
    }

    async fn discard_staged(&self, _: Vec<(RelPath, String)>) -> Result<()> {
        Ok(())
    }

    async fn empty_trash(&self, _: Timestamp) -> Result<u64> {
        Ok(0)
    }

    fn can_hold(&self, _: &Name) -> bool {
        true
    }
}
