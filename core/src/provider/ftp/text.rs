//! The lines of `LIST`, which are made for people: in the form of `ls -l`, or in that of DOS.
//!
//! A size and a kind are taken from them. A time is not a version's: it has no seconds, after half a year no hours, and
//! is of the server's own zone.

use chrono::{Datelike as _, Duration, NaiveDate, NaiveDateTime};

use crate::model::{Kind, Timestamp};

/// What a line says of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'l> {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) name: &'l [u8],
    /// To a day.
    pub(super) about: Option<Timestamp>,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed<'l> {
    Item(Line<'l>),
    /// The sum at the beginning.
    Sum,
}

/// Reads a line; none when it cannot be understood.
pub(super) fn parse(line: &[u8], now: NaiveDateTime) -> Option<Parsed<'_>> {
    if line.strip_prefix(b"total ").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit)) {
        return Some(Parsed::Sum);
    }
    unix(line, now).or_else(|| dos(line)).map(Parsed::Item)
}

/// The words of a line with the places where they end.
fn words(line: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += line[at..].iter().position(|b| *b != b' ')?;
        let end = line[at..].iter().position(|b| *b == b' ').map_or(line.len(), |length| at + length);
        let word = &line[at..end];
        at = end;
        Some((word, end))
    })
}

/// `drwxr-xr-x 2 user group 4096 Jan  2 03:04 name`, where the owner's names may be several words or none.
fn unix(line: &[u8], now: NaiveDateTime) -> Option<Line<'_>> {
    let kind = match line.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        b'l' | b'b' | b'c' | b'p' | b's' => Kind::Other,
        _ => return None,
    };
    let bits = line.get(1..10)?;
    if !bits.iter().all(|b| b"rwxsStTlL-".contains(b)) {
        return None;
    }
    // A name may hold anything, so that no more is cut than is needed.
    let words: Vec<_> = words(line).take(16).collect();
    let at = (2..words.len().saturating_sub(2)).find(|at| {
        let has_size = kind == Kind::Other || size(words[at - 1].0).is_some();
        has_size && month(words[*at].0).is_some() && is_date(words[at + 1].0, words[at + 2].0)
    })?;
    let rest = line.get(words[at + 2].1 + 1..)?;
    let name = match line[0] {
        b'l' => rest.windows(4).position(|part| part == b" -> ").map_or(rest, |arrow| &rest[..arrow]),
        _ => rest,
    };
    let about = about(month(words[at].0)?, words[at + 1].0, words[at + 2].0, now);
    let size = if kind == Kind::File { size(words[at - 1].0)? } else { 0 };
    Some(Line { kind, size, name, about })
}

fn size(word: &[u8]) -> Option<u64> {
    super::facts::number(word)
}

fn month(word: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let word = word.to_ascii_lowercase();
    MONTHS.iter().zip(1..).find(|(month, _)| **month == word.as_slice()).map(|(_, number)| number)
}

fn is_date(day: &[u8], time: &[u8]) -> bool {
    let is_day = size(day).is_some_and(|day| (1..=31).contains(&day));
    let is_year = time.len() == 4 && size(time).is_some();
    let is_time = (4..=5).contains(&time.len()) && time.contains(&b':') && clock(time).is_some();
    is_day && (is_year || is_time)
}

fn clock(time: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(time).ok()?;
    let (hour, minute) = text.split_once(':')?;
    Some((hour.parse().ok()?, minute.parse().ok()?))
}

/// Without a year it is the last such day.
fn about(month: u32, day: &[u8], time: &[u8], now: NaiveDateTime) -> Option<Timestamp> {
    let day = u32::try_from(size(day)?).ok()?;
    let at = match clock(time) {
        None => NaiveDate::from_ymd_opt(i32::try_from(size(time)?).ok()?, month, day)?.and_hms_opt(0, 0, 0)?,
        Some((hour, minute)) => {
            let in_year = |year| NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, 0);
            let this = in_year(now.year()).filter(|at| *at <= now + Duration::days(2));
            this.or_else(|| in_year(now.year() - 1))?
        }
    };
    Some(Timestamp { secs: at.and_utc().timestamp(), nanos: 0 })
}

/// The column at which names begin in the listings of IIS.
const NAMES: usize = 39;

/// `01-02-26  03:04AM       <DIR>          name`.
fn dos(line: &[u8]) -> Option<Line<'_>> {
    let words: Vec<_> = words(line).take(4).collect();
    let [(date, _), (time, _), (what, end), _] = words[..] else { return None };
    let is_number = |part: &[u8], lengths: &[usize]| lengths.contains(&part.len()) && size(part).is_some();
    let parts: Vec<_> = date.split(|b| *b == b'-').collect();
    let [month, day, year] = parts[..] else { return None };
    let is_date = is_number(month, &[2]) && is_number(day, &[2]) && is_number(year, &[2, 4]);
    let hours = time.get(..5)?;
    let is_time = clock(hours).is_some() && matches!(time[5..].to_ascii_lowercase().as_slice(), b"" | b"am" | b"pm");
    if !is_date || !is_time {
        return None;
    }
    let (kind, size) = match what.eq_ignore_ascii_case(b"<DIR>") {
        true => (Kind::Dir, 0),
        // Junctions and links have other words here.
        false if what.starts_with(b"<") => (Kind::Other, 0),
        false => (Kind::File, size(what)?),
    };
    let name = match (kind, line.get(NAMES - 1)) {
        (Kind::File, _) => line.get(end + 1..)?,
        (_, Some(b' ')) if end < NAMES && line.len() > NAMES => &line[NAMES..],
        _ => line[end..].trim_ascii_start(),
    };
    let number = |part: &[u8]| super::facts::number(part).and_then(|n| i32::try_from(n).ok());
    let year = number(year).map(|year| {
        if year < 70 {
            year + 2000
        } else if year < 100 {
            year + 1900
        } else {
            year
        }
    });
    let date = NaiveDate::from_ymd_opt(year?, number(month)?.unsigned_abs(), number(day)?.unsigned_abs());
    let about = date.and_then(|date| date.and_hms_opt(0, 0, 0)).map(|at| at.and_utc().timestamp());
    Some(Line { kind, size, name, about: about.map(|secs| Timestamp { secs, nanos: 0 }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 3, 10).unwrap().and_hms_opt(12, 0, 0).unwrap()
    }

    fn item(line: &str) -> (Kind, u64, String, Option<String>) {
        match parse(line.as_bytes(), now()) {
            Some(Parsed::Item(line)) => {
                let day = line.about.and_then(|at| chrono::DateTime::from_timestamp(at.secs, 0));
                let day = day.map(|day| day.format("%Y-%m-%d").to_string());
                (line.kind, line.size, String::from_utf8_lossy(line.name).into_owned(), day)
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    fn entry(kind: Kind, size: u64, name: &str, day: &str) -> (Kind, u64, String, Option<String>) {
        (kind, size, name.into(), (!day.is_empty()).then(|| day.into()))
    }

    #[test]
    fn listings_of_unix() {
        let cases = [
            ("-rw-r--r--   1 ftp  group      1234 Jan  2 03:04 name", entry(Kind::File, 1234, "name", "2026-01-02")),
            ("drwxr-xr-x   2 ftp  group      4096 Nov 12  2019 dir", entry(Kind::Dir, 0, "dir", "2019-11-12")),
            (
                "-rw-r--r-- 1 0 0 7 Dec 31 23:59  leading and  double ",
                entry(Kind::File, 7, " leading and  double ", "2025-12-31"),
            ),
            ("-rw-r--r--+ 1 DOMAIN\\me Domain Users 5 Feb 28 10:00 a", entry(Kind::File, 5, "a", "2026-02-28")),
            ("-rw-rw-r-- 1 owner 9 Mar 11 10:00 no group", entry(Kind::File, 9, "no group", "2026-03-11")),
            ("lrwxrwxrwx 1 u g 3 Jan  2 03:04 link -> a/b", entry(Kind::Other, 0, "link", "2026-01-02")),
            ("crw-rw-rw- 1 root root 1, 3 Jan  2 03:04 null", entry(Kind::Other, 0, "null", "2026-01-02")),
            (
                "-rw-r--r-- 1 u g 3 Jan  2 03:04 5 Jan  2 03:04 x",
                entry(Kind::File, 3, "5 Jan  2 03:04 x", "2026-01-02"),
            ),
            ("drwxrwsr-t 1 u g 3 Feb 29  2024 -a *", entry(Kind::Dir, 0, "-a *", "2024-02-29")),
            ("-rw-r--r-- 1 u g 3 Feb 30 03:04 no such day", entry(Kind::File, 3, "no such day", "")),
        ];
        for (line, expected) in cases {
            assert_eq!(item(line), expected, "{line}");
        }
        assert_eq!(parse(b"total 12", now()), Some(Parsed::Sum));
    }

    #[test]
    fn listings_of_dos() {
        let cases = [
            ("01-02-26  03:04AM       <DIR>          a dir", entry(Kind::Dir, 0, "a dir", "2026-01-02")),
            (
                "01-02-26  03:04AM       <DIR>           led by a space",
                entry(Kind::Dir, 0, " led by a space", "2026-01-02"),
            ),
            (
                "12-31-1999  11:04PM              1234567 readme.txt",
                entry(Kind::File, 1_234_567, "readme.txt", "1999-12-31"),
            ),
            ("12-31-99  23:04                       5  x", entry(Kind::File, 5, " x", "1999-12-31")),
            ("01-02-26  03:04AM <DIR> narrow", entry(Kind::Dir, 0, "narrow", "2026-01-02")),
            ("01-02-26  03:04AM    <JUNCTION>          j", entry(Kind::Other, 0, "j", "2026-01-02")),
        ];
        for (line, expected) in cases {
            assert_eq!(item(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for line in [
            "",
            " ",
            "-",
            "d",
            "name",
            "total",
            "total x",
            "-rw-r--r--",
            "-rw-r--r-- 1 u g 3 Jan  2 03:04",
            "-rw-r--r-- 1 u g x Jan  2 03:04 a",
            "-rw-r--r-- 1 u g 3 Jan 32 03:04 a",
            "?rw-r--r-- 1 u g 3 Jan 2 03:04 a",
            "01-02-26  03:04AM",
            "01-02-26  03:04XX 5 a",
            "1-2-26  03:04AM 5 a",
            "01-02-26  03:04AM 5x a",
            "-rw-r--r-- 1 u g 99999999999999999999999 Jan  2 03:04 a",
            "01-02-26  \u{e9}3:04AM 5 a",
        ] {
            let parsed = parse(line.as_bytes(), now());
            assert!(!matches!(&parsed, Some(Parsed::Item(line)) if !line.name.is_empty()), "{line}: {parsed:?}");
        }
    }
}
