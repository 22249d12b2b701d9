//! WebDAV and HTTP places against servers in this process, servers that nobody here wrote, and servers that lie.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../provider/contract.rs"]
mod contract;
mod dav;
mod hostile;
mod http;
mod mock;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod service;
mod sync;
