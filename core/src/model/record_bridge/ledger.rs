//! The ledger of rows: what source and target last agreed on.
//!
//! Its table holds millions of rows and is written by the engine alone, in batches; so it is a [`Record`], not a table of
//! the generic access. A batch is written by [`Insert::upsert`](crate::store::Insert::upsert), sorted by its key.
//!
//! [`Record`]: crate::model::Record

use uuid::Uuid;

use super::definition::{KeyStrategy, SyncDefinition};
use super::inventory::DatabaseInstance;
use crate::model::text_enum::text_enum;
use crate::model::{Id, Moment, record};

text_enum! {
    /// Which way a row went last (`sync_ledger.provenance`).
    Provenance {
        /// To the target.
        Push = "PUSH",
        /// To the source.
        Pull = "PULL",
    }
}

text_enum! {
    /// What is known of a pair of rows (`sync_ledger.state`).
    LedgerState {
        /// A write to the target was begun; whether it arrived is found out by looking.
        Pending = "PENDING",
        /// Both sides agreed.
        Confirmed = "CONFIRMED",
        /// Both sides changed, and a person decides.
        Conflict = "CONFLICT",
    }
}

record! {
    /// A row of `sync_ledger`. The first two columns are the key.
    LedgerRow = "sync_ledger", numbered: false,
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// The identity of the source's row. Its preimage holds the tenant and the definition.
        source_identity_hash: [u8; 32],
        /// The identity, for a person.
        source_identity: String,
        /// What the identity was made of.
        source_key_strategy: KeyStrategy,
        /// The source that had the row last; one of the definition's `sync_sources`.
        source_instance_id: Option<Id<DatabaseInstance>>,
        /// The list that holds the item, by its id at SharePoint.
        sp_list_id: Option<String>,
        /// The item; nothing until it is known.
        sp_item_id: Option<i64>,
        /// The key of the target's row, where the target is a table.
        target_key: Option<String>,
        /// What is known of the pair.
        state: LedgerState,
        /// The attempt under way; always there while the state is pending.
        attempt_id: Option<Uuid>,
        /// What the target called its version of the row.
        etag: Option<String>,
        /// The hash of the source's row.
        content_hash: Option<[u8; 32]>,
        /// The hash of the row as the target can hold it.
        remote_content_hash: Option<[u8; 32]>,
        /// The version of the mapping that both hashes were made with.
        mapping_version: i64,
        /// When the source says that it changed its row.
        last_source_ts: Option<Moment>,
        /// When the row was last carried.
        last_sync_ts: Option<Moment>,
        /// When a routing rule that asks the clock may send the row elsewhere.
        next_route_at: Option<Moment>,
        /// Which way the row went last.
        provenance: Provenance,
        /// When the pair was first known.
        created_at: Moment,
        /// When this row was last written.
        updated_at: Moment,
    }
}

impl LedgerRow {
    /// The id that the table shows: the front of the identity hash.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut front = [0; 16];
        front.copy_from_slice(&self.source_identity_hash[..16]);
        Uuid::from_bytes(front)
    }
}
