//! The disk of every other operating system, by the standard library.
//!
//! Where there is no way to open relative to a directory, every component is looked at before it is passed: a link
//! put there in the very moment between the look and the call could still be followed. What is missing is told: no
//! file identity on Windows, no holes, no shared content, no attributes.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::disk::{Disk, Rename, Stat, Traits};
use crate::model::{Kind, Timestamp};
use crate::provider::Writable;

/// A disk behind the standard library.
#[derive(Debug, Default)]
pub struct PortableDisk;

/// An opened directory: its path.
#[derive(Debug)]
pub struct PortableDir(PathBuf);

impl PortableDir {
    /// The path of a name in it.
    #[cfg(unix)]
    fn at(&self, name: &[u8]) -> io::Result<PathBuf> {
        use std::os::unix::ffi::OsStrExt as _;
        Ok(self.0.join(std::ffi::OsStr::from_bytes(name)))
    }

    /// The path of a name in it. A name with a separator, a drive or a stream in it would lead elsewhere.
    #[cfg(not(unix))]
    fn at(&self, name: &[u8]) -> io::Result<PathBuf> {
        match std::str::from_utf8(name) {
            Ok(text) if super::windows_name(name) => Ok(self.0.join(text)),
            Ok(_) | Err(_) => Err(ErrorKind::InvalidInput.into()),
        }
    }
}

fn from_system(time: SystemTime) -> Timestamp {
    let part = |d: Duration| (i64::try_from(d.as_secs()).unwrap_or(i64::MAX), d.subsec_nanos());
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => {
            let (secs, nanos) = part(after);
            Timestamp { secs, nanos }
        }
        Err(before) => match part(before.duration()) {
            (secs, 0) => Timestamp { secs: -secs, nanos: 0 },
            (secs, nanos) => Timestamp { secs: -secs - 1, nanos: 1_000_000_000 - nanos },
        },
    }
}

fn to_system(time: Timestamp) -> io::Result<SystemTime> {
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let base = if time.secs < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    let time = base.and_then(|b| b.checked_add(Duration::from_nanos(time.nanos.into())));
    time.ok_or_else(|| ErrorKind::InvalidInput.into())
}

fn stat(m: &Metadata) -> Stat {
    let t = m.file_type();
    let kind = if t.is_symlink() {
        Kind::Symlink
    } else if t.is_dir() {
        Kind::Dir
    } else if t.is_file() {
        Kind::File
    } else {
        Kind::Other
    };
    let birth = m.created().map_or(0, |b| from_system(b).as_nanos());
    let mtime = m.modified().map_or(Timestamp::default(), from_system);
    let portable = Stat {
        kind,
        ino: 0,
        dev: 0,
        birth_ns: i64::try_from(birth).unwrap_or(0),
        size: m.len(),
        allocated: m.len(),
        mode: if m.permissions().readonly() { 0o444 } else { 0o666 },
        mtime,
        ctime: mtime,
    };
    native(m, portable)
}

#[cfg(unix)]
fn native(m: &Metadata, portable: Stat) -> Stat {
    use std::os::unix::fs::MetadataExt as _;
    let ctime = Timestamp { secs: m.ctime(), nanos: u32::try_from(m.ctime_nsec()).unwrap_or(0) };
    Stat { ino: m.ino(), dev: m.dev(), mode: m.mode() & 0o7777, ctime, ..portable }
}

#[cfg(not(unix))]
fn native(_: &Metadata, portable: Stat) -> Stat {
    portable
}

#[cfg(unix)]
fn set_mode(set: impl FnOnce(fs::Permissions) -> io::Result<()>, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    set(fs::Permissions::from_mode(mode & 0o7777))
}

#[cfg(not(unix))]
fn set_mode(_: impl FnOnce(fs::Permissions) -> io::Result<()>, _: u32) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Opens without following a link and without waiting at a pipe.
#[cfg(unix)]
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) {
        return Err(ErrorKind::Unsupported.into());
    }
    options.open(path)
}

#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(unix)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, buf, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

#[cfg(windows)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, buf, offset)
}

/// Renames that do not overwrite, or exchange.
#[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
fn rename_with(from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags) {
        Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => Err(ErrorKind::Unsupported.into()),
        other => Ok(other?),
    }
}

#[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
fn rename(from: &Path, to: &Path, how: Rename) -> io::Result<()> {
    match how {
        Rename::Replace => fs::rename(from, to),
        Rename::NoReplace => rename_with(from, to, rustix::fs::RenameFlags::NOREPLACE),
        Rename::Exchange => rename_with(from, to, rustix::fs::RenameFlags::EXCHANGE),
    }
}

#[cfg(not(any(target_vendor = "apple", target_os = "linux", target_os = "android")))]
fn rename(from: &Path, to: &Path, how: Rename) -> io::Result<()> {
    match how {
        Rename::Replace => fs::rename(from, to),
        Rename::NoReplace | Rename::Exchange => Err(ErrorKind::Unsupported.into()),
    }
}

impl Disk for PortableDisk {
    type Dir = PortableDir;
    type File = File;
    type Lock = File;

    fn open_root(&self, path: &Path) -> io::Result<PortableDir> {
        let path = fs::canonicalize(path)?;
        fs::read_dir(&path)?;
        Ok(PortableDir(path))
    }

    fn traits(&self, dir: &PortableDir) -> io::Result<Traits> {
        // The file systems of Apple and Windows fold names unless they were made otherwise, which cannot be asked.
        let (apple, windows) = (cfg!(target_vendor = "apple"), cfg!(windows));
        Ok(Traits {
            case_insensitive: apple || windows,
            unicode_insensitive: apple,
            windows_names: windows,
            unicode_names: apple || windows,
            max_name_bytes: 255,
            mode: cfg!(unix),
            symlinks: cfg!(unix),
            // The clock of Windows ticks 64 times a second.
            time_precision_ns: if windows { 16_000_000 } else { 10_000_000 },
            writable: match fs::metadata(&dir.0)?.permissions().readonly() && !windows {
                true => Writable::Beneath,
                false => Writable::Everywhere,
            },
        })
    }

    fn open_dir(&self, at: &PortableDir, path: &[u8]) -> io::Result<PortableDir> {
        let mut here = PortableDir(at.0.clone());
        for part in path.split(|b| *b == b'/').filter(|p| *p != b".") {
            let next = here.at(part)?;
            if !fs::symlink_metadata(&next)?.is_dir() {
                return Err(ErrorKind::NotADirectory.into());
            }
            here = PortableDir(next);
        }
        Ok(here)
    }

    fn read_dir(
        &self,
        dir: &PortableDir,
        skip: fn(&[u8]) -> bool,
        mut each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()> {
        for entry in fs::read_dir(&dir.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if !skip(name) {
                each(name, fs::symlink_metadata(entry.path()).map(|m| stat(&m)));
            }
        }
        Ok(())
    }

    fn stat_at(&self, dir: &PortableDir, name: &[u8]) -> io::Result<Stat> {
        Ok(stat(&fs::symlink_metadata(dir.at(name)?)?))
    }

    fn stat_dir(&self, dir: &PortableDir) -> io::Result<Stat> {
        Ok(stat(&fs::symlink_metadata(&dir.0)?))
    }

    fn stat_file(&self, file: &File) -> io::Result<Stat> {
        Ok(stat(&file.metadata()?))
    }

    fn open_read(&self, dir: &PortableDir, name: &[u8]) -> io::Result<File> {
        open(&dir.at(name)?, OpenOptions::new().read(true))
    }

    fn open_write(&self, dir: &PortableDir, name: &[u8]) -> io::Result<File> {
        open(&dir.at(name)?, OpenOptions::new().read(true).write(true))
    }

    fn create(&self, dir: &PortableDir, name: &[u8], mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode & 0o7777);
        #[cfg(not(unix))]
        let _ = mode;
        options.open(dir.at(name)?)
    }

    fn read_at(&self, file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(file, buf, offset)
    }

    fn write_at(&self, file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
        write_at(file, buf, offset)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        match file.sync_all() {
            // Windows flushes only what was opened for writing. A published file was flushed under its first name.
            Err(e) if cfg!(windows) && e.kind() == ErrorKind::PermissionDenied => Ok(()),
            other => other,
        }
    }

    fn sync_dir(&self, dir: &PortableDir) -> io::Result<()> {
        // Windows has no such call; its file systems write their journal in order.
        if cfg!(windows) { Ok(()) } else { File::open(&dir.0)?.sync_all() }
    }

    fn sync_all(&self, _dir: &PortableDir) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn rename(
        &self,
        from: &PortableDir,
        name: &[u8],
        to: &PortableDir,
        new_name: &[u8],
        how: Rename,
    ) -> io::Result<()> {
        rename(&from.at(name)?, &to.at(new_name)?, how)
    }

    fn link(&self, from: &PortableDir, name: &[u8], to: &PortableDir, new_name: &[u8]) -> io::Result<()> {
        match fs::hard_link(from.at(name)?, to.at(new_name)?) {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(ErrorKind::Unsupported.into()),
            other => other,
        }
    }

    fn make_dir(&self, dir: &PortableDir, name: &[u8], mode: u32) -> io::Result<()> {
        #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode & 0o7777);
        #[cfg(not(unix))]
        let _ = mode;
        builder.create(dir.at(name)?)
    }

    fn unlink(&self, dir: &PortableDir, name: &[u8]) -> io::Result<()> {
        fs::remove_file(dir.at(name)?)
    }

    fn remove_dir(&self, dir: &PortableDir, name: &[u8]) -> io::Result<()> {
        fs::remove_dir(dir.at(name)?)
    }

    #[cfg(unix)]
    fn symlink(&self, target: &[u8], dir: &PortableDir, name: &[u8]) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt as _;
        std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), dir.at(name)?)
    }

    #[cfg(not(unix))]
    fn symlink(&self, _target: &[u8], _dir: &PortableDir, _name: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn read_link(&self, dir: &PortableDir, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(fs::read_link(dir.at(name)?)?.into_os_string().into_encoded_bytes())
    }

    fn set_mtime(&self, file: &File, mtime: Timestamp) -> io::Result<()> {
        file.set_times(FileTimes::new().set_modified(to_system(mtime)?))
    }

    fn set_mtime_at(&self, dir: &PortableDir, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        let path = dir.at(name)?;
        if fs::symlink_metadata(&path)?.is_symlink() {
            // The standard library cannot, and nobody relies on the time of a link.
            return Ok(());
        }
        let mut options = OpenOptions::new();
        let file = if cfg!(windows) { options.write(true) } else { options.read(true) };
        self.set_mtime(&open(&path, file)?, mtime)
    }

    fn set_mode(&self, file: &File, mode: u32) -> io::Result<()> {
        set_mode(|p| file.set_permissions(p), mode)
    }

    fn set_mode_at(&self, dir: &PortableDir, name: &[u8], mode: u32) -> io::Result<()> {
        let path = dir.at(name)?;
        if fs::symlink_metadata(&path)?.is_symlink() {
            return Err(ErrorKind::Unsupported.into());
        }
        set_mode(|p| fs::set_permissions(&path, p), mode)
    }

    fn set_len(&self, file: &File, size: u64) -> io::Result<()> {
        file.set_len(size)
    }

    #[cfg(unix)]
    fn free_bytes(&self, dir: &PortableDir) -> io::Result<u64> {
        let v = rustix::fs::statvfs(&dir.0)?;
        Ok(v.f_bavail.saturating_mul(v.f_frsize))
    }

    #[cfg(not(unix))]
    fn free_bytes(&self, _dir: &PortableDir) -> io::Result<u64> {
        Err(ErrorKind::Unsupported.into())
    }

    fn lock(&self, dir: &PortableDir, exclusive: bool) -> io::Result<Option<File>> {
        let file = if cfg!(unix) {
            File::open(&dir.0)?
        } else {
            // Directories cannot be locked: a file beside the trash is.
            let own = dir.0.join(".portbook");
            fs::create_dir_all(&own)?;
            OpenOptions::new().write(true).create(true).truncate(false).open(own.join("lock"))?
        };
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}
