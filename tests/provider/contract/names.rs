//! Links, and names that are hard to hold.

use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Kind, Name, RelPath};
use portbook::provider::{Listing, Provider};

use super::things::{content, listed, path, pieces, publish, put_staged, stage};

pub(super) async fn links(p: &impl Provider) {
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
pub(super) async fn hostile_names(p: &impl Provider, unheld: &[&[u8]]) {
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
