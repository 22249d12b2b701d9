//! The root on the server, and how paths beneath it are said.

use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, is_reserved};

/// The absolute path of the root on the server, without a slash at its end; empty for `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base(Vec<u8>);

impl Base {
    /// A directory beneath the one that the login leads to, unless it begins with `/`.
    pub(super) fn new(login: &[u8], root: &str) -> Self {
        let whole =
            if root.starts_with('/') { root.as_bytes().to_vec() } else { [login, b"/", root.as_bytes()].concat() };
        let parts = whole.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".");
        Self(parts.flat_map(|part| [b"/", part].concat()).collect())
    }

    /// A path as the server is told it: absolute, so that no name is taken for an option.
    pub(super) fn of(&self, path: &RelPath) -> Vec<u8> {
        match path.is_root() {
            true if self.0.is_empty() => b"/".to_vec(),
            true => self.0.clone(),
            false => [&self.0, &b"/"[..], path.as_bytes()].concat(),
        }
    }

    /// The directory above; none for `/`.
    pub(super) fn parent(&self) -> Option<Self> {
        let cut = self.0.iter().rposition(|b| *b == b'/')?;
        Some(Self(self.0[..cut].to_vec()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        if self.0.is_empty() { b"/" } else { &self.0 }
    }
}

/// The path in `257 "…"`, where quotes are doubled (RFC 959, appendix II).
pub(super) fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text.iter().copied().skip_while(|b| *b != b'"').skip(1).peekable();
    let mut path = Vec::new();
    loop {
        match rest.next()? {
            b'"' if rest.peek() == Some(&b'"') => path.extend(rest.next()),
            b'"' => return path.starts_with(b"/").then_some(path),
            byte => path.push(byte),
        }
    }
}

pub(super) fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

/// The temporary path of a tag, beside its target.
pub(super) fn temp_path(action: &'static str, target: &RelPath, tag: &str) -> Result<RelPath> {
    let name = Name::new(&[TEMP_PREFIX, tag.as_bytes()].concat()).filter(|name| name.as_bytes().len() <= 255);
    match (name, target.parent()) {
        (Some(name), Some(parent)) => Ok(parent.join(&name)),
        (None, _) => Err(Error::new(Code::Invalid, action, tag.escape_debug()).because("no usable tag")),
        (_, None) => Err(Error::new(Code::Invalid, action, target).because("this is the root itself")),
    }
}

/// The directory of an item and its name there.
pub(super) fn split(action: &'static str, path: &RelPath) -> Result<(RelPath, Name)> {
    match (path.parent(), path.name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        (_, _) => Err(Error::new(Code::Invalid, action, path).because("this is the root itself")),
    }
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, is_reserved)
}

/// As [`not_reserved`], but names may be temporary: a move may pass through one.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, |name| name == RESERVED_DIR)
}

fn refuse(action: &'static str, path: &RelPath, is_refused: fn(&[u8]) -> bool) -> Result<()> {
    if path.components().any(is_refused) {
        return Err(Error::new(Code::Invalid, action, path).because("this name is reserved"));
    }
    if path.is_root() {
        return Err(Error::new(Code::Invalid, action, path).because("this is the root itself"));
    }
    sayable(action, path)
}

/// Refuses what would be two commands.
pub(super) fn sayable(action: &'static str, path: &RelPath) -> Result<()> {
    if path.as_bytes().iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return Err(Error::new(Code::Invalid, action, path).because("FTP cannot say a name with a line break"));
    }
    Ok(())
}

/// Whether what is there is what was expected.
pub(super) fn check(action: &'static str, path: &RelPath, expect: &Expect, seen: Option<&Node>) -> Result<()> {
    match (expect, seen) {
        (Expect::Any, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => Err(stale(action, path, "something is there by now")),
        (Expect::Node(_), None) => Err(stale(action, path, "it is gone")),
        (Expect::Node(node), Some(seen)) if same(node, seen) => Ok(()),
        (Expect::Node(_), Some(_)) => Err(stale(action, path, "it has changed")),
    }
}

/// Whether it is the same version. Of a directory only the kind is known.
pub(super) fn same(node: &Node, seen: &Node) -> bool {
    node.kind == seen.kind && (node.kind == Kind::Dir || node.token == seen.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_beneath_the_root() {
        let path = RelPath::parse(b"-a/ b").unwrap();
        for (login, root, base) in [
            ("/", "", "/"),
            ("/home/me", "", "/home/me"),
            ("/home/me/", "x//y/", "/home/me/x/y"),
            ("/home/me", "/", "/"),
            ("/home/me", "/srv/./a", "/srv/a"),
        ] {
            let at = Base::new(login.as_bytes(), root);
            assert_eq!(at.of(&RelPath::root()), base.as_bytes());
            assert_eq!(at.of(&path), format!("{}/-a/ b", base.trim_end_matches('/')).as_bytes());
        }
    }

    #[test]
    fn the_login_directory_is_between_quotes() {
        assert_eq!(quoted(b"\"/a \"\"b\"\"\" is the current directory").unwrap(), b"/a \"b\"");
        for bad in [&b"/a"[..], b"\"/a", b"\"\"", b"", b"\"a\""] {
            assert_eq!(quoted(bad), None);
        }
    }
}
