//! File sync through the whole engine: what must hold whatever happens between the runs and beside them.

mod aliases;
mod beside;
mod clocks;
#[path = "../lib/engine/mod.rs"]
mod engine;
mod engines;
mod histories;
mod leases;
mod room;
#[path = "../lib/server.rs"]
mod server;
mod soak;
