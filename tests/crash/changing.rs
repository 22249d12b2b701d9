//! A source that becomes longer or shorter, changes, or fails while it is read: never is what arrived of it published.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portbook::conduit::ConduitOptions;
use portbook::model::{SyncMode, Timestamp};
use portbook::provider::local::Parts;
use portbook::provider::simulation::{Fault, ModelDisk, ModelOptions, Op};
use portbook::{Code, Error};

use crate::engine::tree::Tree;
use crate::engine::{LEFT, World, at_rest, options};

const EIO: i32 = 5;
/// Small, of one read; of several; and one that could be continued.
const SIZES: [usize; 3] = [900, 1_100_000, (5 << 20) + 77];
const PARTS: Parts = Parts { resumable_bytes: 5 << 20, part_bytes: 2 << 20 };

#[derive(Clone, Copy, Debug, PartialEq)]
enum Meddling {
    Grows,
    Shrinks,
    Changes,
    IsReplaced,
    Errs,
}

fn mirror() -> ConduitOptions {
    options(SyncMode::Mirror, None)
}

fn content(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|i| (i / 3) as u8 ^ (i >> 10) as u8 ^ seed).collect()
}

fn meddle(disk: &ModelDisk, how: Meddling, size: usize) {
    let left = Tree::at(disk, LEFT);
    disk.advance(1_000_000_000);
    match how {
        Meddling::Grows => left.put("f", &[content(size, 2), vec![1; 10]].concat()),
        Meddling::Shrinks => left.put("f", &content(size - 10, 2)),
        Meddling::Changes => left.put("f", &content(size, 3)),
        Meddling::IsReplaced => left.replace("f", &content(size, 4)),
        Meddling::Errs => {}
    }
}

#[test]
fn a_source_that_does_not_hold_still_is_never_published() {
    for how in [Meddling::Grows, Meddling::Shrinks, Meddling::Changes, Meddling::IsReplaced, Meddling::Errs] {
        for size in SIZES {
            for old in [None, Some(&b"what was there"[..])] {
                let mut tried = 0;
                for nth in [1_u64, 3] {
                    // The longest one once is enough.
                    if size > 1 << 21 && (old.is_some() || nth == 1) {
                        continue;
                    }
                    let what = format!("{how:?}, {size} bytes, read {nth}, over {:?}", old.map(<[u8]>::len));
                    let mut world = World::new(ModelOptions::default());
                    world.parts = PARTS;
                    if let Some(old) = old {
                        world.left().put("f", old);
                        world.settle();
                        world.sync(&mirror()).unwrap();
                        world.disk.advance(10_000_000_000);
                    }
                    world.left().put("f", &content(size, 1));
                    world.settle();
                    let engine = world.engine();
                    let disk = world.disk.clone();
                    let reads = Arc::new(std::sync::atomic::AtomicU64::new(0));
                    let seen = reads.clone();
                    engine.disk.rule(move |call| {
                        if call.op != Op::Read || seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 != nth {
                            return None;
                        }
                        meddle(&disk, how, size);
                        (how == Meddling::Errs).then_some(Fault::Errno(EIO))
                    });
                    let report = engine.sync(&mirror()).unwrap();
                    let reached = reads.load(std::sync::atomic::Ordering::SeqCst) >= nth;
                    engine.disk.heal();
                    assert!(engine.transfers().is_empty(), "{what}");
                    engine.end();
                    let right = world.right();
                    if reached {
                        tried += 1;
                        assert_eq!(report.counts.failed, 1, "{what}: {report:?}");
                        let code = report.failures.first().map(|f| &f.error).map(Error::code);
                        let told = if how == Meddling::Errs { Code::Storage } else { Code::Stale };
                        assert_eq!(code, Some(told), "{what}");
                        let now = right.all().remove("f").map(|item| item.content);
                        assert_eq!(now.as_deref(), old, "{what}");
                        assert!(right.all().keys().all(|path| path == "f"), "{what}: {:?}", right.all());
                    }
                    world.settle();
                    assert!(world.converge(&mirror()).is_ok(), "{what}");
                    let now = world.trees().map(|mut tree| tree.remove("f").unwrap().content);
                    assert!(now[0] == now[1], "{what}");
                    let wrong = at_rest(&world);
                    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
                }
                assert!(tried > 0 || old.is_some(), "{how:?}, {size} bytes");
            }
        }
    }
}

/// Both sides get an attribute from each other; what somebody writes between the two halves is not taken for what both
/// have.
#[test]
fn a_file_that_is_edited_while_attributes_cross_is_carried_by_the_next_run() {
    let both = options(SyncMode::Bidirectional, None);
    let world = World::new(ModelOptions::default());
    world.left().put("f", b"agreed");
    world.settle();
    world.sync(&both).unwrap();
    world.disk.advance(10_000_000_000);
    world.left().touch("f", Timestamp { secs: 1_600_000_000, nanos: 0 });
    world.right().chmod("f", 0o600);
    world.settle();
    let engine = world.engine();
    let (disk, is_edited) = (world.disk.clone(), Arc::new(AtomicBool::new(false)));
    let edited = is_edited.clone();
    engine.disk.rule(move |call| {
        if call.op == Op::SetMtime && !edited.swap(true, Ordering::SeqCst) {
            disk.advance(1_000_000_000);
            Tree::at(&disk, LEFT).put("f", b"edited");
        }
        None
    });
    engine.sync(&both).unwrap();
    engine.disk.heal();
    engine.end();
    assert!(is_edited.load(Ordering::SeqCst), "the target got a time");
    world.settle();
    assert!(world.converge(&both).is_ok());
    let now = world.trees().map(|mut tree| tree.remove("f").unwrap().content);
    assert_eq!(now, [b"edited".to_vec(), b"edited".to_vec()]);
}
