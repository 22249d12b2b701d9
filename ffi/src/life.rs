//! How long handles work: until their book is shut down, and only in the process that opened it.
//!
//! A process made by `fork` has the memory of its parent and none of its threads, so nobody would do what a handle asks; and
//! a SQLite file must not be touched by a connection that crossed a fork ("How To Corrupt An SQLite Database File", 2.6).
//! So a handle remembers its process, says so in another one, and is never dropped there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portbook::{Code, Error};

use crate::error::Result;
use crate::host::Files;
use crate::host_records::Records;

/// What the handles of one book share.
pub(crate) struct Life {
    process: u32,
    has_ended: AtomicBool,
    /// The files that the host brings, by their keys.
    hosts: Mutex<HashMap<String, Arc<Files>>>,
    /// The tables that the host brings, by their keys.
    records: Mutex<HashMap<String, Arc<Records>>>,
}

impl Life {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self {
            process: std::process::id(),
            has_ended: AtomicBool::new(false),
            hosts: Mutex::default(),
            records: Mutex::default(),
        })
    }

    /// Refuses a call that begins after the end.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_process()?;
        if self.has_ended() {
            return Err(Error::new(Code::Invalid, "use the book", "").because("it was shut down").into());
        }
        Ok(())
    }

    /// Refuses a call in another process.
    pub(crate) fn check_process(&self) -> Result<()> {
        check_process(self.process)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Nothing begins from here on, and nobody waits for the host.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        for (_, files) in self.hosts().drain() {
            files.end();
        }
        for (_, records) in self.records().drain() {
            records.end();
        }
    }

    pub(crate) fn hosts(&self) -> MutexGuard<'_, HashMap<String, Arc<Files>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn records(&self) -> MutexGuard<'_, HashMap<String, Arc<Records>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses what was made in another process than this one.
pub(crate) fn check_process(process: u32) -> Result<()> {
    if process == std::process::id() {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, "use the book", "")
        .because("it was opened before a fork")
        .advise("open it again in this process")
        .into())
}

/// Something of the core, which is left alone in a process that did not make it.
pub(crate) struct Own<T> {
    process: u32,
    value: Option<T>,
}

impl<T> Own<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: std::process::id(), value: Some(value) }
    }

    pub(crate) fn get(&self) -> Result<&T> {
        check_process(self.process)?;
        // It is there until it is dropped.
        self.value.as_ref().ok_or_else(|| Error::new(Code::Internal, "use the book", "").into())
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.value.take());
        }
    }
}
