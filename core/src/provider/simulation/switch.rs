//! The moment at which everything stops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// The process is taken to have died: nothing that it does reaches anything any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("simulated crash")]
pub struct Crashed;

impl Crashed {
    /// Whether an error comes from a simulated crash.
    #[must_use]
    pub fn caused(error: &std::io::Error) -> bool {
        error.get_ref().is_some_and(|e| e.is::<Self>())
    }
}

impl From<Crashed> for std::io::Error {
    fn from(crashed: Crashed) -> Self {
        std::io::Error::other(crashed)
    }
}

/// Counts side effects and ends them all at a chosen one. Shared by everything that dies together: the disks of both
/// sides and the store.
#[derive(Debug)]
pub struct Switch {
    effects: AtomicU64,
    crash_at: AtomicU64,
    crashed: AtomicBool,
}

impl Default for Switch {
    fn default() -> Self {
        Self { effects: AtomicU64::new(0), crash_at: AtomicU64::new(u64::MAX), crashed: AtomicBool::new(false) }
    }
}

impl Switch {
    /// Counts one side effect that is about to happen.
    ///
    /// # Errors
    /// It must not happen any more.
    pub fn tick(&self) -> Result<(), Crashed> {
        let number = self.effects.fetch_add(1, SeqCst) + 1;
        if number >= self.crash_at.load(SeqCst) {
            self.crash();
        }
        self.alive()
    }

    /// Whether anything can still happen.
    ///
    /// # Errors
    /// It cannot.
    pub fn alive(&self) -> Result<(), Crashed> {
        if self.crashed.load(SeqCst) { Err(Crashed) } else { Ok(()) }
    }

    /// How many side effects were counted.
    pub fn effects(&self) -> u64 {
        self.effects.load(SeqCst)
    }

    /// The side effect of this number, counted from one, and all after it do not happen.
    pub fn crash_at(&self, effect: u64) {
        self.crash_at.store(effect, SeqCst);
    }

    /// Stops everything now.
    pub fn crash(&self) {
        self.crashed.store(true, SeqCst);
    }
}
