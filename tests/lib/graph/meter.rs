//! Resource units ("Avoid getting throttled or blocked in SharePoint Online"): one for a single item and for a page of
//! changes by token, two for other pages and for every write, five for permissions. Calls that are throttled count too.

use std::collections::BTreeMap;

use super::options::{Budget, Window};
use super::wire::Refusal;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// What one application has used.
#[derive(Default)]
pub struct Meter {
    /// By second, in milliseconds; only what a window may still hold.
    seconds: BTreeMap<i64, u64>,
    day: (i64, u64),
    /// By minute of the clock, from the start of the server on.
    pub minutes: BTreeMap<i64, u64>,
}

/// The state of the minute's budget after a call.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    limit: u64,
    remaining: u64,
    reset_s: i64,
}

impl Meter {
    /// Counts a call, and says whether it is over the budget. What is left is told from 80 % on.
    pub fn charge(&mut self, budget: Budget, now_ms: i64, units: u64) -> Result<Option<Rate>, Refusal> {
        let oldest = match budget.window {
            Window::Fixed => now_ms.div_euclid(MINUTE_MS) * MINUTE_MS,
            Window::Sliding => now_ms - MINUTE_MS + 1,
        };
        self.seconds = self.seconds.split_off(&oldest);
        let day = now_ms.div_euclid(DAY_MS);
        if self.day.0 != day {
            self.day = (day, 0);
        }
        *self.seconds.entry(now_ms).or_default() += units;
        *self.minutes.entry(now_ms.div_euclid(MINUTE_MS)).or_default() += units;
        self.day.1 += units;
        let used: u64 = self.seconds.values().sum();
        if self.day.1 > budget.per_day {
            return Err(throttled((day + 1) * DAY_MS - now_ms));
        }
        let free_ms = match budget.window {
            Window::Fixed => oldest + MINUTE_MS - now_ms,
            Window::Sliding => self.frees(budget.per_minute, used, units) + MINUTE_MS - now_ms,
        };
        if used > budget.per_minute {
            let rate = Rate { limit: budget.per_minute, remaining: 0, reset_s: seconds(free_ms) };
            let refusal = throttled(free_ms);
            return Err(rate.headers().into_iter().fold(refusal, |refusal, (name, value)| refusal.with(name, value)));
        }
        let rate = Rate { limit: budget.per_minute, remaining: budget.per_minute - used, reset_s: seconds(free_ms) };
        Ok((used * 5 >= budget.per_minute * 4).then_some(rate))
    }

    /// The time of the last call that must leave the sliding minute before as many units are free again.
    fn frees(&self, limit: u64, mut used: u64, units: u64) -> i64 {
        let mut last = 0;
        for (time, spent) in &self.seconds {
            last = *time;
            used -= spent;
            if used + units <= limit {
                break;
            }
        }
        last
    }
}

impl Rate {
    /// Of the draft on rate limits, as SharePoint sends them to applications.
    pub fn headers(self) -> [(&'static str, String); 3] {
        [
            ("ratelimit-limit", self.limit.to_string()),
            ("ratelimit-remaining", self.remaining.to_string()),
            ("ratelimit-reset", self.reset_s.to_string()),
        ]
    }
}

fn throttled(free_ms: i64) -> Refusal {
    Refusal::by_status(429).with("retry-after", seconds(free_ms).to_string())
}

/// Whole seconds, at least one, after which it is over.
fn seconds(millis: i64) -> i64 {
    (millis + 999).div_euclid(1_000).max(1)
}
