//! Opening the place behind a URL, with what lets one in.

use std::path::PathBuf;
use std::sync::Arc;

use super::ftp::{Ftp, FtpOptions, FtpSecurity};
use super::http::{Http, HttpOptions};
use super::s3::{S3, S3Options};
use super::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};
use super::webdav::{WebDav, WebDavOptions};
use super::{Address, Provider, Server, Web, WebAuth};
use crate::Trust;
use crate::delta::Metadata;
use crate::error::{Code, Error, Result};
use crate::model::{Name, RelPath, SecretBytes};

/// Where S3 is when no other server is named.
const AMAZON: &str = "amazonaws.com";
const FIRST_REGION: &str = "us-east-1";

/// What lets one in at a place, and what proves which server it is. What a protocol has no use for is not looked at.
///
/// ```
/// use portbook::provider::{Access, Address};
///
/// # fn main() -> portbook::Result<()> {
/// let address: Address = "davs://anna@cloud.example/remote.php/dav/files/anna".parse()?;
/// let access = Access { password: Some("hunter2".into()), ..Access::default() };
/// assert_eq!(address.key(&access), "davs://anna@cloud.example/remote.php/dav/files/anna");
/// assert!(!format!("{access:?}").contains("hunter2"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The account, where the address names none; for S3 the id of the access key.
    pub user: Option<String>,
    /// Its password; for S3 the secret of the access key.
    pub password: Option<SecretBytes>,
    /// A bearer token; for S3 the token that comes with temporary keys.
    pub token: Option<SecretBytes>,
    /// A header of the server's own that lets one in, by its name (HTTP and WebDAV).
    pub header: Option<(String, SecretBytes)>,
    /// The password is not sent but proven (RFC 7616; HTTP and WebDAV).
    pub digest: bool,
    /// What is changed is locked first (WebDAV), see [`WebDavOptions::lock`].
    pub lock: bool,
    /// A file with a private key (SFTP). Without it and without a password the keys of the agent are tried.
    pub key_file: Option<PathBuf>,
    /// What opens that file.
    pub passphrase: Option<SecretBytes>,
    /// The key the server has to show (SFTP): `SHA256:…`, or as a line of `known_hosts`.
    pub host_key: Option<String>,
    /// Instead of `~/.ssh/known_hosts`.
    pub known_hosts: Option<PathBuf>,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The server (S3): scheme, host, port. None: Amazon's of the region.
    pub endpoint: Option<String>,
    /// The region (S3).
    pub region: Option<String>,
    /// The bucket is named in the path (S3); none: for every server but Amazon's.
    pub path_style: Option<bool>,
    /// No TLS 1.3 (FTPS), for servers that cannot resume its sessions.
    pub tls12_only: bool,
    /// FTP goes without TLS. `ftp://` asks for TLS otherwise, and is refused where the server has none.
    pub plain: bool,
    /// TLS begins with the first byte on any port, or on none (`ftps://`); none: on port 990 alone.
    pub implicit: Option<bool>,
    /// Files are named by this query parameter of the URL instead of by a path (HTTP).
    pub query_param: Option<String>,
    /// The path of a JSON document that lists all files, where the server shows no directories (HTTP).
    pub index: Option<String>,
}

impl Access {
    /// Whether nothing is here that could let one in.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.password.is_none() && self.token.is_none() && self.header.is_none() && self.key_file.is_none()
    }

    /// Whether `ftps://` to this server is TLS from the first byte on.
    pub(crate) fn is_implicit(&self, server: &Server) -> bool {
        self.implicit.unwrap_or_else(|| server.port.is_none_or(|port| port == FtpSecurity::Implicit.port()))
    }
}

impl Address {
    /// The account at the place: that of the access where the address names none.
    fn account<'a>(named: Option<&'a String>, access: &'a Access) -> Option<&'a String> {
        named.or(access.user.as_ref())
    }

    /// What names the place in the book: the address, and the server where the address leaves it open.
    #[must_use]
    pub fn key(&self, access: &Access) -> String {
        match (self, &access.endpoint) {
            (Self::S3 { .. }, Some(endpoint)) => format!("{}#{self}", endpoint.trim_end_matches('/')),
            _ => self.to_string(),
        }
    }

    /// This address with `path` (components separated by `/`) beneath it.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return self.clone();
        }
        let beneath = |root: &str, path: &str| match root.trim_end_matches('/') {
            "" if root.is_empty() => path.to_owned(),
            root => format!("{root}/{path}"),
        };
        let mut joined = self.clone();
        match &mut joined {
            Self::S3 { prefix, .. } => *prefix = beneath(prefix, path),
            Self::Sftp(server) | Self::Ftp(server) | Self::Ftps(server) => server.path = beneath(&server.path, path),
            Self::WebDav(web) | Self::Http(web) => web.path = beneath(&web.path, &super::address::encoded_path(path)),
        }
        joined
    }

    /// Opens the place, on a tokio runtime. Whether its root exists is not asked.
    ///
    /// # Errors
    /// `invalid` when something that the protocol needs cannot be used; `auth` when something that lets one in is missing
    /// or refused, or the server cannot prove who it is; `offline`, `timeout` …
    pub async fn open(&self, access: &Access) -> Result<Arc<dyn Provider>> {
        Ok(match self {
            Self::S3 { bucket, prefix } => Arc::new(S3::open(s3(self, bucket, prefix, access)?)?),
            Self::Sftp(server) => Arc::new(Sftp::connect(sftp(self, server, access)?).await?),
            Self::Ftp(server) => {
                let security = if access.plain { FtpSecurity::None } else { FtpSecurity::Explicit };
                Arc::new(Ftp::open(ftp(server, security, access)?).await?)
            }
            Self::Ftps(server) => {
                let security = if access.is_implicit(server) { FtpSecurity::Implicit } else { FtpSecurity::Explicit };
                Arc::new(Ftp::open(ftp(server, security, access)?).await?)
            }
            Self::WebDav(web) => Arc::new(WebDav::open(WebDavOptions {
                auth: web_auth(web, access),
                trust: access.trust.clone(),
                url: web.url(),
                lock: access.lock,
            })?),
            Self::Http(web) => Arc::new(Http::open(HttpOptions {
                url: web.url(),
                auth: web_auth(web, access),
                trust: access.trust.clone(),
                use_query_params: access.query_param.clone(),
                index: access.index.clone(),
            })?),
        })
    }
}

impl Address {
    /// Opens the place, if its root is there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and those of [`Provider::root`].
    pub(crate) async fn open_root(&self, access: &Access) -> Result<Option<Arc<dyn Provider>>> {
        let opened = async {
            let place = self.open(access).await?;
            place.root().await.map(|_| place)
        };
        match opened.await {
            Ok(place) => Ok(Some(place)),
            Err(e) if e.code() == Code::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes the root with the directories above it that do not exist, and opens it.
    pub(crate) async fn make_root(&self, access: &Access) -> Result<Arc<dyn Provider>> {
        let (mut at, mut names) = (self.clone(), Vec::new());
        let above = loop {
            let Some((parent, name)) = at.split() else {
                return Err(Error::new(Code::NotFound, "make the directory", self)
                    .because("there is nothing above it")
                    .advise("make it by the server's own means"));
            };
            names.push(name);
            match parent.open_root(access).await? {
                Some(above) => break above,
                None => at = parent,
            }
        };
        let mut dirs = Vec::with_capacity(names.len());
        let mut path = RelPath::root();
        for name in names.iter().rev() {
            let name = Name::new(name).ok_or_else(|| {
                Error::new(Code::Invalid, "make the directory", self).because("no directory can have such a name")
            })?;
            path = path.join(&name);
            dirs.push((path.clone(), Metadata::default()));
        }
        for made in above.make_dirs(dirs).await {
            match made {
                // Somebody else was faster.
                Err(e) if e.code() == Code::Stale => {}
                other => drop(other?),
            }
        }
        self.open(access).await
    }
}

fn missing(address: &Address, what: &'static str, advice: &'static str) -> Error {
    Error::new(Code::Auth, "open the place", address).because(what).advise(advice)
}

fn s3(address: &Address, bucket: &str, prefix: &str, access: &Access) -> Result<S3Options> {
    let advice = "set PORTBOOK_S3_ACCESS_KEY and PORTBOOK_S3_SECRET_KEY, or save the volume with its keys";
    let key = access.user.as_ref().ok_or_else(|| missing(address, "no access key is given", advice))?;
    let secret = access.password.as_ref().ok_or_else(|| missing(address, "no secret key is given", advice))?;
    let region = access.region.clone().unwrap_or_else(|| FIRST_REGION.to_owned());
    let endpoint = access.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.{AMAZON}"));
    // A dot in the name breaks the certificate of the host that would hold it.
    let is_hosted = endpoint.contains(AMAZON) && !bucket.contains('.');
    Ok(S3Options {
        prefix: prefix.to_owned(),
        region,
        path_style: access.path_style.unwrap_or(!is_hosted),
        session_token: access.token.clone(),
        trust: access.trust.clone(),
        ..S3Options::new(endpoint, bucket, key, secret.clone())
    })
}

fn sftp(address: &Address, server: &Server, access: &Access) -> Result<SftpOptions> {
    let user = Address::account(server.user.as_ref(), access)
        .ok_or_else(|| missing(address, "no user is named", "write sftp://USER@HOST/…"))?;
    let auth = match (&access.key_file, &access.password) {
        (Some(path), _) => SftpAuth::KeyFile { path: path.clone(), passphrase: access.passphrase.clone() },
        (None, Some(password)) => SftpAuth::Password(password.clone()),
        (None, None) => SftpAuth::Agent,
    };
    let host_key = match &access.host_key {
        Some(key) if key.starts_with("SHA256:") => HostKey::Fingerprint(key.clone()),
        Some(key) => HostKey::Key(key.clone()),
        None => HostKey::KnownHosts(access.known_hosts.clone()),
    };
    let options = SftpOptions::new(&server.host, user, auth).host_key(host_key).root(server.path.as_bytes());
    Ok(match server.port {
        Some(port) => options.port(port),
        None => options,
    })
}

fn ftp(server: &Server, security: FtpSecurity, access: &Access) -> Result<FtpOptions> {
    let user = Address::account(server.user.as_ref(), access).map_or("anonymous", String::as_str);
    let password = access.password.clone().unwrap_or_else(|| "anonymous@".into());
    Ok(FtpOptions {
        port: server.port,
        security,
        trust: access.trust.clone(),
        tls12_only: access.tls12_only,
        root: server.path.clone(),
        ..FtpOptions::new(&server.host, user, password)
    })
}

fn web_auth(web: &Web, access: &Access) -> WebAuth {
    if let Some((name, value)) = &access.header {
        return WebAuth::Header { name: name.clone(), value: value.clone() };
    }
    if let Some(token) = &access.token {
        return WebAuth::Bearer(token.clone());
    }
    match (Address::account(web.user.as_ref(), access), &access.password) {
        (Some(user), Some(password)) if access.digest => {
            WebAuth::Digest { user: user.clone(), password: password.clone() }
        }
        (Some(user), Some(password)) => WebAuth::Basic { user: user.clone(), password: password.clone() },
        _ => WebAuth::None,
    }
}
