//! What an item is held against before it is touched.

use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Node, RelPath};
use crate::provider::web_etag::is_version;
use crate::provider::{RESERVED_DIR, is_reserved};

/// The entity tag that a condition can name (weak ones never match, RFC 9110, section 13.1.1).
pub(super) fn strong_tag(node: &Node) -> Option<&str> {
    let tag = std::str::from_utf8(node.token.revision.as_deref()?).ok()?;
    (!tag.starts_with("W/") && !tag.contains(['"', ']']) && tag.is_ascii()).then_some(tag)
}

/// Whether the item is the expected one. Of a directory only kind and identity count.
pub(super) fn is_node(expect: &Node, now: &Node) -> bool {
    let is_same = expect.kind == now.kind && (expect.ident == now.ident || expect.ident == Ident::None);
    is_same && (now.kind == Kind::Dir || is_version(&expect.token, &now.token))
}

/// Holds what is there against what is expected.
pub(super) fn check(action: &'static str, path: &RelPath, expect: &Expect, now: Option<&Node>) -> Result<()> {
    let why = match (expect, now) {
        (Expect::Any, _) | (Expect::Absent, None) => return Ok(()),
        (Expect::Node(node), Some(now)) if is_node(node, now) => return Ok(()),
        (Expect::Absent, Some(_)) => "something is there by now",
        (Expect::Node(_), None) => "it is gone",
        (Expect::Node(_), Some(_)) => "it has changed",
    };
    Err(stale(action, path, why))
}

pub(super) fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, path.components().any(is_reserved))
}

/// As [`not_reserved`], but names may be temporary: a swap passes through one.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, path.components().any(|name| name == RESERVED_DIR))
}

fn refuse(action: &'static str, path: &RelPath, is_reserved: bool) -> Result<()> {
    match (is_reserved, path.is_root()) {
        (true, _) => Err(Error::new(Code::Invalid, action, path).because("this name is reserved")),
        (false, true) => Err(Error::new(Code::Invalid, action, path).because("this is the root itself")),
        (false, false) => Ok(()),
    }
}
