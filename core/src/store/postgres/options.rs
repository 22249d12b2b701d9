//! How a book on a server is opened, and what its URL says.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::error::{Code, Error, Result};

/// How a connection is encrypted and whom it trusts: libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain text.
    Disable,
    /// TLS where the server has it, else plain text. The server is not verified.
    Prefer,
    /// TLS. The server is not verified, unless a CA file is named: then as [`VerifyCa`](Self::VerifyCa).
    Require,
    /// TLS with a certificate that a trusted authority issued, for whatever name.
    VerifyCa,
    /// TLS with a trusted certificate for the host's name.
    VerifyFull,
}

/// How a book on a server is opened.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The PostgreSQL schema that holds the book's tables; made when it is absent. One database may hold many books.
    pub schema: String,
    /// Connections at most, at least 1.
    pub connections: usize,
    /// Overrides the URL's `sslmode`. Where neither says anything: [`TlsMode::Prefer`] to this machine,
    /// [`TlsMode::VerifyFull`] to any other, so that nothing crosses a network in plain text unless told to.
    pub tls: Option<TlsMode>,
    /// Trusts these certificates (PEM) instead of the system's. Overrides the URL's `sslrootcert`.
    pub ca_file: Option<PathBuf>,
    /// A role that gets what it needs to use the book, and nothing else; given by the owner of the tables on opening.
    pub application_role: Option<String>,
    /// Opens also as a superuser or a role with `BYPASSRLS`, whom row-level security does not bind.
    pub allow_bypass: bool,
    /// How long a call waits for a connection of its own before it is `busy`.
    pub acquire_timeout: Duration,
    /// How long connecting may take before the server counts as `offline`.
    pub connect_timeout: Duration,
    /// How long one statement may take before the server ends it (`timeout`).
    pub statement_timeout: Duration,
    /// How long a transaction that was lost or lost a race is tried again. What was lost while it was being committed
    /// is first looked up, so that it happens once.
    pub retry_for: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "portbook".into(),
            connections: 4,
            tls: None,
            ca_file: None,
            application_role: None,
            allow_bypass: false,
            acquire_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(300),
            retry_for: Duration::from_secs(10),
        }
    }
}

/// A server, and how to speak to it.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Address {
    pub(super) fn of(url: &str, options: &PostgresOptions) -> Result<Self> {
        let said = Said::in_url(url)?;
        // The URL may hold a password: it is never shown.
        let mut config: Config = said.rest.parse().map_err(|_| invalid("its URL cannot be read"))?;
        let default = if is_local(&config) { TlsMode::Prefer } else { TlsMode::VerifyFull };
        let mode = options.tls.or(said.mode).unwrap_or(default);
        let ca_file = options.ca_file.clone().or(said.ca_file);
        let mode = if mode == TlsMode::Require && ca_file.is_some() { TlsMode::VerifyCa } else { mode };
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        // A server that vanished without a word is noticed within a minute.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(60));
        if config.get_application_name().is_none() {
            config.application_name("portbook");
        }
        Ok(Self { config, tls: tls::connector(mode, ca_file.as_deref())? })
    }
}

/// What a URL says of TLS, and the URL without it: the driver does not know every mode of libpq.
struct Said {
    mode: Option<TlsMode>,
    ca_file: Option<PathBuf>,
    rest: String,
}

impl Said {
    fn in_url(url: &str) -> Result<Self> {
        let mut said = Self { mode: None, ca_file: None, rest: url.to_owned() };
        let Some((address, query)) = url.split_once('?').filter(|_| url.contains("://")) else { return Ok(said) };
        let mut kept = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => said.mode = Some(mode_of(mode)?),
                Some(("sslrootcert", "system")) => said.ca_file = None,
                Some(("sslrootcert", path)) => said.ca_file = Some(decoded(path)?.into()),
                Some(_) | None => kept.push(pair),
            }
        }
        said.rest = address.to_owned();
        if !kept.is_empty() {
            said.rest = format!("{address}?{}", kept.join("&"));
        }
        Ok(said)
    }
}

fn mode_of(text: &str) -> Result<TlsMode> {
    Ok(match text {
        "disable" => TlsMode::Disable,
        "prefer" | "allow" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => return Err(invalid("its sslmode is none of disable, prefer, require, verify-ca, verify-full")),
    })
}

/// `%2F` and its like.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| tail.get(..2).and_then(|h| std::str::from_utf8(h).ok())).flatten();
        match escaped.map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            Some(Err(_)) | None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid("its sslrootcert is not text"))
}

/// Whether all of its hosts are this machine.
fn is_local(config: &Config) -> bool {
    let named = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(named),
        addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
    }
}

fn invalid(why: &str) -> Error {
    Error::new(Code::Invalid, "open the book", "on PostgreSQL").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Address::of(url, &PostgresOptions::default()).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn another_machine_is_never_spoken_to_in_plain_text_unless_told() {
        for (url, expected) in [
            ("postgres://me@localhost/db", SslMode::Prefer),
            ("postgres://me@127.0.0.1:5433/db", SslMode::Prefer),
            ("postgres://me@[::1]/db", SslMode::Prefer),
            ("postgres:///db?host=/run/postgresql", SslMode::Prefer),
            ("postgres://me@db.example/db", SslMode::Require),
            ("postgres://me@localhost,db.example/db", SslMode::Require),
            ("postgres://me@localhost/db?hostaddr=192.0.2.1", SslMode::Require),
            ("postgres://me@db.example/db?sslmode=disable", SslMode::Disable),
            ("postgres://me@db.example/db?sslmode=prefer&application_name=x", SslMode::Prefer),
            ("postgres://me@localhost/db?connect_timeout=3&sslmode=verify-full", SslMode::Require),
        ] {
            assert_eq!(mode(url), expected, "{url}");
        }
    }

    #[test]
    fn what_a_url_says_of_tls_is_understood_and_the_rest_is_kept() {
        let said = Said::in_url("postgres://h/d?a=b&sslmode=verify-ca&sslrootcert=%2Fetc%2Fca%20x.pem&c=d").unwrap();
        assert_eq!((said.mode, said.rest.as_str()), (Some(TlsMode::VerifyCa), "postgres://h/d?a=b&c=d"));
        assert_eq!(said.ca_file, Some("/etc/ca x.pem".into()));
        assert_eq!(Said::in_url("postgres://h/d?sslmode=yes").err().unwrap().code(), Code::Invalid);
    }
}
