//! Crashes, power losses and failing calls beneath the whole engine: nothing is lost, nothing is half there, and the
//! next runs bring both sides into step.
//!
//! `PORTBOOK_CRASH_POINTS` is `full`, or how many points of each scenario are tried; `PORTBOOK_CRASH_ONLY` is a part of
//! the names of those that are. `PORTBOOK_CRASH_MINUTES` ends each test after so many minutes; what was not tried then is said.

mod changing;
mod damage;
mod decided;
#[path = "../lib/engine/mod.rs"]
mod engine;
mod faults;
mod points;
mod recovery;
mod resume;
mod scenarios;
mod swaps;
mod told;
