//! A server in this process that speaks as SQL Server does ([MS-TDS]), as far as a client needs it: PRELOGIN, TLS in its
//! packets or before them, LOGIN7, batches, calls of `sp_executesql`, transactions, and results of every type.
//!
//! It knows no SQL: a test says what is answered to each statement. Its packets are those that the protocol's document
//! publishes, and a client that nobody here wrote is at home with it (`tests/endpoint/mssql`).

mod login;
mod request;
mod token;
mod types;
mod way;
mod wire;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::login::Login;
pub use self::request::{Isolation, Request, read_request};
pub use self::token::{Answer, Results, Trouble, login_response};
pub use self::types::MAX;
pub use self::types::{Cell, Type};
pub use self::way::{Encryption, asked_encryption};
use self::way::{Tls, Way};
pub use self::wire::{Kind, packets};

/// Whom it lets in, and how it is spoken to.
#[derive(Clone)]
pub struct TdsOptions {
    pub user: String,
    pub password: String,
    pub encryption: Encryption,
}

impl Default for TdsOptions {
    fn default() -> Self {
        Self { user: "sa".into(), password: "pässwörd 1".into(), encryption: Encryption::Wrapped }
    }
}

/// What a test answers to what it is asked.
pub trait Script: Send + Sync {
    fn answer(&self, request: &Request) -> Answer;
}

impl<F: Fn(&Request) -> Answer + Send + Sync> Script for F {
    fn answer(&self, request: &Request) -> Answer {
        self(request)
    }
}

/// It runs until it is dropped.
pub struct TdsServer {
    pub port: u16,
    shared: Arc<Shared>,
    directory: tempfile::TempDir,
}

struct Shared {
    options: TdsOptions,
    tls: Tls,
    script: Box<dyn Script>,
    ends: AtomicBool,
    seen: Mutex<Seen>,
}

/// What came over the network.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub logins: Vec<Login>,
    pub requests: Vec<Request>,
    /// How connections ended, where they ended in another way than by the client's.
    pub broken: Vec<String>,
}

impl TdsServer {
    pub fn start(options: TdsOptions, script: impl Script + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tls = Tls::new(&directory.path().join("authority.pem"));
        let (ends, seen) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { options, tls, script: Box::new(script), ends, seen });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.ends.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.serve(stream));
            }
        });
        Self { port, shared, directory }
    }

    /// The certificate of the authority that its own is of.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The text of every statement, in their order.
    pub fn statements(&self) -> Vec<String> {
        self.seen().requests.into_iter().filter_map(|request| request.sql().map(str::to_owned)).collect()
    }
}

impl Drop for TdsServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // Wakes up whoever waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        if let Err(error) = self.session(stream)
            && error.kind() != std::io::ErrorKind::UnexpectedEof
        {
            self.seen.lock().unwrap().broken.push(error.to_string());
        }
    }

    fn session(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut way = Way::open(stream, self.options.encryption, &self.tls)?;
        let login = Login::read(&way.message(Kind::Login)?)?;
        let is_known = login.user == self.options.user && login.password == self.options.password;
        let database = login.database.clone();
        self.seen.lock().unwrap().logins.push(login.clone());
        if !is_known {
            let text = format!("Login failed for user '{}'.", login.user);
            return way.send(&Answer::fails(18456, 14, &text).encode());
        }
        way.send(&login_response(&database, login.version, login.packet_size))?;
        let mut open = 0_u64;
        loop {
            let (kind, message) = way.any_message()?;
            let request = read_request(kind, &message)?;
            self.seen.lock().unwrap().requests.push(request.clone());
            let mut answer = match &request {
                Request::Begin(_) => {
                    open += 1;
                    Answer::begun(open)
                }
                Request::Commit | Request::Rollback => match self.script.answer(&request) {
                    Answer { trouble: Some(trouble), .. } => Answer::troubled(trouble),
                    _ => Answer::ended(&request, open),
                },
                Request::Sql { .. } => self.script.answer(&request),
                Request::Attention => Answer { is_interrupted: true, ..Answer::default() },
            };
            match answer.trouble.take() {
                // The line breaks before a word is said.
                Some(Trouble::Cut) => return Ok(()),
                Some(Trouble::CutAfter(bytes)) => {
                    let bytes_of = answer.encode();
                    return way.send_part(&bytes_of, bytes);
                }
                Some(Trouble::Raw(bytes)) => way.send(&bytes)?,
                None => way.send(&answer.encode())?,
            }
        }
    }
}
