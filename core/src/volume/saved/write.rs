//! A place and what lets one in there, written as rows.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::Trust;
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{
    self, Driver, FtpEndpoint, FtpProtocol, FtpsMode, HttpAuthType, HttpCredential, HttpEndpoint, LocalPath, S3Bucket,
    S3Credential, Secret, SecretBytes, StorageVolume, Stored, Table, TenantId,
};
use crate::provider::{Access, Address, Server, Web};
use crate::table::{self, Filter, Tables};

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
