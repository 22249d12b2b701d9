//! What servers say of the content of files: `HASH` (draft-bryan-ftpext-hash-02) and the older `XSHA256`, `XSHA1`, `XMD5`.
//!
//! A server reads the whole file for it, which is still less than to send it.

use std::sync::Arc;

use super::Place;
use super::look::Look;
use super::reply::Reply;
use super::root::{same, sayable};
use super::server::Lease;
use crate::model::{Node, RelPath};
use crate::provider::NativeHash;

const HASH: &str = "ask for the hash of";

/// The command of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hashing {
    /// `HASH`, after `OPTS HASH` with this algorithm where it is not the one that is chosen of itself.
    Hash { algorithm: &'static str, is_chosen: bool },
    /// A command for one algorithm.
    Own { verb: &'static str, algorithm: &'static str },
}

const ALGORITHMS: [&str; 3] = ["SHA-256", "SHA-1", "MD5"];
const OWN: [(&str, &str); 3] = [("XSHA256", "SHA-256"), ("XSHA1", "SHA-1"), ("XMD5", "MD5")];

impl Hashing {
    /// By a line of `FEAT`, if it is one of these and better than what another line said: in capitals, its first word and the rest.
    pub(super) fn parse(name: &str, rest: &str, before: Option<Self>) -> Option<Self> {
        if name == "HASH" {
            let offered: Vec<&str> = rest.split(';').map(str::trim).collect();
            let chosen = ALGORITHMS.iter().find(|a| offered.iter().any(|o| o.strip_suffix('*') == Some(*a)));
            let other = ALGORITHMS.iter().find(|a| offered.contains(*a));
            let found = chosen.map(|algorithm| Self::Hash { algorithm, is_chosen: true });
            return found.or_else(|| other.map(|algorithm| Self::Hash { algorithm, is_chosen: false })).or(before);
        }
        let place = |verb: &str| OWN.iter().position(|(own, _)| *own == verb);
        match (before, place(name)) {
            (Some(Self::Hash { .. }), _) | (_, None) => before,
            (Some(Self::Own { verb, .. }), Some(at)) if place(verb).is_some_and(|other| other < at) => before,
            (_, Some(at)) => Some(Self::Own { verb: OWN[at].0, algorithm: OWN[at].1 }),
        }
    }

    pub(super) fn algorithm(self) -> &'static str {
        match self {
            Self::Hash { algorithm, .. } | Self::Own { algorithm, .. } => algorithm,
        }
    }

    pub(super) async fn ask(self, place: &Place, lease: &mut Lease, path: &RelPath) -> Option<NativeHash> {
        let at = place.base.of(path);
        let (verb, algorithm) = match self {
            Self::Hash { algorithm, is_chosen } => {
                if !is_chosen {
                    let chosen = lease.ask(HASH, "OPTS", Some(format!("HASH {algorithm}").as_bytes())).await.ok()?;
                    chosen.is_done().then_some(())?;
                }
                ("HASH", algorithm)
            }
            Self::Own { verb, algorithm } => (verb, algorithm),
        };
        said(&lease.ask(HASH, verb, Some(&at)).await.ok()?, algorithm)
    }
}

/// `213 SHA-256 0-49 HEX NAME`, `250 HEX`: the first word that is a hash of this kind, of a reply that names no other
/// algorithm.
fn said(reply: &Reply, algorithm: &str) -> Option<NativeHash> {
    if !reply.is_done() {
        return None;
    }
    let text = String::from_utf8_lossy(reply.text()).into_owned();
    let mut words = text.split_whitespace();
    let first = words.clone().next()?;
    if ALGORITHMS.contains(&first.to_ascii_uppercase().as_str()) && !first.eq_ignore_ascii_case(algorithm) {
        return None;
    }
    words.find_map(|word| NativeHash::parse(algorithm, word))
}

/// The hash of a file in this version, where the server says one.
pub(super) async fn hash(place: &Arc<Place>, path: &RelPath, node: &Node) -> Option<NativeHash> {
    let hashing = place.server.features().hashing?;
    sayable(HASH, path).ok()?;
    let mut lease = place.server.take().await.ok()?;
    let hash = hashing.ask(place, &mut lease, path).await?;
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
        assert_eq!(after(&[("HASH", "CRC32*")]), None);
        let own = |verb, algorithm| Some(Hashing::Own { verb, algorithm });
        assert_eq!(after(&[("XMD5", ""), ("XSHA1", "FILE;START;END"), ("XCRC", "")]), own("XSHA1", "SHA-1"));
        assert_eq!(after(&[("XMD5", ""), ("HASH", "MD5*"), ("XSHA1", "")]), hash("MD5", true));
    }

    #[test]
    fn a_hash_is_found_in_what_servers_say() {
        let reply = |code, text: &str| Reply { code, lines: vec![text.as_bytes().to_vec()] };
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let hash = NativeHash::parse("MD5", md5);
        assert_eq!(said(&reply(213, &format!("MD5 0-3 {md5} a name")), "MD5"), hash);
        assert_eq!(said(&reply(250, &md5.to_uppercase()), "MD5"), hash);
        assert_eq!(said(&reply(213, &format!("SHA-1 0-3 {md5} a")), "MD5"), None);
        for reply in [reply(550, md5), reply(213, ""), reply(250, "done")] {
            assert_eq!(said(&reply, "MD5"), None);
        }
    }
}
