//! The lists that rows of a definition go to by rules, found or made when it is connected.

use std::sync::Arc;

use serde_json::json;

use super::fields::RecordField;
use super::list::{self, KnownList};
use super::options::{RecordOptions, RecordRoute};
use super::place::RecordPlace;
use super::provision;
use crate::book::BookInner;
use crate::endpoint::{Endpoint, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{Id, Json, Moment, SharepointSite, Sides, Stored, SyncDefinition, TargetStrategy, TenantId};
use crate::table::Tables;

/// A site, and how it is reached.
pub(super) type Site = (Id<SharepointSite>, Arc<dyn Endpoint>);

/// The other lists of a definition, in the order of its rules, and their sites.
pub(super) async fn lists(
    (book, tenant): (&Arc<BookInner>, TenantId),
    tables: &Tables,
    source: (&Arc<dyn Endpoint>, &TableShape),
    options: &RecordOptions,
    fields: &[RecordField],
    now: Moment,
) -> Result<(Vec<KnownList>, Vec<Site>)> {
    let (mut lists, mut sites) = (Vec::with_capacity(options.routes.len()), Vec::new());
    for route in &options.routes {
        let place = list::completed(tables, route.target.clone()).await?;
        let RecordPlace::List { site, .. } = &place else { return Err(no_list(route)) };
        let endpoint = list::opened(book, tenant, &place).await?;
        let mut was_made = false;
        let shape = match endpoint.describe(place.table()).await {
            Err(error) if error.code() == Code::NotFound && options.create => {
                was_made = true;
                let alike = RecordOptions { fields: fields.to_vec(), ..options.clone() };
                provision::like(&place, &Sides::new(source.0.clone(), endpoint.clone()), source.1, &alike).await?.0
            }
            described => described?,
        };
        let at_sharepoint = endpoint.identity(&shape.name).await?;
        let known = list::known(tables, site, shape, at_sharepoint, was_made, now).await?;
        sites.push((known.site, endpoint));
        lists.push(known);
    }
    Ok((lists, sites))
}

/// How a definition finds the target of a row. Rules that it has stay until others are given: without them, rows that lie in
/// other lists would be made once more.
///
/// # Errors
/// `unsupported` when the usual target is no list.
pub(super) fn strategy(
    options: &RecordOptions,
    usual: Option<&KnownList>,
    lists: &[KnownList],
    found: Option<&Stored<SyncDefinition>>,
) -> Result<(TargetStrategy, Json)> {
    let Some(first) = options.routes.first() else {
        let single = || (TargetStrategy::Single, Json(json!({})));
        return Ok(found.map_or_else(single, |found| (found.row.target_strategy, found.row.sharding_policy.clone())));
    };
    let usual = usual.ok_or_else(|| no_list(first))?;
    let rule = |(route, list): (&RecordRoute, &KnownList)| json!({"if": route.condition, "target_list_id": list.id.0});
    let rules: Vec<_> = options.routes.iter().zip(lists).map(rule).collect();
    let policy = json!({"rules": rules, "default_target_list_id": usual.id.0});
    Ok((TargetStrategy::Conditional, Json(policy)))
}

fn no_list(route: &RecordRoute) -> Error {
    Error::new(Code::Unsupported, "route rows to", &route.target)
        .because("rows are spread over lists of SharePoint only")
        .advise("leave the rules out, or name lists")
}
