//! What the engine says of bytes and texts by themselves, for hosts that keep or compare what it says.

use portbook::identity::ContentHash;
use portbook::model::RelPath;

use crate::error::Result;
use crate::records::{address, invalid, path_of};

/// The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem.content`.
#[must_use]
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn content_hash(bytes: Vec<u8>) -> String {
    ContentHash::of(&bytes).to_string()
}

/// How a path beneath a root is shown, and named in calls: a byte that is no UTF-8 is `\xNN`, the backslash doubled, a control
/// character escaped; the root is `.`.
///
/// # Errors
/// `invalid` when no path beneath a root has such bytes: a part of it is empty, `.` or `..`, or there is a NUL.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn show_path(bytes: Vec<u8>) -> Result<String> {
    Ok(RelPath::parse(&bytes)
        .ok_or_else(|| invalid("show the path", "", "it names nothing beneath a root"))?
        .to_string())
}

/// The bytes of a path that is shown so, separated by `/`; none for the root.
///
/// # Errors
/// `invalid` when no path is shown so.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn path_bytes(shown: String) -> Result<Vec<u8>> {
    Ok(path_of(&shown)?.as_bytes().to_vec())
}

/// A URL as the engine writes it: the same for all ways to write the same place.
///
/// # Errors
/// `invalid` when it is no place, or holds a secret.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn show_address(url: String) -> Result<String> {
    Ok(address(&url)?.to_string())
}
