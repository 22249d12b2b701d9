//! Upkeep on demand: what is otherwise tended when a preview is made and when a run ends.

use std::path::PathBuf;
use std::sync::Arc;

use crate::book::BookInner;
use crate::error::Result;
use crate::model::TenantId;
use crate::operation::clock::{micros, timestamp};
use crate::operation::preview::Previews;
use crate::store::{Statement, Value, Write, Written};

use super::connect::{self, Place};
use super::run::TRASH_DAYS;

/// What [`Session::maintain`](crate::Session::maintain) removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Previews that had expired.
    pub previews: u64,
    /// Items that had been in the trash of a directory of this machine for 30 days.
    pub trashed: u64,
    /// Lines of activity that were deleted for their age: a year unless the book says otherwise.
    pub activity: u64,
}

/// Tends what this tenant has.
pub(crate) async fn maintain(book: &Arc<BookInner>, tenant: TenantId) -> Result<Upkeep> {
    let now = book.clock.now();
    let previews = Previews { store: book.store.clone(), tenant }.clean(now).await?;
    let activity = match book.activity.deletes(book.store.engine()) {
        true => forget_activity(book, tenant, book.activity.before(micros(now))).await?,
        false => 0,
    };
    let before = timestamp(now - chrono::Duration::days(TRASH_DAYS));
    let mut trashed = 0;
    for path in roots(book, tenant).await? {
        // A root that is missing, in use or closed to this user is tended at the end of its next run.
        let Ok(Some(root)) = connect::open(&Place::Local(path), false, 1) else { continue };
        let Ok(_lock) = root.lock(true).await else { continue };
        trashed += root.empty_trash(before).await.unwrap_or_default();
    }
    Ok(Upkeep { previews, trashed, activity })
}

async fn forget_activity(book: &BookInner, tenant: TenantId, before: i64) -> Result<u64> {
    let old = Statement::new(
        "DELETE FROM sync_activity_log WHERE org_id = ?1 AND created_at < ?2",
        vec![Value::Uuid(tenant.0), Value::Time(before)],
    );
    Ok(match book.store.write(tenant, vec![Write::Execute(old)]).await?.first() {
        Some(Written::Changed(n)) => *n,
        Some(Written::Rows(_)) | None => 0,
    })
}

/// The directories of this machine that conduits of the tenant end on.
async fn roots(book: &BookInner, tenant: TenantId) -> Result<Vec<PathBuf>> {
    let ask = Statement::new(
        "SELECT path FROM entry WHERE tenant_id = ?1 AND volume_id IS NOT NULL AND id IN (SELECT source_entry_id \
         FROM sync_conduit WHERE tenant_id = ?1 UNION SELECT target_entry_id FROM sync_conduit WHERE tenant_id = ?1)",
        vec![Value::Uuid(tenant.0)],
    );
    let rows = book.store.query(tenant, ask).await?;
    rows.iter().map(|row| row.blob(0).map(as_path)).collect()
}

fn as_path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::OsStr::from_bytes(bytes).into()
    }
    #[cfg(not(unix))]
    {
        // A path that is not Unicode is not found under this name, and is tended by its runs.
        String::from_utf8_lossy(bytes).into_owned().into()
    }
}
