//! Transfers that a later process can continue.
//!
//! A place says from which size on it keeps what arrived of a file ([`Capabilities::resumable_bytes`]). For such a file
//! the engine brings a session: what an earlier attempt left, and where to report what is safe by now. What a
//! checkpoint says in the place's own form (parts that were acknowledged, an upload's id, the identity of a temporary
//! file) is nobody else's business; URLs in it are secrets and sealed.
//!
//! What always holds: a checkpoint is reported only after its bytes survive a power loss at the place, and a place
//! continues only from what it has looked at and found to be exactly that.
//!
//! [`Capabilities::resumable_bytes`]: super::Capabilities::resumable_bytes

use tokio::sync::{mpsc, oneshot};

use crate::error::{Code, Error, Result};

/// How far a transfer has come for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many bytes need not be carried again.
    pub offset: u64,
    /// What the place needs to continue, in its own form.
    pub state: Vec<u8>,
}

/// The session of one transfer, as the place sees it.
#[derive(Debug)]
pub struct Resumable {
    /// What an earlier attempt at this very version left; none: it begins now.
    pub from: Option<Checkpoint>,
    /// Where checkpoints are reported.
    pub keeper: Keeper,
}

/// Takes checkpoints into the book.
#[derive(Clone, Debug)]
pub struct Keeper(mpsc::Sender<Report>);

/// A checkpoint that waits to be taken into the book, and who waits for that.
#[derive(Debug)]
pub struct Report {
    /// What is safe by now.
    pub checkpoint: Checkpoint,
    /// Told when the book has it, or why it does not.
    pub kept: oneshot::Sender<Result<()>>,
}

impl Keeper {
    /// A keeper and the end at which its reports arrive, one at a time.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Report>) {
        let (send, receive) = mpsc::channel(1);
        (Self(send), receive)
    }

    /// Reports a checkpoint and waits, on a thread that may block, until the book has it.
    ///
    /// # Errors
    /// The book's; `conflict` when another attempt has taken the transfer over. The transfer ends then.
    pub fn keep(&self, checkpoint: Checkpoint) -> Result<()> {
        let (kept, is_kept) = oneshot::channel();
        self.0.blocking_send(Report { checkpoint, kept }).map_err(|_| unheard())?;
        is_kept.blocking_recv().unwrap_or_else(|_| Err(unheard()))
    }

    /// As [`keep`](Self::keep), for code that may not block.
    ///
    /// # Errors
    /// As there.
    pub async fn keep_async(&self, checkpoint: Checkpoint) -> Result<()> {
        let (kept, is_kept) = oneshot::channel();
        self.0.send(Report { checkpoint, kept }).await.map_err(|_| unheard())?;
        is_kept.await.unwrap_or_else(|_| Err(unheard()))
    }
}

fn unheard() -> Error {
    Error::new(Code::Internal, "keep how far a transfer is", "").because("nobody takes it into the book")
}

/// Whether what arrived is kept after this error: a later run continues, or the attempt that took it over. Anything else
/// makes it worthless: the source changed, the place is full or broken.
#[must_use]
pub fn is_interruption(error: &Error) -> bool {
    matches!(error.code(), Code::Cancelled | Code::Conflict) || error.is_retryable()
}
