//! Directories and moves: what gives items their places before content is carried, and what has to follow when it was.

use std::collections::HashSet;

use crate::delta::{Action, Change, Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Name, Node, RelPath, Side, Token};
use crate::operation::plan::Planned;
use crate::provider::{Move, TEMP_PREFIX};
use crate::store::Write;

use super::apply::Apply;
use super::baseline::IntentItem;
use super::outcome::{Done, Outcome, is_swap_step};
use super::record::Closing;

/// Which file or link was moved: by its identity, since a version that goes aside after it was moved is another pair; by
/// its version where the place gives no identities, and no times that a move would change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moved {
    Ident(Side, Ident),
    Version(Side, Token),
}

impl Moved {
    fn of(side: Side, node: &Node) -> Self {
        match &node.ident {
            Ident::None => Self::Version(side, node.token.clone()),
            ident => Self::Ident(side, ident.clone()),
        }
    }
}

impl Apply {
    /// A move changes the times of an item (`st_ctime`): what comes after it in the plan expects what the move left.
    pub(super) fn expect_moved(&self, change: &mut Change) {
        if self.moved.is_empty() {
            return;
        }
        for side in Side::BOTH {
            if let Expect::Node(node) = &mut change.expect[side]
                && let Some((before, after)) = self.moved.get(&Moved::of(side, node))
                && node == before
            {
                *node = after.clone();
            }
        }
    }

    fn remember_move(&mut self, side: Side, change: &Change, after: &Node) {
        if let (Action::Move { .. }, Expect::Node(before)) = (&change.action, &change.expect[side])
            && after.kind != Kind::Dir
        {
            // Of a move in two halves, what was scanned is what later changes expect.
            let known = self.moved.entry(Moved::of(side, before));
            known.and_modify(|(_, last)| *last = after.clone()).or_insert_with(|| (before.clone(), after.clone()));
        }
    }

    /// Directories and moves, top-down; runs of the same kind on the same side go to the provider together.
    pub(super) async fn restructure(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        let ready = self.ready(page, &mut outcomes);
        self.intend_moves(&ready).await?;
        let mut rest = ready.into_iter().peekable();
        while let Some(first) = rest.next() {
            let key = (first.change.action.number(), first.change.action.changes());
            // What moves the same item again expects what the first move left, so the two are never in one call.
            let mut idents: HashSet<Ident> = moved_ident(&first.change).cloned().into_iter().collect();
            let mut run = vec![first];
            while let Some(next) = rest.next_if(|p| {
                (p.change.action.number(), p.change.action.changes()) == key
                    && moved_ident(&p.change).is_none_or(|ident| !idents.contains(ident))
            }) {
                idents.extend(moved_ident(&next.change).cloned());
                run.push(next);
            }
            run.iter_mut().for_each(|planned| self.expect_moved(&mut planned.change));
            let Some(side) = key.1 else { continue };
            let results = self.restructure_on(side, &run).await;
            for (planned, node) in run.into_iter().zip(results) {
                // In one call a directory is made right after its parent, even where the parent turned out to be there
                // already: what hangs beneath a missing row is not recorded, and the next run adopts it.
                let hangs = self.missing_dirs.contains(&planned.change.parent);
                let node = if hangs { node.and(Err(hangs_nowhere(&planned.change))) } else { node };
                if node.is_err() {
                    self.misses_dir(&planned.change);
                }
                let result = node.map(|node| {
                    self.remember_move(side, &planned.change, &node);
                    let mut done = Done::default();
                    if let Some(source) = self.widened(side, &planned, &node) {
                        done.now[side.other()] = Some(source);
                    }
                    done.now[side] = Some(node);
                    done
                });
                outcomes.push(Outcome { planned, result });
            }
        }
        self.flush(&outcomes).await?;
        self.commit(Closing::default(), outcomes).await
    }

    async fn restructure_on(&self, side: Side, run: &[Planned]) -> Vec<Result<Node>> {
        let provider = &self.scene.sides[side];
        match run.first().map(|p| &p.change.action) {
            Some(Action::Move { .. }) => {
                let moves = run.iter().filter_map(|p| match &p.change.action {
                    Action::Move { from, .. } => Some(Move {
                        from: from.clone(),
                        to: p.change.path_on(side).clone(),
                        expect: p.change.expect[side].clone(),
                        through: self.through(side, &p.change, from),
                    }),
                    _ => None,
                });
                provider.move_items(moves.collect()).await
            }
            _ => {
                let dirs = run.iter().map(|p| (p.change.path_on(side).clone(), self.dir_metadata(side, &p.change)));
                provider.make_dirs(dirs.collect()).await
            }
        }
    }

    /// The mode of the directory it is made after, kept enterable by its owner while the run fills it.
    fn dir_metadata(&self, side: Side, change: &Change) -> Metadata {
        let carries = self.scene.sides[side].capabilities().mode;
        let mode = match &change.expect[side.other()] {
            Expect::Node(node) if carries => node.token.mode.map(|mode| mode | 0o700),
            Expect::Node(_) | Expect::Absent | Expect::Any => None,
        };
        Metadata { mode, mtime: None }
    }

    /// A directory that its owner may not enter or fill gets its mode when it has been filled. Until then the ledger says
    /// of the other side what was made here, so that a run that comes after a crash sees the mode as still to be carried.
    fn widened(&mut self, side: Side, planned: &Planned, made: &Node) -> Option<Node> {
        let (Action::MakeDir { .. }, Expect::Node(source)) =
            (&planned.change.action, &planned.change.expect[side.other()])
        else {
            return None;
        };
        let mode = source.token.mode.filter(|mode| mode & 0o700 != 0o700)?;
        made.token.mode?;
        self.narrow.push((side, mode, planned.clone()));
        let mut source = source.clone();
        source.token.mode = made.token.mode;
        Some(source)
    }

    /// Gives the directories that were kept open for filling the mode of their originals, deepest first.
    pub(super) async fn narrow_dirs(&mut self) -> Result<()> {
        let mut narrow = std::mem::take(&mut self.narrow);
        narrow.sort_by_key(|(_, _, planned)| std::cmp::Reverse(planned.change.path.depth()));
        let mut outcomes = Vec::new();
        for (side, mode, planned) in narrow {
            let metadata = Metadata { mode: Some(mode), mtime: None };
            let request = (planned.change.path_on(side).clone(), Expect::Any, metadata);
            let Some(result) = self.scene.sides[side].set_metadata(vec![request]).await.pop() else { continue };
            let result = result.map(|node| {
                let mut done = Done::default();
                done.now[side] = Some(node);
                done
            });
            outcomes.push(Outcome { planned: Planned { lead: Some(planned.at.seq), ..planned }, result });
        }
        if outcomes.is_empty() {
            return Ok(());
        }
        self.flush(&outcomes).await?;
        self.commit(Closing::default(), outcomes).await
    }

    /// The temporary name under which an item may stand while it gets a name that its place may not tell from the old one
    /// (another case, another normal form).
    fn through(&self, side: Side, change: &Change, from: &RelPath) -> Option<Name> {
        let capabilities = self.scene.sides[side].capabilities();
        let folds = capabilities.case_insensitive || capabilities.unicode_insensitive;
        let is_rename = folds && !is_swap_step(change) && change.path_on(side).parent() == from.parent();
        let name = [TEMP_PREFIX, format!("fold-{}", change.pair.0).as_bytes()].concat();
        is_rename.then(|| Name::new(&name)).flatten()
    }

    /// A move through a temporary name leaves an intent until the swap is complete, a version that goes aside until
    /// what takes its place has come.
    async fn intend_moves(&mut self, page: &[Planned]) -> Result<()> {
        let (mut swaps, mut asides) = (Vec::new(), Vec::new());
        for change in page.iter().map(|p| &p.change) {
            let Action::Move { on: side, from, .. } = &change.action else { continue };
            let (side, from, to) = (*side, from.clone(), change.path_on(*side).clone());
            let through = self.through(side, change, &from);
            let above = to.parent().unwrap_or_default();
            let hidden = through.map(|name| above.join(&name)).or_else(|| is_swap_step(change).then(|| to.clone()));
            if let Some(temporary) = hidden {
                let ident = match &change.expect[side] {
                    Expect::Node(node) => node.ident.clone(),
                    Expect::Absent | Expect::Any => Ident::None,
                };
                let holder = self.scene.sides[side].stat(vec![above]).await.pop().transpose()?.flatten();
                // The first half of a swap says in its agreed path where the second half goes.
                let goal = if is_swap_step(change) { change.path.clone() } else { to.clone() };
                let (from, holder) = (from.clone(), holder.map(|h| h.ident));
                swaps.push(IntentItem::Swap { side, temporary, from, to: goal, ident, holder });
            }
            if !is_swap_step(change) && change.expect[side.other()] == Expect::Absent {
                asides.push(IntentItem::Aside { side, aside: to, from });
            }
        }
        let now = self.clock.now();
        for (items, kept) in [(swaps, &mut self.kept_intents), (asides, &mut self.aside_intents)] {
            if !items.is_empty() {
                kept.push(self.scene.ledger.intend(self.preview, items, now).await?);
            }
        }
        Ok(())
    }

    /// Removes intents whose decisions are done. After a failure they stay for the next run to look at: an item may
    /// stand under a temporary name, or aside with nothing at its place.
    pub(super) async fn release(&self, intents: Vec<i64>) -> Result<()> {
        if !self.undone.is_empty() {
            return Ok(());
        }
        let writes: Vec<Write> = intents.into_iter().map(|id| self.scene.ledger.remove_intent(id)).collect();
        if !writes.is_empty() {
            self.store.write(self.tenant, writes).await?;
        }
        Ok(())
    }
}

/// The identity of the file or link that a change moves.
fn moved_ident(change: &Change) -> Option<&Ident> {
    let Action::Move { on, .. } = change.action else { return None };
    match &change.expect[on] {
        Expect::Node(node) if node.kind != Kind::Dir && node.ident != Ident::None => Some(&node.ident),
        Expect::Node(_) | Expect::Absent | Expect::Any => None,
    }
}

pub(super) fn hangs_nowhere(change: &Change) -> Error {
    Error::new(Code::Stale, "carry", &change.path).because("its directory could not be brought into step")
}
