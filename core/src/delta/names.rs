//! Names as a side sees them: which are the same, which cannot be held, and what conflict copies and aliases are called.

use std::borrow::Cow;
use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::settings::SideRules;
use crate::identity::ContentHash;
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

    /// What one side folds.
    pub(super) fn of_side(rules: &SideRules) -> Self {
        Self { case: rules.case_insensitive, unicode: rules.unicode_insensitive }
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
    bytes.iter().any(|b| is_forbidden_by_windows(*b)) || matches!(bytes.last(), Some(b' ' | b'.')) || is_device(bytes)
}

fn is_forbidden_by_windows(byte: u8) -> bool {
    byte < 32 || b"<>:\"|?*\\".contains(&byte)
}

/// A name of a device, whatever extension it has.
fn is_device(bytes: &[u8]) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = bytes.split(|b| *b == b'.').next().unwrap_or_default();
    let stem = String::from_utf8_lossy(stem).trim_end().to_lowercase();
    let numbered = ["com", "lpt"].iter().any(|d| {
        stem.strip_prefix(d)
            .is_some_and(|n| matches!(n, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
    });
    numbered || DEVICES.contains(&stem.as_str())
}

/// The name without what either side refuses in one, to build another name of.
fn harmless<'a>(name: &'a Name, rules: &Sides<SideRules>) -> Cow<'a, [u8]> {
    let bytes = name.as_bytes();
    let windows = rules.left.windows_names || rules.right.windows_names;
    let unicode = rules.left.unicode_names || rules.right.unicode_names;
    let is_unicode = std::str::from_utf8(bytes).is_ok();
    if !(windows && is_refused_by_windows(bytes) || unicode && !is_unicode) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + 1);
    for chunk in bytes.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if unicode && !chunk.invalid().is_empty() {
            out.push(b'_');
        } else {
            out.extend_from_slice(chunk.invalid());
        }
    }
    if windows {
        out.iter_mut().filter(|b| is_forbidden_by_windows(**b)).for_each(|b| *b = b'_');
        while matches!(out.last(), Some(b' ' | b'.')) {
            out.pop();
        }
        if is_device(&out) {
            out.insert(0, b'_');
        }
    }
    Cow::Owned(out)
}

/// A name in two parts, to put something between them. A leading dot begins no extension, and an extension is short:
/// else it is part of the name.
fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    let dot = bytes.iter().rposition(|b| *b == b'.').filter(|at| *at > 0 && bytes.len() - at <= 16);
    bytes.split_at(dot.unwrap_or(bytes.len()))
}

/// The first of these tags that makes a name of its own, at the end of the stem, shortened to what both sides can hold.
/// It is added to `taken`.
fn tagged(name: &Name, rules: &Sides<SideRules>, taken: &mut HashSet<Vec<u8>>, tag: impl Fn(u64) -> String) -> Name {
    let folding = Folding::of(rules);
    let bytes = harmless(name, rules);
    let (stem, extension) = parts(&bytes);
    let longest = rules.left.max_name_bytes.min(rules.right.max_name_bytes);
    let mut counter = 1u64;
    loop {
        let tag = tag(counter);
        let room = longest.saturating_sub(tag.len() + extension.len()).max(1);
        let mut candidate = shortened(stem, room).to_vec();
        candidate.extend_from_slice(tag.as_bytes());
        candidate.extend_from_slice(extension);
        // The parts of a name and of a tag hold neither `/` nor NUL; should a stamp do, the plain name is numbered.
        let candidate = Name::new(&candidate).unwrap_or_else(|| name.clone());
        if taken.insert(folding.key(&candidate).into_owned()) {
            return candidate;
        }
        counter += 1;
    }
}

/// `name (conflict left 2026-11-21 064500).ext`: a name that is neither on a side nor in the ledger nor planned.
pub(super) fn conflict_name(
    name: &Name,
    side: Side,
    stamp: &str,
    rules: &Sides<SideRules>,
    taken: &mut HashSet<Vec<u8>>,
) -> Name {
    let side = match side {
        Side::Left => "left",
        Side::Right => "right",
    };
    tagged(name, rules, taken, |counter| match counter {
        1 => format!(" (conflict {side} {stamp})"),
        _ => format!(" (conflict {side} {stamp} {counter})"),
    })
}

/// `name~1a2b3c4d.ext`: the name of an item on a side that cannot have it under its own. It follows from the name alone,
/// unless something else is called so; only the ledger leads back from it.
pub(super) fn alias_of(name: &Name, rules: &Sides<SideRules>, taken: &mut HashSet<Vec<u8>>) -> Name {
    let [a, b, c, d, ..] = ContentHash::of(name.as_bytes()).0;
    let digest = u32::from_be_bytes([a, b, c, d]);
    tagged(name, rules, taken, |counter| match counter {
        1 => format!("~{digest:08x}"),
        _ => format!("~{digest:08x}-{counter}"),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(windows: bool, longest: usize) -> SideRules {
        SideRules {
            case_insensitive: windows,
            unicode_insensitive: false,
            windows_names: windows,
            unicode_names: windows,
            max_name_bytes: longest,
            mode: true,
            set_mtime: true,
            symlinks: true,
            time_precision_ns: 1,
        }
    }

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn an_alias_of_whatever_name_can_be_held_and_is_the_same_every_time() {
        let long = [b'x'; 300];
        let wide = "ü".repeat(120);
        let names: [&[u8]; 14] = [
            b"a:b",
            b"con",
            b"con.tar.gz",
            b"AUX .txt",
            b"trailing.",
            b"trailing ",
            b"...",
            b"<>|?*\"",
            b"\xff\xfe",
            b"a\x01b",
            b".hidden:",
            &long,
            wide.as_bytes(),
            b"Name",
        ];
        for longest in [40, 100, 255] {
            let sides = Sides::new(rules(false, 255), rules(true, longest));
            for bytes in names {
                let alias = alias_of(&name(bytes), &sides, &mut HashSet::new());
                assert!(can_hold(&sides.right, &alias), "{alias:?}");
                assert_ne!(alias, name(bytes));
                assert_eq!(alias, alias_of(&name(bytes), &sides, &mut HashSet::new()));
            }
        }
    }

    #[test]
    fn an_alias_is_never_a_name_that_is_in_use() {
        let sides = Sides::new(rules(false, 255), rules(true, 255));
        let mut taken = HashSet::new();
        let first = alias_of(&name(b"a:b"), &sides, &mut taken);
        let second = alias_of(&name(b"a:b"), &sides, &mut taken);
        let folding = Folding::of(&sides);
        assert_ne!(folding.key(&first), folding.key(&second));
        assert!(taken.contains(&folding.key(&second).into_owned()));
    }

    #[test]
    fn a_conflict_copy_has_a_name_that_both_sides_can_hold() {
        let sides = Sides::new(rules(false, 255), rules(true, 255));
        for bytes in [&b"a:b.txt"[..], b"con", b"dot."] {
            let copy = conflict_name(&name(bytes), Side::Left, "2026-11-21 064500", &sides, &mut HashSet::new());
            assert!(can_hold(&sides.right, &copy), "{copy:?}");
        }
    }
}
