//! What the languages are measured against: the changes of a preview, read in Rust.
//!
//! `cargo bench -p portbook-ffi --bench border -- DIR [--changes N]`, 100,000 unless told. DIR is made: a book, two
//! directories, a preview of so many changes, whose id is written to DIR/preview for the other languages to read. The last
//! line is a JSON object.

use std::path::Path;
use std::time::Instant;

use portbook::conduit::{ConduitOptions, Place, PreviewOptions};
use portbook::operation::{ChangeFilter, RunEvent};
use portbook::{Book, BookOptions};

const ROUNDS: usize = 5;
const CALLS: u32 = 1000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let changes: usize = after("--changes").and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let dir = Path::new(arguments.first().expect("a directory"));
    for number in 0..changes {
        let of = dir.join(format!("source/{:03}", number / 1000));
        if number % 1000 == 0 {
            std::fs::create_dir_all(&of).expect("a directory that can be written");
        }
        std::fs::write(of.join(format!("photo-{number:06}.jpeg")), b"x").expect("a file that can be written");
    }
    println!("{}", portbook::wait(measure(dir)).expect("a preview that can be read"));
}

async fn measure(dir: &Path) -> portbook::Result<String> {
    let book = Book::open(BookOptions::sqlite(dir.join("book.db"))).await?;
    let session = book.default_session().await?;
    let (source, target) = (Place::Local(dir.join("source")), Place::Local(dir.join("target")));
    let conduit = session.connect(source, target, ConduitOptions::default()).await?;
    let preview = conduit.preview(PreviewOptions::default()).await?.id;
    std::fs::write(dir.join("preview"), preview.to_string()).expect("a file that can be written");
    let (mut best, mut read) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (mut after, mut bytes) = (None, 0);
        read = 0;
        loop {
            let page = session.preview_changes(preview, ChangeFilter::default(), after, 1000).await?;
            read += page.len();
            bytes += page.iter().map(|change| change.bytes).sum::<u64>();
            after = page.last().map(|change| change.id);
            if page.len() < 1000 {
                break;
            }
        }
        std::hint::black_box(bytes);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let begun = Instant::now();
    for _ in 0..CALLS {
        session.preview(preview).await?;
    }
    let call = begun.elapsed().as_secs_f64() / f64::from(CALLS);
    let (source, other) = (Place::Local(dir.join("source")), Place::Local(dir.join("rust-events_read")));
    let run =
        session.connect(source, other, ConduitOptions::default()).await?.sync(Default::default(), Default::default());
    let (begun, mut events) = (Instant::now(), 0);
    while let Some(event) = run.next_event().await {
        // Each item is one that is told.
        events += if let RunEvent::Applied(items) = &event { items.len() } else { 1 };
    }
    run.finish().await?;
    let events = events as f64 / begun.elapsed().as_secs_f64();
    book.shutdown().await;
    let changes = read as f64 / best;
    Ok(format!(
        "{{\"rust_changes_per_s\":{changes:.0},\"rust_call_us\":{:.2},\"rust_events_per_s\":{events:.0}}}",
        call * 1e6
    ))
}
