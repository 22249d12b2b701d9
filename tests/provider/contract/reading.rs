//! What is read: parts of files, versions, copies that a place makes itself.

use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::model::{Kind, Node, Timestamp};
use portbook::provider::{Provider, Source, Trash};

use super::things::{code, content, path, publish, put, put_staged, stage, stat};

pub(super) async fn ranges(p: &impl Provider) {
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

pub(super) async fn native(p: &impl Provider, other: &impl Provider) {
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
