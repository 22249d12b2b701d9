//! The change feed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, World};
use crate::graph::Resync;

struct Feed {
    elements: Vec<Value>,
    link: String,
    pages: usize,
}

impl Feed {
    fn ids(&self) -> Vec<&str> {
        self.elements.iter().map(|element| element["id"].as_str().unwrap_or("?")).collect()
    }
}

/// All pages from there on.
async fn follow(world: &World, path: &str) -> Feed {
    let (mut elements, mut pages, mut next) = (Vec::new(), 0, path.to_owned());
    loop {
        let page = world.get(&next).await;
        assert_eq!(page.status, 200, "{}", page.body);
        elements.extend(page.body["value"].as_array().unwrap().iter().cloned());
        pages += 1;
        match (page.link("next"), page.link("delta")) {
            (Some(link), None) => next = link.to_owned(),
            (None, Some(link)) => return Feed { elements, link: link.to_owned(), pages },
            both => panic!("{both:?}"),
        }
    }
}

async fn stock(world: &World, count: usize) -> String {
    let list = world.list("Stock", json!([{ "name": "Price", "number": {} }])).await;
    for number in 1..=count {
        world.server.add_item("Stock", &json!({ "Price": number }));
    }
    list
}

#[tokio::test]
async fn it_lists_all_and_then_what_changed() {
    let world = World::start().await;
    let list = stock(&world, 5).await;
    let all = follow(&world, &format!("{list}/items/delta?$top=2&$expand=fields($select=Price)")).await;
    assert_eq!((all.ids(), all.pages), (vec!["1", "2", "3", "4", "5"], 3));
    assert_eq!(all.elements[4]["fields"]["Price"], 5, "pages show what the first one showed");
    assert!(all.elements[0].get("lastModifiedBy").is_none());
    let none = follow(&world, &all.link).await;
    assert_eq!((none.ids(), none.pages), (vec![], 1));
    for price in [10, 11] {
        world.server.edit_item("Stock", 2, &json!({ "Price": price }));
    }
    world.server.delete_item("Stock", 4);
    world.server.add_item("Stock", &json!({ "Price": 6 }));
    world.server.edit_item("Stock", 1, &json!({ "Price": 12 }));
    let changed = follow(&world, &none.link).await;
    assert_eq!((changed.ids(), changed.pages), (vec!["2", "4", "6", "1"], 2), "each once, in order of the last change");
    assert_eq!(changed.elements[0]["fields"]["Price"], 11);
    assert_eq!(changed.elements[1]["deleted"]["state"], "deleted");
    assert!(changed.elements[1].get("fields").is_none());
    assert_eq!(follow(&world, &changed.link).await.ids(), Vec::<&str>::new());
    assert_eq!(follow(&world, &none.link).await.ids(), ["2", "4", "6", "1"], "a token serves more than once");
}

#[tokio::test]
async fn what_changes_while_it_lists_comes_afterwards() {
    let world = World::start().await;
    let list = stock(&world, 3).await;
    let first = world.get(&format!("{list}/items/delta?$top=2")).await;
    world.server.edit_item("Stock", 1, &json!({ "Price": 10 }));
    world.server.delete_item("Stock", 2);
    let rest = follow(&world, first.link("next").unwrap()).await;
    assert_eq!(rest.ids(), ["3"]);
    assert_eq!(follow(&world, &rest.link).await.ids(), ["1", "2"]);
}

#[tokio::test]
async fn the_latest_token_skips_what_is_there() {
    let world = World::start().await;
    let list = stock(&world, 3).await;
    let latest = follow(&world, &format!("{list}/items/delta?token=latest")).await;
    assert_eq!(latest.ids(), Vec::<&str>::new());
    world.server.edit_item("Stock", 3, &json!({ "Price": 0 }));
    assert_eq!(follow(&world, &latest.link).await.ids(), ["3"]);
    let (_, token) = latest.link.split_once("token=").unwrap();
    assert_eq!(follow(&world, &format!("{list}/items/delta(token='{token}')")).await.ids(), ["3"]);
    assert_eq!(follow(&world, &format!("{list}/items/delta(token='latest')")).await.ids(), Vec::<&str>::new());
    assert_eq!(follow(&world, &format!("{list}/items/delta()")).await.ids(), ["1", "2", "3"]);
    let other = world.list("Other", json!([])).await;
    let refused = world.get(&format!("{other}/items/delta?token={token}")).await;
    assert_eq!(refused.refused(), (400, "syncStateNotFound"));
    assert_eq!(world.get(&format!("{list}/items/delta?$filter=x")).await.status, 400);
}

#[tokio::test]
async fn an_old_token_asks_for_all_anew() {
    let world = World::start().await;
    let list = stock(&world, 2).await;
    for mode in [Resync::ApplyDifferences, Resync::UploadDifferences] {
        world.server.rules(|rules| rules.resync = mode);
        let link = follow(&world, &format!("{list}/items/delta?$expand=fields")).await.link;
        world.server.forget_changes("Stock");
        let gone = world.get(&link).await;
        assert_eq!(gone.refused(), (410, mode.code()));
        assert_eq!(gone.body["error"]["code"], "resyncRequired");
        let anew = follow(&world, gone.header("location").unwrap()).await;
        assert_eq!(anew.ids(), ["1", "2"]);
        assert_eq!(anew.elements[0]["fields"]["Price"], 1);
    }
    world.server.rules(|rules| rules.delta_lifetime = Some(Duration::from_secs(60)));
    let link = follow(&world, &format!("{list}/items/delta")).await.link;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.get(&link).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get(&link).await.status, 410);
}

#[tokio::test]
async fn it_repeats_items_and_puts_errors_among_them() {
    let world = World::start().await;
    let list = stock(&world, 3).await;
    let link = follow(&world, &format!("{list}/items/delta?$expand=fields")).await.link;
    world.server.edit_item("Stock", 2, &json!({ "Price": 20 }));
    world.server.delete_item("Stock", 3);
    world
        .server
        .rules(|rules| (rules.delta_repeats, rules.delta_unchanged, rules.delta_error_elements) = (true, 1, true));
    let changed = follow(&world, &link).await;
    assert_eq!(changed.ids(), ["1", "2", "2", "?"]);
    let prices: Vec<_> = changed.elements[..3].iter().map(|element| element["fields"]["Price"].as_u64()).collect();
    assert_eq!(prices, [Some(1), Some(2), Some(20)], "the last occurrence is the state");
    assert_eq!(changed.elements[3]["error"]["code"], "itemNotFound");
}

#[tokio::test]
async fn the_feed_of_a_list_that_is_gone_is_gone() {
    let world = World::start().await;
    let list = stock(&world, 1).await;
    let link = follow(&world, &format!("{list}/items/delta")).await.link;
    world.server.delete_list("Stock");
    let gone: Answer = world.get(&link).await;
    assert_eq!(gone.refused(), (404, "itemNotFound"));
}
