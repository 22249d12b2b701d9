//! Items by filter and order, page by page.

use serde_json::{Value, json};

use crate::client::World;
use crate::graph::Unindexed;

const PREFER: (&str, &str) = ("prefer", "HonorNonIndexedQueriesWarningMayFailRandomly");

async fn stock(world: &World) -> String {
    let columns = json!([
        { "name": "SyncKey", "text": {}, "indexed": true, "enforceUniqueValues": true },
        { "name": "Price", "number": {}, "indexed": true },
        { "name": "Due", "dateTime": {}, "indexed": true },
        { "name": "Sold", "boolean": {}, "indexed": true },
        { "name": "Colour", "text": {} },
        { "name": "Notes", "text": { "allowMultipleLines": true } },
    ]);
    let list = world.list("Stock", columns).await;
    let colours = ["red", "O'Neill", "blue", "red", "Blue"];
    for (number, colour) in (1..).zip(colours) {
        let due = format!("2026-01-0{number}T00:00:00Z");
        let key = format!("k{number}");
        world.server.add_item("Stock", &json!({ "SyncKey": key, "Price": number, "Due": due, "Colour": colour }));
    }
    world.server.edit_item("Stock", 2, &json!({ "Sold": true }));
    list
}

async fn found(world: &World, list: &str, query: &[(&str, &str)]) -> Result<Vec<u64>, u16> {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let answer = world.ask("GET", &format!("{list}/items?{query}"), None, &[PREFER]).await;
    if answer.status != 200 {
        return Err(answer.status);
    }
    Ok(answer.ids().iter().map(|id| id.parse().unwrap()).collect())
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let world = World::start().await;
    let list = stock(&world).await;
    let cases: [(&str, Result<Vec<u64>, u16>); 22] = [
        ("fields/SyncKey eq 'k3'", Ok(vec![3])),
        ("fields/SyncKey eq 'K3'", Ok(vec![3])),
        ("fields/SyncKey eq 'k9'", Ok(vec![])),
        ("fields/SyncKey eq 'k3' or fields/SyncKey eq 'k1' or fields/SyncKey eq 'k3'", Ok(vec![1, 3])),
        ("fields/SyncKey eq 'k3' and fields/Price gt 3", Ok(vec![])),
        ("fields/SyncKey ne 'k3'", Ok(vec![1, 2, 4, 5])),
        ("fields/Price gt 2 and (fields/Price lt 4 or fields/Price ge 5)", Ok(vec![3, 5])),
        ("not (fields/Price le 2.5)", Ok(vec![3, 4, 5])),
        ("fields/Due ge '2026-01-04T00:00:00Z'", Ok(vec![4, 5])),
        ("fields/Due lt 2026-01-02T01:00:00+01:00", Ok(vec![1])),
        ("fields/Sold eq true", Ok(vec![2])),
        ("fields/Sold eq null", Ok(vec![1, 3, 4, 5])),
        ("fields/Colour eq 'O''Neill'", Ok(vec![2])),
        ("startswith(fields/Colour,'bl')", Ok(vec![3, 5])),
        ("fields/SyncKey in ('k1','k2')", Err(400)),
        ("fields/Price eq 'dear'", Err(400)),
        ("fields/Nothing eq 'x'", Err(400)),
        ("fields/SyncKey eq k1", Err(400)),
        ("SyncKey eq 'k1'", Err(400)),
        ("fields/SyncKey eq 'k1", Err(400)),
        ("fields/SyncKey eq 'k1' or", Err(400)),
        ("fields/Price gt null", Err(400)),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&world, &list, &[("$filter", filter)]).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn orders_put_what_is_empty_first() {
    let world = World::start().await;
    let list = stock(&world).await;
    world.server.add_item("Stock", &json!({ "Title": "without" }));
    for (order, expected) in [
        ("fields/Price", Ok(vec![6, 1, 2, 3, 4, 5])),
        ("fields/Price desc", Ok(vec![5, 4, 3, 2, 1, 6])),
        ("fields/Colour asc", Ok(vec![6, 3, 5, 2, 1, 4])),
        ("fields/Price up", Err(400)),
        ("Price", Err(400)),
    ] {
        assert_eq!(found(&world, &list, &[("$orderby", order)]).await, expected, "{order}");
    }
}

#[tokio::test]
async fn a_column_without_an_index_needs_a_preference() {
    let world = World::start().await;
    let list = stock(&world).await;
    let path = format!("{list}/items?$filter=fields/Colour%20eq%20'red'");
    let refused = world.get(&path).await;
    assert_eq!(refused.refused(), (400, "invalidRequest"));
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("not indexed"));
    assert_eq!(world.ask("GET", &path, None, &[PREFER]).await.ids(), ["1", "4"]);
    assert_eq!(world.get(&format!("{list}/items?$orderby=fields/Colour")).await.status, 400);
    world.server.rules(|rules| (rules.unindexed, rules.threshold) = (Unindexed::RefusedAboveThreshold, 5));
    assert_eq!(world.get(&path).await.ids(), ["1", "4"]);
    world.server.add_item("Stock", &json!({ "Colour": "red" }));
    assert_eq!(world.get(&path).await.status, 400, "above the threshold");
    assert_eq!(world.ask("GET", &path, None, &[PREFER]).await.ids(), ["1", "4", "6"]);
}

/// The ids of all pages, and how many pages there were.
async fn all(world: &World, path: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut next) = (Vec::new(), 0, Some(path.to_owned()));
    while let Some(path) = next {
        let page = world.ask("GET", &path, None, &[PREFER]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        ids.extend(page.ids().into_iter().map(str::to_owned));
        (pages, next) = (pages + 1, page.link("next").map(str::to_owned));
    }
    (ids, pages)
}

#[tokio::test]
async fn pages_follow_each_other() {
    let world = World::start().await;
    let list = stock(&world).await;
    let wanted: Vec<String> = ["1", "2", "3", "4", "5"].map(str::to_owned).to_vec();
    assert_eq!(all(&world, &format!("{list}/items?$top=2&$expand=fields($select=Price)")).await, (wanted.clone(), 3));
    assert_eq!(all(&world, &format!("{list}/items?$top=5")).await, (wanted.clone(), 1));
    let mut down = wanted.clone();
    down.reverse();
    assert_eq!(all(&world, &format!("{list}/items?$top=2&$orderby=fields/Price%20desc")).await, (down, 3));
    world.server.rules(|rules| rules.page_items = 4);
    assert_eq!(all(&world, &format!("{list}/items")).await, (wanted.clone(), 2));
    world.server.rules(|rules| rules.max_top = 1);
    assert_eq!(all(&world, &format!("{list}/items?$top=999")).await, (wanted, 5), "more than it gives");
    let first = world.get(&format!("{list}/items?$top=1&$expand=fields($select=Price)")).await;
    let second = world.get(first.link("next").unwrap()).await;
    assert_eq!(second.body["value"][0]["fields"]["Price"], 2, "a page shows what the first one showed");
    for token in ["nonsense", "UGFnZWQ9VFJVRSZwX1NraXA9MQ"] {
        assert_eq!(world.get(&format!("{list}/items?$skiptoken={token}")).await.status, 400, "{token}");
    }
}

#[tokio::test]
async fn a_selection_leaves_the_rest_out() {
    let world = World::start().await;
    let list = stock(&world).await;
    let page = world.get(&format!("{list}/items?$select=id,eTag&$top=1")).await;
    let item: Vec<&String> = page.body["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(item, ["@odata.etag", "eTag", "id"]);
    let page = world.get(&format!("{list}/items?select=id&expand=fields(select=SyncKey)&top=1")).await;
    assert_eq!(page.body["value"][0]["fields"]["SyncKey"], Value::from("k1"), "the dollar may be left out");
}
