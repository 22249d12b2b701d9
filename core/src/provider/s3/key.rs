//! Paths and keys. A path `a/b` is the object `PREFIXa/b`, a directory `a/b` the prefix `PREFIXa/b/`.

use super::options::Site;
use crate::error::{Code, Error, Result};
use crate::model::{Name, RelPath};
use crate::provider::{RESERVED_DIR, is_reserved};

/// The longest key in bytes (Amazon S3 User Guide, "Naming Amazon S3 objects").
pub(super) const LONGEST_KEY: usize = 1_024;

impl Site {
    /// The key of a file.
    pub(super) fn key(&self, action: &'static str, path: &RelPath) -> Result<String> {
        let refuse = |why: &str| Error::new(Code::Invalid, action, path).because(why);
        let text = std::str::from_utf8(path.as_bytes()).map_err(|_| refuse("its name is not UTF-8"))?;
        let key = format!("{}{text}", self.prefix);
        // A directory's key has one byte more.
        if key.len() >= LONGEST_KEY { Err(refuse("its key would have more than 1024 bytes")) } else { Ok(key) }
    }

    /// What the keys of everything in a directory begin with; the key of its marker.
    pub(super) fn dir_key(&self, action: &'static str, path: &RelPath) -> Result<String> {
        if path.is_root() { Ok(self.prefix.clone()) } else { Ok(self.key(action, path)? + "/") }
    }
}

/// Whether a name can be part of a key.
pub(super) fn can_hold(name: &Name) -> bool {
    std::str::from_utf8(name.as_bytes()).is_ok() && name.as_bytes().len() < LONGEST_KEY
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse_if(path.components().any(is_reserved), action, path)
}

/// As [`not_reserved`], but names may be temporary: a swap passes through one.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse_if(path.components().any(|name| name == RESERVED_DIR), action, path)
}

fn refuse_if(is_reserved: bool, action: &'static str, path: &RelPath) -> Result<()> {
    if is_reserved || path.is_root() {
        return Err(Error::new(Code::Invalid, action, path).because("this name is reserved"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::options::S3Options;
    use super::*;

    fn path(text: &[u8]) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn a_path_is_a_key_beneath_the_prefix() {
        let options = S3Options { prefix: "p/q".into(), ..S3Options::new("http://h", "b", "i", "s") };
        let site = Site::new(options).unwrap();
        assert_eq!(site.key("x", &path(b"a/b")).unwrap(), "p/q/a/b");
        assert_eq!(site.dir_key("x", &path(b"a")).unwrap(), "p/q/a/");
        assert_eq!(site.dir_key("x", &RelPath::root()).unwrap(), "p/q/");
        assert_eq!(site.key("x", &path(b"a\xff")).unwrap_err().code(), Code::Invalid);
        assert_eq!(site.key("x", &path(&vec![b'a'; 1_020])).unwrap_err().code(), Code::Invalid);
    }

    #[test]
    fn the_engines_own_names_are_not_written() {
        for name in [&b".portbook"[..], b"a/.portbook/b", b".portbook-tmp-1", b""] {
            assert!(not_reserved("x", &path(name)).is_err());
        }
        assert!(not_in_reserved("x", &path(b"a/.portbook-tmp-1")).is_ok());
        assert!(!can_hold(&Name::new(b"\xff").unwrap()));
    }
}
