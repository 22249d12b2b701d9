//! JSON documents, which are text in a record and JSON in the JSON of a record.

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
