//! The disk of Linux and Android.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use super::disk::{Attribute, Disk, Rename, Stat, Traits};
use crate::model::{Kind, Timestamp};

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `AT_STATX_DONT_SYNC` of `linux/fcntl.h`, which rustix does not name for Android.
const DONT_SYNC: AtFlags = AtFlags::from_bits_retain(0x4000);
const LOOK: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(DONT_SYNC);
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);
/// Where writing past the page cache is quicker: ext4 and XFS, by their numbers in `linux/magic.h`. Others compress or
/// check what they write, and go through memory again.
const DIRECT_ON: [u64; 2] = [0xEF53, 0x5846_5342];
/// Longer paths are opened in pieces; the kernel takes 4,096 bytes at once.
const PATH_MAX: usize = 4000;

/// The file systems of the kernel.
#[derive(Debug)]
pub struct OsDisk {
    openat2: AtomicBool,
}

impl Default for OsDisk {
    fn default() -> Self {
        Self { openat2: AtomicBool::new(true) }
    }
}

fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode(bits & 0o7777)
}

fn time(secs: i64, nanos: u32) -> Timestamp {
    Timestamp { secs, nanos }
}

fn stat(x: &Statx) -> Stat {
    let kind = match u32::from(x.stx_mode) & 0o170_000 {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Dir,
        0o120_000 => Kind::Symlink,
        _ => Kind::Other,
    };
    let born = x.stx_mask & StatxFlags::BTIME.bits() != 0;
    let birth_ns = x.stx_btime.tv_sec.saturating_mul(1_000_000_000).saturating_add(i64::from(x.stx_btime.tv_nsec));
    Stat {
        kind,
        ino: x.stx_ino,
        dev: (u64::from(x.stx_dev_major) << 32) | u64::from(x.stx_dev_minor),
        birth_ns: if born { birth_ns } else { 0 },
        size: x.stx_size,
        allocated: x.stx_blocks.saturating_mul(512),
        mode: u32::from(x.stx_mode) & 0o7777,
        mtime: time(x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec),
        ctime: time(x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec),
    }
}

fn stat_fd(fd: impl AsFd) -> io::Result<Stat> {
    Ok(stat(&fs::statx(fd, c"", AtFlags::EMPTY_PATH, WANTED)?))
}

fn times(mtime: Timestamp) -> fs::Timestamps {
    let omit = fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
    fs::Timestamps {
        last_access: omit,
        last_modification: fs::Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.cast_signed().into() },
    }
}

/// Errors by which a file system says that it lacks a way of renaming.
fn unsupported(e: Errno) -> io::Error {
    match e {
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => io::ErrorKind::Unsupported.into(),
        e => e.into(),
    }
}

impl Disk for OsDisk {
    type Dir = OwnedFd;
    type File = OwnedFd;
    type Lock = OwnedFd;

    fn open_root(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(fs::CWD, path, flags, Mode::empty())?)
    }

    fn traits(&self, dir: &OwnedFd) -> io::Result<Traits> {
        Ok(super::traits::of(dir)?)
    }

    fn open_dir(&self, at: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
        if self.openat2.load(Ordering::Relaxed) && path.len() < PATH_MAX {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match fs::openat2(at, path, DIR, Mode::empty(), resolve) {
                // Old kernels and some sandboxes lack the call (the latter say EPERM, which it has no use for here).
                Err(Errno::NOSYS | Errno::PERM) => self.openat2.store(false, Ordering::Relaxed),
                Err(Errno::LOOP) => return Err(io::ErrorKind::NotADirectory.into()),
                other => return Ok(other?),
            }
        }
        let mut parts = path.split(|b| *b == b'/');
        let first = parts.next().unwrap_or(b".");
        let mut fd = fs::openat(at, first, DIR, Mode::empty())?;
        for part in parts {
            fd = fs::openat(&fd, part, DIR, Mode::empty())?;
        }
        Ok(fd)
    }

    fn read_dir(
        &self,
        dir: &OwnedFd,
        skip: fn(&[u8]) -> bool,
        mut each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()> {
        fs::seek(dir, fs::SeekFrom::Start(0))?;
        let mut buf = Vec::with_capacity(64 << 10);
        let mut entries = fs::RawDir::new(dir, buf.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            let name = entry.file_name();
            let bytes = name.to_bytes();
            if bytes == b"." || bytes == b".." || skip(bytes) {
                continue;
            }
            each(bytes, fs::statx(dir, name, LOOK, WANTED).map(|x| stat(&x)).map_err(io::Error::from));
        }
        Ok(())
    }

    fn stat_at(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<Stat> {
        Ok(stat(&fs::statx(dir, name, LOOK, WANTED)?))
    }

    fn stat_dir(&self, dir: &OwnedFd) -> io::Result<Stat> {
        stat_fd(dir)
    }

    fn stat_file(&self, file: &OwnedFd) -> io::Result<Stat> {
        stat_fd(file)
    }

    fn open_read(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(fs::openat(dir, name, flags, Mode::empty())?)
    }

    fn open_write(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(fs::openat(dir, name, flags, Mode::empty())?)
    }

    fn create(&self, dir: &OwnedFd, name: &[u8], bits: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(dir, name, flags, mode(bits))?)
    }

    fn read_at(&self, file: &OwnedFd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(file, buf, offset)?)
    }

    fn write_at(&self, file: &OwnedFd, buf: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(file, buf, offset)?)
    }

    fn past_cache(&self, file: &OwnedFd, on: bool) -> io::Result<()> {
        let is_known = |kind| DIRECT_ON.contains(&kind);
        if on && !u64::try_from(fs::fstatfs(file)?.f_type).is_ok_and(is_known) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut flags = fs::fcntl_getfl(file)?;
        flags.set(OFlags::DIRECT, on);
        Ok(fs::fcntl_setfl(file, flags)?)
    }

    fn sync_file(&self, file: &OwnedFd) -> io::Result<()> {
        Ok(fs::fsync(file)?)
    }

    fn sync_dir(&self, dir: &OwnedFd) -> io::Result<()> {
        Ok(fs::fsync(dir)?)
    }

    fn sync_all(&self, dir: &OwnedFd) -> io::Result<()> {
        Ok(fs::syncfs(dir)?)
    }

    fn rename(&self, from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8], how: Rename) -> io::Result<()> {
        match how {
            Rename::Replace => Ok(fs::renameat(from, name, to, new_name)?),
            Rename::NoReplace => {
                fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE).map_err(unsupported)
            }
            Rename::Exchange => fs::renameat_with(from, name, to, new_name, RenameFlags::EXCHANGE).map_err(unsupported),
        }
    }

    fn link(&self, from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
        match fs::linkat(from, name, to, new_name, AtFlags::empty()) {
            // How file systems without hard links answer.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
            other => Ok(other?),
        }
    }

    fn make_dir(&self, dir: &OwnedFd, name: &[u8], bits: u32) -> io::Result<()> {
        Ok(fs::mkdirat(dir, name, mode(bits))?)
    }

    fn unlink(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    fn remove_dir(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
    }

    fn symlink(&self, target: &[u8], dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        Ok(fs::symlinkat(target, dir, name)?)
    }

    fn read_link(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(dir, name, Vec::new())?.into_bytes())
    }

    fn set_mtime(&self, file: &OwnedFd, mtime: Timestamp) -> io::Result<()> {
        Ok(fs::futimens(file, &times(mtime))?)
    }

    fn set_mtime_at(&self, dir: &OwnedFd, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        Ok(fs::utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn set_mode(&self, file: &OwnedFd, bits: u32) -> io::Result<()> {
        Ok(fs::fchmod(file, mode(bits))?)
    }

    fn set_mode_at(&self, dir: &OwnedFd, name: &[u8], bits: u32) -> io::Result<()> {
        // The kernel's call by name follows links. A path handle pins the item, links are refused, and the way back
        // to it through /proc needs no right to read it.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let item = fs::openat(dir, name, flags, Mode::empty())?;
        if stat_fd(&item)?.kind == Kind::Symlink {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let path = format!("/proc/self/fd/{}", item.as_raw_fd());
        Ok(fs::chmod(path.as_str(), mode(bits))?)
    }

    fn reflink(&self, from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
        Ok(fs::ioctl_ficlone(to, from)?)
    }

    fn next_data(&self, file: &OwnedFd, offset: u64) -> io::Result<Option<(u64, u64)>> {
        match fs::seek(file, fs::SeekFrom::Data(offset)) {
            Err(Errno::NXIO) => Ok(None),
            start => {
                let start = start?;
                Ok(Some((start, fs::seek(file, fs::SeekFrom::Hole(start))?)))
            }
        }
    }

    fn set_len(&self, file: &OwnedFd, size: u64) -> io::Result<()> {
        Ok(fs::ftruncate(file, size)?)
    }

    fn attributes(&self, file: &OwnedFd) -> io::Result<Vec<Attribute>> {
        let mut names = [MaybeUninit::<u8>::uninit(); 4096];
        let names = match fs::flistxattr(file, &mut names) {
            Ok((names, _)) => names.to_vec(),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
            Err(Errno::RANGE) => {
                let mut more = Vec::with_capacity(64 << 10);
                fs::flistxattr(file, rustix::buffer::spare_capacity(&mut more))?;
                more
            }
            Err(e) => return Err(e.into()),
        };
        let mut found = Vec::new();
        for name in names.split(|b| *b == 0).filter(|n| n.starts_with(b"user.")) {
            let mut value = Vec::with_capacity(fs::fgetxattr_query(file, name)?);
            if value.capacity() > 0 {
                fs::fgetxattr(file, name, rustix::buffer::spare_capacity(&mut value))?;
            }
            found.push((name.to_vec(), value));
        }
        Ok(found)
    }

    fn set_attribute(&self, file: &OwnedFd, name: &[u8], value: &[u8]) -> io::Result<()> {
        Ok(fs::fsetxattr(file, OsStr::from_bytes(name), value, fs::XattrFlags::empty())?)
    }

    fn free_bytes(&self, dir: &OwnedFd) -> io::Result<u64> {
        let v = fs::fstatvfs(dir)?;
        Ok(v.f_bavail.saturating_mul(v.f_frsize))
    }

    fn lock(&self, dir: &OwnedFd, exclusive: bool) -> io::Result<Option<OwnedFd>> {
        // A description of its own, so that the lock ends with this handle and not with the root's.
        let own = fs::openat(dir, c".", DIR, Mode::empty())?;
        let how = if exclusive {
            fs::FlockOperation::NonBlockingLockExclusive
        } else {
            fs::FlockOperation::NonBlockingLockShared
        };
        match fs::flock(&own, how) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            other => Ok(other.map(|()| Some(own))?),
        }
    }
}
