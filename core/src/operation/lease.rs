//! The lease on a conduit or a definition: only one run of it at a time, on whichever machine that shares the book.
//!
//! A run that gave no sign of life for a minute may be alive all the same: its machine slept, or could not reach the
//! book. Whoever takes its lease over goes on with its work, so it looks at its lease before it does anything more, and
//! what it writes when it begins and ends is written only while the lease is its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::clock::{from_micros, micros};
use super::process;
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::TenantId;
use crate::store::{Statement, Value, Write};

/// How long a lease lasts when nobody renews it; a run renews it three times in that time.
const LEASE: Duration = Duration::from_secs(60);

/// When a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(20);

/// What is leased: a row with the columns `tenant_id`, `lease_owner` and `lease_expires_at`.
#[derive(Clone)]
pub(crate) struct Leased {
    pub(crate) book: Arc<BookInner>,
    pub(crate) tenant: TenantId,
    pub(crate) table: &'static str,
    /// The column that names the row.
    pub(crate) column: &'static str,
    pub(crate) key: Value,
    /// What it is, as in "run the …".
    pub(crate) kind: &'static str,
    /// Which one, for people.
    pub(crate) name: String,
}

impl Leased {
    /// The statement for this row, whose tenant and key are the first two parameters.
    fn sql(&self, text: &str) -> String {
        text.replace("{table}", self.table).replace("{row}", &format!("tenant_id = ?1 AND {} = ?2", self.column))
    }
}

/// A lease, as the run that took it holds it.
pub(crate) struct Lease {
    of: Leased,
    owner: String,
    renewed: Mutex<Renewed>,
    is_lost: AtomicBool,
    /// Set when the lease is lost: copies that are under way end.
    stop: Arc<AtomicBool>,
}

/// When the lease was renewed last, by both clocks: the one stands still while a machine sleeps, the other may be set.
#[derive(Clone, Copy)]
struct Renewed {
    elapsed: Duration,
    at: DateTime<Utc>,
}

/// A lease with the task that renews it.
pub(crate) struct Held {
    pub(crate) lease: Arc<Lease>,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Held {
    /// Takes the lease. One that a process of this machine left behind when it was killed is taken over: where the root
    /// `is_locked`, since that process has lost its lock, and elsewhere when it can be seen that there is no such process
    /// any more. Any other has to run out first.
    pub(crate) async fn take(of: &Leased, is_locked: bool, stop: Arc<AtomicBool>) -> Result<Self> {
        let machine = &of.book.machine;
        let owner = format!("{machine}/{}/{}", process::own(), Uuid::now_v7().simple());
        let renewed = Renewed::now(of);
        let now = micros(renewed.at);
        let own = if is_locked { format!("{machine}/%") } else { abandoned(of).await?.unwrap_or_default() };
        let take = Statement::new(
            of.sql(
                "UPDATE {table} SET lease_owner = ?3, lease_expires_at = ?4 WHERE {row} AND \
                 (lease_owner IS NULL OR lease_expires_at < ?5 OR lease_owner LIKE ?6)",
            ),
            vec![
                Value::Uuid(of.tenant.0),
                of.key.clone(),
                Value::Text(owner.clone()),
                Value::Time(now + LEASE.as_micros() as i64),
                Value::Time(now),
                Value::Text(own),
            ],
        );
        if let Err(error) = of.book.store.write(of.tenant, vec![Write::Expect(take, 1)]).await {
            return Err(if error.code() == Code::Conflict { held(of).await? } else { error });
        }
        let (renewed, is_lost) = (Mutex::new(renewed), AtomicBool::new(false));
        let lease = Arc::new(Lease { of: of.clone(), owner, renewed, is_lost, stop });
        let beating = lease.clone();
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                // Of a lease that is lost the run learns where it looks next; a renewal that failed is tried again.
                let _ = beating.renew().await;
            }
        });
        Ok(Self { lease, heartbeat })
    }

    pub(crate) async fn end(self) {
        self.heartbeat.abort();
        let Lease { of, owner, .. } = &*self.lease;
        let give_back = Statement::new(
            of.sql("UPDATE {table} SET lease_owner = NULL, lease_expires_at = NULL WHERE {row} AND lease_owner = ?3"),
            vec![Value::Uuid(of.tenant.0), of.key.clone(), Value::Text(owner.clone())],
        );
        let still_held = Statement::new(
            of.sql("SELECT 1 FROM {table} WHERE {row} AND lease_owner IS NOT NULL"),
            vec![Value::Uuid(of.tenant.0), of.key.clone()],
        );
        // A run that ended well gave the lease back with its last batch; a look costs less than a commit.
        if of.book.store.query(of.tenant, still_held).await.is_ok_and(|rows| rows.is_empty()) {
            return;
        }
        // A lease that cannot be given back runs out by itself.
        let _ = of.book.store.write(of.tenant, vec![Write::Execute(give_back)]).await;
    }
}

impl Renewed {
    fn now(of: &Leased) -> Self {
        Self { elapsed: of.book.clock.elapsed(), at: of.book.clock.now() }
    }

    /// How long ago that was by whichever clock says longer.
    fn age(self, now: Self) -> Duration {
        let by_day = (now.at - self.at).abs().to_std().unwrap_or(Duration::MAX);
        now.elapsed.saturating_sub(self.elapsed).max(by_day)
    }
}

impl Lease {
    /// Whether another run has taken it over.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }

    fn age(&self) -> Duration {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.age(Renewed::now(&self.of))
    }

    /// Asked before an effect: renews the lease when that is due.
    ///
    /// # Errors
    /// `busy` when another run has taken it over; what keeps it from being renewed, once it may have run out.
    pub(crate) async fn hold(&self) -> Result<()> {
        if self.is_lost() {
            return Err(self.taken_over());
        }
        if self.age() < RENEWAL { Ok(()) } else { self.renew().await }
    }

    async fn renew(&self) -> Result<()> {
        let now = Renewed::now(&self.of);
        match self.of.book.store.write(self.of.tenant, vec![self.fence()]).await {
            Ok(_) => {
                *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = now;
                Ok(())
            }
            Err(error) if error.code() == Code::Conflict => Err(self.lose()),
            Err(error) if self.age() >= LEASE => Err(error),
            // The lease outlasts two renewals that fail.
            Err(_) => Ok(()),
        }
    }

    /// The part of a batch that renews the lease, and refuses the batch (`conflict`) when it is another's.
    pub(crate) fn fence(&self) -> Write {
        let until = micros(self.of.book.clock.now()) + LEASE.as_micros() as i64;
        let renew = Statement::new(
            self.of.sql("UPDATE {table} SET lease_expires_at = ?4 WHERE {row} AND lease_owner = ?3"),
            vec![
                Value::Uuid(self.of.tenant.0),
                self.of.key.clone(),
                Value::Text(self.owner.clone()),
                Value::Time(until),
            ],
        );
        Write::Expect(renew, 1)
    }

    /// Why a batch with the [`fence`](Self::fence) in it was refused.
    pub(crate) async fn why(&self, refused: Error) -> Error {
        if refused.code() != Code::Conflict {
            return refused;
        }
        match self.renew().await {
            Err(error) if self.is_lost() => error,
            Ok(()) | Err(_) => refused,
        }
    }

    fn lose(&self) -> Error {
        self.is_lost.store(true, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
        self.taken_over()
    }

    pub(crate) fn taken_over(&self) -> Error {
        Error::new(Code::Busy, "go on with the run of", format!("the {} {}", self.of.kind, self.of.name))
            .because("it gave no sign of life for so long that another run has taken over")
            .advise("run it again when that one has ended")
    }
}

/// Whose lease it is, when that process of this machine has died. No owner reads as a pattern.
async fn abandoned(of: &Leased) -> Result<Option<String>> {
    let ask = Statement::new(
        of.sql("SELECT lease_owner FROM {table} WHERE {row} AND lease_owner IS NOT NULL"),
        vec![Value::Uuid(of.tenant.0), of.key.clone()],
    );
    let rows = of.book.store.query(of.tenant, ask).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let owner = row.text(0)?;
    let of_here = owner.strip_prefix(&of.book.machine).and_then(|rest| rest.strip_prefix('/'));
    let is_dead = of_here.and_then(|rest| rest.split('/').next()).is_some_and(process::is_gone);
    Ok(is_dead.then(|| owner.to_owned()))
}

/// Who holds the lease, and how long at most without a sign of life.
async fn held(of: &Leased) -> Result<Error> {
    let ask = Statement::new(
        of.sql("SELECT lease_owner, lease_expires_at FROM {table} WHERE {row}"),
        vec![Value::Uuid(of.tenant.0), of.key.clone()],
    );
    let rows = of.book.store.query(of.tenant, ask).await?;
    let holder = match rows.first().filter(|row| !row.is_null(0)) {
        Some(row) => {
            let machine = row.text(0)?.split(['/', '~']).next().unwrap_or_default().to_owned();
            let until = from_micros(row.int(1)?).format("%H:%M:%S");
            format!("another run of it is under way on {machine}; should that have died, its lease ends at {until} UTC")
        }
        None => "another run of it was under way until now".to_owned(),
    };
    let busy = Error::new(Code::Busy, "run", format!("the {} {}", of.kind, of.name)).because(holder);
    Ok(busy.advise("wait until it has ended"))
}

/// Names this machine among those that share a book: the name that people know, and what tells it from another one of
/// that name. That is the running kernel where it can be told, since a lease is taken over on the strength of a lock
/// that this kernel would hold; copies of a machine have even `/etc/machine-id` in common. Where neither is known every
/// process counts as a machine, and the leases of killed ones have to run out.
pub(crate) fn machine() -> String {
    let sources = ["/proc/sys/kernel/random/boot_id", "/etc/machine-id", "/etc/hostid"];
    let known = sources.iter().filter_map(|path| std::fs::read(path).ok()).find(|id| !id.trim_ascii().is_empty());
    let id = known.unwrap_or_else(|| Uuid::now_v7().as_bytes().to_vec());
    named(&host(), &id)
}

/// The identity itself is the machine's own business, so that only a digest of it is written.
fn named(host: &str, id: &[u8]) -> String {
    let host: String = host.chars().take(100).map(|c| if "/%_~".contains(c) { '-' } else { c }).collect();
    let digest = ContentHash::of(&[b"portbook lease ", id.trim_ascii()].concat()).to_string();
    format!("{host}~{}", &digest[..16])
}

/// … by a name that its host gave it.
pub(crate) fn machine_named(name: &str) -> String {
    named(name, name.as_bytes())
}

fn host() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_else(|_| "machine".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_machines_of_one_name_are_told_apart_and_none_reads_as_a_pattern() {
        assert_ne!(named("db", b"1"), named("db", b"2"));
        assert_eq!(named("db", b"1\n"), named("db", b"1"));
        let hostile = named("a/b%c_d~e", b"secret");
        assert!(hostile.starts_with("a-b-c-d-e~"), "{hostile}");
        assert!(!hostile.contains("secret"));
        assert_eq!(machine(), machine(), "as long as it runs");
    }
}
