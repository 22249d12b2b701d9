//! Opening a book: again, at once, newer, changed, damaged.

use std::path::Path;
use std::sync::Arc;

use portbook::Code;
use portbook::store::{SqliteOptions, SqliteStore, Value, newest_schema};

use crate::fixture::{At, Book};
use crate::server::on;

const COUNT: &str = "SELECT count(*) FROM schema_migration";

fn code(path: &Path) -> Option<Code> {
    SqliteStore::open(path, SqliteOptions::default()).err().map(|e| e.code())
}

async fn open_code(at: &At) -> Option<Code> {
    at.open().await.err().map(|e| e.code())
}

pub(crate) async fn a_book_opens_a_second_time_as_it_is(book: Arc<Book>) {
    let t = book.tenancy().await;
    book.store.shutdown().await;
    let again = Book::new(book.at.open().await.unwrap(), book.at.clone());
    again.act_as(t.tenant);
    assert_eq!(again.ints(COUNT, vec![]).await, [newest_schema()]);
    assert_eq!(again.ints("SELECT id FROM sync_conduit", vec![]).await, [t.conduit]);
    let beside = Book::new(book.at.open().await.unwrap(), book.at.clone());
    let u = beside.tenancy().await;
    assert_eq!(
        again.act_as(u.tenant).ints("SELECT id FROM sync_conduit WHERE id <> ?1", vec![Value::Int(t.conduit)]).await,
        [u.conduit]
    );
    beside.store.shutdown().await;
    again.store.shutdown().await;
}

pub(crate) async fn many_may_open_a_new_book_at_once(book: Arc<Book>) {
    let at = match &book.at {
        At::File(path) => At::File(path.with_extension("new")),
        At::Server(database) => {
            on(&database.owner, "DROP SCHEMA portbook CASCADE").await;
            book.at.clone()
        }
    };
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let at = at.clone();
            tokio::spawn(async move { at.open_as_owner().await })
        })
        .collect();
    for opener in openers {
        let store = opener.await.unwrap().unwrap();
        let opened = Book::new(store, at.clone());
        assert_eq!(opened.ints(COUNT, vec![]).await, [newest_schema()]);
        opened.store.shutdown().await;
    }
}

async fn as_owner(book: &Book, sql: &'static str, value: Vec<u8>) {
    let owner = Book::new(book.at.open_as_owner().await.unwrap(), book.at.clone());
    owner.execute(sql, vec![Value::Blob(value)]).await.unwrap();
    owner.store.shutdown().await;
}

pub(crate) async fn a_newer_schema_is_refused(book: Arc<Book>) {
    let newer = "INSERT INTO schema_migration (number, name, checksum) VALUES (99, 'later', ?1)";
    as_owner(&book, newer, vec![1]).await;
    assert_eq!(open_code(&book.at).await, Some(Code::Newer));
}

pub(crate) async fn a_changed_migration_is_refused(book: Arc<Book>) {
    let changed = "UPDATE schema_migration SET checksum = ?1 WHERE number = 2";
    as_owner(&book, changed, vec![1; 32]).await;
    assert_eq!(open_code(&book.at).await, Some(Code::Corrupt));
}

pub(crate) async fn nothing_works_after_shutdown(book: Arc<Book>) {
    book.store.shutdown().await;
    assert_eq!(book.code("DELETE FROM tenants", vec![]).await, Some(Code::Storage));
    book.store.shutdown().await;
}

fn closed_book(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("book");
    drop(rusqlite::Connection::open(&path).unwrap());
    crate::fixture::block_on(async {
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        portbook::store::Store::shutdown(&store).await;
    });
    path
}

fn files(directory: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap());
    let mut files: Vec<_> = entries.map(|e| (e.file_name(), std::fs::read(e.path()).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_newer_book_is_left_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_book(directory.path());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let before = files(directory.path());
    let error = SqliteStore::open(&path, SqliteOptions::default()).err().unwrap();
    assert_eq!(error.code(), Code::Newer);
    assert!(error.to_string().contains("99"), "{error}");
    assert_eq!(files(directory.path()), before);
}

/// The newer version died before its log was carried into the file.
#[test]
fn a_newer_book_with_a_log_keeps_file_and_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_book(directory.path());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["book", "book-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let lasting = || files(copy.path()).into_iter().filter(|(n, _)| n != "book-shm").collect::<Vec<_>>();
    let before = lasting();
    assert_eq!(code(&copy.path().join("book")), Some(Code::Newer));
    assert_eq!(lasting(), before);
}

#[test]
fn what_is_no_book_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "not a database at all").unwrap();
    assert_eq!(code(&text), Some(Code::Corrupt));

    let foreign = directory.path().join("foreign");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    assert_eq!(code(&foreign), Some(Code::Corrupt));
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    let marked = directory.path().join("marked");
    rusqlite::Connection::open(&marked).unwrap().execute_batch("PRAGMA application_id = 7").unwrap();
    assert_eq!(code(&marked), Some(Code::Corrupt));

    assert!(code(&directory.path().join("missing/book")).is_some());
}

#[test]
fn a_damaged_book_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_book(directory.path());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    assert_eq!(code(&path), Some(Code::Corrupt), "cut in half");
    let mut scribbled = whole.clone();
    scribbled[100..4096].fill(0xa5);
    std::fs::write(&path, &scribbled).unwrap();
    assert_eq!(code(&path), Some(Code::Corrupt), "first page overwritten");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(code(&path), None);
}

/// The child of the test below: opens the book that the variable names.
#[test]
fn opens_for_another_process() {
    if let Ok(path) = std::env::var("PORTBOOK_TEST_OPEN") {
        assert_eq!(code(Path::new(&path)), None);
    }
}

#[test]
fn processes_may_open_a_new_book_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("book");
    let child = || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "opening::opens_for_another_process"])
            .env("PORTBOOK_TEST_OPEN", &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| child()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let raw = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = raw.query_row(COUNT, [], |row| row.get(0)).unwrap();
    assert_eq!(count, newest_schema());
}
