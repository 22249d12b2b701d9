//! The contract of every provider.

use portbook::provider::Provider as _;
use portbook::provider::sftp::HostKey;

use crate::contract;
use crate::in_process;
use crate::server::{OpenSsh, Rclone, fingerprint, open};

#[tokio::test]
async fn openssh_keeps_the_contract() {
    openssh(&[], true).await;
}

#[tokio::test]
async fn a_server_without_extensions_keeps_the_contract() {
    let all = "posix-rename,hardlink,fsync,limits,statvfs,fstatvfs,lsetstat,expand-path,copy-data";
    openssh(&[&format!("Subsystem sftp internal-sftp -P {all}")], false).await;
}

async fn openssh(lines: &[&str], has_extensions: bool) {
    let Some(server) = OpenSsh::with(lines) else { return };
    let (left, right) = (server.make_root("left"), server.make_root("right"));
    let one = open(server.options(&left)).await;
    assert_eq!((one.capabilities().create_is_exclusive, one.capabilities().mode), (has_extensions, true));
    assert_eq!(one.root().await.unwrap().free_bytes.is_some(), has_extensions);
    let one = std::cell::Cell::new(Some(one));
    let other = std::cell::Cell::new(Some(open(server.options(&right)).await));
    let again = std::cell::Cell::new(Some(open(server.options(&right)).await));
    contract::run(|| one.take().unwrap(), || other.take().or_else(|| again.take()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_this_process_keeps_the_contract() {
    let data = tempfile::tempdir().unwrap();
    let options = in_process::start(data.path()).await;
    let one = std::cell::Cell::new(Some(open(options("left")).await));
    let other = std::cell::Cell::new(Some(open(options("right")).await));
    let again = std::cell::Cell::new(Some(open(options("right")).await));
    let not_unicode: &[&[u8]] = &[b"\xff\xfe not unicode"];
    let other = || other.take().or_else(|| again.take()).unwrap();
    contract::run_without(not_unicode, || one.take().unwrap(), other).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_hashes_is_asked_what_it_holds() {
    for is_right in [true, false] {
        let data = tempfile::tempdir().unwrap();
        let twisted = std::sync::Arc::new(std::sync::Mutex::new(in_process::Twist::SaysHashes(is_right)));
        let options = in_process::start_twisted(data.path(), twisted).await;
        let place = open(options("left")).await;
        let staged = contract::put_staged(&place, contract::new_file(&contract::path("a"), &[7; 100_000])).await;
        if is_right {
            staged.unwrap();
            continue;
        }
        assert_eq!(staged.unwrap_err().code(), portbook::Code::Storage);
        assert_eq!(std::fs::read_dir(data.path().join("left")).unwrap().count(), 0, "nothing of it stays");
    }
}
