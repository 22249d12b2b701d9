//! Servers that fail, redirect, throttle and lie.

use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::Expect;
use portbook::model::{Ident, Kind, Node, Token};
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Listing, Provider as _, Trash};
use portbook::{Error, Result};

use crate::contract::{self, path, put};
use crate::places::Server;
use crate::proxy::{Act, Proxy, answer, failure, page};

const WHOLE: &str = "<IsTruncated>false</IsTruncated>";
const MORE: &str = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";

async fn listing(proxy: &Proxy) -> Listing {
    S3::open(proxy.options()).unwrap().list(vec![path("")]).await.remove(0)
}

fn node(size: u64, etag: &str) -> Node {
    let token = Token { size, revision: Some(etag.as_bytes().into()), ..Token::default() };
    Node { kind: Kind::File, ident: Ident::None, token }
}

async fn read(proxy: &Proxy, expect: Option<&Node>) -> Result<Vec<u8>> {
    let opened = S3::open(proxy.options()).unwrap().read(&path("a"), expect, 0, None).await?;
    Ok(opened.bytes.try_collect::<Vec<_>>().await?.concat())
}

#[tokio::test]
async fn a_listing_that_breaks_on_its_second_page_is_partial() {
    let broken: [Vec<u8>; 5] = [
        failure("403 Forbidden", "AccessDenied", &[]),
        answer("200 OK", &[], b"<ListBucketResult><Contents><Key>b</Key>"),
        answer("200 OK", &[], b"<html></html>"),
        failure("200 OK", "AccessDenied", &[]),
        page(&["b"], MORE),
    ];
    for second in broken {
        let shown = String::from_utf8_lossy(&second).into_owned();
        let proxy = Proxy::alone(move |asked| match asked.target.contains("continuation-token") {
            true => second.clone(),
            false => page(&["a"], MORE),
        });
        let Listing::Partial(entries, _) = listing(&proxy).await else { panic!("{shown}") };
        assert!(entries.iter().any(|entry| entry.name.as_bytes() == b"a"), "{shown}");
    }
}

#[tokio::test]
async fn a_listing_that_cannot_be_believed_says_nothing() {
    for body in ["", "<html>Welcome</html>", "<ListBucketResult></ListBucketResult>", "<ListBucketResult><Contents>"] {
        let proxy = Proxy::alone(move |_| answer("200 OK", &[], body.as_bytes()));
        assert!(matches!(listing(&proxy).await, Listing::Unknown(_)), "{body}");
    }
}

#[tokio::test]
async fn a_server_with_the_first_version_of_listings_is_listed_whole() {
    let proxy = Proxy::alone(|asked| match &asked.target {
        target if target.contains("list-type=2") => failure("501 Not Implemented", "NotImplemented", &[]),
        target if target.contains("marker=b") => page(&["c"], WHOLE),
        _ => page(&["a", "b"], "<IsTruncated>true</IsTruncated>"),
    });
    let Listing::Complete(entries) = listing(&proxy).await else { panic!() };
    assert_eq!(entries.len(), 3);
}

#[tokio::test]
async fn control_characters_are_asked_for_in_a_form_that_can_hold_them() {
    let encoded = format!("<EncodingType>url</EncodingType>{WHOLE}");
    let proxy = Proxy::alone(move |asked| match asked.target.contains("encoding-type=url") {
        true => page(&["a%1B+b"], &encoded),
        false => page(&["a\u{fffd} b"], WHOLE),
    });
    let Listing::Complete(entries) = listing(&proxy).await else { panic!() };
    assert_eq!(entries[0].name.as_bytes(), b"a\x1b b");
    let lossy = Proxy::alone(|_| page(&["a\u{fffd}b", "c"], WHOLE));
    let Listing::Partial(entries, _) = listing(&lossy).await else { panic!() };
    assert_eq!(entries.len(), 1, "what the server cannot write is not guessed");
}

#[tokio::test]
async fn the_region_that_the_server_names_is_believed_and_its_host_is_not() {
    let elsewhere = Proxy::alone(|_| page(&[], WHOLE));
    let location = format!("http://{}/bucket/", elsewhere.address);
    let redirects: [(&str, &str); 3] = [
        ("301 Moved Permanently", "PermanentRedirect"),
        ("307 Temporary Redirect", "TemporaryRedirect"),
        ("400 Bad Request", "AuthorizationHeaderMalformed"),
    ];
    for (status, code) in redirects {
        let location = location.clone();
        let proxy = Proxy::alone(move |asked| match asked.header("authorization").contains("/eu-north-1/s3/") {
            true => page(&["a"], WHOLE),
            false => failure(status, code, &[("Location", &location), ("x-amz-bucket-region", "eu-north-1")]),
        });
        let place = S3::open(proxy.options()).unwrap();
        assert_eq!(contract::listed(&place, "").await.len(), 1, "{status}");
        assert_eq!(contract::listed(&place, "").await.len(), 1);
        assert_eq!(proxy.seen().len(), 3, "the region is learnt once");
    }
    let stubborn = Proxy::alone(move |_| {
        failure(
            "301 Moved Permanently",
            "PermanentRedirect",
            &[("x-amz-bucket-region", "eu-x"), ("Location", &location)],
        )
    });
    let error = S3::open(stubborn.options()).unwrap().root().await.unwrap_err();
    assert_eq!((error.code(), stubborn.seen().len()), (Code::Invalid, 2), "{error}");
    assert_eq!(elsewhere.seen().len(), 0, "no other host hears of it");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_set_by_the_servers() {
    let proxy = Proxy::alone(|asked| match asked.header("x-amz-date").starts_with("20300101T") {
        true => page(&[], WHOLE),
        false => failure("403 Forbidden", "RequestTimeTooSkewed", &[("Date", "Tue, 01 Jan 2030 12:00:00 GMT")]),
    });
    S3::open(proxy.options()).unwrap().root().await.unwrap();
    assert_eq!(proxy.seen().len(), 2);
    let insists = Proxy::alone(|_| {
        failure("403 Forbidden", "RequestTimeTooSkewed", &[("Date", "Tue, 01 Jan 2030 12:00:00 GMT")])
    });
    let error = S3::open(insists.options()).unwrap().root().await.unwrap_err();
    assert_eq!((error.code(), insists.seen().len()), (Code::Auth, 2));
}

#[tokio::test]
async fn a_server_that_asks_for_time_is_asked_again() {
    let mut asked_before = false;
    let proxy = Proxy::alone(move |_| match std::mem::replace(&mut asked_before, true) {
        true => page(&["a"], WHOLE),
        false => failure("503 Slow Down", "SlowDown", &[("Retry-After", "1")]),
    });
    let place = S3::open(proxy.options()).unwrap();
    assert_eq!((contract::listed(&place, "").await.len(), proxy.seen().len()), (1, 2));
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_file() {
    let proxy = Proxy::alone(|_| answer("200 OK", &[("ETag", "\"e\""), ("Content-Length", "100")], &[7; 50]));
    assert_eq!(read(&proxy, None).await.unwrap_err().code(), Code::Unsupported, "it does not go on where it broke");
    let always = Proxy::alone(|asked| {
        let start: usize =
            asked.header("range").trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap_or(0);
        let range = format!("bytes {start}-99/100");
        let length = (100 - start).to_string();
        let headers = [("ETag", "\"e\""), ("Content-Range", range.as_str()), ("Content-Length", &length)];
        // No byte comes through any more after the first ones.
        answer("206 Partial Content", &headers, if start == 0 { &[7; 50] } else { &[] })
    });
    let opened = S3::open(always.options()).unwrap().read(&path("a"), None, 0, Some(100)).await.unwrap();
    let error = opened.bytes.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.code(), Code::Offline, "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_goes_on_with_the_same_version() {
    let content: Vec<u8> = (0..100).collect();
    let whole = content.clone();
    let proxy = Proxy::alone(move |asked| match asked.header("range") {
        "" => answer("200 OK", &[("ETag", "\"e\""), ("Content-Length", "100")], &content[..50]),
        "bytes=50-99" if asked.header("if-match") == "\"e\"" => {
            answer("206 Partial Content", &[("ETag", "\"e\""), ("Content-Range", "bytes 50-99/100")], &content[50..])
        }
        _ => failure("412 Precondition Failed", "PreconditionFailed", &[]),
    });
    assert_eq!(read(&proxy, None).await.unwrap(), whole);
    let mut first = true;
    let changes = Proxy::alone(move |_| match std::mem::take(&mut first) {
        true => answer("200 OK", &[("ETag", "\"e\""), ("Content-Length", "100")], &[7; 50]),
        false => answer("206 Partial Content", &[("ETag", "\"f\""), ("Content-Range", "bytes 50-99/100")], &[8; 50]),
    });
    assert_eq!(read(&changes, None).await.unwrap_err().code(), Code::Stale);
}

#[tokio::test]
async fn a_body_that_is_longer_than_it_says_is_no_file() {
    let chunks = b"a\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n";
    let headers = [("ETag", "\"e\""), ("Content-Range", "bytes 0-9/10"), ("Transfer-Encoding", "chunked")];
    let proxy = Proxy::alone(move |_| answer("206 Partial Content", &headers, chunks));
    let opened = S3::open(proxy.options()).unwrap().read(&path("a"), None, 0, Some(10)).await.unwrap();
    assert!(opened.bytes.try_collect::<Vec<_>>().await.is_err());
    let sized = Proxy::alone(|_| answer("200 OK", &[("ETag", "\"e\"")], &[7; 20]));
    assert_eq!(read(&sized, Some(&node(10, "e"))).await.unwrap_err().code(), Code::Stale);
    assert_eq!(read(&sized, Some(&node(20, "f"))).await.unwrap_err().code(), Code::Stale, "it knows no conditions");
    assert_eq!(read(&sized, Some(&node(20, "e"))).await.unwrap(), [7; 20]);
}

#[tokio::test]
async fn a_success_with_an_error_in_it_is_a_failure() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = Proxy::start(Some(server.address()), |asked| match asked.header("x-amz-copy-source") {
        "" => Act::Forward,
        _ => Act::Answer(failure("200 OK", "AccessDenied", &[])),
    });
    let place = S3::open(proxy.options()).unwrap();
    let node = put(&place, "a", b"a", Expect::Absent).await.unwrap();
    let trash = Trash { path: path("a"), expect: Expect::Node(node), label: "run".into() };
    let error: Error = place.trash(vec![trash]).await.remove(0).unwrap_err();
    assert_eq!(error.code(), Code::Permission, "{error}");
    assert_eq!(contract::content(&place, "a").await, b"a", "nothing was removed");
}

#[tokio::test]
async fn a_server_that_stores_something_else_is_found_out() {
    let Some(server) = Server::moto() else { return };
    server.bucket("bucket");
    let proxy = Proxy::start(Some(server.address()), |asked| match asked.is("PUT", "/bucket/a") {
        true => Act::Answer(answer("200 OK", &[("ETag", "\"00000000000000000000000000000000\"")], b"")),
        false => Act::Forward,
    });
    let place = S3::open(proxy.options()).unwrap();
    assert_eq!(put(&place, "a", b"a", Expect::Absent).await.unwrap_err().code(), Code::Storage);
}

#[tokio::test]
async fn nothing_that_a_proxy_may_change_is_signed() {
    let proxy = Proxy::alone(|_| answer("200 OK", &[("ETag", "\"e\"")], b"a"));
    let options = S3Options { session_token: Some("token".into()), ..proxy.options() };
    let opened = S3::open(options).unwrap().read(&path("a"), Some(&node(1, "e")), 0, None).await.unwrap();
    opened.bytes.try_collect::<Vec<_>>().await.unwrap();
    let asked = &proxy.seen()[0];
    let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
    assert!(asked.header("authorization").contains(signed), "{asked:?}");
    assert_eq!((asked.header("if-match"), asked.header("accept-encoding")), ("\"e\"", "identity"));
    assert_eq!(asked.target, "/bucket/a", "nothing of it is in the URL");
}
