//! A directory on one side against a file or link on the other (rows 19 to 22), and what has to go for it.

use std::cell::RefCell;
use std::collections::HashSet;

use super::change::{Change, ChangeKind, SkipReason, Step};
use super::classify::{State, classify};
use super::dirs::{Clash, Dir, DirId, Fate, Found};
use super::emit::Item;
use super::items::{Now, now};
use super::reconciler::{Reconciler, View};
use super::spot::Spot;
use crate::model::{Kind, PairId, Side, SyncMode};

impl Reconciler {
    /// Looks at an item of a directory that a file stands against; decides nothing.
    pub(super) fn probe(&mut self, dir: &mut Dir, id: DirId, spot: &Spot<'_>, is_excluded: bool) {
        let Fate::Probe { on, .. } = dir.fate else { return };
        let (row, here) = (spot.row, spot.here);
        let Some(entry) = here[on] else { return };
        let is = now(Some(entry));
        if is_excluded || is == Now::Unsupported {
            dir.found.blocked = true;
            return;
        }
        dir.found.untracked |= row.is_none();
        // What only a hash could tell apart counts as changed, which is the careful answer.
        let state = classify(&self.settings, row, Some(&entry.node), on, None);
        dir.found.changed |= match is {
            Now::Dir => row.is_none_or(|r| r.kind != Kind::Dir),
            Now::Leaf => state != State::Same,
            Now::Absent | Now::Unsupported => false,
        };
        if is == Now::Dir
            && let Some(item) = spot.item(dir)
        {
            let pair = row.map_or(PairId(-1), |r| r.id);
            let clash = Box::new(Clash {
                item: item.clone(),
                policy_decides: false,
                file_is_settled: false,
                taken: HashSet::new(),
            });
            self.push(dir.child(id, item, pair, Fate::Probe { on, clash }));
        }
    }

    /// Everything in the directory goes from that side.
    pub(super) fn remove(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        spot: &Spot<'_>,
        on: Side,
        step: Step,
        out: &mut Vec<Change>,
    ) {
        let Some(item) = spot.item(dir) else { return };
        match now(spot.here[on]) {
            Now::Absent => self.forget(dir, id, spot, false, out),
            Now::Unsupported => self.emit_skip(dir, &item, SkipReason::UnsupportedKind, out),
            Now::Leaf => {
                let pair = self.pair_of(&item);
                self.emit_delete(dir, &item, pair, on, ChangeKind::Deleted, step, out);
            }
            Now::Dir => {
                let pair = self.pair_of(&item);
                self.push(dir.child(id, item, pair, Fate::Remove { on, step, replaced: None }));
            }
        }
    }

    /// A directory against a file or link (rows 19 to 22).
    pub(super) fn clash(&mut self, dir: &mut Dir, id: DirId, spot: &Spot<'_>, view: &View, out: &mut Vec<Change>) {
        let Some(mut item) = spot.item(dir) else { return };
        let (row, here) = (spot.row, spot.here);
        item.stay(dir);
        let folder = if now(here.left) == Now::Dir { Side::Left } else { Side::Right };
        let file = folder.other();
        let state = classify(&self.settings, row, item.nodes[file].as_ref(), file, spot.hashed[file]);
        if let State::Unknown(reason) = state {
            return self.emit_skip(dir, &item, SkipReason::Unknown(file, reason), out);
        }
        let was_dir = row.is_some_and(|r| r.kind == Kind::Dir);
        let mirrors = self.settings.mode != SyncMode::Bidirectional;
        let file_is_settled = !was_dir && state.is_settled();
        let winner = match self.settings.mode {
            SyncMode::Mirror | SyncMode::Selective => Some(Side::Left),
            // Row 19: the file is as it was, the other side made a directory of it.
            SyncMode::Bidirectional if file_is_settled => Some(folder),
            SyncMode::Bidirectional => self.rule().winner(),
        };
        // Row 21: whether the directory is as it was can only be told from what it holds.
        if (mirrors || !was_dir) && winner == Some(folder) {
            let opposed = !(file_is_settled || mirrors && was_dir);
            return self.folder_wins(dir, id, item, folder, was_dir, opposed, out);
        }
        if winner == Some(file) || was_dir {
            let pair = row.map_or(PairId(-1), |r| r.id);
            let taken = if self.rule().winner().is_none() { self.names_taken(view).clone() } else { HashSet::new() };
            let policy_decides = winner.is_none() || was_dir;
            let clash = Box::new(Clash { item: item.clone(), policy_decides, file_is_settled, taken });
            return self.push(dir.child(id, item, pair, Fate::Probe { on: folder, clash }));
        }
        self.folder_keeps_the_name(dir, id, item, folder, was_dir, view, out);
    }

    /// The file goes to the trash of its side and the directory is made there.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    pub(super) fn folder_wins(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        item: Item,
        folder: Side,
        was_dir: bool,
        opposed: bool,
        out: &mut Vec<Change>,
    ) {
        let file = folder.other();
        if self.settings.mode == SyncMode::Selective {
            return self.emit_skip(dir, &item, SkipReason::NotReleasable, out);
        }
        let pair = self.pair_of(&item);
        let kind = if opposed { ChangeKind::Conflict } else { ChangeKind::Updated };
        self.emit_delete(dir, &item, pair, file, kind, Step::Clear, out);
        self.folder_follows(dir, id, item, pair, folder, was_dir, kind, out);
    }

    /// Both are kept: the file goes aside.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    pub(super) fn folder_keeps_the_name(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        item: Item,
        folder: Side,
        was_dir: bool,
        view: &View,
        out: &mut Vec<Change>,
    ) {
        self.set_aside(dir, &item, folder.other(), view, out);
        let pair = self.pair_of(&item);
        self.folder_follows(dir, id, item, pair, folder, was_dir, ChangeKind::Conflict, out);
    }

    /// Where the file was the directory is made, with what it holds.
    #[allow(clippy::too_many_arguments)] // the item, its directory, and where the result goes
    fn folder_follows(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        mut item: Item,
        pair: PairId,
        folder: Side,
        was_dir: bool,
        kind: ChangeKind,
        out: &mut Vec<Change>,
    ) {
        let file = folder.other();
        item.nodes[file] = None;
        self.follow_next();
        self.emit_make_dir(dir, &item, pair, file, kind, out);
        let fate = self.fate_of_made(file, was_dir);
        self.push(dir.child(id, item, pair, fate));
    }

    /// Decides a directory against a file once it is known what the directory holds.
    pub(super) fn resolve_clash(
        &mut self,
        dir: &mut Dir,
        id: DirId,
        folder: Side,
        clash: Clash,
        found: Found,
        out: &mut Vec<Change>,
    ) {
        let Clash { item, policy_decides, file_is_settled, taken } = clash;
        let was_dir = item.row.as_ref().is_some_and(|r| r.kind == Kind::Dir);
        let mirrors = self.settings.mode != SyncMode::Bidirectional;
        let is_unknown = found.unknown.is_some();
        if let Some((side, reason)) = found.unknown.filter(|_| !mirrors) {
            // Whether anything in it changed decides who wins; one look that failed must not.
            return self.emit_skip(dir, &item, SkipReason::Unknown(side, reason), out);
        }
        let is_untracked = found.untracked || item.row.is_none();
        let stays = found.blocked || is_unknown || (mirrors && is_untracked && !self.settings.exact);
        let unopposed = was_dir && !found.changed && !found.blocked;
        if !mirrors && !unopposed && policy_decides {
            match self.rule().winner() {
                Some(side) if side == folder => return self.folder_wins(dir, id, item, folder, was_dir, true, out),
                Some(_) => {}
                None => {
                    let view = View { taken: RefCell::new(Some(taken)), ..View::default() };
                    return self.folder_keeps_the_name(dir, id, item, folder, was_dir, &view, out);
                }
            }
        }
        if stays {
            // What is unknown, excluded or not ours keeps its directory, and two items cannot have one name.
            return self.emit_skip(dir, &item, SkipReason::NameCollision(folder), out);
        }
        let pair = self.pair_of(&item);
        let replaced = Some(if unopposed || file_is_settled { ChangeKind::Updated } else { ChangeKind::Conflict });
        self.push(dir.child(id, item, pair, Fate::Remove { on: folder, step: Step::Clear, replaced }));
    }
}
