//! Ctrl-C: the first one asks, the second one insists.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portbook::{Code, Error, Result};

/// The exit status of a cancelled command.
pub(crate) const CANCELLED: u8 = 130;

/// Whether the user asked to stop. Cheap to clone and to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_requested: AtomicBool,
    /// A run is under way that is to be ended at a safe point.
    is_awaited: AtomicBool,
}

impl Cancel {
    /// A flag that Ctrl-C, SIGTERM and SIGHUP raise. Unless a run is under way that looks at it, and at a second signal,
    /// the process ends at once, which is safe too: the next run resumes from the book.
    ///
    /// # Errors
    /// `internal` when the signals have a handler already.
    pub(crate) fn on_signal() -> Result<Self> {
        let cancel = Self::default();
        let flag = cancel.clone();
        ctrlc::set_handler(move || {
            if flag.request() || !flag.0.is_awaited.load(Ordering::SeqCst) {
                std::process::exit(i32::from(CANCELLED));
            }
            crate::render::complain("stopping; press Ctrl-C again to stop at once");
        })
        .map_err(|e| Error::new(Code::Internal, "watch for Ctrl-C", "").caused_by(e))?;
        Ok(cancel)
    }

    /// Raises the flag; true when it was up already.
    pub(crate) fn request(&self) -> bool {
        self.0.is_requested.swap(true, Ordering::SeqCst)
    }

    /// Whether the flag is up.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::SeqCst)
    }

    /// From here on somebody looks at the flag, and a signal no longer ends the process at once.
    pub(crate) fn is_awaited_from_here(&self) {
        self.0.is_awaited.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag_and_the_second_request_is_told_apart() {
        let (cancel, flag) = (Cancel::default(), Cancel::default());
        let clone = cancel.clone();
        assert!(!clone.is_requested());
        assert!(!cancel.request());
        assert!(clone.is_requested() && !flag.is_requested());
        assert!(clone.request());
    }
}
