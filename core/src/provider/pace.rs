//! How fast bytes may pass, and whether they still may.
//!
//! One pace is shared by everything that a run carries, and a limit by every run that it is for: the book's, the volume's,
//! the conduit's. It is asked where the bytes pass, a piece at a time, so that a limit holds within a large file too and a
//! cancelled run does not wait for the end of one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Bandwidth;
use crate::error::{Code, Error, Result};

/// How long a wait goes on before it looks whether the run was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// Limits and a stop flag. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    stop: Arc<AtomicBool>,
    limits: Arc<[Arc<Limit>]>,
}

/// A bandwidth limit that everything which holds it shares.
#[derive(Debug)]
pub struct Limit {
    bandwidth: Bandwidth,
    free_at: Mutex<Instant>,
}

impl Pace {
    /// All of these limits hold. Once `stop` is set, nothing passes any more.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = Arc<Limit>>, stop: Arc<AtomicBool>) -> Self {
        Self { stop, limits: limits.into_iter().collect() }
    }

    /// The least of the limits as they are now, in bytes per second.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.limits.iter().filter_map(|limit| limit.bandwidth.now()).min()
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
        let now = Instant::now();
        self.limits.iter().map(|limit| limit.spend(bytes, limit.bandwidth.now(), now)).max().unwrap_or_default()
    }
}

impl Limit {
    /// A limit that is shared with its clones' holders.
    #[must_use]
    pub fn new(bandwidth: Bandwidth) -> Arc<Self> {
        Arc::new(Self { bandwidth, free_at: Mutex::new(Instant::now()) })
    }

    /// What it holds to.
    pub(crate) fn bandwidth(&self) -> &Bandwidth {
        &self.bandwidth
    }

    /// Gives the bytes their time; returns how long it is until their turn. Idle time is not saved up.
    fn spend(&self, bytes: u64, bytes_per_second: Option<u64>, now: Instant) -> Duration {
        let Some(rate) = bytes_per_second else { return Duration::ZERO };
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(Duration::MAX);
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

    fn constant(bytes_per_second: u64) -> Arc<Limit> {
        Limit::new(Bandwidth::constant(bytes_per_second))
    }

    #[test]
    fn bytes_have_their_time_and_idle_time_is_not_saved_up() {
        let limit = constant(1000);
        let start = Instant::now() + Duration::from_secs(1);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.spend(5000, Some(1000), at(0)), Duration::ZERO);
        assert_eq!(limit.spend(1000, Some(1000), at(2)), Duration::from_secs(3));
        assert_eq!(limit.spend(1000, None, at(2)), Duration::ZERO);
        assert_eq!(limit.spend(1000, Some(1000), at(60)), Duration::ZERO);
        assert_eq!(limit.spend(1, Some(1000), at(60)), Duration::from_secs(1));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let pace = Pace::new([], Arc::default());
        pace.take(u64::MAX).unwrap();
        pace.take(1).unwrap();
        assert_eq!(pace.bytes_per_second(), None);
    }

    #[test]
    fn of_several_limits_the_least_holds() {
        let (wide, narrow) = (constant(1_000_000), constant(1000));
        let stop = Arc::new(AtomicBool::new(false));
        let both = Pace::new([Arc::clone(&wide), narrow], Arc::clone(&stop));
        assert_eq!(both.bytes_per_second(), Some(1000));
        both.take(1_000_000).unwrap();
        assert!(both.spend(0) > Duration::from_secs(900));
        let other = Pace::new([wide], stop);
        assert!(other.spend(0) > Duration::ZERO, "what one run takes of a shared limit, another waits for");
        assert!(other.spend(0) <= Duration::from_secs(1));
    }

    #[test]
    fn a_cancelled_run_does_not_wait_for_its_turn() {
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Pace::new([constant(1)], stop.clone());
        pace.take(1_000_000).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(pace.take(1).unwrap_err().code(), Code::Cancelled);
    }
}
