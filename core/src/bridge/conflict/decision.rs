//! What a person has decided about rows that wait, and what that comes to.

use std::collections::{BTreeMap, HashMap};

use super::super::change::Act;
use super::super::open::Opened;
use super::RowChoice;
use crate::error::{Code, Error, Result};
use crate::identity::RowHash;
use crate::model::{Side, Sides};
use crate::store::{Row, Statement, Value};

/// What a person has decided about a row.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    seen: Sides<Option<RowHash>>,
    choice: RowChoice,
    /// What the target's row became when fields of both were joined there.
    merged: Option<RowHash>,
}

/// By the identity of the row.
pub(crate) type Decisions = HashMap<RowHash, Decided>;

impl Decided {
    /// What is to be done about the row, if both sides still show what was decided about; `join` says how both get a row in
    /// which that side's fields count.
    pub(crate) fn act(
        &self,
        source: Option<RowHash>,
        target: Option<RowHash>,
        join: impl FnOnce(Side) -> Act,
    ) -> Option<Act> {
        if self.merged.is_some() && self.merged == target && source == self.seen.left {
            return Some(Act::Update(Side::Left));
        }
        if (source, target) != (self.seen.left, self.seen.right) {
            return None;
        }
        let has = (source.is_some(), target.is_some());
        match &self.choice {
            RowChoice::Source => take(Side::Left, has, join),
            RowChoice::Target => take(Side::Right, (has.1, has.0), join),
            RowChoice::Fields(fields) if has == (true, true) => {
                let of_target = fields.iter().filter(|(_, side)| **side == Side::Right);
                Some(Act::Merge(of_target.map(|(name, _)| name.clone()).collect()))
            }
            RowChoice::Fields(_) => None,
        }
    }
}

/// That side counts; whether it has the row, and whether the other has.
fn take(side: Side, has: (bool, bool), join: impl FnOnce(Side) -> Act) -> Option<Act> {
    match has {
        (true, true) => Some(join(side)),
        (true, false) => Some(Act::Insert(side.other())),
        (false, true) => Some(Act::Delete(side.other())),
        (false, false) => None,
    }
}

/// What was decided about rows of a definition.
pub(crate) async fn decisions(opened: &Opened) -> Result<Decisions> {
    let ask = Statement::new(
        "SELECT source_identity_hash, source_hash, target_hash, choice, merged_hash FROM sync_row_conflict \
         WHERE sync_def_id = ?1 AND choice IS NOT NULL",
        vec![Value::Uuid(opened.definition)],
    );
    let rows = opened.book.store.query(opened.tenant, ask).await?;
    let decided = |row: Row<'_>| {
        let Some(choice) = choice(row.text(3)?) else { return Ok(None) };
        let seen = Sides::new(hash(&row, 1)?, hash(&row, 2)?);
        Ok(Some((hash(&row, 0)?.unwrap_or_default(), Decided { seen, choice, merged: hash(&row, 4)? })))
    };
    rows.iter().filter_map(|row| decided(row).transpose()).collect()
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> Result<Option<RowHash>> {
    if row.is_null(column) {
        return Ok(None);
    }
    let corrupt = || Error::new(Code::Corrupt, "read a conflict", "").because("a hash has another length");
    row.blob(column)?.try_into().map(Some).map_err(|_| corrupt())
}

/// `SOURCE`, `TARGET`, or an object with the side of each field.
pub(super) fn choice(text: &str) -> Option<RowChoice> {
    match text {
        "SOURCE" => Some(RowChoice::Source),
        "TARGET" => Some(RowChoice::Target),
        fields => {
            let fields: BTreeMap<String, String> = serde_json::from_str(fields).ok()?;
            let side = |(name, side): (String, String)| Some((name, named(&side)?));
            fields.into_iter().map(side).collect::<Option<_>>().map(RowChoice::Fields)
        }
    }
}

fn named(side: &str) -> Option<Side> {
    match side {
        "source" => Some(Side::Left),
        "target" => Some(Side::Right),
        _ => None,
    }
}

pub(super) fn written(choice: &RowChoice) -> String {
    match choice {
        RowChoice::Source => "SOURCE".to_owned(),
        RowChoice::Target => "TARGET".to_owned(),
        RowChoice::Fields(fields) => {
            let name = |side: &Side| if *side == Side::Left { "source" } else { "target" };
            let fields: BTreeMap<_, _> = fields.iter().map(|(field, side)| (field, name(side))).collect();
            serde_json::json!(fields).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Option<RowHash> = Some([1; 32]);
    const NEW: Option<RowHash> = Some([2; 32]);
    const OTHER: Option<RowHash> = Some([3; 32]);

    fn decided(seen: Sides<Option<RowHash>>, choice: RowChoice) -> Decided {
        Decided { seen, choice, merged: None }
    }

    fn update(winner: Side) -> Act {
        Act::Update(winner.other())
    }

    #[test]
    fn a_choice_is_carried_out_while_both_sides_are_what_was_seen() {
        let both = Sides::new(OLD, NEW);
        assert_eq!(decided(both, RowChoice::Source).act(OLD, NEW, update), Some(Act::Update(Side::Right)));
        assert_eq!(decided(both, RowChoice::Target).act(OLD, NEW, update), Some(Act::Update(Side::Left)));
        for (source, target) in [(OTHER, NEW), (OLD, OTHER), (None, NEW), (OLD, None)] {
            assert_eq!(decided(both, RowChoice::Source).act(source, target, update), None);
        }
        let gone = Sides::new(None, NEW);
        assert_eq!(decided(gone, RowChoice::Source).act(None, NEW, update), Some(Act::Delete(Side::Right)));
        assert_eq!(decided(gone, RowChoice::Target).act(None, NEW, update), Some(Act::Insert(Side::Left)));
        let fields = RowChoice::Fields([("a".to_owned(), Side::Right), ("b".to_owned(), Side::Left)].into());
        assert_eq!(decided(gone, fields.clone()).act(None, NEW, update), None);
        assert_eq!(decided(both, fields).act(OLD, NEW, update), Some(Act::Merge(["a".to_owned()].into())));
    }

    #[test]
    fn a_merge_that_was_cut_goes_on_at_the_source() {
        let choice = RowChoice::Fields(BTreeMap::new());
        let cut = Decided { seen: Sides::new(OLD, NEW), choice, merged: OTHER };
        assert_eq!(cut.act(OLD, OTHER, update), Some(Act::Update(Side::Left)));
        assert_eq!(cut.act(NEW, OTHER, update), None, "somebody has changed the source meanwhile");
    }

    #[test]
    fn choices_read_back() {
        let fields = [("a".to_owned(), Side::Left), ("source".to_owned(), Side::Right)].into();
        for of in [RowChoice::Source, RowChoice::Target, RowChoice::Fields(fields)] {
            assert_eq!(choice(&written(&of)), Some(of));
        }
        assert_eq!(choice("{\"a\":\"both\"}"), None);
    }
}
