//! A disk whose clock is not the machine's: hours off, coarse, or read in another time zone than yesterday.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use portbook::model::Timestamp;
use portbook::provider::local::{Attribute, Disk, Rename, Stat, Traits};

/// How the times of a side read.
#[derive(Debug)]
pub struct View {
    /// How far the side's clock is ahead of the machine's.
    pub skew_ns: AtomicI64,
    /// How far its times, but not those of births, have moved since: a file system that keeps local times.
    pub shift_ns: AtomicI64,
    /// Times are multiples of this.
    pub precision_ns: AtomicU64,
}

impl Default for View {
    fn default() -> Self {
        Self { skew_ns: AtomicI64::new(0), shift_ns: AtomicI64::new(0), precision_ns: AtomicU64::new(1) }
    }
}

impl Clone for View {
    fn clone(&self) -> Self {
        let again = |of: &AtomicI64| AtomicI64::new(of.load(SeqCst));
        let precision_ns = AtomicU64::new(self.precision_ns.load(SeqCst));
        Self { skew_ns: again(&self.skew_ns), shift_ns: again(&self.shift_ns), precision_ns }
    }
}

fn moved(time: Timestamp, by_ns: i64, precision_ns: u64) -> Timestamp {
    let ns = time.as_nanos() + i128::from(by_ns);
    Timestamp::from_nanos(ns - ns.rem_euclid(i128::from(precision_ns.max(1))))
}

impl View {
    fn off_ns(&self) -> i64 {
        self.skew_ns.load(SeqCst) + self.shift_ns.load(SeqCst)
    }

    fn seen(&self, stat: Stat) -> Stat {
        let (off, precision) = (self.off_ns(), self.precision_ns.load(SeqCst));
        let birth_ns = if stat.birth_ns == 0 { 0 } else { stat.birth_ns + self.skew_ns.load(SeqCst) };
        Stat { mtime: moved(stat.mtime, off, precision), ctime: moved(stat.ctime, off, precision), birth_ns, ..stat }
    }

    fn set(&self, time: Timestamp) -> Timestamp {
        moved(time, -self.off_ns(), 1)
    }
}

/// A disk as seen through a [`View`].
pub struct Lens<D> {
    pub inner: D,
    pub view: Arc<View>,
}

impl<D: Disk> Disk for Lens<D> {
    type Dir = D::Dir;
    type File = D::File;
    type Lock = D::Lock;

    fn open_root(&self, path: &Path) -> io::Result<D::Dir> {
        self.inner.open_root(path)
    }

    fn traits(&self, dir: &D::Dir) -> io::Result<Traits> {
        let traits = self.inner.traits(dir)?;
        let time_precision_ns = traits.time_precision_ns.max(self.view.precision_ns.load(SeqCst));
        Ok(Traits { time_precision_ns, ..traits })
    }

    fn open_dir(&self, at: &D::Dir, path: &[u8]) -> io::Result<D::Dir> {
        self.inner.open_dir(at, path)
    }

    fn read_dir(
        &self,
        dir: &D::Dir,
        skip: fn(&[u8]) -> bool,
        mut each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()> {
        self.inner.read_dir(dir, skip, |name, stat| each(name, stat.map(|s| self.view.seen(s))))
    }

    fn stat_at(&self, dir: &D::Dir, name: &[u8]) -> io::Result<Stat> {
        self.inner.stat_at(dir, name).map(|s| self.view.seen(s))
    }

    fn stat_dir(&self, dir: &D::Dir) -> io::Result<Stat> {
        self.inner.stat_dir(dir).map(|s| self.view.seen(s))
    }

    fn stat_file(&self, file: &D::File) -> io::Result<Stat> {
        self.inner.stat_file(file).map(|s| self.view.seen(s))
    }

    fn open_read(&self, dir: &D::Dir, name: &[u8]) -> io::Result<D::File> {
        self.inner.open_read(dir, name)
    }

    fn open_write(&self, dir: &D::Dir, name: &[u8]) -> io::Result<D::File> {
        self.inner.open_write(dir, name)
    }

    fn create(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<D::File> {
        self.inner.create(dir, name, mode)
    }

    fn read_at(&self, file: &D::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(file, buf, offset)
    }

    fn write_at(&self, file: &D::File, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.inner.write_at(file, buf, offset)
    }

    fn sync_file(&self, file: &D::File) -> io::Result<()> {
        self.inner.sync_file(file)
    }

    fn sync_dir(&self, dir: &D::Dir) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn sync_all(&self, dir: &D::Dir) -> io::Result<()> {
        self.inner.sync_all(dir)
    }

    fn rename(&self, from: &D::Dir, name: &[u8], to: &D::Dir, new_name: &[u8], how: Rename) -> io::Result<()> {
        self.inner.rename(from, name, to, new_name, how)
    }

    fn link(&self, from: &D::Dir, name: &[u8], to: &D::Dir, new_name: &[u8]) -> io::Result<()> {
        self.inner.link(from, name, to, new_name)
    }

    fn make_dir(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<()> {
        self.inner.make_dir(dir, name, mode)
    }

    fn unlink(&self, dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.inner.unlink(dir, name)
    }

    fn remove_dir(&self, dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.inner.remove_dir(dir, name)
    }

    fn symlink(&self, target: &[u8], dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        self.inner.symlink(target, dir, name)
    }

    fn read_link(&self, dir: &D::Dir, name: &[u8]) -> io::Result<Vec<u8>> {
        self.inner.read_link(dir, name)
    }

    fn set_mtime(&self, file: &D::File, mtime: Timestamp) -> io::Result<()> {
        self.inner.set_mtime(file, self.view.set(mtime))
    }

    fn set_mtime_at(&self, dir: &D::Dir, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        self.inner.set_mtime_at(dir, name, self.view.set(mtime))
    }

    fn set_mode(&self, file: &D::File, mode: u32) -> io::Result<()> {
        self.inner.set_mode(file, mode)
    }

    fn set_mode_at(&self, dir: &D::Dir, name: &[u8], mode: u32) -> io::Result<()> {
        self.inner.set_mode_at(dir, name, mode)
    }

    fn reflink(&self, from: &D::File, to: &D::File) -> io::Result<()> {
        self.inner.reflink(from, to)
    }

    fn next_data(&self, file: &D::File, offset: u64) -> io::Result<Option<(u64, u64)>> {
        self.inner.next_data(file, offset)
    }

    fn set_len(&self, file: &D::File, size: u64) -> io::Result<()> {
        self.inner.set_len(file, size)
    }

    fn attributes(&self, file: &D::File) -> io::Result<Vec<Attribute>> {
        self.inner.attributes(file)
    }

    fn set_attribute(&self, file: &D::File, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.inner.set_attribute(file, name, value)
    }

    fn free_bytes(&self, dir: &D::Dir) -> io::Result<u64> {
        self.inner.free_bytes(dir)
    }

    fn lock(&self, dir: &D::Dir, exclusive: bool) -> io::Result<Option<D::Lock>> {
        self.inner.lock(dir, exclusive)
    }
}
