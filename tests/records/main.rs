//! Record sync from the first preview to the last row: real tables on both sides, a real book between them.

mod chain;
mod conflicts;
mod cursor;
mod directions;
mod drift;
mod failover;
mod faults;
#[path = "../endpoint/fixture.rs"]
#[allow(dead_code)] // the contract of endpoints uses the rest
mod fixture;
#[path = "../lib/graph/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for other tests")]
mod graph;
mod instances;
mod lists;
mod logged;
mod mirror;
mod odd;
mod outages;
#[path = "../lib/own_server.rs"]
#[allow(dead_code, reason = "others kill it and go on with it")]
mod own_server;
#[path = "../lib/server.rs"]
mod server;
mod shared_book;
mod torture;
mod two_way;
mod world;
mod writers;
