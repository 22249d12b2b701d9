//! Places, what lets one in there, and volumes that are saved.

use std::fmt;

use portbook::provider::{self, Address};
use portbook::{Trust, volume};
use serde::{Deserialize, Serialize};

use super::{Driver, bytes_of, invalid, is};
use crate::error::Result;

/// Where an end of a conduit is.
#[allow(clippy::large_enum_variant, reason = "it is made once and taken apart; the generators know no boxes")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum Place {
    /// A directory of this machine.
    Directory {
        /// Its path.
        path: String,
    },
    /// A directory behind a URL: `s3://`, `sftp://`, `ftp://`, `ftps://`, `dav://`, `davs://`, `http://`, `https://`.
    Remote {
        /// The URL, without a secret.
        url: String,
        /// What lets one in.
        access: Option<Access>,
    },
    /// A directory of a saved volume.
    Saved {
        /// The volume's name or id.
        volume: String,
        /// The path there; none or empty for its root.
        path: Option<String>,
    },
    /// Files that the host itself holds: see `HostStore`.
    Host {
        /// The key that the host store was made with.
        key: String,
    },
}

/// What lets one in at a place, and what proves which server it is. What a protocol has no use for is not looked at.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi::export(Debug))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Access {
    /// The account, where the URL names none; for S3 the id of the access key.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub user: Option<String>,
    /// Its password; for S3 the secret of the access key.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub password: Option<String>,
    /// A bearer token; for S3 the token that comes with temporary keys.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub token: Option<String>,
    /// The name of a header of the server's own that lets one in (HTTP and WebDAV).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub header_name: Option<String>,
    /// What that header says.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub header_value: Option<String>,
    /// The password is not sent but proven (RFC 7616; HTTP and WebDAV).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub digest: Option<bool>,
    /// What is changed is locked first (WebDAV).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub lock: Option<bool>,
    /// A file with a private key (SFTP). Without it and without a password the keys of the agent are tried.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub key_file: Option<String>,
    /// What opens that file.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub passphrase: Option<String>,
    /// The key the server has to show (SFTP): `SHA256:…`, or as a line of `known_hosts`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub host_key: Option<String>,
    /// Instead of `~/.ssh/known_hosts`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub known_hosts: Option<String>,
    /// Trusts the authorities in this PEM file instead of the system's.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub ca_file: Option<String>,
    /// Trusts the server whose certificate has this SHA-256 (64 hexadecimal digits), and no other.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub certificate_sha256: Option<String>,
    /// The server (S3): scheme, host, port. None: Amazon's of the region.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub endpoint: Option<String>,
    /// The region (S3).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub region: Option<String>,
    /// The bucket is named in the path (S3). None: for every server but Amazon's.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub path_style: Option<bool>,
    /// No TLS 1.3 (FTPS), for servers that cannot resume its sessions.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub tls12_only: Option<bool>,
    /// FTP goes without TLS. `ftp://` asks for TLS otherwise, and is refused where the server has none.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub plain: Option<bool>,
    /// TLS begins with the first byte on any port, or on none (`ftps://`). None: on port 990 alone.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub implicit: Option<bool>,
    /// Files are named by this query parameter of the URL instead of by a path (HTTP).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub query_param: Option<String>,
    /// The path of a JSON document that lists all files, where the server shows no directories (HTTP).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub index: Option<String>,
}

/// A saved volume, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SavedVolume {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub driver: Driver,
    /// Where it is: a URL or a path, without anything that lets one in; or why that cannot be said.
    pub place: String,
    /// Whether it may be used.
    pub is_active: bool,
}

/// A directory of this machine.
pub(crate) fn address(url: &str) -> Result<Address> {
    Ok(url.parse()?)
}

impl Access {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<provider::Access> {
        let trust = match (self.ca_file, self.certificate_sha256) {
            (None, None) => Trust::System,
            (Some(file), None) => Trust::Authorities(file.into()),
            (None, Some(digits)) => {
                let bytes = bytes_of("certificate_sha256", &digits)?;
                let wrong = |_| invalid("read", "certificate_sha256", "a SHA-256 has 32 bytes");
                Trust::Certificate(bytes.try_into().map_err(wrong)?)
            }
            (Some(_), Some(_)) => {
                return Err(
                    invalid("use what lets one in", "", "ca_file and certificate_sha256 exclude each other").into()
                );
            }
        };
        let header = match (self.header_name, self.header_value) {
            (None, None) => None,
            (Some(name), Some(value)) => Some((name, value.into())),
            _ => return Err(invalid("use what lets one in", "", "a header has a name and a value").into()),
        };
        Ok(provider::Access {
            user: self.user,
            password: self.password.map(Into::into),
            token: self.token.map(Into::into),
            header,
            digest: is(self.digest),
            lock: is(self.lock),
            key_file: self.key_file.map(Into::into),
            passphrase: self.passphrase.map(Into::into),
            host_key: self.host_key,
            known_hosts: self.known_hosts.map(Into::into),
            trust,
            endpoint: self.endpoint,
            region: self.region,
            path_style: self.path_style,
            tls12_only: is(self.tls12_only),
            plain: is(self.plain),
            implicit: self.implicit,
            query_param: self.query_param,
            index: self.index,
        })
    }
}

/// Without what lets one in.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("user", &self.user).finish_non_exhaustive()
    }
}

impl From<volume::SavedVolume> for SavedVolume {
    fn from(saved: volume::SavedVolume) -> Self {
        let volume::SavedVolume { id, name, driver, place, is_active } = saved;
        Self { id: id.to_string(), name, driver: Driver::named(driver), place, is_active }
    }
}
