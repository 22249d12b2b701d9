//! Previews of rows as the book has them: read back, ticked, and given out page by page.

use super::DefinitionInner;
use super::change::{Act, RowChange};
use super::preview::{PreviewedRow, RowDelta, RowPreview};
use crate::book::BookInner;
use crate::delta::ChangeKind;
use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, TenantId};
use crate::operation::clock::{from_micros, micros};
use crate::operation::plan::Position;
use crate::operation::preview::ChangeId;
use crate::store::{Statement, Store, Value, Write};

/// A stored preview of rows.
pub(crate) struct StoredRows {
    pub(crate) definition: String,
    pub(crate) state: String,
    pub(crate) delta: RowDelta,
    pub(crate) preview: RowPreview,
    pub(crate) applied: Position,
}

/// The preview.
///
/// # Errors
/// `not_found` when there is none, it has expired, or it is not of rows.
pub(crate) async fn stored(book: &BookInner, tenant: TenantId, id: PreviewId) -> Result<StoredRows> {
    let statement = Statement::new(
        "SELECT sync_id, state, delta_json, computed_at, expires_at, applied_ord, applied_seq, is_pinned \
         FROM sync_preview_cache WHERE org_id = ?1 AND id = ?2 AND sync_type = 'records'",
        vec![Value::Uuid(tenant.0), Value::Uuid(id.0)],
    );
    let rows = book.store.query(tenant, statement).await?;
    let row = rows.first().ok_or_else(|| missing(id))?;
    let (computed_at, expires_at) = (from_micros(row.int(3)?), from_micros(row.int(4)?));
    if expires_at <= book.clock.now() && row.int(7)? == 0 {
        return Err(missing(id));
    }
    let corrupt = |e| Error::new(Code::Corrupt, "read the preview", id).caused_by(e);
    let delta: RowDelta = serde_json::from_str(row.text(2)?).map_err(corrupt)?;
    let preview = delta.preview(id, computed_at, expires_at);
    let applied = Position { ord: row.int(5)?, seq: row.int(6)? };
    Ok(StoredRows { definition: row.text(0)?.to_owned(), state: row.text(1)?.to_owned(), delta, preview, applied })
}

/// That there is no such preview of this definition.
pub(crate) fn missing(id: PreviewId) -> Error {
    Error::new(Code::NotFound, "find the preview", id)
        .because("there is none of this id, or it has expired")
        .advise("preview again")
}

/// A page of the rows of a preview, in the order of application. Those that are only recorded are left out unless the kind
/// `unchanged` is asked for.
pub(crate) async fn list(
    store: &dyn Store,
    tenant: TenantId,
    id: PreviewId,
    kind: Option<ChangeKind>,
    after: Option<ChangeId>,
    limit: usize,
) -> Result<Vec<PreviewedRow>> {
    let from = after.unwrap_or(ChangeId { ord: -1, seq: -1 });
    let statement = Statement::new(
        "SELECT ord, seq, path, detail, is_exception FROM sync_preview_change \
         WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND (?4 = 0 OR kind = ?4) AND (?5 = 1 OR action NOT IN (6, 7)) \
         ORDER BY ord, seq LIMIT ?6",
        vec![
            Value::Uuid(id.0),
            Value::Int(from.ord),
            Value::Int(from.seq),
            Value::Int(kind.map_or(0, |kind| kind as i64)),
            Value::Int(i64::from(kind == Some(ChangeKind::Unchanged))),
            Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)),
        ],
    );
    let rows = store.query(tenant, statement).await?;
    rows.iter()
        .map(|row| {
            let change = RowChange::read(row.blob(2)?, row.blob(3)?)?;
            let reason = match &change.act {
                Act::Wait => Some("both sides changed it".to_owned()),
                Act::Merge(_) => Some("fields of both sides".to_owned()),
                Act::Refuse { words, .. } => Some(words.clone()),
                _ => None,
            };
            Ok(PreviewedRow {
                id: ChangeId { ord: row.int(0)?, seq: row.int(1)? },
                kind: change.act.kind(),
                action: change.act.name(),
                changes: change.act.changes(),
                reason,
                row: change.name,
                ticked: row.int(4)? == 0,
            })
        })
        .collect()
}

/// Changes that are read at once.
pub(crate) const PAGE: usize = 8192;

/// A change as it stands in the book.
pub(crate) struct PlannedRow {
    pub(crate) at: Position,
    pub(crate) change: RowChange,
}

/// The ticked changes after `from`, a page of them.
pub(crate) async fn page(
    store: &dyn Store,
    tenant: TenantId,
    preview: PreviewId,
    from: Position,
) -> Result<Vec<PlannedRow>> {
    let statement = Statement::new(
        "SELECT ord, seq, path, detail FROM sync_preview_change \
         WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND is_exception = ?4 ORDER BY ord, seq LIMIT ?5",
        vec![
            Value::Uuid(preview.0),
            Value::Int(from.ord),
            Value::Int(from.seq),
            Value::Bool(false),
            Value::Int(PAGE as i64),
        ],
    );
    let rows = store.query(tenant, statement).await?;
    rows.iter()
        .map(|row| {
            let at = Position { ord: row.int(0)?, seq: row.int(1)? };
            Ok(PlannedRow { at, change: RowChange::read(row.blob(2)?, row.blob(3)?)? })
        })
        .collect()
}

/// Ticks changes in or out.
///
/// # Errors
/// `not_found`; `busy` once the preview is being applied; `conflict` for a change that it does not have.
pub(crate) async fn tick(
    definition: &DefinitionInner,
    id: PreviewId,
    changes: &[ChangeId],
    ticked: bool,
) -> Result<()> {
    let (store, tenant) = (&definition.book.store, definition.tenant);
    if definition.own(id).await?.state != "ready" {
        return Err(Error::new(Code::Busy, "change the selection of the preview", id)
            .because("it is being applied, or was")
            .advise("preview again"));
    }
    // Whoever begins to apply it meanwhile waits for this batch, or has this one refused.
    let mut writes = vec![Write::Expect(
        Statement::new(
            "UPDATE sync_preview_cache SET updated_at = ?3 WHERE org_id = ?1 AND id = ?2 AND state = 'ready' AND sync_id = ?4",
            vec![
                Value::Uuid(tenant.0),
                Value::Uuid(id.0),
                Value::Time(micros(definition.book.clock.now())),
                Value::Text(definition.id.0.to_string()),
            ],
        ),
        1,
    )];
    writes.extend(changes.iter().map(|change| {
        Write::Expect(
            Statement::new(
                "UPDATE sync_preview_change SET is_exception = ?4 WHERE preview_id = ?1 AND ord = ?2 AND seq = ?3",
                vec![Value::Uuid(id.0), Value::Int(change.ord), Value::Int(change.seq), Value::Bool(!ticked)],
            ),
            1,
        )
    }));
    store.write(tenant, writes).await.map(|_| ())
}
