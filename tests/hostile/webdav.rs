//! WebDAV: another's server in this process (dav-server), and between it and the engine something that changes its answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use portbook::Code;
use portbook::conduit::Place;
use portbook::provider::webdav::{WebDav, WebDavOptions};

use crate::files;
use crate::proxy::{Act, Asked, Proxy, answer};
use crate::story::{Ground, Told, Tree, stops, tell, told};

type Rule = Box<dyn FnMut(&Asked) -> Act + Send>;

struct Server {
    dir: tempfile::TempDir,
    proxy: Proxy,
    is_bad: Arc<AtomicBool>,
}

impl Server {
    async fn start(mut rule: Rule) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = crate::in_process::webdav(dir.path()).await;
        let is_bad: Arc<AtomicBool> = Arc::default();
        let asks = Arc::clone(&is_bad);
        let upstream = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let proxy = Proxy::start(Some(upstream), move |asked| match asks.load(Ordering::SeqCst) {
            true => rule(asked),
            false => Act::Forward,
        });
        Self { dir, proxy, is_bad }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().to_path_buf()
    }
}

#[async_trait]
impl Ground for Server {
    fn place(&self) -> Place {
        let url = format!("http://{}/", self.proxy.address);
        let place = WebDav::open(WebDavOptions { url: url.clone(), ..WebDavOptions::default() }).unwrap();
        Place::Provider { key: url, provider: Arc::new(place) }
    }

    async fn put(&self, path: &str, content: &[u8]) {
        files::write(&self.data().join(path), content, 600);
    }

    async fn tree(&self) -> Tree {
        files::tree(&self.data())
    }

    fn misbehaves(&self, does: bool) {
        self.is_bad.store(does, Ordering::SeqCst);
    }
}

/// The directory is listed.
fn lists(asked: &Asked, dir: &str) -> bool {
    asked.is("PROPFIND", "") && asked.target == dir && asked.header("depth") == "1"
}

fn listing(say: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Rule {
    Box::new(move |asked| if lists(asked, "/bad/") { Act::Answer(say(asked)) } else { Act::Forward })
}

fn saying(answer: Vec<u8>) -> Rule {
    listing(move |_| answer.clone())
}

fn changed(change: fn(Vec<u8>) -> Vec<u8>) -> Rule {
    Box::new(move |asked| if lists(asked, "/bad/") { Act::Change(change) } else { Act::Forward })
}

/// Answers requests of this kind to addresses with this in them.
fn to(method: &'static str, part: &'static str, answer: Vec<u8>) -> Rule {
    Box::new(move |asked| if asked.is(method, part) { Act::Answer(answer.clone()) } else { Act::Forward })
}

fn refusal(status: &str, words: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let body = format!("<d:error xmlns:d='DAV:' xmlns:s='x'><s:message>{words}</s:message></d:error>");
    answer(status, headers, body.as_bytes())
}

/// A directory that shows these items, each with these properties.
fn page(dir: &str, items: &[(&str, &str)]) -> Vec<u8> {
    let item = |href: &str, props: &str| format!("<d:response><d:href>{href}</d:href>{props}</d:response>");
    let fine =
        |props: &str| format!("<d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>");
    let itself = item(dir, &fine("<d:resourcetype><d:collection/></d:resourcetype>"));
    let items: String = items
        .iter()
        .map(|(name, props)| {
            let props = if props.starts_with("<d:propstat") || props.starts_with("<d:status") {
                (*props).to_owned()
            } else {
                fine(&format!("<d:resourcetype/><d:getcontentlength>{props}</d:getcontentlength>"))
            };
            item(&format!("{dir}{name}"), &props)
        })
        .collect();
    let body = format!("<d:multistatus xmlns:d=\"DAV:\">{itself}{items}</d:multistatus>");
    answer("207 Multi-Status", &[("Content-Type", "application/xml")], body.as_bytes())
}

fn bad(items: &[(&str, &str)]) -> Rule {
    saying(page("/bad/", items))
}

const WITHHELD: &str = "<d:propstat><d:prop><d:resourcetype/><d:getcontentlength/></d:prop>\
                        <d:status>HTTP/1.1 403 Forbidden</d:status></d:propstat>";
const DIR: &str = "<d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop>\
                   <d:status>HTTP/1.1 200 OK</d:status></d:propstat>";
const ODD: &str = "cannot be in it";

fn cases() -> Vec<(&'static str, Rule, Told)> {
    let file = |change: fn(Vec<u8>) -> Vec<u8>| -> Rule {
        Box::new(move |asked| if asked.is("GET", "/bad/theirs") { Act::Change(change) } else { Act::Forward })
    };
    let waits = |wait: &'static str| saying(refusal("503 Service Unavailable", "later", &[("Retry-After", wait)]));
    let multi = page("/bad/", &[("ours", "<d:status>HTTP/1.1 507 Insufficient Storage</d:status>")]);
    vec![
        ("a listing that ends half-way", changed(crate::halved), told(Code::Storage, "understand the server's answer")),
        ("a listing that breaks off", changed(crate::cut), told(Code::Offline, "")),
        ("a page for people", saying(answer("200 OK", &[], b"<html>")), told(Code::Unsupported, "200 OK")),
        (
            "a forbidden directory",
            saying(refusal("403 Forbidden", "keep out", &[])),
            told(Code::Permission, "keep out"),
        ),
        ("an item that is withheld", bad(&[("c", WITHHELD)]), told(Code::Permission, "answers 403")),
        (
            "an item that fails",
            bad(&[("c", "<d:status>HTTP/1.1 500 Oops</d:status>")]),
            told(Code::Offline, "answers 500"),
        ),
        ("a way up", bad(&[("c", "3"), ("..", "1")]), told(Code::Storage, ODD)),
        ("a name with a slash", bad(&[("c%2Fd", "1")]), told(Code::Storage, ODD)),
        ("a NUL", bad(&[("c%00", "1")]), told(Code::Storage, ODD)),
        ("a line end", bad(&[("c", "3"), ("d", "4"), ("inner/", DIR), ("x%0D%0AY: z", "1")]), told(Code::Stale, "")),
        ("a name twice", bad(&[("c", "3"), ("c", "4")]), told(Code::Storage, "twice")),
        (
            "sizes that are none",
            bad(&[("c", "-1"), ("d", ""), ("inner/", DIR), ("x", "1.5")]),
            told(Code::Storage, "a length is no number"),
        ),
        ("a size beyond all", bad(&[("c", "18446744073709551615")]), told(Code::Storage, "nothing can have")),
        ("nothing of itself", saying(page("/other/", &[])), told(Code::Storage, "")),
        ("a wait beyond all", waits("18446744073709551615"), told(Code::Throttled, "later")),
        ("a wait until the end of days", waits("Fri, 31 Dec 9999 23:59:59 GMT"), told(Code::Throttled, "later")),
        (
            "redirects in a circle",
            to("PROPFIND", "/bad/", answer("302 Found", &[("Location", "/bad/")], b"")),
            told(Code::Unsupported, "too often"),
        ),
        ("no room", to("PUT", "/bad/", refusal("507 Insufficient Storage", "full", &[])), told(Code::Quota, "full")),
        (
            "a name that is refused",
            Box::new(|asked| match asked.method == "MOVE" && asked.header("destination").ends_with("/bad/ours") {
                true => Act::Answer(refusal("403 Forbidden", "no such names", &[])),
                false => Act::Forward,
            }),
            told(Code::Permission, "no such names"),
        ),
        ("a move that is done in parts", to("MOVE", "/bad/", multi), told(Code::Quota, "507")),
        ("a move that is not done", to("MOVE", "/bad/", answer("201 Created", &[], b"")), told(Code::Stale, "")),
        ("an upload that is not there", to("PUT", "/bad/", answer("201 Created", &[], b"")), told(Code::Stale, "gone")),
        (
            "a page in place of a file",
            to("GET", "/bad/theirs", answer("200 OK", &[("ETag", "\"x\"")], b"<html>error!</html>")),
            told(Code::Stale, ""),
        ),
        (
            "another version of a file",
            to("GET", "/bad/theirs", answer("200 OK", &[("ETag", "\"x\"")], b"not from there!")),
            told(Code::Stale, ""),
        ),
        ("a file that ends early", file(crate::halved), told(Code::Stale, "another size")),
        ("a file that breaks off", file(crate::cut), told(Code::Offline, "")),
        (
            "an emptied root",
            Box::new(|asked| match lists(asked, "/") {
                true => Act::Answer(page("/", &[])),
                false => Act::Forward,
            }),
            stops(Code::Guard, ""),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn webdav() {
    crate::all(cases().into_iter().map(|(what, rule, expected)| async move {
        tell(what, &Server::start(rule).await, expected).await;
    }))
    .await;
}
