//! A book as a whole: checked, backed up, vacuumed, copied to the other engine and back.

use std::sync::Arc;

use portbook::model::{TABLES, TenantId};
use portbook::store::{Rows, SqliteOptions, SqliteStore, Statement, Store};
use portbook::upkeep::{Copying, Trouble};
use portbook::{Book as Opened, BookOptions, Code};
use uuid::Uuid;

use crate::fixture::{At, Book};
use crate::{ledger, records, schema, tables};

async fn opened(book: &Book) -> Opened {
    Opened::open(BookOptions::store(book.store.clone())).await.unwrap()
}

/// A copy goes into a book as the owner of its tables: it sets the numbers that rows go on from.
async fn opened_as_owner(book: &Book) -> Opened {
    Opened::open(BookOptions::store(book.at.open_as_owner().await.unwrap())).await.unwrap()
}

/// A book in a file that has rows in every table, of several tenants.
async fn full(path: std::path::PathBuf) -> Arc<Book> {
    let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    let book = Arc::new(Book::new(store, At::File(path)));
    schema::records_come_back_as_they_were_written(book.clone()).await;
    // A key that nobody has; the secrets to come are under another.
    book.execute("DELETE FROM data_key", vec![]).await.unwrap();
    book.execute("DELETE FROM vault_key", vec![]).await.unwrap();
    ledger::children_come_back_ordered_by_name_as_they_were_written(book.clone()).await;
    ledger::an_intent_is_open_until_it_is_removed(book.clone()).await;
    records::an_upsert_of_the_ledger_adds_and_replaces(book.clone()).await;
    let session = tables::session(&book).await;
    for table in TABLES {
        for n in 0..3 {
            let row = tables::sample(&session, table, n * 5).await;
            let made = session.table(table.name).unwrap().create(row).await.unwrap();
            assert!(made.contains_key("id"));
        }
    }
    book.execute("UPDATE sync_generation SET status = 'completed' WHERE status = 'running'", vec![]).await.unwrap();
    book
}

/// Every row of every table but the list of migrations, as text, JSON documents in one form.
async fn dump(book: &dyn Store) -> Vec<(String, Vec<String>)> {
    let nobody = TenantId(Uuid::nil());
    let sql = "SELECT name, (SELECT count(*) FROM pragma_table_info(s.name)) FROM sqlite_schema s WHERE type = 'table' \
         AND name NOT LIKE 'sqlite_%' AND name NOT IN ('schema_migration', 'book_copy') ORDER BY name";
    let tables = book.query(nobody, Statement::new(sql, vec![])).await.unwrap();
    let mut all = Vec::new();
    for table in tables.iter() {
        let (name, width) = (table.text(0).unwrap().to_owned(), table.int(1).unwrap() as usize);
        let rows = book.query(nobody, Statement::new(format!("SELECT * FROM {name}"), vec![])).await.unwrap();
        let mut lines: Vec<_> = rows.iter().map(|row| (0..width).map(|at| cell(row, at)).collect::<String>()).collect();
        lines.sort();
        all.push((name, lines));
    }
    all
}

fn cell(row: portbook::store::Row<'_>, at: usize) -> String {
    let json = row.text(at).ok().filter(|t| t.starts_with(['{', '[']));
    match json.and_then(|t| serde_json::from_str::<serde_json::Value>(t).ok()) {
        Some(document) => format!("{document}|"),
        None if row.is_null(at) => "null|".into(),
        None => match (row.int(at), row.real(at), row.blob(at)) {
            (Ok(n), ..) => format!("{n}|"),
            (_, Ok(n), _) => format!("{n}|"),
            (.., bytes) => format!("{:?}|", bytes.unwrap()),
        },
    }
}

/// Begins with a book on PostgreSQL; the claim brings its own books in files.
pub(crate) async fn a_book_goes_to_the_other_engine_and_back(server: Arc<Book>) {
    let directory = tempfile::tempdir().unwrap();
    let here = full(directory.path().join("here")).await;
    let rows: usize = dump(&*here.store).await.iter().map(|(_, rows)| rows.len()).sum();
    let (one, two) = (opened(&here).await, opened_as_owner(&server).await);

    let copying = Copying::new();
    let report = one.copy_into(&two, &copying).await.unwrap();
    assert_eq!(report.rows, rows as u64);
    assert_eq!((copying.progress().done, copying.progress().total), (2 * report.rows, 2 * report.rows));
    assert_eq!(one.copy_into(&two, &copying).await.unwrap_err().code(), Code::Conflict, "it is not empty any more");

    let back = Opened::open(BookOptions::sqlite(directory.path().join("back"))).await.unwrap();
    assert_eq!(two.copy_into(&back, &Copying::new()).await.unwrap(), report);
    back.shutdown().await;
    let back = SqliteStore::open(directory.path().join("back"), SqliteOptions::default()).unwrap();
    let (before, after) = (dump(&*here.store).await, dump(&back).await);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());

    // Numbers go on from where they were.
    let made = tables::session(&server).await;
    for table in TABLES {
        let row = tables::sample(&made, table, 77).await;
        made.table(table.name).unwrap().create(row).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
    }
    let findings = two.check().await.unwrap();
    assert!(findings.iter().all(|f| f.trouble != Trouble::Damage), "{findings:?}");
}

/// As above.
pub(crate) async fn a_copy_that_was_cancelled_is_no_book(server: Arc<Book>) {
    let directory = tempfile::tempdir().unwrap();
    let here = full(directory.path().join("here")).await;
    let (one, two) = (opened(&here).await, opened_as_owner(&server).await);
    let copying = Copying::new();
    copying.cancel();
    assert_eq!(one.copy_into(&two, &copying).await.unwrap_err().code(), Code::Cancelled);
    let again = Opened::open(BookOptions::store(server.store.clone())).await.err().unwrap();
    assert_eq!(again.code(), Code::Corrupt, "{again}");

    // A run that is under way writes to the book.
    here.execute("UPDATE sync_generation SET status = 'running', completed_at = NULL", vec![]).await.unwrap();
    let third = Opened::open(BookOptions::sqlite(directory.path().join("third"))).await.unwrap();
    assert_eq!(one.copy_into(&third, &Copying::new()).await.unwrap_err().code(), Code::Unsupported);
}

pub(crate) async fn a_sound_book_has_no_findings_and_a_broken_ledger_has(book: Arc<Book>) {
    let t = book.tenancy().await;
    let whole = opened(&book).await;
    assert_eq!(whole.check().await.unwrap(), []);
    whole.vacuum().await.unwrap();
    let lost = portbook::store::Write::Execute(Statement::new(
        "INSERT INTO file_pair (conduit_id, parent_id, name, id, kind, left_state, right_state) \
         VALUES (?1, 7, ?2, 8, 1, ?2, ?2)",
        vec![portbook::store::Value::Int(t.conduit), portbook::store::Value::Blob(vec![97])],
    ));
    book.store.write(t.tenant, vec![lost]).await.unwrap();
    let findings = whole.check().await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].trouble, findings[0].tenant), (Trouble::LostDirectory, Some(t.tenant)));
}

pub(crate) async fn a_backup_is_a_book_of_its_own(book: Arc<Book>) {
    let whole = opened(&book).await;
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy");
    if !book.is_sqlite() {
        assert_eq!(whole.backup(&copy).await.unwrap_err().code(), Code::Unsupported);
        return;
    }
    let t = book.tenancy().await;
    whole.backup(&copy).await.unwrap();
    assert_eq!(whole.backup(&copy).await.unwrap_err().code(), Code::Conflict, "a backup replaces nothing");
    let later = book.tenancy().await;
    let backup = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    assert_eq!(backup.tenants().await.unwrap(), [t.tenant]);
    assert_eq!(book.store.tenants().await.unwrap(), [t.tenant, later.tenant]);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".part")), "{left:?}");
    let nothing: Rows = backup.query(t.tenant, Statement::new("SELECT 1 FROM book_copy", vec![])).await.unwrap();
    assert!(nothing.is_empty());
}

/// In a file only: damage that a server would have to answer for itself.
pub(crate) async fn a_damaged_page_is_found(book: Arc<Book>) {
    let At::File(path) = &book.at else { panic!("a claim about a book in a file") };
    for _ in 0..50 {
        book.tenancy().await;
    }
    opened(&book).await.vacuum().await.unwrap();
    book.store.shutdown().await;
    let mut bytes = std::fs::read(path).unwrap();
    let page = 4096;
    // An index holds ids in order: turning one round breaks the order, not the page.
    let last = bytes.len() - page;
    for byte in &mut bytes[last + page / 2..] {
        *byte = !*byte;
    }
    std::fs::write(path, bytes).unwrap();
    match SqliteStore::open(path, SqliteOptions::default()) {
        Ok(store) => {
            let words = store.integrity().await;
            assert!(words.as_ref().map_or(true, |w| !w.is_empty()), "{words:?}");
        }
        Err(error) => assert_eq!(error.code(), Code::Corrupt, "{error}"),
    }
}
