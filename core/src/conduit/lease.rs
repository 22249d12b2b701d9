//! The lease on a conduit: only one run of it at a time, on whichever machine that shares the book.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::operation::clock::{from_micros, micros};
use crate::store::{Statement, Value, Write};

use super::ConduitInner;

/// How long a lease lasts when nobody renews it; a run renews it three times in that time.
const LEASE: Duration = Duration::from_secs(60);

/// The conduit's lease: only one run at a time, on whichever machine.
pub(super) struct Lease {
    owner: String,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the lease. The roots are locked already, so a lease that a process of this machine left behind when it
    /// was killed is taken over; one of another machine has to run out first.
    pub(super) async fn take(conduit: &Arc<ConduitInner>) -> Result<Self> {
        let machine = machine();
        let owner = format!("{machine}/{}/{}", std::process::id(), Uuid::now_v7().simple());
        let now = conduit.book.clock.now();
        let take = Statement::new(
            "UPDATE sync_conduit SET lease_owner = ?3, lease_expires_at = ?4 WHERE tenant_id = ?1 AND id = ?2 AND \
             (lease_owner IS NULL OR lease_expires_at < ?5 OR lease_owner LIKE ?6)",
            vec![
                Value::Uuid(conduit.tenant.0),
                Value::Int(conduit.id),
                Value::Text(owner.clone()),
                Value::Time(micros(now) + LEASE.as_micros() as i64),
                Value::Time(micros(now)),
                Value::Text(format!("{machine}/%")),
            ],
        );
        if let Err(error) = conduit.book.store.write(conduit.tenant, vec![Write::Expect(take, 1)]).await {
            return Err(if error.code() == Code::Conflict { held(conduit).await? } else { error });
        }
        let heartbeat = tokio::spawn(renew(conduit.clone(), owner.clone()));
        Ok(Self { owner, heartbeat })
    }

    pub(super) async fn end(self, conduit: &ConduitInner) {
        self.heartbeat.abort();
        let give_back = Statement::new(
            "UPDATE sync_conduit SET lease_owner = NULL, lease_expires_at = NULL \
             WHERE tenant_id = ?1 AND id = ?2 AND lease_owner = ?3",
            vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Text(self.owner)],
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

/// Who holds the lease, and how long at most without a sign of life.
async fn held(conduit: &ConduitInner) -> Result<Error> {
    let ask = Statement::new(
        "SELECT lease_owner, lease_expires_at FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2",
        vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)],
    );
    let rows = conduit.book.store.query(conduit.tenant, ask).await?;
    let holder = match rows.first().filter(|row| !row.is_null(0)) {
        Some(row) => {
            let machine = row.text(0)?.split('/').next().unwrap_or_default().to_owned();
            let until = from_micros(row.int(1)?).format("%H:%M:%S");
            format!("another run of it is under way on {machine}; should that have died, its lease ends at {until} UTC")
        }
        None => "another run of it was under way until now".to_owned(),
    };
    let busy = Error::new(Code::Busy, "run the conduit", conduit.uuid).because(holder);
    Ok(busy.advise("wait until it has ended"))
}

async fn renew(conduit: Arc<ConduitInner>, owner: String) {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        let until = micros(conduit.book.clock.now()) + LEASE.as_micros() as i64;
        let renew = Statement::new(
            "UPDATE sync_conduit SET lease_expires_at = ?4 WHERE tenant_id = ?1 AND id = ?2 AND lease_owner = ?3",
            vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Text(owner.clone()), Value::Time(until)],
        );
        // A renewal that fails is tried again; the lease outlasts two of them.
        let _ = conduit.book.store.write(conduit.tenant, vec![Write::Execute(renew)]).await;
    }
}

/// Names this machine among those that share a book.
fn machine() -> String {
    #[cfg(unix)]
    {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().replace(['/', '%', '_'], "-")
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_else(|_| "machine".to_owned()).replace(['/', '%', '_'], "-")
    }
}
