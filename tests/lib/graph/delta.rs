//! The change feed of a list ("listItem: delta"): first all that is there, page by page, then what has changed since a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::item;
use super::query::{Expand, Query};
use super::wire::{Answered, Asked, Refusal, Reply};
use super::world::{Item, List, World};

/// Where a client is in the feed, and what it wants to see of items.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    list: String,
    /// All changes up to this one are known, or will be when all that is there has been listed.
    since: u64,
    /// The last item that was listed, while all are.
    after: Option<u64>,
    issued_ms: i64,
    /// Of the list's feed, which is forgotten from one to the next.
    epoch: u64,
    select: Option<Vec<String>>,
    expand: Option<String>,
    top: Option<usize>,
}

pub fn get(world: &World, at: usize, in_path: Option<&str>, asked: &Asked, now_ms: i64) -> Answered {
    let mut query = Query::read(asked, &["select", "expand", "top", "token"])?;
    let list = &world.lists[at];
    let given = in_path.map(str::to_owned).or(query.token.take());
    let fresh = |since, after| Token {
        list: list.id.clone(),
        since,
        after,
        issued_ms: now_ms,
        epoch: list.feed_epoch,
        select: query.select.clone(),
        expand: query.expand.clone(),
        top: query.top,
    };
    let mut token = match given.as_deref() {
        None | Some("") => fresh(list.last_change(), Some(0)),
        Some("latest") => fresh(list.last_change(), None),
        Some(given) => read(world, list, given, asked, now_ms)?,
    };
    if given.as_deref() == Some("latest") {
        let link = link(asked, &token, now_ms);
        return Ok(Reply::new(200, json!({ "value": [], "@odata.deltaLink": link })));
    }
    (token.select, token.expand) = (query.select.or(token.select), query.expand.or(token.expand));
    token.top = query.top.or(token.top);
    let wanted = Query { select: token.select.clone(), expand: token.expand.clone(), ..Query::default() };
    let feed = Feed { world, list, expand: wanted.fields()?, wanted };
    let top = token.top.unwrap_or(world.rules.page_items).min(world.rules.max_top);
    let (shown, is_last) = match token.after {
        Some(after) => feed.listed(after, top, &mut token)?,
        None => feed.changed(top, &mut token)?,
    };
    let kind = if is_last { "@odata.deltaLink" } else { "@odata.nextLink" };
    Ok(Reply::new(200, json!({ "value": shown, kind: link(asked, &token, now_ms) })))
}

fn read(world: &World, list: &List, given: &str, asked: &Asked, now_ms: i64) -> Result<Token, Refusal> {
    let bytes = BASE64.decode(given).ok();
    let token = bytes.and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok());
    let token = token.filter(|token| token.list == list.id).ok_or_else(|| {
        Refusal::new(400, "invalidRequest", "The token provided is not one of this list").of("syncStateNotFound")
    })?;
    let age_ms = now_ms - token.issued_ms;
    let is_old = world.rules.delta_lifetime.is_some_and(|most| age_ms > most.as_millis() as i64);
    if is_old || token.epoch != list.feed_epoch {
        let anew = Token { since: list.last_change(), after: Some(0), epoch: list.feed_epoch, ..token };
        let refusal =
            Refusal::new(410, "resyncRequired", "Resync is required: the changes since this token are not known");
        return Err(refusal.of(world.rules.resync.code()).with("location", link(asked, &anew, now_ms)));
    }
    Ok(token)
}

fn link(asked: &Asked, token: &Token, now_ms: i64) -> String {
    let token = Token { issued_ms: now_ms, ..token.clone() };
    let text = BASE64.encode(serde_json::to_vec(&token).unwrap_or_default());
    let path = asked.path.rsplit_once("/delta").map_or(asked.path.as_str(), |(items, _)| items);
    format!("{}{path}/delta?token={text}", asked.origin)
}

struct Feed<'a> {
    world: &'a World,
    list: &'a List,
    wanted: Query,
    expand: Expand,
}

impl Feed<'_> {
    /// The next items of all, and whether they are the last.
    fn listed(&self, after: u64, top: usize, token: &mut Token) -> Result<(Vec<Value>, bool), Refusal> {
        let mut rest = self.list.items.range(after + 1..);
        let mut shown = Vec::new();
        for (id, item) in rest.by_ref().take(top) {
            token.after = Some(*id);
            shown.push(self.show(*id, item)?);
        }
        let is_last = rest.next().is_none();
        if is_last {
            token.after = None;
        }
        Ok((shown, is_last))
    }

    /// The next changes: of each item its state, however often it has changed.
    fn changed(&self, top: usize, token: &mut Token) -> Result<(Vec<Value>, bool), Refusal> {
        let rules = &self.world.rules;
        let mut shown = Vec::new();
        let unchanged = self.list.items.iter().filter(|(_, item)| item.change <= token.since);
        for (id, item) in unchanged.take(rules.delta_unchanged) {
            shown.push(self.show(*id, item)?);
        }
        let mut rest = self.list.changes.range(token.since + 1..);
        for (change, id) in rest.by_ref().take(top) {
            token.since = *change;
            let Some(item) = self.list.items.get(id) else {
                shown.push(self.deleted(*id));
                continue;
            };
            if let Some(before) = item.before.as_ref().filter(|_| rules.delta_repeats) {
                let stale = Item { fields: before.clone(), version: item.version - 1, ..item.clone() };
                shown.push(self.show(*id, &stale)?);
            }
            shown.push(self.show(*id, item)?);
        }
        Ok((shown, rest.next().is_none()))
    }

    fn deleted(&self, id: u64) -> Value {
        if self.world.rules.delta_error_elements {
            return json!({ "error": { "code": "itemNotFound", "message": "The specified item was not found" } });
        }
        let site = &self.world.sites[self.list.site].id;
        json!({ "id": id.to_string(), "deleted": { "state": "deleted" }, "parentReference": { "siteId": site } })
    }

    /// As elsewhere, without who changed it last.
    fn show(&self, id: u64, item: &Item) -> Result<Value, Refusal> {
        let mut shown = item::show(self.world, self.list, id, item, &self.wanted, &self.expand)?;
        shown.as_object_mut().into_iter().for_each(|shown| drop(shown.remove("lastModifiedBy")));
        Ok(shown)
    }
}
