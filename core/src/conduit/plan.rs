//! From a scan to a preview in the book: its header, its rows, its guards, and the last batch that makes it usable.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, Sides, SyncType};
use crate::operation::plan::PlanWriter;
use crate::operation::preview::{Delta, Header, PreviewSummary};
use crate::operation::run::Reporter;
use crate::provider::RootIdentity;
use crate::store::{Statement, Value, Write};

use super::conflict::{self, Pending};
use super::scan::scan;
use super::scene::{Row, Scene};
use super::{ConduitInner, PreviewOptions, guard};

/// A preview that nobody applies yet.
pub(crate) async fn preview(conduit: &ConduitInner, options: &PreviewOptions) -> Result<PreviewSummary> {
    conduit.previews().clean(conduit.book.clock.now()).await?;
    let row = conduit.row().await?;
    let (scene, roots) = conduit.scene(row.generation, false, conduit.options.transfers).await?;
    let id = PreviewId(Uuid::now_v7());
    let plan = plan(conduit, id, &row, &scene, &roots, options, None, |_| {}).await?;
    let summary = plan.summary.clone();
    plan.writer.finish(plan.last).await?;
    Ok(summary)
}

/// A plan that is complete but for its last batch, which makes it usable.
pub(super) struct Plan {
    pub(super) writer: PlanWriter,
    pub(super) last: Vec<Write>,
    pub(super) delta: Delta,
    pub(super) summary: PreviewSummary,
}

#[allow(clippy::too_many_arguments)] // what is looked at, and who is told
pub(super) async fn plan(
    conduit: &ConduitInner,
    id: PreviewId,
    row: &Row,
    scene: &Scene,
    roots: &Sides<Option<RootIdentity>>,
    options: &PreviewOptions,
    reporter: Option<&Reporter>,
    seen: impl FnMut(u64),
) -> Result<Plan> {
    let book = &conduit.book;
    let now = book.clock.now();
    let lifetime = chrono::Duration::from_std(options.lifetime)
        .map_err(|e| Error::new(Code::Invalid, "set the lifetime of the preview", "").because(e))?;
    let expires_at = now + lifetime;
    let header = Header {
        id,
        tenant: conduit.tenant,
        user: conduit.user,
        sync_type: SyncType::Files,
        sync_id: conduit.uuid.to_string(),
        conduit: Some(conduit.id),
        computed_at: now,
        expires_at,
    };
    let mut writer = PlanWriter::new(book.store.clone(), conduit.tenant, id, header.begin());
    let pending = if row.has_conflicts { conflict::pending(conduit).await? } else { Pending::default() };
    let settings = conduit.settings(scene, row, options.checksum, &pending).await?;
    let scanned = scan(scene, settings, &mut writer, reporter, seen).await?;
    let mut delta = writer.delta();
    delta.counts.unchanged += scanned.tally.unchanged;
    delta.counts.skipped += scanned.tally.skipped;
    delta.swapped = conduit.swapped;
    delta.filter_fingerprint = conduit.options.filters.fingerprint();
    delta.roots = roots.as_ref().map(|root| root.as_ref().map(|root| root.ident.clone()));
    pending.sign(&mut delta);
    delta.guards = guard::check(&guard::Question {
        tally: &scanned.tally,
        options: &conduit.options,
        before: &row.identities,
        roots,
        received: delta.received,
    });
    let encode = |e| Error::new(Code::Internal, "encode the preview", id).caused_by(e);
    let text = serde_json::to_string(&delta).map_err(encode)?;
    let mut last = vec![
        header.ready(text, book.clock.now()),
        // Two previews made at once would give the same numbers to different pairs: the second one is refused.
        Write::Expect(
            Statement::new(
                "UPDATE sync_conduit SET next_pair_id = ?4 WHERE tenant_id = ?1 AND id = ?2 AND next_pair_id = ?3",
                vec![
                    Value::Uuid(conduit.tenant.0),
                    Value::Int(conduit.id),
                    Value::Int(row.next_pair.0),
                    Value::Int(scanned.next_pair.0),
                ],
            ),
            1,
        ),
    ];
    last.extend(pending.take_back(conduit, &scanned.dropped));
    let summary = delta.summary(id, now, expires_at);
    Ok(Plan { writer, last, delta, summary })
}

/// The first batch of a run: with the rest of its plan, when that was made just now.
pub(super) struct Begin {
    pub(super) plan: Option<(PlanWriter, Vec<Write>)>,
    pub(super) conduit: Arc<ConduitInner>,
}

impl Begin {
    pub(super) async fn finish(self, more: Vec<Write>) -> Result<()> {
        match self.plan {
            Some((writer, mut last)) => {
                last.extend(more);
                writer.finish(last).await
            }
            None => self.conduit.book.store.write(self.conduit.tenant, more).await.map(|_| ()),
        }
    }

    /// The run stops before it begins; its preview stays, to be looked at.
    pub(super) async fn abandon(self) -> Result<()> {
        self.finish(Vec::new()).await
    }
}
