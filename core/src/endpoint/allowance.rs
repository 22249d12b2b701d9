//! What a store lets through: from it a run knows when it will be done where the store's budget bounds it and not its speed.

use std::time::Duration;

/// What a store lets through from now on, as far as is known. In units, the store's own measure of what a request costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// Units that this endpoint has spent since it was opened.
    pub(crate) spent: u64,
    /// For how long it has waited for units since then.
    pub(crate) waited: Duration,
    /// The part of what is spent by everyone that this endpoint has, more than 0 and at most 1.
    pub(crate) ours: f64,
    /// The store wants to be left alone for so long.
    pub(crate) paused: Duration,
    /// After how long how many units are free again, in order.
    pub(crate) frees: Vec<(Duration, u64)>,
    /// How long it takes until a unit that is spent is free again.
    pub(crate) window: Duration,
    /// Units that may be spent in a window.
    pub(crate) per_window: u64,
    /// Units that may still be spent today.
    pub(crate) left_today: u64,
    /// After how long the day ends.
    pub(crate) today_ends: Duration,
    /// Units that may be spent in a day.
    pub(crate) per_day: u64,
}

/// Beyond that nobody plans.
const DAYS: usize = 3650;
const DAY: Duration = Duration::from_secs(86_400);

impl Allowance {
    /// Units that this endpoint has spent since it was opened.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// For how long this endpoint has waited for units since it was opened.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// For how long nothing at all is let through.
    #[must_use]
    pub fn closed_for(&self) -> Duration {
        Self { ours: 1.0, ..self.clone() }.time_for(1)
    }

    /// How long it will take until this endpoint has been let so many units through, if it asks for nothing but them and others go on as
    /// they did.
    #[must_use]
    pub fn time_for(&self, units: u64) -> Duration {
        // What others take meanwhile is waited for, too.
        let mut units = (units as f64 / self.ours.clamp(0.01, 1.0)).round() as u64;
        let (mut begun, mut left, mut ends) = (Duration::ZERO, self.left_today, self.today_ends);
        for day in 0..DAYS {
            let today = units.min(left);
            let done = begun + if day == 0 { self.in_window(today) } else { self.in_windows_to_come(today) };
            if today == units {
                return done;
            }
            units -= today;
            (begun, left) = (done.max(ends), self.per_day);
            while ends <= begun {
                ends += DAY;
            }
        }
        begun
    }

    /// How long so many units take by the minute alone.
    fn in_window(&self, units: u64) -> Duration {
        let free = self.per_window.saturating_sub(self.frees.iter().map(|(_, units)| units).sum());
        if units <= free {
            return if units == 0 { Duration::ZERO } else { self.paused };
        }
        // What is free is spent now, and is then the last that comes back.
        let rest = units - free;
        let (rounds, rest) = ((rest - 1) / self.per_window.max(1), (rest - 1) % self.per_window.max(1) + 1);
        let mut freed = 0;
        let again = [(self.window, free)];
        let enough = |(after, units): &(Duration, u64)| {
            freed += units;
            (freed >= rest).then_some((*after).max(self.paused))
        };
        let within = self.frees.iter().chain(&again).find_map(enough).unwrap_or(self.window);
        within + self.window.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    /// The same when nothing was spent before.
    fn in_windows_to_come(&self, units: u64) -> Duration {
        let rounds = units.saturating_sub(1) / self.per_window.max(1);
        self.window.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fresh() -> Allowance {
        Allowance {
            spent: 0,
            waited: Duration::ZERO,
            ours: 1.0,
            paused: Duration::ZERO,
            frees: Vec::new(),
            window: secs(60),
            per_window: 100,
            left_today: 1000,
            today_ends: secs(3600),
            per_day: 1000,
        }
    }

    #[test]
    fn what_is_free_takes_no_time_and_more_waits_for_windows() {
        let allowance = Allowance { frees: vec![(secs(10), 40), (secs(30), 20)], ..fresh() };
        let times: Vec<u64> = [0, 40, 80, 81, 101, 141, 241].map(|units| allowance.time_for(units).as_secs()).into();
        assert_eq!(times, [0, 0, 10, 30, 60, 70, 130]);
        let paused = Allowance { paused: secs(20), ..allowance };
        assert_eq!([1, 80, 100].map(|units| paused.time_for(units).as_secs()), [20, 20, 30]);
    }

    #[test]
    fn others_take_their_part() {
        let half = Allowance { ours: 0.5, ..fresh() };
        assert_eq!(half.time_for(200), secs(180));
    }

    #[test]
    fn a_day_that_is_spent_goes_on_at_midnight() {
        let allowance = Allowance { left_today: 250, ..fresh() };
        assert_eq!(allowance.time_for(250), secs(120));
        assert_eq!(allowance.time_for(251), secs(3600));
        assert_eq!(allowance.time_for(1251), secs(3600 + 86_400));
    }
}
