//! Directories full of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portbook::identity::ContentHash;

/// Paths with the hash of what is there; directories have none. What the engine keeps is left out.
pub type Tree = BTreeMap<String, Option<ContentHash>>;

pub fn tree(root: &Path) -> Tree {
    let (mut found, mut stack) = (Tree::new(), vec![root.to_owned()]);
    while let Some(dir) = stack.pop() {
        for path in entries(&dir) {
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if shown == ".portbook" {
                continue;
            }
            let content = path.is_file().then(|| ContentHash::of(&std::fs::read(&path).unwrap()));
            if content.is_none() {
                stack.push(path);
            }
            found.insert(shown, content);
        }
    }
    found
}

/// What an engine has left: temporary files anywhere, and the files of its trash.
pub fn left_over(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut temporary, mut trashed, mut stack) = (Vec::new(), Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = stack.pop() {
        for path in entries(&dir) {
            if path.file_name().unwrap().to_string_lossy().starts_with(".portbook-tmp-") {
                temporary.push(path);
            } else if path.is_dir() {
                stack.push(path);
            } else if path.components().any(|part| part.as_os_str() == ".portbook") {
                trashed.push(path);
            }
        }
    }
    (temporary, trashed)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Bytes that are other ones for each seed and do not repeat.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(length + 8);
    while content.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(length);
    content
}

pub fn write(path: &Path, content: &[u8], at_s: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at_s)).unwrap();
}

/// So many files, most of them small, in directories beside and beneath each other; and large ones.
pub fn fill(root: &Path, count: usize, large: &[usize]) {
    for i in 0..count {
        let length = match i {
            _ if i % 11 == 0 => 0,
            _ if i % 97 == 0 => 100_000 + i * 13,
            _ => i * 37 % 3_000,
        };
        let dir = if i % 3 == 0 { format!("d{:02}/e/f{}", i % 7, i % 5) } else { format!("d{:02}", i % 40) };
        write(&root.join(dir).join(format!("file {i:04}")), &bytes(i as u64, length), 1_500_000_000 + i as u64);
    }
    for (i, length) in large.iter().enumerate() {
        write(&root.join(format!("large/{i}")), &bytes(1_000_000 + i as u64, *length), 1_400_000_000);
    }
    std::fs::create_dir_all(root.join("nothing/in it")).unwrap();
}
