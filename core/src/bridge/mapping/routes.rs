//! To which of several lists a row goes.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::routing::Routing;
use super::{Half, Mapping};
use crate::endpoint::LIST;
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowRef, encode};
use crate::model::{Datum, Moment, Tick};

/// The rules of a definition whose rows go to several lists.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    routing: Routing,
    /// What the service calls the lists that the book knows by these ids.
    lists: BTreeMap<Uuid, String>,
    /// The list that every row goes to in this run, whatever the rules say.
    only: Option<Uuid>,
}

impl Routes {
    pub(crate) fn new(routing: Routing, lists: BTreeMap<Uuid, String>) -> Self {
        Self { routing, lists, only: None }
    }

    /// Sends every row to one list.
    ///
    /// # Errors
    /// `invalid` when it is not an active target.
    pub(crate) fn only_to(&mut self, list: Uuid) -> Result<()> {
        if !self.lists.contains_key(&list) {
            return Err(Error::new(Code::Invalid, "send all rows to the list", list)
                .because("it is not an active target of the definition")
                .advise("see which ones are: Definition::targets"));
        }
        self.only = Some(list);
        Ok(())
    }

    /// What the service calls the list that every row goes to, where it is one.
    pub(crate) fn only(&self) -> Option<&str> {
        self.lists.get(&self.only?).map(String::as_str)
    }

    /// The columns that the rules look at.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.routing.columns().into_iter()
    }

    /// Where a row goes, and when that may next be elsewhere though the row stays as it is.
    fn of(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Result<(Datum, Option<Tick>)> {
        let (target, next) = match self.only {
            Some(list) => (list, None),
            None => {
                let route = self.routing.route(column, now)?;
                (route.target, route.next_route_at)
            }
        };
        let list = self.lists.get(&target).ok_or_else(|| {
            Error::new(Code::Invalid, "find the target of a row", target).because("it is not an active one")
        })?;
        Ok((Datum::Text(list.clone()), next))
    }
}

impl Mapping {
    /// Whether its rows are spread over several lists.
    pub(crate) fn is_routed(&self) -> bool {
        self.routes.is_some()
    }

    /// The rules, to be overruled.
    pub(crate) fn routes_mut(&mut self) -> Option<&mut Routes> {
        self.routes.as_mut()
    }

    /// The only list that rows go to in this run, where there are several.
    pub(crate) fn only_list(&self) -> Option<&str> {
        self.routes.as_ref()?.only()
    }

    /// The list that a row of the source goes to.
    pub(super) fn list_of(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Result<Datum> {
        match &self.routes {
            Some(routes) => routes.of(column, now).map(|(list, _)| list),
            None => Err(Error::new(Code::Internal, "find the list of a row", "").because("there is only one")),
        }
    }

    /// When the rules may next send a row of the source elsewhere though it stays as it is.
    ///
    /// # Errors
    /// `invalid` when no rule takes it.
    pub(crate) fn next_route(&self, row: RowRef<'_>, now: Tick) -> Result<Option<Moment>> {
        let Some(routes) = &self.routes else { return Ok(None) };
        let column = |name: &str| self.halves.left.place(name).and_then(|at| row.datum(at).ok());
        let next = routes.of(&column, now)?.1;
        Ok(next.and_then(Tick::micros).map(Moment))
    }

    /// Whether what is written to the target lies in another list than the row that it is written to.
    pub(crate) fn moves(&self, address: &[u8], written: &[Datum]) -> bool {
        let at = self.halves.right.written.iter().position(|column| column == LIST);
        at.is_some_and(|at| !address.starts_with(&encode(&written[at])))
    }
}

impl Half {
    /// Whether a column is one by which rows are found there, and cannot be changed.
    pub(crate) fn is_fixed(&self, column: &String) -> bool {
        self.address.contains(column) && column != LIST
    }
}

/// The list and the number of an item of several lists, by its address.
pub(crate) fn listed_item(address: &[u8]) -> Option<(String, i64)> {
    let mut row = RowBatch::new(2);
    row.push_encoded(address).ok()?;
    match (row.row(0).datum(0).ok()?, row.row(0).datum(1).ok()?) {
        (Datum::Text(list), Datum::Integer(item)) => Some((list, i64::try_from(item).ok()?)),
        _ => None,
    }
}
