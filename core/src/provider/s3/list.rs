//! What a directory shows, and what a single path is.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::page::{Ask, MOST, Object, Page, Pages};
use super::request::{Client, Request};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Ident, Kind, Name, Node, RelPath, Token};
use crate::provider::traffic::Repeat;
use crate::provider::{Listing, is_reserved};

const LOOK: &str = "look at";
/// From so many paths of one directory on, the directory is listed instead of looking at each.
const WORTH_A_LISTING: usize = 4;
/// So many paths are worth one more page of a listing.
const PAGE_FOR: usize = 8;

/// Whether a listing shows the path, if it is there.
fn is_listed(path: &RelPath) -> bool {
    path.name().is_some_and(|name| !is_reserved(name.as_bytes()) && std::str::from_utf8(name.as_bytes()).is_ok())
}

/// A directory. There is nothing to tell one from another of its name.
pub(super) fn dir_node() -> Node {
    Node { kind: Kind::Dir, ident: Ident::None, token: Token::default() }
}

/// A file. Times are not part of it: a listing shows the server's own only.
pub(super) fn file_node(size: u64, revision: Option<&str>) -> Node {
    let revision = revision.map(|text| text.as_bytes().into());
    Node { kind: Kind::File, ident: Ident::None, token: Token { size, revision, ..Token::default() } }
}

/// The revision that a node was given.
pub(super) fn revision_of(node: &Node) -> Option<&str> {
    node.token.revision.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// Whether what is there is the node in its exact version. Of a directory only the kind counts.
pub(super) fn same(expected: &Node, seen: &Node) -> bool {
    expected.kind == seen.kind
        && (expected.kind == Kind::Dir
            || (expected.token.size == seen.token.size && expected.token.revision == seen.token.revision))
}

pub(super) fn stale(action: &'static str, subject: impl std::fmt::Display, why: &'static str) -> Error {
    Error::new(Code::Stale, action, subject).because(why)
}

pub(super) const GONE: &str = "it is gone";
pub(super) const CHANGED: &str = "it has changed";
pub(super) const TAKEN: &str = "something is there by now";

/// Holds what was seen against what is expected.
pub(super) fn compare(
    action: &'static str,
    path: &RelPath,
    seen: Option<Node>,
    expect: &Expect,
) -> Result<Option<Node>> {
    match (expect, &seen) {
        (Expect::Any, _) | (Expect::Absent, None) => Ok(seen),
        (Expect::Absent, Some(_)) => Err(stale(action, path, TAKEN)),
        (Expect::Node(_), None) => Err(stale(action, path, GONE)),
        (Expect::Node(node), Some(now)) if same(node, now) => Ok(seen),
        (Expect::Node(_), Some(_)) => Err(stale(action, path, CHANGED)),
    }
}

impl Client {
    /// Looks at an object; `None` is a definite absence of it, not of a directory of its name.
    pub(super) async fn look_at_object(&self, action: &'static str, path: &RelPath, key: &str) -> Result<Option<Node>> {
        Ok(self.head(action, path, key).await?.map(|(node, _)| node))
    }

    /// As [`look_at_object`](Self::look_at_object), with what the object was stored with.
    pub(super) async fn head(
        &self,
        action: &'static str,
        path: &RelPath,
        key: &str,
    ) -> Result<Option<(Node, HeaderMap)>> {
        let request = Request::new(action, path, Method::HEAD, Some(key)).accepts(&[404]);
        let answer = self.send(Repeat::Safe, &request).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let size =
            answer.size().ok_or_else(|| request.error(Code::Storage, "the server does not say how long it is"))?;
        Ok(Some((file_node(size, answer.revision().as_deref()), answer.headers)))
    }

    /// Looks at a path; `None` is a definite absence.
    pub(super) async fn look(&self, action: &'static str, path: &RelPath) -> Result<Option<Node>> {
        if path.is_root() {
            return Ok(Some(dir_node()));
        }
        if std::str::from_utf8(path.as_bytes()).is_err() {
            return Ok(None);
        }
        let key = self.site.key(action, path)?;
        if let Some(file) = self.look_at_object(action, path, &key).await? {
            return Ok(Some(file));
        }
        Ok(self.is_dir(action, path).await?.then(dir_node))
    }

    pub(super) async fn is_dir(&self, action: &'static str, path: &RelPath) -> Result<bool> {
        let prefix = self.site.dir_key(action, path)?;
        let subject = path.to_string();
        self.is_any(&Ask { action, subject: &subject, prefix: &prefix, is_shallow: false, most: 1 }).await
    }

    /// Looks at paths. A directory with many of them is listed, which is one request for a thousand; where it holds far more
    /// than was asked for, the rest is looked at one by one.
    pub(super) async fn stat(&self, paths: &[RelPath]) -> Vec<Result<Option<Node>>> {
        let mut groups: HashMap<RelPath, Vec<usize>> = HashMap::new();
        for (index, path) in paths.iter().enumerate().filter(|(_, path)| is_listed(path)) {
            groups.entry(path.parent().unwrap_or_default()).or_default().push(index);
        }
        let many = groups.into_iter().filter(|(_, of)| of.len() >= WORTH_A_LISTING);
        let shown = stream::iter(many).map(|(dir, of)| async move { self.shown(&dir, &of, paths).await });
        let shown: Vec<_> = shown.buffer_unordered(self.traffic.most()).collect().await;
        let mut seen: HashMap<usize, Option<Node>> = shown.into_iter().flatten().collect();
        let looks = paths.iter().enumerate().map(|(index, path)| {
            let seen = seen.remove(&index);
            async move {
                match seen {
                    Some(seen) => Ok(seen),
                    None => self.look(LOOK, path).await,
                }
            }
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffered(self.traffic.most()).collect().await
    }

    /// What a few pages of a directory show of these paths. What they leave open is not in the answer.
    async fn shown(&self, dir: &RelPath, of: &[usize], paths: &[RelPath]) -> Vec<(usize, Option<Node>)> {
        let Ok(prefix) = self.site.dir_key(LOOK, dir) else { return Vec::new() };
        let subject = dir.to_string();
        let ask = Ask { action: LOOK, subject: &subject, prefix: &prefix, is_shallow: true, most: MOST };
        let (mut shown, mut pages, mut is_whole) = (Shown::default(), Pages::of(self, &ask), false);
        for _ in 0..=of.len() / PAGE_FOR {
            // Each will be looked at, and say what is wrong.
            let Ok(Some(page)) = pages.next().await else { break };
            is_whole = page.next.is_none();
            shown.take(&prefix, page);
            if is_whole {
                break;
            }
        }
        let known: HashMap<Name, Node> = match (is_whole, shown.both().is_empty()) {
            (_, false) => return Vec::new(),
            (true, true) if shown.odd.is_some() => return Vec::new(),
            (_, true) => shown.entries().into_iter().map(|entry| (entry.name, entry.node)).collect(),
        };
        let node = |index: &usize| paths[*index].name().and_then(|name| known.get(&name).cloned());
        of.iter().map(|index| (*index, node(index))).filter(|(_, node)| is_whole || node.is_some()).collect()
    }

    /// Looks at a path and holds it against what is expected of it.
    pub(super) async fn check(&self, action: &'static str, path: &RelPath, expect: &Expect) -> Result<Option<Node>> {
        compare(action, path, self.look(action, path).await?, expect)
    }

    /// Lists a directory. What fails on a later page leaves what the pages before it have shown.
    pub(super) async fn list(&self, path: &RelPath) -> Listing {
        let action = "list the directory";
        let (subject, prefix) = match self.site.dir_key(action, path) {
            Ok(prefix) => (path.to_string(), prefix),
            // What cannot have a key is not there.
            Err(_) => return Listing::Absent,
        };
        let ask = Ask { action, subject: &subject, prefix: &prefix, is_shallow: true, most: MOST };
        let (mut shown, mut pages) = (Shown::default(), Pages::of(self, &ask));
        loop {
            match pages.next().await {
                Ok(Some(page)) => shown.take(&prefix, page),
                Ok(None) => return shown.listing(path, action),
                Err(e) if pages.is_at_start() => return Listing::Unknown(e),
                Err(e) => return Listing::Partial(shown.entries(), e),
            }
        }
    }
}

/// What the pages of a listing have shown.
#[derive(Debug, Default)]
struct Shown {
    exists: bool,
    files: BTreeMap<Name, Node>,
    dirs: HashSet<Name>,
    /// A key that cannot be a name, for the message.
    odd: Option<String>,
}

impl Shown {
    fn take(&mut self, dir: &str, page: Page) {
        let Page { objects, prefixes, unreadable, next: _ } = page;
        self.exists |= !(objects.is_empty() && prefixes.is_empty() && unreadable.is_empty());
        for Object { key, size, revision, .. } in objects {
            match key.strip_prefix(dir) {
                // The marker of the directory itself.
                Some("") => {}
                Some(name) => match Name::new(name.as_bytes()) {
                    Some(name) => {
                        let node = file_node(size, revision.as_deref());
                        // Which of two versions is there nobody knows.
                        if self.files.insert(name, node.clone()).is_some_and(|before| before != node) {
                            self.odd = Some(format!("{key}, which is listed twice"));
                        }
                    }
                    None => self.odd = Some(key),
                },
                None => self.odd = Some(key),
            }
        }
        for prefix in prefixes {
            let name = prefix.strip_prefix(dir).and_then(|rest| rest.strip_suffix('/'));
            match name.and_then(|name| Name::new(name.as_bytes())) {
                Some(name) => drop(self.dirs.insert(name)),
                None => self.odd = Some(prefix),
            }
        }
        self.odd = unreadable.into_iter().next().or(self.odd.take());
    }

    fn listing(mut self, path: &RelPath, action: &'static str) -> Listing {
        for name in self.both() {
            self.files.remove(&name);
            self.dirs.remove(&name);
            self.odd = Some(format!("{name}, which is an object and a directory at once"));
        }
        if !self.exists && !path.is_root() {
            return Listing::Absent;
        }
        match self.odd.take() {
            None => Listing::Complete(self.entries()),
            Some(odd) => {
                let odd = crate::model::escaped(odd.as_bytes());
                let error = Error::new(Code::Unsupported, action, path)
                    .because(format_args!("it holds keys that cannot be file names, such as {odd}"));
                Listing::Partial(self.entries(), error)
            }
        }
    }

    /// An object and a prefix of one name cannot both be shown; which of them an effect would meet is not known.
    fn both(&self) -> Vec<Name> {
        self.dirs.iter().filter(|name| self.files.contains_key(*name)).cloned().collect()
    }

    fn entries(self) -> Vec<Entry> {
        let files = self.files.into_iter().map(|(name, node)| Entry { name, node });
        let dirs = self.dirs.into_iter().map(|name| Entry { name, node: dir_node() });
        files.chain(dirs).filter(|entry| !is_reserved(entry.name.as_bytes())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(keys: &[&str], prefixes: &[&str]) -> Listing {
        let object = |key: &&str| Object { key: (*key).into(), size: 1, revision: Some("r".into()), written: None };
        let page = Page {
            objects: keys.iter().map(object).collect(),
            prefixes: prefixes.iter().map(|p| (*p).to_owned()).collect(),
            ..Page::default()
        };
        let mut shown = Shown::default();
        shown.take("d/", page);
        shown.listing(&RelPath::parse(b"d").unwrap(), "list")
    }

    fn names(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|e| format!("{:?} {}", e.node.kind, e.name)).collect()
    }

    #[test]
    fn a_directory_shows_objects_and_prefixes_without_its_marker_and_reserved_names() {
        let listing = shown(&["d/", "d/a", "d/.portbook-tmp-1"], &["d/b/", "d/.portbook/"]);
        let Listing::Complete(entries) = listing else { panic!("{listing:?}") };
        assert_eq!(names(&entries), ["File a", "Dir b"]);
        assert!(matches!(shown(&["d/"], &[]), Listing::Complete(e) if e.is_empty()));
        assert!(matches!(shown(&[], &[]), Listing::Absent));
    }

    #[test]
    fn keys_that_cannot_be_names_make_a_listing_partial() {
        for (keys, prefixes) in
            [(&["d/a", "d/.."][..], &[][..]), (&["d/a"], &["d//"]), (&["d/a"], &["d/./"]), (&["d/a", "d/b"], &["d/b/"])]
        {
            let listing = shown(keys, prefixes);
            let Listing::Partial(entries, _) = listing else { panic!("{listing:?}") };
            assert_eq!(names(&entries), ["File a"]);
        }
    }
}
