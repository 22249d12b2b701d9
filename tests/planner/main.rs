//! The reconciler against trees in memory.

mod basics;
mod moving;
mod properties;
mod random;
mod world;
