//! The endpoint of SharePoint lists, against a server that behaves as Microsoft Graph does.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod budget;
mod changes;
mod credentials;
mod fixture;
#[path = "../lib/graph/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for other tests")]
mod graph;
mod making;
mod quota;
mod reading;
mod writing;
