//! What is measured, by hand: `cargo test --release --test provider measure -- --ignored --nocapture`.
//! `PORTBOOK_MEASURE_DIR` chooses the file system.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use portbook::delta::Expect;
use portbook::model::{Kind, RelPath};
use portbook::provider::local::Local;
use portbook::provider::{Listing, Provider, Publish, Source, Stage};

use crate::contract::{path, stat};

fn directory() -> tempfile::TempDir {
    let at = std::env::var_os("PORTBOOK_MEASURE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::tempdir_in(at).unwrap()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn listing() {
    let dir = directory();
    let (dirs, files) = (1_000, 200);
    for d in 0..dirs {
        let sub = dir.path().join(format!("directory-{d}"));
        std::fs::create_dir(&sub).unwrap();
        for f in 0..files {
            std::fs::File::create(sub.join(format!("some-file-name-{f}.txt"))).unwrap();
        }
    }
    let place = Local::open(dir.path()).unwrap();
    let paths: Vec<RelPath> = (0..dirs).map(|d| path(&format!("directory-{d}"))).collect();
    for _ in 0..5 {
        let (start, cpu) = (Instant::now(), cpu_ns());
        let mut seen = 0;
        for batch in paths.chunks(128) {
            for listing in place.list(batch.to_vec()).await {
                let Listing::Complete(entries) = listing else { panic!("incomplete") };
                seen += entries.len();
            }
        }
        let per = |ns: u128| ns / seen as u128;
        println!(
            "list: {seen} entries, {} ns each, {} ns of CPU",
            per(start.elapsed().as_nanos()),
            per(cpu_ns() - cpu)
        );
    }
}

fn cpu_ns() -> u128 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<u128>().unwrap() + fields[12].parse::<u128>().unwrap()) * 10_000_000
}

async fn carry(from: &Local, to: &Local, names: &[RelPath]) {
    for names in names.chunks(512) {
        let seen = from.stat(names.to_vec()).await;
        let items = names.iter().zip(seen).map(|(name, node)| Stage {
            target: name.clone(),
            tag: name.to_string().replace('/', "-"),
            source: Source::Native {
                source: from.native_source().unwrap(),
                path: name.clone(),
                expect: node.unwrap().unwrap(),
                pace: Default::default(),
            },
            kind: Kind::File,
            metadata: Default::default(),
            replaces: false,
            resume: None,
        });
        let staged = to.stage(items.collect()).await;
        to.flush(names.to_vec()).await.unwrap();
        let items =
            staged.into_iter().map(|staged| Publish { staged: staged.unwrap(), expect: Expect::Absent, archive: None });
        assert!(to.publish(items.collect()).await.iter().all(Result::is_ok));
    }
    to.flush(names.to_vec()).await.unwrap();
}

#[tokio::test]
#[ignore = "a measurement"]
async fn small_files() {
    let (from, to) = (directory(), directory());
    let count = 20_000;
    for f in 0..count {
        std::fs::write(from.path().join(f.to_string()), vec![f as u8; 4_000]).unwrap();
    }
    let (source, target) = (Local::open(from.path()).unwrap(), Local::open(to.path()).unwrap());
    let names: Vec<RelPath> = (0..count).map(|f| path(&f.to_string())).collect();
    let start = Instant::now();
    carry(&source, &target, &names).await;
    println!("{count} files of 4,000 bytes: {:?}", start.elapsed());
    let copy = directory();
    let start = Instant::now();
    let script = format!("cp -r {} {} && sync", from.path().display(), copy.path().display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    println!("cp -r and sync: {:?}", start.elapsed());
}

#[tokio::test]
#[ignore = "a measurement"]
async fn a_large_file() {
    let (from, to) = (directory(), directory());
    let big = from.path().join("big");
    let script = format!("head -c 2147483648 /dev/urandom > {} && sync", big.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let (source, target) = (Local::open(from.path()).unwrap(), Local::open(to.path()).unwrap());
    for _ in 0..3 {
        let start = Instant::now();
        carry(&source, &target, &[path("big")]).await;
        println!("2 GiB: {:?}", start.elapsed());
        assert!(stat(&target, "big").await.is_some());
        std::fs::remove_file(to.path().join("big")).unwrap();
        let copy = to.path().join("cp");
        let start = Instant::now();
        let script = format!("cp --reflink=never {} {}", big.display(), copy.display());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        let copied = start.elapsed();
        assert!(Command::new("sync").arg(&copy).status().unwrap().success());
        println!("cp: {copied:?}, with sync: {:?}", start.elapsed());
        std::fs::remove_file(copy).unwrap();
    }
}
