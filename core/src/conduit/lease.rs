//! The lease on a conduit: only one run of it at a time, on whichever machine that shares the book.
//!
//! A run that gave no sign of life for a minute may be alive all the same: its machine slept, or could not reach the
//! book. Whoever takes its lease over goes on with its work, so it looks at its lease before it does anything more, and
//! what it writes when it begins and ends is written only while the lease is its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::operation::clock::{from_micros, micros};
use crate::store::{Statement, Value, Write};

use super::{ConduitInner, process};

/// How long a lease lasts when nobody renews it; a run renews it three times in that time.
const LEASE: Duration = Duration::from_secs(60);

/// When a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(20);

/// The conduit's lease, as the run that took it holds it.
pub(crate) struct Lease {
    conduit: Arc<ConduitInner>,
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
pub(super) struct Held {
    pub(super) lease: Arc<Lease>,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Held {
    /// Takes the lease. One that a process of this machine left behind when it was killed is taken over: where the root
    /// `is_locked`, since that process has lost its lock, and elsewhere when it can be seen that there is no such process
    /// any more. Any other has to run out first.
    pub(super) async fn take(conduit: &Arc<ConduitInner>, is_locked: bool, stop: Arc<AtomicBool>) -> Result<Self> {
        let machine = &conduit.book.machine;
        let owner = format!("{machine}/{}/{}", process::own(), Uuid::now_v7().simple());
        let renewed = Renewed::now(conduit);
        let now = micros(renewed.at);
        let own = if is_locked { format!("{machine}/%") } else { abandoned(conduit).await?.unwrap_or_default() };
        let take = Statement::new(
            "UPDATE sync_conduit SET lease_owner = ?3, lease_expires_at = ?4 WHERE tenant_id = ?1 AND id = ?2 AND \
             (lease_owner IS NULL OR lease_expires_at < ?5 OR lease_owner LIKE ?6)",
            vec![
                Value::Uuid(conduit.tenant.0),
                Value::Int(conduit.id),
                Value::Text(owner.clone()),
                Value::Time(now + LEASE.as_micros() as i64),
                Value::Time(now),
                Value::Text(own),
            ],
        );
        if let Err(error) = conduit.book.store.write(conduit.tenant, vec![Write::Expect(take, 1)]).await {
            return Err(if error.code() == Code::Conflict { held(conduit).await? } else { error });
        }
        let (renewed, is_lost) = (Mutex::new(renewed), AtomicBool::new(false));
        let lease = Arc::new(Lease { conduit: conduit.clone(), owner, renewed, is_lost, stop });
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

    pub(super) async fn end(self) {
        self.heartbeat.abort();
        let Lease { conduit, owner, .. } = &*self.lease;
        let give_back = Statement::new(
            "UPDATE sync_conduit SET lease_owner = NULL, lease_expires_at = NULL \
             WHERE tenant_id = ?1 AND id = ?2 AND lease_owner = ?3",
            vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Text(owner.clone())],
        );
        let still_held = Statement::new(
            "SELECT 1 FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2 AND lease_owner IS NOT NULL",
            vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)],
        );
        // A run that ended well gave the lease back with its last batch; a look costs less than a commit.
        if conduit.book.store.query(conduit.tenant, still_held).await.is_ok_and(|rows| rows.is_empty()) {
            return;
        }
        // A lease that cannot be given back runs out by itself.
        let _ = conduit.book.store.write(conduit.tenant, vec![Write::Execute(give_back)]).await;
    }
}

impl Renewed {
    fn now(conduit: &ConduitInner) -> Self {
        Self { elapsed: conduit.book.clock.elapsed(), at: conduit.book.clock.now() }
    }

    /// How long ago that was by whichever clock says longer.
    fn age(self, now: Self) -> Duration {
        let by_day = (now.at - self.at).abs().to_std().unwrap_or(Duration::MAX);
        now.elapsed.saturating_sub(self.elapsed).max(by_day)
    }
}

impl Lease {
    /// Whether another run has taken it over.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }

    fn age(&self) -> Duration {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.age(Renewed::now(&self.conduit))
    }

    /// Asked before an effect: renews the lease when that is due.
    ///
    /// # Errors
    /// `busy` when another run has taken it over; what keeps it from being renewed, once it may have run out.
    pub(super) async fn hold(&self) -> Result<()> {
        if self.is_lost() {
            return Err(self.taken_over());
        }
        if self.age() < RENEWAL { Ok(()) } else { self.renew().await }
    }

    async fn renew(&self) -> Result<()> {
        let now = Renewed::now(&self.conduit);
        match self.conduit.book.store.write(self.conduit.tenant, vec![self.fence()]).await {
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
    pub(super) fn fence(&self) -> Write {
        let until = micros(self.conduit.book.clock.now()) + LEASE.as_micros() as i64;
        let renew = Statement::new(
            "UPDATE sync_conduit SET lease_expires_at = ?4 WHERE tenant_id = ?1 AND id = ?2 AND lease_owner = ?3",
            vec![
                Value::Uuid(self.conduit.tenant.0),
                Value::Int(self.conduit.id),
                Value::Text(self.owner.clone()),
                Value::Time(until),
            ],
        );
        Write::Expect(renew, 1)
    }

    /// Why a batch with the [`fence`](Self::fence) in it was refused.
    pub(super) async fn why(&self, refused: Error) -> Error {
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

    pub(super) fn taken_over(&self) -> Error {
        Error::new(Code::Busy, "go on with the run of the conduit", self.conduit.uuid)
            .because("it gave no sign of life for so long that another run has taken over")
            .advise("run it again when that one has ended")
    }
}

/// Whose lease it is, when that process of this machine has died. No owner reads as a pattern.
async fn abandoned(conduit: &ConduitInner) -> Result<Option<String>> {
    let ask = Statement::new(
        "SELECT lease_owner FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2 AND lease_owner IS NOT NULL",
        vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)],
    );
    let rows = conduit.book.store.query(conduit.tenant, ask).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let owner = row.text(0)?;
    let of_here = owner.strip_prefix(&conduit.book.machine).and_then(|rest| rest.strip_prefix('/'));
    let is_dead = of_here.and_then(|rest| rest.split('/').next()).is_some_and(process::is_gone);
    Ok(is_dead.then(|| owner.to_owned()))
}

/// Who holds the lease, and how long at most without a sign of life.
async fn held(conduit: &ConduitInner) -> Result<Error> {
    let ask = Statement::new(
        "SELECT lease_owner, lease_expires_at FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2",
        vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)],
    );
    let rows = conduit.book.store.query(conduit.tenant, ask).await?;
    let holder = match rows.first().filter(|row| !row.is_null(0)) {
        Some(row) => {
            let machine = row.text(0)?.split(['/', '~']).next().unwrap_or_default().to_owned();
            let until = from_micros(row.int(1)?).format("%H:%M:%S");
            format!("another run of it is under way on {machine}; should that have died, its lease ends at {until} UTC")
        }
        None => "another run of it was under way until now".to_owned(),
    };
    let busy = Error::new(Code::Busy, "run the conduit", conduit.uuid).because(holder);
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
