//! From a row to an open volume.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::path::Layout;
use super::{Inner, PROMISE, Volume};
use super::{limit, saved};
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{Driver, LocalPath, Row, StorageVolume, Stored, Table as _, TenantId, UserId, shown};
use crate::provider::Provider;
use crate::provider::local::Local;
use crate::store::{Statement, Value};
use crate::table::{self, Filter};

/// A volume by what a host calls it.
#[derive(Clone, Debug)]
pub(crate) struct Naming(pub(crate) String);

/// Opens a volume, on the provider that its row names or one that the host brings.
pub(crate) async fn open(
    book: Arc<BookInner>,
    tenant: TenantId,
    user: UserId,
    name: &Naming,
    place: Option<Arc<dyn Provider>>,
) -> Result<Volume> {
    let row = find(&book, tenant, name).await?;
    if !row.row.is_active {
        return Err(inactive(&row.row));
    }
    let layout = Layout::of(&row.row)?;
    let place = match place {
        Some(place) => place,
        None => open_provider(&book, tenant, &row).await?,
    };
    let (process, pace) = (process(&book), limit::pace(&book, row.id.0, &row.row)?);
    let inner = Arc::new(Inner { book, tenant, user, row, layout, place, pace, process, promise: PROMISE });
    // What cannot be brought back now is tried again by the next one; it holds no room any more.
    let _ = inner.recover_all().await;
    Ok(Volume { inner })
}

/// Names one opening among all processes.
pub(super) fn process(book: &BookInner) -> String {
    format!("{}~{}~{}", book.machine, std::process::id(), Uuid::now_v7().simple())
}

pub(super) fn inactive(volume: &StorageVolume) -> Error {
    Error::new(Code::Invalid, "use the volume", volume.name.escape_debug())
        .because("it is not active")
        .advise("set is_active of its row")
}

pub(super) async fn find(book: &Arc<BookInner>, tenant: TenantId, name: &Naming) -> Result<Stored<StorageVolume>> {
    let tables = book.tables(tenant);
    let missing =
        || Error::new(Code::NotFound, "find the volume", name.0.escape_debug()).because("there is none of this name");
    let filter = Filter::all().equal("name", &name.0);
    // A name that no volume can have is refused in words of its own; here it is only not found.
    let named = tables.list(&StorageVolume::INFO, filter, None, 1).await.map_err(|e| match e.code() {
        Code::Invalid => missing(),
        _ => e,
    })?;
    if let Some(row) = named.rows.first() {
        return table::stored(row);
    }
    let id = Uuid::try_parse(&name.0).map_err(|_| missing())?;
    match tables.get(&StorageVolume::INFO, id).await {
        Ok(found) => table::stored(found.first().ok_or_else(missing)?),
        Err(e) if e.code() == Code::NotFound => Err(missing()),
        Err(e) => Err(e),
    }
}

/// The provider behind a volume: the one place that knows which driver is which.
pub(super) async fn open_provider(
    book: &Arc<BookInner>,
    tenant: TenantId,
    volume: &Stored<StorageVolume>,
) -> Result<Arc<dyn Provider>> {
    match volume.row.driver {
        Driver::Local => Ok(Arc::new(Local::open(&approved(book, tenant, &volume.row).await?)?)),
        Driver::S3 | Driver::Ftp | Driver::Http => {
            let (address, access) = saved::reached(book, tenant, volume).await?;
            address.open(&access).await
        }
    }
}

/// The directory of a volume of this machine: that of `config.local_path_id`, or `config.path` within any approved one,
/// links resolved.
pub(super) async fn approved(book: &BookInner, tenant: TenantId, volume: &StorageVolume) -> Result<PathBuf> {
    let action = "open the volume";
    let name = volume.name.escape_debug();
    let wrong = |why: &str| Error::new(Code::Invalid, action, &name).because(why);
    let text = |key: &str| match volume.config.0.get(key) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong("what its config says of its path is no text")),
    };
    let (id, path) = (text("local_path_id")?, text("path")?);
    let id =
        id.map(|id| Uuid::try_parse(&id).map_err(|_| wrong("its config names a path by what is no id"))).transpose()?;
    let roots = roots(book, tenant, id).await?;
    let wanted = match (&path, roots.as_slice()) {
        (Some(path), _) => PathBuf::from(path),
        (None, [only]) if id.is_some() => only.clone(),
        (None, []) if id.is_some() => return Err(wrong("its config names a path that is not approved")),
        (None, _) => return Err(wrong("its config names no path")),
    };
    // Beneath the one that is named.
    let wanted = match (id, roots.as_slice()) {
        (Some(_), [only]) => only.join(wanted),
        (Some(_) | None, _) => wanted,
    };
    if !wanted.is_absolute() {
        return Err(wrong("the path is not absolute"));
    }
    let real = canonical(action, &wanted)?;
    if !roots.iter().any(|root| canonical(action, root).is_ok_and(|root| real.starts_with(root))) {
        return Err(Error::new(Code::Permission, action, name)
            .because(format_args!("{} is in no approved path of this machine", shown(&real)))
            .advise("add the directory to local_paths"));
    }
    Ok(real)
}

/// The approved directories, or the one of that id.
async fn roots(book: &BookInner, tenant: TenantId, id: Option<Uuid>) -> Result<Vec<PathBuf>> {
    let mut sql = format!("SELECT path FROM {} WHERE tenant_id = ?1", LocalPath::NAME);
    let mut params = vec![Value::Uuid(tenant.0)];
    if let Some(id) = id {
        sql.push_str(" AND id = ?2");
        params.push(Value::Uuid(id));
    }
    let rows = book.store.query(tenant, Statement::new(sql, params)).await?;
    let path = |row: Row<'_>| row.text(0).map(PathBuf::from);
    rows.iter().map(path).filter(|path| path.as_ref().map_or(true, |path| path.is_absolute())).collect()
}

fn canonical(action: &'static str, path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|e| Error::io(action, shown(path), e))
}
