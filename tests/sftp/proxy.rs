//! A line between client and server that counts what passes, and can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes of one direction.
pub(crate) struct Way {
    passed: AtomicU64,
    /// Once so many have passed, every connection is cut.
    cut_at: AtomicU64,
}

impl Way {
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    pub(crate) fn cut_after(&self, more: u64) {
        self.cut_at.store(self.passed() + more, Ordering::SeqCst);
    }
}

pub(crate) struct Proxy {
    line: Arc<Line>,
    pub(crate) port: u16,
    threads: Option<tokio::runtime::Runtime>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.threads.take().unwrap().shutdown_background();
    }
}

struct Line {
    server: SocketAddr,
    up: Way,
    down: Way,
    /// New connections are let through.
    is_open: AtomicBool,
    /// After a cut new ones are not.
    stays_cut: AtomicBool,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) fn start(port: u16) -> Self {
        let way = || Way { passed: AtomicU64::new(0), cut_at: AtomicU64::new(u64::MAX) };
        let line = Arc::new(Line {
            server: ([127, 0, 0, 1], port).into(),
            up: way(),
            down: way(),
            is_open: AtomicBool::new(true),
            stays_cut: AtomicBool::new(false),
            cuts: watch::Sender::new(0),
        });
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        threads.spawn(accept(Arc::clone(&line), listener));
        Self { line, port, threads: Some(threads) }
    }

    pub(crate) fn up(&self) -> &Way {
        &self.line.up
    }

    pub(crate) fn down(&self) -> &Way {
        &self.line.down
    }

    /// Whether the line is dead after a cut.
    pub(crate) fn stays_cut(&self, stays: bool) {
        self.line.stays_cut.store(stays, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.line.is_open.store(true, Ordering::SeqCst);
    }
}

async fn accept(line: Arc<Line>, listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if !line.is_open.load(Ordering::SeqCst) {
            continue;
        }
        let Ok(server) = TcpStream::connect(line.server).await else { continue };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(pass(Arc::clone(&line), |line| &line.up, from_client, to_server));
        tokio::spawn(pass(Arc::clone(&line), |line| &line.down, from_server, to_client));
    }
}

async fn pass(line: Arc<Line>, way: fn(&Line) -> &Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut cuts = line.cuts.subscribe();
    let mut buffer = vec![0; 32 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = cuts.changed() => return,
        };
        let Ok(read) = read else { return };
        if read == 0 {
            return;
        }
        let passed = way(&line).passed.fetch_add(read as u64, Ordering::SeqCst) + read as u64;
        if passed >= way(&line).cut_at.load(Ordering::SeqCst) {
            way(&line).cut_at.store(u64::MAX, Ordering::SeqCst);
            line.is_open.store(!line.stays_cut.load(Ordering::SeqCst), Ordering::SeqCst);
            line.cuts.send_modify(|cuts| *cuts += 1);
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
