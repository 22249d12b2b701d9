//! Other keys for the same secrets: a new key-encryption key, a new data key, and values sealed anew.

use std::sync::Arc;

use super::key::{KeyEncryptionKey, KeySource, wrong_key};
use super::{KeyUse, Lock, SecretPlace, TRIES, Vault, Want, format, generation_of, is_race, unlock, unwrap};
use crate::error::{Code, Error, Result};
use crate::model::{DataKey, Row, TenantId, Value, VaultKey};
use crate::store::{Insert, Record, Statement, Write, Written, select};

/// Values sealed anew per transaction.
const PAGE: usize = 256;

/// A column of sealed values, by its names in the book. The row's key is an integer or an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// Its column with the tenant.
    pub tenant: &'static str,
    /// Its column that names the row, and is the place's `row`.
    pub key: &'static str,
    /// The column with the sealed values.
    pub column: &'static str,
}

impl Vault {
    /// Makes `new` the key of the book's secrets: every data key of every tenant is wrapped anew, in one transaction, and
    /// no sealed value is touched. Other processes go on with the data keys they hold; what they do not hold they cannot
    /// unwrap without the new key (`wrong_key`).
    ///
    /// # Errors
    /// `wrong_key` when this vault has not the key of the book, or another rotation was faster; else as
    /// [`seal`](Self::seal). The key is then the old one.
    pub async fn rotate_key(&self, new: KeySource) -> Result<()> {
        let mut lock = self.lock.lock().await;
        let (key, row) = KeyEncryptionKey::new(&new).await?;
        let mut tries = 0..TRIES;
        loop {
            match self.rotate_once(&mut lock, &key, &row).await {
                Ok(()) => {
                    *lock = Lock { source: Some(new), key: Some(Arc::new(key)) };
                    return Ok(());
                }
                // Someone made a data key meanwhile, or rotated: the next look says which.
                Err(error) if is_race(&error) && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Wraps every data key by `key` and puts `row` in the place of the book's; `conflict` or `invalid` when something
    /// changed while it looked.
    async fn rotate_once(&self, lock: &mut Lock, key: &KeyEncryptionKey, row: &VaultKey) -> Result<()> {
        let ask = Statement::new(select!(VaultKey, "WHERE slot = 1"), Vec::new());
        let Some(current) = self.store.query(TenantId::BOOK, ask).await?.first().map(VaultKey::read).transpose()?
        else {
            let first = Write::Insert(Insert::of(std::slice::from_ref(row)));
            return self.store.write(TenantId::BOOK, vec![first]).await.map(drop);
        };
        if lock.source.is_none() {
            return Err(wrong_key("it was opened without a key"));
        }
        let old = unlock(lock, &current).await?;
        let mut batch = vec![Write::Insert(Insert::of(&[VaultKey { slot: 0, ..row.clone() }]))];
        for tenant in self.store.tenants().await? {
            batch.extend(self.wrap_anew(tenant, &old, key).await?);
        }
        batch.push(Write::As(TenantId::BOOK));
        // The reference refuses this while any data key is left that the old key wrapped, seen here or not.
        let remove = "DELETE FROM vault_key WHERE slot = 1 AND key_id = ?1";
        let take_its_place = "UPDATE vault_key SET slot = 1 WHERE key_id = ?1";
        batch.push(Write::Expect(Statement::new(remove, vec![Value::Uuid(old.key_id)]), 1));
        batch.push(Write::Expect(Statement::new(take_its_place, vec![Value::Uuid(key.key_id)]), 1));
        self.store.write(TenantId::BOOK, batch).await.map(drop)
    }

    /// What wraps a tenant's data keys by another key.
    async fn wrap_anew(&self, tenant: TenantId, old: &KeyEncryptionKey, new: &KeyEncryptionKey) -> Result<Vec<Write>> {
        let ask = Statement::new(select!(DataKey, "WHERE tenant_id = ?1"), vec![Value::Uuid(tenant.0)]);
        let rows = self.store.query(tenant, ask).await?;
        let mut parts = Vec::new();
        for row in rows.iter() {
            let row = DataKey::read(row)?;
            if row.key_id != old.key_id {
                let why = "another process changed the key meanwhile";
                return Err(Error::new(Code::Conflict, "change the key of", "the book").because(why));
            }
            let data_key = unwrap(old, &row).await?;
            let wrapped = new.wrap(KeyUse { tenant, generation: generation_of(&row)? }, &data_key).await?;
            let rewrap = "UPDATE data_key SET key_id = ?1, wrapped = ?2 \
                 WHERE tenant_id = ?3 AND generation = ?4 AND key_id = ?5";
            let values = vec![
                Value::Uuid(new.key_id),
                Value::Blob(wrapped),
                Value::Uuid(tenant.0),
                Value::Int(row.generation),
                Value::Uuid(old.key_id),
            ];
            parts.push(Write::Expect(Statement::new(rewrap, values), 1));
        }
        if !parts.is_empty() {
            parts.insert(0, Write::As(tenant));
        }
        Ok(parts)
    }

    /// Gives the tenant a new data key, which seals from now on, and returns its generation. What is sealed stays as it
    /// is, and opens; [`reseal`](Self::reseal) brings it along.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub async fn renew_data_key(&self, tenant: TenantId) -> Result<u32> {
        let mut tries = 0..TRIES;
        loop {
            let newest = self.keys(tenant, Want::ToSeal).await?.newest();
            let exhausted = || Error::new(Code::Unsupported, "renew the data key of", tenant);
            let generation = newest.checked_add(1).ok_or_else(exhausted)?;
            let made = {
                let mut lock = self.lock.lock().await;
                let (current, _) = self.read(tenant, &lock).await?;
                let key = unlock(&mut lock, &current.ok_or_else(super::no_keys)?).await?;
                self.add_data_key(tenant, &key, generation).await
            };
            match made {
                Ok(()) => return Ok(generation),
                Err(error) if is_race(&error) && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Seals anew, with the newest data key, what older ones sealed in these columns, and returns how many values that
    /// were. It may be called again after an error, and beside other work: a value that is changed meanwhile keeps the
    /// change.
    ///
    /// # Errors
    /// `corrupt` with the place of a value that does not open; else as [`seal`](Self::seal).
    pub async fn reseal(&self, tenant: TenantId, columns: &[SealedColumn]) -> Result<u64> {
        let mut resealed = 0;
        for column in columns {
            resealed += self.reseal_column(tenant, column).await?;
        }
        Ok(resealed)
    }

    async fn reseal_column(&self, tenant: TenantId, of: &SealedColumn) -> Result<u64> {
        let keys = self.sealing_keys(tenant).await?;
        let SealedColumn { table, tenant: owner, key, column } = of;
        let head = format!("SELECT {key}, {column} FROM {table} WHERE {owner} = ?1 AND {column} IS NOT NULL");
        let first = format!("{head} ORDER BY {key} LIMIT {PAGE}");
        let next = format!("{head} AND {key} > ?2 ORDER BY {key} LIMIT {PAGE}");
        let replace = format!("UPDATE {table} SET {column} = ?3 WHERE {key} = ?1 AND {column} = ?2 AND {owner} = ?4");
        let (mut resealed, mut after) = (0, None);
        loop {
            let sql = if after.is_none() { &first } else { &next };
            let values = std::iter::once(Value::Uuid(tenant.0)).chain(after.take()).collect();
            let rows = self.store.query(tenant, Statement::new(sql.clone(), values)).await?;
            let mut batch = Vec::new();
            for row in rows.iter() {
                let (id, sealed) = (key_of(row, of)?, row.blob(1)?);
                let place = SecretPlace { table, row: &id, column };
                if format::generation(&place, sealed)? < keys.newest() {
                    let anew = keys.seal(place, &keys.open(place, sealed)?)?;
                    let values = [id.clone(), Value::Blob(sealed.to_vec()), Value::Blob(anew), Value::Uuid(tenant.0)];
                    batch.push(Write::Execute(Statement::new(replace.clone(), values.to_vec())));
                }
                after = Some(id);
            }
            for written in self.store.write(tenant, batch).await? {
                if let Written::Changed(rows) = written {
                    resealed += rows;
                }
            }
            if rows.len() < PAGE {
                return Ok(resealed);
            }
        }
    }
}

/// The key of a row: an integer or an id, the same in both engines.
fn key_of(row: Row<'_>, of: &SealedColumn) -> Result<Value> {
    let neither = || {
        Error::new(Code::Internal, "seal anew", format!("{}.{}", of.table, of.column))
            .because(format!("{} is neither an integer nor an id", of.key))
    };
    row.int(0).map(Value::Int).or_else(|_| row.uuid(0).map(Value::Uuid)).map_err(|_| neither())
}
