//! The contract of [`Provider`], generic over how one is opened. The two roots are empty at the start, and places of
//! the same kind, so that the native copy between them is tried where there is one.
//!
//! Every assertion of these files is a check; how many different ones have held is counted, and must be enough.

use std::cell::RefCell;
use std::collections::BTreeSet;

use portbook::provider::Provider;

/// Different checks that every place must pass.
const CHECKS: usize = 60;

thread_local! {
    /// Where the checks stand that have held. A contract is run by the thread of its test alone.
    static HELD: RefCell<BTreeSet<(&'static str, u32)>> = const { RefCell::new(BTreeSet::new()) };
}

fn held(file: &'static str, line: u32) {
    HELD.with_borrow_mut(|held| held.insert((file, line)));
}

macro_rules! assert {
    ($($check:tt)*) => {{
        std::assert!($($check)*);
        crate::contract::held(file!(), line!());
    }};
}

macro_rules! assert_eq {
    ($($check:tt)*) => {{
        std::assert_eq!($($check)*);
        crate::contract::held(file!(), line!());
    }};
}

// After the macros, which they use.
mod arrival;
mod names;
mod reading;
mod things;
mod trash;
mod tree;

#[allow(unused_imports, reason = "each test takes what it needs")]
pub(crate) use things::{content, listed, new_file, path, publish, put, put_staged, stat};

/// Runs every case.
pub(crate) async fn run<P: Provider>(open: impl Fn() -> P, open_other: impl Fn() -> P) {
    run_without(&[], open, open_other).await;
}

/// Runs every case, but without these names: the server behind the place cannot hold them, and nothing says so before.
pub(crate) async fn run_without<P: Provider>(names: &[&[u8]], open: impl Fn() -> P, open_other: impl Fn() -> P) {
    HELD.take();
    let place = open();
    arrival::arrival(&place).await;
    arrival::batches(&place).await;
    arrival::replacing(&place).await;
    arrival::edges(&place).await;
    arrival::preconditions(&place).await;
    arrival::sources_that_lie(&place).await;
    tree::directories(&place).await;
    tree::beneath_a_file(&place).await;
    tree::moves(&place).await;
    tree::folding(&place).await;
    trash::trash(&place).await;
    trash::kept(&place).await;
    reading::ranges(&place).await;
    trash::leftovers(&place).await;
    trash::leftovers_in_a_directory(&place).await;
    tree::metadata(&place).await;
    reading::native(&place, &open_other()).await;
    if place.capabilities().symlinks {
        names::links(&place).await;
    } else {
        println!("skipped links: the place holds none");
    }
    names::hostile_names(&open_other(), names).await;
    let count = HELD.take().len();
    println!("{count} different checks have held");
    std::assert!(count >= CHECKS, "{count}");
}
