//! Several lists that hold the rows of one definition between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::book::BookInner;
use crate::endpoint::{Endpoint, Part, Routed, TableShape};
use crate::error::{Code, Error, Result};
use crate::model::{Id, SharepointList, Stored, SyncDefinition, SyncTarget, UseStatus};
use crate::table::{Filter, Tables};

use super::super::mapping::Routes;
use super::super::open::{Brought, TargetList, modified_at};
use super::super::routing::Routing;
use super::open;

/// The lists of a definition, ready to be written, and the rules that say which row goes to which.
pub(in super::super) struct OpenedLists {
    pub(in super::super) endpoint: Arc<dyn Endpoint>,
    pub(in super::super) shape: TableShape,
    pub(in super::super) zone: Option<chrono_tz::Tz>,
    pub(in super::super) lists: Vec<TargetList>,
    pub(in super::super) routes: Routes,
}

/// Opens all active targets of a definition.
///
/// # Errors
/// `invalid` when the policy leads elsewhere; as [`open`].
pub(in super::super) async fn open_all(
    book: &Arc<BookInner>,
    tables: &Tables,
    id: Id<SyncDefinition>,
    definition: &SyncDefinition,
    brought: &Brought,
) -> Result<OpenedLists> {
    let targets = active(tables, id).await?;
    let ids: Vec<Uuid> = targets.iter().map(|target| target.row.target_list_id.0).collect();
    let routing = Routing::parse(&definition.sharding_policy.0.to_string(), &ids)?;
    let (mut parts, mut lists, mut names, mut zone) = (Vec::new(), Vec::new(), BTreeMap::new(), None);
    for target in &targets {
        let list = target.row.target_list_id;
        let of_site = brought.sites.iter().find(|(site, _)| *site == target.row.site_id).map(|(_, endpoint)| endpoint);
        let opened = open(book, tables, list, of_site).await?;
        let known = match opened.at_sharepoint {
            Some(known) => known,
            None => opened.endpoint.identity(&opened.shape.name).await?.ok_or_else(|| unnamed(&opened.shape))?,
        };
        zone = zone.or(opened.zone);
        let modified_at = modified_at(&opened.shape);
        lists.push(TargetList { id: list, at_sharepoint: Some(known.clone()), modified_at });
        names.insert(list.0, known.clone());
        let table = opened.shape.name.clone();
        parts.push(Part { list: known, endpoint: opened.endpoint, table, shape: opened.shape });
    }
    let routed = Routed::new(parts)?;
    let shape = routed.shape().clone();
    Ok(OpenedLists { endpoint: Arc::new(routed), shape, zone, lists, routes: Routes::new(routing, names) })
}

/// The targets that rows of a definition may go to, the first to be named first.
pub(in super::super) async fn active(tables: &Tables, id: Id<SyncDefinition>) -> Result<Vec<Stored<SyncTarget>>> {
    let mut targets = tables.every::<SyncTarget>(Filter::all().equal("sync_def_id", &id)).await?;
    targets.retain(|target| target.row.status == UseStatus::Active);
    targets.sort_by_key(|target| (!target.row.is_default, target.row.priority, target.id));
    Ok(targets)
}

fn unnamed(shape: &TableShape) -> Error {
    Error::new(Code::Unsupported, "route rows to the list", &shape.name).because("its store has no ids for lists")
}

/// A list that rows of a definition may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTarget {
    /// Its id in the book.
    pub id: Id<SharepointList>,
    /// Its title.
    pub title: String,
    /// Whether rows that no rule takes go there.
    pub is_default: bool,
}

/// The lists that rows of a definition may go to.
pub(in super::super) async fn targets_of(tables: &Tables, id: Id<SyncDefinition>) -> Result<Vec<RecordTarget>> {
    let mut found = Vec::new();
    for target in active(tables, id).await? {
        let list = target.row.target_list_id;
        let title = tables.read(list).await?.row.display_name;
        found.push(RecordTarget { id: list, title, is_default: target.row.is_default });
    }
    Ok(found)
}
