//! Lists and their columns as tables ("columnDefinition resource type").
//!
//! A column is known by its internal name, which never changes. One that refers to another list or to a person is known as
//! `<name>LookupId`, as its values are. A type that is not named here is not carried.

use chrono_tz::Tz;
use serde_json::Value;

use super::value::instant;
use super::{ID, VERSION};
use crate::endpoint::sql::civil::days_of;
use crate::endpoint::{
    Collation, ColumnShape, ColumnTraits, ConstraintShape, IndexShape, LengthUnit, TableName, TableShape, TableTraits,
};
use crate::error::{Code, Error, Result};
use crate::model::{ConstraintType, DatumKind, TableType};

/// The longest text of a single line, and of a choice.
pub(super) const LINE: u32 = 255;

/// A list, as it is asked for and as it is shown.
#[derive(Debug)]
pub(super) struct List {
    pub(super) id: String,
    pub(super) shape: TableShape,
    /// Beside the columns of the shape.
    pub(super) forms: Vec<Form>,
}

/// How the values of a column stand in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Id,
    Version,
    Line,
    Lines,
    Number,
    Flag,
    Instant,
    /// A day, as the time at which it begins where the site is.
    Day(Option<Tz>),
    Choice,
    Choices,
    Lookup,
    Unknown,
}

impl List {
    /// Reads a list that was given with its columns.
    pub(super) fn read(name: TableName, list: &Value, zone: Option<Tz>) -> Result<Self> {
        let odd = || Error::new(Code::Storage, "describe the list", &name).because("the answer is not about a list");
        let id = list["id"].as_str().ok_or_else(odd)?.to_owned();
        let columns = list["columns"].as_array().ok_or_else(odd)?;
        let (mut shapes, mut forms) = (Vec::new(), Vec::new());
        let (mut indexes, mut constraints) = (Vec::new(), vec![primary_key()]);
        for column in columns {
            let (shape, form) = of_column(column, zone).ok_or_else(odd)?;
            let is_unique = is(column, "enforceUniqueValues");
            if is(column, "indexed") || is_unique {
                indexes.push(index(&shape.name, is_unique));
            }
            if is_unique {
                constraints.push(constraint(&shape.name, ConstraintType::Unique, &shape.name));
            }
            shapes.push(shape);
            forms.push(form);
        }
        shapes.push(version_column());
        forms.push(Form::Version);
        let shape = TableShape {
            name,
            table_type: TableType::Base,
            row_estimate: None,
            columns: shapes,
            constraints,
            indexes,
            traits: traits(list),
        };
        Ok(Self { id, shape, forms })
    }

    /// A column and its form.
    ///
    /// # Errors
    /// `invalid` when there is none of that name.
    pub(super) fn column(&self, name: &str) -> Result<(&ColumnShape, Form)> {
        let columns = self.shape.columns.iter().zip(&self.forms);
        columns.into_iter().find(|(column, _)| column.name == name).map(|(column, form)| (column, *form)).ok_or_else(
            || {
                let why = format!("there is no column {}", name.escape_debug());
                Error::new(Code::Invalid, "use the list", &self.shape.name).because(why)
            },
        )
    }
}

/// What a list says of itself ("list resource type").
fn traits(list: &Value) -> TableTraits {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    TableTraits {
        description: text(&list["description"]),
        template: text(&list["list"]["template"]),
        modified_at: list["lastModifiedDateTime"].as_str().and_then(instant),
    }
}

fn is(column: &Value, flag: &str) -> bool {
    column[flag].as_bool().unwrap_or(false)
}

fn primary_key() -> ConstraintShape {
    constraint("primary", ConstraintType::PrimaryKey, ID)
}

fn constraint(name: &str, constraint_type: ConstraintType, column: &str) -> ConstraintShape {
    let columns = vec![column.to_owned()];
    ConstraintShape { name: name.to_owned(), constraint_type, columns, referenced_table: None, definition: None }
}

fn index(column: &str, is_unique: bool) -> IndexShape {
    let (name, columns) = (column.to_owned(), vec![column.to_owned()]);
    IndexShape { name, is_unique, is_plain: true, method: None, columns, definition: None }
}

fn version_column() -> ColumnShape {
    ColumnShape { is_computed: true, is_nullable: false, ..blank(VERSION, "eTag", Some(DatumKind::Text)) }
}

fn blank(name: &str, data_type: &str, kind: Option<DatumKind>) -> ColumnShape {
    ColumnShape {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        kind,
        member: None,
        // What is required is so in forms; the API takes items without it.
        is_nullable: true,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        collation: Collation::default(),
        traits: ColumnTraits::default(),
    }
}

fn of_column(column: &Value, zone: Option<Tz>) -> Option<(ColumnShape, Form)> {
    let name = column["name"].as_str()?;
    if name == ID {
        // It has no type in the answer.
        let shape = blank(ID, "counter", Some(DatumKind::Integer));
        return Some((ColumnShape { is_nullable: false, is_identity: true, is_computed: true, ..shape }, Form::Id));
    }
    let (mut shape, form) = typed(name, column, zone);
    shape.is_computed |= is(column, "readOnly");
    shape.traits.is_required = is(column, "required");
    shape.default_value = column["defaultValue"]["value"].as_str().map(str::to_owned);
    shape.traits.shown_as = column["displayName"].as_str().filter(|shown| *shown != shape.name).map(str::to_owned);
    Some((shape, form))
}

fn typed(name: &str, column: &Value, zone: Option<Tz>) -> (ColumnShape, Form) {
    let facet = |key: &str| column.get(key).filter(|facet| facet.is_object());
    if let Some(text) = facet("text") {
        return of_text(name, text);
    }
    if let Some(choice) = facet("choice") {
        return of_choice(name, choice);
    }
    if facet("boolean").is_some() {
        return (blank(name, "boolean", Some(DatumKind::Boolean)), Form::Flag);
    }
    for key in ["number", "currency"] {
        if facet(key).is_some() {
            let mut shape = blank(name, key, Some(DatumKind::Float));
            shape.traits.holds_non_finite = Some(false);
            return (shape, Form::Number);
        }
    }
    if let Some(time) = facet("dateTime") {
        return of_time(name, time, zone);
    }
    for (key, several) in [("lookup", "allowMultipleValues"), ("personOrGroup", "allowMultipleSelection")] {
        match facet(key) {
            Some(facet) if is(facet, several) => return (blank(name, key, None), Form::Unknown),
            Some(_) => {
                return (blank(&format!("{name}LookupId"), key, Some(DatumKind::Integer)), Form::Lookup);
            }
            None => {}
        }
    }
    // What it is, for people: the one member that is an object.
    let told = column.as_object().and_then(|all| all.iter().find(|(key, v)| v.is_object() && *key != "defaultValue"));
    (blank(name, told.map_or("unknown", |(key, _)| key), None), Form::Unknown)
}

fn of_text(name: &str, text: &Value) -> (ColumnShape, Form) {
    let is_rich = text["textType"] == "richText";
    let (data_type, form) = match is(text, "allowMultipleLines") {
        false => ("text", Form::Line),
        true if is_rich => ("rich text", Form::Lines),
        true => ("text of several lines", Form::Lines),
    };
    let mut shape = blank(name, data_type, Some(DatumKind::Text));
    let most = text["maxLength"].as_u64().and_then(|most| u32::try_from(most).ok());
    if form == Form::Line {
        shape.max_length = Some(most.unwrap_or(LINE).min(LINE));
        shape.collation = Collation { ignores_case: true, ignores_trailing_spaces: true, ..Collation::default() };
    }
    // SharePoint makes HTML of its own of what is written into it: it would never read back.
    shape.is_computed = is_rich;
    shape.traits.rewrites_line_ends = form == Form::Lines;
    shape.traits.length_unit = LengthUnit::Utf16;
    shape.traits.empty_is_null = true;
    (shape, form)
}

fn of_choice(name: &str, choice: &Value) -> (ColumnShape, Form) {
    let choices = choice["choices"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let choices: Vec<String> = choices.map(str::to_owned).collect();
    let is_several = choice["displayAs"] == "checkBoxes";
    let (kind, form) = if is_several { (DatumKind::Set, Form::Choices) } else { (DatumKind::Text, Form::Choice) };
    let mut shape = blank(name, if is_several { "choices" } else { "choice" }, Some(kind));
    shape.member = is_several.then_some(DatumKind::Text);
    shape.max_length = Some(LINE);
    shape.traits.choices = if is(choice, "allowTextEntry") { Vec::new() } else { choices };
    shape.traits.length_unit = LengthUnit::Utf16;
    shape.traits.empty_is_null = true;
    if !is_several {
        shape.collation = Collation { ignores_case: true, ignores_trailing_spaces: true, ..Collation::default() };
    }
    (shape, form)
}

fn of_time(name: &str, time: &Value, zone: Option<Tz>) -> (ColumnShape, Form) {
    let is_day = time["format"] == "dateOnly";
    let mut shape = if is_day {
        blank(name, "date", Some(DatumKind::Date))
    } else {
        ColumnShape { second_places: Some(0), ..blank(name, "dateTime", Some(DatumKind::Instant)) }
    };
    // SharePoint's calendar.
    shape.traits.days = days_of(1900, 1, 1).zip(days_of(8900, 12, 31));
    shape.traits.day_zone = zone.filter(|_| is_day);
    (shape, if is_day { Form::Day(zone) } else { Form::Instant })
}
