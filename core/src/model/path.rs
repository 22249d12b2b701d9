//! Names and paths as bytes.
//!
//! A file name is whatever bytes the file system holds, valid Unicode or not; it is escaped only for display.
//! A [`RelPath`] is relative to the root of a place and can express nothing that leaves it: no empty component,
//! no `.`, no `..`, no NUL, no leading slash.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One component of a path: bytes without `/` and NUL, and neither empty nor `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The name, unless it could not be one component of a path.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bad = bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.iter().any(|b| matches!(b, b'/' | 0));
        (!bad).then(|| Self(bytes.into()))
    }

    /// The name that is displayed like this; none when no name is. What is no control character and no backslash may
    /// stand for itself.
    #[must_use]
    pub fn parse_shown(text: &str) -> Option<Self> {
        Self::new(&read_back(text)?)
    }

    /// The bytes as the file system holds them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A path beneath the root of a place, components separated by `/`. The empty path is the root itself.
///
/// ```
/// use portbook::model::RelPath;
/// let path = RelPath::parse(b"photos/2024").unwrap();
/// assert_eq!(path.name().unwrap().as_bytes(), b"2024");
/// assert_eq!(path.parent().unwrap().to_string(), "photos");
/// assert!(RelPath::parse(b"../etc").is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// The root itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path, unless a component is missing, `.`, `..` or holds NUL.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ok = bytes.is_empty() || bytes.split(|b| *b == b'/').all(|part| Name::new(part).is_some());
        ok.then(|| Self(bytes.to_vec()))
    }

    /// The path that is displayed like this, `.` and the empty text for the root; none when no path is.
    ///
    /// ```
    /// use portbook::model::RelPath;
    /// let path = RelPath::parse(b"a\xff/b").unwrap();
    /// assert_eq!(path.to_string(), "a\\xff/b");
    /// assert_eq!(RelPath::parse_shown("a\\xff/b"), Some(path));
    /// ```
    #[must_use]
    pub fn parse_shown(text: &str) -> Option<Self> {
        if text == "." {
            return Some(Self::root());
        }
        Self::parse(&read_back(text)?)
    }

    /// The path of a child of this directory.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.0.len());
        bytes.extend_from_slice(&self.0);
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(&name.0);
        Self(bytes)
    }

    /// The directory that holds this item; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].to_vec()))
    }

    /// The last component; none for the root.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        let start = self.0.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
        Name::new(&self.0[start..])
    }

    /// The components from the top.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// How many components the path has; 0 for the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.components().count()
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `other` or lies beneath it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.0.is_empty() || (self.0.starts_with(&other.0) && matches!(self.0.get(other.0.len()), None | Some(b'/')))
    }

    /// This path with its leading `from` replaced by `to`; itself when it does not lie within `from`.
    #[must_use]
    pub fn rebase(&self, from: &Self, to: &Self) -> Self {
        if !self.is_within(from) {
            return self.clone();
        }
        let rest = &self.0[from.0.len()..];
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let mut bytes = to.0.clone();
        if !bytes.is_empty() && !rest.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(rest);
        Self(bytes)
    }

    /// The bytes, components separated by `/`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Component by component, so that a directory comes right before what it holds.
impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str(".") } else { escape(&self.0, f) }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The path of a root as paths beneath a root are shown.
pub(crate) fn shown(path: &std::path::Path) -> String {
    escaped(path.as_os_str().as_encoded_bytes())
}

/// Bytes as they are shown.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    struct Escaped<'a>(&'a [u8]);
    impl fmt::Display for Escaped<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            escape(self.0, f)
        }
    }
    Escaped(bytes).to_string()
}

/// Valid UTF-8 as it is, without control characters; every other byte as `\xNN`, the backslash doubled.
fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        for b in chunk.invalid() {
            write!(f, "\\x{b:02x}")?;
        }
    }
    Ok(())
}

/// The inverse of [`escape`]; none for what it never writes.
fn read_back(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escaped = &rest[at + 1..];
        let (read, length) = match escaped.as_bytes().first()? {
            b'\\' => (vec![b'\\'], 1),
            b'n' => (vec![b'\n'], 1),
            b'r' => (vec![b'\r'], 1),
            b't' => (vec![b'\t'], 1),
            b'x' => (vec![u8::try_from(hexadecimal(escaped.get(1..3)?)?).ok()?], 3),
            b'u' => {
                let code = escaped.strip_prefix("u{")?.split_once('}')?.0;
                let c = char::from_u32(hexadecimal(code)?)?;
                (c.to_string().into_bytes(), code.len() + 3)
            }
            _ => return None,
        };
        bytes.extend(read);
        rest = &escaped[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// A number of nothing but hexadecimal digits.
fn hexadecimal(digits: &str) -> Option<u32> {
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_leaves_the_root_is_a_path() {
        for bad in [&b".."[..], b"a/..", b"/a", b"a//b", b"a/", b".", b"a/./b", b"a\0b"] {
            assert!(RelPath::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_that_is_not_unicode_is_escaped_for_display_only() {
        let path = RelPath::parse(b"a\xffb/\n\\").unwrap();
        assert_eq!(path.to_string(), "a\\xffb/\\n\\\\");
        assert_eq!(path.as_bytes(), b"a\xffb/\n\\");
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in [&b"a\xffb/\n\\\r\t"[..], "\u{1b}\u{85}/x".as_bytes(), b"\\x41", b"\xc3", "日本/é".as_bytes()] {
            let path = RelPath::parse(bytes).unwrap();
            assert_eq!(RelPath::parse_shown(&path.to_string()), Some(path.clone()), "{path}");
        }
        for none in ["a\\", "\\q", "\\x4", "\\u{110000}", "\\u{4", "..", "a//b", "\\x00", "\\x+4", "\\u{+41}"] {
            assert_eq!(RelPath::parse_shown(none), None, "{none}");
        }
        assert_eq!(RelPath::parse_shown("."), Some(RelPath::root()));
    }

    #[test]
    fn rebase_replaces_whole_components_only() {
        let p = |s: &str| RelPath::parse(s.as_bytes()).unwrap();
        assert_eq!(p("a/b/c").rebase(&p("a/b"), &p("x")), p("x/c"));
        assert_eq!(p("a/bc").rebase(&p("a/b"), &p("x")), p("a/bc"));
        assert_eq!(p("a/b").rebase(&p("a/b"), &RelPath::root()), RelPath::root());
        assert_eq!(p("a").rebase(&RelPath::root(), &p("x")), p("x/a"));
    }
}
