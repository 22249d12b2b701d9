//! What a run leaves behind about its tables: how much they hold (`source_table_metrics`, `target_list_metrics`), and what they look like.

use super::open::Opened;
use super::preview::RowDelta;
use crate::endpoint::reached_at;
use crate::error::Result;
use crate::model::{Moment, SourceTableMetric, TargetListMetric};

/// Writes down how many rows the source has and when one was last changed, how many items a list that was read, and what both
/// tables look like.
pub(crate) async fn leave(opened: &Opened, delta: &RowDelta, now: Moment) -> Result<()> {
    let tables = opened.book.tables(opened.tenant);
    for sight in [&opened.sights.left, &opened.sights.right].into_iter().flatten() {
        sight.take(&tables, now).await?;
    }
    if let (Some(list), Some(items)) = (&opened.list, delta.target_rows) {
        let item_count = i64::try_from(items).unwrap_or(i64::MAX);
        let row = TargetListMetric { target_list_id: list.id, captured_at: now, item_count, last_modified_at: None };
        tables.make(row).await?;
    }
    let Some(source) = &opened.sights.left else { return Ok(()) };
    let Some(rows) = source_rows(opened, delta).await else { return Ok(()) };
    let row = SourceTableMetric {
        table_id: source.table,
        database_instance_id: source.instance,
        captured_at: now,
        row_count: i64::try_from(rows).unwrap_or(i64::MAX),
        max_updated_at: delta.cursor.as_ref().and_then(reached_at).and_then(|at| at.micros()).map(Moment),
    };
    tables.make(row).await.map(|_| ())
}

/// Nothing where only what changed was read, and counting would cost what the store has a budget of.
async fn source_rows(opened: &Opened, delta: &RowDelta) -> Option<u64> {
    if delta.source_is_whole {
        return Some(delta.source_rows);
    }
    let endpoint = &opened.endpoints.left;
    if !endpoint.counts_cheaply() || endpoint.allowance().await.is_some() {
        return None;
    }
    // A store that cannot count now could be read; the next run counts.
    endpoint.count(&opened.mapping.halves.left.table).await.ok()
}
