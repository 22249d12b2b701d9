//! A cursor: only what changed is read, nothing is lost by it, and what it cannot tell is found by a whole reading.

use portbook::bridge::{RecordCursor, RecordOptions, RowApplyOptions, RowPreviewOptions};
use portbook::model::{RecordMode, SyncCursor};
use portbook::table::Filter;
use rusqlite::Connection;

use crate::world::{World, counted, preview, sync, try_sync};

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed TIMESTAMP NOT NULL)";

fn world() -> World {
    let world = World::bare();
    world.source().execute_batch(NOTES).unwrap();
    world.target().execute_batch(NOTES).unwrap();
    for id in 0..100 {
        write(&world.source(), id, "first", id);
    }
    world
}

fn write(database: &Connection, id: i64, body: &str, minute: i64) {
    let at = format!("2026-01-{:02} {:02}:{:02}:00", 1 + minute / 1440, minute / 60 % 24, minute % 60);
    let upsert = "INSERT INTO notes VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET body = ?2, changed = ?3";
    database.execute(upsert, (id, body, at)).unwrap();
}

fn bodies(database: &Connection) -> Vec<(i64, String)> {
    let mut rows = database.prepare("SELECT id, body FROM notes ORDER BY id").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn by_cursor(mode: RecordMode) -> RecordOptions {
    RecordOptions { mode, cursor: RecordCursor::column("changed"), ..RecordOptions::default() }
}

#[test]
pub(crate) fn only_what_changed_is_read() {
    let world = world();
    let definition = world.try_connect("notes", "notes", by_cursor(RecordMode::OneWayPush)).unwrap();
    assert_eq!(sync(&definition).counts.new, 100);
    write(&world.source(), 3, "second", 5000);
    write(&world.source(), 200, "new", 5001);
    let shown = preview(&definition);
    assert_eq!(counted(&shown.summary.counts)[..2], [1, 1]);
    assert!(shown.source_rows < 20, "the overlap and the two: {}", shown.source_rows);
    sync(&definition);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));
    assert!(sync(&definition).counts.is_quiet());

    // The column says nothing of what is gone.
    world.source().execute("DELETE FROM notes WHERE id = 50", []).unwrap();
    assert!(sync(&definition).counts.is_quiet());
    let whole = RowPreviewOptions { full_scan: true, ..RowPreviewOptions::default() };
    assert_eq!(try_sync(&definition, whole).unwrap().counts.deleted, 1);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));
}

#[test]
pub(crate) fn a_row_that_failed_or_was_ticked_out_comes_again() {
    let world = world();
    let definition = world.try_connect("notes", "notes", by_cursor(RecordMode::OneWayPush)).unwrap();
    sync(&definition);
    let guard = "CREATE TRIGGER no BEFORE UPDATE ON notes WHEN NEW.body = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END";
    world.target().execute_batch(guard).unwrap();
    write(&world.source(), 7, "bad", 5000);
    write(&world.source(), 8, "good", 5000);
    let report = sync(&definition);
    assert_eq!((report.counts.updated, report.counts.failed), (1, 1), "{:?}", report.failures);
    // Far beyond the overlap, so that only the memory of the failure brings the row back.
    write(&world.source(), 9, "later", 9000);
    assert_eq!(sync(&definition).counts.failed, 1);
    world.target().execute_batch("DROP TRIGGER no").unwrap();
    write(&world.source(), 10, "later still", 14000);
    assert_eq!(sync(&definition).counts.updated, 2);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));

    write(&world.source(), 11, "ticked out", 20000);
    let shown = preview(&definition);
    let changes = portbook::wait(definition.changes(shown.summary.id, None, None, 10)).unwrap();
    portbook::wait(definition.tick(shown.summary.id, vec![changes[0].id], false)).unwrap();
    portbook::wait(definition.apply(shown.summary.id, RowApplyOptions::default()).finish()).unwrap();
    write(&world.source(), 12, "after", 30000);
    sync(&definition);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));
}

#[test]
fn a_cursor_moves_only_with_what_was_carried() {
    let world = world();
    let definition = world.try_connect("notes", "notes", by_cursor(RecordMode::OneWayPush)).unwrap();
    let cursor = || {
        let filter = Filter::all().equal("sync_def_id", &definition.id());
        let rows = portbook::wait(world.session.rows::<SyncCursor>().list(filter, None, 10)).unwrap().rows;
        rows.first().map(|cursor| cursor.row.cursor_value.clone())
    };
    preview(&definition);
    assert_eq!(cursor(), None, "a preview carries nothing");
    sync(&definition);
    let first = cursor().unwrap();
    write(&world.source(), 1, "again", 5000);
    preview(&definition);
    assert_eq!(cursor().as_ref(), Some(&first));
    sync(&definition);
    assert_ne!(cursor().unwrap(), first);
}

#[test]
fn both_ways_a_cursor_tells_of_the_source_and_the_target_is_read() {
    let world = world();
    let definition = world.try_connect("notes", "notes", by_cursor(RecordMode::TwoWay)).unwrap();
    sync(&definition);
    write(&world.source(), 1, "left", 5000);
    write(&world.target(), 2, "right", 5000);
    world.target().execute("DELETE FROM notes WHERE id = 4", []).unwrap();
    write(&world.target(), 300, "new at the target", 5000);
    let report = sync(&definition);
    assert_eq!(counted(&report.counts)[..3], [1, 2, 1], "{:?}", report.failures);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));
    assert!(sync(&definition).counts.is_quiet());
}

/// A row from the future moves the cursor to where the clock has not come yet; so does a clock that is set back.
#[test]
fn what_is_changed_before_the_cursors_time_is_read_all_the_same() {
    let world = World::bare();
    let notes = NOTES.replace("TIMESTAMP ", "TIMESTAMPTZ ");
    world.source().execute_batch(&notes).unwrap();
    world.target().execute_batch(&notes).unwrap();
    let rows = "INSERT INTO notes VALUES (1, 'one', '2026-01-01T00:00:00Z'), (2, 'two', '2199-01-01T00:00:00Z')";
    world.source().execute_batch(rows).unwrap();
    let definition = world.try_connect("notes", "notes", by_cursor(RecordMode::OneWayPush)).unwrap();
    assert_eq!(sync(&definition).counts.new, 2);
    let change = "UPDATE notes SET body = 'changed', changed = '2026-01-02T00:00:00Z' WHERE id = 1";
    world.source().execute_batch(change).unwrap();
    assert_eq!(sync(&definition).counts.updated, 1);
    assert_eq!(bodies(&world.target()), bodies(&world.source()));
    assert!(sync(&definition).counts.is_quiet());
}
