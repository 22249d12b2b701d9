//! What all providers that speak HTTP share: the client, what a status means, and when to ask again.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use rustls::CertificateError;

use super::names::Names;
use super::traffic::Refusal;
use crate::error::{Code, Error, Result};
use crate::tls::{self, Trust};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// How long a server may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How much of an error's body is read.
const WORDS: usize = 64 << 10;

/// A client that follows no redirect (none of them may carry credentials to another host, or from https to http) and
/// changes no body on its way.
pub(crate) fn client(trust: &Trust) -> Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls::config(trust, false)?)
        .dns_resolver(Names)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .tcp_nodelay(true)
        .user_agent(concat!("portbook/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Error::new(Code::Internal, "set up the HTTP client", "").because(words(&e)))
}

/// The code of an answer that is not a success, where its body does not say it better.
pub(crate) fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        401 | 407 => Code::Auth,
        403 => Code::Permission,
        404 | 410 => Code::NotFound,
        405 | 415 | 501 | 505 => Code::Unsupported,
        408 => Code::Timeout,
        409 => Code::Conflict,
        412 => Code::Stale,
        507 => Code::Quota,
        423 => Code::Busy,
        429 | 503 => Code::Throttled,
        500 | 502 | 504 => Code::Offline,
        // 413: this one body is too large; another may do. Only 507 says that nothing more fits.
        400 | 411 | 413 | 414 | 416 | 422 | 431 => Code::Invalid,
        _ => Code::Storage,
    }
}

/// A request that got no answer, or none to its end. The text names no URL: it may hold a signature.
pub(crate) fn unanswered(action: &'static str, subject: impl std::fmt::Display, error: &reqwest::Error) -> Error {
    if let Some(why) = certificate(error) {
        let is_misnamed =
            matches!(why, Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }));
        let advice = if is_misnamed {
            "name the server as its certificate does"
        } else {
            "name the authority of the server's certificate, if you trust it"
        };
        return Error::new(Code::Auth, action, subject).because(words(error)).advise(advice);
    }
    let code = if error.is_timeout() { Code::Timeout } else { Code::Offline };
    Error::new(code, action, subject).because(words(error))
}

/// That the server could not prove who it is, with what is wrong with its certificate, if it has one: no attempt helps.
fn certificate(error: &reqwest::Error) -> Option<Option<&CertificateError>> {
    causes(error).find_map(|cause| match unwrapped(cause).downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(Some(why)),
        Some(rustls::Error::NoCertificatesPresented) => Some(None),
        _ => None,
    })
}

/// What an error of input or output was made from, however often it was wrapped: the `source` of such an error is not what
/// it was made from, but the source of that.
fn unwrapped<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    while let Some(within) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = within;
    }
    error
}

fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |e| e.source())
}

/// The innermost cause, which says what happened; the outer ones name URLs.
fn words(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the connection ended early".to_owned(), ToString::to_string)
}

/// The beginning of the body of an answer that is not a success.
pub(crate) async fn body_of_failure(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    // What the server says is a help; that it says nothing is no further failure.
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() >= WORDS {
            body.truncate(WORDS);
            break;
        }
    }
    body
}

/// An answer that is no success, in the server's own words.
#[allow(dead_code, reason = "its first user follows")]
pub(crate) fn refusal(
    action: &'static str,
    subject: impl std::fmt::Display,
    status: StatusCode,
    headers: &HeaderMap,
    said: &str,
) -> Refusal {
    let said = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
    Refusal { error: Error::new(code(status), action, subject).because(said), after: retry_after(headers) }
}

/// How long the server asks to wait (RFC 9110, section 10.2.3): seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_server_asks_for_time_in_seconds_or_by_a_date() {
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        let soon = asked(&httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100))).unwrap();
        assert!((98..=100).contains(&soon.as_secs()), "{soon:?}");
        assert_eq!(asked("soon"), None);
    }
}
