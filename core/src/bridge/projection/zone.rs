//! Between points in time and the clock on a wall.

use chrono::{LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

use crate::bridge::written;
use crate::model::Tick;

/// What the clock on the wall says; nothing beyond the years that have calendars.
pub(crate) fn to_wall(at: Tick, zone: Tz) -> Option<Tick> {
    let utc = written::wall(at)?;
    written::tick(zone.from_utc_datetime(&utc).naive_local())
}

/// The point in time when the clock on the wall says that; of two, when it is put back, the first. Nothing when it is put
/// forward over that time.
pub(crate) fn from_wall(at: Tick, zone: Tz) -> Option<Tick> {
    let at = zone.from_local_datetime(&written::wall(at)?).earliest()?;
    written::tick(at.naive_utc())
}

/// The point in time at which a day begins, which is not midnight where the clock is put forward then. Nothing for a day
/// that a zone left out (Samoa, 2011-12-30).
pub(crate) fn day_start(days: i32, zone: Tz) -> Option<Tick> {
    let midnight = written::date(days)?.and_time(NaiveTime::MIN);
    // Clocks are put by whole minutes, and quarters of an hour have been the least since 1950.
    (0..24 * 4).find_map(|quarters| {
        let at = midnight.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
        match zone.from_local_datetime(&at) {
            LocalResult::None => None,
            LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => written::tick(start.naive_utc()),
        }
    })
}

/// The day on which a point in time lies.
pub(crate) fn day_of(at: Tick, zone: Tz) -> Option<i32> {
    let utc = written::wall(at)?;
    let day: NaiveDate = zone.from_utc_datetime(&utc).date_naive();
    Some(written::days(day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::written::{read_date, read_instant, read_tick, show_tick};

    #[test]
    fn clocks_that_are_put_have_gaps_and_repeats() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let local = |text: &str| from_wall(read_tick(text).unwrap(), berlin).and_then(show_tick);
        assert_eq!(local("2026-07-01T12:00:00").as_deref(), Some("2026-07-01T10:00:00"));
        assert_eq!(local("2026-03-29T02:30:00"), None);
        assert_eq!(local("2026-10-25T02:30:00").as_deref(), Some("2026-10-25T00:30:00"));
    }

    #[test]
    fn days_begin_where_the_zone_has_them() {
        let start = |zone: &str, day: &str| {
            let zone = zone.parse().unwrap();
            let start = day_start(read_date(day).unwrap(), zone)?;
            assert_eq!(day_of(start, zone), read_date(day));
            show_tick(start)
        };
        assert_eq!(start("Europe/Berlin", "2026-11-22").as_deref(), Some("2026-11-21T23:00:00"));
        // The clock was put from 00:00 to 01:00.
        assert_eq!(start("America/Sao_Paulo", "2018-11-04").as_deref(), Some("2018-11-04T03:00:00"));
        assert_eq!(start("Pacific/Apia", "2011-12-30"), None);
        let just_before = read_instant("2026-11-21T22:59:59Z").unwrap();
        assert_eq!(day_of(just_before, "Europe/Berlin".parse().unwrap()), read_date("2026-11-21"));
    }
}
