//! The sides of a run that are saved volumes, and what their rows are told of it.
//!
//! A row stands where the ledger says that its side has the file. So where an item was is read in the ledger, as it is
//! before the batch; where it is now says the change.

use std::sync::Arc;

use crate::delta::{Action, Change, Expect};
use crate::error::Result;
use crate::ledger::PairKey;
use crate::model::{Kind, Node, RelPath, Side, Sides};
use crate::store::Write;
use crate::volume::{DirMove, End, FileMove, Gone, Happened, There};

use super::ConduitInner;
use super::outcome::Done;
use super::place::Place;
use super::scene::Scene;

/// The sides that are saved volumes.
#[derive(Clone, Default)]
pub(crate) struct Ends(Sides<Option<Arc<End>>>);

/// A change that was done.
pub(super) struct Fact {
    pub(super) change: Change,
    pub(super) done: Done,
}

impl Ends {
    /// # Errors
    /// `not_found`; `invalid` when a volume is not active or its row cannot be used.
    pub(super) async fn open(conduit: &ConduitInner, scene: &Scene) -> Result<Self> {
        let mut ends = Self::default();
        for side in Side::BOTH {
            let Place::Volume { volume, path, .. } = &conduit.places[side] else { continue };
            let (book, place) = (&conduit.book, scene.sides[side].clone());
            let end = End::open(book, conduit.tenant, conduit.user, *volume, path, place).await?;
            ends.0[side] = Some(Arc::new(end));
        }
        Ok(ends)
    }

    pub(super) fn is_any(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.0[side].is_some())
    }

    pub(super) fn on(&self, side: Side) -> Option<&Arc<End>> {
        self.0[side].as_ref()
    }

    /// What the rows of each side are to be told.
    pub(super) async fn happened(&self, scene: &Scene, facts: &[Fact]) -> Result<Sides<Happened>> {
        let keys: Vec<Option<PairKey>> = facts.iter().map(|fact| moved_key(&fact.change)).collect();
        let asked: Vec<PairKey> = keys.iter().flatten().cloned().collect();
        let mut found = scene.ledger.paths(&asked).await?.into_iter();
        let mut happened = Sides::<Happened>::default();
        for (fact, key) in facts.iter().zip(keys) {
            let before = key.and_then(|_| found.next().flatten());
            for side in Side::BOTH {
                if self.0[side].is_some() {
                    tell(&mut happened[side], fact, side, before.as_ref().map(|paths| &paths[side]));
                }
            }
        }
        Ok(happened)
    }

    /// The parts of a batch for it, those of each volume together, in the order of the volumes' ids: so no two runs wait
    /// for each other.
    pub(super) async fn writes(&self, happened: &Sides<Happened>) -> Result<Vec<Write>> {
        let mut sides: Vec<(Side, &Arc<End>)> =
            Side::BOTH.into_iter().filter_map(|side| Some((side, self.0[side].as_ref()?))).collect();
        sides.sort_by_key(|(_, end)| end.volume().0);
        let mut writes = Vec::new();
        for (side, end) in sides {
            writes.extend(end.writes(&happened[side]).await?);
        }
        Ok(writes)
    }
}

/// The row of the ledger that says where the item was, where that is not where it is.
fn moved_key(change: &Change) -> Option<PairKey> {
    let is_move = matches!(change.action, Action::Move { .. });
    let stays = || change.path.name().filter(|_| is_move).map(|name| (change.parent, name));
    let (parent, name) = change.was.clone().or_else(stays)?;
    Some((parent, name, change.pair))
}

/// `before` is where the item was on that side, where the ledger has it elsewhere or a move may have renamed it there.
fn tell(happened: &mut Happened, fact: &Fact, side: Side, before: Option<&RelPath>) {
    let Fact { change, done } = fact;
    let now = change.path_on(side);
    match &change.action {
        Action::Delete { .. } | Action::Forget => {
            let is_own = change.action.changes() == Some(side);
            // What only the ledger lets go, or another side alone loses, stays.
            let stays = !is_own && matches!(&change.expect[side], Expect::Node(node) if node.kind == Kind::File);
            if change.item != Kind::Dir && !stays {
                let path = before.unwrap_or(now);
                happened.gone.push(Gone { path: path.clone(), is_sure: is_own && path == now });
            }
        }
        Action::Move { .. } => moved(happened, change.item, before, now),
        Action::MakeDir { .. } | Action::Transfer { .. } | Action::SetMetadata { .. } | Action::Record => {
            let Some(node) = seen(change, done, side) else { return };
            moved(happened, node.kind, before, now);
            match node.kind {
                Kind::File => happened.there.push(There {
                    path: now.clone(),
                    size: node.token.size,
                    digest: done.content.or(change.content),
                    kept: done.kept.clone().filter(|_| change.action.changes() == Some(side)),
                }),
                // A link in the place of a file.
                Kind::Symlink => happened.gone.push(Gone { path: now.clone(), is_sure: true }),
                Kind::Dir | Kind::NativeDoc | Kind::Other => {}
            }
        }
        Action::Skip(_) => {}
    }
}

fn moved(happened: &mut Happened, kind: Kind, from: Option<&RelPath>, to: &RelPath) {
    let Some(from) = from.filter(|from| *from != to).cloned() else { return };
    let to = to.clone();
    match kind {
        Kind::Dir => happened.dirs.push(DirMove { from, to }),
        Kind::File => happened.moved.push(FileMove { from, to }),
        Kind::Symlink | Kind::NativeDoc | Kind::Other => {}
    }
}

/// What the side shows of the item now.
fn seen<'a>(change: &'a Change, done: &'a Done, side: Side) -> Option<&'a Node> {
    done.now[side].as_ref().or(match &change.expect[side] {
        Expect::Node(node) => Some(node),
        Expect::Absent | Expect::Any => None,
    })
}
