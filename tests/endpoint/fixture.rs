//! An empty database of each product, its endpoint, and a way to run SQL in it beside the endpoint.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use portbook::endpoint::{
    ColumnShape, DatabaseOptions, Endpoint, NewColumn, NewTable, Page, RowAction, RowOutcome, Scan, TableName,
    WriteBatch, open,
};
use portbook::identity::RowBatch;
use portbook::model::{Datum, DatumKind, DbType};
use uuid::Uuid;

/// What a database is reached by beside the endpoint.
pub(crate) enum At {
    File(PathBuf),
    Postgres(String),
    MariaDb(String),
}

pub(crate) struct Store {
    pub(crate) endpoint: Arc<dyn Endpoint>,
    pub(crate) at: At,
    pub(crate) options: DatabaseOptions,
    pub(crate) product: DbType,
}

impl Store {
    fn new(product: DbType, at: At, options: DatabaseOptions) -> Arc<Self> {
        Arc::new(Self { endpoint: open(product, options.clone()).unwrap(), at, options, product })
    }

    /// The same database, reached in another way.
    pub(crate) fn beside(&self, options: DatabaseOptions) -> Self {
        let at = match &self.at {
            At::File(path) => At::File(path.clone()),
            At::Postgres(url) => At::Postgres(url.clone()),
            At::MariaDb(url) => At::MariaDb(url.clone()),
        };
        Self { endpoint: open(self.product, options.clone()).unwrap(), at, options, product: self.product }
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        match &self.at {
            At::File(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            At::Postgres(url) => connect(url).await.batch_execute(sql).await.unwrap(),
            At::MariaDb(url) => run_on_mariadb(url, sql).await,
        }
    }

    /// The type of the product for each of these.
    pub(crate) fn word(&self, sqlite: &'static str, postgres: &'static str, mysql: &'static str) -> &'static str {
        match self.product {
            DbType::Sqlite => sqlite,
            DbType::Postgres => postgres,
            DbType::MySql => mysql,
            other => panic!("no tests on {other:?}"),
        }
    }

    /// All rows of a table, in the order of their encoding, and the number of those refused.
    pub(crate) async fn rows(&self, table: &TableName, columns: &[&str]) -> (Vec<Vec<Datum>>, usize) {
        let mut stream = self.endpoint.scan(scan_of(table, columns)).await.unwrap();
        let (mut rows, mut refused) = (Vec::new(), 0);
        while let Some(page) = stream.next().await.unwrap() {
            rows.extend(data(&page));
            refused += page.refused.len();
        }
        rows.sort_by_key(|row| row.iter().flat_map(portbook::identity::encode).collect::<Vec<u8>>());
        (rows, refused)
    }

    /// Makes a table of integers and texts with the key `id`.
    pub(crate) async fn table(&self, name: &str, columns: &[(&str, DatumKind)]) -> TableName {
        let table = TableName::new("", name);
        let columns = columns.iter().map(|(name, kind)| new_column(name, *kind)).collect();
        let key = vec!["id".to_owned()];
        let table = NewTable { name: table, description: String::new(), columns, key };
        self.endpoint.create(table).await.unwrap().name
    }

    pub(crate) async fn insert(&self, table: &TableName, columns: &[&str], rows: &[Vec<Datum>]) -> Vec<RowOutcome> {
        let action = RowAction::Insert { columns: names(columns), rows: RowBatch::of(columns.len(), rows).unwrap() };
        self.endpoint.write(WriteBatch { table: table.clone(), key: names(&["id"]), action }).await.unwrap()
    }
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn scan_of(table: &TableName, columns: &[&str]) -> Scan {
    Scan { table: table.clone(), columns: names(columns), page_rows: 1000, parallel: 1 }
}

pub(crate) fn data(page: &Page) -> Vec<Vec<Datum>> {
    page.rows.iter().map(|row| row.data().unwrap()).collect()
}

/// A column that holds values of a kind, as wide as they come.
pub(crate) fn new_column(name: &str, kind: DatumKind) -> NewColumn {
    let like = ColumnShape {
        name: name.into(),
        data_type: String::new(),
        kind: Some(kind),
        member: (kind == DatumKind::List).then_some(DatumKind::Text),
        is_nullable: name != "id",
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: (kind == DatumKind::Decimal).then_some((38, 10)),
        second_places: None,
        collation: Default::default(),
        traits: Default::default(),
    };
    let (display_name, name) = (name.to_owned(), name.to_owned());
    NewColumn { name, display_name, like, is_indexed: false, is_unique: false, is_hidden: false }
}

/// What became of rows, in a word each.
pub(crate) fn words(outcomes: &[RowOutcome]) -> Vec<&'static str> {
    let word = |outcome: &RowOutcome| match outcome {
        RowOutcome::Written { .. } => "written",
        RowOutcome::Exists => "exists",
        RowOutcome::Gone => "gone",
        RowOutcome::Changed => "changed",
        RowOutcome::Refused(_) => "refused",
        RowOutcome::Unknown(_) => "unknown",
    };
    outcomes.iter().map(word).collect()
}

pub(crate) fn integer(number: i128) -> Datum {
    Datum::Integer(number)
}

pub(crate) fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work);
}

/// Runs the claim on a new file.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(claim: impl Fn(Arc<Store>) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("database");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "wal").unwrap();
    block_on(async {
        let options = DatabaseOptions::at("", path.to_str().unwrap());
        let store = Store::new(DbType::Sqlite, At::File(path.clone()), options);
        claim(Arc::clone(&store)).await;
        store.endpoint.shutdown().await;
    });
}

/// Says that a claim was not looked at. Not println!, which the harness keeps to itself.
pub(crate) fn skip(what: &str, why: &str) {
    writeln!(std::io::stdout().lock(), "SKIPPED {what}: {why}").unwrap();
}

/// Runs the claim on a new database of the server.
pub(crate) fn on_postgres<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Store>) -> F) {
    let Ok(admin) = std::env::var("PORTBOOK_TEST_POSTGRES") else {
        return skip(&format!("postgres::{name}"), "PORTBOOK_TEST_POSTGRES names no server");
    };
    block_on(async {
        let database = format!("e{}", Uuid::now_v7().simple());
        let store = postgres_store(&admin, &database).await;
        claim(Arc::clone(&store)).await;
        store.endpoint.shutdown().await;
        connect(&admin).await.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)")).await.unwrap();
    });
}

async fn run_on_mariadb(url: &str, sql: &str) {
    use mysql_async::prelude::Queryable as _;
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    conn.query_drop("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'").await.unwrap();
    conn.query_drop(sql).await.unwrap();
    conn.disconnect().await.unwrap();
}

/// Runs the claim on a new database of the server.
pub(crate) fn on_mariadb<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Store>) -> F) {
    let Ok(admin) = std::env::var("PORTBOOK_TEST_MARIADB") else {
        return skip(&format!("mariadb::{name}"), "PORTBOOK_TEST_MARIADB names no server");
    };
    block_on(async {
        let database = format!("e{}", Uuid::now_v7().simple());
        let store = mariadb_store(&admin, &database).await;
        claim(Arc::clone(&store)).await;
        store.endpoint.shutdown().await;
        run_on_mariadb(&admin, &format!("DROP DATABASE {database}")).await;
    });
}

/// A new database of that name.
pub(crate) async fn postgres_store(admin: &str, database: &str) -> Arc<Store> {
    connect(admin).await.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    let mut url = url::Url::parse(admin).unwrap();
    url.set_path(database);
    Store::new(DbType::Postgres, At::Postgres(url.to_string()), options_of(&url, database))
}

/// The same of MariaDB.
pub(crate) async fn mariadb_store(admin: &str, database: &str) -> Arc<Store> {
    run_on_mariadb(admin, &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await;
    let mut url = url::Url::parse(admin).unwrap();
    url.set_path(database);
    Store::new(DbType::MySql, At::MariaDb(url.to_string()), options_of(&url, database))
}

fn options_of(url: &url::Url, database: &str) -> DatabaseOptions {
    let mut options = DatabaseOptions::at(url.host_str().unwrap(), database);
    options.port = url.port();
    options.user = url.username().into();
    options.password = url.password().map(|password| password.to_owned().into());
    options
}
