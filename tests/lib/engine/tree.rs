//! A tree on a disk, as a person edits it and as it is looked at afterwards. Works on any [`Disk`], the simulated one
//! and the machine's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use portbook::model::{Kind, Timestamp};
use portbook::provider::is_reserved;
use portbook::provider::local::{Disk, Rename};

/// What an item is, as far as both sides must agree on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    /// A file's bytes, a link's target.
    pub content: Vec<u8>,
    /// Of files and directories.
    pub mode: Option<u32>,
    /// Of files.
    pub mtime: Option<Timestamp>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = &self.content[..self.content.len().min(24)];
        write!(f, "{:?} {} bytes `{}`", self.kind, self.content.len(), head.escape_ascii())?;
        if let Some(mode) = self.mode {
            write!(f, " {mode:o}")?;
        }
        self.mtime.map_or(Ok(()), |m| write!(f, " {}.{:09}", m.secs, m.nanos))
    }
}

/// The items by path.
pub type Items = BTreeMap<String, Item>;

/// A root on a disk.
pub struct Tree<'d, D: Disk> {
    pub disk: &'d D,
    pub root: D::Dir,
    path: PathBuf,
}

impl<'d, D: Disk> Tree<'d, D> {
    pub fn at(disk: &'d D, root: &str) -> Self {
        Self { disk, root: disk.open_root(Path::new(root)).unwrap(), path: root.into() }
    }

    fn parent<'p>(&self, path: &'p str) -> (D::Dir, &'p [u8]) {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        (self.disk.open_dir(&self.root, parent.as_bytes()).unwrap(), name.as_bytes())
    }

    /// A new file, or other bytes in the one that is there.
    pub fn put(&self, path: &str, content: &[u8]) {
        let (dir, name) = self.parent(path);
        let file = match self.disk.create(&dir, name, 0o644) {
            Ok(file) => {
                self.disk.set_mode(&file, 0o644).unwrap();
                file
            }
            Err(_) => self.disk.open_read(&dir, name).unwrap(),
        };
        if self.disk.set_len(&file, 0).is_err() {
            // Opened for reading: only the simulated disk does not care.
            return std::fs::write(self.path.join(path), content).unwrap();
        }
        self.disk.write_at(&file, content, 0).unwrap();
    }

    /// As editors save: another file takes the place of the one that is there.
    pub fn replace(&self, path: &str, content: &[u8]) {
        let aside = format!("{path}.new");
        self.put(&aside, content);
        let (dir, name) = self.parent(path);
        let (_, new) = self.parent(&aside);
        self.disk.rename(&dir, new, &dir, name, Rename::Replace).unwrap();
    }

    pub fn dir(&self, path: &str) {
        let (dir, name) = self.parent(path);
        self.disk.make_dir(&dir, name, 0o755).unwrap();
    }

    pub fn link(&self, path: &str, target: &str) {
        let (dir, name) = self.parent(path);
        self.disk.symlink(target.as_bytes(), &dir, name).unwrap();
    }

    pub fn chmod(&self, path: &str, mode: u32) {
        let (dir, name) = self.parent(path);
        self.disk.set_mode_at(&dir, name, mode).unwrap();
    }

    pub fn touch(&self, path: &str, mtime: Timestamp) {
        let (dir, name) = self.parent(path);
        self.disk.set_mtime_at(&dir, name, mtime).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        let ((dir, name), (new_dir, new_name)) = (self.parent(from), self.parent(to));
        assert!(self.disk.stat_at(&new_dir, new_name).is_err(), "{to} is taken");
        self.disk.rename(&dir, name, &new_dir, new_name, Rename::Replace).unwrap();
    }

    pub fn swap(&self, a: &str, b: &str) {
        let ((dir, name), (new_dir, new_name)) = (self.parent(a), self.parent(b));
        if self.disk.rename(&dir, name, &new_dir, new_name, Rename::Exchange).is_err() {
            // Where the file system cannot, a person does it in three steps.
            let rename = |from, to| self.disk.rename(&dir, from, &new_dir, to, Rename::Replace).unwrap();
            rename(name, b"swapped");
            rename(new_name, name);
            rename(b"swapped", new_name);
        }
    }

    /// Removes an item with all that it holds.
    pub fn remove(&self, path: &str) {
        let (dir, name) = self.parent(path);
        if self.disk.stat_at(&dir, name).unwrap().kind == Kind::Dir {
            for child in self.names(path) {
                self.remove(&format!("{path}/{child}"));
            }
            self.disk.remove_dir(&dir, name).unwrap();
        } else {
            self.disk.unlink(&dir, name).unwrap();
        }
    }

    fn names(&self, path: &str) -> Vec<String> {
        let dir = self.disk.open_dir(&self.root, if path.is_empty() { b"." } else { path.as_bytes() }).unwrap();
        let mut names = Vec::new();
        let each = |name: &[u8], _| names.push(String::from_utf8(name.to_vec()).unwrap());
        self.disk.read_dir(&dir, |_| false, each).unwrap();
        names
    }

    fn collect(&self, path: &str, into: &mut Items) {
        for name in self.names(path) {
            let at = if path.is_empty() { name } else { format!("{path}/{name}") };
            let (dir, name) = self.parent(&at);
            let stat = self.disk.stat_at(&dir, name).unwrap();
            let content = match stat.kind {
                Kind::File => {
                    let file = self.disk.open_read(&dir, name).unwrap();
                    let mut content = vec![0; stat.size as usize];
                    let mut read = 0;
                    while read < content.len() {
                        read += self.disk.read_at(&file, &mut content[read..], read as u64).unwrap();
                    }
                    content
                }
                Kind::Symlink => self.disk.read_link(&dir, name).unwrap(),
                Kind::Dir | Kind::NativeDoc | Kind::Other => Vec::new(),
            };
            let is_dir = stat.kind == Kind::Dir;
            let mode = (stat.kind != Kind::Symlink).then_some(stat.mode);
            let mtime = (stat.kind == Kind::File).then_some(stat.mtime);
            into.insert(at.clone(), Item { kind: stat.kind, content, mode, mtime });
            if is_dir {
                self.collect(&at, into);
            }
        }
    }

    /// Everything beneath the root, the engine's own things included.
    pub fn all(&self) -> Items {
        let mut items = Items::new();
        self.collect("", &mut items);
        items
    }
}

/// What a person sees of a tree.
pub fn visible(all: &Items) -> Items {
    let hidden = |path: &str| path.split('/').any(|part| is_reserved(part.as_bytes()));
    all.iter().filter(|(path, _)| !hidden(path)).map(|(path, item)| (path.clone(), item.clone())).collect()
}

/// Temporary names that stand about, apart from what was moved to the trash.
pub fn leftovers(all: &Items) -> Vec<String> {
    let temporary = |path: &&String| {
        !path.starts_with(".portbook/") && path.split('/').any(|part| part.starts_with(".portbook-tmp-"))
    };
    all.keys().filter(temporary).cloned().collect()
}

/// The contents of all files and links, trash included.
pub fn contents<'i>(trees: impl IntoIterator<Item = &'i Items>) -> BTreeSet<Vec<u8>> {
    let items = trees.into_iter().flat_map(BTreeMap::values);
    items.filter(|item| item.kind != Kind::Dir).map(|item| item.content.clone()).collect()
}
