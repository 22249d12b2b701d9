//! Servers that say what no server says: an error comes of it, never a panic, a hang or rows that nobody sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portbook::model::Datum;

use super::{Table, around, column, endpoint, options_at, run, t, word};
use crate::fixture::{integer, scan_of};
use crate::tds::{Answer, Cell, Request, TdsOptions, TdsServer, Trouble, Type};

fn table() -> Table {
    Table::keyed(vec![column("id", "int", (4, 10, 0)), column("a", "nvarchar", (-1, 0, 0))], &["id"])
}

fn rows() -> Answer {
    let row = |id| vec![Cell::Int(id), Cell::Bytes(vec![b'a', 0, b'b', 0])];
    Answer::rows(&[("", Type::Int(4)), ("", Type::VarBinary(crate::tds::MAX))], (1..=4).map(row).collect())
}

/// What a scan makes of what the server answers to the statement of that number.
async fn scanned(server: &TdsServer) -> portbook::Result<Vec<Vec<Datum>>> {
    let mut options = options_at(server);
    options.configure(r#"{"statement_timeout_ms": 400, "connect_timeout_ms": 2000}"#).unwrap();
    let endpoint = endpoint(options);
    let mut stream = endpoint.scan(scan_of(&t(), &["id", "a"])).await?;
    let mut rows = Vec::new();
    while let Some(page) = stream.next().await? {
        rows.extend(crate::fixture::data(&page));
    }
    Ok(rows)
}

/// Numbers that look like chance, the same in each run.
fn chance(seed: usize) -> usize {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as usize
}

#[test]
fn an_answer_with_a_wrong_byte_is_an_error_or_another_value() {
    run(async {
        let seed = Arc::new(AtomicUsize::new(0));
        let next = Arc::clone(&seed);
        let server = TdsServer::start(TdsOptions::default(), move |request: &Request| {
            if !request.sql().is_some_and(|sql| sql.starts_with("SELECT t.[id]")) {
                return around(request, &table());
            }
            let (mut bytes, seed) = (rows().encode(), next.load(Ordering::SeqCst));
            let place = chance(seed) % bytes.len();
            bytes[place] ^= 1 << (chance(seed + 7) % 8);
            Answer::troubled(Trouble::Raw(bytes))
        });
        let mut failed = 0;
        for number in 0..120 {
            seed.store(number, Ordering::SeqCst);
            match scanned(&server).await {
                Ok(rows) => assert!(rows.len() <= 4, "{number}: {rows:?}"),
                Err(_) => failed += 1,
            }
        }
        assert!(failed > 20, "{failed} of 120");
    });
}

#[test]
fn an_answer_that_is_cut_anywhere_is_no_good_end() {
    run(async {
        let length = rows().encode().len() + 8;
        let cut = Arc::new(AtomicUsize::new(0));
        let at = Arc::clone(&cut);
        let server = TdsServer::start(TdsOptions::default(), move |request: &Request| {
            if !request.sql().is_some_and(|sql| sql.starts_with("SELECT t.[id]")) {
                return around(request, &table());
            }
            Answer { trouble: Some(Trouble::CutAfter(at.load(Ordering::SeqCst))), ..rows() }
        });
        for bytes in (0..length).step_by(3) {
            cut.store(bytes, Ordering::SeqCst);
            assert!(scanned(&server).await.is_err(), "{bytes} of {length} bytes");
        }
        cut.store(length, Ordering::SeqCst);
        let expected: Vec<_> = (1..=4).map(|id| vec![integer(id), Datum::Text("ab".into())]).collect();
        assert_eq!(scanned(&server).await.unwrap(), expected);
    });
}

#[test]
fn a_catalogue_of_nonsense_is_an_error() {
    run(async {
        for answer in [
            Answer::nothing(),
            Answer::rows(&[("", Type::NVarChar(20))], vec![vec![word("no")]]),
            Answer::troubled(Trouble::Raw(vec![0x81, 0xff, 0xff])),
            Answer::troubled(Trouble::Raw(vec![0xd1; 100])),
            Answer::troubled(Trouble::Raw(Vec::new())),
            Answer::fails(50_000, 16, ""),
        ] {
            let said = format!("{answer:?}");
            let server = TdsServer::start(TdsOptions::default(), move |request: &Request| match request.sql() {
                Some(sql) if sql.starts_with("DECLARE @id") => answer.clone(),
                _ => around(request, &table()),
            });
            assert!(scanned(&server).await.is_err(), "{said}");
        }
    });
}
