//! A server that is down, restarts, takes no writes, is too busy, or whose answers are lost on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portbook::Code;
use portbook::model::TenantId;
use portbook::store::{PostgresOptions, PostgresStore, Statement, Store, TlsMode, Value, Write, Written};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};

use crate::fixture::{At, Book, Tenancy, id};
use crate::own_server::Server;
use crate::server::{APPLICATION, Database, on};

fn database(book: &Book) -> &Database {
    match &book.at {
        At::Server(database) => database,
        At::File(_) => panic!("the server's alone"),
    }
}

fn place(url: &str) -> &str {
    let host = url.rsplit_once('@').unwrap().1;
    host.split_once('/').unwrap().0
}

async fn open(url: &str, options: PostgresOptions) -> portbook::Result<PostgresStore> {
    PostgresStore::open(url, options).await
}

/// A rule of the tenant's conduit: its number comes from the server, so that a second one would be seen.
fn rule(t: &Tenancy, position: i64) -> Write {
    Write::Returning(Statement::new(
        "INSERT INTO sync_selection_rule (tenant_id, conduit_id, position, pattern, is_included) \
         SELECT ?1, ?2, coalesce(max(position), 0) + ?3, ?4, ?5 FROM sync_selection_rule RETURNING position",
        vec![
            Value::Uuid(t.tenant.0),
            Value::Int(t.conduit),
            Value::Int(position),
            Value::Text("carried".into()),
            Value::Bool(true),
        ],
    ))
}

async fn rules(store: &dyn Store, tenant: TenantId) -> i64 {
    let count = Statement::new("SELECT count(*) FROM sync_selection_rule", vec![]);
    store.query(tenant, count).await.unwrap().first().unwrap().int(0).unwrap()
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// When the client says this, which the server never hears.
    At(&'static [u8]),
    /// When the server has answered this, which the client never hears.
    AnswerTo(&'static [u8]),
}

/// Stands between a client and the server, and cuts one connection where it is told.
struct Proxy {
    url: String,
    cut: Arc<Mutex<Option<Cut>>>,
    /// Whether nobody gets through any more once it has cut.
    stays_down: Arc<AtomicBool>,
}

impl Proxy {
    async fn before(url: &str) -> Self {
        let server = place(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let cut: Arc<Mutex<Option<Cut>>> = Arc::default();
        let stays_down = Arc::new(AtomicBool::new(false));
        let (armed, down) = (Arc::clone(&cut), Arc::clone(&stays_down));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if down.load(Ordering::SeqCst) && armed.lock().unwrap().is_none() {
                    continue;
                }
                let (server, armed) = (TcpStream::connect(&server).await.unwrap(), Arc::clone(&armed));
                // Both ends are closed when this returns.
                tokio::spawn(pass(client, server, armed));
            }
        });
        Self { url: url.replace(place(url), &here), cut, stays_down }
    }

    fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    fn has_cut(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }
}

/// The cut that these words call for, once.
fn struck(armed: &Mutex<Option<Cut>>, said: &[u8]) -> Option<Cut> {
    armed.lock().unwrap().take_if(|cut| {
        let (Cut::At(pattern) | Cut::AnswerTo(pattern)) = *cut;
        said.windows(pattern.len()).any(|w| w == pattern)
    })
}

async fn pass(mut client: TcpStream, mut server: TcpStream, armed: Arc<Mutex<Option<Cut>>>) -> std::io::Result<()> {
    let (mut said, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut deaf = false;
    loop {
        tokio::select! {
            read = client.read(&mut said) => {
                let Some(said) = said.get(..read?).filter(|s| !s.is_empty()) else { return Ok(()) };
                match struck(&armed, said) {
                    Some(Cut::At(_)) => return Ok(()),
                    Some(Cut::AnswerTo(_)) => deaf = true,
                    None => {}
                }
                server.write_all(said).await?;
            }
            read = server.read(&mut answered) => {
                let Some(answer) = answered.get(..read?).filter(|a| !a.is_empty() && !deaf) else { return Ok(()) };
                client.write_all(answer).await?;
            }
        }
    }
}

pub(crate) async fn a_write_happens_once_wherever_its_connection_is_cut(book: Arc<Book>) {
    let t = book.tenancy().await;
    let proxy = Proxy::before(&database(&book).application).await;
    let store = open(&proxy.url, PostgresOptions::default()).await.unwrap();
    let mut expected = 0;
    for cut in [
        Cut::At(b"write_mark"),
        Cut::AnswerTo(b"write_mark"),
        Cut::At(b"carried"),
        Cut::AnswerTo(b"carried"),
        Cut::At(b"COMMIT"),
        Cut::AnswerTo(b"COMMIT"),
        // The mark that is asked for is lost, too.
        Cut::AnswerTo(b"write_mark.number"),
    ] {
        proxy.cut(cut);
        let written = match cut {
            Cut::AnswerTo(b"write_mark.number") => {
                proxy.cut(Cut::AnswerTo(b"COMMIT"));
                let write = store.write(t.tenant, vec![rule(&t, 1)]);
                let second = async {
                    while !proxy.has_cut() {
                        tokio::task::yield_now().await;
                    }
                    proxy.cut(cut);
                };
                futures_util::future::join(write, second).await.0
            }
            Cut::At(_) | Cut::AnswerTo(_) => store.write(t.tenant, vec![rule(&t, 1)]).await,
        };
        expected += 1;
        let Written::Rows(rows) = written.unwrap_or_else(|e| panic!("{cut:?}: {e}")).remove(0) else { panic!("rows") };
        assert_eq!(rows.first().unwrap().int(0).unwrap(), expected, "{cut:?}: what was kept is what was said");
        assert!(proxy.has_cut(), "{cut:?}");
        assert_eq!(rules(&*book.store, t.tenant).await, expected, "{cut:?}");
    }
    for cut in [Cut::At(b"REPEATABLE READ"), Cut::AnswerTo(b"COMMIT")] {
        proxy.cut(cut);
        assert_eq!(rules(&store, t.tenant).await, expected, "{cut:?}");
        assert!(proxy.has_cut(), "{cut:?}");
    }
    store.shutdown().await;
}

pub(crate) async fn what_cannot_be_learned_is_said_and_is_whole(book: Arc<Book>) {
    let t = book.tenancy().await;
    let proxy = Proxy::before(&database(&book).application).await;
    let soon = PostgresOptions { retry_for: Duration::from_millis(300), ..Default::default() };
    let store = open(&proxy.url, soon).await.unwrap();
    proxy.cut(Cut::AnswerTo(b"COMMIT"));
    proxy.stays_down.store(true, Ordering::SeqCst);
    let unknown = store.write(t.tenant, vec![rule(&t, 1), rule(&t, 1)]).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Timeout, "{unknown}");
    assert!(!unknown.advice().is_empty());
    assert_eq!(rules(&*book.store, t.tenant).await, 2);
    let offline = store.write(t.tenant, vec![rule(&t, 1)]).await.unwrap_err();
    assert_eq!(offline.code(), Code::Offline, "{offline}");
    store.shutdown().await;
}

pub(crate) async fn writers_that_lock_each_other_out_all_come_through(book: Arc<Book>) {
    let t = book.tenancy().await;
    let update = |entry: i64| {
        let sql = "UPDATE entry SET updated_at = now(), name = name || ?2 WHERE id = ?1";
        Write::Expect(Statement::new(sql, vec![Value::Int(entry), Value::Blob(b"x".to_vec())]), 1)
    };
    // Not sent together: a statement with rows between them is answered first.
    let between = || Write::Returning(Statement::new("SELECT 1 FROM pg_sleep(0.02)", vec![]));
    let writes = (0..8).map(|i| {
        let (first, second) = if i % 2 == 0 { (t.source, t.target) } else { (t.target, t.source) };
        book.store.write(t.tenant, vec![update(first), between(), update(second)])
    });
    for outcome in futures_util::future::join_all(writes).await {
        outcome.unwrap();
    }
    let lengths = book.ints("SELECT length(name) FROM entry", vec![]).await;
    assert_eq!(lengths, [10, 10], "each of eight added one to each of two names of two");
}

/// Holds a lock that writes to the conduits' rules wait for.
async fn lock(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE portbook.sync_selection_rule IN EXCLUSIVE MODE").await.unwrap();
    client
}

/// Waits until someone waits for that lock.
async fn someone_waits(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = \
         'portbook.sync_selection_rule'::regclass";
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn waiting_has_an_end(book: Arc<Book>) {
    let t = book.tenancy().await;
    let owner = &database(&book).owner;
    let options = PostgresOptions {
        connections: 1,
        acquire_timeout: Duration::from_millis(100),
        statement_timeout: Duration::from_secs(3),
        ..Default::default()
    };
    let store = open(&database(&book).application, options).await.unwrap();
    let holder = lock(owner).await;
    let first = store.write(t.tenant, vec![rule(&t, 1)]);
    let second = async {
        someone_waits(owner).await;
        store.write(t.tenant, vec![rule(&t, 1)]).await
    };
    let (first, second) = futures_util::future::join(first, second).await;
    assert_eq!(second.unwrap_err().code(), Code::Busy, "no connection is free");
    assert_eq!(first.unwrap_err().code(), Code::Timeout, "the server ended it");
    holder.batch_execute("ROLLBACK").await.unwrap();
    store.write(t.tenant, vec![rule(&t, 1)]).await.unwrap();
    assert_eq!(rules(&store, t.tenant).await, 1);
    store.shutdown().await;
}

pub(crate) async fn a_connection_keeps_so_many_statements_prepared(book: Arc<Book>) {
    let one = PostgresOptions { connections: 1, ..Default::default() };
    let store = open(&database(&book).application, one).await.unwrap();
    let ask = async |sql: String| {
        let rows = store.query(TenantId(id()), Statement::new(sql, vec![])).await.unwrap();
        rows.first().unwrap().int(0).unwrap()
    };
    for i in 0..300 {
        assert_eq!(ask(format!("SELECT {i}")).await, i);
    }
    let kept = ask("SELECT count(*) FROM pg_prepared_statements".into()).await;
    assert!((200..=257).contains(&kept), "{kept}");
    store.shutdown().await;
}

pub(crate) async fn a_server_that_takes_no_writes_is_read(book: Arc<Book>) {
    let t = book.tenancy().await;
    let name = &database(&book).name;
    on(&database(&book).admin, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let store = open(&database(&book).application, PostgresOptions::default()).await.unwrap();
    assert_eq!(rules(&store, t.tenant).await, 0);
    let refused = store.write(t.tenant, vec![rule(&t, 1)]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Permission, "{refused}");
    assert!(refused.to_string().contains("read-only") && !refused.advice().is_empty(), "{refused}");
    assert_eq!(rules(&store, t.tenant).await, 0, "the connection is good for more");
    store.shutdown().await;
}

pub(crate) async fn what_keeps_a_book_from_opening_has_its_code(book: Arc<Book>) {
    let at = place(&database(&book).application).to_owned();
    let with = |tls| PostgresOptions { tls: Some(tls), ..Default::default() };
    let known = &database(&book).application;
    for (url, options, code) in [
        ("postgres://me:hunter2@127.0.0.1:1/db".to_owned(), PostgresOptions::default(), Code::Offline),
        (format!("postgres://nobody:hunter2@{at}/db"), PostgresOptions::default(), Code::Auth),
        (format!("postgres://{APPLICATION}:hunter2@{at}/absent"), PostgresOptions::default(), Code::NotFound),
        ("postgres://me:hunter2@[half/db".to_owned(), PostgresOptions::default(), Code::Invalid),
        ("postgres://me:hunter2@h/db?sslmode=hunter2".to_owned(), PostgresOptions::default(), Code::Invalid),
        (format!("{known}?sslmode=require"), PostgresOptions::default(), Code::Unsupported),
        (known.clone(), with(TlsMode::VerifyFull), Code::Unsupported),
        (format!("{known}?sslrootcert=/no/such/file&sslmode=verify-ca"), PostgresOptions::default(), Code::Invalid),
    ] {
        let refused = open(&url, options).await.err().unwrap();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
    }
    open(known, with(TlsMode::Prefer)).await.unwrap().shutdown().await;
    // A server that accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://me@{}/db", silent.local_addr().unwrap());
    let soon = PostgresOptions { connect_timeout: Duration::from_millis(200), ..Default::default() };
    assert_eq!(open(&url, soon).await.err().unwrap().code(), Code::Offline);
}

pub(crate) async fn a_server_that_dies_mid_transaction_is_waited_for(_: Arc<Book>) {
    let server = Server::start();
    let database = Database::create(server.url.clone()).await;
    let book = Book::new(At::Server(database.clone()).open_as_owner().await.unwrap(), At::Server(database.clone()));
    let t = book.tenancy().await;
    let patient = PostgresOptions { retry_for: Duration::from_secs(60), ..Default::default() };
    let store = open(&database.application, patient).await.unwrap();
    store.write(t.tenant, vec![rule(&t, 1)]).await.unwrap();
    let _holder = lock(&database.owner).await;
    let write = store.write(t.tenant, vec![rule(&t, 1), rule(&t, 1)]);
    let crash = async {
        someone_waits(&database.owner).await;
        tokio::task::block_in_place(|| server.crash());
    };
    let written = futures_util::future::join(write, crash).await.0.unwrap();
    assert_eq!(written.len(), 2);
    assert_eq!(rules(&store, t.tenant).await, 3, "once, and whole");
    // Connections that lay idle meanwhile are replaced.
    assert_eq!(rules(&*book.store, t.tenant).await, 3);
    store.shutdown().await;
    book.store.shutdown().await;
}

pub(crate) async fn certificates_are_verified_as_far_as_the_mode_says(_: Arc<Book>) {
    let server = Server::start();
    let authority = Authority::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("ca.pem");
    let foreign = directory.path().join("foreign.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    std::fs::write(&foreign, Authority::new("theirs").pem).unwrap();
    let database = Database::create(server.url.clone()).await;
    At::Server(database.clone()).open_as_owner().await.unwrap().shutdown().await;
    let mut modes = Vec::new();
    for (name, full) in [("localhost", None), ("elsewhere.example", Some(Code::Auth))] {
        authority.certify(&server, name).await;
        let url = database.application.replace("127.0.0.1", "localhost");
        let refused = Some(Code::Auth);
        for (mode, ca_file, expected) in [
            ("disable", None, None),
            ("prefer", None, None),
            ("require", None, None),
            ("require", Some(&foreign), refused),
            ("verify-ca", Some(&trusted), None),
            ("verify-ca", Some(&foreign), refused),
            ("verify-full", Some(&trusted), full),
            ("verify-full", Some(&foreign), refused),
        ] {
            let query = match ca_file {
                Some(file) => format!("?sslmode={mode}&sslrootcert={}", file.display()),
                None => format!("?sslmode={mode}"),
            };
            match (open(&format!("{url}{query}"), PostgresOptions::default()).await, expected) {
                (Ok(store), None) => {
                    let ask = Statement::new("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", vec![]);
                    let rows = store.query(TenantId(id()), ask).await.unwrap();
                    modes.push((mode, rows.first().unwrap().int(0).unwrap()));
                    store.shutdown().await;
                }
                (Err(error), Some(code)) => {
                    assert_eq!(error.code(), code, "{query}: {error}");
                    assert!(!error.advice().is_empty(), "{error}");
                }
                (opened, expected) => panic!("{name} {query}: {:?}, expected {expected:?}", opened.err()),
            }
        }
    }
    assert!(modes.iter().all(|(mode, ssl)| (*mode == "disable") == (*ssl == 0)), "{modes:?}");
    assert_eq!(modes.len(), 9);
}

/// A certificate authority of the test's own.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// Gives the server a certificate for that name, and has it speak TLS.
    async fn certify(&self, server: &Server, name: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let data = server.home().join("data");
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&data).unwrap());
        for (file, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            let path = data.join(file);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        }
        let before = loaded(&server.url).await;
        on(&server.url, "ALTER SYSTEM SET ssl = on").await;
        on(&server.url, "SELECT pg_reload_conf()").await;
        while loaded(&server.url).await == before {
            tokio::task::yield_now().await;
        }
    }
}

/// When a new connection's server last read its settings.
async fn loaded(url: &str) -> std::time::SystemTime {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one("SELECT pg_conf_load_time()", &[]).await.unwrap().get(0)
}
