//! Connections, plain and by TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::options::{FtpOptions, FtpSecurity};
use crate::error::{Code, Error, Result};
use crate::tls;

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(20);
/// How long a server may be silent before it counts as gone.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// How long a server may take to close a data connection after it confirmed the transfer.
const FAREWELL: Duration = Duration::from_secs(1);
/// Routers forget connections that say nothing; a control connection does while a long transfer runs.
const KEEPALIVE: Duration = Duration::from_secs(45);

/// A connection.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What the connections of one session are secured by. A data connection resumes the session of its own control
/// connection, which many servers insist on, and therefore tickets are not shared between sessions.
#[derive(Clone)]
pub(super) struct Secure {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The configuration that all sessions begin with.
pub(super) fn config(options: &FtpOptions) -> Result<Option<ClientConfig>> {
    match options.security {
        FtpSecurity::None => Ok(None),
        FtpSecurity::Explicit | FtpSecurity::Implicit => tls::config(&options.trust, options.tls12_only).map(Some),
    }
}

impl Secure {
    pub(super) fn of_session(config: &ClientConfig, host: &str) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| Error::new(Code::Invalid, "use the host", host.escape_debug()).because(e))?;
        let mut config = config.clone();
        config.resumption = Resumption::in_memory_sessions(32);
        Ok(Self { config: Arc::new(config), name })
    }

    /// Secures a connection.
    ///
    /// # Errors
    /// `auth` when the server's certificate is not believed.
    pub(super) async fn handshake(&self, stream: TcpStream, subject: &str) -> Result<Wire> {
        let action = "secure the connection to";
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match timeout(CONNECT, connector.connect(self.name.clone(), stream)).await {
            Err(_) => Err(Error::new(Code::Timeout, action, subject).because("the server does not answer")),
            Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
            Ok(Err(e)) if is_certificate(&e) => Err(Error::new(Code::Auth, action, subject)
                .because(&e)
                .advise("name the authority of the server's certificate or its SHA-256, if you trust it")),
            Ok(Err(e)) => Err(Error::new(Code::Offline, action, subject).because(&e)),
        }
    }
}

/// Whether the server could not prove who it is: no attempt helps.
fn is_certificate(error: &io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

/// Connects to the first address of a host that answers.
pub(super) async fn connect(host: &str, port: u16, subject: &str) -> Result<TcpStream> {
    let action = "connect to";
    match timeout(CONNECT, TcpStream::connect((host, port))).await {
        Err(_) => Err(Error::new(Code::Timeout, action, subject).because("it does not answer")),
        Ok(Err(e)) => Err(Error::new(Code::Offline, action, subject).because(e)),
        Ok(Ok(stream)) => {
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
            // Without them the connection works as well, only not for as long.
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
}

/// Connects to a port of the host that the control connection goes to; whatever address the server names.
pub(super) async fn connect_data(peer: SocketAddr, port: u16) -> io::Result<TcpStream> {
    let to = SocketAddr::new(peer.ip(), port);
    timeout(CONNECT, TcpStream::connect(to)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

impl Wire {
    /// The plain connection, which is to be secured.
    pub(super) fn plain(self) -> Option<TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(_) => None,
        }
    }

    /// Reads what a server says that only receives: tickets of TLS 1.3. Each is good for one further data connection, and
    /// a server that insists on them refuses the next when there is none left.
    pub(super) async fn farewell(&mut self) {
        if matches!(self, Self::Tls(_)) {
            // It has confirmed the transfer; how the connection ends says nothing more.
            let _ = timeout(FAREWELL, tokio::io::copy(self, &mut tokio::io::sink())).await;
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
