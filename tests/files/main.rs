//! File sync through the whole engine: what must hold whatever happens between the runs and beside them.

mod aliases;
mod beside;
#[path = "../lib/engine/mod.rs"]
mod engine;
mod histories;
