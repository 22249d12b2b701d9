//! The files of volumes as a host uses them, on a book of each engine.

mod quota;
mod rules;
#[path = "../lib/server.rs"]
mod server;
mod shared;
mod shelf;
mod versions;
mod world;
