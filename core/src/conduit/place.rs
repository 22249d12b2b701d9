//! The ends of conduits: what names them in the book, how they are told apart, how they are opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{Sides, VolumeId, shown};
use crate::provider::local::Local;
use crate::provider::{Access, Address, Provider};

/// One end of a conduit.
#[derive(Clone)]
pub enum Place {
    /// A directory of this machine.
    Local(PathBuf),
    /// A provider that the host brings. `key` names its root in the book and must be the same every time.
    Provider {
        /// Names the root in the book.
        key: String,
        /// The provider.
        provider: Arc<dyn Provider>,
    },
    /// A directory of a saved volume; see [`Session::place`](crate::Session::place).
    ///
    /// The rules of the volume hold for what runs carry. Each file that a run has put there, or has found there, has a row of
    /// `files` at its storage path (the volume's `default_prefix`, the path of the place, the path of the file), of the user
    /// who ran it; the row changes, moves and goes with the file. It counts for the quotas of the volume, the user and the
    /// app. What there is no room for fails with the code `quota`, and the rest is carried. Where the volume keeps versions,
    /// what a run overwrites becomes one.
    ///
    /// Directories and links have no rows. A file whose path is not UTF-8, or has more than 2,048 bytes from the volume's root,
    /// is carried like any other, and has no row: it does not count and gets no versions. One that is given such a path by a
    /// move of its directory is marked as deleted, and gets a row again when it is edited under another.
    Volume {
        /// The volume.
        volume: VolumeId,
        /// The path there, components separated by `/`; empty for its root.
        path: String,
        /// Where that is.
        at: VolumeAt,
    },
    /// A directory behind a URL. It is opened when it is needed, and made when it is a target that does not exist.
    Remote(Arc<(Address, Access)>),
}

/// Where a directory of a saved volume is: on this machine, or behind a URL together with what lets one in there.
#[derive(Clone)]
pub struct VolumeAt(At);

#[derive(Clone)]
enum At {
    /// The directory must stay beneath the root, links resolved: that is what was approved.
    Here {
        root: PathBuf,
        path: PathBuf,
    },
    There(Arc<(Address, Access)>),
}

impl VolumeAt {
    /// A path beneath a root of this machine, which is canonical.
    pub(crate) fn here(root: PathBuf, path: &str) -> Self {
        let path = if path.is_empty() { root.clone() } else { root.join(path) };
        Self(At::Here { root, path })
    }

    pub(crate) fn there(address: Address, access: Access) -> Self {
        Self(At::There(Arc::new((address, access))))
    }

    /// The directory, where it is one of this machine.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.0 {
            At::Here { path, .. } => Some(path),
            At::There(_) => None,
        }
    }

    /// The URL and what lets one in, where it is behind one.
    #[must_use]
    pub fn remote(&self) -> Option<&(Address, Access)> {
        match &self.0 {
            At::Here { .. } => None,
            At::There(at) => Some(at),
        }
    }

    /// With its links resolved.
    ///
    /// # Errors
    /// `permission` when one of them leads out of the directory that was approved; as the directory.
    pub(crate) fn canonical(self) -> Result<Self> {
        let At::Here { root, path } = self.0 else { return Ok(self) };
        let path = canonical(path)?;
        if !path.starts_with(&root) {
            return Err(Error::new(Code::Permission, "use", shown(&path))
                .because("a link leads out of the directory of its volume"));
        }
        Ok(Self(At::Here { root, path }))
    }
}

impl std::fmt::Display for VolumeAt {
    /// Without what lets one in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            At::Here { path, .. } => f.write_str(&shown(path)),
            At::There(at) => at.0.fmt(f),
        }
    }
}

impl From<(Address, Access)> for Place {
    fn from(at: (Address, Access)) -> Self {
        Self::Remote(Arc::new(at))
    }
}

impl Place {
    /// How it is shown.
    pub(crate) fn display(&self) -> String {
        match self {
            Self::Local(path) => shown(path),
            Self::Provider { provider, .. } => provider.display(),
            Self::Volume { at, .. } => at.to_string(),
            Self::Remote(at) => at.0.to_string(),
        }
    }

    /// What names it in the book, as bytes.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Local(path) => path.as_os_str().as_encoded_bytes().to_vec(),
            Self::Provider { key, .. } => key.as_bytes().to_vec(),
            Self::Volume { path, .. } => path.as_bytes().to_vec(),
            Self::Remote(at) => at.0.key(&at.1).into_bytes(),
        }
    }

    /// The volume that its key is a path on; none for a URL or a host's own provider.
    pub(super) fn volume(&self, local: Uuid) -> Option<Uuid> {
        match self {
            Self::Local(_) => Some(local),
            Self::Provider { .. } | Self::Remote(_) => None,
            Self::Volume { volume, .. } => Some(volume.0),
        }
    }

    /// The directory, where it is one of this machine.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Volume { at, .. } => at.directory(),
            Self::Provider { .. } | Self::Remote(_) => None,
        }
    }

    /// The place by its canonical path, symbolic links resolved. A last component that does not exist stays as it is.
    pub(crate) fn canonical(self) -> Result<Self> {
        match self {
            Self::Local(path) => canonical(path).map(Self::Local),
            Self::Volume { volume, path, at } => at.canonical().map(|at| Self::Volume { volume, path, at }),
            Self::Provider { .. } | Self::Remote(_) => Ok(self),
        }
    }
}

fn canonical(path: PathBuf) -> Result<PathBuf> {
    let show = shown(&path);
    let not_a_directory = || Error::new(Code::Invalid, "use", &show).because("it is not a directory");
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotADirectory => not_a_directory(),
        _ => Error::io("find the directory", &show, e),
    };
    match path.canonicalize() {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) => Err(not_a_directory()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if path.is_symlink() {
                return Err(Error::new(Code::NotFound, "use", &show).because("it is a link that leads nowhere"));
            }
            let absolute = std::path::absolute(&path).map_err(failed)?;
            let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
                return Err(failed(e));
            };
            Ok(parent.canonicalize().map_err(failed)?.join(name))
        }
        Err(e) => Err(failed(e)),
    }
}

/// Neither root may lie within the other: a run would carry what it makes. Directories of this machine are told by their
/// paths, whether they are bare or of a volume.
pub(super) fn apart(places: &Sides<Place>) -> Result<()> {
    let refuse = |reason: &str| {
        let both = format!("{} and {}", places.left.display(), places.right.display());
        Err(Error::new(Code::Invalid, "sync", both)
            .because(reason)
            .advise("name two directories apart from each other"))
    };
    let directories = (places.left.directory(), places.right.directory());
    let (is_same, is_inside, is_around) = match (directories, &places.left, &places.right) {
        ((Some(left), Some(right)), _, _) => (left == right, right.starts_with(left), left.starts_with(right)),
        ((None, None), left, right) if left.volume(Uuid::nil()) == right.volume(Uuid::nil()) => {
            let (left, right) = (left.key(), right.key());
            (left == right, lies_in(&right, &left), lies_in(&left, &right))
        }
        _ => return Ok(()),
    };
    if is_same {
        refuse("source and target are the same directory")
    } else if is_inside {
        refuse("the target lies inside the source")
    } else if is_around {
        refuse("the source lies inside the target")
    } else {
        Ok(())
    }
}

/// Whether a key names a directory beneath that of another key of the same volume, or of a URL.
fn lies_in(key: &[u8], root: &[u8]) -> bool {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    root.is_empty() || key.strip_prefix(root).is_some_and(|rest| rest.starts_with(b"/"))
}

/// Opens one end. A target that does not exist yet is made when `create` says so, and empty otherwise.
pub(crate) async fn open(place: &Place, create: bool, threads: u32) -> Result<Option<Arc<dyn Provider>>> {
    match place {
        Place::Provider { provider, .. } => Ok(Some(provider.clone())),
        Place::Local(path) => open_directory(path, create, threads),
        Place::Volume { at: VolumeAt(At::Here { path, .. }), .. } => open_directory(path, create, threads),
        Place::Volume { at: VolumeAt(At::There(at)), .. } | Place::Remote(at) => match at.0.open_root(&at.1).await? {
            None if create => at.0.make_root(&at.1).await.map(Some),
            opened => Ok(opened),
        },
    }
}

fn open_directory(path: &Path, create: bool, threads: u32) -> Result<Option<Arc<dyn Provider>>> {
    if !path.exists() {
        if !create {
            return Ok(None);
        }
        std::fs::create_dir(path).map_err(|e| Error::io("make the directory", shown(path), e))?;
    }
    Ok(Some(Arc::new(Local::open_threads(path, threads as usize)?)))
}
