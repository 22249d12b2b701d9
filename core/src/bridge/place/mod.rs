//! Where rows are: a table or a list behind a URL, or a table that the host brings.

mod database;
mod site;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::endpoint::hosted::Cancellable;
use crate::endpoint::sharepoint::{SharepointEndpoint, SharepointOptions};
use crate::endpoint::{Endpoint, TableName, open};
use crate::error::{Error, Result};
use crate::model::{DbType, SecretBytes};

pub use database::DatabaseAt;
use database::{parse, refused, scheme};

/// A table or list at one side of a definition.
#[derive(Clone)]
pub enum RecordPlace {
    /// A table of a database.
    Table {
        /// The database.
        database: DatabaseAt,
        /// The table.
        table: TableName,
    },
    /// A list of a SharePoint site. What lets in that is left out (tenant, application, secret) is what the book has for the
    /// site.
    List {
        /// The site, and how it is reached.
        site: Box<SharepointOptions>,
        /// The list, by its title.
        list: TableName,
    },
    /// A table of a store that the host brings, under the name by which the book knows the store.
    Host {
        /// The name.
        name: String,
        /// The store.
        endpoint: Arc<dyn Endpoint>,
        /// The table.
        table: TableName,
    },
}

impl RecordPlace {
    /// The schemes of URLs of tables and lists.
    pub const SCHEMES: &[&str] =
        &["postgres", "postgresql", "mysql", "mariadb", "sqlserver", "mssql", "sqlite", "sharepoint"];

    /// The same place with the password that lets its user in, or the secret of the application. A host's own store has none.
    #[must_use]
    pub fn with_password(mut self, password: SecretBytes) -> Self {
        match &mut self {
            Self::Table { database, .. } => database.options.password = Some(password),
            Self::List { site, .. } => site.client_secret = password,
            Self::Host { .. } => {}
        }
        self
    }

    /// The same list with the tenant and the application that its site is reached by, where its URL does not name them. Of no
    /// meaning for tables.
    #[must_use]
    pub fn with_application(mut self, tenant: &str, client_id: &str) -> Self {
        if let Self::List { site, .. } = &mut self {
            for (there, given) in [(&mut site.tenant, tenant), (&mut site.client_id, client_id)] {
                if there.is_empty() {
                    given.clone_into(there);
                }
            }
        }
        self
    }

    /// The table or list.
    #[must_use]
    pub fn table(&self) -> &TableName {
        match self {
            Self::Table { table, .. } | Self::Host { table, .. } => table,
            Self::List { list, .. } => list,
        }
    }

    /// The scheme of its URL; `host` for a store that the host brings.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::List { .. } => site::SCHEME,
            Self::Table { .. } | Self::Host { .. } => scheme(self.db_type()),
        }
    }

    /// What the inventory calls its product. A site among databases is a store that is not theirs.
    pub(crate) fn db_type(&self) -> DbType {
        match self {
            Self::Table { database, .. } => database.db_type,
            Self::List { .. } | Self::Host { .. } => DbType::Host,
        }
    }

    /// Which database or site it is in.
    pub(crate) fn database(&self) -> String {
        match self {
            Self::Table { database, .. } => database.name(),
            Self::List { site, .. } => site::name(site),
            Self::Host { name, .. } => format!("host:{name}"),
        }
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<dyn Endpoint>> {
        match self {
            Self::Table { database, .. } => open(database.db_type, database.options.clone()),
            Self::List { site, .. } => Ok(Arc::new(SharepointEndpoint::new(SharepointOptions::clone(site))?)),
            Self::Host { endpoint, .. } => Ok(Arc::new(Cancellable(endpoint.clone()))),
        }
    }
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.database(), self.table())
    }
}

impl fmt::Debug for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordPlace {
    type Err = Error;

    /// Reads `postgres://user@host:port/database/schema.table`, `mysql://user@host/database/table`,
    /// `sqlserver://user@host/database/schema.table` or `sqlite:///path/to/file.db/table`. A schema that is left out is the
    /// usual one of the product (`public`, `dbo`). A query (`?sslmode=require`) is taken as the configuration of the
    /// database. What is special in a URL is percent-encoded; a dot of a name as `%2E`.
    ///
    /// A list is `sharepoint://host/sites/name/List Title?tenant=contoso&client_id=…`, with the configuration of its site
    /// ([`SharepointOptions::configure`]) behind.
    ///
    /// ```
    /// use portbook::bridge::RecordPlace;
    /// let place: RecordPlace = "postgres://ann@db.example/shop/public.orders".parse().unwrap();
    /// assert_eq!(place.to_string(), "postgres://db.example/shop/public.orders");
    /// assert!("postgres://ann:secret@db.example/shop/orders".parse::<RecordPlace>().is_err());
    /// ```
    ///
    /// # Errors
    /// `invalid`.
    fn from_str(text: &str) -> Result<Self> {
        if site::is_site(text) {
            return site::parse(text);
        }
        let (database, table) = parse(text)?;
        let table = table.ok_or_else(|| refused("it names no table"))?;
        Ok(Self::Table { database, table })
    }
}
