//! Connections that calls share: opened on use, used again, never more at once than allowed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Code, Error, Result};

/// A connection that was idle for longer is asked whether it is there before it is used.
pub(in crate::endpoint) const FRESH: Duration = Duration::from_secs(5);

pub(in crate::endpoint) struct Pool<C> {
    permits: Semaphore,
    idle: Mutex<Option<Vec<(C, Instant)>>>,
}

/// The right to use one connection, and an idle one with how long it was, if there is any.
pub(in crate::endpoint) struct Turn<'p, C> {
    pub(in crate::endpoint) idle: Option<(C, Duration)>,
    _permit: SemaphorePermit<'p>,
}

impl<C> Pool<C> {
    pub(in crate::endpoint) fn new(connections: usize) -> Self {
        Self { permits: Semaphore::new(connections.clamp(1, 1000)), idle: Mutex::new(Some(Vec::new())) }
    }

    pub(in crate::endpoint) async fn turn(&self) -> Result<Turn<'_, C>> {
        let shut = || Error::new(Code::Storage, "use", "a database").because("it has been shut down");
        let permit = self.permits.acquire().await.map_err(|_| shut())?;
        let idle = self.idle().as_mut().ok_or_else(shut)?.pop();
        Ok(Turn { idle: idle.map(|(connection, since)| (connection, since.elapsed())), _permit: permit })
    }

    /// Keeps a connection for the next call, unless all has ended.
    pub(in crate::endpoint) fn keep(&self, connection: C) {
        if let Some(idle) = self.idle().as_mut() {
            idle.push((connection, Instant::now()));
        }
    }

    pub(in crate::endpoint) fn shutdown(&self) {
        self.permits.close();
        self.idle().take();
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<(C, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
