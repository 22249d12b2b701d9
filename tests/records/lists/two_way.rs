//! Two ways: random edits on both sides while everything goes wrong, then silence.
//!
//! `PORTBOOK_LIST_STORMS` is how many storms there are.

use portbook::Code;
use portbook::bridge::{Definition, RecordField, RecordOptions, RowApplyOptions, RowPreviewOptions};
use portbook::conduit::MaxDelete;
use portbook::model::{FieldDirection, FieldMapping, RecordPolicy};
use portbook::table::Filter;
use serde_json::json;

use super::{ListWorld, both_ways, source};
use crate::graph::{Fault, Resync};
use crate::two_way::Random;
use crate::world::sync;

fn storms() -> u64 {
    std::env::var("PORTBOOK_LIST_STORMS").ok().and_then(|count| count.parse().ok()).unwrap_or(6)
}

fn edit_source(world: &ListWorld, random: &mut Random) {
    let database = world.world.source();
    for _ in 0..random.below(12) {
        let id = random.below(40) as i64;
        match random.below(4) {
            0 => drop(database.execute("DELETE FROM people WHERE id = ?1", [id])),
            1 => drop(database.execute("INSERT OR IGNORE INTO people (id, name) VALUES (?1, 'fresh')", [id])),
            _ => {
                let name = format!("edit {}", random.below(1000));
                drop(database.execute("UPDATE people SET name = ?2 WHERE id = ?1", (id, name)));
            }
        }
    }
}

fn edit_list(world: &ListWorld, random: &mut Random) {
    for _ in 0..random.below(12) {
        let items = world.items();
        let any = random.below(items.len().max(1) as u64) as usize;
        match (random.below(4), items.get(any)) {
            (0, Some(item)) => world.server.delete_item("People", item.id),
            (1, _) => {
                // The key of the source is a whole number of 64 bits, which a list holds as a text.
                let id = json!((1000 + random.below(40)).to_string());
                if !items.iter().any(|item| item.fields.get("id2") == Some(&id)) {
                    world.server.add_item("People", &json!({ "id2": id, "name": "made there" }));
                }
            }
            (_, Some(item)) => {
                let name = format!("edit {}", random.below(1000));
                world.server.edit_item("People", item.id, &json!({ "name": name }));
            }
            (_, None) => {}
        }
    }
}

/// One request of twenty or so has an accident.
fn trouble(world: &ListWorld, seed: u64) {
    let mut random = Random(seed * 104_729 + 7);
    world.server.draw(move |_| match random.below(200) {
        0 | 1 => Some(Fault::LostBefore),
        2 | 3 => Some(Fault::LostAfter),
        4 => Some(Fault::Before { status: 503, retry_after: Some(1) }),
        5 => Some(Fault::After { status: 504, retry_after: None }),
        6 => Some(Fault::After { status: 429, retry_after: Some(1) }),
        7 => Some(Fault::Before { status: 500, retry_after: None }),
        _ => None,
    });
}

fn run(definition: &Definition) -> portbook::Result<portbook::operation::RunReport> {
    let options = RowPreviewOptions { max_delete: MaxDelete::Count(1000), ..RowPreviewOptions::default() };
    let confirm = RowApplyOptions { confirm: vec!["root_emptied".into()] };
    portbook::wait(definition.sync(options, confirm).finish())
}

#[test]
pub(crate) fn a_storm_ends_in_step() {
    for seed in 0..storms() {
        let mut random = Random(seed + 1);
        let policy = [RecordPolicy::SourceWins, RecordPolicy::DestinationWins][(seed % 2) as usize];
        let (world, definition) = ListWorld::filled(0..30, both_ways(policy));
        trouble(&world, seed);
        let resync = [Resync::ApplyDifferences, Resync::UploadDifferences][(seed / 2 % 2) as usize];
        world.server.rules(|rules| {
            (rules.resync, rules.delta_error_elements) = (resync, seed % 3 == 0);
            (rules.delta_repeats, rules.delta_unchanged) = (seed % 5 < 2, (seed % 4) as usize);
            (rules.fresh_items_conflict, rules.patch_shows_etag) = (seed % 7 == 0, seed % 6 != 0);
        });
        for round in 0..4 {
            edit_source(&world, &mut random);
            edit_list(&world, &mut random);
            if random.below(3) == 0 {
                world.server.forget_changes("People");
            }
            if let Err(error) = run(&definition) {
                assert!(
                    error.is_retryable() || error.code() == portbook::Code::Storage,
                    "seed {seed} round {round}: {error}"
                );
            }
        }
        world.server.calm();
        let mut quiet = false;
        for _ in 0..3 {
            let report = run(&definition).unwrap();
            quiet = report.counts.is_quiet() && report.is_in_step();
            if quiet {
                break;
            }
        }
        assert!(quiet, "seed {seed}: writes go on after two runs");
        assert!(sync(&definition).counts.is_quiet(), "seed {seed}");
        assert_eq!(world.people(), source(&world.world), "seed {seed}");
        let mut markers: Vec<_> = world.items().iter().map(|item| item.fields["SyncKey"].to_string()).collect();
        markers.sort_unstable();
        markers.dedup();
        assert_eq!(markers.len(), world.items().len(), "seed {seed}");
    }
    println!("LISTS: {} storms", storms());
}

/// People set the status in the list, the source sets the score, and what SharePoint itself knows of an item is only read.
#[test]
fn fields_of_one_direction_and_those_of_the_system() {
    let world = ListWorld::new();
    let database = world.world.source();
    database
        .execute_batch("ALTER TABLE people ADD COLUMN status TEXT; ALTER TABLE people ADD COLUMN made TEXT")
        .unwrap();
    database.execute_batch("INSERT INTO people (id, name, score) VALUES (1, 'one', 1), (2, 'two', 2)").unwrap();
    let made = world.connect(RecordOptions { create: true, ..both_ways(RecordPolicy::Manual) });
    sync(&made);
    let field = |source: &str, target: &str, direction| RecordField {
        source: source.into(),
        target: target.into(),
        direction,
        transform: None,
    };
    let fields = |created| {
        vec![
            field("id", "id2", FieldDirection::Bidirectional),
            field("name", "name", FieldDirection::Bidirectional),
            field("score", "score", FieldDirection::PushOnly),
            field("status", "status", FieldDirection::PullOnly),
            field("made", "Created", created),
        ]
    };
    let options = |created| RecordOptions { fields: fields(created), ..both_ways(RecordPolicy::Manual) };
    let refused = world.try_connect(options(FieldDirection::Bidirectional)).err().unwrap();
    assert!(refused.code() == Code::Invalid && refused.to_string().contains("made to Created"), "{refused}");
    let definition = world.connect(options(FieldDirection::PullOnly));
    sync(&definition);
    let system = portbook::wait(world.session().rows::<FieldMapping>().list(Filter::all(), None, 100)).unwrap().rows;
    let system: Vec<_> = system.iter().filter(|field| field.row.is_system_field).collect();
    assert_eq!(system.len(), 1);
    assert_eq!(system[0].row.target_column_name, "Created");

    let item = world.items().into_iter().find(|item| item.fields.get("id2") == Some(&json!("1"))).unwrap();
    world.server.edit_item("People", item.id, &json!({ "status": "paid" }));
    world.world.source().execute_batch("UPDATE people SET score = 7 WHERE id = 1").unwrap();
    let report = sync(&definition);
    assert_eq!((report.waiting, report.counts.updated), (0, 1), "{:?}", report.failures);
    assert_eq!(world.people()[&1].1, Some(7.0));
    let row = "SELECT status || ' ' || (made LIKE '2026-01-%') FROM people WHERE id = 1";
    let row: String = world.world.source().query_row(row, [], |row| row.get(0)).unwrap();
    assert_eq!(row, "paid 1");
    assert!(sync(&definition).counts.is_quiet());
}
