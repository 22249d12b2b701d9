//! The reconciler against trees in memory.

mod basics;
mod cases;
mod decisions;
mod faults;
mod moving;
mod oracle;
mod properties;
mod random;
mod small;
mod speed;
mod world;
