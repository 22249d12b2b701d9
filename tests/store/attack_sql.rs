//! A tenant that runs whatever SQL it likes as the application. The setting `portbook.tenant` is the host's, and nobody
//! else's to choose; under it, what is another tenant's can neither be seen nor touched, by any statement on any relation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use portbook::model::{TABLES, TenantId};
use portbook::store::{Statement, Value, Write};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::attack::{Side, make, side};
use crate::fixture::{At, Book, Tenancy};
use crate::isolation::connect;
use crate::server::{APPLICATION, Database, OWNER, on};
use crate::tables::sample;

/// Relations that are of no tenant, and why that gives nothing away.
const OF_NOBODY: [&str; 4] = [
    "schema_migration", // the version of the book
    "book_copy",        // that a copy is under way
    "vault_key",        // what a passphrase is derived with, and by which it is recognised
    "write_mark",       // random numbers of connections
];

/// Functions that run as the owner of the tables: each was looked at.
const AS_OWNER: [&str; 2] = ["make_activity_partitions", "portbook_number_on"];

/// The rows of every table of a tenant, as text.
type Holdings = BTreeMap<String, Vec<String>>;

/// A relation, with what a statement on it has to name.
struct Relation {
    name: String,
    /// Columns that an insert may give, separated by commas.
    columns: String,
    /// The column of the tenant.
    tenant: Option<String>,
    /// The columns of the primary key.
    key: String,
}

async fn relations(client: &Client) -> Vec<Relation> {
    let ask = "SELECT c.relname::text, \
         (SELECT string_agg(attname::text, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 \
          AND NOT attisdropped AND attgenerated = '' AND attidentity <> 'a'), \
         (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped \
          AND attname IN ('tenant_id', 'org_id') AND atttypid = 'uuid'::regtype), \
         (SELECT string_agg(attname::text, ', ') FROM pg_index JOIN pg_attribute ON attrelid = indrelid \
          AND attnum = ANY (indkey) WHERE indrelid = c.oid AND indisprimary) \
         FROM pg_class c WHERE relnamespace = 'portbook'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition \
         ORDER BY 1";
    let rows = client.query(ask, &[]).await.unwrap();
    let relations =
        rows.iter().map(|r| Relation { name: r.get(0), columns: r.get(1), tenant: r.get(2), key: r.get(3) });
    relations.filter(|r| !OF_NOBODY.contains(&r.name.as_str())).collect()
}

fn database(book: &Book) -> &Database {
    match &book.at {
        At::Server(database) => database,
        At::File(_) => panic!("SQL as another role is the server's"),
    }
}

async fn act_as(client: &Client, tenant: &str) {
    client.batch_execute(&format!("SET portbook.tenant = '{tenant}'")).await.unwrap();
}

async fn rows(client: &Client, table: &str) -> Vec<String> {
    let ask = format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1");
    client.query(&ask, &[]).await.unwrap_or_else(|e| panic!("{table}: {e:?}")).iter().map(|r| r.get(0)).collect()
}

async fn holdings(client: &Client, relations: &[Relation], tenant: TenantId) -> Holdings {
    act_as(client, &tenant.0.to_string()).await;
    let mut found = Holdings::new();
    for relation in relations {
        found.insert(relation.name.clone(), rows(client, &relation.name).await);
    }
    found
}

/// What has come of a statement: the code of its refusal, or the rows it gave or changed.
async fn outcome(client: &Client, sql: &str) -> Result<u64, String> {
    let refused = |e: tokio_postgres::Error| e.code().map_or_else(|| e.to_string(), |code| code.code().to_owned());
    client.execute(sql, &[]).await.map_err(refused)
}

/// A tenant with a row in every table.
async fn settled(book: &Arc<Book>, directory: &std::path::Path) -> Side {
    let side = side(book, directory).await;
    for table in TABLES {
        let row = sample(&side.session, table, 3).await;
        side.session.table(table.name).unwrap().create(row).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
    }
    let Tenancy { tenant, conduit, .. } = side.t;
    let (volume, definition) =
        (make(&side.session, "storage_volumes").await, make(&side.session, "sync_definitions").await);
    let own = || vec![Value::Uuid(tenant.0), Value::Int(conduit)];
    let with = |first: Value| vec![Value::Uuid(tenant.0), first];
    for (sql, params) in [
        ("INSERT INTO file_intent (tenant_id, conduit_id, generation, kind) VALUES (?1, ?2, 1, 1)", own()),
        (
            "INSERT INTO transfer_session (tenant_id, conduit_id, path, side, generation, tag, source) \
             VALUES (?1, ?2, '\\x61', 1, 1, 't', '\\x61')",
            own(),
        ),
        (
            "INSERT INTO quota_reservation (id, tenant_id, volume_id, bytes, owner, expires_at) \
             VALUES (gen_random_uuid(), ?1, ?2, 1, 'x', now())",
            with(Value::Uuid(volume)),
        ),
        (
            "INSERT INTO sync_ledger (sync_def_id, source_identity_hash, source_identity, source_key_strategy, state, \
             target_key, mapping_version, provenance) VALUES (?1, sha256('x'), 'x', 'PRIMARY_KEY', 'CONFIRMED', 'x', 1, 'PUSH')",
            vec![Value::Uuid(definition)],
        ),
        ("INSERT INTO sync_definition_state (tenant_id, sync_def_id) VALUES (?1, ?2)", with(Value::Uuid(definition))),
        (
            "INSERT INTO sync_row_failure (sync_def_id, source_identity_hash, source_identity, error_code, error_message, \
             first_failed_at, last_failed_at) VALUES (?1, sha256('x'), 'x', 'stale', 'x', now(), now())",
            vec![Value::Uuid(definition)],
        ),
        (
            "INSERT INTO sync_row_conflict (tenant_id, sync_def_id, source_identity_hash, source_identity, generation, created_at, \
             met_at) VALUES (?1, ?2, sha256('x'), 'x', 1, now(), now())",
            with(Value::Uuid(definition)),
        ),
        (
            "INSERT INTO unit_budget (id, tenant_id, authority, entra_tenant, client_id, units_per_minute, units_per_day) \
             VALUES (?1, ?1, 'x', 'x', 'x', 1, 1)",
            vec![Value::Uuid(tenant.0)],
        ),
        (
            "INSERT INTO unit_grant (budget_id, id, units, counts_until) VALUES (?1, ?1, 1, now())",
            vec![Value::Uuid(tenant.0)],
        ),
        // One that upkeep of anybody else must leave alone.
        ("UPDATE sync_preview_cache SET expires_at = computed_at WHERE org_id = ?1 AND conduit_id = ?2", own()),
    ] {
        book.store.write(tenant, vec![Write::Execute(Statement::new(sql, params))]).await.unwrap();
    }
    side
}

pub(crate) async fn no_statement_of_the_application_reaches_another_tenant(book: Arc<Book>) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let theirs = settled(&book, &root.join("theirs")).await;
    let ours = settled(&book, &root.join("ours")).await;
    let client = connect(&database(&book).application).await;
    let relations = relations(&client).await;
    let kept = holdings(&client, &relations, theirs.t.tenant).await;
    let empty: Vec<_> = kept.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "nothing to reach in {empty:?}");
    let tenant = ours.t.tenant.0.to_string();
    for relation in &relations {
        let their_rows = &kept[&relation.name];
        for setting in [tenant.as_str(), "", &Uuid::now_v7().to_string()] {
            act_as(&client, setting).await;
            looks(&client, relation, their_rows).await;
            // What is seen without a tenant is not even one's own.
            if setting != tenant {
                assert!(rows(&client, &relation.name).await.is_empty(), "{} as {setting:?}", relation.name);
            }
            writes(&client, relation, their_rows, &tenant).await;
        }
        changes_the_table(&client, &relation.name).await;
    }
    act_as(&client, "no id").await;
    assert_eq!(outcome(&client, "SELECT * FROM users").await.unwrap_err(), "22P02");
    act_as(&client, &tenant).await;
    upkeep(&client).await;
    let now = holdings(&client, &relations, theirs.t.tenant).await;
    for (table, rows) in &kept {
        assert_eq!(&now[table], rows, "{table} of theirs");
    }
    let taken = holdings(&client, &relations, ours.t.tenant).await;
    assert!(taken.iter().all(|(table, rows)| !rows.iter().any(|row| kept[table].contains(row))));
}

/// Whatever looks at a table shows none of their rows.
async fn looks(client: &Client, relation: &Relation, theirs: &[String]) {
    let Relation { name, .. } = relation;
    let ours: BTreeSet<_> = rows(client, name).await.into_iter().collect();
    assert!(theirs.iter().all(|row| !ours.contains(row)), "{name}");
    // Of a table of partitions a plain COPY gives nothing at all.
    assert!(copied(client, &format!("COPY {name} TO STDOUT")).await <= ours.len(), "{name} is copied");
    assert_eq!(copied(client, &format!("COPY (TABLE {name}) TO STDOUT")).await, ours.len(), "{name} is copied");
    // Three rows tell as much as all.
    for row in theirs.iter().take(3).map(|row| row.replace('\'', "''")) {
        // A condition that fails on a row tells that the row is there: it must not be asked of one that is not shown.
        let told = format!("SELECT FROM {name} t WHERE 1 / (to_jsonb(t)::text <> '{row}')::int = 2");
        assert_eq!(outcome(client, &told).await, Ok(0), "{name}");
        let locked = format!("SELECT FROM {name} t WHERE to_jsonb(t)::text = '{row}' FOR UPDATE");
        assert_eq!(outcome(client, &locked).await, Ok(0), "{name}");
    }
}

/// How many rows a copy has.
async fn copied(client: &Client, copy: &str) -> usize {
    let parts: Vec<bytes::Bytes> = client.copy_out(copy).await.unwrap().try_collect().await.unwrap();
    parts.iter().map(|part| part.iter().filter(|byte| **byte == b'\n').count()).sum()
}

/// Writing their rows changes nothing, whether it finds none or is refused.
async fn writes(client: &Client, relation: &Relation, theirs: &[String], tenant: &str) {
    let Relation { name, columns, key, .. } = relation;
    let first = columns.split(", ").next().unwrap();
    // Three rows tell as much as all.
    for row in theirs.iter().take(3).map(|row| row.replace('\'', "''")) {
        let is_theirs = format!("WHERE to_jsonb(t)::text = '{row}'");
        for sql in
            [format!("UPDATE {name} t SET {first} = {first} {is_theirs}"), format!("DELETE FROM {name} t {is_theirs}")]
        {
            assert_eq!(outcome(client, &sql).await, Ok(0), "{sql}");
        }
        let insert = |row: &str| {
            format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{name}, {row})")
        };
        let theirs = insert(&format!("'{row}'"));
        // A trigger that checks the row itself may speak first.
        let refused = outcome(client, &theirs).await.unwrap_err();
        assert!(refused == "42501" || refused == "23514", "{refused}: {theirs}");
        // The same, said to be ours: no row may be taken over by its key.
        let column = relation.tenant.as_deref().unwrap_or("x");
        let ours = insert(&format!("'{row}'::jsonb || '{{\"{column}\": \"{tenant}\"}}'"));
        for clash in
            ["", "ON CONFLICT DO NOTHING", &format!("ON CONFLICT ({key}) DO UPDATE SET {first} = excluded.{first}")]
        {
            // A table whose key has the tenant in it may take the row as one of ours.
            let sql = format!("BEGIN; {ours} {clash}; ROLLBACK");
            let _ = client.batch_execute(&sql).await;
            client.batch_execute("ROLLBACK").await.unwrap();
        }
    }
    let everything = [format!("UPDATE {name} SET {first} = {first}"), format!("DELETE FROM {name}")];
    for sql in everything {
        client.batch_execute("BEGIN").await.unwrap();
        let reached = outcome(client, &sql).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        let seen = rows(client, name).await.len() as u64;
        assert!(reached.as_ref().map_or(true, |n| *n <= seen), "{sql}: {reached:?}");
    }
}

/// The application changes no table, nor what guards it.
async fn changes_the_table(client: &Client, name: &str) {
    // The one whose policies the specification names otherwise.
    let policy = if name == "sync_preview_cache" { "preview_cache" } else { name };
    let mut wrong = Vec::new();
    for sql in [
        format!("TRUNCATE {name}"),
        format!("DROP TABLE {name} CASCADE"),
        format!("ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"),
        format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY"),
        format!("ALTER TABLE {name} OWNER TO {APPLICATION}"),
        format!("ALTER TABLE {name} DISABLE TRIGGER ALL"),
        format!("ALTER TABLE {name} RENAME TO other"),
        format!("DROP POLICY {policy}_select ON {name}"),
        format!("ALTER POLICY {policy}_select ON {name} USING (true)"),
        format!("CREATE POLICY mine ON {name} USING (true)"),
        format!("CREATE INDEX ON {name} ((true))"),
        format!("CREATE RULE mine AS ON INSERT TO {name} DO ALSO SELECT 1"),
        format!("CREATE TABLE portbook.child () INHERITS ({name})"),
        format!("SELECT portbook_police('{name}', 'mine', 'true')"),
        format!("SELECT portbook_isolate('{name}', 'id', 'mine')"),
        format!("SET LOCAL row_security = off; SELECT * FROM {name}"),
    ] {
        let refused = client.batch_execute(&format!("BEGIN; {sql}")).await.expect_err(&sql);
        client.batch_execute("ROLLBACK").await.unwrap();
        if refused.code().map(|code| code.code()) != Some("42501") {
            wrong.push(format!("{sql}: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refused = client.batch_execute(&format!("COPY {name} FROM STDIN")).await.unwrap_err();
    assert_eq!(refused.code().map(|code| code.code()), Some("0A000"), "row-level security takes no COPY");
}

/// What runs over every tenant runs over one's own.
async fn upkeep(client: &Client) {
    client.batch_execute("SELECT * FROM auto_cleanup_preview_cache()").await.unwrap();
    client.batch_execute("SELECT make_activity_partitions(now() + INTERVAL '2 months', 12)").await.unwrap();
    for table in ["sync_conduit", "entry", "file_intent"] {
        let raise = format!("SELECT portbook_number_on('{table}', 'id', 1000000)");
        let raised: i64 = client.query_one(&raise, &[]).await.unwrap().get(0);
        assert_eq!(raised, 0, "no copy is under way");
    }
}

pub(crate) async fn the_application_gets_no_role_and_no_file(book: Arc<Book>) {
    let name = &database(&book).name;
    let client = connect(&database(&book).application).await;
    for sql in [
        format!("SET ROLE {OWNER}"),
        format!("SET SESSION AUTHORIZATION {OWNER}"),
        format!("DO $$ BEGIN EXECUTE 'SET ROLE {OWNER}'; END $$"),
        format!("GRANT {OWNER} TO {APPLICATION}"),
        format!("ALTER ROLE {APPLICATION} BYPASSRLS"),
        format!("ALTER ROLE {APPLICATION} SUPERUSER"),
        format!("ALTER ROLE {OWNER} PASSWORD 'x'"),
        format!("ALTER DATABASE {name} SET portbook.tenant = '*'"),
        format!("ALTER SCHEMA portbook OWNER TO {APPLICATION}"),
        "CREATE ROLE another".into(),
        "DROP SCHEMA portbook CASCADE".into(),
        "CREATE TABLE portbook.mine (a int)".into(),
        "CREATE VIEW portbook.mine AS SELECT * FROM portbook.users".into(),
        "CREATE FUNCTION portbook.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'".into(),
        "CREATE OR REPLACE FUNCTION portbook.portbook_number_on(target text, numbered text, at_least bigint) RETURNS bigint \
         LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::bigint'"
            .into(),
        "ALTER FUNCTION make_activity_partitions(timestamptz, bigint) SET search_path = pg_temp".into(),
        "SELECT retire_activity_partitions(now() + INTERVAL '1 year', false)".into(),
        "INSERT INTO schema_migration (number, name, checksum) VALUES (999, 'x', 'x')".into(),
        "DELETE FROM schema_migration".into(),
        "INSERT INTO book_copy (number) VALUES (1)".into(),
        "INSERT INTO vault_key (slot, key_id, kind, check_value) VALUES (1, gen_random_uuid(), 'raw', 'x')".into(),
        "ALTER SYSTEM SET log_statement = 'all'".into(),
        "COPY (SELECT 1) TO PROGRAM 'true'".into(),
        "COPY (SELECT 1) TO '/tmp/portbook-attack'".into(),
        "SELECT pg_read_file('PG_VERSION')".into(),
        "SELECT lo_import('/etc/hostname')".into(),
        "SELECT * FROM pg_statistic".into(),
        "SELECT * FROM pg_authid".into(),
    ] {
        let refused = client.batch_execute(&sql).await.expect_err(&sql);
        assert_eq!(refused.code().map(|code| code.code()), Some("42501"), "{sql}: {refused:?}");
    }
    // Whoever hosts the book may ask for the list of tenants as `*`, and nothing else; the key of the book is not theirs.
    act_as(&client, &Uuid::now_v7().to_string()).await;
    assert_eq!(outcome(&client, "UPDATE vault_key SET check_value = 'x'").await, Ok(0));
    assert_eq!(outcome(&client, "DELETE FROM vault_key").await, Ok(0));
    let sequences = "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'portbook'::regnamespace \
         AND relkind = 'S'";
    let sequences = client.query(sequences, &[]).await.unwrap();
    assert!(!sequences.is_empty());
    for sequence in sequences.iter().map(|row| row.get::<_, String>(0)) {
        assert_eq!(
            outcome(&client, &format!("SELECT setval('{sequence}', 1)")).await.unwrap_err(),
            "42501",
            "{sequence}"
        );
    }
}

pub(crate) async fn nothing_of_the_book_runs_as_its_owner_unseen(book: Arc<Book>) {
    let t = book.tenancy().await;
    crate::schema::fill(&book, &t).await;
    let client = connect(&database(&book).application).await;
    let ask = "SELECT proname::text, coalesce(array_to_string(proconfig, '; '), '') FROM pg_proc \
         WHERE pronamespace = 'portbook'::regnamespace AND prosecdef ORDER BY 1";
    let found = client.query(ask, &[]).await.unwrap();
    let names: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, AS_OWNER, "functions that run as the owner");
    for row in &found {
        let (name, settings): (String, String) = (row.get(0), row.get(1));
        let path = settings.split("; ").find_map(|s| s.strip_prefix("search_path=")).unwrap_or_default();
        assert!(path.ends_with("pg_temp"), "{name} would find a caller's temporary tables first: {path}");
    }
    let others = "SELECT relname::text FROM pg_class WHERE relnamespace = 'portbook'::regnamespace \
         AND relkind NOT IN ('r', 'p', 'i', 'I', 'S')";
    let others: Vec<String> = client.query(others, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(others.is_empty(), "a view is asked as its owner: {others:?}");
    // What the planner knows of the rows is not shown to whom the rows are not shown.
    let Database { admin, name, .. } = database(&book);
    let (server, _) = admin.rsplit_once('/').unwrap();
    on(&format!("{server}/{name}"), "ANALYZE").await;
    let stats = "SELECT count(*) FROM pg_stats WHERE schemaname = 'portbook' AND tablename <> 'schema_migration'";
    assert_eq!(client.query_one(stats, &[]).await.unwrap().get::<_, i64>(0), 0);
}
