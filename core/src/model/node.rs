//! What a place shows of one item, and what the ledger remembers of it.
//!
//! The two sides of a conduit are never compared by time or identifier: a side is compared only with what that
//! same side showed when both last agreed (`Held`). Content alone crosses sides, by [`ContentHash`].

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::path::Name;
use crate::identity::ContentHash;

/// One side of a conduit. Left is its source, right its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// The source.
    Left,
    /// The target.
    Right,
}

impl Side {
    /// Both sides, left first.
    pub const BOTH: [Side; 2] = [Side::Left, Side::Right];

    /// The opposite side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sides<T> {
    /// The source's.
    pub left: T,
    /// The target's.
    pub right: T,
}

impl<T> Sides<T> {
    /// One value for each side.
    pub fn new(left: T, right: T) -> Self {
        Self { left, right }
    }

    /// Applies `f` to both.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides { left: f(self.left), right: f(self.right) }
    }

    /// References to both.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides { left: &self.left, right: &self.right }
    }
}

impl<T> Index<Side> for Sides<T> {
    type Output = T;
    fn index(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

impl<T> IndexMut<Side> for Sides<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

/// What an item is. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// A regular file.
    File = 1,
    /// A directory.
    Dir = 2,
    /// A symbolic link; its content is the target's bytes.
    Symlink = 3,
    /// A document that exists only inside a service and can only be exported.
    NativeDoc = 4,
    /// A socket, a device, a pipe: seen and never carried.
    Other = 5,
}

impl Kind {
    /// The kind stored as this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::File, Self::Dir, Self::Symlink, Self::NativeDoc, Self::Other].into_iter().find(|k| *k as i64 == number)
    }
}

/// A point in time as a file system or service gives it: seconds since 1970 (UTC) and nanoseconds below 10^9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; may be negative.
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// So many nanoseconds since 1970.
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Self {
        let secs = nanos.div_euclid(1_000_000_000);
        Self {
            secs: secs.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
            nanos: nanos.rem_euclid(1_000_000_000) as u32,
        }
    }

    /// Nanoseconds since 1970; saturates far outside of any real date.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        i128::from(self.secs) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// The identity a place gives to an item, which survives a rename there. Compared only within one side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ident {
    /// The place gives none.
    #[default]
    None,
    /// A file system's number (inode, file index) and the birth time in nanoseconds since 1970, 0 where not known.
    File {
        /// Inode number or file index.
        id: u64,
        /// Birth time, which tells a recycled number from the same file.
        birth_ns: i64,
    },
    /// A service's own id.
    Provider(Box<[u8]>),
}

/// The version of an item as its side shows it without reading the content. Equal tokens mean an unchanged item,
/// unless the observation was *racy*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token {
    /// Size in bytes as that side reports it; 0 for directories.
    pub size: u64,
    /// Time of the last modification; `None` where the place keeps none, and for directories.
    pub mtime: Option<Timestamp>,
    /// Time of the last change of content or metadata (`st_ctime`); `None` where there is none, and for directories.
    pub ctime: Option<Timestamp>,
    /// Permission bits (`0o7777` at most); `None` where the place has none.
    pub mode: Option<u32>,
    /// Etag, revision or version id; `None` on file systems.
    pub revision: Option<Box<[u8]>>,
}

/// An item as one side shows it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its identity there.
    pub ident: Ident,
    /// Its version there.
    pub token: Token,
}

/// An item of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory.
    pub name: Name,
    /// What it is.
    pub node: Node,
}

/// The stable number of a pair within its conduit. 0 is the pair of the two roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PairId(pub i64);

impl PairId {
    /// The two roots.
    pub const ROOT: PairId = PairId(0);
}

/// What one side showed of an item when both sides last agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its identity there.
    pub ident: Ident,
    /// Its version there.
    pub token: Token,
    /// The name it has there, when that is not the pair's name.
    pub alias: Option<Name>,
    /// The times lay within the clock's granularity of the observation, so that an equal token proves nothing and
    /// the content is hashed next time.
    pub racy: bool,
    /// An independent look has confirmed the content on this side.
    pub verified: bool,
}

/// A row of the file ledger: a pair of items and what both sides last agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its stable number; survives renames and moves.
    pub id: PairId,
    /// The directory pair that holds it.
    pub parent: PairId,
    /// Its agreed name.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// The agreed content; `None` for directories, and where it is not known yet.
    pub content: Option<ContentHash>,
    /// What each side showed.
    pub held: Sides<Held>,
}

impl Pair {
    /// The name the pair has on that side.
    #[must_use]
    pub fn name_on(&self, side: Side) -> &Name {
        self.held[side].alias.as_ref().unwrap_or(&self.name)
    }
}
