//! The channels by which one file is written.
//!
//! A server takes no more of a channel than its window before it has passed that on (RFC 4254, section 5.2; OpenSSH: 2 MiB),
//! does one thing after another there, and stands still while it flushes. At a distance a large file is faster by
//! several of them, each with a handle of its own, on one connection. What a server may refuse of that costs speed alone.
//!
//! A handle is used only after it has shown what was written by the first one: to a server over a store of objects each of
//! them may be an upload of its own. At the end each of them must show all of the file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::fault::Fault;
use super::packet::open as how;
use super::pool::Lease;
use super::read::File;
use super::root::{Root, kind_of};
use super::stage::STAGE;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, escaped};
use crate::provider::traffic::{Refusal, Repeat};

/// The handles of one file.
pub(super) struct Ways {
    /// That by which it was created or taken up.
    pub(super) first: Arc<File>,
    further: Mutex<Vec<Arc<File>>>,
    /// Before here everything was acknowledged.
    acknowledged: watch::Sender<u64>,
}

impl Ways {
    /// Of a file of which everything before `offset` is there.
    pub(super) fn new(first: File, offset: u64) -> Arc<Self> {
        let acknowledged = watch::Sender::new(offset);
        Arc::new(Self { first: Arc::new(first), further: Mutex::default(), acknowledged })
    }

    pub(super) fn acknowledge(&self, before: u64) {
        self.acknowledged.send_replace(before);
    }

    /// The one that has least to do.
    pub(super) fn least(&self) -> Arc<File> {
        let further = self.further();
        let least = further.iter().min_by_key(|file| file.session().unanswered());
        match least.filter(|file| file.session().unanswered() < self.first.session().unanswered()) {
            Some(least) => Arc::clone(least),
            None => Arc::clone(&self.first),
        }
    }

    /// Those beside the first; none of them is given out any more.
    pub(super) fn take_further(&self) -> Vec<Arc<File>> {
        std::mem::take(&mut *self.further())
    }

    fn further(&self) -> MutexGuard<'_, Vec<Arc<File>>> {
        self.further.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the file on as many further channels as the server gives it.
pub(super) async fn widen(root: Arc<Root>, ways: Arc<Ways>, path: Vec<u8>) -> Result<()> {
    let further = root.pool.further(ways.first.lease()).await;
    // The sender is among the ways.
    let _ = ways.acknowledged.subscribe().wait_for(|before| *before > 0).await;
    let (root, ways, path) = (&root, &ways, &path);
    let open = |lease: Lease| async move {
        let open = || open(lease.clone(), path, *ways.acknowledged.borrow());
        if let Ok(file) = root.traffic.send(Repeat::Refused, open).await {
            ways.further().push(Arc::new(file));
        }
    };
    join_all(further.into_iter().map(open)).await;
    Ok(())
}

/// Opens the file once more; it must show what was acknowledged.
async fn open(lease: Lease, path: &[u8], acknowledged: u64) -> std::result::Result<File, Refusal> {
    let at = |fault: Fault| Refusal::from(fault.at(STAGE, escaped(path)));
    let other = || Refusal::from(Error::new(Code::Stale, STAGE, escaped(path)).because("it is another file"));
    // No link is followed that somebody else may have put there.
    let seen = lease.look(path).await.map_err(at)?.ok_or_else(other)?;
    if kind_of(&seen) != Kind::File {
        return Err(other());
    }
    let file = File::open(lease, path, how::WRITE, None).await.map_err(at)?;
    let seen = file.session().fstat(&file.handle).attributes().await.map_err(at)?;
    if seen.size.is_some_and(|size| size >= acknowledged) { Ok(file) } else { Err(other()) }
}
