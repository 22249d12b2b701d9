//! Records at the border: definitions between tables that only a host knows, and databases.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod decisions;
mod hostile;
mod memory;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use memory::{Memory, Row, World, code, column, order, orders, row};
use portbook_ffi::records::{
    Access, ChangeKind, DatumKind, ErrorCode, HostColumn, HostRecordOptions, HostTable, ReconcileStatus, RecordCursor,
    RecordMode, RecordOptions, RecordPlace, RowAction, RowApplyOptions, RowPreviewOptions, RunReport, TableType,
};
use portbook_ffi::{Definition, wait};
use serde_json::json;

fn sync(definition: &Definition) -> RunReport {
    let run = definition.sync(RowPreviewOptions::default(), RowApplyOptions::default()).unwrap();
    wait(run.finish()).unwrap()
}

fn two_way() -> RecordOptions {
    RecordOptions { mode: Some(RecordMode::TwoWay), ..RecordOptions::default() }
}

#[test]
fn rows_that_only_a_host_knows_are_previewed_and_applied() {
    let mut world = World::new();
    let source = Memory::new(orders(), (0..2500).map(|id| order(id, "new")));
    let target = Memory::new(orders(), []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let connect = world.session.connect_records(from.clone(), to.clone(), RecordOptions::default());
    let definition = wait(connect).unwrap();

    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!((preview.summary.counts.new, preview.source_rows, preview.blind.clone()), (2500, 2500, None));
    let id = preview.summary.id.clone();
    assert_eq!(wait(definition.stored_preview(id.clone())).unwrap(), preview);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = wait(definition.changes(id.clone(), Some(ChangeKind::New), after, 5000)).unwrap();
        assert!(page.rows.len() <= 1000);
        seen.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2500);
    assert!(seen.iter().all(|row| row.ticked && row.action == RowAction::Insert && row.kind == ChangeKind::New));
    wait(definition.tick(id.clone(), vec![seen[7].id.clone()], false)).unwrap();

    let report = wait(definition.apply(id.clone(), RowApplyOptions::default()).unwrap().finish()).unwrap();
    assert_eq!((report.counts.new, report.counts.failed), (2499, 0));
    assert_eq!(target.rows().len(), 2499);
    let again = wait(definition.apply(id, RowApplyOptions::default()).unwrap().finish());
    assert_eq!(code(again), ErrorCode::Invalid);

    assert_eq!(sync(&definition).counts.new, 1);
    source.put(order(3, "paid"));
    source.take(&order(4, ""));
    let report = sync(&definition);
    assert_eq!((report.counts.updated, report.counts.deleted, report.counts.failed), (1, 1, 0));
    assert_eq!(target.rows(), source.rows());
    let writes = target.asked("insert") + target.asked("update") + target.asked("delete");
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.updated, report.counts.unchanged), (0, 0, 2499));
    assert_eq!(target.asked("insert") + target.asked("update") + target.asked("delete"), writes, "nothing is written");

    let verified = wait(definition.verify()).unwrap();
    assert_eq!((verified.status, verified.source_rows), (ReconcileStatus::Match, 2499));
    target.put(order(9, "changed"));
    let verified = wait(definition.verify()).unwrap();
    assert_eq!((verified.status, verified.differences[0].row.as_str()), (ReconcileStatus::Mismatch, "9"));
    assert_eq!(wait(world.session.records(from, to)).unwrap().id(), definition.id());
    wait(world.book.shutdown()).unwrap();
    assert_eq!(code(definition.id()), ErrorCode::Invalid);
}

/// A column of every kind that a host can have.
fn every_kind() -> HostTable {
    let many = |name: &str, kind| HostColumn { member: Some(DatumKind::Text), ..column(name, kind) };
    HostTable {
        columns: vec![
            column("id", DatumKind::Integer),
            column("flag", DatumKind::Boolean),
            column("large", DatumKind::Integer),
            column("price", DatumKind::Decimal),
            column("ratio", DatumKind::Float),
            column("name", DatumKind::Text),
            column("bytes", DatumKind::Bytes),
            column("uuid", DatumKind::Uuid),
            column("day", DatumKind::Date),
            column("clock", DatumKind::Time),
            column("wall", DatumKind::Timestamp),
            column("at", DatumKind::Instant),
            column("document", DatumKind::Json),
            many("list", DatumKind::List),
            many("set", DatumKind::Set),
        ],
        key: Some(vec!["id".into()]),
        row_estimate: Some(2),
    }
}

fn torture() -> Vec<Row> {
    let nothing = every_kind().columns.iter().map(|column| (column.name.clone(), json!(null))).collect();
    let mut nothing: Row = nothing;
    nothing.insert("id".into(), json!(1));
    vec![
        nothing,
        row(json!({
            "id": 2, "flag": true, "large": "9223372036854775808", "price": "12345678901234567890.5", "ratio": 0.1,
            "name": "ö 日本 \"\\\u{0}", "bytes": "AP8=", "uuid": "6f2a4b1c-0d3e-4f50-8a61-7b8c9dae0f12", "day": "2024-02-29",
            "clock": "23:59:59.123456789", "wall": "2026-10-25T02:30:00", "at": "2026-10-25T00:30:00.5Z",
            "document": {"a": [1, null, "x"], "b": 0.5}, "list": ["b", "a", null], "set": ["a", "b"],
        })),
        row(json!({
            "id": 3, "flag": false, "large": -9007199254740991_i64, "price": "-0.001", "ratio": "NaN", "name": "", "bytes": "",
            "uuid": "00000000-0000-0000-0000-000000000000", "day": "0001-01-01", "clock": "00:00:00",
            "wall": "1969-12-31T23:59:59.999999999", "at": "9999-12-31T23:59:59Z", "document": [], "list": [], "set": [],
        })),
    ]
}

#[test]
fn every_kind_of_value_crosses_as_it_is() {
    let mut world = World::new();
    let (source, target) = (Memory::new(every_kind(), torture()), Memory::new(every_kind(), []));
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, two_way())).unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.failures), (3, vec![]));
    assert_eq!(target.rows(), source.rows());
    assert_eq!(sync(&definition).counts.unchanged, 3);
    // And back: each value of the target is one that the source takes.
    let mut changed = target.rows()[1].clone();
    changed.insert("name".into(), json!("back"));
    target.put(changed);
    assert_eq!(sync(&definition).counts.updated, 1);
    assert_eq!(source.rows(), target.rows());
    assert_eq!(wait(definition.verify()).unwrap().status, ReconcileStatus::Match);
}

#[test]
fn a_table_of_a_database_is_the_other_side() {
    let mut world = World::new();
    let file = world.dir.path().join("shop.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").unwrap();
    drop(connection);
    let database = format!("sqlite://{}/", file.display());
    let table = RecordPlace::Table { url: format!("{database}orders"), access: None };
    let tables = wait(world.session.inspect_database(database.clone(), Access::default())).unwrap();
    assert_eq!((tables.len(), tables[0].name.as_str(), tables[0].table_type), (1, "orders", TableType::Base));
    let shape = wait(world.session.inspect_table(table.clone())).unwrap();
    assert_eq!((shape.primary_key.clone(), shape.columns[1].kind), (vec!["id".to_owned()], Some(DatumKind::Text)));
    let named = wait(world.session.inspect_database(format!("{database}orders"), Access::default()));
    assert_eq!(code(named), ErrorCode::Invalid);

    let source = Memory::new(orders(), (0..5).map(|id| order(id, "new")));
    let from = world.plainly("shop", &source);
    let shape = wait(world.session.inspect_table(from.clone())).unwrap();
    assert_eq!((shape.columns.len(), shape.primary_key), (2, vec!["id".to_owned()]));
    let definition = wait(world.session.connect_records(from, table.clone(), RecordOptions::default())).unwrap();
    assert_eq!(sync(&definition).counts.new, 5);
    // The host's table is only there while the host brings it.
    let known = wait(world.session.definition(definition.id().unwrap())).unwrap();
    assert_eq!(code(wait(known.preview(RowPreviewOptions::default()))), ErrorCode::Unsupported);
    assert_eq!(code(wait(world.session.definition("x".into()))), ErrorCode::Invalid);
    let back = Memory::new(orders(), []);
    let to = world.plainly("back", &back);
    let definition = wait(world.session.connect_records(table, to, RecordOptions::default())).unwrap();
    assert_eq!(sync(&definition).counts.new, 5);
    assert_eq!(back.rows(), source.rows());
}

#[test]
fn a_host_that_cannot_look_rows_up_is_read_instead() {
    let mut world = World::new();
    let mut source = Memory::of(orders(), (0..300).map(|id| order(id, "new")));
    source.page = 7;
    let source = Arc::new(source);
    source.turn(|request| {
        matches!(request, portbook_ffi::records::RecordRequest::Fetch { .. })
            .then_some(Err(memory::Failure::With("it cannot", Some(ErrorCode::Unsupported))))
    });
    let target = Memory::new(orders(), []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
    assert_eq!(sync(&definition).counts.new, 300);
    source.put(order(5, "paid"));
    assert_eq!(sync(&definition).counts.updated, 1);
    assert_eq!(target.rows(), source.rows());
    assert_eq!(source.asked("fetch"), 1, "it is asked once");
}

#[test]
fn what_a_host_tells_has_changed_is_all_that_is_read() {
    let mut world = World::new();
    let source = Memory::new(orders(), (0..50).map(|id| order(id, "new")));
    let target = Memory::new(orders(), []);
    let from =
        world.serve("shop", &source, HostRecordOptions { has_changes: Some(true), ..HostRecordOptions::default() });
    let to = world.plainly("copy", &target);
    let by_log = || RecordOptions { cursor: Some(RecordCursor::Log {}), ..RecordOptions::default() };
    let definition = wait(world.session.connect_records(from, to.clone(), by_log())).unwrap();
    assert_eq!(sync(&definition).counts.new, 50);
    source.put(order(3, "paid"));
    source.take(&order(4, ""));
    let scans = source.asked("scan");
    let report = sync(&definition);
    assert_eq!((report.counts.updated, report.counts.deleted, report.counts.new), (1, 1, 0));
    assert_eq!(source.asked("scan"), scans, "no row is read that has not changed");
    assert_eq!(target.rows(), source.rows());
    // A host that has forgotten is read as a whole.
    source.turn(|request| match request {
        portbook_ffi::records::RecordRequest::Changes { since: Some(_), .. } => {
            Some(Err(memory::Failure::With("it is too long ago", Some(ErrorCode::Stale))))
        }
        _ => None,
    });
    source.put(order(60, "late"));
    assert_eq!(sync(&definition).counts.new, 1);
    // Who does not say that it tells is not asked.
    let other = Memory::new(orders(), []);
    let from = world.plainly("quiet", &other);
    let definition = wait(world.session.connect_records(from, to, by_log())).unwrap();
    assert_eq!(code(wait(definition.preview(RowPreviewOptions::default()))), ErrorCode::Unsupported);
}

/// Two ways, a row is only written if it is still what was compared.
fn is_guarded(versions: bool) {
    let mut world = World::new();
    let mut sides = ["shop", "copy"].map(|key| {
        let mut memory = Memory::of(orders(), []);
        memory.versions = versions.then(|| AtomicU64::new(1));
        let memory = Arc::new(memory);
        let options = HostRecordOptions { has_versions: Some(versions), ..HostRecordOptions::default() };
        (world.serve(key, &memory, options), memory)
    });
    let [(from, source), (to, target)] = &mut sides;
    (1..4).for_each(|id| source.put(order(id, "new")));
    let definition = wait(world.session.connect_records(from.clone(), to.clone(), two_way())).unwrap();
    assert_eq!(sync(&definition).counts.new, 3);
    for (here, there, meanwhile) in [(&source, &target, "at the target"), (&target, &source, "at the source")] {
        here.put(order(2, "changed here"));
        let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
        assert_eq!(preview.summary.counts.updated, 1);
        there.put(order(2, meanwhile));
        let run = definition.apply(preview.summary.id, RowApplyOptions::default()).unwrap();
        let report = wait(run.finish()).unwrap();
        assert_eq!((report.stale, report.counts.updated), (1, 0), "{report:?}");
        assert_eq!(there.rows()[1], order(2, meanwhile), "nothing is lost");
        here.put(order(2, meanwhile));
        assert_eq!(sync(&definition).counts.failed, 0);
    }
    source.take(&order(1, ""));
    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!(preview.summary.counts.deleted, 1);
    target.put(order(1, "wanted"));
    let run = definition.apply(preview.summary.id, RowApplyOptions::default()).unwrap();
    assert_eq!(wait(run.finish()).unwrap().stale, 1);
    assert_eq!(target.rows().len(), 3, "nothing is lost");
}

#[test]
fn a_row_that_moved_on_is_left_alone() {
    is_guarded(false);
}

#[test]
fn a_row_with_another_version_is_left_alone() {
    is_guarded(true);
}
