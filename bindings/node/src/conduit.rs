//! Conduits: two places, and what is to hold between them.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{ConduitOptions, Conflict, Inspection, Pin, SelectionRule};

use crate::bridge::{Given, at_once, record, record_or_default, rows};
use crate::preview::Preview;
use crate::run::Run;

/// A standing relation between two directories, as one user of one tenant.
#[napi]
pub struct Conduit {
    pub(crate) core: Arc<portbook_ffi::Conduit>,
}

#[napi]
impl Conduit {
    /// Its id in the book.
    ///
    /// @throws `invalid` after a fork or after the book was shut down.
    #[napi]
    pub fn id(&self) -> Result<String> {
        at_once(|| Ok(self.core.id()?))
    }

    /// What it does.
    ///
    /// @throws As `id`.
    #[napi]
    pub fn options(&self) -> Result<ConduitOptions> {
        at_once(|| Ok(self.core.options()?))
    }

    /// Compares both places with the ledger and stores what would change. Writes nothing to either place.
    ///
    /// @throws `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be used.
    #[napi(ts_args_type = "options?: PreviewOptions & Abortable | null", ts_return_type = "Promise<Preview>")]
    pub fn preview<'env>(&self, env: &'env Env, options: Option<Given>) -> Result<PromiseRaw<'env, Preview>> {
        let core = self.core.clone();
        env.spawn_future(
            async move { Ok(Preview { core: core.preview(record_or_default("options", options)?).await? }) },
        )
    }

    /// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the outcome of
    /// the run.
    ///
    /// @throws `invalid` when an option cannot be used.
    #[napi(ts_args_type = "preview: string, options?: ApplyOptions & Abortable | null")]
    pub fn apply(&self, preview: String, options: Option<Given>) -> Result<Run> {
        at_once(|| Ok(Run { core: self.core.apply(preview, record_or_default("options", options)?)? }))
    }

    /// Previews and applies.
    ///
    /// @throws `invalid` when an option cannot be used.
    #[napi(ts_args_type = "preview?: PreviewOptions & Abortable | null, options?: ApplyOptions & Abortable | null")]
    pub fn sync(&self, preview: Option<Given>, options: Option<Given>) -> Result<Run> {
        at_once(|| {
            Ok(Run {
                core: self.core.sync(record_or_default("preview", preview)?, record_or_default("options", options)?)?,
            })
        })
    }

    /// The rules of selective mode in their order.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<SelectionRule>>")]
    pub fn selection_rules<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<SelectionRule>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.selection_rules().await?) })
    }

    /// Puts these rules in the place of the ones before.
    ///
    /// @throws `invalid` when a pattern cannot be used; nothing has changed then.
    #[napi(ts_args_type = "rules: SelectionRule[], call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn set_selection_rules<'env>(&self, env: &'env Env, rules: Given) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.set_selection_rules(record("rules", rules)?).await?) })
    }

    /// The pins of selective mode, ordered by path.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<Pin>>")]
    pub fn pins<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Pin>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.pins().await?) })
    }

    /// Pins a path, whatever the rules say of it. A pin that the path has already is turned round.
    ///
    /// @throws `invalid` when it names nothing beneath the root; `storage`, `busy`.
    #[napi(ts_args_type = "pin: Pin, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn pin<'env>(&self, env: &'env Env, pin: Given) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.pin(record("pin", pin)?).await?) })
    }

    /// Leaves a path to the rules again.
    ///
    /// @throws `not_found` when it has no pin.
    #[napi(ts_args_type = "path: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn unpin<'env>(&self, env: &'env Env, path: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.unpin(path).await?) })
    }

    /// The conflicts that wait for a person, the latest first, after (that is, older than) the one of that number; 1,000 at
    /// most.
    ///
    /// @throws `storage`, `busy`.
    #[napi(
        ts_args_type = "after?: number | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<Array<Conflict>>"
    )]
    pub fn conflicts<'env>(
        &self,
        env: &'env Env,
        after: Option<i64>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, Vec<Conflict>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.conflicts(after, rows(limit)?).await?) })
    }

    /// One conflict, open or closed, with what is needed to decide about it.
    ///
    /// @throws `not_found` when this conduit has none of this number.
    #[napi(ts_args_type = "id: number, call?: Abortable", ts_return_type = "Promise<Inspection>")]
    pub fn inspect_conflict<'env>(&self, env: &'env Env, id: i64) -> Result<PromiseRaw<'env, Inspection>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.inspect_conflict(id).await?) })
    }

    /// Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked at.
    ///
    /// @throws `not_found` when no conflict of this number waits here; `stale` when it is not what was looked at any more; `invalid` when
    /// that cannot be decided here.
    #[napi(
        ts_args_type = "id: number, mark: string, choice: Choice, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn resolve_conflict<'env>(
        &self,
        env: &'env Env,
        id: i64,
        mark: String,
        choice: Given,
    ) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.resolve_conflict(id, mark, record("choice", choice)?).await?) })
    }
}
