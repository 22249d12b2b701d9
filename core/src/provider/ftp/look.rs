//! What is on the server: listings and single items.
//!
//! A listing counts only when its last line is whole and the server confirmed it (226), and one of nothing at all only when
//! it is the same a second time. 550 says neither that an item is
//! absent nor that it is there and hidden: its directory's listing does.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::time::timeout;

use super::facts::{self, bare, file};
use super::reply::Reply;
use super::root::Base;
use super::server::Lease;
use super::session::Begun;
use super::text::{self, Parsed};
use super::wire::{SILENCE, Wire};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp, escaped};
use crate::provider::{is_reserved, too_deep};

/// The most that a listing may hold.
const MOST: usize = 1 << 30;
const LIST: &str = "list the directory";

/// What the server shows at a path.
pub(super) enum Look {
    There(Node),
    /// It shows nothing, for this reason; it may be there all the same.
    Refused(Reply),
}

/// An item of a listing, reserved ones included.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: Name,
    pub(super) node: Node,
    /// Of directories too; where there are only listings for people, to a day.
    pub(super) about: Option<Timestamp>,
}

/// What a directory shows.
pub(super) enum Seen {
    All(Vec<Item>),
    /// Some items could not be understood.
    Some(Vec<Item>, Error),
    /// It could not be listed, for this reason; it may be there all the same.
    Refused(Reply),
}

/// Whether an item is there, when the server would not show it.
pub(super) enum Truth {
    Absent,
    There(Kind),
}

impl Lease {
    /// Looks at an item.
    pub(super) async fn look(&mut self, action: &'static str, base: &Base, path: &RelPath) -> Result<Look> {
        let at = base.of(path);
        if !self.features().mlst {
            return self.look_by_size(action, &at, path).await;
        }
        let reply = self.ask(action, "MLST", Some(&at)).await?;
        if reply.code != 250 {
            return settled(reply, action, path).map(Look::Refused);
        }
        // The line with the facts begins with a space, which some servers leave out.
        let mut lines = reply.lines.iter().map(|line| line.trim_ascii_start());
        match lines.find_map(|line| facts::parse(line).and_then(|(facts, _)| facts.node())) {
            Some(node) => Ok(Look::There(node)),
            None => {
                let why = format!("the server says of it only: {}", reply.words());
                Err(Error::new(Code::Storage, action, path).because(why))
            }
        }
    }

    async fn look_by_size(&mut self, action: &'static str, at: &[u8], path: &RelPath) -> Result<Look> {
        let reply = self.ask(action, "SIZE", Some(at)).await?;
        if reply.code == 213 {
            let Some(size) = facts::number(reply.text()) else {
                return Err(Error::new(Code::Storage, action, path).because(reply.words()));
            };
            return Ok(Look::There(file(size, self.mtime(action, at).await?)));
        }
        let entered = self.ask(action, "CWD", Some(at)).await?;
        if entered.is_done() {
            return Ok(Look::There(bare(Kind::Dir)));
        }
        settled(reply, action, path).map(Look::Refused)
    }

    /// The modified time where only `MDTM` tells it.
    async fn mtime(&mut self, action: &'static str, at: &[u8]) -> Result<Option<Timestamp>> {
        if !self.features().mdtm {
            return Ok(None);
        }
        let reply = self.ask(action, "MDTM", Some(at)).await?;
        Ok(if reply.code == 213 { facts::time(reply.text()) } else { None })
    }

    /// Lists a directory.
    ///
    /// # Errors
    /// `offline` when the listing ends early: nothing is known of it then.
    pub(super) async fn list(&mut self, base: &Base, dir: &RelPath) -> Result<Seen> {
        too_deep(LIST, dir)?;
        let seen =
            if self.features().mlst { self.list_facts(base, dir).await? } else { self.list_text(base, dir).await? };
        let is_clear = match &seen {
            // Some servers list a file as if it were in itself, and what they may not read as if it were empty.
            Seen::All(items) => match &items[..] {
                [] => false,
                [one] => dir.name().as_ref() != Some(&one.name),
                _ => true,
            },
            Seen::Some(..) | Seen::Refused(_) => true,
        };
        if is_clear {
            return Ok(seen);
        }
        match self.look(LIST, base, dir).await? {
            Look::There(node) if node.kind == Kind::Dir => Ok(seen),
            Look::There(_) => Ok(Seen::Refused(Reply { code: 550, lines: vec![b"it is no directory".to_vec()] })),
            Look::Refused(reply) => Ok(Seen::Refused(reply)),
        }
    }

    async fn list_facts(&mut self, base: &Base, dir: &RelPath) -> Result<Seen> {
        let bytes = match self.download(dir, "MLSD", Some(&base.of(dir))).await? {
            Ok(bytes) => bytes,
            Err(reply) => return Ok(Seen::Refused(reply)),
        };
        let mut found = Found::new(dir);
        for line in lines(&bytes) {
            match facts::parse(line) {
                Some((facts, _)) if facts.is_of_the_way() => {}
                Some((facts, name)) => found.take(line, name, facts.node(), facts.modify),
                None => found.misses(line),
            }
        }
        Ok(found.seen())
    }

    async fn list_text(&mut self, base: &Base, dir: &RelPath) -> Result<Seen> {
        // Without an argument there is nothing in a name that could be an option or a pattern.
        let entered = self.ask(LIST, "CWD", Some(&base.of(dir))).await?;
        if !entered.is_done() {
            return Ok(Seen::Refused(settled(entered, LIST, dir)?));
        }
        let argument: Option<&[u8]> = self.features().list_all.then_some(b"-a");
        let bytes = match self.download(dir, "LIST", argument).await? {
            Ok(bytes) => bytes,
            Err(reply) => return Ok(Seen::Refused(reply)),
        };
        let now = chrono::Utc::now().naive_utc();
        let mut found = Found::new(dir);
        for line in lines(&bytes) {
            let Some(parsed) = text::parse(line, now) else {
                found.misses(line);
                continue;
            };
            let Parsed::Item(item) = parsed else { continue };
            let mut node = if item.kind == Kind::File { file(item.size, None) } else { bare(item.kind) };
            if let Some(name) = Name::new(item.name)
                && node.kind == Kind::File
                && !is_reserved(name.as_bytes())
            {
                node.token.mtime = self.mtime(LIST, &base.of(&dir.join(&name))).await?;
            }
            found.take(line, item.name, Some(node), item.about);
        }
        Ok(found.seen())
    }

    /// Whether hidden items are listed with `-a`: servers that do not know it take it for a name.
    pub(super) async fn lists_all(&mut self, base: &Base) -> Result<bool> {
        let root = RelPath::root();
        let entered = self.ask(LIST, "CWD", Some(base.as_bytes())).await?;
        if !entered.is_done() {
            return Ok(false);
        }
        let Ok(bytes) = self.download(&root, "LIST", Some(b"-a")).await? else { return Ok(false) };
        let now = chrono::Utc::now().naive_utc();
        let is_itself = |line| matches!(text::parse(line, now), Some(Parsed::Item(item)) if item.name == b"." && item.kind == Kind::Dir);
        Ok(lines(&bytes).any(is_itself))
    }

    /// All bytes of a listing, which end with a line, or the reply that says why there are none.
    ///
    /// The end of a data connection is the end of what it carries (RFC 959, section 3.4.1). One that something on the way
    /// has closed at once looks like an empty directory, also when the server believes that all of it arrived.
    async fn download(
        &mut self,
        dir: &RelPath,
        verb: &str,
        argument: Option<&[u8]>,
    ) -> Result<std::result::Result<Vec<u8>, Reply>> {
        match self.download_once(dir, verb, argument).await? {
            Ok(bytes) if bytes.is_empty() => self.download_once(dir, verb, argument).await,
            other => Ok(other),
        }
    }

    async fn download_once(
        &mut self,
        dir: &RelPath,
        verb: &str,
        argument: Option<&[u8]>,
    ) -> Result<std::result::Result<Vec<u8>, Reply>> {
        let wire = match self.begin(LIST, verb, argument, 0).await? {
            Begun::Open(wire) => wire,
            // An empty directory, to servers that open no connection for nothing.
            Begun::Refused(reply) if reply.is_done() => return Ok(Ok(Vec::new())),
            Begun::Refused(reply) => return settled(reply, LIST, dir).map(Err),
        };
        let read = drain(wire, dir).await;
        let reply = match &read {
            Ok(_) => self.finish(LIST).await?,
            Err(error) => match self.words(LIST).await {
                Some(reply) if !reply.is_done() => reply,
                Some(_) | None => return Err(error.clone()),
            },
        };
        match read {
            Ok(bytes) if reply.is_done() => {
                if bytes.last().is_some_and(|b| *b != b'\n') {
                    let error = Error::new(Code::Offline, LIST, dir);
                    return Err(error.because("the listing ends within a line"));
                }
                Ok(Ok(bytes))
            }
            // It broke off, or the server found out late that it must not.
            Ok(_) | Err(_) => settled(reply, LIST, dir).map(Err),
        }
    }

    /// Whether an item that the server does not show is there: its directory says so, or one above.
    ///
    /// # Errors
    /// It cannot be found out; the code is that of the reply.
    pub(super) fn truth<'a>(
        &'a mut self,
        action: &'static str,
        base: &'a Base,
        path: &'a RelPath,
        reply: &'a Reply,
    ) -> Pin<Box<dyn Future<Output = Result<Truth>> + Send + 'a>> {
        Box::pin(async move {
            let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
                let error = reply.error(action, path);
                return Err(error);
            };
            match self.list(base, &parent).await? {
                Seen::All(items) => {
                    let found = items.iter().find(|item| item.name == name);
                    Ok(found.map_or(Truth::Absent, |item| Truth::There(item.node.kind)))
                }
                Seen::Some(items, error) => {
                    let found = items.iter().find(|item| item.name == name);
                    found.map(|item| Truth::There(item.node.kind)).ok_or(error)
                }
                Seen::Refused(refusal) => match self.look(action, base, &parent).await? {
                    Look::There(node) if node.kind == Kind::Dir => Err(refusal.error(action, path)),
                    Look::There(_) => Ok(Truth::Absent),
                    Look::Refused(why) => match self.truth(action, base, &parent, &why).await? {
                        Truth::Absent => Ok(Truth::Absent),
                        Truth::There(_) => Err(refusal.error(action, path)),
                    },
                },
            }
        })
    }

    /// Looks at an item; `None` is a definite absence.
    pub(super) async fn stat(&mut self, action: &'static str, base: &Base, path: &RelPath) -> Result<Option<Node>> {
        match self.look(action, base, path).await? {
            Look::There(node) => Ok(Some(node)),
            Look::Refused(reply) => match self.truth(action, base, path, &reply).await? {
                Truth::Absent => Ok(None),
                Truth::There(_) => Err(reply.error(action, path)),
            },
        }
    }
}

/// The names of directories as they were at one moment, so that a batch of new items asks each of their directories once.
#[derive(Default)]
pub(super) struct Names(HashMap<RelPath, Vec<Name>>);

impl Names {
    /// Whether a directory definitely held no such item when it was listed.
    pub(super) fn lacks(&self, path: &RelPath) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else { return false };
        self.0.get(&parent).is_some_and(|names| names.binary_search(&name).is_err())
    }

    pub(super) fn learn(&mut self, dir: RelPath, items: Vec<Item>) {
        let mut names: Vec<_> = items.into_iter().map(|item| item.name).collect();
        names.sort();
        self.0.insert(dir, names);
    }
}

/// A reply that says something of the item, not of the server or of the way to it.
fn settled(reply: Reply, action: &'static str, path: &RelPath) -> Result<Reply> {
    match reply.code {
        450 | 501 | 504 | 550 | 551 | 553 => Ok(reply),
        _ => Err(reply.error(action, path)),
    }
}

/// Everything until the server closes, which TLS has to say (RFC 5246, section 7.2.1): anybody can end a connection.
async fn drain(wire: Wire, dir: &RelPath) -> Result<Vec<u8>> {
    let mut from = BufReader::with_capacity(64 << 10, wire);
    let mut bytes = Vec::new();
    loop {
        match timeout(SILENCE, from.read_buf(&mut bytes)).await {
            Err(_) => return Err(Error::new(Code::Timeout, LIST, dir).because("the listing does not go on")),
            Ok(Err(e)) => return Err(Error::new(Code::Offline, LIST, dir).because(e)),
            Ok(Ok(0)) => return Ok(bytes),
            Ok(Ok(_)) if bytes.len() > MOST => {
                return Err(Error::new(Code::Storage, LIST, dir).because("the listing does not end"));
            }
            Ok(Ok(_)) => {}
        }
    }
}

/// Lines without their ends and without empty ones.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty())
}

/// Items as they are found in a listing.
struct Found<'d> {
    dir: &'d RelPath,
    items: Vec<Item>,
    names: HashSet<Name>,
    error: Option<Error>,
}

impl<'d> Found<'d> {
    fn new(dir: &'d RelPath) -> Self {
        Self { dir, items: Vec::new(), names: HashSet::new(), error: None }
    }

    fn take(&mut self, line: &[u8], name: &[u8], node: Option<Node>, about: Option<Timestamp>) {
        if name == b"." || name == b".." {
            return;
        }
        match (Name::new(name), node) {
            (Some(name), Some(node)) if self.names.insert(name.clone()) => self.items.push(Item { name, node, about }),
            // Which of the two is there nobody knows.
            (Some(_), Some(_)) => self.fails(line, "a name is shown twice"),
            // Something that is there and cannot be named: nothing may follow from what is missing in this listing.
            (None, _) | (_, None) => self.misses(line),
        }
    }

    fn misses(&mut self, line: &[u8]) {
        self.fails(line, "a line cannot be understood");
    }

    fn fails(&mut self, line: &[u8], why: &str) {
        self.error.get_or_insert_with(|| {
            let shown = escaped(&line[..line.len().min(200)]);
            Error::new(Code::Storage, LIST, self.dir).because(format!("{why}: {shown}"))
        });
    }

    fn seen(self) -> Seen {
        match self.error {
            None => Seen::All(self.items),
            Some(error) => Seen::Some(self.items, error),
        }
    }
}
