//! Copies that the server makes, and removals.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;

use super::list::{CHANGED, GONE, compare, file_node, revision_of, stale};
use super::multipart::Upload;
use super::options::part_bytes;
use super::request::{Body, Client, Request, matchable, text};
use super::sign::encode_path;
use super::{page::MOST, time};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Node, RelPath};
use crate::provider::traffic::Repeat;
use crate::provider::xml::{self, escape};

/// The largest object that is copied in one request (Amazon S3 API Reference, `CopyObject`).
const WHOLE: u64 = 5 << 30;
/// The part of a larger one.
const PART: u64 = 1 << 30;
/// Parts that are copied at once.
const AT_ONCE: usize = 4;

impl Client {
    /// Copies an object, which must be this version, over whatever is at the other key.
    pub(super) async fn copy(
        &self,
        action: &'static str,
        path: &RelPath,
        from: &str,
        to: &str,
        node: &Node,
    ) -> Result<Node> {
        let source = self.source(from, node);
        if node.token.size > WHOLE {
            return self.copy_in_parts(action, path, (from, to), node, &source).await;
        }
        let mut request = Request::new(action, path, Method::PUT, Some(to)).accepts(&[404, 412]);
        request.headers = source;
        let answer = self.send(Repeat::Safe, &request).await?;
        match answer.status {
            404 => return Err(stale(action, path, GONE)),
            412 => return Err(stale(action, path, CHANGED)),
            _ => {}
        }
        let etag = xml::parse(&answer.body).ok().and_then(|document| document.text_of("ETag").map(str::to_owned));
        match etag.as_deref().map(|etag| etag.trim().trim_matches('"')).filter(|etag| !etag.is_empty()) {
            Some(etag) => Ok(file_node(node.token.size, Some(etag))),
            None => self.copied(action, path, to, node.token.size).await,
        }
    }

    fn source(&self, from: &str, node: &Node) -> Vec<(&'static str, String)> {
        let from = format!("/{}/{}", self.site.options.bucket, encode_path(from));
        let mut headers = vec![("x-amz-copy-source", from)];
        let etag = revision_of(node).and_then(matchable);
        headers.extend(etag.map(|etag| ("x-amz-copy-source-if-match", etag)));
        headers
    }

    async fn copied(&self, action: &'static str, path: &RelPath, to: &str, size: u64) -> Result<Node> {
        let seen = self.look_at_object(action, path, to).await?;
        let copied = seen.filter(|copy| copy.token.size == size);
        copied.ok_or_else(|| Error::new(Code::Storage, action, path).because("the server's copy is not whole"))
    }

    async fn copy_in_parts(
        &self,
        action: &'static str,
        path: &RelPath,
        (from, to): (&str, &str),
        node: &Node,
        source: &[(&'static str, String)],
    ) -> Result<Node> {
        // Parts bring no metadata along.
        let (_, stored) = self.head(action, path, from).await?.ok_or_else(|| stale(action, path, GONE))?;
        let kept = |name: &'static str| text(&stored, name).map(|value| (name, value.to_owned()));
        let headers = ["content-type", time::MTIME].into_iter().filter_map(kept).collect();
        let id = self.begin_upload(path, to, headers).await?;
        let upload = Upload { path, key: to, id: &id };
        let made = self.copy_parts(action, &upload, node.token.size, source).await;
        if made.is_err() {
            // What is left of it is found among the abandoned ones.
            let _ = self.abort(&upload).await;
        }
        made?;
        self.copied(action, path, to, node.token.size).await
    }

    async fn copy_parts(
        &self,
        action: &'static str,
        upload: &Upload<'_>,
        size: u64,
        source: &[(&'static str, String)],
    ) -> Result<()> {
        let part = part_bytes(PART, size);
        let count = u32::try_from(size.div_ceil(part))
            .map_err(|_| Error::new(Code::Invalid, action, upload.path).because("it has too many parts"))?;
        let copy = |number: u32| async move {
            let start = u64::from(number - 1) * part;
            let etag = self.copy_part(upload, number, source, (start, size.min(start + part))).await?;
            Ok::<_, Error>((number, etag))
        };
        let parts: Vec<(u32, String)> =
            stream::iter(1..=count).map(copy).buffered(AT_ONCE).try_collect().await.map_err(|e| match e.code() {
                Code::NotFound | Code::Stale => stale(action, upload.path, CHANGED),
                _ => e,
            })?;
        let answer = self.complete(upload, &parts, None).await?;
        if answer.status == 404 && !answer.is_repeated {
            return Err(stale(action, upload.path, "the server does not know the upload any more"));
        }
        Ok(())
    }

    /// Removes an object that must be this version.
    pub(super) async fn remove(&self, action: &'static str, path: &RelPath, key: &str, node: &Node) -> Result<()> {
        let etag = if self.traits().await?.delete { revision_of(node).and_then(matchable) } else { None };
        let Some(etag) = etag else {
            let seen = self.look_at_object(action, path, key).await?;
            compare(action, path, seen, &Expect::Node(node.clone()))?;
            return self.delete(action, path, key).await;
        };
        let request =
            Request::new(action, path, Method::DELETE, Some(key)).header("if-match", etag).accepts(&[404, 412]);
        let answer = self.send(Repeat::Safe, &request).await?;
        match answer.status {
            // An earlier request may have removed it, unheard.
            404 | 412 if answer.is_repeated && self.look_at_object(action, path, key).await?.is_none() => Ok(()),
            404 => Err(stale(action, path, GONE)),
            412 => Err(stale(action, path, CHANGED)),
            _ => Ok(()),
        }
    }

    /// Removes an object, whatever it is.
    pub(super) async fn delete(&self, action: &'static str, path: &RelPath, key: &str) -> Result<()> {
        let request = Request::new(action, path, Method::DELETE, Some(key)).accepts(&[404]);
        self.send(Repeat::Safe, &request).await.map(drop)
    }

    /// Removes objects, whatever they are; answers the keys that went, and the first failure.
    pub(super) async fn delete_all(&self, action: &'static str, keys: &[String]) -> (Vec<String>, Result<()>) {
        let (mut gone, mut result) = (Vec::new(), Ok(()));
        for batch in keys.chunks(MOST as usize) {
            match self.delete_batch(action, batch).await {
                Ok((removed, failed)) => {
                    gone.extend(removed);
                    result = result.and(failed);
                }
                // Not every server removes many at once, nor has XML every character that a key may have.
                Err(e) if matches!(e.code(), Code::Unsupported | Code::Invalid) => {
                    for key in batch {
                        match self.delete(action, &RelPath::root(), key).await {
                            Ok(()) => gone.push(key.clone()),
                            Err(e) => result = result.and(Err(e)),
                        }
                    }
                }
                Err(e) => result = result.and(Err(e)),
            }
        }
        (gone, result)
    }

    async fn delete_batch(&self, action: &'static str, keys: &[String]) -> Result<(Vec<String>, Result<()>)> {
        let objects: String = keys.iter().map(|key| format!("<Object><Key>{}</Key></Object>", escape(key))).collect();
        let body =
            format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>{objects}</Delete>");
        let request = Request::new(action, self.site.display(), Method::POST, None)
            .query("delete", "")
            .header("content-type", "application/xml")
            .body(Body::new(body));
        let answer = self.send(Repeat::Safe, &request).await?;
        let document = answer.document(&request, "DeleteResult")?;
        let failed: Vec<(&str, &str)> = document
            .all("Error")
            .map(|e| (e.text_of("Key").unwrap_or_default(), e.text_of("Code").unwrap_or("it was not removed")))
            .collect();
        let result = match failed.first() {
            None => Ok(()),
            Some((key, why)) => {
                let code = if *why == "AccessDenied" { Code::Permission } else { Code::Storage };
                let key = crate::model::escaped(key.as_bytes());
                Err(Error::new(code, action, key).because(crate::model::escaped(why.as_bytes())))
            }
        };
        let is_gone = |key: &&String| !failed.iter().any(|(failed, _)| failed == key);
        Ok((keys.iter().filter(is_gone).cloned().collect(), result))
    }
}
