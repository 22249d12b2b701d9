//! Files that the host itself holds, as a place of conduits and volumes: the engine asks, the host pulls and answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use portbook::model::{Entry, Ident, Kind, Name, Node, RelPath, Timestamp, Token};
use portbook::provider::Provider;
use portbook::provider::hosted::{HostFiles, Hosted, HostedOptions};
use portbook::{Code, Error, conduit};

use crate::caught::fault;
use crate::error::Result;
use crate::life::Life;
use crate::question::{Desk, code_of_host};
use crate::records::{
    ErrorCode, HostAnswer, HostEntry, HostKind, HostOptions, HostRequest, count, invalid, is, milliseconds, size, small,
};

/// How long a request waits for its answer unless told otherwise.
const PATIENCE_MS: i64 = 60_000;

/// The most entries that one answer holds.
const PAGE: usize = 1000;

/// Files that the host holds: a place that conduits and volumes can have. The host takes requests and answers them, from any
/// thread and in any order; a request that is not answered in time fails with `timeout`.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct HostStore {
    life: Arc<Life>,
    key: String,
    files: Arc<Files>,
}

/// What answers a request.
enum Answer {
    Of(HostAnswer),
    Bytes(Bytes),
}

/// What is asked of the host.
pub(crate) struct Files {
    desk: Desk<HostRequest, Answer, Bytes>,
    options: HostedOptions,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl HostStore {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// # Errors
    /// `invalid` after a fork.
    pub async fn next_request(&self) -> Result<Option<HostRequest>> {
        self.life.check_process()?;
        Ok(self.files.desk.next().await)
    }

    /// The bytes of a `WriteAt`.
    ///
    /// # Errors
    /// `not_found` when nobody waits for its answer.
    pub fn bytes(&self, id: i64) -> Result<Vec<u8>> {
        self.life.check_process()?;
        Ok(self.files.desk.bytes(id)?.into())
    }

    /// Answers a request.
    ///
    /// # Errors
    /// `not_found` when nobody waits for it: it was answered before, or too late.
    pub fn reply(&self, id: i64, answer: HostAnswer) -> Result<()> {
        self.life.check_process()?;
        Ok(self.files.desk.answer(id, Ok(Answer::Of(answer)))?)
    }

    /// Answers a `ReadAt`.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn reply_bytes(&self, id: i64, bytes: Vec<u8>) -> Result<()> {
        self.life.check_process()?;
        Ok(self.files.desk.answer(id, Ok(Answer::Bytes(bytes.into())))?)
    }

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        self.life.check_process()?;
        let code = code_of_host(code);
        let error = Error::new(code, "use the files of", &self.files.options.display).because(reason);
        Ok(self.files.desk.answer(id, Err(error))?)
    }

    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    pub fn shutdown(&self) {
        if self.life.check_process().is_err() {
            return;
        }
        self.files.desk.end();
        let mut hosts = self.life.hosts();
        if hosts.get(&self.key).is_some_and(|files| Arc::ptr_eq(files, &self.files)) {
            hosts.remove(&self.key);
        }
    }
}

/// Nobody can answer any more.
impl Drop for HostStore {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl HostStore {
    #[cfg(feature = "uniffi")]
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        self.life.check_process()?;
        Ok(self.files.desk.is_ready().await)
    }

    #[cfg(feature = "uniffi")]
    pub(crate) fn take(&self) -> Option<HostRequest> {
        self.files.desk.take()
    }

    pub(crate) fn begin(life: &Arc<Life>, key: String, options: HostOptions) -> Result<Arc<Self>> {
        if key.is_empty() || key.contains('\0') {
            return Err(invalid("make the host store", "", "it needs a key").into());
        }
        let (options, timeout) = options.read(&key)?;
        let files = Arc::new(Files { desk: Desk::new(timeout), options });
        let mut hosts = life.hosts();
        if hosts.contains_key(&key) {
            return Err(Error::new(Code::Conflict, "make the host store", key.escape_debug())
                .because("there is one of this key")
                .advise("shut it down first")
                .into());
        }
        hosts.insert(key.clone(), files.clone());
        drop(hosts);
        Ok(Arc::new(Self { life: life.clone(), key, files }))
    }

    /// The place that conduits are given.
    pub(crate) fn place(life: &Life, key: String) -> Result<conduit::Place> {
        let files = life.hosts().get(&key).cloned();
        let missing = || Error::new(Code::NotFound, "find the host store", key.escape_debug()).because("there is none");
        let provider = files.ok_or_else(missing)?.provider();
        Ok(conduit::Place::Provider { key, provider })
    }

    pub(crate) fn provider(&self) -> Result<Arc<dyn Provider>> {
        self.life.check()?;
        Ok(self.files.clone().provider())
    }
}

impl HostOptions {
    fn read(self, key: &str) -> Result<(HostedOptions, Duration)> {
        let mut options = HostedOptions::new(key);
        if let Some(display) = self.display {
            options.display = display;
        }
        options.case_insensitive = is(self.case_insensitive);
        options.unicode_insensitive = is(self.unicode_insensitive);
        options.windows_names = is(self.windows_names);
        options.sets_modified = is(self.sets_modified);
        options.read_only = is(self.read_only);
        if let Some(bytes) = self.max_name_bytes {
            options.max_name_bytes = small("max_name_bytes", bytes)? as usize;
        }
        if let Some(precision) = self.time_precision_ns {
            options.time_precision_ns = size("time_precision_ns", precision)?.min(1_000_000_000);
        }
        Ok((options, milliseconds("timeout_ms", self.timeout_ms.unwrap_or(PATIENCE_MS))?))
    }
}

impl Files {
    pub(crate) fn end(&self) {
        self.desk.end();
    }

    fn provider(self: Arc<Self>) -> Arc<dyn Provider> {
        let options = self.options.clone();
        Arc::new(Hosted::new(self, options))
    }

    async fn ask(&self, question: impl FnOnce(i64) -> HostRequest + Send) -> portbook::Result<HostAnswer> {
        match self.desk.ask(question, Bytes::new()).await? {
            Answer::Of(answer) => Ok(answer),
            Answer::Bytes(_) => Err(self.nonsense("bytes")),
        }
    }

    /// An answer that does not fit what was asked.
    fn nonsense(&self, answer: impl std::fmt::Display) -> Error {
        Error::new(Code::Host, "use the files of", &self.options.display)
            .because(format_args!("it answered with {answer}, which was not asked"))
    }

    async fn done(&self, question: impl FnOnce(i64) -> HostRequest + Send) -> portbook::Result<()> {
        match self.ask(question).await? {
            HostAnswer::Done {} => Ok(()),
            HostAnswer::Absent {} => Err(Error::new(Code::NotFound, "use the files of", &self.options.display)),
            HostAnswer::Found { .. } => Err(self.nonsense("an item")),
            HostAnswer::Listing { .. } => Err(self.nonsense("a listing")),
        }
    }

    fn node(&self, entry: &HostEntry) -> portbook::Result<Node> {
        fault(&entry.name);
        let wrong = |why: &str| {
            Error::new(Code::Host, "use the files of", &self.options.display)
                .because(format_args!("of {:?}, {why}", entry.name))
        };
        let ident = entry.ident.as_ref().map_or(Ident::None, |ident| Ident::Provider(ident.as_bytes().into()));
        let kind = match entry.kind {
            HostKind::Dir => return Ok(Node { kind: Kind::Dir, ident, token: Token::default() }),
            HostKind::File => Kind::File,
        };
        let bytes = entry.bytes.ok_or_else(|| wrong("it does not say how many bytes it has"))?;
        let mtime = entry.modified_at.as_deref().map(timestamp).transpose();
        let token = Token {
            size: size("bytes", bytes).map_err(|_| wrong("the number of its bytes is none"))?,
            mtime: mtime.map_err(|_| wrong("its modified time is none"))?,
            revision: entry.version.as_ref().map(|version| version.as_bytes().into()),
            ..Token::default()
        };
        if token.mtime.is_none() && token.revision.is_none() {
            return Err(wrong("it has neither a modified time nor a version"));
        }
        Ok(Node { kind, ident, token })
    }
}

fn timestamp(text: &str) -> std::result::Result<Timestamp, chrono::ParseError> {
    let time = chrono::DateTime::parse_from_rfc3339(text)?;
    Ok(Timestamp { secs: time.timestamp(), nanos: time.timestamp_subsec_nanos().min(999_999_999) })
}

/// A path as a host is told it. What the engine writes there is UTF-8, and what it asks for came from there.
fn text(path: &RelPath) -> String {
    String::from_utf8_lossy(path.as_bytes()).into_owned()
}

#[async_trait]
impl HostFiles for Files {
    async fn list(&self, dir: &RelPath) -> portbook::Result<Option<Vec<Entry>>> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let (path, from) = (text(dir), after.take());
            let is_first = from.is_none();
            let (entries, next) = match self.ask(|id| HostRequest::ListDir { id, path, after: from }).await? {
                HostAnswer::Absent {} if is_first => return Ok(None),
                HostAnswer::Listing { entries, .. } if entries.len() > PAGE => {
                    return Err(self.nonsense("more than 1,000 entries at once"));
                }
                HostAnswer::Listing { entries, next } => (entries, next),
                HostAnswer::Absent {} | HostAnswer::Done {} | HostAnswer::Found { .. } => {
                    return Err(self.nonsense("something else than a listing"));
                }
            };
            if entries.is_empty() && next.is_some() {
                return Err(self.nonsense("an empty page that is not the last"));
            }
            for entry in &entries {
                let name = Name::new(entry.name.as_bytes());
                let name = name.ok_or_else(|| self.nonsense(format_args!("the name {:?}", entry.name)))?;
                items.push(Entry { name, node: self.node(entry)? });
            }
            match next {
                None => return Ok(Some(items)),
                next => after = next,
            }
        }
    }

    async fn look(&self, path: &RelPath) -> portbook::Result<Option<Node>> {
        let path = text(path);
        match self.ask(|id| HostRequest::Look { id, path }).await? {
            HostAnswer::Found { entry } => self.node(&entry).map(Some),
            HostAnswer::Absent {} => Ok(None),
            HostAnswer::Done {} | HostAnswer::Listing { .. } => Err(self.nonsense("something else than an item")),
        }
    }

    async fn read(&self, path: &RelPath, offset: u64, length: u64) -> portbook::Result<Bytes> {
        let (path, offset, length) = (text(path), count(offset), count(length));
        match self.desk.ask(|id| HostRequest::ReadAt { id, path, offset, length }, Bytes::new()).await? {
            Answer::Bytes(bytes) if count(bytes.len()) <= length => Ok(bytes),
            Answer::Bytes(_) => Err(self.nonsense("more bytes than were asked for")),
            Answer::Of(HostAnswer::Absent {}) => {
                Err(Error::new(Code::NotFound, "use the files of", &self.options.display))
            }
            Answer::Of(_) => Err(self.nonsense("something else than bytes")),
        }
    }

    async fn write(&self, path: &RelPath, offset: u64, bytes: Bytes) -> portbook::Result<()> {
        let (path, offset, length) = (text(path), count(offset), count(bytes.len()));
        match self.desk.ask(|id| HostRequest::WriteAt { id, path, offset, length }, bytes).await? {
            Answer::Of(HostAnswer::Done {}) => Ok(()),
            Answer::Of(_) | Answer::Bytes(_) => Err(self.nonsense("something else than that it was done")),
        }
    }

    async fn set_modified(&self, path: &RelPath, time: Timestamp) -> portbook::Result<()> {
        let path = text(path);
        let time = chrono::DateTime::from_timestamp(time.secs, time.nanos).unwrap_or_default();
        let modified_at = time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
        self.done(|id| HostRequest::SetModified { id, path, modified_at }).await
    }

    async fn make_dir(&self, path: &RelPath) -> portbook::Result<()> {
        let path = text(path);
        self.done(|id| HostRequest::MakeDir { id, path }).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath, replace: bool) -> portbook::Result<()> {
        let (path, to) = (text(from), text(to));
        self.done(|id| HostRequest::Rename { id, path, to, replace }).await
    }

    async fn remove(&self, path: &RelPath) -> portbook::Result<()> {
        let path = text(path);
        match self.done(|id| HostRequest::RemoveItem { id, path }).await {
            Err(error) if error.code() == Code::NotFound => Ok(()),
            other => other,
        }
    }

    async fn flush(&self) -> portbook::Result<()> {
        self.done(|id| HostRequest::Flush { id }).await
    }
}
