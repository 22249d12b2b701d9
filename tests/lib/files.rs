//! Folders of this machine for tests: files are written with a time, and what is in a folder is looked at as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Writes a file that was changed so many seconds ago, with the directories that lead to it.
pub fn write(path: &Path, content: &[u8], age_s: u64) {
    write_at(path, content, SystemTime::now() - Duration::from_secs(age_s));
}

/// As [`write`], by the time of the change.
pub fn write_at(path: &Path, content: &[u8], changed: SystemTime) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    // A server may run as another user.
    file.set_permissions(std::fs::Permissions::from_mode(0o604)).unwrap();
    file.set_modified(changed).unwrap();
}

/// Paths with contents; directories have none. What the engine keeps for itself is left out, and nothing temporary is there.
pub fn tree(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let (mut found, mut stack) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if shown == ".portbook" {
                continue;
            }
            assert!(!shown.contains(".portbook-tmp"), "{shown}");
            let content = path.is_file().then(|| std::fs::read(&path).unwrap());
            if content.is_none() {
                stack.push(path);
            }
            found.insert(shown, content);
        }
    }
    found
}
