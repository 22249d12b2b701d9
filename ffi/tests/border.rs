//! The border as its bindings use it: records in, records out, handles that say when they cannot be used.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portbook_ffi::records::{
    ApplyOptions, BookOptions, ChangeFilter, ChangeKind, ConduitOptions, ErrorCode, HostAnswer, HostEntry, HostKind,
    HostOptions, HostRequest, KeyAction, KeyOptions, Place, PreviewOptions, RunEvent, VerifyOptions,
};
use portbook_ffi::{Book, HostKeys, HostStore, PortbookError, Result, Run, Session, Waiting, wait};

fn options(dir: &Path) -> BookOptions {
    BookOptions { path: Some(dir.join("book.db").display().to_string()), ..BookOptions::default() }
}

fn directory(path: &Path) -> Place {
    Place::Directory { path: path.display().to_string() }
}

struct Scene {
    dir: tempfile::TempDir,
    book: Arc<Book>,
    session: Arc<Session>,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("source")).unwrap();
    let book = wait(Book::open(options(dir.path()))).unwrap();
    let session = wait(book.default_session()).unwrap();
    Scene { dir, book, session }
}

impl Scene {
    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.dir.path().join("source").join(name), content).unwrap();
    }

    fn places(&self) -> (Place, Place) {
        (directory(&self.dir.path().join("source")), directory(&self.dir.path().join("target")))
    }

    fn connect(&self) -> Arc<portbook_ffi::Conduit> {
        let (source, target) = self.places();
        wait(self.session.connect(source, target, ConduitOptions::default())).unwrap()
    }
}

fn events(run: &Run) -> Vec<RunEvent> {
    std::iter::from_fn(|| wait(run.next_event()).unwrap()).collect()
}

fn code<T>(result: Result<T>) -> ErrorCode {
    result.err().unwrap().code()
}

#[test]
fn what_is_previewed_is_applied() {
    let scene = scene();
    for number in 0..2500 {
        scene.write(&format!("f{number:04}"), "x");
    }
    let conduit = scene.connect();
    let preview = wait(conduit.preview(PreviewOptions::default())).unwrap();
    let summary = wait(preview.summary()).unwrap();
    assert_eq!((summary.counts.new, summary.bytes, summary.id), (2500, 2500, preview.id()));

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = wait(preview.changes(ChangeFilter::default(), after, 5000)).unwrap();
        assert!(page.changes.len() <= 1000);
        seen.extend(page.changes);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2500);
    wait(preview.tick(vec![seen[0].id.clone()], false)).unwrap();
    let only = ChangeFilter { under: Some(seen[1].path.clone()), ..ChangeFilter::default() };
    assert_eq!(wait(preview.changes(only, None, 10)).unwrap().changes.len(), 1);

    let run = conduit.apply(preview.id(), ApplyOptions::default()).unwrap();
    let events = events(&run);
    assert!(matches!(&events[0], RunEvent::Planned { summary } if summary.id == preview.id()));
    let applied = events.iter().filter_map(|event| match event {
        RunEvent::Applied { items } => Some(items),
        _ => None,
    });
    let sizes: Vec<_> = applied.map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 2499);
    let report = wait(run.finish()).unwrap();
    assert_eq!((report.counts.new, report.is_in_step, report.generation), (2499, true, 1));
    assert_eq!(wait(run.finish()).unwrap(), report, "the outcome is told again");
    let (source, target) = scene.places();
    let verified = wait(scene.session.verify(source, target, VerifyOptions::default())).unwrap();
    assert_eq!(verified.differing, 1);
    assert_eq!(wait(scene.session.history(10)).unwrap()[0].counts.new, 2499);
    wait(scene.book.shutdown()).unwrap();
}

#[test]
fn shutting_down_ends_runs_and_refuses_what_begins_later() {
    let scene = scene();
    scene.write("a", "a");
    let conduit = scene.connect();
    let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default()).unwrap();
    run.pause();
    wait(scene.book.shutdown()).unwrap();
    let events = events(&run);
    let report = wait(run.finish()).unwrap();
    assert!(report.cancelled || !events.is_empty());
    assert_eq!(code(wait(scene.book.default_session())), ErrorCode::Invalid);
    assert_eq!(code(wait(scene.session.history(1))), ErrorCode::Invalid);
    assert_eq!(code(conduit.id()), ErrorCode::Invalid);
    assert_eq!(code(wait(conduit.preview(PreviewOptions::default()))), ErrorCode::Invalid);
    wait(scene.book.shutdown()).unwrap();
    // Nothing keeps the file: it is a book for somebody else.
    wait(Book::open(options(scene.dir.path()))).unwrap();
}

#[test]
fn a_wait_can_be_looked_after_and_is_refused_in_a_runtime() {
    let scene = scene();
    let run = scene.connect().sync(PreviewOptions::default(), ApplyOptions::default()).unwrap();
    let mut waiting = Waiting::new(run.finish());
    let report = std::iter::from_fn(|| Some(waiting.wait_for(Duration::from_millis(10)))).flatten().next().unwrap();
    assert!(report.unwrap().is_in_step);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused: Result<()> = runtime.block_on(async { wait(async { Ok(()) }) });
    assert_eq!(code(refused), ErrorCode::Invalid);
}

#[test]
fn what_cannot_be_used_is_invalid() {
    let scene = scene();
    let none = || BookOptions::default();
    let both = BookOptions { url: Some("postgres://".into()), ..options(scene.dir.path()) };
    let key = KeyOptions { raw_hex: Some("00".into()), ..KeyOptions::default() };
    let short = BookOptions { key: Some(key), ..options(scene.dir.path()) };
    let less = BookOptions { memory_bytes: Some(-1), ..options(scene.dir.path()) };
    let more = BookOptions { memory_bytes: Some(1 << 53), ..options(scene.dir.path()) };
    for options in [none(), both, short, less, more] {
        assert_eq!(code(wait(Book::open(options))), ErrorCode::Invalid);
    }
    let conduit = scene.connect();
    for most in ["x", "101%", "-1", "1.5"] {
        let options = ConduitOptions { max_delete: Some(most.into()), ..ConduitOptions::default() };
        let (source, target) = scene.places();
        assert_eq!(code(wait(scene.session.connect(source, target, options))), ErrorCode::Invalid, "{most}");
    }
    assert_eq!(code(conduit.apply("x".into(), ApplyOptions::default())), ErrorCode::Invalid);
    let preview = wait(conduit.preview(PreviewOptions::default())).unwrap();
    let outside = ChangeFilter { under: Some("../x".into()), kind: Some(ChangeKind::New) };
    assert_eq!(code(wait(preview.changes(outside, None, 1))), ErrorCode::Invalid);
    assert_eq!(code(wait(preview.changes(ChangeFilter::default(), Some("x".into()), 1))), ErrorCode::Invalid);
    assert_eq!(code(wait(scene.session.create_row("local_paths".into(), "[]".into()))), ErrorCode::Invalid);
    assert_eq!(code(wait(scene.session.get_row("tenants".into(), "x".into()))), ErrorCode::NotFound);
    let missing = Place::Host { key: "none".into() };
    let (_, target) = scene.places();
    assert_eq!(code(wait(scene.session.connect(missing, target, ConduitOptions::default()))), ErrorCode::NotFound);
}

#[test]
fn no_secret_is_shown() {
    let mut access = portbook_ffi::records::Access::default();
    (access.password, access.token) = (Some("hunter2".into()), Some("hunter2".into()));
    let place = Place::Remote { url: "davs://h/".into(), access: Some(access) };
    let key = KeyOptions { passphrase: Some("hunter2".into()), ..KeyOptions::default() };
    let url = Some("postgres://a:hunter2@h/".into());
    let book = BookOptions { url, key: Some(key), ..BookOptions::default() };
    let shown = format!(
        "{place:?} {book:?} {:?}",
        code(wait(Book::open(BookOptions { path: Some("x".into()), ..book.clone() })))
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A host's files in memory, served until the host store ends.
fn serve(store: &HostStore, fail: bool) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![String::new()];
    let entry = |path: &str, file: Option<&Vec<u8>>| HostEntry {
        name: path.rsplit('/').next().unwrap().to_owned(),
        kind: if file.is_some() { HostKind::File } else { HostKind::Dir },
        bytes: file.map(|bytes: &Vec<u8>| bytes.len() as i64),
        modified_at: None,
        version: file.map(|bytes| format!("{bytes:?}")),
        ident: None,
    };
    let parent = |path: &str| path.rsplit_once('/').map_or(String::new(), |(dir, _)| dir.to_owned());
    while let Some(request) = wait(store.next_request()).unwrap() {
        let (id, answer) = match request {
            HostRequest::ListDir { id, path, .. } if dirs.contains(&path) => {
                let inside = |name: &str| !name.is_empty() && parent(name) == path;
                let dirs = dirs.iter().filter(|dir| inside(dir)).map(|dir| entry(dir, None));
                let files = files.iter().filter(|(name, _): &(&String, _)| inside(name));
                let entries = dirs.chain(files.map(|(name, bytes)| entry(name, Some(bytes)))).collect();
                (id, HostAnswer::Listing { entries, next: None })
            }
            HostRequest::Look { id, path } if dirs.contains(&path) => {
                (id, HostAnswer::Found { entry: entry(&path, None) })
            }
            HostRequest::Look { id, path } if files.contains_key(&path) => {
                (id, HostAnswer::Found { entry: entry(&path, files.get(&path)) })
            }
            HostRequest::ListDir { id, .. } | HostRequest::Look { id, .. } => (id, HostAnswer::Absent {}),
            HostRequest::ReadAt { id, path, offset, length } => {
                let bytes = &files[&path][offset as usize..(offset + length) as usize];
                store.reply_bytes(id, bytes.to_vec()).unwrap();
                continue;
            }
            HostRequest::WriteAt { id, .. } if fail => {
                store.fail(id, "the shelf is full".into(), Some(ErrorCode::Quota)).unwrap();
                continue;
            }
            HostRequest::WriteAt { id, path, offset, .. } => {
                let file = files.entry(path).or_default();
                file.truncate(offset as usize);
                file.extend(store.bytes(id).unwrap());
                (id, HostAnswer::Done {})
            }
            HostRequest::MakeDir { id, path } => {
                dirs.push(path);
                (id, HostAnswer::Done {})
            }
            HostRequest::Rename { id, path, to, .. } => {
                let file = files.remove(&path).unwrap();
                files.insert(to, file);
                (id, HostAnswer::Done {})
            }
            HostRequest::RemoveItem { id, path } => {
                files.remove(&path);
                (id, HostAnswer::Done {})
            }
            HostRequest::SetModified { id, .. } | HostRequest::Flush { id } => (id, HostAnswer::Done {}),
        };
        store.reply(id, answer).unwrap();
        let late = store.reply(id, HostAnswer::Done {});
        assert_eq!(code(late), ErrorCode::NotFound, "each request is answered once");
    }
    files
}

#[test]
fn a_host_brings_its_own_files() {
    let scene = scene();
    scene.write("ö", "one");
    scene.write("empty", "");
    let store = scene.session.host_store("shelf".into(), HostOptions::default()).unwrap();
    assert_eq!(code(scene.session.host_store("shelf".into(), HostOptions::default())), ErrorCode::Conflict);
    let served = std::thread::spawn({
        let store = store.clone();
        move || serve(&store, false)
    });
    let shelf = || Place::Host { key: "shelf".into() };
    let (source, _) = scene.places();
    let conduit = wait(scene.session.connect(source, shelf(), ConduitOptions::default())).unwrap();
    let sync = || wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).unwrap().finish()).unwrap();
    let report = sync();
    assert!(report.is_in_step, "{report:?}");
    assert_eq!(report.counts.new, 2);
    scene.write("ö", "two");
    assert_eq!(sync().counts.updated, 1);
    assert_eq!(sync().counts.unchanged, 2);
    store.shutdown();
    let files = served.join().unwrap();
    assert_eq!(files["ö"], b"two");
    assert_eq!(files["empty"], b"");
    assert!(files.keys().any(|path| path.starts_with(".portbook/trash/") || path.contains('ö')));
}

#[test]
fn a_host_that_fails_fails_its_items() {
    let scene = scene();
    scene.write("a", "a");
    let store = scene.session.host_store("shelf".into(), HostOptions::default()).unwrap();
    let served = std::thread::spawn({
        let store = store.clone();
        move || serve(&store, true)
    });
    let (source, _) = scene.places();
    let shelf = Place::Host { key: "shelf".into() };
    let conduit = wait(scene.session.connect(source, shelf, ConduitOptions::default())).unwrap();
    let outcome = wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).unwrap().finish());
    match outcome {
        Ok(report) => assert_eq!(report.failures[0].code, ErrorCode::Quota, "{report:?}"),
        Err(error) => assert_eq!(error.code(), ErrorCode::Quota, "{error}"),
    }
    store.shutdown();
    served.join().unwrap();
}

/// Found by fuzzing (tests/fuzz).
#[test]
fn a_defect_of_the_host_is_none_of_the_library() {
    let scene = scene();
    let store = scene.session.host_store("shelf".into(), HostOptions::default()).unwrap();
    let (source, _) = scene.places();
    let shelf = Place::Host { key: "shelf".into() };
    let conduit = wait(scene.session.connect(source, shelf, ConduitOptions::default())).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while let Some(request) = wait(store.next_request()).unwrap() {
                let (HostRequest::Look { id, .. } | HostRequest::ListDir { id, .. }) = request else { continue };
                store.fail(id, "it broke".into(), Some(ErrorCode::Internal)).unwrap();
            }
        });
        let failed = wait(conduit.preview(PreviewOptions::default())).map(|_| ()).unwrap_err();
        store.shutdown();
        assert_eq!(failed.code(), ErrorCode::Host, "{failed}");
        assert!(failed.text().contains("it broke"), "{failed}");
    });
}

#[test]
fn a_host_that_never_answers_is_not_waited_for() {
    let scene = scene();
    let options = HostOptions { timeout_ms: Some(50), ..HostOptions::default() };
    let store = scene.session.host_store("shelf".into(), options).unwrap();
    let (source, _) = scene.places();
    let shelf = Place::Host { key: "shelf".into() };
    let conduit = wait(scene.session.connect(source, shelf, ConduitOptions::default())).unwrap();
    assert_eq!(code(wait(conduit.preview(PreviewOptions::default()))), ErrorCode::Timeout);
    wait(scene.book.shutdown()).unwrap();
    assert_eq!(wait(store.next_request()), Ok(None), "what nobody waits for any more is not asked");
    assert_eq!(code(store.reply(1, HostAnswer::Done {})), ErrorCode::NotFound);
}

#[test]
fn a_host_keeps_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = HostKeys::new(Some(10_000)).unwrap();
    let book = wait(Book::open_with_keys(options(dir.path()), keys.clone())).unwrap();
    let answering = std::thread::spawn({
        let keys = keys.clone();
        move || {
            let mut asked = Vec::new();
            while let Some(request) = wait(keys.next_request()).unwrap() {
                let bytes: Vec<u8> = keys.bytes(request.id).unwrap().iter().map(|byte| byte ^ 0x55).collect();
                asked.push(request.action);
                keys.reply(request.id, "key-1".into(), bytes).unwrap();
            }
            asked
        }
    });
    let session = wait(book.default_session()).unwrap();
    let row = r#"{"host":"h","protocol":"sftp","ftps_mode":"none","username":"ann","password":"hunter2"}"#;
    let made: serde_json::Value =
        serde_json::from_str(&wait(session.create_row("ftp_endpoints".into(), row.into())).unwrap()).unwrap();
    assert_eq!(made["password"], true, "a secret is never shown");
    let id = made["id"].as_str().unwrap().to_owned();
    let secret = wait(session.reveal("ftp_endpoints".into(), id, "password".into())).unwrap();
    assert_eq!(secret.as_deref(), Some("hunter2"));
    wait(book.shutdown()).unwrap();
    keys.shutdown();
    assert!(answering.join().unwrap().contains(&KeyAction::Wrap));
}

#[test]
fn a_listener_that_gives_up_loses_no_event() {
    let scene = scene();
    for number in 0..50 {
        scene.write(&format!("f{number}"), "x");
    }
    let run = scene.connect().sync(PreviewOptions::default(), ApplyOptions::default()).unwrap();
    let mut applied = 0;
    loop {
        // Most of these are given up before there is an event.
        let Some(event) = Waiting::new(run.next_event()).wait_for(Duration::from_micros(50)) else { continue };
        match event.unwrap() {
            Some(RunEvent::Applied { items }) => applied += items.len(),
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(applied, 50);
    let _: PortbookError = wait(scene.session.preview("00000000-0000-0000-0000-000000000000".into())).err().unwrap();
}
