//! Looking after a book as a whole: whether it holds together, and moving it from one engine to the other.

mod catalog;
pub(crate) mod check;
pub(crate) mod copy;

pub use check::{Finding, Trouble};
pub use copy::{CopyProgress, CopyReport, Copying};
