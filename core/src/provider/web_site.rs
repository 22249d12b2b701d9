//! One origin that is asked over HTTP: where requests go, with which credentials, and what becomes of redirects.
//!
//! What always holds: a request and its credentials go to the scheme, host and port of the configured address and
//! nowhere else. A redirect is followed only for a request that changes nothing, and only to an address beneath the
//! configured one; any other is an error that names the origin it points to (RFC 9110, section 15.4).

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response, StatusCode, Url};

use super::traffic::{Lanes, Refusal, Traffic};
use super::web;
use super::web_auth::{Authorizer, Proof, WebAuth};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::tls::Trust;

/// Requests under way at the beginning, and at most.
const LANES: Lanes = Lanes { first: 8, most: 64 };
/// Everything but the unreserved characters (RFC 3986, section 2.3) is written with `%`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How often one request may be redirected.
const REDIRECTS: u32 = 5;

type Answer<T> = std::result::Result<T, Refusal>;
/// The length and the bytes of a request's body, made for each time that it is sent.
pub(crate) type MadeBody = Answer<Option<(u64, Body)>>;

/// An origin, and a directory beneath which everything that is asked for lies.
#[derive(Debug)]
pub(crate) struct Site {
    client: Client,
    base: Url,
    auth: Authorizer,
    pub(crate) traffic: Arc<Traffic>,
}

/// What is asked, apart from a body.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// For errors: completes "could not …".
    pub(crate) action: &'static str,
    /// For errors: what it is done to.
    pub(crate) subject: String,
}

impl Ask {
    pub(crate) fn new(method: Method, url: Url, action: &'static str, subject: impl std::fmt::Display) -> Self {
        Self { method, url, headers: HeaderMap::new(), action, subject: subject.to_string() }
    }

    /// With a header of the caller's own making.
    pub(crate) fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn error(&self, code: Code) -> Error {
        Error::new(code, self.action, &self.subject)
    }

    /// An answer that is no success, in the server's own words.
    pub(crate) async fn refused(&self, response: Response) -> Refusal {
        let (status, headers) = (response.status(), response.headers().clone());
        let said = words(&web::body_of_failure(response).await);
        web::refusal(self.action, &self.subject, status, &headers, &said)
    }
}

impl Site {
    /// An address `http://…` or `https://…`; `scheme` names the protocol for the count of requests under way.
    ///
    /// # Errors
    /// `invalid` for an address or credentials that cannot be used.
    pub(crate) fn new(url: &str, auth: WebAuth, trust: &Trust, scheme: &str) -> Result<Self> {
        let unusable = |why: &'static str| Error::new(Code::Invalid, "use the address", "").because(why);
        let mut base = Url::parse(url).map_err(|_| unusable("it is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(unusable("only http and https can be asked"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(unusable("name and password do not belong into it")
                .advise("give them as credentials, which are kept secret"));
        }
        base.set_fragment(None);
        let user = auth.user().unwrap_or_default().to_owned();
        let server = format!("{scheme}://{}/{user}", base.origin().ascii_serialization());
        let traffic = Traffic::to(&server, LANES);
        Ok(Self { client: web::client(trust)?, base, auth: Authorizer::new(auth)?, traffic })
    }

    /// The configured address.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Whether the first request is refused by design, so that it should have no body.
    pub(crate) fn needs_challenge(&self) -> bool {
        self.auth.needs_challenge()
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer<Response> {
        self.send(ask, || Ok(None)).await
    }

    /// Sends a request, again where the server wants another proof; answers any status but a refusal of the credentials
    /// and a redirect that may not be followed.
    pub(crate) async fn send(&self, ask: &Ask, mut body: impl FnMut() -> MadeBody + Send) -> Answer<Response> {
        let mut url = ask.url.clone();
        let mut redirects = 0;
        let mut renewals = 0;
        loop {
            if url.origin() != self.base.origin() {
                return Err(ask.error(Code::Internal).because("the address lies elsewhere").into());
            }
            let proof = self.auth.prove(ask.method.as_str(), target(&url))?;
            let answer = self.exchange(ask, &url, proof.as_ref(), body()?).await?;
            let status = answer.status();
            if status == StatusCode::UNAUTHORIZED {
                // A nonce may have grown old while requests with it were under way.
                renewals += 1;
                if self.auth.refused(proof.as_ref(), answer.headers()) && renewals <= 3 {
                    continue;
                }
                let mut refusal = ask.refused(answer).await;
                refusal.error = refusal.error.advise("check the name, the password and the kind of authentication");
                return Err(refusal);
            }
            self.auth.accepted(proof.as_ref());
            if !is_redirect(status) {
                return Ok(answer);
            }
            redirects += 1;
            url = self.redirected(ask, &url, &answer, redirects)?;
        }
    }

    async fn exchange(
        &self,
        ask: &Ask,
        url: &Url,
        proof: Option<&Proof>,
        body: Option<(u64, Body)>,
    ) -> Answer<Response> {
        let mut request = self.client.request(ask.method.clone(), url.clone()).headers(ask.headers.clone());
        // A coding would make lengths and ranges those of another thing (RFC 9110, section 8.4).
        request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(proof) = proof {
            request = request.header(proof.name.clone(), proof.value.clone());
        }
        if let Some((length, body)) = body {
            request = request.header(CONTENT_LENGTH, length).body(body);
        }
        request.send().await.map_err(|e| web::unanswered(ask.action, &ask.subject, &e).into())
    }

    /// Where a redirect leads, if it may be followed.
    fn redirected(&self, ask: &Ask, from: &Url, answer: &Response, count: u32) -> Result<Url> {
        let said = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(to) = said.and_then(|said| from.join(said).ok()) else {
            return Err(ask.error(Code::Unsupported).because(format!("{}, without a place", answer.status())));
        };
        let changes_nothing = matches!(ask.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND");
        let is_here = to.origin() == self.base.origin() && to.path().starts_with(self.base.path());
        if changes_nothing && is_here && count <= REDIRECTS {
            return Ok(to);
        }
        // No more of the place than its origin: the rest may hold a signature.
        let origin = to.origin().ascii_serialization();
        let why = if count > REDIRECTS { "too often" } else { "and credentials stay with the configured address" };
        let error = ask.error(Code::Unsupported);
        Err(error
            .because(format!("the server redirects to {origin} ({}), {why}", answer.status()))
            .advise("give the address that the server redirects to"))
    }
}

/// The URL of an item beneath a base whose path ends in `/`. That of a directory ends in `/` as well (RFC 4918, section 5.2).
pub(crate) fn url_of(base: &Url, path: &RelPath, is_dir: bool) -> Url {
    let mut text = base.path().to_owned();
    for part in path.components() {
        text.extend(percent_encode(part, ENCODED));
        text.push('/');
    }
    if !is_dir && !path.is_root() {
        text.pop();
    }
    let mut url = base.clone();
    url.set_path(&text);
    url
}

/// The file that is to be read: the expected version, or what is there now.
///
/// # Errors
/// `not_found`; `unsupported` for what is no file; those of the look.
pub(crate) async fn expected(
    path: &RelPath,
    expect: Option<&Node>,
    look: impl Future<Output = Result<Option<Node>>>,
) -> Result<Node> {
    let node = match expect {
        Some(expect) => expect.clone(),
        None => look.await?.ok_or_else(|| Error::new(Code::NotFound, "read", path).because("it is not there"))?,
    };
    if node.kind != Kind::File {
        return Err(Error::new(Code::Unsupported, "read", path).because("it is no file"));
    }
    Ok(node)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What stands in the first line of a request (RFC 9112, section 3.2.1).
fn target(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

/// What a server says of a failure, in at most a line: the message of its XML, the title of its page, or the text itself.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let between = |from: &str, to: &str| {
        let start = text.find(from)? + from.len();
        let end = text[start..].find(to)? + start;
        Some(text[start..end].trim().to_owned())
    };
    let said = between("<s:message>", "</s:message>").or_else(|| between("<title>", "</title>"));
    let said =
        said.unwrap_or_else(|| precondition(&text).unwrap_or_else(|| text.lines().next().unwrap_or("").to_owned()));
    said.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The condition that did not hold (RFC 4918, section 16): the element within `error`.
fn precondition(text: &str) -> Option<String> {
    let after = &text[text.find("error")?..];
    let element = after[after.find('<')? + 1..].split(['>', '/', ' ']).next()?;
    Some(element.rsplit(':').next()?.to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_without_secrets_is_an_address() {
        let open = |url: &str| Site::new(url, WebAuth::None, &Trust::System, "http").map(|_| ());
        for bad in ["", "dav", "ftp://host/", "http://user:hunter2@host/", "file:///etc"] {
            let error = open(bad).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{bad}");
            assert!(!error.to_string().contains("hunter2"));
        }
        open("https://host:8443/dav/").unwrap();
    }

    #[test]
    fn a_failure_is_told_in_the_servers_words() {
        let sabre =
            b"<d:error xmlns:d='DAV:' xmlns:s='x'><s:exception>E</s:exception><s:message>no room</s:message></d:error>";
        assert_eq!(words(sabre), "no room");
        assert_eq!(
            words(b"<?xml version='1.0'?><D:error xmlns:D='DAV:'><D:lock-token-submitted/></D:error>"),
            "lock-token-submitted"
        );
        assert_eq!(words(b"<html><head><title>403 Forbidden</title></head>"), "403 Forbidden");
        assert_eq!(words(b"plain words\nand more"), "plain words");
        assert_eq!(words(b""), "");
    }
}
