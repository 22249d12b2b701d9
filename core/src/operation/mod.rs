//! Previews, runs, progress and history: what every engine reports in the same way.

pub(crate) mod clock;
pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod progress;
pub(crate) mod run;

pub use clock::{Clock, SystemClock};
pub use history::GenerationSummary;
pub use preview::{ChangeFilter, ChangeId, Guard, PREVIEW_LIFETIME, PreviewChange, PreviewSummary};
pub use progress::{Progress, RunPhase};
pub use run::{AppliedItem, Counts, ItemFailure, Run, RunEvent, RunReport};
