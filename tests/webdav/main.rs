//! WebDAV and HTTP places against servers in this process, servers that nobody here wrote, and servers that lie.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod chunks;
#[path = "../provider/contract/mod.rs"]
mod contract;
mod dav;
#[path = "../lib/files.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod files;
mod hostile;
mod http;
#[path = "../lib/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod in_process;
mod locks;
mod mock;
#[path = "../lib/nextcloud.rs"]
mod nextcloud;
#[path = "../s3/proxy.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod proxy;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod service;
mod sync;
