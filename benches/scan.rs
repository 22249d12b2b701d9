//! A whole table out of PostgreSQL into canonical encoding: rows a second.
//!
//! `cargo bench --bench scan -- --postgres URL [--rows ROWS] [--rounds ROUNDS]`. The table has 12 columns and about 165
//! bytes a row (1,000,000 rows unless told); it is made in the database of the URL and dropped at the end. Each round
//! scans it by one connection and by four, and hashes nothing.

use std::time::Instant;

use portbook::endpoint::{DatabaseOptions, Endpoint, PostgresEndpoint, Scan, TableName};

const COLUMNS: [&str; 12] =
    ["id", "sku", "name", "price", "quantity", "weight", "active", "note", "made", "seen", "ref", "tag"];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, usual: u64| after(name).and_then(|number| number.parse().ok()).unwrap_or(usual);
    let Some(url) = after("--postgres") else { return println!("--postgres URL is needed") };
    let (rows, rounds) = (number("--rows", 1_000_000), number("--rounds", 5));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(url, rows, rounds));
}

async fn run(url: &str, rows: u64, rounds: u64) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let make = format!(
        "DROP TABLE IF EXISTS portbook_scan;
         CREATE TABLE portbook_scan (id int8 PRIMARY KEY, sku varchar(20), name text, price numeric(12,2), quantity int4,
             weight float8, active bool, note text, made timestamptz, seen date, ref uuid, tag int2);
         INSERT INTO portbook_scan SELECT i, 'SKU-' || i, 'article number ' || i, i / 100.0, i % 1000, i / 7.0, i % 2 = 0,
             'a remark of some length on ' || i, timestamptz '2024-01-01' + i * interval '1 second', date '2024-01-01' + i % 365,
             md5(i::text)::uuid, i % 100 FROM generate_series(1, {rows}::int4) i;
         VACUUM ANALYZE portbook_scan;"
    );
    for statement in make.split_inclusive(';') {
        client.batch_execute(statement).await.unwrap();
    }
    let at = url::Url::parse(url).unwrap();
    let mut options = DatabaseOptions::at(at.host_str().unwrap(), at.path().trim_start_matches('/'));
    (options.port, options.user) = (at.port(), at.username().into());
    let endpoint = PostgresEndpoint::new(options).unwrap();
    for parallel in [1, 4] {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            rates.push(scan(&endpoint, rows, parallel).await);
        }
        rates.sort_by(f64::total_cmp);
        println!("{{\"readers\":{parallel},\"rows_per_s\":{:.0}}}", rates[rates.len() / 2]);
    }
    client.batch_execute("DROP TABLE portbook_scan").await.unwrap();
}

async fn scan(endpoint: &PostgresEndpoint, rows: u64, parallel: usize) -> f64 {
    let columns = COLUMNS.iter().map(|&name| name.to_owned()).collect();
    let scan = Scan { table: TableName::new("", "portbook_scan"), columns, page_rows: 4096, parallel };
    let begin = Instant::now();
    let mut stream = endpoint.scan(scan).await.unwrap();
    let mut seen = 0;
    while let Some(page) = stream.next().await.unwrap() {
        seen += page.rows.len() as u64;
    }
    assert_eq!(seen, rows);
    rows as f64 / begin.elapsed().as_secs_f64()
}
