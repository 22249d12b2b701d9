//! TLS beneath the driver, which has none of its own here.
//!
//! Before TDS 8.0 the handshake travels in PRELOGIN packets, and what follows is TLS without them ([MS-TDS] 2.2.6.5 and
//! 3.2.5.1): [`Wrapping`]. By TDS 8.0 (`encrypt=strict`) TLS comes first, with the protocol name `tds/8.0`. The driver then
//! sends a PRELOGIN of its own, which never leaves: [`Answering`] replies with what the server has said, but that there is no
//! encryption, so that the driver speaks in plain text into the TLS that is there already.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::packet::{Answer, HEADER, PRELOGIN, answer, asking, header, packets, without_encryption};

/// The longest answer to a PRELOGIN that is waited for.
const ANSWER_BYTES: usize = 4096;

/// A way to the server, whatever it is made of.
pub(super) trait Way: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Way for S {}

/// The way that the driver speaks on, encrypted or not.
pub(super) struct Line(Box<dyn Way>);

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

/// How a connection is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    /// Not at all.
    Off,
    /// By a handshake in PRELOGIN packets.
    Wrapped(Arc<ClientConfig>),
    /// From the first byte on.
    Strict(Arc<ClientConfig>),
}

/// Why there is no encrypted way.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server has no TLS.
    NoTls,
    /// It does not answer as a server of SQL Server does.
    Malformed,
    /// The handshake failed, or the line.
    Line(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

/// Opens it over a connection.
pub(super) async fn encrypted<S: Way + 'static>(
    stream: S,
    name: ServerName<'static>,
    encryption: &Encryption,
) -> Result<Line, Refusal> {
    let way: Box<dyn Way> = match encryption {
        Encryption::Off => Box::new(stream),
        Encryption::Strict(config) => Box::new(strict(stream, name, config).await?),
        Encryption::Wrapped(config) => Box::new(wrapped(stream, name, config).await?),
    };
    Ok(Line(way))
}

async fn strict<S: Way + 'static>(
    stream: S,
    name: ServerName<'static>,
    config: &Arc<ClientConfig>,
) -> Result<Answering<TlsStream<S>>, Refusal> {
    let mut tls = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    let said = exchanged(&mut tls, true).await?;
    match answer(&said) {
        // Nothing else is to be agreed on.
        Answer::Encrypted | Answer::Plain => Ok(Answering::new(tls, said)),
        Answer::Malformed => Err(Refusal::Malformed),
    }
}

async fn wrapped<S: Way + 'static>(
    mut stream: S,
    name: ServerName<'static>,
    config: &Arc<ClientConfig>,
) -> Result<Answering<TlsStream<Wrapping<S>>>, Refusal> {
    let said = exchanged(&mut stream, false).await?;
    match answer(&said) {
        Answer::Encrypted => {}
        Answer::Plain => return Err(Refusal::NoTls),
        Answer::Malformed => return Err(Refusal::Malformed),
    }
    let mut tls = TlsConnector::from(Arc::clone(config)).connect(name, Wrapping::new(stream)).await?;
    // The handshake is over when both sides have said so: nothing of it is under way any more.
    let wrapping = tls.get_mut().0;
    wrapping.flush().await?;
    wrapping.is_open = true;
    Ok(Answering::new(tls, said))
}

/// Sends our PRELOGIN and reads the server's.
async fn exchanged(stream: &mut impl Way, is_encrypted: bool) -> Result<Vec<u8>, Refusal> {
    stream.write_all(&packets(PRELOGIN, &asking(is_encrypted))).await?;
    stream.flush().await?;
    message(stream).await
}

/// The kind of what a server answers.
const REPLY: u8 = 0x04;

/// Reads one message.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Refusal> {
    let mut message = Vec::new();
    loop {
        let mut head = [0; HEADER];
        stream.read_exact(&mut head).await?;
        let (is_last, length) = header(head).ok_or(Refusal::Malformed)?;
        let before = message.len();
        if head[0] != REPLY || before + length > ANSWER_BYTES {
            return Err(Refusal::Malformed);
        }
        message.resize(before + length, 0);
        stream.read_exact(&mut message[before..]).await?;
        if is_last {
            return Ok(message);
        }
    }
}

/// Carries a TLS handshake in packets, and what comes after it as it is.
pub(super) struct Wrapping<S> {
    stream: S,
    /// Whether the handshake is over.
    is_open: bool,
    /// What TLS has written and is not in a packet yet.
    written: Vec<u8>,
    /// Packets that are on their way out.
    leaving: Vec<u8>,
    head: [u8; HEADER],
    /// How much of the header of the packet that comes is there.
    headed: usize,
    /// How much of it is to come behind the header.
    coming: usize,
}

impl<S: Way> Wrapping<S> {
    fn new(stream: S) -> Self {
        let (written, leaving) = (Vec::new(), Vec::new());
        Self { stream, is_open: false, written, leaving, head: [0; HEADER], headed: 0, coming: 0 }
    }

    /// Sends what TLS has written, as one message.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.written.is_empty() {
            self.leaving.extend(packets(PRELOGIN, &self.written));
            self.written.clear();
        }
        while !self.leaving.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.leaving))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.leaving.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Way> AsyncRead for Wrapping<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_open {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        // The server answers what it has got.
        ready!(this.poll_leave(cx))?;
        while this.coming == 0 {
            let mut head = ReadBuf::new(&mut this.head);
            head.set_filled(this.headed);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut head))?;
            let headed = head.filled().len();
            if headed == this.headed {
                // The end of the line, which TLS tells from an end of its own.
                return Poll::Ready(Ok(()));
            }
            this.headed = headed;
            if headed == HEADER {
                let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the TLS handshake came in a strange packet");
                let (_, length) = header(this.head).filter(|_| this.head[0] == PRELOGIN).ok_or_else(wrong)?;
                (this.headed, this.coming) = (0, length);
            }
        }
        let length = this.coming.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(length));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        this.coming -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: Way> AsyncWrite for Wrapping<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_open {
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        this.written.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_leave(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Keeps the driver's PRELOGIN to itself and answers it.
pub(super) struct Answering<S> {
    stream: S,
    /// What the driver has written of its PRELOGIN; nothing once it was answered.
    asked: Option<Vec<u8>>,
    /// What of the answer is still to be read.
    answer: Vec<u8>,
}

impl<S> Answering<S> {
    /// With what the server has said in its own PRELOGIN.
    fn new(stream: S, said: Vec<u8>) -> Self {
        Self { stream, asked: Some(Vec::new()), answer: packets(REPLY, &without_encryption(said)) }
    }
}

impl<S: Way> AsyncRead for Answering<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.asked.is_none() && !this.answer.is_empty() {
            let length = this.answer.len().min(buf.remaining());
            buf.put_slice(&this.answer[..length]);
            this.answer.drain(..length);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: Way> AsyncWrite for Answering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(asked) = &mut this.asked else { return Pin::new(&mut this.stream).poll_write(cx, buf) };
        // The length of a packet is in its header.
        let head =
            asked.first_chunk::<HEADER>().map_or(HEADER, |head| HEADER + header(*head).map_or(0, |(_, rest)| rest));
        let taken = buf.len().min(head.saturating_sub(asked.len()));
        asked.extend_from_slice(&buf[..taken]);
        if asked
            .first_chunk::<HEADER>()
            .and_then(|head| header(*head))
            .is_some_and(|(_, rest)| asked.len() == HEADER + rest)
        {
            this.asked = None;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
