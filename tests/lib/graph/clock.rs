//! A clock that stands still until a test moves it or somebody waits by it, for the server and for the engine that speaks to it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use portbook::operation::Clock;

pub struct HandClock {
    start: i64,
    millis: Arc<AtomicI64>,
}

impl HandClock {
    /// It shows this time, as in `2026-01-05T12:00:00Z`.
    pub fn at(time: &str) -> Arc<Self> {
        let start = DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis();
        Arc::new(Self { start, millis: Arc::new(start.into()) })
    }

    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.millis.load(Ordering::SeqCst)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis((self.millis.load(Ordering::SeqCst) - self.start) as u64)
    }

    /// Whoever waits moves the clock on, once what is under way had time to arrive.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let until = self.millis.load(Ordering::SeqCst) + duration.as_millis() as i64 + 1;
        let millis = Arc::clone(&self.millis);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            millis.fetch_max(until, Ordering::SeqCst);
        })
    }
}
