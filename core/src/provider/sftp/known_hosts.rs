//! Which keys a server may have.
//!
//! The format of `known_hosts` is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". What always holds: a key is accepted
//! only when a line for this very host and port has it, or the user has pinned it; a line that says `@revoked` wins over
//! all others; certificates of hosts are not used, so that `@cert-authority` accepts nothing.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use sha1::Sha1;

use super::options::HostKey;
use crate::error::{Code, Error, Result};

const ACTION: &str = "trust the server";

/// What the server's key is held against.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    server: String,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Lines(Vec<Line>),
    Fingerprint(String),
    Key(Box<PublicKey>),
}

/// What a line for the host says of a key.
#[derive(Clone, Debug)]
struct Line {
    says: Says,
    key: PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Known,
    Revoked,
    /// The key signs certificates of hosts; it is no host's own.
    Authority,
}

impl Expected {
    pub(super) fn of(host_key: &HostKey, host: &str, port: u16) -> Result<Self> {
        let invalid = |why: &str| Error::new(Code::Invalid, ACTION, host).because(why);
        let by = match host_key {
            HostKey::KnownHosts(path) => By::Lines(lines(&read(path.as_deref(), host)?, &lookup_name(host, port))),
            HostKey::Fingerprint(text) => {
                let digest = text.strip_prefix("SHA256:").ok_or_else(|| invalid("the fingerprint is not SHA256:…"))?;
                By::Fingerprint(format!("SHA256:{}", digest.trim_end_matches('=')))
            }
            HostKey::Key(line) => {
                By::Key(Box::new(parse(line).ok_or_else(|| invalid("the key is none of the form of OpenSSH"))?))
            }
        };
        Ok(Self { server: lookup_name(host, port), by })
    }

    /// The algorithms of the keys that are known: asked for first, as a server that has several keys would else seem to
    /// have changed.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match &self.by {
            By::Lines(lines) => lines.iter().filter(|l| l.says == Says::Known).map(|l| l.key.algorithm()).collect(),
            By::Key(key) => vec![key.algorithm()],
            By::Fingerprint(_) => Vec::new(),
        }
    }

    /// Accepts the key, or says why not.
    pub(super) fn check(&self, offered: &PublicKey) -> Result<()> {
        let fingerprint = offered.fingerprint(HashAlg::Sha256).to_string();
        let refused = |why: &str, advice| {
            let why = format!("{why}; the server offers the {} key {fingerprint}", offered.algorithm());
            Err(Error::new(Code::Auth, ACTION, &self.server).because(why).advise(advice))
        };
        const CHANGED: &str = "somebody may be listening in; ask who runs the server, and replace the key only when the new \
                               fingerprint is confirmed";
        match &self.by {
            By::Fingerprint(expected) if *expected == fingerprint => Ok(()),
            By::Key(key) if key.key_data() == offered.key_data() => Ok(()),
            By::Fingerprint(_) | By::Key(_) => refused("its key is not the one that was given", CHANGED),
            By::Lines(lines) => {
                let says = |says| lines.iter().any(|l| l.says == says && l.key.key_data() == offered.key_data());
                if says(Says::Revoked) {
                    return refused("its key has been revoked", CHANGED);
                }
                if says(Says::Known) {
                    return Ok(());
                }
                if lines.iter().any(|l| l.says == Says::Known) {
                    return refused("its key has changed", CHANGED);
                }
                if lines.iter().any(|l| l.says == Says::Authority) {
                    const PIN: &str = "certificates of hosts are not supported; add the key itself to known_hosts or give \
                                       its fingerprint";
                    return refused("only an authority is known for it, not its key", PIN);
                }
                const UNKNOWN: &str = "if you can confirm the fingerprint, give it as the host key, or add the key to \
                                       known_hosts by `ssh-keyscan` or by connecting once with `ssh`";
                refused("its key is not known", UNKNOWN)
            }
        }
    }
}

/// The user's file when none is named; a missing one knows nobody.
fn read(path: Option<&Path>, host: &str) -> Result<String> {
    let own = || std::env::home_dir().map(|home| home.join(".ssh").join("known_hosts"));
    let Some(path) = path.map(PathBuf::from).or_else(own) else { return Ok(String::new()) };
    match std::fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(Error::io("read the known hosts for", host, e)),
    }
}

/// How the host is named in the file.
fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The lines for a host. What cannot be read of the file accepts nothing.
fn lines(text: &str, name: &str) -> Vec<Line> {
    text.lines().filter_map(|line| read_line(line, name)).collect()
}

fn read_line(line: &str, name: &str) -> Option<Line> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (says, rest) = match line.strip_prefix('@') {
        Some(marked) => {
            let (marker, rest) = marked.split_once([' ', '\t'])?;
            let says = match marker {
                "revoked" => Says::Revoked,
                "cert-authority" => Says::Authority,
                _ => return None,
            };
            (says, rest)
        }
        None => (Says::Known, line),
    };
    let (hosts, key) = rest.trim_start().split_once([' ', '\t'])?;
    if !matches(hosts, name) {
        return None;
    }
    Some(Line { says, key: parse(key)? })
}

/// A key, alone or as the end of a line of `known_hosts`.
fn parse(text: &str) -> Option<PublicKey> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    // Bare: type and key; else after the host, or after a marker and the host.
    words.windows(2).take(3).find_map(|pair| PublicKey::from_openssh(&pair.join(" ")).ok())
}

fn matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        if let Some(hashed) = pattern.strip_prefix("|1|") {
            found |= is_hash_of(hashed, name).unwrap_or(false);
            continue;
        }
        match pattern.strip_prefix('!') {
            Some(never) if fits(never, name) => return false,
            Some(_) => {}
            None => found |= fits(pattern, name),
        }
    }
    found
}

/// `salt|hash` in base64: HMAC-SHA1 of the name under the salt.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

/// Whether a pattern with `*` and `?` fits the whole name.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase().into_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match star {
                // The last star takes one character more.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn check(file: &str, host: &str, port: u16, key: &str) -> std::result::Result<(), String> {
        let name = lookup_name(host, port);
        let expected = Expected { server: name.clone(), by: By::Lines(lines(file, &name)) };
        expected.check(&parse(key).unwrap()).map_err(|e| {
            assert_eq!(e.code(), Code::Auth);
            assert!(e.to_string().contains("SHA256:") && !e.advice().is_empty(), "{e}");
            e.to_string()
        })
    }

    #[test]
    fn a_line_is_for_its_host_and_port() {
        for (hosts, host, port, known) in [
            ("example.com", "example.com", 22, true),
            ("example.com", "Example.COM", 22, true),
            ("example.com", "example.com", 2222, false),
            ("[example.com]:2222", "example.com", 2222, true),
            ("[example.com]:2222", "example.com", 22, false),
            ("a,example.com,b", "example.com", 22, true),
            ("*.example.com", "files.example.com", 22, true),
            ("*.example.com", "example.com", 22, false),
            ("*.example.com,!files.example.com", "files.example.com", 22, false),
            ("host-?", "host-1", 22, true),
            ("host-?", "host-12", 22, false),
            ("[*.example.com]:2222", "x.example.com", 2222, true),
            ("::1", "::1", 22, true),
            // `ssh-keygen -H` of example.com.
            ("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=", "example.com", 22, true),
            ("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=", "example.org", 22, false),
            ("|1|damaged", "example.com", 22, false),
        ] {
            let line = format!("# a comment\n\n{hosts} {ONE} anna@home\n");
            assert_eq!(check(&line, host, port, ONE).is_ok(), known, "{hosts} {host} {port}");
        }
    }

    #[test]
    fn unknown_changed_and_revoked_keys_are_refused_and_told_apart() {
        let unknown = check("", "h", 22, ONE).unwrap_err();
        assert!(unknown.contains("not known"), "{unknown}");
        let changed = check(&format!("h {TWO}\n"), "h", 22, ONE).unwrap_err();
        assert!(changed.contains("has changed"), "{changed}");
        let revoked = check(&format!("h {ONE}\n@revoked * {ONE}\n"), "h", 22, ONE).unwrap_err();
        assert!(revoked.contains("revoked"), "{revoked}");
        let authority = check(&format!("@cert-authority * {ONE}\n"), "h", 22, ONE).unwrap_err();
        assert!(authority.contains("authority"), "{authority}");
        assert!(check(&format!("h {TWO}\nh {ONE}\n"), "h", 22, ONE).is_ok(), "a host may have several keys");
        assert!(check(&format!("@odd h {ONE}\nh ssh-ed25519 broken\n"), "h", 22, ONE).is_err());
    }

    #[test]
    fn a_pinned_key_or_fingerprint_is_the_only_one() {
        let fingerprint = parse(ONE).unwrap().fingerprint(HashAlg::Sha256).to_string();
        for pinned in [
            HostKey::Fingerprint(fingerprint.clone()),
            HostKey::Fingerprint(format!("{fingerprint}=")),
            HostKey::Key(ONE.into()),
            HostKey::Key(format!("any.host {ONE} a comment")),
        ] {
            let expected = Expected::of(&pinned, "h", 22).unwrap();
            assert!(expected.check(&parse(ONE).unwrap()).is_ok(), "{pinned:?}");
            assert_eq!(expected.check(&parse(TWO).unwrap()).unwrap_err().code(), Code::Auth);
        }
        for unusable in [HostKey::Fingerprint("MD5:aa".into()), HostKey::Key("nonsense".into())] {
            assert_eq!(Expected::of(&unusable, "h", 22).unwrap_err().code(), Code::Invalid);
        }
    }

    #[test]
    fn a_missing_file_knows_nobody() {
        let missing = HostKey::KnownHosts(Some("/nonexistent/known_hosts".into()));
        assert!(Expected::of(&missing, "h", 22).unwrap().check(&parse(ONE).unwrap()).is_err());
    }
}
