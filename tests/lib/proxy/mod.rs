//! A line between a client and a server on this machine. It counts what passes, may have a bandwidth, and fails at
//! random: connections are reset, end early, stall or are slow, and answers of HTTP are lost, cut or replaced by 5xx and
//! 429. What happens is drawn from a seed; which request meets it is up to the threads.

mod chance;
mod ftp;
mod http;
mod tcp;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use self::chance::Chance;

/// What is spoken over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: requests and answers are told apart.
    Http,
    /// FTP: data connections go over the line too.
    Ftp,
    /// Anything.
    Tcp,
}

/// Bytes of one direction, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// Runs until it is dropped.
pub struct Proxy {
    pub port: u16,
    line: Arc<Line>,
}

struct Line {
    protocol: Protocol,
    server: SocketAddr,
    is_faulty: AtomicBool,
    has_ended: AtomicBool,
    chance: Mutex<Chance>,
    passed: [AtomicU64; 2],
    /// Bytes of bodies that the server has confirmed to have (HTTP).
    acknowledged: AtomicU64,
    /// Bytes per second of both directions together; none: 0.
    bandwidth: AtomicU64,
    free_at: Mutex<Instant>,
    happened: Mutex<BTreeMap<&'static str, u64>>,
}

impl Proxy {
    pub fn start(protocol: Protocol, server: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(Line {
            protocol,
            server: ([127, 0, 0, 1], server).into(),
            is_faulty: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            chance: Mutex::new(Chance(seed)),
            passed: Default::default(),
            acknowledged: AtomicU64::new(0),
            bandwidth: AtomicU64::new(0),
            free_at: Mutex::new(Instant::now()),
            happened: Mutex::default(),
        });
        let of_thread = Arc::clone(&line);
        std::thread::spawn(move || accept(&of_thread, &listener));
        Self { port, line }
    }

    /// From now on everything that is drawn happens, or nothing.
    pub fn set_faulty(&self, is_faulty: bool) {
        self.line.is_faulty.store(is_faulty, Ordering::SeqCst);
    }

    /// Bytes per second of both directions together.
    pub fn set_bandwidth(&self, bytes_per_second: u64) {
        self.line.bandwidth.store(bytes_per_second, Ordering::SeqCst);
    }

    pub fn passed(&self, way: Way) -> u64 {
        self.line.passed[way as usize].load(Ordering::SeqCst)
    }

    pub fn acknowledged(&self) -> u64 {
        self.line.acknowledged.load(Ordering::SeqCst)
    }

    /// What has happened, and how often.
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.line.happened.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.has_ended.store(true, Ordering::SeqCst);
        // The listener wakes up and sees it.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn accept(line: &Arc<Line>, listener: &TcpListener) {
    for client in listener.incoming() {
        if line.has_ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let line = Arc::clone(line);
        // A connection that breaks is what this is about.
        std::thread::spawn(move || -> io::Result<()> {
            client.set_nodelay(true)?;
            match line.protocol {
                Protocol::Http => http::serve(&line, client),
                Protocol::Ftp => ftp::serve(&line, client),
                Protocol::Tcp => tcp::serve(&line, client),
            }
        });
    }
}

impl Line {
    fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let server = TcpStream::connect(to)?;
        server.set_nodelay(true)?;
        Ok(server)
    }

    /// Draws, where anything may happen at all.
    fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> Option<(&'static str, T)>) -> Option<T> {
        if !self.is_faulty.load(Ordering::SeqCst) {
            return None;
        }
        let (name, drawn) = draw(&mut self.chance.lock().unwrap())?;
        *self.happened.lock().unwrap().entry(name).or_default() += 1;
        Some(drawn)
    }

    /// Counts bytes that are about to pass, and takes their time.
    fn pass(&self, way: Way, bytes: usize) {
        self.passed[way as usize].fetch_add(bytes as u64, Ordering::SeqCst);
        let rate = self.bandwidth.load(Ordering::SeqCst);
        if rate > 0 {
            let turn = {
                let mut free_at = self.free_at.lock().unwrap();
                let turn = (*free_at).max(Instant::now());
                *free_at = turn + Duration::from_secs_f64(bytes as f64 / rate as f64);
                turn
            };
            std::thread::sleep(turn.saturating_duration_since(Instant::now()));
        }
    }
}

/// The other side sees a reset instead of an orderly end, once the last handle of the connection is dropped.
fn will_reset(stream: &TcpStream) {
    // Without it the end is an orderly one, which is a fault as well.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
