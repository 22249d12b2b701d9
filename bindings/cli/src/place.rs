//! What SRC and DST name.
//!
//! A word is a URL when it starts with a scheme and `://`, a cloud when it starts with the cloud's name and `:`, a drive
//! when the name before the colon is one letter, a saved volume or connection when there is a `:` before the first `/`,
//! and else a local path; `./a:b` is a way to write a local path with a colon. Paths may hold any bytes, names and
//! schemes are ASCII.

use std::ffi::OsStr;
use std::path::PathBuf;

use portbook::{Code, Error, Result};

const SCHEMES: &[&str] =
    &["s3", "sftp", "ftp", "ftps", "dav", "davs", "http", "https", "postgres", "mysql", "sqlite", "sharepoint"];
const CLOUDS: &[&str] = &["onedrive", "gdrive", "dropbox", "box"];

/// A place as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path on this machine.
    Local(PathBuf),
    /// A saved volume or connection.
    Saved {
        /// Its name.
        name: String,
    },
    /// A storage service or a record store behind a URL.
    Remote {
        /// How it is spoken to: `s3`, `postgres`, `onedrive` …
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
        let is_url = rest.starts_with(b"//");
        if is_url {
            return Self::of_url(head, &rest[2..]);
        }
        if let Some(scheme) = CLOUDS.iter().find(|cloud| **cloud == head) {
            return Ok(Self::Remote { scheme });
        }
        match head.len() {
            0 => local(),
            1 if head.starts_with(|c: char| c.is_ascii_alphabetic()) => local(),
            _ => Ok(Self::Saved { name: head.to_owned() }),
        }
    }

    fn of_url(scheme: &str, rest: &[u8]) -> Result<Self> {
        let known = SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme)).ok_or_else(|| {
            Error::new(Code::Invalid, "use the place", format_args!("{}://…", scheme.escape_debug()))
                .because("this scheme is unknown")
                .advise("a local path with a colon is written ./a:b")
        })?;
        let authority = rest.split(|b| *b == b'/').next().unwrap_or_default();
        let user = authority.iter().rposition(|b| *b == b'@').map(|at| &authority[..at]);
        if user.is_some_and(|user| user.contains(&b':')) {
            // The word itself is left out: it holds the password.
            return Err(Error::new(Code::Invalid, "use the place", format_args!("{known}://…"))
                .because("it carries a password, which every user of this machine can see")
                .advise("credentials come from the book, from PORTBOOK_* variables or from a prompt"));
        }
        Ok(Self::Remote { scheme: known })
    }

    /// The path, when the place is on this machine.
    ///
    /// # Errors
    /// `unsupported`, naming the scheme or the volume, for every other place.
    pub(crate) fn into_local(self) -> Result<PathBuf> {
        match self {
            Self::Local(path) => Ok(path),
            Self::Saved { name } => Err(Error::new(Code::Unsupported, "use the volume", name.escape_debug())
                .because("this version syncs local folders only")
                .advise("a local path with a colon is written ./a:b")),
            Self::Remote { scheme } => Err(Error::new(Code::Unsupported, "use the scheme", scheme)
                .because("this version syncs local folders only")),
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
            assert_eq!(parse(word), Place::Saved { name }, "{word}");
        }
    }

    #[test]
    fn urls_go_by_their_scheme() {
        for scheme in SCHEMES {
            assert_eq!(parse(&format!("{scheme}://user@host:22/path:x@y")), Place::Remote { scheme });
        }
        for scheme in CLOUDS {
            assert_eq!(parse(&format!("{scheme}:a/b")), Place::Remote { scheme });
        }
        assert_eq!(parse("S3://bucket"), Place::Remote { scheme: "s3" });
    }

    #[test]
    fn only_local_places_can_be_used_yet() {
        assert_eq!(parse("a").into_local().expect("local"), PathBuf::from("a"));
        for (word, named) in [("s3://b/p", "s3"), ("onedrive:x", "onedrive"), ("nas:x", "nas")] {
            let error = parse(word).into_local().expect_err("not local");
            assert_eq!(error.code(), Code::Unsupported);
            assert!(error.to_string().contains(named), "{error}");
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
