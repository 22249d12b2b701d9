//! Pages of a listing. A page that is not whole, or that says what was not asked for, is a failure and no page.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::percent_decode_str;
use reqwest::Method;

use super::request::{Client, Request, is_etag, revision};
use crate::error::{Code, Error, Result};
use crate::provider::traffic::Repeat;
use crate::provider::xml::{self, Element};

/// The most that a server gives at once (Amazon S3 API Reference, `ListObjectsV2`).
pub(super) const MOST: u32 = 1_000;

/// So many pages without a key may follow each other. Servers give some where versions were removed.
const EMPTY: u32 = 1_000;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) revision: Option<String>,
    pub(super) written: Option<DateTime<Utc>>,
}

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) action: &'static str,
    pub(super) subject: &'a str,
    pub(super) prefix: &'a str,
    /// Keys with a `/` after the prefix are shown as what comes before it.
    pub(super) is_shallow: bool,
    pub(super) most: u32,
}

/// Where the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Cursor {
    #[default]
    Start,
    /// What version 2 goes on with.
    Token(String),
    /// The key that version 1 goes on after.
    Marker(String),
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    /// With their `/`.
    pub(super) prefixes: Vec<String>,
    /// Keys that cannot be told from the answer, as it writes them.
    pub(super) unreadable: Vec<String>,
    pub(super) next: Option<Cursor>,
}

/// The pages of a listing, one after the other. A server whose pages lead back to where they were, or nowhere, is told
/// from one that has many.
pub(super) struct Pages<'a> {
    client: &'a Client,
    ask: &'a Ask<'a>,
    next: Option<Cursor>,
    been: HashSet<Cursor>,
    /// With which key pages began.
    begun: HashSet<String>,
    empty: u32,
}

impl<'a> Pages<'a> {
    pub(super) fn of(client: &'a Client, ask: &'a Ask<'a>) -> Self {
        let next = Some(Cursor::Start);
        Self { client, ask, next, been: HashSet::new(), begun: HashSet::new(), empty: 0 }
    }

    /// Whether no page has come yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.been.is_empty()
    }

    /// The next page; `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        let Some(from) = self.next.take() else { return Ok(None) };
        let page = self.client.page(self.ask, &from).await?;
        let page = self.client.with_etags(self.ask, page).await?;
        self.been.insert(from);
        let first = page.objects.iter().map(|o| &o.key).chain(&page.prefixes).chain(&page.unreadable).next();
        let is_known = match first {
            Some(first) => {
                self.empty = 0;
                !self.begun.insert(first.clone())
            }
            None => {
                self.empty += 1;
                self.empty > EMPTY
            }
        };
        self.next.clone_from(&page.next);
        if self.next.is_some() && (is_known || self.next.as_ref().is_some_and(|next| self.been.contains(next))) {
            let why = "the server's listing goes round in circles";
            return Err(Error::new(Code::Storage, self.ask.action, self.ask.subject).because(why));
        }
        Ok(Some(page))
    }
}

impl Client {
    /// One page. Keys are asked for as they are; where the answer's form cannot hold one of them, encoded: XML has no
    /// control characters (XML 1.0, section 2.2), and some servers write U+FFFD for them.
    pub(super) async fn page(&self, ask: &Ask<'_>, from: &Cursor) -> Result<Page> {
        match self.page_as(ask, from, false).await {
            Ok(page) if page.unreadable.is_empty() => Ok(page),
            Err(e) if e.code() != Code::Storage => Err(e),
            plain => match self.page_as(ask, from, true).await {
                Ok(encoded) => Ok(encoded),
                Err(e) => plain.map_err(|_| e),
            },
        }
    }

    /// Amazon's listings show the ETag of each object. Where a server's do not, each object is looked at, as its ETag is
    /// what every other answer names the version by.
    async fn with_etags(&self, ask: &Ask<'_>, mut page: Page) -> Result<Page> {
        let (known, unknown): (Vec<Object>, _) =
            page.objects.into_iter().partition(|o| o.key.ends_with('/') || o.revision.as_deref().is_some_and(is_etag));
        page.objects = known;
        let looks = unknown.into_iter().map(|object| async move {
            let request = Request::new(ask.action, &object.key, Method::HEAD, Some(&object.key)).accepts(&[404]);
            let answer = self.send(Repeat::Safe, &request).await?;
            let size = answer.size().unwrap_or(object.size);
            let is_there = answer.status != 404;
            Ok::<_, Error>(is_there.then(|| Object { size, revision: answer.revision(), ..object.clone() }))
        });
        let looks: Vec<_> = looks.collect();
        let looked: Vec<Option<Object>> = stream::iter(looks).buffered(self.traffic.most()).try_collect().await?;
        page.objects.extend(looked.into_iter().flatten());
        Ok(page)
    }

    async fn page_as(&self, ask: &Ask<'_>, from: &Cursor, encoded: bool) -> Result<Page> {
        let is_v1 = self.lists_v1.load(Ordering::Relaxed) || matches!(from, Cursor::Marker(_));
        let request = request(ask, from, is_v1, encoded);
        let answer = match self.send(Repeat::Safe, &request).await {
            Err(e) if e.code() == Code::Unsupported && !is_v1 && *from == Cursor::Start => {
                self.lists_v1.store(true, Ordering::Relaxed);
                return Box::pin(self.page_as(ask, from, encoded)).await;
            }
            other => other?,
        };
        parse(&answer.body, ask)
            .map_err(|why| request.error(Code::Storage, format!("the server's listing cannot be believed: {why}")))
    }

    /// Everything that a listing shows, from all of its pages.
    pub(super) async fn all(&self, ask: &Ask<'_>) -> Result<Page> {
        let mut all = Page::default();
        let mut pages = Pages::of(self, ask);
        while let Some(page) = pages.next().await? {
            all.objects.extend(page.objects);
            all.prefixes.extend(page.prefixes);
            all.unreadable.extend(page.unreadable);
        }
        Ok(all)
    }

    /// Whether there is any key with the prefix.
    pub(super) async fn is_any(&self, ask: &Ask<'_>) -> Result<bool> {
        let ask = Ask { is_shallow: false, most: 1, ..*ask };
        let mut pages = Pages::of(self, &ask);
        while let Some(page) = pages.next().await? {
            if !page.objects.is_empty() || !page.unreadable.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn request<'a>(ask: &Ask<'_>, from: &Cursor, is_v1: bool, encoded: bool) -> Request<'a> {
    let mut request = Request::new(ask.action, ask.subject, Method::GET, None);
    request = request.query("prefix", ask.prefix).query("max-keys", ask.most);
    if !is_v1 {
        request = request.query("list-type", 2);
    }
    if ask.is_shallow {
        request = request.query("delimiter", "/");
    }
    if encoded {
        request = request.query("encoding-type", "url");
    }
    match from {
        Cursor::Start => request,
        Cursor::Token(token) => request.query("continuation-token", token),
        Cursor::Marker(key) => request.query("marker", key),
    }
}

/// What an answer says, or why it cannot be believed.
type Parsed<T> = std::result::Result<T, String>;

fn parse(body: &[u8], ask: &Ask<'_>) -> Parsed<Page> {
    let root = xml::parse(body)?;
    if root.name != "ListBucketResult" {
        return Err(format!("it is a {}", root.name.escape_debug()));
    }
    let prefixes: Vec<&str> =
        root.all("CommonPrefixes").flat_map(|c| c.all("Prefix")).map(|p| p.text.as_str()).collect();
    let keys = root
        .all("Contents")
        .map(|c| c.text_of("Key").ok_or("an object has no key"))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let is_encoded = root.text_of("EncodingType").is_some_and(|kind| kind.trim() == "url")
        && keys.iter().chain(&prefixes).all(|text| looks_encoded(text));
    let read = |text: &str| if is_encoded { decoded(text) } else { plain(text) };
    let mut page = Page::default();
    for (object, key) in root.all("Contents").zip(&keys) {
        match read(key) {
            Some(key) => page.objects.push(object_of(object, key)?),
            None => page.unreadable.push((*key).to_owned()),
        }
    }
    for prefix in prefixes {
        match read(prefix) {
            Some(prefix) => page.prefixes.push(prefix),
            None => page.unreadable.push(prefix.to_owned()),
        }
    }
    if page.objects.iter().map(|o| &o.key).chain(&page.prefixes).any(|key| !key.starts_with(ask.prefix)) {
        return Err("it shows what was not asked for".into());
    }
    page.next = next(&root, &page, is_encoded)?;
    Ok(page)
}

fn object_of(object: &Element, key: String) -> Parsed<Object> {
    let size = object.text_of("Size").and_then(|size| size.trim().parse().ok()).ok_or("an object has no size")?;
    let written = object.text_of("LastModified").and_then(|at| DateTime::parse_from_rfc3339(at.trim()).ok());
    let written = written.map(|at| at.with_timezone(&Utc));
    Ok(Object { key, size, revision: revision(object.text_of("ETag"), written), written })
}

fn next(root: &Element, page: &Page, is_encoded: bool) -> Parsed<Option<Cursor>> {
    match root.text_of("IsTruncated").map(str::trim) {
        Some("false") => return Ok(None),
        Some("true") => {}
        _ => return Err("it does not say whether there is more".into()),
    }
    let text = |name| root.text_of(name).filter(|text| !text.is_empty());
    if let Some(token) = text("NextContinuationToken") {
        return Ok(Some(Cursor::Token(token.to_owned())));
    }
    // Version 1 says where to go on only where keys are cut at a delimiter.
    let marker = match text("NextMarker") {
        Some(marker) if is_encoded => decoded(marker),
        Some(marker) => Some(marker.to_owned()),
        None => page.objects.iter().map(|o| &o.key).chain(&page.prefixes).max().cloned(),
    };
    marker.map(|key| Some(Cursor::Marker(key))).ok_or_else(|| "it does not say how to go on".into())
}

/// A key as it stands, unless the server could not write it.
fn plain(text: &str) -> Option<String> {
    (!text.contains('\u{fffd}')).then(|| text.to_owned())
}

/// Some servers say that they encode and do not.
fn looks_encoded(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'&' | b'\\' | b'^' | b'`' | b'|'))
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Ask<'_> = Ask { action: "list", subject: "p", prefix: "p/", is_shallow: true, most: MOST };

    fn page(inner: &str) -> Parsed<Page> {
        parse(
            format!("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\">{inner}</ListBucketResult>").as_bytes(),
            &ASK,
        )
    }

    fn object(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;5eb6&quot;\
             </ETag><Size>11</Size></Contents>"
        )
    }

    #[test]
    fn objects_and_prefixes_are_taken_as_they_stand() {
        let more = "<CommonPrefixes><Prefix>p/s&amp;b/</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated>\
                    <NextContinuationToken>t==</NextContinuationToken>";
        let page = page(&(object("p/ a+b%20 ") + more)).unwrap();
        let written = DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap().with_timezone(&Utc);
        let expected =
            Object { key: "p/ a+b%20 ".into(), size: 11, revision: Some("5eb6".into()), written: Some(written) };
        assert_eq!((page.objects, page.prefixes), (vec![expected], vec!["p/s&b/".to_owned()]));
        assert_eq!(page.next, Some(Cursor::Token("t==".into())));
    }

    #[test]
    fn encoded_keys_are_decoded_where_the_server_says_so_and_does_so() {
        let end = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>";
        let one = |key: &str| page(&(object(key) + end)).unwrap();
        assert_eq!(one("p%2Fa+b%2Bc%1B").objects[0].key, "p/a b+c\u{1b}");
        assert_eq!(one("p/raw \u{e9}%20").objects[0].key, "p/raw \u{e9}%20", "it was not encoded");
        assert_eq!(one("p/%FF").unreadable, ["p/%FF"]);
        let plain = page(&(object("p/a\u{fffd}") + "<IsTruncated>false</IsTruncated>")).unwrap();
        assert_eq!((plain.objects.len(), plain.unreadable.len()), (0, 1));
    }

    #[test]
    fn the_first_version_goes_on_after_its_last_key() {
        let truncated = "<IsTruncated>true</IsTruncated>";
        let marked = page(&(object("p/a") + truncated + "<NextMarker>p/b</NextMarker>")).unwrap();
        assert_eq!(marked.next, Some(Cursor::Marker("p/b".into())));
        let unmarked = page(&(object("p/a") + &object("p/c") + truncated)).unwrap();
        assert_eq!(unmarked.next, Some(Cursor::Marker("p/c".into())));
    }

    #[test]
    fn a_listing_that_is_not_whole_is_none() {
        let whole = object("p/a");
        for bad in [
            whole.clone(),
            whole.clone() + "<IsTruncated>perhaps</IsTruncated>",
            object("q/a") + "<IsTruncated>false</IsTruncated>",
            "<IsTruncated>true</IsTruncated>".to_owned(),
            "<Contents><Key>p/a</Key></Contents><IsTruncated>false</IsTruncated>".to_owned(),
            "<Contents><Size>1</Size></Contents><IsTruncated>false</IsTruncated>".to_owned(),
        ] {
            assert!(page(&bad).is_err(), "{bad}");
        }
        let cut = format!("<ListBucketResult>{whole}<IsTruncated>false</IsTruncated>");
        assert!(parse(cut.as_bytes(), &ASK).is_err());
        assert!(parse(b"<html><body>Welcome</body></html>", &ASK).is_err());
        assert!(parse(b"", &ASK).is_err());
    }
}
