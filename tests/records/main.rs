//! Record sync from the first preview to the last row: real tables on both sides, a real book between them.

mod chain;
mod cursor;
mod faults;
#[path = "../endpoint/fixture.rs"]
#[allow(dead_code)] // the contract of endpoints uses the rest
mod fixture;
mod logged;
mod mirror;
mod odd;
mod torture;
mod two_way;
mod world;
mod writers;
