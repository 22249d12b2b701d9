//! What every provider must do, and what only the local one can show.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod contract;

use portbook::provider::local::Local;

#[tokio::test]
async fn a_directory_of_this_machine_keeps_the_contract() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    contract::run(|| Local::open(left.path()).unwrap(), || Local::open(right.path()).unwrap()).await;
}
