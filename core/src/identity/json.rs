//! JSON documents in one form, so that equal ones are equal bytes.
//!
//! # Format
//!
//! RFC 8785: no white space, members sorted by the UTF-16 units of their names, texts with as few escapes as JSON allows,
//! numbers laid out as ECMAScript does. Beyond the RFC, which knows doubles only:
//!
//! - A number keeps its decimal digits. One whose digits are the shortest of a double, as every number is that a
//!   JavaScript engine writes, has the form of the RFC; `9007199254740993`, `333333333.33333329` and a price of 30
//!   digits stay what they are instead of becoming their neighbours, since `numeric` columns and PostgreSQL's `jsonb`
//!   hold them. Numbers of equal value have one form: `1.0`, `1.00` and `1e0` are `1`, `-0` is `0`.
//! - Of members with one name the last counts, as in `jsonb` and in MySQL.
//! - Documents nested deeper than 128 are refused, as are names and texts with half of a surrogate pair, which no UTF-8
//!   can say.

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::model::Decimal;

/// How deep a document may be nested; as deep as `serde_json` reads, and deeper than MySQL (100).
const DEEPEST: usize = 128;

/// A JSON document in its canonical form: that of RFC 8785, with the digits of numbers that a double cannot hold.
///
/// # Errors
/// `invalid` when the text is no JSON document, or one nested too deep.
///
/// ```
/// use portbook::identity::canonical_json;
/// assert_eq!(canonical_json(r#"{"b": 1.0, "a": [1e1, 9007199254740993]}"#).unwrap(), r#"{"a":[10,9007199254740993],"b":1}"#);
/// ```
pub fn canonical_json(text: &str) -> Result<String> {
    Json::parse(text).map(|document| document.canonical())
}

/// A JSON document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Json>),
    /// By the UTF-16 units of the names, the order of RFC 8785 section 3.2.3.
    Members(BTreeMap<Utf16, Json>),
}

/// A text that sorts by its UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Utf16(String);

impl Ord for Utf16 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Utf16 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Json {
    /// Reads a document.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let document = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.fault("something follows the document"));
        }
        Ok(document)
    }

    /// It in canonical form.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&ecmascript(number)),
            Self::Text(text) => quote(text, out),
            Self::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Members(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(&name.0, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A text in quotes, escaped as RFC 8785 section 3.2.2.2 has it.
fn quote(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            // Writing into a text cannot fail.
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A number as ECMAScript lays out its digits (Number::toString of ECMA-262).
pub(crate) fn ecmascript(number: &Decimal) -> String {
    let digits = number.digits();
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    // The number is 0.digits × 10^point.
    let point = length + i64::from(number.exponent());
    if (-5..=21).contains(&point) {
        return number.to_string();
    }
    let sign = if number.is_negative() { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
}

/// What is left of a text to read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, reason: &str) -> Error {
        Error::new(Code::Invalid, "read a JSON document", "").because(format!("{reason}, at byte {}", self.at))
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        while self.next().is_some_and(&is_part) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Takes that byte after white space, when it is the next.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEEPEST {
            return Err(self.fault("it is nested too deep"));
        }
        self.space();
        match self.next() {
            Some(b'{') => self.members(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json> {
        let words = [("null", Json::Null), ("true", Json::Boolean(true)), ("false", Json::Boolean(false))];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault(if self.at < self.text.len() { "no value begins like this" } else { "it ends early" }))
    }

    fn list(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut values = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.takes(b']') {
                return Ok(Json::List(values));
            }
            if !self.takes(b',') {
                return Err(self.fault("a list goes on with a comma or ends"));
            }
        }
    }

    fn members(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut members = BTreeMap::new();
        if self.takes(b'}') {
            return Ok(Json::Members(members));
        }
        loop {
            self.space();
            let name = self.text()?;
            if !self.takes(b':') {
                return Err(self.fault("a colon follows the name of a member"));
            }
            let value = self.value(depth + 1)?;
            members.insert(Utf16(name), value);
            if self.takes(b'}') {
                return Ok(Json::Members(members));
            }
            if !self.takes(b',') {
                return Err(self.fault("an object goes on with a comma or ends"));
            }
        }
    }

    fn text(&mut self) -> Result<String> {
        let start = self.at;
        if self.next() != Some(b'"') {
            return Err(self.fault("a text in quotes is wanted"));
        }
        self.at += 1;
        loop {
            self.skip(|byte| byte != b'"' && byte != b'\\');
            match self.next() {
                Some(b'\\') => self.at = (self.at + 2).min(self.text.len()),
                Some(_) => break,
                None => return Err(self.fault("a text does not end")),
            }
        }
        self.at += 1;
        // Its escapes, and what may not stand in it, are known to serde_json.
        let quoted = self.text.get(start..self.at).ok_or_else(|| self.fault("a text has a wrong escape"))?;
        serde_json::from_str(quoted).map_err(|_| self.fault("a text has a wrong escape or a control character"))
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        self.at += usize::from(self.next() == Some(b'-'));
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.fault("a number begins with a zero"));
        }
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.next(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.next(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let number = self.text[start..self.at].parse();
        number.map(Json::Number).map_err(|_| self.fault("a number is out of range"))
    }

    fn digits(&mut self) -> Result<&str> {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_digit());
        if start == self.at {
            return Err(self.fault("a digit is wanted"));
        }
        Ok(&self.text[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn canonical(text: &str) -> String {
        canonical_json(text).unwrap()
    }

    /// RFC 8785 sections 3.2.2 and 3.2.3, its number of 17 digits (see below) left out.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        let given = r#"{
            "numbers": [1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let want = "{\"literals\":[null,true,false],\"numbers\":[1e+30,4.5,0.002,1e-27],\
                    \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(canonical(given), want);
        let given = r#"{
            "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#;
        let order = ["Carriage Return", "One", "Control", "Latin Small", "Euro Sign", "Emoji", "Hebrew"];
        let places: Vec<_> = order.iter().map(|name| canonical(given).find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{}", canonical(given));
    }

    /// RFC 8785 appendix B, by the bits of the doubles.
    #[test]
    fn numbers_are_laid_out_as_in_the_rfc() {
        let samples: &[(u64, &str)] = &[
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ];
        for (bits, want) in samples {
            let number = Decimal::of_float(f64::from_bits(*bits)).unwrap();
            assert_eq!(ecmascript(&number), *want);
            assert_eq!(canonical(want), *want);
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_have_one_form() {
        for (given, want) in [
            ("9007199254740993", "9007199254740993"),
            ("333333333.33333329", "333333333.33333329"),
            ("123456789012345678901234567890", "1.2345678901234567890123456789e+29"),
            ("-0.0", "0"),
            ("1.00", "1"),
            ("10e-1", "1"),
            ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ] {
            assert_eq!(canonical(given), want);
        }
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        assert_eq!(canonical(r#"{"a":1,"b":2,"\u0061":3}"#), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical_json(&nested(128)).is_ok());
        for deep in [nested(129), "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
            assert_eq!(canonical_json(&deep).unwrap_err().code(), Code::Invalid);
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for wrong in [
            "",
            " ",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "tru",
            "nul",
            "NaN",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":1,}",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\ä\"",
            "\"\n\"",
            "\"\\ud800\"",
            "1 1",
            "[",
            "1e99999999999",
            "\u{feff}1",
        ] {
            assert_eq!(canonical_json(wrong).unwrap_err().code(), Code::Invalid, "{wrong}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".{0,3}", inner, 0..5).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        /// Another implementation agrees on everything that is a double.
        #[test]
        fn doubles_have_the_form_of_the_rfc(document in any_json()) {
            let want = serde_json_canonicalizer::to_string(&document).unwrap();
            let pretty = serde_json::to_string_pretty(&document).unwrap();
            prop_assert_eq!(canonical(&pretty), want.clone());
            prop_assert_eq!(canonical(&want), want);
        }

        #[test]
        fn no_text_is_more_than_refused(text in "[\\[\\]{}\",:\\\\a-fu0-9.e+\\- ä]{0,24}") {
            // What one reader takes the other takes too; only the range of numbers differs.
            if !text.contains('e') {
                prop_assert_eq!(canonical_json(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok());
            }
            if let Ok(form) = canonical_json(&text) {
                prop_assert_eq!(canonical(&form), form);
            }
        }
    }
}
