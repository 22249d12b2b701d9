//! A book used by one user of one tenant.

use std::sync::Arc;

use portbook::conduit;
use portbook::model::PreviewId;

use crate::caught::fault;
use crate::conduit::Conduit;
use crate::error::Result;
use crate::host::HostStore;
use crate::life::{Life, Own};
use crate::preview::Preview;
use crate::records::{
    Access, ActivityFilter, ActivityPage, ConduitOptions, ErrorFilter, ErrorPage, GenerationSummary, HostOptions,
    Place, PreviewFilter, PreviewPage, ProgressFilter, ProgressPage, SavedVolume, SyncError, Upkeep, VerifyOptions,
    VerifyReport, address, count, id_of, invalid, read, rows,
};
use crate::run::ProgressWatch;
use crate::volume::Volume;

/// A book used by one user of one tenant. Every call goes through one.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Session {
    life: Arc<Life>,
    core: Own<portbook::Session>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Session {
    /// The id of the tenant this session acts for.
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down.
    pub fn tenant(&self) -> Result<String> {
        Ok(self.core()?.tenant().to_string())
    }

    /// The conduit of these two places, found in either direction or made; its attributes become `options`.
    ///
    /// # Errors
    /// `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used; `not_found` when neither
    /// the place nor its parent exists, and for a host store that is not there.
    pub async fn connect(&self, source: Place, target: Place, options: ConduitOptions) -> Result<Arc<Conduit>> {
        let (source, target) = (self.place(source).await?, self.place(target).await?);
        let core = self.core()?;
        Ok(Conduit::new(&self.life, core, core.connect(source, target, options.read()?).await?))
    }

    /// The conduit of these two places as it is: it keeps the attributes that it was given last.
    ///
    /// # Errors
    /// `not_found` when the places were never connected with each other.
    pub async fn conduit(&self, source: Place, target: Place) -> Result<Arc<Conduit>> {
        let (source, target) = (self.place(source).await?, self.place(target).await?);
        let core = self.core()?;
        Ok(Conduit::new(&self.life, core, core.conduit(source, target).await?))
    }

    /// The conduit that made a preview, by the places that the preview was made of.
    ///
    /// # Errors
    /// `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other places, or goes the
    /// other way.
    pub async fn conduit_of(&self, preview: String, source: Place, target: Place) -> Result<Arc<Conduit>> {
        let preview = PreviewId(id_of("preview", &preview)?);
        let (source, target) = (self.place(source).await?, self.place(target).await?);
        let core = self.core()?;
        Ok(Conduit::new(&self.life, core, core.conduit_of(preview, source, target).await?))
    }

    /// A preview that is stored, by its id.
    ///
    /// # Errors
    /// `not_found` when there is none of this id or it has expired.
    pub async fn preview(&self, id: String) -> Result<Arc<Preview>> {
        let id = PreviewId(id_of("preview", &id)?);
        let core = self.core()?;
        core.preview(id).await?;
        Ok(Preview::new(&self.life, core.clone(), id))
    }

    /// The previews that are stored, the last computed first; pages of 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn previews(&self, filter: PreviewFilter, after: Option<String>, limit: u32) -> Result<PreviewPage> {
        Ok(self.core()?.previews(filter.read()?, read(after)?, rows(limit)).await?.into())
    }

    /// Looks at two places and says where they differ, whatever any ledger says of their contents.
    ///
    /// # Errors
    /// `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    pub async fn verify(&self, source: Place, target: Place, options: VerifyOptions) -> Result<VerifyReport> {
        let (source, target) = (self.place(source).await?, self.place(target).await?);
        Ok(self.core()?.verify(source, target, options.into()).await?.into())
    }

    /// All runs, the latest first; 1,000 at most.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn history(&self, limit: u32) -> Result<Vec<GenerationSummary>> {
        Ok(self.core()?.history(None, rows(limit)).await?.into_iter().map(Into::into).collect())
    }

    /// The runs between two places in either direction, the latest first; 1,000 at most.
    ///
    /// # Errors
    /// `not_found` when the places were never synced with each other; `storage`, `busy`.
    pub async fn history_between(&self, source: Place, target: Place, limit: u32) -> Result<Vec<GenerationSummary>> {
        let places = (self.place(source).await?, self.place(target).await?);
        Ok(self.core()?.history(Some(places), rows(limit)).await?.into_iter().map(Into::into).collect())
    }

    /// What was done for the tenant, the latest first; pages of 1,000 lines at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn activity(&self, filter: ActivityFilter, after: Option<String>, limit: u32) -> Result<ActivityPage> {
        Ok(self.core()?.activity(filter.read()?, read(after)?, rows(limit)).await?.into())
    }

    /// How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn progress(&self, filter: ProgressFilter, after: Option<String>, limit: u32) -> Result<ProgressPage> {
        Ok(self.core()?.progress(filter.read()?, read(after)?, rows(limit)).await?.into())
    }

    /// Watches the progress of a run by its `sync_id`, in this process or another, until it completes.
    ///
    /// # Errors
    /// `invalid` after a fork or after the book was shut down.
    pub fn watch_progress(&self, sync_id: String) -> Result<Arc<ProgressWatch>> {
        Ok(ProgressWatch::new(&self.life, self.core()?.watch_progress(sync_id)))
    }

    /// Failures of items, the latest first; pages of 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when `after` is of another list; `storage`, `busy`.
    pub async fn errors(&self, filter: ErrorFilter, after: Option<String>, limit: u32) -> Result<ErrorPage> {
        Ok(self.core()?.errors(filter.read()?, read(after)?, rows(limit)).await?.into())
    }

    /// Marks a failure as made good, and says how.
    ///
    /// # Errors
    /// `not_found`; `conflict` when it is marked already; `storage`, `busy`.
    pub async fn resolve_error(&self, id: String, notes: String) -> Result<SyncError> {
        Ok(self.core()?.resolve_error(id_of("error", &id)?, notes).await?.into())
    }

    /// Opens a saved volume by its name, or by its id.
    ///
    /// # Errors
    /// `not_found`; `invalid` when it is not active or its row cannot be used as it stands; `permission` when its directory was
    /// never approved; `unsupported`; as the place.
    pub async fn volume(&self, name_or_id: String) -> Result<Arc<Volume>> {
        fault(&name_or_id);
        Ok(Volume::new(&self.life, self.core()?.volume(name_or_id).await?))
    }

    /// As [`volume`](Self::volume), on files that the host brings in the place of those that its row names.
    ///
    /// # Errors
    /// As there.
    pub async fn volume_on(&self, name_or_id: String, store: Arc<HostStore>) -> Result<Arc<Volume>> {
        let place = store.provider()?;
        Ok(Volume::new(&self.life, self.core()?.volume_on(name_or_id, place).await?))
    }

    /// Saves a place behind a URL as a volume, with what lets one in there, sealed; returns the volume's id.
    ///
    /// # Errors
    /// `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its key and there is something
    /// to seal.
    pub async fn save_volume(&self, name: String, url: String, access: Access) -> Result<String> {
        Ok(self.core()?.save_volume(name, address(&url)?, access.read()?).await?.to_string())
    }

    /// Saves a directory of this machine as a volume, and approves it; returns the volume's id.
    ///
    /// # Errors
    /// `not_found` when there is no such directory; `conflict` when the name is taken.
    pub async fn save_directory(&self, name: String, path: String) -> Result<String> {
        Ok(self.core()?.save_directory(name, path).await?.to_string())
    }

    /// The saved volumes by their names, without what lets one in. Needs no key of the book.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn volumes(&self) -> Result<Vec<SavedVolume>> {
        Ok(self.core()?.volumes().await?.into_iter().map(Into::into).collect())
    }

    /// Sets how fast bytes may pass to and from a saved volume. None: as fast as they can.
    ///
    /// # Errors
    /// `not_found`; `stale` when its row was changed meanwhile; `invalid`.
    pub async fn limit_volume(&self, name: String, bandwidth: Option<String>) -> Result<()> {
        Ok(self.core()?.limit_volume(name, read(bandwidth)?).await?)
    }

    /// Forgets a saved volume, with what lets one in. What is stored there stays.
    ///
    /// # Errors
    /// `not_found`; `conflict` while files or conduits of it are in the book.
    pub async fn remove_volume(&self, name: String) -> Result<()> {
        Ok(self.core()?.remove_volume(name).await?)
    }

    /// Brings files that the host itself holds, under a key that is the same every time; `Place::Host` names them by it. It
    /// answers until it is shut down.
    ///
    /// # Errors
    /// `conflict` while there is a host store of this key; `invalid` when an option cannot be used.
    pub fn host_store(&self, key: String, options: HostOptions) -> Result<Arc<HostStore>> {
        self.life.check()?;
        fault(&key);
        HostStore::begin(&self.life, key, options)
    }

    /// Gives the tenant a new data key and seals all its secrets anew with it; returns how many.
    ///
    /// # Errors
    /// `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that does not open.
    pub async fn renew_data_key(&self) -> Result<i64> {
        Ok(count(self.core()?.renew_data_key().await?))
    }

    /// Removes what has outlived its time: previews, trash, lines of activity, promises of room.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub async fn maintain(&self) -> Result<Upkeep> {
        Ok(self.core()?.maintain().await?.into())
    }
}

impl Session {
    pub(crate) fn new(life: &Arc<Life>, core: portbook::Session) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core) })
    }

    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    pub(crate) fn core(&self) -> Result<&portbook::Session> {
        self.life.check()?;
        self.core.get()
    }

    async fn place(&self, place: Place) -> Result<conduit::Place> {
        match place {
            Place::Directory { path } if path.is_empty() => {
                Err(invalid("use the place", "", "its path is empty").into())
            }
            Place::Directory { path } => Ok(conduit::Place::Local(path.into())),
            Place::Remote { url, access } => Ok((address(&url)?, access.unwrap_or_default().read()?).into()),
            Place::Saved { volume, path } => Ok(self.core()?.place(volume, path.unwrap_or_default()).await?),
            Place::Host { key } => HostStore::place(&self.life, key),
        }
    }
}
