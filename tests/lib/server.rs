//! A database of its own on the server that `PORTBOOK_TEST_POSTGRES` names, with two roles that row-level security binds:
//! the owner of the book, and the application, which owns nothing.

use uuid::Uuid;

/// The role that owns the databases of tests.
pub const OWNER: &str = "portbook_test_owner";

/// The role that only uses books.
pub const APPLICATION: &str = "portbook_test_application";

/// A database, dropped by [`Database::drop_it`].
#[derive(Clone)]
pub struct Database {
    /// The URL for the superuser, of another database.
    pub admin: String,
    pub name: String,
    /// Its URL for the owner.
    pub owner: String,
    /// Its URL for the application.
    pub application: String,
}

/// The server's URL, or why there is none.
pub fn url() -> Result<String, &'static str> {
    std::env::var("PORTBOOK_TEST_POSTGRES").map_err(|_| "PORTBOOK_TEST_POSTGRES names no server")
}

impl Database {
    pub async fn create(admin: String) -> Self {
        let name = format!("t{}", Uuid::now_v7().simple());
        for role in [OWNER, APPLICATION] {
            let create = format!(
                "DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{role}'; \
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            );
            on(&admin, &create).await;
        }
        on(&admin, &format!("CREATE DATABASE {name} OWNER {OWNER}")).await;
        let (_, place) = admin.split_once("://").unwrap();
        let (server, _) = place.rsplit_once('/').unwrap();
        let host = server.rsplit_once('@').map_or(server, |(_, host)| host);
        let as_role = |role: &str| format!("postgres://{role}:{role}@{host}/{name}");
        Self { owner: as_role(OWNER), application: as_role(APPLICATION), admin, name }
    }

    pub async fn drop_it(&self) {
        on(&self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

/// Runs SQL at a URL.
pub async fn on(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}
