//! Connections whose content is nobody's business.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::chance::{End, Fate};
use super::{Line, Way, will_reset};

/// How long a thread waits for bytes before it looks whether the other direction has ended both.
const LOOK: Duration = Duration::from_millis(50);
const PIECE: usize = 32 << 10;
/// Bytes that a long connection passes before something happens to it.
const LIFE: u64 = 8 << 20;

pub(super) fn serve(line: &Arc<Line>, client: TcpStream) -> io::Result<()> {
    let server = line.connect(line.server)?;
    let fate = line.draw(|chance| chance.long(LIFE));
    join(line, client, server, fate)
}

/// Passes both directions until both have ended, or the fate of the connection is met in one.
pub(super) fn join(line: &Arc<Line>, client: TcpStream, server: TcpStream, fate: Option<Fate>) -> io::Result<()> {
    let (client, server) = (Arc::new(client), Arc::new(server));
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(LOOK))?;
    }
    let is_cut = Arc::new(AtomicBool::new(false));
    let up = {
        let (line, client, server, is_cut) = (line.clone(), client.clone(), server.clone(), is_cut.clone());
        std::thread::spawn(move || flow(&line, Way::Up, (&client, &server), fate, &is_cut))
    };
    let down = flow(line, Way::Down, (&server, &client), fate, &is_cut);
    let up = up.join().unwrap();
    down.and(up)
}

fn flow(
    line: &Line,
    way: Way,
    (mut from, mut to): (&TcpStream, &TcpStream),
    fate: Option<Fate>,
    is_cut: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let (mut passed, mut is_open) = (0, true);
    let mut fate = fate;
    loop {
        let read = match from.read(&mut buffer) {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if is_cut.load(Ordering::SeqCst) {
                    return Ok(());
                }
                continue;
            }
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return Ok(());
            }
            Err(_) => {
                will_reset(to);
                is_cut.store(true, Ordering::SeqCst);
                return Ok(());
            }
            Ok(read) => read,
        };
        if is_cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let due = fate.filter(|fate| passed + read as u64 > fate.after || matches!(fate.end, End::Slow(_)));
        let mut length = read;
        match due.map(|fate| fate.end) {
            None => {}
            Some(End::Slow(pause)) => std::thread::sleep(pause),
            Some(End::Stall(pause)) => {
                std::thread::sleep(pause);
                fate = None;
            }
            Some(end @ (End::Reset | End::Truncated)) => {
                length = fate.take().map_or(0, |fate| fate.after.saturating_sub(passed) as usize).min(read);
                // A listing of FTP that ends with a line is a whole one to everybody.
                while length > 0 && buffer[length - 1] == b'\n' {
                    length -= 1;
                }
                if is_open {
                    line.pass(way, length);
                    to.write_all(&buffer[..length])?;
                }
                if matches!(end, End::Reset) {
                    will_reset(from);
                    will_reset(to);
                    is_cut.store(true, Ordering::SeqCst);
                    return Ok(());
                }
                let _ = to.shutdown(Shutdown::Write);
                is_open = false;
            }
        }
        if is_open {
            line.pass(way, length);
            if to.write_all(&buffer[..length]).is_err() {
                will_reset(from);
                is_cut.store(true, Ordering::SeqCst);
                return Ok(());
            }
        }
        passed += length as u64;
    }
}
