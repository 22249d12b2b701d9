//! Connections: opened on use, used again, never more at once than the options allow, scans not counted.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::error_of;
use crate::endpoint::DatabaseOptions;
use crate::endpoint::sql::pool::{FRESH, Pool};
use crate::error::{Code, Error, Result};
use crate::store::TlsMode;

pub(super) struct Connections {
    config: Config,
    tls: MakeRustlsConnect,
    options: DatabaseOptions,
    pool: Pool<Client>,
}

impl Connections {
    pub(super) fn new(options: DatabaseOptions) -> Result<Self> {
        if options.host.is_empty() || options.database.is_empty() {
            let wrong = Error::new(Code::Invalid, "open a database", options.database.escape_debug());
            return Err(wrong.because("a machine and the name of a database there are needed"));
        }
        let mut config = Config::new();
        config.host(&options.host).port(options.port.unwrap_or(5432)).dbname(&options.database);
        config.application_name("portbook").connect_timeout(options.connect_timeout);
        // A server that vanished without a word is noticed within a minute.
        config
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3);
        if !options.user.is_empty() {
            config.user(&options.user);
        }
        if let Some(password) = &options.password {
            config.password(password.expose());
        }
        let mode = options.tls_mode();
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        let tls = MakeRustlsConnect::new(options.tls_config(false)?);
        let pool = Pool::new(options.connections);
        Ok(Self { config, tls, options, pool })
    }

    pub(super) fn patience(&self) -> Duration {
        self.options.statement_timeout
    }

    fn name(&self) -> String {
        format!("{} at {}", self.options.database.escape_debug(), self.options.host.escape_debug())
    }

    /// A new connection, which belongs to whoever asked.
    pub(super) async fn connect(&self) -> Result<Client> {
        let late = |_| {
            Error::new(Code::Offline, "connect to", self.name())
                .because(format!("it did not answer within {:?}", self.options.connect_timeout))
                .advise("see that the server runs and can be reached from here")
        };
        let fail = |e| error_of("connect to", self.name(), e);
        let connecting = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(fail)?;
            // What goes wrong on the connection is the answer to the statement under way.
            tokio::spawn(async move { connection.await.ok() });
            // Texts of times and intervals are read the same way wherever the server stands.
            let settings = format!(
                "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET client_min_messages = warning; \
                 SET standard_conforming_strings = on; SET statement_timeout = {}",
                self.options.statement_timeout.as_millis().min(i32::MAX as u128)
            );
            client.batch_execute(&settings).await.map_err(fail)?;
            Ok(client)
        };
        tokio::time::timeout(self.options.connect_timeout, connecting).await.map_err(late)?
    }

    /// Lends a connection for one call.
    pub(super) async fn with<T>(&self, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
        let mut turn = self.pool.turn().await?;
        let mut client = match turn.idle.take() {
            Some((client, idle)) if is_there(&client, idle).await => client,
            Some(_) | None => self.connect().await?,
        };
        let done = work(&mut client).await;
        // What was left open is rolled back before the next statement: the order to was given when it was dropped. That its
        // server is gone may not have been noticed by all of it yet.
        let is_lost = done.as_ref().is_err_and(|error| error.code() == Code::Offline);
        if !client.is_closed() && !is_lost {
            self.pool.keep(client);
        }
        done
    }

    pub(super) fn shutdown(&self) {
        self.pool.shutdown();
    }
}

async fn is_there(client: &Client, idle: Duration) -> bool {
    !client.is_closed() && (idle < FRESH || client.batch_execute("").await.is_ok())
}

/// Connections that a stream holds on to.
pub(super) type Shared = Arc<Connections>;
