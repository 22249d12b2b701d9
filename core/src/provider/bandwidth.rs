//! How many bytes may pass in a second, by the time of the week.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, Local, Timelike as _, Weekday};

use crate::error::{Code, Error, Result};

const MINUTES_A_DAY: u16 = 24 * 60;

/// A bandwidth limit: the same at all times, or a timetable in this machine's local time.
///
/// A rate is bytes per second with `k`, `M` or `G` for powers of 1024. A timetable is a list of `HH:MM,RATE` (every day) and
/// `DAY-HH:MM,RATE` (`Mon` to `Sun`), separated by spaces; each holds until the next, across the end of the week, and
/// `off` is no limit.
///
/// ```
/// use chrono::Weekday;
/// use portbook::provider::Bandwidth;
///
/// # fn main() -> portbook::Result<()> {
/// let always: Bandwidth = "1.5M".parse()?;
/// assert_eq!(always.at(Weekday::Mon, 0), Some(1_572_864));
///
/// let by_day: Bandwidth = "08:00,512k 19:00,off Sat-00:00,off Mon-00:00,512k".parse()?;
/// assert_eq!(by_day.at(Weekday::Tue, 12 * 60), Some(524_288));
/// assert_eq!(by_day.at(Weekday::Tue, 20 * 60), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    text: String,
    /// By the minute of the week at which they begin to hold; never empty.
    rates: Vec<(u16, Option<u64>)>,
}

impl Bandwidth {
    /// The same limit at all times, of at least 1 byte per second.
    #[must_use]
    pub fn constant(bytes_per_second: u64) -> Self {
        let rate = bytes_per_second.max(1);
        Self { text: rate.to_string(), rates: vec![(0, Some(rate))] }
    }

    /// The limit if it is the same at all times.
    #[must_use]
    pub fn as_constant(&self) -> Option<u64> {
        match self.rates[..] {
            [(_, rate)] => rate,
            _ => None,
        }
    }

    /// The limit on that day at that minute (0 to 1439); none for no limit.
    #[must_use]
    pub fn at(&self, day: Weekday, minute: u16) -> Option<u64> {
        let now = minute_of_week(day, minute);
        let latest = self.rates.iter().rev().find(|(begin, _)| *begin <= now).or(self.rates.last());
        latest.and_then(|(_, rate)| *rate)
    }

    /// The limit by this machine's clock and zone.
    #[must_use]
    pub fn now(&self) -> Option<u64> {
        if self.rates.len() == 1 {
            return self.as_constant();
        }
        let now = Local::now();
        // An hour and a minute are below 24 * 60.
        self.at(now.weekday(), u16::try_from(now.hour() * 60 + now.minute()).unwrap_or(0))
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Bandwidth {
    type Err = Error;

    /// # Errors
    /// `invalid`, with what was expected.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason: String| {
            Error::new(Code::Invalid, "use the bandwidth limit", format_args!("'{}'", text.escape_debug()))
                .because(reason)
        };
        if !text.contains([',', ':']) {
            return Ok(Self { text: text.to_owned(), rates: vec![(0, Some(rate(text).map_err(wrong)?))] });
        }
        let mut rates = Vec::new();
        for word in text.split_whitespace() {
            let (time, limit) = word.split_once(',').ok_or_else(|| wrong(format!("'{word}' has no rate")))?;
            let limit = if limit == "off" { None } else { Some(rate(limit).map_err(wrong)?) };
            let (days, time) = match time.split_once('-') {
                Some((day, time)) => (vec![weekday(day).ok_or_else(|| wrong(format!("'{day}' is no day")))?], time),
                None => (WEEK.to_vec(), time),
            };
            let minute = minute_of_day(time).ok_or_else(|| wrong(format!("'{time}' is no time of day")))?;
            rates.extend(days.into_iter().map(|day| (minute_of_week(day, minute), limit)));
        }
        // Of two for the same minute the later word holds.
        rates.sort_by_key(|(begin, _)| *begin);
        rates.reverse();
        rates.dedup_by_key(|(begin, _)| *begin);
        rates.reverse();
        Ok(Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), rates })
    }
}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn minute_of_week(day: Weekday, minute: u16) -> u16 {
    WEEK.iter().zip(0..).find(|(other, _)| **other == day).map_or(0, |(_, n): (_, u16)| n) * MINUTES_A_DAY
        + minute.min(MINUTES_A_DAY - 1)
}

fn weekday(text: &str) -> Option<Weekday> {
    WEEK.into_iter().find(|day| day.to_string().eq_ignore_ascii_case(text))
}

/// `HH:MM`, from 00:00 to 23:59.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour)?, digits(minute)?);
    (hour < 24 && minute < 60).then(|| u16::try_from(hour * 60 + minute).ok()).flatten()
}

/// Bytes per second of `500k`, `10M`, `1.5G` or a plain number; units are powers of 1024.
fn rate(text: &str) -> std::result::Result<u64, String> {
    let wrong = || format!("expected bytes per second such as 500k or 10M, not '{}'", text.escape_debug());
    let (number, unit) = match text.char_indices().next_back().ok_or_else(wrong)? {
        (at, 'k' | 'K') => (&text[..at], 1_u64 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = digits(whole).and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)?;
    digits(fraction).ok_or_else(wrong)?;
    let fraction: f64 = format!("0.{fraction}").parse().map_err(|_| wrong())?;
    match whole.saturating_add((fraction * unit as f64) as u64) {
        0 => Err("a limit of nothing would never finish".into()),
        bytes => Ok(bytes),
    }
}

/// A number written in digits only: no sign, no space.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_powers_of_1024() {
        for (text, bytes) in
            [("1", 1), ("500k", 512_000), ("10M", 10 << 20), ("2G", 2 << 30), ("1.5K", 1536), ("0.25m", 1 << 18)]
        {
            assert_eq!(text.parse::<Bandwidth>().unwrap().as_constant(), Some(bytes), "{text}");
        }
        for text in
            ["", "0", "0.0M", "k", "-1", "+1", "1x", "1 k", "1.k.k", ".5M", "1.M", "99999999999999999999G", "5µ", "off"]
        {
            assert_eq!(text.parse::<Bandwidth>().unwrap_err().code(), Code::Invalid, "{text}");
        }
    }

    #[test]
    fn a_timetable_holds_from_each_time_to_the_next() {
        let table: Bandwidth = " 08:00,512k  12:30,off 13:00,512k 18:00,10M ".parse().unwrap();
        for (hour, minute, expected) in [
            (0, 0, Some(10 << 20)),
            (7, 59, Some(10 << 20)),
            (8, 0, Some(512 << 10)),
            (12, 29, Some(512 << 10)),
            (12, 30, None),
            (13, 0, Some(512 << 10)),
            (23, 59, Some(10 << 20)),
        ] {
            for day in WEEK {
                assert_eq!(table.at(day, hour * 60 + minute), expected, "{day} {hour}:{minute}");
            }
        }
        assert_eq!(table.as_constant(), None);
        assert_eq!(table.to_string().parse::<Bandwidth>().unwrap(), table);
    }

    #[test]
    fn a_day_of_its_own_holds_across_the_end_of_the_week() {
        let table: Bandwidth = "Mon-09:00,1M Fri-17:00,off".parse().unwrap();
        for (day, hour, expected) in [
            (Weekday::Mon, 8, None),
            (Weekday::Mon, 9, Some(1 << 20)),
            (Weekday::Fri, 16, Some(1 << 20)),
            (Weekday::Fri, 17, None),
            (Weekday::Sun, 23, None),
        ] {
            assert_eq!(table.at(day, hour * 60), expected, "{day} {hour}");
        }
    }

    #[test]
    fn the_later_of_two_for_one_minute_holds() {
        let table: Bandwidth = "08:00,1M Tue-08:00,2M".parse().unwrap();
        assert_eq!(table.at(Weekday::Tue, 8 * 60), Some(2 << 20));
        assert_eq!(table.at(Weekday::Wed, 8 * 60), Some(1 << 20));
    }

    #[test]
    fn what_is_no_timetable_is_refused() {
        for text in
            ["08:00", "8,1M", "24:00,1M", "08:60,1M", "Xxx-08:00,1M", "08:00,0", "08:00,1M,2M", ",", ":", "-1:00,1M"]
        {
            assert_eq!(text.parse::<Bandwidth>().unwrap_err().code(), Code::Invalid, "{text}");
        }
    }
}
