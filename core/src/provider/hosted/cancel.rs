//! A host need not answer, and a run that is cancelled does not wait for it.
//!
//! What asks and has no effect is given up at once, and so is a piece of a file that is not in its place yet. Of what may have had
//! its effect it is worth a moment to know; and as long has whatever a cancelled run still asks for, which tidies up. An item
//! whose answer was not waited for is looked at anew by the next run, as after a timeout.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::HostFiles;
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Node, RelPath, Timestamp};

/// How long a host has for its answer after a cancel.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// Whether the run that this task belongs to was cancelled.
    static IS_CANCELLED: watch::Receiver<bool>;
}

/// Carries out a run, whose waits for hosts end when it is cancelled.
pub(crate) async fn of_run<F: Future>(is_cancelled: watch::Receiver<bool>, run: F) -> F::Output {
    IS_CANCELLED.scope(is_cancelled, run).await
}

/// A part of the run of the calling task, on a task of its own.
pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(part: F) -> JoinHandle<F::Output> {
    match IS_CANCELLED.try_with(Clone::clone) {
        Ok(is_cancelled) => tokio::spawn(of_run(is_cancelled, part)),
        Err(_) => tokio::spawn(part),
    }
}

/// The answer, unless the run of the calling task is cancelled and it does not come within `patience`.
pub(crate) async fn unless_cancelled<T>(patience: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let Ok(mut is_cancelled) = IS_CANCELLED.try_with(Clone::clone) else { return answer.await };
    let patience = if *is_cancelled.borrow() { MOMENT } else { patience };
    let given_up = async {
        if is_cancelled.wait_for(|is| *is).await.is_err() {
            // Nobody is left who could.
            pending::<()>().await;
        }
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = given_up => Err(Error::new(Code::Cancelled, "wait for the host", "").because("the run was cancelled")),
    }
}

/// A host's files, whose answers a cancelled run does not wait for.
pub(super) struct Cancellable(pub(super) Arc<dyn HostFiles>);

#[async_trait]
impl HostFiles for Cancellable {
    async fn list(&self, dir: &RelPath) -> Result<Option<Vec<Entry>>> {
        unless_cancelled(Duration::ZERO, self.0.list(dir)).await
    }

    async fn look(&self, path: &RelPath) -> Result<Option<Node>> {
        unless_cancelled(Duration::ZERO, self.0.look(path)).await
    }

    async fn read(&self, path: &RelPath, offset: u64, length: u64) -> Result<Bytes> {
        unless_cancelled(Duration::ZERO, self.0.read(path, offset, length)).await
    }

    async fn write(&self, path: &RelPath, offset: u64, bytes: Bytes) -> Result<()> {
        unless_cancelled(Duration::ZERO, self.0.write(path, offset, bytes)).await
    }

    async fn set_modified(&self, path: &RelPath, time: Timestamp) -> Result<()> {
        unless_cancelled(MOMENT, self.0.set_modified(path, time)).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<()> {
        unless_cancelled(MOMENT, self.0.make_dir(path)).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath, replace: bool) -> Result<()> {
        unless_cancelled(MOMENT, self.0.rename(from, to, replace)).await
    }

    async fn remove(&self, path: &RelPath) -> Result<()> {
        unless_cancelled(MOMENT, self.0.remove(path)).await
    }

    async fn flush(&self) -> Result<()> {
        unless_cancelled(MOMENT, self.0.flush()).await
    }
}
