//! What `preview` and `sync` are about: folders that a conduit joins, or tables that a definition does. Both are shown,
//! asked about and watched in the same way.

use portbook::bridge::{Definition, Drift, PreviewedRow, RowApplyOptions, RowPreviewOptions};
use portbook::conduit::{ApplyOptions, Conduit, PreviewOptions};
use portbook::model::{PreviewId, Side};
use portbook::operation::{ChangeFilter, ChangeId, PreviewChange, PreviewSummary, Run};
use portbook::{Result, Session};

use crate::render::ChangeLine;

/// Changes fetched from the book at once.
const PAGE: usize = 1000;

/// What is previewed and synced, with what the line says of it.
pub(crate) enum Subject {
    /// Folders.
    Files { conduit: Conduit, preview: PreviewOptions, apply: ApplyOptions },
    /// Tables.
    Rows { definition: Definition, preview: RowPreviewOptions },
}

impl Subject {
    /// Previews.
    pub(crate) fn look(&self) -> Result<PreviewSummary> {
        match self {
            Self::Files { conduit, preview, .. } => portbook::wait(conduit.preview(preview.clone())),
            Self::Rows { definition, preview } => {
                portbook::wait(definition.preview(preview.clone())).map(|made| made.summary)
            }
        }
    }

    /// A preview that was made before.
    pub(crate) fn summary(&self, session: &Session, id: PreviewId) -> Result<PreviewSummary> {
        match self {
            Self::Files { .. } => portbook::wait(session.preview(id)),
            Self::Rows { definition, .. } => portbook::wait(definition.stored_preview(id)).map(|made| made.summary),
        }
    }

    /// Applies a preview, with these guards confirmed.
    pub(crate) fn apply(&self, id: PreviewId, confirm: Vec<String>) -> Run {
        match self {
            Self::Files { conduit, apply, .. } => conduit.apply(id, ApplyOptions { confirm, ..apply.clone() }),
            Self::Rows { definition, .. } => definition.apply(id, RowApplyOptions { confirm }),
        }
    }

    /// Previews and applies.
    pub(crate) fn sync(&self) -> Run {
        match self {
            Self::Files { conduit, preview, apply } => conduit.sync(preview.clone(), apply.clone()),
            Self::Rows { definition, preview } => definition.sync(preview.clone(), RowApplyOptions::default()),
        }
    }

    /// What has changed about the tables of a preview, in a line each.
    pub(crate) fn drift(&self, id: PreviewId) -> Result<Vec<String>> {
        let Self::Rows { definition, .. } = self else { return Ok(Vec::new()) };
        let line = |drift: &Drift| {
            let side = if drift.side == Side::Left { "source" } else { "target" };
            format!("drift at the {side}: {} ({}: {})", drift.change, drift.effect.as_str(), drift.reason)
        };
        Ok(portbook::wait(definition.stored_preview(id))?.drift.iter().map(line).collect())
    }

    /// Every change that a preview lists, fetched a page at a time.
    pub(crate) fn changes<'s>(
        &'s self,
        session: &'s Session,
        id: PreviewId,
    ) -> Box<dyn Iterator<Item = Result<ChangeLine>> + 's> {
        match self {
            Self::Files { .. } => Box::new(pages(
                move |after| portbook::wait(session.preview_changes(id, ChangeFilter::default(), after, PAGE)),
                |change: &PreviewChange| change.id,
                line,
            )),
            Self::Rows { definition, .. } => Box::new(pages(
                move |after| portbook::wait(definition.changes(id, None, after, PAGE)),
                |change: &PreviewedRow| change.id,
                row_line,
            )),
        }
    }
}

fn pages<C>(
    fetch: impl Fn(Option<ChangeId>) -> Result<Vec<C>>,
    id: impl Fn(&C) -> ChangeId,
    line: impl Fn(C) -> ChangeLine,
) -> impl Iterator<Item = Result<ChangeLine>> {
    let mut after: Option<ChangeId> = None;
    let mut page = Vec::new().into_iter();
    let mut ended = false;
    std::iter::from_fn(move || {
        loop {
            if let Some(change) = page.next() {
                return Some(Ok(line(change)));
            }
            if ended {
                return None;
            }
            match fetch(after) {
                Ok(next) => {
                    ended = next.len() < PAGE;
                    after = next.last().map(&id).or(after);
                    page = next.into_iter();
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
    })
}

fn row_line(change: PreviewedRow) -> ChangeLine {
    let action = match (change.reason, change.changes) {
        (Some(reason), _) => reason,
        (None, Some(Side::Left)) => format!("{} at the source", change.action),
        (None, Some(Side::Right) | None) => change.action.to_owned(),
    };
    ChangeLine { path: change.row, kind: change.kind, action, bytes: 0 }
}

fn line(change: PreviewChange) -> ChangeLine {
    let side = match change.changes {
        Some(Side::Left) => " at the source",
        Some(Side::Right) | None => "",
    };
    let action = match (&change.from, &change.reason) {
        (Some(from), _) => format!("move from {from}{side}"),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => format!("{}{side}", change.action),
    };
    let action = Side::BOTH.into_iter().filter_map(|side| alias(&change, side)).fold(action, |all, one| all + &one);
    let action = if change.decides.is_some() { format!("{action}, as decided") } else { action };
    ChangeLine { path: change.path.to_string(), kind: change.kind, action, bytes: change.bytes }
}

/// The name that the item has on one side only.
fn alias(change: &PreviewChange, side: Side) -> Option<String> {
    let name = change.path_on[side].as_ref()?.name()?;
    let is_alias = change.path.name().as_ref() != Some(&name) && !portbook::provider::is_reserved(name.as_bytes());
    let place = match side {
        Side::Left => "source",
        Side::Right => "target",
    };
    is_alias.then(|| format!(", as {name} at the {place}"))
}
