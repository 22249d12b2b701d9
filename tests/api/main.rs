//! The public API as a host uses it, on a book of each engine.

mod conflicts;
mod history;
mod preview;
mod run;
mod selective;
#[path = "../lib/server.rs"]
mod server;
mod upkeep;
mod world;
