//! Definitions: two tables, and what is to hold between their rows.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{
    ChangeKind, Drift, Introspection, RecordTarget, RowConflict, RowInspection, RowPreview, RowVerifyReport,
    TableDrift, TableEntry, TableShape, UnitBudget,
};

use crate::bridge::{Given, at_once, record, record_or_default, rows};
use crate::host::HostRecords;
use crate::listing::rows_text;
use crate::run::Run;
use crate::session::Session;

/// A standing relation between two tables, as one user of one tenant.
#[napi]
pub struct Definition {
    pub(crate) core: Arc<portbook_ffi::Definition>,
}

#[napi]
impl Definition {
    /// Its id in the book (`sync_definitions`).
    ///
    /// @throws `invalid` after a fork or after the book was shut down.
    #[napi]
    pub fn id(&self) -> Result<String> {
        at_once(|| Ok(self.core.id()?))
    }

    /// The lists that its rows may go to; none where the target is a table.
    ///
    /// @throws `not_found` when the definition is gone.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<RecordTarget>>")]
    pub fn targets<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<RecordTarget>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.targets().await?) })
    }

    /// What has changed about both tables since the last run, or since they were accepted as they are, and what that is to this
    /// definition; also what keeps it from running.
    ///
    /// @throws `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<Array<Drift>>")]
    pub fn drift<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Drift>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.drift().await?) })
    }

    /// Compares both tables with the ledger and stores what would change. Writes nothing to either.
    ///
    /// @throws `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does not fit the tables as
    /// they are now.
    #[napi(ts_args_type = "options?: RowPreviewOptions & Abortable | null", ts_return_type = "Promise<RowPreview>")]
    pub fn preview<'env>(&self, env: &'env Env, options: Option<Given>) -> Result<PromiseRaw<'env, RowPreview>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.preview(record_or_default("options", options)?).await?) })
    }

    /// What a preview holds in sum, by its id.
    ///
    /// @throws `not_found` when there is none of this definition, or it has expired.
    #[napi(ts_args_type = "preview: string, call?: Abortable", ts_return_type = "Promise<RowPreview>")]
    pub fn stored_preview<'env>(&self, env: &'env Env, preview: String) -> Result<PromiseRaw<'env, RowPreview>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.stored_preview(preview).await?) })
    }

    /// A page of the rows of a preview in the order in which they are applied, after the page that ended there; 1,000 at most. Rows
    /// that are equal and only recorded are listed when the kind `unchanged` is asked for.
    ///
    /// @throws `not_found` as for `storedPreview`; `invalid` when `after` is none of its changes' ids.
    #[napi(
        ts_args_type = "preview: string, kind?: ChangeKind | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<PreviewedRowPage>"
    )]
    pub fn changes<'env>(
        &self,
        env: &'env Env,
        preview: String,
        kind: Option<ChangeKind>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { rows_text(core.changes(preview, kind, after, rows(limit)?).await?) })
    }

    /// Ticks changes of a preview in or out, by their ids.
    ///
    /// @throws `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
    #[napi(
        ts_args_type = "preview: string, changes: string[], ticked: boolean, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn tick<'env>(
        &self,
        env: &'env Env,
        preview: String,
        changes: Given,
        ticked: bool,
    ) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.tick(preview, record("changes", changes)?, ticked).await?) })
    }

    /// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the outcome of
    /// the run.
    ///
    /// @throws `invalid` for what is no id.
    #[napi(ts_args_type = "preview: string, options?: RowApplyOptions & Abortable | null")]
    pub fn apply(&self, preview: String, options: Option<Given>) -> Result<Run> {
        at_once(|| Ok(Run { core: self.core.apply(preview, record_or_default("options", options)?)? }))
    }

    /// Previews and applies.
    ///
    /// @throws `invalid` when an option cannot be used.
    #[napi(
        ts_args_type = "preview?: RowPreviewOptions & Abortable | null, options?: RowApplyOptions & Abortable | null"
    )]
    pub fn sync(&self, preview: Option<Given>, options: Option<Given>) -> Result<Run> {
        at_once(|| {
            let (preview, options) = (record_or_default("preview", preview)?, record_or_default("options", options)?);
            Ok(Run { core: self.core.sync(preview, options)? })
        })
    }

    /// Compares both tables row by row, whatever the ledger says, and writes down what came of it (`sync_metrics`).
    ///
    /// @throws As `preview`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<RowVerifyReport>")]
    pub fn verify<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, RowVerifyReport>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.verify().await?) })
    }

    /// The rows that wait for a person, after the one of that id; 1,000 at most.
    ///
    /// @throws `invalid` when `after` is no id; `storage`, `busy`.
    #[napi(
        ts_args_type = "after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<Array<RowConflict>>"
    )]
    pub fn conflicts<'env>(
        &self,
        env: &'env Env,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, Vec<RowConflict>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.conflicts(after, rows(limit)?).await?) })
    }

    /// A row that waits, with what both sides hold in its fields now.
    ///
    /// @throws `not_found` when no row waits by this id; as `preview`.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<RowInspection>")]
    pub fn inspect_conflict<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, RowInspection>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.inspect_conflict(id).await?) })
    }

    /// Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of the conflict as it was
    /// looked at. The next preview shows what was decided, and applying it carries it out; if a side has changed its row by then, the
    /// decision comes to nothing, with a note, and the row waits on.
    ///
    /// @throws `not_found` when no row waits by this id; `stale` when it is not what was looked at any more; `invalid` for columns of
    /// a row that one side has deleted, or for one that does not go both ways.
    #[napi(
        ts_args_type = "id: string, mark: string, choice: RowChoice, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn resolve_conflict<'env>(
        &self,
        env: &'env Env,
        id: String,
        mark: String,
        choice: Given,
    ) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.resolve_conflict(id, mark, record("choice", choice)?).await?) })
    }
}

#[napi]
impl Session {
    /// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both are looked at, and the
    /// inventory of the book learns of them.
    ///
    /// @throws `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at, or there is no such host store. `invalid`:
    /// there is no key, a column is not there, a field cannot cross.
    #[napi(
        ts_args_type = "source: RecordPlace, target: RecordPlace, options?: RecordOptions & Abortable | null",
        ts_return_type = "Promise<Definition>"
    )]
    pub fn connect_records<'env>(
        &self,
        env: &'env Env,
        source: Given,
        target: Given,
        options: Option<Given>,
    ) -> Result<PromiseRaw<'env, Definition>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            let (source, target) = (record("source", source)?, record("target", target)?);
            let options = record_or_default("options", options)?;
            Ok(Definition { core: core.connect_records(source, target, options).await? })
        })
    }

    /// The definition of these two tables as it is: it keeps the attributes that it was given last.
    ///
    /// @throws `not_found` when they were never connected with each other.
    #[napi(
        ts_args_type = "source: RecordPlace, target: RecordPlace, call?: Abortable",
        ts_return_type = "Promise<Definition>"
    )]
    pub fn records<'env>(&self, env: &'env Env, source: Given, target: Given) -> Result<PromiseRaw<'env, Definition>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(Definition { core: core.records(record("source", source)?, record("target", target)?).await? })
        })
    }

    /// The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are reached. One with a
    /// table of the host's own is found by its places: `records`.
    ///
    /// @throws `not_found`.
    #[napi(ts_args_type = "id: string, call?: Abortable", ts_return_type = "Promise<Definition>")]
    pub fn definition<'env>(&self, env: &'env Env, id: String) -> Result<PromiseRaw<'env, Definition>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(Definition { core: core.definition(id).await? }) })
    }

    /// The tables of a database, without those of its system. The URL is that of a table without the table:
    /// `postgres://user@host/database`, `sqlite:///path/to/file.db/`.
    ///
    /// @throws `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
    #[napi(
        ts_args_type = "url: string, access?: Access | null, call?: Abortable",
        ts_return_type = "Promise<Array<TableEntry>>"
    )]
    pub fn inspect_database<'env>(
        &self,
        env: &'env Env,
        url: String,
        access: Option<Given>,
    ) -> Result<PromiseRaw<'env, Vec<TableEntry>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.inspect_database(url, record_or_default("access", access)?).await?) })
    }

    /// What a table looks like now; the inventory of the book learns it.
    ///
    /// @throws As `inspectDatabase`.
    #[napi(ts_args_type = "place: RecordPlace, call?: Abortable", ts_return_type = "Promise<TableShape>")]
    pub fn inspect_table<'env>(&self, env: &'env Env, place: Given) -> Result<PromiseRaw<'env, TableShape>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.inspect_table(record("place", place)?).await?) })
    }

    /// Reads the metadata of every table of a database into the inventory of the book, and says what was read (`introspection_runs`).
    /// A table that cannot be described fails alone. The URL is as for `inspectDatabase`.
    ///
    /// @throws As there.
    #[napi(
        ts_args_type = "url: string, access?: Access | null, call?: Abortable",
        ts_return_type = "Promise<Introspection>"
    )]
    pub fn introspect_database<'env>(
        &self,
        env: &'env Env,
        url: String,
        access: Option<Given>,
    ) -> Result<PromiseRaw<'env, Introspection>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.introspect_database(url, record_or_default("access", access)?).await?) })
    }

    /// What has changed about a table since its last snapshot, and what that is to each definition that goes by it. Nothing is
    /// written: it is told until a run has gone over it, or the table is accepted.
    ///
    /// @throws As `inspectDatabase`.
    #[napi(ts_args_type = "place: RecordPlace, call?: Abortable", ts_return_type = "Promise<Array<TableDrift>>")]
    pub fn table_drift<'env>(&self, env: &'env Env, place: Given) -> Result<PromiseRaw<'env, Vec<TableDrift>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.table_drift(record("place", place)?).await?) })
    }

    /// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become another one makes every
    /// row another one; a mapping over a column that is gone is refused in any case.
    ///
    /// @throws `not_found` when the book does not know the table; as `inspectDatabase`.
    #[napi(ts_args_type = "place: RecordPlace, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn accept_table<'env>(&self, env: &'env Env, place: Given) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.accept_table(record("place", place)?).await?) })
    }

    /// How many resource units an application of SharePoint may spend; unless told otherwise, those of the smallest tenants.
    ///
    /// @throws `storage`, `busy`.
    #[napi(ts_args_type = "account: UnitAccount, call?: Abortable", ts_return_type = "Promise<UnitBudget>")]
    pub fn sharepoint_budget<'env>(&self, env: &'env Env, account: Given) -> Result<PromiseRaw<'env, UnitBudget>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.sharepoint_budget(record("account", account)?).await?) })
    }

    /// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
    ///
    /// @throws `invalid` for a budget of nothing; `storage`, `busy`.
    #[napi(
        ts_args_type = "account: UnitAccount, budget: UnitBudget, call?: Abortable",
        ts_return_type = "Promise<void>"
    )]
    pub fn set_sharepoint_budget<'env>(
        &self,
        env: &'env Env,
        account: Given,
        budget: Given,
    ) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            let (account, budget) = (record("account", account)?, record("budget", budget)?);
            Ok(core.set_sharepoint_budget(account, budget).await?)
        })
    }

    /// Brings tables that only the host knows, under a key that is the same every time; a place of the type `host` names them by it.
    /// It answers until it is shut down.
    ///
    /// @throws `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
    #[napi(ts_args_type = "key: string, options?: HostRecordOptions | null")]
    pub fn host_records(&self, key: String, options: Option<Given>) -> Result<HostRecords> {
        at_once(|| Ok(HostRecords { core: self.core.host_records(key, record_or_default("options", options)?)? }))
    }
}
