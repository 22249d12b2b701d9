//! Progress on standard error: what was seen while scanning, then bytes, speed and time left while carrying.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::quantity::Count;

const SCANNING: &str = "{spinner} scanning: {msg}";
const CARRYING: &str =
    "{wide_bar} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {msg}";

/// A line that is drawn anew several times a second. Drawn nowhere when standard error is no terminal or a program reads.
pub(crate) struct Progress {
    bar: ProgressBar,
    items_total: u64,
}

impl Progress {
    /// Begins with the scan. `is_shown` is false for `--json`.
    pub(crate) fn begin(is_shown: bool) -> Self {
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(SCANNING));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, items_total: 0 }
    }

    /// How many items the scan has seen so far.
    pub(crate) fn scanned(&self, items: u64) {
        self.bar.set_message(format!("{} items", Count(items)));
    }

    /// The scan is over: this many items and bytes will be carried.
    pub(crate) fn carry(&mut self, items_total: u64, bytes_total: u64) {
        self.items_total = items_total;
        self.bar.set_style(style(CARRYING));
        self.bar.set_length(bytes_total);
        self.bar.reset();
        self.carried(0, 0);
    }

    /// How many items and bytes have been carried in all.
    pub(crate) fn carried(&self, items: u64, bytes: u64) {
        self.bar.set_position(bytes);
        self.bar.set_message(format!("{}/{} items", Count(items), Count(self.items_total)));
    }

    /// Runs `speak` with the line out of the way, for a question or a warning.
    pub(crate) fn pause<T>(&self, speak: impl FnOnce() -> T) -> T {
        self.bar.suspend(speak)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are tested").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    #[test]
    fn a_person_sees_totals_and_what_was_carried() {
        let terminal = InMemoryTerm::new(10, 120);
        let mut progress = Progress::begin(false);
        progress.bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        progress.scanned(12_000);
        progress.bar.tick();
        assert!(terminal.contents().contains("scanning: 12,000 items"), "{}", terminal.contents());
        progress.carry(2000, 4 << 20);
        progress.carried(500, 1 << 20);
        progress.bar.tick();
        let shown = terminal.contents();
        for part in [" 25%", "1.00 MiB/4.00 MiB", "/s", "left", "500/2,000 items"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        drop(progress);
        assert_eq!(terminal.contents(), "");
    }
}
