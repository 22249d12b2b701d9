//! Servers that lie, refuse, or break off: a typed error, and never a smaller tree.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::Expect;
use portbook::provider::http::{Http, HttpOptions};
use portbook::provider::{Listing, Provider, WebAuth};

use crate::contract::{self, new_file, path, put_staged};
use crate::dav::{basic, digest, open};
use crate::mock::{Asked, Mock, answer, listing, one, with};

/// Answers about the root as a server does, and leaves the rest to the test.
fn about(asked: &Asked) -> String {
    if asked.path.ends_with('/') { listing("/dav/", &["a", "b"]) } else { one(&asked.path) }
}

async fn list(place: &impl Provider, at: &str) -> Listing {
    place.list(vec![path(at)]).await.remove(0)
}

fn http(mock: &Mock, auth: WebAuth) -> Http {
    Http::open(HttpOptions { url: mock.url.clone(), auth, ..HttpOptions::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_ends_half_way_is_never_complete() {
    let whole = listing("/dav/d/", &["a", "b", "c"]);
    for cut in [whole.len() - 1, whole.len() / 2, 20, 0] {
        let half = whole[..cut].to_owned();
        let mock = Mock::start(move |asked, _| match asked.path.as_str() {
            "/dav/d/" => answer(207, &half),
            _ => answer(207, &about(asked)),
        });
        let seen = list(&open(&mock.await.url, WebAuth::None), "d").await;
        assert!(matches!(seen, Listing::Partial(..)), "cut at {cut}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn success_without_a_listing_is_no_empty_directory() {
    for body in ["", "<html><title>Sign in</title></html>", "{}"] {
        let mock = Mock::start(move |_, _| answer(200, body)).await;
        let place = open(&mock.url, basic());
        assert_eq!(place.root().await.unwrap_err().code(), Code::Unsupported);
        assert!(matches!(list(&place, "").await, Listing::Unknown(_)));
        let place = http(&mock, basic());
        assert_eq!(place.root().await.unwrap_err().code(), Code::Unsupported);
        assert!(matches!(list(&place, "").await, Listing::Unknown(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_cannot_be_where_they_are_listed_make_it_partial() {
    for name in ["../x", "%2e%2e", "a%2Fb", "a%00", "deep/er"] {
        let body = listing("/dav/", &["good", name]);
        let mock = Mock::start(move |_, _| answer(207, &body)).await;
        match list(&open(&mock.url, WebAuth::None), "").await {
            Listing::Partial(entries, _) => assert_eq!(entries.len(), 1, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_that_is_forbidden_is_unknown_and_the_others_go_on() {
    let mock = Mock::start(|asked, _| match asked.path.as_str() {
        "/dav/secret/" => answer(403, "<d:error xmlns:d='DAV:' xmlns:s='x'><s:message>keep out</s:message></d:error>"),
        "/dav/gone/" => answer(404, ""),
        _ => answer(207, &about(asked)),
    })
    .await;
    let place = open(&mock.url, WebAuth::None);
    let seen = place.list(["", "secret", "gone"].map(path).to_vec()).await;
    assert!(matches!(&seen[0], Listing::Complete(entries) if entries.len() == 2), "{seen:?}");
    match &seen[1] {
        Listing::Unknown(e) => assert!(e.code() == Code::Permission && e.to_string().contains("keep out"), "{e}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(seen[2], Listing::Absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_an_error_of_its_own_and_is_not_tried_again_and_again() {
    let refusals: [(WebAuth, &str, usize); 2] =
        [(basic(), "Basic realm=\"r\"", 1), (digest(), "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", 2)];
    for (auth, challenge, tries) in refusals {
        let mock = Mock::start(move |_, _| with(answer(401, ""), "www-authenticate", challenge)).await;
        let error = open(&mock.url, auth).root().await.unwrap_err();
        assert_eq!(error.code(), Code::Auth);
        assert!(!error.to_string().contains("password\""), "{error}");
        assert_eq!(mock.asked().len(), tries);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_never_follow_a_redirect_to_another_origin() {
    let stranger = Mock::start(|_, _| answer(207, &listing("/dav/", &[]))).await;
    for to in [stranger.url.clone(), "https://127.0.0.1:1/dav/".to_owned(), "/elsewhere/".to_owned()] {
        let target = to.clone();
        let mock = Mock::start(move |_, _| with(answer(302, ""), "location", &target)).await;
        for place in [&open(&mock.url, basic()) as &dyn Provider, &http(&mock, basic())] {
            let error = place.root().await.unwrap_err();
            assert_eq!(error.code(), Code::Unsupported, "{to}");
            assert!(error.to_string().contains("redirects"), "{error}");
        }
    }
    assert!(stranger.asked().is_empty(), "the stranger was never asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_beneath_the_address_are_followed_by_the_same_method_and_not_for_writes() {
    let mock = Mock::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/dav/d") => with(answer(301, ""), "location", "/dav/d/"),
        ("PROPFIND", "/dav/d/") => answer(207, &listing("/dav/d/", &[])),
        ("PUT", _) => with(answer(307, ""), "location", "/dav/other"),
        _ => answer(207, &about(asked)),
    })
    .await;
    let place = open(&mock.url, basic());
    assert!(contract::stat(&place, "d").await.is_some());
    let error = put_staged(&place, new_file(&path("x"), b"five!")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    assert!(!mock.asked().iter().any(|asked| asked.path == "/dav/other"));
    assert!(mock.asked().iter().all(|asked| asked.authorized));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_another_length_are_errors() {
    for (body, code) in [("four", Code::Stale), ("six___", Code::Stale)] {
        let mock = Mock::start(move |asked, _| match asked.method.as_str() {
            "GET" => with(answer(200, body), "etag", "\"v1\""),
            _ => answer(207, &about(asked)),
        })
        .await;
        let place = open(&mock.url, WebAuth::None);
        let node = contract::stat(&place, "a").await.unwrap();
        let read = async { place.read(&path("a"), Some(&node), 0, None).await?.bytes.try_collect::<Vec<_>>().await };
        assert_eq!(read.await.unwrap_err().code(), code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_is_read_from_the_start() {
    let mock = Mock::start(|asked, _| match asked.method.as_str() {
        "GET" => with(answer(200, "01234"), "etag", "\"v1\""),
        _ => answer(207, &about(asked)),
    })
    .await;
    let place = open(&mock.url, WebAuth::None);
    let node = contract::stat(&place, "a").await.unwrap();
    for (offset, length, expected) in [(2, None, "234"), (1, Some(2), "12"), (5, None, ""), (0, Some(0), "")] {
        let opened = place.read(&path("a"), Some(&node), offset, length).await.unwrap();
        let bytes = opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(bytes, expected.as_bytes(), "{offset} {length:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_time_is_asked_again_and_one_without_room_says_so() {
    let busy = AtomicU32::new(0);
    let mock = Mock::start(move |asked, _| match asked.method.as_str() {
        "PROPFIND" if busy.fetch_add(1, Ordering::Relaxed) == 0 => with(answer(503, ""), "retry-after", "0"),
        "PUT" => answer(507, ""),
        "DELETE" => answer(204, ""),
        _ => answer(207, &about(asked)),
    })
    .await;
    let place = open(&mock.url, WebAuth::None);
    place.root().await.unwrap();
    let error = put_staged(&place, new_file(&path("x"), b"five!")).await.unwrap_err();
    assert_eq!(error.code(), Code::Quota);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_server_stored_is_never_put_in_place() {
    let mock = Mock::start(|asked, _| match asked.method.as_str() {
        "PUT" | "MOVE" | "DELETE" => answer(201, ""),
        "PROPFIND" if asked.path == "/dav/x" => answer(404, ""),
        _ => answer(207, &about(asked)),
    })
    .await;
    let place = open(&mock.url, WebAuth::None);
    let staged = put_staged(&place, new_file(&path("x"), b"longer than five")).await.unwrap();
    let error = contract::publish(&place, staged, Expect::Absent, None).await.unwrap_err();
    assert_eq!(error.code(), Code::Storage);
    assert!(!mock.asked().iter().any(|asked| asked.method == "MOVE"));
}

/// A server that shows one page at every address has directories without end.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_endlessly_deep_is_not_followed() {
    let mock = Mock::start(|asked, _| match asked.method.as_str() {
        "PROPFIND" => answer(207, &listing(&asked.path, &[])),
        _ => with(answer(200, "<title>Index of /</title><a href=\"d/\">d/</a></html>"), "content-type", "text/html"),
    });
    let mock = mock.await;
    let deep = ["d"; 2_050].join("/");
    for place in [&open(&mock.url, WebAuth::None) as &dyn Provider, &http(&mock, WebAuth::None)] {
        let seen = place.list(vec![path("d/d/d"), path(&deep)]).await;
        assert!(matches!(seen[0], Listing::Complete(_)), "{seen:?}");
        assert!(matches!(&seen[1], Listing::Unknown(e) if e.code() == Code::Invalid), "{seen:?}");
    }
}
