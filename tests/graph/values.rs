//! What becomes of values.

use serde_json::{Value, json};

use crate::client::World;
use crate::graph::LineBreaks;

/// Writes a value, and answers what is then in the fields, or the status.
async fn written(world: &World, list: &str, key: &str, value: Value) -> Result<Option<Value>, u16> {
    let mut fields = json!({ key: value });
    if fields[key].is_array() {
        fields[format!("{key}@odata.type")] = "Collection(Edm.String)".into();
    }
    let headers = [("prefer", "apiversion=2.1")];
    let made = world.ask("POST", &format!("{list}/items"), Some(json!({ "fields": fields })), &headers).await;
    if made.status != 201 {
        return Err(made.status);
    }
    let read = world.get(&format!("{list}/items/{}?$expand=fields", made.body["id"].as_str().unwrap())).await;
    assert_eq!(read.body["fields"][key], made.body["fields"][key], "what is answered is what is kept");
    Ok(read.body["fields"].get(key).cloned())
}

async fn stock(world: &World) -> String {
    let columns = json!([
        { "name": "Line", "text": { "maxLength": 10 } },
        { "name": "Plain", "text": { "allowMultipleLines": true } },
        { "name": "Rich", "text": { "allowMultipleLines": true, "textType": "richText" } },
        { "name": "Number", "number": { "maximum": 1e300 } },
        { "name": "Money", "currency": {} },
        { "name": "Flag", "boolean": {} },
        { "name": "Time", "dateTime": {} },
        { "name": "Day", "dateTime": { "format": "dateOnly" } },
        { "name": "One", "choice": { "choices": ["S", "M"] } },
        { "name": "Many", "choice": { "choices": ["S", "M"], "displayAs": "checkBoxes" } },
        { "name": "Link", "hyperlinkOrPicture": {} },
        { "name": "Who", "personOrGroup": {} },
        { "name": "Fixed", "text": {}, "readOnly": true },
    ]);
    world.list("Stock", columns).await
}

#[tokio::test]
async fn values_are_kept_as_sharepoint_keeps_them() {
    let world = World::start().await;
    let list = stock(&world).await;
    let cases = [
        ("Line", json!("a\r\nb\nc"), Some(json!("a b c"))),
        ("Line", json!(""), None),
        ("Line", json!(" a "), Some(json!(" a "))),
        ("Line", Value::Null, None),
        ("Plain", json!("a\r\nb\nc"), Some(json!("a\nb\nc"))),
        ("Plain", json!("<b>&"), Some(json!("<b>&"))),
        ("Rich", json!("a < b"), Some(json!("<div class=\"ExternalClass\">a &lt; b</div>"))),
        ("Number", json!(5), Some(json!(5))),
        ("Number", json!(5.0), Some(json!(5))),
        ("Number", json!(0.1), Some(json!(0.1))),
        ("Number", json!(9_007_199_254_740_993_i64), Some(json!(9_007_199_254_740_992.0))),
        ("Money", json!(19.99), Some(json!(19.99))),
        ("Flag", json!(false), Some(json!(false))),
        ("Flag", Value::Null, None),
        ("Time", json!("2026-01-05T13:14:15.987654+02:00"), Some(json!("2026-01-05T11:14:15Z"))),
        ("Time", json!("2026-01-05"), Some(json!("2026-01-05T00:00:00Z"))),
        ("One", json!("XXL"), Some(json!("XXL"))),
        ("Many", json!(["M", "S"]), Some(json!(["M", "S"]))),
        ("Many", json!([]), None),
        (
            "Link",
            json!({ "Url": "https://example.com/" }),
            Some(json!({ "Url": "https://example.com/", "Description": "https://example.com/" })),
        ),
        ("WhoLookupId", json!(3), Some(json!("3"))),
    ];
    for (key, value, kept) in cases {
        assert_eq!(written(&world, &list, key, value.clone()).await, Ok(kept), "{key} {value}");
    }
}

#[tokio::test]
async fn values_of_another_type_are_refused() {
    let world = World::start().await;
    let list = stock(&world).await;
    let cases = [
        ("Line", json!(5)),
        ("Line", json!("12345678901")),
        ("Line", json!("a\u{0}b")),
        ("Number", json!("5")),
        ("Number", json!(1e301)),
        ("Flag", json!("true")),
        ("Flag", json!(1)),
        ("Time", json!("yesterday")),
        ("Time", json!("1850-01-01T00:00:00Z")),
        ("One", json!(["S"])),
        ("Many", json!("S")),
        ("Link", json!("https://example.com/")),
        ("Who", json!("somebody@contoso.com")),
        ("WhoLookupId", json!(4_000)),
        ("Fixed", json!("x")),
        ("Created", json!("2026-01-05T00:00:00Z")),
        ("id", json!("3")),
        ("Nothing", json!("x")),
    ];
    for (key, value) in cases {
        assert_eq!(written(&world, &list, key, value.clone()).await, Err(400), "{key} {value}");
    }
    let many = json!({ "fields": { "Many": ["S"] } });
    assert_eq!(world.post(&format!("{list}/items"), many).await.status, 400, "it is not said that it is a list");
    let link = json!({ "fields": { "Link": { "Url": "https://example.com/" } } });
    assert_eq!(world.post(&format!("{list}/items"), link).await.status, 400, "without Prefer: apiversion=2.1");
    assert_eq!(world.server.items("Stock"), []);
}

#[tokio::test]
async fn a_day_is_one_of_the_sites_time_zone() {
    let world = World::start().await;
    let list = stock(&world).await;
    for (minutes, kept) in [(0, "2026-01-05T00:00:00Z"), (-480, "2026-01-04T08:00:00Z"), (120, "2026-01-04T22:00:00Z")]
    {
        world.server.rules(|rules| rules.site_offset_minutes = minutes);
        let day = written(&world, &list, "Day", json!("2026-01-05T00:00:00Z")).await;
        assert_eq!(day, Ok(Some(json!(kept))), "{minutes}");
        let noon = written(&world, &list, "Time", json!("2026-01-05T12:00:00Z")).await;
        assert_eq!(noon, Ok(Some(json!("2026-01-05T12:00:00Z"))), "times are not shifted");
    }
}

#[tokio::test]
async fn line_breaks_in_a_line_go_three_ways() {
    let world = World::start().await;
    let list = stock(&world).await;
    let cases = [
        (LineBreaks::Spaces, Ok(Some(json!("a b")))),
        (LineBreaks::Kept, Ok(Some(json!("a\nb")))),
        (LineBreaks::Refused, Err(400)),
    ];
    for (way, kept) in cases {
        world.server.rules(|rules| rules.line_breaks = way);
        assert_eq!(written(&world, &list, "Line", json!("a\nb")).await, kept, "{way:?}");
    }
}

#[tokio::test]
async fn lookups_are_ids_of_items_that_are_there() {
    let world = World::start().await;
    let owners = world.list("Owners", json!([])).await;
    world.item(&owners, json!({ "Title": "Ada" })).await;
    let lookup = |many: bool| json!({ "listId": world.server.list_id("Owners").unwrap(), "columnName": "Title", "allowMultipleValues": many });
    let columns = json!([{ "name": "Owner", "lookup": lookup(false) }, { "name": "Owners", "lookup": lookup(true) }]);
    let list = world.list("Stock", columns).await;
    assert_eq!(written(&world, &list, "OwnerLookupId", json!(1)).await, Ok(Some(json!("1"))));
    assert_eq!(written(&world, &list, "OwnerLookupId", json!("1")).await, Ok(Some(json!("1"))));
    assert_eq!(written(&world, &list, "OwnersLookupId", json!([1])).await, Ok(Some(json!(["1"]))));
    assert_eq!(written(&world, &list, "OwnerLookupId", json!(2)).await, Err(400));
    let named = world.get(&format!("{list}/items/1?$expand=fields($select=Owner,OwnerLookupId)")).await;
    let fields = &named.body["fields"];
    assert_eq!((&fields["Owner"], &fields["OwnerLookupId"]), (&json!("Ada"), &json!("1")));
    for number in 0..11 {
        let column = json!({ "name": format!("L{number}"), "lookup": lookup(false) });
        assert_eq!(world.post(&format!("{list}/columns"), column).await.status, 201);
    }
    let names = |count: usize| (0..count).map(|number| format!("L{number}")).collect::<Vec<_>>().join(",");
    let item = format!("{list}/items/1?$expand=fields($select=Owner,");
    assert_eq!(world.get(&format!("{item}{})", names(11))).await.status, 200);
    assert_eq!(world.get(&format!("{item}Owners,{})", names(11))).await.refused(), (400, "notSupported"), "thirteen");
}

#[tokio::test]
async fn hidden_values_are_shown_when_they_are_named() {
    let world = World::start().await;
    let list = world.list("Stock", json!([{ "name": "SyncKey", "text": {}, "hidden": true }])).await;
    world.item(&list, json!({ "SyncKey": "abc", "Title": "x" })).await;
    assert!(world.get(&format!("{list}/items/1?$expand=fields")).await.body["fields"].get("SyncKey").is_none());
    let named = world.get(&format!("{list}/items/1?$expand=fields($select=SyncKey)")).await;
    let fields = named.body["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["@odata.etag", "SyncKey"]);
    assert!(world.get(&format!("{list}/items/1")).await.body.get("fields").is_none(), "only when they are asked for");
}
