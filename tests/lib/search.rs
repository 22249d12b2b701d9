//! Looking for secrets in files and texts, in whatever spelling.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Many texts, looked for at once: files are long, and there are hundreds of spellings.
pub struct Search {
    /// Whether a text begins with these two bytes.
    begins: Vec<bool>,
    /// The texts by their first eight bytes.
    texts: HashMap<[u8; 8], Vec<Vec<u8>>>,
}

impl Search {
    /// Texts as they are written.
    pub fn plain(text: &[u8]) -> Self {
        Self::of(std::iter::once(text.to_vec()))
    }

    /// Secrets in every spelling.
    pub fn spelled(secrets: &[Vec<u8>]) -> Self {
        Self::of(secrets.iter().flat_map(|secret| spellings(secret)))
    }

    fn of(texts: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut search = Self { begins: vec![false; 1 << 16], texts: HashMap::new() };
        for text in texts {
            search.begins[usize::from(text[0]) << 8 | usize::from(text[1])] = true;
            search.texts.entry(text[..8].try_into().unwrap()).or_default().push(text);
        }
        search
    }

    pub fn finds_any(&self, bytes: &[u8]) -> bool {
        let is_at = |at: usize| {
            let texts = bytes.get(at..at + 8).and_then(|first| self.texts.get(first));
            texts.is_some_and(|texts| texts.iter().any(|text| bytes[at..].starts_with(text)))
        };
        let pairs = bytes.windows(2).enumerate();
        pairs.filter(|(_, pair)| self.begins[usize::from(pair[0]) << 8 | usize::from(pair[1])]).any(|(at, _)| is_at(at))
    }
}

/// The files beneath a place.
pub fn files(place: &Path) -> Vec<PathBuf> {
    let (mut found, mut stack) = (Vec::new(), vec![place.to_owned()]);
    while let Some(path) = stack.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => stack.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => found.push(path),
        }
    }
    found
}

/// The bytes, their hexadecimal digits, what `Debug` makes of a list of them, and their base64 at each of the three
/// places that they may have in a longer text, without the letters that their neighbours decide too.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut found = vec![secret.to_vec(), hex.clone().into_bytes(), hex.to_uppercase().into_bytes(), list.into_bytes()];
    for shift in 0..3 {
        for alphabet in [b"+/", b"-_"] {
            let shifted: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.iter().copied()).collect();
            let text = base64(&shifted, *alphabet);
            found.push(text[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec());
        }
    }
    found
}

pub fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let encode = |part: &[u8]| {
        let bits = part.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        (0..=part.len()).map(|n| letters[(bits >> (18 - 6 * n) & 63) as usize]).collect::<Vec<_>>()
    };
    bytes.chunks(3).flat_map(encode).collect()
}
