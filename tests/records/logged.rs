//! A definition that follows the log of MySQL or MariaDB.

use std::sync::Arc;

use portbook::bridge::{
    Definition, RecordCursor, RecordOptions, RecordPlace, RowApplyOptions, RowPreview, RowPreviewOptions,
};
use portbook::endpoint::TableName;
use portbook::model::{RunType, SyncRun};
use portbook::operation::RunReport;
use portbook::table::Filter;

use crate::fixture::Store;
use crate::world::{World, counted};

fn notes(world: &World) -> Vec<(i64, String)> {
    let target = world.target();
    let mut rows = target.prepare("SELECT id, body FROM notes ORDER BY id").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

async fn preview(definition: &Definition) -> RowPreview {
    definition.preview(RowPreviewOptions::default()).await.unwrap()
}

async fn sync(definition: &Definition) -> RunReport {
    definition.sync(RowPreviewOptions::default(), RowApplyOptions::default()).finish().await.unwrap()
}

pub(crate) async fn a_definition_follows_the_binary_log(source: Arc<Store>) {
    // The book blocks where it is opened.
    let world = tokio::task::spawn_blocking(World::bare).await.unwrap();
    world.target().execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)").unwrap();
    source.run("CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)").await;
    source.run(&format!("INSERT INTO notes SELECT i, concat('note ', i) FROM {}", source.numbers(500))).await;
    let from = RecordPlace::Host {
        name: "source".into(),
        endpoint: Arc::clone(&source.endpoint),
        table: TableName::new("", "notes"),
    };
    let options = RecordOptions { cursor: RecordCursor::Log, ..RecordOptions::default() };
    let definition = world.session.connect_records(from, world.place("target.db", "notes"), options).await.unwrap();
    assert_eq!(counted(&sync(&definition).await.counts)[..3], [500, 0, 0]);
    assert!(sync(&definition).await.counts.is_quiet());
    let runs = world.session.rows::<SyncRun>().list(Filter::all(), None, 100).await.unwrap().rows;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.row.run_type == RunType::Cdc));
    source
        .run(
            "UPDATE notes SET body = 'changed' WHERE id IN (7, 8); INSERT INTO notes VALUES (1000, 'new');
             DELETE FROM notes WHERE id = 9; UPDATE notes SET id = 2000 WHERE id = 10",
        )
        .await;
    let shown = preview(&definition).await;
    assert_eq!(counted(&shown.summary.counts)[..3], [2, 2, 2]);
    assert!(shown.source_rows < 10, "{} rows were read", shown.source_rows);
    assert_eq!(counted(&sync(&definition).await.counts)[..3], [2, 2, 2]);
    // A table that looks otherwise is read as a whole once, and nothing is taken for gone.
    source.run("ALTER TABLE notes ADD COLUMN extra INT FIRST; UPDATE notes SET body = 'after' WHERE id = 11").await;
    assert_eq!(counted(&sync(&definition).await.counts)[..3], [0, 1, 0]);
    source.run("DELETE FROM notes WHERE id = 12").await;
    let shown = preview(&definition).await;
    assert!(shown.source_rows < 10, "{} rows were read", shown.source_rows);
    assert_eq!(counted(&sync(&definition).await.counts)[..3], [0, 0, 1]);
    let (rows, _) = source.rows(&TableName::new("", "notes"), &["id", "body"]).await;
    let there = notes(&world);
    assert_eq!((rows.len(), there.len()), (499, 499));
    assert!(there.contains(&(11, "after".into())) && there.contains(&(2000, "note 10".into())));
    assert!(sync(&definition).await.counts.is_quiet());
    // The book is closed where it may block, too.
    tokio::task::spawn_blocking(move || drop((definition, world))).await.unwrap();
}

crate::fixture::on! { [mariadb, mysql] { logged::a_definition_follows_the_binary_log; } }
