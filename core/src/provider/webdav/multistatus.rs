//! Reads a multistatus (RFC 4918, section 13) as it comes, however many items it has.
//!
//! Nothing in it is believed to be complete before its last tag. There are no documents types and no entities but
//! the five of XML and characters by number: nothing grows when it is read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures_util::Stream;
use futures_util::stream::BoxStream;
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::error::{Code, Error, Result};
use crate::model::Timestamp;
use crate::provider::web_etag::{Etag, time};

/// Elements within elements.
const DEPTH: usize = 64;
/// Bytes of one `response` with everything in it.
const LARGEST: u64 = 1 << 20;

/// What is told of one item.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) hrefs: Vec<String>,
    /// Of the item as a whole, where it is told so.
    pub(super) status: Option<u16>,
    pub(super) props: Props,
    /// The status with which what an item is or how long it is was withheld.
    pub(super) withheld: Option<u16>,
}

/// The properties that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Props {
    pub(super) is_collection: bool,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Timestamp>,
    pub(super) etag: Option<Etag>,
    /// `oc:id` or else `oc:fileid`.
    pub(super) id: Option<String>,
    pub(super) checksums: Option<String>,
    pub(super) available: Option<i64>,
    pub(super) permissions: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Multistatus,
    Response,
    Href,
    Propstat,
    Prop,
    Status,
    ResourceType,
    Collection,
    IsCollection,
    Length,
    Modified,
    Revision,
    Available,
    Id,
    FileId,
    Checksums,
    Permissions,
    Other,
}

impl Tag {
    fn of(namespace: &ResolveResult<'_>, local: &str) -> Self {
        let ResolveResult::Bound(namespace) = namespace else { return Self::Other };
        match (namespace.as_ref(), local) {
            ("DAV:", "multistatus") => Self::Multistatus,
            ("DAV:", "response") => Self::Response,
            ("DAV:", "href") => Self::Href,
            ("DAV:", "propstat") => Self::Propstat,
            ("DAV:", "prop") => Self::Prop,
            ("DAV:", "status") => Self::Status,
            ("DAV:", "resourcetype") => Self::ResourceType,
            ("DAV:", "collection") => Self::Collection,
            ("DAV:", "iscollection") => Self::IsCollection,
            ("DAV:", "getcontentlength") => Self::Length,
            ("DAV:", "getlastmodified") => Self::Modified,
            ("DAV:", "getetag") => Self::Revision,
            ("DAV:", "quota-available-bytes") => Self::Available,
            ("http://owncloud.org/ns", "id") => Self::Id,
            ("http://owncloud.org/ns", "fileid") => Self::FileId,
            ("http://owncloud.org/ns", "checksums" | "checksum") => Self::Checksums,
            ("http://owncloud.org/ns", "permissions") => Self::Permissions,
            _ => Self::Other,
        }
    }

    /// Whether its text is kept.
    fn has_text(self) -> bool {
        match self {
            Self::Href
            | Self::Status
            | Self::IsCollection
            | Self::Length
            | Self::Modified
            | Self::Revision
            | Self::Available
            | Self::Id
            | Self::FileId
            | Self::Checksums
            | Self::Permissions => true,
            Self::Multistatus
            | Self::Response
            | Self::Propstat
            | Self::Prop
            | Self::ResourceType
            | Self::Collection
            | Self::Other => false,
        }
    }
}

fn malformed(why: impl std::fmt::Display) -> Error {
    Error::new(Code::Storage, "understand the server's answer", "").because(why)
}

/// Hands over each item; an error says that there may have been more.
pub(super) async fn read(bytes: BoxStream<'static, Result<Bytes>>, mut each: impl FnMut(Resource)) -> Result<()> {
    let mut reader = NsReader::from_reader(Pieces { bytes, piece: Bytes::new(), failed: None, since: 0 });
    let mut parser = Parser::default();
    let mut buf = Vec::new();
    loop {
        buf.clear();
        let event = match reader.read_event_into_async(&mut buf).await {
            Ok(event) => event,
            Err(e) => {
                let failed = reader.get_mut().failed.take();
                return Err(failed.unwrap_or_else(|| malformed(e)));
            }
        };
        let done = match event {
            Event::Start(start) => {
                let (namespace, local) = reader.resolver().resolve_element(start.name());
                parser.open(Tag::of(&namespace, local.as_ref()))?;
                None
            }
            Event::Empty(start) => {
                let (namespace, local) = reader.resolver().resolve_element(start.name());
                parser.open(Tag::of(&namespace, local.as_ref()))?;
                parser.close()?
            }
            Event::End(_) => parser.close()?,
            Event::Text(text) => parser.text(&text.xml10_content()),
            Event::CData(text) => parser.text(&text.xml10_content()),
            Event::GeneralRef(reference) => parser.text(&resolved(&reference)?),
            Event::DocType(_) => return Err(malformed("it declares a type of document")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            Event::Eof if parser.is_complete => return Ok(()),
            Event::Eof => return Err(malformed("it ends half-way")),
        };
        if let Some(resource) = done {
            reader.get_mut().since = 0;
            each(resource);
        }
    }
}

fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Result<String> {
    if let Some(c) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(c.to_string());
    }
    let name = reference.xml10_content();
    let known = quick_xml::escape::resolve_xml_entity(&name);
    known.map(str::to_owned).ok_or_else(|| malformed("it holds an entity of its own"))
}

#[derive(Default)]
struct Parser {
    stack: Vec<Tag>,
    text: String,
    resource: Resource,
    /// The properties of the open `propstat`, and the status they have.
    props: Props,
    asked: Asked,
    status: Option<u16>,
    is_complete: bool,
}

/// Which of the properties without which an item cannot be told are named in a `propstat`.
#[derive(Clone, Copy, Default)]
struct Asked {
    essential: bool,
}

impl Parser {
    fn open(&mut self, tag: Tag) -> Result<()> {
        if self.stack.len() >= DEPTH {
            return Err(malformed("its elements are too deep"));
        }
        if self.stack.is_empty() && (tag != Tag::Multistatus || self.is_complete) {
            return Err(malformed("it is no multistatus"));
        }
        match tag {
            Tag::Response => self.resource = Resource::default(),
            Tag::Propstat => (self.props, self.status, self.asked) = (Props::default(), None, Asked::default()),
            Tag::Collection if self.stack.last() == Some(&Tag::ResourceType) => self.props.is_collection = true,
            Tag::ResourceType | Tag::Length => self.asked.essential = true,
            _ => {}
        }
        if tag.has_text() && tag != Tag::Checksums {
            self.text.clear();
        }
        self.stack.push(tag);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Option<Resource> {
        if self.stack.last().is_some_and(|tag| tag.has_text()) {
            self.text.push_str(text);
        }
        None
    }

    fn close(&mut self) -> Result<Option<Resource>> {
        let Some(tag) = self.stack.pop() else { return Err(malformed("its elements do not match")) };
        let within = self.stack.last().copied();
        match (tag, within) {
            (Tag::Multistatus, None) => self.is_complete = true,
            (Tag::Response, Some(Tag::Multistatus)) => {
                if self.resource.hrefs.is_empty() {
                    return Err(malformed("an item has no address"));
                }
                return Ok(Some(std::mem::take(&mut self.resource)));
            }
            (Tag::Href, Some(Tag::Response)) => self.resource.hrefs.push(std::mem::take(&mut self.text)),
            (Tag::Status, Some(Tag::Propstat)) => self.status = Some(status(&self.text)?),
            (Tag::Status, Some(Tag::Response)) => self.resource.status = Some(status(&self.text)?),
            (Tag::Propstat, Some(Tag::Response)) => self.take_props(),
            (property, Some(Tag::Prop)) => self.property(property)?,
            _ => {}
        }
        Ok(None)
    }

    fn property(&mut self, tag: Tag) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        let known = || (!text.is_empty()).then(|| text.to_owned());
        match tag {
            Tag::IsCollection => self.props.is_collection |= matches!(text, "1" | "t" | "true"),
            Tag::Length => self.props.size = size(text)?,
            Tag::Modified => self.props.modified = time(text),
            Tag::Revision => self.props.etag = Etag::parse(text),
            Tag::Available => self.props.available = text.parse().ok(),
            Tag::Id => self.props.id = known().or(self.props.id.take()),
            Tag::FileId => self.props.id = self.props.id.take().or_else(known),
            Tag::Checksums => self.props.checksums = known(),
            Tag::Permissions => self.props.permissions = known(),
            _ => {}
        }
        Ok(())
    }

    /// At the end of a `propstat`: a server may leave its status out.
    fn take_props(&mut self) {
        let props = std::mem::take(&mut self.props);
        match self.status.unwrap_or(200) {
            200..=299 => {
                let all = &mut self.resource.props;
                all.is_collection |= props.is_collection;
                all.size = all.size.or(props.size);
                all.modified = all.modified.or(props.modified);
                all.etag = all.etag.take().or(props.etag);
                all.id = all.id.take().or(props.id);
                all.checksums = all.checksums.take().or(props.checksums);
                all.available = all.available.or(props.available);
                all.permissions = all.permissions.take().or(props.permissions);
            }
            // A property that is not there: a directory has no length.
            404 => {}
            status if self.asked.essential => self.resource.withheld = Some(status),
            _ => {}
        }
    }
}

/// A length; nothing and negative numbers stand for content that is made when it is asked for.
fn size(text: &str) -> Result<Option<u64>> {
    match text.parse() {
        Ok(size) => Ok(Some(size)),
        Err(_) if text.is_empty() || text.parse::<i64>().is_ok() => Ok(None),
        Err(_) => Err(malformed("a length is no number")),
    }
}

/// `HTTP/1.1 200 OK`.
fn status(text: &str) -> Result<u16> {
    text.split_whitespace().nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| malformed("a status is no status"))
}

/// The pieces of a body as something to read from.
struct Pieces {
    bytes: BoxStream<'static, Result<Bytes>>,
    piece: Bytes,
    /// Why no more can be read.
    failed: Option<Error>,
    /// Bytes since the last item.
    since: u64,
}

impl AsyncBufRead for Pieces {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.piece.is_empty() {
            let piece = match Pin::new(&mut this.bytes).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => break,
                Poll::Ready(Some(piece)) => piece,
            };
            let fits = |piece: &Bytes| this.since + (piece.len() as u64) <= LARGEST.max(piece.len() as u64 + 1);
            match piece {
                Ok(piece) if fits(&piece) => {
                    this.since += piece.len() as u64;
                    this.piece = piece;
                }
                Ok(_) => return Poll::Ready(Err(this.fail(malformed("one item is larger than a mebibyte")))),
                Err(e) => return Poll::Ready(Err(this.fail(e))),
            }
        }
        Poll::Ready(Ok(&this.piece))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().piece.advance(amount);
    }
}

impl Pieces {
    fn fail(&mut self, error: Error) -> std::io::Error {
        self.failed = Some(error);
        std::io::ErrorKind::InvalidData.into()
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let read = match self.as_mut().poll_fill_buf(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Ready(Ok(bytes)) => {
                let length = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..length]);
                length
            }
        };
        self.consume(read);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    fn parse_in(xml: &str, piece: usize) -> (Vec<Resource>, Result<()>) {
        let pieces: Vec<_> = xml.as_bytes().chunks(piece).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let mut found = Vec::new();
        let end = crate::wait(read(stream::iter(pieces).boxed(), |r| found.push(r)));
        (found, end)
    }

    fn parse(xml: &str) -> (Vec<Resource>, Result<()>) {
        parse_in(xml, 7)
    }

    const FILE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
        <multistatus xmlns="DAV:" xmlns:o="http://owncloud.org/ns"><!-- a comment --><response>
        <href>/d/a&amp;b&#x20;c</href><propstat><prop><resourcetype/><getcontentlength>11</getcontentlength>
        <getlastmodified>Fri, 02 Jan 2026 03:04:05 GMT</getlastmodified><getetag>"abc"</getetag><o:fileid>7</o:fileid>
        <o:checksums><o:checksum>SHA1:aa MD5:bb</o:checksum></o:checksums></prop><status>HTTP/1.1 200 OK</status></propstat>
        <propstat><prop><quota-available-bytes/></prop><status>HTTP/1.1 404 Not Found</status></propstat>
        </response></multistatus>"#;

    #[test]
    fn properties_are_found_by_namespace_whatever_the_prefix() {
        let (found, end) = parse(FILE);
        end.unwrap();
        let [file] = &found[..] else { panic!("{found:?}") };
        assert_eq!(file.hrefs, ["/d/a&b c"]);
        let props = &file.props;
        assert_eq!((props.size, props.is_collection), (Some(11), false));
        assert_eq!(props.modified.map(|at| at.secs), Some(1_767_323_045));
        assert_eq!(props.etag.as_ref().map(|e| e.opaque.as_str()), Some("abc"));
        assert_eq!((props.id.as_deref(), props.checksums.as_deref()), (Some("7"), Some("SHA1:aa MD5:bb")));
        let prefixed = FILE.replace("<o:", "<x9:").replace("</o:", "</x9:").replace("xmlns:o", "xmlns:x9");
        assert_eq!(parse(&prefixed).0, found);
        let foreign = FILE.replace("xmlns=\"DAV:\"", "xmlns=\"other:\"");
        assert_eq!(parse(&foreign).1.unwrap_err().code(), Code::Storage);
    }

    #[test]
    fn collections_are_told_in_both_ways() {
        for kind in ["<resourcetype><collection/></resourcetype>", "<resourcetype/><iscollection>1</iscollection>"] {
            let xml = FILE.replace("<resourcetype/>", kind);
            assert!(parse(&xml).0[0].props.is_collection, "{kind}");
        }
        let elsewhere = FILE.replace("<resourcetype/>", "<resourcetype/><other><collection/></other>");
        assert!(!parse(&elsewhere).0[0].props.is_collection);
    }

    #[test]
    fn an_answer_cut_anywhere_is_not_complete() {
        for end in 0..FILE.len() {
            assert!(parse_in(&FILE[..end], 1 << 16).1.is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_status_of_an_item_and_properties_withheld_are_told() {
        let xml = r#"<D:multistatus xmlns:D="DAV:"><D:response><D:href>/x</D:href><D:status>HTTP/1.1 403 Forbidden</D:status>
            </D:response><D:response><D:href>/y</D:href><D:propstat><D:prop><D:getcontentlength/></D:prop>
            <D:status>HTTP/1.1 500 Oops</D:status></D:propstat></D:response></D:multistatus>"#;
        let (found, end) = parse(xml);
        end.unwrap();
        assert_eq!((found[0].status, found[1].withheld), (Some(403), Some(500)));
    }

    #[test]
    fn hostile_answers_are_refused() {
        let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{FILE}");
        let entity = FILE.replace("&amp;", "&lol;");
        let deep = format!("<multistatus xmlns=\"DAV:\">{}", "<a>".repeat(100));
        let huge = format!("<multistatus xmlns=\"DAV:\"><response><href>{}", "a".repeat(3 << 20));
        let nameless = "<multistatus xmlns=\"DAV:\"><response/></multistatus>".to_owned();
        let page = "<html><body>sign in</body></html>".to_owned();
        let twice = format!("{FILE}<multistatus xmlns=\"DAV:\"/>");
        for xml in [bomb, entity, deep, huge, nameless, page, twice, String::new(), "\0\u{1}".to_owned()] {
            let (_, end) = parse_in(&xml, 1 << 12);
            assert!(end.is_err(), "{}", &xml[..xml.len().min(80)]);
        }
    }
}
