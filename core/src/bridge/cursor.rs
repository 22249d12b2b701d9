//! Where the last reading of each side ended.

use uuid::Uuid;

use super::mapping::Mapping;
use super::open::{Opened, TargetList};
use super::survey::{PAGE_ROWS, Reading};
use crate::endpoint::{ChangeScan, ChangeSource, Cursor, Endpoint, reached_instant};
use crate::error::{Code, Error, Result};
use crate::model::{
    CursorScope, CursorStrategy, CursorType, DatabaseInstance, Id, Moment, RecordMode, Stored, SyncCursor,
    SyncDefinition, TableColumn, Tick,
};
use crate::store::{Statement, Value, Write};
use crate::table::{Filter, Tables};

impl Opened {
    /// That the next run may read the source from here on.
    pub(crate) fn moves_cursor(&self, cursor: &Cursor, run: Uuid, now: Moment) -> Vec<Write> {
        let instance = self.instance.map_or(Value::Null, |instance| Value::Uuid(instance.0));
        let (tenant, definition) = (Value::Uuid(self.tenant.0), Value::Uuid(self.definition));
        vec![
            Write::Execute(Statement::new(
                "DELETE FROM sync_cursors WHERE tenant_id = ?1 AND sync_def_id = ?2 AND cursor_scope = 'SOURCE' \
                 AND (source_instance_id = ?3 OR (source_instance_id IS NULL AND ?4 = 1))",
                vec![
                    tenant.clone(),
                    definition.clone(),
                    self.instance.map_or(Value::Uuid(Uuid::nil()), |instance| Value::Uuid(instance.0)),
                    Value::Int(i64::from(self.instance.is_none())),
                ],
            )),
            Write::Execute(Statement::new(
                "INSERT INTO sync_cursors (id, tenant_id, sync_def_id, cursor_scope, cursor_type, cursor_value, \
                 source_instance_id, last_run_id, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, 'SOURCE', ?4, ?5, ?6, ?7, ?8, ?8)",
                vec![
                    Value::Uuid(Uuid::now_v7()),
                    tenant,
                    definition,
                    Value::Text(cursor.cursor_type.as_str().to_owned()),
                    Value::Text(cursor.value.clone()),
                    instance,
                    Value::Uuid(run),
                    Value::Time(now.0),
                ],
            )),
        ]
    }

    /// Whether the cursor by a time stands where the source's clock has not come yet, beyond the overlap: the clock ran backwards,
    /// or a row is from the future. What is changed until then would lie behind the cursor and never be read. Of a time
    /// without a zone nobody can tell.
    pub(crate) async fn is_ahead_of_its_clock(&self, scan: &ChangeScan) -> Result<bool> {
        let (ChangeSource::UpdatedAt { overlap_ms, .. }, Some(cursor)) = (&scan.by, &scan.since) else {
            return Ok(false);
        };
        let Some(reached) = reached_instant(cursor).and_then(Tick::micros) else { return Ok(false) };
        let clock = self.endpoints.left.probe().await?.clock.micros().unwrap_or(i64::MAX);
        let overlap = i64::try_from(*overlap_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        Ok(clock < reached.saturating_sub(overlap))
    }

    /// That the next run may read the target from here on.
    pub(crate) fn moves_target_cursor(&self, cursor: &Cursor, run: Uuid, now: Moment) -> Vec<Write> {
        let list = self.list.as_ref().map_or(Value::Null, |list| Value::Uuid(list.id.0));
        let (tenant, definition) = (Value::Uuid(self.tenant.0), Value::Uuid(self.definition));
        vec![
            Write::Execute(Statement::new(
                "DELETE FROM sync_cursors WHERE tenant_id = ?1 AND sync_def_id = ?2 AND cursor_scope = 'TARGET'",
                vec![tenant.clone(), definition.clone()],
            )),
            Write::Execute(Statement::new(
                "INSERT INTO sync_cursors (id, tenant_id, sync_def_id, cursor_scope, cursor_type, cursor_value, \
                 target_list_id, last_run_id, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, 'TARGET', ?4, ?5, ?6, ?7, ?8, ?8)",
                vec![
                    Value::Uuid(Uuid::now_v7()),
                    tenant,
                    definition,
                    Value::Text(cursor.cursor_type.as_str().to_owned()),
                    Value::Text(cursor.value.clone()),
                    list,
                    Value::Uuid(run),
                    Value::Time(now.0),
                ],
            )),
        ]
    }
}

/// How the source is read: what has changed since the cursor, or everything.
pub(super) async fn source_reading(
    tables: &Tables,
    id: Id<SyncDefinition>,
    definition: &SyncDefinition,
    mapping: &Mapping,
    instance: Option<Id<DatabaseInstance>>,
    overlap_ms: u64,
) -> Result<Reading> {
    let by = match (definition.cursor_strategy, definition.cursor_column_id) {
        (CursorStrategy::FullScan, _) => return Ok(Reading::Everything),
        (CursorStrategy::UpdatedAt, Some(column)) => {
            let column = tables.read::<TableColumn>(column).await?.row.column_name;
            ChangeSource::UpdatedAt { column, overlap_ms }
        }
        (CursorStrategy::UpdatedAt, None) => {
            return Err(Error::new(Code::Invalid, "run the definition", &definition.name)
                .because("it goes by a column that every change moves on, and names none")
                .advise("set cursor_column_id"));
        }
        (CursorStrategy::Lsn, _) => ChangeSource::Log { name: format!("portbook_{}", id.0.simple()) },
    };
    let of_source = |cursor: &Stored<SyncCursor>| {
        cursor.row.cursor_scope == CursorScope::Source && cursor.row.source_instance_id == instance
    };
    let cursors = tables.every::<SyncCursor>(Filter::all().equal("sync_def_id", &id)).await?;
    let since = cursors
        .into_iter()
        .find(of_source)
        .map(|cursor| Cursor { cursor_type: cursor.row.cursor_type, value: cursor.row.cursor_value });
    let half = &mapping.halves.left;
    Ok(Reading::Changes(ChangeScan {
        table: half.table.clone(),
        columns: half.scanned.clone(),
        key: half.address.clone(),
        by,
        since,
        page_rows: PAGE_ROWS,
    }))
}

/// How the target is read where what changed there goes to the source: what its feed tells since the cursor, where it has one.
pub(super) async fn target_reading(
    tables: &Tables,
    id: Id<SyncDefinition>,
    target: &dyn Endpoint,
    mapping: &Mapping,
    list: Option<&TargetList>,
) -> Result<Reading> {
    let has_feed = target.capabilities().cursors.contains(&CursorType::DeltaLink);
    if mapping.mode != RecordMode::TwoWay || !has_feed {
        return Ok(Reading::Everything);
    }
    let list = list.map(|list| list.id);
    let of_target = |cursor: &Stored<SyncCursor>| {
        cursor.row.cursor_scope == CursorScope::Target && cursor.row.target_list_id == list
    };
    let cursors = tables.every::<SyncCursor>(Filter::all().equal("sync_def_id", &id)).await?;
    let since = cursors
        .into_iter()
        .find(of_target)
        .map(|cursor| Cursor { cursor_type: cursor.row.cursor_type, value: cursor.row.cursor_value });
    let half = &mapping.halves.right;
    Ok(Reading::Changes(ChangeScan {
        table: half.table.clone(),
        columns: half.scanned.clone(),
        key: half.address.clone(),
        by: ChangeSource::Feed,
        since,
        page_rows: PAGE_ROWS,
    }))
}
