//! SQL Server, of which there is none here: what is said to it and made of its answers, against a server of the tests' own.

mod cases;
mod changes;
mod connecting;
mod hostile;
mod server;
mod statements;
mod types;
mod writes;

use std::sync::Arc;

use portbook::endpoint::{DatabaseOptions, Endpoint, TableName, open};
use portbook::model::DbType;

use crate::tds::{Answer, Cell, Request, Results, TdsOptions, TdsServer, Type};

const NAME: Type = Type::NVarChar(256);

fn word(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn flag(is_set: bool) -> Cell {
    Cell::Int(is_set.into())
}

/// A column, as the catalogue shows it.
#[derive(Clone)]
struct Column {
    name: &'static str,
    of: &'static str,
    /// Bytes; precision; scale.
    size: (i64, i64, i64),
    collation: Option<(&'static str, i64)>,
    is_nullable: bool,
    is_identity: bool,
    is_computed: bool,
}

fn column(name: &'static str, of: &'static str, size: (i64, i64, i64)) -> Column {
    let is_text = matches!(of, "char" | "varchar" | "text" | "nchar" | "nvarchar" | "ntext");
    let collation = is_text.then_some(("Latin1_General_CI_AS", 1252));
    Column { name, of, size, collation, is_nullable: true, is_identity: false, is_computed: false }
}

/// An index, as the catalogue shows it.
#[derive(Clone)]
struct Index {
    name: &'static str,
    is_unique: bool,
    is_key: bool,
    is_constraint: bool,
    filter: Option<&'static str>,
    columns: Vec<&'static str>,
}

fn unique(name: &'static str, columns: &[&'static str]) -> Index {
    let columns = columns.to_vec();
    Index { name, is_unique: true, is_key: false, is_constraint: false, filter: None, columns }
}

/// A table, as the catalogue shows it.
#[derive(Clone, Default)]
struct Table {
    columns: Vec<Column>,
    indexes: Vec<Index>,
    /// Name, table that is referred to, column.
    references: Vec<(&'static str, &'static str, &'static str)>,
    checks: Vec<(&'static str, &'static str)>,
}

impl Table {
    /// With a primary key of these columns, which are not null.
    fn keyed(mut columns: Vec<Column>, key: &[&'static str]) -> Self {
        columns.iter_mut().filter(|column| key.contains(&column.name)).for_each(|column| column.is_nullable = false);
        let indexes = vec![Index { is_key: true, ..unique("PK_t", key) }];
        Self { columns, indexes, ..Self::default() }
    }

    /// What the catalogue answers.
    fn described(&self) -> Answer {
        let results = |columns: &[Type], rows: Vec<Vec<Cell>>| {
            let columns = columns.iter().enumerate().map(|(at, of)| (format!("c{at}"), *of)).collect();
            Results { columns, rows }
        };
        let (int, bit) = (Type::Int(4), Type::Bit);
        let column = |column: &Column| {
            let (length, precision, scale) = column.size;
            vec![
                word(column.name),
                word(column.of),
                Cell::Int(length),
                Cell::Int(precision),
                Cell::Int(scale),
                flag(column.is_nullable),
                column.collation.map_or(Cell::Null, |(name, _)| word(name)),
                column.collation.map_or(Cell::Null, |(_, page)| Cell::Int(page)),
                Cell::Null,
                flag(column.is_identity),
                flag(column.is_computed),
            ]
        };
        let index = |index: &Index| {
            let flags = [index.is_unique, index.is_key, index.is_constraint].map(flag).to_vec();
            let filter = index.filter.map_or(Cell::Null, word);
            let front = [vec![word(index.name)], flags, vec![filter, word("CLUSTERED")]].concat();
            let of = |column: &&str| [front.clone(), vec![word(column)]].concat();
            index.columns.iter().map(of).collect::<Vec<_>>()
        };
        let max = Type::NVarChar(crate::tds::MAX);
        Answer::of(vec![
            results(&[int, Type::Int(8)], vec![vec![Cell::Int(0), Cell::Int(7)]]),
            results(
                &[NAME, NAME, int, int, int, bit, NAME, int, max, bit, int],
                self.columns.iter().map(column).collect(),
            ),
            results(&[NAME, bit, bit, bit, max, NAME, NAME], self.indexes.iter().flat_map(index).collect()),
            results(
                &[NAME; 4],
                self.references
                    .iter()
                    .map(|(name, to, of)| vec![word(name), word("dbo"), word(to), word(of)])
                    .collect(),
            ),
            results(&[NAME, max], self.checks.iter().map(|(name, said)| vec![word(name), word(said)]).collect()),
        ])
    }
}

/// What is answered to everything that says nothing of rows: the catalogue, settings, snapshots.
fn around(request: &Request, table: &Table) -> Answer {
    let Some(sql) = request.sql() else { return Answer::nothing() };
    let int = |name, cell| Answer::rows(&[(name, Type::Int(4))], vec![vec![Cell::Int(cell)]]);
    if sql.starts_with("DECLARE @id int") {
        table.described()
    } else if sql.contains("snapshot_isolation_state") {
        Answer::rows(&[("", Type::Int(4)), ("", Type::Int(4))], vec![vec![Cell::Int(1), Cell::Int(0)]])
    } else if sql.contains("XACT_STATE") {
        int("", 1)
    } else if sql.contains("ProductVersion") {
        let columns = [("", NAME), ("", NAME), ("", Type::BIGINT), ("", Type::Int(4))];
        let row = vec![word("16.0.4135.4"), word("Developer Edition"), Cell::Int(1_750_000_000), Cell::Int(123)];
        Answer::rows(&columns, vec![row])
    } else {
        Answer::nothing()
    }
}

fn t() -> TableName {
    TableName::new("dbo", "t")
}

fn options_at(server: &TdsServer) -> DatabaseOptions {
    let mut options = DatabaseOptions::at("localhost", "shop");
    options.port = Some(server.port);
    let known = TdsOptions::default();
    options.user = known.user;
    options.password = Some(known.password.into());
    options
}

fn endpoint(options: DatabaseOptions) -> Arc<dyn Endpoint> {
    open(DbType::SqlServer, options).unwrap()
}

/// A server that answers so, and the endpoint on it.
fn scripted(
    table: Table,
    script: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
) -> (TdsServer, Arc<dyn Endpoint>) {
    let answer = move |request: &Request| script(request).unwrap_or_else(|| around(request, &table));
    let server = TdsServer::start(TdsOptions::default(), answer);
    let endpoint = endpoint(options_at(&server));
    (server, endpoint)
}

fn run(claim: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(claim);
}
