//! Opening a book that exists and getting a session of it. The key is one of 32 bytes: nothing has to be derived.

use std::time::Instant;

use portbook::ledger::Ledger;
use portbook::model::{Held, Kind, Name, Pair, PairId, Sides, TenantId, UserId};
use portbook::store::Write;
use portbook::vault::KeySource;
use portbook::{Book, BookOptions};
use uuid::Uuid;

use super::{Figures, Place, small, tenancy};

const ROUNDS: usize = 201;
const LINES: i64 = 20_000;

pub(super) async fn measure(place: &Place, pairs: i64) -> Figures {
    let (tenant, user) = fill(place, pairs).await;
    let mut figures = Figures::new();
    figures.insert("pairs", pairs as f64);
    let alone = rounds(place, tenant, user).await;
    // As a second process finds it: open in another, with a log beside the file.
    let other = open(place).await;
    let beside = rounds(place, tenant, user).await;
    other.shutdown().await;
    let mut measured = vec![
        (["open_session_ms", "open_session_ms_least", "open_session_ms_95th"], alone),
        (["beside_another_ms", "beside_another_ms_least", "beside_another_ms_95th"], beside),
    ];
    if let Place::Server(url) = place {
        measured.push((["connect_ms", "connect_ms_least", "connect_ms_95th"], connects(url).await));
    }
    for (names, mut spent) in measured {
        spent.sort_by(f64::total_cmp);
        for (name, at) in names.into_iter().zip([spent.len() / 2, 0, spent.len() * 95 / 100]) {
            figures.insert(name, spent[at]);
            println!("{name}: {:.3}", spent[at]);
        }
    }
    figures
}

async fn rounds(place: &Place, tenant: TenantId, user: UserId) -> Vec<f64> {
    let mut spent = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let book = open(place).await;
        let session = book.session(tenant, user).await.unwrap();
        spent.push(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(session.tenant(), tenant);
        book.shutdown().await;
    }
    spent
}

/// What the server takes to start a process for a connection and to answer one question on it: less cannot be had.
async fn connects(url: &str) -> Vec<f64> {
    let mut spent = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.query("SELECT number FROM portbook.schema_migration", &[]).await.unwrap();
        spent.push(begun.elapsed().as_secs_f64() * 1e3);
        drop(client);
        connection.await.unwrap().unwrap();
    }
    spent
}

async fn open(place: &Place) -> Book {
    let options = match place {
        Place::File(path) => BookOptions::sqlite(path),
        Place::Server(url) => BookOptions::postgres(url.as_str()),
    };
    Book::open(options.key(KeySource::raw(vec![7; 32].into()).unwrap())).await.unwrap()
}

/// A book that has been used: a ledger of so many pairs, in directories of 100, and lines of activity.
async fn fill(place: &Place, pairs: i64) -> (TenantId, UserId) {
    let store = place.open().await;
    let (tenant, user, conduit) = tenancy(&*store).await;
    let ledger = Ledger::new(store.clone(), tenant, conduit);
    let all: Vec<_> = (0..pairs).collect();
    for numbers in all.chunks(10_000) {
        let pairs: Vec<_> = numbers.iter().map(|n| pair(*n)).collect();
        store.write(tenant, vec![ledger.put(&pairs)]).await.unwrap();
    }
    for _ in 0..LINES / 1000 {
        let lines: Vec<Write> = (0..1000).map(|_| small::line(tenant, user)).collect();
        store.write(tenant, lines).await.unwrap();
    }
    store.shutdown().await;
    (tenant, UserId::new(user))
}

fn pair(n: i64) -> Pair {
    let is_directory = n % 100 == 0;
    Pair {
        id: PairId(n + 1),
        parent: if is_directory { PairId::ROOT } else { PairId(n / 100 * 100 + 1) },
        name: Name::new(Uuid::now_v7().to_string().as_bytes()).unwrap(),
        kind: if is_directory { Kind::Dir } else { Kind::File },
        content: None,
        held: Sides::new(Held::default(), Held::default()),
    }
}
