//! What a person has decided about items that no policy decides, and how that becomes changes.
//!
//! A decision speaks of two states: what each side showed when the person looked. Where a side has moved on since, the
//! decision is stale and nothing follows from it; the item waits again. Every version that loses goes to the trash.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::change::{Action, ChangeKind, SkipReason, Step};
use super::dirs::{ASIDE, Dir, Fate, joined, structure_rank};
use super::emit::{Item, Order};
use super::names::{Folding, can_hold, conflict_name};
use super::reconciler::{Reconciler, View};
use crate::model::{Ident, Kind, Name, Node, RelPath, Side, Sides, SyncMode};

/// What is to become of an item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// That side's state is right: the other side becomes like it, also when that is absence.
    Keep(Side),
    /// Both stay, one of them under a conflict name.
    KeepBoth,
    /// The item of that side gets this name, and both sides have it under that name.
    Rename(Side, Name),
}

/// An item that waits for a person.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Names it in the book.
    pub conflict: i64,
    /// What each side showed.
    pub seen: Sides<Option<Node>>,
    /// The side whose file an unclean stop may have damaged. That stays a doubt after a clean run too: forgotten, the
    /// damage would pass for an edit.
    pub suspect: Option<Side>,
    /// What was decided, if anything was.
    pub decision: Option<Decision>,
    /// A run began to carry it out and did not end: the side that loses may be part of the way.
    pub interrupted: bool,
}

/// Everything that waits, by its agreed path.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    by_path: HashMap<RelPath, Waiting>,
    /// Directories that hold something decided.
    dirs: HashSet<RelPath>,
}

impl Decisions {
    /// What waits, by path.
    #[must_use]
    pub fn new(by_path: HashMap<RelPath, Waiting>) -> Self {
        let decided = by_path.iter().filter(|(_, waiting)| waiting.decision.is_some());
        Self { dirs: decided.filter_map(|(path, _)| path.parent()).collect(), by_path }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    pub(super) fn concern(&self, dir: &RelPath) -> bool {
        !self.dirs.is_empty() && self.dirs.contains(dir)
    }
}

/// A decision that nothing came of, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedDecision {
    /// Names the conflict in the book.
    pub conflict: i64,
    /// Why, in words for a person.
    pub reason: &'static str,
}

/// The decision that the fate of a directory comes from.
#[derive(Clone, Debug)]
pub(super) struct Deciding {
    pub(super) conflict: i64,
    /// Why it waited, should the directory have to stay after all.
    pub(super) reason: SkipReason,
}

impl Waiting {
    /// Both sides are as the person saw them. Where a side gives identities, the time of the last change of the inode
    /// does not count: a rename that was taken back after a crash changes nothing but that.
    fn is_as_seen(&self, nodes: &Sides<Option<Node>>) -> bool {
        // Where it was interrupted, what loses may be in the trash already.
        let may_be_gone = |side: Side| self.interrupted && self.decision == Some(Decision::Keep(side.other()));
        Side::BOTH.into_iter().all(|side| match (&self.seen[side], &nodes[side]) {
            (None, None) => true,
            (Some(seen), Some(now)) => is_same(seen, now),
            (Some(_), None) => may_be_gone(side),
            (None, Some(_)) => false,
        })
    }

    /// The reason is one for a person, or what a mirror makes of a decision against it that was interrupted.
    fn is_about(&self, reason: &SkipReason) -> bool {
        reason.waits() || (self.interrupted && *reason == SkipReason::Untracked)
    }
}

fn is_same(seen: &Node, now: &Node) -> bool {
    if seen.kind != now.kind || seen.ident != now.ident {
        return false;
    }
    let mut token = now.token.clone();
    if seen.ident != Ident::None {
        token.ctime = seen.token.ctime;
    }
    seen.kind == Kind::Dir || seen.token == token
}

const MOVED_ON: &str = "a side is not as it was when this was decided";
const IMPOSSIBLE: &str =
    "it cannot be carried out: the name is taken or cannot be held, or something in the directory stays";

impl Reconciler {
    /// Decisions that this walk met and that nothing follows from.
    #[must_use]
    pub fn dropped_decisions(&self) -> &[DroppedDecision] {
        &self.dropped
    }

    /// That side's file was damaged by an unclean stop before the last run, and is as it was then.
    pub(super) fn is_still_suspect(&self, dir: &Dir, name: &Name, side: Side, node: Option<&Node>) -> bool {
        if self.settings.decisions.is_empty() {
            return false;
        }
        let waiting = self.settings.decisions.by_path.get(&dir.path.join(name));
        let seen = waiting.filter(|w| w.suspect == Some(side)).and_then(|w| w.seen[side].as_ref());
        seen.zip(node).is_some_and(|(seen, node)| is_same(seen, node))
    }

    /// Carries out what was decided about an item that would wait otherwise. False: it waits.
    pub(super) fn carry_decision(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        reason: &SkipReason,
        out: &mut Vec<super::Change>,
    ) -> bool {
        if !self.settings.decisions.concern(&dir.path) {
            return false;
        }
        let decisions = self.settings.decisions.clone();
        let waiting = decisions.by_path.get(&item.path).filter(|waiting| waiting.is_about(reason));
        let Some(waiting) = waiting else { return false };
        let Some(decision) = &waiting.decision else { return false };
        let drop = |reason| DroppedDecision { conflict: waiting.conflict, reason };
        if !self.decided.insert(waiting.conflict) {
            self.dropped.push(drop(IMPOSSIBLE));
            return false;
        }
        if !waiting.is_as_seen(&item.nodes) {
            self.dropped.push(drop(MOVED_ON));
            return false;
        }
        self.deciding = Some(waiting.conflict);
        let deciding = Deciding { conflict: waiting.conflict, reason: reason.clone() };
        let mut item = item.clone();
        item.stay(dir);
        let done = match decision {
            Decision::Keep(side) => self.keep(dir, &item, *side, deciding, out),
            Decision::KeepBoth => self.keep_all(dir, &item, reason, out),
            Decision::Rename(side, name) => {
                !matches!(reason, SkipReason::Suspect(_)) && self.rename(dir, &item, *side, name.clone(), out)
            }
        };
        self.deciding = None;
        if !done {
            self.dropped.push(drop(IMPOSSIBLE));
        }
        done
    }

    fn keep(
        &mut self,
        dir: &mut Dir,
        item: &Item,
        side: Side,
        deciding: Deciding,
        out: &mut Vec<super::Change>,
    ) -> bool {
        let other = side.other();
        let kinds = item.nodes.as_ref().map(|node| node.as_ref().map(|node| node.kind));
        let selective = self.settings.mode == SyncMode::Selective;
        match (kinds[side], kinds[other]) {
            (Some(Kind::Dir), Some(Kind::Dir)) | (None, None) => false,
            (Some(Kind::Dir), Some(_)) if selective => false,
            (Some(Kind::Dir), Some(_)) => {
                let was_dir = item.row.as_ref().is_some_and(|row| row.kind == Kind::Dir);
                self.folder_wins(dir, dir.id, item.clone(), side, was_dir, true, out);
                true
            }
            (Some(_), Some(Kind::Dir)) => {
                let pair = self.pair_of(item);
                let fate = Fate::Remove { on: other, step: Step::Clear, replaced: Some(ChangeKind::Conflict) };
                self.remove_by_decision(dir, item, pair, fate, deciding);
                true
            }
            (Some(_), Some(_)) => {
                let pair = self.pair_of(item);
                self.emit_transfer(dir, item, pair, ChangeKind::Conflict, other, true, out);
                true
            }
            (Some(kind), None) => {
                // The other side cannot have it under this name: only another name helps.
                if matches!(deciding.reason, SkipReason::NameCollision(_) | SkipReason::NameNotAllowed(_)) {
                    return false;
                }
                let pair = self.pair_of(item);
                if kind == Kind::Dir {
                    self.emit_make_dir(dir, item, pair, other, ChangeKind::Conflict, out);
                    let fate = self.fate_of_made(other, false);
                    self.push(dir.child(dir.id, item.clone(), pair, fate));
                } else {
                    self.emit_transfer(dir, item, pair, ChangeKind::Conflict, other, false, out);
                }
                true
            }
            (None, Some(Kind::Dir)) => {
                let pair = self.pair_of(item);
                let fate = Fate::Remove { on: other, step: Step::Delete, replaced: None };
                self.remove_by_decision(dir, item, pair, fate, deciding);
                true
            }
            (None, Some(_)) => {
                let pair = self.pair_of(item);
                self.emit_delete(dir, item, pair, other, ChangeKind::Conflict, Step::Delete, out);
                true
            }
        }
    }

    fn remove_by_decision(
        &mut self,
        dir: &Dir,
        item: &Item,
        pair: crate::model::PairId,
        fate: Fate,
        deciding: Deciding,
    ) {
        let mut child = dir.child(dir.id, item.clone(), pair, fate);
        child.deciding = Some(deciding);
        self.push(child);
    }

    fn keep_all(&mut self, dir: &mut Dir, item: &Item, reason: &SkipReason, out: &mut Vec<super::Change>) -> bool {
        let view = names_of(dir);
        let is_dir = item.nodes.as_ref().map(|node| node.as_ref().is_some_and(|node| node.kind == Kind::Dir));
        match (&item.nodes.left, &item.nodes.right) {
            (Some(_), Some(_)) if is_dir.left != is_dir.right => {
                if self.settings.mode == SyncMode::Selective {
                    return false;
                }
                let folder = if is_dir.left { Side::Left } else { Side::Right };
                let was_dir = item.row.as_ref().is_some_and(|row| row.kind == Kind::Dir);
                self.folder_keeps_the_name(dir, dir.id, item.clone(), folder, was_dir, &view, out);
                true
            }
            (Some(_), Some(_)) if is_dir.left => false,
            (Some(_), Some(_)) => {
                self.keep_both(dir, item, &view, out);
                true
            }
            (None, None) => false,
            (left, _) => {
                let side = if left.is_some() { Side::Left } else { Side::Right };
                if matches!(reason, SkipReason::Suspect(_)) {
                    let pair = self.pair_of(item);
                    self.emit_transfer(dir, item, pair, ChangeKind::Conflict, side.other(), false, out);
                    return true;
                }
                let mut taken = dir.names.clone().unwrap_or_default();
                let name = conflict_name(&item.name, side, &self.settings.stamp, &self.settings.rules, &mut taken);
                self.rename(dir, item, side, name, out)
            }
        }
    }

    /// One side's item gets another name and comes to the other side under it. Where the other side has something of
    /// the old name, that comes over as well.
    fn rename(&mut self, dir: &mut Dir, item: &Item, on: Side, name: Name, out: &mut Vec<super::Change>) -> bool {
        let Some(node) = item.nodes[on].clone() else { return false };
        let other = on.other();
        let path = dir.path.join(&name);
        let is_dir = node.kind == Kind::Dir;
        let was_dir = item.row.as_ref().is_some_and(|row| row.kind == Kind::Dir);
        let taken = dir.names.get_or_insert_default();
        let is_free = taken.insert(Folding::of(&self.settings.rules).key(&name).into_owned());
        let holds = Side::BOTH.iter().all(|side| can_hold(&self.settings.rules[*side], &name));
        let takes_part = self.settings.scope.includes(&path, is_dir);
        // What the ledger knows of a directory hangs on its number, which stays with the name.
        let is_held = is_dir && was_dir;
        if !(is_free && holds && takes_part) || is_held || (is_dir && self.settings.mode == SyncMode::Selective) {
            return false;
        }
        let stays = item.nodes[other].clone();
        let mut renamed = item.clone();
        (renamed.row, renamed.was, renamed.moves) = (None, None, None);
        renamed.nodes[other] = None;
        renamed.content[other] = None;
        renamed.real[other] = None;
        renamed.path_on = joined(dir, &name, &Sides::default(), &path);
        (renamed.path, renamed.name) = (path, name);
        let from = item.path_on[on].as_ref().unwrap_or(&item.path).clone();
        let pair = self.new_pair();
        let order = Order { step: Step::Structure, rank: structure_rank(renamed.depth(), ASIDE) };
        let action = Action::Move { on, from, settled: Sides::new(false, false) };
        dir.survives[on] = true;
        dir.needed[on] = true;
        self.emit(dir, &renamed, pair, ChangeKind::Conflict, node.kind, action, order, 0, out);
        self.follow_next();
        if is_dir {
            self.emit_make_dir(dir, &renamed, pair, other, ChangeKind::Conflict, out);
            let fate = self.fate_of_made(other, false);
            self.push(dir.child(dir.id, renamed, pair, fate));
        } else {
            self.emit_transfer(dir, &renamed, pair, ChangeKind::Conflict, other, false, out);
        }
        let mut rest = item.clone();
        rest.nodes[on] = None;
        rest.content[on] = None;
        match stays.map(|node| node.kind) {
            Some(Kind::Dir) => {
                let pair = self.pair_of(&rest);
                self.follow_next();
                self.emit_make_dir(dir, &rest, pair, on, ChangeKind::Conflict, out);
                let fate = self.fate_of_made(on, was_dir);
                self.push(dir.child(dir.id, rest, pair, fate));
            }
            Some(_) => {
                let pair = self.pair_of(&rest);
                self.follow_next();
                self.emit_transfer(dir, &rest, pair, ChangeKind::Conflict, on, false, out);
            }
            None => {
                if let Some(row) = &item.row {
                    let pair = row.id;
                    self.follow_next();
                    self.emit_ledger(dir, &rest, pair, ChangeKind::Unchanged, Action::Forget, out);
                    if let Some(change) = self.last_in(dir, out) {
                        change.expect = Sides::new(super::Expect::Any, super::Expect::Any);
                    }
                }
            }
        }
        true
    }
}

impl Reconciler {
    /// What becomes of a directory that is made on that side for a decision: a mirror's source has it only because a
    /// person wants it there, and so everything in it.
    pub(super) fn fate_of_made(&self, side: Side, was_dir: bool) -> Fate {
        let against_the_mode = self.settings.mode != SyncMode::Bidirectional && side == Side::Left;
        if was_dir || against_the_mode { Fate::Restore { side } } else { Fate::Both }
    }

    /// What becomes of a directory that both sides have: what it holds is decided by the table, unless it was made on one
    /// side against the mode and could not be filled.
    pub(super) fn fate_of_both(&self, dir: &Dir, item: &Item) -> Fate {
        let mirrors = self.settings.mode != SyncMode::Bidirectional;
        if mirrors && matches!(dir.fate, Fate::Restore { side: Side::Left }) {
            return dir.fate.clone();
        }
        if !mirrors || !self.settings.decisions.concern(&dir.path) {
            return Fate::Both;
        }
        let waiting = self.settings.decisions.by_path.get(&item.path).filter(|waiting| waiting.interrupted);
        let keeps = waiting.is_some_and(|waiting| {
            let seen = waiting.seen.right.as_ref().zip(item.nodes.right.as_ref());
            waiting.decision == Some(Decision::Keep(Side::Right)) && seen.is_some_and(|(seen, now)| is_same(seen, now))
        });
        if keeps { Fate::Restore { side: Side::Left } } else { Fate::Both }
    }
}

/// The names in a directory, as those who choose conflict names ask for them.
fn names_of(dir: &Dir) -> View {
    let taken = RefCell::new(Some(dir.names.clone().unwrap_or_default()));
    View { taken, ..View::default() }
}
