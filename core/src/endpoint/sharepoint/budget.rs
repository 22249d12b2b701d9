//! Resource units: what requests cost, and who may spend how many of them in a minute and in a day.
//!
//! SharePoint counts by application and tenant, and counts requests that it throttles as well ("Avoid getting throttled or
//! blocked in SharePoint Online"). So units are counted before a request is sent, in one budget for everything that works as that
//! application, and whoever is told to wait makes all of them wait.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;

use super::window::{Now, Spent, WINDOW};
use crate::endpoint::Allowance;
use crate::error::Result;
use crate::operation::Clock;

/// What a request costs.
pub(super) mod cost {
    /// A single item, or a page of changes since a token.
    pub(crate) const ONE: u32 = 1;
    /// Several items, and every write.
    pub(crate) const SEVERAL: u32 = 2;
}

/// How many resource units an application may spend in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitBudget {
    /// In a minute.
    pub per_minute: u64,
    /// In a day of UTC.
    pub per_day: u64,
}

impl UnitBudget {
    /// That of an application in a tenant with so many licences, by the vendor's table.
    ///
    /// ```
    /// use portbook::endpoint::sharepoint::UnitBudget;
    /// assert_eq!(UnitBudget::for_licences(800).per_minute, 1_200);
    /// assert_eq!(UnitBudget::for_licences(20_000), UnitBudget { per_minute: 4_800, per_day: 4_800_000 });
    /// ```
    #[must_use]
    pub const fn for_licences(licences: u64) -> Self {
        let per_minute = match licences {
            0..=1_000 => 1_200,
            1_001..=5_000 => 2_400,
            5_001..=15_000 => 3_600,
            15_001..=50_000 => 4_800,
            _ => 6_000,
        };
        Self { per_minute, per_day: per_minute * 1_000 }
    }
}

impl Default for UnitBudget {
    /// That of the smallest tenants, which no other has less than.
    fn default() -> Self {
        Self::for_licences(0)
    }
}

/// An application in a tenant of Entra: whom units are counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnitAccount {
    authority: String,
    tenant: String,
    client_id: String,
}

impl UnitAccount {
    /// The application, by where its tokens come from, the tenant, and its id. Upper and lower case are the same.
    #[must_use]
    pub fn new(authority: &str, tenant: &str, client_id: &str) -> Self {
        let authority = authority.trim_end_matches('/').to_lowercase();
        Self { authority, tenant: tenant.to_lowercase(), client_id: client_id.to_lowercase() }
    }

    /// Authority, tenant and application.
    pub(crate) fn parts(&self) -> [&str; 3] {
        [&self.authority, &self.tenant, &self.client_id]
    }
}

/// Who grants resource units to the requests of one application in one tenant. What is built in shares them within this
/// process; processes that work as the same application share them through a book
/// ([`Session::sharepoint_units`](crate::Session::sharepoint_units)).
#[async_trait]
pub trait UnitShare: Send + Sync {
    /// Returns once these units may be spent; they are then spent.
    ///
    /// # Errors
    /// When whoever counts cannot be asked; nothing may be sent then.
    async fn take(&self, units: u32) -> Result<()>;

    /// The service wants to be left alone for so long.
    async fn pause(&self, wait: Duration);

    /// The service says that so many units are left until so long from now (`RateLimit-Remaining`, `RateLimit-Reset`).
    async fn told(&self, remaining: u64, reset: Duration);

    /// What may be spent from now on; nothing where nobody counts.
    async fn allowance(&self) -> Option<Allowance> {
        None
    }
}

/// The share of this process.
pub(super) struct ProcessShare {
    clock: Arc<dyn Clock>,
    budget: UnitBudget,
    /// Whoever waits is in front of those who come later, however little they want.
    turn: tokio::sync::Mutex<()>,
    spent: Mutex<Spent>,
}

type Shares = HashMap<UnitAccount, Weak<ProcessShare>>;

static SHARES: LazyLock<Mutex<Shares>> = LazyLock::new(Mutex::default);

impl ProcessShare {
    /// The one share of an application in a tenant. Its size is that of who asked for it first, as long as anybody holds it.
    pub(super) fn of(account: UnitAccount, budget: UnitBudget, clock: &Arc<dyn Clock>) -> Arc<Self> {
        let mut shares = SHARES.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        if let Some(share) = shares.get(&account).and_then(Weak::upgrade) {
            return share;
        }
        let (clock, turn, spent) = (Arc::clone(clock), tokio::sync::Mutex::default(), Mutex::default());
        let share = Arc::new(Self { clock, budget, turn, spent });
        shares.insert(account, Arc::downgrade(&share));
        share
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { at: self.clock.elapsed(), day: self.clock.now() }
    }
}

#[async_trait]
impl UnitShare for ProcessShare {
    async fn take(&self, units: u32) -> Result<()> {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.spent().take(units.into(), 0, self.budget, self.now());
            match taken {
                Ok(_) => return Ok(()),
                Err(wait) => self.clock.sleep(wait).await,
            }
        }
    }

    async fn pause(&self, wait: Duration) {
        let until = self.clock.elapsed() + wait;
        let mut spent = self.spent();
        spent.paused_until = spent.paused_until.max(until);
    }

    async fn told(&self, remaining: u64, reset: Duration) {
        // Whose they are is no matter here.
        let _ = self.spent().told(remaining, reset, self.budget, self.now());
    }

    async fn allowance(&self) -> Option<Allowance> {
        Some(self.spent().allowance(self.budget, self.now()))
    }
}

/// The units of one endpoint: they come from the share, and are counted.
pub(super) struct Purse {
    share: Arc<dyn UnitShare>,
    clock: Arc<dyn Clock>,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    spent: u64,
    /// What still counts of it.
    lately: Spent,
    /// How many wait now, and since when one does.
    waiting: u32,
    since: Duration,
    waited: Duration,
}

impl Purse {
    pub(super) fn new(share: Arc<dyn UnitShare>, clock: Arc<dyn Clock>) -> Self {
        Self { share, clock, tally: Mutex::default() }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once these units may be spent.
    ///
    /// # Errors
    /// When whoever counts cannot be asked.
    pub(super) async fn take(&self, units: u32) -> Result<()> {
        let waiting = Waiting::begin(self);
        self.share.take(units).await?;
        drop(waiting);
        let end = self.clock.elapsed() + WINDOW;
        let mut tally = self.tally();
        tally.spent += u64::from(units);
        tally.lately.add(units.into(), end);
        Ok(())
    }

    pub(super) async fn pause(&self, wait: Duration) {
        self.share.pause(wait).await;
    }

    pub(super) async fn told(&self, remaining: u64, reset: Duration) {
        self.share.told(remaining, reset).await;
    }

    /// What the share lets through, and what this endpoint has of it.
    pub(super) async fn allowance(&self) -> Option<Allowance> {
        let whole = self.share.allowance().await?;
        let now = self.clock.elapsed();
        let mut tally = self.tally();
        let lately = tally.lately.counting(now);
        let all: u64 = whole.frees.iter().map(|(_, units)| units).sum();
        let ours = if all > lately && lately > 0 { lately as f64 / all as f64 } else { 1.0 };
        let waited = tally.waited + if tally.waiting > 0 { now.saturating_sub(tally.since) } else { Duration::ZERO };
        Some(Allowance { spent: tally.spent, waited, ours, ..whole })
    }
}

/// While it lives somebody waits for units.
struct Waiting<'p>(&'p Purse);

impl<'p> Waiting<'p> {
    fn begin(purse: &'p Purse) -> Self {
        let now = purse.clock.elapsed();
        let mut tally = purse.tally();
        if tally.waiting == 0 {
            tally.since = now;
        }
        tally.waiting += 1;
        Self(purse)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now = self.0.clock.elapsed();
        let mut tally = self.0.tally();
        tally.waiting -= 1;
        if tally.waiting == 0 {
            let waited = now.saturating_sub(tally.since);
            tally.waited += waited;
        }
    }
}
