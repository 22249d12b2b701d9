//! What a task that failed or died has left: everything goes back to what it was before, but for a purge, which is
//! finished.
//!
//! A reservation and the row of the same id say what was meant. Which step was reached is seen at the place: what a put
//! replaced is in the trash or in `.portbook/kept/` under the put's id, and what it published has the digest of its
//! row. Nothing else is touched: a file with another content is somebody else's.

use std::sync::Arc;

use super::open::{self, Naming};
use super::path::{self, address, on_place};
use super::plan::{archived, tag};
use super::put::only;
use super::quota::{Task, task_of};
use super::{FileId, Inner};
use crate::book::BookInner;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Driver, Ident, Name, Node, RelPath, TenantId, UserId, Value};
use crate::operation::clock::{micros, timestamp};
use crate::provider::{Listing, Trash};
use crate::store::{Statement, Write};
use uuid::Uuid;

/// How long what was overwritten without a version stays in the trash of a volume.
const TRASH_DAYS: i64 = 30;

/// Rows that are asked for at once.
const ASKED: usize = 100;

impl Inner {
    /// Takes over every task of this volume whose promise has run out.
    pub(super) async fn recover_all(&self) -> Result<()> {
        let mut outcome = Ok(());
        for (id, owner) in self.expired().await? {
            outcome = outcome.and(self.recover(id, &owner).await);
        }
        outcome
    }

    /// Takes over one such task, if nobody else has.
    pub(super) async fn recover(&self, id: FileId, owner: &str) -> Result<()> {
        let Some((_, task)) = task_of(owner) else { return self.forget(id, owner).await };
        let Some(held) = self.take_over(id, owner).await? else { return Ok(()) };
        let row = self.row_of(id).await?;
        match (task, row) {
            (Task::Purge, Some(row)) => self.purge_held(&held, &row).await,
            (Task::Put, Some(row)) if row.is_deleted => {
                self.undo(id, task).await?;
                self.release(&held, vec![self.remove(id)]).await
            }
            (Task::Put | Task::Delete | Task::Restore | Task::Purge | Task::Carry, _) => {
                self.undo(id, task).await?;
                self.release(&held, Vec::new()).await
            }
        }
    }

    /// A reservation of the host's own that has expired.
    async fn forget(&self, id: FileId, owner: &str) -> Result<()> {
        let gone = Statement::new(
            "DELETE FROM quota_reservation WHERE tenant_id = ?1 AND id = ?2 AND owner = ?3 AND expires_at <= ?4",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(id.0), Value::Text(owner.to_owned()), Value::Time(self.now())],
        );
        self.book.store.write(self.tenant, vec![Write::Execute(gone)]).await.map(drop)
    }

    /// Brings back what was before a task.
    pub(super) async fn undo(&self, id: FileId, task: Task) -> Result<()> {
        let Some(row) = self.row_of(id).await? else { return Ok(()) };
        let digest = row.row.digest.as_deref();
        let shared = address(&row.row.storage_path, digest);
        match task {
            Task::Put => {
                let target = on_place(shared.unwrap_or(&row.row.storage_path))?;
                self.undo_put(id, &target, digest.and_then(|d| d.try_into().ok())).await
            }
            Task::Delete | Task::Restore if shared.is_none() && row.row.version_of.is_none() => {
                let (seen, kept) = (on_place(&row.row.storage_path)?, on_place(&path::kept(self.row.id, id))?);
                let (from, to) = if row.is_deleted { (seen, kept) } else { (kept, seen) };
                if !self.is_reachable(&from).await? {
                    return Ok(());
                }
                if !row.is_deleted {
                    self.make_folders(&to).await?;
                }
                match (self.look(&from).await?, self.look(&to).await?) {
                    (Some(_), None) => self.shift(from, to).await,
                    // A move that a place makes of a copy and a removal has come half-way.
                    (Some(_), Some(_)) => {
                        self.drop_second(id, row.is_deleted, digest.and_then(|d| d.try_into().ok()), &from, &to).await
                    }
                    (None, _) => Ok(()),
                }
            }
            Task::Delete | Task::Restore | Task::Purge | Task::Carry => Ok(()),
        }
    }

    /// Of a file that stands both where it was and where it went, the one that its row does not name goes. What has another
    /// content at the path that is seen is somebody else's, and the one that is kept the only one.
    async fn drop_second(
        &self,
        id: FileId,
        is_deleted: bool,
        digest: Option<[u8; 32]>,
        second: &RelPath,
        own: &RelPath,
    ) -> Result<()> {
        let seen = if is_deleted { second } else { own };
        if self.is_ours(seen, digest).await?.is_none() || self.is_ours(own, digest).await?.is_none() {
            return Ok(());
        }
        if is_deleted {
            return self.discard(id, second, digest).await;
        }
        only(self.place.remove_kept(vec![second.clone()]).await, second)?;
        self.place.flush(vec![second.clone()]).await
    }

    /// Takes back what a put has done. `digest` is that of its content, as far as it is known; the row may know more.
    pub(super) async fn undo_put(&self, id: FileId, target: &RelPath, digest: Option<[u8; 32]>) -> Result<()> {
        let is_reachable = self.is_reachable(target).await?;
        if is_reachable {
            self.place.discard_staged(vec![(target.clone(), tag(id))]).await?;
        }
        let told = self.row_of(id).await?.and_then(|row| row.row.digest);
        let digest = told.and_then(|d| d.try_into().ok()).or(digest);
        let (trash, kept) = (archived(id, target)?, on_place(&path::kept(self.row.id, id))?);
        let here = if is_reachable { self.look(target).await? } else { None };
        let (in_trash, in_kept) = (self.look(&trash).await?, self.look(&kept).await?);
        let Some(old) = in_kept.as_ref().or(in_trash.as_ref()) else {
            return if here.is_some() && self.is_left_over(id, target, digest).await? {
                self.discard(id, target, digest).await
            } else {
                Ok(())
            };
        };
        match here {
            // A second name of what was never replaced. In the trash it does no harm.
            Some(here) if here.ident != Ident::None && here.ident == old.ident => {
                only(self.place.remove_kept(vec![kept.clone()]).await, &kept)?;
                return self.place.flush(vec![kept]).await;
            }
            Some(_) if self.is_ours(target, digest).await?.is_some() => self.discard(id, target, digest).await?,
            // Somebody has put something else there; what was replaced stays in the trash.
            Some(_) => return Ok(()),
            None => {}
        }
        if in_kept.is_none() {
            self.shift(trash, kept.clone()).await?;
        }
        self.make_folders(target).await?;
        self.shift(kept, target.clone()).await
    }

    /// The node at the path, if it has this content.
    async fn is_ours(&self, target: &RelPath, digest: Option<[u8; 32]>) -> Result<Option<Node>> {
        match (digest, self.look(target).await?) {
            (Some(digest), Some(_)) => {
                let (node, content) = self.hash_of(target).await?;
                Ok(Some(node).filter(|_| content == digest))
            }
            (None, _) | (_, None) => Ok(None),
        }
    }

    /// Whether a put has published what no row knows. This task has the path, so that no other put can be the one.
    async fn is_left_over(&self, id: FileId, target: &RelPath, digest: Option<[u8; 32]>) -> Result<bool> {
        let Ok(storage_path) = std::str::from_utf8(target.as_bytes()) else { return Ok(false) };
        let is_known = self.is_relied_upon(storage_path, digest.as_ref().map(|d| &d[..]), id).await?;
        Ok(!is_known && self.is_ours(target, digest).await?.is_some())
    }

    async fn discard(&self, id: FileId, target: &RelPath, digest: Option<[u8; 32]>) -> Result<()> {
        let Some(node) = self.is_ours(target, digest).await? else { return Ok(()) };
        let item =
            Trash { path: target.clone(), expect: Expect::Node(node), label: format!("undone-{}", id.0.simple()) };
        only(self.place.trash(vec![item]).await, target)?;
        self.place.flush(vec![target.clone()]).await
    }

    /// Removes what is kept and has no row: a version that was not wanted, whose removal did not come through.
    async fn sweep(&self) -> Result<u64> {
        let root = on_place(&path::kept_of(self.row.id))?;
        let mut gone = 0;
        for fan in self.names(&root).await? {
            let dir = root.join(&fan);
            let names = self.names(&dir).await?;
            // A run says that it is about to keep something before it does, and until its row is there. So this is asked
            // after the look, and before the rows are.
            if self.is_carried_to().await? {
                return Ok(gone);
            }
            for names in names.chunks(ASKED) {
                // A put under way has its row from before the first byte.
                let known = self.known(names).await?;
                let unknown = names.iter().filter(|name| id_of(name).is_some_and(|id| !known.contains(&id)));
                let unknown: Vec<RelPath> = unknown.map(|name| dir.join(name)).collect();
                gone += unknown.len() as u64;
                self.place.remove_kept(unknown).await.into_iter().collect::<Result<()>>()?;
            }
        }
        Ok(gone)
    }

    /// Whether a conduit that ends on this volume is under way, or was and has not been tidied up after.
    async fn is_carried_to(&self) -> Result<bool> {
        let ask = "SELECT 1 FROM file_intent i JOIN sync_conduit c ON c.id = i.conduit_id JOIN entry e \
             ON e.id = c.source_entry_id OR e.id = c.target_entry_id WHERE i.tenant_id = ?1 AND e.volume_id = ?2 LIMIT 1";
        let found = self.book.store.query(self.tenant, self.scoped(ask, Vec::new())).await?;
        Ok(!found.is_empty())
    }

    /// Which of these names are ids of files.
    async fn known(&self, names: &[Name]) -> Result<Vec<Uuid>> {
        let ids: Vec<Value> = names.iter().filter_map(id_of).map(Value::Uuid).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..ids.len()).map(|i| format!("?{}", i + 3)).collect();
        let found = self.files(&format!("id IN ({})", places.join(", ")), ids).await?;
        Ok(found.into_iter().map(|file| file.id.0).collect())
    }

    /// Removes what is kept without a row, and what is in the trash for long; answers how much of the trash went.
    pub(super) async fn tidy(&self) -> Result<u64> {
        let swept = self.sweep().await;
        let old = timestamp(self.book.clock.now() - chrono::Duration::days(TRASH_DAYS));
        let trashed = self.place.empty_trash(old).await?;
        swept.map(|_| trashed)
    }

    async fn names(&self, dir: &RelPath) -> Result<Vec<Name>> {
        match self.place.list(vec![dir.clone()]).await.pop() {
            Some(Listing::Complete(entries)) => Ok(entries.into_iter().map(|e| e.name).collect()),
            Some(Listing::Absent) => Ok(Vec::new()),
            Some(Listing::Partial(_, e) | Listing::Unknown(e)) => Err(e),
            None => Err(Error::new(Code::Internal, "list", dir)),
        }
    }
}

fn id_of(name: &Name) -> Option<Uuid> {
    Uuid::try_parse(std::str::from_utf8(name.as_bytes()).ok()?).ok()
}

/// What upkeep of a tenant's volumes removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tended {
    pub(crate) reservations: u64,
    pub(crate) trashed: u64,
}

/// Takes over tasks that died, removes reservations that have expired, empties the trash of volumes of this machine. A
/// volume that cannot be reached now is tended by whoever opens it next; what it was promised has expired all the same.
pub(crate) async fn maintain(book: &Arc<BookInner>, tenant: TenantId) -> Result<Tended> {
    let now = book.clock.now();
    let mut tended = Tended::default();
    let ask = Statement::new(
        "SELECT v.id, v.driver FROM storage_volumes v WHERE v.tenant_id = ?1 ORDER BY v.id",
        vec![Value::Uuid(tenant.0)],
    );
    let before = expired(book, tenant, micros(now)).await?;
    for row in book.store.query(tenant, ask).await?.iter() {
        let (id, driver) = (row.uuid(0)?, row.text(1)?);
        if driver != Driver::Local.as_str() {
            continue;
        }
        // The user matters to nothing that upkeep does.
        let nobody = UserId::new(Uuid::nil());
        let Ok(volume) = open::open(book.clone(), tenant, nobody, &Naming(id.to_string()), None).await else {
            continue;
        };
        tended.trashed += volume.inner.tidy().await.unwrap_or_default();
    }
    // Those that stand for nothing: a host's own.
    let alone = Statement::new(
        "DELETE FROM quota_reservation WHERE tenant_id = ?1 AND expires_at <= ?2 AND NOT EXISTS \
         (SELECT 1 FROM files f WHERE f.tenant_id = quota_reservation.tenant_id AND f.id = quota_reservation.id)",
        vec![Value::Uuid(tenant.0), Value::Time(micros(now))],
    );
    book.store.write(tenant, vec![Write::Execute(alone)]).await?;
    let after = expired(book, tenant, micros(now)).await?;
    tended.reservations = before.saturating_sub(after).unsigned_abs();
    Ok(tended)
}

async fn expired(book: &BookInner, tenant: TenantId, now: i64) -> Result<i64> {
    let ask = "SELECT count(*) FROM quota_reservation WHERE tenant_id = ?1 AND expires_at <= ?2";
    let ask = Statement::new(ask, vec![Value::Uuid(tenant.0), Value::Time(now)]);
    book.store.query(tenant, ask).await?.first().map_or(Ok(0), |row| row.int(0))
}
