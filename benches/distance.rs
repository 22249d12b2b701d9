//! A server put at a distance: what passes through arrives later by half of a round trip, in each direction.
//!
//! `distance PORT ROUND_TRIP_MS [COUNTS]` listens on a free port of the loopback, prints it, and passes everything on to
//! PORT. With COUNTS it writes there, after each change, how many requests of each HTTP method have passed.
//!
//! Bytes are delayed, not slowed: each direction of a connection has a thread that reads and one that writes when the
//! time has come, with up to `UNDER_WAY` bytes between them. A connection costs a round trip before its first byte, as
//! the handshake of TCP would. What this cannot show is loss, and slow start. Compiled by `rustc -O`, without crates.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// More than a gigabyte a second has under way within 10 ms.
const UNDER_WAY: usize = 32 << 20;
const PIECE: usize = 128 << 10;
const METHODS: [&str; 9] = ["HEAD", "GET", "PUT", "POST", "DELETE", "PROPFIND", "PROPPATCH", "MKCOL", "MOVE"];

#[derive(Default)]
struct Line {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
}

type Counts = Arc<Option<(String, Mutex<BTreeMap<&'static str, u64>>)>>;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, port, round_trip, rest @ ..] = &words[..] else { panic!("distance PORT ROUND_TRIP_MS [COUNTS]") };
    let port: u16 = port.parse().expect("a port");
    let delay = Duration::from_secs_f64(round_trip.parse::<f64>().expect("milliseconds") / 2000.0);
    let counts: Counts = Arc::new(rest.first().map(|file| (file.clone(), Mutex::default())));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("an address").port());
    for client in listener.incoming().flatten() {
        let counts = Arc::clone(&counts);
        thread::spawn(move || {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
            thread::spawn(move || pass(from_server, client, delay, Duration::ZERO, &Arc::new(None)));
            pass(from_client, server, delay, delay * 2, &counts);
        });
    }
}

/// Passes everything on in one direction; the first piece takes `first` longer.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration, first: Duration, counts: &Counts) {
    let line = Arc::new((Mutex::new(Line::default()), Condvar::new()));
    let writer = thread::spawn({
        let line = Arc::clone(&line);
        move || {
            while let Some((due, bytes)) = next(&line) {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let written = to.write_all(&bytes);
                let mut state = line.0.lock().expect("no panic");
                state.bytes -= bytes.len();
                state.ended |= written.is_err();
                line.1.notify_all();
            }
            let _ = to.shutdown(Shutdown::Write);
        }
    });
    let begun = Instant::now();
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count(&buffer[..length], counts);
        let due = (Instant::now() + delay).max(begun + first + delay);
        let mut state = line.0.lock().expect("no panic");
        while state.bytes > UNDER_WAY && !state.ended {
            state = line.1.wait(state).expect("no panic");
        }
        if state.ended {
            break;
        }
        state.bytes += length;
        state.pieces.push_back((due, buffer[..length].to_vec()));
        line.1.notify_all();
    }
    line.0.lock().expect("no panic").ended = true;
    line.1.notify_all();
    let _ = writer.join();
    let _ = from.shutdown(Shutdown::Read);
}

fn next(line: &(Mutex<Line>, Condvar)) -> Option<(Instant, Vec<u8>)> {
    let mut state = line.0.lock().expect("no panic");
    loop {
        if let Some(piece) = state.pieces.pop_front() {
            return Some(piece);
        }
        if state.ended {
            return None;
        }
        state = line.1.wait(state).expect("no panic");
    }
}

/// Without pipelining a request begins where a piece does.
fn count(piece: &[u8], counts: &Counts) {
    let Some((file, counts)) = &**counts else { return };
    let is_of = |method: &&&str| {
        piece.starts_with(method.as_bytes()) && piece.get(method.len()..).is_some_and(|rest| rest.starts_with(b" /"))
    };
    let Some(method) = METHODS.iter().find(is_of) else { return };
    let mut counts = counts.lock().expect("no panic");
    *counts.entry(method).or_default() += 1;
    let lines: String = counts.iter().map(|(method, count)| format!("{method} {count}\n")).collect();
    std::fs::write(file, lines).expect("the file of counts can be written");
}
