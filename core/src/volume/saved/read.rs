//! A place and what lets one in there, read back from rows.

use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::Trust;
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::model::{
    Driver, FtpEndpoint, FtpProtocol, FtpsMode, HttpAuthType, HttpCredential, HttpEndpoint, Id, S3Bucket, S3Credential,
    SecretBytes, StorageVolume, Stored, Table, TenantId,
};
use crate::provider::{Access, Address, Server};
use crate::table::{self, Filter, Tables};

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
