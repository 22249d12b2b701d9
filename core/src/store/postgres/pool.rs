//! A bounded number of connections, opened on use and used again.
//!
//! What always holds: a connection on which anything was left unfinished is closed, never reused. When a caller goes
//! away in between, its connection is dropped and the server rolls back.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::connection::Connection;
use super::options::{Address, PostgresOptions};
use crate::error::{Code, Error, Result};

pub(super) struct Pool {
    address: Address,
    options: PostgresOptions,
    permits: Semaphore,
    connections: u32,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(address: Address, options: PostgresOptions) -> Self {
        // Half of what the semaphore counts to, and far beyond any server.
        let connections = u32::try_from(options.connections.clamp(1, 10_000)).unwrap_or(1);
        let permits = Semaphore::new(connections as usize);
        Self { address, options, permits, connections, idle: Mutex::default() }
    }

    /// A connection for the caller alone, until it is dropped.
    pub(super) async fn take(&self) -> Result<Held<'_>> {
        let busy = |_| {
            Error::new(Code::Busy, "use", "the book")
                .because(format!("its {} connections are all in use", self.connections))
                .advise("try again, or allow more connections")
        };
        let shut_down = |_| Error::new(Code::Storage, "use", "the book").because("it has been shut down");
        let waited = timeout(self.options.acquire_timeout, self.permits.acquire()).await;
        let permit = waited.map_err(busy)?.map_err(shut_down)?;
        let idle = self.idle().pop().filter(|c| !c.client.is_closed());
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Held { pool: self, connection: Some(connection), _permit: permit })
    }

    async fn connect(&self) -> Result<Connection> {
        let late = |_| {
            Error::new(Code::Offline, "connect to", "the book")
                .because(format!("the server did not answer within {:?}", self.options.connect_timeout))
                .advise("see that the server runs and can be reached from here")
        };
        timeout(self.options.connect_timeout, Connection::open(&self.address, &self.options)).await.map_err(late)?
    }

    /// Waits for what is under way and closes every connection; later calls fail.
    pub(super) async fn shutdown(&self) {
        // Every permit: nothing is under way any more. An error says that it was shut down before.
        if let Ok(permits) = self.permits.acquire_many(self.connections).await {
            self.permits.close();
            drop(permits);
        }
        self.idle().clear();
    }

    pub(super) fn patience(&self) -> Patience {
        Patience { until: Instant::now() + self.options.retry_for, delay: Duration::from_millis(20) }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan. It goes back when it is dropped, unless something on it was left unfinished.
pub(super) struct Held<'p> {
    pool: &'p Pool,
    /// Always there until it is dropped.
    connection: Option<Connection>,
    _permit: SemaphorePermit<'p>,
}

impl Deref for Held<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("taken in drop only")
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("taken in drop only")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let usable = |c: &Connection| !c.unfinished && !c.client.is_closed();
        if let Some(connection) = self.connection.take().filter(usable) {
            self.pool.idle().push(connection);
        }
    }
}

/// Growing pauses between tries, until the time is up.
pub(super) struct Patience {
    until: Instant,
    delay: Duration,
}

impl Patience {
    /// Pauses and says that there is time for another try; false, at once, when there is none.
    pub(super) async fn lasts(&mut self) -> bool {
        // Between half and all of the delay, so that those who lost together do not return together. The random bits
        // of an id are good enough.
        let random = u64::from(Uuid::now_v7().as_bytes()[15]);
        let pause = self.delay.mul_f64(0.5 + random as f64 / 512.0);
        if Instant::now() + pause > self.until {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.delay = (self.delay * 2).min(Duration::from_secs(1));
        true
    }
}
