//! Sites, lists and columns.

use serde_json::{Value, json};

use crate::client::{SITE, World};

#[tokio::test]
async fn a_site_is_found_by_path_by_id_and_by_words() {
    let world = World::start().await;
    let by_path = world.get(SITE).await.body;
    assert_eq!(by_path["webUrl"], "https://contoso.sharepoint.com/sites/Team");
    assert_eq!(by_path["id"].as_str().unwrap().split(',').count(), 3);
    for path in
        ["/sites/contoso.sharepoint.com%3A%2Fsites%2FTeam", "/sites/Contoso.sharepoint.com:/sites/team:", &world.site]
    {
        assert_eq!(world.get(path).await.body, by_path, "{path}");
    }
    assert_eq!(world.get("/sites?search=team").await.ids(), [by_path["id"].as_str().unwrap()]);
    assert_eq!(world.get("/sites?search=elsewhere").await.ids(), Vec::<&str>::new());
    assert_eq!(world.get("/sites/contoso.sharepoint.com:/sites/Other").await.refused(), (404, "itemNotFound"));
    assert_eq!(world.get("/sites/contoso.sharepoint.com:/sites/Team:/lists").await.status, 200);
}

#[tokio::test]
async fn a_list_comes_with_its_columns_in_one_request() {
    let world = World::start().await;
    let columns = json!([
        { "name": "SyncKey", "text": {}, "indexed": true, "enforceUniqueValues": true, "hidden": true },
        { "name": "Price", "number": { "minimum": 0 } },
        { "name": "Due", "dateTime": { "format": "dateOnly" } },
        { "name": "Notes", "text": { "allowMultipleLines": true } },
        { "name": "Size", "choice": { "choices": ["S", "M"] } },
    ]);
    let list = world.list("Stock", columns).await;
    assert_eq!(world.get(&list).await.body["list"]["template"], "genericList");
    assert_eq!(world.get(&format!("{}/lists/Stock", world.site)).await.body["id"], world.get(&list).await.body["id"]);
    let shown = world.get(&format!("{list}/columns")).await.body["value"].clone();
    let column = |name: &str| shown.as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone();
    assert_eq!(column("Title")["required"], true, "every list has one");
    assert_eq!(
        (column("Author")["readOnly"].clone(), column("Title")["readOnly"].clone()),
        (true.into(), false.into())
    );
    assert_eq!(column("SyncKey")["text"]["maxLength"], 255);
    assert_eq!(column("SyncKey")["enforceUniqueValues"], true);
    assert_eq!(column("Notes")["text"]["textType"], "plain");
    assert_eq!(column("Due")["dateTime"]["format"], "dateOnly");
    assert!(column("Attachments").get("boolean").is_none(), "its type is not told");
    let again = world.post(&format!("{}/lists", world.site), json!({ "displayName": "Stock" })).await;
    assert_eq!(again.refused(), (409, "nameAlreadyExists"));
}

#[tokio::test]
async fn a_wrong_column_makes_no_list() {
    let world = World::start().await;
    let columns = [
        json!({ "name": "A" }),
        json!({ "name": "A", "text": {}, "number": {} }),
        json!({ "name": "A", "text": {}, "colour": "red" }),
        json!({ "name": "A", "text": { "length": 3 } }),
        json!({ "name": "A", "text": { "maxLength": 256 } }),
        json!({ "name": "A", "text": { "allowMultipleLines": true }, "indexed": true }),
        json!({ "name": "A", "text": {}, "enforceUniqueValues": true }),
        json!({ "name": "A", "boolean": {}, "indexed": true, "enforceUniqueValues": true }),
        json!({ "name": "A", "choice": { "choices": [] } }),
        json!({ "name": "A", "text": {}, "indexed": "yes" }),
        json!({ "text": {} }),
    ];
    for column in columns {
        let body = json!({ "displayName": "Stock", "columns": [{ "name": "Fine", "text": {} }, column] });
        let refused = world.post(&format!("{}/lists", world.site), body).await;
        assert_eq!(refused.status, 400, "{column}");
        assert_eq!(world.server.list_id("Stock"), None, "{column}");
    }
}

#[tokio::test]
async fn names_are_encoded_and_cut() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let long = "a".repeat(40);
    let cases = [
        ("Größe", "Gr_x00f6__x00df_e".to_owned()),
        ("unit price", "unit_x0020_price".to_owned()),
        ("1st", "_x0031_st".to_owned()),
        (long.as_str(), "a".repeat(32)),
        (&long[1..], "a".repeat(31) + "0"),
    ];
    for (asked, name) in cases {
        let made = world.post(&format!("{list}/columns"), json!({ "name": asked, "text": {} })).await;
        assert_eq!((made.status, &made.body["name"]), (201, &Value::from(name)), "{asked}");
    }
    let made = world.post(&format!("{list}/columns"), json!({ "displayName": "Price", "currency": {} })).await;
    assert_eq!((made.body["name"].as_str(), made.body["displayName"].as_str()), (Some("Price"), Some("Price")));
    let again = world.post(&format!("{list}/columns"), json!({ "name": "price", "text": {} })).await;
    assert_eq!(again.refused(), (409, "nameAlreadyExists"));
}

#[tokio::test]
async fn a_list_has_twenty_indexes_and_none_is_made_late() {
    let world = World::start().await;
    let column = |number: usize| json!({ "name": format!("C{number}"), "number": {}, "indexed": true });
    let list = world.list("Stock", (0..20).map(column).collect()).await;
    assert_eq!(world.post(&format!("{list}/columns"), column(20)).await.status, 400);
    assert_eq!(world.patch(&format!("{list}/columns/C0"), json!({ "indexed": false })).await.status, 200);
    world.server.rules(|rules| rules.index_until = 2);
    for title in ["a", "b", "c"] {
        world.item(&list, json!({ "Title": title })).await;
    }
    assert_eq!(world.post(&format!("{list}/columns"), column(20)).await.status, 400, "the list has grown");
    assert_eq!(world.post(&format!("{list}/columns"), json!({ "name": "C20", "number": {} })).await.status, 201);
}

#[tokio::test]
async fn columns_that_are_made_at_once_conflict_and_are_there() {
    let world = World::start().await;
    world.server.rules(|rules| rules.schema_window = std::time::Duration::from_millis(500));
    let list = world.list("Stock", json!([])).await;
    let path = format!("{list}/columns");
    let column = |name: &str| world.post(&path, json!({ "name": name, "text": {} }));
    let (first, second) = tokio::join!(column("A"), column("B"));
    let (made, refused) = if first.status == 201 { (first, second) } else { (second, first) };
    assert_eq!(made.status, 201);
    assert_eq!(refused.refused().0, 409);
    assert!(refused.body["error"]["message"].as_str().unwrap().starts_with("Save Conflict"));
    let names: Vec<String> =
        world.server.columns("Stock").iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"A".to_owned()) && names.contains(&"B".to_owned()), "{names:?}");
    assert_eq!(world.post(&path, json!({ "name": "C", "text": {} })).await.status, 201, "one after the other");
}

#[tokio::test]
async fn columns_and_lists_change_within_limits() {
    let world = World::start().await;
    let list = world.list("Stock", json!([{ "name": "A", "text": {} }])).await;
    let path = format!("{list}/columns/A");
    let changed = world.patch(&path, json!({ "displayName": "Ä", "text": { "maxLength": 10 } })).await;
    assert_eq!((changed.status, &changed.body["name"], &changed.body["displayName"]), (200, &json!("A"), &json!("Ä")));
    assert_eq!(world.get(&path).await.body["text"]["maxLength"], 10);
    assert_eq!(world.patch(&path, json!({ "name": "B" })).await.status, 400);
    assert_eq!(world.patch(&path, json!({ "number": {} })).await.status, 400);
    assert_eq!(world.patch(&format!("{list}/columns/Author"), json!({ "displayName": "x" })).await.status, 400);
    for text in ["same", "same"] {
        world.item(&list, json!({ "A": text })).await;
    }
    let unique = json!({ "indexed": true, "enforceUniqueValues": true });
    assert_eq!(world.patch(&path, unique.clone()).await.status, 400, "there are duplicates");
    world.server.delete_item("Stock", 2);
    assert_eq!(world.patch(&path, unique).await.status, 200);
    assert_eq!(world.patch(&list, json!({ "displayName": "Store" })).await.body["displayName"], "Store");
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.delete(&list).await.status, 204);
    assert_eq!(world.get(&list).await.refused(), (404, "itemNotFound"));
    assert_eq!(world.delete(&list).await.status, 404);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let world = World::start().await;
    let list = world.list("Stock", json!([])).await;
    let items = format!("{list}/items");
    for path in ["?$skip=3", "?$count=true", "?$search=x", "?$format=json", "?$top=0", "?$top=x", "?$top=1&top=2"] {
        assert_eq!(world.get(&format!("{items}{path}")).await.status, 400, "{path}");
    }
    for path in
        ["?$expand=activities", "?$expand=fields($top=1)", "?$select=colour", "?$expand=fields($select=Nothing)&x=1"]
    {
        world.item(&list, json!({ "Title": "x" })).await;
        assert_eq!(world.get(&format!("{items}{path}")).await.status, 400, "{path}");
    }
    assert_eq!(world.ask("POST", &items, Some(json!({})), &[("content-type", "text/plain")]).await.status, 415);
    assert_eq!(world.ask("POST", &items, Some(json!([])), &[]).await.status, 400);
    assert_eq!(world.post(&items, json!({ "Title": "x" })).await.status, 400, "fields stand in fields");
    assert_eq!(world.ask("PUT", &items, Some(json!({})), &[]).await.status, 405);
    assert_eq!(world.get(&format!("{items}/first")).await.status, 400);
    assert_eq!(world.get(&format!("{list}/drive")).await.status, 400);
    assert_eq!(world.get("/users").await.status, 400);
    let answer = world.ask("GET", &format!("{items}/99"), None, &[("client-request-id", "mine")]).await;
    assert_eq!(answer.refused(), (404, "itemNotFound"));
    let inner = &answer.body["error"]["innerError"];
    assert_eq!(
        (inner["client-request-id"].as_str(), inner["date"].as_str()),
        (Some("mine"), Some("2026-01-05T12:00:00"))
    );
    assert_eq!(answer.header("request-id"), inner["request-id"].as_str());
    assert_eq!(answer.header("date"), Some("Mon, 05 Jan 2026 12:00:00 GMT"));
    world.server.rules(|rules| rules.skew_ms = 90_000);
    assert_eq!(world.get(&list).await.header("date"), Some("Mon, 05 Jan 2026 12:01:30 GMT"));
}
