//! Guards: what stops a run before it does anything. What a plan says is checked by the pure guards of `delta`; what
//! the roots say is checked here.

use crate::delta::{Tally, guards};
use crate::error::{Code, Error, Result};
use crate::model::{Side, Sides};
use crate::operation::preview::Guard;
use crate::provider::RootIdentity;

use super::connect::{ConduitOptions, MaxDelete, Place};
use super::ApplyOptions;

/// What the guards look at.
pub(crate) struct Question<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) options: &'a ConduitOptions,
    pub(crate) filter_changed: bool,
    /// The identities of the roots at the last run.
    pub(crate) before: &'a Sides<Option<String>>,
    pub(crate) roots: &'a Sides<Option<RootIdentity>>,
    /// Bytes that each side is to receive.
    pub(crate) received: [u64; 2],
}

/// The first guard that trips, if any.
pub(crate) fn check(question: &Question<'_>) -> Option<Guard> {
    changed_root(question).or_else(|| no_space(question)).or_else(|| plan(question))
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

/// Another directory stands where a root was: a mount that is missing, a disk that was exchanged.
fn changed_root(question: &Question<'_>) -> Option<Guard> {
    Side::BOTH.into_iter().find_map(|side| {
        let (before, now) = (question.before[side].as_ref()?, question.roots[side].as_ref()?);
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

fn plan(question: &Question<'_>) -> Option<Guard> {
    let max_delete = match question.options.max_delete {
        None => guards::MaxDelete::default(),
        Some(MaxDelete::Count(n)) => guards::MaxDelete::Count(n),
        Some(MaxDelete::Percent(p)) => guards::MaxDelete::Percent(p),
    };
    let limits = guards::Limits {
        max_delete,
        filter_changed: question.filter_changed,
        exact: question.options.exact,
        deletes_allowed: question.options.max_delete.is_some(),
        ..guards::Limits::default()
    };
    let trip = guards::check(question.tally, &limits)?;
    guard(trip.name(), trip.reason(), trip.advice())
}

/// A target that was there at the last run and is gone is not made anew without a word.
pub(crate) fn vacancy(before: &Sides<Option<String>>, target: &Place, options: &ApplyOptions) -> Result<()> {
    let Place::Local(path) = target else { return Ok(()) };
    if before.right.is_none() || path.exists() || options.confirm.iter().any(|name| name == "root_missing") {
        return Ok(());
    }
    Err(Error::new(Code::Guard, "sync to", path.display())
        .because("root_missing: the target was there at the last run and is gone")
        .advise("bring it back, or make the directory if it was removed on purpose"))
}
