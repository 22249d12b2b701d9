//! Rows of the ledger's own tables, which no specification has.

use super::text_enum::text_enum;
use super::{Moment, RelPath, TenantId, record};

text_enum! {
    /// Where a transfer that can be resumed stands (`transfer_session.state`).
    TransferState {
        /// Parts are still to be carried.
        Open = "open",
        /// The place has all parts; the ledger does not say so yet.
        Complete = "complete",
        /// To be aborted at the place.
        Abandoned = "abandoned",
    }
}

record! {
    /// A row of `transfer_session`: a transfer that a new process can continue. One per conduit, side and path.
    TransferSession = "transfer_session", numbered: true,
    {
        /// Its number; 0 until it is inserted.
        id: i64,
        /// Whose it is.
        tenant_id: TenantId,
        /// The conduit.
        conduit_id: i64,
        /// The agreed path.
        path: RelPath,
        /// The side that is written: 1 left, 2 right.
        side: i64,
        /// Where it stands.
        state: TransferState,
        /// The run that began or continued it last.
        generation: i64,
        /// How many runs have begun or continued it; a checkpoint of an earlier one is refused.
        attempt: i64,
        /// Tells its temporary name.
        tag: String,
        /// The version that is carried, as the source showed it.
        source: Vec<u8>,
        /// What the place needs to continue, in its own form; URLs in it are secrets and sealed. None before the first
        /// checkpoint.
        session: Option<Vec<u8>>,
        /// Bytes that are safe at the place.
        offset_bytes: i64,
        /// Until when the place keeps it; none when it does not say.
        expires_at: Option<Moment>,
        /// When it was begun.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
    }
}
