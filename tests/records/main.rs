//! Record sync from the first preview to the last row: real tables on both sides, a real book between them.

mod chain;
mod cursor;
mod faults;
mod mirror;
mod odd;
mod two_way;
mod world;
