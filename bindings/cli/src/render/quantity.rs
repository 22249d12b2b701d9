//! Numbers as people read them.

use std::fmt;
use std::time::Duration;

/// Bytes in the largest unit of 1024 that leaves something before the point: `0 B`, `1.5 KiB`, `20 GiB`.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let (mut value, mut unit) = (self.0 as f64 / 1024.0, 0);
        // 1023.95 would be rounded to 1024.0 of the smaller unit.
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let digits = usize::from(value < 99.95);
        f.pad(&format!("{value:.digits$} {}", UNITS[unit]))
    }
}

/// A count with its thousands apart: `1,234,567`.
pub(super) struct Count(pub(super) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A duration in the unit that suits it: `40 ms`, `1.2 s`, `3 min 5 s`, `2 h 4 min`.
pub(super) struct Elapsed(pub(super) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0.as_millis(), self.0.as_secs());
        match s {
            0 => write!(f, "{ms} ms"),
            1..60 => write!(f, "{}.{} s", s, ms % 1000 / 100),
            60..3600 => write!(f, "{} min {} s", s / 60, s % 60),
            3600.. => write!(f, "{} h {} min", s / 3600, s % 3600 / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_below_1024_of_their_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.0 MiB"),
            (20 << 30, "20.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>10}", Bytes(1024)), "   1.0 KiB");
    }

    #[test]
    fn counts_keep_thousands_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Count(count).to_string(), text);
        }
    }

    #[test]
    fn durations_use_the_unit_that_suits() {
        for (ms, text) in
            [(0, "0 ms"), (999, "999 ms"), (1250, "1.2 s"), (185_000, "3 min 5 s"), (7_440_000, "2 h 4 min")]
        {
            assert_eq!(Elapsed(Duration::from_millis(ms)).to_string(), text);
        }
    }
}
