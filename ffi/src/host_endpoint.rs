//! A host's own tables as an endpoint of the engine: what is asked, and whether an answer can be believed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use portbook::endpoint::{
    Capabilities, ChangePage, ChangeScan, ChangeSource, ChangeStream, ChangesEnd, Cursor, Deletions, Endpoint,
    NewTable, Page, Probe, RowOutcome, RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use portbook::identity::{RowBatch, encode};
use portbook::model::{CursorType, Tick};
use portbook::{Code, Error, Result};

use crate::host_records::{PAGE, Records};
use crate::host_rows::{Columns, Table, VERSION};
use crate::host_write;
use crate::records::{RecordAnswer, RecordRequest, count};

/// The tables of a host.
#[derive(Clone)]
pub(crate) struct HostEndpoint(pub(crate) Arc<Records>);

impl HostEndpoint {
    /// Asks, and is told the host's failure where there is one.
    pub(crate) async fn ask(&self, question: impl FnOnce(i64) -> RecordRequest + Send) -> Result<RecordAnswer> {
        self.0.desk.ask(question, ()).await
    }

    pub(crate) fn nonsense(&self, answer: impl std::fmt::Display) -> Error {
        self.0.nonsense(answer)
    }

    fn unsupported(&self, why: &'static str) -> Error {
        self.0.failed(Code::Unsupported).because(why)
    }

    /// What a table looks like, asked anew.
    async fn look(&self, name: &TableName) -> Result<Arc<Table>> {
        let table = name.name.clone();
        let described = match self.ask(|id| RecordRequest::Describe { id, table }).await? {
            RecordAnswer::Described { table } => table,
            RecordAnswer::Absent {} => return Err(self.missing(name)),
            RecordAnswer::Done {}
            | RecordAnswer::Rows { .. }
            | RecordAnswer::Changes { .. }
            | RecordAnswer::Written { .. } => return Err(self.nonsense("something else than a table")),
        };
        let table = Table::read(name, described, self.0.has_versions).map_err(|wrong| self.nonsense(wrong))?;
        let table = Arc::new(table);
        let mut known = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.name.clone(), table.clone());
        Ok(table)
    }

    /// What a table looked like when it was described last.
    pub(crate) async fn table(&self, name: &TableName) -> Result<Arc<Table>> {
        let known = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&name.name).cloned();
        match known {
            Some(table) => Ok(table),
            None => self.look(name).await,
        }
    }

    fn missing(&self, name: &TableName) -> Error {
        self.0.failed(Code::NotFound).because(format_args!("there is no table {}", name.name.escape_debug()))
    }

    async fn pages(&self, table: &TableName, columns: &[String], limit: usize) -> Result<Pages> {
        let kinds = self.table(table).await?.columns(columns)?;
        let (table, names) = (table.clone(), columns.to_vec());
        Ok(Pages { host: self.clone(), table, names, kinds, limit: limit.clamp(1, PAGE), next: Next::First })
    }

    /// Rows by their keys, of a host that can look them up.
    async fn look_up(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        let described = self.table(table).await?;
        let (kinds, key) = (described.columns(columns)?, described.columns(key)?);
        let mut found = Page { rows: RowBatch::new(kinds.len()), refused: Vec::new() };
        let mut texts = Vec::with_capacity(keys.len());
        for row in keys.iter() {
            let mut object = serde_json::Map::new();
            key.write(row, 0, &mut object)?;
            texts.push(serde_json::Value::Object(object).to_string());
        }
        for chunk in texts.chunks(PAGE) {
            let (table, columns, keys) = (table.name.clone(), columns.to_vec(), chunk.to_vec());
            let rows = match self.ask(|id| RecordRequest::Fetch { id, table, columns, keys }).await? {
                RecordAnswer::Rows { rows, next: None } if rows.len() <= chunk.len() => rows,
                RecordAnswer::Rows { .. } => return Err(self.nonsense("more rows than were asked for")),
                RecordAnswer::Done {}
                | RecordAnswer::Absent {}
                | RecordAnswer::Described { .. }
                | RecordAnswer::Changes { .. }
                | RecordAnswer::Written { .. } => return Err(self.nonsense("something else than rows")),
            };
            let page = kinds.page(&rows).map_err(|wrong| self.nonsense(wrong))?;
            page.rows.iter().try_for_each(|row| found.rows.push_row(row))?;
            found.refused.extend(page.refused);
        }
        Ok(found)
    }

    /// Rows by their keys, out of all of them.
    async fn look_through(
        &self,
        table: &TableName,
        columns: &[String],
        key: &[String],
        keys: &RowBatch,
    ) -> Result<Page> {
        let wanted: HashSet<&[u8]> = keys.iter().map(|row| row.values(0..key.len())).collect();
        let both: Vec<String> = key.iter().chain(columns).cloned().collect();
        let mut pages = self.pages(table, &both, PAGE).await?;
        let mut found = Page { rows: RowBatch::new(columns.len()), refused: Vec::new() };
        while let Some(page) = pages.next().await? {
            for row in page.rows.iter().filter(|row| wanted.contains(row.values(0..key.len()))) {
                found.rows.push_encoded(row.values(key.len()..both.len()))?;
            }
            let is_wanted = |known: &[(String, portbook::model::Datum)]| {
                let part =
                    |name: &String| known.iter().find(|(known, _)| known == name).map(|(_, value)| encode(value));
                let parts: Option<Vec<Vec<u8>>> = key.iter().map(part).collect();
                parts.is_some_and(|parts| wanted.contains(parts.concat().as_slice()))
            };
            found.refused.extend(page.refused.into_iter().filter(|refused| is_wanted(&refused.known)));
        }
        Ok(found)
    }
}

/// Where the next page begins.
enum Next {
    First,
    After(String),
    Nowhere,
}

impl Next {
    /// What is asked; nothing after the last page.
    fn after(&self) -> Option<Option<String>> {
        match self {
            Self::First => Some(None),
            Self::After(place) => Some(Some(place.clone())),
            Self::Nowhere => None,
        }
    }

    /// Goes on where the host says.
    fn go_on(&mut self, host: &HostEndpoint, rows: usize, next: Option<String>) -> Result<()> {
        *self = match next {
            None => Self::Nowhere,
            Some(_) if rows == 0 => return Err(host.nonsense("an empty page that is not the last")),
            Some(place) if matches!(self, Self::After(before) if *before == place) => {
                return Err(host.nonsense("a page that is followed by itself"));
            }
            Some(place) => Self::After(place),
        };
        Ok(())
    }
}

/// All rows of a table, page by page.
struct Pages {
    host: HostEndpoint,
    table: TableName,
    names: Vec<String>,
    kinds: Columns,
    limit: usize,
    next: Next,
}

#[async_trait]
impl RowStream for Pages {
    async fn next(&mut self) -> Result<Option<Page>> {
        let Some(after) = self.next.after() else { return Ok(None) };
        let (table, columns, limit) = (self.table.name.clone(), self.names.clone(), count(self.limit));
        let is_first = after.is_none();
        let (rows, next) = match self.host.ask(|id| RecordRequest::Scan { id, table, columns, after, limit }).await? {
            RecordAnswer::Rows { rows, .. } if rows.len() > self.limit => {
                return Err(self.host.nonsense("more rows than a page may have"));
            }
            RecordAnswer::Rows { rows, next } => (rows, next),
            RecordAnswer::Absent {} if is_first => return Err(self.host.missing(&self.table)),
            RecordAnswer::Done {}
            | RecordAnswer::Absent {}
            | RecordAnswer::Described { .. }
            | RecordAnswer::Changes { .. }
            | RecordAnswer::Written { .. } => return Err(self.host.nonsense("something else than rows")),
        };
        self.next.go_on(&self.host, rows.len(), next)?;
        self.kinds.page(&rows).map(Some).map_err(|wrong| self.host.nonsense(wrong))
    }
}

/// What has changed, page by page.
struct Changes {
    host: HostEndpoint,
    scan: ChangeScan,
    kinds: Columns,
    key: Columns,
    next: Next,
    cursor: Option<String>,
}

#[async_trait]
impl ChangeStream for Changes {
    async fn next(&mut self) -> Result<Option<ChangePage>> {
        let Some(after) = self.next.after() else { return Ok(None) };
        let ChangeScan { table, columns, key, since, page_rows, .. } = self.scan.clone();
        let most = page_rows.clamp(1, PAGE);
        let (table, since, limit) = (table.name, since.map(|cursor| cursor.value), count(most));
        let question = |id| RecordRequest::Changes { id, table, columns, key, since, after, limit };
        let RecordAnswer::Changes { rows, deleted, next, cursor } = self.host.ask(question).await? else {
            return Err(self.host.nonsense("something else than changes"));
        };
        let length = rows.len() + deleted.len();
        if length > most {
            return Err(self.host.nonsense("more rows than a page may have"));
        }
        self.next.go_on(&self.host, length, next)?;
        if matches!(self.next, Next::Nowhere) {
            self.cursor = Some(cursor.ok_or_else(|| self.host.nonsense("changes that end without a cursor"))?);
        }
        let page = self.kinds.page(&rows).map_err(|wrong| self.host.nonsense(wrong))?;
        // A row that is gone and cannot be named is not to be forgotten.
        let deleted = self.key.all(&deleted).map_err(|wrong| self.host.nonsense(wrong))?;
        Ok(Some(ChangePage { rows: page.rows, deleted, refused: page.refused }))
    }

    fn end(&self) -> Result<ChangesEnd> {
        let early = || self.host.0.failed(Code::Internal).because("its changes were not read to their end");
        let cursor = Cursor { cursor_type: CursorType::Lsn, value: self.cursor.clone().ok_or_else(early)? };
        let deletions = if self.scan.since.is_some() { Deletions::Listed } else { Deletions::ByAbsence };
        Ok(ChangesEnd { cursor, deletions })
    }
}

#[async_trait]
impl Endpoint for HostEndpoint {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::read_only();
        capabilities.write_rows = self.0.write_rows;
        capabilities.version_column = self.0.has_versions.then_some(VERSION);
        capabilities.cursors = if self.0.has_changes { vec![CursorType::Lsn] } else { Vec::new() };
        capabilities.writes = true;
        capabilities
    }

    async fn probe(&self) -> Result<Probe> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = Tick { seconds: count(now.as_secs()), nanos: now.subsec_nanos() };
        Ok(Probe { product: self.0.display.clone(), clock })
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        Err(self.unsupported("a host describes the tables that are named to it"))
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        Ok(self.look(table).await?.shape.clone())
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let first = self.table(table).await?.shape.columns.first().map(|column| column.name.clone());
        let mut pages = self.pages(table, &Vec::from_iter(first), PAGE).await?;
        let mut rows = 0;
        while let Some(page) = pages.next().await? {
            rows += (page.rows.len() + page.refused.len()) as u64;
        }
        Ok(rows)
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        Ok(Box::new(self.pages(&scan.table, &scan.columns, scan.page_rows).await?))
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        if !self.0.cannot_fetch.load(Ordering::Relaxed) {
            match self.look_up(table, columns, key, keys).await {
                Err(error) if error.code() == Code::Unsupported => self.0.cannot_fetch.store(true, Ordering::Relaxed),
                found => return found,
            }
        }
        self.look_through(table, columns, key, keys).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        match &scan.by {
            ChangeSource::Log { .. } if self.0.has_changes => {}
            ChangeSource::Log { .. } => return Err(self.unsupported("the host does not say that it tells of changes")),
            ChangeSource::UpdatedAt { .. } | ChangeSource::Feed => {
                return Err(self.unsupported("a host tells of changes by its own cursor: `log`"));
            }
        }
        let table = self.table(&scan.table).await?;
        let (kinds, key) = (table.columns(&scan.columns)?, table.columns(&scan.key)?);
        Ok(Box::new(Changes { host: self.clone(), scan, kinds, key, next: Next::First, cursor: None }))
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        host_write::write(self, batch).await
    }

    async fn create(&self, _: NewTable) -> Result<TableShape> {
        Err(self.unsupported("a host makes its tables itself"))
    }

    async fn shutdown(&self) {}
}

/// Rows by the encoding of their keys.
pub(crate) type ByKey<T> = HashMap<Vec<u8>, T>;
