//! The vault over both engines: keys, places, rotation, and several processes at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use portbook::model::{SecretBytes, TenantId, UserId};
use portbook::store::{Insert, OnConflict, Statement, Value, Write};
use portbook::vault::{Argon2Cost, KeySource, KeyWrapper, SealedColumn, SecretPlace, Vault, WrappedKey};
use portbook::{BookOptions, Code, Error, Result};

use crate::fixture::{At, Book, Tenancy, id};

const PLAIN: &str = "wJalrXUtnFEMI-secret-of-the-test";

/// Two columns that may hold bytes, one in a table with numbers and one with ids.
const SESSIONS: SealedColumn =
    SealedColumn { table: "transfer_session", tenant: "tenant_id", key: "id", column: "session" };
const ENTRIES: SealedColumn = SealedColumn { table: "entry", tenant: "tenant_id", key: "uuid", column: "provider_id" };

const SESSION: &str = "SELECT session FROM transfer_session WHERE tenant_id = ?1";
const WRAPPED: &str = "SELECT wrapped FROM data_key WHERE tenant_id = ?1 ORDER BY generation LIMIT 1";

fn raw(byte: u8) -> KeySource {
    KeySource::raw(vec![byte; 32].into()).unwrap()
}

fn passphrase(text: &str) -> KeySource {
    KeySource::costly_passphrase(text.into(), Argon2Cost::LEAST).unwrap()
}

/// A keychain: it keeps the keys and gives out handles.
#[derive(Default)]
struct Keychain {
    name: &'static str,
    keys: Mutex<HashMap<Vec<u8>, SecretBytes>>,
}

#[async_trait]
impl KeyWrapper for Keychain {
    async fn wrap(&self, key: &SecretBytes, _: &[u8]) -> Result<WrappedKey> {
        let handle = id().as_bytes().to_vec();
        self.keys.lock().unwrap().insert(handle.clone(), key.clone());
        Ok(WrappedKey { key_id: self.name.into(), bytes: handle })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, _: &[u8]) -> Result<SecretBytes> {
        assert_eq!(wrapped.key_id, self.name);
        let key = self.keys.lock().unwrap().get(&wrapped.bytes).cloned();
        key.ok_or_else(|| Error::new(Code::Offline, "ask", "the keychain").because("it is locked"))
    }
}

fn vault(book: &Book, key: KeySource) -> Vault {
    Vault::new(book.store.clone(), Some(key))
}

fn place(row: &Value) -> SecretPlace<'_> {
    SecretPlace { table: "t", row, column: "c" }
}

async fn seal(vault: &Vault, tenant: TenantId, row: i64) -> Result<Vec<u8>> {
    vault.seal(tenant, place(&Value::Int(row)), &PLAIN.into()).await
}

async fn open(vault: &Vault, tenant: TenantId, row: i64, sealed: &[u8]) -> Result<SecretBytes> {
    vault.open(tenant, place(&Value::Int(row)), sealed).await
}

async fn opens(vault: &Vault, tenant: TenantId, row: i64, sealed: &[u8]) {
    assert_eq!(open(vault, tenant, row, sealed).await.unwrap(), PLAIN.into());
}

/// Rows of `vault_key` and of `data_key`.
async fn keys(book: &Book) -> (i64, i64) {
    let mut data_keys = 0;
    for tenant in book.store.tenants().await.unwrap() {
        data_keys += count(book, tenant, "SELECT count(*) FROM data_key WHERE tenant_id = ?1").await;
    }
    (book.ints("SELECT count(*) FROM vault_key", vec![]).await[0], data_keys)
}

async fn count(book: &Book, tenant: TenantId, sql: &'static str) -> i64 {
    let rows = book.store.query(tenant, Statement::new(sql, vec![Value::Uuid(tenant.0)])).await.unwrap();
    rows.first().unwrap().int(0).unwrap()
}

/// Runs one statement as that tenant, or as the book.
async fn run(book: &Book, tenant: TenantId, sql: &'static str, values: Vec<Value>) -> Result<()> {
    book.store.write(tenant, vec![Write::Execute(Statement::new(sql, values))]).await.map(drop)
}

/// Removes every tenant and the key.
async fn clear(book: &Book) {
    for tenant in book.store.tenants().await.unwrap() {
        run(book, tenant, "DELETE FROM tenants WHERE id = ?1", vec![Value::Uuid(tenant.0)]).await.unwrap();
    }
    run(book, TenantId::BOOK, "DELETE FROM vault_key", vec![]).await.unwrap();
}

fn code<T>(outcome: Result<T>) -> Option<Code> {
    let error = outcome.err()?;
    assert!(!error.to_string().contains(PLAIN), "{error}");
    Some(error.code())
}

pub(crate) async fn an_unsealed_secret_is_refused(book: Arc<Book>) {
    let t = book.tenancy().await;
    let secret = || Value::Secret(PLAIN.into());
    let update = "UPDATE entry SET provider_id = ?1";
    let ask = Statement::new("SELECT 1 FROM entry WHERE provider_id = ?1", vec![secret()]);
    let columns = ["id", "tenant_id", "path", "description"];
    let values = vec![Value::Uuid(id()), Value::Uuid(t.tenant.0), Value::Text("/a".into()), secret()];
    let insert = Insert::new("local_paths", columns, values, OnConflict::Fail);
    for part in [Write::Execute(Statement::new(update, vec![secret()])), Write::Insert(insert)] {
        let first = Statement::new("UPDATE entry SET provider_id = ?1", vec![Value::Blob(vec![1])]);
        let error = book.store.write(t.tenant, vec![Write::Execute(first), part]).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal, "{error}");
        assert!(error.to_string().contains("unsealed secret") && !error.to_string().contains(PLAIN), "{error}");
    }
    assert_eq!(book.store.query(t.tenant, ask).await.unwrap_err().code(), Code::Internal);
    let kept = "SELECT count(*) FROM entry WHERE tenant_id = ?1 AND provider_id IS NOT NULL";
    assert_eq!(count(&book, t.tenant, kept).await, 0);
}

pub(crate) async fn a_secret_opens_with_the_key_of_its_book(book: Arc<Book>) {
    let keychain = Arc::new(Keychain::default());
    let host = KeySource::host(keychain);
    for source in [raw(1), passphrase("correct horse"), host] {
        let t = book.tenancy().await;
        let sealed = seal(&vault(&book, source.clone()), t.tenant, 1).await.unwrap();
        opens(&vault(&book, source.clone()), t.tenant, 1, &sealed).await;
        assert_eq!(keys(&book).await, (1, 1), "{source:?}");
        clear(&book).await;
    }
    // However the letters are composed.
    let t = book.tenancy().await;
    let sealed = seal(&vault(&book, passphrase("p\u{e4}ss")), t.tenant, 1).await.unwrap();
    opens(&vault(&book, passphrase("pa\u{308}ss")), t.tenant, 1, &sealed).await;
}

pub(crate) async fn a_wrong_key_is_one_error_and_writes_nothing(book: Arc<Book>) {
    let (t, other) = (book.tenancy().await, book.tenancy().await);
    let sealed = seal(&vault(&book, passphrase("right")), t.tenant, 1).await.unwrap();
    let keychain = KeySource::host(Arc::new(Keychain::default()));
    for key in [None, Some(passphrase("wrong")), Some(raw(1)), Some(keychain)] {
        let wrong = Vault::new(book.store.clone(), key);
        assert_eq!(code(open(&wrong, t.tenant, 1, &sealed).await), Some(Code::WrongKey), "{wrong:?}");
        assert_eq!(code(seal(&wrong, t.tenant, 1).await), Some(Code::WrongKey));
        assert_eq!(code(seal(&wrong, other.tenant, 1).await), Some(Code::WrongKey));
        assert_eq!(code(wrong.renew_data_key(t.tenant).await), Some(Code::WrongKey));
        assert_eq!(code(wrong.rotate_key(raw(2)).await), Some(Code::WrongKey));
        assert_eq!(keys(&book).await, (1, 1));
    }
    opens(&vault(&book, passphrase("right")), t.tenant, 1, &sealed).await;
}

pub(crate) async fn a_book_without_secrets_opens_none(book: Arc<Book>) {
    let (t, elsewhere) = (book.tenancy().await, TenantId(id()));
    let mine = vault(&book, raw(1));
    let foreign = [&[1, 0, 0, 0, 1][..], &[7; 60]].concat();
    assert_eq!(code(open(&mine, t.tenant, 1, &foreign).await), Some(Code::Corrupt));
    assert_eq!(code(open(&mine, t.tenant, 1, b"").await), Some(Code::Corrupt));
    assert_eq!(keys(&book).await, (0, 0), "looking writes nothing");
    assert_eq!(code(seal(&mine, elsewhere, 1).await), Some(Code::Invalid), "there is no such tenant");
}

pub(crate) async fn a_secret_opens_in_its_own_place_only(book: Arc<Book>) {
    let (a, b) = (book.tenancy().await.tenant, book.tenancy().await.tenant);
    let mine = vault(&book, raw(1));
    let (one, two) = (seal(&mine, a, 1).await.unwrap(), seal(&mine, a, 2).await.unwrap());
    let theirs = seal(&mine, b, 1).await.unwrap();
    opens(&mine, a, 1, &one).await;
    for (tenant, row, sealed) in [(a, 1, &two), (a, 2, &one), (b, 1, &one), (a, 1, &theirs)] {
        assert_eq!(code(open(&mine, tenant, row, sealed).await), Some(Code::Corrupt));
    }
    for (table, column) in [("u", "c"), ("t", "d")] {
        let elsewhere = SecretPlace { table, row: &Value::Int(1), column };
        assert_eq!(code(mine.open(a, elsewhere, &one).await), Some(Code::Corrupt));
    }
    for i in 0..one.len() {
        let mut flipped = one.clone();
        flipped[i] ^= 0x80;
        assert!(open(&mine, a, 1, &flipped).await.is_err(), "byte {i}");
        assert!(open(&mine, a, 1, &one[..i]).await.is_err(), "{i} bytes");
    }
}

pub(crate) async fn a_data_key_belongs_to_its_tenant(book: Arc<Book>) {
    for source in [raw(1), KeySource::host(Arc::new(Keychain::default()))] {
        let (a, b) = (book.tenancy().await.tenant, book.tenancy().await.tenant);
        let mine = vault(&book, source.clone());
        let (sealed, _) = (seal(&mine, a, 1).await.unwrap(), seal(&mine, b, 1).await.unwrap());
        let lent = blob(&book, a, "SELECT wrapped FROM data_key WHERE tenant_id = ?1").await;
        let lend = "UPDATE data_key SET wrapped = ?1 WHERE tenant_id = ?2";
        run(&book, b, lend, vec![Value::Blob(lent), Value::Uuid(b.0)]).await.unwrap();
        let later = vault(&book, source);
        assert_eq!(code(seal(&later, b, 1).await), Some(Code::Corrupt));
        assert_eq!(code(open(&later, b, 1, &sealed).await), Some(Code::Corrupt));
        assert_eq!(code(later.rotate_key(raw(9)).await), Some(Code::Corrupt), "a key that cannot be wrapped anew");
        opens(&later, a, 1, &sealed).await;
        clear(&book).await;
    }
}

pub(crate) async fn a_tenant_that_comes_again_gets_a_key_of_its_own(book: Arc<Book>) {
    let t = book.tenancy().await;
    let mine = vault(&book, raw(1));
    let before = seal(&mine, t.tenant, 1).await.unwrap();
    let id = || vec![Value::Uuid(t.tenant.0)];
    run(&book, t.tenant, "DELETE FROM tenants WHERE id = ?1", id()).await.unwrap();
    run(&book, t.tenant, "INSERT INTO tenants (id, name) VALUES (?1, 'again')", id()).await.unwrap();
    let after = seal(&mine, t.tenant, 1).await.unwrap();
    opens(&vault(&book, raw(1)), t.tenant, 1, &after).await;
    assert_eq!(code(open(&mine, t.tenant, 1, &before).await), Some(Code::Corrupt));
}

pub(crate) async fn eight_first_secrets_make_one_key(book: Arc<Book>) {
    let t = book.tenancy().await;
    for source in [raw(1), passphrase("eight")] {
        let sealers: Vec<_> = (0..8_i64)
            .map(|row| {
                let (at, tenant, source) = (book.at.clone(), t.tenant, source.clone());
                tokio::spawn(async move {
                    let store = at.open().await.unwrap();
                    let sealed = seal(&Vault::new(store.clone(), Some(source)), tenant, row).await.unwrap();
                    store.shutdown().await;
                    (row, sealed)
                })
            })
            .collect();
        let mine = vault(&book, source);
        for sealer in sealers {
            let (row, sealed) = sealer.await.unwrap();
            opens(&mine, t.tenant, row, &sealed).await;
        }
        assert_eq!(keys(&book).await, (1, 1));
        run(&book, t.tenant, "DELETE FROM data_key", vec![]).await.unwrap();
        run(&book, TenantId::BOOK, "DELETE FROM vault_key", vec![]).await.unwrap();
    }
}

pub(crate) async fn a_rotation_wraps_anew_and_touches_no_sealed_value(book: Arc<Book>) {
    let t = book.tenancy().await;
    let tenants = [t.tenant, book.tenancy().await.tenant, book.tenancy().await.tenant];
    let mine = vault(&book, raw(1));
    let row = session(&book, &t, &mine, 1).await;
    let mut sealed = Vec::new();
    for tenant in tenants {
        sealed.push(seal(&mine, tenant, 1).await.unwrap());
    }
    mine.renew_data_key(t.tenant).await.unwrap();
    let before = blob(&book, t.tenant, SESSION).await;
    let wrapped = blob(&book, t.tenant, WRAPPED).await;
    let keychain = KeySource::host(Arc::new(Keychain { name: "arn:key/1", ..Keychain::default() }));
    for (old, new) in [(raw(1), passphrase("second")), (passphrase("second"), keychain.clone()), (keychain, raw(4))] {
        vault(&book, old.clone()).rotate_key(new.clone()).await.unwrap();
        assert_eq!(keys(&book).await, (1, 4));
        let later = vault(&book, new);
        for (tenant, sealed) in tenants.iter().zip(&sealed) {
            opens(&later, *tenant, 1, sealed).await;
        }
        let place = SecretPlace { table: "transfer_session", row: &Value::Int(row), column: "session" };
        assert_eq!(later.open(t.tenant, place, &before).await.unwrap(), PLAIN.into());
        assert_eq!(code(open(&vault(&book, old), t.tenant, 1, &sealed[0]).await), Some(Code::WrongKey));
    }
    assert_eq!(blob(&book, t.tenant, SESSION).await, before);
    assert_ne!(blob(&book, t.tenant, WRAPPED).await, wrapped);
    assert_eq!(book.ints("SELECT count(*) FROM vault_key", vec![]).await, [1]);
}

pub(crate) async fn a_book_changes_its_key_and_needs_none_to_open(book: Arc<Book>) {
    let t = book.tenancy().await;
    let sealed = seal(&vault(&book, raw(1)), t.tenant, 1).await.unwrap();
    let options = || BookOptions::store(book.store.clone());
    for wrong in [options(), options().key(raw(3)), options().key(passphrase("p"))] {
        let opened = portbook::Book::open(wrong).await.unwrap();
        assert!(opened.session(t.tenant, UserId::new(t.user)).await.is_ok(), "what needs no secret needs no key");
        assert_eq!(code(opened.rotate_key(raw(2)).await), Some(Code::WrongKey));
    }
    let opened = portbook::Book::open(options().key(raw(1))).await.unwrap();
    opened.rotate_key(raw(2)).await.unwrap();
    opened.rotate_key(raw(3)).await.unwrap();
    opens(&vault(&book, raw(3)), t.tenant, 1, &sealed).await;
    assert_eq!(code(open(&vault(&book, raw(2)), t.tenant, 1, &sealed).await), Some(Code::WrongKey));
}

/// Begins with a book on PostgreSQL: a copy goes from one engine to the other.
pub(crate) async fn a_copied_book_opens_its_secrets(server: Arc<Book>) {
    let directory = tempfile::tempdir().unwrap();
    let at = At::File(directory.path().join("book"));
    let here = Arc::new(Book::new(at.open().await.unwrap(), at));
    let t = here.tenancy().await;
    let sealed = seal(&vault(&here, raw(1)), t.tenant, 1).await.unwrap();
    let from = portbook::Book::open(BookOptions::store(here.store.clone())).await.unwrap();
    // Only the owner of the tables may make a book of them.
    let to = portbook::Book::open(BookOptions::store(server.at.open_as_owner().await.unwrap())).await.unwrap();
    from.copy_into(&to, &portbook::upkeep::Copying::new()).await.unwrap();
    opens(&vault(&server, raw(1)), t.tenant, 1, &sealed).await;
    assert_eq!(code(open(&vault(&server, raw(2)), t.tenant, 1, &sealed).await), Some(Code::WrongKey));
}

pub(crate) async fn a_process_with_the_old_key_is_told(book: Arc<Book>) {
    let (a, b, c) = (book.tenancy().await.tenant, book.tenancy().await.tenant, book.tenancy().await.tenant);
    let (mine, theirs) = (vault(&book, raw(1)), vault(&book, raw(1)));
    let (of_a, of_b) = (seal(&mine, a, 1).await.unwrap(), seal(&mine, b, 1).await.unwrap());
    opens(&theirs, a, 1, &of_a).await;
    mine.rotate_key(raw(2)).await.unwrap();
    opens(&mine, b, 1, &of_b).await;
    opens(&theirs, a, 1, &of_a).await;
    assert_eq!(code(open(&theirs, b, 1, &of_b).await), Some(Code::WrongKey));
    assert_eq!(code(seal(&theirs, a, 1).await), Some(Code::WrongKey));
    assert_eq!(code(seal(&theirs, c, 1).await), Some(Code::WrongKey));
    assert_eq!(code(theirs.rotate_key(raw(3)).await), Some(Code::WrongKey));
    assert_eq!(keys(&book).await, (1, 2));
    let sealed = seal(&mine, c, 1).await.unwrap();
    opens(&vault(&book, raw(2)), c, 1, &sealed).await;
}

pub(crate) async fn a_rotation_beside_first_secrets_leaves_none_behind(book: Arc<Book>) {
    let mut tenants = Vec::new();
    for _ in 0..12 {
        tenants.push(book.tenancy().await.tenant);
    }
    seal(&vault(&book, raw(1)), tenants[0], 1).await.unwrap();
    let sealers: Vec<_> = tenants
        .iter()
        .map(|tenant| {
            let (book, tenant) = (book.clone(), *tenant);
            tokio::spawn(async move { (tenant, seal(&vault(&book, raw(1)), tenant, 1).await) })
        })
        .collect();
    let rotators: Vec<_> = (2..4_u8)
        .map(|byte| {
            let book = book.clone();
            tokio::spawn(async move { (byte, vault(&book, raw(1)).rotate_key(raw(byte)).await) })
        })
        .collect();
    let mut rotated = Vec::new();
    for rotator in rotators {
        match rotator.await.unwrap() {
            (byte, Ok(())) => rotated.push(byte),
            (_, Err(error)) => assert_eq!(error.code(), Code::WrongKey, "{error}"),
        }
    }
    assert_eq!(rotated.len(), 1, "one of two rotations wins: {rotated:?}");
    let later = vault(&book, raw(rotated[0]));
    for sealer in sealers {
        match sealer.await.unwrap() {
            (tenant, Ok(sealed)) => opens(&later, tenant, 1, &sealed).await,
            (_, Err(error)) => assert_eq!(error.code(), Code::WrongKey, "{error}"),
        }
    }
    assert_eq!(book.ints("SELECT count(*) FROM vault_key", vec![]).await, [1]);
}

pub(crate) async fn the_key_is_not_removed_while_it_is_needed(book: Arc<Book>) {
    let t = book.tenancy().await;
    let sealed = seal(&vault(&book, raw(1)), t.tenant, 1).await.unwrap();
    assert_eq!(code(run(&book, TenantId::BOOK, "DELETE FROM vault_key", vec![]).await), Some(Code::Invalid));
    let stale = "INSERT INTO data_key (tenant_id, generation, key_id, wrapped) VALUES (?1, 2, ?2, ?3)";
    let values = vec![Value::Uuid(t.tenant.0), Value::Uuid(id()), Value::Blob(vec![1])];
    assert_eq!(code(run(&book, t.tenant, stale, values).await), Some(Code::Invalid), "wrapped by a key that went");
    opens(&vault(&book, raw(1)), t.tenant, 1, &sealed).await;
}

pub(crate) async fn a_cheap_passphrase_of_a_book_is_refused(book: Arc<Book>) {
    let t = book.tenancy().await;
    let sealed = seal(&vault(&book, passphrase("p")), t.tenant, 1).await.unwrap();
    for cheapen in ["UPDATE vault_key SET memory_kib = 8", "UPDATE vault_key SET memory_kib = 4294967296 + 19456"] {
        run(&book, TenantId::BOOK, cheapen, vec![]).await.unwrap();
        assert_eq!(code(open(&vault(&book, passphrase("p")), t.tenant, 1, &sealed).await), Some(Code::Corrupt));
    }
}

pub(crate) async fn a_renewed_data_key_seals_and_the_old_one_opens(book: Arc<Book>) {
    let t = book.tenancy().await;
    let (mine, theirs) = (vault(&book, raw(1)), vault(&book, raw(1)));
    let old = seal(&mine, t.tenant, 1).await.unwrap();
    opens(&theirs, t.tenant, 1, &old).await;
    assert_eq!(mine.renew_data_key(t.tenant).await.unwrap(), 2);
    for vault in [&mine, &theirs] {
        let new = seal(vault, t.tenant, 1).await.unwrap();
        assert_eq!((old[4], new[4]), (1, 2), "the generation");
        opens(&mine, t.tenant, 1, &new).await;
        opens(&theirs, t.tenant, 1, &new).await;
    }
    opens(&theirs, t.tenant, 1, &old).await;
    let renewers: Vec<_> = (0..4)
        .map(|_| {
            let (book, tenant) = (book.clone(), t.tenant);
            tokio::spawn(async move { vault(&book, raw(1)).renew_data_key(tenant).await.unwrap() })
        })
        .collect();
    let mut generations = Vec::new();
    for renewer in renewers {
        generations.push(renewer.await.unwrap());
    }
    generations.sort_unstable();
    assert_eq!(generations, [3, 4, 5, 6]);
}

pub(crate) async fn sealing_anew_brings_every_value_along(book: Arc<Book>) {
    let (t, other) = (book.tenancy().await, book.tenancy().await);
    let mine = vault(&book, raw(1));
    let columns = [SESSIONS, ENTRIES];
    for n in 0..300 {
        session(&book, &t, &mine, n).await;
    }
    session(&book, &other, &mine, 0).await;
    let entries = book
        .store
        .query(t.tenant, Statement::new("SELECT uuid FROM entry WHERE tenant_id = ?1", vec![Value::Uuid(t.tenant.0)]));
    for row in entries.await.unwrap().iter() {
        let key = Value::Uuid(row.uuid(0).unwrap());
        let place = SecretPlace { table: "entry", row: &key, column: "provider_id" };
        let sealed = mine.seal(t.tenant, place, &PLAIN.into()).await.unwrap();
        let set = "UPDATE entry SET provider_id = ?1 WHERE uuid = ?2";
        run(&book, t.tenant, set, vec![Value::Blob(sealed), key.clone()]).await.unwrap();
    }
    assert_eq!(mine.reseal(t.tenant, &columns).await.unwrap(), 0, "there is no newer key");
    mine.renew_data_key(t.tenant).await.unwrap();
    assert_eq!(mine.reseal(t.tenant, &columns).await.unwrap(), 302);
    assert_eq!(mine.reseal(t.tenant, &columns).await.unwrap(), 0);
    for (tenant, values, newest) in [(t.tenant, 300, 2), (other.tenant, 1, 1)] {
        let ask = "SELECT id, session FROM transfer_session WHERE tenant_id = ?1";
        let rows = book.store.query(tenant, Statement::new(ask, vec![Value::Uuid(tenant.0)])).await.unwrap();
        assert_eq!(rows.len(), values);
        for row in rows.iter() {
            let (key, sealed) = (Value::Int(row.int(0).unwrap()), row.blob(1).unwrap());
            let place = SecretPlace { table: "transfer_session", row: &key, column: "session" };
            assert_eq!(sealed[4], newest);
            assert_eq!(mine.open(tenant, place, sealed).await.unwrap(), PLAIN.into());
        }
    }
}

pub(crate) async fn a_host_that_cannot_answer_is_not_a_wrong_key(book: Arc<Book>) {
    let t = book.tenancy().await;
    let keychain = Arc::new(Keychain { name: "k", ..Keychain::default() });
    let sealed = seal(&vault(&book, KeySource::host(keychain.clone())), t.tenant, 1).await.unwrap();
    let kept = std::mem::take(&mut *keychain.keys.lock().unwrap());
    let later = vault(&book, KeySource::host(keychain.clone()));
    assert_eq!(code(open(&later, t.tenant, 1, &sealed).await), Some(Code::Offline));
    // One that answers with another key is a wrong key.
    *keychain.keys.lock().unwrap() = kept.keys().map(|handle| (handle.clone(), vec![1; 32].into())).collect();
    assert_eq!(code(open(&later, t.tenant, 1, &sealed).await), Some(Code::WrongKey));
    *keychain.keys.lock().unwrap() = kept;
    opens(&later, t.tenant, 1, &sealed).await;
}

pub(crate) async fn nothing_of_a_secret_is_in_the_book(book: Arc<Book>) {
    let t = book.tenancy().await;
    let mine = vault(&book, raw(b'K'));
    session(&book, &t, &mine, 1).await;
    mine.renew_data_key(t.tenant).await.unwrap();
    mine.reseal(t.tenant, &[SESSIONS]).await.unwrap();
    let texts = match &book.at {
        At::File(path) => {
            let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().path());
            files.map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>()
        }
        At::Server(_) => vec![
            blob(&book, t.tenant, SESSION).await,
            blob(&book, t.tenant, WRAPPED).await,
            blob(
                &book,
                t.tenant,
                "SELECT check_value FROM vault_key JOIN data_key USING (key_id) WHERE tenant_id = ?1",
            )
            .await,
        ],
    };
    assert!(texts.iter().map(Vec::len).sum::<usize>() > 100);
    for text in texts {
        for secret in [PLAIN.as_bytes(), &[b'K'; 32]] {
            assert!(!text.windows(secret.len()).any(|w| w == secret));
        }
    }
}

/// A row of `transfer_session` whose session is sealed; its number.
async fn session(book: &Book, t: &Tenancy, vault: &Vault, n: i64) -> i64 {
    let insert = "INSERT INTO transfer_session (tenant_id, conduit_id, path, side, session, generation, tag, source) \
         VALUES (?1, ?2, ?3, 1, ?4, 1, 't', ?4) RETURNING id";
    let values = vec![
        Value::Uuid(t.tenant.0),
        Value::Int(t.conduit),
        Value::Blob(n.to_be_bytes().to_vec()),
        Value::Blob(Vec::new()),
    ];
    let written = book.store.write(t.tenant, vec![Write::Returning(Statement::new(insert, values))]).await.unwrap();
    let portbook::store::Written::Rows(rows) = &written[0] else { panic!("RETURNING gives rows") };
    let row = rows.first().unwrap().int(0).unwrap();
    let place = SecretPlace { table: "transfer_session", row: &Value::Int(row), column: "session" };
    let sealed = vault.seal(t.tenant, place, &PLAIN.into()).await.unwrap();
    let set = "UPDATE transfer_session SET session = ?1 WHERE id = ?2";
    run(book, t.tenant, set, vec![Value::Blob(sealed), Value::Int(row)]).await.unwrap();
    row
}

async fn blob(book: &Book, tenant: TenantId, sql: &'static str) -> Vec<u8> {
    let rows = book.store.query(tenant, Statement::new(sql, vec![Value::Uuid(tenant.0)])).await.unwrap();
    rows.first().unwrap().blob(0).unwrap().to_vec()
}
