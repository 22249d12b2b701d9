//! What the local provider asks of an operating system: calls on opened directories and files, nothing with policy.
//!
//! A [`Disk`] never follows a symbolic link and never resolves a path from anywhere but an opened directory. The
//! provider above it is generic over the disk, so that the code which runs on the kernel's file systems is the very
//! code that is proven on a simulated disk.

use std::io;
use std::path::Path;

use crate::model::{Ident, Kind, Node, Timestamp, Token};
use crate::provider::Writable;

/// What a disk says of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Inode number; 0 where there is none, and then there is no identity.
    pub ino: u64,
    /// The device it lies on: tells mount points, no part of any identity.
    pub dev: u64,
    /// Birth time in nanoseconds since 1970, 0 where unknown.
    pub birth_ns: i64,
    /// Size in bytes.
    pub size: u64,
    /// Bytes that are allocated: fewer than `size` for a sparse file.
    pub allocated: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last modification.
    pub mtime: Timestamp,
    /// Last change of content or metadata.
    pub ctime: Timestamp,
}

impl Stat {
    /// The item as the engine sees it. Of a directory only identity and mode count: its size and times change with
    /// what it holds.
    #[must_use]
    pub fn node(&self) -> Node {
        let dir = self.kind == Kind::Dir;
        Node {
            kind: self.kind,
            ident: match self.ino {
                0 => Ident::None,
                id => Ident::File { id, birth_ns: self.birth_ns },
            },
            token: Token {
                size: if dir { 0 } else { self.size },
                mtime: (!dir).then_some(self.mtime),
                ctime: (!dir).then_some(self.ctime),
                mode: (self.kind != Kind::Symlink).then_some(self.mode),
                revision: None,
            },
        }
    }
}

/// What a rename does when the new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// Replaces it.
    Replace,
    /// Fails with `AlreadyExists`.
    NoReplace,
    /// Swaps the two.
    Exchange,
}

/// How the file system of a root treats names, times and attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Names that differ only in case are one.
    pub case_insensitive: bool,
    /// Names that differ only in normalisation are one.
    pub unicode_insensitive: bool,
    /// The names of Windows are the only ones allowed.
    pub windows_names: bool,
    /// Names must be Unicode.
    pub unicode_names: bool,
    /// The longest name in bytes.
    pub max_name_bytes: usize,
    /// Permission bits are kept.
    pub mode: bool,
    /// Symbolic links can be made.
    pub symlinks: bool,
    /// The granularity of its clock in nanoseconds.
    pub time_precision_ns: u64,
    /// Whether and where it can be written.
    pub writable: Writable,
}

/// What pieces that are written past the page cache are multiples of, in bytes: no disk has larger blocks.
pub const DIRECT: usize = 4096;

/// An extended attribute: its name and value.
pub type Attribute = (Vec<u8>, Vec<u8>);

/// The calls of an operating system that the local provider is built on.
///
/// Names are single components. Every call may fail with `Interrupted`, after which it is repeated, and a write may
/// take fewer bytes than it was given.
pub trait Disk: Send + Sync + 'static {
    /// An opened directory.
    type Dir: Send + Sync + 'static;
    /// An opened file.
    type File: Send + Sync + 'static;
    /// An exclusive lock, held until it is dropped.
    type Lock: Send + Sync + 'static;

    /// Opens the directory that is to be a root. The only call that follows links: the user named this path.
    ///
    /// # Errors
    /// The operating system's.
    fn open_root(&self, path: &Path) -> io::Result<Self::Dir>;
    /// How the file system of this directory behaves. Writes nothing.
    ///
    /// # Errors
    /// The operating system's.
    fn traits(&self, dir: &Self::Dir) -> io::Result<Traits>;
    /// Opens a directory beneath another, component by component (`/` between them), without following any link.
    ///
    /// # Errors
    /// `NotFound`; `NotADirectory` or another kind where a component is a link or no directory.
    fn open_dir(&self, at: &Self::Dir, path: &[u8]) -> io::Result<Self::Dir>;
    /// Calls `each` with every name that `skip` does not name, and with what the disk says of it. The handle must not
    /// be read by another thread at the same time.
    ///
    /// # Errors
    /// The listing is incomplete.
    fn read_dir(
        &self,
        dir: &Self::Dir,
        skip: fn(&[u8]) -> bool,
        each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()>;
    /// Looks at an item, not through a link.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn stat_at(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Stat>;
    /// Looks at an opened directory.
    ///
    /// # Errors
    /// The operating system's.
    fn stat_dir(&self, dir: &Self::Dir) -> io::Result<Stat>;
    /// Looks at an opened file.
    ///
    /// # Errors
    /// The operating system's.
    fn stat_file(&self, file: &Self::File) -> io::Result<Stat>;
    /// Opens a file for reading; never blocks on a pipe.
    ///
    /// # Errors
    /// The operating system's.
    fn open_read(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::File>;
    /// Opens a file for reading and writing, as it is.
    ///
    /// # Errors
    /// The operating system's.
    fn open_write(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::File>;
    /// Creates a file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken.
    fn create(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> io::Result<Self::File>;
    /// Reads at an offset; 0 at the end.
    ///
    /// # Errors
    /// The operating system's.
    fn read_at(&self, file: &Self::File, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset.
    ///
    /// # Errors
    /// The operating system's.
    fn write_at(&self, file: &Self::File, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// Has what is written to the file go to the disk past the page cache from now on, or through it again. Pieces that go
    /// past it begin and end at multiples of [`DIRECT`], in the file and in memory.
    ///
    /// # Errors
    /// `Unsupported` where there is no such way, or none that is worth it; the file is then as it was.
    fn past_cache(&self, _file: &Self::File, _on: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Makes a file's content and attributes durable.
    ///
    /// # Errors
    /// Nothing may be assumed durable.
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;
    /// Makes a directory's entries durable.
    ///
    /// # Errors
    /// Nothing may be assumed durable.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Makes the whole file system that holds this directory durable.
    ///
    /// # Errors
    /// `Unsupported` where there is no such call; else nothing may be assumed durable.
    fn sync_all(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Renames.
    ///
    /// # Errors
    /// `Unsupported` where the file system lacks this way of renaming, `CrossesDevices` between file systems.
    fn rename(&self, from: &Self::Dir, name: &[u8], to: &Self::Dir, new_name: &[u8], how: Rename) -> io::Result<()>;
    /// Gives a file a second name.
    ///
    /// # Errors
    /// `AlreadyExists`, `Unsupported`, `CrossesDevices`.
    fn link(&self, from: &Self::Dir, name: &[u8], to: &Self::Dir, new_name: &[u8]) -> io::Result<()>;
    /// Makes a directory.
    ///
    /// # Errors
    /// `AlreadyExists`.
    fn make_dir(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> io::Result<()>;
    /// Removes a file or link.
    ///
    /// # Errors
    /// The operating system's.
    fn unlink(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`.
    fn remove_dir(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<()>;
    /// Makes a symbolic link.
    ///
    /// # Errors
    /// `AlreadyExists`, `Unsupported`.
    fn symlink(&self, target: &[u8], dir: &Self::Dir, name: &[u8]) -> io::Result<()>;
    /// The target of a symbolic link.
    ///
    /// # Errors
    /// The operating system's.
    fn read_link(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Vec<u8>>;
    /// Sets the modified time of an opened file.
    ///
    /// # Errors
    /// The operating system's.
    fn set_mtime(&self, file: &Self::File, mtime: Timestamp) -> io::Result<()>;
    /// Sets the modified time of an item, not through a link.
    ///
    /// # Errors
    /// The operating system's.
    fn set_mtime_at(&self, dir: &Self::Dir, name: &[u8], mtime: Timestamp) -> io::Result<()>;
    /// Sets the permission bits of an opened file.
    ///
    /// # Errors
    /// The operating system's.
    fn set_mode(&self, file: &Self::File, mode: u32) -> io::Result<()>;
    /// Sets the permission bits of an item, never through a link.
    ///
    /// # Errors
    /// The operating system's.
    fn set_mode_at(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> io::Result<()>;
    /// Lets the new, empty file share the content of the other.
    ///
    /// # Errors
    /// Where that cannot be done; the file is then still empty.
    fn reflink(&self, _from: &Self::File, _to: &Self::File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// The first range of data at or after `offset`, as start and end; `None` when only a hole is left.
    ///
    /// # Errors
    /// `Unsupported` where holes cannot be told.
    fn next_data(&self, _file: &Self::File, _offset: u64) -> io::Result<Option<(u64, u64)>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Sets the size.
    ///
    /// # Errors
    /// The operating system's.
    fn set_len(&self, file: &Self::File, size: u64) -> io::Result<()>;
    /// The extended attributes that may be carried (`user.*`); empty where there are none.
    ///
    /// # Errors
    /// The operating system's.
    fn attributes(&self, _file: &Self::File) -> io::Result<Vec<Attribute>> {
        Ok(Vec::new())
    }
    /// Sets an extended attribute.
    ///
    /// # Errors
    /// The operating system's.
    fn set_attribute(&self, _file: &Self::File, _name: &[u8], _value: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Bytes that an unprivileged user can still write.
    ///
    /// # Errors
    /// The operating system's.
    fn free_bytes(&self, dir: &Self::Dir) -> io::Result<u64>;
    /// Takes the exclusive lock of a directory; `None` when another holds it.
    ///
    /// # Errors
    /// The operating system's.
    fn lock(&self, dir: &Self::Dir, exclusive: bool) -> io::Result<Option<Self::Lock>>;
}
