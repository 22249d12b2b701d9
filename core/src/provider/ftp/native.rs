//! What servers say of the content of files: `HASH` (draft-bryan-ftpext-hash-02) and the older `XSHA256`, `XSHA512`, `XSHA1`,
//! `XSHA`, `XMD5` and `XCRC`.
//!
//! A server reads the whole file for it, which is still less than to send it. A sum of 32 bits shows what became of bytes on
//! the way; what is equal it does not tell, so that it is asked for after an upload alone.

use std::sync::Arc;

use super::Place;
use super::look::Look;
use super::reply::Reply;
use super::root::{same, sayable};
use super::server::Lease;
use crate::model::{Node, RelPath};
use crate::provider::{NativeHash, native_hash};

const HASH: &str = "ask for the hash of";

/// The command of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hashing {
    /// `HASH`, after `OPTS HASH` with this algorithm where it is not the one that is chosen of itself.
    Hash { algorithm: &'static str, is_chosen: bool },
    /// A command for one algorithm.
    Own { verb: &'static str, algorithm: &'static str },
}

/// As ZIP has it (ISO/IEC 8802-3).
const CRC: &str = "CRC32";
const ALGORITHMS: [&str; 5] = ["SHA-256", "SHA-512", "SHA-1", "MD5", CRC];
const OWN: [(&str, &str); 6] = [
    ("XSHA256", "SHA-256"),
    ("XSHA512", "SHA-512"),
    ("XSHA1", "SHA-1"),
    ("XSHA", "SHA-1"),
    ("XMD5", "MD5"),
    ("XCRC", CRC),
];

impl Hashing {
    /// By a line of `FEAT`, if it is one of these and better than what another line said: in capitals, its first word and the rest.
    pub(super) fn parse(name: &str, rest: &str, before: Option<Self>) -> Option<Self> {
        let mut found: Vec<Self> = before.into_iter().collect();
        if name == "HASH" {
            for offered in rest.split(';').map(str::trim) {
                let (offered, is_chosen) = offered.strip_suffix('*').map_or((offered, false), |name| (name, true));
                let known = ALGORITHMS.iter().find(|algorithm| **algorithm == offered);
                found.extend(known.map(|algorithm| Self::Hash { algorithm, is_chosen }));
            }
        }
        let own = OWN.iter().find(|(verb, _)| *verb == name);
        found.extend(own.map(|(verb, algorithm)| Self::Own { verb, algorithm }));
        found.into_iter().min_by_key(|hashing| hashing.rank())
    }

    /// The lowest is the best: any hash before a sum, `HASH` before the others, what is chosen of itself before the rest.
    fn rank(self) -> (bool, u8, Option<usize>) {
        let algorithm = self.algorithm();
        let way = match self {
            Self::Hash { is_chosen: true, .. } => 0,
            Self::Hash { is_chosen: false, .. } => 1,
            Self::Own { .. } => 2,
        };
        (algorithm == CRC, way, ALGORITHMS.iter().position(|known| *known == algorithm))
    }

    fn algorithm(self) -> &'static str {
        match self {
            Self::Hash { algorithm, .. } | Self::Own { algorithm, .. } => algorithm,
        }
    }

    /// What adds up the bytes that are sent, to be held against what the server says.
    pub(super) fn summing(self) -> Option<Summing> {
        match self.algorithm() {
            CRC => Some(Summing::Crc(crc32fast::Hasher::new())),
            other => native_hash::Hashing::by(other).map(Box::new).map(Summing::Native),
        }
    }

    pub(super) async fn ask(self, place: &Place, lease: &mut Lease, path: &RelPath) -> Option<Sum> {
        let at = place.base.of(path);
        let (verb, at) = match self {
            Self::Hash { algorithm, is_chosen } => {
                if !is_chosen {
                    let chosen = lease.ask(HASH, "OPTS", Some(format!("HASH {algorithm}").as_bytes())).await.ok()?;
                    chosen.is_done().then_some(())?;
                }
                ("HASH", at)
            }
            Self::Own { verb, .. } => (verb, in_quotes(at)?),
        };
        said(&lease.ask(HASH, verb, Some(&at)).await.ok()?, self.algorithm())
    }
}

/// The commands beside `HASH` take a part of a file too, by two words after its name; a name of several words is one in
/// quotes (observed on ProFTPD 1.3.8). None for a name that would end them.
fn in_quotes(path: Vec<u8>) -> Option<Vec<u8>> {
    match (path.contains(&b' '), path.contains(&b'"')) {
        (false, _) => Some(path),
        (true, false) => Some([b"\"", path.as_slice(), b"\""].concat()),
        (true, true) => None,
    }
}

/// What is said of the content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Native(NativeHash),
    Crc(u32),
}

/// Adds up what passes.
pub(super) enum Summing {
    Native(Box<native_hash::Hashing>),
    Crc(crc32fast::Hasher),
}

impl Summing {
    pub(super) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Native(hasher) => hasher.update(piece),
            Self::Crc(hasher) => hasher.update(piece),
        }
    }

    pub(super) fn finish(self) -> Sum {
        match self {
            Self::Native(hasher) => Sum::Native(hasher.finish()),
            Self::Crc(hasher) => Sum::Crc(hasher.finalize()),
        }
    }
}

/// `213 SHA-256 0-49 HEX NAME`, `250 HEX`: the first word that is a hash of this kind, of a reply that names no other
/// algorithm.
fn said(reply: &Reply, algorithm: &str) -> Option<Sum> {
    if !reply.is_done() {
        return None;
    }
    let text = String::from_utf8_lossy(reply.text()).into_owned();
    let mut words = text.split_whitespace();
    let first = words.clone().next()?;
    let names_one = ALGORITHMS.contains(&first.to_ascii_uppercase().as_str());
    if names_one && !first.eq_ignore_ascii_case(algorithm) {
        return None;
    }
    if algorithm == CRC {
        // Its digits are not always eight, and so few are words of any language: only what stands in their place counts.
        let digits = words.nth(if names_one { 2 } else { 0 })?;
        let is_sum = digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        return u32::from_str_radix(digits, 16).ok().filter(|_| is_sum).map(Sum::Crc);
    }
    words.find_map(|word| NativeHash::parse(algorithm, word)).map(Sum::Native)
}

/// The hash of a file in this version, where the server says one.
pub(super) async fn hash(place: &Arc<Place>, path: &RelPath, node: &Node) -> Option<NativeHash> {
    let hashing = place.server.features().hashing.filter(|hashing| hashing.algorithm() != CRC)?;
    sayable(HASH, path).ok()?;
    let mut lease = place.server.take().await.ok()?;
    let Sum::Native(hash) = hashing.ask(place, &mut lease, path).await? else { return None };
    match lease.look(HASH, &place.base, path).await {
        Ok(Look::There(now)) if same(node, &now) => Some(hash),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_a_server_offers_is_asked() {
        let after =
            |lines: &[(&str, &str)]| lines.iter().fold(None, |best, (name, rest)| Hashing::parse(name, rest, best));
        let hash = |algorithm, is_chosen| Some(Hashing::Hash { algorithm, is_chosen });
        assert_eq!(after(&[("HASH", "SHA-1;SHA-256*;MD5")]), hash("SHA-256", true));
        assert_eq!(after(&[("HASH", "CRC32;MD5*;SHA-1")]), hash("MD5", true));
        assert_eq!(after(&[("HASH", "CRC32*;SHA-1;MD5")]), hash("SHA-1", false));
        assert_eq!(after(&[("HASH", "MD5;SHA-512;CRC32*;")]), hash("SHA-512", false));
        assert_eq!(after(&[("HASH", "CRC32*")]), hash("CRC32", true));
        assert_eq!(after(&[("HASH", "SHA-3*")]), None);
        let own = |verb, algorithm| Some(Hashing::Own { verb, algorithm });
        assert_eq!(after(&[("XMD5", ""), ("XSHA1", "FILE;START;END"), ("XCRC", "")]), own("XSHA1", "SHA-1"));
        assert_eq!(after(&[("XMD5", ""), ("HASH", "MD5*"), ("XSHA1", "")]), hash("MD5", true));
        assert_eq!(after(&[("HASH", "CRC32*"), ("XSHA512", ""), ("XCRC", "")]), own("XSHA512", "SHA-512"));
        assert_eq!(after(&[("MLST", ""), ("XCRC", "")]), own("XCRC", "CRC32"));
    }

    #[test]
    fn a_hash_is_found_in_what_servers_say() {
        let reply = |code, text: &str| Reply { code, lines: vec![text.as_bytes().to_vec()] };
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let hash = NativeHash::parse("MD5", md5).map(Sum::Native);
        assert_eq!(said(&reply(213, &format!("MD5 0-3 {md5} a name")), "MD5"), hash);
        assert_eq!(said(&reply(250, &md5.to_uppercase()), "MD5"), hash);
        assert_eq!(said(&reply(213, &format!("SHA-1 0-3 {md5} a")), "MD5"), None);
        for reply in [reply(550, md5), reply(213, ""), reply(250, "done")] {
            assert_eq!(said(&reply, "MD5"), None);
        }
        for text in ["352441C2", "CRC32 0-3 352441c2 beef"] {
            assert_eq!(said(&reply(250, text), CRC), Some(Sum::Crc(0x3524_41c2)), "{text}");
        }
        assert_eq!(said(&reply(250, "beef"), CRC), Some(Sum::Crc(0xbeef)), "without noughts at its beginning");
        for text in ["of 352441C2", "+12", "1352441C2", "MD5 0-3 352441c2", "CRC32 352441c2"] {
            assert_eq!(said(&reply(250, text), CRC), None, "{text}");
        }
    }

    #[test]
    fn names_of_several_words_are_quoted() {
        let quoted = |path: &str| in_quotes(path.into()).map(|path| String::from_utf8(path).unwrap());
        assert_eq!(quoted("/a\"b").as_deref(), Some("/a\"b"));
        assert_eq!(quoted("/a 0 5").as_deref(), Some("\"/a 0 5\""));
        assert_eq!(quoted("/a \"b"), None);
    }
}
