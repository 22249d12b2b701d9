//! How fast bytes may pass to and from a volume: `bandwidth` in its `config`, a rate or a timetable, shared by everything
//! of this process that reads or writes there.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;
use uuid::Uuid;

use super::open::{self, Naming};
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{Column as _, StorageVolume, Table as _, TenantId};
use crate::provider::{Bandwidth, Limit, Pace};
use crate::store::{Statement, Value};

const KEY: &str = "bandwidth";

/// The limits of the volumes that this process uses.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<HashMap<Uuid, Arc<Limit>>>);

impl Limits {
    /// The one limit of a volume, as its config says now.
    fn of(&self, volume: Uuid, bandwidth: Option<Bandwidth>) -> Option<Arc<Limit>> {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bandwidth) = bandwidth else {
            limits.remove(&volume);
            return None;
        };
        match limits.get(&volume).filter(|limit| *limit.bandwidth() == bandwidth) {
            Some(limit) => Some(limit.clone()),
            None => {
                let limit = Limit::new(bandwidth);
                limits.insert(volume, limit.clone());
                Some(limit)
            }
        }
    }
}

/// What a config says.
fn parsed(name: &str, config: &Json) -> Result<Option<Bandwidth>> {
    match config.get(KEY) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => text.parse().map(Some),
        Some(_) => Err(Error::new(Code::Invalid, "use the volume", name.escape_debug())
            .because("the bandwidth in its config is no text")),
    }
}

/// The pace of what passes to and from one volume.
pub(super) fn pace(book: &BookInner, id: Uuid, volume: &StorageVolume) -> Result<Pace> {
    let own = book.volume_limits.of(id, parsed(&volume.name, &volume.config.0)?);
    Ok(Pace::new(book.limit.iter().cloned().chain(own), Arc::new(AtomicBool::new(false))))
}

/// The limits of the volumes that a conduit ends on.
pub(crate) async fn of_conduit(book: &BookInner, tenant: TenantId, conduit: i64) -> Result<Vec<Arc<Limit>>> {
    let ask = Statement::new(
        "SELECT DISTINCT v.id, v.name, v.config FROM sync_conduit c \
         JOIN entry e ON e.tenant_id = c.tenant_id AND (e.id = c.source_entry_id OR e.id = c.target_entry_id) \
         JOIN storage_volumes v ON v.tenant_id = e.tenant_id AND v.id = e.volume_id \
         WHERE c.tenant_id = ?1 AND c.id = ?2",
        vec![Value::Uuid(tenant.0), Value::Int(conduit)],
    );
    let mut limits = Vec::new();
    for row in book.store.query(tenant, ask).await?.iter() {
        let (id, name, config) = (row.uuid(0)?, row.text(1)?, row.text(2)?);
        let config = serde_json::from_str(config)
            .map_err(|e| Error::new(Code::Corrupt, "read the config of", name.escape_debug()).caused_by(e))?;
        limits.extend(book.volume_limits.of(id, parsed(name, &config)?));
    }
    Ok(limits)
}

/// Sets the limit of a volume, or takes it away.
pub(crate) async fn set(
    book: &Arc<BookInner>,
    tenant: TenantId,
    name: &str,
    bandwidth: Option<&Bandwidth>,
) -> Result<()> {
    let volume = open::find(book, tenant, &Naming(name.to_owned())).await?;
    let mut config = volume.row.config;
    if let Json::Object(config) = &mut config.0 {
        match bandwidth {
            Some(bandwidth) => drop(config.insert(KEY.into(), Json::String(bandwidth.to_string()))),
            None => drop(config.remove(KEY)),
        }
    }
    let columns = vec![("config", config.value())];
    book.tables(tenant).update(&StorageVolume::INFO, volume.id.0, volume.updated_at, columns).await.map(drop)
}
