//! What happens beside a run: another engine, a person's edit between preview and apply, filters, clocks.

use std::sync::{Arc, Mutex};

use portbook::Code;
use portbook::conduit::{ConduitOptions, Filters};
use portbook::model::{ConflictPolicy, SyncMode, Timestamp};
use portbook::provider::local::Disk as _;
use portbook::provider::simulation::{ModelOptions, Op};

use crate::engine::tree::visible;
use crate::engine::{Engine, RIGHT, World, at_rest, confirmed, options};

const MIRROR: SyncMode = SyncMode::Mirror;
const BOTH: SyncMode = SyncMode::Bidirectional;

fn agreed(how: &ConduitOptions) -> World {
    let world = World::new(ModelOptions::default());
    let left = world.left();
    left.dir("dir");
    for name in ["a", "b", "dir/c", "dir/d"] {
        left.put(name, format!("{name}, agreed").as_bytes());
    }
    world.settle();
    assert!(world.sync(how).unwrap().is_in_step());
    world.disk.advance(10_000_000_000);
    world
}

/// Previews, lets a person edit, and applies what was previewed.
fn edited_after_preview(
    world: &World,
    how: &ConduitOptions,
    edit: impl FnOnce(&World),
) -> portbook::operation::RunReport {
    let engine = world.engine();
    let conduit = engine.connect(how).unwrap();
    let preview = portbook::wait(conduit.preview(Default::default())).unwrap();
    edit(world);
    let report = portbook::wait(conduit.apply(preview.id, confirmed()).finish()).unwrap();
    engine.end();
    report
}

#[test]
fn what_was_edited_after_the_preview_is_left_alone() {
    for mode in [MIRROR, BOTH] {
        let how = options(mode, None);
        let world = agreed(&how);
        let left = world.left();
        left.put("a", b"a, by the left");
        left.remove("b");
        left.rename("dir/c", "moved");
        left.put("new", b"new, by the left");
        world.settle();
        let report = edited_after_preview(&world, &how, |world| {
            let right = world.right();
            for name in ["a", "b", "dir/c", "new"] {
                right.put(name, format!("{name}, by the right, after the preview").as_bytes());
            }
        });
        let right = world.right().all();
        for name in ["a", "b", "dir/c", "new"] {
            let is = &right.get(name).unwrap_or_else(|| panic!("{mode:?}: {name} is gone: {report:?}")).content;
            assert!(is.ends_with(b"after the preview"), "{mode:?}: {name} was overwritten: {report:?}");
        }
        assert_eq!((report.counts.failed, report.stale), (4, 4), "{mode:?}: {report:?}");
        assert!(!report.is_in_step());
        world.settle();
        world.converge(&how).unwrap();
        assert_eq!(at_rest(&world), Vec::<String>::new());
    }
}

#[test]
fn a_source_that_changed_after_the_preview_is_not_carried_as_it_was_not_shown() {
    let how = options(MIRROR, None);
    let world = agreed(&how);
    world.left().put("a", b"a, as previewed");
    world.settle();
    let report = edited_after_preview(&world, &how, |world| world.left().put("a", b"a, edited after the preview"));
    assert_eq!((report.stale, world.right().all()["a"].content.as_slice()), (1, &b"a, agreed"[..]), "{report:?}");
    world.settle();
    world.converge(&how).unwrap();
    assert_eq!(world.right().all()["a"].content, b"a, edited after the preview");
}

#[test]
fn an_edit_between_staging_and_publishing_is_left_alone() {
    // The last look at the target is followed by an edit: after the first sync, and right before each rename.
    for (op, nth) in [(Op::SyncFile, 1), (Op::SyncDir, 1), (Op::Rename, 1)] {
        for mode in [MIRROR, BOTH] {
            let how = options(mode, None);
            let world = agreed(&how);
            world.left().put("a", b"a, by the left");
            world.settle();
            let engine = world.engine();
            let conduit = engine.connect(&how).unwrap();
            let (disk, mut seen) = (world.disk.clone(), 0);
            engine.disk.rule(move |call| {
                seen += u32::from(call.op == op);
                if call.op == op && seen == nth {
                    let root = disk.open_root(std::path::Path::new(RIGHT)).unwrap();
                    let file = disk.open_read(&root, b"a").unwrap();
                    disk.set_len(&file, 0).unwrap();
                    disk.write_at(&file, b"a, by the right, at the last moment", 0).unwrap();
                }
                None
            });
            let report = portbook::wait(conduit.sync(Default::default(), confirmed()).finish()).unwrap();
            engine.end();
            let trees = world.trees();
            let kept = crate::engine::tree::contents(&trees);
            let what = format!("{mode:?}, {op:?}: {report:?}\n{trees:#?}");
            assert!(kept.contains(&b"a, by the right, at the last moment"[..]), "the edit is lost: {what}");
            world.settle();
            world.converge(&how).unwrap_or_else(|e| panic!("{e}: {what}"));
            assert_eq!(at_rest(&world), Vec::<String>::new(), "{what}");
        }
    }
}

#[test]
fn a_same_size_edit_within_the_clock_tick_is_found_by_the_next_run() {
    for precision in [1, 10_000_000, 1_000_000_000, 2_000_000_000] {
        for mode in [MIRROR, BOTH] {
            let how = options(mode, None);
            let world = World::new(ModelOptions { time_precision_ns: precision, ..ModelOptions::default() });
            world.left().put("a", b"first.");
            world.disk.settle();
            world.sync(&how).unwrap();
            world.left().put("a", b"second");
            world.disk.settle();
            world.sync(&how).unwrap();
            let right = world.right().all();
            assert_eq!(right["a"].content, b"second", "{mode:?}, a clock that ticks every {precision} ns");
        }
    }
}

#[test]
fn an_edit_of_the_filter_never_deletes() {
    let steps: [(&[&str], &[&str]); 6] =
        [(&[], &[]), (&[], &["dir"]), (&["a"], &[]), (&[], &["a", "dir/*"]), (&["*"], &["b"]), (&[], &[])];
    for mode in [MIRROR, BOTH] {
        for exact in [false, mode == MIRROR] {
            let with = |(include, exclude): (&[&str], &[&str])| {
                let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
                let filters = Filters { include: own(include), exclude: own(exclude), index_rules: false };
                ConduitOptions { filters, exact, ..options(mode, None) }
            };
            for from in steps {
                for to in steps {
                    let world = agreed(&options(mode, None));
                    let before = world.trees();
                    for step in [from, to] {
                        world.disk.advance(10_000_000_000);
                        let report = world.sync(&with(step)).unwrap();
                        let after = world.trees();
                        for side in 0..2 {
                            let (before, after) = (visible(&before[side]), visible(&after[side]));
                            assert_eq!(before, after, "{mode:?}, exact {exact}, {from:?} to {to:?}: {report:?}");
                        }
                    }
                }
            }
        }
    }
}

/// Deleted at the source while a filter hid it: not deleted at the target when the filter goes.
#[test]
fn what_vanished_behind_a_filter_is_not_deleted_when_the_filter_goes() {
    let world = agreed(&options(BOTH, None));
    let filters = Filters { exclude: vec!["dir".into()], ..Filters::default() };
    world.sync(&ConduitOptions { filters, ..options(BOTH, None) }).unwrap();
    world.left().remove("dir/c");
    world.settle();
    world.sync(&options(BOTH, None)).unwrap();
    assert!(world.right().all().contains_key("dir/c"));
}

#[test]
fn clocks_that_are_wrong_never_change_a_direction() {
    let at = |secs: i64| Timestamp { secs, nanos: 0 };
    // Before 1970, long ago, far ahead.
    for secs in [-86_400, 1, 86_400 * 365 * 100] {
        for mode in [MIRROR, BOTH] {
            for policy in [None, Some(ConflictPolicy::LatestWins)] {
                let how = options(mode, policy);
                let world = agreed(&how);
                let left = world.left();
                left.put("a", b"a, by the left");
                left.touch("a", at(secs));
                left.put("new", b"new");
                left.touch("new", at(secs));
                world.settle();
                let report = world.sync(&how).unwrap();
                let right = world.right().all();
                let what = format!("{mode:?}, {policy:?}, {secs}: {report:?}");
                assert_eq!(right["a"].content, b"a, by the left", "{what}");
                assert_eq!(right["new"].mtime, Some(at(secs)), "{what}");
                world.disk.advance(10_000_000_000);
                world.converge(&how).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
        }
    }
}

#[test]
fn a_source_that_goes_back_to_an_older_file_is_an_update_like_any_other() {
    for mode in [MIRROR, BOTH] {
        let how = options(mode, None);
        let world = agreed(&how);
        world.left().put("a", b"restored from a backup");
        world.left().touch("a", Timestamp { secs: 1_000_000_000, nanos: 0 });
        world.settle();
        world.sync(&how).unwrap();
        assert_eq!(world.right().all()["a"].content, b"restored from a backup", "{mode:?}");
    }
}

type Ended = portbook::Result<portbook::operation::RunReport>;

/// Syncs, and when the first file is being written lets the other engine sync too. Returns what either said.
fn in_the_middle(engine: &Engine, other: &Arc<Engine>, how: &ConduitOptions) -> (Ended, Ended) {
    let second = Arc::new(Mutex::new(None));
    let (other, both, said) = (Arc::clone(other), how.clone(), Arc::clone(&second));
    engine.disk.rule(move |call| {
        let mut said = said.lock().unwrap();
        if call.op == Op::Create && said.is_none() {
            *said = Some(other.sync(&both));
        }
        None
    });
    let first = engine.sync(how);
    engine.disk.heal();
    let second = second.lock().unwrap().take();
    (first, second.expect("the first run writes a file"))
}

#[test]
fn a_second_run_of_the_same_roots_is_busy_and_harms_nothing() {
    for mode in [MIRROR, BOTH] {
        let how = options(mode, None);
        let world = agreed(&how);
        world.left().put("a", b"a, by the left");
        world.settle();
        let (one, two) = (world.engine(), Arc::new(world.engine()));
        let (first, second) = in_the_middle(&one, &two, &how);
        assert_eq!(second.unwrap_err().code(), Code::Busy, "{mode:?}");
        assert!(first.unwrap().is_in_step());
        assert!(two.sync(&how).unwrap().is_in_step(), "{mode:?}: free again");
        one.end();
        end(two);
        assert_eq!(at_rest(&world), Vec::<String>::new());
    }
}

/// The same roots with another book: the locks on the roots keep them apart.
#[test]
fn a_run_of_another_book_on_the_same_roots_is_busy_too() {
    let how = options(BOTH, None);
    let world = agreed(&how);
    let other = World::new(ModelOptions::default());
    world.left().put("a", b"a, by the left");
    world.settle();
    let stranger = Arc::new(other.engine_on(&world.disk));
    let engine = world.engine();
    let (first, second) = in_the_middle(&engine, &stranger, &how);
    assert_eq!(second.unwrap_err().code(), Code::Busy);
    assert!(first.unwrap().is_in_step());
    // One after the other they find each other's work and lose nothing.
    world.left().put("b", b"b, by the left");
    world.right().put("dir/c", b"c, by the right");
    world.settle();
    for turn in 0..4 {
        let report = if turn % 2 == 0 { stranger.sync(&how) } else { engine.sync(&how) };
        world.disk.advance(10_000_000_000);
        assert!(report.unwrap().is_in_step(), "turn {turn}");
    }
    let [left, right] = world.trees().each_ref().map(visible);
    assert_eq!(left, right);
    // The stranger never saw an agreed state: it had to keep what it could not tell apart.
    let kept = crate::engine::tree::contents(&world.trees());
    for content in [&b"b, by the left"[..], b"c, by the right"] {
        assert!(kept.contains(content));
    }
    end(stranger);
    engine.end();
}

fn end(engine: Arc<Engine>) {
    if let Ok(engine) = Arc::try_unwrap(engine) {
        engine.end();
    }
}
