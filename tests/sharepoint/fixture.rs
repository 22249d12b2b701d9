//! A site, its endpoint, and a list with a column of every kind.

use std::sync::Arc;

use portbook::endpoint::sharepoint::{ID, MARKER, SharepointEndpoint, SharepointOptions};
use portbook::endpoint::{
    ColumnShape, Endpoint as _, Expect, NewColumn, NewTable, Page, RowAction, RowOutcome, Scan, TableName, WriteBatch,
};
use portbook::identity::RowBatch;
use portbook::model::{Datum, DatumKind};

use crate::graph::{AppOptions, GraphOptions, GraphServer, HandClock};

pub const SECRET: &str = "a-secret~of.the_app";

pub struct Site {
    pub server: GraphServer,
    pub clock: Arc<HandClock>,
    pub endpoint: SharepointEndpoint,
}

impl Site {
    pub fn start() -> Self {
        Self::with(GraphOptions::default(), |_| {})
    }

    pub fn with(options: GraphOptions, adjust: impl FnOnce(&mut SharepointOptions)) -> Self {
        let clock = HandClock::at("2026-01-05T12:00:00Z");
        let server = GraphServer::start(GraphOptions { clock: clock.clone(), ..options });
        let mut options = options_of(&server, &clock);
        adjust(&mut options);
        Self { endpoint: SharepointEndpoint::new(options).unwrap(), server, clock }
    }

    /// Another endpoint of the same site.
    pub fn another(&self, adjust: impl FnOnce(&mut SharepointOptions)) -> SharepointEndpoint {
        let mut options = options_of(&self.server, &self.clock);
        adjust(&mut options);
        SharepointEndpoint::new(options).unwrap()
    }

    /// Makes the list `Stock` with a column of each kind.
    pub async fn stock(&self) -> TableName {
        self.endpoint.create(stock()).await.unwrap().name
    }

    /// Somebody makes that many items, with amounts from 0 on.
    pub fn fill(&self, count: u32) {
        for n in 0..count {
            self.server.add_item("Stock", &serde_json::json!({ "amount": n }));
        }
    }

    pub async fn write(&self, table: &TableName, action: RowAction) -> Vec<RowOutcome> {
        self.endpoint.write(batch(table, action)).await.unwrap()
    }

    /// Makes items with these markers and codes.
    pub async fn insert(&self, table: &TableName, numbers: std::ops::Range<u32>) -> Vec<RowOutcome> {
        self.write(table, inserts(numbers)).await
    }

    pub async fn rows(&self, table: &TableName, columns: &[&str]) -> (Vec<Vec<Datum>>, usize) {
        let mut stream = self.endpoint.scan(scan_of(table, columns, 1000)).await.unwrap();
        let (mut rows, mut refused) = (Vec::new(), 0);
        while let Some(page) = stream.next().await.unwrap() {
            rows.extend(data(&page));
            refused += page.refused.len();
        }
        (rows, refused)
    }
}

fn options_of(server: &GraphServer, clock: &Arc<HandClock>) -> SharepointOptions {
    let (tenant, app) = (GraphOptions::default().tenant, AppOptions::default());
    let mut options = SharepointOptions::new(&tenant, &app.id, SECRET.into(), "contoso.sharepoint.com", "/sites/Team");
    options.authority = server.url();
    options.graph = format!("{}/v1.0", server.url());
    options.clock = clock.clone();
    options
}

pub fn stock() -> NewTable {
    let mut colors = new_column("colors", DatumKind::Set);
    colors.like.traits.choices = vec!["red".into(), "green".into()];
    let mut code = new_column("code", DatumKind::Text);
    code.like.max_length = Some(20);
    (code.is_indexed, code.is_unique) = (true, true);
    let columns = vec![
        code,
        new_column("note", DatumKind::Text),
        new_column("amount", DatumKind::Float),
        new_column("is_sold", DatumKind::Boolean),
        new_column("sold_at", DatumKind::Instant),
        new_column("due", DatumKind::Date),
        colors,
        new_column("big", DatumKind::Integer),
    ];
    let (description, key) = ("What there is".to_owned(), vec![ID.to_owned()]);
    NewTable { name: TableName::new("", "Stock"), description, columns, key }
}

pub fn new_column(name: &str, kind: DatumKind) -> NewColumn {
    let like = ColumnShape {
        name: name.into(),
        data_type: String::new(),
        kind: Some(kind),
        member: (kind == DatumKind::Set).then_some(DatumKind::Text),
        is_nullable: true,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        collation: Default::default(),
        traits: Default::default(),
    };
    let (display_name, name) = (format!("The {name}"), name.to_owned());
    NewColumn { name, display_name, like, is_indexed: false, is_unique: false, is_hidden: false }
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub fn scan_of(table: &TableName, columns: &[&str], page_rows: usize) -> Scan {
    Scan { table: table.clone(), columns: names(columns), page_rows, parallel: 1 }
}

pub fn data(page: &Page) -> Vec<Vec<Datum>> {
    page.rows.iter().map(|row| row.data().unwrap()).collect()
}

pub fn batch(table: &TableName, action: RowAction) -> WriteBatch {
    WriteBatch { table: table.clone(), key: names(&[ID]), action }
}

pub fn insert_of(columns: &[&str], rows: &[Vec<Datum>]) -> RowAction {
    RowAction::Insert { columns: names(columns), rows: RowBatch::of(columns.len(), rows).unwrap() }
}

pub fn inserts(numbers: std::ops::Range<u32>) -> RowAction {
    let rows: Vec<_> = numbers.map(|n| vec![text(&marker(n)), text(&format!("c{n}"))]).collect();
    insert_of(&[MARKER, "code"], &rows)
}

pub fn update(ids: &[i128], column: &str, values: &[Datum], expect: Expect) -> RowAction {
    let rows: Vec<_> = values.iter().map(|value| vec![value.clone()]).collect();
    RowAction::Update { keys: keys(ids), columns: names(&[column]), rows: RowBatch::of(1, &rows).unwrap(), expect }
}

pub fn keys(ids: &[i128]) -> RowBatch {
    RowBatch::of(1, &ids.iter().map(|id| vec![Datum::Integer(*id)]).collect::<Vec<_>>()).unwrap()
}

pub fn markers(numbers: std::ops::Range<u32>) -> RowBatch {
    RowBatch::of(1, &numbers.map(|n| vec![text(&marker(n))]).collect::<Vec<_>>()).unwrap()
}

pub fn marker(number: u32) -> String {
    format!("{number:064x}")
}

pub fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

/// What became of rows, in a word each.
pub fn words(outcomes: &[RowOutcome]) -> Vec<&'static str> {
    let word = |outcome: &RowOutcome| match outcome {
        RowOutcome::Written { .. } => "written",
        RowOutcome::Exists => "exists",
        RowOutcome::Gone => "gone",
        RowOutcome::Changed => "changed",
        RowOutcome::Refused(_) => "refused",
        RowOutcome::Unknown(_) => "unknown",
    };
    outcomes.iter().map(word).collect()
}

/// The versions of rows that were written.
pub fn versions(outcomes: &[RowOutcome]) -> Vec<Option<String>> {
    let version = |outcome: &RowOutcome| match outcome {
        RowOutcome::Written { version, .. } => version.clone(),
        other => panic!("{other:?}"),
    };
    outcomes.iter().map(version).collect()
}
