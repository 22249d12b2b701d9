//! A book of each engine with a clock that can be set forward, a directory that volumes may be in, and volumes in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use portbook::model::{
    AutoPathStrategy, Driver, Json, LocalPath, QuotaReservation, StorageVolume, Stored, StoredFile, User, UserId,
    VersioningMode,
};
use portbook::operation::Clock;
use portbook::store::PostgresOptions;
use portbook::table::Filter;
use portbook::vault::KeySource;
use portbook::volume::{Content, FileFilter, FileRef, NewFile, Volume};
use portbook::{Book, BookOptions, Code, Result, Session, wait};
use serde_json::json;
use tempfile::TempDir;

use crate::server::{self, APPLICATION, Database};

pub struct World {
    pub dir: TempDir,
    pub book: Book,
    pub session: Session,
    pub clock: Arc<Ahead>,
    /// Where the book is, for other processes.
    pub at: String,
}

/// The machine's clock, set forward.
pub struct Ahead {
    start: Instant,
    seconds: AtomicI64,
}

impl Ahead {
    pub fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + chrono::Duration::seconds(self.seconds.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Tests of each claim on both engines.
macro_rules! claims {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test] fn $name() { crate::world::on_sqlite(super::$name); })*
        }
        mod postgres {
            $(#[test] fn $name() { crate::world::on_postgres(stringify!($name), super::$name); })*
        }
    };
}
pub(crate) use claims;

pub fn on_sqlite(claim: fn(&World)) {
    with_book(tempfile::tempdir().unwrap(), claim);
}

/// With a book in this directory.
pub fn with_book(dir: TempDir, claim: impl Fn(&World)) {
    let at = dir.path().join("book.db");
    claim(&World::open(dir, BookOptions::sqlite(&at), at.to_str().unwrap()));
}

pub fn on_postgres(name: &str, claim: fn(&World)) {
    let url = match server::url() {
        Ok(url) => url,
        Err(why) => {
            // Not println!, which the harness keeps to itself.
            writeln!(std::io::stdout().lock(), "SKIPPED postgres::{name}: {why}").unwrap();
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let database = runtime.block_on(Database::create(url));
    // The owner makes the book, the application uses it, under row-level security.
    let grant = PostgresOptions { application_role: Some(APPLICATION.into()), ..Default::default() };
    let made = wait(Book::open(BookOptions::postgres_with(&database.owner, grant))).unwrap();
    wait(made.shutdown());
    let at = &database.application;
    let world = World::open(tempfile::tempdir().unwrap(), BookOptions::postgres(at), at);
    claim(&world);
    wait(world.book.shutdown());
    runtime.block_on(database.drop_it());
}

impl World {
    fn open(dir: TempDir, options: BookOptions, at: &str) -> Self {
        let clock = Arc::new(Ahead { start: Instant::now(), seconds: AtomicI64::new(0) });
        let options = options.clock(clock.clone()).key(KeySource::raw(vec![7; 32].into()).unwrap());
        let book = wait(Book::open(options)).unwrap();
        let session = wait(book.default_session()).unwrap();
        std::fs::create_dir(dir.path().join("v")).unwrap();
        Self { dir, book, session, clock, at: at.to_owned() }
    }

    /// Where volumes are.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("v")
    }

    /// A row of a volume in the directory, to be changed and made.
    pub fn row(&self) -> StorageVolume {
        let paths = wait(self.session.rows::<LocalPath>().list(Filter::all(), None, 1)).unwrap().rows;
        let path = paths.into_iter().next().unwrap_or_else(|| {
            let path = LocalPath { path: self.root().to_str().unwrap().into(), description: None };
            wait(self.session.rows().create(path)).unwrap()
        });
        StorageVolume {
            name: "v".into(),
            driver: Driver::Local,
            config: Json(json!({ "local_path_id": path.id })),
            default_prefix: None,
            enforce_hierarchy: true,
            path_delimiter: "/".into(),
            use_query_params: false,
            auto_path_strategy: AutoPathStrategy::None,
            versioning_mode: VersioningMode::None,
            quota_limit: None,
            quota_used: 0,
            is_active: true,
        }
    }

    pub fn make(&self, row: StorageVolume) -> Volume {
        let made = wait(self.session.rows().create(row)).unwrap();
        wait(self.session.volume(made.row.name)).unwrap()
    }

    pub fn volume(&self) -> Volume {
        self.make(self.row())
    }

    pub fn versioned(&self, mode: VersioningMode) -> Volume {
        self.make(StorageVolume { versioning_mode: mode, ..self.row() })
    }

    /// A session of a further user of the tenant.
    pub fn another(&self, name: &str) -> (Session, UserId) {
        let user = User { email: None, display_name: name.into() };
        let user = wait(self.book.create_user(self.session.tenant(), user)).unwrap().id;
        (wait(self.book.session(self.session.tenant(), user)).unwrap(), user)
    }

    /// What the volume's row says that it holds.
    pub fn used(&self, volume: &Volume) -> i64 {
        wait(self.session.rows::<StorageVolume>().get(volume.row().id)).unwrap().row.quota_used
    }

    pub fn reservations(&self) -> Vec<Stored<QuotaReservation>> {
        wait(self.session.rows().list(Filter::all(), None, 1000)).unwrap().rows
    }

    /// Every file beneath a directory, with its content, without what is kept out of sight.
    pub fn tree(&self) -> Vec<(String, Vec<u8>)> {
        tree(&self.root(), |name| name != ".portbook")
    }

    /// … and what is kept out of sight, the trash left out.
    pub fn kept(&self) -> Vec<(String, Vec<u8>)> {
        tree(&self.root().join(".portbook/kept"), |_| true)
    }

    /// What holds whenever nobody is at work: rows and contents agree, nothing else is there, and all of it is counted.
    pub fn settled(&self, volume: &Volume) {
        assert_eq!(self.reservations(), [], "no promise is left");
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = wait(self.session.rows::<StoredFile>().list(Filter::all().with_deleted(), after, 1000)).unwrap();
            rows.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let shared = volume.row().row.auto_path_strategy == AutoPathStrategy::Hash;
        let (mut seen, mut kept) = (Vec::new(), Vec::new());
        for file in &rows {
            let content = if file.is_deleted || file.row.version_of.is_some() { &mut kept } else { &mut seen };
            content.push(file.row.digest.clone().unwrap());
        }
        if shared {
            seen.append(&mut kept);
        }
        seen.sort();
        kept.sort();
        if shared {
            seen.dedup();
        }
        let digests = |files: Vec<(String, Vec<u8>)>| {
            let mut digests: Vec<_> = files.iter().map(|(_, c)| blake3::hash(c).as_bytes().to_vec()).collect();
            digests.sort();
            digests
        };
        assert_eq!(digests(self.tree()), seen, "{:?} {rows:?}", names(self.tree()));
        assert_eq!(digests(self.kept()), kept, "{:?} {rows:?}", names(self.kept()));
        let used = self.used(volume);
        assert_eq!(used, rows.iter().map(|file| file.row.size).sum::<i64>(), "what is used is what is there");
        assert_eq!(wait(volume.recompute_quotas()).unwrap().volume, used);
    }
}

pub fn names(files: Vec<(String, Vec<u8>)>) -> Vec<String> {
    files.into_iter().map(|(name, _)| name).collect()
}

fn tree(root: &Path, wanted: fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if !wanted(&name) {
                continue;
            }
            if path.is_dir() {
                stack.push(path);
            } else {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

pub fn bytes(content: impl AsRef<[u8]>) -> Content {
    Content::Bytes(bytes::Bytes::copy_from_slice(content.as_ref()))
}

/// Puts a file of the session's user.
pub fn put(volume: &Volume, path: &str, content: &str) -> Result<Stored<StoredFile>> {
    wait(volume.put(NewFile::at(path, bytes(content))))
}

pub fn read(volume: &Volume, file: impl Into<FileRef>) -> Result<String> {
    let opened = wait(volume.get(file, 0, None))?;
    let pieces: Vec<_> = wait(opened.bytes.try_collect())?;
    Ok(String::from_utf8(pieces.concat()).unwrap())
}

/// The paths of the user's files.
pub fn listed(volume: &Volume) -> Vec<String> {
    let page = wait(volume.list(FileFilter::default(), None, 1000)).unwrap();
    page.files.iter().map(|file| volume.path_of(&file.row).unwrap()).collect()
}

pub fn code<T>(result: Result<T>) -> Code {
    result.err().expect("a refusal").code()
}

/// What is in the trash of the volumes.
pub fn trash(world: &World) -> Vec<(String, Vec<u8>)> {
    tree(&world.root().join(".portbook/trash"), |_| true)
}
