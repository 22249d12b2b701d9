//! Hashes of content that services keep, by algorithms of their own choice: what is equal is known by them without a byte
//! of it being carried.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::error::Result;
use crate::identity::ContentHash;

/// What a service says of the content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NativeHash {
    /// RFC 1321. S3's entity tags of objects that were put as a whole, WebDAV servers.
    Md5([u8; 16]),
    /// FIPS 180-4. Nextcloud, ownCloud.
    Sha1([u8; 20]),
    /// FIPS 180-4.
    Sha256([u8; 32]),
    /// FIPS 180-4. FTP servers.
    Sha512([u8; 64]),
}

impl NativeHash {
    /// By the algorithm's name in any case, with or without a dash, and hexadecimal digits. None for other algorithms.
    pub(crate) fn parse(algorithm: &str, digits: &str) -> Option<Self> {
        let name: String = algorithm.chars().filter(|c| *c != '-').collect::<String>().to_ascii_uppercase();
        match name.as_str() {
            "MD5" => bytes(digits).map(Self::Md5),
            "SHA1" => bytes(digits).map(Self::Sha1),
            "SHA256" => bytes(digits).map(Self::Sha256),
            "SHA512" => bytes(digits).map(Self::Sha512),
            _ => None,
        }
    }

    /// The hash of these bytes, if they are what this one is of.
    ///
    /// # Errors
    /// Those of the bytes.
    pub(crate) async fn confirm(
        &self,
        mut bytes: BoxStream<'static, Result<bytes::Bytes>>,
    ) -> Result<Option<ContentHash>> {
        let (mut content, mut native) = (blake3::Hasher::new(), Hashing::like(self));
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            content.update(&piece);
            native.update(&piece);
        }
        let is_same = native.finish() == *self;
        Ok(is_same.then(|| ContentHash(*content.finalize().as_bytes())))
    }
}

/// So many bytes as hexadecimal digits of either case.
fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.last()?)?;
    }
    Some(bytes)
}

/// A hash of bytes that pass, by an algorithm of a service's choice.
pub(crate) enum Hashing {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hashing {
    /// By the algorithm's name, as [`NativeHash::parse`] takes it; none for other algorithms.
    pub(crate) fn by(algorithm: &str) -> Option<Self> {
        let name: String = algorithm.chars().filter(|c| *c != '-').collect::<String>().to_ascii_uppercase();
        match name.as_str() {
            "MD5" => Some(Self::Md5(Md5::new())),
            "SHA1" => Some(Self::Sha1(Sha1::new())),
            "SHA256" => Some(Self::Sha256(Sha256::new())),
            "SHA512" => Some(Self::Sha512(Sha512::new())),
            _ => None,
        }
    }

    fn like(hash: &NativeHash) -> Self {
        match hash {
            NativeHash::Md5(_) => Self::Md5(Md5::new()),
            NativeHash::Sha1(_) => Self::Sha1(Sha1::new()),
            NativeHash::Sha256(_) => Self::Sha256(Sha256::new()),
            NativeHash::Sha512(_) => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(piece),
            Self::Sha1(hasher) => hasher.update(piece),
            Self::Sha256(hasher) => hasher.update(piece),
            Self::Sha512(hasher) => hasher.update(piece),
        }
    }

    pub(crate) fn finish(self) -> NativeHash {
        match self {
            Self::Md5(hasher) => NativeHash::Md5(hasher.finalize().into()),
            Self::Sha1(hasher) => NativeHash::Sha1(hasher.finalize().into()),
            Self::Sha256(hasher) => NativeHash::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => NativeHash::Sha512(hasher.finalize().into()),
        }
    }
}

/// The two that WebDAV servers keep, of bytes that pass.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    md5: Md5,
    sha1: Sha1,
}

impl Sums {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.sha1.update(piece);
    }

    pub(crate) fn finish(self) -> [NativeHash; 2] {
        [NativeHash::Sha1(self.sha1.finalize().into()), NativeHash::Md5(self.md5.finalize().into())]
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const CASES: [(&str, &str); 4] = [
        ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha-1", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
        ("SHA256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "SHA-512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    /// The test vectors of RFC 1321 and FIPS 180-4.
    #[tokio::test]
    async fn what_a_service_says_is_held_against_the_bytes() {
        for (algorithm, digits) in CASES {
            let hash = NativeHash::parse(algorithm, digits).unwrap();
            let pieces = |parts: &'static [&'static str]| stream::iter(parts).map(|part| Ok((*part).into())).boxed();
            assert_eq!(hash.confirm(pieces(&["a", "bc"])).await.unwrap(), Some(ContentHash::of(b"abc")), "{algorithm}");
            assert_eq!(hash.confirm(pieces(&["abd"])).await.unwrap(), None);
        }
        let mut sums = Sums::default();
        sums.update(b"abc");
        assert_eq!(sums.finish(), [1, 0].map(|at| NativeHash::parse(CASES[at].0, CASES[at].1).unwrap()));
    }

    #[test]
    fn what_is_no_hash_is_none() {
        for (algorithm, digits) in [("MD5", ""), ("MD5", "9001"), ("CRC32", "00000000"), ("SHA1", CASES[0].1)] {
            assert_eq!(NativeHash::parse(algorithm, digits), None);
        }
        assert_eq!(NativeHash::parse("MD5", "900150983cd24fb0d6963f7d28e17f7x"), None);
        assert_eq!(NativeHash::parse("MD5", "\u{e9}00150983cd24fb0d6963f7d28e17f7"), None);
    }
}
