//! Control connections of FTP, and the data connections that they speak of.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::chance::{End, Fate};
use super::{Line, Way, tcp, will_reset};

/// Bytes that a control connection passes before something happens to it.
const LIFE: u64 = 64 << 10;

pub(super) fn serve(line: &Arc<Line>, client: TcpStream) -> io::Result<()> {
    let server = line.connect(line.server)?;
    let fate = line.draw(|chance| chance.long(LIFE));
    // The commands go as they are; a fate is met among the replies.
    let (commands_from, mut commands_to) = (client.try_clone()?, server.try_clone()?);
    let of_commands = Arc::clone(line);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 4 << 10];
        while let Ok(read) = (&commands_from).read(&mut buffer) {
            of_commands.pass(Way::Up, read);
            if read == 0 || commands_to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = commands_to.shutdown(std::net::Shutdown::Both);
    });
    let ended = replies(line, &client, &server, fate);
    // Wakes the thread of the commands.
    for stream in [&client, &server] {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    ended
}

fn replies(line: &Arc<Line>, mut client: &TcpStream, server: &TcpStream, fate: Option<Fate>) -> io::Result<()> {
    let mut reader = BufReader::new(server);
    let (mut passed, mut text, mut fate) = (0, Vec::new(), fate);
    loop {
        text.clear();
        if reader.read_until(b'\n', &mut text)? == 0 {
            return Ok(());
        }
        let reply = renamed(line, &text)?.unwrap_or_else(|| text.clone());
        let mut length = reply.len();
        let due = fate.filter(|fate| passed + length as u64 > fate.after || matches!(fate.end, End::Slow(_)));
        match due.map(|fate| fate.end) {
            None => {}
            Some(End::Slow(pause)) => std::thread::sleep(pause),
            Some(End::Stall(pause)) => {
                std::thread::sleep(pause);
                fate = None;
            }
            Some(End::Reset | End::Truncated) => length = length.min(fate.map_or(0, |f| f.after - passed) as usize),
        }
        line.pass(Way::Down, length);
        client.write_all(&reply[..length])?;
        passed += length as u64;
        if length < reply.len() {
            will_reset(client);
            return Ok(());
        }
    }
}

/// A reply that names a port for data, with a port of the line's own (RFC 2428, section 3; RFC 959, section 4.1.2).
fn renamed(line: &Arc<Line>, reply: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let text = String::from_utf8_lossy(reply);
    let inside =
        |open: char| text.split_once(open).and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside);
    if text.starts_with("229 ") {
        let Some(port) = inside('(').and_then(|inside| inside.trim_matches('|').parse().ok()) else { return Ok(None) };
        let port = data(line, port)?;
        return Ok(Some(format!("229 Entering Extended Passive Mode (|||{port}|)\r\n").into_bytes()));
    }
    if text.starts_with("227 ") {
        let numbers: Vec<u16> =
            inside('(').map(|i| i.split(',').filter_map(|n| n.trim().parse().ok()).collect()).unwrap_or_default();
        let [.., high, low] = numbers[..] else { return Ok(None) };
        let port = data(line, high << 8 | low)?;
        let reply = format!("227 Entering Passive Mode (127,0,0,1,{},{})\r\n", port >> 8, port & 255);
        return Ok(Some(reply.into_bytes()));
    }
    Ok(None)
}

/// Waits for one connection, which goes to this port of the server.
fn data(line: &Arc<Line>, port: u16) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own = listener.local_addr()?.port();
    let line = Arc::clone(line);
    std::thread::spawn(move || -> io::Result<()> {
        let (client, _) = listener.accept()?;
        client.set_nodelay(true)?;
        let server = line.connect((line.server.ip(), port).into())?;
        let fate = line.draw(super::chance::Chance::short);
        tcp::join(&line, client, server, fate)
    });
    Ok(own)
}
