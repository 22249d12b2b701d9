//! Reading: every byte is of the version that was asked for, and there are exactly as many as there are to be.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use reqwest::header::{CONTENT_RANGE, HeaderMap};
use reqwest::{Method, Response};

use super::list::{CHANGED, GONE, file_node, revision_of, same, stale};
use super::request::{self, Client, Reply, Request, matchable, text};
use super::time;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
use crate::provider::web;
use crate::provider::{Hashed, Opened};

const READ: &str = "read";
/// How often a broken connection is made again without a byte coming through.
const TRIES: u32 = 4;

/// An object that is being read.
struct Reading {
    client: Arc<Client>,
    path: RelPath,
    key: String,
    /// The version that all bytes are of.
    node: Node,
    offset: u64,
    end: u64,
    response: Option<Response>,
    failures: u32,
}

/// An answer to a read, and the node of the whole version.
struct Begun {
    node: Node,
    mtime: Option<crate::model::Timestamp>,
    response: Response,
}

/// Opens an object at `offset`, to its end or for `length` bytes.
pub(super) async fn open(
    client: &Arc<Client>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    if expect.is_some_and(|node| node.kind != Kind::File) {
        return Err(Error::new(Code::Unsupported, READ, path).because("it is no file"));
    }
    let key = client.site.key(READ, path)?;
    let is_empty = length == Some(0) || expect.is_some_and(|node| offset >= node.token.size);
    let begun = if is_empty { None } else { begin(client, path, &key, expect, offset, length).await? };
    let Some(Begun { node, mtime, response }) = begun else {
        return match (expect, client.head(READ, path, &key).await?) {
            (Some(expect), Some((seen, _))) if !same(expect, &seen) => Err(stale(READ, path, CHANGED)),
            (_, Some((_, headers))) => Ok(Opened { bytes: stream::empty().boxed(), mtime: time::mtime(&headers) }),
            (Some(_), None) => Err(stale(READ, path, GONE)),
            (None, None) => Err(absent(path)),
        };
    };
    let size = node.token.size;
    let end = length.map_or(size, |length| size.min(offset.saturating_add(length)));
    let response = Some(response);
    let reading =
        Reading { client: Arc::clone(client), path: path.clone(), key, node, offset, end, response, failures: 0 };
    let bytes =
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.next().await?.map(|piece| (piece, reading))) },
        );
    Ok(Opened { bytes: bytes.boxed(), mtime })
}

fn absent(path: &RelPath) -> Error {
    Error::new(Code::NotFound, READ, path).because("there is no such object")
}

/// Asks for the bytes; none where the object has none there.
async fn begin(
    client: &Client,
    path: &RelPath,
    key: &str,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Option<Begun>> {
    let mut request = Request::new(READ, path, Method::GET, Some(key)).accepts(&[304, 404, 412, 416]);
    let last = length.map(|length| offset.saturating_add(length).saturating_sub(1));
    match last {
        Some(last) => request = request.header("range", format_args!("bytes={offset}-{last}")),
        None if offset > 0 => request = request.header("range", format_args!("bytes={offset}-")),
        None => {}
    }
    if let Some(etag) = expect.and_then(revision_of).and_then(matchable) {
        request = request.header("if-match", etag);
    }
    let response = match client.open(&request).await? {
        Reply::Open(response) => response,
        Reply::Accepted(answer) => {
            return match (answer.status, expect) {
                (416, _) => Ok(None),
                (404, Some(_)) => Err(stale(READ, path, GONE)),
                (404, None) => Err(absent(path)),
                (_, _) => Err(stale(READ, path, CHANGED)),
            };
        }
    };
    let headers = response.headers();
    let (start, size) = extent(headers, response.status().as_u16() == 206)
        .ok_or_else(|| request.error(Code::Storage, "the server does not say which bytes it sends"))?;
    if start != offset {
        return Err(request.error(Code::Unsupported, "the server does not send parts of files"));
    }
    let node = file_node(size, request::revision_of(headers).as_deref());
    // A server may not know conditions: what it sends is compared all the same.
    if expect.is_some_and(|expect| !same(expect, &node)) {
        return Err(stale(READ, path, CHANGED));
    }
    Ok(Some(Begun { node, mtime: time::mtime(headers), response }))
}

/// Where the bytes of an answer begin, and how many the whole has (RFC 9110, section 14.4). Some servers send parts with
/// the status of a whole.
fn extent(headers: &HeaderMap, is_part: bool) -> Option<(u64, u64)> {
    if !is_part && !headers.contains_key(CONTENT_RANGE) {
        return Some((0, text(headers, "content-length")?.parse().ok()?));
    }
    let (range, size) = text(headers, CONTENT_RANGE.as_str())?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last, size): (u64, u64, u64) = (start.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (start <= last && last < size).then_some((start, size))
}

impl Reading {
    /// The next piece. A connection that breaks is made again where it broke, for the same version.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let missing = self.end - self.offset;
            let piece = match &mut self.response {
                Some(response) => response.chunk().await.map_err(|e| web::unanswered(READ, &self.path, &e)),
                None => self.again(missing).await.map(|()| Some(Bytes::new())),
            };
            match piece {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) if piece.len() as u64 > missing => {
                    return Err(self.broken("the server sent more bytes than it announced"));
                }
                Ok(Some(piece)) => {
                    self.offset += piece.len() as u64;
                    self.failures = 0;
                    return Ok(Some(piece));
                }
                Ok(None) if missing == 0 => return Ok(None),
                Ok(None) => self.fails(self.broken("the server sent fewer bytes than it announced"))?,
                Err(e) => self.fails(e)?,
            }
        }
    }

    fn broken(&self, why: &'static str) -> Error {
        Error::new(Code::Offline, READ, &self.path).because(why)
    }

    fn fails(&mut self, error: Error) -> Result<()> {
        self.failures += 1;
        self.response = None;
        if self.failures < TRIES && error.is_retryable() { Ok(()) } else { Err(error) }
    }

    async fn again(&mut self, missing: u64) -> Result<()> {
        let begun = begin(&self.client, &self.path, &self.key, Some(&self.node), self.offset, Some(missing)).await?;
        let begun = begun.ok_or_else(|| stale(READ, &self.path, CHANGED))?;
        self.response = Some(begun.response);
        Ok(())
    }
}

/// Reads an object for its hash.
pub(super) async fn hash(client: &Arc<Client>, path: &RelPath) -> Result<Hashed> {
    let key = client.site.key(READ, path)?;
    let Some(begun) = begin(client, path, &key, None, 0, None).await? else {
        return Err(Error::new(Code::Storage, READ, path).because("the server refuses to send it"));
    };
    let Begun { node, response, .. } = begun;
    let (end, response) = (node.token.size, Some(response));
    let (client, path) = (Arc::clone(client), path.clone());
    let mut reading = Reading { client, path, key, node, offset: 0, end, response, failures: 0 };
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = reading.next().await? {
        hasher.update(&piece);
    }
    let node = reading.node;
    Ok(Hashed { node, content: ContentHash(*hasher.finalize().as_bytes()) })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn an_answer_says_which_bytes_it_has() {
        assert_eq!(extent(&with("content-length", "11"), false), Some((0, 11)));
        assert_eq!(extent(&with("content-range", "bytes 3-5/11"), true), Some((3, 11)));
        for bad in ["bytes 5-3/11", "bytes 3-11/11", "bytes */11", "bytes 3-5/*", "3-5/11", ""] {
            assert_eq!(extent(&with("content-range", bad), true), None, "{bad}");
        }
        assert_eq!(extent(&HeaderMap::new(), false), None);
    }
}
