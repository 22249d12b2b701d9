//! S3: a server that nobody here wrote (moto), and between it and the engine something that changes its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::conduit::Place;
use portbook::delta::Expect;
use portbook::model::{Kind, RelPath};
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Listing, Provider as _};

use crate::contract::put;
use crate::proxy::{Act, Asked, Proxy, answer, failure};
use crate::service::Service;
use crate::story::{Ground, Told, Tree, stops, tell, told};

pub type Rule = Box<dyn FnMut(&Asked) -> Act + Send>;

pub struct Bucket {
    clean: S3,
    pub proxy: Proxy,
    is_bad: Arc<AtomicBool>,
}

impl Bucket {
    pub fn of(port: u16, mut rule: Rule) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("bucket{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{port}");
        let made = crate::said(&address, "PUT", &format!("/{bucket}"));
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        let is_bad: Arc<AtomicBool> = Arc::default();
        let asks = Arc::clone(&is_bad);
        let proxy = Proxy::start(Some(address.clone()), move |asked| match asks.load(Ordering::SeqCst) {
            true => rule(asked),
            false => Act::Forward,
        });
        let options = S3Options::new(format!("http://{address}"), bucket, "key", "secret-key");
        Self { clean: S3::open(options).unwrap(), proxy, is_bad }
    }
}

#[async_trait]
impl Ground for Bucket {
    fn place(&self) -> Place {
        let bucket = self.clean.display().trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        let options = S3Options { bucket, ..self.proxy.options() };
        Place::Provider { key: self.proxy.address.clone(), provider: Arc::new(S3::open(options).unwrap()) }
    }

    async fn put(&self, at: &str, content: &[u8]) {
        put(&self.clean, at, content, Expect::Absent).await.unwrap();
    }

    async fn tree(&self) -> Tree {
        let (mut found, mut dirs) = (Tree::new(), vec![RelPath::root()]);
        while let Some(dir) = dirs.pop() {
            let Listing::Complete(entries) = self.clean.list(vec![dir.clone()]).await.remove(0) else {
                panic!("{dir}")
            };
            for entry in entries {
                let at = dir.join(&entry.name);
                let content = match entry.node.kind {
                    Kind::File => {
                        let opened = self.clean.read(&at, Some(&entry.node), 0, None).await.unwrap();
                        Some(opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat())
                    }
                    _ => {
                        dirs.push(at.clone());
                        None
                    }
                };
                found.insert(at.to_string(), content);
            }
        }
        found
    }

    fn misbehaves(&self, does: bool) {
        self.is_bad.store(does, Ordering::SeqCst);
    }
}

/// The directory is listed.
fn lists_bad(asked: &Asked) -> bool {
    asked.method == "GET" && asked.target.contains("prefix=bad%2F&") || asked.target.ends_with("prefix=bad%2F")
}

fn is_listing(asked: &Asked) -> bool {
    asked.method == "GET" && asked.target.contains("prefix=")
}

/// Answers listings of the directory.
fn listing(mut say: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> Rule {
    Box::new(move |asked| if lists_bad(asked) { Act::Answer(say(asked)) } else { Act::Forward })
}

fn saying(answer: Vec<u8>) -> Rule {
    listing(move |_| answer.clone())
}

/// A page with these keys and sizes.
fn page(keys: &[(&str, &str)], more: &str) -> Vec<u8> {
    let keys: String = keys
        .iter()
        .map(|(key, size)| format!("<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>{size}</Size></Contents>"))
        .collect();
    let is_truncated = !more.is_empty();
    let more =
        format!("<IsTruncated>{is_truncated}</IsTruncated><NextContinuationToken>{more}</NextContinuationToken>");
    answer("200 OK", &[], format!("<ListBucketResult>{keys}{more}</ListBucketResult>").as_bytes())
}

/// Answers requests of this kind for objects of this name in the directory, and those alone.
fn object(method: &'static str, name: &'static str, say: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Rule {
    Box::new(move |asked| match asked.is(method, &format!("/bad/{name}")) && !asked.target.contains(".portbook") {
        true => Act::Answer(say(asked)),
        false => Act::Forward,
    })
}

fn cases() -> Vec<(&'static str, Rule, Told)> {
    let forwarding = |change: fn(Vec<u8>) -> Vec<u8>| -> Rule {
        Box::new(move |asked| if lists_bad(asked) { Act::Change(change) } else { Act::Forward })
    };
    let mut number = 0;
    let mut another = 0;
    let file = |body: &'static [u8], headers: &'static [(&'static str, &'static str)]| {
        object("GET", "theirs", move |_| answer("200 OK", headers, body))
    };
    vec![
        ("a listing that ends half-way", forwarding(crate::halved), told(Code::Storage, "cannot be believed")),
        ("a listing that breaks off", forwarding(crate::cut), told(Code::Offline, "")),
        ("a page for people", saying(answer("200 OK", &[], b"<html>Welcome</html>")), told(Code::Storage, "html")),
        ("a success that is a refusal", saying(failure("200 OK", "AccessDenied", &[])), told(Code::Permission, "told")),
        (
            "a forbidden directory",
            saying(failure("403 Forbidden", "AccessDenied", &[])),
            told(Code::Permission, "told"),
        ),
        (
            "a missing bucket",
            saying(failure("404 Not Found", "NoSuchBucket", &[])),
            told(Code::NotFound, "NoSuchBucket"),
        ),
        (
            "pages that lead back",
            listing(|asked| match asked.target.contains("continuation-token=one") {
                true => page(&[("bad/d", "4")], "two"),
                false => page(&[("bad/c", "3")], "one"),
            }),
            told(Code::Storage, "circles"),
        ),
        (
            "one page for ever",
            listing(move |_| {
                number += 1;
                page(&[("bad/c", "3")], &number.to_string())
            }),
            told(Code::Storage, "circles"),
        ),
        (
            "empty pages for ever",
            listing(move |_| {
                another += 1;
                page(&[], &another.to_string())
            }),
            told(Code::Storage, "circles"),
        ),
        ("a way up", saying(page(&[("bad/c", "3"), ("bad/..", "1")], "")), told(Code::Unsupported, "bad/..")),
        ("a name with a slash", saying(page(&[("bad/c//", "3")], "")), told(Code::Unsupported, "bad/c//")),
        ("a NUL", saying(page(&[("bad/c&#0;", "3")], "")), told(Code::Storage, "cannot be believed")),
        ("other keys", saying(page(&[("top", "3")], "")), told(Code::Storage, "not asked for")),
        ("a negative size", saying(page(&[("bad/c", "-1")], "")), told(Code::Storage, "has no size")),
        (
            "a size beyond all",
            saying(page(&[("bad/c", "18446744073709551615"), ("bad/d", "9223372036854775807")], "")),
            told(Code::Storage, "nothing can have"),
        ),
        (
            "two versions of one name",
            saying(page(&[("bad/c", "3"), ("bad/c", "4")], "")),
            told(Code::Unsupported, "listed twice"),
        ),
        ("an emptied directory", saying(page(&[], "")), told(Code::Storage, "vanished")),
        (
            "a wait beyond all",
            saying(failure("503 Slow Down", "SlowDown", &[("Retry-After", "18446744073709551615")])),
            told(Code::Throttled, "SlowDown: told"),
        ),
        (
            "a wait until the end of days",
            saying(failure("503 Slow Down", "SlowDown", &[("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")])),
            told(Code::Throttled, "SlowDown: told"),
        ),
        (
            "another region, again and again",
            listing(move |asked| {
                let is_there = asked.header("authorization").contains("/eu-1/");
                let other = if is_there { "eu-2" } else { "eu-1" };
                failure("301 Moved Permanently", "PermanentRedirect", &[("x-amz-bucket-region", other)])
            }),
            told(Code::Invalid, "PermanentRedirect: told"),
        ),
        (
            "no room",
            object("PUT", "ours", |_| failure("507 Insufficient Storage", "XMinioStorageFull", &[])),
            told(Code::Quota, "XMinioStorageFull: told"),
        ),
        (
            "a name that is refused",
            object("PUT", "ours", |_| failure("400 Bad Request", "KeyTooLongError", &[])),
            told(Code::Invalid, "KeyTooLongError: told"),
        ),
        (
            "a success that is a failure",
            object("PUT", "ours", |_| failure("200 OK", "QuotaExceeded", &[])),
            told(Code::Quota, "QuotaExceeded: told"),
        ),
        (
            "something else that is stored",
            object("PUT", "ours", |_| answer("200 OK", &[("ETag", "\"00000000000000000000000000000000\"")], b"")),
            told(Code::Storage, "something else"),
        ),
        (
            "a file that ends early",
            file(b"from", &[("ETag", "\"ab\""), ("Content-Length", "15")]),
            told(Code::Stale, "it has changed"),
        ),
        (
            "a page in place of a file",
            file(b"<html></html>..", &[("ETag", "\"ab\"")]),
            told(Code::Stale, "it has changed"),
        ),
        ("a file without its version", file(b"from there, too", &[]), told(Code::Stale, "it has changed")),
        (
            "a file that breaks off",
            Box::new(|asked| match asked.is("GET", "/bad/theirs") {
                true => Act::Change(crate::cut),
                false => Act::Forward,
            }),
            told(Code::Offline, ""),
        ),
        (
            "an emptied bucket",
            Box::new(|asked| if is_listing(asked) { Act::Answer(page(&[], "")) } else { Act::Forward }),
            stops(Code::Guard, ""),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn s3() {
    let Some(service) = Service::start("moto", &[]) else { return };
    let port = service.port();
    crate::all(cases().into_iter().map(|(what, rule, expected)| async move {
        tell(what, &Bucket::of(port, rule), expected).await;
    }))
    .await;
}
