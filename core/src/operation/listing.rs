//! Pages of what the engine wrote: the latest first, each page beginning where the one before ended.

use crate::error::{Code, Error, Result};
use crate::model::{Column, Record, Row, TenantId, Value};
use crate::store::{Statement, Store};
use crate::table::PageKey;

/// Rows of one page at most.
const PAGE: usize = 1000;

/// Rows of a list, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<T> {
    /// The rows, the latest first.
    pub rows: Vec<T>,
    /// What to give for the next page; none at the end.
    pub next: Option<PageKey>,
}

/// A query under construction. Names are the caller's own; values are always parameters.
pub(crate) struct Query {
    sql: String,
    params: Vec<Value>,
}

impl Query {
    /// `head` ends in the comparison with the tenant, its only parameter.
    pub(crate) fn new(head: &str, tenant: TenantId) -> Self {
        Self { sql: head.to_owned(), params: vec![Value::Uuid(tenant.0)] }
    }

    /// Every row of a record that is the tenant's.
    pub(crate) fn of<R: Record>(tenant_column: &str, tenant: TenantId) -> Self {
        Self::new(&format!("{} WHERE {tenant_column} = ?1", R::SELECT), tenant)
    }

    /// Adds a condition; `{}` in it stands for the value.
    pub(crate) fn and(&mut self, condition: &str, value: Value) -> &mut Self {
        self.params.push(value);
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("{}", &format!("?{}", self.params.len())));
        self
    }

    /// Adds a condition without a value.
    pub(crate) fn and_also(&mut self, condition: &str) -> &mut Self {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self
    }

    /// Adds `column = value` where there is one.
    pub(crate) fn equal<C: Column>(&mut self, column: &str, value: Option<&C>) -> &mut Self {
        match value {
            Some(value) => self.and(&format!("{column} = {{}}"), value.value()),
            None => self,
        }
    }

    /// The statement of the page after `after`, of one row more than `limit`.
    fn page(mut self, order: &Order, after: Option<&PageKey>, limit: usize) -> Result<Statement> {
        let Order { time, key, .. } = order;
        if let Some(after) = after {
            let (latest, last) = match (&after.latest, &after.order) {
                (Some(latest), Value::Uuid(_)) if order.by_id => (latest.clone(), after.order.clone()),
                (Some(latest), Value::Int(_)) if !order.by_id => (latest.clone(), after.order.clone()),
                _ => {
                    return Err(Error::new(Code::Invalid, "go on with a list", "")
                        .because("the page before was of another list"));
                }
            };
            self.params.extend([latest, last]);
            let (a, b) = (self.params.len() - 1, self.params.len());
            self.sql.push_str(&format!(" AND ({time}, {key}) < (?{a}, ?{b})"));
        }
        self.params.push(Value::Int(limit as i64 + 1));
        self.sql.push_str(&format!(" ORDER BY {time} DESC, {key} DESC LIMIT ?{}", self.params.len()));
        Ok(Statement::new(self.sql, self.params))
    }
}

/// What a list is ordered by: a time, then what tells rows of one time apart.
pub(crate) struct Order {
    pub(crate) time: &'static str,
    pub(crate) key: &'static str,
    /// Where the two stand among the columns that are read.
    pub(crate) at: (usize, usize),
    /// The key is an id, else a number.
    pub(crate) by_id: bool,
}

impl Order {
    /// By columns of a record.
    pub(crate) fn of<R: Record>(time: &'static str, key: &'static str, by_id: bool) -> Self {
        let at = |name| R::COLUMNS.iter().position(|c| *c == name).unwrap_or(usize::MAX);
        Self { time, key, at: (at(time), at(key)), by_id }
    }

    fn key_of(&self, row: Row<'_>) -> Result<PageKey> {
        let (time, key) = self.at;
        let order = if self.by_id { Value::Uuid(row.uuid(key)?) } else { Value::Int(row.int(key)?) };
        Ok(PageKey { latest: Some(Value::Time(row.int(time)?)), order })
    }
}

/// Asks for a page.
///
/// # Errors
/// `invalid` when `after` is of another list.
pub(crate) async fn page<T>(
    store: &dyn Store,
    tenant: TenantId,
    query: Query,
    order: &Order,
    (after, limit): (Option<PageKey>, usize),
    read: impl Fn(Row<'_>) -> Result<T>,
) -> Result<Listing<T>> {
    let limit = limit.clamp(1, PAGE);
    let found = store.query(tenant, query.page(order, after.as_ref(), limit)?).await?;
    let rows = found.iter().take(limit).map(read).collect::<Result<Vec<T>>>()?;
    let next = match found.iter().nth(limit - 1) {
        Some(last) if found.len() > limit => Some(order.key_of(last)?),
        Some(_) | None => None,
    };
    Ok(Listing { rows, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConduitId, Id, SyncAction, SyncEntityType, SyncErrorType, SyncStatus};
    use crate::operation::{ActivityFilter, ErrorFilter, ProgressFilter, failures, history, watch};
    use crate::store::{SqliteOptions, SqliteStore};
    use uuid::Uuid;

    const NOBODY: TenantId = TenantId(Uuid::nil());

    async fn is_served(store: &SqliteStore, query: Query, order: &Order, index: &str) {
        let page = query.page(order, None, 10).unwrap();
        let explain = Statement::new(format!("EXPLAIN QUERY PLAN {}", page.sql), page.params);
        let rows = store.query(NOBODY, explain).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text(3).unwrap().to_owned()).collect();
        assert!(plan.iter().any(|step| step.contains(&format!("INDEX {index} "))), "{index}: {plan:?}");
    }

    #[tokio::test]
    async fn every_filter_is_served_by_its_index() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("book"), SqliteOptions::default()).unwrap();

        let all = ActivityFilter::default;
        for (filter, index) in [
            (all(), "org_created"),
            (ActivityFilter { from: Some(Default::default()), ..all() }, "org_created"),
            (ActivityFilter { user: Some(Id::new(Uuid::nil())), ..all() }, "user"),
            (ActivityFilter { entity_type: Some(SyncEntityType::File), ..all() }, "entity"),
            (ActivityFilter { action: Some(SyncAction::SyncStart), ..all() }, "action"),
            (ActivityFilter { status: Some(SyncStatus::Failed), ..all() }, "status"),
            (ActivityFilter { sync_id: Some("x".into()), ..all() }, "sync_id"),
        ] {
            let index = format!("idx_sync_activity_log_{index}");
            is_served(&store, history::query(NOBODY, &filter), &history::order(), &index).await;
        }

        let all = ErrorFilter::default;
        for (filter, index) in [
            (all(), "created"),
            (ErrorFilter { connection: Some(Id::new(Uuid::nil())), ..all() }, "connection"),
            (ErrorFilter { volume: Some(Id::new(Uuid::nil())), unresolved: true, ..all() }, "volume"),
            (ErrorFilter { conduit: Some(ConduitId(Uuid::nil())), ..all() }, "conduit"),
            (ErrorFilter { error_type: Some(SyncErrorType::Auth), unresolved: true, ..all() }, "unresolved"),
        ] {
            let index = format!("ix_cloud_sync_errors_{index}");
            is_served(&store, failures::query(NOBODY, &filter), &failures::order(), &index).await;
        }

        let all = ProgressFilter::default;
        for (filter, index) in [
            (ProgressFilter { sync_id: Some("x".into()), ..all() }, "org_sync"),
            (ProgressFilter { job_id: Some("x".into()), ..all() }, "org_job"),
            (ProgressFilter { entity_type: Some(SyncEntityType::File), ..all() }, "entity"),
            (ProgressFilter { active: true, ..all() }, "active"),
        ] {
            let index = format!("idx_sync_progress_{index}");
            is_served(&store, watch::query(NOBODY, &filter), &watch::order(), &index).await;
        }
    }
}
