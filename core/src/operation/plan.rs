//! The plan of a preview in the book: written while the places are scanned, read back in the order of application,
//! never held in memory as a whole.
//!
//! `ord` is the step and the rank of a change in one number, so that the primary key `(preview_id, ord, seq)` is the
//! order of application. A change is ticked unless its `is_exception` flag says otherwise; how far a run has come is
//! one position in the preview's row, so that a million applied changes cost no million updates.

use std::sync::Arc;

use super::preview::{Decided, Delta};
use crate::delta::{Action, Change, ChangeKind, Step};
use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, RelPath, Side, TenantId};
use crate::store::{Insert, OnConflict, Rows, Statement, Store, Value, Write, Written};

/// Rows of a plan that go to the book in one commit.
const PLAN_BATCH: usize = 4096;

/// Rows of a plan that come back in one page.
const PLAN_PAGE: usize = 2048;

/// A position in the order of application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) ord: i64,
    pub(crate) seq: i64,
}

impl Position {
    /// Before every change of that step.
    pub(crate) fn start_of(step: Step) -> Self {
        Self { ord: ord(step, 0), seq: -1 }
    }
}

/// How much a plan is, and how much of it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) items_done: u64,
    pub(crate) bytes_done: u64,
    /// Of those done: what could not be carried.
    pub(crate) failed: u64,
}

/// A change as it stands in the book.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) at: Position,
    /// The change whose decision this one is a part of.
    pub(crate) lead: Option<i64>,
    /// An earlier attempt at it failed.
    pub(crate) failed: bool,
    pub(crate) change: Change,
}

fn ord(step: Step, rank: u32) -> i64 {
    (step as i64) << 32 | i64::from(rank)
}

const COLUMNS: &[&str] =
    &["preview_id", "ord", "seq", "lead_seq", "kind", "direction", "action", "item_kind", "path", "bytes", "detail"];

/// Writes a plan. A batch is on its way to the book while the next one is being made.
pub(crate) struct PlanWriter {
    rows: PlanRows,
    seq: i64,
    lead: i64,
    delta: Delta,
}

impl PlanWriter {
    pub(crate) fn new(store: Arc<dyn Store>, tenant: TenantId, preview: PreviewId, header: Write) -> Self {
        let rows = PlanRows::new(store, tenant, preview, header);
        Self { rows, seq: 0, lead: 0, delta: Delta::default() }
    }

    /// Appends changes.
    pub(crate) async fn push(&mut self, changes: &mut Vec<Change>) -> Result<()> {
        for change in changes.drain(..) {
            let row = self.row(change)?;
            self.rows.push(row).await?;
        }
        Ok(())
    }

    fn row(&mut self, mut change: Change) -> Result<PlanRow> {
        self.delta.add(&change);
        let seq = self.seq;
        self.seq += 1;
        let lead = (change.follows).then_some(self.lead);
        if !change.follows {
            self.lead = seq;
        }
        if let Some(conflict) = change.decides
            && self.delta.decided.last().is_none_or(|last| last.conflict != conflict)
        {
            self.delta.decided.push(Decided { conflict, lead: self.lead, ..Decided::default() });
        }
        let path = std::mem::take(&mut change.path);
        let encode = |e| Error::new(Code::Internal, "encode a change of", &path).caused_by(e);
        let detail = postcard::to_stdvec(&change).map_err(encode)?;
        Ok(PlanRow {
            at: Position { ord: ord(change.step, change.rank), seq },
            lead,
            kind: change.kind,
            side: change.action.changes(),
            action: change.action.number(),
            item: change.item as i64,
            path: path.as_bytes().to_vec(),
            bytes: change.bytes,
            detail,
        })
    }

    /// Forgets everything written so far.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.delta = Delta::default();
        (self.seq, self.lead) = (0, 0);
        self.rows.restart().await
    }

    /// The sums over the changes so far.
    pub(crate) fn delta(&self) -> Delta {
        self.delta.clone()
    }

    /// Writes the rest together with `last`, which makes the preview usable.
    pub(crate) async fn finish(self, last: Vec<Write>) -> Result<()> {
        self.rows.finish(last).await
    }
}

/// A row of `sync_preview_change`.
pub(crate) struct PlanRow {
    pub(crate) at: Position,
    pub(crate) lead: Option<i64>,
    pub(crate) kind: ChangeKind,
    pub(crate) side: Option<Side>,
    pub(crate) action: i64,
    pub(crate) item: i64,
    /// Names the item.
    pub(crate) path: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) detail: Vec<u8>,
}

/// Rows of a plan on their way to the book, whatever they are of.
pub(crate) struct PlanRows {
    store: Arc<dyn Store>,
    tenant: TenantId,
    preview: PreviewId,
    /// Written right before the first batch, so that a plan without changes costs one commit in the end.
    header: Option<Write>,
    rows: Vec<PlanRow>,
    under_way: Option<tokio::task::JoinHandle<Result<Vec<Written>>>>,
    wrote: bool,
}

impl PlanRows {
    pub(crate) fn new(store: Arc<dyn Store>, tenant: TenantId, preview: PreviewId, header: Write) -> Self {
        Self { store, tenant, preview, header: Some(header), rows: Vec::new(), under_way: None, wrote: false }
    }

    /// Appends a row.
    pub(crate) async fn push(&mut self, row: PlanRow) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= PLAN_BATCH {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        self.settle().await?;
        let rows = std::mem::take(&mut self.rows);
        let header = self.header.take();
        let (store, tenant, preview) = (self.store.clone(), self.tenant, self.preview);
        self.under_way = Some(tokio::spawn(async move {
            let batch = header.into_iter().chain([insert(preview, rows)]).collect();
            // Without the last batch, which makes the preview usable, they mean nothing.
            store.write_ahead(tenant, batch).await
        }));
        self.wrote = true;
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some(task) = self.under_way.take() {
            task.await.map_err(|e| Error::new(Code::Internal, "write the preview", "").because(e))??;
        }
        Ok(())
    }

    /// Forgets everything written so far.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.settle().await?;
        self.rows.clear();
        if self.wrote {
            self.wrote = false;
            let all = Statement::new(
                "DELETE FROM sync_preview_change WHERE preview_id = ?1",
                vec![Value::Uuid(self.preview.0)],
            );
            self.store.write(self.tenant, vec![Write::Execute(all)]).await?;
        }
        Ok(())
    }

    /// Writes the rest together with `last`, which makes the preview usable.
    pub(crate) async fn finish(mut self, last: Vec<Write>) -> Result<()> {
        self.settle().await?;
        let mut batch: Vec<Write> = self.header.take().into_iter().collect();
        if !self.rows.is_empty() {
            batch.push(insert(self.preview, self.rows));
        }
        batch.extend(last);
        self.store.write(self.tenant, batch).await?;
        Ok(())
    }
}

/// Writes these rows, in the order in which the table keeps them.
fn insert(preview: PreviewId, mut rows: Vec<PlanRow>) -> Write {
    rows.sort_unstable_by_key(|row| row.at);
    let mut values = Vec::with_capacity(rows.len() * COLUMNS.len());
    for row in rows {
        values.extend([
            Value::Uuid(preview.0),
            Value::Int(row.at.ord),
            Value::Int(row.at.seq),
            row.lead.map_or(Value::Null, Value::Int),
            Value::Int(row.kind as i64),
            row.side.map_or(Value::Null, |side| Value::Int(side_number(side))),
            Value::Int(row.action),
            Value::Int(row.item),
            Value::Blob(row.path),
            Value::Int(i64::try_from(row.bytes).unwrap_or(i64::MAX)),
            Value::Blob(row.detail),
        ]);
    }
    Write::Insert(Insert::new("sync_preview_change", COLUMNS.iter().copied(), values, OnConflict::Fail))
}

/// Reads a plan in the order of application.
pub(crate) struct PlanReader {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) preview: PreviewId,
}

impl PlanReader {
    /// The ticked changes after `from` and before `until`, a page of them.
    pub(crate) async fn page(&self, from: Position, until: Position) -> Result<Vec<Planned>> {
        let rows = self
            .store
            .query(
                self.tenant,
                Statement::new(
                    "SELECT ord, seq, lead_seq, path, detail, outcome FROM sync_preview_change \
                     WHERE preview_id = ?1 AND (ord, seq) > (?2, ?3) AND (ord, seq) < (?4, ?5) AND is_exception = ?6 \
                     ORDER BY ord, seq LIMIT ?7",
                    vec![
                        Value::Uuid(self.preview.0),
                        Value::Int(from.ord),
                        Value::Int(from.seq),
                        Value::Int(until.ord),
                        Value::Int(until.seq),
                        Value::Bool(false),
                        Value::Int(PLAN_PAGE as i64),
                    ],
                ),
            )
            .await?;
        planned(&rows)
    }

    /// How much of the plan is to be done, and how much of that is behind this position.
    pub(crate) async fn extent(&self, at: Position) -> Result<Extent> {
        let statement = Statement::new(
            EXTENT,
            vec![
                Value::Uuid(self.preview.0),
                Value::Int(at.ord),
                Value::Int(at.seq),
                Value::Bool(false),
                Value::Int(Action::SKIP),
            ],
        );
        let rows = self.store.query(self.tenant, statement).await?;
        let Some(row) = rows.first() else { return Ok(Extent::default()) };
        let number = |column| row.int(column).map(|n| u64::try_from(n).unwrap_or_default());
        Ok(Extent {
            items: number(0)?,
            bytes: number(1)?,
            items_done: number(2)?,
            bytes_done: number(3)?,
            failed: number(4)?,
        })
    }

    /// What an earlier attempt could not do.
    pub(crate) async fn failed(&self) -> Result<Vec<Planned>> {
        let statement = Statement::new(FAILED, vec![Value::Uuid(self.preview.0)]);
        planned(&self.store.query(self.tenant, statement).await?)
    }
}

const EXTENT: &str = "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS bigint), \
    count(CASE WHEN (ord, seq) <= (?2, ?3) THEN 1 END), \
    CAST(coalesce(sum(CASE WHEN (ord, seq) <= (?2, ?3) THEN bytes END), 0) AS bigint), count(outcome) \
    FROM sync_preview_change WHERE preview_id = ?1 AND is_exception = ?4 AND action <> ?5";

const FAILED: &str = "SELECT ord, seq, lead_seq, path, detail, outcome FROM sync_preview_change \
    WHERE preview_id = ?1 AND outcome IS NOT NULL ORDER BY ord, seq";

fn planned(rows: &Rows) -> Result<Vec<Planned>> {
    rows.iter()
        .map(|row| {
            let lead = if row.is_null(2) { None } else { Some(row.int(2)?) };
            let change = decode(row.blob(3)?, row.blob(4)?)?;
            let at = Position { ord: row.int(0)?, seq: row.int(1)? };
            Ok(Planned { at, lead, failed: !row.is_null(5), change })
        })
        .collect()
}

/// A change from the two columns that hold it.
pub(crate) fn decode(path: &[u8], detail: &[u8]) -> Result<Change> {
    let path = RelPath::parse(path)
        .ok_or_else(|| Error::new(Code::Corrupt, "read the preview", "").because("a path leaves its root"))?;
    let mut change: Change = postcard::from_bytes(detail)
        .map_err(|e| Error::new(Code::Corrupt, "read the preview at", &path).caused_by(e))?;
    change.path = path;
    Ok(change)
}

/// How a side is stored (`direction`): 1 changes the source, 2 the target.
pub(crate) fn side_number(side: Side) -> i64 {
    match side {
        Side::Left => 1,
        Side::Right => 2,
    }
}

/// The kind a stored number names.
pub(crate) fn kind_of(number: i64) -> Result<ChangeKind> {
    ChangeKind::ALL.into_iter().find(|kind| *kind as i64 == number).ok_or_else(|| {
        Error::new(Code::Corrupt, "read the preview", "").because(format!("{number} is no kind of change"))
    })
}
