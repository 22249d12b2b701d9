//! Locks: taken where the place is told to or the server wants one, given back whatever comes, and never broken.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::provider::webdav::{WebDav, WebDavOptions};
use portbook::provider::{Provider as _, Trash};

use crate::contract::{self, content, path, put, stat};
use crate::in_process::locking_webdav;
use crate::mock::{self, Mock, listing, one, with};
use crate::proxy::{Act, Asked, Proxy, answer};
use crate::service::Service;

fn opened(url: &str, lock: bool) -> WebDav {
    WebDav::open(WebDavOptions { url: url.to_owned(), lock, ..WebDavOptions::default() }).unwrap()
}

/// An answer to a request of somebody else's.
fn said(url: &str, method: &str, name: &str, headers: &str, body: &str) -> String {
    let (address, root) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{method} /{root}{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Somebody locks an item; answers the token.
fn lock(url: &str, name: &str) -> String {
    let body = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>\
                <D:owner>Ada, until lunch</D:owner></D:lockinfo>";
    let answer = said(url, "LOCK", name, "Timeout: Second-600\r\nContent-Type: application/xml\r\n", body);
    let token =
        answer.lines().find_map(|line| line.to_lowercase().starts_with("lock-token: ").then(|| line[12..].trim()));
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Whether an item is locked by anybody.
fn is_locked(url: &str, name: &str) -> bool {
    let body = "<D:propfind xmlns:D='DAV:'><D:prop><D:lockdiscovery/></D:prop></D:propfind>";
    let answer = said(url, "PROPFIND", name, "Depth: 0\r\nContent-Type: application/xml\r\n", body);
    assert!(answer.starts_with("HTTP/1.1 207"), "{answer}");
    answer.contains("activelock")
}

fn throw(name: &str, expect: Expect) -> Trash {
    Trash { path: path(name), expect, label: "run".into() }
}

async fn keeps_the_contract(one: &str, other: &str) {
    contract::run(|| opened(one, true), || opened(other, true)).await;
    for name in ["one", "large", "e2/file", "", "e2/"] {
        assert!(!is_locked(one, name), "{name} was given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_locks_a_server_in_this_process_keeps_the_contract() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    keeps_the_contract(&locking_webdav(left.path()).await, &locking_webdav(right.path()).await).await;
}

fn apache() -> Option<(Service, String)> {
    let server = Service::start("apache", &["none"])?;
    let url = format!("http://127.0.0.1:{}/dav/", server.port());
    Some((server, url))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_locks_apache_keeps_the_contract() {
    let (Some((_one, left)), Some((_other, right))) = (apache(), apache()) else { return };
    keeps_the_contract(&left, &right).await;
}

/// What somebody has locked is left alone, and it is said who that is.
async fn leaves_alone_what_is_locked(url: &str) {
    for lock_first in [false, true] {
        let place = opened(url, lock_first);
        place.make_dirs(vec![(path("d"), Metadata::default())]).await.remove(0).unwrap();
        let old = put(&place, "d/a", b"old", Expect::Absent).await.unwrap();
        let token = lock(url, "d/a");
        let begun = Instant::now();
        let replaced = put(&place, "d/a", b"newer", Expect::Node(old.clone())).await.unwrap_err();
        let thrown = place.trash(vec![throw("d/a", Expect::Node(old.clone()))]).await.remove(0).unwrap_err();
        for error in [&replaced, &thrown] {
            assert_eq!(error.code(), Code::Busy, "{error}");
            assert!(error.to_string().contains("Ada, until lunch"), "{error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "a lock is not waited for");
        assert_eq!(content(&place, "d/a").await, b"old");
        assert_eq!(stat(&place, "d/a").await, Some(old.clone()));
        assert!(said(url, "UNLOCK", "d/a", &format!("Lock-Token: {token}\r\n"), "").starts_with("HTTP/1.1 204"));
        put(&place, "d/a", b"newer", Expect::Node(old)).await.unwrap();
        assert!(!is_locked(url, "d/a"));
        // A directory with all that may come into it.
        let token = lock(url, "d/");
        let added = put(&place, "d/b", b"b", Expect::Absent).await.unwrap_err();
        let made = place.make_dirs(vec![(path("d/e"), Metadata::default())]).await.remove(0).unwrap_err();
        for error in [&added, &made] {
            assert_eq!(error.code(), Code::Busy, "{error}");
            assert!(error.to_string().contains("Ada, until lunch"), "{error}");
        }
        assert!(said(url, "UNLOCK", "d/", &format!("Lock-Token: {token}\r\n"), "").starts_with("HTTP/1.1 204"));
        for name in ["d/a", "d"] {
            let there = stat(&place, name).await.unwrap();
            place.trash(vec![throw(name, Expect::Node(there))]).await.remove(0).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_locked_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    leaves_alone_what_is_locked(&locking_webdav(data.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_locked_at_apache_stays_as_it_is() {
    let Some((_server, url)) = apache() else { return };
    leaves_alone_what_is_locked(&url).await;
}

/// Something between a server whose locks hold and the place.
async fn between(data: &Path, rule: impl FnMut(&Asked) -> Act + Send + 'static) -> (Proxy, WebDav) {
    let url = locking_webdav(data).await;
    let proxy = Proxy::start(Some(url.trim_start_matches("http://").trim_end_matches('/').to_owned()), rule);
    let place = opened(&format!("http://{}/", proxy.address), false);
    (proxy, place)
}

fn changes(asked: &Asked) -> bool {
    matches!(asked.method.as_str(), "PUT" | "MOVE" | "DELETE" | "MKCOL" | "COPY")
}

fn locked() -> Act {
    Act::Answer(answer("423 Locked", &[], b"<d:error xmlns:d='DAV:'><d:lock-token-submitted/></d:error>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_locks_gets_them_and_gets_them_back() {
    let data = tempfile::tempdir().unwrap();
    let (proxy, place) = between(data.path(), |asked| {
        // To where nothing is, and into the engine's own, it needs none.
        let is_new = asked.header("overwrite") == "F" && asked.target.contains(".portbook-tmp-");
        let is_own = asked.target.contains("/.portbook/") || asked.method == "COPY";
        if changes(asked) && !is_new && !is_own && !asked.header("if").contains("(<") { locked() } else { Act::Forward }
    })
    .await;
    // The server of the test cannot give back a lock of its root.
    std::fs::create_dir(data.path().join("d")).unwrap();
    place.make_dirs(vec![(path("d/e"), Metadata::default())]).await.remove(0).unwrap();
    let old = put(&place, "d/a", b"old", Expect::Absent).await.unwrap();
    let large = vec![7; 400 << 10];
    let new = put(&place, "d/a", &large, Expect::Node(old)).await.unwrap();
    assert!(content(&place, "d/a").await == large);
    place.trash(vec![throw("d/a", Expect::Node(new))]).await.remove(0).unwrap();
    let dir = stat(&place, "d/e").await.unwrap();
    place.trash(vec![throw("d/e", Expect::Node(dir))]).await.remove(0).unwrap();
    assert_eq!(stat(&place, "d/e").await, None);
    let (taken, given) = (proxy.count("LOCK", ""), proxy.count("UNLOCK", ""));
    assert!(taken >= 6 && given == taken, "{taken} {given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_given_back_after_a_failure_and_one_whose_answer_was_lost_is_found() {
    let data = tempfile::tempdir().unwrap();
    let mut lost = false;
    let (proxy, place) = between(data.path(), move |asked| match asked.method.as_str() {
        "MOVE" if asked.header("overwrite") == "T" && !asked.header("if").contains("(<") => locked(),
        "MOVE" if asked.header("overwrite") == "T" => Act::Answer(answer("507 Insufficient Storage", &[], b"full")),
        "LOCK" if !std::mem::replace(&mut lost, true) => Act::Lose,
        _ => Act::Forward,
    })
    .await;
    let old = put(&place, "a", b"old", Expect::Absent).await.unwrap();
    let failed = put(&place, "a", b"newer", Expect::Node(old)).await.unwrap_err();
    assert_eq!(failed.code(), Code::Quota, "{failed}");
    assert_eq!((proxy.count("LOCK", "/a"), proxy.count("UNLOCK", "/a")), (1, 1));
    assert!(!is_locked(&format!("http://{}/", proxy.address), "a"));
    assert_eq!(content(&place, "a").await, b"old");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_holder_of_a_lock_wrote_is_not_overwritten() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("a");
    let mut is_first = true;
    let (_proxy, place) = between(data.path(), move |asked| {
        if asked.method == "MOVE" && asked.header("overwrite") == "T" && std::mem::take(&mut is_first) {
            // Its holder writes at the last moment, and gives the lock back.
            std::fs::write(&file, b"what its holder wrote").unwrap();
            return locked();
        }
        Act::Forward
    })
    .await;
    let old = put(&place, "a", b"old", Expect::Absent).await.unwrap();
    let late = put(&place, "a", b"newer", Expect::Node(old)).await.unwrap_err();
    assert_eq!(late.code(), Code::Stale, "{late}");
    assert_eq!(content(&place, "a").await, b"what its holder wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_kept_while_a_change_takes_longer_than_it_was_given_for() {
    let given = "<d:prop xmlns:d='DAV:'><d:lockdiscovery><d:activelock><d:timeout>Second-2</d:timeout></d:activelock>\
                 </d:lockdiscovery></d:prop>";
    let locks = Arc::new(AtomicUsize::new(0));
    let mock = Mock::start(move |asked, _| match asked.method.as_str() {
        "LOCK" => {
            locks.fetch_add(1, SeqCst);
            with(mock::answer(200, given), "lock-token", "<urn:uuid:1>")
        }
        "MOVE" => {
            // It takes until the lock was refreshed twice, or for ever as far as that is concerned.
            tokio::task::block_in_place(|| {
                let begun = Instant::now();
                while locks.load(SeqCst) < 3 && begun.elapsed() < Duration::from_secs(30) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            mock::answer(201, "")
        }
        "PUT" | "DELETE" | "UNLOCK" => mock::answer(204, ""),
        _ if asked.path.ends_with('/') => mock::answer(207, &listing("/dav/", &["a"])),
        _ => mock::answer(207, &one(&asked.path)),
    })
    .await;
    let place = opened(&mock.url, true);
    let old = stat(&place, "a").await.unwrap();
    put(&place, "a", b"five!", Expect::Node(old)).await.unwrap();
    let count = |method: &str| mock.asked().iter().filter(|asked| asked.method == method).count();
    assert!(count("LOCK") >= 3, "taken once and refreshed: {}", count("LOCK"));
    assert_eq!(count("UNLOCK"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_locks_says_so_to_a_place_that_is_told_to_lock() {
    let mock = Mock::start(move |asked, _| match asked.method.as_str() {
        "LOCK" => mock::answer(405, ""),
        "PUT" | "MOVE" | "DELETE" => mock::answer(204, ""),
        _ if asked.path.ends_with('/') => mock::answer(207, &listing("/dav/", &["a"])),
        _ => mock::answer(207, &one(&asked.path)),
    })
    .await;
    let place = opened(&mock.url, true);
    let old = stat(&place, "a").await.unwrap();
    let error = put(&place, "a", b"five!", Expect::Node(old)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    assert!(mock.asked().iter().all(|asked| asked.method != "MOVE"));
}

/// Another change of the same item is under way at the server: it is no lock of anybody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_locks_for_a_moment_is_asked_again() {
    let data = tempfile::tempdir().unwrap();
    let mut times = 0;
    let (proxy, place) = between(data.path(), move |asked| match asked.method.as_str() {
        "MOVE" | "LOCK" if asked.target.contains("/a") || asked.header("destination").ends_with("/a") => {
            times += 1;
            if times > 4 { Act::Forward } else { locked() }
        }
        _ => Act::Forward,
    })
    .await;
    put(&place, "a", b"new", Expect::Absent).await.unwrap();
    assert_eq!(content(&place, "a").await, b"new");
    assert_eq!(proxy.count("LOCK", ""), 0, "nothing was there that could be locked");
}

/// Between the refusal and the lock it went: a lock makes an empty file of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_leaves_no_file_where_none_was() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("a");
    let mut is_first = true;
    let (_proxy, place) = between(data.path(), move |asked| {
        if asked.method == "MOVE" && asked.target == "/a" && std::mem::take(&mut is_first) {
            std::fs::remove_file(&file).unwrap();
            return locked();
        }
        Act::Forward
    })
    .await;
    let old = put(&place, "a", b"old", Expect::Absent).await.unwrap();
    let gone = place.trash(vec![throw("a", Expect::Node(old))]).await.remove(0);
    assert_eq!(gone.unwrap_err().code(), Code::Stale);
    assert!(!data.path().join("a").exists());
}
