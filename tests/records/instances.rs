//! Several instances of a database: the best one serves, a dead one is passed over, and one primary alone is written.

use std::path::Path;

use portbook::bridge::{Definition, RecordOptions};
use portbook::model::{
    DatabaseInstance, Id, InstanceRole, RecordMode, Stored, SyncDefinition, SyncEvent, SyncRun, SyncSource, UseStatus,
};
use portbook::table::Filter;
use portbook::{Code, wait};

use crate::world::{PEOPLE, World, fill, people, preview, sync};

pub(crate) fn instances(world: &World) -> Vec<Stored<DatabaseInstance>> {
    wait(world.session.rows::<DatabaseInstance>().list(Filter::all(), None, 100)).unwrap().rows
}

/// The instance of the database in that file.
fn of(world: &World, path: &Path) -> Stored<DatabaseInstance> {
    let name = path.display().to_string();
    instances(world).into_iter().find(|one| one.row.db_name.as_deref() == Some(name.as_str())).unwrap()
}

/// Another instance of the same database, in a file of its own.
fn another(world: &World, like: &Stored<DatabaseInstance>, file: &str, role: InstanceRole) -> Stored<DatabaseInstance> {
    let path = world.path(file).display().to_string();
    let row =
        DatabaseInstance { instance_label: file.into(), db_name: Some(path), role, priority: 1, ..like.row.clone() };
    wait(world.session.rows::<DatabaseInstance>().create(row)).unwrap()
}

pub(crate) fn bind(world: &World, definition: Id<SyncDefinition>, instance: &Stored<DatabaseInstance>) {
    let (role, priority, is_enabled) = (instance.row.role, instance.row.priority, true);
    let row = SyncSource { sync_def_id: definition, database_instance_id: instance.id, role, priority, is_enabled };
    wait(world.session.rows::<SyncSource>().create(row)).unwrap();
}

/// The definition as a process has it that knows nothing but the book.
pub(crate) fn by_rows(world: &World, definition: &Definition) -> Definition {
    wait(world.session.definition(definition.id())).unwrap()
}

/// What the last run says of instances.
pub(crate) fn served(world: &World, definition: &Definition) -> Vec<(String, String)> {
    let of = Filter::all().equal("sync_def_id", &definition.id());
    let runs = wait(world.session.rows::<SyncRun>().list(of, None, 100)).unwrap().rows;
    let last = runs.iter().max_by_key(|run| (run.row.start_time, run.id)).unwrap().id;
    let of = Filter::all().equal("sync_run_id", &last);
    let events = wait(world.session.rows::<SyncEvent>().list(of, None, 100)).unwrap().rows;
    let told =
        events.into_iter().filter(|event| ["served_by", "instance_away"].contains(&event.row.event_type.as_str()));
    told.map(|event| {
        let instance = event.row.payload.unwrap().0["instance"].as_str().unwrap().to_owned();
        (event.row.event_type, instance)
    })
    .collect()
}

fn kill(path: &Path) {
    std::fs::rename(path, path.with_extension("dead")).unwrap();
}

#[test]
fn another_instance_serves_where_the_first_is_dead() {
    let world = World::new();
    fill(&world.source(), 0..5);
    let definition = world.connect(RecordOptions::default());
    let main = of(&world, &world.path("source.db"));
    let replica = another(&world, &main, "replica.db", InstanceRole::Secondary);
    bind(&world, definition.id(), &replica);
    let definition = by_rows(&world, &definition);
    assert_eq!(sync(&definition).counts.new, 5);
    let main_serves = vec![("served_by".to_owned(), main.row.instance_label.clone())];
    assert_eq!(served(&world, &definition), main_serves, "the primary does, although the other is bound as well");

    std::fs::copy(world.path("source.db"), world.path("replica.db")).unwrap();
    let copy = rusqlite::Connection::open(world.path("replica.db")).unwrap();
    fill(&copy, 5..7);
    kill(&world.path("source.db"));
    assert_eq!(sync(&definition).counts.new, 2);
    let expected = vec![
        ("instance_away".to_owned(), main.row.instance_label.clone()),
        ("served_by".to_owned(), "replica.db".into()),
    ];
    assert_eq!(served(&world, &definition), expected);
    assert_eq!(people(&world.target()).len(), 7);

    std::fs::rename(world.path("source.dead"), world.path("source.db")).unwrap();
    fill(&world.source(), 5..8);
    assert_eq!(sync(&definition).counts.new, 1, "it is back, and serves again");
    assert_eq!(served(&world, &definition), main_serves);

    // Nobody answers: the first of them says why.
    kill(&world.path("source.db"));
    kill(&world.path("replica.db"));
    let error = wait(definition.preview(Default::default())).unwrap_err();
    assert!(error.to_string().contains("source.db"), "{error}");
    assert_eq!(people(&world.target()).len(), 8);
}

#[test]
fn what_is_written_has_one_primary() {
    let world = World::new();
    fill(&world.source(), 0..5);
    let options = RecordOptions { mode: RecordMode::TwoWay, ..RecordOptions::default() };
    let definition = world.connect(options);
    for (side, file) in [("source.db", "other_source.db"), ("target.db", "other_target.db")] {
        let main = of(&world, &world.path(side));
        rusqlite::Connection::open(world.path(file)).unwrap().execute_batch(PEOPLE).unwrap();
        let standby = another(&world, &main, file, InstanceRole::Secondary);
        let also = another(&world, &main, &format!("also_{file}"), InstanceRole::Primary);
        if side == "source.db" {
            bind(&world, definition.id(), &standby);
            bind(&world, definition.id(), &also);
        }
    }
    let definition = by_rows(&world, &definition);
    assert_eq!(sync(&definition).counts.new, 5);
    for dead in ["target.db", "source.db"] {
        kill(&world.path(dead));
        let error = wait(definition.preview(Default::default())).unwrap_err();
        assert!(error.to_string().contains(dead), "{error}");
        std::fs::rename(world.path(dead).with_extension("dead"), world.path(dead)).unwrap();
    }
    for file in ["other_source.db", "other_target.db"] {
        assert!(people(&rusqlite::Connection::open(world.path(file)).unwrap()).is_empty());
    }
    // A primary that is no longer one is written no more.
    let main = of(&world, &world.path("target.db"));
    for one in instances(&world).into_iter().filter(|one| one.row.database_id == main.row.database_id) {
        if one.row.role == InstanceRole::Primary {
            let row = DatabaseInstance { status: UseStatus::Disabled, ..one.row.clone() };
            wait(world.session.rows::<DatabaseInstance>().update(Stored { row, ..one })).unwrap();
        }
    }
    let error = wait(definition.preview(Default::default())).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.to_string().contains("no primary instance"), "{error}");
    assert!(
        preview(&world.connect(RecordOptions { mode: RecordMode::TwoWay, ..RecordOptions::default() }))
            .drift
            .is_empty()
    );
}
