//! Previews: a stored delta with a lifetime, which can be listed, filtered, selected from, and applied as it stands.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::clock::{from_micros, micros};
use super::plan::{decode, kind_of};
use super::run::Counts;
use crate::delta::{Action, Change, ChangeKind, SkipReason};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, PreviewId, RelPath, Side, Sides, SyncType, TenantId, UserId};
use crate::store::{Row, Statement, Store, Value, Write};

/// The lifetime of a preview unless its options say otherwise (`sync_preview_cache.expires_at`).
pub const PREVIEW_LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

/// What a preview holds in sum.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewSummary {
    /// Names it.
    pub id: PreviewId,
    /// How many changes of each kind.
    pub counts: Counts,
    /// Items that applying it acts on.
    pub items: u64,
    /// Files and links that applying it carries.
    pub files: u64,
    /// Bytes that applying it carries.
    pub bytes: u64,
    /// The guards that applying it stops at until each is confirmed.
    pub guards: Vec<Guard>,
    /// When it was computed.
    pub computed_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A guard that stops a run before it does anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Stable text of the guard, to confirm it with.
    pub name: String,
    /// What it saw.
    pub reason: String,
    /// What lifts it.
    pub advice: String,
}

/// The error that a guard stops a run with.
pub(crate) fn stop(guard: &Guard, preview: PreviewId) -> Error {
    let advice = if guard.advice.is_empty() { String::new() } else { format!("; {}", guard.advice) };
    let reason = format!("{}: {}{advice}", guard.name, guard.reason);
    Error::new(Code::Guard, "apply the preview", preview).because(reason)
}

/// `sync_preview_cache.delta_json`: summary and options, so that a preview is applied as it was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Delta {
    pub(crate) counts: Counts,
    pub(crate) items: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Bytes that each side is to receive, for the look at free space.
    pub(crate) received: [u64; 2],
    pub(crate) guards: Vec<Guard>,
    /// The run goes from the conduit's target to its source.
    pub(crate) swapped: bool,
    pub(crate) filter_fingerprint: String,
    /// Conflicts that wait for a person.
    #[serde(default)]
    pub(crate) waiting: u64,
    /// It changes the source too.
    #[serde(default)]
    pub(crate) writes_source: bool,
    /// It changes the target.
    #[serde(default)]
    pub(crate) writes_target: bool,
    /// It changes what is directly in the root of that side, the trash included.
    #[serde(default)]
    pub(crate) writes_root: Sides<bool>,
    /// The decisions of a person that it carries out.
    #[serde(default)]
    pub(crate) decided: Vec<Decided>,
    /// The identities of the roots that it saw.
    #[serde(default)]
    pub(crate) roots: Sides<Option<String>>,
}

/// A decision that a preview carries out, as it was when the preview was made (`sync_conflict`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) conflict: i64,
    /// The change that begins it.
    pub(crate) lead: i64,
    pub(crate) decision: String,
    pub(crate) new_name: Option<Vec<u8>>,
    pub(crate) decided_at: i64,
    pub(crate) decided_by: Option<uuid::Uuid>,
}

/// Which changes of a preview are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Only this kind.
    pub kind: Option<ChangeKind>,
    /// Only this path and what lies beneath it.
    pub under: Option<RelPath>,
}

/// Names a change within its preview; also the place in the listing after which the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeId {
    pub(crate) ord: i64,
    pub(crate) seq: i64,
}

/// Its text is for hosts to carry, not to read.
impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.ord, self.seq)
    }
}

impl std::str::FromStr for ChangeId {
    type Err = Error;

    /// # Errors
    /// `invalid` when it is none.
    fn from_str(text: &str) -> Result<Self> {
        let read = |(ord, seq): (&str, &str)| Some(Self { ord: ord.parse().ok()?, seq: seq.parse().ok()? });
        text.split_once('.').and_then(read).ok_or_else(|| {
            Error::new(Code::Invalid, "find the change", text.escape_debug()).because("this names no change")
        })
    }
}

/// A change of a preview as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewChange {
    /// Names it.
    pub id: ChangeId,
    /// Where, relative to both roots.
    pub path: RelPath,
    /// Where each side has it, when that is not `path`: under an alias, or beneath one.
    pub path_on: Sides<Option<RelPath>>,
    /// How it is counted.
    pub kind: ChangeKind,
    /// What is done: `make_dir`, `move`, `transfer`, `set_metadata`, `delete`, `record`, `forget` or `skip`.
    pub action: &'static str,
    /// The side that is changed; none when none is.
    pub changes: Option<Side>,
    /// What the item is.
    pub item: Kind,
    /// Bytes that are carried.
    pub bytes: u64,
    /// Where a moved item comes from.
    pub from: Option<RelPath>,
    /// Why a skipped item is left alone.
    pub reason: Option<SkipReason>,
    /// It is going to be applied.
    pub ticked: bool,
    /// It is the second half of the decision before it, and is ticked with it.
    pub follows: bool,
    /// The conflict that a person decided so.
    pub decides: Option<i64>,
}

/// A stored preview.
pub(crate) struct Stored {
    pub(crate) conduit: i64,
    pub(crate) state: String,
    pub(crate) delta: Delta,
    pub(crate) summary: PreviewSummary,
    pub(crate) applied: super::plan::Position,
    pub(crate) computed_at: DateTime<Utc>,
}

/// What a preview is of, and until when it stays.
pub(crate) struct Header {
    pub(crate) id: PreviewId,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) sync_type: SyncType,
    /// What it is of, in that thing's own words.
    pub(crate) sync_id: String,
    /// `sync_conduit.id`, for files.
    pub(crate) conduit: Option<i64>,
    pub(crate) computed_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

impl Header {
    /// The row of a preview that is being made.
    pub(crate) fn begin(&self) -> Write {
        Write::Execute(Statement::new(
            "INSERT INTO sync_preview_cache (id, org_id, sync_type, sync_id, conduit_id, state, computed_at, expires_at, \
             computed_by, cache_key) VALUES (?1, ?2, ?3, ?4, ?5, 'building', ?6, ?7, ?8, ?9)",
            vec![
                Value::Uuid(self.id.0),
                Value::Uuid(self.tenant.0),
                Value::Text(self.sync_type.as_str().to_owned()),
                Value::Text(self.sync_id.clone()),
                self.conduit.map_or(Value::Null, Value::Int),
                Value::Time(micros(self.computed_at)),
                Value::Time(micros(self.expires_at)),
                Value::Uuid(self.user.0),
                Value::Text(format!("{}:{}:{}", self.sync_type.as_str(), self.sync_id, self.id)),
            ],
        ))
    }

    /// That it is complete, with what it holds in sum.
    pub(crate) fn ready(&self, delta_json: String, now: DateTime<Utc>) -> Write {
        Write::Execute(Statement::new(
            "UPDATE sync_preview_cache SET state = 'ready', delta_json = ?3, updated_at = ?4 WHERE org_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(self.id.0), Value::Text(delta_json), Value::Time(micros(now))],
        ))
    }
}

/// Previews in the book, as one tenant.
#[derive(Clone)]
pub(crate) struct Previews {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
}

const LIST: &str = "SELECT ord, seq, kind, path, detail, is_exception, lead_seq FROM sync_preview_change \
    WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND (?4 = 0 OR kind = ?4) AND path >= ?5 AND path < ?6 \
    AND (?7 = 1 OR action <> 6) ORDER BY ord, seq LIMIT ?8";

impl Previews {
    /// The preview.
    ///
    /// # Errors
    /// `not_found` when there is none or it has expired.
    pub(crate) async fn get(&self, id: PreviewId, now: DateTime<Utc>) -> Result<Stored> {
        let statement = Statement::new(
            "SELECT conduit_id, state, delta_json, computed_at, expires_at, applied_ord, applied_seq, is_pinned \
             FROM sync_preview_cache WHERE org_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(id.0)],
        );
        let missing = || {
            Error::new(Code::NotFound, "find the preview", id)
                .because("there is none of this id, or it has expired")
                .advise("preview again")
        };
        let rows = self.store.query(self.tenant, statement).await?;
        let row = rows.first().ok_or_else(missing)?;
        let expires_at = from_micros(row.int(4)?);
        let is_pinned = row.int(7)? != 0;
        if expires_at <= now && !is_pinned {
            return Err(missing());
        }
        let corrupt = |e| Error::new(Code::Corrupt, "read the preview", id).caused_by(e);
        let delta: Delta = serde_json::from_str(row.text(2)?).map_err(corrupt)?;
        let computed_at = from_micros(row.int(3)?);
        let summary = delta.summary(id, computed_at, expires_at);
        let applied = super::plan::Position { ord: row.int(5)?, seq: row.int(6)? };
        Ok(Stored { conduit: row.int(0)?, state: row.text(1)?.to_owned(), delta, summary, applied, computed_at })
    }

    /// A page of changes in the order of application, after `after`. Items that are only recorded in the ledger are
    /// left out unless the filter asks for the kind `unchanged`.
    pub(crate) async fn list(
        &self,
        id: PreviewId,
        filter: &ChangeFilter,
        after: Option<ChangeId>,
        limit: usize,
    ) -> Result<Vec<PreviewChange>> {
        let from = after.unwrap_or(ChangeId { ord: -1, seq: -1 });
        let mut page = Vec::new();
        let mut at = from;
        // The range of paths is exact but for siblings such as `a-b` of `a/b`, which sort in between.
        let (low, high) = path_range(filter.under.as_ref());
        while page.len() < limit {
            let wanted = (limit - page.len()).max(64);
            let statement = Statement::new(
                LIST,
                vec![
                    Value::Uuid(id.0),
                    Value::Int(at.ord),
                    Value::Int(at.seq),
                    Value::Int(filter.kind.map_or(0, |kind| kind as i64)),
                    Value::Blob(low.clone()),
                    Value::Blob(high.clone()),
                    Value::Int(i64::from(filter.kind == Some(ChangeKind::Unchanged))),
                    Value::Int(wanted as i64),
                ],
            );
            let rows = self.store.query(self.tenant, statement).await?;
            for row in rows.iter() {
                let change = shown(&row)?;
                at = change.id;
                if filter.under.as_ref().is_none_or(|under| change.path.is_within(under)) && page.len() < limit {
                    page.push(change);
                }
            }
            if rows.len() < wanted {
                break;
            }
        }
        Ok(page)
    }

    /// Ticks changes in or out, with the second halves of their decisions.
    ///
    /// # Errors
    /// `busy` once the preview is being applied.
    pub(crate) async fn tick(
        &self,
        id: PreviewId,
        changes: &[ChangeId],
        ticked: bool,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.editable(id, now).await?;
        let mut writes = Vec::new();
        for change in changes {
            let values = vec![Value::Uuid(id.0), Value::Int(change.ord), Value::Int(change.seq), Value::Bool(!ticked)];
            writes.push(Write::Expect(
                Statement::new(
                    "UPDATE sync_preview_change SET is_exception = ?4 \
                     WHERE preview_id = ?1 AND ord = ?2 AND seq = ?3 AND lead_seq IS NULL",
                    values,
                ),
                1,
            ));
            writes.push(Write::Execute(Statement::new(
                "UPDATE sync_preview_change SET is_exception = ?3 WHERE preview_id = ?1 AND lead_seq = ?2",
                vec![Value::Uuid(id.0), Value::Int(change.seq), Value::Bool(!ticked)],
            )));
        }
        self.store.write(self.tenant, writes).await.map(|_| ())
    }

    /// Ticks every change in or out that the filter names.
    pub(crate) async fn tick_all(
        &self,
        id: PreviewId,
        filter: &ChangeFilter,
        ticked: bool,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.editable(id, now).await?;
        match (&filter.under, filter.kind) {
            (None, kind) => {
                let all = Statement::new(
                    "UPDATE sync_preview_change SET is_exception = ?2 WHERE preview_id = ?1 AND (?3 = 0 OR kind = ?3 \
                     OR lead_seq IN (SELECT seq FROM sync_preview_change WHERE preview_id = ?1 AND kind = ?3))",
                    vec![Value::Uuid(id.0), Value::Bool(!ticked), Value::Int(kind.map_or(0, |kind| kind as i64))],
                );
                self.store.write(self.tenant, vec![Write::Execute(all)]).await.map(|_| ())
            }
            (Some(_), _) => {
                let mut after = None;
                loop {
                    let page = self.list(id, filter, after, 1000).await?;
                    let Some(last) = page.last() else { return Ok(()) };
                    after = Some(last.id);
                    let leads: Vec<ChangeId> = page.iter().filter(|c| !c.follows).map(|c| c.id).collect();
                    self.tick(id, &leads, ticked, now).await?;
                }
            }
        }
    }

    async fn editable(&self, id: PreviewId, now: DateTime<Utc>) -> Result<()> {
        match self.get(id, now).await?.state.as_str() {
            "ready" => Ok(()),
            state => Err(Error::new(Code::Busy, "change the selection of the preview", id)
                .because(format!("it is {state}"))
                .advise("preview again")),
        }
    }
}

impl Delta {
    pub(crate) fn summary(
        &self,
        id: PreviewId,
        computed_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> PreviewSummary {
        PreviewSummary {
            id,
            counts: self.counts,
            items: self.items,
            files: self.files,
            bytes: self.bytes,
            guards: self.guards.clone(),
            computed_at,
            expires_at,
        }
    }

    /// Takes a change into the sums.
    pub(crate) fn add(&mut self, change: &Change) {
        if !change.follows {
            match &change.action {
                Action::Skip(SkipReason::Unknown(..)) => self.counts.failed += 1,
                _ => self.counts.add(change.kind, 1),
            }
        }
        if let Action::Transfer { to, .. } = change.action {
            self.files += 1;
            self.bytes += change.bytes;
            self.received[to as usize] += change.bytes;
        }
        match &change.action {
            Action::Skip(reason) => self.waiting += u64::from(reason.waits()),
            _ => self.items += 1,
        }
        self.writes_source |= change.action.changes() == Some(Side::Left);
        self.writes_target |= change.action.changes() == Some(Side::Right);
        if let Some(side) = change.action.changes() {
            self.writes_root[side] |= writes_root(change, side);
        }
    }
}

/// Whether the change puts something into the root or takes it from there. What goes to the trash does.
fn writes_root(change: &Change, side: Side) -> bool {
    let is_in_root = |path: &RelPath| path.depth() <= 1;
    match &change.action {
        Action::MakeDir { .. } | Action::Transfer { archive: false, .. } => is_in_root(change.path_on(side)),
        Action::Move { from, .. } => is_in_root(from) || is_in_root(change.path_on(side)),
        Action::Transfer { archive: true, .. } | Action::Delete { .. } => true,
        Action::SetMetadata { .. } | Action::Record | Action::Forget | Action::Skip(_) => false,
    }
}

fn path_range(under: Option<&RelPath>) -> (Vec<u8>, Vec<u8>) {
    match under {
        Some(path) if !path.is_root() => {
            let low = path.as_bytes().to_vec();
            let mut high = low.clone();
            high.push(b'/' + 1);
            (low, high)
        }
        // No path has a first byte of 0xff twice over in UTF-8; one that is not Unicode might, hence the length.
        Some(_) | None => (Vec::new(), vec![0xff; 4096]),
    }
}

fn shown(row: &Row<'_>) -> Result<PreviewChange> {
    let change = decode(row.blob(3)?, row.blob(4)?)?;
    let (from, reason) = match &change.action {
        Action::Move { from, .. } => (Some(from.clone()), None),
        Action::Skip(reason) => (None, Some(reason.clone())),
        Action::MakeDir { .. }
        | Action::Transfer { .. }
        | Action::SetMetadata { .. }
        | Action::Delete { .. }
        | Action::Record
        | Action::Forget => (None, None),
    };
    Ok(PreviewChange {
        id: ChangeId { ord: row.int(0)?, seq: row.int(1)? },
        kind: kind_of(row.int(2)?)?,
        action: change.action.as_str(),
        changes: change.action.changes(),
        item: change.item,
        bytes: change.bytes,
        from,
        reason,
        ticked: row.int(5)? == 0,
        follows: !row.is_null(6),
        decides: change.decides,
        path_on: change.path_on,
        path: change.path,
    })
}
