//! Lists of SharePoint as the book knows them: through which connection, on which site, with which columns; and the endpoint
//! that these rows make.

mod register;
mod routed;

use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::json;
use uuid::Uuid;

use super::place::RecordPlace;
use super::units::{book_backed_share, budget, set_budget};
use crate::book::BookInner;
use crate::endpoint::sharepoint::{SharepointEndpoint, SharepointOptions, UnitBudget};
use crate::endpoint::{Endpoint, TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{
    DatabaseInstance, Id, Json, SharepointConnection, SharepointList, SharepointSite, Stored, Table as _, TenantId,
    UseStatus,
};
use crate::table::Tables;

pub use routed::RecordTarget;
pub(super) use routed::{OpenedLists, open_all, targets_of};

pub(super) use register::{KnownList, column, known, listed, site, targets};

/// A list, ready to be written.
pub(super) struct Opened {
    pub(super) endpoint: Arc<dyn Endpoint>,
    pub(super) shape: TableShape,
    pub(super) zone: Option<Tz>,
    pub(super) at_sharepoint: Option<String>,
}

/// Opens the list of a row.
///
/// # Errors
/// `not_found` when there is none any more, or another one of its title; as the site answers.
pub(super) async fn open(
    book: &Arc<BookInner>,
    tables: &Tables,
    id: Id<SharepointList>,
    brought: Option<&Arc<dyn Endpoint>>,
) -> Result<Opened> {
    let list = tables.read(id).await?.row;
    let zone = site_options(tables, list.site_id).await?.0.zone;
    let endpoint = match brought {
        Some(endpoint) => endpoint.clone(),
        None => endpoint(book, tables, list.site_id).await?,
    };
    let by = |name: &str| TableName::new("", name);
    let shape = match (endpoint.describe(&by(&list.display_name)).await, &list.list_id) {
        // Somebody has given it another title.
        (Err(error), Some(known)) if error.code() == Code::NotFound => endpoint.describe(&by(known)).await?,
        (described, _) => described?,
    };
    let there = endpoint.identity(&shape.name).await?;
    if let (Some(known), Some(there)) = (&list.list_id, &there)
        && !known.eq_ignore_ascii_case(there)
    {
        return Err(Error::new(Code::NotFound, "find the list", &list.display_name)
            .because("there is another one of its title, and the one that rows went to is gone")
            .advise("connect the new one"));
    }
    Ok(Opened { endpoint, shape, zone, at_sharepoint: list.list_id })
}

/// The endpoint of a site, by its rows.
///
/// # Errors
/// `invalid` when the site or its connection is disabled, or has no secret.
pub(super) async fn endpoint(
    book: &Arc<BookInner>,
    tables: &Tables,
    site: Id<SharepointSite>,
) -> Result<Arc<dyn Endpoint>> {
    let (mut options, connection) = site_options(tables, site).await?;
    let info = const { &SharepointConnection::INFO };
    if let Some(secret) = tables.reveal(info, connection.id.0, "client_secret").await? {
        options.client_secret = secret;
    }
    options.clock = book.clock.clone();
    options.share = Some(book_backed_share(book, tables.tenant, options.account()));
    Ok(Arc::new(SharepointEndpoint::new(options)?))
}

/// How a site is reached, without the secret.
async fn site_options(
    tables: &Tables,
    id: Id<SharepointSite>,
) -> Result<(SharepointOptions, Stored<SharepointConnection>)> {
    let site = tables.read(id).await?.row;
    let connection = tables.read(site.connection_id).await?;
    let refuse = |what: &'static str, name: &String| {
        Err(Error::new(Code::Invalid, what, name.escape_debug()).because("it is disabled").advise("set its status"))
    };
    if site.status == UseStatus::Disabled {
        return refuse("open the site", &site.hostname);
    }
    if connection.row.status == UseStatus::Disabled {
        return refuse("use the connection", &connection.row.name);
    }
    let of = &connection.row;
    let mut options =
        SharepointOptions::new(&of.tenant_id, &of.client_id, Vec::new().into(), &site.hostname, &site.site_path);
    options.authority.clone_from(&of.authority_host);
    if let Some(scope) = of.scopes.0.as_array().and_then(|scopes| scopes.first()?.as_str()) {
        scope.clone_into(&mut options.scope);
    }
    options.configure(&site.config.0.to_string())?;
    Ok((options, connection))
}

/// The endpoint of a place. Requests to a site are counted in the book, with those of every process that uses it; units that the place
/// names are the budget from now on.
///
/// # Errors
/// `invalid` when the place does not say enough.
pub(super) async fn opened(book: &Arc<BookInner>, tenant: TenantId, place: &RecordPlace) -> Result<Arc<dyn Endpoint>> {
    let RecordPlace::List { site, .. } = place else { return place.endpoint() };
    let mut options = SharepointOptions::clone(site);
    let (account, wanted) = (options.account(), options.budget());
    if options.share.is_none() && wanted != UnitBudget::default() && budget(book, tenant, &account).await? != wanted {
        set_budget(book, tenant, &account, wanted).await?;
    }
    options.share.get_or_insert_with(|| book_backed_share(book, tenant, account));
    Ok(Arc::new(SharepointEndpoint::new(options)?))
}

/// A place with what lets one in from the book, where it does not say so itself.
pub(super) async fn completed(tables: &Tables, place: RecordPlace) -> Result<RecordPlace> {
    let RecordPlace::List { mut site, list } = place else { return Ok(place) };
    if site.tenant.is_empty() || site.client_id.is_empty() || site.client_secret.is_empty() {
        for (known, connection) in register::sites(tables, &site).await? {
            let fits = |given: &str, row: &str| given.is_empty() || given.eq_ignore_ascii_case(row);
            if !fits(&site.tenant, &known.tenant_id) || !fits(&site.client_id, &connection.row.client_id) {
                continue;
            }
            site.tenant.clone_from(&connection.row.tenant_id);
            site.client_id.clone_from(&connection.row.client_id);
            if site.client_secret.is_empty() && connection.row.client_secret.is_some() {
                let info = const { &SharepointConnection::INFO };
                if let Some(secret) = tables.reveal(info, connection.id.0, "client_secret").await? {
                    site.client_secret = secret;
                }
            }
            break;
        }
    }
    Ok(RecordPlace::List { site, list })
}

const SITE: &str = "sharepoint_site";

/// The configuration of an instance that is a site of SharePoint: its lists can be read like tables.
pub(super) fn names_site(site: Id<SharepointSite>) -> Json {
    Json(json!({ SITE: site.0.to_string() }))
}

/// The site that an instance is.
pub(super) fn site_of(instance: &DatabaseInstance) -> Option<Id<SharepointSite>> {
    instance.config.0.get(SITE)?.as_str()?.parse::<Uuid>().ok().map(Id::new)
}
