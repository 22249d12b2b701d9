//! The real engine over simulated disks: two roots on a disk that can crash, a book in a file, one clock for both.

#![allow(dead_code, reason = "each test takes what it needs")]

pub mod frozen;
pub mod lens;
pub mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use chrono::{DateTime, Utc};
use portbook::conduit::{ApplyOptions, Conduit, ConduitOptions, MaxDelete, Place, PreviewOptions};
use portbook::identity::ContentHash;
use portbook::ledger::Ledger;
use portbook::model::{ConflictPolicy, Kind, Pair, PairId, Side, SyncMode, TenantId};
use portbook::operation::{Clock, RunReport};
use portbook::provider::local::{Disk as _, Local, Parts};
use portbook::provider::simulation::{FaultDisk, ModelDisk, ModelOptions, Switch};
use portbook::store::{SqliteOptions, SqliteStore, Statement, Value};
use portbook::{Book, BookOptions, Result, Session};
use tempfile::TempDir;

use frozen::Frozen;
use lens::{Lens, View};
use tree::{Items, Tree, contents, leftovers, visible};

pub const LEFT: &str = "/left";
pub const RIGHT: &str = "/right";
const SECOND: u64 = 1_000_000_000;

/// The disk's clock, as the engine's: right, or as far off as the world says.
struct DiskClock(ModelDisk, Arc<AtomicI64>);

impl Clock for DiskClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0.now_ns() as i64 + self.1.load(SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.now_ns())
    }
}

/// A disk with two roots, and a book.
pub struct World {
    pub disk: ModelDisk,
    /// How far the engine's time of day is ahead of the disk's.
    pub ahead_ns: Arc<AtomicI64>,
    /// How the engine reads the times of either side.
    pub views: [Arc<View>; 2],
    /// How large files are cut.
    pub parts: Parts,
    dir: TempDir,
}

/// A directory in memory, where there is one: what is tested here is not the book's file.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

impl World {
    pub fn new(options: ModelOptions) -> Self {
        let disk = ModelDisk::new(options);
        // The dates are those of today, as in a report.
        disk.advance(Utc::now().timestamp_nanos_opt().unwrap() as u64 - disk.now_ns());
        let root = disk.open_root(Path::new("/")).unwrap();
        for name in [&b"left"[..], b"right"] {
            disk.make_dir(&root, name, 0o755).unwrap();
        }
        // Only the right side folds and refuses names: on the left there is something to fold and to refuse.
        disk.widen(LEFT.as_bytes()).unwrap();
        let world = Self {
            disk,
            ahead_ns: Arc::default(),
            views: Default::default(),
            parts: Parts::default(),
            dir: temporary(),
        };
        world.settle();
        world
    }

    pub fn book(&self) -> PathBuf {
        self.dir.path().join("book")
    }

    pub fn left(&self) -> Tree<'_, ModelDisk> {
        Tree::at(&self.disk, LEFT)
    }

    pub fn right(&self) -> Tree<'_, ModelDisk> {
        Tree::at(&self.disk, RIGHT)
    }

    /// What was edited is durable, and some time ago.
    pub fn settle(&self) {
        self.disk.settle();
        self.disk.advance(10 * SECOND);
    }

    /// The same world once more. Everything must be durable and no engine open.
    pub fn twin(&self) -> Self {
        assert!(self.disk.is_clean(), "a twin is made of what is durable");
        self.after_crash(0)
    }

    /// The world after a power loss, or (every fourth seed) after the death of the process alone.
    pub fn after_crash(&self, seed: u64) -> Self {
        if seed % 4 == 3 {
            self.disk.settle();
        }
        let twin = Self {
            disk: self.disk.crash(seed),
            ahead_ns: Arc::new(self.ahead_ns.load(SeqCst).into()),
            views: self.views.each_ref().map(|view| Arc::new(View::clone(view))),
            parts: self.parts,
            dir: temporary(),
        };
        for file in std::fs::read_dir(self.dir.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), twin.dir.path().join(file.file_name())).unwrap();
        }
        twin
    }

    pub fn engine(&self) -> Engine {
        self.engine_with(Arc::default())
    }

    /// An engine with this world's book on the roots of another disk.
    pub fn engine_on(&self, disk: &ModelDisk) -> Engine {
        self.open(disk, Arc::default(), None)
    }

    /// … of another machine, which has a clock of its own.
    pub fn engine_elsewhere(&self, disk: &ModelDisk, machine: &str) -> Engine {
        self.open(disk, Arc::default(), Some(machine))
    }

    /// An engine that dies by this switch.
    pub fn engine_with(&self, switch: Arc<Switch>) -> Engine {
        self.open(&self.disk, switch, None)
    }

    fn open(&self, disk: &ModelDisk, switch: Arc<Switch>, machine: Option<&str>) -> Engine {
        let store = SqliteStore::open(self.book(), SqliteOptions::default()).unwrap();
        let store = Arc::new(Frozen::new(Arc::new(store), switch.clone()));
        let clock = DiskClock(disk.clone(), Arc::clone(&self.ahead_ns));
        let mut options = BookOptions::store(store.clone()).clock(Arc::new(clock));
        if let Some(machine) = machine {
            options = options.machine(machine);
        }
        let book = portbook::wait(Book::open(options)).unwrap();
        let disk = FaultDisk::with_switch(disk.clone(), switch);
        Engine { book, store, disk, views: self.views.clone(), parts: self.parts }
    }

    /// Opens an engine, syncs once, and ends it.
    pub fn sync(&self, options: &ConduitOptions) -> Result<RunReport> {
        let engine = self.engine();
        let report = engine.sync(options);
        engine.end();
        report
    }

    /// Both trees with everything in them.
    pub fn trees(&self) -> [Items; 2] {
        [self.left().all(), self.right().all()]
    }

    /// Syncs until both sides are in step and a run has nothing to do.
    pub fn converge(&self, options: &ConduitOptions) -> std::result::Result<usize, String> {
        for run in 1..=3 {
            let engine = self.engine();
            let before = engine.effects_on_disk();
            let report = engine.sync(options);
            let effects = engine.effects_on_disk() - before;
            engine.end();
            let report = report.map_err(|e| format!("run {run} after it: {e}"))?;
            let quiet = report.counts.is_quiet() && report.bytes == 0;
            // A run that finds nothing to do may still have had to tidy up.
            if quiet && (effects == 0 || run > 2) {
                return if effects == 0 { Ok(run) } else { Err(format!("quiet run {run} has {effects} effects")) };
            }
            if !report.is_in_step() {
                return Err(format!("run {run} after it is not in step: {report:?}"));
            }
            self.disk.advance(10 * SECOND);
        }
        Err("the third run still has something to do".into())
    }
}

/// The engine opened on a world.
pub struct Engine {
    pub book: Book,
    pub store: Arc<Frozen>,
    pub disk: FaultDisk<ModelDisk>,
    views: [Arc<View>; 2],
    pub parts: Parts,
}

impl Engine {
    pub fn session(&self) -> Result<Session> {
        portbook::wait(self.book.default_session())
    }

    pub fn places(&self) -> Result<(Place, Place)> {
        let open = |key: &str, view: &Arc<View>| {
            let disk = Lens { inner: self.disk.clone(), view: Arc::clone(view) };
            let provider = Arc::new(Local::open_parts(Arc::new(disk), Path::new(key), self.parts)?);
            Ok(Place::Provider { key: key.to_owned(), provider })
        };
        Ok((open(LEFT, &self.views[0])?, open(RIGHT, &self.views[1])?))
    }

    pub fn connect(&self, options: &ConduitOptions) -> Result<Conduit> {
        let (left, right) = self.places()?;
        portbook::wait(self.session()?.connect(left, right, options.clone()))
    }

    pub fn sync(&self, options: &ConduitOptions) -> Result<RunReport> {
        let conduit = self.connect(options)?;
        portbook::wait(conduit.sync(PreviewOptions::default(), confirmed()).finish())
    }

    pub fn effects_on_disk(&self) -> u64 {
        self.store.switch.effects() - self.store.writes.load(SeqCst)
    }

    /// Ends the engine as a process ends: the book's file is closed, whatever the switch says.
    pub fn end(self) {
        portbook::wait(self.store.inner.shutdown());
    }

    /// Every row of the ledger by path.
    pub fn ledger(&self) -> BTreeMap<String, Pair> {
        let tenant = self.session().unwrap().tenant();
        let rows = self.query(tenant, "SELECT id FROM sync_conduit");
        let mut pairs = BTreeMap::new();
        let Some(row) = rows.first() else { return pairs };
        let ledger = Ledger::new(self.store.inner.clone(), tenant, row.int(0).unwrap());
        let mut dirs = vec![(PairId::ROOT, String::new())];
        while let Some((dir, path)) = dirs.pop() {
            for pair in portbook::wait(ledger.children(&[dir])).unwrap().remove(0) {
                let name = String::from_utf8(pair.name.as_bytes().to_vec()).unwrap();
                let at = if path.is_empty() { name } else { format!("{path}/{name}") };
                if pair.kind == Kind::Dir {
                    dirs.push((pair.id, at.clone()));
                }
                pairs.insert(at, pair);
            }
        }
        pairs
    }

    /// Rows whose directory is not in the ledger.
    pub fn orphans(&self) -> Vec<String> {
        let tenant = self.session().unwrap().tenant();
        let sql = "SELECT name FROM file_pair p WHERE parent_id <> 0 AND NOT EXISTS \
                   (SELECT 1 FROM file_pair d WHERE d.conduit_id = p.conduit_id AND d.id = p.parent_id AND d.kind = 2)";
        let rows = self.query(tenant, sql);
        rows.iter().map(|r| r.blob(0).unwrap().escape_ascii().to_string()).collect()
    }

    fn query(&self, tenant: TenantId, sql: &'static str) -> portbook::store::Rows {
        portbook::wait(self.store.inner.query(tenant, Statement::new(sql, Vec::<Value>::new()))).unwrap()
    }

    /// Intents that no run has removed.
    pub fn open_intents(&self) -> usize {
        let tenant = self.session().unwrap().tenant();
        self.query(tenant, "SELECT id FROM file_intent").len()
    }

    /// Of each run: items in all, done, failed.
    pub fn progress(&self) -> Vec<(i64, i64, i64)> {
        let tenant = self.session().unwrap().tenant();
        let sql = "SELECT total_items, processed_count, failed_count FROM sync_progress ORDER BY sync_id";
        let rows = self.query(tenant, sql);
        rows.iter().map(|row| (row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap())).collect()
    }

    /// Large transfers that wait for a run which continues them: the bytes that are safe of each.
    pub fn transfers(&self) -> Vec<i64> {
        let tenant = self.session().unwrap().tenant();
        let rows = self.query(tenant, "SELECT offset_bytes FROM transfer_session ORDER BY id");
        rows.iter().map(|row| row.int(0).unwrap()).collect()
    }
}

/// Every guard that looks at how much changes: the trees here are small.
pub fn confirmed() -> ApplyOptions {
    let names =
        ["root_emptied", "max_delete", "max_overwrite", "max_shrink", "filter_and_deletes", "exact_without_ledger"];
    ApplyOptions { confirm: names.map(String::from).to_vec(), ..ApplyOptions::default() }
}

pub fn options(mode: SyncMode, conflict: Option<ConflictPolicy>) -> ConduitOptions {
    ConduitOptions { mode, conflict, max_delete: Some(MaxDelete::Percent(100)), ..ConduitOptions::default() }
}

/// Stamps in the names of conflict copies differ from run to run, and so do the numbers of aliases whose plain form was
/// in use at the time.
pub fn without_stamps(items: &Items) -> Items {
    let plain = |path: &str| {
        path.split('/')
            .map(|part| match part.find(" (conflict ") {
                Some(at) => {
                    let side = part[at + 11..].split(' ').next().unwrap_or_default();
                    let end = part[at..].find(')').map_or(part.len(), |end| at + end);
                    format!("{} (conflict {side}{}", &part[..at], &part[end..])
                }
                None => without_number(part),
            })
            .collect::<Vec<_>>()
            .join("/")
    };
    items.iter().map(|(path, item)| (plain(path), item.clone())).collect()
}

/// `stem~1a2b3c4d-2.ext` without its number.
fn without_number(name: &str) -> String {
    let is_digest = |text: &str| text.len() >= 8 && text.bytes().take(8).all(|b| b.is_ascii_hexdigit());
    let Some(at) = name.rfind('~').filter(|at| is_digest(&name[at + 1..])) else { return name.to_owned() };
    let (head, tail) = name.split_at(at + 9);
    let number = tail.strip_prefix('-').map_or("", |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    format!("{head}{}", if tail.starts_with('-') { number } else { tail })
}

/// Where two trees differ, in words.
pub fn differences(what: &str, left: &Items, right: &Items) -> Vec<String> {
    let mut out = Vec::new();
    for (path, item) in left {
        match right.get(path) {
            Some(other) if other == item => {}
            Some(other) => out.push(format!("{what}: {path}: {item:?} and {other:?}")),
            None => out.push(format!("{what}: {path}: {item:?} and nothing")),
        }
    }
    out.extend(
        right.iter().filter(|(p, _)| !left.contains_key(*p)).map(|(p, i)| format!("{what}: {p}: nothing and {i:?}")),
    );
    out
}

/// What must hold of a world in which nothing is under way.
pub fn at_rest(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let trees = world.trees();
    for (side, tree) in ["left", "right"].into_iter().zip(&trees) {
        wrong.extend(leftovers(tree).into_iter().map(|path| format!("left over on the {side}: {path}")));
    }
    let engine = world.engine();
    match engine.open_intents() {
        0 => {}
        n => wrong.push(format!("{n} intents are open")),
    }
    wrong.extend(engine.transfers().into_iter().map(|at| format!("a transfer is open at {at}")));
    wrong.extend(engine.orphans().into_iter().map(|name| format!("the row of {name} hangs nowhere")));
    let ledger = engine.ledger();
    // A file against a directory that nobody may touch waits for a person, and is not looked into until then.
    let clash = |path: &str| match trees.each_ref().map(|tree| tree.get(path).map(|item| item.kind)) {
        [Some(left), Some(right)] => left != right,
        _ => false,
    };
    for (path, pair) in &ledger {
        if path.match_indices('/').any(|(end, _)| clash(&path[..end])) {
            continue;
        }
        let is_aliased = Side::BOTH.iter().any(|side| called(&ledger, path, *side) != *path);
        for (side, tree) in [Side::Left, Side::Right].into_iter().zip(&trees) {
            match tree.get(&called(&ledger, path, side)) {
                // A mirror's directory that is gone at the source stays while it holds what is not from there.
                None if pair.kind == Kind::Dir && side == Side::Left => {}
                None => wrong.push(format!("the ledger has {path}, the {side:?} has not")),
                Some(_) if trees[0].get(path).map(|i| i.kind) != trees[1].get(path).map(|i| i.kind) && !is_aliased => {}
                Some(item) if item.kind != pair.kind => wrong.push(format!("{path} is another kind on the {side:?}")),
                Some(item) if pair.content.is_some_and(|c| c != ContentHash::of(&item.content)) => {
                    wrong.push(format!("{path} has other content on the {side:?} than the ledger says: {item:?}"));
                }
                Some(_) => {}
            }
        }
    }
    let [left, right] = trees.each_ref().map(visible);
    // Different items of one name that nobody may touch wait for a person.
    let equal = |path: &&String| {
        right.get(*path).is_some_and(|item| item.content == left[*path].content && item.kind == left[*path].kind)
    };
    let missing = left.keys().filter(equal).filter(|path| !ledger.contains_key(*path));
    wrong.extend(missing.map(|path| format!("{path} is on both sides and not in the ledger")));
    engine.end();
    wrong
}

/// Where that side has what the ledger has at this path.
pub fn called(ledger: &BTreeMap<String, Pair>, path: &str, side: Side) -> String {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    let names = ends.map(|end| {
        let name = ledger.get(&path[..end]).map(|pair| pair.name_on(side).to_string());
        name.unwrap_or_else(|| path[..end].rsplit('/').next().unwrap_or_default().to_owned())
    });
    names.collect::<Vec<_>>().join("/")
}

/// Contents of `before` that `after` has nowhere any more and that no agreed state had.
pub fn lost(agreed: &[Items; 2], before: &[Items; 2], after: &[Items; 2]) -> Vec<String> {
    let (agreed, after) = (contents(agreed), contents(after));
    let heads = contents(before);
    let gone = heads.iter().filter(|c| !agreed.contains(*c) && !after.contains(*c));
    gone.map(|c| format!("lost: `{}` of {} bytes", c[..c.len().min(40)].escape_ascii(), c.len())).collect()
}
