//! Previews of rows: a survey whose changes go into the book while both sides are read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::change::{Act, RowChange};
use super::conflict;
use super::delta::Rules;
use super::drift::Drift;
use super::open::Opened;
use super::survey::{Reading, Sink, Survey, Surveyed};
use crate::delta::{ChangeKind, Limits, MaxDelete};
use crate::endpoint::{ChangeScan, Cursor};
use crate::error::{Code, Error, Result};
use crate::ledger::Due;
use crate::model::{Id, Moment, PreviewId, SharepointList, Side, Sides, SyncType, Tick};
use crate::operation::clock::micros;
use crate::operation::plan::PlanRows;
use crate::operation::preview::{ChangeId, Guard, Header, PREVIEW_LIFETIME, PreviewSummary};
use crate::operation::progress::{Meter, RunPhase};
use crate::operation::run::{Counts, Reporter};
use crate::store::Write;

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
    /// Sends every row to this list in the run, whatever the rules say; it stays there until it is changed at the source. One of
    /// [`Definition::targets`](super::Definition::targets).
    pub route_to: Option<Id<SharepointList>>,
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
            route_to: None,
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
    /// Rows of the target; nothing when it was not read, or only what has changed there.
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
    /// How many changes go to each side first.
    #[serde(default)]
    pub(crate) changing: Sides<u64>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) source_rows: u64,
    pub(crate) target_rows: Option<u64>,
    /// Of those, how many are in each of several lists.
    #[serde(default)]
    pub(crate) target_lists: BTreeMap<String, u64>,
    pub(crate) blind: Option<String>,
    /// The mapping that its hashes were made with.
    pub(crate) fingerprint: Vec<u8>,
    /// Where the next survey of the source may begin when this one has been applied.
    #[serde(default)]
    pub(crate) cursor: Option<Cursor>,
    /// … and that of the target.
    #[serde(default)]
    pub(crate) target_cursor: Option<Cursor>,
    /// The source was read as a whole, and `source_rows` is all it has.
    #[serde(default)]
    pub(crate) source_is_whole: bool,
    #[serde(default)]
    pub(crate) drift: Vec<Drift>,
    /// The list that every row goes to, whatever the rules say.
    #[serde(default)]
    pub(crate) route_to: Option<Uuid>,
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
        if let Some(side) = change.act.changes() {
            self.changing[side] += 1;
        }
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
    async fn take(&mut self, mut change: RowChange) -> Result<()> {
        if change.act == Act::Record && change.is_unmarked {
            // Both have the same; writing it gives the row its marker.
            change.act = Act::Update(Side::Right);
        }
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
        (Reading::Changes(scan), false) if opened.is_ahead_of_its_clock(scan).await? => {
            Reading::Changes(ChangeScan { since: None, ..scan.clone() })
        }
        (reading, _) => reading.clone(),
    };
    let target_reading = match (&opened.target_reading, options.look_at_target || is_first) {
        (Reading::Changes(scan), true) => Reading::Changes(ChangeScan { since: None, ..scan.clone() }),
        (reading, _) => reading.clone(),
    };
    let decisions = conflict::decisions(opened).await?;
    let due = Due { now: Moment(micros(now)), list: opened.mapping.only_list().map(str::to_owned) };
    let again =
        if matches!(reading, Reading::Everything) { Vec::new() } else { opened.keys_to_read_again(&due).await? };
    let survey = Survey {
        reading,
        target_reading,
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
    let surveyed = survey.run(opened.ledger.table(&due).await?, &mut planner).await?;
    let Planner { rows, mut delta, .. } = planner;
    delta.counts.unchanged += surveyed.counts.unchanged;
    delta.counts.skipped += surveyed.counts.skipped;
    delta.counts.failed += surveyed.counts.failed;
    delta.guards = guards(&surveyed, &delta, options);
    delta.source_rows = surveyed.rows.left;
    delta.source_is_whole = surveyed.is_source_whole;
    delta.drift.clone_from(&opened.drift);
    delta.target_rows = surveyed.is_target_whole.then_some(surveyed.rows.right);
    delta.target_lists = surveyed.in_lists;
    delta.blind = surveyed.blind;
    delta.cursor = surveyed.cursor;
    delta.target_cursor = surveyed.target_cursor;
    delta.route_to = options.route_to.map(|list| list.0);
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
    if deleted > 0 && surveyed.rows.left == 0 && surveyed.is_source_whole {
        guards.push(Guard {
            name: "root_emptied".into(),
            reason: format!("the source has no rows any more, and {deleted} would be deleted"),
            advice: "look whether it is the right table; confirm the guard to delete them".into(),
        });
    }
    if surveyed.doubled > 0 {
        guards.push(Guard {
            name: "doubled".into(),
            reason: format!(
                "rows would be made beside {} items that another definition has made of them",
                surveyed.doubled
            ),
            advice: "use the book that has that definition; confirm the guard to make them nevertheless".into(),
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
