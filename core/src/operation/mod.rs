//! Previews, runs, progress and history: what every engine reports in the same way.

pub(crate) mod clock;
pub(crate) mod failures;
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod lease;
mod listing;
pub(crate) mod plan;
pub(crate) mod preview;
mod process;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod scheduler;
pub(crate) mod shelf;
pub(crate) mod under_way;
pub(crate) mod watch;

pub use clock::{Clock, SystemClock};
pub use failures::ErrorFilter;
pub use history::{ActivityFilter, GenerationSummary};
pub use listing::Listing;
pub use preview::{ChangeFilter, ChangeId, Guard, PREVIEW_LIFETIME, PreviewChange, PreviewSummary};
pub use progress::{Progress, RunPhase};
pub use run::{AppliedItem, Counts, ItemFailure, Run, RunEvent, RunReport};
pub use shelf::{PreviewFilter, StoredPreview};
pub use watch::{ProgressFilter, ProgressWatch};
