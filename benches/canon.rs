//! Rows into their canonical encoding, and their content and identity hashes: rows a second on one core.
//!
//! `cargo bench --bench canon -- [--rows ROWS]`, 1,000,000 rows of 12 columns unless told. Rows are made in pages of 4096, as
//! an endpoint fills them; the page is used again.

use std::hint::black_box;
use std::time::Instant;

use portbook::identity::{ContentHasher, IdentityHasher, RowBatch};
use portbook::model::{TenantId, Tick};
use uuid::Uuid;

const PAGE: u64 = 4096;
const COLUMNS: usize = 12;

/// The median of so many runs counts.
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let rows = after("--rows").and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let mut page = RowBatch::new(COLUMNS);
    (0..PAGE).for_each(|row| fill(&mut page, row));
    let size = page.size_bytes() as f64 / PAGE as f64;
    let fields: Vec<_> = (0..COLUMNS).map(|at| format!("column_{at:02}")).collect();
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    let content = ContentHasher::new(&fields).expect("the fields are in order");
    let identity = IdentityHasher::new(TenantId(Uuid::from_u128(1)), Uuid::from_u128(2), 1);

    let encoded = measured(rows, |first| {
        page.clear();
        (first..first + PAGE).for_each(|row| fill(&mut page, row));
        black_box(page.size_bytes());
    });
    let hashed = measured(rows, |_| {
        page.iter().for_each(|row| {
            black_box(content.hash(row.values(0..COLUMNS)));
        });
    });
    let both = {
        let mut page = RowBatch::new(COLUMNS);
        measured(rows, |first| {
            page.clear();
            (first..first + PAGE).for_each(|row| fill(&mut page, row));
            page.iter().for_each(|row| {
                black_box(content.hash(row.values(0..COLUMNS)));
            });
        })
    };
    let identified = measured(rows, |_| {
        page.iter().for_each(|row| {
            black_box(identity.hash(row.value(0)));
        });
    });
    for (name, rate) in [("encode", encoded), ("content", hashed), ("encode + content", both), ("identity", identified)]
    {
        println!("{name:<17} {rate:>11.0} rows/s {:>7.1} ns", 1e9 / rate);
    }
    println!(
        "{{\"bytes_per_row\":{size:.1},\"encoded_per_s\":{encoded:.0},\"content_per_s\":{hashed:.0},\
         \"encoded_and_content_per_s\":{both:.0},\"identity_per_s\":{identified:.0}}}"
    );
}

/// Rows a second of a piece of work that takes a page each time.
fn measured(rows: u64, mut page: impl FnMut(u64)) -> f64 {
    let pages = rows.div_ceil(PAGE);
    let mut rates: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..pages).for_each(|at| page(at * PAGE));
            (pages * PAGE) as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[RUNS / 2]
}

/// A row as tables of customers and orders have them.
fn fill(page: &mut RowBatch, row: u64) {
    let number = row as i64;
    let at = Tick { seconds: 1_700_000_000 + number, nanos: 123_456_000 };
    page.value(|e| e.integer(number));
    page.value(|e| e.uuid(Uuid::from_u64_pair(row.wrapping_mul(0x9e37_79b9_7f4a_7c15), row)));
    page.value(|e| e.text("Ottilie Hafenmeister"));
    page.value(|e| e.text("ottilie.hafenmeister@example.org"));
    page.value(|e| e.decimal(false, "1234500", -4));
    page.value(|e| e.float(number as f64 * 0.25));
    page.value(|e| e.boolean(row.is_multiple_of(2)));
    page.value(|e| e.date(20_000 + (row % 1000) as i32));
    page.value(|e| e.instant(at));
    page.value(|e| if row.is_multiple_of(3) { e.null() } else { e.text("a note of some words") });
    page.value(|e| e.integer(number % 97));
    page.value(|e| e.text("DE"));
}
