//! Reading: hashes and streams.

use super::copy::{hash_content, unchanged};
use super::disk::Disk;
use super::pool::Scratch;
use super::pump::{CHUNK, Reading};
use super::root::{Cursor, Root, retry, stale};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, RelPath};
use crate::provider::Hashed;

/// Hashes a file or link.
pub(super) fn hash<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    scratch: &mut Scratch,
    path: &RelPath,
) -> Result<Hashed> {
    let read = "read";
    let at = |e| Error::io(read, path, e);
    let (dir, name) = cursor.parent(read, path)?;
    let seen = retry(|| root.disk.stat_at(dir, name)).map_err(at)?;
    match seen.kind {
        Kind::Symlink => {
            let points_to = retry(|| root.disk.read_link(dir, name)).map_err(at)?;
            if root.look(dir, name).map_err(at)? != Some(seen) {
                return Err(stale(read, path, "it changed while it was read"));
            }
            Ok(Hashed { node: seen.node(), content: ContentHash::of(&points_to) })
        }
        Kind::File => {
            let file = retry(|| root.disk.open_read(dir, name)).map_err(at)?;
            let before = retry(|| root.disk.stat_file(&file)).map_err(at)?;
            let content = hash_content(&Reading { root, file: &file, stat: &before, path }, scratch, None)?;
            unchanged(root, &file, &before, path)?;
            Ok(Hashed { node: before.node(), content })
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, read, path).because("it is neither a file nor a link"))
        }
    }
}

/// Opens a file, says so, and sends its content until the receiver has enough.
pub(super) fn send_content<D: Disk>(
    root: &Root<D>,
    path: &RelPath,
    offset: u64,
    length: Option<u64>,
    opened: tokio::sync::oneshot::Sender<Result<()>>,
    mut send: impl FnMut(Result<bytes::Bytes>) -> bool,
) {
    let at = |e| Error::io("read", path, e);
    let file = (|| {
        let mut cursor = Cursor::new(root);
        let (dir, name) = cursor.parent("read", path)?;
        let file = retry(|| root.disk.open_read(dir, name)).map_err(at)?;
        match retry(|| root.disk.stat_file(&file)).map_err(at)?.kind {
            Kind::File => Ok(file),
            Kind::Dir | Kind::Symlink | Kind::NativeDoc | Kind::Other => {
                Err(Error::new(Code::Unsupported, "read", path).because("it is no file"))
            }
        }
    })();
    let file = match file {
        Ok(file) => file,
        Err(e) => {
            // A caller that is gone needs no answer.
            let _ = opened.send(Err(e));
            return;
        }
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    let mut place = offset;
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let mut buf = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        match retry(|| root.disk.read_at(&file, &mut buf, place)) {
            Ok(0) => return,
            Ok(n) => {
                buf.truncate(n);
                place += n as u64;
                left -= n as u64;
                if !send(Ok(buf.into())) {
                    return;
                }
            }
            Err(e) => {
                send(Err(at(e)));
                return;
            }
        }
    }
}
