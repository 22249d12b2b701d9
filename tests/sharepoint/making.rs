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

#[tokio::test]
async fn a_list_of_which_nobody_knows_whether_it_was_made_is_looked_for() {
    for fault in [
        Fault::LostAfter,
        Fault::LostBefore,
        Fault::After { status: 504, retry_after: None },
        Fault::Before { status: 429, retry_after: Some(1) },
    ] {
        let site = Site::start();
        site.server.fail("POST", "/lists", fault);
        let shape = site.endpoint.create(stock()).await.unwrap();
        assert!(shape.column("code").is_some());
        assert_eq!(site.endpoint.tables().await.unwrap().len(), 1);
    }
    // One of its title that has other columns is somebody else's.
    let site = Site::start();
    let other = NewTable { columns: vec![new_column("other", DatumKind::Text)], ..stock() };
    site.endpoint.create(other).await.unwrap();
    site.server.fail("POST", "/lists", Fault::LostBefore);
    assert!(site.endpoint.create(stock()).await.is_err());
}

#[tokio::test]
async fn a_list_that_is_there_gets_the_marker_once() {
    let site = Site::start();
    let table = site.stock().await;
    site.fill(3);
    let flags = ["indexed", "enforceUniqueValues", "hidden"];
    for fault in [None, Some(Fault::LostAfter), Some(Fault::Before { status: 400, retry_after: None })] {
        site.server.drop_column("Stock", MARKER);
        if let Some(fault) = fault {
            site.server.fail("POST", "/columns", fault);
        }
        let shape = site.endpoint.prepare(&table).await.unwrap();
        assert!(shape.column(MARKER).is_some());
        assert_eq!(flags.map(|flag| column(&site, MARKER)[flag].clone()), [json!(true), json!(true), json!(true)]);
        let changes = site.server.counters().requests;
        site.endpoint.prepare(&table).await.unwrap();
        let asked = site.server.counters().asked.into_iter().skip(usize::try_from(changes).unwrap());
        assert!(asked.into_iter().all(|(line, _)| line.starts_with("GET")), "it has it already");
    }
    let site = Site::start();
    let name = TableName::new("", "Odd");
    site.server.add_list("Odd", &json!({ "name": MARKER, "number": {} }));
    assert_eq!(site.endpoint.prepare(&name).await.unwrap_err().code(), Code::Conflict);
}
