//! Tables that the host itself holds, at either side of definitions: the engine asks, the host pulls and answers.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use portbook::bridge;
use portbook::endpoint::TableName;
use portbook::{Code, Error};

use crate::error::Result;
use crate::host_endpoint::HostEndpoint;
use crate::host_rows::Table;
use crate::life::Life;
use crate::question::{Desk, code_of_host};
use crate::records::{ErrorCode, HostRecordOptions, RecordAnswer, RecordRequest, invalid, is, milliseconds, size};

/// How long a request waits for its answer unless told otherwise.
const PATIENCE_MS: i64 = 60_000;

/// The most rows that one answer holds, or one request.
pub(crate) const PAGE: usize = 1000;

/// Rows that are written at once unless told otherwise.
const WRITE_ROWS: i64 = 500;

/// Tables that the host holds: a source or a target of definitions. The host takes requests and answers them, from any thread and in
/// any order; a request that is not answered in time fails with `timeout`.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct HostRecords {
    life: Arc<Life>,
    key: String,
    records: Arc<Records>,
}

/// What is asked of the host.
pub(crate) struct Records {
    pub(crate) desk: Desk<RecordRequest, RecordAnswer, ()>,
    pub(crate) display: String,
    pub(crate) has_versions: bool,
    pub(crate) has_changes: bool,
    pub(crate) write_rows: usize,
    /// The host has said that it cannot look rows up by their keys.
    pub(crate) cannot_fetch: AtomicBool,
    /// What tables looked like when they were described last.
    pub(crate) tables: Mutex<HashMap<String, Arc<Table>>>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl HostRecords {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// # Errors
    /// `invalid` after a fork.
    pub async fn next_request(&self) -> Result<Option<RecordRequest>> {
        self.life.check_process()?;
        Ok(self.records.desk.next().await)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// `not_found` when nobody waits for it: it was answered before, or too late.
    pub fn reply(&self, id: i64, answer: RecordAnswer) -> Result<()> {
        self.life.check_process()?;
        Ok(self.records.desk.answer(id, Ok(answer))?)
    }

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        self.life.check_process()?;
        let error = self.records.failed(code_of_host(code)).because(reason);
        Ok(self.records.desk.answer(id, Err(error))?)
    }

    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    pub fn shutdown(&self) {
        if self.life.check_process().is_err() {
            return;
        }
        self.records.end();
        let mut known = self.life.records();
        if known.get(&self.key).is_some_and(|records| Arc::ptr_eq(records, &self.records)) {
            known.remove(&self.key);
        }
    }
}

/// Nobody can answer any more.
impl Drop for HostRecords {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl HostRecords {
    #[cfg(feature = "uniffi")]
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        self.life.check_process()?;
        Ok(self.records.desk.is_ready().await)
    }

    #[cfg(feature = "uniffi")]
    pub(crate) fn take(&self) -> Option<RecordRequest> {
        self.records.desk.take()
    }

    pub(crate) fn begin(life: &Arc<Life>, key: String, options: HostRecordOptions) -> Result<Arc<Self>> {
        if key.is_empty() || key.contains('\0') {
            return Err(invalid("make the host store", "", "it needs a key").into());
        }
        let records = Arc::new(Records::new(&key, options)?);
        let mut known = life.records();
        if known.contains_key(&key) {
            return Err(Error::new(Code::Conflict, "make the host store", key.escape_debug())
                .because("there is one of this key")
                .advise("shut it down first")
                .into());
        }
        known.insert(key.clone(), records.clone());
        drop(known);
        Ok(Arc::new(Self { life: life.clone(), key, records }))
    }

    /// The place that definitions are given.
    pub(crate) fn place(life: &Life, key: String, table: String) -> Result<bridge::RecordPlace> {
        if table.is_empty() || table.contains('\0') {
            return Err(invalid("use the table of the host", key.escape_debug(), "it needs a name").into());
        }
        let records = life.records().get(&key).cloned();
        let missing = || Error::new(Code::NotFound, "find the host store", key.escape_debug()).because("there is none");
        let endpoint = Arc::new(HostEndpoint(records.ok_or_else(missing)?));
        Ok(bridge::RecordPlace::Host { name: key, endpoint, table: TableName::new("", table) })
    }
}

impl Records {
    fn new(key: &str, options: HostRecordOptions) -> Result<Self> {
        let write_rows = size("write_rows", options.write_rows.unwrap_or(WRITE_ROWS))?;
        Ok(Self {
            desk: Desk::new(milliseconds("timeout_ms", options.timeout_ms.unwrap_or(PATIENCE_MS))?),
            display: options.display.unwrap_or_else(|| key.to_owned()),
            has_versions: is(options.has_versions),
            has_changes: is(options.has_changes),
            write_rows: usize::try_from(write_rows).unwrap_or(PAGE).clamp(1, PAGE),
            cannot_fetch: AtomicBool::new(false),
            tables: Mutex::default(),
        })
    }

    pub(crate) fn end(&self) {
        self.desk.end();
    }

    /// A failure of the host.
    pub(crate) fn failed(&self, code: Code) -> Error {
        Error::new(code, "use the tables of", &self.display)
    }

    /// An answer that does not fit what was asked.
    pub(crate) fn nonsense(&self, answer: impl std::fmt::Display) -> Error {
        self.failed(Code::Host).because(format_args!("it answered with {answer}, which was not asked"))
    }
}
