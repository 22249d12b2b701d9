//! What the server keeps: sites, lists, items, and the order of changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use uuid::Uuid;

use super::column::{self, Column};
use super::meter::Meter;
use super::options::{AppOptions, Budget, Rules, SiteOptions};
use super::token::Tokens;
use super::wire::{Asked, Refusal};

/// Values by internal name, as they are given back; a value that is empty has no member.
pub type Fields = BTreeMap<String, Value>;

pub struct World {
    pub rules: Rules,
    pub budget: Budget,
    pub apps: Vec<AppOptions>,
    pub tokens: Tokens,
    pub sites: Vec<Site>,
    pub lists: Vec<List>,
    /// The ids of those who may stand in a column of persons.
    pub people: BTreeSet<u64>,
    /// By application.
    pub meters: HashMap<String, Meter>,
    pub counters: Counters,
    ids: u64,
}

pub struct Site {
    pub options: SiteOptions,
    pub id: String,
}

pub struct List {
    pub id: String,
    /// By place among the sites.
    pub site: usize,
    /// The part of the URL, which stays when the title changes.
    pub name: String,
    pub title: String,
    pub description: String,
    pub created_ms: i64,
    pub modified_ms: i64,
    pub version: u64,
    pub columns: Vec<Column>,
    pub items: BTreeMap<u64, Item>,
    /// Item by number of its last change.
    pub changes: BTreeMap<u64, u64>,
    /// Number of the deletion by item.
    pub deleted: HashMap<u64, u64>,
    /// Items by value, of columns whose values are unique.
    pub unique: HashMap<String, HashMap<String, u64>>,
    /// Tokens of the change feed of another epoch are too old.
    pub feed_epoch: u64,
    /// Whether a change of its columns is being made.
    pub is_changing: bool,
    last_item: u64,
    last_change: u64,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub guid: Uuid,
    pub version: u64,
    pub created_ms: i64,
    pub modified_ms: i64,
    /// Ids of those who made it and changed it last.
    pub author: u64,
    pub editor: u64,
    pub fields: Fields,
    /// As it was before the last change.
    pub before: Option<Fields>,
    pub change: u64,
    /// It has been refused once for being fresh.
    pub was_refused: bool,
}

/// What tests count.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// All requests, those within batches each for itself and without the batch.
    pub requests: u64,
    pub batches: u64,
    pub tokens: u64,
    pub throttled: u64,
    /// Without a `User-Agent` that names a company and an application.
    pub undecorated: u64,
    pub by_status: BTreeMap<u16, u64>,
    /// Writes that took effect, by title of the list and item.
    pub writes: BTreeMap<(String, u64), u64>,
    /// Method and URL with status (0: the answer was lost), the last ten thousand in order.
    pub asked: std::collections::VecDeque<(String, u16)>,
}

/// The application itself among the persons of a site.
pub const APP: u64 = 1_073_741_822;

impl World {
    pub fn new(rules: Rules, budget: Budget, apps: Vec<AppOptions>, sites: Vec<SiteOptions>) -> Self {
        let mut world = Self {
            rules,
            budget,
            apps,
            tokens: Tokens::default(),
            sites: Vec::new(),
            lists: Vec::new(),
            people: (1..=20).collect(),
            meters: HashMap::new(),
            counters: Counters::default(),
            ids: 0,
        };
        for options in sites {
            let id = format!("{},{},{}", options.hostname, world.guid(), world.guid());
            world.sites.push(Site { options, id });
        }
        world
    }

    /// The same ids on every run.
    pub fn guid(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(u128::from(self.ids).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }

    pub fn site(&self, id: &str) -> Result<usize, Refusal> {
        self.sites.iter().position(|site| site.is(id)).ok_or_else(|| Refusal::absent("site"))
    }

    /// By id or title, on this site.
    pub fn list(&self, site: usize, name: &str) -> Result<usize, Refusal> {
        let is = |list: &List| list.site == site && (list.id.eq_ignore_ascii_case(name) || list.title == name);
        self.lists.iter().position(is).ok_or_else(|| Refusal::absent("list"))
    }

    /// The one with this title, wherever it is.
    pub fn titled(&self, title: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.title == title)
    }

    /// A list of the template `genericList` without columns of anybody's own.
    pub fn empty_list(&mut self, site: usize, title: &str, now_ms: i64) -> List {
        let columns = column::of_generic_list(|| self.guid().to_string());
        List {
            id: self.guid().to_string(),
            site,
            name: title.chars().filter(|c| c.is_alphanumeric()).collect(),
            title: title.to_owned(),
            description: String::new(),
            created_ms: now_ms,
            modified_ms: now_ms,
            version: 1,
            columns,
            items: BTreeMap::new(),
            changes: BTreeMap::new(),
            deleted: HashMap::new(),
            unique: HashMap::new(),
            feed_epoch: 0,
            is_changing: false,
            last_item: 0,
            last_change: 0,
        }
    }
}

impl Counters {
    pub fn note(&mut self, asked: &Asked, status: u16) {
        self.requests += 1;
        *self.by_status.entry(status).or_default() += 1;
        // "Decorate your HTTP traffic", as in ISV|Company|App/1.0.
        let is_decorated = |agent: &str| agent.split(' ').any(|word| word.split('|').count() == 3);
        self.undecorated += u64::from(!asked.header("user-agent").is_some_and(is_decorated));
        let query: Vec<String> = asked.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let line = format!("{} {}?{}", asked.method, asked.path, query.join("&"));
        self.asked.push_back((line.trim_end_matches('?').to_owned(), status));
        if self.asked.len() > 10_000 {
            self.asked.pop_front();
        }
    }
}

impl Site {
    /// By id, by host alone for the site at the root, or by host and path.
    fn is(&self, id: &str) -> bool {
        let SiteOptions { hostname, path, .. } = &self.options;
        let is_root = path == "/" || path.is_empty();
        match id.split_once(":/") {
            Some((host, rest)) => {
                host.eq_ignore_ascii_case(hostname)
                    && rest.trim_matches('/').eq_ignore_ascii_case(path.trim_matches('/'))
            }
            None => self.id.eq_ignore_ascii_case(id) || is_root && (id == "root" || id.eq_ignore_ascii_case(hostname)),
        }
    }

    pub fn url(&self) -> String {
        format!("https://{}{}", self.options.hostname, self.options.path.trim_end_matches('/'))
    }

    pub fn show(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.options.path.rsplit('/').next(),
            "displayName": self.options.title,
            "webUrl": self.url(),
            "createdDateTime": "2025-01-01T00:00:00Z",
            "lastModifiedDateTime": "2025-01-01T00:00:00Z",
            "siteCollection": { "hostname": self.options.hostname },
        })
    }
}

impl List {
    pub fn etag(&self) -> String {
        format!("\"{},{}\"", self.id, self.version)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn last_change(&self) -> u64 {
        self.last_change
    }

    pub fn next_item(&mut self) -> u64 {
        self.last_item += 1;
        self.last_item
    }

    /// Puts an item where the next look at the changes sees it.
    pub fn put(&mut self, id: u64, mut item: Item) {
        self.last_change += 1;
        item.change = self.last_change;
        if let Some(old) = self.items.get(&id) {
            self.changes.remove(&old.change);
        }
        self.changes.insert(self.last_change, id);
        self.modified_ms = item.modified_ms;
        self.items.insert(id, item);
    }

    /// Takes an item out, but not out of the unique values.
    pub fn remove(&mut self, id: u64) {
        let Some(item) = self.items.remove(&id) else { return };
        self.changes.remove(&item.change);
        self.last_change += 1;
        self.changes.insert(self.last_change, id);
        self.deleted.insert(id, self.last_change);
    }
}

impl Item {
    pub fn etag(&self) -> String {
        format!("\"{},{}\"", self.guid, self.version)
    }
}

/// As SharePoint writes times: UTC, whole seconds.
pub fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
