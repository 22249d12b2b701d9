//! How fast a run's bytes may pass, and whether they still may.
//!
//! One pace is shared by everything that a run carries. It is asked where the bytes pass, a piece at a time, so that a
//! limit holds within a large file too and a cancelled run does not wait for the end of one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};

/// How long a wait goes on before it looks whether the run was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// A bandwidth limit and a stop flag. Cheap to clone; clones share both.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    stop: Arc<AtomicBool>,
    limit: Option<Arc<Limit>>,
}

#[derive(Debug)]
struct Limit {
    bytes_per_second: u64,
    free_at: Mutex<Instant>,
}

impl Pace {
    /// No limit for `None` or 0. Once `stop` is set, nothing passes any more.
    #[must_use]
    pub fn new(bytes_per_second: Option<u64>, stop: Arc<AtomicBool>) -> Self {
        let limit = bytes_per_second
            .filter(|rate| *rate > 0)
            .map(|bytes_per_second| Arc::new(Limit { bytes_per_second, free_at: Mutex::new(Instant::now()) }));
        Self { stop, limit }
    }

    /// The limit in bytes per second.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.limit.as_ref().map(|limit| limit.bytes_per_second)
    }

    /// Takes the right to let these bytes pass, waiting for it on a thread that may block.
    ///
    /// # Errors
    /// `cancelled` once the run was stopped.
    pub fn take(&self, bytes: u64) -> Result<()> {
        let mut wait = self.spend(bytes);
        while !self.is_stopped() {
            if wait.is_zero() {
                return Ok(());
            }
            let nap = wait.min(LOOK);
            std::thread::sleep(nap);
            wait -= nap;
        }
        Err(stopped())
    }

    /// As [`take`](Self::take), for code that may not block.
    ///
    /// # Errors
    /// `cancelled` once the run was stopped.
    pub async fn take_async(&self, bytes: u64) -> Result<()> {
        let mut wait = self.spend(bytes);
        while !self.is_stopped() {
            if wait.is_zero() {
                return Ok(());
            }
            let nap = wait.min(LOOK);
            tokio::time::sleep(nap).await;
            wait -= nap;
        }
        Err(stopped())
    }

    /// Whether to go on, where nothing passes.
    ///
    /// # Errors
    /// `cancelled` once the run was stopped.
    pub fn check(&self) -> Result<()> {
        if self.is_stopped() { Err(stopped()) } else { Ok(()) }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn spend(&self, bytes: u64) -> Duration {
        match &self.limit {
            Some(limit) => limit.spend(bytes, Instant::now()),
            None => Duration::ZERO,
        }
    }
}

impl Limit {
    /// Gives the bytes their time; returns how long it is until their turn. Idle time is not saved up.
    fn spend(&self, bytes: u64, now: Instant) -> Duration {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second as f64).unwrap_or(Duration::MAX);
        let turn = (*free_at).max(now);
        *free_at = turn.checked_add(time).unwrap_or(turn);
        turn.saturating_duration_since(now)
    }
}

fn stopped() -> Error {
    Error::new(Code::Cancelled, "carry on", "").because("the run was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_time_and_idle_time_is_not_saved_up() {
        let pace = Pace::new(Some(1000), Arc::default());
        let limit = pace.limit.as_ref().unwrap();
        let start = Instant::now() + Duration::from_secs(1);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.spend(5000, at(0)), Duration::ZERO);
        assert_eq!(limit.spend(1000, at(2)), Duration::from_secs(3));
        assert_eq!(limit.spend(1000, at(60)), Duration::ZERO);
        assert_eq!(limit.spend(1, at(60)), Duration::from_secs(1));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for limit in [None, Some(0)] {
            let pace = Pace::new(limit, Arc::default());
            pace.take(u64::MAX).unwrap();
            pace.take(1).unwrap();
        }
    }

    #[test]
    fn a_cancelled_run_does_not_wait_for_its_turn() {
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Pace::new(Some(1), stop.clone());
        pace.take(1_000_000).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(pace.take(1).unwrap_err().code(), Code::Cancelled);
    }
}
