//! Books of earlier versions: brought forward with everything that is in them.

use std::path::Path;
use std::sync::Arc;

use portbook::model::{CloudSharedLink, Id};
use portbook::table::Filter;
use portbook::{Book, BookOptions};
use rusqlite::{Connection, params};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::fixture::{self, At};
use crate::server::on;

/// The schema before links to files of volumes.
macro_rules! seven {
    ($engine:literal) => {
        seven!($engine; "tenancy" "0001_tenancy", "storage_volumes" "0002_storage_volumes",
            "cloud_connections" "0003_cloud_connections", "conduits" "0004_conduits", "operations" "0005_operations",
            "ledger" "0006_ledger", "record_bridge" "0007_record_bridge")
    };
    ($engine:literal; $($name:literal $file:literal),*) => {
        [$(($name, include_str!(concat!("../../migrations/", $engine, "/", $file, ".sql")))),*]
    };
}
const SEVEN: [(&str, &str); 7] = seven!("sqlite");
const SEVEN_ON_A_SERVER: [(&str, &str); 7] = seven!("postgres");

/// A book of that schema.
fn older(path: &Path) -> Connection {
    let book = Connection::open(path).unwrap();
    book.execute_batch(
        "CREATE TABLE schema_migration (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, \
         applied_at INTEGER NOT NULL DEFAULT 0) STRICT; PRAGMA application_id = 1346531179; PRAGMA user_version = 7",
    )
    .unwrap();
    for (number, (name, text)) in (1..).zip(SEVEN) {
        book.execute_batch(text).unwrap();
        let checksum = blake3::hash(text.as_bytes());
        let row = params![number, name, checksum.as_bytes()];
        book.execute("INSERT INTO schema_migration (number, name, checksum) VALUES (?1, ?2, ?3)", row).unwrap();
    }
    book
}

/// With ids in the place of `@1` and the like.
fn with_ids(sql: &str) -> String {
    (1..=6).fold(sql.to_owned(), |sql, n| sql.replace(&format!("@{n}"), &format!("x'{n:032x}'")))
}

/// Two links of a folder, of which the later one was removed, and the mark of who made them.
const LINKS: &str = "
    INSERT INTO tenants (id, name) VALUES (@1, 'default');
    INSERT INTO users (id, tenant_id, display_name) VALUES (@2, @1, 'local');
    INSERT INTO cloud_connections (id, tenant_id, user_id, provider_type, provider_user_id, encrypted_access_token,
        token_expiry, scope)
        VALUES (@3, @1, @2, 'box', 'me', x'00', 0, '');
    INSERT INTO cloud_folders (id, tenant_id, connection_id, folder_name, provider_folder_id, folder_type)
        VALUES (@4, @1, @3, 'f', 'f', 'export');
    INSERT INTO cloud_shared_links (id, tenant_id, created_by_user_id, resource_type, folder_id, share_url, share_type,
        access_count, is_deleted)
        VALUES (@5, @1, @2, 'folder', @4, x'AB',
            'view', 3, 0),
        (@6, @1, @2, 'folder', @4, x'CD', 'edit',
            0, 1);
    DELETE FROM cloud_shared_links WHERE index_id = 2;";

/// A definition, and a row of its ledger.
const LEDGER: &str = "
    INSERT INTO tenants (id, name) VALUES (@1, 'default');
    INSERT INTO applications (id, tenant_id, name) VALUES (@2, @1, 'a');
    INSERT INTO databases (id, tenant_id, application_id, name, db_type, environment, database_name)
        VALUES (@4, @1, @2, 'd', 'SQLITE', 'PROD', 'd');
    INSERT INTO database_tables (id, tenant_id, database_id, table_name) VALUES (@5, @1, @4, 't');
    INSERT INTO sync_definitions (id, tenant_id, name, source_table_id, target_table_id, sync_mode)
        VALUES (@3, @1, 's', @5, @5, 'TWO_WAY');
    INSERT INTO sync_ledger (sync_def_id, source_identity_hash, source_identity, source_key_strategy, sp_item_id, state,
        content_hash, mapping_version, provenance, created_at, updated_at)
        VALUES (@3, zeroblob(32), 'id=1', 'PRIMARY_KEY', 7, 'CONFIRMED', zeroblob(32), 2, 'PUSH', 11, 12);";

#[tokio::test]
async fn the_ledger_of_an_older_book_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("book.db");
    let before = older(&path);
    before.execute_batch(&with_ids(LEDGER)).unwrap();
    drop(before);
    Book::open(BookOptions::sqlite(&path)).await.unwrap().shutdown().await;
    let after = Connection::open(&path).unwrap();
    let wrong: i64 = after.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(wrong, 0);
    let kept =
        "SELECT source_identity || sp_item_id || state || mapping_version || created_at || updated_at FROM sync_ledger";
    let kept: String = after.query_row(kept, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "id=17CONFIRMED21112");
    for (column, value) in [("state", "LOST"), ("source_key_strategy", "GUESSED")] {
        let error = after.execute(&format!("UPDATE sync_ledger SET {column} = ?1"), [value]).unwrap_err();
        assert!(error.to_string().contains("CHECK"), "{error}");
    }
}

#[tokio::test]
async fn links_of_an_older_book_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("book.db");
    let before = older(&path);
    before.execute_batch(&with_ids(LINKS)).unwrap();
    drop(before);
    let book = Book::open(BookOptions::sqlite(&path)).await.unwrap();
    let tenant = book.tenants(None, 1).await.unwrap().remove(0);
    let user = Id::new(Uuid::from_u128(2));
    let session = book.session(tenant.id, user).await.unwrap();
    let links = session.rows::<CloudSharedLink>().list(Filter::all(), None, 10).await.unwrap().rows;
    let [link] = &links[..] else { panic!("{links:?}") };
    assert_eq!((link.index_id, link.row.access_count, link.row.volume_file_id), (Some(1), 3, None));
    book.shutdown().await;
    let after = Connection::open(&path).unwrap();
    let count = |sql: &str| after.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(
        count("SELECT seq FROM sqlite_sequence WHERE name = 'cloud_shared_links'"),
        2,
        "no number is given again"
    );
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'old_%'"), 0);
    // What a link opens is one thing.
    let insert = "INSERT INTO cloud_shared_links (id, tenant_id, created_by_user_id, resource_type, folder_id, volume_file_id, \
         share_url, share_type) VALUES (randomblob(16), @1, @2, ?1, ?2, ?3, x'AB', 'view')";
    for (kind, folder, file) in
        [("file", None, None), ("folder", Some([4_u8; 16]), Some([5_u8; 16])), ("folder", None, Some([5_u8; 16]))]
    {
        let error = after.execute(&with_ids(insert), params![kind, folder, file]).unwrap_err();
        assert!(error.to_string().contains("ck_cloud_shared_links_resource"), "{error}");
    }
    // A user takes deleted links along, by the trigger that was made anew.
    after
        .execute_batch(
            "PRAGMA foreign_keys = ON; UPDATE cloud_shared_links SET is_deleted = 1; \
        DELETE FROM cloud_folders; DELETE FROM cloud_connections; DELETE FROM users",
        )
        .unwrap();
    assert_eq!(count("SELECT count(*) FROM cloud_shared_links"), 0);
}

/// As [`LINKS`], for the other engine.
const LINKS_ON_A_SERVER: &str = "
    INSERT INTO tenants (id, name) VALUES (@1, 'default');
    INSERT INTO users (id, tenant_id, display_name) VALUES (@2, @1, 'local');
    INSERT INTO cloud_connections (id, tenant_id, user_id, provider_type, provider_user_id, encrypted_access_token,
        token_expiry, scope)
        VALUES (@3, @1, @2, 'box', 'me', '\\x00', to_timestamp(0), '');
    INSERT INTO cloud_folders (id, tenant_id, connection_id, folder_name, provider_folder_id, folder_type)
        VALUES (@4, @1, @3, 'f', 'f', 'export');
    INSERT INTO cloud_shared_links (id, tenant_id, created_by_user_id, resource_type, folder_id, share_url, share_type,
        access_count, is_deleted)
        VALUES (@5, @1, @2, 'folder', @4, '\\xAB', 'view', 3, false), (@6, @1, @2, 'folder', @4, '\\xCD', 'edit', 0, true);
    DELETE FROM cloud_shared_links WHERE index_id = 2;";

fn with_uuids(sql: &str) -> String {
    (1..=6).fold(sql.to_owned(), |sql, n| sql.replace(&format!("@{n}"), &format!("'{}'::uuid", Uuid::from_u128(n))))
}

/// A connection of the owner that acts as the tenant of the links: policies bind the owner, too.
async fn owner(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let acts = format!("SET search_path = portbook; SET portbook.tenant = '{}'", Uuid::from_u128(1));
    client.batch_execute(&acts).await.unwrap();
    client
}

pub(crate) async fn links_of_an_older_book_on_a_server_stay_as_they_are(book: Arc<fixture::Book>) {
    let At::Server(database) = &book.at else { panic!("the server's alone") };
    on(&database.owner, "DROP SCHEMA portbook CASCADE; CREATE SCHEMA portbook").await;
    let before = owner(&database.owner).await;
    before
        .batch_execute(
            "CREATE TABLE schema_migration (number bigint PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL, \
             applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await
        .unwrap();
    for (number, (name, text)) in (1_i64..).zip(SEVEN_ON_A_SERVER) {
        before.batch_execute(text).await.unwrap();
        let checksum = blake3::hash(text.as_bytes());
        let row = "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)";
        before.execute(row, &[&number, &name, &&checksum.as_bytes()[..]]).await.unwrap();
    }
    before.batch_execute(&with_uuids(LINKS_ON_A_SERVER)).await.unwrap();
    drop(before);
    // The owner brings it forward; the application finds what was there.
    book.at.open_as_owner().await.unwrap().shutdown().await;
    let after = Book::open(BookOptions::postgres(&database.application)).await.unwrap();
    let tenant = after.tenants(None, 1).await.unwrap().remove(0);
    let session = after.session(tenant.id, Id::new(Uuid::from_u128(2))).await.unwrap();
    let links = session.rows::<CloudSharedLink>().list(Filter::all(), None, 10).await.unwrap().rows;
    let [link] = &links[..] else { panic!("{links:?}") };
    assert_eq!((link.index_id, link.row.access_count, link.row.volume_file_id), (Some(1), 3, None));
    after.shutdown().await;
    let client = owner(&database.owner).await;
    let insert = |kind: &str, folder: &str, file: &str| {
        let sql = "INSERT INTO cloud_shared_links (id, tenant_id, created_by_user_id, resource_type, folder_id, \
             volume_file_id, share_url, share_type) VALUES (gen_random_uuid(), @1, @2, 'KIND', FOLDER, FILE, '\\xAB', 'view') \
             RETURNING index_id";
        with_uuids(&sql.replace("KIND", kind).replace("FOLDER", folder).replace("FILE", file))
    };
    // What a link opens is one thing, and it is there.
    for (kind, folder, file, constraint) in [
        ("file", "NULL", "NULL", "ck_cloud_shared_links_resource"),
        ("folder", "@4", "@5", "ck_cloud_shared_links_resource"),
        ("folder", "NULL", "@5", "ck_cloud_shared_links_resource"),
        ("file", "NULL", "@5", "fk_cloud_shared_links_volume_file"),
    ] {
        let error = client.query_one(&insert(kind, folder, file), &[]).await.unwrap_err();
        assert_eq!(error.as_db_error().and_then(|e| e.constraint()), Some(constraint), "{error:?}");
    }
    let number: i64 = client.query_one(&insert("folder", "@4", "NULL"), &[]).await.unwrap().get(0);
    assert!(number > 2, "no number is given again: {number}");
    // A user takes deleted links along.
    client
        .batch_execute(
            "UPDATE cloud_shared_links SET is_deleted = true; UPDATE cloud_connections SET is_deleted = true; \
             DELETE FROM users",
        )
        .await
        .unwrap();
    let left: i64 = client.query_one("SELECT count(*) FROM cloud_shared_links", &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
}
