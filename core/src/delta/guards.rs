//! What a plan may not do without a person's word (reconciliation contract, section 5). Asked before the first effect.
//!
//! The guards that need a look at the places themselves (root missing or another one, space, quota) are the engine's.

use std::fmt;

use super::tally::Tally;
use crate::model::Side;

/// How many deletions a run may make without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxDelete {
    /// At most this many on one side.
    Count(u64),
    /// At most this share of the ledger's items, in percent; asked only from [`Limits::small`] items on.
    Percent(u8),
}

impl Default for MaxDelete {
    /// Half of them.
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl MaxDelete {
    /// How many of so many items may go; below `small` items no share is asked for.
    #[must_use]
    pub fn allowed(self, items: u64, small: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(_) if items < small => u64::MAX,
            Self::Percent(percent) => share(items, percent),
        }
    }
}

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deletions on one side.
    pub max_delete: MaxDelete,
    /// Overwritten files of one side, in percent of the ledger's items.
    pub max_overwrite_percent: u8,
    /// Files of one side that become empty or nearly so, in percent of the ledger's items.
    pub max_shrink_percent: u8,
    /// Below this many items no share is asked for.
    pub small: u64,
    /// The conduit is *exact*.
    pub exact: bool,
    /// A person has confirmed these for this plan.
    pub confirmed: Confirmed,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_delete: MaxDelete::default(),
            max_overwrite_percent: 75,
            max_shrink_percent: 25,
            small: 10,
            exact: false,
            confirmed: Confirmed::default(),
        }
    }
}

/// What a person has agreed to for one plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Deletions beyond the limit, an emptied root, deletions together with a changed filter.
    pub deletes: bool,
    /// Overwritten and shrunk files beyond the limit.
    pub overwrites: bool,
    /// *Exact* without a ledger, or with names that collide.
    pub exact: bool,
}

/// A guard that stopped a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardTrip {
    /// One side's root shows nothing where the ledger knows at least two items.
    RootEmptied(Side),
    /// More deletions on that side than allowed.
    Deletes {
        /// The side that would lose the items.
        on: Side,
        /// How many.
        count: u64,
        /// How many were allowed.
        allowed: u64,
    },
    /// A larger share of that side's files would be overwritten than is plausible.
    Overwrites {
        /// The side that would be overwritten.
        on: Side,
        /// How many.
        count: u64,
    },
    /// Many files of that side would become empty or nearly so.
    Shrinks {
        /// The side that would be overwritten.
        on: Side,
        /// How many.
        count: u64,
    },
    /// The filter let go of items and the same plan deletes others.
    FilterAndDeletes,
    /// *Exact* would remove what no ledger ever knew.
    ExactWithoutLedger,
    /// *Exact* with names that are the same on one side.
    ExactWithCollisions,
}

/// Which confirmation lifts a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// [`Confirmed::deletes`].
    Deletes,
    /// [`Confirmed::overwrites`].
    Overwrites,
    /// [`Confirmed::exact`].
    Exact,
}

impl GuardTrip {
    /// Which confirmation lifts it.
    #[must_use]
    pub fn lifted_by(self) -> Confirmation {
        match self {
            Self::RootEmptied(_) | Self::Deletes { .. } | Self::FilterAndDeletes => Confirmation::Deletes,
            Self::Overwrites { .. } | Self::Shrinks { .. } => Confirmation::Overwrites,
            Self::ExactWithoutLedger | Self::ExactWithCollisions => Confirmation::Exact,
        }
    }

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RootEmptied(_) => "root_emptied",
            Self::Deletes { .. } => "max_delete",
            Self::Overwrites { .. } => "max_overwrite",
            Self::Shrinks { .. } => "max_shrink",
            Self::FilterAndDeletes => "filter_and_deletes",
            Self::ExactWithoutLedger => "exact_without_ledger",
            Self::ExactWithCollisions => "exact_with_collisions",
        }
    }
}

impl fmt::Display for GuardTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |side: &Side| match side {
            Side::Left => "the source",
            Side::Right => "the target",
        };
        match self {
            Self::RootEmptied(side) => write!(f, "{} is empty and was not; confirm deletions to carry on", place(side)),
            Self::Deletes { on, count, allowed } => write!(
                f,
                "{count} items would be deleted at {} and {allowed} are allowed; confirm deletions or raise the limit",
                place(on)
            ),
            Self::Overwrites { on, count } => {
                write!(f, "{count} files would be overwritten at {}; confirm overwriting to carry on", place(on))
            }
            Self::Shrinks { on, count } => {
                write!(f, "{count} files would become empty at {}; confirm overwriting to carry on", place(on))
            }
            Self::FilterAndDeletes => {
                f.write_str("the filter changed and the same plan deletes items; confirm deletions to carry on")
            }
            Self::ExactWithoutLedger => f.write_str(
                "without a ledger exact would remove everything that only the target has; confirm exact to carry on",
            ),
            Self::ExactWithCollisions => f.write_str("some names are the same on one side; confirm exact to carry on"),
        }
    }
}

/// The first guard that the plan trips and nobody has confirmed.
#[must_use]
pub fn check(tally: &Tally, limits: &Limits) -> Option<GuardTrip> {
    trips(tally, limits).into_iter().find(|trip| !match trip.lifted_by() {
        Confirmation::Deletes => limits.confirmed.deletes,
        Confirmation::Overwrites => limits.confirmed.overwrites,
        Confirmation::Exact => limits.confirmed.exact,
    })
}

fn trips(tally: &Tally, limits: &Limits) -> Vec<GuardTrip> {
    let mut trips = Vec::new();
    let deletes = tally.deletes.left + tally.deletes.right;
    if limits.exact && tally.base == 0 && deletes > 0 {
        trips.push(GuardTrip::ExactWithoutLedger);
    }
    if limits.exact && tally.collisions > 0 {
        trips.push(GuardTrip::ExactWithCollisions);
    }
    for side in Side::BOTH {
        if tally.root_base >= 2 && tally.root_entries[side] == Some(0) && tally.deletes[side.other()] > 0 {
            trips.push(GuardTrip::RootEmptied(side));
        }
    }
    for on in Side::BOTH {
        // Exact removes what the ledger does not know, so what the side shows counts where that is more.
        let items = tally.base.max(tally.entries[on]);
        let allowed = limits.max_delete.allowed(items, limits.small);
        let count = tally.deletes[on];
        if count > allowed {
            trips.push(GuardTrip::Deletes { on, count, allowed });
        }
    }
    if tally.detached > 0 && deletes > 0 {
        trips.push(GuardTrip::FilterAndDeletes);
    }
    for on in Side::BOTH {
        if tally.base >= limits.small && tally.overwrites[on] > share(tally.base, limits.max_overwrite_percent) {
            trips.push(GuardTrip::Overwrites { on, count: tally.overwrites[on] });
        }
        if tally.base >= limits.small && tally.shrinks[on] > share(tally.base, limits.max_shrink_percent) {
            trips.push(GuardTrip::Shrinks { on, count: tally.shrinks[on] });
        }
    }
    trips
}

fn share(items: u64, percent: u8) -> u64 {
    let share = u128::from(items) * u128::from(percent) / 100;
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sides;

    /// What has `base` items, all of them directly beneath the root and seen on both sides.
    fn quiet(base: u64) -> Tally {
        Tally {
            base,
            root_base: base,
            root_entries: Sides::new(Some(base), Some(base)),
            entries: Sides::new(base, base),
            ..Tally::default()
        }
    }

    #[test]
    fn each_guard_stops_its_plan_and_its_confirmation_lifts_it() {
        let limits = Limits::default();
        let exact = Limits { exact: true, ..limits };
        let right = |n: u64| Sides::new(0, n);
        let cases = [
            (
                "root_emptied",
                limits,
                Tally { root_entries: Sides::new(Some(0), Some(2)), deletes: right(2), ..quiet(2) },
            ),
            ("max_delete", limits, Tally { deletes: right(51), ..quiet(100) }),
            (
                "max_delete",
                Limits { max_delete: MaxDelete::Count(0), ..limits },
                Tally { deletes: right(1), ..quiet(3) },
            ),
            ("max_overwrite", limits, Tally { overwrites: right(76), ..quiet(100) }),
            ("max_shrink", limits, Tally { shrinks: right(26), ..quiet(100) }),
            ("filter_and_deletes", limits, Tally { detached: 1, deletes: right(1), ..quiet(100) }),
            ("exact_without_ledger", exact, Tally { deletes: right(1), entries: right(9), ..quiet(0) }),
            ("exact_with_collisions", exact, Tally { collisions: 1, ..quiet(5) }),
        ];
        for (name, limits, tally) in cases {
            let trip = check(&tally, &limits).unwrap_or_else(|| panic!("{name} does not trip"));
            assert_eq!(trip.as_str(), name);
            let mut confirmed = Confirmed::default();
            match trip.lifted_by() {
                Confirmation::Deletes => confirmed.deletes = true,
                Confirmation::Overwrites => confirmed.overwrites = true,
                Confirmation::Exact => confirmed.exact = true,
            }
            assert_eq!(check(&tally, &Limits { confirmed, ..limits }), None, "{name} is lifted");
        }
    }

    #[test]
    fn half_of_ten_items_and_everything_of_nine_may_go() {
        let limits = Limits::default();
        assert_eq!(check(&Tally { deletes: Sides::new(0, 5), ..quiet(10) }, &limits), None);
        assert!(check(&Tally { deletes: Sides::new(0, 6), ..quiet(10) }, &limits).is_some());
        assert_eq!(check(&Tally { deletes: Sides::new(0, 9), ..quiet(9) }, &limits), None);
    }
}
