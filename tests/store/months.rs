//! The months of `sync_activity_log` on PostgreSQL, and retention on both engines.

use std::sync::Arc;

use portbook::model::{Moment, TenantId};
use portbook::store::{ActivityRetention, Expired, PostgresOptions, PostgresStore, Statement, Store, Value};

use crate::fixture::{At, Book, Tenancy, id};

const DAY: i64 = 86_400_000_000;
/// 2031-05-20 12:00 UTC: its months are nobody's yet.
const LATER: i64 = 1_937_044_800_000_000;

const PARTITIONS: &str = "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid \
     WHERE inhparent = 'sync_activity_log'::regclass ORDER BY relname";

async fn names(store: &dyn Store, sql: &'static str) -> Vec<String> {
    let rows = store.query(TenantId(uuid::Uuid::nil()), Statement::new(sql, vec![])).await.unwrap();
    rows.iter().map(|r| r.text(0).unwrap().to_owned()).collect()
}

async fn log(book: &Book, t: &Tenancy, at: i64) {
    let sql = "INSERT INTO sync_activity_log (id, org_id, action, status, created_at) \
         VALUES (?1, ?2, 'manual_trigger', 'completed', ?3)";
    let params = vec![Value::Uuid(id()), Value::Uuid(t.tenant.0), Value::Time(Moment(at).0)];
    book.act_as(t.tenant).execute(sql, params).await.unwrap();
}

async fn lines(book: &Book, t: &Tenancy) -> i64 {
    book.act_as(t.tenant).ints("SELECT count(*) FROM sync_activity_log", vec![]).await[0]
}

async fn owner(book: &Book) -> PostgresStore {
    let At::Server(database) = &book.at else { panic!("months are the server's") };
    PostgresStore::open(&database.owner, PostgresOptions::default()).await.unwrap()
}

fn retention(days: u32, expired: Expired) -> ActivityRetention {
    ActivityRetention { days, expired }
}

pub(crate) async fn this_month_and_three_more_are_there_after_opening(book: Arc<Book>) {
    let expected: Vec<String> = names(
        &*book.store,
        "SELECT 'sync_activity_log_' || to_char(m, 'YYYY_MM') FROM generate_series(date_trunc('month', now() AT TIME ZONE \
         'UTC'), (now() AT TIME ZONE 'UTC') + INTERVAL '3 months', INTERVAL '1 month') AS m",
    )
    .await;
    assert_eq!(expected.len(), 4);
    let mut found = names(&*book.store, PARTITIONS).await;
    assert_eq!(found.pop().as_deref(), Some("sync_activity_log_default"));
    assert_eq!(found, expected);
}

pub(crate) async fn strays_move_to_their_month_when_it_is_made(book: Arc<Book>) {
    let (a, b) = (book.tenancy().await, book.tenancy().await);
    // Last month, this month, and one beyond what is made ahead: nobody tended the book meanwhile.
    for t in [&a, &b] {
        for at in [LATER - 30 * DAY, LATER, LATER, LATER + 200 * DAY] {
            log(&book, t, at).await;
        }
    }
    book.store.tend_activity(LATER, retention(3650, Expired::Deleted)).await.unwrap();
    let found = names(&*book.store, PARTITIONS).await;
    for month in ["2031_04", "2031_05", "2031_06", "2031_07", "2031_08"] {
        assert!(found.contains(&format!("sync_activity_log_{month}")), "{month}: {found:?}");
    }
    assert!(!found.iter().any(|n| n.ends_with("2031_09") || n.ends_with("2031_12")), "{found:?}");
    assert_eq!((lines(&book, &a).await, lines(&book, &b).await), (4, 4));
    let owner = owner(&book).await;
    for (partition, count) in [("2031_04", 1), ("2031_05", 2), ("default", 1)] {
        let sql = format!("SELECT count(*) FROM sync_activity_log_{partition}");
        let rows = owner.query(a.tenant, Statement::new(sql, vec![])).await.unwrap();
        assert_eq!(rows.first().unwrap().int(0).unwrap(), count, "{partition}");
    }
    let forced = "SELECT relname FROM pg_class WHERE relname LIKE 'sync\\_activity\\_log%' AND relkind IN ('r', 'p') \
         AND NOT relforcerowsecurity";
    assert!(names(&owner, forced).await.is_empty());
    // Nothing is left to do.
    let before = names(&owner, PARTITIONS).await;
    book.store.tend_activity(LATER, retention(3650, Expired::Deleted)).await.unwrap();
    assert_eq!(names(&owner, PARTITIONS).await, before);
    owner.shutdown().await;
}

pub(crate) async fn months_that_are_over_are_detached_or_dropped_by_their_owner(book: Arc<Book>) {
    let t = book.tenancy().await;
    let owner = owner(&book).await;
    owner.tend_activity(LATER, retention(3650, Expired::Detached)).await.unwrap();
    for at in [LATER, LATER + 31 * DAY] {
        log(&book, &t, at).await;
    }
    let has = async |month: &str| names(&owner, PARTITIONS).await.contains(&format!("sync_activity_log_{month}"));
    // Thirty days after the 20th of June, May is over, and June is not.
    let july = LATER + 61 * DAY;
    book.store.tend_activity(july, retention(30, Expired::Detached)).await.unwrap();
    assert!(has("2031_05").await, "the application retires nothing");
    owner.tend_activity(july, retention(30, Expired::Detached)).await.unwrap();
    assert!(!has("2031_05").await && has("2031_06").await);
    assert_eq!(lines(&book, &t).await, 1);
    let kept = Statement::new("SELECT count(*) FROM sync_activity_log_2031_05", vec![]);
    assert_eq!(owner.query(t.tenant, kept.clone()).await.unwrap().first().unwrap().int(0).unwrap(), 1);
    assert_eq!(owner.query(TenantId(id()), kept).await.unwrap().first().unwrap().int(0).unwrap(), 0);
    owner.tend_activity(july + 31 * DAY, retention(30, Expired::Deleted)).await.unwrap();
    assert!(!has("2031_06").await);
    assert_eq!(lines(&book, &t).await, 0);
    owner.shutdown().await;
}

pub(crate) async fn the_functions_of_the_specification_are_there(book: Arc<Book>) {
    let sql = "SELECT p.proname || ' ' || coalesce(t.tgname, '') FROM pg_proc p LEFT JOIN pg_trigger t \
         ON t.tgfoid = p.oid AND t.tgrelid = 'sync_progress'::regclass WHERE p.pronamespace = 'portbook'::regnamespace \
         AND (p.proname LIKE '%sync%progress%' OR p.proname = 'auto_cleanup_preview_cache') ORDER BY 1";
    let expected = [
        "auto_cleanup_preview_cache ",
        "auto_log_sync_activity_on_progress_change sync_progress_log_completion",
        "update_sync_progress_elapsed sync_progress_update_elapsed",
        "update_sync_progress_timestamp sync_progress_update_timestamp",
        "validate_sync_progress_totals sync_progress_validate_totals",
    ];
    assert_eq!(names(&*book.store, sql).await, expected);
    let t = book.tenancy().await;
    let preview = "INSERT INTO sync_preview_cache (id, org_id, sync_type, is_pinned) VALUES (?1, ?2, 'files', ?3)";
    for pinned in [true, false, false] {
        let params = vec![Value::Uuid(id()), Value::Uuid(t.tenant.0), Value::Bool(pinned)];
        book.execute(preview, params).await.unwrap();
    }
    book.execute("UPDATE sync_preview_cache SET expires_at = ?1", vec![Value::Time(0)]).await.unwrap();
    let rows = book.store.write(
        t.tenant,
        vec![portbook::store::Write::Returning(Statement::new(
            "SELECT deleted_count, error_message FROM auto_cleanup_preview_cache()",
            vec![],
        ))],
    );
    let portbook::store::Written::Rows(rows) = rows.await.unwrap().remove(0) else { panic!("it gives a row") };
    assert_eq!(rows.first().unwrap().int(0).unwrap(), 2);
    assert!(rows.first().unwrap().is_null(1));
    assert_eq!(book.ints("SELECT count(*) FROM sync_preview_cache", vec![]).await, [1]);
}
