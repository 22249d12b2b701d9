//! Names as a side sees them: which are the same, which cannot be held, and what a conflict copy is called.

use std::borrow::Cow;
use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::settings::SideRules;
use crate::model::{Name, Side, Sides};

/// Which differences between names do not count. Two names that one side takes for the same can never be two items of
/// a pair of directories, so both sides' rules are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Folding {
    case: bool,
    unicode: bool,
}

impl Folding {
    /// What either side folds.
    pub(super) fn of(rules: &Sides<SideRules>) -> Self {
        Self {
            case: rules.left.case_insensitive || rules.right.case_insensitive,
            unicode: rules.left.unicode_insensitive || rules.right.unicode_insensitive,
        }
    }

    /// Every difference counts.
    pub(super) fn is_plain(self) -> bool {
        !(self.case || self.unicode)
    }

    /// Names with the same key are the same name. Bytes that are no Unicode stay as they are.
    pub(super) fn key<'a>(&self, name: &'a Name) -> Cow<'a, [u8]> {
        let bytes = name.as_bytes();
        if !(self.case || self.unicode) {
            return Cow::Borrowed(bytes);
        }
        if bytes.is_ascii() {
            return if self.case && bytes.iter().any(u8::is_ascii_uppercase) {
                Cow::Owned(bytes.to_ascii_lowercase())
            } else {
                Cow::Borrowed(bytes)
            };
        }
        let mut key = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            key.extend_from_slice(self.fold(chunk.valid()).as_bytes());
            key.extend_from_slice(chunk.invalid());
        }
        Cow::Owned(key)
    }

    fn fold(self, text: &str) -> String {
        match (self.case, self.unicode) {
            (false, false) => text.to_owned(),
            (true, false) => caseless::default_case_fold_str(text),
            (false, true) => text.nfc().collect(),
            // Folding can undo a composed form, so it is composed again (Unicode, canonical caseless matching).
            (true, true) => caseless::default_case_fold_str(&text.nfd().collect::<String>()).nfc().collect(),
        }
    }
}

/// Whether a side with these rules can hold the name as it is.
pub(super) fn can_hold(rules: &SideRules, name: &Name) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= rules.max_name_bytes
        && !(rules.unicode_names && std::str::from_utf8(bytes).is_err())
        && !(rules.windows_names && is_refused_by_windows(bytes))
}

/// The rules of "Naming Files, Paths, and Namespaces" (Microsoft).
fn is_refused_by_windows(bytes: &[u8]) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    if bytes.iter().any(|b| *b < 32 || b"<>:\"|?*\\".contains(b)) || matches!(bytes.last(), Some(b' ' | b'.')) {
        return true;
    }
    let stem = bytes.split(|b| *b == b'.').next().unwrap_or_default();
    let stem = String::from_utf8_lossy(stem).trim_end().to_lowercase();
    let numbered = ["com", "lpt"].iter().any(|d| {
        stem.strip_prefix(d)
            .is_some_and(|n| matches!(n, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
    });
    numbered || DEVICES.contains(&stem.as_str())
}

/// `name (conflict left 2026-11-21 064500).ext`: a name that is neither on a side nor in the ledger nor planned.
/// It is added to `taken`.
pub(super) fn conflict_name(
    name: &Name,
    side: Side,
    stamp: &str,
    rules: &Sides<SideRules>,
    taken: &mut HashSet<Vec<u8>>,
) -> Name {
    let folding = Folding::of(rules);
    let bytes = name.as_bytes();
    // A leading dot begins no extension, and an extension is short: else it is part of the name.
    let dot = bytes.iter().rposition(|b| *b == b'.').filter(|at| *at > 0 && bytes.len() - at <= 16);
    let (stem, extension) = bytes.split_at(dot.unwrap_or(bytes.len()));
    let side = match side {
        Side::Left => "left",
        Side::Right => "right",
    };
    let longest = rules.left.max_name_bytes.min(rules.right.max_name_bytes);
    let mut counter = 1u64;
    loop {
        let tag = if counter == 1 {
            format!(" (conflict {side} {stamp})")
        } else {
            format!(" (conflict {side} {stamp} {counter})")
        };
        let room = longest.saturating_sub(tag.len() + extension.len()).max(1);
        let mut candidate = shortened(stem, room).to_vec();
        candidate.extend_from_slice(tag.as_bytes());
        candidate.extend_from_slice(extension);
        // The parts of a name and of a stamp hold neither `/` nor NUL; should a stamp do, the plain name is numbered.
        let candidate = Name::new(&candidate).unwrap_or_else(|| name.clone());
        if taken.insert(folding.key(&candidate).into_owned()) {
            return candidate;
        }
        counter += 1;
    }
}

/// At most `room` bytes of the stem, cut between characters.
fn shortened(stem: &[u8], room: usize) -> &[u8] {
    if stem.len() <= room {
        return stem;
    }
    let mut cut = room;
    while cut > 1 && stem[cut] & 0xC0 == 0x80 {
        cut -= 1;
    }
    &stem[..cut]
}
