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
mod tests;
