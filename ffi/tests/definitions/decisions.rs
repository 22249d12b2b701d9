//! Rows that a person decides about, and tables that change, through the border.

use portbook_ffi::records::{
    Access, DatumKind, DriftEffect, ErrorCode, ListAccess, RecordClock, RecordMode, RecordOptions, RecordPlace,
    RecordPolicy, RecordRoute, RowAction, RowChoice, RowConflict, RowInspection, RowPreviewOptions, SchemaChangeKind,
    Side, UnitAccount, UnitBudget,
};
use portbook_ffi::{Definition, read_record, wait};
use rusqlite::Connection;

use crate::memory::{Memory, World, code, column, order, orders};
use crate::sync;

fn manual() -> RecordOptions {
    RecordOptions { mode: Some(RecordMode::TwoWay), policy: Some(RecordPolicy::Manual), ..RecordOptions::default() }
}

fn waiting(definition: &Definition) -> Vec<RowConflict> {
    wait(definition.conflicts(None, 1000)).unwrap()
}

/// The conflict of that row.
fn of(definition: &Definition, row: &str) -> RowConflict {
    waiting(definition).into_iter().find(|conflict| conflict.row == row).unwrap()
}

#[test]
fn a_person_decides_about_rows() {
    let mut world = World::new();
    let source = Memory::new(orders(), (1..5).map(|id| order(id, "new")));
    let target = Memory::new(orders(), []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, manual())).unwrap();
    assert_eq!(sync(&definition).counts.new, 4);
    for id in 1..5 {
        source.put(order(id, "here"));
        target.put(order(id, "there"));
    }
    target.take(&order(3, ""));
    assert_eq!(sync(&definition).waiting, 4);

    let first = wait(definition.conflicts(None, 3)).unwrap();
    let rest = wait(definition.conflicts(first.last().map(|last| last.id.clone()), 3)).unwrap();
    assert_eq!((first.len(), rest.len()), (3, 1));
    assert_eq!([first, rest].concat(), waiting(&definition));
    assert_eq!(code(wait(definition.conflicts(Some("no id".into()), 1))), ErrorCode::Invalid);

    let one = of(&definition, "1");
    assert_eq!((one.is_at_source, one.is_at_target, one.choice.as_ref()), (true, true, None));
    let seen = wait(definition.inspect_conflict(one.id.clone())).unwrap();
    assert_eq!(seen.conflict, one);
    let name = seen.fields.iter().find(|field| field.target == "name").unwrap();
    assert_eq!((name.source_value.as_deref(), name.target_value.as_deref()), (Some("\"here\""), Some("\"there\"")));
    assert!(!name.is_same && seen.fields.iter().any(|field| field.is_same && field.source == "id"));
    let gone = wait(definition.inspect_conflict(of(&definition, "3").id)).unwrap();
    assert!(!gone.conflict.is_at_target && gone.fields.iter().all(|field| field.target_value.is_none()));
    // What C is given reads back.
    let json = serde_json::to_string(&gone).unwrap();
    assert!(json.contains("\"source_value\":\"here\"") && !json.contains("target_value"), "{json}");
    assert_eq!(read_record::<RowInspection>("inspection", &json).unwrap(), gone);

    let merge =
        |columns: &[&str]| RowChoice::Merge { target_columns: columns.iter().map(|&name| name.into()).collect() };
    let decide = |row: &str, choice: RowChoice| {
        let one = of(&definition, row);
        wait(definition.resolve_conflict(one.id, one.mark, choice))
    };
    let stranger = "00".repeat(32);
    assert_eq!(code(wait(definition.inspect_conflict(stranger.clone()))), ErrorCode::NotFound);
    let unknown = wait(definition.resolve_conflict(stranger, one.mark.clone(), RowChoice::KeepSource {}));
    assert_eq!(code(unknown), ErrorCode::NotFound);
    let stale = wait(definition.resolve_conflict(one.id.clone(), String::new(), RowChoice::KeepSource {}));
    assert_eq!(code(stale), ErrorCode::Stale);
    assert_eq!(code(decide("1", merge(&["nobody"]))), ErrorCode::Invalid);
    assert_eq!(code(decide("3", merge(&["name"]))), ErrorCode::Invalid, "one side has deleted it");

    decide("1", RowChoice::KeepSource {}).unwrap();
    decide("2", merge(&["name"])).unwrap();
    decide("3", RowChoice::KeepDestination {}).unwrap();
    let decided = of(&definition, "2");
    assert_eq!((decided.choice, decided.decided_at.is_some()), (Some(merge(&["name"])), true));
    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    let page = wait(definition.changes(preview.summary.id, None, None, 1000)).unwrap();
    let action = |row: &str| page.rows.iter().find(|one| one.row == row).map(|one| one.action);
    let actions = ["1", "2", "3", "4"].map(action);
    assert_eq!(actions, [RowAction::Update, RowAction::Merge, RowAction::Delete, RowAction::Skip].map(Some));
    let report = sync(&definition);
    assert_eq!((report.waiting, report.counts.failed), (1, 0));
    let names = |rows: Vec<_>| rows.iter().map(|row: &crate::memory::Row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(source.rows()), ["here", "there", "here"]);
    assert_eq!(names(target.rows()), ["here", "there", "there"]);
    assert_eq!(waiting(&definition), [of(&definition, "4")]);
}

#[test]
fn what_has_changed_about_tables_is_told() {
    let world = World::new();
    let file = |name: &str| world.dir.path().join(name);
    for name in ["shop.db", "copy.db"] {
        let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO orders VALUES (1, 'one')";
        Connection::open(file(name)).unwrap().execute_batch(table).unwrap();
    }
    let database = |name: &str| format!("sqlite://{}/", file(name).display());
    let place = |name: &str| RecordPlace::of_url(format!("{}orders", database(name)));
    let connect = world.session.connect_records(place("shop.db"), place("copy.db"), RecordOptions::default());
    let definition = wait(connect).unwrap();
    assert_eq!(sync(&definition).counts.failed, 0);
    assert_eq!(wait(definition.drift()).unwrap(), []);
    assert_eq!(wait(definition.targets()).unwrap(), []);

    let change = |sql: &str| Connection::open(file("shop.db")).unwrap().execute_batch(sql).unwrap();
    change("ALTER TABLE orders ADD COLUMN note TEXT");
    let drift = wait(definition.drift()).unwrap();
    let told = (drift[0].side, drift[0].change.kind, drift[0].change.name.as_str(), drift[0].effect);
    assert_eq!(told, (Side::Source, SchemaChangeKind::Added, "note", DriftEffect::NeedsMapping));
    assert_eq!((drift[0].change.was.as_deref(), drift[0].change.now.as_deref()), (None, Some("TEXT")));
    let preview = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!(preview.drift, drift);
    assert_eq!(wait(definition.stored_preview(preview.summary.id)).unwrap().drift, drift);
    let of_table = wait(world.session.table_drift(place("shop.db"))).unwrap();
    assert_eq!((of_table.len(), of_table[0].definitions.len()), (1, 1));
    assert_eq!(of_table[0].definitions[0].definition, definition.id().unwrap());
    assert_eq!(of_table[0].definitions[0].effect, DriftEffect::NeedsMapping);
    wait(world.session.accept_table(place("shop.db"))).unwrap();
    assert_eq!(wait(definition.drift()).unwrap(), []);

    change("ALTER TABLE orders DROP COLUMN name");
    assert_eq!(wait(definition.drift()).unwrap()[0].effect, DriftEffect::Blocks);
    assert_eq!(code(wait(definition.preview(RowPreviewOptions::default()))), ErrorCode::Invalid);

    let read = wait(world.session.introspect_database(database("shop.db"), Access::default())).unwrap();
    let stats: serde_json::Value = serde_json::from_str(read.stats.as_deref().unwrap()).unwrap();
    assert_eq!((stats["tables"].as_u64(), stats["columns"].as_u64()), (Some(1), Some(2)));
    assert!(read.ended_at.is_some() && read.instance.len() == 36);
    let table = wait(world.session.introspect_database(format!("{}orders", database("shop.db")), Access::default()));
    assert_eq!(code(table), ErrorCode::Invalid);
    change("CREATE TABLE stranger (id INTEGER PRIMARY KEY)");
    let stranger = RecordPlace::of_url(format!("{}stranger", database("copy.db")));
    assert_eq!(code(wait(world.session.accept_table(stranger))), ErrorCode::NotFound);
}

#[test]
fn a_change_of_a_table_of_a_host_is_told() {
    let mut world = World::new();
    let source = Memory::new(orders(), [order(1, "one")]);
    let target = Memory::new(orders(), []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let definition = wait(world.session.connect_records(from, to, RecordOptions::default())).unwrap();
    sync(&definition);
    let mut more = orders();
    more.columns.push(column("note", DatumKind::Text));
    source.turn(move |request| {
        let is_it = matches!(request, portbook_ffi::records::RecordRequest::Describe { .. });
        is_it.then(|| Ok(portbook_ffi::records::RecordAnswer::Described { table: more.clone() }))
    });
    let drift = wait(definition.drift()).unwrap();
    assert_eq!((drift.len(), drift[0].effect), (1, DriftEffect::NeedsMapping));
    sync(&definition);
    assert_eq!(wait(definition.drift()).unwrap(), []);
}

#[test]
fn the_last_change_wins_by_the_clocks_that_are_named() {
    let mut world = World::new();
    let mut table = orders();
    table.columns.push(column("at", DatumKind::Instant));
    let row = |name: &str, at: &str| {
        let mut row = order(1, name);
        row.insert("at".into(), at.into());
        row
    };
    let source = Memory::new(table.clone(), [row("new", "2026-01-01T00:00:00Z")]);
    let target = Memory::new(table, []);
    let (from, to) = (world.plainly("shop", &source), world.plainly("copy", &target));
    let clock = |skew_ms| RecordClock { source: "at".into(), target: "at".into(), skew_ms, tie: Some(Side::Target) };
    let options =
        |skew_ms| RecordOptions { policy: Some(RecordPolicy::LatestWins), clock: Some(clock(skew_ms)), ..manual() };
    for skew in [-1, 1 << 53] {
        let refused = wait(world.session.connect_records(from.clone(), to.clone(), options(Some(skew))));
        assert_eq!(code(refused), ErrorCode::Invalid);
    }
    for (skew, [at_source, at_target], expected) in [
        (None, ["2026-02-01T00:00:05Z", "2026-02-01T00:00:02Z"], "source"),
        (None, ["2026-03-01T00:00:02Z", "2026-03-01T00:00:05Z"], "target"),
        (Some(60_000), ["2026-04-01T00:00:05Z", "2026-04-01T00:00:02Z"], "target"),
    ] {
        let definition = wait(world.session.connect_records(from.clone(), to.clone(), options(skew))).unwrap();
        sync(&definition);
        source.put(row("source", at_source));
        target.put(row("target", at_target));
        assert_eq!(sync(&definition).waiting, 0);
        assert_eq!(source.rows(), target.rows());
        assert_eq!(source.rows()[0]["name"], expected);
    }
}

#[test]
fn what_is_no_list_or_no_table_is_refused_without_its_secret() {
    let world = World::new();
    let access = ListAccess {
        tenant: Some("contoso".into()),
        client_id: Some("an app".into()),
        client_secret: Some("hunter2".into()),
        ca_file: Some("/no/such.pem".into()),
    };
    assert!(!format!("{access:?}").contains("hunter2") && format!("{access:?}").contains("contoso"));
    let list = "sharepoint://contoso.sharepoint.com/sites/Team/Orders";
    assert_eq!(RecordPlace::of_url(list.into()), RecordPlace::List { url: list.into(), access: None });
    let table = format!("sqlite://{}/orders", world.dir.path().join("shop.db").display());
    let wrong = [
        RecordPlace::List { url: table.clone(), access: Some(access.clone()) },
        RecordPlace::List { url: "sharepoint://h/".into(), access: Some(access.clone()) },
        RecordPlace::List { url: format!("{list}?client_secret=hunter2"), access: None },
        RecordPlace::List { url: list.into(), access: Some(access) },
        RecordPlace::Table { url: list.into(), access: None },
        RecordPlace::of_url("nothing://h/x".into()),
        RecordPlace::of_url(format!("{list}?zone=Nowhere")),
    ];
    for place in wrong {
        let shown = format!("{place:?}");
        let error = wait(world.session.inspect_table(place.clone())).err().unwrap();
        assert_eq!(error.code(), ErrorCode::Invalid, "{shown}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let route = RecordRoute { condition: "true".into(), target: place };
        let options = RecordOptions { routes: Some(vec![route]), ..RecordOptions::default() };
        let url = RecordPlace::of_url(table.clone());
        let refused = wait(world.session.connect_records(url.clone(), url, options)).err().unwrap();
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
    let route = RowPreviewOptions { route_to: Some("no id".into()), ..RowPreviewOptions::default() };
    let known = wait(world.session.definition("00000000-0000-0000-0000-000000000000".into()));
    assert_eq!(code(known), ErrorCode::NotFound);
    let mut served = World::new();
    let (from, to) =
        (served.plainly("shop", &Memory::new(orders(), [])), served.plainly("copy", &Memory::new(orders(), [])));
    let definition = wait(served.session.connect_records(from, to, RecordOptions::default())).unwrap();
    assert_eq!(code(wait(definition.preview(route))), ErrorCode::Invalid);
}

#[test]
fn a_budget_is_kept_for_an_application() {
    let world = World::new();
    let account = |tenant: &str| UnitAccount { tenant: tenant.into(), client_id: "an app".into(), authority: None };
    let budget = |tenant| wait(world.session.sharepoint_budget(account(tenant))).unwrap();
    assert_eq!(budget("contoso"), UnitBudget { per_minute: 1_200, per_day: 1_200_000 });
    let set = |per_minute, per_day| {
        wait(world.session.set_sharepoint_budget(account("contoso"), UnitBudget { per_minute, per_day }))
    };
    set(4_800, 4_800_000).unwrap();
    assert_eq!(budget("CONTOSO").per_minute, 4_800, "upper and lower case are the same");
    assert_eq!(budget("fabrikam").per_minute, 1_200);
    let elsewhere = UnitAccount { authority: Some("https://login.chinacloudapi.cn".into()), ..account("contoso") };
    assert_eq!(wait(world.session.sharepoint_budget(elsewhere)).unwrap().per_minute, 1_200);
    for (per_minute, per_day) in [(0, 1), (1, 0), (-1, 1), (1, 1 << 53)] {
        assert_eq!(code(set(per_minute, per_day)), ErrorCode::Invalid, "{per_minute} {per_day}");
    }
    assert_eq!(budget("contoso").per_day, 4_800_000);
}
