//! What every provider must do, and what only the local one can show.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod contract;
mod durability;
mod faults;
mod hosted;
#[cfg(target_os = "linux")]
mod measure;
mod places;
mod streams;
#[cfg(target_os = "linux")]
mod system;
