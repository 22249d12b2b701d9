//! SharePoint lists as sides of definitions, against a server that behaves as Microsoft Graph does.

mod alive;
mod cut;
pub(crate) mod push;
mod reading;
pub(crate) mod routes;
mod torture;
pub(crate) mod two_way;

use std::collections::BTreeMap;
use std::sync::Arc;

use portbook::bridge::{Definition, RecordOptions, RecordPlace};
use portbook::endpoint::TableName;
use portbook::endpoint::sharepoint::SharepointOptions;
use portbook::model::{RecordMode, RecordPolicy};
use portbook::{Result, Session};

use crate::graph::{AppOptions, Budget, GraphOptions, GraphServer, HandClock, Seen};
use crate::world::{Person, World};

pub(crate) const SECRET: &str = "a-secret~of.the_app";

/// The table that most tests push.
pub(crate) const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(80), score REAL)";

/// A book, a database of SQLite, and a site.
pub(crate) struct ListWorld {
    pub(crate) world: World,
    pub(crate) server: GraphServer,
    pub(crate) clock: Arc<HandClock>,
}

impl ListWorld {
    pub(crate) fn new() -> Self {
        let world = World::bare();
        world.source().execute_batch(PEOPLE).unwrap();
        let clock = HandClock::at("2026-01-05T12:00:00Z");
        let server =
            GraphServer::start(GraphOptions { clock: clock.clone(), budget: plenty(), ..GraphOptions::default() });
        Self { world, server, clock }
    }

    pub(crate) fn options(&self) -> SharepointOptions {
        site_options(&self.server, &self.clock)
    }

    pub(crate) fn list(&self, title: &str) -> RecordPlace {
        RecordPlace::List { site: Box::new(self.options()), list: TableName::new("", title) }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.world.session
    }

    pub(crate) fn connect(&self, options: RecordOptions) -> Definition {
        self.try_connect(options).unwrap()
    }

    pub(crate) fn try_connect(&self, options: RecordOptions) -> Result<Definition> {
        let source = self.world.place("source.db", "people");
        portbook::wait(self.session().connect_records(source, self.list("People"), options))
    }

    /// Fills the source and makes the list.
    pub(crate) fn filled(rows: std::ops::Range<i64>, options: RecordOptions) -> (Self, Definition) {
        let world = Self::new();
        fill(&world.world, rows);
        let definition = world.connect(RecordOptions { create: true, ..options });
        (world, definition)
    }

    pub(crate) fn items(&self) -> Vec<Seen> {
        self.server.items("People")
    }

    /// What the list has, by the key of its items.
    pub(crate) fn people(&self) -> BTreeMap<i64, Person> {
        let mut people = BTreeMap::new();
        for item in self.items() {
            let Some(id) = item.fields.get("id2").and_then(number) else { continue };
            let name = item.fields.get("name").and_then(|name| name.as_str()).map(str::to_owned);
            let score = item.fields.get("score").and_then(serde_json::Value::as_f64);
            assert!(people.insert(id, (name, score, None)).is_none(), "two items have the key {id}");
        }
        people
    }

    /// The list has what the source has.
    pub(crate) fn is_filled(&self, when: &str) {
        let (there, wanted) = (self.people(), source(&self.world));
        let missing: Vec<_> = wanted.iter().filter(|(id, row)| there.get(id) != Some(row)).collect();
        let others: Vec<_> = there.iter().filter(|(id, row)| wanted.get(id) != Some(row)).collect();
        assert!(missing.is_empty() && others.is_empty(), "{when}: missing {missing:?}, instead {others:?}");
    }

    /// How many writes have had an effect on items, whoever made them.
    pub(crate) fn writes(&self) -> u64 {
        self.server.counters().writes.values().sum()
    }
}

fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_str().map_or_else(|| value.as_f64().map(|number| number as i64), |text| text.parse().ok())
}

/// What is tested is not how slowly it goes.
fn plenty() -> Budget {
    Budget { per_minute: 100_000_000, per_day: 1_000_000_000, ..Budget::default() }
}

pub(crate) fn site_options(server: &GraphServer, clock: &Arc<HandClock>) -> SharepointOptions {
    let (tenant, app) = (GraphOptions::default().tenant, AppOptions::default());
    let mut options = SharepointOptions::new(&tenant, &app.id, SECRET.into(), "contoso.sharepoint.com", "/sites/Team");
    options.authority = server.url();
    options.graph = format!("{}/v1.0", server.url());
    options.clock = clock.clone();
    (options.units_per_minute, options.units_per_day) = (plenty().per_minute, plenty().per_day);
    options
}

pub(crate) fn fill(world: &World, ids: std::ops::Range<i64>) {
    let source = world.source();
    let mut insert = source.prepare("INSERT INTO people VALUES (?1, ?2, ?3)").unwrap();
    for id in ids {
        insert.execute((id, format!("person {id}"), id as f64 / 4.0)).unwrap();
    }
}

/// What the source has.
pub(crate) fn source(world: &World) -> BTreeMap<i64, Person> {
    let database = world.source();
    let mut rows = database.prepare("SELECT id, name, score FROM people").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, None)));
    rows.query_map([], row).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

pub(crate) fn both_ways(policy: RecordPolicy) -> RecordOptions {
    RecordOptions { mode: RecordMode::TwoWay, policy, ..RecordOptions::default() }
}

/// Runs a statement on the book beside the engine.
pub(crate) fn in_book(world: &World, sql: &str) -> usize {
    rusqlite::Connection::open(world.path("book.db")).unwrap().execute(sql, []).unwrap()
}

pub(crate) fn asked_of_book<T: rusqlite::types::FromSql>(world: &World, sql: &str) -> T {
    rusqlite::Connection::open(world.path("book.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
