//! Writing rows: what is said of each, and what is done when a row, the transaction or the line breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use portbook::Code;
use portbook::endpoint::{ContentGuard, Expect, RowAction, RowOutcome, WriteBatch};
use portbook::identity::{ContentHasher, RowBatch};
use portbook::model::Datum;

use super::{Table, column, run, scripted, t, word};
use crate::fixture::{integer, names, text, words};
use crate::tds::{Answer, Cell, Request, Trouble, Type};

/// A table of two columns in memory, which does what the statements of the endpoint say. It finds out what they say by how
/// they begin and by what is given to them.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<i64, Cell>,
    /// What was there when the transaction began.
    before: Option<BTreeMap<i64, Cell>>,
    /// Numbers that end the transaction.
    fatal: Vec<i64>,
    is_doomed: bool,
    on_commit: Option<Trouble>,
}

fn places(places: Vec<i64>) -> Answer {
    Answer::rows(&[("place", Type::INT)], places.into_iter().map(|place| vec![Cell::Int(place)]).collect())
}

impl Rows {
    fn answer(&mut self, request: &Request) -> Option<Answer> {
        let id = |cell: &Cell| match cell {
            Cell::Int(id) => *id,
            other => panic!("{other:?} is no key"),
        };
        match request {
            Request::Begin(_) | Request::Attention => return None,
            Request::Commit => {
                self.before = None;
                return self.on_commit.clone().map(Answer::troubled);
            }
            Request::Rollback => return None,
            Request::Sql { .. } => {}
        }
        let (sql, values) = (request.sql()?, request.values());
        if sql.starts_with("DECLARE @id") {
            return None;
        }
        if sql.starts_with("IF @@TRANCOUNT > 0 ROLLBACK") {
            self.is_doomed = false;
            return Some(Answer::nothing());
        }
        if sql.contains("XACT_STATE") {
            return Some(places(vec![if self.is_doomed { 0 } else { 1 }]));
        }
        let before = self.before.get_or_insert_with(|| self.rows.clone()).clone();
        let refused = |number, sentence| Some(Answer::fails(number, 14, sentence));
        if sql.starts_with("INSERT") {
            let given: Vec<_> = values.chunks(2).map(|row| (id(&row[0]), row[1].clone())).collect();
            if given.iter().any(|(id, _)| self.fatal.contains(id)) {
                (self.is_doomed, self.rows) = (true, before);
                self.before = None;
                return refused(245, "Conversion failed when converting the nvarchar value 'secret' to data type int.");
            }
            let mut after = self.rows.clone();
            for (id, value) in given {
                if value == Cell::Null {
                    return refused(515, "Cannot insert the value NULL into column 'a'.");
                }
                if after.insert(id, value).is_some() {
                    return refused(
                        2627,
                        "Violation of PRIMARY KEY constraint 'PK_t'. The duplicate key value is (9).",
                    );
                }
            }
            self.rows = after;
            return Some(places(vec![values.len() as i64 / 2]));
        }
        let is_update = sql.contains("UPDATE t SET");
        let width = if is_update { 2 } else { 1 };
        let mut there = Vec::new();
        for (place, row) in values.chunks(width).enumerate() {
            let key = id(&row[width - 1]);
            let Some(held) = self.rows.get_mut(&key) else { continue };
            there.push(place as i64);
            if is_update {
                *held = row[0].clone();
            } else if sql.contains("DELETE t") {
                self.rows.remove(&key);
            }
        }
        if sql.contains("WITH (UPDLOCK)") {
            let row = |place: &i64| {
                let key = id(&values[*place as usize]);
                let Cell::Text(value) = &self.rows[&key] else { panic!("a text") };
                let wide = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
                vec![Cell::Int(*place), Cell::Bytes(wide)]
            };
            let rows = there.iter().map(row).collect();
            return Some(Answer::rows(&[("place", Type::INT), ("a", Type::VarBinary(40))], rows));
        }
        Some(places(there))
    }
}

struct Fixture {
    server: crate::tds::TdsServer,
    endpoint: Arc<dyn portbook::endpoint::Endpoint>,
    rows: Arc<Mutex<Rows>>,
}

impl Fixture {
    /// With the rows 1 to 3.
    fn new(change: impl FnOnce(&mut Rows)) -> Self {
        let mut rows = Rows { rows: (1..=3).map(|id| (id, word("a"))).collect(), ..Rows::default() };
        change(&mut rows);
        let rows = Arc::new(Mutex::new(rows));
        let script = Arc::clone(&rows);
        let table = Table::keyed(vec![column("id", "int", (4, 10, 0)), column("a", "nvarchar", (40, 0, 0))], &["id"]);
        let (server, endpoint) = scripted(table, move |request| script.lock().unwrap().answer(request));
        Self { server, endpoint, rows }
    }

    async fn write(&self, action: RowAction) -> portbook::Result<Vec<RowOutcome>> {
        self.endpoint.write(WriteBatch { table: t(), key: names(&["id"]), action }).await
    }

    async fn insert(&self, rows: &[(i128, Datum)]) -> Vec<RowOutcome> {
        let rows: Vec<_> = rows.iter().map(|(id, value)| vec![integer(*id), value.clone()]).collect();
        let rows = RowBatch::of(2, &rows).unwrap();
        self.write(RowAction::Insert { columns: names(&["id", "a"]), rows }).await.unwrap()
    }

    fn ids(&self) -> Vec<i64> {
        self.rows.lock().unwrap().rows.keys().copied().collect()
    }
}

fn one(values: &[Datum]) -> RowBatch {
    RowBatch::of(1, &values.iter().map(|value| vec![value.clone()]).collect::<Vec<_>>()).unwrap()
}

fn update(ids: &[i128], value: &str, expect: Expect) -> RowAction {
    let keys: Vec<_> = ids.iter().map(|id| integer(*id)).collect();
    RowAction::Update { keys: one(&keys), columns: names(&["a"]), rows: one(&vec![text(value); ids.len()]), expect }
}

#[test]
fn a_row_that_is_there_is_not_made_again() {
    run(async {
        let fixture = Fixture::new(|_| {});
        let outcomes = fixture.insert(&[(4, text("x")), (2, text("x")), (5, Datum::Null), (6, text("x"))]).await;
        assert_eq!(words(&outcomes), ["written", "exists", "refused", "written"]);
        let RowOutcome::Refused(error) = &outcomes[2] else { panic!() };
        assert_eq!(error.code(), Code::Invalid);
        assert_eq!(fixture.ids(), [1, 2, 3, 4, 6]);
        assert_eq!(fixture.rows.lock().unwrap().rows[&2], word("a"), "it is not overwritten");
    });
}

#[test]
fn rows_that_are_gone_are_said_to_be() {
    run(async {
        let fixture = Fixture::new(|_| {});
        let outcomes = fixture.write(update(&[9, 1], "x", Expect::Any)).await.unwrap();
        assert_eq!(words(&outcomes), ["gone", "written"]);
        // A key that the column cannot have is that of no row, and is not sent.
        let keys = one(&[integer(2), integer(1 << 40), text("2"), integer(8)]);
        let outcomes = fixture.write(RowAction::Delete { keys, expect: Expect::Any }).await.unwrap();
        assert_eq!(words(&outcomes), ["written", "gone", "gone", "gone"]);
        assert_eq!(fixture.ids(), [1, 3]);
        let asked = fixture.server.statements().len();
        let keys = one(&[integer(1 << 40)]);
        let outcomes = fixture.write(RowAction::Delete { keys, expect: Expect::Any }).await.unwrap();
        assert_eq!(words(&outcomes), ["gone"]);
        assert!(!fixture.server.statements()[asked..].iter().any(|sql| sql.contains("DELETE")));
    });
}

#[test]
fn a_row_that_changed_meanwhile_is_left_alone() {
    run(async {
        let fixture = Fixture::new(|rows| drop(rows.rows.insert(2, word("other"))));
        let hasher = ContentHasher::new(&["a"]).unwrap();
        let was = |value: &str| {
            let row = RowBatch::of(1, &[vec![text(value)]]).unwrap();
            Some(hasher.hash(row.row(0).values(0..1)))
        };
        let expected = vec![was("a"), was("a"), was("a"), None];
        let hash = {
            let hasher = hasher.clone();
            Arc::new(move |row: portbook::identity::RowRef<'_>| Ok(hasher.hash(row.values(0..1))))
        };
        let guard = ContentGuard { columns: names(&["a"]), hash, expected };
        let outcomes = fixture.write(update(&[1, 2, 9, 3], "x", Expect::Content(guard))).await.unwrap();
        assert_eq!(words(&outcomes), ["written", "changed", "gone", "written"]);
        assert_eq!(fixture.rows.lock().unwrap().rows[&2], word("other"));
    });
}

#[test]
fn a_row_that_ends_the_transaction_takes_no_other_with_it() {
    run(async {
        let fixture = Fixture::new(|rows| rows.fatal = vec![12]);
        let rows: Vec<_> = (10..20).map(|id| (id, text("x"))).collect();
        let outcomes = fixture.insert(&rows).await;
        let expected: Vec<_> = (10..20).map(|id| if id == 12 { "refused" } else { "written" }).collect();
        assert_eq!(words(&outcomes), expected, "{outcomes:?}");
        let RowOutcome::Refused(error) = &outcomes[2] else { panic!() };
        assert!(error.to_string().contains("(245)") && !error.to_string().contains("secret"), "{error}");
        assert_eq!(fixture.ids(), [1, 2, 3, 10, 11, 13, 14, 15, 16, 17, 18, 19]);
    });
}

#[test]
fn more_rows_than_a_statement_takes_are_several_statements() {
    run(async {
        let fixture = Fixture::new(|_| {});
        let rows: Vec<_> = (10..2510).map(|id| (id, text("x"))).collect();
        assert!(words(&fixture.insert(&rows).await).iter().all(|word| *word == "written"));
        let seen = fixture.server.seen().requests;
        let sizes: Vec<_> = seen.iter().map(|request| request.values().len()).filter(|count| *count > 1).collect();
        assert_eq!(sizes, [2000, 2000, 1000], "two of 2,100 parameters are the statement's own");
        assert_eq!(fixture.ids().len(), 2503);
    });
}

#[test]
fn an_answer_to_a_commit_that_is_lost_leaves_what_was_written_unknown() {
    run(async {
        for trouble in [Trouble::Cut, Trouble::CutAfter(9), Trouble::Raw(vec![0x55; 40])] {
            let fixture = Fixture::new(|rows| rows.on_commit = Some(trouble.clone()));
            let outcomes = fixture.insert(&[(4, text("x")), (2, text("x")), (5, text("x"))]).await;
            assert_eq!(words(&outcomes), ["unknown", "exists", "unknown"], "{trouble:?}: {outcomes:?}");
        }
    });
}

#[test]
fn a_line_that_breaks_before_is_an_error() {
    run(async {
        let table = Table::keyed(vec![column("id", "int", (4, 10, 0)), column("a", "nvarchar", (40, 0, 0))], &["id"]);
        let script = |request: &Request| request.sql()?.starts_with("INSERT").then(|| Answer::troubled(Trouble::Cut));
        let (_server, endpoint) = scripted(table, script);
        let rows = RowBatch::of(2, &[vec![integer(1), text("x")]]).unwrap();
        let action = RowAction::Insert { columns: names(&["id", "a"]), rows };
        let error = endpoint.write(WriteBatch { table: t(), key: names(&["id"]), action }).await.unwrap_err();
        assert!(matches!(error.code(), Code::Offline | Code::Storage), "{error}");
        // The next call connects again.
        assert!(endpoint.describe(&t()).await.is_ok());
    });
}

#[test]
fn a_table_that_is_not_there_is_not_found() {
    run(async {
        let script = |request: &Request| {
            let sql = request.sql()?;
            let empty = || crate::tds::Results { columns: vec![(String::new(), Type::Int(4))], rows: Vec::new() };
            match sql {
                sql if sql.starts_with("DECLARE @id") => Some(Answer::of((0..5).map(|_| empty()).collect())),
                sql if sql.contains("COUNT_BIG") => Some(Answer::fails(208, 16, "Invalid object name 'dbo.t'.")),
                _ => None,
            }
        };
        let (_server, endpoint) = scripted(Table::default(), script);
        assert_eq!(endpoint.describe(&t()).await.unwrap_err().code(), Code::NotFound);
        let error = endpoint.count(&t()).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert!(error.to_string().contains("Invalid object name 'dbo.t'. (208)"), "{error}");
    });
}
