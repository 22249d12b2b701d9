//! FTP servers: one in this process, some that nobody here wrote, and one that lies.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../provider/contract/mod.rs"]
mod contract;
mod engine;
#[path = "../lib/files.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod files;
#[path = "../lib/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod in_process;
#[allow(dead_code, reason = "some of it is for other tests")]
mod liar;
mod lies;
mod places;
mod resume;
#[path = "../servers/service.rs"]
mod service;
mod trust;
