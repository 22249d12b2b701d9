//! A book copied from SQLite to PostgreSQL, or back, with nothing lost.
//!
//! Tenant by tenant and table by table, parents first, in the order of the primary keys. When all is written both books
//! are read once more and a digest of every table is compared: a copy that ends well *is* the book that was copied. Until
//! then the new book says that it is unfinished (`book_copy`) and is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blake3::Hasher;

use super::catalog::{self, Scope, Shape};
use crate::error::{Code, Error, Result};
use crate::model::{TenantId, ValueKind};
use crate::store::{Engine, Insert, OnConflict, Rows, Statement, Store, Value, Write};

/// Rows of one page and of one insert.
const ROWS: i64 = 2000;

const ACTION: &str = "copy the book";

/// A copy under way: ask it how far it is, or cancel it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Copying {
    inner: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    total: AtomicU64,
    done: AtomicU64,
    cancelled: AtomicBool,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// Rows to write and to compare, each counted once for either; 0 until they are counted.
    pub total: u64,
    /// Rows written or compared.
    pub done: u64,
}

/// What a copy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Tenants.
    pub tenants: u64,
    /// Tables.
    pub tables: u64,
    /// Rows, all compared with those they were copied from.
    pub rows: u64,
}

impl Copying {
    /// Nothing done yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> CopyProgress {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        CopyProgress { total: get(&self.inner.total), done: get(&self.inner.done) }
    }

    /// Ends it with `cancelled` soon. The new book stays unfinished.
    pub fn cancel(&self) {
        self.inner.cancelled.store(true, Ordering::Relaxed);
    }

    fn add(&self, rows: u64) -> Result<()> {
        self.inner.done.fetch_add(rows, Ordering::Relaxed);
        if self.inner.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, ACTION, "").because("it was cancelled"));
        }
        Ok(())
    }
}

/// Copies every row of one book into a new, empty one on the other engine.
pub(crate) async fn copy(from: &dyn Store, to: &dyn Store, copying: &Copying) -> Result<CopyReport> {
    let postgres = match (from.engine(), to.engine()) {
        (Engine::Postgres, Engine::Sqlite) => from,
        (Engine::Sqlite, Engine::Postgres) => to,
        (Engine::Sqlite, Engine::Sqlite) | (Engine::Postgres, Engine::Postgres) => {
            return Err(Error::new(Code::Unsupported, ACTION, "")
                .because("both books are on the same engine")
                .advise("back up a book in a file, or use the server's own tools"));
        }
    };
    let shapes = catalog::read(postgres).await?;
    let tenants = from.tenants().await?;
    refuse_busy(from, &tenants).await?;
    begin(to).await?;

    let mut rows = 0;
    for shape in &shapes {
        for owner in owners(shape, &tenants) {
            rows += count(from, shape, owner).await?;
        }
    }
    copying.inner.total.store(rows * 2, Ordering::Relaxed);
    for shape in &shapes {
        let mut numbered = 0;
        for owner in owners(shape, &tenants) {
            if shape.name == "sync_activity_log" {
                forget_echoes(to, shape, owner).await?;
            }
            numbered = numbered.max(carry(from, to, shape, owner, copying).await?);
        }
        number_on(to, shape, numbered).await?;
    }
    for shape in &shapes {
        for owner in owners(shape, &tenants) {
            compare(from, to, shape, owner, copying).await?;
        }
    }
    let done = Statement::new("DELETE FROM book_copy", Vec::new());
    to.write(NOBODY, vec![Write::Execute(done)]).await?;
    Ok(CopyReport { tenants: tenants.len() as u64, tables: shapes.len() as u64, rows })
}

/// No tenant at all.
const NOBODY: TenantId = TenantId(uuid::Uuid::nil());

/// As whom a table is read and written: once per tenant, or once for the book.
fn owners(shape: &Shape, tenants: &[TenantId]) -> Vec<TenantId> {
    match shape.scope {
        Scope::Book => vec![TenantId::BOOK],
        Scope::Tenant(_) | Scope::Parent { .. } => tenants.to_vec(),
    }
}

/// A copy of a book that is being written would hold two moments at once.
async fn refuse_busy(from: &dyn Store, tenants: &[TenantId]) -> Result<()> {
    for tenant in tenants {
        let ask = Statement::new(
            "SELECT count(*) FROM sync_generation WHERE tenant_id = ?1 AND status = 'running'",
            vec![Value::Uuid(tenant.0)],
        );
        if from.query(*tenant, ask).await?.first().map_or(Ok(0), |row| row.int(0))? > 0 {
            return Err(Error::new(Code::Busy, ACTION, "")
                .because("a run is under way, or was killed")
                .advise("let it finish, or run it once more, and copy then"));
        }
    }
    Ok(())
}

/// Marks the new book as unfinished. It must be empty.
async fn begin(to: &dyn Store) -> Result<()> {
    if !to.tenants().await?.is_empty() {
        return Err(Error::new(Code::Conflict, ACTION, "")
            .because("the other book is not empty")
            .advise("name a new file, or another schema of the database"));
    }
    let mark = Statement::new("INSERT INTO book_copy (number) VALUES (1) ON CONFLICT (number) DO NOTHING", Vec::new());
    to.write(NOBODY, vec![Write::Execute(mark)]).await.map(|_| ())
}

/// ` WHERE` the row is the owner's, with the owner as `?1`; nothing where there is no owner.
fn mine(shape: &Shape) -> String {
    match &shape.scope {
        Scope::Book => String::new(),
        Scope::Tenant(column) => format!(" WHERE {column} = ?1"),
        Scope::Parent { column, parent, key, tenant } => {
            format!(" WHERE {column} IN (SELECT {key} FROM {parent} WHERE {tenant} = ?1)")
        }
    }
}

fn scope_values(shape: &Shape, owner: TenantId) -> Vec<Value> {
    match shape.scope {
        Scope::Book => Vec::new(),
        Scope::Tenant(_) | Scope::Parent { .. } => vec![Value::Uuid(owner.0)],
    }
}

async fn count(from: &dyn Store, shape: &Shape, owner: TenantId) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {}{}", shape.name, mine(shape));
    let rows = from.query(owner, Statement::new(sql, scope_values(shape, owner))).await?;
    rows.first().map_or(Ok(0), |row| row.int(0)).map(|n| n.unsigned_abs())
}

/// The page of rows after a key, in the order of the keys.
async fn page(store: &dyn Store, shape: &Shape, owner: TenantId, after: Option<Vec<Value>>) -> Result<Rows> {
    let names: Vec<_> = shape.columns.iter().map(|(name, _)| name.as_str()).collect();
    let key = shape.key.join(", ");
    let mut params = scope_values(shape, owner);
    let mut sql = format!("SELECT {} FROM {}{}", names.join(", "), shape.name, mine(shape));
    if let Some(after) = after {
        let places: Vec<_> = (1..=after.len()).map(|i| format!("?{}", params.len() + i)).collect();
        let joint = if params.is_empty() { "WHERE" } else { "AND" };
        sql.push_str(&format!(" {joint} ({key}) > ({})", places.join(", ")));
        params.extend(after);
    }
    params.push(Value::Int(ROWS));
    sql.push_str(&format!(" ORDER BY {key} LIMIT ?{}", params.len()));
    store.query(owner, Statement::new(sql, params)).await
}

/// The values of a row, in the order of the columns.
fn values_of(shape: &Shape, row: crate::store::Row<'_>) -> Result<Vec<Value>> {
    shape.columns.iter().enumerate().map(|(at, (_, kind))| catalog::value(row, at, *kind)).collect()
}

fn key_of(shape: &Shape, values: &[Value]) -> Vec<Value> {
    let at = |name: &String| shape.columns.iter().position(|(c, _)| c == name);
    shape.key.iter().filter_map(at).filter_map(|at| values.get(at).cloned()).collect()
}

/// Copies the owner's rows of a table; gives the greatest number in the numbered column.
async fn carry(from: &dyn Store, to: &dyn Store, shape: &Shape, owner: TenantId, copying: &Copying) -> Result<i64> {
    let own: Vec<bool> = shape.columns.iter().map(|(name, _)| shape.own.contains(name)).collect();
    let numbered = shape.columns.iter().position(|(name, _)| Some(name) == shape.numbered.as_ref());
    let (mut after, mut greatest, mut later) = (None, 0, Vec::new());
    loop {
        let rows = page(from, shape, owner, after.take()).await?;
        let mut all = Vec::with_capacity(rows.len() * own.len());
        for row in rows.iter() {
            let mut values = values_of(shape, row)?;
            let key = key_of(shape, &values);
            if let Some(Value::Int(number)) = numbered.and_then(|at| values.get(at)) {
                greatest = greatest.max(*number);
            }
            for (at, _) in own.iter().enumerate().filter(|(_, own)| **own) {
                let value = std::mem::replace(&mut values[at], Value::Null);
                if value != Value::Null {
                    later.push((at, value, key.clone()));
                }
            }
            all.extend(values);
            after = Some(key);
        }
        let columns = shape.columns.iter().map(|(name, _)| name.clone());
        if !rows.is_empty() {
            let insert = Insert::new(shape.name.clone(), columns, all, OnConflict::Fail);
            to.write(owner, vec![Write::Insert(insert)]).await?;
        }
        copying.add(rows.len() as u64)?;
        if rows.len() < ROWS as usize {
            break;
        }
    }
    for part in later.chunks(ROWS as usize) {
        to.write(owner, part.iter().map(|(at, value, key)| point_back(shape, *at, value, key)).collect()).await?;
    }
    Ok(greatest)
}

/// Fills in a reference to a row of the same table, when all of them are there.
fn point_back(shape: &Shape, at: usize, value: &Value, key: &[Value]) -> Write {
    let wanted: Vec<_> = shape.key.iter().enumerate().map(|(i, c)| format!("{c} = ?{}", i + 2)).collect();
    let sql = format!("UPDATE {} SET {} = ?1 WHERE {}", shape.name, shape.columns[at].0, wanted.join(" AND "));
    Write::Expect(Statement::new(sql, [value].into_iter().chain(key).cloned().collect()), 1)
}

/// Removes the lines that the arrival of finished progress has written: the true ones follow.
async fn forget_echoes(to: &dyn Store, shape: &Shape, owner: TenantId) -> Result<()> {
    let sql = format!("DELETE FROM {}{}", shape.name, mine(shape));
    to.write(owner, vec![Write::Execute(Statement::new(sql, scope_values(shape, owner)))]).await.map(|_| ())
}

/// Lets PostgreSQL number on from there; SQLite does so by itself.
async fn number_on(to: &dyn Store, shape: &Shape, greatest: i64) -> Result<()> {
    let (Engine::Postgres, Some(column), true) = (to.engine(), &shape.numbered, greatest > 0) else { return Ok(()) };
    let params = vec![Value::Text(shape.name.clone()), Value::Text(column.clone()), Value::Int(greatest)];
    let raise = Statement::new("SELECT portbook_number_on(?1, ?2, ?3)", params);
    to.write(NOBODY, vec![Write::Returning(raise)]).await.map(|_| ())
}

/// Reads both sides once more.
async fn compare(from: &dyn Store, to: &dyn Store, shape: &Shape, owner: TenantId, copying: &Copying) -> Result<()> {
    let mut after = None;
    loop {
        let (theirs, ours) = (page(from, shape, owner, after.clone()).await?, page(to, shape, owner, after).await?);
        if digest(shape, &theirs)? != digest(shape, &ours)? {
            return Err(Error::new(Code::Conflict, ACTION, format!("its table {}", shape.name))
                .because("the copy reads differently: somebody wrote to the book meanwhile")
                .advise("copy again into a new book while nobody writes"));
        }
        copying.add(theirs.len() as u64)?;
        let Some(last) = theirs.iter().last().filter(|_| theirs.len() >= ROWS as usize) else { return Ok(()) };
        after = Some(key_of(shape, &values_of(shape, last)?));
    }
}

/// The digest of a page: every value with its length, JSON as the document it is.
fn digest(shape: &Shape, rows: &Rows) -> Result<blake3::Hash> {
    let mut hasher = Hasher::new();
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    for row in rows.iter() {
        for (value, (_, kind)) in values_of(shape, row)?.iter().zip(&shape.columns) {
            match value {
                Value::Null => put(b"\0null"),
                Value::Bool(flag) => put(&[u8::from(*flag)]),
                Value::Int(number) | Value::Time(number) => put(&number.to_le_bytes()),
                Value::Real(number) => put(&number.to_le_bytes()),
                Value::Text(text) if *kind == ValueKind::Json => put(canonical(text)?.as_bytes()),
                Value::Text(text) => put(text.as_bytes()),
                Value::Blob(bytes) => put(bytes),
                Value::Uuid(id) => put(id.as_bytes()),
                // Read from a book, where secrets are sealed: bytes like any others.
                Value::Secret(_) => return Err(Error::new(Code::Internal, ACTION, &shape.name)),
            }
        }
    }
    Ok(hasher.finalize())
}

/// A JSON document whatever the order of its fields and the way its numbers are written: PostgreSQL keeps neither.
fn canonical(text: &str) -> Result<String> {
    fn settle(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => {
                let float = number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15);
                if let Some(float) = float {
                    *value = (float as i64).into();
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(settle),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(settle),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
        }
    }
    let mut document = serde_json::from_str(text)
        .map_err(|e| Error::new(Code::Corrupt, ACTION, "a JSON document in it").caused_by(e))?;
    settle(&mut document);
    Ok(document.to_string())
}
