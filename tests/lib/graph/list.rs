//! Sites, lists and columns by request.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::column::Column;
use super::query::Query;
use super::wire::{Answered, Asked, Refusal, Reply};
use super::world::{self, List, World};
use super::write;

const SITE: [&str; 7] =
    ["id", "name", "displayName", "webUrl", "createdDateTime", "lastModifiedDateTime", "siteCollection"];
const LIST: [&str; 14] = [
    "id",
    "name",
    "displayName",
    "description",
    "webUrl",
    "eTag",
    "createdDateTime",
    "lastModifiedDateTime",
    "createdBy",
    "lastModifiedBy",
    "parentReference",
    "list",
    "columns",
    "system",
];
const COLUMN: [&str; 19] = [
    "id",
    "name",
    "displayName",
    "description",
    "columnGroup",
    "enforceUniqueValues",
    "hidden",
    "indexed",
    "readOnly",
    "required",
    "boolean",
    "text",
    "number",
    "currency",
    "dateTime",
    "choice",
    "lookup",
    "personOrGroup",
    "hyperlinkOrPicture",
];

pub fn search_sites(world: &World, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["search", "select", "top"])?;
    let Some(words) = &query.search else { return Err(Refusal::invalid("sites are found by search=words")) };
    let words = words.to_lowercase();
    let found = world.sites.iter().filter(|site| {
        words == "*" || format!("{} {}", site.options.title, site.url()).to_lowercase().contains(&words)
    });
    let shown: Vec<Value> = found.map(|site| query.selected(site.show(), "site", &SITE)).collect::<Result<_, _>>()?;
    Ok(Reply::new(200, json!({ "value": shown })))
}

pub fn get_site(world: &World, site: usize, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select"])?;
    Ok(Reply::new(200, query.selected(world.sites[site].show(), "site", &SITE)?))
}

fn show(world: &World, list: &List, query: &Query) -> Result<Value, Refusal> {
    let site = &world.sites[list.site];
    let mut shown = json!({
        "@odata.etag": list.etag(),
        "id": list.id,
        "eTag": list.etag(),
        "name": list.name,
        "displayName": list.title,
        "description": list.description,
        "createdDateTime": world::time(list.created_ms),
        "lastModifiedDateTime": world::time(list.modified_ms),
        "webUrl": format!("{}/Lists/{}", site.url(), list.name),
        "parentReference": { "siteId": site.id },
        "list": { "contentTypesEnabled": false, "hidden": false, "template": "genericList" },
    });
    match query.expand.as_deref() {
        None => {}
        Some("columns") => shown["columns"] = list.columns.iter().map(Column::show).collect(),
        Some(other) => return Err(Refusal::bad(format!("$expand={other} is not served: only columns"))),
    }
    query.selected(shown, "list", &LIST)
}

pub fn get_lists(world: &World, site: usize, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select", "expand", "filter", "top"])?;
    let wanted = match query.filter.as_deref() {
        None => None,
        Some(filter) => {
            let title = filter.strip_prefix("displayName eq '").and_then(|rest| rest.strip_suffix('\''));
            Some(title.ok_or_else(|| Refusal::bad("lists are filtered by displayName eq '…' only"))?.replace("''", "'"))
        }
    };
    let is_wanted = |list: &&List| list.site == site && wanted.as_ref().is_none_or(|title| *title == list.title);
    let found = world.lists.iter().filter(is_wanted).take(query.top.unwrap_or(usize::MAX));
    let shown: Vec<Value> = found.map(|list| show(world, list, &query)).collect::<Result<_, _>>()?;
    Ok(Reply::new(200, json!({ "value": shown })))
}

pub fn get(world: &World, at: usize, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select", "expand"])?;
    Ok(Reply::new(200, show(world, &world.lists[at], &query)?))
}

/// Makes a list with its columns: all of it, or nothing.
pub fn create(world: &mut World, site: usize, asked: &Asked, now_ms: i64) -> Answered {
    Query::read(asked, &[])?;
    let body = asked.object()?;
    let is_odd = |key: &&String| {
        !key.starts_with('@') && !matches!(key.as_str(), "name" | "displayName" | "description" | "columns" | "list")
    };
    if let Some(odd) = body.keys().find(is_odd) {
        let message =
            format!("The property '{odd}' does not exist on type 'microsoft.graph.list' or cannot be written");
        return Err(Refusal::bad(message));
    }
    let template = body.get("list").and_then(|list| list.get("template"));
    if template.is_some_and(|template| template != "genericList") {
        return Err(Refusal::new(501, "notSupported", "lists of the template genericList only are served here"));
    }
    let title = body.get("displayName").and_then(Value::as_str).map(str::trim).filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Refusal::invalid("a list needs a displayName"))?;
    if world.list(site, title).is_ok() {
        let message = "A list, survey, discussion board, or document library with the specified title already exists";
        return Err(Refusal::new(409, "nameAlreadyExists", message));
    }
    let mut list = world.empty_list(site, title, now_ms);
    list.description = body.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let columns = body.get("columns").map(|all| all.as_array().ok_or_else(|| Refusal::bad("columns is no list")));
    for definition in columns.transpose()?.into_iter().flatten() {
        let definition = definition.as_object().ok_or_else(|| Refusal::bad("a column is no object"))?;
        add_column(world, &mut list, definition)?;
    }
    world.lists.push(list);
    let list = &world.lists[world.lists.len() - 1];
    Ok(Reply::new(201, show(world, list, &Query::default())?)
        .with("location", format!("{}{}/{}", asked.origin, asked.path, list.id)))
}

pub fn update(world: &mut World, at: usize, asked: &Asked, now_ms: i64) -> Answered {
    Query::read(asked, &[])?;
    let site = world.lists[at].site;
    for (key, value) in asked.object()? {
        let text = value.as_str().ok_or_else(|| Refusal::bad(format!("{key} is no text")))?;
        match key.as_str() {
            "displayName" if world.list(site, text).is_ok_and(|other| other != at) => {
                return Err(Refusal::new(409, "nameAlreadyExists", "A list with the specified title already exists"));
            }
            "displayName" => text.clone_into(&mut world.lists[at].title),
            "description" => text.clone_into(&mut world.lists[at].description),
            _ => return Err(Refusal::bad(format!("The property '{key}' of a list cannot be written"))),
        }
    }
    let list = &mut world.lists[at];
    (list.version, list.modified_ms) = (list.version + 1, now_ms);
    Ok(Reply::new(200, show(world, &world.lists[at], &Query::default())?))
}

pub fn delete(world: &mut World, at: usize, asked: &Asked) -> Answered {
    Query::read(asked, &[])?;
    world.lists.remove(at);
    Ok(Reply::empty(204))
}

pub fn get_columns(world: &World, at: usize, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select"])?;
    let columns = world.lists[at].columns.iter();
    let shown: Vec<Value> =
        columns.map(|column| query.selected(column.show(), "columnDefinition", &COLUMN)).collect::<Result<_, _>>()?;
    Ok(Reply::new(200, json!({ "value": shown })))
}

pub fn get_column(world: &World, at: usize, name: &str, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select"])?;
    let column = &world.lists[at].columns[find_column(&world.lists[at], name)?];
    Ok(Reply::new(200, query.selected(column.show(), "columnDefinition", &COLUMN)?))
}

/// By id or internal name.
fn find_column(list: &List, name: &str) -> Result<usize, Refusal> {
    let is = |column: &Column| column.id.eq_ignore_ascii_case(name) || column.name == name;
    list.columns.iter().position(is).ok_or_else(|| Refusal::absent("column"))
}

fn add_column(world: &mut World, list: &mut List, definition: &Map<String, Value>) -> Result<Value, Refusal> {
    let column = Column::create(definition, world.guid().to_string(), &list.columns)?;
    index(world, list, None, &column)?;
    let shown = column.show();
    list.columns.push(column);
    Ok(shown)
}

/// Brings the index of unique values into step with what a column becomes, which may not be possible.
fn index(world: &World, list: &mut List, old: Option<&Column>, column: &Column) -> Result<(), Refusal> {
    if column.is_indexed && !old.is_some_and(|old| old.is_indexed) && list.items.len() > world.rules.index_until {
        let message = "The list has too many items for a new index: the operation exceeds the list view threshold";
        return Err(Refusal::new(400, "notSupported", message));
    }
    if !column.is_unique {
        list.unique.remove(&column.name);
        return Ok(());
    }
    let mut values = HashMap::new();
    for (id, item) in &list.items {
        let Some(value) = item.fields.get(&column.name) else { continue };
        if values.insert(write::unique_key(&world.rules, value), *id).is_some() {
            let message = format!("the column {} has duplicate values, so they cannot be made unique", column.name);
            return Err(Refusal::invalid(message));
        }
    }
    list.unique.insert(column.name.clone(), values);
    Ok(())
}

pub fn create_column(world: &mut World, at: usize, asked: &Asked) -> Answered {
    Query::read(asked, &[])?;
    let definition = asked.object()?;
    let mut list = world.lists.remove(at);
    let added = add_column(world, &mut list, &definition);
    world.lists.insert(at, list);
    Ok(Reply::new(201, added?))
}

pub fn update_column(world: &mut World, at: usize, name: &str, asked: &Asked) -> Answered {
    Query::read(asked, &[])?;
    let definition = asked.object()?;
    let mut list = world.lists.remove(at);
    let changed = change_column(world, &mut list, name, &definition);
    world.lists.insert(at, list);
    Ok(Reply::new(200, changed?))
}

fn change_column(
    world: &World,
    list: &mut List,
    name: &str,
    definition: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let place = find_column(list, name)?;
    let old = list.columns[place].clone();
    let column = old.change(definition, &list.columns)?;
    index(world, list, Some(&old), &column)?;
    let shown = column.show();
    list.columns[place] = column;
    Ok(shown)
}

pub fn delete_column(world: &mut World, at: usize, name: &str, asked: &Asked) -> Answered {
    Query::read(asked, &[])?;
    let list = &mut world.lists[at];
    let place = find_column(list, name)?;
    if list.columns[place].is_system {
        return Err(Refusal::new(403, "accessDenied", "the column belongs to every list"));
    }
    let name = list.columns.remove(place).name;
    list.unique.remove(&name);
    list.items.values_mut().for_each(|item| drop(item.fields.remove(&name)));
    Ok(Reply::empty(204))
}
