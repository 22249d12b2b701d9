//! Whole syncs between a directory of this machine and an FTP server.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use portbook::conduit::{ApplyOptions, Conduit, ConduitOptions, Place, PreviewOptions};
use portbook::operation::RunReport;
use portbook::provider::ftp::{Ftp, FtpOptions};
use portbook::{Book, BookOptions, wait};

use crate::files::{self, tree};
use crate::places::{in_process, open_to_all, options};
use crate::service::Service;

fn sync(conduit: &Conduit) -> RunReport {
    let report = wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish()).unwrap();
    assert!(report.is_in_step(), "{report:?}");
    report
}

fn write(root: &Path, name: &str, content: &[u8], age_s: u64) {
    files::write_at(&root.join(name), content, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - age_s));
}

/// There and back again.
fn there_and_back(data: &Path, options: impl Fn() -> FtpOptions, keeps_times: bool) {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("a"), home.path().join("b"));
    for i in 0..40 {
        write(&a, &format!("d{}/f{i:02}", i % 3), format!("content {i}").repeat(i).as_bytes(), i as u64 * 86_400);
    }
    write(&a, "deep/er/and/deeper/file", b"x", 5);
    write(&a, "odd/-rf *[a] \u{e9} 'q' \"r\"", b"odd", 6);
    write(&a, ".hidden", b"h", 7);
    write(&a, "large", &vec![9; 5_000_000], 8);
    std::fs::create_dir_all(a.join("empty")).unwrap();
    std::fs::create_dir_all(&b).unwrap();
    let book = wait(Book::open(BookOptions::sqlite(home.path().join("book.db")))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let ftp = || Place::Provider {
        key: "ftp://server/place".into(),
        provider: Arc::new(runtime().block_on(Ftp::open(options())).unwrap()),
    };
    let there = wait(session.connect(Place::Local(a.clone()), ftp(), ConduitOptions::default())).unwrap();
    let first = sync(&there);
    assert_eq!(tree(&a), tree(data), "{first:?}");
    assert!(sync(&there).counts.is_quiet(), "nothing to do");
    if keeps_times {
        let time = |root: &Path| std::fs::metadata(root.join("large")).unwrap().modified().unwrap();
        assert_eq!(time(&a), time(data));
    }
    write(&a, "d1/f01", b"an edit", 0);
    write(&a, "d2/new", b"a new one", 0);
    std::fs::remove_file(a.join("d0/f00")).unwrap();
    std::fs::remove_dir_all(a.join("deep")).unwrap();
    std::fs::rename(a.join("odd"), a.join("even")).unwrap();
    sync(&there);
    assert_eq!(tree(&a), tree(data));
    assert!(sync(&there).counts.is_quiet(), "nothing to do");
    let back = wait(session.connect(ftp(), Place::Local(b.clone()), ConduitOptions::default())).unwrap();
    sync(&back);
    assert_eq!(tree(&a), tree(&b));
    assert!(sync(&back).counts.is_quiet(), "nothing to do");
    wait(book.shutdown());
}

/// Connections live in the runtime that they were made in.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

#[test]
fn a_sync_to_proftpd_and_back() {
    let Some(server) = Service::start("proftpd", &["plain"]) else { return };
    let data = server.directory().join("data");
    there_and_back(&data, || options(server.port(), ""), true);
}

#[test]
fn a_sync_to_a_server_without_mlsd_and_back() {
    let Some(server) = Service::start("vsftpd", &[]) else { return };
    let anonymous = || FtpOptions { user: "anonymous".into(), ..options(server.port(), "place") };
    let data = server.directory().join("data/place");
    std::fs::create_dir(&data).unwrap();
    open_to_all(&data);
    there_and_back(&data, anonymous, false);
}

#[test]
fn a_sync_to_a_server_of_this_process_and_back() {
    let data = tempfile::tempdir().unwrap();
    let port = runtime().block_on(in_process(data.path()));
    there_and_back(data.path(), || options(port, ""), false);
}
