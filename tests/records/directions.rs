//! Fields that go one way only, beside others that go both ways: whoever changes different ones never meets in a conflict, and
//! nothing that anybody has changed is lost.

use portbook::bridge::{Definition, RecordField, RecordOptions};
use portbook::model::{FieldDirection, RecordMode, RecordPolicy};
use rusqlite::Connection;

use crate::faults::{Fault, hosted};
use crate::two_way::Random;
use crate::world::{World, counted, preview, sync};

const SOURCE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, title TEXT, price INTEGER, status TEXT, hint TEXT, \
                      double INTEGER GENERATED ALWAYS AS (price * 2) STORED)";
const TARGET: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, title TEXT, price INTEGER, status TEXT, double INTEGER, label TEXT)";

/// `title` goes both ways, `status` to the source only; `price`, what the database makes of it, and what a transform makes of the
/// title, go to the target only.
fn fields() -> Vec<RecordField> {
    let field = |source: &str, target: &str, direction, transform: Option<&str>| RecordField {
        source: source.into(),
        target: target.into(),
        direction,
        transform: transform.map(str::to_owned),
    };
    vec![
        field("id", "id", FieldDirection::Bidirectional, None),
        field("title", "title", FieldDirection::Bidirectional, None),
        field("price", "price", FieldDirection::PushOnly, None),
        field("double", "double", FieldDirection::PushOnly, None),
        field("status", "status", FieldDirection::PullOnly, None),
        field("hint", "label", FieldDirection::PushOnly, Some("upper(title)")),
    ]
}

fn options(policy: RecordPolicy) -> RecordOptions {
    RecordOptions { mode: RecordMode::TwoWay, policy, fields: fields(), ..RecordOptions::default() }
}

fn world() -> World {
    let world = World::bare();
    world.source().execute_batch(SOURCE).unwrap();
    world.target().execute_batch(TARGET).unwrap();
    let rows = "INSERT INTO people (id, title, price) VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)";
    world.source().execute_batch(rows).unwrap();
    world
}

fn synced(policy: RecordPolicy) -> (World, Definition) {
    let world = world();
    let definition = world.connect(options(policy));
    assert_eq!(counted(&sync(&definition).counts), [3, 0, 0, 0, 0, 0]);
    assert!(sync(&definition).counts.is_quiet());
    (world, definition)
}

/// The columns of a row as one text.
fn shown(database: &Connection, id: i64, columns: &str) -> String {
    let columns = columns.replace(' ', "").replace(',', ", '-') || ' ' || ifnull(");
    let ask = format!("SELECT '' || ifnull({columns}, '-') FROM people WHERE id = ?1");
    database.query_row(&ask, [id], |row| row.get(0)).unwrap()
}

/// That every field is where it belongs.
fn assert_in_step(world: &World, story: &str) {
    let source = world.source();
    source.execute("ATTACH ?1 AS target", [world.path("target.db").to_str().unwrap()]).unwrap();
    let differing = "SELECT count(*) FROM people s FULL JOIN target.people t ON s.id = t.id WHERE s.title IS NOT t.title \
                     OR s.price IS NOT t.price OR s.status IS NOT t.status OR s.double IS NOT t.double \
                     OR t.label IS NOT upper(t.title) OR s.id IS NULL OR t.id IS NULL";
    let differing: i64 = source.query_row(differing, [], |row| row.get(0)).unwrap();
    assert_eq!(differing, 0, "{story}");
}

#[test]
fn changes_of_different_fields_are_no_conflict() {
    let (world, definition) = synced(RecordPolicy::Manual);
    world.source().execute_batch("UPDATE people SET price = 11 WHERE id = 1").unwrap();
    world.target().execute_batch("UPDATE people SET status = 'paid' WHERE id = 1").unwrap();
    assert_eq!(counted(&preview(&definition).summary.counts), [0, 1, 0, 0, 2, 0]);
    assert_eq!(counted(&sync(&definition).counts), [0, 1, 0, 0, 2, 0]);
    assert_eq!(shown(&world.source(), 1, "price, double, status"), "11 22 paid");
    assert_eq!(shown(&world.target(), 1, "price, double, status"), "11 22 paid");
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn only_what_goes_both_ways_has_a_winner() {
    for (policy, title) in [(RecordPolicy::SourceWins, "left"), (RecordPolicy::DestinationWins, "right")] {
        let (world, definition) = synced(policy);
        world.source().execute_batch("UPDATE people SET title = 'left', price = 11 WHERE id = 1").unwrap();
        world.target().execute_batch("UPDATE people SET title = 'right', status = 'paid' WHERE id = 1").unwrap();
        assert_eq!(counted(&sync(&definition).counts), [0, 1, 0, 0, 2, 0]);
        sync(&definition);
        assert!(sync(&definition).counts.is_quiet());
        for database in [world.source(), world.target()] {
            assert_eq!(
                shown(&database, 1, "title, price, double, status"),
                format!("{title} 11 22 paid"),
                "{policy:?}"
            );
        }
        assert_in_step(&world, "the label follows the title");
    }
}

#[test]
fn a_person_decides_about_the_rest() {
    let (world, definition) = synced(RecordPolicy::Manual);
    world.source().execute_batch("UPDATE people SET title = 'left', price = 11 WHERE id = 1").unwrap();
    world.target().execute_batch("UPDATE people SET title = 'right', status = 'paid' WHERE id = 1").unwrap();
    assert_eq!(sync(&definition).waiting, 1);
    let conflict = portbook::wait(definition.conflicts(None, 10)).unwrap().remove(0);
    let choice = portbook::bridge::RowChoice::Target;
    portbook::wait(definition.resolve_conflict(conflict.id, conflict.mark, choice)).unwrap();
    assert_eq!(sync(&definition).waiting, 0);
    sync(&definition);
    assert_eq!(shown(&world.source(), 1, "title, price, status"), "right 11 paid");
    assert_in_step(&world, "what was not decided about has crossed as well");
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn what_is_made_of_a_row_follows_what_came_from_the_target() {
    let (world, definition) = synced(RecordPolicy::SourceWins);
    world.target().execute_batch("UPDATE people SET title = 'new' WHERE id = 2").unwrap();
    assert_eq!(counted(&sync(&definition).counts), [0, 1, 0, 0, 2, 0]);
    assert_eq!(shown(&world.source(), 2, "title"), "new");
    assert_eq!(counted(&sync(&definition).counts), [0, 1, 0, 0, 2, 0]);
    assert_eq!(shown(&world.target(), 2, "label"), "NEW");
    assert!(sync(&definition).counts.is_quiet());
}

/// The trigger is somebody who edits a row in the moment in which it is written.
#[test]
fn an_edit_right_after_the_write_is_not_taken_for_agreed() {
    let (world, definition) = synced(RecordPolicy::SourceWins);
    let meddle = "CREATE TRIGGER meddle AFTER UPDATE OF title ON people WHEN new.price < 100 BEGIN \
                  UPDATE people SET price = 100 WHERE id = new.id; END";
    world.source().execute_batch(meddle).unwrap();
    world.target().execute_batch("UPDATE people SET title = 'new' WHERE id = 2").unwrap();
    sync(&definition);
    sync(&definition);
    assert_eq!(shown(&world.target(), 2, "price, double"), "100 200");

    let meddle = "CREATE TRIGGER meddle AFTER UPDATE OF title ON people WHEN new.status IS NOT 'seen' BEGIN \
                  UPDATE people SET status = 'seen' WHERE id = new.id; END";
    world.target().execute_batch(meddle).unwrap();
    world.source().execute_batch("UPDATE people SET title = 'newer' WHERE id = 3").unwrap();
    sync(&definition);
    sync(&definition);
    assert_eq!(shown(&world.source(), 3, "status"), "seen");
    assert_in_step(&world, "both meddlers were heard");
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn rows_that_are_there_already_are_compared_in_every_field() {
    let world = world();
    let rows = "INSERT INTO people (id, title, price, status, double, label) VALUES (1, 'one', 10, NULL, 20, 'ONE'), \
                (2, 'two', 0, 'paid', 0, ''), (3, 'other', 30, NULL, 60, 'THREE')";
    world.target().execute_batch(rows).unwrap();
    let definition = world.connect(options(RecordPolicy::Manual));
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [0, 1, 0, 1, 1, 0], "the first is only recorded");
    assert_eq!(shown(&world.target(), 2, "price, double, label, status"), "20 40 TWO paid");
    assert_eq!(shown(&world.source(), 2, "price, status"), "20 paid");
    assert_eq!(shown(&world.target(), 3, "title"), "other", "a person has to decide about the third");
    let report = portbook::wait(definition.verify()).unwrap();
    assert_eq!((report.different, report.missing, report.extra), (1, 0, 0));
}

fn edit(world: &World, random: &mut Random) {
    for _ in 0..random.below(10) {
        let id = random.below(12) as i64;
        let value = random.below(5);
        let (source, target) = (world.source(), world.target());
        match random.below(7) {
            0 => drop(source.execute("DELETE FROM people WHERE id = ?1", [id])),
            1 => drop(source.execute("INSERT OR IGNORE INTO people (id, title, price) VALUES (?1, 'made', 1)", [id])),
            2 => drop(target.execute("INSERT OR IGNORE INTO people (id, title) VALUES (?1, 'found')", [id])),
            3 => drop(source.execute("UPDATE people SET title = 's' || ?2 WHERE id = ?1", (id, value as i64))),
            4 => drop(target.execute("UPDATE people SET title = 't' || ?2 WHERE id = ?1", (id, value as i64))),
            5 => drop(source.execute("UPDATE people SET price = ?2 WHERE id = ?1", (id, value as i64))),
            _ => drop(target.execute("UPDATE people SET status = 'x' || ?2 WHERE id = ?1", (id, value as i64))),
        }
    }
}

/// Random edits on both sides, with a fault at some call of either side, then silence: writing ends within two runs, and every
/// field is where it belongs.
#[test]
fn a_storm_with_faults_ends_in_step() {
    for seed in 0..40_u64 {
        let (world, _) = synced(RecordPolicy::SourceWins);
        let mut random = Random(seed * 31 + 7);
        let policy = [RecordPolicy::SourceWins, RecordPolicy::DestinationWins][(seed % 2) as usize];
        let fault = [Fault::Before, Fault::After, Fault::Unknown][(seed % 3) as usize];
        for round in 0..4 {
            edit(&world, &mut random);
            let at = if round == 3 { [u64::MAX; 2] } else { [random.below(12), random.below(12)] };
            let (source, target) =
                (hosted(&world, "source.db", at[0], fault), hosted(&world, "target.db", at[1], fault));
            let connected = portbook::wait(world.session.connect_records(source, target, options(policy)));
            let _ = portbook::wait(connected.unwrap().sync(many(), Default::default()).finish());
        }
        let (source, target) =
            (hosted(&world, "source.db", u64::MAX, fault), hosted(&world, "target.db", u64::MAX, fault));
        let definition = portbook::wait(world.session.connect_records(source, target, options(policy))).unwrap();
        for _ in 0..2 {
            portbook::wait(definition.sync(many(), Default::default()).finish()).unwrap();
        }
        let last = sync(&definition);
        assert!(last.counts.is_quiet() && last.is_in_step(), "seed {seed}: {:?} {:?}", last.counts, last.failures);
        assert_in_step(&world, &format!("seed {seed}"));
    }
}

/// However many rows are to go.
fn many() -> portbook::bridge::RowPreviewOptions {
    portbook::bridge::RowPreviewOptions { max_delete: portbook::conduit::MaxDelete::Count(1000), ..Default::default() }
}
