//! A host with one table in memory, which answers as it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portbook_ffi::records::{
    BookOptions, DatumKind, ErrorCode, HostColumn, HostRecordOptions, HostTable, RecordAnswer, RecordPlace,
    RecordRequest, WriteOutcome, WrittenRow,
};
use portbook_ffi::{Book, HostRecords, Result, Session, wait};
use serde_json::{Map, Value};

pub type Row = Map<String, Value>;

/// A row by its JSON.
pub fn row(json: Value) -> Row {
    match json {
        Value::Object(row) => row,
        other => panic!("{other}"),
    }
}

pub fn column(name: &str, kind: DatumKind) -> HostColumn {
    HostColumn {
        name: name.into(),
        kind,
        member: None,
        is_nullable: None,
        is_computed: None,
        max_length: None,
        digits: None,
        decimal_places: None,
    }
}

/// Numbers with names.
pub fn orders() -> HostTable {
    let columns = vec![column("id", DatumKind::Integer), column("name", DatumKind::Text)];
    HostTable { columns, key: Some(vec!["id".into()]), row_estimate: None }
}

pub fn order(id: i64, name: &str) -> Row {
    row(serde_json::json!({"id": id, "name": name}))
}

/// How a request fails, or is left unanswered.
#[derive(Clone)]
pub enum Failure {
    With(&'static str, Option<ErrorCode>),
    Silence,
}

type Turn = dyn Fn(&RecordRequest) -> Option<std::result::Result<RecordAnswer, Failure>> + Send + Sync;

/// The table and its rows.
pub struct Memory {
    pub table: HostTable,
    pub rows: Mutex<BTreeMap<String, Row>>,
    /// Rows of a page.
    pub page: usize,
    /// Asked first: what it does not answer is answered from memory.
    pub turn: Mutex<Option<Box<Turn>>>,
    /// What was asked, by its kind.
    pub asked: Mutex<Vec<&'static str>>,
    pub versions: Option<AtomicU64>,
    /// What has changed, in its order: a row, or nothing where one is gone.
    pub log: Mutex<Vec<(String, Option<Row>)>>,
}

impl Memory {
    pub fn new(table: HostTable, rows: impl IntoIterator<Item = Row>) -> Arc<Self> {
        Arc::new(Self::of(table, rows))
    }

    pub fn of(table: HostTable, rows: impl IntoIterator<Item = Row>) -> Self {
        let memory = Self {
            table,
            rows: Mutex::default(),
            page: 1000,
            turn: Mutex::default(),
            asked: Mutex::default(),
            versions: None,
            log: Mutex::default(),
        };
        rows.into_iter().for_each(|row| memory.put(row));
        memory
    }

    pub fn put(&self, mut row: Row) {
        if let Some(versions) = &self.versions {
            row.insert("@version".into(), versions.fetch_add(1, Ordering::SeqCst).to_string().into());
        }
        self.log.lock().unwrap().push((self.key(&row), Some(row.clone())));
        self.rows.lock().unwrap().insert(self.key(&row), row);
    }

    pub fn take(&self, key: &Row) {
        self.rows.lock().unwrap().remove(&self.key(key));
        self.log.lock().unwrap().push((self.key(key), None));
    }

    pub fn turn(
        &self,
        turn: impl Fn(&RecordRequest) -> Option<std::result::Result<RecordAnswer, Failure>> + Send + Sync + 'static,
    ) {
        *self.turn.lock().unwrap() = Some(Box::new(turn));
    }

    pub fn asked(&self, kind: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| **asked == kind).count()
    }

    /// The rows without their versions.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.lock().unwrap().values().cloned().collect();
        rows.iter_mut().for_each(|row| drop(row.remove("@version")));
        rows
    }

    fn key(&self, row: &Row) -> String {
        let part = |name: &String| row.get(name).map(Value::to_string).unwrap_or_default();
        self.table.key.iter().flatten().map(part).collect::<Vec<_>>().join(",")
    }

    fn answer(&self, request: &RecordRequest) -> std::result::Result<RecordAnswer, Failure> {
        let own = self.turn.lock().unwrap().as_ref().and_then(|turn| turn(request));
        let text = |row: &Row| Value::Object(row.clone()).to_string();
        let read =
            |rows: &[String]| -> Vec<Row> { rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect() };
        let kind = match request {
            RecordRequest::Describe { .. } => "describe",
            RecordRequest::Scan { .. } => "scan",
            RecordRequest::Fetch { .. } => "fetch",
            RecordRequest::Changes { .. } => "changes",
            RecordRequest::Insert { .. } => "insert",
            RecordRequest::Update { .. } => "update",
            RecordRequest::Delete { .. } => "delete",
        };
        self.asked.lock().unwrap().push(kind);
        if let Some(own) = own {
            return own;
        }
        Ok(match request {
            RecordRequest::Describe { .. } => RecordAnswer::Described { table: self.table.clone() },
            RecordRequest::Scan { after, limit, .. } => {
                let rows = self.rows.lock().unwrap();
                let from: usize = after.as_deref().map_or(0, |after| after.parse().unwrap());
                let most = self.page.min(usize::try_from(*limit).unwrap());
                let next = (from + most < rows.len()).then(|| (from + most).to_string());
                RecordAnswer::Rows { rows: rows.values().skip(from).take(most).map(text).collect(), next }
            }
            RecordRequest::Fetch { keys, .. } => {
                let rows = self.rows.lock().unwrap();
                let found = read(keys).iter().filter_map(|key| rows.get(&self.key(key))).map(text).collect();
                RecordAnswer::Rows { rows: found, next: None }
            }
            RecordRequest::Changes { since, .. } => {
                let log = self.log.lock().unwrap();
                let from = since.as_deref().map_or(0, |since| since.parse().unwrap());
                let (mut rows, mut deleted) = (BTreeMap::new(), BTreeMap::new());
                for (key, row) in &log[from..] {
                    match row {
                        Some(row) => drop((deleted.remove(key), rows.insert(key.clone(), text(row)))),
                        None => drop((rows.remove(key), deleted.insert(key.clone(), format!("{{\"id\":{key}}}")))),
                    }
                }
                let cursor = Some(log.len().to_string());
                let (rows, deleted) = (rows.into_values().collect(), deleted.into_values().collect());
                RecordAnswer::Changes { rows, deleted, next: None, cursor }
            }
            RecordRequest::Insert { rows, .. } => self.write(read(rows), |is_there, _| match is_there {
                true => WriteOutcome::Exists,
                false => WriteOutcome::Written,
            }),
            RecordRequest::Update { rows, .. } => {
                self.write(read(rows), |is_there, is_same| match (is_there, is_same) {
                    (false, _) => WriteOutcome::Gone,
                    (true, false) => WriteOutcome::Changed,
                    (true, true) => WriteOutcome::Written,
                })
            }
            RecordRequest::Delete { keys, .. } => {
                let outcomes = read(keys).into_iter().map(|key| self.remove(&key)).collect();
                RecordAnswer::Written { outcomes }
            }
        })
    }

    fn remove(&self, key: &Row) -> WrittenRow {
        let known = self.rows.lock().unwrap().get(&self.key(key)).cloned();
        let is_same = |row: &Row| key.get("@version").is_none_or(|version| row.get("@version") == Some(version));
        let outcome = match known {
            None => WriteOutcome::Gone,
            Some(row) if !is_same(&row) => WriteOutcome::Changed,
            Some(_) => WriteOutcome::Written,
        };
        if outcome == WriteOutcome::Written {
            self.take(key);
        }
        WrittenRow { outcome, version: None, reason: None, code: None }
    }

    fn write(&self, rows: Vec<Row>, judge: impl Fn(bool, bool) -> WriteOutcome) -> RecordAnswer {
        let outcomes = rows.into_iter().map(|mut row| {
            let known = self.rows.lock().unwrap().get(&self.key(&row)).cloned();
            let expected = row.remove("@version");
            let version = |row: &Row| row.get("@version").cloned();
            let is_same = expected.is_none() || known.as_ref().and_then(version) == expected;
            let outcome = judge(known.is_some(), is_same);
            if outcome == WriteOutcome::Written {
                let mut whole = known.unwrap_or_default();
                whole.extend(row.clone());
                self.put(whole);
            }
            let now = self.rows.lock().unwrap().get(&self.key(&row)).and_then(version);
            let version = now.and_then(|version| version.as_str().map(ToOwned::to_owned));
            WrittenRow { outcome, version, reason: None, code: None }
        });
        RecordAnswer::Written { outcomes: outcomes.collect() }
    }

    /// Serves it until the store ends.
    pub fn serve(self: &Arc<Self>, store: &Arc<HostRecords>) -> JoinHandle<()> {
        let (memory, store) = (self.clone(), store.clone());
        std::thread::spawn(move || {
            while let Some(request) = wait(store.next_request()).unwrap() {
                match memory.answer(&request) {
                    Ok(answer) => store.reply(request.id(), answer).unwrap_or_default(),
                    Err(Failure::With(reason, code)) => {
                        store.fail(request.id(), reason.into(), code).unwrap_or_default();
                    }
                    Err(Failure::Silence) => {}
                }
            }
        })
    }
}

/// A book, and hosts that serve it until it ends.
pub struct World {
    pub dir: tempfile::TempDir,
    pub book: Arc<Book>,
    pub session: Arc<Session>,
    served: Vec<(Arc<HostRecords>, JoinHandle<()>)>,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Some(dir.path().join("book.db").display().to_string());
        let book = wait(Book::open(BookOptions { path, ..BookOptions::default() })).unwrap();
        let session = wait(book.default_session()).unwrap();
        Self { dir, book, session, served: Vec::new() }
    }

    /// The place of a table that is served from here on.
    pub fn serve(&mut self, key: &str, memory: &Arc<Memory>, options: HostRecordOptions) -> RecordPlace {
        let store = self.session.host_records(key.into(), options).unwrap();
        let thread = memory.serve(&store);
        self.served.push((store, thread));
        RecordPlace::Host { key: key.into(), table: "orders".into() }
    }

    pub fn plainly(&mut self, key: &str, memory: &Arc<Memory>) -> RecordPlace {
        self.serve(key, memory, HostRecordOptions::default())
    }

    /// Ends the stores of that many hosts, the last begun first.
    pub fn end(&mut self, hosts: usize) {
        for _ in 0..hosts {
            let (store, thread) = self.served.pop().unwrap();
            store.shutdown();
            thread.join().unwrap();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let hosts = self.served.len();
        self.end(hosts);
    }
}

pub fn code<T>(result: Result<T>) -> ErrorCode {
    result.err().unwrap().code()
}
