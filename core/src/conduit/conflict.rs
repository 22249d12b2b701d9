//! Conflicts that wait for a person (`sync_conflict`): names that one side cannot tell apart or cannot hold, a file against
//! a directory that may not go, files that an unclean stop may have damaged.
//!
//! No policy can decide these. The engine lists what waits and shows what each side had; a person decides, and the next
//! plan carries it out like any other change, provided that both sides still are what was shown. A conflict is closed in
//! the end of the run that carried out its decision, or by a run that no longer meets it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::delta::{Action, Decision, Decisions, DroppedDecision, SkipReason, Waiting};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{
    self, Kind, Name, Node, Pair, PairId, PreviewId, Record, RelPath, Resolution, Side, Sides, UserId, WaitReason,
};
use crate::operation::clock::{from_micros, micros};
use crate::operation::preview::{Decided, Delta};
use crate::store::{Statement, Value, Write, select};

use super::ConduitInner;

/// What is to become of an item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The source's state counts: the target becomes like it. Of a damaged file that is to take the source's, of an item
    /// that only the target has, to remove it there.
    KeepSource,
    /// The target's state counts: the source becomes like it, in every mode.
    KeepDestination,
    /// Both stay, one of them under a conflict name.
    KeepBoth,
    /// The item of that side gets another name, and both sides have it under that name.
    Rename {
        /// Whose item.
        side: Side,
        /// Its new name, in the same directory.
        name: Name,
    },
}

/// A conflict that waits, or waited, for a person. Source and target are as the conduit's handle names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Names it.
    pub id: i64,
    /// Where, relative to both roots.
    pub path: RelPath,
    /// Why it waits.
    pub reason: WaitReason,
    /// The side that the reason speaks of.
    pub side: Option<Side>,
    /// What each side showed; none where it had nothing.
    pub seen: Sides<Option<Node>>,
    /// The run that met it last.
    pub generation: i64,
    /// When it was met first.
    pub created_at: DateTime<Utc>,
    /// Names what was seen: give it back with the decision.
    pub mark: String,
    /// What was decided, and in the end carried out.
    pub choice: Option<Choice>,
    /// When that was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided it; none once that user is gone.
    pub decided_by: Option<UserId>,
    /// Why the last decision came to nothing.
    pub note: Option<String>,
    /// When it was closed; none while it waits.
    pub resolved_at: Option<DateTime<Utc>>,
    /// How it was closed.
    pub resolution: Option<Resolution>,
}

/// A conflict with what is needed to decide about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The conflict.
    pub conflict: Conflict,
    /// What both sides last agreed on; none where they never did.
    pub base: Option<Pair>,
    /// What can be decided. [`Resolution::RenameSource`] and [`Resolution::RenameDestination`] stand for
    /// [`Choice::Rename`] of that side.
    pub choices: Vec<Resolution>,
}

/// What a plan has to know of what waits.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) decisions: Arc<Decisions>,
    rows: HashMap<i64, model::Conflict>,
}

fn turned(side: Side, swapped: bool) -> Side {
    if swapped { side.other() } else { side }
}

/// The other direction's word for the same decision.
fn turned_resolution(resolution: Resolution, swapped: bool) -> Resolution {
    match resolution {
        _ if !swapped => resolution,
        Resolution::Source => Resolution::Destination,
        Resolution::Destination => Resolution::Source,
        Resolution::RenameSource => Resolution::RenameDestination,
        Resolution::RenameDestination => Resolution::RenameSource,
        Resolution::Both | Resolution::Dropped => resolution,
    }
}

impl Choice {
    fn resolution(&self) -> Resolution {
        match self {
            Self::KeepSource => Resolution::Source,
            Self::KeepDestination => Resolution::Destination,
            Self::KeepBoth => Resolution::Both,
            Self::Rename { side: Side::Left, .. } => Resolution::RenameSource,
            Self::Rename { side: Side::Right, .. } => Resolution::RenameDestination,
        }
    }

    /// Of a row's two columns; none for what nobody decides.
    fn of(resolution: Resolution, name: Option<&Vec<u8>>) -> Option<Self> {
        let rename = |side| Some(Self::Rename { side, name: Name::new(name?)? });
        match resolution {
            Resolution::Source => Some(Self::KeepSource),
            Resolution::Destination => Some(Self::KeepDestination),
            Resolution::Both => Some(Self::KeepBoth),
            Resolution::RenameSource => rename(Side::Left),
            Resolution::RenameDestination => rename(Side::Right),
            Resolution::Dropped => None,
        }
    }

    fn decision(self) -> Decision {
        match self {
            Self::KeepSource => Decision::Keep(Side::Left),
            Self::KeepDestination => Decision::Keep(Side::Right),
            Self::KeepBoth => Decision::KeepBoth,
            Self::Rename { side, name } => Decision::Rename(side, name),
        }
    }
}

fn node(state: Option<&Vec<u8>>) -> Result<Option<Node>> {
    let decode = |e| Error::new(Code::Corrupt, "read a conflict", "").caused_by(e);
    state.map(|bytes| postcard::from_bytes(bytes).map_err(decode)).transpose()
}

/// What each side showed, in the direction of the handle.
fn seen(row: &model::Conflict, swapped: bool) -> Result<Sides<Option<Node>>> {
    let (left, right) = (node(row.left_state.as_ref())?, node(row.right_state.as_ref())?);
    Ok(if swapped { Sides::new(right, left) } else { Sides::new(left, right) })
}

fn side_of(row: &model::Conflict, swapped: bool) -> Option<Side> {
    let side = if row.reason_side? == 1 { Side::Left } else { Side::Right };
    Some(turned(side, swapped))
}

/// Names the states that a decision is about.
fn mark(row: &model::Conflict) -> String {
    let states = format!("{}|{:?}|{:?}|{:?}", row.reason.as_str(), row.reason_side, row.left_state, row.right_state);
    ContentHash::of(states.as_bytes()).to_string()
}

fn shown(row: &model::Conflict, swapped: bool) -> Result<Conflict> {
    let time = |at: Option<model::Moment>| at.map(|at| from_micros(at.0));
    let decided = row.decision.map(|d| turned_resolution(d, swapped));
    Ok(Conflict {
        id: row.id,
        path: row.path.clone(),
        reason: row.reason,
        side: side_of(row, swapped),
        seen: seen(row, swapped)?,
        generation: row.generation,
        created_at: from_micros(row.created_at.0),
        mark: mark(row),
        choice: decided.and_then(|d| Choice::of(d, row.new_name.as_ref())),
        decided_at: time(row.decided_at),
        decided_by: row.decided_by,
        note: row.note.clone(),
        resolved_at: time(row.resolved_at),
        resolution: row.resolution.map(|r| turned_resolution(r, swapped)),
    })
}

/// The conflicts that wait, the latest first, a page of them.
pub(crate) async fn waiting(conduit: &ConduitInner, after: Option<i64>, limit: usize) -> Result<Vec<Conflict>> {
    let ask = select!(
        model::Conflict,
        "WHERE tenant_id = ?1 AND conduit_id = ?2 AND id < ?3 AND resolved_at IS NULL ORDER BY id DESC LIMIT ?4"
    );
    let limit = i64::try_from(limit.clamp(1, 1000)).unwrap_or(1000);
    let params = vec![
        Value::Uuid(conduit.tenant.0),
        Value::Int(conduit.id),
        Value::Int(after.unwrap_or(i64::MAX)),
        Value::Int(limit),
    ];
    let rows = conduit.book.store.query(conduit.tenant, Statement::new(ask, params)).await?;
    rows.iter().map(|row| shown(&model::Conflict::read(row)?, conduit.swapped)).collect()
}

async fn find(conduit: &ConduitInner, id: i64) -> Result<model::Conflict> {
    let ask = select!(model::Conflict, "WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3");
    let params = vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id), Value::Int(id)];
    let rows = conduit.book.store.query(conduit.tenant, Statement::new(ask, params)).await?;
    let missing =
        || Error::new(Code::NotFound, "find the conflict", id).because("this conduit has none of this number");
    model::Conflict::read(rows.first().ok_or_else(missing)?)
}

/// One conflict, with what both sides last agreed on and what can be decided.
pub(crate) async fn inspect(conduit: &ConduitInner, id: i64) -> Result<Inspection> {
    let row = find(conduit, id).await?;
    let conflict = shown(&row, conduit.swapped)?;
    let base = match row.path.name() {
        Some(name) => conduit.ledger(row.generation).pair((PairId(row.parent_id), name, PairId(row.pair_id))).await?,
        None => None,
    };
    let choices = if conflict.resolved_at.is_some() { Vec::new() } else { choices(&conflict, base.as_ref()) };
    Ok(Inspection { conflict, base, choices })
}

/// What can be decided.
fn choices(conflict: &Conflict, base: Option<&Pair>) -> Vec<Resolution> {
    let has = conflict.seen.as_ref().map(Option::is_some);
    let is_dir = |side: Side| conflict.seen[side].as_ref().is_some_and(|node| node.kind == Kind::Dir);
    let was_dir = base.is_some_and(|pair| pair.kind == Kind::Dir);
    let renames = Side::BOTH.into_iter().filter(|side| has[*side] && !(is_dir(*side) && was_dir));
    let renames = renames.map(|side| match side {
        Side::Left => Resolution::RenameSource,
        Side::Right => Resolution::RenameDestination,
    });
    let both = has.left && has.right;
    match conflict.reason {
        WaitReason::Suspect if both => vec![Resolution::Source, Resolution::Destination, Resolution::Both],
        WaitReason::Suspect => vec![Resolution::Source, Resolution::Destination],
        WaitReason::NameCollision if both => {
            [Resolution::Source, Resolution::Destination, Resolution::Both].into_iter().chain(renames).collect()
        }
        // Only one side has it, and the other cannot: it goes, or gets another name.
        WaitReason::NameCollision | WaitReason::NameNotAllowed => {
            let gone = if has.left { Resolution::Destination } else { Resolution::Source };
            let numbered = (conflict.reason == WaitReason::NameCollision).then_some(Resolution::Both);
            [gone].into_iter().chain(numbered).chain(renames).collect()
        }
    }
}

/// Keeps what was decided about a conflict until the next plan carries it out.
pub(crate) async fn resolve(conduit: &ConduitInner, id: i64, mark: &str, choice: &Choice) -> Result<()> {
    let inspection = inspect(conduit, id).await?;
    let failed = |code, reason: String| Error::new(code, "resolve the conflict", id).because(reason);
    let conflict = &inspection.conflict;
    if let Some(how) = conflict.resolution {
        return Err(failed(Code::NotFound, format!("it waits no longer: it was closed as {}", how.as_str())));
    }
    let moved_on = || {
        failed(Code::Stale, "it is not what was looked at any more".to_owned()).advise("look at it again, then decide")
    };
    if conflict.mark != mark {
        return Err(moved_on());
    }
    if !inspection.choices.contains(&choice.resolution()) {
        let names: Vec<&str> = inspection.choices.iter().map(|choice| choice.as_str()).collect();
        return Err(failed(Code::Invalid, format!("what can be decided here is: {}", names.join(", "))));
    }
    let mut new_name = Value::Null;
    if let Choice::Rename { name, .. } = choice {
        if conflict.path.name().as_ref() == Some(name) || crate::provider::is_reserved(name.as_bytes()) {
            return Err(failed(Code::Invalid, format!("the name '{name}' is the old one, or kept for the engine")));
        }
        new_name = Value::Blob(name.as_bytes().to_vec());
    }
    let update = Statement::new(
        "UPDATE sync_conflict SET decision = ?4, new_name = ?5, decided_at = ?6, decided_by = ?7, note = NULL \
         WHERE tenant_id = ?1 AND conduit_id = ?2 AND id = ?3 AND resolved_at IS NULL AND generation = ?8",
        vec![
            Value::Uuid(conduit.tenant.0),
            Value::Int(conduit.id),
            Value::Int(id),
            Value::Text(turned_resolution(choice.resolution(), conduit.swapped).as_str().to_owned()),
            new_name,
            Value::Time(micros(conduit.book.clock.now())),
            Value::Uuid(conduit.user.0),
            Value::Int(conflict.generation),
        ],
    );
    let written = conduit.book.store.write(conduit.tenant, vec![Write::Expect(update, 1)]).await;
    // A run met it, or closed it, in between.
    written.map(|_| ()).map_err(|e| if e.code() == Code::Conflict { moved_on() } else { e })
}

/// What waits and was decided, and what an unclean stop may have damaged: for the next plan.
pub(crate) async fn pending(conduit: &ConduitInner) -> Result<Pending> {
    let ask = select!(
        model::Conflict,
        "WHERE tenant_id = ?1 AND conduit_id = ?2 AND resolved_at IS NULL AND (decision IS NOT NULL OR reason = 'suspect')"
    );
    let params = vec![Value::Uuid(conduit.tenant.0), Value::Int(conduit.id)];
    let rows = conduit.book.store.query(conduit.tenant, Statement::new(ask, params)).await?;
    let mut pending = HashMap::new();
    let mut by_path = HashMap::new();
    for row in rows.iter() {
        let row = model::Conflict::read(row)?;
        let decided = row.decision.map(|d| turned_resolution(d, conduit.swapped));
        let waiting = Waiting {
            conflict: row.id,
            seen: seen(&row, conduit.swapped)?,
            suspect: side_of(&row, conduit.swapped).filter(|_| row.reason == WaitReason::Suspect),
            decision: decided.and_then(|d| Choice::of(d, row.new_name.as_ref())).map(Choice::decision),
            interrupted: row.carried_in.is_some(),
        };
        by_path.insert(row.path.clone(), waiting);
        pending.insert(row.id, row);
    }
    Ok(Pending { decisions: Arc::new(Decisions::new(by_path)), rows: pending })
}

impl Pending {
    /// Writes into the sums of a plan who decided what it carries out.
    pub(crate) fn sign(&self, delta: &mut Delta) {
        for decided in &mut delta.decided {
            let Some(row) = self.rows.get(&decided.conflict) else { continue };
            decided.decision = row.decision.map(|d| d.as_str().to_owned()).unwrap_or_default();
            decided.new_name = row.new_name.clone();
            decided.decided_at = row.decided_at.map(|at| at.0).unwrap_or_default();
            decided.decided_by = row.decided_by.map(|user| user.0);
        }
    }

    /// Takes back the decisions that nothing can follow from. Whoever decided again meanwhile is not overruled.
    pub(crate) fn take_back(&self, conduit: &ConduitInner, dropped: &[DroppedDecision]) -> Vec<Write> {
        let rows = dropped.iter().filter_map(|dropped| Some((dropped, self.rows.get(&dropped.conflict)?.decided_at?)));
        rows.map(|(dropped, decided_at)| {
            Write::Execute(Statement::new(
                "UPDATE sync_conflict SET decision = NULL, new_name = NULL, decided_at = NULL, decided_by = NULL, \
                 carried_in = NULL, note = ?4 \
                 WHERE tenant_id = ?1 AND id = ?2 AND decided_at = ?3 AND resolved_at IS NULL",
                vec![
                    Value::Uuid(conduit.tenant.0),
                    Value::Int(dropped.conflict),
                    Value::Time(decided_at.0),
                    Value::Text(dropped.reason.to_owned()),
                ],
            ))
        })
        .collect()
    }
}

/// Before the first effect: these decisions are being carried out by that run. What a run that dies has carried out is
/// then told from what went away by itself.
pub(crate) fn begin(conduit: &ConduitInner, generation: i64, decided: &[Decided]) -> Vec<Write> {
    let mark = |decided: &Decided| {
        Write::Execute(Statement::new(
            "UPDATE sync_conflict SET carried_in = ?3 WHERE tenant_id = ?1 AND id = ?2 AND resolved_at IS NULL",
            vec![Value::Uuid(conduit.tenant.0), Value::Int(decided.conflict), Value::Int(generation)],
        ))
    };
    decided.iter().map(mark).collect()
}

/// The end of a run that looked at everything: closes the conflicts whose decision was carried out whole, and those that
/// the plan no longer met. What it still lists as skipped, or had a decision for that was not carried out, waits on.
/// `is_complete`: nothing was unreadable, so that what was not met is gone.
pub(crate) fn close(
    conduit: &ConduitInner,
    generation: i64,
    preview: PreviewId,
    decided: &[Decided],
    is_complete: bool,
) -> Vec<Write> {
    let (tenant, now) = (Value::Uuid(conduit.tenant.0), Value::Time(micros(conduit.book.clock.now())));
    let mut writes = Vec::new();
    for decided in decided {
        writes.push(Write::Execute(Statement::new(
            "UPDATE sync_conflict SET resolved_at = ?3, resolution = ?4, decision = ?4, new_name = ?5, decided_at = ?6, \
             decided_by = ?7 WHERE tenant_id = ?1 AND id = ?2 AND resolved_at IS NULL AND NOT EXISTS \
             (SELECT 1 FROM sync_preview_change WHERE preview_id = ?8 AND (seq = ?9 OR lead_seq = ?9) \
             AND (outcome IS NOT NULL OR is_exception = ?10))",
            vec![
                tenant.clone(),
                Value::Int(decided.conflict),
                now.clone(),
                Value::Text(decided.decision.clone()),
                decided.new_name.clone().map_or(Value::Null, Value::Blob),
                Value::Time(decided.decided_at),
                decided.decided_by.map_or(Value::Null, Value::Uuid),
                Value::Uuid(preview.0),
                Value::Int(decided.lead),
                Value::Bool(true),
            ],
        )));
    }
    let vanished = Write::Execute(Statement::new(
        "UPDATE sync_conflict SET resolved_at = ?4, \
         resolution = CASE WHEN carried_in IS NOT NULL AND decision IS NOT NULL THEN decision ELSE ?5 END \
         WHERE tenant_id = ?1 AND conduit_id = ?2 AND generation < ?3 AND resolved_at IS NULL \
         AND (carried_in IS NULL OR carried_in < ?3) \
         AND path NOT IN (SELECT path FROM sync_preview_change WHERE preview_id = ?6 AND action = ?7)",
        vec![
            tenant.clone(),
            Value::Int(conduit.id),
            Value::Int(generation),
            now,
            Value::Text(Resolution::Dropped.as_str().to_owned()),
            Value::Uuid(preview.0),
            Value::Int(Action::SKIP),
        ],
    ));
    writes.extend(is_complete.then_some(vanished));
    if !decided.is_empty() {
        writes.push(Write::Execute(Statement::new(
            "UPDATE sync_conflict SET carried_in = NULL WHERE tenant_id = ?1 AND conduit_id = ?2 AND carried_in = ?3 \
             AND resolved_at IS NULL",
            vec![tenant, Value::Int(conduit.id), Value::Int(generation)],
        )));
    }
    writes
}

/// Why an item waits, as the book has it: in the conduit's own direction.
pub(crate) fn reason(reason: &SkipReason, swapped: bool) -> Option<(WaitReason, Option<Side>)> {
    let on = |side: &Side| Some(turned(*side, swapped));
    match reason {
        SkipReason::NameCollision(side) => Some((WaitReason::NameCollision, on(side))),
        SkipReason::NameNotAllowed(side) => Some((WaitReason::NameNotAllowed, on(side))),
        SkipReason::Suspect(side) => Some((WaitReason::Suspect, on(side))),
        SkipReason::Unknown(..)
        | SkipReason::Untracked
        | SkipReason::Excluded
        | SkipReason::NotSelected
        | SkipReason::NotReleasable
        | SkipReason::UnsupportedKind => None,
    }
}
