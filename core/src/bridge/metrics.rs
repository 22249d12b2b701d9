//! What a run leaves behind about its tables: how much they hold (`source_table_metrics`, `target_list_metrics`), how much was carried
//! (`sync_metrics`), and what they look like.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::open::{Opened, TargetList};
use super::preview::RowDelta;
use crate::endpoint::reached_at;
use crate::error::Result;
use crate::model::{Id, Moment, SharepointList, SourceTableMetric, SyncRun, TargetListMetric};
use crate::operation::journal::execute;
use crate::store::{Value, Write};

/// Writes down how many rows the source has and when one was last changed, how many items a list that was read, and what both
/// tables look like.
pub(crate) async fn leave(opened: &Opened, delta: &RowDelta, now: Moment) -> Result<()> {
    let tables = opened.book.tables(opened.tenant);
    for sight in [&opened.sights.left, &opened.sights.right].into_iter().flatten() {
        sight.take(&tables, now).await?;
    }
    for TargetList { id, at_sharepoint, modified_at } in opened.lists.iter().filter(|_| delta.target_rows.is_some()) {
        let items = match at_sharepoint {
            Some(list) if opened.mapping.is_routed() => delta.target_lists.get(list).copied(),
            Some(_) | None => delta.target_rows,
        };
        let item_count = i64::try_from(items.unwrap_or(0)).unwrap_or(i64::MAX);
        let row =
            TargetListMetric { target_list_id: *id, captured_at: now, item_count, last_modified_at: *modified_at };
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

/// That a run carried rows, so many for each list (by its id at SharePoint) or for what is none, and is through with them: into
/// `sync_metrics`, which sums them up for the instance that served, and for each of several lists.
pub(crate) fn carried(
    opened: &Opened,
    rows: &BTreeMap<Option<String>, u64>,
    run: Id<SyncRun>,
    now: Moment,
) -> Vec<Write> {
    let mut writes = sums(opened, opened.whole_list(), rows.values().sum(), run, now).to_vec();
    for (list, rows) in rows.iter().filter(|_| opened.mapping.is_routed()) {
        if let Some(known) = opened.lists.iter().find(|known| known.at_sharepoint == *list) {
            writes.extend(sums(opened, Some(known.id), *rows, run, now));
        }
    }
    writes
}

fn sums(opened: &Opened, list: Option<Id<SharepointList>>, rows: u64, run: Id<SyncRun>, now: Moment) -> [Write; 2] {
    let scoped = |last: &[Value]| {
        let instance = opened.instance.map_or(Value::Null, |instance| Value::Uuid(instance.0));
        let list = list.map_or(Value::Null, |list| Value::Uuid(list.0));
        let mut params = vec![Value::Uuid(opened.tenant.0), Value::Uuid(opened.definition), instance, list];
        params.extend_from_slice(last);
        params
    };
    let rows = Value::Int(i64::try_from(rows).unwrap_or(i64::MAX));
    [
        execute(
            "INSERT INTO sync_metrics (tenant_id, sync_def_id, source_instance_id, target_list_id, id) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            scoped(&[Value::Uuid(Uuid::now_v7())]),
        ),
        execute(
            "UPDATE sync_metrics SET total_rows_synced = total_rows_synced + ?5, last_sync_ts = ?6, last_run_id = ?7, \
             updated_at = ?6 WHERE tenant_id = ?1 AND sync_def_id = ?2 AND source_instance_id IS NOT DISTINCT FROM ?3 \
             AND target_list_id IS NOT DISTINCT FROM ?4",
            scoped(&[rows, Value::Time(now.0), Value::Uuid(run.0)]),
        ),
    ]
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
