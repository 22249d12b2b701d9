//! Pairs and their conduits on a server, where triggers keep the one to the other instead of a foreign key.

use std::sync::Arc;

use portbook::Code;
use portbook::store::{Value, Written};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::fixture::{Book, Tenancy};
use crate::isolation::{connect, database};

const PAIR: &str = "INSERT INTO file_pair (conduit_id, parent_id, name, id, kind, left_state, right_state) \
     SELECT ?1, 0, ?2, id, 1, ?2, ?2 FROM (SELECT 1 AS id UNION ALL SELECT 2) AS numbers";

async fn two_pairs(book: &Book, of: &Tenancy) {
    book.act_as(of.tenant).execute(PAIR, vec![Value::Int(of.conduit), Value::Blob(b"x".to_vec())]).await.unwrap();
}

/// A connection that no policy binds.
async fn as_superuser(book: &Book) -> Client {
    let database = database(book);
    let (server, _) = database.admin.rsplit_once('/').unwrap();
    connect(&format!("{server}/{}", database.name)).await
}

/// How many pairs there are of a conduit, asked as one whom no policy binds: what hangs nowhere is hidden from all others.
async fn pairs_of(book: &Book, of: &Tenancy) -> i64 {
    let superuser = as_superuser(book).await;
    let count = "SELECT count(*) FROM file_pair WHERE conduit_id = $1";
    superuser.query_one(count, &[&of.conduit]).await.unwrap().get(0)
}

/// A connection of the application that acts for this tenant.
async fn acting(book: &Book, of: &Tenancy) -> Client {
    let client = connect(&database(book).application).await;
    client.batch_execute(&format!("SET portbook.tenant = '{}'", of.tenant)).await.unwrap();
    client
}

pub(crate) async fn pairs_go_with_their_conduit_however_it_goes(book: Arc<Book>) {
    for gone in ["DELETE FROM sync_conduit", "DELETE FROM entry", "DELETE FROM tenants"] {
        let (ours, theirs) = (book.tenancy().await, book.tenancy().await);
        two_pairs(&book, &ours).await;
        two_pairs(&book, &theirs).await;
        book.act_as(ours.tenant).execute(gone, vec![]).await.unwrap();
        assert_eq!(pairs_of(&book, &ours).await, 0, "{gone}");
        assert_eq!(pairs_of(&book, &theirs).await, 2, "{gone}");
    }
}

pub(crate) async fn pairs_that_are_being_written_go_too(book: Arc<Book>) {
    let t = book.tenancy().await;
    let (writer, deleter) = (acting(&book, &t).await, acting(&book, &t).await);
    writer.batch_execute("BEGIN").await.unwrap();
    writer.batch_execute(&pair(&t)).await.unwrap();
    let delete = tokio::spawn(async move { deleter.batch_execute("DELETE FROM sync_conduit").await });
    someone_waits(&book).await;
    writer.batch_execute("COMMIT").await.unwrap();
    delete.await.unwrap().unwrap();
    assert_eq!(pairs_of(&book, &t).await, 0);
}

pub(crate) async fn no_pair_is_written_to_a_conduit_that_is_being_deleted(book: Arc<Book>) {
    let t = book.tenancy().await;
    let (writer, deleter) = (acting(&book, &t).await, acting(&book, &t).await);
    deleter.batch_execute("BEGIN; DELETE FROM sync_conduit").await.unwrap();
    let late = pair(&t);
    let write = tokio::spawn(async move { writer.batch_execute(&late).await });
    someone_waits(&book).await;
    deleter.batch_execute("COMMIT").await.unwrap();
    let refused = write.await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{refused}");
    assert_eq!(pairs_of(&book, &t).await, 0);
}

pub(crate) async fn a_pair_stays_with_its_conduit(book: Arc<Book>) {
    let t = book.tenancy().await;
    two_pairs(&book, &t).await;
    let turned = "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
         SELECT ?1, tenant_id, target_entry_id, source_entry_id, sync_mode FROM sync_conduit";
    book.execute(turned, vec![Value::Uuid(crate::fixture::id())]).await.unwrap();
    // Rows of both in one statement.
    let to_both = "INSERT INTO file_pair (conduit_id, parent_id, name, id, kind, left_state, right_state) \
         SELECT id, 0, ?1, 9, 1, ?1, ?1 FROM sync_conduit";
    let added = book.execute(to_both, vec![Value::Blob(b"y".to_vec())]).await.unwrap();
    assert_eq!(added, [Written::Changed(2)]);
    let moved = "UPDATE file_pair SET conduit_id = (SELECT max(id) FROM sync_conduit) WHERE id = 1";
    assert_eq!(book.code(moved, vec![]).await, Some(Code::Invalid));
    book.execute("UPDATE file_pair SET conduit_id = conduit_id, kind = 2", vec![]).await.unwrap();
}

fn pair(of: &Tenancy) -> String {
    format!(
        "INSERT INTO file_pair (conduit_id, parent_id, name, id, kind, left_state, right_state) \
         VALUES ({}, 0, 'x', 7, 1, '', '')",
        of.conduit
    )
}

/// Returns when a statement of this database waits for another's lock.
async fn someone_waits(book: &Book) {
    let superuser = as_superuser(book).await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let look = async {
        while superuser.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), look).await.expect("nobody waits for the other");
}
