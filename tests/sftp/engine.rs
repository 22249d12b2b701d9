//! A folder of this machine and one of a server, kept in step by the engine.

use std::sync::Arc;

use portbook::conduit::{ApplyOptions, Conduit, ConduitOptions, Place, PreviewOptions};
use portbook::model::SyncMode;
use portbook::operation::RunReport;
use portbook::provider::Provider as _;
use portbook::provider::sftp::{HostKey, Sftp};
use portbook::{Book, BookOptions, wait};

use crate::files::{tree, write};
use crate::server::OpenSsh;

fn sync(conduit: &Conduit) -> RunReport {
    let report = wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish()).unwrap();
    assert!(report.is_in_step(), "{report:?}");
    report
}

#[test]
fn two_folders_are_kept_in_step_both_ways() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(server) = OpenSsh::start() else { return };
    let there = server.make_root("there");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sftp = Arc::new(runtime.block_on(Sftp::connect(server.options(&there))).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let place = Place::Provider { key: "sftp there".into(), provider: sftp };
    let (here, back) = (dir.path().join("here"), dir.path().join("back"));
    for i in 0..300 {
        write(&here.join(format!("d{}/f{i}", i % 7)), format!("file {i}").as_bytes(), 3600 + i);
    }
    write(&here.join("large"), &vec![7; 20 << 20], 7200);
    std::os::unix::fs::symlink("d0/f0", here.join("link")).unwrap();
    let both = ConduitOptions { mode: SyncMode::Bidirectional, ..ConduitOptions::default() };
    let conduit = wait(session.connect(Place::Local(here.clone()), place.clone(), both)).unwrap();

    let report = sync(&conduit);
    assert_eq!((report.counts.new, report.verification.as_str()), (300 + 1 + 1 + 7, "verified"), "{report:?}");
    assert_eq!(tree(&here), tree(&there));
    for name in ["d3/f3", "large"] {
        let (a, b) = (std::fs::metadata(here.join(name)).unwrap(), std::fs::metadata(there.join(name)).unwrap());
        assert_eq!((a.mode(), a.mtime()), (b.mode(), b.mtime()), "{name}");
    }
    let quiet = sync(&conduit);
    assert_eq!((quiet.counts.new, quiet.counts.updated, quiet.counts.deleted, quiet.bytes), (0, 0, 0, 0), "{quiet:?}");

    write(&here.join("d1/f1"), b"edited here", 60);
    write(&there.join("d2/f2"), b"edited there, and longer", 60);
    write(&there.join("new there"), b"new", 60);
    std::fs::remove_file(here.join("d3/f3")).unwrap();
    std::fs::remove_file(there.join("d4/f4")).unwrap();
    std::fs::rename(here.join("d5"), here.join("renamed")).unwrap();
    let report = sync(&conduit);
    assert_eq!((report.counts.updated, report.counts.deleted), (2, 2), "{report:?}");
    assert_eq!(tree(&here), tree(&there));
    assert_eq!(std::fs::read(here.join("d2/f2")).unwrap(), b"edited there, and longer");
    assert!(there.join("renamed/f5").exists() && !there.join("d5").exists());
    assert!(there.join(".portbook/trash").exists(), "what was deleted is in the trash");
    assert_eq!(sync(&conduit).bytes, 0);

    std::fs::create_dir(&back).unwrap();
    let mirror = wait(session.connect(place, Place::Local(back.clone()), ConduitOptions::default())).unwrap();
    sync(&mirror);
    assert_eq!(tree(&there), tree(&back));
    let (a, b) = (std::fs::metadata(there.join("large")).unwrap(), std::fs::metadata(back.join("large")).unwrap());
    assert_eq!((a.mode(), a.mtime()), (b.mode(), b.mtime()));
    wait(book.shutdown());
}

/// What lies there is the same place, whichever key the user believes the server by.
#[test]
fn another_key_of_the_host_is_no_other_place() {
    let Some(server) = OpenSsh::start() else { return };
    let there = server.make_root("there");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let here = dir.path().join("here");
    write(&here.join("f"), b"content", 3600);
    let mut identities = Vec::new();
    for (kind, new) in [("ed25519", 1), ("rsa", 0), ("ecdsa", 0)] {
        let key = std::fs::read_to_string(server.file(&format!("host_{kind}.pub"))).unwrap();
        let hosts = server.file(&format!("known_{kind}"));
        std::fs::write(&hosts, format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
        let options = server.options(&there).host_key(HostKey::KnownHosts(Some(hosts)));
        let sftp = Arc::new(runtime.block_on(Sftp::connect(options)).unwrap());
        identities.push(runtime.block_on(sftp.root()).unwrap().ident);
        let place = Place::Provider { key: "sftp there".into(), provider: sftp };
        let conduit = wait(session.connect(Place::Local(here.clone()), place, ConduitOptions::default())).unwrap();
        assert_eq!(sync(&conduit).counts.new, new, "{kind}");
    }
    assert!(identities.windows(2).all(|two| two[0] == two[1]), "{identities:?}");
    // Another directory is another place.
    let other = runtime.block_on(Sftp::connect(server.options(&server.make_root("other")))).unwrap();
    assert_ne!(runtime.block_on(other.root()).unwrap().ident, identities[0]);
    wait(book.shutdown());
}
