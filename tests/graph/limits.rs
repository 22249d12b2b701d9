//! Resource units.

use std::time::Duration;

use serde_json::json;

use crate::client::{SITE, World};
use crate::graph::{AppOptions, Budget, GraphOptions, Window};

#[tokio::test]
async fn requests_cost_what_the_vendor_says() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let site = world.site.clone();
    let latest = world.get(&format!("{list}/items/delta?token=latest")).await;
    let latest = latest.link("delta").unwrap().to_owned();
    let [items, item, fields] = ["items", "items/1", "items/1/fields"].map(|path| format!("{list}/{path}"));
    let body = |body| Some(body);
    let asks = [
        ("GET", site.clone(), None, 1),
        ("GET", "/sites?search=x".to_owned(), None, 2),
        ("GET", list.clone(), None, 1),
        ("GET", format!("{site}/lists"), None, 2),
        ("GET", format!("{list}/columns"), None, 2),
        ("POST", items.clone(), body(json!({ "fields": {} })), 2),
        ("GET", items.clone(), None, 2),
        ("GET", item.clone(), None, 1),
        ("PATCH", fields, body(json!({ "Title": "x" })), 2),
        ("GET", format!("{items}/delta"), None, 2),
        ("GET", latest, None, 1),
        ("DELETE", item, None, 2),
        ("GET", format!("{site}/permissions"), None, 5),
    ];
    for (method, path, body, units) in asks {
        let before = world.server.units();
        let answer = world.ask(method, &path, body, &[]).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.body);
        assert_eq!(world.server.units() - before, units, "{method} {path}");
    }
}

async fn limited(window: Window, per_day: u64) -> World {
    let budget = Budget { per_minute: 10, per_day, window };
    World::with(GraphOptions { budget, ..GraphOptions::default() }).await
}

#[tokio::test]
async fn over_the_minute_it_throttles_until_the_next() {
    let world = limited(Window::Fixed, 1_000).await;
    world.clock.advance(Duration::from_secs(20));
    for left in (0..9).rev() {
        let answer = world.get(SITE).await;
        assert_eq!(answer.status, 200);
        let told = (left <= 2).then(|| left.to_string());
        assert_eq!(answer.header("ratelimit-remaining"), told.as_deref(), "from 80 % on");
    }
    let throttled = world.get(SITE).await;
    assert_eq!(throttled.refused(), (429, "throttledRequest"));
    assert_eq!(throttled.body["error"]["code"], "activityLimitReached");
    assert_eq!((throttled.header("retry-after"), throttled.header("ratelimit-limit")), (Some("40"), Some("10")));
    assert_eq!(throttled.header("ratelimit-reset"), Some("40"));
    world.clock.advance(Duration::from_secs(39));
    assert_eq!(world.get(SITE).await.header("retry-after"), Some("1"));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get(SITE).await.status, 200);
    assert_eq!(world.server.counters().throttled, 2);
    assert_eq!(world.server.most_units_in_a_minute(), 12, "calls that are throttled count");
}

#[tokio::test]
async fn a_sliding_minute_frees_units_as_they_age() {
    let world = limited(Window::Sliding, 1_000).await;
    world.clock.advance(Duration::from_secs(20));
    for _ in 0..9 {
        assert_eq!(world.get(SITE).await.status, 200);
    }
    // One unit is of the start, twenty seconds before; this call is the eleventh.
    assert_eq!(world.get(SITE).await.header("retry-after"), Some("60"), "its own unit counts as well");
    world.clock.advance(Duration::from_secs(40));
    assert_eq!(world.get(SITE).await.status, 429);
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(world.get(SITE).await.status, 200);
}

#[tokio::test]
async fn over_the_day_it_throttles_until_midnight() {
    let world = limited(Window::Fixed, 3).await;
    assert_eq!((world.get(SITE).await.status, world.get(SITE).await.status), (200, 200));
    let throttled = world.get(SITE).await;
    assert_eq!((throttled.status, throttled.header("retry-after")), (429, Some("43200")));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.get(SITE).await.status, 429);
}

#[tokio::test]
async fn applications_have_budgets_of_their_own() {
    let other = AppOptions { id: "other".to_owned(), secret: "s".to_owned(), ..AppOptions::default() };
    let budget = Budget { per_minute: 3, ..Budget::default() };
    let apps = vec![AppOptions::default(), other];
    let mut world = World::with(GraphOptions { budget, apps, ..GraphOptions::default() }).await;
    for _ in 0..2 {
        assert_eq!(world.get(SITE).await.status, 200);
    }
    assert_eq!(world.get(SITE).await.status, 429);
    let answer = world.ask_token(&[("client_id", "other"), ("client_secret", "s")]).await;
    world.token = answer.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(SITE).await.status, 200);
}

#[tokio::test]
async fn it_counts_who_does_not_say_who_they_are() {
    let world = World::start().await;
    let before = world.server.counters();
    world.get(SITE).await;
    world.ask("GET", SITE, None, &[("user-agent", "NONISV|Contoso|Sync/1.0")]).await;
    let after = world.server.counters();
    assert_eq!((after.requests - before.requests, after.undecorated - before.undecorated), (2, 1));
}
