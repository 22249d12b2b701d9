//! Resource units that processes share through a book, and what a run knows of them.

use std::sync::Arc;
use std::time::Duration;

use portbook::bridge::{RecordOptions, RecordPlace, RowApplyOptions, RowPreviewOptions};
use portbook::endpoint::sharepoint::{SharepointEndpoint, UnitBudget};
use portbook::endpoint::{Endpoint as _, TableName};
use portbook::operation::{Clock as _, RunEvent, RunPhase};
use portbook::{Book, BookOptions, Session};

use crate::fixture::{Site, batch, inserts, words};
use crate::graph::{Budget, GraphOptions, Window};

/// A process of its own: a book opened on the same file, and an endpoint that has its units from there.
struct Process {
    _book: Book,
    session: Session,
    endpoint: Arc<SharepointEndpoint>,
}

fn process(site: &Site, directory: &tempfile::TempDir, budget: UnitBudget) -> Process {
    let options = BookOptions::sqlite(directory.path().join("book.db")).clock(site.clock.clone());
    let book = portbook::wait(Book::open(options)).unwrap();
    let session = portbook::wait(book.default_session()).unwrap();
    let mut share = None;
    let endpoint = site.another(|options| {
        let account = options.account();
        portbook::wait(session.set_sharepoint_budget(account.clone(), budget)).unwrap();
        share = Some(session.sharepoint_units(account));
        options.share.clone_from(&share);
    });
    Process { _book: book, session, endpoint: Arc::new(endpoint) }
}

fn metered(budget: Budget) -> Site {
    Site::with(GraphOptions { budget, ..GraphOptions::default() }, |_| {})
}

#[tokio::test]
async fn two_processes_use_the_budget_and_do_not_exceed_it() {
    for window in [Window::Fixed, Window::Sliding] {
        let budget = Budget { window, ..Budget::default() };
        let site = metered(budget);
        let directory = tempfile::tempdir().unwrap();
        let both = [(); 2].map(|()| process(&site, &directory, UnitBudget::default()));
        let stock = both[0].endpoint.create(crate::fixture::stock()).await.unwrap().name;
        // When it last had to wait, what was spent until then.
        let (mut waited, mut spent) = (Duration::ZERO, 0);
        // By turns: what is on its way when a minute ends counts in the next one, and how much that is would be chance.
        for part in 0..120_u32 {
            let (time, units) = (site.clock.elapsed(), site.server.units());
            let rows = inserts(part * 20..part * 20 + 20);
            let outcomes = both[part as usize % 2].endpoint.write(batch(&stock, rows)).await.unwrap();
            assert_eq!(words(&outcomes), ["written"; 20], "{window:?}");
            if site.clock.elapsed() > time {
                (waited, spent) = (site.clock.elapsed(), units);
            }
        }
        let used = spent as f64 / (waited.as_secs_f64() / 60.0 * budget.per_minute as f64);
        assert!(waited >= Duration::from_secs(150), "4,800 units take more than three minutes");
        assert!((0.95..=1.0).contains(&used), "{window:?}: {used}");
        let counters = site.server.counters();
        assert!(counters.throttled * 100 <= counters.requests, "{window:?}: {} throttled", counters.throttled);
    }
}

#[tokio::test]
async fn a_day_of_units_is_kept_to() {
    let budget = Budget { per_minute: 300, per_day: 700, ..Budget::default() };
    let site = metered(budget);
    let directory = tempfile::tempdir().unwrap();
    let limits = UnitBudget { per_minute: 300, per_day: 690 };
    let both = [(); 2].map(|()| process(&site, &directory, limits));
    let stock = both[0].endpoint.create(crate::fixture::stock()).await.unwrap().name;
    for part in 0..25_u32 {
        let rows = inserts(part * 20..part * 20 + 20);
        let outcomes = both[part as usize % 2].endpoint.write(batch(&stock, rows)).await.unwrap();
        assert_eq!(words(&outcomes), ["written"; 20]);
    }
    assert_eq!(site.server.counters().throttled, 0);
    assert!(site.clock.elapsed() >= Duration::from_secs(12 * 3600), "a thousand units go on after midnight");
    assert!(site.clock.elapsed() < Duration::from_secs(13 * 3600));
}

/// Rows of a list go to a table; each costs a unit.
#[test]
fn a_run_knows_when_its_budget_lets_it_end() {
    const ROWS: u32 = 8000;
    let site = metered(Budget::default());
    let directory = tempfile::tempdir().unwrap();
    let process = process(&site, &directory, UnitBudget::default());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stock: TableName = runtime.block_on(process.endpoint.create(crate::fixture::stock())).unwrap().name;
    site.fill(ROWS);
    let file = directory.path().join("copy.db");
    let made = "CREATE TABLE stock (ID INTEGER PRIMARY KEY, amount REAL)";
    rusqlite::Connection::open(&file).unwrap().execute_batch(made).unwrap();
    let source = RecordPlace::Host { name: "site".into(), endpoint: process.endpoint.clone(), table: stock };
    let target = format!("sqlite://{}/stock", file.display()).parse().unwrap();
    let definition = portbook::wait(process.session.connect_records(source, target, RecordOptions::default())).unwrap();
    let run = definition.sync(RowPreviewOptions::default(), RowApplyOptions::default());
    let (mut begun, mut told) = (None, Vec::new());
    while let Some(event) = portbook::wait(run.next_event()) {
        let RunEvent::Progress(progress) = event else { continue };
        if progress.phase == RunPhase::Applying {
            let begun = *begun.get_or_insert(progress.elapsed);
            told.extend(progress.eta.map(|eta| (progress.elapsed - begun, eta)));
        }
    }
    let report = portbook::wait(run.finish()).unwrap();
    assert_eq!((report.counts.new, report.counts.failed), (u64::from(ROWS), 0));
    let took = told.last().unwrap().0;
    assert!(took >= Duration::from_secs(300), "eight thousand units take six minutes, and it took {took:?}");
    let after = told.iter().filter(|(at, _)| *at >= Duration::from_secs(60));
    let mut seen = 0;
    for (at, eta) in after {
        let off = (*at + *eta).abs_diff(took);
        assert!(off * 10 <= took, "after {at:?} it was to take {eta:?} more, and it took {took:?}");
        seen += 1;
    }
    assert!(seen >= 3, "it was told {seen} times");
    let counters = site.server.counters();
    assert!(counters.throttled * 100 <= counters.requests, "{} throttled", counters.throttled);
}
