//! What a place is called in the inventory: its database, the instance at which it is reached, its table.

use serde_json::json;

use super::introspect::one_table;
use super::inventory::{Recorded, record};
use super::list;
use super::place::{DatabaseAt, RecordPlace};
use super::snapshot::Sight;
use crate::endpoint::TableShape;
use crate::error::{Code, Error, Result};
use crate::model::{
    Application, ApplicationStatus, Database, DatabaseInstance, DatabaseTable, Environment, Id, InstanceRole, Json,
    Moment, Secret, Stored, TableColumn, UseStatus,
};
use crate::table::{Filter, Tables};

/// A table with what the book knows of it.
pub(super) struct Known {
    pub(super) shape: TableShape,
    pub(super) recorded: Recorded,
    pub(super) instance: Id<DatabaseInstance>,
}

impl Known {
    pub(super) fn sight(&self) -> Option<Sight> {
        Sight::of(self.recorded.table, Some(self.instance), &self.shape)
    }
}

pub(super) fn column(known: &Known, name: &str) -> Result<Id<TableColumn>> {
    known.recorded.columns.get(name).copied().ok_or_else(|| {
        Error::new(Code::Invalid, "use a column of", &known.shape.name)
            .because(format!("it has no column {}", name.escape_debug()))
    })
}

pub(super) async fn known(tables: &Tables, place: &RecordPlace, shape: TableShape, now: Moment) -> Result<Known> {
    let (database, instance) = place_in_book(tables, place, now).await?;
    let recorded = record(tables, database, &shape, now).await?;
    one_table(tables, instance, &shape, now, tables.moment()).await?;
    Ok(Known { shape, recorded, instance })
}

/// The database and the instance of a place, made where the book does not know them.
pub(super) async fn place_in_book(
    tables: &Tables,
    place: &RecordPlace,
    now: Moment,
) -> Result<(Id<Database>, Id<DatabaseInstance>)> {
    let database = database(tables, place).await?;
    Ok((database, instance(tables, database, place, now).await?))
}

/// A table of a place and the instance that serves it, as far as the book knows them.
pub(super) async fn known_table(
    tables: &Tables,
    place: &RecordPlace,
) -> Result<Option<(Id<DatabaseTable>, Option<Id<DatabaseInstance>>)>> {
    let Some(table) = table(tables, place).await? else { return Ok(None) };
    let database = tables.read(table).await?.row.database_id;
    let instances = tables.every::<DatabaseInstance>(Filter::all().equal("database_id", &database)).await?;
    let (host, port, name) = reached(place);
    let is_it = |known: &&Stored<DatabaseInstance>| {
        (&known.row.host, known.row.port, &known.row.db_name) == (&host, port, &name)
    };
    Ok(Some((table, instances.iter().find(is_it).map(|found| found.id))))
}

/// By what an instance is reached: its host, port and database.
fn reached(place: &RecordPlace) -> (Option<String>, Option<i64>, Option<String>) {
    match place {
        RecordPlace::Table { database: DatabaseAt { options, .. }, .. } => (
            Some(options.host.clone()).filter(|host| !host.is_empty()),
            options.port.map(i64::from),
            Some(options.database.clone()),
        ),
        RecordPlace::List { .. } | RecordPlace::Host { .. } => (None, None, None),
    }
}

/// What the inventory calls a place.
pub(super) async fn table(tables: &Tables, place: &RecordPlace) -> Result<Option<Id<DatabaseTable>>> {
    let Some(database) = known_database(tables, &place.database()).await? else { return Ok(None) };
    let of_name = Filter::all()
        .equal("database_id", &database)
        .equal("schema_name", &place.table().schema)
        .equal("table_name", &place.table().name);
    Ok(tables.every::<DatabaseTable>(of_name).await?.into_iter().next().map(|found| found.id))
}

/// The application that databases belong to which were only named by a URL.
const BY_URL: &str = "by URL";

async fn known_database(tables: &Tables, name: &String) -> Result<Option<Id<Database>>> {
    let applications = tables.every::<Application>(Filter::all()).await?;
    let Some(application) = applications.into_iter().find(|application| application.row.name == BY_URL) else {
        return Ok(None);
    };
    let filter = Filter::all()
        .equal("application_id", &application.id)
        .equal("database_name", name)
        .equal("environment", &Environment::Prod);
    Ok(tables.every::<Database>(filter).await?.into_iter().next().map(|found| found.id))
}

async fn database(tables: &Tables, place: &RecordPlace) -> Result<Id<Database>> {
    let name = place.database();
    if let Some(known) = known_database(tables, &name).await? {
        return Ok(known);
    }
    let applications = tables.every::<Application>(Filter::all()).await?;
    let application = match applications.into_iter().find(|application| application.row.name == BY_URL) {
        Some(application) => application.id,
        None => {
            let row = Application {
                name: BY_URL.to_owned(),
                owner_team: None,
                description: None,
                status: ApplicationStatus::Active,
            };
            tables.make(row).await?.id
        }
    };
    let row = Database {
        application_id: application,
        name: name.clone(),
        db_type: place.db_type(),
        environment: Environment::Prod,
        database_name: name,
        status: UseStatus::Active,
    };
    Ok(tables.make(row).await?.id)
}

/// The instance at which a place is reached. Its password is not kept: whoever names a place by a URL brings it along; one that
/// is to be kept is written into `database_instances.db_password`.
async fn instance(
    tables: &Tables,
    database: Id<Database>,
    place: &RecordPlace,
    now: Moment,
) -> Result<Id<DatabaseInstance>> {
    let known = tables.every::<DatabaseInstance>(Filter::all().equal("database_id", &database)).await?;
    let blank = DatabaseInstance {
        database_id: database,
        instance_label: place.database(),
        host: None,
        port: None,
        db_name: None,
        db_user: None,
        db_password: None::<Secret>,
        config: Json(json!({})),
        role: InstanceRole::Primary,
        priority: 0,
        status: UseStatus::Active,
        valid_from: None,
        valid_to: None,
        last_verified_at: Some(now),
    };
    let (host, port, db_name) = reached(place);
    let row = match place {
        RecordPlace::Table { database: at, .. } => DatabaseInstance {
            host,
            port,
            db_name,
            db_user: Some(at.options.user.clone()).filter(|user| !user.is_empty()),
            ..blank
        },
        RecordPlace::List { site, .. } => {
            let site = list::site(tables, site, now).await?;
            DatabaseInstance { config: list::names_site(site), ..blank }
        }
        RecordPlace::Host { name, .. } => DatabaseInstance { instance_label: name.clone(), ..blank },
    };
    let is_it = |known: &&Stored<DatabaseInstance>| {
        (&known.row.host, known.row.port, &known.row.db_name) == (&row.host, row.port, &row.db_name)
    };
    match known.iter().find(is_it) {
        Some(found) => Ok(found.id),
        None => Ok(tables.make(row).await?.id),
    }
}
