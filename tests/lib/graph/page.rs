//! Items of a list by filter and order, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::filter::{self, Filter};
use super::item;
use super::options::Unindexed;
use super::query::Query;
use super::wire::{Answered, Asked, Refusal, Reply};
use super::world::{List, World};
use super::write;

const NON_INDEXED: &str = "HonorNonIndexedQueriesWarningMayFailRandomly";

pub fn get(world: &World, at: usize, asked: &Asked) -> Answered {
    let query = Query::read(asked, &["select", "expand", "filter", "orderby", "top", "skiptoken"])?;
    let list = &world.lists[at];
    let filter = query.filter.as_deref().map(Filter::read).transpose()?;
    let order = query.orderby.as_deref().map(filter::order_by).transpose()?;
    let named = filter.iter().flat_map(Filter::fields).chain(order.iter().map(|(name, _)| name.as_str()));
    for name in named {
        check_index(world, list, name, asked)?;
    }
    let ids = match &order {
        None => matching(world, list, filter.as_ref())?,
        Some((name, is_descending)) => ordered(list, matching(world, list, filter.as_ref())?, name, *is_descending)?,
    };
    let after = query.skiptoken.as_deref().map(position).transpose()?;
    let start = match after {
        None => 0,
        Some(Position::After(id)) if order.is_none() => ids.partition_point(|other| *other <= id),
        Some(Position::Skip(count)) if order.is_some() => count.min(ids.len()),
        Some(_) => return Err(Refusal::invalid("the skip token belongs to another query")),
    };
    let end = ids.len().min(start + query.top.unwrap_or(world.rules.page_items).min(world.rules.max_top));
    let expand = query.fields()?;
    let show = |id: &u64| item::show(world, list, *id, &list.items[id], &query, &expand);
    let shown: Vec<Value> = ids[start..end].iter().map(show).collect::<Result<_, _>>()?;
    let mut page = json!({ "@odata.context": format!("{}/v1.0/$metadata#items", asked.origin), "value": shown });
    if end < ids.len() {
        let token = if order.is_some() { format!("p_Skip={end}") } else { format!("p_ID={}", ids[end - 1]) };
        page["@odata.nextLink"] = next_link(asked, &BASE64.encode(format!("Paged=TRUE&{token}"))).into();
    }
    Ok(Reply::new(200, page))
}

/// Where a page starts.
enum Position {
    After(u64),
    Skip(usize),
}

fn position(token: &str) -> Result<Position, Refusal> {
    let read = || {
        let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
        let rest = text.strip_prefix("Paged=TRUE&")?;
        match rest.split_once('=')? {
            ("p_ID", id) => id.parse().ok().map(Position::After),
            ("p_Skip", count) => count.parse().ok().map(Position::Skip),
            _ => None,
        }
    };
    read().ok_or_else(|| Refusal::invalid("the skip token is not one of this service"))
}

/// The same query from another place on.
fn next_link(asked: &Asked, token: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let is_other = |key: &str| key.trim_start_matches('$') != "skiptoken";
    query.extend_pairs(asked.query.iter().filter(|(key, _)| is_other(key)));
    query.append_pair("$skiptoken", token);
    format!("{}{}?{}", asked.origin, asked.path, query.finish())
}

fn check_index(world: &World, list: &List, name: &str, asked: &Asked) -> Result<(), Refusal> {
    let column = filter::column(list, name)?;
    let is_refused = match world.rules.unindexed {
        Unindexed::Refused => true,
        Unindexed::RefusedAboveThreshold => list.items.len() > world.rules.threshold,
    };
    if column.is_indexed || !is_refused || asked.prefers(NON_INDEXED) {
        return Ok(());
    }
    let message = format!(
        "Field '{name}' cannot be referenced in filter or orderby as it is not indexed. Provide the 'Prefer: {NON_INDEXED}' \
         header to allow this, but be warned that such queries may fail on large lists."
    );
    Err(Refusal::invalid(message))
}

/// Ids in order.
fn matching(world: &World, list: &List, filter: Option<&Filter>) -> Result<Vec<u64>, Refusal> {
    let Some(filter) = filter else { return Ok(list.items.keys().copied().collect()) };
    let key = |value: &Value| write::unique_key(&world.rules, value);
    // Where cases differ, an equal value is more than one value of the index.
    let candidates = world.rules.unique_ignores_case.then(|| filter.candidates(list, key)).flatten();
    let mut ids = Vec::new();
    for id in candidates.unwrap_or_else(|| list.items.keys().copied().collect()) {
        if list.items.get(&id).map_or(Ok(false), |item| filter.matches(list, id, item))? {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn ordered(list: &List, ids: Vec<u64>, name: &str, is_descending: bool) -> Result<Vec<u64>, Refusal> {
    let column = filter::column(list, name)?;
    let mut keyed: Vec<(Option<Value>, u64)> =
        ids.into_iter().map(|id| (item::value(&list.items[&id], id, column), id)).collect();
    keyed.sort_by(|(left, left_id), (right, right_id)| {
        let order = filter::order(left.as_ref(), right.as_ref());
        if is_descending { order.reverse() } else { order }.then(left_id.cmp(right_id))
    });
    Ok(keyed.into_iter().map(|(_, id)| id).collect())
}
