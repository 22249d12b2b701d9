//! A key that the host keeps: it is asked to wrap and unwrap, and nothing else leaves its key service.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portbook::Error;
use portbook::model::SecretBytes;
use portbook::vault::{KeySource, KeyWrapper, WrappedKey};

use crate::error::Result;
use crate::life::check_process;
use crate::question::{Desk, code_of_host};
use crate::records::{ErrorCode, KeyAction, KeyRequest, hex, milliseconds};

/// How long a request waits for its answer unless told otherwise: somebody may have to touch something.
const PATIENCE_MS: i64 = 60_000;

/// The key of a book's secrets in the host's keeping: in a key management service, a hardware module, the system's keychain.
/// The host takes requests and answers them; they are rare, one for each tenant and process.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct HostKeys {
    process: u32,
    desk: Arc<KeyDesk>,
}

struct KeyDesk(Desk<KeyRequest, WrappedKey, SecretBytes>);

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl HostKeys {
    /// To be given to a book before it is opened. A request waits so long for its answer; a minute unless told otherwise.
    ///
    /// # Errors
    /// `invalid` when the time is negative.
    #[cfg_attr(feature = "uniffi", uniffi::constructor)]
    pub fn new(timeout_ms: Option<i64>) -> Result<Arc<Self>> {
        let timeout: Duration = milliseconds("timeout_ms", timeout_ms.unwrap_or(PATIENCE_MS))?;
        let desk = Arc::new(KeyDesk(Desk::new(timeout)));
        Ok(Arc::new(Self { process: std::process::id(), desk }))
    }

    /// The next request; none after [`shutdown`](Self::shutdown). A wait that is given up loses none.
    ///
    /// # Errors
    /// `invalid` after a fork.
    pub async fn next_request(&self) -> Result<Option<KeyRequest>> {
        check_process(self.process)?;
        Ok(self.desk.0.next().await)
    }

    /// The bytes that a request is about.
    ///
    /// # Errors
    /// `not_found` when nobody waits for its answer.
    pub fn bytes(&self, id: i64) -> Result<Vec<u8>> {
        check_process(self.process)?;
        Ok(self.desk.0.bytes(id)?.expose().to_vec())
    }

    /// Answers with the bytes wrapped or unwrapped. `key_id` names the key that wrapped them; empty for `unwrap`.
    ///
    /// # Errors
    /// `not_found` when nobody waits for it.
    pub fn reply(&self, id: i64, key_id: String, bytes: Vec<u8>) -> Result<()> {
        check_process(self.process)?;
        Ok(self.desk.0.answer(id, Ok(WrappedKey { key_id, bytes }))?)
    }

    /// Answers that it failed, in the host's words: `host` unless a code is given, `offline` and `timeout` when a later call may
    /// succeed, `wrong_key` when the host's key is known to be another one.
    ///
    /// # Errors
    /// `not_found` when nobody waits for it.
    pub fn fail(&self, id: i64, reason: String, code: Option<ErrorCode>) -> Result<()> {
        check_process(self.process)?;
        let code = code_of_host(code);
        Ok(self.desk.0.answer(id, Err(Error::new(code, "use the host's key", "").because(reason)))?)
    }

    /// Ends it: nobody is asked any more.
    pub fn shutdown(&self) {
        if check_process(self.process).is_ok() {
            self.desk.0.end();
        }
    }
}

impl HostKeys {
    #[cfg(feature = "uniffi")]
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        check_process(self.process)?;
        Ok(self.desk.0.is_ready().await)
    }

    #[cfg(feature = "uniffi")]
    pub(crate) fn take(&self) -> Option<KeyRequest> {
        self.desk.0.take()
    }

    pub(crate) fn source(&self) -> KeySource {
        KeySource::host(self.desk.clone())
    }
}

#[async_trait]
impl KeyWrapper for KeyDesk {
    async fn wrap(&self, key: &SecretBytes, context: &[u8]) -> portbook::Result<WrappedKey> {
        let (action, context) = (KeyAction::Wrap, hex(context));
        self.0.ask(|id| KeyRequest { id, action, key_id: None, context }, key.clone()).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &[u8]) -> portbook::Result<SecretBytes> {
        let (action, context, key_id) = (KeyAction::Unwrap, hex(context), Some(wrapped.key_id.clone()));
        let bytes = SecretBytes::from(wrapped.bytes.clone());
        Ok(self.0.ask(|id| KeyRequest { id, action, key_id, context }, bytes).await?.bytes.into())
    }
}
