//! Conduits: two places, and what is to hold between them.

use std::sync::Arc;

use portbook::model::PreviewId;

use crate::error::Result;
use crate::life::{Life, Own};
use crate::preview::Preview;
use crate::records::{
    ApplyOptions, Choice, ConduitOptions, Conflict, Inspection, Pin, PreviewOptions, SelectionRule, id_of, path_of,
    rows,
};
use crate::run::Run;

/// A standing relation between two directories, as one user of one tenant.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Conduit {
    life: Arc<Life>,
    core: Own<portbook::conduit::Conduit>,
    session: Own<portbook::Session>,
}

impl Conduit {
    pub(crate) fn new(life: &Arc<Life>, session: &portbook::Session, core: portbook::conduit::Conduit) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core), session: Own::new(session.clone()) })
    }

    fn core(&self) -> Result<&portbook::conduit::Conduit> {
        self.life.check()?;
        self.core.get()
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Conduit {
    /// Its id in the book.
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down.
    pub fn id(&self) -> Result<String> {
        Ok(self.core()?.id().to_string())
    }

    /// What it does.
    ///
    /// # Errors
    /// As [`id`](Self::id).
    pub fn options(&self) -> Result<ConduitOptions> {
        Ok(self.core()?.options().clone().into())
    }

    /// Compares both places with the ledger and stores what would change. Writes nothing to either place.
    ///
    /// # Errors
    /// `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    pub async fn preview(&self, options: PreviewOptions) -> Result<Arc<Preview>> {
        let options = options.read()?;
        let summary = self.core()?.preview(options).await?;
        Ok(Preview::new(&self.life, self.session.get()?.clone(), summary.id))
    }

    /// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the outcome of
    /// the run.
    ///
    /// # Errors
    /// `invalid` when an option cannot be used.
    pub fn apply(&self, preview: String, options: ApplyOptions) -> Result<Arc<Run>> {
        let (preview, options) = (PreviewId(id_of("preview", &preview)?), options.read()?);
        Ok(Run::new(&self.life, self.core()?.apply(preview, options)))
    }

    /// Previews and applies.
    ///
    /// # Errors
    /// `invalid` when an option cannot be used.
    pub fn sync(&self, preview: PreviewOptions, options: ApplyOptions) -> Result<Arc<Run>> {
        let (preview, options) = (preview.read()?, options.read()?);
        Ok(Run::new(&self.life, self.core()?.sync(preview, options)))
    }

    /// The rules of selective mode in their order.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn selection_rules(&self) -> Result<Vec<SelectionRule>> {
        Ok(self.core()?.selection_rules().await?.into_iter().map(Into::into).collect())
    }

    /// Puts these rules in the place of the ones before.
    ///
    /// # Errors
    /// `invalid` when a pattern cannot be used; nothing has changed then.
    pub async fn set_selection_rules(&self, rules: Vec<SelectionRule>) -> Result<()> {
        let rules = rules.into_iter().map(Into::into).collect();
        Ok(self.core()?.set_selection_rules(rules).await?)
    }

    /// The pins of selective mode, ordered by path.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn pins(&self) -> Result<Vec<Pin>> {
        Ok(self.core()?.pins().await?.into_iter().map(Into::into).collect())
    }

    /// Pins a path, whatever the rules say of it. A pin that the path has already is turned round.
    ///
    /// # Errors
    /// `invalid` when it names nothing beneath the root; `storage`, `busy`.
    pub async fn pin(&self, pin: Pin) -> Result<()> {
        let pin = pin.read()?;
        Ok(self.core()?.pin(pin.path, pin.is_held).await?)
    }

    /// Leaves a path to the rules again.
    ///
    /// # Errors
    /// `not_found` when it has no pin.
    pub async fn unpin(&self, path: String) -> Result<()> {
        let path = path_of(&path)?;
        Ok(self.core()?.unpin(path).await?)
    }

    /// The conflicts that wait for a person, the latest first, after (that is, older than) the one of that number; 1,000 at
    /// most.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn conflicts(&self, after: Option<i64>, limit: u32) -> Result<Vec<Conflict>> {
        Ok(self.core()?.conflicts(after, rows(limit)).await?.into_iter().map(Into::into).collect())
    }

    /// One conflict, open or closed, with what is needed to decide about it.
    ///
    /// # Errors
    /// `not_found` when this conduit has none of this number.
    pub async fn inspect_conflict(&self, id: i64) -> Result<Inspection> {
        Ok(self.core()?.inspect_conflict(id).await?.into())
    }

    /// Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked at.
    ///
    /// # Errors
    /// `not_found` when no conflict of this number waits here; `stale` when it is not what was looked at any more; `invalid` when
    /// that cannot be decided here.
    pub async fn resolve_conflict(&self, id: i64, mark: String, choice: Choice) -> Result<()> {
        let choice = choice.read()?;
        Ok(self.core()?.resolve_conflict(id, &mark, choice).await?)
    }
}
