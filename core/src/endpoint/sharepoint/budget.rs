//! Resource units: what requests cost, and who may spend how many of them in a minute.
//!
//! SharePoint counts by application and tenant, and counts requests that it throttles as well ("Avoid getting throttled or
//! blocked in SharePoint Online"). So units are counted before a request is sent, in one budget for everything that this
//! process does as that application, and whoever is told to wait makes all of them wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::operation::Clock;

/// What a request costs.
pub(super) mod cost {
    /// A single item, or a page of changes since a token.
    pub(crate) const ONE: u32 = 1;
    /// Several items, and every write.
    pub(crate) const SEVERAL: u32 = 2;
}

/// For how long spent units count: a minute, which the vendor does not say how it measures, and a second in which requests
/// may overtake each other on their way.
const WINDOW: Duration = Duration::from_secs(61);

/// Who grants resource units to the requests of one application in one tenant. What is built in shares them within this
/// process; processes that work as the same application share them by one of their own, over a store.
#[async_trait]
pub trait UnitShare: Send + Sync {
    /// Returns once these units may be spent; they are then spent.
    async fn take(&self, units: u32);

    /// The service wants to be left alone for so long.
    async fn pause(&self, wait: Duration);

    /// The service says that so many units are left until so long from now (`RateLimit-Remaining`, `RateLimit-Reset`).
    async fn told(&self, remaining: u64, reset: Duration);
}

/// The share of this process.
pub(super) struct ProcessShare {
    clock: Arc<dyn Clock>,
    per_minute: u64,
    /// Whoever waits is in front of those who come later, however little they want.
    turn: tokio::sync::Mutex<()>,
    minute: Mutex<Minute>,
}

/// By authority, tenant and application.
type Shares = HashMap<[String; 3], Weak<ProcessShare>>;

static SHARES: LazyLock<Mutex<Shares>> = LazyLock::new(Mutex::default);

impl ProcessShare {
    /// The one share of an application in a tenant. Its size is that of who asked for it first, as long as anybody holds it.
    pub(super) fn of(of: [String; 3], per_minute: u64, clock: &Arc<dyn Clock>) -> Arc<Self> {
        let mut shares = SHARES.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        if let Some(share) = shares.get(&of).and_then(Weak::upgrade) {
            return share;
        }
        let (clock, turn, minute) = (Arc::clone(clock), tokio::sync::Mutex::default(), Mutex::default());
        let share = Arc::new(Self { clock, per_minute: per_minute.max(1), turn, minute });
        shares.insert(of, Arc::downgrade(&share));
        share
    }

    fn minute(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl UnitShare for ProcessShare {
    async fn take(&self, units: u32) {
        let _turn = self.turn.lock().await;
        loop {
            let wait = self.minute().take(units.into(), self.per_minute, self.clock.elapsed());
            match wait {
                None => return,
                Some(wait) => self.clock.sleep(wait).await,
            }
        }
    }

    async fn pause(&self, wait: Duration) {
        let until = self.clock.elapsed() + wait;
        let mut minute = self.minute();
        minute.paused_until = minute.paused_until.max(until);
    }

    async fn told(&self, remaining: u64, reset: Duration) {
        self.minute().told(remaining, reset, self.per_minute, self.clock.elapsed());
    }
}

/// What has been spent of a minute that moves on with the clock. No sixty seconds hold more than the budget, so that no
/// minute of the service's does, wherever it begins.
#[derive(Default)]
struct Minute {
    /// Units by the time at which they count no more.
    spent: BTreeMap<Duration, u64>,
    total: u64,
    paused_until: Duration,
}

impl Minute {
    fn forget(&mut self, now: Duration) {
        let still = self.spent.split_off(&(now + Duration::from_nanos(1)));
        self.total -= self.spent.values().sum::<u64>();
        self.spent = still;
    }

    /// Spends units, or says how long to wait before it is worth asking again.
    fn take(&mut self, units: u64, budget: u64, now: Duration) -> Option<Duration> {
        self.forget(now);
        if now < self.paused_until {
            return Some(self.paused_until - now);
        }
        // What is more than the whole budget is let through when nothing else is.
        if self.total == 0 || self.total + units <= budget {
            self.spend(units, now + WINDOW);
            return None;
        }
        let mut left = self.total;
        let enough = |(end, spent): (&Duration, &u64)| {
            left -= spent;
            (left == 0 || left + units <= budget).then_some(*end)
        };
        self.spent.iter().find_map(enough).map(|end| end - now)
    }

    fn spend(&mut self, units: u64, end: Duration) {
        *self.spent.entry(end).or_default() += units;
        self.total += units;
    }

    /// What the service has counted and this process has not was spent by others.
    fn told(&mut self, remaining: u64, reset: Duration, budget: u64, now: Duration) {
        self.forget(now);
        let believed = budget.saturating_sub(self.total);
        if remaining < believed && !reset.is_zero() {
            self.spend(believed - remaining, now + reset.min(WINDOW));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn units_come_back_as_they_age() {
        let mut minute = Minute::default();
        assert_eq!(minute.take(6, 10, at(0)), None);
        assert_eq!(minute.take(4, 10, at(20)), None);
        assert_eq!(minute.take(2, 10, at(30)), Some(at(31)), "the first six are then over");
        assert_eq!(minute.take(8, 10, at(30)), Some(at(51)), "these need the second as well");
        assert_eq!(minute.take(6, 10, at(61)), None);
        assert_eq!(minute.take(1, 10, at(61)), Some(at(20)));
    }

    #[test]
    fn more_than_there_is_passes_alone() {
        let mut minute = Minute::default();
        assert_eq!(minute.take(1, 10, at(0)), None);
        assert_eq!(minute.take(40, 10, at(1)), Some(at(60)));
        assert_eq!(minute.take(40, 10, at(61)), None);
        assert_eq!(minute.take(1, 10, at(62)), Some(at(60)));
    }

    #[test]
    fn what_others_spend_is_heeded_and_what_is_known_is_not_counted_twice() {
        let mut minute = Minute::default();
        assert_eq!(minute.take(5, 10, at(0)), None);
        minute.told(5, at(40), 10, at(1));
        assert_eq!(minute.take(5, 10, at(1)), None);
        let mut minute = Minute::default();
        minute.told(2, at(40), 10, at(0));
        assert_eq!(minute.take(3, 10, at(0)), Some(at(40)));
        assert_eq!(minute.take(2, 10, at(0)), None);
    }

    #[test]
    fn a_pause_is_for_everyone() {
        let mut minute = Minute { paused_until: at(7), ..Minute::default() };
        assert_eq!(minute.take(1, 10, at(5)), Some(at(2)));
        assert_eq!(minute.take(1, 10, at(7)), None);
    }
}
