//! Lists of a SharePoint site as tables, by Microsoft Graph v1.0.
//!
//! The key of an item is its [`ID`], which SharePoint gives; whether a row was made already is told by its marker in the
//! column [`MARKER`]. The version of an item is its eTag ([`VERSION`]).
//!
//! What always holds: what makes an item is never sent twice; every request is paid for before it is sent ([`UnitShare`]);
//! our token goes to the server that was named and to no other.

mod batch;
mod budget;
mod changes;
mod create;
mod credential;
mod describe;
mod fault;
mod graph;
mod items;
mod options;
mod token;
mod value;
pub(crate) mod window;
mod write;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use self::budget::{ProcessShare, Purse, cost};
pub use self::budget::{UnitAccount, UnitBudget, UnitShare};
use self::changes::{Changes, Everything};
use self::create::Definition;
use self::credential::Credential;
use self::describe::List;
use self::graph::Graph;
use self::items::{Items, Reading, page_size, with_query};
pub use self::options::SharepointOptions;
use self::token::Tokens;
pub use super::MARKER;
use super::{
    Allowance, Capabilities, ChangeScan, ChangeSource, ChangeStream, Endpoint, NewTable, Page, Probe, RowOutcome,
    RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, TableType, Tick};
use crate::provider::web;

/// The column with the key of an item.
pub const ID: &str = "ID";
/// The column with the version of an item.
pub const VERSION: &str = "@odata.etag";

/// What is asked of a list besides its columns.
const SHOWN: &str = "id,displayName,description,lastModifiedDateTime,list";

/// For how long writes go by the columns of a list as they were last seen.
const KNOWN: Duration = Duration::from_secs(300);
/// How often making a list is tried.
const MAKES: u32 = 4;
/// How many rows one write is best called with: some batches, several of them on their way at once.
const WRITE_ROWS: usize = 400;

/// A site in the words of the service.
pub(crate) struct Whereabouts {
    /// Its id.
    pub(crate) id: String,
    /// Where a browser finds it.
    pub(crate) web_url: Option<String>,
}

/// Lists of a SharePoint site.
pub struct SharepointEndpoint {
    graph: Arc<Graph>,
    options: SharepointOptions,
    /// Its id, once it was asked for.
    site: OnceCell<String>,
    lists: Mutex<HashMap<TableName, (Arc<List>, Duration)>>,
}

/// The address of what is beneath another.
fn beneath(url: &Url, parts: &[&str]) -> Url {
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend(parts);
    }
    url
}

/// The address of what another is beneath.
fn above(url: &Url) -> Url {
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop();
    }
    url
}

impl SharepointEndpoint {
    /// The endpoint of a site. Nothing is asked yet.
    ///
    /// # Errors
    /// `invalid` when the options do not say enough.
    pub fn new(options: SharepointOptions) -> Result<Self> {
        let (token, base) = options.addresses()?;
        let http = web::client(&options.trust)?;
        let agent = HeaderValue::from_str(&options.user_agent).map_err(|_| {
            Error::new(Code::Invalid, "open a site of SharePoint", "").because("the user agent is none")
        })?;
        let share = options
            .share
            .clone()
            .unwrap_or_else(|| ProcessShare::of(options.account(), options.budget(), &options.clock));
        let tokens = Tokens {
            http: http.clone(),
            url: token.into(),
            client_id: options.client_id.clone(),
            credential: Credential::new(&options.client_secret)?,
            scope: options.scope.clone(),
            clock: Arc::clone(&options.clock),
            current: tokio::sync::Mutex::default(),
        };
        let (clock, batch) = (Arc::clone(&options.clock), AtomicUsize::new(batch::MOST));
        let purse = Purse::new(share, Arc::clone(&clock));
        let graph = Arc::new(Graph { http, base, agent, tokens, purse, clock, batch });
        Ok(Self { graph, options, site: OnceCell::new(), lists: Mutex::default() })
    }

    /// The address of the site: by its path, or of the one at the root.
    fn site_url(&self) -> Url {
        let path = self.options.site_path.trim_matches('/');
        let host = &self.options.hostname;
        if path.is_empty() {
            return self.graph.url(&["sites", host]);
        }
        let host = format!("{host}:");
        let parts: Vec<&str> = ["sites", host.as_str()].into_iter().chain(path.split('/')).collect();
        self.graph.url(&parts)
    }

    /// What the service calls the site.
    pub(crate) async fn whereabouts(&self) -> Result<Whereabouts> {
        Ok(self.look_up().await?.0)
    }

    async fn look_up(&self) -> Result<(Whereabouts, Probe)> {
        let subject = format!("{}{}", self.options.hostname, self.options.site_path);
        let ask = Graph::get("find the site", subject.escape_debug(), self.site_url(), cost::ONE);
        let answer = self.graph.ask(&ask).await?.success(&ask)?;
        let odd = |why| Error::new(Code::Storage, ask.action, &ask.subject).because(why);
        let id = answer.body["id"].as_str().ok_or_else(|| odd("the answer is not about a site"))?.to_owned();
        let date = answer.date().ok_or_else(|| odd("the answer has no date"))?;
        let seconds = date.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let clock = Tick { seconds: i64::try_from(seconds).unwrap_or(0), nanos: 0 };
        let title = answer.body["displayName"].as_str().unwrap_or_default().escape_debug().to_string();
        let web_url = answer.body["webUrl"].as_str().map(str::to_owned);
        Ok((Whereabouts { id, web_url }, Probe { product: format!("SharePoint by Microsoft Graph: {title}"), clock }))
    }

    async fn site(&self) -> Result<&str> {
        let id = self.site.get_or_try_init(async || Ok(self.look_up().await?.0.id)).await?;
        Ok(id)
    }

    /// The list as it is now.
    async fn list(&self, table: &TableName) -> Result<Arc<List>> {
        let body = self.list_body(table, &table.name).await?;
        let list = Arc::new(List::read(table.clone(), &body, self.options.zone)?);
        self.lists().insert(table.clone(), (Arc::clone(&list), self.graph.clock.elapsed()));
        Ok(list)
    }

    /// The list as it was when it was last seen, not long ago.
    async fn known(&self, table: &TableName) -> Result<Arc<List>> {
        let now = self.graph.clock.elapsed();
        let known =
            self.lists().get(table).filter(|(_, seen)| now.saturating_sub(*seen) < KNOWN).map(|(list, _)| list.clone());
        match known {
            Some(list) => Ok(list),
            None => self.list(table).await,
        }
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, HashMap<TableName, (Arc<List>, Duration)>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list by its title or id, with its columns.
    async fn list_body(&self, table: &TableName, name: &str) -> Result<Value> {
        if !table.schema.is_empty() || name.is_empty() {
            let absent = Error::new(Code::NotFound, "find the list", table);
            return Err(absent.because("lists have a title and no schema"));
        }
        let url = self.graph.url(&["sites", self.site().await?, "lists", name]);
        let url = with_query(url, &[("$select", SHOWN.to_owned()), ("$expand", "columns".to_owned())]);
        let ask = Graph::get("find the list", table, url, cost::ONE);
        Ok(self.graph.ask(&ask).await?.success(&ask)?.body)
    }

    /// Makes a list. Where nobody knows whether it was made it is looked for, and is this one if it has the very columns; one
    /// that is not there is asked for again, as there are no two of one title.
    async fn made(&self, table: &NewTable, definitions: &[Definition]) -> Result<(String, Value)> {
        let mut unclear: Option<Error> = None;
        for attempt in 1.. {
            let error = match create::list(&self.graph, self.site().await?, table, definitions).await {
                Ok(id) => {
                    let body = self.list_body(&table.name, &id).await?;
                    return Ok((id, body));
                }
                Err(error) if error.is_retryable() || (unclear.is_some() && error.code() == Code::Conflict) => error,
                Err(error) => return Err(error),
            };
            match self.list_body(&table.name, &table.name.name).await {
                Ok(body) => {
                    let id = body["id"].as_str().filter(|_| create::has_all(&body["columns"], definitions));
                    return Ok((id.ok_or(error)?.to_owned(), body));
                }
                Err(absent) if absent.code() == Code::NotFound && attempt < MAKES => unclear = Some(error),
                Err(_) => return Err(error),
            }
            self.graph.clock.sleep(self.graph.backoff(attempt)).await;
        }
        Err(unclear.unwrap_or_else(|| Error::new(Code::Internal, "make the list", &table.name)))
    }

    async fn items_url(&self, list: &List) -> Result<Url> {
        Ok(self.graph.url(&["sites", self.site().await?, "lists", &list.id, "items"]))
    }

    async fn items(&self, list: Arc<List>, columns: &[String], rows: usize) -> Result<Items> {
        let url = self.items_url(&list).await?;
        let reading = Reading::of(list, columns)?;
        let top = page_size(rows);
        let mut query = reading.query();
        query.push(("$top", top.to_string()));
        let next = Some(with_query(url, &query));
        Ok(Items { graph: Arc::clone(&self.graph), reading, next, top, failed: None })
    }
}

#[async_trait]
impl Endpoint for SharepointEndpoint {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write_rows: WRITE_ROWS,
            snapshot_scans: 1,
            version_column: Some(VERSION),
            assigns_keys: true,
            cursors: vec![CursorType::DeltaLink],
            creates_tables: true,
            writes: true,
        }
    }

    async fn probe(&self) -> Result<Probe> {
        Ok(self.look_up().await?.1)
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        let url = self.graph.url(&["sites", self.site().await?, "lists"]);
        // Without `system` among these, lists of the system are not listed.
        let mut next = Some(with_query(url, &[("$select", "id,displayName,list".to_owned())]));
        let mut tables = Vec::new();
        while let Some(url) = next {
            let ask = Graph::get("list the lists of", self.options.hostname.escape_debug(), url, cost::SEVERAL);
            let answer = self.graph.ask(&ask).await?.success(&ask)?;
            let odd = || Error::new(Code::Storage, ask.action, &ask.subject).because("the answer has no lists");
            let lists = answer.body["value"].as_array().ok_or_else(odd)?;
            // Documents are files: their items are not made and changed as those of lists are.
            let is_table = |list: &&Value| {
                list["list"]["hidden"] != true
                    && list["list"]["template"] != "documentLibrary"
                    && list.get("system").is_none()
            };
            let names = lists.iter().filter(is_table).filter_map(|list| list["displayName"].as_str());
            tables.extend(names.map(|name| TableEntry {
                name: TableName::new("", name),
                table_type: TableType::Base,
                row_estimate: None,
            }));
            next = items::next_link(&self.graph, &ask, &answer)?;
        }
        Ok(tables)
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        Ok(self.list(table).await?.shape.clone())
    }

    async fn identity(&self, table: &TableName) -> Result<Option<String>> {
        Ok(Some(self.known(table).await?.id.clone()))
    }

    async fn prepare(&self, table: &TableName) -> Result<TableShape> {
        let body = self.list_body(table, &table.name).await?;
        let id = body["id"].as_str().unwrap_or_default();
        create::mark(&self.graph, self.site().await?, id, table, &body["columns"]).await?;
        self.describe(table).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let list = self.list(table).await?;
        let mut items = self.items(list, &[ID.to_owned()], usize::MAX).await?;
        let mut count = 0;
        while let Some(page) = items.next().await? {
            count += (page.rows.len() + page.refused.len()) as u64;
        }
        Ok(count)
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        let list = self.list(&scan.table).await?;
        Ok(Box::new(self.items(list, &scan.columns, scan.page_rows).await?))
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        let list = self.known(table).await?;
        let url = self.items_url(&list).await?;
        let reading = Reading::of(list, columns)?;
        match key {
            [id] if id == ID => items::by_ids(&self.graph, &url, &reading, keys).await,
            [column] => items::by_column(&self.graph, &url, &reading, column, keys).await,
            _ => {
                Err(Error::new(Code::Unsupported, items::ACTION, table).because("a list has no key of several columns"))
            }
        }
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        let unsupported = |why| Err(Error::new(Code::Unsupported, "read the changes of", &scan.table).because(why));
        if scan.by != ChangeSource::Feed {
            return unsupported("SharePoint tells changes by its feed alone");
        }
        if scan.key != [ID] {
            return unsupported("of items that are gone only the ID is told");
        }
        if scan.since.as_ref().is_some_and(|since| since.cursor_type != CursorType::DeltaLink) {
            return unsupported("the cursor is of another kind");
        }
        let list = self.list(&scan.table).await?;
        let url = self.items_url(&list).await?;
        let reading = Reading::of(Arc::clone(&list), &scan.columns)?;
        if let Some(since) = &scan.since {
            return Ok(Box::new(Changes::new(Arc::clone(&self.graph), reading, &scan.table, since)?));
        }
        // What changes while everything is read comes once more by the cursor, which is taken before.
        let cursor = changes::latest(&self.graph, &reading, &url).await?;
        let items = self.items(list, &scan.columns, scan.page_rows).await?;
        Ok(Box::new(Everything::new(items, cursor)))
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        let list = self.known(&batch.table).await?;
        let url = self.items_url(&list).await?;
        let written = write::write(&self.graph, &list, url, &batch).await;
        if written.is_err() {
            // It may have become another list of that name, or one of other columns.
            self.lists().remove(&batch.table);
        }
        written
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        let definitions = create::definitions(&table)?;
        let site = self.site().await?;
        let (id, mut body) = self.made(&table, &definitions).await?;
        let columns = body["columns"].as_array().cloned().unwrap_or_default();
        if !create::complete(&self.graph, site, &id, &table.name, &definitions, &columns).await? {
            body = self.list_body(&table.name, &id).await?;
        }
        let mut shape = List::read(table.name.clone(), &body, self.options.zone)?.shape;
        // What was asked for comes first, in that order, whatever its names have become.
        let place = |column: &super::ColumnShape| definitions.iter().position(|made| made.name == column.name);
        shape.columns.sort_by_key(|column| place(column).unwrap_or(usize::MAX));
        self.lists().remove(&table.name);
        Ok(shape)
    }

    async fn allowance(&self) -> Option<Allowance> {
        self.graph.purse.allowance().await
    }

    async fn shutdown(&self) {
        // Connections end with the client; what is known is of no use any more.
        self.lists().clear();
    }
}
