//! Secrets at rest: sealed with a key per tenant, which is wrapped by a key that the host supplies.
//!
//! What always holds: a sealed value opens only at the tenant, table, row and column it was sealed for; keys are wiped
//! from memory when they are let go; a wrong key is the one error `wrong_key`, found before anything is written. The
//! key is derived when the first secret is sealed or opened, never when a book is opened.
//!
//! - The **key-encryption key** is a [`KeySource`] and described by the book's one row of `vault_key`.
//! - A **data key** is random, one per tenant and generation, and stored wrapped in `data_key`. The first is made with a
//!   tenant's first secret. The newest seals, all open.
//! - [`Vault::rotate_key`] wraps all data keys anew, in one transaction, and touches no sealed value.
//!   [`Vault::renew_data_key`] gives a tenant a new data key, and [`Vault::reseal`] seals what is there with it.
//!
//! The stored forms are written down in `format.rs`.

mod format;
mod key;
mod rotate;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use self::format::KeyUse;
use self::key::{KeyEncryptionKey, wrong_key};
use crate::error::{Code, Error, Result};
use crate::model::{DataKey, SecretBytes, TenantId, Value, VaultKey};
use crate::store::{Insert, Record, Statement, Store, Write, select};

pub use format::SecretPlace;
pub use key::{Argon2Cost, KeySource, KeyWrapper, PassphraseOf, WrappedKey};
pub use rotate::SealedColumn;

/// How often what another process did meanwhile is read again.
const TRIES: usize = 8;

/// The secrets of a book. Its methods run on a tokio runtime and may run at once.
pub struct Vault {
    store: Arc<dyn Store>,
    lock: tokio::sync::Mutex<Lock>,
    opened: Mutex<HashMap<TenantId, Arc<DataKeys>>>,
}

/// What is derived once and used for all.
struct Lock {
    source: Option<KeySource>,
    key: Option<Arc<KeyEncryptionKey>>,
}

/// What a call wants of a tenant's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// One at least; the newest of the book among them.
    ToSeal,
    /// All there are, if any.
    ToOpen,
}

impl Vault {
    /// The vault of the book in that store. Without a key it refuses to seal and to open (`wrong_key`). Reads nothing
    /// and derives nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, key: Option<KeySource>) -> Self {
        let lock = tokio::sync::Mutex::new(Lock { source: key, key: None });
        Self { store, lock, opened: Mutex::default() }
    }

    /// Whether the book was opened with a key, so that secrets can be kept without anybody being asked.
    pub(crate) async fn has_key(&self) -> bool {
        self.lock.lock().await.source.as_ref().is_some_and(|source| !source.may_ask())
    }

    /// Seals a secret for a place; what comes back is to be stored there. The tenant's data key is made when there is
    /// none.
    ///
    /// # Errors
    /// `wrong_key` when the book was opened without a key or its secrets are kept by another one, `invalid` when there
    /// is no such tenant, `host` or another code of a [`KeyWrapper`], `storage`, `busy`, `corrupt`.
    pub async fn seal(&self, tenant: TenantId, place: SecretPlace<'_>, plain: &SecretBytes) -> Result<Vec<u8>> {
        self.sealing_keys(tenant).await?.seal(place, plain)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// `corrupt` when it was damaged or sealed for another place, `newer` when a later version sealed it, else as
    /// [`seal`](Self::seal).
    pub async fn open(&self, tenant: TenantId, place: SecretPlace<'_>, sealed: &[u8]) -> Result<SecretBytes> {
        let generation = format::generation(&place, sealed)?;
        // A tenant that was restored from elsewhere has other keys than those known: a failure is looked into.
        let known = self.opened(tenant).filter(|k| k.by_generation.contains_key(&generation));
        if let Some(opened) = known.and_then(|k| k.open(place, sealed).ok()) {
            return Ok(opened);
        }
        self.keys(tenant, Want::ToOpen).await?.open(place, sealed)
    }

    /// The tenant's data keys as the book has them now, for many values at once: sealing with them asks the book no
    /// more.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub async fn sealing_keys(&self, tenant: TenantId) -> Result<Arc<DataKeys>> {
        self.keys(tenant, Want::ToSeal).await
    }

    async fn keys(&self, tenant: TenantId, want: Want) -> Result<Arc<DataKeys>> {
        let mut lock = self.lock.lock().await;
        let mut tries = 0..TRIES;
        loop {
            let (current, rows) = self.read(tenant, &lock).await?;
            let made = match (current, want) {
                (None, Want::ToOpen) => return Err(no_keys()),
                (None, Want::ToSeal) => self.make_key(&mut lock).await,
                (Some(row), _) => {
                    let key = unlock(&mut lock, &row).await?;
                    if want == Want::ToOpen || !rows.is_empty() {
                        return self.remember(tenant, &key, &rows).await;
                    }
                    self.add_data_key(tenant, &key, 1).await
                }
            };
            // Another process was faster, or changed the key: what it did is read.
            if let Err(error) = made
                && (tries.next().is_none() || !is_race(&error))
            {
                return Err(error);
            }
        }
    }

    /// The book's key and the tenant's data keys, at one moment.
    async fn read(&self, tenant: TenantId, lock: &Lock) -> Result<(Option<VaultKey>, Vec<DataKey>)> {
        if lock.source.is_none() {
            return Err(wrong_key("it was opened without a key"));
        }
        let key = Statement::new(select!(VaultKey, "WHERE slot = 1"), Vec::new());
        let data_keys = "WHERE tenant_id = ?1 ORDER BY generation";
        let data_keys = Statement::new(DataKey::SELECT.to_owned() + " " + data_keys, vec![Value::Uuid(tenant.0)]);
        let pages = self.store.query_many(tenant, vec![key, data_keys]).await?;
        let key = pages.first().and_then(|p| p.first()).map(VaultKey::read).transpose()?;
        let data_keys = pages.get(1).into_iter().flat_map(|p| p.iter()).map(DataKey::read).collect::<Result<_>>()?;
        Ok((key, data_keys))
    }

    /// Writes the row that describes the key of a book without secrets.
    async fn make_key(&self, lock: &mut Lock) -> Result<()> {
        let source = lock.source.clone().ok_or_else(|| wrong_key("it was opened without a key"))?;
        let (key, row) = KeyEncryptionKey::new(&source).await?;
        self.store.write(TenantId::BOOK, vec![Write::Insert(Insert::of(&[row]))]).await?;
        lock.key = Some(Arc::new(key));
        Ok(())
    }

    /// Makes a data key. Fails (`conflict`) when the generation exists, and (`invalid`) when the key is no longer that
    /// of the book.
    async fn add_data_key(&self, tenant: TenantId, by: &KeyEncryptionKey, generation: u32) -> Result<()> {
        let wrapped = by.wrap(KeyUse { tenant, generation }, &key::new_key()?).await?;
        let row = DataKey { tenant_id: tenant, generation: generation.into(), key_id: by.key_id, wrapped };
        self.store.write(tenant, vec![Write::Insert(Insert::of(&[row]))]).await?;
        Ok(())
    }

    /// Unwraps the keys that are not known yet. A key is known by its wrapped form: a key that the book does not hold
    /// must never seal.
    async fn remember(&self, tenant: TenantId, by: &KeyEncryptionKey, rows: &[DataKey]) -> Result<Arc<DataKeys>> {
        let known = self.opened(tenant);
        let mut by_generation = BTreeMap::new();
        let mut news = known.as_ref().is_none_or(|k| k.by_generation.len() != rows.len());
        for row in rows {
            let generation = generation_of(row)?;
            let same =
                known.as_ref().and_then(|k| k.by_generation.get(&generation)).filter(|k| k.wrapped == row.wrapped);
            let key = match same {
                Some(key) => key.clone(),
                None => {
                    news = true;
                    Unwrapped { wrapped: row.wrapped.clone(), key: unwrap(by, row).await? }
                }
            };
            by_generation.insert(generation, key);
        }
        if let Some(known) = known.filter(|_| !news) {
            return Ok(known);
        }
        let keys = Arc::new(DataKeys { tenant, by_generation });
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, keys.clone());
        Ok(keys)
    }

    fn opened(&self, tenant: TenantId) -> Option<Arc<DataKeys>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

/// The data keys of a tenant, unwrapped. Wiped when the last user lets go of them.
pub struct DataKeys {
    tenant: TenantId,
    by_generation: BTreeMap<u32, Unwrapped>,
}

#[derive(Clone)]
struct Unwrapped {
    wrapped: Vec<u8>,
    key: SecretBytes,
}

impl DataKeys {
    /// Seals with the newest key.
    ///
    /// # Errors
    /// `storage` when the system gives no random numbers.
    pub fn seal(&self, place: SecretPlace<'_>, plain: &SecretBytes) -> Result<Vec<u8>> {
        let (generation, newest) = self.by_generation.last_key_value().ok_or_else(no_keys)?;
        format::seal(&newest.key, *generation, key::random()?, self.tenant, &place, plain)
    }

    /// Opens with the key that sealed it.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open(&self, place: SecretPlace<'_>, sealed: &[u8]) -> Result<SecretBytes> {
        let generation = format::generation(&place, sealed)?;
        let sealed_by = self.by_generation.get(&generation).ok_or_else(|| {
            format::damaged(&place).because(format!("the book has no data key of its generation {generation}"))
        })?;
        format::open(&sealed_by.key, self.tenant, &place, sealed)
    }

    /// The generation that seals; 0 when there is none.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.by_generation.last_key_value().map_or(0, |(generation, _)| *generation)
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKeys({}, ..)", self.tenant)
    }
}

/// The key that the row describes, derived at most once.
async fn unlock(lock: &mut Lock, row: &VaultKey) -> Result<Arc<KeyEncryptionKey>> {
    if let Some(key) = lock.key.as_ref().filter(|k| k.key_id == row.key_id) {
        return Ok(key.clone());
    }
    let source = lock.source.as_ref().ok_or_else(|| wrong_key("it was opened without a key"))?;
    let key = Arc::new(KeyEncryptionKey::of_book(source, row).await?);
    lock.key = Some(key.clone());
    Ok(key)
}

async fn unwrap(by: &KeyEncryptionKey, row: &DataKey) -> Result<SecretBytes> {
    let key = by.unwrap(KeyUse { tenant: row.tenant_id, generation: generation_of(row)? }, &row.wrapped).await?;
    key.ok_or_else(|| {
        Error::new(Code::Corrupt, "unwrap", format!("data key {} of tenant {}", row.generation, row.tenant_id))
            .because("it was changed, or belongs to another tenant")
            .advise("restore the book from a copy")
    })
}

fn generation_of(row: &DataKey) -> Result<u32> {
    u32::try_from(row.generation).map_err(|_| {
        Error::new(Code::Corrupt, "read", "a data key").because(format!("its generation is {}", row.generation))
    })
}

/// Whether someone else's write can have been the cause: a row that exists already, or a reference to a key that went.
fn is_race(error: &Error) -> bool {
    matches!(error.code(), Code::Conflict | Code::Invalid)
}

fn no_keys() -> Error {
    Error::new(Code::Corrupt, "open a secret of", "the book")
        .because("the book has no key, so nothing was sealed in it")
}
