//! The change feed of a list ("listItem: delta").
//!
//! The cursor is the service's own link, which holds no secret, with the columns that were read behind a `#`: the link goes on
//! with these, so that with others everything has to be read. Whatever is odd about the feed ends it as `stale`: then the list
//! is read as a whole and compared, which needs no feed.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::budget::cost;
use super::describe::Form;
use super::fault::Fault;
use super::graph::{Ask, Graph};
use super::items::{Reading, next_link, page_size, with_query};
use super::value::put;
use crate::endpoint::{ChangePage, ChangeScan, ChangeStream, ChangesEnd, Cursor, Deletions, Page};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::CursorType;

const ACTION: &str = "read the changes of the list";

/// Changes, page by page.
pub(super) struct Changes {
    graph: Arc<Graph>,
    reading: Reading,
    next: Option<Url>,
    end: Option<ChangesEnd>,
    /// Whether nothing was given because there is nothing more.
    is_over: bool,
    deletions: Deletions,
    failed: Option<Error>,
}

impl Changes {
    /// # Errors
    /// `stale` when the cursor is of other columns or no link of this service.
    pub(super) fn new(graph: Arc<Graph>, reading: Reading, items: &Url, scan: &ChangeScan) -> Result<Self> {
        let (next, deletions) = match &scan.since {
            None => {
                // Without `$select`, which may leave out that an item is deleted.
                let mut query = reading.query();
                query.retain(|(key, _)| *key != "$select");
                query.push(("$top", page_size(scan.page_rows).to_string()));
                (with_query(super::beneath(items, &["delta"]), &query), Deletions::ByAbsence)
            }
            Some(cursor) => {
                let stale = |why| stale(&reading, why);
                let mut link = Url::parse(&cursor.value).map_err(|_| stale("the cursor is no link"))?;
                if link.fragment() != Some(reading.names().as_str()) {
                    return Err(stale("the cursor is of other columns"));
                }
                link.set_fragment(None);
                let ask = Graph::get(ACTION, &scan.table, link.clone(), cost::ONE);
                (
                    graph.link(&ask, link.as_str()).map_err(|_| stale("the cursor is of another service"))?,
                    Deletions::Listed,
                )
            }
        };
        Ok(Self { graph, reading, next: Some(next), end: None, is_over: false, deletions, failed: None })
    }

    async fn page(&mut self, url: Url) -> Result<ChangePage> {
        let has_token =
            url.query_pairs().any(|(key, _)| key.trim_start_matches('$') == "token") || url.path().contains("token=");
        let units = if has_token { cost::ONE } else { cost::SEVERAL };
        let ask = Graph::get(ACTION, &self.reading.list.shape.name, url, units);
        let answer = self.graph.ask(&ask).await?;
        if let Some(fault) = answer.fault() {
            return Err(self.fault(&ask, &fault));
        }
        let changes = answer.body["value"].as_array().ok_or_else(|| stale(&self.reading, "the answer has no items"))?;
        let page = self.read(changes)?;
        self.next = next_link(&self.graph, &ask, &answer)?;
        if self.next.is_none() {
            let link = answer.body["@odata.deltaLink"].as_str();
            let link = link.ok_or_else(|| stale(&self.reading, "the last page has no link to the next changes"))?;
            let mut link = self.graph.link(&ask, link)?;
            link.set_fragment(Some(&self.reading.names()));
            let cursor = Cursor { cursor_type: CursorType::DeltaLink, value: link.into() };
            self.end = Some(ChangesEnd { cursor, deletions: self.deletions });
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
        let early = || Error::new(Code::Internal, "end a reading of changes", "").because("not all were taken");
        self.end.clone().filter(|_| self.is_over).ok_or_else(early)
    }
}
