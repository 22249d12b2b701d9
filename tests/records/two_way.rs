//! Both ways: edits meet, conflicts are decided, writing ends.

use portbook::bridge::RecordOptions;
use portbook::model::{RecordMode, RecordPolicy};
use rusqlite::Connection;

use crate::world::{World, counted, fill, people, run_types, sync};

fn both_ways(policy: RecordPolicy) -> RecordOptions {
    RecordOptions { mode: RecordMode::TwoWay, policy, ..RecordOptions::default() }
}

#[test]
fn each_side_gets_what_the_other_changed() {
    let world = World::new();
    fill(&world.source(), 0..10);
    fill(&world.target(), 100..105);
    let definition = world.connect(both_ways(RecordPolicy::SourceWins));
    assert_eq!(counted(&sync(&definition).counts), [15, 0, 0, 0, 0, 0]);
    assert_eq!(people(&world.target()), people(&world.source()));
    world
        .source()
        .execute_batch("UPDATE people SET name = 'left' WHERE id = 1; DELETE FROM people WHERE id = 2")
        .unwrap();
    world
        .target()
        .execute_batch("UPDATE people SET name = 'right' WHERE id = 3; DELETE FROM people WHERE id = 4")
        .unwrap();
    assert_eq!(counted(&sync(&definition).counts), [0, 2, 2, 0, 11, 0]);
    assert_eq!(people(&world.target()), people(&world.source()));
    assert_eq!(people(&world.source())[&3].0.as_deref(), Some("right"));
    world.target().execute_batch("UPDATE people SET name = 'back' WHERE id = 5").unwrap();
    assert_eq!(counted(&sync(&definition).counts)[..3], [0, 1, 0]);
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(run_types(&world, &definition), ["PUSH", "PUSH", "INGRESS", "PUSH"]);
}

#[test]
fn policies_decide_and_a_person_is_waited_for() {
    for (policy, winner) in [
        (RecordPolicy::SourceWins, Some("left")),
        (RecordPolicy::DestinationWins, Some("right")),
        (RecordPolicy::Manual, None),
    ] {
        let world = World::new();
        fill(&world.source(), 0..3);
        let definition = world.connect(both_ways(policy));
        sync(&definition);
        world.source().execute_batch("UPDATE people SET name = 'left' WHERE id = 1").unwrap();
        world.target().execute_batch("UPDATE people SET name = 'right' WHERE id = 1").unwrap();
        let report = sync(&definition);
        let name = |database: Connection| people(&database)[&1].0.clone().unwrap();
        match winner {
            Some(winner) => {
                assert_eq!((name(world.source()).as_str(), name(world.target()).as_str()), (winner, winner));
                assert!(sync(&definition).counts.is_quiet());
            }
            None => {
                assert_eq!((report.waiting, report.is_in_step()), (1, false));
                assert_eq!((name(world.source()).as_str(), name(world.target()).as_str()), ("left", "right"));
                assert_eq!(sync(&definition).waiting, 1, "it waits until somebody decides");
                world.target().execute_batch("UPDATE people SET name = 'left' WHERE id = 1").unwrap();
                assert!(sync(&definition).is_in_step(), "both have the same now");
                assert!(sync(&definition).counts.is_quiet());
            }
        }
    }
}

#[test]
fn the_same_edit_on_both_sides_is_no_conflict() {
    let world = World::new();
    fill(&world.source(), 0..3);
    let definition = world.connect(both_ways(RecordPolicy::Manual));
    sync(&definition);
    for database in [world.source(), world.target()] {
        database
            .execute_batch("UPDATE people SET name = 'same' WHERE id = 1; DELETE FROM people WHERE id = 2")
            .unwrap();
    }
    let report = sync(&definition);
    assert!(report.is_in_step() && report.counts.conflicts == 0, "{:?}", report.counts);
    assert!(sync(&definition).counts.is_quiet());
}

/// Random edits on both sides, then silence: writing ends, and both sides are equal.
#[test]
pub(crate) fn a_storm_of_edits_ends_in_step() {
    for seed in 0..16_u64 {
        let world = World::new();
        let mut random = Random(seed + 1);
        fill(&world.source(), 0..30);
        let policy = [RecordPolicy::SourceWins, RecordPolicy::DestinationWins][(seed % 2) as usize];
        let definition = world.connect(both_ways(policy));
        for _ in 0..3 {
            edit(&world.source(), &mut random, 0);
            edit(&world.target(), &mut random, 1000);
            let _ = portbook::wait(
                definition
                    .sync(
                        portbook::bridge::RowPreviewOptions {
                            max_delete: portbook::conduit::MaxDelete::Count(1000),
                            ..Default::default()
                        },
                        portbook::bridge::RowApplyOptions::default(),
                    )
                    .finish(),
            )
            .unwrap();
        }
        let last = sync(&definition);
        assert!(last.counts.is_quiet(), "seed {seed}: {:?}", last.counts);
        assert_eq!(people(&world.target()), people(&world.source()), "seed {seed}");
    }
}

fn edit(database: &Connection, random: &mut Random, base: i64) {
    for _ in 0..random.below(12) {
        let id = random.below(40) as i64;
        match random.below(4) {
            0 => drop(database.execute("DELETE FROM people WHERE id = ?1", [id])),
            1 => drop(database.execute("INSERT OR IGNORE INTO people (id, name) VALUES (?1, 'fresh')", [id + base])),
            _ => {
                let name = format!("edit {}", random.below(1000));
                drop(database.execute("UPDATE people SET name = ?2 WHERE id = ?1", (id, name)));
            }
        }
    }
}

/// xorshift64: the same storm for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}
