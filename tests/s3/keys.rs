//! Keys that others have written: they need no markers, and not all of them are names.

use portbook::Code;
use portbook::delta::Expect;
use portbook::model::{Kind, Timestamp};
use portbook::provider::s3::S3;
use portbook::provider::{Listing, Move, Provider as _, Trash};

use crate::contract::{content, listed, path, stat};
use crate::places::{Server, said};

fn others(server: &Server, keys: &[&str]) {
    for key in keys {
        assert!(said(&server.address(), "PUT", &format!("/bucket/{key}"), b"x").starts_with("HTTP/1.1 200"), "{key}");
    }
}

fn trash(at: &str, expect: Expect) -> Trash {
    Trash { path: path(at), expect, label: "run".into() }
}

#[tokio::test]
async fn keys_that_are_no_names_are_neither_shown_nor_lost() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    others(&server, &["d/a", "d//x", "d/%2E%2E/y", "both", "both/z"]);
    let Listing::Partial(entries, error) = place.list(vec![path("d")]).await.remove(0) else { panic!() };
    assert_eq!((entries.len(), entries[0].name.as_bytes()), (1, &b"a"[..]));
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    let Listing::Partial(entries, _) = place.list(vec![path("")]).await.remove(0) else { panic!() };
    assert_eq!(entries.len(), 1, "an object and a directory of one name are not shown");
    let a = stat(&place, "d/a").await.unwrap();
    place.trash(vec![trash("d/a", Expect::Node(a))]).await.remove(0).unwrap();
    let d = stat(&place, "d").await.unwrap();
    let held = place.trash(vec![trash("d", Expect::Node(d))]).await.remove(0);
    assert_eq!(held.unwrap_err().code(), Code::Stale, "it is not empty");
}

#[tokio::test]
async fn a_directory_does_not_end_with_its_last_object() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    others(&server, &["d/a", "d/e/b", "f/c", "g/h"]);
    for file in ["d/e/b", "f/c"] {
        let node = stat(&place, file).await.unwrap();
        place.trash(vec![trash(file, Expect::Node(node))]).await.remove(0).unwrap();
    }
    assert_eq!(listed(&place, "d/e").await, []);
    assert_eq!(listed(&place, "f").await, []);
    let node = stat(&place, "g/h").await.unwrap();
    let away = Move { from: path("g/h"), to: path("d/h"), expect: Expect::Node(node), through: None };
    place.move_items(vec![away]).await.remove(0).unwrap();
    assert_eq!(listed(&place, "g").await, []);
    assert!(
        said(&server.address(), "GET", "/bucket/d/", b"").starts_with("HTTP/1.1 404"),
        "no marker that is not needed"
    );
    // A whole tree goes, its directory last, and leaves nothing.
    let (file, dir) = (stat(&place, "d/a").await.unwrap(), stat(&place, "d/e").await.unwrap());
    let h = stat(&place, "d/h").await.unwrap();
    let d = stat(&place, "d").await.unwrap();
    let all = [("d/a", file), ("d/h", h), ("d/e", dir), ("d", d)];
    let all: Vec<Trash> = all.into_iter().map(|(at, node)| trash(at, Expect::Node(node))).collect();
    for result in place.trash(all).await {
        result.unwrap();
    }
    assert_eq!(stat(&place, "d").await, None);
    assert_eq!(place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap(), 4);
    let left = said(&server.address(), "GET", "/bucket?list-type=2&prefix=.portbook", b"");
    assert!(left.contains("<KeyCount>0<"), "{left}");
}

#[tokio::test]
async fn a_directory_without_a_marker_moves_with_all_that_is_in_it() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    others(&server, &["d/a", "d/e/b", "d/e/f/c", "dd/x"]);
    let node = stat(&place, "d").await.unwrap();
    assert_eq!(node.kind, Kind::Dir);
    let inside = Move { from: path("d"), to: path("d/e/d"), expect: Expect::Node(node.clone()), through: None };
    assert!(place.move_items(vec![inside]).await.remove(0).is_err(), "it cannot go into itself");
    let go = Move { from: path("d"), to: path("new/d"), expect: Expect::Node(node), through: None };
    place.move_items(vec![go]).await.remove(0).unwrap();
    assert_eq!((stat(&place, "d").await, content(&place, "new/d/e/f/c").await), (None, b"x".to_vec()));
    assert_eq!(content(&place, "dd/x").await, b"x");
}

/// More than a page of a listing, and names that sort around the `/`.
#[tokio::test]
async fn a_directory_of_more_than_a_page_is_listed_whole() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    let keys: Vec<String> = (0..1_005).map(|i| format!("d/f{i:04}")).collect();
    others(&server, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    others(&server, &["d-x", "d.x", "d/sub/x"]);
    assert_eq!(listed(&place, "d").await.len(), 1_006);
    assert_eq!(stat(&place, "d").await.unwrap().kind, Kind::Dir);
}
