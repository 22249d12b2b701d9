//! Items as rows: whole lists page by page, and some by their keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use super::batch::{Inner, Verdict};
use super::budget::cost;
use super::describe::{Form, List};
use super::graph::{Answer, Ask, Graph};
use super::value::put;
use super::{ID, VERSION};
use crate::endpoint::{Page, Refused, RowStream};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};
use crate::model::Datum;

/// What stands for itself in a query.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'(').remove(b')').remove(b',');
/// Items of a page. More is taken by some lists and not by others; no document says how many.
const MOST: usize = 2000;
/// Below that a smaller page helps nobody.
const LEAST: usize = 50;
/// The longest filter, encoded: with the rest of an address it stays below 4 KiB, which every gateway takes.
const FILTER: usize = 2800;
/// How many columns of other lists and of persons a query has at most: the lookup column threshold.
const LOOKUPS: usize = 12;
pub(super) const ACTION: &str = "read the list";

/// Which values of items are read.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) list: Arc<List>,
    columns: Vec<(String, Form)>,
}

impl Reading {
    /// # Errors
    /// `invalid` for a column that is not there, `unsupported` for one that is not carried, or too many of those that refer
    /// to others.
    pub(super) fn of(list: Arc<List>, columns: &[String]) -> Result<Self> {
        let of_column = |name: &String| {
            crate::endpoint::sql::carried(&list.shape, name)?;
            Ok((name.clone(), list.column(name)?.1))
        };
        let columns: Vec<(String, Form)> = columns.iter().map(of_column).collect::<Result<_>>()?;
        if columns.iter().filter(|(_, form)| *form == Form::Lookup).count() > LOOKUPS {
            let why = format!("more than {LOOKUPS} of its columns refer to items or persons");
            return Err(Error::new(Code::Unsupported, ACTION, &list.shape.name).because(why).advise("leave some out"));
        }
        Ok(Self { list, columns })
    }

    fn named(&self) -> Vec<&str> {
        let in_fields = |(_, form): &&(String, Form)| !matches!(form, Form::Id | Form::Version);
        let mut seen = HashSet::new();
        self.columns.iter().filter(in_fields).map(|(name, _)| name.as_str()).filter(|name| seen.insert(*name)).collect()
    }

    /// The names as they are asked for, in order.
    pub(super) fn names(&self) -> String {
        self.named().join(",")
    }

    /// The options of a query for these values.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("$select", "id".to_owned())];
        if !self.named().is_empty() {
            query.push(("$expand", format!("fields($select={})", self.names())));
        }
        query
    }

    fn cell<'i>(item: &'i Value, name: &str, form: Form) -> Option<&'i Value> {
        match form {
            Form::Id => item.get("id"),
            Form::Version => {
                [item.get(VERSION), item.get("eTag"), item["fields"].get(VERSION)].into_iter().flatten().next()
            }
            _ => item["fields"].get(name),
        }
    }

    /// Whether the item has what was asked for.
    pub(super) fn is_whole(&self, item: &Value) -> bool {
        item["id"].is_string() && (self.named().is_empty() || item["fields"].is_object())
    }

    /// Adds the item to the rows, or to the refused if it holds what cannot be carried.
    pub(super) fn take(&self, item: &Value, rows: &mut RowBatch, refused: &mut Vec<Refused>) {
        for (name, form) in &self.columns {
            let fault = |why: String| {
                let subject =
                    format!("{} of {}", item["id"].as_str().unwrap_or("?").escape_debug(), self.list.shape.name);
                Error::new(Code::Invalid, "carry the item", subject).because(format!("{}: {why}", name.escape_debug()))
            };
            let cell = Self::cell(item, name, *form);
            if let Err(error) = rows.try_value(|encoder| put(encoder, *form, cell).map_err(fault)) {
                refused.push(Refused { known: self.known(item), error });
                return;
            }
        }
    }

    /// Those values of an item that can be carried, and its id.
    fn known(&self, item: &Value) -> Vec<(String, Datum)> {
        let value = |(name, form): (&str, Form)| {
            let mut encoder = Encoder::default();
            put(&mut encoder, form, Self::cell(item, name, form)).ok()?;
            Some((name.to_owned(), decode(encoder.as_bytes()).ok()?))
        };
        let columns = self.columns.iter().map(|(name, form)| (name.as_str(), *form));
        let id = (!self.columns.iter().any(|(_, form)| *form == Form::Id)).then_some((ID, Form::Id));
        columns.chain(id).filter_map(value).collect()
    }

    /// An empty page.
    pub(super) fn page(&self) -> Page {
        Page { rows: RowBatch::new(self.columns.len()), refused: Vec::new() }
    }
}

/// The address with these options.
pub(super) fn with_query(mut url: Url, query: &[(&str, String)]) -> Url {
    let option = |(key, value): &(&str, String)| format!("{key}={}", utf8_percent_encode(value, PLAIN));
    url.set_query(Some(&query.iter().map(option).collect::<Vec<_>>().join("&")));
    url
}

/// The same page in another size.
fn resized(url: &Url, top: usize) -> Url {
    let mut smaller = url.clone();
    let others = url.query_pairs().filter(|(key, _)| key != "$top");
    let mut query: Vec<String> =
        others.map(|(key, value)| format!("{key}={}", utf8_percent_encode(&value, PLAIN))).collect();
    query.push(format!("$top={top}"));
    smaller.set_query(Some(&query.join("&")));
    smaller
}

/// How many items a page is asked to have.
pub(super) fn page_size(rows: usize) -> usize {
    rows.clamp(1, MOST)
}

/// A list, page by page.
pub(super) struct Items {
    pub(super) graph: Arc<Graph>,
    pub(super) reading: Reading,
    /// Nothing when everything was given.
    pub(super) next: Option<Url>,
    pub(super) top: usize,
    pub(super) failed: Option<Error>,
}

impl Items {
    fn ask(&self, url: Url) -> Ask {
        Graph::get(ACTION, &self.reading.list.shape.name, url, cost::SEVERAL)
    }

    async fn page(&mut self, url: Url) -> Result<Page> {
        let mut ask = self.ask(url);
        let answer = loop {
            let answer = self.graph.ask(&ask).await?;
            match answer.fault() {
                // A page that is too large for the list, or takes too long.
                Some(fault) if (fault.status == 400 || fault.is_vague()) && self.top > LEAST => {
                    self.top = (self.top / 2).max(LEAST);
                    ask.url = resized(&ask.url, self.top);
                }
                _ => break answer.success(&ask)?,
            }
        };
        self.next = next_link(&self.graph, &ask, &answer)?;
        let odd = |why| Error::new(Code::Storage, ACTION, &ask.subject).because(why);
        let items = answer.body["value"].as_array().ok_or_else(|| odd("the answer has no items"))?;
        let mut page = self.reading.page();
        for item in items {
            if !self.reading.is_whole(item) {
                return Err(odd("an item came without its id or its fields"));
            }
            self.reading.take(item, &mut page.rows, &mut page.refused);
        }
        Ok(page)
    }
}

/// Where the next page is, if there is one.
///
/// # Errors
/// `storage` when it is on another server, or the page itself: that would have no end.
pub(super) fn next_link(graph: &Graph, ask: &Ask, answer: &Answer) -> Result<Option<Url>> {
    let Some(link) = answer.body["@odata.nextLink"].as_str() else { return Ok(None) };
    let next = graph.link(ask, link)?;
    if next == ask.url {
        return Err(Error::new(Code::Storage, ask.action, &ask.subject).because("a page is followed by itself"));
    }
    Ok(Some(next))
}

#[async_trait]
impl RowStream for Items {
    async fn next(&mut self) -> Result<Option<Page>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        // A page may be empty and yet be followed by another.
        while let Some(url) = self.next.take() {
            match self.page(url).await {
                Ok(page) if page.rows.is_empty() && page.refused.is_empty() => {}
                Ok(page) => return Ok(Some(page)),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(None)
    }
}

/// Items by their ids, each for itself: the id is no column that can be filtered by.
pub(super) async fn by_ids(graph: &Graph, items: &Url, reading: &Reading, keys: &RowBatch) -> Result<Page> {
    let mut inners = Vec::new();
    let mut seen = HashSet::new();
    for key in keys.iter() {
        // Whatever is no id is no item's.
        let Datum::Integer(id) = key.datum(0)? else { continue };
        if id > 0 && seen.insert(id) {
            let url = with_query(super::beneath(items, &[&id.to_string()]), &reading.query());
            inners.push(Inner::get(graph.relative(&url)));
        }
    }
    let subject = reading.list.shape.name.to_string();
    let judge = |_: usize, answer: std::result::Result<Answer, Error>, attempt: u32| {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_retryable() && attempt < 4 => return Verdict::Again(None),
            Err(error) => return Verdict::Done(Err(error)),
        };
        match answer.fault() {
            None => Verdict::Done(Ok(Some(answer.body))),
            Some(fault) if matches!(fault.status, 404 | 410) => Verdict::Done(Ok(None)),
            Some(fault) if (fault.is_throttled() || fault.is_vague()) && attempt < 6 => {
                Verdict::Again(fault.retry_after)
            }
            Some(fault) => Verdict::Done(Err(fault.error(ACTION, &subject))),
        }
    };
    let mut page = reading.page();
    for item in graph.batches(ACTION, &subject, &inners, judge).await {
        let Some(item) = item? else { continue };
        if !reading.is_whole(&item) {
            return Err(Error::new(Code::Storage, ACTION, &subject).because("an item came without its fields"));
        }
        reading.take(&item, &mut page.rows, &mut page.refused);
    }
    Ok(page)
}

/// Items by the value of a column that has an index, many in one request.
pub(super) async fn by_column(
    graph: &Arc<Graph>,
    items: &Url,
    reading: &Reading,
    column: &str,
    keys: &RowBatch,
) -> Result<Page> {
    let (shape, form) = reading.list.column(column)?;
    let name = shape.name.clone();
    let mut wanted: HashMap<Vec<u8>, String> = HashMap::new();
    for key in keys.iter() {
        let literal = match (form, key.datum(0)?) {
            (_, Datum::Null) => continue,
            (Form::Line | Form::Choice, Datum::Text(text)) => format!("'{}'", text.replace('\'', "''")),
            (Form::Lookup, Datum::Integer(id)) => id.to_string(),
            _ => {
                let why = format!("by the column {} no items can be found", name.escape_debug());
                return Err(Error::new(Code::Unsupported, ACTION, &reading.list.shape.name).because(why));
            }
        };
        wanted.insert(key.value(0).to_vec(), format!("fields/{name} eq {literal}"));
    }
    // The column itself is read as well, since SharePoint finds texts whatever their case.
    let mut both: Vec<String> = reading.columns.iter().map(|(name, _)| name.clone()).collect();
    both.push(name);
    let both = Reading::of(Arc::clone(&reading.list), &both)?;
    let mut page = reading.page();
    for filter in filters(wanted.values()) {
        let mut query = both.query();
        query.extend([("$filter", filter), ("$top", "200".to_owned())]);
        let url = with_query(items.clone(), &query);
        let mut found =
            Items { graph: Arc::clone(graph), reading: both.clone(), next: Some(url), top: LEAST, failed: None };
        while let Some(mut part) = found.next().await? {
            page.refused.append(&mut part.refused);
            for row in part.rows.iter().filter(|row| wanted.contains_key(row.value(row.columns() - 1))) {
                (0..row.columns() - 1).for_each(|at| page.rows.value(|encoder| encoder.raw(row.value(at))));
            }
        }
    }
    Ok(page)
}

/// Conditions joined, as many at a time as an address has room for.
fn filters<'c>(conditions: impl Iterator<Item = &'c String>) -> Vec<String> {
    let mut filters: Vec<String> = Vec::new();
    for condition in conditions {
        let length = |text: &str| utf8_percent_encode(text, PLAIN).map(str::len).sum::<usize>();
        match filters.last_mut() {
            Some(last) if length(last) + length(condition) + 10 <= FILTER => {
                last.push_str(" or ");
                last.push_str(condition);
            }
            _ => filters.push(condition.clone()),
        }
    }
    filters
}
