//! Paths and addresses: how a path is written into a URL, and which item an `href` means.
//!
//! An `href` is only ever compared with what was asked for. Whatever lies elsewhere, or has a part that is no name, never
//! becomes an item.

use std::sync::OnceLock;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::model::{Name, RelPath};
use crate::provider::web_site::url_of;

/// The root's address.
#[derive(Debug)]
pub(super) struct Address {
    base: Url,
    /// The parts of the path as the server writes them, which behind a proxy may be others than those of the base.
    prefix: OnceLock<Vec<Vec<u8>>>,
}

/// What an `href` of a listing means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What was asked about.
    Itself,
    /// An item in it.
    Child(Name),
    /// Something else, or nothing that can be.
    Foreign,
}

impl Address {
    /// The path of the URL becomes that of a directory.
    pub(super) fn new(base: &Url) -> Self {
        let mut base = base.clone();
        base.set_query(None);
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Self { base, prefix: OnceLock::new() }
    }

    /// The root's URL.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of an item.
    pub(super) fn url(&self, path: &RelPath, is_dir: bool) -> Url {
        url_of(&self.base, path, is_dir)
    }

    /// Where Nextcloud and ownCloud take the account's uploads in chunks, where the root lies in its files:
    /// `…/dav/files/USER/` and `…/dav/uploads/USER/`.
    pub(super) fn uploads(&self) -> Option<Url> {
        let (before, after) = self.base.path().split_once("/dav/files/")?;
        let user = after.split('/').next().filter(|user| !user.is_empty())?;
        let mut url = self.base.clone();
        url.set_path(&format!("{before}/dav/uploads/{user}/"));
        Some(url)
    }

    /// Learns from the answer about the root how the server calls it.
    pub(super) fn learn(&self, href: &str) {
        if let Some(parts) = parts(href) {
            // It stays as it was first seen.
            let _ = self.prefix.set(parts);
        }
    }

    /// What an `href` means in an answer about `asked`.
    pub(super) fn meaning(&self, asked: &RelPath, href: &str) -> Meaning {
        let Some(parts) = parts(href) else { return Meaning::Foreign };
        let own = parts_of(self.base.path());
        let prefix = self.prefix.get().unwrap_or(&own);
        let Some(rest) = parts.strip_prefix(prefix.as_slice()) else { return Meaning::Foreign };
        let mut asked = asked.components();
        let mut rest = rest.iter();
        for part in asked.by_ref() {
            if rest.next().is_none_or(|given| given != part) {
                return Meaning::Foreign;
            }
        }
        match (rest.next(), rest.next()) {
            (None, _) => Meaning::Itself,
            (Some(name), None) => Name::new(name).map_or(Meaning::Foreign, Meaning::Child),
            (Some(_), Some(_)) => Meaning::Foreign,
        }
    }
}

fn parts_of(path: &str) -> Vec<Vec<u8>> {
    parts(path).unwrap_or_default()
}

/// The decoded parts of the path of an absolute URL or of an absolute path, empty ones left out; nothing when one of
/// them is no name. It is cut by hand: a parser of URLs would take `..` as a way up.
fn parts(href: &str) -> Option<Vec<Vec<u8>>> {
    let href = href.trim();
    let path = match href.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        Some(_) | None => href,
    };
    let path = path.split(['?', '#']).next()?;
    if !path.starts_with('/') {
        return None;
    }
    let decoded = path.split('/').filter(|part| !part.is_empty()).map(|part| {
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        Name::new(&bytes).map(|_| bytes)
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    fn address() -> Address {
        Address::new(&Url::parse("https://host:8443/my%20dav").unwrap())
    }

    #[test]
    fn every_character_with_a_meaning_is_encoded() {
        let url = address().url(&path("a b/#?%+;&[]\u{e9}/..."), false);
        assert_eq!(url.as_str(), "https://host:8443/my%20dav/a%20b/%23%3F%25%2B%3B%26%5B%5D%C3%A9/...");
        assert_eq!(address().url(&path("d"), true).path(), "/my%20dav/d/");
        assert_eq!(address().url(&RelPath::root(), false).path(), "/my%20dav/");
    }

    #[test]
    fn an_href_may_be_written_in_many_ways() {
        let here = address();
        let child = |name: &str| Meaning::Child(Name::new(name.as_bytes()).unwrap());
        for (href, meaning) in [
            ("/my%20dav/d/", Meaning::Itself),
            ("/my dav//d", Meaning::Itself),
            ("http://other/my%20dav/d/x", child("x")),
            ("/my%20dav/d/a%20%23.txt", child("a #.txt")),
            ("/my%20dav/d/sub/", child("sub")),
            ("/my%20dav/%64/x?y#z", child("x")),
        ] {
            assert_eq!(here.meaning(&path("d"), href), meaning, "{href}");
        }
    }

    #[test]
    fn nothing_outside_of_what_was_asked_for_is_an_item() {
        let here = address();
        for href in [
            "",
            "x",
            "/",
            "/my%20dav/",
            "/my%20dav/e/x",
            "/my%20dav/d/x/y",
            "/my%20dav/d/..",
            "/my%20dav/d/%2e%2e",
            "/my%20dav/d/%2e%2e/%2e%2e/etc",
            "/my%20dav/d/a%2Fb",
            "/my%20dav/d/a%00b",
            "/my%20dav/d/.",
            "/other/d/x",
        ] {
            assert_eq!(here.meaning(&path("d"), href), Meaning::Foreign, "{href}");
        }
    }

    #[test]
    fn uploads_are_beside_the_files_of_the_account() {
        let uploads = |url: &str| Address::new(&Url::parse(url).unwrap()).uploads().map(|url| url.path().to_owned());
        let cloud = "https://h/cloud/remote.php/dav";
        let expected = Some("/cloud/remote.php/dav/uploads/a%20b/".to_owned());
        assert_eq!(uploads(&format!("{cloud}/files/a%20b/")), expected);
        assert_eq!(uploads(&format!("{cloud}/files/a%20b/photos/2026")), expected);
        for other in ["https://h/dav/", "https://h/remote.php/webdav/", "https://h/dav/files/"] {
            assert_eq!(uploads(other), None, "{other}");
        }
    }

    #[test]
    fn behind_a_proxy_the_servers_own_prefix_counts() {
        let here = address();
        here.learn("/internal/files/");
        assert_eq!(here.meaning(&path("d"), "/internal/files/d/"), Meaning::Itself);
        assert_eq!(here.meaning(&path("d"), "/my%20dav/d/"), Meaning::Foreign);
    }
}
