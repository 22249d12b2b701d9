//! Copies that the server makes, and removals.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::list::{CHANGED, GONE, compare, file_node, revision_of, stale};
use super::multipart::Upload;
use super::options::part_bytes;
use super::page::MOST;
use super::request::{Body, Client, Header, Request, matchable};
use super::sign::encode_path;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Node, RelPath};
use crate::provider::traffic::Repeat;
use crate::provider::xml::{self, escape};

/// Parts that are copied at once.
const AT_ONCE: usize = 4;
/// What is stored with an object beside the metadata of its user (Amazon S3 API Reference, `CopyObject`).
const STORED: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
/// Before the names of the user's metadata.
const OF_USER: &str = "x-amz-meta-";

/// How objects are copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    /// The largest object that is copied in one request.
    pub(super) whole: u64,
    /// The part of a larger one.
    pub(super) part: u64,
}

/// 5 GiB are the most of one request (Amazon S3 API Reference, `CopyObject`).
impl Default for Pieces {
    fn default() -> Self {
        Self { whole: 5 << 30, part: 1 << 30 }
    }
}

impl Pieces {
    /// The ranges of a copy in parts, without their ends; none where one request will do.
    fn ranges(self, size: u64) -> Vec<(u64, u64)> {
        if size <= self.whole {
            return Vec::new();
        }
        let part = part_bytes(self.part, size);
        (0..size.div_ceil(part)).map(|number| (number * part, size.min((number + 1) * part))).collect()
    }
}

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
        let ranges = self.pieces.ranges(node.token.size);
        if ranges.is_empty() {
            return self.copy_whole(action, path, (from, to), node).await;
        }
        match self.copy_in_parts(action, path, (from, to), node, &ranges).await {
            // Servers that copy no parts may copy more in one request than the reference allows.
            Err(e) if e.code() == Code::Unsupported => self.copy_whole(action, path, (from, to), node).await,
            copied => copied,
        }
    }

    async fn copy_whole(
        &self,
        action: &'static str,
        path: &RelPath,
        (from, to): (&str, &str),
        node: &Node,
    ) -> Result<Node> {
        let mut request = Request::new(action, path, Method::PUT, Some(to)).accepts(&[404, 412]);
        request.headers = self.source(from, node);
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

    fn source(&self, from: &str, node: &Node) -> Vec<Header> {
        let from = format!("/{}/{}", self.site.options.bucket, encode_path(from));
        let mut headers = vec![("x-amz-copy-source".into(), from)];
        let etag = revision_of(node).and_then(matchable);
        headers.extend(etag.map(|etag| ("x-amz-copy-source-if-match".into(), etag)));
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
        ranges: &[(u64, u64)],
    ) -> Result<Node> {
        let exact = Expect::Node(node.clone());
        let (seen, stored) = self.head(action, path, from).await?.ok_or_else(|| stale(action, path, GONE))?;
        compare(action, path, Some(seen), &exact)?;
        // Parts bring no metadata along.
        let id = self.begin_upload(path, to, stored_with(&stored)).await?;
        let upload = Upload { path, key: to, id: &id };
        let copied = async {
            let parts = self.copy_parts(action, &upload, ranges, &self.source(from, node)).await?;
            // Not every server holds each part against the version.
            compare(action, path, self.look_at_object(action, path, from).await?, &exact)?;
            let answer = self.complete(&upload, &parts, None).await?;
            if answer.status == 404 && !answer.is_repeated {
                return Err(stale(action, path, "the server does not know the upload any more"));
            }
            Ok(())
        };
        let made = copied.await;
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
        ranges: &[(u64, u64)],
        source: &[Header],
    ) -> Result<Vec<(u32, String)>> {
        let copy = |(number, range): (u32, &(u64, u64))| {
            let range = *range;
            async move { Ok::<_, Error>((number, self.copy_part(upload, number, source, range).await?)) }
        };
        let copying: Vec<_> = (1..).zip(ranges).map(copy).collect();
        stream::iter(copying).buffered(AT_ONCE).try_collect().await.map_err(|e| match e.code() {
            Code::NotFound | Code::Stale => stale(action, upload.path, CHANGED),
            _ => e,
        })
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

/// What a copy is to be stored with as its original is. Values that are no text stay behind: they cannot be signed.
fn stored_with(original: &HeaderMap) -> Vec<Header> {
    let is_kept = |name: &str| STORED.contains(&name) || name.starts_with(OF_USER);
    let kept = original.iter().filter(|(name, _)| is_kept(name.as_str()));
    kept.filter_map(|(name, value)| Some((name.as_str().to_owned().into(), value.to_str().ok()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn what_is_too_large_for_one_request_is_cut_without_a_gap() {
        let pieces = Pieces::default();
        assert_eq!((pieces.ranges(0), pieces.ranges(5 * GIB)), (vec![], vec![]));
        for size in [5 * GIB + 1, 6 * GIB, 7 * GIB - 1, 5 << 40, (5 << 40) - 7] {
            let ranges = pieces.ranges(size);
            assert_eq!((ranges[0].0, ranges.last().unwrap().1), (0, size));
            assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0), "{size}");
            let (last, others) = ranges.split_last().unwrap();
            let part = others[0].1;
            assert!(others.iter().all(|(from, to)| to - from == part) && last.1 - last.0 <= part, "{size}");
            assert!((5 << 20..=5 * GIB).contains(&part) && ranges.len() <= 10_000, "{size}: {part}");
        }
    }

    #[test]
    fn a_copy_is_stored_as_its_original() {
        let mut original = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("x-amz-meta-mtime", "1.5"),
            ("x-amz-meta-other", "kept, too"),
            ("etag", "\"e\""),
            ("content-length", "7"),
            ("x-amz-version-id", "v"),
        ] {
            original.insert(name, value.parse().unwrap());
        }
        let mut names: Vec<String> = stored_with(&original).into_iter().map(|(name, _)| name.into_owned()).collect();
        names.sort();
        assert_eq!(names, ["content-encoding", "content-type", "x-amz-meta-mtime", "x-amz-meta-other"]);
    }
}
