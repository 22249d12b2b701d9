//! Tables, references and typed rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use portbook::Code;
use portbook::model::{
    Activity, Conduit, ConduitId, Conflict, ConflictPolicy, DataKey, EntryKind, EntryRow, Generation, GenerationStatus,
    IndexMode, KeyKind, LedgerRow, Moment, NameClash, ObservedState, Outcome, Pin, PreviewChange, PreviewId,
    PreviewRow, PreviewState, RelPath, Resolution, Schedule, SelectionRule, SyncAction, SyncEntityType, SyncError,
    SyncErrorType, SyncMode, SyncStatus, SyncType, TenantId, TransferSession, TransferState, UserId, VaultKey,
    VerificationStatus, Verify, WaitReason,
};
use portbook::store::{Insert, Record, Statement, Value, Write};

use crate::fixture::{Book, Tenancy, id};

const NOW: Moment = Moment(1_763_707_869_123_456);

async fn names(book: &Book, sql: &'static str) -> BTreeSet<String> {
    let rows = book.store.query(book.acting(), Statement::new(sql, vec![])).await.unwrap();
    rows.iter().map(|r| r.text(0).unwrap().to_owned()).collect()
}

/// What stands behind `CREATE TABLE` or `CREATE … INDEX` in the migrations of SQLite.
fn declared() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let texts = std::fs::read_dir(folder).unwrap().map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap());
    let name = |line: &str| {
        let rest =
            ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "].iter().find_map(|h| line.strip_prefix(h))?;
        // SQLite changes a table by making it anew, under this name until the old one is gone.
        rest.split_whitespace().next().filter(|name| !name.ends_with("_new")).map(str::to_owned)
    };
    texts.flat_map(|t| t.lines().filter_map(name).collect::<Vec<_>>()).collect()
}

pub(crate) async fn both_engines_have_every_table_and_index(book: Arc<Book>) {
    let sql = if book.is_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')"
    } else {
        "SELECT relname FROM pg_class WHERE relnamespace = 'portbook'::regnamespace"
    };
    let found = names(&book, sql).await;
    let declared = declared();
    assert!(declared.len() > 40, "{declared:?}");
    let missing: Vec<_> = declared.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A list of more than two values in a check is a table that SQLite builds for each row that is written.
pub(crate) async fn a_row_of_millions_is_checked_without_a_table_of_its_own(book: Arc<Book>) {
    for (table, columns) in [
        ("sync_preview_change", PreviewChange::COLUMNS),
        ("sync_ledger", LedgerRow::COLUMNS),
        ("file_pair", &["conduit_id", "parent_id", "name", "id", "kind", "content", "left_state", "right_state"]),
    ] {
        let values = vec!["NULL"; columns.len()].join(", ");
        let explain = format!("EXPLAIN INSERT INTO {table} ({}) VALUES ({values})", columns.join(", "));
        let steps = book.store.query(book.acting(), Statement::new(explain, vec![])).await.unwrap();
        let steps: Vec<_> = steps.iter().map(|step| step.text(1).unwrap().to_owned()).collect();
        assert!(steps.iter().any(|step| step == "IdxInsert"), "{table}: {steps:?}");
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{table}: {steps:?}");
    }
}

/// Writes a row and reads it back; a numbered row gets its number.
async fn round_trip<R: Record + Clone + PartialEq + std::fmt::Debug>(
    book: &Book,
    row: R,
    select: &'static str,
    number: impl Fn(&mut R, i64),
) -> R {
    let tenant = book.acting();
    let write = Write::Insert(Insert::of(std::slice::from_ref(&row)));
    book.store.write(tenant, vec![write]).await.unwrap();
    let rows = book.store.query(tenant, Statement::new(select, vec![])).await.unwrap();
    let last = rows.iter().last().unwrap();
    let found = R::read(last).unwrap();
    let mut expected = row;
    if R::NUMBERED {
        number(&mut expected, last.int(0).unwrap());
    }
    assert_eq!(found, expected);
    found
}

pub(crate) async fn records_come_back_as_they_were_written(book: Arc<Book>) {
    let t = book.tenancy().await;
    let later = Moment(NOW.0 * 2);
    let path = RelPath::parse(b"a/\xff").unwrap();
    let key = VaultKey {
        slot: 1,
        key_id: id(),
        kind: KeyKind::Passphrase,
        salt: Some(vec![7; 16]),
        memory_kib: Some(65_536),
        passes: Some(3),
        lanes: Some(4),
        check_value: vec![0, 255],
    };
    book.act_as(TenantId::BOOK);
    let key = round_trip(&book, key, VaultKey::SELECT, |_, _| ()).await;
    book.act_as(t.tenant);
    let newest = i64::from(u32::MAX);
    let data_key = DataKey { tenant_id: t.tenant, generation: newest, key_id: key.key_id, wrapped: vec![255, 0] };
    round_trip(&book, data_key, DataKey::SELECT, |_, _| ()).await;
    let entry = EntryRow {
        id: 0,
        uuid: id(),
        tenant_id: t.tenant,
        volume_id: None,
        cloud_folder_id: None,
        provider_id: Some(vec![0, 255]),
        path: b"\xff".to_vec(),
        name: b"\xff".to_vec(),
        kind: EntryKind::Directory,
        observed_state: ObservedState::Present,
        observed_at: Some(NOW),
        created_at: NOW,
        updated_at: NOW,
    };
    let ordered = portbook::store::select!(EntryRow, "ORDER BY id");
    let entry = round_trip(&book, entry, ordered, |r, n| r.id = n).await;
    let conduit = conduit(&t, entry.id);
    let ordered = portbook::store::select!(Conduit, "ORDER BY id");
    let conduit = round_trip(&book, conduit, ordered, |r, n| r.id = n).await;
    let preview = preview(&t, Some(conduit.id), later);
    let preview = round_trip(&book, preview, PreviewRow::SELECT, |_, _| ()).await;
    let change = PreviewChange {
        preview_id: preview.id,
        ord: 3 << 32 | 7,
        seq: 0,
        lead_seq: None,
        kind: 1,
        direction: Some(2),
        action: 3,
        item_kind: 1,
        path: path.clone(),
        bytes: 1 << 40,
        is_exception: true,
        outcome: Some(Outcome::Stale),
        detail: vec![1, 2, 3],
    };
    round_trip(&book, change, PreviewChange::SELECT, |_, _| ()).await;
    let generation = generation(&t, conduit.id, preview.id);
    let generation = round_trip(&book, generation, Generation::SELECT, |r, n| r.id = n).await;
    let conflict = Conflict {
        id: 0,
        tenant_id: t.tenant,
        conduit_id: conduit.id,
        parent_id: 4,
        pair_id: 5,
        generation: 1,
        path: path.clone(),
        reason: WaitReason::Suspect,
        reason_side: Some(2),
        left_state: Some(vec![1]),
        right_state: None,
        created_at: NOW,
        decision: Some(Resolution::RenameSource),
        new_name: Some(b"\xff".to_vec()),
        decided_at: Some(NOW),
        decided_by: Some(UserId::new(t.user)),
        carried_in: Some(2),
        note: Some("a side moved on".into()),
        resolved_at: Some(NOW),
        resolution: Some(Resolution::Both),
    };
    round_trip(&book, conflict, Conflict::SELECT, |r, n| r.id = n).await;
    let rule = SelectionRule {
        id: 0,
        tenant_id: t.tenant,
        conduit_id: conduit.id,
        position: 1,
        pattern: "*.raw".into(),
        is_included: false,
        created_at: NOW,
    };
    round_trip(&book, rule, SelectionRule::SELECT, |r, n| r.id = n).await;
    let pin = Pin { tenant_id: t.tenant, conduit_id: conduit.id, path: path.clone(), is_held: true, created_at: NOW };
    round_trip(&book, pin, Pin::SELECT, |_, _| ()).await;
    let session = TransferSession {
        id: 0,
        tenant_id: t.tenant,
        conduit_id: conduit.id,
        path: path.clone(),
        side: 2,
        state: TransferState::Open,
        generation: 3,
        attempt: 2,
        tag: "tag".into(),
        source: vec![2],
        session: Some(vec![0, 1]),
        offset_bytes: 1 << 33,
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
    };
    round_trip(&book, session, TransferSession::SELECT, |r, n| r.id = n).await;
    round_trip(&book, activity(&t), Activity::SELECT, |_, _| ()).await;
    let error = sync_error(&t, generation.id, path);
    round_trip(&book, error, SyncError::SELECT, |r, n| r.index_id = n).await;
    let ownerless = SyncError { generation_id: None, conduit_id: None, id: id(), ..sync_error(&t, 0, RelPath::root()) };
    let refused = book.store.write(t.tenant, vec![Write::Insert(Insert::of(&[ownerless]))]).await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid, "an error has an owner");
}

fn conduit(t: &Tenancy, source: i64) -> Conduit {
    Conduit {
        id: 0,
        uuid: ConduitId(id()),
        tenant_id: t.tenant,
        source_entry_id: source,
        target_entry_id: t.target,
        name: Some("photos".into()),
        sync_mode: SyncMode::Bidirectional,
        conflict_policy: ConflictPolicy::LatestWins,
        name_clash: NameClash::Alias,
        filters: "{}".into(),
        filter_fingerprint: Some(vec![7; 32]),
        exact: true,
        verify: Verify::Checksum,
        max_delete: "10%".into(),
        enabled: false,
        schedule: Schedule::Interval { seconds: 300 },
        use_index_rules: false,
        index_mode_override: Some(IndexMode::Deep),
        parallel_transfers: 7,
        bandwidth_limit_mbps: Some(100),
        bandwidth_timetable: None,
        source_root_identity: Some("dev inode".into()),
        target_root_identity: None,
        next_pair_id: 12,
        unclean: true,
        lease_owner: Some("host:1".into()),
        lease_expires_at: Some(NOW),
        last_sync_completed_at: Some(NOW),
        sync_generation: 3,
        last_sync_error: Some("none".into()),
        total_syncs: 4,
        files_synced: 5,
        bytes_transferred: 1 << 50,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn preview(t: &Tenancy, conduit_id: Option<i64>, expires_at: Moment) -> PreviewRow {
    PreviewRow {
        id: PreviewId(id()),
        org_id: t.tenant,
        sync_type: SyncType::Files,
        sync_id: Some("photos".into()),
        conduit_id,
        state: PreviewState::Ready,
        is_pinned: true,
        applied_ord: 7,
        applied_seq: 9,
        delta_json: "{}".into(),
        computed_at: NOW,
        expires_at,
        computed_by: Some(UserId::new(t.user)),
        cache_key: Some("key".into()),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn generation(t: &Tenancy, conduit_id: i64, preview: PreviewId) -> Generation {
    Generation {
        id: 0,
        tenant_id: t.tenant,
        conduit_id,
        generation: 1,
        status: GenerationStatus::CompletedWithErrors,
        preview_id: Some(preview),
        started_at: NOW,
        completed_at: None,
        files_copied: 1,
        files_new: 2,
        files_updated: 3,
        files_deleted: 4,
        files_moved: 5,
        files_unchanged: 6,
        files_skipped: 7,
        conflicts_resolved: 8,
        conflicts_pending: 9,
        bytes_transferred: 10,
        errors_encountered: 11,
        error_message: None,
        verified_at: None,
        verification_status: VerificationStatus::Failed("2 files differ".into()),
    }
}

fn activity(t: &Tenancy) -> Activity {
    Activity {
        id: id(),
        org_id: t.tenant,
        sync_id: None,
        entity_type: Some(SyncEntityType::Row),
        action: SyncAction::PartialResume,
        status: SyncStatus::Timeout,
        record_count: Some(3),
        duration_seconds: Some(1.25),
        error_message: None,
        user_id: Some(UserId::new(t.user)),
        created_at: NOW,
    }
}

fn sync_error(t: &Tenancy, generation: i64, path: RelPath) -> SyncError {
    SyncError {
        index_id: 0,
        id: id(),
        tenant_id: t.tenant,
        created_at: NOW,
        updated_at: NOW,
        is_deleted: false,
        sync_job_id: None,
        connection_id: None,
        volume_id: None,
        conduit_id: None,
        generation_id: Some(generation),
        file_id: None,
        path: Some(path),
        error_type: SyncErrorType::Permission,
        error_code: Some("EACCES".into()),
        error_message: "permission denied".into(),
        stack_trace: None,
        retry_count: 2,
        resolved_at: None,
        resolution_notes: None,
        error_metadata: None,
    }
}

pub(crate) async fn a_reference_never_crosses_tenants(book: Arc<Book>) {
    let (b, a) = (book.tenancy().await, book.tenancy().await);
    let stolen = "UPDATE sync_conduit SET source_entry_id = ?1 WHERE id = ?2";
    assert_eq!(book.code(stolen, vec![Value::Int(b.source), Value::Int(a.conduit)]).await, Some(Code::Invalid));
    let pin = "INSERT INTO sync_pin (tenant_id, conduit_id, path, is_held) VALUES (?1, ?2, ?3, ?4)";
    let foreign = vec![Value::Uuid(a.tenant.0), Value::Int(b.conduit), Value::Blob(b"x".to_vec()), Value::Bool(true)];
    assert_eq!(book.code(pin, foreign).await, Some(Code::Invalid));
    let theirs = PreviewRow { computed_by: Some(UserId::new(b.user)), ..preview(&a, None, Moment(NOW.0 * 2)) };
    let refused = book.store.write(a.tenant, vec![Write::Insert(Insert::of(&[theirs]))]).await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid);
    for t in [&a, &b] {
        let same_key = [preview(t, None, Moment(NOW.0 * 2))];
        book.store.write(t.tenant, vec![Write::Insert(Insert::of(&same_key))]).await.unwrap();
    }
    let again = preview(&a, None, Moment(NOW.0 * 2));
    let refused = book.store.write(a.tenant, vec![Write::Insert(Insert::of(&[again]))]).await;
    assert_eq!(refused.unwrap_err().code(), Code::Conflict, "a cache key is unique per tenant");
}

/// A preview, an activity and an error of that tenant's conduit.
pub(crate) async fn fill(book: &Book, t: &Tenancy) {
    let preview = preview(t, Some(t.conduit), Moment(NOW.0 * 2));
    let error = SyncError { generation_id: None, conduit_id: Some(t.conduit), ..sync_error(t, 0, RelPath::root()) };
    let batch = vec![
        Write::Insert(Insert::of(&[generation(t, t.conduit, preview.id)])),
        Write::Insert(Insert::of(&[preview])),
        Write::Insert(Insert::of(&[activity(t)])),
        Write::Insert(Insert::of(&[error])),
    ];
    book.store.write(t.tenant, batch).await.unwrap();
}

pub(crate) async fn deleting_a_tenant_leaves_nothing_of_it(book: Arc<Book>) {
    let (gone, kept) = (book.tenancy().await, book.tenancy().await);
    fill(&book, &gone).await;
    fill(&book, &kept).await;
    book.act_as(gone.tenant);
    book.execute("DELETE FROM tenants WHERE id = ?1", vec![Value::Uuid(gone.tenant.0)]).await.unwrap();
    let both = [gone.tenant, kept.tenant];
    let count = async |sql| {
        let mut sum = 0;
        for tenant in if book.is_sqlite() { &both[1..] } else { &both[..] } {
            sum += book.act_as(*tenant).ints(sql, vec![]).await[0];
        }
        sum
    };
    for sql in [
        "SELECT count(*) FROM tenants",
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM sync_conduit",
        "SELECT count(*) FROM sync_generation",
        "SELECT count(*) FROM sync_preview_cache",
        "SELECT count(*) FROM sync_activity_log",
        "SELECT count(*) FROM cloud_sync_errors",
    ] {
        assert_eq!(count(sql).await, 1, "{sql}");
    }
    assert_eq!(count("SELECT count(*) FROM entry").await, 2);
}

pub(crate) async fn deleting_a_user_keeps_what_they_did(book: Arc<Book>) {
    let t = book.tenancy().await;
    fill(&book, &t).await;
    book.execute("DELETE FROM users WHERE id = ?1", vec![Value::Uuid(t.user)]).await.unwrap();
    let previews = "SELECT count(*) FROM sync_preview_cache WHERE computed_by IS NULL";
    assert_eq!(book.ints(previews, vec![]).await, [1]);
    assert_eq!(book.ints("SELECT count(*) FROM sync_activity_log WHERE user_id IS NULL", vec![]).await, [1]);
}

pub(crate) async fn the_ends_of_a_conduit_are_directories(book: Arc<Book>) {
    let t = book.tenancy().await;
    book.execute("UPDATE entry SET kind = 0 WHERE id = ?1", vec![Value::Int(t.source)]).await.unwrap();
    let mut file = conduit(&t, t.target);
    file.target_entry_id = t.source;
    let refused = book.store.write(t.tenant, vec![Write::Insert(Insert::of(&[file]))]).await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid);
    let back = "UPDATE sync_conduit SET source_entry_id = ?1";
    assert_eq!(book.code(back, vec![Value::Int(t.source)]).await, Some(Code::Invalid));
}
