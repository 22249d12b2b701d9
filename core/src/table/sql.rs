//! The statements of a table, from its declaration. Names come from declarations only; values are always parameters.

use crate::error::{Code, Error, Result};
use crate::model::{Deletion, ListInfo, TableInfo, Value};

use super::page::{Comparison, Filter, PageKey};

/// Columns in front of a table's own: id, index_id, created_at, updated_at, whether it is deleted.
pub(super) const BASE: usize = 5;

/// A statement under construction.
#[derive(Default)]
pub(super) struct Text {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Text {
    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn bind(&mut self, value: Value) -> &mut Self {
        self.params.push(value);
        let place = format!("?{}", self.params.len());
        self.push(&place)
    }
}

/// `SELECT` the base columns and the table's own, `WHERE` its tenant is the one given.
fn select(table: &TableInfo, tenant: Value) -> Text {
    let mut text = Text::default();
    let index = if table.order == "id" { "NULL" } else { table.order };
    let deleted = match table.deletion {
        Deletion::Hard => "FALSE".to_owned(),
        Deletion::Flag(column) => column.to_owned(),
        Deletion::Time(column) => format!("{column} IS NOT NULL"),
    };
    text.push(&format!("SELECT id, {index}, created_at, updated_at, {deleted}"));
    for column in table.columns {
        text.push(", ").push(column.name);
    }
    text.push(&format!(" FROM {} WHERE {} = ", table.name, table.tenant)).bind(tenant);
    text
}

/// The condition that a row is not deleted, in the words of the indexes.
fn alive(table: &TableInfo) -> String {
    match table.deletion {
        Deletion::Hard => String::new(),
        Deletion::Flag(column) => format!(" AND NOT {column}"),
        Deletion::Time(column) => format!(" AND {column} IS NULL"),
    }
}

/// One row, deleted or not.
pub(super) fn get(table: &TableInfo, tenant: Value, id: Value) -> Text {
    let mut text = select(table, tenant);
    text.push(" AND id = ").bind(id);
    text
}

/// The list whose order the rows come in: its index serves the filters, which are all or the first of its columns. Only
/// with all of them given has the list an order of its own.
///
/// # Errors
/// `invalid` when no index serves the filters.
pub(super) fn order_of(table: &TableInfo, filter: &Filter) -> Result<Option<&'static ListInfo>> {
    let names: Vec<&str> = filter.comparisons.iter().map(|c| c.column.as_str()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let serves = |l: &&ListInfo| l.by.len() >= names.len() && l.by[..names.len()].iter().all(|c| names.contains(c));
    let Some(list) = table.lists.iter().filter(serves).min_by_key(|l| l.by.len()) else {
        let known: Vec<String> = table.lists.iter().map(|l| l.by.join(" and ")).collect();
        let reason = format!("no index serves a list by {}; there are {}", names.join(" and "), known.join("; "));
        return Err(Error::new(Code::Invalid, "list", table.name).because(reason));
    };
    Ok(Some(list).filter(|l| l.by.len() == names.len()))
}

/// A page of rows in the order of its list.
pub(super) fn list(
    table: &TableInfo,
    tenant: Value,
    filter: &Filter,
    served: Option<&ListInfo>,
    after: Option<&PageKey>,
    limit: i64,
) -> Result<Text> {
    let latest = served.and_then(|l| l.latest);
    let mut text = select(table, tenant);
    if !filter.with_deleted {
        text.push(&alive(table));
    }
    for Comparison { column, value } in &filter.comparisons {
        text.push(&format!(" AND {column}"));
        match value {
            Some(value) => text.push(" = ").bind(value.clone()),
            None => text.push(" IS NULL"),
        };
    }
    let order = table.order;
    let past = if filter.latest_first || latest.is_some() { "<" } else { ">" };
    let direction = if past == "<" { " DESC" } else { "" };
    match (latest, after) {
        (None, Some(PageKey { latest: None, order: key })) => {
            text.push(&format!(" AND {order} {past} ")).bind(key.clone());
        }
        (Some(column), Some(PageKey { latest: Some(time), order: key })) => {
            text.push(&format!(" AND ({column}, {order}) {past} (")).bind(time.clone());
            text.push(", ").bind(key.clone()).push(")");
        }
        (_, None) => {}
        (None, Some(_)) | (Some(_), Some(_)) => {
            return Err(Error::new(Code::Invalid, "go on with a list of", table.name)
                .because("the page before was of another list"));
        }
    }
    match latest {
        Some(column) => text.push(&format!(" ORDER BY {column} DESC, {order} DESC")),
        None => text.push(&format!(" ORDER BY {order}{direction}")),
    };
    text.push(" LIMIT ").bind(Value::Int(limit));
    Ok(text)
}

/// Inserts one row of these columns; gives what the engine numbered.
pub(super) fn insert(table: &TableInfo, base: [Value; 4], columns: Vec<(&'static str, Value)>) -> Text {
    let mut text = Text::default();
    text.push(&format!("INSERT INTO {} (id, {}, created_at, updated_at", table.name, table.tenant));
    for (column, _) in &columns {
        text.push(", ").push(column);
    }
    text.push(") VALUES (");
    let values = base.into_iter().chain(columns.into_iter().map(|(_, value)| value));
    for (i, value) in values.enumerate() {
        text.push(if i == 0 { "" } else { ", " }).bind(value);
    }
    text.push(")");
    text
}

/// Changes a row that is not deleted and was last changed at `seen`.
pub(super) fn update(
    table: &TableInfo,
    tenant: Value,
    id: Value,
    seen: Value,
    now: Value,
    columns: Vec<(&'static str, Value)>,
) -> Text {
    let mut text = Text::default();
    text.push(&format!("UPDATE {} SET updated_at = ", table.name)).bind(now);
    for (column, value) in columns {
        text.push(&format!(", {column} = ")).bind(value);
    }
    text.push(&format!(" WHERE {} = ", table.tenant)).bind(tenant);
    text.push(" AND id = ").bind(id);
    text.push(" AND updated_at = ").bind(seen);
    text.push(&alive(table));
    text
}

/// Deletes a row, or marks it.
pub(super) fn remove(table: &TableInfo, tenant: Value, id: Value, now: Value) -> Text {
    let mut text = Text::default();
    match table.deletion {
        Deletion::Hard => text.push(&format!("DELETE FROM {}", table.name)),
        Deletion::Flag(column) => {
            text.push(&format!("UPDATE {} SET {column} = TRUE, updated_at = ", table.name)).bind(now)
        }
        Deletion::Time(column) => {
            text.push(&format!("UPDATE {} SET {column} = ", table.name)).bind(now.clone());
            text.push(", updated_at = ").bind(now)
        }
    };
    text.push(&format!(" WHERE {} = ", table.tenant)).bind(tenant);
    text.push(" AND id = ").bind(id).push(&alive(table));
    text
}

/// Takes the mark of deletion back.
pub(super) fn restore(table: &TableInfo, tenant: Value, id: Value, now: Value) -> Result<Text> {
    let (set, marked) = match table.deletion {
        Deletion::Hard => {
            return Err(
                Error::new(Code::Unsupported, "restore a row of", table.name).because("what is deleted there is gone")
            );
        }
        Deletion::Flag(column) => (format!("{column} = FALSE"), column.to_owned()),
        Deletion::Time(column) => (format!("{column} = NULL"), format!("{column} IS NOT NULL")),
    };
    let mut text = Text::default();
    text.push(&format!("UPDATE {} SET {set}, updated_at = ", table.name)).bind(now);
    text.push(&format!(" WHERE {} = ", table.tenant)).bind(tenant);
    text.push(" AND id = ").bind(id).push(&format!(" AND {marked}"));
    Ok(text)
}

/// Whether a row of that id is there for the tenant.
pub(super) fn exists(table: &str, tenant_column: &str, tenant: Value, id: Value) -> Text {
    let mut text = Text::default();
    text.push(&format!("SELECT 1 FROM {table} WHERE {tenant_column} = ")).bind(tenant);
    text.push(" AND id = ").bind(id);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TABLES, TenantId};
    use crate::store::{SqliteOptions, SqliteStore, Statement, Store};
    use uuid::Uuid;

    #[tokio::test]
    async fn every_list_is_served_by_its_index() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("book"), SqliteOptions::default()).unwrap();
        for table in TABLES {
            for info in table.lists {
                let mut filter = Filter::all();
                for column in info.by {
                    filter = filter.equal_value(column, Value::Int(0));
                }
                let order = order_of(table, &filter).unwrap();
                let text = list(table, Value::Uuid(Uuid::nil()), &filter, order, None, 10).unwrap();
                let explain = Statement::new(format!("EXPLAIN QUERY PLAN {}", text.sql), text.params);
                let rows = store.query(TenantId(Uuid::nil()), explain).await.unwrap();
                let plan: Vec<_> = rows.iter().map(|r| r.text(3).unwrap().to_owned()).collect();
                let used = plan.iter().any(|step| step.contains(&format!("INDEX {} ", info.index)));
                assert!(used, "{} by {:?}: {plan:?}", table.name, info.by);
            }
        }
    }
}
