//! Tenants and users at the front door of a book.

use std::sync::Arc;

use portbook::model::{TABLES, TenantId, User, UserId};
use portbook::store::{Statement, Value};
use portbook::table::Filter;
use portbook::{Book as FrontDoor, Code};
use uuid::Uuid;

use crate::fixture::{Book, id};
use crate::tables::sample;

async fn open(book: &Book) -> FrontDoor {
    FrontDoor::open(crate::tables::keyed(book)).await.unwrap()
}

fn named(name: &str) -> User {
    User { email: Some(format!("{name}@example.com")), display_name: name.into() }
}

pub(crate) async fn tenants_are_made_listed_and_renamed(book: Arc<Book>) {
    let door = open(&book).await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(door.create_tenant(format!("tenant {n}")).await.unwrap());
    }
    made[1] = door.rename_tenant(made[1].id, "änderung").await.unwrap();
    assert_eq!(made[1].name, "änderung");
    assert!(made[1].updated_at >= made[1].created_at);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = door.tenants(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, made);
    for name in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        assert_eq!(door.create_tenant(name.clone()).await.unwrap_err().code(), Code::Invalid);
        assert_eq!(door.rename_tenant(made[0].id, name).await.unwrap_err().code(), Code::Invalid);
    }
    let nobody = TenantId(id());
    assert_eq!(door.rename_tenant(nobody, "x").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(door.delete_tenant(nobody).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(door.create_user(nobody, named("x")).await.unwrap_err().code(), Code::NotFound);
}

pub(crate) async fn a_session_is_of_a_user_of_its_tenant(book: Arc<Book>) {
    let door = open(&book).await;
    let (ours, theirs) = (door.create_tenant("a").await.unwrap().id, door.create_tenant("b").await.unwrap().id);
    let ada = door.create_user(ours, named("ada")).await.unwrap();
    let again = door.create_user(theirs, named("ada")).await.unwrap();
    assert_eq!(door.create_user(ours, named("ada")).await.unwrap_err().code(), Code::Conflict);
    let session = door.session(ours, ada.id).await.unwrap();
    assert_eq!(session.tenant(), ours);
    let foreign = door.session(ours, again.id).await.map(|_| ()).unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    let missing = door.session(ours, UserId::new(id())).await.map(|_| ()).unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    let users = session.rows::<User>();
    let bob = users.create(named("bob")).await.unwrap();
    let listed = users.list(Filter::all(), None, 10).await.unwrap().rows;
    assert_eq!(listed, [ada, bob.clone()], "users of the other tenant are not there");
    users.delete(bob.id).await.unwrap();
    assert_eq!(door.session(ours, bob.id).await.map(|_| ()).unwrap_err().code(), Code::NotFound);
}

pub(crate) async fn a_deleted_tenant_takes_every_row_along(book: Arc<Book>) {
    let door = open(&book).await;
    let mut sessions = Vec::new();
    for name in ["gone", "kept"] {
        let tenant = door.create_tenant(name).await.unwrap().id;
        let user = door.create_user(tenant, named(name)).await.unwrap();
        let session = door.session(tenant, user.id).await.unwrap();
        for (n, table) in TABLES.iter().enumerate() {
            let row = sample(&session, table, n).await;
            session.table(table.name).unwrap().create(row).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
        }
        sessions.push(session);
    }
    let count = async |tenant: TenantId| {
        let mut counts = Vec::new();
        for table in TABLES {
            let sql = format!("SELECT count(*) FROM {} WHERE {} = ?1", table.name, table.tenant);
            let rows = book.store.query(tenant, Statement::new(sql, vec![Value::Uuid(tenant.0)])).await.unwrap();
            counts.push(rows.first().unwrap().int(0).unwrap());
        }
        counts
    };
    let (gone, kept) = (sessions[0].tenant(), sessions[1].tenant());
    let before = count(kept).await;
    assert_eq!(count(gone).await, before);
    assert!(before.iter().all(|n| *n > 0), "{before:?}");
    door.delete_tenant(gone).await.unwrap();
    assert!(count(gone).await.iter().all(|n| *n == 0));
    assert_eq!(count(kept).await, before);
    assert_eq!(door.tenants(None, 10).await.unwrap().len(), 1);
    assert_eq!(door.delete_tenant(gone).await.unwrap_err().code(), Code::NotFound);
}

pub(crate) async fn a_tenant_whose_conduit_runs_is_not_deleted(book: Arc<Book>) {
    let door = open(&book).await;
    let t = book.tenancy().await;
    let lease = "UPDATE sync_conduit SET lease_owner = 'x', lease_expires_at = ?2 WHERE tenant_id = ?1";
    let until = |at| vec![Value::Uuid(t.tenant.0), Value::Time(at)];
    book.execute(lease, until(i64::MAX / 1000)).await.unwrap();
    assert_eq!(door.delete_tenant(t.tenant).await.unwrap_err().code(), Code::Busy);
    book.execute(lease, until(1)).await.unwrap();
    door.delete_tenant(t.tenant).await.unwrap();
    assert!(book.ints("SELECT id FROM sync_conduit", vec![]).await.is_empty());
}

pub(crate) async fn a_user_goes_with_what_is_deleted_and_stays_for_what_is_not(book: Arc<Book>) {
    let door = open(&book).await;
    let tenant = door.create_tenant("t").await.unwrap().id;
    let admin = door.create_user(tenant, named("admin")).await.unwrap();
    let session = door.session(tenant, admin.id).await.unwrap();
    let table = |name: &str| *TABLES.iter().find(|t| t.name == name).unwrap();
    let connections = session.table("cloud_connections").unwrap();
    let connection = connections.create(sample(&session, table("cloud_connections"), 1).await).await.unwrap();
    let files = session.table("files").unwrap();
    let mut file = sample(&session, table("files"), 1).await;
    file.insert("user_id".into(), connection["user_id"].clone());
    let file = files.create(file).await.unwrap();
    let of = |row: &serde_json::Map<String, serde_json::Value>, column: &str| -> Uuid {
        row[column].as_str().unwrap().parse().unwrap()
    };
    let users = session.rows::<User>();
    let user = UserId::new(of(&connection, "user_id"));
    assert_eq!(users.delete(user).await.unwrap_err().code(), Code::Conflict, "a live connection is the user's");
    connections.delete(of(&connection, "id")).await.unwrap();
    users.delete(user).await.unwrap();
    assert_eq!(connections.restore(of(&connection, "id")).await.unwrap_err().code(), Code::NotFound);
    assert!(files.get(of(&file, "id")).await.unwrap()["user_id"].is_null(), "a file outlives its user");
}
