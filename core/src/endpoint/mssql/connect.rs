//! Connections, and what every session is told.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tiberius::error::Error as Said;
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, Row, ToSql};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::fault::{error_of, refused};
use super::tls::{Encryption, Line, encrypted};
use crate::endpoint::DatabaseOptions;
use crate::endpoint::sql::pool::{FRESH, Pool};
use crate::error::{Code, Error, Result};
use crate::store::TlsMode;

/// What the driver speaks on.
pub(super) type Session = Client<Compat<Line>>;

/// What views with indexes want, so that tables beneath them can be written; a failed statement leaves its transaction
/// alone; whoever waits for a lock of others does so for half a minute.
const SETTINGS: &str = "SET NOCOUNT ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
     SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; SET XACT_ABORT OFF; \
     SET IMPLICIT_TRANSACTIONS OFF; SET LANGUAGE us_english; SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT 30000";

/// The protocol's name in TLS ([MS-TDS] 3.2.5.1, TDS 8.0).
const PROTOCOL: &[u8] = b"tds/8.0";

/// How often a server may send a client on to another machine.
const DETOURS: usize = 3;

pub(super) struct Connections {
    options: DatabaseOptions,
    encryption: Encryption,
    pool: Pool<Session>,
}

impl Connections {
    pub(super) fn new(options: DatabaseOptions) -> Result<Self> {
        let wrong = |why: &'static str| {
            Err(Error::new(Code::Invalid, "open a database", options.database.escape_debug()).because(why))
        };
        if options.host.is_empty() || options.database.is_empty() {
            return wrong("a machine and the name of a database there are needed");
        }
        if options.host.contains('\\') {
            return wrong("an instance is named by its port, not by its name");
        }
        let encryption = match (options.tls_mode(), options.strict_tls) {
            (TlsMode::Disable, true) => return wrong("it cannot be strict and without TLS"),
            (TlsMode::Disable, false) => Encryption::Off,
            (_, true) => {
                let mut config = options.tls_config(false)?;
                config.alpn_protocols = vec![PROTOCOL.to_vec()];
                Encryption::Strict(Arc::new(config))
            }
            (_, false) => {
                // In packets there is no TLS 1.3: what its server says after the handshake would have none.
                let mut config = options.tls_config(true)?;
                config.resumption = rustls::client::Resumption::disabled();
                Encryption::Wrapped(Arc::new(config))
            }
        };
        let pool = Pool::new(options.connections);
        Ok(Self { options, encryption, pool })
    }

    pub(super) fn patience(&self) -> Duration {
        self.options.statement_timeout
    }

    fn name(&self) -> String {
        format!("{} at {}", self.options.database.escape_debug(), self.options.host.escape_debug())
    }

    /// A new connection, which belongs to whoever asked.
    pub(super) async fn connect(&self) -> Result<Session> {
        let late = |_| {
            Error::new(Code::Offline, "connect to", self.name())
                .because(format!("it did not answer within {:?}", self.options.connect_timeout))
                .advise("see that the server runs and can be reached from here")
        };
        tokio::time::timeout(self.options.connect_timeout, self.session()).await.map_err(late)?
    }

    async fn session(&self) -> Result<Session> {
        let fail = |e| error_of("connect to", self.name(), e);
        let (mut host, mut port) = (self.options.host.clone(), self.options.port.unwrap_or(1433));
        for _ in 0..DETOURS {
            match self.login(&host, port).await? {
                Ok(mut session) => {
                    ask(&mut session, SETTINGS, &[]).await.map_err(fail)?;
                    return Ok(session);
                }
                Err(Said::Routing { host: other, port: at }) => (host, port) = (other, at),
                Err(error) => return Err(fail(error)),
            }
        }
        Err(Error::new(Code::Offline, "connect to", self.name()).because("it sends on from one machine to the next"))
    }

    async fn login(&self, host: &str, port: u16) -> Result<std::result::Result<Session, Said>> {
        let bad_name = |e| Error::new(Code::Invalid, "connect to", self.name()).because(e);
        let name = ServerName::try_from(host.to_owned()).map_err(bad_name)?;
        let stream = match self.reach(host, port).await {
            Ok(stream) => stream,
            Err(source) => return Err(refused(self.name(), source.into())),
        };
        let way = encrypted(stream, name, &self.encryption).await.map_err(|e| refused(self.name(), e))?;
        let password = self.options.password.as_ref().map(|password| password.expose_text()).transpose()?;
        let mut config = Config::new();
        config.host(host);
        config.port(port);
        config.database(&self.options.database);
        config.application_name("portbook");
        config.authentication(AuthMethod::sql_server(&self.options.user, password.unwrap_or_default()));
        // It is beneath the driver, or not wanted.
        config.encryption(EncryptionLevel::NotSupported);
        // Of both, the whole of connecting is bounded already.
        config.handshake_timeout(None);
        config.command_timeout(Some(self.options.statement_timeout));
        Ok(Client::connect(config, way.compat_write()).await)
    }

    async fn reach(&self, host: &str, port: u16) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        // A server that vanished without a word is noticed within a minute.
        let alive =
            socket2::TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
        socket2::SockRef::from(&stream).set_tcp_keepalive(&alive)?;
        Ok(stream)
    }

    /// Lends a connection for one call.
    pub(super) async fn with<T>(&self, work: impl AsyncFnOnce(&mut Session) -> Result<T>) -> Result<T> {
        self.lend(async |session: &mut Session| work(session).await.map(|done| (done, true))).await
    }

    /// Lends a connection for one call, which says whether it is still good. One on which anything failed is closed: a
    /// transaction may be open on it.
    pub(super) async fn lend<T>(&self, work: impl AsyncFnOnce(&mut Session) -> Result<(T, bool)>) -> Result<T> {
        let mut turn = self.pool.turn().await?;
        let idle = match turn.idle.take() {
            Some((mut session, idle)) => {
                (idle < FRESH || ask(&mut session, "SELECT 1", &[]).await.is_ok()).then_some(session)
            }
            None => None,
        };
        let mut session = match idle {
            Some(session) => session,
            None => self.connect().await?,
        };
        let (done, is_good) = work(&mut session).await?;
        if is_good {
            self.pool.keep(session);
        }
        Ok(done)
    }

    pub(super) fn shutdown(&self) {
        self.pool.shutdown();
    }
}

/// The results of all statements of a text.
pub(super) async fn ask(
    session: &mut Session,
    sql: &str,
    values: &[ColumnData<'static>],
) -> tiberius::Result<Vec<Vec<Row>>> {
    if values.is_empty() {
        return session.simple_query(sql).await?.into_results().await;
    }
    let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    session.query(sql, &values).await?.into_results().await
}
