//! Row-level security against a tenant that can run any statement, as the application and as the owner of the tables.

use std::sync::Arc;

use portbook::Code;
use portbook::identity::ContentHash;
use portbook::ledger::Ledger;
use portbook::model::{Held, Kind, Name, Pair, PairId, Sides, TenantId};
use portbook::store::{PostgresOptions, PostgresStore, Statement, Store, Value, Write, Written};
use tokio_postgres::{Client, NoTls};

use crate::fixture::{At, Book, Tenancy};
use crate::schema::fill;
use crate::server::{Database, on};

pub(crate) fn database(book: &Book) -> &Database {
    match &book.at {
        At::Server(database) => database,
        At::File(_) => panic!("row-level security is the server's"),
    }
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET search_path = portbook").await.unwrap();
    client
}

const TABLES: &str = "SELECT c.relname::text, (SELECT attname::text FROM pg_attribute \
     WHERE attrelid = c.oid AND attname IN ('tenant_id', 'org_id') AND atttypid = 'uuid'::regtype \
     AND c.relname NOT LIKE 'sharepoint%' OR attrelid = c.oid AND attname = 'org_id' LIMIT 1) \
     FROM pg_class c WHERE relnamespace = 'portbook'::regnamespace AND relkind IN ('r', 'p') \
     AND relname <> 'schema_migration' ORDER BY 1";

/// The tables, each with its column for the tenant where it has one.
async fn tables(client: &Client) -> Vec<(String, Option<String>)> {
    let rows = client.query(TABLES, &[]).await.unwrap();
    rows.iter().map(|r| (r.get(0), r.get(1))).collect()
}

pub(crate) async fn every_table_forces_policies_for_every_command(book: Arc<Book>) {
    let client = connect(&database(&book).owner).await;
    let lacking = "SELECT c.relname::text FROM pg_class c WHERE relnamespace = 'portbook'::regnamespace \
         AND relkind IN ('r', 'p') AND relname <> 'schema_migration' AND NOT (relrowsecurity AND relforcerowsecurity \
         AND (SELECT count(DISTINCT polcmd) FROM pg_policy WHERE polrelid = c.oid AND polcmd <> '*') = 4)";
    let lacking: Vec<String> = client.query(lacking, &[]).await.unwrap().iter().map(|r| r.get(0)).collect();
    assert!(lacking.is_empty(), "not isolated: {lacking:?}");
    assert!(tables(&client).await.len() > 20);
    // The names that the specification gives.
    for (table, prefix) in [
        ("sync_preview_cache", "preview_cache"),
        ("sync_progress", "sync_progress"),
        ("sync_activity_log", "sync_activity_log"),
    ] {
        for command in ["select", "insert", "update", "delete"] {
            let named = "SELECT count(*) FROM pg_policies WHERE tablename = $1 AND policyname = $2";
            let count: i64 = client.query_one(named, &[&table, &format!("{prefix}_{command}")]).await.unwrap().get(0);
            assert_eq!(count, 1, "{prefix}_{command}");
        }
    }
}

/// Two tenants with a row in most tables, ledgers and previews included.
async fn two_tenants(book: &Arc<Book>) -> [Tenancy; 2] {
    let both = [book.tenancy().await, book.tenancy().await];
    for t in &both {
        fill(book, t).await;
        let ledger = Ledger::new(Arc::clone(&book.store), t.tenant, t.conduit);
        let pair = Pair {
            id: PairId(1),
            parent: PairId::ROOT,
            name: Name::new(b"a").unwrap(),
            kind: Kind::File,
            content: Some(ContentHash::of(b"a")),
            held: Sides::new(Held::default(), Held::default()),
        };
        book.store.write(t.tenant, vec![ledger.put(&[pair])]).await.unwrap();
        let change = "INSERT INTO sync_preview_change (preview_id, ord, seq, kind, action, item_kind, path, detail) \
             SELECT id, 1, 1, 1, 1, 1, ?1, ?1 FROM sync_preview_cache";
        let change = Statement::new(change, vec![Value::Blob(b"a".to_vec())]);
        book.store.write(t.tenant, vec![Write::Expect(change, 1)]).await.unwrap();
    }
    both
}

pub(crate) async fn a_tenant_reaches_no_row_of_another(book: Arc<Book>) {
    let [ours, theirs] = two_tenants(&book).await;
    let owner = PostgresStore::open(&database(&book).owner, PostgresOptions::default()).await.unwrap();
    let all = tables(&connect(&database(&book).owner).await).await;
    // The application reaches partitions through their parent only.
    let is_partition = |table: &str| table.starts_with("sync_activity_log_");
    let roles: [(&dyn Store, bool); 2] = [(&*book.store, false), (&owner, true)];
    for (store, is_owner) in roles {
        for (table, column) in
            all.iter().filter(|(t, _)| t != "write_mark" && t != "book_copy" && (is_owner || !is_partition(t)))
        {
            let count = async |tenant, condition: &str, params| {
                let sql = format!("SELECT count(*) FROM {table} {condition}");
                let rows = store.query(tenant, Statement::new(sql, params)).await.unwrap();
                rows.first().unwrap().int(0).unwrap()
            };
            let kept = count(theirs.tenant, "", vec![]).await;
            let column = column.as_deref().or((table == "tenants").then_some("id"));
            if let Some(column) = column {
                let foreign = format!("WHERE {column} <> ?1");
                let foreign = count(ours.tenant, &foreign, vec![Value::Uuid(ours.tenant.0)]).await;
                assert_eq!(foreign, 0, "{table}");
                // Moving a row of ours to them is refused; so is what this finds of theirs, which is nothing.
                let give = format!("UPDATE {table} SET {column} = ?1");
                let give = Write::Execute(Statement::new(give, vec![Value::Uuid(theirs.tenant.0)]));
                if count(ours.tenant, "", vec![]).await > 0 {
                    let refused = store.write(ours.tenant, vec![give]).await.unwrap_err();
                    assert!(matches!(refused.code(), Code::Permission | Code::Invalid), "{table}: {refused}");
                }
            }
            let everything = Write::Execute(Statement::new(format!("DELETE FROM {table}"), vec![]));
            // Undone by the expectation that cannot hold.
            let undo = Write::Expect(Statement::new("DELETE FROM tenants WHERE false", vec![]), 1);
            let undone = store.write(ours.tenant, vec![everything, undo]).await.unwrap_err();
            assert_eq!(undone.code(), Code::Conflict, "{table}: {undone}");
            assert_eq!(count(theirs.tenant, "", vec![]).await, kept, "{table}");
        }
        assert_eq!(ledger_rows(store, &ours, &theirs).await, 0);
        assert_eq!(ledger_rows(store, &ours, &ours).await, 1);
    }
    // What a tenant may delete is what it has.
    let gone = Write::Execute(Statement::new("DELETE FROM file_pair", vec![]));
    assert_eq!(book.store.write(ours.tenant, vec![gone]).await.unwrap(), [Written::Changed(1)]);
    assert_eq!(ledger_rows(&*book.store, &theirs, &theirs).await, 1);
    owner.shutdown().await;
}

async fn ledger_rows(store: &dyn Store, asking: &Tenancy, of: &Tenancy) -> i64 {
    let sql = "SELECT count(*) FROM file_pair WHERE conduit_id = ?1";
    let rows = store.query(asking.tenant, Statement::new(sql, vec![Value::Int(of.conduit)])).await.unwrap();
    rows.first().unwrap().int(0).unwrap()
}

pub(crate) async fn nothing_is_written_in_the_name_of_another(book: Arc<Book>) {
    let [ours, theirs] = two_tenants(&book).await;
    let user = "INSERT INTO users (id, tenant_id) VALUES (?1, ?2)";
    let pair = "INSERT INTO file_pair (conduit_id, parent_id, name, id, kind, left_state, right_state) \
         VALUES (?1, 0, ?2, 7, 1, ?2, ?2)";
    let blob = Value::Blob(b"x".to_vec());
    book.act_as(ours.tenant);
    for (sql, params) in [
        (user, vec![Value::Uuid(crate::fixture::id()), Value::Uuid(theirs.tenant.0)]),
        (pair, vec![Value::Int(theirs.conduit), blob.clone()]),
        ("UPDATE file_pair SET conduit_id = ?1", vec![Value::Int(theirs.conduit)]),
    ] {
        assert_eq!(book.code(sql, params).await, Some(Code::Permission), "{sql}");
    }
    book.execute(pair, vec![Value::Int(ours.conduit), blob]).await.unwrap();
}

pub(crate) async fn without_a_tenant_there_is_no_row(book: Arc<Book>) {
    two_tenants(&book).await;
    let client = connect(&database(&book).application).await;
    for setting in ["RESET portbook.tenant", "SET portbook.tenant = ''"] {
        client.batch_execute(setting).await.unwrap();
        for (table, _) in tables(&client).await {
            if table.starts_with("sync_activity_log_") {
                let refused = client.query(&format!("SELECT FROM portbook.{table}"), &[]).await.unwrap_err();
                assert_eq!(refused.code().unwrap().code(), "42501", "{table}");
                continue;
            }
            let count: i64 = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0);
            assert_eq!(count, 0, "{table}");
        }
        let tenant = "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'x')";
        assert_eq!(client.execute(tenant, &[]).await.unwrap_err().code().unwrap().code(), "42501");
    }
    // Upkeep sees the list of tenants, and cannot ask for anything else.
    client.batch_execute("SET portbook.tenant = '*'").await.unwrap();
    let count: i64 = client.query_one("SELECT count(*) FROM tenants", &[]).await.unwrap().get(0);
    assert_eq!(count, 2);
    assert!(client.query("SELECT * FROM users", &[]).await.is_err());
    assert!(client.execute("DELETE FROM tenants", &[]).await.is_err());
}

pub(crate) async fn the_tenants_of_a_book_can_be_listed(book: Arc<Book>) {
    let mut both: Vec<TenantId> = vec![book.tenancy().await.tenant, book.tenancy().await.tenant];
    both.sort();
    assert_eq!(book.store.tenants().await.unwrap(), both);
}

pub(crate) async fn the_application_owns_nothing(book: Arc<Book>) {
    let client = connect(&database(&book).application).await;
    for sql in [
        "SELECT retire_activity_partitions(now() + INTERVAL '1 year', false)",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY users_select ON users",
        "CREATE TABLE portbook.mine (a int)",
        "DELETE FROM schema_migration",
        "INSERT INTO book_copy (number) VALUES (1)",
        "TRUNCATE users",
        "SET row_security = off; SELECT * FROM users",
    ] {
        let refused = client.batch_execute(sql).await.expect_err(sql);
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    client.batch_execute("SELECT make_activity_partitions(now() + INTERVAL '1 month', 3)").await.unwrap();
}

pub(crate) async fn a_role_that_bypasses_security_is_refused_unless_told_so(book: Arc<Book>) {
    let Database { admin, name, .. } = database(&book);
    let (server, _) = admin.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    let refused = PostgresStore::open(&url, PostgresOptions::default()).await.err().unwrap();
    assert_eq!(refused.code(), Code::Invalid);
    assert!(!refused.advice().is_empty());
    let told = PostgresOptions { allow_bypass: true, ..Default::default() };
    PostgresStore::open(&url, told).await.unwrap().shutdown().await;
}

pub(crate) async fn books_stand_side_by_side_in_one_database(book: Arc<Book>) {
    let first = book.tenancy().await;
    let odd = PostgresOptions { schema: "Second \"book\"".into(), ..Default::default() };
    let url = &database(&book).owner;
    let second = Book::new(Arc::new(PostgresStore::open(url, odd.clone()).await.unwrap()), book.at.clone());
    assert!(second.store.tenants().await.unwrap().is_empty());
    let other = second.tenancy().await;
    assert_eq!(second.store.tenants().await.unwrap(), [other.tenant]);
    assert_eq!(book.store.tenants().await.unwrap(), [first.tenant]);
    second.store.shutdown().await;
    PostgresStore::open(url, odd).await.unwrap().shutdown().await;
    // A role that may not create a schema says so.
    let new = PostgresOptions { schema: "third".into(), ..Default::default() };
    let refused = PostgresStore::open(&database(&book).application, new).await.err().unwrap();
    assert_eq!(refused.code(), Code::Permission, "{refused}");
}

pub(crate) async fn a_temporary_table_shadows_none_of_the_book(book: Arc<Book>) {
    on(&database(&book).owner, &format!("GRANT TEMPORARY ON DATABASE {} TO PUBLIC", database(&book).name)).await;
    let t = book.tenancy().await;
    book.execute("CREATE TEMPORARY TABLE users (id uuid, tenant_id uuid)", vec![]).await.unwrap();
    assert_eq!(book.ints("SELECT count(*) FROM users WHERE id = ?1", vec![Value::Uuid(t.user)]).await, [1]);
}
