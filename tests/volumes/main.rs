//! The files of volumes as a host uses them, on a book of each engine.

mod carried;
mod carried_afar;
mod carried_rules;
mod counting;
mod crash;
mod drivers;
#[path = "../lib/engine/frozen.rs"]
mod frozen;
#[path = "../lib/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod in_process;
mod links;
mod memory;
mod pace;
mod processes;
mod quota;
mod rules;
mod saved;
#[path = "../lib/server.rs"]
mod server;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod service;
mod shared;
mod shelf;
mod versions;
mod world;
