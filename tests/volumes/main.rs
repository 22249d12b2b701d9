//! The files of volumes as a host uses them, on a book of each engine.

mod crash;
#[path = "../lib/engine/frozen.rs"]
mod frozen;
mod processes;
mod quota;
mod rules;
mod saved;
#[path = "../lib/server.rs"]
mod server;
mod shared;
mod shelf;
mod versions;
mod world;
