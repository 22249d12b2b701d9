//! How a database is reached, whichever product it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::Endpoint;
use super::mssql::SqlServerEndpoint;
use super::mysql::MySqlEndpoint;
use super::postgres::PostgresEndpoint;
use super::sqlite::SqliteEndpoint;
use crate::error::{Code, Error, Result};
use crate::model::{DbType, SecretBytes};
use crate::store::TlsMode;
use crate::tls::{Asked, config};

/// How a database is reached.
///
/// ```
/// use portbook::endpoint::DatabaseOptions;
/// let mut options = DatabaseOptions::at("db.example", "shop");
/// options.configure(r#"{"sslmode": "verify-full", "statement_timeout_ms": 60000}"#).unwrap();
/// assert!(options.configure(r#"{"sslmoed": "disable"}"#).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// The name or address of its machine; empty for a file.
    pub host: String,
    /// Its port; nothing: the usual one of the product.
    pub port: Option<u16>,
    /// The name of the database there, or the path of its file.
    pub database: String,
    /// The user who is logged in.
    pub user: String,
    /// Their password.
    pub password: Option<SecretBytes>,
    /// How the connection is encrypted. Nothing: [`TlsMode::Prefer`] to this machine, [`TlsMode::VerifyFull`] to any other.
    /// To MySQL and MariaDB [`TlsMode::VerifyCa`] verifies the name, too; SQL Server is never preferred in plain text.
    pub tls: Option<TlsMode>,
    /// SQL Server: TLS comes before everything else (TDS 8.0), as a server with `Encryption: Strict` wants it.
    pub strict_tls: bool,
    /// Trusts these certificates (PEM) instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take before the server counts as `offline`.
    pub connect_timeout: Duration,
    /// How long one statement may take, and how long a scan may stand still, before it is a `timeout`.
    pub statement_timeout: Duration,
    /// How many connections there are at most for calls that run together, scans not counted. At least 1.
    pub connections: usize,
    /// Columns of MySQL's type `TINYINT(1)` are truth values; else they are numbers, as the server has them.
    pub tinyint_is_boolean: bool,
}

/// What the configuration of an instance may say beside its address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    sslmode: Option<Mode>,
    sslrootcert: Option<PathBuf>,
    encrypt: Option<Encrypt>,
    connect_timeout_ms: Option<u64>,
    statement_timeout_ms: Option<u64>,
    connections: Option<usize>,
    tinyint_is_boolean: Option<bool>,
}

/// libpq's words.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Disable,
    #[serde(alias = "allow")]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// SQL Server's words.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encrypt {
    /// Plain text, the password included.
    Off,
    /// TLS, and a certificate that is trusted.
    #[serde(alias = "mandatory")]
    On,
    /// The same by TDS 8.0.
    Strict,
}

impl DatabaseOptions {
    /// A database of a server; an empty host and the path of its file for SQLite.
    #[must_use]
    pub fn at(host: &str, database: &str) -> Self {
        Self {
            host: host.into(),
            port: None,
            database: database.into(),
            user: String::new(),
            password: None,
            tls: None,
            strict_tls: false,
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(300),
            connections: 4,
            tinyint_is_boolean: false,
        }
    }

    /// Takes over what a JSON object says: `sslmode` and `sslrootcert` as libpq means them, `connect_timeout_ms`,
    /// `statement_timeout_ms`, `connections`, `tinyint_is_boolean`; for SQL Server also `encrypt`, which is `off`, `on` or
    /// `strict` (TDS 8.0) and asks for a trusted certificate unless `sslmode` says less.
    ///
    /// # Errors
    /// `invalid` for anything else.
    pub fn configure(&mut self, config: &str) -> Result<()> {
        let settings: Settings = serde_json::from_str(config)
            .map_err(|e| Error::new(Code::Invalid, "read the configuration of a database", "").because(e))?;
        let mode = settings.sslmode.map(|mode| match mode {
            Mode::Disable => TlsMode::Disable,
            Mode::Prefer => TlsMode::Prefer,
            Mode::Require => TlsMode::Require,
            Mode::VerifyCa => TlsMode::VerifyCa,
            Mode::VerifyFull => TlsMode::VerifyFull,
        });
        let by_encrypt = settings.encrypt.map(|encrypt| match encrypt {
            Encrypt::Off => TlsMode::Disable,
            Encrypt::On | Encrypt::Strict => TlsMode::VerifyFull,
        });
        self.strict_tls = settings.encrypt.map_or(self.strict_tls, |encrypt| matches!(encrypt, Encrypt::Strict));
        self.tls = mode.or(by_encrypt).or(self.tls);
        self.ca_file = settings.sslrootcert.or_else(|| self.ca_file.take());
        self.connect_timeout = settings.connect_timeout_ms.map_or(self.connect_timeout, Duration::from_millis);
        self.statement_timeout = settings.statement_timeout_ms.map_or(self.statement_timeout, Duration::from_millis);
        self.connections = settings.connections.unwrap_or(self.connections);
        self.tinyint_is_boolean = settings.tinyint_is_boolean.unwrap_or(self.tinyint_is_boolean);
        Ok(())
    }

    /// How it is encrypted, whatever was left open decided.
    pub(super) fn tls_mode(&self) -> TlsMode {
        let is_here = self.host == "localhost"
            || self.host.starts_with('/')
            || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        match self.tls.unwrap_or(if is_here { TlsMode::Prefer } else { TlsMode::VerifyFull }) {
            TlsMode::Require if self.ca_file.is_some() => TlsMode::VerifyCa,
            mode => mode,
        }
    }
}

impl DatabaseOptions {
    /// TLS as the mode means it. In the modes below `verify-ca` a server only has to hold the key that it shows, as with libpq.
    pub(super) fn tls_config(&self, tls12_only: bool) -> Result<rustls::ClientConfig> {
        let file = self.ca_file.as_deref();
        let asked = match self.tls_mode() {
            TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => Asked::Nothing,
            TlsMode::VerifyCa => Asked::Issuer(file),
            TlsMode::VerifyFull => Asked::Name(file),
        };
        config(asked, tls12_only)
    }
}

/// The endpoint of a database. Nothing is connected yet: that happens on use.
///
/// # Errors
/// `invalid` when the options do not say enough, `unsupported` for a product without an endpoint here (the host's own).
pub fn open(db_type: DbType, options: DatabaseOptions) -> Result<Arc<dyn Endpoint>> {
    Ok(match db_type {
        DbType::Sqlite => Arc::new(SqliteEndpoint::new(options)?),
        DbType::Postgres => Arc::new(PostgresEndpoint::new(options)?),
        DbType::MySql => Arc::new(MySqlEndpoint::new(options)?),
        DbType::SqlServer => Arc::new(SqlServerEndpoint::new(options)?),
        DbType::Host => {
            let refused = Error::new(Code::Unsupported, "open a database", options.database);
            return Err(refused.because("there is no endpoint for its product here"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_never_spoken_to_in_plain_text_unless_told() {
        let mode = |host: &str, config: &str| {
            let mut options = DatabaseOptions::at(host, "db");
            options.configure(config).unwrap();
            options.tls_mode()
        };
        for (host, config, expected) in [
            ("localhost", "{}", TlsMode::Prefer),
            ("::1", "{}", TlsMode::Prefer),
            ("127.0.0.2", "{}", TlsMode::Prefer),
            ("db.example", "{}", TlsMode::VerifyFull),
            ("192.0.2.1", "{}", TlsMode::VerifyFull),
            ("db.example", r#"{"sslmode": "disable"}"#, TlsMode::Disable),
            ("db.example", r#"{"sslmode": "require", "sslrootcert": "/ca.pem"}"#, TlsMode::VerifyCa),
        ] {
            assert_eq!(mode(host, config), expected, "{host} {config}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let mut options = DatabaseOptions::at("h", "d");
        assert_eq!(options.configure(r#"{"password": "x"}"#).unwrap_err().code(), Code::Invalid);
        assert_eq!(options.configure(r#"{"sslmode": "yes"}"#).unwrap_err().code(), Code::Invalid);
    }
}
