//! Rows that both sides changed: kept for a person, decided, carried out; and told apart by clocks.

use std::collections::BTreeMap;
use std::time::Duration;

use portbook::bridge::{
    Definition, RecordClock, RecordCursor, RecordOptions, RowChoice, RowConflict, RowPreviewOptions, parse_fields,
};
use portbook::model::{Datum, RecordMode, RecordPolicy, Side, Sides, SyncEvent};
use portbook::table::Filter;
use portbook::{Code, wait};
use rusqlite::Connection;

use crate::world::{World, counted, fill, people, preview, sync, try_sync};

fn manual() -> RecordOptions {
    RecordOptions { mode: RecordMode::TwoWay, policy: RecordPolicy::Manual, ..RecordOptions::default() }
}

fn waiting(definition: &Definition) -> Vec<RowConflict> {
    wait(definition.conflicts(None, 100)).unwrap()
}

fn set(database: &Connection, id: i64, name: &str, score: f64) {
    let sql = "UPDATE people SET name = ?2, score = ?3 WHERE id = ?1";
    assert_eq!(database.execute(sql, (id, name, score)).unwrap(), 1);
}

/// Three rows in step, of which both sides have changed the second.
fn met(world: &World) -> Definition {
    fill(&world.source(), 0..3);
    let definition = world.connect(manual());
    sync(&definition);
    set(&world.source(), 1, "left", 1.0);
    set(&world.target(), 1, "right", 2.0);
    assert_eq!(sync(&definition).waiting, 1);
    definition
}

/// Decides about the only row that waits.
fn decide(definition: &Definition, choice: RowChoice) {
    let one = waiting(definition).remove(0);
    wait(definition.resolve_conflict(one.id, one.mark, choice)).unwrap();
}

fn second(database: &Connection) -> (String, f64) {
    let row = people(database)[&1].clone();
    (row.0.unwrap(), row.1.unwrap())
}

#[test]
fn a_row_waits_until_a_person_has_decided() {
    for (choice, expected) in [
        (RowChoice::Source, ("left", 1.0)),
        (RowChoice::Target, ("right", 2.0)),
        (RowChoice::Fields([("score".to_owned(), Side::Right)].into()), ("left", 2.0)),
        (
            RowChoice::Fields([("name".to_owned(), Side::Right), ("score".to_owned(), Side::Left)].into()),
            ("right", 1.0),
        ),
    ] {
        let world = World::new();
        let definition = met(&world);
        assert_eq!(waiting(&definition)[0].choice, None);
        decide(&definition, choice.clone());
        let decided = waiting(&definition).remove(0);
        assert_eq!((decided.choice, decided.row.as_str()), (Some(choice.clone()), "1"));
        assert!(decided.decided_at.is_some() && decided.decided_by.is_some());
        assert_eq!(preview(&definition).summary.counts.conflicts, 0, "the preview shows what was decided");
        let report = sync(&definition);
        assert_eq!((report.counts.updated, report.waiting, report.counts.failed), (1, 0, 0), "{choice:?}");
        let expected = (expected.0.to_owned(), expected.1);
        assert_eq!((second(&world.source()), second(&world.target())), (expected.clone(), expected), "{choice:?}");
        assert_eq!(waiting(&definition), []);
        assert!(sync(&definition).counts.is_quiet());
    }
}

#[test]
fn a_deletion_against_a_change_is_decided_as_well() {
    for (choice, remains) in [(RowChoice::Source, false), (RowChoice::Target, true)] {
        let world = World::new();
        fill(&world.source(), 0..3);
        let definition = world.connect(manual());
        sync(&definition);
        world.source().execute_batch("DELETE FROM people WHERE id = 1").unwrap();
        set(&world.target(), 1, "right", 2.0);
        assert_eq!(sync(&definition).waiting, 1);
        let one = waiting(&definition).remove(0);
        assert_eq!(one.is_there, Sides::new(false, true));
        let fields = RowChoice::Fields(BTreeMap::new());
        let refused = wait(definition.resolve_conflict(&one.id, &one.mark, fields)).unwrap_err();
        assert_eq!(refused.code(), Code::Invalid);
        decide(&definition, choice);
        assert_eq!(sync(&definition).counts.failed, 0);
        assert_eq!(people(&world.target()).contains_key(&1), remains);
        assert_eq!(people(&world.source()), people(&world.target()));
        assert_eq!(waiting(&definition), []);
    }
}

#[test]
fn a_decision_about_what_was_there_before_comes_to_nothing() {
    let world = World::new();
    let definition = met(&world);
    decide(&definition, RowChoice::Source);
    let old = waiting(&definition).remove(0);
    set(&world.target(), 1, "again", 3.0);
    assert_eq!(sync(&definition).waiting, 1);
    let one = waiting(&definition).remove(0);
    assert_eq!((one.choice, one.note.is_some()), (None, true));
    assert_eq!((second(&world.source()).0.as_str(), second(&world.target()).0.as_str()), ("left", "again"));
    let stale = wait(definition.resolve_conflict(&old.id, &old.mark, RowChoice::Source)).unwrap_err();
    assert_eq!(stale.code(), Code::Stale);
    let unknown = RowChoice::Fields([("nobody".to_owned(), Side::Left)].into());
    assert_eq!(wait(definition.resolve_conflict(&one.id, &one.mark, unknown)).unwrap_err().code(), Code::Invalid);
    // A preview of the decision is not applied to another state either.
    decide(&definition, RowChoice::Source);
    let made = preview(&definition);
    set(&world.target(), 1, "once more", 4.0);
    let report = wait(definition.apply(made.summary.id, Default::default()).finish()).unwrap();
    assert_eq!((report.stale, second(&world.target()).0.as_str()), (1, "once more"));
    assert_eq!(sync(&definition).waiting, 1);
}

#[test]
fn what_both_sides_hold_is_shown_and_not_kept() {
    let world = World::new();
    let definition = met(&world);
    set(&world.target(), 1, "unmistakable", 2.0);
    assert_eq!(sync(&definition).waiting, 1);
    let one = waiting(&definition).remove(0);
    let seen = wait(definition.inspect_conflict(&one.id)).unwrap();
    assert_eq!(seen.conflict, one);
    assert_eq!(wait(definition.conflicts(Some(one.id.clone()), 100)).unwrap(), []);
    assert_eq!(wait(definition.conflicts(Some("no id".into()), 100)).unwrap_err().code(), Code::Invalid);
    let told: Vec<_> = seen.fields.iter().map(|field| (field.target.as_str(), field.is_same)).collect();
    assert_eq!(told, [("id", true), ("name", false), ("photo", true), ("score", false)]);
    let text = |text: &str| Some(Datum::Text(text.into()));
    assert_eq!(seen.fields[1].values, Sides::new(text("left"), text("unmistakable")));
    // Both become the same by hand: nothing waits any more.
    set(&world.target(), 1, "left", 1.0);
    assert!(sync(&definition).is_in_step());
    assert_eq!(waiting(&definition), []);
    assert_eq!(wait(definition.inspect_conflict(&one.id)).unwrap_err().code(), Code::NotFound);
    let book = std::fs::read(world.path("book.db")).unwrap();
    let log = std::fs::read(world.path("book.db-wal")).unwrap_or_default();
    let has = |hay: &[u8]| hay.windows(12).any(|part| part == b"unmistakable");
    assert!(!has(&book) && !has(&log), "what rows hold is not in the book");
}

#[test]
pub(crate) fn a_row_that_waits_is_met_again_whatever_the_cursor_says() {
    let world = World::bare();
    let made = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL, photo BLOB, changed_at TIMESTAMP)";
    world.source().execute_batch(made).unwrap();
    world.target().execute_batch(made).unwrap();
    let insert =
        "INSERT INTO people VALUES (1, 'x', 1, NULL, '2026-01-01 10:00:00'), (2, 'y', 1, NULL, '2026-01-01 10:00:00')";
    world.source().execute_batch(insert).unwrap();
    let cursor = RecordCursor::Column { column: "changed_at".into(), overlap: Duration::ZERO };
    let definition = world.connect(RecordOptions { cursor, ..manual() });
    sync(&definition);
    let touch = "UPDATE people SET name = 'left', changed_at = '2026-01-02 10:00:00' WHERE id = 1";
    world.source().execute_batch(touch).unwrap();
    world.target().execute_batch("UPDATE people SET name = 'right' WHERE id = 1").unwrap();
    for _ in 0..3 {
        assert_eq!((sync(&definition).waiting, waiting(&definition).len()), (1, 1));
    }
    decide(&definition, RowChoice::Target);
    assert!(sync(&definition).is_in_step());
    assert_eq!(people(&world.source())[&1].0.as_deref(), Some("right"));
}

#[test]
fn a_merge_that_was_cut_between_both_sides_is_finished() {
    let world = World::new();
    let definition = met(&world);
    decide(&definition, RowChoice::Fields([("score".to_owned(), Side::Right)].into()));
    // The source refuses the row, so that only the target has it.
    let refuse = "CREATE TRIGGER no BEFORE UPDATE ON people BEGIN SELECT RAISE(ABORT, 'not now'); END";
    world.source().execute_batch(refuse).unwrap();
    let report = sync(&definition);
    assert_eq!(report.counts.failed, 1, "{:?}", report.failures);
    assert_eq!((second(&world.source()), second(&world.target())), (("left".into(), 1.0), ("left".into(), 2.0)));
    assert!(waiting(&definition)[0].note.as_ref().unwrap().contains("not now"), "{:?}", waiting(&definition));
    world.source().execute_batch("DROP TRIGGER no").unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.updated, report.waiting), (1, 0));
    assert_eq!((second(&world.source()), waiting(&definition)), (("left".into(), 2.0), vec![]));
    assert!(sync(&definition).counts.is_quiet());
}

/// Tables with a column that says when a row was changed.
fn timed(world: &World, clock: Option<RecordClock>) -> Definition {
    let made = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, changed_at TIMESTAMP)";
    world.source().execute_batch(made).unwrap();
    world.target().execute_batch(made).unwrap();
    for id in 0..6 {
        world.source().execute("INSERT INTO people VALUES (?1, 'x', '2026-01-01 10:00:00')", [id]).unwrap();
    }
    let policy = RecordPolicy::LatestWins;
    let definition =
        world.connect(RecordOptions { mode: RecordMode::TwoWay, policy, clock, ..RecordOptions::default() });
    sync(&definition);
    let set = |database: Connection, id: i64, name: &str, time: Option<&str>| {
        let sql = "UPDATE people SET name = ?2, changed_at = ?3 WHERE id = ?1";
        database.execute(sql, (id, name, time.map(|time| format!("2026-01-02 {time}")))).unwrap();
    };
    for (id, left, right) in [
        (0, Some("10:00:05"), Some("10:00:00")),
        (1, Some("10:00:00"), Some("10:00:05")),
        (2, Some("10:00:00"), Some("10:00:01")),
        (3, Some("10:00:00"), None),
        (4, Some("09:00:00"), Some("10:00:00.5")),
    ] {
        set(world.source(), id, "left", left);
        set(world.target(), id, "right", right);
    }
    definition
}

fn names(database: &Connection) -> Vec<String> {
    let mut rows = database.prepare("SELECT name FROM people ORDER BY id").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn ties(world: &World) -> usize {
    let events = wait(world.session.rows::<SyncEvent>().list(Filter::all(), None, 1000)).unwrap().rows;
    events.iter().filter(|event| event.row.event_type == "conflict_tie").count()
}

#[test]
fn the_last_change_wins_by_the_clocks_of_both_and_ties_are_recorded() {
    let by =
        |tie| Some(RecordClock { skew: Duration::from_secs(2), tie, ..RecordClock::new("changed_at", "changed_at") });
    for (clock, expected, recorded) in [
        (by(Side::Left), ["left", "right", "left", "left", "right", "x"], 2),
        (by(Side::Right), ["left", "right", "right", "right", "right", "x"], 2),
        (None, ["left", "left", "left", "left", "left", "x"], 5),
    ] {
        let world = World::bare();
        let definition = timed(&world, clock);
        let report = sync(&definition);
        assert_eq!(counted(&report.counts), [0, 5, 0, 0, 1, 0]);
        assert_eq!(
            (names(&world.source()), names(&world.target())),
            (expected.map(str::to_owned).into(), expected.map(str::to_owned).into())
        );
        assert_eq!(ties(&world), recorded);
        assert!(sync(&definition).counts.is_quiet());
    }
}

#[test]
fn a_clock_that_is_not_mapped_is_refused() {
    let world = World::new();
    let fields = parse_fields(r#"[{"source":"id","target":"id"},{"source":"name","target":"name"}]"#).unwrap();
    let clock = Some(RecordClock::new("score", "score"));
    let error = world.try_connect("people", "people", RecordOptions { fields, clock, ..manual() }).err().unwrap();
    assert!(error.to_string().contains("score is not mapped"), "{error}");
    assert_eq!(try_sync(&world.connect(manual()), RowPreviewOptions::default()).unwrap().waiting, 0);
}
