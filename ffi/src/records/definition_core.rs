//! What definitions of records are told, and what they show, as the core has it.

use std::time::Duration;

use portbook::bridge;
use portbook::model;

use super::conduit::max_delete_of;
use super::definition::{
    FieldDirection, PreviewedRow, ReconcileStatus, RecordClock, RecordCursor, RecordField, RecordMode, RecordOptions,
    RecordPolicy, RecordRoute, RowAction, RowApplyOptions, RowDifference, RowDifferenceKind, RowPreview,
    RowPreviewOptions, RowVerifyReport,
};
use super::{RecordPlace, count, id_of, is, milliseconds, same_words, size};
use crate::error::Result;

same_words!(RecordMode = model::RecordMode { OneWayPush, TwoWay, ArchiveOnly });
same_words!(RecordPolicy = model::RecordPolicy { SourceWins, DestinationWins, LatestWins, Manual });
same_words!(FieldDirection = model::FieldDirection { Bidirectional, PushOnly, PullOnly });
same_words!(ReconcileStatus = model::ReconcileStatus { Match, Mismatch, Unknown });
same_words!(RowDifferenceKind = bridge::RowDifferenceKind { Missing, Extra, Different, Unreadable });

impl RowAction {
    fn named(action: &str) -> Self {
        match action {
            "insert" => Self::Insert,
            "update" => Self::Update,
            "merge" => Self::Merge,
            "delete" => Self::Delete,
            "record" => Self::Record,
            "forget" => Self::Forget,
            _ => Self::Skip,
        }
    }
}

impl RecordOptions {
    /// What the core is given; `place` knows where the lists of rules are.
    pub(crate) fn read(
        self,
        place: impl Fn(RecordPlace) -> Result<bridge::RecordPlace>,
    ) -> Result<bridge::RecordOptions> {
        let usual = bridge::RecordOptions::default();
        let route =
            |route: RecordRoute| Ok(bridge::RecordRoute { condition: route.condition, target: place(route.target)? });
        Ok(bridge::RecordOptions {
            name: self.name,
            mode: self.mode.map_or(usual.mode, Into::into),
            policy: self.policy.map_or(usual.policy, Into::into),
            key: self.key.unwrap_or_default(),
            cursor: self.cursor.map_or(Ok(usual.cursor), RecordCursor::read)?,
            fields: self.fields.unwrap_or_default().into_iter().map(Into::into).collect(),
            clock: self.clock.map(RecordClock::read).transpose()?,
            create: is(self.create),
            routes: self.routes.unwrap_or_default().into_iter().map(route).collect::<Result<_>>()?,
        })
    }
}

impl RecordClock {
    fn read(self) -> Result<bridge::RecordClock> {
        let usual = bridge::RecordClock::new(self.source, self.target);
        let skew = self.skew_ms.map_or(Ok(usual.skew), |ms| milliseconds("skew_ms", ms))?;
        Ok(bridge::RecordClock { skew, tie: self.tie.map_or(usual.tie, Into::into), ..usual })
    }
}

impl RecordCursor {
    fn read(self) -> Result<bridge::RecordCursor> {
        Ok(match self {
            Self::FullScan {} => bridge::RecordCursor::FullScan,
            Self::Column { column, overlap_ms: None } => bridge::RecordCursor::column(column),
            Self::Column { column, overlap_ms: Some(overlap) } => {
                let overlap = Duration::from_millis(size("overlap_ms", overlap)?);
                bridge::RecordCursor::Column { column, overlap }
            }
            Self::Log {} => bridge::RecordCursor::Log,
        })
    }
}

impl From<RecordField> for bridge::RecordField {
    fn from(field: RecordField) -> Self {
        let direction = field.direction.unwrap_or(FieldDirection::Bidirectional).into();
        Self { source: field.source, target: field.target, direction, transform: field.transform }
    }
}

impl RowPreviewOptions {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<bridge::RowPreviewOptions> {
        let usual = bridge::RowPreviewOptions::default();
        Ok(bridge::RowPreviewOptions {
            look_at_target: is(self.look_at_target),
            full_scan: is(self.full_scan),
            exact: is(self.exact),
            max_delete: self.max_delete.as_deref().map_or(Ok(usual.max_delete), max_delete_of)?,
            route_to: self.route_to.map(|list| id_of("route_to", &list).map(model::Id::new)).transpose()?,
            lifetime: self.lifetime_ms.map_or(Ok(usual.lifetime), |ms| milliseconds("lifetime_ms", ms))?,
        })
    }
}

impl From<RowApplyOptions> for bridge::RowApplyOptions {
    fn from(options: RowApplyOptions) -> Self {
        Self { confirm: options.confirm.unwrap_or_default() }
    }
}

impl From<bridge::RowPreview> for RowPreview {
    fn from(preview: bridge::RowPreview) -> Self {
        let bridge::RowPreview { summary, source_rows, target_rows, blind, drift } = preview;
        Self {
            summary: summary.into(),
            source_rows: count(source_rows),
            target_rows: target_rows.map(count),
            blind,
            drift: drift.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<bridge::PreviewedRow> for PreviewedRow {
    fn from(previewed: bridge::PreviewedRow) -> Self {
        let bridge::PreviewedRow { id, row, kind, action, changes, reason, ticked } = previewed;
        let (kind, action) = (kind.into(), RowAction::named(action));
        Self { id: id.to_string(), row, kind, action, changes: changes.map(Into::into), reason, ticked }
    }
}

impl From<bridge::RowVerifyReport> for RowVerifyReport {
    fn from(report: bridge::RowVerifyReport) -> Self {
        let bridge::RowVerifyReport {
            status,
            source_rows,
            target_rows,
            missing,
            extra,
            different,
            unreadable,
            differences,
        } = report;
        Self {
            status: status.into(),
            source_rows: count(source_rows),
            target_rows: count(target_rows),
            missing: count(missing),
            extra: count(extra),
            different: count(different),
            unreadable: count(unreadable),
            differences: differences.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<bridge::RowDifference> for RowDifference {
    fn from(difference: bridge::RowDifference) -> Self {
        let bridge::RowDifference { row, kind, reason } = difference;
        Self { row, kind: kind.into(), reason }
    }
}
