//! The bandwidth limit of a run.

use std::time::{Duration, Instant};

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

    /// Waits until the bytes taken before have had their time, then takes these.
    pub(crate) async fn take(&mut self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        let now = Instant::now();
        if self.free_at > now {
            tokio::time::sleep(self.free_at - now).await;
        }
        let time = Duration::from_secs_f64(bytes as f64 / rate as f64);
        self.free_at = self.free_at.max(now) + time;
    }
}
