//! Texts of keys as the unique index of their column compares them.
//!
//! Where a database takes `Straße `, `STRASSE` and `straße` for one key, they have to be one identity: else a key that was
//! only written differently is a row gone and another one new. Collations differ in details that no one function meets
//! (`ß` is `ss` to some and `s` to others). Folding is full case folding and canonical decomposition of Unicode (sections
//! 3.13 and 3.11); two rows of a source that fold to one key are refused by the engine, never merged.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::endpoint::Collation;

/// The text that all texts have which the collation takes for equal.
pub(crate) fn folded<'a>(text: &'a str, collation: &Collation) -> Cow<'a, str> {
    let text = if collation.ignores_trailing_spaces { text.trim_end_matches(' ') } else { text };
    if !collation.ignores_case && !collation.ignores_accents {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return if collation.ignores_case { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
    }
    let cased = |text: String| if collation.ignores_case { caseless::default_case_fold_str(&text) } else { text };
    // Folding may compose anew (`ΐ`), so it stands between two decompositions, as Unicode's D145 has it.
    let folded = cased(text.nfd().collect());
    let marks_stay = !collation.ignores_accents;
    let mut folded: String = folded.nfd().filter(|c| marks_stay || !is_combining_mark(*c)).nfc().collect();
    if collation.ignores_trailing_spaces {
        // A mark that stood on the last space is gone now.
        folded.truncate(folded.trim_end_matches(' ').len());
    }
    Cow::Owned(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collation(case: bool, accents: bool, spaces: bool) -> Collation {
        Collation { name: String::new(), ignores_case: case, ignores_accents: accents, ignores_trailing_spaces: spaces }
    }

    #[test]
    fn what_the_collation_tells_apart_stays_apart() {
        let same = |left: &str, right: &str, collation: &Collation| folded(left, collation) == folded(right, collation);
        let (exact, case, accents, all) = (
            collation(false, false, false),
            collation(true, false, false),
            collation(true, true, false),
            collation(true, true, true),
        );
        for (left, right, want) in [
            ("Hafen", "HAFEN", [false, true, true, true]),
            ("Straße", "STRASSE", [false, true, true, true]),
            ("Å", "A\u{30a}", [false, true, true, true]),
            ("Malmö", "malmo", [false, false, true, true]),
            ("ΑΣ", "ας", [false, true, true, true]),
            ("a ", "a", [false, false, false, true]),
            (" a", "a", [false; 4]),
            ("a\t", "a", [false; 4]),
            ("ab", "a b", [false; 4]),
        ] {
            let found = [&exact, &case, &accents, &all].map(|collation| same(left, right, collation));
            assert_eq!(found, want, "{left:?} {right:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in ".{0,12}", case in any::<bool>(), accents in any::<bool>(), spaces in any::<bool>()) {
            let collation = collation(case, accents, spaces);
            let once = folded(&text, &collation).into_owned();
            prop_assert_eq!(folded(&once, &collation), once.clone());
        }
    }
}
