//! What is free on the server's disk (statvfs@openssh.com, OpenSSH PROTOCOL section 4.4).

use bytes::Buf as _;

use super::fault::Fault;
use super::packet::Request;
use super::root::Root;
use super::session::Session;

/// The file system is read-only.
const READ_ONLY: u64 = 1;

pub(super) struct Disk {
    pub(super) free_bytes: u64,
    pub(super) read_only: bool,
}

/// The disk of the root; `None` where the server does not tell.
pub(super) async fn of(root: &Root, session: &Session) -> Result<Option<Disk>, Fault> {
    if !root.features.statvfs {
        return Ok(None);
    }
    let request = Request::extended("statvfs@openssh.com").string(&root.path);
    let mut answer = match session.send(request).extended().await {
        Ok(answer) => answer,
        Err(fault) if fault.is_interruption() => return Err(fault),
        // It announced what it cannot do for this disk.
        Err(_) => return Ok(None),
    };
    // bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax.
    let mut numbers = [0; 11];
    for number in &mut numbers {
        *number = answer.try_get_u64().map_err(|_| Fault::Odd)?;
    }
    let [_, fragment, _, _, available, _, _, _, _, flags, _] = numbers;
    Ok(Some(Disk { free_bytes: fragment.saturating_mul(available), read_only: flags & READ_ONLY != 0 }))
}
