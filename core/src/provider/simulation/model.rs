//! A disk in memory that tells what is durable from what is not.
//!
//! Content, size, attributes and directory entries change at once for every reader and are volatile until the file,
//! the directory or the whole disk is synced. Syncing a file says nothing of the name it has; that is its
//! directory's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Kind, Timestamp};
use crate::provider::local::{Attribute, Disk, Rename, Stat, Traits, windows_name};

/// How a [`ModelDisk`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// The granularity of its clock in nanoseconds; each change takes one microsecond.
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
    pub(super) links: u32,
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
pub struct ModelDir(Id);

/// An opened file of a [`ModelDisk`].
#[derive(Debug)]
pub struct ModelFile(Id);

/// The lock of a directory of a [`ModelDisk`].
#[derive(Debug)]
pub struct ModelLock(Arc<Mutex<World>>, Id);

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

    /// Moves the clock.
    pub fn advance(&self, ns: u64) {
        self.world().clock_ns += ns;
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

fn errno(kind: ErrorKind) -> io::Error {
    kind.into()
}

impl World {
    fn time(&mut self) -> Timestamp {
        self.clock_ns += 1_000;
        let ns = self.clock_ns - self.clock_ns % self.options.time_precision_ns.max(1);
        Timestamp { secs: (ns / 1_000_000_000) as i64, nanos: (ns % 1_000_000_000) as u32 }
    }

    fn add(&mut self, kind: Kind, mode: u32, data: Vec<u8>) -> Id {
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
            links: u32::from(id == ROOT),
            now: body(data),
            durable: body(durable),
            entries: Entries::new(),
            durable_entries: Entries::new(),
        };
        self.items.insert(id, item);
        id
    }

    fn item(&self, id: Id) -> io::Result<&Item> {
        self.items.get(&id).ok_or_else(|| errno(ErrorKind::NotFound))
    }

    fn edit(&mut self, id: Id) -> io::Result<&mut Item> {
        let now = self.time();
        let item = self.items.get_mut(&id).ok_or_else(|| errno(ErrorKind::NotFound))?;
        item.ctime = now;
        Ok(item)
    }

    fn fold(&self, name: &[u8]) -> Vec<u8> {
        let (case, unicode) = (self.options.case_insensitive, self.options.unicode_insensitive);
        match std::str::from_utf8(name) {
            Ok(text) if case && unicode => text.nfc().flat_map(char::to_lowercase).nfc().collect::<String>().into(),
            Ok(text) if case => text.to_lowercase().into(),
            Ok(text) if unicode => text.nfc().collect::<String>().into(),
            Ok(_) | Err(_) => name.to_vec(),
        }
    }

    fn find(&self, dir: Id, name: &[u8]) -> io::Result<Id> {
        let dir = self.item(dir)?;
        if dir.links == 0 {
            return Err(errno(ErrorKind::NotFound));
        }
        dir.entries.get(&self.fold(name)).map(|e| e.1).ok_or_else(|| errno(ErrorKind::NotFound))
    }

    /// Whether a new entry may get this name.
    fn admit(&self, dir: Id, name: &[u8]) -> io::Result<()> {
        if self.item(dir)?.links == 0 {
            return Err(errno(ErrorKind::NotFound));
        }
        let folds = self.options.case_insensitive || self.options.unicode_insensitive || self.options.windows_names;
        if (self.options.windows_names && !windows_name(name)) || (folds && std::str::from_utf8(name).is_err()) {
            return Err(errno(ErrorKind::InvalidInput));
        }
        if name.len() > 255 { Err(errno(ErrorKind::InvalidFilename)) } else { Ok(()) }
    }

    /// Changes entries together, keeping count of the names that each item has.
    fn apply(&mut self, sets: Vec<(Id, Vec<u8>, Option<Id>)>) -> io::Result<()> {
        let now = self.time();
        let mut logged = Vec::with_capacity(sets.len());
        let (mut dropped, mut born) = (Vec::new(), Vec::new());
        for (dir, name, to) in sets {
            let folded = self.fold(&name);
            let to = to.map(|id| (name, id));
            if let Some((_, id)) = &to {
                let item = self.edit(*id)?;
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
            item.links -= 1;
            if item.links == 0 && recycle {
                let ino = item.ino;
                self.free_inos.push(ino);
            }
        }
        self.log.push(Change { sets: logged, born });
        Ok(())
    }

    fn stat(&self, id: Id) -> io::Result<Stat> {
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

    fn walk(&self, from: Id, path: &[u8]) -> io::Result<Id> {
        let mut here = from;
        for part in path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
            here = self.find(here, part)?;
            if self.item(here)?.kind != Kind::Dir {
                return Err(errno(ErrorKind::NotADirectory));
            }
        }
        Ok(here)
    }

    fn touch(&mut self, id: Id) -> io::Result<&mut Item> {
        let now = self.time();
        let item = self.edit(id)?;
        item.now.mtime = now;
        Ok(item)
    }
}

impl Disk for ModelDisk {
    type Dir = ModelDir;
    type File = ModelFile;
    type Lock = ModelLock;

    fn open_root(&self, path: &Path) -> io::Result<ModelDir> {
        let path = path.to_string_lossy().replace('\\', "/");
        Ok(ModelDir(self.world().walk(ROOT, path.as_bytes())?))
    }

    fn traits(&self, _dir: &ModelDir) -> io::Result<Traits> {
        let o = self.world().options;
        Ok(Traits {
            case_insensitive: o.case_insensitive,
            unicode_insensitive: o.unicode_insensitive,
            windows_names: o.windows_names,
            unicode_names: o.windows_names || o.case_insensitive || o.unicode_insensitive,
            max_name_bytes: 255,
            mode: true,
            symlinks: true,
            time_precision_ns: o.time_precision_ns,
            writable: true,
        })
    }

    fn open_dir(&self, at: &ModelDir, path: &[u8]) -> io::Result<ModelDir> {
        Ok(ModelDir(self.world().walk(at.0, path)?))
    }

    fn read_dir(
        &self,
        dir: &ModelDir,
        skip: fn(&[u8]) -> bool,
        mut each: impl FnMut(&[u8], io::Result<Stat>),
    ) -> io::Result<()> {
        let world = self.world();
        for (name, id) in world.item(dir.0)?.entries.values() {
            if !skip(name) {
                each(name, world.stat(*id));
            }
        }
        Ok(())
    }

    fn stat_at(&self, dir: &ModelDir, name: &[u8]) -> io::Result<Stat> {
        let world = self.world();
        world.stat(world.find(dir.0, name)?)
    }

    fn stat_dir(&self, dir: &ModelDir) -> io::Result<Stat> {
        self.world().stat(dir.0)
    }

    fn stat_file(&self, file: &ModelFile) -> io::Result<Stat> {
        self.world().stat(file.0)
    }

    fn open_read(&self, dir: &ModelDir, name: &[u8]) -> io::Result<ModelFile> {
        let world = self.world();
        let id = world.find(dir.0, name)?;
        match world.item(id)?.kind {
            Kind::Symlink => Err(io::Error::other("too many levels of symbolic links")),
            Kind::File | Kind::Dir | Kind::NativeDoc | Kind::Other => Ok(ModelFile(id)),
        }
    }

    fn create(&self, dir: &ModelDir, name: &[u8], mode: u32) -> io::Result<ModelFile> {
        let mut world = self.world();
        world.admit(dir.0, name)?;
        if world.find(dir.0, name).is_ok() {
            return Err(errno(ErrorKind::AlreadyExists));
        }
        let id = world.add(Kind::File, mode & 0o755, Vec::new());
        world.apply(vec![(dir.0, name.to_vec(), Some(id))])?;
        Ok(ModelFile(id))
    }

    fn read_at(&self, file: &ModelFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.world();
        let data = &world.item(file.0)?.now.data;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let count = buf.len().min(data.len() - start);
        buf[..count].copy_from_slice(&data[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, file: &ModelFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world();
        let start = usize::try_from(offset).map_err(|_| errno(ErrorKind::FileTooLarge))?;
        let data = Arc::make_mut(&mut world.touch(file.0)?.now.data);
        if data.len() < start + buf.len() {
            data.resize(start + buf.len(), 0);
        }
        data[start..start + buf.len()].copy_from_slice(buf);
        Ok(buf.len())
    }

    fn sync_file(&self, file: &ModelFile) -> io::Result<()> {
        self.world().sync_body(file.0);
        Ok(())
    }

    fn sync_dir(&self, dir: &ModelDir) -> io::Result<()> {
        let mut world = self.world();
        world.sync_body(dir.0);
        world.sync_entries(dir.0);
        Ok(())
    }

    fn sync_all(&self, _dir: &ModelDir) -> io::Result<()> {
        let mut world = self.world();
        if !world.options.sync_all {
            return Err(errno(ErrorKind::Unsupported));
        }
        world.sync_everything();
        Ok(())
    }

    fn rename(&self, from: &ModelDir, name: &[u8], to: &ModelDir, new_name: &[u8], how: Rename) -> io::Result<()> {
        let mut world = self.world();
        if how != Rename::Replace && !world.options.rename_flags {
            return Err(errno(ErrorKind::Unsupported));
        }
        let id = world.find(from.0, name)?;
        world.admit(to.0, new_name)?;
        let taken = world.find(to.0, new_name).ok();
        let (gone, set) = ((from.0, name.to_vec(), None), (to.0, new_name.to_vec(), Some(id)));
        match (how, taken) {
            (Rename::Exchange, None) => Err(errno(ErrorKind::NotFound)),
            (Rename::Exchange, Some(other)) => world.apply(vec![(from.0, name.to_vec(), Some(other)), set]),
            (Rename::NoReplace, Some(_)) => Err(errno(ErrorKind::AlreadyExists)),
            (Rename::Replace, Some(other)) if other == id => Ok(()),
            (Rename::Replace, Some(other)) if !world.item(other)?.entries.is_empty() => {
                Err(errno(ErrorKind::DirectoryNotEmpty))
            }
            (Rename::Replace, Some(other)) if world.item(other)?.kind == Kind::Dir => {
                Err(errno(ErrorKind::IsADirectory))
            }
            (Rename::Replace, Some(_)) | (Rename::Replace | Rename::NoReplace, None) => world.apply(vec![gone, set]),
        }
    }

    fn link(&self, from: &ModelDir, name: &[u8], to: &ModelDir, new_name: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let id = world.find(from.0, name)?;
        if !world.options.links || world.item(id)?.kind == Kind::Dir {
            return Err(errno(ErrorKind::Unsupported));
        }
        world.admit(to.0, new_name)?;
        if world.find(to.0, new_name).is_ok() {
            return Err(errno(ErrorKind::AlreadyExists));
        }
        world.apply(vec![(to.0, new_name.to_vec(), Some(id))])
    }

    fn make_dir(&self, dir: &ModelDir, name: &[u8], mode: u32) -> io::Result<()> {
        let mut world = self.world();
        world.admit(dir.0, name)?;
        if world.find(dir.0, name).is_ok() {
            return Err(errno(ErrorKind::AlreadyExists));
        }
        let id = world.add(Kind::Dir, mode & 0o755, Vec::new());
        world.apply(vec![(dir.0, name.to_vec(), Some(id))])
    }

    fn unlink(&self, dir: &ModelDir, name: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let id = world.find(dir.0, name)?;
        if world.item(id)?.kind == Kind::Dir {
            return Err(errno(ErrorKind::IsADirectory));
        }
        world.apply(vec![(dir.0, name.to_vec(), None)])
    }

    fn remove_dir(&self, dir: &ModelDir, name: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let id = world.find(dir.0, name)?;
        if world.item(id)?.kind != Kind::Dir {
            return Err(errno(ErrorKind::NotADirectory));
        }
        if !world.item(id)?.entries.is_empty() {
            return Err(errno(ErrorKind::DirectoryNotEmpty));
        }
        world.apply(vec![(dir.0, name.to_vec(), None)])
    }

    fn symlink(&self, target: &[u8], dir: &ModelDir, name: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        world.admit(dir.0, name)?;
        if world.find(dir.0, name).is_ok() {
            return Err(errno(ErrorKind::AlreadyExists));
        }
        let id = world.add(Kind::Symlink, 0o777, target.to_vec());
        world.apply(vec![(dir.0, name.to_vec(), Some(id))])
    }

    fn read_link(&self, dir: &ModelDir, name: &[u8]) -> io::Result<Vec<u8>> {
        let world = self.world();
        let item = world.item(world.find(dir.0, name)?)?;
        if item.kind == Kind::Symlink { Ok(item.now.data.to_vec()) } else { Err(errno(ErrorKind::InvalidInput)) }
    }

    fn set_mtime(&self, file: &ModelFile, mtime: Timestamp) -> io::Result<()> {
        self.world().edit(file.0)?.now.mtime = mtime;
        Ok(())
    }

    fn set_mtime_at(&self, dir: &ModelDir, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        let mut world = self.world();
        let id = world.find(dir.0, name)?;
        world.edit(id)?.now.mtime = mtime;
        Ok(())
    }

    fn set_mode(&self, file: &ModelFile, mode: u32) -> io::Result<()> {
        self.world().edit(file.0)?.now.mode = mode & 0o7777;
        Ok(())
    }

    fn set_mode_at(&self, dir: &ModelDir, name: &[u8], mode: u32) -> io::Result<()> {
        let mut world = self.world();
        let id = world.find(dir.0, name)?;
        world.edit(id)?.now.mode = mode & 0o7777;
        Ok(())
    }

    fn set_len(&self, file: &ModelFile, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| errno(ErrorKind::FileTooLarge))?;
        Arc::make_mut(&mut self.world().touch(file.0)?.now.data).resize(size, 0);
        Ok(())
    }

    fn attributes(&self, file: &ModelFile) -> io::Result<Vec<Attribute>> {
        Ok(self.world().item(file.0)?.now.attributes.clone().into_iter().collect())
    }

    fn set_attribute(&self, file: &ModelFile, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.world().edit(file.0)?.now.attributes.insert(name.to_vec(), value.to_vec());
        Ok(())
    }

    fn free_bytes(&self, _dir: &ModelDir) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn lock(&self, dir: &ModelDir) -> io::Result<Option<ModelLock>> {
        let free = self.world().locks.insert(dir.0);
        Ok(free.then(|| ModelLock(Arc::clone(&self.world), dir.0)))
    }
}
