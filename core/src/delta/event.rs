//! A folder that one side deleted and the other changed (row 24) is one event: what becomes of its items is held back
//! until the folder itself is decided, and then counted and ticked as one conflict.

use std::collections::HashMap;

use super::change::{Action, Change, ChangeKind};
use super::dirs::{Dir, DirId};
use super::reconciler::Reconciler;

/// Beyond so many changes an event is given out as it comes and every change in it counts for itself.
const MOST_HELD_BACK: usize = 10_000;

/// The events that are not decided yet, by the topmost folder; `None` for one that became too large.
#[derive(Debug, Default)]
pub(super) struct Events(HashMap<DirId, Option<Vec<Change>>>);

impl Events {
    pub(super) fn begin(&mut self, id: DirId) {
        self.0.insert(id, Some(Vec::new()));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What was held back for the folder.
    pub(super) fn end(&mut self, id: DirId) -> Vec<Change> {
        self.0.remove(&id).flatten().unwrap_or_default()
    }
}

impl Reconciler {
    /// Gives out a change of an item of `dir`, or holds it back for the event that the directory is part of.
    pub(super) fn give_in(&mut self, dir: &Dir, mut change: Change, out: &mut Vec<Change>) {
        change.decides = self.deciding.or(change.decides);
        let held = dir.event.and_then(|event| self.events.0.get_mut(&event));
        let Some(changes) = held.filter(|changes| changes.is_some()) else { return self.give(change, out) };
        change.follows |= std::mem::take(&mut self.following);
        let Some(list) = changes else { return };
        list.push(change);
        if list.len() > MOST_HELD_BACK {
            for change in changes.take().unwrap_or_default() {
                self.give(change, out);
            }
        }
    }

    /// The change of an item of `dir` that was given last.
    pub(super) fn last_in<'a>(&'a mut self, dir: &Dir, out: &'a mut [Change]) -> Option<&'a mut Change> {
        match dir.event.and_then(|event| self.events.0.get_mut(&event)?.as_mut()) {
            Some(held) => held.last_mut(),
            None => out.last_mut(),
        }
    }

    /// Gives out what was held back: behind `head`, the change of the folder itself, as parts of its decision when the
    /// event is a conflict, else each for itself.
    pub(super) fn give_event(
        &mut self,
        parent: &Dir,
        head: Option<Change>,
        held: Vec<Change>,
        is_conflict: bool,
        out: &mut Vec<Change>,
    ) {
        let is_effect = |c: &Change| !matches!(c.action, Action::Skip(_) | Action::Record | Action::Forget);
        let (mut effects, quiet): (Vec<_>, Vec<_>) = held.into_iter().partition(is_effect);
        for change in quiet {
            self.give_in(parent, change, out);
        }
        if let Some(head) = head {
            effects.insert(0, head);
        } else if let Some(first) = effects.iter().position(|c| c.kind == ChangeKind::Conflict) {
            effects[..=first].rotate_right(1);
        }
        for (i, mut change) in effects.into_iter().enumerate() {
            change.follows |= is_conflict && i > 0;
            self.give_in(parent, change, out);
        }
    }
}
