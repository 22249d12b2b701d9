//! Rows and enumerations of `vault_key` and `data_key`. Nothing in them is a secret: keys are wrapped.

use uuid::Uuid;

use super::text_enum::text_enum;
use super::{TenantId, record};

text_enum! {
    /// What the host supplies to wrap data keys with (`vault_key.kind`).
    KeyKind {
        /// A key of 32 bytes.
        Raw = "raw",
        /// A passphrase, from which Argon2id makes one.
        Passphrase = "passphrase",
        /// A call: a key service or the system's keychain.
        Host = "host",
    }
}

record! {
    /// A row of `vault_key`: what wraps the data keys of the whole book. There is one, from the first secret on.
    VaultKey = "vault_key", numbered: false,
    {
        /// 1; 0 only inside of the transaction that rotates the key.
        slot: i64,
        /// Its id, a new one with every rotation.
        key_id: Uuid,
        /// What the host supplies.
        kind: KeyKind,
        /// The salt of a passphrase.
        salt: Option<Vec<u8>>,
        /// KiB of memory that Argon2id uses.
        memory_kib: Option<i64>,
        /// Its passes over them.
        passes: Option<i64>,
        /// Its lanes.
        lanes: Option<i64>,
        /// A wrapped key that is used for nothing else: a wrong key does not unwrap it.
        check_value: Vec<u8>,
    }
}

record! {
    /// A row of `data_key`: a tenant's key, wrapped.
    DataKey = "data_key", numbered: false,
    {
        /// Whose it is.
        tenant_id: TenantId,
        /// 1, 2, 3 …; the newest seals, all open.
        generation: i64,
        /// The `vault_key` that wrapped it.
        key_id: Uuid,
        /// Its stored form.
        wrapped: Vec<u8>,
    }
}
