//! The connections to one server.
//!
//! A server handles the requests of one session one after another, and encrypts each connection on one processor:
//! several connections are faster. They are made as they are needed, and again after they were lost. They live on
//! threads of their own, so that it does not matter on which executor the place is used.
//!
//! A large upload is given further channels of its connection. They are of this connection, not of others, so that all of
//! them end at the same server, whatever distributes connections before it: the file has no more than one page cache.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::connection;
use super::options::SftpOptions;
use super::session::Session;
use crate::error::{Code, Error, Result};

/// Connections at most. Servers take ten that are not logged in yet (`MaxStartups`, sshd_config(5)), some far fewer in all.
const MOST: usize = 4;
/// Pieces of work on a session before another one is worth it.
const BUSY: usize = 4;
/// Channels of a connection beside its first: together they take in what may be under way of a large file, at 2 MiB each
/// (the window of OpenSSH). Servers open ten (`MaxSessions`, sshd_config(5)), some only one.
const FURTHER: usize = 3;
/// How long a server that took no further connection is not asked for one.
const ENOUGH: Duration = Duration::from_secs(60);
const THREADS: usize = 2;

pub(super) struct Pool {
    options: SftpOptions,
    state: Mutex<State>,
    /// One connection is made at a time.
    connecting: tokio::sync::Mutex<()>,
    /// A connection was not given all of its further channels: none is asked for any again. There are servers that end
    /// the connection then.
    has_one_channel: Arc<AtomicBool>,
    threads: Threads,
}

#[derive(Default)]
struct State {
    members: Vec<Arc<Member>>,
    no_more_before: Option<Instant>,
    /// The last attempt to make a connection that failed, and when: those who waited for it need none of their own.
    failed: Option<(Instant, Error)>,
}

/// A connection.
struct Member {
    /// Its first channel.
    session: Arc<Session>,
    /// Its further ones, once they were asked for.
    further: OnceCell<Vec<Arc<Session>>>,
    load: AtomicUsize,
}

/// A session that is in use.
pub(super) struct Lease {
    session: Arc<Session>,
    member: Arc<Member>,
}

impl std::ops::Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::of(&self.member, &self.session)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.member.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    /// Of a channel; it counts for the connection.
    fn of(member: &Arc<Member>, session: &Arc<Session>) -> Self {
        member.load.fetch_add(1, Ordering::Relaxed);
        Self { session: Arc::clone(session), member: Arc::clone(member) }
    }
}

impl Pool {
    pub(super) fn new(options: SftpOptions) -> Result<Self> {
        let threads = Threads::start(&options.server())?;
        let has_one_channel = Arc::default();
        Ok(Self {
            options,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            has_one_channel,
            threads,
        })
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
            let since = Instant::now();
            let turn = self.connecting.lock().await;
            if let Some(lease) = self.available(false) {
                return Ok(lease);
            }
            let failed = self.state().failed.clone().filter(|(at, _)| *at >= since);
            return match failed {
                Some((_, error)) => Err(error),
                None => self.add(turn).await,
            };
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
                let session = Arc::new(session);
                let member = Arc::new(Member { session, further: OnceCell::new(), load: AtomicUsize::new(0) });
                let lease = Lease::of(&member, &member.session);
                self.state().members.push(member);
                Ok(lease)
            }
            Err(error) => {
                let now = Instant::now();
                {
                    let mut state = self.state();
                    state.no_more_before = Some(now + ENOUGH);
                    state.failed = Some((now, error.clone()));
                }
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
        (!may_add).then(|| Lease::of(least, &least.session))
    }

    /// Further channels of the connection of a lease: none where the server takes none.
    pub(super) async fn further(&self, lease: &Lease) -> Vec<Lease> {
        let member = Arc::clone(&lease.member);
        let (has_one, server) = (Arc::clone(&self.has_one_channel), self.options.server());
        let Some(runtime) = &self.threads.0 else { return Vec::new() };
        // Goes on when nobody waits for it any more: a channel that is half open would stay so on the server.
        let opening = runtime.spawn(async move {
            member.further.get_or_init(|| open_further(&member.session, &has_one, &server)).await;
        });
        if opening.await.is_err() {
            return Vec::new();
        }
        let further = lease.member.further.get().into_iter().flatten().filter(|session| !session.is_lost());
        further.map(|session| Lease::of(&lease.member, session)).collect()
    }

    /// Work on the threads of the connections. It ends when nobody waits for it any more.
    pub(super) fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T>> + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        self.threads.run(work)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many further channels as the server takes.
async fn open_further(session: &Session, has_one: &AtomicBool, server: &str) -> Vec<Arc<Session>> {
    if has_one.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let opened = join_all((0..FURTHER).map(|_| session.beside(server))).await;
    if opened.iter().any(Result::is_err) {
        has_one.store(true, Ordering::Relaxed);
    }
    opened.into_iter().flatten().map(Arc::new).collect()
}

struct Threads(Option<Runtime>);

impl Threads {
    fn start(server: &str) -> Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("portbook-sftp").enable_all().build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|e| Error::io("start the threads for", server, e))
    }

    /// Begins at once; what is given back waits for its end.
    fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T>> + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let running = self.0.as_ref().map(|runtime| Running(runtime.spawn(work)));
        async move {
            let internal = || Error::new(Code::Internal, "connect to", "the server");
            let Some(running) = running else { return Err(internal()) };
            running.await.unwrap_or_else(|_| Err(internal()))
        }
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
