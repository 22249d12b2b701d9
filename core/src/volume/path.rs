//! From the paths of hosts to paths on the volume, and back. Pure.
//!
//! What always holds: a storage path is a [`RelPath`] of names that are not reserved, two different paths of one area
//! never have the same one, and none leaves its area (`PREFIX/users/USER/…`, `PREFIX/apps/APP/…`).
//!
//! With `enforce_hierarchy` the segments of a path become folders. Without it a path is a key: prefix, area and path are
//! one name, joined by the volume's delimiter, in which `%` and `/` are written `%25` and `%2F`, since no place holds
//! a `/` in a name.

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Id, Namespace, RelPath, StorageVolume, StoredFile, UserId, VolumeId, escaped};
use crate::provider::{KEPT_DIR, RESERVED_DIR, is_reserved};

/// The most bytes of a storage path: less than what an index entry of PostgreSQL may have (2,704).
pub(super) const MOST_BYTES: usize = 2048;

/// What stands between a content's address and the number of a further file that has this content.
const MARK: char = '#';

/// Whose part of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    User(UserId),
    App(String),
}

impl Area {
    pub(crate) fn namespace(&self) -> Namespace {
        match self {
            Self::User(_) => Namespace::Users,
            Self::App(_) => Namespace::Apps,
        }
    }

    pub(crate) fn user(&self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(*user),
            Self::App(_) => None,
        }
    }
}

/// How a volume lays out its files.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    delimiter: String,
    prefix: Vec<String>,
    hierarchy: bool,
}

impl Layout {
    /// # Errors
    /// `invalid` when the prefix cannot be the beginning of a path.
    pub(crate) fn of(volume: &StorageVolume) -> Result<Self> {
        let (delimiter, hierarchy) = (volume.path_delimiter.clone(), volume.enforce_hierarchy);
        if delimiter.is_empty() || delimiter.contains('\0') {
            return Err(refused("use the volume", &volume.name, "its path delimiter separates nothing"));
        }
        let mut layout = Self { delimiter, prefix: Vec::new(), hierarchy };
        let mut given = volume.default_prefix.as_deref().unwrap_or_default();
        // `/data/` is a common way to write it.
        while let Some(rest) = given.strip_prefix(&layout.delimiter) {
            given = rest;
        }
        while let Some(rest) = given.strip_suffix(&layout.delimiter) {
            given = rest;
        }
        if !given.is_empty() {
            layout.prefix = layout.segments(given)?;
        }
        Ok(layout)
    }

    /// The storage path of a path that a host gives.
    ///
    /// # Errors
    /// `invalid` when it cannot be held.
    pub(crate) fn place(&self, area: &Area, path: &str) -> Result<String> {
        self.checked(path, self.join(area, self.segments(path)?)?)
    }

    /// The storage path of a new file without a path.
    pub(crate) fn place_of_id(&self, area: &Area, id: Uuid) -> Result<String> {
        let name = id.to_string();
        // The end of an id is random; its beginning is the time.
        let fan = [name[32..34].to_owned(), name[34..36].to_owned()];
        self.checked(&name, self.join(area, self.fanned(fan, name.clone()))?)
    }

    /// The address of a content.
    pub(crate) fn place_of_content(&self, area: &Area, content: &ContentHash) -> Result<String> {
        let name = content.to_string();
        let fan = [name[..2].to_owned(), name[2..4].to_owned()];
        self.checked(&name, self.join(area, self.fanned(fan, name.clone()))?)
    }

    /// What every storage path of an area begins with, and of those paths within it that begin like this.
    pub(crate) fn begin(&self, area: &Area, path: &str) -> Result<String> {
        let root = self.join(area, vec![String::new()])?;
        let rest = match self.hierarchy {
            true if path.contains('/') && self.delimiter != "/" => {
                return Err(refused("list", path, "a segment has a / in it"));
            }
            true => path.replace(&self.delimiter, "/"),
            false => encoded(path),
        };
        Ok(root + &rest)
    }

    /// The path a host would give for this storage path.
    pub(crate) fn given(&self, area: &Area, storage_path: &str) -> Option<String> {
        let rest = storage_path.strip_prefix(&self.join(area, vec![String::new()]).ok()?)?;
        Some(if self.hierarchy { rest.replace('/', &self.delimiter) } else { decoded(rest) })
    }

    fn fanned(&self, fan: [String; 2], name: String) -> Vec<String> {
        if self.hierarchy { fan.into_iter().chain([name]).collect() } else { vec![name] }
    }

    fn segments(&self, path: &str) -> Result<Vec<String>> {
        if !self.hierarchy {
            return match path {
                "" => Err(refused("use the path", path, "it is empty")),
                _ => Ok(vec![path.to_owned()]),
            };
        }
        path.split(self.delimiter.as_str()).map(|segment| self.segment(path, segment)).collect()
    }

    fn segment(&self, path: &str, segment: &str) -> Result<String> {
        let why = match segment {
            "" => "a segment of it is empty",
            "." | ".." => "a segment of it names a folder above or itself",
            _ if segment.contains('/') => "a segment of it has a / in it",
            _ if segment.contains('\0') => "it has the character 0 in it",
            _ if is_reserved(segment.as_bytes()) => "a segment of it is a reserved name",
            _ => return Ok(segment.to_owned()),
        };
        Err(refused("use the path", path, why))
    }

    fn join(&self, area: &Area, path: Vec<String>) -> Result<String> {
        let owner = match area {
            Area::User(user) => user.to_string(),
            // Where its name ends in a key must be plain, also where a delimiter of two characters overlaps with itself.
            Area::App(app) if !self.hierarchy && app.contains(|c| self.delimiter.contains(c)) => {
                return Err(refused("use the app", app, "it has the volume's path delimiter in it"));
            }
            Area::App(app) => self.segment(app, app)?,
        };
        let parts = self.prefix.iter().cloned().chain([area.namespace().as_str().to_owned(), owner]).chain(path);
        let parts: Vec<String> = parts.collect();
        Ok(if self.hierarchy { parts.join("/") } else { encoded(&parts.join(&self.delimiter)) })
    }

    fn checked(&self, path: &str, storage_path: String) -> Result<String> {
        if storage_path.len() > MOST_BYTES {
            return Err(refused("use the path", path, "it is too long"));
        }
        match RelPath::parse(storage_path.as_bytes()) {
            Some(whole) if !whole.components().any(is_reserved) => Ok(storage_path),
            Some(_) => Err(refused("use the path", path, "a segment of it is a reserved name")),
            None => Err(refused("use the path", path, "no place can hold it")),
        }
    }
}

fn encoded(key: &str) -> String {
    key.replace('%', "%25").replace('/', "%2F")
}

fn decoded(key: &str) -> String {
    key.replace("%2F", "/").replace("%25", "%")
}

fn refused(action: &'static str, subject: &str, why: &'static str) -> Error {
    let shown: String = subject.chars().take(80).collect();
    Error::new(Code::Invalid, action, escaped(shown.as_bytes())).because(why)
}

/// Where files of a volume that are out of sight wait. Volumes may share a root.
pub(crate) fn kept_of(volume: VolumeId) -> String {
    format!("{}/{volume}", [RESERVED_DIR, KEPT_DIR].map(String::from_utf8_lossy).join("/"))
}

/// Where one of them does.
pub(crate) fn kept(volume: VolumeId, id: Id<StoredFile>) -> String {
    let name = id.0.to_string();
    // The end of an id is random; its beginning is the time.
    format!("{}/{}/{name}", kept_of(volume), &name[34..36])
}

/// Whether a file shares its content by the content's address, and that address.
pub(crate) fn address<'a>(storage_path: &'a str, digest: Option<&[u8]>) -> Option<&'a str> {
    let digest: [u8; 32] = digest?.try_into().ok()?;
    let hex = ContentHash(digest).to_string();
    let address = match storage_path.rsplit_once(MARK) {
        Some((address, id)) if id.len() == 32 && Uuid::try_parse(id).is_ok() => address,
        Some(_) | None => storage_path,
    };
    address.ends_with(&hex).then_some(address)
}

/// The storage path of a further file of a content.
pub(crate) fn sharing(address: &str, id: Id<StoredFile>) -> String {
    format!("{address}{MARK}{}", id.0.simple())
}

/// The storage paths from the first, included, to the second, excluded, are those of files that share an address, its
/// own left out.
pub(crate) fn sharers(address: &str) -> (String, String) {
    (format!("{address}{MARK}"), format!("{address}{}", char::from(MARK as u8 + 1)))
}

/// The path on the place. The book holds none that this refuses, unless a host wrote it there.
///
/// # Errors
/// `corrupt`.
pub(crate) fn on_place(storage_path: &str) -> Result<RelPath> {
    RelPath::parse(storage_path.as_bytes()).filter(|path| !path.is_root()).ok_or_else(|| {
        Error::new(Code::Corrupt, "find the file", escaped(storage_path.as_bytes()))
            .because("it is no path of a volume")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{AutoPathStrategy, Driver, Json, VersioningMode};

    fn layout(delimiter: &str, prefix: Option<&str>, hierarchy: bool) -> Result<Layout> {
        Layout::of(&StorageVolume {
            name: "v".into(),
            driver: Driver::Local,
            config: Json::default(),
            default_prefix: prefix.map(Into::into),
            enforce_hierarchy: hierarchy,
            path_delimiter: delimiter.into(),
            use_query_params: false,
            auto_path_strategy: AutoPathStrategy::None,
            versioning_mode: VersioningMode::None,
            quota_limit: None,
            quota_used: 0,
            is_active: true,
        })
    }

    fn user() -> Area {
        Area::User(UserId::new(Uuid::from_u128(7)))
    }

    const USER: &str = "users/00000000-0000-0000-0000-000000000007";

    #[test]
    fn segments_become_folders_or_one_key() {
        let place = |delimiter, prefix, hierarchy, path: &str| {
            layout(delimiter, prefix, hierarchy).unwrap().place(&user(), path).unwrap()
        };
        assert_eq!(place("/", None, true, "a/b.txt"), format!("{USER}/a/b.txt"));
        assert_eq!(place("::", Some("data::in"), true, "a::b"), format!("data/in/{USER}/a/b"));
        assert_eq!(place("/", Some("/data/"), true, "a"), format!("data/{USER}/a"));
        let flat = USER.replace('/', "%2F");
        assert_eq!(place("/", None, false, "a//b%"), format!("{flat}%2Fa%2F%2Fb%25"));
        let flat = USER.replace('/', ":");
        assert_eq!(place(":", Some("p"), false, "../x"), format!("p:{flat}:..%2Fx"));
    }

    #[test]
    fn what_could_leave_or_collide_is_refused() {
        let refused = |delimiter, path: &str| {
            let error = layout(delimiter, None, true).unwrap().place(&user(), path).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{path}");
        };
        let long = "x".repeat(5000);
        for path in ["", "/a", "a/", "a//b", ".", "a/../b", "..", "a\0b", ".portbook/x", "a/.portbook-tmp-1", &long] {
            refused("/", path);
        }
        for path in ["a/b", "a:../../b", "a::b", ":"] {
            refused(":", path);
        }
        assert!(layout("/", Some("../up"), true).is_err());
        assert!(layout("/", Some(".portbook"), true).is_err());
        for app in ["..", "a/b", "", ".portbook", "a\0"] {
            assert!(layout("/", None, true).unwrap().place(&Area::App(app.into()), "x").is_err(), "{app:?}");
        }
        assert!(layout("::", None, false).unwrap().place(&Area::App("a:".into()), "x").is_err());
        assert!(layout("/", Some(".portbook-tmp-x"), false).unwrap().place(&user(), "x").is_err(), "a reserved key");
    }

    #[test]
    fn a_shared_content_is_known_by_its_address() {
        let content = ContentHash::of(b"x");
        let layout = layout("/", None, true).unwrap();
        let place = layout.place_of_content(&user(), &content).unwrap();
        let id = Id::new(Uuid::from_u128(9));
        let second = sharing(&place, id);
        assert_eq!(address(&second, Some(&content.0)), Some(place.as_str()));
        assert_eq!(address(&place, Some(&content.0)), Some(place.as_str()));
        assert_eq!(address(&place, Some(&ContentHash::of(b"y").0)), None);
        assert_eq!(address("users/a#b", Some(&content.0)), None);
        let (from, to) = sharers(&place);
        assert!(from <= second && second < to && place < from);
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_area_and_every_path_comes_back(
            delimiter in "[/:|#%.a]{1,3}", prefix in proptest::option::of("[a-c/:.%]{0,6}"), hierarchy: bool,
            path in prop_oneof!["[ab./:|#%\\\\]{0,12}", "\\PC{0,20}", "(\\.\\.|a|/|:|\\.portbook){0,6}"], other in "[ab./:|#%]{0,6}",
        ) {
            let Ok(layout) = layout(&delimiter, prefix.as_deref(), hierarchy) else { return Ok(()) };
            for area in [user(), Area::App("chat".into())] {
                let Ok(begin) = layout.begin(&area, "") else { continue };
                let Ok(stored) = layout.place(&area, &path) else { continue };
                let whole = RelPath::parse(stored.as_bytes()).unwrap();
                prop_assert!(stored.len() > begin.len() && stored.starts_with(&begin), "{stored}");
                prop_assert!(!whole.components().any(is_reserved));
                prop_assert!(hierarchy || whole.depth() == 1);
                let back = layout.given(&area, &stored);
                prop_assert_eq!(back.as_deref(), Some(path.as_str()));
                if let Ok(another) = layout.place(&area, &other) {
                    prop_assert_eq!(another == stored, other == path);
                }
            }
        }
    }
}
