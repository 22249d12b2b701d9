//! Names that one side cannot hold or tell apart, through the whole engine: the right side folds cases and takes only what
//! Windows takes, the left one takes everything.

use portbook::conduit::{ConduitOptions, Filters, PreviewOptions, VerifyOptions, VerifyReport};
use portbook::model::{ConflictPolicy, NameClash, RelPath, Side, SyncMode};
use portbook::operation::ChangeFilter;
use portbook::provider::simulation::ModelOptions;

use crate::engine::{World, at_rest, called, lost, options};

fn narrow() -> World {
    World::new(ModelOptions { case_insensitive: true, windows_names: true, ..ModelOptions::default() })
}

fn aliasing(mode: SyncMode) -> ConduitOptions {
    ConduitOptions { name_clash: NameClash::Alias, ..options(mode, Some(ConflictPolicy::KeepBoth)) }
}

/// Both sides have the same contents under the names that the ledger connects, and a run finds nothing to do.
fn in_step(world: &World, how: &ConduitOptions) {
    world.converge(how).unwrap();
    assert_eq!(at_rest(world), Vec::<String>::new());
    let engine = world.engine();
    let ledger = engine.ledger();
    engine.end();
    let [left, right] = world.trees();
    let visible = |items: &crate::engine::tree::Items| crate::engine::tree::visible(items);
    let (left, right) = (visible(&left), visible(&right));
    assert_eq!((left.len(), right.len()), (ledger.len(), ledger.len()), "{left:#?}\n{right:#?}");
    let verified = verify(world, None);
    assert!(verified.is_in_step(), "{verified:#?}");
    assert_eq!(verified.compared, ledger.len() as u64);
    for path in ledger.keys() {
        let item = |items: &crate::engine::tree::Items, side| items[&called(&ledger, path, side)].content.clone();
        assert_eq!(item(&left, Side::Left), item(&right, Side::Right), "{path}");
    }
}

/// Every content of both sides, compared by names alone.
fn verify(world: &World, filters: Option<Filters>) -> VerifyReport {
    let engine = world.engine();
    let (left, right) = engine.places().unwrap();
    let session = engine.session().unwrap();
    let report = portbook::wait(session.verify(left, right, VerifyOptions { filters, checksum: true })).unwrap();
    engine.end();
    report
}

fn on_right(world: &World, path: &str) -> String {
    let engine = world.engine();
    let ledger = engine.ledger();
    engine.end();
    called(&ledger, path, Side::Right)
}

fn hard(world: &World) {
    let left = world.left();
    left.dir("d?");
    for name in ["Name", "name", "a:b", "con", "d?/dot.", "d?/plain"] {
        left.put(name, format!("{name}, agreed").as_bytes());
    }
    world.settle();
}

#[test]
fn every_name_arrives_and_the_preview_shows_what_it_is_called_there() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        let (world, how) = (narrow(), aliasing(mode));
        hard(&world);
        let engine = world.engine();
        let conduit = engine.connect(&how).unwrap();
        let preview = portbook::wait(conduit.preview(PreviewOptions::default())).unwrap();
        let session = engine.session().unwrap();
        let changes = portbook::wait(session.preview_changes(preview.id, ChangeFilter::default(), None, 100)).unwrap();
        let aliased: Vec<&RelPath> = changes.iter().filter(|c| c.path_on.right.is_some()).map(|c| &c.path).collect();
        assert_eq!(aliased.len(), 6, "{aliased:?}");
        assert!(portbook::wait(conduit.conflicts(None, 10)).unwrap().is_empty());
        engine.end();
        in_step(&world, &how);
        assert_eq!(on_right(&world, "Name"), "Name");
        assert_ne!(on_right(&world, "name"), "name");
    }
}

#[test]
fn verify_finds_items_by_their_aliases_and_what_only_looks_like_one() {
    let (world, how) = (narrow(), aliasing(SyncMode::Bidirectional));
    hard(&world);
    in_step(&world, &how);
    let (colon, dir, twin) = (on_right(&world, "a:b"), on_right(&world, "d?"), on_right(&world, "name"));
    let dot = on_right(&world, "d?/dot.");
    world.right().put(&colon, b"a:b, AGREED");
    world.right().put(&format!("{dir}/new"), b"new");
    // The agreed name of one item, and the alias of another one where that has none.
    world.right().remove("Name");
    world.right().put("name", b"a stranger");
    world.left().put(&twin, b"another stranger");
    world.right().remove(&dot);
    let found = |filters| {
        let report = verify(&world, filters);
        let mut lines: Vec<_> = report.differences.iter().map(|(path, how)| format!("{path}: {how}")).collect();
        lines.sort();
        lines
    };
    let mut expected = vec![
        "Name: only at the source".to_owned(),
        "a:b: another content".to_owned(),
        "d?/dot.: only at the source".to_owned(),
        "d?/new: only at the target".to_owned(),
        "name: only at the target".to_owned(),
        format!("{twin}: only at the source"),
    ];
    expected.sort();
    assert_eq!(found(None), expected);
    assert_eq!(found(Some(Filters::default())), expected, "filters of one's own change no name");
    let only =
        Filters { exclude: vec!["a:b".to_owned(), "d?/**".to_owned(), "[Nn]ame*".to_owned()], ..Filters::default() };
    assert_eq!(found(Some(only)), Vec::<String>::new(), "filters know agreed names");
}

#[test]
fn without_the_option_such_names_wait_for_a_person() {
    let (world, how) = (narrow(), options(SyncMode::Bidirectional, None));
    hard(&world);
    let report = world.sync(&how).unwrap();
    assert_eq!(report.waiting, 4, "{report:?}");
}

#[test]
fn aliased_items_are_edited_moved_and_deleted_on_either_side() {
    let (world, how) = (narrow(), aliasing(SyncMode::Bidirectional));
    hard(&world);
    in_step(&world, &how);
    let before = world.trees();
    let (colon, device, twin, dir) =
        (on_right(&world, "a:b"), on_right(&world, "con"), on_right(&world, "name"), on_right(&world, "d?"));
    world.right().put(&colon, b"edited by the right");
    world.right().rename(&device, &format!("{dir}/{device}"));
    world.left().put("name", b"edited by the left");
    world.left().rename("d?", "e?");
    world.settle();
    let edited = world.trees();
    in_step(&world, &how);
    assert_eq!(world.left().all()["a:b"].content, b"edited by the right");
    assert_eq!(world.left().all()["e?/con"].content, b"con, agreed");
    assert_eq!(world.right().all()[&twin].content, b"edited by the left");
    assert_eq!(lost(&before, &edited, &world.trees()), Vec::<String>::new());
    world.left().remove("a:b");
    world.right().remove(&on_right(&world, "name"));
    world.settle();
    in_step(&world, &how);
    assert!(!world.right().all().contains_key(&colon));
    assert!(!world.left().all().contains_key("name"));
}

#[test]
fn a_new_case_of_a_name_is_a_rename_in_two_steps_beside_a_collision() {
    let (world, how) = (narrow(), aliasing(SyncMode::Bidirectional));
    hard(&world);
    in_step(&world, &how);
    world.left().rename("Name", "NAME");
    world.left().rename("d?/plain", "d?/PLAIN");
    world.settle();
    let report = world.sync(&how).unwrap();
    assert_eq!((report.counts.moved, report.bytes), (2, 0), "{report:?}");
    in_step(&world, &how);
    assert!(world.right().all().contains_key("NAME"));
    world.left().rename("name", "nAMe");
    world.settle();
    assert_eq!(world.sync(&how).unwrap().counts.moved, 1);
    in_step(&world, &how);
}

#[test]
fn a_real_file_of_an_aliass_name_is_another_item_and_neither_is_lost() {
    let (world, how) = (narrow(), aliasing(SyncMode::Bidirectional));
    hard(&world);
    in_step(&world, &how);
    let alias = on_right(&world, "a:b");
    world.left().put(&alias, b"a real file");
    world.left().remove("Name");
    world.settle();
    in_step(&world, &how);
    world.right().put("NAME", b"another real file");
    world.settle();
    in_step(&world, &how);
    let contents: Vec<_> = world.left().all().into_values().map(|i| i.content).collect();
    for content in [&b"a real file"[..], b"another real file", b"a:b, agreed", b"name, agreed"] {
        assert!(contents.iter().any(|c| c == content), "{}", content.escape_ascii());
    }
}
