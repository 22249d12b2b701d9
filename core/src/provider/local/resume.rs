//! Large copies that a later process continues.
//!
//! What is safe of a copy is what a flush has covered; what else the temporary file has may be torn and is written again. A
//! temporary file is taken up only when it is the very file that the session speaks of, when it still has the bytes, and
//! when they have the hashes that they had when they passed; then these go on where they stopped. Anything else is begun
//! again.

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::pump::{CHUNK, read_full};
use super::root::{Root, retry};
use super::stage::Target;
use crate::error::{Error, Result};
use crate::identity::{SegmentedHash, Span};
use crate::model::Kind;
use crate::provider::{Checkpoint, Keeper, Pace};

/// How large files are cut, by where their bytes come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    /// From another place of the same kind.
    pub(super) native: Parts,
    /// Through the engine, most often over a network: slower, and dearer to carry again.
    pub(super) received: Parts,
}

impl Default for Cuts {
    /// Of what is received two steps may wait for the disk. With them and what is on the way less than 8 MiB is received
    /// again.
    fn default() -> Self {
        let received = Parts { resumable_bytes: 16 << 20, part_bytes: 5 << 20 };
        Self { native: Parts::default(), received }
    }
}

impl From<Parts> for Cuts {
    fn from(parts: Parts) -> Self {
        Self { native: parts, received: parts }
    }
}

/// How large files are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Files of at least this size are continued by a later run when they were interrupted. Each checkpoint costs a
    /// commit in the book, so it is not worth it for what is copied within a moment.
    pub resumable_bytes: u64,
    /// The most that is carried again after an interruption.
    pub part_bytes: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Self { resumable_bytes: 128 << 20, part_bytes: 64 << 20 }
    }
}

impl Parts {
    /// Bytes between two flushes of a large file. One half is being written while the other is being flushed.
    pub(super) fn step(self) -> u64 {
        (self.part_bytes / 2).max(1)
    }
}

/// What a checkpoint says of a temporary file.
#[derive(Serialize, Deserialize)]
struct Progress {
    ino: u64,
    birth_ns: i64,
    /// What is safe of it.
    spans: Vec<Span>,
}

/// Where a copy reports what is safe.
pub(super) struct Session<'a, D: Disk> {
    root: &'a Root<D>,
    dir: &'a D::Dir,
    file: &'a D::File,
    target: &'a Target,
    keeper: &'a Keeper,
    /// The temporary name is durable.
    named: bool,
}

impl<'a, D: Disk> Session<'a, D> {
    pub(super) fn new(
        root: &'a Root<D>,
        dir: &'a D::Dir,
        file: &'a D::File,
        target: &'a Target,
        keeper: &'a Keeper,
    ) -> Self {
        Self { root, dir, file, target, keeper, named: false }
    }

    /// All of this was flushed.
    pub(super) fn keep(&mut self, spans: Vec<Span>) -> Result<()> {
        let at = |e| Error::io("write", &self.target.path, e);
        if !self.named {
            retry(|| self.root.disk.sync_dir(self.dir)).map_err(at)?;
            self.named = true;
        }
        let stat = retry(|| self.root.disk.stat_file(self.file)).map_err(at)?;
        let offset = spans.iter().map(|span| span.end - span.start).sum();
        let progress = Progress { ino: stat.ino, birth_ns: stat.birth_ns, spans };
        let encode =
            |e| Error::new(crate::Code::Internal, "keep how far the copy is of", &self.target.path).caused_by(e);
        self.keeper.keep(Checkpoint { offset, state: postcard::to_stdvec(&progress).map_err(encode)? })
    }
}

/// The temporary file of an earlier attempt, cut behind what is safe of it, and the hash over that. `None`: it is not
/// certain that it is the one, and the copy of so many bytes begins again.
///
/// # Errors
/// `cancelled` while it is read.
pub(super) fn take_up<D: Disk>(
    root: &Root<D>,
    dir: &D::Dir,
    temp: &[u8],
    checkpoint: &Checkpoint,
    size: u64,
    pace: &Pace,
) -> Result<Option<(D::File, SegmentedHash)>> {
    let Ok(progress) = postcard::from_bytes::<Progress>(&checkpoint.state) else { return Ok(None) };
    let Ok(file) = retry(|| root.disk.open_write(dir, temp)) else { return Ok(None) };
    let Ok(stat) = retry(|| root.disk.stat_file(&file)) else { return Ok(None) };
    let is_it = stat.kind == Kind::File && (stat.ino, stat.birth_ns) == (progress.ino, progress.birth_ns);
    let safe = progress.spans.last().map_or(0, |span| span.end);
    if !is_it || stat.size < safe {
        return Ok(None);
    }
    let mut begun = SegmentedHash::new(size);
    let mut buf = vec![0; CHUNK];
    for span in &progress.spans {
        let mut offset = span.start;
        while offset < span.end {
            pace.take(0)?;
            let length = (span.end - offset).min(CHUNK as u64) as usize;
            match read_full(root, &file, &mut buf[..length], offset) {
                Ok(read) if read == length => {}
                Ok(_) | Err(_) => return Ok(None),
            }
            if begun.update(offset, &buf[..length]).is_err() {
                return Ok(None);
            }
            offset += length as u64;
        }
    }
    if begun.spans() != progress.spans {
        return Ok(None);
    }
    let cut = retry(|| root.disk.set_len(&file, safe));
    Ok(cut.is_ok().then_some((file, begun)))
}
