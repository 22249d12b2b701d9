//! The metastore in a file: one writer thread that groups commits, a few reader threads.
//!
//! What always holds: a batch is answered only after the transaction that holds it is on disk (`synchronous = FULL`), unless
//! it was said to mean nothing before the next one is; a batch that fails leaves nothing behind and does not touch the batches
//! that share its transaction.

mod execute;
mod open;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{mpsc as ended, oneshot};

use self::execute::error_of;
pub(in crate::store) use self::execute::{on_conflict, unexpected};
use self::open::Role;
use super::{Engine, Rows, Statement, Store, Write, Written};
use crate::error::{Code, Error, Result};
use crate::model::TenantId;

/// How many batches share a transaction at most, so that the first to wait does not wait for ever.
const GROUP: usize = 64;

/// How a book in a file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Reader threads, at least 1. Each holds a connection with a cache of about 2 MiB.
    pub readers: usize,
    /// How long a lock of another process is waited for.
    pub busy_timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 2, busy_timeout: Duration::from_secs(10) }
    }
}

/// A book in a file.
pub struct SqliteStore {
    threads: Mutex<Option<Threads>>,
    ended: tokio::sync::Mutex<ended::Receiver<()>>,
    path: PathBuf,
    options: SqliteOptions,
}

struct Threads {
    writer: Sender<WriteJob>,
    reader: Sender<ReadJob>,
}

struct WriteJob {
    batch: Vec<Write>,
    flush: Flush,
    reply: oneshot::Sender<Result<Vec<Written>>>,
}

/// When a transaction has to be on disk (`PRAGMA synchronous`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flush {
    /// With the next one that has to be at once: the log is one file, and is synced as a whole.
    WithNext,
    /// When it is answered.
    AtOnce,
}

struct ReadJob {
    statements: Vec<Statement>,
    reply: oneshot::Sender<Result<Vec<Rows>>>,
}

impl SqliteStore {
    /// Opens the book, creates it when there is none, and brings its schema up to date. Blocks for as long as that
    /// takes, which is milliseconds unless another process holds the book's lock.
    ///
    /// # Errors
    /// `corrupt` when the file is no book or does not hold together, `newer` when a newer version wrote it (the file is
    /// left byte for byte), `permission`, `quota`, `busy`, `storage`.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        // Later connections are opened by it, wherever the program is by then.
        let path = std::path::absolute(path).map_err(|e| Error::io("open the book", path.display().to_string(), e))?;
        open::look(&path)?;
        let mut first = open::connect(&path, &options, Role::Writer)?;
        open::migrate(&mut first, &path)?;
        open::become_reader(&first, &path)?;

        let (alive, ended) = ended::channel(1);
        let (write_jobs, written) = channel();
        let (read_jobs, read) = channel();
        let (reading, readers_ended) = channel::<()>();
        // Whoever closes last carries the log into the file: the writer if there was one, else the last reader. Two that
        // close at once each find the other still there, and neither does. Nothing is ever sent on the channel: it ends
        // when the readers' connections are closed.
        let mut writer =
            Writer { path: path.clone(), options: options.clone(), connection: None, flush: Flush::AtOnce };
        let mark = alive.clone();
        spawn("portbook-writer", move || {
            writer.run(&written);
            let _ = readers_ended.recv();
            drop(writer);
            drop(mark);
        })?;
        let readers = Arc::new(Readers {
            jobs: Mutex::new(read),
            idle: Mutex::new(vec![first]),
            path: path.clone(),
            options: options.clone(),
            _closed_before: (reading, alive),
        });
        for _ in 0..options.readers.max(1) {
            let readers = Arc::clone(&readers);
            spawn("portbook-reader", move || readers.run())?;
        }
        let threads = Threads { writer: write_jobs, reader: read_jobs };
        let (threads, ended) = (Mutex::new(Some(threads)), tokio::sync::Mutex::new(ended));
        Ok(Self { threads, ended, path, options })
    }

    /// Runs long work on a connection and a thread of its own, beside the book's.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(PathBuf, SqliteOptions) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let (path, options) = (self.path.clone(), self.options.clone());
        spawn("portbook-upkeep", move || {
            // A caller that has gone away needs no answer.
            let _ = reply.send(work(path, options));
        })?;
        answer.await.unwrap_or_else(|_| Err(shut_down()))
    }

    async fn hand_over(&self, batch: Vec<Write>, flush: Flush) -> Result<Vec<Written>> {
        let (reply, answer) = oneshot::channel();
        self.send(WriteJob { batch, flush, reply }, |t| &t.writer)?;
        answer.await.unwrap_or_else(|_| Err(shut_down()))
    }

    fn send<J>(&self, job: J, to: impl Fn(&Threads) -> &Sender<J>) -> Result<()> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = threads.as_ref().map(|t| to(t).send(job));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(shut_down()) }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    async fn query(&self, tenant: TenantId, statement: Statement) -> Result<Rows> {
        Ok(self.query_many(tenant, vec![statement]).await?.pop().unwrap_or_default())
    }

    async fn query_many(&self, _tenant: TenantId, statements: Vec<Statement>) -> Result<Vec<Rows>> {
        let (reply, answer) = oneshot::channel();
        self.send(ReadJob { statements, reply }, |t| &t.reader)?;
        answer.await.unwrap_or_else(|_| Err(shut_down()))
    }

    async fn write(&self, _tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.hand_over(batch, Flush::AtOnce).await
    }

    async fn write_ahead(&self, _tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.hand_over(batch, Flush::WithNext).await
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        self.apart(|path, options| upkeep::integrity(&path, &options)).await
    }

    async fn vacuum(&self) -> Result<()> {
        self.apart(|path, options| upkeep::vacuum(&path, &options)).await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        self.apart(move |path, options| upkeep::backup(&path, &options, &to)).await
    }

    async fn shutdown(&self) {
        drop(self.threads.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Nothing is ever sent: the channel ends when the last thread has closed its connection.
        let nothing = self.ended.lock().await.recv().await;
        debug_assert!(nothing.is_none());
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(run);
    spawned.map(drop).map_err(|e| Error::io("start a thread for", "the book", e))
}

fn shut_down() -> Error {
    Error::new(Code::Storage, "use", "the book").because("it has been shut down")
}

/// The readers' threads, and the connections they share. Each connection parses the whole schema, which is most of what
/// opening a book takes: a book opens with one, and another is opened only when all are reading.
struct Readers {
    jobs: Mutex<Receiver<ReadJob>>,
    idle: Mutex<Vec<Connection>>,
    path: PathBuf,
    options: SqliteOptions,
    /// Dropped after the connections: who waits for these knows that they are closed.
    _closed_before: (Sender<()>, ended::Sender<()>),
}

impl Readers {
    fn run(&self) {
        loop {
            // One reader waits in the channel, the others for the lock.
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let idle = self.idle().pop();
            let connection = match idle {
                Some(open) => Ok(open),
                None => open::connect(&self.path, &self.options, Role::Reader),
            };
            // A caller that has gone away needs no answer.
            let _ = match connection {
                Ok(connection) => {
                    let rows = read(&connection, &job.statements);
                    self.idle().push(connection);
                    job.reply.send(rows)
                }
                Err(error) => job.reply.send(Err(error)),
            };
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(connection: &Connection, statements: &[Statement]) -> Result<Vec<Rows>> {
    let run = || statements.iter().map(|s| execute::query(connection, s)).collect();
    if statements.len() < 2 {
        return run();
    }
    let fail = |e| error_of("read", "the book", e);
    connection.execute_batch("BEGIN").map_err(fail)?;
    let rows = run();
    connection.execute_batch("COMMIT").map_err(fail)?;
    rows
}

/// The writer's thread. Its connection is opened for the first write: what only reads does without.
struct Writer {
    path: PathBuf,
    options: SqliteOptions,
    connection: Option<Connection>,
    /// What the connection is set to; a new one is to sync at once.
    flush: Flush,
}

impl Writer {
    fn run(&mut self, jobs: &Receiver<WriteJob>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = jobs.try_recv()
            {
                group.push(next);
            }
            let flush = group.iter().map(|job| job.flush).max().unwrap_or(Flush::AtOnce);
            let (batches, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|j| (j.batch, j.reply)).unzip();
            let outcomes = match self.connection(flush) {
                Ok(connection) => commit(connection, &batches),
                Err(error) => batches.iter().map(|_| Err(error.clone())).collect(),
            };
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // A caller that has gone away needs no answer; its batch is committed all the same.
                let _ = reply.send(outcome);
            }
        }
    }

    fn connection(&mut self, flush: Flush) -> Result<&Connection> {
        let connection = match self.connection.take() {
            Some(open) => open,
            None => open::connect(&self.path, &self.options, Role::Writer)?,
        };
        let connection = self.connection.insert(connection);
        if self.flush != flush {
            let set = match flush {
                Flush::WithNext => "PRAGMA synchronous = NORMAL",
                Flush::AtOnce => "PRAGMA synchronous = FULL",
            };
            connection.execute_batch(set).map_err(|e| error_of("write to", "the book", e))?;
            self.flush = flush;
        }
        Ok(connection)
    }
}

/// Commits the batches in one transaction. An error that ends the whole transaction (no space, a failed read) is the
/// answer to every batch; any other is the answer to its own.
fn commit(connection: &Connection, batches: &[Vec<Write>]) -> Vec<Result<Vec<Written>>> {
    let outcome = connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(|e| error_of("write to", "the book", e))
        .and_then(|()| run_batches(connection, batches));
    match outcome {
        Ok(outcomes) => outcomes,
        Err(error) => {
            if !connection.is_autocommit() {
                // A rollback that fails leaves the transaction open; the next BEGIN then says so.
                let _ = connection.execute_batch("ROLLBACK");
            }
            batches.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

fn run_batches(connection: &Connection, batches: &[Vec<Write>]) -> Result<Vec<Result<Vec<Written>>>> {
    let run = |sql: &str| {
        let ran = connection.prepare_cached(sql).and_then(|mut s| s.raw_execute());
        ran.map(drop).map_err(|e| error_of("write to", "the book", e))
    };
    if let [alone] = batches {
        // It needs no savepoint: the transaction is all there is to undo. Under a savepoint SQLite keeps the former pages of
        // the whole batch in a list, which it walks for each row that replaces one.
        let written = alone.iter().map(|part| execute::write(connection, part)).collect::<Result<Vec<_>>>()?;
        run("COMMIT")?;
        return Ok(vec![Ok(written)]);
    }
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        run("SAVEPOINT batch")?;
        let outcome: Result<Vec<_>> = batch.iter().map(|part| execute::write(connection, part)).collect();
        if let Err(error) = &outcome {
            if connection.is_autocommit() {
                return Err(error.clone());
            }
            run("ROLLBACK TO batch")?;
        }
        run("RELEASE batch")?;
        outcomes.push(outcome);
    }
    run("COMMIT")?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Value;

    fn insert(bytes: usize) -> Vec<Write> {
        vec![Write::Execute(Statement::new("INSERT INTO t VALUES (?1)", vec![Value::Blob(vec![0; bytes])]))]
    }

    #[test]
    fn what_waits_for_the_next_is_synced_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("book");
        let mut writer = Writer { path, options: SqliteOptions::default(), connection: None, flush: Flush::AtOnce };
        // https://www.sqlite.org/pragma.html#pragma_synchronous: 1 is NORMAL, 2 FULL.
        for (flush, level) in [(Flush::AtOnce, 2), (Flush::WithNext, 1), (Flush::WithNext, 1), (Flush::AtOnce, 2)] {
            let connection = writer.connection(flush).unwrap();
            let set: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
            assert_eq!(set, level);
        }
        assert_eq!(
            [Flush::WithNext, Flush::AtOnce].into_iter().max(),
            Some(Flush::AtOnce),
            "the strictest of a group counts"
        );
    }

    #[test]
    fn a_full_disk_is_said_and_the_next_small_batch_works() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("book");
        let connection = open::connect(&path, &SqliteOptions::default(), Role::Writer).unwrap();
        connection.execute_batch("CREATE TABLE t (a BLOB) STRICT; PRAGMA max_page_count = 10;").unwrap();
        let outcomes = commit(&connection, &[insert(10), insert(100_000), insert(10)]);
        let full = outcomes[1].as_ref().unwrap_err();
        assert_eq!(full.code(), Code::Quota, "{full}");
        let kept = outcomes.iter().filter(|o| o.is_ok()).count() as i64;
        assert!(commit(&connection, &[insert(10)])[0].is_ok());
        let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, kept + 1, "what was answered as committed is there, and nothing else");
    }
}
