//! Previews: what would change, a page at a time, and which of it is wanted.

use std::sync::Arc;

use portbook::model::PreviewId;
use portbook::operation::ChangeId;

use crate::error::Result;
use crate::life::{Life, Own};
use crate::records::{ChangeFilter, ChangePage, PreviewSummary, read, rows};

/// A preview that is stored in the book.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Preview {
    life: Arc<Life>,
    session: Own<portbook::Session>,
    id: PreviewId,
}

impl Preview {
    pub(crate) fn new(life: &Arc<Life>, session: portbook::Session, id: PreviewId) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), session: Own::new(session), id })
    }

    fn session(&self) -> Result<&portbook::Session> {
        self.life.check()?;
        self.session.get()
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Preview {
    /// Names it: give it to `Conduit::apply`.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// What it holds in sum.
    ///
    /// # Errors
    /// `not_found` when it has expired or was deleted.
    pub async fn summary(&self) -> Result<PreviewSummary> {
        Ok(self.session()?.preview(self.id).await?.into())
    }

    /// A page of its changes in the order in which they are applied, after the page that ended there; 1,000 at most.
    ///
    /// # Errors
    /// `not_found` as for [`summary`](Self::summary); `invalid` when `after` is none of its changes' ids.
    pub async fn changes(&self, filter: ChangeFilter, after: Option<String>, limit: u32) -> Result<ChangePage> {
        let (filter, after) = (filter.read()?, read::<ChangeId>(after)?);
        let limit = rows(limit).clamp(1, 1000);
        let changes = self.session()?.preview_changes(self.id, filter, after, limit).await?;
        let next = changes.last().filter(|_| changes.len() == limit).map(|change| change.id.to_string());
        Ok(ChangePage { changes: changes.into_iter().map(Into::into).collect(), next })
    }

    /// Ticks changes in or out, by their ids. The second halves of a decision go with the first.
    ///
    /// # Errors
    /// `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this preview or names a second
    /// half.
    pub async fn tick(&self, changes: Vec<String>, ticked: bool) -> Result<()> {
        let changes = changes.iter().map(|id| id.parse()).collect::<portbook::Result<Vec<ChangeId>>>()?;
        Ok(self.session()?.tick(self.id, changes, ticked).await?)
    }

    /// Ticks in or out every change that the filter names.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub async fn tick_all(&self, filter: ChangeFilter, ticked: bool) -> Result<()> {
        let filter = filter.read()?;
        Ok(self.session()?.tick_all(self.id, filter, ticked).await?)
    }

    /// Deletes it.
    ///
    /// # Errors
    /// `not_found`; `busy` when a run is applying it or is to be resumed from it.
    pub async fn discard(&self) -> Result<()> {
        Ok(self.session()?.delete_preview(self.id).await?)
    }
}
