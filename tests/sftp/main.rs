//! SFTP against servers that nobody here wrote: OpenSSH, rclone; and what happens when a connection is lost.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod channels;
#[path = "../provider/contract/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod contract;
mod engine;
#[path = "../lib/files.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod files;
#[allow(dead_code, reason = "some of it is for other tests")]
mod in_process;
mod interrupted;
mod measure;
mod odd;
mod places;
mod proxy;
mod server;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod service;
mod trust;
