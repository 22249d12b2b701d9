//! Whether both tables hold the same: a comparison of every row that does not believe the ledger.

use super::change::{Act, RowChange};
use super::conflict::Decisions;
use super::delta::Rules;
use super::open::Opened;
use super::survey::{Reading, Sink, Survey};
use crate::error::Result;
use crate::ledger::RowTable;
use crate::model::{
    Id, Moment, ReconcileStatus, RecordMode, RecordPolicy, Side, Stored, SyncDefinition, SyncMetric, Tick,
};
use crate::operation::clock::micros;
use crate::table::Filter;

/// Differences that a report lists.
const LISTED: usize = 100;

/// What a comparison of both tables showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowVerifyReport {
    /// Whether both hold the same; unknown when rows could not be read.
    pub status: ReconcileStatus,
    /// Rows of the source.
    pub source_rows: u64,
    /// Rows of the target.
    pub target_rows: u64,
    /// Rows that only the source has.
    pub missing: u64,
    /// Rows that only the target has.
    pub extra: u64,
    /// Rows that both have and that differ.
    pub different: u64,
    /// Rows that could not be compared.
    pub unreadable: u64,
    /// The first of all these, 100 at most.
    pub differences: Vec<RowDifference>,
}

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// The row, by its key.
    pub row: String,
    /// What is different.
    pub kind: RowDifferenceKind,
    /// Why it could not be compared.
    pub reason: Option<String>,
}

/// What is different about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowDifferenceKind {
    /// Only the source has it.
    Missing,
    /// Only the target has it.
    Extra,
    /// Both have it, and it is not the same.
    Different,
    /// It could not be compared.
    Unreadable,
}

impl RowDifferenceKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
            Self::Unreadable => "unreadable",
        }
    }
}

struct Differences(RowVerifyReport);

#[async_trait::async_trait]
impl Sink for Differences {
    async fn take(&mut self, change: RowChange) -> Result<()> {
        let report = &mut self.0;
        let (kind, count, reason) = match change.act {
            Act::Insert(Side::Right) => (RowDifferenceKind::Missing, &mut report.missing, None),
            Act::Insert(Side::Left) => (RowDifferenceKind::Extra, &mut report.extra, None),
            Act::Refuse { words, .. } => (RowDifferenceKind::Unreadable, &mut report.unreadable, Some(words)),
            Act::Update(_) | Act::Merge(_) | Act::Delete(_) | Act::Wait => {
                (RowDifferenceKind::Different, &mut report.different, None)
            }
            Act::Record | Act::Forget => return Ok(()),
        };
        *count += 1;
        if report.differences.len() < LISTED {
            report.differences.push(RowDifference { row: change.name, kind, reason });
        }
        Ok(())
    }

    async fn seen(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Compares both tables.
pub(crate) async fn verify(opened: &Opened) -> Result<RowVerifyReport> {
    let now = Moment(micros(opened.book.clock.now()));
    let survey = Survey {
        reading: Reading::Everything,
        target_reading: Reading::Everything,
        again: Vec::new(),
        mapping: &opened.mapping,
        ledger: &opened.ledger,
        endpoints: &opened.endpoints,
        // Without a ledger, two ways and with nobody winning, each row says by itself which side has it.
        rules: Rules { mode: RecordMode::TwoWay, policy: RecordPolicy::Manual, exact: false, tie: Side::Left },
        decisions: &Decisions::new(),
        clock: None,
        looks_at_target: true,
        now: Tick::from_micros(now.0),
    };
    let mut differences = Differences(RowVerifyReport {
        status: ReconcileStatus::Unknown,
        source_rows: 0,
        target_rows: 0,
        missing: 0,
        extra: 0,
        different: 0,
        unreadable: 0,
        differences: Vec::new(),
    });
    let surveyed = survey.run(RowTable::default(), &mut differences).await?;
    let mut report = differences.0;
    (report.source_rows, report.target_rows) = (surveyed.rows.left, surveyed.rows.right);
    report.status = match report.missing + report.extra + report.different {
        0 if report.unreadable > 0 => ReconcileStatus::Unknown,
        0 => ReconcileStatus::Match,
        _ => ReconcileStatus::Mismatch,
    };
    write_down(opened, &report, now).await?;
    Ok(report)
}

async fn write_down(opened: &Opened, report: &RowVerifyReport, now: Moment) -> Result<()> {
    let tables = opened.book.tables(opened.tenant);
    let definition: Id<SyncDefinition> = Id::new(opened.definition);
    let known = tables.every::<SyncMetric>(Filter::all().equal("sync_def_id", &definition)).await?;
    let (instance, list) = (opened.instance, opened.whole_list());
    let whole =
        known.into_iter().find(|metric| metric.row.source_instance_id == instance && metric.row.target_list_id == list);
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let before = whole.as_ref().map(|metric| metric.row.clone());
    let row = SyncMetric {
        sync_def_id: definition,
        source_instance_id: instance,
        target_list_id: list,
        last_sync_ts: before.as_ref().and_then(|metric| metric.last_sync_ts),
        total_rows_synced: before.as_ref().map_or(0, |metric| metric.total_rows_synced),
        last_run_id: before.and_then(|metric| metric.last_run_id),
        last_reconcile_at: Some(now),
        source_row_count: Some(count(report.source_rows)),
        target_row_count: Some(count(report.target_rows)),
        reconcile_delta: Some(count(report.source_rows).saturating_sub(count(report.target_rows))),
        reconcile_status: report.status,
    };
    match whole {
        Some(stored) => tables.write_back(&Stored { row, ..stored }).await.map(|_| ()),
        None => tables.make(row).await.map(|_| ()),
    }
}
