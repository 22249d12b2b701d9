//! Reading from HTTP servers that nobody here wrote.

use std::path::Path;

use portbook::Code;
use portbook::identity::ContentHash;
use portbook::model::Kind;
use portbook::provider::http::{Http, HttpOptions};
use portbook::provider::{Listing, Provider as _, WebAuth, Writable};

use crate::contract::{content, listed, new_file, path, put_staged, stat};
use crate::dav::basic;
use crate::service::Service;

fn open(url: &str, auth: WebAuth) -> Http {
    Http::open(HttpOptions { url: url.to_owned(), auth, ..HttpOptions::default() }).unwrap()
}

pub fn fill(data: &Path) {
    std::fs::create_dir_all(data.join("sub dir/deep")).unwrap();
    std::fs::create_dir_all(data.join("empty")).unwrap();
    std::fs::write(data.join("a b&c#%.txt"), b"odd").unwrap();
    std::fs::write(data.join("nothing"), b"").unwrap();
    std::fs::write(data.join("sub dir/large"), large()).unwrap();
    std::fs::write(data.join("sub dir/deep/x"), b"x").unwrap();
}

fn large() -> Vec<u8> {
    (0..3_000_000_u32).map(|i| (i % 251) as u8).collect()
}

async fn reads(place: &Http) {
    assert_eq!(place.root().await.unwrap().writable, Writable::Nowhere);
    let entries = listed(place, "").await;
    let names: Vec<String> = entries.iter().map(|e| e.name.to_string()).collect();
    assert_eq!(names, ["a b&c#%.txt", "empty", "nothing", "sub dir"]);
    for entry in &entries {
        assert_eq!(stat(place, &entry.name.to_string()).await.as_ref(), Some(&entry.node), "{}", entry.name);
    }
    assert_eq!(listed(place, "empty").await, []);
    let deep = listed(place, "sub dir").await;
    assert_eq!((deep[0].node.kind, deep[1].node.token.size), (Kind::Dir, 3_000_000), "sizes are not rounded");
    assert!(matches!(place.list(vec![path("no/where")]).await[0], Listing::Absent));
    assert_eq!(stat(place, "no/where").await, None);
    assert_eq!((content(place, "a b&c#%.txt").await, content(place, "nothing").await), (b"odd".to_vec(), vec![]));
    let hashed = place.hash(vec![path("sub dir/large")]).await.remove(0).unwrap();
    assert_eq!(hashed.content, ContentHash::of(&large()));
    for (offset, length) in [(1, Some(1)), (1_048_575, Some(1_048_578)), (2_999_999, None), (3_000_000, None)] {
        use futures_util::TryStreamExt as _;
        let opened = place.read(&path("sub dir/large"), Some(&deep[1].node), offset, length).await.unwrap();
        let got = opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
        let end = length.map_or(3_000_000, |length| offset + length) as usize;
        assert_eq!(got, large()[offset as usize..end], "{offset} {length:?}");
    }
    let refused = put_staged(place, new_file(&path("new"), b"x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unsupported);
}

/// An edit on the server between the look and the read.
async fn notices_an_edit(place: &Http, data: &Path) {
    let before = stat(place, "sub dir/deep/x").await.unwrap();
    std::fs::write(data.join("sub dir/deep/x"), b"yy").unwrap();
    assert_eq!(place.read(&path("sub dir/deep/x"), Some(&before), 0, None).await.err().unwrap().code(), Code::Stale);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_nginx_are_read_by_both_of_its_pages() {
    let Some(server) = Service::start("nginx", &[]) else { return };
    let data = server.directory().join("data");
    fill(&data);
    for page in ["html", "json"] {
        reads(&open(&format!("http://127.0.0.1:{}/{page}/", server.port()), basic())).await;
    }
    notices_an_edit(&open(&format!("http://127.0.0.1:{}/json/", server.port()), basic()), &data).await;
    let wrong = WebAuth::Basic { user: "user".into(), password: "wrong".into() };
    let refused = open(&format!("http://127.0.0.1:{}/html/", server.port()), wrong).root().await.unwrap_err();
    assert_eq!(refused.code(), Code::Auth);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_apache_are_read_with_digest() {
    let Some(server) = Service::start("apache", &["digest"]) else { return };
    let data = server.directory().join("data");
    fill(&data);
    let place = open(&format!("http://127.0.0.1:{}/files/", server.port()), crate::dav::digest());
    reads(&place).await;
    notices_an_edit(&place, &data).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_rclone_are_read() {
    let Some(server) = Service::start("rclone", &["http"]) else { return };
    fill(&server.directory().join("data"));
    reads(&open(&format!("http://127.0.0.1:{}/", server.port()), basic())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_by_a_document_and_identified_by_a_query() {
    use crate::mock::{Mock, answer};
    let mock = Mock::start(|asked, _| match asked.path.as_str() {
        "/dav/list.json" => answer(200, r#"[{"path":"d/x","size":5,"modified":"2026-01-02T03:04:05Z","id":"7"}]"#),
        "/dav/" => answer(200, "01234"),
        _ => answer(404, ""),
    })
    .await;
    let options = HttpOptions {
        url: mock.url.clone(),
        use_query_params: Some("id".into()),
        index: Some("list.json".into()),
        ..HttpOptions::default()
    };
    let place = Http::open(options).unwrap();
    place.root().await.unwrap();
    assert_eq!(listed(&place, "").await[0].node.kind, Kind::Dir);
    assert_eq!(listed(&place, "d").await[0].node.token.mtime.unwrap().secs, 1_767_323_045);
    assert!(matches!(place.list(vec![path("e")]).await[0], Listing::Absent));
    assert_eq!(content(&place, "d/x").await, b"01234");
}
