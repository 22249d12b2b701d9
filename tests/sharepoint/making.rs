//! Making lists.

use portbook::Code;
use portbook::endpoint::sharepoint::MARKER;
use portbook::endpoint::{Endpoint as _, NewTable, TableName};
use portbook::model::DatumKind;
use serde_json::{Value, json};

use crate::fixture::{Site, new_column, stock};
use crate::graph::Fault;

fn column(site: &Site, name: &str) -> Value {
    let columns = site.server.columns("Stock");
    columns.into_iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no column {name}"))
}

#[tokio::test]
async fn a_list_is_made_with_all_its_columns() {
    let site = Site::start();
    let mut table = stock();
    let mut sized = |name: &str, kind, digits, range| {
        let mut column = new_column(name, kind);
        (column.like.digits, column.like.traits.range) = (digits, range);
        table.columns.push(column);
    };
    sized("price", DatumKind::Decimal, Some((15, 2)), None);
    sized("exact", DatumKind::Decimal, Some((16, 2)), None);
    sized("small", DatumKind::Integer, None, Some((i32::MIN.into(), i32::MAX.into())));
    sized("wide", DatumKind::Integer, None, Some((i64::MIN.into(), i64::MAX.into())));
    sized("guid", DatumKind::Uuid, None, None);
    sized("json", DatumKind::Json, None, None);
    sized("shop_time", DatumKind::Timestamp, None, None);
    let shape = site.endpoint.create(table.clone()).await.unwrap();
    let order: Vec<_> = shape.columns.iter().map(|column| column.name.as_str()).take(table.columns.len()).collect();
    assert_eq!(order, table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>());
    for (name, facet, member, value) in [
        ("code", "text", "allowMultipleLines", json!(false)),
        ("note", "text", "allowMultipleLines", json!(true)),
        ("note", "text", "textType", json!("plain")),
        ("price", "number", "decimalPlaces", json!("automatic")),
        ("exact", "text", "allowMultipleLines", json!(false)),
        ("small", "number", "decimalPlaces", json!("none")),
        ("wide", "text", "allowMultipleLines", json!(false)),
        ("big", "text", "allowMultipleLines", json!(false)),
        ("guid", "text", "allowMultipleLines", json!(false)),
        ("json", "text", "allowMultipleLines", json!(true)),
        ("due", "dateTime", "format", json!("dateOnly")),
        ("shop_time", "dateTime", "format", json!("dateTime")),
        ("colors", "choice", "displayAs", json!("checkBoxes")),
    ] {
        assert_eq!(column(&site, name)[facet][member], value, "{name}");
    }
    assert_eq!(column(&site, "note")["displayName"], "The note");
    let flags = ["indexed", "enforceUniqueValues", "hidden"];
    assert_eq!(flags.map(|flag| column(&site, MARKER)[flag].clone()), [json!(true), json!(true), json!(true)]);
    assert_eq!(flags.map(|flag| column(&site, "code")[flag].clone()), [json!(true), json!(true), json!(false)]);
    let made = site.server.counters().asked.into_iter().filter(|(line, _)| line.starts_with("POST")).count();
    assert_eq!(made, 1, "all in one request");
    assert_eq!(site.endpoint.create(stock()).await.unwrap_err().code(), Code::Conflict);
}

#[tokio::test]
async fn a_service_that_indexes_afterwards_is_asked_to() {
    let site = Site::start();
    site.server.fail("POST", "/lists", Fault::Before { status: 400, retry_after: None });
    let shape = site.endpoint.create(stock()).await.unwrap();
    let unique: Vec<_> =
        shape.indexes.iter().filter(|index| index.is_unique).map(|index| index.name.as_str()).collect();
    assert_eq!(unique, ["code", MARKER]);
    let changed = site.server.counters().asked.into_iter().filter(|(line, _)| line.starts_with("PATCH")).count();
    assert_eq!(changed, 2);
}

#[tokio::test]
async fn odd_names_become_short_ones_and_are_shown_as_they_are() {
    let site = Site::start();
    let columns = ["Größe (cm)", "title", "Größe (mm)"].map(|name| {
        let mut column = new_column(name, DatumKind::Text);
        column.display_name.clear();
        column
    });
    let name = TableName::new("", "Stock");
    let table = NewTable { name, description: String::new(), columns: columns.into(), key: Vec::new() };
    let shape = site.endpoint.create(table).await.unwrap();
    let names: Vec<_> = shape.columns.iter().take(3).map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["Grecm", "title2", "Gremm"]);
    assert_eq!(column(&site, "Grecm")["displayName"], "Größe (cm)");
}

#[tokio::test]
async fn a_type_without_an_equal_is_unsupported_and_nothing_is_made() {
    let site = Site::start();
    let mut table = stock();
    table.columns[0].like.kind = None;
    assert_eq!(site.endpoint.create(table).await.unwrap_err().code(), Code::Unsupported);
    assert_eq!(site.server.list_id("Stock"), None);
}
