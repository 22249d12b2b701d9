//! A host's own files pass the contract of every provider, whatever they are like.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use portbook::model::{Entry, Ident, Kind, Name, Node, RelPath, Timestamp, Token};
use portbook::provider::hosted::{HostFiles, Hosted, HostedOptions};
use portbook::{Code, Error, Result};

use crate::contract;

/// Files in memory: what the simplest host does.
#[derive(Default)]
struct Memory {
    /// By path; none for a directory.
    items: Mutex<BTreeMap<RelPath, Option<File>>>,
    /// Names of one case are the same.
    folds: bool,
    /// Versions instead of modified times.
    versions: bool,
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    mtime: Timestamp,
    version: u64,
}

impl Memory {
    fn key(&self, path: &RelPath) -> RelPath {
        let items = self.items.lock().unwrap();
        let folded = |path: &RelPath| String::from_utf8_lossy(path.as_bytes()).to_lowercase();
        let same = items.keys().find(|known| self.folds && folded(known) == folded(path));
        same.unwrap_or(path).clone()
    }

    fn node(&self, item: &Option<File>) -> Node {
        let Some(file) = item else {
            return Node { kind: Kind::Dir, ident: Ident::None, token: Token::default() };
        };
        let mut token = Token { size: file.bytes.len() as u64, ..Token::default() };
        match self.versions {
            true => token.revision = Some(file.version.to_string().into_bytes().into()),
            false => token.mtime = Some(file.mtime),
        }
        Node { kind: Kind::File, ident: Ident::None, token }
    }

    fn refuse(code: Code, path: &RelPath) -> Error {
        Error::new(code, "use", path)
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp { secs: now.as_secs() as i64, nanos: now.subsec_micros() * 1000 }
}

#[async_trait]
impl HostFiles for Memory {
    async fn list(&self, dir: &RelPath) -> Result<Option<Vec<Entry>>> {
        let dir = self.key(dir);
        let items = self.items.lock().unwrap();
        if !dir.is_root() && !matches!(items.get(&dir), Some(None)) {
            return Ok(None);
        }
        let inside = items.iter().filter(|(path, _)| path.parent().as_ref() == Some(&dir));
        Ok(Some(inside.map(|(path, item)| Entry { name: path.name().unwrap(), node: self.node(item) }).collect()))
    }

    async fn look(&self, path: &RelPath) -> Result<Option<Node>> {
        if path.is_root() {
            return Ok(Some(self.node(&None)));
        }
        let path = self.key(path);
        Ok(self.items.lock().unwrap().get(&path).map(|item| self.node(item)))
    }

    async fn read(&self, path: &RelPath, offset: u64, length: u64) -> Result<Bytes> {
        let path = self.key(path);
        let items = self.items.lock().unwrap();
        let Some(Some(file)) = items.get(&path) else { return Err(Self::refuse(Code::NotFound, &path)) };
        let end = file.bytes.len().min((offset + length) as usize);
        Ok(Bytes::copy_from_slice(file.bytes.get(offset as usize..end).unwrap_or_default()))
    }

    async fn write(&self, path: &RelPath, offset: u64, bytes: Bytes) -> Result<()> {
        let key = self.key(path);
        let mut items = self.items.lock().unwrap();
        let is_there = |dir: &RelPath| dir.is_root() || matches!(items.get(dir), Some(None));
        if !path.parent().is_some_and(|dir| is_there(&dir)) {
            return Err(Self::refuse(Code::NotFound, path));
        }
        let new = File { bytes: Vec::new(), mtime: now(), version: 0 };
        let item = items.entry(key).or_insert(Some(new));
        let Some(file) = item else { return Err(Self::refuse(Code::Storage, path)) };
        if offset == 0 {
            file.bytes.clear();
        }
        assert_eq!(file.bytes.len() as u64, offset, "pieces come in order");
        file.bytes.extend_from_slice(&bytes);
        file.version = rand(&file.bytes);
        file.mtime = now();
        Ok(())
    }

    async fn set_modified(&self, path: &RelPath, time: Timestamp) -> Result<()> {
        let path = self.key(path);
        let mut items = self.items.lock().unwrap();
        let Some(Some(file)) = items.get_mut(&path) else { return Err(Self::refuse(Code::NotFound, &path)) };
        file.mtime = Timestamp { nanos: time.nanos / 1000 * 1000, ..time };
        Ok(())
    }

    async fn make_dir(&self, path: &RelPath) -> Result<()> {
        match self.items.lock().unwrap().insert(path.clone(), None) {
            None => Ok(()),
            Some(_) => Err(Self::refuse(Code::Conflict, path)),
        }
    }

    async fn rename(&self, from: &RelPath, to: &RelPath, replace: bool) -> Result<()> {
        let (from, taken) = (self.key(from), self.key(to));
        let mut items = self.items.lock().unwrap();
        if let Some(item) = items.get(&taken)
            && taken != from
            && !(replace && item.is_some())
        {
            return Err(Self::refuse(Code::Conflict, to));
        }
        if taken != from {
            items.remove(&taken);
        }
        let moved: Vec<_> = items.keys().filter(|path| path.is_within(&from)).cloned().collect();
        if moved.is_empty() {
            return Err(Self::refuse(Code::NotFound, &from));
        }
        for path in moved {
            let item = items.remove(&path).unwrap();
            items.insert(path.rebase(&from, to), item);
        }
        Ok(())
    }

    async fn remove(&self, path: &RelPath) -> Result<()> {
        let path = self.key(path);
        let mut items = self.items.lock().unwrap();
        if items.keys().any(|other| *other != path && other.is_within(&path)) {
            return Err(Self::refuse(Code::Storage, &path));
        }
        items.remove(&path);
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// A version that follows from nothing but the content and the moment.
fn rand(bytes: &[u8]) -> u64 {
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    moment ^ bytes.len() as u64
}

fn place(options: HostedOptions, memory: Memory) -> Hosted {
    Hosted::new(Arc::new(memory), options)
}

fn versions() -> Memory {
    Memory { versions: true, ..Memory::default() }
}

#[tokio::test]
async fn files_with_times_pass_the_contract() {
    let open = || place(HostedOptions { sets_modified: true, ..HostedOptions::new("memory") }, Memory::default());
    contract::run(open, open).await;
}

#[tokio::test]
async fn files_with_versions_pass_the_contract() {
    let open = || place(HostedOptions::new("memory"), versions());
    contract::run(open, open).await;
}

#[tokio::test]
async fn files_whose_names_fold_pass_the_contract() {
    let options = || HostedOptions { case_insensitive: true, windows_names: true, ..HostedOptions::new("memory") };
    let open = || place(options(), Memory { folds: true, ..versions() });
    contract::run(open, open).await;
}

#[tokio::test]
async fn names_that_a_host_cannot_hold_are_said_before() {
    let open = place(HostedOptions { windows_names: true, ..HostedOptions::new("memory") }, Memory::default());
    use portbook::provider::Provider as _;
    for (name, is_held) in [(&b"a"[..], true), (b"a:b", false), (b"a\xff", false), (b".portbook", false)] {
        assert_eq!(open.can_hold(&Name::new(name).unwrap()), is_held, "{name:?}");
    }
}
