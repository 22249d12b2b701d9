//! Columns of a list: the definitions that are sent and given back, and the names that SharePoint makes of names.

use serde_json::{Map, Value, json};

use super::facet::{self, Facet, Lines};
use super::wire::Refusal;

#[derive(Clone, Debug)]
pub struct Column {
    pub id: String,
    /// The internal name, by which items are addressed; it never changes.
    pub name: String,
    pub display_name: String,
    pub description: String,
    pub is_indexed: bool,
    pub is_unique: bool,
    pub is_hidden: bool,
    pub is_required: bool,
    pub is_read_only: bool,
    /// Whether it is the service's own.
    pub is_system: bool,
    pub facet: Facet,
    /// The name of its type and the members of it, as they are given back.
    told: Option<(&'static str, Value)>,
}

/// The most indexes of a list.
const INDEXES: usize = 20;
/// The longest internal name.
const NAME: usize = 32;

const PROPERTIES: [&str; 10] = [
    "name",
    "displayName",
    "description",
    "columnGroup",
    "enforceUniqueValues",
    "hidden",
    "indexed",
    "required",
    "readOnly",
    "id",
];

impl Column {
    /// Reads the definition of a new column for a list that has these.
    pub fn create(definition: &Map<String, Value>, id: String, others: &[Self]) -> Result<Self, Refusal> {
        check_properties(definition)?;
        let display_name = text(definition, "displayName")?;
        let asked =
            text(definition, "name")?.or(display_name).ok_or_else(|| Refusal::invalid("a column needs a name"))?;
        if asked.trim().is_empty() {
            return Err(Refusal::invalid("a column needs a name"));
        }
        let told =
            facet::find(definition)?.ok_or_else(|| Refusal::invalid("the definition has no type of a column"))?;
        let mut column = Self {
            id,
            name: internal_name(asked, others)?,
            display_name: display_name.unwrap_or(asked).to_owned(),
            description: String::new(),
            is_indexed: false,
            is_unique: false,
            is_hidden: false,
            is_required: false,
            is_read_only: false,
            is_system: false,
            facet: Facet::read(told.0, &told.1)?,
            told: Some(told),
        };
        column.set(definition)?;
        column.check(others)?;
        Ok(column)
    }

    /// Changes what a definition names.
    pub fn change(&self, definition: &Map<String, Value>, others: &[Self]) -> Result<Self, Refusal> {
        check_properties(definition)?;
        if self.is_read_only && definition.keys().any(|key| key != "indexed") {
            return Err(Refusal::invalid(format!("the column {} is read-only", self.name)));
        }
        if text(definition, "name")?.is_some_and(|name| name != self.name) {
            return Err(Refusal::invalid("the name of a column cannot be changed"));
        }
        let mut column = self.clone();
        if let Some((name, _)) = facet::find(definition)? {
            let Some((old, members)) = column.told.as_mut().filter(|(old, _)| *old == name) else {
                return Err(Refusal::invalid("the type of a column cannot be changed"));
            };
            let given = definition[name].as_object().into_iter().flatten();
            given.filter(|(key, _)| !key.starts_with('@')).for_each(|(key, value)| members[key] = value.clone());
            column.facet = Facet::read(old, members)?;
        }
        column.set(definition)?;
        column.check(others)?;
        Ok(column)
    }

    fn set(&mut self, definition: &Map<String, Value>) -> Result<(), Refusal> {
        if let Some(display_name) = text(definition, "displayName")? {
            self.display_name = display_name.to_owned();
        }
        if let Some(description) = text(definition, "description")? {
            self.description = description.to_owned();
        }
        let flags = [
            ("indexed", &mut self.is_indexed),
            ("enforceUniqueValues", &mut self.is_unique),
            ("hidden", &mut self.is_hidden),
            ("required", &mut self.is_required),
            ("readOnly", &mut self.is_read_only),
        ];
        for (key, flag) in flags {
            match definition.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::Bool(value)) => *flag = *value,
                Some(_) => return Err(Refusal::bad(format!("{key} is no boolean"))),
            }
        }
        Ok(())
    }

    fn check(&self, others: &[Self]) -> Result<(), Refusal> {
        if self.is_indexed && !self.facet.is_indexable() {
            return Err(Refusal::invalid(format!("the column {} is of a type that cannot be indexed", self.name)));
        }
        if self.is_unique && (!self.is_indexed || !self.facet.can_be_unique() || self.is_system) {
            let message =
                format!("the column {} cannot enforce unique values: it must be indexed, of one value", self.name);
            return Err(Refusal::invalid(message));
        }
        let indexes = others.iter().filter(|other| other.is_indexed && other.id != self.id).count();
        if self.is_indexed && indexes >= INDEXES {
            return Err(Refusal::invalid(format!("a list cannot have more than {INDEXES} indexed columns")));
        }
        Ok(())
    }

    /// The name of the member of `fields` that its value has.
    pub fn key(&self) -> String {
        if self.facet.is_lookup() { format!("{}LookupId", self.name) } else { self.name.clone() }
    }

    pub fn show(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "name": self.name,
            "displayName": self.display_name,
            "description": self.description,
            "columnGroup": "Custom Columns",
            "enforceUniqueValues": self.is_unique,
            "hidden": self.is_hidden,
            "indexed": self.is_indexed,
            "readOnly": self.is_read_only,
            "required": self.is_required,
        });
        if let Some((name, members)) = &self.told {
            shown[*name] = members.clone();
        }
        shown
    }
}

fn check_properties(definition: &Map<String, Value>) -> Result<(), Refusal> {
    let types = ["boolean", "text", "number", "currency", "dateTime", "choice", "lookup", "personOrGroup"];
    let more = ["hyperlinkOrPicture", "calculated", "contentApprovalStatus", "geolocation", "term", "thumbnail"];
    let known =
        |key: &str| key.starts_with('@') || PROPERTIES.contains(&key) || types.contains(&key) || more.contains(&key);
    match definition.keys().find(|key| !known(key)) {
        None => Ok(()),
        Some(odd) => {
            let message = format!("The property '{odd}' does not exist on type 'microsoft.graph.columnDefinition'");
            Err(Refusal::bad(message))
        }
    }
}

fn text<'a>(definition: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Refusal> {
    match definition.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::bad(format!("{key} is no text"))),
    }
}

/// What is no letter, digit or underscore is written `_xHHHH_` by UTF-16 units, as is a digit at the start; the whole is cut
/// at 32, and one that is taken by the cut gets a number.
fn internal_name(asked: &str, others: &[Column]) -> Result<String, Refusal> {
    let taken = |name: &str| others.iter().any(|other| other.name.eq_ignore_ascii_case(name));
    let mut whole = String::new();
    for (at, unit) in asked.encode_utf16().enumerate() {
        match char::from_u32(unit.into()) {
            Some(c) if c.is_ascii_alphabetic() || c == '_' || c.is_ascii_digit() && at > 0 => whole.push(c),
            _ => whole.push_str(&format!("_x{unit:04x}_")),
        }
    }
    let name: String = whole.chars().take(NAME).collect();
    if !taken(&name) {
        return Ok(name);
    }
    if name == whole {
        return Err(Refusal::new(409, "nameAlreadyExists", format!("a column {name} exists already")));
    }
    let numbered = (0..).map(|number: u32| format!("{}{number}", &name[..NAME - number.to_string().len()]));
    Ok(numbered.into_iter().find(|name| !taken(name)).unwrap_or(name))
}

/// The columns that every list of the template `genericList` has.
pub fn of_generic_list(mut id: impl FnMut() -> String) -> Vec<Column> {
    let line = || ("text", json!({ "allowMultipleLines": false, "linesForEditing": 0, "maxLength": 255 }));
    let day = || ("dateTime", json!({ "displayAs": "default", "format": "dateTime" }));
    let who = || ("personOrGroup", json!({ "allowMultipleSelection": false, "chooseFromType": "peopleAndGroups" }));
    let own = [
        ("ID", "ID", None, true),
        ("ContentType", "Content Type", Some(line()), true),
        ("Title", "Title", Some(line()), false),
        ("Modified", "Modified", Some(day()), true),
        ("Created", "Created", Some(day()), true),
        ("Author", "Created By", Some(who()), true),
        ("Editor", "Modified By", Some(who()), true),
        ("_UIVersionString", "Version", Some(line()), true),
        ("Attachments", "Attachments", None, true),
        ("Edit", "Edit", None, true),
        ("LinkTitleNoMenu", "Title", None, true),
        ("LinkTitle", "Title", None, true),
        ("DocIcon", "Type", None, true),
        ("ItemChildCount", "Item Child Count", None, true),
        ("FolderChildCount", "Folder Child Count", None, true),
    ];
    let column = |(name, display_name, told, is_read_only): (&str, &str, Option<(&'static str, Value)>, bool)| Column {
        id: id(),
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        description: String::new(),
        is_indexed: false,
        is_unique: false,
        is_hidden: false,
        is_required: name == "Title",
        is_read_only,
        is_system: true,
        facet: match told.as_ref().map(|(name, _)| *name) {
            Some("text") => Facet::Text { lines: Lines::One, max_length: 255 },
            Some("dateTime") => Facet::DateTime { is_date_only: false },
            Some(_) => Facet::Person { is_multiple: false },
            None => Facet::Untold,
        },
        told,
    };
    own.into_iter().map(column).collect()
}
