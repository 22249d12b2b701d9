//! Pure reconciliation: (base, left, right) -> changes. No I/O, no clock, no randomness.
//!
//! A [`Reconciler`] is a state machine without I/O: it names the directories it wants to see, is fed what the two
//! places and the ledger show of them, and gives back changes. The engine feeds it from providers and the book, the
//! tests from trees in memory, so that the algorithm that is proven is the one that runs.

mod change;
mod reconciler;

pub use change::{Action, Change, ChangeKind, Expect, Metadata, SkipReason, Step};
pub use reconciler::{DirSeen, Finish, Observed, Reconciler, Scope, Settings, SideRules, Tally, Task};
