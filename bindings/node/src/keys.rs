//! A key that the host keeps: it is asked to wrap and unwrap, and nothing else leaves its key service.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{ErrorCode, KeyRequest};

use crate::bridge::at_once;

/// The key of a book's secrets in the host's keeping: in a key management service, a hardware module, the system's keychain.
/// The host takes requests and answers them; they are rare, one for each tenant and process.
#[napi]
pub struct HostKeys {
    pub(crate) core: Arc<portbook_ffi::HostKeys>,
}

#[napi]
impl HostKeys {
    /// To be given to a book before it is opened. A request waits so long for its answer; a minute unless told otherwise.
    ///
    /// @throws `invalid` when the time is negative.
    #[napi(constructor, ts_args_type = "timeoutMs?: number | null")]
    pub fn new(timeout_ms: Option<i64>) -> Result<Self> {
        Ok(Self { core: portbook_ffi::HostKeys::new(timeout_ms)? })
    }

    /// The next request; none after `shutdown`. A wait that is given up loses none.
    ///
    /// @throws `invalid` after a fork.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<KeyRequest | null>")]
    pub fn next_request<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<KeyRequest>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_request().await?) })
    }

    /// The bytes that a request is about.
    ///
    /// @throws `not_found` when nobody waits for its answer.
    #[napi]
    pub fn bytes(&self, id: i64) -> Result<Buffer> {
        at_once(|| Ok(self.core.bytes(id)?.into()))
    }

    /// Answers with the bytes wrapped or unwrapped. `keyId` names the key that wrapped them; empty for `unwrap`.
    ///
    /// @throws `not_found` when nobody waits for it.
    #[napi(ts_args_type = "id: number, keyId: string, bytes: Uint8Array")]
    pub fn reply(&self, id: i64, key_id: String, bytes: &[u8]) -> Result<()> {
        at_once(|| Ok(self.core.reply(id, key_id, bytes.to_vec())?))
    }

    /// Answers that it failed, in the host's words: `host` unless a code is given, `offline` and `timeout` when a later call may
    /// succeed, `wrong_key` when the host's key is known to be another one.
    ///
    /// @throws `not_found` when nobody waits for it.
    #[napi(ts_args_type = "id: number, reason: string, code?: ErrorCode | null")]
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        at_once(|| Ok(self.core.fail(id, reason, code)?))
    }

    /// Ends it: nobody is asked any more.
    #[napi]
    pub fn shutdown(&self) -> Result<()> {
        at_once(|| {
            self.core.shutdown();
            Ok(())
        })
    }
}
