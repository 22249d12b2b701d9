//! How fast it is against OpenSSH on this machine; run with `-- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::Kind;
use portbook::provider::{InMemory, Provider as _, Publish, Source, Stage};

use crate::contract::path;
use crate::server::{OpenSsh, open};

fn stage(name: &str, bytes: &Bytes) -> Stage {
    Stage {
        target: path(name),
        tag: ContentHash::of(name.as_bytes()).to_string(),
        source: Source::Feed(Arc::new(InMemory(bytes.clone()))),
        kind: Kind::File,
        metadata: Metadata::default(),
        replaces: false,
        resume: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a claim"]
async fn small_and_large_files() {
    let Some(server) = OpenSsh::start() else { return };
    let place = open(server.options(&server.make_root("measured"))).await;
    let small = Bytes::from(vec![1; 4_000]);
    let begun = Instant::now();
    let items = (0..2_000).map(|i| stage(&format!("f{i:05}"), &small)).collect();
    let staged: Vec<_> = place.stage(items).await.into_iter().map(|s| s.unwrap()).collect();
    let between = begun.elapsed();
    let items = staged.into_iter().map(|staged| Publish { staged, expect: Expect::Absent, archive: None }).collect();
    place.publish(items).await.into_iter().for_each(|p| drop(p.unwrap()));
    place.flush(Vec::new()).await.unwrap();
    println!("2000 files of 4 kB: staged in {between:?}, all in {:?}", begun.elapsed());
    let begun = Instant::now();
    let paths = (0..2_000).map(|i| path(&format!("f{i:05}"))).collect();
    place.hash(paths).await.into_iter().for_each(|h| drop(h.unwrap()));
    println!("2000 files of 4 kB: read in {:?}", begun.elapsed());
    let begun = Instant::now();
    place.list(vec![path("")]).await;
    println!("2000 files: listed in {:?}", begun.elapsed());
    let large = Bytes::from(vec![2; 256 << 20]);
    let begun = Instant::now();
    let staged = place.stage(vec![stage("large", &large)]).await.remove(0).unwrap();
    println!("256 MiB written in {:?}", begun.elapsed());
    place.publish(vec![Publish { staged, expect: Expect::Absent, archive: None }]).await.remove(0).unwrap();
    let begun = Instant::now();
    let mut read = place.read(&path("large"), None, 0, None).await.unwrap().bytes;
    let mut size = 0;
    while let Some(piece) = read.try_next().await.unwrap() {
        size += piece.len();
    }
    println!("{} MiB read in {:?}", size >> 20, begun.elapsed());
}
