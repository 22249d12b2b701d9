//! The lines of `MLSD` and `MLST` (RFC 3659, section 7).

use chrono::NaiveDateTime;

use crate::model::{Ident, Kind, Node, Timestamp, Token};

/// What a line says of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    kind: Option<What>,
    size: Option<u64>,
    /// Of directories too.
    pub(super) modify: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    File,
    Dir,
    /// The listed directory itself.
    This,
    /// The one above it.
    Above,
    Other,
}

/// The facts of a line and the name after them: everything behind the first space that ends them.
pub(super) fn parse(line: &[u8]) -> Option<(Facts, &[u8])> {
    let end = match line.first()? {
        b' ' => 0,
        // A link's target may hold spaces; facts end with a semicolon.
        _ => line.windows(2).position(|pair| pair == b"; ").map(|at| at + 1)?,
    };
    let mut facts = Facts::default();
    for fact in line[..end].split(|b| *b == b';') {
        let Some(at) = fact.iter().position(|b| *b == b'=') else { continue };
        let value = &fact[at + 1..];
        match fact[..at].to_ascii_lowercase().as_slice() {
            b"type" => facts.kind = Some(what(&value.to_ascii_lowercase())),
            b"size" => facts.size = number(value),
            b"modify" => facts.modify = time(value),
            _ => {}
        }
    }
    Some((facts, &line[end + 1..]))
}

fn what(value: &[u8]) -> What {
    match value {
        b"file" => What::File,
        b"dir" => What::Dir,
        b"cdir" => What::This,
        b"pdir" => What::Above,
        _ => What::Other,
    }
}

pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `YYYYMMDDHHMMSS`, of UTC (RFC 3659, section 2.3). Some servers add a fraction in some answers and none in others, so it
/// is left out.
pub(super) fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if seconds.len() != 14 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let at = NaiveDateTime::parse_from_str(seconds, "%Y%m%d%H%M%S").ok()?;
    Some(Timestamp { secs: at.and_utc().timestamp(), nanos: 0 })
}

/// A time as it is set: whole seconds of UTC, in the years that 14 digits can say.
pub(super) fn written(at: Timestamp) -> Option<String> {
    let text = chrono::DateTime::from_timestamp(at.secs, 0)?.format("%Y%m%d%H%M%S").to_string();
    (text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

impl Facts {
    /// It is the listed directory or the one above.
    pub(super) fn is_of_the_way(&self) -> bool {
        matches!(self.kind, Some(What::This | What::Above))
    }

    /// What the item is; none when what makes a version is missing.
    pub(super) fn node(&self) -> Option<Node> {
        let token = |size, mtime| Token { size, mtime, ..Token::default() };
        let (kind, token) = match self.kind? {
            What::File => (Kind::File, token(self.size?, self.modify)),
            What::Dir | What::This | What::Above => (Kind::Dir, Token::default()),
            // Links among them: whether they can be read through differs, and that they cannot be made does not.
            What::Other => (Kind::Other, Token::default()),
        };
        // The fact `unique` is made of device and inode, which are given again and change with the next mount.
        Some(Node { kind, ident: Ident::None, token })
    }
}

/// A file as `SIZE` and `MDTM` show it.
pub(super) fn file(size: u64, mtime: Option<Timestamp>) -> Node {
    Node { kind: Kind::File, ident: Ident::None, token: Token { size, mtime, ..Token::default() } }
}

/// A directory or something that is never carried.
pub(super) fn bare(kind: Kind) -> Node {
    Node { kind, ident: Ident::None, token: Token::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(line: &str) -> (Option<Node>, String) {
        let (facts, name) = parse(line.as_bytes()).unwrap();
        (facts.node(), String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn facts_are_read_in_any_case_and_order() {
        let at = Timestamp { secs: 1_704_164_645, nanos: 0 };
        let (seen, name) = node("Modify=20240102030405.123;SIZE=7;unique=8U1;Type=FILE;UNIX.mode=0644; a; b=c ");
        assert_eq!((seen.unwrap(), name.as_str()), (file(7, Some(at)), "a; b=c "));
        assert_eq!(node("type=dir;modify=20240102030405;size=4096; d").0.unwrap(), bare(Kind::Dir));
        for link in ["type=OS.unix=slink:/some where; l", "type=OS.unix=symlink;size=3; l", "type=pipe; l"] {
            assert_eq!((node(link).0.unwrap().kind, node(link).1.as_str()), (Kind::Other, "l"), "{link}");
        }
        assert!(parse(b"type=cdir;; .").unwrap().0.is_of_the_way());
        assert!(parse(b"Type=pdir;Perm=el; ..").unwrap().0.is_of_the_way());
        assert_eq!(node("type=file;size=1;  two spaces").1, " two spaces");
        assert_eq!(parse(b"type=file;size=1; \xff\xfe").unwrap().1, b"\xff\xfe");
    }

    #[test]
    fn a_line_that_does_not_say_what_it_must_makes_no_node() {
        for line in ["size=1; a", "type=file; a", "type=file;size=-1; a", "type=file;size=1x; a", " a"] {
            assert_eq!(node(line).0, None, "{line}");
        }
        for line in ["", "a", "type=file", "type=file;size=1;a"] {
            assert!(parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn times_are_whole_seconds_of_utc() {
        assert_eq!(time(b"19700101000000"), Some(Timestamp::default()));
        assert_eq!(time(b" 20240229000000\r").map(|t| t.secs), Some(1_709_164_800));
        for bad in ["20230229000000", "2024010203040", "202401020304055", "2024010203040x", "+0240102030405", ""] {
            assert_eq!(time(bad.as_bytes()), None, "{bad}");
        }
        for secs in [0, -1, 1_709_164_800, 4_102_444_800] {
            let at = Timestamp { secs, nanos: 0 };
            assert_eq!(time(written(at).unwrap().as_bytes()), Some(at));
        }
        assert_eq!(written(Timestamp { secs: i64::MAX, nanos: 0 }), None);
        assert_eq!(written(Timestamp { secs: -70_000_000_000, nanos: 0 }), None, "before the year 0");
    }
}
