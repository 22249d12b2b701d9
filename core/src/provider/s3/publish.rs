//! The one request that makes what was staged the object.
//!
//! Where the server honours conditions the request carries what must be there; elsewhere it is looked at right before. A
//! condition that fails on a repeated request may have been met by the first one, whose answer was lost: what is there then
//! is compared before it is called another's.

use reqwest::Method;

use super::list::{CHANGED, GONE, TAKEN, compare, file_node, revision_of, stale};
use super::multipart::Upload;
use super::request::{Answer, Body, Client, Header, Request, matchable};
use super::stage::{Sent, Shelf, Waiting};
use super::trash::Bin;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::provider::Publish;
use crate::provider::traffic::Repeat;

const PUBLISH: &str = "put in place";

/// Publishes one staged file.
pub(super) async fn publish(client: &Client, shelf: &Shelf, bin: &Bin<'_>, item: &Publish) -> Result<Node> {
    let (path, tag) = (&item.staged.target, &item.staged.tag);
    let waiting = shelf.get(path, tag).ok_or_else(|| stale(PUBLISH, path, "what was staged is not there any more"))?;
    let key = client.site.key(PUBLISH, path)?;
    let archived = match &item.archive {
        Some(label) => archive(client, bin, path, &key, &item.expect, label).await?,
        None => None,
    };
    let placed = match &waiting {
        Waiting::Whole { body, headers } => client.put(path, &key, body, headers, &item.expect).await,
        Waiting::Parts(sent) => client.join(path, &key, sent, item.staged.size, &item.expect).await,
    };
    match (&placed, archived) {
        (Ok(_), _) => drop(shelf.take(path, tag)),
        // It stands where it stood. What cannot be taken back stays in the trash.
        (Err(e), Some(kept)) if e.code() == Code::Stale => drop(client.delete(PUBLISH, path, &kept).await),
        (Err(_), _) => {}
    }
    placed
}

/// Keeps the version that is about to be replaced; answers the key of the copy.
async fn archive(
    client: &Client,
    bin: &Bin<'_>,
    path: &RelPath,
    key: &str,
    expect: &Expect,
    label: &str,
) -> Result<Option<String>> {
    let old = match expect {
        Expect::Absent => return Ok(None),
        Expect::Node(node) => node.clone(),
        Expect::Any => match client.look_at_object(PUBLISH, path, key).await? {
            Some(node) => node,
            None => return Ok(None),
        },
    };
    if old.kind != Kind::File {
        return Err(stale(PUBLISH, path, "a directory is there"));
    }
    let kept = bin.reserve(label, path).await?;
    client.copy(PUBLISH, path, key, &kept, &old).await?;
    Ok(Some(kept))
}

impl Client {
    /// Puts an object as a whole.
    pub(super) async fn put(
        &self,
        path: &RelPath,
        key: &str,
        body: &Body,
        headers: &[Header],
        expect: &Expect,
    ) -> Result<Node> {
        let condition = self.condition(path, key, expect, false).await?;
        let mut request =
            Request::new(PUBLISH, path, Method::PUT, Some(key)).body(body.clone()).accepts(&[304, 404, 412]);
        request.headers.extend_from_slice(headers);
        request.headers.extend(condition);
        let answer = self.send(Repeat::Safe, &request).await?;
        let size = body.bytes.len() as u64;
        if !is_done(&answer) {
            let own = file_node(size, Some(&body.etag()));
            return self.settle(path, key, &answer, expect, Some(&own)).await;
        }
        let Some(etag) = answer.revision().filter(|revision| !revision.starts_with('@')) else {
            return self.placed(path, key, size).await;
        };
        // Where it does not say, the server has its own keys or ETags.
        let is_encrypted = answer.headers.contains_key("x-amz-server-side-encryption");
        if self.traits().await?.md5 && !is_encrypted && etag != body.etag() {
            return Err(request.error(Code::Storage, "the server has stored something else than was sent"));
        }
        Ok(file_node(size, Some(&etag)))
    }

    /// Puts an object of no bytes, whose version nobody asks for.
    pub(super) async fn put_empty(&self, path: &RelPath, key: &str, headers: &[Header], expect: &Expect) -> Result<()> {
        let body = Body::new("");
        let condition = self.condition(path, key, expect, false).await?;
        let mut request =
            Request::new("make the directory", path, Method::PUT, Some(key)).body(body).accepts(&[304, 404, 412]);
        request.headers.extend_from_slice(headers);
        request.headers.extend(condition);
        let answer = self.send(Repeat::Safe, &request).await?;
        // After a repetition it is the own one: one marker is as good as another.
        if is_done(&answer) || answer.is_repeated { Ok(()) } else { Err(stale("make the directory", path, TAKEN)) }
    }

    /// Makes the parts of an upload the object.
    async fn join(&self, path: &RelPath, key: &str, sent: &Sent, size: u64, expect: &Expect) -> Result<Node> {
        // Some servers know conditions on PUT and not here: it is looked at in any case.
        let condition = self.condition(path, key, expect, true).await?;
        let upload = Upload { path, key, id: &sent.upload };
        let answer = self.complete(&upload, &sent.parts, condition).await?;
        if !is_done(&answer) {
            let own = sent.etag.as_deref().map(|etag| file_node(size, Some(etag)));
            return self.settle(path, key, &answer, expect, own.as_ref()).await;
        }
        self.placed(path, key, size).await
    }

    /// What a request says of the state that it relies on; where the server would not care, or always, it is looked at.
    async fn condition(&self, path: &RelPath, key: &str, expect: &Expect, always: bool) -> Result<Option<Header>> {
        let traits = self.traits().await?;
        let condition = match expect {
            Expect::Absent if traits.create => Some(("if-none-match".into(), "*".to_owned())),
            Expect::Node(node) if traits.replace => {
                revision_of(node).and_then(matchable).map(|etag| ("if-match".into(), etag))
            }
            Expect::Absent | Expect::Node(_) | Expect::Any => None,
        };
        if *expect != Expect::Any && (always || condition.is_none()) {
            let seen = self.look_at_object(PUBLISH, path, key).await?;
            compare(PUBLISH, path, seen, expect)?;
        }
        Ok(condition)
    }

    /// A request that was refused for what is there: the own object, where an earlier one was acted on unheard.
    async fn settle(
        &self,
        path: &RelPath,
        key: &str,
        answer: &Answer,
        expect: &Expect,
        own: Option<&Node>,
    ) -> Result<Node> {
        let seen = if answer.is_repeated { self.look_at_object(PUBLISH, path, key).await? } else { None };
        match (seen, own) {
            (Some(seen), Some(own)) if seen == *own => Ok(seen),
            (_, _) => Err(match (answer.status, expect) {
                (404, _) if answer.body.windows(12).any(|w| w == b"NoSuchUpload") => {
                    Error::new(Code::NotFound, PUBLISH, path).because("the server does not know the upload any more")
                }
                (404, _) => stale(PUBLISH, path, GONE),
                (_, Expect::Absent) => stale(PUBLISH, path, TAKEN),
                (_, _) => stale(PUBLISH, path, CHANGED),
            }),
        }
    }

    /// What is there after it was put there.
    async fn placed(&self, path: &RelPath, key: &str, size: u64) -> Result<Node> {
        let gone = || stale(PUBLISH, path, GONE);
        let node = self.look_at_object(PUBLISH, path, key).await?.ok_or_else(gone)?;
        if node.token.size == size { Ok(node) } else { Err(stale(PUBLISH, path, "it changed at the last moment")) }
    }
}

fn is_done(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
