//! Conduits that end on a volume: rows of `files` stand wherever the volume has what a run carried, and nowhere else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
use portbook::model::{Json, Namespace, StorageVolume, Stored, StoredFile, SyncMode, User, UserId, UserQuota};
use portbook::operation::RunReport;
use portbook::table::Filter;
use portbook::volume::Volume;
use portbook::{Session, wait};
use serde_json::json;

use crate::world::{World, claims, put, read};

claims! {
    what_a_mirror_carries_has_rows
    what_a_host_said_of_a_file_stays
    both_sides_are_edited
    what_moves_takes_its_rows_along
    what_changes_places_keeps_its_rows
    what_was_there_already_gets_rows
    a_volume_that_is_read_has_rows
    both_sides_are_of_volumes
    rows_without_files_are_in_nobodys_way
    what_no_row_can_name_has_none
    a_put_and_a_run_meet_at_one_path
}

/// A directory of this machine and one of a volume.
pub struct Ground<'a> {
    pub world: &'a World,
    pub volume: Volume,
    pub here: PathBuf,
    /// Where the volume has the place.
    pub there: PathBuf,
    /// From the root of the volume.
    pub prefix: String,
}

impl<'a> Ground<'a> {
    /// On a volume with a prefix; `place` is the path on it.
    pub fn new(world: &'a World, row: StorageVolume, place: &str) -> Self {
        let prefix = [row.default_prefix.as_deref().unwrap_or_default(), place].join("/");
        let prefix = prefix.trim_matches('/').to_owned();
        let volume = world.make(row);
        let (here, there) = (world.dir.path().join("here"), world.root().join(&prefix));
        std::fs::create_dir_all(&here).unwrap();
        std::fs::create_dir_all(&there).unwrap();
        Self { world, volume, here, there, prefix }
    }

    pub fn plain(world: &'a World) -> Self {
        Self::new(world, StorageVolume { default_prefix: Some("data".into()), ..world.row() }, "photos")
    }

    pub fn place(&self) -> Place {
        let prefix = self.volume.row().row.default_prefix.clone().unwrap_or_default();
        let path = self.prefix.strip_prefix(&prefix).unwrap();
        wait(self.world.session.place(&self.volume.row().row.name, path)).unwrap()
    }

    /// From here to the volume.
    pub fn sync(&self, mode: SyncMode) -> RunReport {
        let report = run(&self.world.session, Place::Local(self.here.clone()), self.place(), mode);
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        report
    }

    pub fn mirror(&self) -> RunReport {
        self.sync(SyncMode::Mirror)
    }

    pub fn both(&self) -> RunReport {
        self.sync(SyncMode::Bidirectional)
    }

    /// The live rows beneath the place, by their paths there.
    pub fn rows(&self) -> BTreeMap<String, Stored<StoredFile>> {
        let begin = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let live = all_rows(self.world, &self.volume).into_iter();
        let live = live.filter(|file| !file.is_deleted && file.row.version_of.is_none());
        live.filter_map(|file| Some((file.row.storage_path.strip_prefix(&begin)?.to_owned(), file.clone()))).collect()
    }

    /// Rows and files are the same, and everything counts once.
    pub fn agrees(&self) {
        let rows = self.rows().into_iter().map(|(path, file)| (path, file.row.size, file.row.digest.unwrap()));
        let files = tree(&self.there).into_iter();
        let files =
            files.map(|(path, content)| (path, content.len() as i64, blake3::hash(&content).as_bytes().to_vec()));
        assert_eq!(rows.collect::<Vec<_>>(), files.collect::<Vec<_>>());
        counted(self.world, &self.volume);
    }
}

pub fn run(session: &Session, source: Place, target: Place, mode: SyncMode) -> RunReport {
    try_run(session, source, target, mode).unwrap()
}

pub fn try_run(session: &Session, source: Place, target: Place, mode: SyncMode) -> portbook::Result<RunReport> {
    let options =
        ConduitOptions { mode, max_delete: Some(portbook::conduit::MaxDelete::Percent(100)), ..Default::default() };
    let conduit = wait(session.connect(source, target, options))?;
    let confirm = ["root_emptied", "max_overwrite", "max_shrink"].map(str::to_owned).to_vec();
    wait(conduit.sync(PreviewOptions::default(), ApplyOptions { confirm, ..ApplyOptions::default() }).finish())
}

/// The user that a book has from the start.
pub fn me(world: &World) -> UserId {
    wait(world.session.rows::<User>().list(Filter::all(), None, 1)).unwrap().rows[0].id
}

pub fn all_rows(world: &World, volume: &Volume) -> Vec<Stored<StoredFile>> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let filter = Filter::all().equal("volume_id", &volume.row().id).with_deleted();
        let page = wait(world.session.rows::<StoredFile>().list(filter, after, 1000)).unwrap();
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// What counts is what the rows say, nothing is promised any more, and a new count changes nothing.
pub fn counted(world: &World, volume: &Volume) {
    assert_eq!(world.reservations(), [], "no promise is left");
    let rows = all_rows(world, volume);
    let used = world.used(volume);
    assert_eq!(used, rows.iter().map(|file| file.row.size).sum::<i64>());
    let quotas = || wait(world.session.rows::<UserQuota>().list(Filter::all(), None, 1000)).unwrap().rows;
    let before: Vec<_> = quotas().into_iter().map(|quota| quota.row).collect();
    assert_eq!(wait(volume.recompute_quotas()).unwrap().volume, used);
    assert_eq!(quotas().into_iter().map(|quota| quota.row).collect::<Vec<_>>(), before);
}

/// Every file beneath a directory with its content, in the order of paths; what is reserved and what is no file left out.
pub fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if entry.file_name() == ".portbook" || path.to_str().is_none() {
                continue;
            }
            assert!(!entry.file_name().to_str().unwrap().starts_with(".portbook-tmp"), "{path:?}");
            if kind.is_dir() {
                stack.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found.into_iter().collect()
}

/// Writes files, their directories as needed.
pub fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn rename(root: &Path, from: &str, to: &str) {
    std::fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
    std::fs::rename(root.join(from), root.join(to)).unwrap();
}

fn what_a_mirror_carries_has_rows(world: &World) {
    let ground = Ground::plain(world);
    wait(world.session.rows().create(UserQuota {
        user_id: me(world),
        volume_id: ground.volume.row().id,
        quota_limit: Some(1 << 20),
        quota_used: 0,
    }))
    .unwrap();
    write(&ground.here, &[("a.txt", "one"), ("d/b.png", "two"), ("d/e/empty", ""), ("x/\u{fc} %.json", "{}")]);
    std::os::unix::fs::symlink("a.txt", ground.here.join("link")).unwrap();
    let many: Vec<(String, String)> = (0..700).map(|n| (format!("many/{n}"), format!("{n:05}"))).collect();
    write(&ground.here, &many.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect::<Vec<_>>());
    ground.mirror();
    ground.agrees();
    assert_eq!(world.used(&ground.volume), 8 + 700 * 5);
    let rows = ground.rows();
    let (a, b) = (&rows["a.txt"].row, &rows["d/b.png"].row);
    assert_eq!((a.storage_path.as_str(), a.filename.as_str()), ("data/photos/a.txt", "a.txt"));
    assert_eq!((a.mime_type.as_deref(), b.mime_type.as_deref()), (Some("text/plain"), Some("image/png")));
    assert_eq!((a.user_id, a.namespace, &a.app_id), (Some(me(world)), Namespace::Users, &None));
    assert_eq!((a.version_no, a.is_public, &a.metadata), (1, false, &Json(json!({}))));
    assert_eq!(read(&ground.volume, rows["a.txt"].id).unwrap(), "one", "a host reads it by its row");

    // A quiet run leaves the rows as they are.
    assert!(ground.mirror().counts.is_quiet());
    assert_eq!(ground.rows(), rows);

    write(&ground.here, &[("a.txt", "another one"), ("d/new", "new"), ("many/7", "")]);
    std::fs::remove_dir_all(ground.here.join("x")).unwrap();
    (100..400).for_each(|n| std::fs::remove_file(ground.here.join(format!("many/{n}"))).unwrap());
    ground.mirror();
    ground.agrees();
    let now = ground.rows();
    assert_eq!((now["a.txt"].id, now["a.txt"].row.version_no), (rows["a.txt"].id, 1), "the same file");
    assert!(now["a.txt"].updated_at > rows["a.txt"].updated_at);
    assert_eq!(now["d/b.png"], rows["d/b.png"]);
    // A link and a directory come in the place of files, and a file in the place of a link.
    std::fs::remove_file(ground.here.join("a.txt")).unwrap();
    std::os::unix::fs::symlink("elsewhere", ground.here.join("a.txt")).unwrap();
    std::fs::remove_file(ground.here.join("link")).unwrap();
    std::fs::remove_file(ground.here.join("d/new")).unwrap();
    write(&ground.here, &[("link", "a file by now"), ("d/new/below", "a directory by now")]);
    ground.mirror();
    ground.agrees();
    std::fs::remove_dir_all(ground.here.join("many")).unwrap();
    std::fs::remove_dir_all(ground.here.join("d")).unwrap();
    ground.mirror();
    ground.agrees();
    assert_eq!(ground.rows().into_keys().collect::<Vec<_>>(), ["link"]);
}

fn what_a_host_said_of_a_file_stays(world: &World) {
    let ground = Ground::plain(world);
    let (other, user) = world.another("other");
    write(&ground.here, &[("a", "one"), ("b", "two")]);
    ground.mirror();
    let file = ground.rows().remove("a").unwrap();
    let said = StoredFile {
        metadata: Json(json!({ "project": "Alpha" })),
        is_public: true,
        app_id: Some("chat".into()),
        ..file.row.clone()
    };
    wait(world.session.rows().update(Stored { row: said, ..file.clone() })).unwrap();
    // Another user's run changes what is there, not whose it is.
    write(&ground.here, &[("a", "longer than before"), ("c.txt", "new")]);
    run(&other, Place::Local(ground.here.clone()), ground.place(), SyncMode::Mirror);
    ground.agrees();
    rename(&ground.here, "a", "d/a.txt");
    ground.mirror();
    ground.agrees();
    let rows = ground.rows();
    let a = &rows["d/a.txt"];
    assert_eq!((a.id, a.row.is_public, a.row.app_id.as_deref()), (file.id, true, Some("chat")));
    assert_eq!((&a.row.metadata, a.row.user_id), (&Json(json!({ "project": "Alpha" })), Some(me(world))));
    assert_eq!((a.row.filename.as_str(), a.row.mime_type.as_deref()), ("a.txt", Some("text/plain")));
    assert_eq!(rows["c.txt"].row.user_id, Some(user));
}

fn both_sides_are_edited(world: &World) {
    let ground = Ground::plain(world);
    write(&ground.here, &[("d/a", "1"), ("d/b", "22"), ("c", "333"), ("gone here", "4"), ("gone there", "5")]);
    write(&ground.there, &[("only there", "found on the volume")]);
    ground.both();
    ground.agrees();
    let before = ground.rows();
    write(&ground.here, &[("d/a", "edited here"), ("new here", "x")]);
    write(&ground.there, &[("d/b", "edited there"), ("new there", "yy")]);
    std::fs::remove_file(ground.here.join("gone here")).unwrap();
    std::fs::remove_file(ground.there.join("gone there")).unwrap();
    ground.both();
    ground.agrees();
    let now = ground.rows();
    assert_eq!(now.keys().collect::<Vec<_>>(), ["c", "d/a", "d/b", "new here", "new there", "only there"]);
    assert!(["d/a", "d/b", "c"].iter().all(|path| now[*path].id == before[*path].id));
    // A conflict: both are kept.
    write(&ground.here, &[("c", "mine")]);
    write(&ground.there, &[("c", "theirs!")]);
    ground.both();
    ground.agrees();
    assert_eq!(ground.rows().len(), 7);
    // Both sides have come to the same by themselves.
    for root in [&ground.here, &ground.there] {
        write(root, &[("c", "the same"), ("equal", "equal")]);
        std::fs::remove_file(root.join("d/a")).unwrap();
    }
    ground.both();
    ground.agrees();
}

fn what_moves_takes_its_rows_along(world: &World) {
    let ground = Ground::plain(world);
    let files: Vec<String> = (0..20).map(|n| format!("d/{}/e/{n}", n % 3)).collect();
    write(&ground.here, &files.iter().map(|path| (path.as_str(), path.as_str())).collect::<Vec<_>>());
    write(&ground.here, &[("dd/not in d", "1"), ("d0", "2"), ("d.txt", "3"), ("e/f.txt", "text")]);
    ground.both();
    ground.agrees();
    let ids = |ground: &Ground<'_>| {
        let mut ids: Vec<_> = ground.rows().into_values().map(|file| file.id.0).collect();
        ids.sort();
        ids
    };
    let before = ids(&ground);
    // Of a directory, on this side and on the volume; with an edit in it; into each other; of files.
    rename(&ground.here, "d", "moved/\u{fc}%_");
    ground.both();
    ground.agrees();
    rename(&ground.there, "moved/\u{fc}%_", "again");
    write(&ground.there, &[("again/0/e/0", "edited after it was moved")]);
    ground.both();
    ground.agrees();
    rename(&ground.here, "again/1", "one");
    rename(&ground.here, "again", "one/rest");
    rename(&ground.here, "one/e/1", "out");
    rename(&ground.there, "e/f.txt", "g.json");
    ground.both();
    ground.agrees();
    assert_eq!(ids(&ground), before, "every file is the one it was");
    assert_eq!(ground.rows()["g.json"].row.mime_type.as_deref(), Some("application/json"));
    // Both sides move it by themselves, to the same place.
    for root in [&ground.here, &ground.there] {
        rename(root, "one", "both");
        rename(root, "g.json", "h");
    }
    ground.both();
    ground.agrees();
    assert_eq!(ids(&ground), before);
    // Another directory comes to the place of one that goes.
    std::fs::remove_dir_all(ground.there.join("dd")).unwrap();
    rename(&ground.there, "both", "dd");
    std::fs::remove_file(ground.there.join("d0")).unwrap();
    rename(&ground.there, "h", "d0");
    ground.both();
    ground.agrees();
}

fn what_changes_places_keeps_its_rows(world: &World) {
    let ground = Ground::plain(world);
    write(&ground.here, &[("a", "a"), ("b", "bb"), ("c/x", "cx"), ("c/y", "cy"), ("d/x", "dx"), ("d/z/w", "w")]);
    ground.both();
    let id = |path: &str| ground.rows()[path].id;
    let (a, b, cx, dx, w) = (id("a"), id("b"), id("c/x"), id("d/x"), id("d/z/w"));
    let swap = |root: &Path, one: &str, two: &str| {
        rename(root, one, "between");
        rename(root, two, one);
        rename(root, "between", two);
    };
    swap(&ground.here, "a", "b");
    swap(&ground.here, "c", "d");
    ground.both();
    ground.agrees();
    assert_eq!([id("b"), id("a"), id("d/x"), id("c/x"), id("c/z/w")], [a, b, cx, dx, w]);
    swap(&ground.there, "a", "c/x");
    swap(&ground.there, "c", "d");
    ground.both();
    ground.agrees();
    assert_eq!([id("b"), id("d/x"), id("c/x"), id("a"), id("d/z/w")], [a, b, cx, dx, w]);
}

fn what_was_there_already_gets_rows(world: &World) {
    let ground = Ground::plain(world);
    for root in [&ground.here, &ground.there] {
        write(root, &[("a", "the same"), ("d/b", "as well"), ("odd", "12")]);
    }
    write(&ground.there, &[("unknown", "not from here"), ("odd", "3")]);
    ground.mirror();
    let rows = ground.rows();
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "d/b", "odd"], "what no run has anything to do with has no row");
    counted(world, &ground.volume);
    assert_eq!(rows["a"].row.digest.as_deref(), Some(&blake3::hash(b"the same").as_bytes()[..]));
    assert_eq!(world.used(&ground.volume), 8 + 7 + 2);
    // The other way it takes part.
    ground.both();
    ground.agrees();
}

fn a_volume_that_is_read_has_rows(world: &World) {
    let ground = Ground::plain(world);
    write(&ground.there, &[("a", "1"), ("d/b", "22")]);
    let read = || run(&world.session, ground.place(), Place::Local(ground.here.clone()), SyncMode::Mirror);
    read();
    ground.agrees();
    write(&ground.there, &[("a", "another"), ("d/c", "new")]);
    rename(&ground.there, "d", "e");
    read();
    ground.agrees();
    std::fs::remove_file(ground.there.join("a")).unwrap();
    read();
    ground.agrees();
    assert_eq!(tree(&ground.here), tree(&ground.there));
}

fn both_sides_are_of_volumes(world: &World) {
    let ground = Ground::plain(world);
    let other = world.make(StorageVolume { name: "w".into(), ..world.row() });
    let second =
        Ground { there: world.root().join("copy"), prefix: "copy".into(), volume: other, ..Ground::new_like(&ground) };
    let third =
        Ground { there: world.root().join("data/third"), prefix: "data/third".into(), ..Ground::new_like(&ground) };
    write(&ground.there, &[("a", "1"), ("d/b", "22")]);
    for target in [&second, &third] {
        let sync = || run(&world.session, ground.place(), target.place(), SyncMode::Bidirectional);
        sync();
        ground.agrees();
        target.agrees();
        write(&ground.there, &[("a", &format!("edited for {}", target.prefix))]);
        write(&target.there, &[("new", target.prefix.as_str())]);
        rename(&target.there, "d", "e");
        sync();
        ground.agrees();
        target.agrees();
        rename(&target.there, "e", "d");
        sync();
    }
}

impl<'a> Ground<'a> {
    fn new_like(other: &Ground<'a>) -> Self {
        let Ground { world, volume, here, there, prefix } = other;
        Self { world, volume: volume.clone(), here: here.clone(), there: there.clone(), prefix: prefix.clone() }
    }
}

/// Somebody has removed files beneath the volume, whose rows are still there.
fn rows_without_files_are_in_nobodys_way(world: &World) {
    let ground = Ground::new(world, world.row(), "");
    write(&ground.here, &[("d/a", "1"), ("f", "22")]);
    ground.both();
    let stale = |path: &str| {
        let row = StoredFile { storage_path: path.into(), size: 100, ..ground.rows()["f"].row.clone() };
        wait(world.session.rows().create(row)).unwrap();
        wait(ground.volume.recompute_quotas()).unwrap();
    };
    stale("moved/a");
    stale("g");
    stale("new");
    rename(&ground.here, "d", "moved");
    rename(&ground.here, "f", "g");
    write(&ground.here, &[("new", "333")]);
    ground.both();
    ground.agrees();
    assert_eq!(world.used(&ground.volume), 1 + 2 + 3);
}

fn what_no_row_can_name_has_none(world: &World) {
    use std::os::unix::ffi::OsStrExt as _;
    let ground = Ground::plain(world);
    let odd = |root: &Path, name: &[u8]| root.join(std::ffi::OsStr::from_bytes(name));
    write(&ground.here, &[("d/a", "1"), ("b", "22")]);
    std::fs::write(odd(&ground.here, b"\xff"), "odd").unwrap();
    let long: String = (0..12).map(|_| "x".repeat(200) + "/").collect();
    write(&ground.here, &[(&format!("{long}deep"), "far down")]);
    ground.both();
    assert_eq!(ground.rows().keys().collect::<Vec<_>>(), ["b", "d/a"]);
    assert!(odd(&ground.there, b"\xff").exists() && ground.there.join(format!("{long}deep")).exists());
    counted(world, &ground.volume);
    // What gets such a name loses its row; what gets another gets one when it is edited.
    std::fs::rename(ground.here.join("b"), odd(&ground.here, b"b\xff")).unwrap();
    std::fs::rename(odd(&ground.here, b"\xff"), ground.here.join("even")).unwrap();
    std::fs::rename(ground.here.join("d"), odd(&ground.here, b"d\xff")).unwrap();
    ground.both();
    assert_eq!(ground.rows().len(), 0);
    counted(world, &ground.volume);
    std::fs::rename(odd(&ground.here, b"d\xff"), ground.here.join("d")).unwrap();
    ground.both();
    write(&ground.here, &[("d/a", "edited"), ("even", "edited")]);
    ground.both();
    assert_eq!(ground.rows().keys().collect::<Vec<_>>(), ["d/a", "even"]);
    counted(world, &ground.volume);
}

fn a_put_and_a_run_meet_at_one_path(world: &World) {
    let area = format!("users/{}", me(world));
    let ground = Ground::new(world, world.row(), &area);
    write(&ground.here, &[("by a run", "1"), ("d/edited", "2")]);
    ground.both();
    let by_put = put(&ground.volume, "by a put", "put").unwrap();
    put(&ground.volume, "d/edited", "put over it").unwrap();
    ground.both();
    ground.agrees();
    assert_eq!(ground.rows()["by a put"].id, by_put.id);
    assert_eq!(std::fs::read_to_string(ground.here.join("d/edited")).unwrap(), "put over it");
    assert_eq!(read(&ground.volume, "by a run").unwrap(), "1");
    wait(ground.volume.delete("by a run")).unwrap();
    ground.both();
    assert!(!ground.here.join("by a run").exists());
    let rows = all_rows(world, &ground.volume);
    assert_eq!(rows.iter().filter(|row| row.is_deleted).count(), 1, "what was deleted by its row can be restored");
    counted(world, &ground.volume);
}
