//! Exact decimal numbers of any size: PostgreSQL's `numeric` has up to 131,072 digits before the point.
//!
//! There is one form of each number: no leading and no trailing zeros, a zero without sign. `1.0`, `1.00` and `1` are the
//! same; who has to tell them apart keeps them as text.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A number `± digits × 10^exponent`.
///
/// ```
/// use portbook::model::Decimal;
/// let price: Decimal = "-0012.3400".parse().unwrap();
/// assert_eq!(price.to_string(), "-12.34");
/// assert_eq!("1e3".parse::<Decimal>().unwrap().to_string(), "1000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// ASCII digits, the first and the last not `0`; a lone `0` for zero.
    digits: String,
    exponent: i32,
}

/// That a text is no decimal number, or one out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDecimal;

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not a decimal number")
    }
}

impl std::error::Error for NotDecimal {}

/// How far the exponent goes either way; beyond what any database holds, and its text still fits in memory.
const EXPONENT: i32 = 1_000_000;

impl Decimal {
    /// The number of these digits, which may have zeros at both ends.
    ///
    /// # Errors
    /// When there are none, one is not a digit, or the exponent leaves ±1,000,000.
    pub fn new(negative: bool, digits: &str, exponent: i32) -> Result<Self, NotDecimal> {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(NotDecimal);
        }
        let (digits, exponent) = stripped(digits, exponent);
        if digits.is_empty() {
            return Ok(Self { negative: false, digits: "0".into(), exponent: 0 });
        }
        if !(-EXPONENT..=EXPONENT).contains(&exponent) {
            return Err(NotDecimal);
        }
        Ok(Self { negative, digits: digits.into(), exponent })
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Its digits, without zeros at both ends.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The power of ten that the digits are multiplied with.
    #[must_use]
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// The same as a whole number; nothing when it has a fraction or is too large.
    #[must_use]
    pub fn to_integer(&self) -> Option<i128> {
        let scale = 10_i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let digits: i128 = self.digits.parse().ok()?;
        digits.checked_mul(scale).map(|value| if self.negative { -value } else { value })
    }

    /// The nearest float.
    #[must_use]
    pub fn to_float(&self) -> f64 {
        // The text form is exact, and the standard library rounds it correctly.
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The number that the shortest text of a float says; nothing of NaN and the infinities.
    ///
    /// Of two texts that are as short and as near, it is the one that ends in an even digit, as in ECMAScript (and unlike
    /// the standard library's `Display`): `1424953923781206.25` is `1424953923781206.2`.
    #[must_use]
    pub fn of_float(value: f64) -> Option<Self> {
        value.is_finite().then(|| zmij::Buffer::new().format_finite(value).parse().ok())?
    }

    /// The same with at most that many places after the point, rounded half away from zero as databases round.
    #[must_use]
    pub fn rounded(&self, places: u16) -> Self {
        let surplus = -i64::from(self.exponent) - i64::from(places);
        if surplus <= 0 {
            return self.clone();
        }
        let kept = usize::try_from((self.digits.len() as i64 - surplus).max(0)).unwrap_or(0);
        let up = self.digits.as_bytes().get(kept).is_some_and(|digit| *digit >= b'5')
            && i64::try_from(self.digits.len()).is_ok_and(|length| length >= surplus);
        let mut digits = if kept == 0 { "0".to_owned() } else { self.digits[..kept].to_owned() };
        if up {
            digits = incremented(&digits);
        }
        Self::new(self.negative, &digits, -i32::from(places)).unwrap_or_else(|NotDecimal| self.clone())
    }
}

/// Without zeros at both ends.
pub(crate) fn stripped(digits: &str, exponent: i32) -> (&str, i32) {
    let front = digits.trim_start_matches('0');
    let whole = front.trim_end_matches('0');
    let zeros = i32::try_from(front.len() - whole.len()).unwrap_or(i32::MAX);
    (whole, if whole.is_empty() { 0 } else { exponent.saturating_add(zeros) })
}

/// One more, digit by digit.
fn incremented(digits: &str) -> String {
    let mut bytes = digits.as_bytes().to_vec();
    for digit in bytes.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return bytes.iter().map(|&digit| char::from(digit)).collect();
        }
        *digit = b'0';
    }
    std::iter::once('1').chain(bytes.iter().map(|&digit| char::from(digit))).collect()
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| if number.digits == "0" { 0 } else { 1 - 2 * i8::from(number.negative) };
        // Where the first digit stands; digits without zeros at their ends compare like texts from there.
        let height = |number: &Self| number.digits.len() as i64 + i64::from(number.exponent);
        let size = || height(self).cmp(&height(other)).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<i128> for Decimal {
    fn from(value: i128) -> Self {
        let text = value.unsigned_abs().to_string();
        let (digits, exponent) = stripped(&text, 0);
        let digits = if digits.is_empty() { "0" } else { digits };
        Self { negative: value < 0, digits: digits.into(), exponent }
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    /// Reads `[+-]digits[.digits][e[+-]digits]`.
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().map_err(|_| NotDecimal)?),
            None => (rest, 0),
        };
        match mantissa.split_once('.') {
            None => Self::new(negative, mantissa, power),
            Some((whole, fraction)) => {
                let places = i32::try_from(fraction.len()).map_err(|_| NotDecimal)?;
                let exponent = power.checked_sub(places).ok_or(NotDecimal)?;
                Self::new(negative, &format!("{whole}{fraction}"), exponent)
            }
        }
    }
}

impl fmt::Display for Decimal {
    /// Plain digits, never an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let Ok(places) = usize::try_from(-i64::from(self.exponent)) else {
            f.write_str(&self.digits)?;
            return (0..self.exponent).try_for_each(|_| f.write_str("0"));
        };
        if places == 0 {
            f.write_str(&self.digits)
        } else if places < self.digits.len() {
            let (whole, fraction) = self.digits.split_at(self.digits.len() - places);
            write!(f, "{whole}.{fraction}")
        } else {
            f.write_str("0.")?;
            (self.digits.len()..places).try_for_each(|_| f.write_str("0"))?;
            f.write_str(&self.digits)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn there_is_one_form_of_each_number() {
        for same in [["1", "1.00"], ["0", "-0.000"], ["100", "1e2"], ["0.5", ".5"], ["-12", "-0012."]] {
            assert_eq!(decimal(same[0]), decimal(same[1]), "{same:?}");
        }
        for wrong in ["", "-", ".", "1e", "e1", "1 ", "0x1", "1e9999999", "NaN", "1.2.3", "--1"] {
            assert_eq!(wrong.parse::<Decimal>(), Err(NotDecimal), "{wrong}");
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (text, places, want) in [
            ("1.005", 2, "1.01"),
            ("-1.005", 2, "-1.01"),
            ("0.004", 2, "0"),
            ("9.999", 2, "10"),
            ("0.05", 1, "0.1"),
            ("0.0009", 1, "0"),
        ] {
            assert_eq!(decimal(text).rounded(places).to_string(), want, "{text}");
        }
    }

    #[test]
    fn whole_numbers_and_floats_of_it() {
        assert_eq!(decimal("1e3").to_integer(), Some(1000));
        assert_eq!(decimal("1.5").to_integer(), None);
        assert_eq!(decimal("1e40").to_integer(), None);
        assert!((decimal("0.1").to_float() - 0.1).abs() < f64::EPSILON);
        assert_eq!(Decimal::from(i128::MIN).to_string(), i128::MIN.to_string());
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let sorted = ["-100", "-12", "-1.5", "-0.01", "0", "0.001", "0.5", "0.51", "1", "9", "9.01", "10", "1e5"];
        for (at, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(decimal(left).cmp(&decimal(right)), at.cmp(&other), "{left} {right}");
            }
        }
    }

    proptest! {
        #[test]
        fn text_and_number_are_inverse(value in any::<i128>(), places in 0_i32..60) {
            let number = Decimal::new(value < 0, &value.unsigned_abs().to_string(), -places).unwrap();
            prop_assert_eq!(decimal(&number.to_string()), number);
        }
    }
}
