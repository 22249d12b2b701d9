//! What has changed: by a `rowversion`, by a time, by Change Tracking; and scans that are of one moment.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use portbook::Code;
use portbook::endpoint::{ChangeScan, ChangeSource, Cursor, Deletions, Endpoint};
use portbook::model::{CursorType, Datum};

use super::{Table, column, run, scripted, t};
use crate::fixture::{integer, names, scan_of};
use crate::tds::{Answer, Cell, Isolation, Request, Trouble, Type};

fn counted() -> Table {
    Table::keyed(vec![column("id", "int", (4, 10, 0)), column("rank", "timestamp", (8, 0, 0))], &["id"])
}

/// The ids of rows that are there, and of those that are gone; where the next reading begins, and what is said of deletions.
async fn changes(
    endpoint: &Arc<dyn Endpoint>,
    by: ChangeSource,
    since: Option<Cursor>,
) -> portbook::Result<(Vec<i128>, Vec<i128>, Cursor, Deletions)> {
    let (columns, key) = (names(&["id"]), names(&["id"]));
    let scan = ChangeScan { table: t(), columns, key, by, since, page_rows: 2 };
    let mut stream = endpoint.changes(scan).await?;
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    while let Some(page) = stream.next().await? {
        for (rows, ids) in [(&page.rows, &mut there), (&page.deleted, &mut gone)] {
            ids.extend(rows.iter().map(|row| match row.datum(0).unwrap() {
                Datum::Integer(id) => id,
                other => panic!("{other:?}"),
            }));
        }
    }
    let end = stream.end()?;
    Ok((there, gone, end.cursor, end.deletions))
}

fn by_rank() -> ChangeSource {
    ChangeSource::UpdatedAt { column: "rank".into(), overlap_ms: 0 }
}

#[test]
fn a_rowversion_is_read_up_to_what_is_under_way() {
    run(async {
        // Rows and their ranks; what is under way.
        let rows = Arc::new(Mutex::new(vec![(1, 100), (2, 101), (3, 107)]));
        let active = Arc::new(AtomicI64::new(105));
        let (shown, bound) = (Arc::clone(&rows), Arc::clone(&active));
        let script = move |request: &Request| {
            let sql = request.sql()?;
            let big = Type::Int(8);
            if sql.contains("MIN_ACTIVE_ROWVERSION") {
                return Some(Answer::rows(&[("", big)], vec![vec![Cell::Int(bound.load(Ordering::SeqCst))]]));
            }
            let rows = shown.lock().unwrap();
            let last = || rows.iter().max_by_key(|(_, rank)| *rank).unwrap();
            if sql.starts_with("SELECT TOP (1)") {
                let (id, rank) = last();
                return Some(Answer::rows(&[("", big), ("", Type::INT)], vec![vec![Cell::Int(*rank), Cell::Int(*id)]]));
            }
            if !sql.starts_with("SELECT t.[id]") {
                return None;
            }
            let is_read = |(id, rank): &&(i64, i64)| match request.values() {
                [] => true,
                [Cell::Int(from)] => rank >= from,
                [Cell::Int(from), Cell::Int(key)] => (rank, id) > (from, key),
                other => panic!("{other:?}"),
            };
            let found = rows.iter().filter(is_read).map(|(id, _)| vec![Cell::Int(*id)]).collect();
            Some(Answer::rows(&[("", Type::INT)], found))
        };
        let (server, endpoint) = scripted(counted(), script);
        let (there, _, first, deletions) = changes(&endpoint, by_rank(), None).await.unwrap();
        assert_eq!((there, deletions), (vec![1, 2, 3], Deletions::ByAbsence));
        // Row 4 was counted before row 3 and committed after it: it comes, and row 3 once more.
        rows.lock().unwrap().push((4, 105));
        active.store(108, Ordering::SeqCst);
        let (there, _, second, deletions) = changes(&endpoint, by_rank(), Some(first)).await.unwrap();
        assert_eq!((there, deletions), (vec![3, 4], Deletions::Unknown));
        let (there, _, third, _) = changes(&endpoint, by_rank(), Some(second.clone())).await.unwrap();
        assert_eq!((there, &third), (vec![], &second));
        rows.lock().unwrap().push((5, 109));
        let (there, ..) = changes(&endpoint, by_rank(), Some(third)).await.unwrap();
        assert_eq!(there, [5]);
        // The bound was asked for before the snapshot was taken.
        let seen = server.seen().requests;
        let asked =
            seen.iter().position(|request| request.sql().is_some_and(|sql| sql.contains("MIN_ACTIVE"))).unwrap();
        let begun = seen.iter().position(|request| *request == Request::Begin(Isolation::Snapshot)).unwrap();
        assert!(asked < begun);
    });
}

/// Change Tracking of a table: versions, rows, and what changed after which version.
struct Tracked {
    newest: i64,
    oldest: Cell,
    /// Key, version of its last change, whether it is there.
    keys: Vec<(i64, i64, bool)>,
}

fn tracked(state: Arc<Mutex<Tracked>>) -> impl Fn(&Request) -> Option<Answer> + Send + Sync {
    move |request: &Request| {
        let sql = request.sql()?;
        let state = state.lock().unwrap();
        let int = Type::INT;
        if sql.contains("CHANGE_TRACKING_CURRENT_VERSION") {
            let row = vec![Cell::Int(state.newest), state.oldest.clone()];
            return Some(Answer::rows(&[("", Type::Int(8)), ("", Type::Int(8))], vec![row]));
        }
        if sql.contains("CHANGETABLE") {
            let [Cell::Int(since)] = request.values() else { panic!("{request:?}") };
            let changed = state.keys.iter().filter(|(_, version, _)| version > since);
            let row = |(key, _, is_there): &(i64, i64, bool)| {
                let row = if *is_there { Cell::Int(*key) } else { Cell::Null };
                vec![Cell::Int((*is_there).into()), Cell::Int(*key), row]
            };
            let columns = [("", int), ("", int), ("", Type::Int(4))];
            return Some(Answer::rows(&columns, changed.map(row).collect()));
        }
        let there = state.keys.iter().filter(|(.., is_there)| *is_there).map(|(key, ..)| vec![Cell::Int(*key)]);
        sql.starts_with("SELECT t.[id]").then(|| Answer::rows(&[("", int)], there.collect()))
    }
}

fn by_log() -> ChangeSource {
    ChangeSource::Log { name: "any".into() }
}

fn stands_at(version: &str) -> Cursor {
    Cursor { cursor_type: CursorType::Lsn, value: version.into() }
}

#[test]
fn change_tracking_tells_of_rows_and_of_those_that_are_gone() {
    run(async {
        let keys = vec![(1, 10, true), (2, 10, true), (3, 10, true)];
        let state = Arc::new(Mutex::new(Tracked { newest: 10, oldest: Cell::Int(0), keys }));
        let (server, endpoint) = scripted(counted(), tracked(Arc::clone(&state)));
        let (there, gone, first, deletions) = changes(&endpoint, by_log(), None).await.unwrap();
        assert_eq!((there, gone, deletions), (vec![1, 2, 3], vec![], Deletions::ByAbsence));
        assert_eq!(first, stands_at("10"));
        {
            let mut state = state.lock().unwrap();
            (state.newest, state.keys[1], state.keys[2]) = (14, (2, 11, false), (3, 13, true));
            state.keys.extend([(4, 12, true), (5, 14, false), (6, 14, true)]);
        }
        let (there, gone, second, deletions) = changes(&endpoint, by_log(), Some(first.clone())).await.unwrap();
        assert_eq!((there, gone, deletions), (vec![3, 4, 6], vec![2, 5], Deletions::Listed));
        // Whoever did not keep the cursor reads the same again; whoever did, nothing.
        assert_eq!(changes(&endpoint, by_log(), Some(first.clone())).await.unwrap().0, [3, 4, 6]);
        let (there, gone, third, _) = changes(&endpoint, by_log(), Some(second.clone())).await.unwrap();
        assert_eq!((there, gone, &third), (vec![], vec![], &second));
        // The server threw away what came after it (its retention, or TRUNCATE); the database was restored.
        state.lock().unwrap().oldest = Cell::Int(12);
        assert_eq!(changes(&endpoint, by_log(), Some(first)).await.unwrap_err().code(), Code::Stale);
        assert!(changes(&endpoint, by_log(), Some(second)).await.is_ok());
        assert_eq!(changes(&endpoint, by_log(), Some(stands_at("99"))).await.unwrap_err().code(), Code::Stale);
        assert_eq!(changes(&endpoint, by_log(), Some(stands_at("0/16B3748"))).await.unwrap_err().code(), Code::Stale);
        // The version is asked for before a row is read.
        let told = |what: &str| server.statements().iter().position(|sql| sql.contains(what)).unwrap();
        assert!(told("CHANGE_TRACKING_CURRENT_VERSION") < told("SELECT t.[id]"));
    });
}

#[test]
fn what_is_thrown_away_while_it_is_read_is_noticed() {
    run(async {
        let asked = Arc::new(AtomicI64::new(0));
        let state = Arc::new(Mutex::new(Tracked { newest: 20, oldest: Cell::Int(0), keys: vec![(1, 15, true)] }));
        let script = tracked(Arc::clone(&state));
        let count = Arc::clone(&asked);
        let (_server, endpoint) = scripted(counted(), move |request| {
            let answer = script(request);
            if request.sql().is_some_and(|sql| sql.contains("CHANGETABLE")) {
                count.fetch_add(1, Ordering::SeqCst);
                state.lock().unwrap().oldest = Cell::Int(18);
            }
            answer
        });
        assert_eq!(changes(&endpoint, by_log(), Some(stands_at("10"))).await.unwrap_err().code(), Code::Stale);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_table_that_is_not_tracked_says_so() {
    run(async {
        let state = Arc::new(Mutex::new(Tracked { newest: 10, oldest: Cell::Null, keys: Vec::new() }));
        let (_server, endpoint) = scripted(counted(), tracked(state));
        let error = changes(&endpoint, by_log(), None).await.unwrap_err();
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.advice().contains("CHANGE_TRACKING"), "{error}");
        // Of rows that are gone only the primary key is told.
        let by_other = ChangeScan {
            table: t(),
            columns: names(&["id"]),
            key: names(&["rank"]),
            by: by_log(),
            since: None,
            page_rows: 2,
        };
        assert_eq!(endpoint.changes(by_other).await.err().unwrap().code(), Code::Unsupported);
        let feed = changes(&endpoint, ChangeSource::Feed, None).await;
        assert_eq!(feed.unwrap_err().code(), Code::Unsupported);
    });
}

/// A scan of three rows where snapshots are so, and how it was isolated.
async fn isolated(state: i64, committed: i64) -> (Request, String) {
    let script = move |request: &Request| {
        let sql = request.sql()?;
        if sql.contains("snapshot_isolation_state") {
            let row = vec![Cell::Int(state), Cell::Int(committed)];
            return Some(Answer::rows(&[("", Type::Int(4)), ("", Type::Int(4))], vec![row]));
        }
        let rows = (1..=3).map(|id| vec![Cell::Int(id)]).collect();
        sql.starts_with("SELECT t.[id]").then(|| Answer::rows(&[("", Type::INT)], rows))
    };
    let (server, endpoint) = scripted(counted(), script);
    let mut stream = endpoint.scan(scan_of(&t(), &["id"])).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().rows.len(), 3);
    assert!(stream.next().await.unwrap().is_none());
    let probe = endpoint.probe().await.unwrap();
    let begun = server.seen().requests.into_iter().find(|request| matches!(request, Request::Begin(_))).unwrap();
    (begun, probe.product)
}

#[test]
fn a_scan_is_of_one_moment() {
    run(async {
        let said = "; without snapshots: whoever reads a table keeps others from writing to it";
        for (state, committed, level, is_told) in [
            (1, 0, Isolation::Snapshot, false),
            (1, 1, Isolation::Snapshot, false),
            (0, 1, Isolation::ReadCommitted, false),
            // On its way to on, or to off.
            (3, 0, Isolation::Serializable, true),
            (2, 1, Isolation::ReadCommitted, false),
            (0, 0, Isolation::Serializable, true),
        ] {
            let (begun, product) = isolated(state, committed).await;
            assert_eq!(begun, Request::Begin(level), "{state} {committed}");
            assert_eq!(product.ends_with(said), is_told, "{product}");
        }
    });
}

#[test]
fn a_server_that_stops_in_the_middle_is_an_error() {
    run(async {
        let script = |request: &Request| {
            let rows = (0..5000).map(|id| vec![Cell::Int(id)]).collect();
            let cut = Some(Trouble::CutAfter(12_000));
            let answer = || Answer { trouble: cut, ..Answer::rows(&[("", Type::INT)], rows) };
            request.sql()?.starts_with("SELECT t.[id]").then(answer)
        };
        let (_server, endpoint) = scripted(counted(), script);
        let scan = portbook::endpoint::Scan { page_rows: 100, ..scan_of(&t(), &["id"]) };
        let mut stream = endpoint.scan(scan).await.unwrap();
        let mut seen = 0;
        let error = loop {
            match stream.next().await {
                Ok(Some(page)) => seen += page.rows.len(),
                Ok(None) => panic!("a scan of {seen} rows came to a good end"),
                Err(error) => break error,
            }
        };
        assert!((100..5000).contains(&seen), "{seen} rows");
        assert_eq!(error.code(), Code::Offline, "{error}");
        assert!(stream.next().await.is_err(), "and it stays at its bad end");
        // A rank of an integer is one all the same.
        assert_eq!(
            endpoint.describe(&t()).await.unwrap().column("rank").unwrap().kind,
            Some(integer(1).kind().unwrap())
        );
    });
}
