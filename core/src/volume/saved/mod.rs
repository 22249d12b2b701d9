//! Saved volumes: how a place behind a URL and what lets one in there are kept as rows, and read back.
//!
//! | driver | rows | in the volume's `config` |
//! |---|---|---|
//! | `s3` | `s3_buckets`, `s3_credentials` | `bucket_id`, `path_style` |
//! | `ftp` | `ftp_endpoints` | `ftp_id`, `path`, `known_hosts`, `tls12_only` |
//! | `http` | `http_endpoints`, `http_credentials` | `endpoint_id`, `query_param`, `index`, `lock` |
//!
//! Every driver: `ca_file` or `certificate`. The prefix of a bucket is the volume's `default_prefix`. An endpoint of HTTP is
//! a WebDAV server when its URL says `dav://` or `davs://`.

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use super::open::{self, Naming};
use crate::book::BookInner;
use crate::conduit::{Place, VolumeAt};
use crate::error::{Code, Error, Result};
use crate::model::{
    self, Driver, FtpEndpoint, HttpEndpoint, RelPath, S3Bucket, StorageVolume, Stored, Table, TenantId, VolumeId,
};
use crate::table::{self, Filter};

use self::read::address;
pub(crate) use self::read::reached;
pub(crate) use self::write::{save, save_directory};

/// The volume that conduits between bare paths stand on.
const THIS_MACHINE: &str = "local";

/// A saved volume, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedVolume {
    /// Its id.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
    /// How it is reached: `local`, `s3`, `ftp`, `http`.
    pub driver: &'static str,
    /// Where it is: a URL or a path, without anything that lets one in; or why that cannot be said.
    pub place: String,
    /// Whether it may be used.
    pub is_active: bool,
}

/// The saved volumes by their names, but for the one that stands for this machine.
pub(crate) async fn saved(book: &Arc<BookInner>, tenant: TenantId) -> Result<Vec<SavedVolume>> {
    let tables = book.tables(tenant);
    let (mut volumes, mut after) = (Vec::new(), None);
    loop {
        let page = tables.list(&StorageVolume::INFO, Filter::all(), after.as_ref(), 1000).await?;
        for row in page.rows.iter().take(page.count) {
            let volume: Stored<StorageVolume> = table::stored(row)?;
            if volume.row.name == THIS_MACHINE {
                continue;
            }
            let place = match volume.row.driver {
                Driver::Local => open::approved(book, tenant, &volume.row).await.map(|path| model::shown(&path)),
                Driver::S3 | Driver::Ftp | Driver::Http => {
                    let prefix = volume.row.default_prefix.as_deref().unwrap_or_default();
                    address(book, tenant, &volume).await.map(|address| address.join(prefix).to_string())
                }
            };
            volumes.push(SavedVolume {
                id: volume.id,
                name: volume.row.name.clone(),
                driver: volume.row.driver.as_str(),
                place: place.unwrap_or_else(|error| error.to_string()),
                is_active: volume.row.is_active,
            });
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(volumes)
}

/// A directory of a saved volume as an end of a conduit. The volume's `default_prefix` stands before the path.
pub(crate) async fn place(book: &Arc<BookInner>, tenant: TenantId, name: &str, path: &str) -> Result<Place> {
    let volume = open::find(book, tenant, &Naming(name.to_owned())).await?;
    if !volume.row.is_active {
        return Err(open::inactive(&volume.row));
    }
    let prefix = volume.row.default_prefix.as_deref().unwrap_or_default();
    let path = [prefix, path].map(|part| part.trim_matches('/')).join("/");
    let path = path.trim_matches('/').to_owned();
    // No empty component, none that leads elsewhere.
    if RelPath::parse(path.as_bytes()).is_none() {
        return Err(Error::new(Code::Invalid, "use the path", path.escape_debug())
            .because("it has an empty component, or one that is '.' or '..'"));
    }
    let at = match volume.row.driver {
        Driver::Local => {
            let root = open::approved(book, tenant, &volume.row).await?;
            // Bare paths stand on this one: it has no rules of its own.
            if volume.row.name == THIS_MACHINE {
                return Ok(Place::Local(root.join(path)));
            }
            VolumeAt::here(root, &path)
        }
        Driver::S3 | Driver::Ftp | Driver::Http => {
            let (address, access) = reached(book, tenant, &volume).await?;
            VolumeAt::there(address.join(&path), access)
        }
    };
    Ok(Place::Volume { volume: volume.id, path, at })
}

/// A directory of a volume, by its path there as the book has it; none where the volume is not of this machine.
pub(crate) async fn directory(
    book: &Arc<BookInner>,
    tenant: TenantId,
    volume: VolumeId,
    path: &str,
) -> Result<Option<PathBuf>> {
    let found = book.tables(tenant).get(&StorageVolume::INFO, volume.0).await?;
    let missing = || Error::new(Code::NotFound, "find the volume", volume);
    let row: Stored<StorageVolume> = table::stored(found.first().ok_or_else(missing)?)?;
    if row.row.driver != Driver::Local {
        return Ok(None);
    }
    let at = VolumeAt::here(open::approved(book, tenant, &row.row).await?, path).canonical()?;
    Ok(at.directory().map(Path::to_owned))
}

/// Removes a saved volume with the rows that only it names.
pub(crate) async fn remove(book: &Arc<BookInner>, tenant: TenantId, name: &str) -> Result<()> {
    let volume = open::find(book, tenant, &Naming(name.to_owned())).await?;
    let tables = book.tables(tenant);
    tables.remove(&StorageVolume::INFO, volume.id.0).await?;
    let named: [(&str, &'static model::TableInfo); 3] =
        [("bucket_id", &S3Bucket::INFO), ("ftp_id", &FtpEndpoint::INFO), ("endpoint_id", &HttpEndpoint::INFO)];
    for (key, table) in named {
        let id = volume.row.config.0.get(key).and_then(Json::as_str).and_then(|id| Uuid::try_parse(id).ok());
        if let Some(id) = id {
            match tables.remove(table, id).await {
                // Another volume may have taken it along, or name it still.
                Err(e) if matches!(e.code(), Code::NotFound | Code::Conflict) => {}
                other => other?,
            }
        }
    }
    Ok(())
}
