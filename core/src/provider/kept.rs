//! What a volume has taken out of sight: `.portbook/kept/…`, beside the trash, and never emptied for its age. What may
//! go there and come from there is the same at every place.

use super::{KEPT_DIR, Move, RESERVED_DIR, is_reserved};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, RelPath};

/// What an error says was tried.
pub(super) const KEEP: &str = "keep";
pub(super) const REMOVE: &str = "remove";
const TRASH: &[u8] = b"trash";

/// Whether the path lies beneath this directory of the engine's own.
fn is_beneath(path: &RelPath, dir: &[u8]) -> bool {
    let mut parts = path.components();
    parts.next() == Some(RESERVED_DIR) && parts.next() == Some(dir) && parts.next().is_some()
}

/// Whether it is kept out of sight.
pub(super) fn is_kept(path: &RelPath) -> bool {
    is_beneath(path, KEPT_DIR)
}

/// Whether it is in a trash: that of the root, or of a directory that others are rooted at.
fn is_trashed(path: &RelPath) -> bool {
    let mut parts = path.components().skip_while(|name| !is_reserved(name));
    parts.next() == Some(RESERVED_DIR) && parts.next() == Some(TRASH) && parts.next().is_some()
}

/// Refuses a move that neither begins nor ends at what is kept, or touches other things of the engine's own.
///
/// # Errors
/// `invalid`; `unsupported` for what is no file.
pub(super) fn check(item: &Move) -> Result<()> {
    let is_put_away = is_kept(&item.to);
    if !is_put_away {
        not_reserved(&item.to)?;
        if !is_kept(&item.from) {
            return Err(Error::new(Code::Invalid, KEEP, &item.from).because("neither end is what is kept"));
        }
    } else if !is_trashed(&item.from) && !is_kept(&item.from) {
        not_reserved(&item.from)?;
    }
    match &item.expect {
        Expect::Node(node) if node.kind != Kind::File => Err(no_file(&item.from)),
        Expect::Node(_) | Expect::Absent | Expect::Any => Ok(()),
    }
}

/// Only what is kept is removed for good.
///
/// # Errors
/// `invalid`.
pub(super) fn check_removed(path: &RelPath) -> Result<()> {
    if is_kept(path) { Ok(()) } else { Err(Error::new(Code::Invalid, REMOVE, path).because("it is not kept")) }
}

/// The directories that lead to what is kept, the first of them first.
pub(super) fn way(path: &RelPath) -> Vec<RelPath> {
    let above = std::iter::successors(path.parent(), RelPath::parent);
    let mut way: Vec<RelPath> = above.filter(|dir| !dir.is_root()).collect();
    way.reverse();
    way
}

pub(super) fn no_file(path: &RelPath) -> Error {
    Error::new(Code::Unsupported, KEEP, path).because("it is not a file")
}

fn not_reserved(path: &RelPath) -> Result<()> {
    if path.is_root() || path.components().any(is_reserved) {
        return Err(Error::new(Code::Invalid, KEEP, path).because("this name is reserved"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn one_end_is_kept_and_the_other_is_seen_or_in_the_trash() {
        let case = |from: &str, to: &str| {
            check(&Move { from: path(from), to: path(to), expect: Expect::Any, through: None }).is_ok()
        };
        assert!(case("a/b", ".portbook/kept/v/x"));
        assert!(case(".portbook/trash/l/a", ".portbook/kept/v/x"));
        assert!(case("a/b/.portbook/trash/l/c", ".portbook/kept/v/x"));
        assert!(case(".portbook/kept/v/x", "a/b"));
        assert!(case(".portbook/kept/v/x", ".portbook/kept/v/y"));
        for (from, to) in [
            ("a", "b"),
            ("a", ".portbook/trash/l/a"),
            ("a", ".portbook/kept"),
            (".portbook/trash/l/a", "a"),
            (".portbook/other/a", ".portbook/kept/v/x"),
            ("a/.portbook/kept/v/x", ".portbook/kept/v/x"),
            (".portbook-tmp-a/.portbook/trash/l/b", ".portbook/kept/v/x"),
            (".portbook/kept/v/x", ".portbook-tmp-a"),
            ("", ".portbook/kept/v/x"),
        ] {
            assert!(!case(from, to), "{from} {to}");
        }
    }

    #[test]
    fn the_way_begins_at_the_root() {
        assert_eq!(way(&path(".portbook/kept/v/x")), [".portbook", ".portbook/kept", ".portbook/kept/v"].map(path));
        assert!(check_removed(&path(".portbook/kept/v")).is_ok());
        assert!(check_removed(&path(".portbook/trash/v/x")).is_err());
    }
}
