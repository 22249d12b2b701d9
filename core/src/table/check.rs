//! What a value has to be before it goes into a column. Errors name table, column, rule and the kind of value, never the
//! value: it may be a secret, and it may be long.

use super::Columns;
use crate::error::{Code, Error, Result};
use crate::model::{ColumnInfo, Rule, TableInfo, Value, ValueKind};

/// Checks a row's own columns and rounds numbers to the digits their columns keep.
///
/// # Errors
/// `invalid`.
pub(super) fn check(table: &TableInfo, columns: &mut Columns) -> Result<()> {
    for (name, value) in columns {
        if let Some(column) = table.column(name) {
            check_one(table, column, value)?;
        }
    }
    Ok(())
}

/// Checks one value of a column; also those that a list is asked for.
pub(super) fn check_one(table: &TableInfo, column: &ColumnInfo, value: &mut Value) -> Result<()> {
    let wrong = |wanted: &str| refuse(table, column, value, wanted);
    let fits = match (column.kind, &*value) {
        (_, Value::Null) => {
            return if column.nullable { Ok(()) } else { wrong("a value is required") };
        }
        (ValueKind::Flag, Value::Bool(_))
        | (ValueKind::Integer, Value::Int(_))
        | (ValueKind::Number, Value::Real(_))
        | (ValueKind::Text | ValueKind::Json, Value::Text(_))
        | (ValueKind::Bytes, Value::Blob(_))
        | (ValueKind::Id, Value::Uuid(_))
        | (ValueKind::Time, Value::Time(_))
        | (ValueKind::Secret, Value::Secret(_) | Value::Blob(_)) => true,
        (ValueKind::Number, Value::Int(_)) => true,
        _ => false,
    };
    if !fits {
        return wrong(kind_name(column.kind));
    }
    if let (ValueKind::Json, Value::Text(text)) = (column.kind, &*value)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()
    {
        return wrong("a JSON document");
    }
    if let Value::Text(text) = &*value {
        if text.contains('\0') {
            return wrong("text without the character 0");
        }
        if !column.words.is_empty() && !column.words.contains(&text.as_str()) {
            return wrong(&format!("one of {}", column.words.join(", ")));
        }
    }
    if let Value::Real(number) = &*value
        && !number.is_finite()
    {
        return wrong("a finite number");
    }
    for rule in column.rules {
        if let (Rule::Decimals(digits), Value::Real(number)) = (rule, &mut *value) {
            let scale = 10_f64.powi(i32::from(*digits));
            *number = (*number * scale).round() / scale;
        }
    }
    match column.rules.iter().find_map(|rule| broken(*rule, value)) {
        Some(wanted) => refuse(table, column, value, &wanted),
        None => Ok(()),
    }
}

/// What the rule wants, when the value breaks it.
fn broken(rule: Rule, value: &Value) -> Option<String> {
    let (breaks, wanted) = match (rule, value) {
        (Rule::MaxChars(most), Value::Text(text)) => {
            (text.chars().count() > most, format!("text of {most} characters at most"))
        }
        (Rule::NotEmpty, Value::Text(text)) => (text.is_empty(), "text that is not empty".into()),
        (Rule::Between(low, high), Value::Int(number)) => {
            (!(low..=high).contains(number), format!("a number from {low} to {high}"))
        }
        (Rule::Between(low, high), Value::Real(number)) => {
            (!(low as f64..=high as f64).contains(number), format!("a number from {low} to {high}"))
        }
        (Rule::NotNegative, Value::Int(number)) => (*number < 0, "a number that is not negative".into()),
        (Rule::MaxChars(_) | Rule::NotEmpty | Rule::Between(..) | Rule::NotNegative | Rule::Decimals(_), _) => {
            return None;
        }
    };
    breaks.then_some(wanted)
}

fn refuse(table: &TableInfo, column: &ColumnInfo, value: &Value, wanted: &str) -> Result<()> {
    let subject = format!("{}.{}", table.name, column.name);
    Err(Error::new(Code::Invalid, "accept a value for", subject).because(format!("{wanted}, got {}", shape(value))))
}

fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Flag => "true or false",
        ValueKind::Integer => "a whole number",
        ValueKind::Number => "a number",
        ValueKind::Text => "text",
        ValueKind::Json => "a JSON document",
        ValueKind::Bytes => "bytes",
        ValueKind::Id => "an id",
        ValueKind::Time => "a time",
        ValueKind::Secret => "a secret",
    }
}

fn shape(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(_) => "true or false".into(),
        Value::Int(_) => "a whole number".into(),
        Value::Real(_) => "a number".into(),
        Value::Text(text) => format!("text of {} characters", text.chars().count()),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
        Value::Uuid(_) => "an id".into(),
        Value::Time(_) => "a time".into(),
        Value::Secret(_) => "a secret".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: ColumnInfo = ColumnInfo {
        name: "c",
        kind: ValueKind::Text,
        nullable: false,
        words: &[],
        references: None,
        rules: &[Rule::NotEmpty, Rule::MaxChars(3)],
    };

    const TABLE: TableInfo = TableInfo {
        name: "t",
        tenant: "tenant_id",
        order: "id",
        deletion: crate::model::Deletion::Hard,
        columns: &[],
        lists: &[],
    };

    fn refusal(column: &ColumnInfo, mut value: Value) -> Option<String> {
        check_one(&TABLE, column, &mut value).err().map(|e| e.to_string())
    }

    #[test]
    fn refusals_name_the_rule_and_never_the_value() {
        let text = |t: &str| Value::Text(t.into());
        assert_eq!(refusal(&COLUMN, text("äöü")), None);
        let long = refusal(&COLUMN, text("hush")).unwrap();
        assert_eq!(long, "could not accept a value for t.c: text of 3 characters at most, got text of 4 characters");
        assert!(refusal(&COLUMN, text("")).unwrap().contains("not empty"));
        assert!(refusal(&COLUMN, Value::Null).unwrap().contains("required"));
        assert!(refusal(&COLUMN, Value::Int(1)).unwrap().contains("text, got a whole number"));
        let word = ColumnInfo { words: &["on", "off"], rules: &[], ..COLUMN };
        assert!(refusal(&word, text("maybe")).unwrap().contains("one of on, off"));
        let json = ColumnInfo { kind: ValueKind::Json, rules: &[], ..COLUMN };
        assert_eq!(refusal(&json, text("{}")), None);
        assert!(refusal(&json, text("{")).is_some());
    }

    #[test]
    fn numbers_are_rounded_to_the_digits_their_column_keeps() {
        let column =
            ColumnInfo { kind: ValueKind::Number, rules: &[Rule::Decimals(2), Rule::Between(0, 100)], ..COLUMN };
        let mut value = Value::Real(12.3456);
        check_one(&TABLE, &column, &mut value).unwrap();
        assert_eq!(value, Value::Real(12.35));
        assert!(refusal(&column, Value::Real(100.5)).is_some());
        assert!(refusal(&column, Value::Real(f64::NAN)).is_some());
    }
}
