//! The bandwidth limit of a run.

use std::time::{Duration, Instant};

use crate::operation::run::Control;

/// How long a wait goes on before it looks whether the run was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// Lets bytes through at a set rate, averaged over a batch.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second: Option<u64>,
    free_at: Instant,
}

impl Throttle {
    /// No limit for `None` or 0.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second: bytes_per_second.filter(|rate| *rate > 0), free_at: Instant::now() }
    }

    /// Waits until the bytes taken before have had their time, then takes these. A run that is cancelled waits no longer.
    pub(crate) async fn take(&mut self, bytes: u64, control: &Control) {
        while let Some(wait) = self.wait(Instant::now()) {
            if control.is_cancelled() {
                return;
            }
            tokio::time::sleep(wait.min(LOOK)).await;
        }
        self.spend(bytes, Instant::now());
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        self.bytes_per_second?;
        Some(self.free_at.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    fn spend(&mut self, bytes: u64, now: Instant) {
        let Some(rate) = self.bytes_per_second else { return };
        let time = Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(Duration::MAX);
        let begin = self.free_at.max(now);
        self.free_at = begin.checked_add(time).unwrap_or(begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_time_and_idle_time_is_not_saved_up() {
        let mut throttle = Throttle::new(Some(1000));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.wait(at(0)), None);
        throttle.spend(5000, at(0));
        assert_eq!(throttle.wait(at(2)), Some(Duration::from_secs(3)));
        assert_eq!(throttle.wait(at(5)), None);
        throttle.spend(1000, at(60));
        assert_eq!(throttle.wait(at(60)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for limit in [None, Some(0)] {
            let mut throttle = Throttle::new(limit);
            throttle.spend(u64::MAX, Instant::now());
            assert_eq!(throttle.wait(Instant::now()), None);
        }
    }

    #[test]
    fn a_cancelled_run_does_not_wait_for_its_turn() {
        let mut throttle = Throttle::new(Some(1));
        let control = Control::default();
        control.cancel();
        throttle.spend(1_000_000, Instant::now());
        pollster::block_on(throttle.take(1, &control));
    }
}
