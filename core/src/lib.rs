//! Portbook: an embeddable sync engine.

pub mod delta;
mod error;
pub mod identity;
pub mod ledger;
pub mod model;
pub mod provider;
pub mod store;

pub use error::{Code, Error, Result};
