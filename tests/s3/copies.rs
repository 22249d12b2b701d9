//! Copies by the server that are too large for one request, tried with objects of 21 MiB and a limit of 8 MiB.

use portbook::Code;
use portbook::delta::Expect;
use portbook::model::{Node, Timestamp};
use portbook::provider::s3::S3;
use portbook::provider::{Move, Provider as _, Trash};

use crate::contract::{content, listed, path, publish, stat};
use crate::parts::{Large, PART, SIZE, attempt, open, straight, uploads, whole};
use crate::places::{Server, said, said_with};
use crate::proxy::{Act, Proxy, failure};

/// A place whose copies of more than 8 MiB are made in parts.
fn in_parts(proxy: &Proxy) -> S3 {
    open(proxy).copying_in_parts(8 << 20, PART)
}

/// A large file is there.
async fn large(place: &S3) -> Node {
    let staged = attempt(place, Large::whole(), None).await.0.unwrap();
    publish(place, staged, Expect::Absent, None).await.unwrap()
}

async fn moved(place: &S3, node: &Node) -> portbook::Result<Node> {
    let expect = Expect::Node(node.clone());
    let item = Move { from: path("large"), to: path("d/moved"), expect, through: None };
    place.move_items(vec![item]).await.remove(0)
}

fn copied_parts(proxy: &Proxy) -> usize {
    let is_copy = |asked: &&crate::proxy::Asked| {
        asked.is("PUT", "partNumber") && !asked.header("x-amz-copy-source-range").is_empty()
    };
    proxy.seen().iter().filter(is_copy).count()
}

#[tokio::test]
async fn a_large_object_is_moved_in_parts_with_its_time() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = straight(&server);
    let place = in_parts(&proxy);
    let node = large(&place).await;
    let there = moved(&place, &node).await.unwrap();
    assert_eq!(copied_parts(&proxy) as u64, SIZE.div_ceil(PART));
    assert_eq!((stat(&place, "large").await, stat(&place, "d/moved").await), (None, Some(there.clone())));
    assert_eq!(listed(&place, "d").await[0].node, there, "a listing shows what the move answered");
    assert!(content(&place, "d/moved").await == whole());
    let opened = place.read(&path("d/moved"), Some(&there), 0, Some(1)).await.unwrap();
    assert_eq!(opened.mtime, Some(Timestamp { secs: 1_500_000_000, nanos: 5 }));
    // Its hash is not known to anybody by its tag, which is one of parts.
    let tag = String::from_utf8(there.token.revision.clone().unwrap().to_vec()).unwrap();
    assert!(tag.ends_with(&format!("-{}", SIZE.div_ceil(PART))), "{tag}");
    assert_eq!(place.native_hashes(vec![(path("d/moved"), there.clone())]).await, [None]);
    // To the trash and over it, in the same way.
    let trash = Trash { path: path("d/moved"), expect: Expect::Node(there), label: "run".into() };
    place.trash(vec![trash]).await.remove(0).unwrap();
    assert_eq!((stat(&place, "d/moved").await, copied_parts(&proxy) as u64), (None, 2 * SIZE.div_ceil(PART)));
}

/// rclone takes a copy of a part for a part without content.
#[tokio::test]
async fn a_server_that_copies_no_parts_copies_the_whole() {
    let Some(server) = Server::rclone() else { return };
    server.bucket("bucket");
    let proxy = straight(&server);
    let place = in_parts(&proxy);
    let node = large(&place).await;
    let there = moved(&place, &node).await.unwrap();
    assert!(copied_parts(&proxy) > 0, "it was tried");
    assert_eq!((stat(&place, "large").await, stat(&place, "d/moved").await), (None, Some(there)));
    assert!(content(&place, "d/moved").await == whole());
}

#[tokio::test]
async fn a_copy_in_parts_is_stored_as_its_original() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let lines = "Content-Type: text/x-odd\r\nCache-Control: no-store\r\nx-amz-meta-of-others: 7 blanks\r\n";
    said_with(&server.address(), "PUT", "/bucket/large", lines, &whole());
    let place = in_parts(&straight(&server));
    let node = stat(&place, "large").await.unwrap();
    moved(&place, &node).await.unwrap();
    let head = said(&server.address(), "HEAD", "/bucket/d/moved", b"").to_lowercase();
    for line in ["content-type: text/x-odd", "cache-control: no-store", "x-amz-meta-of-others: 7 blanks"] {
        assert!(head.contains(line), "{line}: {head}");
    }
}

/// Whether the server minds the condition of each part (moto does not) or not.
#[tokio::test]
async fn an_original_that_changes_is_not_mixed() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let address = server.address();
    let proxy = Proxy::start(Some(server.address()), move |asked| {
        if asked.is("PUT", "/bucket/d/moved?partNumber=3") {
            said(&address, "PUT", "/bucket/large", &vec![7; SIZE as usize]);
        }
        Act::Forward
    });
    let place = in_parts(&proxy);
    let node = large(&place).await;
    assert_eq!(moved(&place, &node).await.unwrap_err().code(), Code::Stale);
    assert_eq!((stat(&place, "d/moved").await, uploads(&server)), (None, 0));
    assert!(content(&place, "large").await == vec![7; SIZE as usize], "the edit stays");
}

#[tokio::test]
async fn a_copy_in_parts_that_fails_leaves_nothing() {
    for part in ["partNumber=4", "POST"] {
        let Some(server) = Server::moto() else { return };
        server.bucket("bucket");
        let proxy = Proxy::start(Some(server.address()), move |asked| {
            let is_part = asked.is("PUT", part) && !asked.header("x-amz-copy-source").is_empty();
            let is_end = part == "POST" && asked.is("POST", "/bucket/d/moved?uploadId");
            match is_part || is_end {
                true => Act::Answer(failure("403 Forbidden", "AccessDenied", &[])),
                false => Act::Forward,
            }
        });
        let place = in_parts(&proxy);
        let node = large(&place).await;
        assert_eq!(moved(&place, &node).await.unwrap_err().code(), Code::Permission, "{part}");
        assert_eq!((stat(&place, "d/moved").await, uploads(&server)), (None, 0), "{part}");
        assert_eq!(stat(&place, "large").await, Some(node), "{part}");
    }
}
