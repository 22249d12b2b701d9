//! Connections, and what every session is told.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, OptsBuilder, SslOpts};

use super::fault::error_of;
use crate::endpoint::DatabaseOptions;
use crate::endpoint::sql::pool::{FRESH, Pool};
use crate::error::{Code, Error, Result};
use crate::store::TlsMode;

/// Strict, so that no value is made to fit; without `NO_ZERO_DATE`, so that a date of zeros can be carried; and without
/// `ANSI_QUOTES` and the like, which would change what the statements mean. MySQL keeps its estimates of rows for a day and
/// may hide the key that it made for a table without one ("Generated Invisible Primary Keys"), which its log has in every
/// row; what stands in such a comment is for MySQL from that version on, and is nothing to MariaDB ("Comment Syntax").
const SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
     autocommit = 1, innodb_lock_wait_timeout = 30 /*!80000 , information_schema_stats_expiry = 0 */ \
     /*!80030 , show_gipk_in_create_table_and_information_schema = ON */";

pub(super) struct Connections {
    opts: OptsBuilder,
    options: DatabaseOptions,
    pool: Pool<Conn>,
}

impl Connections {
    pub(super) fn new(options: DatabaseOptions) -> Result<Self> {
        if options.host.is_empty() || options.database.is_empty() {
            let wrong = Error::new(Code::Invalid, "open a database", options.database.escape_debug());
            return Err(wrong.because("a machine and the name of a database there are needed"));
        }
        let password =
            options.password.as_ref().map(|password| password.expose_text().map(str::to_owned)).transpose()?;
        let opts = OptsBuilder::default()
            .ip_or_hostname(options.host.clone())
            .tcp_port(options.port.unwrap_or(3306))
            .user(Some(options.user.clone()))
            .pass(password)
            .db_name(Some(options.database.clone()))
            .tcp_keepalive(Some(Duration::from_secs(30)))
            // Never by a socket file that happens to be there: that would be another way than the one that was asked for.
            .prefer_socket(false)
            // An update that changes nothing has found its row all the same.
            .client_found_rows(true)
            .ssl_opts(ssl(&options)?)
            .init(vec![SETTINGS.to_owned()]);
        let pool = Pool::new(options.connections);
        Ok(Self { opts, options, pool })
    }

    pub(super) fn patience(&self) -> Duration {
        self.options.statement_timeout
    }

    pub(super) fn tinyint_is_boolean(&self) -> bool {
        self.options.tinyint_is_boolean
    }

    fn name(&self) -> String {
        format!("{} at {}", self.options.database.escape_debug(), self.options.host.escape_debug())
    }

    /// A new connection, which belongs to whoever asked.
    pub(super) async fn connect(&self) -> Result<Conn> {
        let late = |_| {
            Error::new(Code::Offline, "connect to", self.name())
                .because(format!("it did not answer within {:?}", self.options.connect_timeout))
                .advise("see that the server runs and can be reached from here")
        };
        let connecting = async {
            match Conn::new(self.opts.clone()).await {
                // Where TLS is only preferred, a server without it is spoken to in plain text.
                Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
                    if self.options.tls_mode() == TlsMode::Prefer =>
                {
                    Conn::new(self.opts.clone().ssl_opts(None)).await
                }
                connected => connected,
            }
        };
        let connected = tokio::time::timeout(self.options.connect_timeout, connecting).await.map_err(late)?;
        connected.map_err(|e| {
            let user = self.options.user.escape_debug();
            error_of("connect to", format!("{} as {user}", self.name()), e)
        })
    }

    /// Lends a connection for one call, which has the patience of a statement.
    pub(super) async fn with<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let late = |_| Error::new(Code::Timeout, "use", self.name()).because("a statement took too long");
        let bounded = async |conn: &mut Conn| {
            tokio::time::timeout(self.patience(), work(conn)).await.map_err(late)?.map(|done| (done, true))
        };
        self.lend(bounded).await
    }

    /// Lends a connection for one call, which says whether it is still good. One on which anything failed is closed: a
    /// transaction may be open on it.
    pub(super) async fn lend<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<(T, bool)>) -> Result<T> {
        let mut turn = self.pool.turn().await?;
        let idle = match turn.idle.take() {
            Some((mut conn, idle)) => (idle < FRESH || conn.ping().await.is_ok()).then_some(conn),
            None => None,
        };
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        let (done, is_good) = work(&mut conn).await?;
        if is_good {
            self.pool.keep(conn);
        }
        Ok(done)
    }

    pub(super) fn shutdown(&self) {
        self.pool.shutdown();
    }
}

/// TLS as the mode means it, but that `verify-ca` looks at the name, too: the driver tells a wrong name by a word in rustls'
/// message that is no longer there.
fn ssl(options: &DatabaseOptions) -> Result<Option<SslOpts>> {
    let mode = options.tls_mode();
    let is_verified = match mode {
        TlsMode::Disable => return Ok(None),
        TlsMode::Prefer | TlsMode::Require => false,
        TlsMode::VerifyCa | TlsMode::VerifyFull => true,
    };
    let ssl = SslOpts::default();
    if !is_verified {
        return Ok(Some(ssl.with_danger_skip_domain_validation(true).with_danger_accept_invalid_certs(true)));
    }
    let roots = match &options.ca_file {
        Some(file) => vec![file.clone().into()],
        None => {
            let certificates = rustls_native_certs::load_native_certs().certs;
            certificates.into_iter().map(|certificate| certificate.to_vec().into()).collect()
        }
    };
    Ok(Some(ssl.with_root_certs(roots).with_disable_built_in_roots(true)))
}
