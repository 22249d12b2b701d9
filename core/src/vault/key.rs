//! The key-encryption key: what the host supplies, and how it wraps data keys.

use std::fmt;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use async_trait::async_trait;
use tokio::sync::OnceCell;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;
use zeroize::Zeroize;

use super::format::{self, KEY, KeyUse, NONCE, Wrapped};
use crate::error::{Code, Error, Result};
use crate::model::{KeyKind, SecretBytes, VaultKey};

/// Bytes of a new salt.
const SALT: usize = 16;

/// The key of a book's secrets, as the host supplies it. Cheap to clone; its `Debug` shows no key.
#[derive(Clone)]
pub struct KeySource(Source);

#[derive(Clone)]
enum Source {
    Raw(SecretBytes),
    Passphrase { text: SecretBytes, cost: Argon2Cost },
    Asked(Arc<Asked>),
    Host(Arc<dyn KeyWrapper>),
}

/// A passphrase that is asked for, and the answer.
struct Asked {
    ask: Ask,
    answer: OnceCell<SecretBytes>,
}

type Ask = Arc<dyn Fn(PassphraseOf) -> Result<SecretBytes> + Send + Sync>;

/// What a passphrase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseOf {
    /// A book that has secrets.
    Book,
    /// A book without secrets, or a rotation: this is the passphrase from now on, and worth being typed twice.
    NewKey,
}

impl KeySource {
    /// A key of 32 random bytes.
    ///
    /// # Errors
    /// `invalid` when it does not have 32 bytes.
    pub fn raw(key: SecretBytes) -> Result<Self> {
        if key.expose().len() != KEY {
            let wrong = Error::new(Code::Invalid, "use the key of the book's secrets", "");
            return Err(wrong.because(format!("it has {} bytes instead of {KEY}", key.expose().len())));
        }
        Ok(Self(Source::Raw(key)))
    }

    /// A passphrase. Argon2id makes a key of it when the first secret is sealed or opened, which takes a part of a
    /// second by intent.
    ///
    /// # Errors
    /// `invalid` when it is empty or not UTF-8.
    pub fn passphrase(text: SecretBytes) -> Result<Self> {
        Self::costly_passphrase(text, Argon2Cost::default())
    }

    /// A passphrase with another cost than the default. It counts where the key is new, in an empty book or in a rotation;
    /// a book keeps the cost it has.
    ///
    /// # Errors
    /// As [`passphrase`](Self::passphrase), and `invalid` when the cost is out of its range.
    pub fn costly_passphrase(text: SecretBytes, cost: Argon2Cost) -> Result<Self> {
        cost.check().map_err(|why| Error::new(Code::Invalid, "use the cost of a passphrase", "").because(why))?;
        Ok(Self(Source::Passphrase { text: usable(&text)?, cost }))
    }

    /// A passphrase that a person is asked for, once, when the first secret is sealed or opened. `ask` may block. A key that is new
    /// has the default cost.
    ///
    /// ```
    /// use portbook::vault::{KeySource, PassphraseOf};
    /// let key = KeySource::asked(|of| match of {
    ///     PassphraseOf::Book => Ok("what the person typed".into()),
    ///     PassphraseOf::NewKey => Ok("what the person typed twice".into()),
    /// });
    /// ```
    #[must_use]
    pub fn asked(ask: impl Fn(PassphraseOf) -> Result<SecretBytes> + Send + Sync + 'static) -> Self {
        Self(Source::Asked(Arc::new(Asked { ask: Arc::new(ask), answer: OnceCell::new() })))
    }

    /// A key that never leaves the host's key service or keychain.
    #[must_use]
    pub fn host(wrapper: Arc<dyn KeyWrapper>) -> Self {
        Self(Source::Host(wrapper))
    }

    /// Whether somebody may have to be asked for it.
    pub(super) fn may_ask(&self) -> bool {
        matches!(&self.0, Source::Asked(asked) if !asked.answer.initialized())
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Source::Raw(_) => KeyKind::Raw,
            Source::Passphrase { .. } | Source::Asked(_) => KeyKind::Passphrase,
            Source::Host(_) => KeyKind::Host,
        }
    }

    /// What a new key of it costs to try.
    fn cost(&self) -> Option<Argon2Cost> {
        match &self.0 {
            Source::Raw(_) | Source::Host(_) => None,
            Source::Passphrase { cost, .. } => Some(*cost),
            Source::Asked(_) => Some(Argon2Cost::default()),
        }
    }
}

impl Asked {
    async fn answer(&self, of: PassphraseOf) -> Result<SecretBytes> {
        let ask = || async {
            let ask = self.ask.clone();
            // It waits for a person.
            let told = tokio::task::spawn_blocking(move || ask(of)).await;
            usable(&told.map_err(|e| Error::new(Code::Internal, "ask for the passphrase", "").because(e))??)
        };
        self.answer.get_or_try_init(ask).await.cloned()
    }
}

fn usable(passphrase: &SecretBytes) -> Result<SecretBytes> {
    let text = normalised(passphrase.expose_text()?);
    if text.is_empty() {
        return Err(Error::new(Code::Invalid, "use the passphrase", "").because("it is empty"));
    }
    Ok(text)
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySource({}, ..)", self.kind().as_str())
    }
}

/// The same passphrase gives the same key, however a keyboard composes its letters.
fn normalised(text: &str) -> SecretBytes {
    // Form NFC is at most three times as long: the buffer never moves and leaves no copy behind.
    let mut form = String::with_capacity(text.len() * 3);
    form.extend(text.nfc());
    form.into()
}

/// What a passphrase costs to try: the parameters of Argon2id. The default is the second recommendation of RFC 9106.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// KiB of memory, 19,456 (19 MiB) to 1,048,576 (1 GiB).
    pub memory_kib: u32,
    /// Passes over the memory, 2 to 64.
    pub passes: u32,
    /// Lanes, 1 to 16. They are worked through one after the other.
    pub lanes: u32,
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 65_536, passes: 3, lanes: 4 }
    }
}

impl Argon2Cost {
    /// The cheapest cost that is accepted, also from a book: the least that OWASP's cheat sheet on storing passwords
    /// names. Someone who may write to the book cannot make a passphrase cheaper to try.
    pub const LEAST: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// The dearest cost that is accepted, so that a book cannot exhaust the machine.
    pub const MOST: Self = Self { memory_kib: 1 << 20, passes: 64, lanes: 16 };

    fn check(self) -> std::result::Result<(), String> {
        let (least, most) = (Self::LEAST, Self::MOST);
        for (name, value, least, most) in [
            ("memory in KiB", self.memory_kib, least.memory_kib, most.memory_kib),
            ("passes", self.passes, least.passes, most.passes),
            ("lanes", self.lanes, least.lanes, most.lanes),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("{name}: {value} is not between {least} and {most}"));
            }
        }
        Ok(())
    }
}

/// A key that a host keeps elsewhere: in a key management service, a hardware module, the system's keychain.
///
/// Calls may run at once, on the book's threads. They are rare: a data key is unwrapped once per tenant and process.
#[async_trait]
pub trait KeyWrapper: Send + Sync {
    /// Encrypts a key of 32 bytes. `context` is what the key is for, up to 100 bytes that are no secret; a service that
    /// takes associated data is given it, another may leave it aside: Portbook checks it in any case.
    ///
    /// # Errors
    /// The host's; `offline` and `timeout` when a later call may succeed.
    async fn wrap(&self, key: &SecretBytes, context: &[u8]) -> Result<WrappedKey>;

    /// Gives back the key that [`wrap`](Self::wrap) was given.
    ///
    /// # Errors
    /// As for `wrap`; `wrong_key` when it is known that the host's key is another one.
    async fn unwrap(&self, wrapped: &WrappedKey, context: &[u8]) -> Result<SecretBytes>;
}

/// What a host made of a data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The name of the host's key, such as the id and version in a key service. Kept beside the data key; no secret.
    pub key_id: String,
    /// The encrypted key.
    pub bytes: Vec<u8>,
}

/// A key-encryption key in use.
pub(super) struct KeyEncryptionKey {
    pub(super) key_id: Uuid,
    by: By,
}

enum By {
    Key(SecretBytes),
    Host(Arc<dyn KeyWrapper>),
}

impl KeyEncryptionKey {
    /// A new one, and the row that describes it.
    pub(super) async fn new(source: &KeySource) -> Result<(Self, VaultKey)> {
        let mut row = VaultKey {
            slot: 1,
            key_id: Uuid::now_v7(),
            kind: source.kind(),
            salt: None,
            memory_kib: None,
            passes: None,
            lanes: None,
            check_value: Vec::new(),
        };
        if let Some(cost) = source.cost() {
            row.salt = Some(random::<SALT>()?.to_vec());
            row.memory_kib = Some(cost.memory_kib.into());
            row.passes = Some(cost.passes.into());
            row.lanes = Some(cost.lanes.into());
        }
        let key = Self::derive(source, &row, PassphraseOf::NewKey).await?;
        row.check_value = key.wrap(KeyUse::CHECK, &new_key()?).await?;
        Ok((key, row))
    }

    /// The one that the row describes.
    ///
    /// # Errors
    /// `wrong_key` when the source is another one; the host's.
    pub(super) async fn of_book(source: &KeySource, row: &VaultKey) -> Result<Self> {
        if source.kind() != row.kind {
            return Err(wrong_key(format!(
                "its secrets are kept by a key of the kind {}, and one of the kind {} was given",
                row.kind.as_str(),
                source.kind().as_str()
            )));
        }
        let key = Self::derive(source, row, PassphraseOf::Book).await?;
        match key.unwrap(KeyUse::CHECK, &row.check_value).await? {
            Some(_) => Ok(key),
            None => Err(wrong_key("the key is not the one that its secrets are kept by")),
        }
    }

    async fn derive(source: &KeySource, row: &VaultKey, of: PassphraseOf) -> Result<Self> {
        let text = match &source.0 {
            Source::Raw(key) => return Ok(Self { key_id: row.key_id, by: By::Key(key.clone()) }),
            Source::Host(wrapper) => return Ok(Self { key_id: row.key_id, by: By::Host(wrapper.clone()) }),
            Source::Passphrase { text, .. } => text.clone(),
            Source::Asked(asked) => asked.answer(of).await?,
        };
        let (salt, cost) = (row.salt.clone().unwrap_or_default(), cost_of(row)?);
        // A part of a second and 64 MiB: not on a thread that leads other work.
        let derived = tokio::task::spawn_blocking(move || argon2id(&text, &salt, cost)).await;
        let key = derived.map_err(|e| Error::new(Code::Internal, "derive the key", "").because(e))??;
        Ok(Self { key_id: row.key_id, by: By::Key(key) })
    }

    /// The stored form of a key.
    pub(super) async fn wrap(&self, of: KeyUse, key: &SecretBytes) -> Result<Vec<u8>> {
        let context = format::context(self.key_id, of);
        match &self.by {
            By::Key(by) => format::wrap(by, random::<NONCE>()?, &context, key),
            By::Host(wrapper) => {
                let WrappedKey { key_id, bytes } = wrapper.wrap(key, &context).await?;
                format::wrapped_by_host(key, &context, &key_id, &bytes)
            }
        }
    }

    /// The key of a stored form; none when this is not what wrapped it, or not for this use.
    pub(super) async fn unwrap(&self, of: KeyUse, stored: &[u8]) -> Result<Option<SecretBytes>> {
        let context = format::context(self.key_id, of);
        match (&self.by, format::parse_wrapped(stored)?) {
            (By::Key(by), Wrapped::ByKey { nonce, ciphertext, tag }) => {
                format::unwrap(by, &context, nonce, ciphertext, tag)
            }
            (By::Host(wrapper), Wrapped::ByHost { commitment, key_id, bytes }) => {
                let wrapped = WrappedKey { key_id: key_id.to_owned(), bytes: bytes.to_vec() };
                let key = wrapper.unwrap(&wrapped, &context).await?;
                Ok(format::is_committed(&key, &context, &commitment).then_some(key))
            }
            (By::Key(_), Wrapped::ByHost { .. }) | (By::Host(_), Wrapped::ByKey { .. }) => Ok(None),
        }
    }
}

/// The one error of a wrong key.
pub(super) fn wrong_key(why: impl fmt::Display) -> Error {
    Error::new(Code::WrongKey, "unlock the secrets of the book", "")
        .because(why)
        .advise("give the key that it has now; a rotation changes it for every process")
}

fn cost_of(row: &VaultKey) -> Result<Argon2Cost> {
    let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let cost = Argon2Cost { memory_kib: number(row.memory_kib), passes: number(row.passes), lanes: number(row.lanes) };
    let refused = |why| Error::new(Code::Corrupt, "derive the key of the book's secrets", "").because(why);
    cost.check().map_err(refused)?;
    Ok(cost)
}

/// Blocks: takes as long and as much memory as the cost says.
pub(super) fn argon2id(text: &SecretBytes, salt: &[u8], cost: Argon2Cost) -> Result<SecretBytes> {
    let failed = |e: argon2::Error| Error::new(Code::Corrupt, "derive the key of the book's secrets", "").because(e);
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY)).map_err(failed)?;
    let mut memory = vec![Block::default(); params.block_count()];
    let mut key = SecretBytes::zeroed(KEY);
    let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        text.expose(),
        salt,
        key.expose_mut(),
        &mut memory,
    );
    memory.iter_mut().for_each(Zeroize::zeroize);
    derived.map_err(failed)?;
    Ok(key)
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// A new key.
pub(super) fn new_key() -> Result<SecretBytes> {
    let mut key = SecretBytes::zeroed(KEY);
    fill(key.expose_mut())?;
    Ok(key)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| Error::new(Code::Storage, "draw random numbers from the system", "").because(e))
}
