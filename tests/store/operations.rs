//! Progress, activity and previews: what the book itself computes and refuses.

use std::sync::Arc;

use portbook::Code;
use portbook::model::{Moment, Progress, SyncEntityType, SyncStatus, UserId};
use portbook::store::{Insert, Record, Statement, Value, Write, select};
use uuid::Uuid;

use crate::fixture::{Book, Tenancy, id};

const START: i64 = 1_700_000_000_000_000;

/// A progress row that began at [`START`]; `after_s` is the writer's clock.
fn progress(t: &Tenancy, status: SyncStatus, counts: [i64; 4], after_s: f64) -> Progress {
    let [current_item, total_items, processed_count, failed_count] = counts;
    Progress {
        id: id(),
        org_id: t.tenant,
        sync_id: id().to_string(),
        job_id: Some("conduit 1".into()),
        entity_type: SyncEntityType::File,
        status,
        current_item,
        total_items,
        processed_count,
        failed_count,
        speed_items_per_min: None,
        eta_seconds: None,
        elapsed_seconds: 0,
        started_at: Moment(START),
        updated_at: Moment(START + (after_s * 1e6) as i64),
        completed_at: None,
        source_system: None,
        batch_number: Some(0),
        metadata: Some("{}".into()),
        initiated_by: Some(UserId::new(t.user)),
    }
}

async fn insert(book: &Book, row: &Progress) -> portbook::Result<Progress> {
    let write = Write::Insert(Insert::of(std::slice::from_ref(row)));
    book.store.write(row.org_id, vec![write]).await?;
    Ok(read(book, row.id).await)
}

async fn read(book: &Book, id: Uuid) -> Progress {
    let ask = Statement::new(select!(Progress, "WHERE id = ?1"), vec![Value::Uuid(id)]);
    let rows = book.store.query(book.acting(), ask).await.unwrap();
    Progress::read(rows.first().unwrap()).unwrap()
}

async fn update(
    book: &Book,
    id: Uuid,
    status: SyncStatus,
    counts: [i64; 3],
    after_s: i64,
) -> portbook::Result<Progress> {
    let sql = "UPDATE sync_progress SET status = ?1, current_item = ?2, processed_count = ?3, failed_count = ?4, \
         updated_at = ?5 WHERE id = ?6";
    let mut params = vec![Value::Text(status.as_str().into())];
    params.extend(counts.map(Value::Int));
    params.extend([Value::Time(START + after_s * 1_000_000), Value::Uuid(id)]);
    book.execute(sql, params).await?;
    Ok(read(book, id).await)
}

/// Status, count and hundredths of seconds of what was logged for a run.
async fn logged(book: &Book, row: &Progress) -> Vec<(String, i64, f64)> {
    let sql = "SELECT status, record_count, duration_seconds FROM sync_activity_log WHERE org_id = ?1 AND sync_id = ?2 \
         AND action = 'sync_complete' ORDER BY created_at";
    let params = vec![Value::Uuid(row.org_id.0), Value::Text(row.sync_id.clone())];
    let rows = book.store.query(row.org_id, Statement::new(sql, params)).await.unwrap();
    let of = |r: portbook::store::Row<'_>| (r.text(0).unwrap().into(), r.int(1).unwrap(), r.real(2).unwrap());
    rows.iter().map(of).collect()
}

pub(crate) async fn progress_is_computed_from_counts_and_times(book: Arc<Book>) {
    let t = book.tenancy().await;
    let running = SyncStatus::InProgress;
    let computed = |p: &Progress| (p.elapsed_seconds, p.speed_items_per_min, p.eta_seconds, p.current_item);

    let row = insert(&book, &progress(&t, running, [0, 1000, 0, 0], 0.0)).await.unwrap();
    assert_eq!(computed(&row), (0, Some(0.0), None, 0));
    let row = update(&book, row.id, running, [250, 250, 0], 30).await.unwrap();
    assert_eq!(computed(&row), (30, Some(500.0), Some(90), 250));
    let row = update(&book, row.id, running, [300, 290, 10], 37).await.unwrap();
    // 290 * 60 / 37 = 470.27; 710 * 60 / 470.27 = 90.59
    assert_eq!(computed(&row), (37, Some(470.27), Some(91), 300));
    let row = update(&book, row.id, running, [5000, 290, 10], 37).await.unwrap();
    assert_eq!(row.current_item, 1000, "the current item is never beyond the total");
    assert!(row.updated_at.0 > START + 37_000_000, "a writer that leaves the time gets the engine's");

    let half = insert(&book, &progress(&t, running, [1, 3, 1, 0], 1.5)).await.unwrap();
    assert_eq!(computed(&half), (2, Some(30.0), Some(4), 1));
    let back = insert(&book, &progress(&t, running, [1, 3, 1, 0], -5.0)).await.unwrap();
    assert_eq!(computed(&back), (0, Some(0.0), None, 1), "a clock that went back");
    let clamped = insert(&book, &progress(&t, running, [9, 3, 1, 0], 60.0)).await.unwrap();
    assert_eq!(computed(&clamped), (60, Some(1.0), Some(120), 3));
    let empty = insert(&book, &progress(&t, running, [0, 0, 0, 0], 10.0)).await.unwrap();
    assert_eq!(computed(&empty), (10, Some(0.0), None, 0));
}

pub(crate) async fn impossible_counts_are_refused(book: Arc<Book>) {
    let t = book.tenancy().await;
    for counts in [[0, 10, 8, 3], [0, 10, -1, 0], [0, 10, 0, -1], [-1, 10, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]] {
        let refused = insert(&book, &progress(&t, SyncStatus::InProgress, counts, 1.0)).await;
        assert_eq!(refused.unwrap_err().code(), Code::Invalid, "{counts:?}");
    }
    let row = insert(&book, &progress(&t, SyncStatus::InProgress, [0, 10, 8, 2], 1.0)).await.unwrap();
    let refused = update(&book, row.id, SyncStatus::InProgress, [10, 9, 2], 2).await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid);
    let again = Progress { id: id(), ..row };
    assert_eq!(insert(&book, &again).await.unwrap_err().code(), Code::Conflict, "one row per run");
}

pub(crate) async fn completion_is_logged_once_with_its_status(book: Arc<Book>) {
    let t = book.tenancy().await;
    for (status, counts, name) in [
        (SyncStatus::Completed, [10, 10, 0], "completed"),
        (SyncStatus::CompletedWithErrors, [10, 7, 3], "completed_with_errors"),
        (SyncStatus::Failed, [4, 3, 1], "failed"),
        (SyncStatus::Cancelled, [5, 5, 0], "cancelled"),
        (SyncStatus::Timeout, [5, 5, 0], "timeout"),
    ] {
        let row = insert(&book, &progress(&t, SyncStatus::Pending, [0, 10, 0, 0], 0.0)).await.unwrap();
        let row = update(&book, row.id, SyncStatus::InProgress, [counts[0], counts[1], counts[2]], 10).await.unwrap();
        assert_eq!(row.completed_at, None, "the engine decides when a run is complete, not the counts");
        let paused = update(&book, row.id, SyncStatus::Paused, counts, 12).await.unwrap();
        assert_eq!(paused.completed_at, None);
        assert!(logged(&book, &row).await.is_empty());
        let done = update(&book, row.id, status, counts, 20).await.unwrap();
        assert_eq!(done.completed_at, Some(Moment(START + 20_000_000)));
        assert_eq!(done.elapsed_seconds, 20);
        let touched = update(&book, row.id, status, counts, 500).await.unwrap();
        assert_eq!((touched.elapsed_seconds, touched.completed_at), (20, done.completed_at));
        let once = (name.to_owned(), counts[1] + counts[2], 20.0);
        assert_eq!(logged(&book, &row).await, [once], "{name}");
    }
}

pub(crate) async fn a_run_of_nothing_is_logged_too(book: Arc<Book>) {
    let t = book.tenancy().await;
    let at_once = insert(&book, &progress(&t, SyncStatus::Completed, [0, 0, 0, 0], 0.25)).await.unwrap();
    assert_eq!(logged(&book, &at_once).await, [("completed".to_owned(), 0, 0.25)]);
    let row = insert(&book, &progress(&t, SyncStatus::InProgress, [0, 0, 0, 0], 0.0)).await.unwrap();
    update(&book, row.id, SyncStatus::Cancelled, [0, 0, 0], 3).await.unwrap();
    assert_eq!(logged(&book, &row).await, [("cancelled".to_owned(), 0, 3.0)]);
}

pub(crate) async fn a_preview_that_has_expired_is_not_stored(book: Arc<Book>) {
    let t = book.tenancy().await;
    let sql = "INSERT INTO sync_preview_cache (id, org_id, sync_type, expires_at) VALUES (?1, ?2, 'files', ?3)";
    let preview = |expires| vec![Value::Uuid(id()), Value::Uuid(t.tenant.0), Value::Time(expires)];
    assert_eq!(book.code(sql, preview(START)).await, Some(Code::Invalid));
    book.execute(sql, preview(START * 2)).await.unwrap();
    // It may grow old in the book; cleaning up is another matter.
    let age = "UPDATE sync_preview_cache SET expires_at = ?1";
    book.execute(age, vec![Value::Time(START)]).await.unwrap();
    let lifetime = "INSERT INTO sync_preview_cache (id, org_id, sync_type) VALUES (?1, ?2, 'records')";
    book.execute(lifetime, vec![Value::Uuid(id()), Value::Uuid(t.tenant.0)]).await.unwrap();
    let hour = "SELECT count(*) FROM sync_preview_cache WHERE expires_at > computed_at AND sync_type = 'records'";
    assert_eq!(book.ints(hour, vec![]).await, [1]);
}

pub(crate) async fn a_preview_expires_by_the_clock_of_its_writer(book: Arc<Book>) {
    let t = book.tenancy().await;
    let sql = "INSERT INTO sync_preview_cache (id, org_id, sync_type, computed_at, expires_at) \
        VALUES (?1, ?2, 'files', ?3, ?4)";
    // Years behind the book's clock, and years ahead of it.
    for computed in [START, START * 2] {
        let preview = |lives| {
            let times = [Value::Time(computed), Value::Time(computed + lives)];
            [Value::Uuid(id()), Value::Uuid(t.tenant.0)].into_iter().chain(times).collect::<Vec<_>>()
        };
        for lives in [0, -1] {
            assert_eq!(book.code(sql, preview(lives)).await, Some(Code::Invalid), "{computed} and {lives}");
        }
        book.execute(sql, preview(1)).await.unwrap();
    }
}
