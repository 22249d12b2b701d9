//! One control connection and what it is asked.
//!
//! A session is in sync when every command that was sent has its complete reply. Whatever interrupts it in between, a
//! dropped call included, leaves it out of sync for good, and it is not used again: a late reply is never taken for the
//! answer to another command.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::reply::{self, Reply};
use super::wire::{CONNECT, SILENCE, Secure, Wire, connect_data};
use crate::error::{Code, Error, Result};

/// How long a server may take to store what it was sent.
const FINAL: Duration = Duration::from_mins(5);
/// How long it may take to say why it broke a transfer off.
const WORDS: Duration = Duration::from_secs(5);

/// A control connection.
pub(super) struct Session {
    wire: BufReader<Wire>,
    peer: SocketAddr,
    /// What data connections are secured by.
    pub(super) secure: Option<Secure>,
    pub(super) subject: Arc<str>,
    /// The server has no EPSV, or one that leads nowhere.
    pasv: Arc<AtomicBool>,
    in_sync: bool,
    pub(super) rested: Instant,
}

/// What became of a command that opens a data connection.
pub(super) enum Begun {
    /// Bytes may pass.
    Open(Wire),
    /// The server's reply says why not.
    Refused(Reply),
}

impl Session {
    pub(super) fn new(wire: Wire, peer: SocketAddr, subject: Arc<str>, pasv: Arc<AtomicBool>) -> Self {
        let wire = BufReader::new(wire);
        Self { wire, peer, secure: None, subject, pasv, in_sync: true, rested: Instant::now() }
    }

    pub(super) fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// Never to be used again.
    pub(super) fn give_up(&mut self) {
        self.in_sync = false;
    }

    /// Secures the control connection. Nothing that came before is believed to have come after.
    pub(super) async fn secure_control(mut self, secure: &Secure) -> Result<Self> {
        let leftover = !self.wire.buffer().is_empty();
        let error = || Error::new(Code::Storage, "secure the connection to", &self.subject);
        if leftover {
            return Err(error().because("the server said more than it was asked"));
        }
        let error = error();
        let Some(plain) = self.wire.into_inner().plain() else { return Err(error) };
        self.wire = BufReader::new(secure.handshake(plain, &self.subject).await?);
        Ok(self)
    }

    /// The next reply, whatever it says.
    pub(super) async fn reply(&mut self, patience: Duration, action: &'static str) -> Result<Reply> {
        self.in_sync = false;
        let reply = reply::read(&mut self.wire, patience, action, &self.subject).await?;
        self.in_sync = !reply.is_preliminary() && reply.code != 421;
        self.rested = Instant::now();
        Ok(reply)
    }

    async fn send(&mut self, action: &'static str, verb: &str, argument: Option<&[u8]>) -> Result<()> {
        let line = line(action, verb, argument)?;
        if !self.in_sync {
            return Err(Error::new(Code::Internal, action, &self.subject).because("the session is out of sync"));
        }
        self.in_sync = false;
        let sent = timeout(SILENCE, async {
            self.wire.write_all(&line).await?;
            self.wire.flush().await
        });
        let gone = |why: &dyn std::fmt::Display| Error::new(Code::Offline, action, &self.subject).because(why);
        match sent.await {
            Err(_) => Err(Error::new(Code::Timeout, action, &self.subject).because("the server takes no command")),
            Ok(sent) => sent.map_err(|e| gone(&e)),
        }
    }

    /// Asks and waits for the answer. A server that ends the session is an error, as it says nothing of the command.
    ///
    /// # Errors
    /// `offline`, `timeout`: whether the server acted is not known. `invalid`: the argument cannot be said.
    pub(super) async fn ask(&mut self, action: &'static str, verb: &str, argument: Option<&[u8]>) -> Result<Reply> {
        let reply = self.ask_once(action, verb, argument).await?;
        if reply.code == 421 {
            return Err(reply.error(action, &self.subject));
        }
        Ok(reply)
    }

    /// As [`ask`](Self::ask), with the end of the session among the answers.
    pub(super) async fn ask_once(
        &mut self,
        action: &'static str,
        verb: &str,
        argument: Option<&[u8]>,
    ) -> Result<Reply> {
        self.send(action, verb, argument).await?;
        self.reply(SILENCE, action).await
    }

    /// Opens a data connection and gives the command that uses it, from an offset on. The restart comes right before the
    /// command (RFC 3659, section 5.3).
    pub(super) async fn begin(
        &mut self,
        action: &'static str,
        verb: &str,
        argument: Option<&[u8]>,
        offset: u64,
    ) -> Result<Begun> {
        let stream = match self.passive(action).await? {
            Ok(stream) => stream,
            Err(reply) => return Ok(Begun::Refused(reply)),
        };
        if offset > 0 {
            let reply = self.ask(action, "REST", Some(offset.to_string().as_bytes())).await?;
            if reply.code != 350 {
                return Ok(Begun::Refused(reply));
            }
        }
        let reply = self.ask(action, verb, argument).await?;
        if !reply.is_preliminary() {
            return Ok(Begun::Refused(reply));
        }
        let Some(secure) = self.secure.clone() else { return Ok(Begun::Open(Wire::Plain(stream))) };
        match secure.handshake(stream, &self.subject).await {
            Ok(wire) => Ok(Begun::Open(wire)),
            Err(error) => match self.reply(WORDS, action).await {
                Ok(reply) if !reply.is_done() => Ok(Begun::Refused(reply)),
                Ok(_) | Err(_) => Err(error),
            },
        }
    }

    /// The reply after the data. The data connection is shut down or gone by now.
    pub(super) async fn finish(&mut self, action: &'static str) -> Result<Reply> {
        loop {
            let reply = self.reply(FINAL, action).await?;
            if !reply.is_preliminary() {
                return Ok(reply);
            }
        }
    }

    /// The reply after a transfer that broke, where there is one soon.
    pub(super) async fn words(&mut self, action: &'static str) -> Option<Reply> {
        self.reply(WORDS, action).await.ok().filter(|reply| !reply.is_preliminary())
    }

    /// After a data connection was closed early: the server says so by one reply or by two, and then answers again.
    pub(super) async fn resynchronise(&mut self) {
        let action = "go on with";
        if self.reply(SILENCE, action).await.is_err() || !self.in_sync || self.send(action, "NOOP", None).await.is_err()
        {
            return;
        }
        for _ in 0..2 {
            match self.reply(WORDS, action).await {
                Ok(reply) if matches!(reply.code, 225 | 226 | 426) => self.in_sync = false,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// A data connection, by EPSV (RFC 2428) or, where that fails, by PASV. The server names a port; the address is the one
    /// that the control connection goes to, as an address in a reply may be private or somebody else's.
    async fn passive(&mut self, action: &'static str) -> Result<std::result::Result<TcpStream, Reply>> {
        if !self.pasv.load(Ordering::Relaxed) {
            let reply = self.ask(action, "EPSV", None).await?;
            let port = if reply.code == 229 { extended_port(reply.text()) } else { None };
            if let Some(port) = port
                && let Ok(stream) = connect_data(self.peer, port).await
            {
                return Ok(Ok(stream));
            }
        }
        let reply = self.ask(action, "PASV", None).await?;
        let port = if reply.code == 227 { plain_port(reply.text()) } else { None };
        let Some(port) = port else { return Ok(Err(reply)) };
        match connect_data(self.peer, port).await {
            Ok(stream) => {
                self.pasv.store(true, Ordering::Relaxed);
                Ok(Ok(stream))
            }
            Err(e) => {
                let error = Error::new(Code::Offline, action, &self.subject);
                let why = format!("no data connection could be made within {} s: {e}", CONNECT.as_secs());
                Err(error.because(why).advise("the ports that the server names must be open"))
            }
        }
    }
}

/// A command as it goes over the wire: one line, 0xFF doubled (RFC 959, section 5.3; RFC 854). Wiped when it is
/// dropped, as it may be a password.
fn line(action: &'static str, verb: &str, argument: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>> {
    let argument = argument.unwrap_or_default();
    if argument.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        let error = Error::new(Code::Invalid, action, "a name with a line break");
        return Err(error.because("FTP cannot say it"));
    }
    let mut line = Zeroizing::new(Vec::with_capacity(verb.len() + 2 * argument.len() + 3));
    line.extend_from_slice(verb.as_bytes());
    if !argument.is_empty() {
        line.push(b' ');
        for byte in argument {
            line.push(*byte);
            if *byte == 0xff {
                line.push(0xff);
            }
        }
    }
    line.extend_from_slice(b"\r\n");
    Ok(line)
}

/// The port of `229 … (|||port|)`; the delimiter may be another character.
fn extended_port(text: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(&text[text.iter().rposition(|b| *b == b'(')? + 1..]).ok()?;
    let text = &text[..text.find(')')?];
    let delimiter = text.chars().next()?;
    let mut fields = text.split(delimiter).skip(1);
    let port = fields.nth(2)?.parse().ok()?;
    (port != 0).then_some(port)
}

/// The port of `227 … h1,h2,h3,h4,p1,p2`, in parentheses or not.
fn plain_port(text: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(text);
    let numbers = |run: &str| {
        let all: Option<Vec<u8>> = run.trim_matches(',').split(',').map(|n| n.trim().parse().ok()).collect();
        all.filter(|all| all.len() == 6)
    };
    let runs = text.split(|c: char| !c.is_ascii_digit() && c != ',' && c != ' ');
    let all = runs.flat_map(|run| [Some(run), run.split(' ').find(|part| part.contains(','))]).flatten();
    let found = all.filter_map(numbers).next_back()?;
    let port = u16::from(found[4]) * 256 + u16::from(found[5]);
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line() {
        assert_eq!(line("x", "RETR", Some(b"/a\xffb")).unwrap().as_slice(), b"RETR /a\xff\xffb\r\n");
        assert_eq!(line("x", "NOOP", None).unwrap().as_slice(), b"NOOP\r\n");
        for bad in [&b"a\r\nDELE b"[..], b"a\nDELE b", b"a\r", b"a\0b"] {
            assert_eq!(line("x", "RETR", Some(bad)).unwrap_err().code(), Code::Invalid);
        }
    }

    #[test]
    fn ports_are_found_in_what_servers_say() {
        assert_eq!(extended_port(b"Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(extended_port(b"ok (!!!6446!)"), Some(6446));
        for bad in [&b"(|||0|)"[..], b"(|||70000|)", b"(|||x|)", b"()", b"(", b"", b"(|||6446", b"(||6446|)"] {
            assert_eq!(extended_port(bad), None, "{bad:?}");
        }
        assert_eq!(plain_port(b"Entering Passive Mode (10,0,0,1,25,46)."), Some(25 * 256 + 46));
        assert_eq!(plain_port(b"Entering Passive Mode 10,0,0,1,25,46"), Some(25 * 256 + 46));
        assert_eq!(plain_port(b"=127,0,0,1,4,0"), Some(1024));
        for bad in [&b"(1,2,3,4,5)"[..], b"(1,2,3,4,0,0)", b"(1,2,3,4,256,1)", b"", b"no", b"(1,2,3,4,5,6,7)"] {
            assert_eq!(plain_port(bad), None, "{bad:?}");
        }
    }
}
