//! Resource units over a minute that moves on with the clock, and over a day. Pure: the time comes in.
//!
//! No sixty seconds hold more than the budget, so that no minute of the service's does, wherever it begins, which the vendor does
//! not say. A day is one of UTC.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::budget::UnitBudget;
use crate::endpoint::Allowance;

/// For how long units count: a minute, and a second in which they may be kept before they are spent, and in which requests may
/// overtake each other on their way.
pub(crate) const WINDOW: Duration = Duration::from_secs(61);

const DAY: u64 = 86_400;

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// By the clock that units age by, from an arbitrary start.
    pub(crate) at: Duration,
    /// By the clock that days begin by.
    pub(crate) day: DateTime<Utc>,
}

impl Now {
    /// The day, by its number since 1970, and when it ends.
    fn today(self) -> (u64, Duration) {
        let millis = u64::try_from(self.day.timestamp_millis()).unwrap_or_default();
        let (day, into) = (millis / (DAY * 1000), millis % (DAY * 1000));
        (day, Duration::from_millis(DAY * 1000 - into))
    }
}

/// What was spent, as far as it still counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// Units by the time at which they count no more.
    minute: BTreeMap<Duration, u64>,
    total: u64,
    /// The day that the next is of, since 1970.
    pub(crate) day: u64,
    pub(crate) day_units: u64,
    pub(crate) paused_until: Duration,
}

impl Spent {
    /// Units that count until `end`.
    pub(crate) fn add(&mut self, units: u64, end: Duration) {
        *self.minute.entry(end).or_default() += units;
        self.total += units;
    }

    /// Units that were never spent.
    pub(crate) fn give_back(&mut self, units: u64, end: Duration) {
        if let Some(spent) = self.minute.get_mut(&end) {
            let back = units.min(*spent);
            *spent -= back;
            self.total -= back;
        }
        self.day_units = self.day_units.saturating_sub(units);
    }

    /// Units that count now.
    pub(crate) fn counting(&mut self, now: Duration) -> u64 {
        let still = self.minute.split_off(&(now + Duration::from_nanos(1)));
        self.total -= self.minute.values().sum::<u64>();
        self.minute = still;
        self.total
    }

    /// Begins the day. A clock that was set back stays in the day that it was in.
    fn turn(&mut self, now: Now) {
        let (today, _) = now.today();
        if today > self.day {
            (self.day, self.day_units) = (today, 0);
        }
    }

    /// Spends these units, and as many more as are wanted and left; or says how long to wait before it is worth asking again.
    pub(crate) fn take(&mut self, units: u64, wanted: u64, budget: UnitBudget, now: Now) -> Result<u64, Duration> {
        self.counting(now.at);
        self.turn(now);
        if now.at < self.paused_until {
            return Err(self.paused_until - now.at);
        }
        // What is more than the whole budget is let through when nothing else is.
        if self.day_units > 0 && self.day_units + units > budget.per_day {
            return Err(now.today().1);
        }
        if self.total > 0 && self.total + units > budget.per_minute {
            return Err(self.frees(units, budget).saturating_sub(now.at));
        }
        let left = self.left(budget);
        let taken = units.max(wanted.min(left));
        self.add(taken, now.at + WINDOW);
        self.day_units += taken;
        Ok(taken)
    }

    /// Units that may be spent now.
    pub(crate) fn left(&self, budget: UnitBudget) -> u64 {
        let of_minute = budget.per_minute.saturating_sub(self.total);
        of_minute.min(budget.per_day.saturating_sub(self.day_units))
    }

    /// When so many units will be free.
    fn frees(&self, units: u64, budget: UnitBudget) -> Duration {
        let mut total = self.total;
        let enough = |(end, spent): (&Duration, &u64)| {
            total -= spent;
            (total == 0 || total + units <= budget.per_minute).then_some(*end)
        };
        self.minute.iter().find_map(enough).unwrap_or_default()
    }

    /// What the service has counted and is not known here was spent by others; returns how many units that are, and until when
    /// they count.
    pub(crate) fn told(
        &mut self,
        remaining: u64,
        reset: Duration,
        budget: UnitBudget,
        now: Now,
    ) -> Option<(u64, Duration)> {
        self.counting(now.at);
        self.turn(now);
        let believed = budget.per_minute.saturating_sub(self.total);
        if remaining >= believed || reset.is_zero() {
            return None;
        }
        let (units, end) = (believed - remaining, now.at + reset.min(WINDOW));
        self.add(units, end);
        self.day_units += units;
        Some((units, end))
    }

    /// What may be spent from now on.
    pub(crate) fn allowance(&mut self, budget: UnitBudget, now: Now) -> Allowance {
        self.counting(now.at);
        self.turn(now);
        Allowance {
            spent: 0,
            waited: Duration::ZERO,
            ours: 1.0,
            paused: self.paused_until.saturating_sub(now.at),
            frees: self.minute.iter().map(|(end, units)| (end.saturating_sub(now.at), *units)).collect(),
            window: WINDOW,
            per_window: budget.per_minute,
            left_today: budget.per_day.saturating_sub(self.day_units),
            today_ends: now.today().1,
            per_day: budget.per_day,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: UnitBudget = UnitBudget { per_minute: 10, per_day: 1_000 };

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(seconds: u64) -> Now {
        Now { at: secs(seconds), day: DateTime::from_timestamp_secs(1_767_571_200 + seconds as i64).unwrap() }
    }

    #[test]
    fn units_come_back_as_they_age() {
        let mut spent = Spent::default();
        assert_eq!(spent.take(6, 0, TEN, at(0)), Ok(6));
        assert_eq!(spent.take(4, 0, TEN, at(20)), Ok(4));
        assert_eq!(spent.take(2, 0, TEN, at(30)), Err(secs(31)), "the first six are then over");
        assert_eq!(spent.take(8, 0, TEN, at(30)), Err(secs(51)), "these need the second as well");
        assert_eq!(spent.take(6, 0, TEN, at(61)), Ok(6));
        assert_eq!(spent.take(1, 0, TEN, at(61)), Err(secs(20)));
    }

    #[test]
    fn more_than_is_needed_is_taken_only_of_what_is_left() {
        let mut spent = Spent::default();
        assert_eq!(spent.take(1, 6, TEN, at(0)), Ok(6));
        assert_eq!(spent.take(1, 6, TEN, at(0)), Ok(4));
        assert_eq!(spent.take(1, 6, TEN, at(0)), Err(secs(61)));
        spent.give_back(3, secs(61));
        assert_eq!(spent.take(1, 6, TEN, at(1)), Ok(3));
        assert_eq!(spent.day_units, 10);
    }

    #[test]
    fn more_than_there_is_passes_alone() {
        let mut spent = Spent::default();
        assert_eq!(spent.take(1, 0, TEN, at(0)), Ok(1));
        assert_eq!(spent.take(40, 0, TEN, at(1)), Err(secs(60)));
        assert_eq!(spent.take(40, 0, TEN, at(61)), Ok(40));
        assert_eq!(spent.take(1, 0, TEN, at(62)), Err(secs(60)));
    }

    #[test]
    fn what_others_spend_is_heeded_and_what_is_known_is_not_counted_twice() {
        let mut spent = Spent::default();
        assert_eq!(spent.take(5, 0, TEN, at(0)), Ok(5));
        assert_eq!(spent.told(5, secs(40), TEN, at(1)), None);
        assert_eq!(spent.take(5, 0, TEN, at(1)), Ok(5));
        let mut spent = Spent::default();
        assert_eq!(spent.told(2, secs(40), TEN, at(0)), Some((8, secs(40))));
        assert_eq!(spent.take(3, 0, TEN, at(0)), Err(secs(40)));
        assert_eq!(spent.take(2, 0, TEN, at(0)), Ok(2));
    }

    #[test]
    fn a_pause_is_for_everyone() {
        let mut spent = Spent { paused_until: secs(7), ..Spent::default() };
        assert_eq!(spent.take(1, 0, TEN, at(5)), Err(secs(2)));
        assert_eq!(spent.take(1, 0, TEN, at(7)), Ok(1));
    }

    #[test]
    fn a_day_that_is_spent_goes_on_at_midnight() {
        let budget = UnitBudget { per_day: 12, ..TEN };
        let mut spent = Spent::default();
        assert_eq!(spent.take(10, 0, budget, at(0)), Ok(10));
        assert_eq!(spent.take(2, 5, budget, at(61)), Ok(2), "no more than the day has left");
        assert_eq!(spent.take(1, 0, budget, at(200)), Err(secs(DAY - 200)));
        assert_eq!(spent.take(1, 0, budget, at(DAY)), Ok(1));
        assert_eq!((spent.day_units, spent.take(1, 0, budget, at(DAY - 1))), (1, Ok(1)), "a clock that was set back");
    }

    /// Spends as fast as is let, and says how long that took.
    fn simulated(mut spent: Spent, budget: UnitBudget, begin: u64, mut units: u64, step: u64) -> Duration {
        let mut now = at(begin);
        while units > 0 {
            match spent.take(step.min(units), 0, budget, now) {
                Ok(taken) => units -= taken,
                Err(wait) => now = Now { at: now.at + wait, day: now.day + wait },
            }
        }
        now.at - secs(begin)
    }

    proptest::proptest! {
        #[test]
        fn the_outlook_is_what_then_happens(
            before in proptest::collection::vec((0_u64..60, 1_u64..4), 0..8),
            units in 1_u64..300,
            per_day in 30_u64..200,
        ) {
            let mut spent = Spent::default();
            let budget = UnitBudget { per_minute: 10, per_day };
            let mut last = 0;
            let mut times = before;
            times.sort_unstable();
            for (time, few) in times {
                last = time;
                let _ = spent.take(few, 0, budget, at(time));
            }
            let told = spent.clone().allowance(budget, at(last)).time_for(units);
            let took = simulated(spent, budget, last, units, 1);
            let off = told.abs_diff(took);
            // Around midnight a window may be cut in two.
            let exact = took < secs(DAY - last);
            proptest::prop_assert!(
                off.is_zero() || !exact && off <= WINDOW * 2 * (1 + took.as_secs() as u32 / DAY as u32),
                "told {told:?}, took {took:?}"
            );
        }
    }
}
