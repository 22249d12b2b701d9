//! Writing items, and what is said of each.

use std::sync::Arc;
use std::time::Duration;

use portbook::Code;
use portbook::endpoint::sharepoint::{ID, MARKER, VERSION};
use portbook::endpoint::{ContentGuard, Endpoint as _, Expect, RowAction, RowOutcome, WriteBatch};
use portbook::identity::{RowBatch, RowHash, RowRef, encode};
use portbook::model::{Datum, Tick};
use portbook::operation::Clock as _;
use serde_json::json;

use crate::fixture::{
    Site, batch, data, insert_of, inserts, keys, marker, markers, names, text, update, versions, words,
};
use crate::graph::{AppOptions, Fault, GraphOptions, Role};

fn delete(ids: &[i128], expect: Expect) -> RowAction {
    RowAction::Delete { keys: keys(ids), expect }
}

#[tokio::test]
async fn items_are_made_changed_and_deleted() {
    let site = Site::start();
    let stock = site.stock().await;
    // The ids of one batch are in its order; two batches may overtake each other.
    let mut made = site.insert(&stock, 0..5).await;
    made.extend(site.insert(&stock, 5..45).await);
    assert_eq!(words(&made), ["written"; 45]);
    assert_eq!(site.server.counters().batches, 3);
    let of_server = site.server.items("Stock");
    for (n, outcome) in (0..).zip(&made) {
        let RowOutcome::Written { key: Some(key), version: Some(version) } = outcome else { panic!("{outcome:?}") };
        let item = of_server.iter().find(|item| item.fields["SyncKey"] == marker(n)).unwrap();
        assert_eq!((key, version), (&encode(&Datum::Integer(item.id.into())), &item.etag), "each answer is of its row");
    }
    site.server.edit_item("Stock", 2, &json!({ "note": "theirs" }));
    let expect = versions(&made)[..3].to_vec();
    let values = [text("x"), text("y"), Datum::Null];
    let changed = site.write(&stock, update(&[1, 2, 3], "note", &values, Expect::Versions(expect))).await;
    assert_eq!(words(&changed), ["written", "changed", "written"]);
    let items = site.server.items("Stock");
    assert_eq!((&items[0].fields["note"], &items[1].fields["note"]), (&json!("x"), &json!("theirs")));
    assert_eq!(versions(&changed[..1])[0].as_deref(), Some(items[0].etag.as_str()));
    assert_eq!(items[0].fields["code"], "c0", "what is not named stays");
    let unguarded = site.write(&stock, update(&[2, 999], "note", &[text("z"), text("z")], Expect::Any)).await;
    assert_eq!(words(&unguarded), ["written", "gone"]);
    let stale = Expect::Versions(vec![versions(&made)[0].clone(), None, None]);
    assert_eq!(words(&site.write(&stock, delete(&[1, 2, 2], stale)).await), ["changed", "written", "gone"]);
    assert_eq!(site.server.items("Stock").len(), 44);
}

#[tokio::test]
async fn every_value_reads_back() {
    let site = Site::start();
    let stock = site.stock().await;
    let columns = [MARKER, "note", "amount", "is_sold", "sold_at", "due", "colors", "big"];
    let at = Tick { seconds: 1_700_000_000, nanos: 0 };
    let colors = Datum::Set(vec![text("red"), text("green")]);
    let rows = vec![
        vec![
            text(&marker(1)),
            text("one\ntwo"),
            Datum::float(0.1),
            Datum::Boolean(false),
            Datum::Instant(at),
            Datum::Date(20_000),
            colors,
            text("9007199254740993"),
        ],
        vec![
            text(&marker(2)),
            text("é😀"),
            Datum::float(-1e300),
            Datum::Boolean(true),
            Datum::Instant(Tick { seconds: -1, nanos: 0 }),
            Datum::Date(-20_000),
            Datum::Null,
            Datum::Null,
        ],
        vec![
            text(&marker(3)),
            Datum::Null,
            Datum::Null,
            Datum::Null,
            Datum::Null,
            Datum::Null,
            Datum::Null,
            Datum::Null,
        ],
    ];
    assert_eq!(words(&site.write(&stock, insert_of(&columns, &rows)).await), ["written"; 3]);
    let (mut read, refused) = site.rows(&stock, &columns).await;
    read.sort_by_key(|row| format!("{:?}", row[0]));
    assert_eq!((read, refused), (rows, 0));
}

#[tokio::test]
async fn values_that_do_not_fit_refuse_their_row_alone() {
    let site = Site::start();
    let stock = site.stock().await;
    let row = |n: u32, code: &str, amount: Datum, at: Datum| vec![text(&marker(n)), text(code), amount, at];
    let early = Datum::Instant(Tick { seconds: -3_000_000_000, nanos: 0 });
    let fraction = Datum::Instant(Tick { seconds: 0, nanos: 1 });
    let rows = [
        row(1, "fits", Datum::float(1.0), Datum::Null),
        row(2, &"x".repeat(256), Datum::Null, Datum::Null),
        row(3, "a\nb", Datum::Null, Datum::Null),
        row(4, "d", Datum::float(f64::INFINITY), Datum::Null),
        row(5, "e", Datum::Null, early),
        row(6, "f", Datum::Null, fraction),
        row(7, "g", text("7"), Datum::Null),
        row(8, "a\u{1}b", Datum::Null, Datum::Null),
        row(9, "fits too", Datum::Null, Datum::Null),
    ];
    let outcomes = site.write(&stock, insert_of(&[MARKER, "code", "amount", "sold_at"], &rows)).await;
    let refused = ["refused"; 7];
    assert_eq!(words(&outcomes), [&["written"][..], &refused, &["written"]].concat());
    let RowOutcome::Refused(error) = &outcomes[7] else { panic!("the service refuses this one") };
    assert!(error.to_string().contains("request-id"), "{error}");
    assert_eq!(site.server.items("Stock").len(), 2);
}

#[tokio::test]
async fn a_marker_that_is_there_is_said_so_whatever_the_status() {
    for status in [400, 409, 500] {
        let site = Site::start();
        site.server.rules(|rules| rules.unique_status = status);
        let stock = site.stock().await;
        site.insert(&stock, 0..2).await;
        let other = vec![text(&marker(9)), text("c1")];
        let rows = [vec![text(&marker(1)), text("new")], other, vec![text(&marker(5)), text("c5")]];
        let outcomes = site.write(&stock, insert_of(&[MARKER, "code"], &rows)).await;
        assert_eq!(words(&outcomes), ["exists", "refused", "written"], "{status}");
        assert_eq!(site.server.items("Stock")[1].fields["code"], "c1", "nothing was overwritten");
        let clash = site.write(&stock, update(&[1], "code", &[text("c5")], Expect::Any)).await;
        assert_eq!(words(&clash), ["refused"], "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_unknown_and_the_marker_tells() {
    let site = Site::start();
    let stock = site.stock().await;
    for (fault, numbers, found) in [(Fault::LostAfter, 0..5, 5), (Fault::LostBefore, 5..10, 0)] {
        site.server.fail("POST", "/$batch", fault);
        assert_eq!(words(&site.insert(&stock, numbers.clone()).await), ["unknown"; 5]);
        let page =
            site.endpoint.fetch(&stock, &names(&[ID, VERSION]), &names(&[MARKER]), &markers(numbers)).await.unwrap();
        assert_eq!(page.rows.len(), found);
    }
    assert_eq!(words(&site.insert(&stock, 0..10).await), [["exists"; 5], ["written"; 5]].concat());
    assert!(site.server.counters().writes.values().all(|writes| *writes == 1));
}

#[tokio::test]
async fn statuses_that_say_nothing_are_unknown_and_nothing_is_made_twice() {
    for (status, retry_after) in [(429, Some(3)), (503, None), (500, None), (504, None)] {
        let site = Site::start();
        let stock = site.stock().await;
        site.server.fail("POST", "/items", Fault::After { status, retry_after });
        site.server.fail_after(1, "POST", "/items", Fault::Before { status, retry_after });
        let outcomes = site.insert(&stock, 0..5).await;
        assert_eq!(words(&outcomes).iter().filter(|word| **word == "unknown").count(), 2, "{status}");
        assert_eq!(words(&outcomes).iter().filter(|word| **word == "written").count(), 3, "{status}");
        assert_eq!(site.server.items("Stock").len(), 4, "one was made although it was denied");
        assert_eq!(site.server.pending_faults(), 0);
    }
}

#[tokio::test]
async fn a_throttled_change_is_sent_again_and_what_is_vague_is_unknown() {
    let site = Site::start();
    let stock = site.stock().await;
    let made = site.insert(&stock, 0..3).await;
    let before = site.clock.elapsed();
    site.server.fail("PATCH", "/items/1/", Fault::Before { status: 429, retry_after: Some(30) });
    site.server.fail("PATCH", "/items/2/", Fault::After { status: 503, retry_after: Some(30) });
    site.server.fail("PATCH", "/items/3/", Fault::After { status: 504, retry_after: None });
    let values = [text("x"), text("x"), text("x")];
    let outcomes = site.write(&stock, update(&[1, 2, 3], "note", &values, Expect::Versions(versions(&made)))).await;
    // The second was done, so that its version is another one; nobody can tell whose.
    assert_eq!(words(&outcomes), ["written", "unknown", "unknown"]);
    assert!(site.clock.elapsed() - before >= Duration::from_secs(30));
    site.server.fail("DELETE", "/items/1", Fault::After { status: 429, retry_after: Some(5) });
    assert_eq!(words(&site.write(&stock, delete(&[1], Expect::Any)).await), ["gone"]);
}

#[tokio::test]
async fn a_fresh_item_that_is_said_to_have_changed_is_looked_at_again() {
    let site = Site::start();
    site.server.rules(|rules| rules.fresh_items_conflict = true);
    let stock = site.stock().await;
    let made = site.insert(&stock, 0..3).await;
    let expect = Expect::Versions(vec![versions(&made)[0].clone(), versions(&made)[1].clone(), None]);
    site.server.fail("PATCH", "/items/2/", Fault::Before { status: 409, retry_after: None });
    site.server.fail(
        "GET",
        "/items/2",
        Fault::Meanwhile(Box::new(|server| server.edit_item("Stock", 2, &json!({ "note": "theirs" })))),
    );
    let values = [text("x"), text("x"), text("x")];
    let outcomes = site.write(&stock, update(&[1, 2, 3], "note", &values, expect)).await;
    assert_eq!(words(&outcomes), ["written", "changed", "written"]);
    let notes: Vec<_> = site.server.items("Stock").iter().map(|item| item.fields["note"].clone()).collect();
    assert_eq!(notes, ["x", "theirs", "x"]);
}

#[tokio::test]
async fn batches_get_smaller_after_trouble() {
    let site = Site::start();
    let stock = site.stock().await;
    site.insert(&stock, 0..20).await;
    assert_eq!(site.server.counters().batches, 1);
    site.server.fail("PATCH", "/items/1/", Fault::Before { status: 503, retry_after: None });
    site.write(&stock, update(&[1], "note", &[text("x")], Expect::Any)).await;
    let before = site.server.counters().batches;
    site.insert(&stock, 20..60).await;
    assert!(site.server.counters().batches - before >= 3, "forty rows in batches of about ten");
    site.insert(&stock, 60..360).await;
    let before = site.server.counters().batches;
    site.insert(&stock, 360..400).await;
    assert_eq!(site.server.counters().batches - before, 2, "they have grown again");
}

#[tokio::test]
async fn what_is_so_of_every_row_is_an_error_of_the_whole() {
    let site = Site::start();
    let stock = site.stock().await;
    site.insert(&stock, 0..2).await;
    let refused = async |action| site.endpoint.write(batch(&stock, action)).await.unwrap_err().code();
    let of_id = insert_of(&[ID], &[vec![Datum::Integer(7)]]);
    assert_eq!(refused(of_id).await, Code::Invalid, "SharePoint gives the keys");
    let hash = Arc::new(|_: RowRef<'_>| -> portbook::Result<RowHash> { unreachable!() });
    let guard = ContentGuard { columns: Vec::new(), hash, expected: vec![None] };
    assert_eq!(refused(delete(&[1], Expect::Content(guard))).await, Code::Unsupported);
    let by_code = WriteBatch { key: names(&["code"]), ..batch(&stock, delete(&[1], Expect::Any)) };
    assert_eq!(site.endpoint.write(by_code).await.unwrap_err().code(), Code::Unsupported);
    assert_eq!(site.server.items("Stock").len(), 2);
    let reader = AppOptions { role: Role::Read, ..AppOptions::default() };
    let site = Site::with(GraphOptions { apps: vec![reader], ..GraphOptions::default() }, |_| {});
    assert_eq!(site.endpoint.create(crate::fixture::stock()).await.unwrap_err().code(), Code::Permission);
    let nowhere = site.another(|options| options.graph = "http://127.0.0.1:9/v1.0".into());
    assert_eq!(nowhere.write(batch(&stock, inserts(0..1))).await.unwrap_err().code(), Code::Offline);
}

#[tokio::test]
async fn keys_that_are_none_are_nobodys() {
    let site = Site::start();
    let stock = site.stock().await;
    site.insert(&stock, 0..1).await;
    let keys = RowBatch::of(1, &[vec![Datum::Null], vec![text("1")], vec![Datum::Integer(1)]]).unwrap();
    let outcomes = site.write(&stock, RowAction::Delete { keys, expect: Expect::Any }).await;
    assert_eq!(words(&outcomes), ["gone", "gone", "written"]);
    let (rows, _) = site.rows(&stock, &[ID]).await;
    assert_eq!(rows.len(), 0);
    let page = site.endpoint.fetch(&stock, &names(&[ID]), &names(&[ID]), &crate::fixture::keys(&[1])).await.unwrap();
    assert!(data(&page).is_empty());
}

#[tokio::test]
async fn a_list_that_is_gone_is_no_list_whose_items_are_gone() {
    let changes =
        [update(&[1, 2], "note", &[text("x"), text("x")], Expect::Any), delete(&[1, 2], Expect::Any), inserts(5..7)];
    for action in changes {
        let site = Site::start();
        let stock = site.stock().await;
        site.insert(&stock, 0..2).await;
        site.server.delete_list("Stock");
        assert_eq!(site.endpoint.write(batch(&stock, action)).await.unwrap_err().code(), Code::NotFound);
    }
}
