//! What a page that lists a directory tells: the pages of nginx, Apache, rclone, Caddy and Python, nginx's JSON, and an
//! index document of the host's own.
//!
//! Only names are taken from a page: sizes on it are rounded and times lack their zone. What is not known to be a listing
//! is none: a page that asks to sign in has links, too.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::model::{Name, RelPath, Timestamp};
use crate::provider::web_etag::time;

/// A name on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: Name,
    pub(super) is_dir: bool,
}

/// A page that was understood.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Listed>,
    /// Why there may be more.
    pub(super) trouble: Option<&'static str>,
}

fn no_listing() -> Error {
    Error::new(Code::Unsupported, "list the directory", "")
        .because("the server's answer is no list of files that is understood")
        .advise("name an index document, or files by their path")
}

/// Understands a page; `content_type` is what the server calls it.
pub(super) fn page(content_type: &str, body: &[u8]) -> Result<Page> {
    if content_type.starts_with("application/json") { json(body) } else { html(&String::from_utf8_lossy(body)) }
}

#[derive(Deserialize)]
struct JsonItem {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `autoindex_format json` of nginx.
fn json(body: &[u8]) -> Result<Page> {
    let items: Vec<JsonItem> = serde_json::from_slice(body).map_err(|_| no_listing())?;
    let mut page = Page { items: Vec::new(), trouble: None };
    for item in items {
        match (Name::new(item.name.as_bytes()), item.kind.as_str()) {
            (Some(name), kind @ ("file" | "directory")) => {
                page.items.push(Listed { name, is_dir: kind == "directory" });
            }
            // Links and devices are seen by nobody; what has no name that can be is.
            (Some(_), _) => {}
            (None, _) => page.trouble = Some("it lists a name that cannot be"),
        }
    }
    Ok(page)
}

/// Titles of pages that are lists of files, and the links by which rclone and Caddy sort theirs.
const KNOWN: [&str; 5] = [
    "<title>index of ",
    "<h1>index of ",
    "<title>directory listing for ",
    "?sort=name&order=",
    "?sort=name&amp;order=",
];

fn html(text: &str) -> Result<Page> {
    let lower = text.to_ascii_lowercase();
    if !KNOWN.iter().any(|known| lower.contains(known)) {
        return Err(no_listing());
    }
    let mut page = Page { items: Vec::new(), trouble: None };
    if !lower.trim_end().ends_with("</html>") {
        page.trouble = Some("the page ends half-way");
    }
    for href in hrefs(text, &lower) {
        let href = unescaped(&href);
        let href = href.strip_prefix("./").unwrap_or(&href);
        // Sorting, other places, the way up.
        if href.is_empty() || href.starts_with(['/', '#']) || href.contains('?') || has_scheme(href) {
            continue;
        }
        let (part, is_dir) = href.strip_suffix('/').map_or((href, false), |part| (part, true));
        // Further up, too: some pages link each directory above.
        if matches!(part, "" | ".") || part.split('/').all(|step| step == "..") {
            continue;
        }
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        match Name::new(&bytes) {
            Some(name) if !part.contains('/') => {
                let item = Listed { name, is_dir };
                if !page.items.contains(&item) {
                    page.items.push(item);
                }
            }
            Some(_) | None => page.trouble = Some("it lists a name that cannot be"),
        }
    }
    Ok(page)
}

fn has_scheme(href: &str) -> bool {
    let Some((scheme, _)) = href.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// The targets of the links of a page. `lower` has the same bytes in lower case.
fn hrefs(text: &str, lower: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = lower[at..].find("<a ").map(|found| at + found) {
        let end = lower[start..].find('>').map_or(lower.len(), |found| start + found);
        let value = lower[start..end].find("href=").and_then(|found| {
            let value = &text[start + found + 5..];
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            value[1..].split(quote).next()
        });
        found.extend(value.map(str::to_owned));
        at = start + 3;
    }
    found
}

/// The characters that pages write by name or number.
fn unescaped(text: &str) -> String {
    quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), |text| text.into_owned())
}

/// A file that an index document names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) path: RelPath,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Timestamp>,
    pub(super) etag: Option<String>,
    /// What identifies it in a query, where that is not its path.
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
struct DocumentItem {
    path: String,
    size: Option<u64>,
    modified: Option<String>,
    etag: Option<String>,
    id: Option<String>,
}

/// A JSON document `[{"path": "a/b.txt", "size": 3, "modified": "…", "etag": "…", "id": "…"}]` of all the files there are;
/// everything but the path may be left out.
pub(super) fn document(body: &[u8]) -> Result<Vec<Indexed>> {
    let unusable =
        |why: &dyn std::fmt::Display| Error::new(Code::Storage, "understand the index document", "").because(why);
    let items: Vec<DocumentItem> = serde_json::from_slice(body).map_err(|e| unusable(&e))?;
    let mut files: Vec<Indexed> = Vec::with_capacity(items.len());
    for item in items {
        let path = RelPath::parse(item.path.as_bytes()).filter(|path| !path.is_root());
        let path = path.ok_or_else(|| unusable(&"it names a path that cannot be"))?;
        let modified = item.modified.as_deref().and_then(time);
        files.push(Indexed { path, size: item.size, modified, etag: item.etag, id: item.id });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    // A file within a file, or one twice, is no tree.
    let clash = files.windows(2).any(|pair| pair[1].path.is_within(&pair[0].path));
    if clash { Err(unusable(&"it names a path twice")) } else { Ok(files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(content_type: &str, body: &str) -> Vec<(String, bool)> {
        let page = page(content_type, body.as_bytes()).unwrap();
        assert_eq!(page.trouble, None);
        page.items.iter().map(|item| (item.name.to_string(), item.is_dir)).collect()
    }

    fn expected() -> Vec<(String, bool)> {
        vec![("a b&c.txt".into(), false), ("sub dir".into(), true), ("z".into(), false)]
    }

    const APACHE: &str = r#"<!DOCTYPE HTML><html><head><title>Index of /files</title></head><body><h1>Index of /files</h1>
<pre><a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a><hr>  <a href="/">Parent Directory</a>   -
  <a href="a%20b&amp;c.txt">a b&amp;c.txt</a>  2026-11-21 18:24    3
  <a href="sub%20dir/">sub dir/</a>  2026-11-21 18:24    -
  <a href="z">z</a>  2026-11-21 18:24  1.2K
<hr></pre></body></html>"#;

    #[test]
    fn pages_of_the_known_servers_are_lists() {
        assert_eq!(items("text/html;charset=UTF-8", APACHE), expected());
        let nginx = "<html>\r\n<head><title>Index of /html/</title></head><body><h1>Index of /html/</h1><hr><pre>\
            <a href=\"../\">../</a>\r\n<a href=\"a%20b%26c.txt\">a b&amp;c.txt</a> 3\r\n<a href=\"sub%20dir/\">sub dir/</a> -\r\n\
            <a href=\"z\">z</a> 2\r\n</pre><hr></body>\r\n</html>\r\n";
        assert_eq!(items("text/html", nginx), expected());
        let rclone = "<!DOCTYPE html><html><head><title>/</title></head><body><h1><a href=\"\">/</a>\
            <a class=\"zip-root\" href=\"?download=zip\"></a></h1><a href=\"?sort=name&order=asc\">Name</a><a href=\"..\"></a>\
            <a href=\"a%20b&amp;c.txt\"></a><a href=\"./sub%20dir/\"></a><a class=\"zip\" href=\"sub%20dir/?download=zip\"></a>\
            <a href=\"z\"></a></body></html>";
        assert_eq!(items("text/html; charset=utf-8", rclone), expected());
        let json = r#"[{ "name":"a b&c.txt", "type":"file", "mtime":"Sat, 21 Nov 2026 18:24:09 GMT", "size":3 },
            { "name":"sub dir", "type":"directory" }, { "name":"z", "type":"file", "size":2 }]"#;
        assert_eq!(items("application/json", json), expected());
    }

    #[test]
    fn what_is_no_list_is_never_an_empty_one() {
        for (kind, body) in [
            ("text/html", "<html><title>Sign in</title><a href=\"login\">here</a></html>"),
            ("text/html", ""),
            ("application/json", "{}"),
            ("application/json", "[{\"name\":\"x\""),
            ("text/plain", "a file about an index of things"),
        ] {
            assert_eq!(page(kind, body.as_bytes()).unwrap_err().code(), Code::Unsupported, "{body}");
        }
    }

    #[test]
    fn a_page_that_ends_half_way_or_lists_what_cannot_be_says_so() {
        for end in [APACHE.len() - 8, APACHE.find("z\"").unwrap()] {
            assert!(page("text/html", &APACHE.as_bytes()[..end]).unwrap().trouble.is_some());
        }
        for href in ["a/../../etc", "%2e%2e", "a%2Fb", "x%00"] {
            let body = APACHE.replace("href=\"z\"", &format!("href=\"{href}\""));
            let page = page("text/html", body.as_bytes()).unwrap();
            assert_eq!((page.items.len(), page.trouble.is_some()), (2, true), "{href}");
        }
        let foreign = APACHE.replace("href=\"z\"", "href=\"https://elsewhere/z\"");
        assert_eq!(page("text/html", foreign.as_bytes()).unwrap().items.len(), 2);
    }

    #[test]
    fn an_index_document_names_every_file_once() {
        let files = document(br#"[{"path":"d/b","size":3,"modified":"2026-01-02T03:04:05Z"},{"path":"a","id":"7"}]"#);
        let files = files.unwrap();
        assert_eq!((files[0].id.as_deref(), files[1].size), (Some("7"), Some(3)));
        assert_eq!(files[1].modified.map(|at| at.secs), Some(1_767_323_045));
        for bad in ["{}", "[{}]", r#"[{"path":"../x"}]"#, r#"[{"path":"a"},{"path":"a/b"}]"#, r#"[{"path":""}]"#, "[{"]
        {
            assert_eq!(document(bad.as_bytes()).unwrap_err().code(), Code::Storage, "{bad}");
        }
    }
}
