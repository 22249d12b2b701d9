//! The ledger of a definition in memory: where a row stands is found in two waits for memory, whatever it is made of.

use std::ops::Range;

use crate::error::{Code, Error, Result};
use crate::identity::RowHash;
use crate::model::LedgerState;

/// What the ledger holds of one row, as far as deciding needs it: 64 bytes, which are a line of the processor's cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    identity: RowHash,
    /// The fronts of both hashes. 120 bits are enough to tell that a row is another one than it was; that two rows are the same
    /// one is decided by all of the identity.
    source: Front,
    target: Front,
    flags: u8,
}

type Front = [u8; 15];

const SEEN_SOURCE: u8 = 1;
const SEEN_TARGET: u8 = 2;
const HAS_SOURCE: u8 = 4;
const HAS_TARGET: u8 = 8;
const PENDING: u8 = 16;
const CONFLICT: u8 = 32;
const DUE: u8 = 64;

impl Entry {
    pub(super) fn new(
        identity: RowHash,
        source: Option<&[u8]>,
        target: Option<&[u8]>,
        state: LedgerState,
        is_due: bool,
    ) -> Self {
        let front = |hash: Option<&[u8]>| hash.and_then(|hash| hash.first_chunk().copied());
        let (source, target) = (front(source), front(target));
        let mut flags = match state {
            LedgerState::Pending => PENDING,
            LedgerState::Confirmed => 0,
            LedgerState::Conflict => CONFLICT,
        };
        flags |= if source.is_some() { HAS_SOURCE } else { 0 } | if target.is_some() { HAS_TARGET } else { 0 };
        flags |= if is_due { DUE } else { 0 };
        Self { identity, source: source.unwrap_or_default(), target: target.unwrap_or_default(), flags }
    }
}

/// Rows that share a bucket, more or less: they lie side by side.
const BUCKET: usize = 2;

/// Rows of a bucket that are looked at one after the other: no jump depends on what they hold, so that the processor waits for
/// the memory of many of them at once. More there are only in a book made by hand, whose identities are no hashes.
const FEW: usize = 16;

/// The ledger of a definition in memory, sorted by identity: 66 to 68 bytes a row.
///
/// Where to look is said by a table of its own: finding a row is a wait for that one and one for the row, not one for every
/// step of a search; and many are looked for at once.
#[derive(Debug)]
pub(crate) struct RowTable {
    entries: Vec<Entry>,
    /// Where the rows of each bucket begin, and the last one ends: buckets are equal shares of all identities, which are hashes
    /// and so are spread evenly.
    buckets: Vec<u32>,
    /// How many of its bits the front of an identity loses to be the number of its bucket.
    shift: u32,
}

/// A row of a [`RowTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(usize);

impl Default for RowTable {
    /// A table without rows.
    fn default() -> Self {
        Self { entries: Vec::new(), buckets: vec![0; 3], shift: u64::BITS - 1 }
    }
}

impl RowTable {
    /// The table of these rows, which come in the order of their identities.
    pub(super) fn of(entries: Vec<Entry>) -> Result<Self> {
        let rows = u32::try_from(entries.len()).map_err(|_| too_many(entries.len()))?;
        let bits = (entries.len() / BUCKET).max(2).next_power_of_two().trailing_zeros();
        let shift = u64::BITS - bits;
        let mut buckets = Vec::with_capacity((1 << bits) + 1);
        for (at, entry) in (0..rows).zip(&entries) {
            while buckets.len() as u64 <= front(&entry.identity) >> shift {
                buckets.push(at);
            }
        }
        buckets.resize((1 << bits) + 1, rows);
        Ok(Self { entries, buckets, shift })
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where that row is.
    pub(crate) fn find(&self, identity: &RowHash) -> Option<At> {
        self.at(self.bucket(identity), identity)
    }

    /// Where those rows are. Each step is taken for all of them before the next one is: so the waits for memory of many rows
    /// overlap, which is most of what finding takes.
    pub(crate) fn find_all<'i>(
        &self,
        identities: impl Iterator<Item = Option<&'i RowHash>> + Clone,
    ) -> Vec<Option<At>> {
        let buckets: Vec<Range<usize>> =
            identities.clone().map(|identity| identity.map_or(0..0, |identity| self.bucket(identity))).collect();
        identities.zip(buckets).map(|(identity, bucket)| self.at(bucket, identity?)).collect()
    }

    /// The rows among which this one is, if it is there.
    fn bucket(&self, identity: &RowHash) -> Range<usize> {
        // What is left of a front is below the number of buckets, which have one end more than there are of them.
        let number = (front(identity) >> self.shift) as usize;
        self.buckets[number] as usize..self.buckets[number + 1] as usize
    }

    fn at(&self, bucket: Range<usize>, identity: &RowHash) -> Option<At> {
        let (first, rows) = (bucket.start, &self.entries[bucket]);
        let found = if rows.len() <= FEW {
            rows.iter().position(|entry| entry.identity == *identity)
        } else {
            rows.binary_search_by(|entry| entry.identity.cmp(identity)).ok()
        };
        found.map(|at| At(first + at))
    }

    /// Notes that the source has the row; whether it was noted before.
    pub(crate) fn see_source(&mut self, at: At) -> bool {
        let was = self.entries[at.0].flags & SEEN_SOURCE != 0;
        self.entries[at.0].flags |= SEEN_SOURCE;
        was
    }

    /// Notes that the target has the row; whether it was noted before.
    pub(crate) fn see_target(&mut self, at: At) -> bool {
        let was = self.entries[at.0].flags & SEEN_TARGET != 0;
        self.entries[at.0].flags |= SEEN_TARGET;
        was
    }

    pub(crate) fn is_seen_at_source(&self, at: At) -> bool {
        self.entries[at.0].flags & SEEN_SOURCE != 0
    }

    pub(crate) fn is_seen_at_target(&self, at: At) -> bool {
        self.entries[at.0].flags & SEEN_TARGET != 0
    }

    /// Whether the source held this when both agreed.
    pub(crate) fn is_source(&self, at: At, hash: &RowHash) -> bool {
        self.entries[at.0].flags & HAS_SOURCE != 0 && hash[..size_of::<Front>()] == self.entries[at.0].source
    }

    /// Whether the target held this when both agreed.
    pub(crate) fn is_target(&self, at: At, hash: &RowHash) -> bool {
        self.entries[at.0].flags & HAS_TARGET != 0 && hash[..size_of::<Front>()] == self.entries[at.0].target
    }

    /// Whether a write was begun of which nobody knows whether it arrived.
    pub(crate) fn is_pending(&self, at: At) -> bool {
        self.entries[at.0].flags & PENDING != 0
    }

    /// Whether the row waits for a person.
    pub(crate) fn waits(&self, at: At) -> bool {
        self.entries[at.0].flags & CONFLICT != 0
    }

    /// Whether the row may go to another list though it stays as it is.
    pub(crate) fn is_due(&self, at: At) -> bool {
        self.entries[at.0].flags & DUE != 0
    }

    pub(crate) fn identity(&self, at: At) -> RowHash {
        self.entries[at.0].identity
    }

    /// Every row, in the order of identities.
    pub(crate) fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.entries.len()).map(At)
    }
}

/// The first bytes of an identity, in the order of identities.
fn front(identity: &RowHash) -> u64 {
    let mut front = [0; 8];
    front.copy_from_slice(&identity[..8]);
    u64::from_be_bytes(front)
}

fn too_many(rows: usize) -> Error {
    Error::new(Code::Unsupported, "read the ledger of rows", "")
        .because(format!("{rows} rows of one definition do not fit in memory"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(mut identities: Vec<RowHash>) -> RowTable {
        identities.sort_unstable();
        identities.dedup();
        let entry = |identity: &RowHash| Entry::new(*identity, Some(identity), None, LedgerState::Confirmed, false);
        RowTable::of(identities.iter().map(entry).collect()).unwrap()
    }

    /// Hashes, and identities that look like none: all close together, or the same up to the last byte.
    fn identities() -> impl Strategy<Value = Vec<RowHash>> {
        let crowded = any::<u8>().prop_map(|last| {
            let mut identity = [7; 32];
            identity[31] = last;
            identity
        });
        proptest::collection::vec(prop_oneof![any::<RowHash>(), crowded], 0..200)
    }

    proptest! {
        #[test]
        fn what_is_in_it_is_found_and_nothing_else(known in identities(), other in any::<RowHash>()) {
            let table = table(known.clone());
            for identity in &known {
                let at = table.find(identity).unwrap();
                prop_assert_eq!(&table.identity(at), identity);
                prop_assert!(table.is_source(at, identity));
                prop_assert!(!table.is_target(at, identity));
            }
            prop_assert_eq!(table.find(&other).is_some(), known.contains(&other));
            let asked: Vec<Option<&RowHash>> = known.iter().map(Some).chain([None, Some(&other)]).collect();
            let one_by_one: Vec<Option<At>> = asked.iter().map(|identity| table.find((*identity)?)).collect();
            prop_assert_eq!(table.find_all(asked.into_iter()), one_by_one);
        }
    }

    #[test]
    fn a_row_seen_twice_says_so() {
        let mut table = table(vec![[1; 32]]);
        let at = table.find(&[1; 32]).unwrap();
        assert!(!table.see_source(at));
        assert!(table.see_source(at));
        assert!(!table.is_seen_at_target(at));
    }
}
