//! Dates and times as text: ISO 8601, without a zone or in UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

use crate::model::Tick;

const DAY: i64 = 86_400;

/// The nanoseconds of a day.
pub(crate) const NANOS_OF_DAY: u64 = 86_400_000_000_000;

/// The day that many days after 1970-01-01; nothing beyond some 262,000 years.
pub(crate) fn date(days: i32) -> Option<NaiveDate> {
    DateTime::from_timestamp(i64::from(days) * DAY, 0).map(|at| at.date_naive())
}

/// The days from 1970-01-01 to it.
pub(crate) fn days(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days()).unwrap_or(i32::MAX)
}

/// A tick on the wall clock; nothing beyond some 262,000 years.
pub(crate) fn wall(tick: Tick) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(tick.seconds, tick.nanos).map(|at| at.naive_utc())
}

/// The tick of a wall clock; nothing in a leap second, which no database holds.
pub(crate) fn tick(at: NaiveDateTime) -> Option<Tick> {
    let nanos = at.nanosecond();
    (nanos < 1_000_000_000).then(|| Tick { seconds: at.and_utc().timestamp(), nanos })
}

/// `2026-11-22`.
pub(crate) fn show_date(days: i32) -> Option<String> {
    date(days).map(|date| date.format("%Y-%m-%d").to_string())
}

/// Reads what [`show_date`] writes.
pub(crate) fn read_date(text: &str) -> Option<i32> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(days)
}

/// `10:11:12.5`; `24:00:00` is the end of a day.
pub(crate) fn show_time(nanos: u64) -> Option<String> {
    if nanos > NANOS_OF_DAY {
        return None;
    }
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!("{hours:02}:{minutes:02}:{seconds:02}{}", fraction(rest)))
}

/// Reads what [`show_time`] writes, also without seconds.
pub(crate) fn read_time(text: &str) -> Option<u64> {
    if text.strip_prefix("24:00").is_some_and(|rest| rest.chars().all(|c| matches!(c, '0' | ':' | '.'))) {
        return Some(NANOS_OF_DAY);
    }
    let at = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
    let nanos = u64::from(at.nanosecond());
    (nanos < 1_000_000_000).then(|| u64::from(at.num_seconds_from_midnight()) * 1_000_000_000 + nanos)
}

/// `2026-11-22T10:11:12.5`.
pub(crate) fn show_tick(at: Tick) -> Option<String> {
    let wall = wall(at)?;
    Some(format!("{}{}", wall.format("%Y-%m-%dT%H:%M:%S"), fraction(u64::from(at.nanos))))
}

/// Reads what [`show_tick`] writes, also with a space for the `T`, and a day alone as its midnight.
pub(crate) fn read_tick(text: &str) -> Option<Tick> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let found = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    found.map_or_else(|| read_date(text).map(midnight), tick)
}

/// Reads a point in time: what [`show_tick`] writes, and behind it `Z` or how far the clock is from UTC (RFC 3339).
pub(crate) fn read_instant(text: &str) -> Option<Tick> {
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return read_tick(utc);
    }
    DateTime::parse_from_rfc3339(text).ok().and_then(|at| tick(at.naive_utc()))
}

/// The beginning of a day.
pub(crate) fn midnight(days: i32) -> Tick {
    Tick { seconds: i64::from(days) * DAY, nanos: 0 }
}

/// The day of a tick and the nanoseconds since it began; nothing when the day has no number.
pub(crate) fn split(at: Tick) -> Option<(i32, u64)> {
    let seconds = u64::try_from(at.seconds.rem_euclid(DAY)).ok()?;
    Some((i32::try_from(at.seconds.div_euclid(DAY)).ok()?, seconds * 1_000_000_000 + u64::from(at.nanos)))
}

/// Decimal places of a second, without zeros at the end.
fn fraction(nanos: u64) -> String {
    if nanos == 0 {
        return String::new();
    }
    format!(".{nanos:09}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_time_is_none() {
        for wrong in
            ["", "2026-02-30", "2026-13-01", "22.11.2026", "2026-11-22x", "2026-11-22T25:00:00", "2026-11-22T10:00:60"]
        {
            assert_eq!(read_tick(wrong), None, "{wrong}");
        }
        assert_eq!(read_instant("2026-11-22T10:00:00"), None, "no zone, no point in time");
        assert_eq!(read_instant("2026-11-22T12:00:00+02:00"), read_instant("2026-11-22 10:00Z"));
        assert_eq!(read_time("24:00:00"), Some(NANOS_OF_DAY));
        assert_eq!(read_time("24:00:01"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in -8_000_000_000_000_i64..8_000_000_000_000, nanos in 0_u32..1_000_000_000, of_day in 0..=NANOS_OF_DAY) {
            let at = Tick { seconds, nanos };
            let text = show_tick(at).unwrap();
            prop_assert_eq!(read_tick(&text), Some(at));
            prop_assert_eq!(read_instant(&format!("{text}Z")), Some(at));
            let (day, _) = split(at).unwrap();
            prop_assert_eq!(read_date(&show_date(day).unwrap()), Some(day));
            prop_assert_eq!(read_time(&show_time(of_day).unwrap()), Some(of_day));
        }
    }
}
