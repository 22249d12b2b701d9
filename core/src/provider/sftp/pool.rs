//! The connections to one server.
//!
//! A server handles the requests of one session one after another, and encrypts each connection on one processor:
//! several connections are faster. They are made as they are needed, and again after they were lost. They live on
//! threads of their own, so that it does not matter on which executor the place is used.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::connection;
use super::options::SftpOptions;
use super::session::Session;
use crate::error::{Code, Error, Result};

/// Connections at most. Servers take ten that are not logged in yet (`MaxStartups`, sshd_config(5)), some far fewer in all.
const MOST: usize = 4;
/// Pieces of work on a session before another one is worth it.
const BUSY: usize = 4;
/// How long a server that took no further connection is not asked for one.
const ENOUGH: Duration = Duration::from_secs(60);
const THREADS: usize = 2;

pub(super) struct Pool {
    options: SftpOptions,
    state: Mutex<State>,
    /// One connection is made at a time.
    connecting: tokio::sync::Mutex<()>,
    threads: Threads,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    no_more_before: Option<Instant>,
}

#[derive(Clone)]
struct Member {
    session: Arc<Session>,
    load: Arc<AtomicUsize>,
}

/// A session that is in use.
pub(super) struct Lease {
    session: Arc<Session>,
    load: Arc<AtomicUsize>,
}

impl std::ops::Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Member {
    fn lease(&self) -> Lease {
        self.load.fetch_add(1, Ordering::Relaxed);
        Lease { session: Arc::clone(&self.session), load: Arc::clone(&self.load) }
    }
}

impl Pool {
    pub(super) fn new(options: SftpOptions) -> Result<Self> {
        let threads = Threads::start(&options.server())?;
        Ok(Self { options, state: Mutex::default(), connecting: tokio::sync::Mutex::default(), threads })
    }

    /// A session that is alive as far as is known, the least busy one.
    pub(super) async fn lease(&self) -> Result<Lease> {
        if let Some(lease) = self.available(true) {
            return Ok(lease);
        }
        let Ok(turn) = self.connecting.try_lock() else {
            // Somebody is making one.
            if let Some(lease) = self.available(false) {
                return Ok(lease);
            }
            let turn = self.connecting.lock().await;
            if let Some(lease) = self.available(false) {
                return Ok(lease);
            }
            return self.add(turn).await;
        };
        match self.available(true) {
            Some(lease) => Ok(lease),
            None => self.add(turn).await,
        }
    }

    async fn add(&self, _turn: tokio::sync::MutexGuard<'_, ()>) -> Result<Lease> {
        let options = self.options.clone();
        let made = self.threads.run(async move {
            let server = options.server();
            Session::begin(connection::connect(&options).await?, &server).await
        });
        match made.await {
            Ok(session) => {
                let member = Member { session: Arc::new(session), load: Arc::default() };
                let lease = member.lease();
                self.state().members.push(member);
                Ok(lease)
            }
            Err(error) => {
                self.state().no_more_before = Some(Instant::now() + ENOUGH);
                // The server may allow no further one.
                self.available(false).ok_or(error)
            }
        }
    }

    /// The least busy session; none when another one is worth being made.
    fn available(&self, may_add: bool) -> Option<Lease> {
        let mut state = self.state();
        state.members.retain(|m| !m.session.is_lost());
        let least = state.members.iter().min_by_key(|m| m.load.load(Ordering::Relaxed))?;
        let may_add = may_add
            && state.members.len() < MOST
            && state.no_more_before.is_none_or(|at| at <= Instant::now())
            && least.load.load(Ordering::Relaxed) >= BUSY;
        (!may_add).then(|| least.lease())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Threads(Option<Runtime>);

impl Threads {
    fn start(server: &str) -> Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("portbook-sftp").enable_all().build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|e| Error::io("start the threads for", server, e))
    }

    async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let internal = || Error::new(Code::Internal, "connect to", "the server");
        let Some(runtime) = &self.0 else { return Err(internal()) };
        let running = Running(runtime.spawn(work));
        running.await.unwrap_or_else(|_| Err(internal()))
    }
}

/// Work that ends when nobody waits for it any more.
struct Running<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Running<T> {
    type Output = std::result::Result<T, tokio::task::JoinError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A runtime may not be dropped where blocking is forbidden, and a place may be dropped anywhere.
impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
