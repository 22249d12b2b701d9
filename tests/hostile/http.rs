//! HTTP: a server of this test that shows a directory as nginx does, and lies about a part of it. It is mirrored here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use percent_encoding::percent_decode_str;
use portbook::Code;
use portbook::conduit::Place;
use portbook::identity::ContentHash;
use portbook::provider::http::{Http, HttpOptions};

use crate::files;
use crate::proxy::{Act, Asked, Proxy, answer};
use crate::story::{Ground, Told, Tree, stops, tell, told};

type Rule = Box<dyn FnMut(&Asked, Vec<u8>) -> Option<Vec<u8>> + Send>;

struct Server {
    dir: tempfile::TempDir,
    proxy: Proxy,
    is_bad: Arc<AtomicBool>,
}

/// Index pages and files, whole ones.
fn good(root: &Path, asked: &Asked) -> Vec<u8> {
    let path = percent_decode_str(&asked.target).decode_utf8().unwrap();
    let at = root.join(path.trim_start_matches('/'));
    if at.is_dir() && path.ends_with('/') {
        let mut names: Vec<String> = std::fs::read_dir(&at)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let slash = if entry.path().is_dir() { "/" } else { "" };
                format!("{}{slash}", entry.file_name().to_str().unwrap())
            })
            .collect();
        names.sort();
        return index(&names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let Ok(content) = std::fs::read(&at) else { return answer("404 Not Found", &[], b"") };
    let tag = format!("\"{}\"", ContentHash::of(&content));
    let length = content.len().to_string();
    let body = if asked.method == "HEAD" { &[][..] } else { &content };
    answer("200 OK", &[("ETag", &tag), ("Content-Length", &length)], body)
}

/// The page of a directory.
fn index(names: &[&str]) -> Vec<u8> {
    let links: String = names.iter().map(|name| format!("<a href=\"{name}\">{name}</a>\r\n")).collect();
    let page = format!("<html><head><title>Index of /</title></head><body>{links}</body></html>");
    answer("200 OK", &[("content-type", "text/html")], page.as_bytes())
}

impl Server {
    fn start(mut rule: Rule) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let is_bad: Arc<AtomicBool> = Arc::default();
        let (asks, root) = (Arc::clone(&is_bad), dir.path().to_path_buf());
        let proxy = Proxy::start(None, move |asked| {
            let honest = good(&root, asked);
            let lie = if asks.load(Ordering::SeqCst) { rule(asked, honest.clone()) } else { None };
            Act::Answer(lie.unwrap_or(honest))
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
        let place = Http::open(HttpOptions { url: url.clone(), ..HttpOptions::default() }).unwrap();
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

    fn is_writable(&self) -> bool {
        false
    }
}

fn at(target: &'static str, lie: impl Fn(&Asked, Vec<u8>) -> Vec<u8> + Send + 'static) -> Rule {
    Box::new(move |asked, honest| (asked.target == target).then(|| lie(asked, honest)))
}

fn saying(target: &'static str, lie: Vec<u8>) -> Rule {
    at(target, move |_, _| lie.clone())
}

fn page(names: &[&str]) -> Rule {
    saying("/bad/", index(names))
}

/// Lies in answers to GET, and is honest in those to HEAD.
fn file(lie: fn(Vec<u8>) -> Vec<u8>) -> Rule {
    Box::new(move |asked, honest| asked.is("GET", "/bad/theirs").then(|| lie(honest)))
}

fn sized(length: &'static str) -> Rule {
    saying("/bad/c", answer("200 OK", &[("ETag", "\"x\""), ("Content-Length", length)], b""))
}

fn waits(wait: &'static str) -> Rule {
    let body = b"<html><title>later</title></html>";
    saying("/bad/", answer("503 Service Unavailable", &[("Retry-After", wait)], body))
}

const ODD: &str = "a name that cannot be";

fn cases() -> Vec<(&'static str, Rule, Told)> {
    let login = || answer("200 OK", &[("content-type", "text/html")], b"<html><title>Sign in</title></html>");
    vec![
        (
            "a listing that ends half-way",
            at("/bad/", |_, honest| crate::halved(honest)),
            told(Code::Storage, "half-way"),
        ),
        ("a listing that breaks off", at("/bad/", |_, honest| crate::cut(honest)), told(Code::Offline, "")),
        ("a page that is no listing", saying("/bad/", login()), told(Code::Unsupported, "no list of files")),
        (
            "a forbidden directory",
            saying("/bad/", answer("403 Forbidden", &[], b"<html><title>keep out</title></html>")),
            told(Code::Permission, "keep out"),
        ),
        ("a way up", page(&["c", "x/../../up"]), told(Code::Storage, ODD)),
        ("a name with a slash", page(&["c%2Fd"]), told(Code::Storage, ODD)),
        ("a NUL", page(&["c%00"]), told(Code::Storage, ODD)),
        ("a file that is a directory", page(&["c", "c/"]), told(Code::Storage, "as a file and as a directory")),
        ("a file that is not there", page(&["c", "no"]), told(Code::Storage, "listed and not there")),
        ("a negative size", sized("-1"), told(Code::Offline, "")),
        ("a size beyond all", sized("18446744073709551615"), told(Code::Storage, "nothing can have")),
        ("a wait beyond all", waits("18446744073709551615"), told(Code::Throttled, "later")),
        ("a wait until the end of days", waits("Fri, 31 Dec 9999 23:59:59 GMT"), told(Code::Throttled, "later")),
        (
            "redirects in a circle",
            saying("/bad/", answer("302 Found", &[("Location", "/bad/")], b"")),
            told(Code::Unsupported, "too often"),
        ),
        ("a file that ends early", file(crate::halved), told(Code::Stale, "another size")),
        ("a file that breaks off", file(crate::cut), told(Code::Offline, "")),
        (
            "a page in place of a file",
            file(|_| answer("200 OK", &[("ETag", "\"x\"")], b"<html>error</html>")),
            told(Code::Stale, ""),
        ),
        (
            "another version of a file",
            file(|_| answer("200 OK", &[("ETag", "\"x\"")], b"not from there!")),
            told(Code::Stale, "changed"),
        ),
        ("an emptied root", saying("/", index(&[])), stops(Code::Guard, "")),
        ("a root that is a page", saying("/", login()), stops(Code::Unsupported, "no list of files")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn http() {
    crate::all(cases().into_iter().map(|(what, rule, expected)| async move {
        tell(what, &Server::start(rule), expected).await;
    }))
    .await;
}
