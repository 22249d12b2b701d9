//! The key of the book's secrets, as it is given to the program: in a file, as a passphrase in a variable, or typed at the
//! terminal. Never on the command line, where every user of the machine could read it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use portbook::model::SecretBytes;
use portbook::vault::{KeySource, PassphraseOf};
use portbook::{Code, Error, Result};

/// The variable that holds a passphrase.
pub(crate) const PASSPHRASE: &str = "PORTBOOK_PASSPHRASE";

/// Bytes of a key.
const KEY: usize = 32;

/// More than any key file holds.
const MOST: usize = 256;

/// The key that is given, if any. A file counts more than the passphrase, and that more than the person at the terminal, who
/// is asked when the first secret is needed.
///
/// # Errors
/// `permission` when others than the owner may read the file, `invalid` when it does not hold a key or the passphrase
/// cannot be used; whatever reading the file gives.
pub(crate) fn find(file: Option<&Path>, passphrase: Option<OsString>, can_ask: bool) -> Result<Option<KeySource>> {
    if let Some(file) = file.filter(|f| !f.as_os_str().is_empty()) {
        return KeySource::raw(read(file)?).map(Some);
    }
    let Some(passphrase) = passphrase.filter(|p| !p.is_empty()) else {
        return Ok(can_ask.then(|| KeySource::asked(ask)));
    };
    KeySource::passphrase(passphrase.into_encoded_bytes().into()).map(Some)
}

/// Asks for the passphrase; for a new one twice.
fn ask(of: PassphraseOf) -> Result<SecretBytes> {
    let typed = |prompt| {
        let typed = rpassword::prompt_password(prompt).map(SecretBytes::from);
        typed.map_err(|e| Error::io("read the passphrase at", "the terminal", e))
    };
    match of {
        PassphraseOf::Book => typed("Passphrase of the book: "),
        PassphraseOf::NewKey => {
            let passphrase = typed("New passphrase, which the book's secrets are kept by: ")?;
            if typed("The same again: ")? == passphrase {
                return Ok(passphrase);
            }
            Err(Error::new(Code::WrongKey, "take the passphrase", "").because("it was typed in two ways"))
        }
    }
}

fn read(path: &Path) -> Result<SecretBytes> {
    const READ: &str = "read the key file";
    let shown = path.display().to_string().escape_debug().to_string();
    let file = File::open(path).map_err(|e| Error::io(READ, &shown, e))?;
    // Asked of the open file: another one may take its name meanwhile.
    refuse_shared(&file.metadata().map_err(|e| Error::io(READ, &shown, e))?, &shown)?;
    // A buffer that never moves leaves no copy of the key behind.
    let mut bytes = Vec::with_capacity(2 * MOST);
    let read = file.take(MOST as u64).read_to_end(&mut bytes);
    let bytes = SecretBytes::from(bytes);
    read.map_err(|e| Error::io(READ, &shown, e))?;
    key_in(bytes.expose()).ok_or_else(|| {
        Error::new(Code::Invalid, READ, &shown)
            .because("it holds neither 64 hexadecimal digits nor 32 random bytes")
            .advise("make one with `openssl rand -hex 32`; a passphrase belongs into PORTBOOK_PASSPHRASE")
    })
}

/// As ssh does with its keys.
#[cfg(unix)]
fn refuse_shared(file: &std::fs::Metadata, shown: &str) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::new(Code::Permission, "use the key file", shown)
        .because(format!("its mode {mode:04o} lets others than its owner at it"))
        .advise("chmod 600 makes it private; if others may have read it, take another key"))
}

#[cfg(not(unix))]
fn refuse_shared(_: &std::fs::Metadata, _: &str) -> Result<()> {
    Ok(())
}

/// 64 hexadecimal digits and blanks after them, or 32 bytes. 32 bytes of text are a passphrase or half a key that
/// someone took for one: 32 random bytes are never all printable.
fn key_in(bytes: &[u8]) -> Option<SecretBytes> {
    if bytes.len() == KEY {
        return (!bytes.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())).then(|| bytes.into());
    }
    let digits = bytes.trim_ascii_end();
    if digits.len() != 2 * KEY {
        return None;
    }
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut key = Vec::with_capacity(KEY);
    for pair in digits.chunks_exact(2) {
        key.push(digit(&pair[0])? << 4 | digit(&pair[1])?);
    }
    Some(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_digits_or_32_bytes() {
        let key: Vec<u8> = (0..32).map(|i| i * 7).collect();
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        for file in [key.clone(), hex.clone().into_bytes(), (hex.to_uppercase() + "\r\n").into_bytes()] {
            assert_eq!(key_in(&file), Some(key.clone().into()));
        }
        let wrong =
            [&hex[1..], &hex[..32], "", "correct horse battery staple", &hex.replace('0', "g"), &(hex.clone() + "0")];
        for file in wrong {
            assert_eq!(key_in(file.as_bytes()), None, "{file}");
        }
        assert_eq!(key_in(&key[1..]), None);
        assert_eq!(key_in(&[key.clone(), key].concat()), None, "64 bytes that are no digits");
    }

    #[test]
    fn a_file_counts_more_than_a_passphrase_and_nothing_is_no_key() {
        assert!(find(None, None, false).expect("none").is_none());
        assert!(find(Some(Path::new("")), Some("".into()), false).expect("empty is none").is_none());
        assert_eq!(find(None, None, true).expect("asked").map(|k| k.kind().as_str()), Some("passphrase"));
        let kind = |found: Result<Option<KeySource>>| found.expect("found").map(|k| k.kind().as_str());
        assert_eq!(kind(find(None, Some("correct horse".into()), true)), Some("passphrase"));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "0f".repeat(32)).expect("written");
        assert_eq!(kind(find(Some(file.path()), Some("correct horse".into()), true)), Some("raw"));
    }
}
