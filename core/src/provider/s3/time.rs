//! Modified times in user metadata: `x-amz-meta-mtime`, seconds since 1970 as a decimal number, as rclone writes it.

use reqwest::header::HeaderMap;

use super::request::text;
use crate::model::Timestamp;

/// The header that keeps a file's modified time.
pub(super) const MTIME: &str = "x-amz-meta-mtime";

/// The time that an object was given.
pub(super) fn mtime(headers: &HeaderMap) -> Option<Timestamp> {
    parse(text(headers, MTIME)?.trim())
}

pub(super) fn format(time: Timestamp) -> String {
    let nanos = time.as_nanos();
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let text = format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn parse(text: &str) -> Option<Timestamp> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos = whole.parse::<i128>().ok()? * 1_000_000_000 + fraction.parse::<i128>().ok()?;
    Some(Timestamp::from_nanos(if negative { -nanos } else { nanos }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_nanosecond() {
        for (secs, nanos, text) in [
            (1_767_322_445, 123_456_789, "1767322445.123456789"),
            (1_500_000_000, 0, "1500000000"),
            (10, 500_000_000, "10.5"),
            (0, 0, "0"),
            (-2, 500_000_000, "-1.5"),
        ] {
            let time = Timestamp { secs, nanos };
            assert_eq!((format(time).as_str(), parse(text)), (text, Some(time)));
        }
        assert_eq!(parse("1.1234567899"), Some(Timestamp { secs: 1, nanos: 123_456_789 }));
        for bad in ["", "now", "1e9", "1.x", "9999999999999", "--1", "1767322445,5"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
