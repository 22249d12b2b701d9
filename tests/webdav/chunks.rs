//! Large files and hashes of a server that is as Nextcloud is.

use std::sync::Arc;

use portbook::Code;
use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
use portbook::delta::Expect;
use portbook::identity::ContentHash;
use portbook::model::{Kind, Timestamp};
use portbook::provider::webdav::WebDav;
use portbook::provider::{
    Checkpoint, InMemory, Keeper, NativeHash, Provider as _, Publish, Resumable, Source, Stage, Staged, WebAuth,
};
use portbook::{Book, BookOptions, Result};
use sha1::Digest as _;

use crate::contract::{self, path, put};
use crate::dav::open;
use crate::nextcloud::{Nextcloud, Trouble};
use crate::service;

const SIZE: usize = (21 << 20) + 5;
const CHUNK: u64 = 8 << 20;

fn content() -> Vec<u8> {
    (0..SIZE as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn item(content: &[u8], resume: Option<Resumable>) -> Stage {
    let mtime = Some(Timestamp { secs: 1_500_000_000, nanos: 0 });
    Stage {
        target: path("large"),
        tag: "1".into(),
        source: Source::Feed(Arc::new(InMemory(content.to_vec().into()))),
        kind: Kind::File,
        metadata: portbook::delta::Metadata { mode: None, mtime },
        replaces: false,
        resume,
    }
}

async fn stage(dav: &WebDav, item: Stage) -> Result<Staged> {
    dav.stage(vec![item]).await.remove(0)
}

async fn finish(dav: &WebDav, staged: Staged) -> Result<portbook::model::Node> {
    dav.publish(vec![Publish { staged, expect: Expect::Absent, archive: None }]).await.remove(0)
}

/// Takes what is reported, in the place of the book.
fn keeper() -> (Keeper, Arc<std::sync::Mutex<Option<Checkpoint>>>) {
    let (keeper, mut reports) = Keeper::new();
    let last: Arc<std::sync::Mutex<Option<Checkpoint>>> = Arc::default();
    let kept = last.clone();
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            *kept.lock().unwrap() = Some(report.checkpoint);
            let _ = report.kept.send(Ok(()));
        }
    });
    (keeper, last)
}

fn chunks_put(cloud: &Nextcloud) -> usize {
    cloud.asked().iter().filter(|(method, path)| method == "PUT" && path.contains("/uploads/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let (left, right) = (Nextcloud::start().await, Nextcloud::start().await);
    contract::run(|| open(&left.url, WebAuth::None), || open(&right.url, WebAuth::None)).await;
    assert_eq!((left.uploads().len(), right.uploads().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_arrives_in_chunks() {
    let cloud = Nextcloud::start().await;
    let (dav, content) = (open(&cloud.url, WebAuth::None), content());
    dav.root().await.unwrap();
    assert_eq!(dav.capabilities().resumable_bytes, Some(2 * CHUNK));
    let staged = stage(&dav, item(&content, None)).await.unwrap();
    assert_eq!((staged.content, staged.size), (ContentHash::of(&content), SIZE as u64));
    assert_eq!(chunks_put(&cloud), 3);
    let node = finish(&dav, staged).await.unwrap();
    assert_eq!(node.token.mtime.unwrap().secs, 1_500_000_000);
    assert_eq!(std::fs::read(cloud.files().join("large")).unwrap(), content);
    assert_eq!(cloud.uploads(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_broke_off() {
    let cloud = Nextcloud::start().await;
    let content = content();
    let (first, kept) = keeper();
    cloud.cause(Trouble { fails_at_chunk: Some(3), ..Trouble::default() });
    let before = open(&cloud.url, WebAuth::None);
    let broken = stage(&before, item(&content, Some(Resumable { from: None, keeper: first }))).await;
    assert!(broken.unwrap_err().is_retryable());
    let from = kept.lock().unwrap().clone();
    assert_eq!(from.as_ref().map(|from| from.offset), Some(2 * CHUNK));
    assert_eq!(cloud.uploads().len(), 1, "what was sent stays");
    // A new process.
    cloud.cause(Trouble::default());
    cloud.asked();
    let again = open(&cloud.url, WebAuth::None);
    let staged =
        stage(&again, item(&content, Some(Resumable { from: from.clone(), keeper: keeper().0 }))).await.unwrap();
    assert_eq!((staged.resumed, staged.content), (2 * CHUNK, ContentHash::of(&content)));
    assert_eq!(chunks_put(&cloud), 1);
    finish(&again, staged).await.unwrap();
    assert_eq!(std::fs::read(cloud.files().join("large")).unwrap(), content);
    // The upload is gone by now: it begins anew.
    let mut other = item(&content, Some(Resumable { from, keeper: keeper().0 }));
    other.target = path("other");
    assert_eq!(stage(&again, other).await.unwrap().resumed, 0);
    assert_eq!(cloud.uploads().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_sent_is_not_gone_on_with() {
    let cloud = Nextcloud::start().await;
    let mut content = content();
    let (first, kept) = keeper();
    cloud.cause(Trouble { fails_at_chunk: Some(3), ..Trouble::default() });
    let dav = open(&cloud.url, WebAuth::None);
    stage(&dav, item(&content, Some(Resumable { from: None, keeper: first }))).await.unwrap_err();
    cloud.cause(Trouble::default());
    content[17] ^= 1;
    let from = kept.lock().unwrap().clone();
    let resume = |from| Some(Resumable { from, keeper: keeper().0 });
    let changed = stage(&dav, item(&content, resume(from.clone()))).await;
    assert_eq!(changed.unwrap_err().code(), Code::Stale);
    assert_eq!(cloud.uploads().len(), 0, "nothing of it is used");
    let staged = stage(&dav, item(&content, resume(from))).await.unwrap();
    finish(&dav, staged).await.unwrap();
    assert_eq!(std::fs::read(cloud.files().join("large")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_is_looked_after() {
    let cloud = Nextcloud::start().await;
    cloud.cause(Trouble { is_slow: true, ..Trouble::default() });
    let (dav, content) = (open(&cloud.url, WebAuth::None), content());
    let staged = stage(&dav, item(&content, None)).await.unwrap();
    finish(&dav, staged).await.unwrap();
    assert_eq!(std::fs::read(cloud.files().join("large")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_uploads_it_goes_in_one_request() {
    let cloud = Nextcloud::start().await;
    cloud.cause(Trouble { has_no_uploads: true, ..Trouble::default() });
    let (dav, content) = (open(&cloud.url, WebAuth::None), content());
    let staged = stage(&dav, item(&content, None)).await.unwrap();
    finish(&dav, staged).await.unwrap();
    assert_eq!(std::fs::read(cloud.files().join("large")).unwrap(), content);
    assert_eq!(chunks_put(&cloud), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_holds_is_held_against_what_was_sent() {
    let cloud = Nextcloud::start().await;
    cloud.cause(Trouble { damages: true, ..Trouble::default() });
    let dav = open(&cloud.url, WebAuth::None);
    dav.root().await.unwrap();
    for (name, size) in [("small", 9), ("middle", 1 << 20), ("large", SIZE)] {
        let mut item = item(&content()[..size], None);
        item.target = path(name);
        let staged = stage(&dav, item).await.unwrap();
        let error = finish(&dav, staged).await.unwrap_err();
        assert_eq!(error.code(), Code::Storage, "{error}");
        assert!(!cloud.files().join(name).exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_files_are_known_without_being_read_from_there() {
    let cloud = Nextcloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("here");
    std::fs::create_dir(&here).unwrap();
    for i in 0..5 {
        std::fs::write(here.join(format!("f{i}")), format!("content {i}")).unwrap();
        std::fs::write(cloud.files().join(format!("f{i}")), format!("content {i}")).unwrap();
    }
    std::fs::write(here.join("differs"), "one").unwrap();
    std::fs::write(cloud.files().join("differs"), "two").unwrap();
    let dav = open(&cloud.url, WebAuth::None);
    let node = contract::stat(&dav, "f0").await.unwrap();
    let said = dav.native_hashes(vec![(path("f0"), node.clone()), (path("none"), node)]).await;
    assert_eq!(said, [Some(NativeHash::Sha1(sha1::Sha1::digest(b"content 0").into())), None]);
    cloud.asked();
    let book = Book::open(BookOptions::sqlite(dir.path().join("book.db"))).await.unwrap();
    let session = book.default_session().await.unwrap();
    let place = Place::Provider { key: "cloud".into(), provider: Arc::new(dav) };
    let conduit = session.connect(Place::Local(here), place, ConduitOptions::default()).await.unwrap();
    let report = conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish().await.unwrap();
    assert_eq!((report.counts.new, report.counts.failed, report.counts.unchanged), (0, 0, 5), "{report:?}");
    let read: Vec<_> = cloud.asked().into_iter().filter(|(method, _)| method == "GET").map(|(_, path)| path).collect();
    assert!(read.iter().all(|path| path.ends_with("differs")), "{read:?}");
    book.shutdown().await;
}

/// That the server does what a client of others' expects of it.
#[tokio::test(flavor = "multi_thread")]
async fn another_client_sends_chunks_to_the_same_server() {
    let cloud = Nextcloud::start().await;
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    std::fs::write(dir.path().join("large"), &content).unwrap();
    let url = format!("--webdav-url={}", cloud.url.trim_end_matches('/'));
    let from = dir.path().join("large").to_str().unwrap().to_owned();
    let scratch = dir.path().join("scratch");
    let ran = tokio::task::spawn_blocking(move || {
        let words = [
            "copyto",
            &from,
            ":webdav:by rclone",
            &url,
            "--webdav-vendor=nextcloud",
            "--webdav-nextcloud-chunk-size=5Mi",
        ];
        service::run("rclone", "client", &scratch, &words)
    });
    let ran = ran.await.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    if said.contains("python3") || said.contains("pip could not") {
        println!("SKIPPED another client's chunks: {said}");
        return;
    }
    assert!(ran.status.success(), "{said}");
    assert!(chunks_put(&cloud) >= 5, "{said}");
    assert_eq!(std::fs::read(cloud.files().join("by rclone")).unwrap(), content);
    let dav = open(&cloud.url, WebAuth::None);
    assert_eq!(contract::content(&dav, "by rclone").await.len(), SIZE);
    put(&dav, "by us", b"small", Expect::Absent).await.unwrap();
}
