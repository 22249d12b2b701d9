//! What writes do to items, whoever they are of: the application that asks, or somebody else.

use serde_json::{Map, Value};

use super::column::Column;
use super::facet::Facet;
use super::field::Writing;
use super::options::Rules;
use super::wire::Refusal;
use super::world::{Fields, Item, List, World};

/// Makes an item of somebody's.
pub fn add(
    world: &mut World,
    at: usize,
    given: &Map<String, Value>,
    has_new_version: bool,
    by: u64,
    now_ms: i64,
) -> Result<u64, Refusal> {
    let written = checked(world, at, None, given, has_new_version)?;
    let guid = world.guid();
    let list = &mut world.lists[at];
    let id = list.next_item();
    let mut item = Item {
        guid,
        version: 1,
        created_ms: now_ms,
        modified_ms: now_ms,
        author: by,
        editor: by,
        fields: Fields::new(),
        before: None,
        change: 0,
        was_refused: false,
    };
    set(list, &world.rules, id, &mut item, written);
    list.put(id, item);
    *world.counters.writes.entry((list.title.clone(), id)).or_default() += 1;
    Ok(id)
}

/// Changes an item on somebody's behalf. Every change makes a version, also one that changes nothing.
pub fn edit(
    world: &mut World,
    at: usize,
    id: u64,
    given: &Map<String, Value>,
    has_new_version: bool,
    by: u64,
    now_ms: i64,
) -> Result<(), Refusal> {
    let written = checked(world, at, Some(id), given, has_new_version)?;
    let list = &mut world.lists[at];
    let mut item = list.items.get(&id).cloned().ok_or_else(|| Refusal::absent("item"))?;
    item.before = Some(item.fields.clone());
    (item.version, item.modified_ms, item.editor) = (item.version + 1, now_ms, by);
    set(list, &world.rules, id, &mut item, written);
    list.put(id, item);
    *world.counters.writes.entry((list.title.clone(), id)).or_default() += 1;
    Ok(())
}

/// Deletes an item, if it is there.
pub fn remove(world: &mut World, at: usize, id: u64) {
    let list = &mut world.lists[at];
    let Some(item) = list.items.get(&id) else { return };
    for (name, values) in &mut list.unique {
        if let Some(value) = item.fields.get(name) {
            values.remove(&unique_key(&world.rules, value));
        }
    }
    list.remove(id);
    *world.counters.writes.entry((list.title.clone(), id)).or_default() += 1;
}

/// What the fields of a request become, none of which may be wrong.
fn checked(
    world: &World,
    at: usize,
    id: Option<u64>,
    given: &Map<String, Value>,
    has_new_version: bool,
) -> Result<Vec<(String, Option<Value>)>, Refusal> {
    let list = &world.lists[at];
    let is_there = |column: &Column, id: u64| match &column.facet {
        Facet::Lookup { list, .. } => {
            world.lists.iter().any(|other| other.id.eq_ignore_ascii_case(list) && other.items.contains_key(&id))
        }
        _ => world.people.contains(&id),
    };
    let mut written = Vec::new();
    let mut doubles = Vec::new();
    for (key, value) in given.iter().filter(|(key, _)| !key.contains('@')) {
        let column = list.columns.iter().find(|column| column.key() == *key);
        let column = column.ok_or_else(|| Refusal::invalid(format!("Field '{key}' is not recognized")))?;
        if column.is_read_only {
            return Err(Refusal::invalid(format!("Field '{key}' is read-only")));
        }
        let odata_type = given.get(&format!("{key}@odata.type")).and_then(Value::as_str);
        let writing = Writing { rules: &world.rules, has_new_version, odata_type, is_there: &is_there };
        let kept = writing.kept(column, value)?;
        if let (Some(values), Some(kept)) = (list.unique.get(&column.name), &kept) {
            let holder = values.get(&unique_key(&world.rules, kept));
            if holder.is_some_and(|holder| Some(*holder) != id) {
                doubles.push(column.display_name.clone());
            }
        }
        written.push((column.name.clone(), kept));
    }
    if doubles.is_empty() { Ok(written) } else { Err(duplicate(&world.rules, &doubles.join(", "))) }
}

/// The words and the number are SharePoint's; its status differs from one report to the next.
fn duplicate(rules: &Rules, columns: &str) -> Refusal {
    let message = format!(
        "The list item could not be added or updated because duplicate values were found in the following field(s) in the \
         list: [{columns}]."
    );
    let code = match rules.unique_status {
        409 => "nameAlreadyExists",
        500 => "generalException",
        _ => "invalidRequest",
    };
    let inner = "-2130575169, Microsoft.SharePoint.SPDuplicateValuesFoundException";
    Refusal::new(rules.unique_status, code, message).of(inner)
}

/// By what values of a unique column are held to be the same.
pub fn unique_key(rules: &Rules, value: &Value) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    let text = if rules.unique_ignores_trailing_spaces { text.trim_end_matches(' ') } else { text };
    if rules.unique_ignores_case { text.to_lowercase() } else { text.to_owned() }
}

fn set(list: &mut List, rules: &Rules, id: u64, item: &mut Item, written: Vec<(String, Option<Value>)>) {
    for (name, value) in written {
        let old = item.fields.remove(&name);
        if let Some(values) = list.unique.get_mut(&name) {
            if let Some(old) = old {
                values.remove(&unique_key(rules, &old));
            }
            values.extend(value.iter().map(|value| (unique_key(rules, value), id)));
        }
        item.fields.extend(value.map(|value| (name, value)));
    }
}
