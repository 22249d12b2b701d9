//! Files and tables that the host itself holds: the engine asks, the host pulls and answers.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{ErrorCode, HostRequest, RecordRequest};

use crate::bridge::{Given, at_once, record};

/// Files that the host holds: a place that conduits and volumes can have. The host takes requests and answers them, from any
/// thread and in any order; a request that is not answered in time fails with `timeout`.
#[napi]
pub struct HostStore {
    pub(crate) core: Arc<portbook_ffi::HostStore>,
}

#[napi]
impl HostStore {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// @throws `invalid` after a fork.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<HostRequest | null>")]
    pub fn next_request<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<HostRequest>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_request().await?) })
    }

    /// The bytes of a `write_at`.
    ///
    /// @throws `not_found` when nobody waits for its answer.
    #[napi]
    pub fn bytes(&self, id: i64) -> Result<Buffer> {
        at_once(|| Ok(self.core.bytes(id)?.into()))
    }

    /// Answers a request.
    ///
    /// @throws `not_found` when nobody waits for it: it was answered before, or too late.
    #[napi(ts_args_type = "id: number, answer: HostAnswer")]
    pub fn reply(&self, id: i64, answer: Given) -> Result<()> {
        at_once(|| Ok(self.core.reply(id, record("answer", answer)?)?))
    }

    /// Answers a `read_at`.
    ///
    /// @throws As `reply`.
    #[napi(ts_args_type = "id: number, bytes: Uint8Array")]
    pub fn reply_bytes(&self, id: i64, bytes: &[u8]) -> Result<()> {
        at_once(|| Ok(self.core.reply_bytes(id, bytes.to_vec())?))
    }

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// @throws As `reply`.
    #[napi(ts_args_type = "id: number, reason: string, code?: ErrorCode | null")]
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        at_once(|| Ok(self.core.fail(id, reason, code)?))
    }

    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    #[napi]
    pub fn shutdown(&self) -> Result<()> {
        at_once(|| {
            self.core.shutdown();
            Ok(())
        })
    }
}

/// Tables that the host holds: a source or a target of definitions. The host takes requests and answers them, from any thread and
/// in any order; a request that is not answered in time fails with `timeout`.
#[napi]
pub struct HostRecords {
    pub(crate) core: Arc<portbook_ffi::HostRecords>,
}

#[napi]
impl HostRecords {
    /// The next request; none after the end. A wait that is given up loses none.
    ///
    /// @throws `invalid` after a fork.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<RecordRequest | null>")]
    pub fn next_request<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<RecordRequest>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_request().await?) })
    }

    /// Answers a request.
    ///
    /// @throws `not_found` when nobody waits for it: it was answered before, or too late.
    #[napi(ts_args_type = "id: number, answer: RecordAnswer")]
    pub fn reply(&self, id: i64, answer: Given) -> Result<()> {
        at_once(|| Ok(self.core.reply(id, record("answer", answer)?)?))
    }

    /// Answers that it failed, in the host's words: with the code `host` unless another is given.
    ///
    /// @throws As `reply`.
    #[napi(ts_args_type = "id: number, reason: string, code?: ErrorCode | null")]
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        at_once(|| Ok(self.core.fail(id, reason, code)?))
    }

    /// Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
    #[napi]
    pub fn shutdown(&self) -> Result<()> {
        at_once(|| {
            self.core.shutdown();
            Ok(())
        })
    }
}
