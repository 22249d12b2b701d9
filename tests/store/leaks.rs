//! Nothing that a book keeps secret is anywhere to be found in the open: not in its files, not in the server's, and not in
//! what anybody is told, in whatever spelling.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
use portbook::model::{SecretBytes, TABLES, TableInfo, TenantId, UserId, ValueKind};
use portbook::store::{PostgresOptions, PostgresStore, Statement, Value, Write};
use portbook::table::Filter;
use portbook::vault::{Argon2Cost, KeySource};
use portbook::{Book as FrontDoor, BookOptions, Code, Session};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::fixture::{At, Book};
use crate::own_server::Server;
use crate::search::{Search, base64, files};
use crate::server::{Database, on};
use crate::tables::sample;

type Row = Map<String, Json>;

/// Written into every place as it is.
const KNOWN: &[u8] = b"this is no secret";

/// What must not be found, and everything that anybody was told.
#[derive(Default)]
struct Watch {
    secrets: Vec<Vec<u8>>,
    told: String,
}

impl Watch {
    /// A new secret that is like no other bytes.
    fn secret(&mut self) -> String {
        let secret = format!("{}-{}", Uuid::now_v7().simple(), Uuid::now_v7().simple());
        self.secrets.push(secret.clone().into_bytes());
        secret
    }

    fn hear(&mut self, what: impl std::fmt::Debug) {
        self.told += &format!("{what:?}\n{what:#?}\n");
    }

    fn refused<T: std::fmt::Debug>(&mut self, answer: portbook::Result<T>, code: Code) {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        self.told += &format!("{error}\n{error:?}\n{error:#?}\n{}\n", error.advice());
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            self.told += &format!("{cause}\n{cause:?}\n");
            source = cause.source();
        }
    }

    /// Whether these bytes hold a secret, as they are, in hexadecimal or in base64.
    fn is_in(&self, bytes: &[u8]) -> bool {
        self.search().finds_any(bytes)
    }

    fn search(&self) -> Search {
        Search::spelled(&self.secrets)
    }

    /// Looks into every file. What is no secret and was written is found there.
    fn look(&self, place: &Path) {
        let (search, known) = (self.search(), Search::plain(KNOWN));
        let mut is_known_there = false;
        for path in files(place) {
            // A file of the server may go meanwhile.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            assert!(!search.finds_any(&bytes), "a secret is in {}", path.display());
            is_known_there |= known.finds_any(&bytes);
        }
        assert!(is_known_there, "{}", place.display());
    }
}

pub(crate) fn a_secret_is_found_in_any_spelling() {
    let mut watch = Watch::default();
    let secret = watch.secret();
    let long = format!("x{secret}yz").into_bytes();
    for text in [
        long.clone(),
        long.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
        long.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect(),
        format!("{long:?}").into_bytes(),
        base64(&long, *b"+/"),
        base64(&long[1..], *b"-_"),
        base64(&[&b"x"[..], &long].concat(), *b"+/"),
    ] {
        assert!(watch.is_in(&text), "{}", String::from_utf8_lossy(&text));
        assert!(!watch.is_in(&text[..text.len() / 2]));
    }
    assert_eq!(base64(b"Man", *b"+/"), b"TWFu");
    assert_eq!(base64(b"light w", *b"+/"), b"bGlnaHQgdw");
}

/// The book of the test, or on a server one of a server whose files may be read.
pub(crate) async fn no_secret_is_in_the_open(book: Arc<Book>) {
    let mut watch = Watch::default();
    let work = tempfile::tempdir().unwrap();
    match &book.at {
        At::File(path) => {
            live(&book, &mut watch, work.path()).await;
            // The log of the file is still beside it.
            let directory = path.parent().unwrap();
            assert!(files(directory).iter().any(|file| file.to_string_lossy().ends_with("-wal")));
            watch.look(directory);
            book.store.shutdown().await;
            watch.look(directory);
        }
        At::Server(_) => {
            let server = Server::start();
            let database = Database::create(server.url.clone()).await;
            on(&server.url, "ALTER SYSTEM SET log_statement = 'all'; ").await;
            on(&server.url, "ALTER SYSTEM SET log_min_messages = 'debug1'").await;
            on(&server.url, "SELECT pg_reload_conf()").await;
            let at = At::Server(database.clone());
            at.open_as_owner().await.unwrap().shutdown().await;
            let there = Arc::new(Book::new(at.open().await.unwrap(), at));
            live(&there, &mut watch, work.path()).await;
            connections(&mut watch, &database).await;
            there.store.shutdown().await;
            on(&server.url, "CHECKPOINT").await;
            let home = server.home();
            assert!(files(&home).len() > 100, "the server's files can be read");
            watch.look(&home);
        }
    }
    watch.look(work.path());
    assert!(watch.told.len() > 10_000, "{} bytes were told", watch.told.len());
    assert!(!watch.is_in(watch.told.as_bytes()), "a secret was told");
    assert!(watch.secrets.len() > 30);
}

/// The tables whose columns hold secrets, with the names of these.
fn keepers() -> Vec<(&'static TableInfo, Vec<&'static str>)> {
    let secrets = |table: &'static TableInfo| {
        let secret = table.columns.iter().filter(|column| column.kind == ValueKind::Secret);
        (table, secret.map(|column| column.name).collect::<Vec<_>>())
    };
    TABLES.iter().map(|table| secrets(table)).filter(|(_, columns)| !columns.is_empty()).collect()
}

fn id(row: &Row) -> Uuid {
    row["id"].as_str().unwrap().parse().unwrap()
}

fn seen(row: &Row) -> String {
    row["updated_at"].as_str().unwrap().to_owned()
}

/// A full life: every secret column written, changed and refused, keys changed, and a sync beside all that.
async fn live(book: &Book, watch: &mut Watch, work: &Path) {
    let t = book.tenancy().await;
    let (first, second) = (watch.secret(), watch.secret());
    let options = || BookOptions::store(book.store.clone());
    watch.hear(key(&first));
    let door = FrontDoor::open(options().key(key(&first))).await.unwrap();
    let session = door.session(t.tenant, UserId::new(t.user)).await.unwrap();
    for (n, (table, columns)) in keepers().into_iter().enumerate() {
        rows(watch, &session, table, &columns, n).await;
    }
    sync(watch, &session, work).await;
    unsealed(watch, book, t.tenant).await;

    // Keys that do not fit, and one that takes the other's place.
    let bytes: [u8; 32] =
        [watch.secret().into_bytes()[..16].to_vec(), b"sixteen-bytes-up".to_vec()].concat().try_into().unwrap();
    watch.secrets.push(bytes.to_vec());
    let wrong = watch.secret();
    let (table, columns) = keepers().remove(0);
    for wrong in [None, Some(key(&wrong)), Some(KeySource::raw(bytes.to_vec().into()).unwrap())] {
        let other = match wrong.clone() {
            Some(key) => options().key(key),
            None => options(),
        };
        watch.hear(&wrong);
        let other = FrontDoor::open(other).await.unwrap();
        let theirs = other.session(t.tenant, UserId::new(t.user)).await.unwrap();
        let there = theirs.table(table.name).unwrap();
        let some = id(&there.list(Filter::all(), None, 1).await.unwrap().0[0]);
        watch.refused(there.reveal(some, columns[0]).await, Code::WrongKey);
        let mut row = sample(&session, table, 900).await;
        row.insert(columns[0].to_owned(), json!(watch.secret()));
        watch.refused(there.create(row).await, Code::WrongKey);
        watch.refused(other.rotate_key(key(&second)).await, Code::WrongKey);
    }
    let odd = watch.secret();
    watch.refused(KeySource::raw(odd.into()).map(drop), Code::Invalid);
    session.renew_data_key().await.unwrap();
    door.rotate_key(key(&second)).await.unwrap();
    watch.hear(door.check().await.unwrap());
    door.maintain().await.unwrap();
    if let At::File(_) = book.at {
        door.backup(work.join("backup")).await.unwrap();
    }
    door.vacuum().await.unwrap();
}

fn key(text: &str) -> KeySource {
    KeySource::costly_passphrase(SecretBytes::from(text), Argon2Cost::LEAST).unwrap()
}

/// Rows of one table: made, read, changed, revealed, and refused for every reason that there is.
async fn rows(watch: &mut Watch, session: &Session, table: &'static TableInfo, columns: &[&'static str], n: usize) {
    let rows = session.table(table.name).unwrap();
    let mut row = sample(session, table, n).await;
    let mut given = Vec::new();
    for column in columns {
        let secret = watch.secret();
        row.insert((*column).to_owned(), json!(secret));
        given.push(secret);
    }
    let made = rows.create(row.clone()).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
    watch.hear(&made);
    watch.hear(rows.get(id(&made)).await.unwrap());
    watch.hear(rows.list(Filter::all(), None, 10).await.unwrap().0);
    for (column, secret) in columns.iter().zip(&given) {
        let revealed = rows.reveal(id(&made), column).await.unwrap();
        watch.hear(&revealed);
        assert_eq!(revealed, Some(secret.as_str().into()), "{}.{column}", table.name);
    }
    // A second row that repeats everything, where something has to be unique.
    if let Err(repeated) = rows.create(row.clone()).await {
        let code = repeated.code();
        watch.refused::<()>(Err(repeated), code);
    }
    for column in columns {
        let with = |value: Json| Row::from_iter(row.clone().into_iter().chain([((*column).to_owned(), value)]));
        let (long, listed, nested) = (watch.secret().repeat(300), watch.secret(), watch.secret());
        // Whatever its length: a secret has none.
        if let Err(error) = rows.create(with(json!(long))).await {
            let code = error.code();
            watch.refused::<()>(Err(error), code);
        }
        watch.refused(rows.create(with(json!([listed]))).await, Code::Invalid);
        watch.refused(rows.create(with(json!({ "secret": nested }))).await, Code::Invalid);
        let asked = Row::from_iter([((*column).to_owned(), json!(watch.secret()))]);
        let listed = match rows.equal(&asked) {
            Ok(filter) => rows.list(filter, None, 10).await,
            Err(refused) => Err(refused),
        };
        watch.refused(listed, Code::Invalid);
        let another = watch.secret();
        let change = Row::from_iter([((*column).to_owned(), json!(another))]);
        watch.hear(rows.update(id(&made), &seen(&rows.get(id(&made)).await.unwrap()), change.clone()).await.unwrap());
        watch.refused(rows.update(id(&made), &seen(&made), change.clone()).await, Code::Stale);
        watch.refused(rows.update(Uuid::now_v7(), &seen(&made), change).await, Code::NotFound);
        // A rule that another column breaks, and a column that there is none of.
        let strange = Row::from_iter(with(json!(watch.secret())).into_iter().chain([("no_such".to_owned(), json!(1))]));
        watch.refused(rows.create(strange).await, Code::Invalid);
        if let Some(parent) = table.columns.iter().find(|c| c.references.is_some()) {
            let mut lost = with(json!(watch.secret()));
            lost.insert(parent.name.to_owned(), json!(Uuid::now_v7()));
            watch.refused(rows.create(lost).await, Code::NotFound);
        }
    }
}

/// A sync, with what it reports, and a preview.
async fn sync(watch: &mut Watch, session: &Session, work: &Path) {
    for side in ["a", "b"] {
        std::fs::create_dir(work.join(side)).unwrap();
    }
    std::fs::write(work.join("a/file"), KNOWN).unwrap();
    std::fs::write(work.join("a").join(std::str::from_utf8(KNOWN).unwrap()), "").unwrap();
    let [source, target] = ["a", "b"].map(|side| Place::Local(work.join(side)));
    let conduit = session.connect(source, target, ConduitOptions::default()).await.unwrap();
    watch.hear(conduit.preview(PreviewOptions::default()).await.unwrap());
    let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default());
    while let Some(event) = run.next_event().await {
        watch.hear(event);
    }
    watch.hear(run.finish().await.unwrap());
    watch.hear(session.activity(Default::default(), None, 1000).await.unwrap());
    watch.hear(session.errors(Default::default(), None, 1000).await.unwrap());
}

/// A secret that came to the store as it is.
async fn unsealed(watch: &mut Watch, book: &Book, tenant: TenantId) {
    let update = "UPDATE entry SET provider_id = ?1 WHERE tenant_id = ?2";
    let secret = || Value::Secret("never shown".into());
    let statement = || Statement::new(update, vec![secret(), Value::Uuid(tenant.0)]);
    watch.secrets.push(b"never shown".to_vec());
    watch.hear(statement());
    watch.refused(book.store.write(tenant, vec![Write::Execute(statement())]).await, Code::Internal);
    watch.refused(book.store.query(tenant, statement()).await, Code::Internal);
}

/// Servers that do not let us in, under URLs with passwords.
async fn connections(watch: &mut Watch, database: &Database) {
    let at = database.admin.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let soon = || PostgresOptions { connect_timeout: Duration::from_secs(2), ..Default::default() };
    for (url, code) in [
        ("postgres://me:PASSWORD@127.0.0.1:1/db".to_owned(), Code::Offline),
        (format!("postgres://nobody:PASSWORD@{at}/db"), Code::Auth),
        (format!("postgres://portbook:PASSWORD@{at}/absent"), Code::NotFound),
        ("postgres://me:PASSWORD@[half/db".to_owned(), Code::Invalid),
        ("postgres://me:PASSWORD@h/db?sslmode=PASSWORD".to_owned(), Code::Invalid),
        (format!("postgres://me:PASSWORD@{at}/db?sslmode=require"), Code::Unsupported),
        (format!("host=127.0.0.1 port=x password=PASSWORD user={at}"), Code::Invalid),
    ] {
        let url = url.replace("PASSWORD", &watch.secret());
        watch.refused(PostgresStore::open(&url, soon()).await.map(drop), code);
        watch.refused(FrontDoor::open(BookOptions::postgres_with(&url, soon())).await.map(drop), code);
    }
}
