//! A folder and a place are in step; then the server misbehaves about one directory, while both sides have got something
//! new; then it is good again.
//!
//! While it misbehaves nothing goes anywhere, on either side; the item has an error of its class in the server's own words;
//! what the server is honest about goes on; and nothing is stored that nobody wrote. Afterwards both sides are equal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use portbook::conduit::{ApplyOptions, Conduit, ConduitOptions, Place, PreviewOptions};
use portbook::model::SyncMode;
use portbook::operation::RunReport;
use portbook::{Book, BookOptions, Code, Result};

use crate::files;

/// Paths with contents; directories have none.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// A server, good until it is told otherwise.
#[async_trait]
pub trait Ground: Send + Sync {
    /// As the engine sees it.
    fn place(&self) -> Place;
    /// Writes past the engine.
    async fn put(&self, path: &str, content: &[u8]);
    /// What is really there, without what the engine keeps.
    async fn tree(&self) -> Tree;
    /// Whether it misbehaves.
    fn misbehaves(&self, does: bool);
    /// Whether the engine may write there.
    fn is_writable(&self) -> bool {
        true
    }
}

/// What is told of the misbehaviour.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The class of the error of an item in the directory `bad`.
    pub code: Code,
    /// Words of the server or of what was seen, in that error.
    pub words: &'static str,
    /// The run as a whole is refused, with the class of the error.
    pub stops: bool,
}

pub const fn told(code: Code, words: &'static str) -> Told {
    Told { code, words, stops: false }
}

pub const fn stops(code: Code, words: &'static str) -> Told {
    Told { code, words, stops: true }
}

const OLD: [(&str, &str); 7] = [
    ("top", "at the top"),
    ("good/a", "a"),
    ("good/b", "bb"),
    ("bad/c", "ccc"),
    ("bad/d", "dddd"),
    ("bad/inner/e", "eeeee"),
    ("other/f", "ffffff"),
];

pub struct Story {
    dir: tempfile::TempDir,
    pub book: Book,
    conduit: Conduit,
}

impl Story {
    pub async fn begin(ground: &dyn Ground) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::open(BookOptions::sqlite(dir.path().join("book.db"))).await.unwrap();
        let session = book.default_session().await.unwrap();
        let here = dir.path().join("here");
        std::fs::create_dir(&here).unwrap();
        let mut options = ConduitOptions::default();
        let (from, to) = if ground.is_writable() {
            options.mode = SyncMode::Bidirectional;
            (Place::Local(here), ground.place())
        } else {
            (ground.place(), Place::Local(here))
        };
        let conduit = session.connect(from, to, options).await.unwrap();
        Self { dir, book, conduit }
    }

    pub fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    pub fn tree(&self) -> Tree {
        files::tree(&self.here())
    }

    pub async fn sync(&self) -> Result<RunReport> {
        self.conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish().await
    }
}

/// Everything of `before` is in `now`, as it was.
fn keeps(what: &str, side: &str, before: &Tree, now: &Tree) {
    for (path, content) in before {
        assert_eq!(now.get(path), Some(content), "{what}: {path} {side}");
    }
}

/// What is there was written by somebody.
fn holds_nothing_else(what: &str, side: &str, written: &Tree, now: &Tree) {
    for (path, content) in now.iter().filter(|(_, content)| content.is_some()) {
        assert_eq!(written.get(path), Some(content), "{what}: {path} {side}");
    }
}

/// Tells the story.
pub async fn tell(what: &str, ground: &dyn Ground, expected: Told) {
    let story = Story::begin(ground).await;
    for (path, content) in OLD {
        match ground.is_writable() {
            true => files::write(&story.here().join(path), content.as_bytes(), 3600),
            false => ground.put(path, content.as_bytes()).await,
        }
    }
    let first = story.sync().await.unwrap();
    assert!(first.is_in_step(), "{what}: {first:?}");
    let before = story.tree();
    assert_eq!((before.len(), ground.tree().await), (OLD.len() + 4, before.clone()), "{what}");

    let mut written = before.clone();
    for (path, content) in [("good/theirs", "from there"), ("bad/theirs", "from there, too")] {
        ground.put(path, content.as_bytes()).await;
        written.insert(path.into(), Some(content.into()));
    }
    if ground.is_writable() {
        for (path, content) in [("good/ours", "from here"), ("bad/ours", "from here, too")] {
            files::write(&story.here().join(path), content.as_bytes(), 60);
            written.insert(path.into(), Some(content.into()));
        }
    }
    ground.misbehaves(true);
    let second = story.sync().await;
    ground.misbehaves(false);
    let (here, there) = (story.tree(), ground.tree().await);
    keeps(what, "here", &before, &here);
    keeps(what, "there", &before, &there);
    holds_nothing_else(what, "here", &written, &here);
    holds_nothing_else(what, "there", &written, &there);
    match second {
        Err(e) => {
            assert!(expected.stops && e.code() == expected.code, "{what}: {e:?}");
            assert!(e.to_string().contains(expected.words), "{what}: {e}");
        }
        Ok(report) => {
            assert!(!expected.stops && !report.is_in_step(), "{what}: {report:?}");
            let is_told = report.failures.iter().any(|failure| {
                let said = failure.error.to_string();
                failure.path.starts_with("bad")
                    && failure.error.code() == expected.code
                    && said.contains(expected.words)
            });
            assert!(is_told, "{what}: {:?}", report.failures);
            assert_eq!(report.counts.deleted, 0, "{what}");
            for path in ["good/theirs", "good/ours"].into_iter().filter(|path| written.contains_key(*path)) {
                assert!(here.contains_key(path) && there.contains_key(path), "{what}: {path} goes on");
            }
            assert!(report.failures.iter().all(|f| f.path.starts_with("bad")), "{what}: {:?}", report.failures);
        }
    }

    let third = story.sync().await.unwrap();
    assert!(third.is_in_step() && third.counts.deleted == 0, "{what}, good again: {third:?}");
    assert_eq!(story.tree(), written, "{what}");
    assert_eq!(ground.tree().await, written, "{what}");
    story.book.shutdown().await;
}
