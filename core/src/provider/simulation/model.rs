//! A disk in memory that tells what is durable from what is not.
//!
//! Content, size, attributes and directory entries change at once for every reader and are volatile until the file,
//! the directory or the whole disk is synced. Syncing a file says nothing of the name it has; that is its
//! directory's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Kind, Timestamp};
use crate::provider::local::{Stat, windows_name};

/// How a [`ModelDisk`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// The granularity of its clock and of the times it keeps, in nanoseconds; each change takes one microsecond.
    pub time_precision_ns: u64,
    /// Inode numbers of removed files are given out again.
    pub recycle_inodes: bool,
    /// Birth times are kept.
    pub birth_times: bool,
    /// Names that differ only in case are one.
    pub case_insensitive: bool,
    /// Names that differ only in normalisation are one.
    pub unicode_insensitive: bool,
    /// Only names that Windows takes.
    pub windows_names: bool,
    /// Renames can refuse to overwrite, and can exchange.
    pub rename_flags: bool,
    /// Files can have second names.
    pub links: bool,
    /// The whole disk can be synced in one call.
    pub sync_all: bool,
    /// It can be written; false: it says that it cannot.
    pub writable: bool,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            time_precision_ns: 1,
            recycle_inodes: false,
            birth_times: true,
            case_insensitive: false,
            unicode_insensitive: false,
            windows_names: false,
            rename_flags: true,
            links: true,
            sync_all: true,
            writable: true,
        }
    }
}

pub(super) type Id = u64;
pub(super) const ROOT: Id = 1;
/// The device number.
const DEV: u64 = 1;

/// What an item holds beside its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// A file's content or a link's target.
    pub(super) data: Arc<Vec<u8>>,
    pub(super) mode: u32,
    pub(super) mtime: Timestamp,
    pub(super) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) ino: u64,
    pub(super) birth_ns: i64,
    pub(super) ctime: Timestamp,
    /// The time of change that is on the disk.
    pub(super) durable_ctime: Timestamp,
    pub(super) links: u32,
    /// Of directories: names in it are folded and refused as the options say. Directories made in it inherit that.
    pub(super) is_narrow: bool,
    pub(super) now: Body,
    pub(super) durable: Body,
    /// By folded name: the name as it was given, and the item.
    pub(super) entries: Entries,
    pub(super) durable_entries: Entries,
}

pub(super) type Entries = BTreeMap<Vec<u8>, (Vec<u8>, Id)>;

pub(super) type Set = (Id, Vec<u8>, Option<(Vec<u8>, Id)>);

/// A change of directory entries that is not durable yet; all of it happens or nothing.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Directory, folded name, and what it names afterwards.
    pub(super) sets: Vec<Set>,
    /// The items that got their first name by it.
    pub(super) born: Vec<Id>,
    /// The items that lost their last name by it; of directories, what they held before has to be gone first.
    pub(super) gone: Vec<Id>,
    /// The time of change that it gives to items.
    pub(super) times: Vec<(Id, Timestamp)>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) options: ModelOptions,
    pub(super) items: HashMap<Id, Item>,
    pub(super) log: Vec<Change>,
    pub(super) clock_ns: u64,
    pub(super) next_id: Id,
    pub(super) next_ino: u64,
    pub(super) free_inos: Vec<u64>,
    pub(super) locks: HashSet<Id>,
}

/// A disk in memory. Clones are handles of the same disk.
#[derive(Clone, Debug)]
pub struct ModelDisk {
    pub(super) world: Arc<Mutex<World>>,
}

/// An opened directory of a [`ModelDisk`].
#[derive(Debug)]
pub struct ModelDir(pub(super) Id);

/// An opened file of a [`ModelDisk`].
#[derive(Debug)]
pub struct ModelFile(pub(super) Id);

/// The lock of a directory of a [`ModelDisk`].
#[derive(Debug)]
pub struct ModelLock(pub(super) Arc<Mutex<World>>, pub(super) Id);

impl Drop for ModelLock {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).locks.remove(&self.1);
    }
}

impl Default for ModelDisk {
    fn default() -> Self {
        Self::new(ModelOptions::default())
    }
}

impl ModelDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(options: ModelOptions) -> Self {
        let mut world = World {
            options,
            items: HashMap::new(),
            log: Vec::new(),
            clock_ns: 1_700_000_000_000_000_000,
            next_id: ROOT,
            next_ino: 100,
            free_inos: Vec::new(),
            locks: HashSet::new(),
        };
        world.add(Kind::Dir, 0o755, Vec::new());
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// Names in this empty directory, and in those that will be made in it, are what they are given as, whatever the
    /// options say: folding is a flag of the directory on ext4 and on NTFS too.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn widen(&self, path: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let dir = world.walk(ROOT, path)?;
        world.edit(dir)?.is_narrow = false;
        Ok(())
    }

    /// Moves the clock.
    pub fn advance(&self, ns: u64) {
        self.world().clock_ns += ns;
    }

    /// What the clock shows, in nanoseconds since 1970.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.world().clock_ns
    }

    /// Makes everything durable, whatever calls the disk has for it: what was done is long ago.
    pub fn settle(&self) {
        self.world().sync_everything();
    }

    /// Whether everything on the disk is durable.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let world = self.world();
        world.log.is_empty() && world.items.values().all(|i| i.links == 0 || i.now == i.durable)
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn errno(kind: ErrorKind) -> io::Error {
    kind.into()
}

impl World {
    pub(super) fn time(&mut self) -> Timestamp {
        self.clock_ns += 1_000;
        let ns = self.clock_ns - self.clock_ns % self.options.time_precision_ns.max(1);
        Timestamp { secs: (ns / 1_000_000_000) as i64, nanos: (ns % 1_000_000_000) as u32 }
    }

    /// The time as it is kept: FAT, for one, cuts a time that is set like one that it stamps.
    pub(super) fn rounded(&self, time: Timestamp) -> Timestamp {
        let ns = time.as_nanos();
        Timestamp::from_nanos(ns - ns.rem_euclid(i128::from(self.options.time_precision_ns.max(1))))
    }

    pub(super) fn add(&mut self, kind: Kind, mode: u32, data: Vec<u8>) -> Id {
        let now = self.time();
        let id = self.next_id;
        self.next_id += 1;
        let ino = self.free_inos.pop().unwrap_or_else(|| {
            self.next_ino += 1;
            self.next_ino
        });
        let body = |data| Body { data: Arc::new(data), mode, mtime: now, attributes: BTreeMap::new() };
        // A link's target comes with its inode; a file's content follows it.
        let durable = if kind == Kind::Symlink { data.clone() } else { Vec::new() };
        let item = Item {
            kind,
            ino,
            birth_ns: if self.options.birth_times { now.as_nanos() as i64 } else { 0 },
            ctime: now,
            durable_ctime: now,
            links: u32::from(id == ROOT),
            is_narrow: true,
            now: body(data),
            durable: body(durable),
            entries: Entries::new(),
            durable_entries: Entries::new(),
        };
        self.items.insert(id, item);
        id
    }

    pub(super) fn item(&self, id: Id) -> io::Result<&Item> {
        self.items.get(&id).ok_or_else(|| errno(ErrorKind::NotFound))
    }

    pub(super) fn edit(&mut self, id: Id) -> io::Result<&mut Item> {
        let now = self.time();
        let item = self.items.get_mut(&id).ok_or_else(|| errno(ErrorKind::NotFound))?;
        item.ctime = now;
        Ok(item)
    }

    /// The options as they hold in that directory.
    pub(super) fn options_in(&self, dir: Id) -> ModelOptions {
        let is_narrow = self.items.get(&dir).is_none_or(|item| item.is_narrow);
        let wide =
            ModelOptions { case_insensitive: false, unicode_insensitive: false, windows_names: false, ..self.options };
        if is_narrow { self.options } else { wide }
    }

    pub(super) fn fold(&self, dir: Id, name: &[u8]) -> Vec<u8> {
        let options = self.options_in(dir);
        let (case, unicode) = (options.case_insensitive, options.unicode_insensitive);
        match std::str::from_utf8(name) {
            Ok(text) if case && unicode => text.nfc().flat_map(char::to_lowercase).nfc().collect::<String>().into(),
            Ok(text) if case => text.to_lowercase().into(),
            Ok(text) if unicode => text.nfc().collect::<String>().into(),
            Ok(_) | Err(_) => name.to_vec(),
        }
    }

    pub(super) fn find(&self, dir: Id, name: &[u8]) -> io::Result<Id> {
        let item = self.item(dir)?;
        if item.links == 0 {
            return Err(errno(ErrorKind::NotFound));
        }
        item.entries.get(&self.fold(dir, name)).map(|e| e.1).ok_or_else(|| errno(ErrorKind::NotFound))
    }

    /// Whether a new entry may get this name.
    pub(super) fn admit(&self, dir: Id, name: &[u8]) -> io::Result<()> {
        if self.item(dir)?.links == 0 {
            return Err(errno(ErrorKind::NotFound));
        }
        let options = self.options_in(dir);
        let folds = options.case_insensitive || options.unicode_insensitive || options.windows_names;
        if (options.windows_names && !windows_name(name)) || (folds && std::str::from_utf8(name).is_err()) {
            return Err(errno(ErrorKind::InvalidInput));
        }
        if name.len() > 255 { Err(errno(ErrorKind::InvalidFilename)) } else { Ok(()) }
    }

    /// Changes entries together, keeping count of the names that each item has.
    pub(super) fn apply(&mut self, sets: Vec<(Id, Vec<u8>, Option<Id>)>) -> io::Result<()> {
        let now = self.time();
        let mut logged = Vec::with_capacity(sets.len());
        let (mut dropped, mut born, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut times = Vec::with_capacity(sets.len());
        for (dir, name, to) in sets {
            let folded = self.fold(dir, &name);
            let to = to.map(|id| (name, id));
            if let Some((_, id)) = &to {
                let item = self.edit(*id)?;
                times.push((*id, item.ctime));
                item.links += 1;
                if item.links == 1 {
                    born.push(*id);
                }
            }
            let own = self.items.get_mut(&dir).ok_or_else(|| errno(ErrorKind::NotFound))?;
            (own.ctime, own.now.mtime) = (now, now);
            let old = match &to {
                Some(to) => own.entries.insert(folded.clone(), to.clone()),
                None => own.entries.remove(&folded),
            };
            dropped.extend(old.map(|o| o.1));
            logged.push((dir, folded, to));
        }
        for id in dropped {
            let recycle = self.options.recycle_inodes;
            let item = self.edit(id)?;
            times.push((id, item.ctime));
            item.links -= 1;
            if item.links == 0 {
                let ino = item.ino;
                gone.push(id);
                if recycle {
                    self.free_inos.push(ino);
                }
            }
        }
        self.log.push(Change { sets: logged, born, gone, times });
        Ok(())
    }

    pub(super) fn stat(&self, id: Id) -> io::Result<Stat> {
        let item = self.item(id)?;
        let size = item.now.data.len() as u64;
        Ok(Stat {
            kind: item.kind,
            ino: item.ino,
            dev: DEV,
            birth_ns: item.birth_ns,
            size,
            allocated: size,
            mode: item.now.mode,
            mtime: item.now.mtime,
            ctime: item.ctime,
        })
    }

    pub(super) fn walk(&self, from: Id, path: &[u8]) -> io::Result<Id> {
        let mut here = from;
        for part in path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
            here = self.find(here, part)?;
            if self.item(here)?.kind != Kind::Dir {
                return Err(errno(ErrorKind::NotADirectory));
            }
        }
        Ok(here)
    }

    pub(super) fn touch(&mut self, id: Id) -> io::Result<&mut Item> {
        let now = self.time();
        let item = self.edit(id)?;
        item.now.mtime = now;
        Ok(item)
    }
}
