//! The types of columns: each is a member of the definition named after the type, of which there is exactly one
//! ("columnDefinition resource type").

use serde_json::{Map, Value, json};

use super::wire::Refusal;

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Facet {
    Boolean,
    Text {
        lines: Lines,
        max_length: usize,
    },
    Number {
        minimum: Option<f64>,
        maximum: Option<f64>,
    },
    Currency,
    DateTime {
        is_date_only: bool,
    },
    Choice {
        is_multiple: bool,
    },
    Lookup {
        list: String,
        column: String,
        is_multiple: bool,
    },
    Person {
        is_multiple: bool,
    },
    Hyperlink,
    /// One of the service's own, of a type that it does not tell.
    Untold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    One,
    ManyPlain,
    ManyRich,
}

/// The types that there are, with the members of each.
const MEMBERS: [(&str, &[&str]); 9] = [
    ("boolean", &[]),
    ("text", &["allowMultipleLines", "appendChangesToExistingText", "linesForEditing", "maxLength", "textType"]),
    ("number", &["decimalPlaces", "displayAs", "maximum", "minimum"]),
    ("currency", &["locale"]),
    ("dateTime", &["displayAs", "format"]),
    ("choice", &["allowTextEntry", "choices", "displayAs"]),
    ("lookup", &["allowMultipleValues", "allowUnlimitedLength", "columnName", "listId", "primaryLookupColumnId"]),
    ("personOrGroup", &["allowMultipleSelection", "chooseFromType", "displayAs"]),
    ("hyperlinkOrPicture", &["isPicture"]),
];

/// Types of Graph that this server does not serve.
const UNSERVED: [&str; 5] = ["calculated", "contentApprovalStatus", "geolocation", "term", "thumbnail"];

/// The longest text of a single line.
const LINE: u64 = 255;

/// The name of the one type in a definition, and its members as they are given back, with what was left out.
pub fn find(definition: &Map<String, Value>) -> Result<Option<(&'static str, Value)>, Refusal> {
    if let Some(unserved) = UNSERVED.iter().find(|name| definition.get(**name).is_some_and(|v| !v.is_null())) {
        return Err(Refusal::new(501, "notSupported", format!("columns of type {unserved} are not served here")));
    }
    let mut found = None;
    for (name, members) in MEMBERS {
        let Some(given) = definition.get(name).filter(|value| !value.is_null()) else { continue };
        let given = given.as_object().ok_or_else(|| Refusal::bad(format!("{name} is no object")))?;
        if let Some(odd) = given.keys().find(|key| !key.starts_with('@') && !members.contains(&key.as_str())) {
            let message = format!("The property '{odd}' does not exist on type 'microsoft.graph.{name}Column'");
            return Err(Refusal::bad(message));
        }
        if found.is_some() {
            return Err(Refusal::invalid("a column has one type only"));
        }
        found = Some((name, completed(name, given)?));
    }
    Ok(found)
}

fn completed(name: &str, given: &Map<String, Value>) -> Result<Value, Refusal> {
    let is_long = flag(given, "allowMultipleLines")?;
    let mut whole = match name {
        "text" if is_long => json!({
            "allowMultipleLines": true, "appendChangesToExistingText": false, "linesForEditing": 6, "textType": "plain",
        }),
        "text" => json!({
            "allowMultipleLines": false, "appendChangesToExistingText": false, "linesForEditing": 0, "maxLength": LINE,
        }),
        "number" => json!({ "decimalPlaces": "automatic", "displayAs": "number" }),
        "currency" => json!({ "locale": "en-us" }),
        "dateTime" => json!({ "displayAs": "default", "format": "dateTime" }),
        "choice" => json!({ "allowTextEntry": false, "choices": [], "displayAs": "dropDownMenu" }),
        "lookup" => json!({ "allowMultipleValues": false, "allowUnlimitedLength": false, "columnName": "Title" }),
        "personOrGroup" => json!({
            "allowMultipleSelection": false, "chooseFromType": "peopleAndGroups", "displayAs": "nameWithPresence",
        }),
        "hyperlinkOrPicture" => json!({ "isPicture": false }),
        _ => json!({}),
    };
    for (key, value) in given.iter().filter(|(key, value)| !key.starts_with('@') && !value.is_null()) {
        whole[key] = value.clone();
    }
    Ok(whole)
}

impl Facet {
    /// Reads what [`find`] has found.
    pub fn read(name: &str, members: &Value) -> Result<Self, Refusal> {
        let empty = Map::new();
        let given = members.as_object().unwrap_or(&empty);
        Ok(match name {
            "boolean" => Self::Boolean,
            "text" => Self::text(given)?,
            "number" => Self::Number { minimum: bound(given, "minimum")?, maximum: bound(given, "maximum")? },
            "currency" => Self::Currency,
            "dateTime" => {
                Self::DateTime { is_date_only: word(given, "format", &["dateOnly", "dateTime"])? == "dateOnly" }
            }
            "choice" => Self::choice(given)?,
            "lookup" => Self::Lookup {
                list: text(given, "listId")?.to_owned(),
                column: text(given, "columnName")?.to_owned(),
                is_multiple: flag(given, "allowMultipleValues")?,
            },
            "personOrGroup" => Self::Person { is_multiple: flag(given, "allowMultipleSelection")? },
            _ => Self::Hyperlink,
        })
    }

    fn text(given: &Map<String, Value>) -> Result<Self, Refusal> {
        let lines = match (flag(given, "allowMultipleLines")?, given.get("textType").and_then(Value::as_str)) {
            (false, None) => Lines::One,
            (false, Some(_)) => return Err(Refusal::invalid("textType belongs to text of multiple lines")),
            (true, Some("plain")) => Lines::ManyPlain,
            (true, Some("richText")) => Lines::ManyRich,
            (true, other) => return Err(Refusal::bad(format!("textType cannot be {other:?}"))),
        };
        let max_length = match given.get("maxLength") {
            None => usize::MAX,
            Some(length) => length.as_u64().ok_or_else(|| Refusal::bad("maxLength is no number"))? as usize,
        };
        if lines == Lines::One && !(1..=LINE as usize).contains(&max_length) {
            return Err(Refusal::invalid(format!("maxLength of a single line is from 1 to {LINE}")));
        }
        Ok(Self::Text { lines, max_length })
    }

    fn choice(given: &Map<String, Value>) -> Result<Self, Refusal> {
        let choices = given.get("choices").and_then(Value::as_array);
        if choices.is_none_or(|choices| choices.is_empty() || choices.iter().any(|choice| !choice.is_string())) {
            return Err(Refusal::invalid("choices are a list of texts with at least one in it"));
        }
        let shape = word(given, "displayAs", &["checkBoxes", "dropDownMenu", "radioButtons"])?;
        Ok(Self::Choice { is_multiple: shape == "checkBoxes" })
    }

    /// Whether it can have an index: not what is long or several.
    pub fn is_indexable(&self) -> bool {
        match self {
            Self::Text { lines, .. } => *lines == Lines::One,
            Self::Choice { is_multiple } | Self::Lookup { is_multiple, .. } | Self::Person { is_multiple } => {
                !is_multiple
            }
            Self::Boolean | Self::Number { .. } | Self::Currency | Self::DateTime { .. } => true,
            Self::Hyperlink | Self::Untold => false,
        }
    }

    /// Whether its values can be made unique.
    pub fn can_be_unique(&self) -> bool {
        self.is_indexable() && *self != Self::Boolean
    }

    /// Whether a query joins another list for it, of which there may be twelve.
    pub fn is_lookup(&self) -> bool {
        matches!(self, Self::Lookup { .. } | Self::Person { .. })
    }
}

fn flag(given: &Map<String, Value>, key: &str) -> Result<bool, Refusal> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refusal::bad(format!("{key} is no boolean"))),
    }
}

fn bound(given: &Map<String, Value>, key: &str) -> Result<Option<f64>, Refusal> {
    let Some(value) = given.get(key) else { return Ok(None) };
    value.as_f64().map(Some).ok_or_else(|| Refusal::bad(format!("{key} is no number")))
}

fn text<'a>(given: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    given.get(key).and_then(Value::as_str).ok_or_else(|| Refusal::invalid(format!("{key} is missing or no text")))
}

fn word<'a>(given: &'a Map<String, Value>, key: &str, words: &[&str]) -> Result<&'a str, Refusal> {
    let word = text(given, key)?;
    if words.contains(&word) { Ok(word) } else { Err(Refusal::bad(format!("{key} cannot be {word:?}"))) }
}
