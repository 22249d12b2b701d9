//! Places of every kind together: whole syncs over lines that fail at random, and from each kind of place to each.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod faults;
mod ground;
mod pairs;
#[path = "../lib/proxy/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod proxy;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod service;
mod tree;
