//! What the engine wrote, found again: activity, failures, progress, previews.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use portbook::model::{
    Activity, CloudConnection, CloudSyncJob, Id, Moment, Progress, RelPath, SyncAction, SyncEntityType, SyncError,
    SyncErrorType, SyncStatus, TABLES, TenantId, UserId, VolumeId,
};
use portbook::operation::{ActivityFilter, ErrorFilter, PreviewFilter, ProgressFilter};
use portbook::store::{Insert, Record, Value, Write};
use portbook::{Book as FrontDoor, Code, Session};
use uuid::Uuid;

use crate::fixture::{Book, Tenancy, id};
use crate::tables::sample;

const START: i64 = 1_700_000_000_000_000;

async fn open(book: &Book) -> (Tenancy, Session) {
    let t = book.tenancy().await;
    let door = FrontDoor::open(crate::tables::keyed(book)).await.unwrap();
    let session = door.session(t.tenant, UserId::new(t.user)).await.unwrap();
    (t, session)
}

async fn insert<R: Record>(book: &Book, tenant: TenantId, rows: &[R]) {
    book.store.write(tenant, vec![Write::Insert(Insert::of(rows))]).await.unwrap();
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(START + second * 1_000_000).unwrap()
}

fn line(t: &Tenancy, second: i64) -> Activity {
    Activity {
        id: id(),
        org_id: t.tenant,
        sync_id: Some("run:1".into()),
        entity_type: Some(SyncEntityType::File),
        action: SyncAction::BatchProcess,
        status: SyncStatus::Completed,
        record_count: Some(second),
        duration_seconds: None,
        error_message: None,
        user_id: Some(UserId::new(t.user)),
        created_at: Moment(START + second * 1_000_000),
    }
}

/// The seconds of the lines that a filter names, asked for in pages of one.
async fn seconds(session: &Session, filter: ActivityFilter) -> Vec<i64> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = session.activity(filter.clone(), after.take(), 1).await.unwrap();
        found.extend(page.rows.iter().map(|line| line.record_count.unwrap()));
        let Some(next) = page.next else { return found };
        after = Some(next.to_string().parse().unwrap());
    }
}

pub(crate) async fn activity_is_found_by_every_filter(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    let (other, _) = open(&book).await;
    insert(&book, other.tenant, &[line(&other, 9)]).await;
    let conduit = portbook::model::ConduitId(id());
    let lines = [
        line(&t, 0),
        Activity { user_id: None, ..line(&t, 1) },
        Activity { entity_type: Some(SyncEntityType::Row), ..line(&t, 2) },
        Activity { action: SyncAction::ManualTrigger, ..line(&t, 3) },
        Activity { status: SyncStatus::Failed, ..line(&t, 4) },
        Activity { sync_id: Some(format!("{conduit}:2")), ..line(&t, 5) },
    ];
    insert(&book, t.tenant, &lines).await;
    let all = ActivityFilter::default;
    assert_eq!(seconds(&session, all()).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(seconds(&session, ActivityFilter { user: Some(UserId::new(t.user)), ..all() }).await, [5, 4, 3, 2, 0]);
    assert_eq!(seconds(&session, ActivityFilter { entity_type: Some(SyncEntityType::Row), ..all() }).await, [2]);
    assert_eq!(seconds(&session, ActivityFilter { action: Some(SyncAction::ManualTrigger), ..all() }).await, [3]);
    assert_eq!(seconds(&session, ActivityFilter { status: Some(SyncStatus::Failed), ..all() }).await, [4]);
    assert_eq!(seconds(&session, ActivityFilter { sync_id: Some("run:1".into()), ..all() }).await, [4, 3, 2, 1, 0]);
    assert_eq!(seconds(&session, ActivityFilter::of(conduit)).await, [5]);
    let range = ActivityFilter { from: Some(at(1)), until: Some(at(4)), ..all() };
    assert_eq!(seconds(&session, range.clone()).await, [3, 2, 1]);
    let both = ActivityFilter { entity_type: Some(SyncEntityType::File), ..range };
    assert_eq!(seconds(&session, both).await, [3, 1]);
}

pub(crate) async fn pages_of_one_moment_lose_nothing(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    let lines: Vec<_> = (0..7).map(|n| Activity { record_count: Some(n), ..line(&t, 0) }).collect();
    insert(&book, t.tenant, &lines).await;
    let mut found = seconds(&session, ActivityFilter::default()).await;
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2, 3, 4, 5, 6]);
    let page = session.activity(ActivityFilter::default(), None, 3).await.unwrap();
    let foreign = session.errors(ErrorFilter::default(), page.next, 3).await;
    assert_eq!(foreign.unwrap_err().code(), Code::Invalid, "a page goes on only in its own list");
}

fn failure(t: &Tenancy, second: i64) -> SyncError {
    SyncError {
        index_id: 0,
        id: id(),
        tenant_id: t.tenant,
        created_at: Moment(START + second * 1_000_000),
        updated_at: Moment(START),
        is_deleted: false,
        sync_job_id: None,
        connection_id: None,
        volume_id: None,
        conduit_id: Some(t.conduit),
        generation_id: None,
        file_id: None,
        // An item has one failure that is not made good.
        path: RelPath::parse(format!("f{second}").as_bytes()),
        error_type: SyncErrorType::Network,
        error_code: Some("ECONNRESET".into()),
        error_message: "connection reset".into(),
        stack_trace: None,
        retry_count: second,
        resolved_at: None,
        resolution_notes: None,
        error_metadata: None,
    }
}

async fn retries(session: &Session, filter: ErrorFilter) -> Vec<i64> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = session.errors(filter.clone(), after.take(), 2).await.unwrap();
        found.extend(page.rows.iter().map(|error| error.retry_count));
        let Some(next) = page.next else { return found };
        after = Some(next);
    }
}

/// Makes a row of that table and gives its id and a reference of it.
async fn make(session: &Session, table: &str, reference: &str) -> (Uuid, Uuid) {
    let info = TABLES.iter().find(|t| t.name == table).unwrap();
    let row = session.table(table).unwrap().create(sample(session, info, 1).await).await.unwrap();
    let of = |column: &str| row[column].as_str().map_or(Uuid::nil(), |text| text.parse().unwrap_or_default());
    (of("id"), of(reference))
}

pub(crate) async fn failures_are_found_by_every_owner(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    let (volume, _) = make(&session, "storage_volumes", "id").await;
    let (connection, _) = make(&session, "cloud_connections", "id").await;
    let (job, _) = make(&session, "cloud_sync_jobs", "id").await;
    let (file, _) = make(&session, "cloud_files", "id").await;
    let nobody = SyncError { conduit_id: None, ..failure(&t, 0) };
    let failures = [
        SyncError { volume_id: Some(VolumeId::new(volume)), ..nobody.clone() },
        SyncError { connection_id: Some(Id::new(connection)), id: id(), retry_count: 1, ..failure(&t, 1) },
        SyncError { sync_job_id: Some(Id::new(job)), file_id: Some(Id::new(file)), ..failure(&t, 2) },
        SyncError { error_type: SyncErrorType::Auth, ..failure(&t, 3) },
        SyncError { is_deleted: true, ..failure(&t, 4) },
    ];
    insert(&book, t.tenant, &failures).await;
    let all = ErrorFilter::default;
    let conduit = book
        .store
        .query(
            t.tenant,
            portbook::store::Statement::new("SELECT uuid FROM sync_conduit WHERE id = ?1", vec![Value::Int(t.conduit)]),
        )
        .await
        .unwrap();
    let conduit = portbook::model::ConduitId(conduit.first().unwrap().uuid(0).unwrap());
    assert_eq!(retries(&session, all()).await, [3, 2, 1, 0]);
    assert_eq!(retries(&session, ErrorFilter { volume: Some(VolumeId::new(volume)), ..all() }).await, [0]);
    let of: Id<CloudConnection> = Id::new(connection);
    assert_eq!(retries(&session, ErrorFilter { connection: Some(of), ..all() }).await, [1]);
    let of: Id<CloudSyncJob> = Id::new(job);
    assert_eq!(retries(&session, ErrorFilter { job: Some(of), ..all() }).await, [2]);
    assert_eq!(retries(&session, ErrorFilter { conduit: Some(conduit), ..all() }).await, [3, 2, 1]);
    assert_eq!(retries(&session, ErrorFilter { error_type: Some(SyncErrorType::Auth), ..all() }).await, [3]);

    session.resolve_error(failures[3].id, "new password").await.unwrap();
    assert_eq!(retries(&session, ErrorFilter { unresolved: true, ..all() }).await, [2, 1, 0]);
    let hidden = session.resolve_error(failures[4].id, "").await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    let (_, theirs) = open(&book).await;
    assert_eq!(theirs.resolve_error(failures[0].id, "").await.unwrap_err().code(), Code::NotFound);
    assert!(retries(&theirs, all()).await.is_empty());

    // A job and a file leave their failures behind; a connection takes its own along.
    let hard = |table: &str| format!("DELETE FROM {table} WHERE tenant_id = ?1 AND id = ?2");
    for (table, id) in [("cloud_sync_jobs", job), ("cloud_files", file), ("cloud_connections", connection)] {
        let delete = portbook::store::Statement::new(hard(table), vec![Value::Uuid(t.tenant.0), Value::Uuid(id)]);
        book.store.write(t.tenant, vec![Write::Expect(delete, 1)]).await.unwrap();
    }
    let left = session.errors(all(), None, 10).await.unwrap().rows;
    assert_eq!(left.iter().map(|e| e.retry_count).collect::<Vec<_>>(), [3, 2, 0]);
    assert!(left.iter().all(|e| e.sync_job_id.is_none() && e.file_id.is_none()));
}

fn progress(t: &Tenancy, second: i64) -> Progress {
    Progress {
        id: id(),
        org_id: t.tenant,
        sync_id: format!("run:{second}"),
        job_id: Some("job".into()),
        entity_type: SyncEntityType::File,
        status: SyncStatus::InProgress,
        current_item: 0,
        total_items: 10,
        processed_count: 0,
        failed_count: 0,
        speed_items_per_min: None,
        eta_seconds: None,
        elapsed_seconds: 0,
        started_at: Moment(START + second * 1_000_000),
        updated_at: Moment(START + second * 1_000_000),
        completed_at: None,
        source_system: None,
        batch_number: None,
        metadata: None,
        initiated_by: None,
    }
}

pub(crate) async fn progress_is_found_by_every_filter(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    let conduit = portbook::model::ConduitId(id());
    let rows = [
        progress(&t, 0),
        Progress { job_id: Some(conduit.to_string()), ..progress(&t, 1) },
        Progress { entity_type: SyncEntityType::Order, ..progress(&t, 2) },
        Progress { status: SyncStatus::Cancelled, ..progress(&t, 3) },
    ];
    insert(&book, t.tenant, &rows).await;
    let all = ProgressFilter::default;
    let found = async |filter: ProgressFilter| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = session.progress(filter.clone(), after.take(), 1).await.unwrap();
            found.extend(page.rows.iter().map(|row| (row.started_at.0 - START) / 1_000_000));
            let Some(next) = page.next else { return found };
            after = Some(next);
        }
    };
    assert_eq!(found(all()).await, [3, 2, 1, 0]);
    assert_eq!(found(ProgressFilter::of(conduit)).await, [1]);
    assert_eq!(found(ProgressFilter { job_id: Some("job".into()), ..all() }).await, [3, 2, 0]);
    assert_eq!(found(ProgressFilter { sync_id: Some("run:2".into()), ..all() }).await, [2]);
    assert_eq!(found(ProgressFilter { entity_type: Some(SyncEntityType::Order), ..all() }).await, [2]);
    assert_eq!(found(ProgressFilter { active: true, ..all() }).await, [2, 1, 0]);
}

/// The store is written to directly, as by another process: nothing of this process tells the watch.
pub(crate) async fn a_watch_sees_what_another_process_wrote(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    insert(&book, t.tenant, &[progress(&t, 0)]).await;
    let watch = session.watch_progress("run:0");
    assert_eq!(watch.next().await.unwrap().unwrap().processed_count, 0);
    let set = async |done: i64, status: SyncStatus| {
        let sql = "UPDATE sync_progress SET processed_count = ?1, status = ?2, updated_at = ?3 WHERE sync_id = 'run:0'";
        let params = vec![Value::Int(done), Value::Text(status.as_str().into()), Value::Time(START + done * 1_000_000)];
        book.execute(sql, params).await.unwrap();
    };
    let (row, ()) = tokio::join!(watch.next(), set(4, SyncStatus::InProgress));
    assert_eq!(row.unwrap().unwrap().processed_count, 4);
    let (row, ()) = tokio::join!(watch.next(), set(10, SyncStatus::Completed));
    let row = row.unwrap().unwrap();
    assert_eq!((row.processed_count, row.status), (10, SyncStatus::Completed));
    assert_eq!(watch.next().await.unwrap(), None);
    assert_eq!(watch.next().await.unwrap(), None);
}

pub(crate) async fn a_preview_that_is_being_applied_stays(book: Arc<Book>) {
    let (t, session) = open(&book).await;
    let preview = portbook::model::PreviewId(id());
    let sql = "INSERT INTO sync_preview_cache (id, org_id, sync_type, state, is_pinned) \
         VALUES (?1, ?2, 'records', 'applying', ?3)";
    book.execute(sql, vec![Value::Uuid(preview.0), Value::Uuid(t.tenant.0), Value::Bool(true)]).await.unwrap();
    assert_eq!(session.delete_preview(preview).await.unwrap_err().code(), Code::Busy);
    let listed = session.previews(PreviewFilter::default(), None, 10).await.unwrap().rows;
    assert!(listed.len() == 1 && listed[0].is_pinned && listed[0].conduit.is_none(), "{listed:?}");
    let (_, theirs) = open(&book).await;
    assert_eq!(theirs.delete_preview(preview).await.unwrap_err().code(), Code::NotFound);
    let unpin = "UPDATE sync_preview_cache SET is_pinned = ?1";
    book.act_as(t.tenant).execute(unpin, vec![Value::Bool(false)]).await.unwrap();
    session.delete_preview(preview).await.unwrap();
    assert!(session.previews(PreviewFilter::default(), None, 10).await.unwrap().rows.is_empty());
}
