//! Guards: what stops a run before it does anything. What a plan says is checked by the pure guards of `delta`; what
//! the roots say is checked here.

use crate::delta::{self, Confirmation, Confirmed, Limits, Tally};
use crate::error::{Code, Error, Result};
use crate::model::{Side, Sides};
use crate::operation::preview::Guard;
use crate::provider::RootIdentity;

use super::ApplyOptions;
use super::connect::ConduitOptions;
use super::place::Place;

/// What the guards look at.
pub(crate) struct Question<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) options: &'a ConduitOptions,
    /// The identities of the roots at the last run.
    pub(crate) before: &'a Sides<Option<String>>,
    pub(crate) roots: &'a Sides<Option<RootIdentity>>,
    /// Bytes that each side is to receive.
    pub(crate) received: [u64; 2],
}

/// Every guard that trips.
pub(crate) fn check(question: &Question<'_>) -> Vec<Guard> {
    let missing = missing_root(question.before, question.roots);
    let changed = changed_root(question.before, question.roots);
    missing.into_iter().chain(changed).chain(no_space(question)).chain(plan(question)).collect()
}

fn guard(name: &str, reason: String, advice: &str) -> Option<Guard> {
    Some(Guard { name: name.to_owned(), reason, advice: advice.to_owned() })
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "source",
        Side::Right => "target",
    }
}

/// Only a target can be missing here; without its source no plan is made.
fn missing_root(before: &Sides<Option<String>>, roots: &Sides<Option<RootIdentity>>) -> Option<Guard> {
    if before.right.is_none() || roots.right.is_some() {
        return None;
    }
    guard("root_missing", MISSING.to_owned(), "confirm it to make the directory anew")
}

const MISSING: &str = "the target was there at the last run and is gone";

/// Another directory stands where a root was: a mount that is missing, a disk that was exchanged.
pub(crate) fn changed_root(before: &Sides<Option<String>>, roots: &Sides<Option<RootIdentity>>) -> Option<Guard> {
    Side::BOTH.into_iter().find_map(|side| {
        let (before, now) = (before[side].as_ref()?, roots[side].as_ref()?);
        if *before == now.ident {
            return None;
        }
        let reason = format!("the {} is not the directory it was at the last run", side_name(side));
        guard("root_changed", reason, "confirm it if the directory was replaced on purpose")
    })
}

fn no_space(question: &Question<'_>) -> Option<Guard> {
    Side::BOTH.into_iter().find_map(|side| {
        let free = question.roots[side].as_ref()?.free_bytes?;
        let needed = question.received[side as usize];
        if needed <= free {
            return None;
        }
        let reason = format!("the {} has {free} bytes free and is to receive {needed}", side_name(side));
        guard("no_space", reason, "make room, or leave items out")
    })
}

/// The guards on what the plan does. An explicit limit for deletions is the word that *exact* without a ledger asks
/// for (decision of the command line). No limit, however large, is a word for an emptied root: it stands in a script's line
/// for every run to come, and each guard is confirmed per plan (reconciliation contract, section 5).
fn plan(question: &Question<'_>) -> Vec<Guard> {
    let max_delete = question.options.max_delete;
    let mut limits = Limits {
        max_delete: max_delete.unwrap_or(Limits::default().max_delete),
        exact: question.options.exact,
        confirmed: Confirmed { exact: max_delete.is_some(), deletes: false, overwrites: false },
        ..Limits::default()
    };
    let mut trips = Vec::new();
    while let Some(trip) = delta::check(question.tally, &limits) {
        match trip.lifted_by() {
            Confirmation::Deletes => limits.confirmed.deletes = true,
            Confirmation::Overwrites => limits.confirmed.overwrites = true,
            Confirmation::Exact => limits.confirmed.exact = true,
        }
        trips.extend(guard(trip.as_str(), trip.to_string(), ""));
    }
    trips
}

/// A target that was there at the last run and is gone is not made anew without a word. True: it is gone, and the word
/// was given.
pub(crate) fn vacancy(before: &Sides<Option<String>>, target: &Place, options: &ApplyOptions) -> Result<bool> {
    let Some(path) = target.directory() else { return Ok(false) };
    if before.right.is_none() || path.exists() {
        return Ok(false);
    }
    if options.confirm.iter().any(|name| name == "root_missing") {
        return Ok(true);
    }
    Err(Error::new(Code::Guard, "sync to", target.display())
        .because(format!("root_missing: {MISSING}"))
        .advise("bring it back, or confirm that the directory is to be made anew"))
}
