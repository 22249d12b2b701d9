//! A row that goes to another list.

use super::{LIST, Part, Routed, placed, read, send};
use crate::endpoint::{Expect, MARKER, Page, RowAction, RowOutcome};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowRef};
use crate::model::Datum;

/// Columns that are not said to be read only and that are the service's nevertheless.
const NOT_KEPT: [&str; 3] = [LIST, "Attachments", "ContentType"];

impl Routed {
    /// Makes the row in its new list as it was in the old one but for the columns that are given, and takes it out of the old
    /// one.
    pub(super) async fn move_row(
        &self,
        key: RowRef<'_>,
        columns: &[String],
        row: RowRef<'_>,
        version: Option<&str>,
    ) -> Result<RowOutcome> {
        let given = |name: &str| columns.iter().position(|column| column == name);
        let at = given(LIST).ok_or_else(|| self.lost("nobody says to which list it goes"))?;
        let (from, to) = (self.part(&key.datum(0)?)?, self.part(&row.datum(at)?)?);
        let mut id = RowBatch::new(1);
        id.push_encoded(key.value(1))?;
        let kept = self.kept(from);
        let there = from.endpoint.fetch(&from.table, &kept, &Self::key_of(from), &id).await?;
        if let Some(refused) = there.refused.first() {
            return Ok(RowOutcome::Refused(refused.error.clone()));
        }
        let Some(old) = there.rows.iter().next() else { return Ok(RowOutcome::Gone) };
        if let (Some(version), Some(at)) = (version, self.version_at(&kept))
            && old.datum(at)? != Datum::Text(version.to_owned())
        {
            return Ok(RowOutcome::Changed);
        }
        let (mut written, mut whole) = (Vec::new(), Vec::new());
        for (at, name) in kept.iter().enumerate().filter(|(at, _)| self.version_at(&kept) != Some(*at)) {
            let value = match given(name) {
                Some(at) => row.datum(at)?,
                None => old.datum(at)?,
            };
            // What the old one does not hold the new one has no need to be told.
            if value != Datum::Null {
                written.push(name.clone());
                whole.push(value);
            }
        }
        let mut rows = RowBatch::new(written.len());
        rows.push(&whole)?;
        let made = one(send(to, RowAction::Insert { columns: written.clone(), rows }).await?);
        let made = match made {
            // A move that was cut short has made it.
            Some(RowOutcome::Exists) => self.made_before(to, &written, &whole).await?,
            Some(other) => other,
            None => RowOutcome::Unknown(self.lost("there was no answer for it")),
        };
        let RowOutcome::Written { .. } = made else { return Ok(made) };
        let expect = Expect::Versions(vec![version.map(str::to_owned)]);
        match one(send(from, RowAction::Delete { keys: id, expect })
            .await
            .unwrap_or_else(|error| vec![RowOutcome::Unknown(error)]))
        {
            Some(RowOutcome::Written { .. } | RowOutcome::Gone) => Ok(placed(to, made)),
            Some(other) => Ok(RowOutcome::Unknown(self.lost(&format!("it is in both lists: {other:?}")))),
            None => Ok(RowOutcome::Unknown(self.lost("it is in both lists"))),
        }
    }

    /// The row that bears the marker in the list already, brought to what it is to hold.
    async fn made_before(&self, to: &Part, columns: &[String], values: &[Datum]) -> Result<RowOutcome> {
        let Some(marker) = columns.iter().position(|column| column == MARKER) else { return Ok(RowOutcome::Exists) };
        let mut keys = RowBatch::new(1);
        keys.push(&[values[marker].clone()])?;
        let mut found = Page { rows: RowBatch::new(1), refused: Vec::new() };
        read::fetch(to, &Self::key_of(to), &[MARKER.to_owned()], &keys, &mut found).await?;
        // Another unique column is taken.
        let Some(id) = found.rows.iter().next().map(|row| row.values(0..1).to_vec()) else {
            return Ok(RowOutcome::Exists);
        };
        let mut keys = RowBatch::new(1);
        keys.push_encoded(&id)?;
        let mut rows = RowBatch::new(values.len());
        rows.push(values)?;
        let update = RowAction::Update { keys, columns: columns.to_vec(), rows, expect: Expect::Any };
        Ok(match one(send(to, update).await?) {
            Some(RowOutcome::Written { version, .. }) => RowOutcome::Written { key: Some(id), version },
            Some(other) => other,
            None => RowOutcome::Unknown(self.lost("there was no answer for it")),
        })
    }

    /// The columns that a row keeps when it moves, and its version.
    fn kept(&self, from: &Part) -> Vec<String> {
        let is_kept = |name: &str| {
            let column = self.shape.column(name);
            !NOT_KEPT.contains(&name) && column.is_some_and(|column| !column.is_computed && column.kind.is_some())
        };
        let kept = from.shape.columns.iter().map(|column| column.name.clone()).filter(|name| is_kept(name));
        kept.chain(from.endpoint.capabilities().version_column.map(str::to_owned)).collect()
    }

    fn version_at(&self, kept: &[String]) -> Option<usize> {
        let version = self.parts[0].endpoint.capabilities().version_column?;
        kept.iter().position(|column| column == version)
    }

    fn lost(&self, why: &str) -> Error {
        Error::new(Code::Conflict, "move a row of", &self.shape.name).because(why).advise("run again")
    }
}

fn one(outcomes: Vec<RowOutcome>) -> Option<RowOutcome> {
    outcomes.into_iter().next()
}
