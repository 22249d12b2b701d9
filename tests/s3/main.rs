//! The S3 provider: the contract of every provider and whole syncs on servers that nobody here wrote, and what servers do
//! that fail, lie or lose answers.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../provider/contract/mod.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod contract;
mod copies;
mod hostile;
mod hosts;
#[path = "../lib/in_process.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod in_process;
mod keys;
mod lost;
mod parts;
mod places;
#[allow(dead_code, reason = "some of it is for other tests")]
mod proxy;
mod ranges;
#[path = "../lib/secured.rs"]
mod secured;
mod signed;
mod sync;
mod versioned;

#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod service;
