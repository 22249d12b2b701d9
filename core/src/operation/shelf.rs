//! The previews that are stored: which there are, where they stand, until when they stay.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::clock::{from_micros, micros};
use super::listing::{self, Listing, Order, Query};
use super::preview::Previews;
use crate::error::{Code, Error, Result};
use crate::model::{Column, ConduitId, PreviewId, PreviewState, SyncType, UserId, Value};
use crate::store::{Row, Statement, Write, Written};
use crate::table::PageKey;

/// A preview that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPreview {
    /// Names it.
    pub id: PreviewId,
    /// What it is of.
    pub sync_type: SyncType,
    /// What it is of, in that thing's own words.
    pub sync_id: Option<String>,
    /// The conduit, for files.
    pub conduit: Option<ConduitId>,
    /// Where it stands.
    pub state: PreviewState,
    /// A run that is under way, or is to be resumed, keeps it.
    pub is_pinned: bool,
    /// It can no longer be applied, and is removed at the next upkeep.
    pub is_expired: bool,
    /// When the places were looked at.
    pub computed_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Who asked; none when the user is gone.
    pub computed_by: Option<UserId>,
}

/// Which stored previews are wanted; every one that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreviewFilter {
    /// Of this conduit.
    pub conduit: Option<ConduitId>,
    /// Of this kind.
    pub sync_type: Option<SyncType>,
}

const HEAD: &str = "SELECT p.id, p.sync_type, p.sync_id, c.uuid, p.state, p.is_pinned, p.computed_at, p.expires_at, \
    p.computed_by FROM sync_preview_cache p LEFT JOIN sync_conduit c ON c.tenant_id = p.org_id AND c.id = p.conduit_id \
    WHERE p.org_id = ?1";

/// Changes that are removed at once, so that other writers get their turn.
const SLICE: u64 = 20_000;

impl Previews {
    /// A page of the stored previews, the last computed first.
    pub(crate) async fn shelf(
        &self,
        filter: &PreviewFilter,
        page: (Option<PageKey>, usize),
        now: DateTime<Utc>,
    ) -> Result<Listing<StoredPreview>> {
        let mut query = Query::new(HEAD, self.tenant);
        query.equal("c.uuid", filter.conduit.as_ref()).equal("p.sync_type", filter.sync_type.as_ref());
        let order = Order { time: "p.computed_at", key: "p.id", at: (6, 0), by_id: true };
        listing::page(&*self.store, self.tenant, query, &order, page, |row| stored(row, now)).await
    }

    /// Removes a preview that no run needs.
    ///
    /// # Errors
    /// `not_found`; `busy` when a run is applying it or is to be resumed from it.
    pub(crate) async fn discard(&self, id: PreviewId) -> Result<()> {
        // First nobody can apply it any more, then it is taken apart.
        let close = Statement::new(
            "UPDATE sync_preview_cache SET state = 'building', expires_at = computed_at \
             WHERE org_id = ?1 AND id = ?2 AND NOT is_pinned",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(id.0)],
        );
        let closed = self.store.write(self.tenant, vec![Write::Execute(close)]).await?;
        if closed.first() == Some(&Written::Changed(1)) {
            return self.take_apart(id.0).await;
        }
        let ask = Statement::new(
            "SELECT 1 FROM sync_preview_cache WHERE org_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(id.0)],
        );
        let is_there = !self.store.query(self.tenant, ask).await?.is_empty();
        Err(match is_there {
            true => Error::new(Code::Busy, "delete the preview", id)
                .because("a run is applying it, or is to be resumed from it")
                .advise("let the run end, or sync the conduit once more"),
            false => Error::new(Code::NotFound, "delete the preview", id).because("there is none of this id"),
        })
    }

    /// Removes the changes a slice at a time, then the preview.
    pub(super) async fn take_apart(&self, id: Uuid) -> Result<()> {
        loop {
            let slice = Statement::new(
                "DELETE FROM sync_preview_change WHERE preview_id = ?1 AND (ord, seq) IN \
                 (SELECT ord, seq FROM sync_preview_change WHERE preview_id = ?1 ORDER BY ord, seq LIMIT 20000)",
                vec![Value::Uuid(id)],
            );
            let written = self.store.write(self.tenant, vec![Write::Execute(slice)]).await?;
            if !matches!(written.first(), Some(Written::Changed(n)) if *n == SLICE) {
                break;
            }
        }
        let header = Statement::new(
            "DELETE FROM sync_preview_cache WHERE org_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(id)],
        );
        self.store.write(self.tenant, vec![Write::Execute(header)]).await.map(|_| ())
    }

    /// Removes what has expired and is not being applied.
    pub(crate) async fn clean(&self, now: DateTime<Utc>) -> Result<u64> {
        let expired = Statement::new(
            "SELECT id FROM sync_preview_cache WHERE org_id = ?1 AND expires_at < ?2 AND is_pinned = ?3",
            vec![Value::Uuid(self.tenant.0), Value::Time(micros(now)), Value::Bool(false)],
        );
        let rows = self.store.query(self.tenant, expired).await?;
        for row in rows.iter() {
            self.take_apart(row.uuid(0)?).await?;
        }
        Ok(rows.len() as u64)
    }
}

fn stored(row: Row<'_>, now: DateTime<Utc>) -> Result<StoredPreview> {
    let is_pinned = bool::read(row, 5)?;
    let expires_at = from_micros(row.int(7)?);
    Ok(StoredPreview {
        id: PreviewId(row.uuid(0)?),
        sync_type: Column::read(row, 1)?,
        sync_id: Column::read(row, 2)?,
        conduit: Column::read(row, 3)?,
        state: Column::read(row, 4)?,
        is_pinned,
        is_expired: expires_at <= now && !is_pinned,
        computed_at: from_micros(row.int(6)?),
        expires_at,
        computed_by: Column::read(row, 8)?,
    })
}
