//! Writing items, and what is said of each.
//!
//! What makes an item is sent once: whoever gets no answer, or one that does not say, looks by the marker before it is sent
//! again. What changes or deletes one may be sent again, since a version goes with it or the end is the same; only when the
//! version is refused after an answer that said nothing is it unknown whose change that was.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Map, Value, json};
use url::Url;

use super::batch::{Inner, Verdict};
use super::budget::cost;
use super::describe::List;
use super::fault::Fault;
use super::graph::{Answer, Ask, Graph, Lost};
use super::items::with_query;
use super::value::{annotation, json as in_json};
use super::{ID, MARKER, VERSION};
use crate::endpoint::{Expect, RowAction, RowOutcome, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowRef, encode};
use crate::model::Datum;

const ACTION: &str = "write an item of the list";
/// How often a request is sent that is asked to come back later.
const ATTEMPTS: u32 = 6;
/// How often an item is looked at that is said to have changed although it has not.
const LOOKS: u32 = 4;

/// What an answer says of a row, if it says it yet.
enum Said {
    Outcome(RowOutcome),
    /// That it was changed by somebody, which is at times said of fresh items that nobody has changed
    /// (OneDrive/onedrive-api-docs#1414).
    Modified(Fault),
}

struct Writing<'a> {
    graph: &'a Graph,
    list: &'a List,
    items: Url,
    batch: &'a WriteBatch,
}

pub(super) async fn write(graph: &Graph, list: &Arc<List>, items: Url, batch: &WriteBatch) -> Result<Vec<RowOutcome>> {
    let writing = Writing { graph, list, items, batch };
    let planned = writing.plan()?;
    let (mut outcomes, mut inners, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (at, row) in planned.into_iter().enumerate() {
        match row {
            Ok(inner) => {
                inners.push(inner);
                places.push(at);
                outcomes.push(None);
            }
            Err(outcome) => outcomes.push(Some(outcome)),
        }
    }
    let subject = list.shape.name.to_string();
    let judge = |at: usize, answer, attempt| writing.judge(&inners[at], answer, attempt);
    let said = graph.batches(ACTION, &subject, &inners, judge).await;
    for ((said, inner), at) in said.into_iter().zip(&inners).zip(places) {
        outcomes[at] = Some(match said {
            Said::Outcome(outcome) => outcome,
            Said::Modified(fault) => writing.look_again(inner, fault).await,
        });
    }
    let lost = || RowOutcome::Unknown(Error::new(Code::Internal, ACTION, &subject).because("it was not looked at"));
    writing.settle(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()).await
}

impl Writing<'_> {
    /// A request for each row, or what becomes of it without one.
    fn plan(&self) -> Result<Vec<std::result::Result<Inner, RowOutcome>>> {
        if !matches!(self.batch.action, RowAction::Insert { .. }) && self.batch.key != [ID] {
            return Err(self.error(Code::Unsupported, "items are changed by their ID alone"));
        }
        match &self.batch.action {
            RowAction::Insert { columns, rows } => {
                self.check(columns)?;
                let insert = |row| {
                    let body = json!({ "fields": self.fields(columns, row)? });
                    Ok(Inner::new(Method::POST, self.graph.relative(&self.items), None, Some(body)))
                };
                Ok(rows.iter().map(insert).collect())
            }
            RowAction::Update { keys, columns, rows, expect } => {
                self.check(columns)?;
                let versions = self.versions(expect)?;
                let update = |(at, key): (usize, RowRef<'_>)| {
                    let url = super::beneath(&self.items, &[&self.id(key)?, "fields"]);
                    let body = Value::Object(self.fields(columns, rows.row(at))?);
                    let etag = versions.and_then(|all| all.get(at)?.clone());
                    Ok(Inner::new(Method::PATCH, self.graph.relative(&url), etag, Some(body)))
                };
                Ok(keys.iter().enumerate().map(update).collect())
            }
            RowAction::Delete { keys, expect } => Ok(self.deletes(keys, self.versions(expect)?)),
        }
    }

    fn deletes(
        &self,
        keys: &RowBatch,
        versions: Option<&Vec<Option<String>>>,
    ) -> Vec<std::result::Result<Inner, RowOutcome>> {
        let delete = |(at, key): (usize, RowRef<'_>)| {
            let url = super::beneath(&self.items, &[&self.id(key)?]);
            let etag = versions.and_then(|all| all.get(at)?.clone());
            Ok(Inner::new(Method::DELETE, self.graph.relative(&url), etag, None))
        };
        keys.iter().enumerate().map(delete).collect()
    }

    fn error(&self, code: Code, why: impl std::fmt::Display) -> Error {
        Error::new(code, ACTION, &self.list.shape.name).because(why)
    }

    fn check(&self, columns: &[String]) -> Result<()> {
        for name in columns {
            let (column, _) = self.list.column(name)?;
            let name = name.escape_debug();
            if column.is_computed {
                return Err(self.error(Code::Invalid, format!("SharePoint makes the values of {name} itself")));
            }
            if column.kind.is_none() {
                let why = format!("the column {name} has the type {}, which is not carried", column.data_type);
                return Err(self.error(Code::Unsupported, why));
            }
        }
        Ok(())
    }

    fn versions<'e>(&self, expect: &'e Expect) -> Result<Option<&'e Vec<Option<String>>>> {
        match expect {
            Expect::Any => Ok(None),
            Expect::Versions(versions) => Ok(Some(versions)),
            Expect::Content(_) => Err(self.error(Code::Unsupported, "items are compared by their versions")),
        }
    }

    fn id(&self, key: RowRef<'_>) -> std::result::Result<String, RowOutcome> {
        match key.datum(0) {
            Ok(Datum::Integer(id)) if id > 0 => Ok(id.to_string()),
            // No item has such an id.
            Ok(_) => Err(RowOutcome::Gone),
            Err(error) => Err(RowOutcome::Refused(error)),
        }
    }

    fn fields(&self, columns: &[String], row: RowRef<'_>) -> std::result::Result<Map<String, Value>, RowOutcome> {
        let mut fields = Map::new();
        for (at, name) in columns.iter().enumerate() {
            let (column, form) = self.list.column(name).map_err(RowOutcome::Refused)?;
            let value = row.datum(at).map_err(RowOutcome::Refused)?;
            let value = in_json(column, form, &value).map_err(|why| {
                RowOutcome::Refused(self.error(Code::Invalid, format!("{}: {why}", name.escape_debug())))
            })?;
            if let Some(annotation) = annotation(form) {
                fields.insert(format!("{name}@odata.type"), annotation.into());
            }
            fields.insert(name.clone(), value);
        }
        Ok(fields)
    }

    fn judge(&self, inner: &Inner, answer: std::result::Result<Answer, Error>, attempt: u32) -> Verdict<Said> {
        let outcome = |outcome| Verdict::Done(Said::Outcome(outcome));
        let answer = match answer {
            Ok(answer) => answer,
            // Whether it arrived is not known, or whether an earlier one was done; other errors are about what was never sent.
            Err(error) if error.code() == Code::Timeout || attempt > 0 => return outcome(RowOutcome::Unknown(error)),
            Err(error) => return outcome(RowOutcome::Refused(error)),
        };
        let Some(fault) = answer.fault() else { return outcome(self.written(inner, &answer)) };
        let error = fault.error(ACTION, &self.list.shape.name);
        if let Some(columns) = fault.duplicates() {
            return outcome(self.duplicate(inner, &columns, error));
        }
        let is_insert = inner.method == Method::POST;
        if fault.is_throttled() && !is_insert && attempt < ATTEMPTS {
            return Verdict::Again(fault.retry_after);
        }
        outcome(match fault.status {
            _ if fault.is_throttled() || fault.is_vague() => RowOutcome::Unknown(error),
            404 | 410 if !is_insert => RowOutcome::Gone,
            // It may be the version that an earlier attempt made.
            412 if attempt > 0 => RowOutcome::Unknown(error),
            412 => RowOutcome::Changed,
            409 | 423 if !is_insert => return Verdict::Done(Said::Modified(fault)),
            409 => RowOutcome::Unknown(error),
            // As above: of what was throttled before nobody can say that nothing was written.
            _ if attempt > 0 => RowOutcome::Unknown(error),
            _ => RowOutcome::Refused(error),
        })
    }

    fn written(&self, inner: &Inner, answer: &Answer) -> RowOutcome {
        let body = &answer.body;
        let shown = [body[VERSION].as_str(), body["eTag"].as_str(), answer.header("etag")];
        let version = shown.into_iter().flatten().next().map(str::to_owned);
        if inner.method != Method::POST {
            return RowOutcome::Written { key: None, version: version.filter(|_| inner.method == Method::PATCH) };
        }
        match body["id"].as_str().and_then(|id| id.parse().ok()) {
            Some(id) => RowOutcome::Written { key: Some(encode(&Datum::Integer(id))), version },
            None => RowOutcome::Unknown(self.error(Code::Storage, "the item was made, and its id is not told")),
        }
    }

    /// A value that another item has already: the marker says that this very row is there.
    fn duplicate(&self, inner: &Inner, columns: &[&str], error: Error) -> RowOutcome {
        let has_marker = inner.body.as_ref().is_some_and(|body| body["fields"].get(MARKER).is_some());
        let is_marker = columns.is_empty() || columns.contains(&MARKER);
        if inner.method == Method::POST && has_marker && is_marker {
            return RowOutcome::Exists;
        }
        RowOutcome::Refused(error)
    }

    /// Compares the item with the version that was expected, and sends the request again while they are the same.
    async fn look_again(&self, inner: &Inner, mut fault: Fault) -> RowOutcome {
        // Whether an attempt was throttled, which may have been done all the same.
        let mut is_vague = false;
        for look in 0..LOOKS {
            if let Some(expected) = &inner.etag {
                match self.version(inner).await {
                    Ok(Some(version)) if version == *expected => {}
                    Ok(Some(_)) if is_vague => {
                        return RowOutcome::Unknown(fault.error(ACTION, &self.list.shape.name));
                    }
                    Ok(Some(_)) => return RowOutcome::Changed,
                    Ok(None) => return RowOutcome::Gone,
                    Err(error) if is_vague => return RowOutcome::Unknown(error),
                    Err(error) => return RowOutcome::Refused(error),
                }
            }
            if look > 0 {
                self.graph.clock.sleep(self.graph.backoff(look - 1)).await;
            }
            let answer = match self.graph.once(&self.alone(inner)).await {
                Ok(answer) => Ok(answer),
                Err(Lost { error, was_sent: true }) => return RowOutcome::Unknown(error),
                Err(Lost { error, .. }) => Err(error),
            };
            match self.judge(inner, answer, u32::from(is_vague)) {
                Verdict::Done(Said::Outcome(outcome)) => return outcome,
                Verdict::Done(Said::Modified(again)) => fault = again,
                Verdict::Again(after) => {
                    is_vague = true;
                    self.graph.clock.sleep(after.unwrap_or_else(|| self.graph.backoff(look))).await;
                }
            }
        }
        let error = fault.error(ACTION, &self.list.shape.name);
        if is_vague { RowOutcome::Unknown(error) } else { RowOutcome::Refused(error) }
    }

    fn alone(&self, inner: &Inner) -> Ask {
        let subject = self.list.shape.name.to_string();
        let (method, body) = (inner.method.clone(), inner.body.clone());
        let etag = inner.etag.clone();
        Ask { action: ACTION, subject, method, url: self.graph.absolute(&inner.url), body, etag, units: cost::SEVERAL }
    }

    /// The version of the item that a request is about; nothing when it is gone.
    async fn version(&self, inner: &Inner) -> Result<Option<String>> {
        let url = inner.url.strip_suffix("/fields").unwrap_or(&inner.url);
        let url = with_query(self.graph.absolute(url), &[("$select", "id".to_owned())]);
        let ask = Graph::get(ACTION, &self.list.shape.name, url, cost::ONE);
        let answer = self.graph.ask(&ask).await?;
        if matches!(answer.status, 404 | 410) {
            return Ok(None);
        }
        let answer = answer.success(&ask)?;
        let version = answer.body[VERSION].as_str().or_else(|| answer.header("etag")).map(str::to_owned);
        version.map(Some).ok_or_else(|| self.error(Code::Storage, "the item came without its version"))
    }

    /// Says of the whole what is so of every row: that the list is gone, or nobody is let in.
    async fn settle(&self, outcomes: Vec<RowOutcome>) -> Result<Vec<RowOutcome>> {
        let is_gone = |outcome: &RowOutcome| matches!(outcome, RowOutcome::Gone);
        if !outcomes.is_empty() && outcomes.iter().all(is_gone) {
            let url = with_query(super::above(&self.items), &[("$select", "id".to_owned())]);
            let ask = Graph::get(ACTION, &self.list.shape.name, url, cost::ONE);
            self.graph.ask(&ask).await?.success(&ask)?;
        }
        let of_all = |outcome: &RowOutcome| match outcome {
            RowOutcome::Refused(error) => Some(error.code()).filter(|code| {
                matches!(
                    code,
                    Code::Auth | Code::Permission | Code::NotFound | Code::Offline | Code::Throttled | Code::Busy
                )
            }),
            _ => None,
        };
        match outcomes.first() {
            Some(RowOutcome::Refused(error))
                if outcomes.iter().all(|outcome| of_all(outcome) == Some(error.code())) =>
            {
                Err(error.clone())
            }
            _ => Ok(outcomes),
        }
    }
}
