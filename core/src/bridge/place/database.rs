//! Databases and their tables behind URLs.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::endpoint::{DatabaseOptions, TableName};
use crate::error::{Code, Error, Result};
use crate::model::DbType;

/// A database, and how it is reached.
#[derive(Clone, Debug)]
pub struct DatabaseAt {
    /// What speaks to it.
    pub db_type: DbType,
    /// How it is reached.
    pub options: DatabaseOptions,
}

impl DatabaseAt {
    /// Which database it is, without user or password: two with the same name are one database to the book.
    #[must_use]
    pub fn name(&self) -> String {
        let DatabaseOptions { host, port, database, .. } = &self.options;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let slash = if self.db_type == DbType::Sqlite { "" } else { "/" };
        format!("{}://{host}{port}{slash}{database}", scheme(self.db_type))
    }

    /// The scheme of its URL.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        scheme(self.db_type)
    }

    /// Reads the URL of a database or of one of its tables. A slash at the end of a file of SQLite says that no table follows.
    ///
    /// # Errors
    /// `invalid`.
    pub fn parse(text: &str) -> Result<(Self, Option<TableName>)> {
        parse(text)
    }
}

pub(super) fn scheme(db_type: DbType) -> &'static str {
    match db_type {
        DbType::Postgres => "postgres",
        DbType::MySql => "mysql",
        DbType::SqlServer => "sqlserver",
        DbType::Sqlite => "sqlite",
        DbType::Host => "host",
    }
}

/// The text itself may hold a password.
pub(super) fn refused(reason: &str) -> Error {
    Error::new(Code::Invalid, "read the URL of a table", "").because(reason)
}

pub(super) fn parse(text: &str) -> Result<(DatabaseAt, Option<TableName>)> {
    let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
    let db_type = match url.scheme() {
        "postgres" | "postgresql" => DbType::Postgres,
        "mysql" | "mariadb" => DbType::MySql,
        "sqlserver" | "mssql" => DbType::SqlServer,
        "sqlite" => DbType::Sqlite,
        _ => {
            return Err(refused(
                "tables are at postgres://, mysql://, sqlserver:// or sqlite://, lists at sharepoint://",
            ));
        }
    };
    if url.password().is_some() {
        return Err(refused("a password is never part of a URL"));
    }
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let (database, table) = match (db_type, path.rsplit_once('/')) {
        (DbType::Sqlite, Some((file, table))) => (format!("/{file}"), table),
        (DbType::Sqlite, None) => return Err(refused("it names no file: sqlite:///path/file.db/table")),
        (_, Some((database, table))) if !database.contains('/') => (database.to_owned(), table),
        (_, Some(_)) => return Err(refused("it is to name one database and one table")),
        (_, None) => (path.to_owned(), ""),
    };
    let database = decoded(&database)?;
    if database.trim_matches('/').is_empty() {
        return Err(refused("it names no database: scheme://user@host/database/table"));
    }
    let host = match url.host() {
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        Some(host) => host.to_string(),
        None => String::new(),
    };
    if host.is_empty() != (db_type == DbType::Sqlite) {
        return Err(refused("a database is on a host, a file of SQLite on this machine: sqlite:///path/file.db/table"));
    }
    let mut options = DatabaseOptions::at(&host, &database);
    options.port = url.port();
    options.user = decoded(url.username())?;
    let settings: serde_json::Map<String, serde_json::Value> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), setting(&value))).collect();
    if !settings.is_empty() {
        options.configure(&serde_json::Value::Object(settings).to_string())?;
    }
    let table = if table.is_empty() { None } else { Some(table_of(db_type, table)?) };
    Ok((DatabaseAt { db_type, options }, table))
}

/// A value of a query: numbers and truth values are what they look like.
pub(super) fn setting(text: &str) -> serde_json::Value {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &serde_json::Value| value.is_number() || value.is_boolean())
        .unwrap_or_else(|| text.into())
}

pub(super) fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(std::borrow::Cow::into_owned)
        .map_err(|e| Error::new(Code::Invalid, "read the URL of a table", "").because(e))
}

fn table_of(db_type: DbType, text: &str) -> Result<TableName> {
    let (schema, name) = match (db_type, text.split_once('.')) {
        (DbType::Postgres | DbType::SqlServer | DbType::Host, Some((schema, name))) => (decoded(schema)?, name),
        (DbType::Postgres, None) => ("public".to_owned(), text),
        (DbType::SqlServer, None) => ("dbo".to_owned(), text),
        // The database is the schema.
        (DbType::MySql | DbType::Sqlite, _) | (DbType::Host, None) => (String::new(), text),
    };
    Ok(TableName::new(schema, decoded(name)?))
}

#[cfg(test)]
mod tests {
    use super::super::RecordPlace;
    use super::*;

    /// A place in its parts.
    struct At {
        options: DatabaseOptions,
        table: TableName,
    }

    fn at(text: &str) -> At {
        match text.parse() {
            Ok(RecordPlace::Table { database, table }) => At { options: database.options, table },
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn urls_name_tables() {
        let place =
            at("postgresql://ann%40x@[::1]:5433/my%20db/sales.order%2Eitems?sslmode=require&connect_timeout_ms=500");
        assert_eq!((place.options.user.as_str(), place.options.host.as_str()), ("ann@x", "::1"));
        assert_eq!((place.options.port, place.options.database.as_str()), (Some(5433), "my db"));
        assert_eq!(place.table, TableName::new("sales", "order.items"));
        assert_eq!(place.options.connect_timeout.as_millis(), 500);
        assert_eq!(at("mysql://h/db/a.b").table, TableName::new("", "a.b"));
        assert_eq!(at("sqlserver://h/db/t").table, TableName::new("dbo", "t"));
        let file = at("sqlite:///srv/my%20data/x.db/people");
        assert_eq!((file.options.database.as_str(), file.table.name.as_str()), ("/srv/my data/x.db", "people"));
    }

    #[test]
    fn a_database_is_named_without_a_table() {
        for text in ["postgres://h/db", "postgres://h/db/", "sqlite:///a/b.db/"] {
            assert_eq!(DatabaseAt::parse(text).unwrap().1, None, "{text}");
        }
        assert_eq!(DatabaseAt::parse("sqlite:///a/b.db/").unwrap().0.name(), "sqlite:///a/b.db");
        assert_eq!(DatabaseAt::parse("mysql://me@[::1]:3307/db").unwrap().0.name(), "mysql://[::1]:3307/db");
    }

    #[test]
    fn what_names_no_table_is_refused_without_repeating_a_password() {
        for text in [
            "postgres://h/db",
            "postgres://h/db/",
            "postgres:///db/t",
            "postgres://h/a/b/t",
            "sqlite://h/file/t",
            "sqlite:///t",
            "oracle://h/db/t",
            "postgres://u:hush@h/db/t",
            "postgres://u:hush@h/db/t?nonsense=1",
            "postgres://h/db/t?nonsense=1",
            "plain",
        ] {
            let error = text.parse::<RecordPlace>().unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{text}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
