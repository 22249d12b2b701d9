//! What a server says of a version: entity tags, times and lengths.

use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LAST_MODIFIED};

use crate::model::{Timestamp, Token};

/// An entity tag (RFC 9110, section 8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etag {
    pub(crate) is_weak: bool,
    /// What stands between the quotes, without the mark of a content coding.
    pub(crate) opaque: String,
}

impl Etag {
    /// Quotes may be missing, as some servers leave them out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_weak, rest) = match text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let opaque = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(rest);
        // Apache's mod_deflate marks what it would compress.
        let opaque = opaque.strip_suffix("-gzip").unwrap_or(opaque);
        (!opaque.is_empty()).then(|| Self { is_weak, opaque: opaque.to_owned() })
    }

    /// Whether it says more than length and second of the last change: nginx spells its tags of these two, and calls
    /// them strong.
    fn says_more_than(&self, size: u64, modified: Option<Timestamp>) -> bool {
        modified.is_none_or(|at| self.opaque != format!("{:x}-{size:x}", at.secs))
    }

    /// How a token holds it: the weak ones marked, since an equal weak tag is no equal content.
    fn revision(&self) -> Box<[u8]> {
        let weak = if self.is_weak { "W/" } else { "" };
        format!("{weak}{}", self.opaque).into_bytes().into()
    }
}

/// The token of a version.
///
/// A strong tag that tells more than size and second is the version; the time would only add doubt, since an item whose
/// time is that of its upload counts as racy and would be read again. So the time is left out then, unless it is one that
/// can be set. A weak tag is kept beside the time: a change of it is a change, its equality proves nothing.
pub(crate) fn token(size: u64, modified: Option<Timestamp>, etag: Option<&Etag>, keeps_times: bool) -> Token {
    let etag = etag.filter(|etag| etag.says_more_than(size, modified));
    let is_version = etag.is_some_and(|etag| !etag.is_weak);
    Token {
        size,
        mtime: modified.filter(|_| keeps_times || !is_version),
        revision: etag.map(Etag::revision),
        ..Token::default()
    }
}

/// Whether a version that was seen is still there. A tag that was weak when it was young is the same one when it is
/// strong (RFC 9110, section 8.8.3.2), and a time counts where both show one.
pub(crate) fn is_version(expect: &Token, now: &Token) -> bool {
    let opaque = |token: &Token| token.revision.as_deref().map(|r| r.strip_prefix(b"W/").unwrap_or(r).to_vec());
    let differ = |a: Option<&[u8]>, b: Option<&[u8]>| a.is_some() && b.is_some() && a != b;
    expect.size == now.size
        && !differ(opaque(expect).as_deref(), opaque(now).as_deref())
        && (expect.mtime == now.mtime || expect.mtime.is_none() || now.mtime.is_none())
}

/// A time as servers write it: RFC 9110 above all, and what else occurs.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = httpdate::parse_http_date(text) {
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        return Some(Timestamp { secs: i64::try_from(since.as_secs()).ok()?, nanos: 0 });
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).or_else(|_| chrono::DateTime::parse_from_rfc3339(text)).ok()?;
    Some(Timestamp { secs: at.timestamp(), nanos: 0 })
}

/// What the headers of an answer say of the version whose bytes follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) etag: Option<Etag>,
    pub(crate) modified: Option<Timestamp>,
    /// Of the whole file, where the server says so.
    pub(crate) size: Option<u64>,
    /// Of the part that an answer `206` holds: its first byte and its length.
    pub(crate) part: Option<(u64, u64)>,
}

impl Shown {
    pub(crate) fn by(response: &Response) -> Self {
        Self::in_headers(response.headers())
    }

    pub(crate) fn in_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let range = text(CONTENT_RANGE).and_then(content_range);
        let length = text(CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
        Self {
            etag: text(ETAG).and_then(Etag::parse),
            modified: text(LAST_MODIFIED).and_then(time),
            size: range.map_or(length, |range| range.size),
            part: range.and_then(|range| range.part),
        }
    }

    /// Whether it can be told from another version.
    pub(crate) fn is_telling(&self) -> bool {
        self.etag.is_some() || self.modified.is_some()
    }
}

#[derive(Clone, Copy)]
struct Range {
    part: Option<(u64, u64)>,
    size: Option<u64>,
}

/// `bytes 0-4/10`, `bytes 0-4/*`, `bytes */10` (RFC 9110, section 14.4).
fn content_range(text: &str) -> Option<Range> {
    let (part, size) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let part = match part.split_once('-') {
        Some((first, last)) => {
            let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            Some((first, last.checked_sub(first)?.checked_add(1)?))
        }
        None => None,
    };
    Some(Range { part, size: size.trim().parse().ok() })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const AT: Option<Timestamp> = Some(Timestamp { secs: 0x6580_0000, nanos: 0 });

    fn etag(text: &str) -> Option<Etag> {
        Etag::parse(text)
    }

    #[test]
    fn tags_are_read_as_servers_write_them() {
        assert_eq!(etag("\"a\"").unwrap(), Etag { is_weak: false, opaque: "a".into() });
        assert_eq!(etag("W/\"a\"").unwrap(), Etag { is_weak: true, opaque: "a".into() });
        assert_eq!(etag("bare").unwrap(), Etag { is_weak: false, opaque: "bare".into() });
        assert_eq!(etag("\"a-gzip\""), etag("\"a\""));
        assert_eq!((etag(""), etag("\"\"")), (None, None));
    }

    #[test]
    fn a_strong_tag_is_the_version_and_makes_the_time_superfluous() {
        let strong = token(5, AT, etag("\"v1\"").as_ref(), false);
        assert_eq!((strong.mtime, strong.revision.as_deref()), (None, Some(&b"v1"[..])));
        assert_eq!(token(5, AT, etag("\"v1\"").as_ref(), true).mtime, AT, "a time that can be set is shown");
    }

    #[test]
    fn a_weak_tag_and_one_made_of_the_second_are_no_version() {
        let weak = token(5, AT, etag("W/\"v1\"").as_ref(), false);
        assert_eq!((weak.mtime, weak.revision.as_deref()), (AT, Some(&b"W/v1"[..])));
        let nginx = token(5, AT, etag("\"65800000-5\"").as_ref(), false);
        assert_eq!((nginx.mtime, nginx.revision), (AT, None));
    }

    #[test]
    fn a_tag_that_grew_strong_is_the_same_version_and_no_equal_token() {
        let young = token(5, AT, etag("W/\"v1\"").as_ref(), false);
        let grown = token(5, AT, etag("\"v1\"").as_ref(), false);
        assert!(is_version(&young, &grown) && young != grown);
        assert!(!is_version(&young, &token(5, AT, etag("\"v2\"").as_ref(), false)));
        assert!(!is_version(&young, &token(6, AT, etag("\"v1\"").as_ref(), false)));
        let later = Some(Timestamp { secs: 0x6580_0001, nanos: 0 });
        assert!(!is_version(&token(5, AT, None, false), &token(5, later, None, false)));
    }

    #[test]
    fn times_of_many_spellings() {
        let at = Timestamp { secs: 1_767_323_045, nanos: 0 };
        for text in [
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "Fri, 2 Jan 2026 03:04:05 GMT",
            "Friday, 02-Jan-26 03:04:05 GMT",
            "Fri, 02 Jan 2026 03:04:05 +0000",
            "2026-01-02T03:04:05Z",
        ] {
            assert_eq!(time(text), Some(at), "{text}");
        }
        assert_eq!((time(""), time("yesterday")), (None, None));
    }

    #[test]
    fn ranges_say_where_they_begin_and_of_what_they_are() {
        let shown = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(text));
            Shown::in_headers(&headers)
        };
        assert_eq!((shown("bytes 3-7/10").part, shown("bytes 3-7/10").size), (Some((3, 5)), Some(10)));
        assert_eq!((shown("bytes */10").part, shown("bytes */10").size), (None, Some(10)));
        assert_eq!((shown("bytes 7-3/10").part, shown("bytes 3-7/*").size), (None, None));
    }
}
