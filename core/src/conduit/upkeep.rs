//! Upkeep on demand: what is otherwise tended when a preview is made and when a run ends.

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::book::BookInner;
use crate::error::Result;
use crate::model::{RelPath, TenantId, VolumeId};
use crate::operation::clock::{micros, timestamp};
use crate::operation::preview::Previews;
use crate::store::{Column as _, Statement, Value, Write, Written};
use crate::volume;

use super::place::{self, Place};
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
    /// Large files whose transfer nobody has continued for 30 days.
    pub transfers: u64,
    /// Promises of room on volumes that had expired, with what was left of the tasks they were for.
    pub reservations: u64,
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
        let Ok(Some(root)) = place::open(&Place::Local(path), false, 1).await else { continue };
        let Ok(_lock) = root.lock(true).await else { continue };
        trashed += root.empty_trash(before).await.unwrap_or_default();
    }
    let transfers = end_transfers(book, tenant).await?;
    Ok(Upkeep { previews, trashed, activity, transfers, reservations: 0 })
}

/// Removes what was carried of large files and has waited too long, with the sessions.
async fn end_transfers(book: &Arc<BookInner>, tenant: TenantId) -> Result<u64> {
    let ask = Statement::new(
        "SELECT t.id, t.path, t.tag, e.path, e.volume_id FROM transfer_session t JOIN sync_conduit c ON c.id = t.conduit_id \
         JOIN entry e ON e.id = CASE t.side WHEN 1 THEN c.source_entry_id ELSE c.target_entry_id END \
         WHERE t.tenant_id = ?1 AND t.expires_at < ?2 AND e.volume_id IS NOT NULL",
        vec![Value::Uuid(tenant.0), Value::Time(micros(book.clock.now()))],
    );
    let mut ended = 0;
    for row in book.store.query(tenant, ask).await?.iter() {
        // As with the trash: what cannot be reached now is tried again.
        let Some(path) = directory(book, tenant, row.blob(3)?, row.uuid(4)?).await else { continue };
        let Ok(Some(root)) = place::open(&Place::Local(path), false, 1).await else { continue };
        let Ok(_lock) = root.lock(true).await else { continue };
        let path = RelPath::read(row, 1)?;
        if root.discard_staged(vec![(path, row.text(2)?.to_owned())]).await.is_err() {
            continue;
        }
        let remove = Statement::new(
            "DELETE FROM transfer_session WHERE tenant_id = ?1 AND id = ?2",
            vec![Value::Uuid(tenant.0), Value::Int(row.int(0)?)],
        );
        book.store.write(tenant, vec![Write::Execute(remove)]).await?;
        ended += 1;
    }
    Ok(ended)
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
async fn roots(book: &Arc<BookInner>, tenant: TenantId) -> Result<Vec<PathBuf>> {
    let ask = Statement::new(
        "SELECT path, volume_id FROM entry WHERE tenant_id = ?1 AND volume_id IS NOT NULL AND id IN (SELECT source_entry_id \
         FROM sync_conduit WHERE tenant_id = ?1 UNION SELECT target_entry_id FROM sync_conduit WHERE tenant_id = ?1)",
        vec![Value::Uuid(tenant.0)],
    );
    let mut roots = Vec::new();
    for row in book.store.query(tenant, ask).await?.iter() {
        roots.extend(directory(book, tenant, row.blob(0)?, row.uuid(1)?).await);
    }
    Ok(roots)
}

/// The directory of an entry, where it is one of this machine. One that is not approved any more, or whose volume cannot be
/// opened, is left alone; what is across a network is tended at the end of its runs.
async fn directory(book: &Arc<BookInner>, tenant: TenantId, path: &[u8], volume: Uuid) -> Option<PathBuf> {
    let bare = as_path(path);
    // Paths on saved volumes are relative.
    if bare.is_absolute() {
        return Some(bare);
    }
    let path = std::str::from_utf8(path).ok()?;
    volume::directory(book, tenant, VolumeId::new(volume), path).await.ok().flatten()
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
