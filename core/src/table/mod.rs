//! Typed access to the tables that hosts read and write: one implementation, driven by the declarations of `model`.
//!
//! Every statement names the tenant; rows of others, and ids of others' rows, are as if they were not there. An update
//! is refused as `stale` when the row has moved on since it was read.

mod check;
pub(crate) mod json;
mod page;
mod seal;
mod sql;

use std::sync::Arc;

use uuid::Uuid;

pub use self::page::{Filter, Page, PageKey};

use self::sql::{BASE, Text};
use crate::error::{Code, Error, Result};
use crate::model::{Id, ListInfo, Moment, Row, Rows, Stored, TABLES, Table, TableInfo, TenantId, Value};
use crate::operation::Clock;
use crate::operation::clock::micros;
use crate::store::{Statement, Store, Write, Written};
use crate::vault::Vault;

/// Rows of one page at most.
const PAGE: usize = 1000;

/// Columns and their values.
pub(crate) type Columns = Vec<(&'static str, Value)>;

/// The tables of one tenant. Rows come as pages of the base columns and the table's own, see [`stored`].
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tenant: TenantId,
}

/// A page of a list, and where to go on.
pub(crate) struct Listed {
    pub(crate) rows: Rows,
    /// How many of the rows belong to the page; one more says that there is another.
    pub(crate) count: usize,
    pub(crate) next: Option<PageKey>,
}

impl Tables {
    fn tenant(&self) -> Value {
        Value::Uuid(self.tenant.0)
    }

    fn now(&self) -> i64 {
        micros(self.clock.now())
    }

    /// The time, as rows have it.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now())
    }

    /// Makes rows, all or none, in this order.
    pub(crate) async fn make_all<T: Table>(&self, rows: &[T]) -> Result<Vec<Stored<T>>> {
        let info = const { &T::INFO };
        let made = self.create(info, rows.iter().map(columns).collect()).await?;
        made.iter().map(|found| stored(only(found, T::NAME)?)).collect()
    }

    /// Makes a row.
    pub(crate) async fn make<T: Table>(&self, row: T) -> Result<Stored<T>> {
        self.make_all(std::slice::from_ref(&row)).await?.into_iter().next().ok_or_else(|| gone(T::NAME))
    }

    /// The row of that id, if it is not deleted.
    pub(crate) async fn read<T: Table>(&self, id: Id<T>) -> Result<Stored<T>> {
        stored(only(&self.get(const { &T::INFO }, id.0).await?, T::NAME)?)
    }

    /// Every row that the filter names.
    pub(crate) async fn every<T: Table>(&self, filter: Filter) -> Result<Vec<Stored<T>>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let Listed { rows, count, next } =
                self.list(const { &T::INFO }, filter.clone(), after.as_ref(), PAGE).await?;
            for row in rows.iter().take(count) {
                all.push(stored(row)?);
            }
            let Some(next) = next else { return Ok(all) };
            after = Some(next);
        }
    }

    /// Writes a row back, unless it was changed since it was read.
    pub(crate) async fn write_back<T: Table>(&self, row: &Stored<T>) -> Result<Stored<T>> {
        self.update(const { &T::INFO }, row.id.0, row.updated_at, columns(&row.row)).await?;
        self.read(row.id).await
    }

    /// Makes these rows, all or none. Columns that are not given get their default.
    pub(crate) async fn create(&self, table: &'static TableInfo, rows: Vec<Columns>) -> Result<Vec<Rows>> {
        let now = self.now();
        let mut ids = Vec::with_capacity(rows.len());
        let mut batch = Vec::with_capacity(rows.len());
        let mut checked = Vec::with_capacity(rows.len());
        for mut columns in rows {
            check::check(table, &mut columns)?;
            let id = Uuid::now_v7();
            self.seal_new(table, id, &mut columns).await?;
            let base = [Value::Uuid(id), self.tenant(), Value::Time(now), Value::Time(now)];
            batch.push(Write::Execute(statement(sql::insert(table, base, columns.clone()))));
            ids.push(id);
            checked.push(columns);
        }
        if let Err(error) = self.store.write(self.tenant, batch).await {
            return Err(self.refusal("add a row to", table, error, &checked).await);
        }
        let mut made = Vec::with_capacity(ids.len());
        for ids in ids.chunks(PAGE) {
            let asked = ids.iter().map(|id| statement(sql::get(table, self.tenant(), Value::Uuid(*id)))).collect();
            made.extend(self.store.query_many(self.tenant, asked).await?);
        }
        Ok(made)
    }

    /// A row that is not deleted.
    pub(crate) async fn get(&self, table: &'static TableInfo, id: Uuid) -> Result<Rows> {
        let found = self.find(table, id).await?;
        match found.first() {
            Some(row) if !is_deleted(row)? => Ok(found),
            Some(_) | None => Err(missing("find", table, id)),
        }
    }

    async fn find(&self, table: &'static TableInfo, id: Uuid) -> Result<Rows> {
        self.store.query(self.tenant, statement(sql::get(table, self.tenant(), Value::Uuid(id)))).await
    }

    /// A page of the rows that the filter names.
    pub(crate) async fn list(
        &self,
        table: &'static TableInfo,
        mut filter: Filter,
        after: Option<&PageKey>,
        limit: usize,
    ) -> Result<Listed> {
        for comparison in &mut filter.comparisons {
            let column =
                table.column(&comparison.column).ok_or_else(|| no_column("list", table, &comparison.column))?;
            if let Some(value) = &mut comparison.value {
                check::check_one(table, column, value)?;
            }
        }
        let limit = limit.clamp(1, PAGE);
        let order = sql::order_of(table, &filter)?;
        let text = sql::list(table, self.tenant(), &filter, order, after, limit as i64 + 1)?;
        let rows = self.store.query(self.tenant, statement(text)).await?;
        let count = rows.len().min(limit);
        let next = match rows.iter().nth(limit.wrapping_sub(1)) {
            Some(last) if rows.len() > limit => Some(key_of(table, last, order)?),
            Some(_) | None => None,
        };
        Ok(Listed { rows, count, next })
    }

    /// Writes columns of the row that was last changed at `seen`; gives the time of this change.
    pub(crate) async fn update(
        &self,
        table: &'static TableInfo,
        id: Uuid,
        seen: Moment,
        mut columns: Columns,
    ) -> Result<Moment> {
        check::check(table, &mut columns)?;
        self.seal_changes(table, id, &mut columns).await?;
        // Later than the last change whatever the clock says, so that an earlier reader can always tell.
        let now = self.now().max(seen.0 + 1);
        let text =
            sql::update(table, self.tenant(), Value::Uuid(id), Value::Time(seen.0), Value::Time(now), columns.clone());
        let Err(error) = self.store.write(self.tenant, vec![Write::Expect(statement(text), 1)]).await else {
            return Ok(Moment(now));
        };
        let found = self.find(table, id).await?;
        match found.first() {
            Some(row) if !is_deleted(row)? => {
                if row.int(3)? == seen.0 {
                    return Err(self.refusal("change a row of", table, error, &[columns]).await);
                }
                Err(Error::new(Code::Stale, "change a row of", table.name)
                    .because(format!("{id} was changed meanwhile"))
                    .advise("read it again and make the change anew"))
            }
            Some(_) | None => Err(missing("change", table, id)),
        }
    }

    /// Deletes a row; marks it where the table can restore it.
    pub(crate) async fn remove(&self, table: &'static TableInfo, id: Uuid) -> Result<()> {
        let text = sql::remove(table, self.tenant(), Value::Uuid(id), Value::Time(self.now()));
        self.change_one("delete", table, id, text).await
    }

    /// Takes a deletion back.
    pub(crate) async fn restore(&self, table: &'static TableInfo, id: Uuid) -> Result<Rows> {
        let text = sql::restore(table, self.tenant(), Value::Uuid(id), Value::Time(self.now()))?;
        self.change_one("restore", table, id, text).await?;
        self.get(table, id).await
    }

    async fn change_one(&self, action: &'static str, table: &TableInfo, id: Uuid, text: Text) -> Result<()> {
        let written = self.store.write(self.tenant, vec![Write::Execute(statement(text))]).await;
        match written {
            Ok(written) if written.first() == Some(&Written::Changed(1)) => Ok(()),
            Ok(_) => Err(missing(action, table, id)),
            Err(error) if error.code() == Code::Invalid => {
                Err(Error::new(Code::Conflict, action, format!("a row of {}", table.name))
                    .because(error)
                    .advise("other rows refer to it; delete them first"))
            }
            Err(error) => Err(error),
        }
    }

    /// Says which row a refused row refers to in vain: one of another tenant is as one that does not exist.
    async fn refusal(&self, action: &'static str, table: &TableInfo, error: Error, rows: &[Columns]) -> Error {
        if error.code() != Code::Invalid {
            return error;
        }
        for (name, value) in rows.iter().flatten() {
            let Some(parent) = table.column(name).and_then(|c| c.references).filter(|_| *value != Value::Null) else {
                continue;
            };
            let tenant_column = TABLES.iter().find(|t| t.name == parent).map_or("tenant_id", |t| t.tenant);
            let ask = statement(sql::exists(parent, tenant_column, self.tenant(), value.clone()));
            match self.store.query(self.tenant, ask).await {
                Ok(found) if found.is_empty() => {
                    return Error::new(Code::NotFound, action, table.name)
                        .because(format!("{name} names no row of {parent}"));
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        error
    }
}

fn statement(text: Text) -> Statement {
    Statement::new(text.sql, text.params)
}

fn missing(action: &'static str, table: &TableInfo, id: Uuid) -> Error {
    Error::new(Code::NotFound, action, format!("a row of {}", table.name)).because(format!("there is none of id {id}"))
}

fn no_column(action: &'static str, table: &TableInfo, name: &str) -> Error {
    Error::new(Code::Invalid, action, table.name).because(format!("it has no column {}", name.escape_default()))
}

fn is_deleted(row: Row<'_>) -> Result<bool> {
    Ok(row.int(4)? != 0)
}

/// A row of a page, typed.
pub(crate) fn stored<T: Table>(row: Row<'_>) -> Result<Stored<T>> {
    Ok(Stored {
        id: Id::new(row.uuid(0)?),
        index_id: if row.is_null(1) { None } else { Some(row.int(1)?) },
        created_at: Moment(row.int(2)?),
        updated_at: Moment(row.int(3)?),
        is_deleted: is_deleted(row)?,
        row: T::read(row, BASE)?,
    })
}

/// The columns of a typed row.
pub(crate) fn columns<T: Table>(row: &T) -> Columns {
    T::INFO.columns.iter().map(|c| c.name).zip(row.values()).collect()
}

/// Where the page that ends with this row goes on.
fn key_of(table: &TableInfo, last: Row<'_>, list: Option<&ListInfo>) -> Result<PageKey> {
    let latest = match list.and_then(|l| l.latest) {
        None => None,
        Some("created_at") => Some(2),
        Some("updated_at") => Some(3),
        Some(own) => table.columns.iter().position(|c| c.name == own).map(|at| BASE + at),
    };
    let latest = latest.map(|at| last.int(at).map(Value::Time)).transpose()?;
    let order = if last.is_null(1) { Value::Uuid(last.uuid(0)?) } else { Value::Int(last.int(1)?) };
    Ok(PageKey { latest, order })
}

/// The row of an answer that has one.
pub(crate) fn only<'a>(found: &'a Rows, table: &str) -> Result<Row<'a>> {
    found.first().ok_or_else(|| gone(table))
}

/// Somebody deleted the row between two statements.
pub(crate) fn gone(table: &str) -> Error {
    Error::new(Code::NotFound, "read back a row of", table).because("it was deleted meanwhile")
}
