//! The contract of [`Provider`], generic over how one is opened. The two roots are empty at the start, and places of
//! the same kind, so that the native copy between them is tried where there is one.
//!
//! Every assertion of this file is a check; how many different ones have held is counted, and must be enough.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Entry, Kind, Name, Node, RelPath, Timestamp};
use portbook::provider::{Feed, Listing, Move, Opened, Provider, Publish, Source, Stage, Staged, TEMP_PREFIX, Trash};
use portbook::{Code, Result};

/// Different checks that every place must pass.
const CHECKS: usize = 60;

thread_local! {
    /// The lines of the checks that have held. A contract is run by the thread of its test alone.
    static HELD: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

fn held(line: u32) {
    HELD.with_borrow_mut(|held| held.insert(line));
}

macro_rules! assert {
    ($($check:tt)*) => {{
        std::assert!($($check)*);
        held(line!());
    }};
}

macro_rules! assert_eq {
    ($($check:tt)*) => {{
        std::assert_eq!($($check)*);
        held(line!());
    }};
}

/// Runs every case.
pub(crate) async fn run<P: Provider>(open: impl Fn() -> P, open_other: impl Fn() -> P) {
    run_without(&[], open, open_other).await;
}

/// Runs every case, but without these names: the server behind the place cannot hold them, and nothing says so before.
pub(crate) async fn run_without<P: Provider>(names: &[&[u8]], open: impl Fn() -> P, open_other: impl Fn() -> P) {
    HELD.take();
    let place = open();
    arrival(&place).await;
    batches(&place).await;
    replacing(&place).await;
    edges(&place).await;
    preconditions(&place).await;
    sources_that_lie(&place).await;
    directories(&place).await;
    moves(&place).await;
    folding(&place).await;
    trash(&place).await;
    kept(&place).await;
    ranges(&place).await;
    leftovers(&place).await;
    leftovers_in_a_directory(&place).await;
    metadata(&place).await;
    native(&place, &open_other()).await;
    if place.capabilities().symlinks {
        links(&place).await;
    } else {
        println!("skipped links: the place holds none");
    }
    hostile_names(&open_other(), names).await;
    let count = HELD.take().len();
    println!("{count} different checks have held");
    std::assert!(count >= CHECKS, "{count}");
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// A source that gives its content in pieces of a size, whatever size it declares.
struct Pieces {
    content: Vec<u8>,
    piece: usize,
    declared: u64,
}

#[async_trait]
impl Feed for Pieces {
    fn size(&self) -> u64 {
        self.declared
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.content.len(), |length| self.content.len().min((offset + length) as usize));
        let part = self.content.get(offset as usize..end).unwrap_or_default();
        let pieces: Vec<_> = part.chunks(self.piece.max(1)).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        Ok(Opened { bytes: stream::iter(pieces).boxed(), mtime: None })
    }
}

/// A source of so many bytes that cannot be read to its end.
struct Broken(u64);

#[async_trait]
impl Feed for Broken {
    fn size(&self) -> u64 {
        self.0
    }

    async fn open(&self, offset: u64, _: Option<u64>) -> Result<Opened> {
        let half = usize::try_from((self.0 / 2).saturating_sub(offset)).unwrap();
        let broken = portbook::Error::new(Code::Permission, "read", "the source");
        Ok(Opened { bytes: stream::iter(vec![Ok(Bytes::from(vec![1; half])), Err(broken)]).boxed(), mtime: None })
    }
}

/// A source that has other bytes each time that it is opened.
struct Changing(u64, AtomicU8);

#[async_trait]
impl Feed for Changing {
    fn size(&self) -> u64 {
        self.0
    }

    async fn open(&self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let end = length.map_or(self.0, |length| self.0.min(offset + length));
        let bytes = vec![self.1.fetch_add(1, Ordering::Relaxed); usize::try_from(end - offset).unwrap()];
        Ok(Opened { bytes: stream::iter(vec![Ok(Bytes::from(bytes))]).boxed(), mtime: None })
    }
}

fn pieces(content: &[u8], size: usize) -> Source {
    declared(content, size, content.len())
}

fn declared(content: &[u8], piece: usize, declared: usize) -> Source {
    Source::Feed(Arc::new(Pieces { content: content.to_vec(), piece, declared: declared as u64 }))
}

fn stage(target: &RelPath, source: Source, kind: Kind) -> Stage {
    let tag = ContentHash::of(target.as_bytes()).to_string();
    Stage { target: target.clone(), tag, source, kind, metadata: Metadata::default(), replaces: false, resume: None }
}

/// A new file from a stream.
pub(crate) fn new_file(target: &RelPath, content: &[u8]) -> Stage {
    stage(target, pieces(content, 4_000), Kind::File)
}

pub(crate) async fn put_staged(p: &impl Provider, item: Stage) -> Result<Staged> {
    p.stage(vec![item]).await.remove(0)
}

pub(crate) async fn publish(p: &impl Provider, staged: Staged, expect: Expect, archive: Option<&str>) -> Result<Node> {
    p.publish(vec![Publish { staged, expect, archive: archive.map(Into::into) }]).await.remove(0)
}

/// Brings a file into place as the engine does.
pub(crate) async fn put(p: &impl Provider, target: &str, content: &[u8], expect: Expect) -> Result<Node> {
    let target = path(target);
    let staged = put_staged(p, stage(&target, pieces(content, 100_000), Kind::File)).await?;
    assert_eq!(staged.content, ContentHash::of(content));
    p.flush(vec![target.clone()]).await?;
    let node = publish(p, staged, expect, None).await?;
    p.flush(vec![target]).await?;
    Ok(node)
}

pub(crate) async fn stat(p: &impl Provider, at: &str) -> Option<Node> {
    p.stat(vec![path(at)]).await.remove(0).unwrap()
}

pub(crate) async fn content(p: &impl Provider, at: &str) -> Vec<u8> {
    p.read(&path(at), None, 0, None).await.unwrap().bytes.try_collect::<Vec<_>>().await.unwrap().concat()
}

pub(crate) async fn listed(p: &impl Provider, at: &str) -> Vec<Entry> {
    match p.list(vec![path(at)]).await.remove(0) {
        Listing::Complete(mut entries) => {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries
        }
        other => panic!("{other:?}"),
    }
}

async fn names(p: &impl Provider, at: &str) -> Vec<String> {
    listed(p, at).await.iter().map(|e| e.name.to_string()).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}

/// A file is nowhere to be seen until it is published, and then it is whole.
async fn arrival(p: &impl Provider) {
    for (name, size) in [("empty", 0), ("one", 1), ("small", 5_000), ("mega", 1 << 20), ("large", (5 << 20) + 17)] {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
        let target = path(name);
        let staged = put_staged(p, stage(&target, pieces(&bytes, 70_001), Kind::File)).await.unwrap();
        assert_eq!((staged.size, staged.content), (size as u64, ContentHash::of(&bytes)));
        assert_eq!(stat(p, name).await, None, "{name} is not visible before it is published");
        assert!(!names(p, "").await.contains(&name.to_string()));
        p.flush(vec![target.clone()]).await.unwrap();
        let node = publish(p, staged, Expect::Absent, None).await.unwrap();
        p.flush(vec![target.clone()]).await.unwrap();
        assert_eq!(stat(p, name).await.as_ref(), Some(&node), "publish answers what is there");
        assert_eq!((node.kind, node.token.size), (Kind::File, size as u64));
        assert_eq!(content(p, name).await, bytes);
        let hashed = p.hash(vec![target]).await.remove(0).unwrap();
        assert_eq!((hashed.content, hashed.node), (ContentHash::of(&bytes), node));
    }
    assert_eq!(names(p, "").await, ["empty", "large", "mega", "one", "small"], "no temporary name is listed");
}

/// Answers are in the order of what was asked, and what fails keeps nothing else from being done.
async fn batches(p: &impl Provider) {
    let mut staged = Vec::new();
    for name in ["b-1", "b-2", "b-3"] {
        staged.push(put_staged(p, new_file(&path(name), name.as_bytes())).await.unwrap());
    }
    let missing = Expect::Node(stat(p, "one").await.unwrap());
    let expect = [Expect::Absent, missing, Expect::Absent];
    let items: Vec<_> =
        staged.into_iter().zip(expect).map(|(staged, expect)| Publish { staged, expect, archive: None }).collect();
    let mut published = p.publish(items).await;
    assert_eq!(published.len(), 3, "one answer for each");
    assert_eq!(code(published.remove(1)), Code::Stale);
    let nodes: Vec<Node> = published.into_iter().map(Result::unwrap).collect();
    p.flush(vec![path("b-1"), path("b-3")]).await.unwrap();
    let all = || ["b-1", "b-2", "b-3"].map(path).to_vec();
    let seen: Vec<_> = p.stat(all()).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [Some(nodes[0].clone()), None, Some(nodes[1].clone())]);
    let hashed = p.hash(all()).await;
    assert!(hashed[1].is_err(), "nothing is there");
    for (at, name) in [(0, "b-1"), (2, "b-3")] {
        assert_eq!(hashed[at].as_ref().unwrap().content, ContentHash::of(name.as_bytes()));
    }
    let listed = p.list(["", "b-1", "b-2"].map(path).to_vec()).await;
    assert!(matches!(&listed[0], Listing::Complete(entries) if entries.len() >= 2));
    assert!(matches!(&listed[1], Listing::Absent), "a file is no directory");
    assert!(matches!(&listed[2], Listing::Absent));
    let files = vec![(path("b-1"), nodes[0].clone()), (path("b-2"), nodes[0].clone())];
    let said = p.native_hashes(files).await;
    assert_eq!(said.len(), 2, "one answer for each, also where nothing is said");
    let label = || "batch".to_owned();
    let throw = |name: &str, expect| Trash { path: path(name), expect, label: label() };
    let [first, last] = [nodes[0].clone(), nodes[1].clone()].map(Expect::Node);
    let gone = p.trash(vec![throw("b-1", first.clone()), throw("b-2", first), throw("b-3", last)]).await;
    assert_eq!(gone.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(p.stat(all()).await.into_iter().filter_map(Result::unwrap).count(), 0);
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// A file of any size takes the place of one of any other.
async fn replacing(p: &impl Provider) {
    let mut node = put(p, "grows", b"", Expect::Absent).await.unwrap();
    for size in [(1 << 20) + 3, 1, 5 << 20, 0, 2] {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 13 % 249) as u8).collect();
        node = put(p, "grows", &bytes, Expect::Node(node)).await.unwrap();
        assert_eq!(node.token.size, size as u64);
        assert!(content(p, "grows").await == bytes, "{size}");
    }
    assert_eq!(names(p, "").await.iter().filter(|name| *name == "grows").count(), 1);
    let item = Trash { path: path("grows"), expect: Expect::Node(node), label: "grows".into() };
    p.trash(vec![item]).await.remove(0).unwrap();
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// What cannot be done is refused, and leaves nothing.
async fn edges(p: &impl Provider) {
    assert!(p.root().await.is_ok());
    assert!(!p.display().is_empty());
    assert!(p.stat(Vec::new()).await.is_empty() && p.list(Vec::new()).await.is_empty());
    let root = p.stat(vec![RelPath::root()]).await.remove(0).unwrap();
    assert_eq!(root.map(|node| node.kind), Some(Kind::Dir));
    let one = stat(p, "one").await.unwrap();
    let go = |to: &str| Move { from: path("one"), to: path(to), expect: Expect::Node(one.clone()), through: None };
    let reserved = p.move_items(vec![go(".portbook/x")]).await.remove(0);
    assert!(reserved.is_err(), "nothing is moved to where the engine keeps its own");
    assert_eq!(stat(p, "one").await.as_ref(), Some(&one));
    let gone = p.set_metadata(vec![(path("nothing"), Expect::Node(one.clone()), Metadata::default())]).await.remove(0);
    assert_eq!(code(gone), Code::Stale, "it is gone");
    let late =
        Publish { staged: staged_once(p).await, expect: Expect::Node(one.clone()), archive: Some("edge".into()) };
    assert_eq!(code(p.publish(vec![late]).await.remove(0)), Code::Stale);
    assert_eq!(stat(p, "edge").await, None, "and is kept nowhere that is seen");
    // What is stored is what was hashed, whatever the source does when it is read again.
    for size in [1_000, (1 << 20) + 1, 17 << 20] {
        let item = stage(&path("changing"), Source::Feed(Arc::new(Changing(size, AtomicU8::new(1)))), Kind::File);
        match put_staged(p, item).await {
            Ok(staged) => {
                let content = staged.content;
                publish(p, staged, Expect::Any, None).await.unwrap();
                let stored = p.hash(vec![path("changing")]).await.remove(0).unwrap();
                assert_eq!(stored.content, content, "{size}");
            }
            Err(e) => assert_eq!(e.code(), Code::Stale),
        }
    }
    if let Some(node) = stat(p, "changing").await {
        let item = Trash { path: path("changing"), expect: Expect::Node(node), label: "edge".into() };
        p.trash(vec![item]).await.remove(0).unwrap();
    }
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// Something that waits to be published where nothing is.
async fn staged_once(p: &impl Provider) -> Staged {
    put_staged(p, new_file(&path("edge"), b"edge")).await.unwrap()
}

/// An effect happens only to the state it was planned for.
async fn preconditions(p: &impl Provider) {
    let old = put(p, "pre", b"old", Expect::Absent).await.unwrap();
    assert_eq!(code(put(p, "pre", b"other", Expect::Absent).await), Code::Stale, "a create never overwrites");
    assert_eq!(content(p, "pre").await, b"old");
    let new = put(p, "pre", b"newer", Expect::Node(old.clone())).await.unwrap();
    assert_eq!(content(p, "pre").await, b"newer");
    assert_eq!(code(put(p, "pre", b"third", Expect::Node(old.clone())).await), Code::Stale, "it has changed");
    assert_eq!(code(put(p, "none", b"x", Expect::Node(new.clone())).await), Code::Stale, "it is gone");
    assert_eq!(stat(p, "none").await, None);
    let trash = Trash { path: path("pre"), expect: Expect::Node(old), label: "pre".into() };
    assert_eq!(code(p.trash(vec![trash]).await.remove(0)), Code::Stale);
    assert_eq!(content(p, "pre").await, b"newer");
}

/// Bytes read are bytes declared, or nothing arrives.
async fn sources_that_lie(p: &impl Provider) {
    for size in [10, 3 << 20] {
        for told in [0, size - 1, size + 1] {
            let item = stage(&path("liar"), declared(&vec![7; size], 65_536, told), Kind::File);
            assert_eq!(code(put_staged(p, item).await), Code::Stale, "{size} bytes declared as {told}");
        }
        let item = stage(&path("liar"), Source::Feed(Arc::new(Broken(size as u64))), Kind::File);
        assert_eq!(code(put_staged(p, item).await), Code::Permission);
    }
    assert_eq!(stat(p, "liar").await, None);
}

async fn directories(p: &impl Provider) {
    let dirs = ["d", "d/e", "d/e/f"].map(|d| (path(d), Metadata::default()));
    let made = p.make_dirs(dirs.to_vec()).await;
    for (node, (dir, _)) in made.into_iter().zip(&dirs) {
        let node = node.unwrap();
        assert_eq!((node.kind, node.token.size, node.token.mtime), (Kind::Dir, 0, None), "{dir}");
        assert_eq!(p.stat(vec![dir.clone()]).await.remove(0).unwrap(), Some(node));
    }
    assert_eq!(code(p.make_dirs(vec![dirs[0].clone()]).await.remove(0)), Code::Stale, "it is there already");
    put(p, "d/e/file", b"x", Expect::Absent).await.unwrap();
    assert_eq!(names(p, "d/e").await, ["f", "file"]);
    let seen = p.list(["d", "nowhere", "d/nowhere/deep", "d/e/file"].map(path).to_vec()).await;
    assert!(matches!(&seen[0], Listing::Complete(e) if e.len() == 1));
    assert!(seen[1..].iter().all(|l| matches!(l, Listing::Absent)), "{seen:?}");
    assert_eq!(p.stat(vec![path("d/nowhere/deep")]).await.remove(0).unwrap(), None);
}

async fn moves(p: &impl Provider) {
    let node = put(p, "from", b"moved", Expect::Absent).await.unwrap();
    put(p, "taken", b"stays", Expect::Absent).await.unwrap();
    let go = |from: &str, to: &str, expect| Move { from: path(from), to: path(to), expect, through: None };
    let over = p.move_items(vec![go("from", "taken", Expect::Node(node.clone()))]).await.remove(0);
    assert_eq!(code(over), Code::Stale, "a move never overwrites");
    assert_eq!((content(p, "from").await, content(p, "taken").await), (b"moved".to_vec(), b"stays".to_vec()));
    let moved = p.move_items(vec![go("from", "d/to", Expect::Node(node.clone()))]).await.remove(0).unwrap();
    p.flush(vec![path("d/to")]).await.unwrap();
    assert_eq!((stat(p, "from").await, stat(p, "d/to").await), (None, Some(moved)));
    let again = p.move_items(vec![go("from", "d/again", Expect::Node(node))]).await.remove(0);
    assert_eq!(code(again), Code::Stale, "it is gone");
    let dir = stat(p, "d/e").await.unwrap();
    p.move_items(vec![go("d/e", "e2", Expect::Node(dir))]).await.remove(0).unwrap();
    assert_eq!(content(p, "e2/file").await, b"x");
}

/// Another case or normal form of the same name is no other name where the place folds them.
async fn folding(p: &impl Provider) {
    let caps = p.capabilities().clone();
    let cases =
        [(caps.case_insensitive, "fold-a", "Fold-A"), (caps.unicode_insensitive, "fold-\u{e9}", "fold-e\u{301}")];
    for (folds, from, to) in cases {
        let node = put(p, from, b"folded", Expect::Absent).await.unwrap();
        if folds {
            assert_eq!(code(put(p, to, b"other", Expect::Absent).await), Code::Stale, "{to} is taken by {from}");
        }
        let through = Name::new(&[TEMP_PREFIX, b"fold-1"].concat()).unwrap();
        let go = Move { from: path(from), to: path(to), expect: Expect::Node(node), through: Some(through) };
        if folds {
            let visible = p.move_items(vec![Move { through: None, ..go.clone() }]).await.remove(0);
            assert_eq!(code(visible), Code::Stale, "it would stand under a visible name in between");
        }
        p.move_items(vec![go]).await.remove(0).unwrap();
        let names = names(p, "").await;
        assert!(names.contains(&to.to_string()) && !names.contains(&from.to_string()), "{names:?}");
        assert_eq!(content(p, to).await, b"folded");
    }
}

async fn trash(p: &impl Provider) {
    let node = put(p, "e2/gone", b"kept", Expect::Absent).await.unwrap();
    let throw = |at: &str, expect| Trash { path: path(at), expect, label: "run-1".into() };
    let full = stat(p, "e2").await.unwrap();
    assert_eq!(code(p.trash(vec![throw("e2", Expect::Node(full))]).await.remove(0)), Code::Stale, "not empty");
    p.trash(vec![throw("e2/gone", Expect::Node(node))]).await.remove(0).unwrap();
    assert_eq!(stat(p, "e2/gone").await, None);
    // A second item of the same path, and a version that is replaced.
    let node = put(p, "e2/gone", b"kept too", Expect::Absent).await.unwrap();
    let target = path("e2/gone");
    let staged = put_staged(p, stage(&target, pieces(b"new", 9), Kind::File)).await.unwrap();
    publish(p, staged, Expect::Node(node), Some("run-1")).await.unwrap();
    p.flush(vec![target]).await.unwrap();
    assert_eq!(content(p, "e2/gone").await, b"new");
    assert!(!names(p, "").await.contains(&".portbook".to_string()), "the trash is never listed");
    let f = stat(p, "e2/f").await.unwrap();
    p.trash(vec![throw("e2/f", Expect::Node(f))]).await.remove(0).unwrap();
    assert_eq!(stat(p, "e2/f").await, None);
    assert_eq!(p.empty_trash(Timestamp { secs: 0, nanos: 0 }).await.unwrap(), 0, "nothing is that old");
    assert_eq!(p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap(), 2);
    // A file, and then what lies in a directory that took its name.
    let file = put(p, "took", b"a file", Expect::Absent).await.unwrap();
    p.trash(vec![throw("took", Expect::Node(file))]).await.remove(0).unwrap();
    p.make_dirs(vec![(path("took"), Metadata::default())]).await.remove(0).unwrap();
    let inside = put(p, "took/inside", b"a file too", Expect::Absent).await.unwrap();
    p.trash(vec![throw("took/inside", Expect::Node(inside))]).await.remove(0).unwrap();
    let empty = stat(p, "took").await.unwrap();
    p.trash(vec![throw("took", Expect::Node(empty))]).await.remove(0).unwrap();
    assert_eq!(stat(p, "took").await, None);
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// What a volume takes out of sight, and gives back.
async fn kept(p: &impl Provider) {
    const AWAY: &str = ".portbook/kept/volume/00/file";
    let shift = async |from: &str, to: &str, expect: &Node| {
        let item = Move { from: path(from), to: path(to), expect: Expect::Node(expect.clone()), through: None };
        p.move_kept(vec![item]).await.remove(0)
    };
    let node = put(p, "kept", b"kept", Expect::Absent).await.unwrap();
    let away = match shift("kept", AWAY, &node).await {
        Err(e) if e.code() == Code::Unsupported => {
            println!("skipped what is kept out of sight: {e}");
            return;
        }
        moved => moved.unwrap(),
    };
    p.flush(vec![path(AWAY)]).await.unwrap();
    assert!(listed(p, "").await.iter().all(|e| e.name.as_bytes() != b"kept" && e.name.as_bytes() != b".portbook"));
    assert_eq!((stat(p, "kept").await, stat(p, AWAY).await), (None, Some(away.clone())));
    assert_eq!(content(p, AWAY).await, b"kept");
    let other = put(p, "kept", b"another", Expect::Absent).await.unwrap();
    assert_eq!(code(shift("kept", AWAY, &other).await), Code::Stale, "nothing is overwritten there");
    assert_eq!(code(shift(AWAY, "kept", &away).await), Code::Stale, "nor here");
    assert_eq!(code(shift("kept", ".portbook/kept/volume/00/other", &node).await), Code::Stale);
    for (from, to) in
        [("kept", "elsewhere"), ("kept", ".portbook/other/x"), (AWAY, ".portbook-tmp-x"), ("kept", ".portbook/kept")]
    {
        assert!(shift(from, to, if from == AWAY { &away } else { &other }).await.is_err(), "{from} {to}");
    }
    let back = shift(AWAY, "back", &away).await.unwrap();
    p.flush(vec![path("back")]).await.unwrap();
    assert_eq!((content(p, "back").await, stat(p, AWAY).await), (b"kept".to_vec(), None));
    shift("back", AWAY, &back).await.unwrap();
    for removed in p.remove_kept(vec![path(AWAY), path(AWAY), path(".portbook/kept/never/was")]).await {
        removed.unwrap();
    }
    p.flush(vec![path(AWAY)]).await.unwrap();
    assert_eq!(stat(p, AWAY).await, None);
    assert!(p.remove_kept(vec![path("kept")]).await.remove(0).is_err(), "only what is kept");
    assert_eq!(content(p, "kept").await, b"another");
}

async fn ranges(p: &impl Provider) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
    put(p, "ranges", &bytes, Expect::Absent).await.unwrap();
    for (offset, length) in
        [(0, None), (1, Some(1)), (1_048_575, Some(1_048_578)), (2_999_999, None), (3_000_000, None)]
    {
        let got =
            p.read(&path("ranges"), None, offset, length).await.unwrap().bytes.try_collect::<Vec<_>>().await.unwrap();
        let end = length.map_or(bytes.len(), |l| (offset + l) as usize);
        assert_eq!(got.concat(), bytes[offset as usize..end], "{offset} {length:?}");
    }
    assert_eq!(code(p.read(&path("absent"), None, 0, None).await.map(|_| ())), Code::NotFound);
    versions(p).await;
}

/// What is read is the version that was expected, or nothing.
async fn versions(p: &impl Provider) {
    let first = put(p, "version", b"first", Expect::Absent).await.unwrap();
    let read = |expect: Node| async move {
        let opened = p.read(&path("version"), Some(&expect), 1, Some(3)).await?;
        opened.bytes.try_collect::<Vec<_>>().await.map(|pieces| pieces.concat())
    };
    assert_eq!(read(first.clone()).await.unwrap(), b"irs");
    let second = put(p, "version", b"second", Expect::Node(first.clone())).await.unwrap();
    assert_eq!(code(read(first).await), Code::Stale);
    assert_eq!(read(second.clone()).await.unwrap(), b"eco");
    p.trash(vec![Trash { path: path("version"), expect: Expect::Node(second.clone()), label: "v".into() }])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(code(read(second).await), Code::Stale, "it is gone");
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// A directory that only an interrupted run has left something in goes; what it left does not.
async fn leftovers_in_a_directory(p: &impl Provider) {
    let dir = p.make_dirs(vec![(path("left"), Metadata::default())]).await.remove(0).unwrap();
    put_staged(p, new_file(&path("left/x"), b"half a swap")).await.unwrap();
    let gone = Trash { path: path("left"), expect: Expect::Node(dir), label: "left".into() };
    p.trash(vec![gone]).await.remove(0).unwrap();
    p.flush(vec![path("left")]).await.unwrap();
    assert_eq!(stat(p, "left").await, None);
    assert!(p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap() <= 1, "not every place has leftovers");
}

/// After a crash the same tag is staged again or cleaned up.
async fn leftovers(p: &impl Provider) {
    let target = path("again");
    let item = |content| stage(&target, pieces(content, 9), Kind::File);
    put_staged(p, item(b"first, and longer")).await.unwrap();
    let staged = put_staged(p, item(b"second")).await.unwrap();
    let tag = staged.tag.clone();
    publish(p, staged.clone(), Expect::Absent, None).await.unwrap();
    assert_eq!(content(p, "again").await, b"second");
    put_staged(p, item(b"third")).await.unwrap();
    p.discard_staged(vec![(target.clone(), tag.clone()), (path("no/where"), tag)]).await.unwrap();
    let now = stat(p, "again").await.unwrap();
    assert!(publish(p, staged, Expect::Node(now), None).await.is_err(), "what was discarded is gone");
    assert_eq!(content(p, "again").await, b"second");
}

async fn metadata(p: &impl Provider) {
    let caps = p.capabilities();
    let target = path("attributes");
    let mtime = Timestamp { secs: 1_500_000_000, nanos: 0 };
    let mode = caps.mode.then_some(0o640);
    let mut item = stage(&target, pieces(b"x", 1), Kind::File);
    item.metadata = Metadata { mode, mtime: caps.set_mtime.then_some(mtime) };
    let staged = put_staged(p, item).await.unwrap();
    let node = publish(p, staged, Expect::Absent, None).await.unwrap();
    if caps.set_mtime {
        assert_eq!(node.token.mtime, Some(mtime));
        let later = Metadata { mode: None, mtime: Some(Timestamp { secs: 1_600_000_000, nanos: 0 }) };
        let set = p.set_metadata(vec![(target.clone(), Expect::Node(node.clone()), later)]).await.remove(0).unwrap();
        assert_eq!(set.token.mtime, later.mtime);
        let stale = p.set_metadata(vec![(target.clone(), Expect::Node(node), later)]).await.remove(0);
        assert_eq!(code(stale), Code::Stale);
    }
    if caps.mode {
        let old = stat(p, "attributes").await.unwrap();
        assert_eq!(old.token.mode, Some(0o640));
        let mut item = stage(&target, pieces(b"y", 1), Kind::File);
        item.replaces = true;
        let staged = put_staged(p, item).await.unwrap();
        let node = publish(p, staged, Expect::Node(old), None).await.unwrap();
        assert_eq!(node.token.mode, Some(0o640), "a replaced file keeps its mode");
        let bits = Metadata { mode: Some(0o600), mtime: None };
        let set = p.set_metadata(vec![(target, Expect::Any, bits)]).await.remove(0).unwrap();
        assert_eq!(set.token.mode, Some(0o600));
    }
}

async fn native(p: &impl Provider, other: &impl Provider) {
    let Some(source) = p.native_source() else {
        println!("skipped native copies: the provider has none");
        return;
    };
    for size in [0, 100, 1 << 20, (4 << 20) + 1, (9 << 20) + 5] {
        let name = format!("native-{size}");
        let bytes: Vec<u8> = (0..size).map(|i| (i * 7 % 255) as u8).collect();
        let expect = put(p, &name, &bytes, Expect::Absent).await.unwrap();
        let from =
            |expect| Source::Native { source: source.clone(), path: path(&name), expect, pace: Default::default() };
        let staged = put_staged(other, stage(&path(&name), from(expect.clone()), Kind::File)).await.unwrap();
        assert_eq!((staged.content, staged.size), (ContentHash::of(&bytes), size as u64));
        assert_eq!(staged.source.as_ref(), Some(&expect));
        publish(other, staged, Expect::Absent, None).await.unwrap();
        assert_eq!(content(other, &name).await, bytes);
        put(p, &name, b"an edit", Expect::Node(expect.clone())).await.unwrap();
        let late = put_staged(other, stage(&path("late"), from(expect), Kind::File)).await;
        assert_eq!(code(late), Code::Stale, "the source has moved on");
    }
    assert_eq!(stat(other, "late").await, None);
}

async fn links(p: &impl Provider) {
    let target = path("link");
    let staged = put_staged(p, stage(&target, pieces(b"../../etc", 4), Kind::Symlink)).await.unwrap();
    assert_eq!(staged.content, ContentHash::of(b"../../etc"));
    let node = publish(p, staged, Expect::Absent, None).await.unwrap();
    p.flush(vec![target.clone()]).await.unwrap();
    assert_eq!(node.kind, Kind::Symlink);
    assert_eq!(p.hash(vec![target]).await.remove(0).unwrap().content, ContentHash::of(b"../../etc"));
    assert_eq!(content(p, "link").await, b"../../etc", "a link is not read through");
    assert!(matches!(p.list(vec![path("link")]).await.remove(0), Listing::Absent), "a link is no directory");
    let through = p.make_dirs(vec![(path("link/inside"), Metadata::default())]).await.remove(0);
    assert!(through.is_err(), "a link is never followed");
}

/// What a name holds is no business of anyone but the file system.
async fn hostile_names(p: &impl Provider, unheld: &[&[u8]]) {
    let long = vec![b'n'; p.capabilities().max_name_bytes.min(255)];
    let cases: [&[u8]; 9] =
        [b"new\nline", b"\xff\xfe not unicode", b"-rf", b" ", b"...", b"a\\b", b"\x1b[2J", b"con", &long];
    for bytes in cases {
        let name = Name::new(bytes).unwrap();
        if !p.can_hold(&name) || unheld.contains(&bytes) {
            println!("skipped the name {name}: the place cannot hold it");
            continue;
        }
        let target = RelPath::root().join(&name);
        let staged = put_staged(p, stage(&target, pieces(bytes, 9), Kind::File)).await.unwrap();
        publish(p, staged, Expect::Absent, None).await.unwrap();
        assert!(listed(p, "").await.iter().any(|e| e.name == name), "{name}");
        assert_eq!(p.hash(vec![target]).await.remove(0).unwrap().content, ContentHash::of(bytes));
    }
    for reserved in [".portbook", ".portbook/trash/x", ".portbook-tmp-1", "a/.portbook/b"] {
        let item = stage(&path(reserved), pieces(b"x", 1), Kind::File);
        assert!(put_staged(p, item).await.is_err(), "{reserved} is reserved");
    }
}
