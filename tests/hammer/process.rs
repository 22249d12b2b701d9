//! One of the eight: it writes what comes to its mind until it is killed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portbook::identity::ContentHash;
use portbook::ledger::Ledger;
use portbook::model::{
    Activity, FtpEndpoint, FtpProtocol, FtpsMode, Held, Id, KeyStrategy, Kind as ItemKind, LedgerRow, LedgerState,
    Moment, Name, Pair, PairId, PreviewChange, PreviewId, PreviewRow, PreviewState, Progress, Provenance, RelPath,
    Secret, Sides, SyncAction, SyncEntityType, SyncStatus, SyncType, TenantId, UserId,
};
use portbook::store::{
    Insert, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write,
};
use portbook::vault::KeySource;
use portbook::{Book, BookOptions, Code, Error, Session};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::{Journal, Kind, Stamp};

/// Rows that are written over together.
pub const RING: usize = 24;

/// The host of the endpoint that a seat changes again and again.
pub const OF_THE_SEAT: &str = "of the seat";

/// Where the book is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum At {
    File(PathBuf),
    Server(String),
}

impl At {
    pub async fn open(&self) -> portbook::Result<Arc<dyn Store>> {
        Ok(match self {
            At::File(path) => Arc::new(SqliteStore::open(path, SqliteOptions::default())?),
            At::Server(url) => {
                // Eight times two stay far from what the server allows.
                let options = PostgresOptions { connections: 2, ..Default::default() };
                Arc::new(PostgresStore::open(url, options).await?)
            }
        })
    }
}

/// Opens the book with its key.
pub async fn open(store: Arc<dyn Store>) -> portbook::Result<Book> {
    Book::open(BookOptions::store(store).key(KeySource::raw(vec![7; 32].into())?)).await
}

/// What a process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    pub at: At,
    pub journal: PathBuf,
    pub seat: u32,
    pub life: u32,
    pub seed: u64,
    pub owner: Owner,
}

/// Whose rows a seat writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub tenant: Uuid,
    pub user: Uuid,
    /// A conduit of the seat's own.
    pub conduit: i64,
    /// A conduit of the tenant, in which all of its seats count.
    pub shared: i64,
    /// A definition of the seat's own.
    pub definition: Uuid,
    /// An endpoint of the seat's own.
    pub endpoint: Uuid,
}

/// Writes for ever. What the book refuses for the moment is no failure: it is only not confirmed.
pub async fn run(orders: Orders) {
    let (store, session) = loop {
        match begin(&orders).await {
            Ok(both) => break both,
            Err(error) => tolerate(&error),
        }
    };
    let ledger = Ledger::new(store.clone(), session.tenant(), orders.owner.conduit);
    let random = Random(orders.seed);
    let journal = Journal::append(&orders.journal);
    let mut process = Process { orders, store, session, ledger, journal, random, number: 0, shelf: Vec::new() };
    loop {
        if let Err(error) = process.write_something().await {
            tolerate(&error);
        }
    }
}

async fn begin(orders: &Orders) -> portbook::Result<(Arc<dyn Store>, Session)> {
    let store = orders.at.open().await?;
    let book = open(store.clone()).await?;
    let session = book.session(TenantId(orders.owner.tenant), UserId::new(orders.owner.user)).await?;
    Ok((store, session))
}

/// A row is stale where a server carried out what a process that is dead by now had sent.
fn tolerate(error: &Error) {
    assert!(error.is_retryable() || error.code() == Code::Stale, "{error} {error:?}");
    // A server that is coming up again is not asked a thousand times a second.
    std::thread::sleep(Duration::from_millis(5));
}

struct Process {
    orders: Orders,
    store: Arc<dyn Store>,
    session: Session,
    ledger: Ledger,
    journal: Journal,
    random: Random,
    number: u32,
    /// Previews of this life that are still there.
    shelf: Vec<(Stamp, PreviewId)>,
}

impl Process {
    async fn write_something(&mut self) -> portbook::Result<()> {
        self.number += 1;
        let stamp = Stamp { seat: self.orders.seat, life: self.orders.life, number: self.number };
        let kind = Kind::ALL[self.random.below(Kind::ALL.len())];
        let count = 1 + self.random.below(40);
        match kind {
            Kind::Pairs => {
                let pairs: Vec<_> = (0..count).map(|n| pair(&format!("{stamp}-{n:02}"), stamp)).collect();
                self.batch(kind, stamp, count, vec![self.ledger.put(&pairs)]).await
            }
            Kind::Ring => {
                let pair = |n| Pair { id: PairId(n as i64 + 1), ..pair(&format!("ring-{n:02}"), stamp) };
                let pairs: Vec<_> = (0..RING).map(pair).collect();
                self.batch(kind, stamp, RING, vec![self.ledger.put(&pairs)]).await
            }
            Kind::Preview => {
                let id = PreviewId(Uuid::now_v7());
                let header = Insert::of(&[self.preview(id, stamp)]);
                let changes: Vec<_> = (0..count).map(|n| change(id, n)).collect();
                let parts = vec![Write::Insert(header), Write::Insert(Insert::of(&changes))];
                self.batch(kind, stamp, count, parts).await?;
                self.shelf.push((stamp, id));
                Ok(())
            }
            Kind::Discard => {
                let Some((stamp, id)) = self.shelf.pop() else { return Ok(()) };
                self.journal.begun(kind, stamp, 1);
                self.session.delete_preview(id).await?;
                self.journal.done(kind, stamp, 1);
                Ok(())
            }
            Kind::Begin | Kind::Complete => self.progress(stamp).await,
            Kind::Activity => {
                let line = |_| self.line(stamp, SyncAction::ManualTrigger, 1);
                let lines: Vec<_> = (0..count).map(line).collect();
                self.batch(kind, stamp, count, vec![Write::Insert(Insert::of(&lines))]).await
            }
            Kind::Secrets => {
                let rows =
                    (0..count).map(|n| endpoint(&stamp.to_string(), &format!("{n} of {count}"), stamp)).collect();
                self.journal.begun(kind, stamp, count);
                self.session.rows::<FtpEndpoint>().create_all(rows).await?;
                self.journal.done(kind, stamp, count);
                Ok(())
            }
            Kind::Change => {
                let rows = self.session.rows::<FtpEndpoint>();
                let mut row = rows.get(Id::new(self.orders.owner.endpoint)).await?;
                row.row = endpoint(OF_THE_SEAT, &stamp.to_string(), stamp);
                self.journal.begun(kind, stamp, 1);
                rows.update(row).await?;
                self.journal.done(kind, stamp, 1);
                Ok(())
            }
            Kind::Records => {
                let rows: Vec<_> = (0..RING).map(|n| self.record(n, stamp)).collect();
                self.batch(kind, stamp, RING, vec![Write::Insert(Insert::upsert(&rows, 2))]).await
            }
            Kind::Count => {
                let count_up = "UPDATE sync_conduit SET total_syncs = total_syncs + 1 WHERE id = ?1";
                let count_up = Statement::new(count_up, vec![Value::Int(self.orders.owner.shared)]);
                self.batch(kind, stamp, 1, vec![Write::Expect(count_up, 1)]).await
            }
        }
    }

    /// Writes these parts together with a line of activity that says so: who finds the one has to find the other.
    async fn batch(&mut self, kind: Kind, stamp: Stamp, count: usize, mut parts: Vec<Write>) -> portbook::Result<()> {
        let mut receipt = self.line(stamp, SyncAction::BatchProcess, count);
        receipt.error_message = Some(format!("{kind:?}"));
        // Not always in the same place: what comes before and what comes after has to go along.
        parts.insert(self.random.below(parts.len() + 1), Write::Insert(Insert::of(&[receipt])));
        self.journal.begun(kind, stamp, count);
        self.store.write(self.session.tenant(), parts).await?;
        self.journal.done(kind, stamp, count);
        Ok(())
    }

    /// Begins a run and completes it, in two commits.
    async fn progress(&mut self, stamp: Stamp) -> portbook::Result<()> {
        let row = Progress {
            id: Uuid::now_v7(),
            org_id: self.session.tenant(),
            sync_id: stamp.to_string(),
            job_id: None,
            entity_type: SyncEntityType::File,
            status: SyncStatus::InProgress,
            current_item: 0,
            total_items: 10,
            processed_count: 0,
            failed_count: 0,
            speed_items_per_min: None,
            eta_seconds: None,
            elapsed_seconds: 0,
            started_at: now(),
            updated_at: now(),
            completed_at: None,
            source_system: None,
            batch_number: None,
            metadata: None,
            initiated_by: Some(UserId::new(self.orders.owner.user)),
        };
        let (tenant, insert) = (row.org_id, Write::Insert(Insert::of(std::slice::from_ref(&row))));
        self.journal.begun(Kind::Begin, stamp, 1);
        self.store.write(tenant, vec![insert]).await?;
        self.journal.done(Kind::Begin, stamp, 1);
        let complete = "UPDATE sync_progress SET status = 'completed', current_item = 10, processed_count = 10, \
             updated_at = ?2 WHERE id = ?1";
        let complete = Statement::new(complete, vec![Value::Uuid(row.id), Value::Time(now().0)]);
        self.journal.begun(Kind::Complete, stamp, 1);
        self.store.write(tenant, vec![Write::Expect(complete, 1)]).await?;
        self.journal.done(Kind::Complete, stamp, 1);
        Ok(())
    }

    fn line(&self, stamp: Stamp, action: SyncAction, count: usize) -> Activity {
        Activity {
            id: Uuid::now_v7(),
            org_id: self.session.tenant(),
            sync_id: Some(stamp.to_string()),
            entity_type: None,
            action,
            status: SyncStatus::Completed,
            record_count: Some(count as i64),
            duration_seconds: None,
            error_message: None,
            user_id: Some(UserId::new(self.orders.owner.user)),
            created_at: now(),
        }
    }

    fn preview(&self, id: PreviewId, stamp: Stamp) -> PreviewRow {
        let computed = now();
        PreviewRow {
            id,
            org_id: self.session.tenant(),
            sync_type: SyncType::Files,
            sync_id: Some(stamp.to_string()),
            conduit_id: Some(self.orders.owner.conduit),
            state: PreviewState::Ready,
            is_pinned: false,
            applied_ord: -1,
            applied_seq: -1,
            delta_json: "{}".into(),
            computed_at: computed,
            expires_at: Moment(computed.0 + 3_600_000_000),
            computed_by: Some(UserId::new(self.orders.owner.user)),
            cache_key: Some(stamp.to_string()),
            created_at: computed,
            updated_at: computed,
        }
    }

    fn record(&self, n: usize, stamp: Stamp) -> LedgerRow {
        LedgerRow {
            sync_def_id: Id::new(self.orders.owner.definition),
            source_identity_hash: [n as u8; 32],
            source_identity: format!("row {n}"),
            source_key_strategy: KeyStrategy::PrimaryKey,
            source_instance_id: None,
            sp_list_id: None,
            sp_item_id: None,
            target_key: Some(n.to_string()),
            state: LedgerState::Confirmed,
            attempt_id: None,
            etag: Some(stamp.to_string()),
            content_hash: Some([n as u8; 32]),
            remote_content_hash: None,
            mapping_version: 1,
            last_source_ts: None,
            last_sync_ts: Some(now()),
            next_route_at: None,
            provenance: Provenance::Push,
            created_at: now(),
            updated_at: now(),
        }
    }
}

fn pair(name: &str, stamp: Stamp) -> Pair {
    Pair {
        id: PairId(i64::from(stamp.life) << 32 | i64::from(stamp.number)),
        parent: PairId::ROOT,
        name: Name::new(name.as_bytes()).unwrap(),
        kind: ItemKind::File,
        content: Some(ContentHash::of(stamp.to_string().as_bytes())),
        held: Sides::new(Held::default(), Held::default()),
    }
}

fn change(preview: PreviewId, n: usize) -> PreviewChange {
    PreviewChange {
        preview_id: preview,
        ord: 1 << 32,
        seq: n as i64,
        lead_seq: None,
        kind: 1,
        direction: Some(2),
        action: 1,
        item_kind: 1,
        path: RelPath::parse(format!("f{n}").as_bytes()).unwrap(),
        bytes: 1,
        is_exception: false,
        outcome: None,
        detail: vec![1],
    }
}

/// An endpoint whose secrets can be told from its columns in the open.
pub fn endpoint(host: &str, username: &str, stamp: Stamp) -> FtpEndpoint {
    FtpEndpoint {
        host: host.into(),
        port: Some(2121),
        protocol: FtpProtocol::Sftp,
        ftps_mode: FtpsMode::None,
        username: Some(username.into()),
        password: Some(Secret::Plain(secret("password", username, stamp).into())),
        key_path: Some(stamp.to_string()),
        passphrase: Some(Secret::Plain(secret("passphrase", username, stamp).into())),
        host_key: None,
    }
}

pub fn secret(column: &str, username: &str, stamp: Stamp) -> String {
    format!("{column} of {username}, {stamp}")
}

fn now() -> Moment {
    Moment(chrono::Utc::now().timestamp_micros())
}

/// Numbers for a mix of work; nothing else (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}
