//! Power loss on the model disk: what was flushed is there, and a published name never shows a part.

use std::path::Path;
use std::sync::Arc;

use portbook::delta::Expect;
use portbook::model::Kind;
use portbook::provider::local::Local;
use portbook::provider::simulation::{FaultDisk, ModelDisk, ModelOptions};
use portbook::provider::{Provider, Publish};

use crate::contract::{self, content, path, put, stat};

type Place = Local<FaultDisk<ModelDisk>>;

fn on(disk: ModelDisk) -> (FaultDisk<ModelDisk>, Place) {
    let disk = FaultDisk::new(disk);
    let place = Local::open_on(Arc::new(disk.clone()), Path::new("/")).unwrap();
    (disk, place)
}

#[tokio::test]
async fn what_was_flushed_survives_every_power_loss() {
    for options in [ModelOptions::default(), ModelOptions { sync_all: false, ..ModelOptions::default() }] {
        let (disk, place) = on(ModelDisk::new(options));
        for i in 0..40_u8 {
            put(&place, &format!("file-{i}"), &vec![i; 10_000], Expect::Absent).await.unwrap();
        }
        for seed in 0..200 {
            let (_, after) = on(disk.inner().crash(seed));
            for i in 0..40_u8 {
                assert_eq!(content(&after, &format!("file-{i}")).await, vec![i; 10_000], "seed {seed}");
            }
        }
    }
}

/// The engine's order: stage, flush, publish, and no second flush before the power goes.
#[tokio::test]
async fn a_name_published_after_a_flush_shows_the_old_content_or_the_new() {
    for many in [1, 50] {
        let (disk, place) = on(ModelDisk::default());
        let mut expect = Vec::new();
        for i in 0..many {
            expect.push(put(&place, &format!("f{i}"), b"old content", Expect::Absent).await.unwrap());
        }
        let names: Vec<_> = (0..many).map(|i| path(&format!("f{i}"))).collect();
        let items = names.iter().map(|n| contract::new_file(n, &[b'n'; 9_000])).collect();
        let staged = place.stage(items).await.into_iter().map(Result::unwrap);
        let staged: Vec<_> = staged.collect();
        place.flush(names.clone()).await.unwrap();
        let publish = staged.into_iter().zip(expect).enumerate().map(|(i, (staged, node))| Publish {
            staged,
            expect: Expect::Node(node),
            archive: (i % 2 == 0).then(|| "run".to_string()),
        });
        let nodes = place.publish(publish.collect()).await;
        assert!(nodes.iter().all(Result::is_ok), "{nodes:?}");
        let mut seen = [0, 0];
        for seed in 0..300 {
            let (_, after) = on(disk.inner().crash(seed));
            for (i, name) in names.iter().enumerate() {
                let now = content(&after, &name.to_string()).await;
                let new = now == [b'n'; 9_000];
                assert!(new || now == b"old content", "seed {seed}: {} bytes of a torn file", now.len());
                seen[usize::from(new)] += 1;
                if new && i % 2 == 0 {
                    let kept = content_of_trash(&after, &name.to_string()).await;
                    assert_eq!(kept, b"old content", "seed {seed}: the archived version is lost");
                }
            }
        }
        assert!(seen[0] > 0 && seen[1] > 0, "the simulation loses and keeps renames: {seen:?}");
    }
}

async fn content_of_trash(place: &Place, name: &str) -> Vec<u8> {
    content(place, &format!(".portbook/trash/run/{name}")).await
}

/// Otherwise the tests above would prove nothing.
#[tokio::test]
async fn without_a_flush_the_model_tears_files() {
    let (disk, place) = on(ModelDisk::default());
    let staged = contract::put_staged(&place, contract::new_file(&path("f"), &[b'n'; 20_000])).await.unwrap();
    contract::publish(&place, staged, Expect::Absent, None).await.unwrap();
    let (mut torn, mut empty) = (0, 0);
    for seed in 0..300 {
        let (_, after) = on(disk.inner().crash(seed));
        if stat(&after, "f").await.is_some_and(|n| n.kind == Kind::File) {
            let now = content(&after, "f").await;
            torn += usize::from(now != [b'n'; 20_000]);
            empty += usize::from(now.is_empty());
        }
    }
    assert!(torn > 10 && empty > 0, "{torn} torn, {empty} empty");
}

#[tokio::test]
async fn moves_trash_and_directories_are_durable_after_a_flush() {
    let (disk, place) = on(ModelDisk::default());
    let made = place.make_dirs(vec![(path("a"), Default::default()), (path("a/b"), Default::default())]).await;
    assert!(made.iter().all(Result::is_ok));
    place.flush(vec![path("a"), path("a/b")]).await.unwrap();
    let one = put(&place, "a/one", b"one", Expect::Absent).await.unwrap();
    let two = put(&place, "a/two", b"two", Expect::Absent).await.unwrap();
    let to =
        portbook::provider::Move { from: path("a/one"), to: path("a/b/one"), expect: Expect::Node(one), through: None };
    place.move_items(vec![to]).await.remove(0).unwrap();
    let gone = portbook::provider::Trash { path: path("a/two"), expect: Expect::Node(two), label: "run".into() };
    place.trash(vec![gone]).await.remove(0).unwrap();
    place.flush(vec![path("a/b/one"), path("a/two")]).await.unwrap();
    for seed in 0..200 {
        let (_, after) = on(disk.inner().crash(seed));
        assert_eq!(content(&after, "a/b/one").await, b"one", "seed {seed}");
        assert_eq!((stat(&after, "a/one").await, stat(&after, "a/two").await), (None, None), "seed {seed}");
        assert_eq!(content_of_trash(&after, "a/two").await, b"two", "seed {seed}");
    }
}
