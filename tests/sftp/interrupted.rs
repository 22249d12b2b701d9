//! Connections that are lost: what was asked for arrives all the same, or an error says what happened, and a later run
//! goes on.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::identity::ContentHash;
use portbook::model::{Kind, RelPath};
use portbook::provider::sftp::Sftp;
use portbook::provider::{
    Checkpoint, InMemory, Keeper, Provider as _, Publish, Resumable, Source, Stage, TEMP_PREFIX, is_interruption,
};

use crate::contract::{listed, path};
use crate::proxy::Proxy;
use crate::server::{OpenSsh, open};

const SIZE: u64 = 64 << 20;
/// What is sent again at most, and what the protocols add.
const AGAIN: u64 = (8 << 20) + (2 << 20);

pub(crate) fn content(size: u64) -> Bytes {
    let mut state = 1_u32;
    let bytes = (0..size).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    bytes.collect::<Vec<u8>>().into()
}

pub(crate) fn stage(target: &RelPath, bytes: &Bytes, resume: Option<Resumable>) -> Stage {
    let source = Source::Feed(Arc::new(InMemory(bytes.clone())));
    let tag = ContentHash::of(target.as_bytes()).to_string();
    let metadata = Metadata::default();
    Stage { target: target.clone(), tag, source, kind: Kind::File, metadata, replaces: false, resume }
}

/// A keeper whose checkpoints are all taken.
pub(crate) fn keeping() -> (Keeper, Arc<Mutex<Vec<Checkpoint>>>) {
    let (keeper, mut reports) = Keeper::new();
    let kept: Arc<Mutex<Vec<Checkpoint>>> = Arc::default();
    let taken = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            taken.lock().unwrap().push(report.checkpoint);
            let _ = report.kept.send(Ok(()));
        }
    });
    (keeper, kept)
}

pub(crate) async fn put_in_place(place: &Sftp, staged: portbook::provider::Staged) {
    let target = staged.target.clone();
    let item = Publish { staged, expect: Expect::Absent, archive: None };
    place.publish(vec![item]).await.remove(0).unwrap();
    place.flush(vec![target]).await.unwrap();
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_in_a_later_run_where_the_line_was_cut() {
    let Some(server) = OpenSsh::start() else { return };
    let proxy = Proxy::start(server.port);
    let root = server.make_root("upload");
    let options = server.options(&root).port(proxy.port);
    let (bytes, target) = (content(SIZE), path("large"));
    let place = open(options.clone()).await;
    proxy.stays_cut(true);
    proxy.up().cut_after(40 << 20);
    let (keeper, kept) = keeping();
    let error =
        place.stage(vec![stage(&target, &bytes, Some(Resumable { from: None, keeper }))]).await.remove(0).unwrap_err();
    assert!(is_interruption(&error), "{error}");
    drop(place);
    let left = names(&root);
    assert!(left.iter().all(|n| n.as_bytes().starts_with(TEMP_PREFIX)) && left.len() == 1, "{left:?}");
    let from = kept.lock().unwrap().last().cloned().unwrap();
    assert!(from.offset >= (40 << 20) - AGAIN, "{}", from.offset);

    proxy.mend();
    let place = open(options).await;
    assert!(listed(&place, "").await.is_empty(), "nothing is visible before it is whole");
    let (keeper, _) = keeping();
    let resume = Resumable { from: Some(from.clone()), keeper };
    let staged = place.stage(vec![stage(&target, &bytes, Some(resume))]).await.remove(0).unwrap();
    assert_eq!((staged.resumed, staged.content), (from.offset, ContentHash::of(&bytes)));
    assert!(proxy.up().passed() <= SIZE + AGAIN, "{} bytes were sent", proxy.up().passed());
    println!("an upload of {SIZE} bytes, cut once, sent {}", proxy.up().passed());
    put_in_place(&place, staged).await;
    assert_eq!(std::fs::read(root.join("large")).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_not_what_was_sent_is_sent_from_the_beginning() {
    let Some(server) = OpenSsh::start() else { return };
    let root = server.make_root("torn");
    let place = open(server.options(&root)).await;
    let (bytes, target) = (content(16 << 20), path("large"));
    let staged = place.stage(vec![stage(&target, &bytes, None)]).await.remove(0).unwrap();
    let temp = root.join(names(&root).remove(0));
    let offset = 8 << 20;
    let state = ContentHash::of(&bytes[..offset]).0.to_vec();
    let mut torn = std::fs::read(&temp).unwrap();
    for (what, resumed) in [("as it was sent", offset as u64), ("with another byte", 0), ("too short", 0)] {
        match what {
            "with another byte" => torn[5] ^= 1,
            "too short" => torn.truncate(offset - 1),
            _ => {}
        }
        std::fs::write(&temp, &torn).unwrap();
        let (keeper, _) = keeping();
        let from = Some(Checkpoint { offset: offset as u64, state: state.clone() });
        let again =
            place.stage(vec![stage(&target, &bytes, Some(Resumable { from, keeper }))]).await.remove(0).unwrap();
        assert_eq!((again.resumed, again.content), (resumed, staged.content), "{what}");
        assert_eq!(std::fs::read(&temp).unwrap(), bytes, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_downloads_go_on_by_themselves_when_the_server_can_be_reached_again() {
    let Some(server) = OpenSsh::start() else { return };
    let proxy = Proxy::start(server.port);
    let root = server.make_root("both");
    let place = open(server.options(&root).port(proxy.port)).await;
    let (bytes, target) = (content(SIZE), path("large"));
    proxy.up().cut_after(40 << 20);
    let (keeper, _) = keeping();
    let resume = Resumable { from: None, keeper };
    let staged = place.stage(vec![stage(&target, &bytes, Some(resume))]).await.remove(0).unwrap();
    assert_eq!((staged.resumed, staged.content), (0, ContentHash::of(&bytes)));
    assert!(proxy.up().passed() <= SIZE + AGAIN, "{} bytes were sent", proxy.up().passed());
    put_in_place(&place, staged).await;
    assert_eq!(std::fs::read(root.join("large")).unwrap(), bytes);

    let node = place.stat(vec![target.clone()]).await.remove(0).unwrap().unwrap();
    let before = proxy.down().passed();
    proxy.down().cut_after(30 << 20);
    let opened = place.read(&target, Some(&node), 0, None).await.unwrap();
    let read = opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(ContentHash::of(&read), ContentHash::of(&bytes));
    let received = proxy.down().passed() - before;
    println!("a download of {SIZE} bytes, cut once, received {received}");
    assert!(received <= SIZE + AGAIN, "{received} bytes were received");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_off_says_so_and_can_be_continued() {
    let Some(server) = OpenSsh::start() else { return };
    let proxy = Proxy::start(server.port);
    let root = server.make_root("down");
    let bytes = content(16 << 20);
    std::fs::write(root.join("large"), &bytes).unwrap();
    let place = open(server.options(&root).port(proxy.port)).await;
    let node = place.stat(vec![path("large")]).await.remove(0).unwrap().unwrap();
    proxy.stays_cut(true);
    proxy.down().cut_after(6 << 20);
    let mut opened = place.read(&path("large"), Some(&node), 0, None).await.unwrap();
    let mut read = Vec::new();
    let error = loop {
        match opened.bytes.try_next().await {
            Ok(piece) => read.extend_from_slice(&piece.expect("it is cut before its end")),
            Err(e) => break e,
        }
    };
    assert!(is_interruption(&error), "{error}");
    proxy.mend();
    let rest = place.read(&path("large"), Some(&node), read.len() as u64, None).await.unwrap();
    read.extend(rest.bytes.try_collect::<Vec<_>>().await.unwrap().concat());
    assert_eq!(ContentHash::of(&read), ContentHash::of(&bytes));
}

/// The processes of sshd that serve connections.
fn children(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|pid| parent(*pid) == Some(of)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_process_is_killed_all_items_arrive_whole() {
    let Some(server) = OpenSsh::start() else { return };
    let root = server.make_root("killed");
    let place = open(server.options(&root)).await;
    let main: u32 = std::fs::read_to_string(server.file("pids")).unwrap().trim().parse().unwrap();
    let bytes = content(200_000);
    let items = (0..200).map(|i| stage(&path(&format!("f{i:03}")), &bytes, None)).collect();
    let killing = async {
        while names(&root).len() < 20 {
            tokio::task::yield_now().await;
        }
        let children = children(main);
        assert!(!children.is_empty());
        for child in &children {
            std::process::Command::new("kill").args(["-9", &child.to_string()]).status().unwrap();
        }
        children.len()
    };
    let (staged, killed) = tokio::join!(place.stage(items), killing);
    println!("{killed} connections were killed");
    let staged: Vec<_> = staged.into_iter().map(|s| s.unwrap()).collect();
    assert!(listed(&place, "").await.is_empty(), "nothing is visible before it is put in place");
    let items = staged.into_iter().map(|staged| Publish { staged, expect: Expect::Absent, archive: None }).collect();
    let publishing = async {
        while !names(&root).iter().any(|n| n.starts_with('f')) {
            tokio::task::yield_now().await;
        }
        for child in children(main) {
            std::process::Command::new("kill").args(["-9", &child.to_string()]).status().unwrap();
        }
    };
    let (published, ()) = tokio::join!(place.publish(items), publishing);
    for node in published {
        assert_eq!(node.unwrap().token.size, 200_000);
    }
    let there = names(&root);
    assert!(there.len() == 200 && there.iter().all(|n| n.starts_with('f')), "{there:?}");
    for name in there {
        assert_eq!(std::fs::read(root.join(&name)).unwrap(), bytes, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_offline_and_leaves_errors_not_hangs() {
    let Some(server) = OpenSsh::start() else { return };
    let root = server.make_root("gone");
    let place = open(server.options(&root)).await;
    drop(server);
    // The connection outlives the server that listens; it is cut with the process that serves it.
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    drop(place);
    let auth = portbook::provider::sftp::SftpAuth::Password("x".into());
    let options = portbook::provider::sftp::SftpOptions::new("127.0.0.1", "user", auth).port(nobody);
    assert_eq!(Sftp::connect(options).await.err().unwrap().code(), Code::Offline);
}
