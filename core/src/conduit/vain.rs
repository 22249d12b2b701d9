//! Where a side has no room any more. What does not fit is the failure of that one item, since something smaller may still
//! fit; after a few of them nothing that is as large is tried in vain. Deletions, moves, and what goes the other way go on.
//!
//! What was left out is one line in the report for each side, and not one for each of maybe a million files.

use crate::delta::{Action, Change};
use crate::error::{Code, Error, Result};
use crate::model::{Side, Sides};
use crate::operation::plan::Planned;

use super::apply::{Apply, dir_in_ledger};

/// So many items that find no room are enough to believe it.
const TRIES: u32 = 3;

/// What is known of the room on both sides.
#[derive(Debug)]
pub(crate) struct Vain {
    sides: Sides<Known>,
    /// What is not tried and not in the book yet.
    left_out: Vec<Planned>,
}

impl Default for Vain {
    fn default() -> Self {
        Self { sides: Sides::new(Known::default(), Known::default()), left_out: Vec::new() }
    }
}

#[derive(Debug)]
struct Known {
    tries: u32,
    /// The bytes of the smallest item that did not fit.
    least: u64,
    /// The first that was left out, and how many there are.
    left_out: Option<(Box<Change>, u64)>,
}

impl Default for Known {
    fn default() -> Self {
        Self { tries: 0, least: u64::MAX, left_out: None }
    }
}

impl Known {
    fn is_vain(&self, bytes: u64) -> bool {
        self.tries >= TRIES && bytes >= self.least
    }

    fn fits(&mut self, bytes: u64) {
        if bytes >= self.least {
            (self.tries, self.least) = (0, u64::MAX);
        }
    }

    fn has_no_room(&mut self, bytes: u64) -> bool {
        let is_news = !self.is_vain(bytes);
        self.tries = self.tries.saturating_add(1);
        self.least = self.least.min(bytes);
        is_news
    }
}

/// Where a change takes room, and how much: a directory is as good as a file of no bytes.
fn need(change: &Change) -> Option<(Side, u64)> {
    match change.action {
        Action::Transfer { to, .. } => Some((to, change.bytes)),
        Action::MakeDir { on } => Some((on, 0)),
        Action::Move { .. }
        | Action::SetMetadata { .. }
        | Action::Delete { .. }
        | Action::Record
        | Action::Forget
        | Action::Skip(_) => None,
    }
}

impl Vain {
    /// Whether nothing as large as this fits where it is to go.
    pub(super) fn is_vain(&self, change: &Change) -> bool {
        need(change).is_some_and(|(side, bytes)| self.sides[side].is_vain(bytes))
    }

    /// It is not tried; the book learns of it with the next batch.
    pub(super) fn leave_out(&mut self, planned: Planned) {
        self.left_out.push(planned);
    }

    /// What was left out since this was asked last.
    pub(super) fn take_left_out(&mut self) -> Vec<Planned> {
        std::mem::take(&mut self.left_out)
    }

    pub(super) fn has_left_out(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// It fitted: so may what is as large.
    pub(super) fn fits(&mut self, change: &Change) {
        if let Some((side, bytes)) = need(change) {
            self.sides[side].fits(bytes);
        }
    }

    /// There was no room for it. Whether that is news, or was to be expected.
    pub(super) fn has_no_room(&mut self, change: &Change) -> bool {
        need(change).is_none_or(|(side, bytes)| self.sides[side].has_no_room(bytes))
    }

    /// It is told with the others of its side, and not by itself.
    fn count(&mut self, change: &Change) {
        let Some((side, _)) = need(change) else { return };
        match &mut self.sides[side].left_out {
            Some((_, count)) => *count += 1,
            none => *none = Some((Box::new(change.clone()), 1)),
        }
    }
}

impl Apply {
    /// There is no room for it, as for others before it: what hangs on it is not done either.
    pub(super) fn give_up(&mut self, planned: &Planned) {
        self.misses_dir(&planned.change);
        self.kept_dirs.insert(dir_in_ledger(&planned.change));
        if self.undone.insert(planned.lead.unwrap_or(planned.at.seq)) {
            self.tally.counts.failed += 1;
        }
        self.vain.count(&planned.change);
    }

    /// Says what was left out, once for each side.
    pub(super) async fn tell_left_out(&mut self) -> Result<()> {
        for side in Side::BOTH {
            let Some((change, count)) = self.vain.sides[side].left_out.take() else { continue };
            let others = match count - 1 {
                0 => String::new(),
                others => format!(", nor for {others} more"),
            };
            let error = Error::new(Code::Quota, "carry", &change.path)
                .because(format_args!("there is no room for it{others}: {TRIES} that are no larger did not fit"))
                .advise("make room there, then run again");
            self.store.write(self.tenant, vec![self.journal.failed(&change, &error)]).await?;
            self.list_failure(&change.path, error).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_nothing_that_is_as_large_is_tried_and_what_is_smaller_is() {
        let mut known = Known::default();
        let news: Vec<bool> = [900, 500, 700, 500, 499, 499].map(|bytes| known.has_no_room(bytes)).to_vec();
        assert_eq!(news, [true, true, true, false, true, false]);
        assert!(known.is_vain(499) && known.is_vain(u64::MAX) && !known.is_vain(498));
    }

    #[test]
    fn what_fits_says_something_of_what_is_no_larger() {
        let mut known = Known::default();
        for _ in 0..TRIES {
            known.has_no_room(500);
        }
        known.fits(499);
        assert!(known.is_vain(500), "something smaller says nothing");
        known.fits(500);
        assert!(!known.is_vain(u64::MAX), "somebody has made room");
    }

    #[test]
    fn where_a_directory_has_no_room_nothing_has() {
        let mut known = Known::default();
        for _ in 0..TRIES {
            known.has_no_room(0);
        }
        assert!(known.is_vain(0));
    }
}
