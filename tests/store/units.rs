//! Resource units of an application, shared by processes that use one book.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use portbook::endpoint::sharepoint::{UnitAccount, UnitBudget, UnitShare};
use portbook::model::UserId;
use portbook::operation::Clock;
use portbook::{Book as FrontDoor, BookOptions, Code, Session};

use crate::fixture::{Book, Tenancy};

/// 2026-01-05T12:00:00Z.
const NOON: u64 = 1_767_614_400;

/// A clock that stands still until it is moved; whoever waits by it moves it, or waits for ever.
struct Still {
    millis: Arc<AtomicU64>,
    moves: bool,
}

impl Still {
    fn clock(moves: bool) -> Arc<Self> {
        Arc::new(Self { millis: Arc::new(AtomicU64::new(NOON * 1000)), moves })
    }

    fn advance(&self, by: Duration) {
        self.millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.millis.load(Ordering::SeqCst) as i64).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::SeqCst)) - Duration::from_secs(NOON)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if !self.moves {
            return Box::pin(std::future::pending());
        }
        let (until, millis) =
            (self.millis.load(Ordering::SeqCst) + duration.as_millis() as u64 + 1, Arc::clone(&self.millis));
        Box::pin(async move {
            millis.fetch_max(until, Ordering::SeqCst);
        })
    }
}

fn account() -> UnitAccount {
    UnitAccount::new("https://login.microsoftonline.com/", "Contoso.onmicrosoft.com", "6A1C0F3E")
}

/// A process of its own, as far as units go.
async fn process(book: &Book, clock: &Arc<Still>, t: &Tenancy) -> (FrontDoor, Session) {
    let options = BookOptions::store(book.store.clone()).clock(clock.clone());
    let door = FrontDoor::open(options).await.unwrap();
    let session = door.session(t.tenant, UserId::new(t.user)).await.unwrap();
    (door, session)
}

/// How long it would be waited for so many units.
async fn wait_for(share: &Arc<dyn UnitShare>, units: u64) -> u64 {
    share.allowance().await.unwrap().time_for(units).as_secs()
}

pub(crate) async fn processes_keep_to_one_budget(book: Arc<Book>) {
    let (clock, t) = (Still::clock(false), book.tenancy().await);
    let mut doors = Vec::new();
    let mut shares = Vec::new();
    for _ in 0..4 {
        let (door, session) = process(&book, &clock, &t).await;
        session.set_sharepoint_budget(account(), UnitBudget { per_minute: 1000, per_day: 100_000 }).await.unwrap();
        shares.push(session.sharepoint_units(account()));
        doors.push(door);
    }
    // As often as they are let, all at once; what is not let waits for ever.
    let taken = Arc::new(AtomicU64::new(0));
    let spend = |share: Arc<dyn UnitShare>, units: u32| {
        let taken = taken.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                share.take(units).await.unwrap();
                taken.fetch_add(units.into(), Ordering::SeqCst);
            }
        })
    };
    let tasks: Vec<_> = shares.iter().flat_map(|share| [spend(share.clone(), 7), spend(share.clone(), 2)]).collect();
    let mut before = u64::MAX;
    // Nothing moves any more.
    while taken.load(Ordering::SeqCst) != before {
        before = taken.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert!((950..=1000).contains(&before), "{before} of 1000 were let through");
    assert!(wait_for(&shares[0], 60).await >= 60, "what is left is little");
}

pub(crate) async fn what_is_not_spent_is_given_back_or_runs_out(book: Arc<Book>) {
    let (clock, t) = (Still::clock(true), book.tenancy().await);
    let (_one, session) = process(&book, &clock, &t).await;
    let (_two, other) = process(&book, &clock, &t).await;
    assert_eq!(session.sharepoint_budget(account()).await.unwrap(), UnitBudget::default());
    let (ours, theirs) = (session.sharepoint_units(account()), other.sharepoint_units(account()));
    ours.take(1).await.unwrap();
    assert_eq!(wait_for(&theirs, 1176).await, 0, "a fiftieth was taken ahead of use");
    assert!(wait_for(&theirs, 1177).await > 0);
    ours.take(23).await.unwrap();
    assert_eq!(wait_for(&theirs, 1176).await, 0, "of which the next is spent without a look at the book");
    ours.take(1).await.unwrap();
    clock.advance(Duration::from_millis(600));
    ours.take(1).await.unwrap();
    // 24 and 1 were spent, 23 given back, 24 taken.
    assert_eq!(wait_for(&theirs, 1151).await, 0, "what lapsed is given back with the next");
    assert!(wait_for(&theirs, 1152).await > 0);
    drop(ours);
    assert_eq!(wait_for(&theirs, 1200).await, 61, "what a dead process held runs out");
    clock.advance(Duration::from_secs(62));
    theirs.take(1200).await.unwrap();
    let before = clock.elapsed();
    theirs.take(2).await.unwrap();
    assert!(clock.elapsed() - before >= Duration::from_secs(60));
}

pub(crate) async fn a_day_of_units_and_a_pause_are_for_all(book: Arc<Book>) {
    let (clock, t) = (Still::clock(true), book.tenancy().await);
    let (_one, session) = process(&book, &clock, &t).await;
    let (_two, other) = process(&book, &clock, &t).await;
    let none = UnitBudget { per_minute: 0, per_day: 1 };
    assert_eq!(session.set_sharepoint_budget(account(), none).await.unwrap_err().code(), Code::Invalid);
    session.set_sharepoint_budget(account(), UnitBudget { per_minute: 100, per_day: 250 }).await.unwrap();
    let (ours, theirs) = (session.sharepoint_units(account()), other.sharepoint_units(account()));
    ours.pause(Duration::from_secs(30)).await;
    theirs.take(100).await.unwrap();
    assert!(clock.elapsed() >= Duration::from_secs(30));
    ours.take(100).await.unwrap();
    ours.take(50).await.unwrap();
    assert!(clock.elapsed() < Duration::from_secs(300));
    theirs.take(1).await.unwrap();
    assert!(clock.elapsed() >= Duration::from_secs(12 * 3600), "the day is over at midnight");
    // Another application, and another tenant of the book, have budgets of their own.
    let strange = session.sharepoint_units(UnitAccount::new("https://login.microsoftonline.com", "contoso", "other"));
    assert_eq!(wait_for(&strange, 1200).await, 0);
    let t = book.tenancy().await;
    let (_three, foreign) = process(&book, &clock, &t).await;
    assert_eq!(wait_for(&foreign.sharepoint_units(account()), 1200).await, 0);
}

pub(crate) async fn what_the_service_counts_besides_is_heeded_by_all(book: Arc<Book>) {
    let (clock, t) = (Still::clock(true), book.tenancy().await);
    let (_one, session) = process(&book, &clock, &t).await;
    let (_two, other) = process(&book, &clock, &t).await;
    let (ours, theirs) = (session.sharepoint_units(account()), other.sharepoint_units(account()));
    ours.take(200).await.unwrap();
    theirs.take(200).await.unwrap();
    // What both have spent is no news.
    ours.told(800, Duration::from_secs(50)).await;
    assert_eq!(wait_for(&theirs, 800).await, 0);
    // A program that does not count here spends as well.
    ours.told(100, Duration::from_secs(40)).await;
    assert_eq!((wait_for(&theirs, 100).await, wait_for(&theirs, 101).await), (0, 40));
    // A clock that is set back makes nobody wait longer than a minute.
    clock.millis.fetch_sub(3_600_000, Ordering::SeqCst);
    assert!(wait_for(&theirs, 1200).await <= 61);
}
