//! Where the book is when a command does not say it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use portbook::{Code, Error, Result};

/// A book that the engine can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BookAt {
    /// A SQLite file. Its directory exists; the file may not.
    File(PathBuf),
    /// A PostgreSQL database, as a connection URL.
    Postgres(String),
}

/// The book named by `--book` or `$PORTBOOK_BOOK`, else `book.db` in the user's data directory. The directory of a file
/// is made when absent, readable by its owner only.
///
/// # Errors
/// `invalid` for a URL of another kind or without a home directory; whatever making the directory gives.
pub(crate) fn locate(named: Option<&OsStr>) -> Result<BookAt> {
    let file = match named.filter(|name| !name.is_empty()) {
        Some(name) => match url(name)? {
            Some(url) => return Ok(BookAt::Postgres(url)),
            None => PathBuf::from(name),
        },
        None => default_file()?,
    };
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        make_private_dir(dir)
            .map_err(|e| Error::io("make the directory of the book", dir.display().to_string().escape_debug(), e))?;
    }
    Ok(BookAt::File(file))
}

/// The name as a PostgreSQL URL; none when it is a path.
fn url(name: &OsStr) -> Result<Option<String>> {
    let bytes = name.as_encoded_bytes();
    let is_postgres = bytes.starts_with(b"postgres://") || bytes.starts_with(b"postgresql://");
    let is_url = bytes.split(|b| *b == b'/').next().is_some_and(|head| head.len() > 2 && head.ends_with(b":"))
        && bytes.windows(3).any(|w| w == b"://");
    match (is_postgres, is_url) {
        (true, _) => OsString::from(name).into_string().map(Some).map_err(|_| {
            Error::new(Code::Invalid, "open the book", "postgres://…").because("the URL is not valid Unicode")
        }),
        (false, true) => Err(Error::new(Code::Invalid, "open the book", name.to_string_lossy().escape_debug())
            .because("a book is a file or postgres://…")),
        (false, false) => Ok(None),
    }
}

fn default_file() -> Result<PathBuf> {
    directories::ProjectDirs::from("", "", "portbook").map(|dirs| dirs.data_dir().join("book.db")).ok_or_else(|| {
        Error::new(Code::Invalid, "find the user's data directory", "")
            .because("there is no home directory")
            .advise("name a book with --book")
    })
}

fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_named_file_is_made_and_the_file_is_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("deep/er/b.db");
        assert_eq!(locate(Some(file.as_os_str())).expect("located"), BookAt::File(file.clone()));
        assert!(file.parent().is_some_and(Path::is_dir));
        assert!(!file.exists());
    }

    #[test]
    fn a_bare_name_stands_in_the_working_directory() {
        assert_eq!(locate(Some(OsStr::new("b.db"))).expect("located"), BookAt::File("b.db".into()));
    }

    #[test]
    fn postgres_urls_are_databases_and_other_urls_are_refused() {
        for url in ["postgres://me@host/db", "postgresql:///db"] {
            assert_eq!(locate(Some(OsStr::new(url))).expect("located"), BookAt::Postgres(url.into()));
        }
        assert_eq!(locate(Some(OsStr::new("mysql://host/db"))).expect_err("refused").code(), Code::Invalid);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_said() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let below = file.path().join("dir/b.db");
        let error = locate(Some(below.as_os_str())).expect_err("a file is in the way");
        assert!(error.to_string().starts_with("could not make the directory of the book"), "{error}");
    }
}
