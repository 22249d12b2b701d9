//! Hosts that do everything wrong: each mistake has its code, and nothing hangs or is lost.

use std::time::{Duration, Instant};

use portbook_ffi::records::{
    DatumKind, ErrorCode, HostColumn, HostRecordOptions, HostTable, RecordAnswer, RecordOptions, RecordPlace,
    RecordRequest, RowApplyOptions, RowPreviewOptions, WriteOutcome, WrittenRow,
};
use portbook_ffi::{Definition, wait};
use serde_json::json;

use crate::memory::{Failure, Memory, World, code, column, order, orders, row};
use crate::sync;

type Answer = std::result::Result<RecordAnswer, Failure>;

fn table(columns: Vec<HostColumn>, key: &[&str]) -> RecordAnswer {
    let key = Some(key.iter().map(|&name| name.to_owned()).collect());
    RecordAnswer::Described { table: HostTable { columns, key, row_estimate: None } }
}

fn rows(rows: &[&str], next: Option<&str>) -> RecordAnswer {
    RecordAnswer::Rows { rows: rows.iter().map(|&row| row.to_owned()).collect(), next: next.map(ToOwned::to_owned) }
}

/// Patient for a moment.
fn impatient() -> HostRecordOptions {
    HostRecordOptions { timeout_ms: Some(100), ..HostRecordOptions::default() }
}

#[test]
fn a_table_that_is_none_has_its_code() {
    let id = || column("id", DatumKind::Integer);
    let cases: Vec<(Answer, ErrorCode)> = vec![
        (Ok(RecordAnswer::Done {}), ErrorCode::Host),
        (Ok(rows(&[], None)), ErrorCode::Host),
        (Ok(RecordAnswer::Absent {}), ErrorCode::NotFound),
        (Ok(table(vec![], &[])), ErrorCode::Host),
        (Ok(table(vec![id(), id()], &["id"])), ErrorCode::Host),
        (Ok(table(vec![id()], &["key"])), ErrorCode::Host),
        (Ok(table(vec![id()], &["id", "id"])), ErrorCode::Host),
        (Ok(table(vec![column("", DatumKind::Text)], &[])), ErrorCode::Host),
        (Ok(table(vec![column("@version", DatumKind::Text)], &[])), ErrorCode::Host),
        (Ok(table(vec![column("span", DatumKind::Interval)], &[])), ErrorCode::Host),
        (Ok(table(vec![column("list", DatumKind::List)], &[])), ErrorCode::Host),
        (Ok(table(vec![HostColumn { member: Some(DatumKind::Text), ..id() }], &["id"])), ErrorCode::Host),
        (Ok(table(vec![HostColumn { max_length: Some(-1), ..id() }], &["id"])), ErrorCode::Host),
        (Ok(table(vec![id()], &[])), ErrorCode::Invalid),
        (Err(Failure::With("it broke", None)), ErrorCode::Host),
        (Err(Failure::With("it broke", Some(ErrorCode::Internal))), ErrorCode::Host),
        (Err(Failure::With("it is locked", Some(ErrorCode::Permission))), ErrorCode::Permission),
        (Err(Failure::Silence), ErrorCode::Timeout),
    ];
    for (answer, expected) in cases {
        let mut world = World::new();
        let source = Memory::new(orders(), []);
        let (from, to) = (world.serve("shop", &source, impatient()), world.plainly("copy", &Memory::new(orders(), [])));
        source.turn(move |_| Some(answer.clone()));
        let connected = wait(world.session.connect_records(from, to, RecordOptions::default()));
        let told = connected.as_ref().err().map(ToString::to_string);
        assert_eq!(code(connected), expected, "{told:?}");
    }
}

/// A definition of which one side is told what to answer once it is connected.
fn told(
    world: &mut World,
    turn: impl Fn(&RecordRequest) -> Option<Answer> + Send + Sync + 'static,
) -> std::sync::Arc<Definition> {
    let source = Memory::new(orders(), [order(1, "one"), order(2, "two")]);
    let (from, to) = (world.serve("shop", &source, impatient()), world.plainly("copy", &Memory::new(orders(), [])));
    let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
    source.turn(turn);
    definition
}

#[test]
fn pages_that_are_none_have_their_code() {
    let many: Vec<String> = (0..1001).map(|id| format!("{{\"id\":{id},\"name\":\"x\"}}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let one = "{\"id\":1,\"name\":\"one\"}";
    let cases: Vec<(&str, Answer, ErrorCode)> = vec![
        ("another answer", Ok(RecordAnswer::Done {}), ErrorCode::Host),
        ("more rows than asked for", Ok(rows(&many, None)), ErrorCode::Host),
        ("an empty page that is not the last", Ok(rows(&[], Some("1"))), ErrorCode::Host),
        ("a page that is followed by itself", Ok(rows(&[one], Some("1"))), ErrorCode::Host),
        ("no JSON", Ok(rows(&["{"], None)), ErrorCode::Host),
        ("a list", Ok(rows(&["[1]"], None)), ErrorCode::Host),
        ("a table that is gone", Ok(RecordAnswer::Absent {}), ErrorCode::NotFound),
        ("a failure", Err(Failure::With("it broke", None)), ErrorCode::Host),
        ("a failure with a code", Err(Failure::With("not now", Some(ErrorCode::Offline))), ErrorCode::Offline),
        ("no answer", Err(Failure::Silence), ErrorCode::Timeout),
    ];
    for (what, answer, expected) in cases {
        let mut world = World::new();
        let definition =
            told(&mut world, move |request| matches!(request, RecordRequest::Scan { .. }).then(|| answer.clone()));
        assert_eq!(code(wait(definition.preview(RowPreviewOptions::default()))), expected, "{what}");
    }
}

#[test]
fn a_row_with_a_value_that_is_none_fails_alone() {
    for (what, wrong) in [
        ("another kind", json!({"id": 3, "name": 7})),
        ("a missing column", json!({"id": 3})),
        ("a list", json!({"id": 3, "name": ["x"]})),
    ] {
        let mut world = World::new();
        let source = Memory::new(orders(), [order(1, "one"), row(wrong)]);
        let target = Memory::new(orders(), [order(3, "of somebody else")]);
        let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
        let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
        let report = sync(&definition);
        assert_eq!((report.counts.new, report.counts.failed), (1, 1), "{what}");
        assert_eq!((report.failures[0].path.as_str(), report.failures[0].code), ("3", ErrorCode::Host), "{what}");
        assert_eq!(target.rows().len(), 2, "{what}: what cannot be read is not gone");
    }
}

#[test]
fn a_key_that_comes_twice_is_no_key_and_one_that_cannot_be_read_deletes_nothing() {
    let mut world = World::new();
    let source = Memory::new(orders(), [order(1, "one"), order(2, "two"), order(3, "three")]);
    let target = Memory::new(orders(), []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
    assert_eq!(sync(&definition).counts.new, 3);
    let answers = |rows: &'static [&'static str]| {
        move |request: &RecordRequest| {
            matches!(request, RecordRequest::Scan { .. }).then(|| Ok(super::hostile::rows(rows, None)))
        }
    };
    source.turn(answers(&[
        "{\"id\":1,\"name\":\"one\"}",
        "{\"id\":1,\"name\":\"twice\"}",
        "{\"id\":2,\"name\":\"two\"}",
    ]));
    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!((preview.summary.counts.failed, preview.summary.counts.deleted), (1, 1));
    source.turn(answers(&["{\"id\":1.5,\"name\":\"one\"}", "{\"id\":9007199254740992,\"name\":\"two\"}"]));
    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!((preview.summary.counts.failed, preview.summary.counts.deleted), (2, 0));
    assert!(preview.blind.is_some(), "it is not known which rows they are");
}

#[test]
fn what_a_host_does_not_write_fails_its_rows() {
    let refused = |code, reason: &str| WrittenRow {
        outcome: WriteOutcome::Refused,
        version: None,
        reason: Some(reason.to_owned()),
        code,
    };
    let written = WrittenRow { outcome: WriteOutcome::Written, ..refused(None, "") };
    let cases: Vec<(Answer, ErrorCode, &str)> = vec![
        (Ok(RecordAnswer::Absent {}), ErrorCode::Host, "which was not asked"),
        (Ok(RecordAnswer::Written { outcomes: vec![written.clone()] }), ErrorCode::Host, "another number of rows"),
        (Err(Failure::With("it broke", None)), ErrorCode::Host, "it broke"),
        (
            Ok(RecordAnswer::Written {
                outcomes: vec![
                    refused(Some(ErrorCode::Quota), "it is full"),
                    refused(Some(ErrorCode::Quota), "it is full"),
                ],
            }),
            ErrorCode::Quota,
            "it is full",
        ),
    ];
    for (answer, expected, words) in cases {
        let mut world = World::new();
        let source = Memory::new(orders(), [order(1, "one"), order(2, "two")]);
        let target = Memory::new(orders(), []);
        let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
        let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
        let said = std::sync::Mutex::new(Some(answer));
        target.turn(move |request| match request {
            RecordRequest::Insert { .. } => said.lock().unwrap().take(),
            _ => None,
        });
        let report = sync(&definition);
        assert_eq!((report.counts.new, report.counts.failed), (0, 2));
        assert_eq!(report.failures[0].code, expected);
        assert!(report.failures[0].text.contains(words), "{}", report.failures[0].text);
        // Whatever happened is found out by looking, and made good.
        assert_eq!(sync(&definition).counts.failed, 0);
        assert_eq!(target.rows(), source.rows());
    }
    // A store that cannot be written to stops the run.
    let mut world = World::new();
    let target = Memory::new(orders(), []);
    let source = Memory::new(orders(), [order(1, "one")]);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
    target.turn(|request| {
        matches!(request, RecordRequest::Insert { .. })
            .then_some(Err(Failure::With("it is only read", Some(ErrorCode::Unsupported))))
    });
    let run = definition.sync(RowPreviewOptions::default(), RowApplyOptions::default()).unwrap();
    assert_eq!(code(wait(run.finish())), ErrorCode::Unsupported);
}

#[test]
fn a_cancelled_run_waits_for_no_host() {
    for at in ["scan", "insert"] {
        let mut world = World::new();
        let (source, target) = (Memory::new(orders(), [order(1, "one")]), Memory::new(orders(), []));
        let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
        let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
        let silent = move |request: &RecordRequest| {
            let is_it = match request {
                RecordRequest::Scan { .. } => at == "scan",
                RecordRequest::Insert { .. } => at == "insert",
                _ => false,
            };
            is_it.then_some(Err(Failure::Silence))
        };
        source.turn(silent);
        target.turn(silent);
        let run = definition.sync(RowPreviewOptions::default(), RowApplyOptions::default()).unwrap();
        let begun = Instant::now();
        while source.asked(at) + target.asked(at) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(50), "it was never asked");
            std::thread::yield_now();
        }
        run.cancel();
        assert!(wait(run.finish()).unwrap().cancelled, "{at}");
        assert!(begun.elapsed() < Duration::from_secs(50), "the host was waited for");
    }
}

#[test]
fn a_store_is_there_until_it_ends() {
    let mut world = World::new();
    let (source, target) = (Memory::new(orders(), [order(1, "one")]), Memory::new(orders(), []));
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let again = world.session.host_records("shop".into(), HostRecordOptions::default());
    assert_eq!(code(again), ErrorCode::Conflict);
    assert_eq!(code(world.session.host_records(String::new(), HostRecordOptions::default())), ErrorCode::Invalid);
    let wrong = HostRecordOptions { write_rows: Some(-1), ..HostRecordOptions::default() };
    assert_eq!(code(world.session.host_records("other".into(), wrong)), ErrorCode::Invalid);
    let nameless = RecordPlace::Host { key: "shop".into(), table: String::new() };
    assert_eq!(code(wait(world.session.inspect_table(nameless))), ErrorCode::Invalid);
    let definition = wait(world.session.connect_records(from.clone(), to.clone(), RecordOptions::default())).unwrap();
    world.end(2);
    assert_eq!(code(wait(definition.preview(RowPreviewOptions::default()))), ErrorCode::Host);
    assert_eq!(code(wait(world.session.records(from, to))), ErrorCode::NotFound);
    // Late, and after the end.
    let store = world.session.host_records("shop".into(), impatient()).unwrap();
    assert_eq!(code(store.reply(1, RecordAnswer::Done {})), ErrorCode::NotFound);
    let place = RecordPlace::Host { key: "shop".into(), table: "orders".into() };
    assert_eq!(code(wait(world.session.inspect_table(place.clone()))), ErrorCode::Timeout);
    wait(world.book.shutdown()).unwrap();
    assert_eq!(wait(store.next_request()), Ok(None));
    assert_eq!(code(store.fail(1, "late".into(), None)), ErrorCode::NotFound);
    assert_eq!(code(wait(world.session.inspect_table(place))), ErrorCode::Invalid);
}
