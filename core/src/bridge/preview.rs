//! Previews of rows: a survey whose changes go into the book while both sides are read.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DefinitionInner;
use super::change::{Act, RowChange};
use super::conflict;
use super::delta::Rules;
use super::drift::Drift;
use super::open::Opened;
use super::survey::{Reading, Sink, Survey, Surveyed};
use crate::book::BookInner;
use crate::delta::{ChangeKind, Limits, MaxDelete};
use crate::endpoint::{ChangeScan, Cursor};
use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, Side, SyncType, TenantId, Tick};
use crate::operation::clock::{from_micros, micros};
use crate::operation::plan::{PLAN_BATCH, PlanRows, Position};
use crate::operation::preview::{ChangeId, Guard, Header, PREVIEW_LIFETIME, PreviewSummary};
use crate::operation::progress::{Meter, RunPhase};
use crate::operation::run::{Counts, Reporter};
use crate::store::{Statement, Store, Value, Write};

/// How rows are previewed.
#[derive(Clone, Debug)]
pub struct RowPreviewOptions {
    /// Reads the target, too, instead of believing the ledger: rows that somebody changed there are put right. Two ways, without
    /// a ledger, or when the mapping has changed, it is always read.
    pub look_at_target: bool,
    /// Reads the whole source although there is a cursor: so it is found out which rows are gone where the cursor does not tell.
    pub full_scan: bool,
    /// Deletes rows of the target that the source does not have although they did not come from there. One way only.
    pub exact: bool,
    /// How many deletions are too many.
    pub max_delete: MaxDelete,
    /// How long the preview can be applied.
    pub lifetime: Duration,
}

impl Default for RowPreviewOptions {
    /// As a run without a person: the ledger is believed, half of the rows may go.
    fn default() -> Self {
        Self {
            look_at_target: false,
            full_scan: false,
            exact: false,
            max_delete: MaxDelete::default(),
            lifetime: PREVIEW_LIFETIME,
        }
    }
}

/// What a preview of rows holds in sum.
#[derive(Clone, Debug, PartialEq)]
pub struct RowPreview {
    /// The sums that every preview has; items are rows.
    pub summary: PreviewSummary,
    /// Rows of the source.
    pub source_rows: u64,
    /// Rows of the target; nothing when it was not read.
    pub target_rows: Option<u64>,
    /// Why deletions were not looked for, where they were not: a row that could not be read may be any of those that seem to be
    /// gone.
    pub blind: Option<String>,
    /// What has changed about both tables since the last run, and what that is to the definition.
    pub drift: Vec<Drift>,
}

/// A row of a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewedRow {
    /// Names the change.
    pub id: ChangeId,
    /// The row, by its key.
    pub row: String,
    /// How it is counted.
    pub kind: ChangeKind,
    /// What is done: `insert`, `update`, `merge`, `delete`, `record`, `forget` or `skip`.
    pub action: &'static str,
    /// The side that is changed; none when none is.
    pub changes: Option<Side>,
    /// Why it is left alone.
    pub reason: Option<String>,
    /// It is going to be applied.
    pub ticked: bool,
}

/// `sync_preview_cache.delta_json` of a preview of rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RowDelta {
    pub(crate) counts: Counts,
    pub(crate) items: u64,
    pub(crate) waiting: u64,
    pub(crate) guards: Vec<Guard>,
    pub(crate) source_rows: u64,
    pub(crate) target_rows: Option<u64>,
    pub(crate) blind: Option<String>,
    /// The mapping that its hashes were made with.
    pub(crate) fingerprint: Vec<u8>,
    /// Where the next survey of the source may begin when this one has been applied.
    #[serde(default)]
    pub(crate) cursor: Option<Cursor>,
    /// The source was read as a whole, and `source_rows` is all it has.
    #[serde(default)]
    pub(crate) source_is_whole: bool,
    #[serde(default)]
    pub(crate) drift: Vec<Drift>,
}

impl RowDelta {
    /// It for whoever asked.
    pub(crate) fn preview(&self, id: PreviewId, computed_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> RowPreview {
        let summary = PreviewSummary {
            id,
            counts: self.counts,
            items: self.items,
            files: 0,
            bytes: 0,
            guards: self.guards.clone(),
            computed_at,
            expires_at,
        };
        let RowDelta { source_rows, target_rows, blind, drift, .. } = self.clone();
        RowPreview { summary, source_rows, target_rows, blind, drift }
    }

    fn add(&mut self, change: &RowChange) {
        match &change.act {
            // Counted where it was found.
            Act::Refuse { .. } => {}
            Act::Wait => {
                self.counts.conflicts += 1;
                self.waiting += 1;
            }
            Act::Insert(_) | Act::Update(_) | Act::Merge(_) | Act::Delete(_) | Act::Record | Act::Forget => {
                self.counts.add(change.act.kind(), 1);
                self.items += 1;
            }
        }
    }
}

/// A preview that is complete but for its last batch, which makes it usable.
pub(crate) struct Plan {
    pub(crate) rows: PlanRows,
    pub(crate) last: Vec<Write>,
    pub(crate) delta: RowDelta,
    pub(crate) preview: RowPreview,
}

/// Takes changes into the book and tells how far the survey is.
struct Planner<'r> {
    rows: PlanRows,
    seq: i64,
    delta: RowDelta,
    meter: Meter,
    shown: Duration,
    clock: Arc<dyn crate::operation::Clock>,
    reporter: Option<&'r Reporter>,
}

#[async_trait::async_trait]
impl Sink for Planner<'_> {
    async fn take(&mut self, change: RowChange) -> Result<()> {
        self.delta.add(&change);
        let row = change.row(self.seq)?;
        self.seq += 1;
        self.rows.push(row).await
    }

    async fn seen(&mut self, rows: u64) -> Result<()> {
        let Some(reporter) = self.reporter else { return Ok(()) };
        self.meter.add(rows, 0);
        let now = self.clock.elapsed();
        if now.saturating_sub(self.shown) > Duration::from_millis(100) {
            self.shown = now;
            reporter.progress(self.meter.read(now));
        }
        reporter.gate().await
    }
}

/// Surveys both sides into a new preview.
pub(crate) async fn plan(
    opened: &Opened,
    id: PreviewId,
    options: &RowPreviewOptions,
    reporter: Option<&Reporter>,
) -> Result<Plan> {
    let book = &opened.book;
    let now = book.clock.now();
    let lifetime = chrono::Duration::from_std(options.lifetime)
        .map_err(|e| Error::new(Code::Invalid, "set the lifetime of the preview", "").because(e))?;
    let header = Header {
        id,
        tenant: opened.tenant,
        user: opened.user,
        sync_type: SyncType::Records,
        sync_id: opened.definition.to_string(),
        conduit: None,
        computed_at: now,
        expires_at: now + lifetime,
    };
    let rows = PlanRows::new(book.store.clone(), opened.tenant, id, header.begin());
    let mut meter = Meter::new();
    meter.begin(RunPhase::Scanning, 0, 0, book.clock.elapsed());
    let (delta, clock) = (RowDelta::default(), book.clock.clone());
    let mut planner = Planner { rows, seq: 0, delta, meter, shown: Duration::ZERO, clock, reporter };
    let looks_at_target = options.look_at_target || opened.must_look_at_target().await?;
    // Without a ledger, or with one of another mapping, every row has to be looked at.
    let is_first = !opened.has_hashes_of_this_mapping() || opened.has_no_ledger().await?;
    let reading = match (&opened.reading, options.full_scan || is_first) {
        (Reading::Changes(scan), true) => Reading::Changes(ChangeScan { since: None, ..scan.clone() }),
        (reading, _) => reading.clone(),
    };
    let is_whole = match &reading {
        Reading::Everything => true,
        Reading::Changes(scan) => scan.since.is_none(),
    };
    let again = if matches!(reading, Reading::Everything) { Vec::new() } else { opened.failed_keys().await? };
    let decisions = conflict::decisions(opened).await?;
    let survey = Survey {
        reading,
        again,
        mapping: &opened.mapping,
        ledger: &opened.ledger,
        endpoints: &opened.endpoints,
        rules: Rules { mode: opened.mapping.mode, policy: opened.policy, exact: options.exact, tie: opened.tie() },
        decisions: &decisions,
        clock: opened.clock.as_ref(),
        looks_at_target,
        now: Tick::from_micros(micros(now)),
    };
    let surveyed = survey.run(opened.ledger.table().await?, &mut planner).await?;
    let Planner { rows, mut delta, .. } = planner;
    delta.counts.unchanged += surveyed.counts.unchanged;
    delta.counts.skipped += surveyed.counts.skipped;
    delta.counts.failed += surveyed.counts.failed;
    delta.guards = guards(&surveyed, &delta, options);
    delta.source_rows = surveyed.rows.left;
    delta.source_is_whole = is_whole;
    delta.drift.clone_from(&opened.drift);
    delta.target_rows = looks_at_target.then_some(surveyed.rows.right);
    delta.blind = surveyed.blind;
    delta.cursor = surveyed.cursor;
    delta.fingerprint = opened.mapping.fingerprint.to_vec();
    let text =
        serde_json::to_string(&delta).map_err(|e| Error::new(Code::Internal, "encode the preview", id).caused_by(e))?;
    let last = vec![header.ready(text, book.clock.now())];
    let preview = delta.preview(id, now, header.expires_at);
    Ok(Plan { rows, last, delta, preview })
}

/// A preview that nobody applies yet.
pub(crate) async fn preview(opened: &Opened, options: &RowPreviewOptions) -> Result<RowPreview> {
    let Plan { rows, last, preview, .. } = plan(opened, PreviewId(Uuid::now_v7()), options, None).await?;
    rows.finish(last).await?;
    Ok(preview)
}

/// What must be confirmed before so much is deleted.
fn guards(surveyed: &Surveyed, delta: &RowDelta, options: &RowPreviewOptions) -> Vec<Guard> {
    let (deleted, known) = (delta.counts.deleted, surveyed.known.max(surveyed.rows.right));
    let mut guards = Vec::new();
    if deleted > 0 && surveyed.rows.left == 0 {
        guards.push(Guard {
            name: "root_emptied".into(),
            reason: format!("the source has no rows any more, and {deleted} would be deleted"),
            advice: "look whether it is the right table; confirm the guard to delete them".into(),
        });
    }
    if deleted > options.max_delete.allowed(known, Limits::default().small) {
        guards.push(Guard {
            name: "max_delete".into(),
            reason: format!("{deleted} of {known} rows would be deleted"),
            advice: "look at the preview; raise the limit or confirm the guard".into(),
        });
    }
    guards
}

/// A stored preview of rows.
pub(crate) struct StoredRows {
    pub(crate) definition: String,
    pub(crate) state: String,
    pub(crate) delta: RowDelta,
    pub(crate) preview: RowPreview,
    pub(crate) applied: Position,
}

/// The preview.
///
/// # Errors
/// `not_found` when there is none, it has expired, or it is not of rows.
pub(crate) async fn stored(book: &BookInner, tenant: TenantId, id: PreviewId) -> Result<StoredRows> {
    let statement = Statement::new(
        "SELECT sync_id, state, delta_json, computed_at, expires_at, applied_ord, applied_seq, is_pinned \
         FROM sync_preview_cache WHERE org_id = ?1 AND id = ?2 AND sync_type = 'records'",
        vec![Value::Uuid(tenant.0), Value::Uuid(id.0)],
    );
    let rows = book.store.query(tenant, statement).await?;
    let row = rows.first().ok_or_else(|| missing(id))?;
    let (computed_at, expires_at) = (from_micros(row.int(3)?), from_micros(row.int(4)?));
    if expires_at <= book.clock.now() && row.int(7)? == 0 {
        return Err(missing(id));
    }
    let corrupt = |e| Error::new(Code::Corrupt, "read the preview", id).caused_by(e);
    let delta: RowDelta = serde_json::from_str(row.text(2)?).map_err(corrupt)?;
    let preview = delta.preview(id, computed_at, expires_at);
    let applied = Position { ord: row.int(5)?, seq: row.int(6)? };
    Ok(StoredRows { definition: row.text(0)?.to_owned(), state: row.text(1)?.to_owned(), delta, preview, applied })
}

/// That there is no such preview of this definition.
pub(crate) fn missing(id: PreviewId) -> Error {
    Error::new(Code::NotFound, "find the preview", id)
        .because("there is none of this id, or it has expired")
        .advise("preview again")
}

/// A page of the rows of a preview, in the order of application. Those that are only recorded are left out unless the kind
/// `unchanged` is asked for.
pub(crate) async fn list(
    store: &dyn Store,
    tenant: TenantId,
    id: PreviewId,
    kind: Option<ChangeKind>,
    after: Option<ChangeId>,
    limit: usize,
) -> Result<Vec<PreviewedRow>> {
    let from = after.unwrap_or(ChangeId { ord: -1, seq: -1 });
    let statement = Statement::new(
        "SELECT ord, seq, path, detail, is_exception FROM sync_preview_change \
         WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND (?4 = 0 OR kind = ?4) AND (?5 = 1 OR action NOT IN (6, 7)) \
         ORDER BY ord, seq LIMIT ?6",
        vec![
            Value::Uuid(id.0),
            Value::Int(from.ord),
            Value::Int(from.seq),
            Value::Int(kind.map_or(0, |kind| kind as i64)),
            Value::Int(i64::from(kind == Some(ChangeKind::Unchanged))),
            Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)),
        ],
    );
    let rows = store.query(tenant, statement).await?;
    rows.iter()
        .map(|row| {
            let change = RowChange::read(row.blob(2)?, row.blob(3)?)?;
            let reason = match &change.act {
                Act::Wait => Some("both sides changed it".to_owned()),
                Act::Merge(_) => Some("fields of both sides, as decided".to_owned()),
                Act::Refuse { words, .. } => Some(words.clone()),
                _ => None,
            };
            Ok(PreviewedRow {
                id: ChangeId { ord: row.int(0)?, seq: row.int(1)? },
                kind: change.act.kind(),
                action: change.act.name(),
                changes: change.act.changes(),
                reason,
                row: change.name,
                ticked: row.int(4)? == 0,
            })
        })
        .collect()
}

/// A change as it stands in the book.
pub(crate) struct PlannedRow {
    pub(crate) at: Position,
    pub(crate) change: RowChange,
}

/// The ticked changes after `from`, a page of them.
pub(crate) async fn page(
    store: &dyn Store,
    tenant: TenantId,
    preview: PreviewId,
    from: Position,
) -> Result<Vec<PlannedRow>> {
    let statement = Statement::new(
        "SELECT ord, seq, path, detail FROM sync_preview_change \
         WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND is_exception = ?4 ORDER BY ord, seq LIMIT ?5",
        vec![
            Value::Uuid(preview.0),
            Value::Int(from.ord),
            Value::Int(from.seq),
            Value::Bool(false),
            Value::Int(PLAN_BATCH as i64),
        ],
    );
    let rows = store.query(tenant, statement).await?;
    rows.iter()
        .map(|row| {
            let at = Position { ord: row.int(0)?, seq: row.int(1)? };
            Ok(PlannedRow { at, change: RowChange::read(row.blob(2)?, row.blob(3)?)? })
        })
        .collect()
}

/// Ticks changes in or out.
///
/// # Errors
/// `not_found`; `busy` once the preview is being applied; `conflict` for a change that it does not have.
pub(crate) async fn tick(
    definition: &DefinitionInner,
    id: PreviewId,
    changes: &[ChangeId],
    ticked: bool,
) -> Result<()> {
    let (store, tenant) = (&definition.book.store, definition.tenant);
    if definition.own(id).await?.state != "ready" {
        return Err(Error::new(Code::Busy, "change the selection of the preview", id)
            .because("it is being applied, or was")
            .advise("preview again"));
    }
    // Whoever begins to apply it meanwhile waits for this batch, or has this one refused.
    let mut writes = vec![Write::Expect(
        Statement::new(
            "UPDATE sync_preview_cache SET updated_at = ?3 WHERE org_id = ?1 AND id = ?2 AND state = 'ready' AND sync_id = ?4",
            vec![
                Value::Uuid(tenant.0),
                Value::Uuid(id.0),
                Value::Time(micros(definition.book.clock.now())),
                Value::Text(definition.id.0.to_string()),
            ],
        ),
        1,
    )];
    writes.extend(changes.iter().map(|change| {
        Write::Expect(
            Statement::new(
                "UPDATE sync_preview_change SET is_exception = ?4 WHERE preview_id = ?1 AND ord = ?2 AND seq = ?3",
                vec![Value::Uuid(id.0), Value::Int(change.ord), Value::Int(change.seq), Value::Bool(!ticked)],
            ),
            1,
        )
    }));
    store.write(tenant, writes).await.map(|_| ())
}
