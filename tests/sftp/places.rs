//! The contract of every provider.

use portbook::provider::Provider as _;
use portbook::provider::sftp::HostKey;

use crate::contract;
use crate::server::{OpenSsh, Rclone, fingerprint, open};

#[tokio::test]
async fn openssh_keeps_the_contract() {
    let Some(server) = OpenSsh::start() else { return };
    let (left, right) = (server.make_root("left"), server.make_root("right"));
    let (one, other) = (open(server.options(&left)).await, open(server.options(&right)).await);
    assert!(one.capabilities().create_is_exclusive && one.capabilities().mode);
    let one = std::cell::Cell::new(Some(one));
    let other = std::cell::Cell::new(Some(other));
    let again = open(server.options(&right)).await;
    let again = std::cell::Cell::new(Some(again));
    contract::run(|| one.take().unwrap(), || other.take().or_else(|| again.take()).unwrap()).await;
}

#[tokio::test]
async fn rclone_keeps_the_contract() {
    rclone(&["--no-unicode-normalization"], false, false).await;
}

#[tokio::test]
async fn a_server_that_folds_names_keeps_the_contract() {
    // It folds normal forms by default.
    rclone(&["--vfs-case-insensitive"], true, true).await;
}

async fn rclone(flags: &[&str], case_insensitive: bool, unicode_insensitive: bool) {
    let Some(server) = Rclone::with(flags) else { return };
    let pinned = HostKey::Fingerprint(fingerprint(&server.options("left")).await);
    let options = |root| {
        let mut options = server.options(root).host_key(pinned.clone());
        (options.case_insensitive, options.unicode_insensitive) = (case_insensitive, unicode_insensitive);
        options
    };
    let one = std::cell::Cell::new(Some(open(options("left")).await));
    let other = std::cell::Cell::new(Some(open(options("right")).await));
    let again = std::cell::Cell::new(Some(open(options("right")).await));
    contract::run(|| one.take().unwrap(), || other.take().or_else(|| again.take()).unwrap()).await;
}
