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

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::Trust;
use crate::book::BookInner;
use crate::conduit::{Place, VolumeAt};
use crate::error::{Code, Error, Result};
use crate::model::{
    self, Driver, FtpEndpoint, FtpProtocol, FtpsMode, HttpAuthType, HttpCredential, HttpEndpoint, Id, LocalPath,
    RelPath, S3Bucket, S3Credential, Secret, SecretBytes, StorageVolume, Stored, Table, TenantId, VolumeId,
};
use crate::provider::{Access, Address, Server, Web};
use crate::table::{self, Filter, Tables};

use super::open::{self, Naming};

/// The volume that conduits between bare paths stand on.
const THIS_MACHINE: &str = "local";

/// Saves a place as a volume of this name. What lets one in is sealed.
pub(crate) async fn save(
    book: &Arc<BookInner>,
    tenant: TenantId,
    name: &str,
    address: &Address,
    access: &Access,
) -> Result<Stored<StorageVolume>> {
    let mut saving = Saving { tables: book.tables(tenant), made: Vec::new() };
    let saved = saving.rows(name, address, access).await;
    if saved.is_err() {
        saving.undo().await;
    }
    saved
}

fn volume(name: &str, driver: Driver, config: Map<String, Json>) -> StorageVolume {
    StorageVolume {
        name: name.to_owned(),
        driver,
        config: model::Json(Json::Object(config)),
        default_prefix: None,
        enforce_hierarchy: true,
        path_delimiter: "/".into(),
        use_query_params: false,
        auto_path_strategy: model::AutoPathStrategy::None,
        versioning_mode: model::VersioningMode::None,
        quota_limit: None,
        quota_used: 0,
        is_active: true,
    }
}

/// The rows of a volume while they are made.
struct Saving {
    tables: Tables,
    made: Vec<(&'static model::TableInfo, Uuid)>,
}

impl Saving {
    async fn rows(&mut self, name: &str, address: &Address, access: &Access) -> Result<Stored<StorageVolume>> {
        let mut config = trust_of(&access.trust);
        let mut prefix = None;
        let driver = match address {
            Address::S3 { bucket, prefix: begin } => {
                let bucket = self.bucket(bucket, access).await?;
                config.insert("bucket_id".into(), json!(bucket));
                if let Some(path_style) = access.path_style {
                    config.insert("path_style".into(), json!(path_style));
                }
                prefix = (!begin.is_empty()).then(|| begin.clone());
                Driver::S3
            }
            Address::Sftp(server) => {
                self.server(server, FtpProtocol::Sftp, FtpsMode::None, access, &mut config).await?;
                Driver::Ftp
            }
            Address::Ftp(server) => {
                let mode = if access.plain { FtpsMode::None } else { FtpsMode::Explicit };
                self.server(server, FtpProtocol::Ftp, mode, access, &mut config).await?;
                Driver::Ftp
            }
            Address::Ftps(server) => {
                let mode = if access.is_implicit(server) { FtpsMode::Implicit } else { FtpsMode::Explicit };
                self.server(server, FtpProtocol::Ftp, mode, access, &mut config).await?;
                Driver::Ftp
            }
            Address::WebDav(web) | Address::Http(web) => {
                let endpoint = self.endpoint(address, web, access).await?;
                config.insert("endpoint_id".into(), json!(endpoint));
                if access.lock {
                    config.insert("lock".into(), json!(true));
                }
                if let Some(param) = &access.query_param {
                    config.insert("query_param".into(), json!(param));
                }
                if let Some(index) = &access.index {
                    config.insert("index".into(), json!(index));
                }
                Driver::Http
            }
        };
        let volume = StorageVolume {
            default_prefix: prefix,
            use_query_params: access.query_param.is_some(),
            ..volume(name, driver, config)
        };
        self.create(volume).await
    }

    async fn directory(&mut self, name: &str, path: &str) -> Result<Stored<StorageVolume>> {
        let known = self.tables.list(&LocalPath::INFO, Filter::all().equal("path", &path.to_owned()), None, 1).await?;
        let approved: Stored<LocalPath> = match known.rows.first() {
            Some(row) => table::stored(row)?,
            None => self.create(LocalPath { path: path.to_owned(), description: None }).await?,
        };
        let config = Map::from_iter([("local_path_id".to_owned(), json!(approved.id.0))]);
        self.create(volume(name, Driver::Local, config)).await
    }

    async fn bucket(&mut self, bucket: &str, access: &Access) -> Result<Uuid> {
        let (use_ssl, host) = match access.endpoint.as_deref() {
            Some(endpoint) => match endpoint.split_once("://") {
                Some(("http", host)) => (false, host),
                Some((_, host)) => (true, host),
                None => (true, endpoint),
            },
            None => (true, ""),
        };
        let region = access.region.clone();
        let host = if host.is_empty() {
            region.as_ref().map_or_else(|| "s3.amazonaws.com".to_owned(), |region| format!("s3.{region}.amazonaws.com"))
        } else {
            host.trim_end_matches('/').to_owned()
        };
        let row = S3Bucket { endpoint_url: host, bucket_name: bucket.to_owned(), region, use_ssl };
        let made = self.create(row).await?;
        if let (Some(key), Some(secret)) = (&access.user, &access.password) {
            let credential = S3Credential {
                bucket_id: made.id,
                access_key: key.clone(),
                secret_key: Secret::Plain(secret.clone()),
                session_token: access.token.clone().map(Secret::Plain),
                description: None,
            };
            self.create(credential).await?;
        }
        Ok(made.id.0)
    }

    async fn server(
        &mut self,
        server: &Server,
        protocol: FtpProtocol,
        ftps_mode: FtpsMode,
        access: &Access,
        config: &mut Map<String, Json>,
    ) -> Result<()> {
        let text = |path: &std::path::PathBuf| {
            path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
                Error::new(Code::Invalid, "save the path", model::shown(path)).because("it is not UTF-8")
            })
        };
        let row = FtpEndpoint {
            host: server.host.clone(),
            port: server.port.map(i64::from),
            protocol,
            ftps_mode,
            username: server.user.clone().or_else(|| access.user.clone()),
            password: access.password.clone().map(Secret::Plain),
            key_path: access.key_file.as_ref().map(text).transpose()?,
            passphrase: access.passphrase.clone().map(Secret::Plain),
            host_key: access.host_key.clone(),
        };
        let made = self.create(row).await?;
        config.insert("ftp_id".into(), json!(made.id.0));
        config.insert("path".into(), json!(server.path));
        if let Some(file) = &access.known_hosts {
            config.insert("known_hosts".into(), json!(text(file)?));
        }
        if access.tls12_only {
            config.insert("tls12_only".into(), json!(true));
        }
        Ok(())
    }

    async fn endpoint(&mut self, address: &Address, web: &Web, access: &Access) -> Result<Uuid> {
        let bare = Web { user: None, ..web.clone() };
        let url = match address {
            Address::WebDav(_) => Address::WebDav(bare).to_string(),
            _ => Address::Http(bare).to_string(),
        };
        let made = self.create(HttpEndpoint { url, description: None }).await?;
        if let Some((auth_type, document)) = credentials(web, access)? {
            let credentials = Secret::Plain(document);
            self.create(HttpCredential { endpoint_id: made.id, auth_type, credentials }).await?;
        }
        Ok(made.id.0)
    }

    async fn create<T: Table>(&mut self, row: T) -> Result<Stored<T>> {
        let made = self.tables.create(&T::INFO, vec![table::columns(&row)]).await?;
        let gone = || Error::new(Code::Internal, "add a row to", T::NAME);
        let stored: Stored<T> = table::stored(made.first().and_then(model::Rows::first).ok_or_else(gone)?)?;
        self.made.push((&T::INFO, stored.id.0));
        Ok(stored)
    }

    /// A volume that could not be saved leaves nothing; what cannot be removed names nothing and is used by nobody.
    async fn undo(&mut self) {
        while let Some((table, id)) = self.made.pop() {
            let _ = self.tables.remove(table, id).await;
        }
    }
}

/// What `http_credentials.credentials` holds, as JSON.
fn credentials(web: &Web, access: &Access) -> Result<Option<(HttpAuthType, SecretBytes)>> {
    let text = |secret: &SecretBytes| secret.expose_text().map(ToOwned::to_owned);
    let user = web.user.as_ref().or(access.user.as_ref());
    let (kind, document) = match (&access.header, &access.token, user, &access.password) {
        (Some((name, value)), _, _, _) => (HttpAuthType::CustomHeader, json!({ "name": name, "value": text(value)? })),
        (None, Some(token), _, _) => (HttpAuthType::Bearer, json!({ "token": text(token)? })),
        (None, None, Some(user), Some(password)) => {
            let kind = if access.digest { HttpAuthType::Digest } else { HttpAuthType::Basic };
            (kind, json!({ "username": user, "password": text(password)? }))
        }
        (None, None, Some(_) | None, _) => return Ok(None),
    };
    Ok(Some((kind, document.to_string().into())))
}

fn trust_of(trust: &Trust) -> Map<String, Json> {
    let mut config = Map::new();
    match trust {
        Trust::System => {}
        Trust::Authorities(file) => {
            config.insert("ca_file".into(), json!(file.to_string_lossy()));
        }
        Trust::Certificate(sha256) => {
            let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            config.insert("certificate".into(), json!(digits));
        }
    }
    config
}

/// The place that a volume's rows name, its `default_prefix` left out, and what lets one in there.
pub(crate) async fn reached(
    book: &Arc<BookInner>,
    tenant: TenantId,
    volume: &Stored<StorageVolume>,
) -> Result<(Address, Access)> {
    let reading = Reading { tables: book.tables(tenant), volume, is_to_open: true };
    reading.place().await
}

/// The place alone, for which no key of the book is needed.
pub(crate) async fn address(
    book: &Arc<BookInner>,
    tenant: TenantId,
    volume: &Stored<StorageVolume>,
) -> Result<Address> {
    let reading = Reading { tables: book.tables(tenant), volume, is_to_open: false };
    reading.place().await.map(|(address, _)| address)
}
/// The rows of a volume while they are read.
struct Reading<'a> {
    tables: Tables,
    volume: &'a Stored<StorageVolume>,
    /// Secrets are revealed.
    is_to_open: bool,
}

impl Reading<'_> {
    async fn place(&self) -> Result<(Address, Access)> {
        let mut access = Access { trust: self.trust()?, ..Access::default() };
        let address = match self.volume.row.driver {
            Driver::S3 => self.bucket(&mut access).await?,
            Driver::Ftp => self.server(&mut access).await?,
            Driver::Http => self.endpoint(&mut access).await?,
            Driver::Local => return Err(self.wrong("it is a directory of this machine")),
        };
        Ok((address, access))
    }

    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::new(Code::Invalid, "open the volume", self.volume.row.name.escape_debug()).because(why)
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        match self.volume.row.config.0.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(format_args!("{key} of its config is no text"))),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.volume.row.config.0.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(format_args!("{key} of its config is neither true nor false"))),
        }
    }

    async fn row<T: Table>(&self, key: &str) -> Result<Stored<T>> {
        let id = self.text(key)?.ok_or_else(|| self.wrong(format_args!("its config has no {key}")))?;
        let id = Uuid::try_parse(&id).map_err(|_| self.wrong(format_args!("{key} of its config is no id")))?;
        let found = self.tables.get(&T::INFO, id).await?;
        table::stored(found.first().ok_or_else(|| self.wrong(format_args!("{key} of its config names no row")))?)
    }

    /// The newest row of a list: credentials are replaced by adding others.
    async fn newest<T: Table>(&self, column: &'static str, of: Uuid) -> Result<Option<Stored<T>>> {
        let (mut newest, mut after) = (None, None);
        loop {
            let page = self.tables.list(&T::INFO, Filter::all().equal(column, &of), after.as_ref(), 1000).await?;
            for row in page.rows.iter().take(page.count) {
                let row: Stored<T> = table::stored(row)?;
                if newest.as_ref().is_none_or(|known: &Stored<T>| row.created_at >= known.created_at) {
                    newest = Some(row);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(newest),
            }
        }
    }

    async fn secret<T: Table>(&self, id: Id<T>, column: &'static str) -> Result<Option<SecretBytes>> {
        if !self.is_to_open {
            return Ok(None);
        }
        self.tables.reveal(&T::INFO, id.0, column).await
    }

    fn trust(&self) -> Result<Trust> {
        if let Some(file) = self.text("ca_file")? {
            return Ok(Trust::Authorities(file.into()));
        }
        let Some(digits) = self.text("certificate")? else { return Ok(Trust::System) };
        let wrong = || self.wrong("certificate of its config is not 64 hexadecimal digits");
        let mut sha256 = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        for (byte, at) in sha256.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Trust::Certificate(sha256))
    }

    async fn bucket(&self, access: &mut Access) -> Result<Address> {
        let bucket: Stored<S3Bucket> = self.row("bucket_id").await?;
        let scheme = if bucket.row.use_ssl { "https" } else { "http" };
        access.endpoint = Some(format!("{scheme}://{}", bucket.row.endpoint_url));
        access.region = bucket.row.region;
        access.path_style = self.flag("path_style")?;
        if let Some(credential) = self.newest::<S3Credential>("bucket_id", bucket.id.0).await? {
            access.user = Some(credential.row.access_key);
            access.password = self.secret(credential.id, "secret_key").await?;
            access.token = self.secret(credential.id, "session_token").await?;
        }
        Ok(Address::S3 { bucket: bucket.row.bucket_name, prefix: String::new() })
    }

    async fn server(&self, access: &mut Access) -> Result<Address> {
        let endpoint: Stored<FtpEndpoint> = self.row("ftp_id").await?;
        access.password = self.secret(endpoint.id, "password").await?;
        access.passphrase = self.secret(endpoint.id, "passphrase").await?;
        access.known_hosts = self.text("known_hosts")?.map(Into::into);
        access.tls12_only = self.flag("tls12_only")?.unwrap_or_default();
        let row = endpoint.row;
        access.key_file = row.key_path.map(Into::into);
        access.host_key = row.host_key;
        access.plain = row.ftps_mode == FtpsMode::None;
        access.implicit = Some(row.ftps_mode == FtpsMode::Implicit);
        let port = row.port.and_then(|port| u16::try_from(port).ok());
        let path = self.text("path")?.unwrap_or_else(|| "/".into());
        let server = Server { user: row.username, host: row.host, port, path };
        Ok(match (row.protocol, row.ftps_mode) {
            (FtpProtocol::Sftp, _) => Address::Sftp(server),
            (FtpProtocol::Ftp, FtpsMode::Implicit) => Address::Ftps(server),
            (FtpProtocol::Ftp, FtpsMode::Explicit | FtpsMode::None) => Address::Ftp(server),
        })
    }

    async fn endpoint(&self, access: &mut Access) -> Result<Address> {
        let endpoint: Stored<HttpEndpoint> = self.row("endpoint_id").await?;
        access.query_param = self.text("query_param")?;
        access.index = self.text("index")?;
        if let Some(credential) = self.newest::<HttpCredential>("endpoint_id", endpoint.id.0).await?
            && let Some(document) = self.secret(credential.id, "credentials").await?
        {
            self.let_in(access, credential.row.auth_type, &document)?;
        }
        access.lock = self.flag("lock")?.unwrap_or_default();
        endpoint.row.url.parse()
    }

    /// No error shows what the document holds.
    fn let_in(&self, access: &mut Access, kind: HttpAuthType, document: &SecretBytes) -> Result<()> {
        let wrong = || self.wrong("its credentials are not a JSON document of their kind");
        let parsed: Json = serde_json::from_slice(document.expose()).map_err(|_| wrong())?;
        let text = |key: &str| parsed.get(key).and_then(Json::as_str).map(ToOwned::to_owned).ok_or_else(wrong);
        match kind {
            HttpAuthType::Basic | HttpAuthType::Digest => {
                access.user = Some(text("username")?);
                access.password = Some(text("password")?.into());
                access.digest = kind == HttpAuthType::Digest;
            }
            HttpAuthType::Bearer => access.token = Some(text("token")?.into()),
            HttpAuthType::CustomHeader => access.header = Some((text("name")?, text("value")?.into())),
        }
        Ok(())
    }
}

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

/// Saves a directory of this machine as a volume, and approves it.
pub(crate) async fn save_directory(
    book: &Arc<BookInner>,
    tenant: TenantId,
    name: &str,
    path: &Path,
) -> Result<Stored<StorageVolume>> {
    let path = path.canonicalize().map_err(|e| Error::io("find the directory", model::shown(path), e))?;
    let text = path.to_str().ok_or_else(|| {
        Error::new(Code::Invalid, "save the directory", model::shown(&path)).because("its path is not UTF-8")
    })?;
    let mut saving = Saving { tables: book.tables(tenant), made: Vec::new() };
    let saved = saving.directory(name, text).await;
    if saved.is_err() {
        saving.undo().await;
    }
    saved
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
