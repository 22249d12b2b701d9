//! Tables that change under a definition: what is told, what goes on, and what stops before anything is written.

use portbook::bridge::{DatabaseAt, Definition, Drift, DriftEffect, RecordCursor, RecordOptions, SchemaChangeKind};
use portbook::model::{
    IntrospectionRun, IntrospectionStatus, RecordMode, SchemaSnapshot, Side, SourceTableMetric, Stored, SyncEvent,
    Table,
};
use portbook::table::Filter;
use portbook::{Code, Session};

use crate::world::{World, counted, fill, people, preview, sync};

fn drift(definition: &Definition) -> Vec<Drift> {
    portbook::wait(definition.drift()).unwrap()
}

/// Side, kind, column and effect of each change.
fn told(drift: &[Drift]) -> Vec<(Side, SchemaChangeKind, &str, DriftEffect)> {
    drift.iter().map(|one| (one.side, one.change.kind, one.change.name.as_str(), one.effect)).collect()
}

fn every<T: Table>(session: &Session) -> Vec<Stored<T>> {
    portbook::wait(session.rows::<T>().list(Filter::all(), None, 1000)).unwrap().rows
}

fn insert(world: &World, id: i64) {
    world.source().execute("INSERT INTO people (id, name) VALUES (?1, 'new')", [id]).unwrap();
}

#[test]
fn what_has_changed_is_told_until_a_run_has_gone_over_it() {
    let world = World::new();
    fill(&world.source(), 0..3);
    let definition = world.connect(RecordOptions::default());
    assert_eq!(drift(&definition), [], "it was just looked at");
    sync(&definition);
    world.source().execute_batch("ALTER TABLE people ADD COLUMN born TEXT").unwrap();
    world.target().execute_batch("ALTER TABLE people ADD COLUMN own TEXT NOT NULL DEFAULT ''").unwrap();
    insert(&world, 3);
    let expected = [
        (Side::Left, SchemaChangeKind::Added, "born", DriftEffect::NeedsMapping),
        (Side::Right, SchemaChangeKind::Added, "own", DriftEffect::Harmless),
    ];
    let made = preview(&definition);
    assert_eq!(told(&made.drift), expected);
    assert_eq!(portbook::wait(definition.stored_preview(made.summary.id)).unwrap().drift, made.drift);
    assert_eq!(told(&drift(&definition)), expected, "a preview takes nothing for known");
    assert_eq!(counted(&sync(&definition).counts), [1, 0, 0, 0, 3, 0]);
    let events = every::<SyncEvent>(&world.session);
    let drifted: Vec<_> = events.iter().filter(|event| event.row.event_type == "schema_drift").collect();
    assert_eq!(drifted.len(), 2);
    assert_eq!(drifted[0].row.message, "source: column born (TEXT) is new: it is not carried until a field uses it");
    assert_eq!(preview(&definition).drift, []);
    assert_eq!(every::<SchemaSnapshot>(&world.session).len(), 4, "one more of each table");
}

#[test]
fn a_table_that_was_refused_can_be_put_right() {
    let world = World::new();
    world
        .source()
        .execute_batch("DROP TABLE people; CREATE TABLE people (id INTEGER, name TEXT, score REAL, photo BLOB)")
        .unwrap();
    let refused = world.try_connect("people", "people", RecordOptions::default());
    assert_eq!(refused.err().map(|error| error.code()), Some(Code::Invalid), "it has no key");
    world.source().execute_batch("DROP TABLE people").unwrap();
    world.source().execute_batch(crate::world::PEOPLE).unwrap();
    fill(&world.source(), 0..3);
    let definition = world.connect(RecordOptions::default());
    assert_eq!(counted(&sync(&definition).counts), [3, 0, 0, 0, 0, 0]);
}

#[test]
fn a_change_that_blocks_stops_everything_and_says_what_it_is() {
    let world = World::new();
    fill(&world.source(), 0..3);
    let definition = world.connect(RecordOptions { mode: RecordMode::TwoWay, ..RecordOptions::default() });
    sync(&definition);
    let made = preview(&definition);
    // The key becomes another one: every row would be another row, and the ones before would go.
    world
        .source()
        .execute_batch(
            "CREATE TABLE other (id INTEGER, name TEXT NOT NULL, score REAL, photo BLOB, PRIMARY KEY (id, name));
             INSERT INTO other SELECT * FROM people; DROP TABLE people; ALTER TABLE other RENAME TO people",
        )
        .unwrap();
    insert(&world, 3);
    let refused = [
        portbook::wait(definition.preview(Default::default())).unwrap_err(),
        portbook::wait(definition.sync(Default::default(), Default::default()).finish()).unwrap_err(),
        portbook::wait(definition.apply(made.summary.id, Default::default()).finish()).unwrap_err(),
        world.try_connect("people", "people", RecordOptions::default()).err().unwrap(),
    ];
    for error in refused {
        assert_eq!(error.code(), Code::Invalid);
        let words = error.to_string();
        assert!(words.contains("source") && words.contains("was (id) and is (id, name)"), "{words}");
    }
    assert_eq!(people(&world.target()).len(), 3, "nothing was written");
    let place = world.place("source.db", "people");
    let of_table = portbook::wait(world.session.table_drift(place.clone())).unwrap();
    let key = of_table.iter().find(|one| one.change.kind == SchemaChangeKind::Keys).unwrap();
    assert_eq!(key.definitions[0].definition, definition.id());
    assert_eq!(key.definitions[0].effect, DriftEffect::Blocks);
    assert!(told(&drift(&definition)).iter().any(|one| one.3 == DriftEffect::Blocks), "it can still be asked");
    portbook::wait(world.session.accept_table(place.clone())).unwrap();
    assert_eq!(portbook::wait(world.session.table_drift(place)).unwrap(), []);
    assert_eq!(drift(&definition), []);
    portbook::wait(definition.preview(Default::default())).unwrap();
}

#[test]
fn fields_that_are_named_accept_the_tables_as_they_are() {
    let world = World::new();
    fill(&world.source(), 0..3);
    sync(&world.connect(RecordOptions::default()));
    world.source().execute_batch("ALTER TABLE people DROP COLUMN photo").unwrap();
    let lost = world.try_connect("people", "people", RecordOptions::default()).err().unwrap();
    assert!(lost.to_string().contains("column photo (BLOB) is gone; a field uses it"), "{lost}");
    let fields = portbook::bridge::parse_fields(
        r#"[{"source":"id","target":"id"},{"source":"name","target":"name"},{"source":"score","target":"score"}]"#,
    );
    let options = RecordOptions { fields: fields.unwrap(), ..RecordOptions::default() };
    let definition = world.connect(options.clone());
    assert_eq!(drift(&definition), []);
    insert(&world, 3);
    assert_eq!(sync(&definition).counts.new, 1);
    // What is said again says nothing of what has changed since.
    world.source().execute_batch("ALTER TABLE people ADD COLUMN born TEXT").unwrap();
    assert_eq!(preview(&world.connect(options)).drift.len(), 1);
    assert_eq!(people(&world.target()).len(), 4);
}

#[test]
pub(crate) fn a_run_leaves_how_much_there_is() {
    let world = World::bare();
    let made = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, changed_at TIMESTAMP)";
    world.source().execute_batch(made).unwrap();
    world.target().execute_batch(made).unwrap();
    let write = |id: i64, day: u32| {
        let sql = "INSERT INTO people VALUES (?1, 'x', ?2)";
        world.source().execute(sql, (id, format!("2026-01-{day:02} 10:00:00"))).unwrap();
    };
    (1..=5).for_each(|id| write(id, id as u32));
    let definition =
        world.connect(RecordOptions { cursor: RecordCursor::column("changed_at"), ..RecordOptions::default() });
    sync(&definition);
    write(6, 20);
    sync(&definition);
    let metrics = every::<SourceTableMetric>(&world.session);
    let rows: Vec<_> = metrics.iter().map(|metric| metric.row.row_count).collect();
    assert_eq!(rows, [5, 6], "also where only one was read");
    let last = metrics[1].row.max_updated_at.unwrap();
    assert_eq!(last.0, 1_768_903_200_000_000, "2026-01-20 10:00:00");
}

#[test]
fn a_reading_of_a_database_is_written_down() {
    let world = World::new();
    world
        .source()
        .execute_batch("CREATE INDEX by_name ON people (name); CREATE VIEW v AS SELECT id FROM people")
        .unwrap();
    let at = |name: &str| DatabaseAt::parse(&format!("sqlite://{}/", world.path(name).display())).unwrap().0;
    let run = portbook::wait(world.session.introspect_database(at("source.db"))).unwrap();
    assert_eq!(run.status, Some(IntrospectionStatus::Success));
    assert_eq!(
        run.stats.0,
        serde_json::json!({"tables": 1, "views": 1, "columns": 5, "constraints": 1, "indexes": 1, "failed": 0})
    );
    std::fs::write(world.path("broken.db"), "this is no database, and is long enough to be looked at as one").unwrap();
    let error = portbook::wait(world.session.introspect_database(at("broken.db"))).unwrap_err();
    let runs = every::<IntrospectionRun>(&world.session);
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].row.status, Some(IntrospectionStatus::Failed));
    assert_eq!(runs[1].row.stats.0["code"], error.code().as_str());
    world.connect(RecordOptions::default());
    assert_eq!(every::<IntrospectionRun>(&world.session).len(), 4, "a definition looks at both of its tables");
}
