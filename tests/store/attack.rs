//! Every call of a host with the ids of another tenant: each is answered as one that does not exist, in the same words.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portbook::bridge::{
    Definition, RecordOptions, RecordPlace, RowApplyOptions, RowChoice, RowConflict, RowPreviewOptions,
};
use portbook::conduit::{
    ApplyOptions, Choice, Conduit, ConduitOptions, Filters, Place, PreviewOptions, SelectionRule, VerifyOptions,
};
use portbook::model::{
    AutoPathStrategy, CloudSharedLink, ConduitId, Deletion, Driver, FtpEndpoint, FtpProtocol, FtpsMode, Id, Json,
    LocalPath, PreviewId, RecordMode, RecordPolicy, RelPath, Secret, ShareType, SharedResource, SharepointSite,
    StorageVolume, SyncMode, TABLES, Table, TableInfo, UserId, ValueKind, VersioningMode, VolumeId,
};
use portbook::operation::{ActivityFilter, ChangeFilter, ChangeId, ErrorFilter, PreviewFilter, ProgressFilter};
use portbook::provider::Bandwidth;
use portbook::provider::local::Local;
use portbook::provider::simulation::{ModelDisk, ModelOptions};
use portbook::table::Filter;
use portbook::volume::{Content, FileFilter, FileId, LinkId, NewFile};
use portbook::{Book as FrontDoor, BookOptions, Code, Result, Session};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::fixture::{Book, Tenancy};
use crate::schema::fill;
use crate::tables::{keyed, sample};

/// Where the calls of a host are.
const SOURCES: [&str; 8] = [
    include_str!("../../core/src/book.rs"),
    include_str!("../../core/src/session.rs"),
    include_str!("../../core/src/conduit/mod.rs"),
    include_str!("../../core/src/bridge/mod.rs"),
    include_str!("../../core/src/bridge/conflict/mod.rs"),
    include_str!("../../core/src/rows.rs"),
    include_str!("../../core/src/operation/watch.rs"),
    include_str!("../../core/src/volume/mod.rs"),
];

const TYPES: [&str; 8] = ["Book", "Session", "Conduit", "Definition", "Rows", "JsonRows", "ProgressWatch", "Volume"];

/// Calls that name no row of a tenant.
const NAME_NOTHING: &[&str] = &[
    "Book::open",
    "Book::wait",
    "Book::default_session",
    "Book::create_tenant",
    "Book::maintain",
    "Book::rotate_key",
    "Book::check",
    "Book::vacuum",
    "Book::backup",
    "Book::copy_into",
    "Book::end_runs",
    "Book::shutdown",
    "Session::tenant",
    "Session::renew_data_key",
    // A table's name is no tenant's.
    "Session::table",
    "Session::rows",
    "Session::save_volume",
    "Session::save_directory",
    "JsonRows::info",
    "JsonRows::equal",
    "Conduit::id",
    "Conduit::options",
    "Conduit::preview",
    "Conduit::sync",
    // What is looked at is a database, not a row of the book.
    "Session::inspect_database",
    "Session::inspect_table",
    "Session::introspect_database",
    "Session::table_drift",
    // An application of Entra is no row of a tenant: of the same one each tenant has a budget of its own.
    "Session::sharepoint_units",
    "Session::sharepoint_budget",
    "Session::set_sharepoint_budget",
    "Definition::id",
    "Definition::preview",
    "Definition::drift",
    "Definition::targets",
    "Definition::sync",
    "Definition::verify",
    "Volume::row",
    "Volume::promising",
    "Volume::path_of",
    "Volume::recompute_quotas",
    "Volume::tidy",
];

/// Calls of whoever keeps the book, for whom every tenant is there.
const KEEPERS: &[&str] = &["Book::tenants", "Book::rename_tenant", "Book::delete_tenant", "Book::create_user"];

/// The calls in the sources, as `Type::name`.
fn calls() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in SOURCES {
        let mut of = None;
        for line in source.lines() {
            if let Some(head) = line.strip_prefix("impl").filter(|_| line.ends_with('{') && !line.contains(" for ")) {
                let name = head.trim_end_matches(" {").rsplit(' ').next().unwrap();
                of = TYPES.iter().find(|t| **t == name.split('<').next().unwrap());
            }
            let call = line.strip_prefix("    pub async fn ").or_else(|| line.strip_prefix("    pub fn "));
            if let (Some(of), Some(call)) = (of, call) {
                found.insert(format!("{of}::{}", call.split(['(', '<']).next().unwrap()));
            }
        }
    }
    found
}

/// What was tried.
#[derive(Default)]
struct Attack(BTreeSet<String>);

impl Attack {
    /// Two refusals, of a foreign name and of one that does not exist: but for the names they are the same.
    fn refused<T>(&mut self, call: &str, foreign: (Result<T>, impl ToString), absent: (Result<T>, impl ToString)) {
        let said = |answer: Result<T>, name: String| {
            let error = answer.err().unwrap_or_else(|| panic!("{call} found {name}"));
            let without = |text: String| text.replace(&name, "NAME");
            (error.code(), without(error.to_string()), without(format!("{error:?}")))
        };
        let absent = said(absent.0, absent.1.to_string());
        assert_eq!(said(foreign.0, foreign.1.to_string()), absent, "{call}");
        self.0.insert(call.to_owned());
    }

    /// Two lists, each of nothing.
    fn finds_nothing<T: Debug>(&mut self, call: &str, foreign: Result<Vec<T>>, absent: Result<Vec<T>>) {
        for found in [foreign, absent] {
            assert!(found.as_ref().is_ok_and(Vec::is_empty), "{call}: {found:?}");
        }
        self.0.insert(call.to_owned());
    }
}

/// A tenant with a conduit that has run, a conflict, a preview and everything else.
pub(crate) struct Side {
    pub(crate) t: Tenancy,
    pub(crate) session: Session,
    source: Place,
    target: Place,
    conduit: Conduit,
    preview: PreviewId,
    changes: Vec<ChangeId>,
    conflict: i64,
    mark: String,
    error: Uuid,
    sync_id: String,
}

/// A place that folds case, so that `Name` and `name` wait for a person.
fn folding() -> Place {
    let disk = ModelDisk::new(ModelOptions { case_insensitive: true, ..ModelOptions::default() });
    Place::Provider { key: "disk".into(), provider: Arc::new(Local::open_on(Arc::new(disk), Path::new("/")).unwrap()) }
}

fn two_way() -> ConduitOptions {
    let filters = Filters { exclude: vec!["left-out".into()], ..Filters::default() };
    ConduitOptions { mode: SyncMode::Bidirectional, filters, ..ConduitOptions::default() }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

pub(crate) async fn side(book: &Arc<Book>, directory: &Path) -> Side {
    let t = book.tenancy().await;
    fill(book, &t).await;
    let door = FrontDoor::open(keyed(book)).await.unwrap();
    let session = door.session(t.tenant, UserId::new(t.user)).await.unwrap();
    std::fs::create_dir(directory).unwrap();
    for name in ["Name", "name", "left-out"] {
        std::fs::write(directory.join(name), name).unwrap();
    }
    let (source, target) = (Place::Local(directory.to_owned()), folding());
    let conduit = session.connect(source.clone(), target.clone(), two_way()).await.unwrap();
    conduit.set_selection_rules(vec![SelectionRule { pattern: "x".into(), is_included: true }]).await.unwrap();
    conduit.pin(path("pinned"), true).await.unwrap();
    conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish().await.unwrap();
    let conflict = conduit.conflicts(None, 1).await.unwrap().remove(0);
    std::fs::write(directory.join("later"), "later").unwrap();
    let preview = conduit.preview(PreviewOptions::default()).await.unwrap().id;
    let changes = session.preview_changes(preview, ChangeFilter::default(), None, 10).await.unwrap();
    let error = session.errors(ErrorFilter::default(), None, 1).await.unwrap().rows.remove(0).id;
    let progress = session.progress(ProgressFilter::of(conduit.id()), None, 1).await.unwrap();
    let sync_id = progress.rows[0].sync_id.clone();
    let changes = changes.iter().map(|change| change.id).collect();
    let (conflict, mark) = (conflict.id, conflict.mark);
    Side { t, session, source, target, conduit, preview, changes, conflict, mark, error, sync_id }
}

pub(crate) async fn a_foreign_id_is_as_one_that_does_not_exist(book: Arc<Book>) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (ours, theirs) = (side(&book, &root.join("ours")).await, side(&book, &root.join("theirs")).await);
    let waits = waiting_row(&theirs, &root).await;
    let before = everything(&theirs).await;
    let mut attack = Attack::default();
    sessions(&book, &mut attack, &ours, &theirs).await;
    places(&mut attack, &ours, &theirs, &root).await;
    previews(&mut attack, &ours, &theirs).await;
    lists(&mut attack, &ours, &theirs).await;
    records(&mut attack, &ours, &theirs, &root, &waits).await;
    conflicts(&mut attack, &ours, &theirs).await;
    volumes(&mut attack, &ours, &theirs, &root).await;
    typed_rows(&mut attack, &ours, &theirs).await;
    for table in TABLES {
        json_rows(&mut attack, &ours, &theirs, table).await;
    }
    assert_eq!(everything(&theirs).await, before, "nothing of theirs was touched");

    let exempt = NAME_NOTHING.iter().chain(KEEPERS).map(|call| (*call).to_owned());
    let known: BTreeSet<_> = attack.0.into_iter().chain(exempt).collect();
    assert_eq!(calls(), known, "a call that nobody has tried, or one that is gone");
}

/// What a tenant sees of its own.
async fn everything(side: &Side) -> Vec<String> {
    let Side { session, conduit, .. } = side;
    vec![
        format!("{:?}", session.previews(PreviewFilter::default(), None, 1000).await.unwrap()),
        format!("{:?}", session.preview_changes(side.preview, ChangeFilter::default(), None, 1000).await.unwrap()),
        format!("{:?}", session.errors(ErrorFilter::default(), None, 1000).await.unwrap()),
        format!("{:?}", session.progress(ProgressFilter::default(), None, 1000).await.unwrap()),
        format!("{:?}", session.activity(ActivityFilter::default(), None, 1000).await.unwrap()),
        format!("{:?}", session.history(None, 1000).await.unwrap()),
        format!("{:?}", conduit.conflicts(None, 1000).await.unwrap()),
        format!("{:?}", conduit.selection_rules().await.unwrap()),
        format!("{:?}", conduit.pins().await.unwrap()),
        format!("{:?}", conduit.inspect_conflict(side.conflict).await.unwrap()),
    ]
}

async fn sessions(book: &Book, attack: &mut Attack, ours: &Side, theirs: &Side) {
    let door = FrontDoor::open(BookOptions::store(book.store.clone())).await.unwrap();
    let absent = Uuid::now_v7();
    attack.refused(
        "Book::session",
        (door.session(ours.t.tenant, UserId::new(theirs.t.user)).await.map(drop), theirs.t.user),
        (door.session(ours.t.tenant, UserId::new(absent)).await.map(drop), absent),
    );
    // Upkeep of a tenant is of its own.
    ours.session.maintain().await.unwrap();
    attack.0.insert("Session::maintain".into());
}

/// Places that only they have connected are as ones that nobody has.
async fn places(attack: &mut Attack, ours: &Side, theirs: &Side, root: &Path) {
    let unknown = root.join("unknown");
    std::fs::create_dir(&unknown).unwrap();
    let names = (root.join("theirs").display().to_string(), unknown.display().to_string());
    let session = &ours.session;
    let (foreign, absent) = (theirs.source.clone(), Place::Local(unknown));
    let target = || theirs.target.clone();
    attack.refused(
        "Session::conduit",
        (session.conduit(foreign.clone(), target()).await.map(drop), &names.0),
        (session.conduit(absent.clone(), target()).await.map(drop), &names.1),
    );
    attack.refused(
        "Session::history",
        (session.history(Some((foreign.clone(), target())), 10).await, &names.0),
        (session.history(Some((absent.clone(), target())), 10).await, &names.1),
    );
    let nothing = PreviewId(Uuid::now_v7());
    attack.refused(
        "Session::conduit_of",
        (session.conduit_of(theirs.preview, ours.source.clone(), target()).await.map(drop), theirs.preview),
        (session.conduit_of(nothing, ours.source.clone(), target()).await.map(drop), nothing),
    );
    // What they left out is not left out here.
    let look = async |from: &Place| session.verify(from.clone(), target(), VerifyOptions::default()).await.unwrap();
    assert!(look(&foreign).await.differences.iter().any(|(at, _)| *at == path("left-out")));
    attack.0.insert("Session::verify".into());
    // Connecting what they have connected makes a conduit of our own, which knows nothing of theirs.
    let made = session.connect(foreign.clone(), target(), two_way()).await.unwrap();
    assert_ne!(made.id(), theirs.conduit.id());
    assert!(session.history(Some((foreign, target())), 10).await.unwrap().is_empty());
    attack.0.insert("Session::connect".into());
    let rules = (made.selection_rules().await.map(drop_all), Ok(vec![]));
    attack.finds_nothing::<()>("Conduit::selection_rules", rules.0, rules.1);
    attack.finds_nothing("Conduit::pins", made.pins().await, Ok(vec![]));
    made.set_selection_rules(vec![]).await.unwrap();
    attack.0.insert("Conduit::set_selection_rules".into());
    attack.refused(
        "Conduit::unpin",
        (made.unpin(path("pinned")).await, "pinned"),
        (made.unpin(path("nowhere")).await, "nowhere"),
    );
    made.pin(path("pinned"), false).await.unwrap();
    attack.0.insert("Conduit::pin".into());
}

/// A table of a file that is made when it is absent.
fn table(root: &Path, name: &str) -> (String, RecordPlace) {
    let file = root.join(format!("{name}.db"));
    let made = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x TEXT); INSERT OR IGNORE INTO t VALUES (1, 'a')";
    rusqlite::Connection::open(&file).unwrap().execute_batch(made).unwrap();
    let url = format!("sqlite://{}/t", file.display());
    (url.clone(), url.parse().unwrap())
}

/// Definitions that only they have made are as ones that nobody has.
async fn records(attack: &mut Attack, ours: &Side, theirs: &Side, root: &Path, waits: &RowConflict) {
    let (source, target) = (table(root, "records"), table(root, "copies"));
    let made = async |side: &Side| {
        let pair = (source.1.clone(), target.1.clone());
        side.session.connect_records(pair.0, pair.1, RecordOptions::default()).await.unwrap()
    };
    let foreign = made(theirs).await;
    let preview = foreign.preview(RowPreviewOptions::default()).await.unwrap().summary.id;
    let changes = foreign.changes(preview, None, None, 10).await.unwrap();
    let session = &ours.session;
    let unknown = table(root, "unknown");
    attack.refused(
        "Session::records",
        (session.records(source.1.clone(), target.1.clone()).await.map(drop), &source.0),
        (session.records(unknown.1.clone(), target.1.clone()).await.map(drop), &unknown.0),
    );
    attack.refused(
        "Session::accept_table",
        (session.accept_table(source.1.clone()).await, &source.0),
        (session.accept_table(unknown.1).await, &unknown.0),
    );
    let absent = Uuid::now_v7();
    attack.refused(
        "Session::definition",
        (session.definition(foreign.id()).await.map(drop), foreign.id().0),
        (session.definition(Id::new(absent)).await.map(drop), absent),
    );
    // Connecting what they have connected makes a definition of our own, which knows nothing of theirs.
    let own = made(ours).await;
    assert_ne!(own.id(), foreign.id());
    attack.0.insert("Session::connect_records".into());
    let nothing = PreviewId(Uuid::now_v7());
    attack.refused(
        "Definition::stored_preview",
        (own.stored_preview(preview).await, preview),
        (own.stored_preview(nothing).await, nothing),
    );
    attack.refused(
        "Definition::changes",
        (own.changes(preview, None, None, 10).await, preview),
        (own.changes(nothing, None, None, 10).await, nothing),
    );
    waiting_rows(attack, &own, waits).await;
    let ids: Vec<ChangeId> = changes.iter().map(|change| change.id).collect();
    attack.refused(
        "Definition::tick",
        (own.tick(preview, ids.clone(), false).await, preview),
        (own.tick(nothing, ids, false).await, nothing),
    );
    let apply = async |preview| own.apply(preview, RowApplyOptions::default()).finish().await;
    attack.refused("Definition::apply", (apply(preview).await, preview), (apply(nothing).await, nothing));
    // It is still theirs, and goes as it came: what they see is compared with what they saw before.
    theirs.session.delete_preview(preview).await.unwrap();
}

/// A row of theirs that waits for a person.
async fn waiting_row(theirs: &Side, root: &Path) -> RowConflict {
    let (source, target) = (table(root, "waits"), table(root, "waits_too"));
    let options = RecordOptions { mode: RecordMode::TwoWay, policy: RecordPolicy::Manual, ..RecordOptions::default() };
    let definition = theirs.session.connect_records(source.1, target.1, options).await.unwrap();
    let sync = async || definition.sync(RowPreviewOptions::default(), RowApplyOptions::default()).finish().await;
    sync().await.unwrap();
    for (name, value) in [("waits", "b"), ("waits_too", "c")] {
        let database = rusqlite::Connection::open(root.join(format!("{name}.db"))).unwrap();
        database.execute("UPDATE t SET x = ?1", [value]).unwrap();
    }
    sync().await.unwrap();
    definition.conflicts(None, 10).await.unwrap().remove(0)
}

async fn waiting_rows(attack: &mut Attack, own: &Definition, waits: &RowConflict) {
    let absent = "00".repeat(32);
    let lists = (own.conflicts(None, 10).await, own.conflicts(Some(absent.clone()), 10).await);
    attack.finds_nothing("Definition::conflicts", lists.0, lists.1);
    attack.refused(
        "Definition::inspect_conflict",
        (own.inspect_conflict(&waits.id).await, &waits.id),
        (own.inspect_conflict(&absent).await, &absent),
    );
    let choose = async |id: &str| own.resolve_conflict(id, &waits.mark, RowChoice::Source).await;
    attack.refused(
        "Definition::resolve_conflict",
        (choose(&waits.id).await, &waits.id),
        (choose(&absent).await, &absent),
    );
}

fn drop_all<T>(of: Vec<T>) -> Vec<()> {
    of.iter().map(|_| ()).collect()
}

async fn previews(attack: &mut Attack, ours: &Side, theirs: &Side) {
    let (session, foreign, absent) = (&ours.session, theirs.preview, PreviewId(Uuid::now_v7()));
    let all = ChangeFilter::default;
    attack.refused(
        "Session::preview",
        (session.preview(foreign).await, foreign),
        (session.preview(absent).await, absent),
    );
    attack.refused(
        "Session::preview_changes",
        (session.preview_changes(foreign, all(), None, 10).await, foreign),
        (session.preview_changes(absent, all(), None, 10).await, absent),
    );
    for ticked in [false, true] {
        attack.refused(
            "Session::tick",
            (session.tick(foreign, theirs.changes.clone(), ticked).await, foreign),
            (session.tick(absent, theirs.changes.clone(), ticked).await, absent),
        );
        attack.refused(
            "Session::tick_all",
            (session.tick_all(foreign, all(), ticked).await, foreign),
            (session.tick_all(absent, all(), ticked).await, absent),
        );
    }
    attack.refused(
        "Session::delete_preview",
        (session.delete_preview(foreign).await, foreign),
        (session.delete_preview(absent).await, absent),
    );
    let apply = async |preview| ours.conduit.apply(preview, ApplyOptions::default()).finish().await;
    attack.refused("Conduit::apply", (apply(foreign).await, foreign), (apply(absent).await, absent));
    let nobody = Uuid::now_v7();
    attack.refused(
        "Session::resolve_error",
        (session.resolve_error(theirs.error, "x").await, theirs.error),
        (session.resolve_error(nobody, "x").await, nobody),
    );
}

/// A filter that names something of theirs finds nothing.
async fn lists(attack: &mut Attack, ours: &Side, theirs: &Side) {
    let session = &ours.session;
    let absent = || ConduitId(Uuid::now_v7());
    let activity = async |filter| session.activity(filter, None, 10).await.map(|page| page.rows);
    let all = ActivityFilter::default;
    for (foreign, absent) in [
        (ActivityFilter::of(theirs.conduit.id()), ActivityFilter::of(absent())),
        (ActivityFilter { sync_id: Some(theirs.sync_id.clone()), ..all() }, ActivityFilter::of(absent())),
        (ActivityFilter { user: Some(UserId::new(theirs.t.user)), ..all() }, ActivityFilter::of(absent())),
    ] {
        attack.finds_nothing("Session::activity", activity(foreign).await, activity(absent).await);
    }
    let progress = async |filter| session.progress(filter, None, 10).await.map(|page| page.rows);
    let all = ProgressFilter::default;
    for foreign in [
        ProgressFilter::of(theirs.conduit.id()),
        ProgressFilter { sync_id: Some(theirs.sync_id.clone()), ..all() },
        ProgressFilter { job_id: Some(theirs.conduit.id().to_string()), ..all() },
    ] {
        let absent = progress(ProgressFilter::of(absent())).await;
        attack.finds_nothing("Session::progress", progress(foreign).await, absent);
    }
    let errors = async |filter| session.errors(filter, None, 10).await.map(|page| page.rows);
    let all = ErrorFilter::default;
    let connection = make(&theirs.session, "cloud_connections").await;
    for foreign in [
        ErrorFilter { conduit: Some(theirs.conduit.id()), ..all() },
        ErrorFilter { connection: Some(Id::new(connection)), ..all() },
        ErrorFilter { volume: Some(VolumeId::new(make(&theirs.session, "storage_volumes").await)), ..all() },
        ErrorFilter { job: Some(Id::new(make(&theirs.session, "cloud_sync_jobs").await)), ..all() },
    ] {
        let absent = errors(ErrorFilter { conduit: Some(absent()), ..all() }).await;
        attack.finds_nothing("Session::errors", errors(foreign).await, absent);
    }
    let previews = async |conduit| {
        let filter = PreviewFilter { conduit: Some(conduit), ..PreviewFilter::default() };
        session.previews(filter, None, 10).await.map(|page| page.rows)
    };
    attack.finds_nothing("Session::previews", previews(theirs.conduit.id()).await, previews(absent()).await);
    // Where their list goes on, ours shows what is ours.
    let next = theirs.session.previews(PreviewFilter::default(), None, 1).await.unwrap().next;
    let page = session.previews(PreviewFilter::default(), next, 1000).await.unwrap().rows;
    assert!(page.iter().all(|row| row.computed_by == Some(UserId::new(ours.t.user))), "{page:?}");
    let nowhere = Uuid::now_v7().to_string();
    let watch = async |sync_id: &str| session.watch_progress(sync_id).next().await;
    let (foreign, absent) = (watch(&theirs.sync_id).await, watch(&nowhere).await);
    attack.refused("ProgressWatch::next", (foreign, &theirs.sync_id), (absent, &nowhere));
    attack.0.insert("Session::watch_progress".into());
}

async fn conflicts(attack: &mut Attack, ours: &Side, theirs: &Side) {
    let (conduit, absent) = (&ours.conduit, i64::from(u32::MAX));
    let waiting = conduit.conflicts(Some(i64::MAX), 100).await.unwrap();
    assert!(waiting.iter().all(|conflict| conflict.id != theirs.conflict));
    attack.0.insert("Conduit::conflicts".into());
    attack.refused(
        "Conduit::inspect_conflict",
        (conduit.inspect_conflict(theirs.conflict).await, theirs.conflict),
        (conduit.inspect_conflict(absent).await, absent),
    );
    let resolve = async |id| conduit.resolve_conflict(id, &theirs.mark, Choice::KeepBoth).await;
    attack.refused(
        "Conduit::resolve_conflict",
        (resolve(theirs.conflict).await, theirs.conflict),
        (resolve(absent).await, absent),
    );
}

pub(crate) async fn make(session: &Session, table: &'static str) -> Uuid {
    let info = TABLES.iter().find(|t| t.name == table).unwrap();
    let made = session.table(table).unwrap().create(sample(session, info, 7).await).await.unwrap();
    made["id"].as_str().unwrap().parse().unwrap()
}

async fn typed_rows(attack: &mut Attack, ours: &Side, theirs: &Side) {
    let row = FtpEndpoint {
        host: "files.example".into(),
        port: None,
        protocol: FtpProtocol::Sftp,
        ftps_mode: FtpsMode::None,
        username: None,
        password: Some(Secret::Plain("hush".into())),
        key_path: None,
        passphrase: None,
        host_key: None,
    };
    let (rows, foreign) = (ours.session.rows::<FtpEndpoint>(), theirs.session.rows().create(row).await.unwrap());
    let (id, absent) = (foreign.id, Id::new(Uuid::now_v7()));
    let gone = portbook::model::Stored { id: absent, ..foreign.clone() };
    attack.refused("Rows::get", (rows.get(id).await, id), (rows.get(absent).await, absent));
    let (reveal, no) = (rows.reveal(id, "password").await, rows.reveal(absent, "password").await);
    attack.refused("Rows::reveal", (reveal, id), (no, absent));
    attack.refused("Rows::update", (rows.update(foreign.clone()).await, id), (rows.update(gone).await, absent));
    attack.refused("Rows::delete", (rows.delete(id).await, id), (rows.delete(absent).await, absent));
    attack.refused("Rows::restore", (rows.restore(id).await, id), (rows.restore(absent).await, absent));
    let of_host = async || rows.list(Filter::all().equal("host", &"files.example".to_owned()), None, 10).await;
    attack.finds_nothing("Rows::list", of_host().await.map(|page| page.rows), Ok(vec![]));
    assert_eq!(theirs.session.rows::<FtpEndpoint>().get(id).await.unwrap(), foreign);
    // A row of ours beneath one of theirs.
    let site = make(&theirs.session, SharepointSite::NAME).await;
    let mut site = theirs.session.rows::<SharepointSite>().get(Id::new(site)).await.unwrap().row;
    let (connection, nothing) = (site.connection_id, Id::new(Uuid::now_v7()));
    let sites = ours.session.rows::<SharepointSite>();
    let taken = (sites.create(site.clone()).await, sites.create_all(vec![site.clone()]).await);
    site.connection_id = nothing;
    let absent = (sites.create(site.clone()).await, sites.create_all(vec![site]).await);
    attack.refused("Rows::create", (taken.0, connection), (absent.0, nothing));
    attack.refused("Rows::create_all", (taken.1, connection), (absent.1, nothing));
}

/// Volumes and files by name, id and path.
async fn volumes(attack: &mut Attack, ours: &Side, theirs: &Side, root: &Path) {
    let make = async |side: &Side, name: &str| {
        let path = root.join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(&path).unwrap();
        let path = side.session.rows().create(LocalPath { path, description: None }).await.unwrap();
        let row = StorageVolume {
            name: name.into(),
            driver: Driver::Local,
            config: Json(json!({ "local_path_id": path.id })),
            default_prefix: None,
            enforce_hierarchy: true,
            path_delimiter: "/".into(),
            use_query_params: false,
            auto_path_strategy: AutoPathStrategy::None,
            versioning_mode: VersioningMode::Target,
            quota_limit: None,
            quota_used: 0,
            is_active: true,
        };
        side.session.rows().create(row).await.unwrap();
        side.session.volume(name).await.unwrap()
    };
    let (mine, foreign) = (make(ours, "volume of ours").await, make(theirs, "volume of theirs").await);
    let place = || Arc::new(Local::open(&root.join("volume of theirs")).unwrap());
    let absent = Uuid::now_v7();
    for (theirs, none) in
        [("volume of theirs".into(), "volume of none".into()), (foreign.row().id.to_string(), absent.to_string())]
    {
        let open = async |name: &String| ours.session.volume(name).await.map(drop);
        attack.refused("Session::volume", (open(&theirs).await, &theirs), (open(&none).await, &none));
        let open = async |name: &String| ours.session.volume_on(name, place()).await.map(drop);
        attack.refused("Session::volume_on", (open(&theirs).await, &theirs), (open(&none).await, &none));
        let place = async |name: &String| ours.session.place(name, "a").await.map(drop);
        attack.refused("Session::place", (place(&theirs).await, &theirs), (place(&none).await, &none));
        let limit = async |name: &String| ours.session.limit_volume(name, Some(Bandwidth::constant(1))).await;
        attack.refused("Session::limit_volume", (limit(&theirs).await, &theirs), (limit(&none).await, &none));
        let remove = async |name: &String| ours.session.remove_volume(name).await;
        attack.refused("Session::remove_volume", (remove(&theirs).await, &theirs), (remove(&none).await, &none));
    }
    let listed = ours.session.volumes().await.unwrap();
    assert!(listed.iter().any(|v| v.name == "volume of ours") && listed.iter().all(|v| v.name != "volume of theirs"));
    attack.0.insert("Session::volumes".into());
    let content = |text: &'static str| Content::Bytes(text.as_bytes().into());
    let (file, none) = (foreign.put(NewFile::at("THEIRS", content("one"))).await.unwrap().id, FileId::new(absent));
    foreign.put(NewFile { is_public: true, ..NewFile::at("THEIRS", content("two")) }).await.unwrap();
    let version = foreign.versions(file).await.unwrap()[0].id;
    let deleted = foreign.put(NewFile::at("b", content("three")).of_app("chat")).await.unwrap().id;
    foreign.delete(deleted).await.unwrap();
    for id in [file, version, deleted] {
        attack.refused("Volume::stat", (mine.stat(id).await, id), (mine.stat(none).await, none));
        let get = async |id: FileId| mine.get(id, 0, None).await.map(drop);
        attack.refused("Volume::get", (get(id).await, id), (get(none).await, none));
        attack.refused("Volume::delete", (mine.delete(id).await, id), (mine.delete(none).await, none));
        attack.refused("Volume::restore", (mine.restore(id).await, id), (mine.restore(none).await, none));
        attack.refused("Volume::versions", (mine.versions(id).await, id), (mine.versions(none).await, none));
        let restore = async |id: FileId| mine.restore_version(id).await;
        attack.refused("Volume::restore_version", (restore(id).await, id), (restore(none).await, none));
        attack.refused(
            "Volume::shared_links",
            (mine.shared_links(id).await, id),
            (mine.shared_links(none).await, none),
        );
        let share = async |id: FileId| mine.share(id, Duration::from_secs(60)).await;
        attack.refused("Volume::share", (share(id).await, id), (share(none).await, none));
        attack.refused("Volume::purge", (mine.purge(id).await, id), (mine.purge(none).await, none));
    }
    let link = CloudSharedLink {
        created_by_user_id: Id::new(theirs.t.user),
        resource_type: SharedResource::File,
        file_id: None,
        folder_id: None,
        provider_share_id: None,
        share_url: Secret::Plain("https://bucket.example/THEIRS".into()),
        share_type: ShareType::Download,
        password_protected: false,
        expires_at: None,
        access_count: 0,
        last_accessed_at: None,
        is_active: true,
        volume_file_id: Some(file),
    };
    let link = theirs.session.rows().create(link).await.unwrap().id;
    let none = LinkId::new(absent);
    attack.refused("Volume::revoke_link", (mine.revoke_link(link).await, link), (mine.revoke_link(none).await, none));
    attack.refused("Volume::stat", (mine.stat("THEIRS").await, "THEIRS"), (mine.stat("NOBODYS").await, "NOBODYS"));
    let list = async |filter| mine.list(filter, None, 10).await.map(|page| page.files);
    let of_app = FileFilter { app_id: Some("chat".into()), ..FileFilter::default() };
    attack.finds_nothing("Volume::list", list(FileFilter::default()).await, list(of_app).await);
    let deleted = mine.list_deleted(None, 10).await.map(|page| page.files);
    attack.finds_nothing("Volume::list_deleted", deleted, Ok(Vec::new()));
    // What we put in the same place is ours alone.
    mine.put(NewFile::at("THEIRS", content("ours"))).await.unwrap();
    attack.0.insert("Volume::put".into());
    assert_eq!(foreign.stat("THEIRS").await.unwrap().row.version_no, 2);
}

async fn json_rows(attack: &mut Attack, ours: &Side, theirs: &Side, table: &'static TableInfo) {
    let (rows, foreign) = (ours.session.table(table.name).unwrap(), theirs.session.table(table.name).unwrap());
    let made = foreign.create(sample(&theirs.session, table, 1).await).await.unwrap();
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    let (seen, absent) = (made["updated_at"].as_str().unwrap(), Uuid::now_v7());
    attack.refused("JsonRows::get", (rows.get(id).await, id), (rows.get(absent).await, absent));
    let change = async |id| rows.update(id, seen, Map::new()).await;
    attack.refused("JsonRows::update", (change(id).await, id), (change(absent).await, absent));
    attack.refused("JsonRows::delete", (rows.delete(id).await, id), (rows.delete(absent).await, absent));
    attack.refused("JsonRows::restore", (rows.restore(id).await, id), (rows.restore(absent).await, absent));
    for column in table.columns.iter().filter(|c| c.kind == ValueKind::Secret) {
        let (reveal, no) = (rows.reveal(id, column.name).await, rows.reveal(absent, column.name).await);
        attack.refused("JsonRows::reveal", (reveal, id), (no, absent));
    }
    for list in table.lists {
        let equal: Map<_, _> = list.by.iter().map(|c| ((*c).to_owned(), made[*c].clone())).collect();
        let (found, _) = rows.list(rows.equal(&equal).unwrap(), None, 1000).await.unwrap();
        assert!(found.iter().all(|row| row["id"] != made["id"]), "{}", table.name);
        attack.0.insert("JsonRows::list".into());
    }
    for column in table.columns.iter().filter(|c| c.references.is_some() && !made[c.name].is_null()) {
        let mut row = sample(&ours.session, table, 2).await;
        let kept = rows.create(row.clone()).await.unwrap();
        let (kept, seen) =
            (kept["id"].as_str().unwrap().parse().unwrap(), kept["updated_at"].as_str().unwrap().to_owned());
        let (theirs, none) = (made[column.name].clone(), json!(absent));
        let name = theirs.as_str().unwrap();
        let change = async |value| rows.update(kept, &seen, Map::from_iter([(column.name.to_owned(), value)])).await;
        attack.refused("JsonRows::update", (change(theirs.clone()).await, name), (change(none.clone()).await, absent));
        let mut create = async |value| {
            row.insert(column.name.to_owned(), value);
            rows.create(row.clone()).await
        };
        attack.refused("JsonRows::create", (create(theirs.clone()).await, name), (create(none).await, absent));
    }
    // A row that can be restored is not, by anyone else.
    if table.deletion != Deletion::Hard {
        foreign.delete(id).await.unwrap();
        attack.refused("JsonRows::restore", (rows.restore(id).await, id), (rows.restore(absent).await, absent));
        assert_eq!(foreign.get(id).await.unwrap_err().code(), Code::NotFound);
    }
}
