//! Items: versions, conditions, unique values.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::World;
use crate::graph::SOMEBODY;

fn keyed() -> Value {
    json!([
        { "name": "SyncKey", "displayName": "Sync key", "text": {}, "indexed": true, "enforceUniqueValues": true },
        { "name": "Price", "number": {} },
    ])
}

#[tokio::test]
async fn every_change_makes_a_version() {
    let world = World::start().await;
    let list = world.list("Stock", keyed()).await;
    let made = world.post(&format!("{list}/items"), json!({ "fields": { "Title": "a", "Price": 1 } })).await;
    let etag = made.body["eTag"].as_str().unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with(",1\""), "{etag}");
    assert_eq!(made.body["fields"]["@odata.etag"], etag.as_str());
    assert_eq!(made.body["createdBy"]["application"]["displayName"], "SharePoint App");
    world.clock.advance(Duration::from_secs(90));
    let changed = world.patch(&format!("{list}/items/1/fields"), json!({ "Price": null })).await;
    assert_eq!(changed.status, 200);
    assert!(changed.body.get("eTag").is_none(), "the fields alone are answered");
    assert_eq!(changed.body["@odata.etag"], etag.replace(",1\"", ",2\""));
    assert!(changed.body.get("Price").is_none(), "null clears");
    assert_eq!(
        (changed.body["Title"].as_str(), changed.body["Modified"].as_str()),
        (Some("a"), Some("2026-01-05T12:01:30Z"))
    );
    world.patch(&format!("{list}/items/1/fields"), json!({ "Title": "a" })).await;
    let item = world.get(&format!("{list}/items/1?$expand=fields")).await.body;
    assert_eq!(item["fields"]["_UIVersionString"], "3.0", "also one that changes nothing");
    assert_eq!(item["createdDateTime"], "2026-01-05T12:00:00Z");
    let whole = world.patch(&format!("{list}/items/1"), json!({ "fields": { "Title": "b" } })).await;
    assert_eq!(
        (whole.body["eTag"].as_str(), whole.body["fields"]["Title"].as_str()),
        (Some(etag.replace(",1\"", ",4\"").as_str()), Some("b"))
    );
    world.server.rules(|rules| rules.patch_shows_etag = false);
    let changed = world.patch(&format!("{list}/items/1/fields"), json!({ "Price": 2 })).await;
    assert!(changed.body.get("@odata.etag").is_none() && changed.header("etag").is_none());
    assert_eq!(world.server.counters().writes[&("Stock".to_owned(), 1)], 5);
}

#[tokio::test]
async fn a_write_with_an_old_etag_is_refused() {
    let world = World::start().await;
    let list = world.list("Stock", keyed()).await;
    world.item(&list, json!({ "Title": "a" })).await;
    let old = world.server.items("Stock")[0].etag.clone();
    world.server.edit_item("Stock", 1, &json!({ "Title": "theirs" }));
    let [fields, item] = ["items/1/fields", "items/1"].map(|path| format!("{list}/{path}"));
    let (bare, whole) = (json!({ "Title": "ours" }), json!({ "fields": { "Title": "ours" } }));
    let asks = [("PATCH", &fields, Some(bare.clone())), ("PATCH", &item, Some(whole)), ("DELETE", &item, None)];
    for (method, path, body) in asks {
        let refused = world.ask(method, path, body, &[("if-match", &old)]).await;
        assert_eq!(refused.refused(), (412, "entityTagDoesNotMatch"), "{method} {path}");
        assert_eq!(refused.body["error"]["code"], "resourceModified");
    }
    let seen = world.server.items("Stock");
    assert_eq!((seen[0].editor, seen[0].fields["Title"].as_str()), (SOMEBODY, Some("theirs")));
    let current = seen[0].etag.clone();
    assert_eq!(world.ask("PATCH", &fields, Some(bare.clone()), &[("if-match", &current)]).await.status, 200);
    assert_eq!(world.ask("PATCH", &fields, Some(bare.clone()), &[("if-match", "*")]).await.status, 200);
    world.server.rules(|rules| rules.if_match_on_fields = false);
    assert_eq!(world.ask("PATCH", &fields, Some(bare), &[("if-match", &old)]).await.status, 200, "it is not heeded");
    assert_eq!(world.delete(&item).await.status, 204);
    assert_eq!(world.delete(&item).await.refused(), (404, "itemNotFound"));
    assert_eq!(world.item(&list, json!({})).await, 2, "ids are not used again");
}

#[tokio::test]
async fn a_duplicate_is_told_with_the_words_of_sharepoint() {
    let world = World::start().await;
    let list = world.list("Stock", keyed()).await;
    world.item(&list, json!({ "SyncKey": "abc" })).await;
    world.item(&list, json!({ "Title": "no key" })).await;
    world.item(&list, json!({ "Title": "no key either" })).await;
    let items = format!("{list}/items");
    for (status, key) in [(400, "abc"), (409, "ABC"), (500, "abc ")] {
        world.server.rules(|rules| rules.unique_status = status);
        let refused = world.post(&items, json!({ "fields": { "SyncKey": key } })).await;
        assert_eq!(refused.refused(), (status, "-2130575169, Microsoft.SharePoint.SPDuplicateValuesFoundException"));
        let words = refused.body["error"]["message"].as_str().unwrap();
        assert!(
            words.contains("duplicate values were found in the following field(s) in the list: [Sync key]"),
            "{words}"
        );
    }
    let change = world.patch(&format!("{items}/2/fields"), json!({ "SyncKey": "abc" })).await;
    assert_eq!(change.status, 500);
    assert_eq!(world.patch(&format!("{items}/1/fields"), json!({ "SyncKey": "abc" })).await.status, 200, "its own");
    world.server.delete_item("Stock", 1);
    assert_eq!(
        world.patch(&format!("{items}/2/fields"), json!({ "SyncKey": "abc" })).await.status,
        200,
        "it is free again"
    );
    world.server.rules(|rules| rules.unique_ignores_case = false);
    let list = world.list("Other", keyed()).await;
    world.item(&list, json!({ "SyncKey": "abc" })).await;
    world.item(&list, json!({ "SyncKey": "ABC" })).await;
}

#[tokio::test]
async fn a_fresh_item_conflicts_for_no_reason() {
    let world = World::start().await;
    world.server.rules(|rules| rules.fresh_items_conflict = true);
    let list = world.list("Stock", keyed()).await;
    world.item(&list, json!({ "Title": "a" })).await;
    let fields = format!("{list}/items/1/fields");
    assert_eq!(world.patch(&fields, json!({ "Title": "b" })).await.refused(), (409, "resourceModified"));
    assert_eq!(world.server.items("Stock")[0].version, 1);
    assert_eq!(world.patch(&fields, json!({ "Title": "b" })).await.status, 200);
    world.item(&list, json!({ "Title": "a" })).await;
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(
        world.patch(&format!("{list}/items/2/fields"), json!({ "Title": "b" })).await.status,
        200,
        "no longer fresh"
    );
}

#[tokio::test]
async fn a_wrong_field_writes_none_of_them() {
    let world = World::start().await;
    let list = world.list("Stock", keyed()).await;
    world.item(&list, json!({ "Title": "a", "Price": 1, "SyncKey": "k" })).await;
    let wrong = json!({ "Title": "b", "SyncKey": "l", "Price": "dear" });
    assert_eq!(world.patch(&format!("{list}/items/1/fields"), wrong).await.refused(), (400, "invalidRequest"));
    let seen = world.server.items("Stock");
    assert_eq!((seen[0].version, seen[0].fields["Title"].as_str()), (1, Some("a")));
    world.item(&list, json!({ "SyncKey": "l" })).await;
}
