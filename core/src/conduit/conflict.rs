//! Conflicts that wait for a person (`sync_conflict`): names that one side cannot tell apart or cannot hold, moves
//! that contradict each other, files that an unclean stop may have damaged.
//!
//! No policy can decide these: a person renames, repairs or removes something on a side. The engine lists what waits,
//! keeps what was decided, and closes a conflict by itself once a run no longer meets it.

use crate::delta::Action;
use crate::error::{Code, Error, Result};
use crate::model::{self, Conflict, PreviewId, Resolution};
use crate::operation::clock::micros;
use crate::store::{Record, Statement, Value, Write, select};

use super::ConduitInner;

/// The conflicts that wait, the latest first.
pub(crate) async fn waiting(conduit: &ConduitInner, limit: usize) -> Result<Vec<Conflict>> {
    let ask = select!(
        model::Conflict,
        "WHERE tenant_id = ?1 AND conduit_id = ?2 AND resolved_at IS NULL ORDER BY id DESC LIMIT ?3"
    );
    let limit = i64::try_from(limit.clamp(1, 1000)).unwrap_or(1000);
    let params = vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Int(limit)];
    let rows = conduit.book.store.query(conduit.tenant, Statement::new(ask, params)).await?;
    rows.iter().map(Conflict::read).collect()
}

/// Notes what was decided about a conflict that waits.
pub(crate) async fn resolve(conduit: &ConduitInner, id: i64, resolution: Resolution) -> Result<()> {
    let update = Statement::new(
        "UPDATE sync_conflict SET resolved_at = ?4, resolution = ?5 \
         WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3 AND resolved_at IS NULL",
        vec![
            Value::Uuid(conduit.tenant.0),
            Value::Int(conduit.id),
            Value::Int(id),
            Value::Time(micros(conduit.book.clock.now())),
            Value::Text(resolution.as_str().to_owned()),
        ],
    );
    conduit.book.store.write(conduit.tenant, vec![Write::Expect(update, 1)]).await.map(|_| ()).map_err(|e| {
        if e.code() != Code::Conflict {
            return e;
        }
        Error::new(Code::NotFound, "resolve the conflict", id).because("no conflict of this number waits here")
    })
}

/// Closes the conflicts that a complete look at both sides no longer shows. What the plan still lists as skipped waits
/// on, also where it was not ticked.
pub(crate) fn close_vanished(conduit: &ConduitInner, generation: i64, preview: PreviewId) -> Write {
    Write::Execute(Statement::new(
        "UPDATE sync_conflict SET resolved_at = ?4, resolution = ?5 \
         WHERE tenant_id = ?1 AND conduit_id = ?2 AND generation < ?3 AND resolved_at IS NULL \
         AND path NOT IN (SELECT path FROM sync_preview_change WHERE preview_id = ?6 AND action = ?7)",
        vec![
            Value::Uuid(conduit.tenant.0),
            Value::Int(conduit.id),
            Value::Int(generation),
            Value::Time(micros(conduit.book.clock.now())),
            Value::Text(Resolution::Dropped.as_str().to_owned()),
            Value::Uuid(preview.0),
            Value::Int(Action::SKIP),
        ],
    ))
}
