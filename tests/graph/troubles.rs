//! What goes wrong on demand.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::World;
use crate::graph::{AppOptions, Fault};

#[tokio::test]
async fn answers_are_lost_before_and_after() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let items = format!("{list}/items");
    let body = || Some(json!({ "fields": { "Title": "x" } }));
    world.server.fail("POST", "/items", Fault::LostBefore);
    assert!(world.try_ask("POST", &items, body(), &[]).await.is_err());
    assert_eq!(world.server.items("Stock").len(), 0);
    world.server.fail("POST", "/items", Fault::LostAfter);
    assert_eq!(world.get(&items).await.status, 200, "another method is not meant");
    assert!(world.try_ask("POST", &items, body(), &[]).await.is_err());
    assert_eq!(world.server.items("Stock").len(), 1);
    assert_eq!(world.ask("POST", &items, body(), &[]).await.status, 201);
    assert_eq!(world.server.pending_faults(), 0);
    assert_eq!(world.server.counters().by_status[&0], 2);
}

#[tokio::test]
async fn statuses_lie_about_what_was_done() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let items = format!("{list}/items");
    let cases = [
        (Fault::Before { status: 503, retry_after: Some(41) }, 503, "serviceNotAvailable", Some("41"), 0),
        (Fault::Before { status: 429, retry_after: Some(315) }, 429, "throttledRequest", Some("315"), 0),
        (Fault::After { status: 500, retry_after: None }, 500, "generalException", None, 1),
        (Fault::After { status: 504, retry_after: None }, 504, "UnknownError", None, 2),
        (Fault::After { status: 429, retry_after: Some(3) }, 429, "throttledRequest", Some("3"), 3),
    ];
    for (fault, status, code, retry_after, count) in cases {
        world.server.fail("POST", "/items", fault);
        let answer = world.post(&items, json!({ "fields": {} })).await;
        assert_eq!((answer.refused(), answer.header("retry-after")), ((status, code), retry_after));
        assert_eq!(world.server.items("Stock").len(), count, "{status}");
    }
}

#[tokio::test]
async fn the_world_changes_under_a_request() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    world.item(&list, json!({ "Title": "a" })).await;
    let etag = world.server.items("Stock")[0].etag.clone();
    world.server.fail(
        "PATCH",
        "/items/1",
        Fault::Meanwhile(Box::new(|server| {
            server.edit_item("Stock", 1, &json!({ "Title": "theirs" }));
        })),
    );
    let change = Some(json!({ "Title": "ours" }));
    let refused = world.ask("PATCH", &format!("{list}/items/1/fields"), change, &[("if-match", &etag)]).await;
    assert_eq!(refused.status, 412);
    world.server.fail_after(1, "GET", "/items", Fault::Meanwhile(Box::new(|server| server.delete_list("Stock"))));
    assert_eq!(world.get(&format!("{list}/items")).await.status, 200);
    assert_eq!(world.get(&format!("{list}/items")).await.status, 404);
    let app = AppOptions::default();
    world.server.fail("POST", "/token", Fault::Before { status: 503, retry_after: None });
    let fields = [("client_id", app.id.as_str()), ("client_secret", app.secret.as_str())];
    assert_eq!(world.ask_token(&fields).await.status, 503);
    assert_eq!(world.ask_token(&fields).await.status, 200);
}

#[tokio::test]
async fn faults_are_drawn_for_every_request() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let mut count = 0;
    world.server.draw(move |asked| {
        count += 1;
        (asked.method == hyper::Method::POST && count % 2 == 0)
            .then_some(Fault::Before { status: 503, retry_after: None })
    });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.post(&format!("{list}/items"), json!({ "fields": {} })).await.status);
    }
    assert_eq!(statuses, [201, 503, 201, 503]);
    world.server.calm();
    assert_eq!(world.post(&format!("{list}/items"), json!({ "fields": {} })).await.status, 201);
    assert_eq!(world.post(&format!("{list}/items"), json!({ "fields": {} })).await.status, 201);
}

#[tokio::test]
async fn an_answer_is_slow() {
    let world = World::start().await;
    world.server.fail("GET", "/sites", Fault::Slow(Duration::from_millis(200)));
    let start = Instant::now();
    world.get(crate::client::SITE).await;
    assert!(start.elapsed() >= Duration::from_millis(200));
}
