//! The reconciler against trees in memory.

mod aliases;
mod basics;
mod case;
mod cases;
mod decisions;
mod expected;
mod faults;
mod moving;
mod oracle;
mod properties;
mod random;
mod small;
mod speed;
mod world;
