//! Upkeep on demand, with a clock that is set forward.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use portbook::conduit::{ApplyOptions, Upkeep};
use portbook::operation::ActivityFilter;
use portbook::provider::Bandwidth;
use portbook::store::{ActivityRetention, Engine, Expired};
use portbook::wait;

use crate::world::{World, claims, preview, sync};

claims! {
    upkeep_removes_what_has_outlived_its_time_and_nothing_else
    upkeep_of_a_root_that_is_gone_is_no_error
    activity_is_kept_as_long_as_the_book_says
    what_was_carried_of_a_large_file_waits_for_thirty_days
}

const DAY: i64 = 86_400;

fn upkeep_removes_what_has_outlived_its_time_and_nothing_else(world: &World) {
    world.write_many(3);
    let conduit = world.mirror();
    sync(&conduit);
    world.remove("a/f00000");
    world.remove("a/f00001");
    sync(&conduit);
    assert_eq!(wait(world.session.maintain()).unwrap(), Upkeep::default());
    world.clock.advance(29 * DAY);
    let early = wait(world.session.maintain()).unwrap();
    assert_eq!((early.trashed, early.activity), (0, 0));
    world.clock.advance(2 * DAY);
    let late = wait(world.session.maintain()).unwrap();
    assert!(late.trashed > 0, "{late:?}");
    let lines = wait(world.session.activity(ActivityFilter::default(), None, 100)).unwrap().rows.len() as u64;
    preview(&conduit);
    world.clock.advance(335 * DAY);
    let year = wait(world.book.maintain()).unwrap();
    assert_eq!((year.previews, year.activity), (1, lines));
    assert_eq!(wait(world.session.history(None, 10)).unwrap().len(), 2, "runs are kept");
    assert_eq!(wait(world.book.maintain()).unwrap(), Upkeep::default());
    assert!(sync(&conduit).counts.is_quiet());
}

fn upkeep_of_a_root_that_is_gone_is_no_error(world: &World) {
    world.write_many(1);
    sync(&world.mirror());
    std::fs::remove_dir_all(world.path("b")).unwrap();
    assert_eq!(wait(world.session.maintain()).unwrap(), Upkeep::default());
    assert!(!world.path("b").exists());
}

fn activity_is_kept_as_long_as_the_book_says(world: &World) {
    world.write_many(1);
    sync(&world.mirror());
    let lines = wait(world.session.activity(ActivityFilter::default(), None, 100)).unwrap().rows.len() as u64;
    assert!(lines > 0);
    let detaching = world.keeping(ActivityRetention { days: 40, expired: Expired::Detached });
    let deleting = world.keeping(ActivityRetention { days: 50, expired: Expired::Deleted });
    world.clock.advance(39 * DAY);
    assert_eq!(wait(detaching.maintain()).unwrap().activity, 0);
    world.clock.advance(2 * DAY);
    // A month is detached as a whole, by the owner of the tables; a file has no months.
    let deleted = match world.engine {
        Engine::Sqlite => lines,
        Engine::Postgres => 0,
    };
    assert_eq!(wait(detaching.maintain()).unwrap().activity, deleted);
    assert_eq!(wait(deleting.maintain()).unwrap().activity, 0);
    world.clock.advance(10 * DAY);
    assert_eq!(wait(deleting.maintain()).unwrap().activity, lines - deleted);
    assert!(wait(world.session.activity(ActivityFilter::default(), None, 100)).unwrap().rows.is_empty());
    wait(detaching.shutdown());
    wait(deleting.shutdown());
}

fn what_was_carried_of_a_large_file_waits_for_thirty_days(world: &World) {
    let mut file = File::create(world.path("a/large")).unwrap();
    for _ in 0..130 {
        file.write_all(&[7; 1 << 20]).unwrap();
    }
    let slow = ApplyOptions { bandwidth: Some(Bandwidth::constant(4 << 20)), ..ApplyOptions::default() };
    let run = world.mirror().sync(Default::default(), slow);
    let temporary = || std::fs::read_dir(world.path("b")).ok()?.flatten().next();
    let begun = Instant::now();
    while temporary().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is being carried");
        std::thread::yield_now();
    }
    run.cancel();
    assert!(wait(run.finish()).unwrap().cancelled);
    assert_eq!(wait(world.session.maintain()).unwrap().transfers, 0);
    assert!(temporary().is_some(), "it waits for the next run");
    world.clock.advance(31 * DAY);
    assert_eq!(wait(world.session.maintain()).unwrap().transfers, 1);
    assert!(temporary().is_none(), "{:?}", temporary());
    assert_eq!(wait(world.session.maintain()).unwrap(), Upkeep::default());
}
