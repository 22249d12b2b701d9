//! Pages of changes on their way out: one JSON text each, which JavaScript reads in less than half of the time that making its
//! objects from here takes, a call of Node for each field. Read, it is what `index.d.ts` says: names in camel case, and nothing
//! where there is nothing.

use napi::bindgen_prelude::{Error, Result};
use portbook_ffi::records::{
    Change, ChangeAction, ChangeKind, ChangePage, ItemKind, PreviewedRow, PreviewedRowPage, RowAction, Side, SkipCause,
};
use serde::Serialize;

#[derive(Serialize)]
struct Page {
    changes: Vec<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    id: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_on_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_on_target: Option<String>,
    kind: ChangeKind,
    action: ChangeAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Side>,
    item: ItemKind,
    bytes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<SkipCause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    ticked: bool,
    follows: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    decides: Option<i64>,
}

impl From<Change> for Fields {
    #[rustfmt::skip]
    fn from(change: Change) -> Self {
        // Each field by its name, so that a new one is not forgotten.
        let Change {
            id, path, path_on_source, path_on_target, kind, action, changes, item, bytes, moved_from, cause, reason, ticked, follows, decides,
        } = change;
        Self {
            id, path, path_on_source, path_on_target, kind, action, changes, item, bytes, moved_from, cause, reason, ticked, follows, decides,
        }
    }
}

#[derive(Serialize)]
struct RowsPage {
    rows: Vec<RowFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct RowFields {
    id: String,
    row: String,
    kind: ChangeKind,
    action: RowAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    ticked: bool,
}

impl From<PreviewedRow> for RowFields {
    fn from(previewed: PreviewedRow) -> Self {
        let PreviewedRow { id, row, kind, action, changes, reason, ticked } = previewed;
        Self { id, row, kind, action, changes, reason, ticked }
    }
}

/// The page of rows as `lib/calls.js` reads it.
pub(crate) fn rows_text(page: PreviewedRowPage) -> Result<String> {
    let page = RowsPage { rows: page.rows.into_iter().map(Into::into).collect(), next: page.next };
    serde_json::to_string(&page).map_err(|e| Error::from_reason(e.to_string()))
}

/// The page as `lib/calls.js` reads it.
pub(crate) fn text(page: ChangePage) -> Result<String> {
    let page = Page { changes: page.changes.into_iter().map(Into::into).collect(), next: page.next };
    serde_json::to_string(&page).map_err(|e| Error::from_reason(e.to_string()))
}
