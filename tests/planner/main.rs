//! The reconciler against trees in memory.

mod basics;
mod faults;
mod moving;
mod properties;
mod random;
mod speed;
mod world;
