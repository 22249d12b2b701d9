//! What SRC and DST name.
//!
//! A word is a URL when it starts with a scheme and `://`, a cloud when it starts with the cloud's name and `:`, a drive
//! when the name before the colon is one letter, a saved volume or connection when there is a `:` before the first `/`,
//! and else a local path; `./a:b` is a way to write a local path with a colon. Paths may hold any bytes, names and
//! schemes are ASCII.

use std::ffi::OsStr;
use std::path::PathBuf;

use portbook::bridge::RecordPlace;
use portbook::provider::Address;
use portbook::{Code, Error, Result, Session, conduit};

use crate::access;

const CLOUDS: &[&str] = &["onedrive", "gdrive", "dropbox", "box"];

/// What `NAME:path` can be told by: no drive, no cloud, no URL.
pub(crate) fn volume_name(text: &str) -> std::result::Result<String, String> {
    if text.chars().count() < 2 || text.contains([':', '/', '\\']) || text.starts_with('.') || CLOUDS.contains(&text) {
        return Err("a name has at least two characters, no colon and no slash, and is not that of a cloud".into());
    }
    Ok(text.to_owned())
}

/// A place as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path on this machine.
    Local(PathBuf),
    /// A directory of a saved volume.
    Saved {
        /// The volume's name.
        name: String,
        /// The path on it.
        path: String,
    },
    /// A storage service behind a URL.
    Remote(Address),
    /// A table behind a URL, as it was typed.
    Table(String),
    /// What cannot be reached yet.
    Other {
        /// How it is spoken to: `onedrive`, `gdrive` …
        scheme: &'static str,
    },
}

impl Place {
    /// What the word names.
    ///
    /// # Errors
    /// `invalid` when it is empty, has an unknown scheme, or carries a password.
    pub(crate) fn parse(word: &OsStr) -> Result<Self> {
        if word.is_empty() {
            return Err(Error::new(Code::Invalid, "use the place", "''").because("it is empty"));
        }
        let bytes = word.as_encoded_bytes();
        let local = || Ok(Self::Local(PathBuf::from(word)));
        let Some(colon) = bytes.iter().position(|b| matches!(b, b':' | b'/')).filter(|at| bytes[*at] == b':') else {
            return local();
        };
        let (head, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        let Ok(head) = std::str::from_utf8(head) else { return local() };
        if rest.starts_with(b"//") {
            return Self::of_url(head, word);
        }
        if let Some(scheme) = CLOUDS.iter().find(|cloud| **cloud == head) {
            return Ok(Self::Other { scheme });
        }
        match head.len() {
            0 => local(),
            1 if head.starts_with(|c: char| c.is_ascii_alphabetic()) => local(),
            _ => {
                let path = std::str::from_utf8(rest).map_err(|_| {
                    Error::new(Code::Invalid, "use the volume", head.escape_debug()).because("the path is not UTF-8")
                })?;
                Ok(Self::Saved { name: head.to_owned(), path: path.to_owned() })
            }
        }
    }

    fn of_url(scheme: &str, word: &OsStr) -> Result<Self> {
        let is = |known: &&&str| known.eq_ignore_ascii_case(scheme);
        let invalid = |reason: &str| {
            Error::new(Code::Invalid, "use the place", format_args!("{}://…", scheme.escape_debug())).because(reason)
        };
        if RecordPlace::SCHEMES.iter().any(|known| is(&known)) {
            let url = word.to_str().ok_or_else(|| invalid("it is not UTF-8"))?;
            return url.parse::<RecordPlace>().map(|_| Self::Table(url.to_owned()));
        }
        if !Address::SCHEMES.iter().any(|known| is(&known)) {
            return Err(invalid("this scheme is unknown").advise("a local path with a colon is written ./a:b"));
        }
        word.to_str().ok_or_else(|| invalid("it is not UTF-8"))?.parse().map(Self::Remote)
    }

    /// The place for the engine, with what lets one in from the book, from variables or from the person at the terminal.
    ///
    /// # Errors
    /// `unsupported`, naming the scheme, for what cannot be synced as files; `not_found` for a volume that was never saved;
    /// `invalid`, `auth`, `wrong_key`.
    pub(crate) fn open(self, session: &Session) -> Result<conduit::Place> {
        match self {
            Self::Local(path) => Ok(conduit::Place::Local(path)),
            Self::Saved { name, path } => portbook::wait(session.place(name, path)).map_err(|e| match e.code() {
                Code::NotFound => {
                    e.advise("`portbook volume add` saves one; a local path with a colon is written ./a:b")
                }
                _ => e,
            }),
            Self::Remote(address) => {
                let mut access = access::from_variables(&address, &|name| std::env::var_os(name))?;
                access::ask(&address, &mut access)?;
                Ok((address, access).into())
            }
            Self::Table(url) => Err(Error::new(Code::Unsupported, "use as a folder", url).because("it is a table")),
            Self::Other { scheme } => {
                Err(Error::new(Code::Unsupported, "use the scheme", scheme).because("this version cannot reach it"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Place {
        Place::parse(OsStr::new(word)).expect("the word is a place")
    }

    #[test]
    fn words_without_a_leading_name_are_local() {
        for word in ["a", "/a/b", "./a:b", "../x", "a/b:c", "C:", "C:\\x", "d:/x", ":x", "a/s3://b", "/s3://b", "."] {
            assert_eq!(parse(word), Place::Local(word.into()), "{word}");
        }
    }

    #[test]
    fn a_name_before_the_first_slash_is_a_saved_volume() {
        for word in ["nas:", "nas:a/b", "nas:/a", "s3:x", "1nas:a"] {
            let name = word.split(':').next().unwrap_or_default().to_owned();
            let path = word.split_once(':').map(|(_, path)| path.to_owned()).unwrap_or_default();
            assert_eq!(parse(word), Place::Saved { name, path }, "{word}");
        }
    }

    #[test]
    fn urls_go_by_their_scheme() {
        for scheme in Address::SCHEMES {
            let word = format!("{scheme}://host/path:x@y");
            assert_eq!(parse(&word), Place::Remote(word.parse().expect("an address")));
        }
        for scheme in RecordPlace::SCHEMES {
            let host = match *scheme {
                "sqlite" => "",
                "sharepoint" => "host",
                _ => "me@host:22",
            };
            let word = format!("{scheme}://{host}/shop/orders");
            assert_eq!(parse(&word), Place::Table(word));
        }
        for scheme in CLOUDS {
            assert_eq!(parse(&format!("{scheme}:a/b")), Place::Other { scheme });
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = Place::parse(OsStr::new("sftp://me:hunter2@host/x")).expect_err("a password");
        assert_eq!(error.code(), Code::Invalid);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn unknown_schemes_and_empty_words_are_invalid() {
        for word in ["gopher://host", "file:///etc", ""] {
            assert_eq!(Place::parse(OsStr::new(word)).expect_err(word).code(), Code::Invalid, "{word}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_may_hold_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        for bytes in [&b"\xff\xfe/a"[..], b"\xff:x", b"a/\xff"] {
            let word = OsStr::from_bytes(bytes);
            assert_eq!(Place::parse(word).expect("local"), Place::Local(word.into()));
        }
    }
}
