//! Waiting for an operation on a thread that may block.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use portbook::{Code, Error};

use crate::error::Result;

/// Waits for an operation. Refused on a thread of an async runtime, which it would stop.
///
/// # Errors
/// `invalid` there; else as the operation.
pub fn wait<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    may_block()?;
    portbook::wait(operation)
}

fn may_block() -> Result<()> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::new(Code::Invalid, "wait for the operation", "")
            .because("this thread belongs to an async runtime")
            .advise("await it instead")
            .into());
    }
    Ok(())
}

/// An operation that is waited for a slice of time at a time, so that the host can look after its signals in between.
///
/// ```
/// use std::time::Duration;
/// use portbook_ffi::{Result, Waiting};
///
/// let mut waiting = Waiting::new(async { Result::Ok(7) });
/// let answer = loop {
///     if let Some(answer) = waiting.wait_for(Duration::from_millis(100)) {
///         break answer;
///     }
/// };
/// assert_eq!(answer, Ok(7));
/// ```
pub struct Waiting<'a, T> {
    operation: Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<'a, T> Waiting<'a, T> {
    /// Begins when it is first waited for.
    pub fn new(operation: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Self { operation: Box::pin(operation) }
    }

    /// Waits so long at most; none when it is not done then. Once it has answered it must not be asked again.
    pub fn wait_for(&mut self, slice: Duration) -> Option<Result<T>> {
        if let Err(refused) = may_block() {
            return Some(Err(refused));
        }
        let until = Instant::now() + slice;
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(answer) = self.operation.as_mut().poll(&mut context) {
                return Some(answer);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            std::thread::park_timeout(left);
        }
    }
}
