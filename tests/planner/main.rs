//! The reconciler against trees in memory.

mod basics;
mod properties;
mod random;
mod world;
