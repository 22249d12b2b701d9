//! Resource units: nearly all of the budget is used, and hardly a request is throttled.

use std::sync::Arc;
use std::time::Duration;

use portbook::endpoint::Endpoint as _;
use portbook::endpoint::sharepoint::UnitShare;
use portbook::operation::Clock as _;

use crate::fixture::{Site, batch, inserts, words};
use crate::graph::{Budget, GraphOptions, Window};

const PER_MINUTE: u64 = 300;

fn metered(window: Window) -> Site {
    let budget = Budget { per_minute: PER_MINUTE, window, ..Budget::default() };
    Site::with(GraphOptions { budget, ..GraphOptions::default() }, |options| options.units_per_minute = PER_MINUTE)
}

#[tokio::test]
async fn the_budget_is_used_and_not_exceeded() {
    for window in [Window::Fixed, Window::Sliding] {
        let budget = Budget { window, ..Budget::default() };
        let site = Site::with(GraphOptions { budget, ..GraphOptions::default() }, |_| {});
        let stock = site.stock().await;
        // When it last had to wait, what was spent until then.
        let (mut waited, mut spent) = (Duration::ZERO, 0);
        for part in 0..120 {
            let (time, units) = (site.clock.elapsed(), site.server.units());
            assert_eq!(words(&site.insert(&stock, part * 20..part * 20 + 20).await), ["written"; 20], "{window:?}");
            if site.clock.elapsed() > time {
                (waited, spent) = (site.clock.elapsed(), units);
            }
        }
        let used = spent as f64 / (waited.as_secs_f64() / 60.0 * budget.per_minute as f64);
        assert!(waited >= Duration::from_secs(150), "4,800 units take more than three minutes");
        assert!((0.95..=1.0).contains(&used), "{window:?}: {used}");
        let counters = site.server.counters();
        assert!(counters.throttled * 100 <= counters.requests, "{window:?}: {} throttled", counters.throttled);
        assert_eq!(counters.undecorated, 0);
    }
}

#[tokio::test]
async fn endpoints_of_one_application_share_its_budget() {
    let site = metered(Window::Fixed);
    let stock = site.stock().await;
    let other = site.another(|options| options.units_per_minute = PER_MINUTE);
    // By turns: what is on its way when a minute ends counts in the next one, and how much that is would be chance.
    for part in 0..15 {
        let rows = part * 40..part * 40 + 20;
        assert_eq!(words(&site.insert(&stock, rows.clone()).await), ["written"; 20]);
        let theirs = inserts(rows.start + 20..rows.end + 20);
        assert_eq!(words(&other.write(batch(&stock, theirs)).await.unwrap()), ["written"; 20]);
    }
    let counters = site.server.counters();
    assert!(counters.throttled * 100 <= counters.requests, "{} throttled", counters.throttled);
    assert!(site.clock.elapsed() >= Duration::from_secs(180), "twelve hundred units take four minutes");
}

/// Nobody counts.
struct Boundless;

#[async_trait::async_trait]
impl UnitShare for Boundless {
    async fn take(&self, _: u32) -> portbook::Result<()> {
        Ok(())
    }

    async fn pause(&self, _: Duration) {}
    async fn told(&self, _: u64, _: Duration) {}
}

#[tokio::test]
async fn without_counting_before_it_would_be_throttled() {
    let budget = Budget { per_minute: PER_MINUTE, ..Budget::default() };
    let options = GraphOptions { budget, ..GraphOptions::default() };
    let site = Site::with(options, |options| options.share = Some(Arc::new(Boundless)));
    let stock = site.stock().await;
    let outcomes = words(&site.insert(&stock, 0..400).await);
    assert!(outcomes.contains(&"unknown"), "a throttled insert is not sent again by itself");
    assert!(site.server.counters().throttled * 100 > site.server.counters().requests);
}
