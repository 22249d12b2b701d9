//! Many requests in one ("Combine multiple HTTP requests using JSON batching"): at most twenty, each answered, counted and
//! throttled for itself, in any order. Batches get smaller when the service has trouble with them, and grow again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use super::budget::cost;
use super::graph::{Answer, Ask, Graph, Lost};
use crate::error::{Code, Error};

/// What the service takes.
pub(super) const MOST: usize = 20;
/// How many batches are on their way at once.
const FLIGHT: usize = 4;
/// Bytes of bodies in one batch: Graph takes requests of 4 MiB.
const BYTES: usize = 3 << 20;

/// A request of a batch.
pub(super) struct Inner {
    pub(super) method: Method,
    /// As it stands behind the version of the API.
    pub(super) url: String,
    /// The version that has to be there.
    pub(super) etag: Option<String>,
    pub(super) body: Option<Value>,
    size: usize,
}

impl Inner {
    pub(super) fn get(url: String) -> Self {
        Self::new(Method::GET, url, None, None)
    }

    pub(super) fn new(method: Method, url: String, etag: Option<String>, body: Option<Value>) -> Self {
        let size = url.len() + body.as_ref().map_or(0, |body| body.to_string().len());
        Self { method, url, etag, body, size }
    }

    fn units(&self) -> u32 {
        if self.method == Method::GET { cost::ONE } else { cost::SEVERAL }
    }

    fn json(&self, id: usize) -> Value {
        let mut headers = Map::new();
        if let Some(etag) = &self.etag {
            headers.insert("If-Match".to_owned(), etag.as_str().into());
        }
        let mut request = json!({ "id": id.to_string(), "method": self.method.as_str(), "url": self.url });
        if let Some(body) = &self.body {
            headers.insert("Content-Type".to_owned(), "application/json".into());
            request["body"] = body.clone();
        }
        if !headers.is_empty() {
            request["headers"] = headers.into();
        }
        request
    }
}

/// What is done about an answer.
pub(super) enum Verdict<T> {
    Done(T),
    /// It is asked again, after that time or one that grows.
    Again(Option<Duration>),
}

impl Graph {
    /// What stands behind the version of the API.
    pub(super) fn relative(&self, url: &Url) -> String {
        let base = self.base.as_str().trim_end_matches('/').len();
        url.as_str().get(base..).unwrap_or_default().to_owned()
    }

    /// Sends all requests. `judge` says of each (by its place) what its answer, the answer in place of it, or the lack of one
    /// means, and how often it was asked before.
    pub(super) async fn batches<T>(
        &self,
        action: &'static str,
        subject: &str,
        inners: &[Inner],
        judge: impl Fn(usize, Result<Answer, Error>, u32) -> Verdict<T>,
    ) -> Vec<T> {
        let mut done: Vec<Option<T>> = inners.iter().map(|_| None).collect();
        let mut queue: VecDeque<usize> = (0..inners.len()).collect();
        let mut attempt = 0;
        while !queue.is_empty() {
            let (mut again, mut wait) = (VecDeque::new(), Duration::ZERO);
            let chunks = stream::iter(std::iter::from_fn(|| self.chunk(inners, &mut queue)));
            let mut answers = chunks
                .map(async |chunk: Vec<usize>| {
                    let answers = self.batch(action, subject, inners, &chunk).await;
                    chunk.into_iter().zip(answers)
                })
                .buffer_unordered(FLIGHT);
            while let Some(batch) = answers.next().await {
                for (at, answer) in batch {
                    match judge(at, answer, attempt) {
                        Verdict::Done(result) => done[at] = Some(result),
                        Verdict::Again(after) => {
                            again.push_back(at);
                            wait = wait.max(after.unwrap_or_else(|| self.backoff(attempt)));
                        }
                    }
                }
            }
            drop(answers);
            queue = again;
            attempt += 1;
            if !queue.is_empty() {
                self.clock.sleep(wait).await;
            }
        }
        done.into_iter().flatten().collect()
    }

    fn chunk(&self, inners: &[Inner], queue: &mut VecDeque<usize>) -> Option<Vec<usize>> {
        let most = self.batch.load(Ordering::Relaxed).clamp(1, MOST);
        let (mut chunk, mut size) = (Vec::new(), 0);
        while let Some(at) = queue.front().copied() {
            size += inners[at].size;
            if chunk.len() == most || !chunk.is_empty() && size > BYTES {
                break;
            }
            chunk.push(at);
            queue.pop_front();
        }
        (!chunk.is_empty()).then_some(chunk)
    }

    /// Sends one batch; one answer for each of its requests. Where the batch itself is refused, that is the answer of all. An
    /// error is `offline`, `auth` or the like when nothing was sent, and `timeout` when nobody knows.
    async fn batch(
        &self,
        action: &'static str,
        subject: &str,
        inners: &[Inner],
        chunk: &[usize],
    ) -> Vec<Result<Answer, Error>> {
        let requests: Vec<Value> = chunk.iter().enumerate().map(|(id, at)| inners[*at].json(id)).collect();
        let ask = Ask {
            action,
            subject: subject.to_owned(),
            method: Method::POST,
            url: self.url(&["$batch"]),
            body: Some(json!({ "requests": requests })),
            etag: None,
            units: chunk.iter().map(|at| inners[*at].units()).sum(),
        };
        let unknown =
            |why: &Error| Error::new(Code::Timeout, action, subject).because(format!("it may have been done: {why}"));
        let whole = match self.once(&ask).await {
            Ok(answer) => answer,
            Err(Lost { error, was_sent }) => {
                self.shrink();
                let error = if was_sent { unknown(&error) } else { error };
                return chunk.iter().map(|_| Err(error.clone())).collect();
            }
        };
        if whole.fault().is_some() {
            self.shrink();
            return chunk.iter().map(|_| Ok(whole.clone())).collect();
        }
        let silent =
            || unknown(&Error::new(Code::Storage, action, subject).because("the batch came back without its answer"));
        let mut answers: Vec<Result<Answer, Error>> = chunk.iter().map(|_| Err(silent())).collect();
        for response in whole.body["responses"].as_array().into_iter().flatten() {
            let id = response["id"].as_str().and_then(|id| id.parse::<usize>().ok());
            let status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok());
            if let (Some(place), Some(status)) = (id.and_then(|id| answers.get_mut(id)), status) {
                *place = Ok(Answer { status, headers: headers(response), body: response["body"].clone() });
            }
        }
        self.adapt(&answers).await;
        answers
    }

    async fn adapt(&self, answers: &[Result<Answer, Error>]) {
        let is_trouble = |answer: &Answer| matches!(answer.status, 409 | 429 | 503);
        if answers.iter().flatten().any(is_trouble) {
            self.shrink();
        } else {
            // It only tunes; what another thread does meanwhile is no matter.
            let size = self.batch.load(Ordering::Relaxed);
            self.batch.store((size + 1).min(MOST), Ordering::Relaxed);
        }
        for answer in answers.iter().flatten() {
            self.heed(answer.status, &answer.headers, answer.fault().as_ref()).await;
        }
    }

    fn shrink(&self) {
        let size = self.batch.load(Ordering::Relaxed);
        self.batch.store((size / 2).max(1), Ordering::Relaxed);
    }
}

/// What is no header is left out.
fn headers(response: &Value) -> HeaderMap {
    let pairs = response["headers"].as_object().into_iter().flatten();
    let header = |(name, value): (&String, &Value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
    };
    pairs.filter_map(header).collect()
}
