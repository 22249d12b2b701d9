//! Record sync: rows of tables and items of lists, kept in step.
//!
//! What is here so far is pure: which row a row is ([`RowKey`]), how a value crosses from one column to another
//! ([`Projection`]), what is made of it on the way ([`Expression`]), and to which target a row goes ([`Routing`]).

mod expression;
mod key;
mod projection;
mod routing;
mod written;

pub use expression::Expression;
pub use key::{KeyColumn, KeyPart, RowKey, read_key, show_key};
pub use projection::{Ends, Projection};
pub use routing::{Route, Routing};
