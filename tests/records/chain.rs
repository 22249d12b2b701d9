//! Chains: what one definition writes, another reads; a host's own store is a side like any other.

use portbook::bridge::RecordOptions;

use crate::world::{PEOPLE, World, fill, people, sync};

#[test]
fn rows_pass_through_a_third_table_and_back() {
    let world = World::new();
    let middle = rusqlite::Connection::open(world.path("middle.db")).unwrap();
    middle.execute_batch(PEOPLE).unwrap();
    fill(&world.source(), 0..50);
    let connect = |from: &str, to: &str| {
        let (from, to) = (world.place(from, "people"), world.place(to, "people"));
        portbook::wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap()
    };
    let (first, second) = (connect("source.db", "middle.db"), connect("middle.db", "target.db"));
    sync(&first);
    sync(&second);
    assert_eq!(people(&world.target()), people(&world.source()));
    assert_eq!(portbook::wait(first.verify()).unwrap().different, 0);
}
