//! Machines that share a book: one run of a conduit at a time, and a run that lost its lease does no more.

use std::sync::{Arc, Mutex};

use portbook::Code;
use portbook::conduit::ConduitOptions;
use portbook::model::SyncMode;
use portbook::provider::simulation::{ModelOptions, Op};
use portbook::store::{Statement, Value, Write};

use crate::engine::tree::visible;
use crate::engine::{Engine, World, options};

const MIRROR: SyncMode = SyncMode::Mirror;

/// A file was edited at the source after both sides agreed.
fn edited(how: &ConduitOptions) -> World {
    let world = World::new(ModelOptions::default());
    world.left().put("a", b"a, agreed");
    world.settle();
    assert!(world.sync(how).unwrap().is_in_step());
    world.disk.advance(10_000_000_000);
    world.left().put("a", b"a, by the left");
    world.left().put("b", b"b, by the left");
    world.settle();
    world
}

fn lease(engine: &Engine, owner: &str, until: i64) {
    let tenant = engine.session().unwrap().tenant();
    let set = Statement::new(
        "UPDATE sync_conduit SET lease_owner = ?1, lease_expires_at = ?2",
        vec![Value::Text(owner.to_owned()), Value::Time(until)],
    );
    portbook::wait(engine.store.inner.write(tenant, vec![Write::Execute(set)])).unwrap();
}

#[test]
fn the_lease_of_another_machine_is_respected_until_it_runs_out() {
    let how = options(MIRROR, None);
    let world = edited(&how);
    let engine = world.engine();
    let until = (world.disk.now_ns() / 1_000) as i64 + 60_000_000;
    lease(&engine, "elsewhere/1/x", until);
    assert_eq!(engine.sync(&how).unwrap_err().code(), Code::Busy);
    assert_eq!(world.right().all()["a"].content, b"a, agreed", "nothing was done");
    world.disk.advance(61_000_000_000);
    assert!(engine.sync(&how).unwrap().is_in_step(), "it ran out");
    engine.end();
}

fn owner(engine: &Engine) -> Option<String> {
    let tenant = engine.session().unwrap().tenant();
    let ask = Statement::new("SELECT lease_owner FROM sync_conduit", Vec::<Value>::new());
    let rows = portbook::wait(engine.store.inner.query(tenant, ask)).unwrap();
    let row = rows.first().unwrap();
    (!row.is_null(0)).then(|| row.text(0).unwrap().to_owned())
}

/// The locks of one machine are not seen by the other, as on many network file systems.
#[test]
fn a_run_whose_lease_was_taken_over_stops_before_it_changes_anything_more() {
    for op in [Op::Create, Op::Rename] {
        let how = options(MIRROR, None);
        let world = edited(&how);
        let elsewhere = world.twin();
        let here = world.engine_elsewhere(&world.disk, "db");
        let there = Arc::new(world.engine_elsewhere(&elsewhere.disk, "db, copied"));
        let taken = Arc::new(Mutex::new(None));
        let (other, both, said) = (there.clone(), how.clone(), taken.clone());
        let clocks = [world.disk.clone(), elsewhere.disk.clone()];
        here.disk.rule(move |call| {
            let mut said = said.lock().unwrap();
            if call.op == op && said.is_none() {
                let early = other.sync(&both).map(|_| ()).unwrap_err();
                // Its machine sleeps for a while.
                clocks.iter().for_each(|disk| disk.advance(61_000_000_000));
                *said = Some((early.code(), other.sync(&both), other.ledger()));
            }
            None
        });
        let ended = here.sync(&how);
        here.disk.heal();
        let (early, second, ledger) = taken.lock().unwrap().take().expect("the run carries files");
        assert_eq!(early, Code::Busy, "{op:?}: not while the lease lasts");
        assert!(second.unwrap().is_in_step(), "{op:?}");
        let error = ended.expect_err("it lost its lease");
        assert_eq!(error.code(), Code::Busy, "{op:?}: {error}");
        assert!(error.to_string().contains("taken over"), "{error}");
        if op == Op::Create {
            assert_eq!(visible(&world.right().all())["a"].content, b"a, agreed", "nothing was put in place");
        }
        assert_eq!(there.ledger(), ledger, "{op:?}: the ledger is the other run's");
        assert_eq!(owner(&there), None, "{op:?}: the other run gave its lease back");
        // Nobody holds it any more.
        world.disk.advance(10_000_000_000);
        assert!(there.sync(&how).unwrap().is_in_step(), "{op:?}");
        here.end();
        if let Ok(there) = Arc::try_unwrap(there) {
            there.end();
        }
    }
}

#[test]
fn a_lease_that_is_renewed_in_time_is_kept_however_long_the_run_takes() {
    let how = options(MIRROR, None);
    let world = edited(&how);
    let elsewhere = world.twin();
    let here = world.engine_elsewhere(&world.disk, "db");
    let there = Arc::new(world.engine_elsewhere(&elsewhere.disk, "db, copied"));
    let (other, both, disk) = (there.clone(), how.clone(), world.disk.clone());
    let refused = Arc::new(Mutex::new(Vec::new()));
    let said = refused.clone();
    here.disk.rule(move |call| {
        if [Op::Create, Op::Rename].contains(&call.op) {
            disk.advance(45_000_000_000);
            said.lock().unwrap().push(other.sync(&both).map(|_| ()).map_err(|e| e.code()));
        }
        None
    });
    assert!(here.sync(&how).unwrap().is_in_step());
    let refused = refused.lock().unwrap();
    assert!(refused.len() > 1 && refused.iter().all(|said| *said == Err(Code::Busy)), "{refused:?}");
}
