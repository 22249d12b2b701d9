//! A book used by one user of one tenant.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{
    ActivityPage, ErrorPage, GenerationSummary, PreviewPage, ProgressPage, SavedVolume, SyncError, Upkeep, VerifyReport,
};

use crate::bridge::{Given, at_once, record, record_or_default, rows};
use crate::conduit::Conduit;
use crate::host::HostStore;
use crate::preview::Preview;
use crate::run::ProgressWatch;
use crate::volume::Volume;

/// A book used by one user of one tenant. Every call goes through one.
#[napi]
pub struct Session {
    pub(crate) core: Arc<portbook_ffi::Session>,
}

#[napi]
impl Session {
    /// The id of the tenant this session acts for.
    ///
    /// @throws `invalid` after a fork or after the book was shut down.
    #[napi]
    pub fn tenant(&self) -> Result<String> {
        at_once(|| Ok(self.core.tenant()?))
    }

    /// The conduit of these two places, found in either direction or made; its attributes become `options`.
    ///
    /// @throws `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used; `not_found` when neither
    /// the place nor its parent exists, and for a host store that is not there.
    #[napi(
        ts_args_type = "source: Place, target: Place, options?: ConduitOptions & Abortable | null",
        ts_return_type = "Promise<Conduit>"
    )]
    pub fn connect<'env>(
        &self,
        env: &'env Env,
        source: Given,
        target: Given,
        options: Option<Given>,
    ) -> Result<PromiseRaw<'env, Conduit>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(Conduit {
                core: core
                    .connect(
                        record("source", source)?,
                        record("target", target)?,
                        record_or_default("options", options)?,
                    )
                    .await?,
            })
        })
    }

    /// The conduit of these two places as it is: it keeps the attributes that it was given last.
    ///
    /// @throws `not_found` when the places were never connected with each other.
    #[napi(ts_args_type = "source: Place, target: Place, call?: Abortable", ts_return_type = "Promise<Conduit>")]
    pub fn conduit<'env>(&self, env: &'env Env, source: Given, target: Given) -> Result<PromiseRaw<'env, Conduit>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(Conduit { core: core.conduit(record("source", source)?, record("target", target)?).await? })
        })
    }

    /// The conduit that made a preview, by the places that the preview was made of.
    ///
    /// @throws `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other places, or goes the
    /// other way.
    #[napi(
        ts_args_type = "preview: string, source: Place, target: Place, call?: Abortable",
        ts_return_type = "Promise<Conduit>"
    )]
    pub fn conduit_of<'env>(
        &self,
        env: &'env Env,
        preview: String,
        source: Given,
        target: Given,
    ) -> Result<PromiseRaw<'env, Conduit>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(Conduit { core: core.conduit_of(preview, record("source", source)?, record("target", target)?).await? })
        })
    }

    /// A preview that is stored, by its id.
    ///
    /// @throws `not_found` when there is none of this id or it has expired.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<Preview>")]
    pub fn preview<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, Preview>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Preview { core: core.preview(id).await? }) })
    }

    /// The previews that are stored, the last computed first; pages of 1,000 at most.
    ///
    /// @throws `invalid` when `after` is of another list; `storage`, `busy`.
    #[napi(
        ts_args_type = "filter?: PreviewFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<PreviewPage>"
    )]
    pub fn previews<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, PreviewPage>> {
        let core = self.core.clone();
        env.spawn_future(
            async move { Ok(core.previews(record_or_default("filter", filter)?, after, rows(limit)?).await?) },
        )
    }

    /// Looks at two places and says where they differ, whatever any ledger says of their contents.
    ///
    /// @throws `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    #[napi(
        ts_args_type = "source: Place, target: Place, options?: VerifyOptions & Abortable | null",
        ts_return_type = "Promise<VerifyReport>"
    )]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        source: Given,
        target: Given,
        options: Option<Given>,
    ) -> Result<PromiseRaw<'env, VerifyReport>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(core
                .verify(record("source", source)?, record("target", target)?, record_or_default("options", options)?)
                .await?)
        })
    }

    /// All runs, the latest first; 1,000 at most.
    ///
    /// @throws `storage`, `busy`.
    #[napi(
        ts_args_type = "limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<Array<GenerationSummary>>"
    )]
    pub fn history<'env>(
        &self,
        env: &'env Env,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, Vec<GenerationSummary>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.history(rows(limit)?).await?) })
    }

    /// The runs between two places in either direction, the latest first; 1,000 at most.
    ///
    /// @throws `not_found` when the places were never synced with each other; `storage`, `busy`.
    #[napi(
        ts_args_type = "source: Place, target: Place, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<Array<GenerationSummary>>"
    )]
    pub fn history_between<'env>(
        &self,
        env: &'env Env,
        source: Given,
        target: Given,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, Vec<GenerationSummary>>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(core.history_between(record("source", source)?, record("target", target)?, rows(limit)?).await?)
        })
    }

    /// What was done for the tenant, the latest first; pages of 1,000 lines at most.
    ///
    /// @throws `invalid` when `after` is of another list; `storage`, `busy`.
    #[napi(
        ts_args_type = "filter?: ActivityFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<ActivityPage>"
    )]
    pub fn activity<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, ActivityPage>> {
        let core = self.core.clone();
        env.spawn_future(
            async move { Ok(core.activity(record_or_default("filter", filter)?, after, rows(limit)?).await?) },
        )
    }

    /// How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most.
    ///
    /// @throws `invalid` when `after` is of another list; `storage`, `busy`.
    #[napi(
        ts_args_type = "filter?: ProgressFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<ProgressPage>"
    )]
    pub fn progress<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, ProgressPage>> {
        let core = self.core.clone();
        env.spawn_future(
            async move { Ok(core.progress(record_or_default("filter", filter)?, after, rows(limit)?).await?) },
        )
    }

    /// Watches the progress of a run by its `syncId`, in this process or another, until it completes.
    ///
    /// @throws `invalid` after a fork or after the book was shut down.
    #[napi]
    pub fn watch_progress(&self, sync_id: String) -> Result<ProgressWatch> {
        at_once(|| Ok(ProgressWatch { core: self.core.watch_progress(sync_id)? }))
    }

    /// Failures of items, the latest first; pages of 1,000 at most.
    ///
    /// @throws `invalid` when `after` is of another list; `storage`, `busy`.
    #[napi(
        ts_args_type = "filter?: ErrorFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<ErrorPage>"
    )]
    pub fn errors<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, ErrorPage>> {
        let core = self.core.clone();
        env.spawn_future(
            async move { Ok(core.errors(record_or_default("filter", filter)?, after, rows(limit)?).await?) },
        )
    }

    /// Marks a failure as made good, and says how.
    ///
    /// @throws `not_found`; `conflict` when it is marked already; `storage`, `busy`.
    #[napi(ts_args_type = "id: string, notes: string, call?: Abortable", ts_return_type = "Promise<SyncError>")]
    pub fn resolve_error<'env>(
        &self,
        env: &'env Env,
        id: String,
        notes: String,
    ) -> Result<PromiseRaw<'env, SyncError>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.resolve_error(id, notes).await?) })
    }

    /// Opens a saved volume by its name, or by its id.
    ///
    /// @throws `not_found`; `invalid` when it is not active or its row cannot be used as it stands; `permission` when its directory was
    /// never approved; `unsupported`; as the place.
    #[napi(ts_args_type = "nameOrId: string, call?: Abortable", ts_return_type = "Promise<Volume>")]
    pub fn volume<'env>(&self, env: &'env Env, name_or_id: String) -> Result<PromiseRaw<'env, Volume>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Volume { core: core.volume(name_or_id).await? }) })
    }

    /// As `volume`, on files that the host brings in the place of those that its row names.
    ///
    /// @throws As there.
    #[napi(ts_args_type = "nameOrId: string, store: HostStore, call?: Abortable", ts_return_type = "Promise<Volume>")]
    pub fn volume_on<'env>(
        &self,
        env: &'env Env,
        name_or_id: String,
        store: &HostStore,
    ) -> Result<PromiseRaw<'env, Volume>> {
        let store = store.core.clone();
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Volume { core: core.volume_on(name_or_id, store).await? }) })
    }

    /// Saves a place behind a URL as a volume, with what lets one in there, sealed; returns the volume's id.
    ///
    /// @throws `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its key and there is something
    /// to seal.
    #[napi(
        ts_args_type = "name: string, url: string, access?: Access | null, call?: Abortable",
        ts_return_type = "Promise<string>"
    )]
    pub fn save_volume<'env>(
        &self,
        env: &'env Env,
        name: String,
        url: String,
        access: Option<Given>,
    ) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.save_volume(name, url, record_or_default("access", access)?).await?) })
    }

    /// Saves a directory of this machine as a volume, and approves it; returns the volume's id.
    ///
    /// @throws `not_found` when there is no such directory; `conflict` when the name is taken.
    #[napi(ts_args_type = "name: string, path: string, call?: Abortable", ts_return_type = "Promise<string>")]
    pub fn save_directory<'env>(&self, env: &'env Env, name: String, path: String) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.save_directory(name, path).await?) })
    }

    /// The saved volumes by their names, without what lets one in. Needs no key of the book.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<SavedVolume>>")]
    pub fn volumes<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<SavedVolume>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.volumes().await?) })
    }

    /// Sets how fast bytes may pass to and from a saved volume. None: as fast as they can.
    ///
    /// @throws `not_found`; `stale` when its row was changed meanwhile; `invalid`.
    #[napi(
        ts_args_type = "name: string, bandwidth?: string | null, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn limit_volume<'env>(
        &self,
        env: &'env Env,
        name: String,
        bandwidth: Option<String>,
    ) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.limit_volume(name, bandwidth).await?) })
    }

    /// Forgets a saved volume, with what lets one in. What is stored there stays.
    ///
    /// @throws `not_found`; `conflict` while files or conduits of it are in the book.
    #[napi(ts_args_type = "name: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn remove_volume<'env>(&self, env: &'env Env, name: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.remove_volume(name).await?) })
    }

    /// Brings files that the host itself holds, under a key that is the same every time; a place of the type `host` names them by it. It
    /// answers until it is shut down.
    ///
    /// @throws `conflict` while there is a host store of this key; `invalid` when an option cannot be used.
    #[napi(ts_args_type = "key: string, options?: HostOptions | null")]
    pub fn host_store(&self, key: String, options: Option<Given>) -> Result<HostStore> {
        at_once(|| Ok(HostStore { core: self.core.host_store(key, record_or_default("options", options)?)? }))
    }

    /// Gives the tenant a new data key and seals all its secrets anew with it; returns how many.
    ///
    /// @throws `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that does not open.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<number>")]
    pub fn renew_data_key<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, i64>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.renew_data_key().await?) })
    }

    /// Removes what has outlived its time: previews, trash, lines of activity, promises of room.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Upkeep>")]
    pub fn maintain<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Upkeep>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.maintain().await?) })
    }
}
