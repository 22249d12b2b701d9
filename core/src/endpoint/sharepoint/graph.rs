//! Requests to Microsoft Graph: signed, paid for before they are sent, and asked again where that does no harm.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, USER_AGENT};
use reqwest::{Client, Method};
use serde_json::Value;
use url::Url;

use super::budget::Purse;
use super::fault::Fault;
use super::token::Tokens;
use crate::error::{Code, Error, Result};
use crate::operation::Clock;
use crate::provider::web;

/// How often what may be asked again is asked, throttling counted.
const ATTEMPTS: u32 = 8;
/// How often it is asked when the other side fails instead of answering.
const LOST: u32 = 4;
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest answer that is read. A page of items is a thousandth of it.
const ANSWER: usize = 256 << 20;

pub(super) struct Graph {
    pub(super) http: Client,
    /// As in `https://graph.microsoft.com/v1.0`, without a slash behind.
    pub(super) base: Url,
    pub(super) agent: HeaderValue,
    pub(super) tokens: Tokens,
    pub(super) purse: Purse,
    pub(super) clock: Arc<dyn Clock>,
    /// How many requests a batch has now.
    pub(super) batch: AtomicUsize,
}

/// A request.
pub(super) struct Ask {
    /// What is being done to what, for errors.
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    /// The version that has to be there.
    pub(super) etag: Option<String>,
    /// What it costs.
    pub(super) units: u32,
}

/// An answer, good or bad.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// A request without an answer.
pub(super) struct Lost {
    pub(super) error: Error,
    /// Whether it may have arrived.
    pub(super) was_sent: bool,
}

impl Answer {
    /// Why it is no success.
    pub(super) fn fault(&self) -> Option<Fault> {
        (!(200..300).contains(&self.status)).then(|| Fault::read(self.status, &self.headers, &self.body))
    }

    /// It, if it is a success.
    ///
    /// # Errors
    /// What the service says.
    pub(super) fn success(self, ask: &Ask) -> Result<Self> {
        match self.fault() {
            None => Ok(self),
            Some(fault) => Err(fault.error(ask.action, &ask.subject)),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The other side's clock (RFC 9110, section 6.6.1).
    pub(super) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("date")?).ok()
    }
}

impl Graph {
    /// The address of a resource, given by the parts of its path; each is encoded.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        url
    }

    /// The address of what stands behind the version of the API.
    pub(super) fn absolute(&self, relative: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = relative.split_once('?').map_or((relative, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    /// A request that only reads.
    pub(super) fn get(action: &'static str, subject: impl std::fmt::Display, url: Url, units: u32) -> Ask {
        Ask { action, subject: subject.to_string(), method: Method::GET, url, body: None, etag: None, units }
    }

    /// The address of a link in an answer.
    ///
    /// # Errors
    /// `storage` when it leads to another server: that would be given our token.
    pub(super) fn link(&self, ask: &Ask, link: &str) -> Result<Url> {
        let odd = || Error::new(Code::Storage, ask.action, &ask.subject).because("the answer links to another server");
        let url = Url::parse(link).map_err(|_| odd())?;
        if url.origin() == self.base.origin() { Ok(url) } else { Err(odd()) }
    }

    /// Asks until there is an answer, where asking twice is asking once.
    ///
    /// # Errors
    /// `offline`, `timeout`, `auth`; what the service says is an answer and no error.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer> {
        let (mut attempt, mut lost) = (1, 0);
        loop {
            let answer = self.once(ask).await;
            let wait = match &answer {
                Ok(given) => match given.fault() {
                    Some(fault) if fault.is_throttled() => fault.retry_after.unwrap_or_else(|| self.backoff(attempt)),
                    Some(fault) if fault.is_vague() && fault.code().is_retryable() => {
                        lost += 1;
                        self.backoff(lost)
                    }
                    _ => return answer.map_err(|lost| lost.error),
                },
                Err(Lost { error, .. }) if error.is_retryable() => {
                    lost += 1;
                    self.backoff(lost)
                }
                Err(_) => return answer.map_err(|lost| lost.error),
            };
            if attempt >= ATTEMPTS || lost >= LOST {
                return answer.map_err(|lost| lost.error);
            }
            attempt += 1;
            self.clock.sleep(wait).await;
        }
    }

    /// Asks once. A token that is no longer honoured is renewed, since then nothing was done.
    pub(super) async fn once(&self, ask: &Ask) -> std::result::Result<Answer, Lost> {
        let unsent = |error| Lost { error, was_sent: false };
        let mut renewed = false;
        loop {
            let bearer = self.tokens.bearer().await.map_err(unsent)?;
            self.purse.take(ask.units).await.map_err(unsent)?;
            let answer = self.send(ask, bearer.header.clone()).await?;
            self.heed(answer.status, &answer.headers, answer.fault().as_ref()).await;
            if answer.status != 401 || renewed {
                return Ok(answer);
            }
            renewed = true;
            self.tokens.forget(&bearer).await;
        }
    }

    /// Waits with everybody when the service says so, and learns what is left.
    pub(super) async fn heed(&self, status: u16, headers: &HeaderMap, fault: Option<&Fault>) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        if let (Some(remaining), Some(reset)) = (number("ratelimit-remaining"), number("ratelimit-reset")) {
            self.purse.told(remaining, Duration::from_secs(reset)).await;
        }
        if let (429 | 503, Some(wait)) = (status, fault.and_then(|fault| fault.retry_after)) {
            self.purse.pause(wait).await;
        }
    }

    /// The time before the next attempt when the other side names none.
    pub(super) fn backoff(&self, attempt: u32) -> Duration {
        Duration::from_secs(1 << attempt.min(6)).min(LONGEST)
    }

    async fn send(&self, ask: &Ask, bearer: HeaderValue) -> std::result::Result<Answer, Lost> {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone());
        request = request.header(AUTHORIZATION, bearer).header(USER_AGENT, self.agent.clone());
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some(etag) = &ask.etag {
            request = request.header(IF_MATCH, etag);
        }
        let lost = |e: reqwest::Error| Lost {
            was_sent: !e.is_connect() && !e.is_builder(),
            error: web::unanswered(ask.action, &ask.subject, &e),
        };
        let mut response = request.send().await.map_err(lost)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER {
                let error = Error::new(Code::Storage, ask.action, &ask.subject).because("the answer has no end");
                return Err(Lost { error, was_sent: true });
            }
        }
        // A gateway in between may answer in HTML; then the status has to do.
        Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}
