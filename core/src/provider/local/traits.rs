//! What the type of a file system says of it. Nothing is written to find out: a quiet run leaves no trace.

use std::os::fd::OwnedFd;

use rustix::fs::{self, Access, AtFlags, StatVfsMountFlags};
use rustix::io::Errno;

use super::disk::Traits;
use crate::provider::Writable;

/// The clock that stamps files ticks with the kernel's timer, 100 to 1,000 times a second, however many digits the
/// file system keeps.
const TICK_NS: u64 = 10_000_000;

/// `FS_CASEFOLD_FL` of the directory flags.
const FOLDS: u32 = 0x4000_0000;

/// Case folding of ext4 and f2fs is a flag of the directory; it is looked up at the root, since directories made
/// beneath inherit it. The network file systems of Windows are taken to fold whatever the server says.
pub(super) fn of(root: &OwnedFd) -> rustix::io::Result<Traits> {
    let vfs = fs::fstatvfs(root)?;
    let mut t = Traits {
        case_insensitive: fs::ioctl_getflags(root).is_ok_and(|f| f.bits() & FOLDS != 0),
        unicode_insensitive: false,
        windows_names: false,
        unicode_names: false,
        max_name_bytes: usize::try_from(vfs.f_namemax).unwrap_or(255),
        mode: true,
        symlinks: true,
        time_precision_ns: TICK_NS,
        writable: match vfs.f_flag.contains(StatVfsMountFlags::RDONLY) {
            true => Writable::Nowhere,
            false => permitted(root),
        },
    };
    // ext4 and f2fs fold by the Unicode tables, which make normal forms equal too.
    t.unicode_insensitive = t.case_insensitive;
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "the type of f_type differs between targets")]
    match fs::fstatfs(root)?.f_type as u64 & 0xffff_ffff {
        // vfat, exfat
        magic @ (0x4d44 | 0x2011_bab0) => {
            (t.case_insensitive, t.windows_names, t.unicode_names) = (true, true, true);
            (t.mode, t.symlinks) = (false, false);
            t.time_precision_ns = if magic == 0x4d44 { 2_000_000_000 } else { TICK_NS };
        }
        // cifs, smb2
        0xff53_4d42 | 0xfe53_4d42 => {
            (t.case_insensitive, t.windows_names, t.unicode_names) = (true, true, true);
            t.mode = false;
        }
        // ntfs (kernel), ntfs3: case-sensitive by default
        0x5346_544e | 0x7366_746e => t.unicode_names = true,
        // hfs+
        0x482b => {
            (t.case_insensitive, t.unicode_insensitive, t.unicode_names) = (true, true, true);
            t.time_precision_ns = 1_000_000_000;
        }
        _ => {}
    }
    Ok(t)
}

/// Whether this user may put things into the root. What cannot be asked is found out by trying.
fn permitted(root: &OwnedFd) -> Writable {
    // Bionic knows no flags here; an app's real and effective user are the same.
    #[cfg(target_os = "android")]
    let by = AtFlags::empty();
    #[cfg(not(target_os = "android"))]
    let by = AtFlags::EACCESS;
    match fs::accessat(root, c".", Access::WRITE_OK | Access::EXEC_OK, by) {
        Err(Errno::ROFS) => Writable::Nowhere,
        Err(Errno::ACCESS | Errno::PERM) => Writable::Beneath,
        Ok(()) | Err(_) => Writable::Everywhere,
    }
}
