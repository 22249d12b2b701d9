//! The server that tests have in place of Microsoft Graph: clients of Microsoft's own are at home with it, and it does what
//! the service is known to do where clients stumble.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod batches;
mod changes;
mod client;
#[path = "../lib/graph/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for other tests")]
mod graph;
mod items;
mod limits;
mod lists;
mod official;
mod queries;
mod served;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod service;
mod tokens;
mod troubles;
mod values;
