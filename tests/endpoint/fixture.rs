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
#[derive(Clone, Debug)]
pub(crate) enum At {
    File(PathBuf),
    Postgres(String),
    /// MySQL and MariaDB, which the endpoint tells apart by themselves.
    MySql(Flavour, String),
}

/// Which of the two that speak the protocol of MySQL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flavour {
    MySql,
    MariaDb,
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
        let endpoint = open(self.product, options.clone()).unwrap();
        Self { endpoint, at: self.at.clone(), options, product: self.product }
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        match &self.at {
            At::File(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            At::Postgres(url) => connect(url).await.batch_execute(sql).await.unwrap(),
            At::MySql(_, url) => run_on_mysql(url, sql).await,
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

    /// Which server of the family of MySQL it is.
    pub(crate) fn flavour(&self) -> Flavour {
        match self.at {
            At::MySql(flavour, _) => flavour,
            At::File(_) | At::Postgres(_) => panic!("only MySQL and MariaDB are two"),
        }
    }

    /// The numbers from 1 on as something to select from, in a column `i`.
    pub(crate) fn numbers(&self, count: i64) -> String {
        match self.product {
            DbType::Postgres => format!("generate_series(1, {count}) i"),
            DbType::MySql => {
                let list = format!("CONCAT('[0', REPEAT(',0', {count} - 1), ']')");
                format!("JSON_TABLE({list}, '$[*]' COLUMNS (i FOR ORDINALITY)) i")
            }
            other => panic!("no numbers on {other:?}"),
        }
    }

    /// Ends all connections to the database but its own, as a server does that is restarted.
    pub(crate) async fn cut(&self) {
        match &self.at {
            At::Postgres(_) => {
                let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                self.run(all).await;
            }
            At::MySql(_, url) => {
                use mysql_async::prelude::Queryable as _;
                let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
                let all = "SELECT id FROM information_schema.processlist \
                           WHERE db = database() AND id <> connection_id()";
                let ids: Vec<u64> = conn.query(all).await.unwrap();
                for id in ids {
                    // It may have gone by itself.
                    let _ = conn.query_drop(format!("KILL {id}")).await;
                }
                conn.disconnect().await.unwrap();
            }
            At::File(_) => unreachable!("files have no connections"),
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

/// Each claim becomes a test on each of these: `on! { [mariadb, mysql] { module::claim; } }`. A claim takes a new database.
macro_rules! on {
    ([$($server:ident),*] $claims:tt) => { $(mod $server { crate::fixture::on_one! { $server $claims } })* };
}

macro_rules! on_one {
    ($server:ident { $($module:ident :: $claim:ident;)* }) => {
        $(#[test] fn $claim() {
            crate::fixture::$server(concat!(stringify!($server), "::", stringify!($claim)), crate::$module::$claim);
        })*
    };
}

pub(crate) use {on, on_one};

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work);
}

/// Runs the claim on a new file.
pub(crate) fn sqlite<F: Future<Output = ()>>(_: &str, claim: impl Fn(Arc<Store>) -> F) {
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

/// Runs the claim on a new database of the server that `PORTBOOK_TEST_POSTGRES` names.
pub(crate) fn postgres<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Store>) -> F) {
    on_server(name, Server::Postgres, claim);
}

/// The same of `PORTBOOK_TEST_MARIADB`.
pub(crate) fn mariadb<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Store>) -> F) {
    on_server(name, Server::MySql(Flavour::MariaDb), claim);
}

/// The same of `PORTBOOK_TEST_MYSQL`.
pub(crate) fn mysql<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Store>) -> F) {
    on_server(name, Server::MySql(Flavour::MySql), claim);
}

/// Says that a claim was not looked at. Not println!, which the harness keeps to itself.
pub(crate) fn skip(what: &str, why: &str) {
    writeln!(std::io::stdout().lock(), "SKIPPED {what}: {why}").unwrap();
}

/// The servers of which the tests know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Server {
    Postgres,
    MySql(Flavour),
}

impl Server {
    /// What names a running one, and what names the options of one of a test's own.
    pub(crate) fn variables(self) -> (&'static str, &'static str) {
        match self {
            Self::Postgres => ("PORTBOOK_TEST_POSTGRES", "PORTBOOK_POSTGRES_OPTIONS"),
            Self::MySql(Flavour::MariaDb) => ("PORTBOOK_TEST_MARIADB", "PORTBOOK_MARIADB_OPTIONS"),
            Self::MySql(Flavour::MySql) => ("PORTBOOK_TEST_MYSQL", "PORTBOOK_MYSQL_OPTIONS"),
        }
    }

    /// A new database of that name.
    pub(crate) async fn store(self, admin: &str, database: &str) -> Arc<Store> {
        let mut url = url::Url::parse(admin).unwrap();
        url.set_path(database);
        let options = options_of(&url, database);
        match self {
            Self::Postgres => {
                connect(admin).await.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
                Store::new(DbType::Postgres, At::Postgres(url.into()), options)
            }
            Self::MySql(flavour) => {
                run_on_mysql(admin, &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await;
                Store::new(DbType::MySql, At::MySql(flavour, url.into()), options)
            }
        }
    }

    async fn drop(self, admin: &str, database: &str) {
        match self {
            Self::Postgres => {
                let drop = format!("DROP DATABASE {database} WITH (FORCE)");
                connect(admin).await.batch_execute(&drop).await.unwrap();
            }
            Self::MySql(_) => run_on_mysql(admin, &format!("DROP DATABASE {database}")).await,
        }
    }
}

fn on_server<F: Future<Output = ()>>(name: &str, server: Server, claim: impl Fn(Arc<Store>) -> F) {
    let (variable, _) = server.variables();
    let Ok(admin) = std::env::var(variable) else {
        return skip(name, &format!("{variable} names no server"));
    };
    block_on(async {
        let database = format!("e{}", Uuid::now_v7().simple());
        let store = server.store(&admin, &database).await;
        claim(Arc::clone(&store)).await;
        store.endpoint.shutdown().await;
        server.drop(&admin, &database).await;
    });
}

async fn run_on_mysql(url: &str, sql: &str) {
    use mysql_async::prelude::Queryable as _;
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    conn.query_drop("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'").await.unwrap();
    conn.query_drop(sql).await.unwrap();
    conn.disconnect().await.unwrap();
}

fn options_of(url: &url::Url, database: &str) -> DatabaseOptions {
    let mut options = DatabaseOptions::at(url.host_str().unwrap(), database);
    options.port = url.port();
    options.user = url.username().into();
    options.password = url.password().map(|password| password.to_owned().into());
    options
}
