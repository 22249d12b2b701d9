//! What the book holds in the end, beside what the processes have told: a write that was confirmed is there, one that was
//! begun is there as a whole or not at all, and nothing is there that nobody wrote, or twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use portbook::identity::ContentHash;
use portbook::model::{FtpEndpoint, Id, Stored, TenantId, UserId};
use portbook::store::{Rows, Statement, Store, Value};
use portbook::table::Filter;
use portbook::{Book, Session};

use crate::journal::{Kind, Stamp, Told};
use crate::process::{At, OF_THE_SEAT, Owner, RING, open, secret};

type Journal = HashMap<(Kind, Stamp), Told>;

/// Panics where the book is not what it has to be; else says how much it was.
pub async fn check(at: &At, owners: &[Owner], told: &Journal) -> String {
    let store = at.open().await.unwrap();
    let book = open(store.clone()).await.unwrap();
    let mut tenants: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for (owner, seat) in owners.iter().zip(0..) {
        tenants.entry((owner.tenant, owner.user, owner.shared)).or_default().insert(seat);
    }
    let mut receipts = BTreeMap::new();
    for ((tenant, user, shared), seats) in tenants {
        let session = book.session(TenantId(tenant), UserId::new(user)).await.unwrap();
        let told = told.iter().filter(|((_, stamp), _)| seats.contains(&stamp.seat)).map(|(k, v)| (*k, *v)).collect();
        let tenancy = Tenancy { store: &*store, session, told };
        let own = tenancy.receipts().await;
        tenancy.counted(shared, &own).await;
        tenancy.activity(&own).await;
        tenancy.runs().await;
        tenancy.previews(&own).await;
        tenancy.secrets().await;
        for seat in seats {
            let owner = &owners[seat as usize];
            tenancy.pairs(owner, &own, seat).await;
            tenancy.records(owner, &own, seat).await;
            tenancy.changed(owner, seat).await;
        }
        receipts.extend(own);
    }
    sound(at, &book).await;
    store.shutdown().await;
    let is_confirmed = |kind| told.iter().any(|((k, _), told)| *k == kind && told.is_done);
    assert!(Kind::ALL.into_iter().all(is_confirmed), "every kind of write");
    let confirmed = told.values().filter(|told| told.is_done).count();
    let unheard = told.iter().filter(|((kind, stamp), told)| !told.is_done && holds(&receipts, *kind, *stamp)).count();
    format!("{} writes begun, {confirmed} confirmed, {unheard} kept whose process had died", told.len())
}

/// The book's own check, and what a check of SQLite finds that knows nothing of books.
async fn sound(at: &At, book: &Book) {
    let findings = book.check().await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    let At::File(path) = at else { return };
    let connection = rusqlite::Connection::open(path).unwrap();
    let integrity: Vec<String> = texts(&connection, "PRAGMA integrity_check");
    assert_eq!(integrity, ["ok"]);
    assert!(texts(&connection, "SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
}

fn texts(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What each receipt of a batch is for.
type Receipts = BTreeMap<Stamp, (Kind, usize)>;

fn holds(receipts: &Receipts, kind: Kind, stamp: Stamp) -> bool {
    receipts.get(&stamp).is_some_and(|receipt| receipt.0 == kind)
}

/// A tenant, and what its processes have told.
struct Tenancy<'a> {
    store: &'a dyn Store,
    session: Session,
    told: Journal,
}

impl Tenancy<'_> {
    async fn ask(&self, sql: &'static str, params: Vec<Value>) -> Rows {
        self.store.query(self.session.tenant(), Statement::new(sql, params)).await.unwrap()
    }

    fn own(&self) -> Vec<Value> {
        vec![Value::Uuid(self.session.tenant().0)]
    }

    /// The writes of a kind.
    fn told(&self, kind: Kind) -> impl Iterator<Item = (Stamp, Told)> + Clone {
        self.told.iter().filter(move |((k, _), _)| *k == kind).map(|((_, stamp), told)| (*stamp, *told))
    }

    fn confirmed(&self, kind: Kind) -> impl Iterator<Item = Stamp> + Clone {
        self.told(kind).filter(|(_, told)| told.is_done).map(|(stamp, _)| stamp)
    }

    /// Each was begun by somebody and is there once; what was confirmed is there.
    async fn receipts(&self) -> Receipts {
        let ask = "SELECT sync_id, error_message, record_count FROM sync_activity_log WHERE org_id = ?1 \
             AND action = 'batch_process'";
        let mut receipts = Receipts::new();
        for row in self.ask(ask, self.own()).await.iter() {
            let stamp: Stamp = row.text(0).unwrap().parse().unwrap();
            let kind = *Kind::ALL.iter().find(|k| format!("{k:?}") == row.text(1).unwrap()).unwrap();
            let count = row.int(2).unwrap() as usize;
            assert_eq!(self.told.get(&(kind, stamp)).map(|t| t.count), Some(count), "{kind:?} {stamp} was never begun");
            assert_eq!(receipts.insert(stamp, (kind, count)), None, "{kind:?} {stamp} is there twice");
        }
        for kind in [Kind::Pairs, Kind::Ring, Kind::Preview, Kind::Activity, Kind::Records, Kind::Count] {
            for stamp in self.confirmed(kind) {
                assert!(holds(&receipts, kind, stamp), "{kind:?} {stamp} was confirmed");
            }
        }
        receipts
    }

    async fn counted(&self, shared: i64, receipts: &Receipts) {
        let count = self.ask("SELECT total_syncs FROM sync_conduit WHERE id = ?1", vec![Value::Int(shared)]).await;
        let receipts = receipts.values().filter(|(kind, _)| *kind == Kind::Count).count();
        assert_eq!(count.first().unwrap().int(0).unwrap(), receipts as i64, "all of a tenant count in one place");
    }

    async fn activity(&self, receipts: &Receipts) {
        let ask = "SELECT sync_id, count(*) FROM sync_activity_log WHERE org_id = ?1 AND action = 'manual_trigger' \
             GROUP BY sync_id";
        same(Kind::Activity, &counts(&self.ask(ask, self.own()).await), receipts);
    }

    /// A completed run is logged once, by the book itself; one that is not completed is not.
    async fn runs(&self) {
        let ask = "SELECT sync_id, status, (SELECT count(*) FROM sync_activity_log a WHERE a.org_id = p.org_id \
             AND a.sync_id = p.sync_id AND a.action = 'sync_complete') FROM sync_progress p WHERE org_id = ?1";
        let mut found = HashMap::new();
        for row in self.ask(ask, self.own()).await.iter() {
            let stamp: Stamp = row.text(0).unwrap().parse().unwrap();
            let is_complete = row.text(1).unwrap() == "completed";
            assert_eq!(row.int(2).unwrap(), i64::from(is_complete), "{stamp}");
            assert!(self.told.contains_key(&(Kind::Begin, stamp)), "{stamp}");
            assert!(!is_complete || self.told.contains_key(&(Kind::Complete, stamp)), "{stamp}");
            assert_eq!(found.insert(stamp, is_complete), None, "{stamp} is there twice");
        }
        let logged = "SELECT count(*) FROM sync_activity_log WHERE org_id = ?1 AND action = 'sync_complete'";
        let logged = self.ask(logged, self.own()).await.first().unwrap().int(0).unwrap();
        assert_eq!(logged, found.values().filter(|is_complete| **is_complete).count() as i64);
        assert!(self.confirmed(Kind::Begin).all(|stamp| found.contains_key(&stamp)));
        assert!(self.confirmed(Kind::Complete).all(|stamp| found.get(&stamp) == Some(&true)));
    }

    /// A preview has its changes, unless somebody began to delete it.
    async fn previews(&self, receipts: &Receipts) {
        let ask = "SELECT p.sync_id, (SELECT count(*) FROM sync_preview_change c WHERE c.preview_id = p.id) \
             FROM sync_preview_cache p WHERE p.org_id = ?1";
        let mut found = counts(&self.ask(ask, self.own()).await);
        let mut expected = receipts.clone();
        for (stamp, discard) in self.told(Kind::Discard) {
            let left = found.remove(&stamp);
            assert!(!discard.is_done || left.is_none(), "{stamp} was deleted");
            expected.remove(&stamp);
        }
        same(Kind::Preview, &found, &expected);
    }

    /// New pairs, and those that are written over: these are all of one batch.
    async fn pairs(&self, owner: &Owner, receipts: &Receipts, seat: u32) {
        let ask = "SELECT name, content FROM file_pair WHERE conduit_id = ?1 ORDER BY name";
        let rows = self.ask(ask, vec![Value::Int(owner.conduit)]).await;
        let (mut found, mut ring) = (BTreeMap::new(), Vec::new());
        for row in rows.iter() {
            match row.text(0).unwrap().split_once('-').unwrap().0 {
                "ring" => ring.push(row.blob(1).unwrap().to_vec()),
                stamp => *found.entry(stamp.parse().unwrap()).or_default() += 1,
            }
        }
        let own = receipts.iter().filter(|(stamp, _)| stamp.seat == seat).map(|(stamp, receipt)| (*stamp, *receipt));
        same(Kind::Pairs, &found, &own.collect());
        let hash = |stamp: Stamp| ContentHash::of(stamp.to_string().as_bytes()).0.to_vec();
        self.is_of_one_batch(&ring, receipts, (Kind::Ring, seat), hash);
    }

    async fn records(&self, owner: &Owner, receipts: &Receipts, seat: u32) {
        let ask = "SELECT etag FROM sync_ledger WHERE sync_def_id = ?1";
        let rows = self.ask(ask, vec![Value::Uuid(owner.definition)]).await;
        let etags: Vec<_> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
        self.is_of_one_batch(&etags, receipts, (Kind::Records, seat), |stamp| stamp.to_string());
    }

    /// What is written over bears the mark of the last batch that was confirmed, or of one whose process did not live to
    /// hear of it: a server may still carry that out when a new process has the seat.
    fn is_of_one_batch<T: PartialEq + Debug>(
        &self,
        found: &[T],
        receipts: &Receipts,
        (kind, seat): (Kind, u32),
        mark: impl Fn(Stamp) -> T,
    ) {
        let last = self.confirmed(kind).filter(|stamp| stamp.seat == seat).max();
        let unheard = self
            .told(kind)
            .filter(|(stamp, told)| stamp.seat == seat && !told.is_done && holds(receipts, kind, *stamp));
        let possible: Vec<_> = last.into_iter().chain(unheard.map(|(stamp, _)| stamp)).collect();
        let is_of = |stamp: &Stamp| found.len() == RING && found.iter().all(|row| *row == mark(*stamp));
        let is_untouched = possible.is_empty() && found.is_empty();
        assert!(
            is_untouched || possible.iter().any(is_of),
            "{kind:?} of {seat}: {found:?} and not one of {possible:?}"
        );
    }

    /// The rows of a call are all there or none, and their secrets open.
    async fn secrets(&self) {
        let rows = self.session.rows::<FtpEndpoint>();
        let (mut found, mut after) = (HashMap::<Stamp, Vec<Stored<FtpEndpoint>>>::new(), None);
        loop {
            let page = rows.list(Filter::all(), after.take(), 1000).await.unwrap();
            for row in page.rows.into_iter().filter(|row| row.row.host != OF_THE_SEAT) {
                found.entry(row.row.host.parse().unwrap()).or_default().push(row);
            }
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        for (stamp, made) in &found {
            let told = self.told.get(&(Kind::Secrets, *stamp));
            let count = told.unwrap_or_else(|| panic!("{stamp} was never begun")).count;
            // In the order in which they were made.
            let names: Vec<_> = made.iter().map(|row| row.row.username.clone().unwrap()).collect();
            assert_eq!(names, (0..count).map(|n| format!("{n} of {count}")).collect::<Vec<_>>(), "{stamp}");
            // A call has one key.
            self.opens(&made[count - 1], *stamp).await;
        }
        for stamp in self.confirmed(Kind::Secrets) {
            assert!(found.contains_key(&stamp), "{stamp} was confirmed");
        }
    }

    async fn opens(&self, row: &Stored<FtpEndpoint>, stamp: Stamp) {
        let username = row.row.username.as_deref().unwrap();
        for column in ["password", "passphrase"] {
            let opened = self.session.rows::<FtpEndpoint>().reveal(row.id, column).await.unwrap();
            assert_eq!(opened, Some(secret(column, username, stamp).as_str().into()), "{column} of {username}");
        }
    }

    /// The row that is changed has the columns and the secrets of one and the same change.
    async fn changed(&self, owner: &Owner, seat: u32) {
        let row = self.session.rows::<FtpEndpoint>().get(Id::new(owner.endpoint)).await.unwrap();
        let stamp: Stamp = row.row.key_path.as_deref().unwrap().parse().unwrap();
        assert_eq!(row.row.username, Some(stamp.to_string()));
        self.opens(&row, stamp).await;
        let last = self.confirmed(Kind::Change).filter(|stamp| stamp.seat == seat).max();
        let is_unheard = self.told.get(&(Kind::Change, stamp)).is_some_and(|told| !told.is_done);
        assert!(stamp == last.unwrap_or(Stamp::FIRST) || is_unheard, "{stamp} and not {last:?}");
    }
}

fn counts(rows: &Rows) -> BTreeMap<Stamp, usize> {
    rows.iter().map(|row| (row.text(0).unwrap().parse().unwrap(), row.int(1).unwrap() as usize)).collect()
}

/// What is there is what the receipts say, no more and no less.
fn same(kind: Kind, found: &BTreeMap<Stamp, usize>, receipts: &Receipts) {
    let expected: BTreeMap<Stamp, usize> =
        receipts.iter().filter(|(_, receipt)| receipt.0 == kind).map(|(stamp, receipt)| (*stamp, receipt.1)).collect();
    assert_eq!(*found, expected, "{kind:?}");
}
