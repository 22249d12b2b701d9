//! Days and times of day as text, in the proleptic Gregorian calendar, and back.
//!
//! The calendar follows Howard Hinnant's *chrono-compatible low-level date algorithms*
//! (<https://howardhinnant.github.io/date_algorithms.html>), which hold for every year that 32 bits of days reach.

use crate::model::Tick;

/// Seconds of a day.
pub(in crate::endpoint) const DAY: i64 = 86_400;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Days since 1970-01-01; nothing when there is no such day.
pub(in crate::endpoint) fn days_of(year: i64, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(-6_000_000..=6_000_000).contains(&year) {
        return None;
    }
    // Years begin in March, so that the leap day is the last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * i64::from((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = i32::try_from(era * 146_097 + day_of_era - 719_468).ok()?;
    // The 31st of April has become the 1st of May.
    (civil_of(days) == (year, month, day)).then_some(days)
}

/// Year (0 is the one before 1), month and day.
pub(in crate::endpoint) fn civil_of(days: i32) -> (i64, u32, u32) {
    let shifted = i64::from(days) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    (year, small(month), small(day))
}

/// `2024-02-29`; nothing outside of the years 1 to 9999, which is what all products read.
pub(in crate::endpoint) fn date_text(days: i32) -> Option<String> {
    let (year, month, day) = civil_of(days);
    (1..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// `23:59:59.25`, without zeros at the end of the fraction.
pub(in crate::endpoint) fn clock_text(nanos: u64) -> String {
    let seconds = nanos / SECOND;
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos % SECOND {
        0 => whole,
        fraction => format!("{whole}.{fraction:09}").trim_end_matches('0').to_owned(),
    }
}

/// The day and the nanoseconds since its midnight.
pub(in crate::endpoint) fn day_and_clock(at: Tick) -> Option<(i32, u64)> {
    let days = i32::try_from(at.seconds.div_euclid(DAY)).ok()?;
    let seconds = u64::try_from(at.seconds.rem_euclid(DAY)).ok()?;
    Some((days, seconds * SECOND + u64::from(at.nanos)))
}

/// `2024-02-29 23:59:59.25`; nothing outside of the years 1 to 9999.
pub(in crate::endpoint) fn timestamp_text(at: Tick) -> Option<String> {
    let (days, nanos) = day_and_clock(at)?;
    Some(format!("{} {}", date_text(days)?, clock_text(nanos)))
}

/// Reads `2024-02-29`.
pub(in crate::endpoint) fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() < 4 {
        return None;
    }
    days_of(number(year)?, u32::try_from(number(month)?).ok()?, u32::try_from(number(day)?).ok()?)
}

/// Reads `23:59`, `23:59:59`, `23:59:59.25`: nanoseconds since midnight. No leap second, no finer fraction.
pub(in crate::endpoint) fn parse_clock(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.splitn(3, ':');
    let two = |part: &str| (part.len() == 2).then(|| number(part)).flatten();
    let (hours, minutes) = (two(parts.next()?)?, two(parts.next()?)?);
    let seconds = parts.next().map_or(Some(0), two)?;
    if minutes > 59 || seconds > 59 || fraction.trim_end_matches('0').len() > 9 {
        return None;
    }
    let nanos = if fraction.is_empty() { 0 } else { number(&format!("{:0<9}", fraction.trim_end_matches('0')))? };
    let seconds = u64::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
    let clock = seconds * SECOND + u64::try_from(nanos).ok()?;
    (clock <= 24 * 3600 * SECOND).then_some(clock)
}

/// Reads a date and a time with ` ` or `T` between, and what stands behind them of a zone: seconds east of Greenwich.
pub(in crate::endpoint) fn parse_timestamp(text: &str) -> Option<(Tick, Option<i64>)> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(at);
    let (days, nanos) = (parse_date(date)?, parse_clock(clock.trim_end())?);
    let seconds = i64::from(days) * DAY + i64::try_from(nanos / SECOND).ok()?;
    let tick = Tick { seconds, nanos: u32::try_from(nanos % SECOND).ok()? };
    Some((tick, if zone.is_empty() { None } else { Some(parse_zone(zone)?) }))
}

/// `Z`, `+02`, `+0200`, `+02:00`, `-00:44:30`.
fn parse_zone(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'Z' | b'z' => return (text.len() == 1).then_some(0),
        b'-' => -1,
        _ => 1,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if ![2, 4, 6].contains(&digits.len()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), number);
    Some(sign * (part(0)? * 3600 + part(2)? * 60 + part(4)?))
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_that_are_none_are_refused() {
        for text in ["2023-02-29", "2024-04-31", "2024-13-01", "2024-00-01", "2024-1", "24-01-01", "0000-00-00", ""] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2000-03-01"), Some(11_017));
        assert_eq!(civil_of(-719_529), (-1, 12, 31));
    }

    #[test]
    fn times_and_zones() {
        assert_eq!(parse_clock("23:59:59.5"), Some(86_399_500_000_000));
        assert_eq!(parse_clock("24:00:00"), Some(86_400_000_000_000));
        for wrong in ["24:00:01", "12:60", "1:00", "12", "12:00:60", "12:00:00.1234567891"] {
            assert_eq!(parse_clock(wrong), None, "{wrong}");
        }
        let tick = Tick { seconds: 0, nanos: 0 };
        assert_eq!(parse_timestamp("1970-01-01T00:00:00Z"), Some((tick, Some(0))));
        assert_eq!(parse_timestamp("1970-01-01 00:00:00+02:30"), Some((tick, Some(9000))));
        assert_eq!(parse_timestamp("1970-01-01 00:00"), Some((tick, None)));
        assert_eq!(parse_timestamp("1970-01-01 00:00 noon"), None);
    }

    proptest! {
        #[test]
        fn every_day_has_one_date(days in any::<i32>()) {
            let (year, month, day) = civil_of(days);
            prop_assert_eq!(days_of(year, month, day), Some(days));
        }

        #[test]
        fn text_and_time_are_inverse(seconds in -62_135_596_800_i64..253_402_300_800, nanos in 0_u32..1_000_000_000) {
            let tick = Tick { seconds, nanos };
            prop_assert_eq!(parse_timestamp(&timestamp_text(tick).unwrap()), Some((tick, None)));
        }
    }
}
