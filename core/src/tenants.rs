//! Tenants of a book: made, listed, renamed, and deleted with all that is theirs.

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{Moment, Record, Tenant, TenantId, Value};
use crate::operation::clock::micros;
use crate::store::{Insert, Statement, Store, Write, Written, select};

pub(crate) async fn create(store: &dyn Store, name: String, now: DateTime<Utc>) -> Result<Tenant> {
    check("create a tenant", &name)?;
    let now = Moment(micros(now));
    let tenant = Tenant { id: TenantId(Uuid::now_v7()), name, created_at: now, updated_at: now };
    store.write(tenant.id, vec![Write::Insert(Insert::of(std::slice::from_ref(&tenant)))]).await?;
    Ok(tenant)
}

/// # Errors
/// `not_found`.
pub(crate) async fn get(store: &dyn Store, id: TenantId) -> Result<Tenant> {
    find(store, id).await?.ok_or_else(|| missing("find the tenant", id))
}

async fn find(store: &dyn Store, id: TenantId) -> Result<Option<Tenant>> {
    let ask = Statement::new(select!(Tenant, "WHERE id = ?1"), vec![Value::Uuid(id.0)]);
    store.query(id, ask).await?.first().map(Tenant::read).transpose()
}

/// The list of ids is the one thing that may be asked across tenants; each row is read as its own tenant.
pub(crate) async fn list(store: &dyn Store, after: Option<TenantId>, limit: usize) -> Result<Vec<Tenant>> {
    let ids = store.tenants().await?;
    let page = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)).take(limit);
    let rows = try_join_all(page.map(|id| find(store, id))).await?;
    // One that was deleted in between is not there.
    Ok(rows.into_iter().flatten().collect())
}

pub(crate) async fn rename(store: &dyn Store, id: TenantId, name: String, now: DateTime<Utc>) -> Result<Tenant> {
    check("rename the tenant", &name)?;
    let set = Statement::new(
        "UPDATE tenants SET name = ?2, updated_at = ?3 WHERE id = ?1",
        vec![Value::Uuid(id.0), Value::Text(name), Value::Time(micros(now))],
    );
    match store.write(id, vec![Write::Execute(set)]).await?.first() {
        Some(Written::Changed(1)) => get(store, id).await,
        Some(_) | None => Err(missing("rename the tenant", id)),
    }
}

/// What refers to the tenant goes with it, by the rules of the tables.
pub(crate) async fn delete(store: &dyn Store, id: TenantId, now: DateTime<Utc>) -> Result<()> {
    let delete = Statement::new(
        "DELETE FROM tenants WHERE id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM sync_conduit WHERE tenant_id = ?1 AND lease_expires_at > ?2)",
        vec![Value::Uuid(id.0), Value::Time(micros(now))],
    );
    if store.write(id, vec![Write::Execute(delete)]).await?.first() == Some(&Written::Changed(1)) {
        return Ok(());
    }
    if find(store, id).await?.is_none() {
        return Err(missing("delete the tenant", id));
    }
    Err(Error::new(Code::Busy, "delete the tenant", id)
        .because("one of its conduits runs")
        .advise("cancel the run, or let it end"))
}

fn check(action: &'static str, name: &str) -> Result<()> {
    match name.chars().count() {
        1..=255 if !name.contains('\0') => Ok(()),
        _ => Err(Error::new(Code::Invalid, action, "").because("a name has 1 to 255 characters, none of them 0")),
    }
}

fn missing(action: &'static str, id: TenantId) -> Error {
    Error::new(Code::NotFound, action, id).because("there is none of this id")
}
