//! Lists as tables, and items as rows.

use std::time::Duration;

use portbook::Code;
use portbook::endpoint::sharepoint::{ID, MARKER, VERSION};
use portbook::endpoint::{Endpoint as _, TableName};
use portbook::identity::RowBatch;
use portbook::model::{Datum, DatumKind, Tick};
use serde_json::json;

use crate::fixture::{SECRET, Site, data, keys, markers, names, scan_of, text};
use crate::graph::Fault;

#[tokio::test]
async fn a_site_answers_with_its_clock() {
    let site = Site::start();
    site.server.rules(|rules| rules.skew_ms = 90_000);
    let probe = site.endpoint.probe().await.unwrap();
    assert_eq!(probe.clock, Tick { seconds: 1_767_614_400 + 90, nanos: 0 });
    assert!(probe.product.contains("Team"), "{}", probe.product);
    let elsewhere = site.another(|options| options.site_path = "/sites/None".into());
    assert_eq!(elsewhere.probe().await.unwrap_err().code(), Code::NotFound);
    assert_eq!(site.server.counters().undecorated, 0);
}

#[tokio::test]
async fn a_list_is_described_by_its_internal_names() {
    let site = Site::start();
    let stock = site.stock().await;
    let tables: Vec<_> = site.endpoint.tables().await.unwrap().into_iter().map(|table| table.name).collect();
    assert_eq!(tables, std::slice::from_ref(&stock));
    let shape = site.endpoint.describe(&stock).await.unwrap();
    let kind = |name: &str| shape.column(name).unwrap_or_else(|| panic!("no column {name}")).kind;
    for (name, expected) in [
        (ID, Some(DatumKind::Integer)),
        (VERSION, Some(DatumKind::Text)),
        (MARKER, Some(DatumKind::Text)),
        ("Title", Some(DatumKind::Text)),
        ("Created", Some(DatumKind::Instant)),
        ("AuthorLookupId", Some(DatumKind::Integer)),
        ("Attachments", None),
        ("note", Some(DatumKind::Text)),
        ("amount", Some(DatumKind::Float)),
        ("is_sold", Some(DatumKind::Boolean)),
        ("sold_at", Some(DatumKind::Instant)),
        ("due", Some(DatumKind::Date)),
        ("colors", Some(DatumKind::Set)),
        ("big", Some(DatumKind::Text)),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
    let column = |name: &str| shape.column(name).unwrap();
    assert_eq!(column(MARKER).max_length, Some(64));
    assert!(column("note").traits.rewrites_line_ends && !column("code").traits.rewrites_line_ends);
    assert_eq!(column("colors").traits.choices, ["red", "green"]);
    assert_eq!(column("sold_at").second_places, Some(0));
    let computed: Vec<_> =
        [ID, VERSION, "Created", "AuthorLookupId", "Title", "code"].map(|name| column(name).is_computed).into();
    assert_eq!(computed, [true, true, true, true, false, false]);
    assert_eq!(shape.primary_key(), [ID]);
    let unique: Vec<_> =
        shape.indexes.iter().filter(|index| index.is_unique).map(|index| index.name.as_str()).collect();
    assert_eq!(unique, ["code", MARKER]);
    let absent = site.endpoint.describe(&TableName::new("", "None")).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
    assert!(absent.to_string().contains("request-id"), "{absent}");
}

#[tokio::test]
async fn a_scan_gives_every_item_once_in_pages() {
    let site = Site::start();
    let stock = site.stock().await;
    site.server.rules(|rules| rules.max_top = 100);
    site.fill(250);
    let mut stream = site.endpoint.scan(scan_of(&stock, &[ID, "amount"], 1000)).await.unwrap();
    let (mut rows, mut pages) = (Vec::new(), 0);
    while let Some(page) = stream.next().await.unwrap() {
        rows.extend(data(&page));
        pages += 1;
    }
    let expected: Vec<_> = (0..250).map(|n| vec![Datum::Integer(n + 1), Datum::float(n as f64)]).collect();
    assert_eq!((rows, pages), (expected, 3));
    assert_eq!(site.endpoint.count(&stock).await.unwrap(), 250);
    let mut stream = site.endpoint.scan(scan_of(&stock, &[ID], 7)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().rows.len(), 7, "no page has more rows than were asked for");
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_refused_at_once() {
    let site = Site::start();
    let stock = site.stock().await;
    let code = async |column: &str| site.endpoint.scan(scan_of(&stock, &[column], 9)).await.err().unwrap().code();
    assert_eq!(code("none").await, Code::Invalid);
    assert_eq!(code("Attachments").await, Code::Unsupported);
}

#[tokio::test]
async fn a_day_is_that_of_the_site() {
    let site = Site::start();
    let stock = site.stock().await;
    // Hawaii, where a day begins at ten o'clock of UTC; on the other side of the date line another one does.
    site.server.rules(|rules| rules.site_offset_minutes = -600);
    site.server.add_item("Stock", &json!({ "due": "2026-03-01T12:00:00Z" }));
    let (rows, refused) = site.rows(&stock, &[ID, "due"]).await;
    assert_eq!((rows.len(), refused), (0, 1));
    let told = site.another(|options| options.zone = Some("Pacific/Honolulu".parse().unwrap()));
    let page = told.scan(scan_of(&stock, &["due"], 9)).await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(data(&page), [[Datum::Date(20_513)]]);
}

#[tokio::test]
async fn an_item_that_cannot_be_carried_is_refused_alone_and_named() {
    let site = Site::start();
    let stock = site.stock().await;
    site.server.rules(|rules| rules.site_offset_minutes = 0);
    site.server.add_item("Stock", &json!({ "due": "2026-03-01" }));
    site.server.rules(|rules| rules.site_offset_minutes = -660);
    site.server.add_item("Stock", &json!({ "due": "2026-03-01T12:00:00Z" }));
    let page = site.endpoint.scan(scan_of(&stock, &["due"], 9)).await.unwrap().next().await.unwrap().unwrap();
    assert_eq!((page.rows.len(), page.refused.len()), (1, 1));
    assert_eq!(page.refused[0].known, [(ID.to_owned(), Datum::Integer(2))]);
    assert!(page.refused[0].error.to_string().contains("due"));
}

#[tokio::test]
async fn items_are_found_by_id_and_by_marker() {
    let site = Site::start();
    let stock = site.stock().await;
    for part in 0..3 {
        site.insert(&stock, part * 20..part * 20 + 20).await;
    }
    let columns = names(&[ID, "code"]);
    let found = site.endpoint.fetch(&stock, &columns, &names(&[ID]), &keys(&[3, 999, 1, -1])).await.unwrap();
    assert_eq!(data(&found), [[Datum::Integer(3), text("c2")], [Datum::Integer(1), text("c0")]]);
    let before = site.server.counters().requests;
    let found = site.endpoint.fetch(&stock, &columns, &names(&[MARKER]), &markers(30..90)).await.unwrap();
    let mut ids: Vec<_> = data(&found).into_iter().map(|row| row[0].clone()).collect();
    ids.sort_by_key(|id| format!("{id:?}"));
    assert_eq!(ids, (31..=60).map(Datum::Integer).collect::<Vec<_>>());
    let asked = site.server.counters().requests - before;
    assert!((2..=4).contains(&asked), "sixty markers took {asked} requests");
    let quoted = RowBatch::of(1, &[vec![text("it's")], vec![text("C7")]]).unwrap();
    let found = site.endpoint.fetch(&stock, &columns, &names(&["code"]), &quoted).await.unwrap();
    assert!(found.rows.is_empty(), "c7 is another text than C7, whatever the service holds of it");
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed() {
    let site = Site::start();
    let stock = site.stock().await;
    site.fill(30);
    let mut stream = site.endpoint.scan(scan_of(&stock, &[ID], 10)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().rows.len(), 10);
    let before = site.server.counters().tokens;
    site.server.forget_tokens();
    assert_eq!(stream.next().await.unwrap().unwrap().rows.len(), 10);
    assert_eq!(site.server.counters().tokens - before, 1, "once after it was refused");
    // Before its end it is renewed without a refusal.
    site.clock.advance(Duration::from_secs(3_400));
    assert_eq!(stream.next().await.unwrap().unwrap().rows.len(), 10);
    let counters = site.server.counters();
    assert_eq!((counters.tokens - before, counters.by_status.get(&401).copied()), (2, Some(1)));
    // When no new one is given, that is an error and no end.
    site.server.forget_tokens();
    site.server.change_secret(&crate::graph::AppOptions::default().id, "another");
    let error = site.endpoint.describe(&stock).await.unwrap_err();
    assert_eq!(error.code(), Code::Auth);
    assert!(!error.to_string().contains(SECRET));
}

#[tokio::test]
async fn a_list_that_is_deleted_under_a_scan_is_an_error() {
    let site = Site::start();
    let stock = site.stock().await;
    site.fill(30);
    let mut stream = site.endpoint.scan(scan_of(&stock, &[ID], 10)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    site.server.delete_list("Stock");
    assert_eq!(stream.next().await.unwrap_err().code(), Code::NotFound);
    assert!(stream.next().await.is_err(), "and it does not come to a good end later");
}

#[tokio::test]
async fn reading_goes_on_after_failures_and_in_smaller_pages() {
    let site = Site::start();
    let stock = site.stock().await;
    site.fill(30);
    site.server.fail("GET", "/items", Fault::LostBefore);
    site.server.fail("GET", "/items", Fault::Before { status: 429, retry_after: Some(41) });
    assert_eq!(site.rows(&stock, &[ID]).await.0.len(), 30);
    assert!(portbook::operation::Clock::elapsed(&*site.clock) >= Duration::from_secs(41));
    (0..4).for_each(|_| site.server.fail("GET", "/items", Fault::Before { status: 504, retry_after: None }));
    assert_eq!(site.rows(&stock, &[ID]).await.0.len(), 30);
    assert_eq!(site.server.pending_faults(), 0);
    let asked = site.server.counters().asked;
    assert!(asked.iter().any(|(line, status)| line.contains("$top=500") && *status == 200), "{asked:?}");
}
