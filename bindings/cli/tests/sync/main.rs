//! The command line as a whole, end to end: real folders, a real book, the built program.

mod bad_input;
mod contract;
mod modes;
mod names;
mod preview;
mod question;
#[path = "../../../../tests/lib/search.rs"]
mod search;
mod secrets;
mod world;
