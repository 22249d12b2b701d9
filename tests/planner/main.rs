//! The reconciler against trees in memory.

mod basics;
mod world;
