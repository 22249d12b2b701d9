//! The change feed of a list ("listItem: delta").
//!
//! The cursor is the service's own link, which holds no secret, with the columns that were read behind a `#`: the link goes on
//! with these, so that with others everything has to be read. Whatever is odd about the feed ends it as `stale`: then the list
//! is read as a whole and compared, which needs no feed but a cursor for the next time (`token=latest`).

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::budget::cost;
use super::describe::Form;
use super::fault::Fault;
use super::graph::{Answer, Ask, Graph};
use super::items::{Items, Reading, next_link, with_query};
use super::value::put;
use crate::endpoint::{ChangePage, ChangeStream, ChangesEnd, Cursor, Deletions, Page, RowStream as _, TableName};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::CursorType;

const ACTION: &str = "read the changes of the list";

/// A cursor at which everything that is there now is known.
///
/// # Errors
/// `stale` when the service gives none; as a request.
pub(super) async fn latest(graph: &Graph, reading: &Reading, items: &Url) -> Result<Cursor> {
    // Without `$select`, which may leave out that an item is deleted.
    let mut query = reading.query();
    query.retain(|(key, _)| *key != "$select");
    query.push(("token", "latest".to_owned()));
    let url = with_query(super::beneath(items, &["delta"]), &query);
    let ask = Graph::get(ACTION, &reading.list.shape.name, url, cost::ONE);
    let answer = graph.ask(&ask).await?.success(&ask)?;
    cursor(graph, reading, &ask, &answer)
}

/// The link behind the last page, with the columns that are read.
fn cursor(graph: &Graph, reading: &Reading, ask: &Ask, answer: &Answer) -> Result<Cursor> {
    let link = answer.body["@odata.deltaLink"].as_str();
    let link = link.ok_or_else(|| stale(reading, "the last page has no link to the next changes"))?;
    let mut link = graph.link(ask, link)?;
    link.set_fragment(Some(&reading.names()));
    Ok(Cursor { cursor_type: CursorType::DeltaLink, value: link.into() })
}

/// All that is there, and a cursor from before it was read.
pub(super) struct Everything {
    items: Items,
    cursor: Cursor,
    is_over: bool,
}

impl Everything {
    pub(super) fn new(items: Items, cursor: Cursor) -> Self {
        Self { items, cursor, is_over: false }
    }
}

#[async_trait]
impl ChangeStream for Everything {
    async fn next(&mut self) -> Result<Option<ChangePage>> {
        let page = self.items.next().await?;
        self.is_over = page.is_none();
        Ok(page.map(|Page { rows, refused }| ChangePage { rows, deleted: RowBatch::new(1), refused }))
    }

    fn end(&self) -> Result<ChangesEnd> {
        let end = || ChangesEnd { cursor: self.cursor.clone(), deletions: Deletions::ByAbsence };
        self.is_over.then(end).ok_or_else(early)
    }
}

fn early() -> Error {
    Error::new(Code::Internal, "end a reading of changes", "").because("not all were taken")
}

/// Changes since a cursor, page by page.
pub(super) struct Changes {
    graph: Arc<Graph>,
    reading: Reading,
    next: Option<Url>,
    end: Option<ChangesEnd>,
    /// Whether nothing was given because there is nothing more.
    is_over: bool,
    may_have_lost: bool,
    failed: Option<Error>,
}

impl Changes {
    /// # Errors
    /// `stale` when the cursor is of other columns or no link of this service.
    pub(super) fn new(graph: Arc<Graph>, reading: Reading, table: &TableName, since: &Cursor) -> Result<Self> {
        let stale = |why| stale(&reading, why);
        let mut link = Url::parse(&since.value).map_err(|_| stale("the cursor is no link"))?;
        if link.fragment() != Some(reading.names().as_str()) {
            return Err(stale("the cursor is of other columns"));
        }
        link.set_fragment(None);
        let ask = Graph::get(ACTION, table, link.clone(), cost::ONE);
        let next = graph.link(&ask, link.as_str()).map_err(|_| stale("the cursor is of another service"))?;
        Ok(Self { graph, reading, next: Some(next), end: None, is_over: false, may_have_lost: false, failed: None })
    }

    async fn page(&mut self, url: Url) -> Result<ChangePage> {
        let has_token =
            url.query_pairs().any(|(key, _)| key.trim_start_matches('$') == "token") || url.path().contains("token=");
        let units = if has_token { cost::ONE } else { cost::SEVERAL };
        let ask = Graph::get(ACTION, &self.reading.list.shape.name, url, units);
        let answer = self.graph.ask(&ask).await?;
        if let Some(fault) = answer.fault() {
            self.may_have_lost = fault.says("resyncChangesUploadDifferences");
            return Err(self.fault(&ask, &fault));
        }
        let changes = answer.body["value"].as_array().ok_or_else(|| stale(&self.reading, "the answer has no items"))?;
        let page = self.read(changes)?;
        self.next = next_link(&self.graph, &ask, &answer)?;
        if self.next.is_none() {
            let cursor = cursor(&self.graph, &self.reading, &ask, &answer)?;
            self.end = Some(ChangesEnd { cursor, deletions: Deletions::Listed });
        }
        Ok(page)
    }

    /// Both ways back into step are the same to whoever has a ledger: everything is read and compared. They differ in what
    /// is to be made of items that the service then does not have.
    fn fault(&self, ask: &Ask, fault: &Fault) -> Error {
        let is_stale = fault.status == 410 || fault.says("syncStateNotFound") || fault.says("resyncRequired");
        let error = fault.error(ask.action, &ask.subject);
        match is_stale {
            false => error,
            true if fault.says("resyncChangesApplyDifferences") => {
                stale(&self.reading, "the service no longer knows the cursor, and what it does not list is gone")
                    .and_because(error)
            }
            true if fault.says("resyncChangesUploadDifferences") => {
                stale(&self.reading, "the service no longer knows the cursor, and may have lost what it does not list")
                    .and_because(error)
            }
            true => stale(&self.reading, "the service no longer knows the cursor").and_because(error),
        }
    }

    /// What is said last of an item counts.
    fn read(&self, changes: &[Value]) -> Result<ChangePage> {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (at, change) in changes.iter().enumerate() {
            if change.get("error").is_some() {
                return Err(stale(&self.reading, "there is an error among the changes"));
            }
            let id = change["id"].as_str().ok_or_else(|| stale(&self.reading, "a change is of no item"))?;
            last.insert(id, at);
        }
        let Page { rows, refused } = self.reading.page();
        let mut page = ChangePage { rows, deleted: RowBatch::new(1), refused };
        for (at, change) in changes.iter().enumerate() {
            if change["id"].as_str().and_then(|id| last.get(id)) != Some(&at) {
                continue;
            }
            if change.get("deleted").is_some_and(|deleted| !deleted.is_null()) {
                let odd = |why: String| stale(&self.reading, &why);
                page.deleted.try_value(|encoder| put(encoder, Form::Id, change.get("id")).map_err(odd))?;
            } else if self.reading.is_whole(change) {
                self.reading.take(change, &mut page.rows, &mut page.refused);
            } else {
                return Err(stale(&self.reading, "an item came without its fields"));
            }
        }
        Ok(page)
    }
}

fn stale(reading: &Reading, why: &str) -> Error {
    Error::new(Code::Stale, ACTION, &reading.list.shape.name).because(why).advise("read the whole list")
}

#[async_trait]
impl ChangeStream for Changes {
    async fn next(&mut self) -> Result<Option<ChangePage>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while let Some(url) = self.next.take() {
            match self.page(url).await {
                Ok(page) if page.rows.is_empty() && page.deleted.is_empty() && page.refused.is_empty() => {}
                Ok(page) => return Ok(Some(page)),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        self.is_over = true;
        Ok(None)
    }

    fn end(&self) -> Result<ChangesEnd> {
        self.end.clone().filter(|_| self.is_over).ok_or_else(early)
    }

    fn may_have_lost(&self) -> bool {
        self.may_have_lost
    }
}
