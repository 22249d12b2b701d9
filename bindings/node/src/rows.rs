//! Rows of the book's tables, by the name of the table. `index.js` makes objects of their texts.

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::RowPage;

use crate::bridge::{Given, record_or_default, rows};
use crate::session::Session;

#[napi]
impl Session {
    /// Makes a row of the fields given; the others get their defaults.
    ///
    /// @throws `not_found` when there is no such table, or the row names a row that is not there; `invalid` when a value breaks a rule of
    /// its column; `conflict` when it repeats what has to be unique.
    #[napi(ts_args_type = "table: string, row: Row, call?: Abortable", ts_return_type = "Promise<Row>")]
    pub fn create_row<'env>(&self, env: &'env Env, table: String, row: String) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.create_row(table, row).await?) })
    }

    /// The row of that id.
    ///
    /// @throws `not_found` when there is none, or it is deleted.
    #[napi(ts_args_type = "table: string, id: string, call?: Abortable", ts_return_type = "Promise<Row>")]
    pub fn get_row<'env>(&self, env: &'env Env, table: String, id: String) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.get_row(table, id).await?) })
    }

    /// A page of the rows that the filter names, after the page that ended there; 1,000 at most.
    ///
    /// @throws `invalid` when no index serves the list, or `after` is of another list.
    #[napi(
        ts_args_type = "table: string, filter?: RowFilter | null, after?: string | null, limit?: number | null, call?: Abortable",
        ts_return_type = "Promise<{ rows: Row[]; next?: string }>"
    )]
    pub fn list_rows<'env>(
        &self,
        env: &'env Env,
        table: String,
        filter: Option<Given>,
        after: Option<String>,
        limit: Option<i64>,
    ) -> Result<PromiseRaw<'env, RowPage>> {
        let core = self.core.clone();
        env.spawn_future(async move {
            Ok(core.list_rows(table, record_or_default("filter", filter)?, after, rows(limit)?).await?)
        })
    }

    /// Changes the fields given of the row that was read with this `updated_at`.
    ///
    /// @throws `stale` when it was changed since; `not_found`; else as `createRow`.
    #[napi(
        ts_args_type = "table: string, id: string, updatedAt: string, fields: Row, call?: Abortable",
        ts_return_type = "Promise<Row>"
    )]
    pub fn update_row<'env>(
        &self,
        env: &'env Env,
        table: String,
        id: String,
        updated_at: String,
        fields: String,
    ) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.update_row(table, id, updated_at, fields).await?) })
    }

    /// Deletes a row, or marks it where the table keeps deleted rows.
    ///
    /// @throws `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to it.
    #[napi(ts_args_type = "table: string, id: string, call?: Abortable", ts_return_type = "Promise<void>")]
    pub fn delete_row<'env>(&self, env: &'env Env, table: String, id: String) -> Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.delete_row(table, id).await?) })
    }

    /// Takes a deletion back.
    ///
    /// @throws `unsupported` where deleted rows are gone; `not_found`; `conflict` when another row has taken its place.
    #[napi(ts_args_type = "table: string, id: string, call?: Abortable", ts_return_type = "Promise<Row>")]
    pub fn restore_row<'env>(&self, env: &'env Env, table: String, id: String) -> Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.restore_row(table, id).await?) })
    }

    /// The secret in a column of a row, in the open; none where the column is empty.
    ///
    /// @throws `wrong_key` when the book was opened without its key; `invalid` when the column holds no secrets, or one that is not
    /// text; `not_found`.
    #[napi(
        ts_args_type = "table: string, id: string, column: string, call?: Abortable",
        ts_return_type = "Promise<string | null>"
    )]
    pub fn reveal<'env>(
        &self,
        env: &'env Env,
        table: String,
        id: String,
        column: String,
    ) -> Result<PromiseRaw<'env, Option<String>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.reveal(table, id, column).await?) })
    }
}
