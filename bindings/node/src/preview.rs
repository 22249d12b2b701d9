//! Previews: what would change, a page at a time, and which of it is wanted.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::PreviewSummary;

use crate::bridge::{Given, at_once, record, record_or_default, rows};
use crate::listing;

/// A preview that is stored in the book.
#[napi]
pub struct Preview {
    pub(crate) core: Arc<portbook_ffi::Preview>,
}

#[napi]
impl Preview {
    /// Names it: give it to `Conduit.apply`.
    #[napi]
    pub fn id(&self) -> Result<String> {
        at_once(|| Ok(self.core.id()))
    }

    /// What it holds in sum.
    ///
    /// @throws `not_found` when it has expired or was deleted.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<PreviewSummary>")]
    pub fn summary<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, PreviewSummary>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.summary().await?) })
    }

    /// A page of its changes in the order in which they are applied, after the page that ended there; 1,000 at most.
    ///
    /// @throws `not_found` as for `summary`; `invalid` when `after` is none of its changes' ids.
    #[napi(
        ts_args_type = "filter?: ChangeFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<ChangePage>"
    )]
    pub fn changes<'env>(
        &self,
        env: &'env Env,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            listing::text(core.changes(record_or_default("filter", filter)?, after, rows(limit)?).await?)
        })
    }

    /// Ticks changes in or out, by their ids. The second halves of a decision go with the first.
    ///
    /// @throws `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this preview or names a second
    /// half.
    #[napi(ts_args_type = "changes: string[], ticked: boolean, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn tick<'env>(&self, env: &'env Env, changes: Given, ticked: bool) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.tick(record("changes", changes)?, ticked).await?) })
    }

    /// Ticks in or out every change that the filter names.
    ///
    /// @throws As `tick`.
    #[napi(
        ts_args_type = "filter: ChangeFilter | null | undefined, ticked: boolean, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn tick_all<'env>(&self, env: &'env Env, filter: Option<Given>, ticked: bool) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.tick_all(record_or_default("filter", filter)?, ticked).await?) })
    }

    /// Deletes it.
    ///
    /// @throws `not_found`; `busy` when a run is applying it or is to be resumed from it.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn discard<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.discard().await?) })
    }
}
