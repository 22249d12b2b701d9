//! Which instance of a database serves a definition.

use std::sync::Arc;

use super::instance::{Asked, PassedOver, is_away};
use super::list;
use crate::book::BookInner;
use crate::endpoint::{DatabaseOptions, Endpoint, TableName, open};
use crate::error::{Code, Error, Result};
use crate::model::{Database, DatabaseInstance, DatabaseTable, DbType, Id, Moment, Stored, Table as _, UseStatus};
use crate::operation::clock::micros;
use crate::table::{Filter, Tables};

pub(super) fn name_of(table: &DatabaseTable) -> TableName {
    TableName::new(table.schema_name.clone(), table.table_name.clone())
}

/// The endpoint of a table: what the host brought, else the first instance that answers, by role and priority.
pub(super) async fn endpoint(
    book: &Arc<BookInner>,
    tables: &Tables,
    table: &Stored<DatabaseTable>,
    brought: Option<&Arc<dyn Endpoint>>,
    asked: &Asked,
    passed_over: &mut Vec<PassedOver>,
) -> Result<(Arc<dyn Endpoint>, Option<Id<DatabaseInstance>>)> {
    let of_database = Filter::all().equal("database_id", &table.row.database_id);
    let instances = tables.every::<DatabaseInstance>(of_database).await?;
    let instances = asked.choose(instances, Moment(micros(book.clock.now())));
    if let Some(endpoint) = brought {
        return Ok((endpoint.clone(), instances.first().map(|instance| instance.id)));
    }
    let database = tables.read(table.row.database_id).await?.row;
    if database.status == UseStatus::Disabled {
        return Err(Error::new(Code::Invalid, "open the database", &database.name).because("it is disabled"));
    }
    let mut failure = None;
    for instance in &instances {
        let endpoint = match list::site_of(&instance.row) {
            // A site of SharePoint among the databases: its lists are read.
            Some(site) => list::endpoint(book, tables, site).await?,
            None if database.db_type == DbType::Host => {
                return Err(Error::new(Code::Unsupported, "open the store", &database.name)
                    .because("only the host can bring it")
                    .advise("find the definition by its places"));
            }
            None => open(database.db_type, options(tables, &database, instance).await?)?,
        };
        match endpoint.probe().await {
            Ok(_) => return Ok((endpoint, Some(instance.id))),
            Err(error) if is_away(&error) => {
                endpoint.shutdown().await;
                let (side, label) = (asked.side, instance.row.instance_label.clone());
                passed_over.push(PassedOver { side, label, error: error.clone() });
                failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(failure.unwrap_or_else(|| asked.none(&database.name)))
}

async fn options(tables: &Tables, database: &Database, instance: &Stored<DatabaseInstance>) -> Result<DatabaseOptions> {
    let row = &instance.row;
    let name = row.db_name.as_deref().unwrap_or(&database.database_name);
    let mut options = DatabaseOptions::at(row.host.as_deref().unwrap_or_default(), name);
    options.port = row.port.map(u16::try_from).transpose().map_err(|e| {
        Error::new(Code::Invalid, "open the database", &database.name)
            .because(e)
            .advise("correct the port of its instance")
    })?;
    options.user = row.db_user.clone().unwrap_or_default();
    if row.db_password.is_some() {
        options.password = tables.reveal(const { &DatabaseInstance::INFO }, instance.id.0, "db_password").await?;
    }
    if row.config.0.as_object().is_some_and(|config| !config.is_empty()) {
        options.configure(&row.config.0.to_string())?;
    }
    Ok(options)
}
