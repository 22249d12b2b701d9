//! Fields: which column of the source is which of the target.

use serde::Deserialize;

use crate::endpoint::{ColumnShape, MARKER, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::FieldDirection;

/// A field that is kept in step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordField {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Which way it goes; both ways unless told otherwise.
    #[serde(default = "both_ways")]
    pub direction: FieldDirection,
    /// What is made of the source's row for it, instead of its column: an [`Expression`](super::Expression).
    #[serde(default)]
    pub transform: Option<String>,
}

fn both_ways() -> FieldDirection {
    FieldDirection::Bidirectional
}

/// Reads fields from JSON: `[{"source": "name", "target": "Title", "direction": "PUSH_ONLY", "transform": "upper(name)"}]`.
///
/// # Errors
/// `invalid`.
pub fn parse_fields(json: &str) -> Result<Vec<RecordField>> {
    serde_json::from_str(json).map_err(|e| Error::new(Code::Invalid, "read the fields", "").caused_by(e))
}

/// Every column that both tables have by one name and that the target can be given: the name for programs, or the one that
/// people see; whatever is in upper or lower case.
pub(crate) fn same_names(left: &TableShape, right: &TableShape, key: &[String]) -> Vec<RecordField> {
    let is_key = |name: &String| if key.is_empty() { left.primary_key().contains(name) } else { key.contains(name) };
    let mut fields = Vec::new();
    for source in left.columns.iter().filter(|column| column.kind.is_some()) {
        let Some(target) = of_name(right, &source.name) else { continue };
        let direction = match source.is_computed && !is_key(&source.name) {
            true => FieldDirection::PushOnly,
            false => FieldDirection::Bidirectional,
        };
        fields.push(RecordField {
            source: source.name.clone(),
            target: target.name.clone(),
            direction,
            transform: None,
        });
    }
    fields
}

/// The column of that name which can be given a value: what the store computes cannot, and the marker is the engine's own.
fn of_name<'s>(shape: &'s TableShape, name: &str) -> Option<&'s ColumnShape> {
    let find = |is_it: &dyn Fn(&ColumnShape) -> bool| shape.columns.iter().find(|column| is_it(column));
    let shown = |column: &ColumnShape| column.traits.shown_as.clone().unwrap_or_default();
    let is_open = |column: &ColumnShape| column.kind.is_some() && !column.is_computed && column.name != MARKER;
    // A column of exactly that name is meant, whether it can be written or not.
    find(&|column| column.name == name)
        .or_else(|| find(&|column| is_open(column) && shown(column) == name))
        .or_else(|| find(&|column| is_open(column) && column.name.eq_ignore_ascii_case(name)))
        .or_else(|| find(&|column| is_open(column) && shown(column).eq_ignore_ascii_case(name)))
        .filter(|column| is_open(column))
}
