//! What has come and was not taken yet. Who waits for it puts it here at once, so that a wait that is given up loses nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Things that came, in their order.
pub(crate) struct Ready<T>(Mutex<VecDeque<T>>);

impl<T> Ready<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    pub(crate) fn put(&self, things: impl IntoIterator<Item = T>) {
        self.things().extend(things);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.things().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.things().is_empty()
    }

    fn things(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
