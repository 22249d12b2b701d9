//! A disk that lets chosen calls fail.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use super::switch::Switch;
use crate::model::Timestamp;
use crate::provider::local::{Attribute, Disk, Rename, Stat, Traits};

/// A call of [`Disk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// [`Disk::open_root`] and [`Disk::open_dir`].
    OpenDir,
    /// [`Disk::read_dir`].
    ReadDir,
    /// The look at one entry of [`Disk::read_dir`]; the listing goes on.
    ReadEntry,
    /// [`Disk::stat_at`].
    StatAt,
    /// [`Disk::stat_dir`] and [`Disk::stat_file`].
    Stat,
    /// [`Disk::open_read`] and [`Disk::open_write`].
    OpenRead,
    /// [`Disk::read_at`].
    Read,
    /// [`Disk::read_link`].
    ReadLink,
    /// [`Disk::attributes`], [`Disk::next_data`], [`Disk::traits`] and [`Disk::free_bytes`].
    Look,
    /// [`Disk::lock`].
    Lock,
    /// [`Disk::create`].
    Create,
    /// [`Disk::write_at`].
    Write,
    /// [`Disk::sync_file`].
    SyncFile,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`Disk::sync_all`].
    SyncAll,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::link`].
    Link,
    /// [`Disk::make_dir`].
    MakeDir,
    /// [`Disk::unlink`].
    Unlink,
    /// [`Disk::remove_dir`].
    RemoveDir,
    /// [`Disk::symlink`].
    Symlink,
    /// [`Disk::set_mtime`] and [`Disk::set_mtime_at`].
    SetMtime,
    /// [`Disk::set_mode`] and [`Disk::set_mode_at`].
    SetMode,
    /// [`Disk::set_len`].
    SetLen,
    /// [`Disk::set_attribute`].
    SetAttribute,
    /// [`Disk::reflink`].
    Reflink,
}

impl Op {
    /// Whether the call changes the disk or what is durable of it.
    #[must_use]
    pub fn is_effect(self) -> bool {
        match self {
            Self::OpenDir | Self::ReadDir | Self::ReadEntry | Self::StatAt | Self::Stat | Self::OpenRead => false,
            Self::Read | Self::ReadLink | Self::Look | Self::Lock => false,
            Self::Create | Self::Write | Self::SyncFile | Self::SyncDir | Self::SyncAll | Self::Rename => true,
            Self::Link | Self::MakeDir | Self::Unlink | Self::RemoveDir | Self::Symlink | Self::SetMtime => true,
            Self::SetMode | Self::SetLen | Self::SetAttribute | Self::Reflink => true,
        }
    }
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// Which call.
    pub op: Op,
    /// The name or path it is made with; of a rename the new one; empty where there is none.
    pub name: &'c [u8],
    /// Its number among all calls, from one.
    pub number: u64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error number and nothing happens.
    Errno(i32),
    /// A write takes no more than this many bytes, without an error. Other calls are not touched.
    Short(usize),
    /// Half of a write happens, then it fails with this error number. Other calls fail.
    HalfThen(i32),
}

type Rule = Box<dyn FnMut(&Call<'_>) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    switch: Arc<Switch>,
    calls: AtomicU64,
    rules: Mutex<Vec<Rule>>,
}

/// Stands before a disk. Clones share the disk, its rules and its switch.
pub struct FaultDisk<D> {
    inner: Arc<D>,
    state: Arc<State>,
}

impl<D> Clone for FaultDisk<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), state: Arc::clone(&self.state) }
    }
}

impl<D: fmt::Debug> fmt::Debug for FaultDisk<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultDisk").field("inner", &self.inner).field("calls", &self.state.calls).finish()
    }
}

impl<D> FaultDisk<D> {
    /// Lets every call pass until told otherwise.
    pub fn new(inner: D) -> Self {
        Self::with_switch(inner, Arc::default())
    }

    /// As [`new`](Self::new), dying together with whatever else has the switch.
    pub fn with_switch(inner: D, switch: Arc<Switch>) -> Self {
        Self { inner: Arc::new(inner), state: Arc::new(State { switch, ..State::default() }) }
    }

    /// The disk behind.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// What counts the side effects, and can end them.
    pub fn switch(&self) -> &Arc<Switch> {
        &self.state.switch
    }

    /// How many calls were made, side effects or not.
    pub fn calls(&self) -> u64 {
        self.state.calls.load(SeqCst)
    }

    /// The call of this number, counted from one, fails.
    pub fn fail_at(&self, number: u64, errno: i32) {
        self.rule(move |call| (call.number == number).then_some(Fault::Errno(errno)));
    }

    /// Every call that the predicate names fails.
    pub fn fail_when(&self, mut predicate: impl FnMut(&Call<'_>) -> bool + Send + 'static, errno: i32) {
        self.rule(move |call| predicate(call).then_some(Fault::Errno(errno)));
    }

    /// The side effect of this number and everything after it fail as in a crash.
    pub fn crash_at(&self, effect: u64) {
        self.state.switch.crash_at(effect);
    }

    /// Adds a rule; the first that names a fault decides.
    pub fn rule(&self, rule: impl FnMut(&Call<'_>) -> Option<Fault> + Send + 'static) {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(rule));
    }

    /// Lets every call pass again, unless the switch has ended everything.
    pub fn heal(&self) {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn fault(&self, op: Op, name: &[u8]) -> io::Result<Option<Fault>> {
        if op.is_effect() {
            self.state.switch.tick()?;
        } else {
            self.state.switch.alive()?;
        }
        let call = Call { op, name, number: self.state.calls.fetch_add(1, SeqCst) + 1 };
        let mut rules = self.state.rules.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rules.iter_mut().find_map(|rule| rule(&call)))
    }

    fn pass(&self, op: Op, name: &[u8]) -> io::Result<&D> {
        match self.fault(op, name)? {
            Some(Fault::Errno(errno) | Fault::HalfThen(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::Short(_)) | None => Ok(&self.inner),
        }
    }
}

impl<D: Disk> Disk for FaultDisk<D> {
    type Dir = D::Dir;
    type File = D::File;
    type Lock = D::Lock;

    fn open_root(&self, path: &Path) -> io::Result<D::Dir> {
        self.pass(Op::OpenDir, b"")?.open_root(path)
    }

    fn traits(&self, dir: &D::Dir) -> io::Result<Traits> {
        self.pass(Op::Look, b"")?.traits(dir)
    }

    fn open_dir(&self, at: &D::Dir, path: &[u8]) -> io::Result<D::Dir> {
        self.pass(Op::OpenDir, path)?.open_dir(at, path)
    }

    fn read_dir(
        &self,
        dir: &D::Dir,
        skip: fn(&[u8]) -> bool,
        mut each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()> {
        let each = |name: &[u8], stat: io::Result<Stat>| {
            let stat = match self.pass(Op::ReadEntry, name) {
                Ok(_) => stat,
                Err(e) => Err(e),
            };
            each(name, stat);
        };
        self.pass(Op::ReadDir, b"")?.read_dir(dir, skip, each)
    }

    fn stat_at(&self, dir: &D::Dir, name: &[u8]) -> io::Result<Stat> {
        self.pass(Op::StatAt, name)?.stat_at(dir, name)
    }

    fn stat_dir(&self, dir: &D::Dir) -> io::Result<Stat> {
        self.pass(Op::Stat, b"")?.stat_dir(dir)
    }

    fn stat_file(&self, file: &D::File) -> io::Result<Stat> {
        self.pass(Op::Stat, b"")?.stat_file(file)
    }

    fn open_read(&self, dir: &D::Dir, name: &[u8]) -> io::Result<D::File> {
        self.pass(Op::OpenRead, name)?.open_read(dir, name)
    }

    fn open_write(&self, dir: &D::Dir, name: &[u8]) -> io::Result<D::File> {
        self.pass(Op::OpenRead, name)?.open_write(dir, name)
    }

    fn create(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<D::File> {
        self.pass(Op::Create, name)?.create(dir, name, mode)
    }

    fn read_at(&self, file: &D::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.pass(Op::Read, b"")?.read_at(file, buf, offset)
    }

    fn write_at(&self, file: &D::File, buf: &[u8], offset: u64) -> io::Result<usize> {
        match self.fault(Op::Write, b"")? {
            None => self.inner.write_at(file, buf, offset),
            Some(Fault::Short(most)) => self.inner.write_at(file, &buf[..buf.len().min(most)], offset),
            Some(Fault::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::HalfThen(errno)) => {
                self.inner.write_at(file, &buf[..buf.len() / 2], offset)?;
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    fn sync_file(&self, file: &D::File) -> io::Result<()> {
        self.pass(Op::SyncFile, b"")?.sync_file(file)
    }

    fn sync_dir(&self, dir: &D::Dir) -> io::Result<()> {
        self.pass(Op::SyncDir, b"")?.sync_dir(dir)
    }

    fn sync_all(&self, dir: &D::Dir) -> io::Result<()> {
        self.pass(Op::SyncAll, b"")?.sync_all(dir)
    }

    fn rename(&self, from: &D::Dir, name: &[u8], to: &D::Dir, new_name: &[u8], how: Rename) -> io::Result<()> {
        self.pass(Op::Rename, new_name)?.rename(from, name, to, new_name, how)
    }

    fn link(&self, from: &D::Dir, name: &[u8], to: &D::Dir, new_name: &[u8]) -> io::Result<()> {
        self.pass(Op::Link, new_name)?.link(from, name, to, new_name)
    }

    fn make_dir(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<()> {
        self.pass(Op::MakeDir, name)?.make_dir(dir, name, mode)
    }

    fn unlink(&self, dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.pass(Op::Unlink, name)?.unlink(dir, name)
    }

    fn remove_dir(&self, dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.pass(Op::RemoveDir, name)?.remove_dir(dir, name)
    }

    fn symlink(&self, target: &[u8], dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.pass(Op::Symlink, name)?.symlink(target, dir, name)
    }

    fn read_link(&self, dir: &D::Dir, name: &[u8]) -> io::Result<Vec<u8>> {
        self.pass(Op::ReadLink, name)?.read_link(dir, name)
    }

    fn set_mtime(&self, file: &D::File, mtime: Timestamp) -> io::Result<()> {
        self.pass(Op::SetMtime, b"")?.set_mtime(file, mtime)
    }

    fn set_mtime_at(&self, dir: &D::Dir, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        self.pass(Op::SetMtime, name)?.set_mtime_at(dir, name, mtime)
    }

    fn set_mode(&self, file: &D::File, mode: u32) -> io::Result<()> {
        self.pass(Op::SetMode, b"")?.set_mode(file, mode)
    }

    fn set_mode_at(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<()> {
        self.pass(Op::SetMode, name)?.set_mode_at(dir, name, mode)
    }

    fn reflink(&self, from: &D::File, to: &D::File) -> io::Result<()> {
        self.pass(Op::Reflink, b"")?.reflink(from, to)
    }

    fn next_data(&self, file: &D::File, offset: u64) -> io::Result<Option<(u64, u64)>> {
        self.pass(Op::Look, b"")?.next_data(file, offset)
    }

    fn set_len(&self, file: &D::File, size: u64) -> io::Result<()> {
        self.pass(Op::SetLen, b"")?.set_len(file, size)
    }

    fn attributes(&self, file: &D::File) -> io::Result<Vec<Attribute>> {
        self.pass(Op::Look, b"")?.attributes(file)
    }

    fn set_attribute(&self, file: &D::File, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.pass(Op::SetAttribute, name)?.set_attribute(file, name, value)
    }

    fn free_bytes(&self, dir: &D::Dir) -> io::Result<u64> {
        self.pass(Op::Look, b"")?.free_bytes(dir)
    }

    fn lock(&self, dir: &D::Dir, exclusive: bool) -> io::Result<Option<D::Lock>> {
        self.pass(Op::Lock, b"")?.lock(dir, exclusive)
    }
}
