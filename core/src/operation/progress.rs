//! How far a run is, how fast it goes and when it will be done. Pure: the time comes in.

use std::time::Duration;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// Comparing the two places with the ledger. Totals are not known yet.
    Scanning,
    /// Carrying what the preview shows.
    Applying,
    /// Looking at both sides once more.
    Verifying,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub phase: RunPhase,
    /// Items done, failed ones included; while scanning, items seen.
    pub items_done: u64,
    /// Items to do; 0 while it is not known.
    pub items_total: u64,
    /// Bytes carried.
    pub bytes_done: u64,
    /// Bytes to carry; 0 while it is not known.
    pub bytes_total: u64,
    /// Items per second, over the last seconds.
    pub items_per_second: f64,
    /// Bytes per second, over the last seconds.
    pub bytes_per_second: f64,
    /// When it will be done, where that can be told.
    pub eta: Option<Duration>,
    /// Since the run began.
    pub elapsed: Duration,
}

/// Keeps the counts and smooths the speed.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    phase: RunPhase,
    items: (u64, u64),
    bytes: (u64, u64),
    rate: (f64, f64),
    marked: (Duration, u64, u64),
    /// Items per second of the time in which it was not waited for a budget.
    brisk: f64,
    /// For how long it was waited, at the mark and now.
    waited: (Duration, Duration),
    /// How long the rest takes by its budget.
    bound: Option<Duration>,
}

/// Speeds forget with this half-life, so that a stall shows within seconds and a burst does not mislead.
const HALF_LIFE_SECS: f64 = 3.0;

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            phase: RunPhase::Scanning,
            items: (0, 0),
            bytes: (0, 0),
            rate: (0.0, 0.0),
            marked: (Duration::ZERO, 0, 0),
            brisk: 0.0,
            waited: (Duration::ZERO, Duration::ZERO),
            bound: None,
        }
    }

    /// Begins a phase with its totals.
    pub(crate) fn begin(&mut self, phase: RunPhase, items_total: u64, bytes_total: u64, now: Duration) {
        *self = Self { phase, items: (0, items_total), bytes: (0, bytes_total), marked: (now, 0, 0), ..Self::new() };
    }

    /// What was done before the phase began, and tells nothing of its speed.
    pub(crate) fn go_on(&mut self, items_done: u64, bytes_done: u64) {
        (self.items.0, self.bytes.0) = (items_done, bytes_done);
        (self.marked.1, self.marked.2) = (items_done, bytes_done);
    }

    pub(crate) fn add(&mut self, items: u64, bytes: u64) {
        self.items.0 += items;
        self.bytes.0 += bytes;
    }

    /// Items done and to do.
    pub(crate) fn items(&self) -> (u64, u64) {
        self.items
    }

    /// For how long, since the phase began, it was waited for a budget; and how long the rest takes by that budget alone.
    pub(crate) fn bound(&mut self, waited: Duration, rest: Option<Duration>) {
        self.waited.1 = waited;
        self.bound = rest;
    }

    /// The progress at `now`; speeds are measured over the time since the last call.
    pub(crate) fn read(&mut self, now: Duration) -> Progress {
        let seconds = now.saturating_sub(self.marked.0).as_secs_f64();
        if seconds > 0.0 {
            let fresh = 1.0 - 0.5_f64.powf(seconds / HALF_LIFE_SECS);
            let blend = |old: f64, speed: f64| if old == 0.0 { speed } else { old + (speed - old) * fresh };
            self.rate.0 = blend(self.rate.0, (self.items.0 - self.marked.1) as f64 / seconds);
            self.rate.1 = blend(self.rate.1, (self.bytes.0 - self.marked.2) as f64 / seconds);
            let items = (self.items.0 - self.marked.1) as f64;
            let busy = seconds - self.waited.1.saturating_sub(self.waited.0).as_secs_f64();
            if busy > 0.0 && items > 0.0 {
                let fresh = 1.0 - 0.5_f64.powf(busy / HALF_LIFE_SECS);
                self.brisk =
                    if self.brisk == 0.0 { items / busy } else { self.brisk + (items / busy - self.brisk) * fresh };
            }
            self.waited.0 = self.waited.1;
            self.marked = (now, self.items.0, self.bytes.0);
        }
        Progress {
            phase: self.phase,
            items_done: self.items.0,
            items_total: self.items.1,
            bytes_done: self.bytes.0,
            bytes_total: self.bytes.1,
            items_per_second: self.rate.0,
            bytes_per_second: self.rate.1,
            eta: self.eta(),
            elapsed: now,
        }
    }

    /// Whichever of items and bytes is going to take longer decides, or the budget that both need.
    fn eta(&self) -> Option<Duration> {
        let left = |(done, total): (u64, u64), rate: f64| {
            let rest = total.saturating_sub(done) as f64;
            if rest == 0.0 { Some(0.0) } else { (rate > 0.0).then(|| rest / rate) }
        };
        if self.items.1 == 0 {
            return None;
        }
        if let Some(bound) = self.bound {
            // Waiting is in the budget's time already.
            let brisk = left(self.items, self.brisk).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            return Some(bound.max(brisk.unwrap_or_default()));
        }
        let seconds = left(self.items, self.rate.0)?.max(left(self.bytes, self.rate.1)?);
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_items_and_bytes_tells_the_eta() {
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, 100, 1_000, Duration::ZERO);
        meter.add(50, 100);
        let progress = meter.read(Duration::from_secs(10));
        assert_eq!((progress.items_per_second, progress.bytes_per_second), (5.0, 10.0));
        assert_eq!(progress.eta, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_stall_lets_the_speed_decay_and_the_eta_grow() {
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, 100, 0, Duration::ZERO);
        meter.add(50, 0);
        let before = meter.read(Duration::from_secs(5)).eta.unwrap();
        assert!(meter.read(Duration::from_secs(8)).eta.unwrap() > before);
    }

    #[test]
    fn what_was_done_before_is_no_speed() {
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, 100, 0, Duration::ZERO);
        meter.go_on(60, 0);
        meter.add(20, 0);
        let progress = meter.read(Duration::from_secs(10));
        assert_eq!((progress.items_done, progress.items_per_second), (80, 2.0));
        assert_eq!(progress.eta, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_budget_bounds_the_eta_and_waiting_for_it_is_no_slowness() {
        let mut meter = Meter::new();
        meter.begin(RunPhase::Applying, 300, 0, Duration::ZERO);
        meter.add(100, 0);
        meter.bound(Duration::from_secs(50), Some(Duration::from_secs(40)));
        let progress = meter.read(Duration::from_secs(60));
        assert_eq!(progress.eta, Some(Duration::from_secs(40)), "at ten a second in ten seconds it takes 20");
        assert!(progress.items_per_second < 2.0);
        meter.bound(Duration::from_secs(50), Some(Duration::from_secs(5)));
        assert_eq!(meter.read(Duration::from_secs(60)).eta, Some(Duration::from_secs(20)));
    }

    #[test]
    fn nothing_is_promised_before_the_totals_are_known() {
        let mut meter = Meter::new();
        meter.add(10, 10);
        assert_eq!(meter.read(Duration::from_secs(1)).eta, None);
    }
}
