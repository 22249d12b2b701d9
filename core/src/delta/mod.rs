//! Pure reconciliation: (base, left, right) -> changes. No I/O, no clock, no randomness.
//!
//! A [`Reconciler`] is a state machine without I/O: it names the directories it wants to see, is fed what the two
//! places and the ledger show of them, and gives back changes. The engine feeds it from providers and the book, the
//! tests from trees in memory, so that the algorithm that is proven is the one that runs.
//!
//! | part | what it knows |
//! |---|---|
//! | `settings` | everything the result depends on beside the three trees |
//! | `names` | which names are the same on a side, which cannot be held, conflict names, aliases |
//! | `align` | which row, left entry and right entry are the same item |
//! | `naming` | what the items of a directory are called on each side: aliases, and renames in place |
//! | `spot` | an item of a directory, and what it is called on each side |
//! | `classify` | what became of an item on one side |
//! | `table` | what two states and a policy decide about a file or link |
//! | `items` `leaves` `clash` `vanished` | the items of one directory |
//! | `decision` | what a person has decided, and what follows from it |
//! | `dirs` | what becomes of directories, once their children are decided |
//! | `event` | a folder deleted here and changed there, as one conflict |
//! | `moves` | which vanished item is which appeared one, and which moves are accepted |
//! | `overlay` | the ledger and the other side as if accepted moves had been done |
//! | `structure` | the order and the paths of moves |
//! | `reconciler` | the walk: tasks, order, numbers of new pairs |
//! | `tally` | the counts |
//! | `guards` | what a plan may not do without a person's word |

mod align;
mod change;
mod clash;
mod classify;
mod decision;
mod dirs;
mod emit;
mod event;
mod guards;
mod items;
mod leaves;
mod moves;
mod names;
mod naming;
mod overlay;
mod reconciler;
mod settings;
mod spot;
mod structure;
mod table;
mod tally;
mod vanished;

pub use change::{Action, Change, ChangeKind, Expect, Metadata, SkipReason, Step, Unreadable};
pub use decision::{Decision, Decisions, DroppedDecision, Waiting};
pub use guards::{Confirmation, Confirmed, GuardTrip, Limits, MaxDelete, check};
pub use reconciler::{DirSeen, Finish, Observed, Reconciler, Task};
pub use settings::{Scope, Settings, SideRules};
pub use tally::Tally;
