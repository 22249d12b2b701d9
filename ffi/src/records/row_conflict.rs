//! Rows that both sides changed and that wait for a person.

use portbook::bridge::{self, show_key, show_value};
use portbook::model::{self, Datum, Sides};
use serde::{Deserialize, Serialize};

use super::date;

/// A row that both sides changed and that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowConflict {
    /// Names it within its definition.
    pub id: String,
    /// The row, by its key.
    pub row: String,
    /// Whether the source has the row; where it does not, it has deleted it.
    pub is_at_source: bool,
    /// Whether the target has the row; where it does not, it has deleted it.
    pub is_at_target: bool,
    /// Names what both sides showed: give it back with the decision.
    pub mark: String,
    /// When a run met it first.
    pub created_at: String,
    /// When a run met it last.
    pub met_at: String,
    /// What was decided, and is not carried out yet.
    pub choice: Option<RowChoice>,
    /// When that was decided.
    pub decided_at: Option<String>,
    /// Who decided it; none once that user is gone.
    pub decided_by: Option<String>,
    /// Why the last decision came to nothing.
    pub note: Option<String>,
}

/// What is to become of a row that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RowChoice {
    /// The source's row counts; where the source has none any more, the target's goes.
    KeepSource {},
    /// The target's row counts; where the target has none any more, the source's goes.
    KeepDestination {},
    /// Both sides get the source's row with these columns as the target has them.
    Merge {
        /// The columns, by their names at the target. Each has to belong to a field that goes both ways.
        target_columns: Vec<String>,
    },
}

/// A conflict with what both sides hold now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowInspection {
    /// The conflict.
    pub conflict: RowConflict,
    /// The fields, in the order of their names at the target.
    pub fields: Vec<FieldValues>,
}

/// What both sides have in a field. A value is the JSON that it has in the row of a host (docs/rows.md); one that has no such
/// form is a text for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct FieldValues {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// The source's value; none where it has no such row.
    #[serde(default, with = "crate::json::value", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub source_value: Option<String>,
    /// The target's value; none where it has no such row.
    #[serde(default, with = "crate::json::value", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub target_value: Option<String>,
    /// Whether the target holds what it would be given.
    pub is_same: bool,
}

impl From<RowChoice> for bridge::RowChoice {
    fn from(choice: RowChoice) -> Self {
        match choice {
            RowChoice::KeepSource {} => Self::Source,
            RowChoice::KeepDestination {} => Self::Target,
            RowChoice::Merge { target_columns } => {
                Self::Fields(target_columns.into_iter().map(|column| (column, model::Side::Right)).collect())
            }
        }
    }
}

impl From<bridge::RowChoice> for RowChoice {
    fn from(choice: bridge::RowChoice) -> Self {
        match choice {
            bridge::RowChoice::Source => Self::KeepSource {},
            bridge::RowChoice::Target => Self::KeepDestination {},
            bridge::RowChoice::Fields(fields) => {
                let of_target = fields.into_iter().filter(|(_, side)| *side == model::Side::Right);
                Self::Merge { target_columns: of_target.map(|(column, _)| column).collect() }
            }
        }
    }
}

impl From<bridge::RowConflict> for RowConflict {
    fn from(conflict: bridge::RowConflict) -> Self {
        let bridge::RowConflict {
            id,
            row,
            is_there: Sides { left: is_at_source, right: is_at_target },
            mark,
            created_at,
            met_at,
            choice,
            decided_at,
            decided_by,
            note,
        } = conflict;
        Self {
            id,
            row,
            is_at_source,
            is_at_target,
            mark,
            created_at: date(created_at),
            met_at: date(met_at),
            choice: choice.map(Into::into),
            decided_at: decided_at.map(date),
            decided_by: decided_by.map(|user| user.to_string()),
            note,
        }
    }
}

impl From<bridge::RowInspection> for RowInspection {
    fn from(inspection: bridge::RowInspection) -> Self {
        let bridge::RowInspection { conflict, fields } = inspection;
        Self { conflict: conflict.into(), fields: fields.into_iter().map(Into::into).collect() }
    }
}

impl From<bridge::FieldValues> for FieldValues {
    fn from(field: bridge::FieldValues) -> Self {
        let bridge::FieldValues { source, target, values: Sides { left, right }, is_same } = field;
        Self { source, target, source_value: left.map(shown), target_value: right.map(shown), is_same }
    }
}

/// Its JSON.
fn shown(value: Datum) -> String {
    show_value(&value).unwrap_or_else(|_| show_key(&[value]).into()).to_string()
}

#[cfg(test)]
mod tests {
    use portbook::model::Interval;

    use super::*;

    #[test]
    fn every_value_is_json() {
        assert_eq!(shown(Datum::Null), "null");
        assert_eq!(shown(Datum::Integer(i128::from(u64::MAX))), "\"18446744073709551615\"");
        let span = shown(Datum::Interval(Interval { months: 1, days: 2, nanos: 3 }));
        assert!(serde_json::from_str::<String>(&span).is_ok_and(|text| !text.is_empty()), "{span}");
    }

    #[test]
    fn nothing_and_no_row_are_told_apart() {
        let field = FieldValues {
            source: "a".into(),
            target: "b".into(),
            source_value: Some("null".into()),
            target_value: None,
            is_same: false,
        };
        let json = serde_json::json!(field);
        assert_eq!(json, serde_json::json!({"source": "a", "target": "b", "source_value": null, "is_same": false}));
        assert_eq!(serde_json::from_value::<FieldValues>(json).ok(), Some(field));
    }
}
