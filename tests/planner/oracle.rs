//! What the table of the reconciliation contract (section 3) says of one name, in the contract's own words and
//! independent of the reconciler: it knows both trees and the ledger whole and says what must be there afterwards.

use std::collections::{BTreeMap, BTreeSet};

use portbook::model::{ConflictPolicy, Kind, Side, Sides, SyncMode};

use crate::expected::{Base, Expected, Rules, STAMP, Seen};

/// One name under the table.
pub struct Table<'a> {
    pub rules: &'a Rules,
}

impl Table<'_> {
    pub fn item(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        let name = at.rsplit('/').next().expect("a name");
        let is_shown = |s: &Seen| !matches!(s, Seen::Absent | Seen::Unlisted(_));
        let leaves_out = |s: &Seen| is_shown(s) && self.rules.excludes(name, s.is_dir());
        let nothing_there = !is_shown(is.left) && !is_shown(is.right);
        // Row 18: stop tracking, touch nothing.
        if leaves_out(is.left)
            || leaves_out(is.right)
            || (nothing_there && *base != Base::Absent && self.rules.excludes(name, matches!(base, Base::Dir(_))))
        {
            let is_said = out.left_alone || *base != Base::Absent;
            self.leave(at, &Base::Absent, is, out);
            out.left_alone = is_said;
            return;
        }
        // Rows 16 and 17: no action on the item.
        if Side::BOTH.iter().any(|s| matches!(is[*s], Seen::Unlisted(_))) {
            return self.leave(at, base, is, out);
        }
        if self.is_undecidable(base, is) {
            // Neither side has a directory there any more: the rows beneath one go.
            let own = if matches!(base, Base::Dir(_)) { &Base::Dir(BTreeMap::new()) } else { base };
            return self.leave(at, own, is, out);
        }
        match (is.left.is_dir(), is.right.is_dir()) {
            (true, true) => self.two_dirs(at, base, is, out),
            (false, false) => self.leaves(at, base, is, out),
            (true, false) if *is.right == Seen::Absent => self.one_dir(at, base, is, Side::Left, out),
            (false, true) if *is.left == Seen::Absent => self.one_dir(at, base, is, Side::Right, out),
            (true, false) => self.dir_against_leaf(at, base, is, Side::Left, out),
            (false, true) => self.dir_against_leaf(at, base, is, Side::Right, out),
        }
    }

    fn leave(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        for side in Side::BOTH {
            out.keep(side, at, is[side]);
        }
        out.keep_rows(at, base);
        out.left_alone = true;
    }

    /// A file whose content cannot be read is unknown where only its content can decide: it has the size of the agreed
    /// one, or both sides changed and have the same size.
    fn is_undecidable(&self, base: &Base, is: Sides<&Seen>) -> bool {
        Side::BOTH.iter().any(|s| {
            let Seen::Leaf { kind, content, unhashable: true, .. } = is[*s] else { return false };
            let same = |k: &Kind, c: &String| k == kind && c.len() == content.len();
            let as_base = matches!(base, Base::Leaf { kind, content } if same(kind, content));
            let other = is[s.other()];
            let as_other =
                !base.equals(other) && matches!(other, Seen::Leaf { kind, content, .. } if same(kind, content));
            as_base || as_other
        })
    }

    /// Rows 25 and 26.
    fn two_dirs(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        let sealed = |s: &Seen| matches!(s, Seen::Dir { sealed: true, .. });
        if sealed(is.left) || sealed(is.right) {
            self.leave(at, base, is, out);
            out.rows.insert(at.to_owned());
            return;
        }
        out.both(at, Kind::Dir, "");
        self.children(at, base, is, out);
    }

    fn children(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        let mut names = BTreeSet::new();
        for side in Side::BOTH {
            if let Seen::Dir { children, .. } = is[side] {
                names.extend(children.keys().copied());
            }
        }
        if let Base::Dir(children) = base {
            names.extend(children.keys().copied());
        }
        for name in names {
            let there = Sides::new(is.left.child(name), is.right.child(name));
            self.item(&format!("{at}/{name}"), base.child(name), there, out);
        }
    }

    /// Rows 1 to 15 for files and links.
    fn leaves(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        let as_base = is.map(|s| base.equals(s));
        let (l, r) = (is.left, is.right);
        match (l, r) {
            (Seen::Absent, Seen::Absent) => return, // 1, 11
            (Seen::Leaf { kind, content, .. }, Seen::Leaf { kind: k, content: c, .. }) if kind == k && content == c => {
                let touched = |s: &Seen| matches!(s, Seen::Leaf { touched: true, .. });
                if as_base.left && (touched(l) || touched(r)) {
                    out.updated += 1; // attributes are merged
                }
                return out.both(at, *kind, content); // 4, 6, 9
            }
            _ => {}
        }
        if self.rules.mode != SyncMode::Bidirectional {
            return self.mirrored_leaves(at, base, is, as_base, out);
        }
        for side in Side::BOTH {
            if as_base[side.other()] || (*base == Base::Absent && *is[side.other()] == Seen::Absent) {
                return self.take(at, base, is, side, out); // 2, 3, 7, 8, 12, 13
            }
        }
        out.conflicts += 1;
        for side in Side::BOTH {
            if *is[side] == Seen::Absent {
                // 14, 15: an edit outranks a deletion unless the policy names the side that deleted.
                let from = if self.rules.winner() == Some(side) { side } else { side.other() };
                let mut event = Expected::default();
                self.take(at, base, is, from, &mut event);
                return out.absorb(event);
            }
        }
        // 5, 10
        let winner = match self.rules.policy {
            ConflictPolicy::LatestWins => self.rules.later,
            ConflictPolicy::SourceWins | ConflictPolicy::DestinationWins | ConflictPolicy::KeepBoth => {
                self.rules.winner()
            }
        };
        match winner {
            Some(side) => {
                let Seen::Leaf { kind, content, .. } = is[side] else { panic!("both are there") };
                out.both(at, *kind, content);
                out.trash_all(is[side.other()]);
            }
            None => {
                let Seen::Leaf { kind, content, .. } = l else { panic!("both are there") };
                out.both(at, *kind, content);
                let Seen::Leaf { kind, content, .. } = r else { panic!("both are there") };
                out.both(&format!("{at} (conflict right {STAMP})"), *kind, content);
            }
        }
    }

    /// Both sides become as `from` is; what is deleted goes to the trash, what is updated is known to the ledger.
    fn take(&self, at: &str, base: &Base, is: Sides<&Seen>, from: Side, out: &mut Expected) {
        match is[from] {
            Seen::Leaf { kind, content, .. } => {
                out.both(at, *kind, content);
                if *is[from.other()] == Seen::Absent {
                    out.new += 1;
                } else {
                    out.updated += 1;
                }
            }
            Seen::Absent => {
                out.trash_all(is[from.other()]);
                out.deleted += 1;
            }
            Seen::Dir { .. } | Seen::Unlisted(_) => panic!("a leaf of {base:?}"),
        }
    }

    /// Target := source; both changed is a conflict that the source wins.
    fn mirrored_leaves(&self, at: &str, base: &Base, is: Sides<&Seen>, as_base: Sides<bool>, out: &mut Expected) {
        let both_changed = !as_base.left && !as_base.right;
        let never_known = *base == Base::Absent;
        match (is.left, is.right) {
            (Seen::Absent, _) if never_known && !self.rules.exact => {
                out.keep(Side::Right, at, is.right); // note a
                out.left_alone = true;
            }
            (Seen::Absent, gone) => {
                out.trash_all(gone);
                if both_changed { out.conflicts += 1 } else { out.deleted += 1 }
            }
            (Seen::Leaf { kind, content, .. }, Seen::Absent) => {
                out.both(at, *kind, content);
                if both_changed && !never_known { out.conflicts += 1 } else { out.new += 1 }
            }
            (Seen::Leaf { kind, content, .. }, replaced) => {
                out.both(at, *kind, content);
                if !as_base.right {
                    out.trash_all(replaced);
                }
                if both_changed { out.conflicts += 1 } else { out.updated += 1 }
            }
            (Seen::Dir { .. } | Seen::Unlisted(_), _) => panic!("a leaf"),
        }
    }

    /// A directory on one side and nothing on the other.
    fn one_dir(&self, at: &str, base: &Base, is: Sides<&Seen>, has: Side, out: &mut Expected) {
        let lacks = has.other();
        let mirror = self.rules.mode != SyncMode::Bidirectional;
        let was_dir = matches!(base, Base::Dir(_));
        let sealed = matches!(is[has], Seen::Dir { sealed: true, .. });
        if self.rules.mode == SyncMode::Selective && has == Side::Left {
            return self.made_when_needed(at, base, is, out);
        }
        if mirror && has == Side::Right && !was_dir {
            if !self.rules.exact {
                return self.leave(at, &Base::Absent, is, out); // note a: the file of this name is gone from both
            }
            return self.remove_all(at, is, has, out);
        }
        if !was_dir || (mirror && has == Side::Left) {
            // Rows 2 and 3, or a mirror that makes again what the target lost.
            out.both(at, Kind::Dir, "");
            out.new += 1;
            if sealed {
                self.leave(at, base, is, out);
                return;
            }
            return self.carry_children(at, is[has], has, out);
        }
        if sealed {
            return self.leave(at, base, is, out);
        }
        // Rows 23 and 24: each descendant by rows 3, 12, 14.
        let mut event = Expected::default();
        self.children(at, base, is, &mut event);
        let comes_back = event.holds_something(lacks, at);
        let counts = (event.new, event.updated, event.deleted, event.conflicts);
        let stays = event.holds_something(has, at);
        out.absorb(event);
        if comes_back {
            out.both(at, Kind::Dir, "");
            out.conflicts += 1;
            return;
        }
        if stays {
            out.trees[has].insert(at.to_owned(), (Kind::Dir, String::new()));
            out.rows.insert(at.to_owned());
        }
        if counts.3 > 0 {
            out.conflicts += 1;
        } else {
            out.deleted += counts.2 + u64::from(!stays);
        }
    }

    /// Selective mode: the target holds files, and directories only for what is in them.
    fn made_when_needed(&self, at: &str, base: &Base, is: Sides<&Seen>, out: &mut Expected) {
        if matches!(is.left, Seen::Dir { sealed: true, .. }) {
            return self.leave(at, base, is, out);
        }
        let mut inner = Expected::default();
        self.children(at, base, is, &mut inner);
        let (is_needed, left_alone) = (inner.holds_something(Side::Right, at), inner.left_alone);
        out.new += inner.new;
        out.updated += inner.updated;
        out.deleted += inner.deleted;
        out.conflicts += inner.conflicts;
        let has_rows = !inner.rows.is_empty();
        out.absorb(inner);
        out.trees.left.insert(at.to_owned(), (Kind::Dir, String::new()));
        if is_needed {
            out.both(at, Kind::Dir, "");
            out.new += 1;
        } else if *base != Base::Absent && (left_alone && has_rows) {
            out.rows.insert(at.to_owned());
        }
    }

    /// *Exact*: what the ledger never knew goes, except what is left out or cannot be seen.
    fn remove_all(&self, at: &str, is: Sides<&Seen>, has: Side, out: &mut Expected) {
        let Seen::Dir { children, sealed } = is[has] else { panic!("a directory") };
        if *sealed {
            return self.leave(at, &Base::Absent, is, out);
        }
        for (name, child) in children {
            let below = format!("{at}/{name}");
            if self.rules.excludes(name, child.is_dir()) {
                out.keep(has, &below, child);
            } else if child.is_dir() {
                let mut only = Sides::new(&Seen::Absent, &Seen::Absent);
                only[has] = child;
                self.remove_all(&below, only, has, out);
            } else {
                out.trash_all(child);
                out.deleted += 1;
            }
        }
        if out.holds_something(has, at) {
            out.trees[has].insert(at.to_owned(), (Kind::Dir, String::new()));
        } else {
            out.deleted += 1;
        }
    }

    /// Everything in the directory comes to the other side, but for what is left out.
    fn carry_children(&self, at: &str, dir: &Seen, from: Side, out: &mut Expected) {
        let Seen::Dir { children, .. } = dir else { panic!("a directory") };
        for (name, child) in children {
            let below = format!("{at}/{name}");
            match child {
                _ if self.rules.excludes(name, child.is_dir()) => {
                    out.keep(from, &below, child);
                }
                Seen::Leaf { kind, content, .. } => {
                    out.both(&below, *kind, content);
                    out.new += 1;
                }
                Seen::Dir { sealed, .. } => {
                    out.both(&below, Kind::Dir, "");
                    out.new += 1;
                    if *sealed {
                        out.keep(from, &below, child);
                        out.left_alone = true;
                    } else {
                        self.carry_children(&below, child, from, out);
                    }
                }
                Seen::Absent => {}
                Seen::Unlisted(_) => panic!("not in this world"),
            }
        }
    }

    /// Rows 19 to 22 and their like for a mirror.
    fn dir_against_leaf(&self, at: &str, base: &Base, is: Sides<&Seen>, folder: Side, out: &mut Expected) {
        let file = folder.other();
        let was_dir = matches!(base, Base::Dir(_));
        let never_known = *base == Base::Absent;
        let (blocked, untracked) = self.holds_strange(base, is[folder]);
        let mirror = self.rules.mode != SyncMode::Bidirectional;
        let folder_is_new = !was_dir && base.equals(is[file]); // row 19
        let named = match () {
            () if mirror => Some(Side::Left),
            () if folder_is_new => Some(folder),
            () => self.rules.winner(),
        };
        // Who wins hangs on what it holds, and that cannot be seen.
        let is_asked = named == Some(file) || was_dir && !(mirror && named == Some(folder));
        if is_asked && self.holds_sealed(is[folder]) {
            return self.leave(at, base, is, out);
        }
        let file_is_new = was_dir && base.holds_all_of(is[folder]) && !blocked; // row 21
        // A mirror's own directory is as it was, whatever became of what it holds.
        let unopposed = folder_is_new || file_is_new || (mirror && was_dir && folder == Side::Left);
        let winner = match () {
            () if mirror => Some(Side::Left),
            () if folder_is_new => Some(folder),
            () if file_is_new => Some(file),
            () => self.rules.winner(),
        };
        // What is unknown, left out, or (in a mirror) not ours keeps its directory.
        let stays = blocked || (mirror && !self.rules.exact && (untracked || never_known));
        if stays && winner == Some(file) {
            return self.leave(at, base, is, out);
        }
        if self.rules.mode == SyncMode::Selective && folder == Side::Left {
            // The target's file is not the selection's to remove.
            return self.leave(at, base, is, out);
        }
        let count = |out: &mut Expected| if unopposed { out.updated += 1 } else { out.conflicts += 1 };
        count(out);
        let Seen::Leaf { kind, content, .. } = is[file] else { panic!("a leaf") };
        if winner == Some(file) {
            out.both(at, *kind, content);
            out.trash_all(is[folder]);
            out.deleted += is[folder].count_beneath();
            return;
        }
        if winner.is_none() {
            let words = if file == Side::Left { "left" } else { "right" };
            out.both(&format!("{at} (conflict {words} {STAMP})"), *kind, content);
        } else {
            out.trash_all(is[file]);
        }
        out.both(at, Kind::Dir, "");
        if matches!(is[folder], Seen::Dir { sealed: true, .. }) {
            out.keep(folder, at, is[folder]);
            if mirror {
                out.keep_rows(at, base);
            } // else the ledger lets go of what is restored, so that a part that is missing later does not look deleted
            out.left_alone = true;
        } else {
            self.carry_children(at, is[folder], folder, out);
        }
    }

    /// Whether something in the directory cannot be listed, but for what is left out.
    fn holds_sealed(&self, seen: &Seen) -> bool {
        let Seen::Dir { children, sealed } = seen else { return false };
        let mut seen = children.iter().filter(|(name, child)| !self.rules.excludes(name, child.is_dir()));
        *sealed || seen.any(|(_, child)| self.holds_sealed(child))
    }

    /// Whether the directory holds what is left out or cannot be seen, and what the ledger never knew.
    fn holds_strange(&self, base: &Base, seen: &Seen) -> (bool, bool) {
        let Seen::Dir { children, sealed } = seen else { return (false, false) };
        let mut found = (*sealed, false);
        for (name, child) in children {
            if self.rules.excludes(name, child.is_dir()) {
                found.0 = true;
                continue;
            }
            found.1 |= *base.child(name) == Base::Absent;
            let below = self.holds_strange(base.child(name), child);
            found = (found.0 | below.0, found.1 | below.1);
        }
        found
    }
}
