//! Where the bytes of a file come from.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};

use super::{Pace, Provider};
use crate::error::Result;
use crate::model::{Node, RelPath, Timestamp};

/// Where staged bytes come from.
pub enum Source {
    /// Through the engine.
    Feed(Arc<dyn Feed>),
    /// Straight from another provider, without the bytes passing through the engine.
    Native {
        /// What [`Provider::native_source`] of the other side gave.
        source: NativeSource,
        /// The path there.
        path: RelPath,
        /// The state it must have, before and after.
        expect: Node,
        /// Asked as the bytes pass.
        pace: Pace,
    },
}

/// A provider's own handle that a provider of the same kind can take files from.
#[derive(Clone)]
pub struct NativeSource(pub Arc<dyn Any + Send + Sync>);

/// The bytes of one version of a file. It is opened when the place is ready for them, and may be opened again: to go on
/// where an earlier attempt stopped, to repeat a part, for several parts at once.
#[async_trait]
pub trait Feed: Send + Sync {
    /// How many bytes there must be: fewer or more is an error (`stale`).
    fn size(&self) -> u64;

    /// How many bytes of it, and of everything that is staged with it, may be held in memory at once; none: as the place
    /// likes.
    fn room(&self) -> Option<u64> {
        None
    }

    /// How many parts of it are worth reading at once: see [`Capabilities::streams`](super::Capabilities::streams).
    fn streams(&self) -> usize {
        1
    }

    /// Opens it at `offset`, to its end or for `length` bytes.
    ///
    /// # Errors
    /// Those of [`Provider::read`]; `cancelled` when the run was.
    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened>;
}

/// An open file.
pub struct Opened {
    /// Its bytes in order.
    pub bytes: BoxStream<'static, Result<Bytes>>,
    /// Its modified time, where the place says so only when it is read.
    pub mtime: Option<Timestamp>,
}

impl Opened {
    /// The same, each piece waiting for its turn.
    pub(crate) fn paced(self, pace: &Pace) -> Self {
        let pace = pace.clone();
        let bytes = self.bytes.then(move |piece| {
            let pace = pace.clone();
            async move {
                let piece = piece?;
                pace.take_async(piece.len() as u64).await?;
                Ok(piece)
            }
        });
        Self { bytes: bytes.boxed(), mtime: self.mtime }
    }
}

/// A file of another place, at the pace of a run.
pub struct OfPlace {
    /// The place.
    pub place: Arc<dyn Provider>,
    /// The path there.
    pub path: RelPath,
    /// The version that is read.
    pub expect: Node,
    /// Asked as the bytes pass.
    pub pace: Pace,
    /// See [`Feed::room`].
    pub room: Option<u64>,
}

#[async_trait]
impl Feed for OfPlace {
    fn size(&self) -> u64 {
        self.expect.token.size
    }

    fn room(&self) -> Option<u64> {
        self.room
    }

    fn streams(&self) -> usize {
        self.place.capabilities().streams
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        self.pace.check()?;
        let opened = self.place.read(&self.path, Some(&self.expect), offset, length).await?;
        Ok(opened.paced(&self.pace))
    }
}

/// Bytes that are all there.
///
/// ```
/// use portbook::provider::{Feed as _, InMemory};
/// use futures_util::TryStreamExt as _;
///
/// # fn main() -> portbook::Result<()> {
/// let file = InMemory("a file".into());
/// let opened = portbook::wait(file.open(2, Some(3)))?;
/// let bytes: Vec<_> = portbook::wait(opened.bytes.try_collect())?;
/// assert_eq!(bytes.concat(), b"fil");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct InMemory(pub Bytes);

#[async_trait]
impl Feed for InMemory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        let end = length.map_or(self.0.len(), |length| clamp(offset.saturating_add(length)));
        let bytes = self.0.slice(clamp(offset)..end);
        Ok(Opened { bytes: stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed(), mtime: None })
    }
}
