//! Making lists.
//!
//! A list is made with all its columns in one request: columns that are made one by one while others are changed end in
//! conflicts although they were made (pnp/pnpjs#2646). What the service leaves out of that, indexes and uniqueness, is set
//! afterwards, one column after the other, while the list is empty.
//!
//! | source | column |
//! |---|---|
//! | text of up to 255 characters, or one that is looked up by | text |
//! | longer text, bytes, JSON, lists | text of several lines |
//! | whole numbers within ±2^53, decimals of up to 15 digits, floats | number |
//! | wider whole numbers, longer decimals | text, since a number here is a double |
//! | truth values | boolean |
//! | days; times with and without a zone | dateTime |
//! | texts and sets of choices | choice |
//! | UUIDs, times of day, intervals | text |

use reqwest::Method;
use serde_json::{Value, json};

use super::budget::cost;
use super::describe::LINE;
use super::graph::{Ask, Graph};
use super::{ID, MARKER};
use crate::endpoint::{ColumnShape, NewColumn, NewTable, TableName};
use crate::error::{Code, Error, Result};
use crate::model::DatumKind;

const ACTION: &str = "make the list";
const MARK: &str = "give its marker to the list";
/// The longest internal name that is not cut.
const NAME: usize = 32;
/// The whole numbers that a double holds, each.
const EXACT: i128 = 1 << 53;
/// The decimal digits that a double keeps.
const DIGITS: u16 = 15;
/// Columns that every list has.
const TAKEN: [&str; 12] = [
    ID,
    "Title",
    "ContentType",
    "Created",
    "Modified",
    "Author",
    "Editor",
    "Attachments",
    "Edit",
    "LinkTitle",
    "DocIcon",
    "id",
];

/// A column that is to be made: its definition without, and with index and uniqueness.
pub(super) struct Definition {
    pub(super) name: String,
    plain: Value,
    flags: Value,
}

/// The columns of a list, with the one of the marker, in the order of the table's.
///
/// # Errors
/// `unsupported` for a type that has no equal.
pub(super) fn definitions(table: &NewTable) -> Result<Vec<Definition>> {
    let mut definitions: Vec<Definition> = Vec::new();
    for column in &table.columns {
        let name = internal_name(&column.name, &definitions);
        definitions.push(definition(table, column, name)?);
    }
    definitions.push(marker());
    Ok(definitions)
}

fn marker() -> Definition {
    let line = json!({ "allowMultipleLines": false, "maxLength": 64 });
    let plain = json!({ "name": MARKER, "displayName": MARKER, "hidden": true, "text": line });
    let flags = json!({ "indexed": true, "enforceUniqueValues": true });
    Definition { name: MARKER.to_owned(), plain, flags }
}

fn definition(table: &NewTable, column: &NewColumn, name: String) -> Result<Definition> {
    let shown = Some(column.display_name.trim()).filter(|shown| !shown.is_empty()).unwrap_or(&column.name);
    let is_key = column.is_indexed || column.is_unique;
    let Some((facet, members)) = facet(&column.like, is_key) else {
        let why = format!("the type {} of {} is not carried", column.like.data_type, column.name.escape_debug());
        return Err(Error::new(Code::Unsupported, ACTION, &table.name).because(why));
    };
    let plain = json!({ "name": name, "displayName": shown, "hidden": column.is_hidden, facet: members });
    // A column is unique only if it is indexed.
    let flags = match (is_key, column.is_unique) {
        (false, _) => json!({}),
        (true, is_unique) => json!({ "indexed": true, "enforceUniqueValues": is_unique }),
    };
    Ok(Definition { name, plain, flags })
}

/// Letters, digits and underscores of ASCII, as SharePoint keeps them: it writes others as `_xHHHH_` and cuts at 32.
fn internal_name(name: &str, others: &[Definition]) -> String {
    let mut short: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(NAME).collect();
    // A name that begins with `_x` reads as an encoded one.
    if !short.starts_with(|c: char| c.is_ascii_alphabetic()) {
        short = format!("F{short}").chars().take(NAME).collect();
    }
    let is_taken = |name: &str| {
        let of = |other: &str| other.eq_ignore_ascii_case(name);
        TAKEN.into_iter().chain([MARKER]).any(of) || others.iter().any(|other| of(&other.name))
    };
    let numbered = |number: u32| {
        let number = number.to_string();
        format!("{}{number}", short.chars().take(NAME - number.len()).collect::<String>())
    };
    if is_taken(&short) { (2..).map(numbered).find(|name| !is_taken(name)).unwrap_or(short) } else { short }
}

fn facet(like: &ColumnShape, is_key: bool) -> Option<(&'static str, Value)> {
    let line = || ("text", json!({ "allowMultipleLines": false, "maxLength": LINE }));
    let lines = || if is_key { line() } else { ("text", json!({ "allowMultipleLines": true, "textType": "plain" })) };
    let number = |places: &str| ("number", json!({ "decimalPlaces": places }));
    let choices = &like.traits.choices;
    let are_choices =
        !choices.is_empty() && choices.iter().all(|choice| choice.encode_utf16().count() <= LINE as usize);
    let choice = |how: &str| ("choice", json!({ "allowTextEntry": false, "choices": choices, "displayAs": how }));
    Some(match like.kind? {
        DatumKind::Boolean => ("boolean", json!({})),
        DatumKind::Integer => match like.traits.range {
            Some((least, most)) if least >= -EXACT && most <= EXACT => number("none"),
            _ => line(),
        },
        DatumKind::Decimal if like.digits.is_some_and(|(digits, _)| digits <= DIGITS) => number("automatic"),
        DatumKind::Decimal => line(),
        DatumKind::Float => number("automatic"),
        DatumKind::Text if are_choices => choice("dropDownMenu"),
        // Whatever its length counts: what has more units of UTF-16 in the end refuses its row.
        DatumKind::Text if like.max_length.is_some_and(|most| most <= LINE) => line(),
        DatumKind::Text | DatumKind::Bytes | DatumKind::Json | DatumKind::List => lines(),
        DatumKind::Uuid | DatumKind::Time | DatumKind::Interval => line(),
        DatumKind::Date => ("dateTime", json!({ "format": "dateOnly" })),
        DatumKind::Timestamp | DatumKind::Instant => ("dateTime", json!({ "format": "dateTime" })),
        DatumKind::Set if are_choices && !is_key => choice("checkBoxes"),
        DatumKind::Set => lines(),
    })
}

/// Makes the list; returns its id.
///
/// # Errors
/// `conflict` when there is one of that name.
pub(super) async fn list(graph: &Graph, site: &str, table: &NewTable, definitions: &[Definition]) -> Result<String> {
    let all: Vec<Value> = definitions.iter().map(whole).collect();
    match post(graph, site, table, all).await {
        // A service that sets these afterwards only.
        Err(error) if error.code() == Code::Invalid => {
            let plain = definitions.iter().map(|definition| definition.plain.clone()).collect();
            post(graph, site, table, plain).await.map_err(|_| error)
        }
        made => made,
    }
}

/// A definition with index and uniqueness.
fn whole(definition: &Definition) -> Value {
    let mut whole = definition.plain.clone();
    let flags = definition.flags.as_object().into_iter().flatten();
    flags.for_each(|(key, value)| whole[key] = value.clone());
    whole
}

async fn post(graph: &Graph, site: &str, table: &NewTable, columns: Vec<Value>) -> Result<String> {
    let body = json!({
        "displayName": table.name.name,
        "description": table.description,
        "columns": columns,
        "list": { "template": "genericList" },
    });
    let url = graph.url(&["sites", site, "lists"]);
    let ask = Ask { method: Method::POST, body: Some(body), ..Graph::get(ACTION, &table.name, url, cost::SEVERAL) };
    // Sent once: it may have been made by a request that nobody answered, and then there is one of that name.
    let answer = graph.once(&ask).await.map_err(|lost| lost.error)?.success(&ask)?;
    let id = answer.body["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Error::new(Code::Storage, ACTION, &table.name).because("it was made, and its id is not told"))
}

/// Whether a list has all these columns.
pub(super) fn has_all(columns: &Value, definitions: &[Definition]) -> bool {
    let columns = columns.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_there = |definition: &Definition| columns.iter().any(|column| column["name"] == definition.name.as_str());
    definitions.iter().all(is_there)
}

/// Gives a list that is there the column of the marker, or what that lacks of index and uniqueness.
///
/// # Errors
/// `conflict` when a column of its name is no single line of text; else as the service refuses it.
pub(super) async fn mark(graph: &Graph, site: &str, list: &str, table: &TableName, columns: &Value) -> Result<()> {
    let known = |columns: &Value| {
        let mut columns = columns.as_array().into_iter().flatten();
        columns.find(|column| column["name"] == MARKER).cloned()
    };
    let url = graph.url(&["sites", site, "lists", list, "columns"]);
    let column = match known(columns) {
        Some(column) => column,
        None => {
            let post = async |body: Value| {
                let get = Graph::get(MARK, table, url.clone(), cost::SEVERAL);
                let ask = Ask { method: Method::POST, body: Some(body), ..get };
                graph.once(&ask).await.map_err(|lost| lost.error)?.success(&ask)
            };
            let made = match post(whole(&marker())).await {
                // A service that sets index and uniqueness afterwards only.
                Err(error) if error.code() == Code::Invalid => post(marker().plain).await.map_err(|_| error),
                made => made,
            };
            match made {
                Ok(answer) => answer.body,
                // Somebody else may have made it, or this request although it was not answered.
                Err(error) => {
                    let ask = Graph::get(MARK, table, url.clone(), cost::SEVERAL);
                    let there = graph.ask(&ask).await?.success(&ask)?;
                    known(&there.body["value"]).ok_or(error)?
                }
            }
        }
    };
    if !column["text"].is_object() || column["text"]["allowMultipleLines"] == true {
        let other = Error::new(Code::Conflict, MARK, table);
        return Err(other
            .because(format!("its column {MARKER} is no single line of text"))
            .advise("rename that column, or take another list"));
    }
    complete(graph, site, list, table, &[marker()], &[column]).await.map(|_| ())
}

/// Sets what the columns of a list lack of index and uniqueness, one after the other.
///
/// # Errors
/// As the service refuses it.
pub(super) async fn complete(
    graph: &Graph,
    site: &str,
    list: &str,
    table: &TableName,
    definitions: &[Definition],
    columns: &[Value],
) -> Result<bool> {
    let mut was_complete = true;
    for definition in definitions {
        let column = columns.iter().find(|column| column["name"] == definition.name.as_str());
        let lacks = |column: &Value| {
            let mut flags = definition.flags.as_object().into_iter().flatten();
            flags.any(|(key, wanted)| wanted == true && column[key] != true)
        };
        let Some(column) = column else {
            let why = format!("it was made without its column {}", definition.name);
            return Err(Error::new(Code::Storage, ACTION, table).because(why));
        };
        let Some(id) = column["id"].as_str().filter(|_| lacks(column)) else { continue };
        was_complete = false;
        let url = graph.url(&["sites", site, "lists", list, "columns", id]);
        let get = Graph::get(ACTION, table, url, cost::SEVERAL);
        let ask = Ask { method: Method::PATCH, body: Some(definition.flags.clone()), ..get };
        graph.ask(&ask).await?.success(&ask)?;
    }
    Ok(was_complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_names_are_short_ascii_and_each_another() {
        let mut made: Vec<Definition> = Vec::new();
        for (name, expected) in [
            ("order_id", "order_id"),
            ("Order_ID", "Order_ID2"),
            ("Größe", "Gre"),
            ("名前", "F"),
            ("_x0020_", "F_x0020_"),
            ("2nd", "F2nd"),
            ("title", "title2"),
            ("synckey", "synckey2"),
            ("a_name_that_is_longer_than_32_characters", "a_name_that_is_longer_than_32_ch"),
            ("a_name_that_is_longer_than_32_characters_too", "a_name_that_is_longer_than_32_c2"),
        ] {
            let name = internal_name(name, &made);
            assert_eq!(name, expected);
            made.push(Definition { name, plain: Value::Null, flags: Value::Null });
        }
    }
}
