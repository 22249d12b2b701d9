//! The hash of content whose segments arrive beside each other.
//!
//! BLAKE3 is a tree: the hash of a stretch that is aligned to a power of two is a node of it, whatever stands before
//! (<https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf>, section 2.1). Each segment is hashed from its
//! own beginning, and the nodes are joined as the tree is.

use std::collections::BTreeMap;

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Serialize};

use super::ContentHash;

/// How long a segment is, the last one excepted. A power of two, and as much as is worth a request of its own.
pub(crate) const SEGMENT: u64 = 16 << 20;

/// A stretch of content and its hash. The first ends where nothing is missing before; others are within a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
    hash: [u8; 32],
}

/// Bytes that are not those that come next in their segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced;

/// The hash of content of a known size: segments in any order, each from its beginning to its end.
#[derive(Clone)]
pub(crate) struct SegmentedHash {
    size: u64,
    segment: u64,
    filled: u64,
    beginning: Beginning,
    /// Whole segments behind a gap.
    whole: BTreeMap<u64, ChainingValue>,
    /// Segments that are not whole, and the only one of content that has no other.
    begun: BTreeMap<u64, Begun>,
}

#[derive(Clone)]
struct Begun {
    length: u64,
    hasher: Hasher,
}

/// The segments before the first gap: the nodes that stand alone, as many as there are ones in the number of segments.
/// Two are joined only when another segment follows, since the topmost join is made differently.
#[derive(Clone, Default)]
struct Beginning {
    segments: u64,
    nodes: Vec<ChainingValue>,
}

impl Beginning {
    fn push(&mut self, node: ChainingValue) {
        while self.nodes.len() > self.segments.count_ones() as usize {
            self.join();
        }
        self.nodes.push(node);
        self.segments += 1;
    }

    fn join(&mut self) {
        if let (Some(right), Some(left)) = (self.nodes.pop(), self.nodes.pop()) {
            self.nodes.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The node of all of them as a part of something larger.
    fn node(&self) -> Option<ChainingValue> {
        let mut all = self.clone();
        while all.nodes.len() > 1 {
            all.join();
        }
        all.nodes.pop()
    }

    /// The hash of two segments or more that are everything.
    fn root(&self) -> Option<ContentHash> {
        let mut all = self.clone();
        while all.nodes.len() > 2 {
            all.join();
        }
        let [left, right] = all.nodes[..] else { return None };
        Some(ContentHash(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()))
    }
}

impl SegmentedHash {
    /// Of nothing yet.
    pub(crate) fn new(size: u64) -> Self {
        Self::in_segments(size, SEGMENT)
    }

    fn in_segments(size: u64, segment: u64) -> Self {
        let (whole, begun) = (BTreeMap::new(), BTreeMap::new());
        Self { size, segment, filled: 0, beginning: Beginning::default(), whole, begun }
    }

    /// How many bytes there are so far, wherever they stand.
    pub(crate) fn filled(&self) -> u64 {
        self.filled
    }

    /// Adds bytes that stand at the offset.
    ///
    /// # Errors
    /// [`Misplaced`]: they do not follow what is there of their segment, or go beyond the end. Nothing is to be made of
    /// the hash then.
    pub(crate) fn update(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), Misplaced> {
        while !bytes.is_empty() {
            let number = offset / self.segment;
            let start = number * self.segment;
            let end = self.size.min(start + self.segment);
            let there = self.begun.get(&number).map_or(0, |begun| begun.length);
            let is_whole = number < self.beginning.segments || self.whole.contains_key(&number);
            if is_whole || offset >= end || offset - start != there {
                return Err(Misplaced);
            }
            let now = bytes.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            let begun = self.begun.entry(number).or_insert_with(|| Begun::at(start));
            begun.hasher.update(&bytes[..now]);
            begun.length += now as u64;
            offset += now as u64;
            self.filled += now as u64;
            bytes = &bytes[now..];
            if offset == end && self.size > self.segment {
                self.ends(number);
            }
        }
        Ok(())
    }

    /// Adds the bytes that follow what there is, where that has no gaps.
    ///
    /// # Errors
    /// As those of [`update`](Self::update).
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Misplaced> {
        self.update(self.filled, bytes)
    }

    fn ends(&mut self, number: u64) {
        let Some(begun) = self.begun.remove(&number) else { return };
        self.whole.insert(number, begun.hasher.finalize_non_root());
        while let Some(node) = self.whole.remove(&self.beginning.segments) {
            self.beginning.push(node);
        }
    }

    /// What there is so far, in order.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let of = |number: u64, length: u64, node: ChainingValue| {
            let start = number * self.segment;
            Span { start, end: self.size.min(start + length), hash: node }
        };
        let beginning = self.beginning.node().map(|node| of(0, self.beginning.segments * self.segment, node));
        let whole = self.whole.iter().map(|(number, node)| of(*number, self.segment, *node));
        let begun =
            self.begun.iter().map(|(number, begun)| of(*number, begun.length, begun.hasher.finalize_non_root()));
        let mut spans: Vec<_> = beginning.into_iter().chain(whole).chain(begun).collect();
        spans.sort_unstable_by_key(|span| span.start);
        spans
    }

    /// What is missing, in order, cut where segments end.
    pub(crate) fn missing(&self) -> Vec<std::ops::Range<u64>> {
        let numbers = self.beginning.segments..self.size.div_ceil(self.segment);
        let missing = numbers.filter(|number| !self.whole.contains_key(number)).map(|number| {
            let start = number * self.segment;
            let there = self.begun.get(&number).map_or(0, |begun| begun.length);
            start + there..self.size.min(start + self.segment)
        });
        missing.filter(|range| !range.is_empty()).collect()
    }

    /// Without what stands behind the first gap.
    pub(crate) fn without_gaps(mut self) -> Self {
        self.whole.clear();
        let next = self.beginning.segments;
        self.begun.retain(|number, _| *number == next);
        self.filled = self.size.min(next * self.segment) + self.begun.values().map(|begun| begun.length).sum::<u64>();
        self
    }

    /// The hash of the content, when all of it is there.
    pub(crate) fn finish(&self) -> Option<ContentHash> {
        if self.filled != self.size {
            return None;
        }
        match self.begun.get(&0) {
            _ if self.size == 0 => Some(ContentHash::of(b"")),
            Some(only) => Some(ContentHash(*only.hasher.finalize().as_bytes())),
            None => self.beginning.root(),
        }
    }
}

impl Begun {
    fn at(start: u64) -> Self {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(start);
        Self { length: 0, hasher }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: u64 = 2048;

    fn content(size: u64) -> Vec<u8> {
        (0..size).map(|i| (i * 31 % 251) as u8).collect()
    }

    /// Gives some of what is missing, chosen by the number; false when nothing is.
    fn step(hash: &mut SegmentedHash, content: &[u8], chosen: usize, length: u64) -> bool {
        let missing = hash.missing();
        if missing.is_empty() {
            return false;
        }
        let range = &missing[chosen % missing.len()];
        let end = range.end.min(range.start + length);
        hash.update(range.start, &content[range.start as usize..end as usize]).unwrap();
        true
    }

    proptest! {
        #[test]
        fn the_hash_is_that_of_the_content_in_whatever_order_it_came(
            size in 0..40 * SMALL,
            steps in proptest::collection::vec((any::<usize>(), 1..3 * SMALL), 1..200),
        ) {
            let content = content(size);
            let mut hash = SegmentedHash::in_segments(size, SMALL);
            for (chosen, length) in steps {
                prop_assert_eq!(hash.finish().is_some(), hash.missing().is_empty());
                let spans = hash.spans();
                prop_assert_eq!(spans.iter().map(|s| s.end - s.start).sum::<u64>(), hash.filled());
                let missing: u64 = hash.missing().iter().map(|m| m.end - m.start).sum();
                prop_assert_eq!(hash.filled() + missing, size);
                // Whoever reads the spans again knows as much.
                let mut again = SegmentedHash::in_segments(size, SMALL);
                for span in &spans {
                    again.update(span.start, &content[span.start as usize..span.end as usize]).unwrap();
                }
                prop_assert_eq!(again.spans(), spans);
                step(&mut hash, &content, chosen, length);
            }
            while step(&mut hash, &content, 0, size) {}
            prop_assert_eq!(hash.finish(), Some(ContentHash::of(&content)));
        }

        #[test]
        fn without_gaps_it_goes_on_in_order(size in 1..20 * SMALL, steps in proptest::collection::vec((any::<usize>(), 1..SMALL), 0..40)) {
            let content = content(size);
            let mut hash = SegmentedHash::in_segments(size, SMALL);
            for (chosen, length) in steps {
                step(&mut hash, &content, chosen, length);
            }
            let mut hash = hash.without_gaps();
            hash.append(&content[hash.filled() as usize..]).unwrap();
            prop_assert_eq!(hash.finish(), Some(ContentHash::of(&content)));
        }
    }

    #[test]
    fn other_bytes_than_the_next_are_refused() {
        let mut hash = SegmentedHash::in_segments(3 * SMALL, SMALL);
        let bytes = content(SMALL);
        assert_eq!(hash.update(1, &bytes), Err(Misplaced));
        assert_eq!(hash.update(0, &bytes), Ok(()));
        assert_eq!(hash.update(0, &bytes), Err(Misplaced));
        assert_eq!(hash.update(2 * SMALL, &bytes), Ok(()));
        assert_eq!(hash.update(3 * SMALL, &bytes), Err(Misplaced));
        assert_eq!(hash.update(SMALL, &content(SMALL + 1)), Err(Misplaced));
    }

    #[test]
    fn another_content_has_other_spans() {
        let spans = |content: &[u8]| {
            let mut hash = SegmentedHash::in_segments(content.len() as u64, SMALL);
            hash.update(0, content).unwrap();
            hash.spans()
        };
        let (one, mut other) = (content(3 * SMALL + 5), content(3 * SMALL + 5));
        other[SMALL as usize] ^= 1;
        assert_ne!(spans(&one), spans(&other));
    }
}
