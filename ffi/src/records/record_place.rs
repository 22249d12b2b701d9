//! Where the rows of a definition are, and what lets one in there.

use std::fmt;
use std::path::PathBuf;

use portbook::bridge::{self, DatabaseAt};
use portbook::endpoint::sharepoint::{self, SharepointOptions};
use serde::{Deserialize, Serialize};

use super::{Access, count, invalid, size};
use crate::error::Result;

/// A table or a list at one side of a definition.
#[allow(clippy::large_enum_variant, reason = "it is made once and taken apart; the generators know no boxes")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RecordPlace {
    /// A table behind a URL: `postgres://user@host:port/database/schema.table`, `mysql://user@host/database/table`,
    /// `sqlserver://user@host/database/schema.table` or `sqlite:///path/to/file.db/table`. What is special in a URL is
    /// percent-encoded; a dot of a name as `%2E`.
    Table {
        /// The URL, without a secret.
        url: String,
        /// What lets one in: `user`, `password` and `ca_file` of it.
        access: Option<Access>,
    },
    /// A list of a SharePoint site: `sharepoint://host/sites/name/Title`, with what else is to be known of the site behind
    /// (docs/lists.md).
    List {
        /// The URL, without a secret.
        url: String,
        /// What lets one in; where it is left out, what the book has for the site.
        access: Option<ListAccess>,
    },
    /// A table of a store that the host itself holds: see `HostRecords`.
    Host {
        /// The key that the store was made with.
        key: String,
        /// The table, by the host's name for it.
        table: String,
    },
}

/// The application that is let in at a SharePoint site.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi::export(Debug))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ListAccess {
    /// The tenant of Entra, by its id or its domain, where the URL does not name it.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub tenant: Option<String>,
    /// The id of the application, where the URL does not name it.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub client_id: Option<String>,
    /// Its secret; or the PEM of a private key (RSA, not encrypted) and of the certificate that the application is registered
    /// with.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub client_secret: Option<String>,
    /// Trusts the authorities in this PEM file instead of the system's.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub ca_file: Option<String>,
}

/// A list that rows of a definition may go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RecordTarget {
    /// Its id in the book (`sharepoint_lists`).
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether rows that no rule takes go there.
    pub is_default: bool,
}

/// An application in a tenant of Entra: whom resource units of SharePoint are counted for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct UnitAccount {
    /// The tenant, by its id or its domain, as lists of the application name it.
    pub tenant: String,
    /// The id of the application.
    pub client_id: String,
    /// Where its tokens come from, in a national cloud; `https://login.microsoftonline.com` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub authority: Option<String>,
}

/// How many resource units of SharePoint an application may spend in a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct UnitBudget {
    /// In a minute: 1,200 in the smallest tenants, 6,000 in the largest.
    pub per_minute: i64,
    /// In a day of UTC; in every tenant a thousand times that.
    pub per_day: i64,
}

impl RecordPlace {
    /// The table or the list of a URL, with nothing beside it that lets one in.
    #[must_use]
    pub fn of_url(url: String) -> Self {
        match url.parse() {
            Ok(bridge::RecordPlace::List { .. }) => Self::List { url, access: None },
            // What is wrong with a URL is told by the call that it is given to.
            Ok(bridge::RecordPlace::Table { .. } | bridge::RecordPlace::Host { .. }) | Err(_) => {
                Self::Table { url, access: None }
            }
        }
    }
}

/// Lets one in at a database.
pub(crate) fn let_in(database: &mut DatabaseAt, access: Access) {
    let options = &mut database.options;
    if let Some(user) = access.user.filter(|_| options.user.is_empty()) {
        options.user = user;
    }
    options.password = access.password.map(Into::into).or_else(|| options.password.take());
    options.ca_file = access.ca_file.map(PathBuf::from).or_else(|| options.ca_file.take());
}

/// Lets an application in at the site of a list.
///
/// # Errors
/// `invalid` for a table.
pub(crate) fn let_in_at_list(place: bridge::RecordPlace, access: ListAccess) -> Result<bridge::RecordPlace> {
    let ListAccess { tenant, client_id, client_secret, ca_file } = access;
    let mut place = place.with_application(&tenant.unwrap_or_default(), &client_id.unwrap_or_default());
    let bridge::RecordPlace::List { site, .. } = &mut place else {
        return Err(invalid("use as a list", place, "it is a table").into());
    };
    if let Some(file) = ca_file {
        site.trust = portbook::Trust::Authorities(file.into());
    }
    Ok(match client_secret {
        Some(secret) => place.with_password(secret.into()),
        None => place,
    })
}

/// Without the secret.
impl fmt::Debug for ListAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, client_id, .. } = self;
        f.debug_struct("ListAccess").field("tenant", tenant).field("client_id", client_id).finish_non_exhaustive()
    }
}

impl From<bridge::RecordTarget> for RecordTarget {
    fn from(target: bridge::RecordTarget) -> Self {
        let bridge::RecordTarget { id, title, is_default } = target;
        Self { id: id.0.to_string(), title, is_default }
    }
}

impl From<UnitAccount> for sharepoint::UnitAccount {
    fn from(account: UnitAccount) -> Self {
        let usual = SharepointOptions::new(&account.tenant, &account.client_id, "".into(), "", "");
        Self::new(account.authority.as_deref().unwrap_or(&usual.authority), &account.tenant, &account.client_id)
    }
}

impl UnitBudget {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<sharepoint::UnitBudget> {
        let (per_minute, per_day) = (size("per_minute", self.per_minute)?, size("per_day", self.per_day)?);
        Ok(sharepoint::UnitBudget { per_minute, per_day })
    }
}

impl From<sharepoint::UnitBudget> for UnitBudget {
    fn from(budget: sharepoint::UnitBudget) -> Self {
        let sharepoint::UnitBudget { per_minute, per_day } = budget;
        Self { per_minute: count(per_minute), per_day: count(per_day) }
    }
}
