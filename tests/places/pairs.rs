//! From each kind of place to each: everything arrives, both sides are read and compared, and then there is nothing to do.
//!
//! `PORTBOOK_PAIRS=full` carries 64 MiB too.

use std::path::Path;

use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions, VerifyOptions};
use portbook::operation::RunReport;
use portbook::{Book, BookOptions, Session, wait};

use crate::ground::{Ground, Kind};
use crate::tree::{bytes, tree, write};

const KINDS: [Kind; 6] = [Kind::Local, Kind::S3, Kind::Sftp, Kind::Ftp, Kind::Ftps, Kind::WebDav];

/// Names that protocols quote, escape, fold or take for options and patterns.
const ODD: [&str; 14] = [
    "-rf",
    ".hidden",
    "100% & more #1",
    "a+b=c;d,e",
    "brackets [x] {y} (z)",
    "quote ' and \" and `",
    "what? *",
    "back\\slash",
    "\u{e9}\u{fc}\u{df} \u{4e2d}\u{6587} \u{1f4be}",
    "tilde~",
    "~home",
    "a:b|c<d>e",
    "two  spaces",
    "%41%2f",
];

fn fill(root: &Path, sizes: &[usize]) {
    for (i, name) in ODD.iter().enumerate() {
        write(&root.join("odd").join(name), name.as_bytes(), 1_500_000_000 + i as u64);
        // ProFTPD makes no directories with such names.
        if !name.contains('*') {
            write(&root.join("odd dirs").join(name).join("f"), b"f", 1_500_000_000);
        }
    }
    let mut deep = root.join("deep");
    for i in 0..24 {
        deep.push(format!("level {i}"));
    }
    write(&deep.join("file"), b"at the bottom", 1_500_000_000);
    write(&deep.join("empty"), b"", 1_500_000_000);
    std::fs::create_dir_all(root.join("nothing/in it")).unwrap();
    for (i, size) in sizes.iter().enumerate() {
        write(&root.join(format!("sizes/{size}")), &bytes(i as u64, *size), 1_300_000_000 + i as u64);
    }
}

fn sync(session: &Session, from: &Place, to: &Place, what: &str) -> RunReport {
    let conduit = wait(session.connect(from.clone(), to.clone(), ConduitOptions::default()));
    let conduit = conduit.unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let report = wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish());
    let report = report.unwrap_or_else(|e| panic!("{what}: {e:?}"));
    assert!(report.is_in_step(), "{what}: {report:?}");
    report
}

/// Everything arrives, is the same, and stays as it is.
fn arrives(session: &Session, from: &Place, to: &Place, items: u64, what: &str) {
    let begun = std::time::Instant::now();
    let first = sync(session, from, to, what);
    assert_eq!((first.counts.new, first.counts.updated), (items, 0), "{what}: {first:?}");
    let options = VerifyOptions { checksum: true, ..VerifyOptions::default() };
    let verified = wait(session.verify(from.clone(), to.clone(), options)).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    assert!(verified.is_in_step() && verified.compared == items, "{what}: {verified:?}");
    let quiet = sync(session, from, to, what);
    assert!(quiet.counts.is_quiet() && quiet.bytes == 0, "{what}: {quiet:?}");
    println!("{what}: {:?}", begun.elapsed());
}

#[test]
fn whatever_one_place_holds_every_other_takes() {
    let is_full = std::env::var("PORTBOOK_PAIRS").is_ok_and(|value| value == "full");
    let mut sizes = vec![0, 1, 4_095, 4_096, 65_537, 1 << 20, (9 << 20) + 1];
    if is_full {
        sizes.extend([(5 << 20) - 1, 5 << 20, 8 << 20, 16 << 20, (16 << 20) + 1, 64 << 20]);
    }
    let dir = tempfile::tempdir().unwrap();
    let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let source = dir.path().join("source");
    fill(&source, &sizes);
    let whole = tree(&source);
    let items = whole.len() as u64;
    let grounds: Vec<Ground> = KINDS.into_iter().filter_map(Ground::start).collect();
    let mut count = 0;
    for ground in &grounds {
        let what = format!("Local source to {:?}", ground.kind);
        arrives(&session, &Place::Local(source.clone()), &ground.place(ground.port, "source"), items, &what);
    }
    for (from, to) in grounds.iter().flat_map(|from| grounds.iter().map(move |to| (from, to))) {
        let what = format!("{:?} to {:?}", from.kind, to.kind);
        let root = format!("from {:?}", from.kind).to_lowercase().replace(' ', "-");
        arrives(&session, &from.place(from.port, "source"), &to.place(to.port, &root), items, &what);
        if let Some(root) = to.directory(&root) {
            assert!(tree(&root) == whole, "{what}: another tree");
        }
        count += 1;
    }
    // What the WebDAV server holds, as a web server shows it: neither a directory nor a file that begins with a dot.
    let Some(web) = grounds.iter().find(|ground| ground.kind == Kind::WebDav) else { return };
    let shown: Vec<_> = whole.keys().filter(|path| !path.split('/').any(|name| name.starts_with('.'))).collect();
    for to in &grounds {
        let what = format!("Http to {:?}", to.kind);
        let from = web.as_web(web.port, "source");
        arrives(&session, &from, &to.place(to.port, "from-http"), shown.len() as u64, &what);
        count += 1;
    }
    println!("PAIRS: {count} pairs of {} items up to {} bytes", items, sizes.iter().max().unwrap());
    wait(book.shutdown());
}
