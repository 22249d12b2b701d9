//! A server in this process that is to whoever keeps SharePoint lists in step what Microsoft Graph v1.0 is: tokens, sites,
//! lists, columns, items, batches, the change feed, resource units, and the ways in which all of that goes wrong.
//!
//! It refuses what the service refuses, and rewrites values as it does. Where the vendor's documents are silent or reports
//! differ, [`Rules`] says which way it goes, so that a test can go both. Official clients are its proof (`tests/graph`).
//! What it does not serve is refused as well: other templates of lists, attachments, content types, folders.

mod batch;
mod clock;
mod column;
mod delta;
mod facet;
mod faults;
mod field;
mod filter;
mod hands;
mod item;
mod list;
mod meter;
mod options;
mod page;
mod query;
mod route;
mod serve;
mod tls;
mod token;
mod wire;
mod world;
mod write;

use std::future::Future;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use portbook::operation::Clock;
use uuid::Uuid;

pub use self::clock::HandClock;
pub use self::faults::Fault;
use self::faults::Faults;
pub use self::hands::{SOMEBODY, Seen};
pub use self::options::{
    AppOptions, Budget, GraphOptions, LineBreaks, Resync, Role, Rules, SiteOptions, Unindexed, Window,
};
pub use self::world::Counters;
use self::world::World;

/// It runs until it is dropped. What tests see of it and do to it is [`Shared`].
pub struct GraphServer {
    shared: Arc<Shared>,
    port: u16,
    secured: Option<Secured>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Secured {
    port: u16,
    dir: tempfile::TempDir,
}

/// What connections and tests have in common.
pub struct Shared {
    clock: Arc<dyn Clock>,
    tenant: String,
    token_lifetime: Duration,
    world: Mutex<World>,
    faults: Mutex<Faults>,
}

impl GraphServer {
    pub fn start(options: GraphOptions) -> Self {
        let shared = Arc::new(Shared {
            clock: options.clock,
            tenant: options.tenant,
            token_lifetime: options.token_lifetime,
            world: Mutex::new(World::new(options.rules, options.budget, options.apps, options.sites)),
            faults: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let of_connections = Arc::clone(&shared);
        let port = listen(&runtime, move |stream| serve::connection(Arc::clone(&of_connections), stream, "http"));
        let secured = options.is_secured.then(|| {
            let dir = tempfile::tempdir().unwrap();
            let acceptor = tls::acceptor(&dir.path().join("authority.pem"));
            let of_connections = Arc::clone(&shared);
            let port = listen(&runtime, move |stream| {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&of_connections));
                async move {
                    // A client that believes nothing goes away.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve::connection(shared, stream, "https").await;
                    }
                }
            });
            Secured { port, dir }
        });
        Self { shared, port, secured, runtime: Some(runtime) }
    }

    /// Scheme and host without TLS; `/v1.0` and `/{tenant}/oauth2/v2.0/token` follow.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Scheme and host with TLS, where the options ask for it.
    pub fn secured_url(&self) -> String {
        format!("https://localhost:{}", self.secured.as_ref().unwrap().port)
    }

    /// The file (PEM) of the authority that vouches for [`GraphServer::secured_url`].
    pub fn authority(&self) -> PathBuf {
        self.secured.as_ref().unwrap().dir.path().join("authority.pem")
    }
}

impl Deref for GraphServer {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for GraphServer {
    fn drop(&mut self) {
        // Another runtime may be where this is dropped.
        self.runtime.take().into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
    }
}

fn listen<F>(runtime: &tokio::runtime::Runtime, serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    fn guid(&self) -> Uuid {
        self.world().guid()
    }

    /// By the server's clock.
    fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis() + self.world().rules.skew_ms
    }

    /// The header `Date`.
    fn date(&self) -> String {
        let now = chrono::DateTime::from_timestamp_millis(self.now_ms()).unwrap_or_default();
        httpdate::fmt_http_date(now.into())
    }
}
