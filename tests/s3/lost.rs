//! Answers that never arrive: what became of the request is found out before anything is told.

use portbook::Code;
use portbook::delta::Expect;
use portbook::provider::s3::S3;
use portbook::provider::{Provider as _, Trash};

use crate::contract::{content, path, put, stat};
use crate::places::{Server, said};
use crate::proxy::{Act, Proxy};

/// Loses the answers to the first so many requests of this kind.
fn losing(server: &Server, times: usize, method: &'static str, part: &'static str) -> Proxy {
    server.bucket("bucket");
    let mut lost = 0;
    Proxy::start(Some(server.address()), move |asked| {
        if asked.is(method, part) && lost < times {
            lost += 1;
            return Act::Lose;
        }
        Act::Forward
    })
}

#[tokio::test]
async fn the_own_object_is_no_strangers_after_a_lost_answer() {
    let Some(server) = Server::moto() else { return };
    let proxy = losing(&server, 2, "PUT", "/bucket/a");
    let place = S3::open(proxy.options()).unwrap();
    let node = put(&place, "a", b"mine", Expect::Absent).await.unwrap();
    assert_eq!((stat(&place, "a").await, proxy.count("PUT", "/bucket/a")), (Some(node), 3));
}

#[tokio::test]
async fn a_strangers_object_is_one_after_a_lost_request() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let address = server.address();
    let mut first = true;
    let proxy = Proxy::start(Some(address.clone()), move |asked| {
        if asked.is("PUT", "/bucket/a") && std::mem::take(&mut first) {
            said(&address, "PUT", "/bucket/a", b"a stranger's");
            return Act::HangUp;
        }
        Act::Forward
    });
    let place = S3::open(proxy.options()).unwrap();
    assert_eq!(put(&place, "a", b"mine", Expect::Absent).await.unwrap_err().code(), Code::Stale);
    assert_eq!(content(&place, "a").await, b"a stranger's");
}

#[tokio::test]
async fn an_edit_that_came_before_a_replacement_or_a_removal_stays() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let place = S3::open(server.options("bucket")).unwrap();
    for is_removal in [false, true] {
        said(&server.address(), "DELETE", "/bucket/a", b"");
        let old = put(&place, "a", b"old", Expect::Absent).await.unwrap();
        let address = server.address();
        // The edit comes at the last moment: when the request that would undo it is under way.
        let method = if is_removal { "DELETE" } else { "PUT" };
        let edit = Proxy::start(Some(server.address()), move |asked| {
            if asked.is(method, "/bucket/a") && !asked.target.contains("portbook") {
                said(&address, "PUT", "/bucket/a", b"edited");
            }
            Act::Forward
        });
        let raced = S3::open(edit.options()).unwrap();
        let late = if is_removal {
            let trash = Trash { path: path("a"), expect: Expect::Node(old), label: "run".into() };
            raced.trash(vec![trash]).await.remove(0)
        } else {
            put(&raced, "a", b"new", Expect::Node(old)).await.map(drop)
        };
        assert_eq!(late.unwrap_err().code(), Code::Stale);
        assert_eq!(content(&place, "a").await, b"edited");
    }
}

#[tokio::test]
async fn directories_and_removals_are_done_once_after_lost_answers() {
    let Some(server) = Server::moto() else { return };
    let proxy = losing(&server, 1, "PUT", "/bucket/d/");
    let place = S3::open(proxy.options()).unwrap();
    place.make_dirs(vec![(path("d"), Default::default())]).await.remove(0).unwrap();
    let proxy = losing(&server, 1, "DELETE", "/bucket/d/a");
    let place = S3::open(proxy.options()).unwrap();
    let node = put(&place, "d/a", b"a", Expect::Absent).await.unwrap();
    let trash = Trash { path: path("d/a"), expect: Expect::Node(node), label: "run".into() };
    place.trash(vec![trash]).await.remove(0).unwrap();
    assert_eq!(stat(&place, "d/a").await, None);
    assert!(stat(&place, "d").await.is_some());
}
