//! What goes: into the trash, out of sight, and after a run that was interrupted.

use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::model::{Kind, Node, Timestamp};
use portbook::provider::{Move, Provider, Trash};

use super::things::{code, content, listed, names, new_file, path, pieces, publish, put, put_staged, stage, stat};

pub(super) async fn trash(p: &impl Provider) {
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
pub(super) async fn kept(p: &impl Provider) {
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

/// A directory that only an interrupted run has left something in goes; what it left does not.
pub(super) async fn leftovers_in_a_directory(p: &impl Provider) {
    let dir = p.make_dirs(vec![(path("left"), Metadata::default())]).await.remove(0).unwrap();
    put_staged(p, new_file(&path("left/x"), b"half a swap")).await.unwrap();
    let gone = Trash { path: path("left"), expect: Expect::Node(dir), label: "left".into() };
    p.trash(vec![gone]).await.remove(0).unwrap();
    p.flush(vec![path("left")]).await.unwrap();
    assert_eq!(stat(p, "left").await, None);
    assert!(p.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap() <= 1, "not every place has leftovers");
}

/// After a crash the same tag is staged again or cleaned up.
pub(super) async fn leftovers(p: &impl Provider) {
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
