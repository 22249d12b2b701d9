//! Directories, moves, and what an item shows beside its content.

use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::model::{Kind, Name, Timestamp};
use portbook::provider::{Listing, Move, Provider, TEMP_PREFIX};

use super::things::{code, content, names, path, pieces, publish, put, put_staged, stage, stat};

pub(super) async fn directories(p: &impl Provider) {
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

/// A file holds nothing, and what would lie in it is absent, not unknown.
pub(super) async fn beneath_a_file(p: &impl Provider) {
    for at in ["d/e/file/x", "d/e/file/x/y", "d/e/file/f"] {
        assert_eq!(p.stat(vec![path(at)]).await.remove(0).unwrap(), None, "{at}");
        let listing = p.list(vec![path(at)]).await.remove(0);
        assert!(matches!(listing, Listing::Absent), "{at}: {listing:?}");
        assert!(p.read(&path(at), None, 0, None).await.is_err(), "{at}");
        assert!(p.hash(vec![path(at)]).await.remove(0).is_err(), "{at}");
    }
    // Nor beneath the file of a directory that is not there.
    assert_eq!(p.stat(vec![path("d/none/file/x")]).await.remove(0).unwrap(), None);
}

pub(super) async fn moves(p: &impl Provider) {
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
pub(super) async fn folding(p: &impl Provider) {
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

pub(super) async fn metadata(p: &impl Provider) {
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
