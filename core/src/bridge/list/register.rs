//! The rows of connections, sites, lists and columns.

use std::collections::HashMap;

use serde_json::json;

use crate::endpoint::TableShape;
use crate::endpoint::sharepoint::{SharepointEndpoint, SharepointOptions};
use crate::error::{Code, Error, Result};
use crate::model::{
    Id, Json, Moment, Secret, SharepointColumn, SharepointConnection, SharepointList, SharepointSite, Stored,
    SyncDefinition, SyncTarget, Table as _, UseStatus,
};
use crate::table::{Filter, Tables};

/// A list with what the book knows of it.
pub(in super::super) struct KnownList {
    pub(in super::super) shape: TableShape,
    pub(in super::super) id: Id<SharepointList>,
    pub(in super::super) site: Id<SharepointSite>,
    connection: Id<SharepointConnection>,
    columns: HashMap<String, Id<SharepointColumn>>,
}

/// The column of a list.
///
/// # Errors
/// `invalid` when it has none of that name.
pub(in super::super) fn column(known: &KnownList, name: &str) -> Result<Id<SharepointColumn>> {
    known.columns.get(name).copied().ok_or_else(|| {
        Error::new(Code::Invalid, "use a column of", &known.shape.name)
            .because(format!("it has no column {}", name.escape_debug()))
            .advise("name it as SharePoint's programs do, or see `portbook inspect`")
    })
}

/// The rows of a site of this host and path, with their connections.
pub(super) async fn sites(
    tables: &Tables,
    options: &SharepointOptions,
) -> Result<Vec<(SharepointSite, Stored<SharepointConnection>)>> {
    let mut found = Vec::new();
    for site in tables.every::<SharepointSite>(Filter::all()).await? {
        if is_at(&site.row, options) {
            let connection = tables.read(site.row.connection_id).await?;
            found.push((site.row, connection));
        }
    }
    Ok(found)
}

fn is_at(site: &SharepointSite, options: &SharepointOptions) -> bool {
    let path = |path: &str| path.trim_matches('/').to_lowercase();
    site.hostname.eq_ignore_ascii_case(&options.hostname) && path(&site.site_path) == path(&options.site_path)
}

/// The connection of an application, with the secret where the book keeps secrets.
async fn connection(tables: &Tables, options: &SharepointOptions, now: Moment) -> Result<Id<SharepointConnection>> {
    let of_client = Filter::all().equal("tenant_id", &options.tenant).equal("client_id", &options.client_id);
    let known = tables.every::<SharepointConnection>(of_client).await?.into_iter().next();
    let mut row = match &known {
        Some(known) => known.row.clone(),
        None => SharepointConnection {
            name: format!("{} in {}", options.client_id, options.tenant),
            tenant_id: options.tenant.clone(),
            client_id: options.client_id.clone(),
            client_secret: None,
            authority_host: options.authority.clone(),
            scopes: Json(json!([options.scope])),
            status: UseStatus::Active,
            last_verified_at: Some(now),
        },
    };
    row.authority_host.clone_from(&options.authority);
    row.scopes = Json(json!([options.scope]));
    if tables.vault.has_key().await && !options.client_secret.is_empty() {
        let kept = match &known {
            Some(known) => tables.reveal(const { &SharepointConnection::INFO }, known.id.0, "client_secret").await?,
            None => None,
        };
        if kept.as_ref() != Some(&options.client_secret) {
            row.client_secret = Some(Secret::Plain(options.client_secret.clone()));
        }
    }
    match known {
        Some(known) if known.row == row => Ok(known.id),
        Some(known) => {
            row.last_verified_at = Some(now);
            Ok(tables.write_back(&Stored { row, ..known }).await?.id)
        }
        None => Ok(tables.make(row).await?.id),
    }
}

/// The site, found or written down.
pub(in super::super) async fn site(
    tables: &Tables,
    options: &SharepointOptions,
    now: Moment,
) -> Result<Id<SharepointSite>> {
    let connection = connection(tables, options, now).await?;
    let of_connection = Filter::all().equal("connection_id", &connection);
    let known = tables.every::<SharepointSite>(of_connection).await?;
    let known = known.into_iter().find(|site| is_at(&site.row, options));
    let config = Json(options.configuration());
    match known {
        Some(known) if known.row.config == config => Ok(known.id),
        Some(mut known) => {
            known.row.config = config;
            Ok(tables.write_back(&known).await?.id)
        }
        None => {
            let at = SharepointEndpoint::new(options.clone())?.whereabouts().await?;
            let row = SharepointSite {
                connection_id: connection,
                tenant_id: options.tenant.clone(),
                hostname: options.hostname.clone(),
                site_path: options.site_path.clone(),
                site_id: Some(at.id),
                web_url: at.web_url,
                status: UseStatus::Active,
                config,
            };
            Ok(tables.make(row).await?.id)
        }
    }
}

/// The list of that title, where it was written down.
pub(in super::super) async fn listed(
    tables: &Tables,
    options: &SharepointOptions,
    title: &str,
) -> Result<Option<Id<SharepointList>>> {
    for site in tables.every::<SharepointSite>(Filter::all()).await? {
        if is_at(&site.row, options) {
            let lists = tables.every::<SharepointList>(Filter::all().equal("site_id", &site.id)).await?;
            // The newest of that title: an older one is gone.
            if let Some(found) = lists.into_iter().rev().find(|list| list.row.display_name == title) {
                return Ok(Some(found.id));
            }
        }
    }
    Ok(None)
}

/// A list, found or written down with its columns.
pub(in super::super) async fn known(
    tables: &Tables,
    options: &SharepointOptions,
    shape: TableShape,
    at_sharepoint: Option<String>,
    was_made: bool,
    now: Moment,
) -> Result<KnownList> {
    let site = site(tables, options, now).await?;
    let connection = tables.read(site).await?.row.connection_id;
    let lists = tables.every::<SharepointList>(Filter::all().equal("site_id", &site)).await?;
    let found = lists.into_iter().find(|list| list.row.list_id == at_sharepoint);
    let before = found.as_ref().map(|found| found.row.clone());
    let row = SharepointList {
        site_id: site,
        list_id: at_sharepoint,
        display_name: shape.name.name.clone(),
        description: shape.traits.description.clone(),
        template: shape.traits.template.clone().unwrap_or_else(|| "genericList".to_owned()),
        is_provisioned: was_made || before.as_ref().is_some_and(|before| before.is_provisioned),
        last_provisioned_at: was_made.then_some(now).or_else(|| before.and_then(|before| before.last_provisioned_at)),
    };
    let id = match found {
        Some(found) if found.row == row => found.id,
        Some(found) => tables.write_back(&Stored { row, ..found }).await?.id,
        None => tables.make(row).await?.id,
    };
    let columns = columns(tables, id, &shape).await?;
    Ok(KnownList { shape, id, site, connection, columns })
}

/// Columns that are no longer there stay while a definition refers to them.
async fn columns(
    tables: &Tables,
    list: Id<SharepointList>,
    shape: &TableShape,
) -> Result<HashMap<String, Id<SharepointColumn>>> {
    let known = tables.every::<SharepointColumn>(Filter::all().equal("list_id", &list)).await?;
    let mut ids: HashMap<String, Id<SharepointColumn>> =
        known.iter().map(|column| (column.row.column_name.clone(), column.id)).collect();
    let mut fresh = Vec::new();
    for column in &shape.columns {
        let row = SharepointColumn {
            list_id: list,
            column_name: column.name.clone(),
            column_type: column.data_type.clone(),
            is_required: column.traits.is_required,
            is_readonly: column.is_computed,
        };
        match known.iter().find(|known| known.row.column_name == column.name) {
            Some(known) if known.row == row => {}
            Some(known) => drop(tables.write_back(&Stored { row, ..known.clone() }).await?),
            None => fresh.push(row),
        }
    }
    for made in tables.make_all(&fresh).await? {
        ids.insert(made.row.column_name, made.id);
    }
    Ok(ids)
}

/// That rows of a definition go to these lists, to the first one unless a rule says otherwise. Others that they went to before
/// stay targets: what lies there is still theirs.
pub(in super::super) async fn targets(
    tables: &Tables,
    definition: Id<SyncDefinition>,
    lists: &[&KnownList],
) -> Result<()> {
    let there = tables.every::<SyncTarget>(Filter::all().equal("sync_def_id", &definition)).await?;
    for (at, known) in lists.iter().enumerate() {
        let row = SyncTarget {
            sync_def_id: definition,
            target_list_id: known.id,
            connection_id: known.connection,
            site_id: known.site,
            is_default: at == 0,
            priority: i64::try_from(at).unwrap_or(i64::MAX),
            status: UseStatus::Active,
        };
        match there.iter().find(|target| target.row.target_list_id == known.id) {
            Some(target) if target.row == row => {}
            Some(target) => {
                tables.write_back(&Stored { row, ..target.clone() }).await?;
            }
            None => {
                tables.make(row).await?;
            }
        }
    }
    Ok(())
}
