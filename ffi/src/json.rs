//! Records from their JSON, and documents, which are text in a record and JSON in the JSON of a record.

use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::records::invalid;

/// The record that a JSON text is. `name` is that of the argument.
///
/// # Errors
/// `invalid` when it is no JSON, or not of this record.
pub fn read_record<T: DeserializeOwned>(name: &'static str, json: &str) -> Result<T> {
    // What serde says shows what was given, which may be a secret: only what is wrong with it is told.
    Ok(serde_json::from_str(json).map_err(|e| invalid("read the argument", name, what_is_wrong(&e)))?)
}

/// The error without the values in it.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // "invalid type: string \"…\", expected …", "invalid value: …": what was found is left out, what was expected told.
    match (text.strip_prefix("invalid "), text.rsplit_once(", expected ")) {
        (Some(_), Some((_, expected))) => format!("expected {expected}"),
        _ => text,
    }
}

/// One document, or none.
pub(crate) mod document {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _, ser::Error as _};
    use serde_json::Value;

    pub(crate) fn serialize<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        let read = |text: &String| serde_json::from_str::<Value>(text).map_err(S::Error::custom);
        text.as_ref().map(read).transpose()?.serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<String>, D::Error> {
        match Option::<Value>::deserialize(from)? {
            None => Ok(None),
            Some(document @ Value::Object(_)) => Ok(Some(document.to_string())),
            Some(_) => Err(D::Error::custom("an object is wanted")),
        }
    }
}

/// A list of them.
pub(crate) mod documents {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, ser::Error as _};
    use serde_json::Value;

    pub(crate) fn serialize<S: Serializer>(texts: &[String], to: S) -> Result<S::Ok, S::Error> {
        let read = |text: &String| serde_json::from_str::<Value>(text).map_err(S::Error::custom);
        texts.iter().map(read).collect::<Result<Vec<_>, _>>()?.serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(Vec::<Value>::deserialize(from)?.iter().map(Value::to_string).collect())
    }
}

/// Any JSON, where it is there: `null` is something.
pub(crate) mod value {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, ser::Error as _};
    use serde_json::Value;

    pub(crate) fn serialize<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        let read = |text: &String| serde_json::from_str::<Value>(text).map_err(S::Error::custom);
        text.as_ref().map(read).transpose()?.serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<String>, D::Error> {
        Value::deserialize(from).map(|value| Some(value.to_string()))
    }
}

/// The word that a plain enumeration has in JSON.
#[cfg(feature = "python")]
pub(crate) fn word(of: &impl serde::Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        // Nothing else is asked.
        other => format!("{other:?}"),
    }
}

/// The word of that text.
///
/// # Errors
/// `invalid` when there is none.
#[cfg(feature = "python")]
pub(crate) fn read_word<T: DeserializeOwned>(name: &'static str, text: String) -> Result<T> {
    Ok(serde_json::from_value(serde_json::Value::String(text)).map_err(|e| invalid("read a word of", name, e))?)
}

/// The names of the fields of a record, in their order.
#[cfg(feature = "python")]
pub(crate) fn fields(of: &impl serde::Serialize) -> Vec<String> {
    struct Names;

    impl<'d> serde::de::Visitor<'d> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a record")
        }

        fn visit_map<A: serde::de::MapAccess<'d>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = map.next_key()? {
                names.push(name);
                map.next_value::<serde::de::IgnoredAny>()?;
            }
            Ok(names)
        }
    }

    let Ok(text) = serde_json::to_string(of) else { return Vec::new() };
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(&text), Names).unwrap_or_default()
}
