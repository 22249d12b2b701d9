//! Reading a file over HTTP: parts of one version, checked against what the answers say of it.
//!
//! A body that is shorter or longer than announced is an error, never a shorter file. A connection that ends early is made
//! again from the byte that it had come to, as long as the answers name the same version (RFC 9110, section 14.2).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode, Url};

use super::Opened;
use super::traffic::{Refusal, Repeat};
use super::web;
use super::web_etag::Shown;
use super::web_site::{Ask, Site};
use crate::error::{Code, Error, Result};
use crate::model::Node;

const READ: &str = "read";
/// Bodies of at most this size arrive whole within the request, which is repeated when they do not.
const SMALL: u64 = 64 << 10;
/// How often a body that breaks off is continued.
const CONTINUED: u32 = 5;

/// Says whether the version that an answer shows is the expected one.
pub(crate) type Agrees = Arc<dyn Fn(Shown) -> BoxFuture<'static, Result<()>> + Send + Sync>;
/// Looks once more after the last byte.
pub(crate) type After = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A file that can be read.
#[derive(Clone)]
pub(crate) struct Get {
    pub(crate) site: Arc<Site>,
    pub(crate) url: Url,
    /// How it is called in errors.
    pub(crate) subject: String,
    /// The version that has to be read.
    pub(crate) expect: Option<Node>,
    pub(crate) agrees: Agrees,
    pub(crate) after: Option<After>,
}

/// A body that has begun.
struct Begun {
    bytes: BoxStream<'static, Result<Bytes>>,
    shown: Shown,
    /// How many bytes it must have, where that is known.
    length: Option<u64>,
}

impl Get {
    fn error(&self, code: Code) -> Error {
        Error::new(code, READ, &self.subject)
    }

    /// Opens it at `offset`, to its end or for `length` bytes.
    pub(crate) async fn open(self, offset: u64, length: Option<u64>) -> Result<Opened> {
        let mut begun = self.begin(offset, length.map(|length| length.max(1))).await?;
        if length == Some(0) {
            // No range has no bytes: one was asked for.
            (begun.bytes, begun.length) = (stream::empty().boxed(), Some(0));
        }
        let mtime = begun.shown.modified;
        let get = Arc::new(self);
        let whole = whole(Arc::clone(&get), begun, offset, length);
        let Some(after) = get.after.clone() else { return Ok(Opened { bytes: whole, mtime }) };
        let looked = stream::once(async move { after().await }).filter_map(|r| async { r.err().map(Err) });
        // A failure ends the stream: what stands behind it is not asked for.
        let bytes = whole.chain(looked).scan(false, |failed, piece| {
            let ended = std::mem::replace(failed, piece.is_err());
            futures_util::future::ready((!ended).then_some(piece))
        });
        Ok(Opened { bytes: bytes.boxed(), mtime })
    }

    async fn begin(&self, offset: u64, length: Option<u64>) -> Result<Begun> {
        let mut ask = Ask::new(Method::GET, self.url.clone(), READ, &self.subject);
        if let Some(range) = range(offset, length) {
            ask = ask.with(RANGE.as_str(), range);
        }
        let ask = &ask;
        let once = || async move {
            let response = self.site.ask(ask).await?;
            let mut begun = self.understand(ask, response, offset, length).await?;
            if begun.length.is_some_and(|length| length <= SMALL) {
                let all = begun.bytes.try_collect::<Vec<_>>().await?.concat();
                self.is_whole(all.len() as u64, begun.length)?;
                begun.bytes = stream::iter((!all.is_empty()).then(|| Ok(all.into()))).boxed();
            }
            Ok::<_, Refusal>(begun)
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    /// Holds the head of an answer against what was asked for.
    async fn understand(
        &self,
        ask: &Ask,
        response: Response,
        offset: u64,
        length: Option<u64>,
    ) -> std::result::Result<Begun, Refusal> {
        let shown = Shown::by(&response);
        let status = response.status();
        let size = shown.size.or(self.expect.as_ref().map(|node| node.token.size));
        let past_the_end = status == StatusCode::RANGE_NOT_SATISFIABLE && size.is_some_and(|size| size <= offset);
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && !past_the_end {
            if self.expect.is_some() && matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Err(self.error(Code::Stale).because("it is gone").into());
            }
            return Err(ask.refused(response).await);
        }
        if let Some(expect) = &self.expect
            && shown.size.is_some_and(|size| size != expect.token.size)
        {
            return Err(self.error(Code::Stale).because("it has another size by now").into());
        }
        (self.agrees)(shown.clone()).await?;
        if past_the_end {
            return Ok(Begun { bytes: stream::empty().boxed(), shown, length: Some(0) });
        }
        let left = size.map(|size| size.saturating_sub(offset));
        let wanted = left.map_or(length, |left| Some(length.map_or(left, |length| length.min(left))));
        let skip = if status == StatusCode::PARTIAL_CONTENT {
            self.is_the_part(&shown, offset, wanted)?;
            0
        } else {
            offset
        };
        let subject = self.subject.clone();
        let body = response.bytes_stream().map_err(move |e| web::unanswered(READ, &subject, &e)).boxed();
        // Of a whole file no more than was asked for is taken; of a part everything, so that too much is noticed.
        let most = if status == StatusCode::OK && length.is_some() { wanted } else { None };
        Ok(Begun { bytes: cut(body, skip, most), shown, length: wanted })
    }

    fn is_the_part(&self, shown: &Shown, offset: u64, wanted: Option<u64>) -> Result<()> {
        match shown.part {
            Some((first, length)) if first == offset && wanted.is_none_or(|wanted| wanted == length) => Ok(()),
            Some(_) | None => {
                Err(self.error(Code::Storage).because("the server sent another part than it was asked for"))
            }
        }
    }

    fn is_whole(&self, got: u64, length: Option<u64>) -> Result<()> {
        match length {
            Some(length) if got < length => {
                Err(self.error(Code::Offline).because(format!("{got} of {length} bytes came")))
            }
            Some(length) if got > length => {
                Err(self.error(Code::Stale).because(format!("more than {length} bytes came")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn range(offset: u64, length: Option<u64>) -> Option<HeaderValue> {
    let text = match (offset, length) {
        (0, None) => return None,
        (_, Some(length)) => format!("bytes={offset}-{}", offset.saturating_add(length.saturating_sub(1))),
        (_, None) => format!("bytes={offset}-"),
    };
    HeaderValue::from_str(&text).ok()
}

/// The pieces without the first bytes, and at most so many.
fn cut(body: BoxStream<'static, Result<Bytes>>, skip: u64, most: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    if skip == 0 && most.is_none() {
        return body;
    }
    let pieces = body.scan((skip, most.unwrap_or(u64::MAX)), |(skip, left), piece| {
        let piece = piece.map(|mut piece| {
            let skipped = (*skip).min(piece.len() as u64);
            *skip -= skipped;
            let _ = piece.split_to(skipped as usize);
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
            piece
        });
        let is_over = *left == 0 && piece.as_ref().is_ok_and(Bytes::is_empty);
        futures_util::future::ready((!is_over).then_some(piece))
    });
    pieces.try_filter(|piece| futures_util::future::ready(!piece.is_empty())).boxed()
}

/// Where a body stands that is read piece by piece.
struct Flow {
    get: Arc<Get>,
    begun: Begun,
    got: u64,
    offset: u64,
    length: Option<u64>,
    attempts: u32,
    is_over: bool,
}

/// The pieces of a body to its last byte, continued where the connection ended early.
fn whole(get: Arc<Get>, begun: Begun, offset: u64, length: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    let flow = Flow { get, begun, got: 0, offset, length, attempts: 0, is_over: false };
    stream::unfold(flow, |mut flow| async move {
        if flow.is_over {
            return None;
        }
        let piece = flow.next().await;
        flow.is_over = !matches!(piece, Some(Ok(_)));
        piece.map(|piece| (piece, flow))
    })
    .boxed()
}

impl Flow {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            let ended = match self.begun.bytes.next().await {
                Some(Ok(piece)) => {
                    self.got += piece.len() as u64;
                    let too_much = self.begun.length.is_some_and(|length| self.got > length);
                    return Some(if too_much {
                        self.get.is_whole(self.got, self.begun.length).map(|()| piece)
                    } else {
                        Ok(piece)
                    });
                }
                Some(Err(e)) => Err(e),
                None => self.get.is_whole(self.got, self.begun.length),
            };
            match ended {
                Ok(()) => return None,
                Err(e) if !e.is_retryable() => return Some(Err(e)),
                Err(e) => {
                    if let Err(e) = self.again(e).await {
                        return Some(Err(e));
                    }
                }
            }
        }
    }

    /// Goes on where the body broke off.
    async fn again(&mut self, error: Error) -> Result<()> {
        self.attempts += 1;
        if self.attempts > CONTINUED || !self.begun.shown.is_telling() {
            return Err(error);
        }
        let rest = self.length.map(|length| length.saturating_sub(self.got));
        let begun = self.get.begin(self.offset + self.got, rest).await?;
        let (before, now) = (&self.begun.shown, &begun.shown);
        if before.etag != now.etag || before.modified != now.modified {
            return Err(self.get.error(Code::Stale).because("it changed while it was read"));
        }
        self.begun.bytes = begun.bytes;
        Ok(())
    }
}
