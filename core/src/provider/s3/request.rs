//! Requests to a bucket: signed, in their turn, and sent again where that is safe.
//!
//! Nothing is ever sent to another host than the endpoint's. A server that names another region is believed once a
//! request, and so is one that says what time it is.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use md5::Md5;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, DATE, ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::{Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::copy::Pieces;
use super::error::{Said, refusal};
use super::options::Site;
use super::probe::{self, Traits};
use super::sign::{self, Signed, Signer, hex};
use crate::error::{Code, Error, Result};
use crate::provider::traffic::{Lanes, Refusal, Repeat, Traffic};
use crate::provider::web;
use crate::provider::xml::{self, Element};

/// Requests under way at the beginning and at most: small objects are a matter of latency.
const LANES: Lanes = Lanes { first: 8, most: 64 };
/// The longest answer that is no content: a thousand keys of a thousand bytes, encoded, have room.
const LONGEST: usize = 16 << 20;
/// The hash of no bytes.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A body with its hashes.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) md5: [u8; 16],
    sha256: String,
}

impl Body {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { md5: Md5::digest(&bytes).into(), sha256: hex(&Sha256::digest(&bytes)), bytes }
    }

    /// The MD5 as an ETag shows it.
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// A header, its name in lower case.
pub(super) type Header = (Cow<'static, str>, String);

/// A request to the bucket or to one of its objects.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Completes "could not …".
    pub(super) action: &'static str,
    /// What it is done to, escaped for display.
    pub(super) subject: String,
    pub(super) method: Method,
    pub(super) key: Option<&'a str>,
    pub(super) query: Vec<(&'static str, String)>,
    /// Those that a proxy may change are not signed.
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Body>,
    /// Answers that are no failures to whoever asks.
    pub(super) accepts: &'static [u16],
}

impl<'a> Request<'a> {
    pub(super) fn new(action: &'static str, subject: impl ToString, method: Method, key: Option<&'a str>) -> Self {
        Self {
            action,
            subject: subject.to_string(),
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            accepts: &[],
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// With a body, whose MD5 the server compares (RFC 1864).
    pub(super) fn body(mut self, body: Body) -> Self {
        self.headers.push(("content-md5".into(), STANDARD.encode(body.md5)));
        self.body = Some(body);
        self
    }

    pub(super) fn accepts(mut self, statuses: &'static [u16]) -> Self {
        self.accepts = statuses;
        self
    }

    pub(super) fn error(&self, code: Code, why: impl std::fmt::Display) -> Error {
        Error::new(code, self.action, &self.subject).because(why)
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// An earlier attempt may have been acted on, unheard.
    pub(super) is_repeated: bool,
}

impl Answer {
    /// The document it brings.
    pub(super) fn document(&self, request: &Request<'_>, root: &str) -> Result<Element> {
        let malformed = |why: String| request.error(Code::Storage, format!("the answer cannot be understood: {why}"));
        let document = xml::parse(&self.body).map_err(malformed)?;
        // Not every server names its answers as they are named in the reference.
        let bare = |name: &str| name.trim_end_matches("Result").trim_end_matches("Response").to_owned();
        if bare(&document.name) != bare(root) {
            return Err(malformed(format!("it is a {} and no {root}", document.name.escape_debug())));
        }
        Ok(document)
    }

    pub(super) fn size(&self) -> Option<u64> {
        text(&self.headers, CONTENT_LENGTH.as_str())?.parse().ok()
    }

    /// What tells this version from others: see [`revision`].
    pub(super) fn revision(&self) -> Option<String> {
        revision_of(&self.headers)
    }
}

/// An answer whose content is still to be read, or one that is accepted although it is no success.
pub(super) enum Reply {
    Open(Response),
    Accepted(Answer),
}

/// What tells a version of an object from others: its ETag, and where the server gives none the second of its writing.
pub(super) fn revision(etag: Option<&str>, written: Option<DateTime<Utc>>) -> Option<String> {
    let etag = etag.map(|etag| etag.trim().trim_matches('"')).filter(|etag| !etag.is_empty());
    etag.map(str::to_owned).or_else(|| written.map(|at| format!("@{}", at.timestamp())))
}

pub(super) fn revision_of(headers: &HeaderMap) -> Option<String> {
    let written = text(headers, LAST_MODIFIED.as_str()).and_then(|at| httpdate::parse_http_date(at).ok());
    revision(text(headers, ETAG.as_str()), written.map(DateTime::from))
}

/// A revision as `If-Match` takes it, where it is an ETag that can be compared (RFC 9110, section 13.1.1: not a weak one).
pub(super) fn matchable(revision: &str) -> Option<String> {
    (is_etag(revision) && !revision.starts_with("W/")).then(|| format!("\"{revision}\""))
}

/// Whether a revision is an ETag and no time.
pub(super) fn is_etag(revision: &str) -> bool {
    !revision.is_empty() && !revision.starts_with('@')
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

type Attempt<T> = std::result::Result<T, Refusal>;

/// A bucket at a server.
pub(super) struct Client {
    pub(super) site: Site,
    http: reqwest::Client,
    pub(super) traffic: Arc<Traffic>,
    region: RwLock<String>,
    /// Seconds that the server's clock is ahead of ours.
    skew: AtomicI64,
    /// The server knows only the first version of listings.
    pub(super) lists_v1: AtomicBool,
    /// What the server has shown to honour.
    pub(super) traits: Arc<OnceCell<Traits>>,
    pub(super) pieces: Pieces,
}

impl Client {
    pub(super) fn new(site: Site) -> Result<Self> {
        Ok(Self {
            http: web::client(&site.options.trust)?,
            traffic: Traffic::to(&site.account(), LANES),
            region: RwLock::new(site.options.region.clone()),
            skew: AtomicI64::new(0),
            lists_v1: AtomicBool::new(false),
            traits: probe::known(&site),
            pieces: Pieces::default(),
            site,
        })
    }

    /// The server's time, as far as it has said that it differs from ours.
    pub(super) fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.skew.load(Ordering::Relaxed))
    }

    pub(super) fn region(&self) -> String {
        self.region.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a request and reads the answer to its end.
    pub(super) async fn send(&self, repeat: Repeat, request: &Request<'_>) -> Result<Answer> {
        let attempts = AtomicU32::new(0);
        let attempt = || {
            attempts.fetch_add(1, Ordering::Relaxed);
            self.attempt(request)
        };
        let mut answer = self.traffic.send(repeat, attempt).await?;
        answer.is_repeated = attempts.into_inner() > 1;
        Ok(answer)
    }

    /// Makes a request whose answer is read by whoever asks.
    pub(super) async fn open(&self, request: &Request<'_>) -> Result<Reply> {
        self.traffic.send(Repeat::Safe, || self.answered(request)).await
    }

    async fn attempt(&self, request: &Request<'_>) -> Attempt<Answer> {
        let mut response = match self.answered(request).await? {
            Reply::Open(response) => response,
            Reply::Accepted(answer) => return Ok(answer),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let broken = |e| web::unanswered(request.action, &request.subject, &e);
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            if body.len() + piece.len() > LONGEST {
                return Err(request.error(Code::Storage, "the answer is too long").into());
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() && is_error(&body) {
            return Err(refusal(request.action, &request.subject, status, &headers, &Said::of(&headers, &body)));
        }
        Ok(Answer { status: status.as_u16(), headers, body, is_repeated: false })
    }

    /// Sends a request until the server has no better idea of region and time, and refuses what is no success.
    async fn answered(&self, request: &Request<'_>) -> Attempt<Reply> {
        let (mut may_move, mut may_set_clock) = (true, true);
        loop {
            let region = self.region();
            let response = self.once(request, &region).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Reply::Open(response));
            }
            let headers = response.headers().clone();
            let body = web::body_of_failure(response).await;
            let said = Said::of(&headers, &body);
            let other = said.region.as_ref().filter(|named| **named != region && is_misplaced(status, &said));
            if let Some(named) = other.filter(|_| may_move) {
                may_move = false;
                named.clone_into(&mut self.region.write().unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            if said.code == "RequestTimeTooSkewed" && may_set_clock && self.set_clock(&headers) {
                may_set_clock = false;
                continue;
            }
            if request.accepts.contains(&status.as_u16()) && said.code != "NoSuchBucket" {
                let answer = Answer { status: status.as_u16(), headers, body, is_repeated: false };
                return Ok(Reply::Accepted(answer));
            }
            return Err(refusal(request.action, &request.subject, status, &headers, &said));
        }
    }

    fn set_clock(&self, headers: &HeaderMap) -> bool {
        let Some(said) = text(headers, DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return false;
        };
        let skew = DateTime::<Utc>::from(said).signed_duration_since(Utc::now()).num_seconds();
        self.skew.swap(skew, Ordering::Relaxed).abs_diff(skew) > 1
    }

    async fn once(&self, request: &Request<'_>, region: &str) -> Attempt<Response> {
        let site = &self.site;
        let signer = Signer {
            access_key: &site.options.access_key,
            secret_key: site.options.secret_key.expose_text()?,
            region,
            at: self.now(),
        };
        let path = site.path_of(request.key);
        let parameters: Vec<(&str, &str)> = request.query.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let query = sign::query(&parameters);
        let payload = request.body.as_ref().map_or(NOTHING, |body| &body.sha256);
        let (host, date) = (site.host(), signer.date());
        let mut own = vec![("x-amz-content-sha256", payload), ("x-amz-date", date.as_str())];
        let token = site.options.session_token.as_ref().map(|token| token.expose_text()).transpose()?;
        own.extend(token.filter(|token| !token.is_empty()).map(|token| ("x-amz-security-token", token)));
        let mut signed = own.clone();
        signed.push(("host", &host));
        let given = || request.headers.iter().map(|(name, value)| (name.as_ref(), value.as_str()));
        let is_signed = |name: &str| name.starts_with("x-amz-") || matches!(name, "content-type" | "content-md5");
        signed.extend(given().filter(|(n, _)| is_signed(n)));
        signed.sort_unstable();
        let method = request.method.as_str();
        let signed = Signed { method, path: &path, query: &query, headers: &signed, payload };
        let authorization = signer.authorization(&signed);
        let mut url = site.server.clone();
        url.set_path(&path);
        url.set_query((!query.is_empty()).then_some(&query));
        // What the URL does not keep as it is would be another object.
        if url.path() != path {
            return Err(request.error(Code::Invalid, "its key cannot stand in a URL").into());
        }
        let mut sent = self.http.request(request.method.clone(), url).header(AUTHORIZATION, authorization);
        for (name, value) in own.into_iter().chain(given()) {
            sent = sent.header(name, value);
        }
        // Content is what is stored, not what some coding makes of it.
        sent = sent.header(ACCEPT_ENCODING, "identity");
        match &request.body {
            Some(body) if !body.bytes.is_empty() => sent = sent.body(body.bytes.clone()),
            // A length is wanted of every PUT and POST (`MissingContentLength`).
            _ if matches!(request.method, Method::PUT | Method::POST) => sent = sent.header(CONTENT_LENGTH, "0"),
            _ => {}
        }
        sent.send().await.map_err(|e| self.unanswered(request, &e).into())
    }

    fn unanswered(&self, request: &Request<'_>, error: &reqwest::Error) -> Error {
        let error = web::unanswered(request.action, &request.subject, error);
        let options = &self.site.options;
        // RFC 6125, section 6.4.3: a wildcard stands for one label.
        let is_deep = !options.path_style && options.bucket.contains('.');
        match error.code() {
            Code::Auth if is_deep => error.advise("name the bucket in the path (path_style)"),
            _ => error,
        }
    }
}

/// Whether the server says that the request was for another region.
fn is_misplaced(status: StatusCode, said: &Said) -> bool {
    status.is_redirection()
        || said.code == "AuthorizationHeaderMalformed"
        || said.code == "IllegalLocationConstraintException"
        || (said.code.is_empty() && matches!(status.as_u16(), 400 | 403))
}

/// Whether an announced success is none (Amazon S3 API Reference, `CompleteMultipartUpload` and `CopyObject`).
fn is_error(body: &[u8]) -> bool {
    body.windows(6).take(1_000).any(|w| w == b"<Error") && xml::parse(body).is_ok_and(|root| root.name == "Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_the_etag_without_its_quotes_or_a_time() {
        let at = DateTime::from_timestamp(1_767_322_445, 900).unwrap();
        assert_eq!(revision(Some("\"abc-2\""), Some(at)).as_deref(), Some("abc-2"));
        assert_eq!(revision(Some("\"\""), Some(at)).as_deref(), Some("@1767322445"));
        assert_eq!(revision(None, None), None);
        assert_eq!(matchable("abc-2").as_deref(), Some("\"abc-2\""));
        assert_eq!((matchable("@1"), matchable("W/\"a\""), matchable("")), (None, None, None));
    }

    #[test]
    fn an_error_that_was_announced_as_a_success_is_seen() {
        assert!(is_error(b"\n  <?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>"));
        assert!(!is_error(b"<DeleteResult><Error><Key>a</Key></Error></DeleteResult>"));
        assert!(!is_error(b""));
    }
}
