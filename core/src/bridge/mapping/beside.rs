//! Both sides of a row beside each other, for whoever decides about it.

use std::collections::BTreeSet;

use super::super::conflict::FieldValues;
use super::{Field, Mapping};
use crate::error::Result;
use crate::identity::RowBatch;
use crate::model::{Side, Sides, Tick};

impl Mapping {
    /// What both sides have in each field: `rows` are scanned rows, one of each side that has it.
    ///
    /// # Errors
    /// `corrupt` when a row holds no values.
    pub(crate) fn beside(&self, rows: Sides<Option<&RowBatch>>, now: Tick) -> Result<Vec<FieldValues>> {
        let value = |side: Side, column: &str| {
            let place = rows[side].and_then(|row| self.halves[side].place(column).map(|at| row.row(0).datum(at)));
            place.transpose()
        };
        // What cannot cross is not the same as anything.
        let given = rows.left.and_then(|row| self.carried(Side::Right, row.row(0), None, now).ok());
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (left, right) = (value(Side::Left, &field.source)?, value(Side::Right, &field.target)?);
            let pushed = || {
                let at = self.halves.right.written.binary_search(&field.target).ok()?;
                given.as_ref().map(|given| given[at].clone())
            };
            let is_same = if field.goes_to(Side::Right) {
                let seen = right.as_ref().and_then(|value| field.projection.seen(value).ok());
                seen.is_some() && pushed() == seen
            } else {
                right.as_ref().and_then(|value| field.projection.pull(value).ok()) == left
            };
            let (source, target) = (field.source.clone(), field.target.clone());
            fields.push(FieldValues { source, target, values: Sides::new(left, right), is_same });
        }
        fields.sort_by(|one, other| one.target.cmp(&other.target));
        Ok(fields)
    }

    /// Columns of the target whose side a person may choose: those of fields that go both ways, without the key.
    pub(crate) fn chosen_fields(&self) -> BTreeSet<String> {
        let both = |field: &&Field| field.goes_to(Side::Left) && field.goes_to(Side::Right);
        let names = self.fields.iter().filter(both).map(|field| field.target.clone());
        names.filter(|name| !self.halves.right.key.contains(name)).collect()
    }
}
