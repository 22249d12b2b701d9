//! The rules of saved volumes that a run keeps while it carries: room is promised before a byte moves, and what is
//! overwritten or deleted is kept where the volume keeps versions.

use std::collections::HashMap;

use crate::delta::{Action, Expect};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath, Side};
use crate::operation::plan::Planned;
use crate::provider::is_interruption;
use crate::store::Write;
use crate::volume::{Coming, End, FileId, Kept, Overwritten, Room, Version};

use super::apply::Apply;
use super::baseline::IntentItem;
use super::outcome::Outcome;
use super::pipeline::StagedItem;
use super::record::Closing;

/// What a volume has promised to a batch.
#[derive(Default)]
pub(super) struct Promise {
    room: Option<Room>,
    /// What there is no room for.
    refused: Vec<Outcome>,
}

impl Promise {
    pub(super) fn into_closing(self, writes: Vec<Write>) -> Closing {
        Closing { writes, room: self.room, refused: self.refused }
    }

    /// The batch is not carried after all.
    pub(super) async fn give_back(self) {
        if let Some(room) = self.room {
            room.give_back().await;
        }
    }
}

/// What is on its way to what a volume keeps.
#[derive(Default)]
pub(super) struct Keeping {
    /// Of the trash of the place, where it is in between.
    label: String,
    files: HashMap<RelPath, Version>,
    pub(super) intent: Option<i64>,
    /// What was staged in vain: targets and tags.
    pub(super) unwanted: Vec<(RelPath, String)>,
}

impl Keeping {
    /// The label that this path goes to the trash under, if it is kept.
    pub(super) fn label_of(&self, path: &RelPath) -> Option<&String> {
        self.files.contains_key(path).then_some(&self.label)
    }
}

impl Apply {
    /// Has room promised for a batch; what there is no room for is taken out of it.
    pub(super) async fn promise(&self, side: Side, batch: Vec<Planned>) -> Result<(Promise, Vec<Planned>)> {
        let Some(end) = self.ends.on(side) else { return Ok((Promise::default(), batch)) };
        let coming = |planned: &Planned| Coming {
            path: planned.change.path_on(side).clone(),
            // Links have no rows.
            bytes: if planned.change.item == Kind::File { planned.change.bytes } else { 0 },
        };
        let (room, refusals) = end.promise(&batch.iter().map(coming).collect::<Vec<_>>()).await?;
        let (mut refused, mut fits) = (Vec::new(), Vec::with_capacity(batch.len()));
        for (planned, refusal) in batch.into_iter().zip(refusals) {
            match refusal {
                Some(error) => refused.push(Outcome { planned, result: Err(error) }),
                None => fits.push(planned),
            }
        }
        Ok((Promise { room: Some(room), refused }, fits))
    }

    /// Right before a batch is published: its room is still its own, and it is in the book what is going to be a version.
    /// Where either fails, nothing of the batch is published.
    pub(super) async fn begin_versions(&self, side: Side, promise: &Promise, items: &mut [StagedItem]) -> Keeping {
        match self.try_begin_versions(side, promise, items).await {
            Ok(keeping) => keeping,
            Err(error) => {
                let mut keeping = Keeping::default();
                for item in items.iter_mut().filter(|item| item.result.is_ok()) {
                    // What a session owns goes on after an interruption.
                    let stays = item.session.is_some() && is_interruption(&error);
                    if let Ok(staged) = std::mem::replace(&mut item.result, Err(error.clone()))
                        && !stays
                    {
                        keeping.unwanted.push((staged.target, staged.tag));
                    }
                }
                keeping
            }
        }
    }

    async fn try_begin_versions(&self, side: Side, promise: &Promise, items: &[StagedItem]) -> Result<Keeping> {
        if let Some(room) = &promise.room {
            room.hold().await?;
        }
        let Some(end) = self.ends.on(side).filter(|end| end.keeps()) else { return Ok(Keeping::default()) };
        let overwritten: Vec<Overwritten> = items.iter().filter_map(|item| overwritten(side, item)).collect();
        let versions = end.versions(&overwritten).await?;
        let files = overwritten.into_iter().zip(versions).filter_map(|(file, version)| Some((file.path, version?)));
        let mut keeping = Keeping { label: End::label(), files: files.collect(), ..Keeping::default() };
        if !keeping.files.is_empty() {
            let item = |(target, version): (&RelPath, &Version)| IntentItem::Kept {
                side,
                target: target.clone(),
                version: version.id.0,
                label: keeping.label.clone(),
            };
            let items = keeping.files.iter().map(item).collect();
            keeping.intent = Some(self.scene.ledger.intend(self.preview, items, self.clock.now()).await?);
        }
        Ok(keeping)
    }

    /// Keeps what was overwritten by what was published. What cannot be kept stays in the trash of the place; the file is
    /// said to have failed, and the next run finds it equal.
    pub(super) async fn keep_versions(
        &self,
        side: Side,
        keeping: &Keeping,
        items: &[StagedItem],
        published: &[Result<Node>],
    ) -> HashMap<RelPath, Result<Kept>> {
        let staged = items.iter().filter_map(|item| item.result.as_ref().ok());
        let done = staged.zip(published).filter(|(_, node)| node.is_ok());
        let paths = done.map(|(staged, _)| staged.target.clone()).filter(|path| keeping.files.contains_key(path));
        let paths: Vec<RelPath> = paths.collect();
        let moved = self.keep(side, keeping, &paths).await;
        let kept = |path: &RelPath, node: Result<Option<Node>>| {
            let lost = || Error::new(Code::Internal, "keep a version of", path).because("it is not in the trash");
            let (node, version) = (node?.ok_or_else(lost)?, keeping.files.get(path).ok_or_else(lost)?);
            Ok(Kept { id: version.id, size: node.token.size, digest: version.digest })
        };
        paths.into_iter().zip(moved).map(|(path, node)| (path.clone(), kept(&path, node))).collect()
    }

    /// What of these has versions: it can be restored as long as it has them, and so its content is kept.
    pub(super) async fn kept_when_deleted(&self, side: Side, items: &[Planned]) -> Result<Keeping> {
        let Some(end) = self.ends.on(side).filter(|end| end.keeps()) else { return Ok(Keeping::default()) };
        let files = items.iter().filter(|planned| planned.change.item == Kind::File);
        let paths: Vec<RelPath> = files.map(|planned| planned.change.path_on(side).clone()).collect();
        let files = end.with_versions(&paths).await?.into_iter();
        let files = files.map(|(path, id)| (path, Version { id, digest: None }));
        Ok(Keeping { label: End::label(), files: files.collect(), ..Keeping::default() })
    }

    /// What could not be kept stays in the trash of the place, and the deletion is said to have failed.
    pub(super) async fn keep_deleted(
        &self,
        side: Side,
        keeping: &Keeping,
        items: &[Planned],
        results: &mut [Result<()>],
    ) {
        let paths = items.iter().map(|planned| planned.change.path_on(side)).zip(results);
        let deleted = paths.filter(|(path, result)| result.is_ok() && keeping.label_of(path).is_some());
        let (paths, results): (Vec<RelPath>, Vec<&mut Result<()>>) =
            deleted.map(|(path, result)| (path.clone(), result)).unzip();
        for (result, moved) in results.into_iter().zip(self.keep(side, keeping, &paths).await) {
            *result = moved.map(drop);
        }
    }

    async fn keep(&self, side: Side, keeping: &Keeping, paths: &[RelPath]) -> Vec<Result<Option<Node>>> {
        let Some(end) = self.ends.on(side).filter(|_| !paths.is_empty()) else { return Vec::new() };
        let id = |path: &RelPath| Some((path.clone(), keeping.files.get(path)?.id));
        let files: Vec<(RelPath, FileId)> = paths.iter().filter_map(id).collect();
        match end.keep(&keeping.label, &files).await {
            Ok(moved) => moved,
            Err(error) => files.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// The file in whose place a staged one comes.
fn overwritten(side: Side, item: &StagedItem) -> Option<Overwritten> {
    let staged = item.result.as_ref().ok()?;
    let Action::Transfer { archive, .. } = item.planned.change.action else { return None };
    let is_file = matches!(&item.planned.change.expect[side], Expect::Node(node) if node.kind == Kind::File);
    // What a link comes in the place of has no file to be a version of.
    let stays = item.planned.change.item == Kind::File;
    (is_file && stays).then(|| Overwritten { path: staged.target.clone(), content: staged.content, is_known: !archive })
}
