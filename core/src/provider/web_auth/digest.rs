//! Digest access authentication (RFC 7616), and its first form without `qop` (RFC 2069).

use md5::Md5;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::model::SecretBytes;

/// A challenge that can be answered.
#[derive(Debug)]
pub(super) struct Challenge {
    realm: String,
    pub(super) nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    is_session: bool,
    /// The server knows `qop=auth`.
    has_qop: bool,
    hashes_user: bool,
    pub(super) is_stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, parts: &[&[u8]]) -> Zeroizing<String> {
        let bytes = Zeroizing::new(parts.join(&b':'));
        let hex = |digest: &[u8]| digest.iter().map(|b| format!("{b:02x}")).collect();
        Zeroizing::new(match self {
            Self::Md5 => hex(&Md5::digest(&*bytes)),
            Self::Sha256 => hex(&Sha256::digest(&*bytes)),
        })
    }
}

/// The strongest of the challenges offered, of those that can be answered.
pub(super) fn strongest<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let offered = headers.flat_map(parse).filter_map(|(scheme, parameters)| {
        scheme.eq_ignore_ascii_case("digest").then(|| understood(&parameters)).flatten()
    });
    // The first of the strongest: servers list them in the order of their taste.
    offered.fold(None, |best: Option<Challenge>, next| match best {
        Some(best) if best.algorithm >= next.algorithm => Some(best),
        Some(_) | None => Some(next),
    })
}

type Parameters = Vec<(String, String)>;

fn understood(parameters: &Parameters) -> Option<Challenge> {
    let of = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    let is_true = |name: &str| of(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let asked = of("algorithm").unwrap_or("MD5").to_ascii_uppercase();
    let (name, is_session) = asked.strip_suffix("-SESS").map_or((asked.as_str(), false), |name| (name, true));
    let algorithm = [Algorithm::Md5, Algorithm::Sha256].into_iter().find(|a| a.name() == name)?;
    let qop = of("qop");
    if qop.is_some_and(|q| !q.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth"))) {
        return None;
    }
    Some(Challenge {
        realm: of("realm").unwrap_or_default().to_owned(),
        nonce: of("nonce")?.to_owned(),
        opaque: of("opaque").map(str::to_owned),
        algorithm,
        is_session,
        has_qop: qop.is_some(),
        hashes_user: is_true("userhash"),
        is_stale: is_true("stale"),
    })
}

/// The challenges of one header (RFC 9110, section 11.6.1): both they and their parameters are divided by commas.
fn parse(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return challenges;
        }
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        rest = rest[end..].trim_start_matches([' ', '\t']);
        match (rest.strip_prefix('='), challenges.last_mut()) {
            (Some(after), Some((_, parameters))) => {
                let (value, after) = value(after.trim_start_matches([' ', '\t', '=']));
                parameters.push((word, value));
                rest = after;
            }
            (Some(after), None) => rest = after,
            (None, _) => challenges.push((word, Parameters::new())),
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Challenge {
    /// The value of the header `Authorization` for a request (RFC 7616, section 3.4).
    pub(super) fn answer(
        &self,
        (user, password): (&str, &SecretBytes),
        method: &str,
        target: &str,
        count: u32,
        cnonce: &str,
    ) -> Zeroizing<String> {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let (nonce, cnonce_bytes) = (self.nonce.as_bytes(), cnonce.as_bytes());
        let mut key = hash(&[user.as_bytes(), self.realm.as_bytes(), password.expose()]);
        if self.is_session {
            key = hash(&[key.as_bytes(), nonce, cnonce_bytes]);
        }
        let what = hash(&[method.as_bytes(), target.as_bytes()]);
        let count = format!("{count:08x}");
        let response = if self.has_qop {
            hash(&[key.as_bytes(), nonce, count.as_bytes(), cnonce_bytes, b"auth", what.as_bytes()])
        } else {
            hash(&[key.as_bytes(), nonce, what.as_bytes()])
        };
        let mut answer = Zeroizing::new(format!(
            "Digest {}, realm={}, nonce={}, uri={}, response=\"{}\"",
            self.username(user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(target),
            *response
        ));
        let session = if self.is_session { "-sess" } else { "" };
        answer.push_str(&format!(", algorithm={}{session}", self.algorithm.name()));
        if self.has_qop {
            answer.push_str(&format!(", qop=auth, nc={count}, cnonce={}", quoted(cnonce)));
        }
        if let Some(opaque) = &self.opaque {
            answer.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        if self.hashes_user {
            answer.push_str(", userhash=true");
        }
        answer
    }

    fn username(&self, user: &str) -> String {
        if self.hashes_user {
            let hashed = self.algorithm.hash(&[user.as_bytes(), self.realm.as_bytes()]);
            return format!("username={}", quoted(&hashed));
        }
        if user.is_ascii() {
            return format!("username={}", quoted(user));
        }
        format!("username*=UTF-8''{}", utf8_percent_encode(user, NON_ALPHANUMERIC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    fn response(challenge: &Challenge) -> String {
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let password = "Circle of Life".into();
        let answer = challenge.answer(("Mufasa", &password), "GET", "/dir/index.html", 1, cnonce);
        let at = answer.find("response=\"").unwrap() + 10;
        answer[at..].split('"').next().unwrap().to_owned()
    }

    /// The example of RFC 7616, section 3.9.1, in both algorithms.
    #[test]
    fn the_answers_are_those_of_the_standard() {
        let sha256 = strongest([OFFERED].into_iter()).unwrap();
        assert_eq!(response(&sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
        let md5 = strongest([OFFERED.replace("SHA-256", "MD5").as_str()].into_iter()).unwrap();
        assert_eq!(response(&md5), "8ca523f5e9506fed4657c9700eebdbec");
        let both = [OFFERED.replace("SHA-256", "MD5"), OFFERED.to_owned()];
        let best = strongest(both.iter().map(String::as_str)).unwrap();
        assert_eq!(best.algorithm, Algorithm::Sha256);
    }

    /// The example of RFC 2617, section 3.5.
    #[test]
    fn the_older_example_holds_too() {
        let offered = r#"Basic realm="x", Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let challenge = strongest([offered].into_iter()).unwrap();
        let password = "Circle Of Life".into();
        let answer = challenge.answer(("Mufasa", &password), "GET", "/dir/index.html", 1, "0a4f113b");
        assert!(answer.contains(r#"response="6629fae49393a05397450978507c4ef1""#), "{}", *answer);
        assert!(!answer.contains("Circle"));
    }

    #[test]
    fn challenges_that_cannot_be_answered_are_passed_over() {
        for offered in [
            "",
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"",
            "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256",
            "= = =",
            "Digest nonce=\"unended",
        ] {
            let _ = strongest([offered].into_iter());
        }
        assert!(strongest(["Digest nonce=\"n\", qop=\"auth-int\""].into_iter()).is_none());
        assert!(strongest(["Digest nonce=\"n\", algorithm=SHA-512-256"].into_iter()).is_none());
    }

    #[test]
    fn names_beyond_ascii_are_sent_in_the_extended_form() {
        let challenge = strongest([OFFERED].into_iter()).unwrap();
        let answer = challenge.answer(("Jäsøn", &"x".into()), "GET", "/", 1, "c");
        assert!(answer.contains("username*=UTF-8''J%C3%A4s%C3%B8n"), "{}", *answer);
        let hashed = OFFERED.to_owned() + ", userhash=true";
        let answer =
            strongest([hashed.as_str()].into_iter()).unwrap().answer(("Jäsøn", &"x".into()), "GET", "/", 1, "c");
        assert!(answer.contains("userhash=true") && !answer.contains("J%C3"), "{}", *answer);
    }
}
