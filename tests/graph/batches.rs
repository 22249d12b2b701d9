//! Many requests in one.

use serde_json::{Value, json};

use crate::client::{Answer, World};
use crate::graph::{Budget, Fault, GraphOptions};

fn create(id: &str, list: &str, fields: Value) -> Value {
    let headers = json!({ "Content-Type": "application/json" });
    json!({ "id": id, "method": "POST", "url": format!("{list}/items"), "headers": headers, "body": { "fields": fields } })
}

async fn batch(world: &World, requests: Vec<Value>) -> Answer {
    world.post("/$batch", json!({ "requests": requests })).await
}

/// Ids and statuses, in order of the ids.
fn statuses(answer: &Answer) -> Vec<(&str, u64)> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let all = answer.body["responses"].as_array().unwrap().iter();
    let mut all: Vec<_> = all.map(|one| (one["id"].as_str().unwrap(), one["status"].as_u64().unwrap())).collect();
    all.sort_unstable();
    all
}

fn one<'a>(answer: &'a Answer, id: &str) -> &'a Value {
    answer.body["responses"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()
}

#[tokio::test]
async fn each_request_is_answered_for_itself() {
    let world = World::start().await;
    let list = world.list("Stock", json!([{ "name": "Price", "number": {} }])).await;
    let answer = batch(
        &world,
        vec![
            create("a", &list, json!({ "Price": 1 })),
            create("b", &list, json!({ "Price": "dear" })),
            json!({ "id": "c", "method": "GET", "url": format!("{list}/items/99") }),
            json!({ "id": "d", "method": "GET", "url": format!("{list}?$select=id") }),
        ],
    )
    .await;
    assert_eq!(statuses(&answer), [("a", 201), ("b", 400), ("c", 404), ("d", 200)]);
    assert_eq!(answer.body["responses"][0]["id"], "d", "not in the order of the requests");
    assert_eq!(one(&answer, "a")["body"]["fields"]["Price"], 1);
    assert_eq!(one(&answer, "c")["body"]["error"]["code"], "itemNotFound");
    let etag = one(&answer, "a")["body"]["eTag"].clone();
    world.server.edit_item("Stock", 1, &json!({ "Price": 2 }));
    let change = |etag: &Value| {
        let headers = json!({ "Content-Type": "application/json", "If-Match": etag });
        json!({ "id": "1", "method": "PATCH", "url": format!("{list}/items/1/fields"), "headers": headers, "body": { "Price": 3 } })
    };
    assert_eq!(statuses(&batch(&world, vec![change(&etag)]).await), [("1", 412)]);
    world.server.rules(|rules| rules.if_match_in_batch = false);
    assert_eq!(statuses(&batch(&world, vec![change(&etag)]).await), [("1", 200)]);
    let delete = json!({ "id": "1", "method": "DELETE", "url": format!("{list}/items/1") });
    let deleted = batch(&world, vec![delete]).await;
    assert_eq!(statuses(&deleted), [("1", 204)]);
    assert!(one(&deleted, "1").get("body").is_none());
}

#[tokio::test]
async fn requests_wait_for_those_that_they_depend_on() {
    let world = World::start().await;
    let list = world.list("Stock", json!([{ "name": "Price", "number": {} }])).await;
    let after = |mut request: Value, parents: &[&str]| {
        request["dependsOn"] = json!(parents);
        request
    };
    let answer = batch(
        &world,
        vec![
            after(create("c", &list, json!({ "Title": "third" })), &["b"]),
            after(create("b", &list, json!({ "Title": "second" })), &["a"]),
            create("a", &list, json!({ "Title": "first" })),
            create("x", &list, json!({ "Price": "wrong" })),
            after(create("y", &list, json!({})), &["x", "a"]),
            after(create("z", &list, json!({})), &["y"]),
        ],
    )
    .await;
    assert_eq!(statuses(&answer), [("a", 201), ("b", 201), ("c", 201), ("x", 400), ("y", 424), ("z", 424)]);
    let titles: Vec<Value> = world.server.items("Stock").iter().map(|item| item.fields["Title"].clone()).collect();
    assert_eq!(titles, ["first", "second", "third"]);
}

#[tokio::test]
async fn a_batch_that_is_wrong_does_nothing() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let numbered = |count: usize| (0..count).map(|id| create(&id.to_string(), &list, json!({}))).collect::<Vec<_>>();
    let with = |key: &str, value: Value| {
        let mut request = create("1", &list, json!({}));
        request[key] = value;
        vec![request]
    };
    let wrong = [
        numbered(21),
        numbered(0),
        vec![create("1", &list, json!({})), create("1", &list, json!({}))],
        with("id", json!(1)),
        with("method", json!("BREW")),
        with("headers", json!({})),
        with("dependsOn", json!(["2"])),
        with("dependsOn", json!(["1"])),
        with("url", json!("")),
    ];
    for requests in wrong {
        assert_eq!(batch(&world, requests.clone()).await.status, 400, "{requests:?}");
    }
    assert_eq!(world.server.items("Stock"), []);
    assert_eq!(statuses(&batch(&world, numbered(20)).await).len(), 20);
    let inner = json!({ "id": "1", "method": "POST", "url": "/$batch", "headers": { "Content-Type": "application/json" }, "body": {} });
    assert_eq!(statuses(&batch(&world, vec![inner]).await), [("1", 400)], "no batch within a batch");
}

#[tokio::test]
async fn those_over_the_budget_are_throttled_alone() {
    let budget = Budget { per_minute: 20, ..Budget::default() };
    let world = World::with(GraphOptions { budget, ..GraphOptions::default() }).await;
    let list = world.list("Stock", json!([])).await;
    let used = world.server.units();
    let answer = batch(&world, (0..20).map(|id| create(&format!("{id:02}"), &list, json!({}))).collect()).await;
    let made = world.server.items("Stock").len();
    assert_eq!(made as u64, (20 - used) / 2);
    let throttled: Vec<_> =
        answer.body["responses"].as_array().unwrap().iter().filter(|one| one["status"] == 429).collect();
    assert_eq!(throttled.len(), 20 - made);
    assert_eq!(throttled[0]["headers"]["Retry-After"], "60");
    assert_eq!(answer.header("retry-after"), None, "the batch itself is well");
}

#[tokio::test]
async fn columns_made_in_one_batch_conflict_unless_they_wait() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let column = |name: &str, after: Value| {
        let headers = json!({ "Content-Type": "application/json" });
        let body = json!({ "name": name, "text": {} });
        json!({ "id": name, "method": "POST", "url": format!("{list}/columns"), "headers": headers, "body": body, "dependsOn": after })
    };
    let answer = batch(&world, vec![column("A", json!([])), column("B", json!([]))]).await;
    let mut statuses_of: Vec<u64> = statuses(&answer).into_iter().map(|(_, status)| status).collect();
    statuses_of.sort_unstable();
    assert_eq!(statuses_of, [201, 409]);
    let answer = batch(&world, vec![column("C", json!([])), column("D", json!(["C"]))]).await;
    assert_eq!(statuses(&answer), [("C", 201), ("D", 201)]);
}

#[tokio::test]
async fn an_answer_that_is_lost_takes_the_batch_with_it() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    world.server.fail_after(1, "POST", "/items", Fault::LostAfter);
    let body = json!({ "requests": [create("1", &list, json!({})), create("2", &list, json!({}))] });
    assert!(world.try_ask("POST", "/$batch", Some(body), &[]).await.is_err());
    assert_eq!(world.server.items("Stock").len(), 2);
}
