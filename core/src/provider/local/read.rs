//! Reading: hashes and streams.

use super::copy::{hash_content, unchanged};
use super::disk::{Disk, Stat};
use super::pool::Scratch;
use super::pump::{CHUNK, Reading};
use super::root::{Cursor, Root, retry, same, stale};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
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

/// What of a file is asked for.
pub(super) struct Part {
    pub(super) path: RelPath,
    /// The version it has to be.
    pub(super) expect: Option<Node>,
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
}

/// What [`send_content`] sends, all of it.
pub(super) fn content<D: Disk>(root: &Root<D>, part: &Part) -> Result<Vec<Result<bytes::Bytes>>> {
    let (opened, mut is_open) = tokio::sync::oneshot::channel();
    let mut pieces = Vec::new();
    // Of a file that has grown no more is read than shows it.
    let mut left = part.expect.as_ref().map_or(0, |expect| expect.token.size);
    send_content(root, part, opened, |piece| {
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        pieces.push(piece);
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    });
    is_open.try_recv().unwrap_or_else(|_| Err(Error::new(Code::Internal, "read", &part.path)))?;
    Ok(pieces)
}

/// Opens a file or link, says so, and sends its content until the receiver has enough.
pub(super) fn send_content<D: Disk>(
    root: &Root<D>,
    part: &Part,
    opened: tokio::sync::oneshot::Sender<Result<()>>,
    mut send: impl FnMut(Result<bytes::Bytes>) -> bool,
) {
    let (file, before) = match open(root, part) {
        Ok(Open::File(file, before)) => (file, before),
        Ok(Open::Link(points_to)) => {
            let start = usize::try_from(part.offset).unwrap_or(usize::MAX).min(points_to.len());
            let length = part.length.and_then(|l| usize::try_from(l).ok()).unwrap_or(usize::MAX);
            let wanted = points_to.into_iter().skip(start).take(length).collect::<Vec<u8>>();
            if opened.send(Ok(())).is_ok() {
                send(Ok(wanted.into()));
            }
            return;
        }
        Err(e) => {
            // A caller that is gone needs no answer.
            let _ = opened.send(Err(e));
            return;
        }
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    let mut place = part.offset;
    let mut left = part.length.unwrap_or(u64::MAX);
    while left > 0 {
        // One byte more than there should be shows a file that has grown; a buffer no larger than that keeps many small
        // files at once small.
        let expected = before.size.saturating_sub(place).saturating_add(1);
        let mut buf = vec![0; usize::try_from(left.min(expected)).unwrap_or(CHUNK).min(CHUNK)];
        match retry(|| root.disk.read_at(&file, &mut buf, place)) {
            Ok(0) => break,
            Ok(n) => {
                buf.truncate(n);
                place += n as u64;
                left -= n as u64;
                if !send(Ok(buf.into())) {
                    return;
                }
            }
            Err(e) => {
                send(Err(Error::io("read", &part.path, e)));
                return;
            }
        }
    }
    if part.expect.is_some()
        && let Err(e) = unchanged(root, &file, &before, &part.path)
    {
        send(Err(e));
    }
}

enum Open<D: Disk> {
    File(D::File, Stat),
    /// What it points to.
    Link(Vec<u8>),
}

/// Opens what is there, if it is the version that is expected.
fn open<D: Disk>(root: &Root<D>, part: &Part) -> Result<Open<D>> {
    let path = &part.path;
    let at = |e| Error::io("read", path, e);
    let is_expected = |stat: &Stat| part.expect.as_ref().is_none_or(|expect| same(expect, stat));
    let changed = || stale("read", path, "it has changed");
    let mut cursor = Cursor::new(root);
    let (dir, name) = cursor.parent("read", path)?;
    let seen = match root.look(dir, name).map_err(at)? {
        Some(seen) => seen,
        None if part.expect.is_some() => return Err(stale("read", path, "it is gone")),
        None => return Err(at(std::io::ErrorKind::NotFound.into())),
    };
    match seen.kind {
        Kind::Symlink => {
            let points_to = retry(|| root.disk.read_link(dir, name)).map_err(at)?;
            if !is_expected(&seen) || root.look(dir, name).map_err(at)? != Some(seen) {
                return Err(changed());
            }
            Ok(Open::Link(points_to))
        }
        Kind::File => {
            let file = retry(|| root.disk.open_read(dir, name)).map_err(at)?;
            let before = retry(|| root.disk.stat_file(&file)).map_err(at)?;
            if is_expected(&before) { Ok(Open::File(file, before)) } else { Err(changed()) }
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, "read", path).because("it is neither a file nor a link"))
        }
    }
}
