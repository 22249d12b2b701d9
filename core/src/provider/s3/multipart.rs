//! The calls of a multipart upload (Amazon S3 User Guide, "Uploading and copying objects using multipart upload").

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use reqwest::Method;

use super::request::{Answer, Body, Client, Header, Request};
use super::sign::hex;
use crate::error::{Code, Result};
use crate::model::RelPath;
use crate::provider::traffic::Repeat;
use crate::provider::xml::{Element, escape};

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upload<'a> {
    /// Where the object will be, for messages.
    pub(super) path: &'a RelPath,
    pub(super) key: &'a str,
    pub(super) id: &'a str,
}

/// A part that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) written: Option<DateTime<Utc>>,
}

/// An upload that somebody began and nobody ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) at: Option<DateTime<Utc>>,
}

const SEND: &str = "send";
const CLEAN: &str = "clean up the uploads of";

impl Client {
    /// Begins an upload. One whose name was lost with the answer has no parts, and is found among the abandoned ones: a
    /// list of uploads says of none whose it is.
    pub(super) async fn begin_upload(&self, path: &RelPath, key: &str, headers: Vec<Header>) -> Result<String> {
        let mut request = Request::new(SEND, path, Method::POST, Some(key)).query("uploads", "");
        request.headers = headers;
        let answer = self.send(Repeat::Safe, &request).await?;
        let document = answer.document(&request, "InitiateMultipartUploadResult")?;
        let id = document.text_of("UploadId").filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| request.error(Code::Storage, "the server gives the upload no name"))
    }

    /// Sends a part; sending it again replaces it.
    pub(super) async fn put_part(&self, upload: &Upload<'_>, number: u32, body: Body) -> Result<String> {
        let request = Request::new(SEND, upload.path, Method::PUT, Some(upload.key))
            .query("partNumber", number)
            .query("uploadId", upload.id)
            .body(body);
        let answer = self.send(Repeat::Safe, &request).await?;
        answer.revision().ok_or_else(|| request.error(Code::Storage, "the server does not acknowledge a part"))
    }

    /// Has the server take a part from another object, in its exact version.
    pub(super) async fn copy_part(
        &self,
        upload: &Upload<'_>,
        number: u32,
        source: &[Header],
        (from, to): (u64, u64),
    ) -> Result<String> {
        let mut request = Request::new("copy", upload.path, Method::PUT, Some(upload.key))
            .query("partNumber", number)
            .query("uploadId", upload.id)
            .header("x-amz-copy-source-range", format_args!("bytes={from}-{}", to - 1));
        request.headers.extend_from_slice(source);
        let answer = self.send(Repeat::Safe, &request).await?;
        // Some servers know no copies of parts and take the request for a part without content.
        let unknown = |_| request.error(Code::Unsupported, "the server does not copy parts");
        let document = answer.document(&request, "CopyPartResult").map_err(unknown)?;
        let etag = document.text_of("ETag").map(|etag| etag.trim().trim_matches('"').to_owned());
        etag.ok_or_else(|| request.error(Code::Storage, "the server does not acknowledge a part"))
    }

    /// The parts that the server has; none where it does not know the upload any more.
    pub(super) async fn parts(&self, upload: &Upload<'_>) -> Result<Option<BTreeMap<u32, Part>>> {
        let mut parts = BTreeMap::new();
        let mut after = 0;
        loop {
            let request = Request::new("continue with", upload.path, Method::GET, Some(upload.key))
                .query("uploadId", upload.id)
                .query("max-parts", 1_000)
                .query("part-number-marker", after)
                .accepts(&[404]);
            let answer = self.send(Repeat::Safe, &request).await?;
            if answer.status == 404 {
                return Ok(None);
            }
            let document = answer.document(&request, "ListPartsResult")?;
            parts.extend(document.all("Part").filter_map(part_of));
            let last = parts.last_key_value().map_or(0, |(number, _)| *number);
            if !document.is_true("IsTruncated") || last <= after {
                return Ok(Some(parts));
            }
            after = last;
        }
    }

    /// Makes the parts the object, where the condition holds. The answer may say that it does not, or that there is no such
    /// upload any more.
    pub(super) async fn complete(
        &self,
        upload: &Upload<'_>,
        parts: &[(u32, String)],
        condition: Option<Header>,
    ) -> Result<Answer> {
        let parts: String = parts.iter().map(|(number, etag)| part_element(*number, etag)).collect();
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
        );
        let mut request = Request::new("put in place", upload.path, Method::POST, Some(upload.key))
            .query("uploadId", upload.id)
            .header("content-type", "application/xml")
            .body(Body::new(body))
            .accepts(&[304, 404, 412]);
        request.headers.extend(condition);
        self.send(Repeat::Safe, &request).await
    }

    /// Ends an upload without an object. One that is not known is ended.
    pub(super) async fn abort(&self, upload: &Upload<'_>) -> Result<()> {
        let request = Request::new(CLEAN, upload.path, Method::DELETE, Some(upload.key))
            .query("uploadId", upload.id)
            .accepts(&[404]);
        self.send(Repeat::Safe, &request).await.map(drop)
    }

    /// The uploads to keys with this prefix that were begun and not ended; none where the server does not tell.
    pub(super) async fn uploads(&self, subject: &str, prefix: &str) -> Result<Vec<Begun>> {
        let mut uploads: Vec<Begun> = Vec::new();
        let (mut key, mut id) = (String::new(), String::new());
        let mut been = HashSet::new();
        loop {
            let mut request =
                Request::new(CLEAN, subject, Method::GET, None).query("uploads", "").query("prefix", prefix);
            // Some servers know no empty list.
            request = request.accepts(&[404]);
            if !key.is_empty() {
                request = request.query("key-marker", &key).query("upload-id-marker", &id);
            }
            let answer = match self.send(Repeat::Safe, &request).await {
                Err(e) if e.code() == Code::Unsupported => return Ok(uploads),
                other => other?,
            };
            if answer.status == 404 {
                return Ok(uploads);
            }
            let document = answer.document(&request, "ListMultipartUploadsResult")?;
            uploads.extend(document.all("Upload").filter_map(begun_of).filter(|u| u.key.starts_with(prefix)));
            let next = |name| document.text_of(name).unwrap_or_default().to_owned();
            let (next_key, next_id) = (next("NextKeyMarker"), next("NextUploadIdMarker"));
            // One that goes round in circles has shown all that it has.
            let is_known = !been.insert((next_key.clone(), next_id.clone()));
            if !document.is_true("IsTruncated") || next_key.is_empty() || is_known {
                return Ok(uploads);
            }
            (key, id) = (next_key, next_id);
        }
    }
}

fn part_element(number: u32, etag: &str) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;{}&quot;</ETag></Part>", escape(etag))
}

fn part_of(part: &Element) -> Option<(u32, Part)> {
    let number = part.text_of("PartNumber")?.trim().parse().ok()?;
    let size = part.text_of("Size")?.trim().parse().ok()?;
    let etag = part.text_of("ETag")?.trim().trim_matches('"').to_owned();
    Some((number, Part { size, etag, written: time_of(part, "LastModified") }))
}

fn begun_of(upload: &Element) -> Option<Begun> {
    let at = time_of(upload, "Initiated");
    Some(Begun { key: upload.text_of("Key")?.to_owned(), id: upload.text_of("UploadId")?.to_owned(), at })
}

fn time_of(element: &Element, name: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(element.text_of(name)?.trim()).ok()?;
    Some(at.with_timezone(&Utc))
}

/// The ETag of an object that was made of parts with these MD5s, where ETags are MD5s at all.
pub(super) fn etag_of(parts: &[[u8; 16]]) -> String {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::xml;

    #[test]
    fn etags_of_parts_are_those_that_servers_give() {
        let etag = |bytes: &[u8], part: usize| {
            etag_of(&bytes.chunks(part).map(|part| Md5::digest(part).into()).collect::<Vec<_>>())
        };
        let counted: Vec<u8> = (0..10_485_760_u32).map(|i| (i % 251) as u8).collect();
        assert_eq!(etag(&counted, 5 << 20), "1e4f501cf04fe65dfa57940273a0cecf-2");
        assert_eq!(etag(&vec![0; 5_242_881], 5 << 20), "92f3a08aa3b1d7eb318ab9c2fc4a6ec3-2");
        assert_eq!(etag(b"hello world", 5 << 20), "241d8a27c836427bd7f04461b60e7359-1");
    }

    #[test]
    fn a_part_is_named_with_its_etag_in_quotes() {
        let element = xml::parse(part_element(3, "a&b").as_bytes()).unwrap();
        assert_eq!((element.text_of("PartNumber"), element.text_of("ETag")), (Some("3"), Some("\"a&b\"")));
    }
}
