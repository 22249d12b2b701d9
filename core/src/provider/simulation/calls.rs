//! The calls of a [`ModelDisk`].

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::model::{ModelDir, ModelDisk, ModelFile, ModelLock, ROOT, errno};
use crate::model::{Kind, Timestamp};
use crate::provider::Writable;
use crate::provider::local::{Attribute, Disk, Rename, Stat, Traits};

impl Disk for ModelDisk {
    type Dir = ModelDir;
    type File = ModelFile;
    type Lock = ModelLock;

    fn open_root(&self, path: &Path) -> io::Result<ModelDir> {
        let path = path.to_string_lossy().replace('\\', "/");
        Ok(ModelDir(self.world().walk(ROOT, path.as_bytes())?))
    }

    fn traits(&self, dir: &ModelDir) -> io::Result<Traits> {
        let o = self.world().options_in(dir.0);
        Ok(Traits {
            case_insensitive: o.case_insensitive,
            unicode_insensitive: o.unicode_insensitive,
            windows_names: o.windows_names,
            unicode_names: o.windows_names || o.case_insensitive || o.unicode_insensitive,
            max_name_bytes: 255,
            mode: true,
            symlinks: true,
            time_precision_ns: o.time_precision_ns,
            writable: if o.writable { Writable::Everywhere } else { Writable::Nowhere },
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

    fn open_write(&self, dir: &ModelDir, name: &[u8]) -> io::Result<ModelFile> {
        self.open_read(dir, name)
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
        let is_narrow = world.item(dir.0)?.is_narrow;
        world.edit(id)?.is_narrow = is_narrow;
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
        let mut world = self.world();
        let mtime = world.rounded(mtime);
        world.edit(file.0)?.now.mtime = mtime;
        Ok(())
    }

    fn set_mtime_at(&self, dir: &ModelDir, name: &[u8], mtime: Timestamp) -> io::Result<()> {
        let mut world = self.world();
        let (id, mtime) = (world.find(dir.0, name)?, world.rounded(mtime));
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

    // Every lock is exclusive here: nothing that is simulated needs to share one.
    fn lock(&self, dir: &ModelDir, _: bool) -> io::Result<Option<ModelLock>> {
        let free = self.world().locks.insert(dir.0);
        Ok(free.then(|| ModelLock(Arc::clone(&self.world), dir.0)))
    }
}
