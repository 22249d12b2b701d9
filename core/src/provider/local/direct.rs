//! Writing large files past the page cache, where the file system can.
//!
//! What is durable when a copy ends need not be in memory as well: a copy through the page cache moves every byte once more,
//! pushes out what programs use, and waits at its end for the disk, which it kept waiting before. (512 MiB on ext4: 0.35 s
//! past the cache, 0.36 to 1.8 s through it, both on disk at the end.) `open(2)`, `O_DIRECT`.

use std::io::{self, ErrorKind};
use std::ops::Deref;

use super::copy::write_all;
use super::disk::{DIRECT, Disk};
use super::root::Root;

/// Writes a file, past the cache as far as it may.
pub(super) struct Writer<'a, D: Disk> {
    root: &'a Root<D>,
    file: &'a D::File,
    may: bool,
    is_direct: bool,
}

impl<'a, D: Disk> Writer<'a, D> {
    /// Writes through the cache.
    pub(super) fn through(root: &'a Root<D>, file: &'a D::File) -> Self {
        Self { root, file, may: false, is_direct: false }
    }

    /// Writes past the cache what begins and ends where it must for that, and everything else through it.
    pub(super) fn past(root: &'a Root<D>, file: &'a D::File) -> Self {
        Self { may: true, ..Self::through(root, file) }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.turn(self.may && is_aligned(bytes, offset))?;
        match write_all(self.root, self.file, bytes, offset) {
            // The file system wants other borders, or took a part and left a rest that has none.
            Err(e) if self.is_direct && e.kind() == ErrorKind::InvalidInput => {
                self.may = false;
                self.turn(false)?;
                write_all(self.root, self.file, bytes, offset)
            }
            written => written,
        }
    }

    fn turn(&mut self, direct: bool) -> io::Result<()> {
        if direct == self.is_direct {
            return Ok(());
        }
        match self.root.disk.past_cache(self.file, direct) {
            Ok(()) => self.is_direct = direct,
            Err(e) if !direct => return Err(e),
            Err(_) => self.may = false,
        }
        Ok(())
    }
}

fn is_aligned(bytes: &[u8], offset: u64) -> bool {
    let at = bytes.as_ptr().align_offset(DIRECT);
    at == 0 && bytes.len().is_multiple_of(DIRECT) && offset.is_multiple_of(DIRECT as u64)
}

/// Memory from which may be written past the cache.
#[derive(Default)]
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// Its first `length` bytes, whatever was in them.
    pub(super) fn fit(&mut self, length: usize) -> &mut [u8] {
        if self.bytes.len() < length + DIRECT {
            self.bytes.resize(length + DIRECT, 0);
            // It never moves again unless it grows.
            self.start = self.bytes.as_ptr().align_offset(DIRECT).min(DIRECT);
        }
        self.length = length;
        &mut self.bytes[self.start..self.start + length]
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_however_it_grows() {
        let mut memory = Aligned::default();
        for length in [0, 1, DIRECT, 3 * DIRECT + 7, 1 << 20, 5] {
            memory.fit(length).fill(7);
            assert_eq!(memory.len(), length);
            assert!(memory.iter().all(|byte| *byte == 7));
            assert_eq!(memory.as_ptr().align_offset(DIRECT), 0);
        }
        assert!(is_aligned(memory.fit(2 * DIRECT), DIRECT as u64));
        assert!(!is_aligned(memory.fit(2 * DIRECT), 1));
        assert!(!is_aligned(memory.fit(DIRECT + 1), 0));
        assert!(!is_aligned(&memory.fit(2 * DIRECT + 1)[1..], 0));
    }
}
