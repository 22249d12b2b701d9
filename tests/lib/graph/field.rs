//! What SharePoint makes of a value that is written: it refuses it, or keeps something that may differ.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use serde_json::{Number, Value, json};

use super::column::Column;
use super::facet::{Facet, Lines};
use super::options::{LineBreaks, Rules};
use super::wire::Refusal;

/// What a value is written with.
pub struct Writing<'a> {
    pub rules: &'a Rules,
    /// Whether the request says `Prefer: apiversion=2.1`, without which no hyperlink is written (n8n-io/n8n#34608).
    pub has_new_version: bool,
    /// The annotation `<key>@odata.type` beside the value.
    pub odata_type: Option<&'a str>,
    /// Whether a lookup or a person has this id.
    pub is_there: &'a dyn Fn(&Column, u64) -> bool,
}

/// The longest text of a choice.
const CHOICE: usize = 255;

impl Writing<'_> {
    /// What is kept of a value, if anything is: null clears, and an empty text is none.
    pub fn kept(&self, column: &Column, value: &Value) -> Result<Option<Value>, Refusal> {
        if value.is_null() {
            return Ok(None);
        }
        match &column.facet {
            Facet::Boolean => {
                value.as_bool().map(|flag| Some(flag.into())).ok_or_else(|| odd(column, value, "boolean"))
            }
            Facet::Text { lines, max_length } => self.text(column, value, *lines, *max_length),
            Facet::Number { minimum, maximum } => {
                let number = value.as_f64().ok_or_else(|| odd(column, value, "number"))?;
                if minimum.is_some_and(|least| number < least) || maximum.is_some_and(|most| number > most) {
                    return Err(Refusal::invalid(format!("the value of {} is outside of its bounds", column.name)));
                }
                Ok(Some(double(number)))
            }
            Facet::Currency => Ok(Some(double(value.as_f64().ok_or_else(|| odd(column, value, "number"))?))),
            Facet::DateTime { is_date_only } => self.date(column, value, *is_date_only).map(Some),
            Facet::Choice { is_multiple: false } => choice(column, value),
            Facet::Choice { is_multiple: true } => {
                let chosen = self.several(column, value)?;
                let chosen: Vec<Value> =
                    chosen.iter().filter_map(|one| choice(column, one).transpose()).collect::<Result<_, _>>()?;
                Ok((!chosen.is_empty()).then_some(Value::Array(chosen)))
            }
            Facet::Lookup { is_multiple: false, .. } | Facet::Person { is_multiple: false } => {
                self.id(column, value).map(Some)
            }
            Facet::Lookup { .. } | Facet::Person { .. } => {
                let ids = self.several(column, value)?.iter().map(|one| self.id(column, one));
                let ids: Vec<Value> = ids.collect::<Result<_, _>>()?;
                Ok((!ids.is_empty()).then_some(Value::Array(ids)))
            }
            Facet::Hyperlink => self.hyperlink(column, value).map(Some),
            Facet::Untold => Err(Refusal::invalid(format!("Field '{}' is read-only", column.name))),
        }
    }

    fn text(&self, column: &Column, value: &Value, lines: Lines, max_length: usize) -> Result<Option<Value>, Refusal> {
        let text = value.as_str().ok_or_else(|| odd(column, value, "text"))?;
        if let Some(c) = text.chars().find(|c| c.is_control() && *c < ' ' && !"\t\r\n".contains(*c)) {
            let message =
                format!("'{c:?}' in {}: hexadecimal value 0x{:02X}, is an invalid character", column.name, c as u32);
            return Err(Refusal::invalid(message));
        }
        if text.encode_utf16().count() > max_length {
            return Err(Refusal::invalid(format!(
                "the text of {} is longer than {max_length} characters",
                column.name
            )));
        }
        let is_broken = text.contains(['\r', '\n']);
        let kept = match (lines, self.rules.line_breaks) {
            (Lines::One, LineBreaks::Refused) if is_broken => {
                return Err(Refusal::invalid(format!("the text of {} has more than one line", column.name)));
            }
            (Lines::One, LineBreaks::Spaces) => text.replace("\r\n", " ").replace(['\r', '\n'], " "),
            (Lines::One, _) => text.to_owned(),
            (Lines::ManyPlain, _) => text.replace("\r\n", "\n"),
            (Lines::ManyRich, _) if text.is_empty() => String::new(),
            (Lines::ManyRich, _) => rich(text),
        };
        Ok((!kept.is_empty()).then_some(Value::String(kept)))
    }

    /// UTC and whole seconds; what is only a day is the start of it where the site is.
    fn date(&self, column: &Column, value: &Value, is_date_only: bool) -> Result<Value, Refusal> {
        let time = value.as_str().and_then(instant).ok_or_else(|| odd(column, value, "date"))?;
        if !(1900..=8900).contains(&time.year()) {
            return Err(Refusal::invalid(format!("the year of {} is not from 1900 to 8900", column.name)));
        }
        let kept = match FixedOffset::east_opt(self.rules.site_offset_minutes * 60) {
            Some(zone) if is_date_only => {
                let start = time.with_timezone(&zone).date_naive().and_time(NaiveTime::MIN);
                zone.from_local_datetime(&start).single().map_or(time, |start| start.to_utc())
            }
            _ => time,
        };
        Ok(super::world::time(kept.timestamp() * 1_000).into())
    }

    /// The members of a value that is several, which has to say that it is.
    fn several<'v>(&self, column: &Column, value: &'v Value) -> Result<&'v Vec<Value>, Refusal> {
        let is_said = self.odata_type.is_some_and(|said| said.trim_start_matches('#').starts_with("Collection("));
        match value.as_array() {
            Some(members) if is_said => Ok(members),
            _ => Err(Refusal::invalid(format!(
                "{} takes a list, beside \"{}@odata.type\": \"Collection(Edm.String)\"",
                column.name,
                column.key()
            ))),
        }
    }

    /// Ids are taken as numbers and as texts, and given back as texts.
    fn id(&self, column: &Column, value: &Value) -> Result<Value, Refusal> {
        let id = value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or_else(|| odd(column, value, "id"))?;
        if !(self.is_there)(column, id) {
            return Err(Refusal::invalid(format!("{} refers to {id}, which does not exist", column.name)));
        }
        Ok(id.to_string().into())
    }

    fn hyperlink(&self, column: &Column, value: &Value) -> Result<Value, Refusal> {
        let url = value.get("Url").and_then(Value::as_str);
        let (true, Some(url)) = (self.has_new_version, url.filter(|url| url.len() <= 2_048)) else {
            return Err(Refusal::invalid(format!("the value of {} is not a hyperlink", column.name)));
        };
        let description = value.get("Description").and_then(Value::as_str).unwrap_or(url);
        Ok(json!({ "Description": description, "Url": url }))
    }
}

/// Any text is kept: the API does not compare it with the choices.
fn choice(column: &Column, value: &Value) -> Result<Option<Value>, Refusal> {
    let text = value.as_str().ok_or_else(|| odd(column, value, "text"))?;
    if text.encode_utf16().count() > CHOICE {
        return Err(Refusal::invalid(format!("the text of {} is longer than {CHOICE} characters", column.name)));
    }
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Every number is a double; those without a fraction are written without one.
fn double(number: f64) -> Value {
    let is_whole = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    let kept = if is_whole { Some(Number::from(number as i64)) } else { Number::from_f64(number) };
    kept.map_or(Value::Null, Value::Number)
}

/// Text becomes HTML, unless it looks like it already.
fn rich(text: &str) -> String {
    let body = if text.trim_start().starts_with('<') {
        text.to_owned()
    } else {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("\r\n", "\n").replace('\n', "<br>")
    };
    format!("<div class=\"ExternalClass\">{body}</div>")
}

/// A time of ISO 8601; without a zone it is UTC, without a time it is midnight.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let bare = || text.parse::<NaiveDateTime>().map(|time| time.and_utc());
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    zoned.or_else(|_| bare()).or_else(|_| day()).ok()
}

fn odd(column: &Column, value: &Value, wanted: &str) -> Refusal {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Refusal::invalid(format!("the value of {} is {kind} that cannot be converted to a {wanted}", column.name))
}
