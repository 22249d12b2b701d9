//! The change feed.

use portbook::endpoint::sharepoint::ID;
use portbook::endpoint::{ChangeScan, ChangeSource, ChangesEnd, Cursor, Deletions, Endpoint as _, TableName};
use portbook::{Code, Result};

use portbook::model::{CursorType, Datum};
use serde_json::json;

use crate::fixture::{SECRET, Site, names, text};
use crate::graph::Resync;

fn scan(table: &TableName, since: Option<&Cursor>) -> ChangeScan {
    let (columns, key, by) = (names(&[ID, "note"]), names(&[ID]), ChangeSource::Feed);
    ChangeScan { table: table.clone(), columns, key, by, since: since.cloned(), page_rows: 2 }
}

/// Rows and keys of those that are gone, in the order in which they came, and the end.
async fn changes(site: &Site, scan: ChangeScan) -> Result<(Vec<Vec<Datum>>, Vec<Datum>, ChangesEnd)> {
    let mut stream = site.endpoint.changes(scan).await?;
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    while let Some(page) = stream.next().await? {
        assert_eq!(stream.end().unwrap_err().code(), Code::Internal, "not before nothing came");
        assert!(page.rows.len() <= 2 && page.refused.is_empty());
        rows.extend(page.rows.iter().map(|row| row.data().unwrap()));
        gone.extend(page.deleted.iter().map(|row| row.datum(0).unwrap()));
    }
    Ok((rows, gone, stream.end()?))
}

fn row(id: i128, note: &str) -> Vec<Datum> {
    vec![Datum::Integer(id), text(note)]
}

#[tokio::test]
async fn changes_come_after_everything_has() {
    let site = Site::start();
    let stock = site.stock().await;
    for n in 1..=5 {
        site.server.add_item("Stock", &json!({ "note": n.to_string() }));
    }
    let (rows, gone, end) = changes(&site, scan(&stock, None)).await.unwrap();
    assert_eq!(rows, (1..=5).map(|n| row(n, &n.to_string())).collect::<Vec<_>>());
    assert_eq!((gone.len(), end.deletions), (0, Deletions::ByAbsence));
    assert_eq!(end.cursor.cursor_type, CursorType::DeltaLink);
    assert!(!end.cursor.value.contains(SECRET) && end.cursor.value.starts_with("http"));
    let (rows, gone, end) = changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap();
    assert_eq!((rows.len(), gone.len(), end.deletions), (0, 0, Deletions::Listed));
    site.server.edit_item("Stock", 2, &json!({ "note": "changed" }));
    site.server.add_item("Stock", &json!({ "note": "6" }));
    site.server.delete_item("Stock", 4);
    let (rows, gone, next) = changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap();
    assert_eq!(rows, [row(2, "changed"), row(6, "6")]);
    assert_eq!(gone, [Datum::Integer(4)]);
    let again = changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap();
    assert_eq!((again.0.len(), again.1.len()), (2, 1), "a cursor may be used again");
    assert_eq!(changes(&site, scan(&stock, Some(&next.cursor))).await.unwrap().0.len(), 0);
}

#[tokio::test]
async fn of_an_item_that_comes_twice_the_last_counts() {
    let site = Site::start();
    let stock = site.stock().await;
    site.server.add_item("Stock", &json!({ "note": "old" }));
    let (.., end) = changes(&site, scan(&stock, None)).await.unwrap();
    site.server.rules(|rules| (rules.delta_repeats, rules.delta_unchanged) = (true, 1));
    site.server.edit_item("Stock", 1, &json!({ "note": "new" }));
    site.server.add_item("Stock", &json!({ "note": "2" }));
    let (rows, ..) = changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap();
    assert_eq!(rows, [row(1, "new"), row(2, "2")]);
}

#[tokio::test]
async fn a_feed_that_is_odd_is_stale() {
    let site = Site::start();
    let stock = site.stock().await;
    site.server.add_item("Stock", &json!({ "note": "x" }));
    let (.., end) = changes(&site, scan(&stock, None)).await.unwrap();
    site.server.rules(|rules| rules.delta_error_elements = true);
    site.server.delete_item("Stock", 1);
    assert_eq!(changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap_err().code(), Code::Stale);
    let code = async |value: &str| {
        let cursor = Cursor { cursor_type: CursorType::DeltaLink, value: value.to_owned() };
        changes(&site, scan(&stock, Some(&cursor))).await.unwrap_err().code()
    };
    assert_eq!(code("https://graph.example/delta?token=x#note").await, Code::Stale, "of another server");
    assert_eq!(code(&end.cursor.value.replace("token=", "token=x")).await, Code::Stale, "of no list");
    assert_eq!(code("nonsense").await, Code::Stale);
    let columns = names(&[ID, "amount"]);
    let other = ChangeScan { columns, ..scan(&stock, Some(&end.cursor)) };
    assert_eq!(changes(&site, other).await.unwrap_err().code(), Code::Stale, "of other columns");
}

#[tokio::test]
async fn a_cursor_that_is_too_old_is_stale_and_says_how() {
    for (resync, words) in
        [(Resync::ApplyDifferences, "what it does not list is gone"), (Resync::UploadDifferences, "may have lost")]
    {
        let site = Site::start();
        let stock = site.stock().await;
        site.server.rules(|rules| rules.resync = resync);
        site.server.add_item("Stock", &json!({ "note": "x" }));
        let (.., end) = changes(&site, scan(&stock, None)).await.unwrap();
        site.server.forget_changes("Stock");
        let error = changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap_err();
        assert_eq!(error.code(), Code::Stale);
        assert!(error.to_string().contains(words), "{error}");
        let (rows, _, end) = changes(&site, scan(&stock, None)).await.unwrap();
        assert_eq!((rows.len(), end.deletions), (1, Deletions::ByAbsence));
    }
}

#[tokio::test]
async fn other_cursors_are_unsupported_and_a_list_that_is_gone_is_not_found() {
    let site = Site::start();
    let stock = site.stock().await;
    let (.., end) = changes(&site, scan(&stock, None)).await.unwrap();
    let by = ChangeSource::UpdatedAt { column: "Modified".into(), overlap_ms: 0 };
    let refused = changes(&site, ChangeScan { by, ..scan(&stock, None) }).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unsupported);
    let refused = changes(&site, ChangeScan { key: names(&["code"]), ..scan(&stock, None) }).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unsupported);
    site.server.delete_list("Stock");
    assert_eq!(changes(&site, scan(&stock, Some(&end.cursor))).await.unwrap_err().code(), Code::NotFound);
}
