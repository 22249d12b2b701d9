//! Requests and answers of HTTP/1.1 (RFC 9112), one connection to the server for each.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::chance::{Chance, Turn};
use super::{Line, Way, will_reset};

const PIECE: usize = 32 << 10;

/// The first line and the fields of a message.
struct Head {
    first: String,
    fields: Vec<(String, String)>,
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilTheEnd,
}

impl Head {
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut first = String::new();
        if from.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&line);
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Some(Self { first: first.trim_end().to_owned(), fields }))
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    fn framing(&self, otherwise: Framing) -> Framing {
        let is_chunked = self.field("transfer-encoding").is_some_and(|value| value.ends_with("chunked"));
        match self.field("content-length").and_then(|length| length.parse().ok()) {
            _ if is_chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => otherwise,
        }
    }

    fn bytes(&self, connection: &str) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in self.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Connection: {connection}\r\n\r\n"));
        text.into_bytes()
    }
}

/// A body on its way.
struct Body<'a> {
    line: &'a Line,
    way: Way,
    /// It ends after so many bytes, whatever it said.
    until: Option<u64>,
    pause: Duration,
    passed: u64,
    /// Who sends it has gone away before its end.
    is_severed: bool,
}

impl Body<'_> {
    /// Passes it; whether it came to its end.
    fn pass(&mut self, framing: Framing, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
        match framing {
            Framing::Length(length) => self.piece(length, from, to),
            Framing::UntilTheEnd => self.piece(u64::MAX, from, to).map(|_| true),
            Framing::Chunked => loop {
                let mut size = String::new();
                from.read_line(&mut size)?;
                let digits = size.trim().split(';').next().unwrap_or_default();
                let length = u64::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                to.write_all(size.as_bytes())?;
                if !self.piece(length + 2, from, to)? {
                    return Ok(false);
                }
                if length == 0 {
                    return Ok(true);
                }
            },
        }
    }

    fn piece(&mut self, length: u64, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
        let mut buffer = vec![0; PIECE];
        let mut missing = length;
        while missing > 0 {
            let most = missing.min(self.until.map_or(u64::MAX, |until| until - self.passed)).min(PIECE as u64);
            if most == 0 {
                return Ok(false);
            }
            let read = from.read(&mut buffer[..most as usize]).unwrap_or(0);
            if read == 0 {
                self.is_severed = true;
                return Ok(false);
            }
            self.line.pass(self.way, read);
            to.write_all(&buffer[..read])?;
            self.passed += read as u64;
            missing -= read as u64;
            std::thread::sleep(self.pause);
        }
        Ok(true)
    }
}

/// Serves a client until it goes away or is cut off.
pub(super) fn serve(line: &Arc<Line>, client: TcpStream) -> io::Result<()> {
    let mut from = BufReader::with_capacity(PIECE, client.try_clone()?);
    while let Some(head) = Head::read(&mut from)? {
        let turn = line.draw(Chance::request);
        let goes_on = match turn {
            Some(Turn::Late(pause)) => {
                std::thread::sleep(pause);
                exchange(line, &head, &mut from, &client, None)
            }
            turn => exchange(line, &head, &mut from, &client, turn),
        };
        if !goes_on.unwrap_or(false) {
            break;
        }
    }
    Ok(())
}

/// One request and its answer; whether another may follow on this connection.
fn exchange(
    line: &Line,
    head: &Head,
    from: &mut BufReader<TcpStream>,
    mut client: &TcpStream,
    turn: Option<Turn>,
) -> io::Result<bool> {
    let framing = head.framing(Framing::Length(0));
    let mut body = Body { line, way: Way::Up, until: None, pause: Duration::ZERO, passed: 0, is_severed: false };
    if let Some(Turn::Refused { status, seconds }) = turn {
        body.pass(framing, from, &mut io::sink())?;
        client.write_all(&refusal(status, seconds))?;
        return Ok(true);
    }
    let server = line.connect(line.server)?;
    let broken = match turn {
        Some(Turn::Broken { after }) => Some(after),
        _ => None,
    };
    body.until = broken;
    (&server).write_all(&head.bytes("close"))?;
    // A server may answer before it has read everything.
    let sent = body.pass(framing, from, &mut &server);
    if broken.is_some() || body.is_severed {
        will_reset(client);
        will_reset(&server);
        return Ok(false);
    }
    let mut answer = BufReader::with_capacity(PIECE, server);
    let Some(said) = Head::read(&mut answer)? else {
        will_reset(client);
        return Ok(false);
    };
    if head.method() == "PUT" && said.status() / 100 == 2 {
        line.acknowledged.fetch_add(body.passed, Ordering::SeqCst);
    }
    match turn {
        Some(Turn::Lost) => {
            // The server is left to finish.
            io::copy(&mut answer, &mut io::sink())?;
            will_reset(client);
            return Ok(false);
        }
        Some(Turn::Unknown { status }) => {
            io::copy(&mut answer, &mut io::sink())?;
            client.write_all(&refusal(status, None))?;
            return Ok(sent.is_ok_and(|is_whole| is_whole));
        }
        _ => {}
    }
    let goes_on = answered(line, head, &said, &mut answer, client, turn)?;
    Ok(goes_on && sent.is_ok_and(|is_whole| is_whole))
}

fn answered(
    line: &Line,
    head: &Head,
    said: &Head,
    answer: &mut impl BufRead,
    mut client: &TcpStream,
    turn: Option<Turn>,
) -> io::Result<bool> {
    let has_body = head.method() != "HEAD" && !matches!(said.status(), 204 | 304);
    let framing = if has_body { said.framing(Framing::UntilTheEnd) } else { Framing::Length(0) };
    let goes_on = framing != Framing::UntilTheEnd;
    client.write_all(&said.bytes(if goes_on { "keep-alive" } else { "close" }))?;
    let (until, is_reset, pause) = match turn {
        Some(Turn::Cut { after, is_reset }) => (Some(after), is_reset, Duration::ZERO),
        Some(Turn::Slow(pause)) => (None, false, pause),
        _ => (None, false, Duration::ZERO),
    };
    let mut body = Body { line, way: Way::Down, until, pause, passed: 0, is_severed: false };
    let is_whole = body.pass(framing, answer, &mut client)?;
    if is_reset && !is_whole {
        will_reset(client);
    }
    Ok(is_whole && goes_on)
}

fn refusal(status: u16, seconds: Option<u8>) -> Vec<u8> {
    let after = seconds.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let text = "<html><body>not now</body></html>";
    let length = text.len();
    format!("HTTP/1.1 {status} Not Now\r\n{after}Content-Type: text/html\r\nContent-Length: {length}\r\n\r\n{text}")
        .into_bytes()
}
