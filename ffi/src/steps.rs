//! What comes one after another, waited for and taken in two steps.
//!
//! For Kotlin: a coroutine that is cancelled at the moment in which its answer comes is not given it (kotlinx.coroutines,
//! `suspendCancellableCoroutine`, "prompt cancellation guarantee"). A wait here takes nothing, and what takes does not wait: so
//! nothing is lost, whoever gives up when.

use crate::error::Result;
use crate::host::HostStore;
use crate::host_records::HostRecords;
use crate::keys::HostKeys;
use crate::records::{HostRequest, KeyRequest, RecordRequest, RunEvent, StoredProgress};
use crate::run::{ProgressWatch, Run};
use crate::volume::FileReader;

#[uniffi::export]
impl Run {
    /// Waits until an event can be taken; false after the last.
    ///
    /// # Errors
    /// As for `next_event`.
    pub async fn has_event(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The event that was waited for; none when another has taken it.
    pub fn take_event(&self) -> Option<RunEvent> {
        self.take()
    }
}

#[uniffi::export]
impl ProgressWatch {
    /// Waits until a row can be taken; false after the row that completes the run.
    ///
    /// # Errors
    /// As for `next_row`.
    pub async fn has_row(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The row that was waited for; none when another has taken it.
    pub fn take_row(&self) -> Option<StoredProgress> {
        self.take()
    }
}

#[uniffi::export]
impl FileReader {
    /// Waits until a piece can be taken; false after the last.
    ///
    /// # Errors
    /// As for `next_piece`.
    pub async fn has_piece(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The piece that was waited for; none when another has taken it.
    pub fn take_piece(&self) -> Option<Vec<u8>> {
        self.take()
    }
}

#[uniffi::export]
impl HostStore {
    /// Waits until a request can be taken; false after the end.
    ///
    /// # Errors
    /// As for `next_request`.
    pub async fn has_request(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The request that was waited for; none when another has taken it, or nobody waits for its answer any more.
    pub fn take_request(&self) -> Option<HostRequest> {
        self.take()
    }
}

#[uniffi::export]
impl HostKeys {
    /// Waits until a request can be taken; false after the end.
    ///
    /// # Errors
    /// As for `next_request`.
    pub async fn has_request(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The request that was waited for; none when another has taken it, or nobody waits for its answer any more.
    pub fn take_request(&self) -> Option<KeyRequest> {
        self.take()
    }
}

#[uniffi::export]
impl HostRecords {
    /// Waits until a request can be taken; false after the end.
    ///
    /// # Errors
    /// As for `next_request`.
    pub async fn has_request(&self) -> Result<bool> {
        self.is_ready().await
    }

    /// The request that was waited for; none when another has taken it, or nobody waits for its answer any more.
    pub fn take_request(&self) -> Option<RecordRequest> {
        self.take()
    }
}
