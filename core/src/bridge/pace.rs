//! What bounds a run besides its speed: the budgets of the stores that it reads and writes.

use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::{Allowance, Endpoint};
use crate::error::Result;
use crate::model::{Side, Sides};
use crate::operation::Clock;
use crate::operation::lease::Lease;
use crate::operation::progress::Meter;
use crate::operation::run::Reporter;

/// A shorter wait is left to the endpoint.
const SHORT: Duration = Duration::from_secs(2);
/// How often a longer one is interrupted, to see whether the run is to end and to keep its lease.
const SLICE: Duration = Duration::from_secs(5);

/// The budgets of both sides, since a run began.
pub(crate) struct Pace {
    endpoints: Sides<Arc<dyn Endpoint>>,
    clock: Arc<dyn Clock>,
    /// What each had spent and waited when the run began.
    before: Sides<(u64, Duration)>,
    items_before: u64,
    /// For how long it was waited here.
    waited: Duration,
}

impl Pace {
    /// Counts from now on; `items_before` were done by runs before.
    pub(crate) async fn begin(endpoints: &Sides<Arc<dyn Endpoint>>, clock: Arc<dyn Clock>, items_before: u64) -> Self {
        let Sides { left, right } = endpoints;
        let before = Sides::new(left.allowance().await, right.allowance().await);
        let before = before.map(|now| now.map_or_else(Default::default, |now| (now.spent(), now.waited())));
        Self { endpoints: endpoints.clone(), clock, before, items_before, waited: Duration::ZERO }
    }

    async fn allowances(&self) -> Vec<(Side, Allowance)> {
        let mut all = Vec::new();
        for side in [Side::Left, Side::Right] {
            all.extend(self.endpoints[side].allowance().await.map(|allowance| (side, allowance)));
        }
        all
    }

    /// Waits while a store lets nothing through, as the run may: it can be ended, and keeps its lease.
    ///
    /// # Errors
    /// `cancelled`; `busy` when the lease was taken over.
    pub(crate) async fn ready(&mut self, meter: &mut Meter, reporter: &Reporter, lease: &Lease) -> Result<()> {
        loop {
            reporter.gate().await?;
            lease.hold().await?;
            let closed = self.allowances().await.iter().map(|(_, allowance)| allowance.closed_for()).max();
            let Some(closed) = closed.filter(|closed| *closed > SHORT) else { return Ok(()) };
            let begun = self.clock.elapsed();
            self.clock.sleep(closed.min(SLICE)).await;
            self.waited += self.clock.elapsed().saturating_sub(begun);
            self.tell(meter).await;
            reporter.progress(meter.read(self.clock.elapsed()));
        }
    }

    /// Tells how long the rest takes by what each row has cost so far.
    pub(crate) async fn tell(&self, meter: &mut Meter) {
        let (done, total) = meter.items();
        let (fresh, rest) = (done.saturating_sub(self.items_before), total.saturating_sub(done));
        let (mut waited, mut bound) = (Duration::ZERO, None);
        for (side, allowance) in self.allowances().await {
            let (spent_before, waited_before) = self.before[side];
            waited = waited.max(allowance.waited().saturating_sub(waited_before));
            let spent = allowance.spent().saturating_sub(spent_before);
            if fresh > 0 && spent > 0 {
                let units = spent as f64 / fresh as f64 * rest as f64;
                bound = bound.max(Some(allowance.time_for(units.round() as u64)));
            }
        }
        meter.bound(waited + self.waited, bound);
    }
}
