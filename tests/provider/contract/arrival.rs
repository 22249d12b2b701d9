//! Files come into place: whole or not at all, in the state that was planned, whatever their source does.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Kind, Node, RelPath, Timestamp};
use portbook::provider::{Listing, Move, Provider, Publish, Source, Staged, Trash};

use super::things::{
    Broken, Changing, code, content, declared, names, new_file, path, pieces, publish, put, put_staged, stage, stat,
};

/// A file is nowhere to be seen until it is published, and then it is whole.
pub(super) async fn arrival(p: &impl Provider) {
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
pub(super) async fn batches(p: &impl Provider) {
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
    assert_eq!(gone.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true], "{gone:?}");
    assert_eq!(p.stat(all()).await.into_iter().filter_map(Result::unwrap).count(), 0);
    p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap();
}

/// A file of any size takes the place of one of any other.
pub(super) async fn replacing(p: &impl Provider) {
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
pub(super) async fn edges(p: &impl Provider) {
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
pub(super) async fn preconditions(p: &impl Provider) {
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
pub(super) async fn sources_that_lie(p: &impl Provider) {
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
