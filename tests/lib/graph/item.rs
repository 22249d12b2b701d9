//! Items by request: how they are shown, made, changed and deleted.

use serde_json::{Map, Value, json};

use super::column::Column;
use super::facet::Facet;
use super::filter;
use super::query::{Expand, Query};
use super::wire::{Answered, Asked, Refusal, Reply};
use super::world::{self, APP, Item, List, World};
use super::write;

/// The most columns of other lists and persons in a query.
const LOOKUPS: usize = 12;
/// How long an item is fresh.
const FRESH_MS: i64 = 5_000;

pub const PROPERTIES: [&str; 15] = [
    "id",
    "eTag",
    "createdDateTime",
    "lastModifiedDateTime",
    "webUrl",
    "createdBy",
    "lastModifiedBy",
    "parentReference",
    "contentType",
    "fields",
    "sharepointIds",
    "name",
    "description",
    "deleted",
    "error",
];

/// The value of a column, the service's own included.
pub fn value(item: &Item, id: u64, column: &Column) -> Option<Value> {
    if !column.is_system || column.name == "Title" {
        return item.fields.get(&column.name).cloned();
    }
    Some(match column.name.as_str() {
        "ID" => id.into(),
        "ContentType" => "Item".into(),
        "Created" => world::time(item.created_ms).into(),
        "Modified" => world::time(item.modified_ms).into(),
        "Author" => item.author.to_string().into(),
        "Editor" => item.editor.to_string().into(),
        "_UIVersionString" => format!("{}.0", item.version).into(),
        "Attachments" => false.into(),
        "Edit" => "".into(),
        "LinkTitle" | "LinkTitleNoMenu" => return item.fields.get("Title").cloned(),
        "ItemChildCount" | "FolderChildCount" => "0".into(),
        _ => return None,
    })
}

/// The members of `fields`: all that are not hidden, or those that are named.
pub fn fields(world: &World, list: &List, id: u64, item: &Item, named: Option<&[String]>) -> Result<Value, Refusal> {
    let mut shown = Map::from_iter([("@odata.etag".to_owned(), item.etag().into())]);
    let mut lookups = 0;
    let Some(named) = named else {
        shown.insert("id".to_owned(), id.to_string().into());
        for column in list.columns.iter().filter(|column| !column.is_hidden && column.name != "ID") {
            lookups += usize::from(column.facet.is_lookup());
            shown.extend(value(item, id, column).map(|value| (column.key(), value)));
        }
        return enough(lookups).map(|()| Value::Object(shown));
    };
    for name in named {
        if name == "id" {
            shown.insert(name.clone(), id.to_string().into());
            continue;
        }
        let column = filter::column(list, name)?;
        lookups += usize::from(column.facet.is_lookup());
        let Some(value) = value(item, id, column) else { continue };
        let value = if column.facet.is_lookup() && *name == column.name { meant(world, column, &value) } else { value };
        shown.insert(name.clone(), value);
    }
    enough(lookups).map(|()| Value::Object(shown))
}

fn enough(lookups: usize) -> Result<(), Refusal> {
    if lookups <= LOOKUPS {
        return Ok(());
    }
    let message = "The query cannot be completed because the number of lookup columns it contains exceeds the lookup column \
                   threshold";
    Err(Refusal::new(400, "notSupported", message))
}

/// What ids of another list's items or of persons stand for.
fn meant(world: &World, column: &Column, ids: &Value) -> Value {
    let one = |id: &Value| {
        let Facet::Lookup { list, column, .. } = &column.facet else {
            return format!("Person {}", id.as_str().unwrap_or_default()).into();
        };
        let id = id.as_str().and_then(|id| id.parse().ok()).unwrap_or(0);
        let other = world.lists.iter().find(|other| other.id.eq_ignore_ascii_case(list));
        let value = other.and_then(|other| other.items.get(&id)?.fields.get(column).cloned());
        value.unwrap_or(Value::Null)
    };
    match ids {
        Value::Array(ids) => ids.iter().map(|id| json!({ "LookupId": id, "LookupValue": one(id) })).collect(),
        id => one(id),
    }
}

/// An item as it is shown, with some of its fields.
pub fn show(
    world: &World,
    list: &List,
    id: u64,
    item: &Item,
    query: &Query,
    expand: &Expand,
) -> Result<Value, Refusal> {
    let site = &world.sites[list.site];
    let person = |id: u64| match id {
        APP => json!({ "application": { "id": APP.to_string(), "displayName": "SharePoint App" } }),
        id => json!({ "user": { "id": id.to_string(), "displayName": format!("Person {id}") } }),
    };
    let mut shown = json!({
        "@odata.etag": item.etag(),
        "id": id.to_string(),
        "eTag": item.etag(),
        "createdDateTime": world::time(item.created_ms),
        "lastModifiedDateTime": world::time(item.modified_ms),
        "webUrl": format!("{}/Lists/{}/{id}_.000", site.url(), list.name),
        "createdBy": person(item.author),
        "lastModifiedBy": person(item.editor),
        "parentReference": { "id": list.id, "siteId": site.id },
        "contentType": { "id": "0x0100", "name": "Item" },
    });
    match expand {
        Expand::Nothing => {}
        Expand::All => shown["fields"] = fields(world, list, id, item, None)?,
        Expand::Named(names) => shown["fields"] = fields(world, list, id, item, Some(names))?,
    }
    query.selected(shown, "listItem", &PROPERTIES)
}

pub fn get(world: &World, at: usize, id: u64, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select", "expand"])?;
    let list = &world.lists[at];
    let item = list.items.get(&id).ok_or_else(|| Refusal::absent("item"))?;
    Ok(Reply::new(200, show(world, list, id, item, &query, &query.fields()?)?).with("etag", item.etag()))
}

pub fn get_fields(world: &World, at: usize, id: u64, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select"])?;
    let list = &world.lists[at];
    let item = list.items.get(&id).ok_or_else(|| Refusal::absent("item"))?;
    Ok(Reply::new(200, fields(world, list, id, item, query.select.as_deref())?))
}

pub fn create(world: &mut World, at: usize, asked: &Asked, now_ms: i64) -> Answered {
    Query::read(asked, &[])?;
    let body = asked.object()?;
    let given = whole(&body)?.cloned().unwrap_or_default();
    let id = write::add(world, at, &given, asked.prefers("apiversion=2.1"), APP, now_ms)?;
    let list = &world.lists[at];
    let item = &list.items[&id];
    let shown = show(world, list, id, item, &Query::default(), &Expand::All)?;
    Ok(Reply::new(201, shown)
        .with("location", format!("{}{}/{id}", asked.origin, asked.path))
        .with("etag", item.etag()))
}

/// Changes an item; `is_whole` when the body is that of an item, not of its fields.
pub fn update(world: &mut World, at: usize, id: u64, asked: &Asked, is_whole: bool, now_ms: i64) -> Answered {
    Query::read(asked, &[])?;
    let body = asked.object()?;
    let given = if is_whole { whole(&body)?.cloned().unwrap_or_default() } else { body };
    let rules = &world.rules;
    let heeds = if is_whole { rules.if_match_on_item } else { rules.if_match_on_fields };
    check_match(world, at, id, asked, heeds)?;
    let item = world.lists[at].items.get_mut(&id).ok_or_else(|| Refusal::absent("item"))?;
    let is_fresh = item.version == 1 && now_ms - item.created_ms < FRESH_MS && !item.was_refused;
    if world.rules.fresh_items_conflict && is_fresh {
        item.was_refused = true;
        return Err(Refusal::new(409, "resourceModified", "The resource has changed since the caller last read it"));
    }
    write::edit(world, at, id, &given, asked.prefers("apiversion=2.1"), APP, now_ms)?;
    let list = &world.lists[at];
    let item = &list.items[&id];
    if is_whole {
        return Ok(Reply::new(200, show(world, list, id, item, &Query::default(), &Expand::All)?));
    }
    let mut shown = fields(world, list, id, item, None)?;
    let reply = Reply::new(200, Value::Null);
    if world.rules.patch_shows_etag {
        let reply = reply.with("etag", item.etag());
        return Ok(Reply { body: Some(shown), ..reply });
    }
    shown.as_object_mut().into_iter().for_each(|fields| drop(fields.remove("@odata.etag")));
    Ok(Reply { body: Some(shown), ..reply })
}

pub fn delete(world: &mut World, at: usize, id: u64, asked: &Asked) -> Answered {
    Query::read(asked, &[])?;
    check_match(world, at, id, asked, world.rules.if_match_on_delete)?;
    write::remove(world, at, id);
    Ok(Reply::empty(204))
}

/// The fields in the body of an item, beside which there may be a content type.
fn whole(body: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, Refusal> {
    let is_odd = |key: &&String| !key.starts_with('@') && !matches!(key.as_str(), "fields" | "contentType");
    if let Some(odd) = body.keys().find(is_odd) {
        let message =
            format!("The property '{odd}' does not exist on type 'microsoft.graph.listItem' or cannot be written");
        return Err(Refusal::bad(message));
    }
    let fields = body.get("fields").map(|fields| fields.as_object().ok_or_else(|| Refusal::bad("fields is no object")));
    fields.transpose()
}

/// RFC 9110, section 13.1.1.
fn check_match(world: &World, at: usize, id: u64, asked: &Asked, heeds: bool) -> Result<(), Refusal> {
    let item = world.lists[at].items.get(&id).ok_or_else(|| Refusal::absent("item"))?;
    let Some(wanted) = asked.header("if-match").map(str::trim) else { return Ok(()) };
    let heeds = heeds && (!asked.in_batch || world.rules.if_match_in_batch);
    if heeds && wanted != "*" && wanted.trim_start_matches("W/") != item.etag() {
        let message = "ETag does not match current item's value";
        return Err(Refusal::new(412, "resourceModified", message).of("entityTagDoesNotMatch"));
    }
    Ok(())
}
