//! The connections to one server: used again, dropped when they broke, and never more than it lets in.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::features::Features;
use super::login;
use super::options::FtpOptions;
use super::session::Session;
use super::wire;
use crate::error::{Code, Error, Result};
use crate::provider::traffic::{Lanes, Traffic};

/// Servers limit the connections of an account and of an address, often to 8 or 10.
const LANES: Lanes = Lanes { first: 4, most: 8 };
/// A file that is read holds a connection beside the lanes.
const MOST: usize = 2 * 8;
/// After so long without a command a connection is tried before it is trusted.
const RESTED: Duration = Duration::from_secs(5);
/// How long to wait for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and an account on it.
pub(super) struct Server {
    pub(super) options: FtpOptions,
    pub(super) subject: Arc<str>,
    pub(super) traffic: Arc<Traffic>,
    config: Mutex<Option<Arc<ClientConfig>>>,
    features: OnceLock<Features>,
    list_all: AtomicBool,
    /// `MDTM` with two arguments was refused.
    pub(super) mdtm_only_tells: AtomicBool,
    is_limited: AtomicBool,
    is_unlimited: AtomicBool,
    pasv: Arc<AtomicBool>,
    pool: Mutex<Pool>,
    returned: Notify,
}

struct Pool {
    idle: Vec<Session>,
    /// Idle, in use, and being opened.
    open: usize,
    /// As many as the server lets in.
    most: usize,
}

/// A session in use; it goes back when this is dropped, if it can still be used.
pub(super) struct Lease {
    session: Option<Session>,
    server: Arc<Server>,
}

/// A connection that is counted.
struct Place<'s>(&'s Server);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.pool().open -= 1;
        self.0.returned.notify_one();
    }
}

impl Server {
    pub(super) fn new(options: FtpOptions) -> Result<Arc<Self>> {
        options.check()?;
        let config = wire::config(&options, options.tls12_only)?.map(Arc::new);
        let subject: Arc<str> = options.server().into();
        let traffic = Traffic::to(&subject, LANES);
        Ok(Arc::new(Self {
            options,
            subject,
            traffic,
            config: Mutex::new(config),
            features: OnceLock::new(),
            list_all: AtomicBool::new(false),
            mdtm_only_tells: AtomicBool::new(false),
            is_limited: AtomicBool::new(false),
            is_unlimited: AtomicBool::new(false),
            pasv: Arc::default(),
            pool: Mutex::new(Pool { idle: Vec::new(), open: 0, most: MOST }),
            returned: Notify::new(),
        }))
    }

    /// What it can do; nothing before the first login.
    pub(super) fn features(&self) -> Features {
        let known = self.features.get().cloned().unwrap_or_default();
        Features { list_all: self.list_all.load(Ordering::Relaxed), ..known }
    }

    pub(super) fn set_list_all(&self, list_all: bool) {
        self.list_all.store(list_all, Ordering::Relaxed);
    }

    /// From now on sessions are of TLS 1.2, which are resumed any number of times. Each data connection of TLS 1.3 takes a
    /// ticket, and some servers bring no new one with an upload and refuse a data connection without.
    fn limit_tls(&self) {
        let may = !self.is_unlimited.load(Ordering::Relaxed) && !self.options.tls12_only;
        if may && let Ok(config) = wire::config(&self.options, true) {
            *self.config() = config.map(Arc::new);
            self.is_limited.store(true, Ordering::Relaxed);
        }
    }

    fn config(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientConfig>>> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that is ready for a command.
    ///
    /// # Errors
    /// Those of a login; `throttled` when the server lets no further connection in and none becomes free.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Lease> {
        loop {
            let returned = self.returned.notified();
            let (found, may_open) = {
                let mut pool = self.pool();
                let found = pool.idle.pop();
                let may_open = found.is_none() && pool.open < pool.most;
                pool.open += usize::from(may_open);
                (found, may_open)
            };
            if let Some(session) = found {
                let mut lease = Lease { session: Some(session), server: Arc::clone(self) };
                if lease.is_alive().await {
                    return Ok(lease);
                }
                continue;
            }
            if may_open {
                match self.open().await {
                    Err(e) if e.code() == Code::Throttled && self.learn_limit() => {}
                    opened => return opened,
                }
            }
            if timeout(PATIENCE, returned).await.is_err() {
                let error = Error::new(Code::Throttled, "connect to", &self.subject);
                return Err(error.because("it lets no further connection in, and none became free"));
            }
        }
    }

    async fn open(self: &Arc<Self>) -> Result<Lease> {
        let place = Place(self);
        let has_others = self.pool().open > 1;
        let config = self.config().clone();
        let begun = login::begin(&self.options, config.as_deref(), &self.subject, &self.pasv, has_others).await;
        let mut session = match begun {
            // A server without TLS 1.2 may do without resumption.
            Err(e) if e.code() == Code::Offline && self.is_limited.swap(false, Ordering::Relaxed) => {
                self.is_unlimited.store(true, Ordering::Relaxed);
                let config = wire::config(&self.options, self.options.tls12_only)?.map(Arc::new);
                self.config().clone_from(&config);
                login::begin(&self.options, config.as_deref(), &self.subject, &self.pasv, has_others).await?
            }
            begun => begun?,
        };
        let features = match self.features.get() {
            Some(features) => features.clone(),
            None => {
                let asked = login::features(&mut session).await?;
                self.features.get_or_init(|| asked).clone()
            }
        };
        login::settle(&mut session, &features).await?;
        std::mem::forget(place);
        Ok(Lease { session: Some(session), server: Arc::clone(self) })
    }

    /// The server let no further connection in. Whether there are others that can be waited for.
    fn learn_limit(&self) -> bool {
        let mut pool = self.pool();
        if pool.open > 0 {
            pool.most = pool.open;
        }
        pool.open > 0
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Servers end sessions that were idle for some minutes, and routers forget them.
    async fn is_alive(&mut self) -> bool {
        if self.rested.elapsed() < RESTED {
            return true;
        }
        let is_alive = self.ask("go on with", "NOOP", None).await.is_ok();
        if !is_alive {
            self.give_up();
        }
        is_alive
    }

    /// Replaces a broken session by a new one.
    pub(super) async fn reconnect(&mut self) -> Result<()> {
        if self.is_in_sync() {
            return Ok(());
        }
        let fresh = self.server.take().await?;
        *self = fresh;
        Ok(())
    }

    pub(super) fn features(&self) -> Features {
        self.server.features()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let is_spent = session.secure.as_ref().is_some_and(wire::Secure::is_spent);
        if is_spent {
            self.server.limit_tls();
        }
        let mut pool = self.server.pool();
        if session.is_in_sync() && !is_spent {
            pool.idle.push(session);
        } else {
            pool.open -= 1;
        }
        drop(pool);
        self.server.returned.notify_one();
    }
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        match &self.session {
            Some(session) => session,
            None => unreachable!("a lease has its session until it is dropped"),
        }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        match &mut self.session {
            Some(session) => session,
            None => unreachable!("a lease has its session until it is dropped"),
        }
    }
}
